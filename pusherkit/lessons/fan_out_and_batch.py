"""Lesson 07, fan out and batch: many channels or many events in one request, and the limits."""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import ipywidgets

from pusherkit.errors import APIError, InvalidEvent
from pusherkit.events import (
    MAX_BATCH_EVENTS,
    MAX_CHANNELS,
    MAX_DATA_BYTES,
    Event,
    batch_body,
    event_body,
    to_json,
)
from pusherkit.lessons._exercise import Exercise, Feedback, FunctionExercise, Mistake
from pusherkit.lessons._interactive import Fact, Interactive, Prediction, View, button
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP, Practice
from pusherkit.lessons._progress import ProgressView
from pusherkit.sandbox import RawRequest, Sandbox
from pusherkit.signing import Request, Signature, body_digest, judge, sign
from pusherkit.subscriber import Message, Subscriber

NOTEBOOK = "07-fan-out-and-batch"
EVENTS_PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/events"
BATCH_PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/batch_events"


class Audience(Practice):
    """A practice server with one subscriber on each of some channels. `heard` is what arrived."""

    def __init__(self, channels: Iterable[str]) -> None:
        super().__init__()
        self.heard: list[Message] = []
        for channel in channels:
            self.subscribe(channel, on_message=self.heard.append)


# --- recall and prediction --------------------------------------------------------------------


def recall_path() -> Prediction:
    """From lesson 03: the path stands in the canonical string."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        body = event_body(Event.of("chat", "message", {"text": "hello"}))
        signed = sign(
            EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP
        )
        verdict = judge(
            EXAMPLE_CREDENTIALS,
            Request("POST", BATCH_PATH, signed.query, body),
            now=EXAMPLE_TIMESTAMP,
        )
        return verdict.failed.rule if verdict.failed else "none", (
            Fact("Signed", signed.canonical_string),
            Fact("The server's", verdict.canonical_string),
        )

    return Prediction(
        "Recall: a request is signed for /apps/3/events and sent to /apps/3/batch_events. "
        "Which rule fails?",
        {
            "none": "It would pass if the path were not signed.",
            "body_md5": "The body is the same, and so is its digest.",
            "auth_signature": "The path is the second line of the canonical string.",
        },
        run,
        "Each path has signatures of its own.",
    )


WAITED_SECONDS = 660  # eleven minutes


def recall_wait() -> Prediction:
    """From lesson 06: a signature grows old."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        body = event_body(Event.of("chat", "message", {"text": "hello"}))
        signed = sign(
            EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP
        )
        now = EXAMPLE_TIMESTAMP + WAITED_SECONDS
        verdict = judge(
            EXAMPLE_CREDENTIALS, Request("POST", EVENTS_PATH, signed.query, body), now=now
        )
        failed = verdict.failed
        return failed.rule if failed else "none", (Fact("Refusal", failed.error if failed else ""),)

    return Prediction(
        "Recall: a request is signed, then waits eleven minutes before it is sent. "
        "Which rule fails?",
        {
            "none": "It would pass after nine minutes.",
            "auth_timestamp": "The window is 600 seconds; eleven minutes are 660.",
            "auth_signature": "The signature still fits its canonical string. It is only too old.",
        },
        run,
        "Whoever waits must sign again before sending. This lesson needs that.",
    )


