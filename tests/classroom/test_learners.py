"""What each learner has done, who is stuck, who wants help, and the exports."""

from __future__ import annotations

import csv
import json
import re

import pytest

from pusherkit.classroom.calls import Progress
from pusherkit.classroom.learners import (
    MAX_HELP,
    MAX_LEARNERS,
    PRESENT_SECONDS,
    SEEN_STEP_SECONDS,
    STUCK_SECONDS,
    Learners,
)
from tests.classroom.conftest import COURSE, NOW, InProcess

MD5, SEND = "body_is_bytes.body_md5", "start_here.send"


def test_a_record_becomes_cells(klass):
    klass.progress(
        "ann",
        "01-body-is-bytes",
        passed=[SEND],
        attempts={SEND: 2, MD5: 3},
        wrong={MD5: {"raw-bytes": 2, "of-another-version": 1}},
        predictions={"start_here.who_reads_it": {"chosen": "a", "right": False}},
    )
    row = klass.learner("ann")
    assert row["cells"] == {SEND: ["passed", 2], MD5: ["tried", 3, NOW, "raw-bytes"]}
    assert (row["lesson"], row["surprises"], row["seen"]) == ("01-body-is-bytes", 1, NOW)
    assert (row["stuck"], row["help"], row["round"]) == (None, [], None)


@pytest.mark.parametrize(
    "record",
    [
        {"passed": "start_here.send"},
        {"passed": [["start_here.send"]], "attempts": []},
        {"attempts": {SEND: 0, MD5: True, "body_is_bytes.shortest": 10**9}},
        {"passed": ["my.own"], "attempts": {"<b>": 1}, "wrong": {"my.own": {"x": 1}}},
        {"wrong": 7, "surprised": ["my.own"], "predictions": {"my.own": {"right": False}}},
        {"predictions": {"start_here.who_reads_it": False}, "surprised": {}},
    ],
    ids=str,
)
def test_what_the_course_does_not_know_is_left_out(klass, record):
    klass.progress("ann", "my-own-lesson", **record)
    row = klass.learner("ann")
    assert (row["cells"], row["lesson"], row["surprises"]) == ({}, "", 0)


def test_the_mistake_is_the_one_made_last(klass):
    klass.progress("ann", attempts={MD5: 3}, wrong={MD5: {"raw-bytes": 3}})
    klass.now += 60
    klass.progress("ann", attempts={MD5: 4}, wrong={MD5: {"raw-bytes": 3, "other": 1}})
    assert klass.learner("ann")["cells"][MD5] == ["tried", 4, NOW, "other"]
    klass.progress("ann", attempts={MD5: 4}, wrong={MD5: {"raw-bytes": 3, "other": 1}})
    assert klass.learner("ann")["cells"][MD5] == ["tried", 4, NOW, "other"]
    klass.progress("ann", attempts={MD5: 4}, wrong={})
    assert klass.learner("ann")["cells"][MD5] == ["tried", 4, NOW, ""]
    klass.progress("ann")  # started from nothing again
    assert klass.learner("ann")["cells"] == {}


def test_records_add_up_if_lessons_know_nothing_of_each_other(klass):
    klass.board.learners.adds_up = True
    wrong = {"predictions": {"start_here.who_reads_it": {"chosen": "a", "right": False}}}
    klass.progress("ann", passed=[SEND], attempts={SEND: 2}, **wrong)
    klass.progress("ann", attempts={MD5: 3}, wrong={MD5: {"raw-bytes": 2}})
    klass.progress("ann", attempts={MD5: 1}, wrong={MD5: {"other": 1}})  # after a reload
    row = klass.learner("ann")
    assert row["cells"] == {SEND: ["passed", 2], MD5: ["tried", 3, NOW, "other"]}
    assert row["surprises"] == 1
    klass.board.learners.adds_up = False
    klass.progress("ann", attempts={MD5: 1})
    assert klass.learner("ann")["cells"].keys() == {MD5}


