"""What else the secret signs: channel subscriptions, user sign-ins and webhooks. Pure.

Requests go from your server to the API; sign() is for them. These go other ways:

- A browser asks to subscribe to a private or presence channel. Your server answers with
  `authorize_channel()`, and the WebSocket server checks that with `verify_channel()`.
- A browser signs its user in: `authenticate_user()`, `verify_user()`.
- The API posts a webhook to your server, which checks it with `verify_webhook()`.

Each is an HMAC-SHA256 keyed by the secret, as a request's is; only the text differs
(Pusher's documentation, "Auth signatures" and "Webhooks").
"""

from __future__ import annotations

import hmac

from pusherkit.credentials import Credentials
from pusherkit.errors import AuthenticationError
from pusherkit.events import check_channel_name, check_socket_id, to_json
from pusherkit.signing import hmac_sha256


def authorize_channel(
    credentials: Credentials, socket_id: str, channel: str, channel_data: object = None
) -> dict[str, str]:
    """Allow one connection to subscribe to one channel: `{"auth": "KEY:64 hex digits"}`.

    `channel_data` says who joins a presence channel: `{"user_id": …, "user_info": …}`. Text is
    signed as it is, anything else as compact JSON; the answer carries the text that was signed.
    Raises InvalidEvent for a socket_id or a channel name that cannot be one.
    """
    check_socket_id(socket_id)
    check_channel_name(channel)
    if channel_data is None:
        return {"auth": _auth(credentials, f"{socket_id}:{channel}")}
    text = channel_data if isinstance(channel_data, str) else to_json(channel_data)
    auth = _auth(credentials, f"{socket_id}:{channel}:{text}")
    return {"auth": auth, "channel_data": text}


def authenticate_user(
    credentials: Credentials, socket_id: str, user_data: object
) -> dict[str, str]:
    """Say who is behind one connection: `{"auth": …, "user_data": …}`.

    `user_data` is `{"id": …}` and whatever else; text is signed as it is, anything else as
    compact JSON.
    """
    check_socket_id(socket_id)
    text = user_data if isinstance(user_data, str) else to_json(user_data)
    auth = _auth(credentials, f"{socket_id}::user::{text}")
    return {"auth": auth, "user_data": text}


def verify_channel(
    credentials: Credentials,
    socket_id: str,
    channel: str,
    auth: str,
    channel_data: str | None = None,
) -> None:
    """Return if `auth` allows this connection this channel; raise AuthenticationError if not."""
    data = "" if channel_data is None else f":{channel_data}"
    _verify_auth(credentials, f"{socket_id}:{channel}{data}", auth)


def verify_user(credentials: Credentials, socket_id: str, auth: str, user_data: str) -> None:
    """Return if `auth` proves this user on this connection; raise AuthenticationError if not."""
    _verify_auth(credentials, f"{socket_id}::user::{user_data}", auth)


def verify_webhook(credentials: Credentials, body: bytes, *, key: str, signature: str) -> None:
    """Return if a webhook is the API's own; raise AuthenticationError if not.

    `body` is the request's raw body, before any parsing: the signature is of its bytes. `key` and
    `signature` are the headers X-Pusher-Key and X-Pusher-Signature.
    """
    text = credentials.hide(body.decode(errors="surrogateescape"))
    if key != credentials.key:
        raise AuthenticationError(
            f"X-Pusher-Key: expected {credentials.key}, the key of app {credentials.app_id}; "
            f"got {credentials.hide(repr(key))}. The webhook is of another app.",
            reason="X-Pusher-Key",
            canonical_string=text,
        )
    right = hmac.digest(credentials.secret.encode(), body, "sha256").hex()
    if not _equal(right, signature):
        got = credentials.hide(repr(signature))
        raise AuthenticationError(
            f"X-Pusher-Signature: expected the HMAC SHA256 hex digest of the {len(body)} bytes of "
            f"the body, got {got}. Verify the raw body, not JSON that was parsed and written "
            "again.",
            reason="X-Pusher-Signature",
            canonical_string=text,
        )


def _auth(credentials: Credentials, text: str) -> str:
    return f"{credentials.key}:{hmac_sha256(credentials.secret, text)}"


def _verify_auth(credentials: Credentials, text: str, auth: str) -> None:
    right = hmac_sha256(credentials.secret, text)
    key, _, signature = auth.rpartition(":")  # a key may hold a colon, hex does not
    # What came is told; a secret that came by mistake is not.
    text, told = credentials.hide(text), credentials.hide(auth)
    told_key, _, told_signature = told.rpartition(":")  # no key where the colon was hidden, too
    if not (key and signature):
        raise AuthenticationError(
            f"Invalid format: auth must have the format key:signature, got '{told}'",
            reason="auth",
            canonical_string=text,
        )
    if key != credentials.key:
        raise AuthenticationError(
            f"Invalid key in auth: expected {credentials.key}, got '{told_key or told}'",
            reason="auth",
            canonical_string=text,
        )
    if not _equal(right, signature):
        # The wording of Pusher's own refusal.
        raise AuthenticationError(
            f"Invalid signature: Expected HMAC SHA256 hex digest of {text}, "
            f"but got {told_signature}",
            reason="auth",
            canonical_string=text,
        )


def _equal(right: str, received: str) -> bool:
    """Compare in constant time; what was received may hold any character."""
    return hmac.compare_digest(right.encode(), received.encode(errors="surrogatepass"))
