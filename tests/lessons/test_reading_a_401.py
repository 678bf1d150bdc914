"""Lesson 08: where a refusal leads, the chart and the ruler, the doctor, and Kim's script."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pusherkit.doctor.pasted import read
from pusherkit.doctor.search import UNEXPLAINED
from pusherkit.lessons import reading_a_401
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP, Outcome, Practice
from pusherkit.lessons.kit.view import View, to_text
from pusherkit.signing import Request, judge, sign
from tests.lessons.test_explorer import Fields

BODY = reading_a_401.BODY


def fact(view: View, name: str) -> str:
    (found,) = [each.value for each in view.facts if each.name == name]
    return found


# --- where a refusal leads ------------------------------------------------------------------------


def _sent(*left_out: str, **changed: str) -> Request:
    """A request that is signed right, and then changed: a rule of its own fails first."""
    query = dict(
        sign(
            EXAMPLE_CREDENTIALS, "POST", "/apps/3/events", body=BODY, timestamp=EXAMPLE_TIMESTAMP
        ).query
    )
    query |= changed
    pairs = [(name, value) for name, value in query.items() if name not in left_out]
    return Request("POST", "/apps/3/events", pairs, BODY)


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (_sent(auth_key="somebody"), "settings"),
        (_sent(auth_key=EXAMPLE_CREDENTIALS.secret), "settings"),
        (_sent(auth_version="2.0"), "other"),
        (_sent("auth_version"), "other"),
        (_sent("auth_signature"), "other"),
        (_sent("auth_timestamp"), "other"),
        (_sent(auth_timestamp="1353088179000"), "clock"),
        (_sent(auth_timestamp="1353080000"), "clock"),
        (_sent(auth_timestamp="1353088179.5"), "clock"),
        (_sent(body_md5="0" * 32), "body"),
        (_sent(auth_signature="0" * 64), "text"),
    ],
)
def test_every_rule_of_the_practice_server_has_its_place(request_: Request, place: str) -> None:
    failed = judge(EXAMPLE_CREDENTIALS, request_, now=EXAMPLE_TIMESTAMP).failed
    assert failed is not None
    assert reading_a_401.where_to_look(failed.error, "") == place
    assert reading_a_401.where_to_look(json.dumps({"error": failed.error}), "") == place


@pytest.mark.parametrize(
    ("signed", "place"),
    [
        ("post\n/a\nb=1", "method"),
        ("POST\n/a/\nb=1", "path"),
        ("POST\n/a\nb=2", "parameters"),
        ("POST\n/a\nb=1\n", "parameters"),
        ("POST\r\n/a\r\nb=1", "newlines"),
        (r"POST\n/a\nb=1", "newlines"),
        ("POST\n/a\nb=1", "secret or call"),
        ("", "text"),
    ],
)
def test_a_quoted_text_leads_to_the_line_that_differs(signed: str, place: str) -> None:
    said = (
        r'Invalid signature: you should have sent HmacSHA256Hex("POST\n/a\nb=1", your_secret_key)'
    )
    assert reading_a_401.where_to_look(said, signed) == place


@pytest.mark.parametrize(
    "said", ["The secret authentication failed", "401 UNAUTHORIZED", "it's broken", "?"]
)
def test_a_server_that_says_little_leads_to_one_that_explains(said: str) -> None:
    assert reading_a_401.where_to_look(said, "POST\n/a\nb=1") == "ask"


def test_every_place_is_an_end_of_the_chart_and_lit_there() -> None:
    ends = {end for _, _, these in reading_a_401.QUESTIONS for end, _, _ in these}
    assert ends | {"text", "secret or call"} == set(reading_a_401.PLACES) | {"secret", "call"}
    for place, said in reading_a_401.PLACES.items():
        chart = reading_a_401.flowchart(place)
        assert chart.desc.endswith(said)
        lit = {"text": 0, "secret or call": 2}.get(place, 1)
        assert chart.narrow is not None
        for drawn in (chart, chart.narrow):
            assert drawn.shapes.count("class='hot'") == drawn.shapes.count("▶") == lit
    assert "hot" not in reading_a_401.flowchart().shapes


def test_each_prepared_refusal_leads_somewhere_else_and_only_when_asked() -> None:
    made = reading_a_401.refusal()
    said = []
    for case in list(reading_a_401.REFUSALS)[:-1]:
        made.set(case=case)
        assert made.values["signed"] == reading_a_401.REFUSALS[case].fields["signed"]
        assert made.view.status == "Where do they lead? Say it first, then ask."
        assert "hot" not in made.view.picture.shapes
        assert made.view.facts == made.view.details == ()
        made.press("ask")
        said.append(made.view.status)
    assert len(set(said)) == len(said) == 6
    made.set(refusal="")
    assert made.view.status == "Paste a refusal."


def test_swapped_settings_have_leaked_the_secret() -> None:
    made = reading_a_401.refusal()
    made.set(case="the one from Kim's new laptop")
    made.press("ask")
    assert "swap them back, then make a new secret" in made.view.status


def test_correcting_line_2_moves_kim_on_to_question_3() -> None:
    made = reading_a_401.refusal()
    made.press("ask")
    assert "line 2, the path" in made.view.status
    assert made.view.note == ""
    made.set(signed=made.values["signed"].replace("http://127.0.0.1", ""))
    made.press("ask")
    assert "it's the secret, or the HMAC call" in made.view.status
    assert "a text field drops the CR" in made.view.note


OTHER = "the courier app's"
KIMS, *_, OWN = reading_a_401.REFUSALS


@pytest.mark.parametrize(
    ("sent", "case", "signed"),
    [
        ([{"signed": "a"}], OWN, "a"),
        ([{"signed": "a"}, {"case": KIMS, "signed": "ab"}], OWN, "ab"),  # OWN was on its way
        ([{"signed": "a"}, {"case": KIMS}], KIMS, reading_a_401.KIMS.signed),
        ([{"case": OTHER, "signed": "a"}], OTHER, reading_a_401.REFUSALS[OTHER].fields["signed"]),
        ([{"case": OWN}], OWN, ""),
    ],
)
def test_what_is_changed_by_hand_is_ones_own(
    sent: list[dict[str, str]], case: str, signed: str
) -> None:
    made = reading_a_401.refusal()
    for values in sent:
        made.read(values)
    assert (made.values["case"], made.values["signed"]) == (case, signed)
    if case == OWN and "signed" in sent[-1]:  # nobody chose it, so it's written into the field
        assert made.stage.put["case"] == OWN


@pytest.mark.parametrize(
    ("make", "field", "press"),
    [(reading_a_401.refusal, "signed", "ask"), (reading_a_401.doctor, "evidence", "The HMAC call")],
)
def test_after_an_edit_any_case_can_be_chosen(make: Any, field: str, press: str) -> None:
    made = make()
    fields = Fields(made)
    cases = [case for case in made._cases if case != OWN]
    fields.type(case=cases[1])
    for case in (cases[2], cases[1], cases[2]):
        fields.type(**{field: "something of mine"})
        assert fields.hold["case"] == OWN
        fields.type(case=case)
        fields.press(press)
        assert fields.hold["case"] == made.values["case"] == case
        assert made.values[field] == made._cases[case].fields[field]


# --- the ruler ------------------------------------------------------------------------------------


def test_the_ruler_marks_one_byte_in_each_text() -> None:
    drawn = reading_a_401.ruler("GET\n/a\ntown=Łódź&x=2", "GET\n/a\ntown=Łódź&x=1")
    at = len("GET\n/a\ntown=Łódź&x=".encode())
    assert f"equal up to byte {at}. There you have 2 (0x32), and the server has 1" in drawn.desc
    assert drawn.shapes.count("class='hot'") == 2


def test_the_ruler_marks_where_one_text_ends() -> None:
    drawn = reading_a_401.ruler("a\n", "a")
    assert "you have a newline (0x0a), and the server has nothing more" in drawn.desc
    assert ">end<" in drawn.shapes
    assert "⏎" in drawn.shapes


def test_the_ruler_marks_nothing_where_there_is_no_difference() -> None:
    assert "equal, all 4 bytes" in reading_a_401.ruler("same", "same").desc
    assert "hot" not in reading_a_401.ruler("same", "same").shapes
    assert "nothing to compare" in reading_a_401.ruler("same", None).desc


NASTY = [
    *("", " ", "\n", "☕", "\ud83d", "\udcff", "<script>alert(1)</script>", "curl", "curl -H"),
    *("curl http://x -d '", "curl http://[::1", "curl http://x:99999/", "POST ", "POST /"),
    *("POST /é?a=\x00 HTTP/1.1\n\n\ud83d", "curl 'http://x/a?%ff=1'", "curl -d @/etc/passwd x"),
    *("curl $'\\xff' http://x", "curl http://u:p@x/apps/3/events?a", "\r\n\r\n"),
    *('HmacSHA256Hex("', 'HmacSHA256Hex("", your_secret_key)', "\\", '"'),
    "POST /apps/3/events?" + "&".join(f"a{n}={n}" for n in range(5_000)),
    "POST /apps/3/events?auth_timestamp=" + "9" * 5_000,
    "POST /apps/3/events?auth_timestamp=²&auth_signature=é",
    "POST /apps/3/events\n\n" + "[" * 100_000,
    "x" * 1_000_000,
]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_can_be_pasted(text: str) -> None:
    made = reading_a_401.refusal()
    quoting = f'HmacSHA256Hex("{text}…", your_secret_key)'
    for refusal in (text, quoting):
        started = time.process_time()  # so other processes do not count
        made.set(refusal=refusal, signed=text)
        made.press("ask")
        assert time.process_time() - started < 5
        assert "<script>" not in made.stage.html
        assert len(made.stage.html) < 60_000
    asked = reading_a_401.doctor()
    asked.set(evidence=text)
    asked.press("ask")
    assert asked.view.status
    assert "<script>" not in asked.stage.html
    assert len(asked.stage.html) < 100_000


# --- the doctor -----------------------------------------------------------------------------------

NAMED = {
    "a program on a new machine": ["newline-as-crlf"],
    "the office's dashboard": ["body-serialised-again", "body-keys-sorted"],
    "a service in a container": ["secret-in-quotes"],
    "a port to another language": ["key-and-message-swapped"],
    "a copy of the app": [],
}
each_case = pytest.mark.parametrize("case", NAMED)
PLACES = {
    "digest": reading_a_401.IN_BODY,
    "secret": reading_a_401.IN_SECRET,
    "mac": reading_a_401.IN_CALL,
    "encoding": reading_a_401.IN_CALL,
}


def test_every_case_but_ones_own_is_told() -> None:
    assert [*NAMED, OWN] == list(reading_a_401.CASES)


@each_case
def test_a_case_shows_no_cause_before_a_guess_and_its_proof_after_it(case: str) -> None:
    told = reading_a_401.CASES[case]
    made = reading_a_401.doctor()
    made.set(case=case)
    before = to_text(made.view) + to_text(made.twin)
    assert not any(word in before for word in ("Mistake", "Proof", "Corrected", "✓"))
    assert [each.mark for each in made.view.actions] == ["○"] * 4

    made.press(told.place)
    assert made.view.status.startswith("You named it" if NAMED[case] else "Most likely the secret")
    assert made.view.good is True
    assert made.view.facts[0].name == "Story"
    assert [each.why for each in made.view.facts if "Mistake" in each.name] == NAMED[case]
    if NAMED[case]:
        proof = fact(made.view, "Proof")
        assert proof in told.fields["evidence"]
    else:
        assert fact(made.view, "Not proven") == UNEXPLAINED

    wrong = next(each for each in reading_a_401.GUESSES if each != told.place)
    made.press(wrong)
    assert made.view.status.startswith("It's something else" if NAMED[case] else "Most likely")
    assert made.view.good is None, "a surprise is nothing to be red about"


@each_case
def test_the_place_of_a_case_is_that_of_its_proof(case: str) -> None:
    told = reading_a_401.CASES[case]
    (opinion,) = reading_a_401.prove_cause(told.fields["evidence"]).opinions
    findings = opinion.diagnosis.findings
    axes = {each.mistakes[0].axis for each in findings}
    assert {PLACES.get(axis, reading_a_401.IN_TEXT) for axis in axes} <= {told.place}


def signed_right(evidence: str) -> str:
    """The corrected request that the doctor gives."""
    return reading_a_401.prove_cause(evidence).opinions[0].corrected


@each_case
def test_signed_right_the_practice_server_accepts_it(case: str) -> None:
    evidence = reading_a_401.CASES[case].fields["evidence"]
    statuses = []
    for command in (evidence, signed_right(evidence)):
        request = read(command).requests[0].request
        answer = Practice().http.post(request.path, params=request.params, content=request.body)
        statuses.append(answer.status_code)
    assert statuses == [401, 200]


def test_another_case_takes_the_guess_back() -> None:
    made = reading_a_401.doctor()
    made.press(reading_a_401.IN_TEXT)
    assert "Proof" in to_text(made.view)
    made.set(case="a service in a container")
    assert "Proof" not in to_text(made.view)


def test_a_request_of_ones_own_is_read_when_the_doctor_is_asked() -> None:
    made = reading_a_401.doctor()
    evidence = made.values["evidence"]
    made.set(evidence=evidence.replace("auth_signature=0", "auth_signature=1"))
    assert [each.label for each in made.view.actions] == ["Ask the doctor"]
    assert made.view.facts == ()
    assert made.values["case"] == OWN
    made.press("ask")
    assert made.view.status == "Refused, and not proven."
    assert fact(made.view, "Read as") == "a curl command"
    made.set(evidence=reading_a_401.KIMS_CURL)
    made.press("ask")
    assert made.view.status == "Refused, and the cause is proven."
    made.set(evidence=signed_right(evidence))
    assert made.view.facts == ()
    made.press("ask")
    assert made.view.verdict == "✓ This one is signed as it should be."
    made.set(evidence="curl http://127.0.0.1/apps/3/events -d @pyproject.toml")
    made.press("ask")
    assert "which is not read unasked" in to_text(made.view)
    made.set(evidence="POST /apps/3/events\n\n" + "x" * reading_a_401.MAX_TEXT)
    made.press("ask")
    assert "pusherkit doctor reads more" in made.view.status


# --- the exercises --------------------------------------------------------------------------------


def test_no_refusal_in_the_inbox_or_the_play_shows_the_secret_by_chance() -> None:
    for letter, (answer, _) in reading_a_401.INBOX.items():
        assert EXAMPLE_CREDENTIALS.secret not in answer, letter
    for case in reading_a_401.REFUSALS.values():
        assert EXAMPLE_CREDENTIALS.secret not in case.fields["refusal"]


def test_the_inbox_has_one_refusal_for_each_place() -> None:
    found = {
        letter: reading_a_401.where_to_look(answer, signed)
        for letter, (answer, signed) in reading_a_401.INBOX.items()
    }
    assert {**found, "A": "text"} == reading_a_401.places.solve()
    assert found["A"] == "parameters"
    assert reading_a_401.EXAMPLE_CREDENTIALS.key.startswith("278d"), "what D's sender adds"


def first_that_differs(one: str | bytes, other: str | bytes) -> int:
    """As far as both go."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), -1)


