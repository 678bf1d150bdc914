"""What a check does with whatever a learner's function does, and what it says about a result."""

from __future__ import annotations

import functools
import itertools
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pusherkit.lessons.kit import Event, Fact, Lesson, Outcome, Wrong, difference, shown
from pusherkit.lessons.kit import guard as guard_module
from pusherkit.lessons.kit.exercise import Exercise, Feedback
from pusherkit.lessons.kit.lesson import LESSONS
from pusherkit.lessons.kit.source import solution_of
from pusherkit.lessons.kit.view import to_html, to_text


def _lists(chance: random.Random) -> Iterator[tuple[list[int]]]:
    for _ in range(3):
        yield (chance.sample(range(100), 5),)


@pytest.fixture
def biggest() -> Iterator[Exercise]:
    lesson = Lesson("99-made-up")

    @lesson.exercise(given=_lists)
    def biggest(numbers: list[int]) -> int:
        """Return the biggest of some numbers."""
        return max(numbers)

    biggest.hint("There is a builtin for it.")
    biggest.hint("It's the opposite of min().")
    biggest.wrong("That's the smallest.", min)
    biggest.why("max() looks at each once.")
    biggest.next("Do it without max().")
    yield biggest
    del LESSONS["99-made-up"]


# --- functions that misbehave ---------------------------------------------------------------------


def _for_ever(numbers: list[int]) -> int:
    while True:
        pass


def _for_ever_on_one_line(numbers: list[int]) -> int:
    while True: pass  # fmt: skip  # noqa: E701


def _for_ever_whatever_happens(numbers: list[int]) -> int:
    while True:
        try:
            list(map(str, range(1000)))
        except Exception:
            continue


def _counting(numbers: list[int]) -> int:
    return sum(1 for _ in itertools.repeat(1))


class _Looping:
    def __call__(self, numbers: list[int]) -> int:
        while True:
            pass

    def method(self, numbers: list[int]) -> int:
        while True:
            pass


@pytest.mark.parametrize(
    "answer",
    [
        _for_ever,
        _for_ever_on_one_line,
        _for_ever_whatever_happens,
        _counting,
        _Looping(),
        _Looping().method,
        functools.cache(_for_ever),
    ],
)
def test_a_loop_without_end_is_stopped(
    biggest: Exercise, answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "TIME_LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(biggest, "_given", lambda chance: [((1, 2),)])  # what a cache can hold
    feedback = biggest.check(answer)
    assert feedback.outcome is Outcome.ERROR
    assert "still running after 0.2 seconds" in feedback.message
    assert feedback.facts[0].name.startswith("Line ")


def test_what_takes_too_long_outside_a_function_of_theirs_is_no_error_of_the_check(
    biggest: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing looks at the clock inside a partial; the next step is the guard's own."""
    monkeypatch.setattr(guard_module, "TIME_LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(biggest, "_given", lambda chance: [([1, 2],)])
    before, began = sys.gettrace(), time.monotonic()

    def slow(numbers: list[int]) -> int:
        while time.monotonic() < began + 0.4:
            pass
        return max(numbers)

    assert biggest.check(functools.partial(slow)).outcome is Outcome.PASSED
    assert sys.gettrace() is before


def test_interrupt_stops_it_and_is_answered_with_a_sentence(biggest: Exercise) -> None:
    began = threading.Event()

    def slow(numbers: list[int]) -> int:
        began.set()
        while True:
            pass

    def interrupt() -> None:
        began.wait(5)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    # What a shell starts in the background ignores the signal; a kernel never does.
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        feedback = biggest.check(slow)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, kept)
    assert feedback.outcome is Outcome.ERROR
    assert feedback.message == "You interrupted your code while it ran."


def _recursing(numbers: list[int]) -> int:
    return _recursing(numbers)


def _yielding(numbers: list[int]) -> Iterator[int]:
    yield max(numbers)


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (_recursing, Outcome.ERROR, "keeps calling itself"),
        (lambda numbers: int(input("? ")), Outcome.ERROR, "input(), and nobody is there to type"),
        (lambda numbers: sys.exit(3), Outcome.ERROR, "called exit()"),
        (lambda numbers: None, Outcome.WRONG, "returned None here. Did you forget a `return`?"),
        (lambda numbers: (n for n in numbers), Outcome.WRONG, "that's what `(… for … in …)` makes"),
        (_yielding, Outcome.WRONG, "because it has a `yield`"),
        (lambda: 3, Outcome.ERROR, "TypeError"),
        (iter, Outcome.WRONG, "should be a whole number"),
        (3, Outcome.WRONG, "Pass its name, biggest, without brackets"),
    ],
)
def test_what_else_a_function_may_do(
    biggest: Exercise, answer: Any, outcome: Outcome, said: str
) -> None:
    feedback = biggest.check(answer)
    assert feedback.outcome is outcome
    assert said in feedback.message


