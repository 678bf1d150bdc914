"""Channels, their subscribers, and the WebSocket protocol between them. Pure: no sockets, no clock.

Spoken is Pusher's Channels protocol, version 7: public, private, presence and cache channels,
client events and signed-in users. `data` is a string in every frame but `pusher:error`, where it is
an object. A shell hands in each frame that arrives, and a `send` and a `hang_up` for each
connection.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pusherkit.authorization import bad_auth, read_user_data, verify_channel, verify_user
from pusherkit.credentials import Credentials
from pusherkit.errors import AuthenticationError, InvalidEvent
from pusherkit.events import ENCRYPTED, SERVER_TO_USER, Event, check_channel_name, to_json
from pusherkit.sandbox.cache import Cache, Cached, is_cache_channel
from pusherkit.sandbox.keys import FindKey, Keys, Named
from pusherkit.sandbox.rate import TokenBucket
from pusherkit.sandbox.users import MAX_USER_ID_LENGTH, MAX_WATCHLIST, User, Users

PROTOCOLS = ("4", "5", "6", "7")  # the versions whose frames look like these
CLOSE_CODES_SINCE = 6  # the version whose clients read close codes, and get no error before one
# What SDKs send as their version is made of: 8.6.0, v1.2, 7.2.0-rc.1, 1.0+build; ours.
VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+_-]{0,59}")
ACTIVITY_TIMEOUT_SECONDS = 120  # silence after which each side pings (protocol 7)
PONG_TIMEOUT_SECONDS = 30  # how long each side then waits for the pong (protocol 7)
CLIENT_EVENTS_PER_SECOND = 10  # of one connection (Pusher's documentation of client events)
MAX_PRESENCE_MEMBERS = 100  # users in one presence channel (Pusher's documentation)
MAX_MEMBER_BYTES = 10 * 1024  # of channel_data (the service's presence documentation)
PUSHERS_MEMBER_BYTES = 1024  # the same at Pusher (its documentation of presence channels)
MAX_ERROR_LENGTH = 1_000  # characters of an error that repeats what came; ours
MAX_CONNECTIONS = 10_000  # ours, so that memory stays bounded
MAX_SUBSCRIPTIONS = 1_000  # channels of one connection; ours, for the same reason
# Connections of a channel above which a changed count is told with the next tick() only, which
# comes every 5 s (Pusher's documentation of subscription counts).
MAX_COUNTED_AT_ONCE = 100

# Close and error codes of protocol 7. After 40xx a client must not come back as it is, after
# 41xx it waits a second or more, after 42xx it comes back at once.
APP_DOES_NOT_EXIST = 4001
PATH_NOT_FOUND = 4005
BAD_VERSION = 4006
UNSUPPORTED_PROTOCOL = 4007
NO_PROTOCOL = 4008
UNAUTHORIZED = 4009
OVER_CAPACITY = 4100
NO_PONG = 4201
INVALID_CHANNEL = 4300  # of the range 4300 to 4399, "other"; compatible servers use it so
CLIENT_EVENT_REJECTED = 4301  # rate limit of client events
WATCHLIST_TOO_LONG = 4302  # the sign-in succeeds, and the first 100 count


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event that went out: from the API, or from a client on a private or presence channel."""

    time: float
    """Unix seconds."""
    event: Event
    subscribers: int
    """How many frames went out; a subscriber to two of the event's channels counts twice."""
    client_event: bool = False
    """Whether a client sent it; `event.socket_id` is then the sender."""
    key: str = ""
    """The key that published it, or that the client connected with; "" if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnauthorizedSubscription:
    """A subscription, or a user's sign-in, that was refused: as it came, and not explained yet."""

    time: float
    """Unix seconds."""
    socket_id: str
    code: int | None
    """What the client was told: None, 4300 for a bad name, 4009 in a sign-in."""
    error: str
    """What the client was told."""
    channel: str
    """"" where none was named, as in a sign-in."""
    auth: str
    channel_data: str | None
    user_data: str | None
    """Of a sign-in; None in a subscription."""
    credentials: Credentials
    """Those of the key that the client connected with: it was judged with these."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One user in a presence channel. `user_info` is JSON text, "null" where there is none."""

    user_id: str
    user_info: str


