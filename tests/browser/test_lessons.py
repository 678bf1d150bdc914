"""The lessons as a learner meets them: keys, clicks, and what appears on the screen."""

from __future__ import annotations

import re

import pytest


def test_an_event_arrives_with_the_keyboard_alone(lab, expect):
    cells = lab.open("00-start-here.ipynb").panel.locator(".jp-Notebook-cell")
    number = 0
    while "timeline" not in cells.nth(number).inner_text():
        lab.press("Shift+Enter")
        number += 1
        expect(cells.nth(number)).to_have_class(re.compile("jp-mod-active"))
    lab.press("Shift+Enter")
    widget = cells.nth(number).locator(".pk-interactive")
    widget.wait_for()
    expect(cells.nth(number + 1)).to_be_focused()
    for control in ("Show as curl", "Next ▶", "◀ Back", "Send", "Message"):
        lab.press("Shift+Tab")  # back into what the cell shows, control by control
        expect(
            widget.get_by_label(control).or_(widget.get_by_role("button", name=control))
        ).to_be_focused()
    lab.type("no mouse")  # in place of what stood there, as Tab selects it
    expect(widget).to_contain_text(r"{\"text\":\"no mouse\"}")
    lab.press("Enter")
    expect(widget.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")


@pytest.mark.usefixtures("each_theme")
def test_an_event_arrives_and_a_changed_one_is_refused(lab, expect):
    lesson = lab.run("00-start-here.ipynb")

    timeline = lesson.widget("start_here.timeline()")
    lab.retype(timeline.get_by_label("Message"), "hi ☕")
    expect(timeline).to_contain_text(r"{\"text\":\"hi ☕\"}")
    expect(timeline.get_by_role("status")).to_contain_text("Signed and ready")
    lab.press("Enter")
    expect(timeline.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    expect(timeline).to_contain_text('event "message" on channel "chat"')
    expect(timeline).to_contain_text('{"text":"hi ☕"}')
    lab.picture("00-timeline", timeline)
    lab.picture("00-page")  # the README's picture

    lab.press("Tab", "Enter")  # from the field to the button
    expect(timeline.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")

    predict = lesson.widget("start_here.predict()")
    predict.get_by_role("button", name="It arrives").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    predict.get_by_role("button", name="The server answers 401").click()
    expect(predict.get_by_role("status")).to_contain_text("✓ As predicted.")
    lab.picture("00-predict", predict)

    tamper = lesson.widget("start_here.tamper()")
    field = tamper.get_by_label("Body to send")
    changed = field.input_value().replace("hello", "jello")
    lab.retype(field, changed)
    expect(tamper.locator("pre").nth(1)).to_have_text(changed)  # every key has arrived
    expect(tamper).to_contain_text("byte 58: signed 0x68 'h', sent 0x6a 'j'")
    lab.press("Enter")
    expect(tamper.get_by_role("status")).to_have_text("✗ Refused, and nothing was delivered.")
    expect(tamper).to_contain_text("401 Invalid body_md5")
    lab.picture("00-tamper", tamper)