def test_a_missing_return_is_shown_with_the_call_that_missed_it(biggest: Exercise) -> None:
    def some(numbers: list[int]) -> int | None:
        return max(numbers) if numbers == first else None

    first, second = [], []  # type: ignore[var-annotated]
    biggest._given = lambda chance: [(first,), (second,)]
    first[:], second[:] = [1, 2], [3, 4]
    assert biggest.check(some).facts == (Fact("Called with", "[3, 4]"),)


def test_an_error_is_shown_with_the_call_that_it_came_from(biggest: Exercise) -> None:
    def divided(numbers: list[int]) -> int:
        numbers.append(0)  # what it does to its argument isn't shown
        return 1 // (max(numbers) - 4)

    biggest._given = lambda chance: [([1, 2],), ([3, 4],), ([5, 6],)]
    feedback = biggest.check(divided)
    assert feedback.message.startswith("ZeroDivisionError")
    line, called = feedback.facts
    assert line.value == "return 1 // (max(numbers) - 4)"
    assert called == Fact("Called with", "[3, 4]")


def test_a_call_is_shown_in_full_but_not_without_end(biggest: Exercise) -> None:
    class Anything:
        pass

    biggest._given = lambda chance: [("a" * 500, Anything(), len, _recursing, "b" * 1_000_000)]
    called = biggest.check(lambda *anything: 1 // 0).facts[-1].value
    assert called.startswith(f"'{'a' * 500}', <Anything>, <built-in function len>, <function _")
    assert " at 0x" not in called
    assert len(called) < 1_500


def test_the_broken_function_is_open_only_until_it_is_changed(biggest: Exercise) -> None:
    def given(numbers: list[int]) -> int:
        """To be fixed."""
        return sorted(numbers)[1]

    def renamed(numbers: list[int]) -> int:
        ordered = sorted(numbers)
        return ordered[1]

    biggest.broken("It's the second smallest.", given)
    untouched: dict[str, Any] = {}
    exec("def biggest(numbers):\n\n    return sorted(numbers)[1]", untouched)
    assert biggest.check(untouched["biggest"]).outcome is Outcome.OPEN
    changed = biggest.check(renamed)
    assert changed.outcome is Outcome.WRONG
    assert changed.message == "It still does what it did before. It's the second smallest."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "`letter` is None, so there's no answer in it yet."),
        ((n for n in "B"), "a value: text (str). Yours is a generator."),
        (print, "a value: text (str)"),
        ("b", 'one of the capital letters, such as `"A"`'),
        ("", "one of the capital letters"),
        ("E", "It isn't that one."),
        (3, "should be text (str), and yours is a whole number"),
    ],
)
def test_a_value_is_not_spoken_of_as_a_function(answer: Any, said: str) -> None:
    lesson = Lesson("99-made-up")

    @lesson.value
    def letter() -> str:
        """Find the letter."""
        return "B"

    assert said in letter.check(answer).message
    del LESSONS["99-made-up"]


def test_an_async_function_is_told_so(biggest: Exercise) -> None:
    async def answer(numbers: list[int]) -> int:
        return max(numbers)

    assert "Use plain `def`" in biggest.check(answer).message


