"""Channels, their subscribers, and the WebSocket protocol between them. Pure: no sockets.

The server's shell hands in each text frame that arrives, and a `send` and a `close` for each
connection. Spoken is Pusher's Channels protocol, version 7, for public channels: `data` is a
string in every frame but `pusher:error`, where it is an object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pusherkit.errors import InvalidEvent
from pusherkit.events import Event, check_channel_name, to_json

ACTIVITY_TIMEOUT_SECONDS = 120  # silence after which a client should ping (protocol 7)
MAX_SUBSCRIPTIONS = 1_000  # channels of one connection; ours, so that memory stays bounded

# Close and error codes of protocol 7.
APP_DOES_NOT_EXIST = 4001
UNAUTHORIZED = 4009
INVALID_CHANNEL = 4300  # of the range 4300 to 4399, "other"; compatible servers use it so


@dataclass(eq=False, slots=True)
class Connection:
    """One WebSocket, seen from the server: what it is subscribed to and how to reach it."""

    socket_id: str
    send: Callable[[str], None]
    subscriptions: set[str] = field(default_factory=set)


class Channels:
    """Who is subscribed to what, and what each of them is told."""

    def __init__(self) -> None:
        self._subscribers: dict[str, dict[Connection, None]] = {}  # in order of subscription
        self._connections: set[Connection] = set()
        self._numbers = count(1)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def occupied(self, prefix: str = "") -> list[str]:
        """The channels that somebody is subscribed to, sorted."""
        return sorted(name for name in self._subscribers if name.startswith(prefix))

    def subscription_count(self, channel: str) -> int:
        """How many connections are subscribed to a channel."""
        return len(self._subscribers.get(channel, ()))

    def open(self, send: Callable[[str], None]) -> Connection:
        """Begin a connection: give it a socket_id and greet it."""
        number = next(self._numbers)
        connection = Connection(f"{number}.{number}", send)
        self._connections.add(connection)
        greeting = {
            "socket_id": connection.socket_id,
            "activity_timeout": ACTIVITY_TIMEOUT_SECONDS,
        }
        send(frame("pusher:connection_established", data=to_json(greeting)))
        return connection

    def close(self, connection: Connection) -> None:
        """Forget a connection and its subscriptions. Closing twice does no harm."""
        for channel in tuple(connection.subscriptions):
            self._unsubscribe(connection, channel)
        self._connections.discard(connection)

    def receive(self, connection: Connection, text: str) -> None:
        """Act on one frame from a client. A frame that makes no sense is answered with an error."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("event"), str):
            connection.send(error_frame(None, 'Expected a JSON object with a text "event".'))
            return
        name, data = message["event"], _fields(message.get("data"))
        match name:
            case "pusher:subscribe":
                self._subscribe(connection, data.get("channel"))
            case "pusher:unsubscribe":
                if isinstance(channel := data.get("channel"), str):
                    self._unsubscribe(connection, channel)
            case "pusher:ping":
                connection.send(frame("pusher:pong", data="{}"))
            case "pusher:pong":
                pass
            case _ if name.startswith("client-"):
                connection.send(
                    error_frame(
                        None, "Client events need a private or presence channel; none is open here."
                    )
                )
            case _:
                connection.send(error_frame(None, f"Unknown event {name[:80]!r}."))

    def publish(self, event: Event) -> int:
        """Deliver an event to every subscriber of its channels; return how many frames went out."""
        delivered = 0
        for channel in dict.fromkeys(event.channels):
            text = frame(event.name, channel=channel, data=event.data)
            # A copy: a send that fails may close its connection while we iterate.
            for connection in tuple(self._subscribers.get(channel, ())):
                if connection.socket_id != event.socket_id:
                    connection.send(text)
                    delivered += 1
        return delivered

    def _subscribe(self, connection: Connection, name: object) -> None:
        try:
            channel = check_channel_name(name)
        except InvalidEvent as error:
            connection.send(error_frame(INVALID_CHANNEL, f"Invalid channel name: {error}"))
            return
        if channel.startswith(("private-", "presence-")):
            connection.send(
                error_frame(
                    UNAUTHORIZED,
                    f"Cannot subscribe to {channel}: this practice server has public channels "
                    "only, whose names begin with neither private- nor presence-.",
                )
            )
            return
        if len(connection.subscriptions) >= MAX_SUBSCRIPTIONS:
            connection.send(
                error_frame(None, f"One connection can have {MAX_SUBSCRIPTIONS} channels.")
            )
            return
        connection.subscriptions.add(channel)
        self._subscribers.setdefault(channel, {})[connection] = None
        connection.send(frame("pusher_internal:subscription_succeeded", channel=channel, data="{}"))

    def _unsubscribe(self, connection: Connection, channel: str) -> None:
        connection.subscriptions.discard(channel)
        subscribers = self._subscribers.get(channel, {})
        subscribers.pop(connection, None)
        if not subscribers:
            self._subscribers.pop(channel, None)


def frame(event: str, *, data: str, channel: str | None = None) -> str:
    """A frame to a client: JSON whose `data` is a string."""
    fields = {"event": event, "data": data}
    if channel is not None:
        fields["channel"] = channel
    return to_json(fields)


def error_frame(code: int | None, message: str) -> str:
    """A `pusher:error`, the one frame whose `data` is an object."""
    return to_json({"event": "pusher:error", "data": {"code": code, "message": message}})


def _fields(data: object) -> Mapping[str, Any]:
    """A client's `data`: an object, or (as some clients send) a string holding one."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            return {}
    return data if isinstance(data, dict) else {}
