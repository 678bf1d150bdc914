"""What a hub starts for each learner, in their own name: their copy of the lessons, then Jupyter.

    python -m pusherkit.classroom.learner

The hub itself writes nothing into anybody's home. So this works on a laptop, where a home is a
plain folder, and on a machine where the hub is root and can't trust what's in a home.
Needs the extra `class`.
"""

from __future__ import annotations

import html
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pusherkit import lab
from pusherkit.errors import PusherError

# A kernel takes some 50 to 70 MB, so those of earlier lessons needn't stay all day.
IDLE_SECONDS = 45 * 60  # until a kernel that isn't the learner's last one is ended
LOOK_SECONDS = 5 * 60  # between two looks for such kernels

REQUEST_SECONDS = 5  # for a whole request to arrive, while there's only a sentence to show
RELOAD_SECONDS = 10  # until the page with that sentence looks again

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not yet</title>
<style>
body {{ font: 18px/1.6 system-ui, sans-serif; max-width: 36em; margin: 12vh auto; padding: 0 1em }}
:root {{ color-scheme: light dark }}
</style><h1>Your lessons aren't here yet</h1><p>{}</p></html>
"""

ARGUMENTS = (
    "--ServerApp.terminals_enabled=False",  # notebooks are enough
    "--ServerApp.kernel_manager_class=pusherkit._jupyter.OneKernelKept",
    f"--MappingKernelManager.cull_idle_timeout={IDLE_SECONDS}",
    f"--MappingKernelManager.cull_interval={LOOK_SECONDS}",
    "--MappingKernelManager.cull_connected=True",  # a tab left open since the morning counts, too
)


def prepare(home: Path) -> None:
    """Copy the lessons, and have the server open the one where the learner left off.

    Raises PusherError if the home can't be written.
    """
    folder, told = lab.lessons_folder(home, Path(lab.COPY))
    for line in told:
        print(line, flush=True)
    os.environ["JUPYTERHUB_ROOT_DIR"] = str(folder)
    # If the hub's configuration begins somewhere else, this is set already.
    os.environ.setdefault("JUPYTERHUB_DEFAULT_URL", f"/doc/tree/{lab.last_lesson(folder)}")
    lab.use_settings()


def explain(home: Path, url: str) -> None:
    """While Jupyter can't start, show why at its own URL. Returns once it can.

    The hub would only say that a server has failed, and learners don't read its log.
    """
    where = urlsplit(url)
    mended = threading.Event()

    class Page(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            try:
                prepare(home)
                said = "They're here now, and Jupyter is starting."
                mended.set()
            except PusherError as error:
                said = in_a_class(error)
            self.send_response(200)  # a hub takes anything else for a server that isn't there yet
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Refresh", str(RELOAD_SECONDS))
            self.end_headers()
            self.wfile.write(PAGE.format(html.escape(said)).encode())

        def log_message(self, *_: object) -> None:
            """Nobody needs to know."""

    with HTTPServer((where.hostname or "127.0.0.1", where.port or 0), Page) as server:
        while not mended.is_set():
            server.handle_request()


def in_a_class(error: PusherError) -> str:
    """What lab says about a folder, for somebody who can't choose another one."""
    reason = getattr(error.__cause__, "strerror", None)
    return (
        f"Your lessons can't be copied into your home: {reason}. Tell your trainer. Once that's "
        "fixed, this page goes on by itself."
        if reason
        else str(error)
    )


def main() -> int:
    """Run the learner's server until the hub stops it."""
    home = Path.home()
    try:
        prepare(home)
    except PusherError as error:
        print(f"pusherkit: {home}: {in_a_class(error)}", file=sys.stderr, flush=True)
        explain(home, os.environ.get("JUPYTERHUB_SERVICE_URL", ""))
    from jupyterhub.singleuser import main as serve

    sys.argv += ARGUMENTS
    if os.geteuid() == 0:
        sys.argv.append("--allow-root")
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
