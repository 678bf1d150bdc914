"""A siege: the real `pusherkit sandbox` under attack, while a publisher and a subscriber work.

Three processes share the machine: the server, the attackers (attacks.py), and this one with the
publisher and the subscriber. The work that attackers give the server delays its next answer, and
ANSWER_SECONDS leaves room for that: an answer takes milliseconds in peace, some hundreds at worst
under attack, and far more than the limit where one piece of work holds up the others.

That attackers, or another test, also take processor from the server is no fault of its own. So the
attackers are niced, and where Linux tells how long the server was ready to run and had to wait for
a processor, that time is taken off. The time in which the server itself computes, or waits for
anything else, counts in full.

    python -m tests.chaos --seconds 10 --only half_heads tls_hellos
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import httpx
import psutil

from pusherkit import Client, Credentials, PusherError
from pusherkit.sandbox import PRACTICE_CREDENTIALS
from pusherkit.sandbox.handler import MAX_HELD_BYTES
from pusherkit.subscriber import GAP_EVENT, Message, Subscriber
from tests.ports import free_port

from . import attacks
from .attacks import ATTACKS, HOST, NO_ROOM, STEADY

ANSWER_SECONDS = 2.0  # the most that an answer to the publisher, or to a newcomer, may take
STOP_SECONDS = 2.0  # the most from SIGTERM to the end
# The most by which the server may have grown once all is over. It remembers some 10 MB then; the
# rest is free, and the allocator keeps it, in pieces, up to what bodies were allowed to fill.
MEMORY_BYTES = MAX_HELD_BYTES
SETTLE_SECONDS = 10.0  # until memory must be back, and until the last event must be there
PACE_SECONDS = 0.04  # between two events of the publisher
SAMPLE_SECONDS = 0.05  # between two looks at the server's memory
UNDER_FIRE_SECONDS = 1.0  # of a second attack, in the middle of which the server is stopped
GIVE_UP_SECONDS = 15.0  # until an answer is given up; until a process that goes on is killed
QUEUED_SECONDS = 0.1  # without a processor; less isn't worth telling
NEVER = "never"
PIPE_BYTES = 4_096  # of the pipe that nobody reads: a page, the least that Linux allows
F_SETPIPE_SZ = 1031  # Linux; the fcntl module has no such name on other systems
CHANNELS = (STEADY, f"private-{STEADY}")

COMMAND = (sys.executable, "-c", "import sys; from pusherkit.cli import main; sys.exit(main())")


@dataclass(frozen=True)
class Siege:
    """What a server is put through. `stdout` is what becomes of what it prints."""

    name: str
    kinds: tuple[str, ...]
    stdout: str = "unread"  # or "abandoned" (as by `| head`), "closed" (`>&-`), "nowhere"
    descriptors: int | None = None  # how many files and sockets the server may have open
    share: float = 1.0  # of the seconds that are asked for


SIEGES = (
    Siege("all at once, nobody reads stdout", tuple(kind for kind in ATTACKS if kind != NO_ROOM)),
    Siege(
        "128 descriptors, stdout abandoned",
        (NO_ROOM, "half_heads", "smuggled_requests", "tls_hellos", "resets"),
        stdout="abandoned",
        descriptors=128,
        share=0.2,
    ),
    Siege(
        "stdout closed",
        ("near_secret_events", "near_secret_paths", "wrongly_signed", "client_events"),
        stdout="closed",
        share=0.1,
    ),
)


@dataclass
class Report:
    """What came of a siege. `faults` are sentences; there should be none."""

    siege: Siege
    seconds: float
    seed: int
    published: int = 0
    received: int = 0
    gaps: int = 0
    answers: list[Span] = field(default_factory=list)  # one for each event
    before: int = 0  # bytes of memory, as are `peak` and `after`
    peak: int = 0
    after: int = 0
    settled: float = 0.0  # seconds from the end of the attack until `after`
    server_cpu: float = 0.0  # seconds of the processor, as is `attackers_cpu`
    attackers_cpu: float = 0.0
    newcomer: Span | None = None  # until a new connection is answered after the attack
    stopped: Span | None = None  # from SIGTERM to the end
    stderr: str = ""
    tallies: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ordered = sorted(self.answers, key=lambda span: span.seconds)
        p50, p99 = (ordered[int(len(ordered) * share)].seconds for share in (0.50, 0.99))
        tracebacks = self.stderr.count("Traceback (most")
        rows = [
            ("events", f"{self.published} published, {self.received} received, {self.gaps} gaps"),
            ("answers", f"p50 {_ms(p50)}, p99 {_ms(p99)}, longest {ordered[-1]}"),
            ("newcomer", f"answered after {self.newcomer or NEVER}"),
            (
                "memory",
                f"{_mb(self.before)} before, {_mb(self.peak)} peak, "
                f"{_mb(self.after)} {self.settled:.1f} s after",
            ),
            (
                "processor",
                f"{self.server_cpu:.1f} s for the server, {self.attackers_cpu:.1f} s for attackers",
            ),
            ("stderr", f"{self.stderr.count(chr(10))} lines, {tracebacks} tracebacks"),
            ("SIGTERM", f"under attack, ended after {self.stopped or NEVER}"),
            *(
                (kind, ", ".join(f"{count} {answer}" for answer, count in sorted(tally.items())))
                for kind, tally in self.tallies.items()
            ),
            *(("FAULT", fault) for fault in self.faults),
        ]
        head = f"{self.siege.name}: {self.seconds:g} s, seed {self.seed}"
        return "\n".join([head, *(f"  {name:20}{told}" for name, told in rows)])


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:,.0f} ms"


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MB"


def run(siege: Siege, seconds: float, seed: int) -> Report:
    """Besiege a server for so many seconds, and tell how it went."""
    report = Report(siege, seconds, seed)
    with ExitStack() as ending:
        log = ending.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
        process, credentials = ending.enter_context(_server(siege, log))
        server, processor = psutil.Process(process.pid), Processor(process.pid)
        subscriber = ending.enter_context(Subscriber(credentials, CHANNELS))
        publisher = Publisher(credentials, processor)
        ending.callback(publisher.stop)
        publisher.start()
        report.before = report.peak = server.memory_info().rss
        with _attackers(credentials, siege, seconds, seed) as attackers:
            while attackers.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    attackers.wait(SAMPLE_SECONDS)
                if process.poll() is None:
                    report.peak = max(report.peak, server.memory_info().rss)
            if told := attackers.stdout.read():  # nothing where they failed
                figures = json.loads(told)
                report.tallies, report.attackers_cpu = figures["tallies"], figures["processor"]
        if process.poll() is None:
            _settle(report, server)
            report.newcomer = _newcomer(credentials, processor)
        publisher.stop()
        _compare(report, publisher, subscriber)
        subscriber.close()
        if process.poll() is None:
            report.server_cpu = sum(server.cpu_times()[:2])
            with _attackers(credentials, siege, GIVE_UP_SECONDS, seed) as attackers:
                with suppress(subprocess.TimeoutExpired):
                    attackers.wait(UNDER_FIRE_SECONDS)
                report.stopped = _stop(process, processor)
        log.seek(0)
        report.stderr = log.read()
        _judge(report, process.poll())
    return report


# --- the three processes --------------------------------------------------------------------------


@contextmanager
def _server(siege: Siege, log: IO[str]) -> Iterator[tuple[subprocess.Popen, Credentials]]:
    port = free_port()
    credentials = replace(PRACTICE_CREDENTIALS, base_url=f"http://{HOST}:{port}")
    shell = 'exec "$@"' + (" >&-" if siege.stdout == "closed" else "")
    if siege.descriptors:
        shell = f"ulimit -n {siege.descriptors}; {shell}"
    process = subprocess.Popen(
        ["sh", "-c", shell, "sh", *COMMAND, "sandbox", "--port", str(port)],
        stdout=subprocess.PIPE if siege.stdout in ("unread", "abandoned") else subprocess.DEVNULL,
        stderr=log,
        env=_environment(),
    )
    try:
        if process.stdout is not None:
            _fill_soon(process.stdout)
        # Its retries wait until the port is open; then any answer will do.
        with Client(credentials, retries=8) as client, suppress(PusherError):
            client.channels()
        if siege.stdout == "abandoned":
            process.stdout.close()
        yield process, credentials
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _fill_soon(pipe: IO[bytes]) -> None:
    """Make a pipe so small that a few requests fill it."""
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)


@contextmanager
def _attackers(
    credentials: Credentials, siege: Siege, seconds: float, seed: int
) -> Iterator[subprocess.Popen[str]]:
    options = {"port": httpx.URL(credentials.base_url).port, "seconds": seconds, "seed": seed}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [sys.executable, attacks.__file__, *words, *siege.kinds],
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        process.stdout.readline()  # they have begun
        yield process
    finally:
        process.kill()
        process.communicate()


def _environment() -> dict[str, str]:
    """Without what would measure the tests' coverage: it takes time, and would be measured too."""
    return {name: value for name, value in os.environ.items() if "COVERAGE" not in name}


