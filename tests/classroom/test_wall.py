"""The wall on loopback: real requests, real WebSockets, and a door that believes what it's told."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import tornado.web
import websockets

from pusherkit import AsyncClient, Unauthorized, authorize_channel, sign
from pusherkit.classroom import wall as wall_module
from pusherkit.classroom.doors import Visitor
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.store import Store
from pusherkit.classroom.wall import (
    LEARNER_RATE,
    LESSON_SEED,
    MAX_FEEDS_EACH,
    REFUSED_RATE,
    Wall,
    course,
    serving,
)
from pusherkit.cli import main
from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.lessons.the_clinic import FIRST_SEED
from pusherkit.sandbox.channels import CLIENT_EVENTS_PER_SECOND
from tests.classroom.conftest import COURSE, SECRET

TRAINER, LEARNER = {"X-Visitor": "trainer"}, {"X-Visitor": "ann"}
LOOPBACK = "127.0.0.1"


class OpenDoor:
    """Believes the header X-Visitor. Anybody called trainer trains."""

    prefix = "/services/wall/"
    settings: dict[str, Any] = {}  # noqa: RUF012 - what Door has
    routes = ()

    def __init__(self) -> None:
        self.address = (LOOPBACK, 0)

    async def visitor(self, handler: tornado.web.RequestHandler) -> Visitor | None:
        name = handler.request.headers.get("X-Visitor")
        return Visitor(name, name == "trainer") if name else None

    def sign_in(self, handler: tornado.web.RequestHandler) -> None:
        handler.redirect("/hub/login")


class Up:
    """A running wall."""

    def __init__(self, wall: Wall, pages: str) -> None:
        self.wall, self.pages = wall, pages
        self.roster = Roster(SECRET)

    def credentials(self, name: str) -> Credentials:
        return self.roster.credentials(name, self.wall.server.url)

    async def publish(self, name: str, event: str = "status", data: Any = 1) -> None:
        async with AsyncClient(self.credentials(name)) as client:
            await client.trigger("order-41", event, data)

    async def say(self, name: str, **body: Any) -> httpx.Response:
        """The class's own call, as a learner's lessons make it."""
        mine, sent = self.credentials(name), json.dumps(body).encode()
        path = f"/apps/{mine.app_id}/class"
        signature = sign(mine, "POST", path, (), sent, timestamp=int(self.wall.clock()))
        async with httpx.AsyncClient() as client:
            url = f"{mine.base_url}{path}"
            return await client.post(url, params=signature.query, content=sent)

    async def get(self, path: str, who: dict[str, str] = TRAINER) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(self.pages + path, headers=who)

    async def order(self, path: str, sent: Any, **headers: str) -> httpx.Response:
        """A POST as the trainer's view sends it; `headers` add to it, or change it."""
        origin = self.pages.removesuffix(OpenDoor.prefix)
        kind = {"Origin": origin, "Content-Type": "application/json"}
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"{self.pages}trainer/{path}",
                content=sent if isinstance(sent, bytes) else json.dumps(sent).encode(),
                headers={**TRAINER, **kind, **headers},
            )

    def feed(self, path: str, who: dict[str, str] = LEARNER) -> Any:
        url = self.pages.replace("http", "ws", 1) + path
        return websockets.connect(url, additional_headers=who)


@asynccontextmanager
async def class_at(folder: Any, **settings: Any) -> AsyncIterator[Up]:
    settings = {"course": COURSE, "title": "Tuesday", "learners": 20, **settings}
    wall = Wall(Roster(SECRET), folder, **settings)
    async with asyncio.timeout(30), serving(wall, OpenDoor()) as pages:
        yield Up(wall, pages)


@pytest.fixture
async def up(tmp_path: Any) -> AsyncIterator[Up]:
    async with class_at(tmp_path) as made:
        yield made


async def heard(feed: Any, wanted: Any) -> dict[str, Any]:
    """The next message of a page's WebSocket that is what's wanted."""
    while True:
        message = json.loads(await feed.recv())
        if wanted(message):
            return message


