"""A card says so when its kernel is gone, or busy; and a click is one on what can be dragged."""

from __future__ import annotations

import pytest

NAME = "00-start-here.ipynb"
PLAY = "lesson.send_status()"
RESTART = """async () => {
  const { sessionContext } = window.jupyterapp.shell.currentWidget;
  await sessionContext.session.kernel.restart();
  await sessionContext.session.kernel.info;
}"""
# In the lesson's own kernel, without a cell of the page: busy until the file is there.
BUSY = """code => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  kernel.requestExecute({ code });
}"""
WAIT = """
import pathlib
while not pathlib.Path({!r}).exists(): pass
"""


@pytest.mark.usefixtures("each_theme")
def test_after_a_restart_every_card_says_how_to_get_it_back(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.widgets()
    controls = lab.page.locator("[data-name], [data-press]")
    cards = lesson.panel.locator(".pk").filter(has=controls).count()
    lab.page.evaluate(RESTART)
    lost = lesson.panel.get_by_text("Run this cell to bring the controls back")
    expect(lost).to_have_count(cards)  # the map has no controls
    lesson.to_top(PLAY)
    card = lesson.card(PLAY)
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.get_by_role("alert")).to_contain_text("The kernel has restarted.")
    lab.picture("restarted")
    for code in ("from pusherkit.lessons", PLAY):
        lesson.cell(code).first.locator(".jp-InputArea-editor").click()
        lab.press("Control+Enter")
    expect(card.get_by_role("alert")).to_have_count(0)
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted")


def test_a_busy_kernel_is_told_from_one_that_is_gone(lab, expect, tmp_path):
    lesson = lab.run(NAME)
    card = lesson.card(PLAY)
    free = tmp_path / "free"
    lab.page.evaluate(BUSY, WAIT.format(str(free)))
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.get_by_role("alert")).to_contain_text("No answer yet. If a cell is still running")
    free.touch()
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted")
    expect(card.get_by_role("alert")).to_have_count(0)


def test_a_click_on_what_can_be_dragged_is_a_press(lab, expect):
    lab.laptop()
    lesson = lab.run("03-canonical-string.ipynb")
    lesson.to_top("lesson.tiles()")
    tile = lesson.card("lesson.tiles()").locator("svg:visible [aria-label^='newline 1']")
    before = tile.get_attribute("aria-label")
    box = tile.bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2)  # it shakes
    lab.page.mouse.up()
    expect(tile).not_to_have_attribute("aria-label", before)
