"""Lesson 06, clock and replay: the page of order 41 says "delivered" twice."""

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby
from typing import Any, NamedTuple

from pusherkit.errors import AuthenticationError
from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
    Explorer,
    Fact,
    Lesson,
    Picture,
    View,
    Wrong,
    choice,
    difference,
    gesture,
    shown,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.busy import BusyServer
from pusherkit.lessons.kit.picture import group, handle, line, path, rect, text
from pusherkit.sandbox.api import Sandbox
from pusherkit.signing import (
    AUTH_VERSION,
    TOLERANCE_SECONDS,
    body_digest,
    canonical_string,
    hmac_sha256,
    verify,
)

lesson = Lesson("06-clock-and-replay", stages=(3, 6))
map, recall = lesson.map, lesson.recall_card

BODY = rb'{"name":"status","channel":"order-41","data":"{\"status\":\"delivered\"}"}'


def signed_with(auth_timestamp: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a request that is signed right, whatever it says about the time."""
    params = (
        ("auth_key", EXAMPLE_CREDENTIALS.key),
        ("auth_timestamp", auth_timestamp),
        ("auth_version", AUTH_VERSION),
        ("body_md5", body_digest(BODY)),
    )
    signed = canonical_string("POST", EVENTS_PATH, params)
    return (*params, ("auth_signature", hmac_sha256(EXAMPLE_CREDENTIALS.secret, signed)))


def server_says(auth_timestamp: str, clock: float) -> str:
    """What the server says to that request when its own clock shows `clock`; "" if it accepts."""
    params = signed_with(auth_timestamp)
    try:
        verify(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, params, BODY, now=clock)
    except AuthenticationError as refused:
        return str(refused)
    return ""


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A request was signed right, and its parameters travel in reverse order. What comes back?",
    {
        "401: the order is another one": "It would be, if the order in the URL were what's signed.",
        "200: it sorts them before it compares": "The order in the URL doesn't matter, because "
        "both sides sort.",
        "400: the URL is malformed": "A URL may list its parameters in any order.",
    },
    why="Both sides sort the parameters by name before they sign, whatever order they travel in.",
)
def reversed_order() -> tuple[str, Fact]:
    reverse = signed_with(str(EXAMPLE_TIMESTAMP))[::-1]
    verify(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, reverse, BODY, now=EXAMPLE_TIMESTAMP)
    names = ", ".join(name for name, _ in reverse)
    return "200: it sorts them before it compares", Fact("Sent", names)


@lesson.recall(
    "Somebody moves auth_timestamp on by one second, after signing. Which check fails?",
    {
        "auth_signature": "The time is one of the parameters, and they are all signed.",
        "auth_timestamp": "By itself the new time is fine: it's one second off.",
        "none": "Then anybody could give an old request today's date.",
    },
    why="The timestamp is part of the canonical string. To change it you'd have to sign again, and "
    "for that you need the secret.",
)
def one_second_later() -> tuple[str, Fact]:
    later = ("auth_timestamp", str(EXAMPLE_TIMESTAMP + 1))
    params = [later if name == later[0] else (name, value) for name, value in signed_with("1")]
    try:
        verify(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, params, BODY, now=EXAMPLE_TIMESTAMP)
    except AuthenticationError as error:
        return error.reason, Fact("The server", str(error))
    return "none", Fact("The server", "accepted")


@lesson.predict(
    "Your clock runs 590 seconds fast, and somebody copies a request as you send it. For how long "
    "can they send the copy?",
    {
        "10 seconds": "600 less 590? The window has two sides, and you begin at the far end.",
        "600 seconds": "It would be, if your clock were right.",
        "1,190 seconds": "Your timestamp has to grow 590 seconds “old” before it's even on time.",
    },
    why="What counts is the distance between the timestamp and the server's clock. The server's "
    "clock first has to catch up with your timestamp, and then move 600 seconds past it.",
)
def fast_clock() -> tuple[str, Fact]:
    stamp = str(EXAMPLE_TIMESTAMP + 590)
    accepted = [s for s in range(1800) if not server_says(stamp, EXAMPLE_TIMESTAMP + s)]
    return f"{max(accepted):,} seconds", Fact(
        "Accepted until", f"{max(accepted):,} s after sending"
    )


# --- two clocks on one ruler --------------------------------------------------------------------

YOUR_CLOCK = EXAMPLE_TIMESTAMP + 0.25  # what time.time() returns has a fraction
FARTHEST = 1_500  # seconds that the server's clock can be set off, either way
ZONE_HOURS = 1  # your machine is in UTC+1
ZONE = timezone(timedelta(hours=ZONE_HOURS))


class Way(NamedTuple):
    """One way to write the time, as code and as what comes out of it."""

    code: str
    write: Callable[[float], str]


WAYS = {
    "whole seconds": Way("str(int(time.time()))", lambda now: str(int(now))),
    "milliseconds": Way("str(int(time.time() * 1000))", lambda now: str(int(now * 1000))),
    "a fraction": Way("str(time.time())", str),
    "the wall clock, taken for UTC": Way(
        "str(calendar.timegm(time.localtime()))",
        lambda now: str(int(datetime.fromtimestamp(now, ZONE).replace(tzinfo=UTC).timestamp())),
    ),
}


@lesson.explorer
def two_clocks() -> Explorer:
    """Drag the server's clock, choose what you send as the time."""
    return Explorer(
        _two_clocks,
        way=choice("You send", WAYS),
        ahead=gesture(0, _moved),
        code=[server_says],
    )


def _moved(ahead: int, event: Event) -> int:
    """The server's clock after a drag or a key: seconds ahead of yours."""
    if event.kind in ("drag", "drop"):
        ahead = round((event.x - MIDDLE) / PX_PER_SECOND)
    elif event.kind == "key":
        steps = {"ArrowLeft": -1, "ArrowRight": 1, "PageDown": -60, "PageUp": 60}
        ends = {"Home": 0, "End": FARTHEST}
        ahead = ends.get(event.key, ahead + steps.get(event.key, 0))
    return max(-FARTHEST, min(FARTHEST, ahead))


def _two_clocks(way: Way, ahead: int) -> View:
    stamp, clock = way.write(YOUR_CLOCK), EXAMPLE_TIMESTAMP + ahead
    refused = server_says(stamp, clock)
    if refused:
        said, again = f"Refused: {refused.partition(':')[0]}.", "The copy is refused as well."
    else:
        left = int(stamp) + TOLERANCE_SECONDS - clock
        said = "Accepted."
        until = f"for another {left:,} s" if left else "until this second ends"
        again = f"The very same bytes are accepted again, {until}."
    return View(
        "Your clock and the server's",
        (
            Fact("You send", f"auth_timestamp={stamp}", way.code),
            Fact("Server's clock", f"{clock}", _off(ahead)),
            Fact("A copy", again, kind="prose"),
            Fact("The server", refused or "200"),
        ),
        said,
        not refused,
        picture=ruler(stamp, ahead, accepted=not refused),
    )


def _off(ahead: int) -> str:
    if not ahead:
        return "The same as yours."
    return f"{abs(ahead):,} s {'ahead of' if ahead > 0 else 'behind'} yours."


WIDTH, MIDDLE = 640, 320  # px
PX_PER_SECOND = 300 / 1_800  # the ruler reaches half an hour to either side


def ruler(stamp: str, ahead: int, *, accepted: bool) -> Picture:
    """Time as a ruler: your timestamp on it, and the server's clock with its window."""
    seconds = int(stamp) - EXAMPLE_TIMESTAMP if stamp.isdigit() else None
    on_ruler = seconds is not None and abs(seconds) <= 1_800
    where = f"{_off(ahead)} The window reaches {TOLERANCE_SECONDS} s to either side of it."
    what = (
        "Your timestamp is inside."
        if accepted
        else "Your timestamp is outside."
        if on_ruler
        else "What you send isn't anywhere on this ruler."
    )
    server = MIDDLE + ahead * PX_PER_SECOND
    reach = TOLERANCE_SECONDS * PX_PER_SECOND
    left, right = max(4.0, server - reach), min(WIDTH - 4.0, server + reach)
    sides = [f"M{left:g} 104V60H{right:g}", f"M{right:g} 60V104"]
    if left > server - reach:  # it goes on beyond the ruler, so that side stays open
        sides[0] = f"M{left:g} 60H{right:g}"
    if right < server + reach:
        sides.pop()
    ticks = [
        group(line(x, 104, x, 112), text(x, 135, _minutes(minutes), "small", "middle"))
        for minutes in range(-30, 31, 10)
        for x in [MIDDLE + minutes * 60 * PX_PER_SECOND]
    ]
    knob = handle(
        rect(server - 58, 20, 116, 26, "box", rx=6),
        text(server, 38, "Server's clock", "t", "middle"),
        path(f"M{server:g} 46V104", "arrow"),
        id="clock",
        label=f"Server's clock, {_off(ahead)} Arrow keys move it by a second, Page Up and Page "
        "Down by a minute.",
        keys="ArrowLeft ArrowRight PageUp PageDown Home End",
        drag=True,
    )
    return Picture(
        "Two clocks on a ruler",
        f"The server's clock: {where} {what}",
        WIDTH,
        178,
        "".join(
            (
                path("".join(sides), "good" if accepted else "wrong"),
                text((left + right) / 2, 14, f"window: ± {TOLERANCE_SECONDS} s", "small", "middle"),
                line(4, 104, WIDTH - 4, 104, "arrow"),
                *ticks,
                _stamp_mark(stamp, seconds, accepted),
                knob,
            )
        ),
    )


def _minutes(minutes: int) -> str:
    return f"{minutes:+d} min".replace("-", "−") if minutes else "your clock"


def _stamp_mark(stamp: str, seconds: int | None, accepted: bool) -> str:
    sign_of_it = "✓" if accepted else "✗"
    kind = "okt" if accepted else "badt"
    if seconds is None:
        return text(MIDDLE, 166, f"{sign_of_it} {stamp} isn't a whole number", kind, "middle")
    if abs(seconds) > 1_800:
        far = f"{sign_of_it} your timestamp is {_far(seconds)} off to the right →"
        return text(WIDTH - 8, 166, far, kind, "end")
    x = MIDDLE + seconds * PX_PER_SECOND
    return group(
        path(f"M{x:g} 104l-6 14h12z", "f3"),
        text(x, 166, f"{sign_of_it} your timestamp", kind, "middle"),
    )


def _far(seconds: int) -> str:
    if seconds < 86_400:
        return f"{seconds // 3600} h"
    return f"{seconds // 31_556_952:,} years"


# --- the exercises ------------------------------------------------------------------------------


def _clocks(chance: random.Random) -> Iterator[tuple[float]]:
    for low, high in ((60, 95), (5, 40), (5, 95)):  # hundredths of a second
        yield (chance.randrange(1_600_000_000, 1_900_000_000) + chance.randrange(low, high) / 100,)


@lesson.exercise(given=_clocks)
def timestamp(now: float) -> str:
    """Return the auth_timestamp for what time.time() returned."""
    return str(int(now))


@timestamp.judge
def _whole_seconds(result: Any, now: float) -> None:
    if result in (str(int(now)), str(round(now))):  # every server accepts a rounded one
        return
    if isinstance(result, str) and re.fullmatch(r"[0-9]{10}", result):
        raise Wrong(
            "This is another moment. Make it from `now`, and don't ask the clock.",
            Fact("now", shown(now)),
            Fact("Yours", shown(result)),
        )
    raise difference(str(int(now)), result, (now,))


timestamp.hint("Two steps: drop the fraction, then make it text.")
timestamp.hint("int(7.9) is 7.")
timestamp.wrong(
    "These are milliseconds, as JavaScript's Date.now() counts. The API counts seconds.",
    lambda now: str(int(now * 1000)),
)
timestamp.wrong("This has a fraction. The API wants whole seconds, so digits only.", str)
timestamp.wrong("This is a number (int). A parameter is text: str(…).", int)
timestamp.wrong(
    "This is a date. The API wants the seconds since 1970, as digits.",
    lambda now: datetime.fromtimestamp(now, UTC).isoformat(),
)
timestamp.wrong(
    "Rounded up, your timestamp is always ahead of your clock. Drop the fraction.",
    lambda now: str(math.ceil(now)),
)
timestamp.why("Unix time counts seconds, and int() drops the fraction. round() would do as well.")
timestamp.next(
    "Call it with time.time() and print the result. How many digits will it have in 2300?"
)


def _dates(chance: random.Random) -> Iterator[tuple[datetime]]:
    for hours in chance.sample((-8, -5, -3, 1, 3, 5.5, 5.75, 9), 3):
        seconds = chance.randrange(1_600_000_000, 1_900_000_000)
        yield (datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours))),)


