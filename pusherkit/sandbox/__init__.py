"""The practice server: it verifies, explains and delivers, so that nobody needs an account.

api judges requests, personalities how other servers would, channels knows the subscribers, visitors
who is let in; they are pure. To reach them there is transport, for an httpx client in the same
process, and server, with sockets.
"""

from pusherkit.sandbox.api import (
    PRACTICE_CREDENTIALS,
    Entry,
    Exchange,
    RawRequest,
    RefusedSubscription,
    Reply,
    Sandbox,
    matrix,
)
from pusherkit.sandbox.channels import Delivery
from pusherkit.sandbox.server import SandboxServer
from pusherkit.sandbox.transport import SandboxTransport

__all__ = [
    "PRACTICE_CREDENTIALS",
    "Delivery",
    "Entry",
    "Exchange",
    "RawRequest",
    "RefusedSubscription",
    "Reply",
    "Sandbox",
    "SandboxServer",
    "SandboxTransport",
    "matrix",
]
