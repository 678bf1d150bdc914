"""The wall and the trainer's view in a real browser, before a feeder that says what a wall says.

The feeder serves a page below a prefix, with the policy that the wall gives it, and sends on its
WebSocket whatever the test wants. What the wall itself sends is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import pytest
import tornado.httpserver
import tornado.web
import tornado.websocket

from pusherkit.lessons.kit.lesson import lessons
from pusherkit.sandbox import live
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
            page = resources.files("pusherkit.classroom").joinpath(name).read_bytes()

            class Page(tornado.web.RequestHandler):
                def get(self) -> None:
                    self.set_header("Content-Security-Policy", policy(page))
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


def policy(page: bytes) -> str:
    """That of the practice server's live page."""
    return (
        "default-src 'none'; connect-src 'self'; img-src data:; "
        f"script-src {live._hash(page, b'script')}; style-src {live._hash(page, b'style')}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def view(**changes: Any) -> dict[str, Any]:
    """A wall's view: an empty one, with changes."""
    empty = {
        "kind": "wall",
        "time": NOW,
        "title": "Signing, in one morning",
        "learners": {"expected": 20, "seen": 18, "sent": 12},
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
        "round": None,
        "mistakes": [],
        "problem": "",
    } | changes


def mistake(now: int = 4, **changes: Any) -> dict[str, Any]:
    return {
        "exercise": "body_is_bytes.body_md5",
        "mistake": "these-are-the-16-raw-bytes",
        "sentence": "These are the 16 raw bytes. The parameter wants them as 32 hex digits.",
        "now": now,
    } | changes
