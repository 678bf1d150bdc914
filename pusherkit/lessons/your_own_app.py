"""Lesson 09, your own app: real settings, where a secret gets out, and what a green test proves.

A real secret lives in a Credentials object and nowhere else: in no widget, no View, no message.
Nothing is sent to a real host before somebody presses the button that names it.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from pusherkit.client import Client
from pusherkit.credentials import DEFAULT_BASE_URL, Credentials
from pusherkit.errors import InvalidCredentials, InvalidEvent, PusherError
from pusherkit.events import Event, event_body
from pusherkit.lessons.kit import (
    BATCH_PATH,
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
    button,
    gesture,
    line,
    shown,
    tick,
)
from pusherkit.lessons.kit import Event as Gesture
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.journey import Journey, drawing, prepare, stage_facts
from pusherkit.lessons.kit.picture import arrow, group, handle, path, rect, text
from pusherkit.signing import Check, Request, canonical_string, hmac_sha256, judge, sign
from pusherkit.subscriber import Message

lesson = Lesson("09-your-own-app", stages=(5, 6))
map = lesson.map
recall = lesson.recall_card


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A secret was pasted with a newline at the end. Which of the server's checks fails?",
    {
        "auth_signature": "The newline became part of what keys the HMAC.",
        "auth_key": "The app key is another value, and it's fine.",
        "body_md5": "The body hash is made without the secret.",
    },
    why="Every other value is made without the secret, so only the signature can be wrong.",
)
def pasted_secret() -> str:
    body, now = b'{"name":"status","channel":"order-41","data":"delivered"}', EXAMPLE_TIMESTAMP
    honest = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=body, timestamp=now)
    signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret + "\n", honest.canonical_string)
    params = (*honest.params, ("auth_signature", signature))
    verdict = judge(EXAMPLE_CREDENTIALS, Request("POST", EVENTS_PATH, params, body), now=now)
    return verdict.failed.rule if verdict.failed else "none"


@lesson.recall(
    "A batch of 11 events goes to the practice server. How many of them arrive?",
    {
        "10": "A server that took ten would drop one without telling you.",
        "11": "The practice server keeps to the limit of ten.",
        "0": "One too many refuses the whole batch.",
    },
    why="A limit takes all or nothing. Not every server draws it at the same place, though.",
)
def eleven_in_a_batch() -> tuple[str, Fact]:
    server, heard = Practice(), list[Message]()
    batch = [{"channel": "news", "name": "status", "data": str(n)} for n in range(11)]
    body = json.dumps({"batch": batch}).encode()
    signed = sign(server.credentials, "POST", BATCH_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP)
    headers = {"Content-Type": "application/json"}
    with server.subscribe("news", on_message=heard.append):
        answer = server.http.post(BATCH_PATH, params=signed.query, content=body, headers=headers)
    return str(len(heard)), Fact("Answer", f"{answer.status_code} {answer.json()['error']}")


@lesson.predict(
    "Seven servers that speak this protocol get the same request, signed two hours ago. How many "
    "refuse it?",
    {
        "All of them": "The protocol says 600 seconds. It doesn't make anybody look.",
        "Four of them": "You've met servers before, haven't you?",
        "One of them": "It isn't as bad as that.",
    },
    why="The signature fits, so a server notices only if it looks at the clock as well. A green "
    "test proves what that one server checks, and nothing about the others.",
)
def two_hours_late() -> tuple[str, Fact]:
    checks = fault("two hours old")
    refusing = [name for name, skips in SKIPS.items() if refused_by(checks, skips)]
    words = {7: "All of them", 4: "Four of them", 1: "One of them"}
    return words[len(refusing)], Fact("They refuse it", ", ".join(refusing), kind="prose")


# --- the same bytes at seven servers ------------------------------------------------------------

# Read in their sources and, except for Sockudo, measured on running servers in 2026, for
# POST /apps/{app_id}/events. Other versions may do otherwise.
RULES = ("auth_key", "auth_version", "auth_timestamp", "body_md5", "auth_signature")
SKIPS: dict[str, tuple[str, ...]] = {
    "practice server": (),
    "Poxa": (),
    "Sockudo": ("auth_version",),
    "Slanger": ("auth_key", "body_md5"),
    "soketi": ("auth_key", "auth_version", "auth_timestamp"),
    "Reverb": ("auth_key", "auth_version", "auth_timestamp"),
    "pusher-fake": RULES,
}
VERSIONS = "Poxa 1.3.0, Sockudo 5.0.1, Slanger 0.6.0, soketi 1.6.1, Reverb 1.9.0, pusher-fake 6.1.0"

# What each answers to a wrong signature.
ANSWERS = {
    "practice server": "401, with the rule, both values and the fix",
    "Poxa": '401 {"error":"Authentication error"}',
    "Sockudo": "401 Invalid API signature",
    "Slanger": "401 401 UNAUTHORIZED",
    "soketi": 'status 200, and in the body "code":401 and The secret authentication failed',
    "Reverb": "401 Authentication signature invalid.",
    "pusher-fake": "200 {}: it's a test double, and accepts everything",
}

_BODY = event_body(Event.of("order-41", "status", {"status": "delivered"}))


def _signed(**changes: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a request, some of them changed before it was signed."""
    honest = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=_BODY, timestamp=EXAMPLE_TIMESTAMP)
    params = tuple((name, changes.get(name, value)) for name, value in honest.params)
    signed = canonical_string("POST", EVENTS_PATH, params)
    return (*params, ("auth_signature", hmac_sha256(EXAMPLE_CREDENTIALS.secret, signed)))


