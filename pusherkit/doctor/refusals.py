"""Read a server's refusal, without the secret. Pure.

Pusher's own 401 tells what it signed; the compatible servers say less. What can be learned from
either is said here. Nothing is proven without the secret: search.py does that.
"""

from __future__ import annotations

import re
from datetime import datetime

from pusherkit.doctor.search import Diagnosis

# The server's canonical string in a refusal, as Pusher words it; JSON escapes its quotes.
_SERVER_STRING = re.compile(
    r"""HmacSHA256Hex\((?P<escape>\\*)"(?P<text>.*?)(?P=escape)", ?your_secret_key\)""", re.DOTALL
)
_EXPIRED = re.compile(
    r"Given timestamp \((?P<given>\S+?)\) not within \d+s of server time \((?P<server>\S+?)\)"
)
_ANYTHING_SIGNED = (
    "This server does not say what it signed. Send the same request to the practice server "
    "(pusherkit sandbox), with this app's credentials: it says which rule fails, and why."
)
# The wording of refusals that say less, and what they mean.
_TERSE = (
    (
        "Unknown auth_key",
        "The server does not know this key. Check the host (or cluster), and "
        "that key and secret are not swapped.",
    ),
    ("App key .* not in this cluster", "The key belongs to another cluster. Check the host."),
    ("Authenticated app does not match", "The key is of another app than the id in the path."),
    ("auth_timestamp is missing|Timestamp required", "auth_timestamp is missing."),
    (
        "Timestamp expired or too far",
        "The timestamp is over 600 s from the server's clock. Check "
        "the clock, and that the timestamp is in seconds.",
    ),
    (
        "body_md5 mismatch",
        "The body that arrived is not the body that was hashed. Serialise once; "
        "hash and send the same bytes.",
    ),
    ("body_md5 is required", "body_md5 is missing from the query."),
    ("Version (required|not supported)", "auth_version must be 1.0."),
    ("Missing parameter: (\\w+)", "A parameter is missing from the query."),
    (
        "The secret authentication failed|Authentication signature invalid|Invalid API signature"
        "|Invalid auth signature provided|authentication failed|Authentication error"
        "|401 UNAUTHORIZED",
        "The signature, or the body's digest, is not what the server computed.",
    ),
)


def diagnose_refusal(text: str, canonical_string: str | None = None) -> Diagnosis:
    """Read a server's refusal, without the secret. `canonical_string` is what you signed.

    With Pusher's wording, in whatever an SDK wraps it, both canonical strings are compared. What
    comes back has notes and no findings: without the secret nothing can be proven.
    """
    notes = []
    if expired := _EXPIRED.search(text):
        notes.append(_skew(expired["given"], expired["server"]))
    if found := _SERVER_STRING.search(text):
        server = found["text"]
        while "\n" not in server and re.search(
            r"\\.", server
        ):  # escaped once more by each wrapping
            server = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], server)
        if canonical_string is None:
            notes.append(f"The server signed:\n{server}\nCompare it with what you signed.")
        else:
            notes.append(compare(canonical_string, server))
    elif not notes:
        notes = [meaning for pattern, meaning in _TERSE if re.search(pattern, text, re.I)][:1]
        notes.append(
            _ANYTHING_SIGNED if notes else f"This is no refusal that is known. {_ANYTHING_SIGNED}"
        )
    return Diagnosis(valid=False, notes=tuple(notes))


def compare(yours: str, servers: str) -> str:
    """Where two canonical strings differ first, in which part, and by which rule."""
    if yours == servers:
        return (
            "Both sides signed the same canonical string. What is left is the secret (another "
            "app's, or with white space or quotes), its encoding, or the HMAC call: key and "
            "message, SHA-256, hex in lower case."
        )
    a, b = (text.encode(errors="surrogatepass") for text in (yours, servers))
    at = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    before = b[:at].decode(errors="ignore")
    line = before.count("\n")
    if line < 2 and (a[at : at + 1] in (b"\r", b"\\") or a.count(b"\n") != b.count(b"\n")):
        rule = "the newlines: two real newlines join three lines"
    elif line == 0:
        rule = "the method: upper case, the one that was sent"
    elif line == 1:
        rule = "the path: as it stands in the request line, without host and query"
    else:
        name = re.split(r"[\n&]", before)[-1].partition("=")[0] or "the next parameter"
        rule = f"the parameters, at {name}: lower-case keys, sorted, values not encoded"
    return (
        f"The canonical strings differ from byte {at} on: you have {_byte(a, at)}, the server has "
        f"{_byte(b, at)}. Look at {rule}."
    )


def _byte(text: bytes, at: int) -> str:
    if at >= len(text):
        return "nothing more"
    shown = repr(chr(text[at])) if 32 <= text[at] < 127 else ""
    return f"0x{text[at]:02x} {shown}".strip()


def _skew(given: str, server: str) -> str:
    try:
        seconds = (datetime.fromisoformat(given) - datetime.fromisoformat(server)).total_seconds()
    except (ValueError, TypeError):
        return f"The clocks differ: yours said {given}, the server's {server}."
    side = "ahead of" if seconds > 0 else "behind"
    hint = ""
    if (
        abs(seconds) >= 3000
        and round(seconds / 1800) * 1800 - 600 < seconds < round(seconds / 1800) * 1800 + 600
    ):
        hint = " That is about a whole number of half hours: local time taken for UTC?"
    return (
        f"Your clock is {abs(seconds):.0f} s {side} the server's ({given} and {server}). Set it, "
        f"and sign each request just before you send it.{hint}"
    )
