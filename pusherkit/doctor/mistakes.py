"""The table of known mistakes: what clients get wrong when they sign a request. Pure.

A mistake is one small change on one axis of signing: body hash, query, path, method, newline,
timestamp, secret, HMAC or encoding. search.py tries each of them, and every pair, on a request
that was refused; vectors.py asks which of them a test vector would let pass.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import quote

from pusherkit.credentials import Credentials
from pusherkit.signing import body_digest

MILLISECOND_DIGITS = 12  # of Unix time in milliseconds, from 1973 on; in seconds, from year 5138

Pair = tuple[str, str]
Variant = TypeVar("Variant", bound=Callable[..., Iterator[Any]])


@dataclass(frozen=True, slots=True)
class Mistake:
    """One known mistake: its name, why the signature comes out wrong, and how to fix it.

    `why` and `fix` are one sentence each. `axis` is a key of TABLE, and `lesson` is the name of
    the notebook that teaches it.
    """

    name: str
    axis: str
    why: str
    fix: str
    lesson: str


# --- the table --------------------------------------------------------------------------------
#
# One function per mistake; the mistake is named after it. The function yields the value that the
# client then used instead of the right one. Some mistakes can be made in more than one way, so it
# may yield several. Where a mistake can't be made at all (hex-decoding a secret that isn't hex),
# it yields nothing, or raises a ValueError.

LESSONS = {  # where each axis is taught
    "digest": "01-body-is-bytes",
    "query": "02-parameters-in-order",
    "path": "03-canonical-string",
    "method": "03-canonical-string",
    "newline": "03-canonical-string",
    "timestamp": "06-clock-and-replay",
    "secret": "04-key-and-message",
    "mac": "04-key-and-message",
    "encoding": "04-key-and-message",
}
Row = tuple[Mistake, Callable[..., Iterator[Any]]]
TABLE: dict[str, list[Row]] = {axis: [] for axis in LESSONS}
"""The mistakes of each axis: signed wrong, whatever is sent."""
ON_THE_WIRE: dict[str, list[Row]] = {axis: [] for axis in LESSONS}
"""The same for what is signed right and sent wrong: only a request can show it, never a vector."""


def _mistake(
    axis: str, why: str, fix: str, *, table: dict[str, list[Row]] = TABLE
) -> Callable[[Variant], Variant]:
    """Enter a function into a table."""

    def enter(function: Variant) -> Variant:
        name = function.__name__.strip("_").replace("_", "-")
        table[axis].append((Mistake(name, axis, why, fix, LESSONS[axis]), function))
        return function

    return enter


def known_mistakes() -> tuple[Mistake, ...]:
    """Every mistake in the table."""
    return tuple(mistake for rows in TABLE.values() for mistake, _ in rows)


@dataclass(frozen=True)
class Body:
    """A request's body. It is decoded and parsed once, however many mistakes look at it."""

    sent: bytes

    @cached_property
    def text(self) -> str:
        """The body as text. Raises ValueError where it isn't UTF-8."""
        return self.sent.decode()

    @cached_property
    def value(self) -> Any:
        """What the body's JSON means. Raises ValueError or RecursionError where it isn't JSON."""
        return json.loads(self.sent)


# digest: the body hash, as it was signed or as it was sent in body_md5

_SERIALISE_ONCE = "Serialise once, hash those bytes, and send those very bytes."
_EMPTY_DIGEST = body_digest(b"")


@_mistake(
    "digest",
    "The body hash is of the same JSON, serialised a second time in another form.",
    _SERIALISE_ONCE,
)
def _body_serialised_again(body: Body) -> Iterator[str]:
    yield from _serialised(body.value)


@_mistake(
    "digest",
    "The body hash is of the JSON spread over several lines.",
    _SERIALISE_ONCE,
)
def _body_pretty_printed(body: Body) -> Iterator[str]:
    # JSON writes a tab inside a string as \t, so every real tab here is indentation.
    for text in _both_ways(body.value, indent="\t"):
        for indent in ("  ", "    ", "\t"):
            yield _md5(text.replace("\t", indent))


@_mistake(
    "digest",
    "The body hash is of the JSON with its keys sorted.",
    "Hash the body exactly as you send it, because only the parameters get sorted.",
)
def _body_keys_sorted(body: Body) -> Iterator[str]:
    yield from _serialised(body.value, sort_keys=True)


