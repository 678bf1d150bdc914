"""Lesson 08, reading a 401: from a refusal to its cause. Most causes are not the secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import ipywidgets

from pusherkit.credentials import Credentials
from pusherkit.doctor.pasted import PastedRequest, read_request
from pusherkit.doctor.refusals import diagnose_refusal
from pusherkit.doctor.search import Diagnosis, Finding, explain
from pusherkit.errors import PusherError, UnreadableText
from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    View,
    first_difference,
    row,
)
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP
from pusherkit.lessons._progress import ProgressView
from pusherkit.lessons.canonical_string import visible
from pusherkit.signing import Request, body_digest, canonical_string, hmac_sha256, judge, sign
from pusherkit.snippets import curl

NOTEBOOK = "08-reading-a-401"

Pair = tuple[str, str]
PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/events"
SECRET = EXAMPLE_CREDENTIALS.secret


# --- requests, signed under a mistake ---------------------------------------------------------


def _unchanged(text: str) -> str:
    return text


def request_of(
    body: bytes,
    *,
    method: str = "POST",
    path: str = PATH,
    own: tuple[Pair, ...] = (),
    hashed: bytes | None = None,
    change: Callable[[str], str] = _unchanged,
    secret: str = SECRET,
    mac: Callable[[str, str], str] = hmac_sha256,
) -> tuple[Request, str]:
    """A request to the practice server, and the canonical string that its client signed.

    The client hashes `hashed` in place of the body, changes the canonical string, and computes
    `mac(secret, text)`; with none of these given, it signs as it should.
    """
    params = sign(EXAMPLE_CREDENTIALS, method, path, own, body, timestamp=EXAMPLE_TIMESTAMP).params
    if hashed is not None:
        params = tuple((k, body_digest(hashed) if k == "body_md5" else v) for k, v in params)
    signed = change(canonical_string(method, path, params))
    sent = (*params, ("auth_signature", mac(secret, signed)))
    return Request(method, path, sent, body), signed


def _as_curl(request: Request) -> str:
    return curl(EXAMPLE_CREDENTIALS.base_url, request)


def _as_http(request: Request) -> str:
    return (
        f"{request.method} {request.path}?{urlencode(request.params)} HTTP/1.1\n"
        "Content-Type: application/json\n\n" + request.body.decode()
    )


def _refusal_of(credentials: Credentials, request: Request, now: int) -> str:
    """What the practice server says to a request; "" where it accepts it."""
    failed = judge(credentials, request, now=now).failed
    return failed.error if failed else ""


def _practice_answer(request: Request) -> str:
    return _refusal_of(EXAMPLE_CREDENTIALS, request, EXAMPLE_TIMESTAMP)


# --- recall and prediction --------------------------------------------------------------------


def _first_rule(request: Request) -> str:
    verdict = judge(EXAMPLE_CREDENTIALS, request, now=EXAMPLE_TIMESTAMP)
    return verdict.failed.rule if verdict.failed else ""


def recall_digest() -> Prediction:
    """From lessons 01 and 05: which rule fails where the hashed bytes are not the sent ones."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        body = b'{"name":"rain","channel":"weather","data":"{}"}'
        request, _ = request_of(body, hashed=body + b"\n")
        return _first_rule(request), (Fact("Answer", _practice_answer(request)),)

    return Prediction(
        "Recall: the body was hashed with a newline at its end and sent without it. Everything "
        "else is right, the secret too. Which rule fails?",
        {
            "body_md5": "The server hashes what arrives.",
            "auth_signature": "The signature covers the digest that was sent. It fits.",
            "auth_timestamp": "The time has nothing to do with the body.",
        },
        run,
        "Hash the bytes that you send. The secret cannot help here.",
    )


