"""Calls of fetch, axios and their like in JavaScript, as requests: literals only. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from pusherkit.doctor.forms.parts import Claim, PastedRequest
from pusherkit.doctor.forms.values import (
    MAX_CODE,
    MAX_NESTING,
    Budget,
    Unknown,
    compact_json,
    holds_unknown,
    request_from,
)

_VERBS = r"get|post|put|patch|delete|del|head|request"
JAVASCRIPT_HINT = re.compile(
    rf"\bfetch\(|\b(?:axios|got|ky|request|superagent|needle|api|client|http|instance)(?:\.(?:{_VERBS}))?\("
    rf"|\$\.(?:ajax|post|get)\(|\bhttps?\.request\(|\.open\(\s*['\"](?:GET|POST|PUT|DELETE)['\"]"
)
_CALL = re.compile(rf"(?:(?P<tool>[\w$]+)(?:\.(?P<verb>{_VERBS}|ajax))?|\.(?P<open>open))\(")
_SET = re.compile(r"(?:\b(?:const|let|var)\s+|^\s*)([A-Za-z_$][\w$]*)\s*=(?![=>])\s*", re.MULTILINE)
_SPACE = re.compile(r"(?:\s++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
_STRING = re.compile(
    r"'(?P<single>(?:[^'\\\n]++|\\.)*+)'|\"(?P<double>(?:[^\"\\\n]++|\\.)*+)\""
    r"|`(?P<template>(?:[^`\\]++|\\.)*+)`",
    flags=re.DOTALL,
)
_PLUS = re.compile(r"\s*+\+(?![+=])")
_NUMBER = re.compile(r"-?(?:\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?)(?![\w.])")
_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_$][\w$]*)*+")
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(\r?\n)|(.))",
    flags=re.DOTALL,
)
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
# A name and the brace after it; the first hole that holds anything else ends the search.
_TEMPLATE_HOLE = re.compile(r"\$\{\s*+(?:([\w$.]{1,100}+)\s*+)?+(\})?+")
_STATEMENT = re.compile(r"[A-Za-z_$/]")
_OTHER = re.compile(r"[^'\"`()\[\]{},;/\n]++|.", flags=re.DOTALL)


class _NotRead(Exception):
    """The text isn't the code that was expected."""


