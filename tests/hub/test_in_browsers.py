"""A class in real browsers: two learners in their lessons, the trainer's view, the projected wall.

All of it goes through the hub's proxy, under a base URL that isn't "/". The tests share one class,
whose pages stay open throughout: what a test did is there for the next one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import (
    LAPTOP,
    STEP_MILLISECONDS,
    Lab,
    Lesson,
    browser,
    chromium,
    expect,
    how_to_launch,
    pictures,
    playwright,
)

from .conftest import START_SECONDS
from .test_class import family, hub_of, wait_for

if TYPE_CHECKING:
    from .conftest import OpenClass, Room

pytestmark = pytest.mark.slow
__all__ = ["browser", "chromium", "expect", "how_to_launch", "pictures", "playwright"]

ZOE, OHARA = "zoë", "Ann O’Hara"
FIRST, CLINIC = "00-start-here.ipynb", "12-the-clinic.ipynb"
MAP, SEND, CALLS = "lesson.map()", "lesson.send_status()", "lesson.calls()"
ANNOUNCE = "lesson.announce.check(announce)"
WRONG = "return client.trigger('status', 'order-41', 'x')"
RIGHT = "return client.trigger('order-41', 'status', {'status': 'out for delivery'})"
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
BACK_MILLISECONDS = 60_000  # until a page is back: the program that restarts, and a page's pause

RECONNECT_MILLISECONDS = 130_000  # 1 + 3 + 7 + 15 + 31 + 63 s: all of JupyterLab's pauses at most

CONNECTED = """() =>
  window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.connectionStatus ===
    'connected'"""
RUN = """async code => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const { content } = await kernel.requestExecute({ code }).done;
  return content.status;
}"""
PASSED = """
from pusherkit.lessons.kit.progress import PROGRESS
assert "start_here.announce" in PROGRESS.read().passed
"""
RESTART_KERNEL = """async () => {
  const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
  await session.kernel.restart();
  await session.kernel.info;
}"""


@dataclass
class Scene:
    """A running class, and everybody's open page."""

    room: Room
    wall: Any
    trainer: Any
    labs: dict[str, Lab] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    """What a page asked for anywhere but in the class."""

    def lesson(self, name: str) -> Lesson:
        """The notebook that somebody is looking at."""
        lab = self.labs[name]
        return Lesson(lab, lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)"))

    def row(self, name: str) -> Any:
        """Somebody's row in the trainer's view."""
        rows = self.trainer.locator("#grid tbody tr")
        return rows.filter(has=self.trainer.get_by_role("button", name=name))

    def helped(self) -> None:
        """Close the only call for help, and leave the list: under the pointer, it would stay."""
        call = self.trainer.locator("#needs > li")
        call.get_by_role("button", name="Helped").click()
        self.trainer.locator("#filter").focus()
        self.trainer.mouse.move(900, 700)
        self.trainer.locator("#needs-none").wait_for()

    def picture(self, name: str, of: Any) -> None:
        """Keep a picture of a page."""
        self.labs[ZOE].picture(f"hub-{name}", of)


def sends_to_the_wall(scene: Scene, name: str, status: str) -> None:
    """Type a status in lesson 00 and press Send to the wall."""
    card = scene.lesson(name).card(SEND)
    scene.labs[name].retype(card.get_by_label("Status"), status)
    card.get_by_role("button", name="Send to the wall").click()


@pytest.fixture(scope="module")
def scene(
    open_class: OpenClass, browser: Any, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """The trainer has both pages open, and both learners have come in by their links."""
    folder = tmp_path_factory.mktemp("browsers")
    names = folder / "names"
    names.write_text(f"{ZOE}\n{OHARA}\n", encoding="utf-8")
    for name in (ZOE, OHARA):  # the tests run cells and restart kernels as JupyterLab's menus do
        settings = folder / "class" / "homes" / name / ".jupyter" / "jupyter_lab_config.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(
            json.dumps({"LabApp": {"expose_app_in_browser": True}}), encoding="utf-8"
        )
    outside: list[str] = []
    with (
        open_class(
            folder / "class", f"--names={names}", "--title=In browsers", base_url="/a/b/"
        ) as room,
        page_of(browser, room, outside) as trainer,
        page_of(browser, room, outside) as zoe,
        page_of(browser, room, outside) as ohara,
    ):
        trainer.goto(room.link("trainer"))
        wall = trainer.context.new_page()
        wall.goto(f"{room.link('trainer')}/wall")
        made = Scene(room, wall, trainer, outside=outside)
        for name, page in ((ZOE, zoe), (OHARA, ohara)):
            page.goto(room.link(name), wait_until="commit")
            made.labs[name] = Lab(page, pictures)
        for lab in made.labs.values():
            lab.page.wait_for_selector(
                ".jp-NotebookPanel h1:has-text('Start here')", timeout=1_000 * START_SECONDS
            )
            lab.page.evaluate("() => window.jupyterapp.restored")
        yield made
        assert outside == []


