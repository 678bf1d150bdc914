"""The wall's shell: one process with the class's practice server and its pages.

The server has a thread of its own, as always; learners' programs send to it. The pages are on the
loop that runs this, and a door says who may look at them. Between the two is a Board, which only
one of them touches at a time. Once a second, what has changed is written to the disk on a third
thread, so nobody waits for that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tornado.httpserver
import tornado.web

from pusherkit.classroom.board import MAX_EVENT, Board, cut
from pusherkit.classroom.calls import is_seed
from pusherkit.classroom.doors import Door, HubDoor, Visitor
from pusherkit.classroom.learners import MAX_LEARNERS, Course, CourseExercise, CourseLesson
from pusherkit.classroom.roster import CLASS_APP_ID, Roster
from pusherkit.classroom.store import Store, class_secret
from pusherkit.clinic.sabotage import MAX_SEED
from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.sandbox import Entry, Exchange, RefusedSubscription, Reply, Sandbox, SandboxServer
from pusherkit.sandbox.api import Act, Refusal, Unauthorized
from pusherkit.sandbox.keys import FindKey, Named
from pusherkit.sandbox.live import page_and_policy
from pusherkit.sandbox.rate import TokenBuckets
from pusherkit.sandbox.sockets import TOO_SLOW, BoundedWebSocket
from pusherkit.signing import Request, Verdict

LEARNER_RATE = 30.0  # requests, or client events, a second of one learner; loops need fewer
REFUSED_RATE = 5.0  # refusals a second that name one learner's key, or nobody's, and are looked at
WALL_SECONDS = 0.25  # between two views that a wall page gets
TRAINER_SECONDS = 0.5  # between two messages of one kind that a trainer's view gets
QUIET_SECONDS = 1.0  # after which a view is made anyway: events per minute change, too
KEEP_SECONDS = 1.0  # between two writes to the disk
RETRY_SECONDS = 10.0  # until the next, after one that failed
STUCK_LOOK_SECONDS = 5.0  # between two looks for those who are stuck
SLOW_SECONDS = 30.0  # until a page that doesn't read is dropped
PING_SECONDS = 30.0  # between two pings to a page, so that one that's gone is noticed
LEARNERS_AT_ONCE = 50  # in one message to a trainer's view
MAX_FEEDS_EACH = 10  # open pages of one visitor
MAX_FEEDS_NAMELESS = 100  # of all who have no name: behind a proxy nothing tells them apart
MAX_POST_BYTES = 4_096  # of what a trainer's view sends
MAX_HEAD_BYTES = 64 * 1024  # of a request to a page; a hub's cookies can be long
HEAD_SECONDS = 20.0  # until a request's headers are there
PARENT_SECONDS = 1.0  # between two looks whether the hub that started the wall is still there
GOODBYE_SECONDS = 1.0  # for open pages to end, once the wall stops
LESSON_SEED = 7  # of the queue in lesson 12, for everybody who isn't in a round
OWN_KEY = "_wall"  # the app's own key. No learner can have it: no name is written like that

_log = logging.getLogger("pusherkit.classroom")


class ClassSandbox(Sandbox):
    """A practice server in which nobody can use up everybody else's time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._requests = TokenBuckets(LEARNER_RATE, MAX_LEARNERS)
        self._client_events = TokenBuckets(LEARNER_RATE, MAX_LEARNERS)
        self.channels.too_many_client_events = self._too_many

    def _too_many(self, key: str, now: float) -> str:
        # Its connection has a channel that only somebody with the key's secret can subscribe to.
        if not self._client_events.take(key, now):
            return ""
        return f"in a class, a learner may send {LEARNER_RATE:g} per second on all connections."

    def strictly(
        self, request: Request, named: Named, now: float
    ) -> tuple[Reply | Unauthorized | Act, Verdict | None]:
        """As any practice server, but a key that's nobody's is called that."""
        judged, verdict = super().strictly(request, named, now)
        if isinstance(judged, Unauthorized) and not named.key and request.values("auth_key"):
            verdict = _of_nobody(judged.verdict)
            judged = replace(judged, verdict=verdict)
        return judged, verdict

    def admit(self, request: Request, named: Named, *, now: float) -> None:
        """Raise Refusal, a 429, if a learner sends too much; the others aren't affected."""
        super().admit(request, named, now=now)
        if wait := self._requests.take(named.key, now):
            raise Refusal(
                429,
                f"Too many requests: in a class, a learner may send {LEARNER_RATE:g} per second.",
                fix=f"Wait {wait:.3g} s, then send the request again, signed again.",
                headers=(("Retry-After", str(math.ceil(wait))),),
                retry_after=wait,
            )


