"""The machinery under every widget: views, twins, predictions."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from pusherkit.lessons import start_here
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    View,
    first_difference,
    mark_at,
    name_byte,
    to_html,
    to_text,
)
from pusherkit.lessons._progress import ProgressView, lessons


def text_of(fragment: str) -> str:
    """What a fragment of HTML says."""
    without_style = re.sub(r"<style>.*?</style>", "", fragment, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", without_style))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.NOTEBOOK)
def test_every_interactive_object_is_held_to_its_twin(lesson: ModuleType) -> None:
    name = lesson.__name__.rsplit(".")[-1]
    tests = (Path(__file__).parent / f"test_{name}.py").read_text(encoding="utf-8")
    for function_name, function in vars(lesson).items():
        if getattr(function, "__module__", "") != lesson.__name__ or isinstance(function, type):
            continue
        made: Any = get_type_hints(function).get("return") if callable(function) else None
        if isinstance(made, type) and issubclass(made, Interactive) and made is not ProgressView:
            # In the list of its lesson's test_twins, or in tests of its own, as the programs are.
            maker = rf"{name}\.{function_name}"
            assert re.search(rf"\({maker}, |made = {maker}\(", tests)


# --- predictions ------------------------------------------------------------------------------


def test_nothing_is_revealed_before_a_choice() -> None:
    made = start_here.predict()
    assert "401" not in text_of(made.display.value)


def test_the_twin_folds_the_answer_away() -> None:
    shown = start_here.predict()._repr_mimebundle_()["text/html"]
    before, after = shown.split("<details>")
    assert "It turns out" not in before
    assert "It turns out" in after


def test_the_answer_comes_from_running_the_code() -> None:
    truth = ["left"]
    made = Prediction(
        "Which?", {"left": "L.", "right": "R."}, lambda: (truth[0], [Fact("Seen", truth[0])]), "So."
    )
    made.choose("right")
    assert "A surprise. R. So." in text_of(made.display.value)
    assert "✗" not in made.display.value
    truth[0] = "right"
    made.choose("right")
    assert "✓ As predicted. R. So." in text_of(made.display.value)


# --- bytes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [(b"", b"", None), (b"ab", b"ab", None), (b"ab", b"ac", 1), (b"ab", b"abc", 2), (b"", b"x", 0)],
)
def test_first_difference(one: bytes, other: bytes, at: int | None) -> None:
    assert first_difference(one, other) == at
    assert first_difference(other, one) == at


def test_a_mark_counts_characters_not_bytes() -> None:
    body = "é☕x".encode()
    ((start, end),) = mark_at(body, body.index(b"x"))
    assert body.decode()[start:end] == "x"


def test_a_byte_that_cannot_be_shown_is_named_in_hex() -> None:
    assert name_byte(b"a\n", 0) == "0x61 'a'"
    assert name_byte(b"a\n", 1) == "0x0a"
    assert name_byte(b"a", 1) == "nothing (its end)"


# --- views ------------------------------------------------------------------------------------


def test_html_is_escaped_and_marked() -> None:
    view = View("<t>", (Fact("<n>", "a<b>c", "<w>", marks=((1, 4),)),), "<s>", good=False)
    shown = to_html(view).split("</style>")[1]
    assert "a<mark>&lt;b&gt;</mark>c" in shown
    for raw in ("<t>", "<n>", "<w>", "<s>"):
        assert raw not in shown
    assert "✗ &lt;s&gt;" in shown


def test_text_is_aligned() -> None:
    view = View("T", (Fact("a", "1\n2"), Fact("long", "3")), "done", good=True)
    assert to_text(view) == "T\na     1\n      2\nlong  3\n✓ done"
