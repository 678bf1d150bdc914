"""The table of known mistakes: what clients get wrong when they sign a request. Pure.

A mistake is one small change on one axis of signing (body, query, path, method, newline,
timestamp, secret, HMAC, encoding). search.py tries each of them, and pairs, on a request that was
refused; vectors.py asks which of them a test vector would let pass.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
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
    """One known mistake: what was done, why it fails, what to do, and where it is taught."""

    name: str
    axis: str
    why: str
    fix: str
    lesson: str


# --- the table --------------------------------------------------------------------------------
#
# A function for each mistake, named after it. It yields what the client then used in place of the
# right value; some mistakes can be made in more than one way. A function may raise ValueError
# where the mistake cannot be made, such as hex-decoding a secret that is not hex.

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
_EMPTY_DIGEST = body_digest(b"")
Row = tuple[Mistake, Callable[..., Iterator[Any]]]
TABLE: dict[str, list[Row]] = {axis: [] for axis in LESSONS}
ON_THE_WIRE: list[Row] = []
"""Signed right and sent differently: no test vector can show these, only a request can."""


def _mistake(axis: str, why: str, fix: str) -> Callable[[Variant], Variant]:
    """Enter a function into the table."""

    def enter(function: Variant) -> Variant:
        name = function.__name__.strip("_").replace("_", "-")
        TABLE[axis].append((Mistake(name, axis, why, fix, LESSONS[axis]), function))
        return function

    return enter


def known_mistakes() -> tuple[Mistake, ...]:
    """Every mistake in the table."""
    return tuple(mistake for rows in TABLE.values() for mistake, _ in rows)


# digest: what stands for the body in the canonical string, or was sent as body_md5


@_mistake(
    "digest",
    "The digest is of the same JSON, serialised in another way.",
    "Serialise once; hash those bytes and send those bytes.",
)
def _body_serialised_again(body: bytes) -> Iterator[str]:
    yield from _serialised(json.loads(body))


@_mistake(
    "digest",
    "The digest is of the JSON printed over several lines.",
    "Serialise once; hash those bytes and send those bytes.",
)
def _body_pretty_printed(body: bytes) -> Iterator[str]:
    for indent in (2, 4, "\t"):
        for ascii_only in (True, False):
            yield _md5(json.dumps(json.loads(body), indent=indent, ensure_ascii=ascii_only))


@_mistake(
    "digest",
    "The digest is of the JSON with its keys sorted.",
    "Hash the body as it is sent; only parameters are sorted.",
)
def _body_keys_sorted(body: bytes) -> Iterator[str]:
    yield from _serialised(json.loads(body), sort_keys=True)


@_mistake(
    "digest",
    r"The digest is of the body with \u escapes, but it went out in UTF-8.",
    "Hash the bytes that you send, after every escaping.",
)
def _body_escaped_to_ascii(body: bytes) -> Iterator[str]:
    yield _md5(re.sub("[^\0-\x7f]", lambda found: json.dumps(found[0])[1:-1], body.decode()))


@_mistake(
    "digest",
    "The digest is of the body in Latin-1, but it went out in UTF-8.",
    "Encode as UTF-8 before hashing.",
)
def _body_in_latin_1(body: bytes) -> Iterator[str]:
    text = body.decode()
    yield body_digest(text.encode("latin-1", errors="replace"))
    yield body_digest(text.encode("utf-16-le")[::2])  # of each code unit the low byte, as Node


@_mistake(
    "digest",
    "The digest is of the body and a newline, as echo adds one.",
    "Use printf '%s', or hash the bytes in a program.",
)
def _body_with_newline(body: bytes) -> Iterator[str]:
    yield body_digest(body + b"\n")
    yield body_digest(body + b"\r\n")
    yield body_digest(body.rstrip(b"\r\n"))


@_mistake(
    "digest",
    "The digest is of an empty body: it was read, or built, too late.",
    "Hash the body after it is complete.",
)
def _body_empty(body: bytes) -> Iterator[str]:
    yield _EMPTY_DIGEST


@_mistake(
    "digest",
    "The digest is written in base64.",
    "Write it as 32 lower-case hex digits.",
)
def _digest_in_base64(body: bytes) -> Iterator[str]:
    yield base64.b64encode(bytes.fromhex(body_digest(body))).decode()


@_mistake(
    "digest",
    "The digest is written in upper case.",
    "Write it in lower case; the two are compared as text.",
)
def _digest_in_upper_case(body: bytes) -> Iterator[str]:
    yield body_digest(body).upper()


@_mistake(
    "digest",
    "The digest is SHA-256.",
    "body_md5 is MD5, as its name says; SHA-256 is for the signature.",
)
def _digest_by_sha256(body: bytes) -> Iterator[str]:
    yield hashlib.sha256(body).hexdigest()


# query: the third line of the canonical string, from the parameters in the order they came


@_mistake(
    "query",
    "The parameters were signed in the order of the URL.",
    "Sort them by key before signing; the URL may keep its order.",
)
def _parameters_unsorted(pairs: list[Pair]) -> Iterator[str]:
    yield _join((key.lower(), value) for key, value in pairs)


@_mistake(
    "query",
    "The values were URL-encoded before signing.",
    "Sign the values as they are; encode only for the URL.",
)
def _values_url_encoded(pairs: list[Pair]) -> Iterator[str]:
    upper = _join((key, quote(value, safe="")) for key, value in in_order(pairs))
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), upper)  # as .NET writes it
    for query in (upper, lower):
        yield query
        yield query.replace("%20", "+")
        yield query.replace("%2F", "/").replace("%2f", "/")


@_mistake(
    "query",
    "A parameter's key was signed with upper-case letters.",
    "Lower-case every key, then sort.",
)
def _keys_not_lower_cased(pairs: list[Pair]) -> Iterator[str]:
    yield _join(sorted(pairs, key=itemgetter(0)))
    yield _join(sorted(pairs, key=lambda pair: pair[0].lower()))


@_mistake(
    "query",
    "An empty auth_signature was signed along.",
    "Sign every parameter but auth_signature; add that one afterwards.",
)
def _empty_signature_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _join(in_order([*pairs, ("auth_signature", "")]))


@_mistake(
    "query",
    "The body_md5 of an empty body was signed, but not sent.",
    "Sign what you send; a request without a body needs no body_md5.",
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
    "The path was signed without its first slash.",
    "Sign the path as it stands in the request line: /apps/….",
)
def _slash_missing(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.removeprefix("/")


@_mistake(
    "path",
    "The whole URL, or the host, was signed in place of the path.",
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
    "The path was signed with the question mark behind it.",
    "The question mark belongs neither to the path nor to the parameters.",
)
def _question_mark_kept(path: str, credentials: Credentials) -> Iterator[str]:
    yield f"{path}?"


@_mistake(
    "path",
    "The path was signed with a slash at its end, or sent with one.",
    "Sign the very path that you send.",
)
def _trailing_slash(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.rstrip("/") if path.endswith("/") else f"{path}/"


@_mistake(
    "path",
    "One side sees a path prefix that the other does not: a proxy adds or removes it.",
    "Sign the path that the server sees, or let the proxy pass it on unchanged.",
)
def _prefix_on_one_side(path: str, credentials: Credentials) -> Iterator[str]:
    at = path.find("/apps/")
    if at > 0:
        yield path[at:]
    for prefix in ("/api", "/pusher", "/app", "/ws", "/reverb", "/soketi"):
        yield f"{prefix}{path}"


@_mistake(
    "path",
    "The path of the other call was signed: events for batch_events, or the reverse.",
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
    "The path is /apps/{app_id}/…; the key goes into auth_key.",
)
def _key_in_path(path: str, credentials: Credentials) -> Iterator[str]:
    yield path.replace(f"/apps/{credentials.app_id}", f"/apps/{credentials.key}")


# method: the first line


@_mistake(
    "method",
    "The method was signed in lower case.",
    "Sign it in upper case: POST.",
)
def _method_in_lower_case(method: str) -> Iterator[str]:
    yield method.lower()
    yield method.capitalize()


@_mistake(
    "method",
    "Another method was signed than the one that was sent.",
    "Sign the method of the request.",
)
def _another_method(method: str) -> Iterator[str]:
    yield from (other for other in ("GET", "POST", "PUT") if other != method.upper())


# newline: how the three lines become one text


@_mistake(
    "newline",
    "The lines are joined by a backslash and an n, two characters, in place of a newline.",
    r"""Use a real newline: "\n" in double quotes in most languages, $'\n' in bash.""",
)
def _newline_written_out(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    yield "\\n".join(lines)


@_mistake(
    "newline",
    "The lines are joined by CRLF, as Windows ends lines.",
    r"Join them by a single newline, \n.",
)
def _newline_as_crlf(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    yield "\r\n".join(lines)


@_mistake(
    "newline",
    "There is a newline behind the last line.",
    "Two newlines join three lines; none ends them. Use printf, not echo.",
)
def _newline_at_the_end(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    yield "\n".join([*lines, ""])


@_mistake(
    "newline",
    "The three parts are joined by nothing, or by a space.",
    "Join them by newlines.",
)
def _newline_missing(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    yield "".join(lines)
    yield " ".join(lines)


@_mistake(
    "newline",
    "Path and parameters are joined by a question mark, as in a URL.",
    "Join them by a newline.",
)
def _question_mark_for_newline(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    yield f"{lines[0]}\n{lines[1]}?{lines[2]}"


@_mistake(
    "newline",
    "The body itself stands at the end of the signed text.",
    "The body enters through its digest, body_md5, and nowhere else.",
)
def _body_appended(lines: tuple[str, str, str], body: bytes) -> Iterator[str]:
    if body:
        yield "\n".join([*lines, body.decode()])


# timestamp: what was signed, where another was sent


@_mistake(
    "timestamp",
    "The signed timestamp is in milliseconds, the one that was sent in seconds.",
    "Read the clock once, in whole seconds; sign and send that value.",
)
def _timestamp_in_milliseconds(timestamp: str) -> Iterator[str]:
    yield f"{timestamp}000"


@_mistake(
    "timestamp",
    "The signed timestamp has a fraction, the one that was sent has none.",
    "Turn the time into whole seconds once; sign and send that value.",
)
def _timestamp_with_fraction(timestamp: str) -> Iterator[str]:
    yield f"{timestamp}.0"


@_mistake(
    "timestamp",
    "The clock was read twice: the signed second is not the one that was sent.",
    "Read the clock once; sign and send that value.",
)
def _timestamp_of_another_second(timestamp: str) -> Iterator[str]:
    yield from (str(int(timestamp) + seconds) for seconds in (-1, 1, -2, 2))


# What zones differ from UTC by, in hours, where it is no whole number (IANA database, 2025).
_ZONES_BESIDE_THE_HOUR = (2.5, 3.5, 4.5, 5.5, 5.75, 6.5, 8.75, 9.5, 10.5, 12.75, 13.75)


@_mistake(
    "timestamp",
    "The signed timestamp is off by a time zone: local time was taken for UTC, or the reverse.",
    "Unix time has no time zone; take it from the clock, not from a formatted date.",
)
def _timestamp_in_local_time(timestamp: str) -> Iterator[str]:
    for hours in (*range(1, 15), *_ZONES_BESIDE_THE_HOUR):
        yield str(int(timestamp) + int(hours * 3600))
        yield str(int(timestamp) - int(hours * 3600))


def _timestamp_sent_in_milliseconds(timestamp: str) -> Iterator[str]:
    if len(timestamp) >= MILLISECOND_DIGITS:
        yield timestamp[:-3]


ON_THE_WIRE.append(
    (
        Mistake(
            "timestamp-sent-in-milliseconds",
            "timestamp",
            "The signed timestamp is in seconds, the one that was sent in milliseconds.",
            "Read the clock once, in whole seconds; sign and send that value.",
            LESSONS["timestamp"],
        ),
        _timestamp_sent_in_milliseconds,
    )
)


# secret: the key of the HMAC


@_mistake(
    "secret",
    "The secret has a newline at its end.",
    "Strip what a file or a pasted line brings along.",
)
def _secret_with_newline(credentials: Credentials) -> Iterator[bytes]:
    yield f"{credentials.secret}\n".encode()
    yield f"{credentials.secret}\r\n".encode()


@_mistake(
    "secret",
    "The secret has a space before or behind it.",
    "Strip the value when you read it.",
)
def _secret_with_spaces(credentials: Credentials) -> Iterator[bytes]:
    secret = credentials.secret
    yield from (text.encode() for text in (f"{secret} ", f" {secret}", f" {secret} "))


@_mistake(
    "secret",
    "The secret stands in quotes, and they were taken for a part of it.",
    "Remove the quotes where the value is set.",
)
def _secret_in_quotes(credentials: Credentials) -> Iterator[bytes]:
    yield from (f"{mark}{credentials.secret}{mark}".encode() for mark in ("'", '"', "`"))


@_mistake(
    "secret",
    "The secret was decoded from hex.",
    "Its characters are the key; decode nothing.",
)
def _secret_hex_decoded(credentials: Credentials) -> Iterator[bytes]:
    yield bytes.fromhex(credentials.secret)


@_mistake(
    "secret",
    "The secret was decoded from base64.",
    "Its characters are the key; decode nothing.",
)
def _secret_base64_decoded(credentials: Credentials) -> Iterator[bytes]:
    yield base64.b64decode(credentials.secret)


@_mistake(
    "secret",
    "The app key was used in place of the secret.",
    "The key says who you are, the secret proves it; sign with the secret.",
)
def _app_key_as_secret(credentials: Credentials) -> Iterator[bytes]:
    yield credentials.key.encode()


# mac: what is computed from key and message


@_mistake(
    "mac",
    "Key and message of the HMAC are swapped.",
    "The secret is the key, the canonical string the message.",
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
    "Use HMAC-SHA256; MD5 is for the body's digest only.",
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
    "The signature is a plain SHA-256 of the secret and the string behind it.",
    "Use HMAC-SHA256; it mixes the key in twice, and a plain hash can be continued by strangers.",
)
def _hash_of_secret_and_string(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hashlib.sha256(key + message).digest()


@_mistake(
    "mac",
    "The signature is a plain SHA-256 of the string and the secret behind it.",
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
    "Write it in lower case; the two are compared as text.",
)
def _signature_in_upper_case(raw: bytes) -> Iterator[str]:
    yield raw.hex().upper()


def _md5(text: str) -> str:
    return body_digest(text.encode(errors="surrogatepass"))  # JSON may hold half a character


def _serialised(value: object, *, sort_keys: bool = False) -> Iterator[str]:
    """The digests of a JSON value, compact and with spaces, in ASCII and in UTF-8."""
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            yield _md5(
                json.dumps(
                    value, separators=separators, ensure_ascii=ascii_only, sort_keys=sort_keys
                )
            )


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """As signing does it: keys lower-cased, then sorted. Repeated keys stay in their order."""
    return sorted([(key.lower(), value) for key, value in pairs], key=itemgetter(0))


def _join(pairs: Iterable[Pair]) -> str:
    return "&".join(map("=".join, pairs))


def _without(name: str, pairs: Iterable[Pair]) -> str:
    return _join(pair for pair in in_order(pairs) if pair[0] != name)


def values_of(function: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Any]:
    """What a mistake yields; nothing more from where it cannot be made."""
    with suppress(ValueError, RecursionError):
        yield from function(*arguments)
