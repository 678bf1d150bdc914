"""The one door to the practice server: a server, a client, and subscribers.

Lessons ask for these and never touch threads, ports or loops. Whether there is a socket between
them depends on the machine. The clock stands still, so that the digits in a notebook are the same
for everybody, today and next year.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from pusherkit.client import Client
from pusherkit.credentials import Credentials
from pusherkit.sandbox.api import Entry, Sandbox
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.subscriber import Message, Subscriber
from pusherkit.subscription import Authorize

# The worked example of Pusher's HTTP API documentation: published values, no real account.
EXAMPLE_CREDENTIALS = Credentials(
    app_id="3",
    key="278d425bdf160c739803",
    secret="7ad3773142a6692b25b8",  # noqa: S106 - published
    base_url="http://127.0.0.1",
)
NO_SECRET = "none in this page"  # noqa: S105 - what a page has in its place
EXAMPLE_TIMESTAMP = 1353088179  # Unix seconds: 2012-11-16, 17:49:39 UTC
EVENTS_PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/events"
BATCH_PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/batch_events"

# The example's body: the bytes that were hashed, the same as the page prints it, and the MD5 that
# the page shows.
COMPACT = rb'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}'
PRINTED = rb'{ "name": "foo", "channels": ["project-3"], "data": "{\"some\":\"data\"}" }'
PUBLISHED_MD5 = "ec365a775a4cd0599faeb73354201b6f"


def stopped_clock() -> float:
    """The time in every lesson: that of the worked example."""
    return EXAMPLE_TIMESTAMP


class Practice:
    """A practice server without a socket: everything happens in the calling thread.

    `client` is a Client for it; `http` is a plain httpx client that signs nothing, for requests
    that hide nothing: `server.http.post("/apps/3/events", params=…, content=…)`.
    """

    def __init__(
        self, clock: Callable[[], float] = stopped_clock, sandbox: Sandbox | None = None
    ) -> None:
        self.sandbox = sandbox or Sandbox(EXAMPLE_CREDENTIALS)
        self.credentials = EXAMPLE_CREDENTIALS
        transport = SandboxTransport(self.sandbox, clock=clock)
        self.client = Client(self.credentials, transport=transport, clock=clock)
        self.http = httpx.Client(base_url=self.credentials.base_url, transport=transport)

    @property
    def log(self) -> tuple[Entry, ...]:
        """What reached the server, oldest first."""
        return tuple(self.sandbox.log)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a program here, as `pusherkit sandbox` prints them."""
        return self.credentials.to_env()

    def subscribe(
        self,
        channels: str,
        *,
        user_id: str | None = None,
        on_message: Callable[[Message], None] | None = None,
        authorize: Authorize | None = None,
    ) -> Subscriber:
        """A subscriber that is ready when this returns. A presence channel needs a `user_id`.

        With `authorize` it's like a page: it asks that, and doesn't have the secret.
        """
        return Subscriber(
            self._of(authorize),
            channels,
            user_id=user_id,
            on_message=on_message,
            authorize=authorize,
            transport=self.sandbox.channels,
        )

    def _of(self, authorize: Authorize | None) -> Credentials:
        """The credentials of a subscriber."""
        secret = self.credentials.secret if authorize is None else NO_SECRET
        return replace(self.credentials, secret=secret)


class LivePractice(Practice):
    """A practice server on 127.0.0.1: real requests, and events over a real WebSocket.

    `options` are SandboxServer's.
    """

    def __init__(self, clock: Callable[[], float] = stopped_clock, **options: Any) -> None:
        from pusherkit.sandbox.server import SandboxServer  # here: not every place has sockets

        self._server = SandboxServer(EXAMPLE_CREDENTIALS, clock=clock, **options).start()
        self.sandbox = self._server.sandbox
        self.credentials = self._server.credentials
        self.client = Client(self.credentials, clock=clock)
        self.http = httpx.Client(base_url=self.credentials.base_url, trust_env=False)

    def subscribe(
        self,
        channels: str,
        *,
        user_id: str | None = None,
        on_message: Callable[[Message], None] | None = None,
        authorize: Authorize | None = None,
    ) -> Subscriber:
        return Subscriber(
            self._of(authorize),
            channels,
            user_id=user_id,
            on_message=on_message,
            authorize=authorize,
        )


@functools.cache
def practice(clock: Callable[[], float] = stopped_clock) -> Practice:
    """This kernel's practice server, started at the first call; the same one at every call.

    Another `clock`, such as time.time for programs that read the time themselves, is another one.
    """
    return Practice(clock) if sys.platform == "emscripten" else LivePractice(clock)
