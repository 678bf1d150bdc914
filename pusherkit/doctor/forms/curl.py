"""A curl command as the requests that it sends. Pure.

The rules are those of curl's own sources (`src/tool_getparam.c`): how data options are joined, what
`--data-urlencode` encodes, which option wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from pusherkit.doctor.forms.options import CURL, Options
from pusherkit.doctor.forms.parts import (
    MAX_TEXT,
    SHOWN_CHARACTERS,
    PastedRequest,
    ReadFile,
    as_bytes,
    as_text,
    cut,
    make_request,
)
from pusherkit.doctor.forms.shell import Command, Shell, Word
from pusherkit.errors import UnreadableText

_DATA = frozenset({"data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json"})
_NAMES_HOST = re.compile(r"[a-z][a-z0-9+.-]*://|[^/?#]*[.:]|localhost\b", flags=re.IGNORECASE)
_NAMES_HOST_AND_PATH = re.compile(r"[a-z][a-z0-9+.-]*://|[^/?#]*[.:][^/?#]*/", re.IGNORECASE)
_IN_QUOTES = re.compile(r"\$[A-Za-z_{(][A-Za-z0-9_]{0,40}")
STRAY = "is outside of all quotes and options"
ASK_FOR_SET_X = "Run the command after `set -x`, and paste what the shell shows."
SPLIT_AT_AMPERSAND = (
    "The URL isn't in quotes, so a shell ends the command at its first & and sends the URL only up "
    "to there, without the options that follow. It's read here as it's meant. Put the URL in "
    "single quotes."
)


@dataclass(slots=True)
class Source:
    """Where the bytes of a body come from besides the command itself."""

    stdin: Word | None
    files: dict[str, Word]
    read_file: ReadFile | None

    def content(self, name: str) -> tuple[bytes | None, str]:
        """The bytes of a file, "-" for the standard input; or None, and a note that says why."""
        if name == "-":
            if self.stdin is None:
                return None, "The command reads its body from its input, which isn't in the text."
            return self.known(self.stdin)
        if name in self.files:
            return self.known(self.files[name])
        shown = cut(name)
        if self.read_file is None:
            return None, (
                f"The command reads its body from the file {shown!r}, which is not read unasked. "
                "So nothing is said of the body."
            )
        try:
            content = self.read_file(name)
        except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
            raise UnreadableText(
                f"The body's file {shown!r} cannot be read: "
                f"{error.strerror if isinstance(error, OSError) else error}."
            ) from None
        if len(content) > MAX_TEXT:
            raise UnreadableText(
                f"The body's file {shown!r} is over the limit of {MAX_TEXT:,} bytes."
            )
        return content, ""

    def known(self, word: Word) -> tuple[bytes | None, str]:
        """A word's bytes; or None, and a note, if only the shell knows them."""
        if word.unknown:
            return None, (
                f"The body comes from {cut(word.unknown)}, so the text doesn't contain it, and "
                f"nothing is said of it. {ASK_FOR_SET_X}"
            )
        return as_bytes(word.text), ""


@dataclass(slots=True)
class _Operation:
    """The options between two `--next`."""

    urls: list[Word] = field(default_factory=list)
    given: dict[str, Word] = field(default_factory=dict)  # the last one counts
    data: list[tuple[str, Word]] = field(default_factory=list)
    query: list[Word] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)


def read_curl(command: Command, shell: Shell, read_file: ReadFile | None) -> list[PastedRequest]:
    """The requests that a curl command sends; the first word is curl. Raises UnreadableText."""
    source = Source(command.stdin, shell.files, read_file)
    notes = list(dict.fromkeys(command.notes))
    requests: list[PastedRequest] = []
    for operation in _operations(command.words[1:], notes):
        requests += _requests(operation, source, notes)
    return requests


def options_of(words: list[Word], known: Options, tool: str) -> Iterator[tuple[str, Word]]:
    """Every option by its long name with its value, and every other word under the name "".

    A name that the tool doesn't know comes as it is, with the dashes before it.
    """
    rest = iter(words)
    none = Word("")

    def value_of(name: str) -> Word:
        word = next(rest, None)
        if word is None:
            raise UnreadableText(
                f"The {tool} command ends with --{name}, which needs a value. Copy it whole."
            )
        return word

    for word in rest:
        text = word.text
        if text == "--":
            for url in rest:
                yield "", url
        elif text.startswith("--"):
            name, has_value, value = text[2:].partition("=")
            long = known.named(name)
            if has_value and tool != "curl" and long:
                yield long, Word(value, word.unknown)
            elif has_value or not long:
                yield text, none
            else:
                yield long, value_of(long) if long in known.values else none
        elif text.startswith("-") and len(text) > 1:
            yield from _letters(word, known, value_of)
        else:
            yield "", word


def _letters(
    word: Word, known: Options, value_of: Callable[[str], Word]
) -> Iterator[tuple[str, Word]]:
    """The options of one word, such as -sSXPOST."""
    text = word.text
    for at, letter in enumerate(text[1 : SHOWN_CHARACTERS + 1], start=2):
        name = known.letters.get(letter, "")
        if not name:
            yield f"-{letter}", Word("")
        elif name in known.values:
            yield name, Word(text[at:], word.unknown) if text[at:] else value_of(name)
            return
        else:
            yield name, Word("")


def _operations(words: list[Word], notes: list[str]) -> Iterator[_Operation]:
    operation = _Operation()
    for name, value in options_of(words, CURL, "curl"):
        if name == "next":
            yield operation
            operation = _Operation()
        elif name in ("", "url"):
            operation.urls.append(value)
        elif name in _DATA:
            operation.data.append((name, value))
        elif name == "url-query":
            operation.query.append(value)
        elif name == "header":
            header, _, content = value.text.partition(":")
            operation.headers.append((header, content))
        elif name.startswith("-"):
            notes.append(f"curl has no option {cut(name)}, so it refuses the command.")
        else:
            operation.given[name] = value
    yield operation


