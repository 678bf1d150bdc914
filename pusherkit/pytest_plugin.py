"""The pytest plugin: a practice server for the tests of other projects.

pytest finds it on its own wherever pusherkit is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pusherkit.sandbox import SandboxServer


@pytest.fixture
def pusher_sandbox() -> Iterator[SandboxServer]:
    """A running practice server, new for each test, on a free port of 127.0.0.1.

    `url` and `credentials` (app_id, key, secret, base_url) are how to reach it; `events` holds what
    was published, `log` how each request was judged.
    """
    from pusherkit.sandbox import SandboxServer  # only where a test asks: pytest starts faster

    with SandboxServer() as server:
        yield server
