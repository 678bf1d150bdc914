"""A lesson in a class, as a learner meets it: what it says, a call for help, the wall, a round."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pusherkit.classroom.roster import Roster
from pusherkit.classroom.wall import Wall, course

FIRST, CLINIC = "00-start-here.ipynb", "12-the-clinic.ipynb"
SEND, MAP, CALLS = "lesson.send_status()", "lesson.map()", "lesson.calls()"
ANNOUNCE = "lesson.announce.check(announce)"


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[Wall]:
    """A class's wall, with its API up."""
    made = Wall(Roster("0123456789abcdef" * 2), tmp_path, course=course(), title="Friday")
    made.server.start()
    yield made
    made.server.stop()


def zoe(wall: Wall) -> dict[str, Any]:
    """What the trainer's view has on Zoë; nothing if she hasn't been heard from."""
    with wall.lock:
        learners, _ = wall.board.learners.since(0, time.time(), 10)
    return learners[0] if learners else {}


@pytest.fixture
def in_class(day: Any, wall: Wall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """JupyterLab as a class starts it for Zoë."""
    app = Roster("0123456789abcdef" * 2).credentials("zoë", wall.server.url)
    settings = {"APP_ID": app.app_id, "KEY": app.key, "SECRET": app.secret, "HOST": app.base_url}
    for name, value in settings.items():
        monkeypatch.setenv(f"PUSHER_{name}", value)
    monkeypatch.setenv("PUSHERKIT_CLASS", "/services/wall/")
    with day() as lab:
        lab.page.wait_for_selector(".jp-NotebookPanel h1:has-text('Start here')")
        lab.laptop()
        yield lab


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_learner_in_a_class(in_class, wall, expect, eventually, look):
    lab = in_class
    lab.theme(look)
    lesson = lab.run(FIRST)
    expect(lesson.card(MAP)).to_contain_text("In this class your trainer sees")
    lesson.to_top(MAP)
    lab.picture("class-00-map")
    eventually(lambda: zoe(wall).get("lesson") == "00-start-here")

    lesson.to_top(SEND)
    card = lesson.card(SEND)
    lab.picture("class-00-before")
    card.get_by_label("Status").focus()
    lab.press("Tab", "Tab", "Enter")
    expect(card.get_by_role("status")).to_have_text(
        "✓ Accepted (200), and it's on the wall, under your name."
    )
    link = card.get_by_role("link", name="Open the wall")
    assert link.get_attribute("target") == "_blank"
    lab.picture("class-00-wall")

    cell, _ = lesson.exercise(ANNOUNCE)
    lesson.rewrite(cell, "return ...", "return client.trigger('status', 'order-41', 'x')")
    card = lesson.card(ANNOUNCE)
    lesson.to_top(ANNOUNCE)
    card.get_by_role("button", name="Ask for help").focus()
    lab.press("Enter")
    expect(card).to_contain_text("This is what your trainer gets")
    lab.picture("class-00-asking")
    assert zoe(wall)["help"] == [], "shown, and not sent"
    expect(card.get_by_role("button", name="Don't send it")).to_be_focused()
    lab.press("Tab", "Enter")
    expect(card).to_contain_text("Your trainer can see it.")
    expect(card.get_by_role("button", name="Take it back")).to_be_focused()
    lab.picture("class-00-there")
    (sent,) = zoe(wall)["help"]
    assert sent["exercise"] == "start_here.announce"
    assert sent["code"].startswith("def announce(client):\n    return client.trigger('status'")
    assert sent["code"].endswith(ANNOUNCE)
    assert zoe(wall)["cells"]["start_here.announce"][:2] == ["tried", 1]
    assert wall.board.wall_view(time.time())["lines"][0]["who"] == "zoë"
    lab.press("Enter")
    expect(card.get_by_role("button", name="Ask for help")).to_be_visible()
    eventually(lambda: not zoe(wall)["help"])

    lab.page.set_viewport_size({"width": 700, "height": 900})
    card.get_by_role("button", name="Ask for help").click()
    expect(card).to_contain_text("This is what your trainer gets")
    assert lab.clipped() == []
    lab.picture("class-00-asking-narrow")
    lesson.to_top(MAP)
    lab.picture("class-00-map-narrow")
    lesson.to_top(SEND)
    lab.picture("class-00-wall-narrow")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_round_is_joined(in_class, wall, expect, eventually, look):
    lab = in_class
    lab.theme(look)
    lesson = lab.run(CLINIC)
    card = lesson.card(CALLS)
    lesson.to_top(CALLS)
    expect(card.get_by_label("Seed")).to_have_value("7")
    lab.picture("class-12-before")
    wall.board.open_round(8, time.time())  # and the open card has it by itself
    expect(card).to_contain_text("Your trainer has opened round 8")
    lab.picture("class-12-open")
    card.get_by_role("button", name="Join round 8").press("Enter")
    expect(card).to_contain_text("Round 8")
    expect(card.get_by_label("Seed")).to_have_value("8")
    expect(card.locator(".pk-wide [data-press=call-1]")).to_be_focused()
    lab.picture("class-12-joined")
    card.locator("button[data-press=answer-1]").press("Enter")
    eventually(lambda: zoe(wall)["round"] == {"answered": 1, "right": 1})
    lab.page.set_viewport_size({"width": 700, "height": 900})
    lab.settle()
    assert lab.clipped() == []
    lab.picture("class-12-narrow")

    wall.board.close_round()
    expect(card).to_contain_text("Round 8 is closed")
    lab.picture("class-12-closed")
    wall.board.open_round(8, time.time())
    expect(card).to_contain_text("You're in.")
    lesson.cell(CALLS).locator(".cm-line").first.click()
    lab.press("Control+Enter")
    expect(lesson.card(CALLS).get_by_label("Seed")).to_have_value("8")
    expect(lesson.card(CALLS)).to_contain_text("You're in.")
    lesson.to_top(CALLS)
    lab.picture("class-12-again")


def test_a_wall_that_went_away_is_said_once_and_changes_nothing_else(in_class, wall, expect):
    lab = in_class
    wall.server.stop()
    lesson = lab.run(FIRST)
    expect(lesson.card(MAP).get_by_role("status")).to_contain_text("The wall isn't answering")
    lesson.to_top(MAP)
    lab.picture("class-00-away")
    card = lesson.card(SEND)
    card.get_by_role("button", name="Send it to order-41").click()
    expect(card.get_by_role("status")).to_contain_text("✓ Accepted (200), and it arrived")
    card.get_by_role("button", name="Send to the wall").click()
    expect(card.get_by_role("status")).to_contain_text("✗ The wall isn't answering.")
    lesson.to_top(SEND)
    lab.picture("class-00-away-send")
