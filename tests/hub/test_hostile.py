"""A learner with bad intentions: their own key, their own sign-in, a kernel on the same machine.

Whatever they try, the others' events are on the wall a moment later, the hub goes on answering, and
nothing is done in anybody else's name. Every attack has a number of tries, and stays on loopback.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from pusherkit import PusherError
from pusherkit.classroom.calls import MAX_CALL_BYTES
from pusherkit.classroom.doors import TRAIN
from pusherkit.classroom.roster import CLASS_APP_ID
from pusherkit.classroom.wall import LEARNER_RATE, MAX_FEEDS_EACH
from pusherkit.events import MAX_DATA_BYTES
from pusherkit.sandbox.api import MAX_BODY_BYTES

from .conftest import START_SECONDS, Person

if TYPE_CHECKING:
    from .conftest import Room

pytestmark = pytest.mark.slow

HOSTILE, VICTIM, OTHER = "03", "zoë", "Anna Lena"
EXERCISE = "start_here.announce"
PATIENCE_SECONDS = 10.0  # for an event to be on the wall; normally a quarter of a second
CLASS_CALL = f"/apps/{CLASS_APP_ID}/class"
EVENTS = f"/apps/{CLASS_APP_ID}/events"


class Watcher:
    """A page that's open, and hears what changes."""

    def __init__(self, feed: ClientConnection) -> None:
        self._feed = feed

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The next message that's wanted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            heard: dict[str, Any] = json.loads(self._feed.recv(deadline - time.monotonic()))
            if wanted(heard):
                return heard


@pytest.fixture
def trainer(person: Person, room: Room) -> Iterator[Watcher]:
    """What the trainer's view hears."""
    person.get(room.link("trainer"))
    with person.listens(room, "services/wall/trainer/live") as feed:
        yield Watcher(feed)


@pytest.fixture
def hostile(another: Person, room: Room) -> Person:
    """The browser of the learner with bad intentions, signed in."""
    another.comes_to_the_wall(room, HOSTILE)
    same = {"Origin": room.url.removesuffix("/a/b/"), "Sec-Fetch-Site": "same-origin"}
    another.headers.update(same)
    return another


@pytest.fixture
def others_go_on(room: Room) -> Iterator[Callable[[], None]]:
    """Asserts that somebody else's event is soon on the wall, and that the hub answers."""
    with Person() as other:
        other.comes_to_the_wall(room, OTHER)
        with other.listens(room, "services/wall/live") as feed, room.client(OTHER) as client:
            watcher, number = Watcher(feed), 0

            def check() -> None:
                nonlocal number
                number += 1
                sent = f"in-order-{number}"
                client.trigger("the-others", sent, number)
                watcher.until(lambda view: sent in [each["event"] for each in view["lines"]])
                assert other.get(f"{room.url}services/wall/").status_code == 200
                assert other.get(f"{room.url}hub/token").status_code == 200

            yield check


def row_of(name: str) -> Callable[[dict[str, Any]], Any]:
    """Whether a message to the trainer's view is about a learner."""
    return lambda said: name in [each["name"] for each in said.get("learners", ())]


def of(name: str, said: dict[str, Any]) -> dict[str, Any]:
    (found,) = (each for each in said["learners"] if each["name"] == name)
    return found


def test_a_flood_takes_nobody_elses_time(room: Room, others_go_on: Callable[[], None]) -> None:
    event = json.dumps({"name": "flood", "channel": "flood", "data": "x" * 5_000})
    with (
        room.client(HOSTILE) as mine,
        room.client(VICTIM, secret_of=HOSTILE) as forged,
        httpx.Client(
            base_url=str(mine.http.base_url), timeout=START_SECONDS, trust_env=False
        ) as unsigned,
        ThreadPoolExecutor(12) as threads,
    ):
        began = time.monotonic()
        kinds: list[Callable[[], httpx.Response]] = [
            lambda: mine.http.post(EVENTS, content=event),
            lambda: forged.http.post(EVENTS, content=event),  # the doctor looks for the reason
            lambda: unsigned.post(f"{EVENTS}?auth_key={'k' * 5_000}", content=event),
        ]
        sent = [threads.submit(lambda each=each: each().status_code) for each in kinds * 150]
        while not all(each.done() for each in sent):
            others_go_on()
        took = time.monotonic() - began
    answers = Counter(each.result() for each in sent)
    assert answers[200] + answers[429] == 150
    assert answers[200] <= LEARNER_RATE * (1 + took)  # all of them, where the machine is slow
    assert answers[401] == 300
    others_go_on()


