"""Read a line of shell as bash reads it, without running anything: words, pipes, heredocs. Pure.

What takes no program to know is known: quoting, variables that the same text sets, heredocs,
`echo`, `printf` and `cat`. Anything else that a shell would put in, such as `$(date +%s)`, is
unknown, and says so in its word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from pusherkit.doctor.forms.parts import MAX_TEXT, as_byte, too_long
from pusherkit.errors import UnreadableText

MAX_WORDS = 10_000  # of a command
MAX_DEPTH = 20  # of $(…) inside $(…)


@dataclass(slots=True)
class Word:
    """One word of a command, its quotes gone."""

    text: str
    unknown: str = ""
    """The first thing in it that only the shell knows, such as "$(date +%s)"; "" if it's whole."""
    split_at_ampersand: bool = False
    """An `&` inside it isn't quoted, so a shell would end the command there."""


@dataclass(slots=True)
class Command:
    """A simple command: its words, and what it reads from its standard input."""

    words: list[Word] = field(default_factory=list)
    stdin: Word | None = None
    """None where nothing is said of it."""
    writes_to: str = ""
    notes: list[str] = field(default_factory=list)


# Each piece of a line. The repeats are possessive (`++`), so none of them backtracks.
_PIECE = re.compile(
    r"""(?P<gap>[ \t\r]++(?!\n))
      | (?P<continued>(?:\\[ \t]*+\r?\n)++)       # a line goes on
      | (?P<newline>[ \t\r]*+\n)
      | \\(?P<escaped>.)
      | \$'(?P<ansi>(?:[^'\\]++|\\.)*+)'
      | '(?P<single>[^']*+)'
      | (?P<double>\$?")
      | (?P<substitution>\$\(\(|\$\()
      | (?P<variable>\$\{[^}\n]{0,200}\}|\$[A-Za-z_][A-Za-z0-9_]*+|\$[0-9@*#?!$-])
      | (?P<backtick>`[^`]*+`)
      | (?P<redirect><<<|<<-?|(?:(?<=[ \t])[0-9]|&)?>>?(?:&[0-9-]|\|)?|<(?!\())
      | (?P<operator>\|\||&&|\|&?|;;?|&)
      | (?P<bracket>[()])
      | (?P<comment>\#[^\n]*+)
      | (?P<plain>(?:[^ \t\r\n'"\\$`<>|&;()\#]++|(?<=[^ \t\r\n;|&(])\#
            |\$(?!['"(A-Za-z_{0-9@*\#?!$-])|\r(?!\n))++|\$)
    """,
    flags=re.DOTALL | re.VERBOSE,
)
_IN_DOUBLE = re.compile(
    r"""(?P<end>")
      | \\(?:(?P<escaped>[$`"\\])|\r?\n)
      | (?P<substitution>\$\(\(|\$\()
      | (?P<variable>\$\{[^}\n]{0,200}\}|\$[A-Za-z_][A-Za-z0-9_]*+|\$[0-9@*#?!$-])
      | (?P<backtick>`[^`]*+`)
      | (?P<plain>(?:[^"\\$`]++|\\(?![$`"\\\r\n])|\$(?![(A-Za-z_{0-9@*\#?!$-]))++|\\\r(?!\n))
    """,
    flags=re.DOTALL | re.VERBOSE,
)
_IN_HEREDOC = re.compile(
    r"\\(?P<escaped>[$`\\]|\r?\n)|\$\(|`"
    r"|(?P<variable>\$\{[^}\n]{0,200}\}|\$[A-Za-z_][A-Za-z0-9_]*+)"
)
_EXPANDED = ("substitution", "variable", "backtick")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=", flags=re.DOTALL)
_DECLARES = frozenset({"export", "local", "declare", "readonly", "typeset", "set", "env"})
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_OPTION_LINE = re.compile(r"[ \t]*--?[A-Za-z][\w-]{0,40}[ =]+['\"@A-Za-z{]")
NO_BACKSLASH = (
    "A line begins with an option, but no backslash ends the line before it, so a shell would have "
    "ended the command there. It's read here as one command."
)
SPACE_AFTER_BACKSLASH = (
    "A space follows the backslash at the end of a line, so a shell would have ended the command "
    "there. It's read here as if the space weren't there."
)


