"""Lesson 10: the office at night, and the judges of its exercises."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from pusherkit import diagnose_webhook, verify_webhook
from pusherkit.lessons import they_call_you as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, Event, Outcome
from pusherkit.lessons.kit.view import to_text

LATE = "200, but after five seconds"
FAILS = "500: it failed, and did nothing"


def facts(made: Any) -> dict[str, str]:
    return {fact.name: fact.value for fact in made.view.facts}


def press(made: Any, *steps: str) -> None:
    for step in steps:
        made.press(step)


# --- the office at night ----------------------------------------------------------------------


def test_a_closed_page_is_told_after_three_seconds() -> None:
    made = lesson.at_night()
    assert made.view.status.startswith("Somebody's watching")
    press(made, "page")
    assert made.view.status == "The page is closed, and your backend doesn't know yet."
    press(made, "clock", "clock")
    assert made.view.good is None
    assert "calls in 0.75 s" in made.view.picture.shapes
    press(made, "clock")
    assert made.view.status.startswith("Nobody's watching, your backend knows")
    assert facts(made)["You acted on"] == "channel_occupied, channel_vacated"


def test_a_page_that_is_back_at_once_was_never_gone() -> None:
    made = lesson.at_night()
    press(made, "page", "page", *["clock"] * 6)
    assert facts(made)["You acted on"] == "channel_occupied"
    assert made.view.good is True


def test_a_backend_that_fails_gets_the_same_bytes_again() -> None:
    made = lesson.at_night()
    made.set(answer=FAILS)
    before = facts(made)
    assert made.view.good is False
    press(made, *["clock"] * 3)
    after = facts(made)
    assert after["Calls"].count("→ 500, again in") == 3
    assert after["Last body"] == before["Last body"]
    assert after["X-Pusher-Signature"] == before["X-Pusher-Signature"]
    assert after["You acted on"] == "nothing yet"
    assert "✗ 500" in made.view.picture.shapes


def test_a_backend_that_answers_too_late_acts_on_the_same_webhook_again() -> None:
    made = lesson.at_night()
    made.set(answer=LATE)
    assert made.view.status.startswith("The server is waiting for your answer")
    assert "no answer yet" in facts(made)["Calls"]
    press(made, *["clock"] * 4)
    assert made.view.status.startswith("Not received, as far as the server knows.")
    assert "✗ too late" in made.view.picture.shapes
    press(made, "clock")
    assert made.view.status.endswith("You've acted on one webhook 2 times.")


def test_what_the_picture_says_is_signed_as_the_server_signs() -> None:
    shown = facts(lesson.at_night())
    verify_webhook(
        EXAMPLE_CREDENTIALS,
        shown["Last body"].encode(),
        key=shown["X-Pusher-Key"],
        signature=shown["X-Pusher-Signature"],
    )
    assert lesson.headers_for(
        EXAMPLE_CREDENTIALS.key, EXAMPLE_CREDENTIALS.secret, shown["Last body"].encode()
    ) == {name: shown[name] for name in ("X-Pusher-Key", "X-Pusher-Signature")}


def test_presses_are_bounded_and_others_do_nothing() -> None:
    made = lesson.at_night()
    press(made, *["clock"] * 80)
    assert len(made.values["steps"]) == lesson.MOST_STEPS
    made = lesson.at_night()
    made.hear(Event("key", "page", key="ArrowLeft"))
    press(made, "door")
    assert made.values["steps"] == ("page",)


def test_before_anybody_came_there_is_no_call() -> None:
    view = lesson._at_night(200, ())
    assert "No call yet." in to_text(view)
    assert [fact.value for fact in view.facts] == ["none yet", "nothing yet"]
    assert "is up to date" in view.picture.shapes


# --- the exercises ----------------------------------------------------------------------------


def test_comparing_with_equals_is_noticed() -> None:
    def hasty(secrets: Any, body: bytes, key: str, signature: str) -> bool:
        if key not in secrets:
            return False
        return signature == lesson.headers_for(key, secrets[key], body)["X-Pusher-Signature"]

    feedback = lesson.webhook_is_genuine.check(hasty)
    assert feedback.outcome is Outcome.WRONG
    assert "== stops at the first character that differs" in feedback.message


def test_so_is_comparing_with_unequals() -> None:
    def hasty(secrets: Any, body: bytes, key: str, signature: str) -> bool:
        if key not in secrets:
            return False
        right = lesson.headers_for(key, secrets[key], body)["X-Pusher-Signature"]
        if signature != right:  # noqa: SIM103 - as people write it
            return False
        return True

    assert "== stops" in lesson.webhook_is_genuine.check(hasty).message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: True, "accepts this one, but it's signed for another body."),
        (lambda *_: False, "refuses this one, but it's genuine."),
        (lambda *_: "yes", "Return True or False."),
    ],
)
def test_what_a_check_gets_wrong_is_shown(answer: Any, said: str) -> None:
    feedback = lesson.webhook_is_genuine.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_text_that_is_not_ascii_stops_a_comparison_of_text() -> None:

    def of_text(secrets: Any, body: bytes, key: str, signature: str) -> bool:
        right = lesson.headers_for(key, secrets.get(key, "-"), body)["X-Pusher-Signature"]
        return key in secrets and hmac.compare_digest(right, signature)

    feedback = lesson.webhook_is_genuine.check(of_text)
    assert feedback.outcome is Outcome.ERROR
    assert "non-ASCII" in feedback.message


def test_the_five_are_what_the_task_says() -> None:
    valid = {
        letter: diagnose_webhook(
            EXAMPLE_CREDENTIALS,
            key=headers["X-Pusher-Key"],
            signature=headers["X-Pusher-Signature"],
            body=body,
        ).valid
        for letter, (body, headers) in lesson.ARRIVED.items()
    }
    assert valid == {"A": True, "B": False, "C": False, "D": True, "E": True}
    assert lesson.ARRIVED["A"] == lesson.ARRIVED["D"]
    assert all(json.loads(body)["events"] for body, _ in lesson.ARRIVED.values())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({**lesson.decisions(), "A": "accept"}, "I don't know 'accept'. The webhooks are A to E"),
        ({**lesson.decisions(), "A": "refuse"}, "Look again at: 'A'."),
        ("act", "This should be"),
    ],
)
def test_decisions_that_do_not_do(value: Any, said: str) -> None:
    feedback = lesson.decisions.check(value)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda bodies: list(lesson.watched.solve(bodies)), "Return a set of channels"),
        (lambda bodies: {"order-7"}, "These aren't the channels that are watched in the end."),
    ],
)
def test_channels_that_are_wrong_are_shown_beside_the_right_ones(answer: Any, said: str) -> None:
    feedback = lesson.watched.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda secrets, body, headers: 204, "This one is genuine. Answer 200."),
        (
            lambda secrets, body, headers: 200 if "X-Pusher-Key" in headers else 500,
            "This one isn't genuine. Answer 401.",
        ),
    ],
)
def test_statuses_that_are_wrong(answer: Any, said: str) -> None:
    feedback = lesson.receive.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda statuses, channels: statuses, "Return two things"),
        (lambda statuses, channels: (statuses[1:], channels), "Part 1: one status for each call."),
        (lambda statuses, channels: (statuses, list(channels)), "Return a set of channels"),
        (lambda statuses, channels: (statuses, {"x"}), "These aren't the channels"),
    ],
)
def test_a_proof_says_which_part_is_wrong(change: Any, said: str) -> None:
    feedback = lesson.prove_it.check(lambda *given: change(*lesson.prove_it(*given)))
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
