"""What the lessons' tests share. None touches the progress of the person who runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pusherkit.lessons.kit.progress import FILE, PROGRESS


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where progress is kept while a test runs."""
    monkeypatch.chdir(tmp_path)  # my_pusher.py goes into the current folder
    monkeypatch.setattr(PROGRESS, "file", tmp_path / FILE)
    PROGRESS.reset()
    return tmp_path / FILE
