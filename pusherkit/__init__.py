"""See every byte of a signed Pusher request.

The README lists the files in reading order.
"""

import typing

from pusherkit.authorization import (
    authenticate_user,
    authorize_channel,
    sign_webhook,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit.client import AsyncClient, Client
from pusherkit.credentials import Credentials
from pusherkit.encryption import decrypt, encrypt
from pusherkit.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    DecryptionError,
    Forbidden,
    InvalidCredentials,
    InvalidEvent,
    NoSockets,
    NotFound,
    PayloadTooLarge,
    PusherError,
    RateLimited,
    ServerError,
    Unauthorized,
    UnreadableText,
)
from pusherkit.events import Event
from pusherkit.httpx_auth import PusherAuth
from pusherkit.signing import Signature, canonical_string, sign, verify

if typing.TYPE_CHECKING:
    from pusherkit.doctor.refusals import diagnose_refusal
    from pusherkit.doctor.search import Diagnosis, diagnose
    from pusherkit.doctor.subscriptions import diagnose_subscription
    from pusherkit.doctor.webhooks import diagnose_webhook
else:

    def __getattr__(name: str) -> object:
        """Import the doctor when somebody first asks for it: a publisher starts without it."""
        if name in ("Diagnosis", "diagnose"):
            from pusherkit.doctor import search as doctor
        elif name == "diagnose_refusal":
            from pusherkit.doctor import refusals as doctor
        elif name == "diagnose_subscription":
            from pusherkit.doctor import subscriptions as doctor
        elif name == "diagnose_webhook":
            from pusherkit.doctor import webhooks as doctor
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(doctor, name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})  # so that completion offers the doctor, too


__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AsyncClient",
    "AuthenticationError",
    "BadRequest",
    "Client",
    "Credentials",
    "DecryptionError",
    "Diagnosis",
    "Event",
    "Forbidden",
    "InvalidCredentials",
    "InvalidEvent",
    "NoSockets",
    "NotFound",
    "PayloadTooLarge",
    "PusherAuth",
    "PusherError",
    "RateLimited",
    "ServerError",
    "Signature",
    "Unauthorized",
    "UnreadableText",
    "authenticate_user",
    "authorize_channel",
    "canonical_string",
    "decrypt",
    "diagnose",
    "diagnose_refusal",
    "diagnose_subscription",
    "diagnose_webhook",
    "encrypt",
    "sign",
    "sign_webhook",
    "verify",
    "verify_channel",
    "verify_user",
    "verify_webhook",
]
