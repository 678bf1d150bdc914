"""Lesson 12: calls are taken and named, and the clinic ticks off what reaches it."""

from __future__ import annotations

import functools
import html
import inspect
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pusherkit.client import Client
from pusherkit.clinic.capstone import GOALS, Mark, Report, State
from pusherkit.clinic.sabotage import PLAN, queue
from pusherkit.lessons import the_clinic
from pusherkit.lessons.kit import Event, Outcome, View
from pusherkit.lessons.kit.view import to_html, to_static, to_text
from pusherkit.signing import sign

SEED = the_clinic.FIRST_SEED
QUEUE = queue(SEED)


def fact(view: View, name: str) -> str:
    return next(each.value for each in view.facts if each.name == name)


def press(calls: the_clinic.Calls, *ids: str) -> View:
    for id_ in ids:
        calls.hear(Event("press", id_))
    return calls.view


def answers(calls: the_clinic.Calls, *ids: str) -> View:
    """The question at the end of the card, with its buttons and what's said to them."""
    (made,) = press(calls, *ids).below
    return made


# --- the calls ----------------------------------------------------------------------------------


def test_a_call_shows_what_the_caller_has_and_no_answer() -> None:
    calls, case = the_clinic.calls(), QUEUE[0]
    assert calls.view.title == f"Call 1: {case.story}"
    assert fact(calls.view, "It's answered") == case.said
    assert fact(calls.view, "Log").replace("⏎\n", "\n") == case.log
    asked = answers(calls)
    assert [action.label for action in asked.actions] == [o.name for o in case.options]
    assert {each.name: each.value for each in asked.facts} == {o.name: o.why for o in case.options}
    assert "Proof" not in to_text(calls.view)
    assert (asked.title, asked.status) == ("What's the cause?", "")
    assert "Show the code" in to_html(asked), "after the answers"
    assert not calls.view.code


def test_a_wrong_answer_says_what_it_would_have_made_and_the_right_one_is_proven() -> None:
    calls, case = the_clinic.calls(), QUEUE[0]
    wrong = (case.right + 1) % 4
    view = answers(calls, f"answer-{wrong + 1}")
    assert (view.status, view.good) == ("That's not it.", False)
    assert fact(view, "Made that way") == case.options[wrong].made[-1]
    assert fact(view, "What came") == case.came[-1][1]
    assert "✗ 1" in calls.view.picture.shapes
    view = answers(calls, f"answer-{case.right + 1}")
    assert (view.status, view.good) == (f"Yes, {case.answer.name}.", True)
    assert fact(view, "Proof") == case.findings[0].reproduced
    assert "✓ 1" in calls.view.picture.shapes
    assert [action.mark for action in view.actions][wrong] == "✗"
    assert view.actions[-1].label == "Take the next call"
    assert press(calls, view.actions[-1].id).title == f"Call 2: {QUEUE[1].story}"


def test_two_mistakes_can_be_half_found() -> None:
    calls, case = the_clinic.calls(), QUEUE[4]
    half = next(n for n in range(4) if the_clinic.verdict(case, n) == "half")
    assert answers(calls, "call-5").title == "Two things are wrong. Which?"
    view = answers(calls, f"answer-{half + 1}")
    (right,) = case.half_right(half)
    assert (view.status, view.good) == (f"Half of it: {right} is right.", None)


def test_all_eight_are_named_and_the_first_tries_are_counted() -> None:
    calls = the_clinic.calls()
    wrong = QUEUE[7].right % 4 + 1
    press(calls, "call-8", f"answer-{(wrong % 4) + 1}")
    for number, case in enumerate(QUEUE, start=1):
        view = answers(calls, f"call-{number}", f"answer-{case.right + 1}")
        assert "Proof" in to_text(view)
    firsts = sum(
        tried[0] == case.right
        for tried, case in zip(calls.values["shift"].tried, QUEUE, strict=True)
    )
    assert firsts in (7, 8)
    assert view.status == f"All eight are named, {firsts} at the first try. Good night!"
    assert not [action for action in view.actions if action.primary]


def test_the_next_call_is_one_that_is_still_open() -> None:
    calls = the_clinic.calls()
    view = answers(calls, "call-8", f"answer-{QUEUE[7].right + 1}")
    assert view.actions[-1].id == "call-1"


def test_another_seed_begins_at_its_first_call() -> None:
    calls = the_clinic.calls()
    press(calls, "call-3", "answer-1")
    calls.set(seed="8")
    assert calls.view.title == f"Call 1: {queue(8)[0].story}"
    assert calls.values["shift"] == the_clinic.Shift()
    calls.set(seed="7")
    assert calls.view.title.startswith("Call 3:")
    assert calls.values["shift"].tried[2] == (0,), "a night that was left goes on"


