"""Lesson 05, send what you signed: green in the test, 401 in production, and a file of your own."""

# ruff: noqa: S310 - the URLs that urllib opens here are the practice server's

import contextlib
import hashlib
import hmac
import io
import json
import os
import random
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.response
from argparse import ArgumentError, ArgumentParser
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from itertools import dropwhile
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode
from urllib.request import BaseHandler, Request, build_opener, install_opener, urlopen

import httpx

from pusherkit.errors import PusherError
from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
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
    excerpt,
    first_difference,
    line,
    mark_at,
    name_byte,
    practice,
    preset,
    shown,
    stopped_clock,
    visible,
)
from pusherkit.lessons.kit.journey import (
    drawing,
    outcome,
    prepare,
    stage_facts,
    travel,
    verdict,
)
from pusherkit.lessons.kit.picture import arrow, boxes, glyphs, group, rect, text
from pusherkit.sandbox.api import Sandbox
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.signing import canonical_string as signed_text
from pusherkit.signing import hmac_sha256, sign

lesson = Lesson("05-send-what-you-signed", stages=(1, 6))
map = lesson.map
recall = lesson.recall_card

CHANNEL = "order-41"
EVENT = {"name": "status", "channel": CHANNEL, "data": '{"status":"out for delivery"}'}
JSON = {"Content-Type": "application/json"}


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "HMAC takes a key and a message. Which is which when you sign a request?",
    {
        "The canonical string is the key": "Anybody who sees the request knows that text.",
        "It makes no difference": "Swap the two and you get another signature.",
        "The secret is the key": "Only you and the server have it.",
    },
    why="The message may be public. The key can't be, because it proves who signed.",
)
def which_is_the_key() -> tuple[str, Fact, Fact]:
    signed = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, timestamp=EXAMPLE_TIMESTAMP)
    secret, text = EXAMPLE_CREDENTIALS.secret, signed.canonical_string
    by_secret, by_text = hmac_sha256(secret, text), hmac_sha256(text, secret)
    keys = {by_secret: "The secret is the key", by_text: "The canonical string is the key"}
    right = keys[signed.hexdigest] if by_secret != by_text else "It makes no difference"
    return right, Fact("Secret as key", by_secret), Fact("Text as key", by_text)


COUNTS_PATH = "/apps/3/channels/presence-couriers"
COUNTS_QUERY = "info=user_count%2Csubscription_count"


@lesson.recall(
    f"A URL ends in ?{COUNTS_QUERY}. What goes into the canonical string?",
    {
        "info=user_count,subscription_count": "The value itself, as both sides know it.",
        "info=user_count%2Csubscription_count": "%2C is how a comma travels in a URL.",
        "info=subscription_count,user_count": "Only parameters are sorted, not what's in a value.",
    },
    why="A value is encoded for its journey and decoded on arrival. Both sides sign it as it is.",
)
def how_is_a_comma_signed() -> tuple[str, Fact]:
    canonical = signed_text("GET", COUNTS_PATH, dict(parse_qsl(COUNTS_QUERY)))
    return canonical.split("\n")[2], Fact("Signed", canonical)


@lesson.predict(
    "The text above is what gets hashed. Then httpx.post(…, json=event) sends the event. "
    "What arrives?",
    {
        "The same text, its names sorted": "Neither of the two sorts: a dict keeps its order.",
        "The same text, without the spaces after , and :": "Since 0.28, httpx writes JSON as "
        "tightly as it can.",
        "The very same text": "It would be, if both were made by the same function.",
    },
    why="With json=, the client serialises the event in a way of its own. In httpx up to 0.27, and "
    "in requests to this day, that way happens to be json.dumps(). So Kim's script passes by luck, "
    "until the next upgrade.",
)
def arriving() -> tuple[str, Fact, Fact, Fact]:
    server = Practice()
    hashed = json.dumps(EVENT)
    query = sign(
        server.credentials, "POST", EVENTS_PATH, body=hashed.encode(), timestamp=EXAMPLE_TIMESTAMP
    ).query
    answer = server.http.post(EVENTS_PATH, params=query, json=EVENT)
    arrived = answer.request.content.decode()
    tight = json.dumps(EVENT, separators=(",", ":"))
    known = {hashed: "The very same text", tight: "The same text, without the spaces after , and :"}
    right = known.get(arrived, "The same text, its names sorted")
    error = answer.json().get("error", "accepted")
    return (
        right,
        Fact("Hashed", hashed),
        Fact("Arrived", arrived),
        Fact("The server", f"{answer.status_code} {error}"),
    )


# --- one variable, two arrows -------------------------------------------------------------------


class Sender(NamedTuple):
    """A way to hand an event to an HTTP client: what the picture calls it, and its arguments."""

    hashed: str
    sent: str
    arguments: str


SENDERS = {
    "content=body: the variable that was hashed": Sender("body", "body", "content"),
    "httpx: json=event": Sender("json.dumps(event)", "httpx: json=event", "json"),
    "requests: json=event": Sender("json.dumps(event)", "requests: json=event", "requests"),
    "json.dumps(event, indent=2): nice to read": Sender(
        "json.dumps(event)", "dumps(…, indent=2)", "indent"
    ),
    'body + b"\\n": as echo would': Sender("body", 'body + b"\\n"', "newline"),
    "data=event: a form": Sender("json.dumps(event)", "httpx: data=event", "form"),
}


def bytes_sent(event: dict[str, str], how: str) -> bytes:
    """What reaches the socket."""
    body = json.dumps(event).encode()
    match how:
        case "json":
            return httpx.Request("POST", "http://host", json=event).read()
        case "requests":
            return json.dumps(event).encode()  # requests 2.34, models.py
        case "indent":
            return json.dumps(event, indent=2).encode()
        case "newline":
            return body + b"\n"
        case "form":
            return httpx.Request("POST", "http://host", data=event).read()
    return body


