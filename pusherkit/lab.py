"""Open the lessons in JupyterLab. Needs the extra `lab`.

In a checkout the lessons are its own notebooks. From an installed wheel they are copied to
./pusherkit-lessons, and a file that is there already is never touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from pusherkit.errors import PusherError

FIRST_LESSON = "00-start-here.ipynb"
COPY = "pusherkit-lessons"
RECORD = ".copied.json"  # in the copy: the SHA-256 of each lesson as it was when it was copied


# --- where the lessons are --------------------------------------------------------------------


def lessons_folder(here: Path) -> tuple[Path, list[str]]:
    """A writable folder with the lessons, and what to tell the learner about it.

    `here` is the current folder. Raises PusherError where no folder can be written.
    """
    for root in (here, Path(__file__).parents[1]):
        notebooks = root / "notebooks"
        if _is_checkout(root) and os.access(notebooks, os.W_OK):
            return notebooks, []
    return _copy(_packaged(), here / COPY)


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


def _copy(source: Path, target: Path) -> tuple[Path, list[str]]:
    """Copy the lessons that are not in `target` yet; say which others are newer in `source`."""
    try:
        target.mkdir(exist_ok=True)
        record = _read_record(target / RECORD)
        newer = []
        for lesson in sorted(source.glob("*.ipynb")):
            digest = _digest(lesson)
            mine = target / lesson.name
            if not mine.exists():
                shutil.copyfile(lesson, mine)
            elif digest not in (record.get(lesson.name), _digest(mine)):
                newer.append(lesson.name)
                continue
            record[lesson.name] = digest
        (target / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
    except OSError as error:
        raise PusherError(
            f"The lessons cannot be copied to {target}: {error.strerror}. "
            "Start from a folder that you can write to."
        ) from error
    said = [f"Your copy of the lessons: {target}"]
    if newer:
        said += [
            f"Newer than your copy, which stays as it is: {', '.join(newer)}",
            "To get a newer lesson, rename your file and start again.",
        ]
    return target, said


def _read_record(file: Path) -> dict[str, str]:
    """The record of what was copied; empty where there is none, or none that can be read."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# --- JupyterLab -------------------------------------------------------------------------------


def arguments(
    folder: Path, *, port: int | None, browser: bool, stock: bool, rest: Iterable[str]
) -> list[str]:
    """JupyterLab's command line: open the first lesson, on this machine only."""
    chosen = [
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}",
        "--ServerApp.ip=127.0.0.1",
    ]
    if port is not None:
        chosen.append(f"--ServerApp.port={port}")
    if not browser:
        chosen.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        chosen.append("--allow-root")  # containers; it listens on 127.0.0.1 only
    if not stock:
        chosen.append(
            "--ServerApp.kernel_websocket_connection_class=pusherkit._nodelay.NoDelayConnection"
        )
    return [*chosen, *rest]


def run(argv: list[str]) -> None:
    """Run JupyterLab until it is stopped."""
    try:
        from jupyterlab.labapp import main
    except ModuleNotFoundError as error:
        raise PusherError(
            f"JupyterLab is not installed ({error.name} is missing). "
            'Install it with: pip install "pusherkit[lab]"'
        ) from None
    main(argv)
