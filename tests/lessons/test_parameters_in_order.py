"""Lesson 02: the list to put in order, the recall questions, the prediction, two exercises."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.lessons import parameters_in_order
from pusherkit.lessons._exercise import Outcome

# Measured with another implementation: the request of this lesson, signed as it should be.
RIGHT = "25936a2c40c0fb573c7317d8c4abd08d1b68abb9ad4346f7cbb632f9369b5c28"
CASE_KEPT = "f9c09723"  # the same request, with one mistake each
ENCODED = "b6cdcc51"


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (parameters_in_order.recall_bytes, lambda made: made.choose("1")),
        (parameters_in_order.recall_secret, lambda made: made.choose("auth_key")),
        (parameters_in_order.predict, lambda made: made.choose("It refuses: 401")),
        (parameters_in_order.reorder, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (parameters_in_order.recall_bytes, "2"),
        (parameters_in_order.recall_secret, "the secret"),
        (parameters_in_order.predict, "It accepts the request"),
    ],
)
def test_the_code_says_what_the_lesson_says(make: Any, right: str) -> None:
    made = make()
    made.choose(right)
    assert "✓ As predicted." in made.display.value


# --- the list to put in order -----------------------------------------------------------------


def shown(made: Any) -> str:
    """What the View says, without its marks."""
    return html.unescape(re.sub(r"<[^>]+>", "", made.display.value.split("</style>")[1]))


def put_in_order(made: Any) -> None:
    """Four clicks."""
    made.chosen.value = "Name"
    for _ in range(3):
        made.down.click()
    made.chosen.value = "auth_timestamp"
    made.up.click()


def test_in_order_and_in_lower_case_it_is_accepted() -> None:
    made = parameters_in_order.reorder()
    assert "✗ Refused. 5 rows are out of place. The key Name is not in lower case." in shown(made)
    put_in_order(made)
    keys = [key.lower() for key, _ in made.rows]
    assert keys == sorted(keys)
    assert "✗ Refused. The key Name is not in lower case." in shown(made)
    made.lower.value = True
    assert shown(made).count(RIGHT) == 3  # mine, the server's, and the URL's
    assert "Answer200 {}" in shown(made).replace("\n", "")
    assert "✓ Accepted." in shown(made)
    assert "none: the bytes are the same" in shown(made)


def test_a_capital_at_the_top_is_the_mistake_of_sorting_as_it_stands() -> None:
    made = parameters_in_order.reorder()
    put_in_order(made)
    made.chosen.value = "Name"
    for _ in range(5):
        made.up.click()
    assert CASE_KEPT in shown(made)


def test_the_url_never_changes_its_order() -> None:
    made = parameters_in_order.reorder()
    put_in_order(made)
    made.lower.value = True
    keys = re.findall(r"[?&](\w+)=", shown(made).split("URL/apps")[1].split("The order")[0])
    assert keys == [key for key, _ in parameters_in_order.WRITTEN] + ["auth_signature"]
    assert "Name=Something+else&" in shown(made)


def test_encoded_values_are_refused_at_the_first_encoded_byte() -> None:
    made = parameters_in_order.reorder()
    put_in_order(made)
    made.lower.value = made.encode.value = True
    assert ENCODED in shown(made)
    assert "you have 0x25 '%', the server has 0x2c ','" in shown(made)
    assert "✗ Refused. The values are encoded." in shown(made)


def test_auth_signature_has_no_right_place() -> None:
    made = parameters_in_order.reorder()
    put_in_order(made)
    made.lower.value = made.include.value = True
    assert "7  ✗ not signed" in shown(made)
    assert "auth_signature is made from this text" in shown(made)
    made.chosen.value = "auth_signature"
    for _ in range(9):
        made.up.click()
        assert "✗ Refused. auth_signature is made" in shown(made)
    assert made.rows[0] == parameters_in_order.SIGNATURE_ROW
    made.include.value = False
    assert "✓ Accepted." in shown(made)
    assert made.chosen.value in made.chosen.options
    assert "auth_signature" not in made.chosen.options


def test_the_chosen_row_stays_chosen_and_nothing_moves_beyond_an_end() -> None:
    made = parameters_in_order.reorder()
    made.chosen.value = "info"
    before = list(made.rows)
    made.down.click()
    assert made.rows == before
    made.up.click()
    assert made.chosen.value == "info"
    assert "→ 5  ✓ in place      info" in shown(made)
    assert sorted(made.rows) == sorted(before)


def test_a_row_is_marked_by_a_word_and_a_sign() -> None:
    rows = [("b", "1"), ("A", "2"), ("auth_signature", ""), ("c", "3")]
    assert parameters_in_order.places(rows) == [
        "✗ out of place",
        "✗ out of place",
        "✗ not signed",
        "✓ in place",
    ]


# --- the exercises ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["secret", "Auth_Signature", ("auth_signature", ""), "", 6])
def test_only_one_key_is_not_signed(answer: Any) -> None:
    assert parameters_in_order.unsigned.check(answer).outcome is Outcome.WRONG


def test_the_query_to_look_at_is_what_a_server_accepts() -> None:
    practice = parameters_in_order.Practice()
    response = practice.client.http.request(
        "GET", "/apps/3/channels", params=parameters_in_order.QUERY, auth=None
    )
    assert response.status_code == 200
    keys = [key for key, _ in parameters_in_order.QUERY]
    assert all(a != b for a, b in zip(keys, sorted(keys), strict=True))


def test_what_was_called_is_shown_with_a_wrong_query() -> None:
    feedback = parameters_in_order.signed_query.check(lambda *_: "auth_key=")
    assert "key = '5f1e0c'" in repr(feedback)
    assert "got 9" in feedback.message
