"""Where `pusherkit lab` finds the lessons, and how it starts JupyterLab."""

from __future__ import annotations

import builtins
import errno
import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
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


def test_the_lessons_go_to_a_folder_that_was_chosen(
    server: Server, tmp_path: Path, installed: Path
) -> None:
    assert cli.main(["lab", "--dir", "of my/own"]) == 0  # in a checkout, too
    folder = tmp_path / "of my" / "own"
    assert f"--ServerApp.root_dir={folder}" in server.argv
    assert sorted(path.name for path in folder.glob("*.ipynb")) == LESSONS


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
    assert said == []


def test_a_learners_file_is_never_overwritten(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (folder / lab.FIRST_LESSON).write_text("my answers", encoding="utf-8")
    folder, said = lab.lessons_folder(tmp_path)
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "my answers"
    assert said == [], "an edited lesson is not an old one"


def test_newer_lessons_are_named_and_left_alone(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (installed / lab.FIRST_LESSON).write_text("a newer lesson", encoding="utf-8")
    (installed / "02-parameters-in-order.ipynb").write_text("a new lesson", encoding="utf-8")
    newer = [
        f"There is a newer version of: {lab.FIRST_LESSON}",
        "Yours stays as it is. To get the newer one, rename your file and start again.",
    ]
    folder, said = lab.lessons_folder(tmp_path)
    assert said == ["Added to your copy: 02-parameters-in-order.ipynb", *newer]
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8").endswith("as shipped")
    assert lab.lessons_folder(tmp_path)[1] == newer, "it is still newer the next time"
    assert (folder / "02-parameters-in-order.ipynb").read_text(encoding="utf-8") == "a new lesson"


def test_a_renamed_lesson_makes_room_for_the_newer_one(tmp_path: Path, installed: Path) -> None:
    folder, _ = lab.lessons_folder(tmp_path)
    (installed / lab.FIRST_LESSON).write_text("a newer lesson", encoding="utf-8")
    (folder / lab.FIRST_LESSON).rename(folder / "mine.ipynb")
    folder, said = lab.lessons_folder(tmp_path)
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "a newer lesson"
    assert said == [f"Added to your copy: {lab.FIRST_LESSON}"]


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
    # An edited lesson and an old one look alike now, so it warns to be safe.
    assert said[0].endswith(lab.FIRST_LESSON)


def test_the_real_lessons_are_packaged() -> None:
    assert (lab._packaged() / lab.FIRST_LESSON).is_file()


def test_an_installation_without_lessons_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lab, "files", lambda package: tmp_path)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "pusherkit" / "lab.py"))
    with pytest.raises(PusherError, match="lessons are missing from this installation"):
        lab.lessons_folder(tmp_path)


# --- the solved edition -----------------------------------------------------------------------


def test_the_solutions_have_a_folder_of_their_own(server: Server, tmp_path: Path) -> None:
    before = (tmp_path / "notebooks" / lab.FIRST_LESSON).read_bytes()
    assert cli.main(["lab", "--solutions"]) == 0
    folder = tmp_path / lab.SOLVED
    assert f"--ServerApp.root_dir={folder}" in server.argv
    shipped = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert sorted(path.name for path in folder.glob("*.ipynb")) == shipped
    assert (tmp_path / "notebooks" / lab.FIRST_LESSON).read_bytes() == before
    solved = nbformat.read(folder / "01-body-is-bytes.ipynb", as_version=4)
    nbformat.validate(solved)
    assert "This is the solved edition" in solved.cells[1].source
    assert "hashlib.md5(body).hexdigest()" in "".join(cell.source for cell in solved.cells)


def test_solved_lessons_never_go_among_a_learners(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / lab.FIRST_LESSON).write_text("my answers", encoding="utf-8")
    with pytest.raises(PusherError, match="that aren't solutions"):
        lab.solutions_folder(tmp_path, mine)
    assert [path.name for path in mine.iterdir()] == [lab.FIRST_LESSON]
    assert (mine / lab.FIRST_LESSON).read_text(encoding="utf-8") == "my answers"


def test_a_folder_that_cannot_be_one_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PusherError, match="The lessons cannot be copied"):
        lab.solutions_folder(tmp_path, Path("x" * 5000))


def test_what_a_trainer_wrote_into_a_solved_lesson_stays(tmp_path: Path) -> None:
    folder, said = lab.solutions_folder(tmp_path, Path("for me"))
    assert (folder, said) == (tmp_path / "for me", [])
    (folder / lab.FIRST_LESSON).write_text("my notes", encoding="utf-8")
    assert lab.solutions_folder(tmp_path, Path("for me")) == (folder, [])
    assert (folder / lab.FIRST_LESSON).read_text(encoding="utf-8") == "my notes"


def test_a_notebook_that_is_no_lesson_is_copied_as_it_is(tmp_path: Path, installed: Path) -> None:
    for lesson in installed.iterdir():
        lesson.unlink()
    (installed / "99-extra.ipynb").write_text("as it is", encoding="utf-8")
    folder, _ = lab.solutions_folder(tmp_path)
    assert (folder / "99-extra.ipynb").read_text(encoding="utf-8") == "as it is"


# --- where the learner left off ---------------------------------------------------------------


