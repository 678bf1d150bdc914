"""Receive events, as a browser would: over a WebSocket, or attached to a sandbox in this process.

A Subscriber is ready when its constructor returns: what is published from then on arrives. Where
the connection is lost it comes back by itself, and says what it may have missed.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote, urlsplit

import websockets.exceptions
import websockets.sync.client
from websockets.exceptions import WebSocketException

from pusherkit.authorization import authorize_channel
from pusherkit.credentials import Credentials, is_local
from pusherkit.errors import InvalidEvent, PusherError
from pusherkit.events import Event, check_channel_name, to_json

if TYPE_CHECKING:
    from pusherkit.sandbox.api import Sandbox

TIMEOUT_SECONDS = 5.0  # for connecting and subscribing, and for receive()
PROTOCOL = 7  # of Pusher Channels
BACKOFF_SECONDS = 0.1  # before the first attempt to come back; doubled before each further one
MAX_BACKOFF_SECONDS = 10.0
OVER_CAPACITY_SECONDS = 1.0  # at least, after a close code of 4100 to 4199 (protocol 7)
DO_NOT_RETURN = range(4000, 4100)  # close codes after which a client stays away (protocol 7)
RETURN = range(4100, 4300)  # and after which it comes back
_COMING_AND_GOING = ("pusher_internal:member_added", "pusher_internal:member_removed")
GAP_EVENT = "pusherkit:gap"  # the protocol's own names begin with pusher: and pusher_internal:


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event that arrived. `data` is text, as the publisher sent it: usually JSON.

    `user_id` says who sent a client event in a presence channel. Three kinds come from no
    publisher: `pusher_internal:member_added` and `…member_removed` in presence channels,
    `pusher:error` (channel ""), and `pusherkit:gap` (channel ""): the connection was lost, and
    what was published between its `from` (the last sign of life) and `to`, Unix seconds, may not
    have arrived.
    """

    channel: str
    event: str
    data: str
    user_id: str | None = None


