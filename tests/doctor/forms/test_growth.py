"""Any text is read in linear time: up to 8 MB of whatever is worst for a reader."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable

import pytest

from pusherkit import PusherError, UnreadableText
from pusherkit.doctor.pasted import MAX_TEXT, read

U = "https://h.example/apps/3/events?auth_key=k&auth_signature=x"
ENTRY = {"request": {"method": "GET", "url": "https://h.example/style.css", "headers": []}}
OURS = {"request": {"method": "POST", "url": U, "postData": {"text": "{}"}}}


def repeated(piece: str) -> Callable[[int], str]:
    return lambda size: piece * (size // len(piece))


FAMILIES: dict[str, Callable[[int], str]] = {
    "commands": repeated(f"curl '{U}' -d x\n"),
    "commands that open a quote": repeated("curl 'http://h/p \" \n"),
    "commands that open a substitution": repeated('curl "http://h/$(\n'),
    "heredocs": repeated("curl http://h/p -d @- <<E\n"),
    "tools in a line": repeated("curl http wget "),
    "variables": repeated("A='x'\n"),
    "a variable and its uses": lambda n: "A='" + "x" * (n // 2) + "'\ncurl http://h/p -d \"" + "$A" * (n // 4) + '"',
    "prompts": repeated("$ % > # "),
    "backslashes before quotes for cmd.exe": lambda n: 'C:\\>curl "http://h/p" -d "' + "\\" * n,
    "carets": lambda n: "curl ^\"http://h/p^\" ^\n" + "^" * n,
    "backticks": lambda n: "PS C:\\> curl.exe http://h/p `\n" + "`" * n,
    "Invoke-RestMethod": repeated(f"irm '{U}' @{{\n"),
    "PowerShell variables": repeated("$a = @{ b = (\n"),
    "PowerShell brackets": repeated("$a = (b c\n"),
    "HTTP requests": repeated("POST /apps/3/events HTTP/1.1\nHost: h\n\n{}\n"),
    "traces": repeated("> POST /apps/3/events HTTP/1.1\n> Host: h\n>\n< HTTP/1.1 401\n"),
    "dumps": repeated("=> Send header, 5 bytes (0x5)\n0000: GET / HTTP/1.1\n"),
    "wget's marks": repeated("---request begin---\n"),
    "access log": repeated('1.2.3.4 - - [x] "POST /apps/3/events?auth_key=k HTTP/1.1" 401 4\n'),
    "a log in one line": repeated('"POST /apps/3/events?auth_key=k HTTP/1.1" 401 '),
    "URLs": repeated(f"{U} \n"),
    "URLs in one line": repeated(f"{U} "),
    "a long path": lambda n: "https://h/" + "a/" * (n // 2),
    "quoted HTTP": repeated("send: b'POST /apps/3/events HTTP/1.1\\r\\n\n"),
    "fetch": repeated(f"fetch('{U}', {{method: 'POST'}})\n"),
    "open fetches": repeated("fetch('http://h/p', {a: [\n"),
    "holes in a template": lambda n: "fetch(`" + "${a" * (n // 3) + "`)",
    "nested brackets": lambda n: "fetch(" + "[" * n,
    "constants": repeated("const a = {b: '\n"),
    "a constant that doubles": repeated("const a = a + a\n"),
    "Python": repeated(f"requests.post('{U}', data='x')\n"),
    "Python that doubles": lambda n: "import requests\na = 'x'\n" + "a = a + a\n" * (n // 10),
    "nested Python": lambda n: "import requests\nx = " + "(" * n,
    "frames": repeated('{"event":"pusher:subscribe","data":{"auth":"k:s","channel":"private-x"}}\n'),
    "JSON lines": repeated('{"message":"x","a":[1,2,{"b":null}]}\n'),
    "open JSON": repeated('{"a":\n'),
    "open JSON with a break": repeated('{"a": x\n'),
    "JSON in one line": repeated('{"a":1} '),
    "deep JSON": repeated('[{"a":'),
    "JSON in JSON in JSON": lambda n: wrapped("/apps/ {" * (n // 12), 3),
    "a HAR file": lambda n: json.dumps({"log": {"entries": [ENTRY] * (n // 90) + [OURS]}}),
    "fields": repeated("socket_id: 1.2\nauth: k:s\n"),
    "webhook headers": repeated("X-Pusher-Key: k\nX-Pusher-Signature: s\n"),
    "fences": repeated("```\n"),
    "quoted lines": lambda n: "> curl http://h\n" + "> \n" * (n // 3),
    "broken URLs": repeated("&auth_key=k\n"),
    "long broken URLs": repeated("?auth_key=" + "k" * 1_900 + "\n"),
    "entities": repeated("&amp;auth_key=k "),
    "headers as an object": repeated("{'x-pusher-key': 'k', "),
    "hard spaces": repeated("curl\xa0h\xa0"),
    "single quotes for cmd.exe": lambda n: "C:\\> curl 'http://h/" + "a&" * (n // 2),
    "typographic quotes": lambda n: "curl “http://h/p” " + "” " * (n // 2),
    "colours": repeated("\x1b[31m"),
    "spaces": repeated(" "),
    "newlines": repeated("\n"),
    "letters": repeated("a"),
    "quotes": repeated("'\""),
    "brackets": repeated("({["),
    "equals": repeated("a="),
    "random": lambda n: random.Random(1).randbytes(n).decode(errors="surrogateescape"),
}  # fmt: skip


def wrapped(text: str, times: int) -> str:
    return text if not times else wrapped(json.dumps({"log": text}), times - 1)


def read_anyhow(text: str) -> None:
    with contextlib.suppress(UnreadableText):
        read(text)


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_grows_with_the_text_and_no_faster(
    family: str, growth: Callable[..., None]
) -> None:
    growth(read_anyhow, FAMILIES[family], largest=500_000, least=50_000)


@pytest.mark.parametrize("family", ["access log", "a HAR file", "JSON lines", "letters", "URLs"])
def test_so_it_does_up_to_the_limit(family: str, growth: Callable[..., None]) -> None:
    growth(read_anyhow, FAMILIES[family], largest=MAX_TEXT - 1_000, least=100_000)


def test_over_the_limit_there_is_a_sentence() -> None:
    for text in ("a" * (MAX_TEXT + 1), "\0" * 10_000_000, "POST /apps" * 1_000_000):
        with pytest.raises(UnreadableText, match="over the limit"):
            read(text)


def test_a_har_file_of_five_thousand_entries() -> None:
    entries = [ENTRY] * 5_000
    entries[2_500] = OURS
    pasted = read(json.dumps({"log": {"entries": entries}}))
    assert pasted.form == "a HAR file with 5,000 requests"
    assert [request.request.path for request in pasted.requests] == ["/apps/3/events"]
    none = read(json.dumps({"log": {"entries": [ENTRY] * 5_000}}))
    assert none.requests == ()
    assert "None of its 5,000 requests goes to /apps/" in none.said


PIECES = [
    *("curl ", "http ", "wget ", "-d ", "-X ", "'", '"', "`", "$(", ")", "<<E\n", "\\", "\n", " "),
    *(U, "POST /apps/3/events HTTP/1.1\n", "> ", "< ", "fetch(", "axios.post(", "{", "}", "[", "]"),
    *('{"event":"pusher:subscribe","data":', '{"log":{"entries":[', '{"info":{},"item":[', "null"),
    *("requests.post(", "import requests\n", "irm ", "@{", "@'\n", "$a = ", "const a = ", "^", "&"),
    *("X-Pusher-Signature: s\n", "auth: k:s\n", "socket_id: 1.2\n", "é", "\udcff", "\0", "```\n", "+"),
    *("send: b'POST / HTTP/1.1\\r\\n", "=> Send header, 3 bytes\n0000: ", "data: '", "Host: h\n\n"),
]  # fmt: skip


def test_anything_is_read_or_refused() -> None:
    chance = random.Random(3)
    for _ in range(6_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 14)))
        with contextlib.suppress(PusherError):
            assert read(text, read_file=lambda name: b"x").form
