"""Lesson 04, key and message: same secret, same text, another signature."""

import base64
import hashlib
import hmac
import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from pusherkit.lessons.kit import (
    COMPACT,
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Explorer,
    Fact,
    Lesson,
    Picture,
    Practice,
    View,
    Wrong,
    area,
    button,
    choice,
    difference,
    line,
    shown,
    whole,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, boxes, group, path, rect, text
from pusherkit.signing import hmac_sha256, sign

lesson = Lesson("04-key-and-message", stages=(5,))
map = lesson.map
recall = lesson.recall_card

# The worked example that the API reference prints, signed.
EXAMPLE = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=COMPACT, timestamp=EXAMPLE_TIMESTAMP)
SECRET, TEXT = EXAMPLE_CREDENTIALS.secret, EXAMPLE.canonical_string


# --- recall -------------------------------------------------------------------------------------


@lesson.recall(
    "Which of these isn't in the canonical string?",
    {
        "The host": "Only the path is signed. A proxy may change the host on the way.",
        "The time": "It's a parameter, auth_timestamp, and all of those are in the third line.",
        "The body hash": "It's a parameter, body_md5, and all of those are in the third line.",
    },
    why="Three lines: the method, the path, the parameters. Nothing else is signed.",
)
def which_is_missing() -> tuple[str, Fact]:
    parts = {
        "The host": EXAMPLE_CREDENTIALS.base_url.removeprefix("http://"),
        "The time": f"auth_timestamp={EXAMPLE_TIMESTAMP}",
        "The body hash": f"body_md5={hashlib.md5(COMPACT).hexdigest()}",
    }
    (missing,) = [name for name in parts if parts[name] not in TEXT]
    return missing, Fact("Canonical string", TEXT)


@lesson.recall(
    "A request carries tag=van, then tag=bike. In which order are the two signed?",
    {
        "bike, then van": "Only names are sorted, and these two have the same name.",
        "van, then bike": "The names are equal, so the two stay as they came.",
        "Only the last one counts": "Every parameter is signed, as often as it's there.",
    },
    why="Sorted by name alone. If you sort whole pairs, equal names get sorted by value, and the "
    "server refuses your signature.",
)
def repeated_name() -> tuple[str, Fact]:
    tags, now = [("tag", "van"), ("tag", "bike")], EXAMPLE_TIMESTAMP
    signed = sign(EXAMPLE_CREDENTIALS, "GET", "/apps/3/channels", tags, timestamp=now)
    orders = {
        "tag=bike&tag=van": "bike, then van",
        "tag=van&tag=bike": "van, then bike",
        "tag=bike": "Only the last one counts",
    }
    found = next(orders[each] for each in orders if signed.canonical_string.endswith(each))
    return found, Fact("Canonical string", signed.canonical_string)


# --- 256 lamps ----------------------------------------------------------------------------------

RECIPES = {  # the code, which is what runs, and the rule that it breaks
    "HMAC-SHA256 of the text, keyed by the secret": (
        "hmac.new(secret, text, hashlib.sha256).hexdigest()",
        "",
    ),
    "HMAC-SHA256 of the secret, keyed by the text": (
        "hmac.new(text, secret, hashlib.sha256).hexdigest()",
        "The two are swapped: hmac.new() takes the key first, and that's the secret.",
    ),
    "SHA-256 of secret and text, joined": (
        "hashlib.sha256(secret + text).hexdigest()",
        "This is a plain hash of the two, and the API wants an HMAC.",
    ),
    "HMAC with SHA-1": (
        "hmac.new(secret, text, hashlib.sha1).hexdigest()",
        "This is SHA-1, 160 bits. The API wants SHA-256.",
    ),
    "HMAC with MD5": (
        "hmac.new(secret, text, hashlib.md5).hexdigest()",
        "This is MD5, 128 bits. MD5 makes the body hash; the signature is SHA-256.",
    ),
    "HMAC-SHA256, written in base64": (
        "base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()",
        "The bits are right, but the API compares hex digits, and this is base64.",
    ),
}


def _made(code: str, secret: str, text: str) -> tuple[str, bytes]:
    """The signature that a recipe makes, and its bits."""
    names = {"base64": base64, "hashlib": hashlib, "hmac": hmac}
    signature = eval(code, {**names, "secret": secret.encode(), "text": text.encode()})  # noqa: S307 - ours
    return signature, base64.b64decode(signature) if "base64" in code else bytes.fromhex(signature)