# --- the wall -------------------------------------------------------------------------------------


async def test_a_page_sees_what_several_learners_send_and_what_was_forged(up):
    async with up.feed("live") as feed:
        empty = json.loads(await feed.recv())
        assert (empty["kind"], empty["title"], empty["lines"]) == ("wall", "Tuesday", [])
        for name in ("zoë", "bob", "<script>alert(1)</script>"):
            await up.publish(name, data={"by": name})
        bobs = up.credentials("bob")
        forged = Credentials(
            app_id=bobs.app_id,
            key=up.credentials("zoë").key,
            secret=bobs.secret,
            base_url=bobs.base_url,
        )
        async with AsyncClient(forged) as client:
            with pytest.raises(Unauthorized):
                await client.trigger("order-41", "status", 1)
        view = await heard(feed, lambda view: view["refusals"] and len(view["lines"]) == 3)
    assert [line["who"] for line in view["lines"]] == ["<script>alert(1)</script>", "bob", "zoë"]
    assert view["learners"] == {"expected": 20, "here": 3, "known": 3, "sent": 3}
    assert [(each["who"], each["key_of"]) for each in view["refusals"]] == [("", "zoë")]
    assert view["goals"][0]["first"] == "zoë"
    for name in ("zoë", "bob"):
        assert up.credentials(name).secret not in json.dumps(view)


async def test_subscribers_are_counted_while_they_listen(up):
    mine = up.credentials("ann")
    url = f"{mine.base_url.replace('http', 'ws', 1)}/app/{mine.key}?protocol=7"
    async with websockets.connect(url) as subscriber, up.feed("live") as feed:
        await subscriber.recv()
        await subscriber.send('{"event":"pusher:subscribe","data":{"channel":"order-41"}}')
        await subscriber.recv()
        await up.publish("bob", data="hi")
        view = await heard(feed, lambda view: view["channels"])
        assert view["channels"] == [{"name": "order-41", "events": 1, "subscribers": 1}]
        assert json.loads(await subscriber.recv())["data"] == "hi"


async def test_a_learner_who_floods_is_slowed_down_and_the_others_are_not(tmp_path):
    now = time.time()  # and it stays that, or a pause between two requests would let one more in
    async with class_at(tmp_path, clock=lambda: now) as up:
        await check_a_flood(up)


async def check_a_flood(up: Up) -> None:
    answers = []
    mine = up.credentials("mallory")
    async with httpx.AsyncClient(base_url=mine.base_url) as client:
        body = b'{"name":"flood","channel":"order-41","data":"1"}'
        path = f"/apps/{mine.app_id}/events"
        for number in range(int(LEARNER_RATE) + 20):
            params = {"n": str(number)}
            signature = sign(mine, "POST", path, params, body, timestamp=int(up.wall.clock()))
            answers.append(await client.post(path, params=signature.query, content=body))
    assert {each.status_code for each in answers} == {200, 429}
    refused = next(each for each in answers if each.status_code == 429)
    assert refused.headers["Retry-After"] == "1"
    await up.publish("ann")


async def test_refusals_are_bounded_for_each_key_and_for_all_that_nobody_has(tmp_path, monkeypatch):
    now = time.time()
    taken = []
    async with class_at(tmp_path, clock=lambda: now) as up:
        monkeypatch.setattr(up.wall.board, "entry", lambda entry: taken.append(entry.key))
        for name in ("ann", "bob"):
            await up.say(name, kind="hello")
        many = range(int(REFUSED_RATE) + 5)
        async with httpx.AsyncClient(base_url=up.wall.server.url) as client:
            for key in (*("ann" for _ in many), *(f"made-up-{n}" for n in many), "bob"):
                path = f"/apps/{up.credentials('ann').app_id}/events?auth_key={key}"
                assert (await client.post(path)).status_code == 401
    most = int(REFUSED_RATE)
    assert [*map(taken.count, ("ann", "bob"))] == [most, 1]
    assert len(taken) == 2 * most + 1