@lesson.exercise(given=_dates)
def timestamp_of(date: datetime) -> str:
    """Return the auth_timestamp for a date that knows its time zone."""
    return str(int(date.timestamp()))


@timestamp_of.judge
def _that_moment(result: Any, date: datetime) -> None:
    if result != (expected := timestamp_of(date)):
        wrong = difference(expected, result)
        raise Wrong(wrong.message, Fact("date", date.isoformat()), *wrong.facts)


timestamp_of.hint("A datetime that knows its zone has a method for Unix time.")
timestamp_of.hint("datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))).timestamp() is 0.0")
timestamp_of.wrong(
    "You took the wall clock's time for UTC. The same hour in another zone is another moment.",
    lambda date: str(int(date.replace(tzinfo=UTC).timestamp())),
)
timestamp_of.wrong(
    "You took the offset away, and then timestamp() did it once more. It knows the zone already.",
    lambda date: str(int((date - date.utcoffset()).timestamp())),
)
timestamp_of.wrong(
    "It's the right moment, in milliseconds. The API counts seconds.",
    lambda date: str(int(date.timestamp() * 1000)),
)
timestamp_of.wrong(
    "It's the right moment, and it ends in .0. The API wants digits only.",
    lambda date: str(date.timestamp()),
)
timestamp_of.why(
    "Unix time has no zone: at one moment it's the same number everywhere. timestamp() takes the "
    "zone's offset away for you."
)
timestamp_of.next("Leave tzinfo out of a date and call timestamp(): which zone does Python assume?")


