"""Receive events, as a browser would: over a WebSocket, or attached to a sandbox in this process.

A Subscriber is ready when its constructor returns: what is published from then on arrives.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import websockets.exceptions
import websockets.sync.client

from pusherkit.errors import PusherError
from pusherkit.events import check_channel_name, to_json
from pusherkit.signing import Credentials, is_local

if TYPE_CHECKING:
    from pusherkit.sandbox.api import Sandbox

TIMEOUT_SECONDS = 5.0  # for connecting and subscribing, and for receive()
PROTOCOL = 7  # of Pusher Channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event that arrived. `data` is text, as the publisher sent it: usually JSON."""

    channel: str
    event: str
    data: str


class Subscriber:
    """Subscribed to one or several public channels from construction to `close()`.

    Iterate over it for the Messages, in order, until it is closed; or call `receive()` for one.
    `on_message`, if given, is called with each Message instead, on the thread that received it.
    Raises PusherError where the server cannot be reached or refuses.
    """

    def __init__(
        self,
        credentials: Credentials,
        channels: str | Iterable[str],
        *,
        on_message: Callable[[Message], None] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._begin(channels, on_message, timeout)
        self._host = urlsplit(credentials.base_url).hostname or ""
        url = credentials.base_url.replace("http", "ws", 1)
        key = quote(credentials.key, safe="")
        self._url = f"{url}/app/{key}?protocol={PROTOCOL}&client=pusherkit"
        self._hang_up: Callable[[], None] = lambda: None
        thread = threading.Thread(target=self._listen, name="pusherkit-subscriber", daemon=True)
        thread.start()
        self._await_subscriptions()

    @classmethod
    def attached(
        cls,
        sandbox: Sandbox,
        channels: str | Iterable[str],
        *,
        on_message: Callable[[Message], None] | None = None,
    ) -> Self:
        """Subscribe to a sandbox in this process: no socket and no thread."""
        self = cls.__new__(cls)
        self._begin(channels, on_message, TIMEOUT_SECONDS)
        answers: list[str] = []
        connection = sandbox.channels.open(lambda text: answers.extend(self._take(text)))
        self._hang_up = lambda: sandbox.channels.close(connection)
        for answer in answers:
            sandbox.channels.receive(connection, answer)
        self._await_subscriptions()
        return self

    def receive(self, timeout: float = TIMEOUT_SECONDS) -> Message:
        """Return the next Message; raise TimeoutError if none arrives within `timeout` seconds."""
        try:
            message = self._messages.get_nowait()
        except queue.Empty:
            try:
                message = self._messages.get(timeout=timeout)
            except queue.Empty:
                raise TimeoutError(
                    f"No event arrived on {', '.join(self.channels)} within {timeout:g} s."
                ) from None
        if message is None:
            self._messages.put(None)
            raise PusherError(self._problem or "The subscriber is closed.")
        return message

    def __iter__(self) -> Iterator[Message]:
        while (message := self._messages.get()) is not None:
            yield message
        self._messages.put(None)  # iterating again ends at once, too

    def close(self) -> None:
        """Leave the channels. Closing twice does no harm."""
        self._closed = True
        self._hang_up()
        self._messages.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- the inside -------------------------------------------------------------------------

    def _begin(
        self,
        channels: str | Iterable[str],
        on_message: Callable[[Message], None] | None,
        timeout: float,
    ) -> None:
        names = (channels,) if isinstance(channels, str) else tuple(channels)
        self.channels = tuple(check_channel_name(name) for name in names)
        self._on_message = on_message
        self._timeout = timeout
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._waiting_for = set(self.channels)
        self._ready = threading.Event()
        self._problem: str | None = None
        self._closed = False

    def _await_subscriptions(self) -> None:
        if not self._ready.is_set() and self._waiting_for:
            self._ready.wait(self._timeout)
        if self._problem is None and self._waiting_for:
            self._problem = (
                f"No answer within {self._timeout:g} s to the subscription to "
                f"{', '.join(sorted(self._waiting_for))}."
            )
        if self._problem is not None:
            self.close()
            raise PusherError(self._problem)

    def _listen(self) -> None:
        """Read the WebSocket until it closes. Runs on the subscriber's own thread."""
        try:
            with websockets.sync.client.connect(
                self._url,
                open_timeout=self._timeout,
                proxy=None if is_local(self._host) else True,  # True: as the environment says
            ) as socket:
                self._hang_up = socket.close
                if self._closed:
                    return
                for text in socket:
                    for answer in self._take(text):
                        socket.send(answer)
                self._fail(
                    f"The server closed the connection: {socket.close_code} {socket.close_reason}."
                )
        except websockets.exceptions.ConnectionClosed as error:
            closed = f"{error.rcvd.code} {error.rcvd.reason}" if error.rcvd else "without goodbye"
            self._fail(f"The server closed the connection: {closed}.")
        except (OSError, websockets.exceptions.WebSocketException) as error:
            self._fail(f"No connection to {self._url.partition('?')[0]}: {error}")
        finally:
            self._ready.set()
            self._messages.put(None)

    def _take(self, text: str | bytes) -> tuple[str, ...]:
        """Act on one frame from the server; return the frames to answer with."""
        frame = _read_frame(text)
        match frame["event"]:
            case "pusher:connection_established":
                return tuple(
                    to_json({"event": "pusher:subscribe", "data": {"channel": channel}})
                    for channel in self.channels
                )
            case "pusher:ping":
                return (to_json({"event": "pusher:pong", "data": {}}),)
            case "pusher:error":
                self._fail(f"The server refused: {_refusal(frame['data'])}")
            case "pusher_internal:subscription_succeeded":
                self._waiting_for.discard(frame["channel"])
                if not self._waiting_for:
                    self._ready.set()
            case event:
                message = Message(channel=frame["channel"], event=event, data=frame["data"])
                self._deliver(message)
        return ()

    def _deliver(self, message: Message) -> None:
        if self._on_message is None:
            self._messages.put(message)
            return
        try:
            self._on_message(message)
        except Exception as error:  # on a thread it would reach nobody; receive() raises it
            self._fail(f"on_message raised {error!r}")
            self.close()

    def _fail(self, problem: str) -> None:
        if self._problem is None and not self._closed:
            self._problem = problem
        self._ready.set()


def _read_frame(text: str | bytes) -> dict[str, Any]:
    """A frame's event, channel and data; what makes no sense becomes an error of the server."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        frame = {"event": "pusher:error", "data": f"it sent {text[:80]!r}, which is no frame"}
    channel = frame.get("channel")
    return {
        "event": frame.get("event", ""),
        "channel": channel if isinstance(channel, str) else "",
        "data": frame.get("data", ""),
    }


def _refusal(data: object) -> object:
    return data.get("message", data) if isinstance(data, dict) else data
