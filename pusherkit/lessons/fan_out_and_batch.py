"""Lesson 07, fan out and batch: Black Friday, and every page wants to know."""

import json
import math
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
    shown,
    slider,
    tick,
)
from pusherkit.lessons.kit import line as typed
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.busy import BusyServer, Try
from pusherkit.lessons.kit.exercise import Given
from pusherkit.lessons.kit.picture import boxes, group, line, path, text
from pusherkit.sandbox.api import Sandbox
from pusherkit.signing import sign, verify
from pusherkit.subscriber import Message

lesson = Lesson("07-fan-out-and-batch", stages=(1, 6))
map, recall = lesson.map, lesson.recall_card


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
        "body_md5": "The body is the same, so its hash is, too.",
        "none": "It would pass if the path weren't signed.",
        "auth_signature": "The path is the second line of the canonical string.",
    },
    why="A signature is good for one path. For another, sign again.",
)
def another_path() -> tuple[str, Fact]:
    return _check_that_fails(BATCH_PATH)


@lesson.recall(
    "A request is signed, and then waits eleven minutes before it's sent. Which check fails?",
    {
        "auth_timestamp": "The window is 600 seconds, and eleven minutes are 660.",
        "auth_signature": "It still matches the canonical string. It's only old.",
        "none": "It would have passed after nine minutes.",
    },
    why="After a wait, sign again. You'll need that in this lesson.",
)
def eleven_minutes() -> tuple[str, Fact]:
    return _check_that_fails(EVENTS_PATH, seconds_later=660)


@lesson.predict(
    "Your event names 101 channels, one too many. Somebody listens on each. Who hears it?",
    {
        "The first 100": "Then you'd get a 200, and never learn who was left out.",
        "All 101 of them": "Then it wouldn't be a limit.",
        "Nobody at all": "One request is one thing: all of it, or nothing.",
    },
    why="The server reads the whole request before it delivers any of it. One signature covers one "
    "body, and one answer speaks for all of it.",
)
def one_too_many() -> tuple[str, Fact]:
    says, heard = dispatch(Plan(batch=False, count=101, size=7))
    hears = {0: "Nobody at all", 100: "The first 100", 101: "All 101 of them"}
    return hears[len(heard)], Fact("The server", says)


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


def dispatch(plan: Plan) -> tuple[str, list[Message]]:
    """Send a plan, unchecked, to a fresh server: what it answers, and what its listeners hear."""
    server, heard = Practice(), list[Message]()
    for channel in plan.channels:
        server.subscribe(channel, on_message=heard.append)
    answer = server.client.http.post(plan.path, content=plan.body())
    return f"{answer.status_code} {answer.json().get('error') or answer.text}", heard


MAX_SIZE = 120_000  # bytes of data: enough to break the limit
MOST = 120  # squares, enough to break the limit of channels


@lesson.explorer
def one_request() -> Explorer:
    """Choose what goes into one request, send it, and count who hears it."""
    return Explorer(
        _one_request,
        batch=choice("Send", {"one event to many pages": False, "a batch of events": True}),
        count=slider("How many", 60, 1, MOST),
        size=typed("Bytes of data in each", "16"),
        anyway=tick("Send it even if the client's own check refuses it"),
        send=button("Send one request"),
        code=[dispatch],
    )


def _bytes(size: str) -> int:
    """A number of bytes, as somebody typed it."""
    digits = size.strip().replace(",", "")
    if re.fullmatch("[0-9]{1,6}", digits) and int(digits) <= MAX_SIZE:
        return int(digits)
    raise ValueError(f"Bytes of data: type a whole number from 0 to {MAX_SIZE:,}.")


