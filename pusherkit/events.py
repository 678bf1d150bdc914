"""Events: their limits, and the JSON bodies that carry them. Pure.

One event goes to 1 to 100 channels (`POST /apps/{app_id}/events`); a batch holds 1 to 10 events
of one channel each (`POST /apps/{app_id}/batch_events`). `data` is a *string*, usually holding
JSON. So JSON is encoded twice, an old quirk of the API that every client lives with.

Limits are checked when an event is made, so any `Event` you hold can be sent. This file knows
nothing about signatures: it ends where the bytes of the body begin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from pusherkit.errors import InvalidEvent

# Each limit with its unit and its source. "Reference" is docs/api-reference.md.
MAX_DATA_BYTES = 102_400  # UTF-8 bytes of `data`: 100 KB after JSON encoding (reference, "Limits")
MAX_CHANNELS = 100  # channels of one event (reference, "Limits")
MAX_BATCH_EVENTS = 10  # events in one batch (reference, "Limits")
MAX_NAME_LENGTH = 200  # characters of an event's or channel's name (official SDKs; Pusher's own
# channel documentation says 164, the compatible servers accept 200)
CHANNEL_NAME = re.compile(r"[A-Za-z0-9_\-=@,.;]+")  # Pusher's channel documentation
ENCRYPTED = "private-encrypted-"  # how an encrypted channel's name begins (Pusher's documentation)
SERVER_TO_USER = "#server-to-user-"  # before a user's id, where an event goes to that user (SDKs)
RESERVED_NAMES = ("pusher:", "pusher_internal:")  # beginnings; Pusher's WebSocket protocol
SOCKET_ID = re.compile(r"[0-9]+\.[0-9]+")  # official SDKs
INFO_ATTRIBUTES = ("subscription_count", "user_count")  # Pusher's HTTP API documentation


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, valid by construction. `Event.of` takes plainer values.

    Raises InvalidEvent, which names the rule, the limit, its source and by how much it is broken.
    """

    channels: tuple[str, ...]
    """1 to 100 channel names, or `#server-to-user-ID` for a signed-in user's connections."""
    name: str
    """The event's name, 1 to 200 characters."""
    data: str
    """Text, at most 102,400 bytes in UTF-8. Usually JSON."""
    socket_id: str | None = None
    """A connection that should not receive the event, such as "123.456": the sender's own."""
    info: tuple[str, ...] = ()
    """Counts that the answer should contain: "subscription_count", "user_count"."""

    def __post_init__(self) -> None:
        _check_channels(self.channels)
        _check_name(self.name)
        _check_data(self.data)
        if self.socket_id is not None:
            check_socket_id(self.socket_id)
        for attribute in self.info:
            if attribute not in INFO_ATTRIBUTES:
                raise InvalidEvent(
                    f"info: expected {' or '.join(INFO_ATTRIBUTES)}, got {_short(attribute)}.",
                    rule="info",
                )

    @classmethod
    def of(
        cls,
        channels: str | Iterable[str],
        name: str,
        data: object,
        socket_id: str | None = None,
        *,
        info: Iterable[str] = (),
    ) -> Self:
        """Make an event from one channel or several, and from data of any JSON type.

        A string is taken as it is. Anything else is encoded as compact JSON, once.
        """
        return cls(
            channels=(channels,) if isinstance(channels, str) else tuple(channels),
            name=name,
            data=data if isinstance(data, str) else to_json(data),
            socket_id=socket_id,
            info=(info,) if isinstance(info, str) else tuple(info),
        )


def check_channel_name(name: object) -> str:
    """Return `name` if it can be the name of a channel; raise InvalidEvent if not."""
    if not isinstance(name, str):
        raise InvalidEvent(
            f"channel: expected a name (text), got {type(name).__name__}.", rule="channel"
        )
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidEvent(
            f"channel: the name has {len(name)} characters, {len(name) - MAX_NAME_LENGTH} over "
            f"the limit of {MAX_NAME_LENGTH} that the official SDKs enforce.",
            rule="channel",
            limit=MAX_NAME_LENGTH,
            actual=len(name),
        )
    if not CHANNEL_NAME.fullmatch(name):
        raise InvalidEvent(
            "channel: expected letters A-Z a-z, digits and _ - = @ , . ; and nothing else "
            f"(Pusher's channel documentation); got {_short(name)}.",
            rule="channel",
        )
    return name


def check_socket_id(socket_id: object) -> None:
    """Raise InvalidEvent unless `socket_id` has the form of a connection's id: "123.456"."""
    if not isinstance(socket_id, str) or not SOCKET_ID.fullmatch(socket_id):
        raise InvalidEvent(
            f'socket_id: expected digits, a dot and digits, such as "123.456"; '
            f"got {_kind(socket_id)}.",
            rule="socket_id",
        )


