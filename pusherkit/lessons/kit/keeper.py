"""The file that grows: my_pusher.py, made of the functions that a learner wrote and that passed.

A function is written with the imports, constants and helpers that it uses. One that is there
already is replaced only if it is still what was written last time: what a learner edited by hand
is theirs, and they are told.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import hashlib
import inspect
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeGuard

from pusherkit.lessons.kit.progress import PROGRESS
from pusherkit.lessons.kit.source import solution_of

FILE = Path("my_pusher.py")
THE_LESSONS_OWN = "# The lesson's own: you skipped this one.\n"
BEGINNING = '"""My own Pusher client, one function at a time, from the lessons of pusherkit."""\n'


@dataclass(frozen=True, slots=True)
class Kept:
    """A sentence on what became of a function, and its source where the learner must paste it."""

    sentence: str
    paste: str = ""


def keep(function: Any) -> Kept:
    """Put a learner's function into the file, and say what happened."""
    try:
        text = _source(function)
    except (OSError, TypeError, SyntaxError, ValueError):
        return Kept(f"Its source couldn't be read, so it isn't in {FILE}.")
    try:
        old = FILE.read_text(encoding="utf-8") if FILE.exists() else BEGINNING
        tree = ast.parse(old)
    except OSError as error:
        return Kept(f"{FILE} can't be read ({error.strerror}), so I left it alone.", text)
    except (SyntaxError, ValueError):
        return Kept(f"{FILE} isn't valid Python at the moment, so I left it alone.", text)
    name = function.__name__
    known = PROGRESS.read().kept
    place = next((n for n in tree.body if getattr(n, "name", None) == name), None)
    if place is None:
        new = _added(old, tree, text)
    else:
        present = _text_of(place, old)
        if _digest(present) == _digest(text):
            return Kept(f"It's in {FILE} already.")
        if _digest(present) != known.get(name):
            return Kept(
                f"{FILE} has a {name}() that you edited there, so I left it alone. "
                "If you like this one better, paste it over that one.",
                text,
            )
        new = old.replace(THE_LESSONS_OWN + present, present, 1).replace(present, text, 1)
    needs = _Needs()
    new = needs.added(new, function)
    try:
        _write(new)
    except OSError as error:
        return Kept(f"{FILE} can't be written ({error.strerror}). Put this into it yourself.", text)
    for kept, source in {**needs.brought, name: text}.items():
        PROGRESS.kept(kept, _digest(source))
    said = f"It's in {FILE} now, next to this notebook."
    if needs.missing:
        names = " and ".join(needs.missing)
        said += f" It uses {names}, which I couldn't copy: put that in above it yourself."
    return Kept(said)


def _write(text: str) -> None:
    """Replace the file in one step, so that a full disk leaves the old one."""
    unfinished = FILE.with_name(f".{FILE.name}.new")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(FILE)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def reset() -> None:
    """Remove the file if everything in it is as it was written; an edited one stays."""
    if FILE.exists() and not _is_edited():
        FILE.unlink()


def warning() -> str:
    """What `reset()` would do to the file, as a sentence with a space before it; often empty."""
    if not FILE.exists():
        return ""
    return f" Your {FILE} stays: you edited it." if _is_edited() else f" Your {FILE} goes, too."


