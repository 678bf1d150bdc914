"""What learners have done, from their progress files: `pusherkit progress`.

One file or many become one Report: for each exercise how many tried and passed it, in how many
attempts, and which mistakes were made most; for each prediction how many it surprised. Nobody's
name is in it, unless the trainer gave it, and no file's, because that may be a name, too. A file
that can't be used is a Problem, and the others still count.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pusherkit.errors import PusherError
from pusherkit.lab import COPY, RECORD
from pusherkit.lessons.kit.exercise import OTHER, Exercise
from pusherkit.lessons.kit.lesson import Lesson, lessons
from pusherkit.lessons.kit.progress import (
    FILE,
    FORMAT,
    MAX_BYTES,
    Record,
    record_of,
    stored_in,
)

REPORT_FORMAT = 1  # of the JSON
DEPTH = 2  # folders below the one that was named: homes/ann/pusherkit-lessons
MAX_FOLDERS = 10_000  # that are searched; somebody may name a whole disk
MOST = 3  # mistakes of an exercise in the text; the JSON has all
WIDEST = 100  # columns of the text, however wide the terminal is
NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, counted from 1, isn't in the report, or not all of it is."""

    file: int
    problem: str
    left_out: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """A mistake: its name, the exercise's sentence for it, how often it was made, by how many."""

    name: str
    sentence: str
    times: int
    learners: int


@dataclass(frozen=True, slots=True)
class OfExercise:
    """What became of an exercise. `attempts` are those up to the first that passed."""

    name: str
    tried: int
    passed: int
    attempts: int
    wrong: tuple[Wrong, ...]


@dataclass(frozen=True, slots=True)
class OfPrediction:
    """How many learners made a prediction, and how many it surprised."""

    name: str
    question: str
    predicted: int
    surprised: int


@dataclass(frozen=True, slots=True)
class OfLesson:
    """How many began a lesson and how many finished it, and what is in it."""

    lesson: str
    title: str
    begun: int
    finished: int
    passed: int
    """By all learners together, of the exercises that finish the lesson."""
    of: int
    """How many exercises finish it."""
    exercises: tuple[OfExercise, ...]
    predictions: tuple[OfPrediction, ...]


@dataclass(frozen=True, slots=True)
class Learner:
    """One learner in numbers. `name` is what the trainer gave."""

    name: str
    passed: int
    exercises: int
    attempts: int
    surprises: int


@dataclass(frozen=True, slots=True)
class Report:
    """What one learner or several have done."""

    learners: int
    named: tuple[Learner, ...]
    lessons: tuple[OfLesson, ...]
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {"format": REPORT_FORMAT, **asdict(self)}


# --- finding and reading ------------------------------------------------------------------------


def find(paths: Iterable[Path]) -> list[Path]:
    """The progress files that paths mean, each once.

    A folder means the file in it or, if it has none, those in the folders inside, down to DEPTH.
    Lessons that were copied there without one belong to somebody who hasn't tried anything yet.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for file in _below(path) if os.path.isdir(path) else [path]:  # is_dir() may raise
            found.setdefault(os.path.realpath(file), file)  # resolve() raises for a loop of links
    return list(found.values())


def own(here: Path) -> Path:
    """Where a learner's own progress is: in the current folder, or beside the lessons below it."""
    places = (here, here / "notebooks", here / COPY)
    return next((each / FILE for each in places if (each / FILE).is_file()), here / FILE)


def _below(folder: Path) -> Iterator[Path]:
    level, searched, found = [folder], 0, False
    for _ in range(DEPTH + 1):
        deeper: list[Path] = []
        for each in level:
            if (each / FILE).is_file() or (each / RECORD).is_file():
                yield each / FILE
                found = True
            elif (searched := searched + 1) <= MAX_FOLDERS:
                deeper += _folders_in(each)
        level = deeper
    if not found:
        yield folder / FILE  # and reading it says so


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(Path(each.path) for each in entries if each.is_dir(follow_symlinks=False))
    return []


