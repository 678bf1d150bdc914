"""What the practice server's routes share: who is let in, bodies within limits, answers in JSON."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import tornado.web

from pusherkit.sandbox.api import (
    MAX_BODY_BYTES,
    RawRequest,
    Refusal,
    Reply,
    Sandbox,
    cut_off,
    too_large,
)
from pusherkit.sandbox.explainer import Explainer
from pusherkit.sandbox.sockets import BoundedWebSocket
from pusherkit.sandbox.visitors import SHOWN, Visitors

MAX_HELD_BYTES = 64 * 1024 * 1024  # of all bodies together that are not answered yet
MAX_DROPPED_BYTES = 64 * 1024 * 1024  # of a body that was turned away; beyond, it is cut off
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
    url: str
    """Where programs on this machine reach the server."""
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
        headers = self.request.headers
        if objection := self.shell.visitors.objection(headers.get("Host"), headers.get("Origin")):
            error, fix = map(self.hide, objection)
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

    def hide(self, text: str) -> str:
        """A piece of the request, fit to be repeated: without the secret of any key it names."""
        return self.shell.sandbox.named_by(self.raw()).credentials.hide(text)

    def write_reply(self, reply: Reply) -> None:
        """Make a reply the answer; it is not sent yet."""
        self.set_status(reply.status)
        for name, value in reply.headers:
            self.set_header(name, value)
        self.write(reply.body)

    def compute_etag(self) -> None:
        return None  # an API has no use for it


@tornado.web.stream_request_body  # so that Tornado leaves the body alone, whatever its type
class BodyHandler(Handler):
    """A request whose body is read up to a limit, and no further.

    A route calls `arrived()`, which hands the whole body to `answer()`.
    """

    max_bytes = MAX_BODY_BYTES

    def initialize(self, shell: Shell) -> None:
        super().initialize(shell)
        self._body = bytearray()
        self._arrived = 0  # bytes of the body, kept or not
        self.turned_away = self._gone = False

    async def answer(self, body: bytes) -> None:
        """Answer the request, now that its body is there."""
        raise NotImplementedError

    def too_large(self, size: int | None) -> Refusal:
        """The refusal for a body of `size` bytes; None where it's still arriving."""
        return too_large(size)

    async def arrived(self) -> None:
        """Answer, unless the request was turned away already."""
        # Tornado says nothing of a connection that was closed as early as this.
        self._gone = self._gone or self.request.connection.stream.closed()  # type: ignore[union-attr]
        if self.turned_away:
            self.finish()
        else:
            await self.answer(bytes(self._body))

    def gone(self) -> bool:
        """Whether nobody waits for the answer any longer."""
        return self._gone

    def what(self) -> str:
        """The request in a few words, for the log."""
        path = self.hide(self.request.path[:SHOWN])
        return f"{self.request.method} {path}, {self._arrived:,} bytes"

    def prepare(self) -> None:
        # No limit of Tornado's: it would answer 400, without a word.
        self.request.connection.set_max_body_size(sys.maxsize)  # type: ignore[union-attr]
        super().prepare()
        size = self._announced()
        if size > self.max_bytes and not self.turned_away:
            self.turn_away(self.too_large(size))

    def _announced(self) -> int:
        """Content-Length; 0 where there is none, or none that Tornado will accept."""
        text = self.request.headers.get("Content-Length", "")
        return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0

    def turn_away(self, refusal: Refusal) -> None:
        """Answer at once, and drop the rest of the body.

        The connection is closed only after that: many clients look for an answer only when they
        have sent everything, and to most systems an early close means that they never see it.
        """
        self.turned_away = True
        self._let_go()
        reply = self.shell.sandbox.turn_away(self.raw(), refusal, now=self.shell.clock())
        self.write_reply(reply)
        self.set_header("Content-Length", len(reply.body))
        # A client that asked whether to send the body is told not to.
        if "Expect" in self.request.headers or self._announced() > MAX_DROPPED_BYTES:
            self.finish()
        else:
            self.flush()

    def data_received(self, chunk: bytes) -> None:
        self._arrived += len(chunk)
        if self.turned_away:
            if self._arrived > MAX_DROPPED_BYTES:
                self.finish()  # which closes the connection
            return
        if self._arrived > self.max_bytes:
            self.turn_away(self.too_large(None))
            return
        self._body += chunk
        self.shell.held_bytes += len(chunk)
        if self.shell.held_bytes > MAX_HELD_BYTES:
            self.turn_away(
                Refusal(
                    503,
                    f"Over {MAX_HELD_BYTES:,} bytes of unfinished requests are waiting here.",
                    fix="Send fewer large requests at a time, then this one again.",
                    headers=(("Retry-After", "1"),),
                )
            )

    def on_finish(self) -> None:
        self._let_go()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        announced = self._announced()
        if self._arrived < announced and not self.turned_away:
            # Nobody hears it but the log, where the sender of a wrong Content-Length can look.
            refusal = cut_off(self._arrived, announced)
            self.shell.sandbox.turn_away(self.raw(), refusal, now=self.shell.clock())
        self._let_go()

    def _let_go(self) -> None:
        self.shell.held_bytes -= len(self._body)
        self._body = bytearray()
