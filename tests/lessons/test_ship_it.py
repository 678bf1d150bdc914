"""Lesson 09: where no secret may be, the dry run, sending on purpose, and seven servers."""

from __future__ import annotations

import base64
import builtins
import getpass
import json
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from pusherkit.credentials import Credentials
from pusherkit.errors import InvalidCredentials
from pusherkit.lessons import your_own_app as lesson
from pusherkit.lessons.kit import EXAMPLE_TIMESTAMP, Outcome, Practice
from pusherkit.lessons.kit.view import to_html, to_text
from pusherkit.lessons.your_own_app import Desk, Found, ask, desk, find

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / f"{lesson.lesson.name}.ipynb"
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
    """The person who runs the tests may have an app of their own; no test may know it."""
    for name in (*OWN_ENVIRONMENT, "PUSHER_URL"):
        monkeypatch.delenv(name, raising=False)


# --- a real secret is nowhere ---------------------------------------------------------------------


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
    state = json.dumps(notebook.metadata.widgets)
    assert ("own-key" if not damage else "those in the environment can") in state
    assert not [spelling for spelling in spellings(MARKER) if spelling in stored]

    executed = [cell.get("outputs") for cell in notebook.cells]
    for before, after in zip(committed, executed, strict=True):
        assert _shown(before or ()) == _shown(after or ())


def _shown(outputs: Any) -> tuple[str, list[tuple[str, str]]]:
    """What a cell printed, in however many pieces that came, and what it displayed."""
    printed = "".join(output.get("text", "") for output in outputs)
    displayed = [output["data"] for output in outputs if "data" in output]
    return printed, [(each["text/plain"], each.get("text/html", "")) for each in displayed]


def traits(made: Desk) -> str:
    return repr(made.stage.get_state())


def test_no_secret_in_a_trait_a_repr_or_a_view() -> None:
    made = desk(OWN)
    kept = [repr(vars(made)), repr(made), repr(find(OWN_ENVIRONMENT)), traits(made)]
    assert "own-key" in kept[1]
    assert not [text for text in kept for spelling in spellings(MARKER) if spelling in text]


def test_the_twin_has_nothing_of_your_app() -> None:
    made = desk(OWN)
    bundle = made._repr_mimebundle_()
    assert "own-key" not in bundle["text/html"] + bundle["text/plain"]
    assert bundle["text/html"] == desk()._repr_mimebundle_()["text/html"]


def test_a_secret_that_is_typed_is_taken_out_of_its_field_and_not_sent() -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    for _ in range(2):
        made.stage.typed = {"data": f"oh, {MARKER}"}  # as the browser does it
        assert "That was your app's secret" in made.view.status
        assert made.stage.put["data"] == made.stage.typed["data"] == ""
        assert not [s for s in spellings(MARKER) if s in traits(made) + repr(made)]
    assert requests == []


def test_a_secret_that_a_server_repeats_is_not_shown() -> None:
    made, _ = desk_for(httpx.Response(401, text=f"no: {MARKER}"))
    made.press("send")
    assert MARKER not in to_html(made.view)
    assert "401 no: [the app's secret]" in repr(made)


def test_a_secret_at_the_cut_of_a_long_answer_is_not_shown_in_part() -> None:
    text = "x" * (lesson.SHOWN_CHARACTERS - 5) + MARKER
    made, _ = desk_for(httpx.Response(500, text=text))
    made.press("send")
    assert "xmark" not in repr(made)


def answer_with(monkeypatch: pytest.MonkeyPatch, secret: str, *typed: str) -> None:
    lines = iter(typed)
    monkeypatch.setattr(builtins, "input", lambda _: next(lines))
    monkeypatch.setattr(getpass, "getpass", lambda _: secret)


def test_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, f"{MARKER}\n", " 123456", "own-key ", "push.example.com:8443")
    assert ask() == OWN
    answer_with(monkeypatch, MARKER, "1", "k", "")
    assert ask().base_url == "https://ws-sa.mawjly.com"


def test_a_traceback_of_asking_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, f'"{MARKER}"', "1", "k", "")
    with pytest.raises(InvalidCredentials, match="quotes around it") as caught:
        ask()
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in trace.stack if frame.filename != __file__]
    assert [frame.name for frame in frames] == ["ask"]
    assert not [frame for frame in frames if MARKER in repr(frame.locals)]
    assert trace.__context__ is None


