"""`pusherkit class`: who is invited, what is said, and every reason not to start. No hub runs here.

A stand-in for JupyterHub shows how the command treats its hub; tests/hub has the real one.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pusherkit import PusherError, cli
from pusherkit.classroom import command, invitations, line
from pusherkit.classroom.invitations import PROJECTOR, TRAINER, Class, Invitations

fcntl = pytest.importorskip("fcntl", reason="JupyterHub, and so a class, needs POSIX")

ROOT = Path(__file__).parents[1]
FIRST = invitations.invite(None, "Monday", ["01", "02"])


# --- names ------------------------------------------------------------------------------------


def test_numbers_stay_as_they_are_when_a_class_grows() -> None:
    assert invitations.numbered(3) == ["01", "02", "03"]
    assert invitations.numbered(101)[-2:] == ["100", "101"]
    assert invitations.numbered(101)[:20] == invitations.numbered(20)


def test_names_are_tidied() -> None:
    lines = ["Zoe\u0308", "", "  Anna   Lena ", "O'Brien-Øst", "李雷", "José  "]
    assert invitations.checked(lines) == ["Zoë", "Anna Lena", "O'Brien-Øst", "李雷", "José"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("..", "begins with '.'"),
        ("../etc", "has '/' in it"),
        ("a/b", "has '/' in it"),
        ("<script>alert(1)</script>", "has '<' in it"),
        ("a\x00b", r"has '\x00' in it"),
        ("a\u202eb", r"has '\u202e' in it"),
        ("100%", "has '%' in it"),
        ("ana@example.com", "has '@' in it"),
        ("-rf", "begins with '-'"),
        (PROJECTOR, "begins with '_'"),
        ("\u0301e", "begins with"),
        ("x" * 41, "has 41 characters, and 40 is the most"),
        ("Trainer", "what the trainer is called here"),
    ],
)
def test_an_odd_name_gets_a_sentence(line: str, said: str) -> None:
    with pytest.raises(PusherError) as caught:
        invitations.checked(["Ana", line])
    assert "Line 2: " in str(caught.value)
    assert said in str(caught.value)
    assert "\x00" not in str(caught.value)


def test_two_names_that_differ_in_capitals_are_one_on_some_discs() -> None:
    with pytest.raises(PusherError, match="Line 3: 'ana' is on line 1, too"):
        invitations.checked(["Ana", "Bo", "ana"])


def test_many_problems_take_a_few_lines() -> None:
    with pytest.raises(PusherError) as caught:
        invitations.checked(["a/b"] * 12)
    assert str(caught.value).count("\n") == 6
    assert str(caught.value).endswith("And 7 more.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "There are no names in the list"),
        (b"Zo\xeb\n", "isn't UTF-8 text"),
        (b"a" * 200_000, "too long for a list"),
        ("\n".join(map(str, range(1001))).encode(), "1,001 names, and a class has at most 1,000"),
    ],
)
def test_a_file_that_is_not_a_list_of_names(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(PusherError, match=said):
        invitations.read_names(tmp_path / "names")


def test_names_come_from_windows_too_and_a_missing_file_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "names").write_bytes(b"\xef\xbb\xbfAna\r\nBo\r\n")
    assert invitations.read_names(tmp_path / "names") == ["Ana", "Bo"]
    with pytest.raises(PusherError, match="No such file"):
        invitations.read_names(tmp_path / "nowhere")


# --- links ------------------------------------------------------------------------------------


def test_everybody_who_was_invited_keeps_their_link() -> None:
    grown = invitations.invite(FIRST, "Tuesday", ["01", "03"])
    assert grown.tokens.items() >= FIRST.tokens.items()
    assert len(set(grown.tokens.values())) == 5
    back = invitations.invite(grown, "Wednesday", ["02"])
    assert back.links("http://h/hub")[1] == ("02", f"http://h/hub/invitation/{FIRST.tokens['02']}")


def test_only_people_in_the_class_now_come_in() -> None:
    now = Invitations(invitations.invite(FIRST, "Tuesday", ["01"]))
    assert now.who(FIRST.tokens["01"]) == "01"
    assert now.who(FIRST.tokens[TRAINER]) == TRAINER
    assert now.who(FIRST.tokens[PROJECTOR]) == PROJECTOR
    for token in (FIRST.tokens["02"], "", "01", FIRST.tokens["01"][:-1], "\ud800"):
        assert now.who(token) is None


def test_a_token_is_long_and_cannot_be_misread() -> None:
    token = FIRST.tokens["01"]
    assert len(invitations.TOKEN_LETTERS) ** len(token) > 2**64
    assert not set(token) & set("01ilo")
    assert token not in repr(FIRST)


def test_the_class_is_kept_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    assert invitations.load(tmp_path) is None
    invitations.save(tmp_path, FIRST)
    assert invitations.load(tmp_path) == FIRST
    assert stat.S_IMODE((tmp_path / "class.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["class.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"title": "", "names": ["01"], "tokens": {}, "ports": {}}',
        '{"title": 1, "names": [], "tokens": {"trainer": "x"}, "ports": {}}',
        '{"title": "", "names": [], "tokens": {"trainer": "x"}, "ports": {"hub": 70000}}',
    ],
)
def test_a_broken_file_makes_no_new_links_by_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / "class.json").write_text(text, encoding="utf-8")
    with pytest.raises(PusherError, match="I can't tell who has which link"):
        invitations.load(tmp_path)


def test_a_full_disk_keeps_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitations.save(tmp_path, FIRST)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PusherError, match="The disk is full"):
        invitations.save(tmp_path, invitations.invite(FIRST, "Tuesday", ["03"]))
    assert invitations.load(tmp_path) == FIRST


# --- every reason not to start ----------------------------------------------------------------


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> command.Options:
    """A class that could start, but these tests don't let its hub."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / command.PROXY).write_text("#!/bin/sh\n", encoding="utf-8")
    (bin_folder / command.PROXY).chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setattr(command, "find_spec", lambda name: name)
    monkeypatch.setattr(command, "_Hub", None)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return command.Options(folder=tmp_path / "class", port=port)


