"""A real JupyterLab and a real browser, for the subjects that need them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.processes import free_port, process
from pusherkit.lab import FIRST_LESSON

STEP_MILLISECONDS = 60_000  # for one step in the browser; a first page takes about 5,000
KIT = (Path(sys.executable).with_name("pusherkit"), "lab")
KIT_STOCK = (*KIT, "--stock")
PLAIN = (Path(sys.executable).with_name("jupyter-lab"),)

# Not what is measured: JupyterLab's question about news, and saving while somebody types.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
# The notebook of the page's URL is open, and its kernel waits for work.
READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget
  return panel?.content?.model && panel.sessionContext?.session?.kernel?.status === 'idle'
}"""
RUN_ALL = """async () => {
  await window.jupyterapp.commands.execute('notebook:run-all-cells')
  const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
  return cells.flatMap(cell => cell.cell_type === 'code' ? cell.outputs : [])
    .filter(output => output.output_type === 'error').map(output => output.evalue)
}"""

RUN_ONE = "() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')"


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright. Raises Missing where either is not there."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if importlib.util.find_spec("playwright") is None or not chromium:
        raise peers.Missing('a browser (pip install -e ".[browser]", and Debian\'s chromium)')
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=[*quiet, *(["--no-sandbox"] if is_root else [])]
        )
        try:
            yield started
        finally:
            started.close()


@contextmanager
def checkout() -> Iterator[Path]:
    """A copy of the lessons that `pusherkit lab` takes for its checkout; yields its root."""
    with tempfile.TemporaryDirectory(prefix="pusherkit-benchmarks-") as folder:
        root = Path(folder)
        shutil.copy(peers.ROOT / "pyproject.toml", root)
        notebooks = shutil.copytree(peers.ROOT / "notebooks", root / "notebooks")
        shutil.rmtree(notebooks / ".ipynb_checkpoints", ignore_errors=True)
        yield root


@contextmanager
def lab(command: Sequence[str | Path], root: Path) -> Iterator[str]:
    """JupyterLab over a checkout, with a profile of its own; yields the URL of the first lesson."""
    if not PLAIN[0].exists():
        raise peers.Missing('JupyterLab (pip install -e ".[lab]")')
    profile = root / f"profile-{secrets.token_hex(4)}"
    for name, settings in SETTINGS.items():
        file = profile / "settings" / f"{name}.jupyterlab-settings"
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
    options = ["--no-browser", f"--port={free_port()}"]
    if command == PLAIN:  # what `pusherkit lab` says by itself
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        options += [
            f"--ServerApp.root_dir={root / 'notebooks'}",
            f"--LabApp.default_url=/doc/tree/{FIRST_LESSON}",
            "--ServerApp.ip=127.0.0.1",
            *(["--allow-root"] if is_root else []),
        ]
    else:
        options.append("--")
    options += ["--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]

    def printed(said: str) -> str | None:
        found = re.search(r"http://127\S*token=\w+", said)
        return found and found[0]

    environment = os.environ | {name: str(profile / place) for name, place in places.items()}
    with process([*command, *options], printed, cwd=root, env=environment) as (_, url):
        yield url


def show(page: Any, url: str, notebook: str = FIRST_LESSON) -> None:
    """Open a notebook in a page, alone, and wait for its kernel."""
    page.set_default_timeout(STEP_MILLISECONDS)
    workspace = f"/doc/workspaces/{secrets.token_hex(4)}/tree/{notebook}"
    page.goto(url.replace(f"/doc/tree/{FIRST_LESSON}", workspace))
    page.wait_for_function(READY)


def run_all(page: Any) -> None:
    """Run every cell of the notebook that the page shows; none may fail."""
    errors = page.evaluate(RUN_ALL)
    assert errors == [], errors


def first_card(page: Any) -> Any:
    """Run lesson 00's cells up to its first card; return the button that sends the event."""
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1 }")
    for _ in range(3):  # the imports, a text, the card
        page.evaluate(RUN_ONE)
    button = page.get_by_role("button", name="Send it to order-41")
    button.wait_for()
    return button


def send(page: Any, button: Any) -> None:
    """Press that button, and wait until the server has accepted the event."""
    button.click()
    page.get_by_role("status").filter(has_text="Accepted (200)").first.wait_for()
