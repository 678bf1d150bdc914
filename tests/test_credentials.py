"""Credentials: how they are read, and how their secret stays out of sight."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st
from IPython.core.ultratb import VerboseTB

import pusherkit
from pusherkit import (
    AuthenticationError,
    Credentials,
    InvalidCredentials,
    verify_channel,
    verify_user,
    verify_webhook,
)
from pusherkit.credentials import DEFAULT_BASE_URL, HIDDEN
from pusherkit.sandbox import PRACTICE_CREDENTIALS

from .fuzzing import TEXT, examples

# --- credentials --------------------------------------------------------------------------------

SECRET = "s3cr3t-0123456789"


def everything_said(error: BaseException) -> str:
    """What a traceback would print, with each chained exception, and the attributes."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://key:{SECRET}@host/apps/3", ("3", "key", SECRET, "https://host")),
        (f"https://key:{SECRET}@host/apps/3/", ("3", "key", SECRET, "https://host")),
        (f"http://key:{SECRET}@host:8080/apps/3", ("3", "key", SECRET, "http://host:8080")),
        (f"http://key:{SECRET}@[::1]:80/apps/3", ("3", "key", SECRET, "http://[::1]:80")),
        (f"http://key:{SECRET}@[::1]/apps/3", ("3", "key", SECRET, "http://[::1]")),
        ("https://k%3Ay:a%2Fb%40c%23%C3%A9@host/apps/3", ("3", "k:y", "a/b@c#é", "https://host")),
        (f"https://key:{SECRET}@host/apps/my%2Dapp", ("my-app", "key", SECRET, "https://host")),
        (f"https://key:{SECRET}@host/a/b/apps/3", ("3", "key", SECRET, "https://host/a/b")),
    ],
)
def test_from_url(url, expected):
    read = Credentials.from_url(url)
    assert (read.app_id, read.key, read.secret, read.base_url) == expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "missing: scheme http or https, host, key, secret, path /apps/APP_ID"),
        (f"key:{SECRET}@host/apps/3", "missing: scheme"),
        (f"ftp://key:{SECRET}@host/apps/3", "missing: scheme http or https"),
        (f"https://:{SECRET}@host/apps/3", "missing: key"),
        ("https://key@host/apps/3", "missing: secret"),
        (f"https://key:{SECRET}@/apps/3", "missing: host"),
        (f"https://key:{SECRET}@host", "missing: path /apps/APP_ID"),
        (f"https://key:{SECRET}@host/apps/", "missing: path /apps/APP_ID"),
        (f"https://key:{SECRET}@host/apps/3/events", "missing: path /apps/APP_ID"),
        (f"https://key:{SECRET}@host:port/apps/3", "host or port cannot be read"),
        (f"https://key:{SECRET}@host:99999/apps/3", "host or port cannot be read"),
        (f"https://key:{SECRET}/x@host/apps/3", "must be percent-encoded"),
        (f"https://key:{SECRET}#x@host/apps/3", "must be percent-encoded"),
        (f"https://key:{SECRET}?x@host/apps/3", "must be percent-encoded"),
        (f"https://key:{SECRET}[@host/apps/3", "must be percent-encoded"),
        (f"https://key:{SECRET}@host\u2100/apps/3", "host or port cannot be read"),
        (f"https://key:{SECRET}%20@host/apps/3", "white space or quotes"),
        (f"https://key:{SECRET}@host/apps/a%2Fb", "expected the id alone"),
    ],
)
def test_from_url_says_what_is_wrong_and_never_the_secret(url, sentence):
    with pytest.raises(InvalidCredentials, match=sentence) as caught:
        Credentials.from_url(url)
    assert str(caught.value).endswith(".")
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("url", ["", None, b"", f"https://key:{SECRET}@host:port/apps/3"])
def test_from_url_says_what_it_expected(url):
    with pytest.raises(InvalidCredentials) as caught:
        Credentials.from_url(url)
    assert str(caught.value).startswith(
        "PUSHER_URL: expected https://KEY:SECRET@HOST[:PORT]/apps/APP_ID; "
    )


ENVIRONMENT = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "key", "PUSHER_SECRET": SECRET}


def test_from_env():
    read = Credentials.from_env(ENVIRONMENT)
    assert (read.app_id, read.key, read.secret) == ("3", "key", SECRET)
    assert read.base_url == DEFAULT_BASE_URL == "https://ws-sa.mawjly.com"


