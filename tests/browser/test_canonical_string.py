"""Lesson 03 as a learner meets it: parts put together with keys and with clicks."""

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
    cell.locator(".cm-line").filter(has_text=old).click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type(new)
    page.keyboard.press("Shift+Enter")


def test_a_text_is_put_together_with_the_keyboard_alone(lab: Lab) -> None:
    page, lesson = lab.page, lab.open("03-canonical-string.ipynb")
    lab.run_all()
    widget = lesson.locator(WIDGET).nth(3)
    status = widget.get_by_role("status")
    method, path = (widget.get_by_label(name, exact=True) for name in ("Method", "Path"))
    expect(status).to_contain_text("✗ Refused. Between the parts stand two characters")

    method.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("post")
    expect(status).to_contain_text("✗ Refused. The method is signed in upper case.")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("POST")
    page.keyboard.press("Tab")
    expect(path).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type("/")
    expect(status).to_contain_text("a path without a slash at its end")
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    expect(widget.get_by_role("button", name="real newline")).to_be_focused()
    page.keyboard.press("Space")
    expect(status).to_have_text("✓ Accepted: three lines, and the same bytes.")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(widget.get_by_label("A newline at the end")).to_be_focused()
    page.keyboard.press("Space")
    expect(status).to_contain_text("After the last parameter comes nothing")
    expect(widget).to_contain_text("4 lines, 135 characters, 135 bytes")


@pytest.mark.parametrize("theme", THEMES)
def test_a_text_is_put_together_with_clicks(lab: Lab, theme: str) -> None:
    name, page = theme.split()[-1].lower(), lab.page
    lab.theme(theme)
    lesson = lab.open("03-canonical-string.ipynb")
    lab.run_all()
    predict, widget = (lesson.locator(WIDGET).nth(number) for number in (2, 3))
    status = widget.get_by_role("status")

    predict.get_by_role("button", name="It accepts the request").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture(f"03-predict-{name}", predict)

    expect(widget.locator("mark")).to_have_text(["\\", "⏎"])
    lab.picture(f"03-literal-{name}", widget)
    widget.get_by_role("button", name="real newline").click()
    expect(status).to_contain_text("✓ Accepted")
    expect(widget.locator("mark")).to_have_count(0)
    lab.picture(f"03-accepted-{name}", widget)
    widget.get_by_role("button", name="CRLF").click()
    expect(widget).to_contain_text("byte 4: you have 0x0d carriage return")
    expect(widget.locator("mark")).to_have_text(["←", "⏎"])
    widget.get_by_label("A newline at the end").check()
    expect(widget).to_contain_text("4 lines, 137 characters, 137 bytes")
    lab.picture(f"03-crlf-{name}", widget)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="three_lines.check(three_lines)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    replace_in_cell(page, cell, "return ...", r'return r"\n".join(parts)')
    expect(feedback).to_contain_text("✗ Between the parts stand two characters")
    lab.picture(f"03-wrong-{name}", cell)
    replace_in_cell(page, cell, "return r", r'return "\n".join(parts)')
    expect(feedback).to_contain_text("✓ Three parts on three lines")
    lab.picture(f"03-right-{name}", cell)
