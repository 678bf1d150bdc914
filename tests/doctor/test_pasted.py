"""Reading what somebody pastes: curl in every quoting, HTTP as text, and what is neither."""

from __future__ import annotations

import contextlib
import random
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit import PusherError, UnreadableText
from pusherkit.doctor import pasted as reading
from pusherkit.doctor.forms.shell import MAX_WORDS
from pusherkit.doctor.pasted import (
    MAX_TARGET,
    MAX_TEXT,
    PastedRequest,
    app_in,
    decoded,
)
from pusherkit.signing import Request
from pusherkit.snippets import curl

URL = "http://127.0.0.1:8123/apps/3/events?auth_key=k&info=a%2Cb"
BODY = '{"name":"it\'s","data":"$5 \\"☕\\""}'


def read_request(text: str, **options: Any) -> PastedRequest:
    """The one request that a text holds."""
    requests = reading.read(text, **options).requests
    if len(requests) != 1:
        raise UnreadableText(f"{len(requests)} requests")
    return requests[0]


def read(text: str, **options: Any) -> Request:
    return read_request(text, **options).request


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
    params = (("auth_key", "k"), ("info", "a,b"))
    pasted = read_request(command)
    assert pasted.base_url == "http://127.0.0.1:8123"
    assert pasted.request == Request("POST", "/apps/3/events", params, BODY.encode())


@pytest.mark.parametrize(
    "escape",
    [
        *(
            "\\n",
            "\\t",
            "\\v",
            "\\f",
            "\\E",
            "\\?",
            "\\x41",
            "\\u00e9",
            "\\101",
            "\\'",
            "\\\\",
            "\\q",
        ),
        *("\\xc3\\xa9", "\\303\\251", "\\501", "\\u", "\\x", "\\9"),
    ],
)
def test_dollar_quotes_are_read_as_bash_reads_them(escape: str) -> None:
    shell = ["env", "LC_ALL=C.UTF-8", "bash", "-c", f"printf '%s' $'a{escape}b'"]
    meant = subprocess.run(shell, capture_output=True, check=True).stdout
    assert read(f"curl -d $'a{escape}b' http://h/p").body == meant


def test_what_curl_wrote_reads_back() -> None:
    chance = random.Random(1)
    letters = "abc \"'\\$`!\n\t☕é{}[]:,&?#%+"
    for _ in range(300):
        body = "".join(chance.choices(letters, k=chance.randint(1, 40)))
        request = Request("POST", "/apps/3/events", [("a", body)], body.encode())
        pasted = read_request(curl("http://127.0.0.1:8123", request))
        assert (pasted.base_url, pasted.request) == ("http://127.0.0.1:8123", request)
        assert pasted.has_body
        assert pasted.notes == ()


def test_get_puts_data_into_the_query() -> None:
    asked = read("curl -G https://h/apps/3/channels -d info=user_count -d a=b%20c")
    assert (asked.method, asked.params) == ("GET", (("info", "user_count"), ("a", "b c")))
    assert asked.body == b""


def test_several_pieces_of_data_are_joined() -> None:
    assert read("curl http://h/p -d a -d b").body == b"a&b"


def test_a_url_without_a_scheme_or_with_credentials() -> None:
    assert read_request("curl h.example/p").base_url == "http://h.example"  # as curl does
    authorized = read_request("curl https://user:password@h.example:8443/p")
    assert authorized.base_url == "https://h.example:8443"
    assert read("curl https://h.example").path == "/"


def test_no_file_is_read_unasked() -> None:
    for option in ("-d", "--data-binary", "--json"):
        pasted = read_request(f"curl {option} @/etc/passwd http://h/p")
        assert (pasted.has_body, pasted.request.body) == (False, b"")
        assert "'/etc/passwd', which is not read unasked" in pasted.notes[0]
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
    assert read_request(text) == PastedRequest(
        base_url="https://h.example",
        request=Request("POST", "/apps/3/events", (("a", "1"),), BODY.encode()),
        headers=(("host", "h.example"), ("x", "y")),
    )


@pytest.mark.parametrize(
    ("headers", "body", "meant"),
    [
        ("", '{"a":1}\n', b'{"a":1}'),
        ("", '{"a":1}\n\n', b'{"a":1}\n'),
        ("Content-Length: 8\n", '{"a":1}\n\n', b'{"a":1}\n'),
        ("Content-Length: x\n", '{"a":1}\n', b'{"a":1}'),
        ("", "\udcff", b"\xff"),
        ("", "a\r\nb\r\n", b"a\r\nb"),
    ],
)
def test_the_end_of_a_body_in_text(headers: str, body: str, meant: bytes) -> None:
    assert read(f"POST /p HTTP/1.1\n{headers}\n{body}").body == meant