SERVER_CLOCK = 1_700_000_000  # Unix seconds, for the three refusals
SENT = {
    "A": str(SERVER_CLOCK + 19_800),  # India, +5:30
    "B": str(SERVER_CLOCK * 1000 + 412),
    "C": str(SERVER_CLOCK - 1_407),
}
REFUSALS = {letter: server_says(stamp, SERVER_CLOCK) for letter, stamp in SENT.items()}


@lesson.value
def causes() -> dict[str, str]:
    """Find the cause of each refusal: "milliseconds", "late" or "zone"."""
    return {"A": "zone", "B": "milliseconds", "C": "late"}


@causes.judge
def _known_causes(result: Any) -> None:
    right = causes()
    if isinstance(result, dict):
        known = [*right, *right.values()]
        if strange := [each for pair in result.items() for each in pair if each not in known]:
            raise Wrong(
                f"I don't know {shown(strange[0])}. The requests are A, B and C; the causes are "
                "milliseconds, late and zone.",
                Fact("Yours", shown(result)),
            )
    if result != right:
        raise difference(right, result)


causes.hint("Count the digits first. Then take the server's clock from each of the others.")
causes.hint("Time zones differ from UTC by whole hours, half hours, and here and there 45 minutes.")
causes.wrong(
    "A and C are swapped. 19,800 seconds are exactly five and a half hours; 1,407 isn't a zone.",
    {"A": "late", "B": "milliseconds", "C": "zone"},
)
causes.wrong(
    "A request that's sent late has a timestamp before the server's clock. A's is after it.",
    {"A": "late", "B": "milliseconds", "C": "late"},
)
causes.why(
    "Thirteen digits are milliseconds. Whole half hours are a zone. Anything else was sent late, "
    "or one of the clocks is off."
)
causes.next("What would milliseconds look like on a server that reads them as seconds? Which year?")


