"""The source of functions as learners read it: without what puts them into a lesson."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any


def source_of(function: Callable[..., Any]) -> str:
    """A function's source, without the decorators that put it into the lesson."""
    lines = inspect.getsource(inspect.unwrap(function)).rstrip().split("\n")
    while lines and not lines[0].startswith(("def ", "class ", "async def ")):
        lines.pop(0)
    return "\n".join(lines)


def cell_of(answer: Any) -> str:
    """The source of the notebook's cell that an answer was written in; empty where there is none.

    For a function that's the cell that defines it, for a value the one that is running.
    """
    if isinstance(answer, FunctionType) and answer.__module__ == "__main__":
        return "".join(linecache.getlines(answer.__code__.co_filename)).strip()
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "" if shell is None else str(shell.history_manager.input_hist_raw[-1]).strip()


def solution_of(solve: Callable[..., Any], *, as_value: bool = False) -> str:
    """The source of a function without decorators and docstring; or of the value it returns.

    Annotations stay only if any notebook knows their names: those of builtins.
    """
    source = textwrap.dedent(inspect.getsource(solve))
    lines = source.rstrip().split("\n")
    (function,) = ast.parse(source).body
    if not isinstance(function, ast.FunctionDef):
        raise TypeError(f"{solve.__name__} is not a plain function.")
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    head = lines[function.lineno - 1 : function.body[0].lineno - 1]
    if _needs_imports(function):
        for argument in (*function.args.args, *function.args.kwonlyargs):
            argument.annotation = None
        head = [f"def {function.name}({ast.unparse(function.args)}):"]
    rest = lines[body[0].lineno - 1 :]
    if not as_value:
        return "\n".join([*head, *rest])
    text = textwrap.dedent("\n".join(rest))
    before, _, value = text.rpartition("return ")
    return f"{before}{solve.__name__} = {value}"


def deciding(decide: Callable[..., Any]) -> str:
    """A program that computes what a prediction's function decides, and runs in any notebook.

    What the function returns beside it, to be shown, is left out, with what only that needed.
    """
    functions, constants = [decide], dict[str, str]()
    imports: dict[str, set[str]] = {}
    sources: list[str] = []
    for function in functions:  # which grows
        sources.insert(0, _without_unused(_first_of_returned(solution_of(function))))
        for name in _names(sources[0]) & function.__globals__.keys():
            value = function.__globals__[name]
            if isinstance(value, ModuleType):
                renamed = "" if value.__name__ == name else f" as {name}"
                imports.setdefault(f"import {value.__name__}{renamed}", set())
            elif isinstance(value, str | bytes | int) and len(repr(value)) <= LONGEST_CONSTANT:
                constants[name] = f"{name} = {value!r}"
            elif isinstance(value, FunctionType) and name.startswith("_"):
                functions += [value] if value not in functions else []
            else:
                home = _home_of(name, value) or function.__module__
                imports.setdefault(f"from {home} import ", set()).add(name)
    lines = [f"{start}{', '.join(sorted(imports[start]))}" for start in sorted(imports, key=_order)]
    head = "\n".join(lines), "\n".join(constants[name] for name in sorted(constants))
    return "\n\n".join(filter(None, (*head, *sources, f"{decide.__name__}()")))


LONGEST_CONSTANT = 90  # characters of a value that is written out; a longer one is imported
KIT = "pusherkit.lessons.kit"


def _names(source: str) -> set[str]:
    """The names that a source reads, but for those of arguments."""
    nodes = list(ast.walk(ast.parse(source)))
    return {n.id for n in nodes if isinstance(n, ast.Name)} - {
        n.arg for n in nodes if isinstance(n, ast.arg)
    }


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _home_of(name: str, value: Any) -> str:
    """The module to import a value from, if it isn't the one that uses it."""
    if getattr(sys.modules.get(KIT), name, None) is value:
        return KIT
    module = str(getattr(value, "__module__", ""))
    at_home = getattr(sys.modules.get(module), name, None) is value
    return module if at_home and isinstance(value, type | FunctionType) else ""


