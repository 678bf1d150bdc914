"""Write the tables of docs/trainers.md: the time plans, the votes, and what the cards will say.

    python scripts/trainers_page.py

They come from the notebooks and from the lessons' own registry. Everything else on the page is
written by hand, around the places that begin with <!-- made: … --> and end with <!-- /made -->.
"""

from __future__ import annotations

import ast
import functools
import html
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat

from pusherkit.lessons.kit.exercise import Exercise
from pusherkit.lessons.kit.lesson import Lesson, lessons

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "trainers.md"
NOTEBOOKS = ROOT / "notebooks"
PLACE = re.compile(r"(<!-- made: ([^\n]+?) -->\n).*?(<!-- /made -->)", flags=re.S)
START = 9 * 60  # minutes after midnight: when a plan begins
LONGEST_ANSWER = 76  # characters of code in a table
FEWEST_WORDS = 4  # of a sentence that tells a reader something without its values

Item = str | tuple[str, int]  # a lesson's number, or something else and its minutes
PLANS: dict[str, list[Item]] = {
    "half a day": [
        ("Welcome: who is here, and does everybody's notebook run?", 10),
        *("00", "01"),
        ("Break", 15),
        *("02", "03"),
        ("Break", 10),
        *("04", "05"),
        ("What each takes home: a `my_pusher.py` that publishes", 5),
    ],
    "a day": [
        ("Welcome: who is here, and does everybody's notebook run?", 10),
        *("00", "01"),
        ("Break", 15),
        *("02", "03"),
        ("Break", 10),
        *("04", "05"),
        ("Lunch", 60),
        *("06", "08"),
        ("Break", 15),
        ("A round of sabotage: `pusherkit clinic --seed 41`, the same queue for everybody", 40),
        ("Each reads out one surprise; questions", 15),
    ],
    "a second day": [
        ("Yesterday, from memory: six stages, three questions", 10),
        "07",
        ("Break", 15),
        *("09", "10"),
        ("Lunch", 60),
        "11",
        ("Break", 15),
        "12",
        ("Each shows one thing from their page of the clinic", 15),
    ],
}


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """The page with every made place made again."""
    return PLACE.sub(lambda found: f"{found[1]}{made(found[2])}{found[3]}", text)


def made(what: str) -> str:
    """What belongs into a place: a plan, or for a lesson's number its votes and its mistakes."""
    if what in PLANS:
        return "\n".join(plan(what)) + "\n"
    of_number = [each for each in lessons() if each.name.startswith(what)]
    return "\n".join(line for each in of_number for line in of_lesson(each)) + "\n"


def places(text: str) -> list[str]:
    """The names of the page's made places, in order."""
    return [found[2] for found in PLACE.finditer(text)]


# --- the time plans -----------------------------------------------------------------------------


def header(number: str) -> Any:
    """The first cell of a lesson's notebook; None if there is no lesson of that number yet."""
    for file in sorted(NOTEBOOKS.glob(f"{number}-*.ipynb")):
        return nbformat.read(file, as_version=4).cells[0].source
    return None


def minutes_of(number: str) -> int:
    """How long a lesson takes, as its own notebook says; 0 if it isn't there yet."""
    found = re.search(r"\*\*Time\*\* (\d+) minutes", header(number) or "")
    return int(found[1]) if found else 0


def title_of(number: str) -> str:
    """A lesson's title, as its notebook has it: "01 · The body is bytes"."""
    return str(header(number)).partition("\n")[0].removeprefix("# ")


def items(name: str) -> list[tuple[str, int, bool]]:
    """What a plan consists of: what happens, its minutes, and whether it is a lesson."""
    found = []
    for each in PLANS[name]:
        if isinstance(each, tuple):
            found.append((*each, False))
        elif minutes := minutes_of(each):
            found.append((title_of(each), minutes, True))
    return found


