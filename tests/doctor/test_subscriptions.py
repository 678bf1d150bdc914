"""The doctor on subscriptions and sign-ins: every known mistake, made here by other code, is named.

The auths below are made by an endpoint of this file's own, and a Way says where it goes wrong.
"""

from __future__ import annotations

import base64
import hmac
import json
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from pusherkit import Credentials, diagnose_subscription
from pusherkit.doctor.signed_texts import serialisations
from pusherkit.doctor.subscription_mistakes import SIGNED, WRAPPING
from pusherkit.doctor.subscriptions import MAX_SEARCHED, UNFINISHED

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
OWNER = Credentials(app_id="3", key=KEY, secret=SECRET)
SOCKET = "664747030.758283690"
PRIVATE, PRESENCE = "private-Venue@id=1;date=2", "presence-Room"
MEMBER = '{"user_id":"7","user_info":{"name":"Zoë <b>","site":"https://a.example/?b&c=\'d\'"}}'
USER = '{"id":"12345"}'


def signature(text: str, secret: str = SECRET, method: str = "sha256") -> str:
    return hmac.new(secret.encode(), text.encode(), method).hexdigest()


def auth(text: str, secret: str = SECRET, key: str = KEY) -> str:
    return f"{key}:{signature(text, secret)}"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to go wrong: what arrives, and the name of the mistake."""

    name: str
    auth: str
    channel: str = PRIVATE
    socket_id: str = SOCKET
    data: str | None = None
    user: str | None = None
    answered: Any = None  # what the server answered with, where that isn't what was sent
    also: tuple[str, ...] = ()  # names that are as true

    def diagnosed(self, **options: Any) -> Any:
        if self.answered is not None:
            options |= {"sent_channel_data": self.data}
        return diagnose_subscription(
            OWNER,
            socket_id=self.socket_id,
            channel=self.channel,
            auth=self.auth,
            channel_data=self.data if self.answered is None else self.answered,
            user_data=self.user,
            **options,
        )


RIGHT = auth(f"{SOCKET}:{PRIVATE}")
RIGHT_MEMBER = auth(f"{SOCKET}:{PRESENCE}:{MEMBER}")
HEX = signature(f"{SOCKET}:{PRIVATE}")


def wrapped(name: str, *auths: str) -> list[Way]:
    return [Way(name=name, auth=sent) for sent in auths]


def signed(name: str, *texts: str, **more: Any) -> list[Way]:
    return [Way(name=name, auth=auth(text), **more) for text in texts]


def member(name: str, *data: str, **more: Any) -> list[Way]:
    """Signed with other data than was sent."""
    texts = [f"{SOCKET}:{PRESENCE}:{other}" for other in data]
    return signed(name, *texts, **{"channel": PRESENCE, "data": MEMBER, **more})


def sign_in(name: str, *texts: str, **more: Any) -> list[Way]:
    return signed(name, *texts, **{"channel": "", "user": USER, **more})


VALUE = json.loads(MEMBER)
WAYS = [
    *wrapped(
        "json-encoded-twice",
        json.dumps({"auth": RIGHT}),
        json.dumps({"auth": RIGHT, "shared_secret": "x"}, separators=(",", ":")),
        json.dumps(json.dumps({"auth": RIGHT})),
        json.dumps({"auth": {"auth": RIGHT}}),
    ),
    Way(
        name="json-encoded-twice",
        channel=PRESENCE,
        auth=json.dumps({"auth": RIGHT_MEMBER, "channel_data": MEMBER}),
    ),
    *wrapped("dictionary-printed", str({"auth": RIGHT})),
    *wrapped(
        "auth-in-base64",
        b64(RIGHT),
        b64(json.dumps({"auth": RIGHT})),
        b64(RIGHT).rstrip("="),
        base64.urlsafe_b64encode(json.dumps({"auth": RIGHT, "é": "?~~"}).encode()).decode(),
    ),
    *wrapped("auth-in-quotes", f"'{RIGHT}'", f" {RIGHT}", f"{RIGHT}\n", f"\ufeff{RIGHT}"),
    Way(name="auth-in-quotes", auth=f'"{RIGHT}"', also=("json-encoded-twice",)),
    *wrapped("auth-url-encoded", quote(RIGHT, safe="")),
    *wrapped("optional-printed", f"Some({RIGHT})", f'Optional("{RIGHT}")', f"Optional[{RIGHT}]"),
    *wrapped("key-missing", f":{HEX}", HEX, f"null:{HEX}", f"undefined:{HEX}", f"None:{HEX}"),
    *wrapped("secret-for-key", f"{SECRET}:{HEX}"),
    *wrapped("app-id-for-key", f"3:{HEX}"),
    *wrapped("key-in-quotes", f"'{KEY}':{HEX}", f'"{KEY}":{HEX}', f"{KEY} :{HEX}"),
    *wrapped("key-and-signature-swapped", f"{HEX}:{KEY}"),
    *wrapped("another-key", f"ffd425bdf160c7398031:{HEX}"),
    *signed("socket-id-empty", f":{PRIVATE}", f"undefined:{PRIVATE}", f"null:{PRIVATE}"),
    *signed(
        "socket-id-as-number",
        f"664747030.7582837:{PRIVATE}",  # node: 664747030.758283690
        f"664747030.75828:{PRIVATE}",  # php -r 'echo 664747030.758283690;'
        f"664747030:{PRIVATE}",
    ),
    *signed("socket-id-in-quotes", f'"{SOCKET}":{PRIVATE}', f"{SOCKET}\n:{PRIVATE}"),
    *signed("prefix-not-signed", f"{SOCKET}:Venue@id=1;date=2"),
    *signed("prefix-not-signed", f"{SOCKET}:Room:{MEMBER}", channel=PRESENCE, data=MEMBER),
    *signed("prefix-not-signed", f"{SOCKET}:x", channel="private-encrypted-x"),
    *signed("prefix-added", f"{SOCKET}:private-{PRIVATE}", f"{SOCKET}:presence-{PRIVATE}"),
    *signed("another-prefix", f"{SOCKET}:presence-Venue@id=1;date=2"),
    *signed("another-prefix", f"{SOCKET}:private-x", channel="private-encrypted-x"),
    *signed(
        "channel-url-encoded",
        f"{SOCKET}:private-Venue%40id%3D1%3Bdate%3D2",
        f"{SOCKET}:private-Venue%40id%3d1%3bdate%3d2",
        f"{SOCKET}:private-Venue@id%3D1%3Bdate%3D2",
    ),
    *signed("channel-sent-url-encoded", f"{SOCKET}:private-a@b", channel="private-a%40b"),
    *signed("channel-in-lower-case", f"{SOCKET}:private-venue@id=1;date=2"),
    *signed("channel-in-quotes", f'{SOCKET}:"{PRIVATE}"', f"{SOCKET}: {PRIVATE} "),
    *signed("channel-empty", f"{SOCKET}:", f"{SOCKET}:undefined", f"{SOCKET}:null"),
    *signed("data-not-signed", f"{SOCKET}:{PRESENCE}", channel=PRESENCE, data=MEMBER),
    Way(name="data-not-sent", channel=PRESENCE, auth=RIGHT_MEMBER, answered=MEMBER),
    Way(
        name="data-changed",
        channel=PRESENCE,
        auth=RIGHT_MEMBER,
        data='{"user_id":"8"}',
        answered=MEMBER,
    ),
    *signed("empty-data-signed", *(f"{SOCKET}:{PRIVATE}:{none}" for none in ("", "null", "{}"))),
    *member(
        "data-serialised-again",
        json.dumps(VALUE),
        json.dumps(VALUE, indent=2, ensure_ascii=False),
        # PHP's json_encode(), Go's encoding/json, Gson and System.Text.Json, as they write it:
        r'{"user_id":"7","user_info":{"name":"Zo\u00eb <b>","site":"https:\/\/a.example\/?b&c='
        r"""'d'"}}""",
        r'{"user_id":"7","user_info":{"name":"Zoë \u003cb\u003e","site":"https://a.example/?b\u0026'
        r"""c='d'"}}""",
        r'{"user_id":"7","user_info":{"name":"Zoë \u003cb\u003e","site":"https://a.example/?b\u0026'
        r"""c\u003d\u0027d\u0027"}}""",
        r'{"user_id":"7","user_info":{"name":"Zo\u00EB \u003Cb\u003E","site":"https://a.example/?b'
        r"""\u0026c=\u0027d\u0027"}}""",
        json.dumps(dict(reversed(VALUE.items())), separators=(",", ":"), ensure_ascii=False),
    ),
    *member("id-of-another-type", MEMBER.replace('"7"', "7")),
    *member("id-of-another-type", '{"user_id":"7"}', data='{"user_id": 7}'),
    *member("object-signed", "[object Object]", "Array", str(VALUE)),
    *member("data-encoded-again", json.dumps(MEMBER), json.dumps(MEMBER, ensure_ascii=False)),
    *member("data-sent-encoded-again", '{"user_id":"7"}', data=json.dumps('{"user_id":"7"}')),
    *member("data-url-encoded", quote(MEMBER, safe=""), quote(MEMBER, safe="~()*!.'")),
    *member("data-in-quotes", f'"{MEMBER}"'),
    *member("data-in-quotes", MEMBER, data=f"{MEMBER}\n", also=("data-serialised-again",)),
    *member(
        "part-of-data-signed",
        "7",
        '{"name": "Zo\\u00eb <b>", "site": "https://a.example/?b&c=\'d\'"}',
    ),
    *signed("order-swapped", f"{PRIVATE}:{SOCKET}"),
    *signed("order-swapped", f"{SOCKET}:{MEMBER}:{PRESENCE}", channel=PRESENCE, data=MEMBER),
    *signed("socket-id-not-signed", PRIVATE),
    *signed("socket-id-not-signed", f"{PRESENCE}:{MEMBER}", channel=PRESENCE, data=MEMBER),
    *signed("channel-not-signed", SOCKET),
    *signed(
        "another-separator", f"{SOCKET}{PRIVATE}", f"{SOCKET}\n{PRIVATE}", f"{SOCKET}::{PRIVATE}"
    ),
    *signed("newline-at-the-end", f"{SOCKET}:{PRIVATE}\n"),
    *signed("signed-as-user", f"{SOCKET}::user::{MEMBER}", channel=PRESENCE, data=MEMBER),
    *signed(
        "form-signed",
        f"socket_id={SOCKET}&channel_name={quote(PRIVATE, safe='')}",
        f"channel_name={PRIVATE}&socket_id={SOCKET}",
        json.dumps({"socket_id": SOCKET, "channel_name": PRIVATE}),
    ),
    *sign_in("signed-as-channel", f"{SOCKET}:{USER}"),
    *sign_in("signed-as-channel", f"{SOCKET}:{PRIVATE}:{USER}", channel=PRIVATE),
    *sign_in("another-separator", f"{SOCKET}:user:{USER}"),
    *sign_in("data-serialised-again", f'{SOCKET}::user::{{"id": "12345"}}'),
    *sign_in("socket-id-empty", f"::user::{USER}"),
    *sign_in("socket-id-not-signed", f"user::{USER}", USER),
    # What can go wrong with the secret, the HMAC and the hex is in the table for requests.
    Way(name="secret-in-quotes", auth=auth(f"{SOCKET}:{PRIVATE}", f'"{SECRET}"')),
    Way(name="secret-with-newline", auth=auth(f"{SOCKET}:{PRIVATE}", f"{SECRET}\n")),
    Way(name="app-key-as-secret", auth=auth(f"{SOCKET}:{PRIVATE}", KEY)),
    Way(name="signature-in-upper-case", auth=f"{KEY}:{HEX.upper()}"),
    Way(name="signature-in-base64", auth=f"{KEY}:{base64.b64encode(bytes.fromhex(HEX)).decode()}"),
    Way(name="hmac-sha1", auth=f"{KEY}:{signature(f'{SOCKET}:{PRIVATE}', method='sha1')}"),
    Way(name="hmac-md5", auth=f"{KEY}:{signature(f'{SOCKET}:{PRIVATE}', method='md5')}"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.name}-{way.auth[:12]}")
