"""Lesson 04, key and message: same secret, same text, another signature."""

import base64
import hashlib
import hmac
import math
import random
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pusherkit.errors import AuthenticationError
from pusherkit.lessons.kit import (
    COMPACT,
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Explorer,
    Fact,
    Lesson,
    Picture,
    View,
    Wrong,
    area,
    button,
    choice,
    line,
    shown,
    whole,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, boxes, group, path, rect, text
from pusherkit.signing import canonical_string, hmac_sha256, sign, verify

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
        "The host": "Only the path is signed, so one request fits every name of a server.",
        "The time": "It's a parameter, auth_timestamp, and all of those are in the third line.",
        "The body hash": "It's a parameter, body_md5, and all of those are in the third line.",
    },
    why="Three lines: the method, the path, the parameters. Nothing else is signed.",
)
def which_is_missing() -> tuple[str, Fact]:
    signed = sign(
        EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=COMPACT, timestamp=EXAMPLE_TIMESTAMP
    )
    parts = {
        "The host": EXAMPLE_CREDENTIALS.base_url.removeprefix("http://"),
        "The time": f"auth_timestamp={EXAMPLE_TIMESTAMP}",
        "The body hash": f"body_md5={hashlib.md5(COMPACT).hexdigest()}",
    }
    (missing,) = [name for name in parts if parts[name] not in signed.canonical_string]
    return missing, Fact("Canonical string", signed.canonical_string)


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
    signed = canonical_string("GET", "/apps/3/channels", [("tag", "van"), ("tag", "bike")])
    orders = {
        "tag=bike&tag=van": "bike, then van",
        "tag=van&tag=bike": "van, then bike",
        "tag=bike": "Only the last one counts",
    }
    return orders[signed.split("\n")[2]], Fact("Canonical string", signed)


# --- 256 lamps ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make a signature, the code that does it, and the rule that it breaks."""

    code: str
    make: Callable[[bytes, bytes], bytes]
    wrong: str = ""
    write: Callable[[bytes], str] = bytes.hex


def _base64(made: bytes) -> str:
    return base64.b64encode(made).decode()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


RECIPES = {
    "HMAC-SHA256 of the text, keyed by the secret": Recipe(
        "hmac.new(secret, text, hashlib.sha256).hexdigest()", _hmac
    ),
    "HMAC-SHA256 of the secret, keyed by the text": Recipe(
        "hmac.new(text, secret, hashlib.sha256).hexdigest()",
        lambda secret, text: _hmac(text, secret),
        "The two are swapped: hmac.new() takes the key first, and the key is the secret.",
    ),
    "SHA-256 of secret and text, joined": Recipe(
        "hashlib.sha256(secret + text).hexdigest()",
        lambda secret, text: hashlib.sha256(secret + text).digest(),
        "This is a plain hash of the two, and the API wants an HMAC.",
    ),
    "HMAC with SHA-1": Recipe(
        "hmac.new(secret, text, hashlib.sha1).hexdigest()",
        lambda secret, text: hmac.digest(secret, text, "sha1"),
        "This is SHA-1, 160 bits. The API wants SHA-256.",
    ),
    "HMAC with MD5": Recipe(
        "hmac.new(secret, text, hashlib.md5).hexdigest()",
        lambda secret, text: hmac.digest(secret, text, "md5"),
        "This is MD5, 128 bits. MD5 makes the body hash; the signature is SHA-256.",
    ),
    "HMAC-SHA256, written in base64": Recipe(
        "base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()",
        _hmac,
        "The bits are right, but the API compares hex digits, and this is base64.",
        _base64,
    ),
}


