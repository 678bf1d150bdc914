"""Lesson 11: lost answers, what a search finds, plans for a new secret, tests, vectors, servers."""

from __future__ import annotations

import json
import random
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from pusherkit.lessons import ship_it as lesson
from pusherkit.lessons.kit import Outcome
from pusherkit.lessons.kit.picture import PALETTE
from pusherkit.lessons.kit.view import to_text
from pusherkit.sandbox import SandboxServer, matrix
from pusherkit.sandbox.personalities import PERSONALITIES
from pusherkit.signing import judge
from tests.lessons.test_explorer import contrast


def said(exercise: Any, answer: Any) -> str:
    """What somebody reads who gives a wrong answer."""
    feedback = exercise.check(answer)
    assert feedback.outcome is Outcome.WRONG, feedback
    return to_text(feedback.view)


# --- was it published? ----------------------------------------------------------------------------


def test_a_line_loses_what_it_is_told_to_lose() -> None:
    line = lesson.Line(["request lost", "answer lost", "fine"])
    for reached in (0, 1):
        with pytest.raises(TimeoutError, match=r"No answer within 5 s\."):
            line.publish("7", "delivered")
        assert len(line.arrived) == reached
    line.publish("7", "delivered")
    assert (line.tries, len(line.arrived), line.shown) == (3, 2, ["delivered"])
    line.publish("8", "preparing")  # its last fate goes on
    assert line.shown == ["delivered", "preparing"]
    assert repr(line) == "<Line: request lost, answer lost, fine>"


def test_a_loop_without_an_end_is_ended() -> None:
    def for_ever(line: lesson.Line, status: str) -> bool:
        while True:
            try:
                line.publish("1", status)
                return True
            except TimeoutError:
                continue

    feedback = lesson.deliver.check(for_ever)
    assert feedback.outcome is Outcome.ERROR
    assert "You've tried 20 times. When does your loop end?" in feedback.message


def _tries(times: int, result: object = None, status: str | None = None, id: Any = "1") -> Any:
    def answer(line: lesson.Line, given: str) -> object:
        answered = False
        for _ in range(times):
            try:
                line.publish(given if id is ... else id, status or given)
            except TimeoutError:
                continue
            answered = True
            break
        return answered if result is None else result

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_tries(2), "You stop before an answer came."),
        (_tries(7), "Nobody ever answers here. Stop after five tries."),
        (_tries(5, result="yes"), "Return True here."),
        (_tries(5, status="lost"), "That isn't the status that you were given."),
        (_tries(5, id=None), "An id should be text."),
        (_tries(5, id=""), "An id should be text."),
        (_tries(5, id=...), "Your id is the status."),
        (_tries(5), "Two events have the same id"),
        (lambda line, status: _tries(5, id=f"e-{status}")(line, status), "Two events have the"),
    ],
)
def test_what_else_can_go_wrong_with_a_delivery(answer: Any, words: str) -> None:
    assert words in said(lesson.deliver, answer)


def test_too_many_copies_are_shown() -> None:
    def two_ids(line: lesson.Line, status: str) -> bool:
        for number in range(5):
            try:
                line.publish(str(number % 2), status)
                return True
            except TimeoutError:
                continue
        return False

    assert "The page shows it more than once." in said(lesson.deliver, two_ids)

    def once_more(line: lesson.Line, status: str) -> bool:
        answered = _tries(5)(line, status)
        if answered and len(line.fates) > 1:
            line.publish("1", status)
        return bool(answered)

    assert "You keep trying even though an answer came." in said(lesson.deliver, once_more)


# --- where a secret gets out ----------------------------------------------------------------------


def test_each_place_holds_the_secret_and_a_tick_finds_its_spelling() -> None:
    leaks = [leak for pair in lesson.LEAKS.values() for leak in pair]
    files = {leak.name: leak.line for leak in leaks}
    assert lesson.leaking(lesson.LEAKED, files) == [leak.name for leak in leaks]
    made = lesson.ways_out()
    plain = [leak.name for leak in leaks if lesson.LEAKED in leak.line]
    assert f"finds it in {len(plain)} of 8 places" in made.view.verdict
    assert made.view.good is None
    for ticked, found in (("percent", 5), ("inside", 7), ("hexed", 8)):
        made.set(**{ticked: True})
        assert f"finds it in {found} of 8 places" in made.view.verdict
    assert made.view.good is True
    assert "doesn't find: none of them" in made.view.picture.desc


