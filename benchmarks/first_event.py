"""From the README's command to the first event in `pusherkit lab`, and the same on another day.

A target of seconds is the lower half of a ratio here: 0.6 means six tenths of it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import jupyter, peers
from benchmarks.measure import Run, duration, ratio
from benchmarks.report import Row, Target

COLD_SECONDS = 120.0  # from an empty folder; the packages come over the network
WARM_SECONDS = 10.0  # from the command, on another day
SCRIPTS = "Scripts" if sys.platform == "win32" else "bin"

Steps = dict[str, float]
"""Seconds from the beginning to each step, in order."""


def run(run: Run) -> Iterator[Row]:
    """A row for the first start, and one for a later start."""
    try:
        both = [_both() for _ in range(run.pick(full=3, quick=1))]
    except peers.Missing as absent:
        yield Row(figure="install to first event in pusherkit lab", missing=str(absent))
        return
    cold, warm = ([pair[number] for pair in both] for number in (0, 1))
    yield _row("install to first event in pusherkit lab", cold, COLD_SECONDS)
    yield _row("the same, installed already", warm, WARM_SECONDS)


def _row(figure: str, starts: list[Steps], target: float) -> Row:
    middle = {step: statistics.median(each[step] for each in starts) for step in starts[0]}
    return Row(
        figure=f"{figure} ÷ {target:g} s",
        ratio=ratio([each["sent"] for each in starts], [target] * len(starts)),
        target=Target("≤", 1),
        measured=", ".join(f"{step} after {duration(seconds)}" for step, seconds in middle.items()),
        if_missed="Most of a first start goes to pip, which fetches and unpacks JupyterLab; most "
        "of a later one to JupyterLab's own start and to its page",
    )


def _both() -> tuple[Steps, Steps]:
    """A first start, with an install and a browser that are new, and a second one."""
    with (
        jupyter.checkout() as root,
        tempfile.TemporaryDirectory(prefix="pusherkit-benchmarks-") as folder,
        jupyter.browser() as browser,
    ):
        profile = browser.new_context(viewport={"width": 1280, "height": 1000})
        steps: Steps = {}
        began = time.perf_counter()
        venv = Path(folder) / "venv"
        _installed(venv)
        steps["installed"] = time.perf_counter() - began
        _start(venv, root, profile, began, steps)
        later: Steps = {}
        _start(venv, root, profile, time.perf_counter(), later)
        return steps, later


def _installed(venv: Path) -> None:
    """What the README's command installs. Nothing comes from pip's cache, as for who is new."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip: list[str | Path] = [venv / SCRIPTS / "pip", "install", "--quiet", "--no-cache-dir"]
    subprocess.run([*pip, f"{peers.ROOT}[lab]"], check=True)


def _start(venv: Path, root: Path, profile: Any, began: float, steps: Steps) -> None:
    """Start the lab, open its page, and send the first event as a learner does."""

    def done(step: str) -> None:
        steps[step] = time.perf_counter() - began

    with jupyter.lab((venv / SCRIPTS / "pusherkit", "lab"), root) as url:
        done("server there")
        page = profile.new_page()
        page.set_default_timeout(jupyter.STEP_MILLISECONDS)
        page.goto(url)
        page.wait_for_function(jupyter.READY)
        done("kernel ready")
        button = jupyter.first_card(page)
        done("first card")
        jupyter.send(page, button)
        done("sent")
        page.close()
