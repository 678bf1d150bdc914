"""Lesson 09: whose credentials, the dry run, sending on purpose; and where no secret may be."""

from __future__ import annotations

import base64
import builtins
import getpass
import json
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from pusherkit.client import Client
from pusherkit.credentials import Credentials
from pusherkit.errors import InvalidCredentials
from pusherkit.lessons import your_own_app
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._interactive import to_text
from pusherkit.lessons._practice import stopped_clock
from pusherkit.lessons.your_own_app import Desk, Found, ask, commit, desk, find, mend

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / f"{your_own_app.NOTEBOOK}.ipynb"
MARKER = "marker/of+a=real-secret"
OWN = Credentials(
    app_id="123456", key="own-key", secret=MARKER, base_url="https://push.example.com:8443"
)
OWN_ENVIRONMENT = {
    "PUSHER_APP_ID": OWN.app_id,
    "PUSHER_KEY": OWN.key,
    "PUSHER_SECRET": OWN.secret,
    "PUSHER_HOST": OWN.base_url,
}
OWN_URL = f"https://own-key:{quote(MARKER, safe='')}@push.example.com:8443/apps/123456"


@pytest.fixture(autouse=True)
def no_app_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have an app of their own; no test may know it."""
    for name in (*OWN_ENVIRONMENT, "PUSHER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (your_own_app.recall_secret, lambda made: made.choose("Nothing of it")),
        (your_own_app.recall_batch, lambda made: made.choose("10")),
        (your_own_app.predict, lambda made: made.choose("It accepts it")),
        (your_own_app.desk, lambda made: None),
        (your_own_app.servers, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- a real secret is nowhere -----------------------------------------------------------------


def spellings(secret: str) -> set[str]:
    """The secret, and the forms in which it could hide."""
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
        secret.encode().hex(),
    }


@pytest.fixture
def port_that_must_stay_silent() -> Iterator[int]:
    """A port that nobody may connect to while the test runs."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("damage", ["", '"'])
def test_no_secret_in_the_executed_notebook(
    damage: str,
    port_that_must_stay_silent: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in OWN_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PUSHER_SECRET", f"{damage}{MARKER}{damage}")
    monkeypatch.setenv("PUSHER_HOST", f"127.0.0.1:{port_that_must_stay_silent}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    committed = [cell.get("outputs") for cell in notebook.cells]
    NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    stored = json.dumps(notebook, ensure_ascii=False)
    assert "widgets" in notebook.metadata
    shown = "own-key" if not damage else "those of the environment cannot be right"
    assert shown in json.dumps(notebook.metadata.widgets), "the environment was not looked at"
    assert not [spelling for spelling in spellings(MARKER) if spelling in stored]

    executed = [cell.get("outputs") for cell in notebook.cells]
    for before, after in zip(committed, executed, strict=True):
        for one, other in zip(before or (), after or (), strict=True):
            for mime in ("text/plain", "text/html"):
                assert one.get("data", {}).get(mime) == other.get("data", {}).get(mime)
            assert one.get("text") == other.get("text")


def test_no_secret_in_a_trait_a_repr_or_a_view() -> None:
    made = desk(OWN)
    kept = [repr(vars(made)), repr(made), repr(find(OWN_ENVIRONMENT)), made.display.value]
    kept += [repr(widget.get_state()) for widget in (made.widget, made.button, made.data)]
    assert not [text for text in kept for spelling in spellings(MARKER) if spelling in text]


def test_a_secret_that_is_typed_is_not_sent() -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    made.data.value = f"oh, {MARKER}"
    made.send()
    assert "holds your app&#x27;s secret" in made.display.value
    assert MARKER not in made.display.value
    assert requests == []


def test_a_secret_that_a_server_repeats_is_not_shown() -> None:
    made, _ = desk_for(httpx.Response(401, text=f"no: {MARKER}"))
    made.send()
    assert MARKER not in made.display.value
    assert "401 no: [the app&#x27;s secret]" in made.display.value


def answer_with(monkeypatch: pytest.MonkeyPatch, secret: str, *typed: str) -> None:
    lines = iter(typed)
    monkeypatch.setattr(builtins, "input", lambda _: next(lines))
    monkeypatch.setattr(getpass, "getpass", lambda _: secret)


def test_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, f"{MARKER}\n", " 123456", "own-key ", "push.example.com:8443")
    assert ask() == OWN
    answer_with(monkeypatch, MARKER, "1", "k", "")
    assert ask().base_url == "https://ws-sa.mawjly.com"


def test_a_traceback_of_asking_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, f'"{MARKER}"', "1", "k", "")
    with pytest.raises(InvalidCredentials, match="quotes around it") as caught:
        ask()
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in trace.stack if frame.filename != __file__]
    assert [frame.name for frame in frames] == ["ask"]
    assert not [frame for frame in frames if MARKER in repr(frame.locals)]
    assert trace.__context__ is None