def refused(options: command.Options, **changed: Any) -> str:
    """The error, in place of a class."""
    changed = {name: getattr(options, name) for name in options.__slots__} | changed
    with pytest.raises(PusherError) as caught:
        command.run(command.Options(**changed), io.StringIO())
    return str(caught.value)


def test_without_the_extra(options: command.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert 'pip install "pusherkit[class]"' in refused(options)


def test_on_windows(options: command.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.os, "name", "nt")
    with pytest.raises(PusherError, match="WSL"):
        command._needs()


def test_any_free_port(options: command.Options) -> None:
    assert "Choose one, for example --port 8000" in refused(options, port=0)


def test_nothing_is_installed_for_a_base_url_that_cannot_be_used(
    options: command.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installs(*_: object) -> list[str]:
        raise AssertionError("npm")

    monkeypatch.setattr(command, "_proxy", installs)
    assert "expected a path such as /class/" in refused(options, base_url="/a class/")
    assert not options.folder.exists()


def test_a_taken_port(options: command.Options) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"Port {port} is taken" in refused(options, port=port)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("0.0.0.0", "every address at once"),
        ("no-such-name.invalid", "no such address"),
        ("198.51.100.7", "isn't an address of this machine"),
        ("fe80::1", "no such address"),
    ],
)
def test_a_host_that_cannot_be_listened_on(options: command.Options, host: str, said: str) -> None:
    assert said in refused(options, host=host)


