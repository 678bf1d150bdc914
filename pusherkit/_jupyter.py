"""What a Jupyter server does for the lessons. It touches no other notebook.

As a server extension (jupyter-config/jupyter_server_config.d switches it on) it does two things:
the shipped lessons open trusted, and a lesson is saved without the views of its widgets. A view
without a running kernel is "Error displaying widget: model not found", and a reader's next day
begins without one. What it showed last takes its place, where the page says (JupyterLab does with
its setting saveState, which labconfig/ switches on); if not, the twin beside it.

The classes are for the configuration of a server that has lessons to show: two are in
jupyter-config/jupyter_server_config.json, and OneKernelKept is for a class. Nothing in pusherkit
imports this module.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.sessionmanager import SessionManager
from nbformat.sign import NotebookNotary

PACKAGE = Path(__file__).parent
LESSONS = "pusherkit.lessons"  # a notebook with a cell that names it is a lesson
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
GIT_SECONDS = 10  # for git to hand out a megabyte; it takes some 10 ms

# It goes where a view was taken away, so it shows exactly where the controls are missing.
HOW_TO_GO_ON = (
    '<p style="margin: 4px 2px 10px"><strong>Run this cell to bring the controls back:</strong> '
    "click its code, then press Ctrl+Enter. "
    "Just opened the notebook? Then run its first code cell first.</p>"
)


# --- a lesson without its widgets -------------------------------------------------------------


def is_lesson(notebook: dict[str, Any]) -> bool:
    """Whether a notebook, in the form of its JSON, uses the lessons."""
    return any(
        LESSONS in "".join(cell.get("source", ""))  # a string, or a list of lines
        for cell in notebook.get("cells", ())
        if cell.get("cell_type") == "code"
    )


def without_widgets(notebook: dict[str, Any]) -> None:
    """Take the widgets out of a notebook, in place; what they showed stays and is readable."""
    widgets = notebook.get("metadata", {}).pop("widgets", {})
    models = widgets.get(WIDGET_STATE, {}).get("state", {})
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            view = data.pop(WIDGET_VIEW, None)
            if view is None:
                continue
            model = models.get(view.get("model_id"), {}).get("state", {})
            shown = model.get("still") or "".join(data.get("text/html", ""))
            ours = output.get("metadata", {}).get("pusherkit", {})
            data["text/html"] = (HOW_TO_GO_ON if ours.get("controls", True) else "") + shown


def save_without_widgets(model: dict[str, Any], **_: Any) -> None:
    """The contents manager calls this with what it is about to write. The open page keeps all."""
    notebook = model.get("content")
    if model.get("type") == "notebook" and isinstance(notebook, dict) and is_lesson(notebook):
        without_widgets(notebook)


# --- trust ------------------------------------------------------------------------------------


def shipped() -> Iterator[str]:
    """The text of every lesson as it was shipped, whatever became of it on the disk.

    A wheel has them inside. In a checkout they are those of the last commit; without git there
    is no telling what was changed since, so there are none.
    """
    packaged = PACKAGE / "notebooks"
    if packaged.is_dir():
        for lesson in sorted(packaged.glob("*.ipynb")):
            yield lesson.read_text(encoding="utf-8")
        return
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", "HEAD", "notebooks"],  # noqa: S607
            cwd=PACKAGE.parent,
            capture_output=True,
            check=True,
            timeout=GIT_SECONDS,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".ipynb") else None
            if content is not None:
                yield content.read().decode()


def trust_shipped(notary: NotebookNotary) -> None:
    """Sign the shipped lessons in the user's trust store.

    A signature is of what a notebook holds, not of its place. So every copy is trusted as long
    as it is as it was shipped, and nothing else is.
    """
    for text in shipped():
        notary.sign(nbformat.v4.reads(text))


# --- the extension ----------------------------------------------------------------------------


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "pusherkit._jupyter"}]


def _load_jupyter_server_extension(server: Any) -> None:
    contents = server.contents_manager
    contents.register_pre_save_hook(save_without_widgets)
    try:
        trust_shipped(contents.notary)
    except Exception:  # the lessons open without trust, and a server that starts is worth more
        server.log.warning("The lessons could not be signed.", exc_info=True)


# --- for the server's configuration -----------------------------------------------------------


class NoDelayConnection(ZMQChannelsWebsocketConnection):
    """Jupyter Server's own connection between browser and kernel, without Nagle's algorithm.

    A key press in a widget is a small message. Nagle's algorithm holds it back until the one
    before it is acknowledged, about 40 ms.
    """

    def connect(self) -> object:  # type: ignore[override]  # its own annotation is missing
        self.websocket_handler.set_nodelay(True)
        return super().connect()


class LessonSessions(SessionManager):
    """Starts the kernel of a lesson with _kernel_startup.py, and every other as it was."""

    def get_kernel_env(self, path: str | None, name: Any = None) -> dict[str, str]:
        environment = super().get_kernel_env(path, name)
        startup = find_spec("pusherkit._kernel_startup")
        if startup and startup.origin and _names_the_lessons(Path(environment["JPY_SESSION_NAME"])):
            environment.setdefault("PYTHONSTARTUP", startup.origin)
        return environment


class OneKernelKept(AsyncMappingKernelManager):
    """Ends kernels that have been idle for cull_idle_timeout, but never the one used last.

    That's the lesson the learner is in, however long lunch was.
    """

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        used = {each: kernel.last_activity for each, kernel in self._kernels.items()}
        if kernel_id != max(used, key=lambda each: used[each]):
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]


def _names_the_lessons(file: Path) -> bool:
    try:
        return file.suffix == ".ipynb" and is_lesson(json.loads(file.read_bytes()))
    except (OSError, ValueError, AttributeError, TypeError):
        return False
