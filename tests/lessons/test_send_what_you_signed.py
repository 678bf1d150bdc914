"""Lesson 05: the bench with all its fields, and signed bytes beside received bytes."""

from __future__ import annotations

import html
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pusherkit import sign, snippets
from pusherkit.lessons import send_what_you_signed
from pusherkit.lessons._bench import changes
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._interactive import STAGES, WIDGET_VIEW, to_html, to_text
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, practice
from pusherkit.signing import Request


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (send_what_you_signed.recall_key, lambda made: made.choose("The secret")),
        (send_what_you_signed.recall_encoding, lambda made: made.choose("user_count%2Ccache")),
        (send_what_you_signed.predict, lambda made: made.choose("200")),
        (send_what_you_signed.bench, lambda made: made.send()),
        (send_what_you_signed.wire, lambda made: made.send()),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the bench --------------------------------------------------------------------------------


def stage(made: Any, name: str) -> Any:
    return next(fact for fact in made._view().facts if fact.name.endswith(name))


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [
        ("", "", ()),
        ("same", "same", ()),
        ("abc", "aXc", ((1, 2),)),
        ("abc", "abXc", ((2, 3),)),
        ("abc", "ac", ((1, 1),)),
        ("aaa", "aaaa", ((3, 4),)),
        ("", "new", ((0, 3),)),
        ("gone", "", ((0, 0),)),
        ("abc", "xyz", ((0, 3),)),
        ("a=1&b=2&c=3", "a=1&b=X&c=Y", ((6, 7), (10, 11))),
        ("a=1\nb=2", "a=9\nb=2", ((2, 3),)),
        ("a=1", "a=1&b=2", ((3, 7),)),
    ],
)
def test_what_changed_is_told_parameter_by_parameter(
    old: str, new: str, marks: tuple[tuple[int, int], ...]
) -> None:
    assert changes(old, new) == marks


def test_one_byte_of_the_body_changes_every_later_stage() -> None:
    made = send_what_you_signed.bench()
    assert not any(fact.marks for fact in made._view().facts)
    made.fields["Body"].value = made.fields["Body"].value.replace("hello", "jello")
    marks = {fact.name: fact.marks for fact in made._view().facts if fact.marks}
    assert list(marks) == [
        "1 Body",
        "2 Digest",
        "3 Parameters",
        "4 Canonical string",
        "5 Sign",
        "6 Send",
    ]
    ((start, end),) = marks["1 Body"]
    assert stage(made, "Body").value[start:end] == "j"
    assert stage(made, "Body").why.startswith(f"Changed: character {end}. ")
    assert len(marks["6 Send"]) == 3  # body_md5, auth_signature, the body
    made.fields["Body"].value = made.fields["Body"].value.replace("jello", "hello")
    assert not any(fact.marks for fact in made._view().facts)


def test_another_secret_changes_only_the_signature() -> None:
    made = send_what_you_signed.bench()
    made.fields["Secret"].value = "another"
    marked = [fact.name for fact in made._view().facts if fact.marks]
    assert marked == ["5 Sign", "6 Send"]
    made.send()
    assert made.journey.status == 401
    assert "Invalid signature: you should have sent" in html.unescape(made.display.value)


@pytest.mark.parametrize("text", ["", "soon", "1.5", "-1", "²", "9" * 400, "１３５３０８８１７９"])
def test_a_timestamp_that_is_none_is_a_sentence(text: str) -> None:
    made = send_what_you_signed.bench()
    made.fields["auth_timestamp"].value = text
    assert "auth_timestamp: expected whole Unix seconds" in html.unescape(made.display.value)
    made.send()
    assert made.journey.status is None
    made.fields["auth_timestamp"].value = "1353088179"
    made.send()
    assert made.journey.status == 200


@pytest.mark.parametrize("text", ["", " s", '"s"'])
def test_a_secret_that_cannot_be_right_is_a_sentence(text: str) -> None:
    made = send_what_you_signed.bench()
    made.fields["Secret"].value = text
    assert "secret: " in made.display.value
    assert "✗ Not sent." in made.display.value


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "☕" * 50, '{"name":"n","data":"d"}'])
def test_any_body_can_be_signed_and_the_server_judges_it(body: str) -> None:
    made = send_what_you_signed.bench()
    made.fields["Body"].value = body
    made.send()
    assert made.journey.status == 400
    assert "✗ Refused" in made.display.value