def test_a_seed_that_there_is_not_is_said_to_be_another() -> None:
    calls = the_clinic.calls()
    assert not answers(calls).note
    calls.set(seed="-1")
    assert answers(calls).note.endswith("This is the night of seed 0.")
    calls.set(seed="0")
    assert not answers(calls).note


@pytest.mark.parametrize("event", [Event("press", "nonsense"), Event("key", "call-1", "x")])
def test_nothing_else_moves_a_call(event: Event) -> None:
    assert the_clinic.took(the_clinic.Shift(at=2), event) == the_clinic.Shift(at=2)


def test_each_call_can_be_shown_as_static_html() -> None:
    calls = the_clinic.calls()
    for number in range(1, len(PLAN) + 1):
        view = press(calls, f"call-{number}")
        assert view.title in to_text(view)
        assert html.escape(view.title, quote=False) in to_static(view)


# --- the exercises --------------------------------------------------------------------------------


def test_the_night_script_is_fixed_one_thing_at_a_time() -> None:
    source = inspect.getsource(the_clinic._broken_night)
    fixes = [
        ("hashlib.md5(json.dumps(event).encode())", "hashlib.md5(body)", the_clinic.UPPER),
        (".upper()", "", the_clinic.ORDER),
        (
            '        "auth_version": "1.0",\n        "auth_timestamp": "1353088179",\n',
            '        "auth_timestamp": "1353088179",\n        "auth_version": "1.0",\n',
            the_clinic.night_script.reason,
        ),
    ]
    for old, new, said in fixes:
        assert old in source
        source = source.replace(old, new)
        names: dict[str, Any] = vars(the_clinic).copy()
        exec(source, names)
        assert the_clinic.night_script.check(names["_broken_night"]).message == said


def test_the_night_script_has_more_wrong_than_the_doctor_can_prove() -> None:
    server = the_clinic.Practice()
    assert the_clinic._broken_night(server, "delayed") == 401
    said = json.loads(server.sandbox.log[-1].reply.body)
    assert (said["rule"], said["diagnosis"], said["diagnosis_complete"]) == ("body_md5", [], True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda server, status: 200, "Nothing reached the server"),
        (lambda server, status: the_clinic.night_script(server, status) and None, "and not None"),
        (lambda server, status: str(the_clinic.night_script(server, status)), "and not '200'"),
        (
            lambda server, status: max(the_clinic.night_script(server, status) for _ in "12"),
            "more than once",
        ),
        (
            lambda server, status: server.http.post("/apps/3/events", content=b"{}").status_code,
            "names a different rule",
        ),
    ],
)
def test_a_night_script_that_goes_wrong_hears_where(answer: Any, said: str) -> None:
    feedback = the_clinic.night_script.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *given: sorted(the_clinic.prove_it(*given), reverse=True), "Return them sorted"),
        (lambda *given: the_clinic.prove_it(*given) or ["unproven"], "signed correctly"),
        (
            lambda *given: [n for n in the_clinic.prove_it(*given) if n != "unproven"],
            'Then return ["unproven"]',
        ),
        (lambda *given: the_clinic.prove_it(*given)[:1], "One of these has two mistakes"),
        (
            lambda *given: (
                found if len(found := the_clinic.prove_it(*given)) != 1 else ["something"]
            ),
            "you name something else",
        ),
        (lambda *given: {*the_clinic.prove_it(*given)}, "should be a list"),
    ],
)
def test_a_proof_that_goes_wrong_hears_why(answer: Any, said: str) -> None:
    feedback = the_clinic.prove_it.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_list_and_a_tuple_of_names_are_equally_right() -> None:
    two = the_clinic.two_causes
    assert two.check(lambda *given: list(two(*given))).outcome is Outcome.PASSED
    proof = the_clinic.prove_it
    assert proof.check(lambda *given: tuple(proof(*given))).outcome is Outcome.PASSED


def test_a_pattern_of_keys_that_is_cut_instead_of_filled_is_seen() -> None:
    def two_causes(secret: str, text: str, received: str) -> Any:
        for name in the_clinic.TEXTS:
            for key, pattern in the_clinic.KEYS.items():
                made = the_clinic.signature(
                    secret + pattern[2:], the_clinic.broken_text(text, name)
                )
                if made == received:
                    return name, key
        return ()

    assert "are patterns" in the_clinic.two_causes.check(two_causes).message


def test_the_first_view_of_the_night_script_has_its_refusal() -> None:
    feedback = the_clinic.night_script.check(the_clinic._broken_night)
    assert feedback.outcome is Outcome.OPEN
    assert "body_md5" in fact(feedback.view, "Refusal")


