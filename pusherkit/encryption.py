"""Encrypted channels: what is published there, and opened again by those who may listen.

The service carries a channel whose name begins with `private-encrypted-` as it carries any other,
and can't read the data. Each of these channels has a key, `Credentials.shared_secret(channel)`.
Publishers make it from the master key; a subscriber gets it, for this one channel, along with its
authorization. Only the data is encrypted: the names of the channel and the event stay readable.

The box is NaCl's secretbox, XSalsa20 with Poly1305, and a random nonce, so that the same data never
looks the same twice (Pusher's documentation, "Encrypted channels"). PyNaCl makes it, and is
imported when the first box is needed: without encrypted channels you don't need it.
"""

from __future__ import annotations

import base64
import json
import typing
from dataclasses import replace

from pusherkit.credentials import Credentials
from pusherkit.errors import DecryptionError, PusherError
from pusherkit.events import ENCRYPTED, Event, to_json

if typing.TYPE_CHECKING:
    from nacl.secret import SecretBox

NONCE_BYTES = 24  # of XSalsa20
OVERHEAD_BYTES = 16  # Poly1305's tag, in front of the encrypted bytes


def encrypt(key: bytes, text: str, *, nonce: bytes | None = None) -> str:
    """Encrypt an event's data: JSON text with `nonce` and `ciphertext`, both in base64.

    `key` is the channel's, 32 bytes. A `nonce` of your own, 24 bytes, is for tests: the same one
    twice gives away what two texts have in common. Raises PusherError where PyNaCl is missing, and
    its ValueError for a key or a nonce of another length.
    """
    box = secret_box(key).encrypt(text.encode(), nonce)
    parts = {"nonce": box.nonce, "ciphertext": box.ciphertext}
    return to_json({name: base64.b64encode(part).decode() for name, part in parts.items()})


def decrypt(key: bytes, data: str) -> str:
    """The text in an encrypted event's data.

    Raises DecryptionError for data that isn't encrypted, that was changed on its way, or that
    another key has encrypted; PusherError where PyNaCl is missing, and its ValueError for a key of
    another length.
    """
    box = secret_box(key)
    nonce, ciphertext = _parts(data)
    from nacl.exceptions import CryptoError

    try:
        return box.decrypt(ciphertext, nonce).decode()
    except CryptoError:
        problem = (
            "this key doesn't decrypt it. Either it was encrypted with another key (another "
            "channel's, or from an older master key), or it was changed on its way."
        )
    except UnicodeDecodeError as error:
        problem = f"it was decrypted, but byte {error.start} of the result isn't UTF-8."
    raise DecryptionError(f"encrypted data: {problem}")


def encrypted(credentials: Credentials, event: Event) -> Event:
    """The event as it is published: to an encrypted channel with its data encrypted.

    Raises InvalidCredentials where the master key is missing, PusherError where PyNaCl is, and
    InvalidEvent where the encrypted data is over the limit: it's a third larger.
    """
    channel = event.channels[0]  # an event for an encrypted channel has no other
    if not channel.startswith(ENCRYPTED):
        return event
    return replace(event, data=encrypt(credentials.shared_secret(channel), event.data))


def secret_box(key: bytes) -> SecretBox:
    """NaCl's box for a key of 32 bytes. Raises PusherError, which says how to install PyNaCl."""
    try:
        from nacl.secret import SecretBox
    except ImportError:
        missing = True
    else:
        missing = False
    if missing:  # raised here, without a chain of errors about a module that nobody asked for
        raise PusherError(
            "Encrypted channels need PyNaCl, and it isn't installed. Install pusherkit with its "
            'extra "encrypted", or PyNaCl itself: pip install "PyNaCl>=1.6.2,<2".'
        )
    return SecretBox(key)


def _parts(data: str) -> tuple[bytes, bytes]:
    """The nonce and the ciphertext."""
    try:
        fields = json.loads(data)
        nonce, ciphertext = (
            base64.b64decode(fields[name], validate=True) for name in ("nonce", "ciphertext")
        )
    except (ValueError, TypeError, LookupError, RecursionError):
        problem = (
            'expected JSON such as {"nonce":"…","ciphertext":"…"}, both in base64. If it was '
            "published without encryption, check that the publisher has the master key."
        )
    else:
        if len(nonce) == NONCE_BYTES and len(ciphertext) >= OVERHEAD_BYTES:
            return nonce, ciphertext
        problem = (
            f"expected a nonce of {NONCE_BYTES} bytes and a ciphertext of {OVERHEAD_BYTES} or "
            f"more, got {len(nonce)} and {len(ciphertext)}."
        )
    raise DecryptionError(f"encrypted data: {problem}")