class NotClosed(UnreadableText):
    """A quote, or a `$(`, has no end."""

    def __init__(self) -> None:
        super().__init__("A quote in the command is not closed. Copy it whole, to its last line.")


@dataclass(slots=True)
class _Heredoc:
    """A heredoc that begins after the line in which it is announced."""

    command: Command
    delimiter: str
    quoted: bool
    stripped: bool


class Shell:
    """Reads the lines of one text, and keeps what they set: variables, and files written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.variables: dict[str, Word] = {}
        self.files: dict[str, Word] = {}
        self.reached = 0  # how far the last line was read, also if it couldn't be
        self._expanded = 0

    def line(self, start: int) -> tuple[list[Command], int]:
        """The commands of the line that begins at `start`, and where the next one begins.

        A line ends at the first newline that is neither quoted nor escaped; heredocs belong to
        it. Commands inside `$(…)` come before the one that they are in. Raises UnreadableText.
        """
        line = _Line(self, start, depth=0)
        line.read()
        return line.found, line.at

    def value_of(self, source: str) -> Word | None:
        """What a variable holds, $NAME or ${NAME}; None if the text doesn't set it."""
        name = _VARIABLE.fullmatch(source)
        return self.variables.get(name[1]) if name else None

    def expanded(self, size: int) -> None:
        """Count what was put in for variables, so that a short text can't grow without end."""
        self._expanded += size
        if self._expanded > MAX_TEXT:
            raise too_long()

    # --- what commands do -----------------------------------------------------------------

    def finish(self, command: Command) -> None:
        """Keep what a command sets or writes, once all that it reads is known."""
        words = command.words
        named = words[1:] if words and words[0].text in _DECLARES else words
        for word in named:
            if assigned := _ASSIGNMENT.match(word.text):
                self.variables[assigned[1]] = Word(word.text[assigned.end() :], word.unknown)
            elif not word.text.startswith("-"):
                break
        if command.writes_to:
            self.files[command.writes_to] = self.prints(command)

    def prints(self, command: Command) -> Word:
        """What a command prints, where no program has to run for that."""
        names = [word.text for word in command.words]
        unknown = next((word.unknown for word in command.words if word.unknown), "")
        match names:
            case ["echo", *said]:
                return Word(_echo(said), unknown)
            case ["printf", form, *values] if (printed := _printf(form, values)) is not None:
                return Word(printed, unknown)
            case ["cat"] | ["cat", "-"] if command.stdin is not None:
                return command.stdin
            case ["cat", name] if name in self.files:
                return self.files[name]
        return Word("", f"`{' '.join(names)[:60]}`")


