"""Whose key is whose."""

from __future__ import annotations

import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusherkit.classroom.roster import CLASS_APP_ID, MAX_KEY, MAX_NAME, Roster
from pusherkit.errors import InvalidCredentials

SECRET = "the secret of a class that's only for tests"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def locals_below_here(caught):
    """The values of the local variables that a traceback would show, except the test's own."""
    _, *frames = caught.traceback
    return [value for each in frames for value in each.frame.raw.f_locals.values()]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ann", "ann"),
        ("ann.lee-2", "ann.lee-2"),
        ("ann_lee", "ann_5flee"),
        ("zoë", "zo_c3_ab"),
        ("ann@example.com", "ann_40example.com"),
        ("Ann", "Ann"),
        ("名", "_e5_90_8d"),
        ("<b>", "_3cb_3e"),
        ("a/b?c#d", "a_2fb_3fc_23d"),
    ],
)
def test_a_name_and_its_key(name, key):
    assert Roster.key_of(name) == key
    assert Roster.name_of(key) == name


@given(NAMES)
def test_every_name_can_be_read_from_its_key(name):
    key = Roster.key_of(name)
    assert re.fullmatch("[A-Za-z0-9._-]+", key)
    assert Roster.name_of(key) == name


@given(st.text("ab_0c3f.é/", max_size=12))
def test_no_two_keys_have_the_same_name(key):
    name = Roster.name_of(key)
    assert name is None or Roster.key_of(name) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "_",
        "a_4",
        "_61",  # a's key is a
        "_C3_AB",  # lower case only
        "_zz",
        "_ff",  # not UTF-8
        "zoë",
        "a b",
        "a\n",
        "a" * (MAX_NAME + 1),
        "a" * (MAX_KEY + 1),
    ],
)
def test_a_text_that_cannot_be_a_key(key):
    assert Roster.name_of(key) is None
    assert Roster(SECRET).find(key) is None


def test_the_longest_name():
    name = "\N{GRINNING FACE}" * MAX_NAME
    assert len(Roster.key_of(name)) == MAX_KEY
    assert Roster.name_of(Roster.key_of(name)) == name


@pytest.mark.parametrize("name", ["", "a" * (MAX_NAME + 1), "a\ud800"])
def test_what_cannot_be_a_name(name):
    with pytest.raises(InvalidCredentials, match=f"expected 1 to {MAX_NAME} characters"):
        Roster.key_of(name)


def test_credentials_are_made_from_the_name_and_the_class_secret():
    roster = Roster(SECRET)
    mine = roster.credentials("zoë", "http://127.0.0.1:8090")
    digest = hmac.new(SECRET.encode(), b"pusherkit class key: zo_c3_ab", hashlib.sha256)
    assert (mine.app_id, mine.key, mine.secret) == (
        CLASS_APP_ID,
        "zo_c3_ab",
        digest.hexdigest()[:32],
    )
    assert mine.base_url == "http://127.0.0.1:8090"
    found = roster.find("zo_c3_ab")
    assert found is not None
    assert found.secret == mine.secret
    assert roster.credentials("ann").secret != mine.secret
    assert Roster(SECRET + "!").credentials("zoë").secret != mine.secret


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("guessable", "at least 32 characters, got 9"),
        ("", "got 0"),
        (f" {SECRET}", "white space or quotes"),
        (f'"{SECRET}"', "white space or quotes"),
        (SECRET + "\udcff", "UTF-8"),
    ],
)
def test_a_class_secret_that_cannot_be_used_is_refused_without_being_repeated(secret, said):
    with pytest.raises(InvalidCredentials, match=said) as caught:
        Roster(secret)
    assert secret not in locals_below_here(caught)
    assert not secret or secret not in str(caught.value)


def test_the_secret_is_in_no_repr():
    roster = Roster(SECRET)
    assert SECRET not in repr(roster)
    assert roster.credentials("ann").secret not in repr(roster.credentials("ann"))


def test_no_traceback_shows_a_learners_secret():
    roster = Roster(SECRET)
    secret = roster.credentials("ann").secret
    with pytest.raises(InvalidCredentials) as caught:
        roster.credentials("ann", "not a host")
    assert secret not in locals_below_here(caught)


def test_the_cookies_of_a_class_have_a_secret_of_their_own():
    assert Roster(SECRET).cookie_secret() == Roster(SECRET).cookie_secret()
    assert Roster(SECRET + "!").cookie_secret() != Roster(SECRET).cookie_secret()