@lesson.explorer
def two_lanes() -> Explorer:
    """One variable with two arrows, beside one event in the hands of two serialisers."""
    return Explorer(
        _lanes,
        status=line("Status", "out for delivery"),
        sender=choice("Lane B sends", SENDERS),
        send=button("Send both"),
        code=[bytes_sent],
    )


def _lanes(status: str, sender: Sender, send: bool) -> View:
    event = {**EVENT, "data": json.dumps({"status": status}, ensure_ascii=False)}
    body = json.dumps(event).encode()
    sent = bytes_sent(event, sender.arguments)
    at = first_difference(body, sent)
    answers = (_answer(body, body), _answer(body, sent)) if send else (0, 0)
    marks = mark_at(sent, at if at is not None and at < len(sent) else None)
    where = "none: the same bytes"
    if at is not None:
        where = f"byte {at}: hashed {name_byte(body, at)}, sent {name_byte(sent, at)}"
    return View(
        "From an event to the hash, and to the socket",
        (
            excerpt(Fact("Hashed", visible(body.decode()), f"{len(body)} bytes.")),
            excerpt(Fact("Lane B sends", visible(sent.decode()), f"{len(sent)} bytes.", marks)),
            Fact("First difference", where),
        ),
        *_lanes_verdict(sender, answers),
        picture=lanes(body, sent, sender, answers),
    )


def _answer(body: bytes, sent: bytes) -> int:
    """The practice server's status for `sent`, under a signature that was made for `body`."""
    server = practice()
    query = sign(
        server.credentials, "POST", EVENTS_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP
    ).query
    return server.http.post(EVENTS_PATH, params=query, content=sent, headers=JSON).status_code


def _lanes_verdict(sender: Sender, answers: tuple[int, int]) -> tuple[str, bool | None]:
    a, b = answers
    if not a:
        return "Both are signed and ready to go.", None
    if b != 200:
        return f"A: {a}, accepted. B: {b}, refused: other bytes than those hashed.", False
    if sender.hashed != sender.sent:
        return f"A: {a}, accepted. B: {b}, accepted too: the same bytes, by luck.", True
    return f"A: {a}, accepted. B: {b}, accepted: one variable, the same bytes.", True


LANE = 390  # px: a lane's width
CELL, TAPE = 23, 64  # px: a byte on the tape, and where the tape begins


def lanes(body: bytes, sent: bytes, sender: Sender, answers: tuple[int, int]) -> Picture:
    """Both lanes: event, serialisers, hash and socket, and the bytes at either."""
    at = first_difference(body, sent)
    same = "The bytes are the same." if at is None else f"They differ from byte {at} on."
    desc = (
        "Lane A: one variable, and from it one arrow to the hash and one to the socket. "
        f"Lane B: {sender.hashed} is hashed, {sender.sent} is sent. {same}"
    )
    title = "Two lanes from an event to the server"

    def drawn(width: int, x: int, y: int) -> str:
        one_variable = next(iter(SENDERS.values()))
        lane_a = _lane("A", body, body, one_variable, answers[0], width)
        lane_b = _lane("B", body, sent, sender, answers[1], width)
        return group(lane_a) + group(lane_b, transform=f"translate({x} {y})")

    narrow = Picture(title, desc, 350, 470, drawn(346, 0, 238))
    return Picture(title, desc, 2 * LANE + 24, 232, drawn(LANE, LANE + 22, 0), narrow)


def _lane(name: str, body: bytes, sent: bytes, sender: Sender, answer: int, width: int) -> str:
    half, one = (width - 16) / 2, sender.hashed == sender.sent
    right = half + 16
    made = (
        [(1.0, width - 2, "s1", "body = json.dumps(event).encode()")]
        if one
        else [(1.0, half, "s1", sender.hashed), (right, half - 2, "s6", sender.sent)]
    )
    heading = "one variable" if one else "two serialisers"
    if sender.hashed == "body" and not one:
        heading = "one variable, and then a change"
    results = {0: ("not sent yet", "small"), 200: ("✓ 200", "okt")}
    result, ink = results.get(answer, (f"✗ {answer}", "badt"))
    from_event = [width / 2] if one else [half / 2, right + half / 2]
    shapes = [
        text(1, 14, f"{name}: {heading}", "strong"),
        text(width - 2, 14, result, ink, "end"),
        rect(1, 24, width - 2, 26, "box", rx=5),
        text(width / 2, 41, "event", "m", "middle"),
        *(arrow(x, 51, x, 65) for x in from_event),
    ]
    for x, w, kind, words in made:
        shapes += [rect(x, 67, w, 26, kind, rx=5), text(x + w / 2, 84, words, "m", "middle")]
    shapes += [arrow(x, 94, x, 108) for x in (half / 2, right + half / 2)]
    md5 = hashlib.md5(body).hexdigest()
    for x, w, kind, words in (
        (1.0, half, "s2", f"hash {md5[:8]}…{md5[-4:]}"),
        (right, half - 2, "s6", f"socket: {len(sent)} bytes"),
    ):
        shapes += [rect(x, 110, w, 26, kind, rx=5), text(x + w / 2, 127, words, "m", "middle")]
    return "".join((*shapes, _tapes(body, sent, width)))


def _tapes(body: bytes, sent: bytes, width: int) -> str:
    """The bytes that were hashed above those at the socket; the first that differs is hot."""
    at = first_difference(body, sent)
    columns = (width - TAPE) // CELL
    start = max(0, min(at or 0, len(body)) - 5)
    shapes = []
    for y, label, tape in ((148, "hashed", body), (188, "sent", sent)):
        window = tape[start : start + columns]
        shapes.append(text(1, y + 18, f"{'…' if start else ''}{label}", "small"))
        hot = None if at is None or not 0 <= at - start < len(window) else at - start
        for cells, kind, ink in (
            ([n for n in range(len(window)) if n != hot], "box", "m"),
            ([] if hot is None else [hot], "hot", "ink"),
        ):
            shapes += [
                boxes(((TAPE + n * CELL, y) for n in cells), CELL, 28, kind),
                glyphs(
                    (TAPE + (n + 0.5) * CELL for n in cells),
                    y + 19,
                    "".join(_letter(window[n]) for n in cells),
                    ink,
                ),
            ]
        if at is not None and len(window) <= at - start:
            shapes.append(text(TAPE + 6 + len(window) * CELL, y + 18, "end", "badt"))
    return group(*shapes)