def test_each_mistake_is_named_and_proven(way):
    found = way.diagnosed()
    named = {tuple(mistake.name for mistake in finding.mistakes) for finding in found.findings}
    assert named == {(name,) for name in (way.name, *way.also)}, str(found)
    assert not found.valid
    assert not found.unexplained
    assert all(finding.reproduced == OWNER.hide(way.auth) for finding in found.findings)
    assert SECRET not in str(found)
    assert "DATA" not in str(found)


def test_no_known_mistake_is_left_out():
    known = {
        mistake.name
        for table in (WRAPPING, SIGNED)
        for rows in table.values()
        for mistake, _ in rows
    }
    assert known <= {way.name for way in WAYS}


@pytest.mark.parametrize(
    ("first", "second", "sent"),
    [
        ("key-missing", "prefix-not-signed", f":{signature(f'{SOCKET}:Venue@id=1;date=2')}"),
        (
            "json-encoded-twice",
            "secret-with-newline",
            json.dumps({"auth": auth(f"{SOCKET}:{PRIVATE}", f"{SECRET}\n")}),
        ),
        (
            "order-swapped",
            "signature-in-upper-case",
            f"{KEY}:{signature(f'{PRIVATE}:{SOCKET}').upper()}",
        ),
        ("prefix-not-signed", "newline-at-the-end", auth(f"{SOCKET}:Venue@id=1;date=2\n")),
        ("auth-in-base64", "key-missing", b64(HEX)),
    ],
)
def test_two_mistakes_at_once_are_proven(first, second, sent):
    found = Way(name="", auth=sent).diagnosed()
    pairs = [{mistake.name for mistake in finding.mistakes} for finding in found.findings]
    assert {first, second} in pairs, str(found)


