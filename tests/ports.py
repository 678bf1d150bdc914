"""A port for a server in another process, or one that goes and comes back."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress


def free_port() -> int:
    """A free port of this machine that nobody else is likely to get before it's used.

    The system gives those from 32768 on, or higher up, to whoever asks for any: hundreds a minute,
    while tests run.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # Hypothesis seeds what `random` gives
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
