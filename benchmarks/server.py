"""The practice server beside soketi: rates, latencies, memory; and how its costs grow."""

from __future__ import annotations

import resource
import time
import timeit
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from benchmarks import peers
from benchmarks.measure import Run, Spread, against, duration, ratio
from benchmarks.processes import Server, Worker, practice_server, python_worker, soketi
from benchmarks.report import LINEAR, Curve, Row, Target
from pusherkit import Credentials, Event, sign
from pusherkit.events import batch_body, event_body
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox
from pusherkit.sandbox.api import LOG_ENTRIES, RawRequest

CHANNEL, NAME, DATA = "chat", "bench-event", '{"text":"hello"}'  # load.py looks for this name
SUBSCRIBERS = (1, 10, 100, 1_000)
CHANNELS = (1, 2, 5, 10, 20, 50, 100)
BATCHES = (1, 2, 5, 10)
LOGS = (1, 10, 100, 1_000, 10_000)
CONNECTIONS = 8  # publishers at once, where the rate is measured
OPEN_FILES = 4_096  # a thousand subscribers and some
ACCEPTED_EVERY, REFUSED_EVERY = 0.005, 0.1  # seconds
KIBIBYTE = 1024
KIT = "practice server"


@dataclass(frozen=True, slots=True)
class Side:
    """A server under load, and who loads it."""

    server: Server
    load: Worker


