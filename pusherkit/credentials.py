"""Who signs: an app's id, key and secret, and how the secret stays out of sight. Pure."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from pusherkit._spellings import places
from pusherkit.errors import InvalidCredentials

DEFAULT_BASE_URL = "https://ws-sa.mawjly.com"  # the service's host (reference, "Example")
HIDDEN = "[the app's secret]"
SHORTEST_SECRET_HIDDEN_INSIDE = 6  # characters; a shorter one would be found by chance
MASTER_KEY_BYTES = 32  # of an encryption master key (Pusher's documentation, "Encrypted channels")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, init=False)
class Credentials:
    """An app's id, key and secret, and the host that knows them.

    `base_url` is scheme, host and port; a key is valid on one host only. Behind a proxy that
    passes on what comes under a path, that path is its end: https://example.com/sockets. It's in
    the URL of each request and not in what is signed, because such a proxy takes it off again
    (pusher-http-php does the same with its option `path`). Raises InvalidCredentials for values
    that can't be right: empty, not text, or with the white space or quotes around them that pasting
    brings along.

    `encryption_master_key_base64` is for encrypted channels only, and the service never sees it:
    32 bytes in base64, as `openssl rand -base64 32` makes them.

    Neither the secret nor the master key is in the repr, in a failed comparison or in an error, and
    a traceback that shows local variables doesn't show them in the frames of this class either.
    `.secret`, `asdict()` and pickle do give them to you: you asked for it.
    """

    app_id: str
    key: str
    secret: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    encryption_master_key_base64: str | None = field(default=None, repr=False)

    # Each way to make Credentials raises its error where no local variable holds a value: pytest,
    # rich and error trackers print the local variables of every frame in a traceback.

    def __init__(
        self,
        *,
        app_id: str,
        key: str,
        secret: str,
        base_url: str = DEFAULT_BASE_URL,
        encryption_master_key_base64: str | None = None,
    ) -> None:
        try:
            url = _checked(app_id, key, secret, base_url)
            _check_master_key(encryption_master_key_base64)
        except InvalidCredentials as error:
            problem = str(error)
        else:
            put = object.__setattr__  # frozen, so this is the one way in
            put(self, "app_id", app_id)
            put(self, "key", key)
            put(self, "secret", secret)
            put(self, "base_url", url)
            put(self, "encryption_master_key_base64", encryption_master_key_base64)
            return
        del app_id, key, secret, base_url, encryption_master_key_base64
        raise InvalidCredentials(problem)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read PUSHER_APP_ID, PUSHER_KEY and PUSHER_SECRET; PUSHER_HOST if it is set.

        PUSHER_ENCRYPTION_MASTER_KEY_BASE64 is read, too, where encrypted channels need it.
        PUSHER_HOST is a host, with or without port, scheme and path. Without a scheme it means
        https, or http on this machine (localhost, 127.0.0.1); wss and ws mean https and http.
        """
        try:
            return cls(**_read_env(environ))
        except InvalidCredentials as error:
            problem = str(error)
        del environ
        raise InvalidCredentials(problem)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read the PUSHER_URL form: https://KEY:SECRET@HOST[:PORT][/PATH]/apps/APP_ID."""
        try:
            return cls(**_read_url(url))
        except InvalidCredentials as error:
            problem = str(error)
        del url
        raise InvalidCredentials(problem)

    def to_env(self) -> dict[str, str]:
        """What from_env() reads, the secret among it: for the environment of another program."""
        variables = {
            "PUSHER_APP_ID": self.app_id,
            "PUSHER_KEY": self.key,
            "PUSHER_SECRET": self.secret,
            "PUSHER_HOST": self.base_url,
        }
        if self.encryption_master_key_base64 is not None:
            variables["PUSHER_ENCRYPTION_MASTER_KEY_BASE64"] = self.encryption_master_key_base64
        return variables

    # pytest explains a failed `==` by the fields, the secret too, unless a class compares itself.

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[str | None, ...]:
        master_key = self.encryption_master_key_base64
        return self.app_id, self.key, self.secret, self.base_url, master_key

    def shared_secret(self, channel: str) -> bytes:
        """The key of one encrypted channel, 32 bytes, for who publishes and who listens there.

        It's the SHA-256 of the channel's name and the master key (official SDKs). Raises
        InvalidCredentials where there is no master key.
        """
        if self.encryption_master_key_base64 is None:
            raise InvalidCredentials(
                f"encryption_master_key_base64: expected one, because {channel} is an encrypted "
                "channel: 32 bytes in base64. Make it with `openssl rand -base64 32`, and give it "
                "to everything of yours that publishes or authorizes."
            )
        master_key = base64.b64decode(self.encryption_master_key_base64)
        return hashlib.sha256(channel.encode() + master_key).digest()

    def hide(self, text: str) -> str:
        """The text with HIDDEN in place of the secret, fit to be shown or logged.

        An encryption master key is hidden in the same way.

        People send a secret by mistake, and programs encode it on the way. These are hidden:

        - the secret in upper or lower case, percent-encoded, or with the escapes of JSON or of a
          repr; also mixed, and encoded again (`%2541`, `\\\\u0041`);
        - six characters or more of its beginning, if "…" cuts them off;
        - its beginning with at most a sixth missing, as a careless paste leaves it, if no letter
          or digit follows. So a channel may be called practice-secondary.

        A secret shorter than six characters turns up in texts by chance: it is hidden only where
        it is the whole text. Not recognised are base64, hashes, and a secret cut at the front.

        The work is linear in the text, whatever the text contains.
        """
        shown, at = [], 0
        for start, end in self._places(text):
            shown += [text[at:start], HIDDEN]
            at = end
        return "".join([*shown, text[at:]]) if shown else text

    def holds(self, text: str) -> bool:
        """Whether hide() would change this text."""
        return any(True for _ in self._places(text))

    def _places(self, text: str) -> Iterable[tuple[int, int]]:
        if len(self.secret) >= SHORTEST_SECRET_HIDDEN_INSIDE:
            found = places(self.secret, text)
        else:
            found = [(0, len(text))] if text == self.secret else []
        if self.encryption_master_key_base64 is None:
            return found
        return merged([*found, *places(self.encryption_master_key_base64, text)])


