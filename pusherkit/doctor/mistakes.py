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
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode, urlsplit

from pusherkit.credentials import Credentials
from pusherkit.signing import SIGNING_PARAMS, body_digest

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
Table = dict[str, list[Row]]
TABLE: Table = {axis: [] for axis in LESSONS}
"""The mistakes of each axis: signed wrong, whatever is sent. A test vector should detect them."""
IN_REQUESTS: Table = {axis: [] for axis in LESSONS}
"""Mistakes that are looked for in a request, and not asked of a test vector: what is signed right
and sent wrong, and what shows only where the values happen to be such (a leading zero, say)."""
ALONE: Table = {axis: [] for axis in LESSONS}
"""What has so many values that it's tried only where everything else is right, never in pairs.
Some of it are more ways to make a mistake that one of the other tables has."""


def _mistake(
    axis: str, why: str, fix: str, *, table: Table = TABLE
) -> Callable[[Variant], Variant]:
    """Enter a function into a table."""

    def enter(function: Variant) -> Variant:
        name = function.__name__.strip("_").replace("_", "-")
        table[axis].append((Mistake(name, axis, why, fix, LESSONS[axis]), function))
        return function

    return enter


def _more_ways(name: str) -> Callable[[Variant], Variant]:
    """Enter a function into ALONE: more ways to make the mistake of this name."""
    ((axis, mistake),) = [
        (axis, mistake)
        for table in (TABLE, IN_REQUESTS)
        for axis, rows in table.items()
        for mistake, _ in rows
        if mistake.name == name
    ]

    def enter(function: Variant) -> Variant:
        ALONE[axis].append((mistake, function))
        return function

    return enter


def known_mistakes() -> tuple[Mistake, ...]:
    """Every mistake that a test vector should detect: those of TABLE."""
    return tuple(mistake for rows in TABLE.values() for mistake, _ in rows)


def every_mistake() -> tuple[Mistake, ...]:
    """Every mistake that is looked for in a request, each once."""
    tables = (TABLE, IN_REQUESTS, ALONE)
    found = (mistake for axis in LESSONS for table in tables for mistake, _ in table[axis])
    return tuple(dict.fromkeys(found))


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
    if _is_utf_8_twice(body):
        return  # that has a name of its own
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
    bare = body.sent.rstrip(b"\r\n")
    if bare != body.sent:
        yield body_digest(bare)
        last = 2 if body.sent.endswith(b"\r\n") else 1
        if len(body.sent) - last > len(bare):  # one of several newlines was hashed, too
            yield body_digest(body.sent[:-last])


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


@_mistake(
    "digest",
    "The body hash is of the event's data alone, and the body is more than that.",
    "Hash the whole body: the JSON with name, channels and data, exactly as you send it.",
    table=IN_REQUESTS,
)
def _data_hashed_alone(body: Body) -> Iterator[str]:
    value = body.value
    if not isinstance(value, dict):
        return
    for part in ("data", "batch"):
        if isinstance(value.get(part), str):
            yield _md5(value[part])
        if part in value:
            yield from _serialised(value[part])  # of a string, this is the JSON with its quotes


@_mistake(
    "digest",
    "The body went out in Latin-1 (or Windows-1252), but the hash is of the body in UTF-8.",
    "Tell your HTTP library to send UTF-8, or hand it bytes that you encoded as UTF-8 yourself.",
    table=IN_REQUESTS,
)
def _body_sent_in_latin_1(body: Body) -> Iterator[str]:
    if _is_utf_8(body):
        return
    for encoding in ("latin-1", "cp1252"):
        with suppress(UnicodeDecodeError):  # Windows-1252 has five bytes without a meaning
            yield _md5(body.sent.decode(encoding))


@_mistake(
    "digest",
    "The body was encoded as UTF-8 twice on its way out, but the hash is of it encoded once.",
    "Encode the body once, hash those bytes, and hand the HTTP library bytes rather than text.",
    table=IN_REQUESTS,
)
def _body_in_utf_8_twice(body: Body) -> Iterator[str]:
    if _is_utf_8_twice(body):
        yield body_digest(body.text.encode("latin-1"))


