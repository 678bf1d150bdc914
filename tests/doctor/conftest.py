"""What the doctor's tests share: a judge of growth."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

Growth = Callable[..., None]


@pytest.fixture
def growth() -> Growth:
    """Fail where the work on a text grows faster than the text.

    The time of ten times the text is compared with the time of the text, as CPU time of this
    thread, so that other processes do not count, and the shorter of two is taken. Linear work
    takes ten times as long, quadratic work a hundred times; what is under five milliseconds
    says nothing, and is taken for those.
    """

    def grow(
        work: Callable[[Any], object],
        make: Callable[[int], Any],
        *,
        largest: int,
        least: int = 1_000,
    ) -> None:
        size, before = least, _shorter_of_two(work, make(least), enough=0.0)
        while size < largest:
            size *= 10
            enough = 25 * max(before, 0.005)
            took = _shorter_of_two(work, make(min(size, largest)), enough)
            assert took < enough, f"{size:,} took {took:.2f} s, after {before:.2f} s"
            before = took

    return grow


def _shorter_of_two(work: Callable[[Any], object], given: Any, enough: float) -> float:
    """How long the work takes; where that's under `enough`, one time will do."""
    took = _cpu_seconds(work, given)
    return took if took < enough else min(took, _cpu_seconds(work, given))


def _cpu_seconds(work: Callable[[Any], object], given: Any) -> float:
    begin = time.thread_time()
    work(given)
    return time.thread_time() - begin
