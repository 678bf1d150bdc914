"""What the lessons' tests share. None touches the progress of whoever runs it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pusherkit.lessons._interactive import WIDGET_VIEW, Interactive, Prediction
from pusherkit.lessons._progress import FILE, PROGRESS
from pusherkit.lessons.kit import progress as kit_progress


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where progress is kept while a test runs."""
    monkeypatch.setattr(PROGRESS, "_file", tmp_path / FILE)
    monkeypatch.setattr(PROGRESS, "_here", set())
    monkeypatch.chdir(tmp_path)  # my_pusher.py goes into the current folder
    monkeypatch.setattr(kit_progress.PROGRESS, "file", tmp_path / FILE)
    kit_progress.PROGRESS.reset()
    return tmp_path / FILE


def text_of(fragment: str) -> str:
    """What a fragment of HTML says."""
    without_style = re.sub(r"<style>.*?</style>", "", fragment, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", without_style))


def controls(widget: Any) -> Iterator[Any]:
    """The controls inside a widget."""
    for child in getattr(widget, "children", ()):
        yield from controls(child)
    if hasattr(widget, "description") and type(widget).__name__ != "HTML":
        yield widget


def _check_twin(make: Callable[[], Interactive], drive: Callable[[Any], None]) -> None:
    made, other = make(), make()
    assert all(control.description for control in controls(made.widget)), "a control has no label"

    drive(made)
    shown, bundle = re.sub(r"</?mark>", "", made.display.value), made._repr_mimebundle_()
    for fact in made.twin.facts:
        if fact.name != "Choices":  # the widget has buttons for them
            assert html.escape(fact.value) in shown
        assert html.escape(fact.value) in re.sub(r"</?mark>", "", bundle["text/html"])
        for line in fact.value.split("\n"):
            assert line in bundle["text/plain"]
    assert made.twin.status in text_of(shown)
    assert made.twin.verdict in bundle["text/plain"]
    assert made.twin.verdict in text_of(bundle["text/html"])

    twins = [bundle, other._repr_mimebundle_()]
    for twin in twins:
        assert twin.pop(WIDGET_VIEW)["model_id"]
    assert twins[0] == twins[1], "a twin must be the same on every run"

    if isinstance(made, Prediction):
        right, _ = made._run()
        assert right in made._options, "no option is right"
        assert all(made._options.values()), "an option without an explanation"


@pytest.fixture
def check_twin() -> Callable[[Callable[[], Interactive], Callable[[Any], None]], None]:
    """Holds an interactive object to its twin.

    Called with a function that makes the object, and one that does what a learner does until it
    shows what its twin shows.
    """
    return _check_twin