def _letter(byte: int) -> str:
    """One character for one byte; those outside ASCII have none of their own."""
    if byte == 0x20:
        return "␣"
    return chr(byte) if 0x20 < byte < 0x7F else "⏎" if byte == 0x0A else "·"


# --- the same request, drawn --------------------------------------------------------------------


@lesson.explorer
def bench(body: str = json.dumps(EVENT)) -> Explorer:
    """Everything that goes into a signature, and the six stages as one drawing."""
    start = prepare(body.encode(), EXAMPLE_CREDENTIALS)

    def show(body: str, key: str, secret: str, timestamp: str, send: bool) -> View:
        server = practice()
        try:
            credentials = replace(server.credentials, key=key, secret=secret)
            journey = prepare(body.encode(), credentials, timestamp=_seconds(timestamp))
        except (ValueError, PusherError) as error:
            faint = _faint(drawing(start))
            return View("One event, six stages", (), str(error), False, picture=faint)
        command = Fact("As curl", "Press Send, and here is the command.", kind="prose")
        if send:
            journey = travel(journey, server, channel=CHANNEL)
            url = f"{server.credentials.base_url}{journey.path}?"
            url += urlencode(journey.signature.query)
            command = Fact("As curl", as_curl(url, journey.sent_body), kind="code")
        return View(
            "One event, six stages",
            (),
            *verdict(journey),
            picture=drawing(journey),
            details=(*outcome(journey), *stage_facts(journey, start), command),
            fold="The answer, every stage in full, and the request as a curl command",
        )

    return Explorer(
        show,
        body=area("Body", body),
        key=line("App key", EXAMPLE_CREDENTIALS.key),
        secret=line("Secret", EXAMPLE_CREDENTIALS.secret, hint="(public example)"),
        timestamp=line("auth_timestamp", str(EXAMPLE_TIMESTAMP)),
        send=button("Send"),
        code=[prepare],
    )


def _seconds(timestamp: str) -> int:
    digits = timestamp.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ValueError(
            f"auth_timestamp is whole Unix seconds, such as 1353088179. Yours: {shown(digits)}."
        )
    return int(digits)


def _faint(picture: Picture) -> Picture:
    """A picture dimmed, while an input can't be used."""
    narrow = picture.narrow and _faint(picture.narrow)
    return replace(picture, shapes=group(picture.shapes, kind="faint"), narrow=narrow)


# --- the same request in any language -----------------------------------------------------------


def _program(suffix: str) -> str:
    return (Path(__file__).parent / "programs" / f"publish{suffix}").read_text(encoding="utf-8")


_URLLIB = _program(".py")
_SIGNED = _URLLIB.partition("from urllib.request")[0]  # all but the sending
_SENT = """\
import {client}

answer = {client}.post(url, {body}=body, headers=headers)
print(answer.status_code, answer.text)
"""
PROGRAMS = {
    "Python with httpx": _SIGNED + _SENT.format(client="httpx", body="content"),
    "Python with requests": _SIGNED + _SENT.format(client="requests", body="data"),
    "Python with urllib": _URLLIB,
    "bash with curl": _program(".sh"),
    "Node with fetch": _program(".mjs"),
    "PHP": _program(".php"),
}
SUFFIXES = {"python": ".py", "bash": ".sh", "sh": ".sh", "node": ".mjs", "php": ".php"}
RUN_SECONDS = 10  # for a program to end; each takes less than one
PRINTED_CHARACTERS = 2_000  # of what a program prints


class Runner(Explorer):
    """Says that the program runs while it does."""

    def hear(self, event: Event) -> None:
        if event.id == "run":
            status = f"Running… After {RUN_SECONDS} s it's stopped."
            self.show(replace(self.view, status=status, good=None))
        super().hear(event)


@lesson.explorer
def programs() -> Explorer:
    """The same request as whole programs: to read, to change, to run and to take along."""
    return Runner(
        _ran,
        language=preset("Language", PROGRAMS, into="program"),
        program=area("Program", next(iter(PROGRAMS.values())), rows=17),
        run=button("Run it"),
        code=[run_program, _start],
    )


def _ran(program: str, run: bool) -> View:
    status, good, answer, printed = "Ready to run.", None, "nothing sent yet", "nothing yet"
    if run:
        server = running_practice()
        server.sandbox.clear()
        printed = run_program(program)
        replies = [(entry.reply.status, entry.reply.note) for entry in server.sandbox.log]
        lines = [f"{code} {note}" for code, note in replies if code != 200]
        lines += [
            f'200 "{d.event.name}" on {", ".join(d.event.channels)}: {d.event.data}'
            for d in server.sandbox.deliveries
        ]
        answer = "\n".join(lines) or "nothing arrived"
        good = [code for code, _ in replies] == [200]
        status = "It ran, and the server accepted its request."
        if not replies:
            status = "It ended, and nothing reached the server."
        elif not good:
            status = f"It ran, and the server answered {replies[-1][0]}."
    along = (
        f"Save it as {_runner(program)[1]}. `pusherkit sandbox` starts a server for it, and prints "
        "the four variables that it reads."
    )
    return View(
        "A whole program",
        (
            Fact("It printed", printed),
            Fact("Server", answer),
            Fact("Take it along", along, kind="prose"),
        ),
        status,
        good,
    )


def _runner(program: str) -> tuple[list[str], str]:
    """The command that runs a program, as its first line says, and a name for its file."""
    first = program.partition("\n")[0]
    words = first[2:].split() if first.startswith("#!") else []
    if words and words[0].endswith("/env"):  # options of its own, and variables that it sets
        words = [*dropwhile(lambda word: word[0] == "-" or "=" in word, words[1:])]
    words = words or (["php"] if "<?php" in program else ["python3"])
    name = words[0].rpartition("/")[2]
    if name.startswith("python"):
        name, words[0] = "python", sys.executable  # where httpx is
    suffix = ".cjs" if name == "node" and "require(" in program else SUFFIXES.get(name, "")
    return [shutil.which(words[0]) or name, *words[1:]], f"publish{suffix}"


