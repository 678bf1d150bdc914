"""What a Jupyter server does for the lessons: saved without widgets, trusted as shipped."""

from __future__ import annotations

import copy
import json
import logging
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from jupyter_server.services.sessions.sessionmanager import SessionManager
from traitlets.utils.importstring import import_item

from pusherkit import _first_cell, _jupyter, lab

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IMPORT = "from pusherkit.lessons import start_here"
VIEW = {"version_major": 2, "version_minor": 0, "model_id": "0123"}
TWIN = "<table><tr><th>Body</th><td>{}</td></tr></table>"


def code(source: str | list[str], *data: dict[str, Any]) -> dict[str, Any]:
    """A code cell, in the form of its JSON, with an output for each mapping of MIME types."""
    outputs = [{"output_type": "display_data", "metadata": {}, "data": dict(each)} for each in data]
    return {
        "cell_type": "code",
        "id": f"cell-{abs(hash(str(source)))}",
        "metadata": {},
        "execution_count": 1,
        "source": source,
        "outputs": outputs,
    }


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def data_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [output["data"] for cell in content["cells"] for output in cell.get("outputs", ())]


@pytest.fixture
def contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LargeFileManager:
    """The contents manager of a Jupyter server that has the extension, over an empty folder."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    root = tmp_path / "root"
    root.mkdir()
    manager = LargeFileManager(root_dir=str(root))
    _jupyter._load_jupyter_server_extension(SimpleNamespace(contents_manager=manager))
    return manager


def save(contents: LargeFileManager, content: dict[str, Any], name: str = "any.ipynb") -> Any:
    """Save a notebook as a page would; what is then in the file."""
    contents.save({"type": "notebook", "format": "json", "content": content}, name)
    return json.loads((Path(contents.root_dir) / name).read_bytes())


# --- a lesson without its widgets -------------------------------------------------------------


@pytest.mark.parametrize("source", [IMPORT, ["import json\n", IMPORT]])
def test_a_saved_lesson_has_its_twins_and_how_to_go_on(contents, source):
    widget = {_jupyter.WIDGET_VIEW: VIEW, "text/html": TWIN, "text/plain": "Body {}"}
    plain = {"text/html": "<p>no widget</p>", "text/plain": "no widget"}
    content = notebook(code(source), code("start_here.timeline()", widget, plain))
    content["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    saved = save(contents, content)
    with_twin, without = data_of(saved)
    assert _jupyter.WIDGET_VIEW not in with_twin
    assert "".join(with_twin["text/html"]) == _jupyter.HOW_TO_GO_ON + TWIN
    assert with_twin["text/plain"] == ["Body {}"]
    assert without == {"text/html": ["<p>no widget</p>"], "text/plain": ["no widget"]}
    assert "widgets" not in saved["metadata"]
    # Opened and saved again, without a run in between, it stays as it is.
    assert save(contents, saved) == saved


def test_what_a_widget_showed_last_is_saved_in_place_of_its_twin(contents):
    widget = {_jupyter.WIDGET_VIEW: VIEW, "text/html": TWIN, "text/plain": "Body {}"}
    content = notebook(code(IMPORT), code("start_here.timeline()", widget, widget))
    content["cells"][1]["outputs"][1]["metadata"] = {"pusherkit": {"controls": False}}
    state = {VIEW["model_id"]: {"state": {"still": "<p>the last</p>"}}}
    content["metadata"]["widgets"] = {_jupyter.WIDGET_STATE: {"state": state}}
    saved = save(contents, content)
    operated, looked_at = ("".join(data["text/html"]) for data in data_of(saved))
    assert operated == _jupyter.HOW_TO_GO_ON + "<p>the last</p>"
    assert looked_at == "<p>the last</p>", "nothing to bring back"
    assert "widgets" not in saved["metadata"]


def test_a_widget_without_a_twin_says_how_to_go_on_too(contents):
    slider = {_jupyter.WIDGET_VIEW: VIEW, "text/plain": "IntSlider(value=0)"}
    (data,) = data_of(save(contents, notebook(code(IMPORT), code("IntSlider()", slider))))
    assert "".join(data["text/html"]) == _jupyter.HOW_TO_GO_ON


def test_another_notebook_is_saved_as_it_is(contents):
    content = notebook(code("import ipywidgets"), code("x", {_jupyter.WIDGET_VIEW: VIEW}))
    content["cells"].append({"cell_type": "markdown", "id": "m", "metadata": {}, "source": IMPORT})
    content["metadata"]["widgets"] = {"state": {}}
    saved = save(contents, copy.deepcopy(content))
    assert data_of(saved) == [{_jupyter.WIDGET_VIEW: VIEW}]
    assert saved["metadata"]["widgets"] == {"state": {}}


def test_a_file_and_a_folder_are_saved_as_they_are(contents):
    contents.save({"type": "file", "format": "text", "content": IMPORT}, "any.txt")
    contents.save({"type": "directory"}, "folder")
    assert (Path(contents.root_dir) / "any.txt").read_text("utf-8") == IMPORT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_lesson_is_known_as_one(path):
    assert _jupyter.is_lesson(json.loads(path.read_bytes()))


# --- trust ------------------------------------------------------------------------------------

SHIPPED = notebook(code(IMPORT), code("start_here.timeline()", {"text/html": TWIN}))
CHANGED = notebook(code(IMPORT), code("start_here.timeline()", {"text/html": "<script></script>"}))


def trusted(contents: LargeFileManager, content: dict[str, Any]) -> bool:
    """Whether a notebook that lies in the folder opens trusted."""
    (Path(contents.root_dir) / "any.ipynb").write_text(json.dumps(content), encoding="utf-8")
    cells = contents.get("any.ipynb")["content"]["cells"]
    return all(cell["metadata"]["trusted"] for cell in cells)


def test_a_wheels_lessons_are_trusted_as_long_as_they_are_unchanged(
    contents, tmp_path, monkeypatch
):
    packaged = tmp_path / "package" / "notebooks"
    packaged.mkdir(parents=True)
    (packaged / "00.ipynb").write_text(json.dumps(SHIPPED), encoding="utf-8")
    monkeypatch.setattr(_jupyter, "PACKAGE", packaged.parent)
    assert not trusted(contents, SHIPPED)
    _jupyter.trust_shipped(contents.notary)
    assert trusted(contents, SHIPPED)
    assert not trusted(contents, CHANGED)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_of_a_checkout_the_committed_lessons_are_trusted(contents, tmp_path, monkeypatch):
    lesson = tmp_path / "checkout" / "notebooks" / "00.ipynb"
    lesson.parent.mkdir(parents=True)
    lesson.write_text(json.dumps(SHIPPED), encoding="utf-8")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Lessons"]):
        subprocess.run([*git, *words], cwd=tmp_path / "checkout", check=True)
    lesson.write_text(json.dumps(CHANGED), encoding="utf-8")  # on the disk, in no commit
    monkeypatch.setattr(_jupyter, "PACKAGE", tmp_path / "checkout" / "pusherkit")
    _jupyter.trust_shipped(contents.notary)
    assert trusted(contents, SHIPPED)
    assert not trusted(contents, CHANGED)


def test_without_git_nothing_in_a_checkout_is_trusted(monkeypatch, tmp_path):
    monkeypatch.setattr(_jupyter, "PACKAGE", ROOT / "pusherkit")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(_jupyter.shipped()) == []


def test_a_server_starts_although_nothing_can_be_signed(contents, monkeypatch, caplog):
    def refuse(notary):
        raise OSError("no place for a trust store")

    monkeypatch.setattr(_jupyter, "trust_shipped", refuse)
    log = logging.getLogger("server")
    _jupyter._load_jupyter_server_extension(SimpleNamespace(contents_manager=contents, log=log))
    assert "The lessons could not be signed." in caplog.text


# --- the configuration ------------------------------------------------------------------------


def test_the_configuration_names_what_exists():
    config = json.loads((lab.CONFIG / "jupyter_server_config.json").read_bytes())["ServerApp"]
    assert [import_item(name) for name in config.values()] == [
        _jupyter.NoDelayConnection,
        _jupyter.LessonSessions,
    ]
    folder = lab.CONFIG / "jupyter_server_config.d"
    (enabled,) = (json.loads(file.read_bytes())["ServerApp"] for file in folder.iterdir())
    points = _jupyter._jupyter_server_extension_points()
    assert enabled == {"jpserver_extensions": {point["module"]: True for point in points}}


def test_a_wheel_puts_the_extension_where_jupyter_looks():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    ((source, target),) = shared.items()
    assert (ROOT / source).samefile(lab.CONFIG / "jupyter_server_config.d")
    assert target == "etc/jupyter/jupyter_server_config.d"


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        ("lesson.ipynb", None, _jupyter.PACKAGE / "_kernel_startup.py"),
        ("lesson.ipynb", "mine.py", "mine.py"),
        ("other.ipynb", None, None),
        ("broken.ipynb", None, None),
        ("missing.ipynb", None, None),
        ("notes.txt", None, None),
    ],
)
def test_the_kernel_of_a_lesson_gets_a_startup_file(tmp_path, monkeypatch, name, own, expected):
    (tmp_path / "lesson.ipynb").write_text(json.dumps(notebook(code(IMPORT))), "utf-8")
    (tmp_path / "other.ipynb").write_text(json.dumps(notebook(code("import json"))), "utf-8")
    (tmp_path / "broken.ipynb").write_text("[1, ", "utf-8")
    (tmp_path / "notes.txt").write_text(IMPORT, "utf-8")
    usual = {"JPY_SESSION_NAME": str(tmp_path / name), **({"PYTHONSTARTUP": own} if own else {})}
    monkeypatch.setattr(SessionManager, "get_kernel_env", lambda self, path, name: dict(usual))
    sessions = _jupyter.LessonSessions.__new__(_jupyter.LessonSessions)
    got = sessions.get_kernel_env("", name).get("PYTHONSTARTUP")
    assert got == (expected and str(expected))


# --- a cell that runs before the one it needs -------------------------------------------------

CELLS = notebook(
    {"cell_type": "markdown", "source": "first = 1"},
    code("%matplotlib inline"),
    code(["import os.path, json as j\n", IMPORT]),
    code("def sign():\n    inner = 1\nclass Event: ...\nasync def send(): ..."),
    code("a, (b, *c) = 1, (2, 3)\nfor d in []: pass\nfirst = a"),
    code("a = 2"),
    code("print([e for e in []])\nif True:\n    import f\n    def g():\n        inner = 2"),
)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, 2) for name in ("start_here", "os", "j")),
        *((name, 3) for name in ("sign", "Event", "send")),
        *((name, 4) for name in ("a", "b", "c", "d", "first")),
        *((name, 6) for name in ("f", "g")),
        *((name, None) for name in ("json", "inner", "nothing", "e")),
    ],
)
def test_the_cell_that_makes_a_name(name, number):
    expected = None if number is None else "".join(CELLS["cells"][number]["source"])
    assert _first_cell.cell_that_makes(name, CELLS) == expected


class Shell:
    """As much of IPython's shell as the answer to a missing name needs."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: Any) -> None:
        (tmp_path / "lesson.ipynb").write_text(json.dumps(stored), "utf-8")
        monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "lesson.ipynb"))
        self.user_ns: dict[str, Any] = {"In": [""], "__name__": "__main__"}
        self.answer: Any = None
        _first_cell.install(self)

    def set_custom_exc(self, kinds: tuple[type[Exception], ...], handler: Any) -> None:
        assert kinds == (NameError,)
        self.answer = handler

    def showtraceback(self, error: Any, tb_offset: int | None) -> None:
        self.shown = None

    def _showtraceback(self, kind: Any, error: Any, lines: list[str]) -> None:
        self.shown = lines

    def run(self, source: str) -> list[str] | None:
        """What is shown of the error of a cell; None for the usual traceback."""
        self.user_ns["In"].append(source)
        try:
            exec(source, self.user_ns)
        except NameError:
            self.answer(self, *sys.exc_info())
        return self.shown


