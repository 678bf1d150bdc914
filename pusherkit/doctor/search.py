"""Which mistakes made this signature? The search that proves it. Pure.

`diagnose()` signs the request again under every mistake of the table, then under every pair of
them on two axes. It names a mistake only if the result is exactly the signature, or exactly the
body_md5, that was received: reproduced, not guessed.

The search needs the secret. For what can be said without it, see refusals.py.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, combinations, islice, product
from typing import Any, NamedTuple

from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import (
    ALONE,
    CANNOT_BE_MADE,
    FORM_ENCODED,
    IN_REQUESTS,
    LESSONS,
    TABLE,
    Body,
    Mistake,
    Pair,
    Row,
    Table,
    in_order,
    values_of,
)
from pusherkit.signing import AUTH_VERSION, Params, Request, Verdict, body_digest, judge


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
    "different app's secret, a body altered in transit, a path prefix that only one side knows, an "
    "older auth_signature that was signed along, three or more mistakes at once, or one that is "
    "not in the table yet."
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
OLD_SIGNATURE = Mistake(
    "old-signature-signed",
    "query",
    "An older auth_signature was among the parameters that were signed.",
    "Sign every parameter except auth_signature, and start from fresh parameters each time.",
    LESSONS["query"],
)
SIGNED_NOT_SENT = Mistake(
    "parameter-signed-not-sent",
    "query",
    "A parameter was signed, but it isn't in the request.",
    "Send every parameter that you sign; auth_signature comes on top of them.",
    LESSONS["query"],
)
"""Not in the table either: what was signed along can't be told from the request alone."""


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
    paths: Iterable[str] = (),
    go_on: Callable[[], bool] = lambda: True,
) -> Diagnosis:
    """Name the mistakes behind a verdict that judge() gave on this request.

    `paths` are those that a server's refusal quotes, and they're tried in place of the one that
    was sent. If the verdict passed a body_md5 that isn't the hash of this body, then the body
    isn't known (a log doesn't hold it): body_md5 is taken as it is, and nothing is said of the
    body.

    The search takes 25 to 120 ms, and longer for a body of megabytes. `go_on` is called after each
    millisecond or so, and after each hash of the body. If it returns False, the search ends
    there, and the diagnosis says that it isn't complete.
    """
    if verdict.failed is None:
        return Diagnosis(valid=True, notes=tuple(_beside(credentials, request)))
    others = tuple(others)
    failed = {check.rule: f"{check.error}. {check.fix}" for check in verdict.checks if check.error}
    notes = list(_before_searching(credentials, request, failed, others))
    explanations: list[Finding] = []
    unexplained, body = UNEXPLAINED, Body(request.body)
    sent = request.values("body_md5")
    known = "body_md5" in failed or sent in ([], [body_digest(request.body)])
    try:
        search = _Search(
            credentials, request, others, go_on, body=body, body_known=known, paths=paths
        )
        explanations = _explanations(search, failed) or _with_what_is_missing(search)
    except _StoppedEarly:
        unexplained = UNFINISHED
    findings = tuple(each for each in explanations if each.mistakes)
    if explanations or "auth_signature" not in failed:
        unexplained = ""
    elif form := _form_of(request.values("auth_signature")):
        notes, unexplained = [*notes, form], ""
    if "body_md5" in failed and not (sent and findings):
        notes += [failed["body_md5"], *(_of_a_body(body) if sent else ())]
    notes += _beside(credentials, request)
    for other in others:
        notes = [other.hide(note) for note in notes]
    return Diagnosis(valid=False, findings=findings, notes=tuple(notes), unexplained=unexplained)


def _before_searching(
    credentials: Credentials,
    request: Request,
    failed: Mapping[str, str],
    others: tuple[Credentials, ...],
) -> Iterator[str]:
    """Notes on the rules that need no search: app key, version and timestamp."""
    if credentials.secret in request.values("auth_key"):
        yield "auth_key holds the secret. Key and secret are swapped."
    if "auth_key" in failed:
        yield _wrong_key(credentials, request, others) or failed["auth_key"]
    if "auth_version" in failed:
        yield failed["auth_version"]
    if "auth_timestamp" in failed:
        yield _uptime(request) or failed["auth_timestamp"]


