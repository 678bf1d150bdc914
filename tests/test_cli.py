"""The command line, as a process: what it prints, and how it ends."""

from __future__ import annotations

import functools
import getpass
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch
from urllib.parse import unquote

import httpx
import pytest

import pusherkit
from pusherkit import (
    Client,
    Credentials,
    PayloadTooLarge,
    PusherError,
    RateLimited,
    Unauthorized,
    canonical_string,
    cli,
    sign,
    verify,
)
from pusherkit.doctor.consult import FORMS
from pusherkit.doctor.pasted import read
from pusherkit.signing import Request, hmac_sha256
from pusherkit.snippets import curl
from pusherkit.subscriber import Subscriber

TOOLBOX = Path(__file__).parents[1] / "docs" / "toolbox.md"
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


@pytest.mark.parametrize("channel", ["private-room", "presence-room"])
def test_a_refused_subscription_is_followed_by_what_is_left(sandbox: Sandbox, channel: str) -> None:
    wrong = replace(sandbox.credentials, secret="another secret")
    with pytest.raises(PusherError), Subscriber(wrong, channel, user_id="7"):
        pass
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d  refused  subscription {channel} from [\d.]+", sandbox.line()
    )
    assert "Invalid signature: Expected HMAC SHA256 hex digest of" in sandbox.line()
    assert "No known mistake" in (left := sandbox.line())
    assert "with another secret" in left


def test_a_client_event_has_a_line_of_its_own(sandbox: Sandbox) -> None:
    with Subscriber(sandbox.credentials, "private-room") as subscriber:
        subscriber.trigger("private-room", "client-typing\u202e", "")
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  client event  client-typing\\u202e → private-room "
            rf"from {re.escape(subscriber.socket_id or '')}",
            sandbox.line(),
        )


@pytest.mark.parametrize("sandbox", [("--webhook=http://127.0.0.1:9/nobody",)], indirect=True)
def test_a_webhook_has_a_line_of_its_own_and_what_went_wrong_below(sandbox: Sandbox) -> None:
    assert sandbox.preamble[-1] == "# Webhooks go to http://127.0.0.1:9/nobody"
    assert sandbox.line().startswith("# Each request")
    with Subscriber(sandbox.credentials, "order-41"):
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d  no answer  webhook channel_occupied order-41", sandbox.line()
        )
        assert sandbox.line().strip().startswith("Nobody is listening there. Is your server up")
        assert sandbox.line().strip() == "Attempt 1 of 9. The same bytes come again in 1 s."


@pytest.mark.parametrize("sandbox", [("--subscription-count",)], indirect=True)
def test_counts_can_be_switched_on(sandbox: Sandbox) -> None:
    with Subscriber(sandbox.credentials, "chat") as subscriber:
        assert subscriber.receive().data == '{"subscription_count":1}'


def test_webhooks_go_to_this_machine_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sandbox", "--webhook=http://example.com/"]) == 1
    assert "pusherkit sandbox: webhook: expected a URL on this machine" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["clinic", "--seed", "1..9", "--check"], ["vectors", "x"]])
def test_ctrl_c_leaves_no_traceback(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_check_seeds", interrupted)
    monkeypatch.setattr(cli, "_read_text", interrupted)
    assert cli.main(words) == cli.INTERRUPTED
    assert capsys.readouterr() == ("", "\n")
    monkeypatch.setattr(cli, "_parser", interrupted)  # it imports the doctor
    assert cli.main(words) == cli.INTERRUPTED
    assert capsys.readouterr() == ("", "\n")


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


@pytest.mark.parametrize("sandbox", [("--as=soketi",)], indirect=True)
def test_it_can_answer_as_another_server(sandbox: Sandbox) -> None:
    assert sandbox.preamble[-1].startswith("# It answers as soketi 1.6.1 does.")
    sandbox.line()
    with Client(sandbox.credentials, clock=lambda: 0) as client:
        assert client.trigger("chat", "message", "hello") == {"ok": True}
    assert sandbox.line().endswith("  200  POST /apps/6855671/events")
    assert sandbox.line().strip() == 'as soketi 1.6.1: {"ok":true}'
    assert sandbox.line().strip() == "It accepts this: chat (delivered 0 times)"
    assert sandbox.line().strip().startswith("Strictly it's 401. Timestamp expired: ")
    assert "Set the clock" in sandbox.line()
    with Client(sandbox.credentials) as client:
        client.trigger("chat", "message", "hello")  # right for both
        client.channels()
    said = [sandbox.line().strip() for _ in range(5)]
    assert said[2] == "message → chat (delivered 0 times)"
    assert said[4] == 'as soketi 1.6.1: {"channels":{}}'


@pytest.mark.parametrize("sandbox", [("--as=reverb",)], indirect=True)
def test_what_only_the_other_server_refuses_is_said_so(sandbox: Sandbox) -> None:
    sandbox.line()
    with Client(sandbox.credentials) as client, pytest.raises(PayloadTooLarge):
        client.trigger("chat", "message", "x" * 10_000)
    assert [sandbox.line().strip() for _ in range(4)][1:] == [
        "as Reverb 1.9.0: Payload too large.",
        "It refuses this: a request over 10,000 bytes.",
        "Strictly it's 200.",
    ]


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
        (["wall"], "--data"),
        (["wall", "--data", "x", "--learners", "0"], "expected a number from 1 to 999999, got '0'"),
    ],
)
def test_wrong_words_are_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_wall_without_a_hub_says_what_starts_it_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert cli.main(["wall", "--data", str(tmp_path / "data")]) == 1
    assert "`pusherkit class` starts both" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


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

