"""Official clients against the practice server, and our clients against soketi, a real server.

Needs the extra `compat`, and node with npm: `pip install -e ".[compat]"`. What npm installs goes
to the user's cache, half a minute the first time, and is never part of the checkout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pusherkit import Credentials

from . import peers, publishers, subscribers, table

HERE = Path(__file__).parent

# --- what is tested with what ---------------------------------------------------------------------

WORKS = pytest.StashKey[dict[table.Cell, bool]]()  # of each cell that was tested
DESELECTED = pytest.StashKey[list[pytest.Item]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "feature(name): a row of docs/clients.md")
    config.stash[WORKS] = {}
    config.stash[DESELECTED] = []


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        item.config.stash[DESELECTED].append(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    feature = item.get_closest_marker("feature")
    if feature is not None:  # also where setting up or cleaning up fails
        cell = (item.callspec.params["column"], *feature.args)
        works = item.config.stash[WORKS]
        works[cell] = works.get(cell, True) and report.passed
    return report


# --- what has to be there -------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def python_peers() -> None:
    """PyPI's clients. Their extra is also how one asks for these tests."""
    for name in ("pusher", "pysher", "aiohttp"):
        pytest.importorskip(name, reason=f'{name} is missing: pip install -e ".[compat]"')


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment cannot reach a server on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    return peers.install()


@pytest.fixture(scope="session")
def soketi(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a soketi."""
    with peers.soketi(node_modules, tmp_path_factory.mktemp("soketi")) as url:
        yield url


@pytest.fixture(scope="session")
def npm_pusher(node_modules: Path) -> Iterator[peers.NodeProgram]:
    program = peers.NodeProgram("publisher.js", node_modules)
    yield program
    program.close()


# --- clients and the server that each is tested with ----------------------------------------------


@pytest.fixture
def credentials(column: str, request: pytest.FixtureRequest) -> Credentials:
    """Those of the practice server for an official client, of soketi for one of ours.

    They have a master key, for encrypted channels; neither server knows it.
    """
    if column in ("Client", "AsyncClient", "Subscriber"):
        credentials = replace(peers.SOKETI_APP, base_url=request.getfixturevalue("soketi"))
    else:
        credentials = request.getfixturevalue("server").credentials
    return replace(credentials, encryption_master_key_base64=peers.MASTER_KEY)


@pytest.fixture
def publish_with(column: str, request: pytest.FixtureRequest) -> Callable[[Credentials], Any]:
    """Makes the client that publishes."""
    if column == "npm-pusher":
        program = request.getfixturevalue("npm_pusher")
        return lambda credentials: publishers.Npm(credentials, program)
    return {
        "pusher": publishers.PyPI,
        "pusher-aiohttp": publishers.PyPIAsync,
        "Client": publishers.Ours,
        "AsyncClient": publishers.OursAsync,
    }[column]


@pytest.fixture
def publisher(publish_with: Callable[[Credentials], Any], credentials: Credentials) -> Any:
    return publish_with(credentials)


@pytest.fixture
def subscribe(
    column: str, credentials: Credentials, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Makes clients that subscribe: `subscribe(channel, user_id)`. They are closed in the end.

    `also` is a second channel of the same connection.
    """

    def subscribe(
        channel: str, user_id: str | None = None, *, also: str = "", secret: str = ""
    ) -> Any:
        signs = replace(credentials, secret=secret or credentials.secret)
        match column:
            case "Pysher":
                client = subscribers.Pysher(signs, channel, user_id, also)
            case "pusher-js":
                npm_pusher = request.getfixturevalue("npm_pusher")
                program = peers.NodeProgram(
                    "subscriber.js", request.getfixturevalue("node_modules")
                )
                signer = publishers.Npm(signs, npm_pusher)
                client = subscribers.PusherJs(
                    signs, program, signer.authorize, signer.authenticate, channel, user_id, also
                )
            case "Subscriber":
                client = subscribers.Ours(signs, channel, user_id)
        opened.callback(client.close)
        return client

    with ExitStack() as opened:
        yield subscribe
