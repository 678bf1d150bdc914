"""A lesson: its exercises, predictions and explorers, in one registry.

    lesson = Lesson("01-body-is-bytes", stages=(1, 2))

Everything that a notebook shows hangs on it, so that one test can go over all of them, and the
course can show what is done and what is next.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pusherkit.lessons.kit import keeper
from pusherkit.lessons.kit.classroom import WHAT_IS_SENT, joined
from pusherkit.lessons.kit.exercise import Exercise, Given
from pusherkit.lessons.kit.picture import PALETTE, STAGES, Picture, arrow, tile
from pusherkit.lessons.kit.prediction import Ask, Prediction, Recall, addressed
from pusherkit.lessons.kit.progress import PROGRESS, Record
from pusherkit.lessons.kit.stage import Event, Live
from pusherkit.lessons.kit.view import Action, Fact, View, boxed, to_static

MAX_ASKED_AGAIN = 2  # surprises from earlier lessons, in one recall

LESSONS: dict[str, Lesson] = {}
"""Every lesson whose module is imported, by its notebook's name."""

Made = TypeVar("Made")
Arguments = ParamSpec("Arguments")


class Lesson:
    """One notebook's worth. `name` is the notebook's; `stages` are those it is about, 1 to 6.

    `title` is its heading, if the name doesn't say it.
    """

    def __init__(self, name: str, *, title: str = "", stages: Collection[int] = ()) -> None:
        self.name = name
        self.title = title or name[3:].replace("-", " ").capitalize()
        self.stages = tuple(stages)
        self.exercises: dict[str, Exercise] = {}
        self.predictions: dict[str, Prediction] = {}
        self.recalls: dict[str, Prediction] = {}
        self.explorers: dict[str, Callable[[], Live]] = {}
        LESSONS[name] = self

    # --- declaring ------------------------------------------------------------------------------

    def exercise(
        self,
        *,
        given: Given,
        keep: bool = False,
        covers_lesson: bool = False,
        optional: bool = False,
    ) -> Callable[[Callable[..., Any]], Exercise]:
        """A task whose answer is a function: the decorated one is a right answer.

        `given(chance)` yields the arguments of every instance of one check, as tuples, from a
        seeded random generator. With `keep`, the learner's function goes into my_pusher.py. With
        `covers_lesson`, passing it counts for the whole lesson. An `optional` one isn't counted.
        """
        return lambda solve: self._add(
            Exercise(
                solve,
                self,
                given=given,
                keep=keep,
                covers_lesson=covers_lesson,
                optional=optional,
            )
        )

    def value(self, solve: Callable[[], Any]) -> Exercise:
        """A task whose answer is a value: the decorated function takes nothing and returns it."""
        return self._add(Exercise(solve, self, given=None))

    def _add(self, exercise: Exercise) -> Exercise:
        self.exercises[exercise.function] = exercise
        return exercise

    def predict(
        self, question: str, options: Mapping[str, str], *, why: str
    ) -> Callable[[Callable[[], Any]], Prediction]:
        """A question before something is shown. `options` maps each to what to say to it."""
        return lambda decide: self._ask(self.predictions, decide, question, options, why)

    def recall(
        self, question: str, options: Mapping[str, str], *, why: str
    ) -> Callable[[Callable[[], Any]], Prediction]:
        """A question about an earlier lesson. All of them show up in `lesson.recall_card()`."""
        return lambda decide: self._ask(self.recalls, decide, question, options, why)

    def _ask(
        self,
        where: dict[str, Prediction],
        decide: Callable[[], Any],
        question: str,
        options: Mapping[str, str],
        why: str,
    ) -> Prediction:
        made = Prediction(decide, question, options, why)
        where[decide.__name__] = made
        return made

    def explorer(self, make: Callable[[], Made]) -> Callable[[], Made]:
        """Register a function that returns an Explorer, or another Live."""
        self.explorers[make.__name__] = make  # type: ignore[assignment]  # Made is a Live
        return make

    # --- what the notebook shows ----------------------------------------------------------------

    def recall_card(self) -> Recall:
        """The recall questions, and up to two predictions that went wrong in earlier lessons."""
        surprises = PROGRESS.read().surprises
        earlier = {
            each.name: each
            for lesson in (lessons() if surprises else ())  # this kernel has imported only one
            if lesson.name < self.name
            for each in lesson.predictions.values()
        }
        again = [earlier[name] for name in surprises if name in earlier]
        return Recall("From memory", list(self.recalls.values()), again[:MAX_ASKED_AGAIN])

    def map(self) -> StageMap:
        """The six stages, with those of this lesson lit. In a class, it says what is sent."""
        if (room := joined()) is not None:
            room.at(self.name)
        return StageMap(self.stages)

    def done(self, record: Record | None = None) -> tuple[int, int]:
        """How many of its exercises are passed, and how many there are.

        By the learner whose kernel this is, or by the one whose record is given.
        """
        counted = [each for each in self.exercises.values() if not each.optional]
        passed = (record or PROGRESS.read()).passed
        if any(each.name in passed for each in counted if each.covers_lesson):
            return len(counted), len(counted)
        return sum(each.name in passed for each in counted), len(counted)

    def is_done(self) -> bool:
        """Whether all of them are passed."""
        passed, every = self.done()
        return passed == every

    def __repr__(self) -> str:
        return f"Lesson {self.name}"