# Each fault: what the parameters are, and what the body is.
FAULTS: dict[str, tuple[tuple[tuple[str, str], ...], bytes]] = {
    "two hours old": (_signed(auth_timestamp=str(EXAMPLE_TIMESTAMP - 7_200)), _BODY),
    "time in milliseconds": (_signed(auth_timestamp=f"{EXAMPLE_TIMESTAMP}000"), _BODY),
    "another app key": (_signed(auth_key="00000000000000000000"), _BODY),
    "auth_version 2.0": (_signed(auth_version="2.0"), _BODY),
    "body changed": (_signed(), _BODY.replace(b"delivered", b"cancelled")),
    "another secret": ((*_signed()[:-1], ("auth_signature", "0" * 64)), _BODY),
}


def fault(name: str) -> tuple[Check, ...]:
    """Every rule of the practice server, judged for a request with one fault."""
    params, body = FAULTS[name]
    request = Request("POST", EVENTS_PATH, params, body)
    return judge(EXAMPLE_CREDENTIALS, request, now=EXAMPLE_TIMESTAMP).checks


def refused_by(checks: tuple[Check, ...], skips: tuple[str, ...]) -> str | None:
    """The first failed check that a server makes."""
    for check in checks:
        if not check.passed and check.rule not in skips:
            return check.rule
    return None  # nobody looked: the request is accepted


Sent = tuple[str, ...]  # the names of the faults that were sent, the last one last


def _send_one(sent: Sent, event: Gesture) -> Sent:
    if event.kind != "press" or event.id not in FAULTS:
        return sent
    return (*(name for name in sent if name != event.id), event.id)


@lesson.explorer
def servers() -> Explorer:
    """Send requests with one fault each to seven servers, and see who notices."""
    return Explorer(
        _servers,
        sent=gesture((), _send_one),
        everything=tick("Send all six"),
        code=[refused_by],
    )


def _servers(sent: Sent, everything: bool) -> View:
    seen = {*FAULTS} if everything else {*sent}
    last = sent[-1] if sent else None
    rule, noticed, missed = "nothing sent yet", "–", "–"
    status = "Six requests, each with one thing wrong. Press one to send it to all seven."
    if last:
        checks = fault(last)
        rule = ", ".join(check.rule for check in checks if not check.passed)
        refusing = [name for name, skips in SKIPS.items() if refused_by(checks, skips)]
        accepting = [name for name in SKIPS if name not in refusing]
        noticed, missed = ", ".join(refusing) or "nobody", ", ".join(accepting) or "nobody"
        status = f"“{last}”: {len(refusing)} of {len(SKIPS)} refuse it."
    elif everything:
        status = "All six are sent. Press one to see which rule it breaks."
    return View(
        "The same bytes at seven servers",
        (
            Fact("Breaks the rule", rule),
            Fact("Refused by", noticed, kind="prose"),
            Fact("Accepted by", missed, kind="prose"),
        ),
        status,
        picture=heat_map(seen, last),
        details=tuple(Fact(name, answer) for name, answer in ANSWERS.items()),
        fold="What each of them answers to a wrong signature",
        note=f"Worked out from what each server checks: {VERSIONS}. Only the practice server "
        "runs here.",
    )


REFUSED, ACCEPTED = "#bfe3c6", "#f6c1bb"  # with dark text on both, in either theme


def heat_map(seen: set[str], last: str | None = None) -> Picture:
    """Servers × faults: who refuses what, for the faults that were sent."""
    rows = []
    for name in FAULTS:
        if name in seen:
            checks = fault(name)
            accepting = [s for s, skips in SKIPS.items() if refused_by(checks, skips) is None]
            rows.append(f"{name} is accepted by {', '.join(accepting) or 'nobody'}")
    desc = "A table of seven servers and six faulty requests. "
    desc += "; ".join(rows) + "." if rows else "Nothing was sent yet, so all cells are empty."
    title = "Who notices"
    narrow = Picture(title, desc, 340, 390, _narrow_map(seen, last))
    return Picture(title, desc, 760, 274, _wide_map(seen, last), narrow)


