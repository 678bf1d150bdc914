"""What a learner's lessons tell the wall: POST /apps/ID/class, read within limits. Pure.

Each body is a JSON object whose `kind` says what it is:

- hello: somebody opened a lesson.
- progress: `lesson`, and `record`, which is what the progress file holds. It's always the whole
  record, so that if one gets lost on the way, the next makes up for it.
- help: `exercise`, and `code`, the one cell that somebody wants help with; help-over takes it back.
- round: `seed`, and how many cases were `answered`, and how many of them `right`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

from pusherkit.clinic.sabotage import MAX_SEED
from pusherkit.sandbox.api import Refusal

MAX_CALL_BYTES = 64 * 1024  # of a body; ours. A record of the whole course has some 30,000
MAX_CODE = 8_000  # characters of one cell; ours. The longest solution has some 2,000
MAX_CASES = 1_000  # in a sabotage round; ours, and far more than any queue has
_EXERCISE = re.compile(r"[A-Za-z0-9_.]{1,100}")  # "module.function"
_KINDS = "hello, progress, help, help-over or round"


@dataclass(frozen=True, slots=True)
class Hello:
    """Somebody is there."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What somebody has done, as their progress file has it; none of it is checked yet."""

    lesson: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody wants help with an exercise, and this is their cell."""

    exercise: str
    code: str


@dataclass(frozen=True, slots=True)
class HelpOver:
    """They don't need it any more."""

    exercise: str


@dataclass(frozen=True, slots=True)
class RoundReport:
    """How far somebody is in a sabotage round."""

    seed: int
    answered: int
    right: int


Call = Hello | Progress | Help | HelpOver | RoundReport


def read_call(body: bytes) -> Call:
    """Read a body. Raises Refusal, a 400 or 413 with a sentence, if it isn't any of these."""
    if len(body) > MAX_CALL_BYTES:
        raise Refusal(
            413,
            f"The class call has {len(body):,} bytes, over the limit of {MAX_CALL_BYTES:,}.",
            fix="Send one record, or one cell, at a time.",
        )
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    kind = sent.get("kind") if isinstance(sent, dict) else None
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise _refused(f"expected a JSON object whose kind is {_KINDS}")
    return read(sent)


def _hello(sent: dict[str, Any]) -> Hello:
    return Hello()


def _progress(sent: dict[str, Any]) -> Progress:
    lesson, record = sent.get("lesson"), sent.get("record")
    if not isinstance(lesson, str) or not isinstance(record, dict):
        raise _refused("progress has lesson, the notebook's name, and record, an object")
    return Progress(lesson, record)


def _help(sent: dict[str, Any]) -> Help:
    code = sent.get("code")
    if not isinstance(code, str) or len(code) > MAX_CODE:
        raise _refused(f"help has code, the text of one cell, at most {MAX_CODE:,} characters")
    # Half a surrogate pair isn't text, and no database takes it.
    return Help(_exercise(sent), code.encode(errors="replace").decode())


def _help_over(sent: dict[str, Any]) -> HelpOver:
    return HelpOver(_exercise(sent))


def _exercise(sent: dict[str, Any]) -> str:
    name = sent.get("exercise")
    if not isinstance(name, str) or not _EXERCISE.fullmatch(name):
        raise _refused("exercise is a name such as body_is_bytes.body_md5")
    return name


def _round(sent: dict[str, Any]) -> RoundReport:
    seed, answered, right = (sent.get(name) for name in ("seed", "answered", "right"))
    if not (is_seed(seed) and type(answered) is int and type(right) is int):
        raise _refused("a round has seed, answered and right, three whole numbers")
    if not 0 <= right <= answered <= MAX_CASES:
        raise _refused(f"right is at most answered, and that is at most {MAX_CASES:,}")
    return RoundReport(seed, answered, right)


def is_seed(value: Any) -> TypeGuard[int]:
    """Whether a value can be a round's seed."""
    return type(value) is int and 0 <= value <= MAX_SEED  # True is an int, too


def _refused(what: str) -> Refusal:
    return Refusal(
        400,
        f"The class call: {what}.",
        fix="The lessons send these calls by themselves. If this one came from them, the class and "
        "the lessons have different versions of pusherkit: update the older one.",
        rule="class",
    )


_READERS: dict[str, Callable[[dict[str, Any]], Call]] = {
    "hello": _hello,
    "progress": _progress,
    "help": _help,
    "help-over": _help_over,
    "round": _round,
}
