"""What a later exercise needs of an earlier one: in its cell, and in my_pusher.py."""

from __future__ import annotations

import random
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pusherkit.lessons.kit import (
    EXAMPLE_TIMESTAMP,
    Exercise,
    Explorer,
    View,
    button,
    keeper,
    line,
    practice,
)
from pusherkit.lessons.kit.progress import PROGRESS


class Home:
    name = "a lesson"

    class Nested:
        """Another module can't import it by its name alone."""

    def done(self) -> tuple[int, int]:
        return 0, 1


def numbers(chance: random.Random) -> Iterator[tuple[int]]:
    yield (chance.randrange(9),)


def doubled(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@pytest.fixture
def exercise() -> Exercise:
    return Exercise(doubled, Home(), given=numbers, keep=True)


def test_a_passed_answer_is_built_on_and_any_other_gives_way(exercise: Exercise) -> None:
    def own(number: int) -> int:
        return number + number

    def crash(number: int) -> float:
        return 1 / 0

    assert exercise.working(own) is own
    for answer in (..., lambda number: ..., lambda number: 0, crash, None):
        assert exercise.working(answer) is doubled
    assert exercise(4) == 8


def notebook(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> types.ModuleType:
    """A module in the place of a notebook: its functions belong to __main__."""
    file = folder / "cells.py"
    file.write_text(code, encoding="utf-8")
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = str(file)
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile(code, str(file), "exec"), module.__dict__)
    return module


CELLS = """
import hashlib

def half(number):
    return number // 2

def quarter(number):
    return half(half(number))

def eighth(number):
    return half(quarter(number))
"""


def test_what_a_function_brings_along_is_replaced_when_the_learner_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keeper.keep(notebook(tmp_path, monkeypatch, CELLS).eighth)
    assert PROGRESS.read().kept.keys() == {"half", "quarter", "eighth"}
    later = notebook(tmp_path, monkeypatch, "def half(number):\n    return int(number / 2)\n")
    assert keeper.keep(later.half).sentence.startswith("It's in my_pusher.py now")
    written = keeper.FILE.read_text(encoding="utf-8")
    assert written.count("def half(") == 1
    assert "int(number / 2)" in written
    keeper.reset()
    assert not keeper.FILE.exists()


def test_a_lessons_own_function_is_written_out_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    doubled.__module__, before = "pusherkit.lessons.a_lesson", doubled.__module__
    try:
        cells = notebook(tmp_path, monkeypatch, "def four(n):\n    return doubled(doubled(n))\n")
        cells.__dict__["doubled"] = doubled
        keeper.keep(cells.four)
    finally:
        doubled.__module__ = before
    written = keeper.FILE.read_text(encoding="utf-8")
    assert "# The lesson's own: you skipped this one.\ndef doubled(number: int) -> int:" in written
    assert '"""Return twice' not in written
    names: dict[str, object] = {}
    exec(written, names)
    assert names["four"](3) == 12  # type: ignore[operator]


def test_what_was_skipped_at_first_is_no_longer_called_the_lessons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doubled, "__module__", "pusherkit.lessons.a_lesson")
    cells = notebook(tmp_path, monkeypatch, "def four(n):\n    return doubled(doubled(n))\n")
    cells.__dict__["doubled"] = doubled
    keeper.keep(cells.four)
    own = notebook(tmp_path, monkeypatch, "def doubled(n):\n    return n + n\n").doubled
    assert keeper.keep(own).sentence.startswith("It's in my_pusher.py now")
    written = keeper.FILE.read_text(encoding="utf-8")
    assert "return n + n" in written
    assert "skipped" not in written


def test_a_function_that_has_no_name_to_import_is_missing_and_breaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lambda_of_a_lesson = lambda n: n  # noqa: E731
    lambda_of_a_lesson.__module__ = "pusherkit.lessons.a_lesson"
    for strange in (lambda_of_a_lesson, Home.done, Home.Nested):
        cells = notebook(tmp_path, monkeypatch, "def four(n):\n    return strange(n)\n")
        cells.__dict__["strange"] = strange
        assert "It uses strange, which I couldn't copy" in keeper.keep(cells.four).sentence
        keeper.FILE.unlink()


def test_a_new_function_goes_above_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = notebook(tmp_path, monkeypatch, CELLS)
    keeper.keep(cells.half)
    with keeper.FILE.open("a", encoding="utf-8") as file:
        file.write('\n\nif __name__ == "__main__":\n    print(half(8))\n')
    keeper.keep(cells.quarter)
    written = keeper.FILE.read_text(encoding="utf-8")
    assert written.index("def quarter") < written.index("if __name__")
    assert written.endswith("    print(half(8))\n")


