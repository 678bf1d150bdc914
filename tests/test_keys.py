"""Several keys of one app: whose secret judges what, whose key an entry names, and what stays out
of sight."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from pusherkit import (
    Client,
    Credentials,
    Event,
    authenticate_user,
    authorize_channel,
    sign,
    verify_webhook,
)
from pusherkit._spellings import _spellings
from pusherkit.events import event_body
from pusherkit.sandbox import (
    PRACTICE_CREDENTIALS,
    RawRequest,
    Reply,
    Sandbox,
    SandboxTransport,
    Webhooks,
)
from pusherkit.sandbox.api import MAX_BODY_BYTES, too_large
from pusherkit.sandbox.channels import APP_DOES_NOT_EXIST, UNAUTHORIZED
from pusherkit.sandbox.keys import MAX_NAMED, Keys
from pusherkit.sandbox.personalities import PERSONALITIES
from pusherkit.signing import hmac_sha256
from pusherkit.subscriber import Subscriber

from .conftest import NOW

OWN = PRACTICE_CREDENTIALS
ADA = replace(OWN, key="ada", secret="lovelace-1815-engine")
ZOE = replace(OWN, key="zo_c3_ab", secret="54ab0c81f7d2e9635710")
KEYS = {each.key: each for each in (ADA, ZOE)}
SECRETS = [ADA.secret, ZOE.secret, OWN.secret]
EVENTS = f"/apps/{OWN.app_id}/events"
BODY = event_body(Event.of("chat", "message", "hello"))


class Asked:
    """A `find_key` that knows KEYS, and remembers what it was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, key: str) -> Credentials | None:
        key.encode()  # half a surrogate pair would fail here, as it does in hmac
        self.names.append(key)
        return KEYS.get(key)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def sandbox(asked: Asked) -> Sandbox:
    return Sandbox(OWN, find_key=asked)


def signed(
    credentials: Credentials,
    *,
    name: str = "",
    path: str = EVENTS,
    params: tuple[tuple[str, str], ...] = (),
    body: bytes = BODY,
    method: str = "POST",
) -> RawRequest:
    """Signed with these credentials' secret, under another key's `name` if there is one."""
    by = replace(credentials, key=name or credentials.key)
    query = urlencode(sign(by, method, path, params, body, timestamp=NOW).query)
    return RawRequest(method=method, target=f"{path}?{query}".encode(), body=body)


def everything(sandbox: Sandbox, *replies: Reply) -> str:
    """Everything that anybody gets to see of a request."""
    entries = [*sandbox.log, *sandbox.refused_subscriptions]
    bodies = [reply.body.decode() for reply in (*replies, *(each.reply for each in sandbox.log))]
    return repr(entries) + repr(replies) + "".join(bodies)


def hides(sandbox: Sandbox, *replies: Reply) -> bool:
    shown = everything(sandbox, *replies)
    return not any(secret in shown for secret in SECRETS)


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("credentials", [OWN, ADA, ZOE], ids=lambda each: each.key)
def test_each_key_is_judged_with_its_own_secret_and_its_entries_say_whose_they_are(
    sandbox, credentials
):
    assert sandbox.handle(signed(credentials), now=NOW).status == 200
    assert [entry.key for entry in sandbox.log] == [credentials.key]
    assert [entry.key for entry in sandbox.deliveries] == [credentials.key]


def test_a_batch_names_its_key_too(sandbox):
    batch = {"batch": [{"name": "n", "channel": "a", "data": "1"}] * 2}
    path = f"/apps/{OWN.app_id}/batch_events"
    assert sandbox.handle(signed(ADA, path=path, body=json.dumps(batch).encode()), now=NOW).status
    assert [entry.key for entry in sandbox.deliveries] == ["ada", "ada"]


