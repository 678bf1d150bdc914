"""Lesson 01, the body is bytes: the same JSON is not the same digest."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
from typing import Any

import ipywidgets

from pusherkit.errors import AuthenticationError
from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake, equals
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    View,
    first_difference,
    mark_at,
    name_byte,
)
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.lessons._progress import ProgressView
from pusherkit.signing import body_digest, sign, verify

NOTEBOOK = "01-body-is-bytes"

# The worked example of Pusher's HTTP API documentation: the body that was hashed, the same body
# as the page prints it, and the MD5 that stands beside it.
COMPACT = rb'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}'
PRINTED = rb'{ "name": "foo", "channels": ["project-3"], "data": "{\"some\":\"data\"}" }'
PUBLISHED_MD5 = "ec365a775a4cd0599faeb73354201b6f"


# --- recall and prediction --------------------------------------------------------------------


def recall_lines() -> Prediction:
    """From lesson 00: the shape of the canonical string."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        text = sign(
            EXAMPLE_CREDENTIALS, "POST", "/apps/3/events", body=COMPACT, timestamp=EXAMPLE_TIMESTAMP
        ).canonical_string
        return str(len(text.split("\n"))), (Fact("Canonical string", text),)

    return Prediction(
        "Recall: how many lines has a canonical string?",
        {
            "1": "The parts are joined by newlines, not written side by side.",
            "2": "The path has a line of its own.",
            "3": "Method, path, parameters.",
            "5": "The parameters share one line, joined by &.",
        },
        run,
        "The method, the path and the parameters each have a line.",
    )


def recall_rule() -> Prediction:
    """From lesson 00: which rule a changed body breaks."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        path = "/apps/3/events"
        signature = sign(
            EXAMPLE_CREDENTIALS, "POST", path, body=COMPACT, timestamp=EXAMPLE_TIMESTAMP
        )
        changed = COMPACT.replace(b"foo", b"fou")
        try:
            verify(
                EXAMPLE_CREDENTIALS, "POST", path, signature.query, changed, now=EXAMPLE_TIMESTAMP
            )
        except AuthenticationError as error:
            return error.reason, (Fact("Refusal", str(error)),)
        raise AssertionError("a changed body was accepted")

    return Prediction(
        "Recall: a byte of the body changes on the way. Which rule fails?",
        {
            "auth_timestamp": "The timestamp is the same as before.",
            "body_md5": "The digest is of the bytes that were signed.",
            "auth_signature": "The signature covers the digest, and the digest in the URL did "
            "not change. So the signature still fits the URL.",
        },
        run,
        "The server hashes what arrives and compares it with body_md5.",
    )


def predict() -> Prediction:
    """Does the body, as the documentation prints it, have the MD5 that stands beside it?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        printed = body_digest(PRINTED)
        return "Yes" if printed == PUBLISHED_MD5 else "No", (
            Fact("Printed body", PRINTED.decode()),
            Fact("Its MD5", printed),
            Fact("Published", PUBLISHED_MD5),
        )

    return Prediction(
        "Predict: does the body, byte for byte as it is printed, have the printed MD5?",
        {
            "Yes": "It would, if the page showed the bytes that were hashed.",
            "No": "You do not trust a printed page with bytes. Good.",
        },
        run,
        "The page hashed a compact body and prints it with spaces, for reading. To JSON both are "
        "the same. To MD5 they are two different texts.",
    )


# --- the byte viewer --------------------------------------------------------------------------

# What body B can be set to, beside a compact body A.
VARIANTS = {
    "as the page prints it": PRINTED.decode(),
    "as json.dumps writes it": json.dumps(json.loads(COMPACT)),
    "with a newline at the end": COMPACT.decode() + "\n",
    "with its keys sorted": json.dumps(json.loads(COMPACT), sort_keys=True, separators=(",", ":")),
    "the same bytes": COMPACT.decode(),
}
_WINDOW = 8  # bytes shown on each side of the first difference


