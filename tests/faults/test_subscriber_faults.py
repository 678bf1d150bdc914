"""Subscriber on a bad network: what it says when it cannot begin, and how it comes back.

Waiting before it comes back takes no time here; the waits are noted instead.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest
import websockets.sync.client

from pusherkit import Client, PusherError
from pusherkit.sandbox import PRACTICE_CREDENTIALS
from pusherkit.subscriber import GAP_EVENT, Message, Subscriber
from pusherkit.subscription import Subscription

STALL_SECONDS = 0.2  # how long a first connection waits for a server that says nothing
CLOSE = 0x88  # the first byte of a WebSocket's goodbye
TEXT = 0x81  # and of a text


def frame(kind: int, payload: bytes = b"") -> bytes:
    """A short WebSocket frame, as a server sends it."""
    return bytes([kind, len(payload)]) + payload


def goodbye(code: int) -> bytes:
    return frame(CLOSE, struct.pack("!H", code))


def http_answer(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", "")).encode()


@pytest.fixture
def publish(server) -> Iterator[Callable[[str], None]]:
    """Publish an event of this name, past the proxy."""
    transport = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with Client(server.credentials, transport=transport) as client:
        yield lambda name: client.trigger("chat", name, "")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds of waiting before each attempt to come back, none of which takes any time."""
    noted: list[float] = []
    lost = Subscription.lost

    def note(self: Subscription, code: int | None, reason: str, *, now: float) -> float | None:
        wait = lost(self, code, reason, now=now)
        if wait is None:
            return None
        noted.append(wait)
        return 0.0

    monkeypatch.setattr(Subscription, "lost", note)
    return noted


# --- each phase of beginning, each way of leaving -----------------------------------------------


def handshake(link: Any) -> None:
    link.send(link.ask())


def greet(link: Any) -> None:
    handshake(link)
    link.send(link.hear())


def take_the_subscription(link: Any) -> None:
    greet(link)
    link.pass_on_what_comes()


PHASES: dict[str, Callable[[Any], object]] = {
    "at once": lambda link: None,
    "after the request line": lambda link: link.read_line(),
    "after the request": lambda link: link.read(),
    "in the answer's head": lambda link: link.send(link.ask()[:20]),
    "after the handshake": handshake,
    "in the greeting": lambda link: (handshake(link), link.send(link.hear()[:9])),
    "after the greeting": greet,
    "before the subscription": take_the_subscription,
    "in the subscription": lambda link: (
        take_the_subscription(link),
        link.send(link.hear()[:9]),
    ),
}
CUTS = {
    f"{leaving} {phase}": (
        lambda link, phase=phase, leaving=leaving: (
            PHASES[phase](link),
            getattr(link, leaving)(),
        )
    )
    for phase in PHASES
    for leaving in ("reset", "close")
}
NO_WEBSOCKET = {
    "random bytes": bytes(range(256)),
    "a TLS alert": bytes.fromhex("15 03 03 00 02 02 28"),
    "an SSH server": b"SSH-2.0-OpenSSH_9.2\r\n",
    "401": http_answer("401 Unauthorized"),
    "404": http_answer("404 Not Found"),
    "429": http_answer("429 Too Many Requests", "Retry-After: 7"),
    "500": http_answer("500 Internal Server Error"),
    "503": http_answer("503 Service Unavailable"),
    "200": http_answer("200 OK"),
    "a redirect": http_answer("301 Moved Permanently", "Location: https://elsewhere/"),
    "a redirect to no URL": http_answer("302 Found", "Location: ws://127.0.0.1:99999/"),
    "another answer": http_answer(
        "101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: x",
    ),
}
NO_FRAME = {
    "random bytes": bytes(range(200, 256)),
    "an unknown kind": frame(0x8F),
    "a bit that is not in use": frame(0xF1, b"{}"),
    "a masked text": b"\x81\x82abcd{}",
    "a text that is not UTF-8": frame(TEXT, b"\xff\xfe"),
    "a text without end": b"\x81\x7f" + b"\x7f" + b"\xff" * 7,
    "a broken goodbye": frame(CLOSE, b"\x10"),
}


def answering(answer: bytes) -> Callable[[Any], object]:
    return lambda link: (link.read(), link.send(answer), link.close())


def after_the_handshake(sent: bytes) -> Callable[[Any], object]:
    return lambda link: (handshake(link), link.send(sent), link.close())


HINDRANCES: dict[str, Callable[[Any], object]] = (
    CUTS
    | {f"{name} for a handshake": answering(answer) for name, answer in NO_WEBSOCKET.items()}
    | {f"{name} for a greeting": after_the_handshake(sent) for name, sent in NO_FRAME.items()}
)


