"""In a class, the kit tells the trainer how far a learner is. Anywhere else it tells nobody.

A kernel is in a class if its environment has the learner's credentials for the class's wall
(PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET, PUSHER_HOST) and PUSHERKIT_CLASS, the address of the
wall's page; and if somebody has its notebook open: a Jupyter server then names it in
JPY_SESSION_NAME. So notebooks that a test or a script runs tell nobody either. In a browser tab
there is no Jupyter server, but only a class's own page sets these variables there.

What there is to say goes into an Outbox, which keeps the latest message of each kind. A thread of
its own carries them to the wall, one a second at most. While the wall is away it tries again, less
and less often, as long as the kernel lives. The record always goes as a whole, so whatever gets
lost on the way comes with the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import os
import random
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from pusherkit.client import Client
from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.lessons.kit.controls import Control, button
from pusherkit.lessons.kit.progress import PROGRESS, stored_form
from pusherkit.lessons.kit.stage import Live

PAGE_VARIABLE = "PUSHERKIT_CLASS"
NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"  # jupyter_server, services/sessions/sessionmanager.py
NEEDED = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET", "PUSHER_HOST", PAGE_VARIABLE)

WHAT_IS_SENT = (
    "In this class your trainer sees which lesson you have open, which exercises you've tried and "
    "passed, in how many attempts, which known mistakes were in your answers, and what you "
    "predicted. They never see your code, unless you press Ask for help."
)

MAX_CODE = 8_000  # characters of the one cell that a call for help includes
MAX_BODY = 64_000  # bytes of a message; the wall takes 64 KB, and everything passed has some 30,000
SPACE_SECONDS = 1.0  # between two messages
HELLO_SECONDS = 20.0  # between two questions: is the call for help closed?
ROUND_SECONDS = 5.0  # the same, of a lesson that has rounds: nobody should have to run it again
LISTEN_SECONDS = 30 * 60.0  # since the learner last did something; then it stops asking
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0  # while the wall is away; doubled each time
TAB_SECONDS = 2.0  # for an answer in a browser tab, where nothing else goes on meanwhile
SPREAD = 0.2  # of each wait, at random, or a whole class would come back at the same moment

Message = Mapping[str, Any]
Post = Callable[[bytes], tuple[int, Any]]


# --- what waits to be sent ----------------------------------------------------------------------


class Outbox:
    """The latest message of each kind, and when the next one may go. It reads no clock.

    `now` is in seconds, by any clock that only goes forward.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: dict[str, Message] = {}
        self._lock = threading.Lock()
        self._next = 0.0  # when a message may go
        self._asked = 0.0  # when the wall last said something
        self._share = 1.0  # of each wait until it's asked again, about 1
        self._pause = 0.0
        self._did_something = False
        self._active = 0.0  # when the learner did something last

    def put(self, kind: str, message: Message) -> None:
        """Have a message sent in place of an earlier one of its kind."""
        with self._lock:
            self._waiting[kind] = message
        self.touch()

    def touch(self) -> None:
        """Note that the learner did something."""
        self._did_something = True

    def take(self, now: float, *, every: float = math.inf) -> tuple[str, Message] | float:
        """The message to send now, with its kind; or the seconds until there can be one.

        After about so many seconds without any, a hello goes, because its answer may have news.
        Not for ever: the wall takes everybody it hears from to be there.
        """
        with self._lock:
            if self._did_something:
                self._did_something, self._active = False, now
            due = self._next
            if not self._waiting:
                is_there = now - self._active < LISTEN_SECONDS
                due = max(due, self._asked + every * self._share) if is_there else math.inf
            if now < due:
                return due - now
            for kind in self._waiting:
                return kind, self._waiting.pop(kind)
            return "hello", {"kind": "hello"}

    def arrived(self, now: float) -> bool:
        """Note that a message was answered. Returns whether earlier ones weren't."""
        was_away, self._pause = self._pause > 0, 0.0
        self._next, self._asked, self._share = now + SPACE_SECONDS, now, self._about(1.0)
        return was_away

    def failed(self, kind: str, message: Message, now: float) -> bool:
        """Keep a message that didn't get through, unless there's a later one of its kind.

        Returns whether it's been going on for a while: the wall may only have been restarted.
        """
        with self._lock:
            self._waiting.setdefault(kind, message)
        doubled = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._pause = max(FIRST_PAUSE_SECONDS, doubled)
        self._next = now + self._about(self._pause)
        return self._pause > 2 * FIRST_PAUSE_SECONDS

    def _about(self, seconds: float) -> float:
        return seconds * self._chance.uniform(1 - SPREAD, 1 + SPREAD)


