"""Lesson 06, clock and replay: a signature is valid for 600 seconds, and more than once."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import ipywidgets

from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake
from pusherkit.lessons._interactive import Fact, Interactive, Prediction, View, row
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.lessons._progress import ProgressView
from pusherkit.sandbox import RawRequest, Sandbox
from pusherkit.signing import (
    AUTH_VERSION,
    TOLERANCE_SECONDS,
    Request,
    body_digest,
    canonical_string,
    hmac_sha256,
    judge,
    sign,
)

NOTEBOOK = "06-clock-and-replay"

# The worked example of Pusher's HTTP API documentation, signed on 2012-11-16.
PATH = "/apps/3/events"
BODY = rb'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}'
EXAMPLE = sign(EXAMPLE_CREDENTIALS, "POST", PATH, body=BODY, timestamp=EXAMPLE_TIMESTAMP)
YEARS_LATER = 1_735_689_600  # Unix seconds: 2025-01-01, 00:00:00 UTC

Query = tuple[tuple[str, str], ...]


def signed(auth_timestamp: str) -> Query:
    """The parameters of the example, rightly signed with any timestamp, also a wrong one."""
    params = (
        ("auth_key", EXAMPLE_CREDENTIALS.key),
        ("auth_timestamp", auth_timestamp),
        ("auth_version", AUTH_VERSION),
        ("body_md5", body_digest(BODY)),
    )
    text = canonical_string("POST", PATH, params)
    return (*params, ("auth_signature", hmac_sha256(EXAMPLE_CREDENTIALS.secret, text)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a practice server says to a request."""

    status: int
    words: str
    fix: str


def post(server: Sandbox, query: Query, now: float) -> Answer:
    """Send the example's body under a query, at a time on the server's clock."""
    target = f"{PATH}?{urlencode(query)}".encode()
    reply = server.handle(RawRequest(method="POST", target=target, body=BODY), now=now)
    fields = json.loads(reply.body)
    words = fields.get("error", reply.body.decode())
    return Answer(reply.status, f"{reply.status} {words}", fields.get("fix", ""))


# --- recall and prediction --------------------------------------------------------------------


def recall_order() -> Prediction:
    """From lesson 02: whether the order of the parameters in the URL counts."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        query = EXAMPLE.query[::-1]
        answer = post(Sandbox(EXAMPLE_CREDENTIALS), query, EXAMPLE_TIMESTAMP)
        return "Accepted" if answer.status == 200 else "Refused", (
            Fact("Sent", "\n".join(key for key, _ in query)),
            Fact("Answer", answer.words),
        )

    return Prediction(
        "Recall: a signed request travels with its parameters in reverse order. What happens?",
        {
            "Accepted": "The server sorts before it computes.",
            "Refused": "It would be, if the order in the URL were the order that is signed.",
        },
        run,
        "Both sides sort the parameters by key, whatever their order in the URL.",
    )


def recall_covered() -> Prediction:
    """From lessons 02 to 04: the signature covers the timestamp."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        later = ("auth_timestamp", str(EXAMPLE_TIMESTAMP + 1))
        query = tuple(later if pair[0] == later[0] else pair for pair in EXAMPLE.query)
        verdict = judge(
            EXAMPLE_CREDENTIALS, Request("POST", PATH, query, BODY), now=EXAMPLE_TIMESTAMP
        )
        return verdict.failed.rule if verdict.failed else "none", tuple(
            Fact(check.rule, "passed" if check.passed else "failed") for check in verdict.checks
        )

    return Prediction(
        "Recall: after signing, somebody moves auth_timestamp on by one second. Which rule fails?",
        {
            "auth_timestamp": "By itself, the new time is fine: one second off.",
            "auth_signature": "The time is a parameter, and every parameter is signed.",
            "none": "Then anybody could make an old request young again.",
        },
        run,
        "The timestamp stands in the canonical string. Who changes it needs the secret.",
    )


_PREDICTED = {
    None: "Accepted",
    "auth_timestamp": "Refused: auth_timestamp",
    "auth_signature": "Refused: auth_signature",
}