def test_a_cell_run_too_early_names_the_one_to_run_first(tmp_path, monkeypatch):
    shown = Shell(tmp_path, monkeypatch, CELLS).run("start_here.timeline()")
    assert shown[0] == (
        "NameError: start_here isn't there yet. This cell makes it, and has to run first:"
    )
    assert f"    {IMPORT}" in shown


def test_of_a_long_cell_the_first_lines_are_shown(tmp_path, monkeypatch):
    long = notebook(code("\n".join(f"name_{number} = {number}" for number in range(20))))
    shown = Shell(tmp_path, monkeypatch, long).run("name_19")
    assert shown[2:11] == [*(f"    name_{n} = {n}" for n in range(8)), "    …"]


@pytest.mark.parametrize(
    "source",
    [
        "nothing",
        "sign()\ndef sign(): ...",  # its own mistake: no other cell would help
        "class Another(NameError): ...\nraise Another(name='a')",
        "import abc\nabc.f = eval('lambda: a', {'__name__': 'abc'})\nabc.f()",  # not the learner's
    ],
)
def test_any_other_missing_name_is_a_traceback(tmp_path, monkeypatch, source):
    assert Shell(tmp_path, monkeypatch, CELLS).run(source) is None


@pytest.mark.parametrize("stored", [[], {}, {"cells": [{}]}, {"cells": None}, "text"])
def test_a_notebook_that_cannot_be_read_is_a_traceback(tmp_path, monkeypatch, stored):
    assert Shell(tmp_path, monkeypatch, stored).run("a") is None


# --- idle kernels -----------------------------------------------------------------------------


async def test_of_many_idle_kernels_the_one_used_last_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def ask(self: object, kernel_id: str) -> None:
        asked.append(kernel_id)

    monkeypatch.setattr(_jupyter.AsyncMappingKernelManager, "cull_kernel_if_idle", ask)
    kernels = _jupyter.OneKernelKept()
    for kernel_id, used in {"morning": 1, "now": 3, "noon": 2}.items():
        kernels._kernels[kernel_id] = SimpleNamespace(last_activity=used)
    await kernels.cull_kernels()
    assert asked == ["morning", "noon"]