def test_what_is_right_is_never_called_wrong():
    chance = random.Random(20)
    letters = "abcXYZ019_-=@,.;"
    for _ in range(200):
        socket_id = f"{chance.randrange(10**9)}.{chance.randrange(10**9)}"
        name = "".join(chance.choices(letters, k=chance.randrange(1, 30)))
        data = json.dumps(
            {"user_id": chance.choice(["7", 7, "ż"]), "x": name + "/<é>"},
            indent=chance.choice([None, 2]),
        )
        for channel, sent in (
            (f"private-{name}", None),
            (f"private-{name}", data),
            (f"presence-{name}", data),
            (f"private-encrypted-{name}", None),
        ):
            text = f"{socket_id}:{channel}" + ("" if sent is None else f":{sent}")
            found = diagnose_subscription(
                OWNER, socket_id=socket_id, channel=channel, auth=auth(text), channel_data=sent
            )
            assert found.valid, text
            assert str(found) == "The subscription is signed as it should be."
    found = diagnose_subscription(
        OWNER, socket_id=SOCKET, channel="", auth=auth(f"{SOCKET}::user::{USER}"), user_data=USER
    )
    assert str(found) == "The sign-in is signed as it should be."


def test_the_published_examples_are_right():
    """Pusher's documentation, "Auth signatures"."""
    for channel, data, sent in (
        (
            "private-foobar",
            None,
            "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
        ),
        (
            "presence-foobar",
            '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}',
            "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c",
        ),
    ):
        assert diagnose_subscription(
            OWNER, socket_id="1234.1234", channel=channel, channel_data=data, auth=f"{KEY}:{sent}"
        ).valid