def flipped(one: bytes, other: bytes) -> int:
    """How many bits differ between two results of the same length."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@lesson.explorer
def lamps() -> Explorer:
    """A secret and a text, and every bit of what is made of them."""
    return Explorer(
        _lit,
        secret=line("Secret", SECRET),
        text=area("Text", TEXT, rows=5),
        recipe=choice("Recipe", RECIPES),
        code=[flipped],
    )


def _lit(secret: str, text: str, recipe: tuple[str, str]) -> View:
    code, wrong = recipe
    _, began = _made(code, SECRET, TEXT)
    signature, now = _made(code, secret, text)
    count, bits = flipped(began, now), 8 * len(now)
    untouched = (secret, text) == (SECRET, TEXT)
    moved = f"{count} of {bits} have flipped since the start."
    if not (untouched or count):
        moved += " Joined, secret and text are the same bytes as before."
    begins = f"{signature[:8]}…"
    sent = (*EXAMPLE.params, ("auth_signature", signature))
    answer = Practice().http.post(EVENTS_PATH, params=sent, content=COMPACT)
    if answer.status_code == 200:
        status, good = f"Accepted: {begins}", True
    else:
        reasons = [wrong]
        if secret != SECRET:
            reasons.append("That isn't the app's secret.")
        if text != TEXT:
            reasons.append("That isn't the text of the request that was sent.")
        status, good = f"Refused: {begins} {' '.join(filter(None, reasons))}", False
    return View(
        "256 lamps: one for each bit of the signature",
        (
            Fact("Signature", signature, marks=() if untouched else whole(signature)),
            Fact("Code", code),
            Fact("Lamps", moved, kind="prose"),
        ),
        status,
        good,
        picture=lamp_grids(began, now),
    )


LAMPS = 16  # side by side; 16 rows of them make 256


def lamp_grids(began: bytes, now: bytes) -> Picture:
    """The bits of a recipe at the start and now as lamps, and those that flipped."""
    count, bits = flipped(began, now), 8 * len(now)
    lit = int.from_bytes(now).bit_count()
    desc = (
        f"{bits} lamps in rows of {LAMPS}, {lit} of them lit. Compared with the start, "
        f"{count} have flipped."
    )
    change = bytes(a ^ b for a, b in zip(began, now, strict=True))
    grids = (
        ("This recipe, at the start", began, "hot"),
        ("Now", now, "hot"),
        (f"Flipped: {count}", change, "f5"),
    )
    title = "The signature's bits as lamps"
    narrow = Picture(title, desc, 340, 184, _grids(grids[1:], 10))
    return Picture(title, desc, 616, 218, _grids(grids, 12), narrow)


def _grids(grids: tuple[tuple[str, bytes, str], ...], pitch: int) -> str:
    shapes = []
    for number, (title, made, lamp) in enumerate(grids):
        left, top = 4 + number * ((LAMPS + 2) * pitch - 8), 24
        width, height = LAMPS * pitch, 8 * len(made) // LAMPS * pitch
        between = [f"M{left} {top + y}h{width}" for y in range(pitch, height, pitch)]
        between += [f"M{left + x} {top}v{height}" for x in range(pitch, width, pitch)]
        lit = (n for n in range(8 * len(made)) if made[n // 8] >> (7 - n % 8) & 1)
        shapes += [
            text(left, 15, title, "strong"),
            rect(left, top, width, height),
            path("".join(between), "bare"),
            boxes(
                ((left + n % LAMPS * pitch + 1, top + n // LAMPS * pitch + 1) for n in lit),
                pitch - 2,
                pitch - 2,
                lamp,
            ),
        ]
    return "".join(shapes)


# --- SHA-256, with its state open ---------------------------------------------------------------

BLOCK = 64  # bytes that SHA-256 takes in at a time (FIPS 180-4); HMAC fills its key up to this
_PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, math.isqrt(n) + 1))]
_ROUNDS = [int(prime ** (1 / 3) % 1 * 2**32) for prime in _PRIMES]  # FIPS 180-4, section 4.2.2


def padding(length: int) -> bytes:
    """What SHA-256 adds after `length` bytes, to fill its last block of 64."""
    return b"\x80" + bytes(-(length + 9) % 64) + (8 * length).to_bytes(8, "big")


def go_on(state: str, hashed: int, more: bytes) -> str:
    """Go on from a SHA-256, after `hashed` bytes (padding included): its hash with `more` added."""
    if hashed % 64:
        raise ValueError(
            f"SHA-256 has mixed in whole blocks of 64 bytes so far, and {hashed} isn't a multiple "
            "of 64. The count takes in the padding, and both of them need the secret's bytes, too."
        )
    if not isinstance(state, str) or re.fullmatch("[0-9a-f]{64}", state) is None:
        raise ValueError("A state is what hexdigest() returns: text, 64 hex digits.")
    words = struct.unpack(">8I", bytes.fromhex(state))  # the eight numbers in the bucket
    rest = more + padding(hashed + len(more))
    for at in range(0, len(rest), 64):
        words = _mix(words, rest[at : at + 64])
    return struct.pack(">8I", *words).hex()


def _mix(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    """One block into the state: the compression function (FIPS 180-4, section 6.2.2)."""
    w = list(struct.unpack(">16I", block))
    for n in range(16, 64):
        low = _turn(w[n - 15], 7) ^ _turn(w[n - 15], 18) ^ w[n - 15] >> 3
        high = _turn(w[n - 2], 17) ^ _turn(w[n - 2], 19) ^ w[n - 2] >> 10
        w.append((w[n - 16] + low + w[n - 7] + high) % 2**32)
    a, b, c, d, e, f, g, h = state
    for n in range(64):
        chosen = (e & f) ^ (~e & g)
        one = h + (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)) + chosen + _ROUNDS[n] + w[n]
        two = (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = (one + two) % 2**32, a, b, c, (d + one) % 2**32, e, f, g
    return tuple(
        (old + new) % 2**32 for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)
    )


def _turn(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) % 2**32


# --- a stranger and a report --------------------------------------------------------------------

DEPOT_SECRET = b"c1f07b92e4d85a3690be"
REPORT = b"status=delivered&order=41"


@lesson.predict(
    "The report and its signature end up in a log that a stranger can read. They know that the "
    "secret has 20 bytes, and nothing else about it. What can they do?",
    {
        "Send that very report again, nothing more": "They can do that, however the signature was "
        "made. But here they can do more.",
        "Work the secret out": "Not a long, random one: there are too many to try. A word from a "
        "dictionary wouldn't last a minute.",
        "Get a longer report accepted": "Then you know how SHA-256 works inside.",
    },
    why="SHA-256 reads block by block, and its result is the state in which it stopped. Load that "
    "state, and you can go on hashing as if you'd read the secret yourself.",
)
def stranger() -> tuple[str, Fact, Fact]:
    seen = hashlib.sha256(DEPOT_SECRET + REPORT).hexdigest()
    longer, forged = extend.solve(20, REPORT, seen, b"&order=42")  # exercise 2 is how
    answer = depot_server(longer, forged)
    accepted = answer.startswith("200")
    return (
        "Get a longer report accepted" if accepted else "Send that very report again, nothing more",
        Fact("Signature seen", seen),
        Fact("The server", answer),
    )


def depot_server(report: bytes, signature: str) -> str:
    """A server that trusts sha256(secret + report)."""
    if signature != hashlib.sha256(DEPOT_SECRET + report).hexdigest():
        return "401"
    fields = dict(parse_qsl(report.decode("latin-1")))  # the last of a name counts
    return f"200, order {fields['order']} is {fields['status']}"


PLAIN, NESTED = "SHA-256 of secret and report, joined", "HMAC-SHA256, keyed by the secret"
MAKES: dict[str, Callable[[bytes], str]] = {
    PLAIN: lambda report: hashlib.sha256(DEPOT_SECRET + report).hexdigest(),
    NESTED: lambda report: hmac.digest(DEPOT_SECRET, report, "sha256").hex(),
}
LONGEST = 200  # characters to add in the widget: its SHA-256 is slow


@lesson.explorer
def bucket() -> Explorer:
    """What a stranger can do with a signature that they saw."""
    return Explorer(
        _extended,
        scheme=choice("The server checks", (PLAIN, NESTED)),
        added=line("Text to add", "&order=42"),
        send=button("Go on from the signature, and send"),
        code=[padding, go_on],
    )


def _extended(scheme: str, added: str, send: bool) -> View:
    if len(added) > LONGEST:
        raise ValueError(f"That's too long for this picture. It takes {LONGEST} characters.")
    seen, more = MAKES[scheme](REPORT), added.encode()
    longer, forged = extend.solve(len(DEPOT_SECRET), REPORT, seen, more)
    glue = longer[len(REPORT) : len(longer) - len(more)]
    filled = f" [{len(glue)} bytes of padding] "
    report, answer, good = REPORT.decode(), "Nothing has been sent yet.", None
    status = "The stranger has one report and its signature."
    if send:
        report += f"{filled}{added}"
        if forged == MAKES[scheme](longer):
            answer = depot_server(longer, forged).replace(glue.decode("latin-1"), filled)
            status = f"⚠ Accepted: {answer}. Nobody who has the secret wrote that."
        else:
            answer, good = "401", True
            status = "401, refused: the server makes another signature of that report."
    draw = _chain if scheme == PLAIN else _nest
    return View(
        "One report, its signature, and a stranger",
        (
            Fact("Report", report),
            Fact("Signature", forged if send else seen, marks=whole(forged) if send else ()),
            Fact("The server", answer, kind="prose"),
        ),
        status,
        good,
        picture=draw(seen, added, forged if send else ""),
    )


# --- the pictures of the two schemes ------------------------------------------------------------


def _chain(seen: str, added: str, forged: str) -> Picture:
    """SHA-256 of secret and report: a bucket after each block, and the second one's contents."""
    after = "Nothing has been added to it yet."
    if forged:
        after = f"From there the added text was mixed in, and the next bucket is {forged[:8]}…."
    desc = (
        "SHA-256 mixes the secret, the report and some padding into a bucket, its state. The "
        f"bucket, {seen[:8]}…, is the signature. {after}"
    )
    first = (("secret", "s5"), (REPORT.decode(), "s4"), ("padding", "bare"))
    second = ((added if len(added) <= 12 else f"{added[:11]}…", "s4"), ("padding", "bare"))
    says = "goes on here" if forged else "sees this"
    row, x = _row(3, 40, first)
    more, end = _row(x + 112, 40, second)
    wide = [
        text(4, 18, "What the server hashes", "small"),
        row,
        arrow(x + 2, 58, x + 19, 58),
        _bucket(x + 22, 32, seen),
        text(x + 57, 106, "= the signature", "t5", "middle"),
        arrow(x + 57, 150, x + 57, 114),
        text(x + 57, 168, f"the stranger {says}", "strong", "middle"),
    ]
    tall = [
        text(2, 14, "What the server hashes", "small"),
        _row(2, 22, first, "hex")[0],
        arrow(170, 60, 170, 80),
        _bucket(135, 84, seen),
        text(212, 106, "= the signature", "t5"),
        text(2, 106, "the stranger", "strong"),
        text(2, 122, says, "strong"),
        arrow(104, 112, 130, 112),
    ]
    if forged:
        wide += [
            text(x + 112, 18, "What the stranger adds", "small"),
            arrow(x + 95, 58, x + 109, 58),
            more,
            arrow(end + 2, 58, end + 19, 58),
            _bucket(end + 22, 32, forged),
            text(end + 57, 106, "= a new one", "t5", "middle"),
        ]
        tall += [
            arrow(170, 140, 170, 160),
            _row(85, 164, second, "hex")[0],
            arrow(170, 202, 170, 222),
            _bucket(135, 226, forged),
            text(212, 250, "= a new one", "t5"),
        ]
    return _drawn("What SHA-256 does with a report", desc, wide, tall)


