"""Which mistakes made this signature? The search that proves it. Pure.

`diagnose()` signs the request again under every single mistake of the table, then under every
pair on two axes, and names a mistake only if what comes out is the very signature, or the very
body_md5, that was received: a proof, not a guess.

The search needs the secret. What can be said without it, refusals.py says.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from pusherkit.credentials import SHORTEST_SECRET_HIDDEN_INSIDE, Credentials
from pusherkit.doctor.mistakes import LESSONS, ON_THE_WIRE, TABLE, Mistake, Row, in_order, values_of
from pusherkit.signing import Params, Request, Verdict, body_digest, hmac_sha256, judge


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
    "No known mistake, and no two of them together, give this signature. Still possible: a "
    "different app's secret, a body altered in transit, three or more mistakes at once, or one "
    "that is not in the table yet."
)
UNFINISHED = (
    "The search for the mistake was stopped before its end, because it took too long here. "
    "`pusherkit doctor` searches a pasted request to the end."
)


_ANOTHER_APP = Mistake(
    "another-apps-secret",
    "secret",
    "The request was signed with the secret of another app.",
    "Key and secret must be of the same app; check which app the settings name.",
    LESSONS["secret"],
)


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

    The search takes 50 to 90 ms. `go_on` is asked once in a millisecond or so of it; where it
    returns False the search ends there, and the diagnosis says that it is not complete.
    """
    if verdict.failed is None:
        return Diagnosis(valid=True)
    failed = {check.rule: check for check in verdict.checks if not check.passed}
    notes = [
        f"{failed[rule].error}. {failed[rule].fix}"
        for rule in ("auth_key", "auth_version", "auth_timestamp")
        if rule in failed
    ]
    if credentials.secret in request.values("auth_key"):
        notes.insert(0, "auth_key holds the secret. Key and secret are swapped.")

    others = tuple(others)
    findings: tuple[Finding, ...] = ()
    unexplained = UNEXPLAINED
    try:
        findings = _findings(_Search(credentials, request, others, go_on), failed)
    except _StoppedEarly:
        unexplained = UNFINISHED
    if "body_md5" in failed and not findings:
        notes.append(f"{failed['body_md5'].error}. {failed['body_md5'].fix}")
    if "auth_signature" in failed and not findings:
        notes += _form_of(request.values("auth_signature")) or (
            [unexplained] if notes or unexplained is UNFINISHED else []
        )
    for other in others:
        notes = [other.hide(note) for note in notes]
    return Diagnosis(valid=False, findings=findings, notes=tuple(notes))


def _findings(search: _Search, failed: Mapping[str, object]) -> tuple[Finding, ...]:
    """Every proven explanation with the fewest mistakes."""
    digests: list[tuple[Mistake, ...]] = [()]
    if "body_md5" in failed:
        digests = [(mistake,) for mistake in search.sent_digests()]
    found = search.found(at_most=1 if "body_md5" in failed else 2)
    return tuple(
        Finding(
            mistakes=(*digest, *rest),
            canonical_string=text,
            reproduced=reproduced if rest else search.body_md5,
        )
        for digest in digests
        for rest, text, reproduced in found
        if digest or rest
    )


def _form_of(signatures: list[str]) -> list[str]:
    """What can be said of a signature that nothing explains."""
    if len(signatures) != 1:
        return [f"auth_signature was sent {len(signatures)} times. Send it once."]
    if not re.fullmatch(r"[0-9a-f]{64}", signatures[0]):
        return [
            f"auth_signature has {len(signatures[0])} characters; expected 64 lower-case hex "
            "digits."
        ]
    return []


def _sent_time(request: Request) -> float:
    """The time that a request claims; 0 where it claims none."""
    sent = request.values("auth_timestamp")
    return float(sent[0]) if sent and re.fullmatch(r"[0-9]{1,15}", sent[0]) else 0.0


