"""What the practice server's routes share: who is let in, answers in JSON, and slow steps told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import tornado.web

from pusherkit.sandbox.api import RawRequest, Refusal, Reply, Sandbox
from pusherkit.sandbox.explainer import Explainer
from pusherkit.sandbox.sockets import BoundedWebSocket
from pusherkit.sandbox.visitors import Visitors

SLOW_STEP_SECONDS = 0.1  # of the loop's own CPU time; meanwhile everybody else waits

_log = logging.getLogger("pusherkit.sandbox")


@dataclass(slots=True, kw_only=True)
class Shell:
    """What a running server's handlers have in common."""

    sandbox: Sandbox
    clock: Callable[[], float]
    """Unix seconds."""
    visitors: Visitors
    explainer: Explainer
    open_sockets: set[BoundedWebSocket] = field(default_factory=set)
    held_bytes: int = 0
    """Of bodies that are not answered yet, all requests together."""


@contextmanager
def timed(what: Callable[[], str]) -> Iterator[None]:
    """Log a step of the server that takes long, and what it was."""
    began = time.thread_time()  # not what other processes, or the explainer, took of the time
    yield
    if (took := time.thread_time() - began) > SLOW_STEP_SECONDS:
        # Not a warning, which a notebook would show: there, Python's collector can take as long.
        _log.info("Everybody waited %.0f ms for this: %s", took * 1_000, what())


class Handler(tornado.web.RequestHandler):
    """One request. It is answered in JSON, also where Tornado refuses it by itself."""

    def initialize(self, shell: Shell) -> None:
        self.shell = shell

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish({"error": f"{status_code}: {self._reason}."})

    def prepare(self) -> None:
        headers, hide = self.request.headers, self.shell.sandbox.credentials.hide
        if objection := self.shell.visitors.objection(headers.get("Host"), headers.get("Origin")):
            error, fix = map(hide, objection)
            self.turn_away(Refusal(403, error, fix=fix))

    def turn_away(self, refusal: Refusal) -> None:
        """Answer a request that is not let in."""
        shell = self.shell
        self.write_reply(shell.sandbox.turn_away(self.raw(), refusal, now=shell.clock()))
        self.finish()

    def raw(self, body: bytes = b"") -> RawRequest:
        """The request as it arrived. Tornado reads the request line as Latin-1; here it's bytes."""
        target = (self.request.uri or "/").encode("latin-1")
        return RawRequest(method=self.request.method or "", target=target, body=body)

    def write_reply(self, reply: Reply) -> None:
        """Make a reply the answer; it is not sent yet."""
        self.set_status(reply.status)
        for name, value in reply.headers:
            self.set_header(name, value)
        self.write(reply.body)

    def compute_etag(self) -> None:
        return None  # an API has no use for it