@_mistake(
    "digest",
    r"The body hash is of the body with \u escapes, but the body went out as plain UTF-8.",
    "Hash the bytes that you send, once all the escaping is done.",
)
def _body_escaped_to_ascii(body: Body) -> Iterator[str]:
    yield _md5(re.sub("[^\0-\x7f]", lambda found: json.dumps(found[0])[1:-1], body.text))


@_mistake(
    "digest",
    "The body hash is of the body in Latin-1, but the body went out as UTF-8.",
    "Encode the body as UTF-8 first, then hash it.",
)
def _body_in_latin_1(body: Body) -> Iterator[str]:
    yield body_digest(body.text.encode("latin-1", errors="replace"))
    # Node's "binary" keeps the low byte of each UTF-16 code unit.
    yield body_digest(body.text.encode("utf-16-le")[::2])


@_mistake(
    "digest",
    "The body was hashed with a newline at the end, but sent without it.",
    "Hash exactly what you send, and remember that echo adds a newline where printf '%s' doesn't.",
)
def _newline_hashed_not_sent(body: Body) -> Iterator[str]:
    yield body_digest(body.sent + b"\n")
    yield body_digest(body.sent + b"\r\n")


@_mistake(
    "digest",
    "The body was sent with a newline at the end, but hashed without it.",
    "Hash exactly what you send, with nothing trimmed or added in between.",
)
def _newline_sent_not_hashed(body: Body) -> Iterator[str]:
    if body.sent.endswith((b"\r", b"\n")):
        yield body_digest(body.sent.rstrip(b"\r\n"))


@_mistake(
    "digest",
    "The body hash is of an empty body, as if the body was read or built too late.",
    "Hash the body once it's complete.",
)
def _body_empty(body: Body) -> Iterator[str]:
    yield _EMPTY_DIGEST


@_mistake(
    "digest",
    "The body hash is written in base64.",
    "Write it as 32 lower-case hex digits.",
)
def _digest_in_base64(body: Body) -> Iterator[str]:
    yield base64.b64encode(bytes.fromhex(body_digest(body.sent))).decode()


@_mistake(
    "digest",
    "The body hash is written in upper case.",
    "Write it in lower case, because the two are compared as text.",
)
def _digest_in_upper_case(body: Body) -> Iterator[str]:
    yield body_digest(body.sent).upper()


@_mistake(
    "digest",
    "The body hash is SHA-256.",
    "Use MD5, as the name body_md5 says; SHA-256 is for the signature.",
)
def _digest_by_sha256(body: Body) -> Iterator[str]:
    yield hashlib.sha256(body.sent).hexdigest()


# query: the third line of the canonical string, from the parameters in the order of the URL


@_mistake(
    "query",
    "The parameters were signed in the order of the URL.",
    "Sort them by name before you sign; the URL may keep its own order.",
)
def _parameters_unsorted(pairs: list[Pair]) -> Iterator[str]:
    yield _join((key.lower(), value) for key, value in pairs)


@_mistake(
    "query",
    "The values were URL-encoded before they were signed.",
    "Sign the values as they are, and encode them only for the URL.",
)
def _values_url_encoded(pairs: list[Pair]) -> Iterator[str]:
    upper = _join([(key, quote(value, safe="")) for key, value in in_order(pairs)])
    if "%" not in upper:
        return  # nothing to encode
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), upper)  # as .NET writes it
    for query in (upper, lower):
        yield query
        yield query.replace("%20", "+")
        yield query.replace("%2F", "/").replace("%2f", "/")


@_mistake(
    "query",
    "A parameter name was signed with upper-case letters.",
    "Lower-case every parameter name, then sort.",
)
def _keys_not_lower_cased(pairs: list[Pair]) -> Iterator[str]:
    yield _join(sorted(pairs, key=itemgetter(0)))
    yield _join(sorted(pairs, key=lambda pair: pair[0].lower()))


@_mistake(
    "query",
    "An empty auth_signature was included in the signed text.",
    "Sign every parameter except auth_signature, and add that one afterwards.",
)
def _empty_signature_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _join(in_order([*pairs, ("auth_signature", "")]))