@_mistake(
    "digest",
    "The hash is of the body in UTF-16, but the body went out as UTF-8.",
    "Encode the body as UTF-8, then hash those bytes (in .NET, Encoding.UTF8, not Unicode).",
    table=IN_REQUESTS,
)
def _body_in_utf_16(body: Body) -> Iterator[str]:
    if body.sent:
        yield body_digest(body.text.encode("utf-16-le"))


@_mistake(
    "digest",
    "The body went out form-encoded, but the hash is of the JSON.",
    "Send the JSON itself as the body, with Content-Type: application/json.",
    table=IN_REQUESTS,
)
def _body_sent_form_encoded(body: Body) -> Iterator[str]:
    # First the JSON as a whole, percent-encoded, or in a field of its own. "=" is what a form
    # puts behind a name without a value.
    text = body.text.strip("\r\n")
    if not FORM_ENCODED.match(text) or text.count("&") > _MOST_FIELDS:
        return
    fields = parse_qsl(text, keep_blank_values=True)
    texts = [unquote_plus(text.removesuffix("="))]
    texts += [part for pair in fields if pair[0] != "data" for part in pair]
    yield from (_md5(each) for each in dict.fromkeys(texts) if each[:1] in ("{", "["))
    # Then the fields of a JSON object that were sent one by one.
    for event in _events_of(fields):
        yield from _serialised(event)


FORM_ENCODED = re.compile(r"[^\s\"'{}<>=]++=|%7[Bb]|%5[Bb]")  # how a form begins; JSON doesn't
_MOST_FIELDS = 110  # of a form: 100 channels, and what else an event has (reference, "Limits")


_FIELDS_OF_AN_EVENT = {"name", "channel", "channels", "data"}


def _events_of(fields: list[Pair]) -> Iterator[dict[str, Any]]:
    """The JSON objects that fields of a form may have been: their channels a list or a text."""
    event: dict[str, Any] = {}
    for name, value in fields:
        bare = re.sub(r"\[[0-9]*+\]$", "", name)
        if bare != name:
            event.setdefault(bare, [])
            if not isinstance(event[bare], list):
                return
            event[bare].append(value)
        else:
            event[name] = value
    if event.keys().isdisjoint(_FIELDS_OF_AN_EVENT):
        return
    yield event
    if isinstance(event.get("channels"), str):
        yield {**event, "channels": [event["channels"]]}
        if "," in event["channels"]:
            yield {**event, "channels": event["channels"].split(",")}


@_mistake(
    "digest",
    "The hash is of the fields form-encoded, but the body went out as JSON.",
    "Hash the JSON that you send.",
    table=IN_REQUESTS,
)
def _form_hashed_json_sent(body: Body) -> Iterator[str]:
    value = body.value
    if isinstance(value, dict) and all(isinstance(each, str | list) for each in value.values()):
        for key in ("{}", "{}[]"):
            fields = [
                (key.format(name) if isinstance(each, list) else name, each)
                for name, each in value.items()
            ]
            yield _md5(urlencode(fields, doseq=True))


@_mistake(
    "digest",
    "The line breaks of the body were changed between the hash and the sending (LF and CRLF).",
    "Hash the bytes that go out, after anything that converts line breaks.",
    table=IN_REQUESTS,
)
def _line_breaks_converted(body: Body) -> Iterator[str]:
    if b"\n" in body.sent:
        lf = body.sent.replace(b"\r\n", b"\n")
        yield from (body_digest(lf), body_digest(lf.replace(b"\n", b"\r\n")))


@_mistake(
    "digest",
    "The file was hashed with its line breaks, but the body went out without them.",
    "With curl, use --data-binary @file, because -d @file takes the line breaks out.",
    table=IN_REQUESTS,
)
def _line_breaks_taken_out(body: Body) -> Iterator[str]:
    if b"\n" in body.sent or not (b"  " in body.sent or b"\t" in body.sent):
        return  # still there, or there's no indentation that they could have stood before
    for text in _both_ways(body.value, indent="\t"):
        for indent in ("  ", "    ", "\t"):
            indented = text.replace("\t", indent)
            if indented.replace("\n", "") == body.text:  # so that this is the true name
                yield from (_md5(indented + end) for end in ("\n", ""))


