"""The servers that the practice server can play: each row of each table is met by a request.

Whether soketi's table is right, tests/compat/test_personalities.py asks a running soketi.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from pusherkit import Credentials, PusherError
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Sandbox, SandboxServer
from pusherkit.sandbox.api import matrix
from pusherkit.sandbox.personalities import (
    MAX_PUBLISHED,
    PERSONALITIES,
    PUSHER_CHANNEL_LENGTH,
    REVERB_REQUEST_BYTES,
    SOCKUDO_BATCH,
    Played,
    _size,
    acceptance,
    arrive,
    named,
    play,
    publishable,
    read_json,
)
from pusherkit.sandbox.personalities import NOT_JSON as NOT_JSON_AT_ALL
from pusherkit.signing import Request, body_digest, canonical_string, hmac_sha256, sign
from scripts import servers_page

NOW = 1_353_088_179  # seconds
APP = PRACTICE_CREDENTIALS
PATH = f"/apps/{APP.app_id}"
EVENTS, BATCH = f"{PATH}/events", f"{PATH}/batch_events"
ITEM = {"name": "message", "channel": "chat", "data": "{}"}
HELLO = json.dumps(ITEM).encode()
STRICT = "the practice server"


def signed(
    method: str = "POST",
    path: str = EVENTS,
    body: bytes = HELLO,
    params: Any = (),
    *,
    app: Credentials = APP,
    leave_out: tuple[str, ...] = (),
    **changes: str,
) -> Request:
    """A request whose parameters were changed, or left out, before it was signed."""
    body = body if method == "POST" else b""
    honest = dict(sign(app, method, path, params, body, timestamp=NOW).params)
    sent = {name: value for name, value in (honest | changes).items() if name not in leave_out}
    sent["auth_signature"] = hmac_sha256(app.secret, canonical_string(method, path, sent))
    return Request(method, path, sent, body)


def unsigned(request: Request, *more: tuple[str, str]) -> Request:
    """The same with parameters that nobody signed."""
    return Request(request.method, request.path, (*request.params, *more), request.body)


def event(**fields: object) -> Request:
    whole = (ITEM | {"channel": None} if "channels" in fields else ITEM) | fields
    kept = {name: value for name, value in whole.items() if value is not None}
    return signed(body=json.dumps(kept).encode())


def batch(*events: object) -> Request:
    return signed(path=BATCH, body=json.dumps({"batch": events}).encode())


def asked(path: str, **params: str) -> Request:
    return signed("GET", PATH + path, params=params)


def played(name: str, request: Request, *, rate: float = 9e9) -> Played:
    def wait(cost: int) -> float:
        return 0.0 if cost <= rate else 1.5

    return play(PERSONALITIES[name], arrive(APP, request, now=NOW, wait=wait))


OTHER_APP = replace(APP, app_id="404")
NO_PATH = signed(path=f"{PATH}/evens")
WRONG_METHOD = signed("GET", EVENTS)
FOREIGN = signed(path="/apps/404/events", app=OTHER_APP)
WRONG_SIGNATURE = Request(
    "POST", EVENTS, (*signed().params[:-1], ("auth_signature", "0" * 64)), HELLO
)
WRONG_KEY = signed(auth_key="nobodys")
OLD = signed(auth_timestamp=str(NOW - 601))
SOON = signed(auth_timestamp="soon")
TIMELESS = signed(leave_out=("auth_timestamp",))
VERSION_2 = signed(auth_version="2.0")
OTHER_BODY = Request("POST", EVENTS, signed().params, HELLO + b" ")
UNHASHED = signed(leave_out=("body_md5",))
NOT_JSON = signed(body=b"{not JSON")
NOT_PRESENCE = asked("/channels/chat/users")
COUNTS_IN_VAIN = asked("/channels", info="user_count")

# (server, what it refuses, the request, status, what the body has in it)
REFUSED: list[tuple[str, str, Request, int, str]] = [
    ("pusher", "no such path", NO_PATH, 404, "No such path."),
    ("pusher", "wrong method", WRONG_METHOD, 405, "This path takes POST."),
    ("pusher", "another app key, or none", WRONG_KEY, 400, "Unknown auth_key\n"),
    ("pusher", "unknown app", FOREIGN, 404, "Unknown app id\n"),
    ("pusher", "auth_version missing, or not 1.0", VERSION_2, 401, "Version not supported\n"),
    (
        "pusher",
        "timestamp over 600 s off, missing, or not a number",
        OLD,
        401,
        "Timestamp expired: ",
    ),
    (
        "pusher",
        "timestamp over 600 s off, missing, or not a number",
        TIMELESS,
        401,
        "auth_timestamp",
    ),
    (
        "pusher",
        "body_md5 that doesn't match the body, or missing",
        OTHER_BODY,
        401,
        "Invalid body_md5",
    ),
    ("pusher", "wrong signature", WRONG_SIGNATURE, 401, 'sent HmacSHA256Hex("POST\\n/apps/'),
    (
        "pusher",
        "name that isn't text",
        event(name=5),
        400,
        "Expected name parameter to be a string\n",
    ),
    ("pusher", "channel name that isn't valid", event(channel="a b"), 400, "Bad request: Inv"),
    (
        "pusher",
        "channel name that isn't valid",
        event(channel="c" * (PUSHER_CHANNEL_LENGTH + 1)),
        400,
        "Bad request: Invalid channel name",
    ),
    ("pusher", "data over 10 KB", event(data="x" * 10_241), 413, "(10240 bytes)"),
    (
        "pusher",
        "users of a channel that isn't a presence channel, or counts that don't exist",
        NOT_PRESENCE,
        400,
        "presence",
    ),
    (
        "pusher",  # of one channel alone
        "users of a channel that isn't a presence channel, or counts that don't exist",
        asked("/channels", filter_by_prefix="cache-", info="cache"),
        400,
        "",
    ),
    ("pusher", "a body that breaks another rule", event(data=None), 400, "data.\n"),
    ("pusher", "a body that breaks another rule", event(channel=5), 400, "channel"),
    ("pusher", "a body that breaks another rule", batch(*[ITEM] * 11), 400, "11 events"),
    ("pusher", "a body that breaks another rule", event(channels="chat"), 400, "channel"),
    ("soketi", "no such path, or a wrong method", NO_PATH, 404, ""),
    ("soketi", "no such path, or a wrong method", WRONG_METHOD, 404, ""),
    (
        "soketi",
        "unknown app",
        FOREIGN,
        200,
        '{"error":"The app 404 could not be found.","code":404}',
    ),
    (
        "soketi",
        "wrong signature",
        OTHER_BODY,
        200,
        '{"error":"The secret authentication failed","code":401}',
    ),
    ("soketi", "wrong signature", NOT_JSON, 200, '"code":401'),
    (
        "soketi",
        "wrong signature",
        unsigned(signed(), ("auth_signature", "1")),
        200,
        '"code":401',
    ),
    ("soketi", "a batch without `batch`, or null for an event", batch(None), 502, "stops here"),
    ("soketi", "a batch without `batch`, or null for an event", signed(body=b"null"), 502, ""),
    ("soketi", "over 10 events in a batch", batch(*[ITEM] * 11), 200, "more than 10 messages"),
    ("soketi", "name, data or channel missing or empty", event(name=""), 200, "is incorrect"),
    ("soketi", "name, data or channel missing or empty", batch(ITEM, 5), 200, '"code":400'),
    ("soketi", "over 100 channels", event(channels=["c"] * 101), 200, "more than 100 channels"),
    ("soketi", "event name over 200 characters", event(name="n" * 201), 200, "too long. Maximum"),
    ("soketi", "data over 100 KB", event(data="x" * 102_401), 200, '100 KB.","code":413}'),
    (
        "soketi",
        "users of a channel that isn't a presence channel",
        NOT_PRESENCE,
        200,
        "must be a presence",
    ),
    (
        "reverb",
        "a request over 10,000 bytes",
        event(data="x" * REVERB_REQUEST_BYTES),
        413,
        "Payload too large.",
    ),
    ("reverb", "no such path", NO_PATH, 404, "Not found."),
    ("reverb", "wrong method", WRONG_METHOD, 405, "Method not allowed."),
    ("reverb", "unknown app", FOREIGN, 404, "No matching application for ID [404]."),
    (
        "reverb",
        "wrong signature",
        WRONG_SIGNATURE,
        401,
        "Authentication signature invalid.",
    ),
    (
        "reverb",  # it leaves out the hash that the official Python client sends with a GET
        "wrong signature",
        signed("GET", f"{PATH}/channels", body_md5=body_digest(b"")),
        401,
        "Authentication signature invalid.",
    ),
    ("reverb", "a body that isn't a JSON object", NOT_JSON, 500, "Internal server error."),
    (
        "reverb",
        "a field missing, empty or of another type",
        event(name=None),
        422,
        '{"name":["The name field is required."]}',
    ),
    (
        "reverb",
        "a field missing, empty or of another type",
        event(channel=None, data={"an": "object"}, info=5),
        422,
        '{"data":["The data field must be a string."],"channels":["The channels field is required '
        'when channel is not present."],"channel":["The channel field is required when channels '
        'is not present."],"info":["The info field must be a string."]}',
    ),
    (
        "reverb",
        "a field missing, empty or of another type",
        event(channel=None, channels="chat"),
        422,
        '{"channels":["The channels field must be an array."]}',
    ),
    (
        "reverb",
        "a field missing, empty or of another type",
        signed(path=BATCH, body=b"{}"),
        422,
        '{"batch":["The batch field is required."]}',
    ),
    (
        "reverb",
        "a field missing, empty or of another type",
        signed(path=BATCH, body=b'{"batch": "one"}'),
        422,
        '{"batch":["The batch field must be an array."]}',
    ),
    (
        "reverb",
        "a field missing, empty or of another type",
        batch(ITEM, {"name": " ", "data": "{}", "channel": "chat"}, 5),
        422,
        '"batch.1.name":["The batch.1.name field is required."]',
    ),
    ("reverb", "a field missing, empty or of another type", signed(body=b"[]"), 422, '"name"'),
    ("reverb", "users of a channel that isn't a presence channel", NOT_PRESENCE, 400, "{}"),
    ("sockudo", "no such path", NO_PATH, 404, "404 NOT FOUND"),
    ("sockudo", "wrong method", WRONG_METHOD, 405, ""),
    (
        "sockudo",
        "no query at all",
        Request("POST", EVENTS, (), HELLO),
        400,
        '{"error":"Missing authentication query parameters","code":"invalid_input","status":400}',
    ),
    (
        "sockudo",
        "an auth parameter twice",
        unsigned(signed(), ("auth_key", "x")),
        400,
        "duplicate field `auth_key`",
    ),
    (
        "sockudo",
        "another app key, or none",
        WRONG_KEY,
        404,
        '{"error":"Application key not found or invalid: Invalid app key","code":"app_not_found",'
        '"status":404}',
    ),
    ("sockudo", "another app's path", FOREIGN, 401, "does not match route app_id"),
    ("sockudo", "timestamp missing", TIMELESS, 401, "auth_timestamp is missing"),
    ("sockudo", "timestamp that isn't a number", SOON, 401, "Invalid auth_timestamp format"),
    ("sockudo", "timestamp over 600 s off", OLD, 401, "Timestamp expired or too far in the fut"),
    ("sockudo", "body_md5 that doesn't match the body", OTHER_BODY, 401, "body_md5 mismatch"),
    ("sockudo", "body_md5 missing", UNHASHED, 401, "body_md5 is required and must be non-empty"),
    ("sockudo", "body_md5 missing", signed(body=b""), 401, "body_md5 is required"),
    (
        "sockudo",
        "body_md5 on a GET",
        signed("GET", f"{PATH}/channels", body_md5=body_digest(b"")),
        401,
        "must not be present in query parameters for GET requests",
    ),
    ("sockudo", "wrong signature", WRONG_SIGNATURE, 401, "Invalid API signature"),
    ("sockudo", "a body that isn't JSON", NOT_JSON, 400, "Failed to parse the request body"),
    ("sockudo", "a field of another type, or no batch", event(name=5), 422, "deserialize"),
    ("sockudo", "a field of another type, or no batch", event(channels=[5]), 422, "deserialize"),
    ("sockudo", "a field of another type, or no batch", batch(5), 422, "deserialize"),
    (
        "sockudo",
        "a field of another type, or no batch",
        signed(path=BATCH, body=b"{}"),
        422,
        "deserialize",
    ),
    (
        "sockudo",
        "over 100 events in a batch",
        batch(*[ITEM] * (SOCKUDO_BATCH + 1)),
        400,
        "Batch size (101) exceeds limit (100)",
    ),
    ("sockudo", "name missing", event(name=None), 400, "Event name is required"),
    (
        "sockudo",
        "event name over 100 bytes",
        event(name="n" * 101),
        400,
        f"Event name '{'n' * 101}' exceeds maximum length of 100",
    ),
    (
        "sockudo",
        "data over 100 KB",
        event(data="x" * 102_401),
        413,
        "Event payload size (102401 bytes) for event 'message' exceeds limit (100KB)",
    ),
    (
        "sockudo",
        "over 100 channels",
        event(channels=["c"] * 101),
        400,
        "Number of channels (101) exceeds limit (100)",
    ),
    ("sockudo", "no channel", event(channel=None), 400, "'channels' (list) or 'channel' (string)"),
    ("sockudo", "no channel", event(channels=[]), 400, "missing_channel_info"),
    ("sockudo", "channel name over 100 bytes", event(channel="c" * 101), 400, "Max length is 100"),
    (
        "sockudo",
        "channel name that isn't valid",
        event(channel="a b/c"),
        400,
        "invalid characters: 'a b/c' (invalid chars: [' ', '/'])",
    ),
    (
        "sockudo",
        "channel name with a colon",
        event(channel="private-cache-shop:7"),
        400,
        "Unknown channel namespace 'shop'",
    ),
    (
        "sockudo",
        "channel name with a # in it",
        event(channel="private-chat#ann"),
        400,
        "Channel 'private-chat#ann' uses user-limited syntax but the namespace does not allow it",
    ),
    (
        "sockudo",
        "users of a channel that isn't a presence channel",
        NOT_PRESENCE,
        400,
        "Only presence channels support this endpoint",
    ),
    (
        "sockudo",
        "user_count of channels that aren't presence channels",
        COUNTS_IN_VAIN,
        400,
        '"user_count is only available for presence channels. Use filter_by_prefix=presence-"',
    ),
    (
        "sockudo",
        "user_count of channels that aren't presence channels",
        asked("/channels/chat", info="subscription_count, user_count"),
        400,
        '"user_count is only available for presence channels"',
    ),
    (
        "poxa",
        "no such path; batches and ending connections have none",
        batch(ITEM),
        404,
        "",
    ),
    ("poxa", "no such path; batches and ending connections have none", NO_PATH, 404, ""),
    ("poxa", "wrong method", WRONG_METHOD, 405, ""),
    (
        "poxa",
        "a body that isn't JSON, a field missing, or a name that isn't valid",
        NOT_JSON,
        400,
        '{"error":"Event must have channel(s), name, and data"}',
    ),
    (
        "poxa",
        "a body that isn't JSON, a field missing, or a name that isn't valid",
        event(socket_id="nobody"),
        400,
        "Event must have",
    ),
    (
        "poxa",
        "a body that isn't JSON, a field missing, or a name that isn't valid",
        event(channel=None),
        400,
        "Event must have",
    ),
    (
        "poxa",
        "users of a channel that isn't a presence channel, or counts that don't exist",
        asked("/channels/chat", info="user_count"),
        400,
        "",
    ),
    (
        "poxa",
        "body_md5 that doesn't match the body, or missing",
        OTHER_BODY,
        401,
        '{"error":"Authentication error"}',
    ),
    ("poxa", "another app key, or none", WRONG_KEY, 401, "Authentication error"),
    ("poxa", "auth_version missing, or not 1.0", VERSION_2, 401, "Authentication error"),
    ("poxa", "timestamp missing", TIMELESS, 401, "Authentication error"),
    ("poxa", "timestamp that isn't a number", SOON, 500, ""),
    (
        "poxa",  # where the others still take it
        "timestamp 600 s off, or more",
        signed(auth_timestamp=str(NOW - 600)),
        401,
        "Authentication error",
    ),
    ("poxa", "wrong signature, or a value with a comma", WRONG_SIGNATURE, 401, "Authentication"),
    (
        "poxa",
        "wrong signature, or a value with a comma",
        signed(more="a,b"),
        401,
        "Authentication error",
    ),
    ("poxa", "data that isn't text", event(data=5), 500, ""),
    ("poxa", "data over 10,000 bytes", event(data="x" * 10_001), 413, "smaller than 10000B"),
]


@pytest.mark.parametrize(("name", "case", "request_", "status", "words"), REFUSED)
def test_a_row_refuses_in_the_words_of_that_server(
    name: str, case: str, request_: Request, status: int, words: str
) -> None:
    told = played(name, request_)
    assert (told.case, told.answer.status) == (case, status)
    assert words in told.answer.body
    assert APP.secret not in told.answer.body
    assert bool(told.answer.body) == ("Content-Type" in dict(told.answer.headers))


def test_every_row_is_met_by_a_request() -> None:
    met = {(name, case) for name, case, *_ in REFUSED}
    met |= {("soketi", "too many requests"), ("sockudo", "too many requests")}
    rows = {(each.name, row.case) for each in PERSONALITIES.values() for row in each.rows}
    assert met == rows


def test_every_row_says_what_it_rests_on() -> None:
    kinds = ("measured", "read: ", "thread: ", "documented: ", "ours: ")
    for each in PERSONALITIES.values():
        assert all(row.source.startswith(kinds) for row in each.rows), each.name
        assert each.source.startswith(kinds)
        assert len({row.case for row in each.rows}) == len(each.rows)


def test_a_rate_counts_where_that_server_counts() -> None:
    wide = event(channels=["a", "b", "c"])
    assert played("soketi", wide, rate=2).answer.body == '{"error":"Too many requests.","code":429}'
    assert played("soketi", batch(ITEM, ITEM, ITEM), rate=2).case == "too many requests"
    assert played("soketi", WRONG_SIGNATURE, rate=0).rule == "auth_signature"
    limited = played("sockudo", WRONG_SIGNATURE, rate=0)  # before it looks at anything else
    assert (limited.answer.status, dict(limited.answer.headers)["Retry-After"]) == (429, "2")
    assert all(played(name, wide, rate=0).accepts for name in ("pusher", "reverb", "poxa"))


@pytest.mark.parametrize("name", PERSONALITIES)
def test_an_honest_request_is_accepted_by_all(name: str) -> None:
    assert played(name, signed()).accepts
    assert played(name, asked("/channels", filter_by_prefix="presence-", info="user_count")).accepts
    assert played(name, asked("/channels/presence-a/users")).accepts
    # Poxa has no cache channels (lib/poxa/channels_handler.ex, @valid_attributes).
    assert played(name, asked("/channels/cache-a", info="cache")).accepts == (name != "poxa")
    several = played(name, batch(ITEM))
    assert several.accepts == (name != "poxa")


# The request, and who takes it although the reference says it's wrong.
ACCEPTED: list[tuple[str, Request, set[str]]] = [
    ("another key", WRONG_KEY, {"soketi", "reverb"}),
    ("old", OLD, {"soketi", "reverb"}),
    ("a word for a time", SOON, {"soketi", "reverb"}),
    ("no time", TIMELESS, {"reverb"}),
    ("version 2.0", VERSION_2, {"soketi", "reverb", "sockudo"}),
    ("exactly 600 s old", signed(auth_timestamp=str(NOW - 600)), {*PERSONALITIES} - {"poxa"}),
    ("another app's path", FOREIGN, {"poxa"}),
    (
        "body_md5 not as signed",
        Request(
            "POST", EVENTS, [(n, v if n != "body_md5" else "0") for n, v in signed().params], HELLO
        ),
        {"soketi", "reverb"},
    ),
    ("a bad channel", event(channel="a b"), {"soketi", "reverb"}),
    ("no channels", event(channel=None, channels=[]), {"soketi", "poxa"}),
    ("an object for data", event(data={"a": 1}), {"soketi", "sockudo"}),
    ("101 channels", event(channels=["c"] * 101), {"reverb", "poxa"}),
    ("11 in a batch", batch(*[ITEM] * 11), {"reverb", "sockudo"}),
    ("counts in vain", COUNTS_IN_VAIN, {"soketi", "reverb"}),
    ("a count that nobody knows", asked("/channels", info="age"), {"soketi", "reverb", "sockudo"}),
    ("a user", event(channel="#server-to-user-7"), {"pusher", "soketi", "reverb", "sockudo"}),
]


@pytest.mark.parametrize(("request_", "who"), [(r, who) for _, r, who in ACCEPTED])
def test_who_takes_it_all_the_same(request_: Request, who: set[str]) -> None:
    assert {name for name in PERSONALITIES if played(name, request_).accepts} == who


def test_keys_of_another_case_and_repeated_ones_are_read_as_each_server_does() -> None:
    upper = signed(leave_out=("auth_key",))
    shouted = Request("POST", EVENTS, [("X", "1"), *upper.params], HELLO)
    assert not played("sockudo", shouted).accepts
    lowered = signed(x="1")
    sent = [("X" if name == "x" else name, value) for name, value in lowered.params]
    assert played("sockudo", Request("POST", EVENTS, sent, HELLO)).accepts
    assert not played("reverb", Request("POST", EVENTS, sent, HELLO)).accepts
    last = signed(twice="2")
    twice = Request("POST", EVENTS, [("twice", "1"), *last.params], HELLO)
    takers = {name for name in PERSONALITIES if played(name, twice).accepts}
    assert takers == {"reverb", "sockudo", "poxa"}


def test_soketi_takes_what_was_not_sent_for_its_own_key_or_for_undefined() -> None:
    keyless = Request("POST", EVENTS, [p for p in signed().params if p[0] != "auth_key"], HELLO)
    assert played("soketi", keyless).accepts
    assert played("soketi", signed("GET", f"{PATH}/channels", body_md5=body_digest(b""))).accepts
    emptied = signed(path=f"{PATH}/users/1/terminate_connections", body=b"")
    assert not played("soketi", emptied).accepts  # it hashes {} for no body


def test_a_body_that_is_no_json_is_no_event_of_any_server() -> None:
    for text in ("", "{", "NaN", "[" * 100_000):
        assert played("pusher", signed(body=text.encode())).case
        assert read_json(text) is NOT_JSON_AT_ALL
    in_the_query = signed(body=b"", params={"name": "message", "channel": "chat", "data": "{}"})
    assert played("pusher", in_the_query).accepts


@pytest.mark.parametrize(
    ("name", "call", "ours", "body"),
    [
        ("soketi", "events", {"channels": {"a": {"subscription_count": 1}}}, '{"ok":true}'),
        ("soketi", "users", {"users": []}, '{"users":[]}'),
        ("reverb", "events", {}, "{}"),
        ("reverb", "batch_events", {}, '{"batch":{}}'),
        (
            "reverb",
            "events",
            {
                "channels": {
                    "a": {"subscription_count": 1},
                    "b": {"subscription_count": 0},
                    "presence-c": {"subscription_count": 2, "user_count": 1},
                }
            },
            '{"channels":{"a":{"subscription_count":1},"b":{},"presence-c":{"user_count":1}}}',
        ),
        (
            "reverb",
            "batch_events",
            {
                "batch": [
                    {"subscription_count": 1},
                    {"subscription_count": 3, "user_count": 2},
                    {},
                ]
            },
            '{"batch":[{"subscription_count":1},{"user_count":2},{}]}',
        ),
        ("reverb", "batch_events", {"batch": [{"subscription_count": 0}, {}]}, '{"batch":{}}'),
        ("sockudo", "events", {}, '{"ok":true}'),
        ("sockudo", "batch_events", {}, "{}"),
        ("poxa", "events", {"channels": {"a": {"subscription_count": 1}}}, "{}"),
        ("poxa", "channels", {"channels": {}}, '{"channels":{}}'),
        ("pusher", "events", {}, "{}"),
    ],
)
def test_success_sounds_like_that_server(
    name: str, call: str, ours: dict[str, Any], body: str
) -> None:
    told = acceptance(PERSONALITIES[name], call, ours)
    assert told.accepts
    assert (told.answer.status, told.answer.body) == (200, body)


def test_a_name_that_nobody_plays_is_a_sentence() -> None:
    with pytest.raises(PusherError, match=r"expected pusher, soketi, .* got 'slanger'\."):
        named("slanger")
    with pytest.raises(PusherError, match="personality"):
        Sandbox(personality="slanger")


# --- the matrix -----------------------------------------------------------------------------


def test_the_matrix_has_everybody_and_publishes_nothing() -> None:
    told = matrix(APP, OLD, now=NOW)
    assert [each.server for each in told] == [
        STRICT,
        "Pusher",
        "soketi 1.6.1",
        "Reverb 1.9.0",
        "Sockudo 5.0.1",
        "Poxa 1.3.0",
    ]
    assert [each.server for each in told if each.accepts] == ["soketi 1.6.1", "Reverb 1.9.0"]
    assert {each.rule for each in told if not each.accepts} == {"auth_timestamp"}
    assert told[0].answer.status == 401
    assert "Timestamp expired" in told[0].answer.body


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (signed(), 200),
        (NO_PATH, 404),
        (FOREIGN, 404),
        (WRONG_METHOD, 405),
        (event(data="x" * 102_401), 413),
        (event(name=None), 400),
        (asked("/channels"), 200),
        (COUNTS_IN_VAIN, 400),
    ],
)
def test_its_first_line_is_what_the_practice_server_says(request_: Request, status: int) -> None:
    strict, *_ = matrix(APP, request_, now=NOW)
    assert (strict.answer.status, strict.accepts) == (status, status == 200)
    assert status in (401, Sandbox().handle(on_the_wire(request_), now=NOW).status)


def test_the_page_is_the_one_that_the_tables_make() -> None:
    found = servers_page.PAGE.read_text(encoding="utf-8")
    assert servers_page.page() == found, "run python scripts/servers_page.py"


# --- the server that plays ------------------------------------------------------------------


def on_the_wire(request: Request) -> RawRequest:
    target = f"{request.path}?{urlencode(request.params)}".encode()
    return RawRequest(method=request.method, target=target, body=request.body)


def served(name: str, request: Request, **options: Any) -> tuple[Sandbox, Any]:
    """A sandbox that answered one request as that server, and the exchange in its log."""
    sandbox = Sandbox(personality=name, **options)
    reply = sandbox.handle(on_the_wire(request), now=NOW)
    (exchange,) = sandbox.log
    assert exchange.reply == reply
    return sandbox, exchange


def test_what_it_accepts_goes_out_and_the_log_keeps_the_strict_verdict() -> None:
    sandbox, exchange = served("soketi", OLD)
    assert (exchange.reply.status, exchange.reply.body) == (200, b'{"ok":true}')
    assert [delivery.event.name for delivery in sandbox.deliveries] == ["message"]
    assert exchange.strict.status == 401
    assert "Timestamp expired" in exchange.strict.note
    assert exchange.verdict.failed.rule == "auth_timestamp"
    assert exchange.played.server == "soketi 1.6.1"


def test_what_it_refuses_stays_and_the_log_says_whether_that_was_strict() -> None:
    sandbox, exchange = served("reverb", event(data="x" * 10_001))
    assert (exchange.reply.status, exchange.reply.body) == (413, b"Payload too large.")
    assert not sandbox.deliveries
    assert exchange.strict.status == 200
    assert exchange.played.case == "a request over 10,000 bytes"


def test_a_refusal_by_both_is_still_explained() -> None:
    wrong = signed(app=replace(APP, secret=APP.key))  # the key signed in place of the secret
    _, exchange = served("soketi", wrong)
    assert json.loads(exchange.reply.body)["code"] == 401
    assert "Cause: " in exchange.strict.note


def test_an_event_that_ours_cannot_hold_is_accepted_and_the_note_says_so() -> None:
    channels = ["chat", "a b"]
    sandbox, exchange = served("soketi", event(channels=channels))
    assert exchange.reply.body == b'{"ok":true}'
    assert [d.event.channels for d in sandbox.deliveries] == [("chat",)]
    assert "not delivered, as it can't be here: channel: expected letters" in exchange.reply.note
    assert exchange.strict.status == 400
    sandbox, exchange = served("soketi", event(channel="a b"))
    assert not sandbox.deliveries


@pytest.mark.parametrize("name", ["soketi", "reverb"])
def test_counts_that_it_ignores_are_ignored(name: str) -> None:
    _, exchange = served(name, COUNTS_IN_VAIN)
    assert (exchange.reply.status, exchange.strict.status) == (200, 400)
    assert exchange.reply.body == b'{"channels":{}}'


def test_a_call_that_closes_connections_is_carried_out_as_well() -> None:
    ending = signed(path=f"{PATH}/users/1/terminate_connections", body=b"{}", auth_version="2.0")
    _, exchange = served("soketi", ending)
    assert exchange.reply.body == b'{"ok":true}'
    assert exchange.reply.note == "user 1: closed 0 connections"
    ending = signed(path=f"{PATH}/users/1/terminate_connections", body=b"{}")
    assert served("soketi", ending)[1].strict.status == 200


def test_its_rate_is_its_own() -> None:
    sandbox, _ = served("soketi", signed(), rate=2)
    wide = sandbox.handle(on_the_wire(event(channels=["a", "b"])), now=NOW)
    assert json.loads(wide.body)["code"] == 429
    assert sandbox.handle(on_the_wire(signed()), now=NOW).body == b'{"ok":true}'
    sandbox, _ = served("reverb", signed(), rate=1)  # which has none
    assert sandbox.handle(on_the_wire(signed()), now=NOW).status == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (RawRequest(method="POST", target=b"/\xff"), 400),
        (RawRequest(method="POST", target=EVENTS.encode(), body=bytes(7_000_000)), 413),
    ],
)
def test_what_cannot_be_read_at_all_is_answered_as_ever(raw: RawRequest, status: int) -> None:
    sandbox = Sandbox(personality="soketi")
    assert sandbox.handle(raw, now=NOW).status == status
    assert sandbox.log[0].played is None


def test_without_a_personality_nothing_is_played() -> None:
    sandbox = Sandbox()
    sandbox.handle(on_the_wire(OLD), now=NOW)
    assert (sandbox.log[0].strict, sandbox.log[0].played) == (None, None)


def test_a_secret_in_a_request_is_not_repeated() -> None:
    app = replace(APP, secret="not-a-word-of-any-server")
    path = f"/apps/{app.secret}/events"
    request = Request("POST", path, sign(app, "POST", path, body=HELLO, timestamp=NOW).query, HELLO)
    for each in PERSONALITIES.values():
        told = play(each, arrive(app, request, now=NOW))
        assert app.secret not in told.answer.body


@pytest.mark.parametrize("name", PERSONALITIES)
def test_half_a_surrogate_pair_in_a_name_is_answered(name: str) -> None:
    sandbox = Sandbox(APP, personality=name)
    for request in (event(channel="\ud800"), event(name="\ud800" * 201)):
        reply = sandbox.handle(on_the_wire(request), now=NOW)
        assert reply.status in (200, 400)
        json.loads(reply.body) if reply.body.startswith(b"{") else reply.body.decode()


def test_what_can_be_published_of_a_body() -> None:
    arrived = arrive(
        APP,
        batch(
            ITEM | {"data": 5, "socket_id": "1.2"},
            5,
            ITEM | {"socket_id": 5},
            ITEM | {"channels": "chat"},
        ),
        now=NOW,
    )
    events, why_not = publishable(arrived)
    assert [(event.data, event.socket_id) for event in events] == [("5", "1.2"), ("{}", None)]
    assert why_not == ""


def test_what_one_request_publishes_is_bounded() -> None:
    """Poxa takes any number of channels, and everybody would wait until all are told."""
    wide = event(channels=["c"] * (MAX_PUBLISHED + 1))
    assert played("poxa", wide).accepts
    events, why_not = publishable(arrive(APP, wide, now=NOW))
    assert len(events) == MAX_PUBLISHED
    assert why_not == "one request reaches at most 10,000 channels here."


def test_over_the_network_it_sounds_the_same() -> None:
    import httpx

    with SandboxServer(personality="reverb", clock=lambda: NOW) as server:
        path = f"{server.url}{EVENTS}?{urlencode(WRONG_SIGNATURE.params)}"
        answer = httpx.post(path, content=HELLO, trust_env=False)
        (exchange,) = server.log
    assert (answer.status_code, answer.text) == (401, "Authentication signature invalid.")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert exchange.strict is not None
    assert exchange.strict.status == 401


def test_data_that_is_too_deep_to_be_written_has_no_size() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert _size(deep) == 0


GROWING = {
    "an event": lambda size: json.dumps(ITEM | {"data": "x" * size}),
    "a name": lambda size: json.dumps(ITEM | {"name": "practice-secre" * (size // 14)}),
    "a channel": lambda size: json.dumps(ITEM | {"channel": "%70racti%25" * (size // 11)}),
    "channels": lambda size: json.dumps(ITEM | {"channels": ["c"] * (size // 5)}),
    "a batch": lambda size: json.dumps({"batch": [ITEM] * (size // 60)}),
    "numbers in a batch": lambda size: json.dumps({"batch": [1] * (size // 3)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_a_body_of_megabytes_costs_linear_time(make: Callable[[int], str]) -> None:
    def seconds(size: int) -> float:
        text = make(size)
        request = signed(path=BATCH if "batch" in text[:9] else EVENTS, body=text.encode())
        begin = time.thread_time()  # so other processes do not count
        for name in PERSONALITIES:
            played(name, request)
        publishable(arrive(APP, request, now=NOW))
        return time.thread_time() - begin

    small = min(seconds(500_000) for _ in range(3))
    assert seconds(5_000_000) < 40 * small + 0.2  # 10 times the body, and room for the machine
