"""Lesson 03 as a learner meets it: tiles moved with the mouse and with keys, wide and narrow."""

from __future__ import annotations

import re

import pytest

NAME = "03-canonical-string.ipynb"
WIDGET = "lesson.tiles()"
SHOWN = "svg:visible"


def tile(card, name):
    """The tile, in the drawing that is shown."""
    return card.locator(f"{SHOWN} [data-press='{name}']")


def labelled(text):
    """What a screen reader says of a tile that is there."""
    return re.compile(f": {text}\\.")


def drop(lab, card, name, gap):
    """Drag a tile into a gap, by its middle."""
    lab.settle()  # tiles glide to their places
    held = tile(card, name).bounding_box()
    there = card.locator(f"{SHOWN} [data-drop=gap{gap}]").bounding_box()
    mouse = lab.page.mouse
    mouse.move(held["x"] + held["width"] / 2, held["y"] + held["height"] / 2)
    mouse.down()
    x, y = there["x"] + there["width"] / 2, there["y"] + there["height"] / 2
    mouse.move(x - 8, y, steps=4)
    mouse.move(x, y)
    mouse.up()


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab, expect):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    expect(lesson.panel.locator(".jp-OutputArea-output img")).to_have_count(1)
    for number, code in enumerate(("lesson.map()", "lesson.signed_by_kim()", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"03-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_tiles_are_dragged_and_the_verdict_is_in_the_window(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.cell(WIDGET).locator(".jp-InputArea").click()
    lab.press("Control+Enter")
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    status = card.get_by_role("status")
    expect(status).to_contain_text("Three parts")
    lab.picture("03-before")
    before = [row.bounding_box()["y"] for row in card.locator("tr:visible").all()]

    for gap in (0, 1):
        drop(lab, card, f"backslash and an n {gap + 1}", gap)
        dropped = tile(card, f"backslash and an n {gap + 1}")
        expect(dropped).to_have_attribute("aria-label", labelled("between .*"))
    card.get_by_role("button", name="Sign and send").click()
    expect(status).to_contain_text("✗ Refused (401): there's a backslash and an n")
    for seen in (status, card.locator(SHOWN), card.get_by_text("First difference")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("03-refused")

    drop(lab, card, "newline 1", 0)
    out = tile(card, "backslash and an n 1")
    expect(out).to_have_attribute("aria-label", labelled("on the table"))
    drop(lab, card, "newline 2", 1)
    expect(status).to_contain_text("✓ Accepted (200)")
    assert [row.bounding_box()["y"] for row in card.locator("tr:visible").all()] == before
    lab.picture("03-accepted")


@pytest.mark.usefixtures("each_width")
def test_a_click_puts_a_tile_in_and_takes_it_out(lab, expect):
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    for name in ("newline 1", "newline 2"):
        lab.settle()
        tile(card, name).click()
        expect(tile(card, name)).to_have_attribute("aria-label", labelled("between .*"))
    card.get_by_role("button", name="Sign and send").click()
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted (200)")
    lab.settle()
    box = tile(card, "newline 2").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 1, y + 2)  # no hand is perfectly still
    lab.page.mouse.up()
    expect(tile(card, "newline 2")).to_have_attribute("aria-label", labelled("on the table"))
    expect(tile(card, "newline 1")).to_have_attribute("aria-label", labelled("between .*"))


def test_tiles_are_moved_by_keyboard_alone(lab, expect):
    lesson = lab.run(NAME)
    card = lesson.card(WIDGET)
    status = card.get_by_role("status")
    card.get_by_role("button", name="Sign and send").focus()
    lab.press("Space", "Tab")
    expect(tile(card, "newline 1")).to_be_focused()
    lab.press("ArrowRight", "Tab", "Enter")
    expect(status).to_contain_text("✓ Accepted (200)")
    expect(tile(card, "newline 2")).to_be_focused()
    lab.press("ArrowRight")
    expect(status).to_contain_text("✗ Refused (401): there's nothing between path and parameters")
    lab.picture("03-keys", card)


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    card = lesson.card(WIDGET)
    lesson.to_top(WIDGET)
    for number in (1, 2):
        tile(card, f"backslash and an n {number}").press("Enter")
    tile(card, "carriage return and a newline 1").press("Enter")
    card.get_by_label("Path", exact=True).select_option("with scheme and host")
    card.get_by_role("button", name="Sign and send").press("Enter")
    expect(card.get_by_role("status")).to_contain_text("(3 more faults.)")
    card.get_by_text("Show the code").click()
    asked = lesson.card("lesson.signed_by_kim()")
    asked.get_by_role("button", name="It doesn't differ").click()
    expect(asked.get_by_role("status")).to_contain_text("Surprise")
    assert lab.clipped() == []
    for name, code in (("predict", "lesson.signed_by_kim()"), ("play", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"03-narrow-{narrow}-{name}")


def test_exercises_are_done_wrong_and_then_right(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.canonical_string.check(canonical_string)")
    card = lesson.card("lesson.canonical_string.check(canonical_string)")
    lesson.rewrite(cell, "return ...", r'return r"\n".join(parts)', run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ Between the parts there's a backslash")
    lesson.rewrite(cell, r'return r"\n"', r'return "\n".join(parts)', run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ Between quotes, Python turns")
    expect(card).to_contain_text("my_pusher.py")
    lab.picture("03-right", cell)

    cell = lesson.cell("lesson.to_sign.check(to_sign)")
    card = lesson.card("lesson.to_sign.check(to_sign)")
    expect(card).to_contain_text("“gate 3” passes")
    lab.picture("03-broken", cell)
    lesson.rewrite(cell, ".strip()", '"""', run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ Without strip()")