def _nest(seen: str, added: str, forged: str) -> Picture:
    """HMAC: one hash inside another, and the inner bucket is never seen."""
    after, says, kind = "Nothing has been added to it yet.", "the stranger sees this", "strong"
    if forged:
        after = "Going on from there leads to a value that the server never computes."
        says, kind = "✗ not the bucket they need", "badt"
    desc = (
        "Two boxes, one in the other. The inner SHA-256 takes the secret, mixed with 36, and the "
        "report. The outer one takes the secret, mixed with 5c, and the inner result. Only the "
        f"outer result, {seen[:8]}…, is seen. {after}"
    )
    outer = (("secret ^ 5c", "s5"),)
    inner = (("secret ^ 36", "s5"), (REPORT.decode(), "s4"))
    outer_row, x = _row(13, 66, outer)
    inner_row, end = _row(x + 15, 66, inner)
    wide = [
        rect(4, 6, end + 153, 124, "s5", rx=8),
        text(14, 26, "Outer SHA-256", "small"),
        outer_row,
        rect(x + 6, 34, end - x + 142, 86, "thread", rx=8),
        text(x + 16, 54, "Inner SHA-256", "small"),
        inner_row,
        arrow(end + 2, 84, end + 19, 84),
        _bucket(end + 22, 58, ""),
        text(end + 98, 82, "stays", "small"),
        text(end + 98, 98, "inside", "small"),
        arrow(end + 162, 68, end + 186, 68),
        _bucket(end + 190, 42, seen),
        text(end + 225, 116, "= the signature", "t5", "middle"),
        arrow(end + 225, 152, end + 225, 124),
        text(end + 286, 170, says, kind, "end"),
    ]
    tall = [
        rect(2, 2, 336, 188, "s5", rx=8),
        text(12, 20, "Outer SHA-256", "small"),
        _row(12, 28, outer, "hex")[0],
        rect(10, 72, 320, 110, "thread", rx=8),
        text(18, 90, "Inner SHA-256", "small"),
        _row(18, 96, inner, "hex")[0],
        arrow(60, 136, 60, 150),
        text(76, 152, "its bucket stays in here", "small"),
        arrow(170, 194, 170, 212),
        _bucket(135, 216, seen),
        text(212, 242, "= the signature", "t5"),
        text(170, 292, says, kind, "middle"),
    ]
    return _drawn("HMAC is a hash in a hash", desc, wide, tall)