def recall_timestamp() -> Prediction:
    """From lesson 06: what a timestamp in milliseconds is answered with."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        timestamp = EXAMPLE_TIMESTAMP * 1000
        signature = sign(EXAMPLE_CREDENTIALS, "GET", "/apps/3/channels", timestamp=timestamp)
        request = Request("GET", "/apps/3/channels", signature.query)
        return _first_rule(request), (
            Fact("Sent", f"auth_timestamp={timestamp}"),
            Fact("Answer", _practice_answer(request)),
        )

    return Prediction(
        "Recall: auth_timestamp is in milliseconds. It is signed and sent so, with the right "
        "secret. Which rule fails?",
        {
            "auth_signature": "Both sides sign the same milliseconds. The signature fits.",
            "auth_version": "The version stands in another parameter.",
            "auth_timestamp": "The server reads seconds, and finds a time far ahead.",
        },
        run,
        "The server looks at the time before it looks at the signature.",
    )


_PLACES = ("The path", "The parameters", "The secret or the HMAC call")


def predict() -> Prediction:
    """Both canonical strings are equal, and still the answer is 401."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        request, signed = request_of(
            b'{"name":"door","channel":"house","data":"open"}',
            mac=lambda key, text: hmac_sha256(text, key),
        )
        answer = _practice_answer(request)
        (said,) = diagnose_refusal(answer, signed).notes
        words = {"The path": "Look at the path", "The parameters": "Look at the parameters"}
        right = next((place for place, word in words.items() if word in said), _PLACES[2])
        return right, (
            Fact("Server's answer", answer),
            Fact("You signed", signed),
            Fact("Reading", said),
        )

    return Prediction(
        "Predict: the server tells its canonical string. Yours is equal, byte for byte. Still "
        "401. Where is the fault?",
        {
            "The path": "The path is the second line, and both second lines are equal.",
            "The parameters": "The parameters are the third line, and both third lines are equal.",
            "The secret or the HMAC call": "All that comes before them is equal.",
        },
        run,
        "A signature is made of three things: the text, the secret, the call. Where the text is "
        "equal, the other two are left. Where it is not, leave the secret alone.",
    )


# --- reading a refusal, without the secret ----------------------------------------------------

SHOWN_CHARACTERS = 1_500  # of one text
BEFORE_A_MARK = 300  # characters shown before a difference that lies far inside
_SIGNS = "⏎ newline, ← carriage return, ␣ space."


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def _encodable(text: str) -> str:
    """A field can hold half an emoji, which no encoding has; it is read as a question mark."""
    return text.encode(errors="replace").decode()


def _text(name: str, text: str, other: str, why: str = "") -> Fact:
    """A canonical string with its white space shown; the first byte that differs is marked."""
    at = first_difference(text.encode(), other.encode())
    if at is None:
        return Fact(name, visible(text[:SHOWN_CHARACTERS]), why)
    character = len(text.encode()[:at].decode(errors="ignore"))
    start = max(0, character - BEFORE_A_MARK)
    before = visible(text[start:character])
    rest = visible(text[character : start + SHOWN_CHARACTERS])
    marks = ((len(before), len(before) + 1),) if rest else ()
    return Fact(name, before + rest, why, marks)


# What diagnose_refusal says around the server's canonical string.
_TOLD = ("The server signed:\n", "\nCompare it with what you signed.")


def server_string(answer: str) -> str | None:
    """The canonical string that a refusal tells, with real newlines; None where it tells none."""
    for note in diagnose_refusal(answer).notes:
        if note.startswith(_TOLD[0]):
            return note.removeprefix(_TOLD[0]).removesuffix(_TOLD[1])
    return None


def read_refusal(answer: str, signed: str) -> View:
    """What a refusal tells to whoever knows what was signed. Needs no secret."""
    title = "A refusal, read without the secret"
    answer, signed = _encodable(answer), _encodable(signed)
    servers = server_string(answer)
    reading = [Fact("Reading", _cut(note)) for note in diagnose_refusal(answer, signed).notes]
    if servers is None:
        status = "This answer does not tell what the server signed."
        return View(title, (Fact("You signed", visible(_cut(signed))), *reading), status)
    facts = (
        _text("You signed", signed, servers),
        _text("The server signed", servers, signed, _SIGNS),
    )
    if signed == servers:
        status = "The texts are equal. What is left is the secret, or the HMAC call."
    else:
        status = "The texts differ. The first difference is marked; leave the secret alone."
    return View(title, (*facts, *reading), status)


def _with_host(text: str) -> str:
    return text.replace("/apps/", "http://127.0.0.1/apps/")


def _area(label: str, value: str, rows: int) -> ipywidgets.Textarea:
    return ipywidgets.Textarea(
        value=value,
        description=label,
        rows=rows,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="auto", max_width="66rem"),
    )


class Refusal(Interactive):
    """A server's answer and your canonical string, to paste into; and what the two tell."""

    def __init__(self) -> None:
        body = b'{"name":"door","channel":"house","data":"open"}'
        request, signed = request_of(body, change=_with_host)
        self.answer = _area("Server's answer", _practice_answer(request), 4)
        self.signed = _area("You signed", signed, 4)
        for field in (self.answer, self.signed):
            field.observe(lambda _: self.refresh(), names="value")
        super().__init__(
            [self.answer, self.signed],
            lambda: read_refusal(self.answer.value, self.signed.value),
            twin=read_refusal(self.answer.value, self.signed.value),
        )