def _is_edited() -> bool:
    try:
        tree = ast.parse(source := FILE.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return True
    known = PROGRESS.read().kept.items()
    aside = ast.Import | ast.ImportFrom | ast.If  # what runs the file, lesson 05 puts there
    own = [each for each in tree.body if not isinstance(each, aside)]
    if own and ast.get_docstring(tree) == ast.get_docstring(ast.parse(BEGINNING)):
        own.pop(0)
    return not all(
        known & {(name, _digest(_text_of(node, source))) for name in _names_of(node)}
        for node in own
    )


def _added(source: str, tree: ast.Module, text: str) -> str:
    """The source with a function at its end, but above an `if __name__ == "__main__":`."""
    main = next((node for node in tree.body if isinstance(node, ast.If)), None)
    if main is None:
        return f"{source.rstrip()}\n\n\n{text}\n"
    lines = source.split("\n")
    above, below = lines[: main.lineno - 1], lines[main.lineno - 1 :]
    return "\n".join(["\n".join(above).rstrip(), "", "", text, "", "", *below])


def _first_line(node: ast.stmt) -> int:
    """Where a statement begins, with its decorators; counted from 1."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _text_of(node: ast.stmt, source: str) -> str:
    """The lines of a statement."""
    return "\n".join(source.split("\n")[_first_line(node) - 1 : node.end_lineno])


def _source(function: Any) -> str:
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise TypeError
    if _is_of_a_lesson(function):
        return solution_of(function)
    source = textwrap.dedent(inspect.getsource(function)).rstrip()
    (node,) = ast.parse(source).body
    return "\n".join(source.split("\n")[node.lineno - 1 :])  # without decorators


def _is_of_a_lesson(value: Any) -> TypeGuard[FunctionType]:
    module = str(getattr(value, "__module__", ""))
    return isinstance(value, FunctionType) and module.startswith("pusherkit.lessons.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()


@dataclass(slots=True)
class _Needs:
    """What a function takes from its notebook, and what became of it."""

    brought: dict[str, str] = field(default_factory=dict)
    """What came along, by name: its source."""
    missing: list[str] = field(default_factory=list)
    """The names whose definition wasn't found."""

    def added(self, source: str, function: FunctionType) -> str:
        """The source with all of it above the function."""
        return self._add(source, _names(function), function, function.__name__)

    def _add(self, source: str, names: list[str], function: FunctionType, above: str) -> str:
        for name in names:
            if name in _bound(source) or name in self.missing:
                continue
            value = function.__globals__[name]
            node, text = _statement(name, value, function)
            if _is_of_a_lesson(value) and value.__name__ != "<lambda>":
                self.brought[name] = _source(value)
                source = _insert_above(source, above, THE_LESSONS_OWN + self.brought[name])
                source = self._add(source, _names(value), value, name)
            elif line := _import_of(name, value, node):
                source = _imported(source, line)
            elif _is_literal(value):
                self.brought[name] = f"{name} = {value!r}"
                source = _insert(source, self.brought[name], separate="\n\n\n")
            elif node is None:
                self.missing.append(name)
            else:
                self.brought[name] = text
                source = _insert_above(source, above, text)
                owner = value if _is_written_here(value) else function
                used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                used.update(_names(owner) if owner is value else ())
                source = self._add(source, sorted(used & owner.__globals__.keys()), owner, name)
        return source


def _import_of(name: str, value: Any, node: ast.stmt | None) -> str:
    """The line that imports a name, as the notebook has it if that's known; "" if it's no import.

    A function doesn't know where it was imported from: hashlib.sha256 says _hashlib.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        alias = next(each for each in node.names if name in _names_of(ast.Import([each])))
        as_name = f" as {alias.asname}" if alias.asname else ""
        start = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
        return f"{start} {alias.name}{as_name}"
    if isinstance(value, ModuleType):
        as_name = "" if value.__name__ == name else f" as {name}"
        return f"import {value.__name__}{as_name}"
    module = getattr(value, "__module__", None) or "__main__"
    its_own = str(getattr(value, "__qualname__", ""))  # not a name if it's a lambda's, or nested
    if node is None and module != "__main__" and its_own.isidentifier():
        as_name = "" if value.__qualname__ == name else f" as {name}"
        return f"from {module} import {value.__qualname__}{as_name}"
    return ""


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _statement(name: str, value: Any, function: FunctionType) -> tuple[ast.stmt | None, str]:
    """The statement that binds a name in the notebook, and its text: the latest there is.

    Looked for in the cells of the value and of the function, then in all that IPython remembers.
    """
    places = (value, function) if _is_written_here(value) else (function,)
    cells = [_cell(each) for each in places]
    cells += [str(each) for each in reversed(function.__globals__.get("In", []))]
    for cell in cells:
        try:
            nodes = ast.parse(cell).body
        except (SyntaxError, ValueError):  # it has a magic in it
            continue
        for node in reversed(nodes):
            if name in _names_of(node):
                return node, _text_of(node, cell)
    return None, ""


def _is_written_here(value: Any) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == "__main__"


def _cell(function: FunctionType) -> str:
    try:
        return "".join(inspect.findsource(function)[0])
    except (OSError, TypeError):
        return ""


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
    return {name for node in ast.parse(source).body for name in _names_of(node)}


def _names_of(node: ast.stmt) -> set[str]:
    """The names that a statement binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {target.id for target in targets if isinstance(target, ast.Name)}
    return {node.name} if hasattr(node, "name") else set()


def _insert_above(source: str, name: str, piece: str) -> str:
    """The source with a function above the function called `name`, and above its comments."""
    lines = source.split("\n")
    node = next(each for each in ast.parse(source).body if name in _names_of(each))
    at = _first_line(node) - 1
    while at and lines[at - 1].startswith("#"):
        at -= 1
    return "\n".join([*lines[:at], piece, "", "", *lines[at:]])


_PLAIN_IMPORT = re.compile(r"import [\w. ]+|from ([\w.]+) import ([\w, ]+)")


def _imported(source: str, line: str) -> str:
    """The source with an import more; its imports in order, if they are plain lines."""
    source = _insert(source, line, separate="\n")
    nodes = [n for n in ast.parse(source).body if isinstance(n, ast.Import | ast.ImportFrom)]
    first, last = nodes[0].lineno - 1, nodes[-1].end_lineno
    lines = source.split("\n")
    found = [_PLAIN_IMPORT.fullmatch(each) for each in lines[first:last]]
    plain = [each for each in found if each]
    if len(plain) < len(found):
        return source
    names: dict[str, set[str]] = {}
    for each in plain:
        if each[1]:
            names.setdefault(each[1], set()).update(map(str.strip, each[2].split(",")))
    ordered = sorted(each[0] for each in plain if not each[1])
    ordered += [
        f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)
    ]
    return "\n".join([*lines[:first], *ordered, *lines[last:]])


def _insert(source: str, piece: str, *, separate: str) -> str:
    """The source with a piece after its last import, or after its docstring."""
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
    return "\n".join([*before, *gap, piece, *after])
