"""Whose requests the practice server answers: its rules for the headers Host and Origin. Pure.

Every page that you have open can reach a server on 127.0.0.1. Two headers give a foreign page away,
because the browser writes them and no page can change them:

- Host. A page can point a name of its own at 127.0.0.1 (DNS rebinding), and then counts as a page
  of this very server. But its requests still carry that name.
- Origin: where the page came from. Browsers send it with each WebSocket and each POST.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pusherkit.errors import PusherError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_NAME = r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\]"  # a host's name or address, in lower case
_PORT = r"(?::[0-9]{1,5})?"
SHOWN = 100  # characters of a header in a sentence
SHOWN_NAMES = 3  # of those that were allowed


class Visitors:
    """Who may come in: this machine's own names and pages, and those named here.

    `hosts` are names alone, such as hub.example, each on any port; pages from there may come in
    too. `origins` are scheme, host and port, such as http://my-app.test:3000. Raises PusherError
    for what is neither.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._named = tuple(dict.fromkeys(host_name("allow-host", name) for name in hosts))
        self._hosts = _LOOPBACK.union(self._named)
        self._origins = frozenset(map(_origin, origins))

    def knows(self, origin: str) -> bool:
        """Whether an origin was named: one of `origins`."""
        return origin.lower() in self._origins

    def objection(self, host: str | None, origin: str | None) -> tuple[str, str] | None:
        """Why a request is not answered, and what to do about it, a sentence each; None if it is.

        `host` and `origin` are its headers, None where it has none. Without Host it's HTTP/1.0,
        which no browser speaks; without Origin it isn't from a page, or from the server's own.
        """
        if host is not None and not self._local(host):
            name = re.sub(r":[0-9]*$", "", host.lower())
            known = name if re.fullmatch(_NAME, name) else "NAME"  # it may be pasted into a shell
            return (
                f"This practice server doesn't answer under the name {host[:SHOWN]!r}.",
                f"{self._where()}. If a proxy of your own sends this name, start the server with "
                f"--allow-host {known} (allow_hosts in Python).",
            )
        if origin is None or self.knows(origin) or self._local_origin(origin):
            return None
        if origin == "null":
            return (
                "A page without an origin of its own may not use this practice server.",
                "A page that was opened as a file is one, and a sandboxed frame. Serve it from "
                "this machine instead: python -m http.server",
            )
        scheme, _, host = origin.lower().partition("://")
        known = origin if re.fullmatch(f"[a-z-]+ (?:{_NAME}){_PORT}", f"{scheme} {host}") else "URL"
        return (
            f"A page from {origin[:SHOWN]!r} may not use this practice server.",
            "Pages from http://localhost and http://127.0.0.1 may, on any port. To let this one "
            f"in, start the server with --allow-origin {known} (allow_origins in Python).",
        )

    def _where(self) -> str:
        if not self._named:
            return "It is at http://127.0.0.1 and at http://localhost"
        more = len(self._named) - SHOWN_NAMES
        names = ", ".join(self._named[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
        return f"It answers to {names}, and on its own machine to 127.0.0.1 and localhost"

    def _local(self, host: str) -> bool:
        found = re.fullmatch(f"({_NAME}){_PORT}", host.lower())
        return found is not None and found[1] in self._hosts

    def _local_origin(self, origin: str) -> bool:
        scheme, _, host = origin.lower().partition("://")
        return scheme in ("http", "https") and self._local(host)


def host_name(option: str, name: str) -> str:
    """A host's name or address as the header has it; PusherError if it can't be one."""
    bracketed = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
    if not re.fullmatch(_NAME, bracketed.lower()):
        raise PusherError(
            f"{option}: expected a name alone, such as hub.example, without http:// and without "
            f"a port; got {name[:SHOWN]!r}."
        )
    return bracketed.lower()


def _origin(text: str) -> str:
    origin = text.lower().removesuffix("/")
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s]+", origin):
        raise PusherError(
            "allow-origin: expected scheme and host, such as http://my-app.test:3000, without a "
            f"path; got {text!r}."
        )
    return origin
