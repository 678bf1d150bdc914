"""A class with browsers only: the static site, as this class's learners see it.

Somebody who hasn't joined is asked for a name first. Once they have, a line on the site's first
page says so, and their lessons' Python finds the class in its environment. That comes from the
settings that JupyterLite fetches when it starts, so the site itself stays as it was built, and
knows of no class when it's served elsewhere. Everything is on one origin, so the site still keeps
its rule that its pages ask nobody else.
"""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote, urlsplit

import tornado.routing
import tornado.web
from tornado.httputil import HTTPServerRequest

from pusherkit.classroom.addresses import lan_address, names_of
from pusherkit.classroom.badges import MAX_TYPED
from pusherkit.classroom.links import LINK_FILE, LinkDoor, NameTaken, scheme
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.store import InUse, class_secret, locked
from pusherkit.classroom.wall import Wall, course, until_stopped
from pusherkit.credentials import is_local
from pusherkit.errors import PusherError
from pusherkit.lessons.kit.classroom import WHAT_IS_SENT

WALL = LinkDoor.prefix
SETTINGS = "jupyter-lite.json"
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
LANDING = "index.html"
LAB = "lab/index.html"
HEADER = "<header></header>"  # the place on the site's first page that's kept free for a class
ALONE = re.compile("<!--alone-->.*?<!--/alone-->", re.DOTALL)  # what isn't true in a class
FIRST_LESSON = "00-start-here.ipynb"
NOT_KEPT = (
    "Your browser keeps your notebooks. But this address begins with http://, so what a lesson "
    "notes down, my_pusher.py and your progress, lasts only until you reload."
)
HOW_TO_BUILD = (
    "In a checkout of pusherkit, `python scripts/build_site.py` builds one into build/site."
)
PACKED = {
    ".css",
    ".html",
    ".ipynb",
    ".js",
    ".json",
    ".mjs",
    ".wasm",
}  # the others are packed already
WORTH_PACKING_BYTES = 10_000
GZIP_LEVEL = 6  # zlib's own choice
YEAR_SECONDS = 365 * 24 * 3600
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class Site:
    """A built site's folder. Raises PusherError for a folder without one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise PusherError(f"--site {folder}: there's no such folder. {HOW_TO_BUILD}")
        missing = [name for name in (SETTINGS, LANDING, LAB) if not (folder / name).is_file()]
        if missing:
            raise PusherError(
                f"--site {folder}: that isn't a built site, because it has no {missing[0]}. "
                f"{HOW_TO_BUILD}"
            )
        try:
            settings = json.loads((folder / SETTINGS).read_bytes())
            options = settings["jupyter-config-data"]["litePluginSettings"][KERNEL]
            options["loadPyodideOptions"]["packages"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PusherError(
                f"--site {folder}: its {SETTINGS} isn't one that pusherkit built. {HOW_TO_BUILD}"
            ) from error
        if HEADER not in (folder / LANDING).read_text(encoding="utf-8"):
            raise PusherError(
                f"--site {folder}: its {LANDING} has no place for a class, so it's from another "
                f"version of pusherkit. {HOW_TO_BUILD}"
            )

    def settings(self, environment: dict[str, str]) -> dict[str, Any]:
        """JupyterLite's settings, with variables for each lesson's Python."""
        settings: dict[str, Any] = json.loads((self.folder / SETTINGS).read_bytes())
        kernel = settings["jupyter-config-data"]["litePluginSettings"][KERNEL]
        kernel["loadPyodideOptions"]["env"] = environment
        return settings

    def landing(self, header: str) -> str:
        """The first page, with HTML at its top, and without what isn't true in a class."""
        page = (self.folder / LANDING).read_text(encoding="utf-8")
        page = ALONE.sub("", page)
        return page.replace(HEADER, f"<header>{header}</header>", 1)


