"""Lesson 07 as a learner meets it: a hundred dots and one too many, and a bucket."""

from __future__ import annotations

import pytest

NAME = "07-fan-out-and-batch.ipynb"


@pytest.mark.usefixtures("each_theme")
def test_a_hundred_dots_light_up_and_a_hundred_and_one_do_not(lab, expect):
    lab.laptop()
    lesson = lab.run(NAME)
    lesson.to_top("lesson.one_request()")
    card = lesson.card("lesson.one_request()")
    status, send = card.get_by_role("status"), card.get_by_role("button", name="Send one request")
    card.get_by_label("How many").fill("100")
    send.click()
    expect(status).to_have_text("✓ Accepted: 1 request, 1 signature, and 100 of 100 arrived.")
    for seen in (status, card.locator("svg:visible")):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("07-hundred")
    card.get_by_label("How many").fill("101")
    send.click()
    expect(status).to_have_text("✗ The client refused it, so no request went out.")
    card.get_by_label("Send it even if").check()
    send.click()
    expect(status).to_have_text("✗ Refused, all of it: 0 of 101 arrived.")
    lab.picture("07-one-too-many")


def test_backing_off_loses_nothing(lab, expect):
    lesson = lab.run(NAME)
    card = lesson.card("lesson.bucket(rate=2)")
    send = card.get_by_role("button", name="Send five events")
    send.click()
    expect(card.get_by_role("status")).to_contain_text("✗ 3 of 5 are lost")
    card.get_by_label("On 429").select_option("wait as long as it says, and try again")
    send.click()
    expect(card.get_by_role("status")).to_contain_text("✓ All 5 arrived")
    lab.picture("07-bucket", card)