async def test_client_events_are_bounded_for_a_learner_and_not_for_a_connection(tmp_path):
    now = time.time()
    async with class_at(tmp_path, clock=lambda: now) as up, AsyncExitStack() as stack:
        answers = []
        connections = LEARNER_RATE // CLIENT_EVENTS_PER_SECOND + 1
        for _ in range(int(connections)):
            answers.append(await client_events(up, "mallory", stack))
        assert answers[:-1] == [""] * (len(answers) - 1)
        assert "a learner may send 30 per second on all connections" in answers[-1]
        assert await client_events(up, "ann", stack) == ""


async def client_events(up: Up, name: str, stack: AsyncExitStack) -> str:
    """As many client events as one connection may send; returns what was said against it."""
    mine = up.credentials(name)
    url = f"{mine.base_url.replace('http', 'ws')}/app/{mine.key}?protocol=7"
    feed = await stack.enter_async_context(websockets.connect(url))
    socket_id = json.loads(json.loads(await feed.recv())["data"])["socket_id"]
    own = f"private-{socket_id}"  # or each would have to read what the others send
    auth = authorize_channel(mine, socket_id, own)
    await feed.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": own, **auth}}))
    for _ in range(CLIENT_EVENTS_PER_SECOND):
        await feed.send(json.dumps({"event": "client-x", "channel": own, "data": {}}))
    await feed.send(json.dumps({"event": "pusher:ping"}))
    async for text in feed:
        message = json.loads(text)
        if message["event"] == "pusher:error":
            return str(message["data"]["message"])
        if message["event"] == "pusher:pong":
            return ""
    raise AssertionError("It hung up.")