def _messages(chance: random.Random) -> Iterator[tuple[list[str]]]:
    """Data of events as they arrive: some a second time, at once or later; some alike, but new."""
    statuses = ["preparing", "left the depot", "out for delivery", "delivered"]
    for _ in range(3):
        first = chance.randrange(100, 900)
        said = [*statuses, chance.choice(statuses)]
        texts = [json.dumps({"id": first + n, "status": each}) for n, each in enumerate(said)]
        at_once = chance.randrange(1, 4)
        again = json.dumps(json.loads(texts[1]), separators=(",", ":"))  # by another serialiser
        yield ([*texts[: at_once + 1], *texts[at_once:], texts[0], again],)


@lesson.exercise(given=_messages)
def new_statuses(messages: list[str]) -> list[str]:
    """Return the statuses to show: each event once, in the order in which it first came."""
    seen = set()
    show = []
    for message in messages:
        event = json.loads(message)
        if event["id"] not in seen:
            seen.add(event["id"])
            show.append(event["status"])
    return show


@new_statuses.judge
def _once_each(result: Any, messages: list[str]) -> None:
    right = new_statuses(messages)
    if not isinstance(result, list):
        raise difference(right, result, (messages,))
    if result != right:
        raise Wrong(
            "These aren't the statuses to show.",
            Fact("Messages", "\n".join(messages)),
            Fact("Yours", shown(result)),
            Fact("Expected", shown(right)),
        )


