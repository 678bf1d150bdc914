"""Lesson 01 as a learner meets it: before the first run, with mouse and keys, wide and narrow."""

from __future__ import annotations

import pytest

from pusherkit.lessons.body_is_bytes import VARIANTS

NAME = "01-body-is-bytes.ipynb"
WIDGET = "lesson.two_bodies()"


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab, expect):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    expect(lesson.panel.locator(".jp-OutputArea-output img")).to_have_count(1)
    for number, code in enumerate(("lesson.map()", "lesson.printed()", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"01-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_what_a_control_changes_is_in_the_window_and_nothing_jumps(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.cell(WIDGET).locator(".jp-InputArea").click()
    lab.press("Control+Enter")
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    expect(card.get_by_role("status")).to_contain_text("✓ Same bytes, same MD5")
    lab.picture("01-before")
    before = [row.bounding_box()["y"] for row in card.locator("tr:visible").all()]

    card.get_by_label("Start body B").select_option("with one more space")
    expect(card.get_by_role("status")).to_contain_text("✗ Same meaning, other bytes")
    mark = card.locator("mark").first
    for seen in (card.get_by_role("status"), card.locator("svg:visible"), mark):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("01-after")

    card.get_by_label("Body B", exact=True).focus()
    lab.press("ControlOrMeta+End")
    lab.type(" ")
    expect(card.get_by_label("Body B", exact=True)).to_have_value(
        VARIANTS["with one more space"] + " "
    )
    expect(card).to_contain_text("67 bytes (66 characters)")
    assert [row.bounding_box()["y"] for row in card.locator("tr:visible").all()] == before
    expect(card.get_by_label("Body B", exact=True)).to_be_focused()


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    card = lesson.card(WIDGET)
    card.get_by_label("Start body B").select_option("with ë as \\u00eb")
    expect(card.get_by_role("status")).to_contain_text("✗ Same meaning")
    card.get_by_text("Show the code").click()
    lesson.card("lesson.printed()").get_by_role("button", name="Yes, they belong").click()
    expect(lesson.card("lesson.printed()").get_by_role("status")).to_contain_text("Surprise")
    assert lab.clipped() == []
    for name, code in (("map", "lesson.map()"), ("predict", "lesson.printed()"), ("play", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"01-narrow-{narrow}-{name}")


def test_a_prediction_reveals_only_after_a_choice_by_keyboard_alone(lab, expect):
    lesson = lab.run(NAME)
    card = lesson.card("lesson.printed()")
    expect(card).not_to_contain_text("no spaces")
    expect(card).not_to_contain_text("Show the code")
    card.get_by_role("button", name="Yes, they belong").focus()
    lab.press("Enter")
    expect(card.get_by_role("status")).to_have_text("Surprise: it's “No, they don't”.")
    expect(card.get_by_role("button", name="Yes, they belong")).to_be_focused()
    expect(card.get_by_role("button", name="✓ No, they don't")).to_be_visible()
    lab.press("Tab", "Space")
    expect(card.get_by_role("status")).to_have_text("✓ Right.")
    card.get_by_text("Show the code").focus()
    lab.press("Enter")
    expect(card).to_contain_text("of_printed = hashlib.md5(PRINTED).hexdigest()")
    lab.picture("01-predicted", card)


@pytest.mark.usefixtures("each_theme")
def test_an_exercise_is_done_wrong_and_then_right(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.body_md5.check(body_md5)")
    card = lesson.card("lesson.body_md5.check(body_md5)")
    expect(card).to_contain_text("Your turn")

    lesson.rewrite(cell, "return ...", "return md5.digest()", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ These are the 16 raw bytes.")
    card.get_by_role("button", name="Hint").press("Enter")
    expect(card).to_contain_text("A hash object has two methods")
    card.get_by_role("button", name="Show a solution").press("Enter")
    expect(card).to_contain_text("return md5.hexdigest()")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    assert lab.page.evaluate("navigator.clipboard.readText()").endswith("return md5.hexdigest()")
    lab.page.evaluate("Object.defineProperty(navigator, 'clipboard', { configurable: true })")
    card.get_by_role("button", name="Copied").click()
    expect(card.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert lab.page.evaluate("getSelection().toString()").endswith("return md5.hexdigest()")
    lab.page.evaluate("delete navigator.clipboard")
    lab.picture("01-wrong", cell)

    lesson.rewrite(cell, "return md5.digest()", "return md5.hexdigits()", run="Control+Enter")
    expect(card).to_contain_text("Your code stopped")
    expect(card).to_contain_text("return md5.hexdigits()")
    lab.picture("01-stopped", cell)

    lesson.rewrite(cell, "return md5.hexdigits()", "return md5.hexdigest()", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ MD5 makes 16 bytes of any body")
    expect(card).to_contain_text("my_pusher.py")
    expect(card).to_contain_text("of 6 in this lesson.")
    lab.picture("01-right", cell)


def test_a_loop_without_end_is_stopped_and_the_kernel_lives(lab, expect):
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.text_md5.check(text_md5)")
    card = lesson.card("lesson.text_md5.check(text_md5)")
    lesson.rewrite(cell, "return ...", "while True: pass", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("still running after 3 seconds")
    lesson.rewrite(cell, "while True", "return body_md5(text.encode())", run="Control+Enter")
    expect(card).to_contain_text("Your turn")  # body_md5 is a stub in this notebook