class Processor:
    """What the system says of a process's threads together; nothing where it isn't Linux.

    There is one lock for all of Python, so they take turns, and their times add up.
    """

    def __init__(self, process: int) -> None:
        self._tasks = Path(f"/proc/{process}/task")
        self._threads: dict[str, tuple[float, float]] = {}  # those that ended count, too

    def seconds(self) -> tuple[float, float]:
        """For how long they ran, and for how long they were ready to and had no processor."""
        with suppress(OSError):  # not Linux, or the process has ended
            for task in self._tasks.iterdir():
                with suppress(OSError):
                    ran, queued, _ = (task / "schedstat").read_text().split()
                    self._threads[task.name] = int(ran) / 1e9, int(queued) / 1e9
        ran, queued = zip(*self._threads.values(), strict=True) if self._threads else ((), ())
        return sum(ran), sum(queued)


@dataclass(frozen=True)
class Span:
    """How long something took, in seconds; in how many of them the server ran, or was `queued`."""

    seconds: float
    ran: float = 0.0
    queued: float = 0.0

    @property
    def own(self) -> float:
        """How long it would have taken, had there always been a processor."""
        return min(self.seconds, max(self.ran, self.seconds - self.queued))

    def __str__(self) -> str:
        saved = self.seconds - self.own
        told = f" (of these {_ms(saved)} without a processor)" if saved > QUEUED_SECONDS else ""
        return _ms(self.seconds) + told


