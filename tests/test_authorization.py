"""What else the secret signs, against the vectors that official documentation and SDKs publish."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pusherkit import (
    AuthenticationError,
    Credentials,
    InvalidCredentials,
    InvalidEvent,
    authenticate_user,
    authorize_channel,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit.credentials import HIDDEN

FILE = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
SOCKET_ID = "1234.1234"
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def published(*kinds: str, part: str = "authorization"):
    return [pytest.param(v, id=v["id"]) for v in FILE[part] if v["kind"] in kinds]


def owner(vector: dict) -> Credentials:
    return Credentials(
        app_id="3",
        key=vector["key"] or "any",
        secret=vector["secret"],
        encryption_master_key_base64=MASTER_KEY,
    )


# --- the published vectors ------------------------------------------------------------------------


def test_there_are_vectors_of_each_kind():
    kinds = [vector["kind"] for vector in FILE["authorization"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "channel_auth": 22,
        "user_auth": 9,
        "webhook": 13,
    }


@pytest.mark.parametrize("vector", published("channel_auth"))
def test_a_channel_is_authorized_as_published(vector):
    credentials, data = owner(vector), vector["channel_data"]
    answer = authorize_channel(credentials, vector["socket_id"], vector["channel"], data)
    assert answer["auth"] == f"{vector['key']}:{vector['signature']}"
    assert answer.get("channel_data") == data
    verify_channel(credentials, vector["socket_id"], vector["channel"], answer["auth"], data)


def test_only_an_encrypted_channel_s_authorization_brings_its_key(credentials):
    """As pusher-http-node's authenticate.js publishes it."""
    encrypting = replace(credentials, encryption_master_key_base64=MASTER_KEY)
    answer = authorize_channel(encrypting, SOCKET_ID, "private-encrypted-bla")
    assert answer["shared_secret"] == "BYBsePpRCQkGPvbWu/5j8x+MmUF5sgPH5DmNBwkTzYs="
    verify_channel(credentials, SOCKET_ID, "private-encrypted-bla", answer["auth"])
    for plain in ("private-bla", "private-encryptedbla"):
        assert authorize_channel(encrypting, SOCKET_ID, plain).keys() == {"auth"}
    with pytest.raises(InvalidCredentials, match="private-encrypted-bla is an encrypted channel"):
        authorize_channel(credentials, SOCKET_ID, "private-encrypted-bla")


@pytest.mark.parametrize("vector", published("user_auth"))
def test_a_user_is_authenticated_as_published(vector):
    credentials, data = owner(vector), vector["user_data"]
    answer = authenticate_user(credentials, vector["socket_id"], data)
    assert answer == {"auth": f"{vector['key']}:{vector['signature']}", "user_data": data}
    verify_user(credentials, vector["socket_id"], answer["auth"], data)


@pytest.mark.parametrize("vector", published("webhook"))
def test_a_webhook_is_verified_as_published(vector):
    credentials = owner(vector)
    body = vector["body"].encode()
    verify_webhook(credentials, body, key=credentials.key, signature=vector["signature"])
    for changed in (body + b"\n", body.replace(b":", b": ", 1), b""):
        with pytest.raises(AuthenticationError, match="raw body") as caught:
            verify_webhook(credentials, changed, key=credentials.key, signature=vector["signature"])
        assert caught.value.reason == "X-Pusher-Signature"


@pytest.mark.parametrize("vector", published("channel_auth", part="authorization_but_wrong"))
def test_what_is_published_wrong_is_refused(vector):
    arguments = (owner(vector), vector["socket_id"], vector["channel"])
    data = vector["channel_data"]
    assert authorize_channel(*arguments, data)["auth"].endswith(vector["computed"])
    with pytest.raises(AuthenticationError, match=r"^Invalid signature: Expected HMAC SHA256 hex"):
        verify_channel(*arguments, f"{vector['key']}:{vector['signature']}", data)


@pytest.mark.parametrize("vector", published("webhook", part="authorization_but_wrong"))
def test_a_webhook_that_is_published_wrong_is_refused(vector):
    with pytest.raises(AuthenticationError):
        verify_webhook(
            owner(vector),
            vector["body"].encode(),
            key=vector["key"],
            signature=vector["signature"],
        )


# --- what is signed, and what is refused ----------------------------------------------------------


def test_data_of_any_json_type_is_signed_as_the_compact_json_that_is_answered(credentials):
    member = {"user_id": "é", "user_info": {"a": [1, 2]}}
    answer = authorize_channel(credentials, SOCKET_ID, "presence-x", member)
    assert answer["channel_data"] == '{"user_id":"é","user_info":{"a":[1,2]}}'
    text = json.dumps(member, separators=(",", ":"), ensure_ascii=False)
    assert answer == authorize_channel(credentials, SOCKET_ID, "presence-x", text)
    user = authenticate_user(credentials, SOCKET_ID, {"id": "7"})
    assert user["user_data"] == '{"id":"7"}'


