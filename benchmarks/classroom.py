"""A class: what a learner takes of a machine, and how the wall and the trainer's view keep up.

A real hub, with its proxy, as `pusherkit class` starts them. A target of seconds or bytes is the
lower half of a ratio here, as for the static site: 0.6 means six tenths of it.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.measure import Run, duration, ratio
from benchmarks.processes import Server, Worker, practice_server, python_worker
from benchmarks.report import Row, Target
from benchmarks.room import TRAINER, Person, Room, cpu_seconds, needed, pss, room
from pusherkit.classroom.invitations import numbered
from pusherkit.classroom.wall import course
from pusherkit.lab import FIRST_LESSON

MEBIBYTE = 2**20
GIBIBYTE = 2**30

# A learner's share, of which the targets are made.
GUARANTEE = 256 * MEBIBYTE  # what docs/class.md has a hub set aside: a server and two kernels
LIMIT = 1024 * MEBIBYTE  # what it lets nobody go beyond
ALONE_SECONDS = 10.0  # from the click until lesson 00 has run, with nobody else there
TOGETHER_SECONDS = 6.0  # the same for each of several who start at once
START_CPU_SECONDS = 6.0  # of one core, until then
READING_SHARE = 0.001  # of one core, for a learner who reads
IDLE_SECONDS = 10  # that a class is watched while it reads
SETTLE_SECONDS = 3  # after the last cell, until memory is looked at
MACHINE = 24 * GIBIBYTE
MACHINE_TARGET = 100  # learners on it
SYSTEM_SHARE = 0.1  # of the machine's memory that's left for everything else

# The wall: learners, open pages for each visitor, and events a second.
LOADS = ((20, 20, 1, 50), (100, 100, 1, 100), (1_000, 100, 1, 100), (1_000, 100, 10, 100))
CONNECTIONS = 100  # at most, over which they publish
LOAD_SECONDS = 6
FLOOD = 3_000  # events, as fast as they go; at most BURST of each learner, or they're refused
BURST = 15  # half of what a learner may send at once: two turns may follow each other
PAGE_SECONDS = 0.5  # p99 from POST to page; a view goes out every quarter of a second
TRAINER_LEARNERS = 1_000
TRAINER_RATE = 50  # calls a second: each of 1,000 lessons says hello every 20 s
TRAINER_OPEN_SECONDS = 2.0  # until the view has everybody
TRAINER_SECONDS = 1.0  # p99 from a learner's call to the view; it's told every half a second


def run(run: Run) -> Iterator[Row]:
    """Rows for the learners' servers, then for the wall and the trainer's view."""
    try:
        needed()
    except peers.Missing as absent:
        yield Row(figure="a class ÷ its targets", missing=str(absent))
        return
    with tempfile.TemporaryDirectory(prefix="pusherkit-benchmarks-") as root:
        yield from _servers(run, Path(root))
        yield from _wall(run, Path(root))


# --- learners' servers ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """A class that started at once, and ran lesson 00."""

    learners: int
    seconds: float
    """Until the last of them had run it."""
    each: list[float]
    """Until each of them had."""
    cpu: float
    """Seconds of one core that one of them took, with their part of hub, proxy and wall."""
    others: float
    """The share of the machine's CPU that programs beside the class had meanwhile."""
    idle: float
    """The share of one core that one of them takes who reads."""
    server: float
    kernel: float
    """Bytes, of one of them: the means."""
    empty: float
    """Bytes of a kernel before its first cell; 0 where it wasn't looked at."""
    own: float
    """Bytes of the class's own: command, hub, proxy and wall."""
    total: float
    """Bytes of it all."""

    @property
    def learner(self) -> float:
        return self.server + self.kernel

    def __str__(self) -> str:
        return (
            f"{self.learners}: all there after {self.seconds:.0f} s, {self.cpu:.1f} s of one core "
            f"each, {self.server / MEBIBYTE:.0f} + {self.kernel / MEBIBYTE:.0f} MiB each and "
            f"{self.total / GIBIBYTE:.2f} GiB in all, {100 * self.others:.0f} % of the CPU was "
            "others'"
        )


