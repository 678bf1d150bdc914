"""The capstone: its goals, and what is known of each after what has arrived. Pure.

A State is all that is known. `arrived()` takes a state and one request that was answered, and
returns the next state; `must_wait()` says which requests are answered 429. Time is an argument,
and what can't be foreseen (the run's name) comes with the first state.

A goal that was met stays met. What else arrives for it is ignored, but for the signed results:
signed again, under another name perhaps, the later ones are those on the page. What is for no goal
is said to be so.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pusherkit.authorization import verify_channel
from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Mistake, every_mistake
from pusherkit.errors import AuthenticationError, UnreadableText
from pusherkit.signing import SIGNING_PARAMS, Request, canonical_string, hmac_sha256, sign

CLINIC_CREDENTIALS = Credentials(
    app_id="6855671",
    key="clinic-key",
    # For practice, and public. It could be hex or base64, so that a client that decodes it is seen.
    secret="5f2c9a7e40d1b86354ac",  # noqa: S106
    base_url="http://127.0.0.1",
)

TEXT = "Zażółć ☕"  # letters of one, two and three bytes
ORDER_CHANNEL = "order-41"
BUSY_CHANNEL = "friday"
SHUT_CHANNEL = "shut"
PRIVATE_CHANNEL = "private-order-41"
CLINIC_CHANNEL = "clinic"  # where the program tells the clinic something
WAITS = (1, 2)  # seconds in Retry-After; two values, so that a fixed pause doesn't fit both
EARLY_SECONDS = 0.1  # that a retry may come before its time: clocks differ
MIN_ATTEMPTS, MAX_ATTEMPTS = 2, 5  # at the channel that is shut
SILENCE_SECONDS = 30.0  # after which an attempt is the first of another run of the program
CORRECTED_SECONDS = 3.0  # the same, after a mistake: somebody mends the program and runs it again
MIN_BATCH = 2  # events
MAX_READ_BYTES = 128 * 1024  # of a body that is looked into; an event at its limit has less
MAX_SAID = 700  # characters of a sentence about what came
MAX_SHOWN = 60  # characters of a value in it
MAX_REPORT_BYTES = 2_000  # of the body of the results' event; it's on the page, whole
MAX_NAME = 80  # characters of who signed the results
SHORT = 16  # digits of a signature, where it's only compared by eye


# --- what is known ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request that was answered."""

    time: float
    """Unix seconds, by the server's clock."""
    request: Request
    status: int
    said: str = ""
    """Why it was refused and what to do, as sentences; "" if it was accepted."""
    mistakes: tuple[str, ...] = ()
    """The names of the mistakes that are proven, if it was refused for its signature."""
    asked_to_wait: float = 0.0
    """Seconds: what must_wait() said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is known of one goal."""

    met: float | None = None
    """Unix seconds; None as long as it isn't met."""
    said: str = ""
    """What was shown. If the goal isn't met: what came, and what is missing; "" before that."""
    mistakes: tuple[str, ...] = ()
    """The names of the doctor's mistakes behind it."""
    under_way: bool = False
    """Whether so far all is well, and more has to come."""
    memory: Mapping[str, Any] = field(default_factory=dict)
    """What the goal has to remember between two requests; JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The request that the learner's own program signed for the results, and that was verified."""

    time: float
    by: str
    """Who signed, as the program says; "" if it doesn't."""
    body: str
    canonical_string: str
    signature: str
    results: str
    """The text whose fingerprint is in the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that is known of one run, which is one learner's way through the goals."""

    run: str
    """Its name: some hex digits that nobody can foresee."""
    began: int
    """Unix seconds."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    tries: int = 0
    """How many faults were called by a wrong name."""
    latest: str = ""
    """What came last, if it has to do with none of the goals."""
    report: Report | None = None

    def mark(self, goal: str) -> Mark:
        """What is known of a goal, by its id."""
        return self.marks.get(goal, Mark())

    def met(self, goal: str) -> bool:
        return self.mark(goal).met is not None

    @property
    def open(self) -> tuple[Goal, ...]:
        """The goals that aren't met yet."""
        return tuple(goal for goal in GOALS if not self.met(goal.id))

    @property
    def finished(self) -> bool:
        return not self.open


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One thing to show: what to send, and why it matters, as sentences."""

    id: str
    title: str
    send: str
    why: str
    judge: Callable[[State, Credentials, Arrival, Sent], State]
    """Takes a request that was accepted, or asked to wait."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as somebody tried to send it; what isn't text is ""."""

    channels: tuple[str, ...]
    name: str
    data: str

    def says(self, field: str) -> str:
        """A field of the data, if that is a JSON object; else the data itself."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return self.data.strip()
        found = value.get(field) if isinstance(value, dict) else value
        return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, looked into: its events, and its own parameters."""

    events: tuple[Event, ...]
    params: tuple[tuple[str, str], ...]
    """Those that signing doesn't add, as they came."""

    def on(self, channel: str, name: str = "") -> Event | None:
        """The event on a channel, with this name if one is given."""
        for event in self.events:
            if channel in event.channels and name in ("", event.name):
                return event
        return None