def refusal() -> Refusal:
    """What can be told from a refusal without the secret."""
    return Refusal()


# --- the doctor -------------------------------------------------------------------------------

_BODY = b'{"name":"score","channel":"match-7","data":"2:1"}'
_INFO = (("filter_by_prefix", "presence-"), ("info", "user_count,subscription_count"))
OWN = "my own, pasted below"


def _base64(secret: str, text: str) -> str:
    """An HMAC in base64, where hex is asked for."""
    return base64.b64encode(bytes.fromhex(hmac_sha256(secret, text))).decode()


# Each with its story, as a support request would tell it. The doctor tells the cause.
CASES: dict[str, str] = {
    "a shell script with echo": _as_curl(request_of(_BODY, hashed=_BODY + b"\n")[0]),
    "a list of channels, with a comma in the URL": _as_curl(
        request_of(
            b"",
            method="GET",
            path="/apps/3/channels",
            own=_INFO,
            change=lambda text: text.replace(",", "%2C"),
        )[0]
    ),
    "from the log behind a new proxy": _as_http(
        request_of(
            _BODY,
            path=f"/pusher{PATH}",
            change=lambda text: text.replace("/pusher", ""),
        )[0]
    ),
    "a program that was moved to Windows": _as_curl(
        request_of(_BODY, change=lambda text: text.replace("\n", "\r\n"))[0]
    ),
    "settings from a .env file": _as_curl(request_of(_BODY, secret=f'"{SECRET}"')[0]),
    "translated from another language": _as_curl(
        request_of(_BODY, mac=lambda key, text: hmac_sha256(text, key))[0]
    ),
    "a first attempt": _as_curl(
        request_of(_BODY, change=lambda text: text.replace("\n", r"\n"), mac=_base64)[0]
    ),
    "after a change of the app": _as_curl(request_of(_BODY, secret="an-older-secret")[0]),  # noqa: S106
    "one that was accepted": _as_http(request_of(_BODY)[0]),
}
MAX_TEXT = 150_000  # characters of evidence; ours, so that the notebook answers at once
MAX_FINDINGS = 3  # explanations shown, where several fit


def examine(text: str) -> View:
    """What the doctor makes of pasted evidence: what was read, the mistakes, the proof."""
    title = "The doctor"
    try:
        pasted = _read(_encodable(text))
        host = pasted.base_url or EXAMPLE_CREDENTIALS.base_url
        credentials = replace(EXAMPLE_CREDENTIALS, base_url=host)
    except PusherError as error:
        return View(title, (Fact("Not read", _cut(str(error))),), "Paste a request whole.", None)
    request = pasted.request
    diagnosis = explain(credentials, request, judge(credentials, request, now=EXAMPLE_TIMESTAMP))
    facts = [
        Fact("Read", _cut(f"{request.method} {request.path}")),
        Fact("Parameters", _cut("\n".join(f"{k} = {v}" for k, v in request.params) or "(none)")),
        Fact(
            "Body",
            _cut(request.body.decode(errors="replace") or "(none)"),
            f"{len(request.body):,} bytes",
        ),
        *(Fact("Note", _cut(note)) for note in diagnosis.notes),
        *_findings(diagnosis.findings, request),
    ]
    if diagnosis.valid:
        return View(title, tuple(facts), "Signed as it should be.", True)
    if not diagnosis.findings:
        servers = canonical_string(request.method, request.path, request.params)
        facts.append(_text("Server's text", servers, servers, _SIGNS))
    facts.append(_signed_right(credentials, request))
    return View(title, tuple(facts), _verdict(diagnosis), False)


def _read(text: str) -> PastedRequest:
    if len(text) > MAX_TEXT:
        raise UnreadableText(
            f"The text has {len(text):,} characters; here at most {MAX_TEXT:,} are read. "
            "In a terminal, pusherkit doctor reads more."
        )
    return read_request(text)


