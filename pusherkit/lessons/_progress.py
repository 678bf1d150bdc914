"""Which exercises are passed: a small file beside the notebooks. It never stands in the way.

Where the file cannot be written, progress lives as long as the kernel. Where it cannot be read,
it begins anew.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pusherkit.lessons
from pusherkit.lessons._interactive import Fact, Interactive, View, button

if TYPE_CHECKING:
    from pusherkit.lessons._exercise import Exercise

FILE = ".pusherkit-progress.json"  # in the notebooks' folder, which is a kernel's current one


class Progress:
    """The names of the passed exercises, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._here: set[str] = set()  # what this kernel has seen, whatever becomes of the file

    def passed(self) -> frozenset[str]:
        """The names of the exercises passed so far, by this kernel or an earlier one."""
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))["passed"]
            names = {name for name in stored if isinstance(name, str)}
        except (OSError, ValueError, KeyError, TypeError):
            names = set()
        return frozenset(names | self._here)

    def record(self, name: str) -> None:
        """Remember that an exercise was passed."""
        self._here.add(name)
        self._write(sorted(self.passed()))

    def reset(self) -> None:
        """Forget everything."""
        self._here.clear()
        self._write([])

    def _write(self, names: list[str]) -> None:
        """Replace the file in one step, so that a crash leaves the old one or the new one."""
        with contextlib.suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump({"passed": names}, file, indent=2)
                os.replace(temporary, self._file)
            except OSError:
                os.unlink(temporary)


PROGRESS = Progress(Path(FILE))


def lessons() -> list[ModuleType]:
    """The lessons' modules, in the order of the notebooks."""
    modules = [
        importlib.import_module(f"pusherkit.lessons.{module.name}")
        for module in pkgutil.iter_modules(pusherkit.lessons.__path__)
        if not module.name.startswith("_") and not module.ispkg
    ]
    ported = [module for module in modules if hasattr(module, "NOTEBOOK")]
    return sorted(ported, key=lambda module: module.NOTEBOOK)


class ProgressView(Interactive):
    """What is passed, and a button to look again."""

    def __init__(self, only: ModuleType | None = None) -> None:
        self._lessons = lessons() if only is None else [only]
        twin = View("Your progress", self._facts(frozenset()), "Run this cell to see yours.")
        super().__init__([button("Look again", self.refresh)], self._current, twin=twin)

    def _current(self) -> View:
        done = PROGRESS.passed()
        marks = [mark for lesson in self._lessons for mark in _marks(lesson, done)]
        status = f"{sum(marks)} of {len(marks)} passed."
        return View("Your progress", self._facts(done), status, True if all(marks) else None)

    def _facts(self, done: frozenset[str]) -> tuple[Fact, ...]:
        return tuple(
            Fact(
                lesson.NOTEBOOK,
                "\n".join(
                    f"{'✓ passed' if mark else '– open  '}  {each.task}"
                    for mark, each in zip(_marks(lesson, done), _exercises(lesson), strict=True)
                ),
            )
            for lesson in self._lessons
        )


def _exercises(lesson: ModuleType) -> list[Exercise]:
    from pusherkit.lessons._exercise import Exercise

    return [each for each in vars(lesson).values() if isinstance(each, Exercise)]


def _marks(lesson: ModuleType, done: frozenset[str]) -> list[bool]:
    """Whether each exercise is passed. Whoever passes `prove_it` has done the lesson."""
    proved = hasattr(lesson, "prove_it") and lesson.prove_it.name in done
    return [proved or each.name in done for each in _exercises(lesson)]
