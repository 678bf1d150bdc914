"""The practice server: it verifies, explains and delivers, so that nobody needs an account.

api judges requests, keys whose secret they're judged with, personalities how other servers would,
channels knows the subscribers, webhooks what your server is told, visitors who is let in; they are
pure. To reach them there is transport, for an httpx client in the same process, and server, with
sockets. Webhooks go out through posting, in both ways, too.
"""

import sys
import typing

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
from pusherkit.sandbox.posting import call_in_process
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.sandbox.webhooks import Webhook, WebhookCall, Webhooks

if typing.TYPE_CHECKING:
    from pusherkit.sandbox.server import SandboxServer
else:

    def __getattr__(name: str) -> object:
        """Import Tornado when somebody first asks for the server: a browser tab has none."""
        if name != "SandboxServer":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if sys.platform == "emscripten":
            from pusherkit.errors import NoSockets

            raise NoSockets("start a server")
        from pusherkit.sandbox.server import SandboxServer

        return SandboxServer

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


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
    "Webhook",
    "WebhookCall",
    "Webhooks",
    "call_in_process",
    "matrix",
]
