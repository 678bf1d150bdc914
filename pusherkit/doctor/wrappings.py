"""Take the wrappings off a text: what JSON, HTML, a log or a terminal put around the words. Pure.

A refusal seldom arrives as the server sent it. An SDK puts it into an exception, a framework into
a log line, the log into JSON, and a terminal wraps it and colours it. `letters()` makes of all that
what can be searched for a sentence, and `quoted_string()` finds the canonical string that Pusher's
refusal quotes, with its real newlines, and the signature beside it.

A text is a stranger's and may be long, so everything here is linear in its length.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

# --- what is no part of the words ---------------------------------------------------------------

_COLOURS = re.compile(
    r"\x1b\[[0-?]*+[ -/]*+[@-~]"  # a terminal's escape sequences (ECMA-48)
    r"|(?:\\u001b|\\x1b|\\033|\\e|#033|\^\[)\[[0-9;]{0,20}m",  # in JSON, a repr, syslog
    flags=re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,6});")
_LINE_START = re.compile(  # what logs, containers, mail and tracebacks put before each line
    r"""^[ \t]*+(?:
        (?:[>│┃║|]|E\ \ )[ \t]*+                                  # quoted, boxed, pytest's
      | [\w.-]{1,64}[ ]{1,40}\|[ ]?                               # docker compose: app-1  |
      | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s\]]{0,30}\]?[ ]   # a time
        (?:(?:stdout|stderr)[ ][FP][ ])?                          # Kubernetes
      | [A-Z][a-z]{2}[ ]{1,2}\d{1,2}[ ]\d\d:\d\d:\d\d[ ][^\s]{1,64}[ ][^\s:]{1,64}:[ ]   # syslog
    ){0,3}""",
    flags=re.VERBOSE,
)


def bare(text: str) -> str:
    """A text without colours, with the escapes of HTML and JSON undone, for ASCII."""
    text = bare_of_html(_COLOURS.sub("", text).replace("\r\n", "\n"))
    text = re.sub(r"\\u00([2-7][0-9A-Fa-f])", lambda escape: chr(int(escape[1], 16)), text)
    return text.replace("\\n", "\n")


def bare_of_html(text: str) -> str:
    """A text with the entities of HTML undone, also where they were escaped twice: &amp;quot;."""
    for _ in range(2):
        if "&" in text and ";" in text:
            text = _entities(text)
    return text


def _entities(text: str) -> str:
    # Only those that end in a semicolon: html.unescape() would make ¶ms=1 of &params=1.
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def joined(text: str) -> str:
    """The lines of a text as one, without what a log, a box or an indentation added to each."""
    return "".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    start = _LINE_START.match(line)
    return line[start.end() if start else 0 :].strip(" \t\r│┃║")


_UNSEEN = dict.fromkeys(map(ord, "\"'`\\‘’“”"))


def letters(text: str) -> str:
    """A text as sentences are sought in it: lower case, without white space, quotes, backslashes.

    So no wrapping can hide a sentence: not the quotes of JSON, not a line that a terminal broke
    in the middle of a word.
    """
    return "".join(joined(bare(text)).split()).translate(_UNSEEN).lower()


# --- the canonical string -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedString:
    """What Pusher's refusal quotes.

    `canonical_string` is what the server signed, with real newlines, and `signature` is what the
    client sent; "" where the text doesn't have it. `whole` is False where a log cut it off.
    """

    canonical_string: str
    signature: str
    whole: bool = True

    @property
    def lines(self) -> tuple[str, str, str]:
        """Method, path and parameters; what isn't there is empty."""
        method, _, rest = self.canonical_string.partition("\n")
        path, _, query = rest.partition("\n")
        return method, path, query


_BEGIN, _END = "HmacSHA256Hex", "your_secret_key"  # Pusher's wording
_CUT_AT = 64 * 1024  # characters of a string without an end; a whole URL may have no more
_TAIL = 600  # characters after the string, in which the signature is
_WRAPPED_AT_MOST = 8  # times; JSON in JSON in a repr is three
_QUOTES = '"“”'