def _explanations(search: _Search, failed: Mapping[str, str]) -> list[Finding]:
    """Every explanation with the fewest mistakes; one without any says that the rest is right."""
    if "body_md5" not in failed or not search.body_md5:
        return search.signed_with(at_most=2)
    # The wrong hash that was sent is one mistake, so the signature may hold one more.
    digests = search.mistakes_in_body_md5()
    signatures = search.signed_with(at_most=1) if digests else []
    return [
        replace(
            signature,
            mistakes=(digest, *signature.mistakes),
            reproduced=signature.reproduced if signature.mistakes else search.body_md5,
        )
        for digest in digests
        for signature in signatures
    ]


def _with_what_is_missing(search: _Search) -> list[Finding]:
    """Explanations by parameters that were signed and not sent, the fewest of them."""
    missing = search.missing()
    for count in range(1, len(missing) + 1):
        found = [
            replace(hit, mistakes=(_not_sent(added), *hit.mistakes))
            for added in combinations(missing, count)
            for hit in search.with_added(added).signed_with(at_most=1)
        ]
        if found:
            return found
    return []


def _not_sent(added: tuple[Pair, ...]) -> Mistake:
    names = " and ".join(name for name, _ in added)
    sentence = f"{names} {'was' if len(added) == 1 else 'were'} signed, but not sent."
    return replace(SIGNED_NOT_SENT, why=sentence)


# --- notes: what needs no search ------------------------------------------------------------------

FIRST_TIMESTAMP = 1_262_304_000  # Unix seconds: 2010, when no Pusher server was running yet
# What the published worked example sends (Pusher's HTTP API reference, "Worked authentication
# example"), by the name of the parameter.
_PUBLISHED = {
    "auth_key": "278d425bdf160c739803",
    "auth_signature": "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
    "body_md5": "ec365a775a4cd0599faeb73354201b6f",
    "auth_timestamp": "1353088179",
}
_PLACEHOLDERS = re.compile(r"YOUR[_-].*|your[_-].*|<.*>|\$\{?\w+\}?|undefined|null|None", re.DOTALL)


def _beside(credentials: Credentials, request: Request) -> Iterator[str]:
    """What is worth knowing of a request, whether or not its signature is right."""
    if credentials.key != _PUBLISHED["auth_key"]:
        copied = [name for name, value in _PUBLISHED.items() if value in request.values(name)]
        # The time alone may be an accident, and the hash is right where the body is copied, too.
        if {"auth_key", "auth_signature"} & {*copied} or len(copied) > 1:
            yield (
                f"{' and '.join(copied)}: copied from the published worked example, of 16 November "
                "2012. Sign with your own key and secret, and with the time at which you send."
            )
    path = re.search("/apps/([^/]*+)", request.path)
    if re.search("/apps//(events|batch_events|channels|users)", request.path):
        yield "The path names no app: /apps//… has an empty app id. Check where it's set."
    elif path and _PLACEHOLDERS.fullmatch(path[1]):
        yield f"The path's app id is a placeholder, {_cut(credentials.hide(path[1]))}."
    elif path and path[1] == credentials.key:
        # Where the app key is known from this very request, either may be in the wrong place.
        yield (
            "auth_key holds the app id, as the path does. The app key belongs there."
            if path[1].isdecimal()
            else "The path holds the app key where the app id belongs: /apps/{app_id}/events."
        )
    if not request.body and request.method.upper() == "GET" and request.values("body_md5"):
        yield (
            "body_md5 was sent with a GET, which has no body. The reference doesn't ask for it, "
            "and Reverb and Sockudo refuse it; leave it out, and don't sign it."
        )


def _uptime(request: Request) -> str:
    """What to say of a timestamp that is no time at which anyone sent a request; "" if it is."""
    (*_, sent) = ["", *request.values("auth_timestamp")]
    if not re.fullmatch("[0-9]{1,10}", sent) or int(sent) >= FIRST_TIMESTAMP:
        return ""
    return (
        f"Timestamp expired: auth_timestamp is {sent}. Unix time counts seconds since 1970, and "
        "this is too small for today: it looks like the time since a start (millis(), uptime), or "
        "a clock that was never set. Set the clock first, over NTP on a small device, and send "
        "Unix time in whole seconds."
    )