def check_that_another_one_works(proxy, publish) -> None:
    proxy.fault = None
    with Subscriber(proxy.credentials, "chat") as other:
        publish("again")
        assert other.receive() == Message(channel="chat", event="again", data="")


CLOSED = "^The (server|subscriber) closed the connection: ."


# --- it cannot begin: an error at once ----------------------------------------------------------


def test_a_refused_connection_says_where(proxy, publish):
    where = f"No connection to ws://{proxy.address}/app/practice-key: "
    with pytest.raises(PusherError, match=re.escape(where)):
        Subscriber(proxy.credentials, "chat")
    proxy.listen()
    check_that_another_one_works(proxy, publish)


@pytest.mark.parametrize("fault", HINDRANCES.values(), ids=HINDRANCES)
def test_a_first_connection_that_fails_says_so_and_is_not_tried_again(proxy, publish, waits, fault):
    proxy.listen()
    proxy.fault = fault
    told = rf"^No connection to ws://{proxy.address}/app/practice-key: .|{CLOSED}"
    with pytest.raises(PusherError, match=told):
        Subscriber(proxy.credentials, "chat")
    assert proxy.connections == 1
    assert waits == []
    check_that_another_one_works(proxy, publish)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (NO_WEBSOCKET["401"], "HTTP 401"),
        (NO_WEBSOCKET["503"], "HTTP 503"),
        (NO_WEBSOCKET["a redirect"], "https://elsewhere/"),
        (NO_WEBSOCKET["an SSH server"], "did not receive a valid HTTP response"),
        (NO_WEBSOCKET["another answer"], "Sec-WebSocket-Accept"),
    ],
)
def test_what_came_instead_of_a_websocket_is_told(proxy, answer, told):
    proxy.listen()
    proxy.fault = answering(answer)
    with pytest.raises(PusherError, match=f"^No connection to .*: .*{told}"):
        Subscriber(proxy.credentials, "chat")


@pytest.mark.parametrize("code", [1000, 1001, 4001, 4004, 4100, 4200, 4999])
def test_a_goodbye_instead_of_a_greeting_is_told_with_its_code(proxy, code):
    proxy.listen()
    proxy.fault = after_the_handshake(goodbye(code))
    with pytest.raises(PusherError, match=rf"^The server closed the connection: {code}\.$"):
        Subscriber(proxy.credentials, "chat")


@pytest.mark.parametrize("phase", PHASES)
def test_a_first_connection_that_stalls_says_so(proxy, publish, eventually, phase):
    proxy.listen()
    proxy.fault = lambda link: (PHASES[phase](link), link.stall())
    told = f"^No (answer|connection) .*({re.escape(proxy.address)}|chat)"
    with pytest.raises(PusherError, match=told):
        Subscriber(proxy.credentials, "chat", timeout=STALL_SECONDS)
    eventually(lambda: proxy.connections == 1)  # a slow machine's may accept it only now
    check_that_another_one_works(proxy, publish)


@pytest.mark.parametrize(
    "fault",
    [
        lambda link: (link.wait(), link.send(http_answer("400 Bad Request")), link.close()),
        lambda link: (link.wait(), link.reset()),
        lambda link: (link.wait(), link.close()),
    ],
    ids=["plain HTTP", "reset", "close"],
)
def test_a_server_without_tls_is_told(proxy, fault):
    proxy.listen()
    proxy.fault = fault
    with pytest.raises(PusherError, match=rf"^No connection to wss://{proxy.address}/app/.*: ."):
        Subscriber(replace(proxy.credentials, base_url=f"https://{proxy.address}"), "chat")


# --- it has begun: it comes back ----------------------------------------------------------------


def in_turn(proxy, *faults: Callable[[Any], object]) -> None:
    """The open connection meets the first fault at its next event, each new one the next."""
    left = list(faults)

    def fault(link: Any) -> None:
        act = left.pop(0)
        if not left:
            proxy.fault = None
        act(link)

    proxy.fault = fault


def gap_of(message: Message) -> dict[str, Any]:
    assert (message.channel, message.event) == ("", GAP_EVENT)
    return json.loads(message.data)


