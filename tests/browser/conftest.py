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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60  # for JupyterLab to answer; it takes about 5
STEP_MILLISECONDS = 15_000  # for one step in the browser

# Not what is tested: JupyterLab's question about news, and saving while a test runs.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}

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
SHUT_DOWN = "() => window.jupyterapp.serviceManager.sessions.shutdownAll()"


@dataclass
class Lab:
    """A page that shows JupyterLab, and what it did that a test must know."""

    page: Any
    url: str
    folder: Path
    pictures: Path
    console: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, lesson: str) -> Any:
        """Open a lesson, wait for its kernel, and return its panel."""
        self.page.evaluate(OPEN, lesson)
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def run_all(self) -> None:
        """Run every cell; no cell may fail."""
        assert self.page.evaluate(RUN_ALL) == []

    def theme(self, name: str) -> None:
        """Change to "JupyterLab Light" or "JupyterLab Dark"."""
        # JupyterLab stumbles over a change while its splash still fades.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        light = "true" if name.endswith("Light") else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def picture(self, name: str, of: Any = None) -> None:
        """Keep a picture of an element, or of the page."""
        (of or self.page).screenshot(path=self.pictures / f"{name}.png")


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


@pytest.fixture(scope="session")
def lab_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """JupyterLab with a copy of the lessons, as `pusherkit lab` starts it."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "pyproject.toml", home)  # what makes the folder a checkout
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    for name, settings in SETTINGS.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
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
                *("--", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"),
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
        yield printed[0], home / "notebooks"
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """One browser for all tests."""
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        started = playwright.chromium.launch(
            executable_path=chromium, args=[*quiet, *(["--no-sandbox"] if is_root else [])]
        )
        yield started
        started.close()


@pytest.fixture
def lab(browser: Any, lab_url: tuple[str, Path], pictures: Path) -> Iterator[Lab]:
    """A fresh page at the URL that `pusherkit lab` prints. Fails on what no page may do."""
    url, folder = lab_url
    base = url.split("/lab")[0]
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(STEP_MILLISECONDS)
    made = Lab(page, url, folder, pictures)
    page.on("console", lambda m: made.console.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: made.console.append(f"{error}\n{error.stack}"))
    own = (base, base.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(own) else made.outside.append(r.url))
    page.goto(url.replace("/lab/tree", "/lab/workspaces/" + secrets.token_hex(4) + "/tree"))
    page.wait_for_function("!!window.jupyterapp")
    page.evaluate("() => window.jupyterapp.restored")
    # `pusherkit lab` opens the first lesson by itself, with its kernel.
    page.wait_for_selector(".jp-NotebookPanel h1:has-text('Start here')")
    made.open("00-start-here.ipynb")
    yield made
    page.evaluate(SHUT_DOWN)
    context.close()
    assert made.outside == []
    assert made.console == []
