"""Lesson 03: the assembler, the recall questions, the prediction, the texts to tell apart."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from pusherkit.lessons import canonical_string
from pusherkit.lessons._exercise import Outcome
from pusherkit.signing import canonical_string as right_string


@pytest.mark.parametrize(
    ("make", "drive"),
    [
        (canonical_string.recall_order, lambda made: made.choose("Capitals first")),
        (canonical_string.recall_body, lambda made: made.choose("Its length")),
        (canonical_string.predict, lambda made: made.choose("It accepts the request")),
        (canonical_string.assembler, lambda made: None),
    ],
)
def test_twins(make: Any, drive: Any, check_twin: Callable[..., None]) -> None:
    check_twin(make, drive)


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (canonical_string.recall_order, "Sorted by lower-case key"),
        (canonical_string.recall_body, "Its MD5"),
        (canonical_string.predict, "It refuses: 401"),
    ],
)
def test_the_code_says_what_the_lesson_says(make: Any, right: str) -> None:
    made = make()
    made.choose(right)
    assert "✓ As predicted." in made.display.value


# --- the assembler ----------------------------------------------------------------------------

RIGHT = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"  # published


def shown(made: Any) -> str:
    """What the View says, without its marks."""
    return html.unescape(re.sub(r"<[^>]+>", "", made.display.value.split("</style>")[1]))


def marked(made: Any) -> list[str]:
    """What the View points at."""
    return [html.unescape(mark) for mark in re.findall(r"<mark>(.*?)</mark>", made.display.value)]


def right_one() -> Any:
    made = canonical_string.assembler()
    made.between.value = "real newline"
    return made


def test_real_newlines_give_the_published_signature() -> None:
    made = right_one()
    assert shown(made).count(RIGHT) == 2
    assert "200 {}" in shown(made)
    assert "✓ Accepted: three lines, and the same bytes." in shown(made)
    assert "none: the bytes are the same" in shown(made)
    assert shown(made).count("3 lines, 134 characters, 134 bytes") == 2
    assert marked(made) == []


@pytest.mark.parametrize(
    ("change", "signature", "said", "difference", "size"),
    [
        # The signatures were measured with another implementation.
        ({"between": r"literal \n"}, "ef728567", "two characters", "0x5c backslash", "1 line, 136"),
        ({"between": "CRLF"}, "127823eb", "carriage return", "0x0d carriage return", "3 lines"),
        ({"between": "space"}, "", "joined with spaces", "0x20 ' '", "1 line, 134"),
        ({"at_end": True}, "e763e996", "no newline either", "0x0a newline", "4 lines, 135"),
        ({"method": "post"}, "589ea878", "in upper case", "0x70 'p'", "3 lines, 134"),
        ({"method": "GET"}, "27e16ce9", "goes out as POST", "0x47 'G'", "3 lines, 133"),
        ({"method": " POST"}, "", "around the method", "0x20 ' '", "3 lines, 135"),
        ({"method": ""}, "", "goes out as POST", "0x0a newline", "3 lines, 130"),
        ({"path": "/apps/3/events?"}, "4c42f882", "question mark", "0x3f '?'", "3 lines, 135"),
        ({"path": "/apps/3/events/"}, "97fd9426", "slash at its end", "0x2f '/'", "3 lines, 135"),
        ({"path": "/apps/3/events "}, "", "around the path", "0x20 ' '", "3 lines, 135"),
        ({"path": "https://a.example/apps/3/events"}, "", "scheme and host", "0x68 'h'", "3 lines"),
        ({"path": ""}, "", "goes to /apps/3/events", "0x0a newline", "3 lines, 120"),
        ({"path": "☕"}, "", "goes to /apps/3/events", "0xe2", "121 characters, 123 bytes"),
    ],
)
def test_each_change_is_refused_and_explained(
    change: dict[str, Any], signature: str, said: str, difference: str, size: str
) -> None:
    made = right_one()
    for name, value in change.items():
        getattr(made, name).value = value
    assert f"Your signature{signature}" in shown(made)
    assert RIGHT in shown(made)  # the server's
    assert "401 Invalid signature" in shown(made)
    assert f"you have {difference}" in shown(made)
    assert size in shown(made)
    assert said in shown(made).split("✗ Refused. ")[1]


def test_the_marks_stand_on_the_first_difference_in_both_texts() -> None:
    made = canonical_string.assembler()
    assert marked(made) == ["\\", "⏎"]
    made.between.value = "CRLF"
    assert marked(made) == ["←", "⏎"]
    made.between.value = "real newline"
    made.path.value = "/apps/4/events"
    assert marked(made) == ["4", "3"]
    made.path.value = "/apps/3/events"
    made.at_end.value = True
    assert marked(made) == ["⏎", ""]  # the right text has ended there


@pytest.mark.parametrize("name", ["method", "path"])
@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "☕ Zażółć", "\ud83d", "\x00", "'\"\\", "\n\r\t", "{}", "%s"),
        *("<img src=x onerror=alert(1)>", "x" * 200_000, "☕" * 1_000),
    ],
)
def test_whatever_is_typed_is_shown_and_refused(name: str, text: str) -> None:
    made = right_one()
    getattr(made, name).value = text
    assert "✗ Refused. " in made.display.value
    assert "<img" not in made.display.value
    assert len(made.display.value) < 12_000
    getattr(made, name).value = {"method": "POST", "path": "/apps/3/events"}[name]
    assert "✓ Accepted" in made.display.value


def test_several_mistakes_have_several_reasons() -> None:
    made = canonical_string.assembler()
    made.method.value, made.path.value, made.at_end.value = "post", "/apps/3/events/", True
    for said in ("in upper case", "slash at its end", "two characters", "no newline either"):
        assert said in shown(made).split("✗ Refused.")[1]


def test_line_ends_can_be_seen() -> None:
    assert canonical_string.visible("a\nb\r\nc\t d") == "a⏎\nb←⏎\nc⇥␣d"
    assert canonical_string.size("é\n") == "2 lines, 2 characters, 3 bytes"
    assert canonical_string.size(r"\n") == "1 line, 2 characters, 2 bytes"


# --- the exercises ----------------------------------------------------------------------------


def test_one_of_the_five_texts_is_right() -> None:
    params = [("info", "user_count"), ("auth_version", "1.0"), ("auth_key", "5f1e0c")]
    params.append(("auth_timestamp", "1353088179"))
    right = right_string("GET", "/apps/9/channels", params)
    assert [letter for letter, text in canonical_string.TEXTS.items() if text == right] == ["D"]
    assert len(set(canonical_string.TEXTS.values())) == 5


@pytest.mark.parametrize("answer", ["d", "F", "", 4, canonical_string.TEXTS["D"]])
def test_only_the_letter_is_an_answer(answer: Any) -> None:
    assert canonical_string.which_text.check(answer).outcome is Outcome.WRONG


def test_newlines_may_be_taken_off_where_spaces_stay() -> None:
    def to_sign(method: str, path: str, query: str) -> str:
        return f"\n{method}\n{path}\n{query}\n".strip("\n")

    assert canonical_string.mend.check(to_sign).outcome is Outcome.RIGHT
