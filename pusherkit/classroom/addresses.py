"""The names and addresses by which a room's learners reach this machine."""

from __future__ import annotations

import contextlib
import socket
from ipaddress import ip_address

from pusherkit.credentials import is_local

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - nothing is bound here


def lan_address() -> str:
    """This machine's address on its network, as far as it can tell without asking anybody."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # RFC 5737: nobody's address; UDP sends nothing yet
        address = str(probe.getsockname()[0])
        return "" if ip_address(address).is_loopback else address
    return ""


def names_of(host: str) -> list[str]:
    """The names by which others reach a host that a server listens on, the best one first.

    As they are in a URL, an IPv6 address in brackets. None if only this machine can reach it.
    """
    if is_local(host):
        return []
    if host not in EVERY_ADDRESS:
        return [f"[{host}]" if ":" in host else host]
    own = socket.gethostname()
    return [name for name in (lan_address(), own, f"{own}.local") if name]
