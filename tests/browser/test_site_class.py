"""A class with browsers only, as everybody in it sees it: two learners, the wall, and the trainer.

`pusherkit wall --site` runs as a trainer starts it. The site is built anew for that, which needs
node and npm; the variable BUILT_SITE names one that's built already.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OPEN, RUN_ALL
from tests.browser.test_site import (
    ANSWER,
    ASK,
    CODE,
    LAPTOP,
    PHONE,
    PYTHON_MILLISECONDS,
    build,
    exercise_of,
)

pytestmark = pytest.mark.slow  # building the site alone takes half a minute
ROOT = Path(__file__).parents[2]
LESSON = ROOT / "notebooks" / "00-start-here.ipynb"
OPENING = 7  # lines that the command prints once it's up
TITLE = "Friday <class>"
STATUS = "async path => (await fetch(path)).status"
OVERHANG = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WHO = """
import os
print(sorted(name for name in os.environ if name.startswith("PUSHER")), os.environ["PUSHER_KEY"])
"""
AS_ANOTHER = """
import os
from pusherkit import Client, Credentials, Unauthorized
zoe = Credentials.from_env({**os.environ, "PUSHER_KEY": "Zo_c3_ab"})
try:
    Client(zoe).trigger("order-41", "x", 1)
except Unauthorized as error:
    print(error.status_code)
"""
ELSEWHERE = """
from pusherkit import Client, Credentials, NoSockets
try:
    Client(Credentials.from_env(), base_url="https://example.com")
except NoSockets as error:
    print("NoSockets")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a built site."""
    if built := os.environ.get("BUILT_SITE"):
        return Path(built).absolute()
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture
def opening(site: Path, tmp_path: Path) -> Iterator[str]:
    """What the command prints; it runs as long as the test does."""
    command = [sys.executable, "-m", "pusherkit", "wall", "--site", site, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", tmp_path / "data", "--title", TITLE],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    yield "".join(process.stdout.readline() for _ in range(OPENING))
    process.terminate()
    said, _ = process.communicate(timeout=15)
    assert (process.returncode, said) == (0, "")


@dataclass
class Visitor:
    """Somebody's own browser, and what it complained about."""

    page: Any
    problems: list[str] = field(default_factory=list)

    def asks(self, code: str) -> str:
        """What the open lesson's Python prints."""
        return str(self.page.evaluate(ASK, code)).strip()

    def joins(self, url: str, name: str) -> None:
        self.page.goto(url)
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Join").click()

    def opens_lesson(self) -> None:
        """Open lesson 00 from the page that says what to do, and run it."""
        page = self.page
        page.get_by_role("link", name="Start lesson 00").click()
        page.wait_for_function("!!window.jupyterapp")
        page.evaluate("() => window.jupyterapp.restored")
        page.evaluate(OPEN, LESSON.name)
        assert page.evaluate(RUN_ALL) == []
        page.get_by_role("button", name="Send to the wall").wait_for()


@pytest.fixture
def visitor(browser: Any) -> Iterator[Callable[..., Visitor]]:
    """Each call is a fresh browser. Nothing may be asked of anybody else, and nothing complain."""
    made: list[tuple[Any, Visitor]] = []

    def visitor(**options: Any) -> Visitor:
        context = browser.new_context(viewport=LAPTOP, **options)
        page = context.new_page()
        page.set_default_timeout(PYTHON_MILLISECONDS)
        one = Visitor(page)
        page.on("console", lambda m: one.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: one.problems.append(str(error)))
        own = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else one.problems.append(r.url))
        made.append((context, one))
        return one

    yield visitor
    problems = [one.problems for _, one in made]
    for context, _ in made:
        context.close()
    assert problems == [[] for _ in made]


def addresses(opening: str) -> tuple[str, str, str]:
    """The learners' address, the wall's and the trainer's link."""
    learners, wall, trainer = re.findall(r"http://127\S+", opening)
    return learners, wall, trainer


def test_a_class_needs_nothing_but_browsers(
    opening: str, visitor: Callable[..., Visitor], expect: Any, pictures: Path
) -> None:
    address, wall_address, link = addresses(opening)
    wall, trainer = visitor(color_scheme="dark").page, visitor().page
    wall.goto(wall_address)
    trainer.goto(link)
    assert trainer.url == f"{address}wall/trainer"
    expect(trainer.get_by_role("heading", name=TITLE)).to_be_visible()

    zoe, adam = visitor(), visitor(color_scheme="dark")
    zoe.joins(address, "Zoë")
    expect(zoe.page.get_by_role("heading", name="You're in, Zoë")).to_be_visible()
    zoe.page.screenshot(path=pictures / "class-joined-light.png")
    adam.joins(address, "ZOË")
    expect(adam.page.get_by_role("alert")).to_contain_text("Zoë is in this class already")
    adam.page.screenshot(path=pictures / "class-taken-dark.png")
    adam.problems.clear()  # Chromium calls a 409 an error
    adam.page.get_by_label("Your name").fill("Adam")
    adam.page.get_by_role("button", name="Join").click()
    expect(adam.page.get_by_role("heading", name="You're in, Adam")).to_be_visible()

    zoe.opens_lesson()
    zoe.page.get_by_role("textbox", name="Status").fill("from a tab")
    zoe.page.get_by_role("button", name="Send to the wall").click()
    expect(zoe.page.get_by_text("on the wall, under your name")).to_be_visible()
    expect(wall.get_by_text("from a tab").first).to_be_visible()
    source, solved, exercise = exercise_of(LESSON, zoe.page.evaluate(CODE))
    zoe.page.evaluate(ANSWER, [source, solved])
    learners = trainer.locator("#grid tbody tr")
    expect(learners.filter(has_text="Zoë").locator(".count").first).to_have_text("1")  # passed
    zoe.page.screenshot(path=pictures / "class-lesson-light.png")

    adam.opens_lesson()
    expect(learners.filter(has_text="Adam")).to_be_visible()
    names = "['PUSHERKIT_CLASS', 'PUSHER_APP_ID', 'PUSHER_HOST', 'PUSHER_KEY', 'PUSHER_SECRET']"
    assert adam.asks(WHO) == f"{names} Adam"
    assert adam.asks(AS_ANOTHER) == "401"
    assert adam.asks(ELSEWHERE) == "NoSockets"
    expect(wall.get_by_text("auth_signature").first).to_be_visible()
    for path in ("trainer", "trainer/export.csv"):
        assert adam.page.evaluate(STATUS, f"/wall/{path}") == 403
    adam.problems = [each for each in adam.problems if not re.search("401|403", each)]
    wall.screenshot(path=pictures / "class-wall-dark.png")
    trainer.screenshot(path=pictures / "class-trainer-light.png")

    # The same browser is the same learner, as far as they got.
    zoe.page.goto(address)
    expect(zoe.page.get_by_text("You’re Zoë in Friday <class>")).to_be_visible()
    assert "stays on your machine" not in zoe.page.inner_text("main")
    zoe.page.screenshot(path=pictures / "class-landing-light.png")
    zoe.page.set_viewport_size(PHONE)
    for path in ("", "join"):
        zoe.page.goto(address + path)
        assert zoe.page.evaluate(OVERHANG) <= 0
    zoe.page.screenshot(path=pictures / "class-joined-phone.png")
    assert exercise.name.startswith("start_here.")


def test_without_a_class_the_site_mentions_none(site: Path) -> None:
    """A plain site has the settings it was built with."""
    assert "PUSHER" not in (site / "jupyter-lite.json").read_text(encoding="utf-8")
    assert "stays on your machine" in (site / "index.html").read_text(encoding="utf-8")
