"""The doctor on webhooks: every known mistake, made here by other code, is named."""

from __future__ import annotations

import base64
import hmac
import json
import random
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

import pytest

from pusherkit import Credentials, diagnose_webhook
from pusherkit.doctor.webhooks import MAX_SEARCHED_BYTES, TABLE, UNEXPLAINED, UNFINISHED

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
OWNER = Credentials(app_id="3", key=KEY, secret=SECRET)
BODY = (
    '{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-Zoë",'
    '"data":"{\\"at\\":\\"a/b\\",\\"html\\":\\"<b>\\"}"}]}'
).encode()
VALUE = json.loads(BODY)


def signed(body: bytes | str, secret: str = SECRET, method: str = "sha256") -> str:
    data = body.encode() if isinstance(body, str) else body
    return hmac.new(secret.encode(), data, method).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to go wrong: what arrives, and the name of the mistake."""

    name: str
    signature: str
    body: bytes = BODY
    key: str = KEY
    also: tuple[str, ...] = ()  # names that are as true


def of(name: str, *bodies: bytes | str, **more: object) -> list[Way]:
    return [Way(name=name, signature=signed(body), **more) for body in bodies]


HEX = signed(BODY)
ASCII_BODY = b'{"time_ms":1,"events":[]}'
WAYS = [
    Way(name="prefix-before-signature", signature=f"sha256={HEX}"),
    Way(name="prefix-before-signature", signature=f"SHA256 {HEX}"),
    Way(name="key-before-signature", signature=f"{KEY}:{HEX}"),
    Way(name="signature-in-quotes", signature=f'"{HEX}"'),
    Way(name="signature-in-quotes", signature=f"{HEX} "),
    *of(
        "body-written-again",
        json.dumps(VALUE),
        json.dumps(VALUE, separators=(",", ":")),
        json.dumps(VALUE, ensure_ascii=False, sort_keys=True),
        json.dumps(VALUE, indent=4),
        # PHP's json_encode() and Go's encoding/json, as they write it:
        '{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-Zo\\u00eb",'
        '"data":"{\\"at\\":\\"a\\/b\\",\\"html\\":\\"<b>\\"}"}]}',
        '{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-Zoë",'
        '"data":"{\\"at\\":\\"a/b\\",\\"html\\":\\"\\u003cb\\u003e\\"}"}]}',
    ),
    *of("body-written-again", BODY, body=json.dumps(VALUE).encode()),
    *of("newline-lost", BODY + b"\n", BODY + b"\r\n"),
    *of("newline-added", BODY, body=BODY + b"\n", also=("body-written-again",)),
    *of("newline-added", b"time=1", body=b"time=1\r\n"),
    *of("line-ends-changed", b"{\r\n}", body=b"{\n}"),
    *of("line-ends-changed", b"{\n \n}", body=b"{\r\n \r\n}"),
    *of("body-in-another-encoding", BODY.decode().encode("latin-1"), BODY.decode("latin-1")),
    *of("byte-order-mark", b"\xef\xbb\xbf" + BODY),
    *of("byte-order-mark", BODY, body=b"\xef\xbb\xbf" + BODY, also=("body-written-again",)),
    *of("body-empty", b""),
    *of("object-signed", "[object Object]", str(VALUE)),
    *of("form-signed", f"payload={quote_plus(BODY)}", quote(BODY, safe="")),
    *of("form-signed", ASCII_BODY, body=(quote_plus(ASCII_BODY) + "=").encode()),
    *of("body-encoded-again", json.dumps(BODY.decode())),
    *of("body-sent-encoded-again", ASCII_BODY, body=json.dumps(ASCII_BODY.decode()).encode()),
    *of("events-alone-signed", json.dumps(VALUE["events"])),
    *of("more-than-the-body-signed", b"1327078148132." + BODY),
    # What can go wrong with the secret, the HMAC and the hex is in the table for requests.
    Way(name="secret-in-quotes", signature=signed(BODY, f"'{SECRET}'")),
    Way(name="app-key-as-secret", signature=signed(BODY, KEY)),
    Way(name="signature-in-upper-case", signature=HEX.upper()),
    Way(name="signature-in-base64", signature=base64.b64encode(bytes.fromhex(HEX)).decode()),
    Way(name="hmac-sha1", signature=signed(BODY, method="sha1")),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.name}-{way.signature[:12]}")
def test_each_mistake_is_named_and_proven(way):
    found = diagnose_webhook(OWNER, key=way.key, signature=way.signature, body=way.body)
    named = {tuple(mistake.name for mistake in finding.mistakes) for finding in found.findings}
    assert named == {(name,) for name in (way.name, *way.also)}, str(found)
    assert not found.valid
    assert not found.unexplained
    assert SECRET not in str(found)


def test_no_known_mistake_is_left_out():
    known = {mistake.name for rows in TABLE.values() for mistake, _ in rows}
    assert known == {way.name for way in WAYS} & known


@pytest.mark.parametrize(
    ("names", "signature"),
    [
        ({"prefix-before-signature", "body-written-again"}, f"sha256={signed(json.dumps(VALUE))}"),
        ({"newline-lost", "secret-in-quotes"}, signed(BODY + b"\n", f'"{SECRET}"')),
        (
            {"body-written-again", "signature-in-base64"},
            base64.b64encode(bytes.fromhex(signed(json.dumps(VALUE)))).decode(),
        ),
    ],
)
def test_two_mistakes_at_once_are_proven(names, signature):
    found = diagnose_webhook(OWNER, key=KEY, signature=signature, body=BODY)
    assert names in [{mistake.name for mistake in each.mistakes} for each in found.findings]


def test_what_is_right_is_never_called_wrong():
    chance = random.Random(20)
    for size in [0, 1, *[chance.randrange(5_000) for _ in range(100)]]:
        body = chance.choice([chance.randbytes(size), BODY[: size % len(BODY)] + b"\n"])
        found = diagnose_webhook(OWNER, key=KEY, signature=signed(body), body=body)
        assert str(found) == "The webhook is signed as it should be."


@pytest.mark.parametrize(
    ("key", "signature", "said"),
    [
        (KEY, "", "X-Pusher-Signature is missing"),
        ("", HEX, "X-Pusher-Key is missing"),
        (SECRET, HEX, "X-Pusher-Key holds the app's secret"),
        (f'"{KEY}"', HEX, "quotes or white space around the app key"),
        ("another", HEX, "made with this app's secret"),
        ("another", signed(BODY, "another-secret"), "verify it with that app's key and secret"),
        (KEY, HEX[:-1], "63 characters; expected 64"),
        (KEY, f"{HEX[:-1]}é", "character 64 is 'é'"),
    ],
)
def test_what_needs_no_proof_is_a_note(key, signature, said):
    found = diagnose_webhook(OWNER, key=key, signature=signature, body=BODY)
    assert not found.valid
    assert said in str(found)
    assert not found.unexplained
    assert SECRET not in str(found)


def test_another_secret_cant_be_proven_and_is_said_as_what_is_left():
    found = diagnose_webhook(OWNER, key=KEY, signature=signed(BODY, "another"), body=BODY)
    assert found.unexplained == UNEXPLAINED
    assert "secret" in found.unexplained


def test_a_secret_in_the_body_is_not_shown():
    body = f'{{"secret":"{SECRET}"}}'.encode()
    found = diagnose_webhook(OWNER, key=KEY, signature=signed(body + b"\n"), body=body)
    (finding,) = found.findings
    assert "not shown" in finding.canonical_string


def test_a_search_that_is_stopped_or_too_long_says_so():
    found = diagnose_webhook(OWNER, key=KEY, signature="a" * 64, body=BODY, go_on=lambda: False)
    assert found.unexplained == UNFINISHED
    long = b"x" * (MAX_SEARCHED_BYTES + 1)
    found = diagnose_webhook(OWNER, key=KEY, signature="a" * 64, body=long)
    assert "this one is larger" in found.unexplained
    assert diagnose_webhook(OWNER, key=KEY, signature=signed(long), body=long).valid


@pytest.mark.parametrize("character", ["{", '"', "%", "\n"])
def test_the_work_is_linear_in_whatever_arrives(character, growth):
    def look(size: int) -> None:
        body = character * size
        diagnose_webhook(OWNER, key=body, signature=body, body=body.encode())

    growth(look, int, largest=10_000_000, least=1_000_000)


def test_the_work_is_bounded_just_below_the_limit(growth):
    def look(size: int) -> None:
        diagnose_webhook(OWNER, key=KEY, signature="a" * 64, body=b"[" + b'"<",' * (size // 4))

    growth(look, int, largest=MAX_SEARCHED_BYTES - 1, least=10_000)
