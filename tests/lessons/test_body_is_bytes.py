"""Lesson 01: the byte viewer, the recall questions, the prediction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.lessons import body_is_bytes
from pusherkit.lessons._exercise import Outcome


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (body_is_bytes.recall_lines, lambda made: made.choose("3")),
        (body_is_bytes.recall_rule, lambda made: made.choose("body_md5")),
        (body_is_bytes.predict, lambda made: made.choose("Yes")),
        (body_is_bytes.viewer, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the byte viewer --------------------------------------------------------------------------


@pytest.mark.parametrize("variant", body_is_bytes.VARIANTS)
def test_variants_mean_the_same(variant: str) -> None:
    made = body_is_bytes.viewer()
    made.variant.value = variant
    same = variant == "the same bytes"
    assert made.b.value == body_is_bytes.VARIANTS[variant]
    assert ("✓ Same bytes, same digest." in made.display.value) is same
    assert ("although both mean the same to JSON" in made.display.value) is not same


# --- the exercises ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"name":"door","channel":"house","data":"shut"}', "another meaning"),
        (b"[" * 100_000, "not JSON any more"),
        (b"\xff", "not JSON any more"),
    ],
)
def test_other_bytes_that_do_not_mean_the_same(answer: bytes, said: str) -> None:
    feedback = body_is_bytes.other_bytes.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda event: event, "Expected two values"),
        (lambda event: (b"", b""), "Expected bytes and text, got bytes and bytes."),
        (lambda event: (b"\xff", ""), "no longer holds the event"),
        (lambda event: (json.dumps(event).encode(), "x" * 32), "not that of the body that is sent"),
    ],
)
def test_other_ways_not_to_mend_the_request(answer: Any, said: str) -> None:
    feedback = body_is_bytes.mend.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
