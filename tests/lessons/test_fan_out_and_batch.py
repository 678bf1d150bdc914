"""Lesson 07: one request for many, the bucket, and the judges of its exercises."""

from __future__ import annotations

import json
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
    says, heard = lesson.dispatch(plan)
    assert says.startswith(f"{status} ")
    assert len(heard) == (count if status == 200 else 0)
    assert bool(plan.check()) is (status != 200)


def test_the_client_stops_it_until_somebody_insists() -> None:
    made = lesson.one_request()
    made.set(count="101")
    made.press("send")
    assert made.view.status == "The client refused it, so no request went out."
    made.set(anyway=True)
    made.press("send")
    assert made.view.status == "Refused, all of it: 0 of 101 arrived."
    assert "The limit is 100. All of them are crossed out." in made.view.picture.desc
    assert made.view.picture.shapes.count("✗") == 101, "all of them, and not the last alone"
    assert made.view.picture.shapes.count("class='wrong'") == 2, "a second frame for it"
    made.set(count="100")
    assert made.view.status == "Ready: 1 request for 100 pages."
    assert "✗" not in made.view.picture.shapes
    made.press("send")
    assert made.view.status == "Accepted: 1 request, 1 signature, and 100 of 100 arrived."
    assert "All of them are ticked" in made.view.picture.desc


def test_nothing_is_crossed_out_before_it_is_sent_and_few_squares_take_little_room() -> None:
    made = lesson.one_request()
    made.set(count="101")
    assert "✗" not in made.view.picture.shapes
    made.set(count="11")
    assert made.view.picture.height == made.view.picture.narrow.height == 40


@pytest.mark.parametrize("typed", ["", "1e9", "3.5", "-1", "120001", "²", "9" * 5_000])
def test_a_size_that_is_none_is_refused_and_not_guessed(typed: str) -> None:
    made = lesson.one_request()
    made.set(size=typed)
    assert made.view.verdict == "✗ Bytes of data: type a whole number from 0 to 120,000."
    made.set(size="102,401")
    assert made.view.status.startswith("Ready")


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


def waits_whatever_comes(server: Any) -> int:
    for _ in range(5):
        answer = server.send(server.sign())
        if answer.status == 200:
            break
        server.wait(answer.retry_after)
    return answer.status


def waits_longer_with_the_old_signature(server: Any) -> int:
    signature = server.sign()
    while (answer := server.send(signature)).status == 429:
        server.wait(answer.retry_after + 1)
    return answer.status


def never_takes_no(server: Any) -> int:
    for _ in range(5):
        answer = server.send(server.sign())
        if answer.status == 200:
            break
        server.wait(answer.retry_after or 1)
    return answer.status


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (waits_whatever_comes, Outcome.ERROR, "wait: expected a number of seconds, got None"),
        (waits_longer_with_the_old_signature, Outcome.WRONG, "You gave up after 2, with a 401"),
        (never_takes_no, Outcome.WRONG, "It answered 401, and you tried again."),
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


def _ends_early(things: list[Any], most: int) -> list[list[Any]]:
    return [things[at : at + most] for at in range(0, len(things) - 1, most)]


def _at_least_one(things: list[Any], most: int) -> list[list[Any]]:
    return [things[at : at + most] for at in range(0, max(len(things), 1), most)]


def _publishes_all_but_the_last(client: Any, events: list[Any]) -> None:
    for part in _ends_early(events, 10):
        client.trigger_batch(part)