new_statuses.hint("Every event has an id of its own. Remember those that you've seen.")
new_statuses.hint("A set is good at remembering: seen.add(3), and then 3 in seen is True.")
new_statuses.wrong(
    "The copies are all there. Skip an event whose id you've seen before.",
    lambda messages: [json.loads(each)["status"] for each in messages],
)
new_statuses.wrong(
    "You compare whole texts. A retry may write the same event in other bytes, as the last one "
    "here does. Compare the ids.",
    lambda messages: [json.loads(each)["status"] for each in dict.fromkeys(messages)],
)
new_statuses.wrong(
    "This drops new events that happen to say the same. Two ids are two events.",
    lambda messages: list(dict.fromkeys(json.loads(each)["status"] for each in messages)),
)
new_statuses.wrong(
    "You notice a copy only right after the original. It may come much later.",
    lambda messages: [event["status"] for event, _ in groupby(messages, json.loads)],
)
new_statuses.why(
    "It doesn't matter who sent the second copy: an attacker, or your own retry after an answer "
    "got lost."
)
new_statuses.next("A page stays open for days. How would you keep `seen` from growing for ever?")


# --- find, explain, fix -------------------------------------------------------------------------

RETRY_AFTER = 700  # seconds that the busy server asks for


def _busy_servers(chance: random.Random) -> Iterator[tuple[BusyServer]]:
    """Three that take the event in the end, and one that has another secret."""
    for times in (1, 3, chance.randrange(2, 5)):
        yield (BusyServer(busy_seconds=times * RETRY_AFTER),)
    refusing = BusyServer(busy_seconds=RETRY_AFTER)
    refusing.sandbox = Sandbox(replace(EXAMPLE_CREDENTIALS, secret="another"))  # noqa: S106
    yield (refusing,)


@lesson.exercise(given=_busy_servers)
def publish(server: BusyServer) -> int:
    """Publish one event to a busy server, and return the status of the last answer."""
    answer = server.send(server.sign())
    while answer.status == 503:
        server.wait(700)
        answer = server.send(server.sign())
    return answer.status


@publish.observe
def _what_happened(result: object, server: BusyServer) -> tuple[object, list[int], list[float]]:
    """The result, the answers, and how old each request was when it went out."""
    ages = [EXAMPLE_TIMESTAMP + each.at - each.signed_at for each in server.tries]
    return result, [each.status for each in server.tries], ages


@publish.judge
def _published_once(done: tuple[Any, list[int], list[float]], server: BusyServer) -> None:
    result, statuses, ages = done
    last = 200 if server.sandbox.credentials == EXAMPLE_CREDENTIALS else 401
    facts = [Fact("Answers", ", ".join(str(each) for each in statuses) or "none")]
    if 401 in statuses and max(ages) > TOLERANCE_SECONDS:
        old = f"{max(ages):g} s old when it went out"
        raise Wrong(f"A request was {old}. Sign after the wait.", *facts)
    if statuses.count(200) > 1:
        raise Wrong("The event was published more than once. Stop at the first 200.", *facts)
    if last not in statuses:
        raise Wrong("The event was never accepted. Wait, then try again.", *facts)
    if statuses.count(401) > 1:
        raise Wrong("This server has another secret, and no wait changes its 401. Stop.", *facts)
    if result != last:
        raise Wrong(f"Return the status of the last answer, and not {shown(result)}.", *facts)


def _signs_once(server: BusyServer) -> int:
    request = server.sign()
    answer = server.send(request)
    while answer.status == 503:
        server.wait(700)
        answer = server.send(request)
    return answer.status