def _drawn(title: str, desc: str, wide: list[str], tall: list[str]) -> Picture:
    return Picture(
        title, desc, 744, 178, "".join(wide), Picture(title, desc, 340, 300, "".join(tall))
    )


LETTERS = {"m": (7.83, 8), "hex": (6.63, 6)}  # px: a letter's width, and the room beside a word


def _row(
    x: float, y: float, parts: tuple[tuple[str, str], ...], kind: str = "m"
) -> tuple[str, float]:
    """Pieces of what is hashed, side by side, and where the row ends."""
    letter, room = LETTERS[kind]
    shapes = []
    for words, look in parts:
        width = len(words) * letter + 2 * room
        shapes.append(rect(x + 1, y, width, 36, look))
        shapes.append(text(x + 1 + width / 2, y + 23, words, kind, "middle"))
        x += width + 2
    return "".join(shapes), x


def _bucket(x: float, y: float, holds: str) -> str:
    """A bucket, 70 wide and 52 high, with the first digits of the state in it."""
    return group(
        path(f"M{x:g} {y:g}l8 52h54l8 -52", "s5"),
        path(f"M{x + 2:g} {y + 14:g}h66", "s5"),
        text(x + 35, y + 36, holds[:8], "hex", "middle"),
    )


# --- the exercises ------------------------------------------------------------------------------


