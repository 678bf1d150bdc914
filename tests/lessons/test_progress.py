"""What is remembered, and the file that grows: kept, shown, reset; never in the way."""

from __future__ import annotations

import errno
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

from pusherkit.lessons import body_is_bytes, clock_and_replay
from pusherkit.lessons.kit import Event, Ledger, Lesson, keeper
from pusherkit.lessons.kit.lesson import LESSONS, Course
from pusherkit.lessons.kit.progress import MAX_BYTES, PROGRESS, Progress, Record, stored_in
from pusherkit.lessons.kit.view import to_text

NAME = "body_is_bytes.body_md5"


# --- the store ------------------------------------------------------------------------------------


def test_what_is_passed_is_kept_for_the_next_kernel(progress_file: Path) -> None:
    body_is_bytes.body_md5.check(body_is_bytes.body_md5.solve)
    assert Progress(progress_file).read().passed == {NAME}


def test_what_is_not_tried_leaves_no_file(progress_file: Path) -> None:
    body_is_bytes.body_md5.check(...)
    body_is_bytes.update.check(body_is_bytes.update._broken.answer)  # as the notebook shows it
    assert not progress_file.exists()


def test_what_is_tried_is_counted_by_the_name_of_its_mistake_until_it_passes(
    progress_file: Path,
) -> None:
    exercise = body_is_bytes.body_md5
    capitals = exercise.wrongs[2]
    for answer in (capitals.answer, capitals.answer, lambda body: 1 / 0, lambda body: "mine", None):
        exercise.check(answer)
    exercise.check(exercise.solve)
    exercise.check(exercise.solve)
    exercise.check(capitals.answer)  # after it's passed it's play
    record = Progress(progress_file).read()
    assert record.attempts == {NAME: 6}
    assert record.wrong == {
        NAME: {"the-digits-are-right-but-in-capitals-the": 2, "stopped": 1, "other": 2}
    }
    assert exercise.sentences()["the-digits-are-right-but-in-capitals-the"] == capitals.message
    assert "mine" not in progress_file.read_text(encoding="utf-8")


def test_a_forgotten_return_and_what_a_judge_says_have_names_without_the_learners_words(
    progress_file: Path,
) -> None:
    body_is_bytes.body_md5.check(lambda body: None)
    clock_and_replay.causes.check({"A": "my own words"})
    assert Progress(progress_file).read().wrong == {
        NAME: {"your-function-returned-none-here-did-you-forget": 1},
        "clock_and_replay.causes": {"i-dont-know-the-requests-are-a-b": 1},
    }
    assert "my own words" not in progress_file.read_text(encoding="utf-8")
    said = clock_and_replay.causes.sentences()["i-dont-know-the-requests-are-a-b"]
    assert said.startswith("I don't know …. The requests are A, B and C;")


def test_two_kernels_add_to_one_file(progress_file: Path) -> None:
    one, other = Progress(progress_file), Progress(progress_file)
    one.passed("a.b")
    other.passed("a.c")
    one.predicted("a.p", "Yes", False)
    one.failed("a.d", "other")
    other.failed("a.d", "other")
    record = Progress(progress_file).read()
    assert (record.passed, record.predictions) == ({"a.b", "a.c"}, {"a.p": ("Yes", False)})
    assert record.attempts == {"a.b": 1, "a.c": 1, "a.d": 2}
    assert record.wrong == {"a.d": {"other": 2}}


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
    [
        *("", "{", "[]", "[", '{"passed": 3}', '{"passed": [1, null]}'),
        '{"predictions": {"a": 1}}',
        '{"passed": [], "attempts": {"a": true, "b": -1, "c": "3", "d": 1e9, "e": 9999999}}',
        '{"passed": [], "surprised": {}, "wrong": [], "kept": {"a": 1}}',
    ],
)
def test_a_damaged_file_starts_from_nothing(progress_file: Path, damage: str) -> None:
    progress_file.write_text(damage * (100_000 if damage == "[" else 1), encoding="utf-8")
    assert PROGRESS.read() == Record()
    PROGRESS.passed("a.b")
    assert Progress(progress_file).read().passed == {"a.b"}


def test_a_file_without_end_is_read_to_its_limit_alone(progress_file: Path) -> None:
    progress_file.write_bytes(b" " * (10 * MAX_BYTES))
    assert PROGRESS.read() == Record()
    with pytest.raises(ValueError, match="over 1,000,000 bytes"):
        stored_in(b"[" * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="isn't JSON"):
        stored_in(b"[" * MAX_BYTES)


def test_a_file_from_before_attempts_were_counted_keeps_its_surprises(progress_file: Path) -> None:
    old = {"passed": ["a.b"], "predictions": {"a.p": {"chosen": "Yes", "right": False}}}
    progress_file.write_text(json.dumps(old), encoding="utf-8")
    record = PROGRESS.read()
    assert (record.passed, record.surprised, record.attempts) == ({"a.b"}, {"a.p"}, {})


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
    assert "01\xa0The\xa0body\xa0is\xa0bytes" in shown
    assert "●○○○○○ 1 of 6" in shown
    assert "●○○○○○ 1 of 6" in course.stage.still, "and a saved notebook shows it"
    assert body_is_bytes.printed.question in shown


