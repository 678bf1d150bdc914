"""Lesson 04, key and message: HMAC is no hash of secret plus text, and the order matters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets

from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake, equals
from pusherkit.lessons._interactive import Fact, Interactive, Prediction, View, row, text_field
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.lessons._progress import ProgressView
from pusherkit.signing import Request, canonical_string, hmac_sha256, judge, sign

NOTEBOOK = "04-key-and-message"

# The worked example of Pusher's HTTP API documentation, signed.
PATH = "/apps/3/events"
BODY = rb'{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}'
EXAMPLE = sign(EXAMPLE_CREDENTIALS, "POST", PATH, body=BODY, timestamp=EXAMPLE_TIMESTAMP)


# --- recall and prediction --------------------------------------------------------------------


def recall_host() -> Prediction:
    """From lesson 03: what the canonical string does not hold."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        parts = {
            "The path": PATH,
            "The time": f"auth_timestamp={EXAMPLE_TIMESTAMP}",
            "The body's digest": f"body_md5={EXAMPLE.body_md5}",
            "The host": "ws-sa.mawjly.com",
        }
        text = EXAMPLE.canonical_string
        (missing,) = [name for name, part in parts.items() if part not in text]
        return missing, (Fact("Canonical string", text),)

    return Prediction(
        "Recall: which of these does the canonical string not hold?",
        {
            "The path": "The path is its second line.",
            "The time": "The time is a parameter, auth_timestamp.",
            "The body's digest": "The digest is a parameter, body_md5.",
            "The host": "The path is signed without the host.",
        },
        run,
        "Method, path, parameters: three lines. The same request may reach a server under several "
        "host names.",
    )


def recall_signature() -> Prediction:
    """From lesson 02: whether auth_signature is signed."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        text = canonical_string("POST", PATH, EXAMPLE.query)
        answer = "No, it is left out" if text == EXAMPLE.canonical_string else "Yes, sorted in"
        return answer, (
            Fact("Parameters sent", "\n".join(key for key, _ in EXAMPLE.query)),
            Fact("Signed", text.split("\n")[2]),
        )

    return Prediction(
        "Recall: the server receives auth_signature among the parameters. Is it part of the "
        "canonical string?",
        {
            "Yes, sorted in": "It cannot be: it is computed from the canonical string.",
            "Yes, at the end": "It stands at the end of the URL. The canonical string ends before.",
            "No, it is left out": "A signature cannot sign itself.",
        },
        run,
        "Both sides sign every parameter but this one.",
    )


def predict() -> Prediction:
    """Does HMAC give the same digest if key and message are swapped?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        secret, text = EXAMPLE_CREDENTIALS.secret, EXAMPLE.canonical_string
        right, swapped = hmac_sha256(secret, text), hmac_sha256(text, secret)
        return "The same digest" if right == swapped else "Another digest", (
            Fact("Secret as key", right),
            Fact("Secret as message", swapped),
        )

    return Prediction(
        "Predict: the canonical string becomes the key, and the secret becomes the message. "
        "What comes out?",
        {
            "The same digest": "It would, if HMAC hashed the two as one text.",
            "Another digest": "Key and message go different ways through HMAC.",
            "An error": "Nothing warns you: both are bytes, and HMAC takes any bytes as its key.",
        },
        run,
        "HMAC mixes the key in twice, before and after it hashes the message. So the two places "
        "are not alike, and a swap stays unnoticed until a server refuses the signature.",
    )


# --- the bench --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """One way to make bytes, or to write them as text. `wrong` is the rule that it breaks."""

    code: str
    run: Callable[..., Any]
    wrong: str = ""


def _hmac(algorithm: str) -> Callable[[bytes, bytes], bytes]:
    return lambda key, message: hmac.digest(key, message, algorithm)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


