"""Pusher's refusal is found, and its mistake proven, in whatever it was wrapped on its way."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from pusherkit import Credentials, diagnose_refusal
from pusherkit.doctor.wrappings import letters, quoted_digest, quoted_string
from pusherkit.signing import hmac_sha256

APP = Credentials(app_id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
SERVERS = (
    "POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179"
    "&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f&info=a,b"
)
SENT = hmac_sha256(APP.secret, SERVERS.replace("\n", "\\n"))  # the mistake: newline-written-out


def refusal(string: str) -> str:
    return (
        f'Invalid signature: you should have sent HmacSHA256Hex("{string}", your_secret_key), '
        f'but you sent "{SENT}"\n'
    )


STRINGS = {
    "written out": refusal(SERVERS.replace("\n", "\\n")),  # as Pusher sends it
    "real newlines": refusal(SERVERS),  # as Guzzle's message has it
}


def broken(text: str, width: int, before: str = "", after: str = "") -> str:
    """Lines of a width, as a terminal or a mail breaks them: in the middle of a word."""
    lines = []
    for line in text.split("\n"):
        lines += [line[at : at + width] for at in range(0, len(line), width)] or [""]
    return "\n".join(f"{before}{line}{after}" for line in lines)


def boxed(text: str) -> str:
    """As Symfony's console shows an exception: padded to the width of the longest line."""
    lines = broken(f"Pusher error: {text}", 76).split("\n")
    width = max(map(len, lines))
    return "In PusherBroadcaster.php line 164:\n\n" + "".join(
        f"  \x1b[37;41m  {line:<{width}}  \x1b[39;49m\n" for line in lines
    )


def dot_net(text: str) -> str:
    """As System.Text.Json escapes: quotes, ampersands and plus signs by their numbers."""
    return json.dumps({"body": text}).replace('\\"', "\\u0022").replace("&", "\\u0026")


def in_a_repr_of_json(text: str) -> str:
    return repr(json.dumps({"exception": f"[object] (E(code: 0): {text} at /srv/a.php:1)"}))


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "a Go error": lambda text: f"2023/12/07 20:22:09 Status Code: 401 - {text}",
    "a Ruby exception": lambda text: f"trigger': {text.rstrip()} (Pusher::AuthenticationError)",
    "Ruby's inspect": lambda text: f"#<Pusher::AuthenticationError: {json.dumps(text)}>",
    "JSON": lambda text: json.dumps({"error": text}),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"error": text})}),
    "four times JSON": lambda text: json.dumps(json.dumps(json.dumps(json.dumps([text])))),
    "PHP's JSON": lambda text: json.dumps({"message": text}).replace("/", "\\/"),
    "Go's JSON": lambda text: json.dumps(text).replace("&", "\\u0026"),
    ".NET's JSON": dot_net,
    "Python's repr": lambda text: repr({"error": text}),
    "a repr of JSON": in_a_repr_of_json,
    "PHP's var_export": lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    "PHP's exception": lambda text: (
        f"PHP Fatal error:  Uncaught Pusher\\ApiErrorException: {text} in /srv/Pusher.php:736\n"
        "Stack trace:\n#0 /srv/a.php(3): Pusher\\Pusher->post('/events', '{\"name\":...')\n#1"
    ),
    "Laravel's log": lambda text: (
        "[2024-05-01 12:11:54] production.ERROR: Pusher error: "
        + text
        + json.dumps({"exception": text})
    ),
    "HTML": lambda text: f"<h1>Error</h1><pre>{html.escape(text)}</pre>",
    "HTML twice": lambda text: html.escape(html.escape(text)),
    "HTML of JSON": lambda text: html.escape(json.dumps({"error": text})),
    "a URL": lambda text: f"/login?error={quote(text)}",
    "smart quotes": lambda text: (
        text.replace('("', "(“").replace('",', "”,").replace(' "', " “").replace('"\n', "”\n")
    ),
    "colours": lambda text: text.replace("auth_", "\x1b[31mauth_\x1b[0m"),
    "colours of a colour": lambda text: f"\x1b[1;31m{text}\x1b[0m",
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "lines of 76": lambda text: broken(text, 76),
    "lines of 33": lambda text: broken(text, 33),
    "a quoted mail": lambda text: broken(text, 70, before="> "),
    "an indented block": lambda text: broken(text, 90, before="    "),
    "a table's cell": lambda text: broken(text, 60, before="│ ", after=" │"),
    "docker compose": lambda text: broken(text, 5000, before="laravel.test-1  | "),
    "Kubernetes": lambda text: broken(text, 100, before="2024-05-01T12:11:54.123456Z stderr F "),
    "Symfony's box": boxed,
    "JSON in a log, broken": lambda text: broken(json.dumps({"error": text}), 80),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
@pytest.mark.parametrize("string", STRINGS)
def test_the_mistake_is_proven_in_every_wrapping(string: str, wrap: Callable[[str], str]) -> None:
    diagnosis = diagnose_refusal(wrap(STRINGS[string]), APP)
    assert [finding.mistakes[0].name for finding in diagnosis.findings] == ["newline-written-out"]
    assert diagnosis.findings[0].reproduced == SENT
    assert any(SERVERS in note for note in diagnosis.notes)


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_a_sentence_is_found_in_every_wrapping(wrap: Callable[[str], str]) -> None:
    said = wrap("Timestamp expired: Given timestamp (2013-09-29T08:46:33Z) not within 600s of x\n")
    assert "timestampexpired:giventimestamp(2013-09-29t08:46:33z)notwithin" in letters(
        said.replace("%20", " ").replace("%3A", ":").replace("%28", "(").replace("%29", ")")
    )


