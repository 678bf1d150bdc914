"""Lesson 01 as a learner meets it: before the first run, with mouse and keys, wide and narrow."""

from __future__ import annotations

import pytest

from pusherkit.lessons.body_is_bytes import VARIANTS

NAME = "01-body-is-bytes.ipynb"
WIDGET = "lesson.two_bodies()"
LAPTOP = {"width": 1280, "height": 800}
NARROW = {"width": 700, "height": 900}

# Rows whose value is not to the right of its label, at the same height; and pictures not drawn.
MISPLACED = """outputs => [...document.querySelectorAll(outputs)].flatMap(output => [
  ...[...output.querySelectorAll('tr')].filter(row => {
    const [label, value] = [...row.children].map(cell => cell.getBoundingClientRect());
    const beside = value && value.left >= label.right - 1;
    return value && value.width && !(beside && Math.abs(value.top - label.top) < 5);
  }),
  ...[...output.querySelectorAll('img')].filter(image => !image.naturalWidth || !image.alt),
].map(each => each.outerHTML.slice(0, 200)))"""
STORED = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output"

# What is cut off or sticks out at the right of its card.
CLIPPED = """cards => [...document.querySelectorAll(cards)].flatMap(card => {
  const edge = card.getBoundingClientRect().right + 1;
  return [...card.querySelectorAll('*')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && (box.right > edge || (each.matches('pre,button') &&
      each.scrollWidth > each.clientWidth + 1));
  }).map(each => each.outerHTML.slice(0, 200));
})"""
CARDS = ".jp-NotebookPanel:not(.lm-mod-hidden) .pk"


