"""The file that grows: my_pusher.py, made of the functions that a learner wrote and that passed.

A function is written with the imports, constants and helpers that it uses. One that is there
already is replaced only if it is still what was written last time: what a learner edited by hand
is theirs, and they are told.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from pusherkit.lessons.kit.progress import PROGRESS

FILE = Path("my_pusher.py")
BEGINNING = '"""My own Pusher client, one function at a time, from the lessons of pusherkit."""\n'


@dataclass(frozen=True, slots=True)
class Kept:
    """A sentence on what became of a function, and its source where the learner must paste it."""

    sentence: str
    paste: str = ""


def keep(function: Any) -> Kept:
    """Put a learner's function into the file, and say what happened."""
    text = ""
    try:
        text = _source(function)
        old = FILE.read_text(encoding="utf-8") if FILE.exists() else BEGINNING
        tree = ast.parse(old)
    except (OSError, TypeError):
        return Kept(f"Its source couldn't be read, so it isn't in {FILE}.", text)
    except (SyntaxError, ValueError):
        return Kept(f"{FILE} isn't valid Python at the moment, so I left it alone.", text)
    name = function.__name__
    known = PROGRESS.read().kept
    place = next((n for n in tree.body if getattr(n, "name", None) == name), None)
    if place is None:
        new = f"{old.rstrip()}\n\n\n{text}\n"
    else:
        present = ast.get_source_segment(old, place) or ""
        if _digest(present) == _digest(text):
            return Kept(f"It's in {FILE} already.")
        if _digest(present) != known.get(name):
            return Kept(
                f"{FILE} has a {name}() that you edited there, so I left it alone. "
                "If you like this one better, paste it over that one.",
                text,
            )
        new = old.replace(present, text, 1)
    try:
        new = _with_needs(new, function)
        FILE.write_text(new, encoding="utf-8")
    except OSError:
        return Kept(f"This folder can't be written to. Put this into your {FILE} yourself.", text)
    PROGRESS.kept(name, _digest(text))
    return Kept(f"It's in {FILE} now, next to this notebook.")


def reset() -> None:
    """Remove the file if everything in it is as it was written; an edited one stays."""
    try:
        tree = ast.parse(source := FILE.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    known = PROGRESS.read().kept
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if all(
        _digest(ast.get_source_segment(source, node) or "") == known.get(node.name)
        for node in functions
    ):
        FILE.unlink(missing_ok=True)


def _source(function: Any) -> str:
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise TypeError
    source = textwrap.dedent(inspect.getsource(function)).rstrip()
    (node,) = ast.parse(source).body
    return "\n".join(source.split("\n")[node.lineno - 1 :])  # without decorators


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _with_needs(source: str, function: FunctionType) -> str:
    """The source with everything added that the function takes from its notebook."""
    imports: list[str] = []
    above: list[str] = []
    present = _bound(source)
    for name in _names(function):
        value = function.__globals__.get(name, Ellipsis)
        if value is Ellipsis or name in present or name == function.__name__:
            continue
        if isinstance(value, ModuleType):
            as_name = "" if value.__name__ == name else f" as {name}"
            imports.append(f"import {value.__name__}{as_name}")
        elif getattr(value, "__module__", "__main__") not in ("__main__", None):
            if hasattr(value, "__qualname__"):
                imports.append(f"from {value.__module__} import {name}")
        elif isinstance(value, FunctionType):
            above.append(_source(value))
            source = _with_needs(source, value)
        elif isinstance(value, str | bytes | int | float | tuple | type(None)):
            above.append(f"{name} = {value!r}")
    return _insert(_insert(source, imports, separate="\n"), above, separate="\n\n\n")


def _names(function: FunctionType) -> list[str]:
    """The global names that a function reads, also inside what it defines."""
    found: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        found |= {each.argval for each in dis.get_instructions(code) if "GLOBAL" in each.opname}
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
    return sorted(found & function.__globals__.keys())


def _bound(source: str) -> set[str]:
    """The names that a file binds at its top level."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif hasattr(node, "name"):
            names.add(node.name)
    return names


def _insert(source: str, pieces: list[str], *, separate: str) -> str:
    """The source with pieces after its last import, or after its docstring."""
    if not pieces:
        return source
    lines = source.split("\n")
    head = [
        node
        for number, node in enumerate(ast.parse(source).body)
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (number == 0 and isinstance(node, ast.Expr))
    ]
    at = max((node.end_lineno or 0 for node in head), default=0)
    after_import = bool(head) and isinstance(head[-1], ast.Import | ast.ImportFrom)
    gap = [] if after_import and separate == "\n" else [""] * (len(separate) - 1 or 1)
    before, after = lines[:at], lines[at:]
    return "\n".join([*before, *gap, separate.join(pieces), *after])
