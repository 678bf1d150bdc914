"""The wall: everybody's events, refusals with their reasons, channels and goals. Pure.

A Board is fed the practice server's entries and the class's own calls, and says what there is to
see. It reads no clock: the times are in what it's fed. However much comes, it holds a limited
number of lines, refusals, channels and learners, and no learner can push out the others.

What a refused request says about its sender proves nothing: anybody can name anybody's key. So a
refusal says whose key it named, and never who sent it, unless the signature was right.
"""

from __future__ import annotations

import heapq
import json
import math
import unicodedata
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pusherkit.classroom.badges import MAX_MARKS
from pusherkit.classroom.calls import read_call
from pusherkit.classroom.learners import Course, Learners, Round
from pusherkit.classroom.roster import Roster
from pusherkit.events import ENCRYPTED
from pusherkit.sandbox.api import Entry, Exchange, Refusal, RefusedSubscription, Reply
from pusherkit.sandbox.channels import Delivery

MAX_LINES = 8  # on the wall; as many as are read from the last row
MAX_LINES_EACH = 3  # of one learner, as long as others have something to show
MAX_REFUSALS = 4  # on the wall
MAX_WAITING = 8  # refusals that wait for their turn on the wall
MAX_WAITING_EACH = 2  # of one sender, or with one key
MAX_RECENT = 20  # refusals in the trainer's view
MAX_RECENT_EACH = 5  # of them, with one key
MAX_CHANNELS = 10  # on the wall
MAX_CHANNELS_KEPT = 50  # that a restart finds again
MAX_CHANNELS_KNOWN = 500  # that are counted; at twice as many, the quieter half is forgotten
MAX_DATA = 120  # characters of an event's data on the wall
MAX_EVENT = 60  # characters of an event's name on the wall; 200 are allowed
MAX_SAID = 300  # characters of a sentence on the wall
HIDDEN_WITHIN = 400  # characters beyond what's shown, so that no part of a secret gets through
SAME_LINE_SECONDS = 10.0  # within which a repeated event is counted, and doesn't get a new line
REFUSAL_SECONDS = 8.0  # that a refusal stays at least
OLD_REFUSAL_SECONDS = 120.0  # after which it leaves, even if no other comes
BUSY_HALF_LIFE_SECONDS = 60.0  # of an event, in how busy a channel is
MINUTE = 60  # seconds
MAX_LOG_WAITING = 1_000  # lines of the log that aren't kept yet; any beyond that are left out

UNEXPLAINED = (
    "The signature is wrong, and it's none of the mistakes we know.",
    "Check the secret first: it has to be the one that belongs to this app key.",
)
OTHER_BODY = "The body that arrived isn't the one that was hashed."  # without the two hashes
EXPIRED = "Timestamp expired: it's more than 600 seconds from the server's clock."  # no dates
GOALS = {
    "event": "First event accepted",
    "letters": "First event beyond ASCII",
    "channels": "First to several channels",
    "batch": "First batch accepted",
    "asked": "First question to the API",
    "encrypted": "First encrypted event",
    "client-event": "First client event",
}
"""What the server itself sees somebody do, and what the wall calls it."""


@dataclass(slots=True)
class Line:
    """An event, or several of the same, one after the other."""

    id: int
    who: str
    times: int
    channel: str
    event: str
    data: str
    time: float


@dataclass(slots=True)
class Refused:
    """A refusal, or several of the same."""

    id: int
    who: str
    key_of: str
    rule: str
    why: str
    fix: str
    times: int
    time: float


@dataclass(slots=True)
class Busy:
    """How busy a channel is."""

    events: int = 0
    score: float = 0.0
    at: float = 0.0

    def count(self, now: float) -> None:
        """One more event."""
        self.score, self.at = self.lately(now) + 1.0, now
        self.events += 1

    def lately(self, now: float) -> float:
        """Events, an older one counting less."""
        return self.score * math.exp2(-max(0.0, now - self.at) / BUSY_HALF_LIFE_SECONDS)


