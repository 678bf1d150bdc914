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
    thread, so that other processes do not count. Linear work takes ten times as long, quadratic
    work a hundred times; what is under a hundredth of a second says nothing, and is not compared.
    """

    def grow(
        work: Callable[[Any], object],
        make: Callable[[int], Any],
        *,
        largest: int,
        least: int = 1_000,
    ) -> None:
        size, before = least, 0.0
        while True:
            given = make(min(size, largest))
            took = min(_cpu_seconds(work, given) for _ in range(2 if before < 0.1 else 1))
            assert took < 30 * max(before, 0.01), (
                f"{size:,} took {took:.2f} s, after {before:.2f} s"
            )
            if size >= largest:
                return
            size, before = size * 10, took

    return grow


def _cpu_seconds(work: Callable[[Any], object], given: Any) -> float:
    begin = time.thread_time()
    work(given)
    return time.thread_time() - begin