def test_from_env_reads_the_environment_of_the_process(monkeypatch):
    for name, value in (ENVIRONMENT | {"PUSHER_HOST": "localhost:1"}).items():
        monkeypatch.setenv(name, value)
    assert Credentials.from_env() == Credentials(
        app_id="3", key="key", secret=SECRET, base_url="http://localhost:1"
    )


def test_what_to_env_gives_is_what_from_env_reads():
    read = Credentials.from_env(ENVIRONMENT | {"PUSHER_HOST": "http://localhost:1"})
    assert read.to_env() == ENVIRONMENT | {"PUSHER_HOST": "http://localhost:1"}
    assert Credentials.from_env(ENCRYPTING.to_env()) == ENCRYPTING


def test_from_env_takes_an_empty_host_for_none():
    assert Credentials.from_env(ENVIRONMENT | {"PUSHER_HOST": ""}).base_url == DEFAULT_BASE_URL


def test_from_env_names_all_that_is_missing():
    names = "PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET"
    with pytest.raises(
        InvalidCredentials, match=f"^Expected {names} in the environment; missing: {names}\\."
    ):
        Credentials.from_env({})


@pytest.mark.parametrize("missing", sorted(ENVIRONMENT))
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "unset"])
def test_from_env_names_what_is_missing(missing, empty):
    environ = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    if empty:
        environ[missing] = ""
    with pytest.raises(
        InvalidCredentials,
        match=f"^Expected {', '.join(ENVIRONMENT)} in the environment; missing: {missing}\\.",
    ) as caught:
        Credentials.from_env(environ)
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("example.com", "https://example.com"),
        ("example.com:8443", "https://example.com:8443"),
        ("http://example.com/", "http://example.com"),
        ("localhost", "http://localhost"),
        ("//example.com/", "https://example.com"),
        ("localhost:6001", "http://localhost:6001"),
        ("127.0.0.1:6001", "http://127.0.0.1:6001"),
        ("[::1]:6001", "http://[::1]:6001"),
        ("localhost.example.com", "https://localhost.example.com"),
        ("127.0.0.1.example.com", "https://127.0.0.1.example.com"),
        ("127-0-0-1", "https://127-0-0-1"),
        ("127.0.0.1000", "https://127.0.0.1000"),
        ("127.0.0.one", "https://127.0.0.one"),
        ("127.0.0.", "https://127.0.0."),
        ("https://127.0.0.1", "https://127.0.0.1"),
        ("example.com/", "https://example.com"),
        ("example.com:8443/", "https://example.com:8443"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://example.com/sockets", "https://example.com/sockets"),
        ("https://example.com/sockets/", "https://example.com/sockets"),
        ("https://example.com/a/b", "https://example.com/a/b"),
        ("example.com/app", "https://example.com/app"),
        ("localhost:6001/sockets", "http://localhost:6001/sockets"),
        ("wss://example.com", "https://example.com"),
        ("ws://127.0.0.1:6001", "http://127.0.0.1:6001"),
    ],
)
def test_a_host_becomes_a_base_url(host, base_url):
    assert Credentials.from_env(ENVIRONMENT | {"PUSHER_HOST": host}).base_url == base_url