def in_place_of_startswith(refusal: str, signed: str, secret: str) -> str:
    if "auth_key" in refusal:
        return "settings"
    return str(reading_a_401.prove_it(refusal, signed, secret))


def last_difference(refusal: str, signed: str, secret: str) -> str:
    right = str(reading_a_401.prove_it(refusal, signed, secret))
    if right not in ("method", "path", "parameters"):
        return right
    server = reading_a_401.server_text(refusal).split("\n")
    lines = zip(("method", "path", "parameters"), signed.split("\n"), server, strict=True)
    return [name for name, mine, theirs in lines if mine != theirs][-1]


def mixing_up(solve: Any, right: str, given: str) -> Any:
    def answer(*arguments: str) -> str:
        found = str(solve(*arguments))
        return given if found == right else found

    return answer


EXERCISES = reading_a_401.lesson.exercises
RIGHT = reading_a_401.places.solve()
first_byte, prove, prove_it = reading_a_401.first_byte, reading_a_401.prove, reading_a_401.prove_it
SLIPS = [
    ("places", {**RIGHT, "A": "secret or call"}, "A's strings differ"),
    ("places", {**RIGHT, "B": "text"}, "B names a rule"),
    ("places", {**RIGHT, "C": "text"}, "C's strings are equal"),
    ("places", {**RIGHT, "D": "secret or call"}, "doesn't know the app key"),
    ("places", {**RIGHT, "E": "text"}, "E says “secret”, but"),
    ("places", {**RIGHT, "E": "secret or call"}, "E says “secret”, but"),
    ("places", {**RIGHT, "D": "auth_key"}, "'auth_key' isn't one of the answers: settings, body"),
    ("places", {letter.lower(): each for letter, each in RIGHT.items()}, "capital letters A to E"),
    ("places", ["text"], "This should be a dict"),
    ("first_byte", first_that_differs, "You counted characters"),
    ("first_byte", lambda a, b: first_that_differs(a.encode(), b.encode()), "one goes on where"),
    ("first_byte", lambda a, b: first_byte(a, b) + (a != b), "one too far"),
    ("first_byte", lambda a, b: str(first_byte(a, b)), "a whole number"),
    ("prove", lambda *_: "space", "isn't one of the answers: newline, quotes, swapped, unproven"),
    ("prove", mixing_up(prove, "newline", "unproven"), "The newline slips by"),
    ("prove", mixing_up(prove, "quotes", "unproven"), "The quotes slip by"),
    ("prove", mixing_up(prove, "swapped", "unproven"), "the text for its key"),
    ("prove", mixing_up(prove, "unproven", "swapped"), "you blame an accident"),
    ("prove_it", lambda *_: "timestamp", "'timestamp' isn't one of the answers: settings, clock"),
    ("prove_it", in_place_of_startswith, "Look only at how a refusal begins"),
    ("prove_it", mixing_up(prove_it, "body", "method"), "names a rule at the very beginning"),
    ("prove_it", mixing_up(prove_it, "path", "method"), "Not every difference is in line 1"),
    ("prove_it", last_difference, "Return the first line that does"),
    ("prove_it", mixing_up(prove_it, "quotes", "unproven"), "The strings are equal here"),
]