RECIPES = {
    "HMAC(key, message)": Way("hmac.new(key, message, hashlib.sha256)", _hmac("sha256")),
    "HMAC(message, key): swapped": Way(
        "hmac.new(message, key, hashlib.sha256)",
        lambda key, message: hmac.digest(message, key, "sha256"),
        "Key and message are swapped: the secret is the key.",
    ),
    "sha256(key + message)": Way(
        "hashlib.sha256(key + message)",
        lambda key, message: _sha256(key + message),
        "A hash of secret plus text is no HMAC.",
    ),
    "sha256(message + key)": Way(
        "hashlib.sha256(message + key)",
        lambda key, message: _sha256(message + key),
        "A hash of text plus secret is no HMAC.",
    ),
    "HMAC with SHA-1": Way(
        "hmac.new(key, message, hashlib.sha1)",
        _hmac("sha1"),
        "The API asks for SHA-256; this is SHA-1.",
    ),
    "HMAC with MD5": Way(
        "hmac.new(key, message, hashlib.md5)",
        _hmac("md5"),
        "The API asks for SHA-256; this is MD5, which is for body_md5 only.",
    ),
}
OUTPUTS = {
    "hex": Way("{}.hexdigest()", bytes.hex),
    "HEX, upper case": Way(
        "{}.hexdigest().upper()",
        lambda digest: digest.hex().upper(),
        "The API compares text: hex digits in lower case.",
    ),
    "base64": Way(
        "base64.b64encode({}.digest()).decode()",
        lambda digest: base64.b64encode(digest).decode(),
        "The API asks for hex; this is base64.",
    ),
}
_ROW = 32  # hex digits side by side, so that the marks stay under them on a narrow screen too


def examine(key: str, message: str, recipe: str, output: str) -> View:
    """One digest: the code that makes it, what the server says to it, how far it moved."""
    way, written = RECIPES[recipe], OUTPUTS[output]
    digest = way.run(_bytes(key), _bytes(message))
    start = (EXAMPLE_CREDENTIALS.secret, EXAMPLE.canonical_string)
    at_start = (key, message) == start
    first = way.run(*map(_bytes, start))
    signature = written.run(digest)
    refusal = _refusal(signature)
    facts = (
        Fact("Code", written.code.format(way.code)),
        Fact("Digest", signature),
        Fact("Length", f"{len(digest)} bytes, written as {len(signature)} characters"),
        Fact("Practice server", refusal or "200: the signature fits"),
        Fact("Avalanche", *_avalanche(first, digest, at_start)),
    )
    if not refusal:
        return View("Key, message, digest", facts, "Accepted. This is the right call.", True)
    reasons = _reasons(key, message, way, written)
    return View("Key, message, digest", facts, f"Refused. {reasons}", False)


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")  # half a character, as some keyboards send, becomes "?"


def _refusal(signature: str) -> str:
    """What the practice server says to the worked example under a signature; "" if it fits."""
    params = (*EXAMPLE.params, ("auth_signature", signature))
    verdict = judge(EXAMPLE_CREDENTIALS, Request("POST", PATH, params, BODY), now=EXAMPLE_TIMESTAMP)
    return f"401 {verdict.failed.error.partition(':')[0]}" if verdict.failed else ""


def _reasons(key: str, message: str, way: Way, written: Way) -> str:
    reasons = [way.wrong, written.wrong]
    if not key:
        reasons.append("The key is empty, so anybody can compute this digest.")
    elif key != EXAMPLE_CREDENTIALS.secret:
        reasons.append("The key is not the app's secret.")
    if message != EXAMPLE.canonical_string:
        reasons.append("The message is not the canonical string of the request that is sent.")
    return " ".join(reason for reason in reasons if reason)


def _avalanche(first: bytes, now: bytes, at_start: bool) -> tuple[str, str]:
    """How far a digest is from that of the first key and message, made in the same way; why."""
    bits = (int.from_bytes(first) ^ int.from_bytes(now)).bit_count()
    old, new = first.hex(), now.hex()
    digits = sum(a != b for a, b in zip(old, new, strict=True))
    none = f"0 of {8 * len(now)} bits changed"
    if at_start:
        return (
            f"{none}: key and message are as at the start",
            "Change one letter of the message, and look here again.",
        )
    if not bits:
        return (
            f"{none}, although key and message did",
            "Two different pairs, one digest: this way does not see where the key ends.",
        )
    lines = [f"{bits} of {8 * len(now)} bits changed, {digits} of {len(new)} hex digits"]
    for start in range(0, len(new), _ROW):
        a, b = old[start : start + _ROW], new[start : start + _ROW]
        marks = "".join(" " if x == y else "^" for x, y in zip(a, b, strict=True))
        lines += [f"first {a}", f"now   {b}", f"      {marks}".rstrip()]
    return "\n".join(lines), (
        "The same is done to the first key and message, and compared. About half of the bits "
        "change, however little the input changed."
    )