def run(
    folder: Path,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    *,
    site: Path,
    title: str,
    host: str,
    port: int,
    allow_hosts: Iterable[str],
    learners: int | None,
) -> None:
    """Serve a class with browsers only, until Ctrl+C: the built site, and the wall beside it."""
    if folder.resolve().is_relative_to(site.resolve()):
        raise PusherError(
            f"--data {folder}: that's in the site's folder, and everybody can read what's there. "
            "The class's secrets need a folder elsewhere."
        )
    built = Site(site)
    names = [*allow_hosts, *names_of(host)]

    def welcome(wall: Wall, door: LinkDoor) -> None:
        here = wall.server.url
        say("\n".join(opening(address(host, names, here), here, door, folder)))

    with _alone(folder):
        wall, door = in_browsers(
            folder,
            Roster(class_secret(folder, environ)),
            built,
            title=title,
            course=course(),
            host=host,
            port=port,
            allow_hosts=names,
            learners=learners,
        )
        # On Windows, too: the other kind of loop has no add_reader().
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(until_stopped(wall, door, lambda _: welcome(wall, door)))


def address(host: str, names: Sequence[str], here: str) -> str:
    """Where people find a class that listens on a host: a URL without a slash at its end.

    `names` are those that it answers to, besides this machine's own. `here` is its URL for this
    machine.
    """
    if not names:
        return here
    if is_local(host):  # a proxy on this machine answers to that name
        return f"https://{names[0]}"
    return f"http://{names[0]}:{urlsplit(here).port}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep another process from writing to the class's folder. Raises PusherError if one does."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder))
        except InUse as error:
            raise PusherError(
                f"{error} Two trainers can share it: both open the trainer's link. For another "
                "class, choose another folder with --data, and another --port."
            ) from error
        except OSError as error:
            raise PusherError(
                f"Nothing can be written to {folder}: {error.strerror}. Choose a folder of your "
                "own with --data."
            ) from error
        yield


def in_browsers(
    folder: Path, roster: Roster, site: Site, *, title: str, port: int, **settings: Any
) -> tuple[Wall, LinkDoor]:
    """The wall of a class with browsers only, and its door. `settings` are the Wall's."""
    door = LinkDoor(folder, roster, port, settings.get("allow_hosts", ()))
    door.routes = rules(site, door, title, folder / "packed")
    wall = Wall(roster, folder, title=title, port=port, **settings)
    # Over plain http a browser gives lessons no place for their files, so each starts without any.
    wall.board.learners.adds_up = True
    return wall, door


def opening(url: str, here: str, door: LinkDoor, folder: Path) -> list[str]:
    """What the trainer reads once the class is open: to others at `url`, to this machine `here`."""
    lines = [
        "The class is open.",
        f"  Learners need this address, and nothing else: {url}/",
        f"  The wall, to project: {url}{door.prefix}",
        f"  Your own view, as the trainer: {url}{door.trainer_path}",
        "Keep the last one to yourself: anybody who has it sees how everybody's doing. If it gets "
        f"out, delete {folder / LINK_FILE} and start again.",
    ]
    if url.startswith("https:"):
        lines.append(f"Your proxy has to pass all of it on to {here}")
    elif is_local(urlsplit(url).hostname or ""):
        probably = lan_address()
        lines.append(
            "Only this machine can reach it. For a room, start it with --host and this machine's "
            f"address on its network{f', probably {probably}' if probably else ''}."
        )
    else:
        lines.append(
            "The address begins with http://. There, browsers keep what learners write, but not "
            "what a lesson saves for the next one. docs/class.md says how to have https://."
        )
    return [*lines, f"Everything is kept in {folder}. Stop with Ctrl+C."]


def packed(site: Path, into: Path) -> frozenset[str]:
    """The site's large files as gzip, in a folder with the same names; returns their paths.

    A room shares one network, and that's what everybody waits for at the start. Packed, a first
    visit fetches 20 MB; as they are, Python's files alone would be 7 MB more. Packing takes some
    two seconds, once. If there's no room for them, the files are sent as they are.
    """
    names = set()
    with suppress(OSError):
        for file in site.rglob("*"):
            known = file.stat()
            if file.suffix not in PACKED or known.st_size < WORTH_PACKING_BYTES:
                continue
            name = file.relative_to(site)
            made = into / name
            if not made.exists() or made.stat().st_mtime_ns != known.st_mtime_ns:
                made.parent.mkdir(parents=True, exist_ok=True)
                made.write_bytes(gzip.compress(file.read_bytes(), GZIP_LEVEL, mtime=0))
                os.utime(made, ns=(known.st_mtime_ns, known.st_mtime_ns))  # only now is it whole
            names.add(name.as_posix())
    return frozenset(names)


