"""Receive events, as a browser would: over a WebSocket, or attached to a sandbox in this process.

A Subscriber is ready when its constructor returns: what is published from then on arrives. It
reconnects after a lost connection and reports the gap. The protocol itself is in subscription.py;
here are the two ways to move its frames.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
import urllib.request
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from socket import SHUT_RDWR
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

if sys.platform != "emscripten":  # in a browser tab there are no sockets, so it isn't installed
    import websockets.exceptions
    import websockets.sync.client
    from websockets.exceptions import ConnectionClosed, InvalidProxy, WebSocketException

from pusherkit._proxies import unusable_proxy
from pusherkit.credentials import MASTER_KEY_BYTES, Credentials, is_local
from pusherkit.encryption import decrypt, secret_box
from pusherkit.errors import DecryptionError, NoSockets, PusherError
from pusherkit.events import ENCRYPTED, RESERVED_NAMES, to_json
from pusherkit.subscription import (
    GAP_EVENT,
    PROTOCOL,
    UNREADABLE_EVENT,
    Authorize,
    Message,
    Refused,
    Send,
    Subscribed,
    Subscription,
    goodbye,
)

__all__ = ["GAP_EVENT", "UNREADABLE_EVENT", "Message", "Subscriber"]

TIMEOUT_SECONDS = 5.0  # for connecting and subscribing, each time; and for receive()
LOST = "Not sent: the connection is lost. It comes back by itself."


class Channels(Protocol):
    """What a server in the same process offers: `Sandbox.channels`."""

    def open(
        self,
        send: Callable[[str], None],
        hang_up: Callable[[int, str], None],
        *,
        key: str,
        protocol: str | None,
        now: float,
    ) -> Any: ...

    def receive(self, connection: Any, text: str, *, now: float) -> None: ...

    def close(self, connection: Any) -> None: ...


class Server(Protocol):
    """A server in the same process: a `Sandbox`."""

    @property
    def credentials(self) -> Credentials: ...

    @property
    def channels(self) -> Channels: ...


class Subscriber:
    """Subscribed to one or several channels from construction to `close()`.

    Iterate over it for the Messages, in order, until it is closed; or call `receive()` for one.
    `on_message`, if given, is called with each Message instead, on the thread that received it.
    Private and presence channels are authorized with the credentials' secret. `user_id` and
    `user_info`, of any JSON type, are who joins a presence channel. With `authorize`, that is asked
    in the secret's place, as a browser asks your server: it's called with the socket_id and the
    channel, and returns what `authorize_channel()` returns, or raises.

    Events on encrypted channels arrive decrypted. One that can't be is a `pusherkit:unreadable`.

    Raises PusherError where the server can't be reached, refuses, or hasn't confirmed every channel
    after `timeout` seconds; where `authorize` raised something; and where PyNaCl is missing.

    It reconnects after a lost connection, after a wait of 0.1 s at first and 10 s at most. With
    `reconnect` False a loss ends the iteration instead, as does a server that doesn't want the
    client back. An attempt that isn't subscribed after `timeout` seconds counts as lost, too.

    Keep a reference to it, or use `with`: a Subscriber that is no longer referenced leaves by
    itself, so running a cell again leaves nothing behind.

    `transport` is the channels of a sandbox in this process, in place of a WebSocket.
    """

    def __init__(
        self,
        credentials: Credentials,
        channels: str | Iterable[str],
        *,
        user_id: str | None = None,
        user_info: object = None,
        on_message: Callable[[Message], None] | None = None,
        authorize: Authorize | None = None,
        timeout: float = TIMEOUT_SECONDS,
        reconnect: bool = True,
        transport: Channels | None = None,
    ) -> None:
        self._subscription = Subscription(
            credentials, channels, user_id=user_id, user_info=user_info, authorize=authorize
        )
        if any(name.startswith(ENCRYPTED) for name in self._subscription.channels):
            secret_box(bytes(MASTER_KEY_BYTES))  # or an error, before anything is sent
        self._connection: _Connection
        if transport is None:
            if sys.platform == "emscripten":
                raise NoSockets(f"reach {credentials.base_url}")
            socket = _WebSocket(
                self._subscription, on_message, credentials.base_url, timeout, reconnect
            )
            # Neither the thread nor this holds the Subscriber, or it would never be collected.
            weakref.finalize(self, socket.cut).atexit = False
            self._connection = socket
        else:
            self._connection = _InProcess(
                self._subscription, on_message, credentials.key, transport
            )
        self._connection.open()
        if not self._connection.ready.wait(timeout):
            self._connection.end(self._subscription.unanswered(timeout))
        if problem := self._connection.problem:
            raise PusherError(problem)

    @classmethod
    def attached(
        cls,
        sandbox: Server,
        channels: str | Iterable[str],
        *,
        user_id: str | None = None,
        user_info: object = None,
        on_message: Callable[[Message], None] | None = None,
        authorize: Authorize | None = None,
    ) -> Self:
        """Subscribe to a sandbox in this process: no socket and no thread.

        It stays subscribed for as long as the sandbox exists, or until `close()`.
        """
        return cls(
            sandbox.credentials,
            channels,
            user_id=user_id,
            user_info=user_info,
            on_message=on_message,
            authorize=authorize,
            transport=sandbox.channels,
        )

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels, in the order in which they were given."""
        return self._subscription.channels

    @property
    def socket_id(self) -> str | None:
        """This connection's, for a publisher that leaves it out. It's another after a return."""
        return self._subscription.socket_id

    def members(self, channel: str) -> dict[str, Any]:
        """Who is in a presence channel at present: the user_info of each user_id."""
        return self._subscription.members(channel)

    def receive(self, timeout: float = TIMEOUT_SECONDS) -> Message:
        """Return the next Message; raise TimeoutError if none arrives within `timeout` seconds."""
        messages = self._connection.messages
        try:
            message = messages.get_nowait()
        except queue.Empty:
            try:
                message = messages.get(timeout=timeout)
            except queue.Empty:
                loss = self._subscription.loss
                lost = f" Not connected at present: {loss.reason}" if loss else ""
                raise TimeoutError(
                    f"No event arrived on {', '.join(self.channels)} within {timeout:g} s.{lost}"
                ) from None
        if message is None:
            messages.put(None)  # for the next call
            raise PusherError(self._connection.ending)
        return message

    def __iter__(self) -> Iterator[Message]:
        messages = self._connection.messages
        while (message := messages.get()) is not None:
            yield message
        messages.put(None)  # iterating again ends at once, too

    def trigger(self, channel: str, name: str, data: object) -> None:
        """Send a client event to the other subscribers of a private or presence channel.

        `name` begins with "client-". A server that refuses it answers with a `pusher:error`.
        Raises InvalidEvent for what can't be a client event, PusherError where the connection is
        lost.
        """
        text = self._subscription.client_event(channel, name, data)
        if self._connection.closed:
            raise PusherError(f"Not sent: {self._connection.ending}")
        # The server would answer with an error, and one that comes while channels wait ends it all.
        if channel in self._subscription.waiting_for:
            raise PusherError(LOST)
        try:
            self._connection.send(text)
        except ConnectionClosed as error:
            raise PusherError(f"Not sent: the connection is lost ({error}).") from error

    def close(self) -> None:
        """Leave the channels. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Connection:
    """What both ways share: what arrived and isn't read yet, and how it ended.

    A subclass moves the frames: out in `send()`, in by calling `take()`.
    """

    def __init__(
        self, subscription: Subscription, on_message: Callable[[Message], None] | None
    ) -> None:
        self._subscription = subscription
        self._on_message = on_message
        self.messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        """What arrived; None where it ends."""
        self.ready = threading.Event()
        """Subscribed to everything for the first time, or failed."""
        self.closed = False
        self.problem: str | None = None
        """Why it ended, where that wasn't close()."""

    @property
    def ending(self) -> str:
        """Why there's nothing more to receive or send."""
        return self.problem or "The subscriber is closed."

    def open(self) -> None:
        """Begin to subscribe."""
        raise NotImplementedError

    def send(self, text: str) -> None:
        """Send one frame to the server."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Leave the server."""
        raise NotImplementedError

    def take(self, text: str | bytes) -> None:
        """Act on one frame from the server."""
        for output in self._subscription.receive(text, now=time.time()):
            match output:
                case Send():
                    self.send(output.text)
                case Message():
                    self._deliver(self._decrypted(output))
                case Subscribed():
                    self.ready.set()
                case Refused():
                    self.end(output.problem)

    def _decrypted(self, message: Message) -> Message:
        """The message as it was published: on an encrypted channel, decrypted."""
        subscription, channel = self._subscription, message.channel
        key = subscription.keys.get(channel)
        if key is None or message.event.startswith(RESERVED_NAMES):
            return message
        try:
            return replace(message, data=decrypt(key, message.data))
        except DecryptionError as error:
            reason = str(error)
        if (new := subscription.renew_key(channel)) not in (None, key):
            with contextlib.suppress(DecryptionError):
                return replace(message, data=decrypt(new, message.data))
        data = to_json({"event": message.event, "reason": reason})
        return Message(channel=channel, event=UNREADABLE_EVENT, data=data)

    def _deliver(self, message: Message) -> None:
        if self._on_message is None:
            self.messages.put(message)
            return
        try:
            self._on_message(message)
        except Exception as error:  # on a thread it would reach nobody; receive() raises it
            self.end(f"on_message raised {error!r}")

    def end(self, problem: str) -> None:
        """Give up: receive() raises the problem from now on."""
        if self.problem is None and not self.closed:
            self.problem = problem
        self.close()

    def close(self) -> None:
        """Leave the server; nothing more arrives."""
        self.closed = True
        self.ready.set()
        self.hang_up()
        self.messages.put(None)


