"""What can a test vector not detect? Pure.

A vector is a request with every stage of its signing written out; whoever writes a client checks
it against vectors. But a mistake that changes nothing on a vector passes it: unsorted parameters
where they happen to be in order, a Latin-1 body that is all ASCII. `blind_spots()` names these
mistakes, `exposing_addition()` the fewest small additions after which the vector detects them.

Detecting means: whoever makes the mistake gets another signature or another body_md5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import TABLE, Mistake, Pair, values_of
from pusherkit.errors import InvalidCredentials, UnreadableEvidence
from pusherkit.signing import SIGNING_PARAMS, Signature, sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A request to sign, and with what. `signature` has every stage of its signing."""

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
        named = re.match(r"(?:/[^/]+)*?/apps/([^/]+)", self.path)
        return Credentials(app_id=named[1] if named else "3", key=self.key, secret=self.secret)

    @property
    def signature(self) -> Signature:
        return sign(
            self.credentials,
            self.method,
            self.path,
            self.params,
            self.body.encode(),
            timestamp=self.timestamp,
        )


def blind_spots(vector: Vector) -> tuple[Mistake, ...]:
    """The known mistakes that the vector cannot detect, in the order of the table.

    Some mistakes can be made in several ways; one way that passes unnoticed is enough. So is a
    mistake that cannot be made here, such as one of the body where there is none. The vector does
    not say where the auth parameters stand in the URL, so either end is tried.
    """
    arrangements = [_right(vector, pairs) for pairs in _arranged(vector)]
    return tuple(
        mistake
        for axis, rows in TABLE.items()
        for mistake, function in rows
        if any(_unnoticed(function, *right[axis]) for right in arrangements)
    )


def _unnoticed(
    function: Callable[..., Iterator[Any]], right: Any, arguments: tuple[Any, ...]
) -> bool:
    """Whether a mistake gives what is right, or cannot be made.

    A mistake is made on one axis, and what follows is the same and ends in a hash: the signature
    is the right one if and only if the value on that axis is.
    """
    made = list(values_of(function, *arguments))
    return right is None or not made or right in made


def _arranged(vector: Vector) -> tuple[list[Pair], list[Pair]]:
    """All parameters in the order of the URL: the auth parameters before the own, or after."""
    auth = [pair for pair in vector.signature.params if pair[0] in SIGNING_PARAMS]
    return [*auth, *vector.params], [*vector.params, *auth]


def _right(vector: Vector, pairs: list[Pair]) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """For each axis of the table, the right value, and the arguments of the axis's functions."""
    signature, credentials = vector.signature, vector.credentials
    text, secret, body = signature.canonical_string, vector.secret.encode(), vector.body.encode()
    method, path = vector.method.upper(), vector.path
    query = text.removeprefix(f"{method}\n{path}\n")
    raw = bytes.fromhex(signature.hexdigest)
    return {
        "digest": (signature.body_md5, (body,)),  # None where there is no body
        "query": (query, (pairs,)),
        "path": (path, (path, credentials)),
        "method": (method, (method,)),
        "newline": (text, ((method, path, query), body)),
        "timestamp": (str(vector.timestamp), (str(vector.timestamp),)),
        "secret": (secret, (credentials,)),
        "mac": (raw, (secret, text.encode())),
        "encoding": (signature.hexdigest, (raw,)),
    }


# --- the addition -----------------------------------------------------------------------------