NOW = 1_353_088_180
SECRET = "practice-secret"
DOCTORS = {"PUSHER_SECRET": SECRET, "PUSHER_APP_ID": "", "PUSHER_KEY": ""}
BODY = '{"name":"message","channel":"chat","data":"it\'s ☕"}'


def evidence(text: str = "", body: str = BODY) -> str:
    """A curl command whose signature is of `text`, or right where there is none."""
    credentials = Credentials(app_id="3", key="key", secret=SECRET)
    signature = sign(
        credentials, "POST", "/apps/3/events", body=BODY.encode(), timestamp=1353088180
    )
    query = dict(signature.query)
    if text:
        query["auth_signature"] = hmac_sha256(SECRET, text)
    return curl(
        "http://127.0.0.1:1", Request("POST", "/apps/3/events", query.items(), body.encode())
    )


def signed_text() -> str:
    credentials = Credentials(app_id="3", key="key", secret=SECRET)
    return sign(
        credentials, "POST", "/apps/3/events", body=BODY.encode(), timestamp=1353088180
    ).canonical_string


def doctor(text: str | bytes, *options: str, **environ: str) -> tuple[int, str, str]:
    """Run `pusherkit doctor` on a text, in this process; its exit status and what it printed."""
    pasted = io.TextIOWrapper(io.BytesIO(text.encode() if isinstance(text, str) else text))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        patch.dict(os.environ, DOCTORS | environ),
        patch.object(sys, "stdin", pasted),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            status = cli.main(["doctor", *options])
        except SystemExit as usage:
            status = int(usage.code or 0)
    for printed in (out, err):
        printed.seek(0)  # which writes what it holds
    return status, out.read(), err.read()


def test_a_valid_request_is_valid() -> None:
    status, out, err = doctor(evidence())
    assert (status, err) == (0, "")
    assert out.startswith("Read as: a curl command\n\nThe request is signed as it should be.\n")
    assert "If it was refused all the same, what is left" in out
    assert "signed right, now" not in out


def test_a_mistake_is_named_proved_and_corrected() -> None:
    text = signed_text().replace("\n", "\\n")
    status, out, err = doctor(evidence(text))
    assert (status, err) == (1, "")
    assert out.startswith("Read as: a curl command\n\nnewline-written-out: The lines")
    assert f"Proof: this gives exactly what was sent, {hmac_sha256(SECRET, text)}" in out
    assert "signed right, now. This goes to http://127.0.0.1:1:\ncurl -X POST " in out
    corrected = read(out[out.index("curl -X") :]).requests[0].request
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
    millis = evidence().replace("auth_timestamp=1353088180", "auth_timestamp=1353088180000")
    status, out, _ = doctor(millis)
    assert status == 1
    assert "These are milliseconds." in out


def test_what_nothing_explains_is_said_plainly() -> None:
    status, out, _ = doctor(evidence("some other text"))
    assert status == 2
    assert "\n\nNo known mistake, and no two of them together, give this signature." in out


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
    assert (status, err) == (3, f"pusherkit doctor: {tmp_path}/gone: No such file or directory\n")


