"""Which mistakes would a test vector let pass? Pure.

A vector is a request with every stage of its signing written out, for checking a client that you
write. But a mistake that changes nothing on a vector passes it: parameters left unsorted where
they happen to be in order, a body in Latin-1 that is all ASCII. `blind_spots()` names these
mistakes, and `exposing_addition()` the fewest small additions after which the vector detects them.

To detect a mistake means that a client that makes it gets another signature, or another body_md5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

from pusherkit.credentials import Credentials
from pusherkit.doctor.door import Door
from pusherkit.doctor.mistakes import TABLE, Body, Mistake, Pair, values_of
from pusherkit.doctor.pasted import app_in
from pusherkit.errors import InvalidCredentials, UnreadableText
from pusherkit.signing import SIGNING_PARAMS, Request, Signature, sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A request to sign, and what to sign it with. `signature` has every stage of its signing."""

    method: str
    path: str
    params: tuple[Pair, ...] = ()
    """The request's own parameters, not URL-encoded, in the order of the URL."""
    body: str = ""
    """Text, to be sent as UTF-8."""
    key: str
    secret: str = field(repr=False)
    timestamp: int
    name: str = ""

    @property
    def credentials(self) -> Credentials:
        """Its key and secret, and the app that the path names."""
        return Credentials(app_id=app_in(self.path) or "3", key=self.key, secret=self.secret)

    @property
    def request(self) -> Request:
        """The request, not signed yet."""
        return Request(self.method, self.path, self.params, self.body.encode())

    @property
    def signature(self) -> Signature:
        """The request's signature, with every stage."""
        request, time = self.request, self.timestamp
        return sign(
            self.credentials,
            request.method,
            request.path,
            request.params,
            request.body,
            timestamp=time,
        )


def blind_spots(vector: Vector) -> tuple[Mistake, ...]:
    """The known mistakes that the vector cannot detect, in the order of the table.

    Some mistakes can be made in several ways, and one that passes unnoticed is enough. So is a
    mistake that cannot be made here, such as one of the body where there is none. The vector
    doesn't say where the auth parameters are in the URL, so both ends are tried.
    """
    steps = _steps(vector)
    return tuple(
        mistake
        for axis, rows in TABLE.items()
        for mistake, function in rows
        if any(_unnoticed(function, step) for step in steps[axis])
    )


class _Step(NamedTuple):
    """One axis of signing: the right value, and what the functions of its mistakes are given."""

    right: Any
    given: tuple[Any, ...]


def _steps(vector: Vector) -> dict[str, list[_Step]]:
    """Every axis of the table, for this vector; the query for each order of the URL."""
    signature, credentials = vector.signature, vector.credentials
    text, secret = signature.canonical_string, vector.secret.encode()
    body, time = Body(vector.body.encode()), str(vector.timestamp)
    method, path = vector.method.upper(), vector.path
    query = text.removeprefix(f"{method}\n{path}\n")
    raw = bytes.fromhex(signature.hexdigest)
    auth = [pair for pair in signature.params if pair[0] in SIGNING_PARAMS]
    in_the_url = ([*auth, *vector.params], [*vector.params, *auth])
    return {
        "digest": [_Step(signature.body_md5, (body,))],  # None where there is no body
        "query": [_Step(query, (pairs,)) for pairs in in_the_url],
        "path": [_Step(path, (path, credentials))],
        "method": [_Step(method, (method,))],
        "newline": [_Step(text, ((method, path, query), body))],
        "timestamp": [_Step(time, (time,))],
        "secret": [_Step(secret, (credentials,))],
        "mac": [_Step(raw, (secret, text.encode()))],
        "encoding": [_Step(signature.hexdigest, (raw,))],
    }


def _unnoticed(function: Callable[..., Iterator[Any]], step: _Step) -> bool:
    """Whether a mistake gives the right value, or cannot be made.

    A mistake is made on one axis, and all that comes after is the same and ends in a hash. So the
    signature is the right one if, and only if, the value on that axis is.
    """
    made = list(values_of(function, *step.given))
    return step.right is None or not made or step.right in made


# --- the addition -----------------------------------------------------------------------------