def predict() -> Prediction:
    """One channel over the limit: what do the first hundred get?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        plan = Plan(batch=False, count=MAX_CHANNELS + 1, size=len("hello"))
        sent = dispatch(plan)
        outcomes = {
            0: "Nobody hears it",
            MAX_CHANNELS: "The first 100 hear it",
            plan.count: "All 101 hear it",
        }
        return outcomes[len(sent.heard)], (
            Fact("Answer", _answer(sent)),
            Fact("At the subscribers", _arrivals(plan, sent)),
        )

    return Prediction(
        "Predict: one event names 101 channels, and 100 are allowed. Who hears it?",
        {
            "The first 100 hear it": "That would be a server that takes what fits. "
            "You could not tell who was left out.",
            "All 101 hear it": "That would be a limit that is none.",
            "Nobody hears it": "The request is one thing: all of it, or nothing.",
        },
        run,
        "The server reads the whole request before it delivers any of it. A rule that is broken "
        "refuses all of it.",
    )


# --- the dispatcher ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: one event to `count` channels, or a batch of `count` events."""

    batch: bool
    count: int
    size: int
    """Bytes of each event's data."""

    @property
    def path(self) -> str:
        return BATCH_PATH if self.batch else EVENTS_PATH

    @property
    def channels(self) -> list[str]:
        return [f"news-{number}" for number in range(1, self.count + 1)]

    def body(self) -> bytes:
        """The body as it would go out, whether or not it keeps the limits."""
        if not self.batch:
            event = {"name": "headline", "channels": self.channels, "data": "x" * self.size}
            return to_json(event).encode()
        batch = [
            {"channel": channel, "name": "headline", "data": self._data(number)}
            for number, channel in enumerate(self.channels, start=1)
        ]
        return to_json({"batch": batch}).encode()

    def check(self) -> InvalidEvent | None:
        """What the client says before it sends: the rule that is broken, or None."""
        try:
            if self.batch:
                batch_body(
                    Event.of(channel, "headline", self._data(number))
                    for number, channel in enumerate(self.channels, start=1)
                )
            else:
                event_body(Event.of(self.channels, "headline", "x" * self.size))
        except InvalidEvent as error:
            return error
        return None

    def one_by_one(self) -> int:
        """The bytes of all bodies, if every channel or event had a request of its own."""
        return sum(
            len(event_body(Event.of(channel, "headline", ""))) + self.size
            for channel in self.channels
        )

    def _data(self, number: int) -> str:
        """Another text for each event of a batch, all of the same size."""
        return f"{number} {'x' * self.size}"[: self.size]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a request."""

    status: int
    answer: dict[str, Any]
    heard: tuple[Message, ...]


def dispatch(plan: Plan) -> Sent:
    """Send a plan, unchecked, to a fresh server with a subscriber on each channel."""
    server = Audience(plan.channels)
    response = server.client.http.post(
        plan.path, content=plan.body(), headers={"Content-Type": "application/json"}
    )
    return Sent(response.status_code, response.json(), tuple(server.heard))


_SHOWN = 3  # subscribers that are listed


def _answer(sent: Sent) -> str:
    said = sent.answer["error"] if "error" in sent.answer else json.dumps(sent.answer)
    return f"{sent.status} {said}"


def _arrivals(plan: Plan, sent: Sent) -> str:
    """How many subscribers heard something, and the first few of them."""
    lines = [f"{len(sent.heard)} of {plan.count} heard something"]
    lines += [
        f'{message.channel}: event "{message.event}", data {_cut(message.data)}'
        for message in sent.heard[:_SHOWN]
    ]
    if len(sent.heard) > _SHOWN:
        lines.append(f"and {len(sent.heard) - _SHOWN} more")
    return "\n".join(lines)


def _cut(data: str) -> str:
    """The beginning of a text of one byte a character."""
    return data if len(data) <= 24 else f"{data[:24]}… ({len(data):,} bytes)"


def plan_view(plan: Plan, outcome: InvalidEvent | Sent | None) -> View:
    """A plan and what came of it: refused by the client, answered by the server, or not sent."""
    body = plan.body()
    facts = [
        Fact("Body", body[:200].decode() + "…" * (len(body) > 200), f"{len(body):,} bytes"),
        Fact("Digest", f"body_md5 = {body_digest(body)}"),
        Fact("Send", f"1 request, {len(body):,} bytes of body: POST {plan.path}"),
        Fact("One by one", f"{plan.count} requests, {plan.one_by_one():,} bytes of bodies"),
    ]
    match outcome:
        case None:
            facts += [Fact("Answer", "(nothing yet)"), Fact("At the subscribers", "(nothing yet)")]
            status, good = "Ready. Press Send.", None
        case InvalidEvent():
            facts += [
                Fact("Before sending", f"InvalidEvent: {outcome}"),
                Fact("Answer", "(none: no request went out)"),
                Fact("At the subscribers", "(nothing)"),
            ]
            status, good = "Refused by the client, before sending.", False
        case Sent():
            facts += [
                Fact("Answer", _answer(outcome)),
                Fact("At the subscribers", _arrivals(plan, outcome)),
            ]
            status, good = "Accepted: one request, one signature, every subscriber.", True
            if outcome.status != 200:
                status, good = "Refused by the server: all of it. Nobody heard anything.", False
    return View("One request, many receivers", tuple(facts), status, good)


FAN_OUT = "One event, many channels"
BATCH = "A batch of events"
_FIRST_COUNT = 10
_FIRST_SIZE = 16
MAX_SHOWN_SIZE = 200_000  # bytes of data in the dispatcher: enough to break the limit


class Dispatcher(Interactive):
    """Choose what goes into one request, send it, and count who hears it."""

    def __init__(self) -> None:
        self._outcome: InvalidEvent | Sent | None = None
        self.kind = ipywidgets.ToggleButtons(
            options=[FAN_OUT, BATCH],
            description="Request",
            style={"description_width": "7rem", "button_width": "13rem"},
            layout=ipywidgets.Layout(display="flex", flex_flow="row wrap", width="auto"),
        )
        self.channels = _number("Channels", _FIRST_COUNT, 120)
        self.events = _number("Events", MAX_BATCH_EVENTS, 12)
        self.size = _number("Bytes of data", _FIRST_SIZE, MAX_SHOWN_SIZE)
        self.unchecked = ipywidgets.Checkbox(
            value=False,
            description="Send it even if the client's check fails",
            indent=False,
            layout=ipywidgets.Layout(width="auto", margin="2px 0 2px 7.3rem"),
        )
        for control in (self.kind, self.channels, self.events, self.size, self.unchecked):
            control.observe(lambda _: self._change(), names="value")
        self.button = button("Send", self.send, "Send one request to the practice server")
        self.events.layout.display = "none"
        plan = Plan(batch=False, count=_FIRST_COUNT, size=_FIRST_SIZE)
        numbers = ipywidgets.HBox(
            [self.channels, self.events, self.size, self.button],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        super().__init__(
            [self.kind, numbers, self.unchecked],
            lambda: plan_view(self.plan(), self._outcome),
            twin=plan_view(plan, dispatch(plan)),
        )

    def plan(self) -> Plan:
        """What the controls say."""
        batch = self.kind.value == BATCH
        count = self.events.value if batch else self.channels.value
        return Plan(batch=batch, count=count, size=self.size.value)

    def _change(self) -> None:
        batch = self.kind.value == BATCH
        self.channels.layout.display = "none" if batch else None
        self.events.layout.display = None if batch else "none"
        self._outcome = None
        self.refresh()

    def send(self) -> None:
        """What the button does."""
        plan = self.plan()
        refused = None if self.unchecked.value else plan.check()
        self._outcome = refused or dispatch(plan)
        self.refresh()


def _number(label: str, value: int, most: int) -> ipywidgets.BoundedIntText:
    return ipywidgets.BoundedIntText(
        value=value,
        min=0,
        max=most,
        description=label,
        # Told once, when the field is left: a value that is still on its way while a button is
        # pressed would come after the press.
        continuous_update=False,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="15rem"),
    )


def dispatcher() -> Dispatcher:
    """One request to many channels, or with many events."""
    return Dispatcher()


# --- the rate limit ---------------------------------------------------------------------------

MAX_TRIES = 20  # of one BusyServer; nobody needs as many, and an endless loop ends


class TooManyTries(Exception):
    """Ends the loop of whoever never stops sending."""


@dataclass(frozen=True, slots=True)
class Try:
    """One request to a BusyServer, and the answer."""

    at: float
    """Seconds since the server's clock began."""
    text: str
    signed_at: str
    status: int
    retry_after: int | None
    """Seconds to wait, from the header Retry-After; None where the answer has none."""


