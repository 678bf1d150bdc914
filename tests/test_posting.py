"""Webhooks on their way: over HTTP, to whatever answers there, and as a call in this process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pusherkit import Client, Credentials, Event, PusherError, verify_webhook
from pusherkit.sandbox import Sandbox, SandboxServer, Webhooks, call_in_process, posting, webhooks
from pusherkit.sandbox.posting import MAX_ROUNDS
from pusherkit.subscriber import Subscriber
from tests.conftest import NOW, Peer

OWN = Credentials(app_id="7", key="own-key", secret="marked-secret-1")


class Receiver:
    """A server for webhooks, as somebody writes it on the first day; what arrived is kept."""

    def __init__(self, *statuses: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.calls: list[tuple[str, bytes, dict[str, str]]] = []
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                named = {name.lower(): value for name, value in handler.headers.items()}
                self.calls.append((handler.path, body, named))
                handler.send_response(left.pop(0) if left else 200)
                for name, value in headers:
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(b"thanks")

            def log_message(handler, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"

    @property
    def events(self) -> list[str]:
        return [
            f"{event['name']} {event['channel']}"
            for _, body, _ in self.calls
            for event in json.loads(body)["events"]
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    with ExitStack() as opened:

        def make(*statuses: int, **options: Any) -> Receiver:
            made = Receiver(*statuses, **options)
            opened.callback(made.close)
            return made

        yield make


@contextmanager
def answering(act: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that reads a request's head and does something odd; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, suppress(OSError):
                    peer.recv(65_536)
                    act(peer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def quick(monkeypatch) -> None:
    """Pauses of a hundredth of a second."""
    monkeypatch.setattr(webhooks, "FIRST_RETRY_SECONDS", 0.01)


@pytest.fixture
def impatient(monkeypatch) -> None:
    """A receiver has to answer within a fifth of a second."""
    monkeypatch.setattr(posting, "ANSWER_SECONDS", 0.2)


def first_call(server: SandboxServer, eventually: Any) -> webhooks.WebhookCall:
    with Subscriber(server.credentials, "order-41"):
        eventually(lambda: server.webhook_calls)
    return server.webhook_calls[0]


# --- received ---------------------------------------------------------------------------------


def test_your_server_is_told_and_can_prove_who_told_it(receiver, eventually):
    hook = receiver()
    with SandboxServer(webhook=hook.url, departure_delay=0) as server:
        with Subscriber(server.credentials, ["order-41", "presence-couriers"], user_id="ann"):
            eventually(lambda: len(hook.events) == 3)
        eventually(lambda: len(hook.events) == 6)
        path, body, headers = hook.calls[0]
        assert path == "/webhooks"
        assert headers["content-type"] == "application/json"  # npm's pusher wants exactly this
        verify_webhook(
            server.credentials,
            body,
            key=headers["x-pusher-key"],
            signature=headers["x-pusher-signature"],
        )
        eventually(lambda: len(server.webhook_calls) == len(hook.calls))
    assert sorted(hook.events) == [
        "channel_occupied order-41",
        "channel_occupied presence-couriers",
        "channel_vacated order-41",
        "channel_vacated presence-couriers",
        "member_added presence-couriers",
        "member_removed presence-couriers",
    ]
    assert {(call.status, call.note) for call in server.webhook_calls} == {(200, "")}


def test_the_time_is_the_servers(receiver, clock, eventually):
    hook = receiver()
    with SandboxServer(webhook=hook.url, clock=clock) as server:
        call = first_call(server, eventually)
    assert json.loads(hook.calls[0][1])["time_ms"] == NOW * 1_000
    assert call.time == NOW


def test_watchers_see_each_call(receiver, eventually):
    seen = []
    with SandboxServer(webhook=receiver().url, watch=seen.append) as server:
        call = first_call(server, eventually)
        eventually(lambda: call in seen)
    server.clear()
    assert server.webhook_calls == ()


def test_it_goes_on_after_a_restart(receiver, eventually):
    hook = receiver()
    server = SandboxServer(webhook=hook.url, departure_delay=0)
    for _ in range(2):
        with server, Subscriber(server.credentials, "order-41"):
            eventually(lambda: hook.events[-1:] == ["channel_occupied order-41"])


@pytest.mark.usefixtures("quick")
def test_what_failed_comes_again_as_the_same_bytes(receiver, eventually):
    hook = receiver(500, 503)
    with SandboxServer(webhook=hook.url) as server, Subscriber(server.credentials, "order-41"):
        eventually(lambda: len(server.webhook_calls) == 3)
    assert [call.status for call in server.webhook_calls] == [500, 503, 200]
    assert [call.attempt for call in server.webhook_calls] == [1, 2, 3]
    assert len({body for _, body, _ in hook.calls}) == 1


# --- not received -----------------------------------------------------------------------------


def stall(peer: socket.socket) -> None:
    """No answer at all."""
    while peer.recv(65_536):
        pass


def drip(peer: socket.socket) -> None:
    """An answer that never comes to its end, and never pauses for long."""
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"a: b\r\n")
        time.sleep(0.01)


def flood(peer: socket.socket, head: bytes = b"") -> None:
    peer.sendall(head)
    while True:
        peer.sendall(b"x" * 65_536)


ODD: dict[str, tuple[Callable[[socket.socket], object], str]] = {
    "stalls": (stall, "No answer within 4 s. Answer with 200 first"),
    "drips": (drip, "No answer within 4 s"),
    "hangs up": (lambda peer: None, "No HTTP answer came: "),
    "garbage": (lambda peer: peer.sendall(b"\x00\xff garbage\r\n\r\n"), "No HTTP answer came: "),
    "a head without end": (flood, "No HTTP answer came: "),
    "interim answers": (
        lambda peer: [peer.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 100) for _ in iter(int, 1)],
        "No ",
    ),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", ODD)
def test_whatever_answers_nobody_is_held_up_and_the_log_says_what_came(way, eventually):
    act, said = ODD[way]
    with answering(act) as url, SandboxServer(webhook=url) as server:
        with Subscriber(server.credentials, "order-41") as page, Client(server.credentials) as app:
            took = 0.0
            while not server.webhook_calls:
                begin = time.monotonic()
                app.trigger("order-41", "status", "{}")
                page.receive()
                took = max(took, time.monotonic() - begin)
        call = server.webhook_calls[0]
    assert took < 2  # seconds; on a busy machine, too
    assert call.status is None
    assert call.note.startswith(said)
    assert "Attempt 1 of 9" in call.note


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["without end", "99 GB", "no chunks"],
)
def test_a_huge_answer_is_not_read_to_its_end_and_its_status_counts(head, eventually):
    with (
        answering(lambda peer: flood(peer, head)) as url,
        SandboxServer(webhook=url) as server,
    ):
        assert first_call(server, eventually).delivered


@pytest.mark.usefixtures("impatient")
def test_a_status_counts_though_the_body_never_comes(eventually):
    def answer_and_stall(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        stall(peer)

    with answering(answer_and_stall) as url, SandboxServer(webhook=url) as server:
        assert first_call(server, eventually).delivered


def test_no_redirect_is_followed(receiver, eventually):
    other = receiver()
    hook = receiver(307, headers=(("Location", other.url),))
    with SandboxServer(webhook=hook.url) as server:
        call = first_call(server, eventually)
    assert call.note.startswith("It answered 307. Redirects aren't followed")
    assert other.calls == []


def test_a_closed_port_is_said(eventually):
    with SandboxServer(webhook=closed_port()) as server:
        call = first_call(server, eventually)
    assert call.note.split("\n") == [
        "Nobody is listening there. Is your server up, and is this its port?",
        "Attempt 1 of 9. The same bytes come again in 1 s.",
    ]


@pytest.mark.usefixtures("quick")
def test_it_is_given_up_in_the_end_and_what_is_lost_is_said(monkeypatch, receiver, eventually):
    monkeypatch.setattr(webhooks, "MAX_ATTEMPTS", 3)
    with (
        SandboxServer(webhook=receiver(*[500] * 3).url) as server,
        Subscriber(server.credentials, "order-41"),
    ):
        eventually(lambda: len(server.webhook_calls) == 3)
        last = server.webhook_calls[-1]
    assert last.note.endswith("Given up after 3 attempts: its event is lost.")


def test_a_server_that_is_stopped_while_it_posts_stops_at_once_and_goes_on_later(eventually):
    reached = threading.Event()

    def begin_and_stall(peer: socket.socket) -> None:
        if reached.is_set():
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        reached.set()
        stall(peer)

    with answering(begin_and_stall) as url:
        server = SandboxServer(webhook=url).start()
        with Subscriber(server.credentials, "order-41"):
            assert reached.wait(10)
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < 2
        assert server.webhook_calls == ()
        with server:
            eventually(lambda: server.webhook_calls)
            assert str(server.webhook_calls[0].webhook) == "channel_occupied order-41"
            assert (server.webhook_calls[0].attempt, server.webhook_calls[0].status) == (1, 200)


def test_a_secret_that_comes_back_is_not_logged(eventually):
    def echo(peer: socket.socket) -> None:
        peer.sendall(b"marked-secret-1\r\n\r\n")

    with answering(echo) as url, SandboxServer(OWN, webhook=url) as server:
        call = first_call(server, eventually)
    assert "No HTTP answer came" in call.note
    assert "marked-secret" not in repr(call)


def test_another_machine_is_not_called():
    with pytest.raises(PusherError, match="The practice server never calls another machine"):
        SandboxServer(webhook="http://example.com/webhooks")


def test_an_empty_address_is_none():
    """A shell makes it of a variable that isn't set."""
    with pytest.raises(PusherError, match="expected a URL on this machine"):
        SandboxServer(webhook="")


