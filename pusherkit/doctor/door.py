"""The door that all of the doctor's words go through: no secret gets out. Pure."""

from __future__ import annotations

from contextlib import suppress

from pusherkit.credentials import SHORTEST_SECRET_HIDDEN_INSIDE, Credentials
from pusherkit.doctor.search import without_quotes
from pusherkit.errors import InvalidCredentials


class Door:
    """Hides the secrets that it knows, whole or nearly whole, in every text that it lets out.

    People paste a secret with its last characters missing. The rest is still most of a secret, so
    its first three quarters are hidden wherever they are, and its last three.
    """

    def __init__(self, *secrets: object) -> None:
        self._known: list[Credentials] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: object) -> None:
        """Hide this secret from now on; what isn't text, or is empty, is none."""
        if not isinstance(secret, str):
            return
        bare = without_quotes(secret)  # a damaged secret is still a secret
        most = max(SHORTEST_SECRET_HIDDEN_INSIDE, len(bare) * 3 // 4)
        for piece in dict.fromkeys((bare, bare[:most], bare[-most:])):
            with suppress(InvalidCredentials):
                self._known.append(Credentials(app_id="-", key="-", secret=without_quotes(piece)))

    def hide(self, text: str) -> str:
        """A text as it may be printed."""
        for known in self._known:
            text = known.hide(text)
        return text

    def holds(self, text: str) -> bool:
        """Whether a text holds one of the secrets."""
        return self.hide(text) != text