def test_stuck_is_ten_minutes_without_passing_anything(klass):
    learners = klass.board.learners
    klass.progress("ann", attempts={SEND: 1})
    klass.now += STUCK_SECONDS / 2
    klass.progress("ann", attempts={SEND: 1, MD5: 1})
    klass.now += STUCK_SECONDS / 2 - 1
    learners.look_for_stuck(klass.now)
    assert klass.learner("ann")["stuck"] is None
    _, version = learners.since(0, klass.now, 9)
    klass.now += 1
    learners.look_for_stuck(klass.now)
    rows, version = learners.since(version, klass.now, 9)
    assert [row["stuck"] for row in rows] == [{"exercise": SEND, "since": NOW}]
    learners.look_for_stuck(klass.now)
    assert learners.since(version, klass.now, 9) == ([], version)  # it was said
    klass.now += STUCK_SECONDS / 2
    assert klass.learner("ann")["stuck"]["exercise"] == MD5  # tried last
    passed = klass.now
    klass.progress("ann", attempts={SEND: 1, MD5: 2}, passed=[SEND])
    assert klass.learner("ann")["stuck"] is None
    klass.now += STUCK_SECONDS
    assert klass.learner("ann")["stuck"] == {"exercise": MD5, "since": passed}
    klass.now += PRESENT_SECONDS
    assert klass.learner("ann")["stuck"] is None  # gone home


def test_somebody_who_comes_back_is_not_stuck_since_they_left(klass):
    klass.progress("ann", attempts={SEND: 1})
    klass.now += PRESENT_SECONDS + 1  # lunch, or the night
    klass.say("ann", kind="hello")
    back = klass.now
    assert klass.learner("ann")["stuck"] is None
    klass.now += STUCK_SECONDS
    assert klass.learner("ann")["stuck"] == {"exercise": SEND, "since": back}


def test_help_is_asked_for_given_and_bounded(klass):
    exercises = [f"lesson.exercise_{number}" for number in range(MAX_HELP + 1)]
    for exercise in exercises:
        answer = klass.say("ann", kind="help", exercise=exercise, code=f"# {exercise}")
        klass.now += 1
    assert answer["help"] == exercises[1:]
    assert klass.learner("ann")["help"][0] == {
        "exercise": exercises[1],
        "code": f"# {exercises[1]}",
        "since": NOW + 1,
    }
    klass.say("ann", kind="help", exercise=exercises[2], code="again")
    (again,) = [each for each in klass.learner("ann")["help"] if each["code"] == "again"]
    assert again["since"] == NOW + 2  # since when they've been waiting
    left = klass.say("ann", kind="help-over", exercise=exercises[1])["help"]
    assert left == [exercises[3], exercises[2]]
    klass.board.learners.help_over("ann", exercises[3])
    klass.board.learners.help_over("ann", "no.such")
    klass.board.learners.help_over("nobody", exercises[3])
    assert klass.say("ann", kind="hello")["help"] == [exercises[2]]


def test_a_round_is_opened_reported_and_closed(klass):
    board = klass.board
    report = {"kind": "round", "seed": 7, "answered": 3, "right": 2}
    assert klass.say("ann", **report)["round"] is None
    board.close_round()  # there isn't one yet
    board.open_round(7, NOW)
    counted = {"answered": 3, "right": 2}
    assert klass.say("ann", **report)["round"] == {"seed": 7, "open": True, **counted}
    assert klass.say("bob", **(report | {"seed": 8}))["round"] == {"seed": 7, "open": True}
    assert klass.learner("ann")["round"] == {"answered": 3, "right": 2}
    assert klass.learner("bob")["round"] is None
    board.close_round()
    late = klass.say("ann", **(report | {"answered": 9}))
    assert late["round"] == {"seed": 7, "open": False, **counted}
    assert klass.learner("ann")["round"] == {"answered": 3, "right": 2}
    board.open_round(7, NOW)  # reopened
    assert klass.learner("ann")["round"] == {"answered": 3, "right": 2}
    board.open_round(8, NOW + 60)
    assert klass.learner("ann")["round"] is None
    assert board.learners.summary(NOW, "")["round"] == {"seed": 8, "open": True, "since": NOW + 60}


def test_the_summary_counts_who_is_there_and_what_most_have_wrong_now(klass):
    klass.progress("ann", attempts={MD5: 1}, wrong={MD5: {"raw-bytes": 1}})
    klass.progress("bob", attempts={MD5: 1}, wrong={MD5: {"raw-bytes": 1}})
    klass.progress("cy", attempts={SEND: 1}, wrong={SEND: {"x": 1}})
    summary = klass.board.learners.summary(klass.now, "The disk is full.")
    assert (summary["kind"], summary["present"]) == ("summary", 3)
    assert (summary["round"], summary["problem"]) == (None, "The disk is full.")
    assert summary["mistakes"] == [
        {
            "exercise": MD5,
            "mistake": "raw-bytes",
            "sentence": "These are the raw bytes.",
            "now": 2,
        },
        {"exercise": SEND, "mistake": "other", "sentence": "", "now": 1},
    ]
    klass.progress("bob", passed=[MD5], attempts={MD5: 2}, wrong={MD5: {"raw-bytes": 1}})
    klass.progress("cy")
    klass.now += PRESENT_SECONDS
    klass.say("ann", kind="hello")
    klass.now += 1
    summary = klass.board.learners.summary(klass.now, "")
    assert [each["now"] for each in summary["mistakes"]] == [1]
    assert (summary["present"], summary["time"]) == (1, klass.now)


