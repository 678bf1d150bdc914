"""Command lines in a text, with prompts before them: finds curl, wget and HTTPie. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pusherkit.doctor.forms.clients import read_httpie, read_wget
from pusherkit.doctor.forms.curl import STRAY, read_curl
from pusherkit.doctor.forms.parts import Claim, PastedRequest, ReadFile
from pusherkit.doctor.forms.shell import Command, NotClosed, Shell
from pusherkit.doctor.forms.windows import cmd_line, is_cmd, is_powershell, powershell_line
from pusherkit.errors import UnreadableText

# What a line of shell begins with, after a prompt such as `$ `, `user@host:~$ `, `C:\> ` or `+ `.
_TOOL = r"(?:[\w.:/\\-]{0,200}[/\\])?(?:curl|wget|https?|xhs?)(?:\.exe)?(?=[ \t])"
_START = re.compile(
    r"(?:[^\n'\"`]{0,100}?(?:[$#%>❯➜✗λ»]|\+{1,9}(?=[ ]))[ \t]*)?"
    r"(?=(?:sudo|time|env|exec|if|while|export|local|declare|echo|printf|cat|read|for)\b"
    rf"|[A-Za-z_]\w{{0,99}}=|{_TOOL})"
)
COMMAND_HINT = re.compile(
    r"(?:^|(?<=[\s|;&(`/\\$%#>]))(?:curl|wget|https?|xhs?)(?:\.exe)?(?=[ \t]+\S)"
    r"|^(?:[^\n'\"`=]{0,60}?[$#%>+❯] ?)?(?:export |local |declare )?[A-Za-z_]\w{0,60}=(?=[^\s=])"
    r"|^[^\n'\"`]{0,60}\b(?:cat|echo|printf)\b[^\n]{0,9999}?>",
    flags=re.MULTILINE,
)
_READERS: dict[
    str, tuple[str, Callable[[Command, Shell, ReadFile | None], list[PastedRequest]]]
] = {
    "curl": ("a curl command", read_curl),
    "wget": ("a wget command", read_wget),
    "http": ("an HTTPie command", read_httpie),
    "https": ("an HTTPie command", read_httpie),
    "xh": ("an xh command", read_httpie),
    "xhs": ("an xh command", read_httpie),
}
# Characters read in vain beyond twice the text: prose with curl and an apostrophe costs some.
IN_VAIN = 1_000_000
_BEFORE_A_TOOL = frozenset({"sudo", "time", "exec", "env", "if", "then", "do", "!", "{", "+"})


class CommandReader:
    """Reads the command lines of one text, in order: what one sets, the next one knows."""

    def __init__(self, text: str, read_file: ReadFile | None) -> None:
        self._text = text
        self._read_file = read_file
        self._shell = Shell(text)
        self._failed = 0  # characters that were read in vain; see read()

    def read(self, found: re.Match[str]) -> Claim | None:
        """The requests of the line that holds `found`; None where it's no command.

        Raises UnreadableText for a command that is meant as one and can't be read.
        """
        text = self._text
        begin = text.rfind("\n", 0, found.start()) + 1
        prompt = _START.match(text, begin)
        start = prompt.end() if prompt and prompt.end() <= found.end() else found.start()
        if self._failed > IN_VAIN + 2 * len(text):
            return None  # each line opens a quote that has no end, and is read to the end for it
        try:
            commands, end = self._commands(begin, start)
        except UnreadableText as problem:
            reached = len(text) if isinstance(problem, NotClosed) else self._shell.reached
            self._failed += reached - start
            if _is_meant(text[start : start + 400]):
                raise
            return None
        requests: list[PastedRequest] = []
        form = ""
        for command in commands:
            tool = _tool_in(command)
            if not tool:
                continue
            named, read = _READERS[tool]
            try:
                requests += read(command, self._shell, self._read_file)
            except UnreadableText:
                if _is_meant(text[start : min(end, start + 4_000)]):
                    raise
                continue
            form = form or named
        sets = found[0].endswith(("=", ">"))
        if not (requests or sets) or (not prompt and not _names_url(text[start:end])):
            return None
        if not prompt:  # the words that follow are prose
            requests = [
                replace(one, notes=tuple(note for note in one.notes if STRAY not in note))
                for one in requests
            ]
        return Claim(begin if prompt else start, end, form=form, requests=tuple(requests))

    def _commands(self, begin: int, start: int) -> tuple[list[Command], int]:
        prompt = self._text[begin:start]
        if is_cmd(prompt, self._text, start):
            return cmd_line(self._text, start)
        if is_powershell(prompt, self._text, start):
            return powershell_line(self._text, start)
        return self._shell.line(start)


def _names_url(line: str) -> bool:
    """Whether a line that begins in the middle of another is more than a word of its prose."""
    return "://" in line or "/apps/" in line


def _is_meant(line: str) -> bool:
    """Whether a line is a command, and not prose that names one."""
    return bool(
        re.match(r"\S*\s[^\n]*?(?:://|\s-[A-Za-z-])", line)
        or re.fullmatch(r"\s*\S+\s*(?:-\S*\s*)*", line)
    )


def _tool_in(command: Command) -> str:
    """The tool that a command calls, and the command cut down to it; "" if it calls none."""
    for at, word in enumerate(command.words[:12]):
        name = re.split(r"[/\\]", word.text[-200:])[-1].removesuffix(".exe").lstrip("+$%#>")
        if name not in _READERS:
            continue
        before = {word.text for word in command.words[:at]}
        if not name.startswith(("http", "xh")) or before <= _BEFORE_A_TOOL:
            command.words = command.words[at:]
            return name
    return ""