def run(run: Run) -> Iterator[Row | Curve]:
    """Beside soketi first, then what grows, then what stands beside a refusal."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))  # also for children
    with ExitStack() as stack:
        kit, peer, missing = _sides(stack)
        sides = {"kit": kit} | ({"soketi": peer} if peer else {})
        yield from _rates(run, sides, missing)
        yield from _fan_out(run, sides, missing)
    yield from _memory(run, missing)
    with ExitStack() as stack:
        kit = _side(stack, practice_server())
        yield from _growth(run, kit)
        yield from _log(run)
        yield from _refusals(run, kit)


def _sides(stack: ExitStack) -> tuple[Side, Side | None, str]:
    kit = _side(stack, practice_server())
    try:
        return kit, _side(stack, soketi()), ""
    except peers.Missing as absent:
        return kit, None, str(absent)


def _side(stack: ExitStack, starting: Any) -> Side:
    server = stack.enter_context(starting)
    return Side(server, stack.enter_context(python_worker("load", server)))


# --- requests, ready to send ------------------------------------------------------------------


def http(credentials: Credentials, body: bytes, call: str = "events", wrong: bool = False) -> str:
    """A signed request as it goes over the wire; with `wrong`, its signature is none."""
    path = f"/apps/{credentials.app_id}/{call}"
    signature = sign(credentials, "POST", path, body=body, timestamp=int(time.time()))
    query = (*signature.params, ("auth_signature", "0" * 64)) if wrong else signature.query
    head = (
        f"POST {path}?{urlencode(query)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head + body.decode("latin-1")


def event(channels: str | Iterable[str] = CHANNEL, data: str = DATA) -> bytes:
    return event_body(Event.of(channels, NAME, data))


# --- beside soketi ----------------------------------------------------------------------------


def _rates(run: Run, sides: Mapping[str, Side], missing: str) -> Iterator[Row]:
    count = run.pick(full=400, quick=100)
    for connections in (1, CONNECTIONS):
        figure = f"requests/s over {connections} connection{'s' * (connections > 1)} ÷ soketi"
        turns = run.interleave(
            f"server: {connections} publishers",
            {
                name: partial(_publish, side, event(), count, connections, 0)
                for name, side in sides.items()
            },
            run.pick(full=8, quick=3),
        )
        yield _rate_row(figure, turns, missing)


def _publish(
    side: Side, body: bytes, count: int, connections: int, deliveries: int, call: str = "events"
) -> dict[str, float]:
    """Publish `count` times; return the seconds for one of them, and how busy the load was.

    `cpu` is the server's own part of these seconds.
    """
    request = http(side.server.credentials, body, call)
    used = side.server.cpu_seconds()
    answer = side.load.ask(
        do="publish",
        request=request,
        count=count,
        connections=connections,
        deliveries=deliveries,
    )
    used = side.server.cpu_seconds() - used
    return {"seconds": answer["seconds"] / count, "busy": answer["busy"], "cpu": used / count}


def _rate_row(
    figure: str, turns: dict[str, list[dict[str, float]]], missing: str, deliveries: int = 1
) -> Row:
    """A row of rates: of requests, or of the deliveries of each."""
    rates = {name: [deliveries / turn["seconds"] for turn in each] for name, each in turns.items()}
    cpu = {name: [turn["cpu"] / deliveries for turn in each] for name, each in turns.items()}
    if missing:
        said = f"{Spread.of(rates['kit']).median:,.0f}/s"
        return Row(figure=figure, measured=said, missing=missing)
    said = " against ".join(f"{Spread.of(rates[name]).median:,.0f}/s" for name in rates)
    busy = Spread.of(turn["busy"] for turn in turns["soketi"]).median
    return Row(
        figure=figure,
        ratio=ratio(rates["kit"], rates["soketi"]),
        measured=f"{said}; the server's CPU for one {against(cpu['kit'], cpu['soketi'])}; "
        f"soketi's load generator was busy {busy:.0%} of the time",
    )


def _fan_out(run: Run, sides: Mapping[str, Side], missing: str) -> Iterator[Row | Curve]:
    for side in sides.values():
        for number in SUBSCRIBERS:
            side.load.ask(do="subscribe", channels=[_room(number)], count=number)
    # As many deliveries in each turn, so that Python's collector comes as often.
    deliveries, most = run.pick(full=10_000, quick=4_000), run.pick(full=1_000, quick=100)
    events = {number: min(most, deliveries // number) for number in SUBSCRIBERS}
    pairs = [(name, number) for number in SUBSCRIBERS for name in sides]
    rounds = run.pick(full=10, quick=3)
    turns = run.interleave(
        "server: events to subscribers",
        {
            (name, number): partial(
                _publish, sides[name], event(_room(number)), events[number], CONNECTIONS, number
            )
            for name, number in pairs
        },
        rounds,
    )
    latencies = run.interleave(
        "server: latency to subscribers",
        {
            (name, number): partial(_latency, sides[name], events[number], number)
            for name, number in pairs
        },
        rounds,
    )
    for number in SUBSCRIBERS:
        to = f"{number:,} subscriber{'s' * (number > 1)}"
        of_each = {name: turns[name, number] for name in sides}
        yield _rate_row(f"{to}: delivered events/s ÷ soketi", of_each, missing, number)
        of_each = {name: latencies[name, number] for name in sides}
        for percent in ("p50", "p99"):
            yield _latency_row(f"{to}: {percent} from POST to arrival", of_each, percent, missing)
    cpu = {
        name: {number: [turn["cpu"] for turn in turns[name, number]] for number in SUBSCRIBERS}
        for name in sides
    }
    growth = {name: _growth_row("deliveries of an event", cpu[name], 100) for name in sides}
    peer = growth["soketi"].ratio if "soketi" in growth else None
    yield replace(
        growth["kit"],
        if_missed="It goes to Python's collector, which again and again looks at all subscribers, "
        "and to memory that is too much for the processor's caches"
        + (f": soketi's cost grows {peer.median:.3g} times" if peer else ""),
    )
    yield Curve(
        title="Delivering an event",
        size="subscribers",
        cost="server's CPU for an event",
        lines={{"kit": KIT}.get(name, name): _relative(times) for name, times in cpu.items()},
    )


def _room(subscribers: int) -> str:
    """The channel with so many subscribers."""
    return f"room-of-{subscribers}"


def _latency(side: Side, events: int, deliveries: int) -> dict[str, float]:
    request = http(side.server.credentials, event(_room(deliveries)))
    answer: dict[str, float] = side.load.ask(
        do="latency", request=request, count=events, deliveries=deliveries
    )
    return answer


def _latency_row(
    figure: str, turns: dict[str, list[dict[str, float]]], percent: str, missing: str
) -> Row:
    kit = [turn[percent] for turn in turns["kit"]]
    if missing:
        said = duration(Spread.of(kit).median)
        return Row(figure=f"{figure} ÷ soketi", measured=said, missing=missing)
    peer = [turn[percent] for turn in turns["soketi"]]
    return Row(figure=f"{figure} ÷ soketi", ratio=ratio(kit, peer), measured=against(kit, peer))


def _memory(run: Run, missing: str) -> Iterator[Row]:
    """Fresh servers, as memory once taken is seldom given back."""
    number = SUBSCRIBERS[-1]

    def grown(start: Callable[[], Any]) -> float:
        with ExitStack() as stack:
            side = _side(stack, start())
            # One subscriber and one event first, so that what is made once does not count.
            side.load.ask(do="subscribe", channels=[CHANNEL], count=1)
            _publish(side, event(), count=1, connections=1, deliveries=1)
            before = side.server.resident_bytes()
            side.load.ask(do="subscribe", channels=[CHANNEL], count=number)
            return (side.server.resident_bytes() - before) / number / KIBIBYTE

    starts = {"kit": practice_server} | ({} if missing else {"soketi": soketi})
    works = {name: partial(grown, start) for name, start in starts.items()}
    turns = run.interleave("server: memory", works, run.pick(full=3, quick=1))
    figure = "memory of a subscriber ÷ soketi"
    said = f"{Spread.of(turns['kit']).median:.1f} KiB"
    if missing:
        yield Row(figure=figure, measured=said, missing=missing)
        return
    yield Row(
        figure=figure,
        ratio=ratio(turns["kit"], turns["soketi"]),
        measured=f"{said} against {Spread.of(turns['soketi']).median:.1f} KiB",
    )


# --- growth -----------------------------------------------------------------------------------


def _growth(run: Run, kit: Side) -> Iterator[Row | Curve]:
    names = [f"room-{number}" for number in range(max(CHANNELS))]
    kit.load.ask(do="subscribe", channels=names, count=1)
    count, rounds = run.pick(full=40, quick=10), run.pick(full=12, quick=4)

    def fan(size: int) -> Callable[[], dict[str, float]]:
        return partial(_publish, kit, event(names[:size]), count, 1, size)

    def batch(size: int) -> Callable[[], dict[str, float]]:
        body = batch_body(Event.of(name, NAME, DATA) for name in names[:size])
        return partial(_publish, kit, body, count, 1, size, "batch_events")

    yield from _grow(
        run, "channels in one trigger", {size: fan(size) for size in CHANNELS}, rounds, 10
    )
    yield from _grow(run, "events in one batch", {size: batch(size) for size in BATCHES}, rounds, 1)
    kit.load.ask(do="leave")


def _grow(
    run: Run,
    what: str,
    works: Mapping[int, Callable[[], dict[str, float]]],
    rounds: int,
    smaller: int,
) -> Iterator[Row | Curve]:
    """How the server's CPU for a request grows with a size."""
    turns = run.interleave(f"server: {what}", works, rounds)
    times = {size: [turn["cpu"] for turn in each] for size, each in turns.items()}
    yield _growth_row(what, times, smaller)
    yield Curve(
        title=f"{max(times)} {what}",
        size=what,
        cost="server's CPU for a request",
        lines={KIT: _relative(times)},
    )