def _wide_map(seen: set[str], last: str | None) -> str:
    left, column, top = 124, 105, 48
    shapes = []
    for number, name in enumerate(FAULTS):
        x = left + number * column
        one, _, two = name.rpartition(" ")
        kind = "ink" if name == last else "t"
        shapes.append(
            handle(
                rect(x + 2, 2, column - 5, 42, "hot" if name == last else "box", rx=6),
                text(x + column / 2, 19, one, kind, "middle"),
                text(x + column / 2, 36, two, kind, "middle"),
                id=name,
                label=f"Send the request: {name}",
            )
        )
    for row, (server, skips) in enumerate(SKIPS.items()):
        y = top + row * 32
        shapes.append(text(4, y + 20, server, "strong"))
        for number, name in enumerate(FAULTS):
            x = left + number * column
            cell = _cell(x + 2, y, column - 5, 28, name in seen, name, skips)
            shapes.append(cell)
    return "".join(shapes)


def _narrow_map(seen: set[str], last: str | None) -> str:
    shapes = []
    for number, name in enumerate(FAULTS):
        x, y = 4 + number % 2 * 168, 4 + number // 2 * 40
        label = f"{number + 1} {name}"
        shapes.append(
            handle(
                rect(x, y, 162, 34, "hot" if name == last else "box", rx=6),
                text(x + 8, y + 22, label, "inkhex" if name == last else "t"),
                id=name,
                label=f"Send the request: {name}",
            )
        )
        shapes.append(text(134 + number * 36, 146, str(number + 1), "strong", "middle"))
    for row, (server, skips) in enumerate(SKIPS.items()):
        y = 154 + row * 33
        shapes.append(text(4, y + 20, server, "strong"))
        for number, name in enumerate(FAULTS):
            cell = _cell(118 + number * 36, y, 32, 28, name in seen, name, skips, words=False)
            shapes.append(cell)
    return "".join(shapes)


def _cell(
    x: float,
    y: float,
    width: float,
    height: float,
    sent: bool,
    name: str,
    skips: tuple[str, ...],
    *,
    words: bool = True,
) -> str:
    if not sent:
        return rect(x, y, width, height, "bare", rx=4)
    refused = refused_by(fault(name), skips) is not None
    said = ("✓" if refused else "✗") + (" refused" if refused else " accepted") * words
    return group(
        rect(x, y, width, height, "", fill=REFUSED if refused else ACCEPTED, rx=4),
        text(x + width / 2, y + 19, said, "ink", "middle"),
    )


# --- where a secret gets out --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leak:
    """One way out for a secret."""

    name: str
    how: str
    instead: str


LEAKS: dict[str, tuple[Leak, Leak]] = {
    "the file": (
        Leak(
            "git",
            "A .env that was committed once stays in the history, even after you delete it.",
            "Put .env into .gitignore first. Commit a .env.example that has names and no values.",
        ),
        Leak(
            "chat or wiki",
            "Kim pasted it “so that we have it”. Now everybody can search for it, for years.",
            "Share it through a password manager or a secret store, person by person.",
        ),
    ),
    "the command line": (
        Leak(
            "shell history",
            "PUSHER_SECRET=… python tracker.py is a line in a file now, such as ~/.bash_history.",
            "Type it where nothing records it: read -rs PUSHER_SECRET; export PUSHER_SECRET.",
        ),
        Leak(
            "ps",
            'Arguments are public: openssl dgst -hmac "$PUSHER_SECRET" shows the value to anybody '
            "on that machine who runs ps at the right moment.",
            "Pass it in the environment or on standard input, never as an argument.",
        ),
    ),
    "the build": (
        Leak(
            "CI log",
            "A debugging env or set -x prints it, and logs are kept. A mask hides the plain value, "
            "but not its base64 or percent-encoded form.",
            "Store it as a secret of the CI, for one step only, and print nothing.",
        ),
        Leak(
            "browser code",
            "Bundlers copy variables with certain names (VITE_…, NEXT_PUBLIC_…) into the "
            "JavaScript. Every visitor can read them.",
            "The app key may go to the browser. The secret may not: sign on your server.",
        ),
    ),
    "the program": (
        Leak(
            "error or log",
            "Error trackers send local variables along, and an error may repeat a whole "
            "PUSHER_URL.",
            "Keep it in an object that never prints it, such as Credentials. Log the app key.",
        ),
        Leak(
            "notebook",
            "A notebook is a file. It saves its cells, its outputs, and what's in its widgets, "
            "even password fields.",
            "Read it from the environment or from a hidden prompt. Clear outputs before you share.",
        ),
    ),
}
_BY_NAME = {leak.name: leak for pair in LEAKS.values() for leak in pair}


def _point(leak: str, event: Gesture) -> str:
    return event.id if event.kind == "press" and event.id in _BY_NAME else leak


@lesson.explorer
def ways_out() -> Explorer:
    """Press a place to see how a secret gets out there, and what to do instead."""
    return Explorer(_ways_out, leak=gesture("", _point))