def test_one_keys_secret_under_anothers_name_is_refused_and_nothing_shows_either(sandbox):
    request = signed(ADA, name=ZOE.key)
    reply = sandbox.handle(request, now=NOW)
    told = json.loads(reply.body)
    assert (reply.status, told["rule"]) == (401, "auth_signature")
    assert [check["rule"] for check in told["checks"] if not check["passed"]] == ["auth_signature"]
    assert told["checks"][0]["expected"] == f"zo_c3_ab (the key of app {OWN.app_id})"
    assert [entry.key for entry in sandbox.log] == [ZOE.key]
    assert not sandbox.deliveries
    assert hides(sandbox, reply)
    right = hmac_sha256(ZOE.secret, told["canonical_string"])
    assert right not in everything(sandbox, reply)


def test_the_doctor_searches_with_the_secret_of_the_key_that_was_named(sandbox):
    request = signed(ZOE)
    path = EVENTS
    right = sign(ZOE, "POST", path, (), BODY, timestamp=NOW)
    wrong = hmac_sha256(ZOE.secret, right.canonical_string.replace("\n", "\\n"))
    target = f"{path}?{urlencode([*right.params, ('auth_signature', wrong)])}".encode()
    reply = sandbox.handle(replace(request, target=target), now=NOW)
    (found,) = json.loads(reply.body)["diagnosis"]
    assert [mistake["name"] for mistake in found["mistakes"]] == ["newline-written-out"]


def test_an_unknown_key_gets_told_what_was_expected_without_a_search(sandbox):
    judged = sandbox.judge(signed(replace(OWN, key="ad")), now=NOW)
    sandbox.keys.named = None  # neither the search nor the answer needs it
    explanation = sandbox.explain(judged)
    reply = sandbox.refuse(judged, explanation)
    told = json.loads(reply.body)
    assert (explanation.findings, explanation.unfinished) == ((), "")
    assert told["rule"] == "auth_key"
    key, *_ = told["checks"]
    assert (key["expected"], key["received"]) == (f"a key of app {OWN.app_id}", "ad")
    assert [entry.key for entry in sandbox.log] == [""]


@pytest.mark.parametrize("learner", [ADA, ZOE], ids=lambda each: each.key)
def test_a_request_without_a_key_names_none(sandbox, learner):
    target = signed(learner).target.replace(f"auth_key={quote(learner.key)}&".encode(), b"")
    reply = sandbox.handle(RawRequest(method="POST", target=target, body=BODY), now=NOW)
    assert json.loads(reply.body)["error"] == "Missing parameter: auth_key"
    assert [entry.key for entry in sandbox.log] == [""]


def test_where_key_and_secret_are_swapped_the_secret_stays_out_of_sight(sandbox):
    """ada's app settings have each in the other's place, and nobody knows that they're hers."""
    reply = sandbox.handle(signed(replace(OWN, key=ZOE.secret, secret=ZOE.key)), now=NOW)
    told = json.loads(reply.body)
    assert told["checks"][0]["received"] == "[the app's secret]"
    assert "not swapped" in told["fix"]
    assert hides(sandbox, reply)


SENT_BY_MISTAKE = {
    "in the path": {"path": f"/apps/{ADA.secret}/events"},
    "in a path that there isn't": {"path": f"/{ADA.secret}/events"},
    "in the method": {"method": ADA.secret},
    "in another parameter": {"params": (("note", ADA.secret),)},
    "as a parameter's name": {"params": ((ADA.secret, "x"),)},
    "percent-encoded": {"path": f"/apps/{''.join(f'%{byte:02X}' for byte in ADA.secret.encode())}"},
    "as a channel": {"body": event_body(Event.of(ADA.secret, "n", ""))},
    "as a channel that can't be": {
        "body": json.dumps({"name": "n", "channel": f"#{ADA.secret}", "data": ""}).encode()
    },
}


@pytest.mark.parametrize("how", SENT_BY_MISTAKE.values(), ids=SENT_BY_MISTAKE)
@pytest.mark.parametrize("personality", [None, *PERSONALITIES])
def test_a_keys_secret_that_was_sent_is_shown_nowhere(asked, how, personality):
    sandbox = Sandbox(OWN, find_key=asked, personality=personality)
    reply = sandbox.handle(signed(ADA, **how), now=NOW)
    assert len(sandbox.log) == 1
    assert hides(sandbox, reply)
    again = sandbox.handle(signed(OWN, name="ada", **how), now=NOW)
    assert hides(sandbox, again)


