"""A request as text: every program is run, and what arrives is what was meant."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pusherkit import Credentials, snippets
from pusherkit.events import to_json
from pusherkit.sandbox import SandboxServer
from pusherkit.signing import Request
from pusherkit.subscriber import Subscriber

SECRET = "s3cret-$HOME-'\"\\-é-0123"

# Each language: what writes the program, what runs it, and the ending of its file's name.
LANGUAGES = {
    "bash": (snippets.bash, "bash", "sh"),
    "python": (snippets.python, sys.executable, "py"),
    "node": (snippets.node, "node", "mjs"),
    "php": (snippets.php, "php", "php"),
}
NEEDS = {name: (runner,) for name, (_, runner, _) in LANGUAGES.items()}
NEEDS["bash"] = ("bash", "curl", "date", "md5sum", "od", "openssl", "tr")


def language(name: str) -> object:
    missing = [tool for tool in NEEDS[name] if shutil.which(tool) is None]
    skip = pytest.mark.skipif(bool(missing), reason=f"to run it, {', '.join(missing)} is missing")
    return pytest.param(name, marks=skip)


every_language = pytest.mark.parametrize("name", [language(name) for name in LANGUAGES])

NASTY = {
    "single-quotes": "it's 'quoted' ''",
    "double-quotes": 'say "hello" ""',
    "backslashes": "\\ \\\\ \\n \\u0041 \\",
    "dollar": "$HOME ${HOME} $(id) $1 {$x} $",
    "backquotes": "`id` ``",
    "lines": "one\ntwo\r\nthree\ttab\n",
    "coffee": "☕ é ß \u00a0 \u2028 \u202e",
    "emoji": "👩‍🚀 🎉",
    "script": "</script><!-- ?> <?php // */",
    "percent": "%41 %s %% %d",
    "bang": "!! !1 #x ~ * ? [a] {a,b}",
}
PARAMS = [
    ("Zone", "north east, café"),
    ("info", "a+b&c=d"),
    ("a_note", "%41 100% 'x' \"y\" $HOME `id` \\ ☕ 👩‍🚀"),
    ("empty", ""),
    ("things[]", "2"),
    ("things[]", "1"),
]


@pytest.fixture
def server():
    """Not the shared one: its key and secret are as nasty as the rest."""
    account = Credentials(app_id="6855671", key="k'e\"y $HOME\\é+&", secret=SECRET)
    with SandboxServer(account) as running:
        yield running


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program of a language; its environment holds PATH and the secret, nothing else."""

    def run(
        name: str, program: str, secret: str | None = SECRET
    ) -> subprocess.CompletedProcess[str]:
        _, runner, ending = LANGUAGES[name]
        file = tmp_path / f"program.{ending}"
        file.write_bytes(program.encode())
        environment = {"PATH": os.environ["PATH"]}
        if secret is not None:
            environment["PUSHER_SECRET"] = secret
        return subprocess.run(
            [runner, file],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    return run


def written(name: str, server: SandboxServer, body: bytes, params=(), **changed: str) -> str:
    call = {"method": "POST", "path": "/apps/6855671/events"} | changed
    request = Request(call["method"], call["path"], params, body)
    return LANGUAGES[name][0](server.url, server.credentials.key, request)


@every_language
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_a_program_publishes_what_was_meant(name, text, server, run):
    # The text stands in the body twice: escaped once, and twice, by JSON.
    data = to_json({"text": text})
    body = to_json({"name": "message", "channel": "chat", "data": data, "note": text}).encode()
    with Subscriber(server.credentials, "chat") as subscriber:
        ran = run(name, written(name, server, body))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert [exchange.reply.status for exchange in server.log] == [200]
        message = subscriber.receive()
    assert (message.event, message.data) == ("message", data)
    assert json.loads(message.data)["text"] == text
    assert "200" in ran.stdout
    assert "{}" in ran.stdout


@every_language
@pytest.mark.parametrize(
    "body",
    [
        b'\n{ "name": "m",\r\n\t"channel": "chat", "data": "x" }\n\n',
        b'{"name":"m","channel":"chat","data":"x"}\r\n',
    ],
    ids=["lines-around", "crlf-at-the-end"],
)
def test_not_a_byte_is_lost_outside_the_json(name, body, server, run):
    ran = run(name, written(name, server, body))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [exchange.reply.status for exchange in server.log] == [200]


@every_language
@pytest.mark.parametrize("order", [1, -1])
def test_the_parameters_are_sorted_and_encoded(name, order, server, run):
    body = b'{"name":"message","channel":"chat","data":"x"}'
    with Subscriber(server.credentials, "chat") as subscriber:
        ran = run(name, written(name, server, body, PARAMS[::order]))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert [exchange.reply.status for exchange in server.log] == [200]
        assert subscriber.receive().data == "x"


@every_language
def test_a_request_without_a_body(name, server, run):
    path = "/apps/6855671/channels/a=b@c,d;e._-"
    program = written(name, server, b"", {"info": "subscription_count"}, method="get", path=path)
    ran = run(name, program)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [(e.method, e.path, e.reply.status) for e in server.log] == [("GET", path, 200)]
    assert '"subscription_count"' in ran.stdout
    assert "md5(" not in program


@every_language
def test_a_refusal_is_shown_with_its_reason(name, server, run):
    ran = run(name, written(name, server, b"{}"), secret="another")
    assert "401" in ran.stdout
    assert "Invalid signature" in ran.stdout


@every_language
def test_without_a_secret_nothing_is_sent(name, server, run):
    ran = run(name, written(name, server, b"{}"), secret=None)
    assert ran.returncode != 0
    assert server.log == ()


# --- the text -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_stages_stand_in_order_and_the_secret_nowhere(name, server):
    program = written(name, server, b'{"a":1}', PARAMS)
    stages = ["Body", "Digest", "Parameters", "Canonical string", "Sign", "Send"]
    mark = "//" if name in ("node", "php") else "#"
    comments = [line for line in program.splitlines() if line.startswith(f"{mark} ")]
    assert [line[len(mark) + 1 :].split(":")[0] for line in comments] == stages
    assert SECRET not in program
    assert "PUSHER_SECRET" in program


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_program_is_short(name):
    program = LANGUAGES[name][0](
        "https://ws-sa.mawjly.com", "key", Request("POST", "/apps/3/events", body=b"{}")
    )
    lines = program.splitlines()
    # bash makes its own HMAC, so that the secret is on no command line.
    assert len([line for line in lines if line]) <= (42 if name == "bash" else 27)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_signing_adds_is_not_taken_from_the_callers_parameters(name):
    stale = [("AUTH_Signature", "stale"), ("auth_key", "stale"), ("Body_MD5", "stale")]
    request = Request("POST", "/apps/3/events", stale, b"{}")
    assert "stale" not in LANGUAGES[name][0]("http://a", "key", request)


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"body": b"ab\xff"}, r"byte 2 \(0xff\) is not UTF-8"),
        ({"path": "apps/3"}, "path: expected it as in the request line"),
        ({"path": "/apps/3?x=1"}, "got '/apps/3\\?x=1'"),
        ({"path": "/apps/é"}, "path: expected"),
        ({"path": "/apps/$(id)\n"}, "path: expected"),
        ({"method": "POST;id"}, "method: expected letters"),
    ],
)
def test_what_a_program_cannot_hold_is_a_sentence(name, changed, said):
    call = {"method": "POST", "path": "/apps/3/events", "params": (), "body": b"{}"} | changed
    with pytest.raises(ValueError, match=said):
        LANGUAGES[name][0]("http://127.0.0.1", "key", Request(**call))