async def test_an_entry_that_cannot_be_shown_does_not_end_the_wall(up, monkeypatch, caplog):
    def fails(entry: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(up.wall.board, "entry", fails)
    await up.publish("ann")
    monkeypatch.undo()
    assert "odd" in caplog.text
    async with up.feed("live") as feed:
        await up.publish("bob")
        await heard(feed, lambda view: view["lines"])


# --- who may look ---------------------------------------------------------------------------------


async def test_pages_are_for_those_whom_the_door_knows_and_the_trainers_view_for_trainers(up):
    page = await up.get("", LEARNER)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert (await up.get("trainer")).status_code == 200
    for path in ("trainer", "trainer/export.json", "trainer/export.csv", "trainer/live"):
        refused = await up.get(path, LEARNER)
        assert refused.status_code == 403
        assert "for the class's trainers" in refused.text
    for path in ("", "trainer", "trainer/export.csv"):
        assert (await up.get(path, {})).headers["Location"] == "/hub/login"
    assert (await up.get("live", {})).text == "Sign in first: open the wall's page.\n"
    assert (await up.get("no-such-page", {})).status_code == 404
    for path in ("trainer/live", "live"):
        with pytest.raises(websockets.InvalidStatus, match="403"):
            async with up.feed(path, LEARNER if path != "live" else {}):
                pass


async def test_the_practice_server_has_no_pages_of_its_own(up):
    async with httpx.AsyncClient() as client:
        for path in ("/", "/live", "/doctor"):
            assert (await client.get(up.wall.server.url + path)).status_code == 404


async def test_a_key_that_is_nobodys_is_called_that_where_names_are_known(tmp_path):
    async with class_at(tmp_path, names=["01", "zoë"], trainers=["ana"]) as up:
        for name in ("01", "zoë", "ana"):
            assert (await up.say(name, kind="hello")).status_code == 200
        refused = await up.say("0l", kind="hello")
        assert refused.status_code == 401
        assert refused.json()["error"] == "Nobody in this class has the app key 0l"
        with pytest.raises(Unauthorized):
            await up.publish("0l")
        mine = up.credentials("01")
        swapped = Credentials(
            app_id=mine.app_id, key=mine.secret, secret=mine.key, base_url=mine.base_url
        )
        async with AsyncClient(swapped) as client:
            with pytest.raises(Unauthorized):
                await client.trigger("order-41", "status", 1)
        with up.wall.lock:
            view = json.dumps(up.wall.board.wall_view(up.wall.clock()))
            assert up.wall.board.expected == 2
        assert "Nobody in this class has the app key 0l" in view
        assert mine.secret not in view


async def test_the_lessons_own_seed_is_no_round(up):
    answer = await up.order("round", {"seed": LESSON_SEED})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Seed 7 is the one in lesson 12 itself")
    assert LESSON_SEED == FIRST_SEED


async def test_another_sites_page_gets_nothing(up):
    sent = {"seed": 41}
    assert (await up.order("round", sent)).status_code == 200
    for wrong in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert (await up.order("round", sent, **wrong)).status_code == 403
    assert (await up.order("round", sent, **{"Sec-Fetch-Site": "same-origin"})).status_code == 200
    assert (await up.order("round", sent, **{"Content-Type": "text/plain"})).status_code == 400
    assert (await up.order("clear", {}, **LEARNER)).json()["error"].startswith("This page is for")
    url = up.pages.replace("http", "ws", 1) + "live"
    with pytest.raises(websockets.InvalidStatus, match="403"):
        async with websockets.connect(
            url, origin="http://evil.example", additional_headers=LEARNER
        ):
            pass


async def test_one_visitor_can_only_open_so_many_pages(up):
    feeds = [await up.feed("live") for _ in range(MAX_FEEDS_EACH)]
    with pytest.raises(websockets.InvalidStatus, match="429"):
        await up.feed("live")
    async with up.feed("live", {"X-Visitor": "bob"}):
        pass
    for feed in feeds:
        await feed.close()


# --- the trainer's view ---------------------------------------------------------------------------


async def test_a_trainer_sees_progress_help_and_rounds(up):
    record = {"passed": ["start_here.send"], "attempts": {"body_is_bytes.body_md5": 2}}
    record["wrong"] = {"body_is_bytes.body_md5": {"raw-bytes": 2}}
    said = {"kind": "progress", "lesson": "01-body-is-bytes", "record": record}
    assert (await up.say("ann", **said)).json()["title"] == "Tuesday"
    async with up.feed("trainer/live", TRAINER) as feed:
        first = json.loads(await feed.recv())
        assert (first["kind"], len(first["lessons"])) == ("class", 2)
        learners = json.loads(await feed.recv())
        assert [row["name"] for row in learners["learners"]] == ["ann"]
        summary = json.loads(await feed.recv())
        assert (summary["kind"], summary["present"]) == ("summary", 1)
        assert summary["mistakes"][0]["sentence"] == "These are the raw bytes."

        await up.say("zoë", kind="help", exercise="start_here.send", code="</script>")
        news = await heard(feed, lambda message: message["kind"] == "learners")
        assert [row["name"] for row in news["learners"]] == ["zoë"]
        assert news["learners"][0]["help"][0]["code"] == "</script>"
        done = {"name": "zoë", "exercise": "start_here.send"}
        assert (await up.order("help-over", done)).json() == {}
        news = await heard(feed, lambda message: message["kind"] == "learners")
        assert news["learners"][0]["help"] == []

        await up.order("round", {"seed": 41})
        summary = await heard(feed, lambda message: message.get("round"))
        assert (summary["round"]["seed"], summary["round"]["open"]) == (41, True)
        answer = await up.say("ann", kind="round", seed=41, answered=3, right=2)
        assert answer.json()["round"] == {"seed": 41, "open": True, "answered": 3, "right": 2}
        news = await heard(
            feed, lambda m: m["kind"] == "learners" and any(row["round"] for row in m["learners"])
        )
        assert {row["name"]: row["round"] for row in news["learners"]}["ann"] == {
            "answered": 3,
            "right": 2,
        }
        await up.order("round", {"close": True})
        assert (await up.say("ann", kind="hello")).json()["round"]["open"] is False


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("round", {}),
        ("round", {"seed": -1}),
        ("round", {"seed": "7"}),
        ("help-over", {"name": "ann"}),
        ("clear", []),
        ("clear", b"{"),
        ("clear", b"[" * 4_000),
        ("clear", b"[" * 5_000),
    ],
    ids=lambda each: str(each)[:20],
)
async def test_anything_that_is_not_an_order_is_refused(up, path, sent):
    answer = await up.order(path, sent)
    assert answer.status_code == 400


