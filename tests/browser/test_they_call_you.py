"""Lesson 10 as a learner meets it: a page opened and closed in the picture, a real receiver."""

from __future__ import annotations

import pytest

NAME = "10-they-call-you.ipynb"
WIDGET = "lesson.at_night()"

GENUINE = """def webhook_is_genuine(secrets, body, key, signature):
    if key not in secrets:
        return False
    right = hmac.new(secrets[key].encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode())


lesson.webhook_is_genuine.check(webhook_is_genuine)"""


@pytest.mark.usefixtures("each_theme")
def test_the_page_is_closed_in_the_picture_and_three_seconds_later_your_server_knows(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    status, drawn = card.get_by_role("status"), card.locator("svg:visible")
    expect(status).to_have_text("✓ Somebody's watching, your backend knows, and the van sends.")
    for seen in (status, drawn):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("10-open")
    drawn.locator("[data-press=page]").click()
    expect(status).to_have_text("The page is closed, and your backend doesn't know yet.")
    lab.picture("10-closed")
    clock = drawn.locator("[data-press=clock]")
    clock.focus()
    lab.press("Enter", "Enter")
    expect(drawn).to_contain_text("calls in 0.75 s")
    expect(clock).to_be_focused()
    lab.press("Space")
    expect(status).to_have_text("✓ Nobody's watching, your backend knows, and the van is quiet.")
    lab.picture("10-told")
    answers = card.get_by_label("your backend answers")
    answers.select_option("500: it failed, and did nothing")
    expect(status).to_contain_text("Nobody's watching")  # what was answered stays answered
    drawn.locator("[data-press=page]").click()
    expect(status).to_contain_text("✗ Not received, as far as the server knows.")
    clock.click()
    expect(card).to_contain_text("again in 2 s")
    expect(status).to_be_in_viewport(ratio=1)
    lab.picture("10-fails")
    answers.select_option("200, but after five seconds")
    card.get_by_role("button", name="Start over").click()
    expect(card).to_contain_text("no answer yet")
    for at in range(1, 5):
        clock.click()
        expect(clock).to_contain_text(f"{at}.25 s")
    expect(card).to_contain_text("no answer in 4 s, again in 1 s")
    lab.picture("10-late")


def test_a_receiver_of_ones_own_keeps_its_check(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    cell, output = lesson.exercise("lesson.webhook_is_genuine.check")
    cell.locator(".cm-content").click()
    lab.press("ControlOrMeta+a")
    lab.page.keyboard.insert_text(GENUINE)
    lab.press("Control+Enter")
    expect(output).to_contain_text("Right")
    expect(output).to_contain_text("It's in my_pusher.py now")
    lesson.to_top("lesson.webhook_is_genuine.check")
    lab.picture("10-genuine")
    broken = lesson.cell("lesson.receive.check")
    expect(broken).to_contain_text("body-written-again")
    lesson.rewrite(broken, "text = json.dumps(webhook)", "text = body.decode()")
    expect(broken.locator(".jp-OutputArea")).to_contain_text("parsed it before it checked")
    lesson.rewrite(broken, "webhook = json.loads(body)", "# nothing is parsed yet")
    expect(broken.locator(".jp-OutputArea")).to_contain_text("You decode the body, and encode it")
    lesson.rewrite(
        broken, "if not webhook", "if not webhook_is_genuine(secrets, body, key, signature):"
    )
    expect(broken.locator(".jp-OutputArea")).to_contain_text("Right")
    lesson.to_top("lesson.receive.check")
    lab.picture("10-fixed")
    night = lesson.cell("of 10 positions were sent")
    expect(night.locator(".jp-OutputArea")).to_contain_text("3 of 10 positions were sent")
    lesson.to_top("of 10 positions were sent")
    lab.picture("10-night")


def test_nothing_is_clipped(lab, narrow):
    lesson = lab.run(NAME)
    lesson.widgets()
    assert lesson.lab.clipped() == []
    lesson.to_top(WIDGET)
    lab.picture(f"10-narrow-{narrow}")
    card = lesson.card(WIDGET)
    card.get_by_label("your backend answers").select_option("200, but after five seconds")
    for _ in range(2):
        card.locator("svg:visible [data-press=page]").click()
    for _ in range(12):
        card.locator("svg:visible [data-press=clock]").click()
    lab.picture(f"10-narrow-late-{narrow}")
    lesson.to_top("lesson.diagnose(")
    lab.picture(f"10-narrow-doctor-{narrow}")


def test_before_anything_ran_it_is_readable(lab):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    for code in (WIDGET, "lesson.reloaded()", "lesson.calling(Receiver)"):
        lesson.to_top(code)
        lab.picture(f"10-untrusted-{code[7:13]}")