# What can be added to a vector, smallest first; _with() does it.
_ADDITIONS = {
    "accent": "a character that is not ASCII in the body",
    "newline": "a newline at the end of the body",
    "order": "parameters that do not stand in the order of their keys",
    "key": "a parameter whose key has an upper-case letter",
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

    `vector` has them; `left` are the blind spots that it still has.
    """

    what: tuple[str, ...]
    vector: Vector
    left: tuple[Mistake, ...]


def exposing_addition(vector: Vector) -> Addition:
    """The fewest additions that expose most blind spots; none where there is none to expose."""
    best = Addition(what=(), vector=vector, left=blind_spots(vector))
    for count in range(1, len(_ADDITIONS) + 1):
        for chosen in combinations(_ADDITIONS, count):
            if not best.left:
                return best
            changed = _with(vector, chosen)
            left = blind_spots(changed)
            if len(left) < len(best.left):
                what = tuple(_ADDITIONS[addition] for addition in chosen)
                best = Addition(what=what, vector=changed, left=left)
    return best


def _with(vector: Vector, chosen: Iterable[str]) -> Vector:
    """A vector with additions made to it."""
    chosen = set(chosen)
    keys = {key.lower() for key, _ in vector.params}
    # "zone" sorts behind the auth parameters and "a" before them, so wherever these stand, the
    # two are out of order.
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
    """A JSON text with é at the end of its first value that is a string; others stay as they are.

    The value's end, so that an event's data stays JSON where its name comes first.
    """
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"', text):
        if not re.match(r"\s*:", text[found.end() :]):
            return f"{text[: found.end() - 1]}é{text[found.end() - 1 :]}"
    return text


# --- for people -------------------------------------------------------------------------------


def report(vector: Vector) -> str:
    """What a vector cannot detect, and the smallest addition that would, as lines of text."""
    blind = blind_spots(vector)
    if not blind:
        return f"{vector.name}: detects every known mistake."
    known = sum(map(len, TABLE.values()))
    lines = [f"{vector.name}: cannot detect {len(blind)} of {known} known mistakes."]
    lines += [f"  {mistake.name}: {mistake.why}" for mistake in blind]
    addition = exposing_addition(vector)
    if addition.what:
        lines.append("  The smallest addition that exposes them:")
        lines += [f"  + {what}" for what in addition.what]
        changes = _changes(vector, addition.vector).items()
        lines.append("  What changes:")
        lines += [f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in changes]
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
    """The stages of signing, under the names that a vector's JSON has for them."""
    return {
        "body_md5": signature.body_md5,
        "canonical_string": signature.canonical_string,
        "signature": signature.hexdigest,
    }


# --- from JSON --------------------------------------------------------------------------------


def read_vectors(text: str) -> tuple[Vector, ...]:
    """Read one vector, or a list of them, from JSON.

    A vector is an object with method, path, key, secret and timestamp; params (an object, or a
    list of pairs) and body (text) may be missing. The stages body_md5, canonical_string and
    signature, where they are stated, must be right. `id` or `name` names it. Bytes that are no
    UTF-8 stand in `text` as surrogateescape leaves them. Raises UnreadableEvidence.
    """
    if undecoded := re.search(r"[\udc80-\udcff]", text):
        raise UnreadableEvidence(
            f"Expected vectors as JSON in UTF-8; character {undecoded.start()} is not UTF-8."
        )
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise UnreadableEvidence(f"Expected vectors as JSON: {error}.") from None
    items = value if isinstance(value, list) else [value]
    if not items:
        raise UnreadableEvidence("Expected a vector or a list of them; the list is empty.")
    return tuple(_vector(item, f"vector {number}") for number, item in enumerate(items, start=1))


def _vector(item: object, name: str) -> Vector:
    if not isinstance(item, dict):
        raise UnreadableEvidence(f"{name}: expected an object with {', '.join(_NEEDED)}.")
    label = item.get("id", item.get("name"))
    name = label if isinstance(label, str) and label else name
    if missing := [field for field in _NEEDED if field not in item]:
        raise UnreadableEvidence(f"{name}: missing {', '.join(missing)}.")
    fields = {"body": "", **item}
    for text in ("method", "path", "key", "secret", "body"):
        if not isinstance(fields[text], str):
            raise UnreadableEvidence(f"{name}: {text}: expected text.")
        _refuse_half_characters(f"{name}: {text}", fields[text])
    timestamp = fields["timestamp"]
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or timestamp < 0:
        raise UnreadableEvidence(f"{name}: timestamp: expected whole Unix seconds, as a number.")
    vector = Vector(
        name=name,
        params=_params(fields.get("params"), name),
        timestamp=timestamp,
        **{text: fields[text] for text in ("method", "path", "key", "secret", "body")},
    )
    try:
        signature = vector.signature
    except InvalidCredentials as error:
        raise UnreadableEvidence(f"{name}: {error}") from None
    for stage, right in _stages(signature).items():
        if stage in fields and fields[stage] != right and (fields[stage] or right):
            got = vector.credentials.hide(repr(fields[stage]))
            raise UnreadableEvidence(
                f"{name}: its {stage} is not that of its own parts: expected {right!r}, got {got}."
            )
    return vector


_NEEDED = ("method", "path", "key", "secret", "timestamp")


def _params(value: object, name: str) -> tuple[Pair, ...]:
    pairs = list(value.items()) if isinstance(value, dict) else [] if value is None else value
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(t, str) for t in pair)
        for pair in pairs
    ):
        raise UnreadableEvidence(f'{name}: params: expected pairs of text: [["key", "value"], …].')
    if auth := [key for key, _ in pairs if key.lower() in SIGNING_PARAMS]:
        raise UnreadableEvidence(
            f"{name}: params: leave out {', '.join(auth)}; signing adds them. "
            "Expected the request's own parameters."
        )
    for text in (text for pair in pairs for text in pair):
        _refuse_half_characters(f"{name}: params", text)
    return tuple((key, value) for key, value in pairs)


def _refuse_half_characters(what: str, text: str) -> None:
    if half := re.search(r"[\ud800-\udfff]", text):
        raise UnreadableEvidence(
            f"{what}: character {half.start()} is half of a surrogate pair "
            f"(U+{ord(half[0]):04X}), which has no bytes in UTF-8."
        )