# --- whose settings -------------------------------------------------------------------------------


def test_an_environment_without_an_app_is_the_practice_server() -> None:
    for environ in ({}, {"PUSHER_HOST": "push.example.com"}, dict.fromkeys(OWN_ENVIRONMENT, "")):
        found = find(environ)
        assert found.practice
        assert found.host == "the practice server"
        assert found.source.endswith("because the environment names no app")


@pytest.mark.parametrize("environ", [OWN_ENVIRONMENT, {"PUSHER_URL": OWN_URL}])
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


# --- the dry run, and sending on purpose ----------------------------------------------------------


def desk_for(response: httpx.Response | Exception) -> tuple[Desk, list[httpx.Request]]:
    """A desk for an app of one's own, whose server is a function; and what reached it."""
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    return Desk(Found(OWN, "a test"), transport=httpx.MockTransport(answer)), requests


def test_a_dry_run_sends_nothing_and_neither_does_enter() -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    made.set(channel="news", name="greeting", data="good morning ☕")
    made.hear(lesson.Gesture("enter", "data"))
    assert requests == []
    assert made.view.status == "Dry run: this is the whole request, and nothing was sent."
    for said in ("https://push.example.com:8443", "POST /apps/123456/events?", "good morning ☕"):
        assert said in repr(made)
    assert "Send to push.example.com:8443" in made.stage.form


def test_the_button_sends_the_request_that_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    monkeypatch.setattr(lesson.time, "time", lambda: EXAMPLE_TIMESTAMP + 5.9)
    made.press("send")
    (request,) = requests
    assert request.url.params["auth_timestamp"] == str(EXAMPLE_TIMESTAMP + 5)
    assert request.url.params["auth_signature"] in repr(made)
    assert len(request.url.params.multi_items()) == 5
    assert request.url.host == "push.example.com"
    assert made.view.verdict == "✓ Accepted by push.example.com:8443."
    made.set(data="another")
    assert "nothing was sent" in made.view.status
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
    rows = [fact.name for fact in made.view.facts]
    made.press("send")
    assert len(requests) == 1
    assert said in repr(made)
    assert "<b>" not in to_html(made.view)
    assert [fact.name for fact in made.view.facts] == rows


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("channel", ""),
        ("channel", "no spaces here"),
        ("channel", "☕"),
        ("name", ""),
        ("name", "pusher:x"),
        ("data", "x" * 102_401),
    ],
)
def test_what_breaks_a_rule_is_not_sent(field: str, typed: str) -> None:
    made, requests = desk_for(httpx.Response(200, json={}))
    made.set(**{field: typed})
    made.press("send")
    assert requests == []
    assert made.view.verdict.startswith("✗ Not signed, and nothing was sent.")
    made.set(**{field: "fine"})
    made.press("send")
    assert len(requests) == 1


@pytest.mark.parametrize("data", ["", "'", '"', "☕ <img onerror=x>", "{", "\\", "\ud800"])
def test_any_data_arrives_at_the_practice_server(data: str) -> None:
    made = desk()
    made.set(data=data)
    made.press("send")
    assert "Send to the practice server" in made.stage.form
    assert made.view.verdict == "✓ Accepted by the practice server, and the event arrived."
    assert "<img" not in to_html(made.view)


def test_without_a_transport_it_goes_to_the_host_of_the_settings(server: Any) -> None:
    made = Desk(Found(server.credentials, "a test"))
    made.press("send")
    assert made.view.verdict == f"✓ Accepted by {server.url.removeprefix('http://')}."
    assert [exchange.reply.status for exchange in server.log] == [200]


def test_a_practice_server_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Practice):
        def __init__(self) -> None:
            super().__init__()

            def fail(request: httpx.Request) -> httpx.Response:
                raise httpx.ReadError("gone")

            self.http = httpx.Client(transport=httpx.MockTransport(fail))

    monkeypatch.setattr(lesson, "Practice", Failing)
    made = desk()
    made.press("send")
    assert "No answer from the practice server." in made.view.status
    assert "gone" in repr(made)


# --- seven servers --------------------------------------------------------------------------------

