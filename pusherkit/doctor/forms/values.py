"""What the readers of code share: a value that isn't known, and requests from what is. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from pusherkit.doctor.forms.parts import MAX_TEXT, PastedRequest, as_bytes, cut, make_request
from pusherkit.errors import UnreadableText

MAX_CODE = 512 * 1024  # characters of a program; ours. A longer text is no program, but a log
MAX_NESTING = 40  # brackets inside brackets, in a value


class Unknown:
    """A value that only the running program has; `source` is how the text writes it."""

    def __init__(self, source: str) -> None:
        self.source = cut(" ".join(source[:400].split()))


class Budget:
    """How much may still be put in for variables: short code can name long values again and again.

    `spend` says whether that much is left, and takes it.
    """

    def __init__(self) -> None:
        self.left = MAX_TEXT

    def spend(self, size: int) -> bool:
        self.left -= size
        return self.left >= 0


def compact_json(value: Any) -> str:
    """What JSON.stringify() writes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def holds_unknown(value: Any) -> Unknown | None:
    """The first value inside a value that isn't known."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for inner in value:
            if found := holds_unknown(inner):
                return found
    return None


def request_from(
    method: Any,
    url: Any,
    *,
    body: Any = b"",
    params: Any = (),
    headers: Any = (),
    base: Any = "",
    notes: Iterable[str] = (),
) -> PastedRequest:
    """Put a request together from values of code: text, bytes, or Unknown.

    Raises UnreadableText where the URL, the method or the parameters aren't in the text; an
    unknown body is one of which nothing is said.
    """
    for what, value in (("URL", url), ("URL", base), ("method", method), ("query", params)):
        if unknown := holds_unknown(value):
            raise UnreadableText(
                f"The {what} is put together by code, {unknown.source}, so the text doesn't "
                "contain what was sent. Print the URL and the body before you send them, and "
                "paste those."
            )
    noted = [*notes]
    missing = holds_unknown(body)
    if missing:
        noted.append(
            f"The body is made by code, {missing.source}, so the text doesn't contain its bytes, "
            "and nothing is said of it."
        )
        body = b""
    target = f"{base}{url}" if base and "://" not in str(url)[:20] else str(url)
    query = urlencode(params, doseq=True) if params and not isinstance(params, str) else params
    if query:
        target += ("&" if "?" in target else "?") + str(query)
    pairs = headers.items() if isinstance(headers, dict) else headers
    known = [(str(k), "" if holds_unknown(v) else str(v)) for k, v in pairs]
    return make_request(
        str(method or "GET"),
        target,
        body if isinstance(body, bytes) else as_bytes(str(body or "")),
        headers=known,
        has_body=missing is None,
        notes=noted,
    )