def _first_of_returned(source: str) -> str:
    """The source with `return a, b, c` made `return a`."""
    lines = source.encode().split(b"\n")
    returned = [n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Return)]
    for value in reversed([each for each in returned if isinstance(each, ast.Tuple)]):
        first = ast.get_source_segment(source, value.elts[0]) or ""
        before = lines[value.lineno - 1][: value.col_offset]
        after = lines[(value.end_lineno or 0) - 1][value.end_col_offset :]
        lines[value.lineno - 1 : value.end_lineno] = [before + first.encode() + after]
    return b"\n".join(lines).decode()


def _without_unused(source: str) -> str:
    """A function without the assignments, straight in its body, that nothing in it reads."""
    while True:
        (function,) = ast.parse(source).body
        nodes = list(ast.walk(function))
        read = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        unused = [
            node
            for node in getattr(function, "body", ())
            if isinstance(node, ast.Assign)
            and all(isinstance(each, ast.Name) and each.id not in read for each in node.targets)
        ]
        if not unused:
            return source
        lines = source.split("\n")
        del lines[unused[0].lineno - 1 : unused[0].end_lineno]
        source = "\n".join(lines)


@functools.cache  # a learner who tries ten times has ten answers named, and the source stays
def raised_by(judge: Callable[..., Any], error: str) -> tuple[tuple[str, ...], ...]:
    """The messages of the errors called `error` that a judge can raise, or what it calls.

    Each is given as its fixed parts: between two of them stands a value, which only a run knows.
    Functions of the judge's own module are followed. A message that isn't written out where it is
    raised, or in a constant, is left out.
    """
    functions, found = [judge], list[tuple[str, ...]]()
    for function in functions:  # which grows
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except SyntaxError:  # a lambda in the middle of a longer statement
            continue
        known = {**function.__globals__, **_assigned(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and _is_beside(known.get(node.id), judge):
                functions += [known[node.id]] if known[node.id] not in functions else []
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == error and node.args:
                found += [each for each in _parts(node.args[0], known) if any(each)]
    return tuple(dict.fromkeys(found))


def _is_beside(value: Any, judge: Callable[..., Any]) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == judge.__module__


def _assigned(tree: ast.AST) -> dict[str, ast.expr]:
    """What a function assigns to plain names, as it is written."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _parts(node: ast.expr, known: dict[str, Any]) -> list[tuple[str, ...]]:
    """The texts that an expression can be, as their fixed parts; () for one that nobody knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [(node.value,)]
    if isinstance(node, ast.IfExp):
        return _parts(node.body, known) + _parts(node.orelse, known)
    if isinstance(node, ast.JoinedStr):
        texts = [""]
        for piece in node.values:
            inner = piece.value if isinstance(piece, ast.FormattedValue) else piece
            plain = [each for each in _parts(inner, known) if len(each) == 1]
            if len(plain) == 1:
                texts[-1] += plain[0][0]
            else:
                texts.append("")
        return [tuple(texts)]
    if isinstance(node, ast.Name):
        value = known.get(node.id)
        if isinstance(value, ast.expr):
            return _parts(value, {**known, node.id: None})
        return [(value,)] if isinstance(value, str) else []
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        value = known.get(node.value.id)
        texts = list(value.values()) if isinstance(value, dict) else []
        return [(each,) for each in texts if isinstance(each, str)]
    return []


def _needs_imports(function: ast.FunctionDef) -> bool:
    """Whether a function's annotations use names that aren't Python's own."""
    annotations = [function.returns, *(each.annotation for each in function.args.args)]
    names = (node for each in annotations if each is not None for node in ast.walk(each))
    return any(isinstance(each, ast.Name) and not hasattr(builtins, each.id) for each in names)
