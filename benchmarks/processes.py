"""Servers and workers, each in a process of its own, so that one's work is not another's."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from benchmarks import peers
from pusherkit import Credentials
from pusherkit.sandbox import PRACTICE_CREDENTIALS

HOST = "127.0.0.1"
START_SECONDS = 60.0  # for a process to answer; the slowest takes about 5
TURN_SECONDS = 120.0  # for one turn of a worker; a stuck one is ended
STOP_SECONDS = 15.0  # soketi takes about 3

# A server has a CPU of its own, and who loads it the others. Where the kernel may put both on one,
# an answer that is sent waits until the server has nothing more to do.
CPUS = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
SERVERS_CPUS, CLIENTS_CPUS = (CPUS[:1], CPUS[1:]) if len(CPUS) > 1 else (CPUS, CPUS)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and whom it serves."""

    name: str
    credentials: Credentials
    pid: int

    @property
    def port(self) -> int:
        return int(self.credentials.base_url.rpartition(":")[2])

    def resident_bytes(self) -> int:
        """The server's memory at this moment. Linux only."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        found = re.search(r"VmRSS:\s*(\d+) kB", status)
        assert found, f"the {self.name} is gone"
        return int(found[1]) * 1024

    def cpu_seconds(self) -> float:
        """The CPU time that all threads of the server have had. Linux only."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


def free_port() -> int:
    """A port of this machine that nobody has now."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def _only_on(cpus: Collection[int]) -> Iterator[None]:
    """What is started in here runs on these CPUs. Linux only; elsewhere, on any."""
    if not CPUS:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)  # children have it from their parent
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def process(
    command: Sequence[str | Path],
    ready: Callable[[str], str | None],
    *,
    cpus: Collection[int] = CPUS,
    stop_seconds: float = STOP_SECONDS,
    **options: Any,
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a command. `ready` sees its output so far, and returns something once it is up."""
    with tempfile.TemporaryFile() as output:
        with _only_on(cpus):
            child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (found := ready(said := os.pread(output.fileno(), 65_536, 0).decode())):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start:\n{said}")
                time.sleep(0.01)  # between two looks
            yield child, found
        finally:
            child.terminate()
            try:
                child.wait(stop_seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def practice_server() -> Iterator[Server]:
    """`pusherkit sandbox` on a free port."""
    command = [str(Path(sys.executable).with_name("pusherkit")), "sandbox", "--port", "0"]

    def url(said: str) -> str | None:
        found = re.search(r"PUSHER_HOST=(\S+)\n#", said)
        return found and found[1]

    with process(command, url, cpus=SERVERS_CPUS) as (child, found):
        yield Server("practice server", replace(PRACTICE_CREDENTIALS, base_url=found), child.pid)


@contextmanager
def distant(server: Server, milliseconds: float) -> Iterator[Server]:
    """The same server, behind a proxy that makes each round trip so much longer."""
    command = [sys.executable, "-m", "benchmarks.distance", str(server.port), str(milliseconds)]

    def port(said: str) -> str | None:
        found = re.fullmatch(r"port (\d+)\n", said)
        return found and found[1]

    with process(command, port, cpus=SERVERS_CPUS, cwd=peers.ROOT) as (_, found):
        credentials = replace(server.credentials, base_url=f"http://{HOST}:{found}")
        yield replace(server, credentials=credentials)


@contextmanager
def soketi() -> Iterator[Server]:
    """soketi with the same app, without limits, on this machine only. Raises Missing."""
    command = peers.soketi()
    credentials = replace(PRACTICE_CREDENTIALS, base_url=f"http://{HOST}:{free_port()}")
    unlimited = (
        *("maxConnections", "maxBackendEventsPerSecond"),
        *("maxClientEventsPerSecond", "maxReadRequestsPerSecond"),
    )
    app = {
        "id": credentials.app_id,
        "key": credentials.key,
        "secret": credentials.secret,
        "enabled": True,
        "webhooks": [],
        **dict.fromkeys(unlimited, -1),
    }
    settings = {
        "host": HOST,
        "port": int(credentials.base_url.rpartition(":")[2]),
        "metrics.host": HOST,
        "metrics.port": free_port(),
        # Without these three it broadcasts to the whole network.
        "cluster.address": HOST,
        "cluster.unicast": HOST,
        "cluster.port": free_port(),
        "appManager.array.apps": [app],
    }

    def answers(_: str) -> str | None:
        try:
            with urllib.request.urlopen(f"{credentials.base_url}/ready", timeout=1) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "soketi.json")
        file.write_text(json.dumps(settings), encoding="utf-8")
        arguments = [*command, "start", f"--config={file}"]
        with process(arguments, answers, cpus=SERVERS_CPUS, cwd=folder) as (child, _):
            yield Server("soketi", credentials, child.pid)


class Worker:
    """A child that takes orders, a line of JSON each, and answers each with one."""

    def __init__(self, command: Sequence[str | Path], server: Server) -> None:
        credentials = server.credentials
        about = {
            "host": HOST,
            "port": server.port,
            "app_id": credentials.app_id,
            "key": credentials.key,
            "secret": credentials.secret,
        }
        self._name = str(command[-1])
        with _only_on(CLIENTS_CPUS):
            self._child = subprocess.Popen(
                [*command, json.dumps(about)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=peers.ROOT,
                env=os.environ | {"NODE_PATH": str(peers.node_modules())},
                text=True,
            )

    def ask(self, **order: Any) -> Any:
        """Give an order and wait for its answer."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        watchdog = threading.Timer(TURN_SECONDS, self._child.kill)
        watchdog.start()
        try:
            answer = self._child.stdout.readline()
        finally:
            watchdog.cancel()
        if not answer:
            raise RuntimeError(f"worker {self._name} ended at {order}; it says why above")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()  # no more orders: it ends
        self._child.stdout.close()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def python_worker(module: str, server: Server, *arguments: str) -> Worker:
    """A worker that is a module of this package."""
    return Worker([sys.executable, "-m", f"benchmarks.{module}", *arguments], server)