def test_a_press_shows_what_is_there() -> None:
    made = lesson.ways_out()
    made.hear(lesson.Gesture("press", "ps"))
    assert f"openssl dgst -sha256 -hmac {lesson.LEAKED}" in repr(made)
    made.hear(lesson.Gesture("press", "nowhere"))
    assert "Pass it in the environment" in repr(made)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda secret, files: 5, "Return a list of names"),
        (lambda secret, files: [*lesson.leaking(secret, files), "x.py"], "There's no file with"),
        (
            lambda secret, files: [*lesson.leaking(secret, files), "tracker.py"],
            "The secret isn't in one",
        ),
        (
            lambda secret, files: [
                name for name in lesson.leaking(secret, files) if name != ".bash_history"
            ],
            "in this one, too",
        ),
        (lambda secret, files: lesson.leaking(secret, files) * 2, "You name a file twice."),
        (
            lambda secret, files: [
                ".bash_history",
                "bundle.js",
                "access.log",
                "trace.txt",
                "ci.log",
            ],
            "The secret isn't in one",
        ),
    ],
)
def test_what_else_can_go_wrong_with_a_scanner(answer: Any, words: str) -> None:
    assert words in said(lesson.leaking, answer)


def test_a_scanner_that_looks_at_all_three_shifts_of_base64_passes() -> None:
    def shifted(secret: str, files: dict[str, str]) -> list[str]:
        needles = {secret, lesson.quote(secret, safe=""), secret.encode().hex()}
        needles.add(secret.encode().hex().upper())
        for lead in range(3):
            encoded = lesson.b64encode(b"." * lead + secret.encode()).decode().rstrip("=")
            needles.add(encoded[(0, 2, 3)[lead] : -1])  # what no neighbour changes
        return [name for name, text in files.items() if any(needle in text for needle in needles)]

    for _ in range(5):
        assert lesson.leaking.check(shifted).outcome is Outcome.PASSED


def test_a_scan_of_a_megabyte_takes_linear_time() -> None:
    text = "A" * 1_000_000
    assert lesson.leaking.solve("not-there", {"a": text}) == []


# --- a new secret ---------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", ["CEBDA", "CBEDA"])
@pytest.mark.parametrize("written", [str, str.lower, ", ".join, list, tuple])
def test_both_right_orders_pass_however_they_are_written(plan: str, written: Any) -> None:
    assert lesson.outage(plan) == ""
    assert lesson.plan.check(written(plan)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("ABCDE", "After step A, server one is refused: no app key is valid."),
        ("BCEDA", "After step B, server two is refused: Unknown auth_key."),
        ("CEADB", "After step A, server two is refused: Unknown auth_key."),
        ("CEDBA", "you look into the log too early"),
        ("CEBAD", "You switch it off before you look."),
        ("CBEAD", "You switch it off before you look."),
        ("acebd", "You switch the old pair off first."),
        ("€" * 5, "Give all five letters"),
        ("CCEDA", "Give all five letters"),
        (5, "Give all five letters"),
        (["C", 5], "Give all five letters"),
        (list("acebd"), "You switch the old pair off first."),
    ],
)
def test_a_plan_is_carried_out(plan: Any, words: str) -> None:
    assert words in said(lesson.plan, plan)


# --- servers --------------------------------------------------------------------------------------


def test_each_request_has_one_thing_wrong_and_without_it_all_take_it() -> None:
    assert all(met.accepts for met in matrix(lesson.APP, lesson.request(), now=lesson.NOW))
    for name, faulty in lesson.FAULTS.items():
        verdict = judge(lesson.APP, faulty, now=lesson.NOW)
        assert sum(not check.passed for check in verdict.checks) <= 1, name
        assert not matrix(lesson.APP, faulty, now=lesson.NOW)[0].accepts, name
    assert len(lesson.SERVERS) == len(PERSONALITIES) + 1


