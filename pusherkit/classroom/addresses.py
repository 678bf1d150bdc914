"""Under which names and addresses a room's learners reach this machine."""

from __future__ import annotations

import contextlib
import socket
from ipaddress import ip_address

from pusherkit.credentials import is_local

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here


def lan_address() -> str:
    """This machine's address in its network, as far as can be told without asking anybody."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody's address; UDP sends nothing yet
        address = str(probe.getsockname()[0])
        return "" if ip_address(address).is_loopback else address
    return ""


def names_of(host: str) -> list[str]:
    """The names under which others reach an address that is listened on, the best one first.

    None where it's reached from this machine alone.
    """
    if is_local(host):
        return []
    if host not in EVERY_ADDRESS:
        return [host]
    own = socket.gethostname()
    return [name for name in (lan_address(), own, f"{own}.local") if name]
