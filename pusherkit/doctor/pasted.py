"""Find out what somebody pasted, and make requests, subscriptions and webhooks of it. Pure.

What was pasted is never changed or run: a command is read as a shell would read it, and that is
what gets diagnosed. A file that it names (`-d @file`) is opened only by the function that the
caller passes in for that.

A pasted text is a stranger's, so the work is linear in its length, and what takes part in signing
has a limit of its own: the doctor signs it some thousand times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pusherkit.doctor.forms.parts import (
    MAX_PARAMS,
    MAX_TARGET,
    MAX_TEXT,
    SHOWN_CHARACTERS,
    Pasted,
    PastedRequest,
    PastedSubscription,
    PastedWebhook,
    ReadFile,
    app_in,
    as_byte,
    as_bytes,
    cut,
    make_request,
    too_long,
)
from pusherkit.errors import UnreadableText

__all__ = [
    "MAX_PARAMS",
    "MAX_TARGET",
    "MAX_TEXT",
    "Pasted",
    "PastedRequest",
    "PastedSubscription",
    "PastedWebhook",
    "app_in",
    "read",
    "read_request",
    "too_long",
]

MAX_WORDS = 10_000  # of a command

NOTHING = "text that holds no request"


def read(text: str, *, read_file: ReadFile | None = None) -> Pasted:
    """Whatever was pasted, taken apart.

    `read_file` is called for each file that a command names; without it, no file is opened. Bytes
    that aren't UTF-8 are in `text` as surrogateescape leaves them. Where the text holds nothing
    that is known, `form` says so, and `said` is the text. Raises UnreadableText for a text over
    the limits, and for a request that is cut off or holds what only a shell can know.
    """
    if len(text) > MAX_TEXT:
        raise too_long()
    start = text.lstrip("$> \t\r\n")
    if start.startswith("curl"):
        return Pasted(form="a curl command", requests=(_read_curl(start, read_file),))
    if re.match(r"[A-Z]{1,20} \S", start):
        return Pasted(form="an HTTP request", requests=(_read_http(start),))
    return Pasted(form=NOTHING, said=text)


def read_request(text: str, *, read_file: ReadFile | None = None) -> PastedRequest:
    """The one request that a text holds. Raises UnreadableText."""
    pasted = read(text, read_file=read_file)
    if len(pasted.requests) != 1:
        raise UnreadableText(
            "Expected a curl command, or an HTTP request that begins with its method and path, "
            "such as POST /apps/3/events?…; got neither."  # not what: it may be a secret
        )
    return pasted.requests[0]


# --- HTTP as text -----------------------------------------------------------------------------


def _read_http(text: str) -> PastedRequest:
    blank = re.search(r"\r?\n\r?\n", text)
    head, body = (text[: blank.start()], text[blank.end() :]) if blank else (text, "")
    line, *headers = head.split("\n")
    method, target, *_ = line.split(maxsplit=2)
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (header.partition(":") for header in headers)
    }
    length, data = fields.get("content-length", ""), as_bytes(body)
    if re.fullmatch(r"[0-9]{1,15}", length):
        data = data[: int(length)]
    else:  # an editor ends the last line, and that newline isn't the body's
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    return make_request(method, target, data, host=fields.get("host", ""), headers=fields.items())


# --- curl -------------------------------------------------------------------------------------

# Options that take a value. Any other is a switch, and changes nothing of what is signed.
_WITH_VALUE = frozenset(
    {
        *("request", "url", "header", "output", "user-agent", "max-time", "write-out", "user"),
        *("data", "data-ascii", "data-raw", "data-binary", "json"),
    }
)
_SHORT = {
    "X": "request",
    "d": "data",
    "H": "header",
    "o": "output",
    "A": "user-agent",
    "m": "max-time",
    "w": "write-out",
    "u": "user",
}
_JOINED = re.compile(rf"-([^{''.join(_SHORT)}]*+)(.?)(.*+)", flags=re.DOTALL)  # -sSXPOST
_DATA = ("data", "data-ascii", "data-raw", "data-binary", "json")


def _read_curl(text: str, read_file: ReadFile | None) -> PastedRequest:
    words = _shell_words(text)
    options = list(_curl_options(words[1:]))
    given = dict(options)  # the last one counts
    urls = [value for name, value in options if name == "url"]
    if len(urls) != 1:
        raise UnreadableText(
            f"Expected one URL in the command, got {len(urls)}"
            + (f": {cut(', '.join(urls[:SHOWN_CHARACTERS]))}." if urls else ".")
        )
    if _has_variable(urls[0]):
        raise UnreadableText(
            "The URL holds a shell variable, such as $SECRET or $(…), so the text doesn't contain "
            "what was sent. Run the command after `set -x`, and paste what the shell shows."
        )
    data = b"&".join(_data(name, value, read_file) for name, value in options if name in _DATA)
    url = urls[0] if "://" in urls[0] else f"https://{urls[0]}"
    method = given.get("request") or ("POST" if data else "GET")
    if "get" in given and data:
        url += ("&" if "?" in url else "?") + data.decode(errors="surrogateescape")
        method, data = given.get("request") or "GET", b""
    return make_request(method, url, data)


def _curl_options(words: list[str]) -> Iterator[tuple[str, str]]:
    """The options of a curl command that matter here, by their long names, and its URLs."""
    rest = iter(words)

    def value_of(name: str) -> str:
        try:
            return next(rest)
        except StopIteration:
            raise UnreadableText(
                f"The curl command ends with --{name}, which needs a value. Copy it whole."
            ) from None

    for word in rest:
        if word.startswith("--"):
            name = word[2:]
            yield name, value_of(name) if name in _WITH_VALUE else ""
        elif joined := _JOINED.fullmatch(word):
            switches, letter, value = joined.groups()
            if "G" in switches:
                yield "get", ""
            if letter:
                yield _SHORT[letter], value or value_of(_SHORT[letter])
        else:
            yield "url", word


def _has_variable(url: str) -> bool:
    return bool(re.search(r"\$[A-Za-z_({]", url))


def _data(option: str, value: str, read_file: ReadFile | None) -> bytes:
    """The bytes that a data option sends: `-d @file` drops newlines, `--data-binary` does not."""
    if not value.startswith("@") or option == "data-raw":
        return as_bytes(value)
    name = cut(value[1:])
    if read_file is None:
        raise UnreadableText(
            f"The command reads its body from the file {name!r}, which is not read unasked."
        )
    try:
        content = read_file(value[1:])
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        raise UnreadableText(
            f"The body's file {name!r} cannot be read: "
            f"{error.strerror if isinstance(error, OSError) else error}."
        ) from None
    if len(content) > MAX_TEXT:
        raise UnreadableText(f"The body's file {name!r} is over the limit of {MAX_TEXT:,} bytes.")
    if option in ("data", "data-ascii"):
        content = content.replace(b"\r", b"").replace(b"\n", b"")
    return content


# --- words, as bash reads them ----------------------------------------------------------------

# Each piece of a command line. The repeats are possessive (`++`), so none of them backtracks.
_PIECE = re.compile(
    r"""(?P<gap>[ \t\r\n]++)
      | (?:\\\r?\n)++                          # a line goes on
      | \\(?P<escaped>.)
      | \$'(?P<ansi>(?:[^'\\]++|\\.)*+)'
      | '(?P<single>[^']*+)'
      | \$?"(?P<double>(?:[^"\\]++|\\.)*+)"
      | (?P<plain>(?:[^ \t\r\n'"\\$]|\$(?!['"]))++)""",
    flags=re.DOTALL | re.VERBOSE,
)
_IN_DOUBLE_QUOTES = re.compile(r'\\([$`"\\])|\\\r?\n')
_IN_ANSI_QUOTES = re.compile(
    r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|[0-7]{1,3}|.)", flags=re.DOTALL
)
_NAMED_ESCAPES = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


def _shell_words(text: str) -> list[str]:
    """Split a command line into its words."""
    words: list[str] = []
    pieces: list[str] = []  # of the word that is being read
    begun = False  # a word can be empty: ''
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise UnreadableText(
                "A quote in the command is not closed. Copy it whole, to its last line."
            )
        at = piece.end()
        kind = piece.lastgroup
        if kind == "gap":
            if begun:
                words.append("".join(pieces))
                if len(words) > MAX_WORDS:
                    raise UnreadableText(
                        f"The command has over {MAX_WORDS:,} words. Paste one request alone."
                    )
            pieces, begun = [], False
        elif kind is not None:
            pieces.append(_meant(kind, piece[kind]))
            begun = True
    return [*words, "".join(pieces)] if begun else words


def _meant(kind: str, text: str) -> str:
    """What a quoted or plain piece of a word means."""
    if kind == "ansi":
        return _IN_ANSI_QUOTES.sub(_unescape, text)
    if kind == "double":
        return _IN_DOUBLE_QUOTES.sub(lambda escape: escape[1] or "", text)
    return text


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if code in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[code]
    if code[0] == "u" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] == "x" and len(code) > 1:
        return as_byte(int(code[1:], 16))
    if code[0] in "01234567":
        return as_byte(int(code, 8) & 0xFF)
    return found[0]  # bash keeps the backslash of an escape that it doesn't know
