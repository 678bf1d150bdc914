"""Lesson 12 as a learner meets it: calls are taken, and a program of one's own ticks off goals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pusherkit.clinic.sabotage import queue

NAME = "12-the-clinic.ipynb"
CALLS, CLINIC, LEDGER = "lesson.calls()", "clinic = lesson.clinic()", "lesson.ledger()"
EXAMPLE = Path(__file__).parents[2] / "examples" / "capstone.py"
QUEUE = queue(7)


def settings_of(card):
    """What the card says to paste, as a dict."""
    exports = card.locator("pre").filter(has_text="export PUSHER_APP_ID").inner_text()
    return dict(line.removeprefix("export ").split("=", 1) for line in exports.split("\n") if line)


def run(settings, *goals):
    """A program in a terminal of its own."""
    subprocess.run(
        [sys.executable, EXAMPLE, *goals], env=settings, capture_output=True, check=True, timeout=60
    )


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    for number, code in enumerate(("lesson.map()", CALLS, CLINIC, LEDGER)):
        lesson.to_top(code)
        lab.picture(f"12-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_a_call_is_named_wrong_and_then_right_and_the_next_is_taken_by_keyboard(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(CALLS)
    card, case = lesson.card(CALLS), QUEUE[0]
    status = card.get_by_role("status")
    expect(card).to_contain_text("What's the cause?")
    expect(card).not_to_contain_text("Proof")
    lab.picture("12-call-before")
    wrong = case.options[(case.right + 1) % len(case.options)]
    card.get_by_role("button", name=wrong.name).click()
    expect(status).to_have_text("✗ That's not it.")
    expect(card.get_by_text("Made that way", exact=True)).to_be_in_viewport(ratio=1)
    lab.picture("12-call-wrong")
    card.get_by_role("button", name=case.answer.name).press("Enter")
    expect(status).to_have_text(f"✓ Yes, {case.answer.name}.")
    expect(card.get_by_text("Proof", exact=True)).to_be_in_viewport(ratio=1)
    lab.picture("12-call-right")
    card.get_by_role("button", name="Take the next call").press("Enter")
    expect(card.locator(".pk-title").first).to_contain_text("Call 2:")
    lab.picture("12-call-program")
    card.locator("g[data-press=call-5]:visible").press(" ")
    expect(card).to_contain_text("Two things are wrong. Which?")
    lab.picture("12-call-two")
    card.get_by_label("Seed").fill("8")
    expect(card.locator(".pk-title").first).to_contain_text("Call 1:")
    expect(card).to_contain_text("What's the cause?")


@pytest.mark.usefixtures("each_theme")
def test_goals_are_ticked_as_requests_of_a_program_arrive(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(CLINIC)
    card = lesson.card(CLINIC)
    status = card.get_by_role("status")
    expect(status).to_have_text("0 of 9 shown.")
    lab.picture("12-clinic-before")
    settings = settings_of(card)
    run(settings, "event", "batch")
    expect(status).to_have_text("2 of 9 shown.")
    expect(card).to_contain_text("✓ 4 A batch")
    lab.picture("12-clinic-two")
    run(settings | {"PUSHER_SECRET": "another"}, "get")
    expect(card).to_contain_text("✗ 3 A GET with a comma")
    lab.picture("12-clinic-wrong")
    run(settings)
    expect(status).to_contain_text("All of it is shown, and signed by your own program.")
    lab.picture("12-clinic-all")


def test_a_program_that_the_notebook_runs_reaches_the_clinic_while_its_cell_runs(lab, expect):
    lesson = lab.run(NAME)
    cell = lesson.cell("program = ...")
    command = f"program = {[sys.executable, str(EXAMPLE), 'event', 'wait']}"
    lesson.rewrite(cell, "program = ...", command, run="Control+Enter")
    expect(lesson.card(CLINIC).get_by_role("status")).to_have_text("2 of 9 shown.")


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    card = lesson.card(CALLS)
    for number in (2, 5, 7, 8):
        card.locator(f"g[data-press=call-{number}]:visible").press("Enter")
        expect(card.locator(".pk-title").first).to_contain_text(f"Call {number}:")
        assert lab.clipped() == []
    for name, code in (("calls", CALLS), ("clinic", CLINIC), ("ledger", LEDGER)):
        lesson.to_top(code)
        lab.picture(f"12-narrow-{narrow}-{name}")
