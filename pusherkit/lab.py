"""Open the lessons in JupyterLab, where the learner left off. Needs the extra `lab`.

In a checkout the lessons are its own notebooks, also from an editable install that was started
elsewhere. From an installed wheel they are copied to ./pusherkit-lessons; into a folder that
somebody chose, always. A file that is there already is never touched. Solved, for a trainer, they
go into a folder of their own, ./pusherkit-solutions. How JupyterLab is set up
for them is in jupyter-config/, and what its server does for them in _jupyter.py.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import tempfile
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from pusherkit.errors import PusherError

FIRST_LESSON = "00-start-here.ipynb"
COPY = "pusherkit-lessons"
SOLVED = "pusherkit-solutions"
LESSON = "[0-9][0-9]-*.ipynb"
CONFIG = Path(__file__).parent / "jupyter-config"  # a folder for JUPYTER_CONFIG_PATH
PORTS_TRIED = 50  # as many as JupyterLab tries by itself: ServerApp.port_retries
RECORD = ".copied.json"  # in the copy: the SHA-256 of each lesson as it was when it was copied
SOLVED_RECORD = ".solved.json"  # the same, where they are solved; so no learner's folder has it


# --- where the lessons are --------------------------------------------------------------------


def lessons_folder(here: Path, chosen: Path | None = None) -> tuple[Path, list[str]]:
    """A writable folder with the lessons, and what a learner should know about it, as lines.

    `here` is the current folder; `chosen`, if given, the one that gets the copies. Raises
    PusherError where no folder can be written.
    """
    if chosen is not None:
        return _copy(_packaged(), here / chosen)
    for root in (here, Path(__file__).parents[1]):
        notebooks = root / "notebooks"
        if _is_checkout(root) and os.access(notebooks, os.W_OK):
            return notebooks, []
    return _copy(_packaged(), here / COPY)


def solutions_folder(here: Path, chosen: Path | None = None) -> tuple[Path, list[str]]:
    """A folder with the lessons and every exercise solved, and what to know about it, as lines.

    Raises PusherError where somebody's lessons are there already, or nothing can be written.
    """
    from pusherkit.lessons.kit.lesson import lessons
    from pusherkit.lessons.kit.solutions import solved

    target = here / (chosen or SOLVED)
    # A path that can't be one is told of when it's written to.
    there = os.path.isdir(target) and any(target.glob("*.ipynb"))
    if there and not (target / SOLVED_RECORD).exists():
        raise PusherError(
            f"There are notebooks in {target} that aren't solutions. Name a new folder with --dir, "
            "so that nobody's own answers are among the solved ones."
        )
    course = {each.name: each for each in lessons()}
    with tempfile.TemporaryDirectory() as made:
        for lesson in _packaged().glob("*.ipynb"):
            text = lesson.read_text(encoding="utf-8")
            if lesson.stem in course:
                notebook = solved(json.loads(text), course[lesson.stem])
                text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
            (Path(made) / lesson.name).write_text(text, encoding="utf-8")
        return _copy(Path(made), target, SOLVED_RECORD)


def _is_checkout(root: Path) -> bool:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    named = project.get("project", {}).get("name") == "pusherkit"
    return named and (root / "notebooks" / FIRST_LESSON).is_file()


def _packaged() -> Path:
    """The lessons inside an installed wheel; those of the checkout for an editable install."""
    for folder in (files("pusherkit") / "notebooks", Path(__file__).parents[1] / "notebooks"):
        if (folder / FIRST_LESSON).is_file():
            return Path(str(folder))
    raise PusherError("The lessons are missing from this installation. Install pusherkit again.")


def _copy(source: Path, target: Path, recorded: str = RECORD) -> tuple[Path, list[str]]:
    """Copy the lessons that are not in `target` yet; say which others are newer in `source`."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        record = _read_record(target / recorded)
        first_time = not any(target.glob("*.ipynb"))
        added, newer = [], []
        for lesson in sorted(source.glob("*.ipynb")):
            digest = _digest(lesson)
            mine = target / lesson.name
            if not mine.exists():
                shutil.copyfile(lesson, mine)
                added.append(lesson.name)
            elif digest not in (record.get(lesson.name), _digest(mine)):
                newer.append(lesson.name)
                continue
            record[lesson.name] = digest
        (target / recorded).write_text(json.dumps(record, indent=2), encoding="utf-8")
    except OSError as error:
        raise PusherError(
            f"The lessons cannot be copied to {target}: {error.strerror}. "
            "Start again from a folder that you can write to, or name one with --dir."
        ) from error
    said = [] if first_time or not added else [f"Added to your copy: {', '.join(added)}"]
    if newer:
        said += [
            f"There is a newer version of: {', '.join(newer)}",
            "Yours stays as it is. To get the newer one, rename your file and start again.",
        ]
    return target, said