class BusyServer:
    """A practice server with a rate limit. Its clock moves only when somebody waits.

    `rivals` other requests of the same app come first: one now, one after each wait. The limit
    is the app's, so they use it up too.
    """

    def __init__(self, rate: float, rivals: int = 0) -> None:
        self._sandbox = Sandbox(EXAMPLE_CREDENTIALS, rate=rate)
        self._rivals = rivals
        self._elapsed = 0.0
        self.tries: list[Try] = []
        self.heard: list[Message] = []
        Subscriber.attached(self._sandbox, "queue", on_message=self.heard.append)
        self._rival()

    def __repr__(self) -> str:
        return f"<BusyServer, {len(self.tries)} tries so far>"

    def now(self) -> int:
        """The time in whole Unix seconds."""
        return int(EXAMPLE_TIMESTAMP + self._elapsed)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < 1e6:
            raise ValueError(f"wait: expected a number of seconds, got {seconds!r}.")
        self._elapsed += seconds
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
                "send: expected a signature, such as server.sign() returns; "
                f"got {type(signature).__name__}."
            )
        if len(self.tries) == MAX_TRIES:
            raise TooManyTries
        reply = self._sandbox.handle(_request(signature, text), now=self._now())
        headers = dict(reply.headers)
        made = Try(
            at=self._elapsed,
            text=text,
            signed_at=dict(signature.params)["auth_timestamp"],
            status=reply.status,
            retry_after=int(headers["Retry-After"]) if "Retry-After" in headers else None,
        )
        self.tries.append(made)
        return made

    def _now(self) -> float:
        return EXAMPLE_TIMESTAMP + self._elapsed

    def _rival(self) -> None:
        if self._rivals:
            self._rivals -= 1
            self._sandbox.handle(_request(self.sign("rival"), "rival"), now=self._now())


