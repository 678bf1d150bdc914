"""What holds for every request, authorization, refusal and View: laws, tried on random examples.

fuzzing.py says how many, and how to try a hundred thousand of each.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pusherkit import (
    AuthenticationError,
    Client,
    Credentials,
    Event,
    PusherError,
    authenticate_user,
    authorize_channel,
    diagnose,
    sign,
    verify,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit.doctor.pasted import read
from pusherkit.doctor.refusals import diagnose_refusal
from pusherkit.doctor.search import Diagnosis
from pusherkit.events import (
    INFO_ATTRIBUTES,
    MAX_BATCH_EVENTS,
    MAX_CHANNELS,
    MAX_NAME_LENGTH,
    RESERVED_NAMES,
    event_body,
)
from pusherkit.lessons.kit import Fact, View
from pusherkit.lessons.kit.lesson import lessons
from pusherkit.lessons.kit.view import to_html, to_static, to_text
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox, SandboxTransport
from pusherkit.signing import TOLERANCE_SECONDS, hmac_sha256

from .conftest import NOW, Peer
from .fuzzing import ANY_TEXT, JSON_VALUES, TEXT, examples, flipped

Pair = tuple[str, str]

# --- what is signed -----------------------------------------------------------------------------

# As Credentials take it; of few characters as well, so that a secret stands in a request by chance.
_SOUND = (TEXT | st.text("01.a", max_size=3)).filter(
    lambda text: text != "" and text == text.strip().strip("\"'`")
)
_APP_IDS = _SOUND.filter(lambda text: not re.search(r"[/?#%\s]", text))


def _credentials(key: str, *, app_id: str, secret: str | None) -> Credentials:
    return Credentials(app_id=app_id, key=key, secret=key if secret is None else secret)


CREDENTIALS = st.builds(_credentials, _SOUND, app_id=_APP_IDS, secret=st.none() | _SOUND)
METHODS = st.sampled_from(["GET", "POST", "get", "Put"]) | TEXT
PARAMS = st.lists(st.tuples(TEXT | st.sampled_from(["a", "A", "b", "Auth_Key"]), TEXT), max_size=6)
BODIES = st.binary() | TEXT.map(str.encode)
TIMESTAMPS = st.integers(0, 10**15 - 1)  # Unix seconds, as many digits as are taken


@st.composite
def requests(draw: Callable[..., Any]) -> tuple[Any, ...]:
    """Arguments of verify() that sign() has made: credentials to body, and the timestamp."""
    credentials, method, path = draw(CREDENTIALS), draw(METHODS), draw(TEXT)
    params, body, timestamp = draw(PARAMS), draw(BODIES), draw(TIMESTAMPS)
    signature = sign(credentials, method, path, params, body, timestamp=timestamp)
    return credentials, method, path, signature.query, body, timestamp


@given(requests(), st.integers(-TOLERANCE_SECONDS, TOLERANCE_SECONDS))
def test_what_sign_made_is_accepted(request: Any, drift: int) -> None:
    *arguments, timestamp = request
    verify(*arguments, now=timestamp + drift)


@given(CREDENTIALS, st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=4), ANY_TEXT)
def test_half_a_surrogate_pair_is_signed_and_accepted(
    credentials: Credentials, params: list[Pair], path: str
) -> None:
    signature = sign(credentials, "GET", path, params, timestamp=NOW)
    verify(credentials, "GET", path, signature.query, now=NOW)


@st.composite
def one_bit(draw: Callable[..., Any], original: Any) -> Any:
    """The same bytes, or the same text in UTF-8, with one bit flipped."""
    data = original.encode() if isinstance(original, str) else original
    assume(data)
    changed = flipped(data, draw(st.integers(0, 8 * len(data) - 1)))
    return changed.decode(errors="surrogateescape") if isinstance(original, str) else changed


@given(requests(), st.data())
def test_one_bit_changed_is_refused(request: Any, data: st.DataObject) -> None:
    """All but the case of a method or of a key: the canonical string has one case for each."""
    credentials, method, path, params, body, timestamp = request
    index = data.draw(st.integers(0, len(params) - 1))
    key, value = params[index]
    same = False
    match data.draw(st.sampled_from(["method", "path", "key", "value", "body"])):
        case "method":
            changed = data.draw(one_bit(method))
            same, method = changed.upper() == method.upper(), changed
        case "path":
            path = data.draw(one_bit(path))
        case "key":
            changed = data.draw(one_bit(key))
            same, key = changed.lower() == key.lower(), changed
        case "value":
            value = data.draw(one_bit(value))
        case "body":
            body = data.draw(one_bit(body))
    arguments = (
        credentials,
        method,
        path,
        [*params[:index], (key, value), *params[index + 1 :]],
        body,
    )
    if same:
        verify(*arguments, now=timestamp)
    else:
        with pytest.raises(AuthenticationError):
            verify(*arguments, now=timestamp)


@given(requests(), st.data())
def test_the_order_of_parameters_never_matters(request: Any, data: st.DataObject) -> None:
    credentials, method, path, params, body, timestamp = request
    assume(len(dict(params)) == len(params))  # those of one key do keep their order
    shuffled = data.draw(st.permutations(params))
    signed = [
        sign(credentials, method, path, order, body, timestamp=timestamp)
        for order in (params, shuffled, dict(shuffled))
    ]
    assert signed[0] == signed[1] == signed[2]
    verify(credentials, method, path, shuffled, body, now=timestamp)


# --- the wire -----------------------------------------------------------------------------------

_CHANNEL_CHARACTERS = "ABCXYZabcxyz019_-=@,.;"
CHANNELS = st.text(_CHANNEL_CHARACTERS, min_size=1, max_size=MAX_NAME_LENGTH)
EVENTS = st.builds(
    Event,
    channels=st.lists(CHANNELS, min_size=1, max_size=MAX_CHANNELS).map(tuple),
    name=st.text(min_size=1, max_size=MAX_NAME_LENGTH).filter(
        lambda name: not name.startswith(RESERVED_NAMES)
    ),
    data=TEXT,
    socket_id=st.none() | st.from_regex(r"[0-9]+\.[0-9]+", fullmatch=True),
    info=st.lists(st.sampled_from(INFO_ATTRIBUTES), max_size=2).map(tuple),
)


def connected(credentials: Credentials) -> tuple[Sandbox, Client]:
    """A practice server, and a client whose URLs httpx encodes as for a socket."""
    sandbox = Sandbox(credentials)
    transport = SandboxTransport(sandbox, clock=lambda: NOW)
    url = "http://127.0.0.1"
    return sandbox, Client(credentials, base_url=url, transport=transport, clock=lambda: NOW)


SANDBOX, CLIENT = connected(PRACTICE_CREDENTIALS)


def was_valid(sandbox: Sandbox) -> bool:
    verdict = sandbox.log[-1].verdict
    return verdict is not None and verdict.failed is None


@given(EVENTS)
def test_the_event_that_is_published_is_the_one_that_was_sent(event: Event) -> None:
    CLIENT.trigger(event.channels, event.name, event.data, event.socket_id, info=event.info)
    assert was_valid(SANDBOX)
    assert SANDBOX.deliveries[-1].event == event


@given(st.lists(EVENTS, min_size=1, max_size=MAX_BATCH_EVENTS))
def test_the_batch_that_is_published_is_the_one_that_was_sent(events: list[Event]) -> None:
    batch = [
        Event.of(event.channels[0], event.name, event.data, event.socket_id, info=event.info)
        for event in events
    ]
    CLIENT.trigger_batch(batch)
    assert [delivery.event for delivery in SANDBOX.deliveries][-len(batch) :] == batch


@given(st.sets(CHANNELS, max_size=5), TEXT)
@example({"presence-a", "a"}, "é, +&%/=?#\n\0")
def test_every_prefix_survives_the_wire(names: set[str], rest: str) -> None:
    sandbox, client = connected(PRACTICE_CREDENTIALS)
    peer = Peer(sandbox, lambda: NOW)
    peer.subscribes(*names, user="ann")
    for prefix in ("", rest, *(name[: len(rest)] for name in names)):
        expected = {name: {} for name in sorted(names) if name.startswith(prefix)}
        assert client.channels(prefix=prefix) == {"channels": expected}
        assert was_valid(sandbox)


@given(CHANNELS)
@example(".")
@example("..")
def test_every_channel_can_be_asked_about(channel: str) -> None:
    sandbox, client = connected(PRACTICE_CREDENTIALS)
    Peer(sandbox, lambda: NOW).subscribes(channel, user="ann")
    assert client.channel_info(channel, info="subscription_count") == {
        "occupied": True,
        "subscription_count": 1,
    }
    name = f"presence-{channel[: MAX_NAME_LENGTH - 9]}"
    Peer(sandbox, lambda: NOW).subscribes(name, user=channel)
    assert client.users(name) == {"users": [{"id": channel[:128]}]}


@given(CREDENTIALS, PARAMS)
def test_any_credentials_and_parameters_survive_the_wire(
    credentials: Credentials, params: list[Pair]
) -> None:
    assume(credentials.app_id.isprintable() and credentials.app_id not in (".", ".."))
    sandbox, client = connected(credentials)
    path = f"/apps/{credentials.app_id}/channels"
    asked = [pair for pair in params if pair[0].lower() not in ("info", "filter_by_prefix")]
    assert client.http.get(path, params=asked).json() == {"channels": {}}
    assert was_valid(sandbox)


# --- what else the secret signs -------------------------------------------------------------------

SOCKET_IDS = st.from_regex(r"[0-9]{1,9}\.[0-9]{1,9}", fullmatch=True)
MEMBERS = st.none() | ANY_TEXT | st.dictionaries(TEXT, TEXT | st.integers())


@given(CREDENTIALS, SOCKET_IDS, CHANNELS, MEMBERS, st.data())
@example(Credentials(app_id="3", key="a:b", secret="s"), "1.1", "private-x", None, None)
def test_an_authorization_is_accepted_and_no_other(
    credentials: Credentials,
    socket_id: str,
    channel: str,
    member: object,
    data: st.DataObject | None,
) -> None:
    answer = authorize_channel(credentials, socket_id, channel, member)
    told = answer.get("channel_data")
    verify_channel(credentials, socket_id, channel, answer["auth"], told)
    right = [socket_id, channel, answer["auth"], *([] if told is None else [told])]
    refuses(lambda wrong: verify_channel(credentials, *wrong), right, data)


@given(CREDENTIALS, SOCKET_IDS, TEXT | st.dictionaries(TEXT, TEXT), st.data())
@example(Credentials(app_id="3", key="a:b", secret="s"), "1.1", "{}", None)
def test_a_sign_in_is_accepted_and_no_other(
    credentials: Credentials, socket_id: str, user: object, data: st.DataObject | None
) -> None:
    answer = authenticate_user(credentials, socket_id, user)
    right = [socket_id, answer["auth"], answer["user_data"]]
    verify_user(credentials, *right)
    refuses(lambda wrong: verify_user(credentials, *wrong), right, data)


@given(CREDENTIALS, BODIES, st.data())
def test_a_webhook_is_accepted_and_no_other(
    credentials: Credentials, body: bytes, data: st.DataObject
) -> None:
    def verify_all(body: bytes, key: str, signature: str) -> None:
        verify_webhook(credentials, body, key=key, signature=signature)

    signature = hmac.new(credentials.secret.encode(), body, "sha256").hexdigest()
    verify_all(body, credentials.key, signature)
    refuses(lambda wrong: verify_all(*wrong), [body, credentials.key, signature], data)


def refuses(verifier: Callable[[list[Any]], None], right: list[Any], data: Any) -> None:
    """Hold a verifier to refusing what differs in one bit of one argument."""
    if data is None:  # an explicit example, of what is right
        return
    index = data.draw(st.integers(0, len(right) - 1))
    try:
        wrong = data.draw(one_bit(right[index]))
    except UnicodeEncodeError:  # half of a surrogate pair has no bytes to change
        return
    with pytest.raises(AuthenticationError):
        verifier([*right[:index], wrong, *right[index + 1 :]])


# --- the doctor -----------------------------------------------------------------------------------


@given(requests())
def test_the_doctor_never_calls_a_valid_request_wrong(request: Any) -> None:
    *arguments, timestamp = request
    for now in (None, timestamp):
        assert diagnose(*arguments, now=now) == Diagnosis(valid=True)


OWNER = Credentials(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
OTHER = Credentials(app_id="4", key="other-key", secret="other-secret")
_NAMES = ["auth_key", "auth_timestamp", "auth_version", "body_md5", "auth_signature"]


@examples(0.25)
@given(
    METHODS | ANY_TEXT,
    st.sampled_from(["/apps/3/events", "/apps/3/batch_events"]) | ANY_TEXT,
    st.lists(
        st.tuples(
            st.sampled_from(_NAMES) | ANY_TEXT,
            st.sampled_from([OWNER.key, OTHER.secret, str(NOW), "1.0", "0f" * 32]) | ANY_TEXT,
        ),
        max_size=8,
    ),
    BODIES | JSON_VALUES.map(json.dumps).map(str.encode),
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_the_doctor_raises_nothing(
    method: str, path: str, params: list[Pair], body: bytes, now: float | None
) -> None:
    diagnosis = diagnose(OWNER, method, path, params, body, now=now, others=[OTHER])
    told = str(diagnosis)
    assert told
    assert not diagnosis.valid
    proves(diagnosis, params)


def proves(diagnosis: Diagnosis, params: list[Pair]) -> None:
    """Hold each finding to its proof: what it reproduces is what was received."""
    received = {key.lower(): value for key, value in params}
    for finding in diagnosis.findings:
        axes = {mistake.axis for mistake in finding.mistakes}
        only_digest = axes == {"digest"} and finding.reproduced == received["body_md5"]
        if not only_digest:
            assert finding.reproduced == received["auth_signature"]
        if not axes & {"secret", "mac", "encoding"}:  # made with the secret, as it should be
            signature = hmac_sha256(OWNER.secret, finding.canonical_string)
            assert signature == received["auth_signature"]


def _hashed(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# Ways to sign wrongly, written down a second time: what is signed instead of each part.
WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "path": lambda made: {"path": made["path"] + "/"},
    "method": lambda made: {"method": "PUT"},
    "timestamp": lambda made: {"auth_timestamp": str(NOW + 1)},
    "digest": lambda made: {"body_md5": _hashed(json.dumps(made["value"], indent=2))},
    "newline": lambda made: {"newline": "\r\n"},
    "encoded": lambda made: {"info": quote(made["info"], safe="")},
    "secret": lambda made: {"secret": OWNER.secret + "\n"},
    "key": lambda made: {"secret": OWNER.key},
    "other app": lambda made: {"secret": OTHER.secret},
}


@examples(0.5)
@given(st.dictionaries(TEXT, TEXT, min_size=1), TEXT, st.sampled_from(sorted(WRONG)))
def test_what_the_doctor_names_it_proves(value: dict[str, str], info: str, wrong: str) -> None:
    body = json.dumps(value)
    sent = {
        "auth_key": OWNER.key,
        "auth_timestamp": str(NOW),
        "auth_version": "1.0",
        "body_md5": _hashed(body),
        "info": info,
    }
    right = {"method": "POST", "path": "/apps/3/events", "newline": "\n", "secret": OWNER.secret}
    signed = right | sent
    signed |= WRONG[wrong](signed | {"value": value})
    query = "&".join(f"{name}={signed[name]}" for name in sorted(sent))
    text = signed["newline"].join([signed["method"], signed["path"], query])
    signature = hmac.new(signed["secret"].encode(), text.encode(), "sha256").hexdigest()
    params = [*sent.items(), ("auth_signature", signature)]
    diagnosis = diagnose(OWNER, "POST", right["path"], params, body.encode(), others=[OTHER])
    assert diagnosis.valid == (signed | right == signed and signed | sent == signed)
    assert diagnosis.valid or diagnosis.findings
    proves(diagnosis, params)


# --- what is pasted -------------------------------------------------------------------------------

_SECONDS = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str) | ANY_TEXT
_BACKSLASHES = st.text("\\", max_size=5)
REFUSALS = st.one_of(
    ANY_TEXT,
    st.builds(
        "Given timestamp ({}) not within {}s of server time ({})".format,
        _SECONDS,
        st.integers(0, 10**5),
        _SECONDS,
    ),
    st.builds(
        'sent HmacSHA256Hex({0}"POST{0}{1}{0}n{2}{3}{0}", your_secret_key), but'.format,
        _BACKSLASHES,
        st.sampled_from(["n", "\n", "x"]),
        ANY_TEXT,
        _BACKSLASHES,
    ),
    st.builds("{}{}{}".format, ANY_TEXT, st.sampled_from(["Unknown auth_key", "App key "]), TEXT),
)


@given(REFUSALS, st.none() | ANY_TEXT)
def test_any_refusal_can_be_read(text: str, canonical_string: str | None) -> None:
    diagnosis = diagnose_refusal(text, canonical_string=canonical_string)
    assert not diagnosis.valid
    assert diagnosis.findings == ()
    assert all(diagnosis.notes)
    assert str(diagnosis)


_WORDS = st.sampled_from(
    [
        *("-X", "-d", "-G", "--url", "--data-binary", "--json", "-H", "-sS", "-o", "-"),
        *("POST", "'", '"', "$'", "\\", "\\\n", "$'\\x00'", "$'\\ud800'", "$SECRET", "@file"),
        *("http://h/p?a=1", "http://[", "http://h:x/", "http://h/?%ff", "//", "é", "'{}'"),
    ]
)
COMMANDS = st.lists(_WORDS | ANY_TEXT).map(lambda words: " ".join(["curl", *words]))
_HEADS = st.sampled_from(
    [
        *("Host: h", "Host: [", "Host", "content-length: 1", "Content-Length: ²", ":", ""),
        *("Content-Length: -1", "Content-Length: " + "9" * 5_000),
    ]
)
PLAIN = st.lists(_HEADS | ANY_TEXT).map(
    lambda lines: "\r\n".join(["POST /p?a=%20 HTTP/1.1", *lines])
)


def _missing(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file", name)


@given(COMMANDS | PLAIN | ANY_TEXT, st.sampled_from([None, str.encode, _missing]))
def test_whatever_is_pasted_is_read_or_refused(text: str, read_file: Any) -> None:
    try:
        pasted = read(text, read_file=read_file)
    except PusherError:
        return
    for each in pasted.requests:
        request = each.request
        diagnose(OWNER, request.method, request.path, request.params, request.body)


# --- twin and widget ------------------------------------------------------------------------------


class Reader(HTMLParser):
    """What a browser shows of a View: its title, its status, and the rows of its tables."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.rows: list[tuple[str, str]] = []
        self.strong: list[str] = []
        self._open: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("mark", "img", "col"):  # a mark is a part of its value
            self._open.append(tag)
            self._first = True
        if tag == "tr":
            self.rows.append(("", ""))
        if tag == "strong" or ("class", "pk-status") in attrs or "pk-status" in str(attrs):
            self.strong.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag != "mark":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1] == "pre" and self._first:
            data = data.removeprefix("\n")  # HTML standard, 13.2.6.4.7: right after <pre>
        self._first = False
        if "tr" in self._open and self._open[-1] not in ("small", "span", "button"):
            name, value = self.rows[-1]
            self.rows[-1] = (name + data, value) if "th" in self._open else (name, value + data)
        elif self._open[-1] in ("strong", "p") and self.strong:
            self.strong[-1] += data