# What can be added to a vector, smallest first; with_additions() does it.
ADDITIONS = {
    "accent": "a character that is not ASCII in the body",
    "newline": "a newline at the end of the body",
    "order": "parameters that are not in the order of their names",
    "key": "a parameter whose name has an upper-case letter",
    "value": "a parameter whose value has a comma and a space",
    "secret": "a secret that could be hex or base64: hex digits, a multiple of four of them",
    "path": "the path of a call that publishes",
    "body": "a body, and a method that has one",
}
_BODY = '{"name":"message","channel":"chat","data":"hello"}'
_SECRET = "7ad3773142a6692b25b8"  # noqa: S105 - of the published worked example


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """The fewest additions to a vector that expose its blind spots.

    `vector` is the vector with them, and `left` are the blind spots that it still has.
    """

    what: tuple[str, ...]
    vector: Vector
    left: tuple[Mistake, ...]


def exposing_addition(vector: Vector) -> Addition:
    """The fewest additions that expose the most blind spots; none where none can be exposed."""
    best = Addition(what=(), vector=vector, left=blind_spots(vector))
    for count in range(1, len(ADDITIONS) + 1):
        for chosen in combinations(ADDITIONS, count):
            if not best.left:
                return best
            changed = with_additions(vector, chosen)
            left = blind_spots(changed)
            if len(left) < len(best.left):
                what = tuple(ADDITIONS[addition] for addition in chosen)
                best = Addition(what=what, vector=changed, left=left)
    return best


def with_additions(vector: Vector, chosen: Iterable[str]) -> Vector:
    """A vector with some of ADDITIONS, by their names."""
    chosen = set(chosen)
    keys = {key.lower() for key, _ in vector.params}
    # "zone" sorts after the auth parameters and "a" before them. So the two are out of order,
    # wherever the URL has the auth parameters.
    own = []
    if chosen & {"key", "value"} or ("order" in chosen and max(keys, default="") < "b"):
        own.append(("Zone" if "key" in chosen else "zone", "a, b" if "value" in chosen else "1"))
    if "order" in chosen and "a" not in keys:
        own.append(("a", "1"))
    method, text = vector.method, vector.body
    if "body" in chosen:
        method, text = "POST", _BODY
    if "accent" in chosen:
        text = _accented(text)
    if "newline" in chosen:
        text += "\n"
    return replace(
        vector,
        method=method,
        path=f"/apps/{vector.credentials.app_id}/events" if "path" in chosen else vector.path,
        params=(*vector.params, *own),
        body=text,
        secret=_SECRET if "secret" in chosen else vector.secret,
    )


def _accented(text: str) -> str:
    """A JSON text with é at the end of its first value that is a string; any other is unchanged.

    The end of the value, so that an event's data is still JSON where its name comes first.
    """
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"', text):
        if not re.match(r"\s*:", text[found.end() :]):
            return f"{text[: found.end() - 1]}é{text[found.end() - 1 :]}"
    return text


# --- for people -------------------------------------------------------------------------------


def report(vector: Vector) -> str:
    """What a vector cannot detect, and the smallest addition that would change that, as text."""
    blind, door = blind_spots(vector), Door(vector.secret)
    if not blind:
        return f"{vector.name}: detects every known mistake."
    known = sum(map(len, TABLE.values()))
    lines = [f"{vector.name}: cannot detect {len(blind)} of {known} known mistakes."]
    lines += [f"  {mistake.name}: {mistake.why}" for mistake in blind]
    addition = exposing_addition(vector)
    if addition.what:
        lines.append("  The smallest addition that exposes them:")
        lines += [f"  + {what}" for what in addition.what]
        lines.append("  What changes:")
        for name, value in _changes(vector, addition.vector).items():
            lines.append(f"    {json.dumps(name)}: {door.hide(json.dumps(value))}")
    if addition.left:
        left = ", ".join(mistake.name for mistake in addition.left)
        lines.append(f"  Only another vector could expose: {left}")
    return "\n".join(lines)


def _changes(old: Vector, new: Vector) -> dict[str, object]:
    """The fields of a vector's JSON that an addition changes, the stages included."""
    before, after = _fields(old), _fields(new)
    return {name: value for name, value in after.items() if value != before[name]}


def _fields(vector: Vector) -> dict[str, object]:
    return {
        "key": vector.key,
        "secret": vector.secret,
        "timestamp": vector.timestamp,
        "method": vector.method,
        "path": vector.path,
        "params": vector.params,
        "body": vector.body,
        **_stages(vector.signature),
    }


def _stages(signature: Signature) -> dict[str, object]:
    """The stages of signing, by the names that they have in a vector's JSON."""
    return {
        "body_md5": signature.body_md5,
        "canonical_string": signature.canonical_string,
        "signature": signature.hexdigest,
    }


# --- from JSON --------------------------------------------------------------------------------


