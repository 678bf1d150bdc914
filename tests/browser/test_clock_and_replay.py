"""Lesson 06 as a learner meets it: two clocks with keys and clicks, an exercise wrong and right."""

from __future__ import annotations

import pytest


@pytest.mark.usefixtures("each_theme")
def test_the_clocks_are_set_and_an_exercise_done_wrong_and_then_right(lab, expect):
    lesson = lab.run("06-clock-and-replay.ipynb")

    predict = lesson.widget("clock_and_replay.predict()")
    predict.get_by_role("button", name="Accepted").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("passed  auth_signature")
    lab.picture("06-predict", predict)

    clocks = lesson.widget("clock_and_replay.bench()")
    status = clocks.get_by_role("status")
    expect(status).to_contain_text("can send it for another 600 s.")
    offset = clocks.get_by_label("Server ahead by (s)")
    lab.retype(offset, "600")
    lab.press("Enter")
    expect(status).to_have_text("✓ Accepted, in the last second of the window.")
    expect(clocks).to_contain_text("200 {}: the event is delivered a second time")
    lab.picture("06-replay", clocks)
    lab.press("ArrowUp")
    expect(status).to_have_text("✗ Refused. The clocks are more than 600 s apart.")
    expect(clocks).to_contain_text("601 s: what you send is behind the server's clock")
    lab.picture("06-late", clocks)

    lab.retype(offset, "-")  # half a number
    lab.press("Enter")
    lab.retype(offset, "0")
    lab.press("Enter")
    expect(status).to_contain_text("✓ Accepted.")
    clocks.get_by_role("button", name="milliseconds").click()
    expect(status).to_have_text("✗ Refused. The API counts seconds; these are milliseconds.")
    expect(clocks).to_contain_text("auth_timestamp=1353088179250")
    lab.picture("06-milliseconds", clocks)
    lab.press("Tab", "Enter")  # the next button, with a key
    expect(clocks).to_contain_text("auth_timestamp=1353088179.25")
    clocks.get_by_role("button", name="local time taken for UTC").click()
    expect(clocks).to_contain_text("10,800 s: what you send is ahead of the server's clock")

    cell, feedback = lesson.exercise("timestamp.check(timestamp)")
    expect(feedback).to_contain_text("Not attempted yet")
    lesson.rewrite(cell, "return ...", "return str(now)")
    expect(feedback).to_contain_text("✗ This has a fraction.")
    lab.picture("06-wrong", cell)
    lesson.rewrite(cell, "return str", "return str(int(now))")
    expect(feedback).to_contain_text("✓ The auth_timestamp for what time.time() returned.")

    cell, feedback = lesson.exercise("clock_and_replay.mend.check(publish)")
    retry = "while line.send(line.sign()) == 503: line.wait(500)"
    lesson.rewrite(cell, "return ...", retry)
    expect(feedback).to_contain_text("Return the status, 200; got None")
    expect(feedback).to_contain_text("sign → send: 200")
    lab.picture("06-retry", cell)
