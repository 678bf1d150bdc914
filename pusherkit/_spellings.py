"""Where a text spells a secret, in whatever way programs write and escape text. Pure.

One regular expression finds the first six characters of the secret, each in any spelling. From
there a loop walks on, character by character, as far as the text goes on spelling the secret.

The work is linear in the text, because nothing is read more often than the secret has characters.
Repetitions are possessive (*+ never gives back), except for 25 after a percent sign of the
secret's own; and no search begins within a run of backslashes, which could be as long as the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

_BEGINNING = 6  # characters; as many are needed to recognise a secret that was cut short
_NEARLY = 5 / 6  # of the secret: "practice-sec", 12 of 15, may be a channel's name

_BACKSLASHES = r"(?:\\|%(?:25)*+5c)*+"  # encoding doubles them; percent-encoded: %5C, %255C, …
# "…" cuts a text anywhere, so perhaps within an escape.
_CUT = re.compile(r"(?:(?:[%\\]|(?<=\\)[ux])[%\\ux0-9a-f]{0,24}+)?…")


class _Spellings(NamedTuple):
    """How each character of a secret may be spelled, as expressions over a folded text."""

    characters: tuple[re.Pattern[str], ...]
    beginning: re.Pattern[str]


def places(secret: str, text: str) -> Iterable[tuple[int, int]]:
    """Where a text spells the secret, or a beginning of it: start and end, in order.

    Credentials.hide() lists what counts.
    """
    if not secret.strip("\\"):  # nothing but backslashes: alone they mean nothing
        return [(0, len(text))] if text == secret else []
    folded = _folded(text)
    escapes = "%" in text or "\\" in text or "+" in text
    # If there's no escape, a secret in ASCII has to begin as it is. That's checked before the
    # expressions are made, which takes half a millisecond: there may be a thousand secrets.
    if not escapes and secret.isascii() and secret[:_BEGINNING].lower() not in folded:
        return []  # nearly always, and far quicker
    return _found(_spellings(secret), folded)


def _found(spellings: _Spellings, folded: str) -> Iterator[tuple[int, int]]:
    characters, beginning = spellings
    at = free = 0  # where to look next, and the end of what was found
    while found := beginning.search(folded, at):
        end, count = found.end(), min(_BEGINNING, len(characters))
        while count < len(characters) and (more := characters[count].match(folded, end)):
            end, count = more.end(), count + 1
        at = found.start() + 1
        if cut := _CUT.match(folded, end):
            end = cut.end() - 1  # the "…" stays
        elif count < len(characters) and (
            count < len(characters) * _NEARLY or folded[end : end + 1].isalnum()
        ):
            continue
        start = found.start()
        while start > free and folded[start - 1] == "\\":
            start -= 1
        yield start, end
        at = free = end


def _folded(text: str) -> str:
    """The text in lower case, character by character: exactly as long as it was."""
    if not text.isascii():  # lower() makes two characters of İ, and looks around a Σ
        text = text.replace("İ", "i").replace("Σ", "σ").replace("ς", "σ")
    return text.lower()


@lru_cache(maxsize=8)
def _spellings(secret: str) -> _Spellings:
    # Backslashes in a row count as one, as nobody knows how often they were doubled. At the start
    # they don't count, or the search would read a run of them again from each.
    characters = re.findall(r"\\++|[^\\]", secret.lstrip("\\"), re.DOTALL)

    def expression(at: int, backslashes: str = _BACKSLASHES) -> str:
        spelled = _spelling(characters[at], backslashes)
        if characters[at] not in "%uUxX":
            return spelled
        # This one may start an escape as well: what follows it in the secret decides.
        following = "".join(_spelling(next_, _BACKSLASHES) for next_ in characters[at + 1 : at + 2])
        return f"(?:{spelled}(?={following})|{spelled})"

    rest = [expression(at) for at in range(1, len(characters))]
    first = expression(0, backslashes="")
    return _Spellings(
        characters=tuple(map(re.compile, [first, *rest])),
        beginning=re.compile("".join([first, *rest[: _BEGINNING - 1]])),
    )


def _spelling(character: str, backslashes: str) -> str:
    """An expression for one character, with any number of backslashes before it."""
    if character.startswith("\\"):
        return r"(?:(?:\\|u005c|x5c)++|(?:%(?:25)*+5c(?:u005c|x5c)?+)++)"
    if character == "%":  # %5c may be this percent sign and 5c
        return f"(?:{backslashes}(?:u0025|x25)|%(?:25)*)"
    ways = set()
    for form in {change(character) for change in (str, str.lower, str.upper, str.title)}:
        utf16 = form.encode("utf-16-be").hex()
        ways |= {
            re.escape(_folded(form)),
            "".join(rf"%(?:25)*+{byte:02x}" for byte in form.encode()),
            _BACKSLASHES.join(f"u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4)),
            re.escape(_folded(ascii(form)[1:-1].lstrip("\\"))),  # n, xa0, u0001f511
        }
        if len(form) == 1 and form <= "\xff":
            ways.add(f"x{ord(form):02x}")
    if character == " ":
        ways |= {r"\+", "%(?:25)*+2b"}
    return f"{backslashes}(?:{'|'.join(sorted(ways, key=lambda way: (-len(way), way)))})"