def test_the_apps_own_secret_is_hidden_from_everybody(sandbox):
    reply = sandbox.handle(signed(ADA, params=(("note", OWN.secret),)), now=NOW)
    assert reply.status == 200
    assert hides(sandbox, reply)
    assert "note=[the app's secret]" in sandbox.log[-1].verdict.canonical_string


NAMED = {
    "in capitals": "AUTH_KEY=ada",
    "percent-encoded": "auth%5fkey=%61da",
    "twice": "auth_key=ada&auth_key=zo%5Fc3_ab",
    "after one of nobody's": "auth_key=nobody&auth_key=ada&auth_key=zo%5Fc3_ab",
    "among too many parameters": "auth_key=ada&auth_key=zo%5Fc3_ab&" + "a=1&" * 200,
    "beside what isn't UTF-8": "auth_key=ada&auth_key=zo%5Fc3_ab&a=%ff",
    "with the app's own": f"auth_key={OWN.key}&auth_key=ada&auth_key=zo%5Fc3_ab",
}


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("secret", [ADA.secret, ZOE.secret, OWN.secret])
def test_however_a_key_is_named_its_secret_is_hidden(sandbox, named, secret):
    if secret == ZOE.secret and "zo%5F" not in named:
        return
    target = f"/apps/{OWN.app_id}/{secret}?{named}&note={secret}&auth_signature=x".encode()
    for path in (target, target.replace(f"/{secret}".encode(), b"/events")):
        raw = RawRequest(method="POST", target=path, body=BODY)
        assert hides(sandbox, sandbox.handle(raw, now=NOW))
        assert hides(sandbox, sandbox.turn_away(raw, too_large(None), now=NOW))
    assert {entry.key for entry in sandbox.log} <= {"ada", OWN.key}


def test_a_request_that_names_too_many_keys_is_repeated_in_nothing(sandbox, asked):
    names = [f"k{number}" for number in range(MAX_NAMED - 1)] + ["ada", "zo_c3_ab"]
    query = urlencode([("auth_key", name) for name in names] + [("hush", ADA.secret)])
    raw = RawRequest(method="GET", target=f"/apps/{OWN.app_id}/channels?{query}".encode())
    reply = sandbox.handle(raw, now=NOW)
    assert reply.status == 401
    assert (sandbox.log[-1].path, sandbox.log[-1].key) == ("[the app's secret]", "")
    assert "hush" not in everything(sandbox, reply)
    assert asked.names == []
    target = raw.target.replace(b"hush=", b"hush=%ff")
    assert sandbox.handle(replace(raw, target=target), now=NOW).status == 400
    assert hides(sandbox)
    nothing = Keys(OWN, asked).named(names).credentials
    assert (nothing.hide(""), nothing.holds("")) == ("", False)


def test_secrets_that_overlap_leave_nothing_between_them():
    several = {
        "a": replace(OWN, key="a", secret="abcdef-ghijkl"),
        "b": replace(OWN, key="b", secret="ghijkl-mnopqr"),
    }
    named = Keys(OWN, several.get).named(["a", "b"])
    assert named.key == "a"
    assert named.credentials == several["a"]
    assert named.credentials.hide("x abcdef-ghijkl-mnopqr y") == "x [the app's secret] y"


def test_what_a_request_costs_does_not_grow_with_the_number_of_keys():
    def work(keys: int) -> tuple[int, int]:
        """Look-ups, and secrets for which the expressions were made, in 50 learners' requests."""
        asked = list[str]()

        def find(key: str) -> Credentials | None:
            asked.append(key)
            number = int(key.removeprefix("k"))
            return replace(OWN, key=key, secret=f"{number:x}-is-secret") if number < keys else None

        sandbox, misses = Sandbox(OWN, find_key=find), _spellings.cache_info().misses
        for number in range(50):
            found = find(f"k{number % keys}")
            assert found is not None
            assert sandbox.handle(signed(found), now=NOW).status == 200
        return len(asked), _spellings.cache_info().misses - misses

    assert work(1) == work(50) == work(10_000) == (100, 0)


