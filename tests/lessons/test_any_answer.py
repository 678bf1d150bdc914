"""No answer, of whatever kind, ends a check in an error of the check's own."""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pusherkit.lessons
from pusherkit.lessons.kit import Exercise, Lesson, Outcome
from pusherkit.lessons.kit.exercise import UNREADABLE

ODD: tuple[Any, ...] = (None, -1, "é", b"\xff", [], {None: ()}, object)
MOST_PIECES = 4  # of a result, that are replaced one by one


def _exercises() -> Iterator[Exercise]:
    for module in pkgutil.iter_modules(pusherkit.lessons.__path__):
        if not module.ispkg:
            found = importlib.import_module(f"pusherkit.lessons.{module.name}")
            lesson = getattr(found, "lesson", None)
            if isinstance(lesson, Lesson):
                yield from lesson.exercises.values()


def _changed(value: Any) -> Iterator[Any]:
    """A right answer with one piece of another kind, or missing; also inside of its JSON."""
    yield from ODD
    if isinstance(value, list | tuple):
        yield from _of_sequence(value)
    elif isinstance(value, dict):
        yield from _of_dict(value)
    elif isinstance(value, str) and value[:1] in ("{", "["):
        yield from ("null", "7", "[]", '"{}"', "{}", "[" * 2_000)
        for other in _changed(json.loads(value)):
            with contextlib.suppress(TypeError, ValueError):  # not everything is JSON
                yield json.dumps(other)


def _of_sequence(value: list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    kind = type(value)
    yield (tuple if kind is list else list)(value)
    for at, each in list(enumerate(value))[:MOST_PIECES]:
        yield kind([*value[:at], *value[at + 1 :]])
        for other in _changed(each):
            yield kind([*value[:at], other, *value[at + 1 :]])


def _of_dict(value: dict[Any, Any]) -> Iterator[Any]:
    for name in list(value)[:MOST_PIECES]:
        yield {each: value[each] for each in value if each != name}
        for other in _changed(value[name]):
            yield {**value, name: other}
    for name in ("channel_data", "user_data", 7):
        yield {**value, name: None}


def _shape(value: Any) -> Any:
    """What a value is made of; a list's elements are alike."""
    if isinstance(value, list | tuple):
        return type(value), [_shape(each) for each in value[: 1 if type(value) is list else None]]
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    return type(value)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", list(_exercises()), ids=lambda each: each.name)
def test_an_answer_of_any_kind_gets_a_sentence(
    exercise: Exercise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exercise, "keep", False)
    if exercise.is_value:
        for other in _changed(exercise.solve()):
            assert exercise.check(other).message != UNREADABLE, other
        return
    exercise._checks = 1
    rights = [exercise.solve(*arguments) for arguments in exercise._instances()]
    shapes: list[Any] = []
    for which, right in enumerate(rights):
        if (shape := _shape(right)) in shapes:
            continue
        shapes.append(shape)
        for other in _changed(right):
            asked = 0

            def answer(*arguments: Any, other: Any = other, which: int = which) -> Any:
                nonlocal asked
                asked += 1
                result = exercise.solve(*arguments)
                return other if asked == which + 1 else result

            exercise._checks = 0  # the same instances at each check
            found = exercise.check(answer)
            assert found.message != UNREADABLE, (other, found.facts)
            assert found.outcome in (Outcome.WRONG, Outcome.PASSED, Outcome.OPEN)