class Bench(Interactive):
    """A key, a message, and a choice of what is done with them."""

    def __init__(self) -> None:
        self.key = text_field("Key", EXAMPLE_CREDENTIALS.secret)
        self.message = ipywidgets.Textarea(
            value=EXAMPLE.canonical_string,
            description="Message",
            rows=4,
            style={"description_width": "7rem"},
            layout=ipywidgets.Layout(width="auto", max_width="66rem"),
        )
        self.recipe = _choice("What is done", RECIPES)
        self.output = _choice("Written as", OUTPUTS)
        controls = (self.key, self.message, self.recipe, self.output)
        for control in controls:
            control.observe(lambda _: self.refresh(), names="value")
        super().__init__(
            [row(self.key), self.message, row(self.recipe, self.output)],
            lambda: examine(*(control.value for control in controls)),
            twin=examine(*(control.value for control in controls)),
        )


def _choice(label: str, ways: dict[str, Way]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=list(ways),
        description=label,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="auto", flex="1 1 auto"),
    )


def bench() -> Bench:
    """Key and message, to change and to swap."""
    return Bench()


# --- the exercises ----------------------------------------------------------------------------


def _a_secret(chance: random.Random) -> str:
    return chance.randbytes(10).hex()  # 20 hex digits, as secrets often are


def _a_query(chance: random.Random) -> str:
    return (
        f"auth_key={chance.randbytes(10).hex()}&auth_timestamp={chance.randrange(10**9, 2 * 10**9)}"
        f"&auth_version=1.0&body_md5={chance.randbytes(16).hex()}"
    )


def _a_canonical_string(chance: random.Random) -> str:
    return f"POST\n/apps/{chance.randrange(10, 999)}/events\n{_a_query(chance)}"


def _secret_and_text(chance: random.Random) -> tuple[str, str]:
    return _a_secret(chance), _a_canonical_string(chance)


def _key_and_message(chance: random.Random) -> tuple[bytes, bytes]:
    secret, text = _secret_and_text(chance)
    return secret.encode(), text.encode()


def _pasted_and_text(chance: random.Random) -> tuple[str, str]:
    secret, text = _secret_and_text(chance)
    quote = chance.choice("\"'")
    return f"{quote}{secret}{quote}\n", text


def _unpasted(pasted: str) -> str:
    return pasted.strip().strip("\"'")


prove_it = FunctionExercise(
    name="key_and_message.prove_it",
    task="The signature of a canonical string, with a secret that was pasted carelessly.",
    given=_pasted_and_text,
    right=lambda pasted, text: hmac_sha256(_unpasted(pasted), text),
    mistakes=(
        Mistake(
            lambda pasted, text: hmac_sha256(pasted, text),
            "The newline and the quotes are part of your key. Every byte of a key counts.",
        ),
        Mistake(
            lambda pasted, text: hmac_sha256(pasted.strip(), text),
            "The newline is gone, the quotes are still part of your key.",
        ),
        Mistake(
            lambda pasted, text: hmac_sha256(text, _unpasted(pasted)),
            "Key and message are swapped. The secret is the key, and the key comes first.",
        ),
        Mistake(
            lambda pasted, text: hashlib.sha256((_unpasted(pasted) + text).encode()).hexdigest(),
            "This is a hash of secret plus text. HMAC takes the two apart, as key and message.",
        ),
        Mistake(
            lambda pasted, text: hmac_sha256(_unpasted(pasted), text).upper(),
            "The digits are right, but in upper case. The API compares lower-case hex.",
        ),
    ),
    hints=(
        "Look at repr(pasted). What does not belong to the secret?",
        "'\"abc\"\\n'.strip().strip('\"') is 'abc'. HMAC of 'x' under the key 'abc': "
        "hmac.new(b'abc', b'x', hashlib.sha256).hexdigest().",
    ),
    solution=(
        "def prove_it(pasted: str, canonical_string: str) -> str:\n"
        '    secret = pasted.strip().strip("\\"\'")\n'
        "    mac = hmac.new(secret.encode(), canonical_string.encode(), hashlib.sha256)\n"
        "    return mac.hexdigest()\n\n"
        "First the bare secret, then HMAC: the secret is the key, the text is the message.\n"
        "Now go on to the next lesson, or read why it is so in this one."
    ),
)


