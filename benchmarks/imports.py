"""What `import pusherkit` costs: time and peak memory, in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks import peers
from benchmarks.measure import Run, against, ratio
from benchmarks.report import Row, Target

START_SECONDS = 60  # until a child that hangs is ended

# Seconds of CPU: what is imported is in the disk's cache, and others' time does not count.
# The peak is VmHWM: ru_maxrss would still hold what the parent had when it made the child.
CHILD = """
import json, time
began = time.process_time()
{statement}
took = time.process_time() - began
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps([took, int(status["VmHWM"].split()[0]) * 1024]))
"""
ARGUMENTS = 'app_id="3", key="a-key", secret="a-secret"'
STATEMENTS = {
    "pusherkit": "import pusherkit",
    "httpx": "import httpx",
    "Client": f"import pusherkit; pusherkit.Client(pusherkit.Credentials({ARGUMENTS}))",
    "PyPI pusher": f"import pusher; pusher.Pusher({ARGUMENTS})",
}
PAIRS = (
    ("import pusherkit ÷ import httpx", "pusherkit", "httpx", Target("≤", 1.15)),
    ("pusherkit with a Client ÷ PyPI pusher with a client", "Client", "PyPI pusher", None),
)
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one fresh process needed."""

    seconds: float
    peak_bytes: int


def cost_of(statement: str) -> Callable[[], Cost]:
    """Work that runs a statement in a fresh interpreter."""
    command = [sys.executable, "-c", CHILD.format(statement=statement)]

    def run() -> Cost:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=START_SECONDS
        )
        return Cost(*json.loads(ended.stdout))

    return run


def run(run: Run) -> Iterator[Row]:
    """Time and memory of each pair."""
    statements = dict(STATEMENTS)
    missing = ""
    try:
        peers.pypi_pusher()
    except peers.Missing as absent:
        missing = str(absent)
        del statements["PyPI pusher"]
    works = {name: cost_of(statement) for name, statement in statements.items()}
    costs = run.interleave("imports: fresh processes", works, run.pick(full=40, quick=5))
    for figure, one, other, target in PAIRS:
        if other not in costs:
            yield Row(figure=f"{figure}: time", target=target, missing=missing)
            yield Row(figure=f"{figure}: peak memory", missing=missing)
            continue
        seconds = [[cost.seconds for cost in costs[name]] for name in (one, other)]
        peaks = [[cost.peak_bytes / MEBIBYTE for cost in costs[name]] for name in (one, other)]
        yield Row(
            figure=f"{figure}: time",
            ratio=ratio(*seconds),
            target=target,
            measured=against(*seconds),
            if_missed="It goes to running pusherkit's own modules: python -X importtime lists them",
        )
        yield Row(
            figure=f"{figure}: peak memory",
            ratio=ratio(*peaks),
            measured=f"{max(peaks[0]):.1f} MiB against {max(peaks[1]):.1f} MiB",
        )
