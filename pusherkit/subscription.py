"""The subscriber's side of the Channels protocol: text and time in, frames and messages out. Pure.

`sandbox/channels.py` is the server's side. What is spoken is Pusher's Channels protocol, version 7:
the server greets with a socket_id, the subscriber asks for its channels (and signs for private and
presence ones), the server confirms each, and then events arrive.

A shell owns the connection and the clock. It calls `connected()` for each new connection,
`receive()` for each frame, acts on what that returns, in order, and calls `lost()` once the
connection is gone: that says how long to wait before connecting again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pusherkit.authorization import authorize_channel
from pusherkit.credentials import MASTER_KEY_BYTES, Credentials
from pusherkit.errors import InvalidEvent
from pusherkit.events import ENCRYPTED, Event, check_channel_name, check_socket_id, to_json

PROTOCOL = 7  # of Pusher Channels
GAP_EVENT = "pusherkit:gap"  # the protocol's own names begin with pusher: and pusher_internal:
UNREADABLE_EVENT = "pusherkit:unreadable"

# Close codes of protocol 7.
STAY_AWAY = range(4000, 4100)  # the client must not come back as it is
OVER_CAPACITY = range(4100, 4200)  # it may come back after a second or more
AT_ONCE = range(4200, 4300)  # and here at once

BACKOFF_SECONDS = 0.1  # before the first attempt to come back; doubled before each further one
MAX_BACKOFF_SECONDS = 10.0  # also how long a connection must have worked to begin at 0.1 s again
OVER_CAPACITY_SECONDS = 1.0  # at least, after OVER_CAPACITY

_COMING_AND_GOING = ("pusher_internal:member_added", "pusher_internal:member_removed")
_SIGNED = ("private-", "presence-")  # channels that need the secret's permission
_SHOWN = 80  # characters of a text that isn't a frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event that arrived. `data` is text, as the publisher sent it: usually JSON.

    `user_id` is who sent a client event in a presence channel. These come from no publisher:
    `pusher_internal:member_added` and `…member_removed` in presence channels, `pusher:cache_miss`
    in a cache channel that remembers no event, `pusher_internal:subscription_count` where the app
    tells counts, `pusher:error` (channel ""), and `pusherkit:gap` (channel ""): the connection was
    lost, and what was published between its `from` (the last sign of life) and `to`, Unix seconds,
    may not have arrived. `pusherkit:unreadable` is in the place of an event on an encrypted channel
    that couldn't be decrypted: which `event` it was, and the `reason`.
    """

    channel: str
    event: str
    data: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """A frame that goes to the server now."""

    text: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The server has confirmed every channel: what is published from now on arrives."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server won't have this subscriber: hang up, and don't come back."""

    problem: str


@dataclass(frozen=True, slots=True)
class Loss:
    """A connection that is gone, and not replaced yet."""

    since: float
    """Unix seconds: when the latest frame had arrived."""
    reason: str


Output = Send | Message | Subscribed | Refused
Authorize = Callable[[str, str], Mapping[str, str]]
"""Asked with a socket_id and a channel; returns what `authorize_channel()` returns, or raises."""


