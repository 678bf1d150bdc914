"""Lesson 01, the body is bytes: why every order updates, except Zoë's."""

import base64
import hashlib
import json
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import urlencode

from pusherkit.errors import AuthenticationError
from pusherkit.lessons.kit import (
    COMPACT,
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    PRINTED,
    PUBLISHED_MD5,
    Explorer,
    Fact,
    Lesson,
    Picture,
    View,
    Wrong,
    area,
    difference,
    excerpt,
    first_difference,
    mark_at,
    name_byte,
    preset,
    shown,
    visible,
    whole,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, boxes, glyphs, group, line, rect, text
from pusherkit.signing import sign, verify

lesson = Lesson("01-body-is-bytes", title="The body is bytes", stages=(1, 2))
map = lesson.map
recall = lesson.recall_card


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "Your backend signs a request and sends it. Where in that request is the secret?",
    {
        "In the URL": "The URL carries the signature, which is made with the secret.",
        "Nowhere": "It never leaves your backend. It only makes the signature.",
        "In the body": "The body is the event and nothing else.",
    },
    why="Both sides know the secret already. What travels is proof that you know it.",
)
def where_is_the_secret() -> str:
    credentials, now = EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
    signed = sign(credentials, "POST", EVENTS_PATH, body=COMPACT, timestamp=now)
    sent = {"In the URL": urlencode(signed.query), "In the body": COMPACT.decode()}
    return next((part for part in sent if credentials.secret in sent[part]), "Nowhere")


@lesson.recall(
    "One letter of the body changes on its way. Which of the server's checks fails first?",
    {
        "body_md5": "The body that arrived has another MD5 than the one in the URL.",
        "auth_timestamp": "The time didn't change, so it's still fine.",
        "auth_signature": "The signature covers the URL's parameters, and none of them changed.",
    },
    why="The server hashes the bytes that arrive, and compares the result with body_md5.",
)
def which_check_fails() -> tuple[str, Fact]:
    credentials, now = EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
    signed = sign(credentials, "POST", EVENTS_PATH, body=COMPACT, timestamp=now)
    changed = COMPACT.replace(b"foo", b"fou")
    try:
        verify(credentials, "POST", EVENTS_PATH, signed.query, changed, now=now)
    except AuthenticationError as error:
        return error.reason, Fact("The server", str(error))
    raise AssertionError("a changed body was accepted")


@lesson.predict(
    "Is the MD5 printed there the MD5 of the body printed above it?",
    {
        "Yes, they belong together": "You'd think so: it's the official page.",
        "No, they don't": "Good instinct: never trust a printed body.",
    },
    why="The authors hashed a compact body, then printed it with spaces to make it readable. JSON "
    "doesn't mind. MD5 does. Test your code with what is printed, and you'll look for a bug that "
    "isn't there.",
)
def printed() -> tuple[str, Fact, Fact, Fact]:
    of_printed = hashlib.md5(PRINTED).hexdigest()
    of_compact = hashlib.md5(PRINTED.replace(b" ", b"")).hexdigest()
    belong = of_printed == PUBLISHED_MD5
    return (
        "Yes, they belong together" if belong else "No, they don't",
        Fact("On the page", PUBLISHED_MD5),
        Fact("Body as printed", of_printed, marks=whole(of_printed)),
        Fact("Body, no spaces", of_compact),
    )


# --- two bodies, byte by byte -------------------------------------------------------------------

ORDER = {"name": "status", "channel": "order-41", "data": "On its way, Zoë!"}
BODY = json.dumps(ORDER, ensure_ascii=False, separators=(",", ":"))
VARIANTS = {
    "exactly like A": BODY,
    "with one more space": BODY.replace(",", ", ", 1),
    "as json.dumps writes it": json.dumps(ORDER),
    "with ë as \\u00eb": json.dumps(ORDER, separators=(",", ":")),
    "with its names in another order": json.dumps(
        ORDER, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ),
    "with a newline at the end": BODY + "\n",
}


def compare_bodies(a: bytes, b: bytes) -> tuple[str, str, int | None]:
    """Both MD5s, and the first byte that differs."""
    places = range(max(len(a), len(b)))
    first_difference = next((n for n in places if a[n : n + 1] != b[n : n + 1]), None)
    return hashlib.md5(a).hexdigest(), hashlib.md5(b).hexdigest(), first_difference


@lesson.explorer
def two_bodies() -> Explorer:
    """Two bodies to change, byte by byte."""
    return Explorer(
        _compared,
        variant=preset("Start body B", VARIANTS, into="b"),
        a=area("Body A", BODY),
        b=area("Body B", BODY),
        code=[compare_bodies],
    )


