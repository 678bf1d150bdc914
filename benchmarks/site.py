"""The static site, opened for the first time and again, against its targets; and a key press in it.

A target of seconds or bytes is the lower half of a ratio here: 0.6 means six tenths of it.
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import jupyter, peers
from benchmarks.keypress import TO_THE_END, WATCH
from benchmarks.measure import Run, against, duration, ratio
from benchmarks.processes import free_port, process
from benchmarks.report import Row, Target
from pusherkit.lab import FIRST_LESSON

READABLE_SECONDS = 3.0  # until the lesson can be read, of a first visit
COLD_SECONDS = 20.0  # until the first event has been sent, of a first visit
WARM_SECONDS = 8.0  # the same, of a second one
DISK_BYTES = 45e6  # of the whole site
FETCHED_BYTES = 25e6  # until then, by a server that compresses
KEY_RATIO = 1.5  # of a key press in the site to one in `pusherkit lab`
PRESSES = 6  # of one turn; their median counts
NOT_COMPRESSED = {".whl", ".zip", ".woff2", ".png", ".ico"}  # any more

BODY = ".jp-NotebookPanel .pk:has([data-name]) textarea"
SHOWN = ".jp-NotebookPanel .pk:has(textarea[data-name]) .pk-body"


def run(run: Run) -> Iterator[Row]:
    """Rows for a first visit, a second one, bytes, and key presses."""
    try:
        yield from _rows(run)
    except peers.Missing as absent:
        yield Row(figure="the static site ÷ its targets", missing=str(absent))


def _rows(run: Run) -> Iterator[Row]:
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        site = _built(root / "site")
        base = stack.enter_context(_serving(site))
        browser = stack.enter_context(jupyter.browser())
        fetched: set[str] = set()
        visits = [_visits(browser, base, fetched) for _ in range(run.pick(full=5, quick=2))]
        cold, warm = ([pair[number] for pair in visits] for number in (0, 1))
        yield _row("first visit: until the lesson can be read", cold, "readable", READABLE_SECONDS)
        yield _row("first visit: until the first event was sent", cold, "sent", COLD_SECONDS)
        yield _row("second visit: until the first event was sent", warm, "sent", WARM_SECONDS)
        size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
        yield _bytes("the site on disk", size, DISK_BYTES)
        sent = sum(_compressed(site / path) for path in fetched if (site / path).is_file())
        yield _bytes("fetched until then, compressed", sent, FETCHED_BYTES)
        yield from _keys(run, stack, browser, base)


def _built(folder: Path) -> Path:
    if shutil.which("npm") is None:
        raise peers.Missing("node and npm, which build the site")
    script = peers.ROOT / "scripts" / "build_site.py"
    subprocess.run([sys.executable, script, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@contextmanager
def _serving(site: Path) -> Iterator[str]:
    """A plain web server, as a process of its own."""
    port = free_port()
    command = [sys.executable, "-u", "-m", "http.server", str(port), "--bind=127.0.0.1"]
    command.append(f"--directory={site}")
    with process(command, lambda said: said if "Serving" in said else None):
        yield f"http://127.0.0.1:{port}/"


def _visits(browser: Any, base: str, fetched: set[str]) -> list[dict[str, float]]:
    """Lesson 00 opened in a fresh browser profile, and again in the same: seconds to each step."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.on("response", lambda answer: fetched.add(urlsplit(answer.url).path.lstrip("/")))
    both = []
    for _ in range(2):
        page = context.new_page()
        page.set_default_timeout(jupyter.STEP_MILLISECONDS)
        began = time.perf_counter()
        page.goto(f"{base}lab/index.html?path={FIRST_LESSON}")
        steps = {}
        page.frame_locator("iframe").locator("h1").wait_for()
        steps["readable"] = time.perf_counter() - began
        page.wait_for_selector(".jp-NotebookPanel h1")
        steps["drawn"] = time.perf_counter() - began
        page.wait_for_function(jupyter.READY)
        steps["python"] = time.perf_counter() - began
        button = jupyter.first_card(page)
        steps["card"] = time.perf_counter() - began
        jupyter.send(page, button)
        steps["sent"] = time.perf_counter() - began
        both.append(steps)
        page.close()
    context.close()
    return both


def _row(figure: str, visits: list[dict[str, float]], step: str, target: float) -> Row:
    def middle(name: str) -> str:
        return duration(statistics.median(visit[name] for visit in visits))

    return Row(
        figure=f"{figure} ÷ {target:g} s",
        ratio=ratio([visit[step] for visit in visits], [target] * len(visits)),
        target=Target("≤", 1),
        measured=f"Readable after {middle('readable')}, JupyterLite drawn {middle('drawn')}, "
        f"Python ready {middle('python')}, first card {middle('card')}, sent {middle('sent')}",
        if_missed="Most of it goes to starting Python: WebAssembly, then IPython's own imports",
    )


def _bytes(figure: str, size: float, target: float) -> Row:
    return Row(
        figure=f"{figure} ÷ {target / 1e6:g} MB",
        ratio=ratio([size], [target]),
        target=Target("≤", 1),
        measured=f"{size / 1e6:.1f} MB",
    )


def _compressed(file: Path) -> int:
    """How many bytes a server sends that compresses what isn't compressed yet, as most do."""
    content = file.read_bytes()
    return len(content) if file.suffix in NOT_COMPRESSED else len(gzip.compress(content, 6))


def _keys(run: Run, stack: ExitStack, browser: Any, base: str) -> Iterator[Row]:
    """A key press in lesson 00's body field, in the site and in `pusherkit lab`."""
    root = stack.enter_context(jupyter.checkout())
    lab = stack.enter_context(jupyter.lab(jupyter.KIT, root))
    pages = {}
    for name in ("site", "lab"):
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        if name == "site":
            page.set_default_timeout(jupyter.STEP_MILLISECONDS)
            page.goto(f"{base}lab/index.html?path={FIRST_LESSON}")
            page.wait_for_function(jupyter.READY)
        else:
            jupyter.show(page, lab)
        jupyter.run_all(page)
        page.wait_for_selector(BODY)
        pages[name] = partial(_press, page)
    times = run.interleave("site: key presses", pages, run.pick(full=12, quick=4))
    yield Row(
        figure="key press to repaint, the site ÷ pusherkit lab",
        ratio=ratio(times["site"], times["lab"]),
        target=Target("≤", KEY_RATIO),
        measured=against(times["site"], times["lab"]),
        if_missed="It goes to Python in WebAssembly, which takes longer than Python itself",
    )


def _press(page: Any) -> float:
    """Type some characters; return the median seconds until each was painted."""
    page.bring_to_front()
    page.evaluate(TO_THE_END, [BODY])
    milliseconds: list[float] = []
    for _ in range(PRESSES):
        page.evaluate(WATCH, [BODY, SHOWN])
        page.keyboard.press("x")
        milliseconds.append(page.evaluate("() => window.repainted"))
    return statistics.median(milliseconds) / 1000