# --- the clinic -----------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A clinic of the test's own."""
    fresh = functools.cache(the_clinic._opened.__wrapped__)
    monkeypatch.setattr(the_clinic, "_opened", fresh)
    monkeypatch.setattr(the_clinic, "CALM_SECONDS", 0)
    yield fresh
    made = fresh()
    made.http.close()
    if made.server:
        made.server.stop()


@pytest.fixture(params=["sockets", "a browser tab"])
def clinic(request: pytest.FixtureRequest, opened: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A card that is shown, on a laptop and where there are no sockets."""
    if request.param != "sockets":
        monkeypatch.setattr("sys.platform", "emscripten")
    card = the_clinic.clinic()
    assert card.stage.head == "The clinic"
    return card


def send(clinic: Any, *channels: str, data: object = "delayed") -> httpx.Response:
    """One signed event, by the plain client."""
    body = json.dumps({"name": "status", "channels": channels, "data": json.dumps(data)}).encode()
    app = clinic.credentials
    path = f"/apps/{app.app_id}/events"
    signed = sign(app, "POST", path, body=body, timestamp=int(time.time()))
    return clinic.http.post(path, params=signed.query, content=body)


def test_a_goal_is_ticked_when_its_request_arrives(clinic: Any) -> None:
    assert clinic.view.status == "0 of 9 shown."
    assert send(clinic, "order-41", data="Za\u017c\xf3\u0142\u0107 \u2615").status_code == 200
    assert clinic.view.status == "1 of 9 shown."
    assert clinic.stage.html.count("✓ 2") == 2 * 1 + 1  # two drawings, and the name
    assert "An event beyond ASCII" in clinic.view.picture.desc


def test_what_is_missing_is_said_and_a_wait_has_begun(clinic: Any) -> None:
    send(clinic, "order-41")
    assert "but Za\u017c\xf3\u0142\u0107" in to_text(clinic.view)
    assert "✗ 2 An event beyond ASCII" in to_text(clinic.view)
    assert send(clinic, "friday").status_code == 429
    assert "… 5 Wait when you're told to" in to_text(clinic.view)


def test_what_belongs_to_no_goal_is_said_too(clinic: Any) -> None:
    clinic.http.get("/nowhere")
    assert "0 of 9 shown. Also: " in clinic.view.status


def test_however_much_arrives_the_card_is_drawn_calmly(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(the_clinic, "CALM_SECONDS", 3_600)
    timers: list[Any] = []

    def timer(seconds: float, call: Any) -> Any:
        timers.append(call)
        return SimpleNamespace(start=lambda: None)

    monkeypatch.setattr(the_clinic.threading, "Timer", timer)
    card = the_clinic.clinic()
    drawn = [card.stage.html]
    card.stage.observe(lambda change: drawn.append(change["new"]), names="html")
    card._draw()
    for number in range(20):
        card.http.get(f"/nowhere/{number}")
    assert len(drawn) == 1
    assert len(timers) == 1
    timers[0]()
    assert len(drawn) == 2
    assert "/nowhere/19" in drawn[-1]
    card.http.get("/nowhere/again")
    assert len(timers) == 2, "and so on"


def test_the_card_leads_a_program_to_the_clinic(opened: Any) -> None:
    card = the_clinic.clinic()
    view = card.now()
    exports = fact(view, "Settings")
    assert exports == "\n".join(f"export {n}={v}" for n, v in card.environment.items())
    assert card.environment["PUSHER_HOST"] == card.credentials.base_url == opened().clinic.url
    with Client(card.credentials) as client:
        client.trigger("order-41", "status", "Za\u017c\xf3\u0142\u0107 \u2615")
    assert card.state.met("event")
    assert "Nine goals, 1 of them shown" in card.now().picture.desc


def test_in_a_browser_tab_the_card_says_which_door_there_is(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "emscripten")
    assert "clinic.http" in fact(the_clinic.clinic().now(), "Door")


def test_the_twin_is_the_same_for_everybody_and_has_no_address(opened: Any) -> None:
    card = the_clinic.clinic()
    twin = card._repr_mimebundle_()["text/plain"]
    assert twin == to_text(the_clinic.clinic().twin)
    assert "127.0.0.1" not in twin
    assert all(goal.title in twin for goal in GOALS)


def test_the_page_to_keep_is_saved(opened: Any, tmp_path: Path) -> None:
    the_clinic.clinic().save(str(tmp_path / "page.html"))
    assert "showed in the clinic" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_finished_run_says_so() -> None:
    report = Report(time=0, by="", results="", body="", canonical_string="", signature="")
    marks = {goal.id: Mark(met=1.0, said="Shown.") for goal in GOALS}
    view = the_clinic._goals(State(run="1", began=0, marks=marks, report=report), ())
    assert view.good
    assert "Save the page" in view.status