def test_the_map_fills_as_requests_are_sent() -> None:
    made = lesson.servers()
    assert "Nothing was sent yet" in made.view.picture.desc
    made.hear(lesson.Gesture("press", "101 channels"))
    assert made.view.verdict == "“101 channels”: 4 of 6 refuse it."
    assert "101 channels is accepted by Reverb 1.9.0, Poxa 1.3.0" in made.view.picture.desc
    assert made.view.picture.shapes.count("accepted") == 2
    made.hear(lesson.Gesture("press", "all"))
    assert made.view.picture.shapes.count("accepted<") == 11
    made.hear(lesson.Gesture("press", "another secret"))
    assert "accepted by nobody" in made.view.picture.desc
    assert "nobody" in to_text(made.view)
    made.hear(lesson.Gesture("press", "nothing"))
    assert made.view.verdict.startswith("“another secret”")
    made.hear(lesson.Gesture("press", "none"))
    assert "Nothing was sent yet" in made.view.picture.desc
    assert [each.id for each in made.view.actions] == ["all"]
    made.hear(lesson.Gesture("press", "all"))
    assert made.view.verdict.startswith("All six are sent.")
    assert [each.id for each in made.view.actions] == ["none"]


def _over(name: str, ground: str, which: int) -> str:
    """A palette's colour over another, as thin as in the map."""
    pairs = zip(*(bytes.fromhex(PALETTE[each][which][1:]) for each in (name, ground)), strict=True)
    mixed = (round(lesson.TINT * top + (1 - lesson.TINT) * under) for top, under in pairs)
    return "#" + bytes(mixed).hex()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["ok", "bad"])
@pytest.mark.parametrize("ground", ["bg", "card"])
def test_the_cells_of_the_map_can_be_read(name: str, ground: str, which: int) -> None:
    assert contrast(PALETTE["fg"][which], _over(name, ground, which)) >= 4.5


def test_the_map_says_what_its_marks_mean() -> None:
    drawn = lesson.heat_map(set())
    for picture in (drawn, drawn.narrow):
        assert "✓ refuses it" in picture.shapes
        assert "✗ lets it through" in picture.shapes


# --- a test, and a vector -------------------------------------------------------------------------


def test_it_is_what_the_fixture_is() -> None:
    box = lesson.PusherSandbox()
    lesson.RIGHT(box, 41, "delivered")
    with SandboxServer() as server:
        for name in ("events", "log", "credentials"):
            assert type(getattr(box, name)) is type(getattr(server, name))
    assert [event.channels for event in box.events] == [("order-41",)]
    assert repr(box) == "<PusherSandbox: 1 events, 1 requests>"
    assert repr(lesson.RIGHT) == "<publish: the right one>"


def test_each_broken_publisher_does_something_else() -> None:
    seen = []
    for publisher in (lesson.RIGHT, *lesson.BROKEN):
        box = lesson.PusherSandbox()
        publisher(box, 7, "preparing")
        seen.append((len(box.log), lesson.lines_of(box.events)))
    assert len({str(each) for each in seen}) == len(seen)
    assert seen[1] == (1, [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda publish, box: True, "Nothing reached the server."),
        (lambda publish, box: publish(box, 7, "x") or "yes", "Return True or False."),
        (lambda publish, box: publish(box, 7, "x") is not None, "does everything right"),
        (
            lambda publish, box: (
                publish(box, 7, "x") is None
                and len(box.events) == 1
                and box.events[0].channels == ["order-7"]
            ),
            "('order-7',)",
        ),
        (
            lambda publish, box: publish(box, 7, "x") is None and len(box.events) <= 1,
            "A broken publisher gets past your test.",
        ),
        (
            lambda publish, box: (
                publish(box, 7, "preparing") is None
                and [(event.channels[0], event.data) for event in box.events]
                == [("order-7", '{"status":"preparing"}')]
            ),
            "sends it to everybody, too",
        ),
    ],
)
def test_what_else_can_go_wrong_with_a_test(answer: Any, words: str) -> None:
    assert words in said(lesson.passes, answer)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (5, "Give a body as text"),
        ("x" * 1_001, "Give a body as text"),
        ("", "there is no body"),
        ("\ud800", "text that UTF-8 can write"),
        ('{"name":"status"}', "newline-sent-not-hashed"),
    ],
)
def test_what_else_can_go_wrong_with_a_vector(body: Any, words: str) -> None:
    assert words in said(lesson.vector_body, body)