def _growth_row(what: str, times: Mapping[int, list[float]], smaller: int) -> Row:
    """Whether the largest size costs more, for each of what it counts, than a smaller one."""
    largest = max(times)
    each = {size: [time / size for time in times[size]] for size in (smaller, largest)}
    return Row(
        figure=f"growth: server's CPU for each of {largest:,} {what} ÷ of {smaller}",
        ratio=ratio(each[largest], each[smaller]),
        target=Target("≤", LINEAR),
        measured=against(each[largest], each[smaller]),
    )


def _log(run: Run) -> Iterator[Row | Curve]:
    """The judge alone, in this process: a full log against an empty one."""
    credentials = PRACTICE_CREDENTIALS
    head, _, body = http(credentials, event()).partition("\r\n\r\n")
    request = RawRequest(
        method="POST", target=head.split(" ")[1].encode(), body=body.encode("latin-1")
    )
    now = time.time()

    def judge_with(sandbox: Sandbox) -> timeit.Timer:
        return timeit.Timer(lambda: sandbox.handle(request, now=now), timer=time.process_time)

    warm = judge_with(Sandbox(credentials))

    def judge_at(size: int) -> Callable[[], float]:
        sandbox = Sandbox(credentials)
        judge = judge_with(sandbox)
        judge.timeit(size)

        def turn() -> float:
            if size < LOG_ENTRIES:  # it grew while it was measured
                sandbox.clear()
                judge.timeit(size)
            warm.timeit(50)  # so that every size finds the processor's caches alike
            return judge.timeit(20) / 20

        return turn

    works = {size: judge_at(size) for size in LOGS}
    times = run.interleave("server: the log", works, run.pick(full=40, quick=10))
    yield Row(
        figure=f"growth: time of a request after {LOGS[-1]:,} others ÷ after {LOGS[0]}",
        ratio=ratio(times[LOGS[-1]], times[LOGS[0]]),
        target=Target("≤", LINEAR),
        measured=against(times[LOGS[-1]], times[LOGS[0]]),
    )
    yield Curve(
        title=f"A log of {LOGS[-1]:,} requests, which keeps {LOG_ENTRIES:,}",
        size="requests before",
        cost="time of a request",
        lines={"Sandbox.handle()": _relative(times)},
    )


# --- beside a refusal -------------------------------------------------------------------------


def _refusals(run: Run, kit: Side) -> Iterator[Row]:
    credentials = kit.server.credentials
    refused = {
        "alone": None,
        "84 B": event(),
        "100 KB": event(data="x" * 102_000),
    }

    def beside(body: bytes | None) -> dict[str, float]:
        answer: dict[str, float] = kit.load.ask(
            do="beside",
            request=http(credentials, event()),
            count=run.pick(full=300, quick=150),
            interval=ACCEPTED_EVERY,
            refused=None if body is None else http(credentials, body, wrong=True),
            pause=REFUSED_EVERY,
        )
        return answer

    works = {name: partial(beside, body) for name, body in refused.items()}
    turns = run.interleave("server: beside refusals", works, run.pick(full=8, quick=2))
    for name in ("84 B", "100 KB"):
        for percent in ("p50", "p99"):
            with_them = [turn[percent] for turn in turns[name]]
            alone = [turn[percent] for turn in turns["alone"]]
            yield Row(
                figure=f"{percent} of accepted requests beside refused ones of {name} ÷ alone",
                ratio=ratio(with_them, alone),
                target=Target("≤", 2) if percent == "p99" else None,
                measured=against(with_them, alone),
                if_missed="It goes to the steps of the doctor's search: between two of them the "
                "others have their turn, but to write and hash 100 KB of JSON is one step",
            )


def _relative(times: Mapping[int, list[float]]) -> list[tuple[int, Spread]]:
    """Each size's times over those of the smallest, round by round."""
    first = times[min(times)]
    return [(size, ratio(each, first)) for size, each in sorted(times.items())]