NO_PROCESSES = (
    "A browser tab can't start programs. Save this one, and run it on your own machine, with the "
    "variables that `pusherkit sandbox` prints."
)


def run_program(program: str) -> str:
    """Run a program that is led to a practice server, and return what it printed.

    Its first line names what runs it. Raises ValueError, a sentence, where it can't be run.
    """
    if sys.platform == "emscripten":
        raise ValueError(NO_PROCESSES)
    command, name = _runner(program)
    if shutil.which(command[0]) is None:
        raise ValueError(f"I can't find {shown(command[0])} here. Choose another language.")
    if not program.startswith("#!") and name.endswith(".py"):
        try:
            compile(program, name, "exec")
        except SyntaxError:
            raise ValueError(
                "Without a first line such as #!/usr/bin/env node I take it for Python, and it "
                "isn't valid Python."
            ) from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_text(program, encoding="utf-8")
        printed = _start([*command, str(file)]).replace(str(file), name)
    if "No module named 'requests'" in printed:
        return "requests isn't installed here. `pip install requests` changes that."
    return printed


def run_file(name: str) -> str:
    """What `python my_pusher.py` prints, with the settings of a practice server around it."""
    if sys.platform != "emscripten":
        return _start([sys.executable, name])
    os.environ.update(running_practice().environment)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        runpy.run_path(name, run_name="__main__")
    return printed.getvalue().strip()


