"""A TCP proxy that puts a server at a distance: python -m benchmarks.distance PORT MILLISECONDS

It passes bytes on unchanged, each way half of the milliseconds late, and prints its own port.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

HOST = "127.0.0.1"


class End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at the other end, later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self.transport: Any = None
        self.other: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._later(lambda end: end.transport.write(data))

    def connection_lost(self, error: Exception | None) -> None:
        self._later(lambda end: end.transport.close())

    def _later(self, act: Any) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + self._delay
        self.other.add_done_callback(lambda end: loop.call_at(at, act, end.result()))


async def serve(port: int, milliseconds: float) -> None:
    """Accept connections and connect each to the server, until the process is ended."""
    delay = milliseconds / 1000 / 2
    loop = asyncio.get_running_loop()
    connecting: set[asyncio.Task[None]] = set()

    async def connect(near: End) -> None:
        _, far = await loop.create_connection(lambda: End(delay), HOST, port)
        near.other.set_result(far)
        far.other.set_result(near)

    def accept() -> End:
        near = End(delay)
        task = loop.create_task(connect(near))
        connecting.add(task)
        task.add_done_callback(connecting.discard)
        return near

    server = await loop.create_server(accept, HOST, 0)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
