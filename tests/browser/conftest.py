"""A real JupyterLab, started by `pusherkit lab`, in a real browser.

Needs Debian's chromium (or another, named by the variable CHROMIUM) and the extra `browser`.
Downloads no browser. With `--screenshots FOLDER` the pictures are kept there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60  # for JupyterLab to answer, its page to load, or all of it to end; 5 each
STEP_MILLISECONDS = 15_000  # for one step in the browser

# Not what most tests are about: saving while one runs.
SETTINGS = {"@jupyterlab/docmanager-extension/plugin": {"autosave": False}}

OPEN = """async path => {
  const app = window.jupyterapp;
  const panel = await app.commands.execute('docmanager:open', { path });
  app.shell.activateById(panel.id);
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.commands.execute('notebook:run-all-cells');
  const errors = [];
  for (const cell of app.shell.currentWidget.content.model.sharedModel.cells) {
    for (const output of (cell.cell_type === 'code' ? cell.outputs : [])) {
      if (output.output_type === 'error') errors.push(output.ename + ': ' + output.evalue);
    }
  }
  return errors;
}"""
WINDOW = {"width": 1280, "height": 1000}
LAPTOP = {"width": 1280, "height": 800}
NARROW = {"width": 700, "height": 900}
SIDE_BAR = """open => {
  const { shell } = window.jupyterapp;
  open ? shell.expandLeft() : shell.collapseLeft();
}"""
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
# Rows whose value is not to the right of its label, at the same height; and pictures not drawn.
MISPLACED = """async () => {
  await Promise.all([...document.images].map(image => image.decode().catch(() => {})));
  return [...document.querySelectorAll(
    '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output')].flatMap(output => [
  ...[...output.querySelectorAll('tr')].filter(row => {
    const [label, value] = [...row.children].map(cell => cell.getBoundingClientRect());
    const beside = value && value.left >= label.right - 1;
    return value && value.width && !(beside && Math.abs(value.top - label.top) < 5);
  }),
  ...[...output.querySelectorAll('img')].filter(image => !image.naturalWidth || !image.alt),
].map(each => each.outerHTML.slice(0, 200)));
}"""
# What is cut off or sticks out at the right of its card. Code may: it scrolls sideways.
CLIPPED = """() => [...document.querySelectorAll(
  '.jp-NotebookPanel:not(.lm-mod-hidden) .pk')].flatMap(card => {
  const edge = card.getBoundingClientRect().right + 1;
  return [...card.querySelectorAll('*')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && (box.right > edge || (each.matches('pre:not(.pk-code *),button') &&
      each.scrollWidth > each.clientWidth + 1));
  }).map(each => each.outerHTML.slice(0, 200));
})"""
WITH_WIDGET = """() => [...window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells]
  .filter(cell => (cell.outputs || []).some(
    output => 'application/vnd.jupyter.widget-view+json' in (output.data || {}))).length"""
DRAWN = f"""() => document.querySelectorAll(
  '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell:has(.pk)').length >= ({WITH_WIDGET})()"""
DEBUGGER = "Could not restore the debugger state"
"""What JupyterLab's debugger complains of when a kernel is restarted, or ended, while it starts."""
SHUT_DOWN = "() => window.jupyterapp.serviceManager.sessions.shutdownAll()"


