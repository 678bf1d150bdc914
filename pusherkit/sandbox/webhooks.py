"""Which webhooks are sent, when, and how often. Pure: a shell posts them, and says what came back.

The rules are those of Pusher's documentation, "Webhooks": a POST of JSON with `time_ms` and
`events`, signed in two headers; anything but an answer with 2xx, within 4 s, means that it wasn't
received, and it is sent again, the same bytes, with growing pauses for 5 minutes. That a channel is
empty, or a member gone, is told 3 s later, and not at all if somebody came back meanwhile.

A shell calls `take()` for the webhook that is to be posted now, and `answered()` with the outcome;
`wait()` says when to look again. Its `ticks` are seconds of a clock that only runs forward, and
`now` is Unix time.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from pusherkit.authorization import sign_webhook
from pusherkit.credentials import Credentials, is_local
from pusherkit.errors import PusherError
from pusherkit.events import to_json

BATCH_SECONDS = 0.25  # how long an event waits for others, at most (Pusher's help pages)
MAX_BATCH_EVENTS = 20  # in one webhook (the same)
DEPARTURE_SECONDS = 3.0  # before channel_vacated and member_removed are told (documentation)
ANSWER_SECONDS = 4.0  # for a receiver to answer in (help pages)
FIRST_RETRY_SECONDS = 1.0  # before the second attempt; doubled before each further one; ours
MAX_ATTEMPTS = 9  # these pauses are 255 s together, and the next one would lead beyond 5 minutes
MAX_WAITING_EVENTS = 1_000  # not received yet; ours, as is the next, so that memory stays bounded
MAX_WAITING_CHARACTERS = 4 * 1024 * 1024  # of them together, as JSON
MAX_URL_LENGTH = 2_000  # characters; ours
_SHOWN = 2  # events of a webhook that are named in one line

# The events that are told later, each with the one that makes it untrue.
_DEPARTURES = {"channel_vacated": "channel_occupied", "member_removed": "member_added"}
_UNDONE_BY = {arrival: departure for departure, arrival in _DEPARTURES.items()}

UNANSWERED = (
    f"No answer within {ANSWER_SECONDS:g} s. Answer with 200 first, and do the work afterwards."
)
NOT_2XX = "Only a 2xx answer means that it was received."
_MEANINGS = {
    3: "Redirects aren't followed: give this server the right address.",
    4: "The receiver refused it.",
    5: "The receiver failed: its own log says why.",
}
_REFUSED = {
    401: "If that was about the signature: take the raw body, and the secret of the app in "
    "X-Pusher-Key.",
    404: "Is the path right?",
    405: "Does that path take POST?",
}
_REFUSED[403] = _REFUSED[401]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One POST to your server, as it is sent."""

    time_ms: int
    """Unix milliseconds: when it was made. It stays the same when it is sent again."""
    body: bytes
    """JSON in UTF-8: {"time_ms":…,"events":[…]}."""
    key: str
    """X-Pusher-Key: the app key."""
    signature: str
    """X-Pusher-Signature: the hex HMAC-SHA256 of the body, keyed by the secret."""

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened, in its order; each has a name and a channel."""
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it is sent with."""
        return {
            "Content-Type": "application/json",
            "X-Pusher-Key": self.key,
            "X-Pusher-Signature": self.signature,
        }

    def __str__(self) -> str:
        events = self.events
        named = [f"{event['name']} {event['channel']}" for event in events[:_SHOWN]]
        more = len(events) - _SHOWN
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCall:
    """One entry of the log: an attempt to call your server, and what came of it."""

    time: float
    """Unix seconds, when the answer was there, or when it was clear that there is none."""
    webhook: Webhook
    attempt: int
    """1 for the first, up to MAX_ATTEMPTS."""
    status: int | None = None
    """Your server's answer; None where there was none."""
    problem: str = ""
    """Why there was no answer."""
    retry_after: float | None = None
    """Seconds until the next attempt; None where there is none."""
    dropped: int = 0
    """How many events were left out since the last call, because too many were waiting."""

    @property
    def delivered(self) -> bool:
        """Whether your server has received it: it answered with 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def note(self) -> str:
        """For people: what went wrong, and what happens next. A line each; empty if all is well."""
        lines = []
        if self.status is None:
            lines.append(self.problem)
        elif not self.delivered:
            meaning, hint = _MEANINGS.get(self.status // 100, ""), _REFUSED.get(self.status, "")
            said = [f"It answered {self.status}.", self.problem or meaning, hint, NOT_2XX]
            lines.append(" ".join(filter(None, said)))
        if self.retry_after is not None:
            lines.append(
                f"Attempt {self.attempt} of {MAX_ATTEMPTS}. The same bytes come again in "
                f"{self.retry_after:g} s."
            )
        elif not self.delivered:
            lines.append(f"Given up after {self.attempt} attempts: {_events(self.webhook)} lost.")
        if self.dropped:
            were = "event was" if self.dropped == 1 else "events were"
            lines.append(
                f"{self.dropped:,} {were} dropped before this, because too many were waiting for "
                f"your server (at most {MAX_WAITING_EVENTS:,} here)."
            )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A webhook that a shell has taken, and answers for with `answered()`."""

    webhook: Webhook
    attempt: int
    texts: tuple[str, ...]
    """Its events, as JSON."""


