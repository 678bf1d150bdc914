"""Reading a refusal without the secret: Pusher's wording in every wrapping, and terser ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from pusherkit import (
    AuthenticationError,
    Credentials,
    Event,
    authenticate_user,
    authorize_channel,
    canonical_string,
    decrypt,
    diagnose_refusal,
    encrypt,
    sign,
    verify,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit.doctor.refusals import UNRECOGNISED, what_is_left
from pusherkit.events import batch_body, to_json
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Sandbox
from pusherkit.sandbox.channels import Channels
from pusherkit.sandbox.visitors import Visitors
from pusherkit.signing import Request, hmac_sha256

Pair = tuple[str, str]

SERVERS = "POST\n/apps/3/events\nauth_key=key&auth_timestamp=1353088179&auth_version=1.0&body_md5=x"
# As a Ruby server prints it: newlines and quotes escaped.
PUSHERS = (
    'Invalid signature: you should have sent HmacSHA256Hex("'
    + SERVERS.replace("\n", "\\n")
    + '", your_secret_key), but you sent "e2abd7"'
)
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "with a newline": lambda text: text + "\n",
    "after a status": lambda text: f"401: {text}",
    "in JSON": lambda text: json.dumps({"error": text}),
    "in JSON in JSON": lambda text: json.dumps({"body": json.dumps({"error": text})}),
    "in a Python repr": lambda text: repr({"error": text}),
}
wrapped = pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())


def said(text: str, yours: str | None = None) -> str:
    diagnosis = diagnose_refusal(text, canonical_string=yours)
    assert not diagnosis.valid
    assert not diagnosis.findings, "without the secret nothing is proven"
    return "\n".join(diagnosis.notes)


@wrapped
def test_equal_strings_leave_the_secret_and_the_hmac(wrap: Callable[[str], str]) -> None:
    answer = said(wrap(PUSHERS), SERVERS)
    assert answer.startswith("Both sides signed the same canonical string. What is left is the sec")


@wrapped
def test_without_yours_the_servers_is_shown(wrap: Callable[[str], str]) -> None:
    assert SERVERS in said(wrap(PUSHERS))


@pytest.mark.parametrize(
    ("change", "byte", "rule"),
    [
        (("POST", "post"), 0, "the method"),
        (("POST", "GET"), 0, "the method"),
        (("/apps/3", "/apps/4"), 11, "the path"),
        (("/apps/3/events", "/apps/3/events/"), 19, "the path"),
        (("\n", "\\n"), 4, "the newlines"),
        (("\n", "\r\n"), 4, "the newlines"),
        (("1353088179", "1353088180"), 56, "the parameters, at auth_timestamp"),
        (("auth_key=key", "auth_key=kez"), 31, "the parameters, at auth_key"),
        (("&body_md5=x", ""), 75, "the parameters, at auth_version"),
        (("auth_key=key&", ""), 25, "the parameters, at auth_key"),
    ],
)
def test_the_first_difference_is_named_with_its_rule(
    change: tuple[str, str], byte: int, rule: str
) -> None:
    answer = said(PUSHERS, SERVERS.replace(*change))
    assert f"differ from byte {byte} on" in answer
    assert f"Look at {rule}" in answer


def test_bytes_are_counted_not_characters() -> None:
    servers = "GET\n/a\nb=☕é&c=1"
    text = f'HmacSHA256Hex("{servers}", your_secret_key)'
    assert "from byte 17 on: you have 0x32 '2', the server has 0x31 '1'" in said(
        text, "GET\n/a\nb=☕é&c=2"
    )


@pytest.mark.parametrize(
    ("given", "server", "expected"),
    [
        ("2013-09-29T08:46:33Z", "2013-09-29T08:36:32Z", "601 s ahead of the server's"),
        ("2013-09-29T08:00:00Z", "2013-09-29T08:36:32Z", "2192 s behind the server's"),
        ("2013-09-29T08:46:33Z", "2013-09-29T05:46:32Z", "local time taken for UTC?"),
        ("never", "now", "yours said never, the server's now"),
        ("not a date", "2013-09-29T08:36:32Z", "it's in milliseconds, or finer"),
        ("44846-10-03T09:39:41Z", "2013-09-29T08:36:32Z", "it's in milliseconds, or finer"),
        (
            "1970-01-01T00:00:42Z",
            "2013-09-29T08:36:32Z",
            "No clock says 1970: seconds since",
        ),
        ("2012-11-16T17:49:39Z", "2013-09-29T08:36:32Z", "or a sample copied"),
        ("2013-09-29T08:36:40Z", "2013-09-28T17:36:32Z", "local time taken for UTC?"),
    ],
)
def test_the_clocks_are_compared(given: str, server: str, expected: str) -> None:
    text = f"Timestamp expired: Given timestamp ({given}) not within 600s of server time ({server})"
    assert expected in said(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"error":"The secret authentication failed","code":401}',
            "isn't what the server computed",
        ),
        ("Authentication signature invalid.", "isn't what the server computed"),
        ('{"error":"Authentication error"}', "isn't what the server computed"),
        ('{"error":"Invalid API signature","code":"auth_failed","status":401}', "isn't what"),
    ],
)
def test_a_server_that_only_says_no_sends_you_to_one_that_explains(
    text: str, expected: str
) -> None:
    answer = said(text)
    assert expected in answer
    assert "pusherkit sandbox" in answer, "and where more is said"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unknown auth_key", "doesn't know this app key"),
        ("App key abc not in this cluster. Did you forget to specify the cluster?", "cluster"),
        ("Authenticated app does not match the app in the path", "another app than the id"),
        ('{"error":"body_md5 mismatch"}', "Serialise once"),
        ("body_md5 is required", "body_md5 is missing"),
        ("Timestamp expired or too far in the future", "over 600 s from the server's clock"),
        ("auth_timestamp is missing", "auth_timestamp is missing. Add it"),
        ("Timestamp required", "is missing, or it isn't a whole number"),
        ("Missing parameter: auth_key", "is missing from the query"),
        ("Version required", "it must be 1.0"),
    ],
)
def test_a_server_that_names_the_rule_is_told_so(text: str, expected: str) -> None:
    answer = said(text)
    assert expected in answer
    assert "pusherkit sandbox" not in answer


@pytest.mark.parametrize(
    "text",
    [
        *("", "huh", "☕" * 1000, "{}", "\x00\\" * 500, "hostname: abc", "channels: none"),
        *(
            'HmacSHA256Hex("',
            'HmacSHA256Hex(x", your_secret_key)',
            'HmacSHA256Hex(", your_secret_key)',
        ),
        'your_secret_key) HmacSHA256Hex("x"',
    ],
)
def test_what_isnt_recognised_is_said(text: str) -> None:
    assert said(text).startswith("I don't recognise this message.")


def test_a_lone_backslash_ends_the_unescaping() -> None:
    assert "The server signed:" in said('HmacSHA256Hex("a\\", your_secret_key)')


def test_half_a_surrogate_pair_can_be_compared() -> None:
    assert "differ from byte 0" in said(PUSHERS, "\ud800")


def test_the_practice_servers_refusal_can_be_read() -> None:
    wrong = Credentials(app_id="6855671", key="practice-key", secret="another")
    path = "/apps/6855671/channels"
    signature = sign(wrong, "GET", path, {"info": 'a"b\\c'}, timestamp=1353088179)
    query = (
        "&".join(f"{k}={v}" for k, v in signature.query).replace('"', "%22").replace("\\", "%5C")
    )
    reply = Sandbox(PRACTICE_CREDENTIALS).handle(
        RawRequest(method="GET", target=f"{path}?{query}".encode()), now=1353088179
    )
    assert canonical_string("GET", path, signature.params) == signature.canonical_string
    answer = said(reply.body.decode(), signature.canonical_string)
    assert answer.startswith("Both sides signed the same canonical string.")


# --- what others say ----------------------------------------------------------------------------
#
# The sentences of other servers and of libraries, as their sources and public reports have them.

SERVERS_KEY, SOCKETS_KEY = "doesn't know this app key", "doesn't know the app key in the URL"
NO_APP, NO_NAME = "an app that this server doesn't have", "An event needs a name"
NO_FIELD, NO_CHANNEL_NAME = "A field is missing", "isn't a channel's name"
THEIRS: dict[str, list[str]] = {
    SERVERS_KEY: [
        "Pusher::Error: Bad request: Unknown auth_key",
        "Application key not found or invalid: Invalid app key",
        "Could not find app key `k`.",
    ],
    SOCKETS_KEY: [
        '{"data":"{\\"code\\":4001,\\"message\\":\\"Application does not exist\\"}"}',
        '{"event":"pusher:error","data":{"code":4001,"message":"App key k does not exist."}}',
    ],
    "belongs to another cluster": [
        "App key k not in this cluster. Did you forget to specify the cluster?",
        "Did you forget to specify the cluster when creating the Pusher instance?  App key k does "
        "not exist in this cluster.",
    ],
    "to another cluster, or the cluster isn't set": [
        "Could not find app by key 278d. Perhaps you're connecting to the wrong cluster."
    ],
    "The client's app key isn't set": [
        "App key undefined does not exist in this cluster.",
        "Could not find app by key API_KEY. Perhaps you're connecting to the wrong cluster.",
    ],
    "the form of an app id": ["App key 914447 not in this cluster. Did you forget to specify"],
    "No auth came with it": ["Auth info required to subscribe to private-events"],
    "nothing that asks your server": [
        "Cannot subscribe to a private or presence channel because no Authorizer has been set."
    ],
    NO_APP: [
        "Pusher error: No matching application for ID [my-app].",
        '{"error":"The app 3 could not be found.","code":404}',
        '{"error":"Unknown app id `3` provided."}',
        "Application ID not provided.",
    ],
    "is of another app than the id in the path": [
        '{"error":"Authenticated app does not match route app_id","status":401}',
        "Token validated, but invalid for app 3",
    ],
    "No query arrived": ['{"error":"Missing authentication query parameters","status":400}'],
    "auth_timestamp is missing. Add": ['{"error":"auth_timestamp is missing","status":401}'],
    "isn't a whole number of Unix seconds. Send digits": ["Invalid auth_timestamp format"],
    "over 600 s from the server's clock": ["Timestamp expired or too far in the future"],
    "isn't the body that was hashed": ["body_md5 mismatch"],
    "body_md5 is missing": [
        "body_md5 is required and must be non-empty in query parameters for POST requests"
    ],
    "request that has no body": ["body_md5 must not be present in query parameters for GET"],
    "auth_version must be there": ["Version required", "Version not supported"],
    NO_NAME: [
        "body: 'Expected name parameter to be a string\\n'",
        '{"name":["The name field is required."]}',
        '{"error":"Event name is required"}',
    ],
    NO_FIELD: [
        "Missing required parameter: data",
        '{"error":"Event must have channel(s), name, and data"}',
        '{"error":"The received data is incorrect","code":400}',
        "Request must contain 'channels' (list) or 'channel' (string)",
    ],
    "data must be a string": ['{"data":["The data field must be a string."]}'],
    NO_CHANNEL_NAME: [
        "Bad request: Invalid channel name",
        "Pusher\\PusherException: Invalid channel name a b",
        "ValueError: Invalid Channel: a b",
        "Channel name contains invalid characters: a b",
        "The channel name is longer than the allowed 200 characters.",
    ],
    "A socket_id is what the server gave": ["Invalid socket ID 123", "Invalid socket_id: x"],
    "the auth of a channel doesn't fit": [
        '{"event":"pusher:subscription_error","data":{"type":"AuthError","status":401}}',
    ],
    "signed with the app's secret, over socket_id:channel": [
        '{"event":"pusher:error","data":{"code":4009,"message":"Connection is unauthorized"}}',
        "The connection is unauthorized.",
    ],
    "sign its user in": ["Connection not authorized within timeout (4009)"],
    "Signing in needs auth and user_data": [
        "Connection not authorized.",
        'The returned user data must contain the "id" field.',
    ],
    "isn't among those that the server allows": [
        "Origin not allowed",
        "The origin is not allowed for `k`.",
    ],
    "Send it as KEY:SIGNATURE": [
        "Auth value for subscription to private-a is invalid: should be of format 'key:signature'",
        "Invalid format: auth must have the format key:signature",
    ],
    "encoded twice": ["Invalid key in subscription auth data: '{\"auth\"'"],
    "with a placeholder": ["Invalid key in subscription auth data: 'INSERT_YOUR_KEY_HERE'"],
    "Your own endpoint refused": [
        "Unable to retrieve auth string from channel-authorization endpoint - received status: 403",
        "AuthError: Unable to retrieve auth string from user-authentication endpoint - received",
        "Could not get channel-authorization info from your auth endpoint, status: 500",
    ],
    "isn't JSON, so it holds no auth": [
        "JSON returned from channel-authorization endpoint was invalid, yet status code was 200."
    ],
    "needs channel_data": [
        "Invalid auth response for channel 'presence-a', expected 'channel_data' field.",
        "Missing user_id in channel_data",
    ],
    "doesn't fit its body": ["Received WebHook with invalid signature: got x."],
    "is disabled": ["The app is not enabled.", "Application disabled"],
    "takes TLS only": ["Application only accepts SSL connections, reconnect using wss://"],
    "The rate limit was reached": [
        '{"error":"Too many requests.","code":429}',
        "Rate limit exceeded",
        "The rate limit for sending client events exceeded the quota.",
    ],
    "Client events are off": [
        "To send client events, you must enable this feature in the Settings page",
        "The app does not have client messaging enabled.",
    ],
    "The server is full": [
        "Over capacity",
        '{"event":"pusher:subscription_error","channel":"presence-a","data":{"type":"LimitReached",'
        '"error":"The maximum members per presence channel limit was reached","status":4004}}',
    ],
    "subscribed to the channel already": ["Existing subscription to channel chat"],
}


@pytest.mark.parametrize(
    ("meaning", "text"), [(meaning, text) for meaning, texts in THEIRS.items() for text in texts]
)
def test_what_others_say_is_known_for_what_it_is(meaning: str, text: str) -> None:
    assert meaning in said(text)
    assert meaning in said(json.dumps({"message": text})), "in JSON as well"


@pytest.mark.parametrize(
    "text",
    [
        '{"error":"Invalid auth signature provided."}',
        '{"error":"The secret authentication failed","code":401}',
        "BroadcastException: Pusher error: Authentication signature invalid.. in a.php:164",
    ],
)
def test_what_a_server_doesnt_check_isnt_blamed(text: str) -> None:
    answer = said(text)
    assert "checks the signature alone" in answer
    assert "a proxy on the way" in answer


@pytest.mark.parametrize(
    "text", ["Unexpected status code 401", "Pusher error: 401.", '{"error":"Unauthorized"}']
)
def test_a_bare_401_says_no(text: str) -> None:
    assert "isn't what the server computed" in said(text)


@pytest.mark.parametrize("status", [400, 403, 422, 429])
@pytest.mark.parametrize(
    "form", ["Unexpected status code {}", "Status Code: {} - ", "HTTP/1.1 {} x"]
)
def test_a_bare_status_says_where_the_reason_is(form: str, status: int) -> None:
    answer = said(form.format(status))
    assert str(status) in answer
    assert "in the answer's body" in answer


@pytest.mark.parametrize("code", [4001, 4003, 4004, 4007, 4009, 4100, 4201, 4301])
@pytest.mark.parametrize(
    "form",
    ["Connection closed with code {}", '{{"code":{},"message":"x"}}', "x ({})", "[code] => {}"],
)
def test_a_code_is_known_where_no_sentence_is(form: str, code: int) -> None:
    assert UNRECOGNISED not in said(form.format(code))


# --- with the secret ------------------------------------------------------------------------------

THREE = Credentials(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
SIGNED = (
    f"POST\n/apps/3/events\nauth_key={THREE.key}&auth_timestamp=1353088179&auth_version=1.0"
    "&body_md5=ec365a775a4cd0599faeb73354201b6f"
)


def pushers(string: str, sent: str) -> str:
    written = string.replace("\n", "\\n")
    return (
        f'Invalid signature: you should have sent HmacSHA256Hex("{written}", your_secret_key), '
        f'but you sent "{sent}"'
    )


@pytest.mark.parametrize(
    ("secret", "text", "mistake"),
    [
        (f'"{THREE.secret}"', SIGNED, "secret-in-quotes"),
        (THREE.key, SIGNED, "app-key-as-secret"),
        (
            THREE.secret,
            SIGNED.replace("/apps/3/events\n", "/apps/3/events?"),
            "question-mark-for-newline",
        ),
        (THREE.secret, SIGNED.replace("POST", "post"), "method-in-lower-case"),
        (THREE.secret, SIGNED.replace("1353088179", "1353088179000"), "timestamp-in-milliseconds"),
    ],
)
def test_the_text_of_a_refusal_is_enough_to_prove_it(secret: str, text: str, mistake: str) -> None:
    diagnosis = diagnose_refusal(pushers(SIGNED, hmac_sha256(secret, text)), THREE)
    assert [found.mistakes[0].name for found in diagnosis.findings] == [mistake]
    assert not diagnosis.unexplained


def test_no_known_mistake_is_said_with_what_the_text_lacks() -> None:
    diagnosis = diagnose_refusal(pushers(SIGNED, "0" * 64), THREE)
    assert not diagnosis.findings
    assert "doesn't hold the body" in diagnosis.unexplained


def test_a_text_without_a_timestamp_is_judged_all_the_same() -> None:
    string = re.sub("&auth_timestamp=[0-9]+", "", SIGNED)
    diagnosis = diagnose_refusal(pushers(string, hmac_sha256(THREE.secret, string)), THREE)
    assert "Missing parameter: auth_timestamp" in str(diagnosis)


def test_a_right_signature_blames_the_server_s_secret() -> None:
    diagnosis = diagnose_refusal(pushers(SIGNED, hmac_sha256(THREE.secret, SIGNED)), THREE)
    assert not diagnosis.valid
    assert not diagnosis.findings
    assert "the server that refused it has another secret" in diagnosis.notes[-1]


def test_the_secret_is_hidden_where_a_refusal_repeats_it() -> None:
    swapped = SIGNED.replace(THREE.key, THREE.secret)
    diagnosis = diagnose_refusal(pushers(swapped, hmac_sha256(THREE.key, swapped)), THREE)
    assert "swapped" in str(diagnosis)
    assert THREE.secret not in str(diagnosis)


@pytest.mark.parametrize(
    ("signed", "received", "expected"),
    [
        ("1234.1234:private-foobar", '{"auth":"k:00"}', "encoded twice"),
        ("1234.1234:private-foobar", "eyJhdXRoIjoiIn0=", "base64"),
        ("1234.1234:private-foobar", "0" * 64, "this connection's own"),
        ("1234.1234:private-foobar", "Some(00)", "nothing around it"),
        ("1234.1234:presence-a", "0" * 64, "No channel_data arrived"),
        ('1234.1234:presence-a:{"user_id":7}', "0" * 64, "it's signed as well"),
        ('1234.1234::user::{"id":"7"}', "0" * 64, "socket_id::user::user_data"),
    ],
)
def test_a_subscription_s_refusal_shows_something_without_the_secret(
    signed: str, received: str, expected: str
) -> None:
    answer = said(
        f"Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {received}"
    )
    assert signed in answer
    assert expected in answer


@pytest.mark.parametrize(
    ("text", "mistake"),
    [("1234.1234:foobar", "prefix"), ("1234.1234:private-foobar", "")],
)
def test_a_subscription_s_refusal_is_proven_with_the_secret(text: str, mistake: str) -> None:
    sent = hmac_sha256(THREE.secret, text)
    diagnosis = diagnose_refusal(
        "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, but got "
        + sent,
        THREE,
    )
    if mistake:
        assert mistake in diagnosis.findings[0].mistakes[0].name
    else:
        assert "has another secret" in diagnosis.notes[-1]


# --- what is left where the signature is right ----------------------------------------------------

REQUEST = Request("POST", "/apps/3/events", {"auth_timestamp": str(1_353_088_179)})


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (30, "30 seconds old, within the 600 s allowed"),
        (1_300, "22 minutes old. A server takes"),
        (-7_200, "2 hours ahead of this machine's clock"),
        (14 * 31_557_600, "14 years old"),
    ],
)
def test_what_is_left_says_how_old_the_request_is(age: int, expected: str) -> None:
    first, *_ = what_is_left(REQUEST, now=1_353_088_179 + age)
    assert expected in first
    assert "2012-11-16 17:49:39 UTC" in first


def test_a_time_in_the_far_future_has_a_date_everywhere() -> None:
    first, *_ = what_is_left(Request("POST", "/", {"auth_timestamp": "9" * 11}), now=1_353_088_179)
    assert "5138-11-16 09:46:39 UTC" in first


def test_what_is_left_names_proxy_host_clock_and_settings() -> None:
    left = "\n".join(what_is_left(REQUEST, base_url="https://api-eu.pusher.com"))
    for what in ("A proxy", "https://api-eu.pusher.com", "The clocks", "own settings"):
        assert what in left
    left = "\n".join(what_is_left(REQUEST, refusal="Authentication signature invalid."))
    assert "Not the clock" in left


# --- every sentence of our own ------------------------------------------------------------------
#
# Each is made by really asking: the practice server in this process, and the functions that verify.

APP = PRACTICE_CREDENTIALS
APP_WITH_MASTER_KEY = replace(APP, encryption_master_key_base64="A" * 43 + "=")
NOW = 1_353_088_179
EVENT = {"name": "n", "channel": "c", "data": "d"}
EVENTS, BATCH = "/apps/6855671/events", "/apps/6855671/batch_events"
CHANNELS = "/apps/6855671/channels"


def asked(
    body: object = EVENT,
    path: str = EVENTS,
    method: str = "POST",
    *,
    own: dict[str, str] | None = None,
    change: Callable[[list[Pair]], list[Pair]] = lambda pairs: pairs,
    spoil: bytes = b"",
    now: int = NOW,
    query: str | None = None,
    sandbox: Sandbox | None = None,
) -> str:
    """What the practice server answers to a request, signed right and then changed."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    signed = sign(APP, method, path, own or {}, data, timestamp=NOW).query
    target = f"{path}?{urlencode(change(list(signed)))}" if query is None else f"{path}?{query}"
    raw = RawRequest(method=method, target=target.encode("latin-1"), body=data + spoil)
    reply = (sandbox or Sandbox(APP)).handle(raw, now=now)
    assert reply.status >= 400
    return reply.body.decode()


