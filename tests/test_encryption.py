"""Encrypted channels: what is published there opens with the channel's key, and with no other."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusherkit import (
    Credentials,
    DecryptionError,
    Event,
    InvalidCredentials,
    InvalidEvent,
    PusherError,
    decrypt,
    encrypt,
)
from pusherkit.encryption import NONCE_BYTES, OVERHEAD_BYTES, encrypted
from pusherkit.events import MAX_DATA_BYTES, looks_encrypted

CREDENTIALS = Credentials(
    app_id="3",
    key="key",
    secret="secret",
    encryption_master_key_base64=base64.b64encode(b"OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5").decode(),
)
CHANNEL = "private-encrypted-chat"
KEY = CREDENTIALS.shared_secret(CHANNEL)


def test_it_encrypts_as_published():
    """By pusher-http-python, pusher_tests/test_crypto.py."""
    key = CREDENTIALS.shared_secret("pvUPIk0YG6MnxCEMIUUVFrbDmQwbhICXUcy")
    data = encrypt(key, "kkkT5OOkOkO5kT5TOO5TkOT5TTk5O55T", nonce=b"XAJI0Y6DPBHSAHXTHV3A3ZMF")
    assert json.loads(data) == {
        "nonce": "WEFKSTBZNkRQQkhTQUhYVEhWM0EzWk1G",
        "ciphertext": "tsYJa2JgGDOpVIYFe4aNVWAvZlpB7z7CjN9mpIdbATE0Yc4izN8aM8D6VigBxnIQ",
    }
    assert decrypt(key, data) == "kkkT5OOkOkO5kT5TOO5TkOT5TTk5O55T"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encrypted_opens_again_and_never_looks_the_same(text):
    one, other = encrypt(KEY, text), encrypt(KEY, text)
    assert one != other
    assert decrypt(KEY, one) == decrypt(KEY, other) == text
    assert looks_encrypted(one)


def changed(data: str, part: str, at: int) -> str:
    """Encrypted data with one bit of a part changed."""
    fields = json.loads(data)
    raw = bytearray(base64.b64decode(fields[part]))
    raw[at] ^= 1
    return json.dumps(fields | {part: base64.b64encode(raw).decode()})


@pytest.mark.parametrize("part", ["nonce", "ciphertext"])
@pytest.mark.parametrize("at", [0, -1])
def test_what_was_changed_on_its_way_does_not_open(part, at):
    data = encrypt(KEY, "the driver is at the door")
    with pytest.raises(DecryptionError, match="this key doesn't decrypt it"):
        decrypt(KEY, changed(data, part, at))


def test_another_channel_s_key_does_not_open_it():
    data = encrypt(KEY, "for this channel")
    with pytest.raises(DecryptionError, match="another channel's, or from an older master key"):
        decrypt(CREDENTIALS.shared_secret(f"{CHANNEL}2"), data)


def parts(nonce: object, ciphertext: object) -> str:
    return json.dumps({"nonce": nonce, "ciphertext": ciphertext})


def of(length: int) -> str:
    return base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("hello", "published without encryption"),
        ("{}", "published without encryption"),
        ("[1]", "published without encryption"),
        ("7", "published without encryption"),
        ("[" * 100_000, "published without encryption"),
        (parts(7, "AAAA"), "published without encryption"),
        (parts("a b", "AAAA"), "published without encryption"),
        (parts("é", "AAAA"), "published without encryption"),
        (parts(of(23), of(16)), "a ciphertext of 16 or more, got 23 and 16"),
        (parts(of(24), of(15)), "a ciphertext of 16 or more, got 24 and 15"),
    ],
)
def test_what_is_not_encrypted_data_is_told(data, sentence):
    assert (NONCE_BYTES, OVERHEAD_BYTES) == (24, 16)
    with pytest.raises(DecryptionError, match=sentence):
        decrypt(KEY, data)


def test_what_is_inside_must_be_text():
    from nacl.secret import SecretBox

    box = SecretBox(KEY).encrypt(b"ok\xff")
    names = {"nonce": box.nonce, "ciphertext": box.ciphertext}
    data = json.dumps({name: base64.b64encode(part).decode() for name, part in names.items()})
    with pytest.raises(DecryptionError, match="byte 2 of the result isn't UTF-8"):
        decrypt(KEY, data)


def test_looking_encrypted_is_a_matter_of_form():
    assert looks_encrypted('{"nonce":"","ciphertext":""}')
    for other in ('{"nonce":""}', "[]", "x", "[" * 100_000):
        assert not looks_encrypted(other)


def test_only_an_event_on_an_encrypted_channel_is_encrypted():
    event = Event.of(CHANNEL, "n", {"a": 1}, "1.2", info=["subscription_count"])
    sealed = encrypted(CREDENTIALS, event)
    assert replace(sealed, data=event.data) == event
    assert decrypt(KEY, sealed.data) == '{"a":1}'
    plain = Event.of(["private-chat", "chat"], "n", "d")
    assert encrypted(replace(CREDENTIALS, encryption_master_key_base64=None), plain) is plain


def test_the_limit_counts_what_is_sent():
    assert encrypted(CREDENTIALS, Event.of(CHANNEL, "n", "x" * 76_000))
    with pytest.raises(InvalidEvent) as caught:
        encrypted(CREDENTIALS, Event.of(CHANNEL, "n", "x" * MAX_DATA_BYTES))
    assert caught.value.rule == "data_size"


def test_what_is_missing_is_named(monkeypatch):
    event = Event.of(CHANNEL, "n", "d")
    with pytest.raises(InvalidCredentials, match=f"because {CHANNEL} is an encrypted channel"):
        encrypted(replace(CREDENTIALS, encryption_master_key_base64=None), event)
    monkeypatch.setitem(sys.modules, "nacl.secret", None)  # as if it weren't installed
    for call in (lambda: encrypted(CREDENTIALS, event), lambda: decrypt(KEY, "{}")):
        with pytest.raises(PusherError, match='pip install "PyNaCl>=') as caught:
            call()
        assert caught.value.__context__ is None
