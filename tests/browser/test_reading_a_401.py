"""Lesson 08 in the browser: a refusal compared, a request pasted, an exercise wrong and right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pusherkit.lessons import reading_a_401

if TYPE_CHECKING:
    from tests.browser.conftest import Lab

WIDGET = ".pk-interactive"


def expect(what: Any) -> Any:
    """Playwright's expect, which waits. Imported late, so that its absence is a skip."""
    from playwright.sync_api import expect

    return expect(what)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_refusal_the_doctor_and_an_exercise(lab: Lab, theme: str) -> None:
    name = theme.split()[-1].lower()
    page = lab.page
    lab.theme(theme)
    lesson = lab.open("08-reading-a-401.ipynb")
    lab.run_all()

    predict = lesson.locator(WIDGET).nth(2)
    predict.get_by_role("button", name="The path").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("Both sides signed the same canonical string.")
    lab.picture(f"08-predict-{name}", predict)

    refusal = lesson.locator(WIDGET).filter(has_text="A refusal, read without the secret")
    expect(refusal.locator("mark")).to_have_text(["h", "/"])
    lab.picture(f"08-refusal-{name}", refusal)
    signed = refusal.get_by_label("You signed")
    signed.focus()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("ArrowDown")
    for _ in "http://127.0.0.1":
        page.keyboard.press("Delete")
    expect(refusal.get_by_role("status")).to_have_text(
        "The texts are equal. What is left is the secret, or the HMAC call."
    )
    answer = refusal.get_by_label("Server's answer")
    answer.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("The secret authentication failed")
    expect(refusal).to_contain_text("not what the server computed")
    lab.picture(f"08-terse-{name}", refusal)

    doctor = lesson.locator(WIDGET).filter(has_text="The doctor")
    status = doctor.get_by_role("status")
    expect(status).to_have_text("✗ Refused. One mistake, proven.")
    lab.picture(f"08-doctor-{name}", doctor)
    doctor.get_by_label("Evidence").select_option("a first attempt")
    expect(status).to_have_text("✗ Refused. Two mistakes, proven.")
    lab.picture(f"08-two-{name}", doctor)
    doctor.get_by_label("Evidence").select_option("after a change of the app")
    expect(status).to_contain_text("No known mistake, and no two of them together")
    lab.picture(f"08-unexplained-{name}", doctor)
    evidence = doctor.get_by_label("Request")
    evidence.focus()
    page.keyboard.press("ControlOrMeta+a")
    pasted = reading_a_401.REQUESTS["B"]
    page.keyboard.insert_text(pasted)  # as pasting does: all at once
    expect(doctor).to_contain_text("app-key-as-secret")
    expect(evidence).to_have_value(pasted)
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" ☕'")
    expect(doctor).to_contain_text("A quote in the command is not closed")
    expect(evidence).to_have_value(pasted + " ☕'")
    expect(doctor.get_by_label("Evidence")).to_have_value(reading_a_401.OWN)
    lab.picture(f"08-unread-{name}", doctor)

    cell = lesson.locator(".jp-CodeCell").filter(has_text="six.check(causes)")
    feedback = cell.locator(".jp-OutputArea")
    expect(feedback).to_contain_text("Not attempted yet")
    right = dict(reading_a_401.six.right)
    for causes, said in (
        (right | {"D": "values-url-encoded"}, "D is not values-url-encoded."),
        (right, "✓ The causes of six refusals."),
    ):
        cell.locator(".cm-line").filter(has_text="causes =").click()
        page.keyboard.press("End")
        page.keyboard.press("Shift+Home")
        page.keyboard.insert_text(f"causes = {causes}")
        page.keyboard.press("Shift+Enter")
        expect(feedback).to_contain_text(said)
        lab.picture(f"08-six-{name}-{'right' if causes == right else 'wrong'}", cell)
