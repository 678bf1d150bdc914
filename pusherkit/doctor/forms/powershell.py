"""Invoke-RestMethod and Invoke-WebRequest in PowerShell, as requests: literals only. Pure."""

from __future__ import annotations

import re
from typing import Any

from pusherkit.doctor.forms.parts import Claim
from pusherkit.doctor.forms.values import MAX_CODE, MAX_NESTING, Budget, Unknown, request_from
from pusherkit.doctor.forms.windows import unescape_powershell

POWERSHELL_HINT = re.compile(
    r"\b(?:Invoke-RestMethod|Invoke-WebRequest|irm|iwr)\b|\bcurl[ \t]+-(?:Uri|Method|Body)\b",
    flags=re.IGNORECASE,
)
_SET = re.compile(r"^[ \t]*(?:PS [^\n>]{0,200}>[ \t]*)?\$(\w{1,60})\s*=\s*", flags=re.MULTILINE)
_SPACE = re.compile(r"(?:[ \t\r]++(?!\n)|`[ \t]*+\r?\n)*+")
_ANY_SPACE = re.compile(r"(?:\s++|`[ \t]*+\r?\n|\#[^\n]*+)*+")
_VALUE = re.compile(
    r"""@'[ \t]*\r?\n(?P<here>.*?)\r?\n'@
      | @"[ \t]*\r?\n(?P<here_double>.*?)\r?\n"@
      | '(?P<single>(?:[^']++|'')*+)'
      | "(?P<double>(?:[^"`]++|`.|"")*+)"
      | \$(?P<variable>[A-Za-z_]\w*)(?![\w.(\[])
      | (?P<table>(?:\[ordered\])?@\{)
      | (?P<bracket>\()
      | (?P<word>[^\s'"`|;(){}$,]++)
    """,
    flags=re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_OPTION = re.compile(r"-([A-Za-z]+):?")
_HOLE = re.compile(r"(?<!`)\$(?:\{([\w]+)\}|([A-Za-z_]\w*)|(\())(?!\[char\])")
_SWITCHES = frozenset({"usebasicparsing", "skipcertificatecheck", "allowunencryptedauthentication"})
LATIN_1 = (
    "Windows PowerShell 5.1 sends a text that has letters beyond ASCII as Latin-1, unless the "
    "content type ends in charset=utf-8. It's read here as UTF-8."
)


class _NotRead(Exception):
    """The text isn't the code that was expected."""


class PowerShellReader:
    """Reads the calls in one text that send a request."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._variables: dict[str, tuple[Any, int]] = {}
        self._learned = False
        self._budget = Budget()
        self._at = 0

    def read(self, found: re.Match[str]) -> Claim | None:
        """The request of the command at `found`. Raises UnreadableText if its URL isn't known."""
        if len(self._text) > MAX_CODE or not self._budget.spend(0):
            return None
        if not self._learned:
            self._learned = True
            self._learn()
        self._at = found.end() if not found[0].lower().startswith("curl") else found.start() + 4
        try:
            given = self._parameters()
        except (_NotRead, RecursionError):
            self._budget.spend(self._at - found.start())
            return None
        url = given.get("uri", given.get(""))
        if not isinstance(url, str | Unknown):
            return None
        if isinstance(url, str) and "://" not in url[:20]:
            url = f"http://{url}"
        body = given.get("body") or b""
        if isinstance(body, dict):
            body = "&".join(f"{name}={value}" for name, value in body.items())
        headers = given.get("headers")
        pairs = [*headers.items()] if isinstance(headers, dict) else []
        if isinstance(kind := given.get("contenttype"), str):
            pairs.append(("content-type", kind))
        latin = isinstance(body, str) and not body.isascii() and "utf-8" not in str(pairs).lower()
        request = request_from(
            given.get("method", "GET"),
            url,
            body=body,
            headers=pairs,
            notes=[LATIN_1] if latin else [],
        )
        begin = self._text.rfind("\n", 0, found.start()) + 1
        return Claim(begin, self._at, form="a PowerShell command", requests=(request,))

    def _learn(self) -> None:
        """Keep what the text sets its variables to."""
        for found in _SET.finditer(self._text):
            self._at = found.end()
            before = self._budget.left
            try:
                value = self._sum(0)
            except (_NotRead, RecursionError):
                if not self._budget.spend(self._at - found.end()):
                    return
                continue
            size = self._at - found.end() + before - self._budget.left
            self._variables[found[1].lower()] = (value, size)

    def _parameters(self) -> dict[str, Any]:
        """The parameters of a command, names in lower case; the first value without one as ""."""
        given: dict[str, Any] = {}
        while True:
            self._space(_SPACE)
            following = self._text[self._at : self._at + 1]
            if following in "\r\n|;)}":  # or the text ends
                return given
            if following == "@" and (
                splat := re.match(r"@(\w+)", self._text[self._at : self._at + 80])
            ):
                self._at += splat.end()
                values = self._variable(splat[1])
                if not isinstance(values, dict):
                    raise _NotRead  # it may hold the method and the body
                given |= {str(name).lower(): value for name, value in values.items()}
                continue
            option = _OPTION.match(self._text, self._at)
            if not option:
                given.setdefault("", self._sum(0))
                continue
            self._at = option.end()
            name = option[1].lower()
            if name not in _SWITCHES:
                self._space(_SPACE)
                given[_FULL.get(name, name)] = self._sum(0)

    def _space(self, kind: re.Pattern[str]) -> None:
        found = kind.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _sum(self, depth: int) -> Any:
        value = self._one(depth)
        while True:
            self._space(_SPACE)
            if not re.match(r"\+\s", self._text[self._at : self._at + 2]):
                return value
            self._at += 1
            self._space(_ANY_SPACE)
            other = self._one(depth)
            known = isinstance(value, str) and isinstance(other, str)
            value = f"{value}{other}" if known else Unknown("… + …")

    def _one(self, depth: int) -> Any:
        if depth > MAX_NESTING:
            raise _NotRead
        found = _VALUE.match(self._text, self._at)
        if not found:
            raise _NotRead
        self._at = found.end()
        content = found[found.lastgroup or 0]
        match found.lastgroup:
            case "here":
                return content
            case "single":
                return content.replace("''", "'")
            case "double" | "here_double":
                return self._filled(content)
            case "variable":
                return self._variable(content)
            case "table":
                return self._table(depth + 1)
            case "bracket":
                return self._bracket(depth + 1)
        return content

    def _variable(self, name: str) -> Any:
        value, size = self._variables.get(name.lower(), (Unknown(f"${name}"), 0))
        if name.lower() in ("true", "false", "null"):
            return None if name.lower() == "null" else name.lower() == "true"
        return value if self._budget.spend(size) else Unknown(f"${name}")

    def _filled(self, text: str) -> Any:
        """A double-quoted text with its variables put in."""
        pieces: list[str] = []
        end = 0
        for hole in _HOLE.finditer(text):
            value = Unknown("$(…)") if hole[3] else self._variable(hole[1] or hole[2])
            if not isinstance(value, str):
                return value if isinstance(value, Unknown) else Unknown(hole[0])
            pieces += [unescape_powershell(text[end : hole.start()]), value]
            end = hole.end()
        return "".join([*pieces, unescape_powershell(text[end:])])

    def _table(self, depth: int) -> Any:
        table: dict[str, Any] = {}
        while True:
            self._space(_ANY_SPACE)
            following = self._text[self._at : self._at + 1]
            if following in ";,":
                if not following:
                    raise _NotRead
                self._at += 1
                continue
            if following == "}":
                self._at += 1
                return table
            found = re.compile(r"[\w.-]+").match(self._text, self._at)
            if found:
                self._at = found.end()
            name = found[0] if found else self._one(depth)
            self._space(_ANY_SPACE)
            if self._text[self._at : self._at + 1] != "=":
                raise _NotRead
            self._at += 1
            self._space(_ANY_SPACE)
            table[str(name)] = self._sum(depth)

    def _bracket(self, depth: int) -> Any:
        """( … ): a value, GetBytes(…) around one, or a pipeline that has to be run."""
        start = self._at
        self._space(_ANY_SPACE)
        encoding = re.compile(r"\[[\w.]+\]::UTF8\.GetBytes\(", re.IGNORECASE)
        if found := encoding.match(self._text, self._at):
            self._at = found.end()
            value = self._sum(depth)
            self._at += 1
        else:
            value = self._sum(depth)
        self._space(_ANY_SPACE)
        if self._text[self._at : self._at + 1] == ")":
            self._at += 1
            return value
        return self._skip(start)

    def _skip(self, start: int) -> Unknown:
        """Past the bracket whose inside isn't read."""
        depth = 1
        for found in re.compile(r"'[^']*+'|\"(?:[^\"`]++|`.)*+\"|[()]", re.DOTALL).finditer(
            self._text, self._at
        ):
            depth += (found[0] == "(") - (found[0] == ")")
            if not depth:
                self._at = found.end()
                return Unknown(self._text[start - 1 : self._at])
        self._at = len(self._text)  # all of it was read in vain, and is paid for
        raise _NotRead


_FULL = {"u": "uri", "m": "method", "b": "body", "h": "headers", "ur": "uri", "me": "method"}