def _one_request(batch: bool, count: int, size: str, anyway: bool, send: bool) -> View:
    plan = Plan(batch, count, _bytes(size))
    refused = plan.check()
    things = "events" if batch else "pages"
    said, says = f"Ready: 1 request for {count} {things}.", "not sent yet"
    good: bool | None = None
    heard: int | None = None
    if send and refused and not anyway:
        said, good = "The client refused it, so no request went out.", False
        says, heard = f"none. The client says: {refused}", 0
    elif send:
        says, arrived = dispatch(plan)
        heard = len(arrived)
        good = heard == count
        said = f"Refused, all of it: 0 of {count} arrived."
        if good:
            said = f"Accepted: 1 request, 1 signature, and {heard} of {count} arrived."
    return View(
        "One request for many",
        (
            Fact("Request", f"POST {plan.path}, {len(plan.body()):,} bytes of body"),
            Fact("Instead of", f"{count} requests, with {count} signatures"),
            Fact("Answer", says),
        ),
        said,
        good,
        picture=squares(plan, heard),
        details=(Fact("Body", plan.body()[:600].decode(errors="ignore"), kind="code"),),
        fold="The beginning of the body",
    )


def squares(plan: Plan, heard: int | None) -> Picture:
    """A square for each page or event: ticked or crossed, and a frame around those too many."""
    what, limit = ("events", MAX_BATCH_EVENTS) if plan.batch else ("pages", MAX_CHANNELS)
    desc = f"{plan.count} squares, one for each of the {what}. "
    if plan.count > limit:
        desc += f"The limit is {limit}. "
    desc += {None: "Nothing was sent yet.", 0: "All of them are crossed out."}.get(
        heard, "All of them are ticked: the event arrived."
    )
    wide, narrow = (
        Picture("Who hears it", desc, width, 10 + 30 * math.ceil(plan.count / columns), shapes)
        for width, columns in ((760, 25), (340, 12))
        for shapes in [_squares(plan.count, heard, limit, columns)]
    )
    return replace(wide, narrow=narrow)


