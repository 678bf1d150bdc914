"""Where `pusherkit lab` finds the lessons, and how it starts JupyterLab."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pusherkit import PusherError, cli, lab

ROOT = Path(__file__).parents[1]
LESSONS = ["00-start-here.ipynb", "01-body-is-bytes.ipynb"]  # those of the fixture `installed`


def checkout(folder: Path, name: str = "pusherkit") -> Path:
    """A folder that looks like a checkout of this project."""
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n', encoding="utf-8")
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / lab.FIRST_LESSON).write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As from a wheel: the package lies in no checkout; its notebooks in `installed`."""
    packaged = tmp_path / "site-packages" / "pusherkit" / "notebooks"
    packaged.mkdir(parents=True)
    for name in LESSONS:
        (packaged / name).write_text(f"{name} as shipped", encoding="utf-8")
    monkeypatch.setattr(lab, "__file__", str(packaged.parent / "lab.py"))
    monkeypatch.setattr(lab, "_packaged", lambda: packaged)
    return packaged


def test_in_a_checkout_its_own_notebooks_open(tmp_path: Path) -> None:
    assert lab.lessons_folder(checkout(tmp_path)) == (tmp_path / "notebooks", [])


def test_an_editable_install_opens_its_checkout_from_anywhere(tmp_path: Path) -> None:
    if not (ROOT / "pusherkit").samefile(Path(lab.__file__).parent):
        pytest.skip("pusherkit is not installed from this checkout")
    assert lab.lessons_folder(tmp_path) == (ROOT / "notebooks", [])


