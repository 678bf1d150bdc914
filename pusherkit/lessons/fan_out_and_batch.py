"""Lesson 07, fan out and batch: Black Friday, and every page wants to know."""

import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

from pusherkit.client import Client
from pusherkit.errors import AuthenticationError, InvalidEvent
from pusherkit.events import (
    MAX_BATCH_EVENTS,
    MAX_CHANNELS,
    MAX_DATA_BYTES,
    Event,
    batch_body,
    event_body,
    to_json,
)
from pusherkit.lessons.kit import (
    BATCH_PATH,
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Explorer,
    Fact,
    Lesson,
    Picture,
    Practice,
    View,
    Wrong,
    button,
    choice,
    number,
    practice,
    shown,
    slider,
    tick,
)
from pusherkit.lessons.kit.busy import BusyServer, Try
from pusherkit.lessons.kit.picture import boxes, group, line, path, text
from pusherkit.signing import sign, verify
from pusherkit.subscriber import Message

lesson = Lesson("07-fan-out-and-batch", stages=(1, 6))
map, recall = lesson.map, lesson.recall_card
practice = practice


# --- recall and prediction ----------------------------------------------------------------------

HELLO = event_body(Event.of("order-41", "status", {"status": "delayed"}))


def _check_that_fails(path: str, *, seconds_later: int = 0) -> tuple[str, Fact]:
    """Sign HELLO for EVENTS_PATH, send it to a path some time later: the check that fails."""
    signed = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=HELLO, timestamp=EXAMPLE_TIMESTAMP)
    now = EXAMPLE_TIMESTAMP + seconds_later
    try:
        verify(EXAMPLE_CREDENTIALS, "POST", path, signed.query, HELLO, now=now)
    except AuthenticationError as error:
        return error.reason, Fact("The server", str(error))
    return "none", Fact("The server", "accepted")


@lesson.recall(
    "A request is signed for /apps/3/events and sent to /apps/3/batch_events. Which check fails?",
    {
        "body_md5": "The body didn't change, so neither did its hash.",
        "none": "It would pass if the path weren't signed.",
        "auth_signature": "The path is the second line of the canonical string.",
    },
    why="A signature is good for one path. For another you sign again.",
)
def another_path() -> tuple[str, Fact]:
    return _check_that_fails(BATCH_PATH)


@lesson.recall(
    "A request is signed, and then waits eleven minutes before it's sent. Which check fails?",
    {
        "auth_timestamp": "The window is 600 seconds, and eleven minutes are 660.",
        "auth_signature": "It still fits the canonical string. It's only old.",
        "none": "It would have passed after nine minutes.",
    },
    why="If you wait, sign again before you send. You'll need that in this lesson.",
)
def eleven_minutes() -> tuple[str, Fact]:
    return _check_that_fails(EVENTS_PATH, seconds_later=660)


@lesson.predict(
    "100 channels are allowed in one event, and yours names 101. Somebody listens on each. Who "
    "hears it?",
    {
        "The first 100": "Then you'd get a 200, and never learn who was left out.",
        "All 101 of them": "Then it wouldn't be a limit.",
        "Nobody at all": "One request is one thing: all of it, or nothing.",
    },
    why="The server reads the whole request before it delivers any of it. One signature covers one "
    "body, and one answer speaks for all of it. So a broken limit refuses everything.",
)
def one_too_many() -> tuple[str, Fact]:
    sent = dispatch(Plan(batch=False, count=101, size=7))
    hears = {0: "Nobody at all", 100: "The first 100", 101: "All 101 of them"}
    return hears[len(sent.heard)], Fact("The server", sent.says)


