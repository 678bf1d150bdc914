"""The practice server's shell: Tornado on a thread and a loop of its own, on 127.0.0.1 only.

It moves bytes between sockets and a Sandbox, and does nothing else. Its own thread, because a
server on the notebook kernel's loop would stand still while a cell waits for its answer.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import tornado.httpserver
import tornado.ioloop
import tornado.web

from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.events import Event
from pusherkit.sandbox.api import PRACTICE_CREDENTIALS, Entry, Exchange, RawRequest, Sandbox
from pusherkit.sandbox.channels import Connection
from pusherkit.sandbox.live import LiveFeed, LivePage
from pusherkit.sandbox.sockets import BoundedWebSocket

HOST = "127.0.0.1"
MAX_PORT = 65_535  # of TCP
MAX_READ_BYTES = 64 * 1024 * 1024  # above it, the connection is cut; below, a 413 explains
MAX_FRAME_BYTES = 128 * 1024  # of one WebSocket frame from a client; as large as a data limit
TICK_SECONDS = 5.0  # between two looks for silent subscribers
START_SECONDS = 10.0  # until start() gives up; it takes milliseconds


class SandboxServer:
    """A practice server on a free port of 127.0.0.1, or on `port`.

    `start()` returns once it answers, `stop()` once its thread and port are free; `with` does
    both. A server that is no longer referenced stops by itself, so running a cell again leaves
    nothing behind. `clock` returns the server's Unix time in seconds; `rate` is the number of
    requests per second, None for no limit. `watch` is called with each Exchange and Delivery, on
    the server's thread.

    The port is taken, and `credentials` carry its URL, from `start()` on.
    """

    def __init__(
        self,
        credentials: Credentials = PRACTICE_CREDENTIALS,
        *,
        port: int = 0,
        rate: float | None = None,
        clock: Callable[[], float] = time.time,
        watch: Callable[[Entry], None] | None = None,
    ) -> None:
        self.sandbox = Sandbox(credentials, rate=rate)
        if watch is not None:
            self.sandbox.watchers.append(watch)
        self.credentials = credentials
        self._port = port
        self._clock = clock
        self._stop: weakref.finalize[..., Any] | None = None

    def start(self) -> Self:
        """Bind the port and serve. Raises PusherError where the port is taken."""
        if self._stop is not None and self._stop.alive:
            return self
        if not 0 <= self._port <= MAX_PORT:
            raise PusherError(f"port: expected 0 to {MAX_PORT}, got {self._port}.")
        try:
            listener = socket.create_server((HOST, self._port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise PusherError(
                f"Port {self._port} on {HOST} cannot be used: {reason}. "
                "Choose another, or 0 for any free one."
            ) from error
        listener.setblocking(False)
        port = listener.getsockname()[1]
        self.credentials = replace(self.credentials, base_url=f"http://{HOST}:{port}")
        # The thread must not hold the server, or an unreferenced server would never be collected.
        loop, closing, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
        open_sockets: set[BoundedWebSocket] = set()
        app = _application(self.sandbox, self._clock, open_sockets)
        sandbox, now = self.sandbox, self._clock
        thread = threading.Thread(
            target=_run,
            args=(
                loop,
                _serve(
                    app,
                    listener,
                    open_sockets,
                    lambda: sandbox.channels.tick(now()),
                    closing,
                    ready,
                ),
            ),
            name=f"pusherkit-sandbox-{port}",
            daemon=True,
        )
        thread.start()
        ready.wait(START_SECONDS)
        self._stop = weakref.finalize(self, _stop, loop, closing, thread)
        return self

    def stop(self) -> None:
        """Close every connection and the port, and end the thread. Stopping twice does no harm."""
        if self._stop is not None:
            self._stop()

    @property
    def running(self) -> bool:
        """Whether the server is up."""
        return self._stop is not None and self._stop.alive

    @property
    def url(self) -> str:
        """Where the HTTP API is: http://127.0.0.1:PORT."""
        return self.credentials.base_url

    @property
    def ws_url(self) -> str:
        """Where subscribers connect: ws://127.0.0.1:PORT/app/KEY?protocol=7."""
        return f"{self.url.replace('http', 'ws', 1)}/app/{self.credentials.key}?protocol=7"

    @property
    def log(self) -> tuple[Exchange, ...]:
        """The latest exchanges, oldest first."""
        return tuple(self.sandbox.log)

    @property
    def events(self) -> tuple[Event, ...]:
        """The latest events that went out, oldest first. Client events are among them."""
        return tuple(delivery.event for delivery in self.sandbox.deliveries)

    def clear(self) -> None:
        """Forget the log and the deliveries."""
        self.sandbox.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        # No port: a notebook's stored output must be the same on every run.
        return f"<SandboxServer app {self.credentials.app_id}, {(self.running and 'up') or 'down'}>"