def test_another_connections_socket_id_cant_be_proven_and_is_said_as_what_is_left():
    found = Way(name="", auth=auth(f"1.2:{PRIVATE}")).diagnosed()
    assert found.findings == found.notes == ()
    assert "another connection" in found.unexplained
    assert "channel_data was signed and not sent" in found.unexplained


def test_data_that_nobody_saw_is_said_as_what_is_left():
    found = Way(name="", channel=PRESENCE, auth=RIGHT_MEMBER).diagnosed()
    assert not found.findings
    assert "No channel_data was sent, and a presence channel needs it" in found.notes[0]
    assert "channel_data was signed and not sent" in found.notes[-1]
    assert not found.unexplained  # that it's missing is reason enough


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (Way(name="", auth=RIGHT, channel=""), "pusher:subscribe"),
        (Way(name="", auth=RIGHT, socket_id=""), "pusher:connection_established"),
        (Way(name="", auth=""), "auth is missing"),
        (Way(name="", auth=RIGHT, socket_id="undefined"), "socket_id: expected"),
        (Way(name="", auth=auth(f"undefined:{PRIVATE}"), socket_id="undefined"), "socket_id: exp"),
        (Way(name="", auth=f"{KEY}:{HEX[:-2]}"), "62 characters; expected 64"),
        (Way(name="", auth=f"{KEY}:{HEX[:-1]}g"), "character 64 is 'g'"),
        (Way(name="", auth=f"otherkey:{'a' * 64}"), "and 278d425bdf160c739803 was expected"),
        (Way(name="", auth=json.dumps({"auth": f"{KEY}:{'a' * 64}"})), "itself a JSON text"),
        (Way(name="", auth=auth(f"{SOCKET}:{PRESENCE}"), channel=PRESENCE), "presence channel nee"),
        (
            Way(name="", auth=auth(f"{SOCKET}:{PRESENCE}:[]"), channel=PRESENCE, data="[]"),
            'expected JSON text such as {"user_id":"7"}',
        ),
    ],
)
def test_what_needs_no_proof_is_a_note(way, said):
    found = way.diagnosed()
    assert not found.valid
    assert said in str(found)
    assert not found.findings