def test_nobody_speaks_in_anothers_name(
    room: Room, trainer: Watcher, others_go_on: Callable[[], None]
) -> None:
    def progress(**record: Any) -> dict[str, Any]:
        return {"kind": "progress", "lesson": "00-start-here", "record": record}

    with (
        room.client(VICTIM) as victim,
        room.client(HOSTILE) as mine,
        room.client(VICTIM, secret_of=HOSTILE) as forged,
    ):
        done = progress(passed=[EXERCISE], attempts={EXERCISE: 1})
        assert victim.http.post(CLASS_CALL, json=done).status_code == 200
        assert of(VICTIM, trainer.until(row_of(VICTIM)))["cells"][EXERCISE][0] == "passed"

        asked = {"kind": "help", "exercise": EXERCISE, "code": "not mine"}
        for body in (progress(), asked):
            answer = forged.http.post(CLASS_CALL, json=body)
            assert (answer.status_code, answer.json()["rule"]) == (401, "auth_signature")
        with pytest.raises(PusherError):
            forged.trigger("order-41", "status", "not from me")
        # A name in the body is nobody's: the key says who it is.
        call = {**asked, "name": VICTIM, "key": victim.credentials.key, "learner": VICTIM}
        assert mine.http.post(CLASS_CALL, json=call).status_code == 200
        assert of(HOSTILE, trainer.until(row_of(HOSTILE)))["help"][0]["code"] == "not mine"

        assert victim.http.post(CLASS_CALL, json={"kind": "hello"}).json()["help"] == []
        everything = {**done, "record": {**done["record"], "attempts": {EXERCISE: 2}}}
        assert victim.http.post(CLASS_CALL, json=everything).status_code == 200
        now = of(VICTIM, trainer.until(row_of(VICTIM)))
        assert (now["cells"][EXERCISE], now["help"]) == (["passed", 2], [])
    with Person() as looks:
        looks.comes_to_the_wall(room, OTHER)
        with looks.listens(room, "services/wall/live") as feed:
            view = Watcher(feed).until(lambda view: view["refusals"])
    forgeries = [each for each in view["refusals"] if each["key_of"] == VICTIM]
    assert {each["who"] for each in forgeries} == {""}, "a forged request proves nothing"
    assert "not from me" not in json.dumps(view["lines"])
    others_go_on()


def test_what_is_too_large_is_turned_away(room: Room, others_go_on: Callable[[], None]) -> None:
    with room.client(HOSTILE) as mine:
        sizes = {
            "an event": (EVENTS, {"name": "e", "channel": "c", "data": "x" * (MAX_DATA_BYTES + 1)}),
            "a request": (EVENTS, {"name": "e", "channel": "c", "data": "x" * MAX_BODY_BYTES}),
            "a record": (CLASS_CALL, {"kind": "hello", "x": "x" * MAX_CALL_BYTES}),
        }
        for what, (path, body) in sizes.items():
            answer = mine.http.post(path, json=body)
            assert answer.status_code == 413, what
            assert "limit" in answer.json()["error"], what
        deep = b'{"kind":' + b"[" * (MAX_CALL_BYTES - 100)
        assert mine.http.post(CLASS_CALL, content=deep).status_code == 400
    others_go_on()


def test_a_learner_cannot_do_what_a_trainer_does(
    room: Room, hostile: Person, trainer: Watcher, others_go_on: Callable[[], None]
) -> None:
    for page in ("trainer", "trainer/export.json", "trainer/export.csv", "trainer/live"):
        refused = hostile.get(f"{room.url}services/wall/{page}")
        assert (refused.status_code, "class's trainers" in refused.text) == (403, True), page
    orders = {"round": {"seed": 666}, "clear": {}, "help-over": {"name": VICTIM, "exercise": "x.y"}}
    for order, sent in orders.items():
        refused = hostile.post(f"{room.url}services/wall/trainer/{order}", json=sent)
        assert (refused.status_code, "class's trainers" in refused.text) == (403, True), order
    feed = "services/wall/trainer/live"
    with pytest.raises(InvalidStatus, match="403"), hostile.listens(room, feed):
        pass
    with room.client(HOSTILE) as mine:
        assert mine.http.post(CLASS_CALL, json={"kind": "hello"}).json()["round"] is None

    # Past the proxy, which is what a program on the same machine can do, the door is the same.
    inside = f"http://127.0.0.1:{room.ports()['pages']}/a/b/services/wall/trainer"
    for headers in ({}, {"Authorization": "token none"}, {"Cookie": hostile.cookies_for(room.url)}):
        with httpx.Client(trust_env=False, headers=headers) as program:
            assert program.get(inside).status_code in (302, 403)
            assert program.post(f"{inside}/round", json={"seed": 666}).status_code == 403
    others_go_on()