def _queued(text: str) -> bytes:
    channel = "elsewhere" if text == "rival" else "queue"
    return event_body(Event.of(channel, "job", text))


def _request(signature: Signature, text: str) -> RawRequest:
    target = f"{EVENTS_PATH}?{urlencode(signature.query)}"
    return RawRequest(method="POST", target=target.encode(), body=_queued(text))


RATE = 2  # requests per second in the widget
BURST = 5  # events that it sends


def burst(wait: float, *, back_off: bool = False) -> BusyServer:
    """Send five events, `wait` seconds between two. On 429: drop the event, or back off."""
    server = BusyServer(RATE)
    for number in range(1, BURST + 1):
        text = str(number)
        if number > 1:
            server.wait(wait)
        answer = server.send(server.sign(text), text)
        while back_off and answer.retry_after is not None:
            server.wait(answer.retry_after)
            answer = server.send(server.sign(text), text)
    return server


def timeline(tries: Iterable[Try]) -> str:
    """A line for each try: when, what, the answer."""
    lines, seen = [], set()
    for each in tries:
        again = " again" if each.text in seen else ""
        seen.add(each.text)
        retry = "" if each.retry_after is None else f", Retry-After: {each.retry_after}"
        lines.append(
            f"{each.at:5.2f} s   event {each.text}{again:<6}   signed at {each.signed_at}   "
            f"{each.status}{retry}"
        )
    return "\n".join(lines)


def burst_view(how: str, server: BusyServer) -> View:
    """What came of five events."""
    arrived = [message.data for message in server.heard]
    lost = BURST - len(arrived)
    took = server.tries[-1].at
    facts = (
        Fact("The limit", f"{RATE} requests per second, for the whole app"),
        Fact("How", how),
        Fact("Answers", timeline(server.tries)),
        Fact("Requests", f"{len(server.tries)}, of which the server refused {_refused(server)}"),
        Fact("At the subscriber", f"{len(arrived)} of {BURST}: events {', '.join(arrived)}"),
    )
    if lost:
        said = f"{lost} of {BURST} events are lost: refused, and not sent again."
        return View("Five events and a rate limit", facts, said, False)
    said = f"All {BURST} events arrived, the last after {took:g} s."
    return View("Five events and a rate limit", facts, said, True)


def _refused(server: BusyServer) -> int:
    return sum(each.status != 200 for each in server.tries)


_AT_ONCE = "all at once"
_BACKING_OFF = "all at once; on 429 wait as long as Retry-After says, sign anew, send again"


