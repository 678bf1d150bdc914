"""docs/trainers.md: its tables are the lessons' own, its minutes add up, its plans hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pusherkit._progress import in_words, report
from pusherkit.lessons.kit.lesson import lessons
from pusherkit.lessons.kit.progress import FILE, Progress
from scripts import trainers_page

PAGE = trainers_page.PAGE.read_text(encoding="utf-8")
LONGEST = {"half a day": 270, "a day": 480, "a second day": 480}  # minutes, breaks included
NUMBERS = sorted(path.name[:2] for path in trainers_page.NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))


def test_the_page_is_the_one_that_the_lessons_make() -> None:
    assert trainers_page.page(PAGE) == PAGE, "run python scripts/trainers_page.py"


def test_every_lesson_and_every_plan_has_its_place() -> None:
    assert set(trainers_page.places(PAGE)) >= {*NUMBERS, *trainers_page.PLANS}
    sections = re.findall(r"^### (\d\d) · ", PAGE, flags=re.M)
    assert set(sections) >= set(NUMBERS)
    for section in re.split(r"^##+ (?=\d\d · )", PAGE, flags=re.M)[1:]:
        prose = trainers_page.PLACE.sub("", section)
        assert "**Say:**" in prose
        assert "**Talk about it**" in prose
        assert len(re.findall(r"^- \*.+?\?\* ", prose, flags=re.M)) >= 2, section[:20]


@pytest.mark.parametrize("name", trainers_page.PLANS)
def test_the_minutes_add_up_and_come_from_the_lessons(name: str) -> None:
    (place,) = (found for found in trainers_page.PLACE.finditer(PAGE) if found[2] == name)
    rows = re.findall(r"^\| (\d+):(\d\d) \| (\**\d+\**) \| (.*) \|$", place[0], flags=re.M)
    *steps, last = rows
    at = 9 * 60
    for hour, minute, takes, what in steps:
        assert int(hour) * 60 + int(minute) == at
        at += int(takes)
        if lesson := re.match(r"\*\*(\d\d) · ", what):
            assert int(takes) == trainers_page.minutes_of(lesson[1])
    assert last[2] == f"**{at - 9 * 60}**"
    assert at - 9 * 60 <= LONGEST[name]


def test_whoever_follows_a_plan_has_what_each_lesson_needs() -> None:
    plans = trainers_page.PLANS
    for plan in (plans["half a day"], [*plans["a day"], *plans["a second day"]]):
        done: set[str] = set()
        for number in (each for each in plan if isinstance(each, str)):
            needs = re.search(r"\*\*You need\*\* (.*)", trainers_page.header(number) or "")
            for needed in re.findall(r"\]\((\d\d)-", needs[1] if needs else ""):
                assert needed in done, f"{number} needs {needed}"
            done.add(number)
    assert done >= set(NUMBERS), "in no plan"


def test_every_prepared_mistake_is_on_the_page() -> None:
    for lesson in lessons():
        for exercise in lesson.exercises.values():
            for wrong in exercise.wrongs:
                assert f"| {trainers_page.plain(wrong.message)} " in PAGE


def test_the_progress_that_is_shown_is_what_is_printed(tmp_path: Path) -> None:
    progress = Progress(tmp_path / FILE)
    for _ in range(2):
        progress.failed("body_is_bytes.body_md5", "the-digits-are-right-but-in-capitals-the")
    progress.passed("body_is_bytes.body_md5")
    progress.predicted("body_is_bytes.printed", "Yes, they belong together", False)
    (shown,) = re.findall(r"^\$ pusherkit progress\n(.*?)```", PAGE, flags=re.M | re.S)
    assert in_words(report([tmp_path / FILE]), 80).startswith(shown.rstrip())


def test_a_lesson_of_a_number_that_is_not_there_yet_takes_no_room() -> None:
    assert trainers_page.made("99") == "\n"
    assert trainers_page.minutes_of("99") == 0


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a_b*c [d] <e> | \\", r"a\_b\*c \[d\] &lt;e&gt; \| \\"),
        ("leave `a_b|c` alone", r"leave `a_b\|c` alone"),
        ("two\nlines", "two lines"),
    ],
)
def test_a_sentence_means_the_same_in_markdown(text: str, markdown: str) -> None:
    assert trainers_page.plain(text) == markdown
