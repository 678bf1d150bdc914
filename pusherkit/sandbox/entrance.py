"""Where connections come in, and come in again after the process ran out of descriptors."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

from tornado.iostream import IOStream

AT_ONCE = 128  # connections accepted before others have their turn
PAUSE_SECONDS = 0.25  # between two tries while none can be accepted
SAY_AGAIN_SECONDS = 60.0  # between two lines in the log about that

_log = logging.getLogger("pusherkit.sandbox")


class Entrance:
    """Accepts from a listening socket that does not block, on the running loop.

    `enter` gets each connection and its address.
    """

    # Tornado's own would log a traceback for each try, many thousand in a second.

    def __init__(
        self, listener: socket.socket, enter: Callable[[IOStream, tuple[Any, ...]], None]
    ) -> None:
        self._listener, self._enter = listener, enter
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._said_at: float | None = None
        self._open()

    def _open(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return  # they are all in
            except ConnectionAbortedError:
                continue  # gone while it waited
            except OSError as error:
                self._pause(error)
                return
            self._enter(IOStream(connection), address)

    def _pause(self, error: OSError) -> None:
        """Let those who want to come in wait; try again in a moment."""
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(PAUSE_SECONDS, self._open)
        now = self._loop.time()
        if self._said_at is None or now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            _log.warning(
                "New connections have to wait: %s. It goes on as soon as others end.",
                os.strerror(error.errno or 0),
            )

    def close(self) -> None:
        """Accept nothing more, and free the port."""
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
