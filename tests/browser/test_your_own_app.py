"""Lesson 09 as a learner meets it: the dry run, the hidden prompt, the servers, one exercise."""

from __future__ import annotations

import json

import pytest

LESSON = "09-your-own-app.ipynb"
MARKER = "marker-of-a-real-secret"
NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON()"
ADD_CELL = "() => window.jupyterapp.commands.execute('notebook:insert-cell-below')"


@pytest.mark.usefixtures("each_theme")
def test_a_dry_run_and_one_event(lab, expect):
    lesson = lab.run(LESSON)

    predict = lesson.widget("your_own_app.predict()")
    predict.get_by_role("button", name="It accepts it").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture("09-predict", predict)

    desk = lesson.widget("your_own_app.desk()")
    expect(desk.get_by_role("status")).to_contain_text("nothing was sent")
    lab.retype(desk.get_by_label("Data"), "tea ☕")
    expect(desk).to_contain_text('"data":"tea ☕"')
    lab.retype(desk.get_by_label("Channel"), "no spaces")
    expect(desk.get_by_role("status")).to_have_text("✗ Not signed, and nothing was sent.")
    lab.picture("09-problem", desk)
    lab.retype(desk.get_by_label("Channel"), "lobby")
    expect(desk).to_contain_text('"channels":["lobby"]')
    expect(desk.get_by_role("status")).to_contain_text("Dry run")
    lab.picture("09-dry", desk)
    desk.get_by_label("Data").focus()
    lab.press("Tab")
    expect(desk.get_by_role("button", name="Send to the practice server")).to_be_focused()
    lab.press("Enter")
    expect(desk.get_by_role("status")).to_have_text(
        "✓ Accepted by the practice server, and the event arrived."
    )
    expect(desk).to_contain_text('event "message" on "lobby"')
    lab.picture("09-sent", desk)

    servers = lesson.widget("your_own_app.servers()")
    expect(servers.get_by_role("status")).to_contain_text("3 of 7 accept it.")
    servers.get_by_label("What is wrong").select_option("another secret")
    expect(servers.get_by_role("status")).to_contain_text("1 of 7 accept it.")
    lab.picture("09-servers", servers)

    cell, feedback = lesson.exercise("your_own_app.clean.check(clean)")
    for code, said in [
        ("return pasted.strip()", "the quotes are still there"),
        ("return pasted.strip().strip('\"\\'')", "✓ A secret without the quotes"),
    ]:
        lesson.rewrite(cell, "return", code)
        expect(feedback).to_contain_text(said)
    lab.picture("09-clean", cell)


def test_the_hidden_prompt_leaves_no_secret_in_the_notebook(lab, expect):
    page, lesson = lab.page, lab.run(LESSON)
    page.evaluate(ADD_CELL)
    cell = lesson.panel.locator(".jp-CodeCell").last
    lesson.rewrite(cell, "", "your_own_app.desk(your_own_app.ask())")
    for prompt, typed in [
        ("App id", "123456"),
        ("Key", "own-key"),
        ("Secret (hidden)", MARKER),
        ("Host", "push.example.com"),
    ]:
        field = lesson.panel.locator(".jp-Stdin").filter(has_text=prompt).locator("input")
        if typed is MARKER:
            expect(field).to_have_attribute("type", "password")
        field.focus()
        lab.type(typed)
        lab.press("Enter")
    own = lesson.widget("your_own_app.ask())")
    expect(own).to_contain_text("https://push.example.com/apps/123456/events")
    expect(own.get_by_role("button", name="Send to push.example.com")).to_be_visible()
    lab.picture("09-ask", lesson.cell("your_own_app.ask())"))
    stored = json.dumps(page.evaluate(NOTEBOOK))
    assert "own-key" in stored
    assert MARKER not in stored
    assert MARKER not in page.content()