def test_a_key_that_find_key_mixes_up_belongs_to_nobody():
    sandbox = Sandbox(OWN, find_key=lambda key: ADA)
    assert sandbox.handle(signed(ADA, name="adam"), now=NOW).status == 401
    assert sandbox.log[-1].key == ""


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_another_server_is_played_for_every_key(asked, personality):
    sandbox = Sandbox(OWN, find_key=asked, personality=personality)
    for credentials in (OWN, ADA, ZOE):
        sandbox.handle(signed(credentials), now=NOW)
        assert sandbox.log[-1].played.accepts
    sandbox.handle(signed(ADA, name=ZOE.key), now=NOW)
    assert not sandbox.log[-1].played.accepts
    assert [entry.key for entry in sandbox.log] == [OWN.key, "ada", "zo_c3_ab", "zo_c3_ab"]
    counts = signed(ADA, path=f"/apps/{OWN.app_id}/channels", body=b"", method="GET")
    sandbox.handle(counts, now=NOW)
    assert (sandbox.log[-1].key, sandbox.log[-1].played.accepts) == ("ada", True)
    assert [entry.key for entry in sandbox.deliveries] == [OWN.key, "ada", "zo_c3_ab"]
    assert hides(sandbox)


# --- subscribers --------------------------------------------------------------------------------


class Peer:
    """A connection that was opened with a key."""

    def __init__(self, sandbox: Sandbox, key: str) -> None:
        self.sandbox, self.texts = sandbox, list[str]()
        self.hung_up: list[tuple[int, str]] = []
        self.connection = sandbox.channels.open(
            self.texts.append,
            lambda code, reason: self.hung_up.append((code, reason)),
            key=key,
            protocol="7",
            now=NOW,
        )

    @property
    def socket_id(self) -> str:
        return self.connection.socket_id

    def says(self, event: str, data: object, **fields: object) -> dict[str, Any]:
        """The first answer to a frame; {} if there is none."""
        before = len(self.texts)
        frame = json.dumps({"event": event, "data": data} | fields)
        self.sandbox.channels.receive(self.connection, frame, now=NOW)
        return json.loads((self.texts[before:] or ["{}"])[0])

    def subscribes(self, channel: str, by: Credentials, member: object = None) -> dict[str, Any]:
        data = authorize_channel(by, self.socket_id, channel, member)
        return self.says("pusher:subscribe", {"channel": channel} | data)


SUCCESS = "pusher_internal:subscription_succeeded"


@pytest.mark.parametrize("channel", ["private-x", "presence-x", "private-cache-x"])
def test_a_subscriber_is_judged_with_the_secret_of_the_key_that_it_connected_with(sandbox, channel):
    member = {"user_id": "7"} if channel.startswith("presence-") else None
    peer = Peer(sandbox, "ada")
    for other in (ZOE, OWN, replace(ZOE, key="ada"), replace(ADA, key="zo_c3_ab")):
        answer = peer.subscribes(channel, other, member)
        assert answer["event"] == "pusher:error", other
    assert [entry.key for entry in sandbox.refused_subscriptions] == ["ada"] * 4
    assert peer.subscribes(channel, ADA, member)["event"] == SUCCESS
    assert hides(sandbox)
    assert not any(secret in text for text in peer.texts for secret in SECRETS)


def test_an_auth_of_another_key_says_which_one_was_expected(sandbox):
    told = Peer(sandbox, "ada").subscribes("private-x", ZOE)["data"]["message"]
    assert told == "Invalid key in subscription auth data: 'zo_c3_ab', expected ada"
    assert "with another key's secret" not in (note := sandbox.refused_subscriptions[-1].note)
    assert "It was signed for another key, with that one's secret." in note


def test_an_unknown_key_gets_no_connection(sandbox):
    peer = Peer(sandbox, "nobody")
    assert peer.connection is None
    assert peer.hung_up == [(APP_DOES_NOT_EXIST, "App key nobody does not exist here.")]
    swapped = Peer(sandbox, ZOE.secret)
    assert swapped.hung_up[0][1] == "App key [the app's secret] does not exist here."