class Stopwatch:
    """Takes the time of what a server does, from now on."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._began, self._before = time.monotonic(), processor.seconds()

    def span(self) -> Span:
        used = (
            now - then for now, then in zip(self._processor.seconds(), self._before, strict=True)
        )
        return Span(time.monotonic() - self._began, *used)


class Publisher(threading.Thread):
    """Publishes one event after the other, numbered, to each of CHANNELS in turn."""

    def __init__(self, credentials: Credentials, processor: Processor) -> None:
        super().__init__(name="chaos-publisher", daemon=True)
        self._credentials, self._processor = credentials, processor
        self._stopping = threading.Event()
        self.published: list[tuple[str, str]] = []  # channel and name; the answer was 200
        self.failed: dict[tuple[str, str], str] = {}  # those may have gone out, or not
        self.answers: list[Span] = []

    def run(self) -> None:
        with Client(self._credentials, timeout=GIVE_UP_SECONDS) as client:
            number = 0
            while not self._stopping.wait(PACE_SECONDS):
                event = CHANNELS[number % len(CHANNELS)], str(number)
                watch = Stopwatch(self._processor)
                try:
                    client.trigger(*event, {"number": number})
                except (PusherError, httpx.HTTPError) as error:
                    self.failed[event] = f"{type(error).__name__}: {error}"
                else:
                    self.published.append(event)
                self.answers.append(watch.span())
                number += 1

    def stop(self) -> None:
        self._stopping.set()
        if self.is_alive():
            self.join()


# --- when the attack is over ----------------------------------------------------------------------


def _settle(report: Report, server: psutil.Process) -> None:
    """Watch the server's memory until it is back, or ought to be."""
    begin = time.monotonic()
    while True:
        report.after = server.memory_info().rss
        report.settled = time.monotonic() - begin
        if report.after <= report.before + MEMORY_BYTES or report.settled > SETTLE_SECONDS:
            return
        time.sleep(SAMPLE_SECONDS)


