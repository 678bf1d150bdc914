"""Lesson 06: two clocks on a ruler, and the judges of its exercises."""

from __future__ import annotations

import re
import time
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
    press(made, "End")
    assert made.values["ahead"] == lesson.FARTHEST
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
    assert (f"for another {left:,} s" if left else "until this second ends") in to_text(view)


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


def test_only_now_is_the_time() -> None:
    feedback = lesson.timestamp.check(lambda now: str(int(time.time())))
    assert feedback.outcome is Outcome.WRONG
    assert "Make it from `now`" in feedback.message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": "zone", "b": "milliseconds", "c": "late"}, "I don't know 'a'. The requests are A,"),
        ({"A": "time zone", "B": "milliseconds", "C": "late"}, "I don't know 'time zone'."),
        ({"A": ["zone"], "B": "milliseconds", "C": "late"}, "I don't know ['zone']."),
        ({"A": "zone", "B": "milliseconds"}, "Look again at: 'C'."),
    ],
)
def test_a_label_that_does_not_exist_is_named(value: Any, said: str) -> None:
    feedback = lesson.causes.check(value)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_statuses_that_are_wrong_are_shown_beside_the_right_ones() -> None:
    feedback = lesson.new_statuses.check(lambda messages: ["delivered"])
    assert feedback.outcome is Outcome.WRONG
    assert [fact.name for fact in feedback.facts] == ["Messages", "Yours", "Expected"]


def test_a_date_is_shown_as_iso_writes_it() -> None:
    feedback = lesson.timestamp_of.check(lambda date: str(int(date.timestamp()) + 1))
    assert feedback.outcome is Outcome.WRONG
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[0-9:]{8}[+-]\d\d:\d\d", feedback.facts[0].value)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        (0, lambda _: "1353088179", "another moment"),
        (1, lambda accepted: accepted[1:], "Part 2 is a list: True or False for each of the 6"),
        (1, lambda accepted: [not accepted[0], *accepted[1:]], "The clock of servers[0] is "),
        (2, lambda statuses: statuses[1:], "These aren't the statuses to show."),
    ],
)
def test_a_proof_says_which_part_is_wrong(part: int, change: Any, said: str) -> None:
    def prove_it(*arguments: Any) -> Any:
        right = lesson.prove_it(*arguments)
        return (*right[:part], change(right[part]), *right[part + 1 :])

    feedback = lesson.prove_it.check(prove_it)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_proof_may_round() -> None:
    def prove_it(now: float, servers: list[int], messages: list[str]) -> Any:
        sent = round(now)
        accepted = [abs(server - sent) <= 600 for server in servers]
        return str(sent), accepted, lesson.new_statuses(messages)

    assert lesson.prove_it.check(prove_it).outcome is Outcome.PASSED


def signs_before_the_wait(server: Any) -> int:
    answer = server.send(server.sign())
    while answer.status == 503:
        request = server.sign()
        server.wait(700)
        answer = server.send(request)
    return answer.status


def never_takes_no(server: Any, tries: int) -> int:
    answer = server.send(server.sign())
    while answer.status != 200 and len(server.tries) < tries:
        server.wait(700)
        answer = server.send(server.sign())
    return answer.status


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (signs_before_the_wait, "A request was 700 s old when it went out."),
        (lambda server: never_takes_no(server, 10), "This server has another secret"),
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

    for answer, status in ((never_waits, 503), (lambda each: never_takes_no(each, 99), 401)):
        feedback = lesson.publish.check(answer)
        assert feedback.outcome is Outcome.ERROR
        assert f"the last one answered {status}. When does your loop end?" in feedback.message
