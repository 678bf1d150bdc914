"""The time of each notebook against an empty one; and of the lab against a plain one."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import jupyter, peers
from benchmarks.measure import Run, against, ratio
from benchmarks.report import Row

EMPTY = "empty.ipynb"
CELL_SECONDS = 60


def run(run: Run) -> Iterator[Row]:
    """A row for each notebook, and one for the lab."""
    with jupyter.checkout() as root:
        try:
            yield from _labs(run, root)
        except peers.Missing as absent:
            yield Row(figure="pusherkit lab ÷ jupyter lab", missing=str(absent))
        try:
            yield from _notebooks(run, root / "notebooks")
        except peers.Missing as absent:
            yield Row(figure="each notebook ÷ an empty one", missing=str(absent))


def _notebooks(run: Run, folder: Path) -> Iterator[Row]:
    if importlib.util.find_spec("nbclient") is None:
        raise peers.Missing('nbclient (pip install -e ".[test]")')
    import nbformat

    nbformat.write(nbformat.v4.new_notebook(), folder / EMPTY)
    _execute(folder / EMPTY)  # the first kernel of all finds nothing in the disk's cache
    works = {path.name: partial(_execute, path) for path in sorted(folder.glob("*.ipynb"))}
    rounds = run.pick(full=6, quick=1)
    times = run.interleave("lessons: each notebook", works, rounds, warm_up=False)
    for name in works:
        if name != EMPTY:
            yield Row(
                figure=f"{name} ÷ an empty notebook",
                ratio=ratio(times[name], times[EMPTY]),
                measured=against(times[name], times[EMPTY]),
            )


def _execute(path: Path) -> float:
    """Start a kernel, run every cell, and end the kernel."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(path.parent)}}
    )
    began = time.perf_counter()
    client.execute(stderr=subprocess.DEVNULL)  # the kernel's word on how it is connected
    return time.perf_counter() - began


def _labs(run: Run, root: Path) -> Iterator[Row]:
    with jupyter.browser() as browser:

        def start(command: Sequence[str | Path]) -> Callable[[], float]:
            return partial(_ready, command, root, browser)

        times = run.interleave(
            "lessons: the start of the lab",
            {"kit": start(jupyter.KIT), "plain": start(jupyter.PLAIN)},
            run.pick(full=3, quick=1),
        )
    yield Row(
        figure="pusherkit lab ÷ jupyter lab: from the command to a ready first lesson",
        ratio=ratio(times["kit"], times["plain"]),
        measured=against(times["kit"], times["plain"]),
    )


def _ready(command: Sequence[str | Path], root: Path, browser: Any) -> float:
    """The seconds from a command until the first lesson is open and its kernel waits."""
    began = time.perf_counter()
    with jupyter.lab(command, root) as url:
        context = browser.new_context()
        try:
            jupyter.show(context.new_page(), url)
            return time.perf_counter() - began
        finally:
            context.close()
