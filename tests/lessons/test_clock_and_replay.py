"""Lesson 06: the clock bench, the recall questions, the prediction, the line to a busy server."""

from __future__ import annotations

import html
import random
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pusherkit.lessons import clock_and_replay
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.lessons.clock_and_replay import Line
from pusherkit.sandbox import Sandbox
from pusherkit.subscriber import Subscriber


def shown(made: Any) -> str:
    return html.unescape(made.display.value)


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (clock_and_replay.recall_order, lambda made: made.choose("Refused")),
        (clock_and_replay.recall_covered, lambda made: made.choose("none")),
        (clock_and_replay.predict, lambda made: made.choose("Accepted")),
        (clock_and_replay.bench, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the requests -----------------------------------------------------------------------------


def test_the_example_is_the_published_one() -> None:
    query = clock_and_replay.signed(str(EXAMPLE_TIMESTAMP))
    assert query == clock_and_replay.EXAMPLE.query
    assert query[-1][1].startswith("da454824")


def test_the_old_example_is_refused_for_its_age_alone() -> None:
    made = clock_and_replay.predict()
    made.choose("Refused: auth_timestamp")
    assert "✓ As predicted." in shown(made)
    assert "failed  auth_timestamp" in shown(made)
    assert "passed  auth_signature" in shown(made)
    assert "server time (2025-01-01T00:00:00Z)" in shown(made)


# --- the clock bench --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "left"), [(0, 600), (600, 0), (-600, 1_200), (1, 599), (599, 1), (-1, 601)]
)
def test_inside_the_window(offset: int, left: int) -> None:
    made = clock_and_replay.bench()
    made.offset.value = offset
    said = f"another {left:,} s." if left else "✓ Accepted, in the last second of the window."
    assert said in shown(made)
    assert "200 {}: the event is delivered a second time" in shown(made)
    # The time that is left is true: that many seconds later it is accepted, and then no more.
    query = clock_and_replay.signed(str(EXAMPLE_TIMESTAMP))
    for later, status in ((left, 200), (left + 1, 401)):
        now = EXAMPLE_TIMESTAMP + offset + later
        answer = clock_and_replay.post(Sandbox(EXAMPLE_CREDENTIALS), query, now)
        assert answer.status == status


def test_a_replay_is_delivered_a_second_time() -> None:
    server, heard = Sandbox(EXAMPLE_CREDENTIALS), []
    query = clock_and_replay.signed(str(EXAMPLE_TIMESTAMP))
    with Subscriber.attached(server, "project-3", on_message=heard.append):
        for later in (0, 600, 601):
            clock_and_replay.post(server, query, EXAMPLE_TIMESTAMP + later)
    assert [message.event for message in heard] == ["foo", "foo"]


@pytest.mark.parametrize(
    ("offset", "side"),
    [(601, "behind"), (1_200, "behind"), (-601, "ahead of"), (-1_200, "ahead of")],
)
def test_outside_the_window(offset: int, side: str) -> None:
    made = clock_and_replay.bench()
    made.offset.value = offset
    assert "✗ Refused. The clocks are more than 600 s apart." in shown(made)
    assert f"{abs(offset):,} s: what you send is {side} the server's clock" in shown(made)
    assert "401 Timestamp expired" in shown(made)
    assert "401: refused again" in shown(made)


@pytest.mark.parametrize("offset", [0, 600, -1_200])
@pytest.mark.parametrize("unit", clock_and_replay.UNITS)
def test_only_seconds_are_accepted(unit: str, offset: int) -> None:
    made = clock_and_replay.bench()
    made.offset.value, made.unit.value = offset, unit
    accepted = unit == "seconds" and abs(offset) <= 600
    assert ("✓ Accepted" in shown(made)) is accepted
    assert ("✗ Refused." in shown(made)) is not accepted
    assert clock_and_replay.UNITS[unit].code in shown(made)
    assert clock_and_replay.UNITS[unit].wrong in shown(made)


def test_each_wrong_unit_shows_what_the_server_reads() -> None:
    made = clock_and_replay.bench()
    made.unit.value = "milliseconds"
    assert "auth_timestamp=1353088179250" in shown(made)
    assert "read as seconds, it is after the year 9999" in shown(made)
    assert "These are milliseconds. Divide by 1000" in shown(made)
    made.unit.value = "with a fraction"
    assert "auth_timestamp=1353088179.25" in shown(made)
    assert "none: what you send is no whole number" in shown(made)
    assert "401 Timestamp required" in shown(made)
    made.unit.value = "local time taken for UTC"
    assert f"auth_timestamp={EXAMPLE_TIMESTAMP + 3 * 3600}" in shown(made)
    assert "10,800 s: what you send is ahead of the server's clock" in shown(made)


