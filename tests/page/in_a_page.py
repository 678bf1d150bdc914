"""Makes this Python poor, as that of a browser tab: Python files run under it see no difference.

    python in_a_page.py FILE …

Nothing named here can be imported, no thread starts, and no socket is made. A FILE that ends in
.ipynb is run cell by cell; what each cell shows is printed at the end, as JSON.
"""

from __future__ import annotations

import sys

sys.platform = "emscripten"  # first: the standard library asks for it while it is imported

import _thread
import json
import runpy
import socket
import threading
from pathlib import Path
from typing import NoReturn

ABSENT = {"tornado", "websockets", "jupyter_server", "jupyterlab", "zmq", "ipykernel"}


class Absent:
    """Finds first, and says no."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def no_thread(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def no_socket(*_: object, **__: object) -> NoReturn:
    raise OSError("no sockets in a browser tab")


sys.meta_path.insert(0, Absent())  # type: ignore[arg-type]
threading.Thread.start = no_thread  # type: ignore[method-assign]
_thread.start_new_thread = no_thread  # type: ignore[assignment]
socket.socket.__init__ = no_socket  # type: ignore[method-assign,assignment]


def run(notebook: Path) -> list[list[str]]:
    """What each code cell of a notebook shows: its printed text, then its result's text."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    results: list[object] = []
    shell.display_trap.hook = lambda value: None if value is None else results.append(value)
    shown = []
    for cell in json.loads(notebook.read_bytes())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.strip():
            with capture_output() as captured:
                result = shell.run_cell(source)
            result.raise_error()
            texts = [captured.stdout] if captured.stdout else []
            for value in results:
                data, _ = shell.display_formatter.format(value)
                texts.append(data["text/plain"])
            results.clear()
            shown.append(texts)
    return shown


if __name__ == "__main__":
    everything = {}
    for name in sys.argv[1:]:
        if name.endswith(".ipynb"):
            everything[Path(name).name] = run(Path(name))
        else:
            runpy.run_path(name, run_name="__main__")
    if everything:
        print(json.dumps(everything))