def check_user_id(user_id: object) -> str:
    """Return `user_id` if it can be a signed-in user's; raise InvalidEvent if not."""
    if not isinstance(user_id, str) or not 1 <= len(user_id) <= MAX_NAME_LENGTH:
        got = f"{len(user_id)} characters" if isinstance(user_id, str) else _kind(user_id)
        raise InvalidEvent(
            f"user_id: expected text of 1 to {MAX_NAME_LENGTH} characters, got {got}.",
            rule="user_id",
        )
    _utf8("user_id", user_id)
    return user_id


def _check_channels(channels: Sequence[object]) -> None:
    if isinstance(channels, str):
        raise InvalidEvent(
            f"channels: expected a tuple of names, got {_short(channels)}. "
            "Event.of(…) takes a single name too.",
            rule="channels",
        )
    if not channels:
        raise InvalidEvent(
            f"channels: expected 1 to {MAX_CHANNELS}, got none. Name at least one channel.",
            rule="channels",
            limit=MAX_CHANNELS,
            actual=0,
        )
    if len(channels) > MAX_CHANNELS:
        raise InvalidEvent(
            f"channels: {len(channels)} channels, {len(channels) - MAX_CHANNELS} over the limit "
            f"of {MAX_CHANNELS} per event (API reference). Split them over several events.",
            rule="channels",
            limit=MAX_CHANNELS,
            actual=len(channels),
        )
    for channel in channels:
        _check_target(channel)
        if len(channels) > 1 and str(channel).startswith(ENCRYPTED):
            raise InvalidEvent(
                f"channels: {channel} is encrypted, and such an event goes to one channel at a "
                "time: each encrypted channel has a key of its own, so nobody else could read it "
                "(official SDKs). Send it once for each channel.",
                rule="channels",
                limit=1,
                actual=len(channels),
            )


def _check_target(name: object) -> None:
    """Where an event may go: to a channel, or to a signed-in user, whose id may be any text."""
    if not (isinstance(name, str) and name.startswith(SERVER_TO_USER)):
        check_channel_name(name)
        return
    length = len(name) - len(SERVER_TO_USER)
    if not 1 <= length <= MAX_NAME_LENGTH:
        raise InvalidEvent(
            f"channel: expected a user's id of 1 to {MAX_NAME_LENGTH} characters after "
            f"{SERVER_TO_USER}, got {length}.",
            rule="channel",
            limit=MAX_NAME_LENGTH,
            actual=length,
        )
    _utf8("channel", name)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidEvent(
            f"name: expected the event's name (text), got {_kind(name)}.", rule="name"
        )
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidEvent(
            f"name: {len(name)} characters, {len(name) - MAX_NAME_LENGTH} over the limit of "
            f"{MAX_NAME_LENGTH} that the official SDKs enforce.",
            rule="name",
            limit=MAX_NAME_LENGTH,
            actual=len(name),
        )
    _utf8("name", name)
    if name.startswith(RESERVED_NAMES):
        raise InvalidEvent(
            f"name: {_short(name)} begins like the protocol's own events "
            f"({' or '.join(RESERVED_NAMES)}), so subscribers wouldn't recognise it as yours.",
            rule="name",
        )


def _check_data(data: object) -> None:
    if not isinstance(data, str):
        raise InvalidEvent(
            f"data: expected text that holds JSON, got {_kind(data)}. Encode it first: the "
            'reference shows "data": "{\\"text\\":\\"hello\\"}".',
            rule="data",
        )
    size = len(_utf8("data", data))
    if size > MAX_DATA_BYTES:
        raise InvalidEvent(
            f"data: {size:,} bytes, {size - MAX_DATA_BYTES:,} over the limit of "
            f"{MAX_DATA_BYTES:,} bytes (100 KB after JSON encoding, API reference). Send a "
            "reference to the data, such as its id or URL, and let subscribers fetch it.",
            rule="data_size",
            limit=MAX_DATA_BYTES,
            actual=size,
        )