def test_neither_a_proxy_nor_npm(
    options: command.Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Install Node.js, which brings npm" in refused(options)


def fake_npm(folder: Path, script: str) -> None:
    file = folder / "npm"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def test_npm_without_a_network(
    options: command.Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_npm(tmp_path, "echo 'npm error code ENOTFOUND' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(command, "PROXY", "a-proxy-that-is-nowhere")
    assert "npm error code ENOTFOUND\nnpm needs the network for this" in refused(options)


def test_npm_installs_the_proxy_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = tmp_path / "node_modules" / ".bin"
    fake_npm(tmp_path, f"mkdir -p {place} && cp $0 {place}/a-proxy && echo $@ > {tmp_path}/asked")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(command, "PROXY", "a-proxy")
    out = io.StringIO()
    assert command._proxy(tmp_path, out) == [str(place / "a-proxy")]
    assert "a-proxy@^5" in (tmp_path / "asked").read_text(encoding="utf-8")
    assert out.getvalue().startswith("This first time, npm is installing a-proxy into")
    (tmp_path / "npm").unlink()
    assert command._proxy(tmp_path, out) == [str(place / "a-proxy")]
    assert out.getvalue().count("\n") == 1


def test_a_folder_that_cannot_be_written(options: command.Options, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    said = refused(options, folder=tmp_path / "file" / "class")
    assert "Nothing can be written to" in said
    assert "--dir" in said


def test_a_full_disk(options: command.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    assert "The disk is full" in refused(options)


def test_a_class_that_runs_already(options: command.Options) -> None:
    options.folder.mkdir()
    with (options.folder / "lock").open("w", encoding="ascii") as lock:
        lock.write(str(os.getpid()))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = refused(options)
    assert f"running already (process {os.getpid()})" in said
    assert "both open the trainer's link" in said


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cert.pem and key.pem, another.pem, and locked.pem, which is key.pem with a password."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificates, and it isn't here")
    folder = tmp_path_factory.mktemp("certificates")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    for key, certificate in (("key.pem", "cert.pem"), ("another.pem", "another-cert.pem")):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        run("req", "-x509", *curve, "-subj", "/CN=h", "-keyout", key, "-out", certificate)
    run("pkey", "-in", "key.pem", "-aes128", "-passout", "pass:pw", "-out", "locked.pem")
    (folder / "empty.pem").write_text("", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("cert.pem", None, "TLS needs both"),
        (None, "key.pem", "TLS needs both"),
        ("nowhere.pem", "key.pem", "nowhere.pem can't be read"),
        ("cert.pem", "another.pem", "another.pem doesn't belong to the certificate"),
        ("empty.pem", "key.pem", "can't be used for TLS. Both must be PEM"),
        ("cert.pem", "locked.pem", "is locked with a password"),
    ],
)
def test_a_certificate_that_cannot_be_used(
    options: command.Options,
    certificates: Path,
    certificate: str | None,
    key: str | None,
    said: str,
) -> None:
    assert said in refused(
        options,
        certificate=certificate and certificates / certificate,
        key=key and certificates / key,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"learners": 3, "names": Path("names")}, "not both"),
        ({"learners": 1001}, "1 to 1,000 learners"),
        ({"title": " "}, "--title: expected 1 to 80 characters"),
        ({"title": "a\x1b[2Jb"}, "--title: expected 1 to 80 characters"),
        ({"base_url": "/a class/"}, "expected a path such as /class/"),
    ],
)
def test_other_options_that_cannot_be_used(
    options: command.Options, changed: dict[str, Any], said: str
) -> None:
    assert said in refused(options, **changed)


@pytest.mark.parametrize("number", ["0", "-1", "x", "２"])
def test_a_number_of_learners_that_cannot_be_used(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["class", "--learners", number])
    assert "expected a number from 1 to 999999" in capsys.readouterr().err


def test_for_more_people_than_a_class_has_there_are_several_classes(
    options: command.Options, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["class", "--learners=1001", f"--dir={options.folder}", f"--port={options.port}"]
    assert cli.main(said) == 1
    assert "For more, start several classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "path"), [("/", "/"), ("class", "/class/"), ("/a/b", "/a/b/"), ("//", "/")]
)
def test_a_base_url_has_a_slash_at_both_ends(given: str, path: str) -> None:
    assert command.base_path(given) == path


# --- what it says -----------------------------------------------------------------------------


def said(kept: Class = FIRST, **changed: Any) -> str:
    options = command.Options(**({"folder": Path("/home/ana/class")} | changed))
    url = command._url(options, options.host)
    return "\n".join(command.welcome(options, kept, options.folder, url))


