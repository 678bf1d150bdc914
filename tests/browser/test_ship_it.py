"""Lesson 09 as a learner meets it: seven servers, eight ways out, a dry run, a hidden prompt."""

from __future__ import annotations

import json

import pytest

NAME = "09-your-own-app.ipynb"
SERVERS, LEAKS, DESK = "lesson.servers()", "lesson.ways_out()", "lesson.desk(app)"
MARKER = "marker-of-a-real-secret"
NARROW = {"width": 700, "height": 900}
NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON()"
ADD_CELL = "() => window.jupyterapp.commands.execute('notebook:insert-cell-below')"


@pytest.mark.usefixtures("each_theme")
def test_the_map_fills_and_the_ways_out_explain(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    card = lesson.card(SERVERS)
    lesson.to_top(SERVERS)
    expect(card.get_by_role("status")).to_contain_text("Press one to send it")
    lab.picture("09-servers-before")
    press = card.get_by_role("button", name="Send the request: two hours old")
    press.locator("visible=true").click()
    expect(card.get_by_role("status")).to_have_text("“two hours old”: 4 of 7 refuse it.")
    expect(card.get_by_role("status")).to_be_in_viewport(ratio=1)
    expect(card.locator("svg:visible")).to_be_in_viewport(ratio=1)
    card.get_by_label("Send all six").check()
    lab.picture("09-servers-after")

    card = lesson.card(LEAKS)
    lesson.to_top(LEAKS)
    place = card.get_by_role("button", name="through: ps").locator("visible=true")
    place.focus()
    lab.press("Enter")
    expect(card.get_by_role("status")).to_have_text("Out through: ps.")
    expect(card.get_by_text("Pass it in the environment")).to_be_in_viewport(ratio=1)
    lab.picture("09-leaks")

    lab.page.set_viewport_size(NARROW)
    for name, code in (("servers", SERVERS), ("leaks", LEAKS), ("desk", DESK)):
        lesson.to_top(code)
        lab.picture(f"09-narrow-{name}")


def test_only_the_button_sends(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    card = lesson.card(DESK)
    lesson.to_top(DESK)
    status = card.get_by_role("status")
    expect(status).to_contain_text("nothing was sent")
    lab.retype(card.get_by_label("Channel", exact=True), "no spaces")
    expect(status).to_contain_text("✗ Not signed, and nothing was sent.")
    lab.retype(card.get_by_label("Channel", exact=True), "news")
    lab.press("Enter")
    expect(card).to_contain_text('"channels":["news"]')
    expect(status).to_have_text("Dry run: this is the whole request, and nothing was sent.")
    card.get_by_role("button", name="Send to the practice server").press("Enter")
    expect(status).to_have_text("✓ Accepted by the practice server, and the event arrived.")
    expect(status).to_be_in_viewport(ratio=1)


def test_the_hidden_prompt_leaves_no_secret_in_the_notebook(lab, expect):
    page, lesson = lab.page, lab.run(NAME)
    page.evaluate(ADD_CELL)
    cell = lesson.panel.locator(".jp-CodeCell").last
    lesson.rewrite(cell, "", "lesson.desk(lesson.ask())")
    for prompt, typed in [
        ("App id", "123456"),
        ("App key", "own-key"),
        ("Secret (hidden)", MARKER),
        ("Host", "push.example.com"),
    ]:
        field = lesson.panel.locator(".jp-Stdin").filter(has_text=prompt).locator("input")
        if typed is MARKER:
            expect(field).to_have_attribute("type", "password")
        field.focus()
        lab.type(typed)
        lab.press("Enter")
    own = lesson.card("lesson.ask())")
    expect(own).to_contain_text("https://push.example.com")
    expect(own.get_by_role("button", name="Send to push.example.com")).to_be_visible()

    own.get_by_label("Data", exact=True).fill(MARKER)  # pasted into the wrong field
    expect(own.get_by_role("status")).to_contain_text("taken out of the field")
    expect(own.get_by_label("Data", exact=True)).to_have_value("")
    stored = json.dumps(page.evaluate(NOTEBOOK))
    assert "own-key" in stored
    assert MARKER not in stored
    assert MARKER not in page.content()