@pytest.mark.parametrize(
    "host",
    [
        "ftp://example.com",
        "https://",
        "example com",
        "example\t.com",
        "example.com:port",
        "example.com:99999",
        f"https://key:{SECRET}@example.com",
        "https://example.com?a=b",
        "https://example.com#a",
        "https://[::1",
        "https://example.com/apps/3",
        "https://example.com//apps/3",
        "example.com/apps/3",
        "https://example.com?",
        "https://example.com#",
        "https:/example.com",
        "https://example.com//sockets",
        "https://example.com/sockets//",
        "https://example.com/../sockets",
        "https://example.com/caf\u00e9",
        "https://example.com/apps",
        "https://example.com/sockets/apps/3",
        '"https://example.com"',
        " example.com",
        f"https://example.com/{SECRET}",
    ],
)
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(InvalidCredentials, match=r"^host: .*\.$") as caught:
        Credentials.from_env(ENVIRONMENT | {"PUSHER_HOST": host})
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("name", ["app_id", "key", "secret"])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda value: "", "empty string"),
        (lambda value: value + "\n", "white space or quotes"),
        (lambda value: " " + value, "white space or quotes"),
        (lambda value: f'"{value}"', "white space or quotes"),
        (lambda value: f"'{value}'", "white space or quotes"),
        (lambda value: f"`{value}`", "white space or quotes"),
        (lambda value: '"' + value, "white space or quotes"),
        (lambda value: value + '"', "white space or quotes"),
        (lambda value: value + "\udce9", "bytes that are not UTF-8"),
        (lambda value: value.encode(), r"expected text \(str\), got bytes"),
        (lambda value: None, r"expected text \(str\), got NoneType"),
        (lambda value: 3, r"expected text \(str\), got int"),
    ],
    ids=[
        "empty",
        "newline",
        "space",
        "quotes",
        "single quotes",
        "backticks",
        "quote before",
        "quote after",
        "not UTF-8",
        "bytes",
        "None",
        "int",
    ],
)
def test_what_pasting_leaves_behind_is_refused(name, damage, sentence):
    values = {"app_id": "3", "key": "key", "secret": SECRET}
    values[name] = damage(values[name])
    with pytest.raises(InvalidCredentials, match=f"^{name}: .*{sentence}.*\\.$") as caught:
        Credentials(**values)
    assert SECRET not in everything_said(caught.value)


@pytest.mark.parametrize("app_id", ["a/b", "3?x", "3#x", "3%20", "3 4", "3\t4"])
def test_an_app_id_that_cannot_stand_in_a_path_is_refused(app_id):
    (wrong,) = set("/?#% \t") & set(app_id)
    with pytest.raises(InvalidCredentials, match="expected the id alone") as caught:
        Credentials(app_id=app_id, key="key", secret=SECRET)
    assert f"{wrong!r} cannot be part of" in str(caught.value)


# --- the encryption master key ------------------------------------------------------------------

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # pusher-http-node's tests
ENCRYPTING = Credentials(
    app_id="3", key="key", secret=SECRET, encryption_master_key_base64=MASTER_KEY
)


def test_a_channel_s_key_is_as_published():
    """By pusher-http-node (authenticate.js) and pusher-http-python (test_crypto.py)."""
    key = ENCRYPTING.shared_secret("private-encrypted-bla")
    assert base64.b64encode(key) == b"BYBsePpRCQkGPvbWu/5j8x+MmUF5sgPH5DmNBwkTzYs="
    nines = base64.b64encode(b"OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5").decode()
    other = replace(ENCRYPTING, encryption_master_key_base64=nines)
    assert other.shared_secret("pvUPIk0YG6MnxCEMIUUVFrbDmQwbhICXUcy") == (
        b"p\x9e\xf3\t\n$\xbf\xa9\x83\x82\xcb]\x02\\\xa3b,\x82\xd3\x1f\xa2\x7f\x10\xb0\x05\xc0\xdc\xa2{\xaee\x16"
    )


def test_a_channel_s_key_needs_a_master_key():
    with pytest.raises(InvalidCredentials, match="because private-encrypted-x is an encrypted"):
        replace(ENCRYPTING, encryption_master_key_base64=None).shared_secret("private-encrypted-x")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("", "got 0 bytes"),
        (base64.b64encode(b"1" * 31).decode(), "got 31 bytes"),
        (base64.b64encode(b"1" * 33).decode(), "got 33 bytes"),
        (MASTER_KEY[:-1], "isn't base64"),
        (MASTER_KEY + "\n", "isn't base64"),
        (f'"{MASTER_KEY}"', "isn't base64"),
        (MASTER_KEY[:-2] + "é=", "isn't base64"),
        (MASTER_KEY.encode(), "got bytes"),
    ],
)
def test_what_is_no_master_key_is_refused_and_not_repeated(wrong, sentence):
    with pytest.raises(InvalidCredentials, match=sentence) as caught:
        replace(ENCRYPTING, encryption_master_key_base64=wrong)
    assert MASTER_KEY[:20] not in everything_said(caught.value)


def test_a_master_key_is_read_from_the_environment_where_it_is_set():
    name = "PUSHER_ENCRYPTION_MASTER_KEY_BASE64"
    assert Credentials.from_env(ENVIRONMENT | {name: MASTER_KEY}) == ENCRYPTING
    assert Credentials.from_env(ENVIRONMENT | {name: ""}) != ENCRYPTING