def _of_nobody(verdict: Verdict) -> Verdict:
    """The verdict on a request that names a key that's nobody's."""
    about_key, *others = verdict.checks
    about_key = replace(
        about_key,
        error=f"Nobody in this class has the app key {cut(about_key.received, MAX_EVENT)}",
        fix='Compare it with yours: in any lesson, os.environ["PUSHER_KEY"] has it. '
        "Capitals count, and so do 0 and O, 1 and l.",
    )
    return replace(verdict, checks=(about_key, *others))


class Wall:
    """A class's practice server, its board, and what is kept of it.

    `folder` is where it keeps its file. Learners reach the server at `host` and `port`, by that
    name and those in `allow_hosts`. `learners` is how many are expected, None if nobody knows.
    `names` are theirs, if those are known: then only their keys work, and those of `trainers`,
    whose own lessons aren't counted.
    `clock` returns Unix seconds. Raises PusherError if a newer pusherkit wrote the file.
    """

    def __init__(
        self,
        roster: Roster,
        folder: Path,
        *,
        course: Course,
        title: str,
        learners: int | None = None,
        names: Sequence[str] = (),
        trainers: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        allow_hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.board = Board(
            course,
            title=title,
            expected=len(names) or learners,
            names=names,
            trainers=trainers,
            hide=_hiding(roster),
        )
        self.lock = threading.Lock()  # hold it to touch the board
        self.store = Store(folder)
        self._unread = self.board.restore(*self.store.load())
        self.server = SandboxServer(
            Credentials(
                app_id=CLASS_APP_ID,
                key=OWN_KEY,
                secret=secrets.token_hex(32),  # nobody gets it
                base_url="http://127.0.0.1",
            ),
            host=host,
            port=port,
            pages=False,
            clock=clock,
            watch=self._entry,
            allow_hosts=allow_hosts,
            find_key=_finding(roster, (*names, *trainers) if names else ()),
            calls={"class": self._call},
            build=ClassSandbox,
        )
        self.open_sockets: set[BoundedWebSocket] = set()
        self.feeds: set[WallFeed] = set()
        self.trainer_feeds: set[TrainerFeed] = set()
        self._refused = TokenBuckets(REFUSED_RATE, MAX_LEARNERS + 1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = False  # whether the loop has been woken, and hasn't looked yet
        self._changed = asyncio.Event()
        self._last_view: dict[str, Any] = {}
        self._last_text = ""

    # --- on the server's thread -------------------------------------------------------------

    def _entry(self, entry: Entry) -> None:
        try:
            with self.lock:
                if self._is_one_too_many(entry):
                    return
                self.board.entry(entry)
        except Exception:  # one odd entry mustn't end all that come after it
            _log.exception("The wall couldn't show what happened.")
        self.changed()

    def _is_one_too_many(self, entry: Entry) -> bool:
        """Whether it's a refusal, and there were enough of them lately with that key.

        What's accepted was counted before. A refused request proves nothing about its sender, and
        any text can be the key of somebody who may yet come, so those who haven't share a bucket.
        """
        if isinstance(entry, RefusedSubscription) or (
            isinstance(entry, Exchange) and entry.reply.status != 200
        ):
            return bool(self._refused.take(self.board.known(entry.key), entry.time))
        return False

    def _call(self, key: str, body: bytes, now: float) -> Reply:
        with self.lock:
            reply = self.board.call(key, body, now)
        self.changed()
        return reply

    def changed(self) -> None:
        """Say that something has, on any thread. Many at once wake the loop once."""
        if self._loop is not None and not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake)

    # --- on the pages' loop -----------------------------------------------------------------

    def _wake(self) -> None:
        self._told = False
        self._changed.set()
        for feed in self.trainer_feeds:
            feed.news.set()

    @asynccontextmanager
    async def running(self, rules: Sequence[Any] = ()) -> AsyncIterator[None]:
        """The practice server is up, open pages get what's new, and the disk what has changed.

        With `rules`, which are the pages', the server has no thread of its own: it serves them,
        too, so that everything is on one port.
        """
        self._loop = asyncio.get_running_loop()
        disk = ThreadPoolExecutor(1, "pusherkit-wall-disk")
        try:
            async with self.server.serving(rules) if rules else self._on_its_thread():
                tasks = [
                    _forever(self._show),
                    _forever(self._look_for_stuck),
                    _forever(lambda: self._keep(disk)),
                ]
                try:
                    yield
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            with self.lock:
                changes = self.board.changes()
            if changes is not None:
                await self._loop.run_in_executor(disk, self.store.save, changes)
            await self._loop.run_in_executor(disk, self.store.close)
            disk.shutdown()

    @asynccontextmanager
    async def _on_its_thread(self) -> AsyncIterator[None]:
        self.server.start()
        try:
            yield
        finally:
            await asyncio.get_running_loop().run_in_executor(None, self.server.stop)

    def view(self) -> str:
        """What a wall page shows now, as JSON. It's the same text until something else changes."""
        with self.lock:
            count = self.server.sandbox.channels.subscription_count
            view = self.board.wall_view(self.clock(), count)
        now = view.pop("time")
        if view != self._last_view:
            self._last_view, self._last_text = view, json.dumps({**view, "time": now})
        return self._last_text

    async def _show(self) -> None:
        """One round of showing the wall: at once after quiet, then not for a moment."""
        # Not wait_for(): before Python 3.12, it now and then swallows that a task is cancelled.
        with suppress(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self._changed.wait()
        self._changed.clear()
        if self.feeds:
            text, now = self.view(), self._time()
            for feed in tuple(self.feeds):
                feed.show(text, now)
        await asyncio.sleep(WALL_SECONDS)

    async def _look_for_stuck(self) -> None:
        await asyncio.sleep(STUCK_LOOK_SECONDS)
        with self.lock:
            self.board.learners.look_for_stuck(self.clock())
        self._wake()

    async def _keep(self, disk: ThreadPoolExecutor) -> None:
        """Write what has changed, and go on writing it if the wall ends meanwhile."""
        await asyncio.sleep(RETRY_SECONDS if self.store.problem else KEEP_SECONDS)
        with self.lock:
            changes = self.board.changes()
        if changes is None:
            return
        before = self.store.problem
        kept = await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(disk, self.store.save, changes)
        )
        if not kept:
            with self.lock:
                self.board.not_kept(changes)
        if before != self.store.problem:
            self._wake()

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def problem(self) -> str:
        """What a trainer has to know about the disk; "" if there's nothing."""
        unread = "Some of what the wall had saved couldn't be read." if self._unread else ""
        return " ".join(filter(None, [self.store.problem, self.store.notice, unread]))


def _forever(step: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    """Take a step again and again. One that fails is logged, and the next one is taken."""

    async def steps() -> None:
        while True:
            try:
                await step()
            except Exception:
                _log.exception("A part of the wall failed. It goes on.")
                await asyncio.sleep(QUIET_SECONDS)

    return asyncio.create_task(steps())


def _hiding(roster: Roster) -> Callable[[str, str], str]:
    def hide(key: str, text: str) -> str:
        mine = roster.find(key)
        return mine.hide(text) if mine else text

    return hide


def _finding(roster: Roster, names: Sequence[str]) -> FindKey:
    if not names:
        return roster.find
    keys = set(map(Roster.key_of, names))
    return lambda key: roster.find(key) if key in keys else None


def course() -> Course:
    """The lessons, as the board needs them."""
    from pusherkit.lessons.kit.lesson import lessons  # ipywidgets takes its time

    return tuple(
        CourseLesson(
            lesson=lesson.name,
            title=lesson.title,
            exercises=tuple(
                CourseExercise(
                    name=each.name,
                    task=each.task,
                    optional=each.optional,
                    mistakes=each.sentences(),
                )
                for each in lesson.exercises.values()
            ),
            predictions=frozenset(
                each.name for each in (*lesson.predictions.values(), *lesson.recalls.values())
            ),
        )
        for lesson in lessons()
    )


# --- the pages ------------------------------------------------------------------------------------


class _Page(tornado.web.RequestHandler):
    """A request for one of the pages. First of all, the door says who it's from."""

    for_trainers = False
    opened = False  # whether people open it in a window of its own, where they can sign in

    def initialize(self, wall: Wall, door: Door) -> None:
        self.wall, self.door = wall, door

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")

    async def prepare(self) -> None:
        visitor = await self.door.visitor(self)
        if visitor is None:
            if self.opened:
                self.door.sign_in(self)
            else:
                self.refuse(403, "Sign in first: open the wall's page.")
        elif self.for_trainers and not visitor.trains:
            self.refuse_learner()
        else:
            self.visitor: Visitor = visitor

    def refuse_learner(self) -> None:
        """Answer somebody who doesn't train."""
        self.refuse(403, "This page is for the class's trainers. The wall is for everybody.")

    def check_xsrf_cookie(self) -> None:
        """What the hub's sign-in asks of every request that isn't for a page somebody opened.

        A browser says where a request comes from, and no page can change that.
        """
        if not _same_origin(self.request.headers):
            raise tornado.web.HTTPError(403, reason="Not from a page of the wall")

    def refuse(self, status: int, said: str) -> None:
        """Answer with a sentence."""
        self.set_status(status)
        if self.request.method == "POST":
            self.finish({"error": said})
        else:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(said + "\n")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.refuse(status_code, f"{status_code}: {self._reason}.")

    def compute_etag(self) -> None:
        return None


class _File(_Page):
    """One of the two pages."""

    file, opened = "", True

    def get(self) -> None:
        self.show(self.file)

    def refuse_learner(self) -> None:
        self.set_status(403)
        self.show("not-a-trainer.html")

    def show(self, file: str) -> None:
        page, policy = page_and_policy("pusherkit.classroom", file)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", policy)
        self.finish(page)


class WallPage(_File):
    """GET P/"""

    file = "wall.html"


class TrainerPage(_File):
    """GET P/trainer"""

    file, for_trainers = "trainer.html", True


def _same_origin(headers: tornado.httputil.HTTPHeaders) -> bool:
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(headers.get("Origin", "")).netloc.lower() == headers.get("Host", "").lower()


class _Feed(_Page, BoundedWebSocket):
    """A page's WebSocket. It only listens."""

    ping_interval = PING_SECONDS  # the practice server's own WebSockets look after themselves

    def initialize(self, wall: Wall, door: Door) -> None:
        super().initialize(wall, door)
        self.begin(wall.open_sockets)

    async def get(self, *arguments: str, **named: str) -> None:
        mine = [each for each in self._open_sockets if self._is_mine(each)]
        nameless = self.visitor == Visitor("", trains=False)
        if len(mine) >= (MAX_FEEDS_NAMELESS if nameless else MAX_FEEDS_EACH):
            whose = "People without a name have" if nameless else "You have"
            self.refuse(429, f"{whose} {len(mine)} of these pages open. Close one of them.")
            return
        await super().get(*arguments, **named)

    def _is_mine(self, other: BoundedWebSocket) -> bool:
        return isinstance(other, _Feed) and other.visitor == self.visitor


class WallFeed(_Feed):
    """WS P/live"""

    def open(self, *_: str, **__: str) -> None:
        super().open()
        self._shown = ""
        self._behind: float | None = None
        self.wall.feeds.add(self)
        self.show(self.wall.view(), self.wall._time())

    def show(self, text: str, now: float) -> None:
        """Send a view, unless it's the same as the last one, or that's still on its way."""
        if self.drained() is None:
            self._behind = None
            if text != self._shown:
                self._shown = text
                self.send(text)
        elif self._behind is None:
            self._behind = now
        elif now - self._behind > SLOW_SECONDS:
            self.hang_up(TOO_SLOW, "This page reads too slowly")

    def leave(self) -> None:
        self.wall.feeds.discard(self)


class TrainerFeed(_Feed):
    """WS P/trainer/live"""

    for_trainers = True

    def open(self, *_: str, **__: str) -> None:
        super().open()
        self.news = asyncio.Event()
        self.wall.trainer_feeds.add(self)
        self._task = _forever(self._tell)
        self._version = 0
        self._summary: dict[str, Any] = {}
        board = self.wall.board
        self.send(json.dumps(board.learners.class_message(board.title)))

    async def _tell(self) -> None:
        """Send everything that's new, then wait for more, but not too often."""
        await self._tell_learners()
        wall = self.wall
        with wall.lock:
            summary = wall.board.summary(wall.clock(), wall.problem)
        now = summary.pop("time")
        if summary != self._summary:
            self._summary = summary
            self.send(json.dumps({**summary, "time": now}))
        await asyncio.sleep(TRAINER_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(STUCK_LOOK_SECONDS):
                await self.news.wait()
        self.news.clear()

    async def _tell_learners(self) -> None:
        wall, first = self.wall, self._version == 0
        while True:
            with wall.lock:
                learners, self._version = wall.board.learners.since(
                    self._version, wall.clock(), LEARNERS_AT_ONCE
                )
            if learners or first:
                self.send(json.dumps({"kind": "learners", "learners": learners}))
            if len(learners) < LEARNERS_AT_ONCE:
                return
            first = False
            if (sent := self.drained()) is not None:
                try:
                    async with asyncio.timeout(SLOW_SECONDS):
                        await sent
                except TimeoutError:
                    self.hang_up(TOO_SLOW, "This page reads too slowly")
                    return

    def leave(self) -> None:
        self.wall.trainer_feeds.discard(self)
        self._task.cancel()


class _Export(_Page):
    for_trainers = opened = True

    def attach(self, name: str, kind: str) -> None:
        """The answer is a file to keep."""
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')


class ExportJson(_Export):
    """GET P/trainer/export.json"""

    async def get(self) -> None:
        wall = self.wall
        with wall.lock:
            exported = wall.board.learners.export_json(wall.board.title, wall.clock())

        def with_log() -> str:  # indented, a large class takes seconds
            return json.dumps({**exported, "log": wall.store.log()})

        text = await asyncio.get_running_loop().run_in_executor(None, with_log)
        self.attach("class.json", "application/json")
        self.finish(text)


class ExportCsv(_Export):
    """GET P/trainer/export.csv"""

    def get(self) -> None:
        with self.wall.lock:
            exported = self.wall.board.learners.export_csv()
        self.attach("class.csv", "text/csv")
        self.finish(exported.encode("utf-8-sig"))  # Excel takes it for another encoding without


class _Order(_Page):
    """A POST of the trainer's view."""

    for_trainers = True

    def post(self) -> None:
        if not _same_origin(self.request.headers):
            self.refuse(403, "Only the trainer's view itself may send this.")
            return
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        try:
            sent = json.loads(self.request.body) if kind == "application/json" else None
        except (ValueError, RecursionError):
            sent = None
        if not isinstance(sent, dict):
            self.refuse(400, "Expected a JSON object, as application/json.")
            return
        with self.wall.lock:
            objection = self.carry_out(self.wall.board, sent)
        if objection:
            self.refuse(400, objection)
            return
        self.wall.changed()
        self.finish({})

    def carry_out(self, board: Board, sent: dict[str, Any]) -> str:
        """Do it, or say why not."""
        raise NotImplementedError


class RoundOrder(_Order):
    """POST P/trainer/round"""

    def carry_out(self, board: Board, sent: dict[str, Any]) -> str:
        if sent.get("close") is True:
            board.close_round()
        elif (seed := sent.get("seed")) == LESSON_SEED:
            return (
                f"Seed {LESSON_SEED} is the one in lesson 12 itself, which many have seen. "
                "Choose another number."
            )
        elif is_seed(seed):
            board.open_round(seed, self.wall.clock())
        else:
            return f'Expected {{"seed": a number from 0 to {MAX_SEED}}} or {{"close": true}}.'
        return ""


class HelpOverOrder(_Order):
    """POST P/trainer/help-over"""

    def carry_out(self, board: Board, sent: dict[str, Any]) -> str:
        name, exercise = sent.get("name"), sent.get("exercise")
        if not (isinstance(name, str) and isinstance(exercise, str)):
            return 'Expected {"name": …, "exercise": …}.'
        board.learners.help_over(name, exercise)
        return ""


class ClearOrder(_Order):
    """POST P/trainer/clear"""

    def carry_out(self, board: Board, sent: dict[str, Any]) -> str:
        board.clear()
        return ""


class _NoPage(_Page):
    async def prepare(self) -> None:
        self.refuse(404, f"There's no such page here. The wall is at {self.door.prefix}.")


PAGES: dict[str, type[_Page]] = {
    "": WallPage,
    "live": WallFeed,
    "trainer": TrainerPage,
    "trainer/live": TrainerFeed,
    "trainer/export.json": ExportJson,
    "trainer/export.csv": ExportCsv,
    "trainer/round": RoundOrder,
    "trainer/help-over": HelpOverOrder,
    "trainer/clear": ClearOrder,
}


@asynccontextmanager
async def serving(wall: Wall, door: Door) -> AsyncIterator[str]:
    """The wall and its pages are up. Yields the pages' URL, as this machine reaches them.

    Raises PusherError if an address can't be used.
    """
    shared = {"wall": wall, "door": door}
    pages = [
        *door.routes,
        *((re.escape(door.prefix + path), page, shared) for path, page in PAGES.items()),
    ]
    if door.address is None:
        elsewhere = (re.escape(door.prefix) + ".*", _NoPage, shared)
        async with wall.running([*pages, elsewhere]):
            try:
                yield f"{wall.server.url}{door.prefix}"
            finally:
                for each in tuple(wall.open_sockets):
                    each.cut()
        return
    application = tornado.web.Application(
        [*pages, (".*", _NoPage, shared)],
        log_function=lambda handler: None,
        websocket_max_message_size=MAX_POST_BYTES,
        **door.settings,
    )
    listener = _listen(*door.address)
    server = tornado.httpserver.HTTPServer(
        application,
        max_header_size=MAX_HEAD_BYTES,
        max_body_size=MAX_POST_BYTES,
        idle_connection_timeout=HEAD_SECONDS,
        body_timeout=HEAD_SECONDS,
    )
    try:
        async with wall.running():
            server.add_socket(listener)
            try:
                yield f"http://{_bound(listener)}{door.prefix}"
            finally:
                server.stop()
                for each in tuple(wall.open_sockets):
                    each.cut()
                with suppress(TimeoutError):
                    async with asyncio.timeout(GOODBYE_SECONDS):
                        await server.close_all_connections()
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise PusherError(
            f"The wall's pages can't listen on port {port} of {host}: {error.strerror}. That "
            "address is the service's url in the hub's configuration."
        ) from error
    listener.setblocking(False)
    return listener


def _bound(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@asynccontextmanager
async def _with_parent(stopped: asyncio.Event) -> AsyncIterator[None]:
    """Set the event once the process that started this one is gone.

    A hub that was killed starts another wall when it's back, and only one may write to the file.
    """
    parent = os.getppid()

    async def look() -> None:
        await asyncio.sleep(PARENT_SECONDS)
        if os.getppid() != parent:
            stopped.set()

    watch = _forever(look)
    try:
        yield
    finally:
        watch.cancel()


def run(
    folder: Path, environ: Mapping[str, str], say: Callable[[str], None], **settings: Any
) -> None:
    """Serve as a hub's service, until Ctrl+C or until the hub ends it. `settings` are Wall's."""
    roster = cache(lambda: Roster(class_secret(folder, environ)))
    door = HubDoor(environ, lambda: roster().cookie_secret())
    wall = Wall(roster(), folder, course=course(), **settings)
    asyncio.run(
        until_stopped(
            wall,
            door,
            lambda pages: say(
                f"The wall is up. Programs send to {wall.server.url}; its page is {pages}"
            ),
            with_parent=True,
        )
    )


async def until_stopped(
    wall: Wall, door: Door, up: Callable[[str], None], *, with_parent: bool = False
) -> None:
    """Serve until Ctrl+C; `with_parent`, also until the process that started this is gone.

    `up` is called with the pages' URL once they can be reached.
    """
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows, where Ctrl+C is an exception
            asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with serving(wall, door) as pages:
        up(pages)
        async with _with_parent(stopped) if with_parent else nullcontext():
            await stopped.wait()
