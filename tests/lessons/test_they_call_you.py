"""Lesson 10: the office at night, and the judges of its exercises."""

from __future__ import annotations

import contextlib
import hmac
import json
from typing import Any

import pytest

from pusherkit import diagnose_webhook, verify_webhook
from pusherkit.lessons import they_call_you as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, Event, Outcome
from pusherkit.lessons.kit.view import to_text

LATE = "200, but after five seconds"
WORKS = "200, at once"
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
    press(made, "page", *["clock"] * 4)
    before = facts(made)
    assert made.view.good is False
    press(made, *["clock"] * 3)
    after = facts(made)
    assert after["Last body"] == before["Last body"]
    assert after["X-Pusher-Signature"] == before["X-Pusher-Signature"]
    first, *again = after["Calls"].split("… → 500, again in")[:-1]
    assert len(again) == 2
    assert {each[-8:] for each in again} == {first[-8:]} == {after["X-Pusher-Signature"][:8]}
    assert after["You acted on"] == "channel_occupied"
    assert "✗ 500" in made.view.picture.shapes


def test_what_a_backend_answers_counts_from_then_on() -> None:
    made = lesson.at_night()
    before = facts(made)
    made.set(answer=FAILS)
    assert facts(made) == before
    said = "From the next call on, your backend answers 500: it failed, and did nothing."
    assert made.view.status.endswith(said)
    press(made, "page", *["clock"] * 4)
    made.set(answer=WORKS)
    failed = facts(made)
    press(made, *["clock"] * 4)
    after = facts(made)
    assert after["Calls"].startswith(failed["Calls"])
    assert after["Calls"].endswith("→ 200")
    assert after["Last body"] == failed["Last body"]
    assert after["You acted on"] == "channel_occupied, channel_vacated"


def test_a_new_night_begins_with_the_answer_that_is_chosen() -> None:
    made = lesson.at_night()
    made.set(answer=FAILS)
    press(made, *["clock"] * lesson.MOST_STEPS)
    assert made.view.status == "The night ends here, after 400 presses. Start over."
    assert made.view.picture is not None
    assert made.view.picture.shapes.count("the night is over") == 2
    press(made, "again")
    assert facts(made)["Calls"].endswith("… → 500, again in 1 s")
    assert facts(made)["You acted on"] == "nothing yet"
    assert "the night is over" not in made.view.picture.shapes


def test_a_webhook_comes_again_for_five_minutes_and_no_longer() -> None:
    made = lesson.at_night()
    made.set(answer=FAILS)
    press(made, "page", *["minute"] * 6)
    assert made.view.facts[0].why == "The last 6 of 10."
    assert facts(made)["Calls"].endswith("→ 500")
    assert "again in" not in facts(made)["Calls"].rpartition("\n")[2]
    assert made.view.status.startswith("The page is closed, but the server has given up")
    assert made.view.good is False


def test_a_latecomer_is_believed_and_the_card_says_so() -> None:
    made = lesson.at_night()
    made.set(answer=FAILS)
    press(made, "page", *["clock"] * 3)  # closed; its webhook fails, and comes again in a second
    made.set(answer=WORKS)
    press(made, "page")  # open again, which is told first
    assert made.view.status.startswith("Somebody's watching")
    press(made, "clock")
    assert made.view.status.startswith("The page is open, but the webhook that came last is an old")
    assert made.view.good is False


def test_a_backend_that_answers_too_late_acts_on_the_same_webhook_again() -> None:
    made = lesson.at_night()
    made.set(answer=LATE)
    press(made, "again")
    assert made.view.status.startswith("The server is waiting for your answer")
    assert "no answer yet" in facts(made)["Calls"]
    press(made, *["clock"] * 4)
    assert made.view.status.startswith("Not received, as far as the server knows.")
    assert "✗ too late" in made.view.picture.shapes
    press(made, "clock")
    assert made.view.status.endswith("You've acted on the same webhook twice.")
    assert facts(made)["You acted on"] == "channel_occupied (twice)"


def test_two_webhooks_are_not_one_webhook_twice() -> None:
    made = lesson.at_night()
    made.set(answer=LATE)
    press(made, "page", *["clock"] * 9)  # channel_vacated, twice
    made.set(answer=WORKS)
    press(made, *["clock"] * 9, "page", *["clock"] * 3)
    assert "on the same webhook 3 times" not in made.view.status
    made.set(answer=LATE)
    press(made, "page", *["clock"] * 9)
    assert made.view.status.endswith("You've acted on the same webhook 3 times.")


def test_a_list_that_is_cut_says_so() -> None:
    made = lesson.at_night()
    assert [fact.why for fact in made.view.facts[:2]] == ["", ""]
    for _ in range(4):
        press(made, "page", *["clock"] * 4, "page")
    calls, acted = made.view.facts[:2]
    assert calls.why == acted.why == "The last 6 of 9."
    assert calls.value.count("\n    ") == 6
    assert acted.value.count(", ") == 5


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
    press(made, *["clock"] * (lesson.MOST_STEPS + 2))
    assert len(made.values["steps"]) == lesson.MOST_STEPS
    made = lesson.at_night()
    made.hear(Event("key", "page", key="ArrowLeft"))
    press(made, "door")
    assert made.values["steps"] == ("page",)


