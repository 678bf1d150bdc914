"""Lesson 05 in the browser: the bench, its steps and its curl; the wire; four programs."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS

LESSON = "05-send-what-you-signed.ipynb"
PROGRAMS = "send_what_you_signed.programs()"
LANGUAGES = ("bash", "Python", "Node", "PHP")


@pytest.mark.usefixtures("each_theme")
def test_the_bench_the_wire_and_an_exercise(lab, expect):
    lesson = lab.run(LESSON)

    bench = lesson.widget("send_what_you_signed.bench()")
    secret = bench.get_by_label("Secret")
    secret.focus()
    lab.press("End")
    lab.type("x")
    expect(bench.locator("mark")).to_have_count(2)  # in Sign and Send, no other stage
    lab.press("Enter")
    expect(bench.get_by_role("status")).to_contain_text("✗ Refused")
    secret.focus()
    lab.press("End", "Backspace")
    bench.get_by_label("Body", exact=True).focus()
    lab.press("ControlOrMeta+Home", "ArrowRight")
    lab.type(" ")
    expect(bench).to_contain_text("Changed: character 2.")
    lab.picture("05-bench", bench)
    bench.get_by_role("button", name="Send").click()
    expect(bench.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    bench.get_by_role("button", name="Back").click()
    bench.get_by_role("button", name="Back").click()
    expect(bench.get_by_role("status")).to_have_text("Stage 4 of 6: Canonical string.")
    expect(bench.locator("dt")).to_have_count(4)
    bench.get_by_role("button", name="Next").click()
    expect(bench.locator("dt")).to_have_count(5)
    bench.get_by_label("Show as curl").check()
    expect(bench.get_by_label("curl", exact=True)).to_have_value(re.compile("--data-binary '{ "))
    lab.picture("05-curl", bench)

    wire = lesson.widget("send_what_you_signed.wire()")
    wire.get_by_role("button", name="Send").click()
    expect(wire.get_by_role("status")).to_contain_text("✗ Refused")
    wire.get_by_label("The client sends").select_option("content=body: the bytes that were hashed")
    wire.get_by_role("button", name="Send").click()
    expect(wire.get_by_role("status")).to_have_text("✓ Accepted, and the event arrived.")
    lab.picture("05-wire", wire)

    cell, feedback = lesson.exercise("finish.check(finish)")
    call = 'return http.post("/apps/3/events", params=signature.query'
    lesson.rewrite(cell, "return", f"{call})")
    expect(feedback).to_contain_text("without its body")
    lesson.rewrite(cell, "return", f"{call}, content=body)")
    expect(feedback).to_contain_text("✓ The signed bytes go out")
    lab.picture("05-finish", cell)


@pytest.mark.usefixtures("each_theme")
def test_four_programs_stand_beside_each_other_and_below_where_it_is_narrow(lab, expect):
    widget = lab.run(LESSON).widget(PROGRAMS)
    boxes = [widget.get_by_label(language) for language in LANGUAGES]

    def expect_columns(number):
        beside = widget.locator(".widget-gridbox")
        expect(beside).to_have_css("grid-template-columns", re.compile(rf"^(\S+px ?){{{number}}}$"))
        frame, found = widget.bounding_box(), [box.bounding_box() for box in boxes]
        assert sum(box["y"] == found[0]["y"] for box in found) == number
        assert all(box["x"] + box["width"] <= frame["x"] + frame["width"] for box in found)
        assert all(box["width"] > 0.9 * frame["width"] / number for box in found)
        assert all(box.evaluate("box => box.scrollWidth <= box.clientWidth") for box in boxes)

    expect_columns(2)
    lab.picture("05-programs", widget)
    height = widget.bounding_box()["height"]
    widget.get_by_role("button", name="5 Sign").click()
    for box in boxes:
        expect(box).to_have_value(re.compile(r"^(#|//) Sign\n.*PUSHER_SECRET", re.S))
    assert widget.bounding_box()["height"] == height
    lab.picture("05-sign", widget)
    widget.get_by_role("button", name="6 Send").click()
    for box in boxes:
        expect(box).to_have_value(re.compile(r"^(#|//) Send"))
        assert box.evaluate("box => box.scrollHeight <= box.clientHeight")  # all is seen
    lab.page.set_viewport_size({"width": 700, "height": 1000})
    expect_columns(1)
    lab.picture("05-programs-narrow", widget)


def test_a_program_is_copied_with_the_keyboard_and_run(lab, expect):
    widget = lab.run(LESSON).widget(PROGRAMS)
    page, script = lab.page, widget.get_by_label("bash")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    body = widget.get_by_label("Body", exact=True)
    lab.retype(body, '{"name":"</textarea>","channel":"chat","data":"it\'s ☕"}')
    expect(script).to_have_value(re.compile('"</textarea>".*☕"}'))
    lab.press(*["Tab"] * 8)  # over what is shown, into the first box
    expect(script).to_be_focused()
    lab.press("ControlOrMeta+a", "ControlOrMeta+c")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == script.input_value()
    ran = subprocess.run(
        ["bash", "-c", copied],
        env={"PATH": os.environ["PATH"], "PUSHER_SECRET": EXAMPLE_CREDENTIALS.secret},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.split() == ["{}", "200"], ran.stderr
