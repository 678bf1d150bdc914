"""In a class: what is sent and what isn't, what the learner reads if it fails, calls for help."""

from __future__ import annotations

import asyncio
import json
import linecache
import math
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pusherkit import Client, Credentials
from pusherkit.classroom.calls import Help, read_call
from pusherkit.clinic.sabotage import MAX_SEED
from pusherkit.lessons import body_is_bytes, start_here, the_clinic
from pusherkit.lessons.kit import Event, classroom
from pusherkit.lessons.kit.classroom import (
    AWAY,
    HELLO_SECONDS,
    LISTEN_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MAX_BODY,
    MAX_CODE,
    ROUND_SECONDS,
    SPACE_SECONDS,
    SPREAD,
    WHAT_IS_SENT,
    WRONG_KEY,
    Classroom,
    Heard,
    Outbox,
    heard,
    joined,
)
from pusherkit.lessons.kit.progress import PROGRESS
from pusherkit.lessons.kit.source import cell_of
from pusherkit.lessons.kit.view import Fact, View, to_html, to_static, to_text
from pusherkit.sandbox import Sandbox, SandboxTransport
from pusherkit.sandbox.api import Reply

ZOE = Credentials(
    app_id="6855671",
    key="zo_c3_ab",
    secret="0123456789abcdef0123456789abcdef",
    base_url="http://127.0.0.1:8090",
)
PAGE = "/services/wall/"
IN_CLASS = {
    "PUSHER_APP_ID": ZOE.app_id,
    "PUSHER_KEY": ZOE.key,
    "PUSHER_SECRET": ZOE.secret,
    "PUSHER_HOST": ZOE.base_url,
    "PUSHERKIT_CLASS": PAGE,
    "JPY_SESSION_NAME": "01-body-is-bytes.ipynb",
}
EXERCISE = body_is_bytes.body_md5


class Wall:
    """A wall that a test can take away, and make say what it likes. It judges like the real one."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(ZOE, calls={"class": self._answer})
        self.now = 1_800_000_000.0
        self.messages: list[dict[str, Any]] = []
        self.help: list[str] = []
        self.round: dict[str, Any] | None = None
        self.away = False
        self.refusal: tuple[int, Any] | None = None
        self._judge = SandboxTransport(self.sandbox, clock=lambda: self.now)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused", request=request)
        if self.refusal is not None:
            return httpx.Response(self.refusal[0], json=self.refusal[1])
        return self._judge.handle_request(request)

    def _answer(self, key: str, body: bytes, now: float) -> Reply:
        assert key == ZOE.key
        message = json.loads(body)
        self.messages.append(message)
        if message["kind"] == "help":
            self.help.append(message["exercise"])
        elif message["kind"] == "help-over" and message["exercise"] in self.help:
            self.help.remove(message["exercise"])
        said = {"title": "Friday", "round": self.round, "help": self.help}
        return Reply(status=200, body=json.dumps(said).encode())

    @property
    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.messages]


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def room(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Classroom]:
    """This kernel is in a class. Nothing is sent until the test says `send()`."""
    for name, value in IN_CLASS.items():
        monkeypatch.setenv(name, value)
    transport = httpx.MockTransport(wall)
    monkeypatch.setattr(
        classroom, "Client", lambda app: Client(app, transport=transport, clock=lambda: wall.now)
    )
    monkeypatch.setattr(classroom, "_on_a_thread", lambda room: None)
    joined.cache_clear()
    made = joined()
    assert made is not None
    yield made
    PROGRESS.changed = None
    joined.cache_clear()


@pytest.fixture
def send(room: Classroom) -> Callable[[], float]:
    """Let time pass until everything has been sent, or tried once; returns how many seconds."""
    clock = 0.0

    def passes() -> float:
        nonlocal clock
        began = clock
        for _ in range(20):
            wait = room.step(clock)
            rests = wait > ROUND_SECONDS / 2 and not room.outbox._waiting
            if rests or room.problem:
                return clock - began
            clock += wait
        raise AssertionError("it never comes to rest")

    return passes


def wrong(body: bytes) -> str:
    return "mine alone"


# --- outside ------------------------------------------------------------------------------------

OUTSIDE = """
import os, sys, threading
from pusherkit.lessons import start_here
from pusherkit.lessons.kit.classroom import joined
from pusherkit.lessons.kit.progress import PROGRESS