def predict() -> Prediction:
    """Is the worked example of 2012 still accepted, years later?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        verdict = judge(
            EXAMPLE_CREDENTIALS, Request("POST", PATH, EXAMPLE.query, BODY), now=YEARS_LATER
        )
        failed = verdict.failed
        return _PREDICTED[failed.rule if failed else None], (
            Fact("auth_signature", EXAMPLE.hexdigest),
            Fact(
                "Rules",
                "\n".join(
                    f"{'passed' if check.passed else 'failed'}  {check.rule}"
                    for check in verdict.checks
                ),
            ),
            Fact("Refusal", failed.error if failed else "(none)"),
        )

    return Prediction(
        "Predict: the worked example was signed in 2012. On 1 January 2025 the same bytes are "
        "sent. What does the practice server say?",
        {
            "Accepted": "Its signature is as right as it was. But a right signature is not all.",
            "Refused: auth_timestamp": "The signature is right, and too old.",
            "Refused: auth_signature": "The signature does not fade: same bytes, same secret, "
            "same digest.",
        },
        run,
        "A signature proves who signed. The timestamp says when, and the server takes no request "
        "that is more than 600 s from its own clock.",
    )


# --- the clock bench --------------------------------------------------------------------------

YOUR_CLOCK = EXAMPLE_TIMESTAMP + 0.25  # what time.time() returns has a fraction
FARTHEST = 1_200  # seconds that the server's clock can be set ahead or behind
ZONE_HOURS = 3  # the bench's machine stands in UTC+3
ZONE = timezone(timedelta(hours=ZONE_HOURS))


def _wall_clock_as_utc(seconds: float) -> int:
    """Unix time as it comes out where the wall clock's time is taken for UTC."""
    return int(datetime.fromtimestamp(seconds, ZONE).replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to write the time. `wrong` is the rule that it breaks."""

    code: str
    write: Callable[[float], str]
    wrong: str = ""


UNITS = {
    "seconds": Unit("str(int(time.time()))", lambda now: str(int(now))),
    "milliseconds": Unit(
        "str(int(time.time() * 1000))",
        lambda now: str(int(now * 1000)),
        "The API counts seconds; these are milliseconds.",
    ),
    "with a fraction": Unit(
        "str(time.time())", str, "The API wants whole seconds: digits, and no point."
    ),
    "local time taken for UTC": Unit(
        "str(calendar.timegm(time.localtime()))",
        lambda now: str(_wall_clock_as_utc(now)),
        f"The wall clock shows UTC+{ZONE_HOURS}, so this is {ZONE_HOURS * 3600:,} s too many.",
    ),
}


def compare(offset: int, unit: str) -> View:
    """Two clocks `offset` seconds apart, and what the server says to a request between them."""
    way = UNITS[unit]
    stamp, server_clock = way.write(YOUR_CLOCK), EXAMPLE_TIMESTAMP + offset
    server, query = Sandbox(EXAMPLE_CREDENTIALS), signed(stamp)
    first, again = (post(server, query, server_clock) for _ in range(2))
    wall = datetime.fromtimestamp(YOUR_CLOCK, ZONE).strftime("%H:%M:%S")
    facts = [
        Fact("Your clock", f"{YOUR_CLOCK}  {_date(YOUR_CLOCK)}, {wall} in UTC+{ZONE_HOURS}"),
        Fact("You send", f"auth_timestamp={stamp}", way.code),
        Fact("Server's clock", f"{server_clock}     {_date(server_clock)}"),
        Fact("Difference", _difference(stamp, server_clock)),
        Fact("Practice server", first.words, first.fix),
        Fact("Sent once more", *_once_more(again)),
    ]
    if first.status != 200:
        late = f"The clocks are more than {TOLERANCE_SECONDS} s apart."
        return View("Two clocks", tuple(facts), f"Refused. {way.wrong or late}", False)
    left = int(stamp) + TOLERANCE_SECONDS - server_clock
    accepted = (
        f"Accepted. Whoever captured this request can send it for another {left:,} s."
        if left
        else "Accepted, in the last second of the window."
    )
    return View("Two clocks", tuple(facts), accepted, True)


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "after the year 9999"


def _difference(stamp: str, server_clock: int) -> str:
    if not stamp.isdigit():
        return "none: what you send is no whole number"
    seconds = int(stamp) - server_clock
    side = "ahead of" if seconds > 0 else "behind"
    what = f": what you send is {side} the server's clock" if seconds else ""
    read = "" if _plausible(stamp) else f"\nread as seconds, it is {_date(int(stamp))}"
    return f"{abs(seconds):,} s{what}{read}"


def _plausible(stamp: str) -> bool:
    """Whether a timestamp has as many digits as Unix seconds have from 2001 to 2286."""
    return len(stamp) == 10


def _once_more(again: Answer) -> tuple[str, str]:
    if again.status == 200:
        return (
            f"{again.words}: the event is delivered a second time",
            "A replay. Nothing in the request says that it has been used.",
        )
    return f"{again.status}: refused again", "It is refused to whoever captured it, too."


class ClockBench(Interactive):
    """Set the server's clock, choose what is sent as the time."""

    def __init__(self) -> None:
        self.offset = ipywidgets.BoundedIntText(
            value=0,
            min=-FARTHEST,
            max=FARTHEST,
            step=1,
            description="Server ahead by (s)",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="16rem"),
        )
        self.unit = ipywidgets.ToggleButtons(
            options=list(UNITS),
            description="You send",
            style={"button_width": "auto"},
            layout=ipywidgets.Layout(width="auto", margin="2px"),
        )
        for control in (self.offset, self.unit):
            control.observe(lambda _: self.refresh(), names="value")
        super().__init__(
            [row(self.offset), self.unit],
            lambda: compare(self.offset.value, self.unit.value),
            twin=compare(self.offset.value, self.unit.value),
        )


