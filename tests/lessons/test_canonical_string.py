"""Lesson 03: the tiles and their picture, the requests it shows, and what its checks let pass."""

from __future__ import annotations

import random
import shutil
import subprocess
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from pusherkit import signing
from pusherkit.lessons import canonical_string as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, Event, Outcome, Practice
from pusherkit.lessons.kit.source import solution_of
from pusherkit.lessons.kit.view import to_text
from tests.lessons.test_registry import code_cells, notebook

# --- the tiles ------------------------------------------------------------------------------------

RIGHT = ("newline 1", "newline 2", "")


def put_together(*gaps: str, **choices: str) -> Any:
    """The widget after tiles were dropped into its gaps, and the text was sent."""
    made = lesson.tiles()
    for number, tile in enumerate(gaps):
        if tile:
            made.hear(Event("drag", tile, x=40, y=40, over=f"gap{number}"))
            made.hear(Event("drop", tile, over=f"gap{number}"))
    made.set(**choices)
    made.press("strip")
    return made


def test_newlines_in_both_gaps_are_accepted() -> None:
    made = put_together(*RIGHT)
    assert made.view.good is True
    assert made.view.status.startswith("Accepted (200)")
    facts = {fact.name: fact.value for fact in made.view.facts}
    assert facts["Your text"] == facts["The server's"] == "3 lines, 134 characters"
    assert facts["First difference"] == "none"


@pytest.mark.parametrize(
    ("gaps", "choices", "said", "size", "difference"),
    [
        (
            ("backslash and an n 1", "backslash and an n 2", ""),
            {},
            "there's a backslash and an n between method and path",
            "1 line, 136 characters",
            r"character 4 (counting from 0): you have \ (0x5c), the server has a newline (0x0a)",
        ),
        (
            ("carriage return and a newline 1", "carriage return and a newline 2", ""),
            {},
            "there's a carriage return and a newline between method and path",
            "3 lines, 136 characters",
            "character 4 (counting from 0): you have a carriage return (0x0d)",
        ),
        (
            ("newline 1", "newline 2", "newline 3"),
            {},
            "there's a newline at the end",
            "4 lines, 135 characters",
            "134 (counting from 0): you have a newline (0x0a), the server has nothing more",
        ),
        (("", "newline 2", ""), {}, "there's nothing between method and path", "2 lines, 133", "/"),
        (RIGHT, {"method": "post"}, "signed in capitals", "3 lines, 134", "you have p (0x70)"),
        (RIGHT, {"path": "with a ? after it"}, "the question mark", "135", "you have ? (0x3f)"),
        (RIGHT, {"path": "with a / after it"}, "without a slash", "135", "you have / (0x2f)"),
        (RIGHT, {"path": "with scheme and host"}, "scheme and host", "146", "you have h (0x68)"),
    ],
)
def test_each_mistake_is_refused_and_named(
    gaps: tuple[str, ...], choices: dict[str, str], said: str, size: str, difference: str
) -> None:
    made = put_together(*gaps, **choices)
    assert made.view.good is False
    assert said in made.view.status
    assert size in made.view.facts[0].value
    assert difference in made.view.facts[2].value
    assert "401 Invalid signature" in made.view.details[2].value


def test_more_faults_are_counted() -> None:
    made = put_together("newline 1", "newline 2", "newline 3", method="post")
    assert made.view.status.endswith("signed in capitals. (And 1 more fault.)")
    made.set(path="with a ? after it")
    assert made.view.status.endswith("(And 2 more faults.)")


def test_nothing_is_known_of_the_server_before_the_first_request() -> None:
    made = lesson.tiles()
    made.hear(Event("press", "newline 1"))
    assert made.view.good is None
    assert to_text(made.view).count("not sent yet") == 4
    rows = [fact.name for fact in made.view.facts]
    made.press("strip")
    assert [fact.name for fact in made.view.facts] == rows
    assert "not sent yet" not in to_text(made.view)


def test_tiles_are_moved_by_keys_and_by_clicks() -> None:
    made = lesson.tiles()

    def gaps() -> tuple[str, ...]:
        return tuple(made.values["strip"].gaps)

    def key(tile: str, name: str) -> None:
        made.hear(Event("key", tile, key=name))

    key("newline 1", "ArrowRight")
    assert gaps() == ("newline 1", "", "")
    key("newline 2", "ArrowRight")  # the first free gap
    assert gaps() == ("newline 1", "newline 2", "")
    key("newline 1", "ArrowRight")  # over the tile in between
    assert gaps() == ("", "newline 2", "newline 1")
    key("newline 1", "ArrowRight")  # there's no gap after the last
    assert gaps() == ("", "newline 2", "newline 1")
    key("newline 1", "ArrowLeft")
    key("newline 1", "ArrowLeft")
    assert gaps() == ("", "newline 2", "")
    made.press("newline 2")
    assert gaps() == ("", "", "")
    for tile in ("newline 1", "newline 2", "newline 3", "backslash and an n 1"):
        made.press(tile)
    assert gaps() == ("newline 1", "newline 2", "newline 3")


def test_a_tile_follows_the_pointer_and_takes_the_place_of_another() -> None:
    made = put_together(*RIGHT)
    made.hear(Event("drag", "newline 1", x=300, y=100))
    assert made.values["strip"].gaps == ("", "newline 2", "")
    assert "translate(284 85)" in made.view.picture.shapes
    made.hear(Event("drop", "newline 1", over="newline 2"))
    assert made.values["strip"].gaps == ("", "newline 1", "")
    made.hear(Event("drag", "newline 1", x=1, y=1))
    made.hear(Event("drop", "newline 1", over=""))
    assert made.values["strip"].gaps == ("", "", "")