def plan(name: str) -> Iterator[str]:
    """A plan as a table, whose times begin at nine, and its sum."""
    yield "| from | minutes | |"
    yield "| --- | ---: | --- |"
    at = START
    for what, minutes, is_lesson in items(name):
        yield f"| {clock(at)} | {minutes} | {f'**{what}**' if is_lesson else what} |"
        at += minutes
    in_lessons = sum(minutes for _, minutes, is_lesson in items(name) if is_lesson)
    yield f"| {clock(at)} | **{at - START}** | {in_lessons} of them in lessons |"


def clock(minutes: int) -> str:
    """Minutes after midnight as a time of day."""
    return f"{minutes // 60}:{minutes % 60:02}"


# --- a lesson -----------------------------------------------------------------------------------


def of_lesson(lesson: Lesson) -> Iterator[str]:
    """A lesson's votes and recall, then what its cards say to wrong answers, folded away."""
    for question in lesson.predictions.values():
        right = question.right()
        yield f"**Show of hands.** {plain(question.question)}\n"
        for option, said in question.options.items():
            mark = "**" if option == right else ""
            yield f"- {mark}{plain(option)}{mark}: {plain(said)}"
        yield f"\n*Because:* {plain(question.why)}\n"
    for question in lesson.recalls.values():
        yield f"**From memory.** {plain(question.question)} *{plain(question.right())}.*\n"
    rows = [row for exercise in lesson.exercises.values() for row in rows_of(exercise)]
    yield f"<details><summary>What the cards say: {len(rows)} mistakes</summary>\n"
    yield "| exercise | the card, and an answer that gets it |"
    yield "| --- | --- |"
    yield from rows
    yield "\n</details>\n"


def rows_of(exercise: Exercise) -> Iterator[str]:
    """A row for each mistake that an exercise knows: its name once, then sentence and answer."""
    messages = [each.message for each in exercise.wrongs]
    answers = dict(zip(messages, answers_to(exercise), strict=True))
    name = f"`{exercise.function}`"
    for mistake in exercise.mistakes():
        if len(re.findall(r"\w+", mistake.message)) < FEWEST_WORDS:
            continue
        code = answers.get(mistake.message, "")
        answer = f" – {as_code(code)}" if code else ""
        yield f"| {name} | {plain(mistake.message)}{answer} |"
        name = ""


def answers_to(exercise: Exercise) -> list[str]:
    """The code of each prepared wrong answer; "" for one that isn't a short expression."""
    found = _prepared(exercise.solve.__module__).get(exercise.function, [])
    if len(found) != len(exercise.wrongs):  # some are made in a loop
        return [""] * len(exercise.wrongs)
    return [_short(node) for node in found]


@functools.cache
def _prepared(module: str) -> dict[str, list[ast.expr]]:
    """The second argument of each `NAME.wrong(message, answer)` in a lesson's module, by name."""
    found: dict[str, list[ast.expr]] = {}
    calls = ast.walk(ast.parse(inspect.getsource(sys.modules[module])))
    for node in (each for each in calls if isinstance(each, ast.Call) and len(each.args) == 2):
        name, _, method = ast.unparse(node.func).rpartition(".")
        if method == "wrong":
            found.setdefault(name, []).append(node.args[1])
    return found


def _short(node: ast.expr) -> str:
    """An expression in one line, or what a lambda returns; "" if nobody could read it there."""
    text = ast.unparse(node.body if isinstance(node, ast.Lambda) else node)
    is_obscure = len(text) > LONGEST_ANSWER or re.search(r"\b_[a-z]|\*a\b|\.solve\b", text)
    return "" if is_obscure else text


def as_code(text: str) -> str:
    """A text as code in a table of Markdown."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}".replace("|", "\\|")


def plain(text: str) -> str:
    """A lesson's sentence in Markdown: in one line, and only its backticks mean something."""
    pieces = text.replace("\n", " ").split("`")
    for number in range(0, len(pieces), 2):
        pieces[number] = re.sub(r"[\\*_\[\]]", r"\\\g<0>", html.escape(pieces[number], quote=False))
    return "`".join(pieces).replace("|", "\\|")


if __name__ == "__main__":
    main()