def _read_record(file: Path) -> dict[str, str]:
    """The record of what was copied; empty where there is none, or none that can be read."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def last_lesson(folder: Path) -> str:
    """The file name of the lesson that was saved last, where the learner left off.

    A Jupyter that saves a notebook writes the version of the kernel's language into it, and no
    lesson is shipped with one. So what was only copied, or pulled, does not count. A new learner
    gets the first lesson.
    """
    newest_first = sorted(folder.glob(LESSON), key=lambda file: -file.stat().st_mtime_ns)
    return next((file.name for file in newest_first if _was_saved(file)), FIRST_LESSON)


def _was_saved(lesson: Path) -> bool:
    try:
        return "version" in json.loads(lesson.read_bytes())["metadata"]["language_info"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


# --- JupyterLab -------------------------------------------------------------------------------


def arguments(
    folder: Path,
    lesson: str,
    *,
    port: int | None,
    browser: bool,
    verbose: bool,
    rest: Iterable[str],
) -> list[str]:
    """JupyterLab's command line: open one lesson by itself, on this machine only.

    Under /doc JupyterLab shows one document: no tabs of earlier days with a kernel each, and the
    side bar closed until it is wanted.
    """
    chosen = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/doc/tree/{lesson}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.answer_yes=True",  # one Ctrl+C stops it, as it is told
    ]
    if not verbose:
        chosen.append("--Application.log_level=ERROR")
    if port is not None:
        chosen.append(f"--ServerApp.port={port}")
    if not browser:
        chosen.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        chosen.append("--allow-root")  # containers; it listens on 127.0.0.1 only
    return [*chosen, *rest]


def free_port(port: int) -> int:
    """The port itself, or where it's taken the first free one after it.

    Raises PusherError where none of PORTS_TRIED can be listened on.
    """
    for candidate in range(port, min(port + PORTS_TRIED, 65_536)):
        try:
            with socket.create_server(("127.0.0.1", candidate)):
                return candidate
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PusherError(
                    f"Port {candidate} can't be used: {error.strerror}. Choose one from 1024 up."
                ) from error
    raise PusherError(
        f"Port {port} is taken, and so are those after it. --port 0 takes any free one."
    )


def use_settings() -> None:
    """Have Jupyter use the lessons' settings, before it starts in this process."""
    paths = [str(CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)


def run(argv: list[str], told: Iterable[str], *, stock: bool, verbose: bool) -> None:
    """Run JupyterLab until it is stopped; print its URL, and the lines in `told` below it."""
    try:
        from jupyterlab.labapp import LabApp
    except ModuleNotFoundError as error:
        raise PusherError(
            f"JupyterLab is not installed ({error.name} is missing). "
            'Install it with: pip install "pusherkit[lab]"'
        ) from None
    if not stock:
        use_settings()
    server = LabApp.initialize_server(argv)
    print("\n".join([f"The lessons are open at {server.display_url}", *told]), flush=True)
    if not verbose:
        server.identity_provider.token_generated = False  # or it logs the URL once more
    server.start()