# --- what the wall says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """What the wall answers to everything: the open round's seed, and this learner's calls."""

    title: str = ""
    round: int | None = None
    help: frozenset[str] = frozenset()
    counted: int | None = None
    """How many calls of the round the wall has this learner's answers to; None: not joined."""


def heard(answer: Any) -> Heard:
    """What an answer means. Anything damaged in it is left out."""
    said = answer if isinstance(answer, dict) else {}
    title, opened, calls = said.get("title"), said.get("round"), said.get("help")
    opened = opened if isinstance(opened, dict) and opened.get("open") is True else {}
    seed, counted = opened.get("seed"), opened.get("answered")
    return Heard(
        title if isinstance(title, str) else "",
        seed if type(seed) is int else None,
        frozenset(each for each in calls if isinstance(each, str))
        if isinstance(calls, list)
        else frozenset(),
        counted if type(seed) is int and type(counted) is int else None,
    )


AWAY = "The wall isn't answering, so your trainer sees nothing new. Carry on: I'll keep trying."
WRONG_KEY = (
    "The wall doesn't accept this notebook's signature, so your trainer can't see how you're "
    "doing. Tell them. It often helps to stop your server and start it again: File ▸ Hub Control "
    "Panel."
    if sys.platform != "emscripten"
    else "The wall doesn't accept this notebook's signature, so your trainer can't see how you're "
    "doing. Reload this page. If that doesn't help, tell them."
)
WRONG_NAME = (
    "The wall doesn't answer to the name in PUSHER_HOST, so your trainer can't see how you're "
    "doing. Tell them: it has to be started with --allow-host."
)
_SKEW = re.compile(r"is (\d{1,12}) s (ahead of|behind) the server's clock")


def problem_of(status: int, answer: Any) -> str:
    """A refusal in a sentence for the learner: what's wrong, and who can do something about it."""
    said = answer if isinstance(answer, dict) else {}
    rule, fix = said.get("rule"), said.get("fix")
    if rule == "auth_timestamp" and (found := _SKEW.search(fix if isinstance(fix, str) else "")):
        return (
            f"This machine's clock is {int(found[1]):,} s {found[2]} the wall's, and the wall "
            "allows 600 s at most. So your trainer can't see how you're doing. Tell them that the "
            "clock has to be set."
        )
    if status == 401:
        return WRONG_KEY
    if status == 403 and said:  # from the practice server: sandbox.visitors
        return WRONG_NAME
    if status in (200, 404):  # a proxy's own page, for example
        return "The server at the wall's address doesn't know this class. Tell your trainer."
    if status >= 429:  # too many at once, or a proxy whose wall is away
        return AWAY
    return f"The wall answered {status}, so your trainer can't see how you're doing. Tell them."


# --- the class ----------------------------------------------------------------------------------


