"""What an exercise says to a wrong answer, read from its judge, and counted without its values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from pusherkit.lessons.kit import Exercise, Fact, Lesson, Wrong
from pusherkit.lessons.kit.exercise import Mistake, name_of
from pusherkit.lessons.kit.lesson import LESSONS
from pusherkit.lessons.kit.source import raised_by

CONSTANT = "As a constant has it."
BY_CAUSE = {"late": "It's late.", "early": "It's early.", "never": None}


def _helper(result: Any) -> None:
    if result == 7:
        raise Wrong("What a helper says.")


def _judge(result: Any, *_: Any) -> None:
    _helper(result)
    opening = "Refused"
    if result == 1:
        raise Wrong(f"{opening}: {result} of {_}, and {result}.", Fact("a", "b"))
    if result == 2:
        raise Wrong(CONSTANT)
    if result == 3:
        raise Wrong(BY_CAUSE["late"] or "")
    if result == 4:
        raise Wrong(BY_CAUSE[result])
    if result == 5:
        raise Wrong("One." if result else "Other.")
    said = f"{result}"
    if result == 6:
        raise Wrong(said)
    raise Wrong(str(result) + "made up")


def test_a_judges_sentences_are_found_with_gaps_for_their_values() -> None:
    assert raised_by(_judge, "Wrong") == (
        ("Refused: ", " of ", ", and ", "."),
        (CONSTANT,),
        ("It's late.",),
        ("It's early.",),
        ("One.",),
        ("Other.",),
        ("What a helper says.",),
    )


def test_a_judge_in_the_middle_of_a_statement_is_passed_over() -> None:
    both = (lambda result: _helper(result), None)
    assert raised_by(both[0], "Wrong") in ((), (("What a helper says.",),))


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        ("Refused: 401 of 3, and so on.", True),
        ("Refused:  of , and .", True),
        ("Refused: 401 of 3, and so on", False),
        ("Refused: 401 of 3.", False),
        ("Refused: 401, and 3.", False),
        ("Not refused: 401 of 3, and so on.", False),
        ("Refused: of , and.", False),
    ],
)
def test_a_message_fits_a_sentence_whatever_its_values_are(message: str, fits: bool) -> None:
    sentence = Mistake(("Refused: ", " of ", ", and ", "."))
    assert sentence.fits(message) is fits
    assert sentence.message == "Refused: … of …, and …."
    assert sentence.name == "refused-of-and"


def test_values_beside_each_other_are_one_gap() -> None:
    assert Mistake(("You have ", " ", " in ", "")).message == "You have … in …"
    assert name_of("Don't: it's `a_b`, and more words than a name has room for") == (
        "dont-its-a_b-and-more-words-than-a"
    )


def test_a_wrong_answer_is_counted_by_its_sentence(progress_file: Any) -> None:
    def given(chance: random.Random) -> Iterator[tuple[int]]:
        yield (chance.randrange(9),)

    def answer(value: int) -> int:
        """Return it."""
        return value

    lesson = Lesson("99-later")
    try:
        exercise: Exercise = lesson.exercise(given=given)(answer)
        exercise.judge(_judge)
        for result in (1, 2, 6, "secret words"):
            exercise.check(lambda value, result=result: result)
    finally:
        del LESSONS["99-later"]
    text = progress_file.read_text(encoding="utf-8")
    assert '"refused-of-and": 1' in text
    assert '"as-a-constant-has-it": 1' in text
    assert '"other": 2' in text
    assert "secret words" not in text