# --- one request for many -----------------------------------------------------------------------


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
        return [f"order-{number}" for number in range(1, self.count + 1)]

    @property
    def data(self) -> str:
        return ("delayed by snow " * (self.size // 16 + 1))[: self.size]

    def body(self) -> bytes:
        """The body as it would go out, whether or not it keeps the limits."""
        if not self.batch:
            return to_json(
                {"name": "status", "channels": self.channels, "data": self.data}
            ).encode()
        events = [{"channel": each, "name": "status", "data": self.data} for each in self.channels]
        return to_json({"batch": events}).encode()

    def check(self) -> str:
        """Why a client refuses to send this; "" if it doesn't."""
        try:
            if self.batch:
                batch_body(Event.of(each, "status", self.data) for each in self.channels)
            else:
                event_body(Event.of(self.channels, "status", self.data))
        except InvalidEvent as error:
            return str(error)
        return ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a request."""

    status: int
    says: str
    heard: tuple[Message, ...]


def dispatch(plan: Plan) -> Sent:
    """Send a plan, unchecked, to a fresh server with somebody listening on each channel."""
    server, heard = Practice(), list[Message]()
    for channel in plan.channels:
        server.subscribe(channel, on_message=heard.append)
    answer = server.client.http.post(plan.path, content=plan.body())
    error = answer.json().get("error", "")
    return Sent(answer.status_code, f"{answer.status_code} {error or answer.text}", tuple(heard))


MAX_SIZE = 120_000  # bytes of data: enough to break the limit
MOST = 120  # dots, enough to break the limit of channels


@lesson.explorer
def one_request() -> Explorer:
    """Choose what goes into one request, send it, and count who hears it."""
    return Explorer(
        _one_request,
        batch=choice("Send", {"one event to many pages": False, "a batch of events": True}),
        count=slider("How many", 60, 1, MOST),
        size=number("Bytes of data in each", 16, 0, MAX_SIZE),
        anyway=tick("Send it even if the client's own check refuses it"),
        send=button("Send one request"),
        code=[dispatch],
    )


def _one_request(batch: bool, count: int, size: int, anyway: bool, send: bool) -> View:
    plan = Plan(batch, count, size)
    refused = plan.check()
    sent = dispatch(plan) if send and (anyway or not refused) else None
    things = "events" if batch else "pages"
    if not send:
        said, good = f"Ready: 1 request for {count} {things}.", None
        says, heard = "not sent yet", "nobody yet"
    elif sent is None:
        said, good = "The client refused it, so no request went out.", False
        says, heard = f"none. The client says: {refused}", "nobody"
    else:
        good = sent.status == 200
        said = (
            f"Accepted: 1 request, 1 signature, and {len(sent.heard)} of {count} arrived."
            if good
            else f"Refused, all of it: 0 of {count} arrived."
        )
        says, heard = sent.says, f"{len(sent.heard)} of {count}"
    return View(
        "One request for many",
        (
            Fact("Request", f"POST {plan.path}, {len(plan.body()):,} bytes of body"),
            Fact("Instead of", f"{count} requests, with {count} signatures"),
            Fact("Answer", says),
            Fact("Heard it", heard),
        ),
        said,
        good,
        picture=dots(plan, None if not send else len(sent.heard) if sent else 0),
        details=(Fact("Body", plan.body()[:600].decode(errors="ignore"), kind="code"),),
        fold="The beginning of the body",
    )


def dots(plan: Plan, heard: int | None) -> Picture:
    """A dot for each page or event; those over the limit apart, those that arrived filled."""
    limit = MAX_BATCH_EVENTS if plan.batch else MAX_CHANNELS
    over = max(0, plan.count - limit)
    what = "events" if plan.batch else "pages"
    desc = f"{plan.count} dots, one for each of the {what}. "
    desc += f"{over} of them are over the limit of {limit}. " if over else ""
    desc += {None: "Nothing was sent yet.", 0: "None of them is lit."}.get(
        heard, "All of them are lit: the event arrived."
    )
    narrow = Picture("Who hears it", desc, 340, 340, _dots(plan, heard, limit, 12))
    return Picture("Who hears it", desc, 760, 178, _dots(plan, heard, limit, 25), narrow)


def _dots(plan: Plan, heard: int | None, limit: int, columns: int) -> str:
    step = 28
    places = [(10 + n % columns * step, 10 + n // columns * (step + 2)) for n in range(plan.count)]
    inside, outside = places[:limit], places[limit:]
    kind = "good" if heard else "wrong" if heard == 0 else "bare"
    x, y = outside[0] if outside else (0, 0)
    return "".join(
        (
            boxes(inside, 20, 20, kind),
            boxes(outside, 20, 20, "wrong"),
            text(x + 4, y + 15, "✗", "badt") if outside else "",
            *(text(px + 4, py + 15, "✓", "okt") for px, py in inside[: heard or 0]),
        )
    )


# --- the rate limit -----------------------------------------------------------------------------

RATE = 2.0  # requests per second
BURST = 5  # events


def five_events(rate: float, wait: float, *, back_off: bool) -> BusyServer:
    """Send five events; on 429, drop the event, or wait and try again."""
    server = BusyServer(rate=rate)  # requests a second, for the whole app
    for event in "ABCDE":
        answer = server.send(server.sign(event), event)
        while back_off and answer.retry_after is not None:
            server.wait(answer.retry_after)
            answer = server.send(server.sign(event), event)  # signed again, and then sent
        server.wait(wait)
    return server


@lesson.explorer
def bucket(rate: float = RATE) -> Explorer:
    """Five events against a limit of some requests a second. No time passes here."""
    return Explorer(
        partial(_bucket, rate),
        wait=slider("Wait after each, in ms", 0, 0, 800, step=100),
        back_off=choice(
            "On 429", {"drop the event": False, "wait as long as it says, and try again": True}
        ),
        send=button("Send five events"),
        code=[five_events],
    )


def _bucket(rate: float, wait: int, back_off: bool, send: bool) -> View:
    server = BusyServer(rate=rate)
    if send:
        server = five_events(rate, wait / 1000, back_off=back_off)
    arrived = len(server.heard)
    refused = sum(each.status == 429 for each in server.tries)
    if not send:
        said, good = "The bucket is full. Five events are waiting.", None
    elif arrived < BURST:
        said, good = f"{BURST - arrived} of {BURST} are lost: refused, and never sent again.", False
    else:
        said = f"All {BURST} arrived, the last after {server.tries[-1].at:g} s."
        good = True
    return View(
        "Five events and a limit",
        (
            Fact("The limit", f"{rate:g} requests a second, for the whole app"),
            Fact("Requests", f"{len(server.tries)}, of which {refused} were answered 429"),
            Fact("Arrived", f"{arrived} of {BURST}"),
        ),
        said,
        good,
        picture=_marbles(server.tries),
        details=(Fact("Each try", timeline(server.tries) or "(none yet)"),),
        fold="Each try, with the time it was signed at",
    )


def timeline(tries: list[Try]) -> str:
    """A line for each try: when, what, the answer."""
    return "\n".join(
        f"{each.at:5.2f} s   {each.text}   signed at {each.signed_at}   {each.status}"
        + (f", Retry-After: {each.retry_after}" if each.retry_after is not None else "")
        for each in tries
    )


SECONDS_SHOWN = 4


def _marbles(tries: list[Try]) -> Picture:
    """Time from left to right; a marble for each try, below the line if it bounced."""
    desc = "A time line of four seconds. " + (
        " ".join(
            f"{each.text} at {each.at:g} s: {'accepted' if each.status == 200 else 'refused'}."
            for each in tries
        )
        or "Nothing was sent yet."
    )

    def x(seconds: float) -> float:
        return 40 + seconds * 160

    shapes = [
        text(4, 14, "accepted", "small"),
        text(4, 142, "refused: 429", "small"),
        line(24, 72, 700, 72, "arrow"),
        *(
            group(line(x(s), 68, x(s), 76), text(x(s), 90, f"{s} s", "small", "middle"))
            for s in range(SECONDS_SHOWN + 1)
        ),
    ]
    beside: dict[tuple[float, bool], int] = {}
    for each in tries:
        good = each.status == 200
        place = beside.setdefault((each.at, good), 0)
        beside[each.at, good] += 1
        left, y = x(each.at) + place * 26, 40 if good else 112
        shapes.append(
            group(
                path(f"M{left - 10:g} {y}a10 10 0 1 1 0 .1z", "good" if good else "wrong"),
                text(left, y + 4.5, each.text, "m", "middle"),
            )
        )
    return Picture("Five events and a bucket", desc, 720, 148, "".join(shapes))


# --- the exercises ------------------------------------------------------------------------------


def _lengths(chance: random.Random, most: int) -> list[int]:
    """Exactly full; with a rest; and short."""
    return [
        most * chance.randint(2, 4),
        most * chance.randint(2, 4) + chance.randint(1, most - 1),
        chance.randint(2, most - 1),
    ]


def _channel_lists(chance: random.Random) -> Iterator[tuple[list[str]]]:
    for length in _lengths(chance, MAX_CHANNELS):
        yield ([f"order-{n}" for n in range(length)],)


def _slices(things: list[Any], step: int, width: int) -> list[list[Any]]:
    return [things[start : start + width] for start in range(0, len(things), step)]


@lesson.exercise(given=_channel_lists)
def split(channels: list[str]) -> list[list[str]]:
    """Return lists of at most 100 channels, as few as possible, in the given order."""
    starts = range(0, len(channels), 100)
    return [channels[start : start + 100] for start in starts]


split.hint("Each start has its list: from there, the next hundred.")
split.hint("'abcdefg'[3:6] is 'def', and 'abcdefg'[6:9] is 'g'.")
split.wrong(
    "Every hundredth channel is missing. A slice ends before its second number, so "
    "channels[0:100] has a hundred.",
    lambda channels: _slices(channels, 100, 99),
)
split.wrong(
    "The rest is missing: the channels after the last full hundred.",
    lambda channels: _slices(channels[: len(channels) // 100 * 100], 100, 100),
)
split.wrong(
    "When the last list is exactly full, you add an empty one. A request without channels is "
    "refused.",
    lambda channels: [channels[at : at + 100] for at in range(0, len(channels) + 1, 100)],
)
split.wrong(
    "That's one request for each channel. One request takes 100 of them.",
    lambda channels: [[channel] for channel in channels],
)
split.why("A slice that reaches past the end just stops there, so the rest needs no special case.")
split.next("Make it work for any limit: split(channels, most).")


def _event_lists(chance: random.Random) -> Iterator[tuple[list[dict[str, str]]]]:
    for length in _lengths(chance, MAX_BATCH_EVENTS):
        yield (
            [
                {"channel": f"order-{n}", "name": "status", "data": f'{{"stop":{n}}}'}
                for n in range(length)
            ],
        )


def _wrapped(slices: list[list[Any]]) -> list[dict[str, Any]]:
    return [{"batch": each} for each in slices]


@lesson.exercise(given=_event_lists)
def batches(events: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return bodies {"batch": […]} with at most 10 events each, as few as possible."""
    starts = range(0, len(events), 10)
    return [{"batch": events[start : start + 10]} for start in starts]


batches.hint("Two steps: cut the list into tens, as before, and put each ten into an object.")
batches.hint("{'page': words[0:2]} is an object with the first two words.")
batches.wrong(
    'The lists are right. The body is an object around each of them: {"batch": […]}.',
    lambda events: _slices(events, 10, 10),
)
batches.wrong(
    "This is a single batch with everything in it. Over ten, the whole batch is refused.",
    lambda events: [{"batch": events}],
)
batches.wrong(
    "This sends the first ten and forgets the others.",
    lambda events: _wrapped([events[:10]]),
)
batches.wrong(
    "That's one request for each event. A batch takes ten of them.",
    lambda events: _wrapped([[event] for event in events]),
)
batches.why("Each event keeps its own channel, name and data. What they share is the request.")
batches.next("How many signatures do 35 events need? Check it with len(batches(…)).")


def _datas(chance: random.Random) -> Iterator[tuple[str]]:
    for word in chance.sample(("Łódź", "café", "東京", "naïve", "5 €"), 3):
        data = {"status": f"☕ {word}", "stop": chance.randint(1, 999)}
        yield (json.dumps(data, ensure_ascii=False),)


@lesson.exercise(given=_datas)
def size(data: str) -> int:
    """Return the size of an event's data, as the limit of 102,400 counts it."""
    return len(data.encode("utf-8"))


size.hint("data is text, ready to send. How many bytes is it on the wire?")
size.hint("len('é'.encode('utf-8')) is 2.")
size.wrong("These are characters. The limit counts bytes of UTF-8, and ☕ has three of them.", len)
size.wrong(
    "That's what the object takes up in Python's memory, which has nothing to do with the wire.",
    sys.getsizeof,
)
size.wrong(
    "You encoded JSON that was JSON already, so you count more quotes and backslashes.",
    lambda data: len(json.dumps(data, ensure_ascii=False).encode()),
)
size.why("Text has characters, and a wire has bytes. So the limits of a wire are in bytes.")
size.next("How many ☕ fit into 102,400 bytes?")


# --- backing off --------------------------------------------------------------------------------

MAX_POLITE_TRIES = 5
NEVER_FREE = 30  # rivals: more than anybody tries


def _busy_servers(chance: random.Random) -> Iterator[tuple[BusyServer]]:
    """At rest, busy, busier, and never free. They ask for longer waits than a signature lives."""
    for rivals in (0, 1, 2, NEVER_FREE):
        seconds = chance.randint(620, 1_800)
        yield (BusyServer(rate=1 / seconds if rivals else RATE, rivals=rivals),)


@lesson.exercise(given=_busy_servers)
def back_off(server: BusyServer) -> int:
    """Deliver one event to a busy server, in at most five tries; return the last status."""
    for _ in range(5):
        answer = server.send(server.sign())
        if answer.retry_after is None:
            break
        server.wait(answer.retry_after)
    return answer.status


@back_off.observe
def _tries(result: object, server: BusyServer) -> tuple[object, tuple[Try, ...]]:
    return result, tuple(server.tries)


@back_off.judge
def _polite(done: tuple[object, tuple[Try, ...]], server: BusyServer) -> None:
    result, tries = done
    facts = [Fact("Your tries", timeline(list(tries)) or "(none)")]
    if not tries:
        raise Wrong("Nothing was sent. Call server.send(server.sign()).", *facts)
    for before, after in pairwise(tries):
        if before.status == 200:
            raise Wrong("It was accepted, and you sent it again: two events arrive.", *facts)
        if before.retry_after is not None and after.at - before.at < before.retry_after:
            asked, came = before.retry_after, after.at - before.at
            raise Wrong(f"It asked for {asked} s, and you came back after {came:g} s.", *facts)
    if len(tries) > MAX_POLITE_TRIES:
        raise Wrong(f"{len(tries)} tries. This server is never free: give up after five.", *facts)
    if tries[-1].status != 200 and len(tries) < MAX_POLITE_TRIES:
        raise Wrong(f"You gave up after {len(tries)}, with a {tries[-1].status}.", *facts)
    if result != tries[-1].status:
        raise Wrong(f"Return the last status, and not {shown(result)}.", *facts)


def _never_waits(server: BusyServer) -> int:
    for _ in range(5):
        answer = server.send(server.sign())
        if answer.status != 429:
            break
    return answer.status


def _waits_a_second(server: BusyServer) -> int:
    for _ in range(5):
        answer = server.send(server.sign())
        if answer.status != 429:
            break
        server.wait(1)
    return answer.status


def _signs_once(server: BusyServer) -> int:
    signature = server.sign()
    for _ in range(5):
        answer = server.send(signature)
        if answer.status != 429:
            break
        server.wait(answer.retry_after or 0)
    return answer.status


back_off.hint("For each of at most five tries: sign, send, and on a 429 wait as long as it says.")
back_off.hint("for knock in range(5): leaves a loop early with break, when somebody opens.")
back_off.wrong(
    "You gave up at the first 429. It means: not now. The server says when.",
    lambda server: server.send(server.sign()).status,
)
back_off.wrong(
    "You sent again without waiting. Each try is one more request over the limit.", _never_waits
)
back_off.wrong(
    "You waited a second each time. The server says how long: answer.retry_after.",
    _waits_a_second,
)
back_off.wrong(
    "You sent the old signature again. After the wait it was over 600 s old, so the server "
    "answered 401. Sign before each try.",
    _signs_once,
)
back_off.why(
    "A 429 means that nothing was published, so trying again can't deliver twice. And a loop that "
    "depends on somebody else's server always needs an end."
)
back_off.next("What should your program do with the event after the fifth 429?")


def _attempts(chance: random.Random) -> Iterator[tuple[int, random.Random]]:
    for attempt in (1, 3, chance.randint(6, 12)):
        yield attempt, random.Random(chance.random())  # noqa: S311 - no secret


@lesson.exercise(given=_attempts)
def pause(attempt: int, chance: random.Random) -> float:
    """Return the seconds to wait before a try: random, up to 2 ** attempt, never over 30."""
    longest = min(30, 2**attempt)
    return chance.uniform(0, longest)


@pause.judge
def _jittered(result: Any, attempt: int, chance: random.Random) -> None:
    longest = min(30, 2**attempt)
    if isinstance(result, bool) or not isinstance(result, int | float):
        raise Wrong("Return a number of seconds.", Fact("Yours", shown(result)))
    if not 0 <= result <= longest:
        raise Wrong(
            f"Before try {attempt}, wait from 0 to {longest} s.", Fact("Yours", shown(result))
        )


pause.hint("First the longest wait that's allowed, then a random number up to it.")
pause.hint("chance.uniform(0, 8) is a random number between 0 and 8; min(3, 5) is 3.")
pause.wrong(
    "Always the longest. If a thousand clients were refused together, they'd all come back "
    "together. Make it random.",
    lambda attempt, chance: min(30, 2**attempt),
)
pause.wrong(
    "It doubles and it's random, and it never stops growing: before try 12 it's over an hour.",
    lambda attempt, chance: chance.uniform(0, 2**attempt),
)
pause.why(
    "Doubling gives a server in trouble room to recover, the cap keeps you responsive, and chance "
    "keeps clients from marching in step. People call that jitter."
)
pause.next("Where would you keep counting the tries, so that a success starts again at 1?")


# --- find, explain, fix -------------------------------------------------------------------------

_HEARD: WeakKeyDictionary[Client, tuple[Practice, list[Message]]] = WeakKeyDictionary()


def _loads(chance: random.Random) -> Iterator[tuple[Client, list[Event]]]:
    """Fewer events than a batch holds, full batches, and some with a rest."""
    for count in (4, 20, chance.randint(23, 29)):
        server, heard = Practice(), list[Message]()
        server.subscribe("news", on_message=heard.append)
        _HEARD[server.client] = server, heard
        yield server.client, [Event.of("news", "status", {"order": n}) for n in range(count)]


@lesson.exercise(given=_loads)
def publish(client: Client, events: list[Event]) -> None:
    """Publish every event once and in order, in as few batches as possible."""
    for start in range(0, len(events), 10):
        client.trigger_batch(events[start : start + 10])


@publish.observe
def _arrived(result: object, client: Client, events: list[Event]) -> tuple[int, list[str]]:
    """How many requests were accepted, and the data of what arrived."""
    server, heard = _HEARD[client]
    return len(server.log), [message.data for message in heard]


@publish.judge
def _all_of_them(done: tuple[int, list[str]], client: Client, events: list[Event]) -> None:
    requests, heard = done
    wanted = [event.data for event in events]
    facts = [Fact("Arrived", f"{len(heard)} of {len(wanted)}")]
    if missing := len(set(wanted) - set(heard)):
        raise Wrong(f"Of {len(wanted)} events, {missing} never arrived.", *facts)
    if heard != wanted:
        raise Wrong("They all arrived, but not once each and in order.", *facts)
    if requests > (fewest := math.ceil(len(wanted) / MAX_BATCH_EVENTS)):
        raise Wrong(f"All arrived, in {requests} requests. {fewest} would do.", *facts)


def _drops_the_rest(client: Client, events: list[Event]) -> None:
    try:
        client.trigger_batch(events)
    except InvalidEvent:
        client.trigger_batch(events[:10])


def _one_each(client: Client, events: list[Event]) -> None:
    for event in events:
        client.trigger_batch([event])


publish.broken(
    "No error, and still: of 20 events, 10 never arrive. What happens to the eleventh?",
    _drops_the_rest,
)
publish.hint("What happens to the eleventh event, and who is told about it?")
publish.hint("range(0, 27, 10) is 0, 10, 20: where each batch begins.")
publish.wrong(
    "They all arrive, but each has a request of its own. A batch takes ten.",
    _one_each,
)
publish.why(
    "A limit asks for more requests, not for fewer events. There's nothing to catch now: what is "
    "sent keeps the limit, and all of it is sent."
)
publish.next("Let it return how many requests it made.")


# --- prove it -----------------------------------------------------------------------------------


def _everything(chance: random.Random) -> Iterator[tuple[list[str], list[str], int]]:
    for attempt in (2, 5, 9):
        channels = [f"order-{n}" for n in range(100 * chance.randint(2, 6))]
        fit = 10 * chance.randint(1, 3) + 9
        texts = [f"note {n}" for n in range(fit - 1)] + ["x" * MAX_DATA_BYTES]
        texts += ["☕" * chance.randint(40_000, 60_000), "x" * (MAX_DATA_BYTES + 1)]
        chance.shuffle(texts)
        yield channels, texts, attempt


@lesson.exercise(given=_everything, covers_lesson=True)
def prove_it(channels: list[str], texts: list[str], attempt: int) -> tuple[int, int, int, int]:
    """Return both numbers of requests, how many texts are too big, and the longest pause."""
    fit = [text for text in texts if len(text.encode()) <= 102_400]
    for_channels = math.ceil(len(channels) / 100)
    for_texts = math.ceil(len(fit) / 10)
    return for_channels, for_texts, len(texts) - len(fit), min(30, 2**attempt)


def _proved(fits: Callable[[str], bool], rounded: Callable[[float], int]) -> Callable[..., Any]:
    """prove_it with one step done in another way."""

    def wrong(channels: list[str], texts: list[str], attempt: int) -> tuple[int, int, int, int]:
        fit = [text for text in texts if fits(text)]
        counts = rounded(len(channels) / 100), rounded(len(fit) / 10)
        return *counts, len(texts) - len(fit), min(30, 2**attempt)

    return wrong


prove_it.hint("First leave out what is too big, in bytes. Then divide, and round up.")
prove_it.hint("math.ceil(7 / 3) is 3: seven things, three at a time, take three rounds.")
prove_it.wrong(
    "You measured in characters. The limit is 102,400 bytes: é has two, ☕ has three.",
    _proved(lambda text: len(text) <= MAX_DATA_BYTES, math.ceil),
)
prove_it.wrong(
    "A text of exactly 102,400 bytes is allowed: the limit is the most you may send.",
    _proved(lambda text: len(text.encode()) < MAX_DATA_BYTES, math.ceil),
)
prove_it.wrong(
    "You rounded down. A request that isn't full is a request all the same.",
    _proved(lambda text: len(text.encode()) <= MAX_DATA_BYTES, math.floor),
)
prove_it.why(
    "100 channels or 10 events a request, 102,400 bytes of data each, and waits with a cap."
)
prove_it.next("Go on to lesson 08: a colleague has a refusal for you.")