def without(name: str) -> dict[str, Any]:
    return {"change": lambda pairs: [pair for pair in pairs if pair[0] != name]}


def with_value(name: str, value: str) -> dict[str, Any]:
    return {"change": lambda pairs: [(k, value if k == name else v) for k, v in pairs]}


def twice(name: str) -> dict[str, Any]:
    return {"change": lambda pairs: [*pairs, (name, dict(pairs)[name])]}


def event(**changed: object) -> dict[str, object]:
    return {k: v for k, v in (EVENT | changed).items() if v is not None}


def busy() -> Sandbox:
    """A server whose rate limit is used up."""
    sandbox = Sandbox(APP, rate=1)
    signed = sign(APP, "GET", CHANNELS, timestamp=NOW).query
    raw = RawRequest(method="GET", target=f"{CHANNELS}?{urlencode(signed)}".encode())
    assert sandbox.handle(raw, now=NOW).status == 200
    return sandbox


def raised(call: Callable[[], object]) -> str:
    with pytest.raises((AuthenticationError, ValueError)) as caught:
        call()
    return str(caught.value)


class Socket:
    """A connection to the practice server's channels, and the errors that it is sent."""

    def __init__(
        self,
        key: str = APP.key,
        protocol: str | None = "7",
        version: str | None = None,
        others: int = 0,
    ) -> None:
        self.sent: list[str] = []
        self.closed = ""  # in words
        self.channels = Channels(APP)
        for _ in range(others):
            self.channels.open(lambda text: None, lambda *_: None, key=APP.key, protocol="7", now=0)
        self.connection = self.channels.open(
            self.sent.append, self._hang_up, key=key, protocol=protocol, version=version, now=0
        )

    def _hang_up(self, code: int, reason: str) -> None:
        self.closed = f"{code} {reason}"

    def says(self, *frames: object) -> str:
        """The last error after these frames."""
        for sent in frames:
            text = sent if isinstance(sent, str | bytes) else json.dumps(sent)
            assert self.connection is not None
            self.channels.receive(self.connection, text, now=0)
        errors = [text for text in self.sent if '"pusher:error"' in text]
        return errors[-1]

    def subscribes(self, channel: object, **data: object) -> str:
        return self.says({"event": "pusher:subscribe", "data": {"channel": channel, **data}})


