"""The wall and the trainer's view in a real browser, before a feeder that says what a wall says.

The feeder serves a page below a prefix, with the policy that the wall gives it, and sends on its
WebSocket whatever the test wants. What the wall itself sends is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import tornado.httpserver
import tornado.web
import tornado.websocket

from pusherkit.lessons.kit.lesson import lessons
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.live import page_and_policy
from tests.browser import test_accessibility

axe = test_accessibility.axe

PREFIX = "/services/wall/"
NOW = 1_700_000_000.0
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
FROM_RIGHT = "שרה \u202e gnorw"
"""A name from right to left, with a character that turns what follows it around."""


class Feeder:
    """A wall's pages, and what they hear, from a thread of its own."""

    def __init__(self) -> None:
        self.greeting: list[dict[str, Any]] = []
        """What a page hears as soon as it's there."""
        self.posts: list[tuple[str, Any]] = []
        """What pages sent: the path below the prefix, and the JSON."""
        self.answer: tuple[int, Any] = (200, {})
        """What is said to that."""
        self.sockets: set[tornado.websocket.WebSocketHandler] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""

        async def listen() -> None:
            self._server = tornado.httpserver.HTTPServer(self._app())
            self._server.listen(self._port, "127.0.0.1")
            (listening, *_) = self._server._sockets.values()
            self._port = listening.getsockname()[1]

        self._do(listen())

    def stop(self) -> None:
        """Go away, as a wall that is stopped."""

        async def close() -> None:
            self._server.stop()
            for socket in list(self.sockets):
                socket.close()
            await self._server.close_all_connections()

        self._do(close())

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The wall's page."""
        return f"http://127.0.0.1:{self._port}{PREFIX}"

    def say(self, *messages: dict[str, Any]) -> None:
        """Send messages to every page, and to those that come."""
        self.greeting += messages

        async def send() -> None:
            for message in messages:
                for socket in self.sockets:
                    socket.write_message(json.dumps(message))

        self._do(send())

    def view(self, **changes: Any) -> None:
        """Send a wall's view, and forget the one before."""
        self.greeting.clear()
        self.say(view(**changes))

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _app(self) -> tornado.web.Application:
        def serve(name: str) -> type[tornado.web.RequestHandler]:
            class Page(tornado.web.RequestHandler):
                def get(self) -> None:
                    page, policy = page_and_policy("pusherkit.classroom", name)
                    self.set_header("Content-Security-Policy", policy)
                    self.finish(page)

            return Page

        feeder = self

        class Feed(tornado.websocket.WebSocketHandler):
            def open(self, *_: str, **__: str) -> None:
                feeder.sockets.add(self)
                for message in feeder.greeting:
                    self.write_message(json.dumps(message))

            def on_close(self) -> None:
                feeder.sockets.discard(self)

        class Desk(tornado.web.RequestHandler):
            def post(self, what: str) -> None:
                assert self.request.headers["Content-Type"] == "application/json"
                feeder.posts.append((what, json.loads(self.request.body)))
                status, answer = feeder.answer
                self.set_status(status)
                self.finish(json.dumps(answer))

        return tornado.web.Application(
            [
                (PREFIX, serve("wall.html")),
                (PREFIX + "trainer", serve("trainer.html")),
                (PREFIX + "(?:trainer/)?live", Feed),
                (PREFIX + "trainer/(round|help-over|clear)", Desk),
            ],
            log_function=lambda handler: None,
        )


def view(**changes: Any) -> dict[str, Any]:
    """A wall's view: an empty one, with changes."""
    empty = {
        "kind": "wall",
        "time": NOW,
        "title": "Signing, in one morning",
        "round": None,
        "learners": {"expected": 20, "here": 18, "known": 19, "sent": 12},
        "per_minute": 0,
        "events": 0,
        "lines": [],
        "refusals": [],
        "channels": [],
        "goals": [],
    }
    return empty | changes


def line(number: int, who: str = "zoë", **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "who": who,
        "times": 1,
        "channel": f"order-{number}",
        "event": "status",
        "data": '{"status": "out for delivery", "by": "Kim"}',
        "time": NOW,
    } | changes


def refusal(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "who": "",
        "key_of": "zoë",
        "rule": "auth_signature",
        "why": "The body was hashed with a newline at the end, but sent without it.",
        "fix": "Hash exactly what you send, and remember that echo adds a newline where printf "
        "'%s' doesn't.",
        "times": 1,
        "time": NOW,
    } | changes


def course() -> dict[str, Any]:
    """What the trainer's view hears first: the real lessons."""
    return {
        "kind": "class",
        "title": "Signing, in one morning",
        "lessons": [
            {
                "lesson": lesson.name,
                "title": lesson.title,
                "exercises": [
                    {
                        "name": each.name,
                        "task": (each.task or "").partition("\n")[0],
                        "optional": each.optional,
                    }
                    for each in lesson.exercises.values()
                ],
            }
            for lesson in lessons()
        ],
    }


