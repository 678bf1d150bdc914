"""Lesson 07 as a learner meets it: the limits, the dispatcher, the rate limit, one exercise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

THEMES = ["JupyterLab Light", "JupyterLab Dark"]


def expect(what: Any) -> Any:
    """Playwright's expect, which waits. Imported late, so that its absence is a skip."""
    from playwright.sync_api import expect

    return expect(what)


def widget(lesson: Any, call: str) -> Any:
    """The widget that a cell with this call shows."""
    return lesson.locator(".jp-CodeCell").filter(has_text=call).locator(".pk-interactive")


def retype(page: Any, field: Any, text: str) -> None:
    """Replace what a field holds, with real key presses, and leave it."""
    field.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)
    page.keyboard.press("Tab")


@pytest.mark.parametrize("theme", THEMES)
def test_one_too_many_reaches_nobody(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("07-fan-out-and-batch.ipynb")
    lab.run_all()

    predict = widget(lesson, "fan_out_and_batch.predict()")
    predict.get_by_role("button", name="The first 100 hear it").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("0 of 101 heard something")
    lab.picture(f"07-predict-{name}", predict)

    dispatcher = widget(lesson, "fan_out_and_batch.dispatcher()")
    send, status = dispatcher.get_by_role("button", name="Send", exact=True), "status"
    field = dispatcher.get_by_label("Channels")
    retype(page, field, "100")
    expect(dispatcher).to_contain_text("100 requests")
    page.keyboard.press("Tab")
    expect(send).to_be_focused()
    page.keyboard.press("Enter")
    expect(dispatcher).to_contain_text("100 of 100 heard something")
    lab.picture(f"07-dispatcher-{name}", dispatcher)
    retype(page, field, "101")
    expect(dispatcher).to_contain_text("101 requests")
    send.click()
    expect(dispatcher).to_contain_text("InvalidEvent: channels: 101 channels, 1 over the limit")
    expect(dispatcher.get_by_role(status)).to_have_text("✗ Refused by the client, before sending.")
    dispatcher.get_by_label("Send it even if").check()
    expect(dispatcher.get_by_role(status)).to_have_text("Ready. Press Send.")
    send.click()
    expect(dispatcher).to_contain_text("400 channels: 101 channels")
    expect(dispatcher).to_contain_text("0 of 101 heard something")
    lab.picture(f"07-refused-{name}", dispatcher)
    dispatcher.get_by_role("button", name="A batch of events").click()
    expect(field).to_be_hidden()
    retype(page, dispatcher.get_by_label("Bytes of data"), "102401")
    expect(dispatcher).to_contain_text("1,024,512 bytes of body")
    send.click()
    expect(dispatcher).to_contain_text("413 event 1 of the batch: data: 102,401 bytes")
    retype(page, dispatcher.get_by_label("Bytes of data"), "102400")
    expect(dispatcher).to_contain_text("1,024,502 bytes of body")
    send.click()
    expect(dispatcher.get_by_role(status)).to_contain_text("✓ Accepted")
    lab.picture(f"07-batch-{name}", dispatcher)

    limit = widget(lesson, "fan_out_and_batch.rate_limit()")
    expect(limit.get_by_role(status)).to_contain_text("3 of 5 events are lost")
    retype(page, limit.get_by_label("Wait, in ms"), "400")
    limit.get_by_role("button", name="Send 5 with the wait").click()
    expect(limit.get_by_role(status)).to_have_text("✓ All 5 events arrived, the last after 1.6 s.")
    limit.get_by_role("button", name="Send 5 at once").click()
    expect(limit.get_by_role(status)).to_contain_text("3 of 5 events are lost")
    limit.get_by_role("button", name="Send 5 and back off").click()
    expect(limit).to_contain_text("event 5 again")
    lab.picture(f"07-rate-{name}", limit)


@pytest.mark.parametrize("theme", THEMES)
def test_an_exercise_is_done_wrong_and_then_right(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("07-fan-out-and-batch.ipynb")
    lab.run_all()
    cell = lesson.locator(".jp-CodeCell").filter(has_text="fan_out_and_batch.split.check(split)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    for step, said in [
        ("99", "Every hundredth channel is missing."),
        ("100", "✓ Lists of at most 100 channels"),
    ]:
        cell.locator(".cm-line").filter(has_text="return").click()
        page.keyboard.press("End")
        page.keyboard.press("Shift+Home")
        # The editor closes brackets by itself; typing a closing one steps over it.
        page.keyboard.type(f"return [names[start : start + {step}] for start in starts]")
        page.keyboard.press("Shift+Enter")
        expect(feedback).to_contain_text(said)
        lab.picture(f"07-split-{step}-{name}", cell)
