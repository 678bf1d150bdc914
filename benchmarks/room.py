"""A real class, as `pusherkit class` starts it, and the people in it, as far as they're HTTP.

Nothing here draws a page: a learner's browser is on the learner's own machine.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from benchmarks import peers
from benchmarks.processes import Server, free_port, process
from pusherkit.classroom.roster import Roster
from pusherkit.credentials import Credentials
from pusherkit.lab import FIRST_LESSON

TRAINER = "trainer"
PROXY = "configurable-http-proxy"
OPEN = "To stop, press Ctrl+C here."  # what the command says once learners can come
STOP_SECONDS = 90.0  # for the command, which stops everybody's server first
COME_IN_SECONDS = 300.0  # for a learner to be in: all of a class start at once
CELL_SECONDS = 120.0  # for one cell, while everybody's run
LOG_END = 4_000  # characters of the hub's log that an error brings along
LOOK_SECONDS = 0.25  # between two looks whether a server is up


@dataclass(frozen=True, slots=True)
class Room:
    """A class that runs. `url` is the hub's address, with a slash at its end."""

    folder: Path
    url: str
    pid: int

    def links(self) -> dict[str, str]:
        """Everybody's invitation; the trainer's, too."""
        with (self.folder / "links.csv").open(encoding="utf-8", newline="") as opened:
            return dict(list(csv.reader(opened))[1:])

    def names(self) -> list[str]:
        """The learners' names."""
        return [name for name in self.links() if name != TRAINER]

    def credentials(self, names: Sequence[str]) -> list[Credentials]:
        """What learners sign with, for the wall's API as this machine reaches it."""
        kept = json.loads((self.folder / "class.json").read_text(encoding="utf-8"))
        roster = Roster((self.folder / "wall" / "secret").read_text(encoding="ascii").strip())
        api = f"http://127.0.0.1:{kept['ports']['api']}"
        return [roster.credentials(name, api) for name in names]

    def processes(self) -> dict[str, Any]:
        """The class's processes by name: command, hub, wall, proxy, and each learner's two.

        A learner's are "server NAME" and "kernel NAME".
        """
        import psutil

        command = psutil.Process(self.pid)
        found = {"command": command}
        for each in command.children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if name := _part(each.cmdline(), each.environ()):
                    found[name] = each
        return found

    def wall(self) -> Server:
        """The wall's process, with the trainer's credentials."""
        (credentials,) = self.credentials([TRAINER])
        return Server("the wall", credentials, self.processes()["wall"].pid)


def _part(command: Sequence[str], environment: dict[str, str]) -> str:
    """What a process is to the class; "" for none of its parts."""
    said = " ".join(command)
    name = environment.get("JUPYTERHUB_USER", "")
    if PROXY in said:
        return "proxy"
    if "ipykernel_launcher" in said:
        return f"kernel {name}"
    if "pusherkit.classroom.learner" in said:
        return f"server {name}"
    if "pusherkit wall" in said:
        return "wall"
    return "hub" if "jupyterhub" in command else ""


def pss(pid: int) -> int:
    """A process's bytes, with its part of those that it shares (its proportional set size)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    (kilobytes,) = re.findall(r"^Pss:\s+(\d+) kB", rollup, flags=re.MULTILINE)
    return int(kilobytes) * 1024


def cpu_seconds(processes: Sequence[Any]) -> float:
    """The CPU time that processes and the children they've waited for have had."""
    return sum(sum(each.cpu_times()[:4]) for each in processes)


def needed() -> None:
    """Raise Missing for what a class can't do without."""
    for module, extra in (("jupyterhub", "class"), ("psutil", "test")):
        if importlib.util.find_spec(module) is None:
            raise peers.Missing(f'{module} (pip install -e ".[{extra}]")')
    if not Path("/proc/self/smaps_rollup").exists():
        raise peers.Missing("Linux, which says how much memory a process shares")
    if shutil.which(PROXY) is None and shutil.which("npm") is None:
        raise peers.Missing("npm, which installs the hub's proxy")