@_mistake(
    "digest",
    "The body hash has lost zeros: hex needs two digits for each byte, 0a and not a.",
    "Pad with leading zeros: %02x for each byte, or %032x for the whole number.",
    table=IN_REQUESTS,
)
def _digest_without_leading_zeros(body: Body) -> Iterator[str]:
    yield from _without_zeros(bytes.fromhex(body_digest(body.sent)))


@_mistake(
    "digest",
    "The body hash is written with dashes, spaces, colons or brackets between its hex digits.",
    "Write 32 lower-case hex digits with nothing between them.",
    table=ALONE,
)
def _digest_with_separators(body: Body) -> Iterator[str]:
    yield from _with_separators(bytes.fromhex(body_digest(body.sent)))


# The bodies of published examples, each compact, as it's hashed there, and with spaces, as it's
# printed there: of Pusher's HTTP API page, and of this kit's reference (docs/api-reference.md).
_PUBLISHED_BODIES: tuple[tuple[dict[str, Any], tuple[str, str]], ...] = (
    (
        {"name": "foo", "channels": ["project-3"], "data": '{"some":"data"}'},
        (
            r'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}',
            r'{ "name": "foo", "channels": ["project-3"], "data": "{\"some\":\"data\"}" }',
        ),
    ),
    (
        {"name": "message", "channel": "chat", "data": '{"text":"hello"}'},
        (
            r'{"name":"message","channel":"chat","data":"{\"text\":\"hello\"}"}',
            r'{ "name": "message", "channel": "chat", "data": "{\"text\":\"hello\"}" }',
        ),
    ),
)


@_mistake(
    "digest",
    "The body hash was copied from a published example, and the body is another one.",
    "Compute body_md5 for each body, from the very bytes that you send.",
    table=ALONE,
)
def _digest_of_an_example(body: Body) -> Iterator[str]:
    for value, texts in _PUBLISHED_BODIES:
        if body.value != value:  # nor that example, cut short or written otherwise
            yield from map(_md5, texts)


@_mistake(
    "digest",
    "There is no body, but the body hash is of an empty value, such as {} or null.",
    "Leave body_md5 out of a request without a body.",
    table=IN_REQUESTS,
)
def _digest_of_an_empty_value(body: Body) -> Iterator[str]:
    if not body.sent:
        yield from (_md5(text) for text in ("{}", "[]", "null", '""', "undefined"))


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


@_mistake(
    "query",
    "Only the parameters of the signature were signed, and others were sent beside them.",
    "Sign every parameter that you send, such as filter_by_prefix and info.",
    table=IN_REQUESTS,
)
def _other_parameters_not_signed(pairs: list[Pair]) -> Iterator[str]:
    yield _join(in_order([pair for pair in pairs if pair[0].lower() in SIGNING_PARAMS]))


@_mistake(
    "query",
    "The values were signed without their names.",
    "Sign each parameter as name=value, joined by &, all on the third line.",
)
def _values_without_names(pairs: list[Pair]) -> Iterator[str]:
    values = [value for _, value in in_order(pairs)]
    yield "\n".join(values)
    yield "\n".join(value for name, value in in_order(pairs) if name != "auth_version")


@_more_ways("values-without-names")
def _values_joined_otherwise(pairs: list[Pair]) -> Iterator[str]:
    ordered = in_order(pairs)
    for chosen in (ordered, [pair for pair in ordered if pair[0] != "auth_version"], pairs):
        values = [value for _, value in chosen]
        yield from (joint.join(values) for joint in ("&", "", ",", ":"))
    yield "\n".join(value for _, value in pairs)


@_mistake(
    "query",
    "No parameters were signed: the third line of the signed text is empty.",
    "Sign every parameter but auth_signature, and send those very parameters.",
)
def _third_line_empty(pairs: list[Pair]) -> Iterator[str]:
    if pairs:
        yield ""