@pytest.mark.parametrize(("name", "answer", "said"), SLIPS, ids=range(len(SLIPS)))
def test_each_slip_is_told_what_is_wrong(name: str, answer: Any, said: str) -> None:
    for _ in range(5):
        feedback = EXERCISES[name].check(answer)
        assert feedback.outcome is Outcome.WRONG
        assert said in feedback.message


def test_kims_script_makes_the_refusal_at_the_top_of_the_page() -> None:
    server = Practice()
    file = io.StringIO(f"{EXAMPLE_CREDENTIALS.secret}\n")
    assert reading_a_401._broken_script(server, file, "out for delivery") == 401
    (entry,) = server.sandbox.log
    assert json.loads(entry.reply.body)["error"] == reading_a_401.KIMS.answer
    (title,) = (cell for cell in _markdown() if cell.startswith("# 08"))
    start, end = re.findall(r"Invalid signature.*?278d|but you sent \"\w{8}", title)
    assert start in reading_a_401.KIMS.answer
    assert end in reading_a_401.KIMS.answer


def test_the_doctor_finds_both_mistakes_in_kims_request() -> None:
    (opinion,) = reading_a_401.prove_cause(reading_a_401.KIMS_CURL).opinions
    (finding,) = opinion.diagnosis.findings
    assert [each.name for each in finding.mistakes] == ["full-url-as-path", "secret-with-newline"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda server, file, status: 200, "Nothing reached the server."),
        (lambda server, file, status: _posted(server, 1) and "200", "Return the answer's status"),
        (lambda server, file, status: _posted(server, 2), "sent more than once"),
        (
            lambda server, file, status: (
                server.http.post("/apps/3/events", content=b"{}").status_code
            ),
            "Still refused.",
        ),
        (lambda server, file, status: signed_with(file.read(), server, status), "Half of it"),
        (lambda server, file, status: signed_with(file.read()[:-1], server, status), "cut off"),
        (
            lambda server, file, status: signed_with(server.credentials.secret, server, status),
            "Read the file",
        ),
        (
            lambda server, file, status: reading_a_401._broken_script(
                server, io.StringIO(file.read().strip()), status
            ),
            "The secret is right now",
        ),
    ],
)
def test_other_ways_not_to_fix_the_script(answer: Any, said: str) -> None:
    feedback = reading_a_401.kims_script.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