def allowed(channel: str, data: object = None) -> dict[str, str]:
    return authorize_channel(APP_WITH_MASTER_KEY, "1.1", channel, data)


def signing_in(*user_data: str) -> str:
    """The last error after these sign-ins, each of them signed."""

    def frame(text: str) -> object:
        digest = hmac_sha256(APP.secret, f"1.1::user::{text}")
        auth = {"auth": f"{APP.key}:{digest}", "user_data": text}
        return {"event": "pusher:signin", "data": auth}

    return Socket().says(*map(frame, user_data))


def crowded() -> str:
    """A presence channel with all the members that it can have, and one more."""
    channels = Channels(APP)
    sent: list[str] = []
    for number in range(101):
        connection = channels.open(sent.append, lambda *_: None, key=APP.key, protocol="7", now=0)
        assert connection is not None
        data = authorize_channel(APP, connection.socket_id, "presence-a", {"user_id": number})
        frame = {"event": "pusher:subscribe", "data": {"channel": "presence-a", **data}}
        channels.receive(connection, json.dumps(frame), now=0)
    return sent[-1]


TYPING = {"event": "client-a", "channel": "private-a", "data": ""}
LONG = "n" * 201
OURS: dict[str, tuple[Callable[[], str], str]] = {  # how to make the sentence, and what it means
    "no key": (lambda: asked(**without("auth_key")), "missing from the query"),
    "no version": (lambda: asked(**without("auth_version")), "auth_version must be there"),
    "no time": (lambda: asked(**without("auth_timestamp")), "auth_timestamp is missing"),
    "no hash": (lambda: asked(**without("body_md5")), "body_md5 is missing"),
    "no signature": (lambda: asked(**without("auth_signature")), "missing from the query"),
    "two keys": (lambda: asked(**twice("auth_key")), "sent more than once"),
    "another key": (lambda: asked(**with_value("auth_key", "x")), "doesn't know this app key"),
    "another version": (lambda: asked(**with_value("auth_version", "2")), "it must be 1.0"),
    "a fraction": (lambda: asked(**with_value("auth_timestamp", "1.5")), "isn't a whole number"),
    "an old time": (lambda: asked(now=NOW + 601), "Your clock is 601 s behind"),
    "milliseconds": (
        lambda: asked(**with_value("auth_timestamp", f"{NOW}000")),
        "it's in milliseconds, or finer",
    ),
    "another body": (lambda: asked(spoil=b" "), "isn't the body that was hashed"),
    "another signature": (lambda: asked(**with_value("auth_signature", "0" * 64)), "server signed"),
    "another app": (lambda: asked(path="/apps/3/events"), "an app that this server doesn't have"),
    "another path": (lambda: asked(path="/apps/6855671/x"), "The server has no such path"),
    "another method": (lambda: asked(method="GET"), "The path is right, and the method isn't"),
    "no UTF-8": (lambda: asked(query="%ff"), "isn't UTF-8"),
    "many parameters": (lambda: asked(query="a=1&" * 101), "too many parameters"),
    "a large body": (lambda: asked(b"x" * 6_300_000), "It's too large"),
    "too fast": (lambda: asked(b"", CHANNELS, "GET", sandbox=busy()), "The rate limit was reached"),
    "info of an app": (lambda: asked(b"", CHANNELS, "GET", own={"info": "x"}), "info asks for"),
    "info twice": (
        lambda: asked(b"", CHANNELS, "GET", own={"info": "x"}, **twice("info")),
        "server signed",  # a repeated parameter is in the signed text, too
    ),
    "users of all": (
        lambda: asked(b"", CHANNELS, "GET", own={"info": "user_count"}),
        "user_count (of presence channels)",
    ),
    "users of one": (
        lambda: asked(b"", f"{CHANNELS}/a", "GET", own={"info": "user_count"}),
        "user_count (of presence channels)",
    ),
    "no cache": (
        lambda: asked(b"", f"{CHANNELS}/a", "GET", own={"info": "cache"}),
        "cache (of one cache channel)",
    ),
    "who is there": (lambda: asked(b"", f"{CHANNELS}/a/users", "GET"), "know their users"),
    "no body": (lambda: asked(b""), "must be one JSON object"),
    "no JSON": (lambda: asked(b"{"), "must be one JSON object"),
    "NaN": (lambda: asked(b'{"a": NaN}'), "must be one JSON object"),
    "deep JSON": (lambda: asked(b"[" * 100_000), "must be one JSON object"),
    "no object": (lambda: asked([1]), "must be one JSON object"),
    "a byte": (lambda: asked(b"\xff"), "isn't UTF-8"),
    "no name": (lambda: asked(event(name=None)), "An event needs a name, and it must be text"),
    "no data": (lambda: asked(event(data=None)), "A field is missing"),
    "no channel": (lambda: asked(event(channel=None)), "A field is missing"),
    "channel and channels": (lambda: asked(event(channels=["a"])), "in channel or in channels"),
    "no array": (lambda: asked(event(channel=None, channels="a")), "in channel or in channels"),
    "no channels": (lambda: asked(event(channel=None, channels=[])), "1 to 100 channels"),
    "an encrypted channel among others": (
        lambda: asked(event(channel=None, channels=["a", "private-encrypted-a"])),
        "goes to that channel alone",
    ),
    "no master key": (
        lambda: raised(lambda: authorize_channel(APP, "1.1", "private-encrypted-a")),
        "Encrypted channels need the encryption master key",
    ),
    "a master key that is none": (
        lambda: raised(lambda: replace(APP, encryption_master_key_base64="x")),
        "Encrypted channels need the encryption master key",
    ),
    "an event that isn't encrypted": (
        lambda: raised(lambda: decrypt(bytes(32), "{}")),
        "An encrypted event couldn't be opened",
    ),
    "an event of another key": (
        lambda: raised(lambda: decrypt(bytes(32), encrypt(b"1" * 32, ""))),
        "An encrypted event couldn't be opened",
    ),
    "101 channels": (lambda: asked(event(channel=None, channels=["a"] * 101)), "1 to 100 channels"),
    "a channel's type": (lambda: asked(event(channel=3)), "isn't a channel's name"),
    "a channel's length": (lambda: asked(event(channel=LONG)), "isn't a channel's name"),
    "a channel's letters": (lambda: asked(event(channel="a b")), "isn't a channel's name"),
    "a name's type": (lambda: asked(event(name=3)), "An event's name is text"),
    "a name's length": (lambda: asked(event(name=LONG)), "An event's name is text"),
    "a name of Pusher's": (lambda: asked(event(name="pusher:a")), "An event's name is text"),
    "half a character": (lambda: asked(b'{"name":"\\ud800","channel":"c","data":""}'), "UTF-8"),
    "an object as data": (lambda: asked(event(data={})), "data must be a string"),
    "large data": (lambda: asked(event(data="x" * 102_401)), "It's too large"),
    "a socket_id": (lambda: asked(event(socket_id="x")), "A socket_id is what the server gave"),
    "info's type": (lambda: asked(event(info=3)), "info asks for"),
    "info": (lambda: asked(event(info="x")), "info asks for"),
    "no batch": (lambda: asked({"a": 1}, BATCH), "A batch has 1 to 10 events"),
    "an empty batch": (lambda: asked({"batch": []}, BATCH), "A batch has 1 to 10 events"),
    "a batch of 11": (lambda: asked({"batch": [EVENT] * 11}, BATCH), "A batch has 1 to 10 events"),
    "a batch of numbers": (lambda: asked({"batch": [1]}, BATCH), "A batch has 1 to 10 events"),
    "in a batch": (lambda: asked({"batch": [event(data={})]}, BATCH), "data must be a string"),
    "channels in a batch": (
        lambda: asked({"batch": [event(channel=None, channels=["a"])]}, BATCH),
        "A field is missing",
    ),
    "two channels in a batch": (
        lambda: raised(lambda: batch_body([Event.of(["a", "b"], "n", "d")])),
        "A batch has 1 to 10 events",
    ),
    "channels that are one": (
        lambda: raised(lambda: Event(channels="a", name="n", data="d")),  # type: ignore[arg-type]
        "1 to 100 channels",
    ),
    "what JSON cannot say": (lambda: raised(lambda: to_json({1, 2})), "data must be a string"),
    "auth without a colon": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-a", "x")),
        "Send it as KEY:SIGNATURE",
    ),
    "auth of another app": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-a", "k:00")),
        "begins with the key of another app",
    ),
    "auth of another channel": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-b", **allowed("private-a"))),
        "exactly the text that this message quotes",
    ),
    "auth of another user": (
        lambda: raised(lambda: verify_user(APP, "1.1", f"{APP.key}:00", "{}")),
        "exactly the text that this message quotes",
    ),
    "a user's auth without a colon": (
        lambda: raised(lambda: verify_user(APP, "1.1", "x", "{}")),
        "Send it as KEY:SIGNATURE",
    ),
    "a user's auth of another app": (
        lambda: raised(lambda: verify_user(APP, "1.1", "k:00", "{}")),
        "begins with the key of another app",
    ),
    "a webhook's key": (
        lambda: raised(lambda: verify_webhook(APP, b"{}", key="k", signature="00")),
        "The webhook comes from another app",
    ),
    "a webhook's signature": (
        lambda: raised(lambda: verify_webhook(APP, b"{}", key=APP.key, signature="00")),
        "doesn't fit its body",
    ),
    "a webhook's header": (
        lambda: raised(lambda: verify_webhook(APP, b"{}", key=APP.key, signature=None)),
        "What proves who sent this is missing",
    ),
    "a webhook's text": (
        lambda: raised(lambda: verify_webhook(APP, "{}", key=APP.key, signature="00")),  # type: ignore[arg-type]
        "the raw bytes of its body",
    ),
    "no auth": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-a", None)),
        "What proves who sent this is missing",
    ),
    "bytes as auth": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-a", b"")),  # type: ignore[arg-type]
        "verify() got something else than what arrived",
    ),
    "a list of values": (
        lambda: raised(lambda: verify(APP, "GET", CHANNELS, {"auth_key": ["k"]}, now=NOW)),  # type: ignore[dict-item]
        "verify() got something else than what arrived",
    ),
    "no value": (
        lambda: raised(lambda: verify(APP, "GET", CHANNELS, {"auth_key": None}, now=NOW)),  # type: ignore[dict-item]
        "missing from the query",
    ),
    "no pairs": (
        lambda: raised(lambda: verify(APP, "GET", CHANNELS, "a=b", now=NOW)),  # type: ignore[arg-type]
        "verify() got something else than what arrived",
    ),
    "a decoded body": (
        lambda: raised(lambda: verify(APP, "GET", CHANNELS, {}, "{}", now=NOW)),  # type: ignore[arg-type]
        "verify() got something else than what arrived",
    ),
    "a path in bytes": (
        lambda: raised(lambda: verify(APP, "GET", b"/", {}, now=NOW)),  # type: ignore[arg-type]
        "verify() got something else than what arrived",
    ),
    "an odd channel": (
        lambda: raised(lambda: verify_channel(APP, "1.1", "private-a:{}", "k:00")),
        "isn't a channel's name",
    ),
    "an odd socket_id": (
        lambda: raised(lambda: verify_user(APP, "1", "k:00", "{}")),
        "A socket_id is what the server gave",
    ),
    "another host": (
        lambda: str(Visitors().objection("evil.example", None)),
        "for this machine's own names and pages",
    ),
    "another page": (
        lambda: str(Visitors().objection("localhost", "http://evil.example")),
        "for this machine's own names and pages",
    ),
    "a page without an origin": (
        lambda: str(Visitors().objection("localhost", "null")),
        "for this machine's own names and pages",
    ),
    "socket: another key": (lambda: Socket(key="x").closed, "doesn't know this app key"),
    "socket: no protocol": (lambda: Socket(protocol=None).closed, "needs a protocol version"),
    "socket: old protocol": (lambda: Socket(protocol="3").closed, "needs a protocol version"),
    "socket: odd version": (lambda: Socket(version="!").closed, "needs a protocol version"),
    "socket: bytes": (lambda: Socket().says(b"{}"), "isn't one that the server knows"),
    "socket: full": (lambda: Socket(others=10_000).closed, "The server is full"),
    "socket: no frame": (lambda: Socket().says("x"), "isn't one that the server knows"),
    "socket: a new event": (lambda: Socket().says({"event": "x"}), "isn't one that the server"),
    "socket: channel": (lambda: Socket().subscribes("a b"), "isn't a channel's name"),
    "socket: no auth": (lambda: Socket().subscribes("private-a"), "No auth came with it"),
    "socket: auth without a colon": (
        lambda: Socket().subscribes("private-a", auth="x"),
        "Send it as KEY:SIGNATURE",
    ),
    "socket: auth as an object": (
        lambda: Socket().subscribes("private-a", auth={"auth": "x"}),
        "Send it as KEY:SIGNATURE",
    ),
    "socket: auth in JSON": (
        lambda: Socket().subscribes("private-a", auth=f'{{"auth":"{APP.key}:00"}}'),
        "the endpoint's answer was encoded twice",
    ),
    "socket: twice": (
        lambda: Socket().says(*subscriptions(1), *subscriptions(1)),
        "subscribed to the channel already",
    ),
    "socket: leaving": (
        lambda: Socket().says({"event": "pusher:unsubscribe", "data": {"channel": "c0"}}),
        "there is nothing to leave",
    ),
    "socket: leaving nothing": (
        lambda: Socket().says({"event": "pusher:unsubscribe"}),
        "there is nothing to leave",
    ),
    "socket: bad auth": (
        lambda: Socket().subscribes("private-a", auth=f"{APP.key}:00"),
        "exactly the text that this message quotes",
    ),
    "socket: object": (
        lambda: Socket().subscribes("presence-a", auth="k:0", channel_data={}),
        "needs channel_data",
    ),
    "socket: no user": (
        lambda: Socket().subscribes("presence-a", **allowed("presence-a")),
        "needs channel_data",
    ),
    "socket: user_id": (
        lambda: Socket().subscribes("presence-a", **allowed("presence-a", "{}")),
        "needs channel_data",
    ),
    "socket: large user": (
        lambda: Socket().subscribes("presence-a", **allowed("presence-a", "x" * 10_241)),
        "It's too large",
    ),
    "socket: members": (crowded, "The server is full"),
    "socket: channels": (
        lambda: Socket().says(*subscriptions(1_001)),
        "The server is full",
    ),
    "socket: sign-in": (
        lambda: Socket().says({"event": "pusher:signin", "data": {}}),
        "Signing in needs auth and user_data",
    ),
    "socket: a sign-in without an id": (lambda: signing_in("{}"), "JSON text with an id"),
    "socket: a sign-in with a long id": (
        lambda: signing_in(json.dumps({"id": "x" * 129})),
        "JSON text with an id",
    ),
    "socket: a sign-in's watchlist": (
        lambda: signing_in('{"id":"7","watchlist":8}'),
        "JSON text with an id",
    ),
    "socket: a long watchlist": (
        lambda: signing_in(json.dumps({"id": "7", "watchlist": list("abcde") * 21})),
        "watchlist has over 100 users",
    ),
    "socket: a second user": (
        lambda: signing_in('{"id":"7"}', '{"id":"8"}'),
        "A connection is one user's",
    ),
    "socket: somebody's messages": (
        lambda: Socket().subscribes("#server-to-user-7"),
        "on which that user is signed in",
    ),
    "a user without an id": (
        lambda: raised(lambda: authenticate_user(APP, "1.1", {})),
        "JSON text with an id",
    ),
    "an event for nobody": (
        lambda: asked(event(channel="#server-to-user-")),
        "isn't a channel's name",
    ),
    "socket: client event": (lambda: Socket().says(TYPING), "Client events are for private"),
    "socket: public client event": (
        lambda: Socket().says(*subscriptions(1), TYPING | {"channel": "c0"}),
        "Client events are for private",
    ),
    "socket: client event, encrypted": (
        lambda: Socket().says(
            {
                "event": "pusher:subscribe",
                "data": {"channel": "private-encrypted-a", **allowed("private-encrypted-a")},
            },
            TYPING | {"channel": "private-encrypted-a"},
        ),
        "Client events don't go to encrypted channels",
    ),
    "socket: client events": (
        lambda: Socket().says(
            {
                "event": "pusher:subscribe",
                "data": {"channel": "private-a", **allowed("private-a")},
            },
            *[TYPING] * 11,
        ),
        "The rate limit was reached",
    ),
}


