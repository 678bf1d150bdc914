"""What the tests share: the published example's credentials, a fixed clock, practice servers.

`--forbid-skips` makes a run fail when it left a test out, so that a green run tested everything.

Tests with the marker `slow` are left out unless you ask for them: `pytest -m ""` runs everything.
At its end, a run says which of the others cost most of its time.
"""

from __future__ import annotations

import asyncio
import collections
import compileall
import gc
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pusherkit
from pusherkit import Credentials, authorize_channel
from pusherkit.sandbox import Sandbox, SandboxServer, SandboxTransport

from . import fuzzing as fuzzing  # Hypothesis' profiles must be known before pytest begins

# Whoever runs them in a class is no learner there, and neither are the notebooks' kernels.
os.environ.pop("PUSHERKIT_CLASS", None)

NOW = 1_353_088_179  # seconds: the timestamp of the published worked example

# Ten thousand tests stay until the end of a run. Looking for garbage among them takes a quarter of
# the time that collecting them takes, so it waits until that's done, and then leaves them out.
gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)  # pytest-asyncio's; test_forbid_skips does without
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"selector": asyncio.SelectorEventLoop}  # on Windows, too: SandboxServer.serving()


# --- the option ---------------------------------------------------------------------------------

SKIPPED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips", action="store_true", help="fail the run if any test was skipped"
    )
    parser.addoption("--screenshots", metavar="FOLDER", help="keep the browser tests' pictures")
    parser.addoption(
        "--chaos-seconds",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="how long tests/chaos attacks a practice server (default: 5)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = []
    if not hasattr(config, "workerinput"):  # of pytest-xdist: the one that hands out tests
        config.pluginmanager.register(Costs(), "costs")
        # For the hundreds of processes that tests start. Containers often set
        # PYTHONDONTWRITEBYTECODE, and then each of them would compile the package again.
        compileall.compile_dir(Path(pusherkit.__file__).parent, quiet=2)
    if config.getoption("--forbid-skips"):
        config.pluginmanager.register(ForbidSkips(config.stash[SKIPPED]), "forbid-skips")


class ForbidSkips:
    """Remembers what was skipped, whether one test or a whole file, and fails the run for it."""

    def __init__(self, skipped: list[str]) -> None:
        self._skipped = skipped

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._skipped and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._skipped:
            terminalreporter.section("skipped, which --forbid-skips does not allow", red=True)
            for nodeid in self._skipped:
                terminalreporter.line(nodeid)


# --- what is left out, and what might be ---------------------------------------------------------

COSTLY_SECONDS = 8.0  # of a run of two or three minutes


@pytest.hookimpl(tryfirst=True)  # before -m picks by the marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "growth" in getattr(item, "fixturenames", ()):  # it reads texts of up to 10 MB
            item.add_marker(pytest.mark.slow)


class Costs:
    """Adds up what each test function and each notebook takes, and names the costly ones.

    It judges nothing: a time depends on the machine. But a test that shows up here again and again
    might be made faster, or be marked as slow.
    """

    def __init__(self) -> None:
        self._seconds: collections.Counter[str] = collections.Counter()
        self._times: collections.Counter[str] = collections.Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "slow" not in report.keywords:
            name = report.nodeid.partition("[")[0].partition("::Cell ")[0]
            self._seconds[name] += report.duration
            self._times[name] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        costly = [each for each in self._seconds.most_common(10) if each[1] >= COSTLY_SECONDS]
        if costly:
            terminalreporter.section("took long, and isn't marked as slow")
            for name, seconds in costly:
                times = f", {self._times[name]} times" if self._times[name] > 1 else ""
                terminalreporter.line(f"{seconds:.0f} s  {name}{times}")


# --- the fixtures -------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until a test moves it: call it, or set `now` (Unix seconds)."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def credentials() -> Credentials:
    """Those of the published worked example."""
    return Credentials(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """A running practice server; its clock is the machine's. A test may give it options."""
    with SandboxServer(**getattr(request, "param", {})) as running:
        yield running


@pytest.fixture
def sandbox() -> Sandbox:
    """The judge alone, with the practice credentials."""
    return Sandbox()


@pytest.fixture
def transport(sandbox: Sandbox, clock: Clock) -> SandboxTransport:
    """The way to `sandbox` from an httpx client."""
    return SandboxTransport(sandbox, clock=clock)


class Peer:
    """Somebody at the other end of a connection: what it was told, decoded."""

    def __init__(self, sandbox: Sandbox, clock: Clock) -> None:
        self.channels, self.clock = sandbox.channels, clock
        self.credentials = sandbox.credentials
        # A server needs no master key to let in those who have one.
        self.encrypting = replace(self.credentials, encryption_master_key_base64="A" * 43 + "=")
        self.texts: list[str] = []
        self.hung_up: list[tuple[int, str]] = []
        self.pings: list[float] = []  # those of the WebSocket, by the clock's time
        self.connection = self.channels.open(
            self.texts.append,
            lambda code, reason: self.hung_up.append((code, reason)),
            key=self.credentials.key,
            protocol="7",
            now=clock(),
            ping=lambda: self.pings.append(clock()),
        )
        self.socket_id = self.connection.socket_id

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def says(self, frame: Any) -> list[dict[str, Any]]:
        """Send one frame; return the frames that come back."""
        before = len(self.texts)
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.channels.receive(self.connection, text, now=self.clock())
        return [json.loads(answer) for answer in self.texts[before:]]

    def subscribes(self, *names: str, user: str | None = None, info: object = None) -> Peer:
        """Subscribe to each channel, authorized; `user` joins those that are presence channels."""
        for name in names:
            data = {"channel": name}
            if name.startswith("private-"):
                data |= authorize_channel(self.encrypting, self.socket_id, name)
            if name.startswith("presence-"):
                member = {"user_id": user, "user_info": info}
                data |= authorize_channel(self.credentials, self.socket_id, name, member)
            answer, *_ = self.says({"event": "pusher:subscribe", "data": data})
            assert answer["event"] == "pusher_internal:subscription_succeeded", answer
        return self

    def leaves(self) -> None:
        self.channels.close(self.connection)

    @property
    def received(self) -> list[tuple[str, str, str]]:
        """Channel, event and data of what arrived, without the protocol's own."""
        return [
            (frame["channel"], frame["event"], frame["data"])
            for frame in self.frames
            if not frame["event"].startswith("pusher")
        ]


@pytest.fixture
def peer(sandbox: Sandbox, clock: Clock) -> Callable[..., Peer]:
    """Make a peer that is subscribed to the channels named."""
    return lambda *names, **who: Peer(sandbox, clock).subscribes(*names, **who)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until a condition holds that another thread brings about; fail after 10 seconds."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "waited 10 s in vain"
            time.sleep(0.002)

    return wait