def test_the_verdict_for_a_program() -> None:
    status, out, _ = doctor(evidence(signed_text().lower()), "--json")
    assert status == 1
    told = json.loads(out)
    assert (told["read_as"], told["status"], told["unjudged"]) == ("a curl command", 1, 0)
    (opinion,) = told["opinions"]
    assert opinion["kind"] == "request"
    assert opinion["diagnosis"]["valid"] is False
    assert opinion["diagnosis"]["findings"][0]["mistakes"][0]["name"] == "method-in-lower-case"
    assert opinion["corrected"].startswith("curl -X POST ")
    assert opinion["not_corrected"] == ""


def test_the_secret_is_never_printed() -> None:
    swapped = evidence().replace("auth_key=key", f"auth_key={SECRET}")
    for options in ((), ("--json",)):
        _, out, err = doctor(swapped, *options, PUSHER_KEY="key")
        assert "Key and secret are swapped" in out
        assert SECRET not in out + err


def test_a_body_in_a_file_is_read_when_asked(tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(BODY, encoding="utf-8")
    command = evidence().split("--data-binary")[0] + f"--data-binary @{tmp_path}/body.json"
    assert "which is not read unasked. So nothing is said of the body." in doctor(command)[1]
    status, out, _ = doctor(command, "--read-files")
    assert status == 0
    assert "is not read unasked" not in out


def test_a_body_that_no_command_can_hold_has_no_corrected_request(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff\xfe")
    command = evidence().split("--data-binary")[0] + f"--data-binary @{tmp_path}/body"
    status, out, _ = doctor(command, "--read-files")
    assert status == 1
    assert "body_md5" in out
    assert "signed right" not in out
    assert "No corrected request: body: byte 0 (0xff) is not UTF-8" in out
    (told,) = json.loads(doctor(command, "--read-files", "--json")[1])["opinions"]
    assert told["corrected"] == ""
    assert "is not UTF-8" in told["not_corrected"]


def test_at_a_terminal_it_says_what_to_paste(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(evidence().encode()), encoding="utf-8")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setenv("PUSHER_SECRET", SECRET)
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("Paste a curl, wget, HTTPie or PowerShell command;")
    assert said.endswith(".\nThen end it with Ctrl+D, on a line of its own.\n")


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


def test_a_reader_that_has_enough_may_leave(tmp_path: Path) -> None:
    """As `head` does; the status stays the doctor's."""
    (tmp_path / "request").write_text(evidence("some other text"), encoding="utf-8")
    for options in ("", "--json"):
        script = f"{PUSHERKIT} doctor {options} {tmp_path}/request | : ; echo ${{PIPESTATUS[0]}}"
        ran = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            env=os.environ | DOCTORS,
            timeout=60,
            encoding="utf-8",
        )
        assert (ran.stdout, ran.stderr) == ("2\n", "")


def test_the_first_line_says_what_it_was_read_as() -> None:
    trace = "> GET /apps/3/channels HTTP/1.1\n> Host: h\n>\n< HTTP/1.1 401 Unauthorized\n"
    for text, form in (
        (evidence(), "a curl command"),
        (trace, "a `curl -v` trace"),
        ("Pusher error: Unknown auth_key", "the text of a refusal"),
    ):
        assert doctor(text)[1].startswith(f"Read as: {form}\n\n")


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "practice server" in capsys.readouterr().err


def test_the_module_is_the_command() -> None:
    said = [
        subprocess.run([*command, "--help"], capture_output=True, check=True).stdout
        for command in ([PUSHERKIT], [sys.executable, "-m", "pusherkit"])
    ]
    assert said[0] == said[1] != b""


def test_help_lists_what_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--help"])
    assert FORMS in " ".join(capsys.readouterr().out.split())


# --- its exit status --------------------------------------------------------------------------


def test_a_note_beside_a_signature_that_nothing_explains_is_not_an_explanation() -> None:
    wrong = evidence("some other text").replace("auth_version=1.0", "auth_version=2.0")
    status, out, _ = doctor(wrong)
    assert status == 2
    assert "\n\nVersion not supported." in out
    assert "No known mistake, and no two of them together" in out
    spoiled = evidence("some other text", body=BODY + "!")
    status, out, _ = doctor(spoiled)
    assert status == 2
    assert "\n\nInvalid body_md5" in out
    assert "No known mistake, and no two of them together" in out


def test_a_note_alone_is_an_explanation() -> None:
    status, out, _ = doctor(evidence(body=BODY + "!"))
    assert status == 1
    assert "\n\nInvalid body_md5" in out
    assert "No known mistake" not in out


@pytest.mark.parametrize("command", ["doctor", "vectors"])
def test_help_and_toolbox_say_the_same_of_the_exit_status(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    toolbox = " ".join(TOOLBOX.read_text("utf-8").split())
    status = said[said.index("Exit status: ") + len("Exit status: ") :].rstrip(".")
    assert status in toolbox


# --- what it doesn't know ------------------------------------------------------------------------


def test_without_an_app_key_it_says_so_and_signs_nothing() -> None:
    for command in (
        "curl http://h/apps/3/events -d x",
        "curl 'http://h/apps/3/events?auth_key=' -d x",
    ):
        status, out, _ = doctor(command)
        assert status == 1
        assert "unknown" not in out.lower().replace("unknown auth_key", "")
        assert "signed right" not in out
        assert "No corrected request: the app key isn't known. Set PUSHER_KEY" in out
        assert "auth_key=my-key" in doctor(command, PUSHER_KEY="my-key")[1]


def test_without_a_host_it_says_so() -> None:
    status, out, _ = doctor("POST /apps/3/events?auth_key=k\n\n{}")
    assert status == 1
    assert "No corrected request: the text names no host." in out


@pytest.mark.parametrize("mark", ["%22", "'", "%20", '"'])
def test_a_quoted_app_key_is_a_diagnosis(mark: str) -> None:
    quoted = (
        f"POST /apps/3/events?{'&'.join(query(key=f'{mark}key{mark}'))} HTTP/1.1\nHost: h\n\n{BODY}"
    )
    for environ in ({}, {"PUSHER_KEY": "key"}):
        status, out, err = doctor(quoted.replace(" '", "'"), **environ)
        assert (status, err) == (1, "")
        assert "auth_key was sent with quotes or white space around the app key" in out
        assert "&auth_key=key&" in out.replace("?", "&")


def query(key: str) -> list[str]:
    """A signed query whose auth_key is this text, which is percent-encoded already."""
    owner = Credentials(app_id="3", key="key", secret=SECRET)
    params = dict(sign(owner, "POST", "/apps/3/events", body=BODY.encode(), timestamp=NOW).params)
    params["auth_key"] = unquote(key)
    text = canonical_string("POST", "/apps/3/events", params)
    params["auth_signature"] = hmac_sha256(SECRET, text)
    return [f"{name}={key if name == 'auth_key' else value}" for name, value in params.items()]


def test_an_app_id_that_cannot_be_one_is_no_obstacle() -> None:
    status, out, err = doctor("curl 'http://h/apps/a%20b/events?auth_key=k' -d x")
    assert (status, err) == (1, "")
    assert "http://h/apps/a%20b/events?auth_key=k&" in out


# --- what a stranger pasted is never run ---------------------------------------------------------

TOUCH = "pwned"  # a command that makes a file, and has no space in it
HOSTILE = {
    "a method in octal": r"curl -X $'\164ouch\040pwned;' 'http://h/apps/3/events?auth_key=k'",
    "a method that upper case leaves alone": "curl -X \"; $'\\164\\157\\165\\143\\150' "
    "$'\\160\\167';\" 'http://h/apps/3/events?auth_key=k'",
    "a method in quotes": "curl -X '$(touch pwned)' 'http://h/apps/3/events?auth_key=k'",
    "a method on two lines": "curl -X $'POST\\ntouch pwned\\n' 'http://h/apps/3/e?auth_key=k'",
    "a host": f"curl 'http://h;{TOUCH};/apps/3/events?auth_key=k'",
    "a host in a header": "POST /apps/3/e?auth_key=k HTTP/1.1\nHost: h$(touch pwned)\n\nx",
    "a path": f"curl 'http://h/apps/3/$({TOUCH})?auth_key=k' -d x",
    "a path in backquotes": f"POST /apps/3/`{TOUCH}`?auth_key=k HTTP/1.1\nHost: h\n\nx",
    "a path in quotes": f"POST /apps/3/';{TOUCH};'?auth_key=k HTTP/1.1\nHost: h\n\nx",
    "a name": f"curl 'http://h/apps/3/events?auth_key=k&`{TOUCH}`=1' -d x",
    "a value": f"curl \"http://h/apps/3/events?auth_key=k&a=';{TOUCH};'\" -d x",
    "an app key": f"curl \"http://h/apps/3/events?auth_key=';{TOUCH};'\" -d x",
    "a body": "curl 'http://h/apps/3/events?auth_key=k' -d $'\\';touch pwned;\\''",
    "a body on two lines": "curl 'http://h/apps/3/events?auth_key=k' -d $'\\'\\ntouch pwned\\n'",
    "a body with a NUL": "curl 'http://h/apps/3/events?auth_key=k' -d $'\\0\\';touch pwned;'",
    "a body from a file": "curl 'http://h/apps/3/events?auth_key=k' --data-raw '@/etc/hostname'",
    "a header": "curl 'http://h/apps/3/events?auth_key=k' -H '$(touch pwned)' -d x",
    "an output": "curl 'http://h/apps/3/events?auth_key=k' -o pwned -d x",
    "an option for a URL": "curl '--output=pwned' 'http://h/apps/3/events?auth_key=k' -d x",
    "a URL that begins with a dash": "curl -- '-opwned' -d x",
    "user and password": "curl 'http://$(touch pwned):x@h/apps/3/events?auth_key=k' -d x",
    "a host after the host": "POST @evil.example/apps/3/e?auth_key=k HTTP/1.1\nHost: good\n\nx",
    "more of the host": "POST .evil.example/apps/3/e?auth_key=k HTTP/1.1\nHost: good\n\nx",
    "another scheme": "curl 'file:///etc/passwd?auth_key=k'",
    "ranges": "curl 'http://h/apps/[1-3]/{a,b}?auth_key=k' -d x",
}


def in_an_empty_folder(command: str, folder: Path) -> list[str]:
    """Run a command in bash as if it was pasted; what curl was called with, each time."""
    tools = folder / "tools"
    tools.mkdir()
    calls = folder / "calls"
    (tools / "curl").write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >>{calls}\necho >>{calls}\n")
    (tools / "curl").chmod(0o755)
    (tools / TOUCH).write_text("#!/bin/sh\n: >was-run\n")
    (tools / TOUCH).chmod(0o755)
    empty = folder / "empty"
    empty.mkdir()
    environ = {"PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", command], cwd=empty, env=environ, check=False, timeout=30)
    assert list(empty.iterdir()) == []
    return calls.read_text().splitlines() if calls.exists() else []


@functools.cache
def said_of(name: str) -> str:
    """What `pusherkit doctor` prints for one of them."""
    return doctor(HOSTILE[name])[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_pasting_a_corrected_request_runs_nothing_of_a_strangers(name: str, tmp_path: Path) -> None:
    status, out, _ = doctor(HOSTILE[name], "--json")
    if status == 3:
        return  # refused whole
    corrected = json.loads(out)["opinions"][0]["corrected"]
    if not corrected:
        return
    joined = "\n".join(in_an_empty_folder(corrected, tmp_path))
    assert joined.count("-X\0") == 1, "one call"
    url = next(word for word in joined.split("\0") if word.startswith("http"))
    assert httpx.URL(url).host == "h"
    plain = said_of(name)
    assert re.search("This goes to https?://h:\n", plain)
    shown = plain[plain.index("\ncurl -X") + 1 :].removesuffix("\n")
    assert no_time(shown) == no_time(corrected)


def no_time(command: str) -> str:
    return re.sub(r"(auth_timestamp|auth_signature)=\w+", "", command)


@pytest.mark.slow
def test_some_of_the_strangers_requests_can_be_corrected() -> None:
    """So the test before this one looks at something."""
    corrected = [name for name in HOSTILE if "\ncurl -X " in said_of(name)]
    assert {"a name", "a value", "a body", "a path in quotes", "an app key"} <= set(corrected)


# --- the secret -------------------------------------------------------------------------------

LONG_SECRET = "MARKER-7ad3773142a6692b25b8"
SHOWN_AT_MOST = LONG_SECRET[:-5]
PLACES = {
    "a method": "curl -X {} http://h/apps/3/events?auth_key=k",
    "a method in a log": "{} /apps/3/events?auth_key=k HTTP/1.1\nHost: h\n",
    "a host": "curl http://{}/apps/3/events?auth_key=k",
    "a host in front": "curl http://{}.example/apps/3/events?auth_key=k",
    "a Host header": "POST /apps/3/events?auth_key=k HTTP/1.1\nHost: {}\n\nx",
    "a second URL": "curl http://h/apps/3/events?auth_key=k {}",
    "an option's value": "curl http://h/apps/3/events?auth_key=k -o x -u {} -d x",
    "an option": "curl http://h/apps/3/events?auth_key=k --{} -d x",
    "a file's name": "curl http://h/apps/3/events?auth_key=k -d @{}",
    "a path": "curl http://h/apps/3/{}?auth_key=k -d x",
    "an app id": "curl http://h/apps/{}/events?auth_key=k -d x",
    "a value": "curl 'http://h/apps/3/events?auth_key=k&a={}' -d x",
    "a name": "curl 'http://h/apps/3/events?auth_key=k&{}=a' -d x",
    "an app key": "curl 'http://h/apps/3/events?auth_key={}' -d x",
    "a quoted app key": "curl 'http://h/apps/3/events?auth_key=%22{}%22' -d x",
    "a signature": "curl 'http://h/apps/3/events?auth_key=k&auth_signature={}' -d x",
    "a hash": "curl 'http://h/apps/3/events?auth_key=k&body_md5={}' -d x",
    "a timestamp": "curl 'http://h/apps/3/events?auth_key=k&auth_timestamp={}' -d x",
    "a body": "curl http://h/apps/3/events?auth_key=k --data-binary '{}'",
    "a body of JSON": 'curl http://h/apps/3/events?auth_key=k -d \'{{"a":"{}"}}\'',
    "a body cut short": "curl http://h/apps/3/events?auth_key=k -d '{}…'",
    "no request": "{}",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sent", [LONG_SECRET, LONG_SECRET[:-1]], ids=["whole", "nearly whole"])
@pytest.mark.parametrize("options", [(), ("--json",), ("--read-files",)], ids=" ".join)
def test_the_secret_is_printed_nowhere(
    place: str,
    sent: str,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("PUSHER_KEY", "PUSHER_APP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUSHER_SECRET", LONG_SECRET)
    text = PLACES[place].format(sent).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
    assert cli.main(["doctor", *options]) in (1, 2, 3)
    printed = "".join(capsys.readouterr())
    assert printed
    assert SHOWN_AT_MOST.lower() not in printed.lower()


@pytest.mark.parametrize("words", [["doctor", "{}"], ["vectors", "{}"], ["doctor", "--{}"], ["{}"]])
def test_the_secret_as_a_word_of_the_command_is_not_repeated(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUSHER_SECRET", LONG_SECRET)
    with suppress(SystemExit):
        cli.main([word.format(LONG_SECRET) for word in words])
    printed = "".join(capsys.readouterr())
    assert printed
    assert SHOWN_AT_MOST not in printed


def test_where_nobody_can_be_asked_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PUSHER_SECRET", raising=False)
    (tmp_path / "request").write_text(evidence(), encoding="utf-8")

    def warn(prompt: str) -> str:
        warnings.warn("Can not control echo", getpass.GetPassWarning, stacklevel=2)
        return SECRET

    def end(prompt: str) -> str:
        raise EOFError

    for answer in (warn, end, lambda prompt: ""):
        monkeypatch.setattr("getpass.getpass", answer)
        assert cli.main(["doctor", str(tmp_path / "request")]) == 3
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err == (
            "pusherkit doctor: no secret was given. Set PUSHER_SECRET to the app's secret.\n"
        )


# --- what has no end --------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["doctor", "vectors"])
@pytest.mark.parametrize("source", ["/dev/zero", "yes"])
def test_input_without_an_end_is_a_sentence(command: str, source: str) -> None:
    """At most the limit is read, and one byte more."""
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no /dev/zero")
    script = (
        f"yes | {PUSHERKIT} {command}" if source == "yes" else f"{PUSHERKIT} {command} {source}"
    )
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        env=os.environ | DOCTORS,
        timeout=60,
        encoding="utf-8",
    )
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "The text is over the limit of 8,388,608 bytes. Paste one request alone." in ran.stderr


def test_a_body_without_an_end_is_a_sentence() -> None:
    status, _, err = doctor("curl http://h/p -d @/dev/zero", "--read-files")
    assert status == 3
    assert "'/dev/zero' is over the limit" in err


# --- vectors ----------------------------------------------------------------------------------


def test_the_vectors_that_the_toolbox_links_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(__file__).with_name("vectors.json")
    assert "](../tests/vectors.json)" in TOOLBOX.read_text("utf-8")
    assert cli.main(["vectors", str(file)]) == 1
    said = capsys.readouterr().out
    stored = json.loads(file.read_text(encoding="utf-8"))
    for vector in [*stored["vectors"], *stored["no_blind_spot"]]:
        whole = vector["kind"] == "rest" and "body_md5" not in dict(vector["params"])
        assert (f"\n{vector['id']}: " in f"\n{said}") == whole


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
