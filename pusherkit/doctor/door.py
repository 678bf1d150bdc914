"""The door that all of the doctor's words go through: no secret gets out. Pure."""

from __future__ import annotations

from contextlib import suppress

from pusherkit.credentials import Credentials
from pusherkit.doctor.search import without_quotes
from pusherkit.errors import InvalidCredentials


class Door:
    """Hides the secrets that it has learned, in every text that it lets out."""

    def __init__(self, *secrets: object) -> None:
        self._known: list[Credentials] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: object) -> None:
        """Hide this secret from now on. What isn't text, or is empty, is none."""
        with suppress(InvalidCredentials):
            bare = without_quotes(secret) if isinstance(secret, str) else ""
            self._known.append(Credentials(app_id="-", key="-", secret=bare))

    def hide(self, text: str) -> str:
        """A text as it may be printed."""
        for known in self._known:
            text = known.hide(text)
        return text

    def holds(self, text: str) -> bool:
        """Whether a text holds one of the secrets."""
        return self.hide(text) != text
