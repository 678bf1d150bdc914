"""A practice server that calls the learner's own server.

Theirs is a request handler of the standard library's http.server. Where there are sockets, it runs
on a free port of 127.0.0.1, and the webhooks reach it over HTTP. A browser tab has none: there the
same handler is given the same bytes in this process.
"""

from __future__ import annotations

import functools
import io
import socketserver
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler

from pusherkit.errors import PusherError
from pusherkit.lessons.kit.practice import (
    EXAMPLE_CREDENTIALS,
    LivePractice,
    Practice,
    stopped_clock,
)
from pusherkit.sandbox.api import Sandbox
from pusherkit.sandbox.posting import call_in_process
from pusherkit.sandbox.webhooks import Webhooks
from pusherkit.subscriber import Subscriber

SETTLE_SECONDS = 10.0  # until a learner hears that something hangs; it takes a quarter of a second
POLL_SECONDS = 0.005
CLOSE_SECONDS = 1.0  # for a handler at work to end; one that never does is left behind

Handler = type[BaseHTTPRequestHandler]


class Page:
    """A page that somebody has open, subscribed to one channel, until `close()`."""

    def __init__(self, subscriber: Subscriber, settle: Callable[[], None]) -> None:
        self._subscriber = subscriber
        self._settle = settle
        self.is_open = True

    def close(self) -> None:
        """Close the page. Returns once your server has been told."""
        self.is_open = False
        self._subscriber.close()
        self._settle()


class CallingPractice(Practice):
    """A practice server that calls `handler` in this process, at once."""

    def __init__(self, handler: Handler, clock: Callable[[], float] = stopped_clock) -> None:
        webhooks = Webhooks(EXAMPLE_CREDENTIALS, departure_delay=0)
        super().__init__(clock, sandbox=Sandbox(EXAMPLE_CREDENTIALS, webhooks=webhooks))
        self._answer = functools.partial(handle, handler)
        call_in_process(self.sandbox, self._answer, clock)
        self._pages: weakref.WeakSet[Page] = weakref.WeakSet()

    def open(self, channel: str) -> Page:
        """Open a page that subscribes to a channel. Returns once your server has been told."""
        page = Page(self.subscribe(channel), self.settle)
        self._pages.add(page)
        self.settle()
        return page

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Do what any stranger can: post something to your server. Returns its status."""
        return self._answer(body, headers)

    @property
    def calls(self) -> list[str]:
        """What your server was told, and what it answered; a line each, oldest first."""
        return [
            f"{call.webhook} → {call.status or call.problem}"
            for call in tuple(self.sandbox.webhook_calls)
        ]

    def settle(self) -> None:
        """Return once everything that has happened was posted, and answered."""


class LiveCallingPractice(LivePractice, CallingPractice):
    """A practice server that calls `handler` over HTTP, on a port of 127.0.0.1."""

    def __init__(self, handler: Handler, clock: Callable[[], float] = stopped_clock) -> None:
        # Not http.server's own HTTPServer: that one looks up the machine's name, which can take
        # seconds.
        receiver = socketserver.TCPServer(("127.0.0.1", 0), handler)
        closed = threading.Event()
        thread = threading.Thread(
            target=_serve, args=(receiver, closed), name="pusherkit-receiver", daemon=True
        )
        thread.start()
        weakref.finalize(self, _close, receiver, closed, thread)
        self._url = f"http://127.0.0.1:{receiver.server_address[1]}/webhooks"
        LivePractice.__init__(self, clock, webhook=self._url, departure_delay=0)
        weakref.finalize(self, self.http.close)
        self._pages = weakref.WeakSet()

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        return self.http.post(self._url, content=body, headers=dict(headers)).status_code

    def settle(self) -> None:
        webhooks = self.sandbox.webhooks
        assert webhooks is not None  # noqa: S101 - it was made with them
        deadline = time.monotonic() + SETTLE_SECONDS
        settled = False
        while True:
            # An answer comes after all that the server's loop had to do before, so what was seen
            # twice, before and after one, was not seen in the middle of a step.
            self.http.get("/app/nothing")
            before = settled
            pages = sum(page.is_open for page in tuple(self._pages))
            settled = self.sandbox.channels.connections == pages and webhooks.idle
            if settled and before:
                return
            if time.monotonic() > deadline:
                raise PusherError(
                    f"Your server hasn't answered after {SETTLE_SECONDS:g} s. Does your handler "
                    "read more than Content-Length bytes, or wait for something?"
                )
            time.sleep(POLL_SECONDS)


def calling(handler: Handler) -> CallingPractice:
    """A practice server that calls your handler with each webhook."""
    make = CallingPractice if sys.platform == "emscripten" else LiveCallingPractice
    return make(handler)


def _serve(receiver: socketserver.TCPServer, closed: threading.Event) -> None:
    receiver.timeout = 0.02
    while not closed.is_set():
        receiver.handle_request()


def _close(
    receiver: socketserver.TCPServer, closed: threading.Event, thread: threading.Thread
) -> None:
    closed.set()  # shutdown() would wait for as long as a handler takes
    thread.join(CLOSE_SECONDS)
    receiver.server_close()


def handle(handler: Handler, body: bytes, headers: Mapping[str, str]) -> int:
    """Have a handler answer a POST without a socket; return the status that it sent."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = ["POST /webhooks HTTP/1.1", *lines, f"Content-Length: {len(body)}", "Connection: close"]
    request = "\r\n".join([*head, "", ""]).encode("latin-1") + body
    status = exchange(handler, request).split(b" ")[1:2]
    return int(status[0]) if status and status[0].isdigit() else 500


def exchange(handler: Handler, request: bytes) -> bytes:
    """What a handler writes to its socket, without one, when this request comes; b"" if nothing."""
    socket = _NoSocket(request)
    handler(socket, ("127.0.0.1", 0), None)  # type: ignore[arg-type]
    return socket.sent


class _NoSocket:
    """What a handler needs of a socket: a request to be read, and room for the answer."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.sent = b""

    def makefile(self, mode: str, buffering: int = -1) -> io.BytesIO:
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        self.sent += bytes(data)
