"""Words of a command as Windows reads them: cmd.exe, and PowerShell calling a program. Pure."""

from __future__ import annotations

import re

from pusherkit.doctor.forms.shell import Command, NotClosed, Word

_CMD_PROMPT = re.compile(r"[A-Za-z]:\\[^\n>]{0,200}>\s*$")
_POWERSHELL_PROMPT = re.compile(r"\bPS [^\n>]{0,200}>\s*$")
SINGLE_QUOTES = (
    "cmd.exe doesn't know single quotes: it splits what's inside them at spaces, ends the command "
    "at an &, and passes them on as part of the data. Put the URL and the data"
    ' in double quotes, with \\" for each one inside.'
)
LOST_QUOTES = (
    "PowerShell before 7.3 takes the double quotes out of what it passes to a program, so curl.exe "
    'sent the body without them. Write \\" for each, or read the body from a file.'
)


def is_cmd(prompt: str, text: str, start: int) -> bool:
    """Whether a command is meant for cmd.exe.

    By its prompt, by a ^ before a quote or at a line's end, or by JSON whose quotes are doubled.
    """
    if _CMD_PROMPT.search(prompt) and not _POWERSHELL_PROMPT.search(prompt):
        return True
    end = text.find("\n", start)
    line = text[start : len(text) if end < 0 else end].rstrip()
    return line.endswith("^") or '^"' in line or '"{""' in line


def is_powershell(prompt: str, text: str, start: int) -> bool:
    """Whether a command is meant for PowerShell: by its prompt, or by a ` at the end of a line."""
    if _POWERSHELL_PROMPT.search(prompt):
        return True
    end = text.find("\n", start)
    return end >= 0 and bool(re.search(r"\s`\s*$", text[max(start, end - 20) : end]))


# --- cmd.exe --------------------------------------------------------------------------------------

_CMD_PIECE = re.compile(
    r"""\^\r?\n(?P<newline>\r?\n)?      # with an empty line after it, it's a newline
      | \^(?P<escaped>.)
      | (?P<quoted>"[^"\n]*+(?:"|(?=\n)|$))
      | (?P<over>\r?\n|[|&])
      | (?P<plain>[^"^|&\r\n]++|\r)
    """,
    flags=re.DOTALL | re.VERBOSE,
)
_ARGUMENT = re.compile(
    r"""(?P<gap>[ \t\r\n]++)
      | (?P<backslashes>(?:\\\\)*+\\"|(?:\\\\)++(?="))
      | (?P<pair>"")
      | (?P<quote>")
      | (?P<plain>[^ \t\r\n"\\]++|\\++)
    """,
    flags=re.VERBOSE,
)


_IN_SINGLE_QUOTES = re.compile(r"'https?://[^'\s]*$")
_FEW = 60  # pieces; a URL's parameters are some ten


def cmd_line(text: str, start: int) -> tuple[list[Command], int]:
    """The command at `start`, and where the next line begins. Two readers share the work.

    cmd.exe takes the carets away, and ends the command at an & or | outside quotes; the program
    itself splits what's left into its arguments.
    """
    pieces: list[str] = []
    at = start
    while piece := _CMD_PIECE.match(text, at):
        at = piece.end()
        # Inside of single quotes it's meant as a part of the URL, and said to be none.
        if piece["over"] == "&" and _IN_SINGLE_QUOTES.search("".join(pieces[-_FEW:])):
            pieces.append("&")
            continue
        if piece["over"]:
            if piece["over"] in "|&":
                end = text.find("\n", at)
                at = len(text) if end < 0 else end + 1
            break
        kind = piece.lastgroup
        pieces.append(piece[kind] if kind else "")
    words = _arguments("".join(pieces))
    quoted = [word for word in words if word.startswith("'")]
    if any(re.match(r"'https?://", word) for word in quoted):  # it fails at once: read what's meant
        words = [re.sub(r"^'(https?://[^']*)'?$", r"\1", word) for word in words]
    command = Command([Word(word) for word in words])
    if quoted:
        command.notes.append(SINGLE_QUOTES)
    return [command], at