WRONG = [
    ("split", lambda channels: _ends_early(channels, 100), "Of 101 channels, the last is missing."),
    ("split", lambda channels: _at_least_one(channels, 100), "One of your lists is empty"),
    ("split", lambda channels: [] if len(channels) == 1 else lesson.split(channels), "one channel"),
    (
        "batches",
        lambda events: [{"batch": part} for part in _ends_early(events, 10)],
        "Of 11 events, the last is missing.",
    ),
    (
        "batches",
        lambda events: [{"batch": part} for part in _at_least_one(events, 10)],
        "One of your lists is empty",
    ),
    ("publish", _publishes_all_but_the_last, "Of 11 events, 1 never arrived."),
    ("split", lambda channels: channels[:100], "a list that holds lists of channels"),
    ("split", lambda channels: [channels], "in one request. Over 100, the server refuses"),
    ("split", lambda channels: [[each] for each in channels], "would do"),
    ("split", lambda channels: lesson.split(channels[::-1]), "in the given order"),
    ("split", lambda channels: [*lesson.split(channels), []], "One of your lists is empty"),
    ("split", lambda channels: lesson.split(channels)[:1], "are missing"),
    ("batches", lambda events: {"batch": events[:10]}, "a list of bodies"),
    ("batches", lambda events: [json.dumps(each) for each in lesson.batches(events)], "JSON alrea"),
    ("batches", lambda events: [{"events": events[:10]}], 'one key, "batch"'),
    ("batches", lambda events: [each["batch"] for each in lesson.batches(events)], "is a dict"),
    ("batches", lambda events: [{"batch": events}], "Over 10, the server refuses them all"),
    ("batches", lambda events: lesson.batches(events[:10]), "are missing"),
    ("size", lambda data: len(json.dumps(data)), "It's JSON already"),
    ("size", lambda data: len(json.dumps(data, ensure_ascii=False).encode()), "It's JSON already"),
    ("size", lambda data: len(data.encode("utf-16")), "Expected"),
    ("pause", lambda attempt, chance: -1, "wait from 0 to 2 s"),
    ("pause", lambda attempt, chance: "1", "a number of seconds"),
    ("pause", lambda attempt, chance: 2**attempt * chance.random() + 2, "wait from 0 to"),
    ("pause", lambda attempt, chance: 1.5, "Draw the wait from `chance`"),
    ("pause", lambda attempt, chance: min(30, chance.uniform(0, 2**attempt)), "Cap first"),
    ("pause", lambda attempt, chance: min(30, chance.randint(0, 2**attempt)), "Cap first"),
    ("pause", lambda attempt, chance: chance.randint(0, min(30, 2**attempt)), "Only whole seconds"),
    ("pause", lambda attempt, chance: chance.randrange(min(30, 2**attempt)), "Only whole seconds"),
    ("pause", lambda a, chance: int(chance.uniform(0, min(30, 2**a))), "Only whole seconds"),
    (
        "publish",
        lambda client, events: [client.trigger(["news"], e.name, e.data) for e in events],
        "All arrived, in 4 requests. 1 would do.",
    ),
    ("prove_it", lambda *given: lesson.prove_it(*given)[:3], "Return four numbers"),
    (
        "prove_it",
        lambda c, t, n: (len(c) // 100 + 1, *lesson.prove_it(c, t, n)[1:]),
        "channels: e",
    ),
    ("prove_it", lambda c, t, n: (len(c) // 100, 0, 1, 4), "You measured in characters"),
    ("prove_it", lambda c, t, n: (len(c) // 100, 0, 3, 4), "Exactly 102,400 bytes are allowed"),
    ("prove_it", lambda c, t, n: (len(c) // 100, 0, 2, 4), "Requests for the texts: expected"),
]


@pytest.mark.parametrize(("name", "answer", "said"), WRONG, ids=range(len(WRONG)))
def test_each_slip_is_told_what_is_wrong(name: str, answer: Any, said: str) -> None:
    for _ in range(5):
        feedback = lesson.lesson.exercises[name].check(answer)
        assert feedback.outcome is Outcome.WRONG
        assert said in feedback.message


def test_another_way_to_be_random_will_do() -> None:
    for answer in (
        lambda attempt, chance: chance.random() * min(30, 2**attempt),
        lambda attempt, chance: min(30, 2**attempt) - chance.uniform(0, min(30, 2**attempt)),
    ):
        assert lesson.pause.check(answer).outcome is Outcome.PASSED


def test_events_that_arrive_twice_or_in_another_order() -> None:
    def backwards(client: Any, events: list[Any]) -> None:
        lesson.publish.solve(client, events[::-1])

    feedback = lesson.publish.check(backwards)
    assert feedback.message == "They all arrived, but not once each and in order."
