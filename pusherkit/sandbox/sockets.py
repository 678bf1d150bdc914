"""A WebSocket whose peer may be slow, but not without end."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import lru_cache

import tornado.websocket
from tornado.iostream import IOStream
from websockets.frames import Frame, Opcode

MAX_UNSENT_BYTES = 4 * 1024 * 1024  # waiting for one slow peer before it is closed
FRAME_BYTES = 64  # that a waiting frame takes up besides its own
WRITE_BYTES = 64 * 1024  # of small frames that go to the socket in one piece
MAX_REASON_BYTES = 123  # of a close frame (RFC 6455, section 5.5)
TOO_SLOW = 4100  # protocol 7: over capacity, come back after a second
GOING_AWAY = 1001  # RFC 6455: the server goes down

_PING = Frame(Opcode.PING, b"").serialize(mask=False)


class BoundedWebSocket(tornado.websocket.WebSocketHandler):
    """The server's side of a WebSocket. `open_sockets` holds those that are open.

    A subclass says in `leave()` what must end with the connection. It may be called twice.
    """

    def begin(self, open_sockets: set[BoundedWebSocket]) -> None:
        """Set up; for a subclass to call in its initialize()."""
        self._open_sockets = open_sockets
        self._unsent: deque[bytes] = deque()  # frames, while an earlier write is under way
        self._unsent_bytes = 0  # of the write under way, too
        self._writing = False
        self._drained: asyncio.Future[None] | None = None

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        # Tornado would raise a 400 here. Once the WebSocket is open, nobody would hear of that.
        return value.decode(errors="replace")

    def leave(self) -> None:
        """End what depends on this connection: it is going, or gone."""

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)
        self._open_sockets.add(self)

    def on_message(self, message: str | bytes) -> asyncio.Future[None] | None:
        """Hear a message. Where nobody is listened to (the live page, a wrong path), nothing."""
        return None

    def on_close(self) -> None:
        self._open_sockets.discard(self)
        self.leave()

    def send(self, text: str) -> None:
        """Send a text frame; hang up on a peer for whom too much is waiting already."""
        self._send(_text_frame(text))

    def ping_peer(self) -> None:
        """Ping (RFC 6455, section 5.5.2), within the same bounds."""
        self._send(_PING)

    def _send(self, frame: bytes) -> None:
        connection = self.ws_connection
        if connection is None or connection.stream is None or connection.is_closing():
            return  # it is going, or gone
        if not self._writing:
            self._write(connection.stream, frame, len(frame) + FRAME_BYTES)
        elif self._unsent_bytes + len(frame) + FRAME_BYTES > MAX_UNSENT_BYTES:
            self.hang_up(TOO_SLOW, "This side reads too slowly")
        else:
            self._unsent.append(frame)
            self._unsent_bytes += len(frame) + FRAME_BYTES

    def drained(self) -> asyncio.Future[None] | None:
        """Done once all frames are sent; None if they are.

        For on_message() to return: Tornado then reads nothing more until this peer reads, too.
        """
        if not self._writing:
            return None
        if self._drained is None or self._drained.done():
            self._drained = asyncio.get_running_loop().create_future()
        return self._drained

    def _write(self, stream: IOStream, data: bytes, cost: int) -> None:
        """Write frames. `cost` is what they take up until they are sent."""
        # Not write_message(), which makes a task for each: an event for 1,000 subscribers then
        # takes 30 to 35 ms of CPU instead of 20 to 23, and its p99 is 100 ms instead of 24.
        sent = stream.write(data)
        if not sent.done():
            self._writing = True
            self._unsent_bytes += cost
            sent.add_done_callback(lambda sent: self._written(stream, sent, cost))

    def _written(self, stream: IOStream, sent: asyncio.Future[None], cost: int) -> None:
        """A write is over: begin the next, of as many frames as make a good piece."""
        self._writing = False
        self._unsent_bytes -= cost
        if sent.cancelled() or sent.exception() is not None:  # the peer is gone
            self._forget_unsent()
        while self._unsent and not self._writing:
            frames = [self._unsent.popleft()]
            size = len(frames[0])
            while self._unsent and size + len(self._unsent[0]) <= WRITE_BYTES:
                frames.append(self._unsent.popleft())
                size += len(frames[-1])
            cost = size + FRAME_BYTES * len(frames)
            self._unsent_bytes -= cost
            self._write(stream, frames[0] if len(frames) == 1 else b"".join(frames), cost)
        if self._drained is not None and not self._writing and not self._drained.done():
            self._drained.set_result(None)

    def _forget_unsent(self) -> None:
        self._unsent_bytes -= sum(len(frame) + FRAME_BYTES for frame in self._unsent)
        self._unsent.clear()

    def hang_up(self, code: int, reason: str) -> None:
        """Say goodbye and send nothing more, not even what is still waiting."""
        self._forget_unsent()
        self.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        self.leave()

    def cut(self) -> None:
        """Say goodbye as the server stops, which closes the socket itself."""
        self.hang_up(GOING_AWAY, "The practice server stopped")


@lru_cache(maxsize=1)  # an event is the same text for every subscriber of a channel
def _text_frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