def test_who_is_missing_is_known_where_the_names_are():
    names = [f"{number:02}" for number in range(1, 51)]
    klass = InProcess(expected=50, names=names)
    assert klass.board.summary(NOW, "")["expected"] == 50
    klass.say("03", kind="hello")
    klass.say("trainer", kind="hello")
    found = klass.board.summary(NOW, "")
    assert found["missing"] == [*names[:2], *names[3:41]]
    assert found["missing_more"] == 9
    later = klass.board.summary(NOW + PRESENT_SECONDS + 1, "")
    assert (later["present"], later["missing"]) == (0, found["missing"])


def test_only_changes_are_sent_in_pieces(klass):
    learners = klass.board.learners
    for name in ("ann", "bob", "cy"):
        klass.say(name, kind="hello")
    first, version = learners.since(0, NOW, 2)
    rest, version = learners.since(version, NOW, 2)
    assert [each["name"] for each in first + rest] == ["ann", "bob", "cy"]
    klass.now += SEEN_STEP_SECONDS - 1
    klass.say("ann", kind="hello")
    assert learners.since(version, NOW, 2)[0] == []  # so soon after, it isn't news
    klass.now += 1
    klass.say("ann", kind="hello")
    rows, _ = learners.since(version, NOW, 2)
    assert [(each["name"], each["seen"]) for each in rows] == [("ann", NOW + SEEN_STEP_SECONDS)]


def test_too_many_learners_are_reported_and_not_kept():
    learners = Learners(COURSE)
    for number in range(MAX_LEARNERS + 1):
        learners.call(f"learner-{number}", Progress("00-start-here", {}), NOW)
    assert len(learners) == MAX_LEARNERS
    assert learners.open_calls(f"learner-{MAX_LEARNERS}") == []
    problem = learners.summary(NOW, "Full.")["problem"]
    assert problem == f"Full. More than {MAX_LEARNERS:,} learners came. The rest aren't shown."


def test_the_course_is_sent_once(klass):
    message = klass.board.learners.class_message("Tuesday")
    assert (message["kind"], message["title"]) == ("class", "Tuesday")
    assert message["lessons"][1] == {
        "lesson": "01-body-is-bytes",
        "title": "Body is bytes",
        "exercises": [
            {"name": MD5, "task": "Return the body hash of any body.", "optional": False},
            {"name": "body_is_bytes.shortest", "task": "Write it short.", "optional": True},
        ],
    }


def test_a_spreadsheet_takes_every_cell_of_the_csv_for_text(klass):
    klass.board.open_round(7, NOW)
    klass.progress("=1+1", passed=[SEND], attempts={SEND: 1, MD5: 2}, wrong={MD5: {"other": 2}})
    klass.say("=1+1", kind="round", seed=7, answered=3, right=2)
    klass.progress('zoë, or "Z"\n', attempts={MD5: 1})
    lines = klass.board.learners.export_csv().splitlines(keepends=True)
    head, formula, zoe = csv.reader(lines)
    assert head[:3] == ["learner", "last seen (UTC)", "lesson"]
    assert head[-3:] == [SEND, MD5, "body_is_bytes.shortest"]
    assert formula == [
        "'=1+1", "2023-11-14 22:13", "00-start-here", "1", "2", "3", "0", "3", "2",
        "passed (1)", "tried (2): other", "",
    ]  # fmt: skip
    assert zoe[0] == 'zoë, or "Z"\n'
    for begin in "=+-@\t\r\n":
        klass.say(f"{begin}SUM(A1)", kind="hello")
    assert not re.search('^"?[=+@\t-]', klass.board.learners.export_csv(), flags=re.MULTILINE)


def test_the_json_has_everything_but_the_code(klass):
    klass.progress("ann", passed=[SEND], attempts={SEND: 1})
    klass.say("ann", kind="help", exercise=MD5, code="the one cell")
    exported = klass.board.learners.export_json("Tuesday", NOW)
    assert exported["format"] == 1
    assert exported["learners"][0]["cells"] == {SEND: ["passed", 1]}
    assert exported["learners"][0]["help"] == [MD5]
    assert "the one cell" not in json.dumps(exported)
