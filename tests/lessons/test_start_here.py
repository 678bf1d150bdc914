"""Lesson 00: the event on its way, the picture of it, and the judges of its exercises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pusherkit.client import Client
from pusherkit.lessons import start_here
from pusherkit.lessons.kit import Outcome
from pusherkit.lessons.kit.view import to_text


def test_a_press_sends_and_the_page_of_order_41_changes() -> None:
    made = start_here.send_status()
    assert made.view.good is None
    assert "preparing" in made.view.picture.shapes
    made.press("send")
    assert made.view.good is True
    assert made.view.status.endswith("the page of order 41 has changed.")
    assert "✓ out for delivery" in made.view.picture.shapes
    assert 'on order-41: {"status": "out for delivery"}' in to_text(made.view)


def test_typing_signs_a_new_event_and_sends_nothing() -> None:
    made = start_here.send_status()
    made.press("send")
    made.set(status="at Zoë's <b>")
    assert made.view.status == "Signed and ready to go."
    assert "preparing" in made.view.picture.shapes
    made.press("send")
    assert "✓ at Zoë's &lt;b&gt;" in made.view.picture.shapes


def test_the_picture_tells_in_words_where_the_event_is() -> None:
    made = start_here.send_status()
    assert "still on your backend" in made.view.picture.desc
    made.press("send")
    assert "to the page of order 41" in made.view.picture.desc
    assert "The others got nothing" in made.view.picture.desc


def test_a_status_over_the_limit_is_refused_and_nothing_is_lost() -> None:
    made = start_here.send_status()
    made.set(status="x" * 200_000)
    made.press("send")
    assert made.view.good is False
    assert "Refused: 413" in made.view.status
    made.set(status="fine")
    made.press("send")
    assert made.view.good is True


def test_the_code_that_is_shown_makes_the_bytes_that_are_sent() -> None:
    made = start_here.send_status()
    names: dict[str, Any] = {"json": json}
    exec(made.view.code, names)
    body = next(fact.value for fact in made.view.details if fact.name == "1 Body")
    assert names["status_update"](made.values["status"]).decode() == body


def test_a_changed_body_is_refused_and_the_same_bytes_are_not() -> None:
    made = start_here.change_a_byte()
    made.press("send")
    assert made.view.good is True
    body = made.values["body"]
    made.set(body=body.replace("order-41", "order-47"))
    assert made.view.status == "Changed, and still under the signature of the old bytes."
    made.press("send")
    assert made.view.good is False
    assert "401 Invalid body_md5" in made.view.status


def _yields(client: Client) -> Iterator[Any]:
    yield start_here.announce(client)


async def _asynchronous(client: Client) -> Any:
    return start_here.announce(client)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda client: client.trigger("order-41", "Status", {"status": "x"}), "not as “status”"),
        (lambda client: client.trigger("order-41", "status", {"state": "x"}), "finds no “status”"),
        (lambda client: client.trigger("order-41", "status", "[" * 9), "finds no “status”"),
        (
            lambda client: client.trigger("order-41", "status", {"status": "Out for delivery"}),
            "reads “Out for delivery”, and should read “out for delivery”",
        ),
        (
            lambda client: client.trigger(["order-41", "news"], "status", {"status": "x"}),
            "Everyone on order-41 and news got it.",
        ),
        (lambda client: [start_here.announce(client) for _ in range(2)], "You sent 2 events."),
        (_yields, "it has a `yield`"),
        (_asynchronous, "Your function is `async`"),
    ],
)
def test_an_event_that_is_not_the_one_asked_for(answer: Any, said: str) -> None:
    feedback = start_here.announce.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_an_event_that_cannot_be_sent_stops_with_the_clients_own_sentence() -> None:
    feedback = start_here.announce.check(lambda client: client.trigger("order 41", "status", {}))
    assert feedback.outcome is Outcome.ERROR
    assert "InvalidEvent: channel: expected letters" in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda body: body.replace(b"order", b"ORDER"), "You changed 5"),
        (lambda body: body.replace(b"out", b"Out"), "changes other bodies, but not this one"),
        (lambda body: body[:-1], "the length changed"),
        (lambda body: [body], "yours is list"),
    ],
)
def test_a_change_that_is_not_one_byte(answer: Any, said: str) -> None:
    feedback = start_here.change_one_byte.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def _glued(status: str) -> bytes:
    data = '{ "status": "' + status.replace('"', '\\"') + '" }'
    return json.dumps({"name": "status", "channels": ["order-41"], "data": data}).encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda status: b"{}", "still refuses it"),
        (lambda status: b'{"name":"s","channel":"order-41","data":"{}"}', "can't read its status"),
        (lambda status: b'{"name":"s","channel":"order-42","data":"{}"}', "can't read its status"),
        (lambda status: start_here.status_update("fixed"), "the page reads “fixed”"),
        (_glued, "You glue the JSON together"),
        (lambda status: start_here.status_update(status).decode(), "yours is str"),
    ],
)
def test_a_body_that_does_not_bring_the_status(answer: Any, said: str) -> None:
    feedback = start_here.update.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