names = sys.argv[1:]
settings = {name: os.environ.pop(name) for name in names}
for present in ({}, *({**settings, name: ""} for name in names)):
    os.environ.update(present)
    joined.cache_clear()
    map, sender = start_here.map(), start_here.send_status()
    card = start_here.announce.check(lambda client: 3)
    assert map.now() is map.twin
    assert "wall" not in sender.controls
    assert [each.id for each in card.view.actions] == ["hint", "solution"]
    assert PROGRESS.changed is None
    assert threading.active_count() == 1, threading.enumerate()
    print(repr([str(map), card.outcome, len(sender._form)]))
"""


def test_nothing_happens_unless_everything_says_that_this_is_a_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread, no message, no different text, whichever of the settings is missing."""
    for name, value in IN_CLASS.items():
        monkeypatch.setenv(name, value)
    ran = subprocess.run(
        [sys.executable, "-c", OUTSIDE, *IN_CLASS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert len(set(ran.stdout.splitlines())) == 1, "one more setting missing, and it's all as ever"


@pytest.mark.parametrize("missing", ["", "PUSHERKIT_CLASS", "PUSHER_SECRET"])
async def test_a_browser_tab_is_in_the_class_of_its_own_page_alone(
    wall: Wall, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """There the kernel's loop does the sending, without a Jupyter server and without a thread."""
    for name in IN_CLASS.keys() - {"JPY_SESSION_NAME", missing}:
        monkeypatch.setenv(name, IN_CLASS[name])
    monkeypatch.setattr(sys, "platform", "emscripten")
    joined.cache_clear()
    assert joined() is None, "the wall isn't where this page came from"

    options: dict[str, Any] = {"transport": httpx.MockTransport(wall), "clock": lambda: wall.now}
    monkeypatch.setattr(classroom, "Client", lambda app, **more: Client(app, **more, **options))
    joined.cache_clear()
    room = joined()
    if missing:
        assert room is None
        return
    assert room is not None
    threads = threading.active_count()
    room.at("01-body-is-bytes")
    assert wall.kinds == [], "nothing's sent while a cell runs"
    await asyncio.sleep(0)
    for _ in range(3):  # the loop's timers are due at its next turns
        await asyncio.sleep(0)
    assert wall.kinds == ["progress"]
    assert threading.active_count() == threads
    waits = room.wake._next  # type: ignore[attr-defined]
    assert waits is None, "there's nothing to wait for"
    PROGRESS.changed = None
    joined.cache_clear()


@pytest.mark.usefixtures("room")
def test_settings_that_cannot_be_right_make_no_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_KEY", " pasted ")
    joined.cache_clear()
    assert joined() is None


# --- what is sent -------------------------------------------------------------------------------


def test_the_first_cell_says_what_is_sent_and_sends_it(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    card = body_is_bytes.lesson.map()
    assert card.now().note == WHAT_IS_SENT
    assert WHAT_IS_SENT not in to_text(card.twin), "a stored twin is the same for everybody"
    send()
    (message,) = wall.messages
    assert (message["kind"], message["lesson"]) == ("progress", "01-body-is-bytes")
    assert set(message["record"]) == {
        "format",
        "passed",
        "attempts",
        "wrong",
        "predictions",
        "surprised",
    }
    assert room.heard.title == "Friday"


@pytest.mark.usefixtures("room")
def test_what_happens_within_a_second_goes_in_one_message_without_the_learners_code(
    wall: Wall, send: Callable[[], float]
) -> None:
    body_is_bytes.lesson.map()
    send()
    for answer in (wrong, EXERCISE.wrongs[2].answer, EXERCISE.solve):
        EXERCISE.check(answer)
    PROGRESS.kept("body_md5", "a digest")
    send()
    assert wall.kinds == ["progress", "progress"]
    record = wall.messages[-1]["record"]
    assert record["attempts"] == {EXERCISE.name: 3}
    assert record["passed"] == [EXERCISE.name]
    assert "kept" not in record
    assert "mine alone" not in json.dumps(wall.messages)
    PROGRESS.reset()
    send()
    assert wall.messages[-1]["record"]["passed"] == []


@pytest.mark.usefixtures("room")
def test_an_exercise_alone_says_which_lesson_it_is_in(
    wall: Wall, send: Callable[[], float]
) -> None:
    EXERCISE.check(wrong)
    send()
    assert wall.messages[-1]["lesson"] == "01-body-is-bytes"
    assert wall.messages[-1]["record"]["attempts"] == {EXERCISE.name: 1}


def test_in_silence_nothing_is_sent(room: Classroom, wall: Wall) -> None:
    body_is_bytes.lesson.map()
    assert room.step(0) == 0
    assert math.isinf(room.step(1)), "to the wall, somebody who is heard of is there"


@pytest.mark.parametrize("what", ["a round", "help"])
def test_a_learner_who_waits_for_news_asks_now_and_then_but_not_for_ever(
    room: Classroom, wall: Wall, what: str
) -> None:
    body_is_bytes.lesson.map()
    seconds = HELLO_SECONDS
    if what == "a round":
        seconds = ROUND_SECONDS
        room.listen()
    else:
        room.ask("a.b", "1")
        wall.help = ["a.b"]
    at, waits = 0.0, []
    for _ in range(4 * int(LISTEN_SECONDS / seconds)):
        if math.isinf(wait := room.step(at)):
            break
        at += wait
        waits += [wait] if wait and wall.kinds[-1] == "hello" else []
    low, high = seconds * (1 - SPREAD), seconds * (1 + SPREAD)
    assert all(low <= wait <= high for wait in waits)
    assert set(wall.kinds[2:]) == {"hello"}
    assert LISTEN_SECONDS <= at < LISTEN_SECONDS + high
    room.listen()
    assert room.step(at + 1) == 0, "the learner is back"


def test_a_record_that_is_too_large_is_not_sent(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    body_is_bytes.lesson.map()
    send()
    room.progress({"passed": ["x" * MAX_BODY]})
    send()
    assert wall.kinds == ["progress"]
    assert "too large" in room.problem


# --- when something is wrong --------------------------------------------------------------------


def test_while_the_wall_is_away_it_tries_less_and_less_often_and_then_sends_all(
    room: Classroom, wall: Wall
) -> None:
    card = body_is_bytes.lesson.map()
    wall.away = True
    now, waits = 0.0, []
    for _ in range(24):
        wait = room.step(now)
        waits += [wait] if wait else []
        now += wait
        EXERCISE.check(wrong)
    assert waits[:4] == sorted(waits[:4])
    assert waits[-1] >= LONGEST_PAUSE_SECONDS * (1 - SPREAD)
    assert max(waits) <= LONGEST_PAUSE_SECONDS * (1 + SPREAD)
    assert card.now().status == AWAY
    wall.away = False
    while not wall.messages:
        now += room.step(now)
    assert wall.messages[0]["record"]["attempts"] == {EXERCISE.name: 24}
    assert card.now().status == ""


def test_a_wall_that_comes_back_gets_the_record_even_if_it_was_a_hello_that_failed(
    room: Classroom, wall: Wall
) -> None:
    body_is_bytes.lesson.map()
    room.listen()
    now = 0.0
    while wall.kinds != ["progress", "hello"]:
        now += room.step(now)
    wall.away = True
    while not room.problem:
        now += room.step(now)
    wall.away = False
    while len(wall.kinds) < 4:
        now += room.step(now)
    assert wall.kinds == ["progress", "hello", "hello", "progress"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clock": -7_300}, "7,300 s behind the wall's"),
        ({"clock": 700}, "700 s ahead of the wall's"),
        ({"secret": "of-another-class"}, WRONG_KEY),
        ({"key": "nobody"}, WRONG_KEY),
    ],
)
def test_a_clock_that_differs_and_a_wrong_key_get_a_sentence_each(
    wall: Wall, wrong: dict[str, Any], said: str
) -> None:
    clock = wall.now + wrong.pop("clock", 0)
    client = Client(replace(ZOE, **wrong), transport=httpx.MockTransport(wall), clock=lambda: clock)
    status, answer = classroom._posting(client)(b'{"kind":"hello"}')
    assert said in classroom.problem_of(status, answer)
    assert wall.messages == []


def test_a_server_that_is_not_a_wall_gets_a_sentence() -> None:
    client = Client(ZOE, transport=SandboxTransport(Sandbox(ZOE)))
    said = classroom.problem_of(*classroom._posting(client)(b"{}"))
    assert "doesn't know this class" in said


def test_a_problem_is_said_on_one_card_and_not_on_the_next(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    wall.refusal = 401, {"rule": "auth_key", "fix": None}
    assert EXERCISE.check(wrong).view.note == ""
    send()
    assert room.problem == WRONG_KEY
    assert EXERCISE.check(wrong).view.note == WRONG_KEY
    assert EXERCISE.check(wrong).view.note == ""


@pytest.mark.parametrize(
    ("status", "answer", "part"),
    [
        (200, ["a proxy's"], "doesn't know this class"),
        (503, None, AWAY),
        (400, {"error": "no"}, "answered 400"),
        (401, {"rule": "auth_timestamp", "fix": 3}, "doesn't accept"),
        (403, {"error": "It doesn't answer under the name 'wall'."}, "--allow-host"),
        (403, None, "answered 403"),  # some other server in between
    ],
)
def test_odd_answers_are_a_problem_but_not_a_crash(
    room: Classroom, wall: Wall, send: Callable[[], float], status: int, answer: Any, part: str
) -> None:
    wall.refusal = status, answer
    body_is_bytes.lesson.map()
    send()
    assert part in room.problem


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, Heard()),
        ({"title": 3, "round": 3, "help": 3}, Heard()),
        ({"round": {"seed": True, "open": True}}, Heard()),
        ({"round": {"seed": 7, "open": False}}, Heard()),
        ({"round": {"seed": 7, "open": True}, "help": ["a", 3]}, Heard("", 7, frozenset("a"))),
        ({"round": {"seed": 7, "open": True, "answered": 2}}, Heard("", 7, counted=2)),
        ({"round": {"seed": 7, "open": False, "answered": 2}}, Heard()),
    ],
)
def test_an_answer_is_read_as_it_is_meant(answer: Any, expected: Heard) -> None:
    assert heard(answer) == expected


def test_a_newer_message_is_not_replaced_by_one_that_failed() -> None:
    outbox = Outbox(random.Random(1))
    outbox.put("progress", {"record": 1})
    assert outbox.take(0) == ("progress", {"record": 1})
    outbox.put("progress", {"record": 2})
    outbox.failed("progress", {"record": 1}, 0)
    assert outbox.take(100) == ("progress", {"record": 2})


# --- help ---------------------------------------------------------------------------------------


def notebook_function(source: str) -> Any:
    """A function as a notebook's cell defines it, and as IPython keeps its source."""
    name = "<ipython-input-1>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    checks = SimpleNamespace(body_md5=SimpleNamespace(check=lambda function: None))
    names: dict[str, Any] = {"__name__": "__main__", "lesson": checks}
    exec(compile(source, name, "exec"), names)
    return names["body_md5"]


CELL = f"""def body_md5(body):
    return "{ZOE.secret}"  # mine


lesson.body_md5.check(body_md5)"""


def test_a_cell_is_shown_before_it_is_sent_and_can_be_taken_back(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    card = EXERCISE.check(notebook_function(CELL))
    assert card.view.actions[-1].label == "Ask for help"
    card.hear(Event("press", "help"))
    (asking,) = card.view.below
    (cell,) = asking.facts
    assert cell.value == CELL.replace(ZOE.secret, "[the app's secret]")
    send()
    assert "help" not in wall.kinds, "shown, and not sent"
    card.hear(Event("press", "help-not"))
    assert card.view.below == ()
    card.hear(Event("press", "help"))
    card.hear(Event("press", "help-send"))
    assert "On its way" in card.view.below[0].status
    send()
    (message,) = [each for each in wall.messages if each["kind"] == "help"]
    assert message == {"kind": "help", "exercise": EXERCISE.name, "code": cell.value}
    assert card.view.below[0].status.startswith("Your trainer can see it.")
    assert card.view.below[0].details == (Fact("The cell", cell.value, kind="code"),)
    assert "Ask for help" not in [each.label for each in card.view.actions]
    again = EXERCISE.check(notebook_function(CELL))
    assert again.view.below[0].status.startswith("Your trainer can see it.")
    again.hear(Event("press", "help-over"))
    assert again.view.below == ()
    send()
    assert wall.help == []
    assert again.view.actions[-1].label == "Ask for help"


def test_a_call_that_the_trainer_closes_and_one_that_isnt_needed_any_more(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    card = EXERCISE.check(notebook_function(CELL))
    room.ask(EXERCISE.name, CELL)
    send()
    wall.help.clear()
    room.outbox.put("hello", {"kind": "hello"})
    send()
    assert card.view.below[0].status == "Your call is closed. If nobody has come, ask again."
    assert card.view.actions[-1].label == "Ask for help"
    card.hear(Event("press", "help-send"))
    send()
    assert wall.help == [EXERCISE.name]
    passed = EXERCISE.check(EXERCISE.solve)
    assert passed.view.below == ()
    send()
    assert wall.help == []


def test_a_call_is_kept_while_the_wall_is_away_and_says_so(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    card = EXERCISE.check(notebook_function(CELL))
    wall.away = True
    room.ask(EXERCISE.name, CELL)
    send()
    assert card.view.below[0].status == f"Not sent yet. {AWAY}"


@pytest.mark.usefixtures("room")
def test_help_is_only_offered_for_what_was_tried() -> None:
    for answer in (notebook_function(CELL.replace(f'"{ZOE.secret}"', "...")), EXERCISE.solve):
        labels = [each.label for each in EXERCISE.check(answer).view.actions]
        assert "Ask for help" not in labels


def test_a_long_cell_is_cut_and_the_card_says_so(room: Classroom) -> None:
    card = EXERCISE.check(notebook_function(CELL + "\n#" + "x" * MAX_CODE))
    card.hear(Event("press", "help"))
    (asking,) = card.view.below
    assert len(asking.facts[0].value) == MAX_CODE
    assert "the first 8,000 characters" in asking.status


@pytest.mark.parametrize("character", ["\N{HONEYBEE}", "\0", "\ud800"])
def test_whatever_a_cell_is_made_of_it_fits(
    room: Classroom, wall: Wall, send: Callable[[], float], character: str
) -> None:
    room.ask(EXERCISE.name, character * MAX_CODE)
    send()
    assert room.help(EXERCISE.name) == "there", room.problem
    as_sent = json.dumps(wall.messages[0], ensure_ascii=False).encode()
    assert isinstance(read_call(as_sent), Help)


def test_outside_a_notebook_there_is_no_cell() -> None:
    assert cell_of(wrong) == ""
    assert cell_of(3) == ""


# --- the wall, and a round ------------------------------------------------------------------------


@pytest.mark.usefixtures("room")
def test_a_status_goes_to_the_wall_and_its_answer_is_shown(
    wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = wall.now
    monkeypatch.setattr(start_here, "time", SimpleNamespace(time=lambda: began))
    sender = start_here.send_status()
    (buttons,) = re.findall("<div class=.pk-span pk-buttons.>(.+?)</div>", sender._form)
    assert buttons.index("Send it to order-41") < buttons.index("Send to the wall"), "side by side"
    assert classroom.THE_WALL in buttons
    sender.set(status="at Zoë's")
    sender.press("wall")
    assert sender.view.status == "Accepted (200), and it's on the wall, under your name."
    assert Fact("The wall", PAGE, kind="link", label="Open the wall") in sender.view.facts
    assert sender.view.picture is not None
    assert "✓ at Zoë's" in sender.view.picture.inline()
    (delivery,) = wall.sandbox.deliveries
    assert json.loads(delivery.event.data) == {"status": "at Zoë's"}
    wall.now += 10_000
    sender.press("wall")
    assert sender.view.status.startswith("Refused: 401 Timestamp expired")
    assert "preparing" in sender.view.picture.inline()
    wall.refusal = 200, ["a proxy's"]
    sender.press("wall")
    assert sender.view.status == "What answered isn't the wall. Tell your trainer."
    wall.away = True
    sender.press("wall")
    assert sender.view.status == "The wall isn't answering. Try again in a while."


def test_a_round_is_joined_and_reported_in_numbers(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    calls = the_clinic.calls()
    assert calls.view.title.startswith("Call 1:")
    body_is_bytes.lesson.map()
    wall.round = {"seed": 8, "open": True}
    send()
    assert calls.view.title == "Your trainer has opened round 8"
    assert calls.view.status.endswith("Below is your own queue, seed 7.")
    assert [each.id for each in calls.view.actions] == ["join"]
    calls.hear(Event("press", "answer-1"))
    send()
    assert "round" not in wall.kinds, "not joined"
    calls.hear(Event("press", "join"))
    assert calls.values["seed"] == 8
    assert calls.view.title == "Round 8"
    assert calls.view.below[0].title.startswith("Call 1:")
    send()
    case = the_clinic._line(8)[0]
    wrong_first = (case.right + 1) % len(case.options)
    for answer in (wrong_first, case.right):
        calls.hear(Event("press", f"answer-{answer + 1}"))
    calls.hear(Event("press", "call-2"))
    calls.hear(Event("press", f"answer-{the_clinic._line(8)[1].right + 1}"))
    send()
    rounds = [each for each in wall.messages if each["kind"] == "round"]
    assert rounds[0] == {"kind": "round", "seed": 8, "answered": 0, "right": 0}
    assert rounds[-1] == {"kind": "round", "seed": 8, "answered": 2, "right": 1}
    wall.round = None
    room.outbox.put("hello", {"kind": "hello"})
    send()
    assert calls.view.title == "Round 8 is closed"
    assert calls.view.status.startswith("You've answered 2 of the eight calls, 1 right at the fir")
    assert calls.view.below[0].title.startswith("Call 2:")
    count = len(rounds)
    calls.hear(Event("press", "answer-1"))
    send()
    assert wall.kinds.count("round") == count
    calls.set(seed="7")
    assert calls.view.title.startswith("Call 1:"), "that was long enough"


def test_the_calls_card_asks_when_it_runs_and_says_when_a_round_it_offered_is_closed(
    wall: Wall, send: Callable[[], float]
) -> None:
    body_is_bytes.lesson.map()
    the_clinic.calls()
    send()
    wall.round = {"seed": 8, "open": True}
    calls = the_clinic.calls()
    assert send() <= SPACE_SECONDS, "it didn't wait for its turn to ask"
    assert calls.view.title == "Your trainer has opened round 8"
    wall.round = {"seed": 8, "open": False}
    the_clinic.calls()  # another card takes this one's place
    send()
    again = the_clinic.calls()
    assert again.view.title.startswith("Call 1:")
    wall.round = {"seed": 9, "open": True}
    again._room.listen(at_once=True)
    send()
    wall.round = None
    again._room.listen(at_once=True)
    send()
    assert again.view.title == "Round 9 is closed"
    assert "those of seed 9" in again.view.status


def test_a_round_that_was_joined_goes_on_in_the_next_card_and_in_the_next_kernel(
    room: Classroom, wall: Wall, send: Callable[[], float]
) -> None:
    wall.round = {"seed": 8, "open": True}
    first = the_clinic.calls()
    send()
    first.hear(Event("press", "join"))
    first.hear(Event("press", f"answer-{the_clinic._line(8)[0].right + 1}"))
    send()
    wall.round |= {"answered": 1, "right": 1}  # so the wall counts this learner
    room.listen(at_once=True)
    send()
    rerun = the_clinic.calls()
    assert (rerun.view.title, rerun.values) == ("Round 8", first.values)
    assert 'value="8"' in rerun._form
    rerun.set(seed="7")
    assert [each.label for each in rerun.view.actions] == ["Back to round 8"]
    rerun.hear(Event("press", "join"))
    assert rerun.values == first.values

    room.heard, room.left = Heard(), None  # a kernel that was restarted
    fresh = the_clinic.calls()
    assert fresh.values["seed"] == 7
    send()
    assert fresh.view.title == "Round 8"
    assert "1 call of yours, from before the kernel was restarted" in fresh.view.status
    assert fresh.stage.put == {"seed": "8"}
    count = wall.kinds.count("round")
    answer = Event("press", f"answer-{the_clinic._line(8)[0].right + 1}")
    fresh.hear(answer)
    send()
    assert wall.kinds.count("round") == count, "it's no further than before"
    assert "restarted" not in fresh.view.status
    fresh.hear(Event("press", "call-2"))
    fresh.hear(answer)
    send()
    assert wall.messages[-1]["answered"] == 2


def test_a_seed_that_lesson_12_does_not_have_opens_no_round(
    wall: Wall, send: Callable[[], float]
) -> None:
    calls = the_clinic.calls()
    wall.round = {"seed": MAX_SEED + 1, "open": True}
    body_is_bytes.lesson.map()
    send()
    assert calls.view.title.startswith("Call 1:")


# --- the thread -----------------------------------------------------------------------------------


def test_the_thread_sends_and_a_broken_card_does_not_end_it(
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    bodies: list[bytes] = []
    drawn = threading.Event()

    class Broken(start_here.lesson.map().__class__):  # type: ignore[misc]
        def redraw(self) -> None:
            drawn.set()
            raise RuntimeError("a page that is being closed")

    def post(body: bytes) -> tuple[int, Any]:
        bodies.append(body)
        return 200, {"title": "Friday"}

    room = Classroom(ZOE, PAGE, post, httpx.Client(), classroom._on_a_thread)
    card = Broken(())
    room.watch("map", card)
    room.ask("a.b", "1")
    eventually(drawn.is_set)
    room.ask("a.c", "2")
    eventually(lambda: len(bodies) == 2)
    (thread,) = (each for each in threading.enumerate() if each.name == "pusherkit-class")
    assert thread.daemon


# --- a link -------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/services/wall/", "https://class.example/wall?a=1&b=2"])
def test_an_address_can_be_followed(address: str) -> None:
    view = View("", (Fact("The wall", address, kind="link"),))
    escaped = address.replace("&", "&amp;")
    assert f'<a href="{escaped}" target="_blank"' in to_html(view)
    assert "<a" not in to_static(view)
    assert address in to_text(view)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//elsewhere.example/", '"><b>'])
def test_anything_but_an_address_is_text(address: str) -> None:
    shown = to_html(View("", (Fact("The wall", address, kind="link"),)))
    assert "<a" not in shown
    assert "<b>" not in shown