def look_into(request: Request) -> Sent:
    """What a request holds, whether or not it would be accepted."""
    own = tuple(pair for pair in request.params if pair[0].lower() not in SIGNING_PARAMS)
    return Sent(tuple(_events(request.body)), own)


def _events(body: bytes) -> Iterator[Event]:
    if len(body) > MAX_READ_BYTES:
        return
    try:
        value = json.loads(body.decode(errors="replace"))
    except (ValueError, RecursionError):
        return
    batch = value.get("batch") if isinstance(value, dict) else None
    for item in batch if isinstance(batch, list) else [value]:
        if isinstance(item, dict):
            channels = item.get("channels")
            several = channels if isinstance(channels, list) else []
            yield Event(
                tuple(each for each in (item.get("channel"), *several) if isinstance(each, str)),
                *(each if isinstance(each := item.get(name), str) else "" for name in _TEXTS),
            )


_TEXTS = ("name", "data")


def one_line(text: str, limit: int = MAX_SAID) -> str:
    """A text as it may be kept and shown: cut, and what can't be printed as an escape.

    Otherwise what somebody sends could look like another line of the results.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[:limit])


# --- the fold -----------------------------------------------------------------------------------


def must_wait(state: State, request: Request, *, now: float) -> float:
    """For how many seconds a request, signed as it should be, has to wait; 0 if it needn't."""
    sent = look_into(request)
    goal = _goal_of(request, sent)
    if goal == "give-up" and sent.on(SHUT_CHANNEL):
        return WAITS[0]
    if goal != "wait" or state.met(goal):
        return 0
    memory = _round(state.mark(goal).memory, now)
    step = 0 if _too_early(memory, now) else memory.get("step", 0)
    return WAITS[step] if step < len(WAITS) else 0


def arrived(state: State, credentials: Credentials, arrival: Arrival) -> State:
    """What is known after one more request."""
    sent = look_into(arrival.request)
    goal = "" if arrival.status in (404, 405) else _goal_of(arrival.request, sent)
    if not goal:
        return replace(state, latest=one_line(arrival.said)) if arrival.said else state
    state = replace(state, latest="")
    if state.met(goal) and goal == "event" and arrival.status < 400:
        return replace(state, latest=one_line(credentials.hide(_for_nothing(sent))))
    if state.met(goal):
        return _signed_again(state, credentials, arrival, sent) if goal == "report" else state
    if arrival.status >= 400 and not arrival.asked_to_wait:
        if goal == "vectors":
            return _vector_refused(state, sent, arrival.said, arrival.mistakes)
        return missing(state, goal, arrival.said, arrival.mistakes)
    if said := _misnamed(goal, sent):
        return missing(state, goal, credentials.hide(said))
    (judge,) = (each.judge for each in GOALS if each.id == goal)
    return judge(state, credentials, arrival, sent)


def missing(state: State, goal: str, said: str, mistakes: tuple[str, ...] = ()) -> State:
    """A state that says of a goal what came and what is missing; what it remembers stays."""
    mark = state.mark(goal)
    mark = replace(mark, said=one_line(said), mistakes=mistakes, under_way=False)
    return _with(state, goal, mark)


def shown(state: State, goal: str, said: str, *, now: float) -> State:
    """A state in which a goal is met."""
    return _with(state, goal, Mark(met=now, said=one_line(said)))


def _with(state: State, goal: str, mark: Mark) -> State:
    return replace(state, marks={**state.marks, goal: mark})


def _going_on(state: State, goal: str, said: str, wrong: str = "", **memory: Any) -> State:
    """A state that remembers something of a goal; `wrong` is said in place of what is well."""
    text = one_line(wrong or said)
    return _with(state, goal, Mark(said=text, under_way=not wrong, memory=memory))