LOSSES: dict[str, Callable[[Any], object]] = {
    "reset": lambda link: link.reset(),
    "close": lambda link: link.close(),
    "reset in a frame": lambda link: (link.send(link.hear()[:-3]), link.reset()),
    "close in a frame": lambda link: (link.send(link.hear()[:-3]), link.close()),
    "reset in a frame's length": lambda link: (link.send(link.hear()[:1]), link.reset()),
    "1001": lambda link: (link.send(goodbye(1001)), link.close()),
    "4200": lambda link: (link.send(goodbye(4200)), link.close()),
    "4300": lambda link: (link.send(goodbye(4300)), link.close()),
} | {
    name: (lambda link, sent=sent: (link.send(sent), link.close()))
    for name, sent in NO_FRAME.items()
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_after_a_loss_it_comes_back_and_says_so(proxy, server, publish, waits, eventually, loss):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        publish("before")
        assert lost.receive().event == "before"
        in_turn(proxy, loss)
        publish("lost on the way")
        gap = gap_of(lost.receive())
        assert gap["channels"] == ["chat"]
        assert re.match(CLOSED, gap["reason"])
        publish("after")
        assert lost.receive().event == "after"
        assert proxy.connections == 2
        assert len(waits) == 1
        eventually(lambda: server.sandbox.channels.subscription_count("chat") == 1)


@pytest.mark.parametrize("hindrance", HINDRANCES.values(), ids=HINDRANCES)
def test_what_hinders_its_return_makes_it_wait_longer_each_time(
    proxy, server, publish, waits, hindrance
):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        in_turn(proxy, lambda link: link.reset(), hindrance, hindrance)
        publish("lost on the way")
        gap = gap_of(lost.receive())
        assert gap["reason"] == "The server closed the connection: without goodbye."
        publish("after")
        assert lost.receive().event == "after"
        assert waits == [0.1, 0.2, 0.4]
        assert proxy.connections == 4


def test_closing_it_does_not_count_as_a_loss(proxy, publish, waits):
    proxy.listen()
    before = set(threading.enumerate())
    with Subscriber(proxy.credentials, "chat") as left:
        (reader,) = [
            each
            for each in set(threading.enumerate()) - before
            if each.name == "pusherkit-subscriber"
        ]
        publish("one")
        assert left.receive().event == "one"
    reader.join(10)
    assert not reader.is_alive()
    assert waits == []


def test_a_server_that_stalls_at_its_return_is_tried_again(proxy, publish, waits):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat", timeout=1) as lost:
        in_turn(proxy, lambda link: link.reset(), lambda link: (link.read(), link.stall()))
        publish("lost on the way")
        gap_of(lost.receive())
        assert waits == [0.1, 0.2]


def ping_on(link: Any) -> None:
    """Say something again and again, but never what the subscriber waits for."""
    ping = frame(TEXT, b'{"event":"pusher:ping"}')
    while True:
        link.drip(ping)


@pytest.mark.parametrize("go_on", [lambda link: link.stall(), ping_on], ids=["silent", "chatty"])
def test_a_server_that_greets_but_never_confirms_is_tried_again(proxy, publish, waits, go_on):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat", timeout=1) as lost:
        unconfirmed = lambda link: (take_the_subscription(link), go_on(link))  # noqa: E731
        in_turn(proxy, lambda link: link.reset(), unconfirmed)
        publish("lost on the way")
        assert gap_of(lost.receive())["reason"].endswith("without goodbye.")
        publish("after")
        assert lost.receive().event == "after"
        assert waits == [0.1, 0.2]
        assert proxy.connections == 3


def test_a_connection_that_stalls_is_found_out_and_replaced(proxy, publish, waits, monkeypatch):
    monkeypatch.setattr(  # by pings, which otherwise come every 20 s
        "pusherkit.subscriber.websockets.sync.client.connect",
        partial(websockets.sync.client.connect, ping_interval=0.1, ping_timeout=1),
    )
    proxy.listen()
    with Subscriber(proxy.credentials, "chat", timeout=1) as lost:
        in_turn(proxy, lambda link: (link.send(link.hear()[:-3]), link.stall()))
        publish("lost on the way")
        gap_of(lost.receive(timeout=10))
        publish("after")
        assert lost.receive().event == "after"
        assert len(waits) == 1


@pytest.mark.parametrize("code", [4000, 4001, 4099])
def test_a_server_that_does_not_want_it_back_is_left_alone(proxy, publish, waits, code):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        in_turn(proxy, lambda link: (link.send(goodbye(code)), link.close()))
        publish("lost on the way")
        with pytest.raises(PusherError, match=f"^The server closed the connection: {code}"):
            lost.receive()
        assert list(lost) == []
    assert waits == []
    assert proxy.connections == 1


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_without_reconnecting_a_loss_is_an_error(proxy, publish, waits, loss):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat", reconnect=False) as lost:
        in_turn(proxy, loss)
        publish("lost on the way")
        with pytest.raises(PusherError, match=CLOSED):
            lost.receive()
    assert waits == []
    assert proxy.connections == 1


def test_frames_may_come_byte_by_byte(proxy, publish):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as slow:
        in_turn(proxy, lambda link: (link.drip(link.hear()), link.pass_on()))
        publish("slowly")
        assert slow.receive().event == "slowly"
        publish("after")
        assert slow.receive().event == "after"


# --- what a person is told ----------------------------------------------------------------------


@pytest.mark.parametrize("host", ["http://" + "x" * 64 + ".example", "http://a..b"])
def test_a_host_that_is_no_name_is_told(proxy, host):
    with pytest.raises(PusherError, match=rf"^No connection to ws://{host[7:]}/app/.*: .*label"):
        Subscriber(replace(proxy.credentials, base_url=host), "chat", timeout=1)


@pytest.mark.parametrize(
    ("scheme", "name", "value", "told"),
    [
        ("ws", "SOCKS_PROXY", "socks5://me:hunter2@127.0.0.1:9", 'names a SOCKS.*"python-socks"'),
        ("ws", "http_proxy", "ftp://me:hunter2@proxy", "can't be used: expected a URL"),
        ("ws", "HTTP_PROXY", "http://me:hun/ter2@proxy", "can't be used: expected a URL"),
        ("wss", "HTTPS_PROXY", "http://proxy:hunter2", "can't be used: expected a URL"),
        ("wss", "https_proxy", "http://[::hunter2", "can't be used: expected a URL"),
    ],
)
def test_a_proxy_of_the_environment_that_cannot_be_used_is_named_and_not_quoted(
    monkeypatch, scheme, name, value, told
):
    for other in [other for other in os.environ if other.lower().endswith("_proxy")]:
        monkeypatch.delenv(other)
    monkeypatch.setenv(name, value)
    there = replace(PRACTICE_CREDENTIALS, base_url=f"{scheme.replace('ws', 'http')}://example.com")
    where = rf"^No connection to {scheme}://example\.com/app/practice-key: {name} {told}"
    with pytest.raises(PusherError, match=where) as caught:
        Subscriber(there, "chat", timeout=1)
    assert "hun" not in str(caught.value)


def test_a_server_that_stalls_is_named(proxy):
    proxy.listen()
    proxy.fault = lambda link: (link.ask(), link.stall())
    with pytest.raises(PusherError, match=f"^No .*{proxy.address}"):
        Subscriber(proxy.credentials, "chat", timeout=STALL_SECONDS)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("an unknown kind", "invalid opcode"),
        ("a bit that is not in use", "reserved bits"),
        ("a masked text", "masking"),
        ("a text without end", "exceeds limit"),
        ("a broken goodbye", "too short"),
    ],
)
def test_a_server_that_speaks_nonsense_is_left_with_a_reason(proxy, kind, told):
    proxy.listen()
    proxy.fault = after_the_handshake(NO_FRAME[kind])
    with pytest.raises(PusherError, match=rf"^The subscriber closed the connection: 10.*{told}"):
        Subscriber(proxy.credentials, "chat")


