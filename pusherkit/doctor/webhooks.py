"""Why doesn't a webhook's signature fit? Found with proof. Pure.

The API signs the raw bytes of the body: `X-Pusher-Signature` is their HMAC-SHA256 in hex, and
`X-Pusher-Key` the app key (Pusher's documentation, "Webhooks"). The API gets that right, so the
mistake is mostly in the body at hand, which isn't what was sent any more. `diagnose_webhook()`
looks for the body, the secret and the form of the signature that fit, two mistakes at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

from pusherkit.authorization import verify_webhook
from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Body, Mistake, Row
from pusherkit.doctor.search import Diagnosis, Finding, without_quotes
from pusherkit.doctor.signed_texts import (
    NOT_SHOWN,
    StoppedEarly,
    Text,
    enter,
    made_wrong,
    serialisations,
    signed_with,
)
from pusherkit.errors import AuthenticationError

MAX_SEARCHED_BYTES = 128 * 1024  # of a body whose mistake is searched for; ours
_SHOWN = 60  # characters of another app's key
UNEXPLAINED = (
    "No known mistake, and no two of them together, give this signature. Still possible: a secret "
    "that isn't this app's (a dashboard may show one for each webhook, and signs with the app's), "
    "a body that lost or gained something on its way here, or a mistake that isn't in the table "
    "yet."
)
UNFINISHED = "The search for the mistake took too long here, so it was stopped early."
_TOO_LARGE = (
    f"The mistake is searched for in bodies up to {MAX_SEARCHED_BYTES:,} bytes, and this one is "
    "larger. Take a smaller webhook: the mistake will be the same."
)

# --- the table --------------------------------------------------------------------------------
#
# One function per mistake, as in mistakes.py: those of "body" yield the bytes that were signed
# where they aren't the body at hand, those of "header" what is inside the header.

TABLE: dict[str, list[Row]] = {}
_mistake = partial(enter, TABLE)
_RAW = (
    "Verify the raw bytes of the request, before your framework parses them: "
    "request.get_data() in Flask, request.body in Django, express.raw() in Express, "
    "$request->getContent() in Laravel."
)


@_mistake(
    "header",
    "X-Pusher-Signature has a prefix, such as sha256=, that other services' webhooks have.",
    "Whatever sends it must put the 64 hex digits there, and nothing before them.",
)
def _prefix_before_signature(signature: str) -> Iterator[str]:
    if found := re.fullmatch(r"(?i:hmac-)?(?i:sha-?256|v1)[=: ]+(.*)", signature, re.DOTALL):
        yield found[1]


@_mistake(
    "header",
    "The app key stands before the signature, as in a subscription's auth.",
    "Send the key in X-Pusher-Key, and the 64 hex digits alone in X-Pusher-Signature.",
)
def _key_before_signature(signature: str) -> Iterator[str]:
    key, colon, rest = signature.rpartition(":")
    if colon and key:
        yield rest


@_mistake(
    "header",
    "X-Pusher-Signature has quotes or white space around it.",
    "Compare the header's value alone.",
)
def _signature_in_quotes(signature: str) -> Iterator[str]:
    yield without_quotes(signature)


@_mistake(
    "body",
    "This body isn't the raw one: the signature fits the same JSON in another form. It was parsed "
    "and written again between the two.",
    _RAW,
)
def _body_written_again(body: Body) -> Iterator[bytes]:
    for text in serialisations(body.value):
        yield _bytes(text)


@_mistake(
    "body",
    "A newline ended the body when it was signed, and it's gone now.",
    _RAW,
)
def _newline_lost(body: Body) -> Iterator[bytes]:
    yield from (body.sent + end for end in (b"\n", b"\r\n"))


@_mistake(
    "body",
    "The body ends with a newline or a space that wasn't signed.",
    _RAW + " Where you made the request yourself, printf adds no newline and echo does.",
)
def _newline_added(body: Body) -> Iterator[bytes]:
    if body.sent != body.sent.rstrip():
        yield body.sent.rstrip()
        yield body.sent.rstrip(b"\r\n")
        yield body.sent[:-1]


@_mistake(
    "body",
    "The lines of the body end otherwise than those that were signed: CRLF on one side, LF on the "
    "other.",
    _RAW,
)
def _line_ends_changed(body: Body) -> Iterator[bytes]:
    lf = body.sent.replace(b"\r\n", b"\n")
    yield lf
    yield lf.replace(b"\n", b"\r\n")


@_mistake(
    "body",
    "The body was decoded and encoded again in another character set than UTF-8.",
    "Verify bytes. " + _RAW,
)
def _body_in_another_encoding(body: Body) -> Iterator[bytes]:
    if not body.sent.isascii():
        yield body.sent.decode("latin-1").encode()
        yield body.text.encode("latin-1", errors="replace")
        yield body.text.encode("ascii", errors="replace")


@_mistake(
    "body",
    "The signature fits if you add a byte order mark to the body, or take away the one it has.",
    _RAW,
)
def _byte_order_mark(body: Body) -> Iterator[bytes]:
    mark = b"\xef\xbb\xbf"
    yield body.sent.removeprefix(mark)
    yield mark + body.sent


@_mistake(
    "body",
    "The body was signed empty, as if it had been read before, or not yet.",
    "Read the body once, keep its bytes, and verify those before you parse them.",
)
def _body_empty(body: Body) -> Iterator[bytes]:
    yield b""


@_mistake(
    "body",
    "What was signed is what the language prints for a parsed object, not the body.",
    _RAW,
)
def _object_signed(body: Body) -> Iterator[bytes]:
    if not isinstance(body.value, str):
        yield from (b"[object Object]", b"Array", _bytes(str(body.value)))


@_mistake(
    "body",
    "What was signed is a URL-encoded form: the JSON was parsed into one, or came inside one.",
    "Send JSON with Content-Type: application/json. " + _RAW,
)
def _form_signed(body: Body) -> Iterator[bytes]:
    text = body.text
    for form in dict.fromkeys((quote_plus(text), quote(text, safe=""), quote(text, "~()*!.'"))):
        for name in ("", "payload=", "data=", "body="):
            yield _bytes(name + form)
        yield _bytes(form + "=")
    yield _bytes(unquote_plus(text).removesuffix("="))


@_mistake(
    "body",
    "The body was encoded as JSON once more before it was signed.",
    "Sign the JSON itself, and send that.",
)
def _body_encoded_again(body: Body) -> Iterator[bytes]:
    yield from map(_bytes, serialisations(body.text))


@_mistake(
    "body",
    "The body was encoded as JSON once more after it was signed.",
    _RAW,
)
def _body_sent_encoded_again(body: Body) -> Iterator[bytes]:
    if isinstance(body.value, str):
        yield _bytes(body.value)


@_mistake(
    "body",
    "Only the events were signed, and not the whole body.",
    "Sign all of it: the object with time_ms and events.",
)
def _events_alone_signed(body: Body) -> Iterator[bytes]:
    if isinstance(body.value, dict) and "events" in body.value:
        yield from map(_bytes, serialisations(body.value["events"]))


@_mistake(
    "body",
    "The app key, or the time, was signed before the body, as other services do.",
    "Sign the body alone.",
)
def _more_than_the_body_signed(body: Body) -> Iterator[bytes]:
    time = body.value.get("time_ms") if isinstance(body.value, dict) else None
    if isinstance(time, int):
        for separator in (b".", b":", b""):
            yield b"%d" % time + separator + body.sent


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # JSON may hold half a character


# --- the diagnosis ----------------------------------------------------------------------------


def diagnose_webhook(
    credentials: Credentials,
    *,
    key: str | None,
    signature: str | None,
    body: bytes,
    go_on: Callable[[], bool] = lambda: True,
) -> Diagnosis:
    """Name the mistakes by which a webhook's signature doesn't fit, as verify_webhook() says.

    `key` and `signature` are X-Pusher-Key and X-Pusher-Signature as they came, None or "" where
    they didn't, and `body` is the body at hand. `go_on` is as for explain(). The search takes up to
    two seconds for a body of 128 KB, and some milliseconds for a usual one.
    """
    return _Webhook(
        credentials=credentials, key=key or "", signature=signature or "", body=Body(body)
    ).diagnosis(go_on)


@dataclass(frozen=True, kw_only=True)
class _Webhook:
    """A webhook as it is at hand."""

    credentials: Credentials
    key: str
    signature: str
    body: Body

    def diagnosis(self, go_on: Callable[[], bool]) -> Diagnosis:
        """What is wrong, and what is left."""
        fits = self._fits(self.credentials.key)
        notes = self._about_the_key(fits)
        findings: tuple[Finding, ...] = ()
        unexplained = ""
        if not self.signature:
            notes.append(
                "X-Pusher-Signature is missing. Every webhook of the API has it, so this isn't "
                "one, or a proxy dropped the header."
            )
        elif not fits:
            findings, unexplained = self._searched(go_on)
        if unexplained == UNEXPLAINED:
            if form := self._form():
                notes, unexplained = [*notes, form], ""
            elif self.key and self.key != self.credentials.key:
                unexplained = ""  # the key says whose secret it was signed with
        return Diagnosis(
            valid=fits and not notes,
            findings=findings,
            notes=tuple(map(self.credentials.hide, notes)),
            unexplained=unexplained,
            what="webhook",
        )

    def _fits(self, key: str) -> bool:
        try:
            verify_webhook(self.credentials, self.body.sent, key=key, signature=self.signature)
        except AuthenticationError:
            return False
        return True

    def _about_the_key(self, fits: bool) -> list[str]:
        right, came = self.credentials.key, self.key
        if came == right:
            return []
        if not came:
            return ["X-Pusher-Key is missing. The API sends the app key in it."]
        if came == self.credentials.secret:
            return ["X-Pusher-Key holds the app's secret, where the app key belongs."]
        if without_quotes(came) == right:
            return ["X-Pusher-Key has quotes or white space around the app key."]
        whose = (
            "The signature was made with this app's secret, so the key is an old one, or a typing "
            "mistake."
            if fits
            else "The webhook is of another app: verify it with that app's key and secret."
        )
        return [f"X-Pusher-Key is {came[:_SHOWN]}, and this app's key is {right}. {whose}"]

    def _form(self) -> str:
        """A note on a signature that cannot be one, whatever was signed; "" where it could."""
        expected = "expected 64 lower-case hex digits"
        if len(self.signature) != 64:
            return f"X-Pusher-Signature has {len(self.signature)} characters; {expected}."
        if wrong := re.search("[^0-9a-f]", self.signature):
            at, character = wrong.start() + 1, wrong[0]
            return f"X-Pusher-Signature: {expected}; character {at} is {character!r}."
        return ""

    def _searched(self, go_on: Callable[[], bool]) -> tuple[tuple[Finding, ...], str]:
        """What is proven, and what is left."""
        if max(len(self.body.sent), len(self.signature)) > MAX_SEARCHED_BYTES:
            return (), _TOO_LARGE
        try:
            findings = self._findings(go_on)
        except StoppedEarly:
            return (), UNFINISHED
        return findings, "" if findings else UNEXPLAINED

    def _findings(self, go_on: Callable[[], bool]) -> tuple[Finding, ...]:
        """Every explanation with the fewest mistakes, two at most."""
        opened: list[tuple[tuple[Mistake, ...], Any]] = [((), self.signature)]
        for mistake, inner in made_wrong(TABLE["header"], self.signature, self.signature):
            opened.append(((mistake,), inner))
        for count in range(1, 3):
            hits: dict[tuple[Mistake, ...], Finding] = {}
            for around, signature in opened:
                left = count - len(around)
                texts = chain([Text((), self.body.sent)], self._bodies if left else ())
                for by, signed in signed_with(self.credentials, signature, texts, left, go_on):
                    hits.setdefault((*around, *by), self._finding((*around, *by), signed))
            if hits:
                return tuple(hits.values())
        return ()

    @cached_property
    def _bodies(self) -> list[Text]:
        """What may have been signed in place of the body at hand."""
        wrong = made_wrong(TABLE["body"], self.body.sent, self.body)
        return [Text((by,), body) for by, body in wrong]

    def _finding(self, mistakes: tuple[Mistake, ...], signed: bytes) -> Finding:
        text = self.body.sent.decode(errors="replace")
        holds = any(map(self.credentials.holds, (text, self.signature)))
        return Finding(
            mistakes=mistakes,
            canonical_string=NOT_SHOWN if holds else signed.decode(errors="replace"),
            reproduced=self.credentials.hide(self.signature),
        )
