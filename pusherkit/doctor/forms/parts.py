"""What the readers make of a pasted text: requests, subscriptions, webhooks. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from pusherkit.credentials import is_local
from pusherkit.errors import UnreadableText
from pusherkit.signing import Request

# Limits, so that work stays bounded. They are ours.
MAX_TEXT = 8 * 1024 * 1024  # bytes, or characters, of a pasted text; bytes of a file it names
MAX_TARGET = 64 * 1024  # characters of path and query; the practice server's HTTP reads no more
MAX_PARAMS = 100  # parameters of a request; the practice server takes no more
MAX_METHOD = 20  # letters
SHOWN_CHARACTERS = 200  # of what an error repeats

ReadFile = Callable[[str], bytes]
Headers = tuple[tuple[str, str], ...]

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")  # a name, or an IPv6 address


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedRequest:
    """A request as it would go out, and what the text says besides."""

    base_url: str
    """Scheme, host and port; "" where the text names no host."""
    request: Request
    headers: Headers = ()
    """As pasted, names in lower case."""
    has_body: bool = True
    """False where the text can't hold a body, or not this one: then nothing is known of it."""
    notes: tuple[str, ...] = ()
    """Sentences about the form: what the shell does to it, what is missing from it."""
    response: str = ""
    """Status line, headers and body of the answer that stood beside it; "" if none did."""

    def header(self, name: str) -> str:
        """The first value of a header, named in lower case; "" if it isn't there."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedSubscription:
    """What a client sent to subscribe or to sign in; "" and None for what the text hasn't got."""

    socket_id: str = ""
    channel: str = ""
    auth: str = ""
    channel_data: str | None = None
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedWebhook:
    """A webhook as it arrived: X-Pusher-Key, X-Pusher-Signature, and the raw body."""

    key: str
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """What a text was taken for, and what it holds."""

    form: str
    """Such as "a `curl -v` trace"."""
    requests: tuple[PastedRequest, ...] = ()
    subscriptions: tuple[PastedSubscription, ...] = ()
    webhooks: tuple[PastedWebhook, ...] = ()
    said: str = ""
    """Everything that isn't a request. Refusals and failures are looked for here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one reader found in a text, and from where to where."""

    start: int
    end: int
    form: str
    requests: tuple[PastedRequest, ...] = ()
    subscriptions: tuple[PastedSubscription, ...] = ()
    webhooks: tuple[PastedWebhook, ...] = ()
    said: str = ""
    """What isn't a request in it: answers, messages."""


def too_long() -> UnreadableText:
    """The error for a text over the limit."""
    return UnreadableText(
        f"The text is over the limit of {MAX_TEXT:,} bytes. Paste one request alone."
    )


def app_in(path: str) -> str:
    """The app id in a path, /apps/{app_id}/…, with or without a prefix; "" where there is none."""
    return path.partition("/apps/")[2].partition("/")[0]


def as_bytes(text: str) -> bytes:
    """A text's bytes; those that weren't UTF-8 when it was read, as they were."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise UnreadableText("The text holds half of a surrogate pair.") from None


def as_byte(value: int) -> str:
    """One byte as a text holds it that was read with surrogateescape."""
    return bytes([value]).decode(errors="surrogateescape")


def as_text(content: bytes) -> str:
    """Bytes as a text; those that aren't UTF-8 come back with as_bytes()."""
    return content.decode(errors="surrogateescape")


def cut(text: str) -> str:
    """A piece of what was pasted, short enough to be repeated in an error."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


_VARIABLE = re.compile(r"\{\{[ \w.$-]{1,100}\}\}")  # of Postman and of REST clients' files


def make_request(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    host: str = "",
    headers: Iterable[tuple[str, str]] = (),
    has_body: bool = True,
    notes: Iterable[str] = (),
    response: str = "",
) -> PastedRequest:
    """Put a request together. `url` is a whole URL, or a path and query for `host`.

    Raises UnreadableText where no such request can be sent.
    """
    if not re.fullmatch(rf"[A-Za-z]{{1,{MAX_METHOD}}}", method):
        raise UnreadableText(
            f"Expected a method of 1 to {MAX_METHOD} letters, such as POST; the text names another."
        )
    if len(url) > MAX_TARGET:
        raise UnreadableText(
            f"The URL has {len(url):,} characters, over the limit of {MAX_TARGET:,}."
        )
    if held := _VARIABLE.search(url):
        raise UnreadableText(
            f"The URL holds a variable, {cut(held[0])}, so the text doesn't contain what was sent. "
            "Paste the request as it went out, with the values in."
        )
    if "…" in url or url.endswith("..."):
        raise UnreadableText(
            "The URL is cut short with … where it was shown, so the text doesn't contain what was "
            "sent. Copy it whole: in a browser from the network view, as cURL."
        )
    base_url = _base_url(f"//{host}") if host else ""
    headers = list(headers)
    if re.match(r"https?://[^/?#]{0,1000}@", url) and not any(
        name.lower() == "authorization" for name, _ in headers
    ):
        headers.append(("authorization", "Basic (from the URL)"))  # what every client makes of it
    if url.startswith("/"):
        path, _, query = url.partition("?")
    else:
        base_url, path, query = _split(url)
    try:
        path.encode()  # a byte that isn't UTF-8 came through as half of a surrogate pair
        params = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMS
        )
        "".join(map("".join, params)).encode()
    except UnicodeError:
        raise UnreadableText("The URL cannot be read: it is not UTF-8.") from None
    except ValueError:
        raise UnreadableText(
            f"The URL cannot be read: it has over {MAX_PARAMS} parameters."
        ) from None
    return PastedRequest(
        base_url=base_url,
        request=Request(method.upper(), path, params, body if has_body else b""),
        headers=tuple((name.strip().lower(), value.strip()) for name, value in headers),
        has_body=has_body,
        notes=tuple(notes),
        response=response,
    )


def _split(url: str) -> tuple[str, str, str]:
    """A whole URL as base URL, path and query; what is never sent is left out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong_host() from None
    return _base_url(f"{parts.scheme}://{parts.netloc}"), parts.path or "/", parts.query


def _base_url(text: str) -> str:
    """Scheme, host and port. Without a scheme it's https, but http on this machine."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _wrong_host() from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    scheme = parts.scheme or ("http" if is_local(parts.hostname or "") else "https")
    if not _HOST.fullmatch(host) or scheme not in ("http", "https"):
        raise _wrong_host()
    return f"{scheme}://{host}" + (f":{port}" if port is not None else "")


def _wrong_host() -> UnreadableText:
    return UnreadableText(
        "The URL cannot be read: expected http or https, and a host such as ws-sa.mawjly.com or "
        "127.0.0.1:8123."
    )