def test_bash_refuses_a_nul():
    with pytest.raises(ValueError, match="NUL"):
        snippets.bash("http://a", "key", Request("POST", "/apps/3/events", body=b"a\0b"))


@pytest.mark.parametrize("name", [language(name) for name in LANGUAGES if name != "bash"])
def test_the_others_hold_a_nul(name, server, run):
    run(name, written(name, server, b'{"a":"\0"}', [("b", "c\0d\x1b\x7f")]))
    (exchange,) = server.log
    assert exchange.reply.status == 400  # signed right; but a raw NUL is no JSON


def test_node_refuses_a_body_with_get():
    with pytest.raises(ValueError, match="fetch sends no body with GET"):
        snippets.node("http://a", "key", Request("get", "/apps/3/channels", body=b"{}"))


# --- the secret and the list of processes -------------------------------------------------------

# Longer than the 64 bytes of an HMAC's key, exactly as long, one longer, and what shells mangle.
SECRETS = {
    "short": "k",
    "64 bytes": "k" * 64,
    "65 bytes": "k" * 65,
    "long": "0123456789abcdef" * 20,
    "not ASCII": "zażółć-☕-🎉",
    "quotes": "a'\"`$(id) ${HOME} '\"'z",
    "backslashes": r"\n \x41 \\ %s %% \0",
    "spaces": "a  b   c & * ? ~",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("name", [language("bash")])
def test_bash_signs_with_any_secret(name, secret, run, free_server):
    server = free_server(Credentials(app_id="3", key="key", secret=secret))
    program = written(name, server, b'{"name":"m","channel":"c","data":"x"}', path="/apps/3/events")
    ran = run(name, program, secret=secret)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [exchange.reply.status for exchange in server.log] == [200]


@pytest.fixture
def free_server():
    """Start a server for an account; it is stopped after the test."""
    with contextlib.ExitStack() as running:
        yield lambda account: running.enter_context(SandboxServer(account))


@pytest.mark.parametrize("name", [language("bash")])
def test_bash_puts_the_secret_on_no_command_line(name, server, run, tmp_path):
    """Each tool that the script starts is replaced by one that first writes down its arguments."""
    seen = tmp_path / "seen"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in NEEDS["bash"]:
        spy = f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >>{seen}\nexec {shutil.which(tool)} "$@"\n'
        if tool != "bash":
            (tools / tool).write_text(spy)
            (tools / tool).chmod(0o755)
    program = written(name, server, b'{"name":"m","channel":"c","data":"x"}')
    ran = run(name, program.replace("\n", f"\nPATH={tools}:$PATH\n", 1))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [exchange.reply.status for exchange in server.log] == [200]
    told = seen.read_text()
    assert {Path(line.split()[0]).name for line in told.splitlines() if str(tools) in line} >= {
        *("openssl", "curl", "od")
    }
    assert SECRET not in told
    assert SECRET.encode().hex() not in told


# --- curl ---------------------------------------------------------------------------------------


def words(base_url: str, request: Request) -> list[str]:
    return shlex.split(snippets.curl(base_url, request).replace("\\\n", ""))


def test_curl_names_no_file_where_the_body_begins_with_an_at():
    at = words("http://a", Request("POST", "/apps/3/events", body=b"@/etc/hosts"))
    assert at[-2:] == ["--data-raw", "@/etc/hosts"]
    assert words("http://a", Request("POST", "/", body=b"{}"))[-2:] == ["--data-binary", "{}"]


def test_curl_without_a_body_is_one_line():
    request = Request("GET", "/", [("b", "c d")])
    assert snippets.curl("http://a", request) == "curl -X GET 'http://a/?b=c+d'"
    assert words("http://a", Request("GET", "/"))[-1] == "http://a/"


@pytest.mark.parametrize(
    ("base_url", "path", "options"),
    [
        ("http://a", "/b/c", []),
        ("http://[::1]:80", "/b", ["--globoff"]),
        ("http://a", "/b/../c", ["--path-as-is"]),
        ("http://a", "/b/%2E", ["--path-as-is"]),
        ("http://[::1]", "/./b", ["--globoff", "--path-as-is"]),
        ("http://a", "/b.c/..d", []),
    ],
)
def test_curl_is_kept_from_changing_a_url_that_it_would_change(base_url, path, options):
    given = words(base_url, Request("GET", path))
    assert [word for word in given if word.startswith("--")] == options


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("touch x;", "/"), "method: expected letters"),
        (Request("POST", "@evil.example/"), "path: expected it as in the request line"),
        (Request("POST", ".evil.example/"), "path: expected"),
        (Request("POST", ""), "path: expected"),
        (Request("POST", "/`id`"), "path: expected"),
        (Request("POST", "/", body=b"a\0b"), "A shell cannot hold a NUL"),
        (Request("POST", "/", body=b"\xff"), r"byte 0 \(0xff\) is not UTF-8"),
    ],
)
def test_what_a_command_cannot_hold_is_a_sentence(request_, said):
    with pytest.raises(ValueError, match=said):
        snippets.curl("https://good.example", request_)


@pytest.mark.skipif(not shutil.which("curl"), reason="to run it, curl is missing")
@pytest.mark.parametrize(
    "path", ["/apps/3/../events", "/a//b/./c", "/a;b'c", "/$HOME", "/a%20b", "/!(x)&y"]
)
def test_curl_asks_for_the_very_path(path, server):
    command = snippets.curl(server.url, Request("GET", path, [("a[1-2]", "{b,c}")]))
    subprocess.run(["bash", "-c", command + " --silent"], check=True, capture_output=True)
    assert [exchange.path for exchange in server.log] == [path]
