"""What else the secret signs: channel subscriptions, user sign-ins and webhooks. Pure.

Requests go from your server to the API; sign() is for them. These go other ways:

- A browser asks to subscribe to a private or presence channel. Your server answers with
  `authorize_channel()`, and the WebSocket server checks the answer with `verify_channel()`.
- A browser signs its user in: `authenticate_user()`, `verify_user()`.
- The API posts a webhook to your server, signed as `sign_webhook()` does it, and your server checks
  it with `verify_webhook()`.

Each is an HMAC-SHA256 keyed by the secret, as a request's is; only the text differs
(Pusher's documentation, "Auth signatures" and "Webhooks").

The verify functions take whatever arrived, None for what didn't, and raise nothing but
AuthenticationError: your endpoint answers 401 to a stranger, never 500.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from pusherkit.credentials import Credentials
from pusherkit.errors import AuthenticationError, InvalidEvent
from pusherkit.events import ENCRYPTED, check_channel_name, check_socket_id, to_json
from pusherkit.signing import hmac_sha256


def authorize_channel(
    credentials: Credentials, socket_id: str, channel: str, channel_data: object = None
) -> dict[str, str]:
    """Allow one connection to subscribe to one channel: `{"auth": "KEY:64 hex digits"}`.

    `channel_data` describes the member who joins a presence channel:
    `{"user_id": …, "user_info": …}`. Text is signed as it is, anything else as compact JSON; the
    answer contains the text that was signed. For an encrypted channel it contains the channel's
    key, too, in base64: `shared_secret`, which isn't signed and goes no further than the client.
    Raises InvalidEvent for a socket_id or a channel name that cannot be one, and InvalidCredentials
    where an encrypted channel lacks its master key.
    """
    text = channel_data
    if text is not None and not isinstance(text, str):
        text = to_json(text)
    answer = {"auth": channel_auth(credentials, socket_id, channel, text)}
    if text is not None:
        answer["channel_data"] = text
    if channel.startswith(ENCRYPTED):
        answer["shared_secret"] = base64.b64encode(credentials.shared_secret(channel)).decode()
    return answer


def channel_auth(
    credentials: Credentials, socket_id: str, channel: str, channel_data: str | None = None
) -> str:
    """The `auth` of authorize_channel() alone, "KEY:64 hex digits": it needs no master key."""
    check_socket_id(socket_id)
    check_channel_name(channel)
    signed = f"{socket_id}:{channel}"
    return _auth(credentials, signed if channel_data is None else f"{signed}:{channel_data}")


def authenticate_user(
    credentials: Credentials, socket_id: str, user_data: object
) -> dict[str, str]:
    """Confirm which user has this connection: `{"auth": …, "user_data": …}`.

    `user_data` is `{"id": …}`, with `user_info` for presence channels and a `watchlist` of user ids
    if you like. Text is signed as it is, anything else as compact JSON. Raises InvalidEvent for a
    socket_id that cannot be one, and for user_data without an id.
    """
    check_socket_id(socket_id)
    text = user_data if isinstance(user_data, str) else to_json(user_data)
    read_user_data(text)
    auth = _auth(credentials, f"{socket_id}::user::{text}")
    return {"auth": auth, "user_data": text}


def read_user_data(text: str) -> dict[str, Any]:
    """The fields of a sign-in's user_data.

    Raises InvalidEvent unless it is a JSON object whose `id` is text that isn't empty (Pusher's
    documentation, "Authenticating users").
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    wanted = 'user_data: expected JSON such as {"id":"7"}'
    if not isinstance(fields, dict):
        raise InvalidEvent(f"{wanted}, and it isn't a JSON object.", rule="user_data")
    user_id = fields.get("id")
    if isinstance(user_id, str) and user_id:
        return fields
    got = "none" if "id" not in fields else "an empty one" if user_id == "" else "no text"
    raise InvalidEvent(f"{wanted}, whose id is text; its id is {got}.", rule="user_data")


def verify_channel(
    credentials: Credentials,
    socket_id: str,
    channel: str,
    auth: str | None,
    channel_data: str | None = None,
) -> None:
    """Return if `auth` allows this connection this channel; raise AuthenticationError if not.

    `auth` and `channel_data` are the texts that authorize_channel() returned.
    """
    _expect_form(credentials, check_socket_id, socket_id)
    # With a colon in its name, presence-x:{} would pass for presence-x with the data {}.
    _expect_form(credentials, check_channel_name, channel)
    text = f"{socket_id}:{channel}"
    if channel_data is not None:
        text += f":{_expect_text(credentials, 'channel_data', channel_data)}"
    _verify_auth(
        credentials, text, auth, bad_auth(channel), "Invalid key in subscription auth data"
    )


def bad_auth(channel: str) -> str:
    """The service's words for a subscription's auth that isn't `key:signature`."""
    wrong = f"Auth value for subscription to {channel} is invalid"
    return f"{wrong}: should be of format 'key:signature'"