class Untouched(str):
    """A secret that no strip() changes."""

    def strip(self, _: Any = None) -> Untouched:
        return self


class Holding(io.StringIO):
    """A file whose text isn't stripped."""

    def read(self, _: Any = -1) -> Untouched:
        return Untouched(super().read())


def signed_with(secret: str, server: Practice, status: str) -> int:
    return int(reading_a_401.kims_script.solve(server, Holding(secret), status))


def _posted(server: Practice, times: int) -> int:
    for _ in range(times):
        file = io.StringIO(EXAMPLE_CREDENTIALS.secret)
        status = reading_a_401.kims_script.solve(server, file, "delivered")
    return int(status)


def test_the_poster_is_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "poster.html"
    reading_a_401.poster().save(str(file))
    drawn = unquote(file.read_text(encoding="utf-8"))
    assert drawn.startswith("<!doctype html>")
    assert "size: landscape" in drawn
    assert "<h1>Reading a 401: three questions</h1>" in drawn
    assert not re.search(r'(?:src|href)="(?!data:)', drawn)
    for first, _, ends in reading_a_401.QUESTIONS:
        assert all(said in drawn for said in (first, *(title for _, title, _ in ends)))


def _markdown() -> list[str]:
    from tests.lessons.test_registry import notebook

    cells = notebook(reading_a_401.lesson).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]
