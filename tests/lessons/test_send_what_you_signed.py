"""Lesson 05: the bench with all its fields, and signed bytes beside received bytes."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pusherkit.lessons import send_what_you_signed
from pusherkit.lessons._bench import changes
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, practice


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