@dataclass(slots=True)
class Reached:
    """A goal that somebody reached."""

    first: str
    time: float
    who: set[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What isn't saved yet: JSON values by learner and by part, and lines for the log."""

    learners: Mapping[str, dict[str, Any]]
    parts: Mapping[str, Any]
    log: tuple[tuple[float, str, str, str, str, str], ...]
    """time, kind, who, channel or rule, event or sentence, data or fix.

    Where the kind is "event", who sent it; where it's "refused", whose key it named.
    """


class Board:
    """Everything there is to show of a class.

    `hide` takes a key and a text that its owner sent, and returns the text without their secret.
    `expected` is how many learners are expected, None if nobody knows. `names` are theirs, if those
    are known: nobody else is in the class then. What `trainers` send is shown, and not counted.
    """

    def __init__(
        self,
        course: Course,
        *,
        title: str,
        expected: int | None = None,
        names: Sequence[str] = (),
        trainers: Collection[str] = (),
        hide: Callable[[str, str], str] = lambda key, text: text,
    ) -> None:
        self.title = title
        self.expected = expected
        self.learners = Learners(course, names, trainers)
        self.lines: list[Line] = []  # oldest first
        self.refusals: list[Refused] = []  # those on the wall, oldest first
        self._waiting: deque[Refused] = deque(maxlen=MAX_WAITING)
        self.recent: deque[Refused] = deque(maxlen=MAX_RECENT)  # the newest last
        self._placed: dict[int, float] = {}  # a refusal's id → since when it's on the wall
        self.channels: dict[str, Busy] = {}
        self.goals: dict[str, Reached] = {}
        self.events = 0
        self._seconds: deque[list[float]] = deque(maxlen=MINUTE)  # a second, and its events
        self._hide = hide
        self._last_id = 0
        self._log: list[tuple[float, str, str, str, str, str]] = []
        self._parts: set[str] = set()  # that aren't kept yet

    # --- what comes in ----------------------------------------------------------------------

    def entry(self, entry: Entry) -> None:
        """Take what the practice server logs."""
        if isinstance(entry, Delivery):
            self._event(entry)
        elif isinstance(entry, RefusedSubscription):
            self._refused_subscription(entry)
        elif isinstance(entry, Exchange):
            self._request(entry)

    def call(self, key: str, body: bytes, now: float) -> Reply:
        """Answer the class's own call, of a learner whose signature was right."""
        name = Roster.name_of(key)
        try:
            if name is None:
                raise Refusal(
                    400,
                    f"The app key {key[:MAX_EVENT]!r} doesn't belong to anybody in this class.",
                    fix="Sign with the app key and the secret that the class gave you.",
                    rule="class",
                )
            call = read_call(body)
        except Refusal as refused:
            return refused.reply
        self.learners.call(name, call, now)
        round_ = self.learners.round
        counted = self.learners.result(name) or {}  # so that a new kernel knows who has joined
        answer = {
            "title": self.title,
            "round": {"seed": round_.seed, "open": round_.open, **counted} if round_ else None,
            "help": self.learners.open_calls(name),
        }
        return Reply(status=200, body=json.dumps(answer).encode())

    def known(self, key: str) -> str:
        """Whose key it is; "" if nobody with that key has been here yet."""
        return self._known(Roster.name_of(key) or "")

    def _known(self, name: str) -> str:
        return name if name in self.learners else ""

    def open_round(self, seed: int, now: float) -> None:
        """Begin a sabotage round for everybody."""
        self.learners.open_round(seed, now)
        self._parts.add("round")

    def close_round(self) -> None:
        """End it."""
        self.learners.close_round()
        self._parts.add("round")

    def clear(self) -> None:
        """Empty the lines, the refusals and the channels. What learners have done stays."""
        self.lines.clear()
        self.refusals.clear()
        self._waiting.clear()
        self._placed.clear()
        self.channels.clear()
        self._parts |= {"wall", "channels"}

    # --- events -----------------------------------------------------------------------------

    def _event(self, delivery: Delivery) -> None:
        now, event, who = delivery.time, delivery.event, Roster.name_of(delivery.key) or ""
        self.events += 1
        self._count_second(now)
        names = [self._hide(delivery.key, channel) for channel in event.channels]
        for name in names:
            self._busy(name).count(now)
        first, *more = names
        channel = f"{first} and {len(more)} more" if more else first
        data = self._shown(delivery.key, event.data, MAX_DATA)
        self._line(who, channel, self._shown(delivery.key, event.name, MAX_EVENT), data, now)
        if who:
            self.learners.seen(who, now)
            self._goal("client-event" if delivery.client_event else "event", who, now)
            if not event.data.isascii():
                self._goal("letters", who, now)
            if more:
                self._goal("channels", who, now)
            if first.startswith(ENCRYPTED):
                self._goal("encrypted", who, now)
        self._parts |= {"wall", "channels"}

    def _line(self, who: str, channel: str, event: str, data: str, now: float) -> None:
        who = for_people(who)
        for line in self.lines:
            same = (line.who, line.channel, line.event) == (who, channel, event)
            if same and now - line.time <= SAME_LINE_SECONDS:
                line.times, line.data, line.time = line.times + 1, data, now
                return
        if len(self.lines) == MAX_LINES:
            own = [line for line in self.lines if line.who == who]
            self.lines.remove(own[0] if len(own) >= MAX_LINES_EACH else self.lines[0])
        self.lines.append(Line(self._id(), who, 1, channel, event, data, now))
        self._write("event", who, channel, event, data, now)

    def _busy(self, channel: str) -> Busy:
        if channel not in self.channels and len(self.channels) >= 2 * MAX_CHANNELS_KNOWN:
            self.channels = dict(self._busiest(self._latest(), MAX_CHANNELS_KNOWN))
        return self.channels.setdefault(channel, Busy())

    def _latest(self) -> float:
        return max((busy.at for busy in self.channels.values()), default=0.0)

    def _busiest(self, now: float, most: int) -> list[tuple[str, Busy]]:
        def quietness(each: tuple[str, Busy]) -> tuple[float, str]:
            return -each[1].lately(now), each[0]

        return heapq.nsmallest(most, self.channels.items(), key=quietness)

    def _count_second(self, now: float) -> None:
        second = float(int(now))
        if self._seconds and self._seconds[-1][0] >= second:  # a clock may be set back
            self._seconds[-1][1] += 1
        else:
            self._seconds.append([second, 1])

    def _goal(self, goal: str, who: str, now: float) -> None:
        if who in self.learners.trainers:
            return
        reached = self.goals.setdefault(goal, Reached(who, now, set()))
        if who not in reached.who:
            reached.who.add(who)
            self._parts.add("goals")

    # --- requests and refusals --------------------------------------------------------------

    def _request(self, exchange: Exchange) -> None:
        reply, verdict, now = exchange.reply, exchange.verdict, exchange.time
        proven = verdict is not None and verdict.failed is None
        who = (Roster.name_of(exchange.key) if proven else None) or ""
        if who:
            self.learners.seen(who, now)
        if reply.status == 200:
            if who and exchange.path.endswith("/batch_events"):
                self._goal("batch", who, now)
            elif who and exchange.method == "GET":
                self._goal("asked", who, now)
        elif exchange.path.startswith("/apps/") and not exchange.path.endswith("/class"):
            # Not what browsers ask every server for, and not what the lessons say by themselves.
            answer = json.loads(reply.body)
            rule = answer.get("rule") or str(reply.status)
            why, fix = answer["error"], answer.get("fix", "")
            if answer.get("diagnosis"):
                mistakes = answer["diagnosis"][0]["mistakes"]
                why, fix = (" ".join(each[part] for each in mistakes) for part in ("why", "fix"))
            elif rule == "auth_signature":
                why, fix = UNEXPLAINED  # the server's own sentence is a paragraph of digits
            elif why.startswith("Invalid body_md5: the body that arrived"):
                why = OTHER_BODY
            elif why.startswith("Timestamp expired"):
                why = EXPIRED
            self._refusal(exchange.key, who, rule, why, fix, now)

    def _refused_subscription(self, entry: RefusedSubscription) -> None:
        found, why = entry.diagnosis, entry.error
        fix = " ".join(found.notes)
        if found.findings:
            mistakes = found.findings[0].mistakes
            why, fix = " ".join(m.why for m in mistakes), " ".join(m.fix for m in mistakes)
        self._refusal(entry.key, "", found.what, why, fix, entry.time)

    def _refusal(self, key: str, who: str, rule: str, why: str, fix: str, now: float) -> None:
        key_of = for_people(Roster.name_of(key) or "")
        who = for_people(who)
        why, fix = (self._shown(key, text, MAX_SAID) for text in (why, fix))
        self._parts.add("wall")
        self._note(Refused(0, who, key_of, rule, why, fix, 1, now))
        for each in (*self.refusals, *self._waiting):
            if (each.who, each.key_of, each.rule, each.why) == (who, key_of, rule, why):
                each.times, each.time, each.fix = each.times + 1, now, fix
                return
        # Anybody can make up keys, so those of people who haven't come yet wait as one sender's.
        mine = (who, self._known(key_of))
        own = [each for each in self._waiting if (each.who, self._known(each.key_of)) == mine]
        if len(own) == MAX_WAITING_EACH:
            self._waiting.remove(own[0])
        self._waiting.append(Refused(self._id(), who, key_of, rule, why, fix, 1, now))
        self._write("refused", key_of, rule, why, fix, now)
        self._place(now)

    def _note(self, new: Refused) -> None:
        """Add a refusal to the recent ones, where no key takes everybody's place."""
        mine = (new.who, self._known(new.key_of))
        own = [each for each in self.recent if (each.who, self._known(each.key_of)) == mine]
        for each in own:
            if (each.key_of, each.rule, each.why) == (new.key_of, new.rule, new.why):
                new.times += each.times
                self.recent.remove(each)
                break
        else:
            if len(own) == MAX_RECENT_EACH:
                self.recent.remove(own[0])
        new.id = self._id()
        self.recent.append(new)

    def _place(self, now: float) -> None:
        """Put up the refusals that wait, where those on the wall have been there long enough."""
        for each in tuple(self.refusals):
            if now - each.time > OLD_REFUSAL_SECONDS:
                self._take_down(each)
        while self._waiting:
            if len(self.refusals) == MAX_REFUSALS:
                oldest = min(self.refusals, key=lambda each: self._placed[each.id])
                if 0 <= now - self._placed[oldest.id] < REFUSAL_SECONDS:
                    return
                self._take_down(oldest)
            each = self._waiting.popleft()
            self.refusals.append(each)
            self._placed[each.id] = now

    def _take_down(self, refusal: Refused) -> None:
        self.refusals.remove(refusal)
        del self._placed[refusal.id]

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _shown(self, key: str, text: str, most: int) -> str:
        """The beginning of what somebody sent, as it can be shown to everybody."""
        hidden = self._hide(key, text[: most + HIDDEN_WITHIN])
        return cut(for_people(hidden), most)

    def _write(self, kind: str, who: str, where: str, what: str, more: str, now: float) -> None:
        if len(self._log) < MAX_LOG_WAITING:
            self._log.append((now, kind, who, where, what, more))

    # --- what goes out ----------------------------------------------------------------------

    def wall_view(
        self, now: float, subscribers: Callable[[str], int] = lambda channel: 0
    ) -> dict[str, Any]:
        """All that the wall shows. `subscribers` says how many listen to a channel."""
        self._place(now)
        sent, round_ = self.goals.get("event"), self.learners.round
        return {
            "kind": "wall",
            "time": now,
            "title": self.title,
            "round": {"seed": round_.seed} if round_ and round_.open else None,
            "learners": {
                "expected": self.expected,
                "here": self.learners.present(now),
                "known": len(self.learners),
                "sent": len(sent.who) if sent else 0,
            },
            "per_minute": int(sum(n for at, n in self._seconds if 0 <= now - at < MINUTE)),
            "events": self.events,
            "lines": [asdict(line) for line in reversed(self.lines)],
            "refusals": [asdict(each) for each in reversed(self.refusals)],
            "channels": [
                {"name": name, "events": busy.events, "subscribers": subscribers(name)}
                for name, busy in self._busiest(now, MAX_CHANNELS)
            ],
            "goals": [
                {
                    "goal": goal,
                    "said": said,
                    "first": for_people(self.goals[goal].first),
                    "count": len(self.goals[goal].who),
                    "time": self.goals[goal].time,
                }
                for goal, said in GOALS.items()
                if goal in self.goals
            ],
        }

    def summary(self, now: float, problem: str) -> dict[str, Any]:
        """What the trainer's view shows of everybody together."""
        return {
            **self.learners.summary(now, problem),
            "expected": self.expected,
            "refusals": [asdict(each) for each in reversed(self.recent)],
        }

    # --- kept for a restart -----------------------------------------------------------------

    def changes(self) -> Changes | None:
        """What has changed since this was asked last; None where nothing has."""
        if not (self.learners.dirty or self._parts or self._log):
            return None
        made = Changes(
            learners={name: self.learners.state(name) for name in self.learners.dirty},
            parts={part: self._part(part) for part in self._parts},
            log=tuple(self._log),
        )
        self.learners.dirty.clear()
        self._parts.clear()
        self._log.clear()
        return made

    def _part(self, part: str) -> Any:
        if part == "round":
            return self.learners.round and asdict(self.learners.round)
        if part == "goals":
            return {
                goal: [reached.first, reached.time, sorted(reached.who)]
                for goal, reached in self.goals.items()
            }
        if part == "channels":
            busiest = self._busiest(self._latest(), MAX_CHANNELS_KEPT)
            return {name: [busy.events, busy.score, busy.at] for name, busy in busiest}
        lines = [asdict(line) for line in self.lines]
        return {"events": self.events, "last_id": self._last_id, "lines": lines}

    def not_kept(self, changes: Changes) -> None:
        """They couldn't be saved, so they'll come again. Only their lines of the log are lost."""
        self.learners.dirty.update(changes.learners)
        self._parts.update(changes.parts)

    def restore(self, learners: Mapping[str, Any], parts: Mapping[str, Any]) -> int:
        """Put back what was kept, and return how many pieces couldn't be read."""
        put_back: list[tuple[Callable[[str, Any], None], str, Any]] = [
            *((self.learners.restore, name, state) for name, state in learners.items()),
            *((self._restore, name, state) for name, state in parts.items()),
        ]
        unread = 0
        for put, name, state in put_back:
            try:
                put(name, state)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                unread += 1
        return unread

    def _restore(self, part: str, state: Any) -> None:
        if part == "wall":
            self.events, self._last_id = int(state["events"]), int(state["last_id"])
            self.lines = [Line(**each) for each in state["lines"][-MAX_LINES:]]
        elif part == "channels":
            self.channels = {
                str(name): Busy(int(events), float(score), float(at))
                for name, (events, score, at) in state.items()
            }
        elif part == "goals":
            self.goals = {
                goal: Reached(str(first), float(time), set(who))
                for goal, (first, time, who) in state.items()
            }
        elif part == "round":
            self.learners.round = Round(**state) if state else None


# --- text of learners, where everybody sees it ----------------------------------------------------

_BLANK = str.maketrans("\t\n\r\v\f", "     ")
_UNSHOWN = {"Cc", "Cs", "Cn", "Zl", "Zp"}  # controls, half pairs, unassigned, line separators
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # Unicode's annex 9


def for_people(text: str) -> str:
    """A learner's text on one line, which can't turn round or cover the text beside it."""
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], 0
    for char in text.translate(_BLANK):
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if unicodedata.category(char) in _UNSHOWN or unicodedata.bidirectional(char) in _TURNING:
            shown.append("\N{REPLACEMENT CHARACTER}")
        elif marks <= MAX_MARKS:
            shown.append(char)
    return "".join(shown)


def cut(text: str, most: int) -> str:
    """At most so many characters, the last of them "…" where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