@pytest.mark.parametrize("name", ["another", "pusherkit2"])
def test_another_project_is_no_checkout(tmp_path: Path, name: str, installed: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    folder, _ = lab.lessons_folder(checkout(here, name))
    assert folder == here / lab.COPY


def test_a_broken_pyproject_is_no_checkout(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project", encoding="utf-8")
    assert lab.lessons_folder(tmp_path)[0] == tmp_path / lab.COPY


def test_a_read_only_checkout_is_copied(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so what the system says is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert lab.lessons_folder(checkout(tmp_path))[0] == tmp_path / lab.COPY


def test_the_copy_holds_every_lesson(tmp_path: Path, installed: Path) -> None:
    folder, said = lab.lessons_folder(tmp_path)
    assert sorted(path.name for path in folder.glob("*.ipynb")) == LESSONS
    assert said == [f"Your copy of the lessons: {folder}"]


def test_a_learners_file_is_never_overwritten(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (folder / lab.FIRST_LESSON).write_text("my answers", encoding="utf-8")
    folder, said = lab.lessons_folder(tmp_path)
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "my answers"
    assert len(said) == 1, "an edited lesson is not an old one"


def test_newer_lessons_are_named_and_left_alone(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (installed / lab.FIRST_LESSON).write_text("a newer lesson", encoding="utf-8")
    (installed / "02-parameters-in-order.ipynb").write_text("a new lesson", encoding="utf-8")
    for _ in range(2):  # it is still newer the next time
        folder, said = lab.lessons_folder(tmp_path)
        assert said[1] == f"Newer than your copy, which stays as it is: {lab.FIRST_LESSON}"
        assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8").endswith("as shipped")
    assert (folder / "02-parameters-in-order.ipynb").read_text(encoding="utf-8") == "a new lesson"


def test_a_renamed_lesson_makes_room_for_the_newer_one(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (installed / lab.FIRST_LESSON).write_text("a newer lesson", encoding="utf-8")
    (folder / lab.FIRST_LESSON).rename(folder / "mine.ipynb")
    folder, said = lab.lessons_folder(tmp_path)
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "a newer lesson"
    assert len(said) == 1


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, installed: Path) -> None:
    (tmp_path / lab.COPY).write_text("a file in the way", encoding="utf-8")
    with pytest.raises(PusherError, match=r"cannot be copied to .*: File exists"):
        lab.lessons_folder(tmp_path)


@pytest.mark.parametrize("record", ["{", "[]", "null"])
def test_a_damaged_record_loses_nothing(tmp_path: Path, installed: Path, record: str) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (folder / lab.FIRST_LESSON).write_text("my answers", encoding="utf-8")
    (folder / lab.RECORD).write_text(record, encoding="utf-8")
    folder, said = lab.lessons_folder(tmp_path)
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "my answers"
    # It can no longer tell an edited lesson from an old one, and says so to be safe.
    assert said[1].endswith(lab.FIRST_LESSON)


def test_the_real_lessons_are_packaged() -> None:
    assert (lab._packaged() / lab.FIRST_LESSON).is_file()


def test_an_installation_without_lessons_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lab, "files", lambda package: tmp_path)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "pusherkit" / "lab.py"))
    with pytest.raises(PusherError, match="lessons are missing from this installation"):
        lab.lessons_folder(tmp_path)


# --- JupyterLab's command line ----------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What JupyterLab would be started with."""
    seen: list[list[str]] = []
    monkeypatch.setattr(lab, "run", seen.append)
    monkeypatch.chdir(checkout(tmp_path))
    return seen


def test_it_opens_the_first_lesson_on_this_machine_only(
    started: list[list[str]], tmp_path: Path
) -> None:
    assert cli.main(["lab"]) == 0
    assert f"--ServerApp.root_dir={tmp_path / 'notebooks'}" in started[0]
    assert "--LabApp.default_url=/lab/tree/00-start-here.ipynb" in started[0]
    assert "--ServerApp.ip=127.0.0.1" in started[0]
    assert "--no-browser" not in started[0]


def test_options_go_to_jupyterlab(started: list[list[str]]) -> None:
    assert cli.main(["lab", "--no-browser", "--port", "8890", "--", "--debug", "--x=y"]) == 0
    assert "--no-browser" in started[0]
    assert "--ServerApp.port=8890" in started[0]
    assert started[0][-2:] == ["--debug", "--x=y"]


def test_jupyterlab_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr("jupyterlab.labapp.main", seen.append)
    monkeypatch.chdir(checkout(tmp_path))
    assert cli.main(["lab", "--", "--debug"]) == 0
    assert seen[0][-1] == "--debug"


def test_where_a_copy_was_made_it_says_so(
    started: list[list[str]], tmp_path: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").unlink()
    assert cli.main(["lab"]) == 0
    assert capsys.readouterr().out == f"Your copy of the lessons: {tmp_path / lab.COPY}\n"


def test_stock_leaves_the_kernel_connection_alone(started: list[list[str]]) -> None:
    cli.main(["lab"])
    cli.main(["lab", "--stock"])
    ours, stock = started
    (difference,) = set(ours) - set(stock)
    assert difference.endswith("=pusherkit._nodelay.NoDelayConnection")


def test_without_jupyterlab_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("jupyterlab"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="jupyterlab")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.chdir(checkout(tmp_path))
    assert cli.main(["lab"]) == 1
    assert 'pip install "pusherkit[lab]"' in capsys.readouterr().err


def test_the_connection_class_switches_the_delay_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

    from pusherkit._nodelay import NoDelayConnection

    class Handler:
        nodelay = False

        def set_nodelay(self, value: bool) -> None:
            self.nodelay = value

    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: "connected")
    monkeypatch.setattr(NoDelayConnection, "__init__", lambda self: None)
    connection = NoDelayConnection.__new__(NoDelayConnection)
    handler = Handler()
    monkeypatch.setattr(NoDelayConnection, "websocket_handler", handler)
    assert connection.connect() == "connected"
    assert handler.nodelay


def test_the_record_is_json_with_a_digest_for_each_lesson(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    record = json.loads((folder / lab.RECORD).read_text(encoding="utf-8"))
    assert sorted(record) == LESSONS
    assert all(len(digest) == 64 for digest in record.values())
