"""Lesson 02 as a learner meets it: a list put in order with keys and with clicks."""

from __future__ import annotations

import pytest

LESSON = "02-parameters-in-order.ipynb"
REORDER = "parameters_in_order.reorder()"


def test_a_list_is_put_in_order_with_the_keyboard_alone(lab, expect):
    widget = lab.run(LESSON).widget(REORDER)
    status = widget.get_by_role("status")
    expect(status).to_contain_text("✗ Refused. 5 rows are out of place.")

    def press(label, key="Enter"):
        """Walk to a control with Tab, and press a key on it."""
        control = widget.locator("button, input").and_(
            lab.page.get_by_role("button", name=label).or_(lab.page.get_by_label(label))
        )
        for _ in range(12):
            if control.evaluate("element => element === document.activeElement"):
                break
            lab.press("Tab")
        expect(control).to_be_focused()
        lab.press(key)

    widget.get_by_role("button", name="auth_key").focus()
    expect(widget).to_contain_text("→ 3  ✗ out of place  name")
    for place in (4, 5):
        press("Move down")
        expect(widget).to_contain_text(f"→ {place}  ✗ out of place  name")
    press("Move down", "Space")
    expect(widget).to_contain_text("→ 6  ✓ in place      name")
    expect(status).to_contain_text("✗ Refused. 2 rows are out of place.")

    widget.get_by_role("button", name="auth_key").focus()
    press("auth_timestamp", "Space")
    expect(widget).to_contain_text("→ 3  ✗ out of place  auth_timestamp")
    press("Move up")
    expect(status).to_have_text("✗ Refused. The key Name is not in lower case.")
    press("Keys in lower case", "Space")
    expect(status).to_contain_text("✓ Accepted.")


@pytest.mark.usefixtures("each_theme")
def test_a_list_is_put_in_order_with_clicks(lab, expect):
    lesson = lab.run(LESSON)

    predict = lesson.widget("parameters_in_order.predict()")
    predict.get_by_role("button", name="It refuses: 401").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    lab.picture("02-predict", predict)

    widget = lesson.widget(REORDER)
    lab.picture("02-reorder", widget)
    status = widget.get_by_role("status")
    for place in (4, 5, 6):
        widget.get_by_role("button", name="Move down").click()
        expect(widget).to_contain_text(f"→ {place}")
    widget.get_by_role("button", name="auth_timestamp").click()
    widget.get_by_role("button", name="Move up").click()
    widget.get_by_label("Keys in lower case").check()
    expect(status).to_contain_text("✓ Accepted. The URL has another order")
    lab.picture("02-accepted", widget)
    widget.get_by_label("Encode the values").check()
    expect(status).to_have_text("✗ Refused. The values are encoded.")
    expect(widget).to_contain_text("you have 0x25 '%', the server has 0x2c ','")
    widget.get_by_label("Sign auth_signature too").check()
    expect(widget).to_contain_text("7  ✗ not signed")
    lab.picture("02-encoded", widget)

    cell, feedback = lesson.exercise("unsigned.check(not_signed)")
    expect(feedback).to_contain_text("Not attempted yet")
    lesson.rewrite(cell, "not_signed = ...", 'not_signed = "auth_version"')
    expect(feedback).to_contain_text("✗ It is 1.0 in every request")
    lab.picture("02-wrong", cell)
    lesson.rewrite(cell, "not_signed =", 'not_signed = "auth_signature"')
    expect(feedback).to_contain_text("✓ The key of the one parameter")
    lab.picture("02-right", cell)
