"""The practice server's judge and its channels: pure, so every rule is tried without a socket."""

from __future__ import annotations

import hmac
import json
import math
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from pusherkit import Credentials, Event, authenticate_user, canonical_string, sign
from pusherkit.events import batch_body, event_body
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Delivery, RawRequest, Reply, Sandbox
from pusherkit.sandbox.api import (
    LOG_ENTRIES,
    MAX_BODY_BYTES,
    MAX_LOG_CHARACTERS,
    MAX_QUERY_FIELDS,
    MAX_SEARCHED_BYTES,
    Explanation,
    too_large,
)
from pusherkit.sandbox.rate import TokenBucket, TokenBuckets
from pusherkit.signing import body_digest, hmac_sha256

NOW = 1_353_088_179  # seconds
APP = f"/apps/{PRACTICE_CREDENTIALS.app_id}"
HELLO = Event.of("chat", "message", {"text": "hello"})
RULES = ["auth_key", "auth_version", "auth_timestamp", "body_md5", "auth_signature"]


def signed(
    method: str = "POST",
    path: str = f"{APP}/events",
    params: Any = (),
    body: bytes = b"",
    *,
    credentials: Credentials = PRACTICE_CREDENTIALS,
    timestamp: int = NOW,
) -> RawRequest:
    """A rightly signed request, as it stands on the wire."""
    signature = sign(credentials, method, path, params, body, timestamp=timestamp)
    return RawRequest(
        method=method, target=f"{path}?{urlencode(signature.query)}".encode(), body=body
    )


def publishing(*events: Event) -> RawRequest:
    """The request that publishes one event, or several as a batch."""
    if len(events) == 1:
        return signed(body=event_body(events[0]))
    return signed(path=f"{APP}/batch_events", body=batch_body(events))


def edited(request: RawRequest, **changes: str | None) -> RawRequest:
    """The same request with parameters changed after signing, or left out where None."""
    path, _, query = request.target.decode().partition("?")
    params = [(key, changes.get(key, value)) for key, value in parse_qsl(query)]
    assert changes.keys() <= dict(params).keys()
    kept = [(key, value) for key, value in params if value is not None]
    return replace(request, target=f"{path}?{urlencode(kept)}".encode())


def accepted(sandbox: Sandbox, request: RawRequest, now: float = NOW) -> dict[str, Any]:
    """The JSON of an answer that must be a success."""
    reply = sandbox.handle(request, now=now)
    assert reply.status == 200, reply.body.decode()
    return json.loads(reply.body)


def refused(sandbox: Sandbox, request: RawRequest, status: int, now: float = NOW) -> dict[str, Any]:
    """The JSON of a refusal: explained, and neither the secret nor the right signature in it."""
    reply = sandbox.handle(request, now=now)
    assert reply.status == status, reply.body.decode()
    told = json.loads(reply.body)
    assert len(told["error"]) > 10
    said, *causes = reply.note.split("\nCause: ")
    assert said == "\n".join(filter(None, (told["error"], told.get("fix"))))
    assert len(causes) == sum(len(found["mistakes"]) for found in told.get("diagnosis", ()))
    assert sandbox.credentials.secret not in everything(reply)
    right = right_signature(sandbox, request)
    if right not in request.target.decode(errors="replace"):
        assert right not in everything(reply)
    return told


def everything(reply: Reply) -> str:
    return reply.body.decode() + repr(reply)


def right_signature(sandbox: Sandbox, request: RawRequest) -> str:
    path, _, query = request.target.decode(errors="replace").partition("?")
    params = parse_qsl(query, keep_blank_values=True)
    text = canonical_string(request.method, path, params)
    return hmac_sha256(sandbox.credentials.secret, text)


# --- accepted -----------------------------------------------------------------------------------


def test_an_event_is_delivered_and_the_answer_is_an_empty_object(sandbox, peer):
    chat = peer("chat")
    reply = sandbox.handle(publishing(HELLO), now=NOW)
    assert (reply.status, reply.body, reply.headers) == (200, b"{}", ())
    assert reply.note == "message → chat (delivered 1 time)"
    assert chat.received == [("chat", "message", '{"text":"hello"}')]


def test_the_printed_body_of_the_reference_is_accepted_too(sandbox, peer):
    chat = peer("chat")
    body = b'{ "name": "message", "channel": "chat", "data": "{\\"text\\":\\"hello\\"}" }'
    assert accepted(sandbox, signed(body=body)) == {}
    assert chat.received == [("chat", "message", '{"text":"hello"}')]


def test_a_batch_is_delivered_in_order(sandbox, peer):
    chat, news = peer("chat"), peer("news")
    events = [Event.of(name, "n", str(i)) for i, name in enumerate(["chat", "news", "chat"])]
    reply = sandbox.handle(publishing(*events), now=NOW)
    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.note == "batch of 3 (delivered 3 times)"
    assert chat.received == [("chat", "n", "0"), ("chat", "n", "2")]
    assert news.received == [("news", "n", "1")]


def test_an_encrypted_channel_passes_what_comes_and_the_note_says_if_that_is_readable(sandbox):
    readable = Event.of("private-encrypted-a", "n", "readable")
    sealed = replace(readable, data='{"nonce":"x","ciphertext":"y"}')
    assert sandbox.handle(publishing(sealed), now=NOW).note == (
        "n → private-encrypted-a (delivered 0 times)"
    )
    for events in ([readable], [readable, sealed, readable, HELLO]):
        reply = sandbox.handle(publishing(*events), now=NOW)
        assert reply.status == 200
        (told,) = reply.note.splitlines()[1:]
        assert told.startswith("The data for private-encrypted-a came unencrypted")
    assert [each.event for each in sandbox.deliveries][:2] == [sealed, readable]