async def test_clearing_the_wall(up):
    await up.publish("ann")
    async with up.feed("live") as feed:
        await heard(feed, lambda view: view["lines"])
        assert (await up.order("clear", {})).status_code == 200
        view = await heard(feed, lambda view: not view["lines"])
        assert view["events"] == 1


async def test_exports(up, monkeypatch):
    monkeypatch.setattr(up.wall.store, "log", lambda: [{"kind": "event", "who": "ann"}])
    await up.say(
        "=cmd()", kind="progress", lesson="00-start-here", record={"passed": ["start_here.send"]}
    )
    exported = await up.get("trainer/export.json")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="class.json"'
    assert exported.json()["learners"][0]["name"] == "=cmd()"
    assert exported.json()["log"] == [{"kind": "event", "who": "ann"}]
    exported = await up.get("trainer/export.csv")
    assert exported.content.startswith(b"\xef\xbb\xbf")
    _, row = csv.reader(io.StringIO(exported.content.decode("utf-8-sig")))
    assert row[0] == "'=cmd()"


async def test_a_thousand_learners_reach_a_trainers_view_in_pieces(up):
    for number in range(1_000):
        up.wall.board.call(f"learner-{number}", b'{"kind":"hello"}', up.wall.clock())
    names: set[str] = set()
    async with up.feed("trainer/live", TRAINER) as feed:
        while len(names) < 1_000:
            message = json.loads(await feed.recv())
            rows = message.get("learners", ())
            assert len(rows) <= wall_module.LEARNERS_AT_ONCE
            names.update(row["name"] for row in rows)


async def test_somebody_stuck_is_noticed_without_a_message(tmp_path, monkeypatch):
    monkeypatch.setattr(wall_module, "STUCK_LOOK_SECONDS", 0.05)
    tried = {"attempts": {"start_here.send": 1}}
    async with class_at(tmp_path) as up, up.feed("trainer/live", TRAINER) as feed:
        await up.say("ann", kind="progress", lesson="00-start-here", record=tried)
        await heard(feed, lambda message: message.get("present") == 1)
        later = up.wall.clock() + 700
        up.wall.clock = lambda: later
        news = await heard(
            feed, lambda m: m["kind"] == "learners" and m["learners"][0]["stuck"] is not None
        )
        assert news["learners"][0]["stuck"]["exercise"] == "start_here.send"


# --- pages that don't read ------------------------------------------------------------------------


async def test_a_wall_page_that_does_not_read_is_dropped(up, monkeypatch):
    monkeypatch.setattr(wall_module, "SLOW_SECONDS", 0.0)
    async with up.feed("live"):
        (feed,) = up.wall.feeds
        stuck = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(feed, "drained", lambda: stuck)
        feed.show("a", 1.0)
        feed.show("b", 1.0)
        assert up.wall.feeds == {feed}
        feed.show("c", 2.0)
        assert up.wall.feeds == set()


