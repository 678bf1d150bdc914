"""The keys of one app: whose secret judges a request, and which secrets nobody gets to see. Pure.

A class has one app, and a key for each learner. So the key that a request names decides which
secret it's judged with, and who it claims to be from. Each request costs a look-up or two, however
many keys there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from pusherkit.credentials import Credentials, merged

FindKey = Callable[[str], Credentials | None]
"""The credentials of a key of this app; None if the app has no such key. Any text may come."""

# Different keys that one request may name; ours. An honest request names one, and each one more is
# another secret to look for in everything it says.
MAX_NAMED = 4
# What may be a secret where a key belongs: Pusher's have 20 hex digits (its documentation).
_LIKE_A_SECRET = re.compile("[0-9A-Fa-f]{16,}+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The key that a request names. Whether its sender has the secret remains to be seen."""

    key: str
    """"" if it names none of this app's."""
    credentials: Credentials
    """What the request is judged with: the key's, or the app's own if it names none.

    hide() knows the app's own secret, too, and that of every other key that was named.
    """


class Keys:
    """The keys of one app: that of its `own` credentials, and those that `find` knows."""

    def __init__(self, own: Credentials, find: FindKey | None = None) -> None:
        self._find = find
        self._own = Named(key=own.key, credentials=own)
        self._nobody = Named(key="", credentials=own)

    @property
    def several(self) -> bool:
        """Whether there may be other keys than the app's own."""
        return self._find is not None

    def named(self, keys: Iterable[str]) -> Named:
        """Look up the keys that a request names. The first one that is ours counts."""
        own, find = self._own.credentials, self._find
        if find is None:
            return self._own if own.key in keys else self._nobody
        names = [key for key in dict.fromkeys(keys) if key]
        if len(names) > MAX_NAMED:
            return Named(key="", credentials=_Guarded(own, everything=True))
        ours, guarded = list[Credentials](), list[Credentials]()
        for name in names:
            known = own if name == own.key else find(name) if _has_bytes(name) else None
            if known is not None and known.key == name:
                ours.append(known)
            elif _LIKE_A_SECRET.fullmatch(name):  # perhaps one of ours: people swap the two
                guarded.append(Credentials(app_id=own.app_id, key=own.key, secret=name))
        first = ours[0] if ours else own
        guarded += [each for each in (own, *ours) if each is not first]
        if not guarded:
            return Named(key=first.key if ours else "", credentials=first)
        return Named(
            key=first.key if ours else "", credentials=_Guarded(first, guarded=tuple(guarded))
        )


def _has_bytes(text: str) -> bool:
    """Whether a text can be written in UTF-8. JSON may contain half a surrogate pair."""
    return not re.search("[\ud800-\udfff]", text)


_FIELDS = tuple(each.name for each in fields(Credentials))


class _Guarded(Credentials):
    """The same credentials, whose hide() and holds() know other secrets, too."""

    __slots__ = ("_everything", "_guarded")
    _everything: bool
    _guarded: tuple[Credentials, ...]

    def __init__(
        self,
        credentials: Credentials,
        *,
        guarded: tuple[Credentials, ...] = (),
        everything: bool = False,
    ) -> None:
        put = object.__setattr__  # frozen, as they are; and they were checked once
        for name in _FIELDS:
            put(self, name, getattr(credentials, name))
        put(self, "_guarded", guarded)
        put(self, "_everything", everything)

    def _places(self, text: str) -> Iterable[tuple[int, int]]:
        if self._everything:
            return [(0, len(text))] if text else []
        found = [*super()._places(text)]
        for each in self._guarded:
            found += each._places(text)
        return merged(found)
