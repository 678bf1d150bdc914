"""Who is who in a class without a hub: names that people choose, and cookies that hold them. Pure.

A browser that has joined keeps a badge in a cookie: its learner's key, and a proof that only the
class secret can make. So nothing has to be kept about who has which badge, and a restart changes
nothing. Only the names that are taken have to be kept, or a second browser could take them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from itertools import groupby

from pusherkit.classroom.roster import Roster
from pusherkit.errors import PusherError

MAX_SHOWN_NAME = 32  # characters; what fits on a line of the wall
MAX_TYPED = 200  # characters that are looked at; putting marks in order takes their number squared
MAX_BADGE = 4_096  # characters; browsers needn't keep longer cookies (RFC 6265, section 6.1)
PROOF_DIGITS = 32  # hexadecimal ones: 128 bits
MAX_MARKS = 2  # combining ones on a letter; Vietnamese needs two, and a heap hides other lines
_LEARNER = b"pusherkit class badge: "  # so that this HMAC is good for nothing else
_TRAINER = b"pusherkit class trainer: "
# General categories of Unicode: letters, marks, numbers, punctuation, symbols, and the plain space.
# What's left are controls, marks that turn the writing round, and characters that nobody sees.
_SHOWN = frozenset("LMNPS")
# Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point), and the Braille
# pattern without a dot. Emoji come with some, so they're left out and not refused.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def cleaned(text: str) -> str:
    """A name as it'll be on the wall. Raises PusherError, with a sentence for its owner."""
    name = text
    if len(text) <= MAX_TYPED:
        name = " ".join(unicodedata.normalize("NFC", _BLANK.sub("", text)).split())
    if not name:
        raise PusherError("Type a name: your first name will do.")
    if len(name) > MAX_SHOWN_NAME:
        raise PusherError(
            f"That name is too long for a line on the wall: {len(name)} characters, and at most "
            f"{MAX_SHOWN_NAME} fit. Try a shorter one."
        )
    odd = [each for each in name if each != " " and unicodedata.category(each)[0] not in _SHOWN]
    if odd:
        raise PusherError(
            f"There's a character in that name that nobody can see: U+{ord(odd[0]):04X}. It may "
            "have come with something you pasted. Type the name instead."
        )
    kinds = [unicodedata.category(each)[0] for each in name]
    if not {"L", "N"} & set(kinds):
        raise PusherError("A name needs at least one letter or digit. Try your first name.")
    if any(kind == "M" and len(list(run)) > MAX_MARKS for kind, run in groupby(kinds)):
        raise PusherError("That name has too many accents on one letter. Two is the limit.")
    return name


def alike(name: str) -> str:
    """The same text for all names that only differ in how they're written: "Zoë" and "ZOË".

    Letters of two alphabets that look the same, such as a Cyrillic and a Latin A, stay apart.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class Badges:
    """Makes and reads badges. `trainer` is the secret in the trainer's link."""

    __slots__ = ("_secret", "_trainer")

    def __init__(self, class_secret: str, trainer: str) -> None:
        self._secret, self._trainer = class_secret.encode(), trainer.encode()

    def of(self, name: str, number: str) -> str:
        """A learner's badge, in ASCII without spaces.

        `number`, letters and digits, keeps apart two people who had the same name in turn.
        """
        said = f"{Roster.key_of(name)}:{number}"
        return f"{said}:{self._proof(_LEARNER, said.encode())}"

    def read(self, badge: str) -> tuple[str, str] | None:
        """The name and the number on a badge; None if it isn't one of this class."""
        said, _, proof = badge.rpartition(":")
        if len(badge) > MAX_BADGE or not badge.isascii():
            return None
        if not hmac.compare_digest(proof, self._proof(_LEARNER, said.encode())):
            return None
        key, _, number = said.partition(":")
        name = Roster.name_of(key)
        return None if name is None else (name, number)

    def of_trainer(self) -> str:
        """The trainer's badge."""
        return self._proof(_TRAINER, self._trainer)

    def is_trainer(self, badge: str) -> bool:
        """Whether it is the trainer's badge."""
        return badge.isascii() and hmac.compare_digest(badge, self.of_trainer())

    def opens(self, secret: str) -> bool:
        """Whether this is the secret of the trainer's link."""
        return hmac.compare_digest(secret.encode(errors="replace"), self._trainer)

    def _proof(self, label: bytes, what: bytes) -> str:
        return hmac.new(self._secret, label + what, hashlib.sha256).hexdigest()[:PROOF_DIGITS]

    def __repr__(self) -> str:
        return "<Badges>"
