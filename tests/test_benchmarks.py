"""The benchmarks run, and tell what is missing. Their figures are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SIZES = ("84 B", "1 KB", "10 KB", "100 KB")

# The cheapest subject, on a machine that has neither a peer nor a progress bar.
WITHOUT_EXTRAS = """
import runpy, sys
sys.path.insert(0, "")
sys.modules["pusher"] = sys.modules["rich"] = None
sys.argv = ["benchmarks", "--quick", "--only", "signing", "--out", sys.argv[1]]
runpy.run_module("benchmarks", run_name="__main__")
"""


@pytest.fixture(scope="module")
def table_and_json(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-c", WITHOUT_EXTRAS, out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (out / "results.md").read_text(encoding="utf-8") == done.stdout
    return done.stdout, json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_the_table_and_the_json_have_the_same_rows(
    table_and_json: tuple[str, dict[str, Any]],
) -> None:
    table, saved = table_and_json
    head, _, *rows = table.splitlines()
    assert head.startswith("| Subject | Figure | Median | Quartiles |")
    assert [row.split(" | ")[1] for row in rows] == [row["figure"] for row in saved["rows"]]
    assert len(rows) == 3 * len(SIZES)
    assert {"date", "quick", "versions"} <= saved.keys()
    assert {"cpus", "platform", "python"} <= saved["machine"].keys()


@pytest.mark.parametrize("size", SIZES)
def test_a_figure_has_its_median_and_its_spread(
    table_and_json: tuple[str, dict[str, Any]], size: str
) -> None:
    _, saved = table_and_json
    figure = f"{size}: speed of sign() ÷ hand-written floor"
    (row,) = [row for row in saved["rows"] if row["figure"] == figure]
    assert 0 < row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"]
    assert row["missing"] == ""


def test_a_missing_peer_is_named_where_its_figure_would_stand(
    table_and_json: tuple[str, dict[str, Any]],
) -> None:
    table, saved = table_and_json
    rows = [row for row in table.splitlines() if "÷ PyPI pusher" in row]
    assert len(rows) == 2 * len(SIZES)
    assert all("| — | — |" in row and "missing: PyPI pusher (pip" in row for row in rows)
    assert sum(bool(row["missing"]) for row in saved["rows"]) == len(rows)


def test_what_is_compared_takes_turns_and_each_round_gives_a_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.measure import Run, Spread, ratio
    from benchmarks.progress import Lines

    order: list[str] = []
    turns = iter(range(100))

    def work(name: str) -> float:
        order.append(name)
        return float(next(turns))

    run = Run(quick=True, progress=Lines())
    times = run.interleave("", {"A": lambda: work("A"), "B": lambda: work("B")}, rounds=3)
    assert "".join(order) == "BA" + "AB" + "BA" + "AB"  # the first two only warm up
    assert times == {"A": [2, 5, 6], "B": [3, 4, 7]}
    assert ratio([1, 6, 8], [1, 2, 4]) == Spread(median=2, low=1.5, high=2.5, rounds=3)
