"""Lesson 06: two clocks on a ruler, and the judges of its exercises."""

from __future__ import annotations

from typing import Any

import pytest

from pusherkit.lessons import clock_and_replay as lesson
from pusherkit.lessons.kit import Event, Outcome
from pusherkit.lessons.kit.view import to_text


def press(made: Any, key: str, times: int = 1) -> None:
    for _ in range(times):
        made.hear(Event("key", "clock", key=key))


@pytest.mark.parametrize(("key", "seconds"), [("ArrowRight", 1), ("ArrowLeft", -1)])
def test_the_window_ends_after_600_seconds_on_both_sides(key: str, seconds: int) -> None:
    made = lesson.two_clocks()
    press(made, "PageUp" if seconds > 0 else "PageDown", 10)
    assert made.values["ahead"] == 600 * seconds
    assert made.view.good is True
    press(made, key)
    assert made.view.good is False
    assert made.view.status == "Refused: Timestamp expired."
    press(made, "Home")
    assert (made.values["ahead"], made.view.good) == (0, True)


@pytest.mark.parametrize(("ahead", "left"), [(0, 600), (-600, 1200), (599, 1), (600, 0)])
def test_a_copy_is_good_until_the_server_is_600_seconds_past_the_timestamp(
    ahead: int, left: int
) -> None:
    stamp = str(lesson.EXAMPLE_TIMESTAMP)
    clock = lesson.EXAMPLE_TIMESTAMP + ahead
    assert lesson.server_says(stamp, clock + left) == ""
    assert lesson.server_says(stamp, clock + left + 1)
    view = lesson._two_clocks(lesson.WAYS["whole seconds"], ahead)
    assert f"for another {left:,} s" in to_text(view)


def test_a_drag_sets_the_clock_and_ends_at_the_edges() -> None:
    made = lesson.two_clocks()
    made.hear(Event("drag", "clock", x=lesson.MIDDLE + 50))
    assert made.values["ahead"] == 300
    made.hear(Event("drop", "clock", x=10_000.0))
    assert made.values["ahead"] == lesson.FARTHEST
    assert "Server's clock" in made.view.picture.shapes


@pytest.mark.parametrize(
    ("way", "said", "where"),
    [
        ("whole seconds", "Accepted.", "inside"),
        ("milliseconds", "Refused: Timestamp expired.", "isn't anywhere on this ruler"),
        ("a fraction", "Refused: Timestamp required.", "isn't anywhere on this ruler"),
        ("the wall clock, taken for UTC", "Refused: Timestamp expired.", "isn't anywhere"),
    ],
)
def test_each_way_to_write_the_time(way: str, said: str, where: str) -> None:
    made = lesson.two_clocks()
    made.set(way=way)
    assert made.view.status == said
    assert where in made.view.picture.desc


def test_rounding_is_fine_too() -> None:
    assert lesson.timestamp.check(lambda now: str(round(now))).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda server: (server.send(server.sign()) and server.wait(9)) or 200, "never accepted"),
        (lambda server: lesson.publish.solve(server) and None, "and not None"),
    ],
)
def test_a_retry_that_does_not_do(answer: Any, said: str) -> None:
    feedback = lesson.publish.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_loop_without_an_end_is_ended() -> None:
    def never_waits(server: Any) -> int:
        while (answer := server.send(server.sign())).status == 503:
            pass
        return answer.status

    feedback = lesson.publish.check(never_waits)
    assert feedback.outcome is Outcome.ERROR
    assert "When does your loop end?" in feedback.message