def flipped(one: bytes, other: bytes) -> int:
    """How many bits differ between two results of the same length."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@lesson.explorer
def lamps() -> Explorer:
    """A secret and a text, and every bit of what is made of them."""
    return Explorer(
        _lit,
        secret=line("Secret", SECRET),
        text=area("Text", TEXT, rows=3),
        recipe=choice("Recipe", RECIPES),
        code=[flipped],
    )


def _lit(secret: str, text: str, recipe: Recipe) -> View:
    began = recipe.make(SECRET.encode(), TEXT.encode())
    now = recipe.make(secret.encode(), text.encode())
    signature = recipe.write(now)
    count, bits = flipped(began, now), 8 * len(now)
    untouched = (secret, text) == (SECRET, TEXT)
    if untouched:
        moved = "Secret and text are as they were at the start."
    elif not count:
        moved = f"None of {bits}, although secret and text changed: joined, they're the same bytes."
    else:
        moved = f"{count} of {bits} differ from what the first secret and text give."
    if _accepted(signature):
        status, good = "The practice server accepts this signature.", True
    else:
        reasons = [recipe.wrong]
        if secret != SECRET:
            reasons.append("That isn't the app's secret.")
        if text != TEXT:
            reasons.append("That isn't the text of the request that was sent.")
        status, good = f"Refused. {' '.join(filter(None, reasons))}", False
    return View(
        "256 lamps: one for each bit of the signature",
        (
            Fact("Signature", signature, marks=() if untouched else whole(signature)),
            Fact("Code", recipe.code),
            Fact("Lamps", moved, kind="prose"),
        ),
        status,
        good,
        picture=lamp_grids(began, now),
    )


def _accepted(signature: str) -> bool:
    """Whether the worked example passes under this signature."""
    params = [pair for pair in EXAMPLE.query if pair[0] != "auth_signature"]
    params.append(("auth_signature", signature))
    try:
        verify(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, params, COMPACT, now=EXAMPLE_TIMESTAMP)
    except AuthenticationError:
        return False
    return True


LAMPS = 16  # side by side; 16 rows of them make 256


def lamp_grids(began: bytes, now: bytes) -> Picture:
    """The bits at the start and now as lamps, and those that flipped."""
    count, bits = flipped(began, now), 8 * len(now)
    lit = int.from_bytes(now).bit_count()
    desc = (
        f"{bits} lamps in rows of {LAMPS}, {lit} of them lit. Compared with the start, "
        f"{count} have flipped."
    )
    change = bytes(a ^ b for a, b in zip(began, now, strict=True))
    grids = (
        ("At the start", began, "hot"),
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
            "of 64. Count the padding, too."
        )
    if re.fullmatch("[0-9a-f]{64}", state) is None:
        raise ValueError("A state is what SHA-256 hands over: text, 64 hex digits.")
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
        "Send that very report again, nothing more": "They can do that, whatever the signature "
        "is made with. But here they can do more.",
        "Work the secret out": "Not from a long, random one: there are too many to try. A word "
        "from a dictionary wouldn't last a minute.",
        "Get a longer report accepted": "Then you know how SHA-256 works inside.",
    },
    why="SHA-256 reads block by block, and its result is the very state in which it stopped. Load "
    "that state, and you can go on hashing as if you had read the secret yourself.",
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
    more, is_plain = added.encode(), scheme == PLAIN
    if is_plain:
        seen = hashlib.sha256(DEPOT_SECRET + REPORT).hexdigest()
    else:
        seen = hmac.digest(DEPOT_SECRET, REPORT, "sha256").hex()
    longer, forged = extend.solve(len(DEPOT_SECRET), REPORT, seen, more)
    glue = len(longer) - len(REPORT) - len(more)
    if not send:
        answer = ""
    elif is_plain:
        answer = depot_server(longer, forged)
    else:
        right = hmac.digest(DEPOT_SECRET, longer, "sha256").hex()
        answer = "200" if forged == right else "401"
    if not send:
        status, good = "The stranger has one report and its signature.", None
    elif answer.startswith("200"):
        status = f"Accepted: {answer}. Nobody who has the secret wrote that."
        good = False
    else:
        status, good = "401, refused: the signature isn't the one that the server makes.", True
    report = REPORT.decode() + (f" [{glue} bytes of padding] {added}" if send else "")
    return View(
        "One report, its signature, and a stranger",
        (
            Fact("Report", report),
            Fact("Signature", forged if send else seen, marks=whole(forged) if send else ()),
            Fact("The server", answer or "Nothing has been sent yet.", kind="prose"),
        ),
        status,
        good,
        picture=(
            _chain(seen, added, forged if send else "")
            if is_plain
            else _nest(seen, forged if send else "")
        ),
    )


# --- the pictures of the two schemes ------------------------------------------------------------


def _chain(seen: str, added: str, forged: str) -> Picture:
    """SHA-256 of secret and report: a bucket after each block, and the second one's contents."""
    desc = (
        "SHA-256 mixes the secret, the report and some padding into a bucket, its state. The "
        f"bucket, {seen[:8]}…, is the signature. "
    )
    if forged:
        desc += f"From there the added text was mixed in, and the next bucket is {forged[:8]}…."
    else:
        desc += "Nothing has been added to it yet."
    title = "What SHA-256 does with a report"
    short = added if len(added) <= 12 else f"{added[:11]}…"
    first = (("secret", 60, "s5"), (REPORT.decode(), 204, "s4"), ("padding", 64, "bare"))
    second = ((short, 100, "s4"), ("padding", 64, "bare"))
    says = "the stranger goes on here" if forged else "the stranger sees this"
    wide = "".join(
        (
            text(4, 18, "What the server hashes", "small"),
            _row(3, 40, first),
            arrow(333, 58, 350, 58),
            _bucket(353, 32, seen[:8]),
            text(388, 106, "= the signature", "t5", "middle"),
            arrow(388, 150, 388, 114),
            text(388, 168, says, "strong", "middle"),
            group(
                text(447, 18, "What the stranger adds", "small"),
                arrow(426, 58, 443, 58),
                _row(446, 40, second),
                arrow(612, 58, 629, 58),
                _bucket(632, 32, forged[:8]),
                text(667, 106, "= a new one", "t5", "middle"),
            )
            if forged
            else "",
        )
    )
    tall = "".join(
        (
            text(2, 14, "What the server hashes", "small"),
            _row(2, 22, first),
            arrow(170, 60, 170, 80),
            _bucket(135, 84, seen[:8]),
            text(212, 106, "= the signature", "t5"),
            text(2, 106, "the stranger", "strong"),
            text(2, 122, says.removeprefix("the stranger "), "strong"),
            arrow(104, 112, 130, 112),
            group(
                arrow(170, 140, 170, 160),
                _row(81, 164, second),
                arrow(170, 202, 170, 222),
                _bucket(135, 226, forged[:8]),
                text(212, 250, "= a new one", "t5"),
            )
            if forged
            else "",
        )
    )
    return Picture(title, desc, 710, 178, wide, Picture(title, desc, 340, 284, tall))


