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
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tornado.web

from pusherkit.classroom.badges import MAX_SHOWN_NAME, Badges, alike, cleaned
from pusherkit.classroom.doors import Visitor
from pusherkit.classroom.learners import MAX_LEARNERS
from pusherkit.classroom.roster import Roster
from pusherkit.classroom.store import kept_secret
from pusherkit.credentials import Credentials, is_local
from pusherkit.errors import PusherError
from pusherkit.sandbox.rate import TokenBuckets
from pusherkit.sandbox.visitors import Visitors

LINK_FILE = "trainer-link"
NAMES_FILE = "names"  # a JSON list on a line: a name, and the number on its badge; some are empty
MAX_NAMES_BYTES = MAX_LEARNERS * 420  # of that file; MAX_SHOWN_NAME escaped takes 12 bytes each
NUMBER_BYTES = 4  # of the number on a badge; the next owner of a name gets another one
NAMES_A_MINUTE = 60  # new ones from one address; a room behind a router has one address
MAX_ADDRESSES = 1_000  # that are counted at a time
MAX_ADDRESS = 45  # characters; the longest way to write one of IPv6
MINUTE = 60.0  # seconds
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
        self._unused = set[str]()  # names whose secret hasn't left this process since they joined
        self._joins = TokenBuckets(NAMES_A_MINUTE, MAX_ADDRESSES)  # its seconds are minutes here

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
        badge = self._badges.read(handler.get_cookie(self._cookie, "") or "")
        if badge is None:
            return None
        name, number = badge
        owner = self._taken.get(alike(name))
        if owner is None:  # they gave it up, or the folder was emptied and the class secret kept
            self._take(name, number)
        elif owner != badge:
            return None  # they gave it up, and now it's somebody else's
        return name

    def credentials(self, name: str, base_url: str) -> Credentials:
        """What a learner's lessons sign with. From now on, the name is theirs for good."""
        self._unused.discard(name)
        return self.roster.credentials(name, base_url)

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
        PUSHER_SECRET. One that was never used is free again once its browser takes another: nobody
        has its secret, and its badge doesn't count any more as soon as somebody else has it.
        Raises PusherError, with a sentence for them: NameTaken if it's taken.
        """
        name, before = cleaned(text), self.name(handler)
        owner = self._taken.get(alike(name))
        if owner is None:
            if len(self._taken) >= MAX_LEARNERS:
                raise PusherError(
                    f"The class is full: it has {MAX_LEARNERS:,} names. Tell your trainer."
                )
            if self._joins.take(_address(handler), time.monotonic() / MINUTE):
                raise PusherError(
                    f"{NAMES_A_MINUTE} people have joined from your network within a minute, "
                    "which is all that fit. Wait a few seconds, then join again."
                )
            owner = (name, secrets.token_hex(NUMBER_BYTES))
            self._unused.add(name)
            self._take(*owner)
        elif owner[0] != before and not self._owns(owner[0], secret):
            raise NameTaken(
                f"{owner[0]} is in this class already. If that's somebody else, add a letter or "
                "choose another name. If it's you, in another browser, type your secret, too."
                if not secret
                else f"That isn't {owner[0]}'s secret. In the browser where you joined, any lesson "
                'can show it: import os; os.environ["PUSHER_SECRET"]'
            )
        if before in self._unused and before != owner[0]:
            self._give_up(before)
        self._keep(handler, self._cookie, self._badges.of(*owner))
        return owner[0]

    def _owns(self, name: str, secret: str) -> bool:
        own = self.roster.credentials(name).secret
        return hmac.compare_digest(own.encode(), secret.strip().encode(errors="replace"))

    def _take(self, name: str, number: str) -> None:
        self._taken[alike(name)] = (name, number)
        with self._writing(), self._file.open("a", encoding="ascii") as opened:
            opened.write("\n" + _line(name, number))  # what's before may have been cut short

    def _give_up(self, name: str) -> None:
        """Let somebody else have a name that nobody has used."""
        self._unused.discard(name)
        del self._taken[alike(name)]
        with self._writing():
            beside = self._file.with_name(f"{NAMES_FILE}.new")
            lines = (_line(*each) for each in self._taken.values())
            beside.write_text("".join(lines), encoding="ascii")
            beside.replace(self._file)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
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


def _address(handler: tornado.web.RequestHandler) -> str:
    """Where a request comes from, as far as that can be known.

    A proxy on this machine writes it at the end of X-Forwarded-For. From elsewhere, anybody could.
    """
    address = handler.request.remote_ip or ""
    if is_local(address):
        said = handler.request.headers.get("X-Forwarded-For", "")
        address = said.rpartition(",")[2].strip()[:MAX_ADDRESS] or address
    return address


def _line(name: str, number: str) -> str:
    return json.dumps([name, number]) + "\n"


def _read_names(file: Path) -> dict[str, tuple[str, str]]:
    """Which names are taken, and the number of each. A line that's damaged is left out."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_NAMES_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise PusherError(f"{file} can't be read: {error.strerror}.") from error
    taken: dict[str, tuple[str, str]] = {}
    for line in text.split("\n"):
        try:
            name, number = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(name, str) and isinstance(number, str) and 0 < len(name) <= MAX_SHOWN_NAME:
            taken.setdefault(alike(name), (name, number))
    return taken
