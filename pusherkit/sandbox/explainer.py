"""The one thread that searches for mistakes, beside the server's loop.

A search takes 50 to 90 ms of Python. On the loop everybody would wait for it; here it gives way,
between two of its steps, to whatever the loop has to do. Refused requests are searched here, and
what somebody pastes into the live page.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pusherkit.sandbox.api import Explanation, Sandbox, Unauthorized

SEARCH_SECONDS = 1.5  # from the refusal to its answer; a search takes less than a tenth of it
MAX_WAITING = 8  # searches; those beyond are answered at once, without one
STEP_ASIDE_SECONDS = 0.0002  # long enough that the loop's thread takes over, if it wants to run
STOP_SECONDS = 1.0  # the longest wait for a step of a search when the server stops

BUSY = (
    f"The mistake was not searched for: {MAX_WAITING} other refused requests are waiting for the "
    "doctor. Send this one again later."
)
FAILED = "The search for the mistake failed, which is a fault of this server's, and not yours."

_log = logging.getLogger("pusherkit.sandbox")


Result = TypeVar("Result")
GoOn = Callable[[], bool]


class NotSearched(Exception):
    """Why there is no result, as a sentence."""


@dataclass(frozen=True, slots=True)
class _Job:
    search: Callable[[GoOn], Any]
    deadline: float
    """By time.monotonic()."""
    gone: Callable[[], bool]
    answer: Callable[[object], object]


class Explainer:
    """Does one search after the other. Its thread begins with the first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._stopping = False

    async def explain(self, refused: Unauthorized, gone: Callable[[], bool]) -> Explanation:
        """What the doctor finds in SEARCH_SECONDS. `gone` says whether nobody waits any longer."""
        try:
            return await self.search(partial(self._sandbox.explain, refused), gone)
        except NotSearched as why:
            return Explanation(unfinished=str(why))

    async def search(self, search: Callable[[GoOn], Result], gone: Callable[[], bool]) -> Result:
        """Do a search on the thread. It's given a `go_on`, to be asked after each of its steps.

        Raises NotSearched where too many are waiting, and where the search fails.
        """
        if self._waiting >= MAX_WAITING:
            raise NotSearched(BUSY)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="pusherkit-explainer", daemon=True
            )
            self._thread.start()
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Any] = loop.create_future()

        def answer(found: object) -> None:
            if answered.done():  # it was cancelled, as the server stops
                return
            if isinstance(found, NotSearched):
                answered.set_exception(found)
            else:
                answered.set_result(found)

        deadline = time.monotonic() + SEARCH_SECONDS
        self._jobs.put(
            _Job(search, deadline, gone, lambda found: loop.call_soon_threadsafe(answer, found))
        )
        self._waiting += 1
        try:
            found: Result = await answered
            return found
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """End the thread, within a step of its search."""
        self._stopping = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            found: object
            try:
                found = job.search(partial(self._go_on, job))
            except Exception:
                _log.exception("The search for a mistake failed")
                found = NotSearched(FAILED)
            if self._stopping:
                return
            job.answer(found)

    def _go_on(self, job: _Job) -> bool:
        """Let the loop run if it has something to do; then whether the search is still wanted."""
        # By itself Python hands its lock over every 5 ms only: others took 8 to 14 times as long.
        time.sleep(STEP_ASIDE_SECONDS)
        return not (self._stopping or job.gone() or time.monotonic() > job.deadline)
