"""Lesson 04: the lamps, the bucket, and the judges of its exercises."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

import pytest

from pusherkit.lessons import key_and_message
from pusherkit.lessons.kit import Outcome
from pusherkit.lessons.kit.view import to_text

RECIPES = list(key_and_message.RECIPES)
FIRST_DIGITS = ("da454824", "069b42f3", "b3c304e7", "8b74d8a6", "a05f6785", "2kVIJMl7")


def fact(view: Any, name: str) -> str:
    return next(each.value for each in view.facts if each.name == name)


# --- the lamps ------------------------------------------------------------------------------------


def test_the_lamps_begin_with_the_published_signature() -> None:
    made = key_and_message.lamps()
    assert made.view.good is True
    assert fact(made.view, "Signature") == (
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    )
    assert made.view.status == "Accepted: da454824…"
    assert "0 have flipped" in made.view.picture.desc


@pytest.mark.parametrize(("recipe", "digits"), list(zip(RECIPES, FIRST_DIGITS, strict=True)))
def test_the_shown_code_makes_the_shown_signature_and_only_one_recipe_is_accepted(
    recipe: str, digits: str
) -> None:
    import base64

    made = key_and_message.lamps()
    made.set(recipe=recipe)
    names = {"hmac": hmac, "hashlib": hashlib, "base64": base64}
    secret, text = key_and_message.SECRET.encode(), key_and_message.TEXT.encode()
    shown = fact(made.view, "Signature")
    assert eval(fact(made.view, "Code"), names, {"secret": secret, "text": text}) == shown
    assert shown.startswith(digits)
    assert f": {digits}…" in made.view.status, "above the lamps, where it's in the window"
    assert made.view.good is (recipe == RECIPES[0])


def test_one_letter_flips_about_half_of_the_lamps() -> None:
    made = key_and_message.lamps()
    made.set(text=key_and_message.TEXT.replace("POST", "PUST"))
    count = int(fact(made.view, "Lamps").split()[0])
    assert 96 < count < 160
    assert f"{count} have flipped" in made.view.picture.desc
    (signature,) = (each for each in made.view.facts if each.name == "Signature")
    assert signature.marks == ((0, 64),), "a signature is marked as one"


def test_a_joined_hash_does_not_see_where_the_secret_ends_and_hmac_does() -> None:
    made = key_and_message.lamps()
    made.set(secret=key_and_message.SECRET + "P", text=key_and_message.TEXT[1:])
    assert "the same bytes" not in fact(made.view, "Lamps")
    made.set(recipe="SHA-256 of secret and text, joined")
    assert fact(made.view, "Lamps").startswith("0 of 256")
    assert "the same bytes as before" in fact(made.view, "Lamps")


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_rows_stay_where_they_are_while_somebody_types(recipe: str) -> None:
    made = key_and_message.lamps()
    made.set(recipe=recipe)
    size = made.view.picture.height
    for typed in ("", "x" * 100_000, "ë\x00\n", "<b>&amp;"):
        made.set(secret=typed, text=typed)
        assert [each.name for each in made.view.facts] == ["Signature", "Code", "Lamps"]
        assert made.view.picture.height == size
        assert made.view.good is False


# --- SHA-256 with its state open ------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 54, 55, 56, 63, 64, 119, 120, 1000])
@pytest.mark.parametrize("more", [b"", b"&order=42", b"x" * 200])
def test_going_on_gives_the_hash_of_the_whole(length: int, more: bytes) -> None:
    begun = b"s" * length
    glue = key_and_message.padding(length)
    assert (length + len(glue)) % 64 == 0
    whole = hashlib.sha256(begun + glue + more).hexdigest()
    state = hashlib.sha256(begun).hexdigest()
    assert key_and_message.go_on(state, length + len(glue), more) == whole


def test_a_count_that_cannot_be_is_explained() -> None:
    with pytest.raises(ValueError, match="45 isn't a multiple of 64"):
        key_and_message.go_on("0" * 64, 45, b"")

    def uncounted(length: int, report: bytes, seen: str, more: bytes) -> Any:
        return report, key_and_message.go_on(seen, length + len(report), more)

    def padded_without_the_secret(length: int, report: bytes, seen: str, more: bytes) -> Any:
        longer = report + key_and_message.padding(len(report))
        return longer + more, key_and_message.go_on(seen, length + len(longer), more)

    for answer in (uncounted, padded_without_the_secret):
        feedback = key_and_message.extend.check(answer)
        assert feedback.outcome is Outcome.ERROR
        assert "The count takes in the padding, and both of them need the" in feedback.message


@pytest.mark.parametrize("state", ["", "xyz", "00", "é" * 64, b"0" * 64, b"0" * 32, None])
def test_a_state_that_is_no_hash_is_explained(state: Any) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        key_and_message.go_on(state, 64, b"")


# --- the bucket -----------------------------------------------------------------------------------


def test_the_plain_hash_is_fooled_and_the_hmac_is_not() -> None:
    made = key_and_message.bucket()
    assert made.view.good is None
    assert "accepted" not in to_text(made.view).lower(), "it answers the question above it"
    made.press("send")
    assert made.view.good is None, "neither a ✓ nor a ✗ says that this is bad"
    assert made.view.status.startswith("⚠ Accepted: 200, order 42 is delivered.")
    forged = fact(made.view, "Signature")
    assert forged[:8] in made.view.picture.desc
    made.set(scheme=key_and_message.NESTED)
    assert made.view.good is None
    made.press("send")
    assert made.view.good is True
    assert made.view.status.startswith("401")


@pytest.mark.parametrize("added", ["", "<&>", "ë" * 10, "&&&==", "&order", "&order=42&order=43"])
@pytest.mark.parametrize("scheme", [key_and_message.PLAIN, key_and_message.NESTED])
def test_whatever_is_added_is_answered(added: str, scheme: str) -> None:
    made = key_and_message.bucket()
    made.set(added=added, scheme=scheme)
    made.press("send")
    assert made.view.good is (True if scheme == key_and_message.NESTED else None)
    assert [each.name for each in made.view.facts] == ["Report", "Signature", "The server"]


def test_padding_inside_a_value_is_called_by_its_name() -> None:
    made = key_and_message.bucket()
    made.set(added="hello")
    made.press("send")
    assert "200, order 41 [19 bytes of padding] hello is delivered" in made.view.status


def test_a_very_long_addition_is_turned_away_at_once() -> None:
    made = key_and_message.bucket()
    started = time.process_time()
    made.set(added="x" * 1_000_000)
    assert time.process_time() - started < 2
    assert "too long for this picture" in made.view.status


# --- the exercises --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: b"x", "Return two things"),
        (lambda *_: (1, 2), "Return two things"),
        (lambda *_: (b"x", "y", "z"), "Return two things"),
        (lambda *_: (b"x", "y"), "The report isn't right:"),
        (
            lambda length, report, seen, more: (
                key_and_message.extend.solve(length, report, seen, more)[0],
                seen,
            ),
            "The report is right",
        ),
    ],
)
def test_other_ways_not_to_forge(answer: Any, said: str) -> None:
    feedback = key_and_message.extend.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def signed(secret: str, text: str) -> str:
    return key_and_message.signature.solve(secret, text)


@pytest.mark.parametrize(
    "answer",
    [
        lambda secret, text: signed(secret.strip(), text),
        lambda secret, text: signed(secret, text.strip()),
        lambda secret, text: signed(secret.strip(), text.strip()),
    ],
)
def test_nothing_may_be_stripped_before_it_is_signed(answer: Any) -> None:
    feedback = key_and_message.signature.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert feedback.message.startswith("You stripped a space or a newline.")


def test_a_secret_may_hold_any_character() -> None:
    def ascii_only(secret: str, text: str) -> str:
        return hmac.new(secret.encode("ascii"), text.encode(), hashlib.sha256).hexdigest()

    feedback = key_and_message.signature.check(ascii_only)
    assert feedback.outcome is Outcome.ERROR
    assert "UnicodeEncodeError" in feedback.message
    latin1 = key_and_message.signature.check(
        lambda secret, text: hmac.digest(secret.encode("latin-1"), text.encode(), "sha256").hex()
    )
    assert latin1.outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "answer",
    [
        lambda key, message: hmac.new(key, message, hashlib.sha256).hexdigest(),
        lambda key, message: hmac.new(key, message, "sha256").digest().hex(),
        lambda key, message: hmac.digest(key, message, "sha256").hex(),
    ],
)
def test_an_hmac_of_your_own_is_not_made_by_hmac(answer: Any) -> None:
    feedback = key_and_message.own_hmac.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert "hmac did the work" in feedback.message


def mixed(key: bytes, message: bytes, fill: Any) -> str:
    inner, outer = (bytes(byte ^ mask for byte in fill(key)) for mask in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()


@pytest.mark.parametrize(
    "fill",
    [
        lambda key: key.ljust(64, b"\0"),
        lambda key: key + bytes(64 - len(key)),
        lambda key: bytearray(key) + bytearray(64 - len(key)),
        lambda key: [*key] + [0] * (64 - len(key)),
        lambda key: bytes([*key, *[0] * 64][:64]),
        lambda key: bytes.fromhex(key.hex().ljust(128, "0")),
    ],
)
def test_a_key_may_be_filled_up_in_many_ways(fill: Any) -> None:
    check = key_and_message.own_hmac.check
    assert check(lambda key, message: mixed(key, message, fill)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda secret, text, sent: signed(secret, text) == sent, "== stops at"),
        (lambda secret, text, sent: not (signed(secret, text) != sent), "== stops at"),  # noqa: SIM202
        (lambda secret, text, sent: sent == signed(secret, text), "== stops at"),
        (lambda secret, text, sent: sent in [signed(secret, text)], "== stops at"),
        (lambda secret, text, sent: signed(secret, text).lower() == sent.lower(), "in capitals"),
        (lambda secret, text, sent: signed(secret, text).encode() == sent.encode(), "== stops at"),
        (lambda secret, text, sent: signed(secret, text) == sent.strip(), "== stops at"),
        (lambda secret, text, sent: True, "accepts this one, and it's right but for the last"),
        (lambda secret, text, sent: False, "refuses this one, and it's the right signature"),
        (lambda secret, text, sent: signed(secret, text).startswith(sent), "An empty signature"),
        (
            lambda secret, text, sent: hmac.compare_digest(
                signed(secret, text).encode(), sent.casefold().encode()
            ),
            "A signature in capitals gets in.",
        ),
        (lambda secret, text, sent: 1, "True or False"),
    ],
)
def test_a_careless_server_is_noticed(answer: Any, said: str) -> None:
    feedback = key_and_message.accepts.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_server_that_compares_text_is_stopped_by_a_letter() -> None:
    feedback = key_and_message.accepts.check(
        lambda secret, text, sent: hmac.compare_digest(signed(secret, text), sent)
    )
    assert feedback.outcome is Outcome.ERROR
    assert "non-ASCII" in feedback.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: True, "You accept a plain hash"),
        (lambda *_: "yes", "Return True, False, or"),
        (lambda *_: False, "You return False for a right signature. Is your key clean?"),
        (lambda pasted, report, sent, more: (report + more, sent), "This one is a right HMAC"),
    ],
)
def test_other_proofs_that_will_not_do(answer: Any, said: str) -> None:
    feedback = key_and_message.prove_it.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_the_proof_needs_every_part() -> None:
    solve = key_and_message.prove_it.solve

    def half(pasted: str, report: bytes, sent: str, more: bytes) -> Any:
        result = solve(pasted, report, sent, more)
        return False if isinstance(result, tuple) else result

    def hasty(pasted: str, report: bytes, sent: str, more: bytes) -> Any:
        result = solve(pasted, report, sent, more)
        return result if sent != "" else False

    assert "Forge a longer report" in key_and_message.prove_it.check(half).message
    assert "== stops at" in key_and_message.prove_it.check(hasty).message


# --- the notebook ---------------------------------------------------------------------------------


def outputs(code: str) -> str:
    from tests.lessons.test_registry import notebook

    cells = notebook(key_and_message.lesson).cells
    (cell,) = (cell for cell in cells if cell.cell_type == "code" and code in cell.source)
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_request_shown_is_accepted_and_the_pasted_newline_is_named() -> None:
    accepted, refused, named = outputs("server.http.").splitlines()
    published = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    assert accepted == f"{published} 200"
    assert refused.endswith(" 401")
    assert "newline" in named


def test_the_servers_shown_are_the_ones_of_the_widget() -> None:
    from tests.lessons.test_registry import code_cells

    names: dict[str, Any] = {}
    for cell in code_cells(key_and_message.lesson):
        exec(cell, names)
        if "seen = " in cell:
            break
    assert names["DEPOT_SECRET"] == key_and_message.DEPOT_SECRET
    assert names["report"] == key_and_message.REPORT
    forged = key_and_message.extend.solve(20, names["report"], names["seen"], b"&order=42")
    for server in (names["depot_server"], key_and_message.depot_server):
        assert server(*forged) == "200, order 42 is delivered"
        assert server(names["report"], "0" * 64) == "401"