def unescape_js(text: str) -> str:
    """The inside of a string literal; surrogate pairs written as two escapes become one letter."""

    def put(found: re.Match[str]) -> str:
        code = found[1] or found[2] or found[3]
        if code:
            return chr(min(int(code, 16), 0x10FFFF))
        return "" if found[4] else _NAMED.get(found[5], found[5])

    text = _ESCAPE.sub(put, text)
    if re.search("[\ud800-\udbff][\udc00-\udfff]", text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class Literals:
    """Reads values out of JavaScript, or out of what Node prints for an object."""

    def __init__(self, text: str, variables: dict[str, tuple[Any, int]] | None = None) -> None:
        self.text = text
        self.at = 0
        self._variables = variables or {}
        self._budget = Budget()

    def value(self, depth: int = 0) -> Any:
        """The expression at `at`; Unknown for one that has to be run."""
        start = self.at
        value = self._sum(depth)
        end = self.at
        self._space()
        if "\n" in self.text[end : self.at] and _STATEMENT.match(self.text, self.at):
            self.at = end  # a newline ends a statement, too
            return value
        if self.at < len(self.text) and self.text[self.at] not in ",;)]}\n":
            self._skip(depth)
            return Unknown(self.text[start : self.at])
        return value

    def arguments(self) -> list[Any]:
        """The values up to the `)` that closes a call; `at` is behind its `(`."""
        return self._list(")", 0)

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _peek(self) -> str:
        self._space()
        return self.text[self.at : self.at + 1]

    def _sum(self, depth: int) -> Any:
        start = self.at
        value = self._one(depth)
        while (plus := _PLUS.match(self.text, self.at)) is not None:
            self.at = plus.end()
            other = self._one(depth)
            if isinstance(value, str | int) and isinstance(other, str | int):
                value = f"{value}{other}"
            else:
                value = Unknown(self.text[start : self.at])
        return value

    def _one(self, depth: int) -> Any:
        if depth > MAX_NESTING:
            raise _NotRead
        first = self._peek()
        if first and first in "'\"`":
            return self._string()
        if first == "{":
            self.at += 1
            return self._object(depth + 1)
        if first == "[":
            self.at += 1
            return self._list("]", depth + 1)
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            value = float(number[0])
            return int(value) if value.is_integer() else value
        if name := _NAME.match(self.text, self.at):
            self.at = name.end()
            return self._named(name[0], depth)
        return Unknown(self.text[self.at : self.at + 20])

    def _string(self) -> Any:
        found = _STRING.match(self.text, self.at)
        if not found:
            raise _NotRead
        self.at = found.end()
        text = found[found.lastgroup or 0]
        if found.lastgroup == "template" and "${" in text:
            return self._template(text)
        return unescape_js(text)

    def _template(self, text: str) -> Any:
        pieces: list[str] = []
        end = 0
        for hole in _TEMPLATE_HOLE.finditer(text):
            value = self._variable(hole[1] or "") if hole[1] else None
            if not isinstance(value, str | int) or not hole[2]:
                return Unknown(hole[0])
            pieces += [unescape_js(text[end : hole.start()]), str(value)]
            end = hole.end()
        return "".join([*pieces, unescape_js(text[end:])])

    def _variable(self, name: str) -> Any:
        if name not in self._variables:
            return Unknown(name)
        value, size = self._variables[name]
        return value if self._budget.spend(size) else Unknown(name)

    def _named(self, name: str, depth: int) -> Any:
        if name in ("true", "false"):
            return name == "true"
        if name in ("null", "undefined"):
            return None
        if name in ("new", "await"):
            return self._one(depth + 1)
        if self._peek() != "(":
            return self._variable(name)
        start = self.at
        self.at += 1
        given = self._list(")", depth + 1)
        known = _FUNCTIONS.get(name)
        if not known or not given or holds_unknown(given):
            inner = holds_unknown(given)
            return inner if known and inner else Unknown(name + self.text[start : self.at])
        return known(given[0])

    def _list(self, close: str, depth: int) -> list[Any]:
        values: list[Any] = []
        while (following := self._peek()) != close:
            if not following or following in ")]};":
                raise _NotRead
            if following == ",":
                self.at += 1
                continue
            values.append(self.value(depth))
        self.at += 1
        return values

    def _object(self, depth: int) -> Any:
        values: dict[str, Any] = {}
        unknown = None
        while (following := self._peek()) != "}":
            if following == ",":
                self.at += 1
                continue
            if following and following in "'\"":
                name = str(self._string())
            elif found := re.compile(r"[\w$]+").match(self.text, self.at):
                name = found[0]
                self.at = found.end()
            elif following and following not in ")];":
                unknown = Unknown(self.text[self.at : self.at + 40])
                self._skip(depth)
                continue
            else:
                raise _NotRead
            if self._peek() == ":":
                self.at += 1
                values[name] = self.value(depth)
            elif self._peek() in (",", "}"):
                values[name] = self._variable(name)
            else:
                values[name] = Unknown(name)
                self._skip(depth)
        self.at += 1
        if unknown:
            values["…"] = unknown
        return values

    def _skip(self, depth: int) -> None:
        """Past an expression that isn't read: to the comma or bracket that ends it."""
        open_brackets = 0
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter in "'\"`" and (found := _STRING.match(self.text, self.at)):
                self.at = found.end()
                continue
            if not open_brackets and letter in ",;)]}":
                return
            open_brackets += (letter in "([{") - (letter in ")]}")
            found = _OTHER.match(self.text, self.at)
            self.at = found.end() if found else self.at + 1
        raise _NotRead


def _url_encoded(value: Any) -> Any:
    return urlencode(value) if isinstance(value, dict | list) else str(value)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "JSON.stringify": compact_json,
    "encodeURIComponent": lambda value: quote(str(value), safe="!~*'()"),
    "encodeURI": lambda value: quote(str(value), safe="!~*'();/?:@&=+$,#"),
    "URLSearchParams": _url_encoded,
    "String": str,
    "URL": str,
    "Headers": lambda value: value,
    "Buffer.from": lambda value: value,
}


