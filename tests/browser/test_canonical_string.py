"""Lesson 03 as a learner meets it: parts put together with keys and with clicks."""

from __future__ import annotations

import pytest

LESSON = "03-canonical-string.ipynb"
ASSEMBLER = "canonical_string.assembler()"


def test_a_text_is_put_together_with_the_keyboard_alone(lab, expect):
    widget = lab.run(LESSON).widget(ASSEMBLER)
    status = widget.get_by_role("status")
    method, path = (widget.get_by_label(name, exact=True) for name in ("Method", "Path"))
    expect(status).to_contain_text("✗ Refused. Between the parts stand two characters")

    lab.retype(method, "post")
    expect(status).to_contain_text("✗ Refused. The method is signed in upper case.")
    lab.retype(method, "POST")
    lab.press("Tab")
    expect(path).to_be_focused()
    lab.press("End", "/")
    expect(status).to_contain_text("a path without a slash at its end")
    lab.press("Backspace", "Tab")
    expect(widget.get_by_role("button", name="real newline")).to_be_focused()
    lab.press("Space")
    expect(status).to_have_text("✓ Accepted: three lines, and the same bytes.")
    lab.press("Tab", "Tab", "Tab", "Tab")
    expect(widget.get_by_label("A newline at the end")).to_be_focused()
    lab.press("Space")
    expect(status).to_contain_text("After the last parameter comes nothing")
    expect(widget).to_contain_text("4 lines, 135 characters, 135 bytes")


@pytest.mark.usefixtures("each_theme")
def test_a_text_is_put_together_with_clicks(lab, expect):
    lesson = lab.run(LESSON)

    predict = lesson.widget("canonical_string.predict()")
    predict.get_by_role("button", name="It accepts the request").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture("03-predict", predict)

    widget = lesson.widget(ASSEMBLER)
    status = widget.get_by_role("status")
    expect(widget.locator("mark")).to_have_text(["\\", "⏎"])
    lab.picture("03-literal", widget)
    widget.get_by_role("button", name="real newline").click()
    expect(status).to_contain_text("✓ Accepted")
    expect(widget.locator("mark")).to_have_count(0)
    lab.picture("03-accepted", widget)
    widget.get_by_role("button", name="CRLF").click()
    expect(widget).to_contain_text("byte 4: you have 0x0d carriage return")
    expect(widget.locator("mark")).to_have_text(["←", "⏎"])
    widget.get_by_label("A newline at the end").check()
    expect(widget).to_contain_text("4 lines, 137 characters, 137 bytes")
    lab.picture("03-crlf", widget)

    cell, feedback = lesson.exercise("three_lines.check(three_lines)")
    expect(feedback).to_contain_text("Not attempted yet")
    lesson.rewrite(cell, "return ...", r'return r"\n".join(parts)')
    expect(feedback).to_contain_text("✗ Between the parts stand two characters")
    lab.picture("03-wrong", cell)
    lesson.rewrite(cell, "return r", r'return "\n".join(parts)')
    expect(feedback).to_contain_text("✓ Three parts on three lines")
    lab.picture("03-right", cell)
