"""A WebSocket whose peer may be slow, but not without end."""

from __future__ import annotations

from functools import lru_cache

import tornado.websocket
from websockets.frames import Frame, Opcode

MAX_UNSENT_BYTES = 4 * 1024 * 1024  # waiting for one slow peer before it is closed
MAX_REASON_BYTES = 123  # of a close frame (RFC 6455, section 5.5)
TOO_SLOW = 4100  # protocol 7: over capacity, come back after a second
GOING_AWAY = 1001  # RFC 6455: the server goes down


class BoundedWebSocket(tornado.websocket.WebSocketHandler):
    """The server's side of a WebSocket. `open_sockets` holds those that are open.

    A subclass says in `leave()` what must end with the connection. It may be called twice.
    """

    def begin(self, open_sockets: set[BoundedWebSocket]) -> None:
        """Set up; for a subclass to call in its initialize()."""
        self._open_sockets = open_sockets
        self._unsent_bytes = 0

    def leave(self) -> None:
        """End what depends on this connection: it is going, or gone."""

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)
        self._open_sockets.add(self)

    def on_close(self) -> None:
        self._open_sockets.discard(self)
        self.leave()

    def send(self, text: str) -> None:
        """Send a text frame; hang up on a peer for whom too much is waiting already."""
        connection = self.ws_connection
        if connection is None or connection.stream is None or connection.is_closing():
            return  # it is going, or gone
        frame = _text_frame(text)
        if self._unsent_bytes + len(frame) > MAX_UNSENT_BYTES:
            self.hang_up(TOO_SLOW, "This side reads too slowly")
            return
        # Not write_message(): it makes a task for each frame, and while there are thousands of
        # them Python's collector, which looks at them all, takes more time than the sending.
        sent = connection.stream.write(frame)
        if not sent.done():
            self._unsent_bytes += len(frame)
            sent.add_done_callback(lambda _: self._sent(len(frame)))

    def _sent(self, size: int) -> None:
        self._unsent_bytes -= size

    def hang_up(self, code: int, reason: str) -> None:
        """Say goodbye and send nothing more."""
        self.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        self.leave()

    def cut(self) -> None:
        """Say goodbye as the server stops, which closes the socket itself."""
        self.hang_up(GOING_AWAY, "The practice server stopped")


@lru_cache(maxsize=1)  # an event is the same text for every subscriber of a channel
def _text_frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