class Subscription:
    """What a subscriber knows: its channels, which of them still wait, who is there, what is lost.

    `user_id` and `user_info`, of any JSON type, are who joins a presence channel. With `authorize`,
    that is asked for each private and presence channel, and the credentials' secret isn't used.
    Raises InvalidEvent for channel names that can't be, for none at all, and for a presence channel
    that nobody joins; InvalidCredentials for an encrypted channel without a master key.
    """

    def __init__(
        self,
        credentials: Credentials,
        channels: str | Iterable[str],
        *,
        user_id: str | None = None,
        user_info: object = None,
        authorize: Authorize | None = None,
    ) -> None:
        names = (channels,) if isinstance(channels, str) else tuple(channels)
        # Each once: a second subscription to the same channel is refused.
        self.channels = tuple(dict.fromkeys(check_channel_name(name) for name in names))
        if not self.channels:
            raise InvalidEvent("channels: expected at least one, got none.", rule="channels")
        for name in self.channels if authorize is None else ():
            if name.startswith(ENCRYPTED):
                credentials.shared_secret(name)  # or an error, now rather than on a thread
            if name.startswith("presence-") and user_id is None:
                raise InvalidEvent(
                    f"user_id: {name} is a presence channel, so it needs to know who joins: "
                    "user_id=….",
                    rule="user_id",
                )
        self._credentials = credentials
        self._authorize = authorize or self._sign
        member = {"user_id": user_id}
        self._channel_data = to_json(
            member if user_info is None else {**member, "user_info": user_info}
        )
        self.socket_id: str | None = None
        """This connection's; None before the first greeting."""
        self.waiting_for = set(self.channels)
        """The channels that the server hasn't confirmed on this connection."""
        self.keys: dict[str, bytes] = {}
        """The key of each encrypted channel, as its authorization brought it."""
        self.loss: Loss | None = None
        """Why there is no connection at present; None while there is one."""
        self._members: dict[str, dict[str, Any]] = {}
        self._heard = 0.0  # Unix seconds of the latest frame
        self._subscribed_at: float | None = None  # on this connection, Unix seconds
        self._has_begun = False  # it was subscribed to everything, at least once
        self._backoff = BACKOFF_SECONDS  # before the next attempt

    @property
    def path(self) -> str:
        """Where to connect on the server: /app/KEY?protocol=7&client=pusherkit."""
        key = quote(self._credentials.key, safe="")
        return f"/app/{key}?protocol={PROTOCOL}&client=pusherkit"

    def members(self, channel: str) -> dict[str, Any]:
        """Who is in a presence channel at present: the user_info of each user_id."""
        return self._members.get(channel, {}).copy()

    def renew_key(self, channel: str) -> bytes | None:
        """Ask again for an encrypted channel's key: the master key may have changed.

        None where that was refused. Official clients do the same, once for each event that they
        can't decrypt (Pusher's documentation, "Encrypted channels").
        """
        try:
            self._permission(channel)
        except Exception:  # whatever authorize() raises, the event stays unreadable
            return None
        return self.keys[channel]

    # --- the connection comes and goes ------------------------------------------------------

    def connected(self) -> None:
        """A new connection is open, or about to be: everything is to be subscribed to again."""
        self.waiting_for = set(self.channels)
        self._subscribed_at = None

    def lost(self, code: int | None, reason: str, *, now: float) -> float | None:
        """The connection is gone: return the seconds to wait before the next, None for never.

        `code` is the close code, None where the server gave none, or there was no connection in
        the first place. A first connection that failed isn't tried again: its caller is still
        there to hear why.
        """
        if not self._has_begun or code in STAY_AWAY:
            return None
        if self.loss is None:
            self.loss = Loss(self._heard, reason)
        if self._subscribed_at is not None and now - self._subscribed_at > MAX_BACKOFF_SECONDS:
            self._backoff = BACKOFF_SECONDS
        self._subscribed_at = None
        backoff, self._backoff = self._backoff, min(2 * self._backoff, MAX_BACKOFF_SECONDS)
        if code in AT_ONCE and backoff == BACKOFF_SECONDS:
            return 0.0  # but not over and over
        return max(OVER_CAPACITY_SECONDS, backoff) if code in OVER_CAPACITY else backoff

    def unanswered(self, seconds: float) -> str:
        """In words: the server took so long that nobody should wait any longer."""
        waiting = ", ".join(sorted(self.waiting_for))
        return (
            f"No answer from {self._credentials.base_url} within {seconds:g} s to the "
            f"subscription to {waiting}."
        )

    # --- frames -----------------------------------------------------------------------------

    def client_event(self, channel: str, name: str, data: object) -> str:
        """The frame of a client event. Raises InvalidEvent for what can't be one."""
        event = Event.of(channel, name, data)
        if not name.startswith("client-"):
            raise InvalidEvent(
                f'name: a client event\'s name begins with "client-"; got {name!r}.', rule="name"
            )
        if channel not in self.channels or not channel.startswith(_SIGNED):
            raise InvalidEvent(
                "channel: a client event goes to a private or presence channel that this "
                f"subscriber is in; got {channel!r}.",
                rule="channel",
            )
        if channel.startswith(ENCRYPTED):
            raise InvalidEvent(
                "channel: an encrypted channel carries no client events (Pusher's documentation); "
                f"got {channel!r}.",
                rule="channel",
            )
        return to_json({"event": event.name, "channel": channel, "data": event.data})

    def receive(self, text: str | bytes, *, now: float) -> list[Output]:
        """Act on one frame from the server; return what follows from it, in order.

        A frame that makes no sense becomes a `pusher:error` message: one confused frame doesn't
        end a subscription that works.
        """
        self._heard = now
        frame = _read_frame(text)
        channel, data = frame.channel, frame.data
        match frame.event:
            case "pusher:connection_established":
                return self._greeted(_object(data).get("socket_id"))
            case "pusher:ping":
                return [Send(to_json({"event": "pusher:pong", "data": {}}))]
            case "pusher:error" if self.loss and _asks_to_return(_object(data)):
                return []  # the server closes with this code, and lost() knows what it means
            case "pusher:error" | "pusher:subscription_error" if self.waiting_for:
                return [Refused(f"The server refused: {_refusal(data)}")]
            case "pusher_internal:subscription_succeeded":
                return self._confirmed(channel, _object(data), now)
        if frame.event in _COMING_AND_GOING:
            self._keep_members(channel, frame.event, _object(data))
        return [frame]

    def _greeted(self, socket_id: object) -> list[Output]:
        self.socket_id = str(socket_id)
        frames: list[Output] = []
        for channel in self.channels:
            data: dict[str, str] = {"channel": channel}
            if channel.startswith(_SIGNED):
                try:
                    check_socket_id(self.socket_id)
                except InvalidEvent as error:
                    why = f"The server gave no socket_id to authorize {channel} with: {error}"
                    return [Refused(why)]
                try:
                    data |= self._permission(channel)
                except Exception as error:  # authorize() may raise anything: it is the caller's
                    return [Refused(f"Not authorized to join {channel}: {error}")]
            frames.append(Send(to_json({"event": "pusher:subscribe", "data": data})))
        return frames

    def _sign(self, socket_id: str, channel: str) -> Mapping[str, str]:
        """Authorize a channel with the credentials' own secret."""
        member = self._channel_data if channel.startswith("presence-") else None
        return authorize_channel(self._credentials, socket_id, channel, member)

    def _permission(self, channel: str) -> dict[str, str]:
        """What the server is to see of an authorization. The channel's key stays here."""
        answer = self._authorize(str(self.socket_id), channel)
        if not isinstance(answer, Mapping):
            raise InvalidEvent(
                f'expected {{"auth": "KEY:SIGNATURE"}}, got {type(answer).__name__}.', rule="auth"
            )
        if channel.startswith(ENCRYPTED):
            self.keys[channel] = _key(answer.get("shared_secret"))
        return {name: answer[name] for name in ("auth", "channel_data") if name in answer}

    def _confirmed(self, channel: str, data: dict[str, Any], now: float) -> list[Output]:
        self._members[channel] = _presence(data)
        self.waiting_for.discard(channel)
        if self.waiting_for or self._subscribed_at is not None:
            return []
        self._subscribed_at, self._has_begun = now, True
        if self.loss is None:
            return [Subscribed()]
        gap = {
            "from": self.loss.since,
            "to": now,
            "reason": self.loss.reason,
            "channels": self.channels,
        }
        self.loss = None
        return [Message(channel="", event=GAP_EVENT, data=to_json(gap)), Subscribed()]

    def _keep_members(self, channel: str, event: str, data: dict[str, Any]) -> None:
        members, user_id = self._members.setdefault(channel, {}), str(data.get("user_id"))
        if event == "pusher_internal:member_added":
            members[user_id] = data.get("user_info")
        else:
            members.pop(user_id, None)


