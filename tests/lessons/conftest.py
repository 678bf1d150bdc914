"""What the lessons' tests share. None touches the progress of the person who runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pusherkit.lessons.kit import guard
from pusherkit.lessons.kit.lesson import LESSONS
from pusherkit.lessons.kit.progress import FILE, PROGRESS


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where progress is kept while a test runs."""
    monkeypatch.chdir(tmp_path)  # my_pusher.py goes into the current folder
    monkeypatch.setattr(PROGRESS, "file", tmp_path / FILE)
    PROGRESS.reset()
    return tmp_path / FILE


@pytest.fixture(autouse=True)
def first_check() -> None:
    """Each test sees an exercise checked for the first time, whatever ran before it.

    What an exercise asks about is another instance at each check, chosen by their number.
    """
    for lesson in LESSONS.values():
        for exercise in lesson.exercises.values():
            exercise._checks = 0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has longer than a learner's: under coverage, on a busy machine, it takes longer."""
    monkeypatch.setattr(guard, "TIME_LIMIT_SECONDS", 60.0)
