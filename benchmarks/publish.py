"""A worker that publishes the same event again and again, by one of three clients.

    python -m benchmarks.publish CLIENT ABOUT

Each line of input is an order, {"requests": n, "in_flight": k}; each answer is {"seconds": s,
"cpu": t}, where t are the seconds in which this process was busy.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

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


def asynchronous(about: dict[str, Any]) -> Publish:
    """pusherkit's AsyncClient."""
    from pusherkit import AsyncClient

    kit = AsyncClient(_credentials(about))
    runner = asyncio.Runner()  # one loop for all orders, as the connections belong to it

    async def send(requests: int, in_flight: int) -> None:
        left = iter(range(requests))

        async def one_after_another() -> None:
            for _ in left:
                await kit.trigger(CHANNEL, NAME, DATA)

        await asyncio.gather(*(one_after_another() for _ in range(in_flight)))

    return lambda requests, in_flight: runner.run(send(requests, in_flight))


def _credentials(about: dict[str, Any]) -> Any:
    from pusherkit import Credentials

    about = dict(about)
    host, port = about.pop("host"), about.pop("port")
    return Credentials(**about, base_url=f"http://{host}:{port}")


def main(name: str, about: str) -> None:
    makers = {"client": client, "asynchronous": asynchronous, "pypi": pypi}
    publish = makers[name](json.loads(about))
    for line in sys.stdin:
        order = json.loads(line)
        began, used = time.perf_counter(), time.process_time()
        publish(order["requests"], order["in_flight"])
        cpu, seconds = time.process_time() - used, time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
