"""Measure things against each other: interleaved rounds, and a ratio in each round.

A machine's speed changes while a benchmark runs. So what is compared takes turns, A B A B, each
round gives one ratio, and a figure is the median of the ratios with their quartiles.
"""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.progress import Progress

CHUNK_SECONDS = 0.01  # one turn of a short function: far above the clock's grain, and many fit

Name = TypeVar("Name", bound=Hashable)
Measured = TypeVar("Measured")
"""What one turn yields: usually the seconds of one operation."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles: half of the rounds lie between `low` and `high`."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of what the rounds gave."""
        values = list(values)
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmarks: how thorough, and where progress shows."""

    quick: bool
    progress: Progress

    def pick(self, full: int, quick: int) -> int:
        """A number of rounds or of operations, by thoroughness."""
        return quick if self.quick else full

    def interleave(
        self,
        label: str,
        works: Mapping[Name, Callable[[], Measured]],
        rounds: int,
        *,
        warm_up: bool = True,
    ) -> dict[Name, list[Measured]]:
        """Let the works take turns, `rounds` times; every second round in reverse order.

        With `warm_up`, a round before the first warms caches and connections; it does not count.
        """
        turns: dict[Name, list[Measured]] = {name: [] for name in works}
        for number in self.progress.track(range(-1 if warm_up else 0, rounds), label):
            for name in reversed(turns) if number % 2 else turns:
                measured = works[name]()
                if number >= 0:
                    turns[name].append(measured)
        return turns


def per_call(function: Callable[[], object], seconds: float = CHUNK_SECONDS) -> Callable[[], float]:
    """Work that calls a function for about `seconds` and returns the seconds of one call.

    They are seconds of this process's CPU: the time of others on the machine does not count.
    """
    timer = timeit.Timer(function, timer=time.process_time)
    number = 1
    while (took := timer.timeit(number)) < seconds / 4:
        number *= 2
    number = max(1, round(number * seconds / took))
    return lambda: timer.timeit(number) / number


def ratio(above: Iterable[float], below: Iterable[float]) -> Spread:
    """The spread of the ratios of two works, round by round."""
    return Spread.of(a / b for a, b in zip(above, below, strict=True))


def percentile(values: Iterable[float], percent: int) -> float:
    """The value that `percent` of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) * percent // 100]


def against(one: Iterable[float], other: Iterable[float]) -> str:
    """Two works' medians, in seconds: "8 µs against 4 µs"."""
    return f"{duration(statistics.median(one))} against {duration(statistics.median(other))}"


def duration(seconds: float) -> str:
    """Seconds in the unit that reads best."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