def test_before_anybody_came_there_is_no_call() -> None:
    view = lesson._at_night(WORKS, ())
    assert "No call yet." in to_text(view)
    assert [fact.value for fact in view.facts] == ["none yet", "nothing yet"]
    assert "nothing left to tell" in view.picture.shapes


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
        (lambda *_: False, "It refuses them all, even the genuine ones"),
        (lambda *_: "yes", "Return True or False."),
    ],
)
def test_what_a_check_gets_wrong_is_shown(answer: Any, said: str) -> None:
    feedback = lesson.webhook_is_genuine.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def genuine(
    body: Any = lambda body: body,
    secret: Any = lambda secrets, key: secrets[key].encode(),
    signature: Any = lambda signature: signature.encode(),
) -> Any:
    """A check that gets one thing wrong."""

    def check(secrets: Any, came: bytes, key: str, sent: str) -> bool:
        if key not in secrets:
            return False
        right = hmac.new(secret(secrets, key), body(came), "sha256").hexdigest()
        return hmac.compare_digest(right.encode(), signature(sent))

    return check


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (genuine(body=lambda body: body.strip()), "the newline at the end of its body was signed"),
        (genuine(body=lambda body: body.decode(errors="ignore").encode()), "isn't UTF-8"),
        (genuine(body=lambda body: body.decode(errors="replace").encode()), "isn't UTF-8"),
        (genuine(secret=lambda secrets, key: secrets[key].encode("latin-1")), "an ë in it"),
        (genuine(secret=lambda secrets, key: key.encode()), "keyed by secrets[key] (not by the"),
        (
            genuine(
                body=lambda body: json.dumps(
                    json.loads(body.decode(errors="replace")), separators=(",", ":")
                ).encode()
            ),
            "its sender puts spaces into JSON",
        ),
    ],
)
def test_what_is_signed_has_to_be_the_very_bytes(answer: Any, said: str) -> None:
    feedback = lesson.webhook_is_genuine.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (genuine(body=lambda body: body.decode().encode()), "UnicodeDecodeError"),
        (genuine(secret=lambda secrets, key: secrets[key].encode("ascii")), "UnicodeEncodeError"),
    ],
)
def test_what_stops_on_a_text_that_may_come_stops(answer: Any, said: str) -> None:
    feedback = lesson.webhook_is_genuine.check(answer)
    assert feedback.outcome is Outcome.ERROR
    assert said in feedback.message


def test_a_refusal_of_a_genuine_one_shows_body_key_secret_and_signature() -> None:
    feedback = lesson.webhook_is_genuine.check(genuine(body=lambda body: body.strip()))
    assert [fact.name for fact in feedback.facts] == ["Body", "Key", "Its secret", "Signature"]


def test_an_empty_signature_may_be_looked_for_with_equals() -> None:
    right = genuine()

    def careful(secrets: Any, body: bytes, key: str, signature: str) -> bool:
        return signature != "" and right(secrets, body, key, signature)

    assert lesson.webhook_is_genuine.check(careful).outcome is Outcome.PASSED


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
        ({**lesson.decisions(), "A": "refuse"}, "somebody's watching"),
        ({**lesson.decisions(), "B": "ignore"}, "B isn't genuine"),
        ({**lesson.decisions(), "C": "act"}, "its app key isn't yours"),
        ({**lesson.decisions(), "E": "act"}, "E is genuine, but it's a count"),
        ({**lesson.decisions(), "C": "act", "D": "act"}, "C isn't genuine"),
        ({"A": "act", "B": "refuse", "C": "refuse", "D": "ignore"}, "E is missing."),
        ("act", "This should be"),
    ],
)
def test_each_decision_that_is_wrong_gets_its_reason(value: Any, said: str) -> None:
    feedback = lesson.decisions.check(value)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda bodies: ",".join(lesson.watched.solve(bodies)), "Return a set of channels"),
        (lambda bodies: [lesson.watched.solve(bodies)], "Return a set of channels"),
        (lesson._by_name, "you let their names decide"),
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


def test_what_the_doctor_says_fits_under_a_cell() -> None:
    body, headers = lesson.ARRIVED["A"]
    said = lesson.diagnose(
        EXAMPLE_CREDENTIALS,
        key=headers["X-Pusher-Key"],
        signature=headers["X-Pusher-Signature"],
        body=json.dumps(json.loads(body)).encode(),
    )
    assert said.startswith("body-written-again: ")
    assert max(map(len, said.splitlines())) <= lesson.LINE
    assert f"  {headers['X-Pusher-Signature']}" in said.splitlines()


def receiver(parse: Any = None, of_body: Any = lambda body: body) -> Any:
    """A receiver, which parses before it checks, or verifies something else."""

    def answer(secrets: Any, body: bytes, headers: dict[str, str]) -> int:
        if parse:
            parse(body)
        key, sent = headers.get("X-Pusher-Key", ""), headers.get("X-Pusher-Signature", "")
        is_genuine = lesson.webhook_is_genuine(secrets, of_body(body), key, sent)
        return 200 if is_genuine else 401

    return answer


