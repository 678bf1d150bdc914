"""`pusherkit progress`: one learner or a class, in numbers, and nobody's name unless given."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pusherkit import cli
from pusherkit._progress import DEPTH, MOST, find, in_words, own, read, report
from pusherkit.lab import COPY, RECORD
from pusherkit.lessons import body_is_bytes
from pusherkit.lessons.kit.exercise import Exercise
from pusherkit.lessons.kit.lesson import lessons
from pusherkit.lessons.kit.progress import FILE, FORMAT, MAX_BYTES, Progress

NAME = "body_is_bytes.body_md5"
PREDICTION = "body_is_bytes.printed"
CAPITALS = "the-digits-are-right-but-in-capitals-the"
SHA = "this-is-sha-256-64-digits-long-the"


def learner(folder: Path, *mistakes: str, passed: bool = True, surprised: bool = False) -> Path:
    """The file of somebody who made these mistakes with body_md5, and perhaps passed it."""
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(folder / FILE)
    for mistake in mistakes:
        progress.failed(NAME, mistake)
    if passed:
        progress.passed(NAME)
    progress.predicted(PREDICTION, "whatever", not surprised)
    return folder / FILE


def of_exercise(made: dict[str, Any]) -> dict[str, Any]:
    (found,) = (
        each for lesson in made["lessons"] for each in lesson["exercises"] if each["name"] == NAME
    )
    return found


# --- the report -----------------------------------------------------------------------------------


def test_a_class_in_numbers(tmp_path: Path) -> None:
    files = [
        learner(tmp_path / "a", CAPITALS, CAPITALS, SHA, surprised=True),
        learner(tmp_path / "b", CAPITALS, "stopped", passed=False),
        learner(tmp_path / "c"),
    ]
    made = report(files).as_json()
    assert (made["learners"], made["named"], made["problems"]) == (3, (), ())
    found = of_exercise(made)
    assert [found[each] for each in ("tried", "passed", "attempts")] == [3, 2, 4 + 2 + 1]
    assert [(w["name"], w["times"], w["learners"]) for w in found["wrong"]] == [
        (CAPITALS, 3, 2),
        ("stopped", 1, 1),
        (SHA, 1, 1),
    ]
    assert found["wrong"][0]["sentence"] == body_is_bytes.body_md5.wrongs[2].message
    lesson = next(each for each in made["lessons"] if each["lesson"] == "01-body-is-bytes")
    assert (lesson["begun"], lesson["finished"]) == (3, 0)
    assert lesson["predictions"] == (
        {
            "name": PREDICTION,
            "question": body_is_bytes.printed.question,
            "predicted": 3,
            "surprised": 1,
        },
    )
    json.dumps(made)


def test_a_class_in_words(tmp_path: Path) -> None:
    files = [learner(tmp_path / "a", CAPITALS, surprised=True), learner(tmp_path / "b", CAPITALS)]
    shown = in_words(report(files), 80)
    assert shown.startswith(
        "Progress of 2 learners\n\n01 The body is bytes: begun by 2, finished by 0"
    )
    assert "  body_md5: tried by 2, passed by 2, 4 attempts\n    2× The digits are right" in shown
    assert "  Surprised 1 of 2: Is the MD5 printed there" in shown
    assert "Not begun: 00 Start here, 02 Parameters in order" in shown


def test_one_learner_in_words(tmp_path: Path) -> None:
    shown = in_words(report([learner(tmp_path, CAPITALS, passed=False, surprised=True)]), 80)
    assert shown.startswith(
        "Progress of 1 learner\n\n01 The body is bytes: not finished yet, 0 of 6 exercises passed"
    )
    assert "  body_md5: not passed yet, 1 attempt\n" in shown
    assert "  Surprise: Is the MD5 printed there" in shown
    Progress(tmp_path / FILE).passed("body_is_bytes.prove_it")
    shown = in_words(report([tmp_path / FILE]), 80)
    assert "01 The body is bytes: finished" in shown
    assert "  prove_it: passed, 1 attempt\n" in shown


def test_an_untouched_file_has_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"passed": []}', encoding="utf-8")
    assert in_words(report([tmp_path / FILE]), 80) == "Progress of 1 learner: nothing yet."


@pytest.mark.parametrize("width", [1, 40, 63, 100, 500])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    every = [each.name for each in body_is_bytes.body_md5.mistakes()]
    file = learner(tmp_path, *every, surprised=True)
    shown = in_words(report([file], ["Somebody whose name is rather long"]), width)
    assert max(map(len, shown.splitlines())) <= max(40, min(width, 100))
    assert shown.count("×") == MOST


def test_names_only_where_they_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner(tmp_path / "amara", CAPITALS)
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / FILE).write_text("{", encoding="utf-8")
    for form in ([], ["--json"]):
        assert cli.main(["progress", str(tmp_path), *form]) == 1
        said = capsys.readouterr()
        assert not [name for name in ("amara", "bob") if name in said.out]
        assert f"bob/{FILE}: It isn't JSON." in said.err
    assert cli.main(["progress", str(tmp_path), "--name", "Ann", "--name", "Bob\x1b[31m"]) == 1
    assert "Ann: 1 of " in capsys.readouterr().out
    assert cli.main(["progress", str(tmp_path), "--name=Ann", "--name=Bob", "--json"]) == 1
    (ann,) = json.loads(capsys.readouterr().out)["named"]
    assert (ann["name"], ann["passed"], ann["attempts"], ann["surprises"]) == ("Ann", 1, 2, 0)


def test_a_name_too_few_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(learner(tmp_path / "a")), str(learner(tmp_path / "b"))]
    assert cli.main(["progress", *files, "--name", "Ann"]) == 1
    assert "Files: 2, names: 1. Give a --name for each file" in capsys.readouterr().err


# --- what can't be used ---------------------------------------------------------------------------

BROKEN = {
    "empty": (b"", "It isn't JSON."),
    "cut": (b'{"passed": [', "It isn't JSON."),
    "deep": (b"[" * 100_000, "It isn't JSON."),
    "no text": (b'\xff\xfe\x00{"passed"', "It isn't JSON."),
    "another": (b'{"lessons": []}', "It's JSON, but it isn't a learner's progress"),
    "a list": (b"[1]", "It's JSON, but it isn't a learner's progress"),
    "newer": (json.dumps({"format": FORMAT + 1, "passed": []}).encode(), "Another version"),
    "odd": (b'{"format": "new", "passed": []}', "Another version"),
    "endless": (b" " * (MAX_BYTES + 1), "It has over 1,000,000 bytes"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_a_sentence_and_the_rest_counts(tmp_path: Path, case: str) -> None:
    data, sentence = BROKEN[case]
    (tmp_path / "broken").write_bytes(data)
    made = report([learner(tmp_path / "a"), tmp_path / "broken", learner(tmp_path / "c")])
    assert made.learners == 2
    (problem,) = made.problems
    assert (problem.file, problem.left_out) == (2, True)
    assert problem.problem.startswith(sentence)


def test_what_another_version_had_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = {
        "passed": [NAME, "gone.exercise\x1b[31m"],
        "predictions": {"gone.prediction": {"chosen": "Yes", "right": True}},
        "wrong": {NAME: {"a-sentence-of-yore": 2, "other": 1}},
        "attempts": {NAME: 4},
    }
    (tmp_path / FILE).write_text(json.dumps(stored), encoding="utf-8")
    assert cli.main(["progress", str(tmp_path), "--json"]) == 0, "the rest of the file counts"
    said = capsys.readouterr()
    assert "2 exercises or predictions of another version of the lessons" in said.err
    found = of_exercise(json.loads(said.out))
    assert [(w["name"], w["times"]) for w in found["wrong"]] == [("other", 3)]
    assert "yore" not in said.out + said.err
    assert "gone." not in said.out + said.err
    del stored["predictions"]
    (tmp_path / FILE).write_text(json.dumps(stored), encoding="utf-8")
    (problem,) = report([tmp_path / FILE]).problems
    assert problem.problem.startswith("It has an exercise or a prediction of another version")


def test_a_file_that_may_not_be_read_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:  # root may read everything
        raise PermissionError(13, "Permission denied")

    file = learner(tmp_path)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Exception, match="It can't be read: Permission denied"):
        read(file)


def test_a_large_file_costs_no_more_than_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many names a file has, each exercise's sentences are looked up once."""
    calls = 0
    mistakes = Exercise.mistakes

    def counting(self: Exercise) -> Any:
        nonlocal calls
        calls += 1
        return mistakes(self)

    monkeypatch.setattr(Exercise, "mistakes", counting)
    exercises = sum(len(each.exercises) for each in lessons())
    for number in (10, 40_000):
        names = {f"name-{n}": 1 for n in range(number)}
        stored = {"passed": [*names], "wrong": {NAME: names}, "attempts": names}
        (tmp_path / FILE).write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
        calls = 0
        made = report([tmp_path / FILE])
        assert made.learners == (number == 10), "the larger is over the limit"
        assert calls <= exercises
    names = {f"name-{n}": 1 for n in range(60_000)}
    stored = {"passed": [], "wrong": {NAME: names}}
    (tmp_path / FILE).write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
    calls = 0
    assert report([tmp_path / FILE]).learners == 1, "just below it"
    assert calls <= exercises