class Watched:
    """Text or bytes that remember what was done with them, and with what they were turned into.

    hmac's own functions, compare_digest() among them, are written in C and leave no trace.
    """

    seen: set[str]
    what: str

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name in ("seen", "what") or name.startswith("_"):
            return found
        self.seen.add(name)
        return lambda *given, **named: watched(found(*given, **named), seen=self.seen)


def _notes(name: str) -> Callable[..., Any]:
    def method(self: Watched, *given: Any) -> Any:
        self.seen.add(name)
        return getattr(super(Watched, self), name)(*given)

    return method


for _name in ("__eq__", "__ne__", "__len__", "__iter__", "__getitem__", "__add__"):
    setattr(Watched, _name, _notes(_name))


class _Text(Watched, str):
    __hash__ = str.__hash__


class _Bytes(Watched, bytes):
    __hash__ = bytes.__hash__


def watched(value: Any, what: str = "", seen: set[str] | None = None) -> Any:
    """A text or bytes that are watched; anything else as it is."""
    if type(value) not in (str, bytes):
        return value
    made = _Text(value) if isinstance(value, str) else _Bytes(value)
    made.what, made.seen = what, set() if seen is None else seen
    return made


def _a_secret(chance: random.Random) -> str:
    return chance.randbytes(10).hex()  # 20 hex digits, as secrets often are


def _a_query(chance: random.Random) -> str:
    return (
        f"auth_key={chance.randbytes(10).hex()}&auth_timestamp={chance.randrange(10**9, 2 * 10**9)}"
        f"&auth_version=1.0&body_md5={chance.randbytes(16).hex()}"
    )


def _a_text(chance: random.Random) -> str:
    return f"POST\n/apps/{chance.randrange(10, 999)}/events\n{_a_query(chance)}"


