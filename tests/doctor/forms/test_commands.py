"""Command lines are read as bash, curl and wget do it: each is run here, and what arrives compared."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from pusherkit import UnreadableText
from pusherkit.doctor.forms.options import CURL, HTTPIE, WGET, Options
from pusherkit.doctor.forms.shell import Shell, Word
from pusherkit.doctor.pasted import read
from pusherkit.signing import Request


class Recorder:
    """What came to a server on 127.0.0.1, one request after another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[Request] = []


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    came: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            params = parse_qsl(query, keep_blank_values=True)
            came.append(Request(self.command, path, params, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
    recorder.came = came
    yield recorder
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


BODY = '{"name":"it is","data":"$5 \\"☕\\""}'
COMMANDS = [
    "curl URL/p?a=1 -d x -d 'y z' -d @-  <<< 'three\nlines'",
    "curl 'URL/p?a=1&b=%20c' --data-raw @x",
    "curl -sSXPUT -X PATCH URL/p -vd x 2>&1 | cat",
    "curl -G URL/apps/3/channels -d info=user_count -d a=b%20c",
    "curl -G 'URL/p?a=1' --data-urlencode 'info=a b,c' --data-urlencode 'x&y'",
    "curl URL/p --data-urlencode 'a b=c é+/~' --data-urlencode '=x y' -d q",
    "curl URL/p --json '{\"a\":1}' --json 2 -d 3",
    "curl URL/p --url-query 'a=b c' --url-query +d=e%20f -d x",
    "curl -I URL/p; curl -X DELETE URL/q",
    "curl URL/p -d 1 --next URL/q -X PUT -d 2 --next URL/r",
    "curl URL/p URL/q -d both",
    "curl -s -o /dev/null -w '%{http_code}' -m 5 -H 'A: b' -A x -e y -b a=b --max-redirs 3 URL/p -d 1",
    "curl --request POST --url URL/p --insec --refere x --data-r y",
    "curl -q -k --no-progress-meter --retry 2 --connect-timeout 2.5 --resolve a:1:127.0.0.1 URL/p -d 1",
    "curl URL/p --data-binary @- <<'EOF'\n" + BODY + "\n  $HOME `id`\nEOF",
    "N=5; curl URL/p --data-binary @- <<EOF\n{\"a\":\"$N ${N}\\$N\"}\nEOF",
    "cat <<-EOF | curl URL/p --data-binary @-\n\tone\n\ttwo\nEOF",
    "printf '%s\\n' a 'b c' | curl URL/p --data-binary @-",
    "printf 'a\\x41\\n%%' | curl URL/p --data-binary @-",
    "echo -n 'a\\nb' | curl URL/p --data-binary @-",
    "echo -e 'a\\tb' | curl URL/p --data-binary @-",
    "A='x y'; B=\"$A z\"; curl URL/p -d \"$B\"",
    "A=$(echo one; ); B=$(printf two)\ncurl URL/p -d \"$A-$B\"",
    "A=$(cat <<'E'\n{\"a\":1}\nE\n); curl URL/p -d \"$A\"",
    "R=$(curl -s URL/p -d \"$(echo deep)\"); echo $R",
    "if true; then curl URL/p -d 'x'; fi && echo done",
    "(curl URL/p -d 1 && curl URL/q -d 2) || true",
    "curl URL/p -d a\\ b'c'\"d\"$'e\\n' # not this",
    "curl URL/p#fragment -d 1",
    "time curl URL/p \\\n  -d 1 \\\n  -H 'A: b'",
    "export X='1'; curl URL/p -d ${X}2",
    "curl URL/p -d '' -X POST",
    "declare -r A='x y'; curl URL/p -d \"$A\"",
    "echo -n x > f; cat f | curl URL/p -d @-; curl URL/q -d @- < f",
    "curl -s URL/p -d x 2>/dev/null -X PUT",
    "curl URL/p?a=1& wait",
    "cat <<A | curl URL/p -d @-; cat <<B | curl URL/q -d @-\n1\nA\n2\nB",
    "for scheme in http https; do curl URL/p -d x; break; done",
    "curl -s -d x -- URL/p URL/q",
    "curl -s URL/p -d 'name=foo&data={\"a\":1}' > /dev/null &\nwait",
]  # fmt: skip
WGET_COMMANDS = [
    "wget -qO- URL/p",
    "wget -q -O - --post-data 'a b' 'URL/p?x=1&y=2'",
    "wget -qO- --method=PUT --body-data='{\"a\":1}' --header='A: b' URL/p",
    "wget -qO- --method DELETE URL/p --tries=1 -T 5",
]


@pytest.mark.parametrize("command", [*COMMANDS, *WGET_COMMANDS])
def test_what_arrives_is_what_was_read(command: str, recorder: Recorder, tmp_path: Path) -> None:
    if not shutil.which(command.split()[0] if command.startswith("wget") else "curl"):
        pytest.skip("the tool isn't installed")
    text = command.replace("URL", recorder.url)
    recorder.came.clear()
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    subprocess.run(
        ["bash", "-c", text], capture_output=True, timeout=30, cwd=tmp_path, env=env, check=False
    )
    assert recorder.came
    pasted = read(text)
    assert [request.request for request in pasted.requests] == recorder.came
    assert {request.base_url for request in pasted.requests} == {recorder.url}


# --- the tables -----------------------------------------------------------------------------------


def test_every_option_that_the_installed_curl_has() -> None:
    if not shutil.which("curl"):
        pytest.skip("curl isn't installed")
    shown = subprocess.run(
        ["curl", "--help", "all"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    options = re.findall(r"^ *(?:-(.), )? *--([\w.-]+)( [<\[])?", shown, flags=re.MULTILINE)
    assert len(options) > 200
    unknown = [name for _, name, _ in options if not CURL.named(name)]
    assert len(unknown) <= 20, unknown  # a newer curl has a few more; the table is from 8.22
    wrong = [
        name
        for letter, name, value in options
        if (name not in unknown and bool(value) != (CURL.named(name) in CURL.values))
        or (
            letter
            and CURL.named(name) != CURL.named(CURL.letters.get(letter, ""))
            and letter != "i"
        )
    ]
    assert wrong == []


def test_every_option_that_the_installed_wget_has() -> None:
    if not shutil.which("wget"):
        pytest.skip("wget isn't installed")
    shown = subprocess.run(
        ["wget", "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    options = re.findall(r"^ +(?:-\w+, +)?--([\w-]+)(=)?", shown.stdout, flags=re.MULTILINE)
    assert len(options) > 100
    wrong = [name for name, value in options if value and WGET.named(name) not in WGET.values]
    assert wrong == []
    assert sum(not WGET.named(name) for name, _ in options) <= 10


@pytest.mark.parametrize("options", [CURL, WGET, HTTPIE])
def test_a_letter_stands_for_an_option(options: Options) -> None:
    assert set(options.letters.values()) <= options.values | options.switches
    assert not options.values & options.switches


# --- the shell -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("curl $A", "$A"),
        ('curl "x${A}y"', "${A}"),
        ("curl $(date)", "$(date)"),
        ("curl `date`", "`date`"),
        ('curl "$(date "+%s")"', '$(date "+%s")'),
        ("curl $((1+2))", "$((1+2))"),
        ("curl $1", "$1"),
        ("A=$(date); curl $A", "$A"),
        ("A=$(echo $B); curl $A", "$A"),
    ],
)
def test_what_only_the_shell_knows(line: str, unknown: str) -> None:
    commands, end = Shell(line).line(0)
    assert commands[-1].words[1].unknown == unknown
    assert end == len(line)


@pytest.mark.parametrize("quoted", ["'$A'", "\\$A", '"\\$A"', "$", "'$(date)'", "a$", '"$"'])
def test_what_the_shell_leaves_alone(quoted: str) -> None:
    commands, _ = Shell(f"curl {quoted}").line(0)
    assert commands[0].words[1].unknown == ""


@pytest.mark.parametrize("line", ["curl http://h/?a=1& wait", "curl 2>errors http://h/?a=1"])
def test_what_is_no_word_of_the_command(line: str) -> None:
    commands, _ = Shell(line).line(0)
    assert commands[0].words == [Word("curl"), Word("http://h/?a=1")]


def test_a_variable_that_doubles_itself_has_an_end() -> None:
    doubling = "A=xxxxxxxx\n" + "A=$A$A\n" * 60 + 'curl http://h/p -d "$A"'
    with pytest.raises(UnreadableText, match="over the limit"):
        read(doubling)
    repeated = f"printf 'http://h/%s{'x' * 1_000}' {'1 ' * 9_000} | curl http://h/p -d @-"
    with pytest.raises(UnreadableText, match="over the limit"):
        read(repeated)
    nested = "curl http://h/p -d " + "$(echo " * 50 + "x" + ")" * 50
    with pytest.raises(UnreadableText, match="deep"):
        read(nested)


def test_a_heredoc_without_an_end_goes_to_the_end() -> None:
    commands, end = Shell("cat <<EOF\na\nb").line(0)
    assert (commands[0].stdin, end) == (Word("a\nb"), 13)