@pytest.mark.parametrize("sent", ['{"auth": null}', '{"auth": {"auth": 7}}', f"'3':{HEX}"])
def test_an_auth_in_which_no_signature_is_found_is_wrong_and_nothing_more_is_known(sent):
    found = Way(name="", auth=sent).diagnosed()
    assert not found.valid
    assert not found.findings


def test_without_the_socket_id_a_signature_that_lacks_it_is_still_proven():
    found = Way(name="", auth=auth(PRIVATE), socket_id="").diagnosed()
    assert [m.name for finding in found.findings for m in finding.mistakes] == [
        "socket-id-not-signed"
    ]


def test_a_public_channel_needs_no_auth():
    for sent in ("", auth(f"{SOCKET}:news")):
        found = Way(name="", auth=sent, channel="news").diagnosed()
        assert found.valid
        assert "news is a public channel" in str(found)
    found = Way(name="", auth=auth(f"{SOCKET}:private-news"), channel="news").diagnosed()
    assert not found.valid
    assert "prefix-added" in str(found)


def test_a_secret_that_was_sent_is_hidden():
    for way in (
        Way(name="", auth=f"{SECRET}:{HEX}"),
        Way(name="", auth=auth(f"{SOCKET}:private-{SECRET}"), channel=f"private-{SECRET}x"),
        Way(name="", auth=auth(f"{SOCKET}:{SECRET}"), channel=f"private-{SECRET}"),
        Way(name="", auth=f"{SECRET}:{'a' * 64}"),
    ):
        found = way.diagnosed()
        assert SECRET not in str(found)
        assert all(SECRET not in finding.canonical_string for finding in found.findings)


def test_a_search_that_is_stopped_says_so():
    found = Way(name="", auth=f"{KEY}:{'a' * 64}").diagnosed(go_on=lambda: False)
    assert found.unexplained == UNFINISHED


@pytest.mark.parametrize("name", ["auth", "channel_data", "channel", "socket_id"])
def test_the_work_is_linear_in_whatever_arrives(name, growth):
    arrived = {"auth": RIGHT, "channel": PRESENCE, "socket_id": SOCKET, "channel_data": MEMBER}
    for text in ("{", '"', "a", "Some(", "%", ":"):
        growth(
            lambda size, text=text: diagnose_subscription(
                OWNER, **(arrived | {name: text * (size // len(text))})
            ),
            int,
            largest=1_000_000,
            least=100_000,
        )


def test_longer_data_is_not_searched_and_that_is_said():
    data = json.dumps({"user_id": "x" * MAX_SEARCHED})
    found = Way(name="", channel=PRESENCE, auth=f"{KEY}:{'a' * 64}", data=data).diagnosed()
    assert "there are more here" in found.unexplained


def test_serialisations_are_each_another_text_of_the_same_value():
    texts = list(serialisations(VALUE))
    assert len(texts) == len(set(texts))
    assert all(json.loads(text) == VALUE for text in texts)
    assert MEMBER in texts