def verify_user(
    credentials: Credentials, socket_id: str, auth: str | None, user_data: str | None
) -> None:
    """Return if `auth` proves this user on this connection; raise AuthenticationError if not.

    `auth` and `user_data` are the texts that authenticate_user() returned.
    """
    _expect_form(credentials, check_socket_id, socket_id)
    data = _expect_text(credentials, "user_data", user_data)
    _verify_auth(
        credentials,
        f"{socket_id}::user::{data}",
        auth,
        "Invalid format: auth must have the format key:signature",
        "Invalid key in user auth data",
    )


def sign_webhook(credentials: Credentials, body: bytes) -> dict[str, str]:
    """The two headers with which the API sends a webhook: X-Pusher-Key and X-Pusher-Signature.

    `body` is the raw body, exactly as it is sent. Your server only verifies webhooks; sign some
    yourself to test it.
    """
    return {"X-Pusher-Key": credentials.key, "X-Pusher-Signature": _webhook_hmac(credentials, body)}


def verify_webhook(
    credentials: Credentials, body: bytes, *, key: str | None, signature: str | None
) -> None:
    """Return if a webhook comes from the API; raise AuthenticationError if not.

    `body` is the request's raw body, before any parsing: the signature is of its bytes. `key` and
    `signature` are the headers X-Pusher-Key and X-Pusher-Signature.
    """
    if not isinstance(body, bytes | bytearray):
        raise AuthenticationError(
            f"body: expected the request's raw bytes, got {type(body).__name__}. "
            "Take the body before it is decoded or parsed.",
            reason="body",
            canonical_string="",
        )
    right = _webhook_hmac(credentials, body)
    if key == credentials.key and isinstance(signature, str) and _equal(right, signature):
        return
    text = body.decode(errors="surrogateescape")
    if _expect_text(credentials, "X-Pusher-Key", key, text) != credentials.key:
        raise AuthenticationError(
            f"X-Pusher-Key: expected {credentials.key}, the key of app {credentials.app_id}; "
            f"got {credentials.hide(repr(key))}. The webhook is of another app.",
            reason="X-Pusher-Key",
            canonical_string=credentials.hide(text),
        )
    got = repr(_expect_text(credentials, "X-Pusher-Signature", signature, text))
    raise AuthenticationError(
        f"X-Pusher-Signature: expected the HMAC SHA256 hex digest of the {len(body)} bytes of "
        f"the body, got {credentials.hide(got)}. Verify the raw body, not JSON that was parsed "
        "and written again.",
        reason="X-Pusher-Signature",
        canonical_string=credentials.hide(text),
    )


def _webhook_hmac(credentials: Credentials, body: bytes) -> str:
    return hmac.digest(credentials.secret.encode(), body, "sha256").hex()


def _auth(credentials: Credentials, text: str) -> str:
    return f"{credentials.key}:{hmac_sha256(credentials.secret, text)}"


def _verify_auth(
    credentials: Credentials, text: str, auth: str | None, bad_form: str, bad_key: str
) -> None:
    """Raise unless `auth` is that of a text. Each refusal begins in the service's own words."""
    came = _expect_text(credentials, "auth", auth, text)
    if _equal(_auth(credentials, text), came):
        return
    # The refusal quotes what came, but not a secret that came by mistake.
    shown_text, shown = credentials.hide(text), credentials.hide(came)
    key, _, signature = came.rpartition(":")  # a key may contain a colon, hex doesn't
    shown_key, _, shown_signature = shown.rpartition(":")  # no key if the colon was hidden too
    if not (key and signature):
        problem = f"{credentials.hide(bad_form)}, got '{shown}'"
    elif key != credentials.key:
        problem = f"{bad_key}: '{shown_key or shown}', expected {credentials.key}"
    else:
        problem = (
            f"Invalid signature: Expected HMAC SHA256 hex digest of {shown_text}, "
            f"but got {shown_signature}"
        )
    raise AuthenticationError(problem, reason="auth", canonical_string=shown_text)


def _equal(right: str, received: str) -> bool:
    """Compare in constant time; what was received may contain any character."""
    return hmac.compare_digest(
        right.encode(errors="surrogatepass"), received.encode(errors="surrogatepass")
    )


def _expect_text(credentials: Credentials, name: str, value: object, text: str = "") -> str:
    """The value, if it is text. `text` is what should have been signed, as far as it is known."""
    if isinstance(value, str):
        return value
    problem = (
        f"{name}: missing. Without it nothing proves who sent this, so refuse it."
        if value is None
        else f"{name}: expected text (str), got {type(value).__name__}. Decode it first."
    )
    raise AuthenticationError(problem, reason=name, canonical_string=credentials.hide(text))


def _expect_form(
    credentials: Credentials, check: Callable[[object], object], value: object
) -> None:
    problem = None
    try:
        check(value)
    except InvalidEvent as error:
        problem = error
    if problem:  # raised here, so that the error that quotes the value isn't this one's context
        message = credentials.hide(str(problem))
        raise AuthenticationError(message, reason=problem.rule, canonical_string="")
