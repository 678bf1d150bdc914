"""What does a server's refusal mean? Read from its words alone, without the secret. Pure.

Pusher and the practice server quote the canonical string that they signed, which can be compared
with yours, byte by byte. Others name a rule, and some only say no. Nothing is proven here, as
that needs the secret: search.py does it.

A refusal may come out of a log of any size, so everything here is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter

from pusherkit.doctor.search import Diagnosis

HALF_HOUR = 1800  # seconds; the zones of the world differ by whole halves of an hour, nearly all
UNRECOGNISED = "I don't recognise this message."
_ASK_THE_PRACTICE_SERVER = (
    "This server doesn't say what it signed. Send the same request to the practice server "
    "(pusherkit sandbox), with this app's credentials: it names the rule that fails, and why."
)
_CONTENT = "The signature was fine; the server refused what was in the request. "
_SUBSCRIPTION = "This is about a subscription, whose auth your own server signs. "

_Meanings = tuple[tuple[str, tuple[str, ...]], ...]
_NAMED: _Meanings = (
    # Each meaning, and the words that have it, in lower case. These messages name the rule.
    (
        "A subscription or a webhook must be signed with the app's secret, and over exactly the "
        "text that this message quotes. Compare it with yours, byte by byte.",
        ("expected hmac sha256 hex digest of",),
    ),
    (
        _SUBSCRIPTION + "Send it as KEY:SIGNATURE, with the app key, a colon and 64 hex digits.",
        ("auth must have the format", "it needs auth, which your server signs"),
    ),
    (
        _SUBSCRIPTION + "It begins with the key of another app. Check the app key that your "
        "server signs with.",
        ("invalid key in auth",),
    ),
    (
        "The webhook comes from another app. Check which app's key and secret you verify it with.",
        ("the webhook is of another app",),
    ),
    (
        "The webhook's signature doesn't fit its body. Verify the raw bytes of the body, before "
        "any parsing, with the secret of the app that sent it.",
        ("x-pusher-signature: expected the hmac",),
    ),
    (
        "A webhook is verified with the raw bytes of its body. Take them before anything decodes "
        "or parses them.",
        ("body: expected the request's raw bytes",),
    ),
    (
        "What proves who sent this is missing: a header, or a field of a subscription.",
        ("nothing proves who sent this",),
    ),
    (
        "verify() got something else than what arrived. Pass everything on exactly as it came: "
        "texts as text, the body as raw bytes, the parameters as parse_qsl() gives them.",
        (
            "body: expected the raw bytes that arrived",
            "params: expected pairs of name and value",
            "expected text (str), got",
        ),
    ),
    (
        "The server doesn't know this app key. Check the host (or cluster), and that key and "
        "secret aren't swapped.",
        ("unknown auth_key", "does not exist here"),
    ),
    (
        "The app key belongs to another cluster. Check the host.",
        ("not in this cluster",),
    ),
    (
        "The app key is of another app than the id in the path.",
        ("authenticated app does not match",),
    ),
    (
        "auth_timestamp is missing. Add it to the parameters that you sign, in whole Unix "
        "seconds, and send it.",
        ("missing parameter: auth_timestamp", "auth_timestamp is missing"),
    ),
    (
        "auth_timestamp was sent, but it isn't a whole number of Unix seconds. Send digits only: "
        "no fraction, no date.",
        ("timestamp required: auth_timestamp must be",),
    ),
    (
        "auth_timestamp is missing, or it isn't a whole number of Unix seconds.",
        ("timestamp required",),
    ),
    (
        "The timestamp is over 600 s from the server's clock. Check your clock, and that the "
        "timestamp is in seconds.",
        ("timestamp expired",),
    ),
    (
        "The body that arrived isn't the body that was hashed. Serialise once, then hash and "
        "send those very bytes.",
        ("invalid body_md5", "body_md5 mismatch"),
    ),
    (
        "body_md5 is missing. A request with a body must sign and send the body's hash.",
        ("missing parameter: body_md5", "body_md5 is required"),
    ),
    (
        "auth_version must be there, and it must be 1.0.",
        ("version required", "version not supported", "missing parameter: auth_version"),
    ),
    (
        "A field is missing from the JSON body. An event needs a name, data, and a channel or "
        "channels.",
        ("missing required parameter",),
    ),
    (
        "A parameter is missing from the query. Add it to the parameters that you sign, and send "
        "it.",
        ("missing parameter:",),
    ),
    (
        "A parameter was sent more than once. Send it once.",
        ("repeated parameter:", "times; send it once"),
    ),
    (
        "The path names an app that this server doesn't have. Put the app id, not the app key, "
        "after /apps/, and check the host.",
        ("unknown app id",),
    ),
    (
        "The server has no such path. Publish with POST to /apps/{app_id}/events or "
        "/apps/{app_id}/batch_events.",
        ("no such path",),
    ),
    (
        "The path is right, and the method isn't. Publishing takes POST, asking takes GET.",
        ("is not for this path",),
    ),
    (
        "The rate limit was reached. Wait as long as the answer says, then sign again and send.",
        ("too many requests", "client event rejected"),
    ),
    (
        "The URL or the body isn't UTF-8. Encode text as UTF-8 before you sign and send it.",
        ("is not utf-8", "half of a surrogate pair"),
    ),
    (
        "The query has too many parameters. Move what you can into the body.",
        ("the query has over",),
    ),
    (
        _CONTENT + "It's too large. Send less, or a reference to the data.",
        ("over the limit of 102,400 bytes", "the body has", "channel_data: over"),
    ),
    (
        _CONTENT + "data must be a string; if it's an object, encode it as JSON first.",
        ("data: expected a string", "data: cannot be encoded"),
    ),
    (
        _CONTENT + "An event goes to 1 to 100 channels, named in channel or in channels.",
        (
            "channels: expected",
            "per event (api reference)",
            "channel and channels were both",
        ),
    ),
    (
        _CONTENT + "A batch has 1 to 10 events, each with one channel of its own.",
        ("batch: expected", "batch: event", "per batch (api reference)"),
    ),
    (
        "This isn't a channel's name. It may have 200 characters: letters, digits and _ - = @ , "
        ". ; only.",
        ("channel: expected", "channel: the name has", "invalid channel name"),
    ),
    (
        _CONTENT + "An event's name is text of 1 to 200 characters, and doesn't begin with "
        "pusher: or pusher_internal:.",
        (
            "name: expected the event",
            "that the official sdks",
            "the protocol's own events",
        ),
    ),
    (
        "A socket_id is what the server gave to a connection, such as 123.456. Take it from the "
        "connection that shall not get the event.",
        ("socket_id: expected",),
    ),
    (
        "info asks for subscription_count or user_count, and user_count is only for presence "
        "channels.",
        ("info: expected", "user_count may only be requested"),
    ),
    (
        "Only presence channels know their users. Their names begin with presence-.",
        ("users may only be requested",),
    ),
    (
        _CONTENT + "The body must be one JSON object.",
        ("body: expected", "body: not json", "nested too deeply"),
    ),
    (
        'A presence channel needs channel_data: JSON text such as {"user_id": "7"}, signed and '
        "sent unchanged.",
        ("channel_data: expected",),
    ),
    (
        "The server is full: of members in this channel, of channels on this connection, or of "
        "connections.",
        ("is full: it has", "one connection can have", "over capacity"),
    ),
    (
        "Signing in needs auth and user_data, both as your server gave them.",
        ("signing in needs auth", "signing in failed"),
    ),
    (
        "Client events are for private and presence channels that you are subscribed to.",
        ("client events go to a channel", "client events need a private"),
    ),
    (
        "The WebSocket's URL needs a protocol version that the server speaks, such as ?protocol=7.",
        ("no protocol version supplied", "unsupported protocol version"),
    ),
    (
        "The practice server is for this machine's own names and pages. Reach it at "
        "http://127.0.0.1 or http://localhost, or start it with --allow-host or --allow-origin.",
        ("doesn't answer under the name", "may not use this practice server"),
    ),
    (
        "The frame isn't one that the server knows: a JSON object with a text called event.",
        ("expected a json object with a text", "unknown event"),
    ),
)
_SAYS_NO: _Meanings = (
    # These messages only say no. Some of them blame the secret, whatever the cause.
    (
        "The signature, or the body hash, isn't what the server computed.",
        (
            "the secret authentication failed",
            "authentication signature invalid",
            "invalid api signature",
            "invalid auth signature provided",
            "authentication failed",
            "authentication error",
            "401 unauthorized",
        ),
    ),
)


def diagnose_refusal(text: str, canonical_string: str | None = None) -> Diagnosis:
    """Say what a server's refusal means. `canonical_string` is what you signed, if you have it.

    The refusal may be inside anything: JSON, an SDK's exception, a log. What comes first in it is
    what failed: the practice server lists its other rules after that. If it quotes the server's
    canonical string, that is compared with yours. The diagnosis has notes and no findings,
    because without the secret nothing can be proven.
    """
    lowered = text.lower()
    readings = []
    if expired := _EXPIRED.search(text):
        readings.append((expired.start(), _clock(expired["given"], expired["server"])))
    readings += _meanings(_NAMED, lowered)
    if quoted := _server_string(text):
        at, server = quoted
        told = f"The server signed:\n{server}\nCompare it with what you signed."
        readings.append((at, _difference(canonical_string, server) if canonical_string else told))
    if readings:
        return _noted(min(readings, key=itemgetter(0))[1])
    only_no = [said for _, said in _meanings(_SAYS_NO, lowered)]
    return _noted(*(only_no or [UNRECOGNISED]), _ASK_THE_PRACTICE_SERVER)


def _noted(*notes: str) -> Diagnosis:
    return Diagnosis(valid=False, notes=notes)


def _meanings(table: _Meanings, lowered: str) -> Iterator[tuple[int, str]]:
    """Each meaning whose words are in a text, and where the first of them is."""
    for said, words in table:
        places = [at for at in map(lowered.find, words) if at >= 0]
        if places:
            yield min(places), said


# --- the canonical string ---------------------------------------------------------------------

_QUOTED_FROM, _QUOTED_TO = "HmacSHA256Hex(", "your_secret_key)"  # Pusher's wording


def _server_string(text: str) -> tuple[int, str] | None:
    """The canonical string that a refusal quotes, with real newlines, and where it is.

    Each wrapping in JSON, or in a repr, escapes it once more; all of that is undone here.
    """
    start = text.find(_QUOTED_FROM)
    end = text.find(_QUOTED_TO, start)
    if start < 0 or end < 0:
        return None
    quoted = text[start + len(_QUOTED_FROM) : end].rstrip(" ").removesuffix(",")
    mark = "\\" * (len(quoted) - len(quoted.lstrip("\\"))) + '"'  # JSON escapes the quotes, too
    if not (quoted.startswith(mark) and quoted.endswith(mark) and len(quoted) >= 2 * len(mark)):
        return None
    server = quoted[len(mark) : -len(mark)]
    while "\n" not in server and _ESCAPE.search(server):
        server = _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], server)
    return start, server


_ESCAPE = re.compile(r"\\(.)")


def _difference(yours: str, servers: str) -> str:
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
        rule = "the path: as it is in the request line, without host and query"
    else:
        start = max(servers.rfind("&", 0, len(before)), servers.rfind("\n", 0, len(before))) + 1
        name = re.split("[=&]", servers[start:], maxsplit=1)[0] or "the next parameter"
        rule = f"the parameters, at {name}: lower-case names, sorted, values not encoded"
    return (
        f"The canonical strings differ from byte {at} on: you have {_byte(a, at)}, the server has "
        f"{_byte(b, at)}. Look at {rule}."
    )


def _byte(text: bytes, at: int) -> str:
    if at >= len(text):
        return "nothing more"
    shown = repr(chr(text[at])) if 32 <= text[at] < 127 else ""
    return f"0x{text[at]:02x} {shown}".strip()


# --- the clocks -------------------------------------------------------------------------------

_EXPIRED = re.compile(
    r"(?:Timestamp expired: )?Given timestamp \((?P<given>[^()]{1,60})\) not within [^ ()]{1,20} "
    r"of server time \((?P<server>[^()]{1,60})\)"
)
_TOLERANCE = 600  # seconds; within this of a whole half hour, it's a time zone rather than chance


def _clock(given: str, server: str) -> str:
    """How far a timestamp was from the server's clock."""
    if given == "not a date":
        return (
            "The timestamp is so large that, in seconds, it isn't a date: it's in milliseconds, "
            "or finer. Send Unix time in whole seconds."
        )
    try:
        seconds = (datetime.fromisoformat(given) - datetime.fromisoformat(server)).total_seconds()
    except (ValueError, TypeError):
        return f"The clocks differ: yours said {given}, the server's {server}."
    side = "ahead of" if seconds > 0 else "behind"
    off = abs(seconds - round(seconds / HALF_HOUR) * HALF_HOUR)
    hint = ""
    if abs(seconds) >= 2 * HALF_HOUR - _TOLERANCE and off < _TOLERANCE:
        hint = " That is about a whole number of half hours: local time taken for UTC?"
    return (
        f"Your clock is {abs(seconds):.0f} s {side} the server's ({given} and {server}). Set it, "
        f"and sign each request just before you send it.{hint}"
    )