@pytest.mark.parametrize(
    "socket_id", ["", "undefined", "1234", "1.2.3", "１.２", "1.2\n", None, 1.2]
)
def test_a_socket_id_that_cannot_be_one_is_refused_before_signing(credentials, socket_id):
    with pytest.raises(InvalidEvent, match="socket_id: expected digits, a dot and digits"):
        authorize_channel(credentials, socket_id, "private-x")
    with pytest.raises(InvalidEvent, match="socket_id"):
        authenticate_user(credentials, socket_id, {"id": "1"})


@pytest.mark.parametrize(
    "user_data",
    [{}, {"name": "x"}, {"id": ""}, {"id": 123}, {"id": None}, None, [], "", "abc", '{"id":7}'],
    ids=repr,
)
def test_user_data_that_names_no_user_is_refused_before_signing(credentials, user_data):
    with pytest.raises(InvalidEvent, match="user_data: expected JSON such as") as caught:
        authenticate_user(credentials, SOCKET_ID, user_data)
    assert caught.value.rule == "user_data"


def test_a_channel_name_that_could_hide_another_text_is_refused(credentials):
    """A colon in the name would let one signature fit a channel with data."""
    with pytest.raises(InvalidEvent, match="channel"):
        authorize_channel(credentials, SOCKET_ID, 'presence-x:{"user_id":"admin"}')


AUTH = "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"


@pytest.mark.parametrize(
    ("auth", "error"),
    [
        ("", "is invalid: should be of format 'key:signature', got ''"),
        (":", "should be of format 'key:signature'"),
        (AUTH.partition(":")[2], "should be of format 'key:signature'"),
        (AUTH.partition(":")[1] + AUTH.partition(":")[2], "should be of format"),
        (AUTH[:21], "should be of format"),
        (AUTH[:21] + AUTH[21:].upper(), "Invalid signature"),
        (AUTH[:-1], "Invalid signature"),
        (AUTH + " ", "Invalid signature"),
        (
            "other" + AUTH[20:],
            "subscription auth data: 'other', expected 278d425bdf160c739803",
        ),
        (AUTH[:21] + "\ud800", "Invalid signature"),
    ],
)
def test_an_auth_that_is_not_right_is_refused_with_the_reason(credentials, auth, error):
    with pytest.raises(AuthenticationError, match=error) as caught:
        verify_channel(credentials, SOCKET_ID, "private-foobar", auth)
    assert caught.value.reason == "auth"
    assert caught.value.canonical_string == "1234.1234:private-foobar"
    assert credentials.secret not in str(caught.value)


def test_an_auth_is_for_one_connection_one_channel_and_one_member(credentials):
    verify_channel(credentials, SOCKET_ID, "private-foobar", AUTH)
    for other in (("1234.1235", "private-foobar"), (SOCKET_ID, "private-foobaz")):
        with pytest.raises(AuthenticationError, match="Invalid signature"):
            verify_channel(credentials, *other, AUTH)
    with pytest.raises(AuthenticationError, match="Invalid signature"):
        verify_channel(credentials, SOCKET_ID, "private-foobar", AUTH, "{}")
    with pytest.raises(AuthenticationError, match="Invalid signature"):
        verify_user(credentials, SOCKET_ID, AUTH, "{}")


@pytest.mark.parametrize(
    ("auth", "error"),
    [
        (
            "key",
            "Auth value for subscription to private-foobar is invalid: should be of format "
            "'key:signature', got 'key'",
        ),
        (
            "other:00",
            "Invalid key in subscription auth data: 'other', expected 278d425bdf160c739803",
        ),
        (
            "278d425bdf160c739803:00",
            "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-foobar, "
            "but got 00",
        ),
    ],
)
def test_a_refusal_tells_what_was_expected_and_what_came(credentials, auth, error):
    with pytest.raises(AuthenticationError) as caught:
        verify_channel(credentials, SOCKET_ID, "private-foobar", auth)
    assert str(caught.value) == error


def test_a_key_may_hold_a_colon():
    mine = Credentials(app_id="3", key="k:y", secret="secret")
    auth = authorize_channel(mine, SOCKET_ID, "private-x")["auth"]
    verify_channel(mine, SOCKET_ID, "private-x", auth)
    for wrong, error in (
        (auth[:-1], f"but got {auth[4:-1]}$"),
        ("k:z:00", "'k:z', expected k:y$"),
    ):
        with pytest.raises(AuthenticationError, match=error):
            verify_channel(mine, SOCKET_ID, "private-x", wrong)


def test_a_secret_with_a_colon_sent_as_the_whole_auth_is_not_repeated():
    mine = Credentials(app_id="3", key="key", secret="abc:defg")
    with pytest.raises(AuthenticationError, match=f"'{re.escape(HIDDEN)}', expected key$"):
        verify_channel(mine, SOCKET_ID, "private-x", mine.secret)


