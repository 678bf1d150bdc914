"""Who is signed in on which connections, and who watches whom. Pure.

A client signs its user in with `pusher:signin` (`authenticate_user()` makes the proof). A user may
have several connections; their first one makes them online, and with their last one they go.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from pusherkit.errors import InvalidEvent
from pusherkit.events import to_json

MAX_USER_ID_LENGTH = 128  # characters (Pusher's documentation of presence channels)
MAX_WATCHLIST = 100  # users that one user watches (Pusher's Channels protocol, code 4302)

Peer = TypeVar("Peer", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who is signed in on a connection."""

    id: str
    info: str
    """What presence channels tell of them: JSON text, "null" where there is nothing."""
    watchlist: tuple[str, ...] = ()
    """The users whose coming and going they want to know, each once; at most MAX_WATCHLIST."""
    too_long: bool = False
    """Whether the watchlist was longer, and was cut."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The user whom a sign-in names. `fields` has an id that is text already.

        Raises InvalidEvent for an id that is too long, and for a watchlist that isn't one.
        """
        user_id, watchlist = fields["id"], fields.get("watchlist") or []
        if len(user_id) > MAX_USER_ID_LENGTH:
            raise InvalidEvent(
                f"user_data: an id has at most {MAX_USER_ID_LENGTH} characters, this one "
                f"{len(user_id)}.",
                rule="user_data",
            )
        if not (isinstance(watchlist, list) and all(isinstance(name, str) for name in watchlist)):
            raise InvalidEvent(
                "user_data: expected watchlist to be an array of user ids, each of them text.",
                rule="user_data",
            )
        return cls(
            id=user_id,
            info=to_json(fields.get("user_info")),
            watchlist=tuple(dict.fromkeys(watchlist[:MAX_WATCHLIST])),
            too_long=len(watchlist) > MAX_WATCHLIST,
        )


class Users(Generic[Peer]):
    """Every signed-in user's connections, and the connections that watch each user."""

    def __init__(self) -> None:
        self._peers: dict[str, dict[Peer, None]] = {}  # in the order of their sign-ins
        self._watchers: dict[str, dict[Peer, None]] = {}

    def enter(self, peer: Peer, user: User) -> bool:
        """Note that a user signed in on a connection; return whether it's their first."""
        peers = self._peers.setdefault(user.id, {})
        peers[peer] = None
        for name in user.watchlist:
            self._watchers.setdefault(name, {})[peer] = None
        return len(peers) == 1

    def leave(self, peer: Peer, user: User) -> bool:
        """Note that a connection is gone; return whether it was the user's last."""
        for name in user.watchlist:
            _discard(self._watchers, name, peer)
        _discard(self._peers, user.id, peer)
        return user.id not in self._peers

    def peers(self, user_id: str) -> tuple[Peer, ...]:
        """The connections of a user."""
        return tuple(self._peers.get(user_id, ()))

    def watchers(self, user_id: str) -> tuple[Peer, ...]:
        """The connections whose users watch this one."""
        return tuple(self._watchers.get(user_id, ()))

    def status(self, user_ids: Iterable[str]) -> dict[str, list[str]]:
        """Which of these users are "online" and which "offline"; neither key without a user."""
        found: dict[str, list[str]] = {}
        for user_id in user_ids:
            found.setdefault("online" if user_id in self._peers else "offline", []).append(user_id)
        return found


def _discard(table: dict[str, dict[Peer, None]], name: str, peer: Peer) -> None:
    peers = table.get(name, {})
    peers.pop(peer, None)
    if not peers:
        table.pop(name, None)
