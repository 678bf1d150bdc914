"""Lesson 07 as a learner meets it: the limits, the dispatcher, the rate limit, one exercise."""

from __future__ import annotations

import pytest

LESSON = "07-fan-out-and-batch.ipynb"


@pytest.mark.usefixtures("each_theme")
def test_one_too_many_reaches_nobody(lab, expect):
    lesson = lab.run(LESSON)

    def enter(field, number):
        """Numbers are told when their field is left."""
        lab.retype(field, number)
        lab.press("Tab")

    predict = lesson.widget("fan_out_and_batch.predict()")
    predict.get_by_role("button", name="The first 100 hear it").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("0 of 101 heard something")
    lab.picture("07-predict", predict)

    dispatcher = lesson.widget("fan_out_and_batch.dispatcher()")
    send, status = dispatcher.get_by_role("button", name="Send", exact=True), "status"
    channels, size = (dispatcher.get_by_label(name) for name in ("Channels", "Bytes of data"))
    enter(channels, "100")
    expect(dispatcher).to_contain_text("100 requests")
    lab.press("Tab")
    expect(send).to_be_focused()
    lab.press("Enter")
    expect(dispatcher).to_contain_text("100 of 100 heard something")
    lab.picture("07-dispatcher", dispatcher)
    enter(channels, "101")
    expect(dispatcher).to_contain_text("101 requests")
    send.click()
    expect(dispatcher).to_contain_text("InvalidEvent: channels: 101 channels, 1 over the limit")
    expect(dispatcher.get_by_role(status)).to_have_text("✗ Refused by the client, before sending.")
    dispatcher.get_by_label("Send it even if").check()
    expect(dispatcher.get_by_role(status)).to_have_text("Ready. Press Send.")
    send.click()
    expect(dispatcher).to_contain_text("400 channels: 101 channels")
    expect(dispatcher).to_contain_text("0 of 101 heard something")
    lab.picture("07-refused", dispatcher)
    dispatcher.get_by_role("button", name="A batch of events").click()
    expect(channels).to_be_hidden()
    enter(size, "102401")
    expect(dispatcher).to_contain_text("1,024,512 bytes of body")
    send.click()
    expect(dispatcher).to_contain_text("413 event 1 of the batch: data: 102,401 bytes")
    enter(size, "102400")
    expect(dispatcher).to_contain_text("1,024,502 bytes of body")
    send.click()
    expect(dispatcher.get_by_role(status)).to_contain_text("✓ Accepted")
    lab.picture("07-batch", dispatcher)

    limit = lesson.widget("fan_out_and_batch.rate_limit()")
    expect(limit.get_by_role(status)).to_contain_text("3 of 5 events are lost")
    enter(limit.get_by_label("Wait, in ms"), "400")
    limit.get_by_role("button", name="Send 5 with the wait").click()
    expect(limit.get_by_role(status)).to_have_text("✓ All 5 events arrived, the last after 1.6 s.")
    limit.get_by_role("button", name="Send 5 at once").click()
    expect(limit.get_by_role(status)).to_contain_text("3 of 5 events are lost")
    limit.get_by_role("button", name="Send 5 and back off").click()
    expect(limit).to_contain_text("event 5 again")
    lab.picture("07-rate", limit)


@pytest.mark.usefixtures("each_theme")
def test_an_exercise_is_done_wrong_and_then_right(lab, expect):
    lesson = lab.run(LESSON)
    cell, feedback = lesson.exercise("fan_out_and_batch.split.check(split)")
    expect(feedback).to_contain_text("Not attempted yet")
    for step, said in [
        ("99", "Every hundredth channel is missing."),
        ("100", "✓ Lists of at most 100 channels"),
    ]:
        code = f"return [names[start : start + {step}] for start in starts]"
        lesson.rewrite(cell, "return", code)
        expect(feedback).to_contain_text(said)
        lab.picture(f"07-split-{step}", cell)