@pytest.mark.parametrize(
    "verify",
    [
        lambda mine: verify_channel(mine, SOCKET_ID, "private-x", mine.secret),
        lambda mine: verify_channel(mine, SOCKET_ID, "private-x", f"{mine.secret}:00"),
        lambda mine: verify_channel(mine, SOCKET_ID, "private-x", f"{mine.key}:{mine.secret}"),
        lambda mine: verify_channel(mine, SOCKET_ID, "presence-x", f"{mine.key}:00", mine.secret),
        lambda mine: verify_user(mine, SOCKET_ID, f"{mine.key}:00", mine.secret),
        lambda mine: verify_webhook(mine, b"{}", key=mine.secret, signature="00"),
        lambda mine: verify_webhook(mine, b"{}", key=mine.key, signature=mine.secret),
        lambda mine: verify_webhook(mine, mine.secret.encode(), key=mine.key, signature="00"),
    ],
    ids=["auth", "key", "signature", "channel_data", "user_data", "webhook key",
         "webhook signature", "webhook body"],
)  # fmt: skip
def test_a_secret_sent_by_mistake_is_not_repeated(credentials, verify):
    with pytest.raises(AuthenticationError) as caught:
        verify(credentials)
    said = f"{caught.value} {caught.value.canonical_string}"
    assert credentials.secret not in said
    assert HIDDEN in said


@pytest.mark.parametrize(
    ("key", "reason", "error"),
    [
        (
            "other",
            "X-Pusher-Key",
            "X-Pusher-Key: expected 278d425bdf160c739803, the key of app 3; got 'other'. "
            "The webhook is of another app.",
        ),
        (
            "278d425bdf160c739803",
            "X-Pusher-Signature",
            "X-Pusher-Signature: expected the HMAC SHA256 hex digest of the 2 bytes of the body, "
            "got '00'. Verify the raw body, not JSON that was parsed and written again.",
        ),
    ],
)
def test_a_webhook_that_is_not_right_is_refused_with_the_reason(credentials, key, reason, error):
    with pytest.raises(AuthenticationError) as caught:
        verify_webhook(credentials, b"{}", key=key, signature="00")
    assert (caught.value.reason, str(caught.value)) == (reason, error)
    assert caught.value.canonical_string == "{}"


def test_a_webhook_body_may_be_any_bytes(credentials):
    with pytest.raises(AuthenticationError):
        verify_webhook(credentials, b"\xff\x00", key=credentials.key, signature="é\ud800")


# --- what didn't arrive, or arrived as something else ---------------------------------------------


def channel(credentials: Credentials, **given: object) -> None:
    right = {"socket_id": SOCKET_ID, "channel": "private-foobar", "auth": AUTH}
    verify_channel(credentials, **(right | given))


def user(credentials: Credentials, **given: object) -> None:
    right = authenticate_user(credentials, SOCKET_ID, {"id": "7"}) | {"socket_id": SOCKET_ID}
    verify_user(credentials, **(right | given))


def webhook(credentials: Credentials, **given: object) -> None:
    signature = hmac.digest(credentials.secret.encode(), b"{}", "sha256").hex()
    right = {"body": b"{}", "key": credentials.key, "signature": signature}
    verify_webhook(credentials, **(right | given))


@pytest.mark.parametrize("verify", [channel, user, webhook])
def test_what_arrived_right_is_accepted(credentials, verify):
    verify(credentials)


@pytest.mark.parametrize(
    ("verify", "given", "reason", "error"),
    [
        (channel, {"auth": None}, "auth", "auth: missing."),
        (channel, {"auth": AUTH.encode()}, "auth", "auth: expected text (str), got bytes."),
        (channel, {"channel_data": {"user_id": "7"}}, "channel_data", "expected text (str), got d"),
        (channel, {"socket_id": None}, "socket_id", "socket_id: expected digits"),
        (channel, {"channel": None}, "channel", "channel: expected a name (text), got NoneType."),
        (channel, {"channel": "presence-a:{}"}, "channel", "got 'presence-a:{}'."),
        (channel, {"channel": "x" * 201}, "channel", "1 over the limit of 200"),
        (user, {"auth": None}, "auth", "auth: missing."),
        (user, {"user_data": None}, "user_data", "user_data: missing."),
        (user, {"socket_id": "1.1:x"}, "socket_id", "socket_id: expected digits"),
        (webhook, {"key": None}, "X-Pusher-Key", "X-Pusher-Key: missing."),
        (webhook, {"signature": None}, "X-Pusher-Signature", "X-Pusher-Signature: missing."),
        (webhook, {"signature": b"00"}, "X-Pusher-Signature", "expected text (str), got bytes."),
        (webhook, {"body": "{}"}, "body", "body: expected the request's raw bytes, got str."),
        (webhook, {"body": {}}, "body", "body: expected the request's raw bytes, got dict."),
        (webhook, {"body": None}, "body", "body: expected the request's raw bytes, got NoneType."),
    ],
)
def test_what_is_missing_or_of_another_type_is_refused(credentials, verify, given, reason, error):
    with pytest.raises(AuthenticationError, match=re.escape(error)) as caught:
        verify(credentials, **given)
    assert caught.value.reason == reason
    assert caught.value.__context__ is None


def test_a_channel_whose_name_holds_the_secret_is_refused_without_it(credentials):
    with pytest.raises(AuthenticationError) as caught:
        channel(credentials, channel=f"private-{credentials.secret}:x")
    assert HIDDEN in str(caught.value)
    assert credentials.secret not in str(caught.value)