class StageMap(Live):
    """The six stages in a row; in words where no kernel runs, since every notebook stores them."""

    def __init__(self, lit: Collection[int]) -> None:
        self.lit = lit
        super().__init__(View("", picture=stage_map(lit)), hint="")
        if (room := joined()) is not None:
            room.watch("map", self)

    def now(self) -> View:
        """The stages; in a class also what the trainer sees, or why they don't."""
        room = joined()
        if room is None:
            return self.twin
        return replace(self.twin, status=room.problem, note=WHAT_IS_SENT)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        # There is nothing to press, so a saved notebook needn't say how to bring it back.
        return super()._repr_mimebundle_(), {"pusherkit": {"controls": False}}

    def still(self) -> str:
        """The stages as a line; those that are lit bold, in a frame of their colour."""
        return boxed(" → ".join(_in_words(number, number in self.lit) for number in range(1, 7)))


def _in_words(number: int, on: bool) -> str:
    name = f"{number} {STAGES[number - 1]}"
    if not on:
        return name
    colour = PALETTE[f"s{number}"][0]
    return f"<b style='border:2px solid {colour};border-radius:1em;padding:2px 9px'>{name}</b>"


def stage_map(lit: Collection[int]) -> Picture:
    """The six stages in a row, each in its colour; those that are not lit are faint."""
    widths = (74, 80, 112, 150, 70, 74)

    def drawn(rows: tuple[tuple[int, ...], ...]) -> str:
        shapes, y = [], 4
        for numbers in rows:
            x = 4
            for number in numbers:
                width, on = widths[number - 1], number in lit
                look = (f"s{number}", f"t{number}") if on else ("bare", "small")
                words = f"{number} {STAGES[number - 1]}"
                shapes.append(tile(x, y, width, 30, words, *look, rx=15))
                if number < 6:
                    shapes.append(arrow(x + width + 3, y + 15, x + width + 17, y + 15))
                x += width + 20
            y += 42
        return "".join(shapes)

    names = " and ".join(STAGES[number - 1] for number in sorted(lit))
    title, desc = "Where you are", f"Six stages: {', '.join(STAGES)}."
    desc += f" This lesson is about {names}." if lit else ""
    wide, narrow = ((1, 2, 3, 4, 5, 6),), ((1, 2, 3), (4, 5), (6,))
    return Picture.both(title, desc, (676, 38, drawn(wide)), (330, 122, drawn(narrow)))


# --- the course ---------------------------------------------------------------------------------


def lessons() -> list[Lesson]:
    """Every lesson, in order."""
    beside_the_kit = [str(Path(__file__).parents[1])]
    for module in pkgutil.iter_modules(beside_the_kit):
        if not module.ispkg and not module.name.startswith("_"):
            importlib.import_module(f"pusherkit.lessons.{module.name}")
    return [LESSONS[name] for name in sorted(LESSONS)]