class Subscriber:
    """Subscribed to one or several channels from construction to `close()`.

    Iterate over it for the Messages, in order, until it is closed; or call `receive()` for one.
    `on_message`, if given, is called with each Message instead, on the thread that received it.
    Private and presence channels are authorized with the credentials' secret. `user_id` and
    `user_info`, of any JSON type, say who joins a presence channel. Raises PusherError where the
    server cannot be reached or refuses.

    `socket_id` is this connection's, for a publisher that leaves it out.

    A lost connection is made anew after a wait, at first 0.1 s, at most 10 s; with `reconnect`
    False it ends the iteration instead, as does a server that does not want the client back.
    """

    def __init__(
        self,
        credentials: Credentials,
        channels: str | Iterable[str],
        *,
        user_id: str | None = None,
        user_info: object = None,
        on_message: Callable[[Message], None] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        reconnect: bool = True,
    ) -> None:
        self._begin(credentials, channels, user_id, user_info, on_message, timeout)
        self._reconnect = reconnect
        self._host = urlsplit(credentials.base_url).hostname or ""
        url = credentials.base_url.replace("http", "ws", 1)
        key = quote(credentials.key, safe="")
        self._url = f"{url}/app/{key}?protocol={PROTOCOL}&client=pusherkit"
        thread = threading.Thread(target=self._listen, name="pusherkit-subscriber", daemon=True)
        thread.start()
        self._await_subscriptions()

    @classmethod
    def attached(
        cls,
        sandbox: Sandbox,
        channels: str | Iterable[str],
        *,
        user_id: str | None = None,
        user_info: object = None,
        on_message: Callable[[Message], None] | None = None,
    ) -> Self:
        """Subscribe to a sandbox in this process: no socket and no thread."""
        self = cls.__new__(cls)
        credentials = sandbox.credentials
        self._begin(credentials, channels, user_id, user_info, on_message, TIMEOUT_SECONDS)
        answers: list[str] = []
        self._say = answers.append
        connection = sandbox.channels.open(
            self._take,
            lambda code, reason: self._end(_closed_by_server(code, reason)),
            key=credentials.key,
            protocol=str(PROTOCOL),
            now=time.time(),
        )
        if connection is not None:
            channels_of_sandbox = sandbox.channels
            self._hang_up = lambda: channels_of_sandbox.close(connection)
            self._say = lambda text: channels_of_sandbox.receive(connection, text, now=time.time())
            for answer in answers:
                self._say(answer)
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
                lost = f" Not connected at present: {self._lost[1]}" if self._lost else ""
                raise TimeoutError(
                    f"No event arrived on {', '.join(self.channels)} within {timeout:g} s.{lost}"
                ) from None
        if message is None:
            self._messages.put(None)
            raise PusherError(self._problem or "The subscriber is closed.")
        return message

    def __iter__(self) -> Iterator[Message]:
        while (message := self._messages.get()) is not None:
            yield message
        self._messages.put(None)  # iterating again ends at once, too

    def trigger(self, channel: str, name: str, data: object) -> None:
        """Send a client event to the other subscribers of a private or presence channel.

        `name` begins with "client-". A server that refuses it answers with a `pusher:error`.
        Raises InvalidEvent for what cannot be a client event, PusherError where the connection is
        lost.
        """
        event = Event.of(channel, name, data)
        if not name.startswith("client-"):
            raise InvalidEvent(
                f'name: a client event\'s name begins with "client-"; got {name!r}.', rule="name"
            )
        if channel not in self.channels or not channel.startswith(("private-", "presence-")):
            raise InvalidEvent(
                "channel: a client event goes to a private or presence channel that this "
                f"subscriber is in; got {channel!r}.",
                rule="channel",
            )
        text = to_json({"event": event.name, "channel": channel, "data": event.data})
        try:
            self._say(text)
        except websockets.exceptions.ConnectionClosed as error:
            raise PusherError(f"Not sent: the connection is lost ({error}).") from error

    def members(self, channel: str) -> dict[str, Any]:
        """Who is in a presence channel at present: the user_info of each user_id."""
        return self._members.get(channel, {}).copy()

    def close(self) -> None:
        """Leave the channels. Closing twice does no harm."""
        self._stopped.set()
        self._hang_up()
        self._messages.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- the inside -------------------------------------------------------------------------

    def _begin(
        self,
        credentials: Credentials,
        channels: str | Iterable[str],
        user_id: str | None,
        user_info: object,
        on_message: Callable[[Message], None] | None,
        timeout: float,
    ) -> None:
        names = (channels,) if isinstance(channels, str) else tuple(channels)
        self.channels = tuple(check_channel_name(name) for name in names)
        if not self.channels:
            raise InvalidEvent("channels: expected at least one, got none.", rule="channels")
        for name in self.channels:
            if name.startswith("presence-") and user_id is None:
                raise InvalidEvent(
                    f"user_id: {name} is a presence channel; say who joins it: user_id=….",
                    rule="user_id",
                )
        self._credentials = credentials
        member = {"user_id": user_id}
        self._channel_data = to_json(
            member if user_info is None else {**member, "user_info": user_info}
        )
        self._on_message = on_message
        self._timeout = timeout
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._waiting_for = set(self.channels)
        self.socket_id: str | None = None
        self._members: dict[str, dict[str, Any]] = {}
        self._ready = threading.Event()  # subscribed to everything, or failed
        self._stopped = threading.Event()  # by close(), or by a failure
        self._problem: str | None = None
        self._heard = time.time()  # when the latest frame arrived
        self._lost: tuple[float, str] | None = None  # since when, and why
        self._hang_up: Callable[[], None] = lambda: None
        self._say: Callable[[str], None] = _not_connected

    def _await_subscriptions(self) -> None:
        if not self._ready.wait(self._timeout):
            self._problem = (
                f"No answer from {self._credentials.base_url} within {self._timeout:g} s to the "
                f"subscription to {', '.join(sorted(self._waiting_for))}."
            )
        if self._problem is not None:
            self.close()
            raise PusherError(self._problem)

    def _listen(self) -> None:
        """Read the WebSocket, and connect again where it is lost. Runs on a thread of its own."""
        backoff = BACKOFF_SECONDS
        while not self._stopped.is_set():
            began = time.monotonic()
            code, problem = self._read_until_lost()
            self._say = _not_connected
            if not self._ready.is_set() or not self._reconnect or code in DO_NOT_RETURN:
                self._end(problem)
                break
            if self._lost is None:
                self._lost = self._heard, problem
            if time.monotonic() - began > MAX_BACKOFF_SECONDS:  # it worked for a while
                backoff = BACKOFF_SECONDS
            self._stopped.wait(_wait(code, backoff))
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)

    def _read_until_lost(self) -> tuple[int | None, str]:
        """Connect and read until the connection ends; return its close code, and why in words."""
        self._waiting_for = set(self.channels)
        try:
            with websockets.sync.client.connect(
                self._url,
                open_timeout=self._timeout,
                close_timeout=self._timeout,
                proxy=None if is_local(self._host) else True,  # True: as the environment says
            ) as socket:
                self._hang_up, self._say = socket.close, socket.send
                if not self._stopped.is_set():
                    for text in socket:
                        self._take(text)
            return socket.close_code, _closed_by_server(socket.close_code, socket.close_reason)
        except websockets.exceptions.ConnectionClosed as error:
            if error.rcvd is None:
                if error.sent is not None:  # nonsense came, or no answer to a ping
                    return None, f"The subscriber closed the connection: {error.sent}."
                return None, "The server closed the connection: without goodbye."
            return error.rcvd.code, _closed_by_server(error.rcvd.code, error.rcvd.reason)
        # UnicodeError: of a host that is no name; ImportError: of a SOCKS proxy's missing library.
        except (OSError, UnicodeError, ImportError, WebSocketException) as error:
            return None, f"No connection to {self._url.partition('?')[0]}: {error}"

    def _take(self, text: str | bytes) -> None:
        """Act on one frame from the server."""
        self._heard = time.time()
        frame = _read_frame(text)
        channel, data = frame["channel"], frame["data"]
        match frame["event"]:
            case "pusher:connection_established":
                self._subscribe(_object(data).get("socket_id"))
            case "pusher:ping":
                self._say(to_json({"event": "pusher:pong", "data": {}}))
            case "pusher:error" if self._lost and _object(data).get("code") in RETURN:
                pass  # the server closes with this code; _listen() knows how long to wait
            case "pusher:error" | "pusher:subscription_error" if self._waiting_for:
                self._end(f"The server refused: {_refusal(data)}")
            case "pusher_internal:subscription_succeeded":
                self._waiting_for.discard(channel)
                self._members[channel] = _presence(_object(data))
                if not self._waiting_for:
                    self._subscribed()
            case event:
                if event in _COMING_AND_GOING:
                    self._keep_members(channel, event, _object(data))
                self._deliver(
                    Message(channel=channel, event=event, data=data, user_id=frame["user_id"])
                )

    def _subscribe(self, socket_id: object) -> None:
        self.socket_id = str(socket_id)
        for channel in self.channels:
            data: dict[str, str] = {"channel": channel}
            member = self._channel_data if channel.startswith("presence-") else None
            try:
                if channel.startswith(("private-", "presence-")):
                    data |= authorize_channel(self._credentials, self.socket_id, channel, member)
            except InvalidEvent as error:
                self._end(f"The server gave no socket_id to authorize {channel} with: {error}")
                return
            self._say(to_json({"event": "pusher:subscribe", "data": data}))

    def _keep_members(self, channel: str, event: str, data: dict[str, Any]) -> None:
        members, user_id = self._members.setdefault(channel, {}), str(data.get("user_id"))
        if event == "pusher_internal:member_added":
            members[user_id] = data.get("user_info")
        else:
            members.pop(user_id, None)

    def _subscribed(self) -> None:
        """Everything is subscribed; after an interruption, say what is missing."""
        if self._lost is not None:
            (since, why), self._lost = self._lost, None
            gap = {"from": since, "to": time.time(), "reason": why, "channels": self.channels}
            self._deliver(Message(channel="", event=GAP_EVENT, data=to_json(gap)))
        self._ready.set()

    def _deliver(self, message: Message) -> None:
        if self._on_message is None:
            self._messages.put(message)
            return
        try:
            self._on_message(message)
        except Exception as error:  # on a thread it would reach nobody; receive() raises it
            self._end(f"on_message raised {error!r}")

    def _end(self, problem: str) -> None:
        """Give up: receive() raises the problem from now on."""
        if self._problem is None and not self._stopped.is_set():
            self._problem = problem
        self._ready.set()
        self.close()


