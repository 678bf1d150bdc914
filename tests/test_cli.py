"""The command line, as a process: what it prints, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

import pusherkit
from pusherkit import Client, Credentials, RateLimited, Unauthorized, cli, sign, verify
from pusherkit.doctor.pasted import read_request
from pusherkit.signing import hmac_sha256
from pusherkit.snippets import curl
from pusherkit.subscriber import Subscriber

PUSHERKIT = Path(sys.executable).with_name("pusherkit")


class Sandbox:
    """`pusherkit sandbox` as a process of its own."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [PUSHERKIT, "sandbox", "--port=0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.preamble = [self.line() for _ in range(7)]
        lines = shlex.split("\n".join(self.preamble), comments=True)
        settings = dict(line.split("=", 1) for line in lines)
        self.credentials = Credentials.from_env(settings)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def stop(self, number: int = signal.SIGINT) -> tuple[str, int]:
        """Stop it; return the rest of what it printed, and its exit status."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=10)
        return rest, self.process.returncode


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    started = Sandbox(*getattr(request, "param", ()))
    yield started
    if started.process.poll() is None:
        started.stop()


def test_the_settings_can_be_pasted_and_used(sandbox: Sandbox) -> None:
    assert [line.split("=")[0] for line in sandbox.preamble[1:5]] == [
        "PUSHER_APP_ID",
        "PUSHER_KEY",
        "PUSHER_SECRET",
        "PUSHER_HOST",
    ]
    assert sandbox.credentials.app_id == "6855671"
    with Client(sandbox.credentials) as client:
        assert client.trigger("chat", "message", {"text": "hello"}) == {}
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  200  POST /apps/6855671/events  message → chat \(delivered 0 times\)",
        sandbox.line(),
    )


def test_a_refusal_is_followed_by_its_reason(sandbox: Sandbox) -> None:
    wrong = replace(sandbox.credentials, secret="another secret")
    with Client(wrong) as client, pytest.raises(Unauthorized):
        client.trigger("chat", "message", "hello")
    assert sandbox.line().endswith("  401  POST /apps/6855671/events")
    assert sandbox.line().strip().startswith("Invalid signature: you should have sent HmacSHA256")
    assert "the secret is the key" in sandbox.line()


def test_a_client_event_has_a_line_of_its_own(sandbox: Sandbox) -> None:
    with Subscriber(sandbox.credentials, "private-room") as subscriber:
        subscriber.trigger("private-room", "client-typing\u202e", "")
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  client event  client-typing\\u202e → private-room "
            rf"from {re.escape(subscriber.socket_id or '')}",
            sandbox.line(),
        )


def test_no_query_and_so_no_signature_is_printed(sandbox: Sandbox) -> None:
    with Client(sandbox.credentials) as client:
        client.channels()
    assert "auth_" not in sandbox.line()


def test_what_a_stranger_sends_cannot_reach_the_terminal(sandbox: Sandbox) -> None:
    url = httpx.URL(sandbox.credentials.base_url)
    import socket

    with socket.create_connection((url.host, url.port or 0)) as connection:
        connection.sendall(b"GET /\x9b31mred HTTP/1.0\r\n\r\n")
        while connection.recv(65536):
            pass
    assert "\x9b" not in sandbox.line() + sandbox.line()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_it_is_told_to(sandbox: Sandbox, number: int) -> None:
    assert sandbox.stop(number) == ("# Stopped.\n", 0)


OWN = {"PUSHER_APP_ID": "7", "PUSHER_KEY": "own-key", "PUSHER_SECRET": "own-secret"}


def test_it_takes_an_app_from_the_environment_and_does_not_print_its_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    process = subprocess.Popen(
        [PUSHERKIT, "sandbox", "--port=0", "--from-env"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(7)]
    assert said[1:4] == [
        "PUSHER_APP_ID=7\n",
        "PUSHER_KEY=own-key\n",
        "# PUSHER_SECRET is not shown.\n",
    ]
    url = said[4].strip().removeprefix("PUSHER_HOST=")
    with Client(Credentials.from_env(OWN | {"PUSHER_HOST": url})) as client:
        assert client.trigger("chat", "message", "") == {}
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=10)
    assert "own-secret" not in "".join(said) + rest


def test_without_an_app_in_the_environment_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["sandbox", "--from-env"]) == 1
    assert "missing: PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET" in capsys.readouterr().err
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    assert cli.main(["sandbox", "--from-env", "--settings-for", "node"]) == 1
    assert "--settings-for prints the secret" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--allow-host=http://x", "--allow-origin=x"])
def test_a_name_or_an_origin_that_is_none_is_a_sentence(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sandbox", option]) == 1
    assert f"pusherkit sandbox: {option[2:].split('=')[0]}: expected" in capsys.readouterr().err


@pytest.mark.parametrize(
    "sandbox", [("--allow-host=hub.example", "--allow-origin=http://my-app.test")], indirect=True
)
def test_a_name_and_an_origin_can_be_allowed(sandbox: Sandbox) -> None:
    url = sandbox.credentials.base_url
    for host, origin, status in [
        ("hub.example", "http://my-app.test", 200),
        ("other.example", "http://my-app.test", 403),
        ("hub.example", "http://other.example", 403),
    ]:
        headers = {"Host": host, "Origin": origin}
        assert httpx.get(url, headers=headers, trust_env=False).status_code == status


@pytest.mark.parametrize("sandbox", [("--key=a b", "--secret=it's $HOME #1")], indirect=True)
def test_a_shell_reads_its_settings(sandbox: Sandbox) -> None:
    script = "\n".join(sandbox.preamble) + '\nprintf \'%s|%s\' "$PUSHER_KEY" "$PUSHER_SECRET"'
    assert subprocess.check_output(["sh", "-c", script], text=True) == "a b|it's $HOME #1"


@pytest.mark.parametrize(
    "sandbox", [("--app-id=7", "--key=k", "--secret=s", "--rate=1")], indirect=True
)
def test_its_options(sandbox: Sandbox) -> None:
    assert sandbox.preamble[1:4] == ["PUSHER_APP_ID=7", "PUSHER_KEY=k", "PUSHER_SECRET=s"]
    with Client(sandbox.credentials) as client:
        client.trigger("chat", "message", "hello")
        with pytest.raises(RateLimited) as caught:
            client.trigger("chat", "message", "hello")
    assert caught.value.retry_after == 1


def test_a_port_in_use_is_a_sentence(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    port = httpx.URL(sandbox.credentials.base_url).port
    assert cli.main(["sandbox", f"--port={port}"]) == 1
    said = capsys.readouterr().err
    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sandbox", "--port", "x"], "expected a port from 0 to 65535, got 'x'"),
        (["sandbox", "--port", "65536"], "expected a port from 0 to 65535"),
        (["sandbox", "--port", "٣"], "expected a port from 0 to 65535"),
        (["sandbox", "--rate", "fast"], "expected requests per second, above 0, got 'fast'"),
        (["sandbox", "--rate", "0"], "above 0"),
        (["sandbox", "--rate", "nan"], "above 0"),
        (["lab", "--port", "-1"], "expected"),
        (["sandbox", "--", "x"], "takes nothing after --"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_words_are_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [("--secret= s", "white space or quotes"), ("--app-id=a/b", "app_id"), ("--key=", "empty")],
)
def test_credentials_that_cannot_be_right_are_a_sentence(
    option: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sandbox", option]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["lab", "--help"], ["sandbox", "--help"]])
def test_help_tells_what_each_option_does(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    options = re.findall(r"^  (--[a-z-]+)(.*)$", capsys.readouterr().out, flags=re.M)
    assert words == ["--help"] or options


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"pusherkit {pusherkit.__version__}\n"


# --- the doctor -------------------------------------------------------------------------------

SECRET = "practice-secret"
DOCTORS = {"PUSHER_SECRET": SECRET, "PUSHER_APP_ID": "", "PUSHER_KEY": ""}
BODY = '{"name":"message","channel":"chat","data":"it\'s ☕"}'


def evidence(text: str = "", body: str = BODY) -> str:
    """A curl command whose signature is of `text`, or right where there is none."""
    credentials = Credentials(app_id="3", key="key", secret=SECRET)
    signature = sign(
        credentials, "POST", "/apps/3/events", body=BODY.encode(), timestamp=1353088179
    )
    query = dict(signature.query)
    if text:
        query["auth_signature"] = hmac_sha256(SECRET, text)
    return curl("POST", f"http://127.0.0.1:1/apps/3/events?{urlencode(query)}", body.encode())


def canonical() -> str:
    credentials = Credentials(app_id="3", key="key", secret=SECRET)
    return sign(
        credentials, "POST", "/apps/3/events", body=BODY.encode(), timestamp=1353088179
    ).canonical_string


def doctor(text: str | bytes, *options: str, **environ: str) -> tuple[int, str, str]:
    """Run `pusherkit doctor` on a text; its exit status and what it printed."""
    ran = subprocess.run(
        [PUSHERKIT, "doctor", *options],
        input=text.encode() if isinstance(text, str) else text,
        capture_output=True,
        env=os.environ | DOCTORS | environ,
        timeout=60,
    )
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def test_a_valid_request_is_valid() -> None:
    assert doctor(evidence()) == (0, "The request is signed as it should be.\n", "")


def test_a_mistake_is_named_proved_and_corrected() -> None:
    text = canonical().replace("\n", "\\n")
    status, out, err = doctor(evidence(text))
    assert (status, err) == (1, "")
    assert out.startswith("newline-written-out: The lines are joined by a backslash and an n")
    assert f"Proof: made so, it gives {hmac_sha256(SECRET, text)}" in out
    corrected = read_request(out[out.index("curl -X POST") :])
    verify(
        Credentials(app_id="3", key="key", secret=SECRET),
        corrected.method,
        corrected.path,
        corrected.params,
        corrected.body,
        now=time.time(),
    )
    assert corrected.body == BODY.encode()


def test_milliseconds_are_noted_whatever_the_time() -> None:
    millis = evidence().replace("auth_timestamp=1353088179", "auth_timestamp=1353088179000")
    status, out, _ = doctor(millis)
    assert status == 1
    assert "These are milliseconds." in out


def test_what_nothing_explains_is_said_plainly() -> None:
    status, out, _ = doctor(evidence("some other text"))
    assert status == 2
    assert out.startswith("No known mistake, and no two of them together, give this signature.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "curl 'http://h/p",
        "curl",
        b"\xff\xfe\x00" * 9,
        b"curl http://h/\xff",
        "x" * 10**7,
    ],
    ids=["empty", "no request", "open quote", "no URL", "bytes", "a byte in the URL", "10 MB"],
)
def test_unusable_input_is_a_sentence(text: str | bytes) -> None:
    status, out, err = doctor(text)
    assert (status, out) == (3, "")
    assert err.startswith("pusherkit doctor: ")
    assert len(err) < 600


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    status, _, err = doctor("", str(tmp_path / "gone"))
    assert (status, err) == (3, "pusherkit doctor: No such file or directory\n")


def test_the_verdict_for_a_program() -> None:
    status, out, _ = doctor(evidence(canonical().lower()), "--json")
    assert status == 1
    told = json.loads(out)
    assert told["valid"] is False
    assert told["findings"][0]["mistakes"][0]["name"] == "method-in-lower-case"
    assert told["corrected"].startswith("curl -X POST ")


def test_the_secret_is_never_printed() -> None:
    swapped = evidence().replace("auth_key=key", f"auth_key={SECRET}")
    for options in ((), ("--json",)):
        _, out, err = doctor(swapped, *options, PUSHER_KEY="key")
        assert "Key and secret are swapped" in out
        assert SECRET not in out + err


def test_a_body_in_a_file_is_read_when_asked(tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    command = evidence().split("--data-binary")[0] + f"--data-binary @{tmp_path}/body.json"
    assert doctor(command)[0] == 3
    assert doctor(command, "--read-files")[0] == 0


def test_a_body_that_no_command_can_hold_has_no_corrected_request(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff\xfe")
    command = evidence().split("--data-binary")[0] + f"--data-binary @{tmp_path}/body"
    status, out, _ = doctor(command, "--read-files")
    assert status == 1
    assert "body_md5" in out
    assert "The same request, signed right, now:" not in out
    assert json.loads(doctor(command, "--read-files", "--json")[1])["corrected"] == ""


def test_at_a_terminal_it_says_what_to_paste(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(evidence().encode()), encoding="utf-8")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setenv("PUSHER_SECRET", SECRET)
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().err
    assert said == "Paste a curl command or an HTTP request; end with Ctrl+D.\n"


def test_the_secret_is_asked_for_where_it_is_not_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    monkeypatch.delenv("PUSHER_SECRET", raising=False)
    monkeypatch.setattr("getpass.getpass", answer)
    (tmp_path / "request").write_text(evidence(), encoding="utf-8")
    assert cli.main(["doctor", str(tmp_path / "request")]) == 0
    assert asked == ["The app's secret: "]
    assert SECRET not in capsys.readouterr().out


def test_the_doctor_takes_no_secret_on_the_command_line() -> None:
    status, _, err = doctor(evidence(), f"--secret={SECRET}")
    assert status == 2
    assert "unrecognized arguments" in err


# --- settings for other people's clients --------------------------------------------------------


@pytest.mark.parametrize("stack", ["node", "laravel", "python", "ruby"])
def test_settings_are_printed_and_nothing_is_started(capsys, stack):
    assert cli.main(["sandbox", "--settings-for", stack, "--port", "8124", "--key", "my-key"]) == 0
    printed = capsys.readouterr().out
    assert "8124" in printed
    assert "my-key" in printed


def test_settings_need_a_port_that_is_known(capsys):
    assert cli.main(["sandbox", "--settings-for", "node", "--port", "0"]) == 1
    assert "--settings-for needs the port" in capsys.readouterr().err