def _ways_out(leak: str) -> View:
    chosen = _BY_NAME.get(leak)
    return View(
        "Where a secret gets out",
        (
            Fact("How", chosen.how if chosen else "Press one of the eight.", kind="prose"),
            Fact("Instead", chosen.instead if chosen else "–", kind="prose"),
        ),
        f"Out through: {chosen.name}." if chosen else "The secret has one job, and eight ways out.",
        picture=ways(leak),
    )


def ways(leak: str = "") -> Picture:
    """Four places that hold the secret, two ways out of each, and the one way that's meant."""
    places = "; ".join(f"out of {p}: {a.name}, {b.name}" for p, (a, b) in LEAKS.items())
    desc = f"A secret goes from place to place until it keys the HMAC. Ways out, {places}. "
    desc += "What the HMAC makes, the signature, may be seen."
    title = "Where a secret gets out"
    wide = "".join(
        _place(place, pair, leak, 4 + n * 162, 4, chain=n < len(LEAKS))
        for n, (place, pair) in enumerate(LEAKS.items())
    )
    wide += rect(652, 4, 124, 34, "good", rx=6) + text(714, 26, "✓ signature", "okt", "middle")
    wide += text(714, 58, "HMAC: may be seen", "small", "middle")
    narrow = "".join(
        _place(place, pair, leak, 4 + n % 2 * 170, 4 + n // 2 * 158, chain=n % 2 == 0)
        for n, (place, pair) in enumerate(LEAKS.items())
    )
    narrow += rect(4, 320, 316, 34, "good", rx=6)
    narrow += text(162, 342, "✓ HMAC → signature: may be seen", "okt", "middle")
    return Picture(title, desc, 780, 152, wide, Picture(title, desc, 340, 360, narrow))


def _place(
    place: str, pair: tuple[Leak, Leak], leak: str, x: float, y: float, *, chain: bool
) -> str:
    width = 142
    shapes = [
        rect(x, y, width, 34, "s5", rx=6),
        text(x + width / 2, y + 22, place, "t5", "middle"),
    ]
    if chain:
        shapes.append(arrow(x + width + 2, y + 17, x + width + 18, y + 17))
    for number, each in enumerate(pair):
        top = y + 56 + number * 46
        lit = each.name == leak
        shapes += [
            path(f"M{x + 10} {y + 36}V{top + 17}H{x + 20}", "wrong"),
            handle(
                rect(x + 20, top, width - 20, 34, "hot" if lit else "box", rx=6),
                text(x + 28, top + 22, "✗", "ink" if lit else "badt"),
                text(x + 44, top + 22, each.name, "inkhex" if lit else "t"),
                id=each.name,
                label=f"How a secret gets out through: {each.name}",
            ),
        ]
    return "".join(shapes)


# --- whose settings -----------------------------------------------------------------------------

NAMES = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET", "PUSHER_HOST")


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, and where they come from."""

    credentials: Credentials
    source: str
    practice: bool = False
    """Whether these are the published example values, for the practice server."""

    @property
    def host(self) -> str:
        """The host to send to, as a button names it."""
        if self.practice:
            return "the practice server"
        return self.credentials.base_url.partition("://")[2]


def find(environ: Mapping[str, str] | None = None) -> Found:
    """The app that the environment names, or the practice server's if it names none.

    Never asks, and never raises: what's wrong with the environment is said in `source`.
    """
    environ = os.environ if environ is None else environ
    try:
        if any(environ.get(name) for name in NAMES[:3]):
            return Found(Credentials.from_env(environ), "the environment (PUSHER_APP_ID, …)")
        if environ.get("PUSHER_URL"):
            return Found(Credentials.from_url(environ["PUSHER_URL"]), "the environment, PUSHER_URL")
        why = "the published example, because the environment names no app"
    except InvalidCredentials as error:  # its message never repeats the secret
        why = f"the published example, because those in the environment can't be right. {error}"
    return Found(EXAMPLE_CREDENTIALS, why, practice=True)


def ask() -> Credentials:
    """Ask for an app. The secret isn't shown while it's typed, and it isn't stored."""
    try:
        return Credentials(
            app_id=input("App id: ").strip(),
            key=input("App key: ").strip(),
            secret=getpass.getpass("Secret (hidden): ").strip(),
            base_url=input(f"Host (empty for {DEFAULT_BASE_URL}): ").strip() or DEFAULT_BASE_URL,
        )
    except InvalidCredentials as error:
        problem = str(error)
    # Raised again here: the traceback of the first would lead to where the secret is.
    raise InvalidCredentials(problem)


# --- the dry run, and one event -----------------------------------------------------------------

SHOWN_CHARACTERS = 300  # of an answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending: a status and a text, or the reason why there is none."""

    status: int | None
    text: str
    arrived: Message | None = None

    @property
    def hidden_error(self) -> bool:
        """Whether a success has an error inside, as some servers answer to what they refuse."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return self.status in (200, 202) and isinstance(body, dict) and "error" in body

    @property
    def accepted(self) -> bool:
        """Success, and no error in the body."""
        return self.status in (200, 202) and not self.hidden_error


def request_of(credentials: Credentials, body: bytes, timestamp: int) -> httpx.Request:
    """The request that a press would send."""
    path = f"/apps/{credentials.app_id}/events"
    signed = sign(credentials, "POST", path, body=body, timestamp=timestamp)
    return httpx.Request(
        "POST",
        credentials.base_url + path,
        params=signed.query,
        content=body,
        headers={"Content-Type": "application/json"},
    )


class Desk(Explorer):
    """Write an event, read the request that it becomes, and send it if you say so.

    `transport` is an httpx transport, for tests. The clock is the machine's own, but stands still
    for the practice server. The twin always shows the published example: nothing of your app is
    stored in the notebook.
    """

    def __init__(self, found: Found, *, transport: httpx.BaseTransport | None = None) -> None:
        self._credentials = found.credentials
        super().__init__(
            partial(_desk, found, transport),
            channel=line("Channel", "order-41"),
            name=line("Event", "status"),
            data=line("Data", '{"status":"delivered"}'),
            send=button(f"Send to {found.host}"),
            code=[request_of],
        )
        self.twin = replace(_desk(find({}), None, **self.values), code=self.view.code)

    def hear(self, event: Gesture) -> None:
        """Only the button sends: Enter in a field is too easily hit for a real host."""
        if event.kind != "enter":
            super().hear(event)

    def read(self, values: dict[str, Any]) -> None:
        """Take what was typed; but a secret is taken out of its field at once."""
        held = {n: "" for n, v in values.items() if isinstance(v, str) and self._holds(v)}
        if held:
            self.stage.put = {}  # so that the same thing can be put a second time
            self.put(held)
            self.stage.typed = {**self.stage.typed, **held}
            values = {**values, **held}
        super().read(values)
        if held:
            said = "That was your app's secret, so it was taken out of the field. Nothing was sent."
            self.show(replace(self.view, status=said, good=False))

    def _holds(self, typed: str) -> bool:
        return self._credentials.holds(typed)


def desk(app: Found | Credentials | None = None) -> Desk:
    """A dry run, and a button that sends; for the environment's app, unless you give another."""
    if isinstance(app, Credentials):
        app = Found(app, "what you typed")
    return Desk(app or find())


lesson.explorer(desk)


def _desk(
    found: Found,
    transport: httpx.BaseTransport | None,
    channel: str,
    name: str,
    data: str,
    send: bool,
) -> View:
    credentials = found.credentials
    title = f"One event for {found.host}"
    where = (
        Fact("Goes to", found.host if found.practice else credentials.base_url),
        Fact("Settings from", found.source, kind="prose"),
    )
    try:
        body = event_body(Event.of(channel, name, data))
    except InvalidEvent as error:
        facts = (*where, Fact("Answer", "not sent"), Fact("Arrived", "nothing"))
        return View(title, facts, f"Not signed, and nothing was sent. {error}", False)
    now = EXAMPLE_TIMESTAMP if found.practice else int(time.time())
    journey = prepare(body, credentials, timestamp=now)
    if not send:
        status, good = "Dry run: this is the whole request, and nothing was sent.", None
        said, arrived = "not sent yet", "nothing yet"
    else:
        request = request_of(credentials, body, now)
        practises = found.practice and transport is None
        answer = _practise(request) if practises else _send_away(credentials, request, transport)
        status, good = _verdict(found, answer), answer.accepted
        safe = credentials.hide(answer.text)  # before the cut, which might leave half of a secret
        said = f"{answer.status or ''} {safe[:SHOWN_CHARACTERS]}".strip()
        arrived = "look at one of your own subscribers"
        if found.practice:
            got = answer.arrived
            arrived = f'"{got.event}" on {got.channel}' if got else "nothing"
    return View(
        title,
        (*where, Fact("Answer", said), Fact("Arrived", arrived, kind="prose")),
        status,
        good,
        picture=drawing(journey),
        details=_stages(credentials, journey),
        fold="The whole request, stage by stage",
    )


def _stages(credentials: Credentials, journey: Journey) -> tuple[Fact, ...]:
    return tuple(replace(each, value=credentials.hide(each.value)) for each in stage_facts(journey))


def _verdict(found: Found, answer: Answer) -> str:
    if answer.status is None:
        return f"No answer from {found.host}. The reason is below, under Answer."
    if answer.hidden_error:
        return f"Refused by {found.host}: the status says success, but the body says error."
    if not answer.accepted:
        return f"Refused by {found.host}. Nothing was published."
    if found.practice:
        return "Accepted by the practice server, and the event arrived."
    return f"Accepted by {found.host}."


def _send_away(
    credentials: Credentials, request: httpx.Request, transport: httpx.BaseTransport | None
) -> Answer:
    try:
        with Client(credentials, transport=transport) as client:
            response = client.http.send(request, auth=None)  # it is signed already
    except (httpx.HTTPError, PusherError, OSError) as error:
        return Answer(None, f"{type(error).__name__}: {error}")
    return Answer(response.status_code, response.text)


def _practise(request: httpx.Request) -> Answer:
    """Send to a practice server in this process, with a subscriber on the event's channel."""
    server, heard = Practice(), list[Message]()
    channel = json.loads(request.content)["channels"][0]
    try:
        server.subscribe(channel, on_message=heard.append)
        response = server.http.send(request)
    except (httpx.HTTPError, PusherError, OSError) as error:
        return Answer(None, str(error))
    return Answer(response.status_code, response.text.strip(), heard[0] if heard else None)


# --- the exercises ------------------------------------------------------------------------------


def _random(chance: random.Random, digits: int = 20) -> str:
    return "".join(chance.choice("0123456789abcdef") for _ in range(digits))


def _some_app(chance: random.Random) -> dict[str, str]:
    """The variables of an app that doesn't exist. Its secret has characters special to URLs."""
    return {
        "PUSHER_APP_ID": str(chance.randint(100_000, 999_999)),
        "PUSHER_KEY": _random(chance),
        "PUSHER_SECRET": f"{_random(chance, 8)}/{_random(chance, 8)}+{_random(chance, 4)}",
        "PUSHER_HOST": f"push.example.com:{chance.randint(1_024, 9_999)}",
    }


def _some_environments(chance: random.Random) -> Iterator[tuple[dict[str, str]]]:
    """One complete, one with a variable left out and one empty, one with a third."""
    yield (_some_app(chance),)
    out, empty, blank = chance.sample(NAMES, 3)
    app = _some_app(chance)
    del app[out]
    yield ({**app, empty: ""},)
    yield ({**_some_app(chance), empty: "", blank: "  "},)


@lesson.exercise(given=_some_environments)
def complaints(environ: dict[str, str]) -> list[str]:
    """Return a sentence for each of NAMES that has no value in the environment, in their order."""
    return [
        f"{name} is missing: set it, then start again."
        for name in NAMES
        if not environ.get(name, "").strip()
    ]


@complaints.judge
def _one_sentence_each(result: Any, environ: dict[str, str]) -> None:
    if not isinstance(result, list) or not all(isinstance(each, str) for each in result):
        raise Wrong("Return a list of sentences, as text.", Fact("Yours", shown(result)))
    secret = environ.get("PUSHER_SECRET", "").strip()
    if secret and any(secret in sentence for sentence in result):
        raise Wrong("One of your sentences repeats the secret, and sentences end up in logs.")
    missing = [name for name in NAMES if not environ.get(name, "").strip()]
    named = [[name for name in NAMES if name in sentence] for sentence in result]
    if named != [[name] for name in missing]:
        has = {name: ("(a value)" if environ[name].strip() else environ[name]) for name in environ}
        raise Wrong(
            f"{len(missing)} of the four are without a value here, and your sentences don't name "
            "just those, one each, in order.",
            Fact("Environment", shown(has)),
            Fact("Yours", shown(result)),
        )
    if any(sentence == name for sentence, name in zip(result, missing, strict=True)):
        raise Wrong("A name alone isn't a sentence. Say that it's missing.")


complaints.hint("Three ways to have no value: not there at all, empty, or nothing but blanks.")
complaints.hint("environ.get('HOME', '') is '' where there's no HOME, so .strip() works on it.")
complaints.wrong(
    "A line PUSHER_KEY= in a .env makes a variable that's there, and empty. It's missing too.",
    lambda environ: [f"{name} is missing." for name in NAMES if name not in environ],
)
complaints.wrong(
    "Blanks aren't a value either. Strip them before you look.",
    lambda environ: [f"{name} is missing." for name in NAMES if not environ.get(name)],
)
complaints.wrong(
    "You stop at the first. Then the person who sets this up starts the program four times.",
    lambda environ: [f"{name} is missing." for name in NAMES if not environ.get(name, "").strip()][
        :1
    ],
)
complaints.why(
    "All of it at once, when the program starts, in words: that beats a KeyError at the first "
    "event, or a 401 that takes an hour. And no sentence repeats a value."
)
complaints.next("Credentials.from_env({}) does this for you. Compare its sentence with yours.")


# What people find when they search. The app and its secret don't exist.
LEAKED = "q7Xv/2mZk9+RtB4nLs8w"
PLACES = {
    "A": "source file     credentials = Credentials.from_env()",
    "B": f"shell history   PUSHER_SECRET='{LEAKED}' python tracker.py",
    "C": f"ps              openssl dgst -sha256 -hmac {LEAKED}",
    "D": "git             .env.example: PUSHER_SECRET=",
    "E": "browser         new Pusher('f05d0c9b', {wsHost: 'push.example.com'})",
    "F": f"error tracker   timeout: https://f05d0c9b:{quote(LEAKED, safe='')}@push.example.com",
    "G": f"server log      auth_signature={hmac_sha256(LEAKED, 'POST')}",
    "H": f"CI log          SETTINGS={base64.b64encode(f'secret={LEAKED}'.encode()).decode()}",
}


def _gives_away(line: str) -> bool:
    encoded = base64.b64encode(f"secret={LEAKED}".encode()).decode()
    return any(form in line for form in (LEAKED, quote(LEAKED, safe=""), encoded))


@lesson.value
def leaks() -> str:
    """Give the letters of all places where somebody can read the secret, such as "AD"."""
    return "BCFH"


@leaks.judge
def _letters(result: Any) -> None:
    if not isinstance(result, str):
        raise Wrong('Give the letters as text, such as "AD".', Fact("Yours", shown(result)))
    named = {letter for letter in result.upper() if letter in PLACES}
    right = {letter for letter, said in PLACES.items() if _gives_away(said)}
    if too_many := sorted(named - right):
        raise Wrong("One of yours gives nothing away.", Fact("Harmless", PLACES[too_many[0]]))
    if missing := len(right - named):
        places = "1 more place gives" if missing == 1 else f"{missing} more places give"
        raise Wrong(f"{places} it away. Encoded isn't hidden.")


leaks.hint("Search for the secret itself first. Then for what it looks like percent-encoded.")
leaks.hint("One is base64. import base64; base64.b64decode('aGVsbG8=') is b'hello'.")
leaks.wrong("These two are in plain sight. Two more are only encoded.", "BC")
leaks.wrong("One is left. CI masks the plain value in a log, but not another form of it.", "BCF")
leaks.wrong(
    "G is the one too many. A signature can't be turned back into the secret, as long as the "
    "secret is long and random. A short word could be found by trying a dictionary.",
    "BCFGH",
)
leaks.wrong(
    "E is the one too many. That's the app key, which every browser needs. It opens nothing alone.",
    "BCEFH",
)
leaks.wrong("D is the one too many. It has the name and no value, just as it should.", "BCDFH")
leaks.why(
    "History, ps, an error, a log: none of them is source code, so no code review finds them. "
    "Percent-encoding and base64 hide nothing."
)
leaks.next("Search your own: grep -c PUSHER_SECRET in your shell's history file. Is it 0?")


def _some_servers(chance: random.Random) -> Iterator[tuple[list[str]]]:
    yield (["Slanger", "soketi"],)
    yield (["Reverb", "pusher-fake"],)
    yield (["soketi", chance.choice(["Reverb", "Sockudo"])],)
    yield (chance.sample(sorted(SKIPS), 2),)


@lesson.exercise(given=_some_servers)
def unproven(servers: list[str]) -> list[str]:
    """Return the RULES that stay untested when your tests are green on all of these servers."""
    return [rule for rule in RULES if all(rule in SKIPS[server] for server in servers)]


unproven.hint("A rule is tested as soon as one of the servers checks it.")
unproven.hint("all(n > 2 for n in [3, 1]) is False; any(n > 2 for n in [3, 1]) is True.")
unproven.wrong(
    "These are skipped by at least one. But if another one checks it, it's tested.",
    lambda servers: [rule for rule in RULES if any(rule in SKIPS[s] for s in servers)],
)
unproven.wrong(
    "These are the rules that were tested. The question is which ones nobody looked at.",
    lambda servers: [rule for rule in RULES if any(rule not in SKIPS[s] for s in servers)],
)
unproven.wrong(
    "This looks at the first server only.",
    lambda servers: [rule for rule in RULES if rule in SKIPS[servers[0]]],
)
unproven.why(
    "A green test says something about a rule only if a server looked. Two lenient servers that "
    "skip the same rule prove no more than one."
)
unproven.next("Which two servers, apart from the practice server and Poxa, leave nothing out?")


# --- find, explain, fix -------------------------------------------------------------------------

_PIECE = 4  # characters in a row that are too much of a secret


def broken_describe(environ: dict[str, str]) -> str:
    return f"using {environ['PUSHER_URL']}"


def _some_urls(chance: random.Random) -> Iterator[tuple[dict[str, str]]]:
    for _ in range(2):
        app = _some_app(chance)
        # Upper case, so that no piece of it is in the app key by chance.
        secret = quote(app["PUSHER_SECRET"].upper().replace("0", "X"), safe="")
        address = f"{app['PUSHER_HOST']}/apps/{app['PUSHER_APP_ID']}"
        yield ({"PUSHER_URL": f"https://{app['PUSHER_KEY'].lower()}:{secret}@{address}"},)


@lesson.exercise(given=_some_urls)
def describe(environ: dict[str, str]) -> str:
    """Return a line for the log that has app id, app key and host, and nothing of the secret."""
    credentials = Credentials.from_url(environ["PUSHER_URL"])
    return f"using {credentials}"


@describe.judge
def _no_piece_of_it(result: Any, environ: dict[str, str]) -> None:
    if not isinstance(result, str):
        raise Wrong("A log wants text, and yours is something else.", Fact("Yours", shown(result)))
    right = Credentials.from_url(environ["PUSHER_URL"])
    host = right.base_url.partition("://")[2]
    rest = result
    for harmless in (right.key, right.app_id, host):
        rest = rest.replace(harmless, "")
    for secret in (right.secret, quote(right.secret, safe="")):
        pieces = [secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)]
        if any(piece.isalnum() and piece in rest for piece in pieces):
            raise Wrong("A piece of the secret is still in it.", Fact("Yours", shown(result)))
    for what, value in (("app id", right.app_id), ("app key", right.key), ("host", host)):
        if value not in result:
            raise Wrong(f"The line should still name the {what}.", Fact("Yours", shown(result)))


