"""Meets a cell that is run before the one it needs, as on a new day, in the kernel of a lesson.

In place of a traceback the learner reads which cell to run first. `_kernel_startup.py` switches
it on, in kernels that `_jupyter.LessonSessions` starts.
"""

from __future__ import annotations

import ast
import json
import os
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHOWN_LINES = 8  # of the cell to run first: more than a lesson's imports need


def cell_that_makes(name: str, notebook: dict[str, Any]) -> str | None:
    """The source of the first code cell that imports, defines or assigns a name at its top level.

    `notebook` is in the form of its JSON. None where no cell does.
    """
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            if name in _names_made(source):
                return source
    return None


def _names_made(source: str) -> Iterator[str]:
    try:
        nodes: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):  # a half-written answer, or a cell of magics
        return
    while nodes:
        match nodes.pop():
            case ast.Import(names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name.split(".")[0] for each in names)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.Name(name, ast.Store()):
                yield name
            case ast.comprehension():  # its names are gone when it's done
                pass
            case node:
                nodes += ast.iter_child_nodes(node)


def advice(name: str, running: str, notebook: dict[str, Any]) -> list[str] | None:
    """What to say when the cell with the source `running` misses a name, as lines.

    None where no other cell of the notebook makes it.
    """
    source = cell_that_makes(name, notebook)
    if source is None or name in _names_made(running):
        return None
    lines = source.strip().split("\n")
    return [
        f"NameError: {name} isn't there yet. This cell makes it, and has to run first:",
        "",
        *(f"    {line}" for line in lines[:SHOWN_LINES]),
        *(["    …"] if lines[SHOWN_LINES:] else []),
        "",
        "Click that cell and press Ctrl+Enter; then run this one again.",
        "Or, with this cell selected, choose Run > Run All Above Selected Cell.",
    ]


def install(shell: Any) -> None:
    """Let an IPython shell answer a missing name with advice, where the notebook has any."""
    file = Path(os.environ.get("JPY_SESSION_NAME", ""))

    def answer(shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> None:
        lines = None
        if kind is NameError and _in_the_cell(trace):  # elsewhere a missing name is a bug
            try:
                lines = advice(error.name, shell.user_ns["In"][-1], json.loads(file.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                lines = None  # no notebook that can be read
        if lines is None:
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        else:
            shell._showtraceback(kind, error, lines)  # what showtraceback ends in

    shell.set_custom_exc((NameError,), answer)


def _in_the_cell(trace: types.TracebackType | None) -> bool:
    """Whether the innermost frame is the learner's code: IPython runs it as module __main__."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "__main__"
