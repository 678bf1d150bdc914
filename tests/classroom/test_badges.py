"""Names that people choose, and the badges that hold them."""

from __future__ import annotations

from contextlib import suppress

import pytest

from pusherkit import PusherError
from pusherkit.classroom.badges import MAX_BADGE, MAX_SHOWN_NAME, MAX_TYPED, Badges, alike, cleaned
from tests.doctor.conftest import Growth

MINE = Badges("the secret of a class", "the secret of a link")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Zoë", "Zoë"),
        ("  Zoe\u0308 \t Q. ", "Zoë Q."),  # composed, and with single spaces
        ("Anne-Marie O'Neil 2", "Anne-Marie O'Neil 2"),
        ("阿里", "阿里"),
        ("محمد", "محمد"),
        ("Ngu\u1ec5n 🐝", "Ngu\u1ec5n 🐝"),
        ("7", "7"),
        ("Zo\u3164ë\ufe0f \u2600\ufe0f\u2800", "Zoë \u2600"),  # no twin that looks the same
    ],
)
def test_a_name_is_kept_the_way_people_write_it(typed: str, name: str) -> None:
    assert cleaned(typed) == name


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Type a name"),
        (" \t\n", "Type a name"),
        ("\u3164\uffa0", "Type a name"),  # letters, that nobody sees
        ("x" * (MAX_SHOWN_NAME + 1), f"33 characters, and at most {MAX_SHOWN_NAME} fit"),
        ("x" * (MAX_TYPED + 1), "201 characters, and at most"),
        ("Zoe\x07", r"nobody can see: U\+0007"),
        ("Zo\u200be", r"U\+200B"),  # a space without width
        ("\u202eeoZ", r"U\+202E"),  # turns the writing round
        ("Zo\ud800", r"U\+D800"),
        ("...!", "at least one letter or digit"),
        ("Z" + "\u0335\u0336\u0337", "too many accents"),
    ],
)
def test_an_odd_name_is_met_with_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(PusherError, match=said):
        cleaned(typed)


def test_the_work_on_a_name_is_linear_in_what_was_typed(growth: Growth) -> None:
    def clean(text: str) -> None:
        with suppress(PusherError):
            cleaned(text)

    growth(clean, lambda size: "\u0300\u0316" * (size // 2), largest=1_000_000)


def test_names_that_people_would_take_for_the_same_are_alike() -> None:
    assert alike("Zoë") == alike("ZOË") == alike("zoe\u0308")
    assert alike("Straße") == alike("STRASSE")
    assert alike("Zoë") != alike("Zoe")


@pytest.mark.parametrize("name", ["zoë", "Anne-Marie", "a:b", "7"])
def test_a_badge_names_its_owner(name: str) -> None:
    badge = MINE.of(name, "7f")
    assert badge.isascii()
    assert " " not in badge
    assert MINE.read(badge) == (name, "7f")


def test_nobody_can_make_somebody_else_s_badge() -> None:
    zoe, adam = MINE.of("zoë", "7f"), MINE.of("adam", "7f")
    key, number, proof = zoe.split(":")
    for forged in (
        f"adam:7f:{proof}",
        f"{key}:80:{proof}",
        f"{key}:{number}:{adam.split(':')[2]}",
        f"{key}:{proof}",
        f"{key}:{MINE.of_trainer()}",
        key,
        "",
        f"{key}:",
        f":{proof}",
        zoe.upper(),
        zoe + "é",
        "x" * MAX_BADGE + zoe,
    ):
        assert MINE.read(forged) is None, forged
    assert Badges("the secret of another class", "the secret of a link").read(zoe) is None


def test_a_proof_for_a_key_that_cannot_exist_is_nobody_s() -> None:
    """Signed by us, and still nobody: "_61" isn't how anybody's key is written."""
    assert MINE.read(f"_61:7:{MINE._proof(b'pusherkit class badge: ', b'_61:7')}") is None


def test_a_new_link_ends_the_trainer_s_badge() -> None:
    badge = MINE.of_trainer()
    assert MINE.is_trainer(badge)
    assert MINE.opens("the secret of a link")
    anew = Badges("the secret of a class", "the secret of another link")
    for other in ("", MINE.of("zoë", "7f"), "the secret of a link", anew.of_trainer(), "é"):
        assert not MINE.is_trainer(other)
    for other in ("", badge, "the secret of another link", "é", "\ud800"):
        assert not MINE.opens(other)


def test_badges_show_no_secret() -> None:
    assert repr(MINE) == "<Badges>"
