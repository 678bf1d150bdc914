"""Who may look at the wall's pages. The wall asks a door, and the door finds out.

HubDoor is JupyterHub's sign-in. Everybody it lets in sees the wall; those who have the custom scope
TRAIN in their token see the trainer's view as well. For that the hub's configuration defines the
scope, gives it to the trainers with a role, and names it in the service's
oauth_client_allowed_scopes.

On a hub where users have no domains of their own (c.JupyterHub.subdomain_host), a page that
somebody serves from their own server has the same origin as the wall. If a trainer opens it, it can
do whatever that trainer can. No check here can tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import tornado.web

from pusherkit.errors import PusherError

TRAIN = "custom:wall:train"  # the custom scope of those who may see the trainer's view
NOT_LET_IN = "Your account isn't allowed to see this class's wall. Ask your trainer.\n"
PAGES_HOST = "127.0.0.1"  # where the pages listen, unless the hub says otherwise


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in."""

    name: str
    """"" if they have none yet."""
    trains: bool


Routes = Sequence[Any]  # Tornado's rules


class Door(Protocol):
    """What a wall asks of a door."""

    prefix: str
    """The path that all pages are under, with a slash at both ends."""
    address: tuple[str, int] | None
    """Where the pages listen: host and port. None for the same place as the practice server."""
    settings: Mapping[str, Any]
    """For the pages' Tornado application."""
    routes: Routes
    """The door's own pages."""

    async def visitor(self, handler: tornado.web.RequestHandler) -> Visitor | None:
        """Who sent this request; None if that isn't known. May raise Tornado's HTTPError."""

    def sign_in(self, handler: tornado.web.RequestHandler) -> None:
        """Answer a request by sending somebody to where they can sign in."""


class HubDoor:
    """JupyterHub's OAuth, for a wall that is a service of the hub.

    `environ` has what a hub tells its services: JUPYTERHUB_SERVICE_PREFIX, JUPYTERHUB_API_TOKEN
    and so on, and JUPYTERHUB_SERVICE_URL, which is where the hub's proxy looks for the pages.
    `cookie_secret` returns what signs the sign-in's cookies; if it's the same after a restart, open
    pages come back by themselves.

    The hub is asked at each request, and JupyterHub keeps its answer for five minutes. A page that
    is open already, with its WebSocket, stays open: somebody who may not train any more sees the
    trainer's view until they reload it. To end that at once, restart the wall.

    Raises PusherError if jupyterhub isn't installed, or if no hub started this.
    """

    def __init__(self, environ: Mapping[str, str], cookie_secret: Callable[[], str]) -> None:
        prefix = environ.get("JUPYTERHUB_SERVICE_PREFIX", "")
        if not (prefix and environ.get("JUPYTERHUB_API_TOKEN")):
            raise PusherError(
                "The wall has no hub to ask who may look. A JupyterHub has to start it, as one of "
                "its services: `pusherkit class` starts both, and docs/class.md shows the settings "
                "for a hub of your own."
            )
        self.prefix = f"/{prefix.strip('/')}/" if prefix.strip("/") else "/"
        self.address: tuple[str, int] | None = _address(environ.get("JUPYTERHUB_SERVICE_URL", ""))
        try:
            from jupyterhub.services.auth import (
                HubOAuth,
                HubOAuthCallbackHandler,
                HubOAuthenticated,
            )
        except ImportError:
            raise PusherError(
                "The wall asks JupyterHub who may look, and jupyterhub isn't installed here. "
                "Install it with: pip install 'pusherkit[class]'"
            ) from None
        self._hub = HubOAuth.instance()

        class SignIn(HubOAuthenticated, tornado.web.RequestHandler):  # type: ignore[misc]
            """Signs somebody in, and sends them on."""

            async def get(handler) -> None:
                # Not get_current_user(), which would keep everybody else waiting.
                model = await self._hub.get_user(handler, sync=False)
                if not model:
                    handler.redirect(handler.get_login_url())
                elif not self._lets_in(model):
                    handler.set_status(403)
                    handler.set_header("Content-Type", "text/plain; charset=utf-8")
                    handler.finish(NOT_LET_IN)
                else:
                    handler.redirect(next_page(handler.get_argument("next", ""), self.prefix))

        self.settings: Mapping[str, Any] = {"cookie_secret": cookie_secret()}
        self.routes: Routes = [
            (f"{self.prefix}sign-in", SignIn, {}),
            (f"{self.prefix}oauth_callback", HubOAuthCallbackHandler, {}),
        ]

    async def visitor(self, handler: tornado.web.RequestHandler) -> Visitor | None:
        """Who the hub says this is; None if it doesn't know, or if they may not use the wall."""
        model = await self._hub.get_user(handler, sync=False)
        if not model or not self._lets_in(model):
            return None
        return Visitor(model["name"], bool(self._hub.check_scopes({TRAIN}, model)))

    def _lets_in(self, model: Mapping[str, Any]) -> bool:
        """Whether somebody may use this service at all."""
        return bool(self._hub.check_scopes(self._hub.access_scopes, model))

    def sign_in(self, handler: tornado.web.RequestHandler) -> None:
        """Send somebody to the hub, and back to the page that they asked for."""
        asked = urlencode({"next": handler.request.uri or self.prefix})
        handler.redirect(f"{self.prefix}sign-in?{asked}")


def next_page(asked: str, prefix: str) -> str:
    """The page that somebody asked for, if it's one of the wall's; otherwise the wall itself."""
    return asked if asked.startswith(prefix) and "//" not in asked and "\\" not in asked else prefix


def _address(url: str) -> tuple[str, int]:
    """Host and port of a service's URL; any free port where there is none."""
    parts = urlsplit(url)
    return parts.hostname or PAGES_HOST, parts.port or 0
