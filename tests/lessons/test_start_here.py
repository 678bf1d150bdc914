"""Lesson 00: the timeline, the changed body, the prediction."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.errors import PusherError
from pusherkit.lessons import _bench, start_here
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._practice import practice


def drive_tamper(made: Any) -> None:
    made.body.value = made.body.value.replace("hello", "jello")
    made.send()


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (start_here.timeline, lambda made: made.send()),
        (start_here.tamper, drive_tamper),
        (start_here.predict, lambda made: made.choose("It arrives")),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the timeline -----------------------------------------------------------------------------


def test_typing_signs_anew_and_sends_nothing() -> None:
    made = start_here.timeline()
    before = made.journey.signature
    made.send()
    made.fields["Message"].value = "good evening"
    assert made.journey.signature != before
    assert made.journey.status is None
    assert "good evening" in made.display.value
    assert "Signed and ready" in made.display.value


def test_enter_sends() -> None:
    made = start_here.timeline()
    made.fields["Message"]._handle_custom_msg({"event": "submit"}, [])
    assert made.journey.arrived is not None


def test_another_message_of_the_field_does_not_send() -> None:
    made = start_here.timeline()
    made.fields["Message"]._handle_custom_msg({"event": "focus"}, [])
    assert made.journey.status is None


@pytest.mark.parametrize("message", ["", "☕ Zażółć", '"quoted" \\ & <b>', "x" * 90_000])
def test_any_message_arrives_as_it_was_typed(message: str) -> None:
    made = start_here.timeline()
    made.fields["Message"].value = message
    made.send()
    assert made.journey.arrived is not None
    assert json.loads(made.journey.arrived.data) == {"text": message}


def test_a_message_over_the_limit_is_refused_before_sending() -> None:
    made = start_here.timeline()
    made.fields["Message"].value = "x" * 102_400
    made.send()
    assert made.journey.status is None
    assert "over the limit of 102,400 bytes" in made.display.value
    made.fields["Message"].value = "short again"
    made.send()
    assert made.journey.arrived is not None


def test_what_was_typed_is_escaped() -> None:
    made = start_here.timeline()
    made.fields["Message"].value = "<img src=x onerror=alert(1)>"
    made.send()
    assert "<img" not in made.display.value


def test_a_server_that_is_gone_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    made = start_here.timeline()

    class Gone(start_here.Practice):
        def subscribe(self, *_: Any, **__: Any) -> Any:
            raise PusherError("No connection.")

    monkeypatch.setattr(_bench, "practice", Gone)
    made.send()
    assert "No connection. Restart the kernel" in made.display.value
    assert "✗ Not sent" in made.display.value


def test_an_unchanged_body_is_accepted_under_its_signature() -> None:
    made = start_here.tamper()
    made.send()
    assert made.journey.status == 200
    assert "none: the bytes are the same" in made.display.value


def test_a_signature_error_shows_the_servers_words() -> None:
    made = start_here.tamper()
    made.body.value += " "
    made.send()
    assert made.journey.answer is not None
    for check in made.journey.answer["checks"]:
        if not check["passed"]:
            assert html.escape(check["expected"]) in made.display.value
            assert html.escape(check["received"]) in made.display.value


def test_the_lessons_share_one_server_and_leave_no_subscriber() -> None:
    def servers() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name.startswith("pusherkit-sandbox")]

    assert practice() is practice()
    before = servers()
    assert before
    start_here.timeline().send()
    assert servers() == before
    for thread in threading.enumerate():
        if thread.name == "pusherkit-subscriber":
            thread.join(5)
            assert not thread.is_alive()


# --- the exercises ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said", "fact"),
    [
        (lambda client: client.trigger("the lobby", "greeting", {}), "was refused", "the lobby"),
        (lambda client: client.trigger("lobby", "hello", {}), "under another name", "hello"),
        (lambda client: client.trigger("hall", "greeting", {}), "nobody in the lobby", "hall"),
    ],
)
def test_other_ways_not_to_arrive(answer: Any, said: str, fact: str) -> None:
    feedback = start_here.deliver.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
    assert fact in feedback.facts[0].value


def test_what_the_event_holds_is_free() -> None:
    def to_both(client: Any) -> None:
        client.trigger(["hall", "lobby"], "greeting", "good night")

    assert start_here.deliver.check(to_both).outcome is Outcome.RIGHT


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"noon", b"afternoon", "the length changed"),
        (b"no", b"\xff\xff", "Expected one changed byte, got 2."),
    ],
)
def test_more_than_one_byte_is_counted(old: bytes, new: bytes, said: str) -> None:
    feedback = start_here.one_byte.check(lambda body: body.replace(old, new))
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_one_byte_may_be_any() -> None:
    feedback = start_here.one_byte.check(lambda body: body.replace(b"n", b"\xff", 1))
    assert feedback.outcome is Outcome.RIGHT