# --- whose credentials ------------------------------------------------------------------------


def test_an_environment_without_an_app_is_the_practice_server() -> None:
    for environ in ({}, {"PUSHER_HOST": "push.example.com"}, dict.fromkeys(OWN_ENVIRONMENT, "")):
        found = find(environ)
        assert found.practice
        assert found.host == "the practice server"
        assert found.source.endswith("as the environment has no PUSHER_APP_ID")


@pytest.mark.parametrize(
    "environ",
    [
        OWN_ENVIRONMENT,
        {"PUSHER_URL": OWN_URL},
    ],
)
def test_an_environment_with_an_app(environ: dict[str, str]) -> None:
    found = find(environ)
    assert found.credentials == OWN
    assert found.host == "push.example.com:8443"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({**OWN_ENVIRONMENT, "PUSHER_SECRET": ""}, "missing: PUSHER_SECRET"),
        ({**OWN_ENVIRONMENT, "PUSHER_SECRET": f"'{MARKER}'"}, "quotes around it"),
        ({**OWN_ENVIRONMENT, "PUSHER_HOST": "a b"}, "host: expected a host"),
        ({"PUSHER_URL": f"https://own-key:{MARKER}@x:port/apps/1"}, "PUSHER_URL: expected"),
    ],
)
def test_what_is_wrong_with_an_environment_is_said(environ: dict[str, str], said: str) -> None:
    found = find(environ)
    assert found.practice
    assert said in found.source
    assert MARKER not in found.source


# --- the dry run, and sending on purpose ------------------------------------------------------


def desk_for(response: httpx.Response | Exception) -> tuple[Desk, list[httpx.Request]]:
    """A desk for an app of one's own, whose server is a function; and what reached it."""
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    return Desk(Found(OWN, "a test"), transport=httpx.MockTransport(answer)), requests


def test_a_dry_run_sends_nothing() -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    made.channel.value = "lobby"
    made.name.value = "greeting"
    made.data.value = "good morning ☕"
    assert requests == []
    assert "POST https://push.example.com:8443/apps/123456/events?auth_key=own-key" in (
        made.display.value
    )
    assert "good morning ☕" in made.display.value
    assert "Dry run: this is the whole request, and nothing was sent." in made.display.value
    assert made.button.description == "Send to push.example.com:8443"


def test_the_button_sends_the_request_that_is_shown_once() -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    made._clock = stopped_clock  # so that signing again, on the way, would be seen
    made.button.click()
    (request,) = requests
    assert request.url.params["auth_timestamp"] == str(stopped_clock())
    url = str(request.url).replace("&", "&amp;")
    assert url in made.display.value
    assert request.url.params["auth_signature"] in made.display.value
    assert len(request.url.params.multi_items()) == 5
    assert "✓ Accepted by push.example.com:8443." in made.display.value
    made.data.value = "another"
    assert "nothing was sent" in made.display.value
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(202, text=""), "✓ Accepted by"),
        (httpx.Response(200, json={"ok": True}), "✓ Accepted by"),
        (httpx.Response(401, text="Authentication signature invalid."), "✗ Refused by"),
        (httpx.Response(200, json={"error": "no", "code": 401}), "the body says error"),
        (httpx.Response(301, headers={"Location": "/x"}), "✗ Refused by"),
        (httpx.Response(500, content=b"\xff\x00<b>"), "✗ Refused by"),
        (httpx.ConnectError("refused"), "ConnectError: refused"),
        (httpx.ReadTimeout("slow"), "No answer from push.example.com:8443."),
    ],
)
def test_any_answer_is_a_sentence(response: Any, said: str) -> None:
    made, requests = desk_for(response)
    made.send()
    assert len(requests) == 1
    assert said in made.display.value
    assert "<b>" not in made.display.value


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("channel", ""),
        ("channel", "no spaces here"),
        ("channel", "☕"),
        ("name", ""),
        ("name", "pusher:x"),
        ("data", "x" * 102_401),
        ("data", "\ud800"),
    ],
)
def test_what_breaks_a_rule_is_not_sent(field: str, typed: str) -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    getattr(made, field).value = typed
    made.send()
    assert requests == []
    assert "✗ Not signed, and nothing was sent." in made.display.value
    getattr(made, field).value = "fine"
    made.send()
    assert len(requests) == 1


