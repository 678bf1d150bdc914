"""Keys while a card has the focus: which are JupyterLab's, and which it must not take."""

from __future__ import annotations

import pytest

NAME = "01-body-is-bytes.ipynb"
CHECK = "lesson.body_md5.check(body_md5)"
PANEL = "window.jupyterapp.shell.currentWidget"
SAVED = f"() => !{PANEL}.context.model.dirty"
CELLS = f"() => {PANEL}.content.model.cells.length"
MODE = f"() => {PANEL}.content.mode"
RUNS = f"() => {PANEL}.content.activeCell.model.executionCount"


@pytest.fixture
def hinted(lab, expect):
    """A lesson's card after its Hint was pressed, and the button of the next one has the focus."""
    card = lab.run(NAME).card(CHECK)
    card.get_by_role("button", name="Hint").click()
    expect(card).to_contain_text("A hash object has two methods")
    another = card.get_by_role("button", name="Another hint")
    another.focus()  # the page may have drawn the cell again on its way there
    expect(another).to_be_focused()
    return card


@pytest.mark.usefixtures("hinted")
def test_a_lesson_is_saved_after_a_press(lab):
    assert lab.page.evaluate(SAVED) is False
    lab.press("ControlOrMeta+s")
    lab.page.wait_for_function(SAVED)


@pytest.mark.usefixtures("hinted")
def test_a_cell_runs_again_from_its_card(lab):
    runs = lab.page.evaluate(RUNS)
    lab.press("Control+Enter")
    lab.page.wait_for_function(f"runs => ({RUNS})() > runs", arg=runs)


def test_plain_keys_and_those_that_edit_stay_with_the_card(lab, expect, hinted):
    cells = lab.page.evaluate(CELLS)
    # For JupyterLab: add a cell below, cut it, select all, undo, go into the cell.
    lab.press("b", "x", "ControlOrMeta+a", "ControlOrMeta+x", "ControlOrMeta+z", "Enter")
    expect(hinted).to_contain_text("Hint 2")
    assert (lab.page.evaluate(CELLS), lab.page.evaluate(MODE)) == (cells, "command")
    field = lab.page.locator(".pk textarea").first
    lab.retype(field, "one, two")
    lab.press("Control+Enter")  # in a field it runs nothing: that would throw away what is typed
    lab.press("Control+Backspace")
    expect(field).to_have_value("one, ")
    lab.press("ControlOrMeta+s")
    lab.page.wait_for_function(SAVED)
    expect(field).to_be_focused()
