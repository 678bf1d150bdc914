"""One publisher on a connection that stays open: Client and AsyncClient, PyPI and npm pusher."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from benchmarks import peers
from benchmarks.measure import Run, against, duration, ratio
from benchmarks.processes import Server, Worker, distant, practice_server, python_worker, soketi
from benchmarks.report import Row, Target

PYPI, NPM = "PyPI pusher", "npm pusher"
IN_FLIGHT = (1, 8, 32, 128)
IN_FLIGHT_TARGET = 32  # where the target stands
# httpx by itself sends a request that was signed beforehand.
ALONE, ALONE_TOGETHER = "httpx alone", f"httpx alone, {IN_FLIGHT_TARGET} in flight,"
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
    rounds, requests = run.pick(full=30, quick=3), run.pick(full=150, quick=50)
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
    costs, missing = _costs(run, to, server, rounds, least)
    seconds = {name: [cost.seconds for cost in each] for name, each in costs.items()}
    cpu = {name: [cost.cpu for cost in each] for name, each in costs.items()}

    def rate(one: str, other: str, target: Target | None, alone: str = ALONE) -> Row:
        figure = f"{to}: rate of {one} ÷ {other}"
        if other in missing:
            return Row(figure=figure, target=target, missing=missing[other])
        return Row(
            figure=figure,
            ratio=ratio(seconds[other], seconds[one]),
            target=target,
            measured=f"a request {against(seconds[one], seconds[other])}, "
            f"of which the client's CPU {against(cpu[one], cpu[other])}",
            if_missed=_goes_to(*map(statistics.median, (seconds[one], cpu[one], cpu[alone]))),
        )

    yield rate("Client", PYPI, Target("≥", 1.5))
    yield rate("Client", NPM, Target("≥", 1))
    yield rate(ALONE, PYPI, None)
    for count in IN_FLIGHT:
        target = Target("≥", 5) if count == IN_FLIGHT_TARGET else None
        yield rate(f"AsyncClient, {count} in flight,", PYPI, target, ALONE_TOGETHER)
    yield rate(ALONE_TOGETHER, PYPI, None)


def _costs(
    run: Run, to: str, server: Server, rounds: int, least: int
) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """What a request costs each publisher, round by round; and the publishers that are missing."""

    def turn(worker: Worker, in_flight: int = 1) -> Cost:
        requests = max(least, 2 * in_flight)  # or they would not be in flight together
        answer = worker.ask(requests=requests, in_flight=in_flight)
        return Cost(answer["seconds"] / requests, answer["cpu"] / requests)

    works: dict[str, Callable[[], Cost]] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        for name, make in ((PYPI, pypi_worker), (NPM, npm_worker)):
            try:
                works[name] = partial(turn, stack.enter_context(make(server)))
            except peers.Missing as absent:
                missing[name] = str(absent)
        ours = {
            client: stack.enter_context(python_worker("publish", server, client))
            for client in ("client", "httpx_alone", "asynchronous", "asynchronous_httpx_alone")
        }
        works["Client"] = partial(turn, ours["client"])
        works[ALONE] = partial(turn, ours["httpx_alone"])
        for count in IN_FLIGHT:
            together = partial(turn, ours["asynchronous"], count)
            works[f"AsyncClient, {count} in flight,"] = together
        works[ALONE_TOGETHER] = partial(turn, ours["asynchronous_httpx_alone"], IN_FLIGHT_TARGET)
        return run.interleave(f"publishers {to}", works, rounds), missing


def _goes_to(seconds: float, cpu: float, of_httpx: float) -> str:
    """What a request's time goes to."""
    return (
        f"It goes to httpx, {duration(of_httpx)} of CPU where it is alone; to signing and reading "
        f"the answer, {duration(max(0, cpu - of_httpx))}; and to waiting for the server, "
        f"{duration(max(0, seconds - cpu))}"
    )
