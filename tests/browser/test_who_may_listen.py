"""Lesson 09 as a learner meets it: the lock, an endpoint that runs, and who can read an event."""

from __future__ import annotations

import pytest

NAME = "09-who-may-listen.ipynb"


def choose(card, label: str, option: str) -> None:
    card.get_by_role("combobox", name=label).select_option(option)


@pytest.mark.usefixtures("each_theme")
def test_the_lock_opens_for_whoever_is_signed_for(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    code = "lesson.joining()"
    lesson.to_top(code)
    card = lesson.card(code)
    status = card.get_by_role("status")
    expect(status).to_have_text("✓ Kept out. Good.")
    lab.picture("09-no-endpoint")
    choose(card, "Your endpoint", "signs whatever it's asked to")
    expect(status).to_have_text("✗ In. It's this morning all over again.")
    for seen in (status, card.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("09-signs-everything")
    choose(card, "Your endpoint", "decides, then signs")
    expect(status).to_have_text("✓ Kept out. Good.")
    lab.picture("09-decides")
    choose(card, "Asks for", "private-order-41")
    expect(status).to_have_text("✓ In, and that's right.")
    choose(card, "Signed in", "a stranger, not signed in")
    expect(status).to_have_text("✓ Kept out. Good.")
    choose(card, "Asks for", "order-42")
    expect(status).to_contain_text(
        "✗ In. The channel is public, so nobody asks for an auth: that's"
    )
    lab.picture("09-public")
    lab.page.set_viewport_size({"width": 700, "height": 800})
    assert lab.clipped() == []
    lab.picture("09-public-700", card)


def test_the_learner_s_own_endpoint_is_asked(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    code = "lesson.browser(endpoint)"
    card = lesson.card(code)
    status = card.get_by_role("status")
    lesson.to_top(code)
    lab.picture("09-endpoint")
    card.get_by_role("button", name="Join").click()
    expect(status).to_have_text("✓ Pia is in.")
    expect(card).to_contain_text("out for delivery")
    choose(card, "Asks for", "private-order-42")
    card.get_by_role("button", name="Join").click()
    expect(status).to_have_text("✓ Pia is kept out.")
    expect(card).to_contain_text("403")
    lab.picture("09-kept-out")

    cell, output = lesson.exercise("def authorize(")
    lesson.rewrite(cell, "return ...", "return 200, {'auth': app.key + ':' + '0' * 64}")
    expect(output).to_contain_text("The server refuses what you signed.")
    lab.picture("09-not-yet", cell)


def test_who_reads_an_encrypted_event(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    code = "lesson.sealed()"
    lesson.to_top(code)
    card = lesson.card(code)
    status = card.get_by_role("status")
    expect(status).to_have_text("The server sees noise.")
    choose(card, "Who reads it", "Pia's page on order 41")
    expect(status).to_have_text("Pia's page on order 41 can read it.")
    expect(card).to_contain_text('"code":"7391"')
    lab.picture("09-encrypted")
    choose(card, "Who reads it", "Tom's page on order 42")
    expect(status).to_have_text("Tom's page on order 42 sees noise.")


def test_before_it_has_run_it_reads_well(lab):
    lab.laptop()
    lesson = lab.untrusted(NAME)
    lesson.to_top("lesson.joining()")
    lab.picture("09-untrusted")