def _compared(a: str, b: str) -> View:
    one, other = a.encode(), b.encode()
    md5_of_a, md5_of_b, at = compare_bodies(one, other)
    if at is None:
        status, there = "Same bytes, same MD5: B may be sent under a signature made for A.", "none"
    else:
        same = _means(one) is not None and _means(one) == _means(other)
        meaning = "Same meaning, other" if same else "Other"
        status = f"{meaning} bytes, another MD5: the server would refuse B."
        there = f"byte {at}, counting from 0: {_both(name_byte(one, at), name_byte(other, at))}"
    lengths = (f"{len(each.encode()):,} bytes ({len(each):,} characters)" for each in (a, b))
    return View(
        "Two bodies, byte by byte",
        (
            Fact("First difference", there, kind="prose"),
            Fact("Length", _both(*lengths), kind="prose"),
            Fact("MD5 of A", md5_of_a),
            Fact("MD5 of B", md5_of_b, marks=() if at is None else whole(md5_of_b)),
        ),
        status,
        good=at is None,
        picture=tapes(one, other),
        details=(
            excerpt(Fact("Body A", visible(a), marks=mark_at(one, at))),
            excerpt(Fact("Body B", visible(b), marks=mark_at(other, at))),
        ),
        fold="Show both bodies in full",
    )


def _both(of_a: str, of_b: str) -> str:
    return f"A has {of_a}, B has {of_b}."


