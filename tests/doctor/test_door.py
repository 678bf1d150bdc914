"""The door: what it has learned never comes out."""

from __future__ import annotations

import pytest

from pusherkit.credentials import HIDDEN
from pusherkit.doctor.door import Door

SECRET = "7ad3773142a6692b25b8"


@pytest.mark.parametrize("learned", [SECRET, f'"{SECRET}"', f" '{SECRET}'\n"])
def test_a_secret_is_hidden_also_where_it_was_learned_with_quotes_around_it(learned: str) -> None:
    door = Door("another-secret", learned)
    assert door.hide(f"x={SECRET}, y=another-secret") == f"x={HIDDEN}, y={HIDDEN}"
    assert door.holds(f"({SECRET.upper()})")
    assert not door.holds("nothing")


@pytest.mark.parametrize("learned", ["", None, 3, [SECRET], "''", "\udcff"])
def test_what_is_no_secret_hides_nothing(learned: object) -> None:
    assert Door(learned).hide(f"x={SECRET}") == f"x={SECRET}"
