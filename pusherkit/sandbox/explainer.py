"""The one thread that searches for the mistakes in what was refused, beside the server's loop.

A search takes 50 to 90 ms of Python. On the loop everybody would wait for it; here it gives way,
between two of its steps, to whatever the loop has to do. What somebody pastes into the live page is
read here, too.
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

from pusherkit.doctor.search import Diagnosis
from pusherkit.sandbox.api import Explanation, Sandbox, Unauthorized
from pusherkit.sandbox.channels import UnauthorizedSubscription

SEARCH_SECONDS = 1.5  # from the refusal to its answer; a search takes less than a tenth of it
MAX_WAITING = 8  # refusals; those beyond are answered at once, without a search
MAX_WAITING_SUBSCRIPTIONS = 4  # of these 8, so that requests always get their turn
STEP_ASIDE_SECONDS = 0.0002  # long enough that the loop's thread takes over, if it wants to run
STOP_SECONDS = 1.0  # the longest wait for a step of a search when the server stops

BUSY = (
    f"The mistake was not searched for: {MAX_WAITING} other refused requests are waiting for the "
    "doctor. Send this one again later."
)
BUSY_WITH_SUBSCRIPTIONS = (
    f"The mistake was not searched for: {MAX_WAITING_SUBSCRIPTIONS} other refused subscriptions "
    "are waiting for the doctor. Subscribe again later."
)
FAILED = "The search for the mistake failed, which is a fault of this server's, and not yours."

_log = logging.getLogger("pusherkit.sandbox")


Found = TypeVar("Found")
GoOn = Callable[[], bool]
"""Whether a search is still wanted; to be asked after each of its steps."""


class NotSearched(Exception):
    """Says why there was no search."""


@dataclass(frozen=True, slots=True)
class _Job:
    search: Callable[[GoOn], Any]
    """Returns what it found."""
    deadline: float
    """By time.monotonic()."""
    gone: Callable[[], bool]
    answer: Callable[[Any], object]
    """Takes what was found, or None where the search failed."""


class Explainer:
    """Explains what was refused, one after the other. Its thread begins with the first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._subscriptions: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._stopping = False

    async def explain(self, refused: Unauthorized, gone: Callable[[], bool]) -> Explanation:
        """What the doctor finds in SEARCH_SECONDS. `gone` says whether nobody waits any longer."""
        try:
            return await self.search(partial(self._sandbox.explain, refused), gone)
        except NotSearched as why:
            return Explanation(unfinished=str(why))

    def explain_later(self, refused: UnauthorizedSubscription) -> None:
        """Explain a refused subscription in the sandbox's log, once there is time. On the loop."""
        busy = len(self._subscriptions) >= MAX_WAITING_SUBSCRIPTIONS or self._waiting >= MAX_WAITING
        if busy or self._stopping:
            self._sandbox.log_subscription(refused, _unexplained(BUSY_WITH_SUBSCRIPTIONS))
            return
        task = asyncio.get_running_loop().create_task(self._explain_subscription(refused))
        self._subscriptions.add(task)
        task.add_done_callback(self._subscriptions.discard)

    async def _explain_subscription(self, refused: UnauthorizedSubscription) -> None:
        try:
            diagnosis = await self.search(
                partial(self._sandbox.explain_subscription, refused), lambda: False
            )
        except NotSearched as why:
            diagnosis = _unexplained(str(why))
        self._sandbox.log_subscription(refused, diagnosis)

    async def search(self, search: Callable[[GoOn], Found], gone: Callable[[], bool]) -> Found:
        """What a search on the thread returns.

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

        def answer(found: Any) -> None:
            if not answered.done():  # it was cancelled, as the server stops
                answered.set_result(found)

        deadline = time.monotonic() + SEARCH_SECONDS
        self._jobs.put(
            _Job(search, deadline, gone, lambda found: loop.call_soon_threadsafe(answer, found))
        )
        self._waiting += 1
        try:
            found: Found | None = await answered
        finally:
            self._waiting -= 1
        if found is None:
            raise NotSearched(FAILED)
        return found

    def stop(self) -> None:
        """End the thread, within a step of its search."""
        self._stopping = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(STOP_SECONDS)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            found = None
            try:
                found = job.search(partial(self._go_on, job))
            except Exception:
                _log.exception("The search for the mistake in what was refused failed")
            if self._stopping:
                return
            job.answer(found)

    def _go_on(self, job: _Job) -> bool:
        """Let the loop run if it has something to do; then whether the search is still wanted."""
        # By itself Python hands its lock over every 5 ms only: others took 8 to 14 times as long.
        time.sleep(STEP_ASIDE_SECONDS)
        return not (self._stopping or job.gone() or time.monotonic() > job.deadline)


def _unexplained(why: str) -> Diagnosis:
    return Diagnosis(valid=False, unexplained=why, what="subscription")
