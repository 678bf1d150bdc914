"""Exercises: check, hint, solution. A check shows one of four outcomes and never raises.

An answer is passed in, `exercise.check(answer)`: a value, or a function that the check calls. A
known mistake is itself an answer, so a wrong answer is recognised by what it does.
"""

from __future__ import annotations

import copy
import html
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import FunctionType
from typing import Any

from pusherkit.lessons._interactive import Fact, View, to_html, to_text
from pusherkit.lessons._progress import PROGRESS


class Outcome(Enum):
    """What a check can find."""

    NOT_ATTEMPTED = "Not attempted yet"
    WRONG = "Not yet"
    CRASHED = "Your code stopped"
    RIGHT = "Right"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a check says. Displays as a card, and as text."""

    outcome: Outcome
    message: str
    facts: tuple[Fact, ...] = ()

    def _view(self) -> View:
        good = {Outcome.RIGHT: True, Outcome.WRONG: False, Outcome.CRASHED: False}
        return View(
            self.outcome.value, self.facts, status=self.message, good=good.get(self.outcome)
        )

    def __repr__(self) -> str:
        return to_text(self._view())

    def _repr_html_(self) -> str:
        return to_html(self._view())


@dataclass(frozen=True, slots=True)
class Mistake:
    """A known wrong answer, and what to say to whoever gives it."""

    answer: Any
    message: str


@dataclass(frozen=True, slots=True)
class Text:
    """A hint or a solution. Displays as it is, line breaks included."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<pre style="white-space:pre-wrap">{html.escape(self.text)}</pre>'


# Says what is wrong with what an answer did, and shows it; None where it is right.
Judge = Callable[[Any], tuple[str, tuple[Fact, ...]] | None]


class Exercise:
    """One task with its checks. `name` is its module and name, under which progress is kept.

    `judge` looks at what an answer does and returns a sentence about what is wrong, with the
    Facts that show it, or None where it is right. What an answer does is `perform(answer)`: for
    a value the value itself, for a function what comes of calling it. `stub` is the answer in
    the untouched notebook and `right` one that passes; tests submit them and every mistake.
    """

    def __init__(
        self,
        *,
        name: str,
        task: str,
        judge: Judge,
        right: Any,
        mistakes: tuple[Mistake, ...],
        hints: tuple[str, ...],
        solution: str,
        perform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.name = name
        self.task = task
        self.right = right
        self.mistakes = mistakes
        self.hints = hints
        self._judge = judge
        self._solution = solution
        self._perform = perform
        self._hints_given = 0

    @property
    def stub(self) -> Any:
        """The answer in an untouched notebook."""
        return ... if self._perform is None else lambda *_: ...

    def check(self, answer: Any) -> Feedback:
        """Say what an answer amounts to. Never raises, whatever the answer does."""
        if answer is ...:
            return self._not_attempted()
        if self._perform is not None and not callable(answer):
            return Feedback(
                Outcome.WRONG,
                f"Expected your function itself, got {type(answer).__name__}. "
                "Pass its name, without brackets.",
            )
        try:
            done = self._do(answer)
        except Exception as error:
            return Feedback(
                Outcome.CRASHED, f"{type(error).__name__}: {error}", _where(error, answer)
            )
        if done is ...:
            return self._not_attempted()
        for mistake in self.mistakes:
            if _same(done, self._do(mistake.answer)):
                return Feedback(Outcome.WRONG, mistake.message)
        if (wrong := self._judge(done)) is not None:
            message, facts = wrong
            return Feedback(Outcome.WRONG, message, facts)
        PROGRESS.record(self.name)
        return Feedback(Outcome.RIGHT, self.task)

    def hint(self) -> Text:
        """The next hint; after the last, the last again."""
        number = min(self._hints_given, len(self.hints) - 1)
        self._hints_given = number + 1
        return Text(self.hints[number])

    def solution(self) -> Text:
        """One way to do it, and why."""
        return Text(self._solution)

    def __repr__(self) -> str:
        return f"Exercise: {self.task}"

    def _do(self, answer: Any) -> Any:
        return answer if self._perform is None else self._perform(answer)

    def _not_attempted(self) -> Feedback:
        return Feedback(Outcome.NOT_ATTEMPTED, f"Replace the three dots. {self.task}")


TRIALS = 3  # fresh instances that a function must get right in one check


class FunctionExercise(Exercise):
    """A task whose answer is a function, judged on three fresh instances at each check.

    `given` makes the arguments of one instance from a random generator, seeded by the exercise
    and the number of the check; `right` is a function that does the task.
    """

    def __init__(
        self,
        *,
        name: str,
        task: str,
        right: Callable[..., Any],
        given: Callable[[random.Random], tuple[Any, ...]],
        mistakes: tuple[Mistake, ...],
        hints: tuple[str, ...],
        solution: str,
    ) -> None:
        self._given = given
        self._trials: list[tuple[Any, ...]] = []
        self._checks = 0
        super().__init__(
            name=name,
            task=task,
            judge=self._judge_trials,
            right=right,
            mistakes=mistakes,
            hints=hints,
            solution=solution,
            perform=self._try,
        )

    def check(self, answer: Any) -> Feedback:
        self._checks += 1
        chance = random.Random(f"{self.name} {self._checks}")  # noqa: S311 - no secret
        self._trials = [self._given(chance) for _ in range(TRIALS)]
        return super().check(answer)

    def _try(self, answer: Any) -> Any:
        done = [answer(*copy.deepcopy(trial)) for trial in self._trials]
        return ... if any(each is ... for each in done) else done

    def _judge_trials(self, done: list[Any]) -> tuple[str, tuple[Fact, ...]] | None:
        for trial, received in zip(self._trials, done, strict=True):
            expected = self.right(*trial)
            if not _same(received, expected):
                message, facts = difference(expected, received)
                called = ", ".join(_cut(repr(argument)) for argument in trial)
                return message, (Fact("Called with", called), *facts)
        return None


def equals(expected: Any) -> Judge:
    """A judge for answers that must be one value."""

    def judge(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
        return None if _same(done, expected) else difference(expected, done)

    return judge


def difference(expected: Any, received: Any) -> tuple[str, tuple[Fact, ...]]:
    """Say how a value differs from the expected one, without telling the expected one."""
    if received is None:
        return "Your function returned None. Did you forget `return`?", ()
    if type(received) is not type(expected):
        return (
            f"Expected {type(expected).__name__}, got {type(received).__name__}.",
            (Fact("Yours", _cut(repr(received))),),
        )
    if isinstance(expected, str | bytes) and len(received) != len(expected):
        return (
            f"Expected a length of {len(expected)}, got {len(received)}.",
            (Fact("Yours", _cut(repr(received))),),
        )
    return "This is not the value that is asked for.", (Fact("Yours", _cut(repr(received))),)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _cut(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _where(error: Exception, answer: Any) -> tuple[Fact, ...]:
    """The line of the learner's code at which it stopped."""
    if not isinstance(answer, FunctionType):
        return ()
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == answer.__code__.co_filename
    ]
    if not frames:
        return ()
    return (Fact(f"Line {frames[-1].lineno} of the cell", frames[-1].line or "(no source)"),)