call = FunctionExercise(
    name="key_and_message.call",
    task="The HMAC of a message as the API wants it written.",
    given=_key_and_message,
    right=lambda key, message: hmac.digest(key, message, "sha256").hex(),
    mistakes=(
        Mistake(
            lambda key, message: hmac.digest(key, message, "sha256"),
            "These are the 32 raw bytes of the digest. auth_signature is text: 64 hex digits.",
        ),
        Mistake(
            lambda key, message: hmac.digest(key, message, "sha256").hex().upper(),
            "The digits are right, but in upper case. The API compares lower-case hex.",
        ),
        Mistake(
            lambda key, message: base64.b64encode(hmac.digest(key, message, "sha256")).decode(),
            "This is the digest in base64. auth_signature is hex.",
        ),
    ),
    hints=(
        "The object mac has two methods that tell the digest: one as bytes, one as text.",
        "hashlib.md5(b'x').hexdigest() is the text of another digest.",
    ),
    solution=(
        "def call(key: bytes, message: bytes) -> str:\n"
        "    mac = hmac.new(key, message, hashlib.sha256)\n"
        "    return mac.hexdigest()\n\n"
        "SHA-256 gives 32 bytes; hexdigest() writes each as two digits, in lower case.\n"
        "Now write the same in one line with hmac.digest(key, message, 'sha256'), and check it."
    ),
)


# Four lines of code, and the four signatures that they make of one key and one message.
KEY = b"a practice key, no secret"
MESSAGE = b"GET\n/apps/41/channels\nauth_key=harbour&auth_timestamp=1700000000&auth_version=1.0"
LINES = {
    "A": "hmac.new(message, key, hashlib.sha256).hexdigest()",
    "B": "hmac.new(key, message, hashlib.sha256).hexdigest()",
    "C": "base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()",
    "D": "hashlib.sha256(key + message).hexdigest()",
}
SIGNATURES = {
    1: _sha256(KEY + MESSAGE).hex(),
    2: hmac.digest(KEY, MESSAGE, "sha256").hex(),
    3: hmac.digest(MESSAGE, KEY, "sha256").hex(),
    4: base64.b64encode(hmac.digest(KEY, MESSAGE, "sha256")).decode(),
}
_MATCHES = {"A": 3, "B": 2, "C": 4, "D": 1}


def _judge_matches(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, dict) or set(done) != set(_MATCHES):
        return (
            'Expected a number for each letter, such as {"A": 1, "B": 2, "C": 3, "D": 4}.',
            (Fact("Yours", repr(done)[:200]),),
        )
    wrong = [letter for letter, number in _MATCHES.items() if done[letter] != number]
    if wrong:
        return f"Not yet right: {', '.join(wrong)}. Run these lines, and compare.", ()
    return None


matching = Exercise(
    name="key_and_message.matching",
    task="Which line of code makes which signature.",
    judge=_judge_matches,
    right=_MATCHES,
    mistakes=(
        Mistake(
            _MATCHES | {"A": 2, "B": 3},
            "A and B are exchanged. hmac.new takes the key first. Run both.",
        ),
        Mistake(
            _MATCHES | {"B": 1, "D": 2},
            "B and D are exchanged. HMAC is no hash of key plus message. Run both.",
        ),
        Mistake(
            _MATCHES | {"A": 1, "D": 3},
            "A and D are exchanged. Even swapped, HMAC is no hash of key plus message. Run both.",
        ),
        Mistake(
            {number: letter for letter, number in _MATCHES.items()},
            'These are letters by number. Write the letter first: {"A": …, "B": …}.',
        ),
    ),
    hints=(
        "One signature can be told by its form. Which line writes no hex?",
        "Paste a line into a new cell and run it: key and message are defined above. "
        "For example, hashlib.md5(key + message).hexdigest() makes none of the four.",
    ),
    solution=(
        'matches = {"A": 3, "B": 2, "C": 4, "D": 1}\n\n'
        "Three of the four look alike: 64 hex digits. Only computing tells them apart.\n"
        "C has the bytes of B, written as base64.\n"
        "Now say which of the four a server accepts, and why it can accept no other."
    ),
)


