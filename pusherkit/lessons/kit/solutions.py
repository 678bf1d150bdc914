"""A lesson's notebook with every exercise solved, for a trainer.

What is pasted is the solution that the lesson shows, in the place of the stub. Nothing has been
run: the outputs would be those of the stubs, and JupyterLab wouldn't trust them.
"""

from __future__ import annotations

import ast
from typing import Any

from pusherkit.lessons.kit.lesson import Lesson

NOTE = (
    "**This is the solved edition.** Each exercise has one right answer in it, the one that its "
    "card shows. Choose *Run ▸ Run All Cells*. What you pass here counts in this folder alone."
)


def solved(notebook: dict[str, Any], lesson: Lesson) -> dict[str, Any]:
    """A notebook, in the form of its JSON, with the solutions in it and without outputs."""
    cells = [_solved(cell, lesson) for cell in notebook["cells"]]
    note = {"cell_type": "markdown", "id": "solved-edition", "metadata": {}, "source": NOTE}
    return {**notebook, "cells": [*cells[:1], note, *cells[1:]]}


def _solved(cell: dict[str, Any], lesson: Lesson) -> dict[str, Any]:
    if cell["cell_type"] != "code":
        return cell
    source = "".join(cell["source"])  # a string, or a list of lines
    for name, exercise in lesson.exercises.items():
        if f"lesson.{name}.check({name})" in source:
            source = _replaced(source, name, exercise.solution())
    return {**cell, "source": source, "outputs": [], "execution_count": None}


def _replaced(source: str, name: str, solution: str) -> str:
    """The source with what it defines, or first assigns, under a name replaced.

    What was a comment on the stub goes with it.
    """
    stub = next(node for node in ast.parse(source).body if name in _bound_by(node))
    lines = source.split("\n")
    return "\n".join([*lines[: stub.lineno - 1], solution, *lines[stub.end_lineno :]])


def _bound_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [each.id for each in targets if isinstance(each, ast.Name)]