def test_an_event_for_another_channel_is_accepted_and_nobody_waits_for_it() -> None:
    made = send_what_you_signed.bench()
    made.fields["Body"].value = '{"name":"n","channel":"elsewhere","data":"d"}'
    made.send()
    assert "✓ Accepted, but nobody on the channel chat was meant." in made.display.value


def test_stepping_hides_and_shows_stages() -> None:
    made = send_what_you_signed.bench()
    for _ in range(9):
        made.go(-1)
    assert [fact.name for fact in made._view().facts] == ["1 Body"]
    made.go(+1)
    assert [fact.name for fact in made._view().facts] == ["1 Body", "2 Digest"]
    assert "Stage 2 of 6: Digest." in made.display.value
    for _ in range(9):
        made.go(+1)
    assert len(made._view().facts) == 8


def test_a_long_body_is_cut_around_the_change_and_counted() -> None:
    made = send_what_you_signed.bench()
    event = {"name": "n", "channel": "chat", "data": "x" * 100_000}
    made.fields["Body"].value = json.dumps(event)
    made.first = made.journey
    event["data"] = "x" * 50_000 + "HERE" + "x" * 49_996
    made.fields["Body"].value = json.dumps(event)
    fact = stage(made, "Body")
    ((start, end),) = fact.marks
    assert fact.value[start:end] == "HERE"
    assert len(fact.value) == 1_500
    assert "Shown: characters 49," in fact.why
    assert "Changed: characters 50," in fact.why
    assert len(made.display.value) < 20_000


def test_curl_sends_the_same_request() -> None:
    made = send_what_you_signed.bench()
    assert made.curl.layout.display == "none"
    assert made.curl.value == ""
    made.fields["Body"].value = '{"name":"it\'s","channel":"chat","data":"$HOME \\"☕\\""}'
    made.as_curl.value = True
    assert made.curl.layout.display == "flex"
    words = shlex.split(made.curl.value.replace("\\\n", " "))
    url, body = words[words.index("POST") + 1], words[words.index("--data-binary") + 1]
    assert url.startswith(practice().credentials.base_url)
    assert body == made.fields["Body"].value
    answer = httpx.post(url, content=body.encode(), trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {})


# --- the same request in four languages -------------------------------------------------------

LANGUAGES = {
    "bash": snippets.bash,
    "Python": snippets.python,
    "Node": snippets.node,
    "PHP": snippets.php,
}
NASTY_BODY = 'it\'s "☕" </pre><script>alert(1)</script>\n&amp; $HOME `id` \\\n'


def box(made: Any, language: str) -> Any:
    (found,) = [each for each in made.boxes if each.description.startswith(language)]
    return found


def written(made: Any, language: str, base_url: str) -> str:
    key, body = EXAMPLE_CREDENTIALS.key, made.body.value.encode()
    return LANGUAGES[language](base_url, key, Request("POST", "/apps/3/events", body=body))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_program_stands_in_the_widget_and_in_the_twin(language: str) -> None:
    made = send_what_you_signed.programs()
    shown = box(made, language).value
    (base_url,) = re.findall(r"http://127\.0\.0\.1:\d+", shown)
    assert shown == written(made, language, base_url)
    twin = made._repr_mimebundle_()
    program = written(made, language, "http://127.0.0.1")
    assert f"<pre>{html.escape(program)}</pre>" in twin["text/html"]
    for line in program.split("\n"):
        assert line in twin["text/plain"]
    for text in (made.display.value, twin["text/html"], twin["text/plain"]):
        assert made.twin.verdict in text
    assert EXAMPLE_CREDENTIALS.secret not in shown + str(twin)


def test_the_programs_twin_is_the_same_on_every_run() -> None:
    one, other = (send_what_you_signed.programs()._repr_mimebundle_() for _ in range(2))
    assert one.pop(WIDGET_VIEW) != other.pop(WIDGET_VIEW)
    assert one == other