@pytest.mark.parametrize("data", ["", "'", '"', "☕ <img onerror=x>", "{", "\\"])
def test_any_data_arrives_at_the_practice_server(data: str) -> None:
    made = desk()
    made.data.value = data
    made.button.click()
    assert made.button.description == "Send to the practice server"
    assert "✓ Accepted by the practice server, and the event arrived." in made.display.value
    assert "<img" not in made.display.value


def test_without_a_transport_it_goes_to_the_host_of_the_credentials(server: Any) -> None:
    made = Desk(Found(server.credentials, "a test"))
    for _ in range(2):  # over one connection
        made.button.click()
    host = server.url.removeprefix("http://")
    assert f"✓ Accepted by {host}." in made.display.value
    assert [exchange.reply.status for exchange in server.log] == [200, 200]
    made._client.close()


def test_a_practice_server_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(your_own_app.Practice):
        def __init__(self) -> None:
            super().__init__()

            def fail(request: httpx.Request) -> httpx.Response:
                raise httpx.ReadError("gone")

            self.client = Client(self.credentials, transport=httpx.MockTransport(fail))

    monkeypatch.setattr(your_own_app, "Practice", Failing)
    made = desk()
    made.button.click()
    assert "No answer from the practice server." in made.display.value
    assert "gone" in made.display.value


# --- what servers check -----------------------------------------------------------------------

# What running servers answered, measured in 2026: True is accepted. Sockudo's were read.
MEASURED = {
    "signed two hours ago": {"soketi", "Reverb", "pusher-fake"},
    "the time in milliseconds": {"soketi", "Reverb", "pusher-fake"},
    "another app's key, the right secret": {"soketi", "Reverb", "Slanger", "pusher-fake"},
    "auth_version=2.0": {"Sockudo", "soketi", "Reverb", "pusher-fake"},
    "a byte of the body changed": {"Slanger", "pusher-fake"},
    "another secret": {"pusher-fake"},
    "nothing": {each.name.split()[0] for each in your_own_app.SERVERS},
}


@pytest.mark.parametrize("name", your_own_app.FAULTS)
def test_the_comparison_says_what_was_measured(name: str) -> None:
    made = your_own_app.servers()
    made.fault.value = name
    lines = to_text(your_own_app.servers_view(name)).splitlines()
    accepting = {line.split()[0] for line in lines if "  accepted" in line}
    assert accepting == MEASURED[name]
    assert f"{len(accepting)} of 7 accept it." in made.display.value


def test_each_fault_breaks_one_rule_and_only_that() -> None:
    broken = {
        name: [check.rule for check in your_own_app.fault(name) if not check.passed]
        for name in your_own_app.FAULTS
    }
    assert broken == {
        "nothing": [],
        "signed two hours ago": ["auth_timestamp"],
        "the time in milliseconds": ["auth_timestamp"],
        "another app's key, the right secret": ["auth_key"],
        "auth_version=2.0": ["auth_version"],
        "a byte of the body changed": ["body_md5"],
        "another secret": ["auth_signature"],
    }


# --- exercises --------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["bdef", "FEDB", "B, D, E, F", "BDEFF"])
def test_the_order_and_case_of_letters_do_not_matter(answer: str) -> None:
    assert commit.check(answer).outcome is Outcome.RIGHT


@pytest.mark.parametrize(
    ("answer", "said"),
    [("", "4 more places"), ("BDX", "2 more places"), ("bde", "1 more place"), ("AC", "harmless")],
)
def test_other_letters_are_counted(answer: str, said: str) -> None:
    feedback = commit.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda environ: "using an app", "still tell the app id"),
        (lambda environ: environ["PUSHER_URL"].replace("https://", "")[:40], "piece of the secret"),
        (lambda environ: None, "Expected text, got NoneType"),
    ],
)
def test_other_lines_for_the_log(answer: Any, said: str) -> None:
    feedback = mend.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
