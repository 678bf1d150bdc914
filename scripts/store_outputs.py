"""Execute every notebook on a fresh kernel and store its outputs in the committed form.

    python scripts/store_outputs.py [NOTEBOOK …]

The committed form: every cell run in order, the text twins kept, and nothing that differs from
machine to machine: no widget views or state (without a kernel they show an error), no language
version, no kernel of a private name.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
CELL_SECONDS = 60


def execute(notebook: Any, folder: Path) -> None:
    """Run every cell of a notebook, in place."""
    NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        store_widget_state=False,
        coalesce_streams=True,  # how a cell's prints are parted depends on the moment
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def normalise(notebook: Any) -> None:
    """Bring an executed notebook into the committed form, in place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def text_of(notebook: Any) -> str:
    """The notebook as JSON, a line for each line of source, and none of them indented.

    Indentation would make up a twelfth of the file. JSON text has no line breaks of its own, so
    what stands before a line's first character is never part of a string.
    """
    return re.sub(r"^ +", "", nbformat.writes(notebook), flags=re.MULTILINE) + "\n"


def main(names: list[str]) -> int:
    """Store the outputs of the named notebooks, or of all."""
    paths = [Path(name) for name in names] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for number, path in enumerate(paths, start=1):
        print(f"[{number}/{len(paths)}] {path.name}", flush=True)
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, path.parent)
        normalise(notebook)
        nbformat.validate(notebook)
        path.write_text(text_of(notebook), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