def rules(site: Site, door: LinkDoor, title: str, small: Path) -> list[Any]:
    """Tornado's rules for all of the site, for joining, and for the trainer's link.

    `small` is a folder for packed files.
    """
    files = {"path": str(site.folder), "small": str(small), "packed": packed(site.folder, small)}
    shared = {"door": door}
    own = shared | {"site": site, "title": title}
    return [
        (r"/join", Join, own),
        (rf"{WALL}enter", Enter, shared),
        (r"/(?:index\.html)?", Landing, own),
        (rf"/{SETTINGS}", Settings, own),
        tornado.routing.Rule(_OfTheSite(), Files, shared | files),
    ]


class _OfTheSite(tornado.routing.Matcher):
    """Matches what a page may fetch: GET and HEAD, and nothing that's the API's."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        if request.method not in ("GET", "HEAD") or request.headers.get("Upgrade"):
            return None
        if request.path.startswith(("/apps/", "/app/", WALL)):
            return None
        return {"path_args": [request.path.removeprefix("/").encode()]}


class _Page(tornado.web.RequestHandler):
    """A page or a file of a class. It lets in the same visitors as the practice server."""

    def initialize(self, door: LinkDoor) -> None:
        self.door = door

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Content-Security-Policy", "frame-ancestors 'self'")
        self.clear_header("Server")

    def prepare(self) -> None:
        headers = self.request.headers
        if objection := self.door.visitors.objection(headers.get("Host"), headers.get("Origin")):
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish("\n".join(objection))

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}.\nThe class begins at /")

    def origin(self) -> str:
        """Where this browser sees the class."""
        return f"{scheme(self)}://{self.request.host}"


class _OfTheClass(_Page):
    """A page that says something about the person who looks at it."""

    def initialize(  # type: ignore[override]
        self, door: LinkDoor, site: Site, title: str
    ) -> None:
        super().initialize(door)
        self.site, self.title = site, title

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Cookie")

    def compute_etag(self) -> None:
        return None

    def keeps(self) -> str:
        """What a browser doesn't keep for this address; empty if it keeps everything.

        Service workers, through which Python reaches the site's files, are for secure contexts.
        """
        secure = scheme(self) == "https" or is_local(self.request.host_name)
        return "" if secure else NOT_KEPT


class Join(_OfTheClass):
    """/join: asks for a name, or says what to do next."""

    def get(self) -> None:
        name = self.door.name(self)
        self._show(_joined(name, self.title, self.keeps()) if name else _form(self.title))

    def post(self) -> None:
        origin = self.request.headers.get("Origin")
        if origin is not None and origin != self.origin():
            self.set_status(403)
            self._show(_form(self.title, "", "Join from this page, not from another site's."))
            return
        typed = self.get_body_argument("name", "")
        try:
            self.door.join(self, typed, self.get_body_argument("secret", ""))
        except PusherError as error:
            self.set_status(409 if isinstance(error, NameTaken) else 400)
            self._show(_form(self.title, typed, str(error), secret=isinstance(error, NameTaken)))
        else:
            self.redirect("/join", status=303)

    def _show(self, body: str) -> None:
        page = resources.files("pusherkit.classroom").joinpath("join.html").read_text("utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.finish(Template(page).substitute(title=html.escape(self.title), body=body))


def _form(title: str, typed: str = "", problem: str = "", *, secret: bool = False) -> str:
    said = f'<p class="mistake" id="problem" role="alert">{html.escape(problem)}</p>'
    ask = (
        '<label for="secret">Your PUSHER_SECRET, if the name is yours</label>\n'
        '<input id="secret" name="secret" type="password" autocomplete="off">\n'
    )
    return f"""<h1>{html.escape(title)}</h1>
<p class="lead">You're about to join a class. There's nothing to install: the lessons run in this
browser.</p>
<form method="post" action="/join">
<label for="name">Your name</label>
<p class="quiet" id="who">Everybody sees it beside what you send to the wall.</p>
<input id="name" name="name" value="{html.escape(typed[:MAX_TYPED])}" maxlength="{MAX_TYPED}"
 required autofocus autocomplete="nickname" spellcheck="false"
 aria-describedby="{"problem " if problem else ""}who">
{said if problem else ""}
{ask if secret else ""}<p class="buttons"><button class="first">Join</button></p>
</form>
<p class="private">{html.escape(WHAT_IS_SENT)}</p>
"""


def _joined(name: str, title: str, keeps: str) -> str:
    return f"""<h1>You're in, {html.escape(name)}</h1>
