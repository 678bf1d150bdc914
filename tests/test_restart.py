"""The practice server is killed while a client publishes, and comes back: nobody has to restart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from pusherkit import Client
from pusherkit.sandbox import PRACTICE_CREDENTIALS
from pusherkit.subscriber import GAP_EVENT, Subscriber
from tests.ports import free_port

COMMAND = "import sys; from pusherkit.cli import main; sys.exit(main())"


@contextmanager
def running(port: int) -> Iterator[subprocess.Popen[str]]:
    """`pusherkit sandbox` in a process of its own, from the moment it answers."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "sandbox", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if "Stop with Ctrl+C" in line:
                break
        else:
            pytest.fail("the practice server did not start")
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_server_is_a_typed_error_and_both_sides_recover():
    port = free_port()
    credentials = replace(PRACTICE_CREDENTIALS, base_url=f"http://127.0.0.1:{port}")
    with Client(credentials) as client:
        with running(port) as process:
            subscriber = Subscriber(credentials, ["chat", "private-x"])
            client.trigger("chat", "before", "")
            assert subscriber.receive().event == "before"
            process.kill()  # without a goodbye
            process.wait(timeout=10)
        with subscriber:
            for _ in range(3):  # it says so as often as one asks
                with pytest.raises(httpx.TransportError):
                    client.trigger("chat", "nobody there", "")
            with running(port):
                gap = subscriber.receive(timeout=20)
                assert gap.event == GAP_EVENT
                reason = json.loads(gap.data)["reason"]
                assert "without goodbye" in reason
                client.trigger(["chat", "private-x"], "after", "")  # the same client, the same one
                assert [subscriber.receive().channel for _ in range(2)] == ["chat", "private-x"]
