"""What a hub starts for each learner, in their own name: their copy of the lessons, then Jupyter.

    python -m pusherkit.classroom.learner

The hub itself writes nothing into anybody's home. So this works on a laptop, where a home is a
plain folder, and on a machine where the hub is root and can't trust what's in a home. If a home is
full, or can't be written, its learner gets a page that says so, in place of a long wait.
Needs the extra `class`.
"""

from __future__ import annotations

import html
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pusherkit import lab
from pusherkit.errors import PusherError

# A kernel takes some 50 to 70 MB, so those of earlier lessons needn't stay all day.
IDLE_SECONDS = 45 * 60  # until a kernel that isn't the learner's last one is ended
LOOK_SECONDS = 5 * 60  # between two looks for such kernels

AGAIN_SECONDS = 10  # until the page that says what's wrong tries again
OPENS_SECONDS = 15  # for Jupyter to start, once nothing's wrong any more
REQUEST_SECONDS = 5  # that the page waits for more of a request

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


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 34rem; margin: 15vh auto 0; padding: 0 1.5rem; overflow-wrap: anywhere; }}
</style>
<main><h1>{title}</h1><p>{said}</p></main></html>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Excuse(HTTPServer):
    """Says at the server's address why there's no lesson yet, and tries again at every request.

    `home` is the learner's, `url` where the hub expects the server, and `error` what went wrong.
    """

    def __init__(self, home: Path, url: str, error: PusherError) -> None:
        address = urlsplit(url)
        super().__init__((address.hostname or "127.0.0.1", address.port or 80), _Page)
        self.home = home
        self.error: PusherError | None = error

    def until_prepared(self) -> None:
        """Answer until the lessons are there."""
        with self:
            while self.error is not None:
                self.handle_request()

    def answer(self) -> tuple[str, str, int]:
        """A title, a text, and after how many seconds to ask again."""
        try:
            prepare(self.home)
        except PusherError as error:
            self.error, why = error, error.__cause__
            # A learner has no use for the home's path, or for a command's options.
            said = str(why.strerror) if isinstance(why, OSError) else str(error)
            return (
                "Your lessons can't open yet",
                f"They can't be copied to your home: {said.removesuffix('.')}. Tell your trainer. "
                f"This page tries again every {AGAIN_SECONDS} seconds.",
                AGAIN_SECONDS,
            )
        self.error = None
        return "That's fixed", "Your lessons open in a moment.", OPENS_SECONDS


class _Page(BaseHTTPRequestHandler):
    server: Excuse
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        title, said, again = self.server.answer()
        page = PAGE.format(title=html.escape(title), said=html.escape(said)).encode()
        self.send_response(200)  # the hub takes a 5xx for a server that isn't there
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(page)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Refresh": str(again),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    """Run the learner's server until the hub stops it."""
    home = Path.home()
    try:
        prepare(home)
    except PusherError as error:
        print(f"pusherkit: {error}", file=sys.stderr, flush=True)
        if not (url := os.environ.get("JUPYTERHUB_SERVICE_URL")):
            return 1
        Excuse(Path.home(), url, error).until_prepared()
    from jupyterhub.singleuser import main as serve

    sys.argv += ARGUMENTS
    if os.geteuid() == 0:
        sys.argv.append("--allow-root")
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