def test_the_hub_keeps_learners_apart(
    room: Room, hostile: Person, others_go_on: Callable[[], None]
) -> None:
    with Person() as victim:
        victim.comes_in(room, VICTIM)
        hostile.comes_in(room, HOSTILE)
        api, them = f"{room.url}hub/api", quote(VICTIM)
        # The token of their own server, which every program of theirs finds in its environment.
        shown = hostile.runs(room, HOSTILE, "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
        # They may make tokens that can do what they can, and none that can do more.
        tokens, page = f"{api}/users/{HOSTILE}/tokens", hostile.xsrf(f"{room.url}hub/")
        made = hostile.post(tokens, json={}, headers=page)
        assert made.status_code == 201
        refused = hostile.post(tokens, json={"scopes": [TRAIN]}, headers=page)
        assert refused.status_code == 400
        for token in (shown.strip(), made.json()["token"]):
            own = {"Authorization": f"token {token}"}
            with httpx.Client(trust_env=False, headers=own) as program:
                assert program.get(f"{api}/user").json()["name"] == HOSTILE
                tries = [
                    program.get(f"{api}/users"),
                    program.get(f"{api}/users/{them}"),
                    program.delete(f"{api}/users/{them}/server"),
                    program.post(f"{api}/users/{them}/tokens", json={}),
                    program.post(f"{api}/users", json={"usernames": ["mallory"], "admin": True}),
                    program.patch(f"{api}/users/{HOSTILE}", json={"admin": True}),
                    program.get(f"{api}/proxy"),
                    program.post(f"{api}/shutdown", json={}),
                    program.get(f"{room.server(VICTIM)}api/contents/"),
                    program.get(f"http://127.0.0.1:{room.ports()['proxy']}/api/routes"),
                ]
                assert {each.status_code for each in tries} <= {403, 404}, tries
                # A server's token doesn't even open the wall: it's led to the sign-in.
                view = program.get(f"{room.url}services/wall/trainer")
                assert view.status_code in (302, 403)
        feed = f"user/{them}/api/events/subscribe"
        with pytest.raises(InvalidStatus, match=r"403|404"), hostile.listens(room, feed):
            pass
        assert victim.get(f"{room.server(VICTIM)}api/status").status_code == 200
    others_go_on()


def test_a_page_that_never_reads_holds_nobody_up(
    room: Room, hostile: Person, others_go_on: Callable[[], None]
) -> None:
    with ExitStack() as opened, room.client(HOSTILE) as mine:
        address = httpx.URL(room.url)
        for _ in range(MAX_FEEDS_EACH):
            cookies = hostile.cookies_for(f"{room.url}services/wall/live")
            deaf = Deaf(address.host, address.port or 80, "/a/b/services/wall/live", cookies)
            opened.enter_context(deaf)
        feed = "services/wall/live"
        with pytest.raises(InvalidStatus, match="429"), hostile.listens(room, feed):
            pass
        key, api = mine.credentials.key, room.ports()["api"]
        for _ in range(20):
            deaf = opened.enter_context(Deaf("127.0.0.1", api, f"/app/{key}?protocol=7"))
            deaf.say({"event": "pusher:subscribe", "data": {"channel": "deaf"}})
        others_go_on()
        sent = Counter(
            mine.http.post(
                EVENTS, json={"name": "e", "channel": "deaf", "data": "x" * 10_000}
            ).status_code
            for _ in range(100)
        )
        assert sent[200] >= LEARNER_RATE
        others_go_on()


class Deaf:
    """A WebSocket that nobody reads from once it's there (RFC 6455, sections 4.1 and 5.2)."""

    def __init__(self, host: str, port: int, path: str, cookies: str = "") -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect((host, port))
        lines = [
            f"GET {path} HTTP/1.1",
            *(f"Host: {host}:{port}", f"Origin: http://{host}:{port}", "Connection: Upgrade"),
            *("Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            *([f"Cookie: {cookies}"] if cookies else []),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = self._socket.recv(12)
        assert answer == b"HTTP/1.1 101", answer

    def say(self, message: dict[str, Any]) -> None:
        """Send a text frame, masked with zeros."""
        payload = json.dumps(message).encode()
        assert len(payload) < 126
        self._socket.sendall(bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload)

    def __enter__(self) -> Deaf:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