@dataclass(slots=True)
class _Noted:
    """An event that waits for its webhook. `due` is None until a shell has told the ticks."""

    text: str
    due: float | None = None


class Webhooks:
    """What is still to be told to your server, and since when.

    `departure_delay` is how many seconds pass before channel_vacated and member_removed are told;
    with 0 each is told, also where somebody comes back at once.
    """

    def __init__(
        self, credentials: Credentials, *, departure_delay: float = DEPARTURE_SECONDS
    ) -> None:
        self._credentials = credentials
        self._delay = departure_delay
        self.noted: Callable[[], None] = lambda: None
        """Called with each event that is noted, for a shell to look again."""
        self._events: deque[_Noted] = deque()
        self._departures: dict[tuple[str, str, str], _Noted] = {}
        self._again: list[tuple[float, Post]] = []  # each with its ticks
        self._waiting = self._characters = 0  # events, wherever they are
        self._taken = 0  # posts that a shell hasn't answered for yet
        self._dropped = 0

    @property
    def idle(self) -> bool:
        """Whether all that was noted has been posted and answered, be it well or badly."""
        return not (self._events or self._departures or self._taken)

    def note(self, event: Mapping[str, Any]) -> None:
        """Something happened: {"name": …, "channel": …} and what else belongs to it."""
        name, of = event["name"], (event["channel"], event.get("user_id", ""))
        back = self._departures.pop((_UNDONE_BY.get(name, ""), *of), None)
        if back is not None:
            self._let_go(back.text)
            return
        if (name, *of) in self._departures:
            return  # a connection that came meanwhile is gone already, and nobody was told
        # As on the wire: half a surrogate pair is written as \ud8….
        text = to_json(event).encode(errors="backslashreplace").decode()
        if (
            self._waiting >= MAX_WAITING_EVENTS
            or self._characters + len(text) > MAX_WAITING_CHARACTERS
        ):
            self._dropped += 1
            return
        self._waiting += 1
        self._characters += len(text)
        if name in _DEPARTURES and self._delay > 0:
            self._departures[name, *of] = _Noted(text)
        else:
            self._events.append(_Noted(text))
        self.noted()

    def take(self, ticks: float, *, now: float) -> Post | None:
        """The webhook that is to be posted now; None where there is none."""
        self._note_ticks(ticks)
        for place, (due, post) in enumerate(self._again):
            if due <= ticks:
                del self._again[place]
                self._taken += 1
                return replace(post, attempt=post.attempt + 1)
        full = len(self._events) >= MAX_BATCH_EVENTS
        if not (self._events and (full or _due(self._events[0]) <= ticks)):
            return None
        count = min(MAX_BATCH_EVENTS, len(self._events))
        texts = tuple(self._events.popleft().text for _ in range(count))
        time_ms = int(now * 1_000)
        body = f'{{"time_ms":{time_ms},"events":[{",".join(texts)}]}}'.encode()
        signed = sign_webhook(self._credentials, body)
        webhook = Webhook(
            time_ms=time_ms,
            body=body,
            key=signed["X-Pusher-Key"],
            signature=signed["X-Pusher-Signature"],
        )
        self._taken += 1
        return Post(webhook=webhook, attempt=1, texts=texts)

    def answered(
        self, post: Post, status: int | None, problem: str = "", *, ticks: float, now: float
    ) -> WebhookCall:
        """What came of a post: a status, or None and why. Returns it as an entry for the log."""
        dropped, self._dropped = self._dropped, 0
        self._taken -= 1
        call = WebhookCall(
            time=now,
            webhook=post.webhook,
            attempt=post.attempt,
            status=status,
            problem=problem,
            dropped=dropped,
        )
        if call.delivered or post.attempt >= MAX_ATTEMPTS:
            for text in post.texts:
                self._let_go(text)
            return call
        pause = FIRST_RETRY_SECONDS * 2 ** (post.attempt - 1)
        self._again.append((ticks + pause, post))
        return replace(call, retry_after=pause)

    def put_back(self, post: Post) -> None:
        """A shell stops before it knows what came of a post: it will be made again."""
        self._taken -= 1
        self._again.append((0.0, replace(post, attempt=post.attempt - 1)))

    def wait(self, ticks: float) -> float | None:
        """Seconds until there may be something to take; None where nothing is waiting."""
        self._note_ticks(ticks)
        dues = [due for due, _ in self._again]
        dues += [_due(first) for first in [*self._departures.values()][:1]]
        dues += [_due(first) for first in [*self._events][:1]]
        return max(0.0, min(dues) - ticks) if dues else None

    def _note_ticks(self, ticks: float) -> None:
        """Begin the waits of what is new, and end those of departures.

        In this order: what is new is at the end, until departures come behind it.
        """
        for event in reversed(self._events):
            if event.due is not None:
                break
            event.due = ticks + BATCH_SECONDS
        for departure in self._departures.values():
            if departure.due is None:
                departure.due = ticks + self._delay
        while self._departures and _due(next(iter(self._departures.values()))) <= ticks:
            departure = self._departures.pop(next(iter(self._departures)))
            self._events.append(replace(departure, due=ticks))

    def _let_go(self, text: str) -> None:
        self._waiting -= 1
        self._characters -= len(text)