def _findings(findings: tuple[Finding, ...], request: Request) -> Iterator[Fact]:
    servers = canonical_string(request.method, request.path, request.params)
    for number, finding in enumerate(findings[:MAX_FINDINGS], start=1):
        if len(findings) > 1:
            yield Fact("Explanation", f"{number} of {len(findings)} that fit")
        for mistake in finding.mistakes:
            yield Fact("Mistake", f"{mistake.name}\n{mistake.why}")
            yield Fact("Fix", f"{mistake.fix}\nLesson {mistake.lesson}")
        if finding.canonical_string == servers:
            yield Fact("Text signed", "the same as the server's")
        else:
            yield _text("Text signed", finding.canonical_string, servers)
            yield _text("Server's text", servers, finding.canonical_string, _SIGNS)
        rule = "body_md5" if finding.reproduced in request.values("body_md5") else "auth_signature"
        yield Fact(
            "Proof",
            f"received    {', '.join(request.values(rule))}\nreproduced  {finding.reproduced}",
            f"This is {rule}, as it came and as it is made so. Both are equal.",
        )


def _signed_right(credentials: Credentials, request: Request) -> Fact:
    """The same request, signed as it should be. It stands beside the evidence, never in it."""
    query = sign(
        credentials,
        request.method,
        request.path,
        request.params,
        request.body,
        timestamp=EXAMPLE_TIMESTAMP,
    ).query
    right = Request(request.method, request.path, query, request.body)
    try:
        shown = _cut(curl(credentials.base_url, right))
    except ValueError as error:
        shown = str(error)
    return Fact("Signed right", shown, "Your evidence above stays as it is.")