def test_half_a_surrogate_pair_is_a_sentence() -> None:
    for text in ("POST /p\n\n\ud800", "curl -d \ud800 http://h/p"):
        with pytest.raises(UnreadableText, match="half of a surrogate pair"):
            read(text)


def test_an_http_request_without_host_or_body() -> None:
    asked = read_request("GET /apps/3/channels?info=user_count")
    assert (asked.base_url, asked.request.body) == ("", b"")


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("h.example:8443", "https://h.example:8443"),
        ("127.0.0.1:8123", "http://127.0.0.1:8123"),
        ("localhost", "http://localhost"),
        ("[::1]:6001", "http://[::1]:6001"),
    ],
)
def test_a_host_header_has_no_scheme_and_this_machine_speaks_http(host: str, base_url: str) -> None:
    assert read_request(f"GET /p HTTP/1.1\nHost: {host}\n").base_url == base_url


def test_the_path_of_a_request_line_is_left_as_it_is() -> None:
    pasted = read_request("POST //evil.example/apps/3/events?a=1#b HTTP/1.1\nHost: h.example\n\n")
    assert pasted.base_url == "https://h.example"
    assert pasted.request.path == "//evil.example/apps/3/events"
    whole = read_request("GET https://h.example/p?a=1 HTTP/1.1\nHost: other\n")
    assert (whole.base_url, whole.request.path) == ("https://h.example", "/p")


@pytest.mark.parametrize(
    ("path", "app_id"),
    [("/apps/3/events", "3"), ("/a/b/apps/7", "7"), ("/apps", ""), ("/", ""), ("", "")],
)
def test_the_app_that_a_path_names(path: str, app_id: str) -> None:
    assert app_in(path) == app_id


def test_switches_in_one_word_and_the_last_of_an_option() -> None:
    asked = read("curl -sSXPUT -X PATCH --compressed --retry -- 'http://h/p' -vd '' -A '' -")
    assert (asked.method, asked.path, asked.body) == ("PATCH", "/p", b"")
    assert read("curl -G --url http://h/p -d ''").params == ()
    assert read("curl -sGX POST http://h/p -da=b").params == (("a", "b"),)
    assert read("curl -XGET http://h/p -d a=b").body == b"a=b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("curl -s", "Expected one URL in the command, got 0"),
        ("curl 'http://h/p", "A quote in the command is not closed"),
        ("curl 'http://a/?" + "&".join(f"a{n}=" for n in range(101)) + "'", "over 100 parameters"),
        ("curl http://a/" + "b" * MAX_TARGET, "over the limit of 65,536"),
        ("curl -X 'touch x' http://a/", "Expected a method of 1 to 20 letters"),
        ("curl -X $'\\164ouch\\040x' http://a/", "Expected a method of 1 to 20 letters"),
        ("curl -X AAAAAAAAAAAAAAAAAAAAA http://a/", "Expected a method of 1 to 20 letters"),
        ("curl file:///etc/passwd", "expected http or https"),
        ("curl 'http://a$b/p'", "expected http or https"),
        ('curl "http://a$b/p"', "holds a shell variable"),
        ("curl 'http://a;id/p'", "expected http or https, and a host"),
        ("curl 'http://ex\u202eample/p'", "expected http or https, and a host"),
        ("curl http://[/p", "expected http or https, and a host"),
        ("POST @evil.example/apps HTTP/1.1\nHost: h", "expected http or https, and a host"),
        ("POST .evil.example/apps HTTP/1.1\nHost: h", "expected http or https, and a host"),
        ("POST /p HTTP/1.1\nHost: h`id`", "expected http or https, and a host"),
        ("POST /\udcff HTTP/1.1", "it is not UTF-8"),
        ("POST /?a=\udcff HTTP/1.1", "it is not UTF-8"),
        ("curl http://a/" + " -s" * MAX_WORDS, "has over 10,000 words"),
        ("curl http://a/ \\", "is not closed"),
        ("curl http://a/ -d $'a", "is not closed"),
        ("curl http://h:port/p", "The URL cannot be read"),
        ("curl 'http://h/p?a=%ff'", "The URL cannot be read"),
        ("curl -X", "ends with --request, which needs a value"),
        ('curl "https://h/apps/$APP_ID/events?$QS"', "holds a shell variable"),
        ("curl https://h/p?a=$(date)", "holds a shell variable"),
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