def bench() -> ClockBench:
    """Two clocks, and what the server makes of them."""
    return ClockBench()


# --- the exercises ----------------------------------------------------------------------------


def _a_clock(chance: random.Random) -> float:
    """What time.time() may return: a fraction over a half, so that rounding shows."""
    return chance.randrange(1_600_000_000, 1_900_000_000) + chance.randrange(60, 99) / 100


def _clock_and_servers(chance: random.Random) -> tuple[float, list[int]]:
    now = _a_clock(chance)
    offsets = [-601, -600, 600, 601, chance.randrange(-599, 599), chance.randrange(900, 9_999)]
    chance.shuffle(offsets)
    return now, [int(now) + offset for offset in offsets]


def _stamp_and_accepted(now: float, servers: list[int]) -> tuple[str, list[bool]]:
    sent = int(now)
    return str(sent), [abs(sent - server) <= TOLERANCE_SECONDS for server in servers]


prove_it = FunctionExercise(
    name="clock_and_replay.prove_it",
    task="The auth_timestamp for a clock, and which servers accept it.",
    given=_clock_and_servers,
    right=_stamp_and_accepted,
    mistakes=(
        Mistake(
            lambda now, servers: (str(int(now * 1000)), _stamp_and_accepted(now, servers)[1]),
            "The servers are judged rightly. The timestamp is in milliseconds; send seconds.",
        ),
        Mistake(
            lambda now, servers: (str(round(now)), _stamp_and_accepted(now, servers)[1]),
            "The timestamp is rounded up, to a second that has not come yet. Drop the fraction.",
        ),
        Mistake(
            lambda now, servers: (int(now), _stamp_and_accepted(now, servers)[1]),
            "The timestamp is a number. A parameter is text: str(…).",
        ),
        Mistake(
            lambda now, servers: (str(int(now)), [abs(int(now) - at) < 600 for at in servers]),
            "The timestamp is right. Here a difference of exactly 600 s is still accepted.",
        ),
        Mistake(
            lambda now, servers: (str(int(now)), [at - int(now) <= 600 for at in servers]),
            "The timestamp is right. The window has two sides: a server may also be behind you.",
        ),
    ),
    hints=(
        "Whole seconds first. Then compare them with each server's clock, in both directions.",
        "For a window of 5 s around 100: [abs(100 - at) <= 5 for at in [95, 106]] is "
        "[True, False].",
    ),
    solution=(
        "def prove_it(now: float, servers: list[int]) -> tuple[str, list[bool]]:\n"
        "    sent = int(now)\n"
        "    return str(sent), [abs(sent - server) <= 600 for server in servers]\n\n"
        "Seconds, whole, as text; and a window of 600 s in both directions.\n"
        "Now go on to the next lesson, or read why it is so in this one."
    ),
)