def _goal_of(request: Request, sent: Sent) -> str:
    """The id of the goal that a request is for, as far as one can tell; "" if it's for none."""
    method, end = request.method.upper(), request.path.rpartition("/")[2]
    if method == "GET":
        return "get"
    if method != "POST" or end not in ("events", "batch_events"):
        return ""
    if nearest_vector(sent) is not None:
        return "vectors"
    if end == "batch_events":
        return "batch"
    for goal, channel, name in (("wait", BUSY_CHANNEL, ""), ("give-up", SHUT_CHANNEL, ""), *NAMED):
        if sent.on(channel, name):
            return goal
    if any(_has_text(event) for event in sent.events):
        return "event"
    return next((goal for goal, _, name in NAMED if _nearly(sent, name)), "event")


NAMED = (
    ("give-up", "news", "gave-up"),
    ("private", CLINIC_CHANNEL, "auth"),
    ("fault", CLINIC_CHANNEL, "cause"),
    ("report", CLINIC_CHANNEL, "report"),
)
"""The goals that are told by an event's channel and name."""


def _nearly(sent: Sent, name: str) -> Event | None:
    """An event with a name, in capitals perhaps, on whatever channel."""
    return next((each for each in sent.events if each.name.strip().lower() == name), None)


def _misnamed(goal: str, sent: Sent) -> str:
    """What is wrong with the name or the channel of an event that's meant for a goal; or ""."""
    for each, channel, name in NAMED:
        exactly = sent.on(channel, name) or sent.on(SHUT_CHANNEL)
        if each == goal and not exactly and (event := _nearly(sent, name)):
            return f"{_called(event)} came. It should be the event `{name}` on `{channel}`."
    return ""


def _called(event: Event) -> str:
    """An event by its name and its channels, cut."""
    channels = ", ".join(event.channels)[:MAX_SHOWN]
    return f"An event `{event.name[:MAX_SHOWN]}` on `{channels}`"


def _for_nothing(sent: Sent) -> str:
    """What to say of events that no goal is waiting for; "" if they're only sent once more."""
    if any(_has_text(event) and ORDER_CHANNEL in event.channels for event in sent.events):
        return ""
    came = _called(sent.events[0]) if sent.events else "A request without an event"
    return f"{came} came. No goal asks for that, so it counts for nothing."


# --- three vectors ------------------------------------------------------------------------------

_EVENTS_PATH = f"/apps/{CLINIC_CREDENTIALS.app_id}/events"
_BATCH_PATH = f"/apps/{CLINIC_CREDENTIALS.app_id}/batch_events"
VECTORS = (
    Request(
        "POST",
        _EVENTS_PATH,
        (("Zone", "a, b"), ("a", "1")),
        '{"name":"status","channel":"order-41","data":"{\\"to\\":\\"Zoë\\"}"}\n'.encode(),
    ),
    Request(
        "POST",
        _EVENTS_PATH,
        (("Tag", "north east, café"), ("note", "50% + 1 = %41"), ("B", "x/y")),
        (
            '{ "name": "status", "data": "{\\"note\\":\\"it\'s \\\\\\"5 < 6\\\\\\" ☕\\"}",\n'
            '  "channel" : "order-41" }\n'
        ).encode(),
    ),
    Request(
        "POST",
        _BATCH_PATH,
        (("b", "2"), ("A", "a=b&c, d")),
        (
            '{"batch": [\r\n\t{"name": "status", "channel": "order-41", "data": "añadido"},\r\n'
            '\t{"name": "status", "channel": "order-42", "data": "{\\"id\\": 7}"}\r\n]}\r\n'
        ).encode(),
    ),
)
"""Requests to send as they are. Each detects every mistake that a test vector should detect."""


def nearest_vector(sent: Sent) -> int | None:
    """Which of VECTORS a request is meant to be, by the names of its parameters, in any case.

    Or else by its events: they're in none of the other tasks.
    """
    names = sorted(name.lower() for name, _ in sent.params)
    for number, vector in enumerate(VECTORS):
        if names == sorted(name.lower() for name, _ in vector.params):
            return number
    for number, vector in enumerate(VECTORS):  # without its parameters, perhaps
        if sent.events == look_into(vector).events:
            return number
    return None


