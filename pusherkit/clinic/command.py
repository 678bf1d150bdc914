"""`pusherkit clinic`: the clinic's server, its goals in the terminal, its file and its page.

The one place that knows the clock, the disk and the terminal. The server's thread makes the states;
the main thread keeps and shows them, so no request waits for a disk or a terminal.
"""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO, cast

from pusherkit._terminal import Terminal, printable
from pusherkit.clinic import page, terminal
from pusherkit.clinic.api import Clinic
from pusherkit.clinic.capstone import (
    CLINIC_CREDENTIALS,
    GOALS,
    State,
    read_state,
    to_text,
)
from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError, UnreadableText
from pusherkit.sandbox import SandboxServer

STATE_FILE = Path(".pusherkit-clinic.json")  # in the current folder, beside the learner's program
PAGE_FILE = Path("pusherkit-clinic.html")
_OLD = ("old", *(f"old-{number}" for number in range(2, 100)))  # in the names of those set aside
MAX_STATE_BYTES = 1024 * 1024  # of the file; what the clinic writes has a few thousand
CALM_SECONDS = 0.1  # between two times that the list is drawn
LAST_WORDS_SECONDS = 0.5  # for the terminal, at the end
NOT_HTTP = (
    "Something came that isn't HTTP, and was turned away. The clinic is at http://, not https://."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `pusherkit clinic` was asked for."""

    port: int
    once: bool = False
    """End as soon as everything is shown."""
    as_json: bool = False
    output: Path | None = None
    """Where the page goes, finished or not; None for PAGE_FILE, once everything is shown."""
    fresh: bool = False


def run(options: Options) -> int:
    """Run the clinic until Ctrl+C; return 0 if everything is shown by then, and 1 if not."""
    if options.output and not os.path.isdir(options.output.parent):  # is_dir() may raise
        raise PusherError(f"--output: there is no folder {options.output.parent}. Make it first.")
    if options.output and os.path.realpath(options.output) == os.path.realpath(STATE_FILE):
        raise PusherError(f"--output: {STATE_FILE} holds what you've shown. Name another file.")
    state, said, unusable = _kept_state(options.fresh)
    server = SandboxServer(
        CLINIC_CREDENTIALS, port=options.port, build=partial(Clinic, state=state)
    )
    clinic = cast(Clinic, server.sandbox)
    changed, stopped = threading.Event(), threading.Event()
    clinic.changed = lambda state: changed.set()

    def stop(*_: object) -> None:
        stopped.set()
        changed.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    view = _Json(sys.stdout) if options.as_json else _view(sys.stdout)
    notices = _Notices(changed)
    keeper = _Keeper(options.output)
    with server, notices:
        clinic.url = server.url
        if unusable:  # now that the port is ours, and the clinic does begin
            said = f"{said} {_set_aside()}"
        view.begin(server.credentials, said)
        drawn: tuple[State, str] | None = None
        while not stopped.is_set():
            state = clinic.state
            if (state, notices.latest) != drawn:
                drawn = state, notices.latest
                notices.add(keeper.keep(state))
                view.show(state, notices.latest, keeper.page)
            if options.once and state.finished:
                break
            changed.wait(timeout=1)  # a timeout, so that Windows sees Ctrl+C
            changed.clear()
            stopped.wait(CALM_SECONDS)
    state = clinic.state  # with what came at the last moment
    problem = keeper.keep(state, at_the_end=True)
    view.end(state, keeper.page, problem)
    return 0 if state.finished else 1


# --- what is kept -------------------------------------------------------------------------------


def _kept_state(fresh: bool) -> tuple[State, str, bool]:
    """The state to begin with, what to say of it, and whether there's a file that can't be used."""
    new = State(run=secrets.token_hex(8), began=math.floor(time.time()))
    if fresh or not STATE_FILE.exists():
        return new, "", False
    try:
        if not STATE_FILE.is_file():  # a pipe may never end
            raise UnreadableText("It isn't a file.")
        with STATE_FILE.open("rb") as opened:
            data = opened.read(MAX_STATE_BYTES + 1)
        if len(data) > MAX_STATE_BYTES:
            raise UnreadableText(f"It's over {MAX_STATE_BYTES:,} bytes, so it isn't the clinic's.")
        state = read_state(data.decode(errors="replace"))
    except OSError as error:
        return new, f"{STATE_FILE} can't be read ({error.strerror}).", True
    except UnreadableText as error:
        return new, f"{STATE_FILE}: {error}", True
    shown = len(GOALS) - len(state.open)
    said = f"Going on from last time: {shown} of {len(GOALS)} shown. --fresh starts over."
    return state, said, False


def _set_aside() -> str:
    """Keep a file that can't be used under a free name; return what to say of it."""
    asides = (STATE_FILE.with_suffix(f".{old}.json") for old in _OLD)
    aside = next((each for each in asides if not os.path.lexists(each)), None)
    if aside is not None:
        with suppress(OSError):
            STATE_FILE.replace(aside)
            return f"You're starting from zero; the old file is now {aside}."
    return "You're starting from zero."


class _Keeper:
    """Writes the state and the page, each whole or not at all, and only if it's new."""

    def __init__(self, output: Path | None) -> None:
        self._page_file = output or PAGE_FILE
        self._even_unfinished = output is not None
        self._texts: dict[Path, str] = {}

    def keep(self, state: State, *, at_the_end: bool = False) -> str:
        """Write what isn't written yet; return why it can't be, or ""."""
        problem = self._write(STATE_FILE, to_text(state))
        if state.finished or (at_the_end and self._even_unfinished):
            problem = self._write(self._page_file, page.as_html(state)) or problem
        return problem

    @property
    def page(self) -> str:
        """Where the page is; "" as long as there is none."""
        return str(self._page_file) if self._page_file in self._texts else ""

    def _write(self, file: Path, text: str) -> str:
        if self._texts.get(file) == text:
            return ""
        if file == STATE_FILE and self._is_anothers():
            return (
                f"{file} was written by something else, perhaps by another clinic in this folder. "
                "What's new here is kept only while this runs."
            )
        try:
            _write(file, text)
        except OSError as error:
            return (
                f"{file} can't be written ({error.strerror}), so this is kept only while it runs."
            )
        self._texts[file] = text
        return ""

    def _is_anothers(self) -> bool:
        """Whether the file is there, and isn't what was written last from here."""
        if STATE_FILE not in self._texts:
            return False
        try:
            with STATE_FILE.open(encoding="utf-8", errors="replace") as opened:
                return opened.read(MAX_STATE_BYTES) != self._texts[STATE_FILE]
        except OSError:
            return False


def _write(file: Path, text: str) -> None:
    folder = file.parent
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        if file.suffix == ".html":
            Path(temporary).chmod(0o644)  # to be shown to others; mkstemp makes it private
        Path(temporary).replace(file)
    except OSError:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


# --- what is said -------------------------------------------------------------------------------


class _Notices(logging.Handler):
    """What the server's own log has to say, as sentences for the list; the latest only."""

    LOGGERS = ("pusherkit.sandbox", "tornado.general")

    def __init__(self, changed: threading.Event) -> None:
        super().__init__(logging.INFO)
        self._changed = changed
        self._texts: deque[str] = deque(maxlen=1)

    @property
    def latest(self) -> str:
        return "".join(self._texts)

    def add(self, text: str) -> None:
        if text and text != self.latest:
            self._texts.append(text)
            self._changed.set()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("tornado"):
            if record.getMessage().startswith("Malformed HTTP"):
                self.add(NOT_HTTP)
        elif record.levelno >= logging.WARNING:
            self.add(record.getMessage())

    def __enter__(self) -> None:
        for name in self.LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            logger.propagate = False
            logger.setLevel(logging.INFO)

    def __exit__(self, *exception: object) -> None:
        for name in self.LOGGERS:
            logging.getLogger(name).removeHandler(self)


class _Lines:
    """The clinic as lines: what isn't a terminal gets nothing else."""

    counts = True
    """Whether the last line says how many goals are shown."""

    def __init__(self, stream: TextIO | None) -> None:
        self.terminal = Terminal(stream)
        self._before: State | None = None
        self._notice = self._page = ""

    def begin(self, credentials: Credentials, said: str) -> None:
        """Say where the clinic is."""
        exports = "\n".join(
            f"export {name}={shlex.quote(value)}" for name, value in credentials.to_env().items()
        )
        self.print(
            "# The clinic is open. Its settings, for the terminal where your program runs:\n"
            f"{exports}\n"
            f"# The tasks: {credentials.base_url}/clinic.html in a browser, /clinic for curl\n"
            "# Stop it with Ctrl+C. Next time it goes on from there."
            + (f"\n# {said}" if said else "")
        )

    def show(self, state: State, notice: str, page_file: str) -> None:
        """Say what is new."""
        for line in terminal.told(self._before, state):
            self.print(line)
        if notice != self._notice:
            self.print(f"also   {notice}")
        self._before, self._notice = state, notice
        self._say_page(page_file)

    def _say_page(self, page_file: str) -> None:
        if page_file != self._page:
            self.print(f"# The page to keep: {page_file}")
        self._page = page_file

    def end(self, state: State, page_file: str, problem: str) -> None:
        """Say how it ended."""
        shown = len(GOALS) - len(state.open)
        self._say_page(page_file)
        lines = [f"# {shown} of {len(GOALS)} shown."] if self.counts else []
        lines += [f"# {problem}"] if problem else []
        if lines:
            self.print("\n".join(lines))
        self.terminal.close(LAST_WORDS_SECONDS)

    def print(self, text: str) -> None:
        """Print a text without a character that could break a terminal."""
        self.terminal.print("\n".join(map(printable, text.split("\n"))))


def _printable_state(state: State) -> State:
    """A state whose sentences can't break a terminal, before colours come in."""
    marks = {id: replace(mark, said=printable(mark.said)) for id, mark in state.marks.items()}
    return replace(state, marks=marks, latest=printable(state.latest))


class _Screen(_Lines):
    """The clinic in a terminal: the list of goals stays in its place, and is drawn again."""

    counts = False  # the list does

    def __init__(self, stream: TextIO | None, paint: terminal.Paint) -> None:
        super().__init__(stream)
        self._paint = paint
        self._drawn: list[str] = []

    def begin(self, credentials: Credentials, said: str) -> None:
        super().begin(credentials, said)
        self.terminal.print("")

    def show(self, state: State, notice: str, page_file: str) -> None:
        columns, rows = shutil.get_terminal_size()
        height, notice, state = rows - 2, printable(notice), _printable_state(state)
        if page_file:
            height -= 1
        bare = terminal.listed(state, columns, height, notice=notice)
        lines = terminal.listed(state, columns, height, notice=notice, paint=self._paint)
        if page_file:
            said = f"  The page to keep: {printable(page_file)}"
            bare, lines = [*bare, said], [*lines, said]
        self._page = page_file
        # Lines that were wider than the terminal is now have been broken by it.
        up = sum(max(1, math.ceil(len(line) / columns)) for line in self._drawn)
        back = f"\x1b[{up}A\r\x1b[J" if up else ""
        self._drawn = bare
        self.terminal.print(back + "\n".join(lines))

    def end(self, state: State, page_file: str, problem: str) -> None:
        self.show(state, "", page_file)
        self.terminal.print("")
        super().end(state, page_file, problem)


class _Json(_Lines):
    """The clinic for another program: a JSON object a line."""

    def begin(self, credentials: Credentials, said: str) -> None:
        self._say(kind="open", settings=credentials.to_env(), said=said)

    def show(self, state: State, notice: str, page_file: str) -> None:
        for goal, mark in terminal.news(self._before, state):
            if goal is None:
                self._say(kind="also", said=mark.said)
            else:
                self._say(
                    kind="goal",
                    id=goal.id,
                    met=mark.met is not None,
                    said=mark.said,
                    mistakes=mark.mistakes,
                )
        if notice != self._notice:
            self._say(kind="also", said=notice)
        self._before, self._notice = state, notice

    def end(self, state: State, page_file: str, problem: str) -> None:
        self.show(state, problem, page_file)
        self._say(
            kind="end",
            shown=len(GOALS) - len(state.open),
            of=len(GOALS),
            open=[goal.id for goal in state.open],
            page=page_file or None,
        )
        self.terminal.close(LAST_WORDS_SECONDS)

    def _say(self, **fields: object) -> None:
        self.terminal.print(json.dumps(fields))


def _view(stream: TextIO | None) -> _Lines:
    """A list that is drawn again where that can be, and lines where not."""
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return _Lines(stream)
    colour = not os.environ.get("NO_COLOR")  # no-color.org: set, and not empty
    return _Screen(stream, terminal.painted if colour else terminal.plain)


def settings_for(stack: str, port: int) -> str:
    """What makes an app's official client talk to the clinic on this port, ready to paste."""
    from pusherkit.sandbox.sdk_settings import settings_for as for_stack

    if not port:
        raise PusherError("--settings-for needs the port that the clinic will have, not 0.")
    return for_stack(stack, replace(CLINIC_CREDENTIALS, base_url=f"http://127.0.0.1:{port}"))
