"""Read a request that somebody pastes: a curl command, or an HTTP request as text. Pure.

Evidence is never rewritten: what stands there is what is diagnosed. A file that a command names
(`-d @file`) is read only through the function that the caller passes for it.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

from pusherkit.errors import UnreadableEvidence

MAX_TEXT = 8 * 1024 * 1024  # characters of pasted text; ours, so that work stays bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedRequest:
    """A request as it would go out: `base_url` is empty where the text names no host."""

    method: str
    base_url: str
    path: str
    params: tuple[tuple[str, str], ...]
    body: bytes


def read_request(text: str, *, read_file: Callable[[str], bytes] | None = None) -> PastedRequest:
    """Read a curl command, or an HTTP request as a log or a proxy saves it.

    `read_file` is called for each file that the command names; without it, such a command is
    refused. Raises UnreadableEvidence.
    """
    if len(text) > MAX_TEXT:
        raise UnreadableEvidence(
            f"The text has {len(text):,} characters, over the limit of {MAX_TEXT:,}."
        )
    start = text.lstrip("$> \t\r\n")
    if start.startswith("curl"):
        return _read_curl(start, read_file)
    if re.match(r"[A-Z]+ \S+", start):
        return _read_http(start)
    raise UnreadableEvidence(
        "Expected a curl command, or an HTTP request that begins with its method and path, "
        "such as POST /apps/3/events?…; got neither."  # not what: it may be a secret
    )


def _bytes(text: str) -> bytes:
    """A text's bytes; those that were no UTF-8 when it was read, as they were."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise UnreadableEvidence("The text holds half of a surrogate pair.") from None


def _request(method: str, url: str, body: bytes, base_url: str = "") -> PastedRequest:
    try:
        url.encode()  # a byte that is no UTF-8 came through as half of a surrogate pair
        parts = urlsplit(url)
        _ = parts.port
        params = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
    except ValueError:  # a UnicodeDecodeError, too
        raise UnreadableEvidence(
            "The URL cannot be read: it is no UTF-8, or its host or port is none."
        ) from None
    if parts.netloc:
        base_url = f"{parts.scheme or 'https'}://{parts.netloc.rpartition('@')[2]}"
    return PastedRequest(
        method=method.upper(),
        base_url=base_url,
        path=parts.path,
        params=tuple(params),
        body=body,
    )


# --- HTTP as text -----------------------------------------------------------------------------


def _read_http(text: str) -> PastedRequest:
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    line, *headers = head.split("\n")
    method, target, *_ = line.split()
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (header.partition(":") for header in headers)
    }
    host = fields.get("host", "")
    length, data = fields.get("content-length", ""), _bytes(body)
    counted = re.fullmatch(r"[0-9]{1,15}", length)
    data = data[: int(length)] if counted else data.removesuffix(b"\n")  # an editor's last line
    return _request(method, target, data, f"https://{host}" if host else "")


# --- curl -------------------------------------------------------------------------------------

# The quotes of a shell, and a line continued. shlex knows '…'; of "…" it knows less than a shell,
# and nothing of $'…'.
_QUOTED = re.compile(
    r"""\$'((?:\\.|[^'\\])*)'|'[^']*'|"((?:\\.|[^"\\])*)"|\\\r?\n""", flags=re.DOTALL
)
_ESCAPED_IN_DOUBLE_QUOTES = re.compile(r'\\([$`"\\])|\\\r?\n')
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|[0-7]{1,3}|.)", flags=re.DOTALL)
_NAMED_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "0": "\0"}


def _read_curl(text: str, read_file: Callable[[str], bytes] | None) -> PastedRequest:
    try:
        words = shlex.split(_QUOTED.sub(_plain_quotes, text))
    except ValueError:
        raise UnreadableEvidence(
            "A quote in the command is not closed. Copy it whole, to its last line."
        ) from None
    options, urls = _curl_options().parse_known_args(words[1:])
    urls = [word for word in urls if not word.startswith("-")]
    if options.url:
        urls.insert(0, options.url)
    if len(urls) != 1:
        raise UnreadableEvidence(
            f"Expected one URL in the command, got {len(urls)}"
            + (f": {', '.join(urls)[:200]}." if urls else ".")
        )
    if _has_variable(words):
        raise UnreadableEvidence(
            "The command holds a shell variable such as $SECRET or $(…), so what was sent does "
            "not stand in it. Run it with `set -x` before it, and paste what the shell shows."
        )
    pieces = [_data(option, value, read_file) for option, value in options.data]
    data = b"&".join(pieces)
    url = urls[0]
    if options.get and data:
        url += ("&" if "?" in url else "?") + data.decode(errors="replace")
        data = b""
    method = options.request or ("POST" if data else "GET")
    return _request(method, url if "://" in url else f"https://{url}", data)


def _plain_quotes(found: re.Match[str]) -> str:
    if found[1] is not None:
        return shlex.quote(_ESCAPE.sub(_unescape, found[1]))
    if found[2] is not None:
        return shlex.quote(_ESCAPED_IN_DOUBLE_QUOTES.sub(lambda m: m[1] or "", found[2]))
    return " " if found[0].startswith("\\") else found[0]


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if code in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[code]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else code


def _has_variable(words: list[str]) -> bool:
    """Whether the URL, where nothing else has a dollar sign, holds a variable."""
    return any("://" in word and re.search(r"\$[A-Za-z_({]", word) for word in words)


class _Data(argparse.Action):
    """Keeps data options in their order, each with the name under which it was given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        namespace.data = [*namespace.data, (option_string, values)]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UnreadableEvidence(f"The curl command cannot be read: {message}.")


def _curl_options() -> argparse.ArgumentParser:
    parser = _Parser(prog="curl", add_help=False, allow_abbrev=False)
    parser.add_argument("-X", "--request")
    parser.add_argument("-G", "--get", action="store_true")
    parser.add_argument("--url")
    parser.add_argument(
        *("-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "--json"),
        dest="data",
        action=_Data,
        default=[],
    )
    for with_value in (("-H", "--header"), ("-o", "--output"), ("-A", "--user-agent")):
        parser.add_argument(*with_value, action="append")
    for with_value in (("-m", "--max-time"), ("-w", "--write-out"), ("-u", "--user")):
        parser.add_argument(*with_value)
    for flag in (("-s", "--silent"), ("-S", "--show-error"), ("-v", "--verbose")):
        parser.add_argument(*flag, action="store_true")
    for flag in (("-i", "--include"), ("-k", "--insecure"), ("-L", "--location"), ("-f", "--fail")):
        parser.add_argument(*flag, action="store_true")
    return parser


def _data(option: str, value: str, read_file: Callable[[str], bytes] | None) -> bytes:
    """The bytes that a data option sends: `-d @file` drops newlines, `--data-binary` does not."""
    if not value.startswith("@") or option == "--data-raw":
        return _bytes(value)
    if read_file is None:
        raise UnreadableEvidence(
            f"The command reads its body from the file {value[1:]!r}, which is not read unasked."
        )
    try:
        content = read_file(value[1:])
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        raise UnreadableEvidence(
            f"The body's file {value[1:]!r} cannot be read: "
            f"{error.strerror if isinstance(error, OSError) else error}."
        ) from None
    if option in ("-d", "--data", "--data-ascii"):
        content = content.replace(b"\r", b"").replace(b"\n", b"")
    return content
