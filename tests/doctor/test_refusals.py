"""Reading a refusal without the secret: Pusher's wording in every wrapping, and terser ones."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pusherkit import Credentials, canonical_string, diagnose_refusal, sign
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Sandbox

SERVERS = "POST\n/apps/3/events\nauth_key=key&auth_timestamp=1353088179&auth_version=1.0&body_md5=x"
# As a Ruby server prints it: newlines and quotes escaped.
PUSHERS = (
    'Invalid signature: you should have sent HmacSHA256Hex("'
    + SERVERS.replace("\n", "\\n")
    + '", your_secret_key), but you sent "e2abd7"'
)
WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "with a newline": lambda text: text + "\n",
    "after a status": lambda text: f"401: {text}",
    "in JSON": lambda text: json.dumps({"error": text}),
    "in JSON in JSON": lambda text: json.dumps({"body": json.dumps({"error": text})}),
    "in a Python repr": lambda text: repr({"error": text}),
}
wrapped = pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())


def said(text: str, yours: str | None = None) -> str:
    diagnosis = diagnose_refusal(text, yours)
    assert not diagnosis.valid
    assert not diagnosis.findings, "without the secret nothing is proven"
    return "\n".join(diagnosis.notes)


@wrapped
def test_equal_strings_leave_the_secret_and_the_hmac(wrap: Callable[[str], str]) -> None:
    answer = said(wrap(PUSHERS), SERVERS)
    assert answer.startswith("Both sides signed the same canonical string. What is left is the sec")


@wrapped
def test_without_yours_the_servers_is_shown(wrap: Callable[[str], str]) -> None:
    assert SERVERS in said(wrap(PUSHERS))


@pytest.mark.parametrize(
    ("change", "byte", "rule"),
    [
        (("POST", "post"), 0, "the method"),
        (("POST", "GET"), 0, "the method"),
        (("/apps/3", "/apps/4"), 11, "the path"),
        (("/apps/3/events", "/apps/3/events/"), 19, "the path"),
        (("\n", "\\n"), 4, "the newlines"),
        (("\n", "\r\n"), 4, "the newlines"),
        (("1353088179", "1353088180"), 56, "the parameters, at auth_timestamp"),
        (("auth_key=key", "auth_key=kez"), 31, "the parameters, at auth_key"),
        (("&body_md5=x", ""), 75, "the parameters, at auth_version"),
    ],
)
def test_the_first_difference_is_named_with_its_rule(
    change: tuple[str, str], byte: int, rule: str
) -> None:
    answer = said(PUSHERS, SERVERS.replace(*change))
    assert f"differ from byte {byte} on" in answer
    assert f"Look at {rule}" in answer


def test_bytes_are_counted_not_characters() -> None:
    servers = "GET\n/a\nb=☕é&c=1"
    text = f'HmacSHA256Hex("{servers}", your_secret_key)'
    assert "from byte 17 on: you have 0x32 '2', the server has 0x31 '1'" in said(
        text, "GET\n/a\nb=☕é&c=2"
    )


@pytest.mark.parametrize(
    ("given", "server", "expected"),
    [
        ("2013-09-29T08:46:33Z", "2013-09-29T08:36:32Z", "601 s ahead of the server's"),
        ("2013-09-29T08:00:00Z", "2013-09-29T08:36:32Z", "2192 s behind the server's"),
        ("2013-09-29T08:46:33Z", "2013-09-29T05:46:32Z", "local time taken for UTC?"),
        ("never", "now", "yours said never, the server's now"),
    ],
)
def test_the_clocks_are_compared(given: str, server: str, expected: str) -> None:
    text = f"Timestamp expired: Given timestamp ({given}) not within 600s of server time ({server})"
    assert expected in said(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Unknown auth_key", "does not know this key"),
        ("App key abc not in this cluster. Did you forget to specify the cluster?", "cluster"),
        ('{"error":"The secret authentication failed","code":401}', "not what the server computed"),
        ("Authentication signature invalid.", "not what the server computed"),
        ('{"error":"Authentication error"}', "not what the server computed"),
        ('{"error":"Invalid API signature","code":"auth_failed","status":401}', "not what"),
        ('{"error":"body_md5 mismatch"}', "Serialise once"),
        ("Timestamp expired or too far in the future", "Check the clock"),
        ("Missing parameter: auth_key", "is missing from the query"),
        ("Version not supported", "auth_version must be 1.0"),
    ],
)
def test_terse_refusals_say_what_can_be_known(text: str, expected: str) -> None:
    answer = said(text)
    assert expected in answer
    assert "pusherkit sandbox" in answer, "and where more is said"


@pytest.mark.parametrize("text", ["", "huh", "☕" * 1000, 'HmacSHA256Hex("', "{}", "\x00\\" * 500])
def test_what_is_no_refusal_is_told(text: str) -> None:
    assert said(text).startswith("This is no refusal that is known.")


def test_a_lone_backslash_ends_the_unescaping() -> None:
    assert "The server signed:" in said('HmacSHA256Hex("a\\", your_secret_key)')


def test_half_a_surrogate_pair_can_be_compared() -> None:
    assert "differ from byte 0" in said(PUSHERS, "\ud800")


def test_the_practice_servers_refusal_can_be_read() -> None:
    wrong = Credentials(app_id="6855671", key="practice-key", secret="another")
    path = "/apps/6855671/channels"
    signature = sign(wrong, "GET", path, {"info": 'a"b\\c'}, timestamp=1353088179)
    query = (
        "&".join(f"{k}={v}" for k, v in signature.query).replace('"', "%22").replace("\\", "%5C")
    )
    reply = Sandbox(PRACTICE_CREDENTIALS).handle(
        RawRequest(method="GET", target=f"{path}?{query}".encode()), now=1353088179
    )
    assert canonical_string("GET", path, signature.params) == signature.canonical_string
    answer = said(reply.body.decode(), signature.canonical_string)
    assert answer.startswith("Both sides signed the same canonical string.")