def _arguments(line: str) -> list[str]:
    """A command line as a program's arguments, by Microsoft's rules.

    Spaces split outside of quotes. `\"` is a quote, and before a quote two backslashes are one.
    """
    words: list[str] = []
    pieces: list[str] = []
    begun = inside = False
    for piece in _ARGUMENT.finditer(line):
        kind = piece.lastgroup
        if kind == "gap" and not inside:
            words.append("".join(pieces))
            pieces, begun = [], False
            continue
        begun = True
        if kind == "quote":
            inside = not inside
        elif kind == "backslashes":
            slashes = piece["backslashes"].removesuffix('"')
            pieces.append("\\" * (len(slashes) // 2) + '"' * (len(slashes) % 2))
        else:
            pieces.append(('"' if inside else "") if kind == "pair" else piece[0])
    if inside:
        raise NotClosed
    return [*words, "".join(pieces)] if begun else words


# --- PowerShell -----------------------------------------------------------------------------------

_POWERSHELL_PIECE = re.compile(
    r"""(?P<gap>[ \t\r]++(?!\n)|`[ \t]*+\r?\n)
      | (?P<over>[ \t\r]*+\n|[|;])
      | `(?P<escaped>.)
      | '(?P<single>(?:[^']++|'')*+)'
      | "(?P<double>(?:[^"`]++|`.|"")*+)"
      | (?P<plain>[^ \t\r\n|;'"`]++|\r)
    """,
    flags=re.DOTALL | re.VERBOSE,
)


def powershell_line(text: str, start: int) -> tuple[list[Command], int]:
    """The command at `start` that PowerShell passes to a program, and where the next begins."""
    command = Command()
    word: Word | None = None
    pieces: list[str] = []
    at = start
    while at < len(text):
        piece = _POWERSHELL_PIECE.match(text, at)
        if piece is None:
            raise NotClosed
        at = piece.end()
        kind = piece.lastgroup
        if kind in ("gap", "over"):
            if word is not None:
                word.text, pieces, word = "".join(pieces), [], None
            if kind == "over":
                break
            continue
        if word is None:
            word = Word("")
            command.words.append(word)
        pieces.append(_passed_on(piece, word, command))
    if word is not None:
        word.text = "".join(pieces)
    return [command], at


def _passed_on(piece: re.Match[str], word: Word, command: Command) -> str:
    """What a piece of a word is, to the program that PowerShell calls."""
    if piece["single"] is not None:
        content = piece["single"].replace("''", "'")
    elif piece["double"] is not None:
        variable = re.search(r"(?<!`)\$[A-Za-z_({][\w:]*", piece["double"])
        word.unknown = word.unknown or (variable[0] if variable else "")
        content = unescape_powershell(piece["double"])
    else:
        return piece["escaped"] or piece["plain"]
    if re.search(r'(?<!\\)"', content) and LOST_QUOTES not in command.notes:
        command.notes.append(LOST_QUOTES)
    return re.sub(r'(\\++)"', lambda found: found[1][: len(found[1]) // 2] + '"', content)


_BACKTICKS = dict(zip("0abefnrtv", "\0\a\b\x1b\f\n\r\t\v", strict=True))


def unescape_powershell(text: str) -> str:
    """The inside of a double-quoted string: `n, `" and the like, and doubled quotes."""
    text = re.sub(
        r"`(u\{([0-9A-Fa-f]{1,6})\}|.)|\"\"",
        lambda found: (
            '"'
            if found[0] == '""'
            else chr(int(found[2], 16))
            if found[2] and int(found[2], 16) < 0x110000
            else _BACKTICKS.get(found[1], found[1])
        ),
        text,
        flags=re.DOTALL,
    )
    return re.sub(  # how Chrome writes letters beyond ASCII
        r"\$\(\[char\](0x[0-9A-Fa-f]{1,5}|\d{1,6})\)",
        lambda found: chr(int(found[1], 0) % 0x110000),
        text,
    )
