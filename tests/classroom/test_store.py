"""What the wall keeps: restarts, bounds, full disks and damaged files."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest

from pusherkit.classroom import store as bounds
from pusherkit.classroom.board import Changes
from pusherkit.classroom.store import FILE, Store, class_secret
from pusherkit.errors import PusherError

PRIVATE = 0o600 if os.name == "posix" else 0o666  # Windows has other means
ROW = (1.0, "event", "ann", "order-41", "status", "1")


def changes(learners=(), parts=(), log=()):
    return Changes(learners=dict(learners), parts=dict(parts), log=tuple(log))


def saved(folder, **what):
    store = Store(folder)
    assert store.load() == ({}, {})
    assert store.save(changes(**what))
    store.close()


def test_what_is_saved_is_loaded_again(tmp_path):
    folder = tmp_path / "not" / "there"
    saved(folder, learners={"zoë\n": {"seen": 1.5}}, parts={"round": None}, log=[ROW])
    store = Store(folder)
    assert store.load() == ({"zoë\n": {"seen": 1.5}}, {"round": None})
    assert store.save(changes(learners={"zoë\n": {"seen": 2}}))
    assert store.load()[0] == {"zoë\n": {"seen": 2}}
    store.close()
    store.close()  # a second time does no harm
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == PRIVATE
    assert (store.problem, store.notice) == ("", "")


def test_the_log_is_bounded_and_keeps_the_latest(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "LOG_ROWS", 100)
    store = Store(tmp_path)
    for start in range(0, 1_000, 50):
        store.save(changes(log=[(float(start + n), *ROW[1:]) for n in range(50)]))
    store.close()
    with sqlite3.connect(tmp_path / FILE) as database:
        ((count, oldest),) = database.execute("SELECT count(*), min(time) FROM log")
    database.close()
    assert (count, oldest) == (100, 900.0)


def test_the_log_can_be_read_while_the_file_is_open_and_when_there_is_none(tmp_path):
    store = Store(tmp_path / "a folder #1?")
    assert store.log() == []
    store.save(changes(log=[ROW, (2.0, "event", "bob", "order-42", "status", "2")]))
    first, second = store.log()
    assert tuple(first.values()) == ROW
    assert (second["who"], second["place"]) == ("bob", "order-42")
    store.close()


def test_a_full_disk_keeps_the_old_and_says_so_once(tmp_path, caplog):
    store = Store(tmp_path)
    assert store.save(changes(learners={"ann": {"seen": 1}}))
    store._opened().execute("PRAGMA max_page_count = 8")
    large = changes(learners={"bob": {"help": "x" * 100_000}})
    assert not store.save(large)
    assert "database or disk is full" in store.problem
    assert "a restart would lose what's new" in store.problem
    store._opened().execute("PRAGMA max_page_count = 8")
    assert not store.save(large)
    assert caplog.text.count("disk is full") == 1
    assert store.load()[0] == {"ann": {"seen": 1}}
    assert store.save(large)  # there's room again
    assert store.problem == ""
    assert "can save again" in caplog.text
    assert store.load()[0].keys() == {"ann", "bob"}
    store.close()


def test_a_file_in_place_of_the_folder_is_reported_until_it_is_gone(tmp_path):
    folder = tmp_path / "data"
    folder.write_text("a file")
    store = Store(folder)
    assert store.load() == ({}, {})
    assert "Nothing can be saved" in store.problem
    assert not store.save(changes(parts={"wall": 1}))
    folder.unlink()
    assert store.save(changes(parts={"wall": 1}))
    assert store.problem == ""
    assert store.load() == ({}, {"wall": 1})
    store.close()


@pytest.mark.parametrize("damage", ["no database", "in the middle"])
def test_a_damaged_file_is_set_aside_and_reported(tmp_path, damage, caplog):
    saved(tmp_path, learners={f"learner-{n}": {"x": "y" * 500} for n in range(100)})
    file = tmp_path / FILE
    whole = file.read_bytes()
    if damage == "no database":
        file.write_bytes(b"These are the notes of last Tuesday.\n" * 100)
    else:
        file.write_bytes(whole[:5_000] + os.urandom(1_000) * 40 + whole[45_000:])
    before = file.read_bytes()
    store = Store(tmp_path)
    assert store.load() == ({}, {})
    assert "was damaged" in store.notice
    assert f"{FILE}.damaged-1" in store.notice
    assert store.notice in caplog.text
    assert (tmp_path / f"{FILE}.damaged-1").read_bytes() == before
    assert store.save(changes(parts={"wall": 1}))
    store.close()
    file.write_bytes(b"again")
    assert Store(tmp_path).load() == ({}, {})
    assert (tmp_path / f"{FILE}.damaged-2").exists()


def test_a_row_that_is_not_json_is_left_out(tmp_path):
    saved(tmp_path, learners={"ann": 1, "bob": 2})
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("UPDATE learners SET state = '{' WHERE name = 'bob'")
    database.close()
    store = Store(tmp_path)
    assert store.load() == ({"ann": 1, "bob": None}, {})
    store.close()


def test_a_newer_pusherkits_file_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(PusherError, match="newer pusherkit"):
        Store(tmp_path).load()
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_a_damaged_file_that_cannot_be_set_aside_is_reported(tmp_path, monkeypatch):
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    monkeypatch.setattr(os, "replace", lambda old, new: (_ for _ in ()).throw(OSError(13, "no")))
    store = Store(tmp_path)
    assert store.load() == ({}, {})
    assert "not a database" in store.problem
    assert store.notice == "", "no other file was begun"


# --- the class secret -----------------------------------------------------------------------------


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path):
    folder = tmp_path / "data"
    secret = class_secret(folder, {})
    assert len(secret) == 64
    assert class_secret(folder, {}) == secret
    assert [each.name for each in folder.iterdir()] == ["secret"]
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == PRIVATE
    assert class_secret(folder, {"PUSHERKIT_CLASS_SECRET": "named"}) == "named"


def test_a_hub_and_a_wall_that_start_together_agree(tmp_path):
    from pusherkit.classroom.store import _make

    secret = class_secret(tmp_path, {})
    _make(tmp_path / "secret")  # like a process that looked before the first one made it
    assert class_secret(tmp_path, {}) == secret
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("text", ["", "\n", "monday\n"])
def test_a_file_that_holds_no_secret_opens_nothing(tmp_path, text):
    """Such as what a power cut leaves, or somebody who empties the file to get a new link."""
    (tmp_path / "secret").write_text(text)
    with pytest.raises(PusherError, match="too short: expected at least 32 characters, got"):
        class_secret(tmp_path, {})
    (tmp_path / "secret").unlink()
    assert len(class_secret(tmp_path, {})) == 64


def test_a_full_disk_leaves_no_part_of_a_secret(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PusherError, match="no space left on device"):
        class_secret(tmp_path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["a file", "no text"])
def test_a_secret_that_cannot_be_read_gets_a_sentence(tmp_path, there):
    folder = tmp_path / "data"
    if there == "a file":
        folder.write_text("a file")
    else:
        folder.mkdir()
        (folder / "secret").write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(PusherError, match="can't be read or made"):
        class_secret(folder, {})