def _utf8(rule: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidEvent(
            f"{rule}: character {error.start} is half of a surrogate pair "
            f"(U+{ord(text[error.start]):04X}), which has no bytes in UTF-8.",
            rule=rule,
        ) from None


def _kind(value: object) -> str:
    """The JSON word for a value's type."""
    names = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}
    if type(value) in names:  # named, not printed: it may be long, or nested too deeply
        return names[type(value)]
    return "a number" if isinstance(value, int | float) else _short(value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


# --- to the wire ------------------------------------------------------------------------------


def to_json(value: object) -> str:
    """Compact JSON, characters unescaped: the form whose MD5 the official pages publish."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"data: cannot be encoded as JSON: {error}.", rule="data") from error


def event_body(event: Event) -> bytes:
    """The body of `POST /apps/{app_id}/events`."""
    return to_json(
        {"name": event.name, "channels": list(event.channels), "data": event.data} | _extras(event)
    ).encode()


def check_event(event: object) -> Event:
    """Return `event` if it's an Event; raise InvalidEvent if it's a dict, say."""
    if not isinstance(event, Event):
        raise InvalidEvent(
            f"batch: expected Events, got {_kind(event)}. "
            'Event.of("order-41", "status", {"text": "on its way"}) makes one.',
            rule="batch",
        )
    return event


def batch_body(events: Iterable[Event]) -> bytes:
    """The body of `POST /apps/{app_id}/batch_events`: 1 to 10 events of one channel each."""
    events = tuple(map(check_event, events))
    _check_batch(events)
    return to_json(
        {
            "batch": [
                {"channel": event.channels[0], "name": event.name, "data": event.data}
                | _extras(event)
                for event in events
            ]
        }
    ).encode()


def _extras(event: Event) -> dict[str, str]:
    extras = {}
    if event.socket_id is not None:
        extras["socket_id"] = event.socket_id
    if event.info:
        extras["info"] = ",".join(event.info)
    return extras


def _check_batch(events: Sequence[Event]) -> None:
    _check_batch_length(len(events))
    for number, event in enumerate(events, start=1):
        if len(event.channels) != 1:
            raise InvalidEvent(
                f"batch: event {number} names {len(event.channels)} channels; an event in a "
                "batch has one (API reference). Repeat the event, or send it by itself.",
                rule="batch",
                limit=1,
                actual=len(event.channels),
            )


def _check_batch_length(length: int) -> None:
    if not 1 <= length <= MAX_BATCH_EVENTS:
        over = length - MAX_BATCH_EVENTS
        raise InvalidEvent(
            # The first three words are Pusher's own; pusher-http-php's tests look for them.
            (
                f"Batch too large: {length} events, {over} over the limit of"
                if over > 0
                else f"batch: {length} events, expected 1 to"
            )
            + f" {MAX_BATCH_EVENTS} per batch (API reference).",
            rule="batch",
            limit=MAX_BATCH_EVENTS,
            actual=length,
        )


def looks_encrypted(data: str) -> bool:
    """Whether an event's data has the form that encrypted channels carry: nonce and ciphertext."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and {"nonce", "ciphertext"} <= fields.keys()


# --- from the wire ----------------------------------------------------------------------------


def read_event_body(body: bytes) -> Event:
    """Read the body of `POST /events`; raise InvalidEvent with the rule that it breaks."""
    return _read_event(_read_object(body), allow_channels=True)


def read_batch_body(body: bytes) -> tuple[Event, ...]:
    """Read the body of `POST /batch_events`; raise InvalidEvent with the rule that it breaks."""
    fields = _read_object(body)
    batch = fields.get("batch")
    if not isinstance(batch, list):
        raise InvalidEvent(
            'batch: expected {"batch": [{"channel": …, "name": …, "data": …}, …]}, '
            f"got {'no batch' if batch is None else _kind(batch)}.",
            rule="batch",
        )
    _check_batch_length(len(batch))
    events = []
    for number, item in enumerate(batch, start=1):
        if not isinstance(item, dict):
            raise InvalidEvent(
                f"batch: event {number} is {_kind(item)}, expected an object.", rule="batch"
            )
        try:
            events.append(_read_event(item, allow_channels=False))
        except InvalidEvent as error:
            raise InvalidEvent(
                f"event {number} of the batch: {error}",
                rule=error.rule,
                limit=error.limit,
                actual=error.actual,
            ) from None
    return tuple(events)


def _read_object(body: bytes) -> dict[str, Any]:
    if not body:
        raise InvalidEvent("body: expected a JSON object, got an empty body.", rule="body")
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidEvent(
            f"body: byte {error.start} (0x{body[error.start]:02x}) is not UTF-8.", rule="body"
        ) from None
    except RecursionError:
        raise InvalidEvent("body: the JSON is nested too deeply.", rule="body") from None
    except ValueError as error:
        raise InvalidEvent(f"body: not JSON: {error}.", rule="body") from None
    if not isinstance(value, dict):
        raise InvalidEvent(f"body: expected a JSON object, got {_kind(value)}.", rule="body")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't a JSON value")


def _read_event(fields: dict[str, Any], *, allow_channels: bool) -> Event:
    for required in ("name", "data"):
        if required not in fields:
            raise InvalidEvent(f"Missing required parameter: {required}.", rule=required)
    channels = fields.get("channels")
    if "channel" in fields:
        if channels is not None:
            raise InvalidEvent(
                "channel and channels were both sent; send one of them.", rule="channels"
            )
        channels = [fields["channel"]]
    elif not allow_channels:
        raise InvalidEvent("Missing required parameter: channel.", rule="channel")
    elif channels is None:
        raise InvalidEvent("Missing required parameter: channel or channels.", rule="channels")
    if not isinstance(channels, list):
        raise InvalidEvent(
            f"channels: expected an array of names, got {_kind(channels)}.", rule="channels"
        )
    info = "" if fields.get("info") is None else fields["info"]
    if not isinstance(info, str):
        raise InvalidEvent(
            f'info: expected text such as "subscription_count", got {_kind(info)}.', rule="info"
        )
    return Event(
        channels=tuple(channels),
        name=fields["name"],
        data=fields["data"],
        socket_id=fields.get("socket_id"),
        info=tuple(attribute for attribute in info.split(",") if attribute),
    )