def test_a_master_key_is_out_of_sight_as_the_secret_is():
    assert MASTER_KEY not in repr(ENCRYPTING)
    assert ENCRYPTING.hide(f"{MASTER_KEY} and {SECRET}") == f"{HIDDEN} and {HIDDEN}"
    assert ENCRYPTING.hide(quote(MASTER_KEY, safe="")) == HIDDEN
    assert ENCRYPTING.holds(MASTER_KEY)
    assert not ENCRYPTING.holds("neither")
    both = replace(ENCRYPTING, secret=MASTER_KEY[10:] + "-and-more")
    assert both.hide(f"<{MASTER_KEY}-and-more>") == f"<{HIDDEN}>"  # where they overlap, it's one


# --- hiding the secret: which spellings ---------------------------------------------------------

# Of every character a second one stands after the sixth place.
AWKWARD = Credentials(app_id="3", key="key", secret='Ab (é" \\+k.z\xa0\x07\n🔑"é( bA')
SPELLINGS = {
    "as it is": lambda secret: secret,
    "upper case": str.upper,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded in lower case": lambda secret: quote(secret, safe="").lower(),
    "every byte percent-encoded": lambda secret: "".join(f"%{b:02X}" for b in secret.encode()),
    "as in a form": quote_plus,
    "as in JSON": lambda secret: json.dumps(secret)[1:-1],
    "as in JSON beyond ASCII": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "as in JSON inside JSON": lambda secret: json.dumps(json.dumps(secret))[3:-3],
    "every character escaped": lambda secret: "".join(
        f"\\u{pair.hex()}" for pair in re.findall(b"..", secret.encode("utf-16-be"), re.DOTALL)
    ),
    "as in a repr": lambda secret: repr(secret)[1:-1],
    "as in a repr in ASCII": lambda secret: ascii(secret)[1:-1],
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_hidden_in_each_spelling_whole_and_cut_off(spell):
    spelled = spell(AWKWARD.secret)
    assert AWKWARD.hide(f"<{spelled}>, <{spelled}>") == f"<{HIDDEN}>, <{HIDDEN}>"
    for length in range(6, len(AWKWARD.secret) + 1):
        assert AWKWARD.hide(f"<{spell(AWKWARD.secret[:length])}…") == f"<{HIDDEN}…"


@pytest.mark.parametrize(
    "text",
    [
        AWKWARD.secret[:-4],
        AWKWARD.secret.replace(".", "a"),  # the dot is a dot
        AWKWARD.secret.replace(".", "+"),  # "+" is a space, no other character
        "Ab (é…",  # cut off so early that it could stand there by chance
        "k.z…",
        'Ab (é" \\+kqz…',  # cut off, but another
        "…",
    ],
)
def test_what_is_not_the_secret_is_shown(text):
    assert AWKWARD.hide(text) == text


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_cut_off_within_an_escape_is_hidden_up_to_the_ellipsis(spell):
    spelled = spell(AWKWARD.secret)
    for length in range(len(spell(AWKWARD.secret[:6])), len(spelled)):
        assert AWKWARD.hide(f"<{spelled[:length]}…>") == f"<{HIDDEN}…>", spelled[:length]


@pytest.mark.parametrize(
    "spelled",
    [
        quote(quote(AWKWARD.secret, safe=""), safe=""),  # a URL in a URL
        quote(json.dumps(AWKWARD.secret)[1:-1], safe=""),  # JSON in a URL
        json.dumps(quote_plus(AWKWARD.secret))[1:-1],  # a form in JSON
        quote(quote_plus(AWKWARD.secret)),
        AWKWARD.secret[:9] + quote(AWKWARD.secret[9:]),  # half of it escaped
        json.dumps(AWKWARD.secret[:8])[1:-1] + quote(AWKWARD.secret[8:15]) + AWKWARD.secret[15:],
        "\\" * 1_000 + AWKWARD.secret.replace("é", "\\" * 1_000 + "u00E9"),
        AWKWARD.secret.replace("é", "%" + "25" * 1_000 + "C3%A9"),
    ],
)
def test_spellings_may_be_mixed_and_repeated(spelled):
    assert AWKWARD.hide(f"<{spelled}>") == f"<{HIDDEN}>"
    assert AWKWARD.holds(spelled)


@pytest.mark.parametrize("secret", ["straße-1", "STRAßE-1", "İzmir-1", "ΟΔΟΣ-12"])
def test_case_is_ignored_where_it_changes_a_text_s_length_or_the_end_of_a_word(secret):
    mine = Credentials(app_id="3", key="key", secret=secret)
    for spelled in (secret.upper(), secret.lower(), secret.title(), quote(secret.upper())):
        assert mine.hide(f"ẞ İ Σ {spelled}.") == f"ẞ İ Σ {HIDDEN}."


# --- hiding the secret: what is harmless ----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "practice-test-cases-1",
        "practice-react-state-1",
        "practice-test-practice-test",
        "practice-chat",
        "practice-test…",
        "practice-sec",
        "practice-second",
        "practice-secondary",
        "practice-secondary…",
        "practice-secrecy",
        "/practi" + "ecarit" * 5 + "%25",
        "a practice secret",
        "secret",
        "practi%63%65-test",
        '{"channel":"practice-test","data":"{\\"a\\":\\"100 %\\"}"}',
        "",
    ],
)
def test_a_text_that_begins_like_the_secret_is_not_changed(text):
    assert PRACTICE_CREDENTIALS.hide(text) == text
    assert not PRACTICE_CREDENTIALS.holds(text)


