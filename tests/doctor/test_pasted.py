"""Reading what somebody pastes: curl in every quoting, HTTP as text, and what is neither."""

from __future__ import annotations

import contextlib
import random
import shlex
import subprocess

import pytest

from pusherkit import PusherError, UnreadableText
from pusherkit.doctor.pasted import MAX_TEXT, PastedRequest, read_request
from pusherkit.snippets import curl

URL = "http://127.0.0.1:8123/apps/3/events?auth_key=k&info=a%2Cb"
BODY = '{"name":"it\'s","data":"$5 \\"☕\\""}'


def read(text: str, **options: object) -> PastedRequest:
    return read_request(text, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "command",
    [
        f"curl -X POST {shlex.quote(URL)} -d {shlex.quote(BODY)}",
        f"curl --request POST --url {shlex.quote(URL)} --data-raw {shlex.quote(BODY)}",
        f"curl -XPOST --data-binary {shlex.quote(BODY)} {shlex.quote(URL)}",
        f"$ curl -sS -i -X POST \\\n  '{URL}' \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(BODY)}\n",
        f"curl '{URL}' -H 'A: b' --json {shlex.quote(BODY)} -o out.txt -m 5",
        "curl '" + URL + '\' -d $\'{"name":"it\\\'s","data":"$5 \\\\"\\u2615\\\\""}\'',
        'curl "' + URL + '" -d "{\\"name\\":\\"it\'s\\",\\"data\\":\\"\\$5 \\\\\\"☕\\\\\\"\\"}"',
    ],
)
def test_every_quoting_gives_the_same_request(command: str) -> None:
    assert read(command) == PastedRequest(
        method="POST",
        base_url="http://127.0.0.1:8123",
        path="/apps/3/events",
        params=(("auth_key", "k"), ("info", "a,b")),
        body=BODY.encode(),
    )


@pytest.mark.parametrize(
    "escape", ["\\n", "\\t", "\\x41", "\\u00e9", "\\101", "\\'", "\\\\", "\\q"]
)
def test_dollar_quotes_are_read_as_bash_reads_them(escape: str) -> None:
    shell = ["env", "LC_ALL=C.UTF-8", "bash", "-c", f"printf '%s' $'a{escape}b'"]
    meant = subprocess.run(shell, capture_output=True, check=True).stdout
    if escape == "\\q":
        meant = b"aqb"  # bash keeps the backslash of an unknown escape; no request holds one
    assert read(f"curl -d $'a{escape}b' http://h/p").body == meant


def test_what_curl_wrote_reads_back() -> None:
    chance = random.Random(1)
    letters = "abc \"'\\$`!\n\t☕é{}[]:,&?#%+"
    for _ in range(300):
        body = "".join(chance.choices(letters, k=chance.randint(1, 40)))
        assert read(curl("POST", URL, body.encode())).body == body.encode()


def test_get_puts_data_into_the_query() -> None:
    asked = read("curl -G https://h/apps/3/channels -d info=user_count -d a=b%20c")
    assert (asked.method, asked.params) == ("GET", (("info", "user_count"), ("a", "b c")))
    assert asked.body == b""


def test_several_pieces_of_data_are_joined() -> None:
    assert read("curl http://h/p -d a -d b").body == b"a&b"


def test_a_url_without_a_scheme_or_with_credentials() -> None:
    assert read("curl h.example/p").base_url == "https://h.example"
    assert read("curl https://user:password@h.example/p").base_url == "https://h.example"


def test_no_file_is_read_unasked() -> None:
    for option in ("-d", "--data-binary", "--json"):
        with pytest.raises(UnreadableText, match="not read unasked"):
            read(f"curl {option} @/etc/passwd http://h/p")
    assert read("curl --data-raw @name http://h/p").body == b"@name"


def test_a_file_that_may_be_read() -> None:
    files = {"body.json": b'{"a":\r\n1}\n'}
    assert read("curl -d @body.json http://h/p", read_file=files.__getitem__).body == b'{"a":1}'
    whole = read("curl --data-binary @body.json http://h/p", read_file=files.__getitem__)
    assert whole.body == files["body.json"]

    def missing(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(UnreadableText, match="'gone' cannot be read: No such file"):
        read("curl -d @gone http://h/p", read_file=missing)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_http_request_as_text(end: str) -> None:
    text = end.join(["POST /apps/3/events?a=1 HTTP/1.1", "Host: h.example", "X: y", "", BODY])
    assert read(text) == PastedRequest(
        method="POST",
        base_url="https://h.example",
        path="/apps/3/events",
        params=(("a", "1"),),
        body=BODY.encode(),
    )


@pytest.mark.parametrize(
    ("headers", "body", "meant"),
    [
        ("", '{"a":1}\n', b'{"a":1}'),
        ("", '{"a":1}\n\n', b'{"a":1}\n'),
        ("Content-Length: 8\n", '{"a":1}\n\n', b'{"a":1}\n'),
        ("Content-Length: x\n", '{"a":1}\n', b'{"a":1}'),
        ("", "\udcff", b"\xff"),
    ],
)
def test_the_end_of_a_body_in_text(headers: str, body: str, meant: bytes) -> None:
    assert read(f"POST /p HTTP/1.1\n{headers}\n{body}").body == meant


def test_half_a_surrogate_pair_is_a_sentence() -> None:
    for text in ("POST /p\n\n\ud800", "curl -d \ud800 http://h/p"):
        with pytest.raises(UnreadableText, match="half of a surrogate pair"):
            read(text)


def test_an_http_request_without_host_or_body() -> None:
    asked = read("GET /apps/3/channels?info=user_count")
    assert (asked.base_url, asked.body) == ("", b"")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expected a curl command"),
        ("hello", "got neither"),
        ("curl 'http://h/p", "A quote in the command is not closed"),
        ("curl", "Expected one URL in the command, got 0"),
        ("curl http://a/ http://b/", "got 2: http://a/, http://b/"),
        ("curl http://h:port/p", "The URL cannot be read"),
        ("curl 'http://h/p?a=%ff'", "The URL cannot be read"),
        ("curl -X", "expected one argument"),
        ('curl "https://h/apps/$APP_ID/events?$QS"', "holds a shell variable"),
        ("curl https://h/p?a=$(date)", "holds a shell variable"),
        ("POST", "Expected a curl command"),
        ("x" * (MAX_TEXT + 1), "over the limit"),
        ("curl http://h/\udcff", "The URL cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        read(text)
    assert said in str(caught.value)
    assert isinstance(caught.value, PusherError)


def test_garbage_never_raises_anything_else() -> None:
    chance = random.Random(2)
    pieces = [
        "curl",
        " ",
        "'",
        '"',
        "$'",
        "\\",
        "-d",
        "-X",
        "@",
        "http://",
        "/",
        "?",
        "%",
        "\n",
        "☕",
    ]
    for _ in range(3_000):
        text = "curl " + "".join(chance.choices(pieces, k=chance.randint(0, 12)))
        with contextlib.suppress(UnreadableText):
            read(text)
