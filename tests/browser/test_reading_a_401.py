"""Lesson 08 in the browser: a refusal compared, a request pasted, an exercise wrong and right."""

from __future__ import annotations

import pytest

from pusherkit.lessons import reading_a_401


@pytest.mark.usefixtures("each_theme")
def test_a_refusal_the_doctor_and_an_exercise(lab, expect):
    lesson = lab.run("08-reading-a-401.ipynb")

    predict = lesson.widget("reading_a_401.predict()")
    predict.get_by_role("button", name="The path").click()
    expect(predict.get_by_role("status")).to_contain_text("A surprise.")
    expect(predict).to_contain_text("Both sides signed the same canonical string.")
    lab.picture("08-predict", predict)

    refusal = lesson.widget("reading_a_401.refusal()")
    expect(refusal.locator("mark")).to_have_text(["h", "/"])
    lab.picture("08-refusal", refusal)
    refusal.get_by_label("You signed").focus()
    lab.press("ControlOrMeta+Home", "ArrowDown", *["Delete"] * len("http://127.0.0.1"))
    expect(refusal.get_by_role("status")).to_have_text(
        "The texts are equal. What is left is the secret, or the HMAC call."
    )
    lab.retype(refusal.get_by_label("Server's answer"), "The secret authentication failed")
    expect(refusal).to_contain_text("not what the server computed")
    lab.picture("08-terse", refusal)

    doctor = lesson.widget("reading_a_401.doctor()")
    status = doctor.get_by_role("status")
    expect(status).to_have_text("✗ Refused. One mistake, proven.")
    lab.picture("08-doctor", doctor)
    doctor.get_by_label("Evidence").select_option("a first attempt")
    expect(status).to_have_text("✗ Refused. Two mistakes, proven.")
    lab.picture("08-two", doctor)
    doctor.get_by_label("Evidence").select_option("after a change of the app")
    expect(status).to_contain_text("No known mistake, and no two of them together")
    lab.picture("08-unexplained", doctor)
    evidence = doctor.get_by_label("Request")
    pasted = reading_a_401.REQUESTS["B"]
    evidence.fill(pasted)  # as pasting does: all at once
    expect(doctor).to_contain_text("app-key-as-secret")
    expect(evidence).to_have_value(pasted)
    lab.press("ControlOrMeta+End")
    lab.type(" ☕'")
    expect(doctor).to_contain_text("A quote in the command is not closed")
    expect(evidence).to_have_value(pasted + " ☕'")
    expect(doctor.get_by_label("Evidence")).to_have_value(reading_a_401.OWN)
    lab.picture("08-unread", doctor)

    cell, feedback = lesson.exercise("six.check(causes)")
    expect(feedback).to_contain_text("Not attempted yet")
    right = dict(reading_a_401.six.right)
    for name, causes, said in (
        ("wrong", right | {"D": "values-url-encoded"}, "D is not values-url-encoded."),
        ("right", right, "✓ The causes of six refusals."),
    ):
        lesson.rewrite(cell, "causes =", f"causes = {causes}")
        expect(feedback).to_contain_text(said)
        lab.picture(f"08-six-{name}", cell)
