"""The ledger at the end of the course, in a notebook of its own."""

from __future__ import annotations

import pytest

SAVE = """async cells => {
  const none = { metadata: {}, outputs: [], execution_count: null };
  cells = cells.map((source, n) => ({ cell_type: 'code', id: `c${n}`, source, ...none }));
  const metadata = { kernelspec: { name: 'python3', display_name: 'Python 3 (ipykernel)' } };
  const content = { metadata, nbformat: 4, nbformat_minor: 5, cells };
  const model = { type: 'notebook', format: 'json', content };
  await window.jupyterapp.serviceManager.contents.save('ledger.ipynb', model);
}"""
CELLS = [
    "from pusherkit.lessons import body_is_bytes, clock_and_replay\n"
    "from pusherkit.lessons.kit import Ledger",
    "body_is_bytes.printed()",
    "clock_and_replay.fast_clock()",
    "Ledger()",
]


@pytest.mark.usefixtures("each_theme")
def test_what_surprised_is_asked_again_with_its_lesson(lab, expect, each_width):
    lab.page.evaluate(SAVE, CELLS)
    lesson = lab.run("ledger.ipynb")
    lesson.card("body_is_bytes.printed()").get_by_role("button", name="Yes, they belong").click()
    expect(lesson.card("body_is_bytes.printed()").get_by_role("status")).to_contain_text("Surprise")
    lesson.card("fast_clock()").get_by_role("button", name="600 seconds").click()
    expect(lesson.card("fast_clock()").get_by_role("status")).to_contain_text("Surprise")

    lesson.cell("Ledger()").last.click()
    lab.press("Control+Enter")
    card = lesson.card("Ledger()").last
    expect(card.get_by_role("status").first).to_contain_text("What would you say today?")
    card.evaluate("card => card.scrollIntoView({ block: 'start' })")
    lab.picture(f"ledger-{each_width}-before")
    card.get_by_role("button", name="1,190 seconds").click()
    expect(card.get_by_role("status").first).to_contain_text("Today: 1 of 1 right.")
    expect(card).to_contain_text("From lesson 06, Clock and replay.")
    lab.picture(f"ledger-{each_width}-after")
    assert lab.clipped() == []