def test_the_course_reads_the_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    course, read, reads = Course(), Progress.read, list[str]()
    monkeypatch.setattr(Progress, "read", lambda self: reads.append("again") or read(self))
    course.now()
    assert reads == ["again"]


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


def test_a_kernel_that_knows_one_lesson_asks_the_surprises_of_the_others(
    progress_file: Path,
) -> None:
    body_is_bytes.printed().choose("Yes, they belong together")
    code = "from pusherkit.lessons import parameters_in_order as it; print(it.recall().asks)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"Once more: {body_is_bytes.printed.question}" in ran.stdout


# --- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_of_somebody_who_predicted_nothing_writes_nothing(progress_file: Path) -> None:
    ledger = Ledger()
    assert "haven't predicted anything yet" in to_text(ledger.now())
    assert ledger.now().below == ()
    assert not progress_file.exists()


def test_the_ledger_of_somebody_who_foresaw_it_all() -> None:
    before = to_text(Ledger().twin)
    body_is_bytes.printed().choose("No, they don't")
    ledger = Ledger()
    assert "✓ Nothing has surprised you: you saw all of it coming." in to_text(ledger.now())
    assert to_text(ledger.twin) == before, "the twin is nobody's ledger"


def test_the_ledger_asks_each_surprise_again_with_its_lesson() -> None:
    body_is_bytes.printed().choose("Yes, they belong together")
    body_is_bytes.printed().choose("No, they don't")  # on another day: a surprise stays one
    clock_and_replay.fast_clock().choose("10 seconds")
    ledger = Ledger()
    shown = to_text(ledger.now())
    assert "2 of your 2 predictions surprised you. What would you say today?" in shown
    first, second = ledger.now().below
    assert first.title == body_is_bytes.printed.question
    assert first.note.startswith(
        "From lesson 01, The body is bytes. You've had it right since then."
    )
    assert second.note.startswith("From lesson 06, Clock and replay. Forgotten what it was about?")
    for question in (body_is_bytes.printed, clock_and_replay.fast_clock):
        assert question.why not in shown, "no answer before a choice"
    assert second.title in ledger.stage.still, "a saved notebook shows it"

    ledger.hear(Event("press", "1:0"))
    ledger.hear(Event("press", "9:0"))  # of another card
    assert "Today: 0 of 1 right." in ledger.view.status
    assert clock_and_replay.fast_clock.why in to_text(ledger.view)


def test_the_ledger_praises_who_knows_it_all_today() -> None:
    clock_and_replay.fast_clock().choose("10 seconds")
    ledger = Ledger()
    right = list(clock_and_replay.fast_clock.options).index("1,190 seconds")
    ledger.hear(Event("press", f"0:{right}"))
    assert ledger.view.status.endswith("Today you know all of it. Well done!")
    assert PROGRESS.read().surprises == []
    assert len(Ledger().now().below) == 1, "it is listed all the same"


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


@pytest.mark.parametrize(
    "theirs", ["class Courier:\n    pass\n", "LIMIT = 100\n", "@cached\ndef own():\n    pass\n"]
)
def test_a_file_with_something_of_the_learners_own_in_it_stays(theirs: str) -> None:
    body_is_bytes.body_md5.check(written(ONE))
    with keeper.FILE.open("a", encoding="utf-8") as file:
        file.write(f"\n\n{theirs}")
    assert keeper.warning() == " Your my_pusher.py stays: you edited it."
    keeper.reset()
    assert theirs in keeper.FILE.read_text(encoding="utf-8")


def test_what_runs_the_file_is_no_edit() -> None:
    body_is_bytes.body_md5.check(written(ONE))
    with keeper.FILE.open("a", encoding="utf-8") as file:
        file.write('\n\nif __name__ == "__main__":\n    print(body_md5(b""))\n')
    assert keeper.warning() == " Your my_pusher.py goes, too."


def test_a_full_disk_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    body_is_bytes.body_md5.check(written(ONE))
    before = keeper.FILE.read_text(encoding="utf-8")

    def full(file: Path, text: str, **_: Any) -> int:
        with file.open("w") as opened:
            opened.write(text[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        said = keeper.keep(written(OTHER))
    assert said.sentence == (
        "my_pusher.py can't be written (No space left on device). Put this into it yourself."
    )
    assert said.paste == OTHER.rstrip()
    assert keeper.FILE.read_text(encoding="utf-8") == before
    assert [each.name for each in Path().glob(".my_pusher*")] == []


UNDER_A_CLASS = "class Own:\n    def body_md5(body):\n        '''\nA hash.\n'''\n"


def test_why_it_cannot_be_kept_is_said_as_it_is() -> None:
    own = written(UNDER_A_CLASS)
    assert keeper.keep(own.body_md5).sentence == (  # type: ignore[attr-defined]
        "Its source couldn't be read, so it isn't in my_pusher.py."
    )
    keeper.FILE.mkdir()
    said = keeper.keep(written(ONE))
    assert said.sentence == "my_pusher.py can't be read (Is a directory), so I left it alone."
    assert said.paste == ONE.rstrip()


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
