"""The way into a class without a hub: a link for the trainer, a name for everybody else.

Learners choose a name on the page /join, and from then on their browser's cookie says who they
are. The trainer opens a link that's printed where the wall was started. The folder remembers which
names are taken, and the secret of that link: without its file, the next start makes a new link, and
the old one stops working.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tornado.web

from pusherkit.classroom.badges import MAX_SHOWN_NAME, Badges, alike, cleaned
from pusherkit.classroom.doors import Visitor
from pusherkit.classroom.learners import MAX_LEARNERS
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.store import kept_secret
from pusherkit.errors import PusherError
from pusherkit.sandbox.visitors import Visitors

LINK_FILE = "trainer-link"
NAMES_FILE = "names"  # a JSON string on each line
MAX_NAMES_BYTES = MAX_LEARNERS * 400  # of that file; MAX_SHOWN_NAME escaped takes 12 bytes each
BADGE_DAYS = 90  # that a browser keeps its cookie

_log = logging.getLogger("pusherkit.classroom")


class NameTaken(PusherError):
    """Somebody else has that name in this class."""


class LinkDoor:
    """Who may do what, by their browser's cookies: the wall is for all, the rest for the trainer.

    `hosts` are the names that the wall answers to, besides this machine's own. `port` tells this
    wall's cookies from another's: a browser sends a host's cookies to all of its ports.
    """

    prefix = "/wall/"
    address: tuple[str, int] | None = (
        None  # the pages are where the practice server is, and so is the site
    )
    settings: Mapping[str, Any] = {}

    def __init__(self, folder: Path, roster: Roster, port: int, hosts: Iterable[str]) -> None:
        self.roster = roster
        self.routes: Sequence[Any] = ()
        self.visitors = Visitors(hosts)
        self._link = kept_secret(folder / LINK_FILE)
        self._badges = Badges(roster.cookie_secret(), self._link)
        self._cookie, self._trainer_cookie = f"pusherkit-{port}", f"pusherkit-{port}-trainer"
        self._file = folder / NAMES_FILE
        self._taken = _read_names(self._file)

    @property
    def trainer_path(self) -> str:
        """The path of the trainer's link, which is secret."""
        return f"{self.prefix}enter?link={self._link}"

    # --- what the wall asks ---------------------------------------------------------------------

    async def visitor(self, handler: tornado.web.RequestHandler) -> Visitor:
        """Who sent this request. HTTPError if it's for another host, or from another's page."""
        headers = handler.request.headers
        if objection := self.visitors.objection(headers.get("Host"), headers.get("Origin")):
            raise tornado.web.HTTPError(403, reason=" ".join(objection))
        return Visitor(self.name(handler) or "", self.may_train(handler))

    def sign_in(self, handler: tornado.web.RequestHandler) -> None:
        """Send somebody to where they can join."""
        handler.redirect("/join")

    # --- who somebody is ------------------------------------------------------------------------

    def name(self, handler: tornado.web.RequestHandler) -> str | None:
        """The learner whose browser this is; None if it hasn't joined."""
        name = self._badges.name_on(handler.get_cookie(self._cookie, "") or "")
        if name is not None and alike(name) not in self._taken:
            self._take(name)  # the folder was emptied, and the class secret kept
        return name

    def may_train(self, handler: tornado.web.RequestHandler) -> bool:
        """Whether this is the trainer's browser."""
        return self._badges.is_trainer(handler.get_cookie(self._trainer_cookie, "") or "")

    def let_train(self, handler: tornado.web.RequestHandler, secret: str) -> bool:
        """Make it the trainer's browser, if that's the secret of their link."""
        if not self._badges.opens(secret):
            return False
        self._keep(handler, self._trainer_cookie, self._badges.of_trainer())
        return True

    # --- joining --------------------------------------------------------------------------------

    def join(self, handler: tornado.web.RequestHandler, text: str, secret: str = "") -> str:
        """Let somebody in under a name, or in again; return the name as the wall has it.

        A name that's taken is for the browser that took it, and for somebody with its
        PUSHER_SECRET. Raises PusherError, with a sentence for them: NameTaken if it's taken.
        """
        name = cleaned(text)
        owner = self._taken.get(alike(name))
        if owner is None:
            if len(self._taken) >= MAX_LEARNERS:
                raise PusherError(
                    f"The class is full: it has {MAX_LEARNERS:,} names. Tell your trainer."
                )
            owner = name
            self._take(name)
        elif owner != self.name(handler) and not self._owns(owner, secret):
            raise NameTaken(
                f"{owner} is in this class already. If that's somebody else, add a letter or "
                "choose another name. If it's you, in another browser, type your secret, too."
                if not secret
                else f"That isn't {owner}'s secret. In the browser where you joined, any lesson "
                'can show it: import os; os.environ["PUSHER_SECRET"]'
            )
        self._keep(handler, self._cookie, self._badges.of(owner))
        return owner

    def _owns(self, name: str, secret: str) -> bool:
        own = self.roster.credentials(name).secret
        return hmac.compare_digest(own.encode(), secret.strip().encode(errors="replace"))

    def _take(self, name: str) -> None:
        self._taken[alike(name)] = name
        try:
            with self._file.open("a", encoding="ascii") as opened:
                opened.write(json.dumps(name) + "\n")
        except OSError as error:
            _log.warning(
                "%s can't be written (%s): after a restart, anybody could take the name of "
                "somebody who has joined since.",
                self._file,
                error.strerror,
            )

    @staticmethod
    def _keep(handler: tornado.web.RequestHandler, cookie: str, value: str) -> None:
        # Lax: if you follow a link from elsewhere you're signed in, and another site's POST isn't.
        handler.set_cookie(
            cookie,
            value,
            expires_days=BADGE_DAYS,
            httponly=True,
            samesite="Lax",
            secure=scheme(handler) == "https",
        )


def scheme(handler: tornado.web.RequestHandler) -> str:
    """The scheme of the address that the browser shows, even if a proxy speaks TLS for us.

    Anybody can write that header, but they'd only deceive themselves: what depends on it goes back
    to the sender.
    """
    said = handler.request.headers.get("X-Forwarded-Proto", handler.request.protocol)
    return "https" if said == "https" else "http"


def _read_names(file: Path) -> dict[str, str]:
    """Which names are taken. A line that's damaged is left out."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_NAMES_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PusherError(f"{file} can't be read: {error.strerror}.") from error
    taken: dict[str, str] = {}
    for line in text.split("\n"):
        try:
            name = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(name, str) and 0 < len(name) <= MAX_SHOWN_NAME:
            taken.setdefault(alike(name), name)
    return taken