def _judge_vectors(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    number = nearest_vector(sent) or 0
    there, wrong = _vectors_so_far(state)
    difference = _difference(VECTORS[number], arrival.request, sent)
    if difference:
        said = "It's signed correctly, but it isn't the same request: "
        wrong[number + 1] = credentials.hide(said + difference)
    else:
        there.add(number + 1)
    if len(there) == len(VECTORS):
        return shown(state, "vectors", "All three, byte for byte.", now=arrival.time)
    return _vectors(state, there, wrong)


def _vectors_so_far(state: State) -> tuple[set[int], dict[int, str]]:
    """The numbers of those that were right, and what's wrong with others."""
    memory = state.mark("vectors").memory
    return set(memory.get("there", ())), {int(n): t for n, t in memory.get("wrong", {}).items()}


def _vectors(
    state: State, there: set[int], wrong: dict[int, str], mistakes: tuple[str, ...] = ()
) -> State:
    """A state that says of each vector how it stands, those with the same fault together."""
    wrong = {number: wrong[number] for number in sorted(wrong) if number not in there}
    alike: dict[str, list[int]] = {}
    for number, text in wrong.items():
        alike.setdefault(text, []).append(number)
    left = [number for number in (1, 2, 3) if number not in there and number not in wrong]
    are = "is" if len(there) == 1 else "are"
    said = [f"{_numbered(sorted(there)).capitalize()} {are} right."] if there else []
    said += [f"{_numbered(numbers).capitalize()}: {text}" for text, numbers in alike.items()]
    said += [f"Still to come: {_numbered(left)}."] if left else []
    memory = {"there": sorted(there), "wrong": {str(n): text for n, text in wrong.items()}}
    text = one_line(" ".join(said))
    mark = Mark(said=text, mistakes=mistakes, under_way=not wrong, memory=memory)
    return _with(state, "vectors", mark)


def _vector_refused(state: State, sent: Sent, said: str, mistakes: tuple[str, ...]) -> State:
    there, wrong = _vectors_so_far(state)
    number = (nearest_vector(sent) or 0) + 1
    if number not in there:
        room = MAX_SAID // len(VECTORS) - len("vector 1: …")
        wrong[number] = said if len(said) <= room else f"{said[:room]}…"
    return _vectors(state, there, wrong, mistakes)


def _numbered(numbers: list[int]) -> str:
    """vector 1, or vectors 1 and 3."""
    *first, last = map(str, numbers)
    return f"vectors {', '.join(first)} and {last}" if first else f"vector {last}"


def _difference(wanted: Request, came: Request, sent: Sent) -> str:
    """In which way a request isn't the one that was wanted; "" if it is."""
    if came.path != wanted.path:
        return f"its path is {came.path[:MAX_SHOWN]}, but it should be {wanted.path}."
    if absent := [
        f"{name}={value}" for name, value in wanted.params if (name, value) not in sent.params
    ]:
        return f"the parameter {absent[0]} isn't in it exactly as written."
    if came.body == wanted.body:
        return ""
    body, right = came.body, wanted.body
    if right.rstrip() == body.rstrip():
        return (
            f"its body has {len(body)} bytes, but it should have {len(right)}. The newline at the "
            "end is part of it."
        )
    pairs = zip(body, right, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(body), len(right)))
    return f"its body differs from byte {at} on (it has {len(body)} bytes; expected {len(right)})."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- an event, a GET, a batch -------------------------------------------------------------------

ASKED = "/channels/presence-couriers"  # the end of the path of the GET
INFO = "info=user_count,subscription_count"