def test_megabytes_of_print_are_cut_and_the_notebook_stays_clean(
    biggest: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    def chatty(numbers: list[int]) -> int:
        print("x" * 10_000_000)
        return max(numbers)

    feedback = biggest.check(chatty)
    assert feedback.outcome is Outcome.PASSED
    (printed,) = (fact for fact in feedback.facts if fact.name == "It printed")
    assert len(printed.value) == guard_module.PRINTED_CHARACTERS
    assert capsys.readouterr().out == ""


def test_a_function_that_changes_its_argument_is_judged_by_its_result(biggest: Exercise) -> None:
    def emptying(numbers: list[int]) -> int:
        numbers.sort()
        found = numbers.pop()
        numbers.clear()
        return found

    assert biggest.check(emptying).outcome is Outcome.PASSED


def test_a_result_with_a_mind_of_its_own_raises_nothing(biggest: Exercise) -> None:
    class Odd(int):
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            raise RuntimeError

    assert biggest.check(lambda numbers: Odd(3)).outcome is Outcome.WRONG


def test_tracing_is_put_back(biggest: Exercise) -> None:
    before = sys.gettrace()
    biggest.check(max)
    biggest.check(_recursing)
    assert sys.gettrace() is before


def test_a_check_is_quick(biggest: Exercise) -> None:
    started = time.process_time()
    for _ in range(20):
        biggest.check(max)
    assert time.process_time() - started < 2


# --- what is said about a result ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "received", "said"),
    [
        ("a&b", "a&c", "The first 2 characters are right. The next one isn't."),
        ("ab", "ac", "The first character is right. The next one isn't."),
        ("a&b", "a&b&c", "it should end"),
        ("A", "a", "mind upper and lower case"),
        ("xyz", "abc", "differs from the very first character on"),
        ("a&b", "a", "ends too early"),
        (b"a", "a", "should be bytes, and yours is text (str)"),
        ("0" * 32, "1" * 32, "the right kind of hash, but of other bytes"),
        ("0" * 32, "1" * 64, "has 64 hex digits; it should have 32"),
        ((1, "a"), (1, "b"), "Part 2 isn't right yet"),
        ({"A": 1, "B": 2}, {"A": 1, "B": 3}, "Look again at: 'B'"),
        (1, True, "should be a whole number, and yours is a bool"),
        (3, 4, "another value than expected"),
    ],
)
def test_a_difference_helps_and_never_gives_the_answer_away(
    expected: Any, received: Any, said: str
) -> None:
    wrong = difference(expected, received)
    assert said in wrong.message
    assert repr(expected) not in wrong.message + "".join(fact.value for fact in wrong.facts)


def test_a_dict_is_shown_in_its_own_order_and_never_whole() -> None:
    assert shown({"name": 1, "channel": 2}) == "{'name': 1, 'channel': 2}"
    assert len(shown(dict.fromkeys(range(1_000), "x" * 1_000))) <= 401
    nested: list[Any] = []
    nested.append(nested)
    assert shown(nested)


def test_what_the_learner_returned_is_the_first_fact() -> None:
    fact = Fact("Expected", "4")
    assert Wrong("No.", fact, yours=None).facts == (Fact("Yours", "None"), fact)
    assert Wrong("No.", fact).facts == (fact,)


def test_a_judge_speaks_for_itself(biggest: Exercise) -> None:
    @biggest.judge
    def too_small(result: int, numbers: list[int]) -> None:
        if result < max(numbers):
            raise Wrong("One of them is bigger.", Fact("Numbers", str(numbers)))

    feedback = biggest.check(lambda numbers: sorted(numbers)[-2])
    assert feedback.message == "One of them is bigger."
    assert feedback.facts[0].name == "Numbers"


# --- the card -------------------------------------------------------------------------------------


def test_hint_and_solution_are_a_press_away(biggest: Exercise) -> None:
    card = biggest.check(min)
    assert card.message == "That's the smallest."
    assert [action.label for action in card.view.actions] == ["Hint", "Show a solution"]
    card.hear(Event("press", "hint"))
    assert "There is a builtin" in to_text(card.view)
    assert "opposite of min" not in to_text(card.view)
    again = biggest.check(min)  # what was open stays open
    assert "There is a builtin" in to_text(again.view)
    assert again.view.actions[0].label == "Another hint"
    card.hear(Event("press", "hint"))
    assert "opposite of min" in to_text(card.view)
    assert [action.id for action in card.view.actions] == ["solution"]
    card.hear(Event("press", "solution"))
    assert "return max(numbers)" in to_text(card.view)
    assert 'data-copy="def biggest(numbers' in to_html(card.view)


def test_a_card_escapes_what_the_learner_wrote(biggest: Exercise) -> None:
    card = Feedback(biggest, Outcome.WRONG, "<b>", (Fact("Yours", "<script>"),))
    bundle = card._repr_mimebundle_()["text/html"]
    for raw in ("<b>", "<script>"):
        assert raw not in bundle
        assert raw not in to_html(card.view)


def _spelled() -> str:
    """A task."""
    letters = "abc"
    return letters.upper()


def test_a_value_is_printed_as_an_assignment() -> None:
    assert solution_of(_spelled, as_value=True) == 'letters = "abc"\n_spelled = letters.upper()'


def _typed(text: str, chance: random.Random, *, most: int = 3) -> dict[str, Any]:
    return {text: chance.random()}


def test_a_printed_solution_asks_for_no_import() -> None:
    assert solution_of(_typed) == (
        "def _typed(text, chance, *, most=3):\n    return {text: chance.random()}"
    )
