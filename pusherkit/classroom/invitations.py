"""Who is in a class, and the link that each of them comes in by.

A link is a secret, like the key to a door: there are no accounts, so anybody who has a link is that
learner. The links are kept in one file that nobody else may read, so that a class that's started
again still has them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pusherkit.errors import PusherError

TRAINER = "trainer"  # the trainer's name in the hub
PROJECTOR = "_projector"  # who sees the wall and nothing else; no learner's name begins like that
MAX_LEARNERS = 1000  # what one wall is made for
MAX_NAME = 40  # characters; a longer one has no room on the wall
MAX_FILE = 100_000  # bytes of a file of names: a thousand names have room
NO_NAMES = "There are no names in the list. Write one on each line."
MAX_PROBLEMS = 5  # sentences about names; if there are more, these are a start
FILE = "class.json"
TOKEN_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105  # none that look alike on paper
TOKEN_LENGTH = 13  # 31 letters each: 64 bits; at 1,000 tries a second, a guess takes ages
ALSO_IN_NAMES = " .-_'’"


# --- names ------------------------------------------------------------------------------------


def numbered(learners: int) -> list[str]:
    """01, 02 and so on: names for a class whose people aren't known yet.

    Numbers get no wider in a larger class, so that a class that grows keeps the names it has.
    """
    if not 1 <= learners <= MAX_LEARNERS:
        raise PusherError(
            f"A class can have 1 to {MAX_LEARNERS:,} learners, and you asked for {learners:,}. For "
            "more, start several classes, each in a folder of its own."
        )
    return [f"{number:02d}" for number in range(1, learners + 1)]


def read_names(file: Path) -> list[str]:
    """The names in a text file, one per line. A PusherError has a sentence for each problem."""
    return checked(_lines(file))


def hub_names(file: Path) -> list[str]:
    """The names of a hub's users in a text file, one per line; which may be used, the hub decides.

    Raises PusherError for a file that isn't a list of names.
    """
    names = list(dict.fromkeys(filter(None, map(str.strip, _lines(file)))))
    if not names:
        raise PusherError(NO_NAMES)
    return names


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise PusherError(f"The names can't be read from {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PusherError(f"{file} isn't UTF-8 text. Save it as UTF-8, and start again.") from error
    if len(data) > MAX_FILE:
        raise PusherError(f"{file} is too long for a list of names. Expected one name per line.")
    return text.splitlines()


def checked(lines: Iterable[str]) -> list[str]:
    """The names of a class, tidied. Lines may be empty; problems are listed line by line."""
    names: dict[str, tuple[str, int]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        name = " ".join(unicodedata.normalize("NFC", line).split())
        if not name:
            continue
        problem = _objection(name)
        # On some disks, names that differ only in their capitals would share a folder.
        if not problem and (seen := names.get(name.casefold())):
            problem = (
                f"{name!r} is on line {seen[1]}, too. Give each a name of their own: add a letter."
            )
        if problem:
            problems.append(f"Line {number}: {problem}")
        else:
            names[name.casefold()] = (name, number)
    if problems:
        more = len(problems) - MAX_PROBLEMS
        raise PusherError(
            "\n".join(
                [
                    "These names can't be used:",
                    *problems[:MAX_PROBLEMS],
                    *([f"And {more} more."] if more > 0 else []),
                ]
            )
        )
    if not names:
        raise PusherError(NO_NAMES)
    if len(names) > MAX_LEARNERS:
        raise PusherError(
            f"There are {len(names):,} names, and a class has at most {MAX_LEARNERS:,}. For more, "
            "start several classes, each in a folder of its own."
        )
    return [name for name, _ in names.values()]


def _objection(name: str) -> str:
    if len(name) > MAX_NAME:
        return (
            f"{name[:MAX_NAME]!r}… has {len(name)} characters, and {MAX_NAME} is the most a name "
            "can have."
        )
    odd = next((c for c in name if not (_is_letter(c) or c in ALSO_IN_NAMES)), "")
    if odd:
        return (
            f"{name!r} has {odd!r} in it. A name can have letters and digits of any language, "
            "spaces, dots, hyphens, apostrophes and underscores."
        )
    if not _is_letter(name[0]) or unicodedata.combining(name[0]):
        return f"{name!r} begins with {name[0]!r}. A name begins with a letter or a digit."
    if name.casefold() == TRAINER:
        return f"{name!r} is what the trainer is called here. Choose another."
    return ""


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"  # a letter, a mark on one, a number


# --- the class --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class as its file has it.

    `tokens` has one for everybody who was ever in the class, so that somebody who comes back gets
    their old link; only those in `names`, the trainer and the projector may use theirs. `ports` are
    the ones that only this machine's own programs use.
    """

    title: str
    names: tuple[str, ...]
    tokens: Mapping[str, str] = field(repr=False)
    ports: Mapping[str, int] = field(default_factory=dict)

    def links(self, hub: str) -> list[tuple[str, str]]:
        """Everybody's name and link, the trainer's first. `hub` is the hub's address."""
        return [(name, self._link(hub, name)) for name in (TRAINER, *self.names)]

    def wall_link(self, hub: str) -> str:
        """The link for a machine that shows the wall to the room."""
        return self._link(hub, PROJECTOR)

    def _link(self, hub: str, name: str) -> str:
        return f"{hub}/invitation/{self.tokens[name]}"