def _wrong_key(credentials: Credentials, request: Request, others: tuple[Credentials, ...]) -> str:
    """A note on the app key that was sent where it's known what it is; "" where it isn't."""
    for sent in request.values("auth_key"):
        if sent == credentials.key:
            continue
        if without_quotes(sent) == credentials.key:
            return (
                "auth_key was sent with quotes or white space around the app key. "
                "Take them off where the value is set."
            )
        if sent == credentials.app_id:
            return (
                f"auth_key holds the app id, {sent}, where the app key belongs. The app id belongs "
                f"in the path: /apps/{sent}/events."
            )
        if sent.lower() == credentials.key.lower():
            return "auth_key was sent in other upper and lower case than the app key has."
        before, key, after = sent.partition(credentials.key)
        if key and len(before + after) <= _MOST_AROUND:
            shown = credentials.hide(f"{_cut(before)}…{_cut(after)}")
            return f"auth_key was sent with something around the app key: {shown}."
        for other in others:
            if sent == other.key:
                return f"auth_key is the key of another app, {other.app_id}."
        if _PLACEHOLDERS.fullmatch(sent):
            return "auth_key holds a placeholder. Put in the app key that the app's settings show."
    return ""


def _of_a_body(body: Body) -> Iterator[str]:
    """What a body that isn't the one that was hashed looks like."""
    try:
        text = body.text
    except UnicodeDecodeError as error:
        yield (
            f"The body that arrived isn't UTF-8 (byte {error.start}). Perhaps it went out in "
            "Latin-1, while the hash is of UTF-8: encode it yourself, and send those bytes."
        )
        return
    if "\N{REPLACEMENT CHARACTER}" in text:
        yield (
            "The body holds U+FFFD, which stands for bytes that could not be read as UTF-8. Either "
            "it was sent in another encoding, or this copy of it isn't exact."
        )
    if FORM_ENCODED.match(text):
        yield "The body looks form-encoded. This API takes JSON: send the JSON text as it is."
    elif text.lstrip()[:1] in ("{", "["):
        try:
            _ = body.value
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
                yield (
                    f"The body is cut short: it has {len(body.sent):,} bytes, and ends in the "
                    "middle of its JSON. Look for a limit on its way, and at Content-Length."
                )
        except (ValueError, RecursionError):
            pass


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
        said = f"auth_signature has {len(signature)} characters; {expected}."
        if re.fullmatch("[0-9A-Fa-f]{32,63}", signature) and len(signature) not in (32, 40):
            said += (
                " Hex that is too short has lost leading zeros as a rule: pad each byte to two "
                "digits (%02x)."
            )
        return said
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
_PAIRED = (TABLE, IN_REQUESTS)  # the tables of what is tried in pairs, too
_EVERY = (*_PAIRED, ALONE)
_SIGNATURE = re.compile("[0-9a-f]{64}")
_OTHER_HASH = re.compile("[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{128}")  # MD5, SHA-1, SHA-512
_TEXTS_AT_ONCE = 32  # texts to sign before go_on() is asked again
_TEXTS_AT_ONCE_SIGNED_WRONG = 4  # the same, where each text has some ten signatures
# In place of the values of body_md5 and auth_timestamp while the third line is made.
_MARKS = ("zzBodyHashzz", "zzTimestampzz")