@pytest.mark.parametrize("after", ["", " ", '"', "…", "-"])
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_secret_that_lost_its_end_is_hidden(missing, after):
    pasted = PRACTICE_CREDENTIALS.secret[: -missing or None]
    assert PRACTICE_CREDENTIALS.hide(f"({pasted}{after})") == f"({HIDDEN}{after})"


def test_hiding_begins_again_inside_a_false_start():
    mine = Credentials(app_id="3", key="key", secret="ababababac")
    assert mine.hide("abababababac") == f"ab{HIDDEN}"


@pytest.mark.parametrize("secret", ["\\" * 8, "\\x" * 3, "x" + "\\" * 8, "\\\\abcdef\\\\"])
def test_a_secret_of_backslashes_is_hidden_too(secret):
    mine = Credentials(app_id="3", key="key", secret=secret)
    assert HIDDEN in mine.hide(secret)
    assert mine.hide("nothing: \\ \\\\") == "nothing: \\ \\\\"


ONCE_MORE = {  # these leave letters and digits alone
    name: spell
    for name, spell in SPELLINGS.items()
    if name not in ("every byte percent-encoded", "every character escaped")
}
DECODERS = [
    lambda text: text,
    unquote,
    unquote_plus,
    lambda text: re.sub(r"\\+", "", text),
    lambda text: re.sub(
        r"\\+u([0-9a-f]{4})|\\+x([0-9a-f]{2})", lambda m: chr(int(m[1] or m[2], 16)), text
    ),
    lambda text: re.sub(r"\\+(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text),
]
AWKWARD_TEXT = st.text(st.sampled_from("abcu%25x07\\ +é🔑\"/'\n_A"), max_size=4)


def readings(text: str) -> set[str]:
    """A text as it is read after up to two decodings, in lower case and without backslashes."""
    once = {decode(text) for decode in DECODERS}
    twice = {decode(read) for decode in DECODERS for read in once}
    return {read.replace("\\", "").lower() for read in once | twice}


@st.composite
def owners(draw) -> Credentials:
    """Credentials with a secret that itself looks like escapes."""
    secret = draw(st.text(st.sampled_from("bcdefghu%25x07\\ +é🔑\"/'"), min_size=8, max_size=14))
    assume(len(secret.replace("\\", "")) >= 6)
    assume(not re.search(r"\\(%(25)*5c|[ux])", secret))  # could be an escape, or be its own text
    try:
        return Credentials(app_id="3", key="key", secret=secret)
    except InvalidCredentials:
        return reject()


@pytest.mark.slow
@examples(15)
@given(
    owners(),
    st.sampled_from(sorted(SPELLINGS)),
    st.sampled_from(sorted(ONCE_MORE)),
    AWKWARD_TEXT,
    AWKWARD_TEXT,
)
def test_however_a_secret_is_spelled_and_wherever_no_decoder_finds_it_again(
    mine, encoding, another, before, after
):
    text = before + ONCE_MORE[another](SPELLINGS[encoding](mine.secret)) + after
    hidden = mine.hide(text)
    assert HIDDEN in hidden
    assert mine.holds(text)
    bare = mine.secret.replace("\\", "").lower()
    assert not [read for read in readings(hidden) if bare in read]


@pytest.mark.slow
@examples(15)
@given(
    TEXT
    | st.lists(st.sampled_from(["practi", "ce-se", "cr", "et", "%70", "\\u0070", "%", "…"])).map(
        "".join
    )
)
@example("practice-secre")
def test_a_text_that_no_decoder_reads_as_the_start_of_the_secret_is_not_changed(text):
    hidden = PRACTICE_CREDENTIALS.hide(text)
    assert PRACTICE_CREDENTIALS.holds(text) is (hidden != text)
    if hidden != text:
        assert any("practi" in read for read in readings(text))
        assert PRACTICE_CREDENTIALS.hide(hidden) == hidden


# --- hiding the secret: how long it takes ---------------------------------------------------------

PERIODIC = Credentials(app_id="3", key="key", secret="a\\ba+ba ba%ba/")


def family(start: str, again: str, end: str = "") -> Callable[[int], str]:
    """Texts of any length: one piece again and again, with a start and an end."""
    return lambda length: start + again * (length // len(again)) + end


def families(secret: str) -> dict[str, Callable[[int], str]]:
    """Texts that look like the secret for as long as possible, and then are not."""
    found = {
        "backslashes": family("", "\\"),
        "percent signs": family("", "%"),
        "pluses": family("", "+"),
        "encoded percent signs": family("", "%25"),
        "encoded backslashes": family("", "%5C"),
        "one percent sign, encoded often": family("%", "25"),
        "half escapes": family("", "%7"),
        "half of a JSON escape": family("", "\\u00"),
        "its letters": family(secret[:6], "ecarit", "%25"),
        "cut off": family("", f"{secret[:6]}…"),
        "ellipses": family("", "…"),
        "characters without one lower case": family("", "İΣ%"),
        "backslashes after its start": family(secret[:6], "\\", "x"),
        "encoded backslashes after its start": family(secret[:6], "%5C", "x"),
        "its first character and backslashes": family("", secret[0] + "\\" * 99),
        "percent signs after its start": family(secret[:6] + "%", "25", "x"),
        "itself": family("", secret),
    }
    for name in ("as it is", "every byte percent-encoded", "every character escaped"):
        spell = SPELLINGS[name]
        found[f"its start, {name}"] = family("", spell(secret[:6]))
        found[f"nearly it, {name}"] = family("", spell(secret[:-1]) + "x")
        found[f"nearly it and half an escape, {name}"] = family("", spell(secret[:-3]) + "%2")
    return found


def seconds(work: Callable[[], object]) -> float:
    """The time this process computes for it: other processes don't count."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    "mine", [PRACTICE_CREDENTIALS, AWKWARD, PERIODIC], ids=["plain", "awkward", "periodic"]
)
@pytest.mark.parametrize("name", families("practice-secret"))
def test_ten_times_the_text_takes_about_ten_times_as_long_to_hide(mine, name):
    text = families(mine.secret)[name]
    short, long = text(50_000), text(500_000)
    limit = 35 * max(0.002, *(seconds(lambda: mine.hide(short)) for _ in range(2)))
    assert min(seconds(lambda: mine.hide(long)) for _ in range(2)) < limit  # quadratic: 100 times


@pytest.mark.slow
@pytest.mark.parametrize("name", ["backslashes", "its letters", "nearly it, as it is"])
def test_ten_megabytes_take_seconds(name):
    text = families("practice-secret")[name](10_000_000)
    assert seconds(lambda: PRACTICE_CREDENTIALS.hide(text)) < 30


HUNDRED_THOUSAND = "\\" * 100_000
REFUSALS = {
    "a webhook": lambda mine: verify_webhook(
        mine, HUNDRED_THOUSAND.encode(), key=mine.key, signature="0"
    ),
    "a webhook's signature": lambda mine: verify_webhook(
        mine, b"{}", key=mine.key, signature=HUNDRED_THOUSAND
    ),
    "auth": lambda mine: verify_channel(mine, "1.2", "private-x", HUNDRED_THOUSAND),
    "channel_data": lambda mine: verify_channel(
        mine, "1.2", "presence-x", f"{mine.key}:0", HUNDRED_THOUSAND
    ),
    "user_data": lambda mine: verify_user(mine, "1.2", f"{mine.key}:0", HUNDRED_THOUSAND),
}


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
def test_a_stranger_s_backslashes_are_refused_at_once(refuse):
    def work() -> None:
        with pytest.raises(AuthenticationError):
            refuse(PRACTICE_CREDENTIALS)

    assert min(seconds(work) for _ in range(3)) < 0.1


# --- what else could show the secret --------------------------------------------------------------


def test_credentials_are_equal_by_value_and_can_be_keys():
    mine = Credentials(app_id="3", key="key", secret=SECRET)
    assert mine == replace(mine)
    assert hash(mine) == hash(replace(mine))
    for other in ({"app_id": "4"}, {"key": "k"}, {"secret": "s"}, {"base_url": "host"}):
        assert mine != replace(mine, **other)
    assert mine != (mine.app_id, mine.key, mine.secret, mine.base_url)
    assert {mine: 1}[replace(mine)] == 1


def test_what_copies_the_value_copies_the_secret():
    """On purpose: asking for the value is not showing it."""
    mine = Credentials(app_id="3", key="key", secret=SECRET)
    assert asdict(mine)["secret"] == SECRET
    assert pickle.loads(pickle.dumps(mine)) == mine
    with pytest.raises(AttributeError):
        mine.secret = "another"  # type: ignore[misc]


WRONG_WAYS = {
    "white space": lambda: Credentials(app_id="3", key="key", secret=f"{SECRET} "),
    "not text": lambda: Credentials(app_id="3", key="key", secret=SECRET.encode()),
    "swapped": lambda: Credentials(app_id=f"/{SECRET}", key="key", secret="s"),
    "a host": lambda: Credentials(app_id="3", key="key", secret="s", base_url=f"h h/{SECRET}"),
    "no host": lambda: Credentials(app_id="3", key="key", secret=SECRET, base_url=None),
    "from_env, white space": lambda: Credentials.from_env(
        ENVIRONMENT | {"PUSHER_SECRET": f"{SECRET} "}
    ),
    "from_env, missing": lambda: Credentials.from_env(ENVIRONMENT | {"PUSHER_KEY": ""}),
    "from_url, no path": lambda: Credentials.from_url(f"https://key:{SECRET}@host"),
    "from_url, no port": lambda: Credentials.from_url(f"https://key:{SECRET}@host:port/apps/3"),
    "from_url, white space": lambda: Credentials.from_url(f"https://key:{SECRET}%20@host/apps/3"),
}


@pytest.mark.parametrize("make", WRONG_WAYS.values(), ids=WRONG_WAYS)
def test_no_frame_of_ours_holds_the_secret_when_an_error_passes(make):
    with pytest.raises(InvalidCredentials) as caught:
        make()
    assert caught.value.__context__ is None
    ours = [
        frame.f_locals
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(Path(pusherkit.__file__).parent)
        or frame.f_code.co_filename == "<string>"  # what a dataclass generates
    ]
    assert ours
    for variables in ours:
        assert SECRET not in f"{ {name: v for name, v in variables.items() if name != 'self'} }"
        assert not hasattr(variables.get("self"), "secret")


def test_ipython_s_verbose_traceback_does_not_show_the_secret():
    try:
        Credentials.from_env({name: os.environ.get("NONE", f" {SECRET}") for name in ENVIRONMENT})
    except InvalidCredentials as error:
        told = VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__.tb_next)
    assert "from_env" in told
    assert SECRET not in told


SHOWN_BY_PYTEST = """
import os, pytest
from dataclasses import replace
from pusherkit import Credentials

ENVIRON = {f"PUSHER_{name}": os.environ["MARKER"] + end
           for name, end in (("APP_ID", ""), ("KEY", ""), ("SECRET", " "))}
MINE = Credentials(app_id="3", key="key", secret=os.environ["MARKER"])
OTHER = replace(MINE, secret=os.environ["MARKER"] + "2")

def test_equal(): assert MINE == OTHER
def test_listed(): assert [MINE] == [OTHER]
def test_named(): assert {"mine": MINE} == {"mine": OTHER}
def test_from_env(): Credentials.from_env(ENVIRON)
def test_from_url(): Credentials.from_url(URL)
def test_made(): Credentials(app_id="3", key="key", secret=ENVIRON["PUSHER_SECRET"])

URL = f"https://key:{os.environ['MARKER']}@host"
"""


@pytest.mark.slow
def test_pytest_does_not_show_the_secret(tmp_path):
    (tmp_path / "test_shown.py").write_text(SHOWN_BY_PYTEST, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "-l", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"MARKER": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )  # fmt: skip
    assert "6 failed" in ended.stdout
    assert SECRET not in ended.stdout
