"""Lesson 06 as a learner meets it: two clocks with keys and clicks, an exercise wrong and right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

WIDGET = ".pk-interactive"
THEMES = ["JupyterLab Light", "JupyterLab Dark"]


def expect(what: Any) -> Any:
    """Playwright's expect, which waits. Imported late, so that its absence is a skip."""
    from playwright.sync_api import expect

    return expect(what)


def replace_in_cell(page: Any, cell: Any, old: str, new: str) -> None:
    """Change the source of a code cell in JupyterLab's editor, and run it with Shift+Enter."""
    line = cell.locator(".cm-line").filter(has_text=old)
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type(new)
    page.keyboard.press("Shift+Enter")


@pytest.mark.parametrize("theme", THEMES)
def test_the_clocks_are_set_and_an_exercise_done_wrong_and_then_right(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("06-clock-and-replay.ipynb")
    lab.run_all()

    predict = lesson.locator(WIDGET).nth(2)
    predict.get_by_role("button", name="Accepted").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("passed  auth_signature")
    lab.picture(f"06-predict-{name}", predict)

    clocks = lesson.locator(WIDGET).nth(3)
    status = clocks.get_by_role("status")
    expect(status).to_contain_text("can send it for another 600 s.")
    offset = clocks.get_by_label("Server ahead by (s)")
    offset.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("600")
    page.keyboard.press("Enter")
    expect(status).to_have_text("✓ Accepted, in the last second of the window.")
    expect(clocks).to_contain_text("200 {}: the event is delivered a second time")
    lab.picture(f"06-replay-{name}", clocks)
    page.keyboard.press("ArrowUp")
    expect(status).to_have_text("✗ Refused. The clocks are more than 600 s apart.")
    expect(clocks).to_contain_text("601 s: what you send is behind the server's clock")
    lab.picture(f"06-late-{name}", clocks)

    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("-")  # half a number
    page.keyboard.press("Enter")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(status).to_contain_text("✓ Accepted.")
    clocks.get_by_role("button", name="milliseconds").click()
    expect(status).to_have_text("✗ Refused. The API counts seconds; these are milliseconds.")
    expect(clocks).to_contain_text("auth_timestamp=1353088179250")
    lab.picture(f"06-milliseconds-{name}", clocks)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the next button, with a key
    expect(clocks).to_contain_text("auth_timestamp=1353088179.25")
    clocks.get_by_role("button", name="local time taken for UTC").click()
    expect(clocks).to_contain_text("10,800 s: what you send is ahead of the server's clock")

    cell = lesson.locator(".jp-CodeCell").filter(has_text="timestamp.check(timestamp)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    replace_in_cell(page, cell, "return ...", "return str(now)")
    expect(feedback).to_contain_text("✗ This has a fraction.")
    lab.picture(f"06-wrong-{name}", cell)
    replace_in_cell(page, cell, "return str", "return str(int(now))")
    expect(feedback).to_contain_text("✓ The auth_timestamp for what time.time() returned.")

    cell = lesson.locator(".jp-CodeCell").filter(has_text="clock_and_replay.mend.check(publish)")
    feedback = cell.locator(".jp-OutputArea")
    replace_in_cell(page, cell, "return ...", "while line.send(line.sign()) == 503: line.wait(500)")
    expect(feedback).to_contain_text("Return the status, 200; got None")
    expect(feedback).to_contain_text("sign → send: 200")
    lab.picture(f"06-retry-{name}", cell)
