"""Two days of a learner with `pusherkit lab`: what was saved on one is of use on the next."""

from __future__ import annotations

FIRST = "00-start-here.ipynb"
LESSON = "02-parameters-in-order.ipynb"  # where the learner leaves off
HOW_TO_GO_ON = "Run this cell to bring the controls back"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
# Cells that have a widget to show, told from the notebook itself: the page draws them bit by bit.
KERNELS = """async () => {
  const sessions = window.jupyterapp.serviceManager.sessions;
  await sessions.refreshRunning();
  return [...sessions.running()].map(session => session.path);
}"""


def test_a_saved_lesson_is_of_use_on_the_next_day(day, expect, tmp_path):
    with day() as lab:
        expect(lab.page.locator(".jp-NotebookPanel h1")).to_contain_text("Start here")
        for name in (FIRST, LESSON):
            lesson = lab.run(name)
            widgets = lesson.panel.locator(".jp-CodeCell").filter(has=lab.page.locator(".pk"))
            shown = lesson.widgets()
            for _ in range(2):  # the second would ask, if the file were not what the page wrote
                lab.page.evaluate(SAVE)
            expect(lab.page.locator(".jp-Dialog")).to_have_count(0)
            expect(widgets).to_have_count(shown)  # saving takes nothing from the open page
            assert "vnd.jupyter.widget" not in (tmp_path / "notebooks" / name).read_text("utf-8")
        code = widgets.nth(1).locator(".jp-InputArea").inner_text()

    with day() as lab:
        assert f"You left off in {LESSON}." in (tmp_path / "log").read_text("utf-8")
        panel = lab.page.locator(".jp-NotebookPanel")
        cell = panel.locator(".jp-CodeCell").filter(has_text=code.split("\n")[-1]).first
        output = cell.locator(".jp-OutputArea")
        expect(panel.locator("h1")).to_contain_text("02")
        expect(panel.get_by_text(HOW_TO_GO_ON)).to_have_count(shown - 1)  # the map has no controls
        expect(output).to_contain_text(HOW_TO_GO_ON)
        expect(output.locator("table, dl, pre, svg").first).to_be_visible()  # the twin
        expect(panel.get_by_text("model not found")).to_have_count(0)
        expect(panel.get_by_text("Error displaying")).to_have_count(0)
        lab.picture("second-day", panel)
        # One tab and one kernel, although two lessons were open.
        expect(panel).to_have_count(1)
        lab.open(LESSON)
        assert lab.page.evaluate(KERNELS) == [LESSON]

        # A cell run too early names the one to run first.
        cell.locator(".jp-InputArea-editor").click()
        lab.press("Control+Enter")
        expect(output).to_contain_text("isn't there yet. This cell makes it, and has to run first")
        lab.picture("second-day-too-early", cell)
        panel.locator(".jp-CodeCell .jp-InputArea-editor").first.click()
        lab.press("Control+Enter")
        cell.locator(".jp-InputArea-editor").click()
        lab.press("Control+Enter")
        expect(cell.locator(".pk").first).to_be_visible()
        expect(output).not_to_contain_text(HOW_TO_GO_ON)
        # JupyterLab's question about news never came.
        expect(lab.page.get_by_text("Jupyter news")).to_have_count(0)
