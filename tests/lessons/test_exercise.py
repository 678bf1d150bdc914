"""Every exercise of every lesson: the four outcomes, and each known wrong answer by itself."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import pusherkit.lessons
from pusherkit.lessons._exercise import Exercise, Feedback, Mistake, Outcome, difference, equals
from pusherkit.lessons._interactive import Fact

LESSONS = [
    importlib.import_module(f"pusherkit.lessons.{module.name}")
    for module in pkgutil.iter_modules(pusherkit.lessons.__path__)
    if not module.name.startswith("_") and not module.ispkg
]
LESSONS = [lesson for lesson in LESSONS if hasattr(lesson, "NOTEBOOK")]  # not on the kit yet
EXERCISES = {
    f"{lesson.__name__.rsplit('.')[-1]}.{name}": value
    for lesson in LESSONS
    for name, value in vars(lesson).items()
    if isinstance(value, Exercise)
}
MISTAKES = [
    pytest.param(exercise, mistake, id=f"{name}-{number}")
    for name, exercise in EXERCISES.items()
    for number, mistake in enumerate(exercise.mistakes)
]
CHECKS = 20  # so that every kind of instance that an exercise can draw comes up
each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES.keys())


def test_every_lesson_has_exercises() -> None:
    assert {name.split(".")[0] for name in EXERCISES} == {
        lesson.__name__.rsplit(".")[-1] for lesson in LESSONS
    }


@pytest.mark.parametrize(("name", "exercise"), EXERCISES.items())
def test_an_exercise_knows_its_name(name: str, exercise: Exercise) -> None:
    assert exercise.name == name


@each_exercise
def test_the_three_dots_are_not_attempted(exercise: Exercise) -> None:
    assert exercise.check(...).outcome is Outcome.NOT_ATTEMPTED


@each_exercise
def test_the_untouched_stub_is_not_attempted(exercise: Exercise) -> None:
    assert exercise.check(exercise.stub).outcome is Outcome.NOT_ATTEMPTED


@each_exercise
def test_the_right_answer_is_right(exercise: Exercise) -> None:
    for _ in range(CHECKS):
        assert exercise.check(exercise.right) == Feedback(Outcome.RIGHT, exercise.task)


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_each_mistake_gets_its_own_message(exercise: Exercise, mistake: Mistake) -> None:
    for _ in range(CHECKS):
        assert exercise.check(mistake.answer) == Feedback(Outcome.WRONG, mistake.message)
    assert [other.message for other in exercise.mistakes].count(mistake.message) == 1


@pytest.mark.parametrize(
    "exercise", [each for each in EXERCISES.values() if each._perform], ids=lambda each: each.task
)
def test_a_crash_is_the_learners_with_the_line(exercise: Exercise) -> None:
    def divide(*_: Any) -> float:
        return 1 / 0

    feedback = exercise.check(divide)
    assert feedback.outcome is Outcome.CRASHED
    assert feedback.message == "ZeroDivisionError: division by zero"
    assert [fact.value for fact in feedback.facts] == ["return 1 / 0"]


@each_exercise
@pytest.mark.parametrize("nonsense", [None, 3, "?", b"?", [], object(), print])
def test_no_answer_raises_and_nonsense_is_not_right(exercise: Exercise, nonsense: Any) -> None:
    feedback = exercise.check(nonsense)
    assert feedback.outcome in (Outcome.WRONG, Outcome.CRASHED)
    assert feedback.message


@each_exercise
def test_hints_come_one_by_one_and_the_last_stays(exercise: Exercise) -> None:
    exercise._hints_given = 0
    assert len(exercise.hints) >= 2
    given = [repr(exercise.hint()) for _ in range(len(exercise.hints) + 1)]
    assert given == [*exercise.hints, exercise.hints[-1]]


@each_exercise
def test_a_solution_ends_in_something_to_do(exercise: Exercise) -> None:
    assert "\nNow " in repr(exercise.solution())


def solution_of(name: str) -> tuple[set[str], dict[str, Any]]:
    """Run a solution's code as a learner would paste it; the names before, and all after."""
    lesson = importlib.import_module(f"pusherkit.lessons.{name.split('.')[0]}")
    names: dict[str, Any] = {**vars(pusherkit), **vars(lesson)}
    for own in EXERCISES:
        names.pop(own.split(".")[1], None)
    exec("import base64, hashlib, hmac, json, shlex", names)
    before = set(names)
    exec(repr(EXERCISES[name].solution()).split("\n\n")[0], names)
    return before, names


@pytest.mark.parametrize("name", EXERCISES)
def test_the_printed_solution_passes(name: str) -> None:
    """The last name that a solution binds is the answer."""
    before, names = solution_of(name)
    (*_, answer) = [value for key, value in names.items() if key not in before]
    assert EXERCISES[name].check(answer).outcome is Outcome.RIGHT


# --- the machinery ----------------------------------------------------------------------------


def exercise(**changes: Any) -> Exercise:
    given: dict[str, Any] = {
        "name": "a.b",
        "task": "The answer.",
        "judge": equals(42),
        "right": 42,
        "mistakes": (Mistake(41, "One more."),),
        "hints": ("a", "b"),
        "solution": "42\n\nNow 43.",
    }
    return Exercise(**given | changes)


def test_another_type_is_named() -> None:
    feedback = exercise().check("42")
    assert feedback.message == "Expected int, got str."
    assert feedback.facts == (Fact("Yours", "'42'"),)


def test_true_is_not_one() -> None:
    assert exercise(judge=equals(1), right=1, mistakes=()).check(True).outcome is Outcome.WRONG


def test_none_asks_for_return() -> None:
    assert "return" in exercise().check(None).message


@pytest.mark.parametrize(
    ("expected", "received", "said"),
    [("ab", "abc", "length of 2, got 3"), ("ab", "ba", "not the value"), (b"a", "a", "bytes")],
)
def test_a_difference_never_tells_the_answer(expected: Any, received: Any, said: str) -> None:
    message, facts = difference(expected, received)
    assert said in message
    assert repr(expected) not in message + "".join(fact.value for fact in facts)


def test_a_function_is_wanted_not_its_result() -> None:
    feedback = exercise(perform=lambda f: f(1), right=lambda x: 42, mistakes=()).check(42)
    assert feedback.message.startswith("Expected your function itself, got int.")


def test_feedback_escapes_what_the_learner_wrote() -> None:
    shown = Feedback(Outcome.WRONG, "<b>", (Fact("Yours", "<script>"),))._repr_html_()
    assert "<b>" not in shown
    assert "<script>" not in shown


def test_a_repr_is_short() -> None:
    assert repr(exercise()) == "Exercise: The answer."
    assert repr(exercise().check(41)) == "Not yet\n✗ One more."


def test_a_hint_displays_as_it_is() -> None:
    shown = exercise(hints=("a < b,\nc", "d")).hint()._repr_html_()
    assert "a &lt; b,\nc" in shown
    assert "white-space:pre-wrap" in shown


def test_what_stops_outside_the_learners_code_names_no_line() -> None:
    for crash in (lambda: None, iter):  # takes no argument; is not written in Python
        feedback = EXERCISES["start_here.deliver"].check(crash)
        assert feedback.outcome is Outcome.CRASHED
        assert feedback.message.startswith("TypeError: ")
        assert feedback.facts == ()