def _means(body: bytes) -> Any:
    """What a body means to JSON; None where it isn't JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


# --- the picture --------------------------------------------------------------------------------

CELL = 25  # px: the width of a byte on the tape
SQUARE = 22  # px: a byte of the fingerprint
BEFORE = 4  # bytes shown before the first difference, at least
WIDE, NARROW = 24, 8  # bytes on a tape
AHEAD = 64  # bytes looked at from there on, to find those that only moved


def tapes(a: bytes, b: bytes) -> Picture:
    """The bytes around the first difference as two tapes, each beside its MD5 as 4×4 squares."""
    at = first_difference(a, b)
    if at is None:
        desc = "The tapes are equal, and so are the fingerprints, the 16 bytes of each MD5."
    else:
        desc = (
            f"The tapes differ from byte {at} on; lines join bytes that only moved. "
            "The fingerprints, the 16 bytes of each MD5, have nothing in common."
        )
    start = max(0, (at or 0) - BEFORE)
    while start and a[start] & 0xC0 == 0x80:  # inside a character of more than one byte
        start -= 1
    wide, narrow = (
        Picture("Two tapes of bytes", desc, _x(n) + 32 + 4 * SQUARE, 216, _tapes(a, b, start, n))
        for n in (WIDE, NARROW)
    )
    return replace(wide, narrow=narrow)


def _tapes(a: bytes, b: bytes, start: int, columns: int) -> str:
    ahead_a, ahead_b = a[start : start + AHEAD], b[start : start + AHEAD]
    matches = SequenceMatcher(None, ahead_a, ahead_b, autojunk=False).get_matching_blocks()
    pairs = [(m.a + n, m.b + n) for m in matches for n in range(m.size)]
    threads = [
        line(_x(one) + CELL / 2, 70, _x(other) + CELL / 2, 136, "slid")
        for one, other in pairs
        if one != other and max(one, other) < columns
    ]
    end = _x(columns) + 28
    return "".join(
        (
            *threads,
            *_tape("A", a, start, columns, {one for one, _ in pairs}, 24),
            *_tape("B", b, start, columns, {other for _, other in pairs}, 136),
            _fingerprint(a, end, 2),
            _fingerprint(b, end, 116),
        )
    )


def _x(column: int) -> int:
    return 22 + column * CELL


def _tape(
    name: str, body: bytes, start: int, columns: int, kept: set[int], y: int
) -> Iterator[str]:
    """A row of characters above a row of bytes: ë is one character over two bytes."""
    window = body[start : start + columns]
    yield text(2, y + 20, name, "strong")
    if start:
        yield text(2, y + 38, "…", "small")
    right = _x(len(window))
    yield text(right + 6, y + 27, "…" if len(body) > start + columns else "end", "small")
    right += 32
    if right < _x(columns):
        yield arrow(right, y + 23, _x(columns) + 24, y + 23)
    letters = list(_letters(window))
    for is_kept, cell, letter, digits in (
        (True, "box", "m", "hex"),
        (False, "hot", "ink", "inkhex"),
    ):
        cells = [n for n in range(len(window)) if (n in kept) is is_kept]
        over = [each for each in letters if (each[0] in kept) is is_kept]
        if not cells:
            continue
        for width in sorted({width for _, width, _ in over}):
            yield boxes(((_x(n), y) for n, w, _ in over if w == width), width * CELL, 26, cell)
        yield boxes(((_x(n), y + 26) for n in cells), CELL, 20, cell)
        yield glyphs(
            (_x(n) + width * CELL / 2 for n, width, _ in over),
            y + 18,
            "".join(character for _, _, character in over),
            letter,
        )
        yield glyphs(
            (_x(n) + CELL / 2 + side for n in cells for side in (-3.5, 3.5)),
            y + 40,
            "".join(f"{window[n]:02x}" for n in cells),
            digits,
        )


def _letters(window: bytes) -> Iterator[tuple[int, int, str]]:
    """What is written over the cells: (first cell, cells, character); é is one over two."""
    at = 0
    for character in window.decode(errors="ignore"):  # the last one may be cut
        width = len(character.encode())
        drawn = "␣" if character == " " else visible(character)
        yield at, width, drawn if drawn.isprintable() else "·"
        at += width


def _fingerprint(body: bytes, x: float, y: float) -> str:
    """An MD5 as 4×4 squares: each byte has its colour, and its hex digits in it."""
    md5 = hashlib.md5(body).digest()
    colours = (f"hsl({byte * 360 // 256},70%,{72 + byte % 16}%)" for byte in md5)
    squares = [
        rect(x + n % 4 * SQUARE, y + n // 4 * SQUARE, SQUARE, SQUARE, "", fill=colour)
        for n, colour in enumerate(colours)
    ]
    places = [x + (column + 0.5) * SQUARE + side for column in range(4) for side in (-3.5, 3.5)]
    rows = [
        glyphs(places, y + (row + 0.5) * SQUARE + 4, md5[4 * row :][:4].hex(), "inkhex")
        for row in range(4)
    ]
    return group(*squares, *rows)


# --- the exercises ------------------------------------------------------------------------------


def _orders(chance: random.Random) -> list[dict[str, str]]:
    """Three updates: for a plain name, for one outside ASCII, and for an ë made of e and ¨."""
    return [
        {
            "name": "status",
            "channel": f"order-{chance.randrange(10, 99)}",
            "data": f"Note: due at 10:{chance.randrange(10, 60)}, {name}",
        }
        for name in ("Ann", chance.choice(("Zoë", "José", "Søren", "あかり")), "Zoe\u0308 ☕")
    ]


def _texts(chance: random.Random) -> Iterator[tuple[str]]:
    """Their JSON: one with a newline at the end, and one with a space in front."""
    plain, named, decomposed = (json.dumps(each, ensure_ascii=False) for each in _orders(chance))
    yield from ((plain,), (named + "\n",), (" " + decomposed,))


def _bodies(chance: random.Random) -> Iterator[tuple[bytes]]:
    return ((text.encode(),) for (text,) in _texts(chance))


STRIPPED = "You strip() white space off the ends. It's sent, so the server hashes it, too."


@lesson.exercise(given=_bodies, keep=True)
def body_md5(body: bytes) -> str:
    """Return the body hash of any body, as 32 hex digits."""
    md5 = hashlib.md5(body)
    return md5.hexdigest()


body_md5.hint("A hash object has two methods that hand over the result: one as bytes, one as text.")
body_md5.hint("For another algorithm it would be `hashlib.sha1(body).hexdigest()`.")
body_md5.wrong(STRIPPED, lambda body: body_md5(body.strip()))
body_md5.wrong(
    "These are the 16 raw bytes. In a URL the hash is text: two hex digits for each byte.",
    lambda body: hashlib.md5(body).digest(),
)
body_md5.wrong(
    "The digits are right, but in capitals. The API compares lower-case hex.",
    lambda body: body_md5(body).upper(),
)
body_md5.wrong(
    "This is the hash in base64. body_md5 is hex.",
    lambda body: base64.b64encode(hashlib.md5(body).digest()).decode(),
)
body_md5.wrong(
    "This is SHA-256, 64 digits long. The body hash is MD5, 32 digits.",
    lambda body: hashlib.sha256(body).hexdigest(),
)
body_md5.why("MD5 makes 16 bytes of any body, and hexdigest() writes each as two digits.")
body_md5.next("Write it in a single line and check again: the shorter one goes into your file.")


@lesson.exercise(given=_texts)
def text_md5(text: str) -> str:
    """Return the body hash of a text, as it travels: in UTF-8."""
    body = text.encode("utf-8")
    return hashlib.md5(body).hexdigest()


text_md5.hint("Two steps: from text to bytes, and from bytes to hex digits.")
text_md5.hint("`'ë'.encode('utf-8')` is the two bytes c3 ab.")
text_md5.hint("Latin-1 doesn't have every character. The body travels as UTF-8.")
text_md5.wrong(STRIPPED, lambda text: body_md5(text.strip().encode()))
text_md5.wrong(
    "This hashes the text in Latin-1, where ë is one byte. On the wire it's UTF-8.",
    lambda text: body_md5(text.encode("latin-1", errors="replace")),
)
text_md5.wrong(
    "You dropped every character outside ASCII, and the server will hash them.",
    lambda text: body_md5(text.encode("ascii", errors="ignore")),
)
text_md5.wrong(
    "json.dumps() put the text in quotes and escaped it. It's JSON already: hash it as it is.",
    lambda text: body_md5(json.dumps(text).encode()),
)
text_md5.wrong(
    "You normalised the text, so an ë made of e and ¨ became another one. Hash the text as it is.",
    lambda text: body_md5(unicodedata.normalize("NFC", text).encode()),
)
text_md5.why("You can't hash text, only bytes, and the encoding decides which bytes they are.")
text_md5.next("Try it on your own name. How many bytes does it have in UTF-8?")


# Three bodies that mean the same. One of them was signed.
BODIES = {
    "A": b'{"name":"status","channel":"order-7","data":"delayed"}',
    "B": b'{"name": "status", "channel": "order-7", "data": "delayed"}',
    "C": b'{"channel":"order-7","data":"delayed","name":"status"}',
}
SIGNED_MD5 = hashlib.md5(BODIES["C"]).hexdigest()


@lesson.value
def signed_body() -> str:
    """Find the letter of the body that was signed."""
    hashes = {hashlib.md5(body).hexdigest(): letter for letter, body in BODIES.items()}
    return hashes[SIGNED_MD5]


@signed_body.judge
def _a_letter(result: Any) -> None:
    if result in BODIES.values():
        raise Wrong("The answer is the letter, not the body.", yours=result)
    if result != (expected := signed_body()):
        raise difference(expected, result)


signed_body.hint("BODIES is a dict from letter to bytes. Hash each of them.")
signed_body.hint("`for letter, body in BODIES.items(): print(letter, body_md5(body))`")
signed_body.wrong("A has the names in another order than the one that was signed.", "A")
signed_body.wrong("B has spaces after its colons and commas. The signed one doesn't.", "B")
signed_body.why("To JSON, spaces between its parts and order mean nothing. To MD5, everything.")
signed_body.next("Write a fourth body with the same meaning. Does it have one of these MD5s?")


@lesson.exercise(given=_bodies)
def same_meaning(body: bytes) -> bytes:
    """Return other bytes that mean the same to JSON."""
    return b" " + body


@same_meaning.judge
def _other_bytes(result: Any, body: bytes) -> None:
    yours = Fact("Yours", shown(result))
    if not isinstance(result, bytes):
        raise Wrong("A body is bytes. Is yours text? Then encode it.", yours)
    if _means(result) is None:
        raise Wrong("This isn't JSON any more.", yours)
    if _means(result) != _means(body):
        raise Wrong("This is JSON, but it means something else.", yours)
    if result == body:
        raise Wrong("For some bodies yours changes nothing.", yours)


same_meaning.hint("What may you add to JSON without changing what it means?")
same_meaning.hint("`b'{\"a\":1}'` and `b'{\"a\": 1}'` mean the same.")
same_meaning.wrong(
    "These are the very same bytes, so they have the same MD5. Change some.", lambda body: body
)
same_meaning.wrong(
    "A null byte isn't white space: this isn't JSON any more.", lambda body: body + b"\0"
)
same_meaning.wrong(
    "There's a colon in the data, too, and you changed it. Where can a space never hit a value?",
    lambda body: body.replace(b":", b": "),
)
same_meaning.why(
    "White space between its parts means nothing to JSON. So a body that is parsed and written "
    "again on its way may mean the same, and still be refused."
)
same_meaning.next("Do it without adding a single byte. What else is free in JSON?")


def broken_update(order: dict[str, str]) -> tuple[bytes, str]:
    text = json.dumps(order, separators=(",", ":"))
    body_md5 = hashlib.md5(text.encode()).hexdigest()
    body = json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode()
    return body, body_md5


@lesson.exercise(given=lambda chance: [(order,) for order in _orders(chance)])
def update(order: dict[str, str]) -> tuple[bytes, str]:
    """Make every order's update pass: return the body to send, and the hash of that very body."""
    body = json.dumps(order).encode()
    return body, hashlib.md5(body).hexdigest()