@_mistake(
    "query",
    "The parameters were joined to name=value first, and then sorted as whole texts.",
    "Sort by the name alone, then join: = sorts after digits, so info2=… would come before info=….",
    table=IN_REQUESTS,
)
def _joined_before_sorting(pairs: list[Pair]) -> Iterator[str]:
    yield "&".join(sorted(f"{name}={value}" for name, value in in_order(pairs)))


@_mistake(
    "query",
    "Parameters of the same name were sorted by their values, too.",
    "Sort by name alone, and keep repeated parameters in the order in which they're sent.",
    table=IN_REQUESTS,
)
def _sorted_with_values(pairs: list[Pair]) -> Iterator[str]:
    yield _join(sorted(in_order(pairs)))


WRAPPERS = ("Some({})", 'Some("{}")', "Optional({})", 'Optional("{}")', "Optional[{}]", "b'{}'")
"""How languages print a value together with what holds it: Scala and Rust, Swift, Java, Python."""


@_mistake(
    "query",
    "A value was signed together with its wrapper, such as Some(…), Optional[…] or b'…'.",
    "Take the value out (get, unwrap, decode) before you join it to the text.",
    table=ALONE,
)
def _value_signed_in_a_wrapper(pairs: list[Pair]) -> Iterator[str]:
    ordered = in_order(pairs)
    for wrapper in WRAPPERS:
        wrapped = [(name, wrapper.format(value)) for name, value in ordered]
        yield _join(wrapped)
        for at in range(min(len(ordered), _MOST_WRAPPED)):
            yield _join([*ordered[:at], wrapped[at], *ordered[at + 1 :]])


_MOST_WRAPPED = 12  # parameters, each of them in its turn


@_mistake(
    "query",
    "The parameters are joined by something else than &.",
    "Join them by &, all on one line.",
    table=ALONE,
)
def _parameters_joined_otherwise(pairs: list[Pair]) -> Iterator[str]:
    if len(pairs) > 1:
        texts = ["=".join(pair) for pair in in_order(pairs)]
        yield from (joint.join(texts) for joint in ("\n", "", ",", ", ", ";", "&amp;", "\n&"))


# path: the second line


@_mistake(
    "path",
    "The path was signed without its leading slash.",
    "Sign the path as it is in the request line, such as /apps/3/events.",
)
def _slash_missing(path: str, credentials: Credentials) -> Iterator[str]:
    if not path.startswith("//"):
        yield path.removeprefix("/")


@_mistake(
    "path",
    "The path was sent with two slashes in a row (//), and signed with one.",
    "Join host and path with a single slash; a server has no such path as //apps.",
    table=IN_REQUESTS,
)
def _two_slashes_sent(path: str, credentials: Credentials) -> Iterator[str]:
    if "//" in path:
        yield re.sub("//+", "/", path)


@_mistake(
    "path",
    "The path was signed with two slashes in a row (//), and sent with one.",
    "Take the slash off the end of the base URL before you join it to the path.",
)
def _two_slashes_signed(path: str, credentials: Credentials) -> Iterator[str]:
    if path.startswith("/") and not path.startswith("//"):
        yield f"/{path}"


@_mistake(
    "path",
    "The whole URL, or the host, was signed where only the path belongs.",
    "Sign the path alone, from the first slash after the host.",
)
def _full_url_as_path(path: str, credentials: Credentials) -> Iterator[str]:
    host = urlsplit(credentials.base_url).netloc
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
    # Sent and not signed: whatever it's called, it's in the path. A prefix that is nothing but
    # slashes has a name of its own.
    starts = [found.start() for found in islice(re.finditer("/apps/", path), _MOST_STARTS)]
    yield from (path[at:] for at in starts if path[:at].strip("/"))
    for prefix in ("/api", "/pusher", "/app", "/ws", "/reverb", "/soketi"):
        yield f"{prefix}{path}"


_MOST_STARTS = 8  # of a path, or of an end of it that may have been signed alone