def lesson(folder: Path, name: str, *, saved: bool, at: int) -> None:
    """A lesson with the time of its last change; as a Jupyter saves it, or as it is shipped."""
    language = {"name": "python", **({"version": "3.11.7"} if saved else {})}
    (folder / name).write_text(json.dumps({"metadata": {"language_info": language}}), "utf-8")
    os.utime(folder / name, (at, at))


def test_the_lesson_that_was_saved_last_is_opened(tmp_path: Path) -> None:
    lesson(tmp_path, "01-body-is-bytes.ipynb", saved=True, at=20)
    lesson(tmp_path, "02-parameters-in-order.ipynb", saved=True, at=10)
    lesson(tmp_path, "03-canonical-string.ipynb", saved=False, at=30)  # only copied, or pulled
    lesson(tmp_path, "scratch.ipynb", saved=True, at=40)  # no lesson
    (tmp_path / "04-broken.ipynb").write_text("{", encoding="utf-8")
    (tmp_path / "05-a-list.ipynb").write_text("[]", encoding="utf-8")
    assert lab.last_lesson(tmp_path) == "01-body-is-bytes.ipynb"


def test_a_new_learner_begins_at_the_first_lesson(tmp_path: Path) -> None:
    assert lab.last_lesson(ROOT / "notebooks") == lab.FIRST_LESSON  # none is shipped as saved
    assert lab.last_lesson(tmp_path) == lab.FIRST_LESSON


# --- JupyterLab -------------------------------------------------------------------------------


class Server:
    """In place of JupyterLab: how it was set up, and whether it ran."""

    display_url = "http://127.0.0.1:8888/doc/tree/00-start-here.ipynb?token=0123"

    def __init__(self) -> None:
        self.identity_provider = SimpleNamespace(token_generated=True)
        self.starts = 0

    def initialize(self, argv: list[str]) -> Server:
        self.argv = argv
        self.config_path = os.environ.get("JUPYTER_CONFIG_PATH")
        return self

    def start(self) -> None:
        self.starts += 1


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """What JupyterLab would be started as, in a checkout."""
    made = Server()
    monkeypatch.setattr("jupyterlab.labapp.LabApp.initialize_server", made.initialize)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    monkeypatch.chdir(checkout(tmp_path))
    return made


def test_it_opens_the_first_lesson_on_this_machine_only(server: Server, tmp_path: Path) -> None:
    assert cli.main(["lab"]) == 0
    assert server.starts == 1
    assert f"--ServerApp.root_dir={tmp_path / 'notebooks'}" in server.argv
    assert "--LabApp.default_url=/doc/tree/00-start-here.ipynb" in server.argv
    assert "--ServerApp.ip=127.0.0.1" in server.argv
    assert "--no-browser" not in server.argv


def test_options_go_to_jupyterlab(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert cli.main(["lab", "--no-browser", f"--port={port}", "--", "--debug", "--x=y"]) == 0
    assert "--no-browser" in server.argv
    assert f"--ServerApp.port={port}" in server.argv
    assert server.argv[-2:] == ["--debug", "--x=y"]


def test_what_it_prints_is_short(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson(tmp_path / "notebooks", "01-body-is-bytes.ipynb", saved=True, at=20)
    assert cli.main(["lab"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"The lessons are open at {server.display_url}",
        f"Your files: {tmp_path / 'notebooks'}",
        "You left off in 01-body-is-bytes.ipynb.",
        "To stop, press Ctrl+C here.",
    ]
    assert "--LabApp.default_url=/doc/tree/01-body-is-bytes.ipynb" in server.argv
    assert "--Application.log_level=ERROR" in server.argv
    assert not server.identity_provider.token_generated


def test_verbose_leaves_jupyterlabs_log_on(server: Server) -> None:
    assert cli.main(["lab", "--verbose"]) == 0
    assert not [word for word in server.argv if "log_level" in word]
    assert server.identity_provider.token_generated


def test_a_copy_is_named_with_what_is_new_in_it(
    server: Server, tmp_path: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").unlink()
    assert cli.main(["lab"]) == 0
    assert f"Your files: {tmp_path / lab.COPY}\n" in capsys.readouterr().out
    (installed / "02-parameters-in-order.ipynb").write_text("a new lesson", encoding="utf-8")
    assert cli.main(["lab"]) == 0
    assert "Added to your copy: 02-parameters-in-order.ipynb\n" in capsys.readouterr().out


def test_jupyterlab_is_set_up_for_the_lessons_but_for_stock(server: Server) -> None:
    cli.main(["lab", "--stock"])
    assert server.config_path == "/mine"
    cli.main(["lab"])
    assert server.config_path == os.pathsep.join([str(lab.CONFIG), "/mine"])


def test_where_a_port_is_taken_the_next_one_is_used_and_said(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["lab", f"--port={port}"]) == 0
    (used,) = (word.split("=")[1] for word in server.argv if word.startswith("--ServerApp.port="))
    assert port < int(used) < port + lab.PORTS_TRIED
    assert f"Port {port} is taken, so I use {used}.\n" in capsys.readouterr().out


def test_where_no_port_is_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: tuple[str, int]) -> None:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(PusherError, match="Port 65535 is taken, and so are those after it"):
        lab.free_port(65_535)


def test_a_port_that_may_not_be_used_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: tuple[str, int]) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(PusherError, match="Port 80 can't be used: Permission denied"):
        lab.free_port(80)


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

    from pusherkit._jupyter import NoDelayConnection

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