def _newcomer(credentials: Credentials, processor: Processor) -> Span | None:
    watch = Stopwatch(processor)
    with Client(credentials, timeout=GIVE_UP_SECONDS) as client:
        try:
            client.channels()
        except (PusherError, httpx.HTTPError):
            return None
    return watch.span()


def _compare(report: Report, publisher: Publisher, subscriber: Subscriber) -> None:
    """What was published against what arrived."""
    report.answers, report.published = publisher.answers, len(publisher.published)
    received = _received(subscriber, publisher.published[-1:])
    arrived = [(m.channel, m.event) for m in received if m.event != GAP_EVENT]
    report.received, report.gaps = len(arrived), len(received) - len(arrived)
    known = [event for event in arrived if event not in publisher.failed]
    if known != publisher.published:
        lost = [event for event in publisher.published if event not in set(known)]
        report.faults.append(
            f"of {len(publisher.published)} events published, {len(known)} arrived; "
            f"{len(lost)} lost, the first: {lost[:3]}"
            if lost
            else "what arrived came twice, in another order, or from elsewhere"
        )
    if publisher.failed:
        reasons = list(publisher.failed.values())
        report.faults.append(f"{len(reasons)} events failed, the first: {reasons[0][:200]}")


def _received(subscriber: Subscriber, last: list[tuple[str, str]]) -> list[Message]:
    """All that has arrived, up to the last event, for which it waits."""
    received: list[Message] = []
    with suppress(TimeoutError, PusherError):
        while not received or (received[-1].channel, received[-1].event) not in last:
            received.append(subscriber.receive(SETTLE_SECONDS))
    return received


def _stop(process: subprocess.Popen, processor: Processor) -> Span | None:
    watch = Stopwatch(processor)
    process.send_signal(signal.SIGTERM)
    while (span := watch.span()).seconds < GIVE_UP_SECONDS:
        with suppress(subprocess.TimeoutExpired):
            process.wait(SAMPLE_SECONDS)
            return replace(span, seconds=watch.span().seconds)
    return None


def _judge(report: Report, status: int | None) -> None:
    """Add the faults that the figures show."""
    faults, slow = report.faults, max(report.answers, key=lambda span: span.own)
    if report.gaps:
        faults.append(f"the subscriber was cut off {report.gaps} times")
    if slow.own > ANSWER_SECONDS:
        over = sum(span.own > ANSWER_SECONDS for span in report.answers)
        faults.append(f"{over} answers took over {_ms(ANSWER_SECONDS)}, the longest {slow}")
    if report.newcomer is None or report.newcomer.own > ANSWER_SECONDS:
        faults.append(f"a new connection is answered after {report.newcomer or NEVER}")
    if report.after > report.before + MEMORY_BYTES:
        faults.append(f"memory went from {_mb(report.before)} to {_mb(report.after)}")
    if report.stopped is None or report.stopped.own > STOP_SECONDS or status != 0:
        faults.append(f"SIGTERM ended it after {report.stopped or NEVER}, with status {status}")
    if raised := re.findall(r"(?m)^Traceback \(most.*(?:\n .*)*\n(.*)", report.stderr):
        faults.append(f"{len(raised)} tracebacks, the first: {raised[0]}")
    if report.tallies.keys() != set(report.siege.kinds):
        faults.append("the attackers failed; their own traceback is above")
    for kind, tally in report.tallies.items():
        if wrong := ATTACKS[kind].wrong(tally):
            faults.append(f"{kind} was answered: {', '.join(wrong)}")
