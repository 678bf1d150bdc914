"""Lesson 04 as a learner meets it: the lamps, the bucket, an exercise done wrong and then right."""

from __future__ import annotations

import pytest

NAME = "04-key-and-message.ipynb"
LAMPS = "lesson.lamps()"
BUCKET = "lesson.bucket()"


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab, expect):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    expect(lesson.panel.locator(".jp-OutputArea-output img")).to_have_count(2)
    for number, code in enumerate(("lesson.map()", LAMPS, BUCKET)):
        lesson.to_top(code)
        lab.picture(f"04-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_what_a_control_changes_is_in_the_window_and_nothing_jumps(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.cell(LAMPS).locator(".jp-InputArea").click()
    lab.press("Control+Enter")
    lesson.to_top(LAMPS)
    lamps = lesson.card(LAMPS)
    status = lamps.get_by_role("status")
    expect(status).to_contain_text("✓ Accepted: da454824…")
    lab.picture("04-lamps-before")
    places = [row.bounding_box()["y"] for row in lamps.locator("tr:visible").all()]

    lamps.get_by_label("Text", exact=True).focus()
    lab.press("ControlOrMeta+Home", "Delete")
    lab.type("p")
    expect(status).to_contain_text("That isn't the text")
    expect(lamps).to_contain_text("of 256 have flipped")
    for seen in (status, lamps.locator("svg:visible"), lamps.locator("mark").first):
        expect(seen).to_be_in_viewport(ratio=1)
    assert [row.bounding_box()["y"] for row in lamps.locator("tr:visible").all()] == places
    lab.picture("04-lamps-after")
    lab.press("Backspace")
    lab.type("P")
    expect(status).to_contain_text("✓")
    lamps.get_by_label("Recipe").select_option("HMAC-SHA256 of the secret, keyed by the text")
    expect(status).to_contain_text("✗ Refused: 069b42f3… The two are swapped")
    expect(status).to_be_in_viewport(ratio=1)
    lab.picture("04-lamps-swapped")

    lesson.to_top(BUCKET)
    bucket = lesson.card(BUCKET)
    expect(bucket.get_by_role("status")).to_have_text(
        "The stranger has one report and its signature."
    )
    lab.picture("04-bucket-before")
    bucket.get_by_role("button", name="Go on from the signature").press("Enter")
    expect(bucket.get_by_role("status")).to_contain_text("⚠ Accepted: 200, order 42 is delivered")
    for seen in (bucket.get_by_role("status"), bucket.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("04-bucket-after")
    bucket.get_by_label("The server checks").select_option("HMAC-SHA256, keyed by the secret")
    expect(bucket.get_by_role("status")).to_contain_text("The stranger has one report")
    lab.picture("04-nested-before")
    bucket.get_by_label("Text to add").press("Enter")
    expect(bucket.get_by_role("status")).to_contain_text("✓ 401, refused")
    expect(bucket.locator("svg:visible")).to_be_in_viewport(ratio=1)
    lab.picture("04-nested-after")


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    bucket, lamps = lesson.card(BUCKET), lesson.card(LAMPS)
    lamps.get_by_label("Text", exact=True).press("Delete")
    bucket.get_by_role("button", name="Go on from the signature").click()
    expect(bucket.get_by_role("status")).to_contain_text("⚠ Accepted")
    lesson.card("lesson.stranger()").get_by_role("button", name="Work the secret out").click()
    expect(lesson.card("lesson.stranger()").get_by_role("status")).to_contain_text("Surprise")
    assert lab.clipped() == []
    for name, code in (("lamps", LAMPS), ("predict", "lesson.stranger()"), ("bucket", BUCKET)):
        lesson.to_top(code)
        lab.picture(f"04-narrow-{narrow}-{name}")
    bucket.get_by_label("The server checks").select_option("HMAC-SHA256, keyed by the secret")
    expect(bucket.get_by_role("status")).to_contain_text("The stranger has one report")
    bucket.get_by_text("Show the code").click()
    assert lab.clipped() == []
    lab.picture(f"04-narrow-{narrow}-nested")


def test_a_signature_is_made_wrong_and_then_right_and_a_forgery_is_sent(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.signature.check(signature)")
    card = lesson.card("lesson.signature.check(signature)")
    expect(card).to_contain_text("Your turn")
    line = "return hmac.new({}.encode(), {}.encode(), hashlib.sha256).hexdigest()"
    lesson.rewrite(cell, "return ...", line.format("text", "secret"), run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ Secret and text are swapped.")
    lab.picture("04-wrong", cell)
    lesson.rewrite(cell, "return hmac", line.format("secret", "text"), run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ Bytes twice, the secret first")
    expect(card).to_contain_text("my_pusher.py")
    lab.picture("04-right", cell)

    cell = lesson.cell("lesson.extend.check(extend)")
    card = lesson.card("lesson.extend.check(extend)")
    short = "return report + more, go_on(seen, secret_length + len(report), more)"
    lesson.rewrite(cell, "return ...", short, run="Control+Enter")
    expect(card).to_contain_text("The count takes in the padding")
    lab.picture("04-forging-stopped", cell)
    glue = "padding(secret_length + len(report))"
    forging = f"return report + {glue} + more, go_on(seen, 64, more)"
    lesson.rewrite(cell, "return report", forging, run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ The report is right,")
    hashed = f"secret_length + len(report + {glue})"
    forging = f"return report + {glue} + more, go_on(seen, {hashed}, more)"
    lesson.rewrite(cell, "return report", forging, run="Shift+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ You've forged a signature")
    lab.picture("04-forged", cell)
    lab.press("Shift+Enter")
    servers = lesson.cell("def hmac_server")
    expect(servers).to_contain_text("depot_server says: 200, order 42 is delivered")
    expect(servers).to_contain_text("hmac_server says: 401")