def learner(name: str, passed: int = 0, **changes: Any) -> dict[str, Any]:
    """A learner who has passed the first exercises, and tries the next."""
    every = [each["name"] for lesson in course()["lessons"] for each in lesson["exercises"]]
    cells: dict[str, Any] = {each: ["passed", 1] for each in every[:passed]}
    if 0 < passed < len(every):
        cells[every[passed]] = ["tried", 1 + passed % 5, NOW - 60, "these-are-the-16-raw-bytes"]
    lesson = next(
        each["lesson"]
        for each in course()["lessons"]
        if any(exercise["name"] == every[min(passed, 72)] for exercise in each["exercises"])
    )
    return {
        "name": name,
        "seen": NOW - 20,
        "lesson": lesson,
        "cells": cells,
        "stuck": None,
        "help": [],
        "surprises": passed % 4,
        "round": None,
    } | changes


def of(*some: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "learners", "learners": list(some)}


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "summary",
        "time": NOW,
        "present": 18,
        "expected": 20,
        "missing": [],
        "missing_more": 0,
        "round": None,
        "mistakes": [],
        "refusals": [],
        "problem": "",
    } | changes


def mistake(now: int = 4, **changes: Any) -> dict[str, Any]:
    return {
        "exercise": "body_is_bytes.body_md5",
        "mistake": "these-are-the-16-raw-bytes",
        "sentence": "These are the 16 raw bytes. The parameter wants them as 32 hex digits.",
        "now": now,
    } | changes


@pytest.fixture(scope="module")
def running() -> Iterator[Feeder]:
    """One feeder for all tests: a port and a thread."""
    made = Feeder()
    yield made
    made.end()


@pytest.fixture
def feeder(running: Feeder) -> Feeder:
    """The feeder, with nothing to say yet."""
    running.stop()  # or a test that failed while it was away would leave none to the others
    running.start()
    running.greeting.clear()
    running.posts.clear()
    running.answer = (200, {})
    return running


@dataclass
class Shown:
    """A page in a browser, and what it did that a test must know."""

    page: Any
    feeder: Feeder
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def all(self, selector: str) -> Any:
        return self.page.locator(selector)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name)

    def size(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})

    def outside(self) -> list[str]:
        """What sticks out of the window, or of its column, unless that's there to be scrolled."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter(each =>
              (each.getBoundingClientRect().right > innerWidth + 1
                || (each.matches("#side, #learner") && each.scrollWidth > each.clientWidth))
              && !each.closest("#scroll, pre")
              && !each.parentElement.closest(".cut")).map(each => each.outerHTML.slice(0, 90))"""
        )
        return found

    def until(self, expression: str) -> None:
        """Wait for the page to think so, also where its clock stands still."""
        deadline = time.monotonic() + 10
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression

    def view(self, **changes: Any) -> None:
        """Send a view, and let its time pass: the page draws 2.5 times a second."""
        self.feeder.view(**changes)
        wanted = json.dumps(view(**changes))
        self.until(f"JSON.stringify(view) === JSON.stringify({wanted})")
        self.page.clock.run_for(400)

    def axe(self, axe: str) -> list[Any]:
        self.page.evaluate(axe)
        found: list[Any] = self.page.evaluate(test_accessibility.RUN_AXE, "body")
        return found


@pytest.fixture
def visit(browser: Any, feeder: Feeder) -> Iterator[Any]:
    """Open one of the pages. Fails on what no page may do."""
    opened = []

    def go(where: str, **context: Any) -> Shown:
        made = browser.new_context(viewport={"width": 1280, "height": 720}, **context)
        page = made.new_page()
        page.set_default_timeout(15_000)
        shown = Shown(page, feeder)
        page.on("console", lambda m: shown.console.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: shown.console.append(f"{error}\n{error.stack}"))
        page.on("request", lambda request: shown.asked.append(request.url))
        page.url_of_page = feeder.url + where
        opened.append((made, shown))
        return shown

    yield go
    for made, shown in opened:
        made.close()
        assert {url for url in shown.asked if "/trainer/" not in url} == {shown.page.url_of_page}
        # The browser notes each try to reach a feeder that was stopped, and each answer but 200.
        noted = ("ERR_CONNECTION", "the server responded with a status", "Unexpected response code")
        assert [text for text in shown.console if not any(each in text for each in noted)] == []


@pytest.fixture
def wall(visit: Any, feeder: Feeder, expect: Any) -> Shown:
    """The wall, empty, in a browser whose clock stands still."""
    shown: Shown = visit("")
    shown.page.clock.install(time=NOW)
    feeder.view()
    shown.page.goto(feeder.url)
    expect(shown.all("#state")).to_have_text("Live")
    shown.page.clock.run_for(400)
    return shown


@pytest.fixture
def trainer(visit: Any, feeder: Feeder, expect: Any) -> Shown:
    """The trainer's view, with the real lessons and nobody in them."""
    shown: Shown = visit("trainer")
    shown.size(1280, 800)
    feeder.say(course(), summary(present=0))
    shown.page.goto(feeder.url + "trainer")
    expect(shown.all("#nobody")).to_contain_text("Nobody is here yet.")
    return shown


# --- the wall -----------------------------------------------------------------------------------


def test_an_empty_wall_says_what_appears_and_how(wall, expect, monkeypatch):
    empty = wall.all("#empty")
    expect(empty).to_contain_text("Every event that somebody publishes shows up here")
    expect(empty).to_contain_text("Send to the wall")
    with SandboxServer() as server:
        of_server = server.credentials
        monkeypatch.setenv("PUSHER_APP_ID", of_server.app_id)
        monkeypatch.setenv("PUSHER_KEY", of_server.key)
        monkeypatch.setenv("PUSHER_SECRET", of_server.secret)
        monkeypatch.setenv("PUSHER_HOST", server.url)
        made: dict[str, Any] = {}
        exec(empty.locator("pre").inner_text(), made)  # as a learner would
        made["client"].close()
        assert [each.event.name for each in server.sandbox.deliveries] == ["status"]