def _requests(operation: _Operation, source: Source, notes: list[str]) -> Iterator[PastedRequest]:
    given = operation.given
    notes = [*notes, *_notes(given)]
    whole = any("://" in url.text for url in operation.urls)
    likely = _NAMES_HOST_AND_PATH if whole else _NAMES_HOST
    named = [url for url in operation.urls if likely.match(url.text) or url.unknown]
    for stray in operation.urls if named else ():
        if stray not in named:
            notes.append(
                f"{cut(stray.text)!r} {STRAY}, so curl takes it for another URL. A quote before it "
                "is missing, or ends too early."
            )
    urls = named or operation.urls
    if not urls:
        raise UnreadableText("Expected one URL in the command, got 0.")
    if any(url.split_at_ampersand for url in urls):
        notes.append(SPLIT_AT_AMPERSAND)
    if quoted := next((found for url in urls if (found := _IN_QUOTES.search(url.text))), None):
        notes.append(
            f"The URL holds {quoted[0]} in single quotes, where a shell leaves it as it is."
        )
    body, missing = _body(operation, source)
    if missing:
        notes.append(missing)
    method = _method(operation)
    queries = [_encoded(word, source) for word in operation.query]
    if "get" in given and operation.data:
        if body is None:
            raise UnreadableText(f"The query isn't in the text. {missing}")
        queries, body = [as_text(body), *queries], b""
    for url in urls:
        yield make_request(
            method,
            _url(url, given, queries),
            body or b"",
            headers=[*operation.headers, *_headers_of_options(operation)],
            has_body=body is not None,
            notes=notes,
        )


def _known(word: Word, what: str) -> str:
    if word.unknown:
        raise UnreadableText(
            f"The {what} holds a shell variable or a command, {cut(word.unknown)}, so the text "
            f"doesn't contain what was sent. {ASK_FOR_SET_X}"
        )
    return word.text


def _url(url: Word, given: dict[str, Word], queries: list[str]) -> str:
    text = _known(url, "URL")
    if "://" not in text[:20]:
        scheme = given["proto-default"].text if "proto-default" in given else "http"
        text = f"{scheme}://{text}"
    text, _, _ = text.partition("#")
    if "request-target" in given:
        scheme, _, rest = text.partition("://")
        text = f"{scheme}://{rest.partition('/')[0]}{_known(given['request-target'], 'URL')}"
    for query in queries:
        if query:
            text += ("&" if "?" in text else "?") + query
    return text


def _method(operation: _Operation) -> str:
    given = operation.given
    if "request" in given:
        return _known(given["request"], "method")
    if "head" in given:
        return "HEAD"
    if "upload-file" in given:
        return "PUT"
    sends = (operation.data and "get" not in given) or "form" in given or "form-string" in given
    return "POST" if sends else "GET"


def _body(operation: _Operation, source: Source) -> tuple[bytes | None, str]:
    """The bytes of the body, or None and why they aren't known."""
    given = operation.given
    if "form" in given or "form-string" in given:
        return None, "-F sends a multipart body with a random boundary; nothing is said of it."
    if "upload-file" in given:
        return source.content(_known(given["upload-file"], "name of the file"))
    pieces: list[bytes] = []
    for option, word in operation.data:
        content, missing = _data(option, word, source)
        if content is None:
            return None, missing
        if pieces and option != "json":
            pieces.append(b"&")
        pieces.append(content)
    return b"".join(pieces), ""


def _data(option: str, word: Word, source: Source) -> tuple[bytes | None, str]:
    """The bytes that a data option sends: `-d @file` drops newlines, `--data-binary` doesn't."""
    if option == "data-urlencode":
        return as_bytes(_encoded(word, source)), ""
    if not word.text.startswith("@") or option == "data-raw":
        return source.known(word)
    content, missing = source.content(word.text[1:])
    if content is not None and option in ("data", "data-ascii"):
        content = content.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    return content, missing


def _encoded(word: Word, source: Source) -> str:
    """What --data-urlencode or --url-query makes of its value: `name=content`, name as it is."""
    text = _known(word, "query")
    if text.startswith("+"):
        return text[1:]
    name, sign, content = text.partition("=")
    if not sign:
        name, sign, content = text.partition("@")
    if not sign:
        name, content = "", text
    encoded = as_bytes(content)
    if sign == "@":
        read, missing = source.content(content)
        if read is None:
            raise UnreadableText(missing)
        encoded = read
    value = quote_from_bytes(encoded, safe="").replace("%20", "+")
    return f"{name}={value}" if name else value


def _headers_of_options(operation: _Operation) -> Iterator[tuple[str, str]]:
    given = operation.given
    if any(option == "json" for option, _ in operation.data):
        yield "content-type", "application/json"
    for option, header in (("user-agent", "user-agent"), ("referer", "referer")):
        if option in given:
            yield header, given[option].text
    if "cookie" in given and "=" in given["cookie"].text:
        yield "cookie", given["cookie"].text
    if "user" in given:
        yield "authorization", "Basic (from -u)"  # not what: it may be the secret
    if "oauth2-bearer" in given:
        yield "authorization", "Bearer (from --oauth2-bearer)"


def _notes(given: dict[str, Word]) -> Iterator[str]:
    if "config" in given:
        yield (
            f"curl reads more options from the file {cut(given['config'].text)!r} (-K), which "
            "isn't in the text."
        )
    if "variable" in given or any(name.startswith("expand-") for name in given):
        yield "curl puts variables into this command (--variable, --expand-…); they're not read."