def _start(command: list[str]) -> str:
    """Start a process with a practice server's settings in its environment; what it printed."""
    env = {**os.environ, **running_practice().environment, "NO_PROXY": "127.0.0.1"}
    env |= {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    env.pop("FORCE_COLOR", None)  # which Jupyter sets
    try:
        done = subprocess.run(  # noqa: S603 - the learner's own program
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"It was still running after {RUN_SECONDS} s, so I stopped it.") from None
    printed = done.stdout.decode(errors="replace").strip() or "(nothing)"
    half = PRINTED_CHARACTERS // 2
    return f"{printed[:half]}\n…\n{printed[-half:]}" if len(printed) > 2 * half else printed


def running_practice() -> Practice:
    """A practice server whose clock runs, for code that reads the time by itself."""
    server = practice(time.time)
    if sys.platform == "emscripten":
        lead_urllib_to(server)
    return server


class Watch(BaseHandler):
    """Notes which Content-Type urllib's requests are given: the server's log doesn't."""

    handler_order = 100  # before urllib's own, which makes a form of any body
    types: ClassVar[deque[str]] = deque(maxlen=20)

    def http_request(self, request: Request) -> Request:
        self.types.append(request.get_header("Content-type", "none"))
        return request


def lead_urllib_to(server: Practice) -> None:
    """Let urllib reach a practice server where there are no sockets."""

    class InHere(Watch):
        def http_open(self, request: Request) -> urllib.response.addinfourl:
            answer = server.http.request(
                request.get_method(),
                request.full_url,
                content=request.data,  # type: ignore[arg-type]  # bytes, when it comes from here
                headers=dict(request.header_items()),
            )
            headers = Message()
            for name, value in answer.headers.items():
                headers[name] = value
            made = urllib.response.addinfourl(
                io.BytesIO(answer.content), headers, request.full_url, answer.status_code
            )
            made.msg = answer.reason_phrase  # type: ignore[attr-defined]  # HTTPError reads it
            return made

    install_opener(build_opener(InHere))


# --- the functions of lessons 01 to 04 ----------------------------------------------------------


def body_md5(body: bytes) -> str:
    """The body hash, from lesson 01."""
    return hashlib.md5(body).hexdigest()


def signed_parameters(params: list[tuple[str, str]]) -> str:
    """The third line, from lesson 02."""
    pairs = [(name.lower(), value) for name, value in params]
    pairs = [pair for pair in pairs if pair[0] != "auth_signature"]
    pairs.sort(key=lambda pair: pair[0])
    return "&".join(f"{name}={value}" for name, value in pairs)


def canonical_string(method: str, path: str, params: list[tuple[str, str]]) -> str:
    """The text to sign, from lesson 03."""
    return "\n".join([method.upper(), path, signed_parameters(params)])


def signature(secret: str, text: str) -> str:
    """The signature, from lesson 04."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


# --- the exercises ------------------------------------------------------------------------------

_STATUSES = ("preparing", "left the depot", "out for delivery", "delivered")
_NAMES = ("Zoë", "José", "Łucja", "Søren", "あかり")


def _events(chance: random.Random) -> Iterator[dict[str, str]]:
    """Two events: one in ASCII, and one for a name that isn't."""
    for to in ({}, {"to": chance.choice(_NAMES)}):
        data = {"status": chance.choice(_STATUSES), **to}
        yield {
            "name": "status",
            "channel": f"order-{chance.randrange(10, 99)}",
            "data": json.dumps(data, ensure_ascii=False),
        }


def _signings(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    key, secret = EXAMPLE_CREDENTIALS.key, EXAMPLE_CREDENTIALS.secret
    timestamp = EXAMPLE_TIMESTAMP + chance.randrange(100)
    for event in _events(chance):
        body = json.dumps(event).encode()
        yield key, secret, "POST", EVENTS_PATH, [], body, timestamp
    watching = [("filter_by_prefix", "presence-"), ("info", "user_count")]
    yield key, secret, "GET", "/apps/3/channels", watching, b"", timestamp


@lesson.exercise(given=_signings, keep=True)
def signed_query(
    app_key: str,
    secret: str,
    method: str,
    path: str,
    params: list[tuple[str, str]],
    body: bytes,
    timestamp: int,
) -> list[tuple[str, str]]:
    """Return every parameter to send, as pairs of text: those given, yours, and the signature."""
    query = [
        *params,
        ("auth_key", app_key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", "1.0"),
    ]
    if body:
        query.append(("body_md5", body_md5(body)))
    text = canonical_string(method, path, query)
    return [*query, ("auth_signature", signature(secret, text))]


@signed_query.observe
def _in_any_order(result: Any, *_: Any) -> Any:
    return sorted(result, key=repr) if isinstance(result, list) else result


@signed_query.judge
def _signs(result: Any, *arguments: Any) -> None:
    method, path = arguments[2:4]
    right = signed_query(*arguments)
    if not isinstance(result, list) or not all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in result
    ):
        raise Wrong("Return a list of pairs: (name, value).", Fact("Yours", shown(result)))
    if not all(isinstance(part, str) for pair in result for part in pair):
        raise Wrong("Names and values are text, the timestamp too.", Fact("Yours", shown(result)))
    names, expected = sorted(name for name, _ in result), sorted(name for name, _ in right)
    if missing := [name for name in expected if name not in names]:
        raise Wrong(f"This one is missing: {missing[0]}.", Fact("You send", ", ".join(names)))
    if names != expected:
        extra = next(name for name in names if names.count(name) > expected.count(name))
        raise Wrong(f"{extra} is there once too often.", Fact("You send", ", ".join(names)))
    for name, value in right[:-1]:
        if (name, value) not in result:
            raise Wrong(f"{name} has another value than I expect.", Fact("Yours", shown(result)))
    if right[-1] not in result:
        text = canonical_string(method, path, right)
        if ("auth_signature", signature(text, arguments[1])) in result:
            raise Wrong("Secret and text are swapped: signature() takes the secret first.")
        raise Wrong(
            "Everything is there, but the signature isn't right. Is this the text that you sign?",
            Fact("Expected text", text),
        )


signed_query.hint("It's the worked example as a function. Which of its lines need the body?")
signed_query.hint("Only a request with a body has a body_md5: if body: query.append((…, …)).")
signed_query.wrong(
    "body_md5 is missing where there's a body, so nothing protects the event.",
    lambda *a: signed_query(*a[:5], b"", a[6]),
)
signed_query.wrong(
    "The practice server would take it, but in the API only a request with a body has a body_md5.",
    lambda *a: signed_query(*a[:4], [*a[4], ("body_md5", body_md5(a[5]))], b"", a[6]),
)
signed_query.wrong(
    "You add body_md5 after signing, so the signature doesn't cover it. Sign last.",
    lambda *a: [*signed_query(*a[:5], b"", a[6]), *[("body_md5", body_md5(a[5]))] * bool(a[5])],
)
signed_query.wrong(
    "auth_timestamp is a number in your list. Text, please: str(timestamp).",
    lambda *a: [(n, int(v) if n == "auth_timestamp" else v) for n, v in signed_query(*a)],
)
signed_query.wrong(
    "That's only the signature. Return the whole list of pairs, with the signature in it.",
    lambda *a: signed_query(*a)[-1][1],
)
signed_query.why(
    "Everything that's signed is in one list, and the signature joins that very list. So what you "
    "return is what you signed."
)
signed_query.next("What does it do with a parameter that is already called auth_key? Should it?")

# Two that a server refuses: a key that nobody has, and that a URL can't hold as it is; and a
# channel name with spaces.
NO_KEY, NO_CHANNEL = "refused&on+purpose", "refused on purpose"


def _publications(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Two events to be accepted, and two to be refused, with 401 and with 400."""
    server = running_practice()
    server.sandbox.clear()
    Watch.types.clear()
    if sys.platform != "emscripten":
        install_opener(build_opener(Watch))
    app = server.credentials
    events = [*_events(chance), EVENT, {**EVENT, "channel": NO_CHANNEL}]
    for key, event in zip((app.key, app.key, NO_KEY, app.key), events, strict=True):
        yield (
            *(app.base_url, app.app_id, key, app.secret),
            *(event["channel"], event["name"], event["data"]),
        )


@lesson.exercise(given=_publications, keep=True)
def publish(
    url: str, app_id: str, app_key: str, secret: str, channel: str, name: str, data: str
) -> int:
    """Publish an event with urllib, and return the status of the server's answer."""
    event = {"name": name, "channel": channel, "data": data}
    body = json.dumps(event).encode()
    path = f"/apps/{app_id}/events"
    query = signed_query(app_key, secret, "POST", path, [], body, int(time.time()))
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url}{path}?{urlencode(query)}", body, headers)
    try:
        with urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


@publish.observe
def _what_happened(result: Any, *_: Any) -> tuple[Any, ...]:
    """The result, the answers of this check, what was delivered, and how the bodies were named."""
    sandbox = running_practice().sandbox
    keys = tuple(entry.verdict.checks[0].received for entry in sandbox.log if entry.verdict)
    events = tuple((*d.event.channels, d.event.name, d.event.data) for d in sandbox.deliveries)
    return result, _answers(sandbox), keys, events, tuple(Watch.types)


def _answers(sandbox: Sandbox) -> tuple[tuple[int, str], ...]:
    """Status and error of each answer, without what is another at every try: hashes and times."""
    own = rf"(?!{hashlib.md5().hexdigest()})[0-9a-f]{{32,}}|\d{{10}}"
    replies = [entry.reply for entry in sandbox.log]
    errors = [str(json.loads(reply.body).get("error", "")) for reply in replies]
    return tuple((r.status, re.sub(own, "…", e)) for r, e in zip(replies, errors, strict=True))


@publish.judge
def _published(
    seen: Any, url: str, app_id: str, key: str, secret: str, channel: str, name: str, data: str
) -> None:
    result, answers, keys, events, types = seen
    due = 401 if key == NO_KEY else 400 if channel == NO_CHANNEL else 200
    yours = Fact("Yours", shown(result))
    if not answers:
        raise Wrong("Nothing reached the server. Did you call urlopen()?")
    if not isinstance(result, int):
        raise Wrong("Return the answer's status: a number.", yours)
    if due == 200 and (channel, name, data) not in events:
        if not events:
            raise Wrong("The server refused it.", Fact("It said", "{} {}".format(*answers[0])))
        raise Wrong(
            "The server accepted something, but it isn't the event that I asked for.",
            Fact("Asked for", shown((channel, name, data))),
            Fact("Arrived", shown(events)),
        )
    if wrong := next((each for each in types if not each.startswith("application/json")), None):
        raise Wrong(
            "Say that the body is JSON: its Content-Type is application/json.", Fact("Yours", wrong)
        )
    if key not in keys:
        raise Wrong(
            "This app key arrived as another. urlencode() writes a & and a + so that they arrive.",
            Fact("App key", key),
        )
    if result != due:
        refusal = "" if due == 200 else ", on purpose"
        raise Wrong(f"Here the server answered {due}{refusal}. Return that.", yours)


def _careless(
    *,
    signed: Callable[[Any], str] = json.dumps,
    sent: Callable[[Any], str] = json.dumps,
    data: Callable[[Any], str] = str,
    whole_url: bool = False,
) -> Callable[..., int]:
    """A publish() that does one thing wrong: what it signs, what it sends, or what it publishes."""

    def publish(
        url: str, app_id: str, key: str, secret: str, channel: str, name: str, text: str
    ) -> int:
        event = {"name": name, "channel": channel, "data": data(text)}
        path = f"/apps/{app_id}/events"
        signed_path = url + path if whole_url else path
        body = signed(event).encode()
        query = signed_query(key, secret, "POST", signed_path, [], body, int(time.time()))
        request = Request(f"{url}{path}?{urlencode(query)}", sent(event).encode(), JSON)
        try:
            with urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except HTTPError as refused:
            return refused.code

    return publish


def _tight(event: Any) -> str:
    return json.dumps(event, separators=(",", ":"))


publish.hint("Four steps: body, path, query, request. Only the body is used twice.")
publish.hint("urlopen() raises HTTPError for a refusal. Catch it: its .code is the status.")
publish.wrong(
    "You serialise twice: one JSON for the hash, another for the request. Once is enough.",
    _careless(signed=_tight),
)
publish.wrong(
    "data is JSON text already. You encoded it again, so it arrives inside quotes.",
    _careless(data=json.dumps),
)
publish.wrong(
    "The request went out without its body: it's the second argument of Request().",
    _careless(sent=lambda event: ""),
)
publish.wrong(
    "You signed the whole URL. The canonical string has the path alone, from /apps on.",
    _careless(whole_url=True),
)
publish.why(
    "`body` is made once and used twice: for the hash, and for the request. Values are encoded for "
    "the URL after signing, and the server decodes them before it checks."
)
publish.next("Publish to http://127.0.0.1:9, where nobody listens. What happens? What should?")


# --- curl ---------------------------------------------------------------------------------------

_CURL_URL = "http://127.0.0.1/apps/3/events?auth_key=k&auth_version=1.0"


def _bodies(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Bodies with what a shell doesn't leave alone: both quotes, a dollar, a backslash."""
    for event, whose in zip(_events(chance), ("Ann's", "your"), strict=True):
        data = json.dumps({"note": f'{whose} "{event["channel"]}" for $5'})
        yield _CURL_URL, json.dumps({**event, "data": data}).encode()


@lesson.exercise(given=_bodies)
def as_curl(url: str, body: bytes) -> str:
    """Return a curl command for a POSIX shell that posts a JSON body to a URL, byte for byte."""
    header = "-H 'Content-Type: application/json'"
    return f"curl {shlex.quote(url)} {header} --data-binary {shlex.quote(body.decode())}"


class Posted(NamedTuple):
    """What curl would send; `problem` says why it would send nothing of use."""

    url: str = ""
    body: bytes = b""
    content_type: str = ""
    problem: str = ""


@as_curl.observe
def curl_posts(command: Any, *_: Any) -> Any:
    """What a command line makes curl send, read as a POSIX shell and curl read it."""
    if not isinstance(command, str):
        return command
    try:
        return _curl_arguments(_shell_words(command))
    except ValueError as error:
        return Posted(problem=str(error))


MAX_COMMAND = 131_072  # characters: Linux takes no longer argument (MAX_ARG_STRLEN, in bytes)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)


def _shell_words(command: str) -> list[str]:
    """A command's words, by the quoting rules of POSIX. Raises ValueError, a sentence."""
    if len(command) > MAX_COMMAND:
        raise ValueError(
            f"It's {len(command):,} characters long, and {MAX_COMMAND:,} are too many."
        )
    try:
        words = shlex.split(command.replace("\\\n", " "))
    except ValueError:
        raise ValueError("A quote is still open when the command ends.") from None
    doubled = "".join(quoted for quoted in _QUOTED.findall(command) if quoted[0] == '"')
    acted_on = re.search(r"(?<!\\)[$`]\w*", doubled)
    acted_on = acted_on or re.search(r"[;&|<>()#*?~$`\n]\w*", _QUOTED.sub("", command))
    if acted_on:
        raise ValueError(f"The shell acts on the {visible(acted_on[0])} in it.")
    return words


_CURL = ArgumentParser("curl", add_help=False, allow_abbrev=False, exit_on_error=False)
for _options in (
    ("-d", "--data", "--data-ascii", "--data-binary"),
    ("--data-raw",),
    ("--json",),
    ("-H", "--header"),
    ("-X", "--request"),
    ("--url",),
):
    _CURL.add_argument(*_options, action="append", default=[])


def _curl_arguments(words: list[str]) -> Posted:
    """What curl makes of its arguments: see `man curl`. Raises ValueError, a sentence."""
    if words[:1] != ["curl"]:
        raise ValueError("It doesn't begin with curl.")
    try:
        given, rest = _CURL.parse_known_args(words[1:])
    except ArgumentError as error:
        raise ValueError(f"curl needs more: {error}.") from None
    if files := [each for each in (*given.data, *given.json) if each.startswith("@")]:
        raise ValueError(f"curl takes {shown(files[0])} for the name of a file to send.")
    if given.request not in ([], ["POST"]):
        raise ValueError(f"curl would use the method {given.request[-1]}, and events are posted.")
    urls = [*given.url, *(word for word in rest if not word.startswith("-"))]
    if len(urls) != 1:
        raise ValueError(f"curl would see {len(urls)} URLs in it: {shown(urls)}.")
    headers = [header.partition(":") for header in given.header]
    types = ["application/json" if given.json else "application/x-www-form-urlencoded"]
    types += [value.strip() for name, _, value in headers if name.lower() == "content-type"]
    body = "&".join((*given.data, *given.data_raw, *given.json)).encode()
    return Posted(urls[0], body, types[-1])


@as_curl.judge
def _judge_posted(posted: Any, url: str, body: bytes) -> None:
    """Raise Wrong unless a command posts a JSON body to a URL."""
    if not isinstance(posted, Posted):
        raise Wrong("Return the command line as text.", Fact("Yours", shown(posted)))
    if posted.problem:
        raise Wrong(f"This command won't do. {posted.problem}")
    if posted.url != url:
        raise Wrong("curl would call another URL.", Fact("It calls", shown(posted.url)))
    if posted.body != body:
        at = first_difference(body, posted.body) or 0
        raise Wrong(
            f"curl would send another body: it differs from byte {at} on.",
            Fact("It sends", visible(posted.body.decode(errors="replace")[:1_000])),
            Fact("Wanted", visible(body.decode())),
        )
    if not posted.content_type.startswith("application/json"):
        raise Wrong(
            "curl would call the body a form. Add -H 'Content-Type: application/json'.",
            Fact("Content-Type", posted.content_type),
        )


def _escaped(body: bytes) -> str:
    return body.decode().replace("\\", "\\\\").replace('"', '\\"')


_HEADER = "-H 'Content-Type: application/json'"

as_curl.hint("Python has a function that quotes any text for a POSIX shell: shlex.quote().")
as_curl.hint("shlex.quote(\"it's\") is 'it'\"'\"'s', and a shell reads that as it's.")
as_curl.wrong(
    "The first ' inside the body ends your quoted text. shlex.quote() knows a way round that.",
    lambda url, body: f"curl '{url}' {_HEADER} --data-binary '{body.decode()}'",
)
as_curl.wrong(
    "The body is full of double quotes, and each of them ends yours. Use shlex.quote().",
    lambda url, body: f'curl "{url}" {_HEADER} --data-binary "{body.decode()}"',
)
as_curl.wrong(
    "You escaped the double quotes, but in double quotes the shell still replaces $5.",
    lambda url, body: f'curl "{url}" {_HEADER} -d "{_escaped(body)}"',
)
as_curl.wrong(
    "repr() writes for Python, b'…' and all. For a shell it's shlex.quote().",
    lambda url, body: f"curl {shlex.quote(url)} {_HEADER} --data-binary {body!r}",
)
as_curl.wrong(
    "The URL isn't quoted, so the shell takes its & for the end of the command.",
    lambda url, body: f"curl {url} {_HEADER} --data-binary {shlex.quote(body.decode())}",
)
as_curl.why(
    "The shell reads the line before curl does, and in single quotes it changes nothing. For a "
    "single quote in the text, shlex.quote() closes them and opens them again. PowerShell and "
    "cmd.exe have other rules. curl has one, too: data that begins with @ is a file's name. "
    "--data-raw has no such rule, and -d drops the line breaks of a file."
)
as_curl.next("curl 7.82 and later know --json. Which two of your arguments does it replace?")


# --- find, explain, fix -------------------------------------------------------------------------


class OtherClient(httpx.Client):
    """A client whose json= serialises as requests does, and as httpx did up to 0.27."""

    def build_request(self, *arguments: Any, **named: Any) -> httpx.Request:
        if named.get("json") is not None:
            named["content"] = json.dumps(named.pop("json")).encode()
        return super().build_request(*arguments, **named)


class Watched(Practice):
    """A practice server that keeps the requests made with its `http`."""

    def __init__(self, client: type[httpx.Client]) -> None:
        super().__init__()
        self.requests: list[httpx.Request] = []
        self.http = client(
            base_url=self.credentials.base_url,
            transport=SandboxTransport(self.sandbox, clock=stopped_clock),
            event_hooks={"request": [self.requests.append]},
        )


def _servers(chance: random.Random) -> Iterator[tuple[Watched, dict[str, str], int]]:
    """Two events, each through httpx and through a client with another serialiser."""
    for event in _events(chance):
        for client in (httpx.Client, OtherClient):
            yield Watched(client), event, EXAMPLE_TIMESTAMP


def broken_send_update(server: "Practice", event: dict[str, str], timestamp: int) -> int:
    key, secret = server.credentials.key, server.credentials.secret
    body = json.dumps(event).encode()
    query = signed_query(key, secret, "POST", "/apps/3/events", [], body, timestamp)
    answer = server.http.post("/apps/3/events", params=query, json=event)
    return answer.status_code


@lesson.exercise(given=_servers)
def send_update(server: "Practice", event: dict[str, str], timestamp: int) -> int:
    """Make every update pass, whichever HTTP client sends it."""
    key, secret = server.credentials.key, server.credentials.secret
    body = json.dumps(event).encode()
    query = signed_query(key, secret, "POST", "/apps/3/events", [], body, timestamp)
    headers = {"Content-Type": "application/json"}
    answer = server.http.post("/apps/3/events", params=query, content=body, headers=headers)
    return answer.status_code


@send_update.observe
def _what_arrived(result: Any, server: Watched, *_: Any) -> tuple[Any, ...]:
    """The result, the answers, what was delivered, as which type, and through which client."""
    events = tuple(
        {"name": d.event.name, "channel": d.event.channels[0], "data": d.event.data}
        for d in server.sandbox.deliveries
    )
    types = tuple(request.headers.get("Content-Type", "none") for request in server.requests)
    return result, _answers(server.sandbox), events, types, isinstance(server.http, OtherClient)


def _judge_arrival(seen: Any, event: dict[str, str]) -> None:
    """Raise Wrong unless one request arrived and delivered this event."""
    _, answers, events, types, other = seen
    if not answers:
        raise Wrong("Nothing was sent. Did you call server.http.post()?")
    status, error = answers[-1]
    if status != 200:
        through = "a client whose json= writes spaces" if other else "httpx"
        raise Wrong(f"Refused, through {through}.", Fact("The server", f"{status} {error}"))
    if events != (event,):
        raise Wrong(
            "It was accepted, but another event arrived, or more than one.",
            Fact("Asked for", shown(event)),
            Fact("Arrived", shown(events)),
        )
    if not types[-1].startswith("application/json"):
        raise Wrong(
            "It arrived, but only json= named its type. Send the header as well: "
            "Content-Type: application/json.",
            Fact("Content-Type", types[-1]),
        )


@send_update.judge
def _passes(seen: Any, server: Practice, event: dict[str, str], timestamp: int) -> None:
    _judge_arrival(seen, event)
    if seen[0] != 200:
        raise Wrong("It arrived. Return the answer's status.", Fact("Yours", shown(seen[0])))


def _lets_client_serialise(
    hashed: Callable[[dict[str, str]], str], by: str = "json"
) -> Callable[..., int]:
    """A send_update() that hashes one text, and leaves it to the client to make another."""

    def send_update(server: Practice, event: dict[str, str], timestamp: int) -> int:
        key, secret = server.credentials.key, server.credentials.secret
        query = signed_query(
            key, secret, "POST", EVENTS_PATH, [], hashed(event).encode(), timestamp
        )
        arguments: Any = {by: event}
        return server.http.post(EVENTS_PATH, params=query, **arguments).status_code

    return send_update


send_update.broken(
    "With requests it passes, with httpx it's refused. Find the line, and change it.",
    broken_send_update,
)
send_update.hint("How often is the event turned into JSON? Who does it the second time?")
send_update.hint("httpx sends bytes as they are with content=.")
send_update.wrong(
    "Now the spaces match, but httpx leaves an ë as it is, and your json.dumps() writes \\u00eb. "
    "Don't imitate the client. Hand it the bytes.",
    _lets_client_serialise(_tight),
)
send_update.wrong(
    "You imitate today's httpx exactly. The next client, or the next version, writes other JSON. "
    "Hand it the bytes.",
    _lets_client_serialise(
        lambda event: json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    ),
)
send_update.wrong(
    "data= with a dict sends a form. For httpx, bytes go into content=.",
    _lets_client_serialise(json.dumps, by="data"),
)
send_update.wrong(
    "Without the body's hash the server can't check the body, so it refuses. Sign the body again.",
    _lets_client_serialise(lambda event: ""),
)
send_update.why(
    "The client gets bytes and leaves them alone, so it has no say in what is signed. It no longer "
    "names their type either, hence the header."
)
send_update.next("Which argument of your own HTTP client takes bytes and leaves them alone?")


# --- prove it -----------------------------------------------------------------------------------


@lesson.exercise(given=_servers, covers_lesson=True)
def prove_it(server: "Practice", event: dict[str, str], timestamp: int) -> str:
    """Sign and publish an event, and return the very same request as a curl command."""
    credentials = server.credentials
    path, body = f"/apps/{credentials.app_id}/events", json.dumps(event).encode()
    query = [
        ("auth_key", credentials.key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", "1.0"),
        ("body_md5", hashlib.md5(body).hexdigest()),
    ]
    text = "\n".join(["POST", path, "&".join(f"{name}={value}" for name, value in sorted(query))])
    mac = hmac.new(credentials.secret.encode(), text.encode(), hashlib.sha256)
    url = f"{credentials.base_url}{path}?{urlencode([*query, ('auth_signature', mac.hexdigest())])}"
    header = "Content-Type: application/json"
    server.http.post(url, content=body, headers={"Content-Type": "application/json"})
    return f"curl '{url}' -H '{header}' --data-binary {shlex.quote(body.decode())}"


@prove_it.observe
def _both(result: Any, server: Watched, *rest: Any) -> tuple[Any, ...]:
    return curl_posts(result), *_what_arrived(result, server)[1:]


@prove_it.judge
def _proven(seen: Any, server: Practice, event: dict[str, str], timestamp: int) -> None:
    _judge_arrival(seen, event)
    posted = seen[0]
    if not isinstance(posted, Posted):
        raise Wrong(
            "Published! Now return the same request as a curl command: text.",
            Fact("Yours", shown(posted)),
        )
    if posted.problem:
        raise Wrong(f"Published! But the command won't do. {posted.problem}")
    fresh = Practice()
    answer = fresh.http.post(
        posted.url, content=posted.body, headers={"Content-Type": posted.content_type}
    )
    if answer.status_code != 200:
        raise Wrong(
            "Published! But the server refuses what the command sends.",
            Fact("The server", f"{answer.status_code} {answer.json().get('error', '')}"),
        )
    _judge_posted(posted, posted.url, posted.body)


def _prove_json(server: Practice, event: dict[str, str], timestamp: int) -> str:
    command: str = prove_it(Practice(), event, timestamp)
    server.http.post(shlex.split(command)[1], json=event)
    return command


prove_it.hint("Lines 1 to 3 of the canonical string: POST, /apps/3/events, and the sorted pairs.")
prove_it.hint("server.http.post(url, content=body, headers=…), and shlex.quote() for the command.")
prove_it.wrong(
    "You signed one JSON, and json= sent another. Send the bytes: content=body.", _prove_json
)
prove_it.wrong(
    "It's published. In the command the URL isn't quoted, and its & would end it.",
    lambda *arguments: prove_it(*arguments).replace("'", "", 2),
)
prove_it.why("One variable, hashed once and sent twice: by your client, and by anybody's curl.")
prove_it.next("Write it again from an empty file, in the language that you use at work.")