@dataclass
class Lab:
    """A page that shows JupyterLab, and what it did that a test must know."""

    page: Any
    pictures: Path
    look: str = ""
    """The theme, light or dark, once a test has chosen; every picture's name ends in it."""
    console: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, name: str) -> Lesson:
        """Open a lesson and wait for its kernel."""
        self.page.evaluate(OPEN, name)
        return Lesson(self, self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)"))

    def run(self, name: str) -> Lesson:
        """Open a lesson and run every cell; no cell may fail. Its widgets are on the page then."""
        lesson = self.open(name)
        assert self.page.evaluate(RUN_ALL) == []
        self.page.wait_for_function(DRAWN)
        return lesson

    def untrusted(self, name: str) -> Lesson:
        """Open a copy of a lesson before it has run, none of which JupyterLab trusts.

        Values must stand beside their labels there, too, and images must be drawn.
        """
        self.page.evaluate(COPY, [name, "a-copy.ipynb"])
        lesson = self.open("a-copy.ipynb")
        assert self.page.evaluate(TRUSTED) == 0
        assert lesson.panel.locator(".pk").count() == 0, "nothing has run"
        assert self.page.evaluate(MISPLACED) == []
        return lesson

    def clipped(self) -> list[str]:
        """What the open lesson's cards cut off, or let stick out: the beginnings of its HTML."""
        found: list[str] = self.page.evaluate(CLIPPED)
        return found

    def laptop(self) -> None:
        """Make the window as large as a small laptop's."""
        self.page.set_viewport_size(LAPTOP)

    def theme(self, look: str) -> None:
        """Change to JupyterLab's "light" or "dark" theme."""
        # JupyterLab stumbles over a change while its splash still fades.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {look.title()}",
        )
        light = "true" if look == "light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.look = look

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type a text, key by key."""
        self.page.keyboard.type(text)

    def settle(self) -> None:
        """Wait until nothing on the page is moving any more."""
        self.page.evaluate(
            "() => Promise.all(document.getAnimations().map(each => each.finished.catch(() => 0)))"
        )

    def retype(self, field: Any, text: str) -> None:
        """Type a text in place of what a field holds."""
        field.focus()
        self.press("ControlOrMeta+a")
        self.type(text)

    def picture(self, name: str, of: Any = None) -> None:
        """Keep a picture of an element, or of the page."""
        name = f"{name}-{self.look}" if self.look else name
        (of or self.page).screenshot(path=self.pictures / f"{name}.png")


@dataclass
class Lesson:
    """An open notebook. A cell or a widget is found by code that its cell holds."""

    lab: Lab
    panel: Any

    def cell(self, code: str) -> Any:
        """The code cell."""
        return self.panel.locator(".jp-CodeCell").filter(has_text=code)

    def widget(self, code: str) -> Any:
        """The widget that the cell shows."""
        return self.cell(code).locator(".pk-interactive")

    def card(self, code: str) -> Any:
        """What the cell shows, if its lesson is on the kit: a widget, a question, a check."""
        return self.cell(code).locator(".pk")

    def widgets(self) -> int:
        """How many widgets the notebook has, once all of them are on the page."""
        from playwright.sync_api import expect

        count = int(self.lab.page.evaluate(WITH_WIDGET))
        assert count > 1
        widgets = self.panel.locator(".jp-CodeCell").filter(has=self.lab.page.locator(".pk"))
        expect(widgets).to_have_count(count, timeout=STEP_MILLISECONDS)
        return count

    def to_top(self, code: str) -> None:
        """Scroll the cell to the top of the window, as somebody does who reads it."""
        self.cell(code).evaluate("cell => cell.scrollIntoView({ block: 'start' })")

    def exercise(self, code: str) -> tuple[Any, Any]:
        """The cell, and where its check's feedback appears."""
        cell = self.cell(code)
        return cell, cell.locator(".jp-OutputArea")

    def rewrite(self, cell: Any, line: str, code: str, run: str = "Shift+Enter") -> None:
        """Replace the line of a cell that holds `line`, and run the cell."""
        cell.locator(".cm-line").filter(has_text=line).click()
        self.lab.press("End", "Shift+Home")
        # Not typed: the editor would close brackets and quotes by itself.
        self.lab.page.keyboard.insert_text(code)
        self.lab.press(run)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    pytest.importorskip("playwright", reason='playwright is missing: pip install -e ".[browser]"')
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("no chromium found; install Debian's, or name one in the variable CHROMIUM")
    return path


@pytest.fixture(scope="session")
def pictures(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pictures go."""
    chosen = pytestconfig.getoption("--screenshots")
    folder = Path(chosen).absolute() if chosen else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """`pusherkit lab` in a folder that is a checkout, with a Jupyter profile in it; its URL.

    Started again in the same folder it finds what it left there, as on another day.
    """
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = home / "log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [
                Path(sys.executable).with_name("pusherkit"),
                *("lab", "--no-browser", f"--port={port}"),
                *("--", "--LabApp.expose_app_in_browser=True"),
            ],
            cwd=home,
            env=os.environ | {name: str(home / place) for name, place in places.items()},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (
            printed := re.search(r"http://127\S*token=\w+", log.read_text(encoding="utf-8"))
        ):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.05)  # between two looks; the deadline is what counts
        yield printed[0]
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def make_checkout(home: Path) -> None:
    """Put a copy of the lessons into a folder, which `pusherkit lab` takes for its checkout."""
    shutil.copy(ROOT / "pyproject.toml", home)
    shutil.copytree(ROOT / "notebooks", home / "notebooks")


@pytest.fixture(scope="session")
def lab_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab with a copy of the lessons, as `pusherkit lab` starts it."""
    home = tmp_path_factory.mktemp("lab")
    make_checkout(home)
    for name, settings in SETTINGS.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    with serving(home) as url:
        yield url


@pytest.fixture(scope="session")
def playwright(chromium: str) -> Iterator[Any]:
    """What drives the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def how_to_launch(chromium: str) -> dict[str, Any]:
    """The browser, and what it is told when it starts."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {
        "executable_path": chromium,
        "args": [*quiet, *(["--no-sandbox"] if is_root else [])],
    }