class _WebSocket(_Connection):
    """A WebSocket, read on a thread of its own; and a new one whenever that is lost."""

    def __init__(
        self,
        subscription: Subscription,
        on_message: Callable[[Message], None] | None,
        base_url: str,
        timeout: float,
        reconnect: bool,
    ) -> None:
        super().__init__(subscription, on_message)
        self._url = base_url.replace("http", "ws", 1) + subscription.path
        # A proxy from the environment can't reach a server on this machine.
        self._direct = is_local(urlsplit(self._url).hostname or "")
        self._timeout = timeout
        self._reconnect = reconnect
        self._socket: websockets.sync.client.ClientConnection | None = None
        # Ends a wait between two attempts. Unlike threading's own, a SimpleQueue may be used in a
        # finalizer, which can run in the middle of anything, on any thread.
        self._awake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def open(self) -> None:
        threading.Thread(target=self._run, name="pusherkit-subscriber", daemon=True).start()

    def send(self, text: str) -> None:
        if (socket := self._socket) is None:  # read once: the thread may forget it at any time
            raise PusherError(LOST)
        socket.send(text)

    def hang_up(self) -> None:
        self._awake.put(None)
        if (socket := self._socket) is not None:
            socket.close()

    def cut(self) -> None:
        """Leave without goodbye and without waiting for anything: nobody refers to it any more."""
        self.closed = True
        self._awake.put(None)
        if (socket := self._socket) is not None:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(SHUT_RDWR)  # whatever reads from it wakes up

    def _run(self) -> None:
        while not self.closed:
            code, problem = self._read_until_lost()
            self._socket = None
            if self.closed:
                break
            wait = None
            if self._reconnect:
                wait = self._subscription.lost(code, problem, now=time.time())
            if wait is None:
                self.end(problem)
                break
            with contextlib.suppress(queue.Empty):
                self._awake.get(timeout=wait)

    def _read_until_lost(self) -> tuple[int | None, str]:
        """Connect and read until the connection ends; return its close code, and why in words."""
        deadline = time.monotonic() + self._timeout
        self._subscription.connected()
        try:
            with websockets.sync.client.connect(
                self._url,
                open_timeout=self._timeout,
                close_timeout=self._timeout,
                proxy=None if self._direct else True,
            ) as socket:
                self._socket = socket
                return self._read(socket, deadline)
        except ConnectionClosed as error:
            if error.rcvd is not None:
                return error.rcvd.code, goodbye(error.rcvd.code, error.rcvd.reason)
            if error.sent is not None:  # nonsense came, or no answer to a ping
                return None, f"The subscriber closed the connection: {error.sent}."
            return None, "The server closed the connection: without goodbye."
        except (ImportError, InvalidProxy) as error:
            problem = self._unusable_proxy(error)
        except (OSError, UnicodeError, WebSocketException) as error:  # UnicodeError: not a hostname
            problem = str(error)
        except ValueError as error:  # from reading a URL: a proxy's, or a redirect's
            problem = self._unusable_proxy(error)
        return None, f"No connection to {self._url.partition('?')[0]}: {problem}"

    def _read(
        self, socket: websockets.sync.client.ClientConnection, deadline: float
    ) -> tuple[int | None, str]:
        """Read until the connection ends, or isn't subscribed in time."""
        while not self.closed:
            waiting = self._subscription.waiting_for
            try:
                text = socket.recv(deadline - time.monotonic() if waiting else None)
            except TimeoutError:
                return None, self._subscription.unanswered(self._timeout)
            self.take(text)
        return None, self.ending

    def _unusable_proxy(self, error: Exception) -> str:
        """Why the environment's proxy can't be used; where there is none, the error itself."""
        secure = self._url.startswith("wss")
        asked = ("wss", "socks", "https") if secure else ("ws", "socks", "https", "http")
        proxies = {} if self._direct else urllib.request.getproxies()
        for scheme in asked:  # websockets takes the first that is there
            if scheme in proxies:
                lacking = "python-socks" if isinstance(error, ImportError) else None
                return unusable_proxy(scheme, lacking=lacking)
        return str(error)


class _InProcess(_Connection):
    """A server in the same process: what it sends arrives in the call that sends it."""

    def __init__(
        self,
        subscription: Subscription,
        on_message: Callable[[Message], None] | None,
        key: str,
        channels: Channels,
    ) -> None:
        super().__init__(subscription, on_message)
        self._key = key
        self._channels = channels
        self._place: Any = None  # at the server, once it has let us in
        self._unsent: list[str] = []  # until then

    def open(self) -> None:
        self._place = self._channels.open(
            self.take,
            lambda code, reason: self.end(goodbye(code, reason)),
            key=self._key,
            protocol=str(PROTOCOL),
            now=time.time(),
        )
        if self.closed:  # its own side said no while it was greeted
            self.hang_up()
        elif self._place is not None:
            for text in self._unsent:
                self.send(text)

    def send(self, text: str) -> None:
        if self._place is None:
            self._unsent.append(text)
        else:
            self._channels.receive(self._place, text, now=time.time())

    def hang_up(self) -> None:
        if self._place is not None:
            self._channels.close(self._place)