def test_it_shows_who_published_what_and_what_was_refused_and_why(wall, expect):
    wall.view(
        events=1234,
        per_minute=56,
        lines=[line(2, "max", times=12), line(1)],
        refusals=[refusal(3, times=2), refusal(4, key_of="", fix="")],
        channels=[
            {"name": "order-1", "events": 40, "subscribers": 1},
            {"name": "news", "events": 10, "subscribers": 12},
        ],
        goals=[
            {"goal": "a", "said": "First event accepted", "first": "zoë", "count": 9, "time": NOW},
            {"goal": "b", "said": "A batch", "first": "max", "count": 2, "time": NOW + 1},
        ],
    )
    expect(wall.all("#empty")).to_be_hidden()
    lines = wall.all("#lines > li")
    expect(lines).to_have_text(
        [
            'Zzoëstatus on order-1{"status": "out for delivery", "by": "Kim"}',
            'Mmaxstatus on order-2{"status": "out for delivery", "by": "Kim"}×12 times',
        ]
    )
    refused = wall.all("#refusals > li")
    expect(refused.last).to_contain_text("auth_signature")
    expect(refused.last).to_contain_text("with the app key of zoë")
    expect(refused.last).to_contain_text("hashed with a newline at the end, but sent without it.")
    expect(refused.last).to_contain_text("Fix: Hash exactly what you send")
    expect(refused.last.locator(".times")).to_have_text("×2 times")
    expect(refused.first).to_contain_text("with an app key that nobody here has")
    expect(wall.all("#channels > li")).to_have_text(
        ["order-140 events1 subscriber", "news10 events12 subscribers"]
    )
    expect(wall.all("#goals > li")).to_have_text(
        ["First event acceptedzoëwas first9 of 20", "A batchmaxwas first2 of 20"]
    )
    bars = "#channels .bar i, #goals .bar i"
    shares = wall.page.evaluate(
        "bars => [...document.querySelectorAll(bars)].map(each => each.style.transform)", bars
    )
    assert shares == ["scaleX(0.45)", "scaleX(0.1)", "scaleX(1)", "scaleX(0.25)"]
    expect(wall.all("#figures")).to_have_text(
        re.compile(r"here\s*18 of 20\s*have sent\s*12\s*a minute\s*56\s*events\s*1,234")
    )


WATCH = """() => {
  window.stays = [];
  window.written = 0;
  const since = new Map();
  new MutationObserver(changes => {
    for (const { target, addedNodes, removedNodes } of changes) {
      if (target.id === "events") window.written += 1;
      for (const gone of removedNodes) {
        if (since.has(gone)) window.stays.push(performance.now() - since.get(gone));
      }
      for (const came of addedNodes) {
        if (target.id === "lines") since.set(came, performance.now());
      }
    }
  }).observe(document.body, { childList: true, subtree: true });
}"""
PLACES = """() => [...document.querySelectorAll("#board li")].map(each => {
  const { x, y, width, height } = each.getBoundingClientRect();
  return [x, y, width, height].map(Math.round).join();
})"""