# --- in this process ----------------------------------------------------------------------------


@pytest.fixture
def told() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(webhooks=Webhooks(Sandbox().credentials))


@pytest.fixture
def handler(told) -> Callable[..., int]:
    def handle(body: bytes, headers: Any) -> int:
        verify_webhook(
            Sandbox().credentials,
            body,
            key=headers["X-Pusher-Key"],
            signature=headers["X-Pusher-Signature"],
        )
        told.append(tuple(event["name"] for event in json.loads(body)["events"]))
        return 200

    return handle


def test_a_function_is_called_at_once_without_socket_or_thread(sandbox, peer, told, handler):
    threads = threading.active_count()
    call_in_process(sandbox, handler, lambda: NOW)
    ann = peer("presence-couriers", user="ann")
    assert told == [("channel_occupied",), ("member_added",)]
    ann.leaves()
    assert told[2:] == [("member_removed",), ("channel_vacated",)]
    assert threading.active_count() == threads
    assert [call.status for call in sandbox.webhook_calls] == [200] * 4
    assert {call.webhook.time_ms for call in sandbox.webhook_calls} == {NOW * 1_000}


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        (lambda body, headers: 401, "It answered 401. The receiver refused it."),
        (lambda body, headers: {}["key"], "It answered 500. It raised KeyError: 'key'"),
        (lambda body, headers: None, "It answered 500. It returned None; a status"),
        (lambda body, headers: "200", "It answered 500. It returned '200'; a status"),
        (lambda body, headers: True, "It answered 500. It returned True; a status"),
        (lambda body: 200, "It answered 500. It raised TypeError: "),
    ],
)
def test_what_goes_wrong_in_it_reaches_nobody_else(sandbox, peer, handle, said):
    call_in_process(sandbox, handle)
    peer("order-41")
    (call,) = sandbox.webhook_calls
    assert call.note.startswith(said)


