"""What a wall keeps on its disk: a SQLite file that a restart reads, with a bounded log.

The wall never waits for the disk, and never ends because of it. What can't be written stays in
memory and is tried again, and one sentence (`problem`) says why. A file that's damaged is set
aside, so that somebody can look at it, and a new one is begun.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from pusherkit.classroom.board import Changes
from pusherkit.errors import PusherError

FILE = "wall.sqlite"
SECRET_FILE = "secret"  # noqa: S105 - a file's name
CLASS_SECRET = "PUSHERKIT_CLASS_SECRET"  # noqa: S105 - an environment variable's name
SECRET_BYTES = 32  # of a new one
MIN_SECRET = 32  # characters of one in a file, ours or an admin's own
MAX_SECRET_BYTES = 4_096  # of a file that's read as one
FORMAT = 1  # of the file: PRAGMA user_version
LOCK_FILE = "lock"  # it has the number of the process that holds the lock
LOG_ROWS = 20_000  # that are kept, some 8 MB; the oldest leave first
MAX_WAL_BYTES = 16 * 1024 * 1024  # that stay allocated for the file that SQLite writes first
LOCK_SECONDS = 5.0  # that a write waits while something else, such as a backup, reads the file

_TABLES = """
CREATE TABLE IF NOT EXISTS learners (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (part TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL,
    place TEXT NOT NULL, what TEXT NOT NULL, more TEXT NOT NULL
);
"""

_log = logging.getLogger("pusherkit.classroom")


class Store:
    """The file in a folder. One thread at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.problem = ""
        """Why nothing can be saved now, in a sentence; "" as long as it can."""
        self.notice = ""
        """What happened to an earlier file, in a sentence; "" if nothing did."""
        self._database: sqlite3.Connection | None = None

    def load(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Learners and parts as Board.restore() takes them. Empty where there's nothing to read.

        Raises PusherError where a newer pusherkit wrote the file: it isn't ours to set aside.
        """
        try:
            return self._load()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # no file, no right, no room
                self._failed(error)
                return {}, {}
            self._set_aside(error)
        except OSError as error:
            self._failed(error)
            return {}, {}
        try:
            return self._load()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return {}, {}

    def save(self, changes: Changes) -> bool:
        """Write what has changed, all of it or nothing. False where it can't be written now."""
        try:
            self._write(changes)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            self.close()  # a folder that comes back has to be opened again
            return False
        if self.problem:
            _log.warning("The wall can save again, to %s.", self.file)
            self.problem = ""
        return True

    def _write(self, changes: Changes) -> None:
        database = self._opened()
        with database:
            database.executemany(
                "INSERT OR REPLACE INTO learners VALUES (?, ?)", _rows(changes.learners)
            )
            database.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?)", _rows(changes.parts))
            database.executemany(
                "INSERT INTO log (time, kind, who, place, what, more) VALUES (?, ?, ?, ?, ?, ?)",
                changes.log,
            )
            database.execute(
                "DELETE FROM log WHERE id <= (SELECT max(id) FROM log) - ?", (LOG_ROWS,)
            )

    def log(self) -> list[dict[str, Any]]:
        """The log, oldest first: what was on the wall, as Changes.log has it. On any thread."""
        columns = ("time", "kind", "who", "place", "what", "more")
        with suppress(sqlite3.Error):
            reading = sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=ro", uri=True)
            with closing(reading):
                rows = reading.execute(f"SELECT {', '.join(columns)} FROM log ORDER BY id")  # noqa: S608 - ours
                return [dict(zip(columns, row, strict=True)) for row in rows]
        return []

    def close(self) -> None:
        """Close the file."""
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # Other users of this machine mustn't read what learners wrote.
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
            database = sqlite3.connect(self.file, timeout=LOCK_SECONDS, check_same_thread=False)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")  # a power cut costs the last second
                database.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
                (written,) = database.execute("PRAGMA user_version").fetchone()
                if written > FORMAT:
                    raise PusherError(
                        f"{self.file} was written by a newer pusherkit, and this one can't read "
                        "it. Update pusherkit, or choose another --data folder."
                    )
                if written < FORMAT:  # it's new
                    database.executescript(_TABLES)
                    database.execute(f"PRAGMA user_version = {FORMAT}")
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _load(self) -> tuple[dict[str, Any], dict[str, Any]]:
        database = self._opened()
        ((found,),) = database.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        read: list[dict[str, Any]] = []
        for table in ("learners", "parts"):
            with closing(database.execute(f"SELECT * FROM {table}")) as rows:  # noqa: S608 - ours
                read.append({name: _state(text) for name, text in rows})
        learners, parts = read
        return learners, parts

    def _failed(self, error: Exception) -> None:
        problem = f"Nothing can be saved in {self.file.parent}: {_reason(error)}. The wall goes "
        problem += "on, but a restart would lose what's new. Make room, or let it write there."
        if problem != self.problem:
            _log.warning("%s", problem)
        self.problem = problem

    def _set_aside(self, error: Exception) -> None:
        """Give a damaged file another name that's free. If it can't have one, it stays."""
        self.close()
        number = 1
        while (aside := self.file.with_name(f"{FILE}.damaged-{number}")).exists():
            number += 1
        for ending in ("-wal", "-shm"):
            with suppress(OSError):
                os.replace(f"{self.file}{ending}", f"{aside}{ending}")
        try:
            os.replace(self.file, aside)
        except OSError:
            return  # the next read says what's wrong with it
        self.notice = (
            f"{self.file.name} was damaged, so the wall began a new one. The old one is now "
            f"{aside.name}, in the same folder. Each learner's progress comes back with the next "
            "thing they do."
        )
        _log.warning("%s (%s)", self.notice, error)


class InUse(PusherError):
    """Another process has the folder. `running` says whether the one that locked it is there."""

    def __init__(self, folder: Path, process: str) -> None:
        super().__init__(f"The class in {folder} is running already (process {process}).")
        self.running = _is_there(process)


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep a second class from running in the same folder.

    Yields what holds the lock: a file descriptor. A child that inherits it holds the lock, too, so
    it goes when both are gone, however they ended. Windows has no such locks, and nothing is kept
    out there. Raises InUse, and OSError if the file can't be opened.
    """
    try:
        import fcntl
    except ImportError:
        fcntl = None  # type: ignore[assignment]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a+b", buffering=0) as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                raise InUse(folder, lock.read(20).decode("ascii", "replace").strip()) from None
        with suppress(OSError):  # on a full disk the lock holds, and only the number is missing
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
        yield lock.fileno()


def _is_there(process: str) -> bool:
    """Whether the process with this number is running; True if that can't be known."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def _rows(states: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, json.dumps(state)) for name, state in states.items()]


def _state(text: object) -> Any:
    """What a row holds; None if it isn't JSON, which Board.restore() then counts."""
    with suppress(ValueError, RecursionError, TypeError):
        return json.loads(text)  # type: ignore[arg-type]
    return None


def _reason(error: Exception) -> str:
    said = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
    return said[:1].lower() + said[1:]


def class_secret(folder: Path, environ: Mapping[str, str]) -> str:
    """PUSHERKIT_CLASS_SECRET, or what's in the folder's file, as kept_secret() has it."""
    return environ.get(CLASS_SECRET) or kept_secret(
        folder / SECRET_FILE, f", or set {CLASS_SECRET}"
    )


def kept_secret(file: Path, otherwise: str = "") -> str:
    """What's in a file, which is made if there is none. Only its owner may read it.

    Raises PusherError if it can't be read or made, or is so short that it's no secret: an empty
    file would open the trainer's view to everybody. `otherwise` is what else would help.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _make(file)
        with file.open("rb") as opened:
            secret = opened.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PusherError(
            f"The secret in {file} can't be read or made: "
            f"{_reason(error) if isinstance(error, OSError) else 'it is not text'}. "
            f"Let this user write there{otherwise}."
        ) from None
    if len(secret) < MIN_SECRET:
        raise PusherError(
            f"The secret in {file} is too short: expected at least {MIN_SECRET} characters, got "
            f"{len(secret)}. Delete the file, and the next start makes a new one{otherwise}."
        )
    return secret


def _make(file: Path) -> None:
    """Make the secret in one step, because hub and wall may be starting at the same time."""
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_hex(SECRET_BYTES) + "\n")
            opened.flush()
            os.fsync(opened.fileno())  # or a power cut could leave the name, and nothing in it
        with suppress(FileExistsError):
            os.link(new, file)
    finally:
        new.unlink(missing_ok=True)
