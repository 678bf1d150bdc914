"""A request as a command that can be pasted elsewhere. Pure."""

from __future__ import annotations

import shlex


def curl(method: str, url: str, body: bytes = b"") -> str:
    """A signed request as a curl command for a POSIX shell; it sends the very bytes of `body`.

    Raises UnicodeDecodeError for a body that is not UTF-8, which no command line can hold.
    """
    lines = [f"curl -X {method} {shlex.quote(url)}"]
    if body:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"--data-binary {shlex.quote(body.decode())}")
    return " \\\n  ".join(lines)