@contextmanager
def page_of(browser: Any, room: Room, outside: list[str]) -> Iterator[Any]:
    """A page of a fresh browser."""
    context = browser.new_context(viewport=LAPTOP)
    page = context.new_page()
    page.set_default_timeout(STEP_MILLISECONDS)
    base = "/".join(room.url.split("/")[:3])
    own = (base, base.replace("http", "ws"), "data:", "blob:")
    context.on("request", lambda r: None if r.url.startswith(own) else outside.append(r.url))
    yield page
    context.close()


def test_wall_and_trainers_view_follow_two_learners(scene: Scene, expect: Any) -> None:
    wall, trainer = scene.wall, scene.trainer
    expect(wall.locator("#state")).to_have_text("Live")
    expect(trainer.locator("#state")).to_have_text("Live")
    for lab in scene.labs.values():
        lab.run(FIRST)
    expect(trainer.locator("#present")).to_have_text("2 of 2 here")

    # Both send, and the wall shows who sent what.
    sends_to_the_wall(scene, ZOE, "baked")
    sends_to_the_wall(scene, OHARA, "delivered")
    lines = wall.locator("#lines > li")
    expect(lines.filter(has_text=ZOE)).to_contain_text('{"status": "baked"}')
    expect(lines.filter(has_text=OHARA)).to_contain_text('{"status": "delivered"}')
    card = scene.lesson(ZOE).card(SEND)
    expect(card.get_by_role("link", name="Open the wall")).to_be_visible()

    # One is right, and one is wrong, asks for help, is helped, and is right.
    for name, code in ((ZOE, RIGHT), (OHARA, WRONG)):
        lesson = scene.lesson(name)
        lesson.rewrite(lesson.cell(ANNOUNCE), "return ...", code)
    expect(scene.row(ZOE).locator("i.passed")).to_have_count(1)
    expect(scene.row(OHARA).locator("i.tried-1")).to_have_count(1)
    card = scene.lesson(OHARA).card(ANNOUNCE)
    card.get_by_role("button", name="Ask for help").click()
    card.get_by_role("button", name="Send it", exact=True).click()
    call = trainer.locator("#needs > li")
    call.locator("summary").click()
    expect(call.locator("summary")).to_contain_text(OHARA)
    expect(call.locator("pre")).to_contain_text(WRONG)
    scene.picture("help", trainer)
    scene.helped()
    lesson = scene.lesson(OHARA)
    lesson.rewrite(lesson.cell(ANNOUNCE), WRONG[:20], RIGHT)
    expect(scene.row(OHARA).locator("i.passed")).to_have_count(1)

    # The trainer starts a round, and one of them joins it in lesson 12.
    trainer.locator("#seed").fill("8")
    trainer.get_by_role("button", name="Start a round").click()
    expect(trainer.locator("#round-open")).to_contain_text("8")
    scene.labs[ZOE].run(CLINIC)
    card = scene.lesson(ZOE).card(CALLS)
    card.get_by_role("button", name="Join round 8").click()
    expect(card.get_by_label("Seed")).to_have_value("8")  # until then, its calls are another seed's
    card.locator("button[data-press=answer-1]").click()
    expect(scene.row(ZOE).locator("td").last).to_contain_text("1")
    scene.picture("round", trainer)
    scene.picture("wall", wall)


def test_a_script_is_shown_and_never_run(scene: Scene, expect: Any) -> None:
    wall, trainer, lab = scene.wall, scene.trainer, scene.labs[OHARA]
    titles = wall.title(), trainer.title()
    code = f"""
from pusherkit import Client, Credentials
me, text = Client(Credentials.from_env()), {HOSTILE!r}
me.trigger("order-41", text, text)
app = f"/apps/{{me.credentials.app_id}}"
record = {{"passed": ["start_here.announce", text], "wrong": {{text: {{text: 1}}}}}}
for said in (
    {{"kind": "help", "exercise": "start_here.announce", "code": text}},
    {{"kind": "progress", "lesson": text, "record": record}},
):
    assert me.http.post(app + "/class", json=said).status_code == 200
me.http.post(app + "/events", json={{"name": text, "channel": text, "data": text}})
"""
    assert lab.page.evaluate(RUN, code) == "ok"
    expect(wall.locator("#lines")).to_contain_text("<script>document.title='run'")
    expect(wall.locator("#refusals > li").first).to_be_visible()
    call = trainer.locator("#needs > li")
    call.locator("summary").click()
    expect(call.locator("pre")).to_have_text(HOSTILE)
    trainer.locator("#grid").get_by_role("button", name=OHARA).click()
    expect(trainer.locator("#learner pre")).to_have_text(HOSTILE)
    scene.picture("script", trainer)
    trainer.get_by_role("button", name="Close", exact=True).click()
    for page, title in zip((wall, trainer), titles, strict=True):
        assert page.locator("img").count() == 0
        assert page.title() == title
    scene.helped()


