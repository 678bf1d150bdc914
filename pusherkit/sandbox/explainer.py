"""The one thread that searches for the mistakes in refused requests, beside the server's loop.

A search takes 50 to 90 ms of Python. On the loop everybody would wait for it; here it gives way,
between two of its steps, to whatever the loop has to do.
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

from pusherkit.sandbox.api import Explanation, Sandbox, Unauthorized

SEARCH_SECONDS = 1.5  # from the refusal to its answer; a search takes less than a tenth of it
MAX_WAITING = 8  # refusals; those beyond are answered at once, without a search
STEP_ASIDE_SECONDS = 0.0002  # long enough that the loop's thread takes over, if it wants to run
STOP_SECONDS = 1.0  # the longest wait for a step of a search when the server stops

BUSY = (
    f"The mistake was not searched for: {MAX_WAITING} other refused requests are waiting for the "
    "doctor. Send this one again later."
)
FAILED = "The search for the mistake failed, which is a fault of this server's, and not yours."

_log = logging.getLogger("pusherkit.sandbox")


@dataclass(frozen=True, slots=True)
class _Job:
    refused: Unauthorized
    deadline: float
    """By time.monotonic()."""
    gone: Callable[[], bool]
    answer: Callable[[Explanation], object]


class Explainer:
    """Explains refused requests, one after the other. Its thread begins with the first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._stopping = False

    async def explain(self, refused: Unauthorized, gone: Callable[[], bool]) -> Explanation:
        """What the doctor finds in SEARCH_SECONDS. `gone` says whether nobody waits any longer."""
        if self._waiting >= MAX_WAITING:
            return Explanation(unfinished=BUSY)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="pusherkit-explainer", daemon=True
            )
            self._thread.start()
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Explanation] = loop.create_future()

        def answer(explanation: Explanation) -> None:
            if not answered.done():  # it was cancelled, as the server stops
                answered.set_result(explanation)

        deadline = time.monotonic() + SEARCH_SECONDS
        self._jobs.put(
            _Job(refused, deadline, gone, lambda found: loop.call_soon_threadsafe(answer, found))
        )
        self._waiting += 1
        try:
            return await answered
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
            try:
                found = self._sandbox.explain(job.refused, partial(self._go_on, job))
            except Exception:
                _log.exception("The search for the mistake in a refused request failed")
                found = Explanation(unfinished=FAILED)
            if self._stopping:
                return
            job.answer(found)

    def _go_on(self, job: _Job) -> bool:
        """Let the loop run if it has something to do; then whether the search is still wanted."""
        # By itself Python hands its lock over every 5 ms only: others took 8 to 14 times as long.
        time.sleep(STEP_ASIDE_SECONDS)
        return not (self._stopping or job.gone() or time.monotonic() > job.deadline)