def _nest(seen: str, forged: str) -> Picture:
    """HMAC: one hash inside another, and the inner bucket is never seen."""
    desc = (
        "Two boxes, one in the other. The inner SHA-256 takes the secret, mixed with 36, and the "
        "report. The outer one takes the secret, mixed with 5c, and the inner result. Only the "
        f"outer result, {seen[:8]}…, is seen. "
    )
    if forged:
        desc += "Going on from there leads to a value that the server never computes."
    else:
        desc += "Nothing has been added to it yet."
    title = "HMAC is a hash in a hash"
    says = "✗ not the bucket they need" if forged else "the stranger sees this"
    kind = "badt" if forged else "strong"
    wide = "".join(
        (
            rect(4, 6, 566, 124, "s5", rx=8),
            text(14, 26, "Outer SHA-256", "small"),
            _row(13, 66, (("secret ^ 5c", 94, "s5"),)),
            rect(114, 34, 448, 86, "thread", rx=8),
            text(124, 54, "Inner SHA-256", "small"),
            _row(123, 66, (("secret ^ 36", 94, "s5"), (REPORT.decode(), 204, "s4"))),
            arrow(424, 84, 441, 84),
            _bucket(444, 58, ""),
            text(521, 82, "stays", "small"),
            text(521, 98, "inside", "small"),
            arrow(576, 68, 606, 68),
            _bucket(610, 42, seen[:8]),
            text(645, 116, "= the signature", "t5", "middle"),
            arrow(645, 152, 645, 124),
            text(706, 170, says, kind, "end"),
        )
    )
    tall = "".join(
        (
            rect(2, 2, 336, 188, "s5", rx=8),
            text(12, 20, "Outer SHA-256", "small"),
            _row(12, 28, (("secret ^ 5c", 96, "s5"),)),
            rect(10, 72, 320, 110, "thread", rx=8),
            text(18, 90, "Inner SHA-256", "small"),
            _row(18, 96, (("secret ^ 36", 94, "s5"), (REPORT.decode(), 206, "s4"))),
            arrow(60, 136, 60, 150),
            text(76, 152, "its bucket stays in here", "small"),
            arrow(170, 194, 170, 212),
            _bucket(135, 216, seen[:8]),
            text(212, 242, "= the signature", "t5"),
            text(170, 292, says, kind, "middle"),
        )
    )
    return Picture(title, desc, 710, 178, wide, Picture(title, desc, 340, 300, tall))


def _row(x: float, y: float, parts: tuple[tuple[str, int, str], ...]) -> str:
    """Pieces of what is hashed, side by side."""
    shapes = []
    for words, width, kind in parts:
        shapes.append(rect(x + 1, y, width - 2, 36, kind))
        shapes.append(text(x + width / 2, y + 23, words, "m", "middle"))
        x += width
    return "".join(shapes)