@_mistake(
    "path",
    "Only the end of the path was signed.",
    "Sign the whole path, from the first slash after the host, such as /apps/3/events.",
    table=IN_REQUESTS,
)
def _end_of_path_signed(path: str, credentials: Credentials) -> Iterator[str]:
    starts = re.compile("/(?=[^/])").finditer(path, max(path.rfind("/apps/"), 0) + 1)
    for found in islice(starts, _MOST_STARTS):
        yield from (path[found.start() :], path[found.end() :])


# Signed and not sent: only the other side knows its name. These are the ones that servers, their
# guides and reverse proxies use.
_PREFIXES = """
api app apps pusher ws wss reverb soketi sockudo poxa slanger sockets socket socket.io websocket
websockets laravel-websockets web-sockets broadcasting broadcast broadcasts broadcaster realtime
real-time rt live push events event messaging messages message notifications notification notify
channels channel stream streams chat hub gateway gw proxy backend server service services public
internal external rest http https echo relay bus signal pubsub mq edge dev development staging
stage test prod production v1 v2 v3 api/v1 api/v2 api/v3 api/pusher api/ws api/sockets api/socket
api/websockets api/realtime api/broadcasting api/reverb api/soketi ws/api pusher/api services/ws
services/pusher
""".split()  # noqa: SIM905 - as a list it's a line each


@_more_ways("prefix-on-one-side")
def _known_prefix_signed(path: str, credentials: Credentials) -> Iterator[str]:
    url = urlsplit(credentials.base_url)
    own = [url.path.strip("/")] if url.path.strip("/") else []
    labels = (url.hostname or "").split(".")
    yield from (f"/{prefix}{path}" for prefix in dict.fromkeys([*own, *labels, *_PREFIXES]))


@_mistake(
    "path",
    "The path was signed in one percent-encoding and sent in another.",
    "Sign the path as it is in the request line, and let no proxy decode or encode it again.",
    table=IN_REQUESTS,
)
def _path_encoded_otherwise(path: str, credentials: Credentials) -> Iterator[str]:
    bare = unquote(path)
    yield bare
    yield from (quote(bare, safe=safe) for safe in ("/", "/,;=@:", "/!$&'()*+,;=:@"))
    yield quote(path, safe="/")  # encoded twice
    for case in (str.lower, str.upper):
        yield re.sub("%[0-9A-Fa-f]{2}", lambda found, case=case: case(found[0]), path)  # type: ignore[misc]


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


_APP = re.compile("/apps/([^/]*+)")
# The app ids of published examples: of this kit's reference, and of Pusher's documentation.
_PUBLISHED_APP_IDS = ("6855671", "3", "1", "APP_ID", "YOUR_APP_ID", "app-id", "undefined", "null")


@_mistake(
    "path",
    "The path was signed with another app id than the one that it was sent with.",
    "Put your own app's id into the path, /apps/{app_id}/events, once; then sign and send that.",
    table=IN_REQUESTS,
)
def _another_apps_path(path: str, credentials: Credentials) -> Iterator[str]:
    sent = _APP.search(path)
    if sent and sent[1] != credentials.app_id:
        yield path[: sent.start(1)] + credentials.app_id + path[sent.end(1) :]


