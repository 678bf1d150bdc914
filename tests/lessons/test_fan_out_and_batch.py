"""Lesson 07: one request for many, the bucket, and the judges of its exercises."""

from __future__ import annotations

from typing import Any

import pytest

from pusherkit.lessons import fan_out_and_batch as lesson
from pusherkit.lessons.kit import Outcome
from pusherkit.lessons.kit.view import to_text

# --- one request ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "count", "size", "status"),
    [
        (False, 100, 16, 200),
        (False, 101, 16, 400),
        (True, 10, 16, 200),
        (True, 11, 16, 400),
        (True, 10, 102_400, 200),
        (True, 10, 102_401, 413),
        (False, 1, 0, 200),
    ],
)
def test_a_limit_takes_all_or_nothing_and_the_client_knows_it(
    batch: bool, count: int, size: int, status: int
) -> None:
    plan = lesson.Plan(batch, count, size)
    sent = lesson.dispatch(plan)
    assert sent.status == status
    assert len(sent.heard) == (count if status == 200 else 0)
    assert bool(plan.check()) is (status != 200)


def test_the_client_stops_it_until_somebody_insists() -> None:
    made = lesson.one_request()
    made.set(count="101")
    made.press("send")
    assert made.view.status == "The client refused it, so no request went out."
    made.set(anyway=True)
    made.press("send")
    assert made.view.status == "Refused, all of it: 0 of 101 arrived."
    assert "1 of them are over the limit of 100" in made.view.picture.desc
    made.set(count="100")
    assert made.view.status == "Ready: 1 request for 100 pages."
    made.press("send")
    assert made.view.status == "Accepted: 1 request, 1 signature, and 100 of 100 arrived."
    assert "All of them are lit" in made.view.picture.desc


# --- the bucket -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("wait", "arrived"), [(0, 2), (200, 3), (300, 4), (400, 5), (800, 5)])
def test_the_shortest_wait_with_which_all_arrive(wait: int, arrived: int) -> None:
    assert len(lesson.five_events(2, wait / 1000, back_off=False).heard) == arrived


def test_backing_off_loses_nothing_whatever_the_limit() -> None:
    for rate in (0.5, 1, 2, 10):
        server = lesson.five_events(rate, 0, back_off=True)
        assert [message.data for message in server.heard] == list("ABCDE")


def test_the_bucket_is_full_until_somebody_presses() -> None:
    made = lesson.bucket()
    assert (made.view.good, made.view.status[:18]) == (None, "The bucket is full")
    made.press("send")
    assert made.view.status == "3 of 5 are lost: refused, and never sent again."
    made.set(back_off="wait as long as it says, and try again")
    made.press("send")
    assert made.view.good is True
    assert "signed at" in to_text(made.view)


# --- the exercises --------------------------------------------------------------------------------


def tries_again_after_success(server: Any) -> int:
    for _ in range(2):
        status = server.send(server.sign()).status
    return status


def never_gives_up(server: Any) -> int:
    answer = server.send(server.sign())
    while answer.status == 429:
        server.wait(answer.retry_after)
        answer = server.send(server.sign())
    return answer.status


def gives_up_after_two(server: Any) -> int:
    for _ in range(2):
        answer = server.send(server.sign())
        if answer.retry_after is None:
            break
        server.wait(answer.retry_after)
    return answer.status


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (lambda server: None, Outcome.WRONG, "Nothing was sent"),
        (tries_again_after_success, Outcome.WRONG, "you sent it again"),
        (never_gives_up, Outcome.ERROR, "When does your loop end?"),
        (gives_up_after_two, Outcome.WRONG, "You gave up after 2"),
        (lambda s: lesson.back_off.solve(s) and 0, Outcome.WRONG, "Return the last status"),
    ],
)
def test_backing_off_the_wrong_way(answer: Any, outcome: Outcome, said: str) -> None:
    feedback = lesson.back_off.check(answer)
    assert feedback.outcome is outcome
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda attempt, chance: -1, "wait from 0 to 2 s"),
        (lambda attempt, chance: "1", "a number of seconds"),
        (lambda attempt, chance: 2**attempt * chance.random() + 2, "wait from 0 to"),
    ],
)
def test_a_pause_that_is_none(answer: Any, said: str) -> None:
    feedback = lesson.pause.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_another_way_to_be_random_will_do() -> None:
    feedback = lesson.pause.check(lambda attempt, chance: chance.random() * min(30, 2**attempt))
    assert feedback.outcome is Outcome.PASSED


def test_events_that_arrive_twice_or_in_another_order() -> None:
    def backwards(client: Any, events: list[Any]) -> None:
        lesson.publish.solve(client, events[::-1])

    feedback = lesson.publish.check(backwards)
    assert feedback.message == "They all arrived, but not once each and in order."