def test_what_failed_comes_again_when_it_is_asked_for(sandbox, peer):
    answers, bodies = [500, 503, 200], []

    def handle(body: bytes, headers: Any) -> int:
        bodies.append(body)
        return answers.pop(0)

    again = call_in_process(sandbox, handle, lambda: NOW)
    peer("order-41")
    assert len(bodies) == 1
    again()
    again()
    again()
    assert [call.status for call in sandbox.webhook_calls] == [500, 503, 200]
    assert len(set(bodies)) == 1


def test_a_handler_may_publish_and_that_reaches_who_just_subscribed(sandbox, peer):
    def fill(body: bytes, headers: Any) -> int:
        for event in json.loads(body)["events"]:
            if event["name"] == "cache_miss":
                status = Event.of(event["channel"], "status", "packed")
                sandbox.channels.publish(status, now=NOW)
        return 200

    call_in_process(sandbox, fill, lambda: NOW)
    assert peer("cache-41").received == [("cache-41", "status", "packed")]


def test_what_a_handler_makes_happen_is_told_next(sandbox, clock, told):
    def open_another(body: bytes, headers: Any) -> int:
        told.append(tuple(event["channel"] for event in json.loads(body)["events"]))
        if len(told) < 3:
            Peer(sandbox, clock).subscribes(f"order-{len(told)}")
        return 200

    call_in_process(sandbox, open_another)
    Peer(sandbox, clock).subscribes("order-0")
    assert told == [("order-0",), ("order-1",), ("order-2",)]


def test_a_handler_that_causes_its_own_call_without_end_ends(sandbox, clock, told):
    def over_and_over(body: bytes, headers: Any) -> int:
        told.append(())
        Peer(sandbox, clock).subscribes(f"order-{len(told)}")
        return 200

    call_in_process(sandbox, over_and_over)
    Peer(sandbox, clock).subscribes("order-0")
    assert 10 < len(told) <= MAX_ROUNDS


def test_a_sandbox_without_webhooks_says_so():
    with pytest.raises(ValueError, match="make it with webhooks=Webhooks"):
        call_in_process(Sandbox(), lambda body, headers: 200)


def test_a_fault_of_ours_while_posting_is_logged(monkeypatch, caplog, eventually):
    async def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("pusherkit.sandbox.server.post_webhooks", broken)
    with SandboxServer():
        eventually(lambda: caplog.records)
    (record,) = caplog.records
    assert record.exc_info[0] is RecursionError
    assert "until this starts again" in record.message
    caplog.clear()
