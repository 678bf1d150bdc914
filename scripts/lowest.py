"""Print the lowest version that pyproject.toml allows of each package, as constraints for pip.

python scripts/lowest.py > constraints.txt && pip install -e ".[test]" --constraint constraints.txt
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
FLOOR = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)")  # "tornado>=6.6,<7"


def constraints(project: dict[str, Any]) -> Iterator[str]:
    """A line such as "tornado==6.6" for each requirement with a floor, extras included."""
    for requirements in (project["dependencies"], *project["optional-dependencies"].values()):
        for requirement in requirements:
            if floor := FLOOR.match(requirement):
                yield f"{floor['name']}=={floor['version']}"


if __name__ == "__main__":
    print(*constraints(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]), sep="\n")