class JavaScriptReader:
    """Reads the calls in one text that send a request."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._variables: dict[str, tuple[Any, int]] | None = None
        self._effort = 4 * len(text)  # characters that may be read in vain

    def read(self, found: re.Match[str]) -> Claim | None:
        """The request of the call at `found`; None where it's no such call.

        Raises UnreadableText for a call whose URL isn't in the text.
        """
        call = _CALL.match(self._text, found.start())
        if not call or len(self._text) > MAX_CODE or self._effort < 0:
            return None
        literals = Literals(self._text, self._known())
        literals.at = call.end()
        try:
            given = literals.arguments()
        except (_NotRead, RecursionError):
            return None
        finally:
            self._effort -= literals.at - call.end()
        end = literals.at + (self._text[literals.at : literals.at + 1] == ";")
        begin = self._text.rfind("\n", 0, found.start()) + 1
        if call["open"]:
            request = self._xhr(given, literals.at)
        elif call["tool"] in ("http", "https"):
            request = self._node(given, literals.at)
        else:
            request = _request(call["tool"], call["verb"] or "", given)
        if request is None:
            return None
        return Claim(begin, end, form="JavaScript code", requests=(request,))

    def _known(self) -> dict[str, tuple[Any, int]]:
        """The variables that the text sets to something known."""
        if self._variables is not None:
            return self._variables
        self._variables = {}
        for found in _SET.finditer(self._text):
            literals = Literals(self._text, self._variables)
            literals.at = found.end()
            if self._effort < 0:
                break
            try:
                value = literals.value()
            except (_NotRead, RecursionError):
                continue
            finally:
                self._effort -= literals.at - found.end()
            size = literals.at - found.end() + 8 * 1024 * 1024 - literals._budget.left
            self._variables[found[1]] = (value, size)
        return self._variables

    def _sent(self, at: int) -> Any:
        """What the next .send(…), .write(…) or .end(…) sends."""
        sends = re.compile(r"\.(?:send|write|end)\((?!\s*\))").search(self._text, at, at + 20_000)
        if not sends:
            return b""
        literals = Literals(self._text, self._known())
        literals.at = sends.end()
        try:
            return literals.value()
        except (_NotRead, RecursionError):
            return Unknown(sends[0])

    def _xhr(self, given: list[Any], at: int) -> PastedRequest | None:
        return request_from(given[0], given[1], body=self._sent(at)) if len(given) > 1 else None

    def _node(self, given: list[Any], at: int) -> PastedRequest | None:
        """http.request(options) of Node, and the write() or end() that follows."""
        options = next((value for value in given if isinstance(value, dict)), {})
        url: str | Unknown = given[0] if given and isinstance(given[0], str) else ""
        if isinstance(url, str) and url and "://" not in url[:20]:
            return None
        if not url:
            host = options.get("hostname", options.get("host", ""))
            if not host:
                return None
            port = options.get("port", "")
            path = options.get("path", "/")
            if unknown := holds_unknown([host, port, path]):
                url = unknown
            else:
                scheme = "http" if options.get("protocol") == "http:" or port in (80, "80") else ""
                url = f"{scheme or 'https'}://{host}{f':{port}' if port else ''}{path}"
        return request_from(
            options.get("method", "GET"),
            url,
            body=self._sent(at),
            headers=options.get("headers", {}),
        )


def _request(tool: str, verb: str, given: list[Any]) -> PastedRequest | None:
    """The request of fetch(url, options), axios.post(url, data, config), $.ajax(config) …"""
    if not given:
        return None
    url, config = _configured(tool, verb, given)
    if not isinstance(url, str | Unknown):
        return None
    if isinstance(url, Unknown) and not isinstance(given[0], dict) and len(given) == 1:
        return None  # get(x): anything may be called so
    if isinstance(url, str) and not re.match(r"https?://|/", url):
        return None
    body, sends = _body(tool, config)
    method = config.get("method", config.get("type", verb if verb in _SENDS else ""))
    if not method or method == "request":
        method = "POST" if sends and tool != "fetch" else "GET"
    params = config.get("params", config.get("qs", config.get("searchParams", ())))
    headers = config.get("headers", {})
    return request_from(
        method,
        url,
        body=body,
        params=params or (),
        headers=headers if isinstance(headers, dict) else {},
        base=config.get("baseURL", config.get("prefixUrl", "")),
    )


def _configured(tool: str, verb: str, given: list[Any]) -> tuple[Any, dict[str, Any]]:
    """The URL and the configuration of a call, with the data that axios is given."""
    first, *rest = given
    if isinstance(first, dict):
        return first.get("url", first.get("uri")), first
    has_data = tool in _WITH_DATA and verb in ("post", "put", "patch") and bool(rest)
    options = rest[1:] if has_data else rest
    config = options[0] if options and isinstance(options[0], dict) else {}
    return first, {**config, "data": rest[0]} if has_data else config


_WITH_DATA = ("axios", "api", "client", "instance", "needle", "$")  # post(url, data, config)
_SENDS = ("get", "post", "put", "patch", "delete", "head")


def _body(tool: str, config: dict[str, Any]) -> tuple[Any, bool]:
    """The body that a configuration sends, and whether it names one."""
    if isinstance(config.get("json"), dict | list):
        return _as_json(config["json"]), True
    for name in ("body", "data", "payload"):
        if name not in config or config[name] is None:
            continue
        body = config[name]
        if isinstance(body, dict | list):
            body = _url_encoded(body) if tool == "$" else _as_json(body)
        return body, True
    return b"", False


def _as_json(value: Any) -> Any:
    return holds_unknown(value) or compact_json(value)
