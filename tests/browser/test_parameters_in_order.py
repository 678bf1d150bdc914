"""Lesson 02 as a learner meets it: a list put in order with keys and with clicks."""

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


def test_a_list_is_put_in_order_with_the_keyboard_alone(lab: Lab) -> None:
    page, lesson = lab.page, lab.open("02-parameters-in-order.ipynb")
    lab.run_all()
    widget = lesson.locator(WIDGET).nth(3)
    status = widget.get_by_role("status")
    expect(status).to_contain_text("✗ Refused. 5 rows are out of place.")

    def press(label: str, key: str = "Enter") -> None:
        """Walk to a control with Tab, and press a key on it."""
        control = widget.locator("button, input").and_(
            page.get_by_role("button", name=label).or_(page.get_by_label(label))
        )
        for _ in range(12):
            if control.evaluate("element => element === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(control).to_be_focused()
        page.keyboard.press(key)

    widget.get_by_role("button", name="auth_key").focus()
    expect(widget).to_contain_text("→ 3  ✗ out of place  name")
    for place in (4, 5):
        press("Move down")
        expect(widget).to_contain_text(f"→ {place}  ✗ out of place  name")
    press("Move down", "Space")
    expect(widget).to_contain_text("→ 6  ✓ in place      name")
    expect(status).to_contain_text("✗ Refused. 2 rows are out of place.")

    widget.get_by_role("button", name="auth_key").focus()
    press("auth_timestamp", "Space")
    expect(widget).to_contain_text("→ 3  ✗ out of place  auth_timestamp")
    press("Move up")
    expect(status).to_have_text("✗ Refused. The key Name is not in lower case.")
    press("Keys in lower case", "Space")
    expect(status).to_contain_text("✓ Accepted.")


@pytest.mark.parametrize("theme", THEMES)
def test_a_list_is_put_in_order_with_clicks(lab: Lab, theme: str) -> None:
    name, page = theme.split()[-1].lower(), lab.page
    lab.theme(theme)
    lesson = lab.open("02-parameters-in-order.ipynb")
    lab.run_all()
    predict, widget = (lesson.locator(WIDGET).nth(number) for number in (2, 3))

    predict.get_by_role("button", name="It refuses: 401").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture(f"02-predict-{name}", predict)

    lab.picture(f"02-reorder-{name}", widget)
    status = widget.get_by_role("status")
    for place in (4, 5, 6):
        widget.get_by_role("button", name="Move down").click()
        expect(widget).to_contain_text(f"→ {place}")
    widget.get_by_role("button", name="auth_timestamp").click()
    widget.get_by_role("button", name="Move up").click()
    widget.get_by_label("Keys in lower case").check()
    expect(status).to_contain_text("✓ Accepted. The URL has another order")
    lab.picture(f"02-accepted-{name}", widget)
    widget.get_by_label("Encode the values").check()
    expect(status).to_have_text("✗ Refused. The values are encoded.")
    expect(widget).to_contain_text("you have 0x25 '%', the server has 0x2c ','")
    widget.get_by_label("Sign auth_signature too").check()
    expect(widget).to_contain_text("7  ✗ not signed")
    lab.picture(f"02-encoded-{name}", widget)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="unsigned.check(not_signed)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    replace_in_cell(page, cell, "not_signed = ...", 'not_signed = "auth_version"')
    expect(feedback).to_contain_text("✗ It is 1.0 in every request")
    lab.picture(f"02-wrong-{name}", cell)
    replace_in_cell(page, cell, "not_signed =", 'not_signed = "auth_signature"')
    expect(feedback).to_contain_text("✓ The key of the one parameter")
    lab.picture(f"02-right-{name}", cell)