class _Search:
    """One request that was received, and every signature that known mistakes make of it."""

    def __init__(
        self,
        credentials: Credentials,
        request: Request,
        others: tuple[Credentials, ...],
        go_on: Callable[[], bool],
        *,
        body: Body,
        body_known: bool,
        paths: Iterable[str],
    ) -> None:
        self._go_on = go_on
        self._request = request
        self._credentials, self._others = credentials, others
        self._paths = tuple(paths)
        self._body, self._body_known = body, body_known
        self._apps = (credentials, *others)
        self._secret = credentials.secret.encode()
        self._method = request.method.upper()
        self._pairs = [pair for pair in request.params if pair[0].lower() != "auth_signature"]
        self._signatures_received = request.values("auth_signature")
        self.body_md5 = self._sent_once("body_md5")
        self._timestamp = self._sent_once("auth_timestamp")
        self._right_digest = body_digest(request.body) if body_known else self.body_md5
        hashed = bool(self.body_md5) and body_known
        self._digests = self._wrong_digests(_PAIRED) if hashed else []
        self._digests_alone = self._wrong_digests((ALONE,)) if hashed else []
        # Where another app key was sent, the right one may have been signed.
        key = self._sent_once("auth_key")
        self._keys = list(dict.fromkeys([key, credentials.key])) if key else [""]
        # The right third line in its pieces, and where in it the pieces are that mistakes change.
        ordered = in_order(self._pairs)
        self._pieces = [f"{name}={value}" for name, value in ordered]
        self._piece_of = {name: at for at, (name, _) in enumerate(ordered)}
        self._may_mark = not any(
            mark in text for pair in ordered for text in pair for mark in _MARKS
        )
        self._marked: dict[tuple[str, bool], list[Candidate]] = {}
        # The wrong values that depend on no other axis are made here, once, and those of ALONE
        # when they're first asked for. Those of query, newline, mac and encoding depend on what
        # the axes before them gave.
        self._right: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "timestamp": (self._timestamp, (self._timestamp,)),
            "path": (request.path, (request.path, credentials)),
            "method": (self._method, (self._method,)),
            "secret": (self._secret, (credentials,)),
        }
        if not self._timestamp:
            del self._right["timestamp"]
        self._wrong = {
            axis: _wrong_values(_rows(axis), right, *given)
            for axis, (right, given) in self._right.items()
        }
        self._wrong["digest"] = [each for each in self._digests if each.value != self.body_md5]
        self._wrong["path"] += _quoted_paths(request.path, self._paths)
        self._wrong["secret"] += [
            Candidate((ANOTHER_APP,), other.secret.encode()) for other in others
        ]

    def _sent_once(self, name: str) -> str:
        """The value of a parameter; "" where it is missing or repeated."""
        values = self._request.values(name)
        return values[0] if len(values) == 1 else ""

    def _wrong_digests(self, tables: tuple[Table, ...]) -> list[Candidate]:
        """The body hash under every mistake that can be made with it."""
        digests = []
        for mistake, function in _rows("digest", tables):
            with suppress(*CANNOT_BE_MADE):
                for digest in function(self._body):
                    digests.append(Candidate((mistake,), digest))
                    self._may_go_on()  # each hashes the whole body, which can be long
        return digests

    def missing(self) -> list[Pair]:
        """The parameters that every request has, and this one lacks; what their value would be."""
        if len(self._signatures_received) != 1:
            return []  # there's nothing to prove
        expected = [("auth_key", self._credentials.key), ("auth_version", AUTH_VERSION)]
        if self._request.body:
            expected.append(("body_md5", self._right_digest))
        return [(name, value) for name, value in expected if not self._request.values(name)]

    def with_added(self, added: tuple[Pair, ...]) -> _Search:
        """The search for the same request with these parameters, too."""
        request = self._request
        params = (*request.params, *added)
        return _Search(
            self._credentials,
            Request(request.method, request.path, params, request.body),
            self._others,
            self._go_on,
            body=self._body,
            body_known=self._body_known,
            paths=self._paths,
        )

    def _may_go_on(self) -> None:
        if not self._go_on():
            raise _StoppedEarly

    def mistakes_in_body_md5(self) -> list[Mistake]:
        """The mistakes that give the body_md5 that was sent."""
        every = [*self._digests, *self._digests_alone]
        made = [digest.mistakes[0] for digest in every if digest.value == self.body_md5]
        wrapped = None if made else _unwrapped(self.body_md5, 32)
        if wrapped and wrapped.core == self._right_digest:
            made.append(self._in_a_wrapper("digest", wrapped))
        return list(dict.fromkeys(made))

    def signed_with(self, at_most: int) -> list[Finding]:
        """The fewest mistakes, each on an axis of its own, that give the received signature."""
        received = self._signatures_received
        if len(received) == 2 and at_most:
            return [*self._signed_along(*received), *self._signed_along(*reversed(received))]
        if len(received) != 1:
            return []
        if hits := self._made_by(received[0], at_most):
            return hits
        if at_most and (wrapped := _unwrapped(received[0], 64)):
            mistake = self._in_a_wrapper("encoding", wrapped)
            return [
                replace(hit, mistakes=(*hit.mistakes, mistake), reproduced=self._hide(received[0]))
                for hit in self._made_by(wrapped.core, at_most - 1)
            ]
        return []

    def _made_by(self, received: str, at_most: int) -> list[Finding]:
        """The same, for one text that is a signature or should be one."""
        forms = _forms(received)
        for count in range(at_most + 1):
            hits = {
                hit.mistakes: self._finding(hit.mistakes, hit.value, received)
                for axes in combinations(TABLE, count)
                if _can_give(received, axes)
                for hit in self._signed_as(received, axes, forms)
            }
            found = [*hits.values(), *(self._signed_twice(received) if count == 1 else [])]
            if found:
                return found
        return []

    def _finding(self, mistakes: tuple[Mistake, ...], text: str, received: str) -> Finding:
        return Finding(
            mistakes=mistakes, canonical_string=self._shown(text), reproduced=self._hide(received)
        )

    def _signed_as(self, received: str, axes: Axes, forms: list[Row]) -> Iterator[Candidate]:
        """The texts that give the received signature, with one mistake on each of the axes."""
        texts = self._texts(axes)
        at_once = _TEXTS_AT_ONCE if _MAC_AXES.isdisjoint(axes) else _TEXTS_AT_ONCE_SIGNED_WRONG
        wrong = "mac" in axes or "encoding" in axes
        while some := list(islice(texts, at_once)):
            for secret in self._candidates(axes, "secret"):
                for text, parts in (
                    self._signed_wrong(received, some, secret, axes, forms)
                    if wrong
                    else self._signed_right(received, some, secret)
                ):
                    yield Candidate(sum((part.mistakes for part in parts), ()), text)
                self._may_go_on()

    def _signed_right(self, received: str, texts: list[Made], secret: Candidate) -> list[Made]:
        """The texts that give the received signature, signed with this secret as they should be."""
        raw, key, digest = bytes.fromhex(received), secret.value, hmac.digest
        return [
            (text, (*parts, secret))
            for text, parts in texts  # nearly all the work of a search, so in the shortest way
            if digest(key, text.encode("utf-8", "surrogatepass"), "sha256") == raw
        ]

    def _signed_wrong(
        self, received: str, texts: list[Made], secret: Candidate, axes: Axes, forms: list[Row]
    ) -> Iterator[Made]:
        """The texts that give the received signature, by a wrong HMAC or in a wrong encoding."""
        rows = _rows("mac")
        for text, parts in texts:
            message = text.encode("utf-8", "surrogatepass")
            right = hmac.digest(secret.value, message, "sha256")
            macs = [Candidate((), right)]
            if "mac" in axes:
                macs = _wrong_values(rows, right, secret.value, message)
            for mac in macs:
                raw = mac.value
                written = [Candidate((), raw.hex())]
                if "encoding" in axes:
                    written = _wrong_values(forms, raw.hex(), raw)
                for each in written:
                    if each.value == received:
                        yield text, (*parts, secret, mac, each)

    # Each of these gives what one part of signing may have given: every candidate has one mistake
    # on each of the axes that this part has to do with, and none on the others.

    def _candidates(self, axes: Axes, axis: str) -> Iterable[Candidate]:
        """The right value alone; or every wrong one, where a mistake is made on this axis."""
        if axis not in axes:
            right, _ = self._right.get(axis, ("", ()))
            return [Candidate((), right)]
        wrong = self._wrong.get(axis, [])
        return chain(wrong, self._more_of(axis)) if _is_alone(axes, axis) else wrong

    def _more_of(self, axis: str) -> Iterator[Candidate]:
        """The wrong values of ALONE: one by one, because thousands at once wake the collector."""
        if axis == "digest":
            yield from (each for each in self._digests_alone if each.value != self.body_md5)
        if axis in self._right:
            right, given = self._right[axis]
            for mistake, function in ALONE[axis]:
                for value in values_of(function, *given):
                    if value != right:
                        yield Candidate((mistake,), value)

    def _queries(self, axes: Axes) -> Iterator[Candidate]:
        """The third line."""
        digests = [Candidate((), self.body_md5)]
        if "digest" in axes:
            digests = [*self._candidates(axes, "digest")]
        elif self.body_md5 not in ("", self._right_digest):
            # The right hash may have been signed, and spoiled on its way to the wire.
            digests.append(Candidate((), self._right_digest))
        pieces = self._pieces.copy()
        for key, digest in product(self._keys, digests):
            self._put(pieces, "auth_key", key)
            self._put(pieces, "body_md5", digest.value)
            for timestamp in self._candidates(axes, "timestamp"):
                self._put(pieces, "auth_timestamp", timestamp.value)
                mistakes, right = digest.mistakes + timestamp.mistakes, "&".join(pieces)
                if "query" not in axes:
                    yield Candidate(mistakes, right)
                    continue
                alone, values = _is_alone(axes, "query"), (digest.value, timestamp.value)
                for query in self._wrong_queries(key, values, alone=alone):
                    if query.value != right:
                        yield Candidate(mistakes + query.mistakes, query.value)

    def _put(self, pieces: list[str], name: str, value: str) -> None:
        """Put a value into the third line; "" where the parameter isn't there once."""
        if value:
            pieces[self._piece_of[name]] = f"{name}={value}"

    def _wrong_queries(
        self, key: str, values: tuple[str, str], *, alone: bool
    ) -> Iterable[Candidate]:
        """Every wrong third line with this app key, and these values of body hash and timestamp.

        It's made once with marks in place of the values, because making it takes longer than
        signing it. That needs values that no encoding changes.
        """
        if not self._may_mark or not all(map(_UNRESERVED.fullmatch, values)):
            return self._made_queries(key, values, alone)
        if (key, alone) not in self._marked:
            self._marked[key, alone] = self._made_queries(key, _MARKS, alone)
        (digest, timestamp), (digest_mark, timestamp_mark) = values, _MARKS
        return [
            Candidate(
                mistakes,
                text.replace(digest_mark, digest).replace(timestamp_mark, timestamp),
            )
            for mistakes, text in self._marked[key, alone]
        ]

    def _made_queries(self, key: str, values: tuple[str, str], alone: bool) -> list[Candidate]:
        digest, timestamp = values
        changed = {
            "auth_key": key,
            "body_md5": self.body_md5 and digest,
            "auth_timestamp": self._timestamp and timestamp,
        }
        pairs = [(name, changed.get(name.lower()) or value) for name, value in self._pairs]
        return _wrong_values(_rows("query", _EVERY if alone else _PAIRED), None, pairs)

    def _texts(self, axes: Axes) -> Iterator[Made]:
        """The canonical string."""
        starts = [
            (f"{method.value}\n{path.value}\n", path, method)
            for path in self._candidates(axes, "path")
            for method in self._candidates(axes, "method")
        ]
        rows = _rows("newline", _EVERY if _is_alone(axes, "newline") else _PAIRED)
        for query in self._queries(axes):
            for start, path, method in starts:
                right = start + query.value
                if "newline" not in axes:
                    yield right, (query, path, method)
                    continue
                lines = (method.value, path.value, query.value)
                for joined in _wrong_values(rows, right, lines, self._body):
                    yield joined.value, (query, path, method, joined)

    # An auth_signature that was signed along is neither a value of the request nor one of the
    # table: it's another signature, or this one.

    def _signed_twice(self, received: str) -> list[Finding]:
        """Where the parameters were signed, and then signed again with that signature in them."""
        if not _SIGNATURE.fullmatch(received):
            return []
        right = "\n".join([self._method, self._request.path, "&".join(self._pieces)])
        return self._signed_along(self._signature_of(right), received)

    def _signed_along(self, older: str, received: str) -> list[Finding]:
        """Where the received signature is of a text that has an older one in it."""
        query = "&".join("=".join(p) for p in in_order([*self._pairs, ("auth_signature", older)]))
        text = "\n".join([self._method, self._request.path, query])
        if self._signature_of(text) != received:
            return []
        return [self._finding((OLD_SIGNATURE,), text, received)]

    def _signature_of(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()

    # What may be shown.

    def _in_a_wrapper(self, axis: str, wrapped: _Wrapped) -> Mistake:
        """The mistake of a value that was sent with something around it."""
        what = {"digest": "body hash", "encoding": "signature"}[axis]
        shown = f"{_cut(wrapped.before)}…{_cut(wrapped.after)}"
        if self._hide(shown) != shown:
            shown = "it isn't shown, as it holds a secret"
        return Mistake(
            f"{what.replace(' ', '-')}-in-a-wrapper",
            axis,
            f"The {what} was sent with something around it: {shown}.",
            f"Take the value out of what holds it or prints it ({_how_to_unwrap(wrapped)}), and "
            "send the hex digits alone.",
            LESSONS[axis],
        )

    def _hide(self, text: str) -> str:
        for app in self._apps:
            text = app.hide(text)
        return text

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


_UNRESERVED = re.compile("[0-9A-Za-z._-]*")  # characters that percent-encoding leaves alone


def _rows(axis: str, tables: tuple[Table, ...] = _PAIRED) -> list[Row]:
    return [row for table in tables for row in table[axis]]


def _wrong_values(rows: list[Row], right: object, *arguments: Any) -> list[Candidate]:
    """Every value that the mistakes of an axis give, other than the right one."""
    return [
        Candidate((mistake,), value)
        for mistake, function in rows
        for value in values_of(function, *arguments)
        if value != right
    ]


def _is_alone(axes: Axes, axis: str) -> bool:
    """Whether all else is right; but for the form of the signature, which takes few to try."""
    return axes in ((axis,), (axis, "encoding"))


def _can_give(received: str, axes: Axes) -> bool:
    """Whether mistakes on these axes can give a text of this form, so that a search is worth it."""
    if _SIGNATURE.fullmatch(received):
        return "encoding" not in axes  # each of those gives another form
    return "encoding" in axes or ("mac" in axes and bool(_OTHER_HASH.fullmatch(received)))


def _forms(received: str) -> list[Row]:
    """The mistakes on the axis of encoding that could have given a text of this form."""
    marks, example = _marks_in(received), bytes(range(0, 256, 8))  # 32 bytes, as HMACs are
    return [
        (mistake, function)
        for mistake, function in _rows("encoding")
        if any(_marks_in(value) == marks for value in function(example))
        or (mistake.name == "signature-in-base64" and _BASE64.fullmatch(received))
    ]


def _quoted_paths(sent: str, quoted: Iterable[str]) -> list[Candidate]:
    """The paths that a server quotes, where one of the two has a prefix that the other lacks."""
    (prefix,) = [mistake for mistake, _ in TABLE["path"] if mistake.name == "prefix-on-one-side"]
    return [
        Candidate((prefix,), path)
        for path in quoted
        if path != sent and path and (path.endswith(sent) or sent.endswith(path))
    ]


# --- the form of a signature or a body hash -------------------------------------------------------

_BASE64 = re.compile(r"[0-9A-Za-z+/_ -]{20,}+={0,2}")
_MOST_AROUND = 200  # characters around a value; more than that is another text


class _Wrapped(NamedTuple):
    """Hex digits, and what stands before and after them."""

    before: str
    core: str
    after: str


def _unwrapped(text: str, digits: int) -> _Wrapped | None:
    """The one run of so many hex digits in a text that has something around it; None if none."""
    if not digits < len(text) <= digits + _MOST_AROUND:
        return None
    runs = [run for run in re.finditer("[0-9A-Fa-f]++", text) if len(run[0]) == digits]
    if len(runs) != 1:
        return None
    (run,) = runs
    return _Wrapped(text[: run.start()], run[0], text[run.end() :])


_UNWRAPPING = (  # what stands before and after a value, and how to get rid of it
    (r"\W*+(Some|Optional|Just|Ok|Right)\W.*", "get() or unwrap() for an optional value"),
    (r"b['\"]…['\"]", "decode() for Python's bytes"),
    (r"0[xX]…", "no 0x before the digits"),
    (r".*= ?…", "awk '{print $NF}' for a line of openssl's"),
    (r"…  ?[-*].*|…  .*", "awk '{print $1}' for a line of md5sum's"),
    (r"<…>", "no angle brackets"),
    (r"\s*+…\s*+", "strip the white space"),
    (r"['\"`]…['\"`]", "no quotes"),
)


def _how_to_unwrap(wrapped: _Wrapped) -> str:
    around = f"{wrapped.before}…{wrapped.after}"
    hints = (hint for form, hint in _UNWRAPPING if re.fullmatch(form, around, re.DOTALL))
    return next(hints, "get, unwrap or decode it")


def _cut(text: str) -> str:
    """A short text, fit to be shown."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:30])


def _marks_in(text: str) -> frozenset[str]:
    return frozenset(re.findall("[^0-9A-Za-z]", text))
