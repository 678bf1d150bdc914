"""Controls, the View under them, and the three forms of a View."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from pusherkit.lessons.kit import (
    Event,
    Explorer,
    Fact,
    Picture,
    View,
    area,
    button,
    choice,
    excerpt,
    first_difference,
    gesture,
    line,
    mark_at,
    name_byte,
    number,
    preset,
    slider,
    tick,
)
from pusherkit.lessons.kit.controls import OWN
from pusherkit.lessons.kit.picture import (
    CLASSES,
    PALETTE,
    STAGES,
    boxes,
    group,
    handle,
    path,
    rect,
    text,
    tile,
)
from pusherkit.lessons.kit.stage import WIDGET_VIEW
from pusherkit.lessons.kit.view import to_html, to_static, to_text


def seen(**values: Any) -> View:
    return View("Seen", tuple(Fact(name, repr(value)) for name, value in values.items()))


def facts(made: Explorer) -> dict[str, str]:
    return {fact.name: fact.value for fact in made.view.facts}


# --- controls -------------------------------------------------------------------------------------


def test_every_control_hands_over_its_value() -> None:
    made = Explorer(
        seen,
        a=area("A", b"\xc3\xa9"),
        b=line("B", "b"),
        c=choice("C", {"one": 1, "two": 2}),
        d=tick("D", True),
        e=number("E", 3, 0, 9),
        f=slider("F", -5, -600, 600),
        g=button("Go"),
    )
    assert made.values == {"a": "é", "b": "b", "c": 1, "d": True, "e": 3, "f": -5, "g": False}
    made.set(c="two", d=False, e="99", f="-700", a="x\ud800")
    assert facts(made) == {
        "a": "'x?'", "b": "'b'", "c": "2", "d": "False", "e": "9", "f": "-600", "g": "False",
    }  # fmt: skip


@pytest.mark.parametrize("half", ["", "-", "1e", "two"])
def test_half_a_number_keeps_the_last_good_one(half: str) -> None:
    made = Explorer(seen, e=number("E", 3, 0, 9))
    made.set(e=half)
    assert facts(made) == {"e": "3"}


def test_a_preset_fills_its_field_and_the_field_can_still_be_changed() -> None:
    made = Explorer(seen, p=preset("P", {"one": "1", "two": "2"}, into="a"), a=area("A", "1"))
    made.stage.typed = {"p": "two"}
    assert facts(made) == {"a": "'2'"}
    assert made.stage.put == {"a": "2"}, "the browser is told"
    made.stage.typed = {"p": "two", "a": "3"}
    assert facts(made) == {"a": "'3'"}


class Fields:
    """The fields in a browser: it takes what is put, and sends all that they hold."""

    def __init__(self, made: Explorer) -> None:
        self.stage = made.stage
        self.hold: dict[str, Any] = {}
        self.stage.observe(lambda change: self.hold.update(change["new"]), "put")

    def type(self, **values: Any) -> None:
        self.hold.update(values)
        self.stage.typed = dict(self.hold)

    def press(self, name: str) -> None:
        message = {"kind": "press", "id": name, "typed": dict(self.hold)}
        self.stage._handle_custom_msg(message, [])


def test_a_preset_says_when_its_field_holds_something_else_and_can_be_chosen_again() -> None:
    made = Explorer(
        seen,
        p=preset("P", {"one": "1", "two": "2"}, into="a"),
        a=area("A", "1"),
        go=button("Go"),
    )
    fields = Fields(made)
    fields.type(p="two")
    fields.type(a="3")
    assert fields.hold == {"p": OWN, "a": "3"}, "what was typed isn't written over"
    fields.press("go")
    assert facts(made) == {"a": "'3'", "go": "True"}
    made.stage.typed = {"p": "two", "a": "34"}  # typed before the browser heard of OWN
    assert facts(made)["a"] == "'34'"
    fields.type(p=OWN, a="34")
    fields.type(p="two")
    assert fields.hold == {"p": "two", "a": "2"}
    assert facts(made)["a"] == "'2'"
    fields.press("go")
    assert fields.hold == {"p": "two", "a": "2"}


def test_a_button_is_true_in_the_call_it_causes_and_never_after() -> None:
    made = Explorer(seen, a=line("A", "x"), send=button("Send"))
    made.press("send")
    assert facts(made)["send"] == "True"
    made.set(a="y")
    assert facts(made)["send"] == "False"
    made.hear(Event("enter", "a"))
    assert facts(made)["send"] == "True"


def test_a_gesture_moves_a_value() -> None:
    def move(value: int, event: Event) -> int:
        return value + {"ArrowLeft": -1, "ArrowRight": 1}.get(event.key, 0)

    made = Explorer(seen, x=gesture(5, move))
    made.stage._handle_custom_msg({"kind": "key", "id": "dot", "key": "ArrowRight"}, [])
    assert facts(made) == {"x": "6"}


def test_a_sentence_takes_the_place_of_the_status_and_the_rest_stays() -> None:
    def show(a: str) -> View:
        if not a:
            raise ValueError("Type something.")
        return View("T", (Fact("A", a),), "Fine.", True)

    made = Explorer(show, a=line("A", "x"))
    made.set(a="")
    assert (made.view.status, made.view.good, facts(made)) == ("Type something.", False, {"A": "x"})
    made.set(a="y")
    assert made.view.status == "Fine."


def test_an_odd_message_from_the_browser_is_nothing() -> None:
    made = Explorer(seen, a=line("A", "x"), g=button("Go"))
    for message in ({"kind": "press", "id": "nobody"}, {"kind": "?", "id": "", "more": 1}):
        made.stage._handle_custom_msg(message, [])
    assert facts(made)["a"] == "'x'"


def test_two_explorers_on_a_page_have_fields_of_their_own() -> None:
    forms = [Explorer(seen, a=line("A", "x")).stage.form for _ in range(2)]
    one, other = (re.findall(r' id="([^"]+)"', form) for form in forms)
    assert one != other


def test_the_style_sheet_is_not_in_what_is_sent_at_each_key() -> None:
    made = Explorer(seen, a=line("A", "x"))
    assert "<style" not in made.stage.html + made.stage.form
    assert "<style" not in made._repr_mimebundle_()["text/html"]


# --- the three forms of a View --------------------------------------------------------------------

PICTURE = Picture(
    "Two <boxes>", 'One is "left".', 100, 40,
    rect(0, 0, 10, 10, "s1") + handle(text(5, 5, "<a>", "m"), id="a", label="Box A", drag=True),
)  # fmt: skip
VIEW = View(
    "<t>",
    (Fact("<n>", "a<b>c", "<w>", marks=((1, 4),)), Fact("Prose", "Read <me>.", kind="prose")),
    "<s>",
    good=False,
    picture=PICTURE,
    details=(Fact("Deep", "<d>"),),
    code="def f():\n    return '<x>'",
    below=(View("<below>"),),
    note="<note>",
)


def test_everything_is_escaped_everywhere() -> None:
    for shown in (to_html(VIEW), to_static(VIEW)):
        assert "a<mark>&lt;b&gt;</mark>c" in shown
        for raw in ("<t>", "<n>", "<w>", "<s>", "<me>", "<d>", "<x>", "<below>", "<note>", "<a>"):
            assert raw not in shown
        assert "✗ &lt;s&gt;" in shown


def test_the_static_form_needs_no_style_sheet_and_holds_the_picture() -> None:
    shown = to_static(VIEW)
    assert "<style" not in shown
    assert "<svg" not in shown
    around = shown.replace(PICTURE.image(), "")
    assert "class=" not in around
    assert "var(" not in around
    assert "<table" in shown
    assert 'src="data:image/svg+xml,' in shown
    assert 'alt="Two &lt;boxes&gt;. One is &quot;left&quot;."' in shown
    assert "tabindex" not in PICTURE.image(), "an image can't be operated"


def drawn(*shapes: str) -> tuple[str, str]:
    """The style sheet and the shapes of an image, decoded."""
    shown = unquote(re.search('src="data:image/svg[+]xml,([^"]*)"', image_of(*shapes))[1])  # type: ignore[index]
    style, _, rest = shown.partition("<style>")[2].partition("</style>")
    ElementTree.fromstring(shown)  # it's an image only if it is XML
    return style, rest.removesuffix("</svg>")


def image_of(*shapes: str) -> str:
    return Picture("T", "D", 10, 10, "".join(shapes)).image()


def test_without_a_style_sheet_what_explains_prose_has_a_line_of_its_own() -> None:
    view = View("T", (Fact("Goal", "Send it.", "Because.", kind="prose"), Fact("V", "1", "One.")))
    assert "Send it.<br><small>Because.</small>" in to_static(view)
    assert "<br><small>One." not in to_static(view)


def test_an_image_joins_what_looks_alike_and_hides_nothing() -> None:
    below, above = rect(0, 0, 9, 9, "hot"), rect(1, 1, 3, 3, "box")
    _, shapes = drawn(below, above, rect(2, 2, 3, 3, "hot"))
    assert re.findall("d='([^']*)'", shapes) == ["M0 0h9v9H0z", "M1 1h3v3H1z", "M2 2h3v3H2z"]
    _, shapes = drawn(path("M0 0H4"), rect(0, 0, 2, 2, "bare"), path("M0 1H4"))
    assert re.findall("d='([^']*)'", shapes) == ["M0 0H4M0 1H4", "M0 0h2v2H0z"]
    _, shapes = drawn(text(0, 0, "a", "m"), below, text(0, 1, "b", "m"))
    assert shapes.endswith("<text x='0' y='0'>a</text><text x='0' y='1'>b</text></g>")


def test_an_image_says_a_common_size_once_and_knows_its_colours() -> None:
    style, shapes = drawn(rect(0, 0, 4, 2, "s1", rx=1), rect(5, 0, 4, 2, "s1", rx=1))
    assert ".a *{width:4px;height:2px;rx:1px}" in style
    assert shapes == "<g class='a'><rect x='0' y='0'/><rect x='5' y='0'/></g>"
    style, _ = drawn(text(0, 0, "a", "", fill="var(--ok)"))
    assert style.count("--ok:") == 2, "light and dark"


def test_a_picture_of_anything_stays_an_image() -> None:
    _, shapes = drawn(text(0, 0, "<&\"'%#\x00\ud800é⏎"), text(0, 0, ""))
    assert shapes == "<text class='a' x='0' y='0'>&lt;&amp;\"'%#��é⏎</text>"


def test_boxes_side_by_side_share_a_line() -> None:
    assert "d='M0 0h6v3H0zm2 0v3m2 -3v3M9 0h2v3H9z'" in boxes(
        ((0, 0), (2, 0), (4, 0), (9, 0)), 2, 3
    )


def test_a_tile_has_its_words_in_its_middle_or_at_its_left() -> None:
    assert tile(4, 4, 74, 30, "a<b", rx=15) == (
        "<rect x='4' y='4' width='74' height='30' class='box' rx='15'/>"
        "<text x='41' y='23.5' text-anchor='middle' class='m'>a&lt;b</text>"
    )
    assert tile(4, 4, 74, 24, "a", pad=7).endswith("<text x='11' y='20.5' class='m'>a</text>")
    assert group("", at=(1.5, 2)) == "<g transform='translate(1.5 2)'></g>"


def test_what_stands_between_backticks_is_code_but_not_in_a_value() -> None:
    prose, value = Fact("Why `a`", "Use `<b>`.", "not `c`", kind="prose"), Fact("V", "`d`")
    view = View("`t`", (prose, value), "It has a `yield`", note="one ` alone")
    for shown in (to_html(view), to_static(view)):
        assert "Use <code>&lt;b&gt;</code>." in shown
        assert "not <code>c</code>" in shown
        assert "It has a <code>yield</code>" in shown
        assert "`d`" in shown
        assert "one ` alone" in shown


def test_a_line_ends_at_a_comma_or_an_ampersand_and_code_not_at_all() -> None:
    value, code = Fact("V", "a=1&b=2, c,d,,"), Fact("C", "f(a,b)", kind="code")
    assert "a=1&amp;<wbr>b=2, c,<wbr>d,,<" in to_html(View("T", (value,)))
    assert "<wbr>" not in to_html(View("T", (code,)))


def test_the_text_has_the_same_facts() -> None:
    shown = to_text(VIEW)
    for fact in VIEW.facts + VIEW.details:
        assert fact.value in shown
    assert "✗ <s>" in shown
    assert PICTURE.desc in shown


def test_a_live_picture_that_can_be_operated_is_a_group_and_another_an_image() -> None:
    assert "role='group'" in PICTURE.inline()
    assert "role='img'" in Picture("T", "D", 1, 1, rect(0, 0, 1, 1)).inline()


def test_a_bundle_has_text_html_and_the_widget() -> None:
    assert set(Explorer(seen)._repr_mimebundle_()) == {"text/plain", "text/html", WIDGET_VIEW}


def test_text_is_aligned() -> None:
    view = View("T", (Fact("a", "1\n2"), Fact("long", "3")), "done", good=True)
    assert to_text(view) == "T\n✓ done\na     1\n      2\nlong  3"


# --- what the browser says, beside values ---------------------------------------------------------


def test_every_message_is_answered_at_once_and_a_rest_is_what_a_saved_page_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(value: int, go: bool) -> View:
        assert sent or not go, "the answer comes before the work"
        return View("T", (Fact("V", str(value)),))

    sent: list[Any] = []
    made = Explorer(answer, value=number("V", 3, 0, 9), go=button("Go"))
    monkeypatch.setattr(made.stage, "send", sent.append)
    made._heard(None, {"kind": "press", "id": "go", "typed": {"value": "4"}}, [])
    assert sent == [{"heard": True}] * 2  # of the press, and of what was typed before it
    assert made.stage.still == ""
    made._heard(None, {"rest": True}, [])
    assert made.stage.still == to_static(made.view)
    assert "<code>4</code>" in made.stage.still


# --- colours --------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["bg", "card"])
def test_text_can_be_read_on_both_grounds(which: int, ground: str) -> None:
    for name in ("fg", "dim", "ok", "bad", "accent", *(f"s{n}" for n in range(1, 7))):
        assert contrast(PALETTE[name][which], PALETTE[ground][which]) >= 4.5, name


def test_every_stage_has_its_colour() -> None:
    assert {f"{kind}{n}" for n in range(1, len(STAGES) + 1) for kind in "sft"} <= CLASSES.keys()


# --- bytes, as people read them -------------------------------------------------------------------


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


def test_a_byte_is_named() -> None:
    assert name_byte(b"a\n", 0) == "a (0x61)"
    assert name_byte(b"a\n", 1) == "a newline (0x0a)"
    assert name_byte(b"\xc3 ", 0) == "0xc3"
    assert name_byte(b"a", 1) == "nothing more"


def test_an_excerpt_says_how_much_it_shows() -> None:
    fact = excerpt(Fact("Body", "x" * 5_000, marks=((4_000, 4_001),)))
    assert len(fact.value) == 1_300
    assert fact.marks == ((300, 301),)
    assert fact.why == "Shown: characters 3,701 to 5,000 of 5,000."
