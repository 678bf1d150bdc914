"""A real class: `pusherkit class` with JupyterHub, its proxy, the wall and learners' own servers.

`open_class` starts one and stops it with Ctrl+C; `room` is one that the tests of a file share.
They are skipped where jupyterhub or configurable-http-proxy is missing.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from websockets import Origin
from websockets.sync.client import ClientConnection, connect

from pusherkit import Client
from pusherkit.classroom.roster import Roster
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 90  # for a hub, or a learner's server, on a machine that others use, too
PATHS = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
LOOK_SECONDS = 0.2  # between two looks; the deadline is what counts
NAMES = ["zoë", "Anna Lena", "03"]


@dataclass
class Room:
    """A running class. `url` is its hub's base URL, with a slash at the end."""

    folder: Path
    url: str
    process: subprocess.Popen[str]
    printed: Path

    def said(self) -> str:
        """What the command has printed so far."""
        return self.printed.read_text(encoding="utf-8")

    def log(self) -> str:
        """What the hub, the wall and the learners' servers have said."""
        return (self.folder / "hub" / "log").read_text(encoding="utf-8")

    def link(self, name: str) -> str:
        """Somebody's invitation."""
        with (self.folder / "links.csv").open(encoding="utf-8", newline="") as opened:
            return dict(csv.reader(opened))[name]

    def server(self, name: str) -> str:
        """The URL of a learner's server, with a slash at the end."""
        return f"{self.url}user/{quote(name)}/"

    def home(self, name: str) -> Path:
        """A learner's home."""
        return self.folder / "homes" / name

    def ports(self) -> dict[str, int]:
        """The ports only this machine's programs use: the hub's, its proxy's, the wall's two."""
        found: dict[str, int] = json.loads((self.folder / "class.json").read_bytes())["ports"]
        return found

    def client(self, name: str, secret_of: str = "") -> Client:
        """A learner's Client for the wall; with `secret_of`, it signs with another's secret."""
        secret = (self.folder / "wall" / "secret").read_text(encoding="ascii").strip()
        api = f"http://127.0.0.1:{self.ports()['api']}"
        mine, used = (Roster(secret).credentials(each, api) for each in (name, secret_of or name))
        return Client(replace(mine, secret=used.secret), timeout=START_SECONDS)

    def stop(self) -> str:
        """Press Ctrl+C, and return everything it printed."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.said()
        return self.said()


class Person(httpx.Client):
    """Somebody's browser, as far as cookies and redirects go."""

    def __init__(self) -> None:
        # This machine's proxy variables don't apply to requests to itself.
        super().__init__(follow_redirects=True, timeout=START_SECONDS, trust_env=False)

    def comes_in(self, room: Room, name: str) -> httpx.Response:
        """Open an invitation, wait until the server is up, and return the page that's shown."""
        deadline = time.monotonic() + START_SECONDS
        while not (page := self.get(room.link(name))).url.path.startswith(
            httpx.URL(room.server(name)).path
        ):
            assert page.status_code in (200, 503), room.log()
            assert time.monotonic() < deadline, room.log()
            time.sleep(LOOK_SECONDS)
        return page

    def comes_to_the_wall(self, room: Room, name: str) -> httpx.Response:
        """Open the link that ends at the wall's page."""
        return self.get(f"{room.link(name)}/wall")

    def listens(self, room: Room, path: str, **options: Any) -> ClientConnection:
        """A WebSocket under the class's address, as one of the hub's pages opens it."""
        url = room.url + path
        return connect(
            url.replace("http", "ws", 1),
            additional_headers={"Cookie": self.cookies_for(url)},
            origin=Origin(room.url.removesuffix(httpx.URL(room.url).path)),
            max_size=None,
            open_timeout=START_SECONDS,  # a kernel's is there once the kernel is
            proxy=None,
            **options,
        )

    def xsrf(self, below: str) -> dict[str, str]:
        """The header sent by pages of one of the hub's programs, whose URL ends with a slash."""
        tokens = [
            each.value
            for each in self.cookies.jar
            if each.name == "_xsrf" and unquote(below).endswith(unquote(each.path))
        ]
        assert tokens, [(each.name, each.path) for each in self.cookies.jar]
        (token,) = tokens
        return {"X-XSRFToken": token or ""}

    def cookies_for(self, url: str) -> str:
        """The Cookie header of a request to a URL."""
        return self.build_request("GET", url).headers.get("Cookie", "")

    def runs(self, room: Room, name: str, code: str) -> str:
        """Run code in a new kernel of a learner's server; what it prints."""
        server = room.server(name)
        xsrf = self.xsrf(server)
        made = self.post(f"{server}api/kernels", headers=xsrf, json={})
        assert made.status_code == 201, made.text
        kernel = f"{server}api/kernels/{made.json()['id']}"
        session = uuid.uuid4().hex
        message = {
            "channel": "shell",
            "header": {
                "msg_id": uuid.uuid4().hex,
                "msg_type": "execute_request",
                "session": session,
                "username": "",
                "date": "",
                "version": "5.3",
            },
            "parent_header": {},
            "metadata": {},
            "content": {"code": code, "silent": False, "allow_stdin": False},
        }
        printed = ""
        path = f"{kernel.removeprefix(room.url)}/channels?session_id={session}"
        with self.listens(room, path) as channels:
            channels.send(json.dumps(message))
            for each in map(json.loads, channels):
                if each["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                    continue
                if each["msg_type"] == "stream":
                    printed += each["content"]["text"]
                assert each["msg_type"] != "error", each["content"]
                if each["content"].get("execution_state") == "idle":
                    break
        self.delete(kernel, headers=xsrf)
        return printed


OpenClass = Callable[..., AbstractContextManager[Room]]


@pytest.fixture(scope="session")
def open_class() -> OpenClass:
    """Open a class in a folder, with more options for the command line."""
    pytest.importorskip("jupyterhub", reason='JupyterHub is missing: pip install -e ".[class]"')
    if not shutil.which("configurable-http-proxy"):
        pytest.skip("configurable-http-proxy is missing: npm install -g configurable-http-proxy")
    return opened


@contextmanager
def opened(folder: Path, *words: str, base_url: str = "/", port: int = 0) -> Iterator[Room]:
    """`pusherkit class` in a folder, from when it's open until Ctrl+C."""
    port = port or free_port()
    printed = folder.with_name(f"{folder.name}.printed")
    with printed.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pusherkit", "class"),
                *(f"--dir={folder}", f"--port={port}", f"--base-url={base_url}", *words),
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([*PATHS, str(ROOT)])},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    room = Room(folder, f"http://127.0.0.1:{port}{base_url}", process, printed)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "To stop, press Ctrl+C here." not in room.said():
            assert process.poll() is None, room.said()
            assert time.monotonic() < deadline, room.log()
            time.sleep(LOOK_SECONDS)
        yield room
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def room(open_class: OpenClass, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A class of NAMES, whose hub is under a path."""
    folder = tmp_path_factory.mktemp("rooms")
    names = folder / "names"
    names.write_text("\n".join(NAMES), encoding="utf-8")
    with open_class(
        folder / "class", f"--names={names}", "--title=A test", base_url="/a/b/"
    ) as made:
        yield made


@pytest.fixture
def person() -> Iterator[Person]:
    """A fresh browser."""
    with Person() as made:
        yield made


@pytest.fixture
def another() -> Iterator[Person]:
    """Somebody else's fresh browser."""
    with Person() as made:
        yield made
