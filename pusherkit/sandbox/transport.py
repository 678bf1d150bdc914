"""The practice server as an httpx transport: the same judge, no socket, no thread.

For places where neither exists (a notebook in the browser), and for quick tests:
`Client(sandbox.credentials, transport=SandboxTransport(sandbox))`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import httpx

from pusherkit.sandbox.api import RawRequest, Sandbox

_log = logging.getLogger("pusherkit.sandbox")


class SandboxTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands each request to a Sandbox, for Client and AsyncClient alike."""

    def __init__(self, sandbox: Sandbox, *, clock: Callable[[], float] = time.time) -> None:
        self._sandbox = sandbox
        sandbox.watcher_failed = _watcher_failed
        self._clock = clock
        # A widget's callback may send while a cell sends, and a watcher may send in its turn.
        self._lock = threading.RLock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request, await request.aread())

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        with self._lock:
            reply = self._sandbox.handle(
                RawRequest(method=request.method, target=request.url.raw_path, body=body),
                now=self._clock(),
            )
        headers = {"Content-Type": "application/json; charset=utf-8", **dict(reply.headers)}
        return httpx.Response(reply.status, headers=headers, content=reply.body)


def _watcher_failed(error: Exception) -> None:
    _log.error("A watcher raised an error, so it will hear of nothing more.", exc_info=error)