@pytest.mark.slow
def test_at_fifty_events_a_second_the_eye_can_follow(wall, expect):
    """20 learners, each at a channel of their own, for 20 s: a line keeps its place for 2 s."""
    people = [f"learner {number}" for number in range(20)]
    wall.page.evaluate(WATCH)
    sent = 0
    places: list[str] = []
    for _ in range(80):  # views, 4 a second
        sent += 12
        newest = [
            line(number // 40, people[number % 20], times=1 + number % 40, channel="order-41")
            for number in range(sent, sent - 8, -1)
        ]
        newest = [each | {"id": 20 * each["id"] + sent % 20 + n} for n, each in enumerate(newest)]
        wall.view(events=sent, per_minute=3000, lines=newest)
        if len(places) < 6:
            places = wall.page.evaluate(PLACES)
        assert wall.page.evaluate(PLACES) == places
    stays = wall.page.evaluate("stays")
    assert len(stays) > 20, "it does move on"
    assert min(stays) >= 2000
    assert wall.page.evaluate("written") <= 80
    wall.page.clock.run_for(6000)  # then it's quiet, and all of the newest get their places
    for each in newest[:6]:
        expect(wall.all("#lines").get_by_text(each["who"], exact=True).first).to_be_visible()


def test_a_line_that_goes_on_counts_in_its_place(wall, expect):
    wall.view(lines=[line(1)])
    first = wall.all("#lines > li").element_handle()
    wall.view(lines=[line(2, "max"), line(1, times=2)])
    wall.view(lines=[{**line(1, times=31), "data": "the newest"}, line(2, "max")])
    assert "zoë" in first.inner_text()
    assert "the newest" in first.inner_text()
    assert "×31" in first.inner_text(), "the same element"
    expect(wall.all("#lines > li").first.locator(".times")).to_have_text("×31 times")


def test_a_refusal_can_be_read_and_the_other_stays_where_it_is(wall, expect):
    wall.view(refusals=[refusal(1)])
    wall.view(refusals=[refusal(2, key_of="max"), refusal(1)])
    before = wall.all("#refusals > li").last.bounding_box()
    wall.view(refusals=[refusal(2, key_of="max")])
    expect(wall.all("#refusals")).to_contain_text("the app key of zoë")  # for 8 s
    wall.page.clock.run_for(8000)
    expect(wall.all("#refusals")).not_to_contain_text("the app key of zoë")
    assert wall.all("#refusals > li").last.bounding_box() == before
    wall.view(refusals=[refusal(3, key_of="kim"), refusal(2, key_of="max")])
    expect(wall.all("#refusals > li").first).to_contain_text("the app key of kim")
    wall.view(refusals=[refusal(9, who="kim", rule="channel")])
    wall.page.clock.run_for(8000)
    expect(wall.all("#refusals")).to_contain_text("channelfrom kim")
    many = [refusal(number, key_of=f"key {number}") for number in range(6, 2, -1)]
    wall.view(refusals=many)
    wall.page.clock.run_for(800)
    expect(wall.all("#refusals-more")).to_have_text("and 2 more")


def test_an_open_round_is_announced(wall, expect, pictures):
    expect(wall.all("#round")).to_be_hidden()
    wall.view(
        round={"seed": 41},
        lines=[line(1), line(2)],
        refusals=[refusal(1)],
        channels=[{"name": "order-41", "events": 2, "subscribers": 0}],
        goals=[
            {"goal": "a", "said": "First event accepted", "first": "zoë", "count": 2, "time": NOW}
        ],
    )
    expect(wall.all("#round")).to_have_text("Round 41: lesson 12, the cell with the calls")
    wall.page.screenshot(path=pictures / "wall-little.png")
    low = wall.all("#channels").evaluate("each => each.getBoundingClientRect().bottom")
    assert low > 720 - 40, "what there's little of leaves the room to the others"
    bar, whole = (wall.all(each).bounding_box()["width"] for each in ("#goals .bar", "#goals"))
    assert bar == whole
    wall.view(lines=[line(1), line(2)])
    expect(wall.all("#round")).to_be_hidden()


def test_what_the_trainer_clears_is_gone_at_once(wall, expect):
    wall.view(lines=[line(number) for number in range(8, 0, -1)], refusals=[refusal(9)])
    expect(wall.all("#lines > li")).to_have_count(6)
    news = [{"name": "news", "events": 1, "subscribers": 1}]
    wall.view(channels=news)
    expect(wall.all("#lines > li, #refusals > li")).to_have_count(0)
    expect(wall.page.get_by_text("No refusals just now.")).to_be_visible()
    wall.view(channels=news, lines=[line(10, "after")])
    expect(wall.all("#lines > li")).to_have_count(1)


def test_what_looks_like_html_is_text_and_ends_where_it_ends(wall, expect, pictures):
    wall.view(
        title=HOSTILE,
        lines=[
            line(1, HOSTILE, channel=HOSTILE, event=HOSTILE, data=HOSTILE),
            line(2, FROM_RIGHT),
            line(3, "n" * 300, channel="c" * 200, event="e" * 200, data="d" * 120),
            line(4, "\u0301" * 50, data="\u202e{}"),
            line(5, ""),
        ],
        refusals=[refusal(1, key_of=HOSTILE, rule=HOSTILE, why=HOSTILE, fix="f" * 600)],
        channels=[{"name": HOSTILE, "events": 10**12, "subscribers": 10**9}],
        goals=[{"goal": "a", "said": HOSTILE, "first": HOSTILE, "count": 5, "time": NOW}],
    )
    expect(wall.all("#lines > li")).to_have_count(5)
    expect(wall.all("#lines .who").nth(4)).to_have_text(HOSTILE)
    expect(wall.all("body :is(img, script:not([src]) ~ script)")).to_have_count(0)
    assert wall.page.title() == f"{HOSTILE}: the wall"
    assert wall.outside() == []
    assert wall.page.evaluate("document.documentElement.scrollWidth") == 1280
    wall.page.screenshot(path=pictures / "wall-hostile.png")


def test_a_lost_connection_is_shown_and_comes_back(visit, feeder, expect, pictures):
    wall = visit("")
    feeder.view(lines=[line(1)])
    wall.page.goto(feeder.url)
    expect(wall.all("#lines > li")).to_have_count(1)
    expect(wall.all("#lost")).to_be_hidden()
    feeder.stop()
    expect(wall.all("#lost")).to_contain_text("The connection to the wall is lost. This is how")
    expect(wall.all("#lost")).to_be_visible()
    expect(wall.all("#state")).to_have_text("Not connected")
    expect(wall.all("#lines > li")).to_have_count(1)
    wall.page.screenshot(path=pictures / "wall-lost.png")
    feeder.start()
    feeder.view(lines=[line(2, "max"), line(1)])
    expect(wall.all("#state")).to_have_text("Live", timeout=15_000)
    expect(wall.all("#lost")).to_be_hidden()
    expect(wall.all("#lines > li")).to_have_count(2)


def test_light_and_dark_by_a_key_or_the_button_and_the_choice_is_kept(wall, expect):
    def dark() -> bool:
        return bool(
            wall.page.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(21, 24, 28)"
        )

    assert not dark()
    wall.page.keyboard.press("d")
    assert dark()
    wall.page.reload()
    assert dark()
    wall.page.keyboard.press("Tab")
    expect(wall.button("Light")).to_be_focused()
    wall.page.keyboard.press("Enter")
    assert not dark()
    wall.page.emulate_media(color_scheme="dark")
    assert not dark(), "what was chosen counts"


def test_nothing_moves_for_people_who_prefer_that(wall):
    moving = "document.getAnimations().length"
    wall.view(lines=[line(1)])
    assert wall.page.evaluate(moving) > 0
    wall.page.emulate_media(reduced_motion="reduce")
    wall.view(lines=[line(2), line(1)], channels=[{"name": "news", "events": 9, "subscribers": 1}])
    assert wall.page.evaluate(moving) == 0


def test_a_screen_reader_hears_of_goals_and_refusals_but_not_of_every_line(wall, expect):
    goal = {"goal": "a", "said": "First event accepted", "first": "zoë", "count": 1, "time": NOW}
    wall.view(lines=[line(1)])
    said = wall.all("#said")
    expect(said).to_have_text("")
    wall.view(lines=[line(1)], goals=[goal], refusals=[refusal(1)])
    expect(said).to_have_text("First event accepted: zoë was first.")
    wall.view(lines=[line(2)], goals=[goal | {"count": 2}], refusals=[refusal(1)])
    expect(said).to_have_text("First event accepted: zoë was first.")
    wall.page.clock.run_for(8000)
    wall.view(lines=[line(3)], goals=[goal | {"count": 3}], refusals=[refusal(1)])
    expect(said).to_have_text(f"Refused: {refusal(1)['why']}")


BOTH = "The parameters were joined in the order in which they were written, not sorted by name."
HALF_LINES = """() => [...document.querySelectorAll(".why, .fix")].filter(each =>
  each.offsetParent && each.getBoundingClientRect().bottom
    > each.closest("li").getBoundingClientRect().bottom).map(each => each.className)"""
"""What of a refusal is cut in the middle of a line by the end of its place."""
SCREENS = [(1280, 720), (1920, 1080), (3840, 2160), (1024, 768), (700, 900), (390, 844)]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_wall_is_for_every_screen(wall, axe, expect, pictures, scheme, width, height):
    wall.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    wall.size(width, height)
    assert wall.axe(axe) == []
    wall.page.screenshot(path=pictures / f"wall-empty-{width}-{scheme}.png")
    people = [
        "zoë",
        "max",
        "Aleksandra Wiśniewska-Kowalczyk",
        "kim",
        "Ayşe",
        "שרה",
        "li wei",
        "bob",
    ]
    wall.view(
        per_minute=3000,
        events=1_234_567,
        lines=[line(n, who, times=3**n) for n, who in enumerate(people)],
        refusals=[refusal(1), refusal(2, times=99, why=f"{refusal(1)['why']} {BOTH}")],
        channels=[{"name": f"order-{n}", "events": 3**n, "subscribers": n} for n in range(10)],
        goals=[
            {"goal": str(n), "said": f"The goal number {n}", "first": who, "count": n, "time": n}
            for n, who in enumerate(people)
        ],
    )
    expect(wall.all("#lines > li")).to_have_count(6)
    wall.page.screenshot(path=pictures / f"wall-full-{width}-{scheme}.png", full_page=True)
    assert wall.axe(axe) == []
    assert wall.outside() == []
    if width > height:
        low = wall.page.evaluate(
            "Math.max(...[...document.querySelectorAll('#board li')]"
            ".map(each => each.getBoundingClientRect().bottom))"
        )
        assert low <= height, "all of it is on the screen"
        assert wall.page.evaluate(HALF_LINES) == []
        for part in (".first", ".why", "#title"):  # ten metres from a screen 2 m wide
            size = wall.all(part).last.evaluate(
                "each => parseFloat(getComputedStyle(each).fontSize)"
            )
            assert size >= width / 56
        assert wall.page.evaluate(HALF_LINES) == []


# --- the trainer's view -------------------------------------------------------------------------

# Of refusals: what sticks out of its place, or ends in the middle of a line.
HALF_LINES = """[...document.querySelectorAll('#refusals li')].filter(each =>
  each.scrollHeight > each.clientHeight + 1
  || [...each.querySelectorAll('.why, .fix')].some(part => {
    const { height } = part.getBoundingClientRect()
    const lines = height / parseFloat(getComputedStyle(part).lineHeight)
    return Math.abs(lines - Math.round(lines)) > 0.05
  })).map(each => each.textContent)"""

CODE = "def body_md5(body):\n    return hashlib.md5(body).digest()  # <b>why?</b>"
ASKS = [{"exercise": "body_is_bytes.body_md5", "code": CODE, "since": NOW - 190}]
STUCK = {"exercise": "start_here.update", "since": NOW - 720}


def test_the_grid_says_in_words_what_it_shows(trainer, expect):
    trainer.feeder.say(of(learner("zoë", 5), learner("max"), learner("kim", 73)), summary())
    rows = trainer.all("#grid tbody tr")
    expect(rows.locator("th")).to_have_text(["kim", "max", "zoë"])
    zoe = rows.last.locator("td")
    said = rows.last.get_by_role("img")
    expect(said.nth(0)).to_have_accessible_name("3 of 3 passed")
    expect(said.nth(1)).to_have_accessible_name("2 of 6 passed, 1 tried")
    expect(said.nth(2)).to_have_accessible_name("nothing yet")
    expect(zoe.nth(13)).to_have_text("5")
    expect(trainer.all("#grid thead th").nth(2)).to_have_text("01 The body is bytes")
    everybody = trainer.all("#grid thead tr").last
    expect(everybody.locator("th")).to_have_text("All 3")
    expect(everybody.get_by_role("img").first).to_have_accessible_name("67% passed")
    cells = rows.last.locator("td").nth(1).locator("i")
    kinds = [each.evaluate("each => each.className") for each in cells.all()]
    assert kinds == ["passed", "passed", "tried-1", "", "", ""]
    cells.nth(2).hover()
    expect(cells.nth(2)).to_have_attribute("title", re.compile(r"^01 signed_body: tried once"))
    trainer.feeder.say(of(learner("zoë", 6)))
    expect(zoe.nth(13)).to_have_text("6")
    expect(trainer.all("#present")).to_have_text("18 of 20 here")
    expect(trainer.all("#missing")).to_be_hidden()
    trainer.feeder.say(summary(missing=["03", FROM_RIGHT], missing_more=7))
    expect(trainer.all("#missing")).to_have_text(f"Not here yet: 03, {FROM_RIGHT} and 7 more")


def test_who_needs_the_trainer_comes_first_and_the_code_is_text(trainer, expect):
    feeder = trainer.feeder
    feeder.say(of(learner("zoë", 3, help=ASKS), learner("max", 2, stuck=STUCK)), summary())
    needs = trainer.all("#needs > li")
    expect(needs).to_have_count(2)
    expect(needs.first).to_contain_text("zoë01 body_md5? asks3 min")
    expect(needs.last).to_contain_text("max00 update! stuck12 min")
    needs.first.locator("summary").click()
    expect(needs.first.locator("pre")).to_have_text(CODE)
    expect(needs.first).to_contain_text("Return the body hash of any body")
    expect(trainer.all("#needs b b")).to_have_count(0)
    needs.first.get_by_role("button", name="Helped").click()
    expect(trainer.all("#answer")).to_have_text("The call from zoë is closed.")
    assert feeder.posts == [("help-over", {"name": "zoë", "exercise": ASKS[0]["exercise"]})]
    feeder.say(of(learner("zoë", 3)))
    expect(needs.first).to_contain_text("✓ over")
    trainer.all("#filter").focus()
    trainer.page.mouse.move(900, 700)
    expect(needs).to_have_count(1)
    needs.locator("summary").click()
    expect(needs).to_contain_text("Tried 3 times. Last: these are the 16 raw bytes.")


def test_a_learner_opens_beside_the_grid_and_closes_by_escape(trainer, expect):
    trainer.feeder.say(of(learner("zoë", 8, help=ASKS, surprises=1)), summary())
    name = trainer.all("#grid").get_by_role("button", name="zoë")
    name.focus()
    trainer.page.keyboard.press("Enter")
    beside = trainer.page.get_by_role("complementary", name="zoë")
    expect(beside.get_by_role("heading", name="zoë")).to_be_focused()
    expect(beside).to_contain_text("In 01 The body is bytes. Last heard from at")
    expect(beside).to_contain_text("1 surprise.")
    expect(beside.locator("pre")).to_have_text(CODE)
    expect(beside.locator("#work > li").first).to_have_text("01 The body is bytes: 5 of 6")
    expect(beside.locator("#work > li").nth(1)).to_have_text("✓ body_md5, passed")
    trainer.feeder.say(of(learner("zoë", 9)))
    expect(beside.locator("#work > li").first).to_have_text("02 Parameters in order: 0 of 6")
    expect(beside.locator("pre")).to_have_count(0)
    trainer.page.keyboard.press("Escape")
    expect(beside).to_be_hidden()
    expect(name).to_be_focused()


def test_an_update_closes_nothing_and_moves_nothing_under_a_hand(trainer, expect):
    feeder = trainer.feeder
    feeder.say(of(learner("max", 3, stuck=STUCK), learner("kim", 9, stuck=STUCK)), summary())
    needs = trainer.all("#needs > li")
    expect(needs).to_have_count(2)
    needs.last.locator("summary").click()
    held = needs.last.element_handle()
    before = held.bounding_box()
    feeder.say(of(learner("zoë", 3, help=ASKS), learner("max", 4)))
    expect(needs).to_have_count(3)
    expect(needs.first).to_contain_text("✓ over")
    expect(needs.last).to_contain_text("zoë")  # at the end, though a call comes before the stuck
    assert held.bounding_box() == before
    expect(needs.nth(1).locator("details")).to_have_attribute("open", "")
    expect(needs.nth(1).locator("summary")).to_be_focused()
    trainer.page.mouse.move(900, 700)
    trainer.all("#filter").focus()
    expect(needs).to_have_count(2)
    expect(needs.first).to_contain_text("zoë")
    expect(needs.last.locator("details")).to_have_attribute("open", "")
    rows = trainer.all("#grid tbody tr")
    rows.first.hover()
    feeder.say(of(learner("anna", 3), learner("kim", 20)))
    expect(rows.locator("th")).to_have_text([re.compile("kim"), "max", re.compile("zoë"), "anna"])
    expect(rows.first.locator("td").nth(13)).to_have_text("20")
    trainer.all("#filter").fill("a")
    expect(rows.locator("th")).to_have_text(["anna", "max"])


def test_the_mistakes_that_most_have_now_and_who_has_them(trainer, expect):
    have = {"body_is_bytes.body_md5": ["tried", 2, NOW, mistake()["mistake"]]}
    trainer.feeder.say(
        of(learner("zoë", cells=have), learner("max", cells=have), learner("kim", 9)),
        summary(mistakes=[mistake(2), mistake(1, mistake="other", sentence="Another.")]),
    )
    shown = trainer.all("#mistakes > li")
    expect(shown).to_have_count(2)
    expect(shown.first).to_contain_text("2These are the 16 raw bytes.")
    shown.first.locator("summary").click()
    expect(shown.first.get_by_role("button")).to_have_text(["max", "zoë"])
    shown.first.get_by_role("button", name="zoë").click()
    beside = trainer.page.get_by_role("complementary", name="zoë")
    expect(beside).to_contain_text("… body_md5, tried 2 times")
    expect(beside).to_contain_text("The parameter wants them as 32 hex digits.")


def test_what_was_refused_lately_stays_for_the_trainer(trainer, expect):
    refused = trainer.all("#refusals > li")
    expect(trainer.all("#refusals-none")).to_be_visible()
    trainer.feeder.say(summary(refusals=[refusal(2, key_of=HOSTILE), refusal(1, times=3)]))
    expect(refused).to_have_count(2)
    expect(refused.first).to_contain_text(f"with the app key of {HOSTILE}auth_signature")
    refused.last.locator("summary").click()
    expect(refused.last).to_contain_text("×3")
    expect(refused.last).to_contain_text("Fix: Hash exactly what you send")
    expect(trainer.all("body img")).to_have_count(0)


def test_on_a_phone_the_table_says_that_it_goes_on(trainer, expect):
    trainer.size(390, 844)
    trainer.feeder.say(of(learner("zoë", 5)), summary())
    expect(trainer.all("#sideways")).to_be_visible()
    trainer.all("#scroll").evaluate("each => each.scrollTo(each.scrollWidth, 0)")
    expect(trainer.all("#sideways")).to_be_hidden()


def test_a_round_is_opened_and_closed_and_a_refusal_is_shown(trainer, expect):
    feeder = trainer.feeder
    feeder.say(of(learner("zoë", 9)), summary())
    seed = trainer.page.get_by_label("Seed")
    expect(seed).to_have_value("41")
    seed.press("Enter")
    answer = trainer.all("#answer")
    expect(answer).to_have_text("Round 41 is open.")
    expect(trainer.page.get_by_role("columnheader", name="Right")).to_be_hidden()
    feeder.say(
        summary(round={"seed": 41, "open": True, "since": NOW - 100}),
        of(learner("zoë", 9, round={"answered": 3, "right": 2})),
    )
    expect(trainer.all("#round-open")).to_have_text("Round 41, 1 min: 1 has joined")
    trainer.page.reload()
    expect(trainer.all("#sheet")).to_contain_text("pusherkit clinic --seed 41 --sheet")
    expect(trainer.all("#grid tbody tr td").last).to_have_text("2 of 3")
    trainer.button("Close the round").click()
    expect(answer).to_have_text("The round is closed.")
    assert feeder.posts == [("round", {"seed": 41}), ("round", {"close": True})]
    feeder.say(summary(round={"seed": 41, "open": False, "since": NOW - 100}))
    expect(seed).to_have_value("42")  # 41 would go on where it was closed
    expect(trainer.all("#sheet")).to_be_hidden()
    feeder.say(summary(round={"seed": 41, "open": True, "since": NOW - 100}))
    feeder.answer = (403, {"error": "This is the trainer's.", "fix": "Sign in as a trainer."})
    trainer.button("Close the round").click()
    expect(answer).to_have_text("This is the trainer's. Sign in as a trainer.")
    feeder.answer = (502, "a proxy's")
    trainer.button("Close the round").click()
    expect(answer).to_have_text("The wall answered 502. Nothing was changed.")


def test_the_wall_is_cleared_and_everything_exported(trainer, expect):
    asked: list[str] = []
    trainer.page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    trainer.button("Clear the wall").click()
    assert "They can't be brought back." in asked[0]
    assert "the numbers at the top stay" in asked[0]
    assert trainer.feeder.posts == []
    trainer.page.once("dialog", lambda dialog: dialog.accept())
    trainer.button("Clear the wall").click()
    expect(trainer.all("#answer")).to_contain_text("Nobody's progress has changed.")
    assert trainer.feeder.posts == [("clear", {})]
    hrefs = [each.evaluate("each => each.href") for each in trainer.all("nav a").all()]
    base = trainer.feeder.url
    assert hrefs == [base, f"{base}trainer/export.csv", f"{base}trainer/export.json"]
    trainer.feeder.say(summary(problem="The disk is full. What comes now isn't kept."))
    expect(trainer.page.get_by_role("alert")).to_have_text(
        "The disk is full. What comes now isn't kept."
    )


@pytest.mark.slow
def test_a_thousand_learners_are_usable(trainer, expect, pictures):
    everybody = [learner(f"learner-{n}", 1 + n % 73) for n in range(1000)]
    for each in everybody[::50]:
        each["help"] = ASKS
    trainer.page.evaluate(
        "() => { window.long = []; new PerformanceObserver(seen => window.long.push("
        "...seen.getEntries().map(each => each.duration))).observe({ type: 'longtask' }); }"
    )
    trainer.feeder.say(of(*everybody), summary(present=1000, mistakes=[mistake(14)]))
    expect(trainer.all("#grid tbody tr")).to_have_count(100)
    first = trainer.page.evaluate("Math.max(0, ...long)")
    trainer.page.evaluate("() => { long.length = 0; }")
    for at in range(0, 1000, 100):
        trainer.feeder.say(of(*(learner(each["name"], 40) for each in everybody[at : at + 100])))
        trainer.page.evaluate("draw()")
    trainer.all("#filter").fill("learner-99")
    expect(trainer.all("#grid tbody tr")).to_have_count(11)
    trainer.all("#filter").fill("")
    trainer.button("Show 100 more").click()
    expect(trainer.all("#grid tbody tr")).to_have_count(200)
    trainer.page.screenshot(path=pictures / "trainer-1000.png")
    updates = trainer.page.evaluate("Math.max(0, ...long)")
    # Told, not judged: they depend on what else the machine does. What's judged is what they come
    # from: rows that aren't shown aren't there, and cells out of sight aren't laid out.
    print(f"1,000 learners: {first:.0f} ms at first, {updates:.0f} ms for an update at most")
    skipped = trainer.page.evaluate(
        "() => [...document.querySelectorAll('#grid tbody .cells')]"
        ".filter(each => !each.firstElementChild.checkVisibility({ contentVisibilityAuto: true }))"
        ".length"
    )
    assert skipped > 100 * len(lessons())


def test_what_learners_write_is_text_here_too(trainer, expect, pictures):
    asks = [{"exercise": HOSTILE, "code": HOSTILE * 60, "since": NOW}]
    trainer.feeder.say(
        of(
            learner(HOSTILE, 3, help=asks),
            learner(FROM_RIGHT, 9, lesson=HOSTILE, stuck=STUCK),
            learner("n" * 300, 12, cells={HOSTILE: ["tried", 1, NOW, HOSTILE]}),
            learner("__proto__", 4),
        ),
        summary(mistakes=[mistake(sentence=HOSTILE)], problem=HOSTILE),
    )
    expect(trainer.all("#grid tbody tr")).to_have_count(4)
    trainer.all("#needs summary").first.click()
    trainer.all("#grid").get_by_role("button", name="<img").click()
    expect(trainer.all("#calls pre")).to_have_text(HOSTILE * 60)
    expect(trainer.all("body img")).to_have_count(0)
    expect(trainer.page).to_have_title("Signing, in one morning: trainer's view")
    assert trainer.outside() == []
    trainer.page.screenshot(path=pictures / "trainer-hostile.png")


def test_after_a_restart_the_page_has_who_is_there_now(trainer, expect):
    feeder = trainer.feeder
    feeder.say(of(learner("zoë", 9), learner("max", 9)), summary())
    rows = trainer.all("#grid tbody tr")
    expect(rows).to_have_count(2)
    feeder.stop()
    expect(trainer.all("#state")).to_have_text("Not connected, trying again")
    expect(rows).to_have_count(2)
    feeder.greeting[:] = [course(), of(learner("zoë", 10)), summary()]
    feeder.start()
    expect(trainer.all("#state")).to_have_text("Live", timeout=15_000)
    expect(rows).to_have_count(1)
    expect(rows.locator("td").nth(13)).to_have_text("10")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080), (700, 900), (390, 844)])
