"""Lesson 08 as a learner meets it: a refusal read, the doctor asked, wrong first and then right."""

from __future__ import annotations

import pytest

from pusherkit.lessons import reading_a_401

NAME = "08-reading-a-401.ipynb"
OWN = reading_a_401.OWN
REFUSAL, DOCTOR = "lesson.refusal()", "lesson.doctor()"


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    for number, code in enumerate(("lesson.map()", REFUSAL, DOCTOR, "lesson.poster()")):
        lesson.to_top(code)
        lab.picture(f"08-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_a_refusal_is_read_and_a_cause_is_named_before_it_is_proven(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top(REFUSAL)
    card = lesson.card(REFUSAL)
    status, ask = card.get_by_role("status"), card.get_by_role("button", name="Ask the three")
    expect(status).to_have_text("Where do they lead? Say it first, then ask.")
    lab.picture("08-refusal-before")
    ask.click()
    expect(status).to_contain_text("line 2, the path")
    lab.picture("08-refusal")
    card.get_by_label("You signed").fill(
        reading_a_401.KIMS.signed.replace(reading_a_401.CREDENTIALS.base_url, "")
    )
    expect(card.get_by_label("Refusal")).to_have_value(OWN)
    ask.click()
    expect(status).to_contain_text("The strings are equal")
    for seen in (status, card.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("08-refusal-equal")
    card.get_by_label("Refusal").select_option("one from a soketi server")
    ask.click()
    expect(status).to_contain_text("It names no rule")
    lab.picture("08-refusal-terse")

    lesson.to_top(DOCTOR)
    card = lesson.card(DOCTOR)
    status = card.get_by_role("status")
    expect(status).to_contain_text("Name it before the doctor does")
    expect(card).not_to_contain_text("CRLF")
    lab.picture("08-doctor-before")
    card.get_by_role("button", name="The secret").click()
    expect(status).to_have_text("It's something else: the canonical string. Proven.")
    for seen in (status, card.get_by_text("The lines are joined by CRLF")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("08-doctor-after")
    card.get_by_label("Case").select_option("the office's dashboard")
    expect(status).to_contain_text("Name it before the doctor does")
    card.get_by_role("button", name="The body or its hash").press("Enter")
    expect(status).to_have_text("✓ You named it: the body or its hash. 2 explanations match.")
    lab.picture("08-doctor-two")
    card.get_by_label("Request").fill("curl 'http://127.0.0.1/apps/3/events")
    expect(card.get_by_label("Case")).to_have_value(OWN)
    card.get_by_role("button", name="Ask the doctor").click()
    expect(status).to_contain_text("A quote in the command is not closed")
    lab.retype(card.get_by_label("Request"), "curl http://127.0.0.1/apps/3/events")
    expect(card.get_by_label("Request")).to_have_value("curl http://127.0.0.1/apps/3/events")
    card.get_by_role("button", name="Ask the doctor").click()
    expect(status).to_contain_text("Refused, and")
    lab.picture("08-doctor-own")


def test_kims_script_is_half_fixed_and_then_right(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    code = "lesson.kims_script.check(kims_script)"
    cell, card = lesson.cell(code), lesson.card(code)
    expect(card).to_contain_text("Kim's script as it was")
    joined = 'text = "\\n".join(["POST", path, joined])'
    lesson.rewrite(cell, "text = ", joined, run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ Half of it is fixed")
    lab.picture("08-half", cell)
    read = "secret = secret_file.read().strip()"
    lesson.rewrite(cell, "secret = secret_file", read, run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ Two mistakes")
    lab.picture("08-right", cell)


@pytest.mark.usefixtures("each_theme")
def test_a_narrow_window_cuts_nothing_off(lab, expect, narrow):
    lesson = lab.run(NAME)
    lesson.card(DOCTOR).get_by_role("button", name="The HMAC call").click()
    expect(lesson.card(DOCTOR).get_by_role("status")).to_contain_text("It's something else")
    lesson.card(REFUSAL).get_by_role("button", name="Ask the three").click()
    expect(lesson.card(REFUSAL).get_by_role("status")).to_contain_text("line 2, the path")
    assert lab.clipped() == []
    for name, code in (("refusal", REFUSAL), ("doctor", DOCTOR), ("poster", "lesson.poster()")):
        lesson.to_top(code)
        lab.picture(f"08-narrow-{narrow}-{name}")


def test_the_poster_is_a_page_of_its_own(lab, tmp_path):
    reading_a_401.poster().save(str(tmp_path / "poster.html"))
    page = lab.page.context.new_page()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto((tmp_path / "poster.html").as_uri())
    assert (
        page.evaluate("document.images[0].naturalWidth > 0 && document.images[0].clientWidth") > 700
    )
    page.screenshot(path=lab.pictures / "08-poster.png")
    page.close()