def _six_times(server: BusyServer, seconds: int) -> int:
    for _ in range(6):
        answer = server.send(server.sign())
        server.wait(seconds)
    return answer.status


publish.broken(
    "After the wait, the server answers 401. How old is the signature by then?", _signs_once
)
publish.hint("How old is the timestamp when the second request goes out?")
publish.hint("You'd date a letter on the day you post it.")
publish.wrong(
    "You don't wait, so the server is still busy. Call server.wait(700).",
    lambda server: _six_times(server, 0),
)
publish.wrong(
    "You send once. While the answer is 503, wait and try again.",
    lambda server: server.send(server.sign()).status,
)
publish.wrong(
    "You go on after a 200, so the event is published again. Stop at the first 200.",
    lambda server: _six_times(server, RETRY_AFTER),
)
publish.why("Signed right before it's sent, a request is never older than its journey.")
publish.next("Give up after five tries: a loop that waits for a server needs an end.")


# --- prove it -----------------------------------------------------------------------------------


def _everything(chance: random.Random) -> Iterator[tuple[float, list[int], list[str]]]:
    for (now,), (messages,) in zip(_clocks(chance), _messages(chance), strict=True):
        off = [-601, -600, 600, 601, chance.randrange(-599, 599), chance.randrange(900, 9_999)]
        chance.shuffle(off)
        yield now, [int(now) + seconds for seconds in off], messages


@lesson.exercise(given=_everything, covers_lesson=True)
def prove_it(
    now: float, servers: list[int], messages: list[str]
) -> tuple[str, list[bool], list[str]]:
    """Return the auth_timestamp, which servers accept it, and the statuses to show."""
    sent = int(now)
    accepted = [abs(sent - server) <= 600 for server in servers]
    events: dict[int, str] = {}
    for message in messages:
        event = json.loads(message)
        events.setdefault(event["id"], event["status"])
    return str(sent), accepted, list(events.values())


@prove_it.judge
def _all_three(result: Any, now: float, servers: list[int], messages: list[str]) -> None:
    if not isinstance(result, tuple) or len(result) != 3:
        raise Wrong("Return three things, separated by commas.", Fact("Yours", shown(result)))
    sent, accepted, statuses = result
    _whole_seconds(sent, now)
    off = [server - int(sent) for server in servers]
    right = [abs(seconds) <= TOLERANCE_SECONDS for seconds in off]
    if not isinstance(accepted, list) or len(accepted) != len(right):
        raise Wrong(
            f"Part 2 is a list: True or False for each of the {len(servers)} servers.",
            Fact("Yours", shown(accepted)),
        )
    for number, (seconds, yours, due) in enumerate(zip(off, accepted, right, strict=True)):
        if yours is not due:
            raise Wrong(
                f"The clock of servers[{number}] is {abs(seconds)} s "
                f"{'ahead of' if seconds > 0 else 'behind'} your timestamp. Does it accept that?",
                Fact("Yours", shown(yours)),
            )
    _once_each(statuses, messages)


prove_it.hint("Whole seconds first. Compare them with each server's clock, in both directions.")
prove_it.hint("The third part is the receiver of exercise 4: every id once, in order.")


def _proves(
    text: Callable[[int], Any] = str,
    accepts: Callable[[int], bool] = lambda seconds: abs(seconds) <= TOLERANCE_SECONDS,
) -> Callable[..., Any]:
    """A proof that gets one thing wrong: the timestamp, or which difference is accepted."""
    return lambda now, servers, messages: (
        text(int(now)),
        [accepts(server - int(now)) for server in servers],
        new_statuses(messages),
    )


prove_it.wrong(
    "It's all right but the timestamp, which is a number. A parameter is text: str(…).",
    _proves(text=int),
)
prove_it.wrong(
    "The window has two sides: a server's clock may be ahead of yours or behind it.",
    _proves(accepts=lambda seconds: seconds <= TOLERANCE_SECONDS),
)
prove_it.wrong(
    "Almost. A difference of exactly 600 s is still accepted.",
    _proves(accepts=lambda seconds: abs(seconds) < TOLERANCE_SECONDS),
)
prove_it.why("Seconds, whole, as text; a window with two sides; and a receiver that knows the ids.")
prove_it.next("Go on to lesson 07: it's Black Friday.")