# --- reading and checking -------------------------------------------------------------------


def _read_env(environ: Mapping[str, str]) -> dict[str, str]:
    names = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise InvalidCredentials(
            f"Expected {', '.join(names)} in the environment; missing: {', '.join(missing)}. "
            "`pusherkit sandbox` prints a set to practise with."
        )
    app_id, key, secret = (environ[name] for name in names)
    host = environ.get("PUSHER_HOST") or DEFAULT_BASE_URL
    values = {"app_id": app_id, "key": key, "secret": secret, "base_url": host}
    if master_key := environ.get("PUSHER_ENCRYPTION_MASTER_KEY_BASE64"):
        values["encryption_master_key_base64"] = master_key
    return values


def _read_url(url: object) -> dict[str, str]:
    wanted = "expected https://KEY:SECRET@HOST[:PORT]/apps/APP_ID"
    if not isinstance(url, str):  # os.environ.get() gives None where there's no such variable
        raise InvalidCredentials(f"PUSHER_URL: {wanted}; got {type(url).__name__}.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidCredentials(
            f"PUSHER_URL: {wanted}; the host or port cannot be read. "
            "A key or secret with / ? # @ or : in it must be percent-encoded."
        ) from None
    prefix, apps, app_id = parts.path.removesuffix("/").rpartition("/apps/")
    named = bool(apps and app_id) and "/" not in app_id
    present = {
        "scheme http or https": parts.scheme in ("http", "https"),
        "host": bool(parts.hostname),
        "key": bool(parts.username),
        "secret": bool(parts.password),
        "path /apps/APP_ID": named,
    }
    missing = [name for name, there in present.items() if not there]
    if missing:
        raise InvalidCredentials(f"PUSHER_URL: {wanted}; missing: {', '.join(missing)}.")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return {
        "app_id": unquote(app_id),
        "key": unquote(parts.username or ""),
        "secret": unquote(parts.password or ""),
        "base_url": f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "") + prefix,
    }


