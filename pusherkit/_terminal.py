"""Printing that nobody has to wait for: lines wait in a bounded queue, and a thread writes them.

A terminal can be slow, an unread pipe can be full, and `| head` goes away. None of that may hold up
what prints.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TextIO

MAX_WAITING_CHARACTERS = 1_000_000  # of lines that nobody has read yet; more are left out
FULL_SECONDS = 0.05  # until the next try, where a stream is full and does not wait itself


class Terminal:
    """Writes lines to a stream such as sys.stdout, or to none: None is one that was closed.

    Once nobody reads there any more, it says so on standard error, and prints nothing more.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._waiting = 0  # characters
        self._left_out = 0  # texts
        self._lost = self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="pusherkit-terminal", daemon=True)
        self._thread.start()

    def print(self, text: str) -> None:
        """Print a text, of one line or more, when its turn comes. Returns at once."""
        with self._changed:
            if self._lost:
                return
            if self._waiting + len(text) > MAX_WAITING_CHARACTERS:
                self._left_out += 1
                return
            self._waiting += len(text)
            self._lines.append(text)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Wait until everything is printed, but no longer than this."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while (text := self._next()) is not None:
            try:
                _write(self._stream, text + "\n")
            except (OSError, ValueError) as error:
                with self._changed:
                    self._lost = True
                    self._lines.clear()
                reason = getattr(error, "strerror", None) or error
                with suppress(OSError, ValueError):  # nobody may read that, either
                    _write(sys.stderr, f"# Nobody reads what is printed here: {reason}.\n")
                return

    def _next(self) -> str | None:
        """The next text; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._left_out or self._closing)
            if self._lines:
                text = self._lines.popleft()
                self._waiting -= len(text)
                return text
            if self._left_out:
                text = f"# {self._left_out:,} entries are missing here: nobody read them in time."
                self._left_out = 0
                return text
            return None


def _write(stream: TextIO | None, text: str) -> None:
    """Write past the stream's buffer, whose lock a write that hangs would keep at the exit."""
    if stream is None:
        raise ValueError("it is closed")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(raw, io.RawIOBase):  # a stand-in, such as a test's
        stream.write(text)
        stream.flush()
        return
    data = text.replace("\n", os.linesep).encode(stream.encoding, errors="backslashreplace")
    while data:
        written = raw.write(data)
        if written is None:
            time.sleep(FULL_SECONDS)
        else:
            data = data[written:]


def printable(text: str) -> str:
    """Text that can neither break the terminal nor its encoding."""
    visible = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"  # it may be closed
    return visible.encode(encoding, errors="backslashreplace").decode(encoding)