class RateLimit(Interactive):
    """Send five events at once, with a wait between them, or backing off. No time passes here."""

    def __init__(self) -> None:
        self.wait = _number("Wait, in ms", 300, 5_000)
        self.at_once = button("Send 5 at once", lambda: self._show(_AT_ONCE, 0))
        self.spaced = button("Send 5 with the wait", self.send_spaced)
        self.backing = button("Send 5 and back off", lambda: self._show(_BACKING_OFF, 0, True))
        self._shown = burst_view(_AT_ONCE, burst(0))
        line = ipywidgets.HBox(
            [self.at_once, self.wait, self.spaced, self.backing],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        super().__init__([line], lambda: self._shown, twin=burst_view(_AT_ONCE, burst(0)))

    def send_spaced(self) -> None:
        """What the second button does."""
        self._show(f"{self.wait.value:,} ms between two", self.wait.value / 1000)

    def _show(self, how: str, wait: float, back_off: bool = False) -> None:
        self._shown = burst_view(how, burst(wait, back_off=back_off))
        self.refresh()


def rate_limit() -> RateLimit:
    """Five events against a limit of two requests per second."""
    return RateLimit()


# --- the exercises ----------------------------------------------------------------------------


def _fewest(things: int, most: int) -> int:
    return math.ceil(things / most)


def _bytes_of(text: str) -> int:
    return len(text.encode())


def _some_load(chance: random.Random) -> tuple[list[str], list[str]]:
    """Channels in full hundreds; texts that do not fill their last batch, and some too big."""
    channels = [f"team-{number}" for number in range(100 * chance.randint(2, 6))]
    fit = 10 * chance.randint(1, 3) + 9
    texts = [f"note {number}" for number in range(fit - 1)] + ["x" * MAX_DATA_BYTES]
    texts += ["☕" * chance.randint(40_000, 60_000), "x" * (MAX_DATA_BYTES + 1)]
    chance.shuffle(texts)
    return channels, texts


def _load(channels: list[str], texts: list[str]) -> tuple[int, int, int]:
    fit = [text for text in texts if _bytes_of(text) <= MAX_DATA_BYTES]
    return (
        _fewest(len(channels), MAX_CHANNELS),
        _fewest(len(fit), MAX_BATCH_EVENTS),
        len(texts) - len(fit),
    )


def _load_with(
    channels: list[str], texts: list[str], *, fits: Any = None, fewest: Any = _fewest
) -> tuple[int, int, int]:
    """As _load, with one step done in another way: the mistakes."""
    fits = fits or (lambda text: _bytes_of(text) <= MAX_DATA_BYTES)
    fit = [text for text in texts if fits(text)]
    return fewest(len(channels), 100), fewest(len(fit), 10), len(texts) - len(fit)


prove_it = FunctionExercise(
    name="fan_out_and_batch.prove_it",
    task="The fewest requests for the channels, the fewest for the texts, and the texts too big.",
    given=_some_load,
    right=_load,
    mistakes=(
        Mistake(
            lambda channels, texts: _load_with(
                channels, texts, fits=lambda text: len(text) <= MAX_DATA_BYTES
            ),
            "You measured data in characters. The limit is 102,400 bytes: of é 2, of ☕ 3 each.",
        ),
        Mistake(
            lambda channels, texts: _load_with(
                channels, texts, fits=lambda text: _bytes_of(text) < MAX_DATA_BYTES
            ),
            "A text of exactly 102,400 bytes is allowed. The limit is a maximum.",
        ),
        Mistake(
            lambda channels, texts: _load_with(channels, texts, fewest=lambda n, most: n // most),
            "You rounded down. What does not fill a request needs one all the same.",
        ),
        Mistake(
            lambda channels, texts: _load_with(
                channels, texts, fewest=lambda n, most: n // most + 1
            ),
            "Where the last request is exactly full, you count one more, with nothing in it.",
        ),
        Mistake(
            lambda channels, texts: (
                *_load_with(channels, texts, fits=lambda text: True)[:2],
                _load(channels, texts)[2],
            ),
            "You left texts that are too big in the batches. One of them refuses its whole batch.",
        ),
    ),
    hints=(
        "First leave out what is too big, measured in bytes. Then divide, and round up.",
        "math.ceil(7 / 3) is 3: seven things, three at a time, need three rounds.",
    ),
    solution=(
        "def prove_it(channels: list[str], texts: list[str]) -> tuple[int, int, int]:\n"
        "    fit = [text for text in texts if len(text.encode()) <= 102_400]\n"
        "    too_big = len(texts) - len(fit)\n"
        "    return math.ceil(len(channels) / 100), math.ceil(len(fit) / 10), too_big\n\n"
        "A request holds 100 channels or 10 events; each event's data 102,400 bytes of UTF-8.\n"
        "Now count the requests if every channel and every text had one of its own."
    ),
)


# Each check draws one list of each kind, as it draws three: exactly full, with a rest, short.
_KINDS = itertools.cycle(("full", "rest", "short"))


def _some_length(chance: random.Random, most: int) -> int:
    match next(_KINDS):
        case "full":
            return most * chance.randint(2, 4)
        case "rest":
            return most * chance.randint(2, 4) + chance.randint(1, most - 1)
        case _:
            return chance.randint(2, most - 1)


def _some_names(chance: random.Random) -> tuple[list[str]]:
    word = chance.choice(("room", "desk", "ward", "line"))
    return ([f"{word}-{number}" for number in range(_some_length(chance, MAX_CHANNELS))],)


def _slices(things: list[Any], step: int, width: int) -> list[list[Any]]:
    return [things[start : start + width] for start in range(0, len(things), step)]


split = FunctionExercise(
    name="fan_out_and_batch.split",
    task="Lists of at most 100 channels, as few as possible, in the given order.",
    given=_some_names,
    right=lambda names: _slices(names, 100, 100),
    mistakes=(
        Mistake(
            lambda names: _slices(names, 101, 101),
            "Your lists hold 101. The limit is 100, and one too many refuses the whole request.",
        ),
        Mistake(
            lambda names: _slices(names, 99, 99),
            "Your lists hold 99. That is allowed, but 100 fit: you send more requests than needed.",
        ),
        Mistake(
            lambda names: _slices(names, 100, 99),
            "Every hundredth channel is missing. A slice ends before its second number: "
            "names[0:100] holds 100.",
        ),
        Mistake(
            lambda names: _slices(names[: len(names) // 100 * 100], 100, 100),
            "The rest is missing: the channels after the last full hundred.",
        ),
        Mistake(
            lambda names: [names[start : start + 100] for start in range(0, len(names) + 1, 100)],
            "Where the last list is exactly full, you add an empty one. A request without "
            "channels is refused.",
        ),
        Mistake(
            lambda names: [[name] for name in names],
            "This is one request for each channel. One request takes 100 of them.",
        ),
    ),
    hints=(
        "Each start has its list: from there, the next hundred names.",
        "letters = 'abcdefg'; [letters[start:start + 3] for start in range(0, 7, 3)] is "
        "['abc', 'def', 'g'].",
    ),
    solution=(
        "def split(names: list[str]) -> list[list[str]]:\n"
        "    starts = range(0, len(names), 100)\n"
        "    return [names[start : start + 100] for start in starts]\n\n"
        "A slice that reaches beyond the end stops there, so the rest needs no case of its own.\n"
        "Now write it for any limit: split(names, most)."
    ),
)


def _some_events(chance: random.Random) -> tuple[list[dict[str, str]]]:
    channel = chance.choice(("orders", "alarms", "scores"))
    return (
        [
            {"channel": channel, "name": "update", "data": f"{number} of {chance.randint(9, 99)}"}
            for number in range(_some_length(chance, MAX_BATCH_EVENTS))
        ],
    )


def _wrapped(slices: list[list[Any]]) -> list[dict[str, Any]]:
    return [{"batch": each} for each in slices]


batches = FunctionExercise(
    name="fan_out_and_batch.batches",
    task='Bodies of the form {"batch": […]}, each with at most 10 events, as few as possible.',
    given=_some_events,
    right=lambda events: _wrapped(_slices(events, 10, 10)),
    mistakes=(
        Mistake(
            lambda events: _slices(events, 10, 10),
            'The lists are right. The body is an object around each: {"batch": […]}.',
        ),
        Mistake(
            lambda events: {"batch": events},
            "This is one batch with all events. More than 10 refuse the whole batch.",
        ),
        Mistake(
            lambda events: _wrapped(_slices(events, 11, 11)),
            "Your batches hold 11. The limit is 10, and one too many refuses the whole batch.",
        ),
        Mistake(
            lambda events: _wrapped(_slices(events[: len(events) // 10 * 10], 10, 10)),
            "The rest is missing: the events after the last full batch.",
        ),
        Mistake(
            lambda events: _wrapped([events[:10]]),
            "This sends the first ten and forgets the others.",
        ),
        Mistake(
            lambda events: _wrapped([[event] for event in events]),
            "This is one request for each event. A batch takes 10 of them.",
        ),
    ),
    hints=(
        "Two steps: cut the list into tens, as in exercise 1; put each ten into an object.",
        "[{'page': words[at:at + 2]} for at in range(0, 4, 2)] makes two objects of four words.",
    ),
    solution=(
        "def batches(events: list[dict]) -> list[dict]:\n"
        "    starts = range(0, len(events), 10)\n"
        '    return [{"batch": events[start : start + 10]} for start in starts]\n\n'
        "Each event keeps its own channel and name. What they share is the request.\n"
        "Now say how many signatures 35 events need, and check it with len(batches(…))."
    ),
)


_WORDS = ("Łódź", "café", "東京", "naïve", "5 €", "plain")


def _some_data(chance: random.Random) -> tuple[str]:
    """JSON, with quotes in it and with characters outside ASCII."""
    words = ["☕", *chance.sample(_WORDS, 2)]
    return (
        json.dumps({"text": " ".join(words), "id": chance.randint(1, 999)}, ensure_ascii=False),
    )


size = FunctionExercise(
    name="fan_out_and_batch.size",
    task="The size of an event's data, as its limit counts it.",
    given=_some_data,
    right=_bytes_of,
    mistakes=(
        Mistake(len, "These are characters. The limit counts bytes of UTF-8; ☕ has three."),
        Mistake(
            sys.getsizeof,
            "This is what the object takes up in Python's memory. It has nothing to do with "
            "what goes over the wire.",
        ),
        Mistake(
            lambda data: sys.getsizeof(data.encode()),
            "This is the memory of a Python object that holds the bytes. Count the bytes: len.",
        ),
        Mistake(
            lambda data: len(json.dumps(data, ensure_ascii=False).encode()),
            "You encoded as JSON what is JSON already, so you count quotes and backslashes more.",
        ),
        Mistake(
            lambda data: len(json.dumps(data).encode()),
            "You encoded as JSON what is JSON already, and with \\u escapes besides.",
        ),
        Mistake(
            lambda data: len(data.encode("utf-16")),
            "These are bytes of UTF-16. On the wire it is UTF-8.",
        ),
    ),
    hints=(
        "data is text that is ready to send. How many bytes is it on the wire?",
        "len('é'.encode('utf-8')) is 2.",
    ),
    solution=(
        "def size(data: str) -> int:\n"
        '    return len(data.encode("utf-8"))\n\n'
        "Text has characters, the wire has bytes. Limits of a wire are in bytes.\n"
        "Now find the longest run of ☕ that still fits into 102,400 bytes."
    ),
)


# --- an exercise on behaviour: what a function does to servers, not what it returns ------------


class _BackOff(Exercise):
    """Three servers at each check, fresh and seeded: one at rest, one busy, one busier.

    They ask for waits that are longer than a signature lives.
    """

    def __init__(self, **given: Any) -> None:
        self._checks = 0
        self._waits = (700, 900)
        super().__init__(perform=self._run, judge=_judge_tries, **given)

    def check(self, answer: Any) -> Feedback:
        self._checks += 1
        chance = random.Random(f"{self.name} {self._checks}")  # noqa: S311 - no secret
        self._waits = (chance.randint(620, 1_800), chance.randint(620, 1_800))
        return super().check(answer)

    def _run(self, answer: Any) -> Any:
        one, two = self._waits
        done = []
        for server in (BusyServer(RATE), BusyServer(1 / one, 1), BusyServer(1 / two, 2)):
            try:
                if answer(server) is ...:
                    return ...
            except TooManyTries:
                pass
            done.append(tuple(server.tries))
        return done


def _judge_tries(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    for tries in done:
        if (wrong := _wrong_with(tries)) is not None:
            return wrong, (Fact("Your tries", timeline(tries) or "(none)"),)
    return None


def _wrong_with(tries: tuple[Try, ...]) -> str | None:
    if not tries:
        return "Nothing was sent. Call server.send(server.sign())."
    for before, after in itertools.pairwise(tries):
        if before.status == 200:
            return "The event was accepted, and you sent it again. Subscribers hear it twice."
        waited = after.at - before.at
        if before.retry_after is not None and waited < before.retry_after:
            return f"The server asked for {before.retry_after} s. You came back after {waited:g} s."
    if tries[-1].status == 429:
        return "The last answer is 429, so the event never arrived."
    if tries[-1].status != 200:
        return f"The last answer is {tries[-1].status}, so the event never arrived."
    return None


def _backing_off(server: BusyServer) -> int:
    answer = server.send(server.sign())
    while answer.retry_after is not None:
        server.wait(answer.retry_after)
        answer = server.send(server.sign())
    return answer.status


def _never_waiting(server: BusyServer) -> None:
    while server.send(server.sign()).status == 429:
        pass


def _waiting_a_second(server: BusyServer) -> None:
    while server.send(server.sign()).status == 429:
        server.wait(1)


def _trying_twice(server: BusyServer) -> None:
    answer = server.send(server.sign())
    if answer.retry_after is not None:
        server.wait(answer.retry_after)
        server.send(server.sign())


def _signing_once(server: BusyServer) -> None:
    signature = server.sign()
    answer = server.send(signature)
    while answer.retry_after is not None:
        server.wait(answer.retry_after)
        answer = server.send(signature)


back_off = _BackOff(
    name="fan_out_and_batch.back_off",
    task="An event arrives once at a busy server that says how long to wait.",
    right=_backing_off,
    mistakes=(
        Mistake(
            lambda server: server.send(server.sign()),
            "You gave up at the first 429. It means: not now. The server says when.",
        ),
        Mistake(
            _never_waiting,
            "You sent again without waiting. Every try is one more request over the limit.",
        ),
        Mistake(
            _waiting_a_second,
            "You waited one second each time. The server names the wait: answer.retry_after.",
        ),
        Mistake(
            _trying_twice,
            "The second try can meet a 429 as well: the limit is the app's, and others send too. "
            "Repeat until the answer is no 429.",
        ),
        Mistake(
            _signing_once,
            "You sent the old signature again. After the wait its timestamp was over 600 s old, "
            "and the server answered 401. Sign anew before each try.",
        ),
    ),
    hints=(
        "As long as the answer is a 429: wait as long as it says, sign, send.",
        "A loop of the same shape, for a door: answer = knock(); then "
        "while answer.busy: sleep(answer.minutes); answer = knock().",
    ),
    solution=(
        "def back_off(server):\n"
        "    answer = server.send(server.sign())\n"
        "    while answer.status == 429:\n"
        "        server.wait(answer.retry_after)\n"
        "        answer = server.send(server.sign())\n"
        "    return answer.status\n\n"
        "A 429 was not published, so sending it again cannot deliver twice.\n"
        "Now give up after five tries, and say so with an exception."
    ),
)


# --- find, explain, fix -----------------------------------------------------------------------


def broken_publish(client: Any, events: list[Event]) -> None:
    """Publish events in batches. One of the lines is wrong."""
    try:
        client.trigger_batch(events)
    except InvalidEvent:
        client.trigger_batch(events[:10])


@dataclass(frozen=True, slots=True)
class _Published:
    """What a learner's function caused on a fresh practice server."""

    wanted: tuple[str, ...]
    heard: tuple[str, ...]
    requests: int
    refusal: str


_COUNTS = (4, 20, 27)  # events: less than a batch, full batches, and a rest


def _publish(answer: Any) -> Any:
    done = []
    for count in _COUNTS:
        server = Audience(["orders"])
        events = [Event.of("orders", "order", {"number": number}) for number in range(count)]
        refusal = ""
        try:
            if answer(server.client, list(events)) is ...:
                return ...
        except (InvalidEvent, APIError) as error:
            refusal = str(error)
        heard = tuple(message.data for message in server.heard)
        wanted = tuple(event.data for event in events)
        done.append(_Published(wanted, heard, len(server.sandbox.log), refusal))
    return done


def _judge_published(done: list[_Published]) -> tuple[str, tuple[Fact, ...]] | None:
    for each in done:
        if each.refusal:
            return "A request was refused. Read the reason.", (Fact("Reason", each.refusal),)
        if each.heard != each.wanted:
            missing = len(set(each.wanted) - set(each.heard))
            said = f"{len(each.wanted)} events, of which {missing} never arrived."
            if not missing:
                said = "Every event arrived, but not once each and in order."
            return said, (Fact("Arrived", "\n".join(each.heard) or "(nothing)"),)
        if each.requests > (fewest := _fewest(len(each.wanted), MAX_BATCH_EVENTS)):
            return (
                f"All arrived, in {each.requests} requests. {fewest} would do for "
                f"{len(each.wanted)} events.",
                (),
            )
    return None


def _mended_publish(client: Any, events: list[Event], step: int = 10) -> None:
    for start in range(0, len(events), step):
        client.trigger_batch(events[start : start + step])


mend = Exercise(
    name="fan_out_and_batch.mend",
    task="Every event arrives once and in order, in as few batches as possible.",
    perform=_publish,
    judge=_judge_published,
    right=_mended_publish,
    mistakes=(
        Mistake(
            broken_publish,
            "This still drops the events after the tenth, and nobody is told. "
            "A limit asks for more requests, not for fewer events.",
        ),
        Mistake(
            lambda client, events: [
                client.trigger(event.channels, event.name, event.data) for event in events
            ],
            "All arrive, but each event has a request of its own. A batch takes ten.",
        ),
        Mistake(
            lambda client, events: _mended_publish(client, events, 11),
            "Your batches hold 11. The client refuses the first before sending.",
        ),
        Mistake(
            lambda client, events: client.trigger_batch(events),
            "This is one batch, however many events there are. Over ten, the client refuses it.",
        ),
    ),
    hints=(
        "What becomes of the eleventh event?",
        "for at in range(0, len(pages), 2): bind(pages[at:at + 2]) leaves no page out.",
    ),
    solution=(
        "def publish(client, events):\n"
        "    for start in range(0, len(events), 10):\n"
        "        client.trigger_batch(events[start : start + 10])\n\n"
        "No exception to catch: what is sent keeps the limit, and all of it is sent.\n"
        "Now let it return how many requests it made."
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
