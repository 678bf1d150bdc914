"""Lesson 11 as a learner meets it: eight ways out, six servers, and exercises solved in the lab."""

from __future__ import annotations

import pytest

NAME = "11-ship-it.ipynb"
SERVERS, LEAKS = "lesson.servers()", "lesson.ways_out()"
NARROW = {"width": 700, "height": 900}


@pytest.mark.usefixtures("each_theme")
def test_the_search_finds_more_and_the_map_fills(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    card = lesson.card(LEAKS)
    lesson.to_top(LEAKS)
    status = card.get_by_role("status")
    expect(status).to_have_text("Your search finds it in 4 of 8 places.")
    lab.picture("11-leaks-before")
    place = card.get_by_role("button", name="What is in: CI log.").locator("visible=true")
    place.focus()
    lab.press("Enter")
    expect(card.get_by_text("Authorization: Basic")).to_be_in_viewport(ratio=1)
    for spelling in ("Percent-encoded, too", "Inside base64, too", "Hex, too"):
        card.get_by_label(spelling).check()
    expect(status).to_have_text("✓ Your search finds it in 8 of 8 places.")
    expect(status).to_be_in_viewport(ratio=1)
    lab.picture("11-leaks-after")

    card = lesson.card(SERVERS)
    lesson.to_top(SERVERS)
    status = card.get_by_role("status")
    expect(status).to_contain_text("Press one to send it")
    press = card.get_by_role("button", name="Send the request: two hours old")
    press.locator("visible=true").click()
    expect(status).to_have_text("“two hours old”: 4 of 6 refuse it.")
    expect(status).to_be_in_viewport(ratio=1)
    expect(card.locator("svg:visible")).to_be_in_viewport(ratio=1)
    card.get_by_role("button", name="Send all six").click()
    expect(status).to_contain_text("All six are sent.")
    lab.picture("11-servers-after")

    lab.page.set_viewport_size(NARROW)
    for name, code in (("leaks", LEAKS), ("servers", SERVERS)):
        lesson.to_top(code)
        lab.picture(f"11-narrow-{name}")


CHECK = "lesson.deliver.check(deliver)"
LOOP = """event_id = str(uuid.uuid4())
    for number in range(5):
        try:
            line.publish(str(number), status)
        except TimeoutError:
            continue
        return True
    return False"""


def test_a_wrong_try_is_answered_and_the_right_one_is_praised(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    cell, output = lesson.exercise(CHECK)
    for line, code, said in (
        ("return ...", LOOP, "You give each try its own id"),
        ("line.publish(", "line.publish(event_id, status)", "makes it likely to arrive"),
    ):
        lesson.rewrite(cell, line, code)
        expect(output).to_contain_text(said)
        lesson.to_top(CHECK)
        lab.picture(f"11-exercise-{said.split()[0].lower()}")


def test_what_a_stranger_sees_before_it_runs(lab):
    lesson = lab.untrusted(NAME)
    for name, code in (("leaks", LEAKS), ("servers", SERVERS)):
        lesson.to_top(code)
        lab.picture(f"11-untrusted-{name}")
