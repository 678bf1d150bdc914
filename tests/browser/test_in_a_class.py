"""A lesson in a class, as a learner meets it: what it says, a call for help, the wall, a round."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pusherkit import Credentials
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.api import Reply

ZOE = Credentials(app_id="6855671", key="zo_c3_ab", secret="0123456789abcdef0123456789abcdef")
FIRST, CLINIC = "00-start-here.ipynb", "12-the-clinic.ipynb"
SEND, MAP, CALLS = "lesson.send_status()", "lesson.map()", "lesson.calls()"
ANNOUNCE = "lesson.announce.check(announce)"


class Wall:
    """The class's own call, with what came in, and a trainer who can be played."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.help: list[str] = []
        self.round: dict[str, Any] | None = None

    def answer(self, key: str, body: bytes, now: float) -> Reply:
        message = json.loads(body)
        self.messages.append(message)
        if message["kind"] == "help":
            self.help.append(message["exercise"])
        elif message["kind"] == "help-over":
            self.help.remove(message["exercise"])
        said = {"title": "Friday", "round": self.round, "help": self.help}
        return Reply(status=200, body=json.dumps(said).encode())

    def last(self, kind: str) -> dict[str, Any]:
        return [each for each in self.messages if each["kind"] == kind][-1]


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def served(wall: Wall) -> Iterator[SandboxServer]:
    with SandboxServer(ZOE, calls={"class": wall.answer}) as server:
        yield server


@pytest.fixture
def in_class(day: Any, served: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """JupyterLab as a class starts it for Zoë."""
    for name, value in {
        "PUSHER_APP_ID": ZOE.app_id,
        "PUSHER_KEY": ZOE.key,
        "PUSHER_SECRET": ZOE.secret,
        "PUSHER_HOST": served.url,
        "PUSHERKIT_CLASS": "/services/wall/",
    }.items():
        monkeypatch.setenv(name, value)
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
    eventually(lambda: wall.messages)
    assert wall.messages[0]["lesson"] == "00-start-here"

    lesson.to_top(SEND)
    card = lesson.card(SEND)
    lab.picture("class-00-before")
    card.get_by_label("Status").focus()
    lab.press("Tab", "Tab", "Enter")
    expect(card.get_by_role("status")).to_have_text(
        "✓ Accepted (200), and it's on the wall, under your name."
    )
    link = card.get_by_role("link", name="/services/wall/")
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
    assert "help" not in [each["kind"] for each in wall.messages]
    expect(card.get_by_role("button", name="Don't send it")).to_be_focused()
    lab.press("Tab", "Enter")
    expect(card).to_contain_text("Your trainer has it.")
    expect(card.get_by_role("button", name="Take it back")).to_be_focused()
    lab.picture("class-00-there")
    sent = wall.last("help")
    assert sent["exercise"] == "start_here.announce"
    assert sent["code"].startswith("def announce(client):\n    return client.trigger('status'")
    assert sent["code"].endswith(ANNOUNCE)
    assert wall.last("progress")["record"]["attempts"] == {"start_here.announce": 1}
    lab.press("Enter")
    expect(card.get_by_role("button", name="Ask for help")).to_be_visible()
    eventually(lambda: not wall.help)

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
    wall.round = {"seed": 8, "open": True}
    lesson = lab.run(CLINIC)
    card = lesson.card(CALLS)
    lesson.to_top(CALLS)
    expect(card).to_contain_text("A round is open, with seed 8")
    lab.picture("class-12-open")
    card.get_by_role("button", name="Join round 8").press("Enter")
    expect(card).to_contain_text("The round with seed 8")
    expect(card.get_by_label("Seed")).to_have_value("8")
    expect(card.locator("button[data-press=answer-1]")).to_be_focused()
    lab.picture("class-12-joined")
    card.locator("button[data-press=answer-1]").press("Enter")
    eventually(lambda: wall.last("round")["answered"] == 1)
    lab.page.set_viewport_size({"width": 700, "height": 900})
    lab.settle()
    assert lab.clipped() == []
    lab.picture("class-12-narrow")


def test_a_wall_that_went_away_is_said_once_and_changes_nothing_else(in_class, served, expect):
    lab = in_class
    served.stop()
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
