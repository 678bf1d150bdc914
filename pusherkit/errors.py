"""Every error that pusherkit raises on purpose. Network errors stay httpx's own.

PusherError
├── InvalidCredentials  (also a ValueError)  an app id, key, secret or URL that cannot be right
├── InvalidEvent        (also a ValueError)  refused before sending: a limit or a form is broken
├── UnreadableText      (also a ValueError)  pasted text that the doctor cannot read
├── DecryptionError     (also a ValueError)  an encrypted event that this key doesn't open
├── NoSockets                                Python runs in a browser tab, so there is no network
├── AuthenticationError                      verify(): the request is not signed as it should be
└── APIError                                 the server answered, and the answer is not success
    ├── BadRequest       400   the content is wrong
    ├── Unauthorized     401   the signature, or what it covers, is wrong
    ├── Forbidden        403   the app is disabled or over its quota
    ├── NotFound         404   no such app or path
    ├── PayloadTooLarge  413   the data is over the limit
    ├── RateLimited      429   too many requests; says how long to wait
    └── ServerError      5xx   the server failed

A message says what was expected, what came, and what to do next. The evidence is in attributes.
"""

from __future__ import annotations

from typing import Any


class PusherError(Exception):
    """The root: `except PusherError` catches everything listed above."""


class InvalidCredentials(PusherError, ValueError):
    """These credentials cannot be right. The message never repeats the secret."""


class InvalidEvent(PusherError, ValueError):
    """The event breaks a rule of the API, so sending it would be refused.

    `rule` names the rule ("data", "channels", "batch", …). Where the rule is a number,
    `limit` and `actual` hold it and the value found, in the unit that the message names.
    """

    def __init__(
        self, message: str, *, rule: str, limit: int | None = None, actual: int | None = None
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.limit = limit
        self.actual = actual


class UnreadableText(PusherError, ValueError):
    """The doctor cannot read a text as a request, or as test vectors. The message says why."""


class DecryptionError(PusherError, ValueError):
    """An encrypted event can't be opened. The message says why, and never shows a key."""


class NoSockets(PusherError):
    """Python runs inside a browser tab, where it can open no connection and start no server.

    The one host that Client reaches from there is the page's own. `wanted` is what couldn't be
    done, "reach https://…" for example.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"This Python runs inside a browser tab, which has no sockets, so it can't {wanted}. "
            "To practise here, pass transport=SandboxTransport(Sandbox(credentials)), from "
            "pusherkit.sandbox. For a real server, run the same code on your own machine."
        )
        self.wanted = wanted


class AuthenticationError(PusherError):
    """A request failed verification.

    `reason` is the first rule that failed ("auth_key", "auth_version", "auth_timestamp",
    "body_md5" or "auth_signature"). `canonical_string` is the text that the verifier signed.
    """

    def __init__(self, message: str, *, reason: str, canonical_string: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.canonical_string = canonical_string


class APIError(PusherError):
    """The server answered with something other than success.

    `status_code` is the HTTP status (or the `code` inside a 200 that is an error in truth),
    `message` the server's sentence, `body` the decoded JSON, or the text where it is not JSON.
    `retry_after` is the wait in seconds that the server asked for, None where it named none.
    """

    def __init__(
        self, status_code: int, message: str, *, body: Any = None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.body = body
        self.retry_after = retry_after


class BadRequest(APIError):
    """400: the content of the request is wrong."""


class Unauthorized(APIError):
    """401: the signature, or something that it covers, is wrong."""


class Forbidden(APIError):
    """403: the app is disabled, or its message quota is used up."""


class NotFound(APIError):
    """404: no such app, or no such path."""


class PayloadTooLarge(APIError):
    """413: an event's data, or the whole body, is over the limit."""


class RateLimited(APIError):
    """429: too many requests; `retry_after` says how long to wait."""


class ServerError(APIError):
    """5xx: the server failed."""
