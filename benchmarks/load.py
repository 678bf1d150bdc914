"""A worker that loads a server and does little itself: ready-made requests, bare sockets.

    python -m benchmarks.load ABOUT

Each line of input is an order, {"do": METHOD OF Load, ...its arguments}; each answer is JSON.
What it needs of HTTP and WebSocket is so little that a library would be most of the load.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.measure import percentile

ARRIVAL_SECONDS = 60.0  # until what has not arrived counts as lost
EVENT_MARK = b"bench-event"  # the name of the events that are counted
TEXT, PING, PONG = 0x1, 0x9, 0xA  # opcodes (RFC 6455, 5.2)
MASK = bytes(4)  # a client must mask its frames (RFC 6455, 5.3); zeros leave them readable


class Refused(Exception):
    """An answer that should have been a success."""


class Http(asyncio.Protocol):
    """One connection, one request at a time; opened anew where the server closes it."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; return the answer's status and body."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            self._buffer = b""
            self._transport, _ = await loop.create_connection(
                lambda: self, self._about["host"], self._about["port"]
            )
        self._answer = loop.create_future()
        self._transport.write(request)
        return await self._answer

    async def publish(self, request: bytes) -> None:
        """Send a request that must be accepted."""
        status, body = await self.send(request)
        if status != 200 or b'"error"' in body:  # soketi refuses with 200
            raise Refused(f"{status} {body[:500]!r}")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        if len(body) < length:
            return
        self._buffer = b""
        if b"connection: close" in lines:
            self.close()
        if self._answer is not None:
            self._answer.set_result((int(head.split(b" ", 2)[1]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("no answer"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Subscriber(asyncio.Protocol):
    """One subscriber's WebSocket."""

    def __init__(self, about: dict[str, Any], channels: list[str], arrivals: Arrivals) -> None:
        self._about, self._channels, self._arrivals = about, channels, arrivals
        self._buffer = b""
        self._waiting_for = len(channels)
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        upgrade = (
            f"GET /app/{self._about['key']}?protocol=7&client=benchmark HTTP/1.1\r\n"
            f"Host: {self._about['host']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        transport.write(upgrade.encode())
        self._upgraded = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            _, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._upgraded, self._buffer = True, rest
        if arrived := sum(self._take(*frame) for frame in self._frames()):
            self._arrivals.note(arrived)

    def _take(self, opcode: int, payload: bytes) -> bool:
        """Act on a frame; say whether it is an event that counts."""
        if EVENT_MARK in payload:
            return True
        if opcode == PING:
            self._send(PONG, payload)
        elif b"connection_established" in payload:
            for channel in self._channels:
                subscribe = {"event": "pusher:subscribe", "data": {"channel": channel}}
                self._send(TEXT, json.dumps(subscribe).encode())
        elif b"subscription_succeeded" in payload:
            self._waiting_for -= 1
            if self._waiting_for == 0:
                self.subscribed.set_result(None)
        return False

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The complete frames in the buffer."""
        data, at = self._buffer, 0
        while len(data) - at >= 2:
            length, start = data[at + 1], at + 2
            if length >= 126:
                size = 2 if length == 126 else 8
                length, start = int.from_bytes(data[start : start + size]), start + size
            if len(data) < start + length:
                break
            yield data[at] & 0xF, data[start : start + length]
            at = start + length
        self._buffer = data[at:]

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        self.transport.write(bytes([0x80 | opcode]) + length + MASK + payload)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(error or ConnectionResetError("closed while subscribing"))


class Arrivals:
    """Counts what arrives, and says when all of it has."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.expect(0)

    def expect(self, count: int) -> None:
        """Begin to wait for a number of deliveries."""
        self._left = count
        self._began = time.perf_counter()
        self.complete = asyncio.Event()
        if count == 0:
            self.complete.set()

    def note(self, count: int) -> None:
        self._left -= count
        self.latencies += [time.perf_counter() - self._began] * count
        if self._left == 0:
            self.complete.set()

    async def all(self) -> None:
        """Wait until everything has arrived."""
        await asyncio.wait_for(self.complete.wait(), ARRIVAL_SECONDS)


class Load:
    """What the worker can be told to do."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        self._arrivals = Arrivals()
        self._subscribers: list[Subscriber] = []
        self._http: list[Http] = []

    async def subscribe(self, channels: list[str], count: int) -> int:
        """Open `count` subscribers, each to all the channels; return how many there are."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, subscriber = await loop.create_connection(
                lambda: Subscriber(self._about, channels, self._arrivals),
                self._about["host"],
                self._about["port"],
            )
            await asyncio.wait_for(subscriber.subscribed, ARRIVAL_SECONDS)
            self._subscribers.append(subscriber)
        return len(self._subscribers)

    async def leave(self) -> int:
        """Close every subscriber."""
        for subscriber in self._subscribers:
            subscriber.transport.close()
        self._subscribers.clear()
        await asyncio.sleep(0)
        return 0

    async def publish(
        self, request: str, count: int, connections: int, deliveries: int
    ) -> dict[str, float]:
        """Send a request `count` times, over some connections, and await what it delivers.

        `deliveries` are those of one request. Returns the seconds until the last answer and the
        last delivery, and the share of them in which this worker was busy.
        """
        left, sent = iter(range(count)), request.encode("latin-1")

        async def one_after_another(http: Http) -> None:
            for _ in left:
                await http.publish(sent)

        self._arrivals.expect(count * deliveries)
        began, busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*map(one_after_another, self._connections(connections)))
        await self._arrivals.all()
        took = time.perf_counter() - began
        return {"seconds": took, "busy": (time.process_time() - busy) / took}

    async def latency(self, request: str, count: int, deliveries: int) -> dict[str, float]:
        """Send one request at a time; return p50 and p99 from sending to each delivery."""
        (http,) = self._connections(1)
        sent, latencies = request.encode("latin-1"), self._arrivals.latencies
        latencies.clear()
        for _ in range(count):
            self._arrivals.expect(deliveries)
            await http.publish(sent)
            await self._arrivals.all()
        return {"p50": percentile(latencies, 50), "p99": percentile(latencies, 99)}

    async def beside(
        self, request: str, count: int, interval: float, refused: str | None, pause: float
    ) -> dict[str, float]:
        """Send accepted requests at fixed times, every `interval` seconds; return p50 and p99.

        Beside them goes a refused request every `pause` seconds, over a connection of its own.
        A request's time counts from when it was due, so one that is held up cannot hide the
        wait of those behind it.
        """
        http, neighbour = self._connections(2)
        sent, latencies = request.encode("latin-1"), []
        stopped = asyncio.Event()

        async def refusals() -> int:
            answered = 0
            while refused is not None and not stopped.is_set():
                status, body = await neighbour.send(refused.encode("latin-1"))
                if status != 401:
                    raise Refused(f"expected 401, got {status} {body[:500]!r}")
                answered += 1
                await asyncio.sleep(pause)
            return answered

        task = asyncio.create_task(refusals())
        began = time.perf_counter()
        for number in range(count):
            due = began + number * interval
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await http.publish(sent)
            latencies.append(time.perf_counter() - due)
        stopped.set()
        answered = await task
        p50, p99 = (percentile(latencies, percent) for percent in (50, 99))
        return {"p50": p50, "p99": p99, "refused": answered}

    def _connections(self, count: int) -> list[Http]:
        while len(self._http) < count:
            self._http.append(Http(self._about))
        return self._http[:count]


def take_orders(make: Callable[[dict[str, Any]], object], about: str) -> None:
    """Be a worker: make it inside its loop, then do each order and print its answer."""
    with asyncio.Runner() as runner:

        async def begin() -> object:
            return make(json.loads(about))

        worker = runner.run(begin())
        for line in sys.stdin:
            order = json.loads(line)
            answer = runner.run(getattr(worker, order.pop("do"))(**order))
            print(json.dumps(answer), flush=True)
    os._exit(0)  # a thousand open sockets need no farewell


if __name__ == "__main__":
    take_orders(Load, *sys.argv[1:])