# --- finding the files ----------------------------------------------------------------------------


def test_a_folder_means_the_file_in_it_or_those_below(tmp_path: Path) -> None:
    homes = [learner(tmp_path / who / "pusherkit-lessons") for who in ("ann", "bob")]
    learner(tmp_path / "x" / "y" / "z")  # deeper than DEPTH
    assert DEPTH == 2
    assert find([tmp_path]) == homes
    assert find([tmp_path / "ann"]) == homes[:1]
    assert find([tmp_path, homes[0]]) == homes, "each once"
    mine = learner(tmp_path)
    assert find([tmp_path]) == [mine]


def test_somebody_who_has_the_lessons_and_tried_nothing_yet_is_a_learner_too(
    tmp_path: Path,
) -> None:
    """In a class, they may have been busy with the wall and the calls, which no file has."""
    learner(tmp_path / "ann" / COPY)
    (tmp_path / "bob" / COPY).mkdir(parents=True)
    (tmp_path / "bob" / COPY / RECORD).write_text("{}")
    made = report(find([tmp_path]))
    assert (made.learners, made.problems) == (2, ())
    assert made.lessons[1].begun == 1


def test_a_folder_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    os.symlink(tmp_path, tmp_path / "again")
    assert find([tmp_path]) == [tmp_path / FILE]


def test_a_path_that_cannot_be_one_is_a_problem_like_others(tmp_path: Path) -> None:
    (problem,) = report(find([tmp_path / ("x" * 5000)])).problems
    assert problem.problem.startswith("It can't be read: ")


def test_a_link_that_leads_to_itself_is_a_problem_like_others(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (problem,) = report(find([loop])).problems
    assert problem.problem.startswith("It can't be read: ")


def test_a_folder_that_cannot_be_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert find([tmp_path]) == [tmp_path / FILE]


@pytest.mark.parametrize("place", [".", "notebooks", COPY])
def test_without_a_file_it_is_the_learners_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["progress"]) == 1
    assert "There's no progress here. It's in .pusherkit-progress.json" in capsys.readouterr().err
    learner(tmp_path / place)
    assert own(tmp_path) == tmp_path / place / FILE
    assert cli.main(["progress"]) == 0
    assert capsys.readouterr().out.startswith("Progress of 1 learner\n")