COMPACT = {"separators": (",", ":"), "ensure_ascii": False}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            receiver(of_body=lambda body: json.dumps(json.loads(body), **COMPACT).encode()),
            "It's still written again, only closer",
        ),
        (receiver(of_body=lambda body: body.decode().encode()), "You decode the body, and encode"),
        (receiver(parse=json.loads), "parsed it before it checked"),
        (receiver(parse=lambda body: json.loads(body.decode())), "parsed it before it checked"),
    ],
)
def test_a_receiver_checks_what_came_and_checks_it_first(answer: Any, said: str) -> None:
    feedback = lesson.receive.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_receiver_that_does_passes() -> None:
    assert lesson.receive.check(receiver()).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "kind", [list, tuple, frozenset, lambda found: dict.fromkeys(found).keys()]
)
def test_channels_may_come_in_any_container(kind: Any) -> None:
    answer = lesson.watched.check(lambda bodies: kind(lesson.watched(bodies)))
    assert answer.outcome is Outcome.PASSED
    plainly = lesson.watched.check(lambda bodies: kind(lesson._plainly(bodies)))
    assert plainly.message.startswith("A copy of something old came after something new")

    def prove_it(secrets: Any, calls: Any) -> Any:
        statuses, channels = lesson.prove_it(secrets, calls)
        return [tuple(statuses), kind(channels)]

    assert lesson.prove_it.check(prove_it).outcome is Outcome.PASSED


def hexadecimal(secrets: Any, body: bytes, key: str, signature: str) -> bool:
    """Compares the bytes that the digits stand for."""
    right = hmac.new(secrets.get(key, "").encode(), body, "sha256").digest()
    try:
        return key in secrets and hmac.compare_digest(right, bytes.fromhex(signature))
    except ValueError:
        return False


def in_any_case(secrets: Any, body: bytes, key: str, signature: str) -> bool:
    return genuine()(secrets, body, key, signature.lower())


@pytest.mark.parametrize("answer", [hexadecimal, in_any_case])
def test_digits_in_capitals_are_the_same_digits(answer: Any) -> None:
    assert lesson.webhook_is_genuine.check(answer).outcome is Outcome.PASSED


def test_equals_is_seen_behind_lower() -> None:
    def hasty(secrets: Any, body: bytes, key: str, signature: str) -> bool:
        right = hmac.new(secrets.get(key, "").encode(), body, "sha256").hexdigest()
        return key in secrets and right == signature.strip().lower()

    assert "== stops" in lesson.webhook_is_genuine.check(hasty).message


def proof(
    same: Any = hmac.compare_digest, secret: Any = dict.get, parse: Any = lambda body: None
) -> Any:
    def answer(secrets: Any, calls: Any) -> Any:
        statuses, believed = [], []
        for body, headers in calls:
            parse(body)
            theirs = (secret(secrets, headers.get("X-Pusher-Key", "")) or "").encode()
            right = hmac.new(theirs, body, "sha256").hexdigest()
            is_genuine = same(right, headers.get("X-Pusher-Signature", ""))
            statuses.append(200 if is_genuine else 401)
            believed += [body] * is_genuine
        return statuses, lesson.watched(believed)

    return answer


def parsed_if_it_can_be(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        json.loads(body)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (proof(same=lambda right, sent: right == sent), "But == stops"),
        (proof(secret=lambda secrets, key: next(iter(secrets.values()))), "X-Pusher-Key tells you"),
        (proof(parse=parsed_if_it_can_be), "you parsed a body before you checked"),
    ],
)
def test_a_proof_is_as_careful_as_the_exercises(answer: Any, said: str) -> None:
    feedback = lesson.prove_it.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_copies_may_be_told_by_their_signatures() -> None:
    plain, copies = proof(), []

    def answer(secrets: Any, calls: Any) -> Any:
        seen: set[str] = set()
        for _, headers in calls:
            copies.append(headers.get("X-Pusher-Signature") in seen)
            seen.add(headers.get("X-Pusher-Signature", ""))
        return plain(secrets, calls)

    assert lesson.prove_it.check(answer).outcome is Outcome.PASSED
    assert any(copies)


def test_a_proof_of_ones_own_passes() -> None:
    assert lesson.prove_it.check(proof()).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda statuses, channels: statuses, "Return two things"),
        (lambda statuses, channels: (statuses[1:], channels), "Part 1: one status for each call."),
        (lambda statuses, channels: (statuses, [channels]), "Return a set of channels"),
        (lambda statuses, channels: ({*statuses}, channels), "Part 1 is a list"),
        (lambda statuses, channels: (statuses, {"x"}), "These aren't the channels"),
    ],
)
def test_a_proof_says_which_part_is_wrong(change: Any, said: str) -> None:
    feedback = lesson.prove_it.check(lambda *given: change(*lesson.prove_it(*given)))
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
