"""What each learner has done and who needs help: the trainer's view, and its exports. Pure.

It's fed what the lessons send (calls), which is always a learner's whole record. Of a record, only
names that the course knows are kept, so that nobody can fill the trainer's table, or the memory,
with names of their own.
"""

from __future__ import annotations

import csv
import heapq
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pusherkit.classroom.calls import Call, Help, HelpOver, Progress, RoundReport

MAX_LEARNERS = 2_000  # of one wall; twice what it's measured for
MAX_HELP = 3  # open calls for help of one learner; a fourth replaces the oldest
MAX_MISTAKES = 10  # in the summary
MAX_MISSING = 40  # names of those who haven't come, in the summary; of the others, the number
MAX_ATTEMPTS = 1_000_000  # of an exercise, as in the progress file; more is damage
STUCK_SECONDS = 10 * 60.0  # without passing anything, in an exercise that was tried
PRESENT_SECONDS = 30 * 60.0  # since somebody was last heard from; reading a lesson is silent
SEEN_STEP_SECONDS = 30.0  # by which a learner's `seen` has to grow before it's sent again
OTHER = "other"  # the name of a wrong answer that has no sentence of its own, as in the lessons
EXPORT_FORMAT = 1  # of the JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseExercise:
    """An exercise, as the trainer's view needs it."""

    name: str
    """module.function"""
    task: str
    optional: bool = False
    mistakes: Mapping[str, str] = field(default_factory=dict)
    """The name of each wrong answer → the sentence for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseLesson:
    """A lesson, as the trainer's view needs it. `lesson` is the notebook's name."""

    lesson: str
    title: str
    exercises: tuple[CourseExercise, ...] = ()
    predictions: frozenset[str] = frozenset()
    """Names of its predictions and of its recall questions."""


Course = tuple[CourseLesson, ...]


@dataclass(slots=True)
class Cell:
    """One learner and one exercise."""

    passed: bool
    attempts: int
    since: float
    """Unix seconds: when it was first reported."""
    latest: float
    """Unix seconds: when an attempt was last reported."""
    mistake: str = ""
    """What's wrong now, by name; "" if that isn't known."""
    wrong: dict[str, int] = field(default_factory=dict)
    """The name of each wrong answer → how often it was given."""


@dataclass(slots=True)
class Learner:
    """One learner."""

    name: str
    seen: float
    """Unix seconds: when they were last heard from."""
    came: bool = False
    """Whether they were heard from since the wall started; if not, `seen` is from before."""
    lesson: str = ""
    cells: dict[str, Cell] = field(default_factory=dict)
    moved: float = 0.0
    """Unix seconds: when they last passed something, or came back after being away."""
    surprises: int = 0
    help: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Exercise → the cell's code, and since when they want help."""
    round: RoundReport | None = None
    version: int = 0
    """Grows with each change."""
    said_seen: float = 0.0
    said_stuck: bool = False


@dataclass(slots=True)
class Round:
    """A sabotage round for everybody."""

    seed: int
    open: bool
    since: float
    """Unix seconds."""


