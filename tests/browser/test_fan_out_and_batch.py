"""Lesson 07 as a learner meets it: a hundred squares and one too many, and a bucket."""

from __future__ import annotations

import pytest

NAME = "07-fan-out-and-batch.ipynb"


@pytest.mark.usefixtures("each_theme")
def test_a_hundred_squares_are_ticked_and_a_hundred_and_one_do_not(lab, expect):
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


@pytest.mark.usefixtures("each_theme")
def test_a_batch_fits_into_a_narrow_window(lab, expect):
    lab.page.set_viewport_size({"width": 700, "height": 800})
    lesson = lab.run(NAME)
    lesson.to_top("lesson.one_request()")
    card = lesson.card("lesson.one_request()")
    card.get_by_label("Send", exact=True).select_option("a batch of events")
    card.get_by_label("How many").fill("11")
    card.get_by_label("Bytes of data in each").fill("1e9")
    expect(card.get_by_role("status")).to_contain_text("type a whole number")
    card.get_by_label("Bytes of data in each").fill("16")
    card.get_by_label("Send it even if").check()
    card.get_by_label("Bytes of data in each").press("Enter")
    expect(card.get_by_role("status")).to_have_text("✗ Refused, all of it: 0 of 11 arrived.")
    expect(card.get_by_text("The beginning of the body")).to_be_in_viewport()
    lab.picture("07-batch-narrow")