@dataclass(eq=False, slots=True)
class Connection:
    """One WebSocket, seen from the server: what it is subscribed to and how to reach it."""

    socket_id: str
    send: Callable[[str], None]
    hang_up: Callable[[int, str], None]
    """Closes the socket with a code and a reason. Channels.close() follows."""
    ping: Callable[[], None]
    """Pings below the protocol, as a WebSocket does (RFC 6455, section 5.5.2)."""
    heard_at: float
    credentials: Credentials
    """Those of the key that it connected with: its subscriptions are judged with these."""
    subscriptions: dict[str, None] = field(default_factory=dict)  # in the order of subscription
    user: User | None = None
    """Who is signed in on it."""
    pinged_at: float | None = None
    """When it was asked whether it is still there; None once it was heard."""
    client_events: TokenBucket = field(
        default_factory=lambda: TokenBucket(CLIENT_EVENTS_PER_SECOND)
    )


class Channels:
    """Who is subscribed to what, and what each of them is told.

    `delivered` is called with each Delivery, `unauthorized` with each subscription and sign-in that
    was refused, `happened` with each event that webhooks tell of, as its fields. `socket_ids` names
    the connections; where it is None they are counted. A server that starts again should hand in
    ids that nobody can foresee: an `auth` is good for one socket id, and would fit again if that
    came again. With `subscription_count`, subscribers hear how many of them there are. `find_key`
    is as for Sandbox: a connection is judged with the secret of the key that it named.
    """

    def __init__(
        self,
        credentials: Credentials,
        delivered: Callable[[Delivery], None] = lambda delivery: None,
        unauthorized: Callable[[UnauthorizedSubscription], object] = lambda refused: None,
        happened: Callable[[Mapping[str, Any]], object] = lambda event: None,
        *,
        socket_ids: Iterator[str] | None = None,
        subscription_count: bool = False,
        find_key: FindKey | None = None,
    ) -> None:
        self._keys = Keys(credentials, find_key)
        self._delivered = delivered
        self._unauthorized = unauthorized
        self._happened = happened
        # Channel to connections, in order of subscription; each with its member if it has one.
        self._subscribers: dict[str, dict[Connection, _Member | None]] = {}
        self._connections: set[Connection] = set()
        self._leaving: deque[Connection] = deque()  # one by one, or hundreds would end too deep
        self._is_closing = False
        self._signed_in = Users[Connection]()
        self._cache = Cache()
        self._missed: set[str] = set()  # cache channels that subscribers found empty
        self._tells_counts = subscription_count
        self._changed_counts: dict[str, None] = {}  # channels whose count the next tick() tells
        self._socket_ids = socket_ids or (f"{number}.{number}" for number in count(1))
        self._ticked_at: float | None = None
        self.too_many_client_events: Callable[[str, float], str] = lambda key, now: ""
        """Says why a key's next client event has to wait, if it does. One connection's limit is
        looked at first; this is for limits of your own on all that a key has."""

    # --- what the API asks ------------------------------------------------------------------

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

    def users(self, channel: str) -> list[str]:
        """The ids of the users in a presence channel, in the order in which they came."""
        return list(self._members(channel))

    def cached(self, channel: str, *, now: float) -> Cached | None:
        """The event that a cache channel remembers."""
        return self._cache.recall(channel, now=now)

    def publish(self, event: Event, *, now: float, key: str = "") -> int:
        """Deliver an event to every subscriber of its channels; return how many frames went out.

        `key` is the one that published it, for the Delivery.
        """
        for channel in filter(is_cache_channel, event.channels):
            self._cache.remember(channel, event.name, event.data, now=now)
            self._missed.discard(channel)
        sent = sum(
            self._send_all(
                channel,
                frame(event.name, channel=channel, data=event.data),
                but=event.socket_id,
            )
            for channel in dict.fromkeys(event.channels)
        )
        self._delivered(Delivery(time=now, event=event, subscribers=sent, key=key))
        return sent

    def terminate(self, user_id: str) -> int:
        """Close the connections on which this user is signed in; return how many there were."""
        connections = self._signed_in.peers(user_id)
        for connection in connections:
            connection.hang_up(UNAUTHORIZED, "You got disconnected by the app.")  # soketi's words
            self.close(connection)
        return len(connections)

    # --- connections come and go --------------------------------------------------------------

    def open(
        self,
        send: Callable[[str], None],
        hang_up: Callable[[int, str], None],
        *,
        key: str,
        protocol: str | None,
        version: str | None = None,
        now: float,
        ping: Callable[[], None] = lambda: None,
    ) -> Connection | None:
        """Begin a connection: give it a socket_id and greet it. None where it was refused.

        `key`, `protocol` and `version` are those of `/app/KEY?protocol=7&version=8.6.0`. `ping`
        pings by WebSocket, where there is one.
        """
        named = self._keys.named([key])
        if refusal := self._refusal(key, named, protocol, version):
            turn_away(send, hang_up, protocol, *refusal)
            return None
        connection = Connection(next(self._socket_ids), send, hang_up, ping, now, named.credentials)
        self._connections.add(connection)
        greeting = {
            "socket_id": connection.socket_id,
            "activity_timeout": ACTIVITY_TIMEOUT_SECONDS,
        }
        send(frame("pusher:connection_established", data=to_json(greeting)))
        return connection

    def _refusal(
        self, key: str, named: Named, protocol: str | None, version: str | None
    ) -> tuple[int, str] | None:
        if not named.key:
            shown = named.credentials.hide(key)[:60]
            return APP_DOES_NOT_EXIST, f"App key {shown} does not exist here."
        if protocol is None:
            return NO_PROTOCOL, "No protocol version supplied. Connect with ?protocol=7."
        if protocol not in PROTOCOLS:
            return (
                UNSUPPORTED_PROTOCOL,
                f"Unsupported protocol version {protocol[:20]}; expected 4, 5, 6 or 7.",
            )
        if version and not VERSION.fullmatch(version):
            shown = named.credentials.hide(version[:1_000])[:40]
            return BAD_VERSION, f"Invalid version string format: {shown}. Expected one like 8.6.0."
        if self.connections >= MAX_CONNECTIONS:
            return OVER_CAPACITY, f"Over capacity: {MAX_CONNECTIONS} connections are open."
        return None

    def close(self, connection: Connection) -> None:
        """Forget a connection and its subscriptions. Closing twice does no harm."""
        self._connections.discard(connection)
        self._leaving.append(connection)
        if self._is_closing:
            return  # it was told that another leaves, which was too much for it: it's next
        self._is_closing = True
        try:
            while self._leaving:
                self._forget(self._leaving.popleft())
        finally:
            self._is_closing = False

    def _forget(self, connection: Connection) -> None:
        for channel in tuple(connection.subscriptions):
            self._unsubscribe(connection, channel)
        user, connection.user = connection.user, None
        if user is not None and self._signed_in.leave(connection, user):
            self._tell_watchers(user.id)

    def tick(self, now: float) -> None:
        """Ping each connection that is silent, and hang up on those that don't answer.

        A silent one is pinged in both ways, because some clients know only one: the WebSocket's
        own ping, and `pusher:ping`. Call it every few seconds. A clock may jump, as when a laptop
        wakes up: then those that were asked before have the whole time for their answer again.
        """
        since = 0.0 if self._ticked_at is None else now - self._ticked_at
        self._ticked_at = now
        jumped = not 0 <= since <= PONG_TIMEOUT_SECONDS
        for connection in tuple(self._connections):
            connection.heard_at = min(connection.heard_at, now)  # if the clock was put back
            if connection.pinged_at is None:
                if now - connection.heard_at >= ACTIVITY_TIMEOUT_SECONDS:
                    connection.pinged_at = now
                    connection.ping()
                    connection.send(frame("pusher:ping", data="{}"))
            elif jumped:
                connection.pinged_at = now
            elif now - connection.pinged_at >= PONG_TIMEOUT_SECONDS:
                connection.hang_up(NO_PONG, "Pong reply not received in time")
                self.close(connection)
        changed, self._changed_counts = self._changed_counts, {}
        for channel in changed:
            self._tell_count(channel)

    # --- what a client says -------------------------------------------------------------------

    def heard(self, connection: Connection, *, now: float) -> None:
        """Take note of a sign of life: any message counts, a WebSocket's ping or pong, too."""
        connection.heard_at = now
        connection.pinged_at = None

    def receive(self, connection: Connection, text: str | bytes, *, now: float) -> None:
        """Act on one frame from a client. A frame that makes no sense is answered with an error."""
        if connection not in self._connections:
            return  # it has been hung up on, and these are its last words
        self.heard(connection, now=now)
        if isinstance(text, bytes):
            self._refuse(connection, None, "Binary frames are not supported. Send JSON as text.")
            return
        message = _read(text)
        if message is None:
            self._refuse(connection, None, 'Expected a JSON object with a text "event".')
            return
        name, data = message["event"], _fields(message.get("data"))
        match name:
            case "pusher:subscribe":
                self._subscribe(connection, data, now)
            case "pusher:unsubscribe":
                self._leave(connection, data.get("channel"))
            case "pusher:signin":
                self._sign_in(connection, data, now)
            case "pusher:ping":
                connection.send(frame("pusher:pong", data="{}"))
            case "pusher:pong":
                pass
            case _ if name.startswith("client-"):
                self._client_event(connection, message, now)
            case _:
                self._refuse(connection, None, f"Unknown event {name[:80]!r}.")

    def _subscribe(self, connection: Connection, data: Mapping[str, Any], now: float) -> None:
        channel = data.get("channel")
        try:
            # For a user's own messages, who is signed in decides, not how the id is written.
            if not (isinstance(channel, str) and channel.startswith(SERVER_TO_USER)):
                channel = check_channel_name(channel)
        except InvalidEvent as error:
            message = f"Invalid channel name: {error}"
            self._refuse_access(connection, INVALID_CHANNEL, message, data, now)
            return
        member = None
        try:
            if channel in connection.subscriptions:  # the service's wording, as in _authorize()
                raise InvalidEvent(f"Existing subscription to channel {channel}", rule="channel")
            if len(connection.subscriptions) >= MAX_SUBSCRIPTIONS:
                raise InvalidEvent(
                    f"One connection can have {MAX_SUBSCRIPTIONS} channels.", rule="channels"
                )
            if channel.startswith(SERVER_TO_USER):
                self._own_messages(connection, channel)
            if channel.startswith(("private-", "presence-")):
                self._authorize(connection, channel, data)
            if channel.startswith("presence-"):
                member = self._member(connection, channel, data.get("channel_data"))
        except (AuthenticationError, InvalidEvent) as error:
            # No code: those from 4000 to 4299 mean that the connection is closed, and some clients
            # close it themselves when they read one.
            self._refuse_access(connection, None, str(error), data, now)
            return
        self._enter(connection, channel, member, now)

    def _enter(
        self, connection: Connection, channel: str, member: _Member | None, now: float
    ) -> None:
        """Subscribe to a channel, and tell everybody."""
        new = member is not None and member.user_id not in self._members(channel)
        first = channel not in self._subscribers
        connection.subscriptions[channel] = None
        self._subscribers.setdefault(channel, {})[connection] = member
        self._succeeded(connection, channel)
        if is_cache_channel(channel):
            self._tell_cached(connection, channel, now)
        if member is not None and new:
            told = f'{{"user_id":{to_json(member.user_id)},"user_info":{member.user_info}}}'
            added = frame("pusher_internal:member_added", channel=channel, data=told)
            self._send_all(channel, added, but=connection.socket_id)
        if channel not in connection.subscriptions:
            return  # it read too slowly for all this, and was hung up on
        # The webhooks come last: a server that hears of them may publish at once.
        if first:
            self._happened({"name": "channel_occupied", "channel": channel})
        if member is not None and new:
            self._member_happened("member_added", channel, member)
        if is_cache_channel(channel):
            self._note_a_miss(channel, now)
        self._count_changed(channel)

    def _succeeded(self, connection: Connection, channel: str) -> None:
        told = self._presence(channel) if channel.startswith("presence-") else "{}"
        connection.send(frame("pusher_internal:subscription_succeeded", channel=channel, data=told))

    def _tell_cached(self, connection: Connection, channel: str, now: float) -> None:
        if (event := self._cache.recall(channel, now=now)) is None:
            connection.send(_text({"event": "pusher:cache_miss", "channel": channel}))
        else:
            connection.send(frame(event.name, channel=channel, data=event.data))

    def _note_a_miss(self, channel: str, now: float) -> None:
        """Where a cache channel is found empty, one webhook says so, however many find it."""
        if channel not in self._missed and self._cache.recall(channel, now=now) is None:
            self._missed.add(channel)
            self._happened({"name": "cache_miss", "channel": channel})

    def _member_happened(self, name: str, channel: str, member: _Member) -> None:
        self._happened({"name": name, "channel": channel, "user_id": member.user_id})

    def _count_changed(self, channel: str) -> None:
        """Somebody came or went: tell the count, now or with the next tick()."""
        if not self._tells_counts or channel.startswith("presence-"):
            return
        if self.subscription_count(channel) > MAX_COUNTED_AT_ONCE:
            self._changed_counts[channel] = None
        else:
            self._changed_counts.pop(channel, None)
            self._tell_count(channel)

    def _tell_count(self, channel: str) -> None:
        count = {"subscription_count": self.subscription_count(channel)}
        # Clients give it to their users as pusher:subscription_count.
        told = frame("pusher_internal:subscription_count", channel=channel, data=to_json(count))
        self._send_all(channel, told)
        self._happened({"name": "subscription_count", "channel": channel} | count)

    def _authorize(self, connection: Connection, channel: str, data: Mapping[str, Any]) -> None:
        auth, channel_data = data.get("auth"), data.get("channel_data")
        if auth is None:
            raise InvalidEvent(f"Auth info required to subscribe to {channel}", rule="auth")
        if not isinstance(auth, str):
            raise InvalidEvent(bad_auth(channel), rule="auth")
        if not isinstance(channel_data, str | None):
            raise InvalidEvent("channel_data: expected a string holding JSON.", rule="channel_data")
        judging = self._judging(connection, auth)
        verify_channel(judging, connection.socket_id, channel, auth, channel_data)

    def _judging(self, connection: Connection, auth: str) -> Credentials:
        """What an `auth` is judged with: its connection's key, whichever key it names itself.

        If it names another one, that one's secret stays out of sight, too.
        """
        own = connection.credentials
        key, _, _ = auth.rpartition(":")
        return own if key in ("", own.key) else self._keys.named([own.key, key]).credentials

    def _own_messages(self, connection: Connection, channel: str) -> None:
        """Raise unless these are the messages for the user who is signed in."""
        user = connection.user
        if user is None or channel != SERVER_TO_USER + user.id:
            who = "nobody" if user is None else f"user {user.id}"
            raise InvalidEvent(
                f"Cannot subscribe to {channel[: len(SERVER_TO_USER) + MAX_USER_ID_LENGTH]}: these "
                f"are a signed-in user's own messages, and {who} is signed in on this connection.",
                rule="channel",
            )

    def _member(self, connection: Connection, channel: str, channel_data: str | None) -> _Member:
        """Who joins a presence channel, from a channel_data that is authorized already.

        Without one, it's the user who is signed in.
        """
        wanted = 'channel_data: expected JSON such as {"user_id":"7","user_info":{…}}'
        if channel_data is None and (user := connection.user):
            member = _Member(user.id, user.info)
        elif channel_data is None:
            raise InvalidEvent(f"{wanted}, got none.", rule="channel_data")
        else:
            member = self._read_member(wanted, channel_data)
        users = self._members(channel)
        if member.user_id not in users and len(users) >= MAX_PRESENCE_MEMBERS:
            raise InvalidEvent(
                f"{channel} is full: it has {MAX_PRESENCE_MEMBERS} members.", rule="members"
            )
        return member

    def _read_member(self, wanted: str, channel_data: str) -> _Member:
        size = len(channel_data.encode(errors="surrogatepass"))
        if size > MAX_MEMBER_BYTES:
            raise InvalidEvent(
                f"channel_data: {size:,} bytes, over the limit of {MAX_MEMBER_BYTES:,} here. "
                f"Pusher itself takes {PUSHERS_MEMBER_BYTES:,}.",
                rule="channel_data",
            )
        fields = _fields(channel_data)
        user_id = fields.get("user_id")
        if isinstance(user_id, int) and not isinstance(user_id, bool):
            user_id = str(user_id)  # the official documentation's own example is a number
        if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_USER_ID_LENGTH:
            raise InvalidEvent(
                f"{wanted}, with a user_id of 1 to {MAX_USER_ID_LENGTH} characters.",
                rule="channel_data",
            )
        return _Member(user_id, to_json(fields.get("user_info")))

    def _leave(self, connection: Connection, channel: object) -> None:
        """Unsubscribe at the client's wish."""
        if not isinstance(channel, str):
            self._refuse(connection, None, 'Unsubscribing needs {"channel": …}, a name.')
        elif channel in connection.subscriptions:
            self._unsubscribe(connection, channel)
        else:  # the service's wording
            message = f"No current subscription to channel {channel}, or subscription in progress"
            self._refuse(connection, None, message)

    def _unsubscribe(self, connection: Connection, channel: str) -> None:
        del connection.subscriptions[channel]
        subscribers = self._subscribers[channel]
        member = subscribers.pop(connection)
        vacated = not subscribers
        if vacated:
            del self._subscribers[channel]
            self._missed.discard(channel)
        gone = member is not None and member.user_id not in self._members(channel)
        if member is not None and gone:
            left = to_json({"user_id": member.user_id})
            self._send_all(
                channel, frame("pusher_internal:member_removed", channel=channel, data=left)
            )
        self._count_changed(channel)
        if member is not None and gone:
            self._member_happened("member_removed", channel, member)
        if vacated:
            self._happened({"name": "channel_vacated", "channel": channel})

    def _sign_in(self, connection: Connection, data: Mapping[str, Any], now: float) -> None:
        auth, user_data = data.get("auth"), data.get("user_data")
        try:
            if not (isinstance(auth, str) and isinstance(user_data, str)):
                raise InvalidEvent(
                    "Signing in needs auth and user_data, both strings.", rule="auth"
                )
            judging = self._judging(connection, auth)
            verify_user(judging, connection.socket_id, auth, user_data)
            user = User.of(read_user_data(user_data))
        except (AuthenticationError, InvalidEvent) as error:
            self._refuse_access(connection, UNAUTHORIZED, str(error), data, now, sign_in=True)
            connection.hang_up(UNAUTHORIZED, "Connection not authorized: signing in failed")
            self.close(connection)
            return
        before = connection.user
        if before is not None and before.id != user.id:
            message = (
                f"This connection is signed in as user {before.id}, and a connection has one user: "
                f"open another for user {user.id}."
            )
            self._refuse_access(connection, None, message, data, now, sign_in=True)
            return
        if before is not None:
            self._signed_in.leave(connection, before)
        first = self._signed_in.enter(connection, user) and before is None
        connection.user = user
        connection.send(frame("pusher:signin_success", data=to_json({"user_data": user_data})))
        if user.too_long:
            message = f"Watchlist limit exceeded. Only the first {MAX_WATCHLIST} user IDs count."
            self._refuse(connection, WATCHLIST_TOO_LONG, message)
        if user.watchlist:
            connection.send(_watchlist_frame(self._signed_in.status(user.watchlist)))
        if first:
            self._tell_watchers(user.id)

    def _tell_watchers(self, user_id: str) -> None:
        """A user came, or went: tell those who watch them."""
        text = _watchlist_frame(self._signed_in.status((user_id,)))
        for connection in self._signed_in.watchers(user_id):
            connection.send(text)

    def _client_event(self, connection: Connection, message: dict[str, Any], now: float) -> None:
        channel, data = message.get("channel"), message.get("data", "")
        if not isinstance(channel, str) or channel not in connection.subscriptions:
            self._refuse(
                connection, None, "Client events go to a channel that you are subscribed to."
            )
            return
        if not channel.startswith(("private-", "presence-")):
            self._refuse(
                connection,
                None,
                f"Client events need a private or presence channel, not {channel}.",
            )
            return
        if channel.startswith(ENCRYPTED):
            self._refuse(
                connection,
                None,
                f"Client events are not supported on encrypted channels, such as {channel}.",
            )
            return
        too_many = (
            f"over {CLIENT_EVENTS_PER_SECOND} in a second."
            if connection.client_events.take(now)
            else self.too_many_client_events(connection.credentials.key, now)
        )
        if too_many:
            self._refuse(connection, CLIENT_EVENT_REJECTED, f"Client event rejected: {too_many}")
            return
        member = self._subscribers[channel][connection]
        sender = {} if member is None else {"user_id": member.user_id}
        try:
            event = Event.of(channel, message["event"], data, connection.socket_id)
            # As in every event to a client, data is a string: some SDKs read nothing else.
            text = _text({"event": event.name, "channel": channel, "data": event.data} | sender)
        except InvalidEvent as error:
            self._refuse(connection, None, str(error))
            return
        sent = self._send_all(channel, text, but=connection.socket_id)
        self._delivered(
            Delivery(
                time=now,
                event=event,
                subscribers=sent,
                client_event=True,
                key=connection.credentials.key,
            )
        )
        about = {"event": event.name, "data": event.data, "socket_id": connection.socket_id}
        self._happened({"name": "client_event", "channel": channel} | about | sender)

    # --- what clients are told ----------------------------------------------------------------

    def _members(self, channel: str) -> dict[str, _Member]:
        """Each user of a presence channel once, however many connections they have."""
        members: dict[str, _Member] = {}
        for member in self._subscribers.get(channel, {}).values():
            if member is not None:
                members.setdefault(member.user_id, member)
        return members

    def _presence(self, channel: str) -> str:
        """Who is there, as the answer to a subscription tells it: JSON."""
        members = self._members(channel)
        infos = ",".join(f"{to_json(name)}:{each.user_info}" for name, each in members.items())
        ids = to_json(list(members))
        return f'{{"presence":{{"ids":{ids},"hash":{{{infos}}},"count":{len(members)}}}}}'

    def _send_all(self, channel: str, text: str, *, but: str | None = None) -> int:
        """Send a frame to a channel's subscribers; return how many there were."""
        sent = 0
        # A copy: a send that fails may close its connection while we iterate.
        for connection in tuple(self._subscribers.get(channel, ())):
            if connection.socket_id != but:
                connection.send(text)
                sent += 1
        return sent

    def _refuse(
        self,
        connection: Connection,
        code: int | None,
        message: str,
        judging: Credentials | None = None,
    ) -> str:
        """Answer with an error. It repeats what came, but not a secret that came by mistake.

        `judging` is what it was judged with, if that isn't the connection's own.
        """
        if len(message) > MAX_ERROR_LENGTH:  # cut first: hiding takes long in a long text
            message = f"{message[:MAX_ERROR_LENGTH]}…"
        message = (judging or connection.credentials).hide(message)
        connection.send(error_frame(code, message))
        return message

    def _refuse_access(
        self,
        connection: Connection,
        code: int | None,
        message: str,
        data: Mapping[str, Any],
        now: float,
        *,
        sign_in: bool = False,
    ) -> None:
        """Refuse a subscription or a sign-in, and pass on what came, for the doctor."""

        def text(name: str) -> str | None:
            value = data.get(name)
            if isinstance(value, str | None):
                return value
            with suppress(InvalidEvent):
                return to_json(value)  # what should be text, and came as an object
            return ""

        auth = text("auth") or ""
        judging = self._judging(connection, auth)
        self._unauthorized(
            UnauthorizedSubscription(
                time=now,
                socket_id=connection.socket_id,
                code=code,
                error=self._refuse(connection, code, message, judging),
                channel=text("channel") or "",
                auth=auth,
                channel_data=text("channel_data"),
                user_data=text("user_data") or "" if sign_in else None,
                credentials=judging,
            )
        )