def test_a_loss_begins_with_the_last_sign_of_life(proxy, publish, waits):
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        in_turn(proxy, lambda link: (link.send(link.hear()[:-3]), link.reset()))
        published = time.time()
        publish("lost on the way")
        gap = gap_of(lost.receive())
        assert gap["from"] <= published <= gap["to"]


@pytest.mark.parametrize(("code", "wait"), [(4100, 1.0), (4200, 0.2)])
def test_a_server_that_is_busy_at_its_return_is_tried_again(proxy, publish, waits, code, wait):
    error = {"event": "pusher:error", "data": {"code": code, "message": "Later."}}
    busy = after_the_handshake(frame(TEXT, json.dumps(error).encode()) + goodbye(code))
    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        in_turn(proxy, lambda link: link.reset(), busy)
        publish("lost on the way")
        gap_of(lost.receive())
        assert waits == [0.1, wait]


def test_a_server_that_drops_it_over_and_over_is_not_run_down(proxy, publish, waits):
    def subscribe_and_drop(link: Any) -> None:
        take_the_subscription(link)
        link.send(link.hear() + goodbye(4200))
        link.close()

    proxy.listen()
    with Subscriber(proxy.credentials, "chat") as lost:
        in_turn(proxy, lambda link: link.reset(), *[subscribe_and_drop] * 3)
        publish("lost on the way")
        for _ in range(4):
            gap_of(lost.receive())
        assert waits == [0.1, 0.2, 0.4, 0.8]
