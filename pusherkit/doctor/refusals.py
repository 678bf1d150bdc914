"""What does a server's refusal mean? Read from its words, and proven where they hold enough. Pure.

Pusher and the practice server quote the canonical string that they signed, and the signature that
they got. With the secret that's enough to name the mistake without the request; without it, the
string can be compared with yours, byte by byte. Other servers name a rule, some only say no, and
some messages are no refusal at all: those go to failures.py.

A refusal may come out of a log of any size, so everything here is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from pusherkit.credentials import Credentials
from pusherkit.doctor.failures import failure_in
from pusherkit.doctor.mistakes import MILLISECOND_DIGITS
from pusherkit.doctor.search import Diagnosis, explain
from pusherkit.doctor.sentences import (
    DIGEST_LETTERS,
    STRING_LETTERS,
    checks_the_signature_only,
    meaning_in,
    refusal_at,
    says_no,
    vaguely_said,
)
from pusherkit.doctor.subscriptions import diagnose_subscription
from pusherkit.doctor.wrappings import (
    QuotedDigest,
    QuotedString,
    letters,
    quoted_digest,
    quoted_string,
)
from pusherkit.signing import TOLERANCE_SECONDS, Request, judge

STALE_SECONDS = 26 * 3_600  # the zones of the world are at most this far from each other
ZONE_SECONDS = 120  # this near to a whole half hour, it's a time zone rather than chance; ours
HALF_HOUR = 1800  # seconds; the zones of the world differ by whole halves of an hour, nearly all
UNRECOGNISED = "I don't recognise this message."
ASK_THE_PRACTICE_SERVER = (
    "This server doesn't say what it signed. Send the same request to the practice server "
    "(pusherkit sandbox), with this app's credentials: it names the rule that fails, and why."
)
_SAYS_NO = "The signature, or the body hash, isn't what the server computed."
_SIGNATURE_ONLY = (
    "This server checks the signature alone: method, path, query, the body's hash, with the secret "
    "of the app in the path. Its clock and auth_version don't matter. What is left is that secret, "
    "and a proxy on the way: one that adds or removes a prefix of the path, drops the query (nginx "
    "does, where proxy_pass has a path without $is_args$args), or changes the body."
)
_UNPROVEN = (
    "No known mistake, and no two of them together, give this signature over the text that the "
    "server signed. Still possible: another app's secret, three or more mistakes at once, or one "
    "that isn't in the table yet. A text like this doesn't hold the body: paste the request with "
    "it, and mistakes in hashing the body can be tried as well."
)


def diagnose_refusal(
    text: str, credentials: Credentials | None = None, *, canonical_string: str | None = None
) -> Diagnosis:
    """Say what a server's refusal means, and with `credentials` which mistake is behind it.

    The refusal may be inside anything: JSON, an SDK's exception, a log. What comes first in it is
    what failed: the practice server lists its other rules after that. If it quotes the server's
    canonical string, that is compared with `canonical_string`, which is what you signed; and with
    `credentials` the mistake is proven, where it's a known one. Without them the diagnosis has
    notes and no findings, because without the secret nothing can be proven. What isn't a
    refusal (an unknown host, another server's page) is explained as explain_failure() does.
    """
    said = letters(text)
    readings = list(_readings(text, said, credentials, canonical_string))
    diagnosis = min(readings, key=itemgetter(0))[1] if readings else _only_no(said)
    if credentials is None:
        return diagnosis
    return replace(diagnosis, notes=tuple(map(credentials.hide, diagnosis.notes)))


def _readings(
    text: str, said: str, credentials: Credentials | None, yours: str | None
) -> Iterator[tuple[int, Diagnosis]]:
    """What each known part of a text means, and where it begins."""
    if expired := _EXPIRED.search(said):
        yield expired.start(), _noted(_clock(expired["given"], expired["server"]))
    if digest := quoted_digest(text):
        yield said.find(DIGEST_LETTERS), _of_subscription(digest, credentials)
    if quoted := quoted_string(text):
        yield said.find(STRING_LETTERS), _of_request(quoted, credentials, yours)
    if meaning := meaning_in(said):
        yield meaning.at, _noted(meaning.said)
    found = failure_in(said, text)
    if found and not (found.weak and refusal_at(said) >= 0):
        yield found.at, _noted(str(found.failure))


def _only_no(said: str) -> Diagnosis:
    """What is left to say of a text that names no rule."""
    if vague := vaguely_said(said):
        return _noted(vague)
    if says_no(said) < 0:
        return _noted(UNRECOGNISED, ASK_THE_PRACTICE_SERVER)
    if checks_the_signature_only(said):
        return _noted(_SAYS_NO, _SIGNATURE_ONLY, ASK_THE_PRACTICE_SERVER)
    return _noted(_SAYS_NO, ASK_THE_PRACTICE_SERVER)


def _noted(*notes: str) -> Diagnosis:
    return Diagnosis(valid=False, notes=notes)


# --- the text of a request's refusal ------------------------------------------------------------


def _of_request(
    quoted: QuotedString, credentials: Credentials | None, yours: str | None
) -> Diagnosis:
    """What the server's canonical string shows: compared with yours, or proven with the secret."""
    server = quoted.canonical_string
    if not quoted.whole:
        return _noted(
            f"The message was cut off. As far as it goes, the server signed:\n{server}",
            "Print the whole message: Guzzle cuts it to 120 characters, and the whole is in the "
            "response's body ($e->getResponse()->getBody()); Laravel has dontTruncate().",
        )
    if yours is not None:
        note = _difference(yours, server)
    else:
        note = f"The server signed:\n{server}\nCompare it with what you signed."
    if credentials is None or not quoted.signature:
        return _noted(note)
    return _proven(note, quoted, credentials)


def _proven(note: str, quoted: QuotedString, credentials: Credentials) -> Diagnosis:
    method, path, query = quoted.lines
    pairs = [tuple(piece.partition("=")[::2]) for piece in query.split("&")]
    request = Request(
        method,
        path,
        [*((name, value) for name, value in pairs), ("auth_signature", quoted.signature)],
    )
    verdict = judge(credentials, request, now=_claimed_time(request))
    # A refusal doesn't hold the body, so nothing is said of whether body_md5 fits it.
    checks = tuple(check for check in verdict.checks if check.rule != "body_md5")
    diagnosis = explain(credentials, request, replace(verdict, checks=checks))
    if diagnosis.valid:
        return _noted(
            note,
            "Under the secret that I was given, that is the right signature. So the server that "
            "refused it has another secret for this app key: check the secret in its settings or "
            "dashboard, which host and app answered, and whether the secret was changed since.",
        )
    return replace(
        diagnosis,
        notes=(*diagnosis.notes, note),
        unexplained=_UNPROVEN if diagnosis.unexplained else "",
    )


def _claimed_time(request: Request) -> float:
    """The time that a request claims, so that its age isn't held against it; 0 without one."""
    (*_, sent) = ["", *request.values("auth_timestamp")]
    if not re.fullmatch(r"[0-9]{1,15}", sent):
        return 0
    return int(sent) / 1000 if len(sent) >= MILLISECOND_DIGITS else int(sent)


# --- the text of a subscription's refusal -------------------------------------------------------


def _of_subscription(digest: QuotedDigest, credentials: Credentials | None) -> Diagnosis:
    """What the text that the server signed shows, and with the secret which mistake it was."""
    note = (
        "A subscription or a sign-in is signed with the app's secret, over exactly the text that "
        f"this message quotes:\n{digest.signed}"
    )
    notes = [note, *_of_digest(digest)]
    if credentials is None or not digest.socket_id:
        return _noted(*notes)
    auth = digest.received
    diagnosis = diagnose_subscription(
        credentials,
        socket_id=digest.socket_id,
        channel=digest.channel,
        auth=auth if ":" in auth else f"{credentials.key}:{auth}",  # the message leaves the key out
        channel_data=digest.channel_data,
        user_data=digest.user_data,
    )
    if diagnosis.valid:
        return _noted(
            note,
            "Under the secret that I was given, that is the right signature. So the server that "
            "refused it has another secret: check which app and host answered.",
        )
    return replace(diagnosis, notes=tuple(dict.fromkeys((*notes, *diagnosis.notes))))


def _of_digest(digest: QuotedDigest) -> list[str]:
    """What a subscription's refusal shows without the secret."""
    received = digest.received
    if received.startswith("{"):
        return [
            "What arrived as the signature is JSON: your endpoint's answer was encoded twice. The "
            "SDK's answer is JSON text already, so return it as it is, with auth at its top."
        ]
    if received.startswith("eyJ"):
        return ["What arrived is base64 of JSON. Send auth as it is: KEY:SIGNATURE, not encoded."]
    if not re.fullmatch("[0-9a-f]{64}", received.rpartition(":")[2]):
        return [
            f"What arrived has {len(received)} characters, and isn't 64 lower-case hex digits. "
            "Send auth as KEY:SIGNATURE, with nothing around it."
        ]
    if digest.user_data is not None:
        return ["Sign socket_id::user::user_data, and send user_data as the very text you signed."]
    if digest.channel.startswith("presence-") and digest.channel_data is None:
        return [
            "No channel_data arrived, and a presence channel needs it. If your server signed "
            "channel_data, then the client didn't send it: an authorizer of your own must pass on "
            "the whole answer, channel_data beside auth."
        ]
    if digest.channel_data is not None:
        return [
            "channel_data arrived, so it's signed as well, socket_id:channel:channel_data, "
            "character for character as it was sent. Serialise it once, sign that text, send it."
        ]
    return [
        "Compare socket_id (this connection's own, new after every reconnect), the channel's whole "
        "name with private-, and the secret. If your server signed channel_data too, send it along."
    ]


# --- what is left -------------------------------------------------------------------------------


def what_is_left(
    request: Request, *, base_url: str = "", now: float | None = None, refusal: str = ""
) -> tuple[str, ...]:
    """What can still be behind a refusal of a request that is signed as it should be, one each.

    `refusal` is the server's answer, if there is one; what it rules out isn't said. `base_url` is
    where the request went, `now` the present time in Unix seconds.
    """
    only = checks_the_signature_only(letters(refusal))
    left = []
    (*_, sent) = ["", *request.values("auth_timestamp")]
    if now is not None and re.fullmatch(r"[0-9]{1,11}", sent):
        left.append(_age(int(sent), now))
    left.append(
        "If it was refused all the same, what is left lies between you and the server, or there."
    )
    left.append(
        "A proxy on the way: one that drops the query (nginx, where proxy_pass has a path without "
        "$is_args$args), adds or removes a prefix of the path, or rewrites the body. The "
        "server's log shows what arrived."
    )
    where = f"{base_url} may not be" if base_url else "The host may not be"
    left.append(
        f"The host: {where} the server that knows this app. A key is valid on one host, or in one "
        "cluster, only."
    )
    if only:
        left.append("Not the clock: this server doesn't look at auth_timestamp.")
    else:
        left.append(
            f"The clocks: a server takes {TOLERANCE_SECONDS} s of difference. The Date header of "
            "its answer tells its time."
        )
    left.append(
        "The server's own settings: another secret or app id there than here, or an older one that "
        "it still has in its cache until it's restarted."
    )
    return tuple(left)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _age(timestamp: int, now: float) -> str:
    """How old a request is, and what that means if it's sent again."""
    # Not fromtimestamp(), which on Windows ends with the year 3000.
    date = f"{_EPOCH + timedelta(seconds=timestamp):%Y-%m-%d %H:%M:%S} UTC"
    seconds = now - timestamp
    side = "old" if seconds >= 0 else "ahead of this machine's clock"
    span = _span(abs(seconds))
    if abs(seconds) <= TOLERANCE_SECONDS:
        return f"Its timestamp ({date}) is {span} {side}, within the {TOLERANCE_SECONDS} s allowed."
    return (
        f"Its timestamp ({date}) is {span} {side}. A server takes a request for "
        f"{TOLERANCE_SECONDS} s only, so this one can't be sent again as it is: sign it again."
    )


_SPANS = ((31_557_600, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes"))  # seconds


def _span(seconds: float) -> str:
    size, name = next((span for span in _SPANS if seconds >= 2 * span[0]), (1, "seconds"))
    return f"{seconds / size:.0f} {name}"


# --- two canonical strings ----------------------------------------------------------------------


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
    r"(?:timestampexpired:)?giventimestamp\((?P<given>[^()]{1,60})\)notwithin[^()]{1,20}?"
    r"ofservertime\((?P<server>[^()]{1,60})\)"
)


def _clock(given: str, server: str) -> str:
    """How far a timestamp was from the server's clock."""
    given, server = (_date(text) for text in (given, server))
    if given == "notadate" or re.match(r"\+?\d{5}", given):
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
    if given.startswith("1970-"):
        hint = (
            " No clock says 1970: seconds since the program or the board started "
            "(millis(), uptime) were sent for Unix time."
        )
    elif seconds < -STALE_SECONDS:
        hint = " That is so old that a request may have been sent again, or a sample copied."
    elif abs(seconds) >= 2 * HALF_HOUR - ZONE_SECONDS and off < ZONE_SECONDS:
        hint = " That is about a whole number of half hours: local time taken for UTC?"
    return (
        f"Your clock is {abs(seconds):.0f} s {side} the server's ({given} and {server}). Set it, "
        f"and sign each request just before you send it.{hint}"
    )


def _date(text: str) -> str:
    """A date as it was before letters() took its case away."""
    return text.upper() if re.match("[0-9]", text) else text
