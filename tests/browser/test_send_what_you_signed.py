"""Lesson 05 in the browser: the bench, its steps and its curl; the wire; an exercise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

WIDGET = ".pk-interactive"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_bench_the_wire_and_an_exercise(lab: Lab, theme: str) -> None:
    from playwright.sync_api import expect

    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("05-send-what-you-signed.ipynb")
    lab.run_all()

    bench = lesson.locator(WIDGET).filter(has_text="One event, six stages")
    secret = bench.get_by_label("Secret")
    secret.focus()
    page.keyboard.press("End")
    page.keyboard.type("x")
    expect(bench.locator("mark")).to_have_count(2)  # in Sign and Send, no other stage
    page.keyboard.press("Enter")
    expect(bench.get_by_role("status")).to_contain_text("✗ Refused")
    secret.focus()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    body = bench.get_by_label("Body", exact=True)
    body.focus()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(" ")
    expect(bench).to_contain_text("Changed: character 2.")
    lab.picture(f"05-bench-{name}", bench)
    bench.get_by_role("button", name="Send").click()
    expect(bench.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    bench.get_by_role("button", name="Back").click()
    bench.get_by_role("button", name="Back").click()
    expect(bench.get_by_role("status")).to_have_text("Stage 4 of 6: Canonical string.")
    expect(bench.locator("dt")).to_have_count(4)
    bench.get_by_role("button", name="Next").click()
    expect(bench.locator("dt")).to_have_count(5)
    bench.get_by_label("Show as curl").check()
    expect(bench.get_by_label("curl", exact=True)).to_have_value(re.compile("--data-binary '{ "))
    lab.picture(f"05-curl-{name}", bench)

    wire = lesson.locator(WIDGET).filter(has_text="What was signed, and what arrives")
    wire.get_by_role("button", name="Send").click()
    expect(wire.get_by_role("status")).to_contain_text("✗ Refused")
    wire.get_by_label("The client sends").select_option("content=body: the bytes that were hashed")
    wire.get_by_role("button", name="Send").click()
    expect(wire.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    lab.picture(f"05-wire-{name}", wire)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="finish.check(finish)")
    feedback = cell.locator(".jp-OutputArea")
    for answer, said in (
        ('return http.post("/apps/3/events", params=signature.query)', "without its body"),
        (
            'return http.post("/apps/3/events", params=signature.query, content=body)',
            "✓ The signed bytes go out",
        ),
    ):
        cell.locator(".cm-line").filter(has_text="return").click()
        page.keyboard.press("End")
        page.keyboard.press("Shift+Home")
        page.keyboard.insert_text(answer)
        page.keyboard.press("Shift+Enter")
        expect(feedback).to_contain_text(said)
    lab.picture(f"05-finish-{name}", cell)
