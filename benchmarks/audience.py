"""A worker that is a whole class: it publishes as many learners, and has the wall open as often.

    python -m benchmarks.audience ABOUT

Each line of input is an order, {"do": METHOD OF Audience, ...its arguments}; each answer is JSON.
A page here is its WebSocket, through the hub's proxy and past its door; nothing draws it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.load import ARRIVAL_SECONDS, MASK, PING, PONG, TEXT, Http, take_orders
from benchmarks.measure import percentile
from pusherkit import Credentials, sign

EVENTS = re.compile(rb'"events": (\d+), "lines"')  # of the wall's view
CHANNELS = 20  # order-41, order-42 and so on


class Page(asyncio.Protocol):
    """A page's WebSocket. `hear` gets each text frame."""

    def __init__(self, url: str, cookies: str, hear: Callable[[bytes], None]) -> None:
        self._url, self._cookies, self._hear = urlsplit(url), cookies, hear
        self._buffer = bytearray()
        self._upgraded = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bytes = 0

    @classmethod
    async def visit(cls, url: str, cookies: str, hear: Callable[[bytes], None]) -> Page:
        """Open one."""
        host, _, port = urlsplit(url).netloc.rpartition(":")
        _, page = await asyncio.get_running_loop().create_connection(
            lambda: cls(url, cookies, hear), host, int(port)
        )
        await asyncio.wait_for(page.open, ARRIVAL_SECONDS)
        return page

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        url = self._url
        upgrade = (
            f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nCookie: {self._cookies}\r\nOrigin: http://{url.netloc}\r\n"
            "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        transport.write(upgrade.encode())

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        self._buffer += data
        if not self._upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.open.set_exception(ConnectionRefusedError(bytes(head[:200]).decode()))
                return
            self._upgraded, self._buffer = True, rest
            self.open.set_result(None)
        for opcode, payload in self._frames():
            if opcode == TEXT:
                self._hear(payload)
            elif opcode == PING:
                pong = bytes([0x80 | PONG, 0x80 | len(payload)]) + MASK + payload
                self.transport.write(pong)

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
            yield data[at] & 0xF, bytes(data[start : start + length])
            at = start + length
        del data[:at]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(error or ConnectionResetError("closed while opening"))


class Views:
    """The wall's views that one page has got: when, and how many events were on it."""

    def __init__(self) -> None:
        self.got: list[tuple[float, int]] = []

    def hear(self, text: bytes) -> None:
        now = time.perf_counter()
        if found := EVENTS.search(text):
            self.got.append((now, int(found[1])))

    @property
    def events(self) -> int:
        return self.got[-1][1] if self.got else 0

    def delays(self, before: int, sent: Sequence[float]) -> Iterator[float]:
        """Until each event was in a view. `sent` is when, in the order in which they were taken."""
        views = iter(self.got)
        at, events = next(views, (0.0, 0))
        for number, began in enumerate(sent, before + 1):
            while events < number:
                at, events = next(views)
            yield at - began


class Audience:
    """What the worker can be told to do."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        self._learners: list[Credentials] = []
        self._http: list[Http] = []
        self._pages: list[tuple[Page, Views]] = []
        self._serial = itertools.count(1)

    async def learners(self, credentials: list[dict[str, str]], connections: int) -> int:
        """Who publishes, and over how many connections."""
        self._learners = [Credentials(**each) for each in credentials]
        self._http = [Http(self._about) for _ in range(connections)]
        return len(self._learners)

    async def visit(self, url: str, cookies: list[str], each: int) -> int:
        """Open the wall's page, `each` times for every visitor; how many pages are open now."""
        for cookie in cookies:
            for _ in range(each):
                views = Views()
                page = await Page.visit(url, cookie, views.hear)
                self._pages.append((page, views))
        await self._until(lambda: all(views.got for _, views in self._pages))
        return len(self._pages)

    async def leave(self) -> int:
        """Close every page."""
        for page, _ in self._pages:
            page.transport.close()
        self._pages.clear()
        await asyncio.sleep(0)
        return 0

    async def publish(self, count: int, per_second: float) -> dict[str, float]:
        """Publish events, the learners in turn, and wait until every page has them.

        They go at fixed times, `per_second` of them each second; with 0, each connection sends the
        next as soon as the one before was answered. Returns the seconds until the last answer and
        the last view; p50 and p99, from sending to the answer and to the view of each page; and
        what the pages got meanwhile.
        """
        requests = [self._event(number) for number in range(count)]
        events = max((views.events for _, views in self._pages), default=0)
        for _, views in self._pages:
            views.got.clear()
        got = sum(page.bytes for page, _ in self._pages)
        taken: list[tuple[float, float]] = []  # when an event was answered, and when it was sent
        began, busy = time.perf_counter(), time.process_time()

        async def send(http: Http, request: bytes, due: float | None) -> None:
            # Counted from when it was due: one that's held up can't hide the wait of the others.
            sent = time.perf_counter() if due is None else due
            await http.publish(request)
            taken.append((time.perf_counter(), sent))

        if per_second:
            await self._at_fixed_times(requests, send, began, 1 / per_second)
        else:
            await self._one_after_another(requests, send)
        answered = time.perf_counter() - began
        await self._until(lambda: all(v.events >= events + count for _, v in self._pages))
        shown = time.perf_counter() - began
        sent = [at for _, at in sorted(taken)]
        delays = [d for _, views in self._pages for d in views.delays(events, sent)]
        answers = [done - at for done, at in taken]
        return {
            "answered": answered,
            "shown": shown,
            "busy": (time.process_time() - busy) / shown,
            "answer_p50": percentile(answers, 50),
            "answer_p99": percentile(answers, 99),
            "page_p50": percentile(delays, 50) if delays else 0.0,
            "page_p99": percentile(delays, 99) if delays else 0.0,
            "views": sum(len(views.got) for _, views in self._pages),
            "bytes": sum(page.bytes for page, _ in self._pages) - got,
        }

    async def records(self, record: dict[str, Any]) -> int:
        """Have every learner's lessons tell the wall of a record, as after a restart of it."""
        body = _json({"kind": "progress", "lesson": "00-start-here", "record": record})
        requests = [self._signed(each, "class", body) for each in self._learners]
        await self._one_after_another(requests, lambda http, request, _: http.publish(request))
        return len(body)

    async def trainer(
        self, url: str, cookies: str, record: dict[str, Any], exercise: str, count: int, rate: float
    ) -> dict[str, float]:
        """Open the trainer's view, then have learners try an exercise, `rate` of them a second.

        Returns the seconds until everybody was in it, the bytes of that, and p50 and p99 from
        sending what a learner has done to the view's message with it.
        """
        known: set[str] = set()
        told: dict[int, float] = {}  # attempts, which are serial numbers here → when it was told

        def hear(text: bytes) -> None:
            now = time.perf_counter()
            message = json.loads(text)
            for learner in message.get("learners", ()):
                known.add(learner["name"])
                if exercise in learner["cells"]:
                    told.setdefault(learner["cells"][exercise][1], now)

        began = time.perf_counter()
        page = await Page.visit(url, cookies, hear)
        await self._until(lambda: len(known) >= len(self._learners))
        complete, size = time.perf_counter() - began, page.bytes
        requests, serials = [], []
        for learner in itertools.islice(itertools.cycle(self._learners), count):
            serials.append(serial := 1_000 + next(self._serial))
            tried = {**record, "attempts": {**record["attempts"], exercise: serial}}
            body = _json({"kind": "progress", "lesson": "00-start-here", "record": tried})
            requests.append(self._signed(learner, "class", body))
        sent: dict[int, float] = {}
        order = iter(serials)

        async def send(http: Http, request: bytes, due: float) -> None:
            sent[next(order)] = due
            await http.publish(request)

        before = page.bytes
        began, busy = time.perf_counter(), time.process_time()
        await self._at_fixed_times(requests, send, began, 1 / rate)
        await self._until(lambda: told.keys() >= sent.keys())
        took = time.perf_counter() - began
        page.transport.close()
        delays = [told[serial] - at for serial, at in sent.items()]
        return {
            "complete": complete,
            "bytes": size,
            "seconds": took,
            "busy": (time.process_time() - busy) / took,
            "p50": percentile(delays, 50),
            "p99": percentile(delays, 99),
            "told": page.bytes - before,
        }

    # --- sending ---------------------------------------------------------------------------------

    async def _at_fixed_times(
        self,
        requests: Sequence[bytes],
        send: Callable[[Http, bytes, float], Awaitable[None]],
        began: float,
        interval: float,
    ) -> None:
        idle: asyncio.Queue[Http] = asyncio.Queue()
        for http in self._http:
            idle.put_nowait(http)

        async def one(request: bytes, due: float) -> None:
            http = await idle.get()
            try:
                await send(http, request, due)
            finally:
                idle.put_nowait(http)

        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                due = began + number * interval
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(request, due))

    async def _one_after_another(
        self,
        requests: Iterable[bytes],
        send: Callable[[Http, bytes, None], Awaitable[None]],
    ) -> None:
        left = iter(requests)

        async def work(http: Http) -> None:
            for request in left:
                await send(http, request, None)

        await asyncio.gather(*map(work, self._http))

    def _event(self, number: int) -> bytes:
        """A learner's event; the learners take turns."""
        learner = self._learners[number % len(self._learners)]
        data = _json({"status": "out for delivery", "stop": next(self._serial)}).decode()
        channel = f"order-{41 + number % CHANNELS}"
        return self._signed(
            learner, "events", _json({"name": "status", "channel": channel, "data": data})
        )

    def _signed(self, learner: Credentials, what: str, body: bytes) -> bytes:
        path = f"/apps/{learner.app_id}/{what}"
        signed = sign(learner, "POST", path, body=body, timestamp=int(time.time()))
        host = urlsplit(learner.base_url).netloc
        head = (
            f"POST {path}?{urlencode(signed.query)} HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)  # between two looks; views carry their own times


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


if __name__ == "__main__":
    take_orders(Audience, *sys.argv[1:])