@update.judge
def _belong_together(result: Any, order: dict[str, str]) -> None:
    yours = Fact("Yours", shown(result))
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong("Return two things: the body and its hash.", yours)
    body, md5 = result
    if not isinstance(body, bytes) or not isinstance(md5, str):
        raise Wrong("Return bytes and text: the body, and 32 hex digits.", yours)
    if _means(body) != order:
        raise Wrong("The body doesn't hold the order any more.", yours)
    if md5 != (arrived := body_md5(body)):
        raise Wrong(
            "The server would refuse this one: the hash isn't that of the body that is sent.",
            Fact("Body", visible(body.decode(errors="replace"))),
            Fact("Its MD5", arrived),
            Fact("You hashed", md5[:64]),
        )


def _twice(**written: Any) -> Callable[[dict[str, str]], tuple[bytes, str]]:
    return lambda order: (
        json.dumps(order).encode(),
        body_md5(json.dumps(order, **written).encode()),
    )


update.broken("Ann's update passes, Zoë's doesn't. Which two lines disagree?", broken_update)
update.hint("How often does the function turn the order into text? Do both times give the same?")
update.hint("Keep the bytes in a variable. Hash that variable, and return that variable.")
update.wrong(
    "Now the body is text (str). Encode it once, then hash and return those bytes.",
    lambda order: (json.dumps(order), body_md5(json.dumps(order).encode())),
)
update.wrong("You hash JSON with sorted names, and send it unsorted.", _twice(sort_keys=True))
update.wrong("You hash compact JSON, and send it with spaces.", _twice(separators=(",", ":")))
update.why("Serialise once, then hash and send those bytes. How they're written is up to you.")
update.next("Switch your version to ensure_ascii=False. In how many places did you change it?")


