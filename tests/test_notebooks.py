"""The committed form of the notebooks: what nbval itself would let pass."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbval.plugin import IPyNbFile

from pusherkit.lessons.kit.lesson import Lesson, lessons

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MAX_CELLS = 30
MAX_BYTES = 480_000  # of all notebooks together; the static twins are most of it
# Published in Pusher's documentation, so no secret. Any other value in its place would be one.
PUBLISHED_SECRET = "7ad3773142a6692b25b8"

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS][:2] == [
        "00-start-here.ipynb",
        "01-body-is-bytes.ipynb",
    ]


@each_notebook
def test_every_cell_ran_in_order(path: Path) -> None:
    # nbval compares nothing in a cell without an execution count.
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_no_cell_is_kept_from_comparison(path: Path) -> None:
    for cell in code_cells(read(path)):
        assert not {"nbval-skip", "nbval-ignore-output"} & set(cell.metadata.get("tags", ()))
        assert "NBVAL" not in cell.source


@each_notebook
def test_no_widget_state_is_stored(path: Path) -> None:
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    assert not any(WIDGET_VIEW in output.get("data", {}) for output in outputs(notebook))


@each_notebook
def test_every_interactive_object_has_a_stored_twin(path: Path) -> None:
    for output in outputs(read(path)):
        if output.output_type == "execute_result":
            assert {"text/plain", "text/html"} <= set(output.data)


def test_they_stay_small_and_no_style_sheet_is_stored() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS) < MAX_BYTES
    for path in NOTEBOOKS:
        html = "".join(
            output.get("data", {}).get("text/html", "") for output in outputs(read(path))
        )
        assert "<style" not in html


@each_notebook
def test_nothing_of_this_machine_is_stored(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"127\.0\.0\.1:\d|localhost:\d", text), "a port"
    assert not re.search(r"/(home|root|tmp|usr(?!/bin/env\b)|Users)/|[A-Z]:\\\\", text), "a path"
    assert not re.search(r"ipykernel_\d|0x[0-9a-f]{8,}", text), "a process or an address"
    assert read(path).metadata.kernelspec.name == "python3"


@each_notebook
def test_no_secret_but_the_published_one(path: Path) -> None:
    for cell in code_cells(read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.keyword) and node.arg == "secret":
                assert ast.literal_eval(node.value) == PUBLISHED_SECRET
    stored = json.dumps([dict(output) for output in outputs(read(path))])
    assert PUBLISHED_SECRET not in stored


@each_notebook
def test_shape_of_a_lesson(path: Path) -> None:
    cells = read(path).cells
    assert len(cells) <= MAX_CELLS
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    headings = [
        line
        for source in prose
        for line in re.sub(r"```.*?```", "", source, flags=re.S).splitlines()
        if line.startswith("#")
    ]
    assert headings[0].startswith(f"# {path.stem[:2]} · ")
    assert all(heading.startswith("## ") for heading in headings[1:]), "one H1, then H2s"
    assert headings[-1] == "## Key points"
    assert "**Time**" in prose[0]
    assert "**After this lesson you can**" in prose[0]


@each_notebook
def test_links_between_lessons_lead_somewhere(path: Path) -> None:
    for cell in read(path).cells:
        for target in re.findall(r"\]\(([^)#]+\.ipynb)\)", cell.source):
            assert (path.parent / target).is_file()


def test_the_example_signature_is_the_published_one() -> None:
    vectors = json.loads((ROOT / "tests" / "vectors.json").read_text(encoding="utf-8"))["vectors"]
    published = next(v for v in vectors if v["id"] == "docs-worked-example")["signature"]
    assert published in (ROOT / "notebooks" / "00-start-here.ipynb").read_text(encoding="utf-8")


# --- with all solutions put in ----------------------------------------------------------------


def lesson_of(path: Path) -> Lesson:
    return next(lesson for lesson in lessons() if lesson.name == path.stem)


def solved(path: Path, code: str) -> str | None:
    """A cell with its exercise's solution put in; None where it is no exercise."""
    check = re.search(r"(\w+)\.(\w+)\.check\(\w+\)", code)
    if check is None:
        return None
    # After what the cell has already, so the stub's own definition is overruled.
    before = code[: check.start()]
    return f"{before}\n\n{lesson_of(path).exercises[check[2]].solution()}\n\n{check[0]}"


@pytest.mark.slow
@each_notebook
def test_it_runs_with_every_solution_put_in(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # progress is kept in the current folder
    notebook = read(path)
    done = []
    for cell in code_cells(notebook):
        if code := solved(path, cell.source):
            cell.source = code
            done.append(cell)
    assert len(done) >= 2
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    for cell in done:
        shown = cell.outputs[-1].data["text/plain"]
        assert shown.startswith("Right\n✓ "), cell.source
    lesson = lesson_of(path)
    if any(each.keep for each in lesson.exercises.values()):
        mine = (tmp_path / "my_pusher.py").read_text(encoding="utf-8")
        for each in lesson.exercises.values():
            assert (f"def {each.function}(" in mine) == each.keep


# --- that a wrong output does not pass --------------------------------------------------------

TWINS = ("text/plain", "text/html")
DIGEST = r"[0-9a-f]{32,64}"


def falsify(notebook: Any, mime: str, what: str = DIGEST, spare: int | None = None) -> int:
    """Give the last digest in one kind of output one other digit; which code cell it is in.

    `what` is another pattern to look for. `spare` is a cell to leave alone: of each cell, nbval
    names the first difference only.
    """
    for number, cell in reversed(list(enumerate(code_cells(notebook)))):
        for output in reversed(cell.outputs if number != spare else ()):
            text = output.get("data", {}).get(mime, "")
            found = list(re.finditer(what, text))
            if found:
                at = found[-1].start()
                output.data[mime] = text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]
                return number
    raise AssertionError(f"nothing like {what} in any {mime}")


@pytest.mark.parametrize("mime", TWINS)
@each_notebook
def test_a_falsified_twin_is_not_what_the_notebook_shows(
    path: Path, mime: str, request: pytest.FixtureRequest
) -> None:
    """By nbval's own comparison, with this run's options. The next test has nbval run it all."""
    cells = list(IPyNbFile.from_parent(request.session, path=path).collect())
    stored, falsified = read(path), read(path)
    wrong = falsify(falsified, mime)
    assert len(cells) == len(code_cells(stored))
    for number, cell in enumerate(cells):
        shown = code_cells(stored)[number].outputs
        claimed = code_cells(falsified)[number].outputs
        assert cell.compare_outputs(shown, claimed) is (number != wrong)
        assert any(mime in line for line in cell.comparison_traceback) is (number == wrong)


@pytest.mark.slow
@each_notebook
def test_a_falsified_notebook_fails(path: Path, tmp_path: Path) -> None:
    notebook, copy = read(path), tmp_path / path.name
    falsify(notebook, "text/html", what=r"\d", spare=falsify(notebook, "text/plain"))
    nbformat.write(notebook, copy)
    command = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-p", "no:cacheprovider"]
    options = ["--nbval", "--nbval-current-env", "--rootdir", str(tmp_path), str(copy)]
    run = subprocess.run(command + options, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1, run.stdout
    for mime in TWINS:
        assert f"mismatch '{mime}'" in run.stdout
    assert "2 failed" in run.stdout