def invite(before: Class | None, title: str, names: Sequence[str]) -> Class:
    """The class with these learners. Anybody who had a token before keeps it."""
    tokens = dict(before.tokens) if before else {}
    for name in (TRAINER, PROJECTOR, *names):
        tokens.setdefault(name, _new_token())
    ports = before.ports if before else {}
    return Class(title=title, names=tuple(names), tokens=tokens, ports=ports)


def _new_token() -> str:
    return "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))


class Invitations:
    """Who comes in by which token."""

    def __init__(self, of: Class) -> None:
        self.names = frozenset((TRAINER, PROJECTOR, *of.names))
        # By their hashes, so that the time a look-up takes gives nothing away about a token.
        self._names = {_hash(of.tokens[name]): name for name in self.names}

    def who(self, token: str) -> str | None:
        """The name that a token is for; None if it isn't an invitation to this class."""
        return self._names.get(_hash(token))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


# --- its file ---------------------------------------------------------------------------------


def load(folder: Path) -> Class | None:
    """The class in a folder; None if there's none yet. Raises PusherError for a broken file."""
    file = folder / FILE
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        made = Class(
            title=_text(kept["title"]),
            names=tuple(map(_text, kept["names"])),
            tokens={_text(name): _text(token) for name, token in kept["tokens"].items()},
            ports={_text(name): _port(port) for name, port in kept["ports"].items()},
        )
        if not {TRAINER, *made.names} <= made.tokens.keys():
            raise ValueError
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PusherError(f"{file} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PusherError(
            f"{file} has been damaged or changed, so I can't tell who has which link. Put a copy "
            "of it back, or move it away: then everybody gets a new link, and keeps their work."
        ) from error
    return made


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _port(value: object) -> int:
    if not isinstance(value, int) or not 0 < value < 65_536:
        raise ValueError
    return value


def save(folder: Path, kept: Class) -> None:
    """Keep the class in its folder. A file that was there is replaced whole, or not at all."""
    write_private(folder / FILE, json.dumps(asdict(kept), indent=2, ensure_ascii=False) + "\n")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read. Raises PusherError if that can't be done."""
    beside = file.with_name(f"{file.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(text.encode())
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(beside, file)
    except OSError as error:
        raise cannot_write(file.parent, error) from error


def cannot_write(folder: Path, error: OSError) -> PusherError:
    """What to say when something can't be written to a folder."""
    if error.errno == errno.ENOSPC:
        return PusherError(
            f"The disk is full, so nothing can be written to {folder}. Make room first."
        )
    return PusherError(
        f"Nothing can be written to {folder}: {error.strerror}. Choose a folder of your own with "
        "--dir."
    )
