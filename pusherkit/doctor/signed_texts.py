"""What subscriptions and webhooks have in common: one text, signed whole, and JSON in it. Pure.

A request is signed line by line, with a table of mistakes for each line (mistakes.py). Here there
is a single text. `signed_with()` looks for the ones that give a signature, and `serialisations()`
writes a JSON value in every way that programs commonly do, because JSON that was parsed and
written again is the mistake that people make most.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import TABLE, Mistake, Row, values_of

NOT_SHOWN = "(not shown, as it holds a secret)"
SIGNATURE = re.compile("[0-9a-f]{64}")  # HMAC-SHA256 as it's sent
_TEXTS_AT_ONCE = 8  # texts to sign, each in several ways, before go_on() is asked again

Variant = TypeVar("Variant", bound=Callable[..., Iterator[Any]])


class StoppedEarly(Exception):
    """`go_on` said no."""


class Text(NamedTuple):
    """A text that may have been signed, and the mistakes that made it; none made the right one."""

    mistakes: tuple[Mistake, ...]
    signed: bytes


def enter(
    table: dict[str, list[Row]], axis: str, why: str, fix: str, *, lesson: str = ""
) -> Callable[[Variant], Variant]:
    """Enter a function into a table of mistakes, as `_mistake()` does for those of requests."""

    def entered(function: Variant) -> Variant:
        name = function.__name__.strip("_").replace("_", "-")
        table.setdefault(axis, []).append((Mistake(name, axis, why, fix, lesson), function))
        return function

    return entered


def made_wrong(
    rows: Iterable[Row], right: object, *arguments: Any
) -> Iterator[tuple[Mistake, Any]]:
    """Each value other than the right one that the mistakes of an axis give, and by which."""
    for mistake, function in rows:
        for value in dict.fromkeys(values_of(function, *arguments)):
            if value != right:
                yield mistake, value


def signed_with(
    credentials: Credentials,
    signature: str,
    texts: Iterable[Text],
    mistakes: int,
    go_on: Callable[[], bool] = lambda: True,
) -> Iterator[Text]:
    """The texts that give a signature with exactly so many mistakes, their own counted.

    Those that aren't in the text are in the secret, the HMAC or the encoding. Raises StoppedEarly
    where `go_on` returns False; it's called after every few texts.
    """
    secret = credentials.secret.encode()
    secrets = list(made_wrong(TABLE["secret"], secret, credentials))
    as_it_should_be = bool(SIGNATURE.fullmatch(signature))
    for number, (made, text) in enumerate(texts):
        if number % _TEXTS_AT_ONCE == 0 and not go_on():
            raise StoppedEarly
        for axes in combinations(("secret", "mac", "encoding"), mistakes - len(made)):
            if not as_it_should_be and "mac" not in axes and "encoding" not in axes:
                continue  # an HMAC-SHA256 in hex never looks like this
            for by_secret, key in secrets if "secret" in axes else [(None, secret)]:
                right = hmac.digest(key, text, "sha256")
                macs = made_wrong(TABLE["mac"], right, key, text)
                for by_mac, raw in macs if "mac" in axes else [(None, right)]:
                    forms = made_wrong(TABLE["encoding"], raw.hex(), raw)
                    for by_form, written in forms if "encoding" in axes else [(None, raw.hex())]:
                        if written == signature:
                            by = tuple(filter(None, (by_secret, by_mac, by_form)))
                            yield Text(made + by, text)


# --- the same JSON, written in other ways -----------------------------------------------------

_LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},  # JavaScript, PHP, Go, Ruby, Java, C#
    {},  # Python, PostgreSQL
    {"indent": 2},
    {"indent": 4},
    {"indent": "\t"},
)
_DEL_AND_BEYOND = re.compile("[\x7f-\U0010ffff]")
_ESCAPED_QUOTE = re.compile(r'\\(["\\])')
# The characters that are escaped beside those that JSON wants escaped, and by what.
_ESCAPERS: tuple[tuple[str, str, str], ...] = (
    ("/", "\\/", ""),  # PHP
    ("<>&", "", "04x"),  # Go, Ruby on Rails
    ("<>&='", "", "04x"),  # Gson
    ("<>&'+`", "", "04X"),  # System.Text.Json, which writes quotes so as well
)


def serialisations(value: object) -> Iterator[str]:
    """A JSON value as text, in the ways that programs commonly write it; each text once.

    Compact, with spaces or indented, keys as they came or sorted; in UTF-8 or in ASCII; with the
    escapes that PHP, Go, Rails, Gson and System.Text.Json add. Raises ValueError or RecursionError
    where the value can't be written.
    """
    seen: set[str] = set()
    for layout in _LAYOUTS:
        for sort_keys in (False, True):
            plain = json.dumps(value, ensure_ascii=False, sort_keys=sort_keys, **layout)
            for text in _escaped(plain):
                if text not in seen:
                    seen.add(text)
                    yield text


def _escaped(plain: str) -> Iterator[str]:
    """A JSON text in UTF-8, and with what is escaped beyond need."""
    yield from _in_unicode_and_ascii(plain)
    for characters, by, form in _ESCAPERS:
        escaped = plain
        for character in characters:
            escaped = escaped.replace(character, by or rf"\u{ord(character):{form}}")
        if form == "04X":
            escaped = _ESCAPED_QUOTE.sub(
                lambda found: r"\u0022" if found[1] == '"' else found[0], escaped
            )
        if escaped != plain:
            yield from _in_unicode_and_ascii(escaped)


def _in_unicode_and_ascii(text: str) -> Iterator[str]:
    yield text
    if _DEL_AND_BEYOND.search(text):
        lower = _DEL_AND_BEYOND.sub(lambda found: json.dumps(found[0])[1:-1], text)
        yield lower
        yield re.sub(r"\\u([0-9a-f]{4})", lambda found: rf"\u{found[1].upper()}", lower)
