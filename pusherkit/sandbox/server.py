"""The practice server's shell: Tornado on a thread and a loop of its own.

It moves bytes between sockets and a Sandbox, within limits, and does nothing else. It has its own
thread because a server on the notebook kernel's loop couldn't answer while a cell waits for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Self

import tornado.httpserver
import tornado.ioloop
import tornado.routing
import tornado.web
from tornado.httputil import HTTPServerRequest

from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.events import Event
from pusherkit.sandbox.api import (
    PRACTICE_CREDENTIALS,
    Entry,
    Exchange,
    OwnCall,
    RefusedSubscription,
    Sandbox,
    Unauthorized,
)
from pusherkit.sandbox.channels import PATH_NOT_FOUND, Connection, turn_away
from pusherkit.sandbox.entrance import Entrance
from pusherkit.sandbox.explainer import Explainer
from pusherkit.sandbox.handler import BodyHandler, Handler, Shell, timed
from pusherkit.sandbox.keys import FindKey
from pusherkit.sandbox.live import DoctorDesk, LiveFeed, LivePage
from pusherkit.sandbox.posting import post_webhooks
from pusherkit.sandbox.sockets import BoundedWebSocket
from pusherkit.sandbox.visitors import SHOWN, Visitors, host_name
from pusherkit.sandbox.webhooks import (
    DEPARTURE_SECONDS,
    WebhookCall,
    Webhooks,
    check_webhook_url,
)

HOST = "127.0.0.1"  # this machine alone can reach it
# The addresses that mean all of the machine's, each with one that programs here can connect to.
_ANY = {"0.0.0.0": HOST, "::": "::1"}  # noqa: S104 - nothing is bound here
MAX_PORT = 65_535  # of TCP
BACKLOG = 1_024  # connections that may wait to be accepted; the system may allow fewer
MAX_HEAD_BYTES = 64 * 1024  # of request line and headers; a browser's cookies can be long
MAX_IDLE_BODY_BYTES = 64 * 1024  # of a body where none belongs, which is read and ignored
MAX_FRAME_BYTES = 128 * 1024  # of one WebSocket frame from a client; as large as a data limit
HEAD_SECONDS = 20.0  # until a request's headers are there, from the answer to the one before
BODY_SECONDS = 20.0  # until the body is there, from the headers
TICK_SECONDS = 5.0  # between two looks for silent subscribers
START_SECONDS = 10.0  # until start() gives up; it takes milliseconds
GOODBYE_SECONDS = 0.2  # for open connections to end, once the server stops
STOP_SECONDS = 10.0  # until stop() gives up; it takes milliseconds

_log = logging.getLogger("pusherkit.sandbox")


class SandboxServer:
    """A practice server on a free port of 127.0.0.1, or on `port` and `host`.

    `start()` returns once it answers, `stop()` once its thread and port are free; `with` does
    both. A server that is no longer referenced stops by itself, so running a cell again leaves
    nothing open. `clock` returns the server's Unix time in seconds; `rate` is the number of
    requests per second, None for no limit. `watch` is called with each Exchange, Delivery,
    RefusedSubscription and WebhookCall, on the server's thread; if it raises, that is logged and it
    isn't called again. `personality` is a server to judge and answer as, such as "soketi"; the log
    then also has what the strict practice server would have answered.

    `webhook` is a URL on this machine, such as http://127.0.0.1:5000/webhooks: it is told what
    happens in the channels, and `webhook_calls` has what came of it. `departure_delay` is as for
    Webhooks, `subscription_count` as for Channels.

    Requests are answered under this machine's own names (127.0.0.1, localhost), and pages from
    there may use it. `allow_hosts` are other names, such as hub.example, under which it is reached
    through a proxy; `allow_origins` are other pages' origins, such as http://my-app.test:3000.

    `find_key` and `calls` are as for Sandbox: other keys of the app, and calls of your own. They
    are called on the server's thread.

    `host` is an address or a name of this machine for others to reach it by, and 0.0.0.0 means all
    of its addresses; then give the names that others use as `allow_hosts`. Anybody who can reach it
    can open the live page, which shows everything: `pages=False` leaves it out, and its doctor.

    `build` makes the app that is served, from the credentials, the rate and the socket ids: a
    Sandbox, or one that does more.

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
        allow_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        webhook: str | None = None,
        departure_delay: float = DEPARTURE_SECONDS,
        subscription_count: bool = False,
        personality: str | None = None,
        find_key: FindKey | None = None,
        calls: Mapping[str, OwnCall] | None = None,
        host: str = HOST,
        pages: bool = True,
        build: Callable[..., Sandbox] = Sandbox,
    ) -> None:
        # An empty one is checked, too: it's what an unset variable of a shell makes.
        self._webhook = None if webhook is None else check_webhook_url(credentials, webhook)
        self.sandbox = build(
            credentials,
            rate=rate,
            socket_ids=_socket_ids(),
            webhooks=Webhooks(credentials, departure_delay=departure_delay) if webhook else None,
            subscription_count=subscription_count,
            personality=personality,
            find_key=find_key,
            calls=calls,
        )
        self.sandbox.watcher_failed = _watcher_failed
        if watch is not None:
            self.sandbox.watchers.append(watch)
        self.credentials = credentials
        self._host, self._port = host_name("host", host).strip("[]"), port
        self._pages = pages
        self._clock = clock
        own_name = [] if self._host in {HOST, *_ANY} else [self._host]
        self._visitors = Visitors([*own_name, *allow_hosts], allow_origins)
        self._stop: weakref.finalize[..., Any] | None = None

    def start(self) -> Self:
        """Bind the port and serve.

        Raises PusherError if the host isn't this machine's, if the port is taken, or if `clock`
        returns something that isn't a time.
        """
        if self._stop is not None and self._stop.alive:
            return self
        shell, listener = self._bound()
        # The thread must not hold the server, or an unreferenced server would never be collected.
        loop = asyncio.SelectorEventLoop()  # on Windows, too: the other kind has no add_reader()
        closing, ready = asyncio.Event(), threading.Event()
        application = _application(shell, self._pages)
        thread = threading.Thread(
            target=_run,
            args=(loop, _serve(application, shell, listener, closing, ready, self._webhook)),
            name=f"pusherkit-sandbox-{listener.getsockname()[1]}",
            daemon=True,
        )
        thread.start()
        ready.wait(START_SECONDS)
        self._stop = weakref.finalize(self, _stop, loop, closing, thread)
        return self

    @asynccontextmanager
    async def serving(self, rules: Iterable[Any] = ()) -> AsyncIterator[Self]:
        """Serve on the running loop, which has add_reader(), instead of on a thread.

        `rules` are routes of your own, as Tornado's Application takes them. They're looked at
        first. Raises as start() does.
        """
        shell, listener = self._bound()
        closing = asyncio.Event()
        application = _application(shell, self._pages, rules)
        served = asyncio.create_task(
            _serve(application, shell, listener, closing, threading.Event(), self._webhook)
        )
        try:
            yield self
        finally:
            closing.set()
            await served

    def _bound(self) -> tuple[Shell, socket.socket]:
        """The port, taken, and what all handlers share."""
        if not 0 <= self._port <= MAX_PORT:
            raise PusherError(f"port: expected 0 to {MAX_PORT}, got {self._port}.")
        clock = _Clock(self._clock)
        listener = _listen(self._host, self._port)
        port = listener.getsockname()[1]
        name = _ANY.get(self._host, self._host)
        url = f"http://{f'[{name}]' if ':' in name else name}:{port}"
        self.credentials = replace(self.credentials, base_url=url)
        shell = Shell(
            sandbox=self.sandbox,
            clock=clock,
            visitors=self._visitors,
            explainer=Explainer(self.sandbox),
            url=url,
        )
        return shell, listener

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
        """Where programs here reach the HTTP API: http://127.0.0.1:PORT, or another `host`."""
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

    @property
    def refused_subscriptions(self) -> tuple[RefusedSubscription, ...]:
        """The latest subscriptions and sign-ins that were refused, oldest first."""
        return tuple(self.sandbox.refused_subscriptions)

    @property
    def webhook_calls(self) -> tuple[WebhookCall, ...]:
        """The latest calls to the app's own server, and what came of them, oldest first."""
        return tuple(self.sandbox.webhook_calls)

    def clear(self) -> None:
        """Forget the log, the deliveries, the refused subscriptions and the webhooks' calls."""
        self.sandbox.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        # No port: a notebook's stored output must be the same on every run.
        return f"<SandboxServer app {self.credentials.app_id}, {(self.running and 'up') or 'down'}>"


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there and doesn't block; PusherError if there can't be one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = f"Expected one of this machine's, 0.0.0.0 for all of them, or {HOST} for itself alone."
    try:
        (_, _, _, _, (address, *_)), *_ = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter for a name that can't be in the DNS
        raise PusherError(f"host: can't find an address for {host[:SHOWN]}. {own}") from error
    try:
        listener = socket.create_server(
            (str(address), port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise PusherError(f"host: {host} isn't an address of this machine. {own}") from error
        reason = os.strerror(error.errno or 0)
        raise PusherError(
            f"Port {port} on {host} cannot be used: {reason}. "
            "Choose another, or 0 for any free one."
        ) from error
    listener.setblocking(False)
    return listener


def _run(loop: asyncio.AbstractEventLoop, main: Any) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main)


async def _serve(
    application: tornado.web.Application,
    shell: Shell,
    listener: socket.socket,
    closing: asyncio.Event,
    ready: threading.Event,
    webhook: str | None,
) -> None:
    server = tornado.httpserver.HTTPServer(
        application,
        max_header_size=MAX_HEAD_BYTES,
        max_body_size=MAX_IDLE_BODY_BYTES,
        idle_connection_timeout=HEAD_SECONDS,
        body_timeout=BODY_SECONDS,
    )
    entrance = Entrance(listener, server.handle_stream)
    later = shell.explainer.explain_later
    soon = asyncio.get_running_loop().call_soon_threadsafe
    shell.sandbox.explain_later = lambda refused: soon(later, refused)
    ticking = tornado.ioloop.PeriodicCallback(lambda: _tick(shell), TICK_SECONDS * 1_000)
    ticking.start()
    posting = asyncio.create_task(post_webhooks(shell.sandbox, webhook, shell.clock))
    posting.add_done_callback(_posting_ended)
    ready.set()
    await closing.wait()
    ticking.stop()
    posting.cancel()
    entrance.close()
    shell.explainer.stop()
    shell.sandbox.explain_later = shell.sandbox.explain_now
    for open_socket in tuple(shell.open_sockets):
        open_socket.cut()
    # From here on streams end while somebody writes to them, which is nobody's fault.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    # Not close_all_connections(): it waits for the end of each, and until its turn comes, a
    # connection would still be read from, and what has arrived already would be answered.
    serving = []
    for connection in tuple(server._connections):
        connection.stream.close()
        if connection._serving_future is not None:
            serving.append(connection._serving_future)
    ended = asyncio.gather(*serving, posting, return_exceptions=True)
    await asyncio.wait([ended], timeout=GOODBYE_SECONDS)


def _tick(shell: Shell) -> None:
    with timed(lambda: f"looking for silent ones among {len(shell.open_sockets)} WebSockets"):
        shell.sandbox.channels.tick(shell.clock())


def _stop(
    loop: asyncio.AbstractEventLoop, closing: asyncio.Event, thread: threading.Thread
) -> None:
    loop.call_soon_threadsafe(closing.set)
    if thread is not threading.current_thread():  # the collector may run anywhere
        thread.join(STOP_SECONDS)


class _Clock:
    """A clock that always tells a time: where the one given fails, the time it told last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed = False
        self._now = self._read()

    def __call__(self) -> float:
        try:
            self._now = self._read()
        except PusherError as error:
            if not self._failed:
                self._failed = True
                _log.warning("%s The practice server goes on with the last time it knew.", error)
        return self._now

    def _read(self) -> float:
        try:
            told = self._clock()
            now = float(told)
        except Exception as error:
            raise PusherError(f"clock: expected Unix seconds, got an error: {error!r}.") from error
        if not math.isfinite(now):
            raise PusherError(f"clock: expected Unix seconds, got {told!r}.")
        return now


def _socket_ids() -> Iterator[str]:
    """Ids that nobody can foresee, not even from those of an earlier start."""
    while True:
        yield f"{secrets.randbelow(10**9)}.{secrets.randbelow(10**9)}"


def _watcher_failed(error: Exception) -> None:
    _log.error("A watcher raised an error, so it will hear of nothing more.", exc_info=error)


def _posting_ended(posting: asyncio.Task[None]) -> None:
    if not posting.cancelled() and (error := posting.exception()):
        _log.error("Webhooks can't be sent any more, until this starts again.", exc_info=error)


def _application(shell: Shell, pages: bool, rules: Iterable[Any] = ()) -> tornado.web.Application:
    shared = {"shell": shell}
    feed = [(r"/live", LiveFeed, shared)]
    for_browsers = [(r"/", LivePage, shared), (r"/doctor", DoctorDesk, shared)]
    return tornado.web.Application(
        [
            *rules,
            *(feed if pages else []),
            (r"/app/([^/]+)", _Subscription, shared),
            tornado.routing.Rule(_Upgrade(), _UnknownPath, shared),
            *(for_browsers if pages else []),
            (r".*", _Api, shared),
        ],
        log_function=lambda handler: None,  # the sandbox keeps the log
        websocket_max_message_size=MAX_FRAME_BYTES,
    )


class _Api(BodyHandler):
    """Every request to the HTTP API, whatever its path."""

    async def answer(self, body: bytes) -> None:
        shell, raw = self.shell, self.raw(body)
        sandbox = shell.sandbox
        with timed(self.what):
            judged = sandbox.judge(raw, now=shell.clock())
        if isinstance(judged, Unauthorized):
            explanation = await shell.explainer.explain(judged, self.gone)
            with timed(self.what):
                judged = sandbox.refuse(judged, explanation)
        self.write_reply(judged)
        self.finish()

    async def _answer(self, *_: str) -> None:
        await self.arrived()

    get = head = post = put = patch = delete = options = _answer


class _Upgrade(tornado.routing.Matcher):
    """Matches a request to open a WebSocket, whatever its path."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        return {} if upgrade and request.method == "GET" else None


class _UnknownPath(Handler, BoundedWebSocket):
    """A WebSocket where there is none: it's opened, so that its client hears why it's closed."""

    def initialize(self, shell: Shell) -> None:
        super().initialize(shell)
        self.begin(shell.open_sockets)

    def check_origin(self, origin: str) -> bool:
        return True  # it was looked at before, like that of every request

    def open(self, *_: str, **__: str) -> None:
        super().open()
        protocol = self.get_query_argument("protocol", None)
        reason = "Path not found. Subscribers connect to /app/KEY."
        turn_away(self.send, self.hang_up, protocol, PATH_NOT_FOUND, reason)


class _Subscription(Handler, BoundedWebSocket):
    """One subscriber's WebSocket."""

    def initialize(self, shell: Shell) -> None:
        super().initialize(shell)
        self.begin(shell.open_sockets)
        self._connection: Connection | None = None

    def check_origin(self, origin: str) -> bool:
        return True  # it was looked at before, like that of every request

    async def get(self, *path: str, **_: str) -> None:
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            self.set_status(400)
            self.finish({"error": "Subscribers connect here, by WebSocket; this is plain HTTP."})
            return
        await super().get(*path)

    def open(self, *path: str, **_: str) -> None:
        super().open()
        (key,) = path
        self._connection = self.shell.sandbox.channels.open(
            self.send,
            self.hang_up,
            key=key,
            protocol=self.get_query_argument("protocol", None),
            version=self.get_query_argument("version", None),
            now=self.shell.clock(),
            ping=self.ping_peer,
        )

    def on_ping(self, data: bytes) -> None:
        if self._connection is not None:
            self.shell.sandbox.channels.heard(self._connection, now=self.shell.clock())

    on_pong = on_ping

    def on_message(self, message: str | bytes) -> asyncio.Future[None] | None:
        if self._connection is not None:
            shell, shown = self.shell, message if isinstance(message, str) else "(binary)"
            hide = self._connection.credentials.hide
            with timed(lambda: f"frame {hide(shown[:SHOWN])!r}"):
                shell.sandbox.channels.receive(self._connection, message, now=shell.clock())
        return self.drained()

    def leave(self) -> None:
        if self._connection is not None:
            self.shell.sandbox.channels.close(self._connection)
