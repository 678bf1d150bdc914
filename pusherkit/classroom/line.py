"""How a class is doing, in one line for the trainer's terminal."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from pusherkit._terminal import printable

NAMES_SHOWN = 3  # in the line; the trainer's view has everybody
LINE_SECONDS = 60.0  # between two lines where there's no terminal
MAX_VIEW = 20_000_000  # bytes of one message; 50 learners who ask for help three times take 15 MB


class Numbers:
    """How the class is doing, from what the trainer's view hears."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._present = 0
        self._learners: dict[str, dict[str, Any]] = {}
        self._problem = ""

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take in a message of the trainer's view."""
        if message.get("kind") == "summary":
            self._present = message["present"]
            self._problem = message.get("problem", "")
        elif message.get("kind") == "learners":
            for each in message["learners"]:
                self._learners.setdefault(each["name"], {}).update(each)

    def line(self) -> str:
        """Who is here, what's passed, who is stuck and who is asking for help."""
        everybody = self._learners.values()
        passed = sum(
            cell[0] == "passed" for each in everybody for cell in each.get("cells", {}).values()
        )
        stuck = [each["name"] for each in everybody if each.get("stuck")]
        asking = [each["name"] for each in everybody if each.get("help")]
        parts = [
            f"{self._present} of {self._expected} here",
            f"{passed:,} {'exercise' if passed == 1 else 'exercises'} passed",
            f"{len(stuck)} stuck{_some(stuck)}",
            f"{len(asking)} asking for help{_some(asking)}",
            *([self._problem] if self._problem else []),
        ]
        return printable(" · ".join(parts))


def _some(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = len(names) - NAMES_SHOWN
    return f" ({', '.join(sorted(names)[:NAMES_SHOWN])}{f' and {more} more' if more > 0 else ''})"


class Line:
    """One line that's written over in a terminal; elsewhere, a new one now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._shown = ""
        self._at = -LINE_SECONDS

    def show(self, text: str, now: float) -> None:
        """Show a text, if it's news. `now` is any clock's seconds."""
        if text == self._shown or not (self._terminal or now - self._at >= LINE_SECONDS):
            return
        self._shown, self._at = text, now
        with contextlib.suppress(OSError, ValueError):
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                self._out.write(f"\r\x1b[K{text[:width]}")
                self._out.flush()
            else:
                print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Leave what's shown, and begin a new line."""
        if self._terminal and self._shown:
            with contextlib.suppress(OSError, ValueError):
                print(file=self._out, flush=True)


class Watch:
    """Listens to the trainer's view on a thread, as a service of the hub; `line` is the latest."""

    def __init__(self, url: str, token: str, expected: int) -> None:
        self._url = url
        self._token = token
        self._expected = expected
        self.line = "Nobody is here yet."
        self._thread = threading.Thread(target=self._work, name="pusherkit-line", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        headers = {"Authorization": f"token {self._token}"}
        while True:
            try:
                with connect(
                    self._url, additional_headers=headers, max_size=MAX_VIEW, proxy=None
                ) as view:
                    numbers = Numbers(self._expected)
                    for message in view:
                        numbers.hear(json.loads(message))
                        self.line = numbers.line()
            except (OSError, WebSocketException):
                self.line = "The wall isn't answering; hub/log may say why."
            time.sleep(1)  # a restart of the wall takes about as long