def quoted_string(text: str) -> QuotedString | None:
    """The canonical string that a refusal quotes, taken out of every wrapping; None without one."""
    text = _COLOURS.sub("", text).replace("\r\n", "\n")
    # Where a line was broken in the middle of the words that are sought, joining it helps.
    texts = [text] if "\n" not in text else [text, joined(text)]
    for seen in texts:
        for start, end in _places(seen):
            if found := _quoted(seen[start : end + _TAIL], whole=True):
                return found
    for seen in texts:
        start = seen.find(f"{_BEGIN}(")
        if start >= 0 and (found := _quoted(seen[start : start + _CUT_AT], whole=False)):
            return found
    return None


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where a quoted string begins and ends: at each end, with the last beginning before it."""
    at = 0
    while (end := text.find(_END, at)) >= 0:
        start = text.rfind(_BEGIN, at, end)
        at = end + len(_END)
        if start >= 0:
            yield start, at


def _quoted(piece: str, *, whole: bool) -> QuotedString | None:
    piece = piece[len(_BEGIN) :]
    if broken := "\n" in piece and re.search(r"\\n|%5[cC]n", piece.partition(_END)[0]) is not None:
        piece = joined(piece)  # its own newlines are written out, so these are not
    for _ in range(_WRAPPED_AT_MOST):
        piece = piece.removeprefix("(").lstrip()
        if piece[:1] in tuple(_QUOTES):
            break
        piece = _unwrapped(piece)
    else:
        return None
    string, _, tail = piece[1:].partition(_END) if whole else (piece[1:], "", "")
    string = string.rstrip(", \n")
    if whole and string[-1:] not in tuple(_QUOTES):
        return None
    string = string[:-1] if whole else _before_the_cut(string)
    if not whole and "/" not in string:
        return None  # cut before the path, so it says nothing
    raw = "\n" in string and not broken
    while "\n" not in string and "\\" in string:
        unescaped = _unescaped(string)
        if unescaped == string:
            break
        string = unescaped
    return QuotedString(
        canonical_string=_three_lines(string) if raw or "\n" not in string else string,
        signature=_signature_in(tail),
        whole=whole,
    )


def _unwrapped(piece: str) -> str:
    """What follows HmacSHA256Hex, with one wrapping less; unchanged where there is none."""
    if piece.startswith("\\"):
        return _unescaped(piece)
    if piece.startswith("&"):
        return _entities(piece)
    if piece.startswith("%"):
        return unquote(piece, errors="replace")
    return piece


_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", flags=re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(text: str) -> str:
    """One layer of backslashes less, as JSON, Go's %q, Ruby's inspect and PHP write them."""
    return _ESCAPE.sub(
        lambda escape: (
            _NAMED.get(escape[3], escape[3]) if escape[3] else chr(int(escape[1] or escape[2], 16))
        ),
        text,
    )


def _before_the_cut(string: str) -> str:
    """A string that a log cut off, without the log's own mark, "(truncated...)" or "…"."""
    line = string.split("\n\n")[0]
    return re.split(r"\(truncated|\.\.\.|…", line, maxsplit=1)[0].rstrip(" \n\\")


def _three_lines(string: str) -> str:
    """Method, path and parameters, where a terminal or a log broke or joined the lines."""
    lines = [_line(line) for line in string.split("\n")]
    if len(lines) == 3:
        return "\n".join(lines)
    text = "".join(lines)
    path, query = text.find("/"), text.find("auth_key=")
    if not 0 < path < query:
        return string
    return f"{text[:path]}\n{text[path:query]}\n{text[query:]}"


def _signature_in(tail: str) -> str:
    """The signature that the client sent: `but you sent "…"`."""
    found = re.search(rf"but\s*you\s*sent\s*[{_QUOTES}]([^{_QUOTES}]{{0,300}})", joined(tail))
    return found[1] if found else ""


# --- the text of a subscription -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedDigest:
    """What Pusher's refusal of a subscription quotes: the text that the server signed.

    `received` is what came in place of its signature. The other fields are the text's parts; None
    for data that it doesn't have, and `socket_id` is "" where it cannot be read.
    """

    signed: str
    received: str

    @property
    def socket_id(self) -> str:
        """The connection's id."""
        return self._parts[0]

    @property
    def channel(self) -> str:
        """The channel's name; "" for the sign-in of a user."""
        return self._parts[1]

    @property
    def channel_data(self) -> str | None:
        """What was sent as channel_data."""
        return self._parts[2]

    @property
    def user_data(self) -> str | None:
        """What was sent as user_data."""
        return self._parts[3]

    @property
    def _parts(self) -> tuple[str, str, str | None, str | None]:
        found = re.match(r"(\d{1,40}\.\d{1,40}):", self.signed)
        if not found:
            return "", "", None, None
        rest = self.signed[found.end() :]
        if rest.startswith(":user::"):
            return found[1], "", None, rest.removeprefix(":user::")
        channel, colon, data = rest.partition(":")
        return found[1], channel, data if colon else None, None


_DIGEST_OF = "Expected HMAC SHA256 hex digest of"
_QUOTE_IN_HTML = re.compile("&(?:quot|#34|#x22);")
_DIGEST_AT_MOST = 64 * 1024  # characters of the text and the signature; channel_data has 10 KB


def quoted_digest(text: str) -> QuotedDigest | None:
    """The text that the refusal of a subscription quotes, with the signature; None without one."""
    text = _COLOURS.sub("", text)
    start = text.find(_DIGEST_OF)
    if start < 0:
        return None
    piece = text[start + len(_DIGEST_OF) : start + len(_DIGEST_OF) + _DIGEST_AT_MOST].lstrip()
    if _QUOTE_IN_HTML.search(piece.partition("\n")[0]):  # else an entity is the data's own
        piece = _entities(piece)
    for _ in range(_WRAPPED_AT_MOST):
        if not re.search(r'[{:]\\+["u]', piece.partition("\n")[0]):
            break
        piece = _unescaped(piece)
    signed, got, rest = piece.partition(", but got")
    if not got:
        return None
    return QuotedDigest(signed=signed.strip(), received=_received(rest.lstrip()))


def _received(rest: str) -> str:
    """What was sent as the signature: JSON up to its end, or a word."""
    if rest.startswith("{"):
        return rest[: rest.find("}") + 1] or rest[:300]
    found = re.match(r"[^\s\"'`,<\\]{1,1000}", rest)
    return found[0].rstrip(".)}]") if found else ""