describe.broken(
    "The line has the secret in it. Find where, and change the function.", broken_describe
)
describe.hint("In a PUSHER_URL the secret is between the second colon and the @.")
describe.hint("print(Credentials(app_id='7', key='k', secret='s')) prints everything but the s.")
describe.wrong(
    "That prints the environment, with the whole URL in it.", lambda environ: f"using {environ}"
)


def _last_four(environ: dict[str, str]) -> str:
    secret = unquote(urlsplit(environ["PUSHER_URL"]).password or "")
    return f"using {Credentials.from_url(environ['PUSHER_URL'])}, secret …{secret[-4:]}"


describe.wrong(
    "Four characters of it are enough to make guessing the rest easier. Log none of them.",
    _last_four,
)
describe.wrong(
    "Now nobody can tell which app it was. Keep the app id, the app key and the host.",
    lambda environ: "using the app of PUSHER_URL",
)
describe.why(
    "Credentials leaves the secret out whenever it's printed, so nobody has to remember to. The "
    "app key is safe to log, and tells you which secret it was."
)
describe.next("Put a letter into the port. Does the error repeat the secret?")


# --- prove it -----------------------------------------------------------------------------------


def _some_mornings(chance: random.Random) -> Iterator[tuple[dict[str, str], list[str], str]]:
    rules = chance.sample(RULES, 3)
    for rule, (out, empty) in zip(
        rules, (("PUSHER_HOST", "PUSHER_KEY"), ("PUSHER_APP_ID", ""), ("", "")), strict=True
    ):
        app = _some_app(chance)
        secret, key = app["PUSHER_SECRET"], app["PUSHER_KEY"]
        lines = [
            f"openssl dgst -sha256 -hmac {secret}",
            f"no answer from https://{key}:{quote(secret, safe='')}@push.example.com",
            f"new Pusher('{key}')",
            f"auth_signature={hmac_sha256(secret, rule)}",
        ]
        chance.shuffle(lines)
        environ = {name: "" if name == empty else app[name] for name in app if name != out}
        yield environ, lines, rule


