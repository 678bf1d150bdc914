"""A progress bar on standard error: rich's where it is installed, plain lines where not."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Shows how far the run is."""

    def track(self, items: Iterable[Item], label: str) -> Iterable[Item]:
        """Give out the items, and show how many are done."""


class Lines:
    """A line for each step."""

    def track(self, items: Iterable[Item], label: str) -> Iterable[Item]:
        print(label, file=sys.stderr, flush=True)
        return items


@contextmanager
def shown() -> Iterator[Progress]:
    """A bar for each step while it runs."""
    try:
        import rich.console
        import rich.progress
    except ModuleNotFoundError:
        yield Lines()
        return
    columns = [
        rich.progress.TextColumn("{task.description:<60}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
    ]
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(*columns, console=console, transient=True) as bars:

        class Bars:
            def track(self, items: Iterable[Item], label: str) -> Iterator[Item]:
                total = len(items) if isinstance(items, Sized) else None
                task = bars.add_task(label, total=total)
                for item in items:
                    yield item
                    bars.advance(task)
                bars.remove_task(task)

        yield Bars()
