"""Lesson 01: the byte viewer, the recall questions, the prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.lessons import body_is_bytes


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
