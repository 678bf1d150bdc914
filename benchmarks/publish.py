"""A worker that publishes the same event again and again, by one of the clients below.

    python -m benchmarks.publish CLIENT ABOUT

Each line of input is an order, {"requests": n, "in_flight": k}; each answer is {"seconds": s,
"cpu": t}, where t are the seconds in which this process was busy.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

CHANNEL, NAME, DATA = "chat", "message", '{"text":"hello"}'
Publish = Callable[[int, int], None]
"""Sends so many requests, of which so many are in flight at once."""


def client(about: dict[str, Any]) -> Publish:
    """pusherkit's Client."""
    from pusherkit import Client

    kit = Client(_credentials(about))
    return _one_by_one(lambda: kit.trigger(CHANNEL, NAME, DATA))


def pypi(about: dict[str, Any]) -> Publish:
    """PyPI's pusher."""
    import pusher

    sdk = pusher.Pusher(**about, ssl=False)
    return _one_by_one(lambda: sdk.trigger(CHANNEL, NAME, DATA))


def _one_by_one(send: Callable[[], object]) -> Publish:
    def publish(requests: int, in_flight: int) -> None:
        for _ in range(requests):
            send()

    return publish


def httpx_alone(about: dict[str, Any]) -> Publish:
    """httpx.Client, which sends a request that was signed beforehand."""
    import httpx

    http, request = httpx.Client(), _signed(about)
    return _one_by_one(lambda: http.post(**request).raise_for_status())


def asynchronous(about: dict[str, Any]) -> Publish:
    """pusherkit's AsyncClient."""
    from pusherkit import AsyncClient

    kit = AsyncClient(_credentials(about))
    return _together(lambda: kit.trigger(CHANNEL, NAME, DATA))


def asynchronous_httpx_alone(about: dict[str, Any]) -> Publish:
    """httpx.AsyncClient, which sends a request that was signed beforehand."""
    import httpx

    http, request = httpx.AsyncClient(), _signed(about)

    async def send() -> None:
        (await http.post(**request)).raise_for_status()

    return _together(send)


def _together(send: Callable[[], Awaitable[object]]) -> Publish:
    runner = asyncio.Runner()  # one loop for all orders, as the connections belong to it

    async def publish(requests: int, in_flight: int) -> None:
        left = iter(range(requests))

        async def one_after_another() -> None:
            for _ in left:
                await send()

        await asyncio.gather(*(one_after_another() for _ in range(in_flight)))

    return lambda requests, in_flight: runner.run(publish(requests, in_flight))


def _signed(about: dict[str, Any]) -> dict[str, Any]:
    """A request, ready to send: its signature holds for ten minutes, so for every turn."""
    from pusherkit import Event, sign
    from pusherkit.events import event_body

    credentials, body = _credentials(about), event_body(Event.of(CHANNEL, NAME, DATA))
    path = f"/apps/{credentials.app_id}/events"
    signature = sign(credentials, "POST", path, body=body, timestamp=int(time.time()))
    return {
        "url": f"{credentials.base_url}{path}?{urlencode(signature.query)}",
        "content": body,
        "headers": {"Content-Type": "application/json"},
    }


def _credentials(about: dict[str, Any]) -> Any:
    from pusherkit import Credentials

    about = dict(about)
    host, port = about.pop("host"), about.pop("port")
    return Credentials(**about, base_url=f"http://{host}:{port}")


def main(name: str, about: str) -> None:
    makers = (client, pypi, httpx_alone, asynchronous, asynchronous_httpx_alone)
    publish = {make.__name__: make for make in makers}[name](json.loads(about))
    for line in sys.stdin:
        order = json.loads(line)
        began, used = time.perf_counter(), time.process_time()
        publish(order["requests"], order["in_flight"])
        cpu, seconds = time.process_time() - used, time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