def test_a_wall_that_is_killed_comes_back_with_all_it_knew(scene: Scene, expect: Any) -> None:
    wall, trainer = scene.wall, scene.trainer
    scene.labs[ZOE].open(FIRST)
    sends_to_the_wall(scene, ZOE, "before")
    expect(wall.locator("#lines")).to_contain_text("before")
    # Anything newer than a second may not be on the disk yet.
    wait_for(lambda: b"before" in stored(scene.room), scene.room)
    (process,) = [each for each in family(scene.room) if "wall" in each.cmdline()]
    wall.evaluate("""() => { window.states = []; new MutationObserver(() =>
      window.states.push(document.getElementById('state').className)).observe(
        document.getElementById('state'), { attributes: true }); }""")
    process.kill()
    for page in (wall, trainer):
        expect(page.locator("#state")).to_have_text("Live", timeout=BACK_MILLISECONDS)
    wall.wait_for_function(
        "() => window.states.includes('lost') && window.states.at(-1) === 'live'",
        timeout=BACK_MILLISECONDS,
    )
    expect(wall.locator("#lines")).to_contain_text("before")
    expect(wall.locator("#goals")).to_contain_text("was first")
    expect(trainer.locator("#round-open")).to_contain_text("8")
    for name in (ZOE, OHARA):
        expect(scene.row(name).locator("i.passed")).to_have_count(1)
    card = scene.lesson(ZOE).card(SEND)
    sends_to_the_wall(scene, ZOE, "after")
    expect(card.get_by_role("status")).to_contain_text("on the wall")
    expect(wall.locator("#lines")).to_contain_text("after")


def stored(room: Room) -> bytes:
    """What the wall has on the disk."""
    return b"".join(each.read_bytes() for each in (room.folder / "wall").iterdir())


def test_a_kernel_that_restarts_forgets_no_progress(scene: Scene, expect: Any) -> None:
    lab = scene.labs[OHARA]
    lab.open(FIRST)
    lab.page.evaluate(RESTART_KERNEL)
    assert lab.page.evaluate(RUN, PASSED) == "ok"
    lesson = scene.lesson(OHARA)
    lab.run(FIRST)
    expect(lesson.card(MAP)).to_contain_text("In this class your trainer sees")
    sends_to_the_wall(scene, OHARA, "again")
    expect(scene.wall.locator("#lines")).to_contain_text("again")
    expect(scene.row(OHARA).locator("i.passed")).to_have_count(1)


def put_away(dialog: Any) -> None:
    """Close a dialog of JupyterLab and take it up on nothing, or press the only button it has."""
    reject, only = ".jp-Dialog-button.jp-mod-reject", ".jp-Dialog-button:only-of-type"
    dialog.locator(f"{reject}, {only}").click()


def test_a_hub_that_is_killed_comes_back_under_everybodys_pages(scene: Scene, expect: Any) -> None:
    room, wall, trainer = scene.room, scene.wall, scene.trainer
    servers = {each.pid for each in family(room) if "pusherkit.classroom.learner" in each.cmdline()}
    before = hub_of(room).pid
    hub_of(room).kill()
    wait_for(lambda: "It's back." in room.said(), room)
    assert hub_of(room).pid != before
    for page in (wall, trainer):
        expect(page.locator("#state")).to_have_text("Live", timeout=BACK_MILLISECONDS)
    # JupyterLab connects its kernel again by itself, after pauses of its own. If it asked for
    # something while nobody was there, it says so in a dialog: an offer to start the server again,
    # which needn't be, or word of a file that wasn't saved.
    for lab in scene.labs.values():
        lab.page.add_locator_handler(lab.page.locator(".jp-Dialog"), put_away)
        lab.page.wait_for_function(CONNECTED, timeout=RECONNECT_MILLISECONDS)

    def arrives() -> bool:
        """Sent again if it has to be: the wall may be back later than the hub."""
        sends_to_the_wall(scene, ZOE, "and back")
        with contextlib.suppress(AssertionError):
            expect(wall.locator("#lines")).to_contain_text("and back", timeout=3_000)
        return "and back" in wall.locator("#lines").inner_text()

    wait_for(arrives, room)
    assert {each.pid for each in family(room)} >= servers, "nobody's server was restarted"
    lab = scene.labs[OHARA]
    assert lab.page.evaluate(RUN, "assert lesson") == "ok"
    lab.page.reload()
    lab.page.wait_for_selector(".jp-NotebookPanel h1:has-text('Start here')")
    for name in (ZOE, OHARA):
        expect(scene.row(name).locator("i.passed")).to_have_count(1)
    expect(trainer.locator("#round-open")).to_contain_text("8")
    trainer.get_by_role("button", name="Close the round").click()
    expect(trainer.locator("#round-open")).to_be_hidden()