@_mistake(
    "query",
    "The body_md5 of an empty body was signed, but not sent.",
    "Sign what you send, and leave body_md5 out of a request without a body.",
)
def _empty_body_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _join(in_order([*pairs, ("body_md5", _EMPTY_DIGEST)]))


@_mistake(
    "query",
    "auth_version was sent but not signed.",
    "Sign every parameter that you send.",
)
def _auth_version_not_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _without("auth_version", pairs)


@_mistake(
    "query",
    "body_md5 was sent but not signed.",
    "Sign every parameter that you send.",
)
def _body_md5_not_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _without("body_md5", pairs)


# path: the second line


@_mistake(
    "path",
    "The path was signed without its leading slash.",
    "Sign the path as it is in the request line, such as /apps/3/events.",
)
def _slash_missing(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.removeprefix("/")


@_mistake(
    "path",
    "The whole URL, or the host, was signed where only the path belongs.",
    "Sign the path alone, from the first slash after the host.",
)
def _full_url_as_path(path: str, credentials: Credentials) -> Iterator[str]:
    host = credentials.base_url.split("://")[1]
    for scheme in ("https://", "http://", ""):
        yield f"{scheme}{host}{path}"
    without_port = re.sub(":[0-9]+$", "", host)
    yield f"{without_port}{path}"
    yield f"{without_port.strip('[]')}{path}"  # an IPv6 address, as urlsplit().hostname gives it


@_mistake(
    "path",
    "The path was signed with the question mark still attached.",
    "Leave the question mark out, because it belongs neither to the path nor to the parameters.",
)
def _question_mark_kept(path: str, credentials: Credentials) -> Iterator[str]:
    yield f"{path}?"


@_mistake(
    "path",
    "The path that was signed and the path that was sent differ by a trailing slash.",
    "Sign exactly the path that you send.",
)
def _trailing_slash(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.rstrip("/") if path.endswith("/") else f"{path}/"


@_mistake(
    "path",
    "One side sees a path prefix that the other doesn't, because a proxy adds or removes it.",
    "Sign the path that the server sees, or let the proxy pass the path on unchanged.",
)
def _prefix_on_one_side(path: str, credentials: Credentials) -> Iterator[str]:
    at = path.find("/apps/")
    if at > 0:
        yield path[at:]
    for prefix in ("/api", "/pusher", "/app", "/ws", "/reverb", "/soketi"):
        yield f"{prefix}{path}"


@_mistake(
    "path",
    "The path of the other call was signed: events for batch_events, or the other way round.",
    "Sign the path that you send to.",
)
def _batch_path_exchanged(path: str, credentials: Credentials) -> Iterator[str]:
    if path.endswith("/batch_events"):
        yield path.removesuffix("/batch_events") + "/events"
    elif path.endswith("/events"):
        yield path.removesuffix("/events") + "/batch_events"


@_mistake(
    "path",
    "The app key was signed in the path, where the app id belongs.",
    "Put the app id into the path, /apps/{app_id}/events, and the app key into auth_key.",
)
def _key_in_path(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.replace(f"/apps/{credentials.app_id}", f"/apps/{credentials.key}")


# method: the first line


@_mistake(
    "method",
    "The method wasn't signed in upper case.",
    "Sign it in upper case, such as POST.",
)
def _method_in_lower_case(method: str) -> Iterator[str]:
    yield method.lower()
    yield method.capitalize()


@_mistake(
    "method",
    "The method that was signed isn't the one that was sent.",
    "Sign the method that you send.",
)
def _another_method(method: str) -> Iterator[str]:
    yield from (other for other in ("GET", "POST", "PUT") if other != method.upper())


# newline: how the three lines become one text


@_mistake(
    "newline",
    "The lines are joined by a backslash and an n, two characters, instead of a newline.",
    r"""Use a real newline: "\n" in double quotes in most languages, $'\n' in bash.""",
)
def _newline_written_out(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield "\\n".join(lines)


@_mistake(
    "newline",
    "The lines are joined by CRLF, the way Windows ends lines.",
    r"Join them with a single newline, \n.",
)
def _newline_as_crlf(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield "\r\n".join(lines)


@_mistake(
    "newline",
    "The signed text has a newline after its last line.",
    "Put newlines only between the three lines, with printf instead of echo in a shell.",
)
def _newline_at_the_end(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield "\n".join([*lines, ""])


@_mistake(
    "newline",
    "The three lines are joined by nothing, or by a space.",
    "Join them with newlines.",
)
def _newline_missing(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield "".join(lines)
    yield " ".join(lines)


@_mistake(
    "newline",
    "The path and the parameters are joined by a question mark, as in a URL.",
    "Join them with a newline.",
)
def _question_mark_for_newline(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield f"{lines[0]}\n{lines[1]}?{lines[2]}"


@_mistake(
    "newline",
    "The body itself was added to the end of the signed text.",
    "Leave the body out, because its hash, body_md5, already covers it.",
)
def _body_appended(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    if body.sent:
        yield "\n".join([*lines, body.text])


# timestamp: what was signed, where another was sent

_READ_ONCE = "Read the clock once, in whole seconds, then sign and send that one value."


@_mistake(
    "timestamp",
    "The timestamp was signed in milliseconds, but sent in seconds.",
    _READ_ONCE,
)
def _timestamp_in_milliseconds(timestamp: str) -> Iterator[str]:
    yield f"{timestamp}000"


@_mistake(
    "timestamp",
    "The timestamp was signed with a fraction, but sent without one.",
    "Cut the time to whole seconds once, then sign and send that one value.",
)
def _timestamp_with_fraction(timestamp: str) -> Iterator[str]:
    yield f"{timestamp}.0"


@_mistake(
    "timestamp",
    "The clock was read twice, so the second that was signed isn't the one that was sent.",
    "Read the clock once, then sign and send that one value.",
)
def _timestamp_of_another_second(timestamp: str) -> Iterator[str]:
    yield from (str(int(timestamp) + seconds) for seconds in (-1, 1, -2, 2))


# Hours by which zones differ from UTC, where it isn't a whole number (IANA database, 2025).
_ZONES_BESIDE_THE_HOUR = (2.5, 3.5, 4.5, 5.5, 5.75, 6.5, 8.75, 9.5, 10.5, 12.75, 13.75)


@_mistake(
    "timestamp",
    "The signed timestamp is a time zone away from the sent one: local time and UTC were mixed up.",
    "Take Unix time straight from the clock, because it has no time zone and needs no date.",
)
def _timestamp_in_local_time(timestamp: str) -> Iterator[str]:
    for hours in (*range(1, 15), *_ZONES_BESIDE_THE_HOUR):
        yield str(int(timestamp) + int(hours * 3600))
        yield str(int(timestamp) - int(hours * 3600))


@_mistake(
    "timestamp",
    "The timestamp was sent in milliseconds, but signed in seconds.",
    _READ_ONCE,
    table=ON_THE_WIRE,
)
def _timestamp_sent_in_milliseconds(timestamp: str) -> Iterator[str]:
    if len(timestamp) >= MILLISECOND_DIGITS:
        yield timestamp[:-3]


# secret: the key of the HMAC


@_mistake(
    "secret",
    "The secret has a newline at the end.",
    "Strip the secret when you read it, because files and pasted lines end in a newline.",
)
def _secret_with_newline(credentials: Credentials) -> Iterator[bytes]:
    yield f"{credentials.secret}\n".encode()
    yield f"{credentials.secret}\r\n".encode()


@_mistake(
    "secret",
    "The secret has a space before or after it.",
    "Strip the secret when you read it.",
)
def _secret_with_spaces(credentials: Credentials) -> Iterator[bytes]:
    secret = credentials.secret
    yield from (text.encode() for text in (f"{secret} ", f" {secret}", f" {secret} "))


@_mistake(
    "secret",
    "The secret is in quotes, and they were taken as part of it.",
    "Remove the quotes where the value is set.",
)
def _secret_in_quotes(credentials: Credentials) -> Iterator[bytes]:
    yield from (f"{mark}{credentials.secret}{mark}".encode() for mark in ("'", '"', "`"))


@_mistake(
    "secret",
    "The secret was decoded from hex.",
    "Use the characters of the secret as they are, and decode nothing.",
)
def _secret_hex_decoded(credentials: Credentials) -> Iterator[bytes]:
    yield bytes.fromhex(credentials.secret)


@_mistake(
    "secret",
    "The secret was decoded from base64.",
    "Use the characters of the secret as they are, and decode nothing.",
)
def _secret_base64_decoded(credentials: Credentials) -> Iterator[bytes]:
    yield base64.b64decode(credentials.secret)


@_mistake(
    "secret",
    "The app key was used instead of the secret.",
    "Sign with the secret: the app key says who you are, and the secret proves it.",
)
def _app_key_as_secret(credentials: Credentials) -> Iterator[bytes]:
    yield credentials.key.encode()


# mac: how the secret and the text become one hash


@_mistake(
    "mac",
    "The secret and the text are swapped in the HMAC call.",
    "Pass the secret as the key, and the canonical string as the message.",
)
def _key_and_message_swapped(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hmac.digest(message, key, "sha256")


@_mistake(
    "mac",
    "The signature is HMAC-SHA1.",
    "Use HMAC-SHA256.",
)
def _hmac_sha1(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hmac.digest(key, message, "sha1")


@_mistake(
    "mac",
    "The signature is HMAC-MD5.",
    "Use HMAC-SHA256; MD5 is only for the body hash.",
)
def _hmac_md5(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hmac.digest(key, message, "md5")


@_mistake(
    "mac",
    "The signature is HMAC-SHA512.",
    "Use HMAC-SHA256.",
)
def _hmac_sha512(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hmac.digest(key, message, "sha512")


@_mistake(
    "mac",
    "The signature is a plain SHA-256 of the secret followed by the text.",
    "Use HMAC-SHA256, because anyone can extend a plain hash.",
)
def _hash_of_secret_and_string(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hashlib.sha256(key + message).digest()


@_mistake(
    "mac",
    "The signature is a plain SHA-256 of the text followed by the secret.",
    "Use HMAC-SHA256.",
)
def _hash_of_string_and_secret(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hashlib.sha256(message + key).digest()


# encoding: how the signature is written


@_mistake(
    "encoding",
    "The signature is written in base64.",
    "Write it as 64 lower-case hex digits.",
)
def _signature_in_base64(raw: bytes) -> Iterator[str]:
    yield base64.b64encode(raw).decode()
    yield base64.b64encode(raw).decode().replace("+", " ")  # a + that was not URL-encoded
    yield base64.urlsafe_b64encode(raw).decode()
    yield base64.b64encode(raw.hex().encode()).decode()


@_mistake(
    "encoding",
    "The signature is written in upper case.",
    "Write it in lower case, because the two are compared as text.",
)
def _signature_in_upper_case(raw: bytes) -> Iterator[str]:
    yield raw.hex().upper()


def _md5(text: str) -> str:
    return body_digest(text.encode(errors="surrogatepass"))  # JSON may hold half a character


def _serialised(value: object, *, sort_keys: bool = False) -> Iterator[str]:
    """The hashes of a JSON value, compact and with spaces, in ASCII and in UTF-8."""
    for separators in ((",", ":"), (", ", ": ")):
        for text in _both_ways(value, separators=separators, sort_keys=sort_keys):
            yield _md5(text)


def _both_ways(value: object, **style: Any) -> Iterator[str]:
    """A JSON text in ASCII, and in UTF-8 where that is another text."""
    plain = json.dumps(value, ensure_ascii=False, **style)
    yield plain
    if not plain.isascii() or "\x7f" in plain:  # JSON in ASCII escapes DEL, too
        yield json.dumps(value, **style)


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """As signing does it: names lower-cased, then sorted. Repeated names keep their order."""
    return sorted([(key.lower(), value) for key, value in pairs], key=itemgetter(0))


def _join(pairs: Iterable[Pair]) -> str:
    return "&".join(map("=".join, pairs))


def _without(name: str, pairs: Iterable[Pair]) -> str:
    return _join(pair for pair in in_order(pairs) if pair[0] != name)


CANNOT_BE_MADE = (ValueError, RecursionError)
"""What a mistake's function raises where the mistake cannot be made, or not in one way more."""


def values_of(function: Callable[..., Iterator[Any]], *arguments: Any) -> list[Any]:
    """What a mistake yields; nothing, or nothing more, where it cannot be made."""
    values: list[Any] = []
    try:
        values.extend(function(*arguments))  # what came before an error stays
    except CANNOT_BE_MADE:
        return values
    return values