def read(file: Path) -> Record:
    """The Record of a file. Raises PusherError, with a sentence, where it can't be used."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if (file.parent / RECORD).is_file():
            return Record()
        raise PusherError(
            f"There's no progress here. It's in {FILE}, in the folder of the notebooks, once "
            "something was tried."
        ) from None
    except OSError as error:
        raise PusherError(f"It can't be read: {error.strerror}.") from None
    try:
        stored = stored_in(data)
    except ValueError as error:
        raise PusherError(str(error)) from None
    written = stored.get("format", 1)
    if type(written) is not int or not 1 <= written <= FORMAT:
        raise PusherError(
            "Another version of pusherkit wrote it, and this one can't read that. Update "
            "pusherkit, then try again."
        )
    return record_of(stored)


# --- the report ---------------------------------------------------------------------------------


def report(files: Sequence[Path], names: Sequence[str] = ()) -> Report:
    """What the files hold together. `names` has one for each of them, or none.

    Raises PusherError where the names don't go with the files.
    """
    if names and len(names) != len(files):
        raise PusherError(
            f"Files: {len(files)}, names: {len(names)}. Give a --name for each file, in the same "
            "order, or none at all."
        )
    course = lessons()
    known = {each.name for lesson in course for each in lesson.exercises.values()}
    asked = {each.name for lesson in course for each in lesson.predictions.values()}
    asked |= {each.name for lesson in course for each in lesson.recalls.values()}
    records, named, problems = list[Record](), list[Learner](), list[Problem]()
    for number, file in enumerate(files, start=1):
        try:
            record = read(file)
        except PusherError as error:
            problems.append(Problem(number, str(error), left_out=True))
            continue
        tried = record.passed | record.attempts.keys() | record.wrong.keys()
        strange = len(tried - known) + len(record.predictions.keys() - asked)
        if strange:
            problems.append(Problem(number, _strange(strange), left_out=False))
        records.append(record)
        if names:
            named.append(_learner(names[number - 1], record, course))
    return Report(
        len(records),
        tuple(named),
        tuple(_of_lesson(lesson, records) for lesson in course),
        tuple(problems),
    )


def _strange(number: int) -> str:
    things = "an exercise or a prediction" if number == 1 else f"{number} exercises or predictions"
    return f"It has {things} of another version of the lessons. The rest of it counts."


def _learner(name: str, record: Record, course: Sequence[Lesson]) -> Learner:
    done = [lesson.done(record) for lesson in course]
    names = [each.name for lesson in course for each in lesson.exercises.values()]
    asked = [each.name for lesson in course for each in lesson.predictions.values()]
    return Learner(
        name,
        passed=sum(passed for passed, _ in done),
        exercises=sum(every for _, every in done),
        attempts=sum(record.attempts.get(each, 0) for each in names),
        surprises=sum(each in record.surprised for each in asked),
    )


def _of_lesson(lesson: Lesson, records: Sequence[Record]) -> OfLesson:
    exercises, predictions = lesson.exercises.values(), lesson.predictions.values()
    names = {each.name for each in exercises} | {each.name for each in predictions}
    done = [lesson.done(record) for record in records]
    return OfLesson(
        lesson.name,
        lesson.title,
        begun=sum(
            not names.isdisjoint(record.passed | record.attempts.keys() | record.predictions.keys())
            for record in records
        ),
        finished=sum(passed == every for passed, every in done),
        passed=sum(passed for passed, _ in done),
        of=lesson.done(Record())[1],
        exercises=tuple(_of_exercise(each, records) for each in exercises),
        predictions=tuple(
            OfPrediction(
                each.name,
                each.question,
                predicted=sum(each.name in record.predictions for record in records),
                surprised=sum(each.name in record.surprised for record in records),
            )
            for each in predictions
        ),
    )


def _of_exercise(exercise: Exercise, records: Sequence[Record]) -> OfExercise:
    name, sentences = exercise.name, exercise.sentences()
    times, learners = Counter[str](), Counter[str]()
    for record in records:
        counts = Counter[str]()
        for mistake, number in record.wrong.get(name, {}).items():
            # A name from another version means nothing here, and isn't repeated.
            counts[mistake if mistake in sentences else OTHER] += number
        times.update(counts)
        learners.update(counts.keys())
    return OfExercise(
        name,
        tried=sum(name in record.passed or name in record.attempts for record in records),
        passed=sum(name in record.passed for record in records),
        attempts=sum(record.attempts.get(name, 0) for record in records),
        wrong=tuple(
            Wrong(mistake, sentences[mistake], number, learners[mistake])
            for mistake, number in sorted(times.items(), key=lambda each: (-each[1], each[0]))
        ),
    )


# --- in words -----------------------------------------------------------------------------------


def in_words(report: Report, width: int) -> str:
    """The report for people, in lines of `width` columns, or as near as can be read."""
    width = max(NARROWEST, min(width, WIDEST))
    one = report.learners == 1
    begun = [each for each in report.lessons if each.begun]
    blocks = [_headline(report, begun)]
    if report.named:
        blocks.append("\n".join(_of_learner(each, width) for each in report.named))
    blocks += ["\n".join(_lesson_lines(each, one, width)) for each in begun]
    rest = [f"{each.lesson[:2]} {each.title}" for each in report.lessons if not each.begun]
    if rest and begun:
        blocks.append(textwrap.fill(f"Not begun: {', '.join(rest)}.", width))
    return "\n\n".join(blocks)


def _headline(report: Report, begun: Sequence[OfLesson]) -> str:
    who = "1 learner" if report.learners == 1 else f"{report.learners} learners"
    return f"Progress of {who}" if begun else f"Progress of {who}: nothing yet."


def _of_learner(learner: Learner, width: int) -> str:
    said = (
        f"{learner.passed} of {learner.exercises} passed, {_number(learner.attempts, 'attempt')}, "
        f"{_number(learner.surprises, 'surprise')}"
    )
    return _hanging(f"{learner.name}: ", said, width)


def _number(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _lesson_lines(lesson: OfLesson, one: bool, width: int) -> Iterator[str]:
    state = f"begun by {lesson.begun}, finished by {lesson.finished}"
    if one:
        much = f"{lesson.passed} of {lesson.of} exercises passed"
        state = "finished" if lesson.finished else f"not finished yet, {much}"
    yield _hanging("", f"{lesson.lesson[:2]} {lesson.title}: {state}", width)
    for exercise in lesson.exercises:
        if not exercise.tried:
            continue
        state = f"tried by {exercise.tried}, passed by {exercise.passed}"
        if one:
            state = "passed" if exercise.passed else "not passed yet"
        attempts = f", {_number(exercise.attempts, 'attempt')}" if exercise.attempts else ""
        name = exercise.name.partition(".")[2]
        yield _hanging("  ", f"{name}: {state}{attempts}", width)
        for wrong in exercise.wrong[:MOST]:
            yield _hanging(f"    {wrong.times}× ", wrong.sentence, width)
    for prediction in lesson.predictions:
        if prediction.surprised:
            who = "" if one else f"d {prediction.surprised} of {prediction.predicted}"
            yield _hanging("  ", f"Surprise{who}: {prediction.question}", width)


def _hanging(start: str, text: str, width: int) -> str:
    """A text after its start; the lines that follow stand under it, or a little further in."""
    inside = " " * (min(len(start), NARROWEST // 4) if start.strip() else len(start) + 4)
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=inside)