# --- find, explain, fix, and prove it -------------------------------------------------------------


def _password(environ: dict[str, str]) -> str:
    return str(urlsplit(environ["PUSHER_URL"]).password)


def _masked(environ: dict[str, str]) -> str:
    return environ["PUSHER_URL"].replace(_password(environ), "***")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda environ: 5, "Return text: it's a line"),
        (lambda environ: "using " + environ["PUSHER_URL"][10:], "A piece of the secret"),
        (
            lambda environ: lesson.describe.solve(environ).replace("app_id", "id")[:24],
            "The line should still name the",
        ),
        (
            lambda environ: lesson.describe.solve(environ) + _password(environ)[:3],
            "A piece of the secret",
        ),
        (
            lambda environ: lesson.describe.solve(environ) + _password(environ).lower(),
            "A piece of the secret",
        ),
        (
            lambda environ: lesson.describe.solve(environ) + f" {_password(environ)[0]}***",
            "A piece of the secret",
        ),
        (
            lambda environ: environ["PUSHER_URL"].replace(
                _password(environ), "*" * len(_password(environ))
            ),
            "tells how long the secret is",
        ),
        (
            lambda environ: re.sub(r"(?<=@)[^/]*", "push.example.com", _masked(environ)),
            "The line should still name the host",
        ),
    ],
)
def test_what_else_can_go_wrong_with_a_line_for_the_log(answer: Any, words: str) -> None:
    assert words in said(lesson.describe, answer)


def _without_port(environ: dict[str, str]) -> str:
    parts = urlsplit(environ["PUSHER_URL"])
    return f"{parts.hostname} {parts.username} {parts.path}"


@pytest.mark.parametrize("answer", [_masked, _without_port])
def test_a_line_for_the_log_may_be_made_without_credentials(answer: Any) -> None:
    feedback = lesson.describe.check(answer)
    assert feedback.outcome is Outcome.PASSED
    assert "You could also let `Credentials` do it" in feedback.message


def _proof(**parts: Any) -> Any:
    def proof(*given: Any) -> Any:
        right = list(lesson.prove_it.solve(*given))
        for number, part in parts.items():
            right[int(number[1:])] = part
        return tuple(right)

    return proof


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *given: [], "Return four lists"),
        (_proof(p1=["lost"]), "Part 2 isn't right"),
        (_proof(p2=[]), "Part 3 isn't right"),
        (_proof(p3=["soketi"]), "Part 4 isn't right"),
        (_proof(p1={}.values()), "Part 2 should be a list."),
        (_proof(p1=["preparing", "out for delivery", "delivered"]), "Part 2 isn't right"),
        (
            lesson._but(
                1, lambda s, f, messages, *_: [*{json.loads(m)["status"]: m for m in messages}]
            ),
            "Part 2 isn't right",
        ),
        (
            lesson._but(
                2, lambda s, f, m, plans, r: [p for p in plans if p[0] == "C" and p[-1] == "A"]
            ),
            "before both servers have the new pair",
        ),
    ],
)
def test_what_else_can_go_wrong_with_the_proof(answer: Any, words: str) -> None:
    assert words in said(lesson.prove_it, answer)


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_names_and_plans_may_come_in_any_order_and_container(kind: Any) -> None:
    def answer(*given: Any) -> Any:
        leaks, statuses, plans, servers = lesson.prove_it(*given)
        return [kind(leaks[::-1]), tuple(statuses), kind(plans[::-1]), kind(servers[::-1])]

    assert lesson.prove_it.check(answer).outcome is Outcome.PASSED


def test_statuses_keep_their_order() -> None:
    answer = lesson._but(1, lambda *given: lesson.prove_it(*given)[1][::-1])
    assert "Part 2 isn't right" in said(lesson.prove_it, answer)


def test_every_instance_has_files_that_leak_and_files_that_do_not() -> None:
    for secret, files in lesson._some_files(random.Random(1)):
        found = lesson.leaking(secret, files)
        assert 3 <= len(found) <= 4