def test_the_trainer_s_view_is_for_everybody(trainer, axe, expect, pictures, scheme, width, height):
    trainer.page.emulate_media(color_scheme=scheme)
    trainer.size(width, height)
    assert trainer.axe(axe) == []
    people = [learner(f"learner {n}", 3 * n, surprises=n) for n in range(20)]
    people[3] |= {"help": ASKS}
    people[4] |= {"stuck": STUCK, "round": {"answered": 3, "right": 2}}
    trainer.feeder.say(
        of(*people),
        summary(
            mistakes=[mistake(), mistake(2, mistake="b")],
            round={"seed": 7, "open": True, "since": NOW - 700},
            problem="The disk is full.",
            missing=["03", "04"],
            refusals=[refusal(2, times=3), refusal(1, who="max", key_of="max", rule="channels")],
        ),
    )
    expect(trainer.all("#grid tbody tr")).to_have_count(20)
    expect(trainer.all("#round-open")).to_have_text("Round 7, 11 min: 1 has joined")
    if width >= 1280:
        last = trainer.all("#grid tbody tr").last.locator("td").last
        box, seen = last.bounding_box(), trainer.all("#scroll").bounding_box()
        assert box["x"] + box["width"] <= seen["x"] + seen["width"], "all columns"
        assert box["y"] + box["height"] <= height, "twenty learners on one screen"
    trainer.all("#needs summary").first.click()
    trainer.all("#mistakes summary").first.click()
    assert trainer.axe(axe) == []
    assert trainer.outside() == []
    trainer.page.screenshot(path=pictures / f"trainer-{width}-{scheme}.png", full_page=True)
    trainer.all("#grid tbody button").nth(3).click()
    assert trainer.axe(axe) == []
    trainer.page.screenshot(path=pictures / f"trainer-learner-{width}-{scheme}.png")
