"""Which mistake made this signature? A table of known mistakes, and a search that proves. Pure.

A mistake is one small change on one axis of signing. `diagnose()` signs the request again under
every single mistake, then under every pair on two axes, and names a mistake only if what comes
out is the very signature, or the very body_md5, that was received: a proof, not a guess.

The search needs the secret. What can be said without it, refusals.py says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, islice
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from pusherkit.signing import (
    SHORTEST_SECRET_HIDDEN_INSIDE,
    Credentials,
    Params,
    body_digest,
    hide_secret,
    hmac_sha256,
    judge,
)

Pair = tuple[str, str]
Variant = TypeVar("Variant", bound=Callable[..., Iterator[Any]])
Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]
"""Work in steps of a millisecond or so: between two of them, a server can answer others."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One known mistake: what was done, why it fails, what to do, and where it is taught."""

    name: str
    axis: str
    why: str
    fix: str
    lesson: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Mistakes that, made together, give exactly what was received.

    `canonical_string` is the text that was then signed, and `reproduced` what comes out: the
    received auth_signature, or, where only the digest is wrong, the received body_md5.
    """

    mistakes: tuple[Mistake, ...]
    canonical_string: str
    reproduced: str

    def __str__(self) -> str:
        lines = []
        for mistake in self.mistakes:
            lines += [f"{mistake.name}: {mistake.why}", f"  Fix: {mistake.fix}"]
        return "\n".join([*lines, f"  Proof: made so, it gives {self.reproduced}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a request: nothing, or proven findings, simplest first.

    `notes` are what needs no search, such as the difference of the clocks.
    """

    valid: bool
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.valid:
            return "The request is signed as it should be."
        said = [*self.notes, *map(str, self.findings)]
        if not self.findings and not self.notes:
            said.append(UNEXPLAINED)
        return "\n".join(said)


UNEXPLAINED = (
    "No known mistake, and no two of them together, give this signature. Possible still are: "
    "another secret than this app's, a body that changed on its way, three mistakes at once, or "
    "a mistake that nobody has listed yet."
)


# --- the table --------------------------------------------------------------------------------
#
# A function for each mistake, named after it. It yields what the client then used in place of the
# right value; some mistakes can be made in more than one way. A function may raise ValueError
# where the mistake cannot be made, such as hex-decoding a secret that is not hex.

