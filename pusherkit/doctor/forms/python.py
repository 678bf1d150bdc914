"""Calls of requests, httpx, urllib and http.client in Python, as requests. Pure.

The code is parsed, never run: literals, names that are set to them, f-strings, `json.dumps`.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from pusherkit.doctor.forms.parts import Claim, PastedRequest
from pusherkit.doctor.forms.values import (
    MAX_CODE,
    Budget,
    Unknown,
    compact_json,
    holds_unknown,
    request_from,
)
from pusherkit.errors import UnreadableText

PYTHON_HINT = re.compile(
    r"^(?:>>> |\.\.\. |In \[\d+\]: )?[ \t]*(?:import|from) "
    r"(?:requests|httpx|urllib|http\.client|aiohttp)\b"
    r"|\b(?:requests|httpx|session|client|s|conn|connection)\.(?:get|post|put|patch|delete|request)\("
    r"|\burllib\.request\.(?:Request|urlopen)\(",
    flags=re.MULTILINE,
)
_PROMPT = re.compile(r"^(?:>>> ?|\.\.\. ?|In \[\d+\]: ?| +\.\.\.: ?)", flags=re.MULTILINE)
_BEGINS = re.compile(
    r"^(?:import |from \w|(?:async )?def |with |[A-Za-z_][\w.]*\s*(?:=[^=]|\())", flags=re.MULTILINE
)
_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_TRIES = 6  # at finding out which lines are code


class PythonReader:
    """Reads the code in one text, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tried = False

    def read(self, found: re.Match[str]) -> Claim | None:
        """Every request of the code around `found`; None where it's no Python.

        Raises UnreadableText for a call whose URL isn't in the text.
        """
        if self._tried or len(self._text) > MAX_CODE:
            return None
        self._tried = True
        tree, start, end = _parse(self._text)
        if tree is None:
            return None
        try:
            requests = tuple(_Program(tree).requests())
        except RecursionError:  # an expression of a thousand terms, and the parser took it
            return None
        if not requests:
            return None
        return Claim(start, end, form="Python code", requests=requests)


def _parse(text: str) -> tuple[ast.Module | None, int, int]:
    """The code in a text, and from where to where it goes; lines around it may be anything."""
    begins = _BEGINS.search(text) or _BEGINS.search(text := _PROMPT.sub("", text))
    if not begins:
        return None, 0, 0
    first = text.count("\n", 0, begins.start())
    lines = text.splitlines(keepends=True)
    last = len(lines)
    for _ in range(_TRIES):
        code = _PROMPT.sub("", textwrap.dedent("".join(lines[first:last])))
        try:
            with warnings.catch_warnings(action="ignore"):  # on escapes such as "\d"
                tree = ast.parse(code)
        except SyntaxError as error:
            last = first + max(0, (error.lineno or 1) - 1)
            if last <= first:
                break
        except (ValueError, RecursionError, MemoryError):
            break
        else:
            return tree, sum(map(len, lines[:first])), sum(map(len, lines[:last]))
    return None, 0, 0


