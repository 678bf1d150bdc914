"""What is remembered, and the file that grows: kept, shown, reset; never in the way."""

from __future__ import annotations

import hashlib
import json
import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pusherkit.lessons import body_is_bytes
from pusherkit.lessons.kit import Event, Lesson, keeper
from pusherkit.lessons.kit.lesson import LESSONS, Course
from pusherkit.lessons.kit.progress import PROGRESS, Progress, Record
from pusherkit.lessons.kit.view import to_text

NAME = "body_is_bytes.body_md5"


# --- the store ------------------------------------------------------------------------------------


def test_what_is_passed_is_kept_for_the_next_kernel(progress_file: Path) -> None:
    body_is_bytes.body_md5.check(body_is_bytes.body_md5.solve)
    assert Progress(progress_file).read().passed == {NAME}


@pytest.mark.parametrize("answer", [..., None, 3])
def test_what_is_not_passed_leaves_no_file(progress_file: Path, answer: object) -> None:
    body_is_bytes.body_md5.check(answer)
    assert not progress_file.exists()


def test_two_kernels_add_to_one_file(progress_file: Path) -> None:
    one, other = Progress(progress_file), Progress(progress_file)
    one.passed("a.b")
    other.passed("a.c")
    one.predicted("a.p", "Yes", False)
    assert Progress(progress_file).read() == Record({"a.b", "a.c"}, {"a.p": ("Yes", False)})


def test_a_write_that_another_kernel_ran_over_comes_back(progress_file: Path) -> None:
    one, other = Progress(progress_file), Progress(progress_file)
    other.passed("a.c")
    theirs = progress_file.read_text(encoding="utf-8")
    one.passed("a.b")
    progress_file.write_text(theirs, encoding="utf-8")  # as if both wrote at the same moment
    assert one.read().passed == {"a.b", "a.c"}
    one.passed("a.d")
    assert Progress(progress_file).read().passed == {"a.b", "a.c", "a.d"}


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"passed": 3}', '{"passed": [1, null]}', '{"predictions": {"a": 1}}', "["],
)
def test_a_damaged_file_starts_from_nothing(progress_file: Path, damage: str) -> None:
    progress_file.write_text(damage * (100_000 if damage == "[" else 1), encoding="utf-8")
    assert PROGRESS.read() == Record()
    PROGRESS.passed("a.b")
    assert Progress(progress_file).read().passed == {"a.b"}


