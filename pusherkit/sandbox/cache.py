"""What a cache channel remembers: the last event that was published there. Pure.

A name makes a channel a cache channel: `cache-…`, `private-cache-…`, `presence-cache-…` and
`private-encrypted-cache-…` (Pusher's documentation, "Cache channels"). A new subscriber gets the
event first, or hears that there is none.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

CACHE_PREFIXES = ("cache-", "private-cache-", "presence-cache-", "private-encrypted-cache-")
CACHE_SECONDS = 30 * 60  # that an event is remembered, "up to" (Pusher's documentation)
# Both ours, so that memory stays bounded. The documentation's "up to" allows it: where it's full,
# the event that is oldest leaves early.
MAX_CACHED_CHANNELS = 10_000
MAX_CACHED_CHARACTERS = 16 * 1024 * 1024  # of names and data, of all channels together


def is_cache_channel(channel: str) -> bool:
    """Whether this channel remembers its last event."""
    return channel.startswith(CACHE_PREFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """The last event of a cache channel."""

    name: str
    data: str
    until: float
    """Unix seconds: when it is forgotten."""


class Cache:
    """The last event of each cache channel, for CACHE_SECONDS."""

    def __init__(self) -> None:
        self._events: OrderedDict[str, Cached] = OrderedDict()  # by channel, oldest event first
        self._characters = 0

    def remember(self, channel: str, name: str, data: str, *, now: float) -> None:
        """Keep an event that goes to a cache channel, in place of the one before."""
        if (before := self._events.pop(channel, None)) is not None:
            self._characters -= _characters(channel, before)
        event = Cached(name=name, data=data, until=now + CACHE_SECONDS)
        self._events[channel] = event
        self._characters += _characters(channel, event)
        while self._is_full() or next(iter(self._events.values())).until <= now:
            self._characters -= _characters(*self._events.popitem(last=False))

    def recall(self, channel: str, *, now: float) -> Cached | None:
        """The last event of a channel; None where there was none, or it's too long ago."""
        event = self._events.get(channel)
        return event if event is not None and event.until > now else None

    def _is_full(self) -> bool:
        too_many = len(self._events) > MAX_CACHED_CHANNELS
        return too_many or self._characters > MAX_CACHED_CHARACTERS


def _characters(channel: str, event: Cached) -> int:
    return len(channel) + len(event.name) + len(event.data)