def accepts(offset: int) -> bool:
    """Whether a request is accepted where the server's clock is `offset` seconds ahead."""
    query = signed(str(EXAMPLE_TIMESTAMP))
    return post(Sandbox(EXAMPLE_CREDENTIALS), query, EXAMPLE_TIMESTAMP + offset).status == 200


def _judge_last_second(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if type(done) is not int:
        return f"Expected a whole number of seconds, got {type(done).__name__}.", ()
    if abs(done) > YEARS_LATER:
        return "That is more than the seconds since 1970. Come nearer to 0.", ()
    if not accepts(done):
        return f"At {done:,} s the server refuses. Come nearer to 0.", ()
    if accepts(done + 1):
        return f"At {done:,} s the server accepts, and a second further on it does so still.", ()
    return None


last_second = Exercise(
    name="clock_and_replay.last_second",
    task="The farthest that the server's clock may be ahead, in seconds.",
    judge=_judge_last_second,
    right=600,
    mistakes=(
        Mistake(599, "At 599 s the server accepts. Try the next second."),
        Mistake(601, "At 601 s the server refuses: the window ends one second before."),
        Mistake(10, "10 minutes, if you mean that. Write it in seconds."),
        Mistake(600_000, "These are milliseconds. The API counts seconds."),
        Mistake(-600, "This is the other end of the window: the server's clock is behind there."),
    ),
    hints=(
        "Use the two clocks above: type an offset, press Enter, read the practice server's line.",
        "clock_and_replay.accepts(300) says whether 300 s are accepted. Go on from there.",
    ),
    solution=(
        "last_second = 600\n\n"
        "The reference says: within 600 s. This server takes that to include the 600th:\n"
        "clock_and_replay.accepts(600) is True, clock_and_replay.accepts(601) is False.\n"
        "Others refuse at exactly 600 s, so nothing of yours should rest on that second.\n"
        "Now find the other end of the window, where the server's clock is behind."
    ),
)


timestamp = FunctionExercise(
    name="clock_and_replay.timestamp",
    task="The auth_timestamp for what time.time() returned.",
    given=lambda chance: (_a_clock(chance),),
    right=lambda now: str(int(now)),
    mistakes=(
        Mistake(
            lambda now: str(int(now * 1000)),
            "These are milliseconds, as JavaScript's Date.now() counts. The API counts seconds.",
        ),
        Mistake(
            lambda now: str(round(now)),
            "This is rounded up, to a second that has not come yet. Drop the fraction.",
        ),
        Mistake(str, "This has a fraction. The API wants whole seconds: digits only."),
        Mistake(int, "This is a number (int). A parameter is text: str(…)."),
        Mistake(
            lambda now: str(int(now) + ZONE_HOURS * 3600),
            "This is 3 hours ahead: a wall clock's time, taken for UTC. time.time() needs no zone.",
        ),
        Mistake(
            lambda now: datetime.fromtimestamp(now, UTC).isoformat(),
            "This is a date. The API wants the seconds since 1970 as digits.",
        ),
    ),
    hints=(
        "Two steps: drop the fraction, then make it text.",
        "str(int(7.9)) is '7', while str(round(7.9)) is '8'.",
    ),
    solution=(
        "def timestamp(now: float) -> str:\n"
        "    return str(int(now))\n\n"
        "int() drops the fraction; the time never lies in the future.\n"
        "Now call it with time.time(), and find today's date from the digits."
    ),
)


def _a_moment(chance: random.Random) -> tuple[datetime]:
    zone = timezone(timedelta(hours=chance.choice((-8, -5, -3, 1, 3, 5.5, 9))))
    seconds = chance.randrange(1_600_000_000, 1_900_000_000)
    return (datetime.fromtimestamp(seconds, zone),)


moment = FunctionExercise(
    name="clock_and_replay.moment",
    task="The auth_timestamp for a date that knows its time zone.",
    given=_a_moment,
    right=lambda date: str(int(date.timestamp())),
    mistakes=(
        Mistake(
            lambda date: str(int(date.replace(tzinfo=UTC).timestamp())),
            "You took the wall clock's time for UTC. replace() changes the zone's name and keeps "
            "the hour; the moment is then another.",
        ),
        Mistake(
            lambda date: str(int((date - date.utcoffset()).timestamp())),
            "You took the offset away, and timestamp() did so again. It knows the zone.",
        ),
        Mistake(
            lambda date: str(int(date.timestamp() * 1000)),
            "The moment is right, in milliseconds. The API counts seconds.",
        ),
        Mistake(
            lambda date: str(date.timestamp()),
            "The moment is right. It ends in .0, and the API wants digits only.",
        ),
        Mistake(
            lambda date: int(date.timestamp()),
            "The moment is right, as a number (int). A parameter is text: str(…).",
        ),
        Mistake(
            lambda date: date.astimezone(UTC).isoformat(),
            "This is a date in UTC. The API wants the seconds since 1970 as digits.",
        ),
    ),
    hints=(
        "A date that knows its zone has a method for Unix time. It does all the arithmetic.",
        "datetime(1970, 1, 2, 1, tzinfo=timezone(timedelta(hours=1))).timestamp() is 86400.0: "
        "one o'clock in UTC+1 is midnight in UTC.",
    ),
    solution=(
        "def moment(date) -> str:\n"
        "    return str(int(date.timestamp()))\n\n"
        "One moment has many names, one for each zone, and one number of seconds.\n"
        "Now call it with date.astimezone() of the same date, and compare."
    ),
)


# Three requests, each rightly signed and each refused; and the server's clock at the time.
SERVER_CLOCK = 1_700_000_000  # Unix seconds: 2023-11-14, 22:13:20 UTC
SENT = {
    "A": str(SERVER_CLOCK * 1000),
    "B": str(SERVER_CLOCK - 743),
    "C": str(SERVER_CLOCK + ZONE_HOURS * 3600),
}
REFUSALS = {
    letter: post(Sandbox(EXAMPLE_CREDENTIALS), signed(stamp), SERVER_CLOCK).words
    for letter, stamp in SENT.items()
}
_CAUSES = {"A": "milliseconds", "B": "late", "C": "zone"}


def _judge_causes(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, dict) or set(done) != set(_CAUSES):
        return (
            'Expected a word for each letter: {"A": "…", "B": "…", "C": "…"}.',
            (Fact("Yours", repr(done)[:200]),),
        )
    wrong = [letter for letter, cause in _CAUSES.items() if done[letter] != cause]
    if wrong:
        return (
            f"Not yet right: {', '.join(wrong)}. Count the digits, then take the difference to "
            "the server's clock.",
            (),
        )
    return None


causes = Exercise(
    name="clock_and_replay.causes",
    task="The cause of each refused timestamp.",
    judge=_judge_causes,
    right=_CAUSES,
    mistakes=(
        Mistake(
            _CAUSES | {"B": "zone", "C": "late"},
            "B and C are exchanged. Time zones differ by whole hours, or half hours.",
        ),
        Mistake(
            _CAUSES | {"A": "zone", "C": "milliseconds"},
            "A and C are exchanged. Count the digits: Unix seconds have 10.",
        ),
        Mistake(
            _CAUSES | {"A": "late", "B": "milliseconds"},
            "A and B are exchanged. Count the digits: Unix seconds have 10.",
        ),
    ),
    hints=(
        "Three questions to each: how many digits? how far from the server's clock? is that a "
        "whole number of hours?",
        "At 1000000000, a request with 1000007200 is off by 7200 s, two hours: a zone.",
    ),
    solution=(
        'causes = {"A": "milliseconds", "B": "late", "C": "zone"}\n\n'
        "13 digits are milliseconds. 743 s fit no zone: the request waited, or the clock is\n"
        "wrong. 10,800 s are three hours to the second: a wall clock's time, taken for UTC.\n"
        "Now write the line of code that mends each."
    ),
)


# --- find, explain, fix -----------------------------------------------------------------------

RETRY_AFTER = 700  # seconds that the busy server asks for
MAX_SENT = 20  # requests, after which a loop is taken to be endless


class Line:
    """A line to a server that is busy for a while. Its clock moves only while you wait."""

    def __init__(self, busy_seconds: int) -> None:
        self.sandbox = Sandbox(EXAMPLE_CREDENTIALS)
        self.now = SERVER_CLOCK
        self._free_at = SERVER_CLOCK + busy_seconds
        self.statuses: list[int] = []
        self.log: list[str] = []

    def sign(self) -> Query:
        """Sign the event, with the time on the clock now."""
        self.log.append("sign")
        return signed(str(int(self.now)))

    def send(self, request: Query) -> int:
        """Send a signed request and return the answer's status: 200, 401, or 503 for busy."""
        if len(self.statuses) == MAX_SENT:
            raise RuntimeError(f"{MAX_SENT} requests sent. When does your loop end?")
        answered = 503 if self.now < self._free_at else self._post(request)
        self.statuses.append(answered)
        self.log.append(f"send: {answered}")
        return answered

    def _post(self, request: Query) -> int:
        return post(self.sandbox, request, self.now).status

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.log.append(f"wait {seconds}")
        self.now += seconds


@dataclass(frozen=True, slots=True)
class _Run:
    """What a learner's function did with a line."""

    returned: Any
    statuses: tuple[int, ...]
    log: tuple[str, ...]


def _try_lines(answer: Any) -> Any:
    """Call a learner's function with a free line, and with two that are busy for a while."""
    runs = []
    for busy_seconds in (0, RETRY_AFTER, 2 * RETRY_AFTER):
        line = Line(busy_seconds)
        returned = answer(line)
        if returned is ...:
            return ...
        runs.append(_Run(returned, tuple(line.statuses), tuple(line.log)))
    return tuple(runs)


def _judge_runs(runs: tuple[_Run, ...]) -> tuple[str, tuple[Fact, ...]] | None:
    for run in runs:
        facts = (Fact("What it did", " → ".join(run.log) or "(nothing)"),)
        if not run.statuses:
            return "Nothing was sent. Call line.send(…) inside your function.", facts
        if 401 in run.statuses:
            return "A request was refused: its timestamp was too old when it was sent.", facts
        if 200 not in run.statuses:
            return "The event was never accepted. Wait, then try again.", facts
        if run.statuses.count(200) > 1:
            return "The event was published more than once. Stop at the first 200.", facts
        if run.returned != 200:
            return f"It was accepted. Return the status, 200; got {run.returned!r:.40}.", facts
    return None


def broken_publish(line: Line) -> int:
    """Publish, and try again while the server is busy. It signs at the wrong moment."""
    request = line.sign()
    status = line.send(request)
    while status == 503:
        line.wait(RETRY_AFTER)
        status = line.send(request)
    return status


def _publish(line: Line) -> int:
    status = line.send(line.sign())
    while status == 503:
        line.wait(RETRY_AFTER)
        status = line.send(line.sign())
    return status


def _sign_then_wait(line: Line) -> int:
    status = line.send(line.sign())
    while status == 503:
        request = line.sign()
        line.wait(RETRY_AFTER)
        status = line.send(request)
    return status


def _never_wait(line: Line) -> int:
    for _ in range(3):
        status = line.send(line.sign())
        if status == 200:
            break
    return status


def _never_stop(line: Line) -> int:
    for _ in range(3):
        status = line.send(line.sign())
        line.wait(RETRY_AFTER)
    return status


mend = Exercise(
    name="clock_and_replay.mend",
    task="A retry that is accepted, however long the wait, and publishes once.",
    perform=_try_lines,
    judge=_judge_runs,
    right=_publish,
    mistakes=(
        Mistake(
            broken_publish,
            "After the wait you send the old signature. Its timestamp is 700 s old, so the server "
            "answers 401. Sign again.",
        ),
        Mistake(
            _sign_then_wait,
            "You sign again, and then you wait. The signature grows old meanwhile. "
            "Sign as the last thing before sending.",
        ),
        Mistake(
            _never_wait,
            "You sign anew and do not wait, so the server is still busy. Call line.wait(700).",
        ),
        Mistake(
            lambda line: line.send(line.sign()),
            "You send once. While the answer is 503, wait and try again.",
        ),
        Mistake(
            _never_stop,
            "You go on after a 200, so the event is published again. Stop at the first 200.",
        ),
    ),
    hints=(
        "How old is the timestamp when the second request goes out?",
        "A letter with today's date is written today. In a loop: wait(); letter = write(); "
        "post(letter).",
    ),
    solution=(
        "def publish(line) -> int:\n"
        "    status = line.send(line.sign())\n"
        "    while status == 503:\n"
        "        line.wait(700)\n"
        "        status = line.send(line.sign())\n"
        "    return status\n\n"
        "Sign as the last thing before sending, each time. pusherkit.Client does so too.\n"
        "Now let it give up after five tries, and check again."
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