def test_the_note_names_up_to_three_channels(sandbox):
    notes = [
        sandbox.handle(publishing(Event.of(list(names), "n", "")), now=NOW).note
        for names in ("abc", "abcd")
    ]
    assert notes == [
        "n → a, b, c (delivered 0 times)",
        "n → a, b, c and 1 more (delivered 0 times)",
    ]


def test_a_hundred_channels_are_one_request(sandbox, peer):
    names = [f"c{number}" for number in range(100)]
    everywhere = peer(*names)
    reply = sandbox.handle(publishing(Event.of(names, "n", "")), now=NOW)
    assert reply.note == "n → c0, c1, c2 and 97 more (delivered 100 times)"
    assert [channel for channel, _, _ in everywhere.received] == names


def test_the_largest_batch_is_accepted(sandbox):
    batch = [Event.of("c", "n", "\x01" * 102_400)] * 10  # each character becomes \u0001
    body = batch_body(batch)
    assert len(body) > 6_000_000
    assert accepted(sandbox, signed(path=f"{APP}/batch_events", body=body)) == {}


def test_the_publisher_can_leave_one_connection_out(sandbox, peer):
    mine, other = peer("chat"), peer("chat")
    left_out = Event.of("chat", "n", "", mine.connection.socket_id)
    accepted(sandbox, publishing(left_out))
    assert mine.received == []
    assert other.received == [("chat", "n", "")]


def test_an_event_of_any_name_does_no_harm(sandbox, peer):
    chat = peer("chat")
    for name in ("é \U0001f600", "x" * 200):
        accepted(sandbox, publishing(Event.of("chat", name, "d")))
    for reserved in (b"pusher:error", b"pusher_internal:subscription_succeeded"):
        body = b'{"channel":"chat","name":"%s","data":"d"}' % reserved
        reply = sandbox.handle(signed(path=f"{APP}/events", body=body), now=NOW)
        assert (reply.status, json.loads(reply.body)["rule"]) == (400, "name")
    assert [name for _, name, _ in chat.received] == ["é \U0001f600", "x" * 200]


# --- the mistake behind a refusal ---------------------------------------------------------------


def test_a_refusal_names_the_mistake_that_is_proven(sandbox):
    body = event_body(Event.of("chat", "n", "d"))
    right = signed(body=body)
    query = right.target.decode().split("?")[1].rsplit("&auth_signature=", 1)[0]
    text = f"POST\\n{APP}/events\\n{query}"  # a backslash and an n
    mac = hmac.new(PRACTICE_CREDENTIALS.secret.encode(), text.encode(), "sha256").hexdigest()
    target = f"{APP}/events?{query}&auth_signature={mac}".encode()
    told = refused(sandbox, RawRequest(method="POST", target=target, body=body), 401)
    (found,) = told["diagnosis"]
    assert [mistake["name"] for mistake in found["mistakes"]] == ["newline-written-out"]
    assert found["reproduced"] == mac
    assert found["canonical_string"] == text
    assert "Cause: The lines are joined by a backslash and an n" in sandbox.log[-1].reply.note


def test_a_refusal_that_nothing_explains_names_no_mistake(sandbox):
    told = refused(sandbox, RawRequest(method="GET", target=f"{APP}/channels".encode()), 401)
    assert told["diagnosis"] == []


def test_others_are_answered_between_the_steps_of_a_refusal(sandbox, peer):
    chat = peer("chat")
    request = edited(publishing(Event.of("chat", "n", "d")), auth_signature="0" * 64)
    judged = sandbox.judge(request, now=NOW)
    accepted(sandbox, publishing(Event.of("chat", "meanwhile", "")))
    explained = sandbox.refuse(judged, sandbox.explain(judged))
    assert len(chat.received) == 1
    assert explained.status == 401
    assert [exchange.reply.status for exchange in sandbox.log] == [200, 401]
    assert explained == sandbox.handle(request, now=NOW)


def test_a_search_that_was_told_to_end_says_so_and_names_no_mistake(sandbox):
    request = edited(publishing(HELLO), auth_signature="0" * 64)
    judged, asked = sandbox.judge(request, now=NOW), []
    explanation = sandbox.explain(judged, lambda: bool(asked.append(0)))
    assert len(asked) == 1
    told = json.loads(sandbox.refuse(judged, explanation).body)
    assert (told["diagnosis"], told["diagnosis_complete"]) == ([], False)
    assert "stopped early" in told["diagnosis_note"]


def test_a_search_that_came_to_its_end_says_so(sandbox):
    told = refused(sandbox, edited(publishing(HELLO), auth_signature="0" * 64), 401)
    assert told["diagnosis_complete"] is True
    assert "diagnosis_note" not in told


@pytest.mark.parametrize(
    ("size", "complete"), [(MAX_SEARCHED_BYTES, True), (MAX_BODY_BYTES, False)]
)
def test_a_large_body_is_judged_but_not_searched(sandbox, size, complete):
    request = edited(signed(body=b"x" * size), auth_signature="0" * 64)
    judged = sandbox.judge(request, now=NOW)
    assert bool(sandbox.explain(judged).unfinished) is not complete


