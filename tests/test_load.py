"""A thousand subscribers over real sockets: nothing is lost, all is in order, memory is bounded."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

import psutil
import pytest

from pusherkit import AsyncClient
from pusherkit.events import MAX_DATA_BYTES
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.api import LOG_ENTRIES
from pusherkit.sandbox.sockets import MAX_UNSENT_BYTES

pytestmark = pytest.mark.slow

# On Windows, select() waits for 512 sockets at most (FD_SETSIZE in CPython's selectmodule.c).
SOCKETS = 400 if sys.platform == "win32" else 1_000
CHANNELS = [f"c{number}" for number in range(100)]
EVENTS = 1_000
AT_ONCE = 100  # connections being made; a listener's queue holds 128
PATIENCE_SECONDS = 300.0  # until a test that hangs is given up; it takes seconds

# Both ends of one connection, in this one process; 20 KB were measured with Python 3.11.
CONNECTION_BYTES = 100 * 1024
# An entry of the log, with every rule of signing, and a delivery; 4 KB were measured.
ENTRY_BYTES = 35 * 1024

OPEN_FILES = 2 * SOCKETS + 200  # both ends, and what else is open


@pytest.fixture(scope="module", autouse=True)
def _enough_open_files() -> Iterator[None]:
    """macOS allows a process 256 open files, most Linux 1,024, until it asks for more."""
    if sys.platform == "win32":  # has no such limit
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        pytest.fail(f"{OPEN_FILES} open files are needed, {hard} allowed: raise `ulimit -Hn`.")
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


UPGRADE = (
    b"GET /app/practice-key?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
SUBSCRIBED = "pusher_internal:subscription_succeeded"
TEXT, CLOSE = 0x1, 0x8  # opcodes of WebSocket frames (RFC 6455, section 5.2)


class Listener(asyncio.Protocol):
    """A subscriber to one channel that does the least one can: a thousand share one thread."""

    def __init__(self, crowd: Crowd, channel: str) -> None:
        self._crowd, self.channel = crowd, channel
        self._unread = bytearray()
        self._greeted = self.subscribed = self.gone = False
        self.events: list[str] = []
        self.closed_with: int | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        subscribe = {"event": "pusher:subscribe", "data": {"channel": self.channel}}
        text = json.dumps(subscribe).encode()
        transport.write(
            UPGRADE
            # A client must mask; with zeros the text stays as it is (RFC 6455, section 5.3).
            + bytes([0x80 | TEXT, 0x80 | len(text), 0, 0, 0, 0])
            + text
        )

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._greeted:
            head, end, rest = self._unread.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101 ")
            self._greeted, self._unread = True, rest
        while (frame := first_frame(self._unread)) is not None:
            opcode, payload, end = frame
            del self._unread[:end]
            self._act(opcode, payload)
        self._crowd.changed.set()

    def _act(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.closed_with = int.from_bytes(payload[:2])
            return
        told = json.loads(payload)
        self.subscribed = self.subscribed or told["event"] == SUBSCRIBED
        if not told["event"].startswith("pusher"):
            assert told["channel"] == self.channel
            self.events.append(told["event"])
            self._crowd.received += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._crowd.changed.set()


def first_frame(data: bytearray) -> tuple[int, bytes, int] | None:
    """A frame's opcode and payload, and where it ends; None where it is not there as a whole."""
    begin = 2
    if len(data) < begin:
        return None
    length = data[1]
    if length >= 126:
        begin = 4 if length == 126 else 10
        length = int.from_bytes(data[2:begin])
    end = begin + length
    return None if len(data) < end else (data[0] & 0x0F, bytes(data[begin:end]), end)


