"""Lesson 04 as a learner meets it: the bench with keys and clicks, an exercise wrong and right."""

from __future__ import annotations

import pytest


@pytest.mark.usefixtures("each_theme")
def test_the_bench_is_used_and_an_exercise_done_wrong_and_then_right(lab, expect):
    lesson = lab.run("04-key-and-message.ipynb")

    predict = lesson.widget("key_and_message.predict()")
    predict.get_by_role("button", name="The same digest").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("069b42f3")
    lab.picture("04-predict", predict)

    bench = lesson.widget("key_and_message.bench()")
    status = bench.get_by_role("status")
    expect(status).to_have_text("✓ Accepted. This is the right call.")
    expect(bench).to_contain_text("da454824c97ba181")
    lab.picture("04-bench", bench)

    bench.get_by_label("Message", exact=True).focus()
    lab.press("ControlOrMeta+Home", "Delete")
    lab.type("p")
    expect(status).to_contain_text("The message is not the canonical string")
    expect(bench).to_contain_text("256 bits changed")
    expect(bench).to_contain_text("^")
    lab.picture("04-avalanche", bench)
    lab.press("Backspace")
    lab.type("P")
    expect(status).to_contain_text("✓ Accepted.")

    bench.get_by_label("What is done").select_option("HMAC(message, key): swapped")
    expect(status).to_contain_text("✗ Refused. Key and message are swapped")
    expect(bench).to_contain_text("069b42f3d9836406")
    bench.get_by_label("What is done").select_option("HMAC(key, message)")
    bench.get_by_label("Written as").focus()
    lab.press("End")  # the last of the list
    expect(status).to_contain_text("✗ Refused. The API asks for hex; this is base64.")
    expect(bench).to_contain_text("2kVIJMl7")
    lab.picture("04-base64", bench)

    cell, feedback = lesson.exercise("key_and_message.signature.check(signature)")
    expect(feedback).to_contain_text("Not attempted yet")
    sign = "return hmac.new({}.encode(), {}.encode(), hashlib.sha256).hexdigest()"
    lesson.rewrite(cell, "return ...", sign.format("canonical_string", "secret"))
    expect(feedback).to_contain_text("✗ Key and message are swapped.")
    lab.picture("04-wrong", cell)
    lesson.rewrite(cell, "return hmac", sign.format("secret", "canonical_string"))
    expect(feedback).to_contain_text("✓ The signature of a canonical string")
    lab.picture("04-right", cell)