@lesson.exercise(given=_some_mornings, covers_lesson=True)
def prove_it(
    environ: dict[str, str], lines: list[str], rule: str
) -> tuple[list[str], list[str], list[str]]:
    """Return the NAMES without a value, the lines with the secret, the servers that check."""
    missing = [name for name in NAMES if not environ.get(name)]
    secret = environ["PUSHER_SECRET"]
    forms = (secret, quote(secret, safe=""))
    leaking = [line for line in lines if any(form in line for form in forms)]
    checking = [server for server in SKIPS if rule not in SKIPS[server]]
    return missing, leaking, checking


prove_it.hint("Three questions, three lists. Keep each in the order in which you were given it.")
prove_it.hint("quote('a/b', safe='') is 'a%2Fb'. Look for both forms of the secret.")
prove_it.wrong(
    "An empty value is missing too.",
    lambda environ, lines, rule: (
        [name for name in NAMES if name not in environ],
        *prove_it.solve(environ, lines, rule)[1:],
    ),
)


def _plain_only(environ: dict[str, str], lines: list[str], rule: str) -> Any:
    missing, _, checking = prove_it.solve(environ, lines, rule)
    return missing, [line for line in lines if environ["PUSHER_SECRET"] in line], checking


def _lenient(environ: dict[str, str], lines: list[str], rule: str) -> Any:
    missing, leaking, _ = prove_it.solve(environ, lines, rule)
    return missing, leaking, [server for server in SKIPS if rule in SKIPS[server]]


prove_it.wrong("A line has the secret percent-encoded, as in a URL. That's no better.", _plain_only)
prove_it.wrong("These servers skip the rule. Which ones check it?", _lenient)
prove_it.why(
    "That's the Monday checklist: settings complete, secret in no line that anybody keeps, and a "
    "test against a server that looks."
)
prove_it.next("Run the middle part over a real log of yours. Look for base64 as well.")