def test_the_trainer_reads_who_gets_which_link() -> None:
    text = said(base_url="class", port=80)
    trainer = f"http://127.0.0.1/class/hub/invitation/{FIRST.tokens[TRAINER]}"
    assert f"Your view              {trainer}\n" in text
    wall = f"http://127.0.0.1/class/hub/invitation/{FIRST.tokens[PROJECTOR]}"
    assert f"The wall, to project   {wall}\n" in text
    assert wall not in command._csv(FIRST, "http://127.0.0.1/class/hub"), "it's nobody's"
    assert f"\n  02  http://127.0.0.1/class/hub/invitation/{FIRST.tokens['02']}\n" in text
    assert "/home/ana/class/links.csv" in text
    assert max(map(len, text.split("\n"))) <= 96


def test_the_terminal_shows_some_of_many_links_and_the_file_has_all() -> None:
    many = invitations.invite(None, "Monday", invitations.numbered(100))
    assert "\n  15   http" in said(many)
    assert "\n  16   http" not in said(many)
    assert "and 85 more in the file" in said(many)
    rows = list(csv.reader(io.StringIO(command._csv(many, "http://h/hub"))))
    assert len(rows) == 102
    assert rows[1] == [TRAINER, f"http://h/hub/invitation/{many.tokens[TRAINER]}"]


def test_the_trainer_reads_who_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_address", lambda host: host)
    assert "from this machine only" in said()
    assert "there's no TLS, so others on this network can read" in said(host="192.168.1.5")
    with_tls = said(host="192.168.1.5", certificate=Path("c"), key=Path("k"))
    assert "no TLS" not in with_tls
    assert "https://192.168.1.5:8000/hub/invitation/" in with_tls


def test_the_trainer_reads_whose_files_learners_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "runs as you" in said()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "runs as root on this machine" in said()


def test_the_trainer_is_warned_of_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PHYS_PAGES": 2**20, "SC_PAGE_SIZE": 4096}  # 4 GB
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert command._memory(10) == []
    warned = " ".join(command._memory(40))
    assert "40 learners take about 7 GB of memory, and this machine has 4" in warned


# --- the line ---------------------------------------------------------------------------------


def test_the_line_counts_who_is_where() -> None:
    numbers = line.Numbers(20)
    assert numbers.line() == "0 of 20 here · 0 exercises passed · 0 stuck · 0 asking for help"
    numbers.hear({"kind": "class", "title": "Monday", "lessons": []})
    numbers.hear(
        {
            "kind": "learners",
            "learners": [
                {
                    "name": name,
                    "cells": {"a.b": ["passed", 2], "a.c": ["tried", 1, 5.0, "m"]},
                    "stuck": {"exercise": "a.c", "since": 5.0},
                    "help": [{"exercise": "a.c", "code": "…", "since": 6.0}] * (name == "Zoë"),
                }
                for name in ("Zoë", "01", "02", "03")
            ],
        }
    )
    numbers.hear({"kind": "summary", "present": 18, "problem": ""})
    assert numbers.line() == (
        "18 of 20 here · 4 exercises passed · 4 stuck (01, 02, 03 and 1 more) · "
        "1 asking for help (Zoë)"
    )
    numbers.hear({"kind": "learners", "learners": [{"name": "Zoë", "help": [], "stuck": None}]})
    assert "3 stuck (01, 02, 03) · 0 ask" in numbers.line()
    numbers.hear({"kind": "summary", "present": 1, "problem": "The disk is \x1b[2Jfull."})
    assert numbers.line().endswith(r" · The disk is \x1b[2Jfull.")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((20, 24)))
    out = Screen()
    shown = line.Line(out)
    for text in ("one", "one", "two" * 20):
        shown.show(text, now=0)
    shown.close()
    assert out.getvalue() == f"\r\x1b[Kone\r\x1b[K{('two' * 20)[:19]}\n"


def test_elsewhere_a_line_comes_now_and_then() -> None:
    out = io.StringIO()
    shown = line.Line(out)
    for now, text in [(0, "one"), (1, "two"), (59, "three"), (60, "four"), (200, "four")]:
        shown.show(text, now)
    shown.close()
    assert out.getvalue() == "one\nfour\n"


# --- a hub's process --------------------------------------------------------------------------