# --- what a shell turns away --------------------------------------------------------------------


def test_what_a_shell_turns_away_is_answered_and_logged_like_every_request(sandbox):
    raw = RawRequest(method="POST", target=b"/apps/3/events?auth_key=practice-secret")
    reply = sandbox.turn_away(raw, too_large(MAX_BODY_BYTES + 1), now=NOW)
    assert (reply.status, sandbox.log[-1].path) == (413, "/apps/3/events")
    assert f"{MAX_BODY_BYTES + 1:,} bytes, 1 over the limit" in json.loads(reply.body)["error"]
    assert sandbox.log[-1].reply == reply


# --- however large, however odd -----------------------------------------------------------------

TEN = json.dumps({"batch": [{"name": "n", "channel": "c", "data": "BODY"}] * 10}).encode()
ODD_BODIES = {
    "an event": lambda size: b'{"name":"n","channel":"c","data":"%b"}' % (b"x" * size),
    "ten events": lambda size: TEN.replace(b"BODY", b"x" * (size // 10)),
    "escapes": lambda size: b'{"name":"n","channel":"c","data":"%b"}' % (b"\\u0000" * (size // 6)),
    "a name": lambda size: (
        b'{"name":"%b","channel":"c","data":""}' % (b"practice-secre" * (size // 14))
    ),
    "a channel": lambda size: (
        b'{"name":"n","channel":"%b","data":""}' % (b"%70racti%25" * (size // 11))
    ),
    "channels": lambda size: b'{"name":"n","channels":[%b"c"],"data":""}' % (b'"c",' * (size // 4)),
    "numbers": lambda size: b"[" + b"1," * (size // 2) + b"1]",
    "deep": lambda size: b"[" * size,
    "a number": lambda size: b"1" * size,
    "no JSON": lambda size: b"\\" * size,
    "no UTF-8": lambda size: b"\xff" * size,
}


@pytest.mark.slow
@pytest.mark.parametrize("right", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("make", ODD_BODIES.values(), ids=ODD_BODIES)
def test_the_work_for_a_body_grows_no_faster_than_the_body(sandbox, make, right):
    def seconds(size: int) -> float:
        request = publishing(HELLO)
        body = make(size)
        request = signed(
            body=body, path=f"{APP}/{'batch_events' if b'batch' in body else 'events'}"
        )
        if not right:
            request = edited(request, auth_signature="0" * 64)
        begin = time.process_time()
        judged = sandbox.judge(request, now=NOW)
        if not right:
            sandbox.refuse(judged, Explanation())
        return time.process_time() - begin

    large = MAX_BODY_BYTES - 10_000
    seconds(1_000)
    small = max(0.002, *(seconds(large // 16) for _ in range(3)))
    assert seconds(large) < 32 * small
    assert seconds(large) < 1


def test_the_work_for_a_target_grows_no_faster_than_the_target(sandbox):
    def seconds(size: int) -> float:
        begin = time.process_time()
        for target in (
            b"/practice-secre" * (size // 15),
            b"/apps/" + b"%2570racti%25" * (size // 13),
        ):
            sandbox.judge(RawRequest(method="GET", target=target), now=NOW)
        return time.process_time() - begin

    seconds(1_000)
    assert seconds(64 * 1024) < max(0.02, 16 * seconds(8 * 1024))


# --- counts and queries -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["info", "filter_by_prefix"])
def test_a_query_parameter_sent_twice_is_refused(sandbox, name):
    params = [(name, "presence-"), (name, "news")]
    told = refused(sandbox, signed("GET", f"{APP}/channels", params), 400)
    assert told["error"] == f"{name}: sent 2 times; send it once."
    assert told["rule"] == name


def test_an_event_may_ask_for_counts(sandbox, peer):
    peer("chat", "news")
    peer("chat")
    asking = Event.of(["chat", "news", "empty"], "n", "", info="subscription_count")
    counts = {"chat": 2, "news": 1, "empty": 0}
    assert accepted(sandbox, publishing(asking)) == {
        "channels": {name: {"subscription_count": count} for name, count in counts.items()}
    }


def test_users_are_counted_once_however_many_connections_they_have(sandbox, peer):
    first = peer("presence-x", user="ann")
    peer("presence-x", user="ann")
    peer("presence-x", user="bob")
    peer("private-y")
    both = ["subscription_count", "user_count"]
    asking = Event.of(["presence-x", "private-y", "chat"], "n", "", info=both)

    def counts() -> dict[str, Any]:
        return accepted(sandbox, publishing(asking))["channels"]

    assert counts() == {
        "presence-x": {"subscription_count": 3, "user_count": 2},
        "private-y": {"subscription_count": 1},
        "chat": {"subscription_count": 0},
    }
    first.leaves()
    assert counts()["presence-x"] == {"subscription_count": 2, "user_count": 2}
    listed = signed(
        "GET", f"{APP}/channels", {"filter_by_prefix": "presence-", "info": ",".join(both)}
    )
    assert accepted(sandbox, listed) == {
        "channels": {"presence-x": {"subscription_count": 2, "user_count": 2}}
    }
    one = signed("GET", f"{APP}/channels/presence-x", {"info": "user_count"})
    assert accepted(sandbox, one) == {"occupied": True, "user_count": 2}
    users = signed("GET", f"{APP}/channels/presence-x/users")
    assert accepted(sandbox, users) == {"users": [{"id": "ann"}, {"id": "bob"}]}


def test_a_batch_may_ask_for_counts_event_by_event(sandbox, peer):
    peer("chat")
    asking = Event.of("chat", "n", "", info="subscription_count")
    assert accepted(sandbox, publishing(asking, HELLO)) == {
        "batch": [{"subscription_count": 1}, {}]
    }


ALL = {"channels": {"chat": {}, "news-a": {}, "news-b": {}}}
NEWS = {"channels": {"news-a": {}, "news-b": {}}}
COUNT = {"info": "subscription_count"}
C1, C2 = {"subscription_count": 1}, {"subscription_count": 2}


@pytest.mark.parametrize(
    ("call", "params", "answer"),
    [
        ("channels", {}, ALL),
        ("channels", {"filter_by_prefix": ""}, ALL),
        ("channels", {"filter_by_prefix": "news"}, NEWS),
        ("channels", {"filter_by_prefix": "presence-", "info": "user_count"}, {"channels": {}}),
        ("channels/chat", {}, {"occupied": True}),
        ("channels/chat", COUNT, {"occupied": True, "subscription_count": 2}),
        ("channels/none", COUNT, {"occupied": False, "subscription_count": 0}),
        ("channels/news%2Da", {}, {"occupied": True}),
        ("channels/presence-x", {"info": "user_count"}, {"occupied": False, "user_count": 0}),
        ("channels", COUNT, {"channels": {"chat": C2, "news-a": C1, "news-b": C1}}),
        ("channels/presence-x/users", {}, {"users": []}),
    ],
)
def test_queries(sandbox, peer, call, params, answer):
    peer("news-b", "chat", "news-a")
    peer("chat")
    assert accepted(sandbox, signed("GET", f"{APP}/{call}", params)) == answer


@pytest.mark.parametrize(
    ("call", "params", "rule"),
    [
        ("channels", {"info": "user_count"}, "info"),
        ("channels", {"info": "user_count", "filter_by_prefix": "news"}, "info"),
        ("channels", {"info": "subscription_count,user_count"}, "info"),
        ("channels/chat", {"info": "subscription_count,user_count"}, "info"),
        ("channels/chat/users", {}, "channel"),
    ],
)
def test_users_are_counted_in_presence_channels_only(sandbox, call, params, rule):
    told = refused(sandbox, signed("GET", f"{APP}/{call}", params), 400)
    assert told["rule"] == rule
    assert "presence" in told["error"]


@pytest.mark.parametrize("call", ["channels", "channels/chat"])
def test_an_attribute_that_nobody_knows_is_refused(sandbox, call):
    told = refused(sandbox, signed("GET", f"{APP}/{call}", {"info": "age"}), 400)
    known = ["subscription_count", "user_count", *(["cache"] if "/" in call else [])]
    assert told["error"] == f"info: expected {' or '.join(known)}, got 'age'."


def test_what_a_cache_channel_remembers_can_be_asked_for(sandbox):
    ask = signed("GET", f"{APP}/channels/cache-41", {"info": "cache,subscription_count"})
    told = {"occupied": False, "subscription_count": 0}
    assert accepted(sandbox, ask) == told | {"cache": None}
    accepted(sandbox, publishing(Event.of("cache-41", "status", "on its way")))
    assert accepted(sandbox, ask) == told | {"cache": {"data": "on its way", "ttl": 1_800}}
    assert accepted(sandbox, ask, now=NOW + 599.5)["cache"]["ttl"] == 1_201
    ask = signed("GET", f"{APP}/channels/cache-41", {"info": "cache"}, timestamp=NOW + 1_800)
    assert accepted(sandbox, ask, now=NOW + 1_800)["cache"] is None


def test_the_cache_is_that_of_cache_channels_alone(sandbox):
    told = refused(sandbox, signed("GET", f"{APP}/channels/chat", {"info": "cache"}), 400)
    assert told["error"] == "cache may only be requested for cache channels; chat isn't one."
    assert told["rule"] == "info"


def test_a_get_may_carry_the_md5_of_its_empty_body(sandbox):
    params = dict(sign(PRACTICE_CREDENTIALS, "GET", f"{APP}/channels", timestamp=NOW).params)
    params["body_md5"] = body_digest(b"")
    text = canonical_string("GET", f"{APP}/channels", params)
    params["auth_signature"] = hmac_sha256(PRACTICE_CREDENTIALS.secret, text)
    target = f"{APP}/channels?{urlencode(params)}".encode()
    assert accepted(sandbox, RawRequest(method="GET", target=target)) == {"channels": {}}


# --- 401: every rule of the signature -----------------------------------------------------------

TAMPERED = {
    "auth_key": {"auth_key": "another"},
    "auth_version": {"auth_version": "2.0"},
    "auth_timestamp": {"auth_timestamp": str(NOW - 601)},
    "body_md5": {"body_md5": body_digest(b"another body")},
    "auth_signature": {"auth_signature": "0" * 64},
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("change", ["changed", "missing"])
def test_a_refused_signature_names_the_rule_and_lists_every_check(sandbox, peer, rule, change):
    chat = peer("chat")
    changes = TAMPERED[rule] if change == "changed" else {rule: None}
    request = edited(publishing(HELLO), **changes)
    told = refused(sandbox, request, 401)
    assert told["rule"] == rule
    assert [check["rule"] for check in told["checks"]] == RULES
    verdicts = {check["rule"]: check["passed"] for check in told["checks"]}
    # What the signature covers was changed after signing, so the signature fails as well.
    assert [name for name in RULES if not verdicts[name]] == list(
        dict.fromkeys([rule, "auth_signature"])
    )
    failed = next(check for check in told["checks"] if check["rule"] == rule)
    assert (failed["error"], failed["fix"]) == (told["error"], told["fix"])
    assert failed["expected"] != failed["received"]
    path, _, query = request.target.decode().partition("?")
    assert told["canonical_string"] == canonical_string("POST", path, parse_qsl(query))
    assert chat.received == []


def test_an_unsigned_request_hears_of_the_first_rule_first(sandbox):
    request = RawRequest(method="POST", target=f"{APP}/events".encode(), body=event_body(HELLO))
    told = refused(sandbox, request, 401)
    assert told["error"] == "Missing parameter: auth_key"
    assert [check["passed"] for check in told["checks"]] == [False] * 5


def test_a_wrong_secret_hears_what_should_have_been_signed(sandbox):
    mine = replace(PRACTICE_CREDENTIALS, secret="not-the-one")
    told = refused(sandbox, signed(body=event_body(HELLO), credentials=mine), 401)
    text = told["canonical_string"].replace("\n", "\\n")
    assert told["error"].startswith(
        f'Invalid signature: you should have sent HmacSHA256Hex("{text}", your_secret_key), but'
    )


def test_a_changed_body_hears_both_digests(sandbox):
    body = event_body(HELLO)
    request = replace(signed(body=body), body=body + b"\n")
    told = refused(sandbox, request, 401)
    assert told["rule"] == "body_md5"
    assert body_digest(body) in told["error"]
    assert body_digest(body + b"\n") in told["error"]


@pytest.mark.parametrize("now", [NOW - 601, NOW + 601])
def test_the_sandbox_goes_by_the_time_it_is_given(sandbox, now):
    assert refused(sandbox, publishing(HELLO), 401, now)["rule"] == "auth_timestamp"
    accepted(sandbox, publishing(HELLO), now=math.copysign(600, now - NOW) + NOW)


SECRET = PRACTICE_CREDENTIALS.secret
WITH_THE_SECRET = {
    "as auth_key": edited(publishing(HELLO), auth_key=SECRET),
    "as auth_signature": edited(publishing(HELLO), auth_signature=SECRET),
    "as body_md5": edited(publishing(HELLO), body_md5=SECRET),
    "as auth_timestamp": edited(publishing(HELLO), auth_timestamp=SECRET),
    "as a name": RawRequest(method="GET", target=f"{APP}/channels?{SECRET}=1".encode()),
    "inside a value": edited(publishing(HELLO), auth_key=f"key:{SECRET}"),
    "as a channel": RawRequest(method="GET", target=f"{APP}/channels/{SECRET}".encode()),
}


@pytest.mark.parametrize("request_", WITH_THE_SECRET.values(), ids=WITH_THE_SECRET)
def test_a_secret_sent_by_mistake_is_not_repeated(sandbox, request_):
    refused(sandbox, request_, 401)


@pytest.mark.parametrize(
    "target",
    [f"/apps/{SECRET}/events", f"/{SECRET}", f"{APP}/{SECRET}"],
    ids=["as the app id", "as the path", "as the call"],
)
def test_a_secret_in_a_wrong_path_is_not_repeated(sandbox, target):
    refused(sandbox, RawRequest(method="POST", target=target.encode()), 404)


# --- 400: the content ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "body", "rule"),
    [
        ("events", b"", "body"),
        ("events", b"\xff", "body"),
        ("events", b"{", "body"),
        ("events", b"[" * 100_000, "body"),
        ("events", b'{"name":"n","channel":"c","data":{}}', "data"),
        ("events", b'{"name":"n","channel":"\\ud800","data":""}', "channel"),
        ("events", b'{"name":"n","channel":"c","data":"\\ud800"}', "data"),
        ("events", b'{"name":"n","channel":"c","data":"","info":"\\ud800"}', "info"),
        ("batch_events", b'{"batch":[]}', "batch"),
        ("batch_events", event_body(HELLO), "batch"),
        ("events", batch_body([HELLO]), "name"),
    ],
)
def test_signed_nonsense_is_refused_with_its_rule(sandbox, call, body, rule):
    assert refused(sandbox, signed(path=f"{APP}/{call}", body=body), 400)["rule"] == rule


def test_a_broken_limit_is_told_in_numbers(sandbox):
    names = json.dumps([f"c{number}" for number in range(101)])
    body = f'{{"name":"n","channels":{names},"data":""}}'.encode()
    told = refused(sandbox, signed(body=body), 400)
    assert (told["rule"], told["limit"], told["actual"]) == ("channels", 100, 101)


def test_one_bad_event_stops_the_whole_batch(sandbox, peer):
    chat = peer("chat")
    body = batch_body([HELLO, HELLO]).replace(b'"message"', b'""', 2).replace(b'""', b'"ok"', 1)
    assert refused(sandbox, signed(path=f"{APP}/batch_events", body=body), 400)["rule"] == "name"
    assert chat.received == []


# --- 404, 405, 413 ------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["3", PRACTICE_CREDENTIALS.key, "%33", "é", "6855671%20"])
def test_an_unknown_app_is_404(sandbox, app):
    target = f"/apps/{app}/events".encode()
    told = refused(sandbox, RawRequest(method="POST", target=target), 404)
    assert told["error"] == f"Unknown app id {app!r}: this server has app 6855671."


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"/",
        b"*",
        b"?a=b",
        b"/apps",
        b"/apps/",
        b"/apps//events",
        b"/apps/6855671",
        b"/apps/6855671/",
        b"/apps/6855671/event",
        b"/apps/6855671/events/",
        b"/apps/6855671/Events",
        b"/apps/6855671/events\n",
        b"/app/6855671/events",
        b"//apps/6855671/events",
        b"http://host/apps/6855671/events",
        b"/apps/6855671/channels//users",
        "/\u00e9".encode(),
        b"/" + b"x" * 100_000,
    ],
    ids=lambda target: repr(target)[:40],
)
@pytest.mark.parametrize("method", ["GET", "POST", "", "BREW"])
def test_a_path_that_is_none_is_404(sandbox, method, target):
    refused(sandbox, RawRequest(method=method, target=target), 404)


@pytest.mark.parametrize(
    "target",
    [
        b"\xff",
        b"/apps/6855671/channels?\xff",
        b"/apps/6855671/channels?a=%ff",
        b"/apps/6855671/channels?%c3=b",
        b"/apps/6855671/channels?" + b"&".join([b"a=1"] * (MAX_QUERY_FIELDS + 1)),
    ],
    ids=lambda target: repr(target)[:40],
)
def test_a_target_that_cannot_be_read_is_400(sandbox, target):
    refused(sandbox, RawRequest(method="GET", target=target), 400)


@pytest.mark.parametrize(
    "query",
    [b"&" * 99, b"=", b"?", b"%", b"%zz=1", b"a=%00", b"auth_key", b"&".join([b"a=1"] * 100)],
    ids=lambda query: repr(query)[:40],
)
def test_a_query_that_makes_no_sense_is_judged_all_the_same(sandbox, query):
    target = b"/apps/6855671/channels?" + query
    assert refused(sandbox, RawRequest(method="GET", target=target), 401)["rule"] == "auth_key"


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("events", "POST"),
        ("batch_events", "POST"),
        ("channels", "GET"),
        ("channels/chat", "GET"),
        ("channels/chat/users", "GET"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "post", ""])
def test_the_wrong_method_is_405_and_the_right_one_is_named(sandbox, call, allowed, method):
    request = RawRequest(method=method, target=f"{APP}/{call}".encode())
    if method == allowed:
        assert sandbox.handle(request, now=NOW).status == 401
        return
    assert allowed in refused(sandbox, request, 405)["error"]
    assert sandbox.handle(request, now=NOW).headers == (("Allow", allowed),)


@pytest.mark.parametrize(("size", "status"), [(102_400, 200), (102_401, 413)])
@pytest.mark.parametrize("call", ["events", "batch_events"])
def test_data_over_the_limit_is_413(sandbox, size, status, call):
    event = {"name": "n", "channel": "c", "data": "x" * size}
    body = json.dumps(event if call == "events" else {"batch": [event]}).encode()
    request = signed(path=f"{APP}/{call}", body=body)
    if status == 200:
        accepted(sandbox, request)
    else:
        told = refused(sandbox, request, 413)
        assert (told["rule"], told["limit"], told["actual"]) == ("data_size", 102_400, size)


def test_a_body_over_the_limit_is_413_before_anything_else_is_judged(sandbox):
    largest = RawRequest(method="POST", target=f"{APP}/events".encode(), body=b"x" * MAX_BODY_BYTES)
    assert refused(sandbox, largest, 401)["rule"] == "auth_key"
    told = refused(sandbox, replace(largest, body=largest.body + b"x"), 413)
    assert f"{MAX_BODY_BYTES + 1:,} bytes, 1 over" in told["error"]


# --- 429 ----------------------------------------------------------------------------------------


def test_the_token_bucket_empties_and_recovers():
    sandbox = Sandbox(rate=2)
    for _ in range(2):
        accepted(sandbox, publishing(HELLO))
    told = refused(sandbox, publishing(HELLO), 429)
    assert told["retry_after"] == 0.5
    assert "2 per second" in told["error"]
    assert sandbox.handle(publishing(HELLO), now=NOW).headers == (("Retry-After", "1"),)
    assert refused(sandbox, publishing(HELLO), 429, NOW + 0.25)["retry_after"] == 0.25
    accepted(sandbox, publishing(HELLO), NOW + 0.5)
    refused(sandbox, publishing(HELLO), 429, NOW + 0.5)
    for _ in range(2):  # a long rest fills it to the brim, and no further
        accepted(sandbox, publishing(HELLO), NOW + 60)
    refused(sandbox, publishing(HELLO), 429, NOW + 60)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1, 3, 7])
def test_who_waits_as_long_as_retry_after_says_is_accepted(rate):
    sandbox, now = Sandbox(rate=rate), float(NOW)
    for _ in range(3):
        while (reply := sandbox.handle(publishing(HELLO), now=now)).status == 200:
            pass
        assert reply.status == 429
        seconds = int(dict(reply.headers)["Retry-After"])
        assert seconds >= 1
        now += seconds
        assert sandbox.handle(publishing(HELLO), now=now).status == 200


def test_a_refused_request_takes_no_token():
    sandbox = Sandbox(rate=1)
    for _ in range(5):
        refused(sandbox, edited(publishing(HELLO), auth_key="another"), 401)
    accepted(sandbox, publishing(HELLO))


def test_without_a_rate_there_is_no_limit(sandbox):
    for _ in range(200):
        accepted(sandbox, publishing(HELLO))


def test_a_clock_that_runs_backwards_gives_no_tokens():
    bucket = TokenBucket(1)
    assert bucket.take(100) == 0
    assert bucket.take(50) == 1
    assert bucket.take(50.5) == 0.5


def test_each_name_has_a_bucket_and_those_used_least_lately_are_forgotten():
    buckets = TokenBuckets(1, most=2)
    assert [buckets.take(name, NOW) for name in "aabab"] == [0, 1, 0, 1, 1]
    assert [buckets.take(name, NOW) for name in "cba"] == [0, 1, 0]


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="rate: expected requests per second, above 0"):
        Sandbox(rate=rate)


# --- the log ------------------------------------------------------------------------------------


def test_the_log_tells_each_exchange_without_its_query(sandbox):
    sandbox.handle(publishing(HELLO), now=NOW)
    sandbox.handle(RawRequest(method="GET", target=b"/\xff?secret"), now=NOW + 1)
    first, second = sandbox.log
    assert (first.time, first.method, first.path) == (NOW, "POST", f"{APP}/events")
    assert first.reply.status == 200
    assert (second.time, second.path, second.reply.status) == (NOW + 1, "/\\xff", 400)
    assert [check.passed for check in first.verdict.checks] == [True] * 5
    assert second.verdict is None
    sandbox.clear()
    assert not sandbox.log
    assert not sandbox.deliveries


def test_what_went_out_is_remembered_and_watched(sandbox, peer):
    seen: list[object] = []
    sandbox.watchers.append(seen.append)
    peer("chat")
    accepted(sandbox, publishing(HELLO))
    refused(sandbox, edited(publishing(HELLO), auth_key="x"), 401, NOW + 1)
    (delivery,) = sandbox.deliveries
    assert delivery == Delivery(time=NOW, event=HELLO, subscribers=1, key=PRACTICE_CREDENTIALS.key)
    assert seen == [delivery, *sandbox.log]
    sandbox.watchers.remove(seen.append)
    accepted(sandbox, publishing(HELLO))
    assert len(seen) == 3


def test_the_log_is_bounded(sandbox):
    for number in range(LOG_ENTRIES + 5):
        sandbox.handle(RawRequest(method="GET", target=b"/"), now=number)
    assert len(sandbox.log) == LOG_ENTRIES
    assert sandbox.log[0].time == 5


def test_the_log_is_bounded_in_text_as_well_and_keeps_the_newest(sandbox):
    long = "x" * 60_000
    for number in range(100):
        sandbox.handle(RawRequest(method="GET", target=f"/{number}/{long}".encode()), now=number)
        sandbox.handle(publishing(Event.of("chat", "n", long)), now=NOW)
    for entries in (sandbox.log, sandbox.deliveries):
        assert 10 < len(entries) < 70
    assert sandbox.log[-2].path.startswith("/99/")
    huge = "x" * (MAX_LOG_CHARACTERS + 1)
    sandbox.handle(RawRequest(method="GET", target=f"/{huge}".encode()), now=NOW)
    assert [len(exchange.path) > MAX_LOG_CHARACTERS for exchange in sandbox.log] == [True]
    sandbox.clear()
    for number in range(20):
        sandbox.handle(RawRequest(method="GET", target=f"/{number}".encode()), now=number)
    assert len(sandbox.log) == 20


def test_a_watcher_that_leaves_and_then_fails_is_reported_once(sandbox):
    def leaving(entry):
        sandbox.watchers.remove(leaving)
        raise RuntimeError("gone")

    failed = []
    sandbox.watcher_failed = failed.append
    sandbox.watchers.append(leaving)
    for _ in range(2):
        sandbox.handle(RawRequest(method="GET", target=b"/"), now=NOW)
    assert [str(error) for error in failed] == ["gone"]
    assert sandbox.watchers == []


# --- parameters in the query --------------------------------------------------------------------


def test_an_event_may_be_in_the_query(sandbox, peer):
    """POST parameters may be in either place, says Pusher's HTTP API."""
    listener = peer("chat")
    params = {"name": "message", "data": "hello", "channel": "chat", "info": "subscription_count"}
    answer = accepted(sandbox, signed(params=params))
    assert answer == {"channels": {"chat": {"subscription_count": 1}}}
    assert listener.received == [("chat", "message", "hello")]


def test_several_channels_in_the_query_are_one_parameter_each(sandbox, peer):
    """As Pusher's HTTP API writes them: channels[]=chat&channels[]=news."""
    one = peer("chat", "news")
    params = [("name", "n"), ("data", "d"), ("channels[]", "chat"), ("channels[]", "news")]
    assert accepted(sandbox, signed(params=params)) == {}
    assert one.received == [("chat", "n", "d"), ("news", "n", "d")]
    both = signed(params=[*params, ("channel", "chat")])
    assert refused(sandbox, both, 400)["rule"] == "channels"


def test_a_part_of_an_event_in_the_query_is_not_enough(sandbox):
    assert refused(sandbox, signed(params={"name": "message"}), 400)["rule"] == "data"
    twice = (("name", "n"), ("name", "n"), ("data", ""), ("channel", "c"))
    assert refused(sandbox, signed(params=twice), 400)["rule"] == "name"


# --- signed-in users ----------------------------------------------------------------------------


def signed_in(sandbox, peer, user_id):
    one = peer()
    data = authenticate_user(one.credentials, one.socket_id, {"id": user_id})
    one.says({"event": "pusher:signin", "data": data})
    return one


def test_an_event_for_a_user_is_published_to_their_connections(sandbox, peer):
    ann = signed_in(sandbox, peer, "7")
    ann.says({"event": "pusher:subscribe", "data": {"channel": "#server-to-user-7"}})
    event = Event.of("#server-to-user-7", "invited", "chess")
    assert accepted(sandbox, publishing(event)) == {}
    assert accepted(sandbox, publishing(event, event)) == {}
    assert len(ann.received) == 3


@pytest.mark.parametrize("name", ["#server-to-user-", "#server-to-user-" + "x" * 201, "#x"])
def test_an_event_for_a_user_needs_an_id(sandbox, name):
    body = json.dumps({"name": "n", "data": "", "channels": [name]}).encode()
    assert refused(sandbox, signed(body=body), 400)["rule"] == "channel"


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["no body", "a body"])
def test_the_connections_of_a_user_are_terminated(sandbox, peer, body):
    ann, bob = signed_in(sandbox, peer, "ann@x"), signed_in(sandbox, peer, "bob")
    path = f"{APP}/users/ann%40x/terminate_connections"
    assert accepted(sandbox, signed(path=path, body=body)) == {}
    assert [code for code, _ in ann.hung_up] == [4009]
    assert bob.hung_up == []
    assert sandbox.log[-1].reply.note == "user ann@x: closed 1 connection"
    assert accepted(sandbox, signed(path=path)) == {}  # nobody is left, which is no error


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        # PyPI's pusher 3.3.4 asks for it so.
        (
            "/users/7/terminate_connections",
            "It begins with the app: /apps/6855671/users/ID/terminate_connections.",
        ),
        (f"{APP}/channels/chat/stats", "Ask with GET /apps/6855671/channels/CHANNEL, which has"),
        ("/pusher/app/practice-key/1/x/xhr_streaming", "pusher-js's fallbacks to HTTP aren't"),
        (f"{APP}/channels/chat/events", "Publish with POST /apps/6855671/events or /batch_events."),
    ],
)
def test_a_path_that_others_have_is_told_the_one_here(sandbox, path, fix):
    assert refused(sandbox, signed(path=path), 404)["fix"].startswith(fix)


# --- refused subscriptions ----------------------------------------------------------------------


def asked(sandbox, event="pusher:subscribe", **data):
    """Ask for a channel, or sign in, on connection 1.1; return what the log has of it."""
    connection = sandbox.channels.open(
        lambda text: None, lambda *why: None, key="practice-key", protocol="7", now=NOW
    )
    frame = {"event": event, "data": data}
    sandbox.channels.receive(connection, json.dumps(frame), now=NOW)
    return list(sandbox.refused_subscriptions)


def auth_of(text, secret="practice-secret"):
    return f"practice-key:{hmac.new(secret.encode(), text.encode(), 'sha256').hexdigest()}"


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        ({"auth": auth_of("1.1:x")}, None, "[prefix-not-signed]"),
        ({"auth": {"auth": auth_of("1.1:private-x")}}, None, "[json-encoded-twice]"),
        ({"auth": auth_of("1.1:private-x", "another")}, None, "with another secret"),
        ({"auth": auth_of("9.9:private-x")}, None, "another connection"),
        ({}, None, "auth is missing"),
        ({"channel": "private-a%40b", "auth": auth_of("1.1:private-a@b")}, 4300, "URL-encoded"),
        ({"channel": "presence-x", "auth": auth_of("1.1:presence-x")}, None, "needs it: JSON text"),
    ],
)
def test_a_refused_subscription_is_explained_in_the_log(sandbox, data, code, said):
    seen = []
    sandbox.watchers.append(seen.append)
    (entry,) = asked(sandbox, **{"channel": "private-x", **data})
    assert (entry.time, entry.socket_id, entry.code) == (NOW, "1.1", code)
    assert said in entry.note
    assert not entry.diagnosis.valid
    assert seen == [entry]


def test_a_refused_sign_in_is_explained_in_the_log(sandbox):
    user = '{"id":"7"}'
    (entry,) = asked(sandbox, "pusher:signin", auth=auth_of(f"1.1:{user}"), user_data=user)
    assert (entry.diagnosis.what, entry.channel) == ("sign-in", "")
    assert "[signed-as-channel]" in entry.note


def test_what_is_no_text_at_all_is_logged_as_none(sandbox):
    # Python's json reads NaN, and the kit writes none.
    (entry,) = asked(sandbox, channel="private-x", auth={"auth": math.nan})
    assert entry.channel == "private-x"
    assert "auth is missing" in entry.note


def test_a_subscription_that_is_granted_leaves_nothing_in_that_log(sandbox):
    assert asked(sandbox, channel="private-x", auth=auth_of("1.1:private-x")) == []
    assert asked(sandbox, channel="news") == []


def test_a_secret_in_a_refused_subscription_is_not_in_the_log(sandbox):
    secret = sandbox.credentials.secret
    (entry,) = asked(sandbox, channel=f"private-{secret} {secret}", auth=f"{secret}:{'0' * 64}")
    assert secret not in repr(entry)


def test_the_log_of_refused_subscriptions_is_bounded(sandbox):
    for _ in range(3):
        asked(sandbox, channel="private-x" * 10_000, auth="a" * 120_000)
    assert len(repr(list(sandbox.refused_subscriptions))) < 10_000
    sandbox.clear()
    assert not sandbox.refused_subscriptions
