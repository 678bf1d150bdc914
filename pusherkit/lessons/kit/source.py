"""The source of functions as learners read it: without what puts them into a lesson."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def source_of(function: Callable[..., Any]) -> str:
    """A function's source, without the decorators that put it into the lesson."""
    lines = inspect.getsource(inspect.unwrap(function)).rstrip().split("\n")
    while lines and not lines[0].startswith(("def ", "class ", "async def ")):
        lines.pop(0)
    return "\n".join(lines)


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


def _needs_imports(function: ast.FunctionDef) -> bool:
    """Whether a function's annotations use names that aren't Python's own."""
    annotations = [function.returns, *(each.annotation for each in function.args.args)]
    names = (node for each in annotations if each is not None for node in ast.walk(each))
    return any(isinstance(each, ast.Name) and not hasattr(builtins, each.id) for each in names)