class ByteViewer(Interactive):
    """Two bodies, their lengths and digests, and the first byte in which they differ."""

    def __init__(self) -> None:
        self.variant = ipywidgets.Dropdown(
            options=list(VARIANTS),
            description="Body B is body A",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="auto", max_width="28rem"),
        )
        self.a = _body_field("Body A", COMPACT.decode())
        self.b = _body_field("Body B", VARIANTS[self.variant.value])
        self.variant.observe(lambda _: self._choose(), names="value")
        for field in (self.a, self.b):
            field.observe(lambda _: self.refresh(), names="value")
        twin = compare(COMPACT, PRINTED)
        super().__init__(
            [self.variant, self.a, self.b],
            lambda: compare(self.a.value.encode(), self.b.value.encode()),
            twin=twin,
        )

    def _choose(self) -> None:
        self.b.value = VARIANTS[self.variant.value]


def _body_field(label: str, value: str) -> ipywidgets.Textarea:
    return ipywidgets.Textarea(
        value=value,
        description=label,
        rows=2,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="auto", max_width="64rem"),
    )


def compare(a: bytes, b: bytes) -> View:
    """Two bodies beside each other: length, digest, first difference, meaning as JSON."""
    at = first_difference(a, b)
    facts = [
        Fact("Body A", _visible(a), f"{len(a)} bytes", mark_at(a, at)),
        Fact("MD5 of A", body_digest(a)),
        Fact("Body B", _visible(b), f"{len(b)} bytes", mark_at(b, at)),
        Fact("MD5 of B", body_digest(b)),
    ]
    if at is None:
        return View("Two bodies, byte by byte", tuple(facts), "Same bytes, same digest.", True)
    facts += [
        Fact("First difference", f"byte {at}: A has {name_byte(a, at)}, B has {name_byte(b, at)}"),
        Fact("Bytes of A there", _hex(a, at)),
        Fact("Bytes of B there", _hex(b, at)),
    ]
    meaning = (
        "Different bytes, different digests, although both mean the same to JSON."
        if _means(a) is not None and _means(a) == _means(b)
        else "Different bytes, different digests."
    )
    return View("Two bodies, byte by byte", tuple(facts), meaning)


def _visible(body: bytes) -> str:
    """A body with its line ends and tabs shown, one sign for each, so that positions stay."""
    return body.decode(errors="replace").translate({10: "⏎", 13: "␍", 9: "⇥"})


def _hex(body: bytes, at: int) -> str:
    start = max(0, at - _WINDOW)
    row = body[start : at + _WINDOW]
    return " ".join(
        f"[{byte:02x}]" if start + i == at else f"{byte:02x}" for i, byte in enumerate(row)
    )


