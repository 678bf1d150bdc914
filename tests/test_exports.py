"""What the package offers by name, and that everything public says what it is for."""

from __future__ import annotations

import ast
import inspect
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

import pytest

import pusherkit
import pusherkit.sandbox
from pusherkit.signing import Check, Verdict
from pusherkit.subscriber import Message

ROOT = Path(pusherkit.__file__).parent
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    if path.parent != ROOT / "lessons/programs"  # shown to learners, imported by nobody
)


@pytest.mark.parametrize("module", [pusherkit, pusherkit.sandbox], ids=lambda m: m.__name__)
def test_all_is_sorted_and_complete(module):
    """Constants, then classes, then functions; each in the order of ASCII."""
    public = {
        name
        for name in dir(module)
        if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)
    }
    assert module.__all__ == sorted(
        module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    assert set(module.__all__) == public
    assert len(module.__all__) == len(public)


EXPORTED = {
    name: value
    for module in (pusherkit, pusherkit.sandbox)
    for name in module.__all__
    if inspect.isclass(value := getattr(module, name)) or inspect.isfunction(value)
}


@pytest.mark.parametrize("name", EXPORTED)
def test_what_is_exported_has_a_docstring_down_to_its_methods(name):
    value = EXPORTED[name]
    assert value.__doc__
    assert not value.__doc__.startswith(f"{name}("), "dataclass() wrote this one"
    for member, inner in vars(value).items() if inspect.isclass(value) else ():
        overrides = any(hasattr(base, member) for base in value.__bases__)
        if not member.startswith("_") and not overrides and inspect.isroutine(inner):
            assert inspect.getdoc(getattr(value, member)), member


def test_a_name_that_is_not_offered_is_the_usual_error():
    with pytest.raises(AttributeError, match=r"^module 'pusherkit' has no attribute 'diagnos'$"):
        _ = pusherkit.diagnos


VALUES = [value for value in EXPORTED.values() if is_dataclass(value)] + [Check, Verdict, Message]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_values_are_frozen_slotted_and_keyword_only(value):
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)
    kinds = {parameter.kind for parameter in inspect.signature(value).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("source", SOURCES)
def test_every_module_and_what_is_public_in_it_has_a_docstring(source):
    tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, definitions)
        and not node.name.startswith(("_", "broken_"))  # what a broken one does is the riddle
        and not _is_a_question(node)
        and not ast.get_docstring(node)
    ]
    assert silent == []


def _is_a_question(node):
    """Whether a function decides a question of a lesson, which says what it is about."""
    return any(
        ast.unparse(each).startswith(("lesson.recall(", "lesson.predict("))
        for each in node.decorator_list
    )