def _judge_event(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    texts = [text for event in sent.events for text in _texts(event.data)]
    having = [event for event in sent.events if _has_text(event)]
    if any(ORDER_CHANNEL in event.channels for event in having):
        said = f"{TEXT} arrived in {_counted(len(arrival.request.body), 'byte')} of body."
        return shown(state, "event", said, now=arrival.time)
    if having:
        said = f"{_called(having[0])} brought {TEXT}. Publish it on the channel `{ORDER_CHANNEL}`."
        return missing(state, "event", credentials.hide(said))
    return missing(state, "event", f"An event came, but {TEXT} isn't in its data. {_why(texts)}")


def _has_text(event: Event) -> bool:
    return any(TEXT in text for text in _texts(event.data))


def _texts(data: str) -> list[str]:
    r"""A text, and what it says if it's JSON: \u017c in it is a letter."""
    try:
        return [data, json.dumps(json.loads(data), ensure_ascii=False)]
    except (ValueError, RecursionError):
        return [data]


def _why(texts: list[str]) -> str:
    """What became of the text on its way here, if one can tell."""
    twice = TEXT.encode().decode("latin-1")
    for text in texts:
        if twice[:4] in text or TEXT.encode()[:4].decode("cp1252") in text:
            return "Its UTF-8 was mistaken for Latin-1 and encoded a second time."
        if unicodedata.normalize("NFD", TEXT) in text:
            return "Its accents came as separate characters (NFD). Send it as it's written."
        if "Za??" in text or "Za\ufffd" in text:
            return "Letters became question marks: the program doesn't write UTF-8."
    return "Put it there, and send it as UTF-8."


def _judge_get(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    path = arrival.request.path
    if not path.endswith(ASKED):
        said = (
            f"A GET came for {credentials.hide(path)[:MAX_SHOWN]}. Ask for …{ASKED}, with {INFO}."
        )
        return missing(state, "get", said)
    for name, value in sent.params:
        if "," in value:
            said = credentials.hide(f"{name}={value}")[:MAX_SHOWN]
            return shown(state, "get", f"{said}, and no body_md5.", now=arrival.time)
    said = (
        "A GET came, but none of its values has a comma."
        if sent.params
        else "A GET came, but it had no parameters of its own."
    )
    return missing(state, "get", f"{said} Ask for {INFO}.")


def _judge_batch(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    count = len(sent.events)
    if count >= MIN_BATCH:
        return shown(state, "batch", f"{count} events under one signature.", now=arrival.time)
    return missing(
        state, "batch", f"A batch with {_counted(count, 'event')} came. Put {MIN_BATCH} or more in."
    )


# --- 429 ----------------------------------------------------------------------------------------

OVER = "That round is over, and the next attempt begins a new one: run your program again."


def _round(memory: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    """What is remembered of the round at hand: nothing, if a request now begins another one."""
    silence = CORRECTED_SECONDS if memory.get("spoiled") else SILENCE_SECONDS
    return {} if memory and now > memory["due"] + silence else memory


def _too_early(memory: Mapping[str, Any], now: float) -> bool:
    return bool(memory.get("step", 0) and now < memory["due"] - EARLY_SECONDS)


def _early(memory: Mapping[str, Any], now: float) -> str:
    asked = memory["asked"]
    waited = max(0.0, now - memory["due"] + asked)
    return (
        f"It came again after {waited:.1f} s, but Retry-After said {asked} s. Wait as long as the "
        "answer says, each time."
    )


def _stamp(request: Request) -> str:
    return "".join(request.values("auth_timestamp"))


def _judge_wait(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    now, asked = arrival.time, arrival.asked_to_wait
    memory = _round(state.mark("wait").memory, now)
    step, spoiled = memory.get("step", 0), memory.get("spoiled", "")
    if _too_early(memory, now):
        spoiled, step = _early(memory, now), 0
    if asked:
        first = memory["first"] if step else _stamp(arrival.request)
        return _going_on(
            state,
            "wait",
            f"Attempt {step + 1} got a 429. Now wait before you try again.",
            spoiled,
            step=step + 1,
            due=now + asked,
            asked=asked,
            first=first,
            spoiled=spoiled,
        )
    if not spoiled and memory["first"] == _stamp(arrival.request):
        spoiled = (
            "It waited, but sent the same auth_timestamp again. After a wait, sign again: the old "
            "signature can expire while you wait."
        )
    if spoiled:
        return _going_on(state, "wait", "", f"{spoiled} {OVER}")
    said = f"Waited {' s, then '.join(map(str, WAITS))} s, and signed again."
    return shown(state, "wait", said, now=now)


def _judge_give_up(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    memory, now, asked = state.mark("give-up").memory, arrival.time, arrival.asked_to_wait
    if memory and now > memory["due"] + SILENCE_SECONDS:
        memory = {}  # the program was stopped, and runs again
    step, spoiled = memory.get("step", 0), memory.get("spoiled", "")
    if asked:
        if _too_early(memory, now):
            spoiled = _early(memory, now)
        step += 1
        if step > MAX_ATTEMPTS:
            spoiled = f"Attempt {step} came. Stop after {MAX_ATTEMPTS}: nobody should try for ever."
        return _going_on(
            state,
            "give-up",
            f"Attempt {step}. Give up after {MAX_ATTEMPTS} at the latest.",
            spoiled,
            step=step,
            due=now + asked,
            asked=asked,
            spoiled=spoiled,
        )
    if step < MIN_ATTEMPTS and not spoiled:
        spoiled = (
            f"gave-up came after {_counted(step, 'attempt')} on {SHUT_CHANNEL}. Make "
            f"at least {MIN_ATTEMPTS}: being told to wait once is no reason to give up."
        )
    if spoiled:
        return _going_on(state, "give-up", "", f"{spoiled} {OVER}")
    return shown(state, "give-up", f"Gave up after {step} attempts, and said so.", now=now)


# --- a private channel --------------------------------------------------------------------------


def socket_id(state: State) -> str:
    """The connection of the customer's page: the same for a whole run."""
    digits = str(int(hashlib.sha256(f"socket {state.run}".encode()).hexdigest(), 16))
    return f"{digits[:6]}.{digits[6:12]}"


def _judge_private(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    auth = handed_in(sent)
    try:
        verify_channel(credentials, socket_id(state), PRIVATE_CHANNEL, auth)
    except AuthenticationError as error:
        return missing(state, "private", mixed_up(state, credentials, auth) or str(error))
    said = f"The page {socket_id(state)} may listen to {PRIVATE_CHANNEL}."
    return shown(state, "private", said, now=arrival.time)


def mixed_up(state: State, app: Credentials, auth: str | None) -> str:
    """Which other channel or connection an auth is for, if that can be told; or ""."""
    right = socket_id(state)
    for id in (right, "1234.1234", right.replace(".", "")):
        for channel in (PRIVATE_CHANNEL, *_OTHER_CHANNELS):
            if auth == f"{app.key}:{hmac_sha256(app.secret, f'{id}:{channel}')}":
                return (
                    f"That's the auth for {id}:{channel}. Sign {right}:{PRIVATE_CHANNEL}: the "
                    "socket id is at /clinic/socket_id."
                )
    return ""


_OTHER_CHANNELS = (
    "order-41",
    "private-order-42",
    "private-channel",
    "private-foobar",
    "presence-couriers",
    "presence-order-41",
    "order-42",
    CLINIC_CHANNEL,
)


def handed_in(sent: Sent) -> str | None:
    """The auth for the customer's page, if that's what a request brings."""
    event = sent.on(CLINIC_CHANNEL, "auth")
    return event.says("auth") if event else None


def joined(state: State, channel: str, *, now: float) -> State:
    """What is known once a real subscriber was let into a private channel."""
    return shown(state, "private", f"A subscriber was let into {channel}.", now=now)


# --- a fault ------------------------------------------------------------------------------------

Made = Callable[[Credentials, str], str]


def _plain(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


FAULTS: dict[str, Made] = {
    "hash-of-secret-and-string": lambda app, text: _plain(app.secret + text),
    "key-and-message-swapped": lambda app, text: hmac_sha256(text, app.secret),
    "method-in-lower-case": lambda app, text: hmac_sha256(app.secret, text.replace("POST", "post")),
    "newline-at-the-end": lambda app, text: hmac_sha256(app.secret, text + "\n"),
    "newline-written-out": lambda app, text: hmac_sha256(app.secret, text.replace("\n", "\\n")),
    "secret-with-newline": lambda app, text: hmac_sha256(app.secret + "\n", text),
}
"""Mistakes of the doctor's table, each with the signature that it makes of a canonical string."""


def mistakes_to_choose_from() -> tuple[Mistake, ...]:
    """Those of FAULTS, as the doctor tells them."""
    known = {mistake.name: mistake for mistake in every_mistake()}
    return tuple(known[name] for name in FAULTS)


def fault(state: State) -> str:
    """The name of the mistake in the broken request; after each wrong answer it's another."""
    names = list(FAULTS)
    first = int(hashlib.sha256(f"fault {state.run}".encode()).hexdigest(), 16)
    return names[(first + state.tries) % len(names)]


def broken(state: State, credentials: Credentials) -> Request:
    """A request of a colleague's, whose signature is wrong."""
    app = credentials
    path = f"/apps/{app.app_id}/events"
    body = b'{"name":"status","channel":"order-41","data":"delayed"}'
    when = state.began + state.tries
    signed = sign(app, "POST", path, body=body, timestamp=when)
    wrong = FAULTS[fault(state)](app, signed.canonical_string)
    return Request("POST", path, (*signed.params, ("auth_signature", wrong)), body)


def _judge_fault(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    event = sent.on(CLINIC_CHANNEL, "cause")
    name = event.says("cause") if event else ""
    tried = f" Wrong answers before that: {state.tries}." if state.tries else ""
    if name == fault(state):
        return shown(state, "fault", f"It was {name}.{tried}", now=arrival.time)
    if name not in FAULTS:
        names = ", ".join(FAULTS)
        got = repr(credentials.hide(name)[:MAX_SHOWN])
        return missing(state, "fault", f"cause: expected one of {names}; got {got}.")
    request = broken(state, credentials)
    text = canonical_string(request.method, request.path, request.params)
    made, (sent_one,) = FAULTS[name](credentials, text), request.values("auth_signature")
    said = (
        f"It wasn't {name}: that gives {made[:SHORT]}…, but {sent_one[:SHORT]}… was sent. "
        "You've got a new broken request now, with a different fault."
    )
    return missing(replace(state, tries=state.tries + 1), "fault", said)


# --- the results --------------------------------------------------------------------------------


def utc(time: float) -> str:
    """2026-11-26 14:03:07 UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def results(state: State) -> str:
    """What was shown, a line for each goal but the last: the text whose fingerprint is signed."""
    lines = [f"pusherkit clinic, run {state.run}"]
    for goal in GOALS[:-1]:
        mark = state.mark(goal.id)
        when = "open" if mark.met is None else f"{utc(mark.met)} {mark.said}"
        lines.append(f"{goal.id:<8} {when}")
    return "\n".join(lines) + "\n"


def fingerprint(state: State) -> str:
    """The SHA-256 of the results, as 64 hex digits; "" as long as one of them is open."""
    if any(goal.id != "report" for goal in state.open):
        return ""
    return _plain(state.report.results if state.report else results(state))


def _signed_again(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    """A finished state, with a later report if that is right as well."""
    if arrival.status >= 400:
        return state
    later = _judge_report(state, credentials, arrival, sent)
    return later if later.report is not state.report else state


def _judge_report(state: State, credentials: Credentials, arrival: Arrival, sent: Sent) -> State:
    left = [goal.title for goal in state.open if goal.id != "report"]
    if left:
        return missing(state, "report", f"This comes last. Still open: {'; '.join(left)}.")
    if (size := len(arrival.request.body)) > MAX_REPORT_BYTES:
        said = f"The event has {size:,} bytes. Send the fingerprint and your name, nothing else."
        return missing(state, "report", said)
    event = sent.on(CLINIC_CHANNEL, "report")
    came = event.says("fingerprint") if event else ""
    if not hmac.compare_digest(came.encode(errors="replace"), fingerprint(state).encode()):
        got = f"{came[:SHORT]}…" if re.fullmatch("[0-9a-f]{64}", came) else "something else"
        said = f"Expected the fingerprint {fingerprint(state)[:SHORT]}…, got {got}."
        return missing(state, "report", credentials.hide(said))
    by = event.says("by") if event and event.data.strip().startswith("{") else ""
    request, hide = arrival.request, credentials.hide
    report = Report(
        time=arrival.time,
        by=one_line(hide(by), MAX_NAME),
        body=hide(request.body.decode(errors="replace")),
        canonical_string=hide(canonical_string(request.method, request.path, request.params)),
        signature="".join(request.values("auth_signature")),
        results=results(state),
    )
    said = "Signed by your program, and verified."
    said += f" The page is by {report.by}." if report.by else ""
    state = shown(state, "report", said, now=arrival.time)
    return replace(state, report=report)


# --- the table ----------------------------------------------------------------------------------

GOALS = (
    Goal(
        id="vectors",
        title="Three vectors",
        send="Send the three requests below exactly as they're written, down to the last newline, "
        "each signed with the time at which you send it.",
        why="A mistake can't hide in these: each one would show it.",
        judge=_judge_vectors,
    ),
    Goal(
        id="event",
        title="An event beyond ASCII",
        send=f"Publish an event on the channel `{ORDER_CHANNEL}` whose data contains {TEXT}.",
        why="You hash bytes, and ż is two of them. A program that counts or hashes letters gets "
        "this wrong.",
        judge=_judge_event,
    ),
    Goal(
        id="get",
        title="A GET with a comma",
        send=f"GET `/apps/{CLINIC_CREDENTIALS.app_id}{ASKED}`, with `{INFO}`.",
        why="You sign the comma as a comma, even if the URL has %2C. And without a body there's no "
        "body_md5.",
        judge=_judge_get,
    ),
    Goal(
        id="batch",
        title="A batch",
        send=f"Publish {MIN_BATCH} events or more with one request to `{_BATCH_PATH}`.",
        why="One signature covers all of them, and it covers a different path.",
        judge=_judge_batch,
    ),
    Goal(
        id="wait",
        title="Wait when you're told to",
        send=f"Publish an event on the channel `{BUSY_CHANNEL}`. It's answered 429 twice. Wait "
        "as many seconds as Retry-After says, each time, then sign it again and send it again.",
        why="The server has too much to do. If you come back at once, you make it worse.",
        judge=_judge_wait,
    ),
    Goal(
        id="give-up",
        title="Give up in the end",
        send=f"Publish an event on the channel `{SHUT_CHANNEL}`. It's always answered 429. Wait in "
        f"between, stop after {MIN_ATTEMPTS} to {MAX_ATTEMPTS} attempts, and then publish the "
        "event `gave-up` on the channel `news`.",
        why="A program that tries for ever hangs, and nobody finds out why.",
        judge=_judge_give_up,
    ),
    Goal(
        id="private",
        title="A page in a private channel",
        send=f"A customer's page asks for `{PRIVATE_CHANNEL}`; its socket id is at "
        f"/clinic/socket_id. Publish the event `auth` on the channel `{CLINIC_CHANNEL}`, with what "
        'your authorization endpoint would answer as its data: `{"auth":"…"}`. (A real subscriber '
        "on that channel counts, too.)",
        why="A page can't have the secret, so your server signs for it once it knows who's asking.",
        judge=_judge_private,
    ),
    Goal(
        id="fault",
        title="A fault, found",
        send="A colleague's request, below, was refused. Find out which listed mistake gives its "
        f"signature, and publish the event `cause` on the channel `{CLINIC_CHANNEL}`, with its "
        'name: `{"cause":"NAME"}`. After a wrong answer you get a different fault.',
        why="You know the cause once you can make the same wrong signature.",
        judge=_judge_fault,
    ),
    Goal(
        id="report",
        title="Your results, signed",
        send="When you've shown everything else, get the fingerprint of your results from "
        f"/clinic/fingerprint, and publish the event `report` on the channel `{CLINIC_CHANNEL}`: "
        '`{"fingerprint":"…","by":"your name"}`. `by` is optional.',
        why="Your own program signs what you've shown, and the server verifies it.",
        judge=_judge_report,
    ),
)


# --- kept in a file -----------------------------------------------------------------------------

FORMAT = 1  # of the file; another version's is not read


def to_text(state: State) -> str:
    """A state as JSON, for read_state()."""
    marks = {
        goal: {
            "met": mark.met,
            "said": mark.said,
            "mistakes": list(mark.mistakes),
            "under_way": mark.under_way,
            "memory": dict(mark.memory),
        }
        for goal, mark in state.marks.items()
    }
    report = None
    if state.report:
        report = {name: getattr(state.report, name) for name in Report.__slots__}
    fields = {"run": state.run, "began": state.began, "tries": state.tries}
    kept = {"format": FORMAT, **fields, "marks": marks, "report": report}
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


def read_state(text: str) -> State:
    """The state that to_text() wrote. Raises UnreadableText, with a sentence."""
    try:
        kept = json.loads(text)
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            found = kept.get("format") if isinstance(kept, dict) else None
            raise UnreadableText(f"Expected format {FORMAT} of the clinic's file, got {found!r}.")
        marks = {goal.id: _read_mark(goal.id, kept["marks"].get(goal.id, {})) for goal in GOALS}
        report = _read_report(kept["report"]) if kept["report"] else None
        state = State(
            run=str(kept["run"]),
            began=int(kept["began"]),
            tries=int(kept["tries"]),
            marks=marks,
            report=report,
        )
        _check_shows(state)
        return state
    except UnreadableText:  # which is a ValueError
        raise
    except _NOT_OURS as error:
        raise UnreadableText(f"It isn't one of the clinic's files: {error!r}.") from None


_NOT_OURS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    OverflowError,
    OSError,  # what datetime raises for some times, on some systems
)


def _check_shows(state: State) -> None:
    """Raise an error for a time that no calendar has, or for text that isn't Unicode."""
    met = [mark.met for mark in state.marks.values() if mark.met is not None]
    for time in (state.began, *met, *([state.report.time] if state.report else [])):
        utc(time)
    to_text(state).encode()


def _read_report(kept: dict[str, Any]) -> Report:
    texts = ("by", "body", "canonical_string", "signature", "results")
    return Report(time=float(kept["time"]), **{name: str(kept[name]) for name in texts})


def _read_mark(goal: str, kept: dict[str, Any]) -> Mark:
    met = kept.get("met")
    return Mark(
        met=None if met is None else float(met),
        said=str(kept.get("said", "")),
        mistakes=tuple(map(str, kept.get("mistakes", ()))),
        under_way=bool(kept.get("under_way")),
        memory=_read_memory(goal, kept.get("memory", {})),
    )


_STEPS = {"step": int, "due": float, "asked": float, "spoiled": str}
_REMEMBERED = {"wait": {**_STEPS, "first": str}, "give-up": _STEPS}


def _read_memory(goal: str, kept: dict[str, Any]) -> dict[str, Any]:
    """What a goal remembers, if all of it is there and has its kind; nothing at all if not."""
    if goal == "vectors" and "there" in kept:
        wrong, numbers = kept.get("wrong", {}), ("1", "2", "3")
        return {
            "there": [number for number in (1, 2, 3) if number in kept["there"]],
            "wrong": {number: str(wrong[number]) for number in numbers if number in wrong},
        }
    kinds = _REMEMBERED.get(goal, {})
    if not kinds or not kinds.keys() <= kept.keys():
        return {}
    memory = {name: kind(kept[name]) for name, kind in kinds.items()}
    return memory if memory["step"] >= 0 else {}