def test_what_a_log_cut_off_is_shown_as_far_as_it_goes() -> None:
    cut = STRINGS["written out"][:120] + " (truncated...)\n"
    quoted = quoted_string(cut)
    assert quoted is not None
    assert not quoted.whole
    assert quoted.canonical_string.startswith("POST\n/apps/3/events\nauth_")
    notes = diagnose_refusal(cut, APP).notes
    assert "was cut off" in notes[0]
    assert "getBody()" in notes[1]


def test_the_first_whole_quotation_counts() -> None:
    other = STRINGS["written out"].replace("/apps/3", "/apps/4")
    quoted = quoted_string(STRINGS["written out"][:150] + "\n" + STRINGS["written out"] + other)
    assert quoted is not None
    assert quoted.whole
    assert quoted.lines[1] == "/apps/3/events"


@pytest.mark.parametrize(
    "text", ["", "HmacSHA256Hex(", 'HmacSHA256Hex("', "your_secret_key", 'HmacSHA256Hex(x"y")']
)
def test_no_quotation_is_none(text: str) -> None:
    assert quoted_string(text) is None


IN_HTML = '{"user_id":"7","user_info":{"shop":"Fish &amp; Chips"}}'  # the data's own entity
DATA = '{"user_id":"7","user_info":{"name":"Ann \\"A\\""}}'


@pytest.mark.parametrize("wraps", [0, 1, 2])
@pytest.mark.parametrize(
    ("signed", "parts"),
    [
        ("1234.1234:private-foobar", ("1234.1234", "private-foobar", None, None)),
        (f"1234.1234:presence-a:{DATA}", ("1234.1234", "presence-a", DATA, None)),
        (f"1234.1234:presence-a:{IN_HTML}", ("1234.1234", "presence-a", IN_HTML, None)),
        (f"1234.1234::user::{DATA}", ("1234.1234", "", None, DATA)),
        ("undefined:private-foobar", ("", "", None, None)),
    ],
)
def test_a_subscription_s_text_is_taken_apart(
    wraps: int, signed: str, parts: tuple[str | None, ...]
) -> None:
    text = f"Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {'0' * 64}"
    for _ in range(wraps):
        text = json.dumps({"message": text})
    digest = quoted_digest(text)
    assert digest is not None
    assert (digest.socket_id, digest.channel, digest.channel_data, digest.user_data) == parts
    assert digest.received == "0" * 64


def test_a_subscription_s_text_on_a_web_page_is_taken_apart() -> None:
    text = f"Expected HMAC SHA256 hex digest of 1.2:presence-a:{DATA}, but got {'0' * 64}"
    digest = quoted_digest(html.escape(text))
    assert digest is not None
    assert digest.channel_data == DATA


def test_a_subscription_s_text_that_is_cut_off_or_wrapped_without_end_is_not_taken_apart() -> None:
    text = "Expected HMAC SHA256 hex digest of 1.2:presence-a:{}, but got 0"
    assert quoted_digest(text.partition(", but")[0]) is None
    digest = quoted_digest(text.format("{" + "\\" * 2**9 + '"user_id'))  # each layer halves them
    assert digest is not None
    assert digest.channel_data == '{\\\\"user_id'


FAMILIES: dict[str, Callable[[int], str]] = {
    "nothing but backslashes": lambda n: "\\" * n,
    "escapes": lambda n: "\\u0041" * (n // 6),
    "entities": lambda n: "&amp;" * (n // 5),
    "ampersands": lambda n: "&" * n + ";",
    "half entities": lambda n: "&#1" * (n // 3) + ";",
    "colours": lambda n: "\x1b[31m" * (n // 5),
    "half a colour": lambda n: "\x1b[" + "3" * n,
    "newlines": lambda n: "\n" * n,
    "lines": lambda n: "> 2024-05-01 12:11:54 a\n" * (n // 24),
    "spaces": lambda n: " " * n,
    "beginnings": lambda n: "HmacSHA256Hex(" * (n // 14),
    "pairs": lambda n: "HmacSHA256Hex(\\\\ your_secret_key)" * (n // 33),
    "wrapped quotes": lambda n: 'HmacSHA256Hex("' + "a\n" * (n // 2) + '", your_secret_key)',
    "digests": lambda n: "Expected HMAC SHA256 hex digest of " * (n // 35),
    "a digest": lambda n: "Expected HMAC SHA256 hex digest of " + '{\\"' * (n // 3),
    "percent signs": lambda n: "HmacSHA256Hex(" + "%25" * (n // 3) + "your_secret_key)",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_unwrapping_grows_with_the_text_and_no_faster(
    family: str, growth: Callable[..., None]
) -> None:
    def unwrap(text: str) -> None:
        letters(text)
        quoted_string(text)
        quoted_digest(text)

    growth(unwrap, FAMILIES[family], largest=1_000_000, least=100_000)