HUB = """
import http.server, json, os, pathlib, signal, sys, urllib.parse
settings = json.loads(pathlib.Path("settings.json").read_text())
starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
print("[C JupyterHub app] a reason that isn't the last line")
print("[ConfigProxy] error: terminated", flush=True)
if os.environ.get("BREAKS"):
    sys.exit(1)
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/class/hub/health" else 404)
        self.end_headers()
    log_message = print
address = urllib.parse.urlsplit(settings["bind_url"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer((address.hostname, address.port), Health).serve_forever()
"""


@pytest.fixture
def stand_in(options: command.Options, tmp_path: Path) -> dict[str, str]:
    """An environment in which another program is called jupyterhub."""
    package = tmp_path / "stand-in" / "jupyterhub"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "__main__.py").write_text(HUB, encoding="utf-8")
    return os.environ | {"PYTHONPATH": f"{package.parent}:{ROOT}", "PYTHONUNBUFFERED": "1"}


def started(options: command.Options, env: dict[str, str]) -> subprocess.Popen[str]:
    words = [f"--dir={options.folder}", f"--port={options.port}", "--learners=2"]
    return subprocess.Popen(
        [sys.executable, "-m", "pusherkit", "class", *words, "--base-url=class"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def running(options: command.Options, stand_in: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        process = started(options, stand_in)
    finally:
        signal.signal(signal.SIGHUP, before)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    yield process
    watchdog.cancel()
    process.kill()
    process.wait()
    process.stdout.close()


def until(process: subprocess.Popen[str], words: str) -> str:
    """Read what it prints, up to a line with these words."""
    read = ""
    for each in process.stdout:
        read += each
        if words in each:
            return read
    raise AssertionError(read)


def test_ctrl_c_stops_the_hub_in_order(
    options: command.Options, running: subprocess.Popen[str]
) -> None:
    text = until(running, "To stop, press Ctrl+C here.")
    assert "The class is open: Signing for Pusher, 2 learners." in text
    until(running, "The wall isn't answering")
    running.send_signal(signal.SIGINT)
    assert "the class goes on" in until(running, "Stopped. Everything is in")
    assert running.wait() == 0
    assert stat.S_IMODE((options.folder / "links.csv").stat().st_mode) == 0o600


def test_a_terminal_that_is_closed_stops_the_hub_in_order(
    running: subprocess.Popen[str],
) -> None:
    until(running, "To stop, press Ctrl+C here.")
    (hub,) = psutil.Process(running.pid).children()
    running.stdout.close()  # what it still has to say can't be written
    running.send_signal(signal.SIGHUP)
    assert running.wait() == 0
    assert not hub.is_running()


def test_under_nohup_a_class_outlives_its_terminal(
    options: command.Options, stand_in: dict[str, str]
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which is all that nohup does here
    try:
        process = started(options, stand_in)
    finally:
        signal.signal(signal.SIGHUP, before)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    until(process, "To stop, press Ctrl+C here.")
    process.send_signal(signal.SIGHUP)
    until(process, "The wall isn't answering")
    process.send_signal(signal.SIGTERM)
    assert "Stopped. Everything is in" in process.communicate()[0]
    watchdog.cancel()


def test_after_a_command_that_was_killed_its_hub_may_end_first(
    options: command.Options, stand_in: dict[str, str], running: subprocess.Popen[str]
) -> None:
    until(running, "To stop, press Ctrl+C here.")
    (hub,) = psutil.Process(running.pid).children()
    running.kill()
    running.wait()
    again = started(options, stand_in)
    watchdog = threading.Timer(60, again.kill)
    watchdog.start()
    until(again, "its hub is still stopping")
    assert hub.is_running()
    hub.terminate()
    until(again, "To stop, press Ctrl+C here.")
    again.send_signal(signal.SIGINT)
    assert "Stopped. Everything is in" in again.communicate()[0]
    watchdog.cancel()


def test_a_hub_that_never_ends_gets_a_sentence(
    options: command.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "STOP_SECONDS", 0)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    options.folder.mkdir()
    with (options.folder / "lock").open("w", encoding="ascii") as lock:
        lock.write(str(gone.pid))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is still running after 0 seconds" in refused(options)


def test_a_hub_that_ends_by_itself_is_started_again_but_not_for_ever(
    options: command.Options, running: subprocess.Popen[str]
) -> None:
    until(running, "To stop, press Ctrl+C here.")
    for starts in range(1, command.STARTS + 1):
        hub = psutil.Process(running.pid).children()[0]
        kept = options.folder / "hub" / "starts"
        assert kept.read_text(encoding="utf-8") == "x" * starts
        hub.kill()
        if starts < command.STARTS:
            until(running, "I'm starting it again")
            until(running, "It's back.")
    assert "It says: [C JupyterHub app] a reason" in until(running, "The rest is in")
    assert running.wait() == 1


def test_a_hub_that_cannot_start_has_the_last_word(
    options: command.Options, stand_in: dict[str, str]
) -> None:
    ran = started(options, stand_in | {"BREAKS": "1"})
    text, _ = ran.communicate(timeout=60)
    assert ran.returncode == 1
    assert "The hub couldn't start. It says: [C JupyterHub app] a reason that isn't the" in text
    assert "I'll try once more." in text
    assert "The class is open" not in text
    assert (options.folder / "hub" / "starts").read_text(encoding="utf-8") == "xx"


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("[I 1 app:1] up\n", ""),
        ("[E 1 app:2] no\n[I 2 app:1] up\n", "[E 1 app:2] no"),
        (
            "[E 1 app:4090]\n    Traceback:\n      File x\n    OSError: full\n\n[I 2 app:1] up\n",
            "[E 1 app:4090] OSError: full",
        ),
        ("[C 1 app:3]\n", "[C 1 app:3]"),
        ("[E 1 app:3] \n    KeyError: 'x'", "[E 1 app:3] KeyError: 'x'"),
    ],
)
def test_what_a_log_says_is_the_message_and_not_its_heading(log: str, told: str) -> None:
    assert command._telling(log) == told


@pytest.mark.parametrize("name", [command.PROXY, "another-program"])
def test_only_a_proxy_is_ended_with_its_hub(tmp_path: Path, name: str) -> None:
    """The number in the file is that of a process which is, or isn't, the hub's proxy."""
    with subprocess.Popen([sys.executable, "-c", "input()", name], stdin=subprocess.PIPE) as left:
        hub = command._Hub(tmp_path, "", threading.Event(), 0)
        hub._process = subprocess.Popen([sys.executable, "-c", ""])
        (tmp_path / "proxy.pid").write_text(f"{left.pid}\n", encoding="ascii")
        hub.stop()
        if name == command.PROXY:
            assert left.wait(30) == -signal.SIGTERM
        else:
            assert left.poll() is None
            assert not (tmp_path / "proxy.pid").exists(), "JupyterHub would end it, too"
            left.kill()


def test_the_command_line_of_a_process_where_there_is_no_proc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ps = shutil.which("ps")
    if ps is None:
        pytest.skip("ps reads it, and it isn't here")
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: open("/nowhere"))  # noqa: SIM115
    with subprocess.Popen(
        [sys.executable, "-c", "input()", "a-name"], stdin=subprocess.PIPE
    ) as run:
        assert "a-name" in command._command_line(run.pid)
        monkeypatch.setattr(shutil, "which", lambda name: None)
        assert command._command_line(run.pid) == ""
        run.kill()


def test_a_class_goes_on_with_the_same_people(
    options: command.Options, stand_in: dict[str, str]
) -> None:
    started(options, stand_in | {"BREAKS": "1"}).communicate(timeout=60)
    first = invitations.load(options.folder)
    links = (options.folder / "links.csv").read_text(encoding="utf-8")
    again = command._class(command.Options(folder=options.folder), first)
    assert again == first
    assert command._csv(again, f"http://127.0.0.1:{options.port}/class/hub") == links
    assert command._inner_ports(first.ports, options.port) == first.ports
    with socket.create_server(("127.0.0.1", first.ports["hub"])):
        moved = command._inner_ports(first.ports, options.port)
    assert moved["hub"] != first.ports["hub"]
    assert moved["pages"] == first.ports["pages"]
