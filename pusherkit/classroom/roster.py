"""Whose key is whose: made from a learner's name, and its secret from the class secret. Pure.

Nothing is handed out or looked up: with the class secret you can work out every learner's, so the
hub and the wall agree without ever talking about it. It also means that a class secret somebody
could guess would give away all of them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

from pusherkit.credentials import DEFAULT_BASE_URL, Credentials
from pusherkit.errors import InvalidCredentials

CLASS_APP_ID = "6855671"  # as in the lessons: official clients take digits only
MAX_NAME = 255  # characters; JupyterHub's database has no room for more (orm.User.name)
MAX_KEY = MAX_NAME * 4 * len("_xx")  # characters; UTF-8 takes at most four bytes for one
MIN_CLASS_SECRET = (
    32  # characters; a learner knows a secret made from it, and could try shorter ones
)
SECRET_DIGITS = 32  # hexadecimal ones of a learner's secret: 128 bits
REMEMBERED = 2_000  # keys, since a wall looks up each event's four times; more than it has learners
_LABEL = b"pusherkit class key: "  # so that this HMAC is good for nothing else

_TO_WRITE = re.compile(rb"[^A-Za-z0-9.-]")
_WRITTEN = re.compile("(?:[A-Za-z0-9.-]|_[0-9a-f]{2})++")


class Roster:
    """Every learner's credentials, from `class_secret`, which its repr doesn't show.

    Raises InvalidCredentials if the class secret is too short, or was pasted with white space or
    quotes around it.
    """

    __slots__ = ("_found", "_secret")

    def __init__(self, class_secret: str) -> None:
        problem = _objection(class_secret)
        if problem:
            del class_secret  # tracebacks show local variables
            raise InvalidCredentials(problem)
        self._secret = class_secret.encode()
        self._found = lru_cache(REMEMBERED)(self._look_up)

    @staticmethod
    def key_of(name: str) -> str:
        """A learner's key. ASCII letters, digits, "." and "-" stay, every other byte is "_xx".

        `name` is what the hub calls them: 1 to MAX_NAME characters, or InvalidCredentials.
        """
        try:
            written = name.encode()
        except UnicodeEncodeError:
            written = b""
        if not written or len(name) > MAX_NAME:
            raise InvalidCredentials(
                f"A learner's name: expected 1 to {MAX_NAME} characters of text, got "
                f"{len(name)}{'' if written or not name else ', not all of which are text'}."
            )
        return _TO_WRITE.sub(lambda byte: b"_%02x" % byte[0][0], written).decode()

    @staticmethod
    def name_of(key: str) -> str | None:
        """Whose key it is; None for a text that can't be anybody's."""
        if len(key) > MAX_KEY or not _WRITTEN.fullmatch(key):
            return None
        first, *rest = key.split("_")
        written = first.encode() + b"".join(
            bytes.fromhex(part[:2]) + part[2:].encode() for part in rest
        )
        try:
            name = written.decode()
        except UnicodeDecodeError:
            return None
        # _61 means "a", but a's key is a: each learner has only one key.
        return name if len(name) <= MAX_NAME and Roster.key_of(name) == key else None

    def credentials(self, name: str, base_url: str = DEFAULT_BASE_URL) -> Credentials:
        """What a learner signs with; `base_url` is where their programs reach the wall."""
        return self._made(self.key_of(name), base_url)

    def find(self, key: str) -> Credentials | None:
        """The credentials of a key, wherever they're used; None if it can't be anybody's."""
        return self._found(key) if len(key) <= MAX_KEY else None

    def _look_up(self, key: str) -> Credentials | None:
        return None if self.name_of(key) is None else self._made(key, DEFAULT_BASE_URL)

    def cookie_secret(self) -> str:
        """What signs the cookies of the wall's pages: the same after each restart."""
        return hmac.new(self._secret, b"pusherkit wall cookies", hashlib.sha256).hexdigest()

    def _made(self, key: str, base_url: str) -> Credentials:
        signed = hmac.new(self._secret, _LABEL + key.encode(), hashlib.sha256)
        return Credentials(
            app_id=CLASS_APP_ID,
            key=key,
            secret=signed.hexdigest()[:SECRET_DIGITS],
            base_url=base_url,
        )

    def __repr__(self) -> str:
        return "<Roster>"


def _objection(secret: str) -> str:
    """Why a class secret can't be used; empty if it can. The sentence never repeats it."""
    if secret != secret.strip().strip("\"'`"):
        return "The class secret has white space or quotes around it. Remove them."
    if re.search("[\ud800-\udfff]", secret):  # how os.environ gives bytes that aren't UTF-8
        return "The class secret isn't text: it has bytes that aren't UTF-8."
    if len(secret) < MIN_CLASS_SECRET:
        return (
            f"The class secret is too short: expected at least {MIN_CLASS_SECRET} characters, got "
            f"{len(secret)}. `openssl rand -hex 32` makes one."
        )
    return ""
