"""The lessons need no sockets and no threads, so they run inside a browser tab, too.

The tab is played by a Python that has neither, nor what needs them; tests/browser/test_site.py
opens a real one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pusherkit

ROOT = Path(pusherkit.__file__).parent
NOTEBOOKS = sorted((ROOT.parent / "notebooks").glob("*.ipynb"))
# Where there's no socket a lesson says so in place; this isn't in the stored outputs.
SAYS_WHERE = re.compile(r"^(?:A browser tab|This tab|Your handler listens) .*\n", re.M)
PAGE = Path(__file__).with_name("in_a_page.py")


def in_a_page(tmp_path: Path, *files: Path) -> str:
    """What files print there, in an empty folder."""
    ran = subprocess.run(
        [sys.executable, PAGE, *files], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def everywhere(cells: list[list[str]]) -> list[list[str]]:
    """What each cell shows, without the sentence that depends on the place."""
    return [[SAYS_WHERE.sub("", text) for text in cell] for cell in cells]


def test_every_lesson_shows_the_same_there(tmp_path: Path) -> None:
    """All of them in one process, as fast as that can be."""
    shown = json.loads(in_a_page(tmp_path, *NOTEBOOKS))
    for path in NOTEBOOKS:
        stored = []
        for cell in json.loads(path.read_bytes())["cells"]:
            if cell["cell_type"] == "code" and "".join(cell["source"]).strip():
                texts = [out.get("text") or out["data"]["text/plain"] for out in cell["outputs"]]
                stored.append(["".join(text) for text in texts])
        assert everywhere(shown[path.name]) == everywhere(stored), path.name


REFUSED = """
from pusherkit import AsyncClient, Client, Credentials, NoSockets
from pusherkit.subscriber import Subscriber

credentials = Credentials(app_id="3", key="k", secret="s3cr3t-s3cr3t")


def server():
    from pusherkit.sandbox import SandboxServer


for attempt in (
    lambda: Client(credentials),
    lambda: AsyncClient(credentials, base_url="http://127.0.0.1:6001"),
    lambda: Subscriber(credentials, "orders"),
    server,
):
    try:
        attempt()
    except NoSockets as error:
        print(error.wanted)
        assert "transport=SandboxTransport" in str(error)
        assert "s3cr3t" not in str(error)
"""
PRACTISES = """
from pusherkit import Client
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox, SandboxTransport
from pusherkit.subscriber import Subscriber

sandbox = Sandbox(PRACTICE_CREDENTIALS)
transport = SandboxTransport(sandbox)
with Subscriber.attached(sandbox, "orders") as subscriber:
    print(Client(PRACTICE_CREDENTIALS, transport=transport).trigger("orders", "status", "ready"))
    print(subscriber.receive().data)
"""


def test_what_needs_a_network_says_so_by_name(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(REFUSED)
    assert in_a_page(tmp_path, program).splitlines() == [
        "reach https://ws-sa.mawjly.com",
        "reach http://127.0.0.1:6001",
        "reach https://ws-sa.mawjly.com",
        "start a server",
    ]


def test_what_it_advises_works(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PRACTISES)
    assert in_a_page(tmp_path, program).splitlines() == ["{}", "ready"]


@pytest.mark.parametrize("name", ["tornado", "websockets"])
def test_the_page_that_is_played_here_lacks_them(tmp_path: Path, name: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import {name}.web, {name}.sync")
    with pytest.raises(AssertionError, match=f"No module named '{name}"):
        in_a_page(tmp_path, program)