def _servers(run: Run, root: Path) -> Iterator[Row]:
    sizes = [1, 5] if run.quick else [20, 1, 5, 10, 20, 1]
    starts: dict[int, list[Start]] = {}
    for number, size in enumerate(run.progress.track(sizes, "class: learners start at once")):
        starts.setdefault(size, []).append(_start(root / f"class-{number}", size, run))
    for size, made in starts.items():
        target = ALONE_SECONDS if size == 1 else TOGETHER_SECONDS * size
        who = "a learner alone" if size == 1 else f"{size} learners at once"
        yield Row(
            figure=f"{who}: from the click until lesson 00 had run ÷ {target:g} s",
            ratio=ratio([each.seconds for each in made], [target] * len(made)),
            target=Target("≤", 1),
            measured=". ".join(map(str, made)),
            if_missed="The cores are what they wait for: Jupyter's server and IPython start anew "
            "for each",
        )
    alone, most = starts[1], starts[max(starts)]
    yield Row(
        figure=f"memory of a learner, server and kernel ÷ {GUARANTEE / MEBIBYTE:.0f} MiB",
        ratio=ratio([each.learner for each in most], [GUARANTEE] * len(most)),
        target=Target("≤", 0.75),
        measured=_medians(most, "server", "kernel"),
        if_missed="Three quarters leave room for a second kernel",
    )
    yield Row(
        figure="memory of a learner's kernel after lesson 00 ÷ before its first cell",
        ratio=ratio([each.kernel for each in alone], [each.empty for each in alone]),
        target=Target("≤", 1.75),
        measured=_medians(alone, "kernel", "empty"),
        if_missed="It goes to httpx with its TLS, to ipywidgets, and to Tornado's HTTP server",
    )
    yield Row(
        figure=f"CPU of a start, until lesson 00 had run ÷ {START_CPU_SECONDS:g} s of one core",
        ratio=ratio([each.cpu for each in most], [START_CPU_SECONDS] * len(most)),
        target=Target("≤", 1),
        measured=f"{statistics.median(each.cpu for each in most):.1f} s, with their part of the "
        "hub, the proxy and the wall",
        if_missed="Jupyter's server takes most of it, then the kernel",
    )
    yield Row(
        figure=f"CPU of a learner who reads ÷ {100 * READING_SHARE:g} % of one core",
        ratio=ratio([each.idle for each in most], [READING_SHARE] * len(most)),
        target=Target("≤", 1),
        measured=f"{100 * statistics.median(each.idle for each in most):.3f} %",
        if_missed="It goes to what Jupyter's server does every few seconds",
    )
    fit = [_fit(each) for each in most]
    yield Row(
        figure=f"learners on {MACHINE / GIBIBYTE:.0f} GiB, worked out ÷ {MACHINE_TARGET}",
        ratio=ratio(fit, [MACHINE_TARGET] * len(fit)),
        target=Target("≥", 1),
        measured=f"{statistics.median(fit):.0f} with a server and two kernels each; a tenth of the "
        f"memory is left over, and hub, proxy and wall have "
        f"{statistics.median(each.own for each in most) / MEBIBYTE:.0f} MiB",
    )
    yield _all_lessons(run, root / "class-lessons")


def _fit(start: Start) -> int:
    """How many learners fit on MACHINE, by the memory of each."""
    left = MACHINE * (1 - SYSTEM_SHARE) - start.own
    return int(left / (start.server + 2 * start.kernel))


def _medians(starts: Sequence[Start], *names: str) -> str:
    found = (statistics.median(asdict(each)[name] for each in starts) for name in names)
    said = (
        f"{name} {bytes_ / MEBIBYTE:.1f} MiB" for name, bytes_ in zip(names, found, strict=True)
    )
    return ", ".join(said)


def _start(folder: Path, size: int, run: Run) -> Start:
    """Open a class, let its learners come all at once, and close it."""
    cells = _cells(peers.ROOT / "notebooks" / FIRST_LESSON)
    with room(folder, numbered(size)) as made, ExitStack() as stack:
        people = [stack.enter_context(Person(made, name)) for name in made.names()]
        empty = 0.0

        def learn(person: Person) -> float:
            nonlocal empty
            person.comes_in()
            lesson = stack.enter_context(person.opens())
            if size == 1:
                lesson.runs("pass")
                empty = pss(made.processes()[f"kernel {person.name}"].pid)
            for cell in cells:
                lesson.runs(cell)
            return time.perf_counter() - began

        before = list(made.processes().values())
        cpu, busy = cpu_seconds(before), _busy_seconds()
        began = time.perf_counter()
        with ThreadPoolExecutor(size) as threads:
            each = list(threads.map(learn, people))
        seconds = time.perf_counter() - began
        busy = _busy_seconds() - busy
        parts = made.processes()
        cpu = cpu_seconds(list(parts.values())) - cpu
        time.sleep(SETTLE_SECONDS)
        memory = {name: pss(process.pid) for name, process in parts.items()}
        servers, kernels = (
            [memory[f"{part} {person.name}"] for person in people] for part in ("server", "kernel")
        )
        theirs = [process for name, process in parts.items() if " " in name]
        idle, window = cpu_seconds(theirs), run.pick(full=IDLE_SECONDS, quick=5)
        time.sleep(window)
        idle = cpu_seconds(theirs) - idle
    total = sum(memory.values())
    return Start(
        learners=size,
        seconds=seconds,
        each=each,
        cpu=cpu / size,
        others=max(0.0, busy - cpu) / (seconds * (os.cpu_count() or 1)),
        idle=idle / window / size,
        server=statistics.mean(servers),
        kernel=statistics.mean(kernels),
        empty=empty,
        own=total - sum(servers) - sum(kernels),
        total=total,
    )