async def test_a_trainers_view_that_does_not_read_is_dropped(up, monkeypatch):
    monkeypatch.setattr(wall_module, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(wall_module, "LEARNERS_AT_ONCE", 1)
    stuck = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(wall_module.TrainerFeed, "drained", lambda self: stuck)
    for name in ("ann", "bob"):
        await up.say(name, kind="hello")
    async with up.feed("trainer/live", TRAINER) as feed:
        with pytest.raises(websockets.ConnectionClosed):
            await heard(feed, lambda message: False)
    assert up.wall.trainer_feeds == set()


# --- restarts and disks ---------------------------------------------------------------------------


async def test_nothing_is_lost_when_the_wall_restarts(tmp_path):
    async with class_at(tmp_path) as up:
        await up.publish("ann", data="before")
        await up.say("ann", kind="help", exercise="start_here.send", code="x = 1")
        await up.order("round", {"seed": 41})
    async with class_at(tmp_path) as up, up.feed("live") as feed:
        view = json.loads(await feed.recv())
        assert [line["data"] for line in view["lines"]] == ["before"]
        assert view["events"] == 1
        answer = (await up.say("ann", kind="hello")).json()
        assert (answer["help"], answer["round"]["seed"]) == (["start_here.send"], 41)


async def test_what_changed_is_on_the_disk_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(wall_module, "KEEP_SECONDS", 0.01)
    async with class_at(tmp_path) as up:
        kept = asyncio.Event()
        save, loop = up.wall.store.save, asyncio.get_running_loop()

        def saved(changes: Any) -> bool:
            done = save(changes)
            loop.call_soon_threadsafe(kept.set)
            return done

        monkeypatch.setattr(up.wall.store, "save", saved)
        await up.publish("ann", data="kept")
        await kept.wait()
        _, parts = Store(tmp_path).load()
        assert parts["wall"]["lines"][0]["data"] == "kept"


async def test_the_trainer_hears_of_a_full_disk_once_and_the_wall_goes_on(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(wall_module, "KEEP_SECONDS", 0.01)
    monkeypatch.setattr(wall_module, "RETRY_SECONDS", 0.01)
    async with class_at(tmp_path) as up, up.feed("trainer/live", TRAINER) as feed:
        full = threading.Event()
        full.set()
        write = up.wall.store._write

        def writes(changes: Any) -> None:
            if full.is_set():
                raise OSError(28, "No space left on device")
            write(changes)

        monkeypatch.setattr(up.wall.store, "_write", writes)
        await up.publish("ann")
        summary = await heard(feed, lambda message: message.get("problem"))
        assert "no space left on device" in summary["problem"]
        await up.publish("bob")
        full.clear()
        await heard(feed, lambda message: message.get("problem") == "")
        await up.order("clear", {})
    assert caplog.text.count("Nothing can be saved") == 1
    assert "can save again" in caplog.text


async def test_a_taken_address_gets_a_sentence(up, tmp_path):
    host, _, port = up.pages.removeprefix("http://").partition("/")[0].rpartition(":")
    door = OpenDoor()
    door.address = (host, int(port))
    wall = Wall(Roster(SECRET), tmp_path, course=COURSE, title="Again")
    with pytest.raises(PusherError, match="can't listen"):
        async with serving(wall, door):
            pass


def test_a_hub_has_its_own_rules_for_names(tmp_path, monkeypatch):
    names, told = ["ana@example.com", "o'brien@example.com", "_7", "Ana", "ana"], {}
    monkeypatch.setattr(wall_module, "run", lambda *_, **settings: told.update(settings))
    file = tmp_path / "names"
    file.write_text("\n\n".join([*names, f" {names[0]} "]), encoding="utf-8")
    assert main(["wall", f"--data={tmp_path}", f"--names={file}"]) == 0
    assert told["names"] == names


def test_a_file_without_names_does_not_open_a_class_to_everybody(tmp_path, capsys):
    (tmp_path / "names").write_text(" \n\n")
    assert main(["wall", f"--data={tmp_path}", f"--names={tmp_path / 'names'}"]) == 1
    assert "There are no names in the list" in capsys.readouterr().err


def test_the_course_is_the_lessons_own():
    lessons = course()
    assert [each.lesson[:2] for each in lessons] == [
        f"{number:02}" for number in range(len(lessons))
    ]
    for lesson in lessons:
        assert lesson.exercises
        assert lesson.predictions
        for exercise in lesson.exercises:
            assert exercise.task
            assert "other" in exercise.mistakes