def test_both_clocks_are_numbers_and_dates() -> None:
    made = clock_and_replay.bench()
    made.offset.value = -60
    assert "1353088179.25  2012-11-16 17:49:39 UTC, 20:49:39 in UTC+3" in shown(made)
    assert "1353088119     2012-11-16 17:48:39 UTC" in shown(made)


@pytest.mark.parametrize(("typed", "taken"), [(99_999, 1_200), (-99_999, -1_200)])
def test_the_offset_stays_within_what_is_shown(typed: int, taken: int) -> None:
    made = clock_and_replay.bench()
    made.offset.value = typed
    assert made.offset.value == taken
    assert "✗ Refused." in shown(made)


def test_the_machine_s_own_zone_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(clock_and_replay.bench())
    try:
        for zone in ("Asia/Riyadh", "America/New_York", "XYZ-3"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert shown(clock_and_replay.bench()) == before
    finally:
        monkeypatch.undo()
        time.tzset()


# --- the exercises ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [599, 300, 0, -601, 602, 5_000, 10**400, 600.0])
def test_another_second_is_not_the_last(answer: Any) -> None:
    assert clock_and_replay.last_second.check(answer).outcome is Outcome.WRONG


def test_each_refused_timestamp_is_refused_for_its_time() -> None:
    for letter, words in clock_and_replay.REFUSALS.items():
        assert words.startswith("401 Timestamp expired: Given timestamp (")
        assert "server time (2023-11-14T22:13:20Z)" in words
        assert clock_and_replay.causes.right[letter] not in words


@pytest.mark.parametrize("answer", [{}, [], "milliseconds", {"A": 1, "B": 2, "C": 3}])
def test_a_wrong_cause_is_told_and_not_given_away(answer: Any) -> None:
    feedback = clock_and_replay.causes.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert not any(word in feedback.message for word in ("milliseconds", "late", "zone"))


def test_a_line_is_busy_and_then_free() -> None:
    line = Line(busy_seconds=700)
    first = line.sign()
    assert line.send(first) == 503
    line.wait(699)
    assert line.send(line.sign()) == 503
    line.wait(1)
    assert line.send(first) == 401
    assert line.send(line.sign()) == 200
    assert line.statuses == [503, 503, 401, 200]


def test_an_endless_loop_is_stopped() -> None:
    def hammer(line: Line) -> int:
        request = line.sign()
        while (status := line.send(request)) != 200:
            line.wait(700)
        return status

    feedback = clock_and_replay.mend.check(hammer)
    assert feedback.outcome is Outcome.CRASHED
    assert "When does your loop end?" in feedback.message
    assert feedback.facts[0].value.startswith("while (status := line.send(request))")


def publishing(returned: Any = 200, wait: int = 700, sends: int = 1) -> Callable[[Line], Any]:
    def publish(line: Line) -> Any:
        while sends and line.send(line.sign()) == 503:
            line.wait(wait)
        for _ in range(sends - 1):
            line.send(line.sign())
        return returned

    return publish


def too_soon(line: Line) -> int:
    if (status := line.send(line.sign())) == 503:
        line.wait(1)
        status = line.send(line.sign())
    return status


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (publishing(sends=0), "Nothing was sent."),
        (lambda line: line.send({}), "A request was refused"),
        (too_soon, "The event was never accepted."),
        (publishing(sends=2), "more than once"),
        (publishing(returned=None), "Return the status, 200; got None"),
        (lambda line: [line.send(line.sign()) for _ in "ab"], "The event was published more"),
        (lambda line: (line.send(line.sign()), line.wait(700), 503)[2], "Return the status"),
    ],
)
def test_other_retries_are_told_what_went_wrong(answer: Any, said: str) -> None:
    feedback = clock_and_replay.mend.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize("wait", [100, 700, 701, 5_000])
def test_any_wait_is_right_that_ends_in_one_delivery(wait: int) -> None:
    assert clock_and_replay.mend.check(publishing(wait=wait)).outcome is Outcome.RIGHT


def test_the_dates_drawn_are_never_in_utc() -> None:
    for seed in range(50):
        (date,) = clock_and_replay._a_moment(random.Random(seed))
        assert date.utcoffset()
        assert date != datetime.fromtimestamp(EXAMPLE_TIMESTAMP, UTC)


def test_no_fix_is_told_where_the_cause_is_asked() -> None:
    assert not re.search("Divide|behind|ahead", " ".join(clock_and_replay.REFUSALS.values()))