def _checked(app_id: str, key: str, secret: str, base_url: str) -> str:
    """The normalised base_url, if all four can be right. An error never repeats a value."""
    for name, value in (("app_id", app_id), ("key", key), ("secret", secret)):
        _refuse_paste_damage(name, value)
    if wrong := re.search(r"[/?#%\s]", app_id):
        # Only the character is named: the rest may be a secret in the wrong place.
        raise InvalidCredentials(
            f"app_id: expected the id alone, such as 6855671; {wrong[0]!r} cannot be part of "
            "the path /apps/{app_id}/events."
        )
    url = _base_url(base_url)
    path = url.partition("://")[2].partition("/")[2]
    if len(secret) >= SHORTEST_SECRET_HIDDEN_INSIDE and any(True for _ in places(secret, path)):
        raise InvalidCredentials("host: its path holds the secret. Leave that out.")
    return url


def _check_master_key(text: object) -> None:
    if text is None:
        return
    wanted = (
        "encryption_master_key_base64: expected 32 bytes in base64, 44 characters, as "
        "`openssl rand -base64 32` makes them"
    )
    if not isinstance(text, str):
        raise InvalidCredentials(f"{wanted}; got {type(text).__name__}.")
    try:
        length = len(base64.b64decode(text, validate=True))
    except ValueError:  # binascii.Error; or a character that isn't ASCII
        raise InvalidCredentials(f"{wanted}; got text that isn't base64.") from None
    if length != MASTER_KEY_BYTES:
        raise InvalidCredentials(f"{wanted}; got {length} bytes.")


def merged(found: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Places in order, those that overlap as one."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            start, end = apart[-1][0], max(end, apart.pop()[1])
        apart.append((start, end))
    return apart


def _refuse_paste_damage(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidCredentials(f"{name}: expected text (str), got {type(value).__name__}.")
    if not value:
        raise InvalidCredentials(f"{name}: expected text, got an empty string.")
    if re.search("[\ud800-\udfff]", value):  # how os.environ gives bytes that aren't UTF-8
        raise InvalidCredentials(f"{name}: expected text, got bytes that are not UTF-8.")
    if value != value.strip().strip("\"'`"):
        raise InvalidCredentials(
            f"{name}: has white space or quotes around it. They would become part of the value "
            "and every signature would be wrong. Remove them."
        )


_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]++)*+")  # RFC 3986, section 3.3


def _base_url(text: object) -> str:
    """Normalise a host, or a URL, to scheme://host[:port][/path]."""
    text = text if isinstance(text, str) else ""
    wanted = (
        "host: expected a host such as ws-sa.mawjly.com, http://127.0.0.1:8123 or "
        "https://example.com/path"
    )
    try:
        parts = urlsplit(text if "://" in text else f"//{text.removeprefix('//')}")
        host, port = parts.hostname, parts.port  # ValueError if the port isn't a number
    except ValueError:
        host = port = None
    if host is None or host in _SCHEMES or re.search(r"[@?#\s\"'`]", text):
        raise InvalidCredentials(f"{wanted}, without credentials, query, spaces or quotes.")
    scheme = _SCHEMES.get(parts.scheme or ("http" if is_local(host) else "https"))
    if scheme is None:
        raise InvalidCredentials(f"{wanted}, with http or https where there is a scheme.")
    path = parts.path.removesuffix("/")
    if "apps" in (segments := path.split("/")):
        raise InvalidCredentials(f"{wanted}, without /apps: each request adds that by itself.")
    if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(segments):
        raise InvalidCredentials(
            f"{wanted}; its path can't be one. Write each slash once, and %C3%A9 for é."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + (f":{port}" if port is not None else "") + path


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))