def read_vectors(text: str) -> tuple[Vector, ...]:
    """Read vectors from JSON: one, a list of them, or an object with lists of them.

    A vector is an object with method, path, key, secret and timestamp; params (an object, or a
    list of pairs) and body (text) may be missing. The stages body_md5, canonical_string and
    signature must be right if they are there. `id` or `name` names the vector.

    In an object with lists, as tests/vectors.json is, those of `vectors` and `no_blind_spot` are
    read that are whole requests: without a `kind`, or of the kind "rest", and with none of
    signing's own parameters among theirs. Bytes that aren't UTF-8 are in `text` as
    surrogateescape leaves them. Raises UnreadableText.
    """
    if undecoded := re.search(r"[\udc80-\udcff]", text):
        raise UnreadableText(
            f"Expected vectors as JSON in UTF-8; character {undecoded.start()} is not UTF-8."
        )
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise UnreadableText(f"Expected vectors as JSON: {error}.") from None
    items = _items(value)
    if not items:
        raise UnreadableText("Expected a vector or a list of them; there is none.")
    return tuple(_vector(item, f"vector {n}") for n, item in enumerate(items, start=1))


def _items(value: object) -> list[object]:
    """The vectors in what was read: itself, a list, or the lists of an object."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("vectors"), list):
        return [value]
    own = value.get("no_blind_spot")
    every = [*value["vectors"], *(own if isinstance(own, list) else [])]
    return [item for item in every if not isinstance(item, dict) or _is_whole_request(item)]


def _is_whole_request(item: dict[str, object]) -> bool:
    names = [pair[0] for pair in _pairs(item.get("params"))]
    return item.get("kind", "rest") == "rest" and SIGNING_PARAMS.isdisjoint(names)


def _vector(item: object, name: str) -> Vector:
    if not isinstance(item, dict):
        raise UnreadableText(f"{name}: expected an object with {', '.join(_NEEDED)}.")
    door = Door(item.get("secret"))
    label = item.get("id", item.get("name"))
    name = door.hide(label) if isinstance(label, str) and label else name
    if missing := [field for field in _NEEDED if field not in item]:
        raise UnreadableText(f"{name}: missing {', '.join(missing)}.")
    fields = {"body": "", **item}
    for text in ("method", "path", "key", "secret", "body"):
        if not isinstance(fields[text], str):
            raise UnreadableText(f"{name}: {text}: expected text.")
        _refuse_half_characters(f"{name}: {text}", fields[text])
    timestamp = fields["timestamp"]
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or timestamp < 0:
        raise UnreadableText(f"{name}: timestamp: expected whole Unix seconds, as a number.")
    vector = Vector(
        name=name,
        params=_params(fields.get("params"), name),
        timestamp=timestamp,
        **{text: fields[text] for text in ("method", "path", "key", "secret", "body")},
    )
    try:
        signature = vector.signature
    except InvalidCredentials as error:
        raise UnreadableText(f"{name}: {error}") from None
    for stage, right in _stages(signature).items():
        if stage in fields and fields[stage] != right and (fields[stage] or right):
            got, expected = door.hide(repr(fields[stage])), door.hide(repr(right))
            raise UnreadableText(
                f"{name}: its {stage} is not that of its own parts: expected {expected}, got {got}."
            )
    return vector


_NEEDED = ("method", "path", "key", "secret", "timestamp")


def _pairs(value: object) -> list[Pair]:
    """The pairs of text in a vector's params; what isn't one is left out."""
    pairs = list(value.items()) if isinstance(value, dict) else value
    return [
        (pair[0], pair[1])
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, list | tuple)
        and len(pair) == 2
        and all(isinstance(text, str) for text in pair)
    ]


def _params(value: object, name: str) -> tuple[Pair, ...]:
    pairs = _pairs(value)
    if value is not None and (not isinstance(value, dict | list) or len(pairs) < len(value)):
        raise UnreadableText(f'{name}: params: expected pairs of text: [["name", "value"], …].')
    if auth := [key for key, _ in pairs if key.lower() in SIGNING_PARAMS]:
        raise UnreadableText(
            f"{name}: params: leave out {', '.join(auth)}; signing adds them. "
            "Expected the request's own parameters."
        )
    for text in (text for pair in pairs for text in pair):
        _refuse_half_characters(f"{name}: params", text)
    return tuple(pairs)


def _refuse_half_characters(what: str, text: str) -> None:
    if half := re.search(r"[\ud800-\udfff]", text):
        raise UnreadableText(
            f"{what}: character {half.start()} is half of a surrogate pair "
            f"(U+{ord(half[0]):04X}), which has no bytes in UTF-8."
        )