@contextmanager
def room(folder: Path, names: Sequence[str], title: str = "Measured") -> Iterator[Room]:
    """`pusherkit class` in a folder, from when it's open until everybody's server has stopped."""
    port = free_port()
    who = folder.with_name(f"{folder.name}-names")
    who.write_text("\n".join(names), encoding="utf-8")
    command = [sys.executable, "-m", "pusherkit", "class", f"--names={who}", f"--title={title}"]
    command += [f"--dir={folder}", f"--port={port}"]
    path = os.pathsep.join([str(peers.ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with process(
        command,
        lambda said: OPEN if OPEN in said else None,
        stop_seconds=STOP_SECONDS,
        env=os.environ | {"PYTHONPATH": path},
    ) as (child, _):
        # The next class finds the proxy that npm has installed for this one.
        own = str(folder / "hub" / "node_modules" / ".bin")
        if shutil.which(PROXY) is None:
            os.environ["PATH"] += os.pathsep + own
        try:
            yield Room(folder, f"http://127.0.0.1:{port}/", child.pid)
        except Exception as error:
            log = (folder / "hub" / "log").read_text(encoding="utf-8", errors="replace")
            error.add_note(f"The hub's log ends with:\n{log[-LOG_END:]}")
            raise


class Person(httpx.Client):
    """Somebody's browser, without what it draws."""

    def __init__(self, room: Room, name: str) -> None:
        super().__init__(follow_redirects=True, timeout=COME_IN_SECONDS, trust_env=False)
        self.room, self.name = room, name
        self._invitation = room.links()[name]
        self._server = f"{room.url}user/{quote(name)}/"

    def opens_the_wall(self) -> str:
        """Come in to the wall; the cookies with which its WebSocket is opened."""
        self.get(f"{self._invitation}/wall").raise_for_status()
        return self._cookie(f"{self.room.url}services/wall/")

    def comes_in(self) -> None:
        """Open the invitation, and wait until the lesson's page is there."""
        deadline = time.monotonic() + COME_IN_SECONDS
        while not str((page := self.get(self._invitation)).url).startswith(self._server):
            assert page.status_code in (200, 503), f"{page.status_code} {page.text[:500]}"
            assert time.monotonic() < deadline, f"{self.name} isn't in: {page.text[:500]}"
            time.sleep(LOOK_SECONDS)
        page.raise_for_status()

    def opens(self, notebook: str = FIRST_LESSON) -> Lesson:
        """Open a notebook with a kernel of its own, as its page does."""
        made = self.post(
            f"{self._server}api/sessions",
            headers={"X-XSRFToken": self._xsrf()},
            json={
                "path": notebook,
                "name": notebook,
                "type": "notebook",
                "kernel": {"name": "python3"},
            },
        )
        made.raise_for_status()
        channels = f"{self._server}api/kernels/{made.json()['kernel']['id']}/channels"
        return Lesson(channels.replace("http", "ws", 1), self._cookie(channels))

    def _xsrf(self) -> str:
        (token,) = (
            each.value or ""
            for each in self.cookies.jar
            if each.name == "_xsrf" and self._server.endswith(each.path)
        )
        return token

    def _cookie(self, url: str) -> str:
        return self.build_request("GET", url).headers["Cookie"]


class Lesson:
    """An open notebook: its kernel's channels, through the hub's proxy."""

    def __init__(self, url: str, cookies: str) -> None:
        from websockets.sync.client import connect

        self._session = uuid.uuid4().hex
        self._channels = connect(
            f"{url}?session_id={self._session}",
            additional_headers={"Cookie": cookies},
            max_size=None,
            open_timeout=COME_IN_SECONDS,
            proxy=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._channels.close()

    def runs(self, code: str) -> None:
        """Run a cell. It may not fail."""
        told = uuid.uuid4().hex
        header = {
            "msg_id": told,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "date": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        self._channels.send(json.dumps({**message, "content": content}))
        answered = idle = False
        while not (answered and idle):
            heard = json.loads(self._channels.recv(timeout=CELL_SECONDS))
            if heard["parent_header"].get("msg_id") != told:
                continue
            assert heard["msg_type"] != "error", heard["content"]
            answered |= heard["msg_type"] == "execute_reply"
            idle |= heard["content"].get("execution_state") == "idle"
