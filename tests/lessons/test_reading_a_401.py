"""Lesson 08: a refusal read without the secret, the doctor, the six refusals."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.doctor.mistakes import known_mistakes
from pusherkit.lessons import reading_a_401
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._interactive import Fact, View
from pusherkit.lessons._practice import EXAMPLE_TIMESTAMP, Practice
from pusherkit.sandbox import RawRequest


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (reading_a_401.recall_digest, lambda made: made.choose("auth_signature")),
        (reading_a_401.recall_timestamp, lambda made: made.choose("auth_timestamp")),
        (reading_a_401.predict, lambda made: made.choose("The path")),
        (reading_a_401.refusal, lambda made: None),
        (reading_a_401.doctor, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


def shown(made: Any) -> str:
    """What a widget's display says, without its tags."""
    without_style = re.sub(r"<style>.*?</style>", "", made.display.value, flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", "", without_style))


def facts(view: View, name: str) -> list[Fact]:
    return [fact for fact in view.facts if fact.name == name]


def marked(fact: Fact) -> list[str]:
    return [fact.value[start:end] for start, end in fact.marks]


NASTY = [
    *("", " ", "\n", "☕", "\ud83d", "\udcff", "<script>alert(1)</script>", "curl", "curl -H"),
    *("curl http://x -d '", "curl http://[::1", "curl http://x:99999/", "POST ", "POST /"),
    *("POST /é?a=\x00 HTTP/1.1\n\n\ud83d", "curl 'http://x/a?%ff=1'", "curl -d @/etc/passwd x"),
    *("curl $'\\xff' http://x", "curl 'http://a b/'", "curl http://u:p@x/apps/3/events?a"),
    *('HmacSHA256Hex("', 'HmacSHA256Hex("", your_secret_key)', "\\", '"', "\r\n\r\n"),
    "POST /apps/3/events?" + "&".join(f"a{n}={n}" for n in range(5_000)),
    "POST /apps/3/events?auth_timestamp=" + "9" * 5_000,
    "POST /apps/3/events?auth_timestamp=²&auth_signature=é",
    "POST /apps/3/events\n\n" + "[" * 100_000,
    "x" * 1_000_000,
]


# --- a refusal, without the secret ------------------------------------------------------------


def test_the_first_difference_is_marked_in_both_texts() -> None:
    made = reading_a_401.refusal()
    view = made._view()
    (yours,), (servers,) = facts(view, "You signed"), facts(view, "The server signed")
    assert (marked(yours), marked(servers)) == (["h"], ["/"])
    assert "differ from byte 5 on" in shown(made)
    assert "Look at the path" in shown(made)


def test_a_mark_counts_characters_and_the_reading_bytes() -> None:
    answer = 'HmacSHA256Hex("GET\\n/a\\ntown=Łódź&x=1", your_secret_key)'
    view = reading_a_401.read_refusal(answer, "GET\n/a\ntown=Łódź&x=2")
    (yours,), (servers,) = facts(view, "You signed"), facts(view, "The server signed")
    assert (marked(yours), marked(servers)) == (["2"], ["1"])
    at = len("GET\n/a\ntown=Łódź&x=".encode())
    assert f"byte {at}" in facts(view, "Reading")[0].value


def test_equal_texts_leave_the_secret_and_the_call() -> None:
    made = reading_a_401.refusal()
    made.signed.value = made.signed.value.replace("http://127.0.0.1", "")
    assert "The texts are equal. What is left is the secret, or the HMAC call." in shown(made)
    assert "<mark>" not in made.display.value


@pytest.mark.parametrize(
    ("signed", "mark"),
    [("POST\r\n/a\r\nb", "←"), (r"POST\n/a\nb", "\\"), ("POST\n/a\nb\n", "⏎"), ("POST\n/a", "")],
)
def test_what_cannot_be_seen_is_shown(signed: str, mark: str) -> None:
    answer = 'HmacSHA256Hex("POST\\n/a\\nb", your_secret_key)'
    view = reading_a_401.read_refusal(answer, signed)
    assert "".join(marked(facts(view, "You signed")[0])) == mark


def test_the_signs_are_explained() -> None:
    for sign in reading_a_401.visible("\n\r ").replace("\n", ""):
        assert sign in reading_a_401._SIGNS


def test_a_refusal_inside_json_is_read_too() -> None:
    text = 'POST\n/apps/3/events\na="b\\c"'
    quoted = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    plain = f'Invalid signature: you should have sent HmacSHA256Hex("{quoted}", your_secret_key)'
    for answer in (plain, json.dumps({"error": plain}), json.dumps(json.dumps(plain))):
        assert reading_a_401.server_string(answer) == text


@pytest.mark.parametrize(
    "answer",
    [
        *("The secret authentication failed", "Authentication signature invalid."),
        *("Authentication error", "401 UNAUTHORIZED", "Invalid API signature"),
    ],
)
def test_a_terse_answer_sends_you_to_the_practice_server(answer: str) -> None:
    made = reading_a_401.refusal()
    made.answer.value = answer
    assert "This answer does not tell what the server signed." in shown(made)
    assert "The signature, or the body hash, isn't what the server computed." in shown(made)
    assert "pusherkit sandbox" in shown(made)


def test_a_far_difference_is_inside_what_is_shown() -> None:
    text = "POST\n/a\nb=" + "x" * 50_000
    view = reading_a_401.read_refusal(f'HmacSHA256Hex("{text}1", your_secret_key)', f"{text}2")
    (yours,) = facts(view, "You signed")
    assert marked(yours) == ["2"]
    assert len(yours.value) < 2_000


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_can_be_typed_into_the_refusal(text: str) -> None:
    made = reading_a_401.refusal()
    made.signed.value = text
    made.answer.value = text
    made.answer.value = f'HmacSHA256Hex("{text}…", your_secret_key)'
    assert "<script>" not in made.display.value
    assert len(made.display.value) < 30_000


# --- the doctor -------------------------------------------------------------------------------

PROVEN = {
    "a shell script with echo": ["newline-hashed-not-sent"],
    "a list of channels, with a comma in the URL": ["values-url-encoded"],
    "from the log behind a new proxy": ["prefix-on-one-side"],
    "a program that was moved to Windows": ["newline-as-crlf"],
    "settings from a .env file": ["secret-in-quotes"],
    "translated from another language": ["key-and-message-swapped"],
    "a first attempt": ["newline-written-out", "signature-in-base64"],
    "after a change of the app": [],
    "one that was accepted": [],
}


@pytest.mark.parametrize("case", reading_a_401.CASES)
def test_each_case_has_its_cause_and_its_proof(case: str) -> None:
    made = reading_a_401.doctor()
    made.case.value = case
    view = made._view()
    named = [fact.value.split("\n")[0] for fact in facts(view, "Mistake")]
    assert named == PROVEN[case]
    assert len(facts(view, "Fix")) == len(named)
    assert len(facts(view, "Proof")) == bool(named)
    for proof in facts(view, "Proof"):
        received, reproduced = (line.split()[1] for line in proof.value.split("\n"))
        assert received == reproduced
        assert received in made.evidence.value.replace("%3D", "=")
    assert facts(view, "Explanation") == []


def test_the_six_causes_lie_on_six_axes() -> None:
    axes = {mistake.name: mistake.axis for mistake in known_mistakes()}
    single = [axes[names[0]] for names in PROVEN.values() if len(names) == 1]
    assert len(single) == len(set(single)) == 6
    six = [axes[name] for name in reading_a_401._SIX_CAUSES.values()]
    assert len(six) == len(set(six)) == 6
    prepared = {name for names in PROVEN.values() for name in names} - {"newline-written-out"}
    assert not prepared & set(reading_a_401._SIX_CAUSES.values())


def test_the_verdicts() -> None:
    made = reading_a_401.doctor()
    said = {}
    for case in reading_a_401.CASES:
        made.case.value = case
        said[case] = made._view().verdict
    assert said["a shell script with echo"] == "✗ Refused. One mistake, proven."
    assert said["a first attempt"] == "✗ Refused. Two mistakes, proven."
    assert said["after a change of the app"].startswith("✗ Refused. No known mistake, and no two")
    assert said["one that was accepted"] == "✓ Signed as it should be."


def test_only_body_md5_is_reproduced_where_only_the_digest_is_wrong() -> None:
    made = reading_a_401.doctor()
    assert "This is body_md5" in facts(made._view(), "Proof")[0].why
    made.case.value = "settings from a .env file"
    assert "This is auth_signature" in facts(made._view(), "Proof")[0].why
    assert facts(made._view(), "Text signed")[0].value == "the same as the server's"


@pytest.mark.parametrize("case", reading_a_401.CASES)
def test_what_is_signed_right_is_accepted(case: str) -> None:
    view = reading_a_401.examine(reading_a_401.CASES[case])
    if view.good:
        assert facts(view, "Signed right") == []
        return
    again = reading_a_401.examine(facts(view, "Signed right")[0].value)
    assert again.verdict == "✓ Signed as it should be."


def test_the_server_answers_what_the_doctor_says() -> None:
    practice = Practice()
    for case, text in reading_a_401.CASES.items():
        request = reading_a_401.read_request(text).request
        query = reading_a_401.urlencode(request.params)
        reply = practice.sandbox.handle(
            RawRequest(
                method=request.method,
                target=f"{request.path}?{query}".encode(),
                body=request.body,
            ),
            now=EXAMPLE_TIMESTAMP,
        )
        if not request.path.startswith("/apps/"):
            continue  # the practice server has no prefix
        accepted = case == "one that was accepted"
        assert reply.status == (200 if accepted else 401)


def test_pasted_evidence_is_kept_and_comes_back() -> None:
    made = reading_a_401.doctor()
    pasted = "  $ " + reading_a_401.TWICE + "  \n"
    made.evidence.value = pasted
    assert made.evidence.value == pasted
    assert made.case.value == reading_a_401.OWN
    assert "timestamp-of-another-second" in shown(made)
    made.case.value = "one that was accepted"
    assert made.evidence.value == reading_a_401.CASES["one that was accepted"]
    made.case.value = reading_a_401.OWN
    assert made.evidence.value == pasted


def test_a_changed_case_becomes_ones_own() -> None:
    made = reading_a_401.doctor()
    changed = made.evidence.value.replace("auth_signature=5", "auth_signature=6")
    made.evidence.value = changed
    assert (made.case.value, made.evidence.value) == (reading_a_401.OWN, changed)
    made.evidence.value = ""
    assert (made.case.value, made.evidence.value) == (reading_a_401.OWN, "")


def test_the_notes_are_told() -> None:
    text = reading_a_401.CASES["one that was accepted"]
    late = reading_a_401.examine(text.replace("1353088179", "1353089000"))
    assert any("Timestamp expired" in fact.value for fact in facts(late, "Note"))
    stranger = reading_a_401.examine(text.replace("278d425bdf160c739803", "somebody"))
    assert any("Unknown auth_key" in fact.value for fact in facts(stranger, "Note"))
    assert stranger.verdict.startswith("✗ Refused. No known mistake")
    spoiled = reading_a_401.examine(text.replace("2:1", "2:2"))
    assert any("Invalid body_md5" in fact.value for fact in facts(spoiled, "Note"))
    assert spoiled.verdict == "✗ Refused. The note says why."


def test_an_unexplained_request_shows_the_servers_text() -> None:
    view = reading_a_401.examine(reading_a_401.CASES["after a change of the app"])
    assert facts(view, "Server's text")[0].value.startswith("POST⏎\n/apps/3/events⏎\n")


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_any_text_can_be_typed_into_the_doctor(text: str) -> None:
    made = reading_a_401.doctor()
    made.evidence.value = text
    assert made.evidence.value == text
    assert made._view().verdict
    assert "<script>" not in made.display.value
    assert len(made.display.value) < 60_000


def test_more_than_a_notebook_can_take_is_a_sentence() -> None:
    many = "POST /?" + "&".join(f"a{n}=" for n in range(101))
    assert "it has over 100 parameters" in reading_a_401.examine(many).facts[0].value
    long = "POST /apps/3/events\n\n" + "x" * 150_000
    assert "pusherkit doctor reads more" in reading_a_401.examine(long).facts[0].value


def test_a_file_is_never_read() -> None:
    made = reading_a_401.doctor()
    made.evidence.value = "curl http://127.0.0.1/apps/3/events -d @pyproject.toml"
    assert "which is not read unasked" in shown(made)
    assert "Paste a request whole." in shown(made)


# --- the exercises ----------------------------------------------------------------------------


def test_the_doctor_proves_what_the_exercises_ask_for() -> None:
    for letter, cause in reading_a_401._SIX_CAUSES.items():
        (mistake,) = facts(reading_a_401.examine(reading_a_401.REQUESTS[letter]), "Mistake")
        assert mistake.value.split("\n")[0] == cause
    named = facts(reading_a_401.examine(reading_a_401.TWICE), "Mistake")
    assert {fact.value.split("\n")[0] for fact in named} == reading_a_401.two.right


def test_only_one_of_the_six_has_equal_texts_and_no_digest_in_its_answer() -> None:
    equal = [
        letter
        for letter, answer in reading_a_401.ANSWERS.items()
        if reading_a_401.server_string(answer) == reading_a_401.SIGNED[letter]
    ]
    assert equal == ["B"]
    assert reading_a_401.ANSWERS["C"].startswith("Invalid body_md5")


@pytest.mark.parametrize("cause", reading_a_401.CAUSES)
@pytest.mark.parametrize("letter", "ABCDEF")
def test_each_wrong_cause_gets_its_own_message(letter: str, cause: str) -> None:
    right = reading_a_401._SIX_CAUSES
    feedback = reading_a_401.six.check(right | {letter: cause})
    if cause == right[letter]:
        assert feedback.outcome is Outcome.RIGHT
        return
    assert feedback.outcome is Outcome.WRONG
    assert feedback.message.startswith((f"{letter} is ", letter))
    assert right[letter] not in feedback.message


@pytest.mark.parametrize("nonsense", [{}, {"A": []}, {1: 2}, set()])
def test_nonsense_for_the_six_is_a_sentence(nonsense: Any) -> None:
    assert reading_a_401.six.check(nonsense).message.startswith("Expected a name for each")


@pytest.mark.parametrize("named", [[], 3, None, "the-secret"])
def test_a_name_that_is_none_of_the_causes_is_a_sentence(named: Any) -> None:
    feedback = reading_a_401.six.check(dict.fromkeys("ABCDEF", named))
    assert feedback.message == "A: this is none of the names in CAUSES."


def test_two_says_how_many_are_right() -> None:
    feedback = reading_a_401.two.check({"secret-with-newline", "trailing-slash", "newline-as-crlf"})
    assert feedback.message == "1 of the two is in your set, which has 3."
    assert reading_a_401.two.check(["secret-with-newline"]).message.endswith("got list.")


def test_both_texts_stand_below_the_rule() -> None:
    said = {
        letter: reading_a_401.both_texts(answer, reading_a_401.SIGNED[letter]).split("\n")
        for letter, answer in reading_a_401.ANSWERS.items()
    }
    for letter in "ABDEF":
        rule, server, client = said[letter]
        assert rule == "Invalid signature"
        assert server.startswith(r"   server 'GET\n/apps/3/channels\nauth_key=")
        assert (server[10:] == client[10:]) is (letter == "B")
    assert said["F"][2].startswith(r"   client 'GET\\n/apps/3/channels\\nauth_key=")
    assert said["C"][0] == reading_a_401.ANSWERS["C"]
    assert len(said["C"]) == 2