def _not_connected(text: str) -> NoReturn:
    raise PusherError("Not sent: the connection is lost. It comes back by itself.")


def _wait(code: int | None, backoff: float) -> float:
    """Seconds to wait before connecting again, after a close code of protocol 7."""
    if code is not None and 4200 <= code < 4300:
        return 0.0 if backoff == BACKOFF_SECONDS else backoff  # "at once", but not over and over
    if code is not None and 4100 <= code < 4200:
        return max(OVER_CAPACITY_SECONDS, backoff)
    return backoff


def _closed_by_server(code: int | None, reason: str | None) -> str:
    return f"The server closed the connection: {code} {reason or ''}".rstrip() + "."


def _read_frame(text: str | bytes) -> dict[str, Any]:
    """A frame's fields; what makes no sense becomes an error of the server."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        frame = {"event": "pusher:error", "data": f"it sent {text[:80]!r}, which is no frame"}
    channel, data, user_id = frame.get("channel"), frame.get("data", ""), frame.get("user_id")
    return {
        "event": frame.get("event", ""),
        "channel": channel if isinstance(channel, str) else "",
        "data": data if isinstance(data, str) else json.dumps(data, ensure_ascii=False),
        "user_id": user_id if isinstance(user_id, str) else None,
    }


def _object(data: str) -> dict[str, Any]:
    """The JSON object in a frame's data; an empty one where there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _presence(data: dict[str, Any]) -> dict[str, Any]:
    """The members that the answer to a subscription tells, {} where it tells none."""
    presence: Any = data.get("presence")
    try:  # a server may leave out of `hash` who has no user_info, so `ids` is what counts
        return {str(name): presence["hash"].get(str(name)) for name in presence["ids"]}
    except (TypeError, LookupError, AttributeError):
        return {}


def _refusal(data: str) -> str:
    fields = _object(data)
    return str(fields.get("message") or fields.get("error") or data)