class Classroom:
    """A learner's place in a class: what is sent, and what came back.

    `page` is the address of the wall's page: a URL, or a path beside the notebook's own.
    `http` reaches the wall's API. `post` sends the body of one message and returns status and
    decoded answer; it raises httpx.HTTPError where the wall can't be reached. `start` is called
    before the first message, and has `step()` called from then on, whenever it's time.
    """

    def __init__(
        self,
        credentials: Credentials,
        page: str,
        post: Post,
        http: httpx.Client,
        start: Callable[[Classroom], None],
    ) -> None:
        self.credentials = credentials
        self.page = page
        self.http = http
        self.heard = Heard()
        self.problem = ""
        """Why the trainer doesn't see what the learner does; empty where they do."""
        self.outbox = Outbox(random.Random())  # noqa: S311 - no secret
        self.wake = threading.Event()
        """Set when there's something new to send."""
        self._post = post
        self._start: Callable[[Classroom], None] | None = start
        self._lesson = ""
        self._record: dict[str, Any] = {}
        self._asked: dict[str, Message] = {}  # calls for help, and their ends, on their way
        self._closed: set[str] = set()  # calls that the wall no longer has
        self._told = ""  # the problem that the last card mentioned
        self._sent: dict[str, str] = {}  # the code that each call included
        self._expects_round = False
        self.left: tuple[int, Any] | None = None
        """The seed of the round that was joined, and where its card was left."""
        self._cards: dict[str, weakref.ref[Live]] = {}
        self._lock = threading.Lock()

    # --- what is sent ---------------------------------------------------------------------------

    def at(self, lesson: str) -> None:
        """Say which lesson is open, and how far the learner is."""
        if lesson != self._lesson:
            self._lesson = lesson
            self.progress(stored_form(PROGRESS.read()))

    def progress(self, record: Mapping[str, Any]) -> None:
        """Send what the progress file has, all but what was kept in my_pusher.py."""
        self._record = {name: value for name, value in record.items() if name != "kept"}
        if self._lesson:
            told = {"kind": "progress", "lesson": self._lesson, "record": self._record}
            self._send("progress", told)

    def report(self, seed: int, answered: int, right: int) -> None:
        """Say how far the learner is in the round: how many calls, and how many right at once.

        A new kernel begins with the first call again. What was counted before stays until it gets
        further.
        """
        before = self.heard.counted if seed == self.heard.round else None
        if before is not None and answered <= before:
            return
        counts = {"kind": "round", "seed": seed, "answered": answered, "right": right}
        self._send("round", counts)

    def ask(self, exercise: str, code: str) -> None:
        """Call for help with an exercise, with the cell as it was shown to the learner."""
        self._closed.discard(exercise)
        self._sent[exercise] = code
        self._call({"kind": "help", "exercise": exercise, "code": code})

    def take_back(self, exercise: str) -> None:
        """Take a call back; or end it, because the exercise is passed."""
        if self.help(exercise) in ("sending", "there"):
            self._call({"kind": "help-over", "exercise": exercise})
        self._closed.discard(exercise)

    def listen(self, *, at_once: bool = False) -> None:
        """Hear of a round when it's opened or closed, as long as the learner is there.

        With `at_once` it also asks now, because what's known may be some seconds old.
        """
        self._expects_round = True
        self.outbox.touch()
        if at_once:
            self.outbox.put("hello", {"kind": "hello"})
        self._wake_up()

    def fit(self, code: str) -> str:
        """A cell as it may be sent: never with the learner's secret in it, and not too long."""
        return self.credentials.hide(code)[:MAX_CODE]

    def _call(self, message: Message) -> None:
        exercise = message["exercise"]
        with self._lock:
            self._asked[exercise] = message
        self._send(f"help {exercise}", message)

    def _send(self, kind: str, message: Message) -> None:
        self.outbox.put(kind, message)
        self._wake_up()

    def _wake_up(self) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            start(self)
        self.wake.set()

    # --- what is known --------------------------------------------------------------------------

    def help(self, exercise: str) -> str:
        """The state of a call for help: "sending", "there", "closed" by the wall, or ""."""
        if (waiting := self._asked.get(exercise)) is not None:
            return "sending" if waiting["kind"] == "help" else ""
        if exercise in self.heard.help:
            return "there"
        return "closed" if exercise in self._closed else ""

    def sent(self, exercise: str) -> str:
        """The code that this kernel sent with a call for help; empty if another kernel sent it."""
        return self._sent.get(exercise, "")

    def told_once(self) -> str:
        """The problem, for the first card that shows it; the next ones needn't repeat it."""
        problem, self._told = self.problem if self.problem != self._told else "", self.problem
        return problem

    def watch(self, name: str, card: Live) -> None:
        """Have a card drawn again when something changes, in place of an earlier one's."""
        self._cards[name] = weakref.ref(card)

    # --- on the sender's thread -----------------------------------------------------------------

    def step(self, now: float) -> float:
        """Send one message, if one may go now. Returns how many seconds to wait for the next."""
        waits = bool(self._asked or self.heard.help)
        every = ROUND_SECONDS if self._expects_round else HELLO_SECONDS if waits else math.inf
        taken = self.outbox.take(now, every=every)
        if isinstance(taken, float):
            return taken
        kind, message = taken
        before = self._state()
        # As UTF-8: with escapes, a cell of MAX_CODE characters could be larger than MAX_BODY.
        text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        body = text.encode(errors="replace")  # half a surrogate pair isn't text
        if len(body) > MAX_BODY:
            self.problem = (
                f"Your progress file is too large to send: {len(body):,} bytes. Your trainer only "
                "sees what you did before."
            )
            self.outbox.arrived(now)
        else:
            self._deliver(kind, message, body, now)
        if self._state() != before:
            self._redraw()
        return 0.0

    def _deliver(self, kind: str, message: Message, body: bytes, now: float) -> None:
        try:
            status, answer = self._post(body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            if self.outbox.failed(kind, message, now):
                self.problem = AWAY
            return
        if status == 200 and isinstance(answer, dict):
            self.problem = ""
            if self.outbox.arrived(now) and kind != "progress" and self._lesson:
                self.progress(self._record)  # the wall may have begun from nothing
            self._hear(message, heard(answer))
            return
        if status in (400, 413):  # it would never be taken
            self.outbox.arrived(now)
            self._forget(message)
            self.problem = problem_of(status, answer)
        elif self.outbox.failed(kind, message, now) or status < 429:
            self.problem = problem_of(status, answer)

    def _hear(self, message: Message, said: Heard) -> None:
        ended = {message["exercise"]} if message["kind"] == "help-over" else set()
        self._closed |= self.heard.help - said.help - ended
        self._forget(message)
        self.heard = said

    def _forget(self, message: Message) -> None:
        exercise = message.get("exercise", "")
        with self._lock:
            if self._asked.get(exercise) is message:
                del self._asked[exercise]

    def _state(self) -> tuple[object, ...]:
        return self.problem, self.heard, tuple(self._asked), tuple(self._closed)

    def _redraw(self) -> None:
        for reference in tuple(self._cards.values()):
            if (card := reference()) is not None:
                with contextlib.suppress(Exception):  # a page that is being closed, for example:
                    card.redraw()  # nobody should see a traceback from a thread that isn't theirs


# --- the way in ---------------------------------------------------------------------------------


@functools.cache
def joined() -> Classroom | None:
    """The class that this kernel is in; None if it isn't in one. Asking sends nothing.

    In a browser tab there are neither sockets nor threads. If the tab came from the wall, the
    browser carries what's sent, and the kernel's own loop says when.
    """
    in_a_tab = sys.platform == "emscripten"  # and only a page that somebody opened gets NEEDED
    if not (in_a_tab or os.environ.get(NOTEBOOK_VARIABLE)):
        return None
    if not all(os.environ.get(name) for name in NEEDED):
        return None
    try:
        credentials = Credentials.from_env()
        client = Client(credentials)
        sender = Client(credentials, timeout=TAB_SECONDS) if in_a_tab else client
    except PusherError:
        return None  # Client(Credentials.from_env()) says why
    page = os.environ[PAGE_VARIABLE]
    start = _on_the_loop if in_a_tab else _on_a_thread
    room = Classroom(credentials, page, _posting(sender), client.http, start)
    PROGRESS.changed = room.progress
    return room


def _on_a_thread(room: Classroom) -> None:
    """Send as long as the kernel lives. The thread ends with it, and keeps nobody waiting."""

    def work() -> None:
        while True:
            room.wake.clear()
            if wait := room.step(time.monotonic()):
                room.wake.wait(min(wait, threading.TIMEOUT_MAX))

    threading.Thread(target=work, name="pusherkit-class", daemon=True).start()


def _on_the_loop(room: Classroom) -> None:
    """Send between two cells, on the loop that runs them."""
    room.wake = _Bell(room)


class _Bell(threading.Event):
    """Has a step taken as soon as the loop is free, and then whenever it's time for one."""

    def __init__(self, room: Classroom) -> None:
        super().__init__()
        self._room = room
        self._loop = asyncio.get_event_loop()
        self._next: asyncio.TimerHandle | None = None

    def set(self) -> None:
        self._again(0.0)

    def _again(self, seconds: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = None if seconds == math.inf else self._loop.call_later(seconds, self._step)

    def _step(self) -> None:
        self._again(self._room.step(time.monotonic()))


def _posting(client: Client) -> Post:
    """The class's own call: `POST /apps/{app_id}/class`, signed like any other."""
    path = f"/apps/{client.credentials.app_id}/class"
    headers = {"Content-Type": "application/json"}

    def post(body: bytes) -> tuple[int, Any]:
        response = client.http.post(path, content=body, headers=headers)
        try:
            return response.status_code, response.json()
        except (ValueError, RecursionError):  # a proxy's page, for example
            return response.status_code, None

    return post


def wall_button() -> dict[str, Control]:
    """The control "Send to the wall" in a class, as `wall`; none elsewhere."""
    if joined() is None:
        return {}
    return {"wall": button("Send to the wall", primary=False, hint=THE_WALL)}


THE_WALL = "The wall is the page that everybody in this class sees."
