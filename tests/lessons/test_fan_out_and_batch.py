"""Lesson 07: the dispatcher, the rate limit, backing off, the questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.lessons import fan_out_and_batch
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons.fan_out_and_batch import (
    BATCH,
    FAN_OUT,
    BusyServer,
    Plan,
    TooManyTries,
    back_off,
    burst,
    dispatch,
    mend,
)


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (fan_out_and_batch.recall_path, lambda made: made.choose("auth_signature")),
        (fan_out_and_batch.recall_wait, lambda made: made.choose("auth_timestamp")),
        (fan_out_and_batch.predict, lambda made: made.choose("The first 100 hear it")),
        (fan_out_and_batch.dispatcher, lambda made: made.send()),
        (fan_out_and_batch.rate_limit, lambda made: made.at_once.click()),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the dispatcher ---------------------------------------------------------------------------


def sent(**values: int | str | bool) -> str:
    """What the dispatcher shows once its controls have these values and Send is pressed."""
    made = fan_out_and_batch.dispatcher()
    for name, value in values.items():
        getattr(made, name).value = value
    made.button.click()
    return str(made.display.value)


@pytest.mark.parametrize("count", [1, 10, 99, 100])
def test_one_event_reaches_every_channel(count: int) -> None:
    shown = sent(channels=count)
    assert f"{count} of {count} heard something" in shown
    assert "✓ Accepted" in shown
    assert "1 request, " in shown


@pytest.mark.parametrize("count", [1, 10])
def test_a_batch_reaches_a_channel_for_each_event(count: int) -> None:
    shown = sent(kind=BATCH, events=count)
    assert f"{count} of {count} heard something" in shown
    assert "/apps/3/batch_events" in shown
    assert "data 1 xxx" in shown


BROKEN = [
    ({"channels": 0}, "channels: expected 1 to 100, got none", 400),
    ({"channels": 101}, "channels: 101 channels, 1 over the limit", 400),
    ({"channels": 120}, "channels: 120 channels, 20 over the limit", 400),
    ({"kind": BATCH, "events": 0}, "batch: 0 events", 400),
    ({"kind": BATCH, "events": 11}, "batch: 11 events, 1 over the limit", 400),
    ({"size": 102_401}, "data: 102,401 bytes, 1 over the limit", 413),
    ({"kind": BATCH, "size": 102_401}, "data: 102,401 bytes, 1 over the limit", 413),
]


@pytest.mark.parametrize(("values", "said", "status"), BROKEN)
def test_over_a_limit_nothing_goes_out(values: dict[str, Any], said: str, status: int) -> None:
    shown = sent(**values)
    assert f"InvalidEvent: {said}" in shown
    assert "(none: no request went out)" in shown
    assert "✗ Refused by the client, before sending." in shown


@pytest.mark.parametrize(("values", "said", "status"), BROKEN)
def test_over_a_limit_the_server_takes_no_part(
    values: dict[str, Any], said: str, status: int
) -> None:
    shown = sent(unchecked=True, **values)
    assert f"{status} " in shown
    assert said in shown
    assert "0 of " in shown
    assert "✗ Refused by the server: all of it." in shown
    assert "InvalidEvent" not in shown


@pytest.mark.parametrize(
    "values", [{"size": 0}, {"size": 102_400}, {"kind": BATCH, "size": 102_400}]
)
def test_up_to_a_limit_is_within(values: dict[str, Any]) -> None:
    assert "✓ Accepted" in sent(**values)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(("count", "size"), [(1, 0), (7, 3), (10, 5_000)])
def test_the_body_shown_is_the_one_that_the_client_would_send(
    batch: bool, count: int, size: int
) -> None:
    plan = Plan(batch=batch, count=count, size=size)
    assert plan.check() is None
    result = dispatch(plan)
    assert result.status == 200
    assert [len(message.data) for message in result.heard] == [size] * count


def test_a_change_takes_the_old_answer_away() -> None:
    made = fan_out_and_batch.dispatcher()
    made.send()
    made.channels.value = 3
    assert "(nothing yet)" in made.display.value
    assert "Ready. Press Send." in made.display.value


@pytest.mark.parametrize(("typed", "held"), [(-5, 0), (10**9, 120)])
def test_a_number_beyond_the_field_is_held_at_its_end(typed: int, held: int) -> None:
    made = fan_out_and_batch.dispatcher()
    made.channels.value = typed
    assert made.channels.value == held
    made.send()
    assert "✗ Refused by the client" in made.display.value


def test_only_the_field_that_counts_is_seen() -> None:
    made = fan_out_and_batch.dispatcher()
    assert (made.channels.layout.display, made.events.layout.display) == (None, "none")
    made.kind.value = BATCH
    assert (made.channels.layout.display, made.events.layout.display) == ("none", None)
    made.kind.value = FAN_OUT
    assert (made.channels.layout.display, made.events.layout.display) == (None, "none")


def test_a_large_body_is_shown_cut() -> None:
    assert len(sent(kind=BATCH, size=100_000)) < 20_000


# --- the rate limit ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "statuses"),
    [
        (0, [200, 200, 429, 429, 429]),
        (0.25, [200, 200, 200, 429, 200]),
        (0.5, [200, 200, 200, 200, 200]),
        (5, [200, 200, 200, 200, 200]),
    ],
)
def test_the_bucket_refills_while_one_waits(wait: float, statuses: list[int]) -> None:
    assert [each.status for each in burst(wait).tries] == statuses


def test_backing_off_delivers_everything_once_and_in_order() -> None:
    server = burst(0, back_off=True)
    assert [message.data for message in server.heard] == ["1", "2", "3", "4", "5"]
    assert [each.status for each in server.tries] == [200, 200, 429, 200, 200, 429, 200]


def test_the_buttons_show_what_they_do() -> None:
    made = fan_out_and_batch.rate_limit()
    made.wait.value = 500
    made.spaced.click()
    assert "500 ms between two" in made.display.value
    assert "✓ All 5 events arrived, the last after 2 s." in made.display.value
    made.wait.value = 0
    made.spaced.click()
    assert "✗ 3 of 5 events are lost" in made.display.value
    made.backing.click()
    assert "5 of 5: events 1, 2, 3, 4, 5" in made.display.value
    made.at_once.click()
    assert "2 of 5: events 1, 2" in made.display.value


# --- the busy server, as a learner's function meets it ----------------------------------------


def test_the_limit_is_the_apps() -> None:
    server = BusyServer(1 / 700, rivals=2)
    first = server.send(server.sign())
    assert first.status == 429
    assert first.retry_after is not None
    server.wait(first.retry_after)
    assert server.send(server.sign()).status == 429
    server.wait(first.retry_after)
    assert server.send(server.sign()).status == 200
    assert len(server.heard) == 1


def test_an_endless_loop_ends() -> None:
    server = BusyServer(1 / 700, rivals=1)
    for _ in range(fan_out_and_batch.MAX_TRIES):
        server.send(server.sign())
    with pytest.raises(TooManyTries):
        server.send(server.sign())


@pytest.mark.parametrize("seconds", [None, "1", -1, float("nan"), float("inf"), 10**400])
def test_a_wait_that_is_none_is_a_sentence(seconds: Any) -> None:
    with pytest.raises(ValueError, match="wait: expected a number of seconds"):
        BusyServer(2).wait(seconds)


def test_what_is_no_signature_is_a_sentence() -> None:
    with pytest.raises(TypeError, match="send: expected a signature"):
        BusyServer(2).send("abc")  # type: ignore[arg-type]


def test_other_ways_not_to_back_off() -> None:
    def two_seconds(server: BusyServer) -> None:
        while server.send(server.sign()).status == 429:
            server.wait(2)

    def five_times(server: BusyServer) -> None:
        for _ in range(5):
            server.send(server.sign())

    def five_at_a_second(server: BusyServer) -> None:
        for _ in range(5):
            if server.send(server.sign()).status == 200:
                break
            server.wait(1)

    for answer, said in [
        (two_seconds, "You came back after 2 s."),
        (five_times, "Subscribers hear it twice."),
        (five_at_a_second, "You came back after 1 s."),
    ]:
        feedback = back_off.check(answer)
        assert feedback.outcome is Outcome.WRONG
        assert said in feedback.message
        assert feedback.facts[0].name == "Your tries"


def test_ending_with_a_refusal_is_not_arriving() -> None:
    def once_more(server: BusyServer) -> None:
        if (answer := server.send(server.sign())).retry_after is not None:
            server.wait(answer.retry_after + 1)
            server.send(server.sign())

    def too_old(server: BusyServer) -> None:
        signature = server.sign()
        server.wait(601)
        server.send(signature)

    for answer, status in [(once_more, 429), (too_old, 401)]:
        feedback = back_off.check(answer)
        assert feedback.outcome is Outcome.WRONG
        assert f"The last answer is {status}, so the event never arrived." in feedback.message


def test_waiting_longer_than_asked_is_right() -> None:
    def patient(server: BusyServer) -> None:
        while (answer := server.send(server.sign())).retry_after is not None:
            server.wait(2 * answer.retry_after)

    assert back_off.check(patient).outcome is Outcome.RIGHT


# --- find, explain, fix -----------------------------------------------------------------------


def test_other_ways_not_to_publish_everything_once() -> None:
    def twice(client: Any, events: Any) -> None:
        for _ in range(2):
            for start in range(0, len(events), 10):
                client.trigger_batch(events[start : start + 10])

    def fives(client: Any, events: Any) -> None:
        for start in range(0, len(events), 5):
            client.trigger_batch(events[start : start + 5])

    def full_only(client: Any, events: Any) -> None:
        for start in range(0, len(events) // 10 * 10, 10):
            client.trigger_batch(events[start : start + 10])

    def to_a_room_with_a_space(client: Any, events: Any) -> None:
        client.trigger("a room", "order", {})

    for answer, said in [
        (twice, "not once each and in order"),
        (fives, "All arrived, in 4 requests. 2 would do for 20 events."),
        (full_only, "4 events, of which 4 never arrived."),
        (to_a_room_with_a_space, "A request was refused."),
    ]:
        feedback = mend.check(answer)
        assert feedback.outcome is Outcome.WRONG
        assert said in feedback.message