def test_the_secret_of_each_key_that_a_frame_names_is_hidden(sandbox):
    peer = Peer(sandbox, "ada")
    for channel in (f"private-{ZOE.secret}", f"#{ZOE.secret}", f"private-{ADA.secret}"):
        for auth in (
            "zo_c3_ab:00",
            f"zo_c3_ab:{ADA.secret}",
            f"zo_c3_ab:{OWN.secret}",
            "\ud800:00",
            "x",
            ":",
        ):
            if ZOE.secret in channel and "zo_c3_ab" not in auth:
                continue  # then nobody knows that it's one
            peer.says("pusher:subscribe", {"channel": channel, "auth": auth})
    peer.says("pusher:subscribe", {"channel": "private-x", "auth": f"ada:{ADA.secret}"})
    peer.says("pusher:subscribe", {"channel": "private-x", "auth": ["zo_c3_ab"]})
    peer.says("client-x", "", channel=ADA.secret)
    peer.says("pusher:unsubscribe", {"channel": OWN.secret})
    assert hides(sandbox)
    assert not any(secret in text for text in peer.texts for secret in SECRETS)


def test_a_user_signs_in_with_the_key_of_the_connection(sandbox):
    peer, user = Peer(sandbox, "ada"), {"id": "7", "user_info": {"secret": ADA.secret}}
    right = authenticate_user(ADA, peer.socket_id, {"id": "7"})
    assert peer.says("pusher:signin", right)["event"] == "pusher:signin_success"
    other = Peer(sandbox, "ada")
    wrong = authenticate_user(ZOE, other.socket_id, user)
    assert other.says("pusher:signin", wrong)["data"]["message"].startswith("Invalid key in user")
    assert other.hung_up[0][0] == UNAUTHORIZED
    (entry,) = sandbox.refused_subscriptions
    assert (entry.key, entry.code) == ("ada", UNAUTHORIZED)
    assert hides(sandbox)


def test_a_client_event_has_the_key_of_its_connection(sandbox):
    ada, zoe = Peer(sandbox, "ada"), Peer(sandbox, "zo_c3_ab")
    ada.subscribes("private-x", ADA)
    zoe.subscribes("private-x", ZOE)
    ada.says("client-typing", "", channel="private-x")
    zoe.says("client-typing", "", channel="private-x")
    assert [entry.key for entry in sandbox.deliveries] == ["ada", "zo_c3_ab"]
    assert json.loads(zoe.texts[-1])["event"] == "client-typing"  # ada's


def test_everybody_meets_in_the_same_channels_whatever_their_keys():
    master = {"encryption_master_key_base64": "A" * 43 + "="}
    ada, zoe = replace(ADA, **master), replace(ZOE, **master)
    sandbox = Sandbox(OWN, find_key=KEYS.get)
    transport = SandboxTransport(sandbox)
    for channel in ("chat", "private-chat", "private-encrypted-chat", "presence-chat", "cache-c"):
        with Client(ada, transport=transport) as client:
            if channel == "cache-c":
                client.trigger(channel, "message", "from ada")
            with Subscriber(zoe, channel, transport=sandbox.channels, user_id="7") as subscriber:
                if channel != "cache-c":
                    client.trigger(channel, "message", "from ada")
                assert subscriber.receive().data == "from ada"
        with Client(zoe, transport=transport) as client:
            client.channels()
    assert {entry.key for entry in sandbox.deliveries} == {"ada"}


# --- webhooks -----------------------------------------------------------------------------------


def test_webhooks_are_signed_with_the_apps_own_key():
    webhooks = Webhooks(OWN)
    sandbox = Sandbox(OWN, find_key=KEYS.get, webhooks=webhooks)
    Peer(sandbox, "ada").subscribes("private-x", ADA)
    assert webhooks.take(0.0, now=NOW) is None
    webhook = webhooks.take(1.0, now=NOW).webhook
    verify_webhook(OWN, webhook.body, key=webhook.key, signature=webhook.signature)
    assert [event["name"] for event in webhook.events] == ["channel_occupied"]


