"""The practice server: it verifies, explains and delivers, so that nobody needs an account.

api judges requests, channels knows the subscribers, webhooks what your server is told, visitors who
is let in; they are pure. To reach them there is transport, for an httpx client in the same process,
and server, with sockets. Webhooks go out through posting, in both ways, too.
"""

from pusherkit.sandbox.api import (
    PRACTICE_CREDENTIALS,
    Entry,
    Exchange,
    RawRequest,
    RefusedSubscription,
    Reply,
    Sandbox,
)
from pusherkit.sandbox.channels import Delivery
from pusherkit.sandbox.posting import call_in_process
from pusherkit.sandbox.server import SandboxServer
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.sandbox.webhooks import Webhook, WebhookCall, Webhooks

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
]