def _secrets_and_texts(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Plain ones, then letters and blanks that no step may lose."""
    yield _a_secret(chance), _a_text(chance)
    yield f"{_a_secret(chance)}\n", _a_text(chance)
    yield f"Zoë{_a_secret(chance)}", f"{_a_text(chance)}&filter_by_prefix=presence-zoë "


@lesson.exercise(given=_secrets_and_texts, keep=True)
def signature(secret: str, text: str) -> str:
    """Return the signature of a canonical string, as 64 hex digits."""
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256)
    return mac.hexdigest()


signature.hint("Both are text, and hmac.new() wants bytes: 'Zoë'.encode() is the UTF-8 of 'Zoë'.")
signature.hint("With another hash: hmac.new(b'key', b'text', hashlib.sha512).hexdigest().")
signature.hint("A secret may look like hex. The key is its characters, as they are.")
signature.wrong(
    "Secret and text are swapped. hmac.new() takes the key first, and the key is the secret.",
    lambda secret, text: hmac_sha256(text, secret),
)
signature.wrong(
    "This is a plain hash of secret and text, joined. HMAC takes the two separately.",
    lambda secret, text: hashlib.sha256((secret + text).encode()).hexdigest(),
)
signature.wrong(
    "These are the 32 raw bytes. In a URL the signature is text: two hex digits for each byte.",
    lambda secret, text: hmac.digest(secret.encode(), text.encode(), "sha256"),
)
signature.wrong(
    "The bits are right, but written in base64. The API compares lower-case hex.",
    lambda secret, text: base64.b64encode(
        hmac.digest(secret.encode(), text.encode(), "sha256")
    ).decode(),
)


@signature.judge
def _nothing_stripped(result: Any, secret: str, text: str) -> None:
    right = hmac_sha256(secret, text)
    if result == hmac_sha256(secret.strip(), text.strip()) != right:
        raise Wrong("You stripped a space or a newline. Every byte of secret and text counts.")
    if result != right:
        raise difference(right, result, (secret, text))


signature.why("Bytes twice, the secret first, SHA-256, and lower-case hex: every word counts.")
signature.next("Sign the worked example with it: does the signature begin with da454824?")


def _seen_reports(chance: random.Random) -> Iterator[tuple[int, bytes, str, bytes]]:
    for length in (20, chance.randrange(8, 20), chance.randrange(21, 50)):
        secret = chance.randbytes(length)
        report = f"status=preparing&order={chance.randrange(10, 99)}".encode()
        more = f"&status=delivered&order={chance.randrange(100, 999)}".encode()
        yield length, report, hashlib.sha256(secret + report).hexdigest(), more


@lesson.exercise(given=_seen_reports)
def extend(secret_length: int, report: bytes, seen: str, more: bytes) -> tuple[bytes, str]:
    """Return a longer report that ends in `more`, and its signature."""
    read = secret_length + len(report)
    glue = padding(read)
    longer = report + glue + more
    return longer, go_on(seen, read + len(glue), more)


@extend.judge
def _forged(result: Any, secret_length: int, report: bytes, seen: str, more: bytes) -> None:
    longer, signed = extend.solve(secret_length, report, seen, more)
    if not isinstance(result, tuple) or [type(each) for each in result] != [bytes, str]:
        both = "Return two things: the longer report as bytes, and its signature as text."
        raise Wrong(both, _yours(result))
    said = (
        "The report isn't right: the old one, the padding that SHA-256 added to it, then `more`.",
        "The report is right, its signature isn't: go on from the signature that you saw.",
    )
    for each, expected, wrong in zip(result, (longer, signed), said, strict=True):
        if each != expected:
            raise Wrong(wrong, _yours(each))


def _yours(result: object) -> Fact:
    return Fact("Yours", shown(result))


extend.hint("The server hashed secret + report, and SHA-256 added padding(…) of that whole length.")
extend.hint("Three steps: glue = padding(…), the longer report, and go_on(seen, …, more).")
extend.wrong(
    "You left the padding out. SHA-256 has hashed it already, so the longer report needs it "
    "between the old text and yours.",
    lambda length, report, seen, more: (report + more, extend.solve(length, report, seen, more)[1]),
)
extend.wrong(
    "This is the padding of the report alone. The server hashed the secret first: count its "
    "bytes, too.",
    lambda length, report, seen, more: extend.solve(0, report, seen, more),
)
extend.wrong(
    "You hashed the longer report from the beginning. The server hashes the secret first, so go on "
    "from the signature that you saw.",
    lambda *call: (extend.solve(*call)[0], hashlib.sha256(extend.solve(*call)[0]).hexdigest()),
)
extend.wrong(
    "You hashed `more` from the beginning. Go on from the signature that you saw: go_on(seen, …).",
    lambda *call: (extend.solve(*call)[0], hashlib.sha256(call[-1]).hexdigest()),
)
extend.why(
    "You've forged a signature without the secret! It's called length extension. Flickr's API was "
    "open to it until 2009."
)
extend.next("What if you didn't know how long the secret is? How many tries would you need?")


def _keys_and_messages(chance: random.Random) -> Iterator[tuple[bytes, bytes]]:
    for secret, signed in _secrets_and_texts(chance):
        yield watched(secret.encode()), signed.encode()


def _nested(
    key: bytes,
    message: bytes,
    *,
    inner: int = 0x36,
    outer: int = 0x5C,
    block: int = BLOCK,
    write: Callable[[bytes], bytes] = bytes,
) -> str:
    """HMAC-SHA256 from SHA-256 (RFC 2104, section 2), with room for each known mistake."""
    key = key.ljust(block, b"\0")
    inside = hashlib.sha256(bytes(byte ^ inner for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ outer for byte in key) + write(inside)).hexdigest()


@lesson.exercise(given=_keys_and_messages, optional=True)
def own_hmac(key: bytes, message: bytes) -> str:
    """Return the HMAC-SHA256, built from two SHA-256."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner)
    return outer.hexdigest()


own_hmac.hint("Three steps: fill the key up, then the inner hash, then the outer hash.")
own_hmac.hint(r"b'ab'.ljust(4, b'\0') is b'ab\0\0'; bytes(byte ^ 0x20 for byte in b'ab') is b'AB'.")
own_hmac.wrong(
    "The key is too short. Fill it up to 64 bytes with zero bytes before you mix it.",
    lambda key, message: _nested(key, message, block=0),
)
own_hmac.wrong(
    "0x36 and 0x5c are swapped: 0x36 is for the inner hash, 0x5c for the outer.",
    lambda key, message: _nested(key, message, inner=0x5C, outer=0x36),
)
own_hmac.wrong(
    "The outer hash got the inner one as hex digits. It wants the 32 bytes: digest().",
    lambda key, message: _nested(key, message, write=lambda inside: inside.hex().encode()),
)
own_hmac.wrong(
    "This is the inner hash alone. Hash it once more, after the key mixed with 0x5c.",
    lambda key, message: hashlib.sha256(
        bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")) + message
    ).hexdigest(),
)


@own_hmac.judge
def _built(result: Any, key: "Watched", message: bytes) -> None:
    if result != (right := hmac.digest(key, message, "sha256").hex()):
        raise difference(right, result, (key, message))
    if not key.seen:
        raise Wrong("That's right, but hmac did the work. Build it from two SHA-256 yourself.")


own_hmac.why(
    "The outer hash begins with the secret again, so nobody can go on from where the inner one "
    "stopped."
)
own_hmac.next("A key of more than 64 bytes is replaced by its SHA-256 first. Add that line.")

RIGHT = "the right signature"


def _arrivals(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    secret, text = _a_secret(chance), _a_text(chance)
    right = hmac_sha256(secret, text)
    for sent, what in (
        (right, RIGHT),
        (f"{right[:-1]}{'0' if right[-1] != '0' else '1'}", "right but for the last digit"),
        ("", "empty"),
        (hmac_sha256(text, secret), "made with secret and text swapped"),
        (right[:40], "cut off after 40 digits"),
        (right.upper(), "in capitals, and the API compares lower-case hex"),
        (f"é{right[1:]}", "not even hex"),
    ):
        yield secret, text, watched(sent, what)


@lesson.exercise(given=_arrivals)
def accepts(secret: str, text: str, sent: str) -> bool:
    """Return whether `sent` is the signature of the text, as a careful server decides it."""
    expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), sent.encode())