# --- calls of one's own -------------------------------------------------------------------------

CALL = f"/apps/{OWN.app_id}/class"


class Called:
    """An own call: remembers how it was called, and answers what its body asks for."""

    def __init__(self) -> None:
        self.times: list[tuple[str, bytes, float]] = []

    def __call__(self, key: str, body: bytes, now: float) -> Reply:
        self.times.append((key, body, now))
        status = int(body or b"200")
        return Reply(status=status, body=b'{"title":"Monday"}', note=f"said {ADA.secret}")


@pytest.fixture
def called() -> Called:
    return Called()


@pytest.fixture
def make(asked: Asked, called: Called) -> Callable[..., Sandbox]:
    return lambda **options: Sandbox(OWN, find_key=asked, calls={"class": called}, **options)


@pytest.mark.parametrize("personality", [None, "soketi"])
def test_an_own_call_is_answered_and_leaves_no_trace(make, called, personality):
    sandbox = make(personality=personality)
    seen = list[object]()
    sandbox.watchers.append(seen.append)
    reply = sandbox.handle(signed(ADA, path=CALL, body=b"200"), now=NOW)
    assert (reply.status, reply.body) == (200, b'{"title":"Monday"}')
    assert called.times == [("ada", b"200", NOW)]
    assert not seen
    assert hides(sandbox, reply)


@pytest.mark.parametrize("personality", [None, "soketi"])
def test_an_own_call_is_judged_like_every_request(make, called, personality):
    sandbox = make(personality=personality, rate=1.0)
    right = signed(ADA, path=CALL, body=b"200")
    wrong = {
        "auth_key": signed(replace(ADA, key="nobody"), path=CALL, body=b"200"),
        "auth_timestamp": right,
        "body_md5": replace(right, body=b"201"),
        "auth_signature": signed(ZOE, name="ada", path=CALL, body=b"200"),
    }
    for rule, request in wrong.items():
        now = NOW + 601 if rule == "auth_timestamp" else NOW
        reply = sandbox.handle(request, now=now)
        assert (reply.status, json.loads(reply.body)["rule"]) == (401, rule)
        assert sandbox.log[-1].reply == reply
    assert not called.times
    statuses = [sandbox.handle(right, now=NOW).status for _ in range(2)]
    assert statuses == [200, 429]
    assert (len(called.times), sandbox.log[-1].reply.status) == (1, 429)
    assert hides(sandbox)


def test_what_a_call_refuses_is_logged(make):
    sandbox = make()
    reply = sandbox.handle(signed(ADA, path=CALL, body=b"400"), now=NOW)
    (entry,) = sandbox.log
    assert (reply.status, entry.reply, entry.key) == (400, reply, "ada")
    assert reply.note == "said [the app's secret]"


def test_a_call_has_its_path_and_method_alone(make, called):
    sandbox = make()
    get = sandbox.handle(signed(ADA, path=CALL, body=b"", method="GET"), now=NOW)
    assert (get.status, dict(get.headers)["Allow"]) == (405, "POST")
    for path in (f"{CALL}/x", f"{CALL}es", "/class", f"/apps/{OWN.app_id}"):
        assert sandbox.handle(signed(ADA, path=path, body=b""), now=NOW).status == 404
    assert Sandbox(OWN).handle(signed(OWN, path=CALL, body=b""), now=NOW).status == 404
    assert sandbox.handle(signed(ADA, path="/apps/7/class", body=b""), now=NOW).status == 404
    big = signed(ADA, path=CALL, body=b"1" * (MAX_BODY_BYTES + 1))
    assert sandbox.handle(big, now=NOW).status == 413
    assert not called.times


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, "expected a name of lower-case") for name in ("", "a/b", "Class", "a" * 41, "é")),
        *((name, "already a call of the HTTP API") for name in ("events", "channels")),
    ],
)
def test_a_name_that_a_call_cannot_have_is_refused(called, name, said):
    with pytest.raises(ValueError, match=said):
        Sandbox(OWN, calls={name: called})
