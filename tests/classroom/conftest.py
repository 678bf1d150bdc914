"""A small course, and a class whose practice server is in this process."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from pusherkit import Event, sign
from pusherkit.classroom.board import Board
from pusherkit.classroom.learners import CourseExercise, CourseLesson
from pusherkit.classroom.roster import CLASS_APP_ID, Roster
from pusherkit.credentials import Credentials
from pusherkit.events import batch_body, event_body
from pusherkit.sandbox import RawRequest, Reply, Sandbox
from tests.doctor.conftest import growth

__all__ = ["growth"]

NOW = 1_700_000_000.0  # seconds
SECRET = "the secret of a class that's only for tests"
COURSE = (
    CourseLesson(
        lesson="00-start-here",
        title="Start here",
        exercises=(CourseExercise(name="start_here.send", task="Send an event."),),
        predictions=frozenset({"start_here.who_reads_it"}),
    ),
    CourseLesson(
        lesson="01-body-is-bytes",
        title="Body is bytes",
        exercises=(
            CourseExercise(
                name="body_is_bytes.body_md5",
                task="Return the body hash of any body.",
                mistakes={"raw-bytes": "These are the raw bytes.", "other": "Another one."},
            ),
            CourseExercise(name="body_is_bytes.shortest", task="Write it short.", optional=True),
        ),
    ),
)


class InProcess:
    """A class without sockets: what learners send is judged, and the board gets to see it."""

    def __init__(self, **settings: Any) -> None:
        self.roster = Roster(SECRET)
        self.board = Board(COURSE, title="Tuesday", hide=self._hide, **settings)
        self.sandbox = Sandbox(
            Credentials(app_id=CLASS_APP_ID, key="_wall", secret="the wall's own secret"),
            find_key=self.roster.find,
            calls={"class": self.board.call},
        )
        self.sandbox.watchers.append(self.board.entry)
        self.now = NOW

    def _hide(self, key: str, text: str) -> str:
        mine = self.roster.find(key)
        return mine.hide(text) if mine else text

    def send(
        self,
        sender: str | Credentials,
        body: bytes,
        call: str = "events",
        *,
        method: str = "POST",
        secret_of: str | None = None,
        at: float = 0.0,
    ) -> Reply:
        """A request that names somebody's key, signed with theirs or another's secret."""
        mine = self.roster.credentials(sender) if isinstance(sender, str) else sender
        used = self.roster.credentials(secret_of) if secret_of else mine
        signing = Credentials(app_id=mine.app_id, key=mine.key, secret=used.secret)
        path = f"/apps/{mine.app_id}/{call}"
        signature = sign(signing, method, path, (), body, timestamp=int(self.now + at))
        target = f"{path}?{urlencode(signature.query)}".encode()
        return self.sandbox.handle(
            RawRequest(method=method, target=target, body=body), now=self.now
        )

    def publish(
        self,
        sender: str | Credentials,
        channel: str | list[str] = "order-41",
        event: str = "status",
        data: Any = 1,
    ) -> None:
        """Somebody publishes an event; it's accepted."""
        reply = self.send(sender, event_body(Event.of(channel, event, data)))
        assert reply.status == 200, reply.note

    def batch(self, sender: str | Credentials, *events: Event) -> Reply:
        """Somebody publishes a batch."""
        return self.send(sender, batch_body(events), "batch_events")

    def say(self, sender: str | Credentials, **body: Any) -> dict[str, Any]:
        """Somebody's lessons send the class something; returns the answer."""
        reply = self.send(sender, json.dumps(body).encode(), "class")
        return {"status": reply.status, **json.loads(reply.body)}

    def progress(self, name: str, lesson: str = "00-start-here", **record: Any) -> None:
        """Somebody's lessons say how far they are."""
        assert self.say(name, kind="progress", lesson=lesson, record=record)["status"] == 200

    def view(self, **options: Any) -> dict[str, Any]:
        """What the wall shows now."""
        return self.board.wall_view(self.now, **options)

    def learner(self, name: str) -> dict[str, Any]:
        """What the trainer's view has of somebody."""
        rows, _ = self.board.learners.since(0, self.now, 10_000)
        return next(row for row in rows if row["name"] == name)


@pytest.fixture
def klass() -> InProcess:
    return InProcess(expected=20)
