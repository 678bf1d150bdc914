"""Lesson 02 as a learner meets it: threads untangled by mouse and by keys, wide and narrow."""

from __future__ import annotations

import pytest

from pusherkit.lessons.parameters_in_order import PITCH, TOP, another_question

NAME = "02-parameters-in-order.ipynb"
WIDGET = "lesson.threads()"


def row(card, name):
    """The row of a parameter, in the drawing that is shown."""
    return card.locator(f"svg:visible [data-press='{name}']")


def drag(lab, card, name, to):
    """Drag a row by the mouse to another place, in a few steps."""
    lab.settle()  # rows glide to their places
    svg = card.locator("svg:visible").first
    box, at = svg.bounding_box(), row(card, name).bounding_box()
    scale = box["width"] / float(svg.get_attribute("viewBox").split()[2])
    x, y = at["x"] + 20, at["y"] + at["height"] / 2
    goal = box["y"] + (TOP + (to + 0.4) * PITCH) * scale
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x, (y + goal) / 2, steps=3)
    lab.page.mouse.move(x, goal, steps=3)


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right_and_answers_nothing(lab):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    for number, code in enumerate(("lesson.map()", "lesson.turned_round()", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"02-untrusted-{number}")
    threads = lesson.cell(WIDGET).locator(".jp-OutputArea")
    assert "Refused" not in threads.inner_text()


@pytest.mark.usefixtures("each_theme")
def test_threads_are_untangled_by_the_mouse_and_all_of_it_is_in_the_window(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    status = card.get_by_role("status")
    expect(status).to_contain_text("Six parameters")
    lab.picture("02-before")
    card.get_by_role("button", name="Sign and send").click()
    expect(status).to_have_text("✗ Refused (401): 9 crossings and a capital letter.")
    for seen in (status, card.locator("svg:visible").first, card.locator("mark").first):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("02-sent")
    rows = [each.bounding_box()["y"] for each in card.locator("tr:visible").all()]

    for name, to, left in (("Tag", 5, "6"), ("info", 4, "3")):
        drag(lab, card, name, to)
        expect(status).to_contain_text(f": {left} crossings")
        lab.page.mouse.up()
    drag(lab, card, "filter_by_prefix", 3)
    expect(status).to_have_text("✗ Refused (401): a capital letter.")
    lab.page.mouse.up()
    lab.picture("02-untangled")
    assert [each.bounding_box()["y"] for each in card.locator("tr:visible").all()] == rows

    card.get_by_label("Write the names in lower case").check()
    expect(status).to_have_text("✓ Accepted (200): the same text on both sides. Watching: 1.")
    lab.picture("02-accepted")
    card.get_by_label("Percent-encode the values").check()
    expect(status).to_have_text("✗ Refused (401): a space that became %20.")
    expect(card).to_contain_text("you sign % (0x25), the server a space (0x20)")
    lab.picture("02-encoded")


def test_threads_are_untangled_with_the_keyboard_alone(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    status = card.get_by_role("status")
    card.get_by_label("Write the names in lower case").focus()
    lab.press("Space", "Tab", "Tab", "Enter")
    expect(status).to_have_text("✗ Refused (401): 9 crossings.")
    lab.press("Tab", "Tab", "Tab")  # the rows in the order in which the code wrote them
    expect(row(card, "Tag")).to_be_focused()
    for left in ("8", "7", "6"):
        lab.press("ArrowDown")
        expect(status).to_contain_text(f"{left} crossings")
    expect(row(card, "Tag")).to_be_focused()
    expect(row(card, "Tag")).to_have_attribute("aria-label", "Tag: row 6 of 6. Arrow keys move it.")
    for name, crossings in (("info", ("5", "4", "3")), ("filter_by_prefix", ("2", "1 crossing."))):
        lab.press("Shift+Tab")
        expect(row(card, name)).to_be_focused()
        for left in crossings:
            lab.press("ArrowDown")
            expect(status).to_contain_text(left)
    lab.press("ArrowDown")
    expect(status).to_have_text("✓ Accepted (200): the same text on both sides. Watching: 1.")


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    card.get_by_role("button", name="Sign and send").click()
    expect(card.get_by_role("status")).to_contain_text("9 crossings")
    drag(lab, card, "Tag", 5)
    expect(card.get_by_role("status")).to_contain_text("6 crossings")
    lab.page.mouse.up()
    card.get_by_text("Show the code").click()
    assert lab.clipped() == []
    lesson.to_top(WIDGET)
    lab.picture(f"02-narrow-{narrow}")


@pytest.mark.usefixtures("each_theme")
def test_the_question_is_changed_wrong_and_then_right(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    predict = lesson.card("lesson.turned_round()")
    predict.get_by_role("button", name="must come last").click()
    expect(predict.get_by_role("status")).to_contain_text("Surprise")
    lesson.to_top("lesson.turned_round()")
    lab.picture("02-predicted")

    check = "lesson.another_question.check(another_question)"
    cell, card = lesson.cell(check), lesson.card(check)
    lesson.rewrite(cell, "return ...", "return query[::-1]", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ That's the same question")
    lesson.rewrite(
        cell,
        "return query",
        "return [(n, v.replace('presence', 'private')) for n, v in query]",
        run="Control+Enter",
    )
    expect(card.get_by_role("status")).to_contain_text("✗ Refused: Invalid signature")
    card.get_by_role("button", name="Hint").click()
    lab.picture("02-wrong", cell)
    body = "\n    ".join(another_question.solution().split("\n    ")[1:])
    lesson.rewrite(cell, "return [", body, run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ More than one list of parameters")
    lab.picture("02-right", cell)