@accepts.judge
def _carefully(result: Any, secret: str, text: str, sent: Watched) -> None:
    if not isinstance(result, bool):
        raise Wrong("Return True or False.", _yours(result))
    if result != (sent.what == RIGHT):
        verb = "accepts" if result else "refuses"
        sentence = f"Your function {verb} this one, and it's {sent.what}."
        raise Wrong(sentence, Fact("Sent", str(sent) or "(empty)"))
    _in_constant_time(sent)


def _in_constant_time(sent: Watched) -> None:
    if sent.seen & {"__eq__", "__ne__"}:
        raise Wrong(
            "== stops at the first character that differs, and a stranger can measure how soon. "
            "hmac.compare_digest() takes the same time wherever that is."
        )


accepts.hint("Make the signature yourself, then compare. The hmac module has a function for that.")
accepts.hint("hmac.compare_digest(b'one', b'two') is False, however much of the two is equal.")
accepts.hint("A stranger may send “é”. compare_digest() takes any bytes, but only ASCII text.")
accepts.wrong(
    "An empty signature gets in! Compare all of it: zip() and startswith() stop too soon.",
    lambda secret, text, sent: all(
        a == b for a, b in zip(hmac_sha256(secret, text), sent, strict=False)
    ),
)
accepts.wrong(
    "A signature in capitals gets in. The API compares lower-case hex, and so should you.",
    lambda secret, text, sent: hmac.compare_digest(
        hmac_sha256(secret, text).encode(), sent.lower().encode()
    ),
)
accepts.why(
    "compare_digest() looks at every byte, so its time doesn't show how many of them were right."
)
accepts.next("Compare the two as text instead of bytes. What happens when a stranger sends “é”?")


