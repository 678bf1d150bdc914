"""Predictions and recall: a question, a choice, and only then what the code says.

    @lesson.predict(
        "Do these bytes have the MD5 that is printed beside them?",
        {"Yes": "They would, if …", "No": "Good instinct: …"},
        why="The page hashed a compact body and prints it with spaces.",
    )
    def printed() -> tuple[str, Fact]:      # the reveal shows this, without the Fact, to be run
        md5 = hashlib.md5(PRINTED).hexdigest()
        return "Yes" if md5 == PUBLISHED_MD5 else "No", Fact("Its MD5", md5)

The function returns the right option and the facts that show it. It runs, once, when that is first
needed, so a stored answer can't be wrong.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pusherkit.lessons.kit.progress import PROGRESS
from pusherkit.lessons.kit.source import deciding
from pusherkit.lessons.kit.stage import Event, Live
from pusherkit.lessons.kit.view import Action, Fact, View

CHOOSE = "Choose, and see. A guess is fine."


class Prediction:
    """A question with its options, and the function that decides it. Call it to ask it."""

    def __init__(
        self,
        decide: Callable[[], Any],
        question: str,
        options: Mapping[str, str],
        why: str,
    ) -> None:
        self.decide = decide
        self.name = f"{decide.__module__.rsplit('.')[-1]}.{decide.__name__}"
        self.question = question
        self.options = dict(options)
        self.why = why
        self.__doc__ = inspect.getdoc(decide)

    def __call__(self) -> Ask:
        return Ask(self)

    @functools.cached_property
    def decided(self) -> tuple[str, tuple[Fact, ...]]:
        """The right option, and the facts that show it; from running the code."""
        decided = self.decide()
        if isinstance(decided, str):
            return decided, ()
        right, *facts = decided
        return right, tuple(facts)

    @functools.cached_property
    def code(self) -> str:
        """What decides it, to be run."""
        return deciding(self.decide)

    def right(self) -> str:
        """The right option."""
        return self.decided[0]

    def __repr__(self) -> str:
        return f"Prediction {self.name}: {self.question}"


class Ask(Live):
    """One prediction on the screen. The first choice is recorded; others can be tried after it."""

    def __init__(
        self, prediction: Prediction, *, recalled: bool = False, again: bool = False
    ) -> None:
        self.prediction = prediction
        self._recalled = recalled or again
        self._again = again
        self.chosen: str | None = None
        self._is_first = True
        self.was_right = False  # with the first choice, which is the one that counts
        super().__init__(self._twin())

    def choose(self, option: str) -> None:
        """Record a choice, run the code, and show both."""
        self._is_first = self.chosen is None
        if self._is_first:
            self.was_right = option == self.prediction.right()
            PROGRESS.predicted(self.prediction.name, option, self.was_right)
        self.chosen = option
        self.show(self.now())

    def hear(self, event: Event) -> None:
        options = list(self.prediction.options)
        if event.id.isdigit() and int(event.id) < len(options):
            self.choose(options[int(event.id)])

    def _title(self) -> str:
        return f"Once more: {self.prediction.question}" if self._again else self.prediction.question

    def _twin(self) -> View:
        right, facts = self.prediction.decided
        return View(
            self._title(),
            (Fact("Options", " · ".join(self.prediction.options), kind="prose"),),
            details=(
                Fact("It is", right, kind="prose"),
                *facts,
                Fact("Why", self.prediction.why, kind="prose"),
            ),
            fold="The answer",
        )

    def now(self) -> View:
        """The card as it is now: before a choice, only the question."""
        chosen = self.chosen
        right, facts = self.prediction.decided if chosen else ("", ())
        actions = tuple(
            Action(str(number), option, pressed=option == chosen, mark=_mark(option, chosen, right))
            for number, option in enumerate(self.prediction.options)
        )
        if chosen is None:
            return View(self._title(), note=CHOOSE, actions=actions)
        hit = chosen == right
        # What is remembered is no surprise, and neither is what was shown a moment ago.
        foreseen = self._is_first and not self._recalled
        yes, no = ("You saw it coming.", "Surprise") if foreseen else ("Right.", "Not quite")
        opening = yes if hit else f"{no}: it's “{right}”."
        return View(
            self._title(),
            (
                Fact("Your choice", f"“{chosen}”. {self.prediction.options[chosen]}", kind="prose"),
                *facts,
                Fact("Why", self.prediction.why, kind="prose"),
            ),
            status=opening,
            good=True if hit else None,  # a surprise is nothing to be red about
            actions=actions,
            code=self.prediction.code,
        )


def _mark(option: str, chosen: str | None, right: str) -> str:
    if chosen is None:
        return "○"
    return "✓" if option == right else "●" if option == chosen else "○"


class Recall(Live):
    """Several questions in one card: those of this lesson, then what was a surprise earlier.

    The twin has only the lesson's own questions: what surprised somebody is theirs alone.
    """

    def __init__(
        self, title: str, questions: Sequence[Prediction], again: Sequence[Prediction] = ()
    ) -> None:
        self._title = title
        self.asks = [Ask(each, recalled=True) for each in questions] + [
            Ask(each, again=True) for each in again
        ]
        super().__init__(View(title, below=tuple(ask.twin for ask in self.asks[: len(questions)])))

    def hear(self, event: Event) -> None:
        number, _, option = event.id.partition(":")
        if number.isdigit() and int(number) < len(self.asks):
            self.asks[int(number)].hear(Event(event.kind, option))
        self.show(self.now())

    def now(self) -> View:
        return View(self._title, below=tuple(addressed(n, ask) for n, ask in enumerate(self.asks)))


def addressed(number: int, ask: Ask) -> View:
    """A question as it is now, for a card of several: its options report their number, too."""
    view = ask.now()
    actions = tuple(replace(action, id=f"{number}:{action.id}") for action in view.actions)
    return replace(view, actions=actions)
