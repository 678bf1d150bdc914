"""Compile every Python file of this checkout, and take a warning for an error.

    python scripts/compiles.py

It needs nothing but Python, so any version that pyproject.toml names can do it.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("pusherkit", "scripts", "benchmarks", "tests")


def main() -> None:
    """Compile the files; SyntaxError, or a warning, at the first that this Python doesn't take."""
    warnings.simplefilter("error")
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    for file in files:
        compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    print(f"Python {sys.version.partition(' ')[0]} compiles all {len(files)} files.")


if __name__ == "__main__":
    main()