def _bucket(x: float, y: float, holds: str) -> str:
    """A bucket, 70 wide and 52 high, with the first digits of the state in it."""
    return group(
        path(f"M{x:g} {y:g}l8 52h54l8 -52", "s5"),
        path(f"M{x + 2:g} {y + 14:g}h66", "s5"),
        text(x + 35, y + 36, holds, "hex", "middle"),
    )


# --- the exercises ------------------------------------------------------------------------------


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
    yield _a_secret(chance), _a_text(chance)
    yield _a_secret(chance), f"{_a_text(chance)}&filter_by_prefix=presence-zoë"


@lesson.exercise(given=_secrets_and_texts, keep=True)
def signature(secret: str, text: str) -> str:
    """Return the signature of a canonical string, as 64 hex digits."""
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256)
    return mac.hexdigest()


signature.hint("Both are text, and hmac.new() wants bytes: 'Zoë'.encode() is the UTF-8 of 'Zoë'.")
signature.hint(
    "With another hash it would be hmac.new(b'key', b'text', hashlib.sha512).hexdigest()."
)
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
    lambda secret, text: _base64(hmac.digest(secret.encode(), text.encode(), "sha256")),
)
signature.wrong(
    "You turned the secret from hex into bytes. It only looks like hex: the key is its "
    "characters, as they are.",
    lambda secret, text: hmac.digest(bytes.fromhex(secret), text.encode(), "sha256").hex(),
)
signature.why("Bytes twice, the secret first, SHA-256, and lower-case hex: every word counts.")
signature.next(
    "Sign the worked example with it: the result begins with da454824, as the reference prints it."
)


def _seen_reports(chance: random.Random) -> Iterator[tuple[int, bytes, str, bytes]]:
    for length in (20, chance.randrange(8, 20), chance.randrange(21, 50)):
        secret = chance.randbytes(length)
        report = f"status=preparing&order={chance.randrange(10, 99)}".encode()
        more = f"&status=delivered&order={chance.randrange(100, 999)}".encode()
        yield length, report, hashlib.sha256(secret + report).hexdigest(), more


@lesson.exercise(given=_seen_reports)
def extend(secret_length: int, report: bytes, seen: str, more: bytes) -> tuple[bytes, str]:
    """Return a longer report that ends in `more`, and a signature that fits it."""
    read = secret_length + len(report)
    glue = padding(read)
    longer = report + glue + more
    return longer, go_on(seen, read + len(glue), more)


@extend.judge
def _fits(result: Any, secret_length: int, report: bytes, seen: str, more: bytes) -> None:
    expected = extend.solve(secret_length, report, seen, more)
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong("Return two things: the longer report and its signature.", _yours(result))
    longer, forged = result
    if not isinstance(longer, bytes) or not isinstance(forged, str):
        raise Wrong("Return bytes and text: the report, and 64 hex digits.", _yours(result))
    if longer != expected[0]:
        raise Wrong(
            "The report isn't right yet: the old one, the padding that SHA-256 added to it, then "
            "`more`.",
            Fact("Yours", shown(longer)),
        )
    if forged != expected[1]:
        raise Wrong(
            "The report is right. Its signature isn't what the server computes: go on from `seen`.",
            Fact("Yours", shown(forged)),
        )


def _yours(result: object) -> Fact:
    return Fact("Yours", shown(result))


extend.hint("The server hashed secret + report, and SHA-256 added padding(…) of that whole length.")
extend.hint("Three steps: glue = padding(…), the longer report, and go_on(seen, …, more).")
extend.wrong(
    "You left the padding out. SHA-256 has hashed it already, so the longer report must have it "
    "between the old text and yours.",
    lambda length, report, seen, more: (
        report + more,
        go_on(seen, length + len(report) + len(padding(length + len(report))), more),
    ),
)
extend.wrong(
    "The padding is that of the report alone. The server hashed the secret in front of it: "
    "count its bytes, too.",
    lambda length, report, seen, more: (
        report + padding(len(report)) + more,
        go_on(seen, len(report + padding(len(report))), more),
    ),
)
extend.wrong(
    "You hashed the longer report from the beginning. The server puts the secret in front, so go "
    "on from the signature that you saw.",
    lambda length, report, seen, more: (
        report + padding(length + len(report)) + more,
        hashlib.sha256(report + padding(length + len(report)) + more).hexdigest(),
    ),
)
extend.wrong(
    "You hashed `more` with a fresh SHA-256. Start from the signature that you saw: "
    "go_on(seen, …, more).",
    lambda length, report, seen, more: (
        report + padding(length + len(report)) + more,
        hashlib.sha256(more).hexdigest(),
    ),
)
extend.why(
    "You've forged a signature without the secret! It's called length extension. Until 2009, "
    "Flickr's API was open to it."
)
extend.next("Suppose you don't know how long the secret is. How many tries would you need?")


