"""What a hub starts for each learner, in their own name: their copy of the lessons, then Jupyter.

    python -m pusherkit.classroom.learner

The hub itself writes nothing into anybody's home. So it's the same on a laptop, where everybody's
home is a folder, and on a machine where the hub is root and homes aren't to be trusted.
Needs the extra `class`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pusherkit import lab
from pusherkit.errors import PusherError

# A kernel takes some 50 to 70 MB, so those of the lessons before needn't stay for the whole day.
IDLE_SECONDS = 45 * 60  # until a kernel that isn't the learner's last one is ended
LOOK_SECONDS = 5 * 60  # between two looks for such kernels

ARGUMENTS = (
    "--ServerApp.terminals_enabled=False",  # notebooks are enough
    "--ServerApp.kernel_manager_class=pusherkit._jupyter.OneKernelKept",
    f"--MappingKernelManager.cull_idle_timeout={IDLE_SECONDS}",
    f"--MappingKernelManager.cull_interval={LOOK_SECONDS}",
    "--MappingKernelManager.cull_connected=True",  # a tab that's open from the morning counts
)


def prepare(home: Path) -> None:
    """Copy the lessons, and have the server open the one where the learner left off.

    Raises PusherError where the home can't be written.
    """
    folder, told = lab.lessons_folder(home, Path(lab.COPY))
    for line in told:
        print(line, flush=True)
    os.environ["JUPYTERHUB_ROOT_DIR"] = str(folder)
    # A hub whose configuration has another place to begin has set it already.
    os.environ.setdefault("JUPYTERHUB_DEFAULT_URL", f"/doc/tree/{lab.last_lesson(folder)}")
    lab.use_settings()


def main() -> int:
    """Run the learner's server until the hub stops it."""
    try:
        prepare(Path.home())
    except PusherError as error:
        print(f"pusherkit: {error}", file=sys.stderr)
        return 1
    from jupyterhub.singleuser import main as serve

    sys.argv += ARGUMENTS
    if os.geteuid() == 0:
        sys.argv.append("--allow-root")
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