def subscriptions(count: int) -> list[object]:
    return [
        {"event": "pusher:subscribe", "data": {"channel": f"c{number}"}} for number in range(count)
    ]


@pytest.mark.parametrize("name", OURS)
def test_every_sentence_of_our_own_is_recognised_for_what_it_is(name: str) -> None:
    make, meaning = OURS[name]
    for wrap in (WRAPPINGS["as it is"], WRAPPINGS["in JSON in JSON"]):
        answer = said(wrap(make()))
        assert meaning in answer
        assert UNRECOGNISED not in answer


def test_the_three_faults_of_a_timestamp_are_three_things() -> None:
    answers = [said(OURS[name][0]()) for name in ("no time", "a fraction", "an old time")]
    assert len(set(answers)) == 3
    assert "is missing" in answers[0]
    assert not any("is missing" in answer for answer in answers[1:])


# --- growth -------------------------------------------------------------------------------------

FAMILIES: dict[str, Callable[[int], str]] = {
    "beginnings": lambda n: 'HmacSHA256Hex("' * (n // 15),
    "ends": lambda n: '", your_secret_key)' * (n // 19),
    "a long text": lambda n: f'HmacSHA256Hex("{"x" * n}", your_secret_key)',
    "backslashes": lambda n: f'HmacSHA256Hex("{chr(92) * n}", your_secret_key)',
    "backslashes before the quote": lambda n: "HmacSHA256Hex(" + "\\" * n + '", your_secret_key)',
    "escapes": lambda n: 'HmacSHA256Hex("' + "\\a" * (n // 2) + '", your_secret_key)',
    "clusters": lambda n: "App key " * (n // 8),
    "timestamps": lambda n: "Given timestamp (" * (n // 17),
    "a timestamp": lambda n: "Given timestamp (" + "x" * n,
    "two timestamps": lambda n: "Given timestamp (a) not within 6s of server time (" * (n // 50),
    "nothing": lambda n: "\0" * n,
    "letters": lambda n: "a" * n,
    "words": lambda n: "missing parameter timestamp " * (n // 28),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_grows_with_the_refusal_and_no_faster(
    family: str, growth: Callable[..., None]
) -> None:
    growth(
        lambda text: diagnose_refusal(text, canonical_string=SERVERS),
        FAMILIES[family],
        largest=1_000_000,
        least=100_000,
    )
