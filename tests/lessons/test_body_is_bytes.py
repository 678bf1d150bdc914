"""Lesson 01: the two bodies, their picture, and the judges of its exercises."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from pusherkit.lessons import body_is_bytes
from pusherkit.lessons.kit import Outcome
from pusherkit.lessons.kit.view import to_text

# --- two bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", body_is_bytes.VARIANTS)
def test_each_variant_means_the_same_and_only_one_is_the_same(variant: str) -> None:
    made = body_is_bytes.two_bodies()
    made.set(variant=variant)
    assert made.values["b"] == body_is_bytes.VARIANTS[variant]
    same = variant == "exactly like A"
    assert made.view.good is same
    assert same or made.view.status.startswith("Same meaning, other bytes")


def test_the_rows_stay_where_they_are_while_somebody_types() -> None:
    made = body_is_bytes.two_bodies()
    rows = [fact.name for fact in made.view.facts]
    for typed in ("", "{", "x" * 5_000, "ë" * 3, "\x00\t\n"):
        made.set(b=typed)
        assert [fact.name for fact in made.view.facts] == rows


def test_bytes_that_only_moved_are_joined_and_the_new_one_is_hot() -> None:
    picture = body_is_bytes.tapes(b'{"a":1}', b'{"a": 1}')
    assert picture.shapes.count("class='slid'") == 2  # 1 and }
    assert "class='hot'" in picture.shapes
    assert "from byte 5 on" in picture.desc
    assert body_is_bytes.tapes(b"same", b"same").shapes.count("class='hot'") == 0


def test_the_picture_keeps_its_width_and_shows_where_a_tape_goes_on() -> None:
    pictures = [body_is_bytes.tapes(b"x", b"x" * n) for n in (0, 1, 7, 24, 25, 90)]
    assert len({(each.width, each.narrow.width) for each in pictures if each.narrow}) == 1
    assert pictures[3].shapes.count(">end<") == 2
    assert [pictures[4].shapes.count(each) for each in (">end<", ">…<")] == [1, 1]


def test_a_tape_never_begins_inside_a_character() -> None:
    for number in range(1, 20):
        body = ("ë☕🎈é" * number).encode()
        shapes = body_is_bytes.tapes(body, body + b"!").shapes
        first = re.search(r"y='64' text-anchor='middle' class='hex'>(..)", shapes)
        assert first is not None
        assert int(first[1], 16) & 0xC0 != 0x80, "half a character"


def test_a_character_is_drawn_over_all_of_its_bytes() -> None:
    letters = list(body_is_bytes._letters("aë☕ë".encode()[:7]))
    assert letters == [(0, 1, "a"), (1, 2, "ë"), (3, 3, "☕")]


def test_a_long_body_costs_little_more_than_a_short_one() -> None:
    made = body_is_bytes.two_bodies()
    long = "x" * 2_000_000
    started = time.process_time()
    made.set(a=long + "a", b=long + "b")
    assert time.process_time() - started < 5
    assert f"byte {len(long)}" in to_text(made.view)
    assert len(made.stage.html) < 60_000


# --- the exercises --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda body: body.decode(), "A body is bytes"),
        (lambda body: b'{"name":"another"}', "means something else"),
        (lambda body: body.replace(b": ", b":"), "means something else"),
        (lambda body: b"[" * 100_000, "isn't JSON any more"),
        (lambda body: b"\xff", "isn't JSON any more"),
        (lambda body: body.replace(b"Ann", b"Ann"), "the very same bytes"),
        (lambda body: body + b" " * (b"Ann" in body), "changes nothing"),
    ],
)
def test_other_bytes_that_will_not_do(answer: Any, said: str) -> None:
    feedback = body_is_bytes.same_meaning.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_body_in_latin_1_stops_and_a_hint_says_why() -> None:
    feedback = body_is_bytes.text_md5.check(
        lambda text: body_is_bytes.body_md5(text.encode("latin-1"))
    )
    assert feedback.outcome is Outcome.ERROR
    assert "latin-1" in feedback.message
    assert any(hint.startswith("Latin-1 doesn't") for hint in body_is_bytes.text_md5.hints)


@pytest.mark.parametrize("letter", "ABC")
def test_a_body_in_place_of_its_letter_is_named(letter: str) -> None:
    feedback = body_is_bytes.signed_body.check(body_is_bytes.BODIES[letter])
    assert feedback.message == "The answer is the letter, not the body."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda order: order, "Return two things"),
        (lambda order: (b"", b""), "Return bytes and text"),
        (lambda order: (b"\xff", ""), "doesn't hold the order"),
        (lambda order: (json.dumps(order).encode(), "x" * 32), "the hash isn't that of the body"),
    ],
)
def test_other_ways_not_to_fix_the_update(answer: Any, said: str) -> None:
    feedback = body_is_bytes.update.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_the_broken_update_spares_ann_and_refuses_zoe() -> None:
    def passes(name: str) -> bool:
        body, md5 = body_is_bytes.broken_update({"name": "status", "data": name})
        return body_is_bytes.body_md5.solve(body) == md5

    assert passes("Ann")
    assert not passes("Zoë")


def test_the_incident_shows_the_hashes_of_zoes_update() -> None:
    body, md5 = body_is_bytes.broken_update(body_is_bytes.ORDER)
    arrived = body_is_bytes.body_md5.solve(body)
    (title,) = (cell for cell in _markdown() if cell.startswith("# 01"))
    assert f'MD5 {arrived[:8]}…, but you sent "{md5[:8]}…' in title


def _markdown() -> list[str]:
    from tests.lessons.test_registry import notebook

    cells = notebook(body_is_bytes.lesson).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]