# --- prove it -----------------------------------------------------------------------------------


def _written(order: dict[str, str], style: int) -> bytes:
    """One of eight ways to write an order as JSON."""
    separators = (",", ":") if style & 1 else (", ", ": ")
    text = json.dumps(order, separators=separators, ensure_ascii=bool(style & 2))
    return (text + "\n" * bool(style & 4)).encode()


def _mysteries(chance: random.Random) -> Iterator[tuple[dict[str, str], str]]:
    order = _orders(chance)[1]
    for style in chance.sample(range(8), 8):
        yield order, body_md5(_written(order, style))


def _among(*styles: int) -> Callable[[dict[str, str], str], bytes | None]:
    """A search that forgets some of the eight."""
    return lambda order, md5: next(
        (body for style in styles if body_md5(body := _written(order, style)) == md5), None
    )


@lesson.exercise(given=_mysteries, covers_lesson=True)
def prove_it(order: dict[str, str], md5: str) -> bytes:
    """Return the body that was signed: the way of writing the order whose MD5 is given."""
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            for end in ("", "\n"):
                text = json.dumps(order, separators=separators, ensure_ascii=ascii_only) + end
                if hashlib.md5(text.encode()).hexdigest() == md5:
                    return text.encode()
    raise ValueError("none of the eight")


prove_it.hint("Three things vary, each in two ways. That makes eight candidates to hash.")
prove_it.hint("`json.dumps(order, separators=(',', ':'), ensure_ascii=False)` is one of them.")
prove_it.wrong(
    "You always return what json.dumps() writes by itself. Compare its MD5 with the one given.",
    lambda order, md5: json.dumps(order).encode(),
)
prove_it.wrong(
    "You always return compact JSON. Compare its MD5 with the one given.",
    lambda order, md5: json.dumps(order, separators=(",", ":"), ensure_ascii=False).encode(),
)
prove_it.wrong("You find none that ends in a newline. Try that, too.", _among(0, 1, 2, 3))
prove_it.wrong("You find none with \\u00eb in it. Try ensure_ascii both ways.", _among(0, 1, 4, 5))
prove_it.wrong("You find none with spaces after , and :. Try both separators.", _among(1, 3, 5, 7))
prove_it.why(
    "That's how to find out what was signed: try what people do, and compare. The doctor, a tool "
    "that you'll meet in lesson 08, does it for a whole request."
)
prove_it.next("The names could come in another order, too. How many candidates would that make?")