def test_a_crash_while_writing_leaves_the_old_file(
    progress_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PROGRESS.passed("a.b")

    def crash(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    PROGRESS.passed("a.c")
    assert Progress(progress_file).read().passed == {"a.b"}
    assert [file.name for file in progress_file.parent.iterdir()] == [progress_file.name]


def test_a_folder_that_cannot_be_written_does_not_block_learning() -> None:
    progress = Progress(Path("/proc/nowhere/progress.json"))
    progress.passed("a.b")
    assert progress.read().passed == {"a.b"}
    progress.reset()
    assert progress.read() == Record()


# --- the lesson and the course --------------------------------------------------------------------


def test_a_lesson_counts_and_ends_with_a_word_of_praise() -> None:
    lesson = body_is_bytes.lesson
    exercises = list(lesson.exercises.values())
    for number, each in enumerate(exercises, start=1):
        assert not lesson.is_done()
        feedback = each.check(each.solve() if each.is_value else each.solve)
        assert lesson.done() == (number, len(exercises))
        # Prove it is the last, and once is enough.
        assert ("Well done" in to_text(feedback.view)) == each.covers_lesson
    again = each.check(each.solve)
    assert f"{number} of {number} in this lesson." in to_text(again.view)


def test_what_is_optional_is_not_counted() -> None:
    lesson = Lesson("99-later")
    try:
        lesson.exercise(given=lambda chance: [()], optional=True)(lambda: 1)
        assert lesson.done() == (0, 0)
    finally:
        del LESSONS["99-later"]


def test_proving_it_finishes_the_lesson() -> None:
    body_is_bytes.prove_it.check(body_is_bytes.prove_it.solve)
    done, all_of_them = body_is_bytes.lesson.done()
    assert done == all_of_them > 3


def test_the_course_lists_what_is_passed_and_what_surprised() -> None:
    before = to_text(Course().twin)
    body_is_bytes.body_md5.check(body_is_bytes.body_md5.solve)
    asked = body_is_bytes.printed()
    asked.choose("Yes, they belong together")
    asked.choose("No, they don't")  # the first choice is what counts
    course = Course()
    assert to_text(course.twin) == before, "the twin is nobody's progress"
    shown = to_text(course.now())
    assert "01\xa0Body\xa0is\xa0bytes" in shown
    assert "●○○○○○ 1 of 6" in shown
    assert "●○○○○○ 1 of 6" in course.stage.still, "and a saved notebook shows it"
    assert body_is_bytes.printed.question in shown


def test_a_surprise_is_asked_again_in_a_later_lesson_until_it_is_none() -> None:
    later = Lesson("99-later")
    try:
        assert later.recall_card().asks == []
        body_is_bytes.printed().choose("Yes, they belong together")
        twin = to_text(later.recall_card().twin)
        card = later.recall_card()
        assert "Once more: " + body_is_bytes.printed.question in to_text(card.now())
        assert body_is_bytes.printed.question not in twin, "whose surprise it is, is theirs alone"
        assert body_is_bytes.lesson.recall_card().asks[-1].prediction is not body_is_bytes.printed
        card.hear(Event("press", "0:1"))
        assert later.recall_card().asks == []
    finally:
        del LESSONS["99-later"]


def test_starting_over_asks_first() -> None:
    body_is_bytes.body_md5.check(body_is_bytes.body_md5.solve)
    course = Course()
    assert [action.label for action in course.now().actions] == ["Start over"]
    course.hear(Event("press", "forget"))
    assert course.view.note == (
        "Forget all that you've passed and predicted? Your my_pusher.py goes, too."
    )
    assert len(course.view.facts) == len(course.now().facts), "the card keeps its place"
    assert PROGRESS.read().passed == {NAME}
    course.hear(Event("press", "really"))
    assert PROGRESS.read() == Record()
    assert not keeper.FILE.exists()


# --- my_pusher.py ---------------------------------------------------------------------------------


def written(source: str, **names: Any) -> Callable[..., Any]:
    """A function as a learner writes it in a cell, so that its source can be found."""
    file = f"<cell {hashlib.sha256(source.encode()).hexdigest()[:8]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"__name__": "__main__", "hashlib": hashlib, **names}
    exec(compile(source, file, "exec"), scope)
    return next(v for k, v in reversed(scope.items()) if getattr(v, "__module__", "") == "__main__")


ONE = "def body_md5(body):\n    return hashlib.md5(body).hexdigest()\n"
OTHER = "def body_md5(body):\n    md5 = hashlib.md5(body)\n    return md5.hexdigest()\n"


def test_a_passed_function_goes_into_the_file_with_what_it_needs() -> None:
    # The notebook has a body, too, as every notebook has: an argument's name means nothing.
    shown = to_text(body_is_bytes.body_md5.check(written(ONE, body=b"{}", hexdigest=1)).view)
    assert "It's in my_pusher.py now" in shown
    source = keeper.FILE.read_text(encoding="utf-8")
    assert source == f"{keeper.BEGINNING}\nimport hashlib\n\n\n{ONE}"
    ran = subprocess.run(
        [sys.executable, "-c", "import my_pusher; print(my_pusher.body_md5(b''))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == hashlib.md5(b"").hexdigest()


def test_a_better_version_replaces_what_was_written() -> None:
    body_is_bytes.body_md5.check(written(ONE))
    body_is_bytes.body_md5.check(written(OTHER))
    source = keeper.FILE.read_text(encoding="utf-8")
    assert OTHER in source
    assert ONE not in source
    assert source.count("import hashlib") == 1


def test_what_was_edited_by_hand_is_left_alone_and_the_learner_is_told() -> None:
    body_is_bytes.body_md5.check(written(ONE))
    mine = keeper.FILE.read_text(encoding="utf-8").replace("    return", "    # mine\n    return")
    keeper.FILE.write_text(mine, encoding="utf-8")
    shown = to_text(body_is_bytes.body_md5.check(written(OTHER)).view)
    assert keeper.FILE.read_text(encoding="utf-8") == mine
    assert "you edited there, so I left it alone" in shown
    assert "md5 = hashlib.md5(body)" in shown
    keeper.reset()
    assert keeper.FILE.exists(), "an edited file is the learner's"


def test_an_edit_elsewhere_is_kept_and_the_file_grows() -> None:
    keeper.FILE.write_text("# my notes\nimport json\n", encoding="utf-8")
    body_is_bytes.body_md5.check(written(ONE))
    source = keeper.FILE.read_text(encoding="utf-8")
    assert source.startswith("# my notes\nimport hashlib\nimport json\n")
    assert source.endswith(ONE)


def test_a_broken_file_is_left_alone() -> None:
    keeper.FILE.write_text("def half(:\n", encoding="utf-8")
    shown = to_text(body_is_bytes.body_md5.check(written(ONE)).view)
    assert keeper.FILE.read_text(encoding="utf-8") == "def half(:\n"
    assert "isn't valid Python" in shown


def test_helpers_constants_and_imported_names_come_along() -> None:
    from urllib.parse import quote

    helper = written("def shout(text):\n    return text.upper() + MARK\n", MARK="!")
    kept = written("def loud(text):\n    return quote(shout(text))\n", shout=helper, quote=quote)
    keeper.keep(kept)
    scope: dict[str, Any] = {}
    exec(keeper.FILE.read_text(encoding="utf-8"), scope)
    assert scope["loud"]("a b") == quote("A B!")


def test_a_lambda_or_a_partial_passes_but_cannot_be_kept() -> None:
    shown = to_text(body_is_bytes.body_md5.check(lambda b: hashlib.md5(b).hexdigest()).view)
    assert "couldn't be read" in shown
    assert not keeper.FILE.exists()


def test_the_record_is_plain_json(progress_file: Path) -> None:
    body_is_bytes.body_md5.check(written(ONE))
    body_is_bytes.printed().choose("No, they don't")
    stored = json.loads(progress_file.read_text(encoding="utf-8"))
    assert stored["passed"] == [NAME]
    assert stored["predictions"] == {
        "body_is_bytes.printed": {"chosen": "No, they don't", "right": True}
    }
    assert list(stored["kept"]) == ["body_md5"]