class _Line:
    """One line, or the inside of one `$(…)`, while it is read."""

    def __init__(self, shell: Shell, at: int, *, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UnreadableText(f"The command nests $(…) over {MAX_DEPTH} deep.")
        self.shell, self.text, self.at, self.depth = shell, shell.text, at, depth
        self.found: list[Command] = []
        self._command = Command()
        self._word: Word | None = None  # the word that is being read, and its pieces
        self._pieces: list[str] = []
        self._quoted = False
        self._target = ""  # what a redirection does with the next word
        self._heredocs: list[_Heredoc] = []
        self._piped: list[tuple[Command, Command]] = []  # what a heredoc feeds through a pipe
        self._over = False

    def read(self) -> None:
        """Read to the end of the line, or to the `)` that closes a `$(`."""
        while not self._over and self.at < len(self.text):
            piece = _PIECE.match(self.text, self.at)
            if piece is None:
                raise NotClosed
            self.at = self.shell.reached = piece.end()
            kind = piece.lastgroup or ""
            acts = self._ACTS.get(kind)
            if acts:
                acts(self, piece[0])
            else:
                self._add(kind, piece)
        if self.depth and not self._over:
            raise NotClosed
        self._end_line("")

    # --- between words ---

    def _end_line(self, sign: str) -> None:
        if not self.depth and self._command.words and _OPTION_LINE.match(self.text, self.at):
            self._end_word()
            self._command.notes.append(NO_BACKSLASH)
            return
        self._end_command(";")
        self._read_heredocs()
        self._over = self._over or not self.depth

    def _end_word(self, sign: str = "") -> None:
        word, self._word = self._word, None
        if word is None:
            return
        word.text, self._pieces = "".join(self._pieces), []
        quoted, self._quoted = self._quoted, False
        target, self._target = self._target, ""
        if target == "<<<":
            self._command.stdin = Word(word.text + "\n", word.unknown)
        elif target.startswith("<<"):
            stripped = target.endswith("-")
            self._heredocs.append(_Heredoc(self._command, word.text, quoted, stripped))
        elif target == "<":
            known = self.shell.files.get(word.text)
            self._command.stdin = known or Word("", f"the file {word.text!r}")
        elif target == ">":
            self._command.writes_to = word.text
        elif not target:
            self._command.words.append(word)
            if len(self._command.words) > MAX_WORDS:
                raise UnreadableText(
                    f"The command has over {MAX_WORDS:,} words. Paste one request alone."
                )

    def _end_command(self, sign: str) -> None:
        self._end_word()
        done = self._command
        if not done.words and done.stdin is None:
            return
        self._command = Command()
        self.found.append(done)
        waits = any(heredoc.command is done for heredoc in self._heredocs)
        if sign in ("|", "|&"):
            self._command.stdin = self.shell.prints(done)
            if waits:
                self._piped.append((done, self._command))
        elif not waits:
            self.shell.finish(done)

    def _continue(self, sign: str) -> None:
        if re.search(r"\\[ \t]", sign):
            self._command.notes.append(SPACE_AFTER_BACKSLASH)

    def _comment(self, sign: str) -> None:
        """Nothing of it counts."""

    def _redirect(self, sign: str) -> None:
        self._end_word()
        if re.search(r"&[0-9-]$", sign):
            return  # 2>&1 has no word
        sign = sign.rstrip("|")
        self._target = ">" if sign in (">", ">>", "1>", "1>>") else sign

    def _operator(self, sign: str) -> None:
        if sign == "&" and self._word and self._goes_on(self._word):
            self._word.split_at_ampersand = True
            self._pieces.append("&")
        else:
            self._end_command(sign)

    def _goes_on(self, word: Word) -> bool:
        """Whether an `&` is in the middle of a URL that somebody forgot to quote."""
        if self.text[self.at : self.at + 1] in " \t\r\n&;|)":  # or the text ends
            return False
        return word.split_at_ampersand or any("=" in piece for piece in self._pieces)

    def _bracket(self, sign: str) -> None:
        self._end_command(";")
        self._over = sign == ")" and self.depth > 0

    _ACTS: ClassVar[dict[str, Callable[[_Line, str], None]]] = {
        "gap": _end_word,
        "continued": _continue,
        "newline": _end_line,
        "redirect": _redirect,
        "operator": _operator,
        "bracket": _bracket,
        "comment": _comment,
    }

    # --- words ---

    def _add(self, kind: str, piece: re.Match[str]) -> None:
        """Add a quoted or plain piece to the word."""
        word = self._word = self._word or Word("")
        self._quoted = self._quoted or kind in ("single", "double", "ansi", "escaped")
        if kind == "ansi":
            self._pieces.append(unescape_ansi(piece["ansi"]))
        elif kind == "double":
            self._pieces += self._double(word)
        elif kind in _EXPANDED:
            self._pieces.append(self._expand(kind, piece[0], word))
        else:
            self._pieces.append(piece[kind])

    def _double(self, word: Word) -> list[str]:
        pieces: list[str] = []
        while piece := _IN_DOUBLE.match(self.text, self.at):
            self.at = piece.end()
            kind = piece.lastgroup
            if kind == "end":
                return pieces
            if kind in _EXPANDED:
                pieces.append(self._expand(kind, piece[0], word))
            elif kind is not None:
                pieces.append(piece[kind])
        raise NotClosed

    def _expand(self, kind: str, source: str, word: Word) -> str:
        """What a variable or a substitution becomes; its source where only a shell knows."""
        if kind == "substitution":
            value, source = self._substitute(source)
        else:
            value = self.shell.value_of(source)
        if value is None or value.unknown:
            word.unknown = word.unknown or source
            return source
        self.shell.expanded(len(value.text))
        return value.text

    def _substitute(self, sign: str) -> tuple[Word | None, str]:
        """What a `$(…)` becomes, None if that's unknown, and its source."""
        inside = _Line(self.shell, self.at, depth=self.depth + 1)
        inside.read()
        if sign == "$((" and self.text.startswith(")", inside.at):
            inside.at += 1
        source = self.text[self.at - len(sign) : inside.at]
        self.at = inside.at
        self.found += inside.found
        if len(inside.found) != 1 or not inside.found[0].words:
            return None, source
        printed = self.shell.prints(inside.found[0])
        return Word(printed.text.rstrip("\n"), printed.unknown), source

    # --- heredocs ---

    def _read_heredocs(self) -> None:
        for heredoc in self._heredocs:
            lines: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end + 1
                line = self.text[self.at : end]
                self.at = end
                if heredoc.stripped:
                    line = line.lstrip("\t")
                if line.rstrip("\r\n") == heredoc.delimiter:
                    break
                lines.append(line)
            content = "".join(lines)
            heredoc.command.stdin = Word(content) if heredoc.quoted else self._unquoted(content)
            self.shell.finish(heredoc.command)
        for feeds, fed in self._piped:
            fed.stdin = self.shell.prints(feeds)
        self._heredocs, self._piped = [], []

    def _unquoted(self, content: str) -> Word:
        """A heredoc whose delimiter isn't quoted: the shell looks for variables in it."""
        word = Word("")
        pieces: list[str] = []
        end = 0
        for found in _IN_HEREDOC.finditer(content):
            pieces.append(content[end : found.start()])
            end = found.end()
            if found["escaped"]:
                pieces.append(found["escaped"].strip("\r\n"))
            elif found["variable"]:
                pieces.append(self._expand("variable", found["variable"], word))
            else:
                word.unknown = word.unknown or f"{found[0]}…"
                pieces.append(found[0])
        word.text = "".join([*pieces, content[end:]])
        return word


# --- echo, printf, and the escapes of $'…' ------------------------------------------------------

_ANSI = re.compile(
    r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|[0-7]{1,3}|.)", flags=re.DOTALL
)
_NAMED_ESCAPES = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))


