"""wget and HTTPie commands (`http`, `https`, and `xh`, which reads the same) as requests. Pure."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

from pusherkit.doctor.forms.curl import ASK_FOR_SET_X, SPLIT_AT_AMPERSAND, Source, options_of
from pusherkit.doctor.forms.options import HTTPIE, WGET
from pusherkit.doctor.forms.parts import (
    PastedRequest,
    ReadFile,
    as_bytes,
    cut,
    make_request,
)
from pusherkit.doctor.forms.shell import Command, Shell, Word
from pusherkit.errors import UnreadableText

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


def _known(word: Word) -> str:
    if word.unknown:
        raise UnreadableText(
            f"The command holds a shell variable or a command, {cut(word.unknown)}, so the text "
            f"doesn't contain what was sent. {ASK_FOR_SET_X}"
        )
    return word.text


# --- wget ---------------------------------------------------------------------------------------


def read_wget(command: Command, shell: Shell, read_file: ReadFile | None) -> list[PastedRequest]:
    """The requests that a wget command sends. Raises UnreadableText."""
    source = Source(command.stdin, shell.files, read_file)
    notes = list(dict.fromkeys(command.notes))
    urls: list[Word] = []
    headers: list[tuple[str, str]] = []
    given: dict[str, Word] = {}
    for name, value in options_of(command.words[1:], WGET, "wget"):
        if name == "":
            urls.append(value)
        elif name == "header":
            header, _, content = value.text.partition(":")
            headers.append((header, content))
        else:
            given[name] = value
    if not urls:
        raise UnreadableText("Expected one URL in the command, got 0.")
    if "user" in given or "http-user" in given:
        headers.append(("authorization", "Basic (from --user)"))
    body, missing = _sent_by_wget(given, source)
    if missing:
        notes.append(missing)
    if any(url.split_at_ampersand for url in urls):
        notes.append(SPLIT_AT_AMPERSAND)
    posts = "post-data" in given or "post-file" in given
    return [
        make_request(
            _known(given.get("method", Word("POST" if posts else "GET"))),
            _with_scheme(_known(url), "http"),
            body or b"",
            headers=headers,
            has_body=body is not None,
            notes=notes,
        )
        for url in urls
    ]


def _sent_by_wget(given: dict[str, Word], source: Source) -> tuple[bytes | None, str]:
    """The bytes of the body, or None and why they aren't known."""
    for name in ("post", "body"):
        if f"{name}-data" in given:
            return source.known(given[f"{name}-data"])
        if f"{name}-file" in given:
            return source.content(_known(given[f"{name}-file"]))
    return b"", ""


def _with_scheme(url: str, scheme: str) -> str:
    if re.match(r":(?:[0-9]|/|$)", url):  # HTTPie's short form: :8080/path
        url = "localhost" + (url[1:] if url[1:2] in ("", "/") else url)
    return url if "://" in url[:20] else f"{scheme}://{url}"


# --- HTTPie -------------------------------------------------------------------------------------

_SEPARATORS = (":=@", "==@", "=@", ":@", "==", ":=", "=", ":", "@")


def read_httpie(command: Command, shell: Shell, read_file: ReadFile | None) -> list[PastedRequest]:
    """The request that an HTTPie command sends, none without a URL. Raises UnreadableText."""
    tool = re.split(r"[/\\]", command.words[0].text)[-1].removesuffix(".exe")
    notes = list(dict.fromkeys(command.notes))
    words: list[Word] = []
    given: dict[str, Word] = {}
    for name, value in options_of(command.words[1:], HTTPIE, tool):
        if name == "":
            words.append(value)
        else:
            given[name] = value
    method = words.pop(0).text if words and words[0].text.upper() in METHODS else ""
    if not words:
        raise UnreadableText("Expected a URL in the command, got none.")
    url = words.pop(0)
    headers, query, fields = _items(words)
    body, missing = _body(given, fields, Source(command.stdin, shell.files, read_file), tool)
    if missing:
        notes.append(missing)
    if url.split_at_ampersand:
        notes.append(SPLIT_AT_AMPERSAND)
    if "auth" in given:
        headers.append(("authorization", "Basic (from -a)"))
    target = _with_scheme(_known(url), "https" if tool in ("https", "xhs") else "http")
    if query:
        target += ("&" if "?" in target else "?") + urlencode(query)
    return [
        make_request(
            method or ("GET" if body == b"" else "POST"),
            target,
            body or b"",
            headers=headers,
            has_body=body is not None,
            notes=notes,
        )
    ]


_Pairs = list[tuple[str, str]]


def _items(words: list[Word]) -> tuple[_Pairs, _Pairs, list[tuple[str, str, Word]]]:
    """Headers, query parameters, and the fields of the body: separator, name, value."""
    headers: _Pairs = []
    query: _Pairs = []
    fields: list[tuple[str, str, Word]] = []
    for word in words:
        name, sign, value = _item(word.text)
        if sign == ":":
            headers.append((name, value))
        elif sign == "==":
            query.append((name, _known(Word(value, word.unknown))))
        elif sign:
            fields.append((sign, name, Word(value, word.unknown)))
    return headers, query, fields


def _item(text: str) -> tuple[str, str, str]:
    """Name, separator and value: the first separator that isn't escaped, the longest there."""
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        for sign in _SEPARATORS:
            if text.startswith(sign, at):
                return re.sub(r"\\(.)", r"\1", text[:at]), sign, text[at + len(sign) :]
        at += 1
    return text, "", ""


def _body(
    given: dict[str, Word], fields: list[tuple[str, str, Word]], source: Source, tool: str
) -> tuple[bytes | None, str]:
    """The bytes of the body, or None and why they aren't known."""
    if "raw" in given:
        return source.known(given["raw"])
    if not fields:
        if source.stdin is None or "ignore-stdin" in given:
            return b"", ""
        return source.content("-")
    values: dict[str, object] = {}
    for sign, name, word in fields:
        if sign in ("=@", ":=@", "@") or "[" in name or "multipart" in given:
            return None, "The body is made of a file or of nested names; nothing is said of it."
        content, missing = source.known(word)
        if content is None:
            return None, missing
        try:
            values[name] = json.loads(word.text) if sign == ":=" else word.text
        except (ValueError, RecursionError):
            raise UnreadableText(
                f"{cut(name)}:= isn't followed by JSON, so HTTPie refuses the command."
            ) from None
    if "form" in given:
        return as_bytes(urlencode(values)), ""
    if tool.startswith("xh"):  # a Rust program, and serde's JSON has no spaces
        return as_bytes(json.dumps(values, ensure_ascii=False, separators=(",", ":"))), ""
    return as_bytes(json.dumps(values)), ""
