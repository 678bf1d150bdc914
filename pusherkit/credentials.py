"""Who signs: an app's id, key and secret, and what of them never prints. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self
from urllib.parse import unquote, urlsplit

from pusherkit.errors import InvalidCredentials

DEFAULT_BASE_URL = "https://ws-sa.mawjly.com"  # the service's host (reference, "Example")
HIDDEN = "[the app's secret]"
SHORTEST_SECRET_HIDDEN_INSIDE = 6  # characters; a shorter one would be found by chance
_ESCAPED = re.compile(r"[\\%+]")  # in every text that does not stand as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An app's id, key and secret, and the host that knows them. The secret never prints.

    `base_url` is scheme, host and port; a key is valid on one host only.
    Raises InvalidCredentials for values that cannot be right: empty, in quotes, or with white
    space around them, as pasting leaves them behind.
    """

    app_id: str
    key: str
    secret: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL

    def __post_init__(self) -> None:
        for name in ("app_id", "key", "secret"):
            _refuse_paste_damage(name, getattr(self, name))
        if wrong := re.search(r"[/?#%\s]", self.app_id):
            # The character alone is named: what stands here may be a secret in the wrong place.
            raise InvalidCredentials(
                f"app_id: expected the id alone, such as 6855671; {wrong[0]!r} cannot stand in "
                "the path /apps/{app_id}/events."
            )
        object.__setattr__(self, "base_url", _base_url(self.base_url))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read PUSHER_APP_ID, PUSHER_KEY and PUSHER_SECRET; PUSHER_HOST if it is set.

        PUSHER_HOST is a host, with or without port and scheme. Without a scheme it means https,
        or http on this machine (localhost, 127.0.0.1).
        """
        names = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise InvalidCredentials(
                f"Expected {', '.join(names)} in the environment; missing: {', '.join(missing)}. "
                "`pusherkit sandbox` prints a set to practise with."
            )
        app_id, key, secret = (environ[name] for name in names)
        host = environ.get("PUSHER_HOST") or DEFAULT_BASE_URL
        return cls(app_id=app_id, key=key, secret=secret, base_url=host)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read the PUSHER_URL form: https://KEY:SECRET@HOST[:PORT]/apps/APP_ID."""
        wanted = "expected https://KEY:SECRET@HOST[:PORT]/apps/APP_ID"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts = None
        if parts is None:
            # Raised here: the parser's own error can quote a piece of the secret, and must not be
            # this one's context.
            raise InvalidCredentials(
                f"PUSHER_URL: {wanted}; the host or port cannot be read. "
                "A key or secret with / ? # @ or : in it must be percent-encoded."
            )
        app_id = re.fullmatch(r"/apps/([^/]+)/?", parts.path)
        present = {
            "scheme http or https": parts.scheme in ("http", "https"),
            "host": bool(parts.hostname),
            "key": bool(parts.username),
            "secret": bool(parts.password),
            "path /apps/APP_ID": app_id is not None,
        }
        missing = [name for name, there in present.items() if not there]
        if app_id is None or missing:
            raise InvalidCredentials(f"PUSHER_URL: {wanted}; missing: {', '.join(missing)}.")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return cls(
            app_id=unquote(app_id[1]),
            key=unquote(parts.username or ""),
            secret=unquote(parts.password or ""),
            base_url=f"{parts.scheme}://{host}" + (f":{port}" if port is not None else ""),
        )

    def hide(self, text: str) -> str:
        """A text fit to be shown: a secret that somebody sent by mistake is not repeated."""
        secret = self.secret
        if len(secret) < SHORTEST_SECRET_HIDDEN_INSIDE:
            return HIDDEN if text == secret else text
        as_it_is = (secret + text).isascii() and not _ESCAPED.search(text)
        if as_it_is and secret.lower() not in text.lower():  # nearly always, and far quicker
            return text
        whole, begun = _spellings(secret)
        return begun.sub(f"{HIDDEN}…", whole.sub(HIDDEN, text))

    def holds(self, text: str) -> bool:
        """Whether a text holds the secret."""
        return self.hide(text) != text


def _refuse_paste_damage(name: str, value: object) -> None:
    """Refuse what cannot be a key or secret, without ever repeating the value."""
    if not isinstance(value, str):
        raise InvalidCredentials(f"{name}: expected text (str), got {type(value).__name__}.")
    if not value:
        raise InvalidCredentials(f"{name}: expected text, got an empty string.")
    if re.search("[\ud800-\udfff]", value):  # what os.environ makes of bytes that are no UTF-8
        raise InvalidCredentials(f"{name}: expected text, got bytes that are not UTF-8.")
    if value != value.strip().strip("\"'`"):
        raise InvalidCredentials(
            f"{name}: has white space or quotes around it. They would become part of the value "
            "and every signature would be wrong. Remove them."
        )


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def _base_url(text: str) -> str:
    """Normalise a host, or a URL without a path, to scheme://host[:port]."""
    url = text if "://" in text else f"//{text}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port  # ValueError for a port that is no number
    except ValueError:
        host = port = None
    scheme = parts.scheme or ("http" if is_local(host) else "https") if host else ""
    if host is None or scheme not in ("http", "https") or re.search(r"[@?#\s]|[^/]/[^/]", text):
        raise InvalidCredentials(
            "host: expected a host such as ws-sa.mawjly.com or http://127.0.0.1:8123, "
            "without credentials, path, query or spaces."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + (f":{port}" if port is not None else "")


@lru_cache(maxsize=8)
def _spellings(secret: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The secret in any case, percent-encoded, escaped as in JSON or a repr; and cut off by "…"."""
    chars = [_spelling(char) for char in secret]
    begun = "".join(chars[:SHORTEST_SECRET_HIDDEN_INSIDE]) + f"(?:{'|'.join(set(chars))})*…"
    return re.compile("".join(chars), re.IGNORECASE), re.compile(begun, re.IGNORECASE)


def _spelling(char: str) -> str:
    encoded = "".join(f"%{byte:02x}" for byte in char.encode())
    utf16 = char.encode("utf-16-be").hex()
    in_json = r"\\*".join(f"u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))
    in_repr = ascii(char)[1:-1].lstrip("\\")  # such as n, xa0 or U0001f511; of "\\" nothing is left
    others = [encoded, in_json, *([re.escape(in_repr)] if in_repr else [])]
    plus = r"|\+" if char == " " else ""
    return rf"\\*(?:{re.escape(char)}|{'|'.join(others)}{plus})"
