"""Which call of the HTTP API a request is. Pure.

`/apps/{app_id}` and then one of six calls, from the API reference and, for the last, from Pusher's
HTTP API documentation.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote

CALLS = (
    ("events", "POST", "/events"),
    ("batch_events", "POST", "/batch_events"),
    ("channels", "GET", "/channels"),
    ("channel", "GET", "/channels/([^/]+)"),
    ("users", "GET", "/channels/([^/]+)/users"),
    ("terminate", "POST", "/users/([^/]+)/terminate_connections"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a request goes."""

    call: str
    """A name in CALLS; "" where no call has this path, or none this method."""
    app_id: str
    """As it stands in the path; "" where there is none."""
    arguments: tuple[str, ...] = ()
    """The channel, or the user, that the path names; percent-decoded."""
    allowed: tuple[str, ...] = ()
    """The methods that this path takes."""


def route(method: str, path: str, own_calls: Collection[str] = ()) -> Route:
    """Find the call that `method` and `path` make. Whose app it is, is not looked at.

    `own_calls` are names that check_own_call() took: POST /apps/{app_id}/NAME.
    """
    app = re.fullmatch(r"/apps/([^/]+)(/.*)?", path, flags=re.DOTALL)
    app_id, rest = (app[1], app[2] or "") if app else ("", "")
    matching = [
        (call, verb, match.groups())
        for call, verb, pattern in CALLS
        if (match := re.fullmatch(pattern, rest))
    ]
    if rest[1:] in own_calls:
        matching.append((rest[1:], "POST", ()))
    allowed = tuple(verb for _, verb, _ in matching)
    for call, verb, groups in matching:
        if verb == method:
            arguments = tuple(map(unquote, groups))
            return Route(call=call, app_id=app_id, arguments=arguments, allowed=allowed)
    return Route(call="", app_id=app_id, allowed=allowed)


def check_own_call(name: str) -> str:
    """Return the name of a call of your own; raise ValueError if a call can't have that name."""
    if not re.fullmatch("[a-z][a-z0-9_-]{0,39}", name):
        raise ValueError(
            "calls: expected a name of lower-case letters, digits, _ and -, at most 40; "
            f"got {name!r}."
        )
    if any(path == f"/{name}" for _, _, path in CALLS):
        raise ValueError(f"calls: {name!r} is already a call of the HTTP API; choose another name.")
    return name