def _request_parts(chance: random.Random) -> Iterator[tuple[str, str, str, str]]:
    for name in ("events", "batch_events"):
        path = f"/apps/{chance.randrange(10, 999)}/{name}"
        yield _a_secret(chance), "POST", path, _a_query(chance)


def broken_signature(secret: str, method: str, path: str, query: str) -> str:
    text = f"{method}\n{path}\n{query}"
    mac = hmac.new(text.encode(), secret.encode(), hashlib.sha256)
    return mac.hexdigest()


@lesson.exercise(given=_request_parts)
def request_signature(secret: str, method: str, path: str, query: str) -> str:
    """Make Kim's function return the signature that the server expects."""
    text = f"{method}\n{path}\n{query}"
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256)
    return mac.hexdigest()


request_signature.broken(
    "Kim's function makes 64 hex digits without an error, and the server refuses them.",
    broken_signature,
)
request_signature.hint("hmac.new() takes key, message and hash. Which is which here?")
request_signature.hint("hmac.new(key=b'…', msg=b'…', digestmod='sha512') names its arguments.")
request_signature.wrong(
    "The swap is gone, and so is the HMAC: this is a plain hash of secret and text.",
    lambda secret, *parts: hashlib.sha256((secret + "\n".join(parts)).encode()).hexdigest(),
)
request_signature.wrong(
    "The HMAC is right, but the text has lost its newlines.",
    lambda secret, *parts: hmac_sha256(secret, "".join(parts)),
)
request_signature.why(
    "hmac.new() takes any bytes as a key, so Python can't notice a swap. Only the server can."
)
request_signature.next("Name the arguments: key=, msg= and digestmod=. Then change their order.")


# --- prove it -----------------------------------------------------------------------------------


def _arrived_reports(chance: random.Random) -> Iterator[tuple[str, bytes, str, bytes]]:
    for kind in ("hmac", "plain", "neither", "plain", "hmac"):
        secret, quote = _a_secret(chance), chance.choice("\"'")
        report = f"status=preparing&order={chance.randrange(10, 99)}".encode()
        sent = {
            "hmac": hmac_sha256(secret, report.decode()),
            "plain": hashlib.sha256(secret.encode() + report).hexdigest(),
            "neither": hmac_sha256(report.decode(), secret),
        }[kind]
        yield f"{quote}{secret}{quote}\n", report, watched(sent), b"&status=delivered"


@lesson.exercise(given=_arrived_reports, covers_lesson=True)
def prove_it(pasted: str, report: bytes, sent: str, more: bytes) -> bool | tuple[bytes, str]:
    """Return True for a right signature, a forgery for a plain hash, and False for the rest."""
    secret = pasted.strip().strip("\"'").encode()
    right = hmac.new(secret, report, hashlib.sha256).hexdigest()
    plain = hashlib.sha256(secret + report).hexdigest()
    if hmac.compare_digest(plain.encode(), sent.encode()):
        read = len(secret) + len(report)
        glue = padding(read)
        return report + glue + more, go_on(sent, read + len(glue), more)
    return hmac.compare_digest(right.encode(), sent.encode())


@prove_it.judge
def _proven(result: Any, pasted: str, report: bytes, sent: Watched, more: bytes) -> None:
    expected = prove_it.solve(pasted, report, str(sent), more)
    if not isinstance(result, bool | tuple):
        raise Wrong("Return True, False, or the longer report and its signature.", _yours(result))
    if isinstance(expected, tuple):
        if result is True:
            raise Wrong("You accept a plain hash as if it were an HMAC.", Fact("Sent", str(sent)))
        if result is False:
            forge = "This one is a plain hash of secret and report. Forge a longer report from it."
            raise Wrong(forge, Fact("Sent", str(sent)))
        _forged(result, len(pasted.strip()) - 2, report, str(sent), more)
    elif result is not expected:
        what = "a right HMAC" if expected else "neither a right HMAC nor a plain hash"
        raise Wrong(f"This one is {what}.", Fact("Sent", str(sent)), _yours(result))
    _in_constant_time(sent)


prove_it.hint("Clean the secret first: look at repr(pasted). Then make both signatures.")
prove_it.hint("Three cases: sent is the HMAC, sent is the plain hash, and the rest.")
prove_it.wrong(
    "You return False for a right signature. Is your key clean? Look at repr(pasted).",
    lambda pasted, report, sent, more: hmac.compare_digest(
        hmac_sha256(pasted, report.decode()).encode(), sent.encode()
    ),
)
prove_it.why("You can make a signature, forge a weak one, and tell the two apart safely.")
prove_it.next("Go on to lesson 05, where your functions become a program that publishes.")