def _squares(count: int, heard: int | None, limit: int, columns: int) -> str:
    places = [(10 + n % columns * 28, 10 + n // columns * 30) for n in range(count)]
    over = [] if heard is None else places[limit:]
    return "".join(
        (
            boxes(places, 20, 20, "good" if heard else "bare" if heard is None else "wrong"),
            boxes(((x - 3, y - 3) for x, y in over), 26, 26, "wrong") if over else "",
            *(text(x + 4, y + 15, "✗", "badt") for x, y in (places if heard == 0 else ())),
            *(text(x + 4, y + 15, "✓", "okt") for x, y in places[: heard or 0]),
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


def _lists_of(make: Callable[[int], Any], most: int) -> Given:
    """Lists of what `make` makes: full, with a rest, and short; then those at an edge."""

    def given(chance: random.Random) -> Iterator[tuple[list[Any]]]:
        full, rest = (most * chance.randint(2, 4) for _ in range(2))
        lengths = full, rest + chance.randint(1, most - 1), chance.randint(2, most - 1)
        for length in (*lengths, most + 1, 2 * most + 1, most, 1, 0):
            yield ([make(n) for n in range(length)],)

    return given


def _judge_parts(parts: object, things: list[Any], most: int, what: str) -> None:
    """Raise Wrong unless a list is cut into lists of at most `most`, in order, and few of them."""
    if not isinstance(parts, list) or not all(isinstance(each, list) for each in parts):
        raise Wrong(f"Return a list that holds lists of {what}.", Fact("Yours", shown(parts)))
    sent = [each for part in parts for each in part]
    lengths = [len(part) for part in parts]
    facts = [Fact("Of", f"{len(things)} {what}"), Fact("Lengths", shown(lengths))]
    if (longest := max(lengths, default=0)) > most:
        raise Wrong(
            f"You have {longest} {what} in one request. Over {most}, the server refuses them all.",
            *facts,
        )
    if [] in parts:
        raise Wrong("One of your lists is empty, and a request without content is refused.", *facts)
    if missing := [each for each in things if each not in sent]:
        if len(things) == 1:
            raise Wrong(f"There's one {what.removesuffix('s')}, and it's missing.", *facts)
        if missing == things[-1:]:
            raise Wrong(f"Of {len(things)} {what}, the last is missing.", *facts)
        are = "is" if len(missing) == 1 else "are"
        raise Wrong(f"Of {len(things)} {what}, {len(missing)} {are} missing.", *facts)
    if sent != things:
        raise Wrong(f"All the {what} are there, but not once each and in the given order.", *facts)
    if len(parts) > (fewest := math.ceil(len(things) / most)):
        raise Wrong(f"That's {len(parts)} requests. {fewest} would do.", *facts)


@lesson.exercise(given=_lists_of(lambda n: f"order-{n}", MAX_CHANNELS))
def split(channels: list[str]) -> list[list[str]]:
    """Return lists of at most 100 channels, as few as possible, in the given order."""
    starts = range(0, len(channels), 100)
    return [channels[start : start + 100] for start in starts]


split.judge(lambda parts, channels: _judge_parts(parts, channels, MAX_CHANNELS, "channels"))
split.hint("Each start has its list: from there, the next hundred.")
split.hint("'abcdefg'[3:6] is 'def', and 'abcdefg'[6:9] is 'g'.")
split.wrong(
    "Every hundredth channel is missing. A slice ends before its second number, so "
    "channels[0:100] has a hundred.",
    lambda channels: [channels[at : at + 99] for at in range(0, len(channels), 100)],
)
split.why("A slice that reaches past the end stops there, so the rest needs no special case.")
split.next("Make it work for any limit: split(channels, most).")


def _event(n: int) -> dict[str, str]:
    return {"channel": f"order-{n}", "name": "status", "data": f'{{"stop":{n}}}'}


@lesson.exercise(given=_lists_of(_event, MAX_BATCH_EVENTS))
def batches(events: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return a list of dicts, one per request: {"batch": […]} with at most 10 events in each."""
    starts = range(0, len(events), 10)
    return [{"batch": events[start : start + 10]} for start in starts]


@batches.judge
def _tens(bodies: object, events: list[dict[str, str]]) -> None:
    yours = Fact("Yours", shown(bodies))
    if not isinstance(bodies, list) or (events and not bodies):
        raise Wrong("Return a list of bodies: one for each request.", yours)
    if any(isinstance(each, str | bytes) for each in bodies):
        raise Wrong("You wrote JSON already. Here a body is still a dict.", yours)
    if not all(isinstance(each, dict) and each.keys() == {"batch"} for each in bodies):
        raise Wrong('Each body is a dict with one key, "batch": {"batch": […]}.', yours)
    _judge_parts([each["batch"] for each in bodies], events, MAX_BATCH_EVENTS, "events")


batches.hint("Cut the list into tens, as before, and put each ten into a dict.")
batches.hint("{'page': words[0:2]} is a dict with the first two words.")
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


@size.judge
def _in_bytes(result: object, data: str) -> None:
    if result in (len(json.dumps(data)), len(json.dumps(data, ensure_ascii=False).encode())):
        raise Wrong("It's JSON already. Another json.dumps() adds quotes and backslashes.")
    if result != (right := size(data)):
        raise Wrong(f"Expected {right}, and yours is {shown(result)}.", Fact("data", data))


size.hint("data is text, ready to send. How many bytes will travel?")
size.hint("len('é'.encode('utf-8')) is 2.")
size.wrong("These are characters. The limit counts bytes of UTF-8, and ☕ takes three.", len)
size.wrong(
    "That's what the object takes up in Python's memory. What travels are the bytes of its UTF-8.",
    sys.getsizeof,
)
size.why("Text has characters, but bytes are what travels, so limits are in bytes.")
size.next("How many ☕ fit into 102,400 bytes?")


# --- backing off --------------------------------------------------------------------------------

MAX_POLITE_TRIES = 5
NEVER_FREE = 30  # rivals: more than anybody tries


def _busy_servers(chance: random.Random) -> Iterator[tuple[BusyServer]]:
    """At rest, busy, busier, never free, and one with another secret, which answers 401.

    The busy ones ask for longer waits than a signature lives.
    """
    for rivals in (0, 1, 2, NEVER_FREE):
        seconds = chance.randint(620, 1_800)
        yield (BusyServer(rate=1 / seconds if rivals else RATE, rivals=rivals),)
    refusing = BusyServer()
    refusing.sandbox = Sandbox(replace(EXAMPLE_CREDENTIALS, secret="another"))  # noqa: S106
    yield (refusing,)


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
    refusing = server.sandbox.credentials != EXAMPLE_CREDENTIALS
    if not tries:
        raise Wrong("Nothing was sent. Call server.send(server.sign()).", *facts)
    for before, after in pairwise(tries):
        if before.status == 200:
            raise Wrong("It was accepted, and you sent it again: two events arrive.", *facts)
        if refusing:
            refused = "It answered 401, and you tried again. Another secret won't become right by "
            raise Wrong(f"{refused}waiting: only a 429 means “not now”.", *facts)
        if (came := after.at - before.at) < (asked := before.retry_after or 0):
            said = f"It asked for {asked} s (answer.retry_after), and you were back after {came:g}."
            raise Wrong(said, *facts)
    if len(tries) > MAX_POLITE_TRIES:
        raise Wrong(f"{len(tries)} tries. This server is never free: give up after five.", *facts)
    if result != tries[-1].status:
        raise Wrong(f"Return the last status, and not {shown(result)}.", *facts)
    if result != 200 and len(tries) < MAX_POLITE_TRIES and not refusing:
        raise Wrong(f"You gave up after {len(tries)}, with a {result}.", *facts)


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
back_off.hint("Only a 429 has a retry_after. Whatever else comes, there's nothing to wait for.")
back_off.wrong(
    "You gave up at the first 429. It means: not now. The server says when.",
    lambda server: server.send(server.sign()).status,
)
back_off.wrong(
    "You sent the old signature again. After the wait it was over 600 s old: a 401. Sign before "
    "each try.",
    _signs_once,
)
back_off.why(
    "After a 429 nothing was published, so trying again can't deliver twice. And a loop that "
    "depends on somebody else's server needs an end."
)
back_off.next("What should your program do with the event after the fifth 429?")


class Chance(random.Random):
    """Always draws the same, from 0 to 1, and knows whether anybody drew."""

    def __init__(self, drawn: float) -> None:
        super().__init__()
        self.drawn = drawn
        self.asked = False

    def random(self) -> float:
        self.asked = True
        return self.drawn


def _attempts(chance: random.Random) -> Iterator[tuple[int, Chance]]:
    for attempt in (1, 3, chance.randint(8, 11), 12):
        yield attempt, Chance(chance.uniform(0.2, 0.8))


@lesson.exercise(given=_attempts)
def pause(attempt: int, chance: random.Random) -> float:
    """Return the seconds to wait, drawn evenly from 0 to the smaller of 30 and 2 ** attempt."""
    longest = min(30, 2**attempt)
    return chance.uniform(0, longest)


@pause.judge
def _jittered(result: Any, attempt: int, chance: Chance) -> None:
    longest = min(30, 2**attempt)
    yours = Fact("Yours", shown(result))
    if isinstance(result, bool) or not isinstance(result, int | float):
        raise Wrong("Return a number of seconds.", yours)
    if not 0 <= result <= longest:
        raise Wrong(f"Before try {attempt}, wait from 0 to {longest} s.", yours)
    if not chance.asked:
        raise Wrong("Where's the chance? Draw the wait from `chance`.", yours)
    if result == longest < 2**attempt:
        raise Wrong(
            f"Never over 30, but before try {attempt} it's 30 nearly every time, so everybody "
            "comes back together again. Cap first, then draw.",
            yours,
        )
    if isinstance(result, int) and longest < 2**attempt:
        raise Wrong(
            f"Only whole seconds: a thousand clients would come back in {longest + 1} bunches. Any "
            "fraction of a second counts.",
            yours,
        )


pause.hint("First the longest wait that's allowed, then a random number up to it.")
pause.hint("chance.uniform(0, 8) is a random number between 0 and 8; min(3, 5) is 3.")
pause.wrong(
    "Always the longest. If a thousand clients were refused together, they'd all come back "
    "together. Make it random.",
    lambda attempt, chance: min(30, 2**attempt),
)
pause.wrong(
    "It doubles and it's random, but it never stops growing: before try 12 it can be over an hour.",
    lambda attempt, chance: chance.uniform(0, 2**attempt),
)
pause.why(
    "Doubling gives a server in trouble room to recover, the cap keeps you responsive, and chance "
    "keeps clients from marching in step. It's called jitter."
)
pause.next("Where would you keep counting the tries, so that a success starts again at 1?")


# --- find, explain, fix -------------------------------------------------------------------------

_HEARD: WeakKeyDictionary[Client, tuple[Practice, list[Message]]] = WeakKeyDictionary()


def _loads(chance: random.Random) -> Iterator[tuple[Client, list[Event]]]:
    """Fewer events than a batch holds, full batches, some with a rest; then those at an edge."""
    for count in (4, 20, chance.randint(23, 29), 11, 21, 10, 1):
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


publish.broken(
    "No error, and still: of 20 events, 10 never arrive. What happens to the eleventh?",
    _drops_the_rest,
)
publish.hint("What happens to the eleventh event, and who hears about that?")
publish.hint("range(0, 27, 10) is 0, 10, 20: where each batch begins.")
publish.why("A limit asks for more requests, not for fewer events. There's nothing left to catch.")
publish.next("Let it return how many requests it made.")


# --- prove it -----------------------------------------------------------------------------------


def _everything(chance: random.Random) -> Iterator[tuple[list[str], list[str], int]]:
    for attempt in (2, 5, 9):
        channels = [f"order-{n}" for n in range(100 * chance.randint(2, 6))]
        notes = 10 * chance.randint(1, 3) + 8
        texts = [f"note {n}" for n in range(notes)] + ["x" * MAX_DATA_BYTES]
        texts += ["☕" * chance.randint(40_000, 60_000), "x" * (MAX_DATA_BYTES + 1)]
        chance.shuffle(texts)
        yield channels, texts, attempt


@lesson.exercise(given=_everything, covers_lesson=True)
def prove_it(channels: list[str], texts: list[str], attempt: int) -> tuple[int, int, int, int]:
    """Return both numbers of requests, how many texts are too big, and the longest pause."""
    good = [text for text in texts if len(text.encode()) <= 102_400]
    for_channels = math.ceil(len(channels) / 100)
    for_texts = math.ceil(len(good) / 10)
    return for_channels, for_texts, len(texts) - len(good), min(30, 2**attempt)


@prove_it.judge
def _four(result: Any, channels: list[str], texts: list[str], attempt: int) -> None:
    facts = (
        Fact("Called with", f"{len(channels)} channels, {len(texts)} texts, attempt {attempt}"),
        Fact("Yours", shown(result)),
    )
    if not isinstance(result, tuple | list) or len(result) != 4:
        raise Wrong("Return four numbers: requests, requests, texts too big, seconds.", *facts)
    for_channels, for_texts, big, seconds = prove_it(channels, texts, attempt)
    if result[2] == sum(len(text) > MAX_DATA_BYTES for text in texts):
        raise Wrong("You measured in characters, and ☕ takes three of the 102,400 bytes.", *facts)
    if result[2] == big + 1:
        raise Wrong(
            "Exactly 102,400 bytes are allowed: the limit is the most you may send.", *facts
        )
    right = {
        "Texts too big": (result[2], big),
        "Requests for the channels": (result[0], for_channels),
        "Requests for the texts": (result[1], for_texts),
        "The longest pause": (result[3], seconds),
    }
    for name, (yours, expected) in right.items():
        if yours != expected:
            raise Wrong(f"{name}: expected {expected}, and yours is {shown(yours)}.", *facts)


prove_it.hint("First leave out what is too big, in bytes. Then divide, and round up.")
prove_it.hint("math.ceil(7 / 3) is 3: seven things, three at a time, take three rounds.")
prove_it.why(
    "100 channels or 10 events a request, 102,400 bytes of data each, and waits with a cap."
)
prove_it.next("Go on to lesson 08: a colleague has a refusal for you.")
