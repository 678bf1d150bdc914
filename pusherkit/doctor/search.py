"""Which mistakes made this signature? The search that proves it. Pure.

`diagnose()` signs the request again under every mistake of the table, then under every pair of
them on two axes. It names a mistake only if the result is exactly the signature, or exactly the
body_md5, that was received: reproduced, not guessed.

The search needs the secret. For what can be said without it, see refusals.py.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice
from typing import Any, NamedTuple

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import (
    CANNOT_BE_MADE,
    LESSONS,
    ON_THE_WIRE,
    TABLE,
    Body,
    Mistake,
    Row,
    in_order,
    values_of,
)
from pusherkit.signing import Params, Request, Verdict, body_digest, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Mistakes that, made together, give exactly what was received.

    `canonical_string` is the text that was signed that way, and `reproduced` is the result: the
    auth_signature that was received or, where only the body hash is wrong, the body_md5.
    """

    mistakes: tuple[Mistake, ...]
    canonical_string: str
    reproduced: str

    def __str__(self) -> str:
        lines = []
        for mistake in self.mistakes:
            lines += [f"{mistake.name}: {mistake.why}", f"  Fix: {mistake.fix}"]
        return "\n".join([*lines, f"  Proof: this gives exactly what was sent, {self.reproduced}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a request: nothing, or findings with their proof, the fewest mistakes.

    `notes` are what needs no search, such as a clock that is wrong. `unexplained` says what is
    left where neither of them explains the refusal, and is empty where they do. `what` is what
    was looked at: "request", "subscription", "sign-in" or "webhook".
    """

    valid: bool
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    unexplained: str = ""
    what: str = "request"

    def __str__(self) -> str:
        if self.valid:
            return "\n".join([f"The {self.what} is signed as it should be.", *self.notes])
        several = f"Each of these {len(self.findings)} explanations gives exactly what was sent."
        lines = [*self.notes]
        lines += [several] if len(self.findings) > 1 else []
        lines += map(str, self.findings)
        lines += [self.unexplained] if self.unexplained else []
        return "\n".join(lines)


UNEXPLAINED = (
    "No known mistake, and no two of them together, give this signature. Still possible: a "
    "different app's secret, a body altered in transit, three or more mistakes at once, or one "
    "that is not in the table yet."
)
UNFINISHED = (
    "The search for the mistake took too long here, so it was stopped early. "
    "`pusherkit doctor` searches a pasted request to the end."
)
ANOTHER_APP = Mistake(
    "another-apps-secret",
    "secret",
    "The request was signed with another app's secret.",
    "Take the app key and the secret from the same app, and check which app your settings name.",
    LESSONS["secret"],
)
"""Not in the table, because it can be found only where the other apps' secrets are known."""


# --- the diagnosis ----------------------------------------------------------------------------


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

    With `now` None the clock isn't judged. `others` are the credentials of other apps that you
    know, and their secrets are tried too.
    """
    request = Request(method, path, params, body)
    verdict = judge(credentials, request, now=_sent_time(request) if now is None else now)
    return explain(credentials, request, verdict, others=others)


def explain(
    credentials: Credentials,
    request: Request,
    verdict: Verdict,
    *,
    others: Iterable[Credentials] = (),
    go_on: Callable[[], bool] = lambda: True,
) -> Diagnosis:
    """Name the mistakes behind a verdict that judge() gave on this request.

    The search takes 50 to 90 ms, and longer for a body of megabytes. `go_on` is called after each
    millisecond or so, and after each hash of the body. If it returns False, the search ends
    there, and the diagnosis says that it isn't complete.
    """
    if verdict.failed is None:
        return Diagnosis(valid=True)
    others = tuple(others)
    failed = {check.rule: f"{check.error}. {check.fix}" for check in verdict.checks if check.error}
    notes = [failed[rule] for rule in ("auth_version", "auth_timestamp") if rule in failed]
    if "auth_key" in failed:
        notes.insert(0, _quoted_key(credentials, request) or failed["auth_key"])
    if credentials.secret in request.values("auth_key"):
        notes.insert(0, "auth_key holds the secret. Key and secret are swapped.")

    findings: tuple[Finding, ...] = ()
    unexplained = UNEXPLAINED
    try:
        findings = _findings(_Search(credentials, request, others, go_on), failed)
    except _StoppedEarly:
        unexplained = UNFINISHED
    if findings or "auth_signature" not in failed:
        unexplained = ""
    elif form := _form_of(request.values("auth_signature")):
        notes, unexplained = [*notes, form], ""
    if "body_md5" in failed and not findings:
        notes.append(failed["body_md5"])
    for other in others:
        notes = [other.hide(note) for note in notes]
    return Diagnosis(valid=False, findings=findings, notes=tuple(notes), unexplained=unexplained)


def _findings(search: _Search, failed: Mapping[str, str]) -> tuple[Finding, ...]:
    """Every explanation with the fewest mistakes."""
    if "body_md5" not in failed:
        return tuple(finding for finding in search.signed_with(at_most=2) if finding.mistakes)
    # The wrong hash that was sent is one mistake, so the signature may hold one more.
    digests = search.mistakes_in_body_md5()
    signatures = list(search.signed_with(at_most=1)) if digests else []
    return tuple(
        Finding(
            mistakes=(digest, *signature.mistakes),
            canonical_string=signature.canonical_string,
            reproduced=signature.reproduced if signature.mistakes else search.body_md5,
        )
        for digest in digests
        for signature in signatures
    )


def _quoted_key(credentials: Credentials, request: Request) -> str:
    """A note where the app key was sent as it was pasted; "" where it wasn't."""
    for sent in request.values("auth_key"):
        if sent != credentials.key and without_quotes(sent) == credentials.key:
            return (
                "auth_key was sent with quotes or white space around the app key. "
                "Take them off where the value is set."
            )
    return ""


def without_quotes(value: str) -> str:
    """A value without the quotes and the white space around it, as pasting leaves them behind."""
    while (bare := value.strip().strip("\"'`")) != value:
        value = bare
    return value


def _form_of(signatures: list[str]) -> str:
    """A note on a signature that cannot be one, whatever was signed; "" where it could."""
    if len(signatures) != 1:
        return f"auth_signature was sent {len(signatures)} times. Send it once."
    (signature,) = signatures
    expected = "expected 64 lower-case hex digits"
    if len(signature) != 64:
        return f"auth_signature has {len(signature)} characters; {expected}."
    if wrong := re.search("[^0-9a-f]", signature):
        return f"auth_signature: {expected}; character {wrong.start() + 1} is {wrong[0]!r}."
    return ""


def _sent_time(request: Request) -> float:
    """The time that a request claims; 0 where it claims none."""
    sent = request.values("auth_timestamp")
    return float(sent[0]) if sent and re.fullmatch(r"[0-9]{1,15}", sent[0]) else 0.0


# --- the search -------------------------------------------------------------------------------


class _StoppedEarly(Exception):
    """`go_on` said no."""


class Candidate(NamedTuple):
    """What a step of signing may have given, and by which mistakes; by none, it's the right one."""

    mistakes: tuple[Mistake, ...]
    value: Any


Made = tuple[str, tuple[Candidate, ...]]  # a text to sign, and what it was made from
Axes = tuple[str, ...]  # one mistake is made on each of these, none on the others
_MAC_AXES = frozenset({"secret", "mac", "encoding"})  # these sign the text; the others make it
_SIGNATURE = re.compile("[0-9a-f]{64}")
_TEXTS_AT_ONCE = 32  # texts to sign before go_on() is asked again
_TEXTS_AT_ONCE_SIGNED_WRONG = 4  # the same, where each text has some ten signatures


class _Search:
    """One request that was received, and every signature that known mistakes make of it."""

    def __init__(
        self,
        credentials: Credentials,
        request: Request,
        others: tuple[Credentials, ...],
        go_on: Callable[[], bool],
    ) -> None:
        self._go_on = go_on
        self._request = request
        self._apps = (credentials, *others)
        self._secret = credentials.secret.encode()
        self._body = Body(request.body)
        self._method = request.method.upper()
        self._pairs = [pair for pair in request.params if pair[0].lower() != "auth_signature"]
        self._signatures_received = request.values("auth_signature")
        self.body_md5 = self._sent_once("body_md5")
        self._timestamp = self._sent_once("auth_timestamp")
        self._right_digest = body_digest(request.body)
        self._digests = self._wrong_digests() if self.body_md5 else []
        # The right third line in its pieces, and where in it the pieces are that mistakes change.
        ordered = in_order(self._pairs)
        self._pieces = [f"{name}={value}" for name, value in ordered]
        self._piece_of = {name: at for at, (name, _) in enumerate(ordered)}
        # The wrong values that depend on no other axis are made here, once. Those of query,
        # newline, mac and encoding depend on what the axes before them gave.
        timestamps = [*TABLE["timestamp"], *ON_THE_WIRE["timestamp"]]
        path, method = request.path, self._method
        self._wrong = {
            "digest": [digest for digest in self._digests if digest.value != self.body_md5],
            "timestamp": _wrong_values(timestamps, self._timestamp, self._timestamp)
            if self._timestamp
            else [],
            "path": _wrong_values(TABLE["path"], path, path, credentials),
            "method": _wrong_values(TABLE["method"], method, method),
            "secret": _wrong_values(TABLE["secret"], self._secret, credentials)
            + [Candidate((ANOTHER_APP,), other.secret.encode()) for other in others],
        }

    def _sent_once(self, name: str) -> str:
        """The value of a parameter; "" where it is missing or repeated."""
        values = self._request.values(name)
        return values[0] if len(values) == 1 else ""

    def _wrong_digests(self) -> list[Candidate]:
        """The body hash under every mistake that can be made with it."""
        digests = []
        for mistake, function in TABLE["digest"]:
            with suppress(*CANNOT_BE_MADE):
                for digest in function(self._body):
                    digests.append(Candidate((mistake,), digest))
                    self._may_go_on()  # each hashes the whole body, which can be long
        return digests

    def _may_go_on(self) -> None:
        if not self._go_on():
            raise _StoppedEarly

    def mistakes_in_body_md5(self) -> list[Mistake]:
        """The mistakes that give the body_md5 that was sent."""
        made = (digest.mistakes[0] for digest in self._digests if digest.value == self.body_md5)
        return list(dict.fromkeys(made))

    def signed_with(self, at_most: int) -> Iterable[Finding]:
        """The fewest mistakes, each on an axis of its own, that give the received signature."""
        if len(self._signatures_received) != 1:
            return ()
        (received,) = self._signatures_received
        for count in range(at_most + 1):
            hits = {
                hit.mistakes: Finding(
                    mistakes=hit.mistakes,
                    canonical_string=self._shown(hit.value),
                    reproduced=received,
                )
                for axes in combinations(TABLE, count)
                for hit in self._signed_as(received, axes)
            }
            if hits:
                return hits.values()
        return ()

    def _signed_as(self, received: str, axes: Axes) -> Iterator[Candidate]:
        """The texts that give the received signature, with one mistake on each of the axes."""
        texts = self._texts(axes)
        at_once = _TEXTS_AT_ONCE if _MAC_AXES.isdisjoint(axes) else _TEXTS_AT_ONCE_SIGNED_WRONG
        wrong = "mac" in axes or "encoding" in axes
        while some := list(islice(texts, at_once)):
            for secret in self._candidates(axes, "secret", self._secret):
                for text, parts in (
                    self._signed_wrong(received, some, secret, axes)
                    if wrong
                    else self._signed_right(received, some, secret)
                ):
                    yield Candidate(sum((part.mistakes for part in parts), ()), text)
            self._may_go_on()

    def _signed_right(self, received: str, texts: list[Made], secret: Candidate) -> list[Made]:
        """The texts that give the received signature, signed with this secret as they should be."""
        if not _SIGNATURE.fullmatch(received):
            return []
        raw, key, digest = bytes.fromhex(received), secret.value, hmac.digest
        return [
            (text, (*parts, secret))
            for text, parts in texts  # nearly all the work of a search, so in the shortest way
            if digest(key, text.encode("utf-8", "surrogatepass"), "sha256") == raw
        ]

    def _signed_wrong(
        self, received: str, texts: list[Made], secret: Candidate, axes: Axes
    ) -> Iterator[Made]:
        """The texts that give the received signature, by a wrong HMAC or in a wrong encoding."""
        for text, parts in texts:
            message = text.encode("utf-8", "surrogatepass")
            right = hmac.digest(secret.value, message, "sha256")
            for mac in self._candidates(axes, "mac", right, secret.value, message):
                raw = mac.value
                for written in self._candidates(axes, "encoding", raw.hex(), raw):
                    if written.value == received:
                        yield text, (*parts, secret, mac, written)

    # Each of these gives what one part of signing may have given: every candidate has one mistake
    # on each of the axes that this part has to do with, and none on the others.

    def _candidates(self, axes: Axes, axis: str, right: Any, *arguments: Any) -> list[Candidate]:
        """The right value alone; or every wrong one, where a mistake is made on this axis."""
        if axis not in axes:
            return [Candidate((), right)]
        if axis in self._wrong:
            return self._wrong[axis]
        return _wrong_values(TABLE[axis], right, *arguments)

    def _queries(self, axes: Axes) -> Iterator[Candidate]:
        """The third line."""
        pieces = self._pieces.copy()
        digests = self._candidates(axes, "digest", self.body_md5)
        if "digest" not in axes and self.body_md5 not in ("", self._right_digest):
            # The right hash may have been signed, and spoiled on its way to the wire.
            digests = [*digests, Candidate((), self._right_digest)]
        for digest in digests:
            if digest.value:
                pieces[self._piece_of["body_md5"]] = f"body_md5={digest.value}"
            for timestamp in self._candidates(axes, "timestamp", self._timestamp):
                if timestamp.value:
                    pieces[self._piece_of["auth_timestamp"]] = f"auth_timestamp={timestamp.value}"
                mistakes, right = digest.mistakes + timestamp.mistakes, "&".join(pieces)
                if "query" not in axes:
                    yield Candidate(mistakes, right)
                    continue
                signed = {"body_md5": digest.value, "auth_timestamp": timestamp.value}
                pairs = [(name, signed.get(name.lower()) or value) for name, value in self._pairs]
                for query in _wrong_values(TABLE["query"], right, pairs):
                    yield Candidate(mistakes + query.mistakes, query.value)

    def _texts(self, axes: Axes) -> Iterator[Made]:
        """The canonical string."""
        starts = [
            (f"{method.value}\n{path.value}\n", path, method)
            for path in self._candidates(axes, "path", self._request.path)
            for method in self._candidates(axes, "method", self._method)
        ]
        for query in self._queries(axes):
            for start, path, method in starts:
                right = start + query.value
                if "newline" not in axes:
                    yield right, (query, path, method)
                    continue
                lines = (method.value, path.value, query.value)
                for joined in _wrong_values(TABLE["newline"], right, lines, self._body):
                    yield joined.value, (query, path, method, joined)

    def _shown(self, text: str) -> str:
        """A text that was signed, as it may be shown: not at all where the request holds a secret.

        Signing may have encoded that secret, or cut it in two, so hiding it here isn't enough.
        """
        return "(not shown, as the request holds a secret)" if self._holds_a_secret else text

    @cached_property
    def _holds_a_secret(self) -> bool:
        request = self._request
        parts = [request.path, request.method, request.body.decode(errors="replace")]
        parts += [part for pair in self._pairs for part in pair]
        return any(app.holds(part) for app in self._apps for part in parts)


def _wrong_values(rows: list[Row], right: object, *arguments: Any) -> list[Candidate]:
    """Every value that the mistakes of an axis give, other than the right one."""
    return [
        Candidate((mistake,), value)
        for mistake, function in rows
        for value in values_of(function, *arguments)
        if value != right
    ]
