"""Each row of soketi's table, and its successes, against a running soketi."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from urllib.parse import urlencode

import httpx
import pytest

from pusherkit.events import Event, batch_body, event_body
from pusherkit.sandbox.personalities import PERSONALITIES, arrive, play
from pusherkit.signing import Request, body_digest, canonical_string, hmac_sha256, sign

from . import peers

SOKETI = PERSONALITIES["soketi"]
APP = peers.SOKETI_APP
EVENTS, BATCH = f"/apps/{APP.app_id}/events", f"/apps/{APP.app_id}/batch_events"
HELLO = event_body(Event.of("chat", "message", "{}"))


def signed(method: str, path: str, body: bytes = b"", *, app=APP, leave_out=(), **changes: str):
    """A request whose parameters were changed, or left out, before it was signed."""
    params = dict(sign(app, method, path, body=body, timestamp=int(time.time())).params) | changes
    params = {name: value for name, value in params.items() if name not in leave_out}
    text = canonical_string(method, path, params)
    params["auth_signature"] = hmac_sha256(app.secret, text)
    return Request(method, path, params, body)


def tampered(request: Request, **changes: str | None) -> Request:
    """The request with parameters changed, or left out where None, after signing."""
    params = dict(request.params) | changes
    kept = {name: value for name, value in params.items() if value is not None}
    return replace_params(request, tuple(kept.items()))


def replace_params(request: Request, params) -> Request:
    return Request(request.method, request.path, params, request.body)


def event(**fields: object) -> Request:
    whole = {"name": "message", "channel": "chat", "data": "{}"} | fields
    kept = {name: value for name, value in whole.items() if value is not None}
    return signed("POST", EVENTS, json.dumps(kept).encode())


def batch(*events: object) -> Request:
    return signed("POST", BATCH, json.dumps({"batch": events}).encode())


def refused_cases():
    """(row, request): each row that a living soketi can be asked about."""
    gone = replace(APP, app_id="404")
    yield "no such path, or a wrong method", signed("POST", f"/apps/{APP.app_id}/evens", HELLO)
    yield "no such path, or a wrong method", signed("GET", EVENTS)
    yield "unknown app", signed("POST", "/apps/404/events", HELLO, app=gone)
    honest = signed("POST", EVENTS, HELLO)
    wrong = "wrong signature"
    yield wrong, replace_params(honest, ())
    yield wrong, tampered(honest, auth_signature="0" * 64)
    yield wrong, tampered(honest, auth_signature=None)
    yield wrong, tampered(honest, auth_timestamp=None)
    yield wrong, tampered(honest, auth_version="2.0")
    yield wrong, tampered(honest, extra="1")
    yield wrong, replace_params(honest, (*honest.params, ("auth_signature", "0" * 64)))
    yield wrong, Request("POST", EVENTS, honest.params, HELLO + b" ")
    yield wrong, signed("POST", EVENTS, HELLO, leave_out=("body_md5",))
    yield wrong, signed("POST", EVENTS, b"{not JSON")
    yield wrong, signed("POST", EVENTS, b'{"name":"m","channel":"c","data":NaN}')
    yield wrong, signed("POST", EVENTS)
    yield wrong, signed("GET", f"/apps/{APP.app_id}/channels", body_md5=body_digest(b"other"))
    yield wrong, signed("POST", EVENTS, HELLO, leave_out=("auth_timestamp",))
    yield wrong, signed("POST", f"/apps/{APP.app_id}/users/1/terminate_connections")
    item = {"name": "message", "channel": "chat", "data": "{}"}
    yield "over 10 events in a batch", batch(*[item] * 11)
    lacking = "name, data or channel missing or empty"
    for field in ("name", "channel", "data"):
        yield lacking, event(**{field: None})
        yield lacking, event(**{field: ""})
    yield lacking, event(data=0)
    yield lacking, signed("POST", EVENTS, b"[]")
    yield lacking, batch(item, 5)
    yield "over 100 channels", event(channels=[f"c{n}" for n in range(101)])
    yield "event name over 200 characters", event(name="n" * 201)
    yield "data over 100 KB", event(data="x" * 102_401)
    yield "data over 100 KB", event(data=["é" * 51_200])
    yield "data over 100 KB", batch(item, item | {"data": "x" * 102_401})
    yield (
        "users of a channel that isn't a presence channel",
        signed("GET", f"/apps/{APP.app_id}/channels/chat/users"),
    )


def accepted_cases():
    """Requests that soketi takes; the practice server refuses most of them."""
    yield signed("POST", EVENTS, HELLO)
    yield signed("POST", EVENTS, HELLO, auth_timestamp="0")
    yield signed("POST", EVENTS, HELLO, auth_timestamp="soon")
    yield signed("POST", EVENTS, HELLO, auth_version="2.0")
    yield signed("POST", EVENTS, HELLO, auth_key="nobodys")
    yield tampered(signed("POST", EVENTS, HELLO), auth_key=None)
    yield signed("POST", EVENTS, HELLO, auth_timestamp="undefined", auth_version="1.0")
    yield tampered(signed("POST", EVENTS, HELLO, auth_version="undefined"), auth_version=None)
    yield tampered(signed("POST", EVENTS, HELLO), body_md5="0" * 32)
    yield tampered(signed("POST", EVENTS, HELLO), body_md5=None)
    yield tampered(signed("POST", EVENTS, HELLO), appKey="anything")
    yield signed("POST", EVENTS, HELLO, info="subscription_count")
    yield event(channel="not a channel!")
    yield event(channels=[])
    yield event(data=["a", "list"])
    yield event(data={})
    yield event(socket_id="nobody")
    yield event(name="pusher:ping")
    yield event(name="n" * 200, data="x" * 102_400)
    yield signed("POST", BATCH, batch_body([Event.of("chat", "message", "{}")] * 10))
    yield batch()
    yield signed("POST", f"/apps/{APP.app_id}/users/1/terminate_connections", b"{}")
    yield signed("GET", f"/apps/{APP.app_id}/channels", body_md5=body_digest(b""))
    repeated = signed("POST", EVENTS, HELLO, twice="1,2")
    yield replace_params(
        repeated,
        [
            p
            for name, value in repeated.params
            for p in ([("twice", "1"), ("twice", "2")] if name == "twice" else [(name, value)])
        ],
    )


def ask(url: str, request: Request) -> tuple[int, str]:
    """Status and body of the answer to a request whose head and body go out in one packet."""
    host, _, port = url.removeprefix("http://").partition(":")
    target = f"{request.path}?{urlencode(request.params)}"
    head = f"{request.method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    head += f"Content-Length: {len(request.body)}\r\n\r\n" if request.body else "\r\n"
    with socket.create_connection((host, int(port)), timeout=peers.ANSWER_SECONDS) as peer:
        peer.sendall(head.encode() + request.body)
        answer = b"".join(iter(lambda: peer.recv(65_536), b""))
    first, _, body = answer.decode().partition("\r\n\r\n")
    return int(first.split(" ", 2)[1]), body


def same(request: Request, answer: tuple[int, str]):
    """Compare, and return how the table plays it."""
    played = play(SOKETI, arrive(APP, request, now=time.time()))
    assert answer == (played.answer.status, played.answer.body)
    return played


@pytest.mark.parametrize(("row", "request_"), [*refused_cases()])
def test_it_refuses_in_these_words(soketi, row, request_):
    assert same(request_, ask(soketi, request_)).case == row


@pytest.mark.parametrize("request_", [*accepted_cases()])
def test_it_takes_this(soketi, request_):
    answer = ask(soketi, request_)
    if request_.method == "GET":
        assert answer == (200, '{"channels":{}}')
        assert play(SOKETI, arrive(APP, request_, now=time.time())).accepts
    else:
        assert same(request_, answer).accepts


def test_each_channel_counts_towards_the_rate(soketi):
    app = replace(peers.SLOW_APP)
    body = event_body(Event.of([f"c{n}" for n in range(peers.SLOW_RATE + 1)], "message", "{}"))
    request = signed("POST", f"/apps/{app.app_id}/events", body, app=app)
    answer = ask(soketi, request)
    arrived = arrive(app, request, now=time.time(), wait=lambda cost: float(cost > peers.SLOW_RATE))
    played = play(SOKETI, arrived)
    assert played.case == "too many requests"
    assert answer == (played.answer.status, played.answer.body)


def test_json_that_is_none_meets_another_row_where_it_comes_after_the_head(soketi):
    """As httpx sends it. The table has what a client hears that sends both at once."""
    request = signed("POST", EVENTS, b"{not JSON")
    target = f"{soketi}{request.path}?{urlencode(request.params)}"
    late = httpx.post(target, content=request.body, trust_env=False)
    assert late.json() == {"error": "The received data is incorrect", "code": 400}


@pytest.mark.parametrize("body", [b"{}", b'{"batch":[null]}', b"null"])
def test_it_stops(node_modules, tmp_path, body):
    path = EVENTS if body == b"null" else BATCH
    request = signed("POST", path, body)
    with peers.soketi(node_modules, tmp_path) as url:  # one of its own, which won't survive
        assert ask(url, request) == (200, "")  # a head that breaks off
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/ready", trust_env=False)
    assert play(SOKETI, arrive(APP, request, now=time.time())).answer.status == 502


def test_every_row_was_asked_about():
    asked = {row for row, _ in refused_cases()}
    asked |= {"too many requests", "a batch without `batch`, or null for an event"}
    assert asked == {row.case for row in SOKETI.rows}
