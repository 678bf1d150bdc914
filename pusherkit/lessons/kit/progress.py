"""What a learner has done, in a small file beside the notebooks. It never gets in the way.

Where the file can't be written, progress lasts as long as the kernel. Where it can't be read, it
starts from nothing. Nothing is written before something is tried, predicted or kept. What a
learner wrote is never in it: of a wrong answer it has the name that the exercise gives it.

Several kernels share the file (each notebook has its own). Each write reads it again first and
adds to what is there; and what this kernel did stays in memory, so if two write at the very same
moment, the loser's next write puts its own back.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = ".pusherkit-progress.json"  # in the notebooks' folder, which is a kernel's current one
FORMAT = 2  # of the file; one without a number is from before attempts were counted
MAX_BYTES = 1_000_000  # of a file; one with everything passed and much tried has some 30,000
MAX_COUNT = 1_000_000  # attempts; more is damage


@dataclass(slots=True)
class Record:
    """Everything that is remembered. Names are "module.function"."""

    passed: set[str] = field(default_factory=set)
    """Exercises."""
    predictions: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Prediction → what was chosen last, and whether it was right."""
    surprised: set[str] = field(default_factory=set)
    """Predictions that went wrong at least once, whatever was chosen later."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Exercise → how often it was checked with an answer, up to the first one that passed."""
    wrong: dict[str, dict[str, int]] = field(default_factory=dict)
    """Exercise → the name of a wrong answer → how often it was given."""
    kept: dict[str, str] = field(default_factory=dict)
    """Function in my_pusher.py → the SHA-256 of its source as it was written there."""

    def add(self, other: Record) -> None:
        """Take over what another record has; where both know something, the other's counts."""
        self.passed |= other.passed
        self.predictions |= other.predictions
        self.surprised |= other.surprised
        self.attempts = _larger(self.attempts, other.attempts)
        for name, counts in other.wrong.items():
            self.wrong[name] = _larger(self.wrong.get(name, {}), counts)
        self.kept |= other.kept

    @property
    def surprises(self) -> list[str]:
        """The predictions that went wrong the last time they were made."""
        return [name for name, (_, right) in self.predictions.items() if not right]


def _larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Both counts, and the larger where both know one: what one saw of the other isn't added."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


class Progress:
    """A Record, kept in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.changed: Callable[[dict[str, Any]], None] | None = None
        """Called with what the file has now, whenever that changed. A class passes it on."""
        self._here = Record()  # what this kernel did, whatever becomes of the file

    def read(self) -> Record:
        """What was done so far, by this kernel, by earlier ones, and by those beside it."""
        record = Record()
        with contextlib.suppress(OSError, ValueError):
            record = record_of(stored_in(_beginning(self.file)))
        record.add(self._here)
        return record

    def passed(self, name: str) -> None:
        """Remember that an exercise was passed."""
        before = self.read()
        if name not in before.passed:
            self._here.attempts[name] = before.attempts.get(name, 0) + 1
        self._here.passed.add(name)
        self._write()

    def failed(self, name: str, mistake: str) -> None:
        """Remember an answer that wasn't right, by the name of what is wrong with it.

        What is tried once the exercise is passed is play, and isn't counted.
        """
        before = self.read()
        if name not in before.passed:
            self._here.attempts[name] = before.attempts.get(name, 0) + 1
            given = before.wrong.get(name, {}).get(mistake, 0) + 1
            self._here.wrong.setdefault(name, {})[mistake] = given
            self._write()

    def predicted(self, name: str, chosen: str, right: bool) -> None:
        """Remember a prediction."""
        self._here.predictions[name] = (chosen, right)
        if not right:
            self._here.surprised.add(name)
        self._write()

    def kept(self, name: str, digest: str) -> None:
        """Remember what was written into my_pusher.py."""
        self._here.kept[name] = digest
        self._write()

    def reset(self) -> None:
        """Forget everything."""
        self._here = Record()
        with contextlib.suppress(OSError):
            self.file.unlink()
        self._tell(stored_form(self._here))

    def _write(self) -> None:
        """Replace the file in one step, so that a crash leaves the old one or the new one."""
        content = stored_form(self.read())
        with contextlib.suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=self.file.name)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=2)
                os.replace(temporary, self.file)
            except OSError:
                os.unlink(temporary)
        self._tell(content)

    def _tell(self, content: dict[str, Any]) -> None:
        if self.changed is not None:
            self.changed(content)


def stored_form(record: Record) -> dict[str, Any]:
    """A Record as the file has it, ready for JSON."""
    return {
        "format": FORMAT,
        "passed": sorted(record.passed),
        "attempts": dict(sorted(record.attempts.items())),
        "wrong": {name: dict(sorted(counts.items())) for name, counts in record.wrong.items()},
        "predictions": {
            name: {"chosen": chosen, "right": right}
            for name, (chosen, right) in sorted(record.predictions.items())
        },
        "surprised": sorted(record.surprised),
        "kept": dict(sorted(record.kept.items())),
    }


# --- reading ------------------------------------------------------------------------------------


def _beginning(file: Path) -> bytes:
    """A file's bytes, and one more than the limit where it's longer: it may have no end."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def stored_in(data: bytes) -> dict[str, Any]:
    """What the bytes of a file hold. Raises ValueError, with a sentence, if that isn't progress."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"It has over {MAX_BYTES:,} bytes, and progress takes some 30,000.")
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("It isn't JSON. Perhaps only a part of it was copied.") from None
    if not (isinstance(stored, dict) and stored.keys() & {"passed", "predictions", "attempts"}):
        raise ValueError(f"It's JSON, but it isn't a learner's progress, as {FILE} has it.")
    return stored


def record_of(stored: Mapping[str, Any]) -> Record:
    """A Record of what a file holds; what is damaged is left out."""
    predictions = {
        name: (made["chosen"], made.get("right") is True)
        for name, made in _dict(stored.get("predictions")).items()
        if isinstance(made, dict) and isinstance(made.get("chosen"), str)
    }
    missed = {name for name, (_, right) in predictions.items() if not right}
    return Record(
        passed=_texts(stored.get("passed")),
        predictions=predictions,
        surprised=_texts(stored.get("surprised")) | missed,
        attempts=_counts(stored.get("attempts")),
        wrong={name: _counts(each) for name, each in _dict(stored.get("wrong")).items()},
        kept={k: v for k, v in _dict(stored.get("kept")).items() if isinstance(v, str)},
    )


def _texts(value: Any) -> set[str]:
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _counts(value: Any) -> dict[str, int]:
    return {
        name: number
        for name, number in _dict(value).items()
        if type(number) is int and 0 < number <= MAX_COUNT  # True is an int, too
    }


PROGRESS = Progress(Path(FILE))