class _StoppedEarly(Exception):
    """`go_on` said no."""


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
        request: Request,
        others: tuple[Credentials, ...],
        go_on: Callable[[], bool],
    ) -> None:
        self._credentials = credentials
        self._request = request
        self._go_on = go_on
        self._method = request.method.upper()
        self._pairs = [pair for pair in request.params if pair[0].lower() != "auth_signature"]
        self._received = request.values("auth_signature")
        self._digest = body_digest(request.body)  # the right one
        self._secret = credentials.secret.encode()
        self._apps = (credentials, *others)
        self.body_md5 = self._sent("body_md5")
        self._timestamp = self._sent("auth_timestamp")
        ordered = in_order(self._pairs)
        self._parts = [f"{key}={value}" for key, value in ordered]  # of the right third line
        self._at = {key: at for at, (key, _) in enumerate(ordered)}
        self._digests = self._made_digests()
        # Every wrong value that does not depend on another axis, made once. Those of query,
        # newline, mac and encoding do depend on another.
        path = request.path
        self._wrong: dict[str, list[_Way]] = {
            "digest": [
                ((mistake,), value)
                for mistake, value in self._digests
                if self.body_md5 not in ("", value)
            ],
            "timestamp": self._different(
                TABLE["timestamp"] + ON_THE_WIRE, self._timestamp, self._timestamp
            ),
            "path": self._different(TABLE["path"], path, path, credentials),
            "method": self._different(TABLE["method"], self._method, self._method),
            "secret": self._different(TABLE["secret"], self._secret, credentials)
            + [((_ANOTHER_APP,), other.secret.encode()) for other in others],
        }

    def _step(self) -> None:
        """Between two pieces of work: may the search go on?"""
        if not self._go_on():
            raise _StoppedEarly

    def _made_digests(self) -> list[tuple[Mistake, str]]:
        """The body hash under every mistake that can be made with it."""
        digests = []
        for mistake, function in TABLE["digest"]:
            for value in values_of(function, self._request.body):
                digests.append((mistake, value))
                self._step()  # each is a hash of the whole body, which may be long
        return digests

    def _sent(self, name: str) -> str:
        """The value of a parameter that was sent once."""
        values = [value for key, value in self._pairs if key.lower() == name]
        return values[0] if len(values) == 1 else ""

    def _different(self, rows: list[Row], right: object, *arguments: Any) -> list[_Way]:
        """Every value that mistakes give, other than the right one."""
        if right == "":  # it was not sent, so nothing was put in its place
            return []
        return [
            ((mistake,), value)
            for mistake, function in rows
            for value in values_of(function, *arguments)
            if value != right
        ]

    def sent_digests(self) -> list[Mistake]:
        """The mistakes that give the body_md5 that was sent."""
        made = (mistake for mistake, value in self._digests if value == self.body_md5)
        return list(dict.fromkeys(made)) if self.body_md5 != self._digest else []

    def found(self, at_most: int) -> list[tuple[_Made, str, str]]:
        """The fewest mistakes on different axes that give the signature that was received.

        Each with the text that was signed, and the signature.
        """
        if len(self._received) != 1:
            return []
        (received,) = self._received
        for count in range(at_most + 1):
            hits = {}
            for axes in combinations(TABLE, count):
                texts = self._texts(axes)
                signed_right = _MAC_AXES.isdisjoint(axes)
                at_once = _TEXTS_AT_ONCE if signed_right else _TEXTS_AT_ONCE_SIGNED_WRONG
                while some := list(islice(texts, at_once)):
                    for mistakes, text in self._fitting(axes, some, received):
                        hits[mistakes] = (mistakes, self._shown(text), received)
                    self._step()
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
                for c, query in self._different(TABLE["query"], right, pairs):
                    yield a + b + c, query

    def _texts(self, axes: _Axes) -> Iterator[_Way]:
        """What was signed, in every way to make a mistake on each of the axes."""
        starts = [
            (a + b, method, path)
            for a, path in self._ways(axes, "path", self._request.path)
            for b, method in self._ways(axes, "method", self._method)
        ]
        for made, query in self._queries(axes):
            for a, method, path in starts:
                right = f"{method}\n{path}\n{query}"
                if "newline" not in axes:
                    yield made + a, right
                    continue
                lines = (method, path, query)
                for b, text in self._different(TABLE["newline"], right, lines, self._request.body):
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
        if axis in self._wrong:
            return self._wrong[axis]
        return self._different(TABLE[axis], right, *arguments)

    def _shown(self, text: str) -> str:
        """What was signed, fit to be shown: not where a secret was sent along by mistake.

        Signing may have encoded it, or changed its case, so nothing less would hide it.
        """
        request = self._request
        pieces = [request.path, self._method, request.body.decode(errors="replace")]
        pieces += [part for pair in self._pairs for part in pair]
        if any(_tells(app.secret, piece) for app in self._apps for piece in pieces):
            return "(not shown, as the request holds a secret)"
        return text


def _tells(secret: str, text: str) -> bool:
    """Whether a text holds a secret; a very short one counts only where it stands alone."""
    secret, text = secret.casefold(), text.casefold()
    return secret == text or (len(secret) >= SHORTEST_SECRET_HIDDEN_INSIDE and secret in text)