class Crowd:
    """A server, a client, and listeners; `async with` ends them all."""

    def __init__(self) -> None:
        self.server = SandboxServer()
        self.listeners: list[Listener] = []
        self.changed = asyncio.Event()
        self.received = 0  # events, by all of them together

    async def __aenter__(self) -> Self:
        self.server.start()
        self.client = AsyncClient(self.server.credentials)
        return self

    async def __aexit__(self, *_: object) -> None:
        for listener in self.listeners:
            listener.transport.abort()
        await self.until(lambda: all(listener.gone for listener in self.listeners))
        await self.client.aclose()
        self.server.stop()

    async def join(self, channels: list[str]) -> list[Listener]:
        """Subscribe a listener to each channel."""
        loop, address = asyncio.get_running_loop(), self.client.http.base_url
        joined = []
        for start in range(0, len(channels), AT_ONCE):
            made = [
                loop.create_connection(
                    lambda channel=channel: Listener(self, channel),
                    address.host,
                    address.port,
                )
                for channel in channels[start : start + AT_ONCE]
            ]
            new = [listener for _, listener in await asyncio.gather(*made)]
            self.listeners += new
            await self.until(lambda new=new: all(listener.subscribed for listener in new))
            joined += new
        return joined

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds that the listeners hear of."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def receive(self, count: int) -> None:
        """Wait until all of them together have got so many events."""
        await self.until(lambda: self.received >= count)


def resident_bytes() -> int:
    """The memory of this process, both ends in it."""
    gc.collect()
    return psutil.Process().memory_info().rss


async def test_a_thousand_events_reach_a_thousand_subscribers_in_order_and_in_bounded_memory():
    async with Crowd() as crowd:
        before = resident_bytes()
        await crowd.join([CHANNELS[number % len(CHANNELS)] for number in range(SOCKETS)])
        connected = resident_bytes()
        for number in range(EVENTS):
            await crowd.client.trigger(CHANNELS[number % len(CHANNELS)], str(number), "{}")
        await crowd.receive(EVENTS * SOCKETS // len(CHANNELS))
        after = resident_bytes()
        for listener in crowd.listeners:
            first = CHANNELS.index(listener.channel)
            assert listener.events == [str(n) for n in range(first, EVENTS, len(CHANNELS))]
            assert not listener.gone
        assert crowd.server.sandbox.channels.connections == SOCKETS
        assert len(crowd.server.log) == min(EVENTS, LOG_ENTRIES)
        assert connected - before < SOCKETS * CONNECTION_BYTES
        assert after - connected < LOG_ENTRIES * ENTRY_BYTES


async def test_one_event_reaches_a_thousand_subscribers_of_one_channel():
    count = 20
    async with Crowd() as crowd:
        await crowd.join(["chat"] * SOCKETS)
        for number in range(count):
            await crowd.client.trigger("chat", str(number), {"text": "hello"})
        await crowd.receive(count * SOCKETS)
        assert {tuple(listener.events) for listener in crowd.listeners} == {
            tuple(map(str, range(count)))
        }
        delivered = [delivery.subscribers for delivery in crowd.server.sandbox.deliveries]
        assert delivered == [SOCKETS] * count


async def test_of_a_thousand_subscribers_only_the_stalled_one_is_closed():
    data = "x" * MAX_DATA_BYTES
    most = 20 * MAX_UNSENT_BYTES // MAX_DATA_BYTES  # what the system holds besides is far less
    async with Crowd() as crowd:
        others = await crowd.join([CHANNELS[number % len(CHANNELS)] for number in range(SOCKETS)])
        (stalled,) = await crowd.join(["c0"])
        channels, client = crowd.server.sandbox.channels, crowd.client
        beside = channels.subscription_count("c0") - 1
        stalled.transport.pause_reading()
        sent = 0
        while channels.subscription_count("c0") > beside:
            assert sent < most
            await client.trigger("c0", str(sent), data)
            sent += 1
            # The others read as fast as they can: that they keep up is no matter of the machine.
            await crowd.receive(sent * beside)
        await client.trigger(CHANNELS, "last", "")
        await crowd.receive(sent * beside + len(others))
        stalled.transport.resume_reading()
        await crowd.until(lambda: stalled.gone)
        assert stalled.closed_with == 4100
        assert 0 < len(stalled.events) < sent
        assert stalled.events == [str(number) for number in range(len(stalled.events))]
        for listener in others:
            expected = map(str, range(sent)) if listener.channel == "c0" else ()
            assert listener.events == [*expected, "last"]
            assert not listener.gone
        assert channels.connections == len(others)