def rows_of(view: View) -> list[tuple[str, str]]:
    facts = [*view.facts, *view.details, *([Fact("Code", view.code)] if view.code else [])]
    return [(fact.name, fact.value) for fact in facts]


VIEWS = st.builds(
    View,
    TEXT,
    st.lists(st.builds(Fact, TEXT, TEXT, TEXT), max_size=4).map(tuple),
    TEXT,
    st.none() | st.booleans(),
)


@given(VIEWS)
@example(View("", (Fact("a", "\n"),)))
@example(View("t", (Fact("a", "x", kind="prose"), Fact("b", "\n\n", kind="code")), "s", True))
def test_live_still_and_text_show_the_same_of_a_view(view: View) -> None:
    live, still = Reader(to_html(view)), Reader(to_static(view))
    assert live.rows == still.rows == rows_of(view)
    assert live.strong == ([view.verdict] if view.status else [])
    assert still.strong == [
        said for said in (view.title, view.verdict if view.status else "") if said
    ]
    text = to_text(view)
    for name, value in rows_of(view):
        assert name.rstrip() in text
        assert all(line.rstrip() in text for line in value.split("\n"))


TYPED = {
    f"{lesson.name} {make} {name}": (lesson.explorers[make], name)
    for lesson in lessons()
    for make in lesson.explorers
    for name, control in getattr(lesson.explorers[make](), "controls", {}).items()
    if "<textarea" in control.draw(name, "") or 'type="text"' in control.draw(name, "")
}


@pytest.mark.parametrize("where", TYPED)
def test_widget_and_view_agree_whatever_is_typed_and_the_twin_stays(where: str) -> None:
    make, field = TYPED[where]
    made = make()
    twin = made._repr_mimebundle_()["text/plain"]

    @examples(0.3)
    @given(TEXT | EVENTS.map(event_body).map(bytes.decode))
    @example('\n{"name":"n","channel":"chat","data":"\\n"}')
    def agree(typed: str) -> None:
        made.set(**{field: typed})
        assert Reader(made.stage.html).rows == rows_of(made.view)
        assert made.stage.html == to_html(made.view)

    agree()
    assert made._repr_mimebundle_()["text/plain"] == twin


def test_there_is_much_to_type_into() -> None:
    assert len(TYPED) >= 8