class Ledger(Live):
    """The last page: every prediction that went wrong, with its lesson, to be made once more.

    In a lesson's module `ledger = Ledger`, in its notebook `lesson.ledger()`. What somebody has
    predicted right since then is asked, too.
    """

    def __init__(self) -> None:
        record = PROGRESS.read()
        asked = [(lesson, each) for lesson in lessons() for each in lesson.predictions.values()]
        self._surprises = [
            (lesson, Ask(each, again=True))
            for lesson, each in asked
            if each.name in record.surprised
        ]
        self._made = sum(each.name in record.predictions for _, each in asked)
        self._open = {ask.prediction.name for _, ask in self._surprises} & set(record.surprises)
        super().__init__(View(LEDGER, status=UNKNOWN_LEDGER), hint="Run the cell to see yours.")

    def untouched(self) -> str:
        """A saved notebook shows its reader their surprises, and no answer before a choice."""
        return to_static(self.view)

    def hear(self, event: Event) -> None:
        number, _, option = event.id.partition(":")
        if number.isdigit() and int(number) < len(self._surprises):
            self._surprises[int(number)][1].hear(Event(event.kind, option))
        self.show(self.now())

    def now(self) -> View:
        status, good = self._standing()
        return View(
            LEDGER,
            status=status,
            good=good,
            below=tuple(
                self._asked(number, lesson, ask)
                for number, (lesson, ask) in enumerate(self._surprises)
            ),
        )

    def _standing(self) -> tuple[str, bool | None]:
        if not self._made:
            return "You haven't predicted anything yet. Each lesson asks you to.", None
        if not self._surprises:
            return "Nothing has surprised you: you saw all of it coming.", True
        chosen = [ask for _, ask in self._surprises if ask.chosen is not None]
        right = sum(ask.was_right for ask in chosen)
        opening = f"{len(self._surprises)} of your {self._made} predictions surprised you."
        if not chosen:
            return f"{opening} What would you say today?", None
        if right == len(self._surprises):
            return f"{opening} Today you know all of it. Well done!", True
        return f"{opening} Today: {right} of {len(chosen)} right.", None

    def _asked(self, number: int, lesson: Lesson, ask: Ask) -> View:
        view = addressed(number, ask)
        again = " You've had it right since then." if ask.prediction.name not in self._open else ""
        end = "" if lesson.title.endswith("?") else "."
        note = f"From lesson {lesson.name[:2]}, {lesson.title}{end}{again}"
        if ask.chosen is None:
            note += " Forgotten what it was about? Look there first."
        return replace(view, title=ask.prediction.question, note=note)


LEDGER = "What surprised you"
UNKNOWN_LEDGER = "Each prediction that went wrong, with its lesson, to be made once more."


class Course(Live):
    """How far somebody has come: a line for each lesson, then what surprised them."""

    def __init__(self) -> None:
        self._lessons = lessons()
        blank = tuple(_row(each, 0, each.done(Record())[1]) for each in self._lessons)
        super().__init__(View("Your progress", blank), hint="Run the cell to see yours.")

    def untouched(self) -> str:
        """As far as somebody has come, though they did nothing here."""
        return to_static(self.view)

    def hear(self, event: Event) -> None:
        if event.id == "really":
            keeper.reset()
            PROGRESS.reset()
        self.show(self.now(sure=event.id == "forget"))

    def now(self, *, sure: bool = False) -> View:
        """What is done; with `sure`, asking whether to forget it."""
        record = PROGRESS.read()
        asked = {
            each.name: (lesson.title, each)
            for lesson in self._lessons
            for each in lesson.predictions.values()
        }
        counts = [each.done(record) for each in self._lessons]
        done, total = (sum(column) for column in zip(*counts, strict=True))
        start_over = (Action("forget", "Start over"),)
        really = (Action("really", "Yes, forget it"), Action("keep", "No, keep it", True))
        return View(
            "Your progress",
            tuple(_row(each, *count) for each, count in zip(self._lessons, counts, strict=True)),
            status=f"{done} of {total} exercises passed.",
            good=True if done == total else None,
            details=tuple(
                Fact(title, each.question, each.why, kind="prose")
                for title, each in (asked[name] for name in record.surprises if name in asked)
            ),
            fold="What surprised you",
            actions=really if sure else start_over if record != Record() else (),
            # At the buttons, where the eyes are.
            note="Forget all that you've passed and predicted?" + keeper.warning() if sure else "",
        )


def _row(lesson: Lesson, passed: int, every: int) -> Fact:
    name = f"{lesson.name[:2]} {lesson.title}".replace(" ", "\xa0")  # in one line
    return Fact(name, f"{'●' * passed}{'○' * (every - passed)} {passed} of {every}", kind="prose")