def _key(shared_secret: object) -> bytes:
    """An encrypted channel's key, from an authorization."""
    try:
        key = base64.b64decode(str(shared_secret), validate=True)
    except ValueError:
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        got = "none" if shared_secret is None else "something else"
        raise InvalidEvent(
            f"expected a shared_secret, {MASTER_KEY_BYTES} bytes in base64, and got {got}. The "
            "server that authorizes an encrypted channel needs the master key.",
            rule="shared_secret",
        )
    return key


def goodbye(code: int, reason: str) -> str:
    """In words: the server closed the connection, with this code and reason."""
    return f"The server closed the connection: {code} {reason}".rstrip(" .") + "."


def _read_frame(text: str | bytes) -> Message:
    """A frame from the server; what makes no sense becomes an error of the server's."""
    try:
        fields = json.loads(text)
        event, channel, user_id = (fields.get(name) for name in ("event", "channel", "user_id"))
        data = fields.get("data", "")
        data = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    except (ValueError, RecursionError, AttributeError):  # AttributeError: it isn't an object
        event, channel, user_id = "pusher:error", None, None
        data = f"it sent {text[:_SHOWN]!r}, which isn't a frame"
    return Message(
        event=event if isinstance(event, str) else "",
        channel=channel if isinstance(channel, str) else "",
        data=data,
        user_id=user_id if isinstance(user_id, str) else None,
    )


def _object(data: str) -> dict[str, Any]:
    """The JSON object in a frame's data; an empty one where there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _presence(data: dict[str, Any]) -> dict[str, Any]:
    """The members that the answer to a subscription lists, {} where it lists none."""
    presence: Any = data.get("presence")
    try:  # a server may leave those without user_info out of `hash`, so `ids` is what counts
        return {str(name): presence["hash"].get(str(name)) for name in presence["ids"]}
    except (TypeError, LookupError, AttributeError):
        return {}


def _asks_to_return(error: dict[str, Any]) -> bool:
    """Whether a `pusher:error` announces a close after which the client comes back."""
    return error.get("code") in OVER_CAPACITY or error.get("code") in AT_ONCE


def _refusal(data: str) -> str:
    """The server's reason, from a `pusher:error` or a `pusher:subscription_error`."""
    fields = _object(data)
    return str(fields.get("message") or fields.get("error") or data)