class Learners:
    """Everybody's progress, help and rounds.

    `names` are the class's, if anybody knows them. `trainers` are no learners: what they do in
    lessons of their own isn't counted.
    """

    def __init__(
        self, course: Course, names: Sequence[str] = (), trainers: Collection[str] = ()
    ) -> None:
        self.course = course
        self.trainers = frozenset(trainers)
        self.adds_up = False
        """Whether a record is added to what is known, instead of replacing it.

        For learners whose lessons know nothing about each other, or about yesterday.
        """
        self.round: Round | None = None
        self.dirty: set[str] = set()
        """Whose state isn't saved yet. Whatever saves it clears this."""
        self.turned_away = 0
        """How many times somebody came when MAX_LEARNERS were there already."""
        self._lessons = {each.lesson for each in course}
        self._exercises = {each.name: each for lesson in course for each in lesson.exercises}
        self._predictions = frozenset[str]().union(*(each.predictions for each in course))
        self._names = tuple(names)
        self._learners: dict[str, Learner] = {}  # in the order of their versions
        self._version = 0
        self._now = Counter[tuple[str, str]]()  # exercise and mistake → who has it now

    def __len__(self) -> int:
        return len(self._learners)

    def __contains__(self, name: str) -> bool:
        return name in self._learners

    # --- what comes in ----------------------------------------------------------------------

    def seen(self, name: str, now: float) -> Learner | None:
        """Note that somebody was heard from. None for a trainer, or if there are too many."""
        if name in self.trainers:
            return None
        learner = self._learners.get(name)
        if learner is None:
            if len(self._learners) >= MAX_LEARNERS:
                self.turned_away += 1
                return None
            learner = self._learners[name] = Learner(name, now)
            self._changed(learner)
        if now - learner.seen > PRESENT_SECONDS:
            learner.moved = now  # nobody has been stuck over lunch, or since yesterday
        learner.seen, learner.came = now, True
        if now - learner.said_seen >= SEEN_STEP_SECONDS:
            learner.said_seen = now
            self._changed(learner)
        return learner

    def call(self, name: str, call: Call, now: float) -> None:
        """Take in what somebody's lessons sent."""
        learner = self.seen(name, now)
        if learner is None:
            return
        if isinstance(call, Progress):
            self._progress(learner, call, now)
        elif isinstance(call, Help):
            since = learner.help.pop(call.exercise, ("", now))[1]
            learner.help[call.exercise] = (call.code, since)
            if len(learner.help) > MAX_HELP:
                del learner.help[next(iter(learner.help))]
            self._changed(learner)
        elif isinstance(call, HelpOver):
            self.help_over(name, call.exercise)
        elif isinstance(call, RoundReport):
            self._report(learner, call)

    def _report(self, learner: Learner, report: RoundReport) -> None:
        """Note how far somebody is in the round. Only the round that's open counts."""
        if self.round is not None and self.round.open and self.round.seed == report.seed:
            learner.round = report
            self._changed(learner)

    def help_over(self, name: str, exercise: str) -> None:
        """Note that somebody needs no more help with an exercise, or has had it."""
        learner = self._learners.get(name)
        if learner is not None and learner.help.pop(exercise, None) is not None:
            self._changed(learner)

    def open_calls(self, name: str) -> list[str]:
        """The exercises somebody wants help with, the oldest call first."""
        learner = self._learners.get(name)
        return list(learner.help) if learner else []

    def result(self, name: str) -> dict[str, int] | None:
        """How many calls of the round somebody has answered, and right; None if they're not in."""
        learner = self._learners.get(name)
        return self._result(learner) if learner else None

    def open_round(self, seed: int, now: float) -> None:
        """Begin a round, or reopen it if it's the one that was closed."""
        if self.round is None or self.round.seed != seed:
            for learner in self._learners.values():
                learner.round = None
            self._all_changed()
            self.round = Round(seed, True, now)
        else:
            self.round.open = True

    def close_round(self) -> None:
        """End the round, if there is one. Its results stay."""
        if self.round is not None:
            self.round.open = False

    def _progress(self, learner: Learner, said: Progress, now: float) -> None:
        if said.lesson in self._lessons:
            learner.lesson = said.lesson
        record, before = said.record, learner.cells
        passed = _texts(record.get("passed"))
        attempts = _counts(record.get("attempts"))
        wrong = record.get("wrong")
        wrong = wrong if isinstance(wrong, dict) else {}
        surprises = len(self._surprises(record))
        if self.adds_up:
            passed |= {name for name, cell in before.items() if cell.passed}
            attempts = _larger(attempts, {name: cell.attempts for name, cell in before.items()})
            surprises = max(surprises, learner.surprises)
        learner.cells = {}
        for name in self._exercises:
            if name in passed or name in attempts or name in wrong:
                counts = self._mistakes(name, wrong.get(name))
                if self.adds_up and name in before:
                    counts = _larger(counts, before[name].wrong)
                made = _cell(before.get(name), name in passed, attempts.get(name, 0), counts, now)
                learner.cells[name] = made
                if made.passed and not (name in before and before[name].passed):
                    learner.moved = now
        learner.surprises = surprises
        self._now.subtract(_tried(before))
        self._now.update(_tried(learner.cells))
        self._changed(learner)

    def _mistakes(self, exercise: str, counts: object) -> dict[str, int]:
        """How often each wrong answer was given; those from another version count as "other"."""
        known, found = self._exercises[exercise].mistakes, Counter[str]()
        for name, number in _counts(counts).items():
            found[name if name in known else OTHER] += number
        return dict(found)

    def _surprises(self, record: Mapping[str, Any]) -> set[str]:
        names, made = _texts(record.get("surprised")), record.get("predictions")
        if isinstance(made, dict):  # the one made last may be wrong, too
            names |= {n for n, p in made.items() if isinstance(p, dict) and p.get("right") is False}
        return names & self._predictions

    def _changed(self, learner: Learner) -> None:
        self._version += 1
        learner.version = self._version
        del self._learners[learner.name]
        self._learners[learner.name] = learner
        self.dirty.add(learner.name)

    def _all_changed(self) -> None:
        for learner in list(self._learners.values()):
            self._changed(learner)

    # --- what goes out ----------------------------------------------------------------------

    def class_message(self, title: str) -> dict[str, Any]:
        """The course, which the trainer's view needs once."""
        return {
            "kind": "class",
            "title": title,
            "lessons": [
                {
                    "lesson": lesson.lesson,
                    "title": lesson.title,
                    "exercises": [
                        {"name": each.name, "task": each.task, "optional": each.optional}
                        for each in lesson.exercises
                    ],
                }
                for lesson in self.course
            ],
        }

    def look_for_stuck(self, now: float) -> None:
        """Notice who has got stuck by now: that happens without anything being sent."""
        for learner in list(self._learners.values()):
            if (stuck := self._stuck(learner, now) is not None) != learner.said_stuck:
                learner.said_stuck = stuck
                self._changed(learner)

    def since(self, version: int, now: float, most: int) -> tuple[list[dict[str, Any]], int]:
        """At most so many learners that changed after a version, and the version they're at."""
        found = []
        for learner in self._learners.values():
            if learner.version > version:
                found.append(self._learner(learner, now))
                version = learner.version
                if len(found) == most:
                    break
        return found, version

    def _learner(self, learner: Learner, now: float) -> dict[str, Any]:
        return {
            "name": learner.name,
            "seen": learner.seen,
            "lesson": learner.lesson,
            "cells": {name: _shown(cell) for name, cell in learner.cells.items()},
            "stuck": self._stuck(learner, now),
            "help": [
                {"exercise": exercise, "code": code, "since": since}
                for exercise, (code, since) in learner.help.items()
            ],
            "surprises": learner.surprises,
            "round": self._result(learner),
        }

    def _result(self, learner: Learner) -> dict[str, int] | None:
        report = learner.round
        if report is None or self.round is None or report.seed != self.round.seed:
            return None
        return {"answered": report.answered, "right": report.right}

    def _stuck(self, learner: Learner, now: float) -> dict[str, Any] | None:
        """Where somebody is stuck; the exercise that they tried last, if it's several."""
        if not _is_present(learner, now):
            return None
        latest, found = -math.inf, None
        for name, cell in learner.cells.items():
            since = max(cell.since, learner.moved)
            if not cell.passed and now - since >= STUCK_SECONDS and cell.latest > latest:
                latest, found = cell.latest, {"exercise": name, "since": since}
        return found

    def present(self, now: float) -> int:
        """How many were heard from lately, since the wall started."""
        return sum(_is_present(each, now) for each in self._learners.values())

    def missing(self) -> list[str]:
        """Who of the class hasn't been heard from since the wall started."""
        there = self._learners
        return [name for name in self._names if not (name in there and there[name].came)]

    def summary(self, now: float, problem: str) -> dict[str, Any]:
        """The class in a few numbers. `problem` is whatever else the trainer has to know."""
        missing = self.missing()
        if self.turned_away:
            full = f"More than {MAX_LEARNERS:,} learners came. The rest aren't shown."
            problem = f"{problem} {full}".lstrip()
        return {
            "kind": "summary",
            "time": now,
            "present": self.present(now),
            "missing": missing[:MAX_MISSING],
            "missing_more": max(0, len(missing) - MAX_MISSING),
            "round": round_json(self.round),
            "mistakes": [
                {
                    "exercise": exercise,
                    "mistake": mistake,
                    "sentence": self._exercises[exercise].mistakes.get(mistake, ""),
                    "now": number,
                }
                for (exercise, mistake), number in self._most_made()
            ],
            "problem": problem,
        }

    def _most_made(self) -> list[tuple[tuple[str, str], int]]:
        there = [each for each in self._now.items() if each[1] > 0]
        return heapq.nsmallest(MAX_MISTAKES, there, key=lambda each: (-each[1], each[0]))

    # --- exports ----------------------------------------------------------------------------

    def export_json(self, title: str, now: float) -> dict[str, Any]:
        """Everything, for programs, except the code that calls for help include."""
        rows = [self._learner(each, now) for each in self._by_name()]
        for row in rows:
            row["help"] = [each["exercise"] for each in row["help"]]
        return {
            "format": EXPORT_FORMAT,
            "title": title,
            "time": now,
            "round": round_json(self.round),
            "lessons": self.class_message(title)["lessons"],
            "learners": rows,
        }

    def export_csv(self) -> str:
        """A row for each learner, a column for each exercise, for a spreadsheet."""
        lines: list[str] = []
        writer = csv.writer(_Lines(lines))
        optional = {each.name for each in self._exercises.values() if each.optional}
        counted = self._exercises.keys() - optional
        heads = ["learner", "last seen (UTC)", "lesson", "passed", "exercises", "attempts"]
        heads += ["surprises", "round answered", "round right", *self._exercises]
        writer.writerow(map(in_a_spreadsheet, heads))
        for learner in self._by_name():
            cells, result = learner.cells, self._result(learner) or {}
            row = [
                learner.name,
                f"{datetime.fromtimestamp(learner.seen, UTC):%Y-%m-%d %H:%M}",
                learner.lesson,
                sum(cells[name].passed for name in counted & cells.keys()),
                len(counted),
                sum(cell.attempts for cell in cells.values()),
                learner.surprises,
                result.get("answered", ""),
                result.get("right", ""),
                *(_in_words(cells.get(name)) for name in self._exercises),
            ]
            writer.writerow(map(in_a_spreadsheet, row))
        return "".join(lines)

    def _by_name(self) -> list[Learner]:
        return sorted(self._learners.values(), key=lambda each: each.name)

    # --- kept for a restart -----------------------------------------------------------------

    def state(self, name: str) -> dict[str, Any]:
        """A learner as JSON can have it, for restore()."""
        learner = self._learners[name]
        report = learner.round
        return {
            "seen": learner.seen,
            "lesson": learner.lesson,
            "moved": learner.moved,
            "surprises": learner.surprises,
            "help": {exercise: [*kept] for exercise, kept in learner.help.items()},
            "round": report and [report.seed, report.answered, report.right],
            "cells": {
                exercise: [getattr(cell, part) for part in Cell.__slots__]
                for exercise, cell in learner.cells.items()
            },
        }

    def restore(self, name: str, state: Mapping[str, Any]) -> None:
        """Put back a learner. Raises an error of Python's where it isn't what state() made."""
        if name in self.trainers:
            return
        report, seen = state["round"], float(state["seen"])
        datetime.fromtimestamp(seen, UTC)  # as the exports will
        learner = Learner(
            name,
            seen,
            lesson=str(state["lesson"]),
            cells={
                exercise: _kept_cell(*kept)
                for exercise, kept in state["cells"].items()
                if exercise in self._exercises  # not one of an earlier version
            },
            moved=float(state["moved"]),
            surprises=int(state["surprises"]),
            help={
                str(exercise): (str(code), float(since))
                for exercise, (code, since) in state["help"].items()
            },
            round=RoundReport(*map(int, report)) if report else None,
        )
        self._learners[name] = learner
        self._now.update(_tried(learner.cells))
        self._changed(learner)
        self.dirty.discard(name)