def _run(loop: asyncio.AbstractEventLoop, main: Any) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main)


async def _serve(
    app: tornado.web.Application,
    listener: socket.socket,
    open_sockets: set[BoundedWebSocket],
    tick: Callable[[], None],
    closing: asyncio.Event,
    ready: threading.Event,
) -> None:
    server = tornado.httpserver.HTTPServer(app, max_body_size=MAX_READ_BYTES)
    server.add_socket(listener)
    ticking = tornado.ioloop.PeriodicCallback(tick, TICK_SECONDS * 1_000)
    ticking.start()
    ready.set()
    await closing.wait()
    ticking.stop()
    server.stop()
    for open_socket in tuple(open_sockets):
        open_socket.cut()
    await server.close_all_connections()


def _stop(
    loop: asyncio.AbstractEventLoop, closing: asyncio.Event, thread: threading.Thread
) -> None:
    loop.call_soon_threadsafe(closing.set)
    if thread is not threading.current_thread():  # the collector may run anywhere
        thread.join(START_SECONDS)


def _application(
    sandbox: Sandbox,
    clock: Callable[[], float],
    open_sockets: set[BoundedWebSocket],
) -> tornado.web.Application:
    api = {"sandbox": sandbox, "clock": clock}
    return tornado.web.Application(
        [
            (r"/", LivePage),
            (r"/live", LiveFeed, {"sandbox": sandbox, "open_sockets": open_sockets}),
            (r"/app/([^/]+)", _Subscription, {**api, "open_sockets": open_sockets}),
            (r".*", _Api, api),
        ],
        log_function=lambda handler: None,  # the sandbox keeps the log
        websocket_max_message_size=MAX_FRAME_BYTES,
    )


class _Handler(tornado.web.RequestHandler):
    """What both handlers share: JSON, also for what Tornado refuses by itself."""

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish({"error": f"{status_code}: {self._reason}."})


@tornado.web.stream_request_body  # so that Tornado leaves the body alone, whatever its type
class _Api(_Handler):
    """Every HTTP request, whatever its path."""

    def initialize(self, sandbox: Sandbox, clock: Callable[[], float]) -> None:
        self._sandbox, self._clock = sandbox, clock
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    async def _answer(self, *_: str) -> None:
        request = RawRequest(
            method=self.request.method or "",
            # Tornado decodes the request line as latin-1; this gives back its bytes.
            target=(self.request.uri or "/").encode("latin-1"),
            body=bytes(self._body),
        )
        reply = self._sandbox.handle(request, now=self._clock())
        self.set_status(reply.status)
        for name, value in reply.headers:
            self.set_header(name, value)
        self.finish(reply.body)

    get = head = post = put = patch = delete = options = _answer

    def compute_etag(self) -> None:
        return None  # an API has no use for it


class _Subscription(_Handler, BoundedWebSocket):
    """One subscriber's WebSocket."""

    def initialize(
        self,
        sandbox: Sandbox,
        clock: Callable[[], float],
        open_sockets: set[BoundedWebSocket],
    ) -> None:
        self.begin(open_sockets)
        self._sandbox, self._clock = sandbox, clock
        self._connection: Connection | None = None

    def check_origin(self, origin: str) -> bool:
        return True  # a page from any local development server may subscribe

    async def get(self, *path: str, **_: str) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            self.set_status(400)
            self.finish({"error": "Subscribers connect here, by WebSocket; this is plain HTTP."})
            return
        await super().get(*path)

    def open(self, *path: str, **_: str) -> None:
        super().open()
        (key,) = path
        self._connection = self._sandbox.channels.open(
            self.send,
            self.hang_up,
            key=key,
            protocol=self.get_query_argument("protocol", None),
            now=self._clock(),
        )

    def on_message(self, message: str | bytes) -> None:
        if self._connection is not None:
            text = message if isinstance(message, str) else message.decode(errors="replace")
            self._sandbox.channels.receive(self._connection, text, now=self._clock())

    def leave(self) -> None:
        if self._connection is not None:
            self._sandbox.channels.close(self._connection)
