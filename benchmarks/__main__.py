"""python -m benchmarks: run the benchmarks, print their table, and save what they found."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks import peers, progress, report
from benchmarks.measure import Run

SUBJECTS = {
    "signing": "sign() against a hand-written floor and PyPI pusher",
    "imports": "import time and memory, against httpx and PyPI pusher",
    "doctor": "the doctor's search, against as many bare hashes",
    "publishers": "Client and AsyncClient, against PyPI and npm pusher",
    "server": "the practice server beside soketi, and how it grows",
    "footprint": "sizes on the disk, and the memory of a kernel",
    "lessons": "each notebook against an empty one; the start of the lab",
    "first_event": "from the install to the first event in the lab, and on another day",
    "keypress": "key press to repaint in JupyterLab, against an echo",
    "site": "the static site in a browser, against its targets",
    "class": "a hub full of learners, and the wall, against their targets",
}
MODULES = {"class": "classroom"}  # where a subject's name can't be a module's
FOLDER = Path(__file__).parent / "results"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen subjects; 0 whether or not the targets are met."""
    options = _parser().parse_args(argv)
    if options.install_peers:
        peers.install()
        return 0
    # What is measured runs from bytecode, as an installed package does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    began = datetime.now(UTC)
    results: dict[str, list[report.Row | report.Curve]] = {}
    try:
        with progress.shown() as shown:
            run = Run(quick=options.quick, progress=shown)
            for name in shown.track(options.only, "all subjects"):
                found = results.setdefault(name, [])
                found.extend(import_module(f"benchmarks.{MODULES.get(name, name)}").run(run))
    finally:  # what was found before a failure is not lost
        said = report.document(results, quick=options.quick, date=began)
        report.save(options.out, results, said)
        print(report.table(results))
        print(f"\nSaved in {options.out}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure pusherkit against floors and peers. Every figure is a ratio, taken "
        "in interleaved rounds: the median and the quartiles. Load goes to this machine only.",
        epilog="Subjects: " + "; ".join(f"{name} ({what})" for name, what in SUBJECTS.items()),
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SUBJECTS,
        default=list(SUBJECTS),
        metavar="NAME",
        help="the subjects to measure (default: all)",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds: some five minutes")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, help="where to save (default: benchmarks/results)"
    )
    parser.add_argument(
        "--install-peers",
        action="store_true",
        help="install soketi and the npm clients outside the checkout (370 MB), then stop",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