def test_a_body_full_of_markup_is_escaped_in_the_twin_and_whole_in_the_widget() -> None:
    view = send_what_you_signed.programs_view("http://127.0.0.1", NASTY_BODY)
    fragment = to_html(view)
    assert "<script" not in fragment
    shown = re.findall(r"<pre>(.*?)</pre>", fragment, flags=re.S)
    assert [html.unescape(each) for each in shown] == [fact.value for fact in view.facts]
    assert "☕" in to_text(view)
    made = send_what_you_signed.programs()
    made.body.value = NASTY_BODY
    for language in LANGUAGES:
        (base_url,) = re.findall(r"http://127\.0\.0\.1:\d+", box(made, language).value)
        assert box(made, language).value == written(made, language, base_url)
    assert "script" not in made.display.value


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stages_put_together_are_the_program(language: str) -> None:
    made = send_what_you_signed.programs()
    program = box(made, language).value
    pieces = []
    for stage in STAGES:
        made.stage.value = stage
        pieces.append(box(made, language).value)
        assert pieces[-1].split("\n")[0].lstrip("#/ ").startswith(stage)
    assert program.endswith("\n".join(pieces))
    made.stage.value = send_what_you_signed.WHOLE
    assert box(made, language).value == program


@pytest.mark.parametrize("stage", ["Body", "Digest"])
def test_without_a_body_both_of_its_stages_say_so(stage: str) -> None:
    made = send_what_you_signed.programs()
    made.body.value = ""
    made.stage.value = stage
    for each in made.boxes:
        assert each.value.endswith("Body, Digest: none, and so no body_md5")


def test_what_one_language_cannot_hold_is_a_sentence_in_its_box_alone() -> None:
    made = send_what_you_signed.programs()
    made.body.value = '{"name":"\0"}'
    assert box(made, "bash").value.startswith("A shell cannot hold a NUL character.")
    assert box(made, "Python").value.startswith("import hashlib")


def test_a_program_is_accepted_when_it_is_run() -> None:
    made = send_what_you_signed.programs()
    ran = subprocess.run(
        [sys.executable, "-c", box(made, "Python").value],
        env={"PUSHER_SECRET": EXAMPLE_CREDENTIALS.secret},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr) == ("200 {}\n", "")


def test_every_control_of_the_programs_has_a_label() -> None:
    made = send_what_you_signed.programs()
    assert all(control.description for control in (made.body, made.stage, *made.boxes))


# --- the wire ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", send_what_you_signed.SENDERS)
def test_only_the_hashed_bytes_are_accepted(sender: str) -> None:
    made = send_what_you_signed.wire()
    made.sender.value = sender
    made.send()
    same = sender.startswith("content=body: ")
    assert made.journey.status == (200 if same else 401)
    assert ("none: the bytes are the same" in made.display.value) is same


def test_the_sent_bytes_are_what_httpx_makes() -> None:
    made = send_what_you_signed.wire()
    assert (
        made.journey.sent_body
        == httpx.Request("POST", "http://x", json=send_what_you_signed.EVENT).read()
    )


def test_the_example_credentials_are_published_ones() -> None:
    # They stand in a field of the bench, and a saved notebook keeps what is in a field.
    assert EXAMPLE_CREDENTIALS.secret == "7ad3773142a6692b25b8"


# --- the exercises ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda url, body: None, "Expected a command line (str), got NoneType."),
        (lambda url, body: (url, body), "Expected a command line (str), got tuple."),
        (lambda url, body: f"wget {url}", "it does not begin with curl"),
        (lambda url, body: "", "it does not begin with curl"),
        (lambda url, body: "curl -sS -X POST", "curl would see another URL."),
        (lambda url, body: f"curl '{url}' -d", "curl would send another body."),
        (
            lambda url, body: f"curl '{url}' -H 'Accept: */*' -d {shlex.quote(body.decode())}",
            "The header Content-Type: application/json is missing.",
        ),
    ],
)
def test_other_commands_are_told_what_curl_would_do(answer: Any, said: str) -> None:
    feedback = send_what_you_signed.as_curl.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_any_command_is_right_that_sends_the_same() -> None:
    def command(url: str, body: bytes) -> str:
        data = shlex.quote(body.decode())
        header = "--header 'content-type: application/json'"
        return f"curl -sS --request POST \\\n  {header} \\\n  -d {data} {shlex.quote(url)}"

    assert send_what_you_signed.as_curl.check(command).outcome is Outcome.RIGHT


def test_an_event_of_another_name_is_not_the_one() -> None:
    def renamed(http: Any, credentials: Any, event: Any, timestamp: int) -> Any:
        body = json.dumps(event | {"name": "renamed"}).encode()
        path = f"/apps/{credentials.app_id}/events"
        signature = sign(credentials, "POST", path, body=body, timestamp=timestamp)
        return http.post(path, params=signature.query, content=body)

    feedback = send_what_you_signed.mend.check(renamed)
    assert feedback.outcome is Outcome.WRONG
    assert "another event arrived" in feedback.message
    assert "renamed" in feedback.facts[1].value
