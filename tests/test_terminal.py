"""`pusherkit sandbox` whose output nobody reads answers all the same, and stops when it's told."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx
import pytest

from pusherkit import Client, Credentials
from pusherkit._terminal import MAX_WAITING_CHARACTERS, Terminal
from pusherkit.sandbox import PRACTICE_CREDENTIALS
from tests.ports import free_port

posix = pytest.mark.skipif(os.name != "posix", reason="pipes and signals as POSIX has them")


# --- the terminal alone -------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, io.TextIOWrapper]]:
    """What is printed, and where to."""
    outer, inner = os.pipe()
    with open(outer, "rb") as reads, open(inner, "w", encoding="ascii") as prints:
        yield reads, prints


def test_what_is_printed_arrives_in_order_and_in_the_encoding(pipe):
    reads, prints = pipe
    terminal = Terminal(prints)
    for text in ("one\ntwo", "three ☕"):
        terminal.print(text)
    terminal.close(10)
    prints.close()
    assert reads.read().decode().split(os.linesep) == ["one", "two", "three \\u2615", ""]


def test_a_reader_that_does_not_read_holds_nobody_up_and_misses_what_is_too_much(pipe):
    reads, prints = pipe
    terminal = Terminal(prints)
    for number in range(30):
        terminal.print(f"{number} " + "x" * (MAX_WAITING_CHARACTERS // 10))
    terminal.close(0)  # it still has much to print
    threading.Thread(target=lambda: (terminal.close(10), prints.close())).start()
    lines = reads.read().decode().split(os.linesep)
    kept = [int(line.split()[0]) for line in lines if line.endswith("x")]
    assert kept == list(range(len(kept)))
    assert 9 <= len(kept) <= 11
    assert lines[len(kept)].startswith(f"# {30 - len(kept)} entries are missing here")


@pytest.mark.parametrize("gone", ["closed by its reader", "closed", "none"])
def test_a_lost_reader_is_told_once(pipe, capfd, gone):
    reads, prints = pipe
    if gone == "closed by its reader":
        reads.close()
    terminal = Terminal(None if gone == "none" else prints)
    if gone == "closed":
        prints.close()
    for _ in range(3):
        terminal.print("hello")
    terminal.close(10)
    assert re.fullmatch(r"# Nobody reads what is printed here: .+\.\n", capfd.readouterr().err)


def test_a_stand_in_for_a_stream_is_printed_to(capsys):
    printed = io.StringIO()
    terminal = Terminal(printed)
    terminal.print("hello")
    terminal.close(10)
    assert printed.getvalue() == "hello\n"


# --- the command --------------------------------------------------------------------------------

COMMAND = "import sys; from pusherkit.cli import main; sys.exit(main())"


@contextmanager
def sandbox(*shell: str, **streams: int) -> Iterator[tuple[subprocess.Popen[bytes], Credentials]]:
    """`pusherkit sandbox`, started by sh with what `shell` holds; it answers already."""
    port = free_port()
    script = " ".join((shell[0], 'exec "$@"', *shell[1:]))
    process = subprocess.Popen(
        ["sh", "-c", script, "sh", sys.executable, "-c", COMMAND, "sandbox", f"--port={port}"],
        **streams,
    )
    credentials = replace(PRACTICE_CREDENTIALS, base_url=f"http://127.0.0.1:{port}")
    try:
        transport = httpx.HTTPTransport(retries=8)  # while it starts; some 10 s
        with Client(credentials, transport=transport) as client:
            client.channels()
        yield process, credentials
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in filter(None, (process.stdout, process.stderr)):
            stream.close()


def publish(credentials: Credentials, count: int) -> None:
    with Client(credentials) as client:
        for number in range(count):
            assert client.trigger("chat", str(number), "") == {}


def end(process: subprocess.Popen[bytes], number: int) -> int:
    """Tell it to end; its exit status. It has 10 seconds, and needs a tenth of one."""
    process.send_signal(number)
    return process.wait(10)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_output_that_nobody_reads_stops_nothing(number):
    outer, inner = os.pipe()
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(inner, fcntl.F_SETPIPE_SZ, 4096)
    with sandbox("", "2>&1", stdout=inner) as (process, credentials):
        publish(credentials, 100 if sys.platform == "linux" else 2_000)
        assert end(process, number) == 0
    os.close(inner)
    os.close(outer)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_output_whose_reader_has_gone_stops_nothing_and_one_line_says_so(number):
    outer, inner = os.pipe()
    os.close(outer)
    with sandbox("", stdout=inner, stderr=subprocess.PIPE) as (process, credentials):
        os.close(inner)
        publish(credentials, 3)
        assert end(process, number) == 0
        assert process.stderr.read() == b"# Nobody reads what is printed here: Broken pipe.\n"


@posix
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_output_that_was_closed_stops_nothing(closed):
    with sandbox("", closed, stderr=subprocess.DEVNULL) as (process, credentials):
        publish(credentials, 3)
        assert end(process, signal.SIGTERM) == 0


@posix
def test_without_descriptors_it_says_so_in_one_line_and_goes_on_when_there_are_some():
    with (
        sandbox("ulimit -n 64;", "2>&1", stdout=subprocess.PIPE) as (process, credentials),
        ExitStack() as idle,
    ):
        address = ("127.0.0.1", httpx.URL(credentials.base_url).port)
        for _ in range(100):
            idle.enter_context(socket.create_connection(address, timeout=10))
        printed = iter(process.stdout.readline, b"")
        assert any(b"New connections have to wait: Too many open files" in line for line in printed)
        idle.close()
        publish(credentials, 3)
        for _ in range(100):
            idle.enter_context(socket.create_connection(address, timeout=10))
        assert end(process, signal.SIGTERM) == 0
        rest = list(printed)
        assert sum(b"POST" in line for line in rest) == 3
        assert len(rest) <= 5