# A copy that is not as it was shipped, so JupyterLab trusts none of its outputs.
COPY = """async ([name, copy]) => {
  const { contents } = window.jupyterapp.serviceManager;
  const { content } = await contents.get(name);
  for (const cell of content.cells) cell.metadata.trusted = false;
  content.cells[0].source += ' ';
  await contents.save(copy, { type: 'notebook', format: 'json', content });
}"""
TRUSTED = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
  .filter(cell => cell.type === 'code' && cell.trusted).length"""


@pytest.mark.usefixtures("each_theme")
def test_before_the_first_run_an_untrusted_page_looks_right(lab):
    lab.page.set_viewport_size(LAPTOP)
    lab.page.evaluate(COPY, [NAME, "a-copy.ipynb"])
    lesson = lab.open("a-copy.ipynb")
    assert lab.page.evaluate(TRUSTED) == 0
    assert lesson.panel.locator(".pk").count() == 0, "nothing has run"
    outputs = lesson.panel.locator(".jp-OutputArea-output")
    assert outputs.locator("img").count() == 2
    assert lab.page.evaluate(MISPLACED, STORED) == []
    for number, code in enumerate(("lesson.map()", "lesson.printed()", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"01-untrusted-{number}")


@pytest.mark.usefixtures("each_theme")
def test_what_a_control_changes_is_in_the_window_and_nothing_jumps(lab, expect):
    lab.page.set_viewport_size(LAPTOP)
    lesson = lab.run(NAME)
    lesson.cell(WIDGET).locator(".jp-InputArea").click()
    lab.press("Control+Enter")
    lesson.to_top(WIDGET)
    card = lesson.card(WIDGET)
    expect(card.get_by_role("status")).to_contain_text("✓ Same bytes, same MD5")
    lab.picture("01-before")
    before = [row.bounding_box()["y"] for row in card.locator("tr:visible").all()]

    card.get_by_label("Start body B").select_option("with one more space")
    expect(card.get_by_role("status")).to_contain_text("✗ Same meaning, other bytes")
    mark = card.locator("mark").first
    for seen in (card.get_by_role("status"), card.locator("svg:visible"), mark):
        expect(seen).to_be_in_viewport(ratio=1)
    lab.picture("01-after")

    card.get_by_label("Body B", exact=True).focus()
    lab.press("ControlOrMeta+End")
    lab.type(" ")
    expect(card.get_by_label("Body B", exact=True)).to_have_value(
        VARIANTS["with one more space"] + " "
    )
    expect(card).to_contain_text("67 bytes (66 characters)")
    assert [row.bounding_box()["y"] for row in card.locator("tr:visible").all()] == before
    expect(card.get_by_label("Body B", exact=True)).to_be_focused()


@pytest.mark.usefixtures("each_theme")
@pytest.mark.parametrize("side_bar", [True, False], ids=["side-bar", "no-side-bar"])
def test_a_narrow_window_cuts_nothing_off(lab, expect, side_bar):
    lab.page.set_viewport_size(NARROW)
    lesson = lab.run(NAME)
    if not side_bar:
        lab.page.evaluate(
            "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
        )
    card = lesson.card(WIDGET)
    card.get_by_label("Start body B").select_option("with ë as \\u00eb")
    expect(card.get_by_role("status")).to_contain_text("✗ Same meaning")
    card.get_by_text("Show the code").click()
    lesson.card("lesson.printed()").get_by_role("button", name="Yes, they belong").click()
    expect(lesson.card("lesson.printed()").get_by_role("status")).to_contain_text("Surprise")
    assert lab.page.evaluate(CLIPPED, CARDS) == []
    where = "side-bar" if side_bar else "alone"
    for name, code in (("map", "lesson.map()"), ("predict", "lesson.printed()"), ("play", WIDGET)):
        lesson.to_top(code)
        lab.picture(f"01-narrow-{where}-{name}")


def test_a_prediction_reveals_only_after_a_choice_by_keyboard_alone(lab, expect):
    lesson = lab.run(NAME)
    card = lesson.card("lesson.printed()")
    expect(card).not_to_contain_text("no spaces")
    expect(card).not_to_contain_text("Show the code")
    card.get_by_role("button", name="Yes, they belong").focus()
    lab.press("Enter")
    expect(card.get_by_role("status")).to_have_text("Surprise: it's “No, they don't”.")
    expect(card.get_by_role("button", name="Yes, they belong")).to_be_focused()
    expect(card.get_by_role("button", name="✓ No, they don't")).to_be_visible()
    lab.press("Tab", "Space")
    expect(card.get_by_role("status")).to_have_text("✓ You saw it coming.")
    card.get_by_text("Show the code").focus()
    lab.press("Enter")
    expect(card).to_contain_text("of_printed = hashlib.md5(PRINTED).hexdigest()")
    lab.picture("01-predicted", card)


@pytest.mark.usefixtures("each_theme")
def test_an_exercise_is_done_wrong_and_then_right(lab, expect):
    lab.page.set_viewport_size(LAPTOP)
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.body_md5.check(body_md5)")
    card = lesson.card("lesson.body_md5.check(body_md5)")
    expect(card).to_contain_text("Your turn")

    lesson.rewrite(cell, "return ...", "return md5.digest()", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✗ These are the 16 raw bytes.")
    card.get_by_role("button", name="Hint").press("Enter")
    expect(card).to_contain_text("A hash object has two methods")
    card.get_by_role("button", name="Show a solution").press("Enter")
    expect(card).to_contain_text("return md5.hexdigest()")
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    assert lab.page.evaluate("navigator.clipboard.readText()").endswith("return md5.hexdigest()")
    lab.picture("01-wrong", cell)

    lesson.rewrite(cell, "return md5.digest()", "return md5.hexdigits()", run="Control+Enter")
    expect(card).to_contain_text("Your code stopped")
    expect(card).to_contain_text("return md5.hexdigits()")
    lab.picture("01-stopped", cell)

    lesson.rewrite(cell, "return md5.hexdigits()", "return md5.hexdigest()", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("✓ MD5 makes 16 bytes of any body")
    expect(card).to_contain_text("my_pusher.py")
    expect(card).to_contain_text("of 5 in this lesson.")
    lab.picture("01-right", cell)


def test_a_loop_without_end_is_stopped_and_the_kernel_lives(lab, expect):
    lesson = lab.run(NAME)
    cell = lesson.cell("lesson.text_md5.check(text_md5)")
    card = lesson.card("lesson.text_md5.check(text_md5)")
    lesson.rewrite(cell, "return ...", "while True: pass", run="Control+Enter")
    expect(card.get_by_role("status")).to_contain_text("still running after 3 seconds")
    lesson.rewrite(cell, "while True", "return body_md5(text.encode())", run="Control+Enter")
    expect(card).to_contain_text("Your turn")  # body_md5 is a stub in this notebook