@_more_ways("another-apps-path")
def _path_of_an_example(path: str, credentials: Credentials) -> Iterator[str]:
    if sent := _APP.search(path):
        for app_id in _PUBLISHED_APP_IDS:
            yield path[: sent.start(1)] + app_id + path[sent.end(1) :]


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
    "The path and the parameters, or all three lines, are joined by a question mark.",
    "Join them with a newline.",
)
def _question_mark_for_newline(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield f"{lines[0]}\n{lines[1]}?{lines[2]}"
    yield "?".join(lines)


@_mistake(
    "newline",
    "The body itself was added to the end of the signed text.",
    "Leave the body out, because its hash, body_md5, already covers it.",
)
def _body_appended(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    if body.sent:
        yield "\n".join([*lines, body.text])


@_mistake(
    "newline",
    "A line of the signed text is missing: the method, the path, or both.",
    "Sign all three lines: method, path and parameters.",
)
def _line_missing(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    method, path, query = lines
    yield from (f"{path}\n{query}", f"{path}?{query}", query, f"{method}\n{query}")


@_mistake(
    "newline",
    "The signed text ends after the path, so no parameters were signed.",
    "Sign every parameter but auth_signature on a third line.",
)
def _two_lines_signed(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    yield f"{lines[0]}\n{lines[1]}"


@_mistake(
    "newline",
    "The signature is the HMAC of the body, or of its hash, where the canonical string belongs.",
    "Sign method, path and parameters; the body is covered by body_md5, which is one of them.",
    table=ALONE,
)
def _body_signed(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    if body.sent:
        yield body_digest(body.sent)
        yield body.text


@_mistake(
    "newline",
    "The text was signed together with its wrapper, such as Some(…) or quotes.",
    "Take the text out (get, unwrap) before you sign it.",
    table=ALONE,
)
def _text_signed_in_a_wrapper(lines: tuple[str, str, str], body: Body) -> Iterator[str]:
    for wrapper in (*WRAPPERS, '"{}"', "'{}'"):
        yield wrapper.format("\n".join(lines))
        yield wrapper.format("\\n".join(lines))  # printed, the newlines are written out


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
    table=IN_REQUESTS,
)
def _timestamp_sent_in_milliseconds(timestamp: str) -> Iterator[str]:
    if len(timestamp) >= MILLISECOND_DIGITS:
        yield timestamp[:-3]


@_mistake(
    "timestamp",
    "The timestamp was sent with a fraction of a second, but signed without it.",
    _READ_ONCE,
    table=IN_REQUESTS,
)
def _timestamp_sent_with_fraction(timestamp: str) -> Iterator[str]:
    if found := re.fullmatch(r"([0-9]{1,15})\.[0-9]+", timestamp):
        yield found[1]
        yield str(int(found[1]) + 1)  # rounded


@_more_ways("timestamp-in-milliseconds")
def _timestamp_with_its_milliseconds(timestamp: str) -> Iterator[str]:
    if re.fullmatch("[0-9]{1,15}", timestamp):
        yield from (f"{timestamp}{milliseconds:03}" for milliseconds in range(1, 1000))


@_more_ways("timestamp-with-fraction")
def _timestamp_with_three_digits_of_fraction(timestamp: str) -> Iterator[str]:
    if re.fullmatch("[0-9]{1,15}", timestamp):
        # As JavaScript prints Date.now() / 1000: without zeros at the end.
        for milliseconds in range(1, 1000):
            yield f"{timestamp}.{milliseconds:03}".rstrip("0")


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


@_mistake(
    "secret",
    "The secret was encoded in base64 before it was used.",
    "Use the secret as the app's settings show it; a Kubernetes secret has to be decoded first.",
)
def _secret_base64_encoded(credentials: Credentials) -> Iterator[bytes]:
    secret = credentials.secret.encode()
    yield base64.b64encode(secret)
    yield base64.b64encode(secret + b"\n")  # echo $SECRET | base64


@_mistake(
    "secret",
    "The secret is empty, so the setting that should hold it isn't there.",
    "Check where PUSHER_SECRET is set, and that the process that signs gets to see it.",
)
def _secret_empty(credentials: Credentials) -> Iterator[bytes]:
    yield b""


@_mistake(
    "secret",
    "A placeholder was used as the secret.",
    "Put in the secret that the app's settings show, and check that the variable is replaced.",
    table=ALONE,
)
def _placeholder_as_secret(credentials: Credentials) -> Iterator[bytes]:
    yield from (text.encode() for text in _PLACEHOLDERS)


# What stands where a setting is missing, or was never put in.
_PLACEHOLDERS = """
undefined null None nil NULL false secret SECRET your-secret your_secret YOUR_SECRET your_app_secret
YOUR_APP_SECRET APP_SECRET app-secret app_secret PUSHER_SECRET $PUSHER_SECRET ${PUSHER_SECRET}
PUSHER_APP_SECRET ${PUSHER_APP_SECRET} your-pusher-secret your-pusher-app-secret <secret>
YOUR_PUSHER_SECRET your-app-secret changeme *** 7ad3773142a6692b25b8
""".split()  # noqa: SIM905 - the same; the last is the published example's


@_mistake(
    "secret",
    "The app id was used instead of the secret.",
    "Sign with the secret; the app id belongs in the path.",
    table=ALONE,
)
def _app_id_as_secret(credentials: Credentials) -> Iterator[bytes]:
    yield credentials.app_id.encode()


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


@_mistake(
    "mac",
    "The signature is a plain SHA-256 of the text, without the secret.",
    "Use HMAC-SHA256, keyed by the secret, because anyone can make a plain hash.",
)
def _hash_without_secret(key: bytes, message: bytes) -> Iterator[bytes]:
    yield hashlib.sha256(message).digest()


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
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


@_mistake(
    "encoding",
    "The signature is written in upper case.",
    "Write it in lower case, because the two are compared as text.",
)
def _signature_in_upper_case(raw: bytes) -> Iterator[str]:
    yield raw.hex().upper()


@_mistake(
    "encoding",
    "The signature has lost leading zeros: hex needs two digits for each byte, 0a and not a.",
    "Pad with leading zeros: %02x for each byte, or %064x for the whole number.",
    table=IN_REQUESTS,
)
def _signature_without_leading_zeros(raw: bytes) -> Iterator[str]:
    yield from _without_zeros(raw)


@_mistake(
    "encoding",
    "The signature is written with dashes, spaces or colons between its bytes, or in angle "
    "brackets, as .NET's BitConverter or Objective-C's NSData print bytes.",
    "Write 64 lower-case hex digits with nothing between or around them.",
    table=IN_REQUESTS,
)
def _signature_with_separators(raw: bytes) -> Iterator[str]:
    yield from _with_separators(raw)


@_mistake(
    "encoding",
    "The signature is written as numbers, one for each byte, the way a list of bytes is printed.",
    "Write each byte as two hex digits, with nothing between them.",
    table=IN_REQUESTS,
)
def _signature_as_numbers(raw: bytes) -> Iterator[str]:
    signed = [byte - 256 if byte > 127 else byte for byte in raw]  # Java's bytes
    for numbers in (list(raw), signed):
        for joint in (", ", ","):
            text = joint.join(map(str, numbers))
            yield from (text, f"[{text}]")


def _without_zeros(raw: bytes) -> Iterator[str]:
    """Hex without the zeros that a number or a byte would begin with; upper case, too."""
    whole = f"{int.from_bytes(raw):x}"  # as Java's BigInteger writes it, padded to fewer digits
    each = "".join(f"{byte:x}" for byte in raw)  # as Arduino's String(byte, HEX) does
    for text in (whole, each):
        if len(text) < 2 * len(raw):  # none lost: nothing wrong, and upper case has its own name
            yield from (text, text.upper())


def _with_separators(raw: bytes) -> Iterator[str]:
    """Hex with something between its bytes, in both cases; and as byte objects are printed."""
    for joint in ("-", " ", ":", ", "):
        yield raw.hex(joint[0]).replace(joint[0], joint)
        yield raw.hex(joint[0]).replace(joint[0], joint).upper()
    yield "".join(rf"\x{byte:02x}" for byte in raw)
    yield " ".join(f"0x{byte:02x}" for byte in raw)
    groups = raw.hex(" ", -4)
    yield from (groups, f"<{groups}>")  # NSData, up to iOS 12
    if len(raw) > 24:  # and from iOS 13 on, where the middle is left out
        groups = f"{raw[:16].hex(' ', -4)} ... {raw[-8:].hex(' ', -4)}"
    yield f"{{length = {len(raw)}, bytes = 0x{groups} }}"


def _is_utf_8(body: Body) -> bool:
    try:
        return bool(body.text) or True
    except UnicodeDecodeError:
        return False


def _is_utf_8_twice(body: Body) -> bool:
    """Whether the body is UTF-8 of what is UTF-8 already, and not all ASCII."""
    try:
        return not body.text.isascii() and bool(body.text.encode("latin-1").decode())
    except ValueError:
        return False


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