def _verdict(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return f"Refused. {diagnosis.unexplained or 'The note says why.'}"
    count = min(len(finding.mistakes) for finding in diagnosis.findings)
    return f"Refused. {('One mistake', 'Two mistakes')[count > 1]}, proven."


class Doctor(Interactive):
    """Evidence to paste or to choose, and the verdict. What was pasted is never changed."""

    def __init__(self) -> None:
        self.case = ipywidgets.Dropdown(
            options=[*CASES, OWN],
            description="Evidence",
            style={"description_width": "7rem"},
            layout=ipywidgets.Layout(width="auto", flex="1 1 auto"),
        )
        self.evidence = _area("Request", CASES[self.case.value], 6)
        self._own = ""
        self.case.observe(lambda _: self._choose(), names="value")
        self.evidence.observe(lambda _: self._keep(), names="value")
        super().__init__(
            [row(self.case), self.evidence],
            lambda: examine(self.evidence.value),
            twin=examine(self.evidence.value),
        )

    def _choose(self) -> None:
        self.evidence.value = CASES.get(self.case.value, self._own)

    def _keep(self) -> None:
        """What somebody types or pastes is theirs: it comes back when they ask for it."""
        if self.evidence.value not in CASES.values():
            self._own = self.evidence.value
            self.case.value = OWN
        self.refresh()


def doctor() -> Doctor:
    """Which mistake made a signature, with proof. For the published example app only."""
    return Doctor()


# --- the exercises ----------------------------------------------------------------------------


def _in_turn(*kinds: Callable[[random.Random], Any]) -> Callable[[random.Random], Any]:
    """Instances of each kind in turn: the three of one check are one of each."""
    turn = itertools.cycle(kinds)
    return lambda chance: next(turn)(chance)


_PREFIXES = ("presence-", "private-room-", "chat-", "match-")


def _refused(chance: random.Random, change: Callable[[str], str]) -> tuple[str, str]:
    """What a server answers, and the canonical string that its client signed."""
    app = Credentials(
        app_id=str(chance.randrange(10, 10_000)),
        key=chance.randbytes(10).hex(),
        secret=chance.randbytes(10).hex(),
    )
    path = f"/apps/{app.app_id}/channels"
    own = {"filter_by_prefix": chance.choice(_PREFIXES), "info": "user_count,subscription_count"}
    timestamp = chance.randrange(10**9, 2 * 10**9)
    right = sign(app, "GET", path, own, timestamp=timestamp)
    signed = change(right.canonical_string)
    key = f"{app.secret}\n" if signed == right.canonical_string else app.secret
    query = (*right.params, ("auth_signature", hmac_sha256(key, signed)))
    return _refusal_of(app, Request("GET", path, query), timestamp), signed


def _encoded(text: str) -> str:
    return text.replace(",", "%2C")


def _backwards(text: str) -> str:
    *lines, query = text.split("\n")
    return "\n".join([*lines, "&".join(reversed(query.split("&")))])


def _lower_method(text: str) -> str:
    return text.replace("GET", "get", 1)


def _slash_and_encoded(text: str) -> str:
    return _encoded(text.replace("/channels", "/channels/"))


def _servers(answer: str) -> str:
    """What a learner's code does: cut out the quoted text, and make its newlines real."""
    start = answer.index('HmacSHA256Hex("') + len('HmacSHA256Hex("')
    return answer[start : answer.index('", your_secret_key)')].replace(r"\n", "\n")


_LINES = ("method", "path", "parameters")


def _differing(servers: str, signed: str) -> list[str]:
    pairs = zip(_LINES, servers.split("\n"), signed.split("\n"), strict=False)
    return [name for name, theirs, ours in pairs if theirs != ours]


def _where(answer: str, signed: str) -> str:
    return next(iter(_differing(_servers(answer), signed)), "sign")


prove_it = FunctionExercise(
    name="reading_a_401.prove_it",
    task="Where the fault is, from a refusal and what was signed.",
    given=_in_turn(
        lambda chance: _refused(chance, _unchanged),
        lambda chance: _refused(chance, _slash_and_encoded),
        lambda chance: _refused(chance, chance.choice((_lower_method, _encoded, _backwards))),
    ),
    right=_where,
    mistakes=(
        Mistake(
            lambda answer, signed: "sign",
            "401 does not mean that the secret is wrong. In some of these refusals the two texts "
            "differ, and the secret is right.",
        ),
        Mistake(
            lambda answer, signed: "method",
            "The first line is not always the one. If it looks so to your code: the answer "
            r"writes each newline as two characters, \n. Make real newlines of them.",
        ),
        Mistake(
            lambda answer, signed: ["sign", *_differing(_servers(answer), signed)][-1],
            "This is the last line that differs. Mend the first one first: it stands nearest to "
            "the start, and nothing before it is wrong.",
        ),
    ),
    hints=(
        'Cut the server\'s text out of its answer, between HmacSHA256Hex(" and ", your_secret_key'
        r"). Replace r'\n' by '\n'. Then compare line by line.",
        "For text = 'say(\"a\", x)': text.split('say(\"')[1].split('\", x)')[0] is 'a'.",
    ),
    solution=(
        "def where(answer: str, signed: str) -> str:\n"
        "    told = answer.split('HmacSHA256Hex(\"')[1].split('\", your_secret_key)')[0]\n"
        '    theirs, ours = told.replace(r"\\n", "\\n").split("\\n"), signed.split("\\n")\n'
        '    for name, a, b in zip(("method", "path", "parameters"), theirs, ours):\n'
        "        if a != b:\n"
        "            return name\n"
        '    return "sign"\n\n'
        "Only where all three lines are equal can the secret or the HMAC call be at fault.\n"
        "Now go on to the next lesson, or see here how a mistake is proven."
    ),
)


def _only_answer(chance: random.Random) -> tuple[str]:
    change = chance.choice((_lower_method, _encoded, _backwards))
    return (_refused(chance, change)[0],)


def _still_written(answer: str) -> str:
    return _servers(answer).replace("\n", r"\n")


servers_text = FunctionExercise(
    name="reading_a_401.servers_text",
    task="The server's canonical string, from its refusal.",
    given=_only_answer,
    right=_servers,
    mistakes=(
        Mistake(
            _still_written,
            r"The newlines are still two characters each, a backslash and an n. Compared so, even "
            "equal texts differ.",
        ),
        Mistake(
            lambda answer: _servers(answer).replace("\n", ""),
            "The newlines are gone. Replace each by a real newline.",
        ),
        Mistake(
            lambda answer: _servers(answer).replace("\n", " "),
            "Spaces stand where newlines should. Replace by '\\n'.",
        ),
        Mistake(
            lambda answer: _still_written(answer).replace("\\", ""),
            "Only the backslashes are gone; the letter n stayed. Replace both characters.",
        ),
    ),
    hints=(
        r"In Python, r'\n' is two characters, and '\n' is one, the newline.",
        r"r'a\tb'.replace(r'\t', '\t') makes a real tab.",
    ),
    solution=(
        "def servers_text(answer: str) -> str:\n"
        "    start = answer.index('HmacSHA256Hex(\"') + len('HmacSHA256Hex(\"')\n"
        "    end = answer.index('\", your_secret_key)')\n"
        '    return answer[start:end].replace(r"\\n", "\\n")\n\n'
        "An answer is one line, so the server writes newlines as \\n. You compare real ones.\n"
        "Now print the result, and count its lines."
    ),
)


_TOWNS = ("Łódź", "Zürich", "São Paulo", "Đà Nẵng")


def _town_text(chance: random.Random) -> str:
    query = f"auth_key={chance.randbytes(4).hex()}&town={chance.choice(_TOWNS)}&zone=north"
    return f"GET\n/apps/{chance.randrange(10, 999)}/channels\n{query}"


def _with_a_difference(chance: random.Random) -> tuple[str, str]:
    text = _town_text(chance)
    return text.replace("zone=north", f"zone={chance.choice(('south', 'east', 'west'))}"), text


def _equal_texts(chance: random.Random) -> tuple[str, str]:
    text = _town_text(chance)
    return text, text


def _one_is_longer(chance: random.Random) -> tuple[str, str]:
    text = _town_text(chance)
    longer = text + chance.choice(("&x=1", "\n"))
    return (text, longer) if chance.random() < 0.5 else (longer, text)


def _first_byte(signed: str, servers: str) -> int | None:
    return first_difference(signed.encode(), servers.encode())


def _or(value: int | None, otherwise: Any) -> Any:
    return otherwise if value is None else value


first_byte = FunctionExercise(
    name="reading_a_401.first_byte",
    task="The index of the first byte in which two texts differ.",
    given=_in_turn(_with_a_difference, _equal_texts, _one_is_longer),
    right=_first_byte,
    mistakes=(
        Mistake(
            lambda signed, servers: next(
                (i for i, (a, b) in enumerate(zip(signed, servers, strict=False)) if a != b),
                None if signed == servers else min(len(signed), len(servers)),
            ),
            "This counts characters. A character such as ł has two bytes, so encode both texts "
            "first.",
        ),
        Mistake(
            lambda signed, servers: _or(_first_byte(signed, servers), -1) + 1 or None,
            "This is one too many. The first byte of a text has the index 0.",
        ),
        Mistake(
            lambda signed, servers: _or(_first_byte(signed, servers), -1),
            "Where both texts are equal there is no index. Return None, not -1.",
        ),
        Mistake(
            lambda signed, servers: next(
                (
                    i
                    for i, (a, b) in enumerate(zip(signed.encode(), servers.encode(), strict=False))
                    if a != b
                ),
                None,
            ),
            "Where one text goes on behind the end of the other, they are not equal. Return the "
            "length of the shorter one, in bytes.",
        ),
    ),
    hints=(
        "Make bytes of both texts. Compare them one by one. Then ask: are the lengths equal?",
        "list(zip(b'ab', b'axc')) is [(97, 97), (98, 120)]: zip ends with the shorter one.",
    ),
    solution=(
        "def first_byte(signed: str, servers: str) -> int | None:\n"
        "    a, b = signed.encode(), servers.encode()\n"
        "    for index in range(min(len(a), len(b))):\n"
        "        if a[index] != b[index]:\n"
        "            return index\n"
        "    return None if a == b else min(len(a), len(b))\n\n"
        "HMAC sees bytes. So count bytes: what looks equal can differ in what cannot be seen.\n"
        "Now call it with a text and the same text in which one space is a no-break space."
    ),
)


def _in_url_order(request: Request, signed: str) -> tuple[Request, str]:
    """The same request, its parameters sent in the order in which they were signed."""
    *params, signature = request.params
    sent = (*reversed(params), signature)
    return Request(request.method, request.path, sent, request.body), signed


def _channels(**mistake: Any) -> tuple[Request, str]:
    """A request without a body, so that its texts are short, made under a mistake."""
    return request_of(b"", method="GET", path="/apps/3/channels", **mistake)


# Six refused requests, and what each client signed.
_TICK = b'{"name":"tick","channel":"clock-4","data":"12"}'
_INFO_ONLY = (("info", "user_count"),)
_SIX = {
    "A": _channels(change=lambda text: text.replace("/channels", "/channels/")),
    "B": _channels(secret=EXAMPLE_CREDENTIALS.key),
    "C": request_of(_TICK, hashed=b'{"name": "tick", "channel": "clock-4", "data": "12"}'),
    "D": _in_url_order(*_channels(own=_INFO_ONLY, change=_backwards)),
    "E": _channels(change=_lower_method),
    "F": _channels(change=lambda text: text.replace("\n", r"\n")),
}
REQUESTS = {letter: _as_curl(request) for letter, (request, _) in _SIX.items()}
ANSWERS = {letter: _practice_answer(request) for letter, (request, _) in _SIX.items()}
SIGNED = {letter: signed for letter, (_, signed) in _SIX.items()}


def both_texts(answer: str, signed: str) -> str:
    """A refusal's first words; below them what each side signed, as repr writes it."""
    theirs = server_string(answer)
    said = answer if theirs is None else answer.partition(":")[0]
    server = "" if theirs is None else f"\n   server {theirs!r}"
    return f"{said}{server}\n   client {signed!r}"


# What would be seen, were this the cause.
_SEEN = {
    "body-serialised-again": "The refusal would name body_md5, not the signature.",
    "parameters-unsorted": "Both third lines would hold the same parameters, in two orders.",
    "values-url-encoded": "Your third line would have a % where the server's has none.",
    "trailing-slash": "The second lines would differ by a slash at their end.",
    "method-in-lower-case": "The first lines would differ: get and GET.",
    "newline-written-out": "Your text would have two characters where the server has one newline.",
    "app-key-as-secret": "The signature would be refused although both texts are equal.",
    "secret-in-quotes": "Both texts would be equal, and the doctor could reproduce the signature "
    "with quotes around the secret.",
    "key-and-message-swapped": "Both texts would be equal, and the doctor could reproduce the "
    "signature with key and message swapped.",
}
CAUSES = tuple(sorted(_SEEN))
_SIX_CAUSES = {
    "A": "trailing-slash",
    "B": "app-key-as-secret",
    "C": "body-serialised-again",
    "D": "parameters-unsorted",
    "E": "method-in-lower-case",
    "F": "newline-written-out",
}


def _judge_six(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, dict) or set(done) != set(_SIX_CAUSES):
        return (
            'Expected a name for each of the six letters: {"A": "…", …}.',
            (Fact("Yours", repr(done)[:200]),),
        )
    for letter, cause in _SIX_CAUSES.items():
        named = done[letter]
        if not isinstance(named, str) or named not in _SEEN:
            return f"{letter}: this is none of the names in CAUSES.", (
                Fact("Yours", repr(named)[:200]),
            )
        if named != cause:
            return f"{letter} is not {named}. {_SEEN[named]}", (
                Fact("Server's answer", ANSWERS[letter]),
                Fact("Signed", SIGNED[letter]),
            )
    return None


def _all(name: str) -> dict[str, str]:
    return dict.fromkeys(_SIX_CAUSES, name)


six = Exercise(
    name="reading_a_401.six",
    task="The causes of six refusals.",
    judge=_judge_six,
    right=_SIX_CAUSES,
    mistakes=(
        Mistake(
            _all("app-key-as-secret"),
            "One of the six was signed with the wrong secret. The other five have the right one: "
            "either the texts differ, or the body's digest does.",
        ),
        Mistake(
            _all("secret-in-quotes"),
            "401 does not mean that the secret is wrong. Compare the two texts of each refusal.",
        ),
        Mistake(
            _SIX_CAUSES | {"B": "key-and-message-swapped"},
            "B is a matter of the secret or the HMAC call, that much is right. Which one, only a "
            "reproduced signature tells. Paste the request into the doctor.",
        ),
    ),
    hints=(
        "Three questions to each: which rule does the answer name? Are the two texts equal? In "
        "which line do they differ first?",
        r"The server has 'PUT\n/a\nb=1', the client 'PUT\n/a?\nb=1': the second line, so a name "
        "that is about the path.",
    ),
    solution=(
        "causes = {\n"
        + "".join(f'    "{letter}": "{cause}",\n' for letter, cause in _SIX_CAUSES.items())
        + "}\n\n"
        "C names body_md5. In A, D, E and F the texts differ, and the first difference names the\n"
        "line. Only in B they are equal, and there the doctor reproduces the signature.\n"
        "Now say for each which stage it belongs to, from Body to Send."
    ),
)


# One request with two mistakes: before anything is mended, and after the first is.
_TWO = tuple(
    _channels(change=change, secret=f"{SECRET}\n")
    for change in (lambda text: text.replace("1353088179", "1353088180"), _unchanged)
)
TWICE = _as_curl(_TWO[0][0])
TWO_TRIES = tuple((_practice_answer(request), signed) for request, signed in _TWO)
_CLOCK, _SECRET_LINE = "timestamp-of-another-second", "secret-with-newline"


def _judge_two(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, set):
        return (
            f'Expected a set of two names, {{"…", "…"}}; got {type(done).__name__}.',
            (Fact("Yours", repr(done)[:200]),),
        )
    if done == {_CLOCK, _SECRET_LINE}:
        return None
    right = len(done & {_CLOCK, _SECRET_LINE})
    return (
        f"{right} of the two is in your set, which has {len(done)}.",
        (Fact("Yours", repr(done)[:200]),),
    )


two = Exercise(
    name="reading_a_401.two",
    task="The two mistakes of one request.",
    judge=_judge_two,
    right={_CLOCK, _SECRET_LINE},
    mistakes=(
        Mistake(
            {_CLOCK},
            "This one is there: the clock was read twice. It was mended before the second try, "
            "and the answer still was 401. Find the other.",
        ),
        Mistake(
            {_SECRET_LINE},
            "This one is there, in both tries. In the first try the texts differ as well, and no "
            "secret explains that.",
        ),
        Mistake(
            {_CLOCK, "secret-in-quotes"},
            "The clock is right. That the secret is at fault, too. What came along with it was no "
            "quotes: the doctor names what reproduces the signature.",
        ),
        Mistake(
            {"timestamp-in-milliseconds", _SECRET_LINE},
            "The secret is right. The two timestamps have the same number of digits, so neither "
            "is in milliseconds.",
        ),
    ),
    hints=(
        "First try: compare the third lines. Second try: compare everything. Then give the "
        "request to the doctor: it searches two mistakes at once.",
        'A set of two names: {"newline-as-crlf", "signature-in-upper-case"}.',
    ),
    solution=(
        f'both = {{"{_CLOCK}", "{_SECRET_LINE}"}}\n\n'
        "One 401 can hide another. Mend what you can prove, send again, and read again.\n"
        "Now change one digit of the signature in the doctor. What does it say then?"
    ),
)


# --- find, explain, fix -----------------------------------------------------------------------


def broken_signature(secret: str, method: str, path: str, params: dict[str, str]) -> str:
    """Sign a request. One of the lines is wrong."""
    query = "&".join(f"{key}={quote(value)}" for key, value in sorted(params.items()))
    text = "\n".join((method, path, query))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _some_call(chance: random.Random) -> tuple[str, str, str, dict[str, str]]:
    """A request without a body, whose values a URL would encode."""
    app = Credentials(
        app_id=str(chance.randrange(10, 10_000)),
        key=chance.randbytes(10).hex(),
        secret=chance.randbytes(10).hex(),
    )
    own = {
        "info": "user_count,subscription_count",
        "tag": chance.choice(("two words", "5 + 5", "left, right")),
    }
    path = f"/apps/{app.app_id}/channels"
    timestamp = chance.randrange(10**9, 2 * 10**9)
    params = list(sign(app, "GET", path, own, timestamp=timestamp).params)
    return app.secret, "GET", path, dict(reversed(params))


def _through_sign(secret: str, method: str, path: str, params: dict[str, str]) -> str:
    app = Credentials(app_id=path.split("/")[2], key=params["auth_key"], secret=secret)
    timestamp = int(params["auth_timestamp"])
    return sign(app, method, path, params, timestamp=timestamp).hexdigest


def _signed_as(
    secret: str, method: str, path: str, pairs: Iterable[Pair], encode: Callable[[str], str]
) -> str:
    query = "&".join(f"{key}={encode(value)}" for key, value in pairs)
    return hmac_sha256(secret, f"{method}\n{path}\n{query}")


mend = FunctionExercise(
    name="reading_a_401.mend",
    task="The signature is what sign() makes, whatever the values are.",
    given=_some_call,
    right=_through_sign,
    mistakes=(
        Mistake(
            broken_signature,
            "This is the function as it was. Which values does it change before it signs them?",
        ),
        Mistake(
            lambda secret, method, path, params: _signed_as(
                secret, method, path, sorted(params.items()), quote_plus
            ),
            "quote_plus encodes as well, a space as +. Sign the values as they are.",
        ),
        Mistake(
            lambda secret, method, path, params: _signed_as(
                secret, method, path, sorted(params.items()), lambda value: quote(value, safe=",")
            ),
            "The comma is spared now, other characters are still encoded. Sign every value as it "
            "is.",
        ),
        Mistake(
            lambda secret, method, path, params: _signed_as(
                secret, method, path, params.items(), str
            ),
            "The values are right now, but the sorting went with the encoding. Sort by key.",
        ),
    ),
    hints=(
        "Requests without a comma or a space in a value are accepted. So the secret is right. "
        "What happens to a comma?",
        "quote('a/b c,d') is 'a/b%20c%2Cd'. A text without such characters comes out as it was.",
    ),
    solution=(
        "def signature(secret: str, method: str, path: str, params: dict) -> str:\n"
        '    query = "&".join(f"{key}={value}" for key, value in sorted(params.items()))\n'
        '    text = "\\n".join((method, path, query))\n'
        "    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()\n\n"
        "The values are signed as they are. The HTTP client encodes them for the URL.\n"
        "Now think of a value from your own program that would have shown the mistake."
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
