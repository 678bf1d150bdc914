"""Lesson 06 as a learner meets it: the server's clock moved by keys and by mouse."""

from __future__ import annotations

import pytest

NAME = "06-clock-and-replay.ipynb"
WIDGET = "lesson.two_clocks()"


@pytest.mark.usefixtures("each_theme")
def test_the_window_is_found_with_keys_and_dragged_with_the_mouse(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    status, clock = card.get_by_role("status"), card.locator("svg:visible [data-drag=clock]")
    clock.focus()
    lab.press(*["PageUp"] * 10)
    expect(card).to_contain_text("600 s ahead of yours.")
    expect(status).to_have_text("✓ Accepted.")
    lab.press("ArrowRight")
    expect(status).to_have_text("✗ Refused: Timestamp expired.")
    for seen in (status, card.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("06-late")
    lab.press("End")
    expect(clock).to_be_focused()
    expect(status).to_be_in_viewport(ratio=1)  # the page stays where it is
    lab.press("Home", *["PageDown"] * 24)
    expect(card).to_contain_text("1,440 s behind yours.")
    lab.picture("06-clipped")
    lab.page.set_viewport_size({"width": 700, "height": 800})
    lab.picture("06-clipped-700")
    lab.page.set_viewport_size({"width": 1280, "height": 800})
    lab.press("Home")
    expect(card).to_contain_text("The same as yours.")

    lab.settle()
    box = clock.locator("rect").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x - 50, y, steps=4)
    lab.page.mouse.up()
    expect(card).to_contain_text("behind yours.")
    expect(status).to_have_text("✓ Accepted.")
    lab.picture("06-dragged")
