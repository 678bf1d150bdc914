"""The clients that subscribe, each with the same few methods, so that one test fits them all.

What an adapter hears on its channel comes out of `receive()` as pairs, in order:
("subscribed", the ids of who is there), ("joined", user id), ("left", user id),
("refused", why), and (event, its data, decoded from JSON) for everything else.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pusherkit import Credentials
from pusherkit.subscriber import Subscriber

from .peers import ANSWER_SECONDS, NodeProgram

Heard = tuple[str, Any]
# What the tests send, and what a cache channel says; Pysher must be told beforehand.
EVENTS = ("message", "client-typing", "pusher:cache_miss")


class Pysher:
    """PyPI's Pysher. It signs for private and presence channels itself."""

    def __init__(
        self, credentials: Credentials, channel: str, user_id: str | None = None, also: str = ""
    ) -> None:
        import pysher

        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._pusher = pysher.Pusher(
            credentials.key,
            secure=False,
            custom_host=urlsplit(credentials.base_url).hostname,
            port=urlsplit(credentials.base_url).port,
            secret=credentials.secret,
            user_data={"user_id": user_id},
        )
        # In the handler, on the thread that reads: elsewhere, the answer may come before the bind.
        connected = "pusher:connection_established"
        self._pusher.connection.bind(connected, lambda _: self._subscribe(channel, also))
        self._pusher.connect()

    def _subscribe(self, *names: str) -> None:
        for name in filter(None, names):
            self._listen(self._pusher.subscribe(name))

    def _listen(self, channel: Any) -> None:
        readings = {
            "subscription_succeeded": ("subscribed", lambda data: _ids(data)),
            "member_added": ("joined", lambda data: data["user_id"]),
            "member_removed": ("left", lambda data: data["user_id"]),
        }
        for event, (heard, reading) in readings.items():
            channel.bind(f"pusher_internal:{event}", self._hear, heard, reading)
        for event in EVENTS:
            channel.bind(event, self._hear, event, lambda data: data)

    def _hear(self, data: Any, event: str, reading: Callable[[Any], Any]) -> None:
        # A client event's data comes as it was sent, all other data as JSON text.
        self._heard.put((event, reading(_decoded(data))))

    def receive(self) -> Heard:
        return self._heard.get(timeout=ANSWER_SECONDS)

    def trigger(self, channel: str, event: str, data: object) -> None:
        self._pusher.channel(channel).trigger(event, data)

    def close(self) -> None:
        # Not waiting for its thread: now and then that sleeps on, 100 s, on the closed socket.
        self._pusher.disconnect(timeout=0)


def _decoded(data: Any) -> Any:
    """The value that is in the text of an event's data; None where there is no text."""
    return json.loads(data) if data and isinstance(data, str) else data


def _ids(data: dict[str, Any]) -> list[str]:
    return data["presence"]["ids"] if data else []


class PusherJs:
    """npm's pusher-js. `authorize` is asked to sign for private and presence channels."""

    def __init__(
        self,
        credentials: Credentials,
        program: NodeProgram,
        authorize: Callable[..., dict[str, str]],
        authenticate: Callable[..., dict[str, str]],
        channel: str,
        user_id: str | None = None,
        also: str = "",
    ) -> None:
        self._program = program
        self._authorize = authorize
        self._authenticate = authenticate
        self._user = {"user_id": user_id} if user_id else None
        options = {
            "wsHost": urlsplit(credentials.base_url).hostname,
            "wsPort": urlsplit(credentials.base_url).port,
            "forceTLS": False,
            "enabledTransports": ["ws"],
            "cluster": "",
        }
        program.tell(command="connect", key=credentials.key, options=options)
        for name in filter(None, (channel, also)):
            self.subscribe(name)

    def subscribe(self, channel: str) -> None:
        self._program.tell(command="subscribe", channel=channel)

    def receive(self) -> Heard:
        while True:
            heard = self._program.hear()
            event, data = heard["event"], heard.get("data")
            match event:
                case "authorize":
                    answer = self._authorize(data["socketId"], data["channelName"], self._user)
                    self._program.tell(command="authorized", answer=answer)
                case "authenticate":
                    answer = self._authenticate(data["socketId"], self._signing_in)
                    self._program.tell(command="authenticated", answer=answer)
                case "pusher:subscription_succeeded":
                    return "subscribed", list(data.get("members", ()))
                case "pusher:member_added":
                    return "joined", data["id"]
                case "pusher:member_removed":
                    return "left", data["id"]
                case "error":
                    return "refused", data["data"]["message"]
                case _:
                    return event, data

    def sign_in(self, user: dict[str, Any]) -> None:
        self._signing_in = user
        self._program.tell(command="signIn")

    def trigger(self, channel: str, event: str, data: object) -> None:
        self._program.tell(command="trigger", channel=channel, event=event, data=data)

    def close(self) -> None:
        self._program.close()


class Ours:
    """pusherkit's Subscriber. It is subscribed from the start."""

    def __init__(self, credentials: Credentials, channel: str, user_id: str | None = None) -> None:
        self._subscriber = Subscriber(credentials, channel, user_id=user_id)
        self._channel = channel
        self._subscribed = False

    def receive(self) -> Heard:
        if not self._subscribed:
            self._subscribed = True
            return "subscribed", sorted(self._subscriber.members(self._channel))
        message = self._subscriber.receive(ANSWER_SECONDS)
        data = _decoded(message.data)
        match message.event:
            case "pusher_internal:member_added":
                return "joined", data["user_id"]
            case "pusher_internal:member_removed":
                return "left", data["user_id"]
            case event:
                return event, data

    def trigger(self, channel: str, event: str, data: object) -> None:
        self._subscriber.trigger(channel, event, data)

    def close(self) -> None:
        self._subscriber.close()
