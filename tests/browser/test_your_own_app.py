"""Lesson 09 as a learner meets it: the dry run, the hidden prompt, the servers, one exercise."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

THEMES = ["JupyterLab Light", "JupyterLab Dark"]
MARKER = "marker-of-a-real-secret"
NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON()"
ADD_CELL = "() => window.jupyterapp.commands.execute('notebook:insert-cell-below')"


def expect(what: Any) -> Any:
    """Playwright's expect, which waits. Imported late, so that its absence is a skip."""
    from playwright.sync_api import expect

    return expect(what)


def widget(lesson: Any, call: str) -> Any:
    """The widget that a cell with this call shows."""
    return lesson.locator(".jp-CodeCell").filter(has_text=call).locator(".pk-interactive")


def retype(page: Any, field: Any, text: str) -> None:
    """Replace what a field holds, with real key presses."""
    field.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


@pytest.mark.parametrize("theme", THEMES)
def test_a_dry_run_and_one_event(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("09-your-own-app.ipynb")
    lab.run_all()

    predict = widget(lesson, "your_own_app.predict()")
    predict.get_by_role("button", name="It accepts it").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture(f"09-predict-{name}", predict)

    desk = widget(lesson, "your_own_app.desk()")
    expect(desk.get_by_role("status")).to_contain_text("nothing was sent")
    retype(page, desk.get_by_label("Data"), "tea ☕")
    expect(desk).to_contain_text('"data":"tea ☕"')
    retype(page, desk.get_by_label("Channel"), "no spaces")
    expect(desk.get_by_role("status")).to_have_text("✗ Not signed, and nothing was sent.")
    lab.picture(f"09-problem-{name}", desk)
    retype(page, desk.get_by_label("Channel"), "lobby")
    expect(desk).to_contain_text('"channels":["lobby"]')
    expect(desk.get_by_role("status")).to_contain_text("Dry run")
    lab.picture(f"09-dry-{name}", desk)
    desk.get_by_label("Data").focus()
    page.keyboard.press("Tab")
    expect(desk.get_by_role("button", name="Send to the practice server")).to_be_focused()
    page.keyboard.press("Enter")
    expect(desk.get_by_role("status")).to_have_text(
        "✓ Accepted by the practice server, and the event arrived."
    )
    expect(desk).to_contain_text('event "message" on "lobby"')
    lab.picture(f"09-sent-{name}", desk)

    servers = widget(lesson, "your_own_app.servers()")
    expect(servers.get_by_role("status")).to_contain_text("3 of 7 accept it.")
    servers.get_by_label("What is wrong").select_option("another secret")
    expect(servers.get_by_role("status")).to_contain_text("1 of 7 accept it.")
    lab.picture(f"09-servers-{name}", servers)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="your_own_app.clean.check(clean)")
    feedback = cell.locator(".jp-OutputArea")
    for code, said in [
        ("return pasted.strip()", "the quotes are still there"),
        ("return pasted.strip().strip('\"\\'')", "✓ A secret without the quotes"),
    ]:
        line = cell.locator(".cm-line").filter(has_text="return")
        line.click()
        page.keyboard.press("End")
        page.keyboard.press("Shift+Home")
        page.keyboard.insert_text(code)  # not typed, as the editor would close the quotes
        page.keyboard.press("Shift+Enter")
        expect(feedback).to_contain_text(said)
    lab.picture(f"09-clean-{name}", cell)


def test_the_hidden_prompt_leaves_no_secret_in_the_notebook(lab: Lab) -> None:
    page, lesson = lab.page, lab.open("09-your-own-app.ipynb")
    lab.run_all()
    page.evaluate(ADD_CELL)
    cell = lesson.locator(".jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.insert_text("your_own_app.desk(your_own_app.ask())")
    page.keyboard.press("Shift+Enter")
    for prompt, typed in [
        ("App id", "123456"),
        ("Key", "own-key"),
        ("Secret (hidden)", MARKER),
        ("Host", "push.example.com"),
    ]:
        asked = lesson.locator(".jp-Stdin").filter(has_text=prompt)
        field = asked.locator("input")
        if typed is MARKER:
            expect(field).to_have_attribute("type", "password")
        field.focus()
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
    own = widget(lesson, "your_own_app.ask())")
    expect(own).to_contain_text("https://push.example.com/apps/123456/events")
    expect(own.get_by_role("button", name="Send to push.example.com")).to_be_visible()
    lab.picture("09-ask", lesson.locator(".jp-CodeCell").filter(has_text="your_own_app.ask())"))
    stored = json.dumps(page.evaluate(NOTEBOOK))
    assert "own-key" in stored
    assert MARKER not in stored
    assert MARKER not in page.content()
