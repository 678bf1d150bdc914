"""A JupyterHub for a class: what its configuration needs, whichever hub it is.

configure() goes into the jupyterhub_config.py of a hub you already have: class/jupyterhub_config.py
in the repository is an example. How people sign in, and where servers run, is up to that hub.
configure_laptop() is the whole configuration of the hub that `pusherkit class` runs.
Needs the extra `class`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from traitlets import Unicode

from pusherkit.classroom.doors import TRAIN
from pusherkit.classroom.invitations import (
    PROJECTOR,
    TRAINER,
    Invitations,
    load,
    write_private,
)
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.store import CLASS_SECRET, class_secret

WALL = "wall"  # the service's name, and so its path: /services/wall/

PAGES_PORT = 8091  # of the wall's pages, which people reach through the hub
API_PORT = 8090  # of the wall's API, which learners' programs reach directly

# Measured with JupyterHub 6.1 and lesson 00 (PSS): a server takes 108 MB, and a kernel 55 MB.
MEMORY_GUARANTEE = "256M"  # of each learner: the server, a kernel, and room
MEMORY_LIMIT = "1G"  # all thirteen lessons at once take 115 + 13 * 53 MB
START_SECONDS = 120  # 20 at once on two busy processors were all there after 71 s


def configure(
    c: Any,
    *,
    data: str | Path,
    trainers: Collection[str],
    title: str = "",
    learners: int | None = None,
    names: Path | None = None,
    python: str = sys.executable,
    pages_port: int = PAGES_PORT,
    api_port: int = API_PORT,
    wall_user: str = "",
) -> None:
    """Add a class to a hub's configuration: the wall, who may train, and the learners' servers.

    `data` is the folder for the wall's data, made if it isn't there. The class secret is in it,
    too, unless PUSHERKIT_CLASS_SECRET is set. `trainers` are the names of hub users, as many as
    you like. `learners` is how many you expect, for the wall to count against; `names` is a
    file with the hub's name of each, one per line, if you know them beforehand. The wall then
    refuses everybody else but the trainers, whose own lessons never count. `python` runs the
    learners' servers, and needs pusherkit[class], too; it isn't the hub's own if learners have an
    environment of their own, as in The Littlest JupyterHub. `wall_user` is the system user that
    the wall runs as, if the hub runs as root.
    """
    folder = Path(data).absolute()
    secret = class_secret(folder, os.environ)
    roster = Roster(secret)
    api = f"http://127.0.0.1:{api_port}"

    c.JupyterHub.custom_scopes.update(
        {TRAIN: {"description": "See the trainer's view of the class."}}
    )
    c.JupyterHub.load_roles.extend(
        [
            # The name of JupyterHub's own role for everybody, which this replaces.
            {"name": "user", "scopes": ["self", f"access:services!service={WALL}"]},
            {
                "name": "pusherkit-trainer",
                "description": "Sees who needs help, and can stop a learner's server.",
                # Not access:servers: what a learner wrote is theirs, unless they ask for help.
                "scopes": [TRAIN, "admin-ui", "list:users", "servers"],
                "users": sorted(trainers),
            },
        ]
    )
    c.JupyterHub.services.append(
        {
            "name": WALL,
            "url": f"http://127.0.0.1:{pages_port}",
            "command": [
                *(sys.executable, "-m", "pusherkit", "wall", f"--data={folder}"),
                *(f"--trainer={name}" for name in sorted(trainers)),
                *("--host=127.0.0.1", f"--port={api_port}"),
                *([f"--title={title}"] if title else []),
                *([f"--learners={learners}"] if learners else []),
                *([f"--names={names}"] if names else []),
            ],
            "environment": {CLASS_SECRET: secret},
            "user": wall_user,
            "oauth_no_confirm": True,  # it's part of the hub: nobody is asked whether they trust it
            "oauth_client_allowed_scopes": [TRAIN, f"access:services!service={WALL}"],
        }
    )

    c.Spawner.cmd = [python, "-m", "pusherkit.classroom.learner"]
    c.Spawner.environment.update(
        {
            "PUSHER_APP_ID": lambda spawner: roster.credentials(spawner.user.name).app_id,
            "PUSHER_KEY": lambda spawner: roster.credentials(spawner.user.name).key,
            "PUSHER_SECRET": lambda spawner: roster.credentials(spawner.user.name).secret,
            "PUSHER_HOST": api,
            "PUSHERKIT_CLASS": _wall_path,
        }
    )
    c.Spawner.mem_guarantee = MEMORY_GUARANTEE
    c.Spawner.mem_limit = MEMORY_LIMIT
    c.Spawner.default_url = ""  # each learner's own: the lesson where they left off
    c.Spawner.start_timeout = c.Spawner.http_timeout = START_SECONDS


def _wall_path(spawner: Any) -> str:
    base = spawner.hub.base_url.removesuffix("hub/")
    return str(url_path_join(base, "services", WALL)) + "/"


# --- invitations ------------------------------------------------------------------------------


class InvitationAuthenticator(Authenticator):  # type: ignore[misc]  # JupyterHub has no types
    """Signs in anybody who has an invitation's link. There are no passwords and no accounts."""

    folder = Unicode(help="The folder of `pusherkit class`, whose file has the invitations.").tag(
        config=True
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kept = load(Path(self.folder))
        if kept is None:
            raise FileNotFoundError(f"There is no class in {self.folder}.")
        self.invitations = Invitations(kept)
        self.allow_all = True  # of those who have a link
        self.custom_html = (
            '<div class="text-center"><h1>By invitation</h1><p>Everybody in this class has a link '
            "of their own. Open your link, and this browser is signed in. If you can't find it, "
            "ask your trainer.</p></div>"
        )

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        return [*super().get_handlers(app), (r"/invitation/([^/]+)(/wall)?/?", InvitationHandler)]

    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> str | None:
        return self.invitations.who((data or {}).get("invitation", ""))

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        """Whether somebody who signed in earlier is still in the class."""
        return user.name in self.invitations.names

    def normalize_username(self, username: str) -> str:
        return username  # with its capitals, as the trainer wrote it


NO_INVITATION = (
    '<div class="text-center"><h1>This isn\'t an invitation to this class</h1><p>Copy the whole '
    "link that you were given. If it still doesn't work, ask your trainer for yours.</p></div>"
)


class InvitationHandler(BaseHandler):  # type: ignore[misc]
    """GET /hub/invitation/TOKEN signs somebody in; TOKEN/wall then takes them to the wall."""

    async def get(self, token: str, wall: str | None) -> None:
        # From here on, in the hub's log too: a link that works has no place there.
        self.request.uri = url_path_join(self.hub.base_url, "invitation", "[secret]")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        name = self.authenticator.invitations.who(token)
        if name is None:
            # Not by raising HTTPError: the hub's page for that begins with a bare "403 :".
            self.set_status(403)
            self.finish(await self.render_template("login.html", custom_html=NO_INVITATION))
            return
        place = url_path_join(self.hub.base_url.removesuffix("hub/"), "services", WALL)
        if name == PROJECTOR and self.current_user is not None:
            # Often it's the trainer's own browser, and the trainer's view is open in another tab.
            self.redirect(f"{place}/")
            return
        if self.current_user is not None and self.current_user.name != name:
            # Somebody tries another learner's link: without this, they'd be one of the two in some
            # pages, and the other in the rest.
            self.clear_login_cookie()
            self.set_session_cookie()
        user = await self.login_user({"invitation": token})
        self._jupyterhub_user = user
        if wall or name == PROJECTOR:
            self.redirect(f"{place}/")
        elif name == TRAINER:
            self.redirect(f"{place}/trainer")
        else:
            self.redirect(self.get_next_url(user))


# --- on a laptop ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """What `pusherkit class` has found out for its hub. Everything else is in class.json."""

    bind_url: str  # with the address to listen on, and the base URL: http://127.0.0.1:8000/class/
    certificate: str
    key: str
    proxy: tuple[str, ...]  # the command
    line_token: str  # with which the terminal's line reads the trainer's view
    parent: int  # the command's process; once it's gone, the hub ends, too


SETTINGS = "settings.json"  # a Laptop, in the hub's folder
RUNNING = "hub"  # the folder, within the class's, of what the hub itself needs
LINE = "pusherkit-line"  # the service that reads the trainer's view for the terminal


def configure_laptop(c: Any, folder: Path) -> None:
    """The configuration of the hub of `pusherkit class`, from what that wrote to `folder`."""
    running = folder / RUNNING
    made = json.loads((running / SETTINGS).read_text(encoding="utf-8"))
    laptop = Laptop(**{**made, "proxy": tuple(made["proxy"])})
    kept = load(folder)
    if kept is None:
        raise FileNotFoundError(f"There is no class in {folder}.")

    c.JupyterHub.bind_url = laptop.bind_url
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = kept.ports["hub"]
    c.JupyterHub.db_url = "sqlite:///hub.sqlite"  # in the current folder, which is `running`
    c.JupyterHub.cookie_secret_file = str(running / "cookie_secret")
    c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = laptop.certificate, laptop.key
    c.ConfigurableHTTPProxy.command = list(laptop.proxy)
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{kept.ports['proxy']}"
    c.ConfigurableHTTPProxy.pid_file = str(running / "proxy.pid")
    c.JupyterHub.implicit_spawn_seconds = 1  # a page from before a restart starts its server again

    c.JupyterHub.authenticator_class = InvitationAuthenticator
    c.InvitationAuthenticator.folder = str(folder)
    c.JupyterHub.spawner_class = "simple"  # no system users, so nothing keeps learners apart
    homes = str(folder / "homes").replace("{", "{{").replace("}", "}}")
    c.SimpleLocalProcessSpawner.home_dir_template = f"{homes}/{{username}}"
    c.Spawner.pre_spawn_hook = _no_server_for_the_projector

    names = running / "names.txt"
    write_private(names, "".join(f"{name}\n" for name in kept.names))
    configure(
        c,
        data=folder / WALL,
        trainers=[TRAINER],
        title=kept.title,
        names=names,
        pages_port=kept.ports["pages"],
        api_port=kept.ports["api"],
    )
    c.JupyterHub.services.append({"name": LINE, "api_token": laptop.line_token, "display": False})
    c.JupyterHub.load_roles.append(
        {
            "name": LINE,
            "scopes": [TRAIN, f"access:services!service={WALL}"],
            "services": [LINE],
        }
    )
    _end_with(laptop.parent)


def _no_server_for_the_projector(spawner: Any) -> None:
    if spawner.user.name == PROJECTOR:
        raise web.HTTPError(403, "This machine shows the wall. For the lessons, open a link.")


def _end_with(parent: int) -> None:
    """End this hub, in order, once the process that started it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="pusherkit-class", daemon=True).start()
