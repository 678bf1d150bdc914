"""Lesson 04 as a learner meets it: the bench with keys and clicks, an exercise wrong and right."""

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
def test_the_bench_is_used_and_an_exercise_done_wrong_and_then_right(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("04-key-and-message.ipynb")
    lab.run_all()

    predict = lesson.locator(WIDGET).nth(2)
    predict.get_by_role("button", name="The same digest").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("069b42f3")
    lab.picture(f"04-predict-{name}", predict)

    bench = lesson.locator(WIDGET).nth(3)
    status = bench.get_by_role("status")
    expect(status).to_have_text("✓ Accepted. This is the right call.")
    expect(bench).to_contain_text("da454824c97ba181")
    lab.picture(f"04-bench-{name}", bench)

    bench.get_by_label("Message", exact=True).focus()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("Delete")
    page.keyboard.type("p")
    expect(status).to_contain_text("The message is not the canonical string")
    expect(bench).to_contain_text("256 bits changed")
    expect(bench).to_contain_text("^")
    lab.picture(f"04-avalanche-{name}", bench)
    page.keyboard.press("Backspace")
    page.keyboard.type("P")
    expect(status).to_contain_text("✓ Accepted.")

    bench.get_by_label("What is done").select_option("HMAC(message, key): swapped")
    expect(status).to_contain_text("✗ Refused. Key and message are swapped")
    expect(bench).to_contain_text("069b42f3d9836406")
    bench.get_by_label("What is done").select_option("HMAC(key, message)")
    bench.get_by_label("Written as").focus()
    page.keyboard.press("End")  # the last of the list
    expect(status).to_contain_text("✗ Refused. The API asks for hex; this is base64.")
    expect(bench).to_contain_text("2kVIJMl7")
    lab.picture(f"04-base64-{name}", bench)

    cell = lesson.locator(".jp-CodeCell").filter(
        has_text="key_and_message.signature.check(signature)"
    )
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    sign = "hmac.new({}.encode(), {}.encode(), hashlib.sha256).hexdigest()"
    swapped = "return " + sign.format("canonical_string", "secret")
    replace_in_cell(page, cell, "return ...", swapped)
    expect(feedback).to_contain_text("✗ Key and message are swapped.")
    lab.picture(f"04-wrong-{name}", cell)
    right = "return " + sign.format("secret", "canonical_string")
    replace_in_cell(page, cell, "return hmac", right)
    expect(feedback).to_contain_text("✓ The signature of a canonical string")
    lab.picture(f"04-right-{name}", cell)