def _keys_and_messages(chance: random.Random) -> Iterator[tuple[bytes, bytes]]:
    for secret, signed in _secrets_and_texts(chance):
        yield secret.encode(), signed.encode()


def _nested(
    key: bytes, message: bytes, *, inner: int = 0x36, outer: int = 0x5C, block: int = BLOCK
) -> str:
    """HMAC-SHA256 from SHA-256 (RFC 2104, section 2), with room for each known mistake."""
    key = key.ljust(block, b"\0")
    inside = hashlib.sha256(bytes(byte ^ inner for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ outer for byte in key) + inside).hexdigest()


@lesson.exercise(given=_keys_and_messages, optional=True)
def own_hmac(key: bytes, message: bytes) -> str:
    """Return the HMAC-SHA256, built from two SHA-256."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner)
    return outer.hexdigest()


own_hmac.hint("Three steps: fill the key up, then the inner hash, then the outer hash.")
own_hmac.hint(
    "b'ab'.ljust(4, b'\\0') is b'ab\\0\\0', and bytes(byte ^ 0x20 for byte in b'ab') is b'AB'."
)
own_hmac.wrong(
    "The key is too short. Fill it up to 64 bytes with zero bytes before you mix it.",
    lambda key, message: _nested(key, message, block=0),
)
own_hmac.wrong(
    "0x36 and 0x5c have changed places: 0x36 is for the inner hash, 0x5c for the outer.",
    lambda key, message: _nested(key, message, inner=0x5C, outer=0x36),
)
own_hmac.wrong(
    "The outer hash got the inner one as hex digits. It wants the 32 bytes: digest().",
    lambda key, message: hashlib.sha256(
        bytes(byte ^ 0x5C for byte in key.ljust(64, b"\0"))
        + hashlib.sha256(bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")) + message)
        .hexdigest()
        .encode()
    ).hexdigest(),
)
own_hmac.wrong(
    "This is the inner hash alone. Hash it once more, after the key mixed with 0x5c.",
    lambda key, message: hashlib.sha256(
        bytes(byte ^ 0x36 for byte in key.ljust(64, b"\0")) + message
    ).hexdigest(),
)
own_hmac.why(
    "The outer hash starts with the secret again, so nobody can go on from where the inner one "
    "stopped."
)
own_hmac.next("Longer keys than 64 bytes are replaced by their SHA-256 first. Add that line.")


class Sent(str):
    """A signature that arrived, which notices when somebody compares it with ==."""

    compared = False

    def __eq__(self, other: object) -> bool:
        self.compared = True
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        self.compared = True
        return str.__ne__(self, other)

    __hash__ = str.__hash__


def _arrivals(chance: random.Random) -> Iterator[tuple[str, str, Sent]]:
    secret, text = _a_secret(chance), _a_text(chance)
    right = hmac_sha256(secret, text)
    last = "0" if right[-1] != "0" else "1"
    for sent in (right, right[:-1] + last, "", hmac_sha256(text, secret), right[:40]):
        yield secret, text, Sent(sent)


@lesson.exercise(given=_arrivals)
def accepts(secret: str, text: str, sent: str) -> bool:
    """Return whether `sent` is the signature of the text, as a careful server decides it."""
    expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), sent.encode())


@accepts.observe
def _decided(result: Any, secret: str, text: str, sent: Sent) -> tuple[Any, bool]:
    return result, sent.compared


@accepts.judge
def _carefully(decided: tuple[Any, bool], secret: str, text: str, sent: Sent) -> None:
    result, compared = decided
    if not isinstance(result, bool):
        raise Wrong("A yes or no is asked for: return True or False.", _yours(result))
    if result != (hmac_sha256(secret, text) == str(sent)):
        verb = "accepts" if result else "refuses"
        raise Wrong(f"Your server {verb} this one.", Fact("Sent", str(sent) or "(empty)"))
    if compared:
        raise Wrong(_STOPS_EARLY)


_STOPS_EARLY = (
    "The answers are right, but == stops at the first character that differs, and a stranger can "
    "measure how soon. hmac.compare_digest() takes the same time wherever they differ."
)
accepts.hint("Make the signature yourself, then compare. The hmac module has a function for that.")
accepts.hint("hmac.compare_digest(b'one', b'two') is False, however much of the two is equal.")
accepts.wrong(_STOPS_EARLY, lambda secret, text, sent: hmac_sha256(secret, text) == sent)
accepts.wrong(
    "An empty signature gets in! zip() stops at the end of the shorter one.",
    lambda secret, text, sent: all(
        a == b for a, b in zip(hmac_sha256(secret, text), sent, strict=False)
    ),
)
accepts.why(
    "compare_digest() looks at every byte, so its time doesn't show how many of them were right."
)
accepts.next(
    "Take both encode() calls out of its arguments and let a stranger send “é”. What happens?"
)


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
    "This is how Kim signs: no error, 64 hex digits, and the server refuses. Find the line.",
    broken_signature,
)
request_signature.hint("Read hmac.new(…) aloud: key, message, hash. Which one is which here?")
request_signature.hint("hmac.new(key=b'…', msg=b'…', digestmod='sha512') names its arguments.")
request_signature.wrong(
    "The swap is gone, and so is HMAC: this is a plain hash of secret and text.",
    lambda secret, method, path, query: hashlib.sha256(
        f"{secret}{method}\n{path}\n{query}".encode()
    ).hexdigest(),
)
request_signature.wrong(
    "The HMAC is right, but the text has lost its newlines.",
    lambda secret, method, path, query: hmac_sha256(secret, f"{method}{path}{query}"),
)
request_signature.why(
    "hmac.new() takes any bytes as a key, so Python can't notice a swap. Only the server does."
)
request_signature.next("Name the arguments, key=, msg= and digestmod=. Now change their order.")


# --- prove it -----------------------------------------------------------------------------------


def _arrived_reports(chance: random.Random) -> Iterator[tuple[str, bytes, Sent, bytes]]:
    for kind in ("hmac", "plain", "neither", "plain", "hmac"):
        secret, quote = _a_secret(chance), chance.choice("\"'")
        report = f"status=preparing&order={chance.randrange(10, 99)}".encode()
        sent = {
            "hmac": hmac_sha256(secret, report.decode()),
            "plain": hashlib.sha256(secret.encode() + report).hexdigest(),
            "neither": hmac_sha256(report.decode(), secret),
        }[kind]
        yield f"{quote}{secret}{quote}\n", report, Sent(sent), b"&status=delivered"


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


@prove_it.observe
def _answered(result: Any, pasted: str, report: bytes, sent: Sent, more: bytes) -> Any:
    return result, sent.compared


@prove_it.judge
def _proven(
    answered: tuple[Any, bool], pasted: str, report: bytes, sent: Sent, more: bytes
) -> None:
    result, compared = answered
    expected = prove_it.solve(pasted, report, str(sent), more)
    if not isinstance(result, bool | tuple):
        raise Wrong("Return True, False, or the longer report and its signature.", _yours(result))
    if isinstance(expected, tuple):
        if result is True:
            raise Wrong("You accept a plain hash as if it were an HMAC.", Fact("Sent", str(sent)))
        if result is False:
            raise Wrong(
                "This one is a plain hash of secret and report. Show what's wrong with it: forge.",
                Fact("Sent", str(sent)),
            )
        _fits(result, len(pasted.strip()) - 2, report, str(sent), more)
    elif result is not expected:
        what = "a right HMAC" if expected else "neither a right HMAC nor a plain hash"
        raise Wrong(f"This one is {what}.", Fact("Sent", str(sent)), _yours(result))
    if compared:
        raise Wrong(_STOPS_EARLY)


prove_it.hint("Clean the secret first: look at repr(pasted). Then make both signatures.")
prove_it.hint("Three cases: compare with the HMAC, compare with the plain hash, and the rest.")
prove_it.wrong(
    "Not one of them is right with your key. Look at repr(pasted): its quotes and its newline "
    "aren't part of the secret.",
    lambda pasted, report, sent, more: hmac.compare_digest(
        hmac_sha256(pasted, report.decode()).encode(), sent.encode()
    ),
)
prove_it.why("You can make a signature, forge a weak one, and tell the two apart safely.")
prove_it.next("Go on to lesson 05, where your functions become a program that publishes.")