def _means(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def viewer() -> ByteViewer:
    """Two bodies to change, byte by byte."""
    return ByteViewer()


# --- the exercises ----------------------------------------------------------------------------

_WORDS = ("tick", "Łódź", "5 €", "café", "☕", "東京", "naïve", "plain")


def _some_text(chance: random.Random) -> tuple[str]:
    """JSON with at least one character outside ASCII."""
    words = ["☕", *chance.sample(_WORDS, 2)]
    return (json.dumps({"name": "note", "data": " ".join(words)}, ensure_ascii=False),)


def _some_body(chance: random.Random) -> tuple[bytes]:
    return (_some_text(chance)[0].encode(),)


def _digest(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


digest = FunctionExercise(
    name="body_is_bytes.digest",
    task="The hex MD5 of a body, for any bytes.",
    given=_some_body,
    right=_digest,
    mistakes=(
        Mistake(
            lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
            "These are the 16 raw bytes of the digest. body_md5 is text: 32 hex digits.",
        ),
        Mistake(
            lambda body: _digest(body).upper(),
            "The digits are right, but in upper case. The API compares lower-case hex.",
        ),
        Mistake(
            lambda body: base64.b64encode(
                hashlib.md5(body, usedforsecurity=False).digest()
            ).decode(),
            "This is the digest in base64. body_md5 is hex.",
        ),
        Mistake(
            lambda body: hashlib.sha256(body).hexdigest(),
            "This is SHA-256, 64 digits. body_md5 is MD5, 32 digits.",
        ),
    ),
    hints=(
        "The object md5 has two methods that tell the digest: one as bytes, one as text.",
        "hashlib.sha1(b'x').hexdigest() is the hex digest of another algorithm.",
    ),
    solution=(
        "def digest(body: bytes) -> str:\n"
        "    md5 = hashlib.md5(body)\n"
        "    return md5.hexdigest()\n\n"
        "MD5 gives 16 bytes; hexdigest() writes each as two digits.\n"
        "Now write the same in one line, and check it again."
    ),
)


def _text_digest(text: str) -> str:
    return _digest(text.encode("utf-8"))


text_digest = FunctionExercise(
    name="body_is_bytes.text_digest",
    task="The hex MD5 of a text as it goes over the wire, in UTF-8.",
    given=_some_text,
    right=_text_digest,
    mistakes=(
        Mistake(
            lambda text: _digest(text.encode("latin-1", errors="replace")),
            "This is the digest of the text in Latin-1. The body on the wire is UTF-8.",
        ),
        Mistake(
            lambda text: _digest(text.encode("ascii", errors="ignore")),
            "Characters outside ASCII were dropped, so the server would hash more bytes than you.",
        ),
        Mistake(
            lambda text: _digest(text.encode("utf-16")),
            "This is the digest of the text in UTF-16. The body on the wire is UTF-8.",
        ),
        Mistake(
            lambda text: _digest(json.dumps(text).encode()),
            "json.dumps wrote the text anew: in quotes, with \\u escapes. Hash the text as it is.",
        ),
        Mistake(
            lambda text: _digest(text.encode("unicode_escape")),
            "Characters became \\u escapes before hashing. They go out as UTF-8.",
        ),
    ),
    hints=(
        "Two steps: text to bytes, bytes to hex digits.",
        "'é'.encode('utf-8') is the two bytes c3 a9.",
    ),
    solution=(
        "def text_digest(text: str) -> str:\n"
        '    body = text.encode("utf-8")\n'
        "    return hashlib.md5(body).hexdigest()\n\n"
        "A digest is of bytes, never of text. Which bytes, the encoding decides.\n"
        "Now try your function on a text in your own language, and predict its length in bytes."
    ),
)


def _length_and_digest(text: str) -> tuple[int, str]:
    body = text.encode("utf-8")
    return len(body), _digest(body)


prove_it = FunctionExercise(
    name="body_is_bytes.prove_it",
    task="The length of a text in bytes, as it goes over the wire, and its body_md5.",
    given=_some_text,
    right=_length_and_digest,
    mistakes=(
        Mistake(
            lambda text: (len(text), _text_digest(text)),
            "The digest is right. The length counts characters; on the wire, count bytes.",
        ),
        Mistake(
            lambda text: (len(text.encode()), _text_digest(text).upper()),
            "The length is right. The digest is in upper case; the API compares lower-case hex.",
        ),
    ),
    hints=(
        "Turn the text into bytes once, and keep them.",
        "'é'.encode('utf-8') is two bytes, although 'é' is one character.",
    ),
    solution=(
        "def prove_it(text: str) -> tuple[int, str]:\n"
        '    body = text.encode("utf-8")\n'
        "    return len(body), hashlib.md5(body).hexdigest()\n\n"
        "Encode once; count and hash the same bytes.\n"
        "Now go on to the next lesson, or read why it is so in this one."
    ),
)


# Three bodies that mean the same. One of them was signed.
BODIES = {
    "A": b'{"name":"alarm","channel":"lab","data":"{}"}',
    "B": b'{"name": "alarm", "channel": "lab", "data": "{}"}',
    "C": b'{"channel":"lab","data":"{}","name":"alarm"}',
}
SIGNED_MD5 = body_digest(BODIES["C"])

which_body = Exercise(
    name="body_is_bytes.which_body",
    task="The letter of the body whose MD5 was signed.",
    judge=equals("C"),
    right="C",
    mistakes=(
        Mistake("A", "A has the same keys and values, in another order. Compute its MD5."),
        Mistake("B", "B has spaces after colons and commas. Compute its MD5."),
    ),
    hints=(
        "Compute the MD5 of each body. BODIES is a dict from letter to bytes.",
        "for letter, body in BODIES.items(): print(letter, digest(body))",
    ),
    solution=(
        "(signed_body,) = [\n"
        "    letter\n"
        "    for letter, body in BODIES.items()\n"
        "    if hashlib.md5(body).hexdigest() == SIGNED_MD5\n"
        "]\n\n"
        "The three differ in spaces and in the order of their keys, and so do their digests.\n"
        "Now make a fourth body that means the same and has yet another digest."
    ),
)


ORIGINAL = b'{"name":"door","channel":"house","data":"open"}'


def _judge_twin(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, bytes):
        return f"Expected bytes, got {type(done).__name__}. Write b'…'.", ()
    meaning = _means(done)
    if meaning is None:
        return "This is not JSON any more.", (Fact("Yours", repr(done)[:200]),)
    if meaning != json.loads(ORIGINAL):
        return "This is JSON with another meaning.", (Fact("Yours", json.dumps(meaning)[:200]),)
    return None


other_bytes = Exercise(
    name="body_is_bytes.other_bytes",
    task="A body that means the same as ORIGINAL to JSON, and has another MD5.",
    judge=_judge_twin,
    right=b'{ "name":"door","channel":"house","data":"open"}',
    mistakes=(
        Mistake(ORIGINAL, "These are the same bytes, so they have the same MD5. Change some."),
        Mistake(
            ORIGINAL.decode(),
            "This is text (str), and the same as before. A body is bytes: write b'…'.",
        ),
        Mistake(
            b"{'name':'door','channel':'house','data':'open'}",
            "JSON strings stand in double quotes. This is no JSON any more.",
        ),
    ),
    hints=(
        "What may you add to JSON without changing what it means?",
        "b'{\"a\":1}' and b'{\"a\": 1}' mean the same.",
    ),
    solution=(
        'other = b\'{ "name":"door","channel":"house","data":"open"}\'\n\n'
        "White space between the parts means nothing to JSON, and everything to MD5.\n"
        "Now do it without adding a byte: the order of the keys is free as well."
    ),
)


def broken_request(event: dict[str, str]) -> tuple[bytes, str]:
    """Make the body to send, and its body_md5. One of the lines is wrong."""
    body_md5 = hashlib.md5(json.dumps(event).encode(), usedforsecurity=False).hexdigest()
    body = json.dumps(event, separators=(",", ":")).encode()
    return body, body_md5


_EVENTS = (
    {"name": "rain", "channel": "weather", "data": "{}"},
    {"name": "wind", "channel": "weather", "data": "südwest"},
)


def _on_events(answer: Any) -> Any:
    done = [answer(dict(event)) for event in _EVENTS]
    return ... if ... in done else done


def _judge_request(done: list[Any]) -> tuple[str, tuple[Fact, ...]] | None:
    for event, result in zip(_EVENTS, done, strict=True):
        if not isinstance(result, tuple) or len(result) != 2:
            return (
                "Expected two values: the body as bytes, and its digest as text.",
                (Fact("Yours", repr(result)[:200]),),
            )
        body, body_md5 = result
        if not isinstance(body, bytes) or not isinstance(body_md5, str):
            return (
                f"Expected bytes and text, got {type(body).__name__} and "
                f"{type(body_md5).__name__}.",
                (),
            )
        if _means(body) != event:
            return "The body no longer holds the event.", (Fact("Body", repr(body)[:200]),)
        if body_md5 != body_digest(body):
            return (
                "The digest is not that of the body that is sent.",
                (
                    Fact("Body, sent", body.decode(errors="replace")),
                    Fact("Its MD5", body_digest(body)),
                    Fact("Yours", body_md5[:64]),
                ),
            )
    return None


def _mended_request(event: dict[str, str]) -> tuple[bytes, str]:
    body = json.dumps(event).encode()
    return body, _digest(body)


mend = Exercise(
    name="body_is_bytes.mend",
    task="The digest is that of the very bytes that are sent.",
    perform=_on_events,
    judge=_judge_request,
    right=_mended_request,
    mistakes=(
        Mistake(
            broken_request,
            "This still serialises twice: once to hash, once to send. The two differ in spaces.",
        ),
        Mistake(
            lambda event: (json.dumps(event), _text_digest(json.dumps(event))),
            "The body is text (str). Encode it once; hash and send those bytes.",
        ),
        Mistake(
            lambda event: (
                json.dumps(event).encode(),
                _text_digest(json.dumps(event, sort_keys=True)),
            ),
            "The hashed JSON has its keys sorted, the one that is sent has not.",
        ),
    ),
    hints=(
        "How many times does the function turn the event into bytes?",
        "Keep the bytes in a variable. Hash the variable, return the variable.",
    ),
    solution=(
        "def request(event: dict) -> tuple[bytes, str]:\n"
        "    body = json.dumps(event).encode()\n"
        "    return body, hashlib.md5(body).hexdigest()\n\n"
        "Serialise once, hash those bytes, send those bytes. The format does not matter then.\n"
        "Now let it write compact JSON. In how many places do you have to change it?"
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