@pytest.fixture(scope="session")
def browser(playwright: Any, how_to_launch: dict[str, Any]) -> Iterator[Any]:
    """One browser for all tests, which open contexts of their own in it."""
    started = playwright.chromium.launch(**how_to_launch)
    yield started
    started.close()


@pytest.fixture(scope="session")
def profile(
    playwright: Any,
    how_to_launch: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """One browser profile for all visits to JupyterLab: it keeps the code, fetched and compiled.

    That's half of what loading the page costs. Whatever JupyterLab remembers is on its server.
    """
    started = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), viewport=WINDOW, **how_to_launch
    )
    yield started
    started.close()


@contextmanager
def visiting(profile: Any, url: str, pictures: Path) -> Iterator[Lab]:
    """A page at a URL of JupyterLab. Fails on what no page may do."""
    base = "/".join(url.split("/")[:3])
    page = profile.new_page()
    page.set_default_timeout(STEP_MILLISECONDS)
    made = Lab(page, pictures)
    page.on("console", lambda m: made.console.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: made.console.append(f"{error}\n{error.stack}"))
    own = (base, base.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else made.outside.append(r.url))
    page.goto(url, timeout=1_000 * START_SECONDS)
    page.wait_for_function("!!window.jupyterapp", timeout=1_000 * START_SECONDS)
    page.evaluate("() => window.jupyterapp.restored")
    try:
        yield made
    finally:
        page.close()
    assert made.outside == []
    assert [said for said in made.console if DEBUGGER not in said] == []


@pytest.fixture(scope="session")
def visit(profile: Any, pictures: Path) -> Callable[[str], AbstractContextManager[Lab]]:
    """Open a URL of JupyterLab, for as long as a `with` lasts."""
    return lambda url: visiting(profile, url, pictures)


@pytest.fixture
def lab(profile: Any, lab_url: str, pictures: Path) -> Iterator[Lab]:
    """JupyterLab as `pusherkit lab` starts it, in a workspace of its own; no lesson is open yet."""
    path, token = lab_url.split("?")
    workspace = path.partition("/doc/")[0] + f"/doc/workspaces/{secrets.token_hex(4)}"
    with visiting(profile, f"{workspace}?{token}", pictures) as made:
        yield made
        made.page.evaluate(SHUT_DOWN)


@pytest.fixture
def day(profile: Any, pictures: Path, tmp_path: Path) -> Callable[[], AbstractContextManager[Lab]]:
    """Each call is a day: `pusherkit lab` is started, its URL opened, and in the end it is stopped.

    All days of a test have one folder with the lessons and one Jupyter profile, in `tmp_path`.
    """
    make_checkout(tmp_path)

    @contextmanager
    def begin() -> Iterator[Lab]:
        with serving(tmp_path) as url, visiting(profile, url, pictures) as made:
            yield made

    return begin


@pytest.fixture(params=["light", "dark"])
def each_theme(lab: Lab, request: pytest.FixtureRequest) -> None:
    """Runs a test once in each theme."""
    lab.theme(request.param)


@pytest.fixture(params=[LAPTOP, NARROW], ids=["wide", "narrow"])
def each_width(lab: Lab, request: pytest.FixtureRequest) -> int:
    """Runs a test in a laptop's window and in a narrow one; returns the width in px."""
    lab.page.set_viewport_size(request.param)
    return int(request.param["width"])


@pytest.fixture(params=["side-bar", "alone"])
def narrow(lab: Lab, request: pytest.FixtureRequest) -> str:
    """Runs a test in a narrow window, with JupyterLab's side bar and without it."""
    lab.page.set_viewport_size(NARROW)
    lab.page.evaluate(SIDE_BAR, request.param == "side-bar")
    return str(request.param)


@pytest.fixture
def expect(playwright: Any) -> Any:
    """Playwright's expect, which waits."""
    from playwright.sync_api import expect

    expect.set_options(timeout=STEP_MILLISECONDS)
    return expect