def _cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]


def _all_lessons(run: Run, folder: Path) -> Row:
    """One learner with every lesson open, each in a kernel of its own, and run."""
    notebooks = sorted((peers.ROOT / "notebooks").glob("*.ipynb"))
    with room(folder, numbered(1)) as made, ExitStack() as stack:
        person = stack.enter_context(Person(made, "01"))
        person.comes_in()
        for notebook in run.progress.track(notebooks, "class: all lessons at once"):
            lesson = stack.enter_context(person.opens(notebook.name))
            for cell in _cells(notebook):
                lesson.runs(cell)
        processes = [
            process.pid
            for process in made.processes()["server 01"].children(recursive=True)
            if "ipykernel_launcher" in process.cmdline()
        ]
        kernels = [pss(pid) for pid in processes]
        server = pss(made.processes()["server 01"].pid)
    return Row(
        figure=f"memory of a learner with all lessons open ÷ {LIMIT / MEBIBYTE:.0f} MiB",
        ratio=ratio([server + sum(kernels)], [LIMIT]),
        target=Target("≤", 1),
        measured=f"{server / MEBIBYTE:.0f} MiB for the server, and {len(kernels)} kernels with "
        f"{statistics.mean(kernels) / MEBIBYTE:.0f} MiB each, the largest "
        f"{max(kernels) / MEBIBYTE:.0f} MiB",
    )


def _busy_seconds() -> float:
    """The seconds that all of the machine's CPUs have worked, for whomever."""
    import psutil

    times = psutil.cpu_times()._asdict()
    return float(sum(times[name] for name in ("user", "system", "nice", "irq", "softirq")))


# --- the wall -------------------------------------------------------------------------------------


def _wall(run: Run, root: Path) -> Iterator[Row]:
    with ExitStack() as stack:
        made = stack.enter_context(room(root / "class-wall", numbered(TRAINER_LEARNERS)))
        names = made.names()
        most = max(visitors for _, visitors, *_ in LOADS)
        cookies = [_cookies(made, name) for name in run.progress.track(names[:most], "sign-ins")]
        wall = made.wall()
        audience = stack.enter_context(python_worker("audience", wall))
        plain = stack.enter_context(practice_server())
        beside = stack.enter_context(python_worker("audience", plain))
        credentials = [asdict(each) for each in made.credentials(names)]
        beside.ask(do="learners", credentials=[asdict(plain.credentials)], connections=CONNECTIONS)
        for learners, visitors, each, rate in LOADS[: run.pick(full=len(LOADS), quick=2)]:
            connections = min(learners, CONNECTIONS)
            audience.ask(do="learners", credentials=credentials[:learners], connections=connections)
            url = f"{made.url.replace('http', 'ws', 1)}services/wall/live"
            pages = audience.ask(do="visit", url=url, cookies=cookies[:visitors], each=each)
            yield from _load(run, made, wall, audience, beside, learners, pages, rate)
            audience.ask(do="leave")
        audience.ask(do="learners", credentials=credentials, connections=CONNECTIONS)
        yield from _trainer(run, made, wall, audience)


def _cookies(made: Room, name: str) -> str:
    with Person(made, name) as person:
        return person.opens_the_wall()