class _Program:
    """A parsed program, and what its names stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._names: dict[str, tuple[Any, int]] = {}
        self._budget = Budget()
        self._hosts: dict[str, str] = {}  # of http.client's connections

    def requests(self) -> Iterator[PastedRequest]:
        """The requests of its calls, in their order."""
        for node in self._in_order():
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, ast.Name):
                    before = self._budget.left
                    value = self._value(node.value)
                    size = (node.value.end_col_offset or 0) + before - self._budget.left
                    lines = (node.value.end_lineno or 0) - node.value.lineno
                    self._names[target.id] = (value, size + 80 * lines)
                    self._connects(target.id, node.value)
            elif isinstance(node, ast.Call) and (request := self._request(node)):
                yield request

    def _in_order(self) -> list[ast.Assign | ast.Call]:
        """Assignments and calls, as they come in the text; an assignment after what it calls."""
        nodes = [n for n in ast.walk(self._tree) if isinstance(n, ast.Assign | ast.Call)]
        return sorted(
            nodes,
            key=lambda n: (n.end_lineno or 0, n.end_col_offset or 0, isinstance(n, ast.Assign)),
        )

    def _connects(self, name: str, node: ast.expr) -> None:
        if isinstance(node, ast.Call) and (called := _name_of(node.func).rpartition(".")[2]):
            host = self._value(node.args[0]) if node.args else ""
            if called in ("HTTPSConnection", "HTTPConnection") and isinstance(host, str):
                port = self._value(node.args[1]) if len(node.args) > 1 else ""
                scheme = "https" if called == "HTTPSConnection" else "http"
                self._hosts[name] = f"{scheme}://{host}" + (f":{port}" if port else "")
            if called in ("Client", "AsyncClient", "ClientSession"):
                base = self._keywords(node).get("base_url", "")
                self._hosts[name] = base if isinstance(base, str) else ""

    def _keywords(self, node: ast.Call) -> dict[str, Any]:
        return {keyword.arg: self._value(keyword.value) for keyword in node.keywords if keyword.arg}

    def _request(self, node: ast.Call) -> PastedRequest | None:
        owner, _, verb = _name_of(node.func).rpartition(".")
        given = [self._value(argument) for argument in node.args]
        named = self._keywords(node)
        if verb in ("Request", "urlopen") and ("urllib" in owner or not owner):
            return self._urllib(verb, given, named)
        if verb == "request" and owner in self._hosts and "://" in self._hosts[owner]:
            return self._connection(self._hosts[owner], given, named)
        if verb not in _VERBS and verb != "request":
            return None
        method = named.get("method", given.pop(0) if given else "") if verb == "request" else verb
        url = named.get("url", given[0] if given else None)
        base = self._hosts.get(owner.rpartition(".")[2], "")
        if not isinstance(url, str | Unknown) or not (owner and method):
            return None
        if isinstance(url, str) and not re.match("https?://", url) and not base:
            return None  # headers.get("x") …
        if isinstance(url, Unknown) and not {"data", "json", "content", "headers"} & named.keys():
            return None
        if verb == "post" and len(given) > 1:
            named.setdefault("data", given[1])
        return request_from(
            method,
            url,
            body=_body(owner, named),
            params=named.get("params") or (),
            headers=_pairs(named.get("headers")),
            base=base,
        )

    @staticmethod
    def _urllib(verb: str, given: list[Any], named: dict[str, Any]) -> PastedRequest | None:
        url = named.get("url", given[0] if given else None)
        if not isinstance(url, str | Unknown) or (verb == "urlopen" and isinstance(url, Unknown)):
            return None
        body = named.get("data", given[1] if len(given) > 1 else None)
        return request_from(
            named.get("method", "GET" if body is None else "POST"),
            url,
            body=body or b"",
            headers=_pairs(named.get("headers", given[2] if len(given) > 2 else None)),
        )

    @staticmethod
    def _connection(base: str, given: list[Any], named: dict[str, Any]) -> PastedRequest | None:
        method, url, body, headers = [*given, None, None, None, None][:4]
        return request_from(
            named.get("method", method),
            named.get("url", url),
            body=named.get("body", body) or b"",
            headers=_pairs(named.get("headers", headers)),
            base=base,
        )

    # --- values ---

    def _value(self, node: ast.expr) -> Any:
        """What an expression is, as far as that can be known without running it."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._named(name)
            case ast.Dict(keys=keys, values=values):
                return self._dict(keys, values)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._value(item) for item in items]
            case ast.JoinedStr(values=pieces):
                return self._joined(pieces)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._added(self._value(left), self._value(right), node)
            case ast.Call():
                return self._called(node)
        return Unknown(_source(node))

    def _named(self, name: str) -> Any:
        value, size = self._names.get(name, (Unknown(name), 0))
        return value if self._budget.spend(size) else Unknown(name)

    def _dict(self, keys: list[ast.expr | None], values: list[ast.expr]) -> Any:
        made: dict[Any, Any] = {}
        for key, value in zip(keys, values, strict=True):
            name = self._value(key) if key else Unknown("**")
            if not isinstance(name, str | int | float | None):
                return Unknown(_source(value))
            made[name] = self._value(value)
        return made

    def _joined(self, pieces: list[ast.expr]) -> Any:
        texts: list[str] = []
        for piece in pieces:
            plain = isinstance(piece, ast.FormattedValue) and piece.format_spec is None
            value = self._value(piece.value if plain else piece)  # type: ignore[attr-defined]
            if not isinstance(value, str | int):
                return Unknown(_source(piece))
            texts.append(str(value))
        return "".join(texts)

    def _added(self, left: Any, right: Any, node: ast.expr) -> Any:
        for kind in (str, bytes):
            if isinstance(left, kind) and isinstance(right, kind):
                return left + right if self._budget.spend(len(left)) else Unknown("+")  # type: ignore[operator]
        return holds_unknown([left, right]) or Unknown(_source(node))

    def _called(self, node: ast.Call) -> Any:
        name = _name_of(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("encode", "strip"):
            text = self._value(node.func.value)
            encoding = self._value(node.args[0]) if node.args else "utf-8"
            if isinstance(text, str) and node.func.attr == "encode":
                return _encoded(text, encoding)
            return text if holds_unknown(text) else Unknown(_source(node))
        if name.rpartition(".")[2] == "dumps" and node.args:
            return _dumped(self._value(node.args[0]), self._keywords(node), node)
        if name.rpartition(".")[2] == "urlencode" and node.args:
            value = self._value(node.args[0])
            return holds_unknown(value) or urlencode(value)
        if name in ("str", "bytes", "Request", "urllib.request.Request") and node.args:
            return self._value(node.args[0]) if name == "str" else Unknown(_source(node))
        return Unknown(_source(node))


def _name_of(node: ast.expr) -> str:
    """`requests.post` of a call's function."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call):  # requests.Session().post
        names.append(_name_of(node.func).rpartition(".")[2])
    elif isinstance(node, ast.Name):
        names.append(node.id)
    return ".".join(reversed(names))


def _source(node: ast.AST) -> str:
    return ast.unparse(node)[:200]


def _encoded(text: str, encoding: Any) -> Any:
    try:
        return text.encode(encoding if isinstance(encoding, str) else "utf-8")
    except (LookupError, UnicodeError):
        return Unknown(".encode()")


_DUMPS = frozenset({"separators", "ensure_ascii", "sort_keys", "indent", "allow_nan"})


def _dumped(value: Any, options: dict[str, Any], node: ast.Call) -> Any:
    """What json.dumps writes; options beyond the usual ones make it unknown."""
    if unknown := holds_unknown([value, *options.values()]):
        return unknown
    if options.keys() - _DUMPS or not _small(options.get("indent")):
        return Unknown(_source(node))
    try:
        return json.dumps(value, **options)
    except (TypeError, ValueError, RecursionError):
        return Unknown(_source(node))


def _small(indent: Any) -> bool:
    return indent is None or (isinstance(indent, int) and 0 <= indent <= 8)


def _pairs(headers: Any) -> Any:
    return headers if isinstance(headers, dict) else {}


def _body(owner: str, named: dict[str, Any]) -> Any:
    """What requests, httpx or aiohttp sends for data=, json= and content=."""
    if named.get("json") is not None:
        return _json_body(owner, named["json"])
    body = named.get("content", named.get("data"))
    if named.get("files") is not None:
        return Unknown("files=…")
    if isinstance(body, dict | list):
        return holds_unknown(body) or urlencode(body, doseq=True)
    return b"" if body is None else body


def _json_body(owner: str, value: Any) -> Any:
    """httpx writes compact JSON since 0.28; requests and aiohttp as json.dumps does."""
    if unknown := holds_unknown(value):
        return unknown
    try:
        return compact_json(value) if "httpx" in owner or owner == "client" else json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise UnreadableText("What json= is given isn't JSON.") from None
