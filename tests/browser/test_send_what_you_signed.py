"""Lesson 05 in the browser: two lanes, the drawing, programs that run, and a file of one's own."""

from __future__ import annotations

import re

import pytest

LESSON = "05-send-what-you-signed.ipynb"
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 700, "height": 800}
LANES, BENCH, PROGRAMS = "lesson.two_lanes()", "lesson.bench(", "lesson.programs()"


def shown(lesson, code):
    """What a cell shows, at the top of the window."""
    widget = lesson.cell(code).locator(".pk").first
    widget.evaluate("each => each.scrollIntoView({block: 'start'})")
    return widget


def in_view(widget, expect, *, words):
    """A sentence in a widget, inside the window without scrolling."""
    status = widget.get_by_role("status")
    expect(status).to_contain_text(words)
    expect(status).to_be_in_viewport(ratio=1)


@pytest.mark.usefixtures("each_theme")
def test_two_lanes_a_drawing_and_programs(lab, expect, tmp_path):
    lab.page.set_viewport_size(WIDE)
    lesson = lab.open(LESSON)
    for number, cell in enumerate((LANES, BENCH, PROGRAMS)):
        lesson.cell(cell).locator("img, pre").first.scroll_into_view_if_needed()
        lab.picture(f"05-still-{number}")
    lesson = lab.run(LESSON)

    lanes = shown(lesson, LANES)
    lab.picture("05-lanes-before")
    lanes.get_by_label("Lane B sends").select_option("httpx: json=event")
    lanes.get_by_role("button", name="Send both").click()
    in_view(lanes, expect, words="A: 200, accepted. B: 401, refused")
    expect(lanes).to_contain_text("byte 8: hashed a space (0x20), sent")
    lab.picture("05-lanes-after")
    lab.retype(lanes.get_by_label("Status"), "left with Zoë")
    lab.press("Enter")
    in_view(lanes, expect, words="B: 401")

    bench = shown(lesson, BENCH)
    lab.picture("05-bench-before")
    lab.retype(bench.get_by_role("textbox", name="Secret"), "another")
    lab.press("Enter")
    in_view(bench, expect, words="Refused: 401")
    lab.picture("05-bench-after")
    bench.locator("svg:visible [data-link=hash]").first.hover()
    expect(bench).to_have_class(re.compile("pk-linking"))
    lab.picture("05-bench-linked")
    signature = bench.locator("svg:visible [data-link=signature]").first
    before, lit = signature.text_content(), bench.locator("svg:visible .pk-lit").count()
    lab.type("!")  # the field still has the focus, and the pointer still rests on the hash
    expect(signature).not_to_have_text(before)
    expect(bench.locator("svg:visible .pk-lit")).to_have_count(lit)
    assert lit > 1
    lab.retype(bench.get_by_role("textbox", name="auth_timestamp"), "soon")
    in_view(bench, expect, words="auth_timestamp is whole Unix seconds")
    lab.picture("05-bench-faint")
    lab.retype(bench.get_by_role("textbox", name="auth_timestamp"), "1353088179")
    bench.get_by_role("textbox", name="Body").fill("")
    bench.get_by_role("button", name="Send").click()
    in_view(bench, expect, words="Refused: 40")
    lab.picture("05-bench-empty")

    programs = shown(lesson, PROGRAMS)
    lab.picture("05-programs-before")
    programs.get_by_label("Language").select_option("Python with urllib")
    programs.get_by_role("button", name="Run it").click()
    in_view(programs, expect, words="It ran, and the server accepted its request.")
    expect(programs.locator("td pre").first).to_be_in_viewport(ratio=1)
    lab.picture("05-programs-after")
    seen = tmp_path / "seen"
    until_seen = f"import os; any(iter(lambda: os.path.exists({str(seen)!r}), True))"
    lab.retype(programs.get_by_label("Program"), until_seen)
    programs.get_by_role("button", name="Run it").click()
    in_view(programs, expect, words="Running… After 10 s it's stopped.")
    seen.touch()
    in_view(programs, expect, words="It ended, and nothing reached the server.")
    programs.get_by_label("Language").select_option("PHP")

    lab.page.set_viewport_size(NARROW)
    for name, cell in (("lanes", LANES), ("bench", BENCH), ("programs", PROGRAMS)):
        widget = shown(lesson, cell)
        assert widget.evaluate("each => each.scrollWidth <= each.clientWidth"), name
        lab.picture(f"05-{name}-700")


def test_a_file_of_ones_own(lab, expect):
    lesson = lab.run(LESSON)
    cell, feedback = lesson.exercise("lesson.signed_query.check(signed_query)")
    expect(feedback).to_contain_text("Your turn")
    lesson.rewrite(cell, "return ...", "return query")
    expect(feedback).to_contain_text("This one is missing: auth_signature")
    lesson.rewrite(
        cell,
        "return query",
        "if body: query.append(('body_md5', body_md5(body)))\n"
        "    text = canonical_string(method, path, query)\n"
        "    return [*query, ('auth_signature', signature(secret, text))]",
    )
    expect(feedback).to_contain_text("It's in my_pusher.py now")

    cell, feedback = lesson.exercise("lesson.publish.check(publish)")
    lesson.rewrite(
        cell,
        "return ...",
        "body = json.dumps(event).encode()\n"
        "    query = signed_query(app_key, secret, 'POST', path, [], body, int(time.time()))\n"
        "    headers = {'Content-Type': 'application/json'}\n"
        "    request = Request(f'{url}{path}?{urlencode(query)}', body, headers)\n"
        "    try:\n"
        "        with urlopen(request, timeout=10) as answer:\n"
        "            return answer.status\n"
        "    except HTTPError as refused:\n"
        "        return refused.code",
    )
    expect(feedback).to_contain_text("It's in my_pusher.py now")
    file = lesson.cell("lesson.run_file(")
    file.click()
    lab.press("Control+Enter")
    expect(file.locator(".jp-OutputArea")).to_contain_text("$ python my_pusher.py\n200")
    lab.picture("05-file", file)
