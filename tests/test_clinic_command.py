"""`pusherkit clinic` as a process: what it prints and keeps, how it ends, who can't harm it."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from pusherkit import Client, Credentials, RateLimited, Unauthorized, cli
from pusherkit.clinic import command, terminal
from pusherkit.clinic.api import RATE, Clinic
from pusherkit.clinic.capstone import CLINIC_CREDENTIALS, GOALS, TEXT, Mark, State, to_text
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox import server as server_module

from .conftest import NOW, Clock

PUSHERKIT = Path(sys.executable).with_name("pusherkit")
EXAMPLE = Path(__file__).parents[1] / "examples" / "capstone.py"
SHOWN = Mark(met=float(NOW), said="Shown.")
NEARLY = State(run="3", began=NOW, marks={goal.id: SHOWN for goal in GOALS[:-1]})
ONE = State(run="3", began=NOW, marks={"batch": SHOWN})


class Process:
    """`pusherkit clinic` in a folder of its own."""

    def __init__(self, folder: Path, *options: str, **how: Any) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pusherkit", "clinic", "--port=0", *options],
            cwd=folder,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **how},
        )
        self.credentials = CLINIC_CREDENTIALS

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def opens(self) -> list[str]:
        """What it says before anything came; afterwards its address is known."""
        lines = [self.line()]
        while not lines[-1].startswith("# Stop it"):
            lines.append(self.line())
        exports = shlex.split("\n".join(lines), comments=True)
        settings = dict(word.split("=", 1) for word in exports if word != "export")
        self.credentials = Credentials.from_env(settings)
        return lines

    def plays(self, *goals: str) -> None:
        """Let the example do some goals."""
        subprocess.run(
            [sys.executable, EXAMPLE, *goals],
            env=os.environ | self.credentials.to_env(),
            check=True,
            timeout=60,
        )

    def ends(self, number: int | None = signal.SIGINT) -> tuple[str, int]:
        """Stop it, or wait for its own end: the rest of what it printed, and its exit status."""
        if number is not None:
            self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=20)
        return rest.decode(), self.process.returncode


Starts = Callable[..., Process]


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Starts]:
    started = []

    def start(*options: str, **how: Any) -> Process:
        started.append(Process(tmp_path, *options, **how))
        return started[-1]

    yield start
    for clinic in started:
        if clinic.process.poll() is None:
            clinic.process.kill()
        clinic.process.wait()
        if clinic.process.stdout is not None:
            clinic.process.stdout.close()


def keeps(folder: Path, state: State) -> None:
    (folder / command.STATE_FILE).write_text(to_text(state), encoding="utf-8")


# --- what it prints, and how it ends ------------------------------------------------------------


def test_it_prints_its_settings_and_a_line_for_what_is_new(starts: Starts) -> None:
    clinic = starts()
    lines = clinic.opens()
    assert lines[1] == f"export PUSHER_APP_ID={CLINIC_CREDENTIALS.app_id}"
    assert (
        lines[5]
        == f"# The tasks: {clinic.credentials.base_url}/clinic.html in a browser, /clinic for curl"
    )
    tasks = httpx.get(f"{clinic.credentials.base_url}/clinic").text
    assert f"curl -X POST '{clinic.credentials.base_url}/apps/" in tasks
    clinic.plays("event")
    assert clinic.line().startswith(f"shown  2 An event beyond ASCII: {TEXT} arrived in ")
    rest, status = clinic.ends()
    assert (rest, status) == ("# 1 of 9 shown.\n", 1)


def test_ctrl_c_loses_nothing_and_fresh_begins_again(starts: Starts, tmp_path: Path) -> None:
    first = starts()
    first.opens()
    first.plays("event")
    first.plays("get")
    assert first.ends()[1] == 1
    second = starts()
    second.opens()
    assert second.line() == "# Going on from last time: 2 of 9 shown. --fresh starts over."
    second.ends(signal.SIGTERM)
    third = starts("--fresh")
    third.opens()
    assert third.ends() == ("# 0 of 9 shown.\n", 1)
    assert stat.S_IMODE((tmp_path / command.STATE_FILE).stat().st_mode) == 0o600


def test_once_it_ends_by_itself_with_0_and_leaves_a_page(starts: Starts, tmp_path: Path) -> None:
    keeps(tmp_path, NEARLY)
    clinic = starts("--once")
    clinic.opens()
    clinic.plays("report")
    rest, status = clinic.ends(None)
    assert status == 0
    assert "shown  9 Your results, signed: Signed by your program, and verified." in rest
    assert rest.endswith("# The page to keep: pusherkit-clinic.html\n# 9 of 9 shown.\n")
    assert rest.count("The page to keep") == 1
    assert "Signed as: <bdi>Python</bdi>." in (tmp_path / command.PAGE_FILE).read_text(
        encoding="utf-8"
    )
    again = starts("--once")
    again.opens()
    assert again.ends(None)[1] == 0


def test_the_page_is_named_as_soon_as_it_is_there(starts: Starts, tmp_path: Path) -> None:
    keeps(tmp_path, NEARLY)
    clinic = starts()
    clinic.opens()
    assert clinic.line().startswith("# Going on")
    assert {clinic.line()[:6] for _ in GOALS[:-1]} == {"shown "}
    clinic.plays("report")
    assert clinic.line().startswith("shown  9")
    assert clinic.line() == "# The page to keep: pusherkit-clinic.html"
    assert clinic.ends() == ("# 9 of 9 shown.\n", 0)


def test_in_a_terminal_the_page_is_named_under_the_list(tmp_path: Path) -> None:
    finished = replace(NEARLY, marks={**NEARLY.marks, "report": SHOWN})
    with (tmp_path / "screen").open("w+", encoding="utf-8") as stream:
        screen = command._Screen(stream, terminal.plain)
        screen.show(NEARLY, "", "")
        screen.show(finished, "", "pusherkit-clinic.html")
        screen.end(finished, "pusherkit-clinic.html", "")
        stream.seek(0)
        first, second, third = stream.read().split("\x1b[J")
    assert "page to keep" not in first
    for drawn in (second, third):
        assert "9 of 9 shown\n  The page to keep: pusherkit-clinic.html\n" in drawn


def test_output_names_the_page_and_gets_it_finished_or_not(starts: Starts, tmp_path: Path) -> None:
    clinic = starts("--output", "my.html")
    clinic.opens()
    rest, status = clinic.ends()
    assert (rest, status) == ("# The page to keep: my.html\n# 0 of 9 shown.\n", 1)
    assert "0 of 9, judged by what" in (tmp_path / "my.html").read_text(encoding="utf-8")
    nowhere = starts("--output", "no/such/page.html")
    said = "pusherkit clinic: --output: there is no folder no/such. Make it first.\n"
    assert nowhere.ends(None) == (said, 1)
    taken = starts("--output", ".")
    taken.opens()
    assert "# . can't be written" in taken.ends()[0]


def test_json_is_an_object_a_line(starts: Starts, tmp_path: Path) -> None:
    keeps(tmp_path, ONE)
    clinic = starts("--json")
    opened = json.loads(clinic.line())
    assert opened["kind"] == "open"
    assert opened["settings"]["PUSHER_KEY"] == CLINIC_CREDENTIALS.key
    assert opened["said"].startswith("Going on from last time")
    clinic.credentials = Credentials.from_env(opened["settings"])
    assert json.loads(clinic.line())["id"] == "batch"
    wrong = Credentials(
        app_id="6855671",
        key="clinic-key",
        secret="practice-secret",
        base_url=clinic.credentials.base_url,
    )
    with Client(wrong) as client, pytest.raises(Unauthorized):
        client.trigger("order-41", "status", TEXT)
    told = json.loads(clinic.line())
    assert (told["kind"], told["id"], told["met"]) == ("goal", "event", False)
    assert told["mistakes"] == ["another-apps-secret"]
    httpx.get(f"{clinic.credentials.base_url}/nowhere")
    assert json.loads(clinic.line())["kind"] == "also"
    rest, _ = clinic.ends()
    end = json.loads(rest)
    assert (end["kind"], end["shown"], end["of"], end["page"]) == ("end", 1, 9, None)
    assert end["open"] == [goal.id for goal in GOALS if goal.id != "batch"]


def test_a_taken_port_is_a_sentence(starts: Starts) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        clinic = starts("--port", str(taken.getsockname()[1]))
        said, status = clinic.ends(None)
    assert status == 1
    assert said.startswith("pusherkit clinic: Port ")


def test_settings_for_an_official_client(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clinic", "--settings-for", "node"]) == 0
    said = capsys.readouterr().out
    assert CLINIC_CREDENTIALS.secret in said
    assert "port: 8124" in said
    assert cli.main(["clinic", "--settings-for", "node", "--port", "0"]) == 1
    assert "needs the port" in capsys.readouterr().err


# --- the terminal -------------------------------------------------------------------------------

pty = pytest.importorskip("pty") if sys.platform == "win32" else __import__("pty")


def in_a_terminal(starts: Starts, **environment: str) -> str:
    """What a terminal gets while one goal is shown and another fails."""
    ours, theirs = pty.openpty()
    how = {"stdout": theirs, "env": os.environ | {"TERM": "xterm", **environment}}
    clinic = starts("--fresh", **how)
    os.close(theirs)
    got = ""

    def until(text: str) -> None:
        nonlocal got
        deadline = time.monotonic() + 20
        while text not in got:
            ready, _, _ = select.select([ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, got
            try:
                got += os.read(ours, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                return

    until("0 of 9 shown" if environment.get("TERM") != "dumb" else "Stop it with")
    (url,) = re.findall(r"PUSHER_HOST=(\S+)", got)
    clinic.credentials = Credentials(
        app_id="6855671", key="clinic-key", secret=CLINIC_CREDENTIALS.secret, base_url=url
    )
    with Client(clinic.credentials) as client:
        client.trigger("order-41", "status", TEXT)
        client.channel_info("presence-couriers", info=["subscription_count"])
        httpx.get(f"{url}/no\u202esuch/path")
    until("none of its values has a comma")
    until("No such path")
    clinic.process.send_signal(signal.SIGINT)
    until("\0 until the end")
    os.close(ours)
    assert clinic.process.wait(20) == 1
    return got


def test_in_a_terminal_the_list_is_drawn_again_in_its_place(starts: Starts) -> None:
    got = in_a_terminal(starts)
    assert "\x1b[32m✓\x1b[0m 2  An event beyond ASCII" in got
    assert "\x1b[31m✗\x1b[0m 3  A GET with a comma" in got
    assert re.search(r"\x1b\[\d+A\r\x1b\[J", got)
    assert "\u202e" not in got


def test_no_color_leaves_colours_out_and_a_dumb_terminal_gets_lines(starts: Starts) -> None:
    assert not re.search(r"\x1b\[\d*m", in_a_terminal(starts, NO_COLOR="1"))
    assert "\x1b" not in in_a_terminal(starts, TERM="dumb")


def test_who_leaves_the_pipe_ends_nothing(starts: Starts, tmp_path: Path) -> None:
    clinic = starts(stderr=subprocess.DEVNULL)
    clinic.opens()
    assert clinic.process.stdout is not None
    clinic.process.stdout.close()
    for goal in ("event", "get"):
        clinic.plays(goal)
    clinic.process.send_signal(signal.SIGINT)
    assert clinic.process.wait(20) == 1
    kept = json.loads((tmp_path / command.STATE_FILE).read_text(encoding="utf-8"))
    assert kept["marks"]["get"]["met"]


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['{"format": 99}', "x" * (command.MAX_STATE_BYTES + 1)])
def test_a_file_that_cannot_be_read_is_put_aside_with_a_sentence(
    starts: Starts, tmp_path: Path, text: str
) -> None:
    (tmp_path / command.STATE_FILE).write_text(text, encoding="utf-8")
    clinic = starts()
    clinic.opens()
    assert "starting from zero; the old file is now .pusherkit-clinic.old.json." in clinic.line()
    clinic.plays("event")
    assert clinic.line().startswith("shown  2")
    assert (tmp_path / ".pusherkit-clinic.old.json").read_text(encoding="utf-8") == text
    assert clinic.ends()[1] == 1


def test_no_file_that_was_put_aside_is_lost(starts: Starts, tmp_path: Path) -> None:
    texts = ("", '{"format": 99}')
    for text in texts:
        (tmp_path / command.STATE_FILE).write_text(text, encoding="utf-8")
        clinic = starts()
        clinic.opens()
        assert "You're starting from zero; the old file is" in clinic.line()
        clinic.ends()
    kept = [(tmp_path / f".pusherkit-clinic.{old}.json") for old in ("old", "old-2")]
    assert tuple(file.read_text(encoding="utf-8") for file in kept) == texts


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_put_aside_too(starts: Starts, tmp_path: Path, make: Any) -> None:
    make(tmp_path / command.STATE_FILE)
    clinic = starts()
    clinic.opens()
    said = clinic.line()
    assert "It isn't a file." in said
    assert "the old file is now .pusherkit-clinic.old.json" in said
    aside = tmp_path / ".pusherkit-clinic.old.json"
    assert aside.exists()
    assert not aside.is_file()
    clinic.plays("event")
    assert clinic.ends()[1] == 1
    assert (tmp_path / command.STATE_FILE).is_file()


def test_a_clinic_that_cannot_begin_leaves_the_file_alone(tmp_path: Path, starts: Starts) -> None:
    (tmp_path / command.STATE_FILE).write_text("", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        clinic = starts("--port", str(taken.getsockname()[1]))
        assert clinic.process.wait(20) == 1
    assert os.listdir(tmp_path) == [str(command.STATE_FILE)]


def test_of_two_clinics_in_a_folder_one_keeps_what_it_saw(starts: Starts, tmp_path: Path) -> None:
    first = starts()
    first.opens()
    second = starts()
    second.opens()
    second.line()
    second.plays("event")
    assert second.line().startswith("shown  2")
    first.plays("get")
    assert first.line().startswith("shown  3")
    assert "perhaps by another clinic in this folder" in first.line()
    assert "perhaps by another clinic in this folder" in first.ends()[0]
    assert "perhaps" not in second.ends()[0]
    kept = json.loads((tmp_path / command.STATE_FILE).read_text(encoding="utf-8"))
    assert kept["marks"]["event"]["met"]


def test_the_page_does_not_go_over_the_file(starts: Starts, tmp_path: Path) -> None:
    clinic = starts("--output", f"../{tmp_path.name}/{command.STATE_FILE}")
    assert clinic.process.wait(20) == 1
    assert not os.listdir(tmp_path)


def test_where_nothing_can_be_written_it_goes_on_and_says_so(
    starts: Starts, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    clinic = starts()
    clinic.opens()
    eventually((tmp_path / command.STATE_FILE).exists)  # after the settings
    (tmp_path / command.STATE_FILE).unlink()
    (tmp_path / command.STATE_FILE).mkdir()
    clinic.plays("get")
    assert clinic.line().startswith("shown  3")
    assert "can't be written" in clinic.line()
    clinic.plays("event")
    assert clinic.line().startswith("shown  2")
    rest, _ = clinic.ends()
    assert "so this is kept only while it runs" in rest
    assert os.listdir(tmp_path) == [str(command.STATE_FILE)]


# --- who can't harm it --------------------------------------------------------------------------


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Clinic]:
    """A clinic behind sockets, whose patience with an unfinished request is short.

    Its clock stands still, at the time at which the test began.
    """
    clock.now = time.time()
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 0.3)
    build = partial(Clinic, state=State(run="3", began=int(clock.now)))
    with SandboxServer(CLINIC_CREDENTIALS, build=build, clock=clock) as server:
        assert isinstance(server.sandbox, Clinic)
        server.sandbox.url = server.url
        yield server.sandbox


def still_works(clinic: Clinic) -> None:
    app = CLINIC_CREDENTIALS
    here = Credentials(app_id=app.app_id, key=app.key, secret=app.secret, base_url=clinic.url)
    with Client(here, retries=2) as client:
        client.trigger("order-41", "status", TEXT)
    assert clinic.state.met("event")


def connected(clinic: Clinic) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(clinic.url.rpartition(":")[2])), timeout=10)


HALF = (
    b"POST /apps/6855671/events?a=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    b'{"name":'
)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_client_that_stops_in_the_middle_gets_a_sentence(
    clinic: Clinic, eventually: Callable[[Callable[[], object]], None], hangs_up: bool
) -> None:
    with connected(clinic) as half:
        half.sendall(HALF)
        if hangs_up:
            half.close()
        eventually(lambda: "Content-Length says 100 bytes, and 8 came" in clinic.state.latest)
    still_works(clinic)


def test_many_that_hang_hold_nobody_up(clinic: Clinic) -> None:
    hanging = [connected(clinic) for _ in range(50)]
    for number, each in enumerate(hanging):
        each.sendall(HALF if number % 2 else b"POST /apps/")
    began = time.monotonic()
    still_works(clinic)
    assert time.monotonic() - began < 5
    for each in hanging:
        each.close()


def test_a_flood_gets_429_and_sentences_and_ends(clinic: Clinic, clock: Clock) -> None:
    app = CLINIC_CREDENTIALS
    here = Credentials(app_id=app.app_id, key=app.key, secret=app.secret, base_url=clinic.url)
    refused = 0
    with Client(here) as client:
        for _ in range(4 * int(RATE)):
            try:
                client.trigger("order-41", "status", "no coffee")
            except RateLimited as error:
                refused += error.retry_after == 1
    assert refused == 3 * RATE
    assert "Too many requests: this app may send 50 per second" in clinic.state.mark("event").said
    assert len(to_text(clinic.state)) < 10_000
    clock.now += 1
    still_works(clinic)


def test_a_flood_of_wrong_signatures_leaves_the_others_their_turn(clinic: Clinic) -> None:
    query = f"auth_key=clinic-key&auth_timestamp={int(time.time())}&auth_version=1.0"
    with httpx.Client(base_url=clinic.url) as flood:
        for number in range(15):
            target = f"/apps/6855671/events?{query}&auth_signature={number:064x}"
            assert flood.post(target, content=b"{}").status_code == 401
    assert clinic.state.mark("event").said
    still_works(clinic)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS: https:// in place of http://
        b"\0" * 5000 + b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /clinic HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"POST /apps/6855671/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_garbage_ends_nothing(clinic: Clinic, garbage: bytes) -> None:
    with connected(clinic) as peer:
        peer.sendall(garbage)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65_536):
            pass
    still_works(clinic)


def test_what_is_not_http_is_said_in_the_terminal(starts: Starts) -> None:
    process = starts()
    process.opens()
    port = int(process.credentials.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(b"\x16\x03\x01 no http\r\n\r\n")
        assert process.line() == f"also   {command.NOT_HTTP}"
    assert process.ends()[1] == 1


def test_a_subscriber_over_a_socket_counts(clinic: Clinic) -> None:
    from pusherkit.subscriber import Subscriber

    app = CLINIC_CREDENTIALS
    here = Credentials(app_id=app.app_id, key=app.key, secret=app.secret, base_url=clinic.url)
    with Subscriber(here, "private-order-41"), Client(here) as client:
        client.trigger("order-41", "status", TEXT)
    assert clinic.state.met("private")
