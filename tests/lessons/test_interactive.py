"""Widgets and their text twins: the same facts, safe to show, quick to follow."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pusherkit.lessons import body_is_bytes, start_here
from pusherkit.lessons._interactive import (
    WIDGET_VIEW,
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


def drive_timeline(made: Any) -> None:
    made.send()


def drive_tamper(made: Any) -> None:
    made.body.value = made.body.value.replace("hello", "jello")
    made.send()


def drive_prediction(made: Any) -> None:
    made.choose(next(iter(made._options)))


def leave(made: Any) -> None:
    pass


# Every interactive object of every lesson, and what a learner does until it shows what its
# twin shows.
OBJECTS: list[tuple[Callable[[], Interactive], Callable[[Any], None]]] = [
    (start_here.timeline, drive_timeline),
    (start_here.tamper, drive_tamper),
    (start_here.predict, drive_prediction),
    (body_is_bytes.recall_lines, drive_prediction),
    (body_is_bytes.recall_rule, drive_prediction),
    (body_is_bytes.predict, drive_prediction),
    (body_is_bytes.viewer, leave),
]
each_object = pytest.mark.parametrize(
    ("make", "drive"),
    OBJECTS,
    ids=[f"{make.__module__.rsplit('.')[-1]}.{make.__name__}" for make, _ in OBJECTS],
)


def test_the_list_is_complete() -> None:
    listed = {make.__name__ for make, _ in OBJECTS}
    for lesson in (start_here, body_is_bytes):
        for name, value in vars(lesson).items():
            hint = getattr(value, "__annotations__", {}).get("return", "")
            if not name.startswith("_") and hint in (
                "Timeline",
                "Tamper",
                "Prediction",
                "ByteViewer",
            ):
                assert name in listed


def text_of(fragment: str) -> str:
    """What a fragment of HTML says."""
    without_style = re.sub(r"<style>.*?</style>", "", fragment, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", without_style))


@each_object
def test_twin_and_widget_tell_the_same_facts(
    make: Callable[[], Interactive], drive: Callable[[Any], None]
) -> None:
    made = make()
    drive(made)
    shown = made.display.value
    bundle = made._repr_mimebundle_()
    for fact in made.twin.facts:
        if fact.name != "Choices":  # the widget has buttons for them
            assert html.escape(fact.value) in re.sub(r"</?mark>", "", shown)
        assert html.escape(fact.value) in re.sub(r"</?mark>", "", bundle["text/html"])
        for line in fact.value.split("\n"):
            assert line in bundle["text/plain"]
    assert made.twin.status in text_of(shown)
    assert made.twin.verdict in bundle["text/plain"]
    assert made.twin.verdict in text_of(bundle["text/html"])


@each_object
def test_a_twin_is_the_same_every_time(
    make: Callable[[], Interactive], drive: Callable[[Any], None]
) -> None:
    one, other = make(), make()
    drive(other)
    bundles = [made._repr_mimebundle_() for made in (one, other)]
    for bundle in bundles:
        assert bundle.pop(WIDGET_VIEW)["model_id"]
    assert bundles[0] == bundles[1]


@each_object
def test_every_control_has_a_label(
    make: Callable[[], Interactive], drive: Callable[[Any], None]
) -> None:
    def controls(widget: Any) -> Iterator[Any]:
        for child in getattr(widget, "children", ()):
            yield from controls(child)
        if hasattr(widget, "description") and type(widget).__name__ != "HTML":
            yield widget

    assert all(control.description for control in controls(make().widget))


# --- the timeline -----------------------------------------------------------------------------


def test_typing_signs_anew_and_sends_nothing() -> None:
    made = start_here.timeline()
    before = made.journey.signature
    made.send()
    made.message.value = "good evening"
    assert made.journey.signature != before
    assert made.journey.status is None
    assert "good evening" in made.display.value
    assert "Signed and ready" in made.display.value


def test_enter_sends() -> None:
    made = start_here.timeline()
    made.message._handle_custom_msg({"event": "submit"}, [])
    assert made.journey.arrived is not None


@pytest.mark.parametrize("message", ["", "☕ Zażółć", '"quoted" \\ & <b>', "x" * 90_000])
def test_any_message_arrives_as_it_was_typed(message: str) -> None:
    import json

    made = start_here.timeline()
    made.message.value = message
    made.send()
    assert made.journey.arrived is not None
    assert json.loads(made.journey.arrived.data) == {"text": message}


def test_a_message_over_the_limit_is_refused_before_sending() -> None:
    made = start_here.timeline()
    made.message.value = "x" * 102_400
    made.send()
    assert made.journey.status is None
    assert "over the limit of 102,400 bytes" in made.display.value
    made.message.value = "short again"
    made.send()
    assert made.journey.arrived is not None


def test_what_was_typed_is_escaped() -> None:
    made = start_here.timeline()
    made.message.value = "<img src=x onerror=alert(1)>"
    made.send()
    assert "<img" not in made.display.value


def test_a_server_that_is_gone_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from pusherkit.errors import PusherError

    class Gone(start_here.Practice):
        def subscribe(self, *_: Any, **__: Any) -> Any:
            raise PusherError("No connection.")

    monkeypatch.setattr(start_here, "practice", Gone)
    made = start_here.timeline()
    made.send()
    assert "No connection. Restart the kernel" in made.display.value
    assert "✗ Not sent" in made.display.value


def test_an_unchanged_body_is_accepted_under_its_signature() -> None:
    made = start_here.tamper()
    made.send()
    assert made.journey.status == 200
    assert "none: the bytes are the same" in made.display.value


def test_a_signature_error_shows_the_servers_words() -> None:
    made = start_here.tamper()
    made.body.value += " "
    made.send()
    assert made.journey.answer is not None
    for check in made.journey.answer["checks"]:
        if not check["passed"]:
            assert html.escape(check["expected"]) in made.display.value
            assert html.escape(check["received"]) in made.display.value


def test_the_lessons_share_one_server_and_leave_no_subscriber() -> None:
    import threading

    from pusherkit.lessons._practice import practice

    start_here.timeline().send()
    names = [thread.name for thread in threading.enumerate()]
    assert sum(name.startswith("pusherkit-sandbox") for name in names) == 1
    start_here.timeline().send()
    assert practice() is practice()
    assert [thread.name for thread in threading.enumerate() if "sandbox" in thread.name] == [
        name for name in names if "sandbox" in name
    ]
    for thread in threading.enumerate():
        if thread.name == "pusherkit-subscriber":
            thread.join(5)
            assert not thread.is_alive()


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


@pytest.mark.parametrize(
    "make",
    [
        start_here.predict,
        body_is_bytes.recall_lines,
        body_is_bytes.recall_rule,
        body_is_bytes.predict,
    ],
)
def test_the_right_answer_is_among_the_options(make: Callable[[], Prediction]) -> None:
    made = make()
    right, _ = made._run()
    assert right in made._options
    assert all(made._options.values())


# --- the byte viewer --------------------------------------------------------------------------


@pytest.mark.parametrize("variant", body_is_bytes.VARIANTS)
def test_variants_mean_the_same(variant: str) -> None:
    made = body_is_bytes.viewer()
    made.variant.value = variant
    same = variant == "the same bytes"
    assert made.b.value == body_is_bytes.VARIANTS[variant]
    assert ("✓ Same bytes, same digest." in made.display.value) is same
    assert ("although both mean the same to JSON" in made.display.value) is not same


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [(b"", b"", None), (b"ab", b"ab", None), (b"ab", b"ac", 1), (b"ab", b"abc", 2), (b"", b"x", 0)],
)
def test_first_difference(one: bytes, other: bytes, at: int | None) -> None:
    assert first_difference(one, other) == at
    assert first_difference(other, one) == at


def test_a_mark_counts_characters_not_bytes() -> None:
    body = "é☕x".encode()
    start, end = mark_at(body, body.index(b"x")) or (0, 0)
    assert body.decode()[start:end] == "x"


def test_a_byte_that_cannot_be_shown_is_named_in_hex() -> None:
    assert name_byte(b"a\n", 0) == "0x61 'a'"
    assert name_byte(b"a\n", 1) == "0x0a"
    assert name_byte(b"a", 1) == "nothing (its end)"


# --- views ------------------------------------------------------------------------------------


def test_html_is_escaped_and_marked() -> None:
    view = View("<t>", (Fact("<n>", "a<b>c", "<w>", mark=(1, 4)),), "<s>", good=False)
    shown = to_html(view).split("</style>")[1]
    assert "a<mark>&lt;b&gt;</mark>c" in shown
    for raw in ("<t>", "<n>", "<w>", "<s>"):
        assert raw not in shown
    assert "✗ &lt;s&gt;" in shown


def test_text_is_aligned() -> None:
    view = View("T", (Fact("a", "1\n2"), Fact("long", "3")), "done", good=True)
    assert to_text(view) == "T\na     1\n      2\nlong  3\n✓ done"
