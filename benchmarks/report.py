"""What the subjects yield, and how it is told: one Markdown table, a JSON file, a picture."""

from __future__ import annotations

import json
import math
import operator
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from benchmarks.measure import Spread

LINEAR = 1.1  # growth counts as linear up to here: a tenth is left for noise


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a median should keep."""

    sign: Literal["<", "≤", "≥"]
    bound: float

    def met(self, spread: Spread) -> bool:
        """Whether the median keeps it."""
        compare = {"<": operator.lt, "≤": operator.le, "≥": operator.ge}[self.sign]
        return bool(compare(spread.median, self.bound))

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: a ratio, or the reason why there is none.

    `measured` gives the absolute figures behind the ratio. `if_missed` says what the time goes
    to, and is shown where the target is missed.
    """

    figure: str
    ratio: Spread | None = None
    target: Target | None = None
    measured: str = ""
    if_missed: str = ""
    missing: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or no figure."""
        return None if self.ratio is None or self.target is None else self.target.met(self.ratio)

    def cells(self) -> list[str]:
        """The row of the table, without its subject."""
        why = self.if_missed if self.met is False else ""
        said = self.missing and f"missing: {self.missing}"
        return [
            self.figure,
            f"{self.ratio.median:.3g}" if self.ratio else "—",
            f"{self.ratio.low:.3g} – {self.ratio.high:.3g}" if self.ratio else "—",
            str(self.target or "—"),
            {True: "yes", False: "**no**", None: "—"}[self.met],
            said or ". ".join(filter(None, [self.measured, why])),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How a cost grows with a size, relative to the cost at the smallest size."""

    title: str
    size: str
    """What the size counts: "channels in one trigger"."""
    cost: str
    """What the cost is of: "time of a request"."""
    lines: Mapping[str, Sequence[tuple[int, Spread]]]


Results = Mapping[str, Sequence[Row | Curve]]
"""What each subject yielded."""

HEAD = ["Subject", "Figure", "Median", "Quartiles", "Target", "Met", "Measured"]


def table(results: Results) -> str:
    """Every row of every subject, as one Markdown table."""
    rows = [
        [subject, *found.cells()]
        for subject, yielded in results.items()
        for found in yielded
        if isinstance(found, Row)
    ]
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def document(results: Results, *, quick: bool, date: datetime) -> dict[str, Any]:
    """The results with what they depend on, fit for JSON."""
    return {
        "date": date.astimezone(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": machine(),
        "versions": versions(),
        "rows": [
            {"subject": subject, **asdict(found), "met": found.met}
            for subject, yielded in results.items()
            for found in yielded
            if isinstance(found, Row)
        ],
        "curves": [asdict(curve) for curve in curves(results)],
    }


def machine() -> dict[str, Any]:
    """The machine, as far as the figures depend on it."""
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """The versions of the packages that are compared, where they are installed."""
    found = {}
    for name in ("pusherkit", "httpx", "tornado", "websockets", "pusher", "requests", "jupyterlab"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def curves(results: Results) -> list[Curve]:
    """The curves of all subjects."""
    return [found for yielded in results.values() for found in yielded if isinstance(found, Curve)]


def save(folder: Path, results: Results, said: Mapping[str, Any]) -> None:
    """Write results.md and results.json; growth.svg where there are curves and matplotlib."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(f"{table(results)}\n", encoding="utf-8")
    text = json.dumps(said, indent=2, ensure_ascii=False)
    (folder / "results.json").write_text(f"{text}\n", encoding="utf-8")
    if drawn := curves(results):
        plot(drawn, folder / "growth.svg")


def plot(drawn: Iterable[Curve], file: Path) -> None:
    """Draw each curve beside straight growth, both axes logarithmic."""
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ModuleNotFoundError:
        return
    drawn = list(drawn)
    columns = min(2, len(drawn))
    figure, axes = pyplot.subplots(
        math.ceil(len(drawn) / columns),
        columns,
        figsize=(6 * columns, 4 * math.ceil(len(drawn) / columns)),
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat[len(drawn) :]:
        axis.remove()
    for axis, curve in zip(axes.flat, drawn, strict=False):
        sizes: set[int] = set()
        for label, points in curve.lines.items():
            at = [size for size, _ in points]
            sizes.update(at)
            middle = [spread.median for _, spread in points]
            axis.plot(at, middle, marker="o", label=label)
            lows, highs = zip(*((spread.low, spread.high) for _, spread in points), strict=True)
            axis.fill_between(at, lows, highs, alpha=0.25)
        ends = [min(sizes), max(sizes)]
        axis.plot(ends, [1, ends[1] / ends[0]], linestyle=":", color="grey", label="linear")
        axis.set(xscale="log", yscale="log", title=curve.title, xlabel=curve.size)
        axis.set_ylabel(f"{curve.cost}, × the first")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(file)
    pyplot.close(figure)