def test_only_a_newline_breaks_the_line_in_the_picture() -> None:
    def lines(*gaps: str) -> str:
        return str(put_together(*gaps).view.picture.desc).partition("parameters: ")[2]

    assert lines(*RIGHT) == "POST / /apps/3/events / …"
    assert lines("backslash and an n 1", "backslash and an n 2") == r"POST\n/apps/3/events\n…"
    assert lines("carriage return and a newline 1") == "POST␍ / /apps/3/events…"


# --- what it shows, and to whom it answers ----------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_every_request_is_accepted_once_it_is_signed(seed: int) -> None:
    server = Practice()
    calls = [*lesson._calls(random.Random(seed)), *lesson._typed(random.Random(seed))]
    for method, path, params in calls:
        own = [pair for pair in params if not pair[0].startswith(("auth_", "body_md5"))]
        body = lesson.BODY if method.upper() == "POST" else b""
        now = lesson.EXAMPLE_TIMESTAMP
        signed = signing.sign(EXAMPLE_CREDENTIALS, method, path, own, body, timestamp=now)
        answer = server.http.request(method, path, params=signed.query, content=body)
        assert answer.status_code == 200, answer.text


def test_the_request_line_shown_is_accepted_and_makes_the_server_s_text() -> None:
    method, target, _ = lesson.REQUEST_LINE.split(" ")
    server = Practice()
    assert server.http.request(method, target).status_code == 200
    made = lesson.as_the_server.solve(lesson.REQUEST_LINE)
    query = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    assert made == signing.canonical_string(method, "/apps/3/channels", query)
    assert "note=&" in made


def test_the_text_in_the_notebook_is_the_one_that_is_signed() -> None:
    title = notebook(lesson.lesson).cells[0].source
    assert lesson.THEIRS.partition("body_md5=")[0] in title


def test_lesson_02_s_function_is_shown_as_it_is_used() -> None:
    shown = next(cell for cell in code_cells(lesson.lesson) if "def signed_parameters" in cell)
    used = solution_of(lesson.signed_parameters)
    assert shown.split("\n")[1:] == used.rstrip().split("\n")[1:]


@pytest.mark.parametrize("seed", range(5))
def test_the_keeper_makes_what_the_package_makes(seed: int) -> None:
    for call in lesson._calls(random.Random(seed)):
        assert lesson.canonical_string.solve(*call) == signing.canonical_string(*call)


@pytest.mark.skipif(not shutil.which("bash"), reason="there's no bash on this machine")
def test_bash_agrees_on_which_line_is_right() -> None:
    def signed(line: str) -> str:
        script = f'sign() {{ cat; }}; path=/apps/3/events; query="{lesson.QUERY}"; {line}'
        ran = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
        return ran.stdout.decode()

    texts = {letter: signed(line) for letter, line in lesson.LINES_OF_BASH.items()}
    assert [letter for letter, text in texts.items() if text == lesson.THEIRS] == ["C"]
    assert texts["A"] == texts["D"] == lesson.THEIRS + "\n"
    assert texts["B"] == lesson.THEIRS.replace("\n", r"\n") + "\n"
    kims = r'text="POST\n/apps/3/events\n$query"; echo -e "$text"; printf "%s" "$text" | sign'
    assert signed(kims) == f"{lesson.THEIRS}\n" + lesson.THEIRS.replace("\n", r"\n")


# --- the exercises --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("between", "said"),
    [
        ("", "There's nothing between the parts."),
        (" ", "joined with spaces"),
        ("&", "joined with &"),
        ("\r\n", "a carriage return before each newline"),
        ("\n\n", "The first"),
    ],
)
def test_parts_joined_with_something_else_are_named(between: str, said: str) -> None:
    def joined(method: str, path: str, params: Any) -> str:
        return between.join([method.upper(), path, lesson.signed_parameters(params)])

    feedback = lesson.canonical_string.check(joined)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_parameter_has_no_line_of_its_own() -> None:
    feedback = lesson.canonical_string.check(
        lambda *call: lesson.canonical_string.solve(*call).replace("&", "\n")
    )
    assert feedback.message.startswith("Each parameter has a line of its own")


@pytest.mark.parametrize("letter", ["a", "", "printf"])
def test_only_a_letter_answers_the_question_about_bash(letter: Any) -> None:
    feedback = lesson.right_line.check(letter)
    assert feedback.outcome is Outcome.WRONG
    assert "one of the capital letters" in feedback.message


def test_newlines_may_be_taken_off_where_spaces_stay() -> None:
    def to_sign(*call: Any) -> str:
        return f"\n{lesson.to_sign.solve(*call)}\n".strip("\n")

    assert lesson.to_sign.check(to_sign).outcome is Outcome.PASSED


def test_the_broken_function_is_right_but_for_the_space() -> None:
    first, second, third = lesson._typed(random.Random(1))
    for call, right in ((first, True), (second, False), (third, True)):
        assert (lesson.broken_to_sign(*call) == lesson.to_sign.solve(*call)) is right


def test_each_slip_to_be_found_is_another_one_and_is_refused() -> None:
    pairs = list(lesson._refused(random.Random(1)))
    assert len(pairs) == 5
    for line, signed in pairs:
        text, at = lesson.prove_it.solve(line, signed)
        assert text != signed
        assert text[:at] == signed[:at]
        assert text[at : at + 1] != signed[at : at + 1]
