"""Progress: kept, shown, reset; never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pusherkit.lessons import body_is_bytes, start_here
from pusherkit.lessons._interactive import to_text
from pusherkit.lessons._progress import PROGRESS, Progress, ProgressView


def test_what_is_passed_is_kept_for_the_next_kernel(progress_file: Path) -> None:
    start_here.one_byte.check(start_here.one_byte.right)
    assert json.loads(progress_file.read_text(encoding="utf-8")) == {
        "passed": ["start_here.one_byte"]
    }
    assert Progress(progress_file).passed() == {"start_here.one_byte"}


@pytest.mark.parametrize("answer", [..., None, 3])
def test_what_is_not_passed_is_not_kept(progress_file: Path, answer: object) -> None:
    start_here.one_byte.check(answer)
    assert not progress_file.exists()


def test_it_grows_and_is_reset(progress_file: Path) -> None:
    PROGRESS.record("a.b")
    PROGRESS.record("a.c")
    assert PROGRESS.passed() == {"a.b", "a.c"}
    PROGRESS.reset()
    assert PROGRESS.passed() == frozenset()
    assert Progress(progress_file).passed() == frozenset()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"passed": 3}', '{"passed": [1, null]}'])
def test_a_damaged_file_begins_anew(progress_file: Path, damage: str) -> None:
    progress_file.write_text(damage, encoding="utf-8")
    assert PROGRESS.passed() == frozenset()
    PROGRESS.record("a.b")
    assert Progress(progress_file).passed() == {"a.b"}


def test_a_crash_while_writing_leaves_the_old_file(
    progress_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PROGRESS.record("a.b")

    def crash(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    PROGRESS.record("a.c")
    assert Progress(progress_file).passed() == {"a.b"}
    assert [file.name for file in progress_file.parent.iterdir()] == [progress_file.name]


def test_a_folder_that_cannot_be_written_does_not_block_learning() -> None:
    progress = Progress(Path("/proc/nowhere/progress.json"))
    progress.record("a.b")
    assert progress.passed() == {"a.b"}
    progress.reset()
    assert progress.passed() == frozenset()


def test_the_view_follows_and_counts() -> None:
    made = body_is_bytes.progress()
    assert "0 of 6 passed." in made.display.value
    body_is_bytes.digest.check(body_is_bytes.digest.right)
    made.refresh()
    assert "1 of 6 passed." in made.display.value
    assert "✓ passed  The hex MD5 of a body, for any bytes." in made.display.value


def test_whoever_proves_it_has_done_the_lesson() -> None:
    body_is_bytes.prove_it.check(body_is_bytes.prove_it.right)
    assert "✓ 6 of 6 passed." in body_is_bytes.progress().display.value


def test_lesson_00_shows_every_lesson() -> None:
    shown = to_text(start_here.progress().twin)
    assert start_here.NOTEBOOK in shown
    assert body_is_bytes.NOTEBOOK in shown


def test_the_twin_is_nobodys_progress() -> None:
    before = to_text(ProgressView().twin)
    body_is_bytes.digest.check(body_is_bytes.digest.right)
    assert to_text(ProgressView().twin) == before