signature = FunctionExercise(
    name="key_and_message.signature",
    task="The signature of a canonical string, with a secret.",
    given=_secret_and_text,
    right=hmac_sha256,
    mistakes=(
        Mistake(
            lambda secret, text: hmac_sha256(text, secret),
            "Key and message are swapped. The secret is the key: it comes first.",
        ),
        Mistake(
            lambda secret, text: _sha256((secret + text).encode()).hex(),
            "This is a hash of secret plus text. HMAC takes the two apart, as key and message.",
        ),
        Mistake(
            lambda secret, text: _sha256((text + secret).encode()).hex(),
            "This is a hash of text plus secret. HMAC takes the two apart, as key and message.",
        ),
        Mistake(
            lambda secret, text: hmac.digest(secret.encode(), text.encode(), "sha1").hex(),
            "This is HMAC with SHA-1, 40 digits. The API asks for SHA-256, 64 digits.",
        ),
        Mistake(
            lambda secret, text: hmac.digest(secret.encode(), text.encode(), "md5").hex(),
            "This is HMAC with MD5, 32 digits. MD5 is for body_md5; the signature is SHA-256.",
        ),
        Mistake(
            lambda secret, text: base64.b64encode(
                bytes.fromhex(hmac_sha256(secret, text))
            ).decode(),
            "This is the digest in base64. auth_signature is hex.",
        ),
        Mistake(
            lambda secret, text: hmac_sha256(secret, text).upper(),
            "The digits are right, but in upper case. The API compares lower-case hex.",
        ),
        Mistake(
            lambda secret, text: hmac.digest(secret.encode(), text.encode(), "sha256"),
            "These are the 32 raw bytes of the digest. auth_signature is text: 64 hex digits.",
        ),
        Mistake(
            lambda secret, text: hmac.digest(bytes.fromhex(secret), text.encode(), "sha256").hex(),
            "You read the secret as hex and used the bytes that it spells. It only looks like "
            "hex: the key is its characters, in UTF-8.",
        ),
    ),
    hints=(
        "Both are text. HMAC wants bytes: secret.encode() and canonical_string.encode().",
        "hmac.new(b'k', b'm', hashlib.sha512).hexdigest() is HMAC with another hash. "
        "k is the key, m the message.",
    ),
    solution=(
        "def signature(secret: str, canonical_string: str) -> str:\n"
        "    key = secret.encode()\n"
        "    message = canonical_string.encode()\n"
        "    return hmac.new(key, message, hashlib.sha256).hexdigest()\n\n"
        "Text to bytes, twice; then key first, message second, SHA-256, lower-case hex.\n"
        "Now call it with the worked example, and compare with da454824…"
    ),
)


# One secret as it is, and as three careless ways to paste it leave it. One of them signed.
PASTED = {
    "A": "5b1f7a90c3de2468ab0c",
    "B": "5b1f7a90c3de2468ab0c\n",
    "C": '"5b1f7a90c3de2468ab0c"',
    "D": " 5b1f7a90c3de2468ab0c",
}
REFUSED_TEXT = (
    "GET\n/apps/7/channels\nauth_key=lighthouse&auth_timestamp=1650000000&auth_version=1.0"
)
REFUSED_SIGNATURE = hmac_sha256(PASTED["B"], REFUSED_TEXT)

which_secret = Exercise(
    name="key_and_message.which_secret",
    task="The letter of the secret that made the refused signature.",
    judge=equals("B"),
    right="B",
    mistakes=(
        Mistake("A", "A is the secret as it should be. A server would have accepted that."),
        Mistake("C", "C is in quotes. They would be part of the key. Compute its signature."),
        Mistake("D", "D has a space in front. Compute its signature."),
    ),
    hints=(
        "You have the text and four keys. Compute the signature with each.",
        "for name, key in {'x': 'k', 'y': 'k '}.items(): print(name, signature(key, 'text'))",
    ),
    solution=(
        "(letter,) = [\n"
        "    letter\n"
        "    for letter, secret in PASTED.items()\n"
        "    if hmac.new(secret.encode(), REFUSED_TEXT.encode(), hashlib.sha256).hexdigest()\n"
        "    == REFUSED_SIGNATURE\n"
        "]\n\n"
        "A file, or the shell's echo, ends in a newline; the newline became part of the key.\n"
        "No server can tell you: it knows the text, but not what you used as the key.\n"
        "Now call pusherkit.Credentials with such a secret, and read what it says."
    ),
)


BLOCK = 64  # bytes that SHA-256 takes in at a time; HMAC fills its key up to this
_INNER, _OUTER = 0x36, 0x5C  # ipad and opad (RFC 2104, section 2)


def _nested(
    key: bytes,
    message: bytes,
    *,
    inner: int = _INNER,
    outer: int = _OUTER,
    block: int = BLOCK,
    hex_inside: bool = False,
) -> str:
    """HMAC-SHA256 from SHA-256, with room for each known mistake."""
    key = key.ljust(block, b"\0")
    inside = _sha256(bytes(byte ^ inner for byte in key) + message)
    middle = inside.hex().encode() if hex_inside else inside
    return _sha256(bytes(byte ^ outer for byte in key) + middle).hex()