def _is_present(learner: Learner, now: float) -> bool:
    return learner.came and now - learner.seen <= PRESENT_SECONDS


def round_json(round_: Round | None) -> dict[str, Any] | None:
    """A round as pages and programs get it."""
    if round_ is None:
        return None
    return {"seed": round_.seed, "open": round_.open, "since": round_.since}


def in_a_spreadsheet(value: object) -> str:
    """A value that no spreadsheet takes for a formula, which could send the other cells away.

    If the text begins like one, it gets an apostrophe in front (OWASP, "CSV Injection").
    """
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


class _Lines:
    """What csv writes to."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def _texts(value: object) -> set[str]:
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()


def _counts(value: object) -> dict[str, int]:
    there = value if isinstance(value, dict) else {}
    return {
        name: number
        for name, number in there.items()
        if type(number) is int and 0 < number <= MAX_ATTEMPTS  # True is an int, too
    }


def _cell(
    before: Cell | None, passed: bool, attempts: int, wrong: dict[str, int], now: float
) -> Cell:
    """What's known of an exercise now. A record only counts mistakes; here the latest is kept."""
    if before is None:
        return Cell(passed, attempts, now, now, _largest(wrong), wrong)
    grown = {name: n - before.wrong.get(name, 0) for name, n in wrong.items()}
    mistake = _largest({name: n for name, n in grown.items() if n > 0}) or before.mistake
    latest = now if attempts != before.attempts else before.latest
    return Cell(passed, attempts, before.since, latest, mistake if wrong else "", wrong)


def _larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The larger of both counts, of everything that either counts."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def _kept_cell(
    passed: Any, attempts: Any, since: Any, latest: Any, mistake: Any, wrong: Any
) -> Cell:
    counts = {str(name): int(number) for name, number in wrong.items()}
    return Cell(bool(passed), int(attempts), float(since), float(latest), str(mistake), counts)


def _largest(counts: Mapping[str, int]) -> str:
    return max(counts, key=lambda name: (counts[name], name), default="")


def _tried(cells: Mapping[str, Cell]) -> list[tuple[str, str]]:
    """What somebody has wrong now: exercises and mistakes."""
    return [(name, c.mistake) for name, c in cells.items() if not c.passed and c.mistake]


def _shown(cell: Cell) -> Sequence[object]:
    if cell.passed:
        return ["passed", cell.attempts]
    return ["tried", cell.attempts, cell.since, cell.mistake]


def _in_words(cell: Cell | None) -> str:
    if cell is None:
        return ""
    said = f"{'passed' if cell.passed else 'tried'} ({cell.attempts})"
    return said if cell.passed or not cell.mistake else f"{said}: {cell.mistake}"
