"""A practice server that is busy, and whose clock moves only when somebody waits.

For lessons about time and limits: hours pass in no time, and the same way for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from pusherkit.events import Event, event_body
from pusherkit.lessons.kit.practice import EVENTS_PATH, EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.sandbox.api import RawRequest, Sandbox
from pusherkit.signing import Signature, sign
from pusherkit.subscriber import Message, Subscriber

MAX_TRIES = 20  # of one BusyServer: no exercise needs as many, and an endless loop ends
MAX_WAIT_SECONDS = 1e6  # in one call; eleven days


class TooManyTries(Exception):
    """Ends a loop that never stops sending."""

    def __init__(self, status: int) -> None:
        answered = f"the last one answered {status}"
        super().__init__(f"{MAX_TRIES} requests sent, {answered}. When does your loop end?")


@dataclass(frozen=True, slots=True)
class Try:
    """One request to a BusyServer, and the answer."""

    at: float
    """Seconds since the server's clock began."""
    text: str
    signed_at: int
    """The auth_timestamp that was signed, in Unix seconds."""
    status: int
    """200; 401 for a signature that is too old; 429 over the rate limit; 503 while it is busy."""
    retry_after: int | None
    """Seconds to wait, from the header Retry-After; None where the answer has none."""


class BusyServer:
    """A practice server with a limit, and a subscriber that listens on the channel "queue".

    `rate` is how many requests a second it takes, None for any number. `rivals` other requests of
    the same app come first: one now, and one after each wait; they use up the rate as well. For
    the first `busy_seconds` it answers 503 to everything.
    """

    def __init__(
        self, *, rate: float | None = None, rivals: int = 0, busy_seconds: float = 0
    ) -> None:
        self.sandbox = Sandbox(EXAMPLE_CREDENTIALS, rate=rate)
        self.tries: list[Try] = []
        self.waits: list[float] = []
        self.heard: list[Message] = []
        self._rivals = rivals
        self._busy_seconds = busy_seconds
        self._elapsed = 0.0
        Subscriber.attached(self.sandbox, "queue", on_message=self.heard.append)
        self._rival()

    def __repr__(self) -> str:
        return f"<BusyServer, {len(self.tries)} tries so far>"

    def now(self) -> int:
        """The time in whole Unix seconds."""
        return int(EXAMPLE_TIMESTAMP + self._elapsed)

    def wait(self, seconds: float) -> None:
        """Let time pass. Nothing really waits."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < MAX_WAIT_SECONDS:
            raise ValueError(f"wait: expected a number of seconds, got {seconds!r}.")
        self._elapsed += seconds
        self.waits.append(seconds)
        self._rival()

    def sign(self, text: str = "event") -> Signature:
        """Sign a request that carries a text, at the present time."""
        return sign(
            EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=_queued(text), timestamp=self.now()
        )

    def send(self, signature: Signature, text: str = "event") -> Try:
        """Send the request that was signed, and return the answer."""
        if not isinstance(signature, Signature):
            raise TypeError(
                "send: expected a signature, such as server.sign() returns, and got "
                f"{type(signature).__name__}."
            )
        if len(self.tries) == MAX_TRIES:
            raise TooManyTries(self.tries[-1].status)
        status, retry_after = self._answer(signature, text)
        signed_at = int(dict(signature.params)["auth_timestamp"])
        made = Try(self._elapsed, text, signed_at, status, retry_after)
        self.tries.append(made)
        return made

    def _answer(self, signature: Signature, text: str) -> tuple[int, int | None]:
        if self._elapsed < self._busy_seconds:
            return 503, None
        target = f"{EVENTS_PATH}?{urlencode(signature.query)}"
        raw = RawRequest(method="POST", target=target.encode(), body=_queued(text))
        reply = self.sandbox.handle(raw, now=EXAMPLE_TIMESTAMP + self._elapsed)
        after = dict(reply.headers).get("Retry-After")
        return reply.status, None if after is None else int(after)

    def _rival(self) -> None:
        if self._rivals:
            self._rivals -= 1
            self._answer(self.sign("rival"), "rival")


def _queued(text: str) -> bytes:
    channel = "elsewhere" if text == "rival" else "queue"
    return event_body(Event.of(channel, "job", text))