_LESSONS = {  # where each axis is taught
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
_Row = tuple[Mistake, Callable[..., Iterator[Any]]]
_TABLE: dict[str, list[_Row]] = {axis: [] for axis in _LESSONS}


def _mistake(axis: str, why: str, fix: str) -> Callable[[Variant], Variant]:
    """Enter a function into the table."""

    def enter(function: Variant) -> Variant:
        name = function.__name__.strip("_").replace("_", "-")
        _TABLE[axis].append((Mistake(name, axis, why, fix, _LESSONS[axis]), function))
        return function

    return enter


def known_mistakes() -> tuple[Mistake, ...]:
    """Every mistake in the table."""
    return tuple(mistake for rows in _TABLE.values() for mistake, _ in rows)


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
    upper = _join((key, quote(value, safe="")) for key, value in _in_order(pairs))
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
    yield _join(_in_order([*pairs, ("auth_signature", "")]))


@_mistake(
    "query",
    "The body_md5 of an empty body was signed, but not sent.",
    "Sign what you send; a request without a body needs no body_md5.",
)
def _empty_body_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _join(_in_order([*pairs, ("body_md5", _EMPTY_DIGEST)]))


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


def _in_the_middle_of_the_second(timestamp: str) -> Iterator[str]:
    """The other ways to sign milliseconds: too many to be tried beside every other mistake."""
    start = int(timestamp) * 1000
    yield from map(str, range(start + 1, start + 1000))


_ALONE: list[_Row] = [(_TABLE["timestamp"][-1][0], _in_the_middle_of_the_second)]


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


_ANOTHER_APP = Mistake(
    "another-apps-secret",
    "secret",
    "The request was signed with the secret of another app.",
    "Key and secret must be of the same app; check which app the settings name.",
    _LESSONS["secret"],
)


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


def _in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """As signing does it: keys lower-cased, then sorted. Repeated keys stay in their order."""
    return sorted([(key.lower(), value) for key, value in pairs], key=itemgetter(0))


def _join(pairs: Iterable[Pair]) -> str:
    return "&".join(map("=".join, pairs))


def _without(name: str, pairs: Iterable[Pair]) -> str:
    return _join(pair for pair in _in_order(pairs) if pair[0] != name)


# --- the search -------------------------------------------------------------------------------


def diagnose(
    credentials: Credentials,
    method: str,
    path: str,
    params: Params,
    body: bytes = b"",
    *,
    now: float | None = None,
    others: Iterable[Credentials] = (),
) -> Diagnosis:
    """Name the mistakes that made a request's signature. Arguments as for verify().

    With `now` None the clock is not judged. `others` are the credentials of other known apps,
    whose secrets are tried as well.
    """
    return finish(diagnosing(credentials, method, path, params, body, now=now, others=others))


def finish(steps: Steps[Result]) -> Result:
    """Take all the steps, and return what they end with."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def diagnosing(
    credentials: Credentials,
    method: str,
    path: str,
    params: Params,
    body: bytes = b"",
    *,
    now: float | None = None,
    others: Iterable[Credentials] = (),
) -> Steps[Diagnosis]:
    """diagnose(), step by step."""
    pairs = tuple(params.items() if isinstance(params, Mapping) else params)
    others = tuple(others)
    clock = _sent_time(pairs) if now is None else now
    verdict = judge(credentials, method, path, pairs, body, now=clock)
    yield
    if verdict.failed is None:
        return Diagnosis(valid=True)
    failed = {check.rule: check for check in verdict.checks if not check.passed}
    notes = [
        f"{failed[rule].error}. {failed[rule].fix}"
        for rule in ("auth_key", "auth_version", "auth_timestamp")
        if rule in failed
    ]
    if any(key.lower() == "auth_key" and value == credentials.secret for key, value in pairs):
        notes.insert(0, "auth_key holds the secret. Key and secret are swapped.")

    search = _Search(credentials, method, path, pairs, body, others)
    yield from search.prepare()
    digests: list[tuple[Mistake, ...]] = [()]
    if "body_md5" in failed:
        digests = [(mistake,) for mistake in search.sent_digests()]
    found = yield from search.found(at_most=1 if "body_md5" in failed else 2)
    findings = tuple(
        Finding(
            mistakes=(*digest, *rest),
            canonical_string=text,
            reproduced=reproduced if rest else search.body_md5,
        )
        for digest in digests
        for rest, text, reproduced in found
        if digest or rest
    )
    if "body_md5" in failed and not findings:
        notes.append(f"{failed['body_md5'].error}. {failed['body_md5'].fix}")
    if "auth_signature" in failed and not findings:
        notes += search.form_of_the_signature() or ([UNEXPLAINED] if notes else [])
    for other in others:
        notes = [hide_secret(other, note) for note in notes]
    return Diagnosis(valid=False, findings=findings, notes=tuple(notes))


def _sent_time(pairs: Iterable[Pair]) -> float:
    """The time that a request claims; 0 where it claims none."""
    sent = [value for key, value in pairs if key.lower() == "auth_timestamp"]
    return float(sent[0]) if sent and re.fullmatch(r"[0-9]{1,15}", sent[0]) else 0.0


_MAC_AXES = frozenset({"secret", "mac", "encoding"})  # these sign the text; the others make it
_TEXTS_AT_ONCE = 32  # in one step of the search
_TEXTS_AT_ONCE_SIGNED_WRONG = 4  # each of them makes some ten signatures

_Axes = tuple[str, ...]
_Made = tuple[Mistake, ...]
_Way = tuple[_Made, Any]  # to take some steps of signing: the mistakes made, and what comes of it


class _Search:
    """One received request, and every signature that known mistakes make of it."""

    def __init__(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        pairs: tuple[Pair, ...],
        body: bytes,
        others: tuple[Credentials, ...],
    ) -> None:
        self._credentials = credentials
        self._method = method.upper()
        self._path = path
        self._pairs = [pair for pair in pairs if pair[0].lower() != "auth_signature"]
        self._received = [value for key, value in pairs if key.lower() == "auth_signature"]
        self._body = body
        self._digest = body_digest(body)  # the right one
        self._secret = credentials.secret.encode()
        self._apps = (credentials, *others)
        self.body_md5 = self._sent("body_md5")
        self._timestamp = self._sent("auth_timestamp")
        in_order = _in_order(self._pairs)
        self._parts = [f"{key}={value}" for key, value in in_order]  # of the right third line
        self._at = {key: at for at, (key, _) in enumerate(in_order)}
        self._digests: list[tuple[Mistake, str]] = []
        self._wrong: dict[str, list[_Way]] = {}

    def prepare(self) -> Steps[None]:
        """Make, once, every wrong value that does not depend on another axis.

        Those of query, newline, mac and encoding do.
        """
        for mistake, function in _TABLE["digest"]:
            for value in _values(function, self._body):
                self._digests.append((mistake, value))
                yield  # each is a hash of the whole body, which may be long
        self._wrong = {
            "digest": [
                ((mistake,), value)
                for mistake, value in self._digests
                if self.body_md5 not in ("", value)
            ],
            "timestamp": self._different(_TABLE["timestamp"], self._timestamp, self._timestamp),
            "path": self._different(_TABLE["path"], self._path, self._path, self._credentials),
            "method": self._different(_TABLE["method"], self._method, self._method),
            "secret": self._different(_TABLE["secret"], self._secret, self._credentials)
            + [((_ANOTHER_APP,), other.secret.encode()) for other in self._apps[1:]],
        }

    def _sent(self, name: str) -> str:
        """The value of a parameter that was sent once."""
        values = [value for key, value in self._pairs if key.lower() == name]
        return values[0] if len(values) == 1 else ""

    def _different(self, rows: list[_Row], right: object, *arguments: Any) -> list[_Way]:
        """Every value that mistakes give, other than the right one."""
        if right == "":  # it was not sent, so nothing was put in its place
            return []
        return [
            ((mistake,), value)
            for mistake, function in rows
            for value in _values(function, *arguments)
            if value != right
        ]

    def sent_digests(self) -> list[Mistake]:
        """The mistakes that give the body_md5 that was sent."""
        made = (mistake for mistake, value in self._digests if value == self.body_md5)
        return list(dict.fromkeys(made)) if self.body_md5 != self._digest else []

    def found(self, at_most: int) -> Steps[list[tuple[_Made, str, str]]]:
        """The fewest mistakes on different axes that give the signature that was received.

        Each with the text that was signed, and the signature.
        """
        if len(self._received) != 1:
            return []
        (received,) = self._received
        for count in range(at_most + 1):
            hits = {}
            for axes in combinations(_TABLE, count):
                texts = self._texts(axes)
                signed_right = _MAC_AXES.isdisjoint(axes)
                at_once = _TEXTS_AT_ONCE if signed_right else _TEXTS_AT_ONCE_SIGNED_WRONG
                while some := list(islice(texts, at_once)):
                    for mistakes, text in self._fitting(axes, some, received):
                        hits[mistakes] = (mistakes, self._shown(text), received)
                    yield
            if hits:
                return list(hits.values())
        return []

    def _fitting(self, axes: _Axes, texts: list[_Way], received: str) -> list[_Way]:
        """The texts that, with a mistake on each of the axes, give the received signature."""
        if _MAC_AXES.isdisjoint(axes):  # nearly always, and so in the shortest way
            secret = self._credentials.secret
            return [hit for hit in texts if hmac_sha256(secret, hit[1]) == received]
        return [
            (made + then_made, text)
            for made, text in texts
            for then_made, signature in self._signatures(axes, text)
            if signature == received
        ]

    def _queries(self, axes: _Axes) -> Iterator[_Way]:
        """The third line, in every way to make a mistake on each of the axes."""
        parts = self._parts.copy()
        digests = self._ways(axes, "digest", self.body_md5)
        if "digest" not in axes and self.body_md5 not in ("", self._digest):
            digests = [*digests, ((), self._digest)]  # it may have been spoiled after signing
        for a, digest in digests:
            if digest:
                parts[self._at["body_md5"]] = f"body_md5={digest}"
            for b, timestamp in self._ways(axes, "timestamp", self._timestamp):
                if timestamp:
                    parts[self._at["auth_timestamp"]] = f"auth_timestamp={timestamp}"
                right = "&".join(parts)
                if "query" not in axes:
                    yield a + b, right
                    continue
                put = {"body_md5": digest, "auth_timestamp": timestamp}
                pairs = [(key, put.get(key.lower()) or value) for key, value in self._pairs]
                for c, query in self._different(_TABLE["query"], right, pairs):
                    yield a + b + c, query

    def _texts(self, axes: _Axes) -> Iterator[_Way]:
        """What was signed, in every way to make a mistake on each of the axes."""
        starts = [
            (a + b, method, path)
            for a, path in self._ways(axes, "path", self._path)
            for b, method in self._ways(axes, "method", self._method)
        ]
        for made, query in self._queries(axes):
            for a, method, path in starts:
                right = f"{method}\n{path}\n{query}"
                if "newline" not in axes:
                    yield made + a, right
                    continue
                lines = (method, path, query)
                for b, text in self._different(_TABLE["newline"], right, lines, self._body):
                    yield made + a + b, text

    def _signatures(self, axes: _Axes, text: str) -> Iterator[_Way]:
        """What comes of a text, in every way to make a mistake on each of the axes."""
        message = text.encode(errors="surrogatepass")
        for a, secret in self._ways(axes, "secret", self._secret):
            right = hmac.digest(secret, message, "sha256")
            for b, raw in self._ways(axes, "mac", right, secret, message):
                for c, signature in self._ways(axes, "encoding", raw.hex(), raw):
                    yield a + b + c, signature

    def _ways(self, axes: _Axes, axis: str, right: Any, *arguments: Any) -> list[_Way]:
        """The right value; or, where a mistake is to be made on this axis, every wrong one."""
        if axis not in axes:
            return [((), right)]
        if axes == ("timestamp",):
            return self._wrong[axis] + self._different(_ALONE, right, right)
        if axis in self._wrong:
            return self._wrong[axis]
        return self._different(_TABLE[axis], right, *arguments)

    def _shown(self, text: str) -> str:
        """What was signed, fit to be shown: not where a secret was sent along by mistake.

        In the text it may stand encoded, or in lower case, so nothing less would hide it.
        """
        pieces = [self._path, self._method, self._body.decode(errors="replace")]
        pieces += [part for pair in self._pairs for part in pair]
        if any(_tells(app.secret, piece) for app in self._apps for piece in pieces):
            return "(not shown, as the request holds a secret)"
        return text

    def form_of_the_signature(self) -> list[str]:
        """What can be said of a signature that nothing explains."""
        if len(self._received) != 1:
            return [f"auth_signature was sent {len(self._received)} times. Send it once."]
        if not re.fullmatch(r"[0-9a-f]{64}", self._received[0]):
            return [
                f"auth_signature has {len(self._received[0])} characters; expected 64 "
                "lower-case hex digits."
            ]
        return []


def _tells(secret: str, text: str) -> bool:
    """Whether a text holds a secret; a very short one counts only where it stands alone."""
    secret, text = secret.casefold(), text.casefold()
    return secret == text or (len(secret) >= SHORTEST_SECRET_HIDDEN_INSIDE and secret in text)


def _values(function: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Any]:
    """What a mistake yields; nothing more from where it cannot be made."""
    with suppress(ValueError, RecursionError):
        yield from function(*arguments)