# Who accepts what: running servers answered so in 2026. Sockudo's answers were read in its source.
MEASURED = {
    "two hours old": {"soketi", "Reverb", "pusher-fake"},
    "time in milliseconds": {"soketi", "Reverb", "pusher-fake"},
    "another app key": {"soketi", "Reverb", "Slanger", "pusher-fake"},
    "auth_version 2.0": {"Sockudo", "soketi", "Reverb", "pusher-fake"},
    "body changed": {"Slanger", "pusher-fake"},
    "another secret": {"pusher-fake"},
}


@pytest.mark.parametrize("name", lesson.FAULTS)
def test_the_map_shows_what_was_measured(name: str) -> None:
    made = lesson.servers()
    made.press(name)
    facts = {fact.name: fact.value for fact in made.view.facts}
    assert set(facts["Accepted by"].split(", ")) == MEASURED[name]
    assert made.view.status == f"“{name}”: {7 - len(MEASURED[name])} of 7 refuse it."
    for picture in (made.view.picture, made.view.picture.narrow):
        assert picture.shapes.count("✗") == len(MEASURED[name])
        assert picture.shapes.count("✓") == 7 - len(MEASURED[name])


def test_each_fault_breaks_one_rule_and_only_that() -> None:
    broken = {
        name: [check.rule for check in lesson.fault(name) if not check.passed]
        for name in lesson.FAULTS
    }
    assert broken == {
        "two hours old": ["auth_timestamp"],
        "time in milliseconds": ["auth_timestamp"],
        "another app key": ["auth_key"],
        "auth_version 2.0": ["auth_version"],
        "body changed": ["body_md5"],
        "another secret": ["auth_signature"],
    }


def test_the_map_is_empty_until_something_is_sent() -> None:
    made = lesson.servers()
    assert "✓" not in to_text(made.view)
    assert "✗" not in to_text(made.view)
    rows = [fact.name for fact in made.view.facts]
    made.press("another secret")
    made.press("body changed")
    assert made.view.picture.shapes.count("refused") == 6 + 5
    made.set(everything=True)
    assert made.view.picture.shapes.count("accepted") == sum(map(len, MEASURED.values()))
    assert [fact.name for fact in made.view.facts] == rows


def test_each_way_out_says_how_and_what_instead() -> None:
    made = lesson.ways_out()
    for name, leak in lesson._BY_NAME.items():
        made.press(name)
        assert made.view.status == f"Out through: {name}."
        assert [fact.value for fact in made.view.facts] == [leak.how, leak.instead]
        assert made.view.picture.desc == lesson.ways().desc
    made.press("nowhere")
    assert made.view.facts[0].value == leak.how


# --- the exercises --------------------------------------------------------------------------------


def test_the_leaking_places_are_those_that_have_the_secret_in_some_form() -> None:
    leaking = [letter for letter, said in lesson.PLACES.items() if lesson._gives_away(said)]
    assert "".join(leaking) == lesson.leaks.solve()
    (task,) = (c.source for c in nbformat.read(NOTEBOOK, 4).cells if "Exercise 2" in c.source)
    assert f"`{lesson.LEAKED}`" in task


@pytest.mark.parametrize("answer", ["bcfh", "HFCB", "B, C, F, H", "BCFHH"])
def test_the_order_and_case_of_letters_do_not_matter(answer: str) -> None:
    assert lesson.leaks.check(answer).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("answer", "said"),
    [("", "4 more places"), ("BCX", "2 more places"), ("bch", "1 more place"), ("AC", "nothing")],
)
def test_other_letters_are_counted(answer: str, said: str) -> None:
    feedback = lesson.leaks.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda environ: "missing", "Return a list of sentences"),
        (lambda environ: [str(environ)], "repeats the secret"),
        (lambda environ: [], "without a value here"),
        (
            lambda environ: [n for n in lesson.NAMES if not environ.get(n, "").strip()],
            "A name alone isn't a sentence",
        ),
    ],
)
def test_other_complaints(answer: Any, said: str) -> None:
    feedback = lesson.complaints.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda environ: 1, "A log wants text"),
        (lambda environ: environ["PUSHER_URL"][8:40], "A piece of the secret"),
        (lambda environ: environ["PUSHER_URL"].partition("@")[2], "name the app key"),
    ],
)
def test_other_lines_for_the_log(answer: Any, said: str) -> None:
    feedback = lesson.describe.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