def test_a_file_without_an_end_is_read_no_further_than_the_limit() -> None:
    with pytest.raises(UnreadableText, match="over the limit of 8,388,608 bytes"):
        read("curl -d @zero http://h/p", read_file=lambda name: bytes(MAX_TEXT + 1))


# --- growth -------------------------------------------------------------------------------------

# Each makes a text that is long in one way. None of them may take more than linear time.
FAMILIES: dict[str, Callable[[int], str]] = {
    "a body": lambda n: f"curl http://h/p -d '{'x' * n}'",
    "escapes": lambda n: "curl http://h/p -d $'" + r"\n" * (n // 2) + "'",
    "escapes of bytes": lambda n: "curl http://h/p -d $'" + r"\x41" * (n // 4) + "'",
    "backslashes": lambda n: 'curl http://h/p -d "' + "\\" * (n // 2 * 2) + '"',
    "an open quote": lambda n: "curl http://h/p -d '" + "x" * n,
    "an open quote after backslashes": lambda n: 'curl http://h/p -d "' + r"\a" * (n // 2),
    "quotes": lambda n: "curl http://h/p -d " + "''" * (n // 2),
    "words": lambda n: "curl http://h/p" + " -s" * (n // 3),
    "options": lambda n: "curl http://h/p" + " -d x" * (n // 5),
    "switches": lambda n: "curl http://h/p -" + "s" * n,
    "URLs": lambda n: "curl" + " http://h/p" * (n // 11),
    "lines": lambda n: "curl http://h/p" + " \\\n" * (n // 3),
    "dollars": lambda n: "curl http://h/p -d " + "$" * n,
    "a URL": lambda n: "curl http://h/" + "a" * n,
    "a method": lambda n: "A" * n + " /p",
    "prompts": lambda n: "$ " * (n // 2) + "curl http://h/p",
    "headers": lambda n: "POST /p HTTP/1.1\n" + "a: b\n" * (n // 5),
    "colons": lambda n: "POST /p HTTP/1.1\n" + ":" * n,
    "line ends": lambda n: "POST /p HTTP/1.1\r\n\r\n" + "\r\n" * (n // 2),
    "carriage returns": lambda n: "POST /p HTTP/1.1\n" + "\r" * n,
    "parameters": lambda n: "POST /p?" + "a&" * (n // 2),
    "percent signs": lambda n: "POST /p?" + "%" * n,
    "nothing": lambda n: "\0" * n,
}


def read_anyhow(text: str) -> None:
    with contextlib.suppress(UnreadableText):
        read_request(text)


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_grows_with_the_text_and_no_faster(
    family: str, growth: Callable[..., None]
) -> None:
    growth(read_anyhow, FAMILIES[family], largest=500_000, least=50_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_a_file_is_decoded_as_the_shell_wrote_it(encoding: str) -> None:
    assert decoded("curl http://h/é☕".encode(encoding)) == "curl http://h/é☕"


def test_lines_may_end_in_carriage_returns_alone() -> None:
    asked = read(f"POST /apps/3/events?auth_key=k HTTP/1.1\rHost: h\r\r{BODY}")
    assert (asked.path, asked.body) == ("/apps/3/events", BODY.encode())


def test_what_cannot_be_read_beside_a_request_is_a_note() -> None:
    (note,) = read_request(f"curl '{URL}'\n\ncurl 'http://h/p\n").notes
    assert note.startswith("Something else in the text can't be read. A quote in the command")


@pytest.mark.parametrize(("lines", "whole"), [(30, True), (60, False)])
def test_a_url_is_joined_from_so_many_lines_at_most(lines: int, whole: bool) -> None:
    query = f"auth_key={'k' * 10 * lines}&auth_signature={'0f' * 32}"
    width = len(query) // lines
    broken = "\n".join(query[at : at + width] for at in range(0, len(query), width))
    pasted = reading.read(f"https://h/apps/3/events?{broken}").requests
    assert any(each.request.values("auth_signature") == ["0f" * 32] for each in pasted) == whole


@pytest.mark.parametrize("text", ["", "hello", "POST"])
def test_a_text_without_a_request_is_what_was_said(text: str) -> None:
    assert reading.read(text) == reading.Pasted(form=reading.NOTHING, said=text)