def frame(event: str, *, data: str, channel: str | None = None) -> str:
    """A frame to a client: JSON whose `data` is a string."""
    fields = {"event": event, "data": data}
    if channel is not None:
        fields["channel"] = channel
    return _text(fields)


def turn_away(
    send: Callable[[str], None],
    hang_up: Callable[[int, str], None],
    protocol: str | None,
    code: int,
    reason: str,
) -> None:
    """Close a connection that isn't let in. Older clients, who read no close code, get an error."""
    number = int(protocol) if protocol and re.fullmatch("[0-9]{1,9}", protocol) else 1
    if number < CLOSE_CODES_SINCE:
        send(error_frame(code, reason))
    hang_up(code, reason)


def _watchlist_frame(status: Mapping[str, list[str]]) -> str:
    """The users of a watchlist who are online, and those who are offline."""
    events = [{"name": name, "user_ids": user_ids} for name, user_ids in status.items()]
    return frame("pusher_internal:watchlist_events", data=to_json({"events": events}))


def error_frame(code: int | None, message: str) -> str:
    """A `pusher:error`, the one frame whose `data` is an object."""
    return _text({"event": "pusher:error", "data": {"code": code, "message": message}})


def _text(value: object) -> str:
    r"""Compact JSON that has bytes in UTF-8: half a surrogate pair is written as \ud8….."""
    return to_json(value).encode(errors="backslashreplace").decode()


def _read(text: str) -> dict[str, Any] | None:
    """A client's frame; None where it isn't one."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(message, dict) and isinstance(message.get("event"), str):
        return message
    return None


def _fields(data: object) -> Mapping[str, Any]:
    """A client's `data`: an object, or (as some clients send) a string holding one."""
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            return {}
    return data if isinstance(data, dict) else {}
