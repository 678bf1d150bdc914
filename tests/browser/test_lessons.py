"""The lessons as a learner meets them: keys, clicks, and what appears on the screen."""

from __future__ import annotations

import re
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


def retype(page: Any, field: Any, text: str) -> None:
    """Replace what a field holds, with real key presses."""
    field.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def replace_in_cell(page: Any, cell: Any, old: str, new: str) -> None:
    """Change the source of a code cell in JupyterLab's editor, and run it with Shift+Enter."""
    line = cell.locator(".cm-line").filter(has_text=old)
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type(new)
    page.keyboard.press("Shift+Enter")


def test_an_event_arrives_with_the_keyboard_alone(lab: Lab) -> None:
    page, lesson = lab.page, lab.open("00-start-here.ipynb")
    cells = lesson.locator(".jp-Notebook-cell")
    number = 0
    while "timeline" not in cells.nth(number).inner_text():
        page.keyboard.press("Shift+Enter")
        number += 1
        expect(cells.nth(number)).to_have_class(re.compile("jp-mod-active"))
    page.keyboard.press("Shift+Enter")
    widget = cells.nth(number).locator(WIDGET)
    widget.wait_for()
    expect(cells.nth(number + 1)).to_be_focused()
    for control in ("Show as curl", "Next ▶", "◀ Back", "Send", "Message"):
        page.keyboard.press("Shift+Tab")  # back into what the cell shows, control by control
        expect(
            widget.get_by_label(control).or_(widget.get_by_role("button", name=control))
        ).to_be_focused()
    expect(widget.get_by_label("Message")).to_be_focused()
    page.keyboard.type("no mouse")  # in place of what stood there, as Tab selects it
    expect(widget).to_contain_text(r"{\"text\":\"no mouse\"}")
    page.keyboard.press("Enter")
    expect(widget.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")


@pytest.mark.parametrize("theme", THEMES)
def test_an_event_arrives_and_a_changed_one_is_refused(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("00-start-here.ipynb")
    lab.run_all()
    timeline, predict, tamper = (lesson.locator(WIDGET).nth(number) for number in range(3))

    retype(page, timeline.get_by_label("Message"), "hi ☕")
    expect(timeline).to_contain_text(r"{\"text\":\"hi ☕\"}")
    expect(timeline.get_by_role("status")).to_contain_text("Signed and ready")
    page.keyboard.press("Enter")
    expect(timeline.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    expect(timeline).to_contain_text('event "message" on channel "chat"')
    expect(timeline).to_contain_text('{"text":"hi ☕"}')
    lab.picture(f"00-timeline-{name}", timeline)
    lab.picture(f"00-page-{name}")  # the README's picture

    page.keyboard.press("Tab")  # from the field to the button
    page.keyboard.press("Enter")
    expect(timeline.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")

    predict.get_by_role("button", name="It arrives").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    predict.get_by_role("button", name="The server answers 401").click()
    expect(predict.get_by_role("status")).to_contain_text("✓ As predicted.")
    lab.picture(f"00-predict-{name}", predict)

    field = tamper.get_by_label("Body to send")
    changed = field.input_value().replace("hello", "jello")
    retype(page, field, changed)
    expect(tamper.locator("pre").nth(1)).to_have_text(changed)  # every key has arrived
    expect(tamper).to_contain_text("byte 58: signed 0x68 'h', sent 0x6a 'j'")
    page.keyboard.press("Enter")
    expect(tamper.get_by_role("status")).to_have_text("✗ Refused, and nothing was delivered.")
    expect(tamper).to_contain_text("401 Invalid body_md5")
    lab.picture(f"00-tamper-{name}", tamper)


@pytest.mark.parametrize("theme", THEMES)
def test_an_exercise_is_done_wrong_and_then_right(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("01-body-is-bytes.ipynb")
    lab.run_all()

    viewer = lesson.locator(WIDGET).filter(has_text="Two bodies, byte by byte")
    expect(viewer).to_contain_text("byte 1: A has 0x22")
    viewer.get_by_label("Body B is body A").select_option("the same bytes")
    expect(viewer.get_by_role("status")).to_have_text("✓ Same bytes, same digest.")
    viewer.get_by_label("Body B", exact=True).focus()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" ")
    expect(viewer).to_contain_text("A has nothing (its end), B has 0x20")
    lab.picture(f"01-viewer-{name}", viewer)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="body_is_bytes.digest.check(digest)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    replace_in_cell(page, cell, "return ...", "return md5.digest()")
    expect(feedback).to_contain_text("16 raw bytes")
    lab.picture(f"01-wrong-{name}", cell)
    replace_in_cell(page, cell, "return md5.digest()", "return md5.hexdigest()")
    expect(feedback).to_contain_text("✓ The hex MD5 of a body")
    replace_in_cell(page, cell, "return md5.hexdigest()", "return md5.hexdigits()")
    expect(feedback).to_contain_text("Your code stopped")
    expect(feedback).to_contain_text("return md5.hexdigits()")
    lab.picture(f"01-crashed-{name}", cell)