def unescape_ansi(text: str) -> str:
    """The inside of $'…', as bash reads it."""
    return _ANSI.sub(_unescape, text)


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if code in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[code]
    if code[0] in "uU" and len(code) > 1 and int(code[1:], 16) < 0x110000:
        return chr(int(code[1:], 16))
    if code[0] == "x" and len(code) > 1:
        return as_byte(int(code[1:], 16))
    if code[0] in "01234567":
        return as_byte(int(code, 8) & 0xFF)
    return found[0]  # bash keeps the backslash of an escape that it doesn't know


def _echo(words: list[str]) -> str:
    newline, escapes = "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        newline = "" if "n" in words[0] else newline
        escapes = "e" in words[0] or escapes
        words = words[1:]
    said = " ".join(words)
    return (unescape_ansi(said) if escapes else said) + newline


_FORMAT = re.compile(r"%([s%])|(?P<escape>\\(?:x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.))", flags=re.DOTALL)


def _printf(form: str, values: list[str]) -> str | None:
    """What printf prints for `%s` and plain text; None for a format that does more."""
    if re.search(r"%[^s%]|%$", form.replace("%%", "")):
        return None
    given = iter(values)

    def put(found: re.Match[str]) -> str:
        if found["escape"]:
            return unescape_ansi(found["escape"])
        return "%" if found[1] == "%" else next(given, "")

    rounds = max(1, -(-len(values) // max(1, form.replace("%%", "").count("%s"))))
    if rounds * len(form) > MAX_TEXT:
        raise too_long()
    return "".join([_FORMAT.sub(put, form) for _ in range(rounds if values else 1)])