def _load(
    run: Run,
    made: Room,
    wall: Server,
    audience: Worker,
    beside: Worker,
    learners: int,
    pages: int,
    rate: int,
) -> Iterator[Row]:
    who = f"{learners:,} learners publish, {pages:,} pages open"
    proxy = made.processes()["proxy"]
    turns = []
    for _ in run.progress.track(range(run.pick(full=3, quick=2)), f"class: {who}"):
        cpu = wall.cpu_seconds(), cpu_seconds([proxy])
        told = audience.ask(do="publish", count=rate * LOAD_SECONDS, per_second=rate)
        told["wall"] = (wall.cpu_seconds() - cpu[0]) / told["shown"]
        told["proxy"] = (cpu_seconds([proxy]) - cpu[1]) / told["shown"]
        turns.append(told)
    middle = _middle(turns)
    yield Row(
        figure=f"wall: {who}, {rate} events a second: p99 from POST to page ÷ {PAGE_SECONDS:g} s",
        ratio=ratio([told["page_p99"] for told in turns], [PAGE_SECONDS] * len(turns)),
        target=Target("≤", 1),
        measured=f"p50 {duration(middle('page_p50'))}, p99 {duration(middle('page_p99'))}; to the "
        f"answer {duration(middle('answer_p50'))} and {duration(middle('answer_p99'))}; "
        f"{middle('views') / middle('shown'):.0f} views a second, "
        f"{middle('bytes') / middle('shown') / 1e6:.2f} MB/s; one core was busy with the wall for "
        f"{100 * middle('wall'):.0f} %, with the proxy for {100 * middle('proxy'):.0f} %, with "
        f"the load for {100 * middle('busy'):.0f} %; the wall has {pss(wall.pid) / MEBIBYTE:.0f} "
        f"MiB; load average {os.getloadavg()[0]:.1f}",
        if_missed="One process makes the views and sends them to everybody, and the proxy is "
        "another",
    )
    count = min(FLOOD, BURST * learners)
    works: dict[str, Callable[[], dict[str, float]]] = {
        "wall": lambda: audience.ask(do="publish", count=count, per_second=0),
        "plain": lambda: beside.ask(do="publish", count=count, per_second=0),
    }
    floods = run.interleave(f"class: {who}, as fast as it goes", works, run.pick(full=3, quick=2))
    taken, plain = ([told["answered"] for told in floods[name]] for name in ("wall", "plain"))
    middle = _middle(floods["wall"])
    yield Row(
        figure=f"wall: {who}: events a second ÷ the practice server alone",
        ratio=ratio(plain, taken),
        measured=f"{count / middle('answered'):.0f} against {count / statistics.median(plain):.0f} "
        f"a second; the last is on every page {duration(middle('shown') - middle('answered'))} "
        f"after its answer; p99 from POST to page {duration(middle('page_p99'))}",
    )


def _middle(turns: Sequence[dict[str, float]]) -> Callable[[str], float]:
    return lambda name: statistics.median(told[name] for told in turns)


def _trainer(run: Run, made: Room, wall: Server, audience: Worker) -> Iterator[Row]:
    """The view of a thousand learners who've done half of the course, and go on."""
    exercises = [each for lesson in course() for each in lesson.exercises]
    half = exercises[: len(exercises) // 2]
    record: dict[str, Any] = {
        "passed": [each.name for each in half],
        "attempts": {each.name: 2 for each in half},
        "wrong": {each.name: {next(iter(each.mistakes), "other"): 1} for each in half},
    }
    began = time.perf_counter()
    size = audience.ask(do="records", record=record)
    everybody = time.perf_counter() - began
    url = f"{made.url.replace('http', 'ws', 1)}services/wall/trainer/live"
    cookies = _cookies(made, TRAINER)
    turns = []
    for _ in run.progress.track(range(run.pick(full=3, quick=1)), "class: the trainer's view"):
        cpu = wall.cpu_seconds()
        told = audience.ask(
            do="trainer",
            url=url,
            cookies=cookies,
            record=record,
            exercise=exercises[-1].name,
            count=TRAINER_RATE * LOAD_SECONDS,
            rate=TRAINER_RATE,
        )
        took = told["complete"] + told["seconds"]
        turns.append(told | {"wall": (wall.cpu_seconds() - cpu) / took})
    middle = _middle(turns)
    yield Row(
        figure=f"trainer's view of {TRAINER_LEARNERS:,} learners: until everybody is in it ÷ "
        f"{TRAINER_OPEN_SECONDS:g} s",
        ratio=ratio([told["complete"] for told in turns], [TRAINER_OPEN_SECONDS] * len(turns)),
        target=Target("≤", 1),
        measured=f"{duration(middle('complete'))}, {middle('bytes') / 1e6:.1f} MB. Each one's "
        f"record has {size:,} bytes, and all {TRAINER_LEARNERS:,} are sent anew, as after a "
        f"restart, in {duration(everybody)}",
        if_missed="It's JSON for each learner, made and sent",
    )
    yield Row(
        figure=f"trainer's view of {TRAINER_LEARNERS:,} learners, {TRAINER_RATE} calls a second: "
        f"p99 from call to view ÷ {TRAINER_SECONDS:g} s",
        ratio=ratio([told["p99"] for told in turns], [TRAINER_SECONDS] * len(turns)),
        target=Target("≤", 1),
        measured=f"p50 {duration(middle('p50'))}, p99 {duration(middle('p99'))}; "
        f"{middle('told') / middle('seconds') / 1e6:.2f} MB/s; one core was busy with the wall for "
        f"{100 * middle('wall'):.0f} %, with the load for {100 * middle('busy'):.0f} %; the wall "
        f"has {pss(wall.pid) / MEBIBYTE:.0f} MiB; load average {os.getloadavg()[0]:.1f}",
        if_missed="It goes to reading records, and to the JSON for the view",
    )
