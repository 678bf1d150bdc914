"""Lesson 04: the bench, the recall questions, the prediction, what the exercises rest on."""

from __future__ import annotations

import hashlib
import hmac
import html
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.credentials import Credentials
from pusherkit.errors import InvalidCredentials
from pusherkit.lessons import key_and_message
from pusherkit.lessons._exercise import Outcome
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS

# Each recipe with the first digits of what it makes of the worked example; one is published.
FIRST_DIGITS = {
    "HMAC(key, message)": "da454824",
    "HMAC(message, key): swapped": "069b42f3",
    "sha256(key + message)": "b3c304e7",
    "sha256(message + key)": None,
    "HMAC with SHA-1": "8b74d8a6",
    "HMAC with MD5": "a05f6785",
}


def shown(made: Any) -> str:
    return html.unescape(made.display.value)


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (key_and_message.recall_host, lambda made: made.choose("The host")),
        (key_and_message.recall_signature, lambda made: made.choose("Yes, at the end")),
        (key_and_message.predict, lambda made: made.choose("The same digest")),
        (key_and_message.bench, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


# --- the bench --------------------------------------------------------------------------------


def test_the_bench_begins_with_the_published_signature() -> None:
    made = key_and_message.bench()
    assert "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c" in shown(made)
    assert "✓ Accepted." in shown(made)
    assert "0 of 256 bits changed" in shown(made)


@pytest.mark.parametrize("output", key_and_message.OUTPUTS)
@pytest.mark.parametrize("recipe", key_and_message.RECIPES)
def test_one_recipe_and_one_form_are_accepted(recipe: str, output: str) -> None:
    made = key_and_message.bench()
    made.recipe.value, made.output.value = recipe, output
    right = (recipe, output) == ("HMAC(key, message)", "hex")
    assert ("✓ Accepted." in shown(made)) is right
    assert ("✗ Refused." in shown(made)) is not right
    assert ("401 Invalid signature" in shown(made)) is not right
    for way in (key_and_message.RECIPES[recipe], key_and_message.OUTPUTS[output]):
        assert way.wrong in shown(made)


@pytest.mark.parametrize(("recipe", "digits"), FIRST_DIGITS.items())
def test_the_code_shown_makes_the_digest_shown(recipe: str, digits: str | None) -> None:
    assert FIRST_DIGITS.keys() == key_and_message.RECIPES.keys()
    key = EXAMPLE_CREDENTIALS.secret.encode()
    message = key_and_message.EXAMPLE.canonical_string.encode()
    names: dict[str, Any] = {"key": key, "message": message}
    exec("import base64, hashlib, hmac", names)
    for output in key_and_message.OUTPUTS:
        view = key_and_message.examine(key.decode(), message.decode(), recipe, output)
        facts = {fact.name: fact.value for fact in view.facts}
        assert eval(facts["Code"], names) == facts["Digest"]
        assert facts["Length"].endswith(f"written as {len(facts['Digest'])} characters")
        if output == "hex" and digits:
            assert facts["Digest"].startswith(digits)


@pytest.mark.parametrize("recipe", key_and_message.RECIPES)
def test_the_changed_digits_are_pointed_at_and_counted(recipe: str) -> None:
    made = key_and_message.bench()
    made.recipe.value = recipe
    assert re.search(r"0 of \d+ bits changed: key and message are as at the start", shown(made))
    made.message.value = made.message.value.replace("POST", "post")
    bits, of, digits = map(
        int, re.search(r"(\d+) of (\d+) bits changed, (\d+) of", shown(made)).groups()
    )
    first = "".join(re.findall(r"first ([0-9a-f]+)", shown(made)))
    now = "".join(re.findall(r"now   ([0-9a-f]+)", shown(made)))
    assert len(first) == len(now) == of // 4
    assert bits == f"{int(first, 16) ^ int(now, 16):b}".count("1")
    assert digits == sum(a != b for a, b in zip(first, now, strict=True))
    assert digits == shown(made).count("^")
    assert of * 0.3 < bits < of * 0.7


def test_each_mark_stands_under_a_changed_digit() -> None:
    text, _ = key_and_message._avalanche(bytes.fromhex("00ff"), bytes.fromhex("01fe"), False)
    assert text.split("\n") == [
        "2 of 16 bits changed, 2 of 4 hex digits",
        "first 00ff",
        "now   01fe",
        "       ^ ^",
    ]


@pytest.mark.parametrize("recipe", key_and_message.RECIPES)
def test_only_a_plain_hash_misses_a_letter_that_moves_into_the_key(recipe: str) -> None:
    made = key_and_message.bench()
    made.recipe.value = recipe
    made.key.value += made.message.value[0]
    made.message.value = made.message.value[1:]
    same = "0 of 256 bits changed, although key and message did" in shown(made)
    assert same is (recipe == "sha256(key + message)")
    assert "✗ Refused." in shown(made)


def test_key_and_message_are_each_blamed() -> None:
    made = key_and_message.bench()
    made.key.value = "another"
    assert "The key is not the app's secret." in shown(made)
    made.message.value += "\n"
    assert "The message is not the canonical string" in shown(made)
    made.key.value = ""
    assert "The key is empty" in shown(made)
    assert "not the app's secret" not in shown(made)


@pytest.mark.parametrize("text", ["", "☕ Zażółć", "'", '"', "\ud83d", "<b>&", "x" * 200_000, "\0"])
def test_no_text_stops_the_bench(text: str) -> None:
    made = key_and_message.bench()
    for recipe in key_and_message.RECIPES:
        for output in key_and_message.OUTPUTS:
            made.recipe.value, made.output.value = recipe, output
            made.key.value, made.message.value = text, "m"
            assert "✗ Refused." in shown(made)
            made.key.value, made.message.value = "k", text
            assert "✗ Refused." in shown(made)


def test_no_view_repeats_what_stands_in_the_key_field() -> None:
    made = key_and_message.bench()
    assert EXAMPLE_CREDENTIALS.secret not in shown(made)
    made.key.value = "my own secret, typed by mistake"
    assert made.key.value not in shown(made)


# --- the exercises ----------------------------------------------------------------------------


def test_the_lines_to_match_make_the_signatures() -> None:
    names = {"key": key_and_message.KEY, "message": key_and_message.MESSAGE}
    exec("import base64, hashlib, hmac", names)
    for letter, number in key_and_message.matching.right.items():
        made = eval(key_and_message.LINES[letter], names)
        assert made == key_and_message.SIGNATURES[number]
    assert len(set(key_and_message.SIGNATURES.values())) == 4


@pytest.mark.parametrize("answer", [{}, {"A": 1}, {"A": 1, "B": 1, "C": 1, "D": 1}, "ABCD"])
def test_a_wrong_match_is_told_and_not_given_away(answer: Any) -> None:
    feedback = key_and_message.matching.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert not re.search(r"\b[ABCD] is \d", feedback.message)


def test_matches_that_are_in_part_wrong_name_the_letters() -> None:
    feedback = key_and_message.matching.check({"A": 3, "B": 4, "C": 2, "D": 1})
    assert feedback.message.startswith("Not yet right: B, C.")


def test_the_refused_signature_was_made_with_the_newline() -> None:
    made = hmac.new(
        b"5b1f7a90c3de2468ab0c\n", key_and_message.REFUSED_TEXT.encode(), hashlib.sha256
    )
    assert made.hexdigest() == key_and_message.REFUSED_SIGNATURE


@pytest.mark.parametrize("letter", "BCD")
def test_credentials_refuse_each_careless_secret(letter: str) -> None:
    with pytest.raises(InvalidCredentials, match="white space or quotes"):
        Credentials(app_id="1", key="k", secret=key_and_message.PASTED[letter])


def test_hmac_by_hand_is_hmac() -> None:
    for seed in range(20):
        key, message = key_and_message._key_and_message(random.Random(seed))
        assert key_and_message._nested(key, message) == hmac.new(key, message, "sha256").hexdigest()


def test_what_the_exercises_draw_is_never_the_example() -> None:
    for seed in range(20):
        secret, text = key_and_message._secret_and_text(random.Random(seed))
        assert secret != EXAMPLE_CREDENTIALS.secret
        assert text != key_and_message.EXAMPLE.canonical_string