def test_another_clock_is_another_practice_server() -> None:
    assert practice() is practice()
    running = practice(time.time)
    assert running is practice(time.time) is not practice()
    assert running.environment["PUSHER_HOST"] == running.credentials.base_url
    running.client.trigger("order-41", "status", "{}")
    assert running.sandbox.deliveries[-1].time > EXAMPLE_TIMESTAMP + 1_000_000


def test_an_event_counts_what_was_typed_just_before_it() -> None:
    """While the kernel is busy, ipywidgets holds back what is typed, and an event overtakes it."""
    seen: list[tuple[str, bool]] = []

    def show(text: str, send: bool) -> View:
        seen.append((text, send))
        return View("", status="sent" if send else "ready")

    made = Explorer(show, text=line("Text", "a"), send=button("Send"))
    made.stage._handle_custom_msg({"kind": "press", "id": "send", "typed": {"text": "ab"}}, [])
    assert seen[-1] == ("ab", True)
    made.stage.set_state({"typed": {"text": "ab"}})  # it arrives after all
    assert made.view.status == "sent"


def test_the_file_reads_from_the_first_function_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = """
from urllib.parse import urlencode, quote
import math
import hashlib

def first(x):
    return quote(x)

def second(x):
    return first(x) + urlencode({"a": x})

def third(x):
    return second(x) + hashlib.md5(b"").hexdigest() + str(math.pi)
"""
    keeper.keep(notebook(tmp_path, monkeypatch, code).third)
    lines = keeper.FILE.read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line.startswith(("import", "from", "def"))] == [
        "import hashlib",
        "import math",
        "from urllib.parse import quote, urlencode",
        "def first(x):",
        "def second(x):",
        "def third(x):",
    ]


def test_imports_that_a_learner_arranged_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keeper.FILE.write_text("import zlib  # mine\nimport ast\n", encoding="utf-8")
    keeper.keep(notebook(tmp_path, monkeypatch, "import math\ndef f(x):\n    return math.pi\n").f)
    assert keeper.FILE.read_text(encoding="utf-8").startswith(
        "import zlib  # mine\nimport ast\nimport math\n"
    )


ANY_HELPER = """
import dataclasses
import functools
import hashlib as digests
import re
import urllib.parse
from hashlib import sha256
from urllib.parse import quote as quoted

hexmac = lambda secret, body: sha256(quoted(secret).encode() + body).hexdigest()
again = hexmac
DIGITS = re.compile("[0-9]+")
halves = functools.partial(divmod, 2)
KNOWN = {"a": [1]}

class Box:
    size = len(KNOWN)

@dataclasses.dataclass
class Parcel:
    number: int

@functools.cache
def parcel():
    return Parcel(41)

def plain(secret, body):
    return hexmac(secret, body)

other = plain

def kept(secret, body):
    assert DIGITS.match("1") and halves(1) == (2, 0) and Box.size == 1
    assert parcel().number == 41
    same = again(secret, body) == hexmac(secret, body) == other(secret, body)
    return same, urllib.parse.quote("ë"), digests.md5(body).hexdigest()
"""


def test_whatever_kind_of_helper_a_function_uses_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = notebook(tmp_path, monkeypatch, ANY_HELPER)
    assert keeper.keep(cells.kept).sentence == "It's in my_pusher.py now, next to this notebook."
    names: dict[str, Any] = {}
    exec(keeper.FILE.read_text(encoding="utf-8"), names)
    assert names["kept"]("s e", b"7") == cells.kept("s e", b"7")
    assert keeper.keep(cells.kept).sentence == "It's in my_pusher.py already."
    assert keeper.warning() == " Your my_pusher.py goes, too."


def test_a_helper_of_another_cell_is_looked_up_and_one_that_is_nowhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = notebook(tmp_path, monkeypatch, "def kept(n):\n    return twice(n) + strange(n)\n")
    earlier: dict[str, Any] = {}
    exec("twice, strange = (lambda n: 2 * n), (lambda n: n)", earlier)
    cells.__dict__.update(earlier, In=["%magic", "twice = lambda n: 2 * n"])
    said = keeper.keep(cells.kept).sentence
    assert "It uses strange, which I couldn't copy" in said
    assert "twice = lambda n: 2 * n\n\n\ndef kept(n):" in keeper.FILE.read_text(encoding="utf-8")