def _due(event: _Noted) -> float:
    assert event.due is not None  # noqa: S101 - _note_ticks() came before
    return event.due


def _events(webhook: Webhook) -> str:
    count = len(webhook.events)
    return "its event is" if count == 1 else f"its {count} events are"


def check_webhook_url(credentials: Credentials, url: str) -> str:
    """Return the URL if webhooks may go there; raise PusherError if not.

    Only this machine is called: with what strangers do at the practice server, it would otherwise
    post to anywhere.
    """
    wanted = "webhook: expected a URL on this machine, such as http://127.0.0.1:5000/webhooks"
    # Without a password, nor the secret, and only then cut: a part of either looks like neither.
    shown = repr(credentials.hide(re.sub("//[^/]*@", "//…@", url))[:100])
    if len(url) > MAX_URL_LENGTH or not re.fullmatch(r"http://[!-~]+", url):
        raise PusherError(f"{wanted}, in ASCII and without spaces; got {shown}.")
    try:
        parts = urlsplit(url)
        host, port, named = parts.hostname or "", parts.port, parts.username is not None
    except ValueError as error:
        raise PusherError(f"{wanted}; got {shown}: {error}.") from None
    if not is_local(host):
        raise PusherError(
            f"{wanted}; got {shown}, which isn't. The practice server never calls another machine."
        )
    if named or port == 0:
        raise PusherError(f"{wanted}, with a port and without a user's name; got {shown}.")
    return url