own_hmac = FunctionExercise(
    name="key_and_message.own_hmac",
    task="Optional: HMAC-SHA256, built from SHA-256 alone.",
    given=_key_and_message,
    right=lambda key, message: hmac.digest(key, message, "sha256").hex(),
    mistakes=(
        Mistake(
            lambda key, message: _nested(key, message, block=0),
            "The key is too short. Fill it up to 64 bytes with zero bytes before you mix it in.",
        ),
        Mistake(
            lambda key, message: _nested(key, message, inner=_OUTER, outer=_INNER),
            "0x36 and 0x5c are exchanged. 0x36 is for the inner hash, 0x5c for the outer.",
        ),
        Mistake(
            lambda key, message: _nested(key, message, outer=_INNER),
            "Both hashes use 0x36. The outer one uses 0x5c.",
        ),
        Mistake(
            lambda key, message: _nested(key, message, hex_inside=True),
            "The outer hash got the inner digest as hex. It wants the 32 bytes: digest().",
        ),
        Mistake(
            lambda key, message: _sha256(
                bytes(byte ^ _INNER for byte in key.ljust(BLOCK, b"\0")) + message
            ).hex(),
            "This is the inner hash. Hash its bytes again, behind the key mixed with 0x5c.",
        ),
        Mistake(
            lambda key, message: _sha256(key.ljust(BLOCK, b"\0") + message).hex(),
            "The key is filled up, but not mixed: each of its bytes wants ^ 0x36.",
        ),
    ),
    hints=(
        "Three steps: fill the key up; the inner hash of key and message; the outer hash of key "
        "and inner digest.",
        "b'ab'.ljust(4, b'\\0') is b'ab\\x00\\x00'. bytes(byte ^ 0x20 for byte in b'ab') is b'AB'.",
    ),
    solution=(
        "def own_hmac(key: bytes, message: bytes) -> str:\n"
        '    key = key.ljust(64, b"\\0")\n'
        "    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()\n"
        "    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner)\n"
        "    return outer.hexdigest()\n\n"
        "The outer hash hides the state in which the inner one ended. That is what the bare\n"
        "sha256(key + message) lacks.\n"
        "Now let it take a key of over 64 bytes: HMAC uses the SHA-256 of such a key in its place."
    ),
)


def _request_parts(chance: random.Random) -> tuple[str, str, str, str]:
    path = f"/apps/{chance.randrange(10, 999)}/{chance.choice(['events', 'batch_events'])}"
    return _a_secret(chance), "POST", path, _a_query(chance)


def broken_signature(secret: str, method: str, path: str, query: str) -> str:
    """Sign a request's parts. One of the lines is wrong."""
    canonical_string = f"{method}\n{path}\n{query}"
    mac = hmac.new(canonical_string.encode(), secret.encode(), hashlib.sha256)
    return mac.hexdigest()


mend = FunctionExercise(
    name="key_and_message.mend",
    task="The signature of a request's parts, with the secret as the key.",
    given=_request_parts,
    right=lambda secret, method, path, query: hmac_sha256(secret, f"{method}\n{path}\n{query}"),
    mistakes=(
        Mistake(
            broken_signature,
            "Key and message are still swapped. hmac.new takes the key first, and the key is what "
            "only the two sides know.",
        ),
        Mistake(
            lambda secret, method, path, query: _sha256(
                f"{secret}{method}\n{path}\n{query}".encode()
            ).hex(),
            "The swap is gone, and HMAC with it: this is a hash of secret plus text.",
        ),
        Mistake(
            lambda secret, method, path, query: hmac_sha256(secret, f"{method}{path}{query}"),
            "The HMAC call is right. The canonical string has lost its newlines.",
        ),
        Mistake(
            lambda secret, method, path, query: hmac_sha256(secret, query),
            "The HMAC call is right. The message is the whole canonical string, all three lines.",
        ),
    ),
    hints=(
        "Say each argument of hmac.new aloud: key, message, hash. Which is which here?",
        "hmac.new(key=b'k', msg=b'm', digestmod='sha512') names its arguments. "
        "Nothing can be swapped by accident then.",
    ),
    solution=(
        "def request_signature(secret: str, method: str, path: str, query: str) -> str:\n"
        '    canonical_string = f"{method}\\n{path}\\n{query}"\n'
        "    mac = hmac.new(secret.encode(), canonical_string.encode(), hashlib.sha256)\n"
        "    return mac.hexdigest()\n\n"
        "Both arguments are bytes, so Python cannot notice a swap. The server can.\n"
        "Now name the arguments, key=, msg= and digestmod=, and change their order."
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
