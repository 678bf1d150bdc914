"""Write class/requirements.txt: the versions that class/Dockerfile installs.

    python scripts/class_lock.py

Run it with the image's version of Python. JupyterHub has the version of the chart's hub, because a
learner's server and its hub should match.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
JUPYTERHUB = "jupyterhub==5.5.*"  # as in zero-to-jupyterhub 4.4
HEAD = "# The versions in the class's image, written by scripts/class_lock.py.\n"


def main() -> None:
    """Ask pip what it would install, and keep that."""
    report = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *("--quiet", "--report=-", f"{ROOT}[class]", JUPYTERHUB),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    found = [each["metadata"] for each in json.loads(report)["install"]]
    pinned = sorted(
        f"{each['name'].lower()}=={each['version']}\n"
        for each in found
        if each["name"] != "pusherkit"
    )
    (ROOT / "class" / "requirements.txt").write_text(HEAD + "".join(pinned), encoding="utf-8")


if __name__ == "__main__":
    main()
