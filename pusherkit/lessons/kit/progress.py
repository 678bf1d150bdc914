"""What a learner has done, in a small file beside the notebooks. It never gets in the way.

Where the file can't be written, progress lasts as long as the kernel. Where it can't be read, it
starts from nothing. Nothing is written before something is passed, predicted or kept.

Several kernels share the file (each notebook has its own). Each write reads it again first and
adds to what is there; and what this kernel did stays in memory, so if two write at the very same
moment, the loser's next write puts its own back.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = ".pusherkit-progress.json"  # in the notebooks' folder, which is a kernel's current one


@dataclass(slots=True)
class Record:
    """Everything that is remembered. Names are "module.function"."""

    passed: set[str] = field(default_factory=set)
    """Exercises."""
    predictions: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Prediction → what was chosen last, and whether it was right."""
    kept: dict[str, str] = field(default_factory=dict)
    """Function in my_pusher.py → the SHA-256 of its source as it was written there."""

    def add(self, other: Record) -> None:
        """Take over what another record has; where both know something, the other's counts."""
        self.passed |= other.passed
        self.predictions |= other.predictions
        self.kept |= other.kept

    @property
    def surprises(self) -> list[str]:
        """The predictions that went wrong the last time they were made."""
        return [name for name, (_, right) in self.predictions.items() if not right]


class Progress:
    """A Record, kept in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._here = Record()  # what this kernel did, whatever becomes of the file

    def read(self) -> Record:
        """What was done so far, by this kernel, by earlier ones, and by those beside it."""
        record = _parse(_load(self.file))
        record.add(self._here)
        return record

    def passed(self, name: str) -> None:
        """Remember that an exercise was passed."""
        self._here.passed.add(name)
        self._write()

    def predicted(self, name: str, chosen: str, right: bool) -> None:
        """Remember a prediction."""
        self._here.predictions[name] = (chosen, right)
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

    def _write(self) -> None:
        """Replace the file in one step, so that a crash leaves the old one or the new one."""
        record = self.read()
        content = {
            "passed": sorted(record.passed),
            "predictions": {
                name: {"chosen": chosen, "right": right}
                for name, (chosen, right) in sorted(record.predictions.items())
            },
            "kept": dict(sorted(record.kept.items())),
        }
        with contextlib.suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=self.file.name)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=2)
                os.replace(temporary, self.file)
            except OSError:
                os.unlink(temporary)


def _load(file: Path) -> dict[str, Any]:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _parse(stored: dict[str, Any]) -> Record:
    """A Record of what a file holds; what is damaged is left out."""
    record = Record()
    passed, predictions, kept = (stored.get(name) for name in ("passed", "predictions", "kept"))
    if isinstance(passed, list):
        record.passed = {name for name in passed if isinstance(name, str)}
    if isinstance(predictions, dict):
        for name, made in predictions.items():
            if isinstance(made, dict) and isinstance(made.get("chosen"), str):
                record.predictions[name] = (made["chosen"], made.get("right") is True)
    if isinstance(kept, dict):
        record.kept = {name: value for name, value in kept.items() if isinstance(value, str)}
    return record


PROGRESS = Progress(Path(FILE))
