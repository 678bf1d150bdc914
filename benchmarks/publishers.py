"""One publisher on a connection that stays open: Client and AsyncClient, PyPI and npm pusher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks import peers
from benchmarks.measure import Run, against, ratio
from benchmarks.processes import Server, Worker, distant, practice_server, python_worker, soketi
from benchmarks.report import Row, Target

IN_FLIGHT = (1, 8, 32, 128)
IN_FLIGHT_TARGET = 32  # where the target stands
DISTANCE_MILLISECONDS = 20  # a round trip within a continent


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request took, in seconds: until its answer, and of this client's CPU."""

    seconds: float
    cpu: float


def npm_worker(server: Server) -> Worker:
    """npm's pusher. Raises Missing."""
    return Worker([peers.npm_pusher(), peers.ROOT / "benchmarks" / "publish.cjs"], server)


def pypi_worker(server: Server) -> Worker:
    """PyPI's pusher. Raises Missing."""
    peers.pypi_pusher()
    return python_worker("publish", server, "pypi")


def run(run: Run) -> Iterator[Row]:
    """The rows of each server; or one that says that the server is missing."""
    rounds, requests = run.pick(full=10, quick=3), run.pick(full=150, quick=50)
    few_rounds, few_requests = run.pick(full=5, quick=2), run.pick(full=30, quick=15)
    with practice_server() as server:
        to = "to the practice server"
        yield from _beside_each_other(run, to, server, rounds, requests)
        to = f"to the practice server, {DISTANCE_MILLISECONDS} ms away"
        with distant(server, DISTANCE_MILLISECONDS) as far:
            yield from _beside_each_other(run, to, far, few_rounds, few_requests)
    to = "to soketi, which ends each connection"  # it answers with Connection: close
    try:
        with soketi() as server:
            yield from _beside_each_other(run, to, server, rounds, requests)
    except peers.Missing as absent:
        yield Row(figure=f"{to}: all publishers", missing=str(absent))


def _beside_each_other(run: Run, to: str, server: Server, rounds: int, least: int) -> Iterator[Row]:
    def turn(worker: Worker, in_flight: int = 1) -> Cost:
        requests = max(least, 2 * in_flight)  # or they would not be in flight together
        answer = worker.ask(requests=requests, in_flight=in_flight)
        return Cost(answer["seconds"] / requests, answer["cpu"] / requests)

    works: dict[str, Callable[[], Cost]] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        for name, make in (("PyPI pusher", pypi_worker), ("npm pusher", npm_worker)):
            try:
                works[name] = partial(turn, stack.enter_context(make(server)))
            except peers.Missing as absent:
                missing[name] = str(absent)
        for name, client in (("Client", "client"), ("httpx alone", "httpx_alone")):
            works[name] = partial(
                turn, stack.enter_context(python_worker("publish", server, client))
            )
        for name, client in (
            ("AsyncClient", "asynchronous"),
            ("httpx alone", "asynchronous_httpx_alone"),
        ):
            worker = stack.enter_context(python_worker("publish", server, client))
            for count in IN_FLIGHT if name == "AsyncClient" else (IN_FLIGHT_TARGET,):
                works[f"{name}, {count} in flight,"] = partial(turn, worker, count)
        costs = run.interleave(f"publishers {to}", works, rounds)
    seconds = {name: [cost.seconds for cost in each] for name, each in costs.items()}
    cpu = {name: [cost.cpu for cost in each] for name, each in costs.items()}

    def rate(one: str, other: str, target: Target | None) -> Row:
        figure = f"{to}: rate of {one} ÷ {other}"
        if other in missing:
            return Row(figure=figure, target=target, missing=missing[other])
        return Row(
            figure=figure,
            ratio=ratio(seconds[other], seconds[one]),
            target=target,
            measured=f"a request {against(seconds[one], seconds[other])}, "
            f"of which the client's CPU {against(cpu[one], cpu[other])}",
            if_missed="It goes to httpx and the server: see the rows of httpx alone, which sends a "
            "request that was signed beforehand",
        )

    yield rate("Client", "PyPI pusher", Target("≥", 1.5))
    yield rate("Client", "npm pusher", Target("≥", 1))
    yield rate("httpx alone", "PyPI pusher", None)
    for count in IN_FLIGHT:
        target = Target("≥", 5) if count == IN_FLIGHT_TARGET else None
        yield rate(f"AsyncClient, {count} in flight,", "PyPI pusher", target)
    yield rate(f"httpx alone, {IN_FLIGHT_TARGET} in flight,", "PyPI pusher", None)
