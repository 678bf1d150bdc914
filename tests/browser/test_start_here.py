"""Lesson 00 as a learner meets it: an event that arrives, and one that does not."""

from __future__ import annotations

import pytest

NAME = "00-start-here.ipynb"


@pytest.mark.usefixtures("each_theme")
def test_a_press_changes_the_page_of_order_41_inside_the_window(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top("lesson.send_status()")
    card = lesson.card("lesson.send_status()")
    expect(card.get_by_role("status")).to_have_text("Signed and ready to go.")
    lab.picture("00-before")
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted (200), and it arrived")
    for seen in (card.get_by_role("status"), card.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    expect(card.locator("svg:visible")).to_contain_text("✓ out for delivery")
    lab.picture("00-page")  # the README's picture


def test_an_event_arrives_with_the_keyboard_alone(lab, expect):
    lesson = lab.run(NAME)
    card = lesson.card("lesson.send_status()")
    card.get_by_label("Status").focus()
    lab.press("ControlOrMeta+a")
    lab.type("at Zoë's")
    lab.press("Enter")
    expect(card.locator("svg:visible")).to_contain_text("✓ at Zoë's")
    lab.press("Tab", "Space")
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted")


def test_a_changed_byte_is_refused(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    asked = lesson.card("lesson.changed_on_the_way()")
    asked.get_by_role("button", name="It answers 400").click()
    expect(asked.get_by_role("status")).to_have_text("Surprise: it's “It answers 401”.")

    lesson.to_top("lesson.change_a_byte()")
    card = lesson.card("lesson.change_a_byte()")
    body = card.get_by_label("Body to send")
    lab.retype(body, body.input_value().replace("order-41", "order-47"))
    card.get_by_role("button", name="Send it").click()
    expect(card.get_by_role("status")).to_contain_text("✗ Refused: 401 Invalid body_md5")
    expect(card.get_by_role("status")).to_be_in_viewport(ratio=1)
    lab.picture("00-refused")


# Words in the visible picture that stick out of the box that they are in.
STICKING_OUT = """svg => [...svg.querySelectorAll('g > rect:first-child')].flatMap(rect => {
  const box = rect.getBoundingClientRect();
  return [...rect.parentElement.querySelectorAll(':scope > text')].filter(text => {
    const words = text.getBoundingClientRect();
    return words.left < box.left || words.right > box.right;
  }).map(text => text.textContent);
})"""


@pytest.mark.usefixtures("each_theme")
def test_the_words_of_the_map_stay_in_their_boxes(lab, expect, each_width):
    lesson = lab.run(NAME)
    card = lesson.card("lesson.send_status()")
    lesson.to_top("lesson.send_status()")
    lab.retype(card.get_by_label("Status"), "at the neighbour's, third floor")
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.locator("svg:visible")).to_contain_text("✓ at the neighbour")
    lab.settle()
    assert card.locator("svg:visible").evaluate(STICKING_OUT) == []
    lab.picture(f"00-map-{each_width}")
    lesson.to_top("lesson.change_a_byte()")
    lab.picture(f"00-play-{each_width}")
