"""A class with a real hub: who comes in by which link, what they find, what a restart keeps."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pusherkit.classroom.invitations import load
from pusherkit.classroom.roster import Roster
from pusherkit.lab import COPY

if TYPE_CHECKING:
    from .conftest import OpenClass, Person, Room

pytestmark = pytest.mark.slow

ENVIRONMENT = """
import json, os
print(json.dumps({name: os.environ.get(name) for name in
    ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET", "PUSHER_HOST", "PUSHERKIT_CLASS", "HOME")}))
"""


def hub_of(room: Room) -> psutil.Process:
    return next(
        each
        for each in psutil.Process(room.process.pid).children()
        if "jupyterhub" in each.cmdline()
    )


def family(room: Room) -> list[psutil.Process]:
    """The processes of a class, wherever they were started from."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if room.folder in Path(process.cwd()).parents:
                found.append(process)
    return found


def wait_for(condition, room: Room, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, room.log()
        time.sleep(0.2)  # between two looks; the deadline is what counts


def test_an_invitation_opens_the_first_lesson_in_the_learners_own_server(
    room: Room, person: Person
) -> None:
    page = person.comes_in(room, "zoë")
    # The hub may add how often it had to ask: ?redirects=1
    assert page.url.path == "/a/b/user/zoë/doc/tree/00-start-here.ipynb"
    listed = person.get(f"{room.server('zoë')}api/contents/").json()["content"]
    assert "12-the-clinic.ipynb" in [each["name"] for each in listed]
    assert (room.home("zoë") / COPY / "00-start-here.ipynb").is_file()
    assert person.get(f"{room.server('zoë')}api/terminals").status_code == 404


def test_programs_have_what_reaches_the_wall_as_their_learner(room: Room, person: Person) -> None:
    person.comes_in(room, "zoë")
    found = json.loads(person.runs(room, "zoë", ENVIRONMENT))
    secret = (room.folder / "wall" / "secret").read_text(encoding="ascii").strip()
    own = Roster(secret).credentials("zoë")
    assert found["PUSHER_KEY"] == own.key == "zo_c3_ab"
    assert found["PUSHER_SECRET"] == own.secret
    assert found["PUSHER_APP_ID"] == own.app_id
    assert found["PUSHERKIT_CLASS"] == "/a/b/services/wall/"
    assert found["HOME"] == str(room.home("zoë"))


def test_the_lessons_settings_are_those_of_the_lab(room: Room, person: Person) -> None:
    person.comes_in(room, "zoë")
    lab = person.get(f"{room.server('zoë')}lab/api/settings/@jupyterlab/notebook-extension:tracker")
    assert lab.json()["schema"]["properties"]["kernelShutdown"]["default"] is True
    # A shipped lesson is trusted: each of its cells says so.
    lesson = person.get(f"{room.server('zoë')}api/contents/00-start-here.ipynb").json()["content"]
    code = [each for each in lesson["cells"] if each["cell_type"] == "code"]
    assert all(each["metadata"]["trusted"] for each in code)


def test_a_learner_sees_the_wall_and_no_trainers_view(room: Room, person: Person) -> None:
    person.get(room.link("Anna Lena"))
    assert person.get(f"{room.url}services/wall/").status_code == 200
    refused = person.get(f"{room.url}services/wall/trainer")
    assert refused.status_code == 403


def test_the_trainer_comes_to_the_view_and_has_a_link_to_project(
    room: Room, person: Person
) -> None:
    view = person.get(room.link("trainer"))
    assert (view.status_code, view.url.path) == (200, "/a/b/services/wall/trainer")
    wall = person.get(f"{room.link('trainer')}/wall")
    assert (wall.status_code, wall.url.path) == (200, "/a/b/services/wall/")


def test_a_projector_sees_the_wall_and_nothing_else(room: Room, person: Person) -> None:
    link = load(room.folder).wall_link(f"{room.url}hub")
    assert person.get(link).url.path == "/a/b/services/wall/"
    assert person.get(f"{room.url}services/wall/trainer").status_code == 403
    assert person.get(f"{room.url}hub/spawn").status_code == 403
    person.get(room.link("trainer"))
    assert person.get(link).url.path == "/a/b/services/wall/"
    assert person.get(f"{room.url}services/wall/trainer").status_code == 200, "still the trainer"


def test_nobody_comes_in_without_an_invitation(room: Room, person: Person) -> None:
    token = room.link("03").rsplit("/", 1)[1]
    made_up = person.get(room.link("03")[:-1] + ("a" if token[-1] != "a" else "b"))
    assert made_up.status_code == 403
    assert "Copy the whole link that you were given." in made_up.text
    assert "403 :" not in made_up.text, "a number explains nothing"
    for path in ("user/03/", "services/wall/", "services/wall/trainer", "hub/home"):
        page = person.get(room.url + path)
        assert page.url.path == "/a/b/hub/login"
        assert "By invitation" in page.text
        assert "password" not in page.text


def test_one_learner_cannot_open_anothers_server(
    room: Room, person: Person, another: Person
) -> None:
    person.comes_in(room, "03")
    another.get(room.link("Anna Lena"))
    page = another.get(f"{room.server('03')}api/contents/", headers={"Accept": "application/json"})
    assert page.status_code in (403, 404)
    assert "12-the-clinic" not in page.text


def test_a_second_link_in_the_same_browser_signs_in_its_learner(room: Room, person: Person) -> None:
    person.get(room.link("trainer"))
    assert person.get(f"{room.url}services/wall/trainer").status_code == 200
    person.get(f"{room.link('Anna Lena')}/wall")
    assert person.get(f"{room.url}services/wall/trainer").status_code == 403


def test_a_link_that_was_used_is_not_in_the_log(room: Room, person: Person) -> None:
    person.get(room.link("03"))
    token = room.link("03").rsplit("/", 1)[1]
    assert "/hub/invitation/[secret]" in room.log()
    assert token not in room.log()
    assert (room.folder / "wall" / "secret").read_text(encoding="ascii").strip() not in room.log()


def test_a_class_outlives_its_night_and_its_command(
    open_class: OpenClass, person: Person, tmp_path: Path
) -> None:
    folder = tmp_path / "class"
    with open_class(folder, "--learners=2", "--title=Two days") as room:
        person.comes_in(room, "01")
        links = {name: room.link(name) for name in ("trainer", "01", "02")}
        lesson = room.home("01") / COPY / "01-body-is-bytes.ipynb"
        notebook = json.loads(lesson.read_text(encoding="utf-8"))
        notebook["cells"][0]["source"] = "What I wrote."
        notebook["metadata"]["language_info"]["version"] = "3.12"  # as Jupyter saves it
        lesson.write_text(json.dumps(notebook), encoding="utf-8")

        # The day ends, and so do all of its processes.
        assert "Stopped. Everything is in" in room.stop()
        wait_for(lambda: family(room) == [], room)

    port = int(room.url.rsplit(":", 1)[1].strip("/"))
    with open_class(folder, port=port) as room:
        assert "The class is open: Two days, 2 learners." in room.said()
        assert {name: room.link(name) for name in links} == links
        # People who were signed in still are, and come back to the lesson they saved last.
        here = f"{room.url}hub/"
        wait_for(lambda: person.get(here).url.path.endswith("01-body-is-bytes.ipynb"), room)
        assert "What I wrote." in lesson.read_text(encoding="utf-8")

        # The command is killed, so it can't stop anything itself: the hub does that.
        os.kill(room.process.pid, signal.SIGKILL)
        room.process.wait()
        wait_for(lambda: family(room) == [], room)