<p class="lead">This is {html.escape(title)}. Start with lesson 00: you can send its first
event to the wall, where everybody sees it.</p>
<p class="buttons">
<a class="button first" href="/lab/index.html?path={quote(FIRST_LESSON)}">Start lesson 00</a>
<a class="button" href="/">All lessons</a>
<a class="button" href="{WALL}">Look at the wall</a>
</p>
<p class="private">{html.escape(WHAT_IS_SENT)} {keeps}</p>
<details><summary>Not {html.escape(name)}, or want another name?</summary>
<form method="post" action="/join">
<label for="name">Your name</label>
<input id="name" name="name" maxlength="{MAX_TYPED}" required autocomplete="off" spellcheck="false">
<p class="buttons"><button>Join under this name</button></p>
</form></details>
"""


class Enter(_Page):
    """The trainer's link: it makes this browser the trainer's, and leaves the address bar."""

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        if self.door.let_train(self, self.get_argument("link", "")):
            self.redirect(f"{WALL}trainer")
        else:
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(
                "This link doesn't work any more. The one that does is printed where the wall was "
                "started.\n"
            )


class Landing(_OfTheClass):
    """/: the site's first page for somebody who has joined, with a line about the class."""

    def get(self) -> None:
        name = self.door.name(self)
        if name is None:
            self.redirect("/join")
            return
        self.finish(
            self.site.landing(
                f'<p class="private">You’re <strong>{html.escape(name)}</strong> in '
                f"{html.escape(self.title)}. {html.escape(WHAT_IS_SENT)} {self.keeps()} "
                f'<a href="{WALL}">The wall</a> · <a href="/join">Another name</a></p>'
            )
        )


class Settings(_OfTheClass):
    """JupyterLite's settings: those of the site, and who this learner is."""

    def get(self) -> None:
        name = self.door.name(self)
        environment = {}
        if name is not None:
            own = self.door.credentials(name, self.origin())
            environment = {**own.to_env(), "PUSHERKIT_CLASS": self.origin() + WALL}
        self.finish(self.site.settings(environment))


class Files(_Page, tornado.web.StaticFileHandler):
    """Every other file of the site, as any web server would send it."""

    def initialize(  # type: ignore[override]
        self, door: LinkDoor, path: str, small: str, packed: frozenset[str]
    ) -> None:
        _Page.initialize(self, door)
        self._small, self._packed = small, packed
        tornado.web.StaticFileHandler.initialize(self, path, default_filename="index.html")

    async def get(self, path: str, include_body: bool = True) -> None:
        if path in ("lab", "lab/", LAB) and self.door.name(self) is None:
            self.redirect("/join")
            return
        if self._is_packed(path):
            self.set_header("Vary", "Accept-Encoding")
            if "gzip" in self.request.headers.get("Accept-Encoding", ""):
                self.root = self._small
                self.set_header("Content-Encoding", "gzip")
        await super().get(path, include_body)

    def _is_packed(self, path: str) -> bool:
        """Whether there's a packed file, and the site hasn't been rebuilt since."""
        if path not in self._packed:
            return False
        with suppress(OSError):
            times = {Path(root, path).stat().st_mtime_ns for root in (self.root, self._small)}
            return len(times) == 1
        return False

    def compute_etag(self) -> str | None:
        # Not Tornado's: it keeps a file's hash for as long as it runs, and the site may be rebuilt
        # meanwhile.
        if self.absolute_path is None:
            return None
        known = os.stat(self.absolute_path)
        return f'"{known.st_mtime_ns:x}-{known.st_size:x}"'

    def set_extra_headers(self, path: str) -> None:
        # The folder with Python is named after what's in it. Everything else may be rebuilt.
        forever = path.startswith("python-")
        caching = f"max-age={YEAR_SECONDS}, immutable" if forever else "no-cache"
        self.set_header("Cache-Control", caching)

    def get_content_type(self) -> str:
        # Not what this system's settings say: without the right type a browser won't compile.
        ending = os.path.splitext(self.absolute_path or "")[1]
        return _TYPES.get(ending) or super().get_content_type()


_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
