"""Run a learner's function, whatever it does: loop, recurse, print megabytes, ask for input.

The function runs in the calling thread, so that Interrupt reaches it, under a trace function that
looks at the clock at every step. That works where there are no threads and no signals, too.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any
from urllib.error import HTTPError

TIME_LIMIT_SECONDS = 3.0  # for one check: hundreds of times what any exercise needs
PRINTED_CHARACTERS = 2_000  # of what a function prints; the rest is dropped
SHOWN_CHARACTERS = 300  # of an error's message
MAX_ANSWER = 65_536  # bytes of a server's answer that are read for its error


class Stopped(Exception):
    """A learner's function did not finish. The message says why; `where` and `line` say at which
    line, and are empty where it wasn't a line of theirs. `calls` had come to their end before."""

    def __init__(self, message: str, where: str = "", line: str = "") -> None:
        super().__init__(message)
        self.where = where
        self.line = line
        self.calls = 0


class _TimeIsUp(BaseException):  # not an Exception, so that `except Exception` lets it through
    pass


class _AskedForInput(Exception):
    pass


@dataclass(slots=True)
class Printed(io.TextIOBase):
    """Takes what is printed, and keeps the beginning."""

    text: str = ""
    dropped: bool = False

    def write(self, text: str) -> int:
        room = PRINTED_CHARACTERS - len(self.text)
        self.text += text[:room]
        self.dropped = self.dropped or len(text) > room
        return len(text)


@contextlib.contextmanager
def guarded(function: Any, printed: Printed) -> Iterator[None]:
    """Whatever stops the code inside becomes a Stopped. What it prints goes into `printed`."""
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    own_file = _file_of(function)

    def tick(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if time.monotonic() > deadline and frame.f_code.co_filename not in _LEAVING:
            raise _TimeIsUp
        if event != "call":
            return tick
        if frame.f_code.co_filename != own_file:
            return None  # elsewhere, a look at each call will do
        frame.f_trace_opcodes = True  # `while True: pass` on one line has no line events
        return tick

    def no_input(*_: object) -> str:
        raise _AskedForInput

    asked, traced = builtins.input, sys.gettrace()
    builtins.input = no_input
    sys.settrace(tick)
    try:
        with contextlib.redirect_stdout(printed):
            yield
    except BaseException as error:
        sys.settrace(traced)
        raise Stopped(_sentence(error), *_where(error, own_file)) from None
    finally:
        sys.settrace(traced)
        builtins.input = asked


def _file_of(function: Any) -> str | None:
    """The file, or the cell, that a function's code is in; None for one that isn't Python's."""
    with contextlib.suppress(Exception):  # getting it may run a learner's __getattr__
        inside = (getattr(function, name, None) for name in ("__wrapped__", "__call__"))
        for each in (function, *inside):  # functools.cache() has a function inside, an object too
            if isinstance(code := getattr(each, "__code__", None), CodeType):
                return code.co_filename
    return None


# What runs as the guard is left. Stopped there, it would leave its trace function behind.
_LEAVING = {_file_of(_file_of), _file_of(contextlib.suppress.__exit__)}


def _sentence(error: BaseException) -> str:
    match error:
        case _TimeIsUp():
            return (
                f"Your code was still running after {TIME_LIMIT_SECONDS:g} seconds, so I stopped "
                "it. Is there a loop that never ends?"
            )
        case KeyboardInterrupt():
            return "You interrupted your code while it ran."
        case _AskedForInput():
            return (
                "Your code called input(), and nobody is there to type. "
                "What it needs is in its arguments."
            )
        case RecursionError():
            return "Your function keeps calling itself, without end."
        case HTTPError():
            said = ""
            with contextlib.suppress(OSError, ValueError):  # it may be closed
                said = error.read(MAX_ANSWER).decode(errors="replace")
            found = re.search(r'"error": "([^"\\]*)', said)
            answer = f" The server said: {found[1][:SHOWN_CHARACTERS]}" if found else ""
            return f"HTTPError: {error.code}, and your code didn't catch it.{answer}"
        case SystemExit():
            return "Your code called exit(). Use return instead."
    said = f"{type(error).__name__}: {error}"
    return said if len(said) <= SHOWN_CHARACTERS else f"{said[:SHOWN_CHARACTERS]}…"


def _where(error: BaseException, own_file: str | None) -> tuple[str, str]:
    """The line of the learner's code at which it stopped."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__, limit=-1_000)
        if frame.filename == own_file
    ]
    if not frames:
        return "", ""
    return f"Line {frames[-1].lineno} of the cell", frames[-1].line or ""
