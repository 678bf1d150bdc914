"""Lesson 11, ship it: lost answers, a secret that gets out, its successor, and what tests prove."""

from __future__ import annotations

import json
import random
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pusherkit.client import Client
from pusherkit.credentials import Credentials
from pusherkit.doctor.vectors import Vector, blind_spots
from pusherkit.errors import APIError
from pusherkit.events import Event, event_body, to_json
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
    gesture,
    shown,
    stopped_clock,
    tick,
)
from pusherkit.lessons.kit import Event as Gesture
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, group, handle, path, rect, text
from pusherkit.lessons.kit.view import Action
from pusherkit.sandbox.api import Exchange, Explanation, Sandbox, Unauthorized, matrix
from pusherkit.sandbox.personalities import Played
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.signing import Request, canonical_string, hmac_sha256, judge, sign
from pusherkit.subscriber import Message

lesson = Lesson("11-ship-it", stages=(5, 6))
map = lesson.map
recall = lesson.recall_card

APP, NOW = EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A secret was pasted with a newline at the end. Which of the server's checks fails?",
    {
        "auth_signature": "The newline became part of what keys the HMAC.",
        "auth_key": "The app key is a separate value, and it's fine.",
        "body_md5": "You don't need the secret for the body hash.",
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
    why="It's all or nothing. Not every server has the same limit, though.",
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
    "You publish, and no answer comes within five seconds. Has the event gone out?",
    {
        "No, or the server would have said so": "Maybe it did say so. Answers get lost, too.",
        "There's no telling": "The same error can mean either.",
        "Yes, and only the server is slow": "It may never have heard of it.",
    },
    why="A request can get lost on its way there, and an answer on its way back. To you, both "
    "look exactly the same: nothing comes.",
)
def no_answer() -> tuple[str, Fact]:
    arrived, errors = [], set()
    for lost in ("request lost", "answer lost"):
        line = Line([lost])
        try:
            line.publish("1", "delivered")
        except TimeoutError as error:
            errors.add(str(error))
        arrived.append(len(line.arrived))
    said = {(0, 0): "No, or the server would have said so", (0, 1): "There's no telling"}
    return said[arrived[0], arrived[1]], Fact(
        "Arrived",
        f"{arrived[0]} times where the request got lost, once where the answer did. The error is "
        f"the same both times: {', '.join(errors)}",
        kind="prose",
    )


# --- a line that loses things -------------------------------------------------------------------

MAX_TRIES = 20  # on one Line: no exercise needs as many, and an endless loop ends


class Line:
    """A practice server at the end of a bad line, and a page that listens to order 41.

    `fates` says what becomes of each try: "fine", "request lost" or "answer lost"; the last one
    goes on for ever. `others` are the lines of the same check, and this one joins them.
    """

    def __init__(self, fates: list[str], others: list[Line] | None = None) -> None:
        self.fates = fates
        self.others = [] if others is None else others
        self.others.append(self)
        self.tries = 0
        self.ids: list[str] = []
        """The id of each try."""
        self.arrived: list[dict[str, Any]] = []
        """The data of each event as it reached the page."""
        self._server = Practice()
        self._server.subscribe("order-41", on_message=self._hear)

    def publish(self, id: str, status: str) -> None:
        """Sign one event, now, and send it. Raises TimeoutError where no answer comes."""
        if self.tries == MAX_TRIES:
            raise RuntimeError(f"You've tried {MAX_TRIES} times. When does your loop end?")
        fate = self.fates[min(self.tries, len(self.fates) - 1)]
        self.tries += 1
        self.ids.append(id)
        if fate != "request lost":
            self._server.client.trigger("order-41", "status", {"id": id, "status": status})
        if fate != "fine":
            raise TimeoutError("No answer within 5 s.")

    def _hear(self, message: Message) -> None:
        self.arrived.append(json.loads(str(message.data)))

    @property
    def shared_id(self) -> str | None:
        """An id that an event on another line has, too."""
        others = [id for line in self.others if line is not self for id in line.ids]
        return next((id for id in self.ids if id in others), None)

    @property
    def shown(self) -> list[str]:
        """What the page shows: each event once, since it ignores an id that it has seen."""
        statuses = {each["id"]: each["status"] for each in reversed(self.arrived)}
        return list(statuses.values())[::-1]

    def __repr__(self) -> str:
        return f"<Line: {', '.join(self.fates)}>"


def _lines(chance: random.Random) -> Iterator[tuple[Line, str]]:
    lost = chance.choice(["request lost", "answer lost"])
    together: list[Line] = []
    for fates in (
        ["answer lost", "fine"],
        ["request lost", "fine"],
        ["answer lost", "request lost", lost, "answer lost", "fine"],
        ["fine"],
        ["request lost"],
    ):
        yield Line(fates, together), chance.choice(["preparing", "out for delivery", "delivered"])


@lesson.exercise(given=_lines)
def deliver(line: Line, status: str) -> bool:
    """Publish a status, with at most five tries; return whether an answer came."""
    event_id = str(uuid.uuid4())
    for _ in range(5):
        try:
            line.publish(event_id, status)
        except TimeoutError:
            continue
        return True
    return False


@deliver.observe
def _what_became_of_it(result: object, line: Line, status: str) -> tuple[object, int, list[str]]:
    return result, line.tries, line.shown


@deliver.judge
def _shown_once(done: tuple[Any, int, list[str]], line: Line, status: str) -> None:
    result, tries, seen = done
    facts = (
        Fact("The line", ", ".join(line.fates)),
        Fact("Your tries", str(tries)),
        Fact("The page shows", ", ".join(seen) or "nothing"),
    )
    reachable = "fine" in line.fates
    if len(seen) > 1:
        raise Wrong("The page shows it more than once.", *facts)
    if reachable and tries < len(line.fates):
        raise Wrong("You stop before an answer came. Try again, up to five times.", *facts)
    if reachable and tries > len(line.fates):
        raise Wrong("You keep trying even though an answer came.", *facts)
    if tries != (len(line.fates) if reachable else 5):
        raise Wrong("Nobody ever answers here. Stop after five tries.", *facts)
    if seen != ([status] if reachable else []):
        raise Wrong("That isn't the status that you were given.", *facts)
    ids = [each["id"] for each in line.arrived]
    if not all(isinstance(each, str) and each for each in ids):
        raise Wrong("An id should be text.", Fact("Yours", shown(ids[0])))
    if status in ids:
        raise Wrong(
            "Your id is the status. Another event with that status would be taken for a copy.",
            Fact("Yours", shown(status)),
        )
    if result is not reachable:
        raise Wrong(f"Return {reachable} here.", Fact("Yours", shown(result)), *facts)
    shared = next(filter(None, (each.shared_id for each in line.others)), None)
    if line is line.others[-1] and shared is not None:  # once all else is right
        raise Wrong(
            "Two events have the same id, so a page would take the second for a copy of the first. "
            "Each call of your function is an event of its own: str(uuid.uuid4()) makes a new id.",
            Fact("Yours", shown(shared)),
        )


deliver.hint("Choose the id once, before the loop. Then every try is the same event.")
deliver.hint("try: … except TimeoutError: continue, inside for _ in range(5).")


def _an_id_a_try(line: Line, status: str) -> bool:
    for number in range(5):
        try:
            line.publish(str(number), status)
        except TimeoutError:
            continue
        return True
    return False


def _one_try(line: Line, status: str) -> bool:
    try:
        line.publish("1", status)
    except TimeoutError:
        return False
    return True


def _takes_silence_for_success(line: Line, status: str) -> bool:
    with suppress(TimeoutError):
        line.publish("1", status)
    return True


def _always_five(line: Line, status: str) -> bool:
    answered = False
    for _ in range(5):
        try:
            line.publish("1", status)
            answered = True
        except TimeoutError:
            pass
    return answered


deliver.wrong(
    "You give each try its own id, so to the page they're different events. Give an event one id, "
    "however often you send it.",
    _an_id_a_try,
)
deliver.wrong("You give up after one try, so the event may never have gone out.", _one_try)
deliver.wrong(
    "You treat no answer as success. If the request got lost, nobody heard of the event.",
    _takes_silence_for_success,
)
deliver.wrong("An answer came, but you send it again anyway. Stop there.", _always_five)
deliver.why(
    "You can't make sure that it goes out exactly once. Trying again makes it likely to arrive, "
    "perhaps twice; the id lets each receiver drop the copies. Each try is signed again, too."
)
deliver.next("Wait longer after each try, as in lesson 07. Where in your loop does that go?")


# --- where a secret gets out --------------------------------------------------------------------

LEAKED = "q7Xv/2mZk9+RtB4nLs8w"  # of an app that doesn't exist
LEAKED_KEY = "f05d0c9be4"


def spelled(secret: str) -> dict[str, str]:
    """The same secret in the spellings in which it turns up."""
    return {
        "as it is": secret,
        "percent-encoded": quote(secret, safe=""),
        "base64": b64encode(f"{LEAKED_KEY}:{secret}".encode()).decode(),  # together with the key
        "hex": secret.encode().hex(),
    }


_SPELLED = spelled(LEAKED)


@dataclass(frozen=True, slots=True)
class Leak:
    """One way out for a secret."""

    name: str
    found: str
    """What somebody finds there, with {} for the secret."""
    spelling: str
    how: str
    instead: str

    @property
    def line(self) -> str:
        """What somebody finds there."""
        return self.found.replace("{}", _SPELLED[self.spelling])


LEAKS: dict[str, tuple[Leak, Leak]] = {
    "the file": (
        Leak(
            "git",
            ".env: PUSHER_SECRET={}",
            "as it is",
            "A .env that was committed once stays in the history, even after you delete it.",
            "Put .env into .gitignore first. Commit a .env.example that has names and no values.",
        ),
        Leak(
            "chat or wiki",
            "Kim: the new one is {}, so that we have it",
            "as it is",
            "Now everybody in the team can search for it, for years.",
            "Share it through a password manager or a secret store, person by person.",
        ),
    ),
    "the command line": (
        Leak(
            "shell history",
            "PUSHER_SECRET='{}' python tracker.py",
            "as it is",
            "The shell saves what you type in a file, such as ~/.bash_history.",
            "Type it where nothing records it: read -rs PUSHER_SECRET; export PUSHER_SECRET.",
        ),
        Leak(
            "ps",
            "openssl dgst -sha256 -hmac {}",
            "as it is",
            "Arguments are public: anybody on that machine who runs ps at that moment sees them.",
            "Pass it in the environment or on standard input, never as an argument.",
        ),
    ),
    "the build": (
        Leak(
            "CI log",
            "+ curl -H 'Authorization: Basic {}'",
            "base64",
            "set -x prints it, and logs are kept. CI masks the plain value, but no other form.",
            "Store it as a CI secret, for one step only, and print nothing.",
        ),
        Leak(
            "browser code",
            'fetch("/events",{headers:{Authorization:"Basic {}"}})',
            "base64",
            "Bundlers copy variables with certain names (VITE_…, NEXT_PUBLIC_…) into the "
            "JavaScript, and every visitor can read that.",
            "The app key may go to the browser. The secret may not: sign on your server.",
        ),
    ),
    "the program": (
        Leak(
            "URL or log",
            f"timeout: https://{LEAKED_KEY}:{{}}@push.example.com/apps/7",
            "percent-encoded",
            "An error repeats the whole PUSHER_URL, and the log goes to people who aren't you.",
            "Keep it in an object that never prints it, such as Credentials. Log the app key.",
        ),
        Leak(
            "error tracker",
            "locals: secret_bytes={}",
            "hex",
            "Trackers send local variables along with a traceback, in a spelling of their own.",
            "Switch that off, or list the variables to leave out. Better, have no such variable.",
        ),
    ),
}
_BY_NAME = {leak.name: leak for pair in LEAKS.values() for leak in pair}


def _point(leak: str, event: Gesture) -> str:
    return event.id if event.kind == "press" and event.id in _BY_NAME else leak


@lesson.explorer
def ways_out() -> Explorer:
    """Press a place to see what's there; choose what to search for, and see what it finds."""
    return Explorer(
        _ways_out,
        leak=gesture("error tracker", _point),
        percent=tick("Percent-encoded, too"),
        inside=tick("Inside base64, too"),
        hexed=tick("Hex, too"),
        code=[spelled],
    )


def _ways_out(leak: str, percent: bool, inside: bool, hexed: bool) -> View:
    chosen = _BY_NAME[leak]
    spellings = {"as it is"}
    spellings |= {"percent-encoded"} if percent else set()
    spellings |= {"base64"} if inside else set()
    spellings |= {"hex"} if hexed else set()
    found = {each.name for each in _BY_NAME.values() if each.spelling in spellings}
    return View(
        "Where a secret gets out",
        (
            Fact("What's there", chosen.line),
            Fact("How", chosen.how, kind="prose"),
            Fact("Instead", chosen.instead, kind="prose"),
        ),
        f"Your search finds it in {len(found)} of {len(_BY_NAME)} places.",
        len(found) == len(_BY_NAME) or None,
        picture=ways(leak, found),
        note=f"The secret is {LEAKED}.",
    )


def ways(leak: str, found: set[str]) -> Picture:
    """Four places that hold the secret, two ways out of each, and the one way that's meant."""
    places = "; ".join(f"out of {p}: {a.name}, {b.name}" for p, (a, b) in LEAKS.items())
    hidden = ", ".join(name for name in _BY_NAME if name not in found)
    desc = f"A secret goes from place to place until it keys the HMAC. Ways out, {places}. "
    desc += f"Your search doesn't find: {hidden or 'none of them'}. "
    desc += "What the HMAC makes, the signature, may be seen."
    title = "Where a secret gets out"
    wide = "".join(
        _place(place, pair, leak, found, 4 + n * 162, 4, chain=n < len(LEAKS))
        for n, (place, pair) in enumerate(LEAKS.items())
    )
    wide += rect(652, 4, 124, 34, "good", rx=6) + text(714, 26, "✓ signature", "okt", "middle")
    wide += text(714, 58, "HMAC: may be seen", "small", "middle")
    wide += _finds(652, 104, 127)
    narrow = "".join(
        _place(place, pair, leak, found, 4 + n % 2 * 170, 4 + n // 2 * 158, chain=n % 2 == 0)
        for n, (place, pair) in enumerate(LEAKS.items())
    )
    narrow += rect(4, 320, 316, 34, "good", rx=6)
    narrow += text(162, 342, "✓ HMAC → signature: may be seen", "okt", "middle")
    narrow += _finds(8, 378, 396)
    return Picture(title, desc, 780, 152, wide, Picture(title, desc, 340, 402, narrow))


def _finds(x: float, first: float, second: float) -> str:
    """What the marks on the eight places mean."""
    words = ("✓", "okt", "your search finds it", first), ("?", "badt", "it doesn't", second)
    return "".join(
        text(x, y, mark, kind) + text(x + 16, y, said, "small") for mark, kind, said, y in words
    )


def _place(
    place: str,
    pair: tuple[Leak, Leak],
    leak: str,
    found: set[str],
    x: float,
    y: float,
    *,
    chain: bool,
) -> str:
    width = 142
    shapes = [
        path(f"M{x:g} {y + 35:g}h{width}", "s5"),
        text(x + width / 2, y + 22, place, "t5", "middle"),
    ]
    if chain:
        shapes.append(arrow(x + width + 2, y + 17, x + width + 18, y + 17))
    for number, each in enumerate(pair):
        top = y + 56 + number * 46
        lit, seen = each.name == leak, each.name in found
        shapes += [
            path(f"M{x + 10} {y + 36}V{top + 17}H{x + 20}", "wrong"),
            handle(
                rect(x + 20, top, width - 20, 34, "hot" if lit else "box", rx=6),
                text(
                    x + 27,
                    top + 22,
                    "✓" if seen else "?",
                    "inkt" if lit else "okt" if seen else "badt",
                ),
                text(x + 43, top + 22, each.name, "inkt" if lit else "t"),
                id=each.name,
                label=f"What is in: {each.name}. Your search {'finds' if seen else 'misses'} it.",
            ),
        ]
    return "".join(shapes)


def _random(chance: random.Random, digits: int = 20) -> str:
    return "".join(chance.choice("0123456789abcdef") for _ in range(digits))


def _some_secret(chance: random.Random) -> str:
    """One with characters that URLs and JSON write otherwise."""
    return f"{_random(chance, 8)}/{_random(chance, 7)}+{_random(chance, 4)}"


def _basic(key: str, secret: str) -> str:
    return "Basic " + b64encode(f"{key}:{secret}".encode()).decode()


def _some_files(chance: random.Random) -> Iterator[tuple[str, dict[str, str]]]:
    """A bundle of files and logs of a tracker. Three of the eight have nothing in them, and one or
    two have another app's secret: a name, or the look of a line, doesn't tell."""
    others = chance.sample([".bash_history", "bundle.js", "access.log", "trace.txt", "ci.log"], 5)
    for turn in range(3):
        key, secret = _random(chance, 12 + turn), _some_secret(chance)
        files = _files(key, secret, upper=turn > 0)
        elsewhere = _files(key, _some_secret(chance), upper=turn > 0)
        files |= {name: elsewhere[name] for name in others[turn::3]}
        names = chance.sample(sorted(files), len(files))
        yield secret, {name: files[name] for name in names}


def _files(key: str, secret: str, *, upper: bool) -> dict[str, str]:
    hexed = secret.encode().hex()
    return {
        "tracker.py": "app = Credentials.from_env()  # PUSHER_SECRET, PUSHER_KEY, …",
        ".bash_history": f"cd tracker\nPUSHER_SECRET='{secret}' python tracker.py",
        "bundle.js": f'var e="{key}",t={{headers:{{Authorization:"{_basic(key, secret)}"}}}}',
        "access.log": f'"GET /?url=https://{key}:{quote(secret, safe="")}@push.example.com"',
        "trace.txt": f"locals: key={key}, raw={hexed.upper() if upper else hexed}",
        "server.log": f"401 auth_key={key}&auth_signature={hmac_sha256(secret, 'POST')}",
        ".env.example": "PUSHER_KEY=\nPUSHER_SECRET=",
        "ci.log": f"+ env\nSETTINGS={b64encode(to_json({'secret': secret}).encode()).decode()}",
    }


@lesson.exercise(given=_some_files)
def leaking(secret: str, files: dict[str, str]) -> list[str]:
    """Return the names of the files in which somebody can read the secret, in any spelling."""
    found = []
    for name, content in files.items():
        readings = [content, unquote(content)]
        for word in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", content):
            for decode in (bytes.fromhex, b64decode):
                with suppress(ValueError):  # it only looked like one
                    readings.append(decode(word).decode(errors="replace"))
        if any(secret in reading for reading in readings):
            found.append(name)
    return found


@leaking.judge
def _the_right_files(result: Any, secret: str, files: dict[str, str]) -> None:
    if not isinstance(result, list | tuple | set) or not all(isinstance(n, str) for n in result):
        raise Wrong("Return a list of names of files.", Fact("Yours", shown(result)))
    right = leaking(secret, files)
    if strange := [name for name in result if name not in files]:
        raise Wrong("There's no file with that name.", Fact("Yours", shown(strange[0])))
    if extra := [name for name in result if name not in right]:
        facts = (Fact(extra[0], files[extra[0]]), Fact("secret", secret))
        raise Wrong("The secret isn't in one of yours.", *facts)
    if missing := [name for name in right if name not in result]:
        facts = (Fact(missing[0], files[missing[0]]), Fact("secret", secret))
        raise Wrong("Somebody can read it in this one, too.", *facts)
    if len(result) != len(set(result)):
        raise Wrong(
            "You name a file twice. Once it's found, go on to the next one.",
            Fact("Yours", shown(result)),
        )


leaking.hint("Make several readings of each text, and look for the secret in each of them.")
leaking.hint("re.findall(r'[A-Za-z0-9+/]{16,}=*', text) gives the words that could be encoded.")
leaking.hint("bytes.fromhex() and b64decode() raise a ValueError for a word that isn't one.")


def _searching(*ways: Callable[[str], str]) -> Callable[[str, dict[str, str]], list[str]]:
    return lambda secret, files: [
        name for name, text in files.items() if any(way(secret) in text for way in ways)
    ]


def _percent(secret: str) -> str:
    return quote(secret, safe="")


leaking.wrong(
    "That's in plain sight. Encoded isn't hidden: look for other spellings.", _searching(str)
)
leaking.wrong(
    "Plain and percent-encoded are done. Base64 and hex are left.", _searching(str, _percent)
)
leaking.wrong(
    "The base64 of the secret by itself is in none of them: three bytes make four characters, so "
    "the text in front of it changes all of them. Decode the words, and look inside.",
    _searching(
        str,
        _percent,
        lambda secret: b64encode(secret.encode()).decode(),
        lambda secret: secret.encode().hex(),
        lambda secret: secret.encode().hex().upper(),
    ),
)
leaking.wrong(
    "PUSHER_SECRET is only the name. A file can contain that without the value.",
    lambda secret, files: [name for name, text in files.items() if "PUSHER_SECRET" in text],
)
leaking.wrong(
    "An app key isn't a secret, and a signature can't be turned back into one.",
    lambda secret, files: [name for name in files if name not in ("tracker.py", ".env.example")],
)
leaking.why(
    "CI's mask and an editor's search only look for the plain value. If you decode each word that "
    "could be encoded, you find the rest, and a whole log takes a second."
)
leaking.next("Run it over your own shell history and your last CI log. Then over a bundle.")


# --- a new secret, and nobody notices -----------------------------------------------------------

STEPS = {
    "A": "Switch the old app key and its secret off.",
    "B": "Give server two the new pair.",
    "C": "Make a new app key and secret. The old pair stays valid.",
    "D": "Look into the log: does anybody still send the old app key?",
    "E": "Give server one the new pair.",
}
OLD = replace(APP, key="old-key", secret="secret-number-1")  # noqa: S106 - made up
NEW = replace(APP, key="new-key", secret="secret-number-2")  # noqa: S106 - made up


def outage(plan: str) -> str:
    """Carry a plan out. After each step, two servers publish; return the first refusal, or ""."""
    valid, servers = [OLD], {"server one": OLD, "server two": OLD}
    for step in plan:
        if step == "A":
            valid.remove(OLD)
        elif step == "C":
            valid.append(NEW)
        elif step != "D":
            servers["server one" if step == "E" else "server two"] = NEW
        for name, pair in servers.items():
            verdicts = [judge(app, _from(pair), now=NOW) for app in valid]
            errors = [verdict.failed.error for verdict in verdicts if verdict.failed]
            if len(errors) == len(valid):
                said = errors[-1] if errors else "no app key is valid"
                return f"After step {step}, {name} is refused: {said}."
    return ""


def _from(pair: Credentials) -> Request:
    """What a server with this pair sends."""
    body = event_body(Event.of("order-41", "status", "delivered"))
    signed = sign(pair, "POST", EVENTS_PATH, body=body, timestamp=NOW)
    return Request("POST", EVENTS_PATH, signed.query, body)


def in_order(plan: str) -> bool:
    """Whether a plan refuses nobody, and looks into the log before it switches off."""
    return plan in ("CBEDA", "CEBDA")


@lesson.value
def plan() -> str:
    """Give the letters of all five steps in an order in which no request is refused."""
    return "CEBDA"


@plan.judge
def _nobody_is_refused(result: Any) -> None:
    written = isinstance(result, list | tuple) and all(isinstance(each, str) for each in result)
    letters = "".join(result) if written else result if isinstance(result, str) else ""
    steps = "".join(filter(str.isalpha, letters)).upper()
    if sorted(steps) != sorted(STEPS):
        raise Wrong(
            'Give all five letters, each once, such as "ABCDE".', Fact("Yours", shown(result))
        )
    for prepared in plan.wrongs:  # in lower case, or with commas
        if steps == prepared.answer:
            raise Wrong(prepared.message)
    if said := outage(steps):
        raise Wrong("Your customers notice.", Fact("Monday", said, kind="prose"))
    if steps.index("A") < steps.index("D"):
        raise Wrong(
            "You switch it off before you look. If a forgotten server still has the old pair, "
            "you'll hear about it from customers."
        )
    if not in_order(steps):
        raise Wrong(
            "With these two servers, nobody is refused. But you look into the log too early: "
            "if you forgot a third server, it would still have the old pair."
        )


plan.hint("For a while both pairs have to be valid. Which step begins that, and which ends it?")
plan.hint("Looking into the log only helps once you think you're done.")
plan.wrong(
    "You switch the old pair off first. Until both servers have the new one, they're refused.",
    "ACEBD",
)
plan.wrong(
    "The servers have a pair that isn't valid yet. Make it before you give it to anybody.", "EBCDA"
)
plan.wrong(
    "You look before the servers have the new pair, so of course the old one is in use.", "CDEBA"
)
plan.why(
    "New and old overlap, so the servers don't have to change in the same second. And now you see "
    "why you log the app key: it says which pair signed, and gives nothing away."
)
plan.next(
    "Your webhook receiver needs the overlap, too. Which header tells it which secret to use?"
)


# --- the same bytes at six servers --------------------------------------------------------------

_STATUS = event_body(Event.of("order-41", "status", {"status": "delivered"}))
_WIDE = to_json({"name": "status", "channels": [f"order-{n}" for n in range(101)], "data": "{}"})
_OBJECT = to_json({"name": "status", "channel": "order-41", "data": {"status": "delivered"}})


def request(body: bytes = _STATUS, secret: str = APP.secret, **changes: str) -> Request:
    """A request whose parameters were changed, if at all, before it was signed."""
    honest = dict(sign(APP, "POST", EVENTS_PATH, body=body, timestamp=NOW).params) | changes
    signed = canonical_string("POST", EVENTS_PATH, honest)
    params = (*honest.items(), ("auth_signature", hmac_sha256(secret, signed)))
    return Request("POST", EVENTS_PATH, params, body)


# Each has one thing wrong with it.
FAULTS: dict[str, Request] = {
    "another secret": request(secret="kims-old-one"),  # noqa: S106 - made up
    "two hours old": request(auth_timestamp=str(NOW - 7_200)),
    "another app key": request(auth_key="00000000000000000000"),
    "auth_version 2.0": request(auth_version="2.0"),
    "101 channels": request(_WIDE.encode()),
    "data isn't text": request(_OBJECT.encode()),
}
_MET = {name: matrix(APP, faulty, now=NOW) for name, faulty in FAULTS.items()}
SERVERS = tuple(each.server for each in _MET["another secret"])

Sent = tuple[str, ...]  # the names of the faults that were sent, the last one last
ALL: Sent = (*FAULTS, "")  # all of them, and none of them is looked at


def who_takes(faulty: Request) -> list[str]:
    """The servers that accept a request."""
    return [met.server for met in matrix(APP, faulty, now=NOW) if met.accepts]


def _send_one(sent: Sent, event: Gesture) -> Sent:
    if event == Gesture("press", "all"):
        return ALL
    if event == Gesture("press", "none"):
        return ()
    if event.kind != "press" or event.id not in FAULTS:
        return sent
    return (*(name for name in sent if name != event.id), event.id)


@lesson.explorer
def servers() -> Explorer:
    """Send requests with one fault each to six servers, and see who notices."""
    return Explorer(_servers, sent=gesture((), _send_one), code=[who_takes])


def _servers(sent: Sent) -> View:
    seen, last = {*sent}, sent[-1] if sent else ""
    says, noticed, missed = "–" if sent else "nothing sent yet", "–", "–"
    status = "Six requests, each with one thing wrong. Press one to send it to all six servers."
    if last:
        met = _MET[last]
        says = met[0].rule or met[0].case
        noticed = ", ".join(each.server for each in met if not each.accepts) or "nobody"
        missed = ", ".join(each.server for each in met if each.accepts) or "nobody"
        refusing = sum(not each.accepts for each in met)
        status = f"“{last}”: {refusing} of {len(met)} refuse it."
    elif sent:
        status = "All six are sent. Press one to see what's wrong with it."
    return View(
        "The same bytes at six servers",
        (
            Fact("Breaks", says, kind="prose"),
            Fact("Refused by", noticed, kind="prose"),
            Fact("Accepted by", missed, kind="prose"),
        ),
        status,
        picture=heat_map(seen, last),
        actions=(
            *((Action("all", "Send all six"),) if len(seen - {""}) < len(FAULTS) else ()),
            *((Action("none", "Start over"),) if sent else ()),
        ),
        note="Worked out from what each server checks. Only the practice server runs here.",
    )


TINT = 0.2  # of a cell's colour over the card: soft in both themes, with text that can be read
REFUSED, ACCEPTED = (f"fill:var(--{name});fill-opacity:{TINT}" for name in ("ok", "bad"))


def _plain_name(server: str) -> str:
    """Without its version, as there's little room."""
    return re.sub(r"^the | [0-9.]+$", "", server)


def heat_map(seen: set[str], last: str | None = None) -> Picture:
    """Servers × faults: who refuses what, for the faults that were sent."""
    rows = []
    for name, met in _MET.items():
        if name in seen:
            taking = ", ".join(each.server for each in met if each.accepts) or "nobody"
            rows.append(f"{name} is accepted by {taking}")
    desc = "A table of six servers and six faulty requests. "
    desc += "; ".join(rows) + "." if rows else "Nothing was sent yet, so all cells are empty."
    title = "Who notices"
    narrow = Picture(title, desc, 340, 362, _narrow_map(seen, last))
    return Picture(title, desc, 760, 242, _wide_map(seen, last), narrow)


def _wide_map(seen: set[str], last: str | None) -> str:
    left, column, top = 124, 105, 48
    shapes = [_legend(19, 36)]
    for number, name in enumerate(FAULTS):
        x = left + number * column
        one, _, two = name.rpartition(" ")
        kind = "inkt" if name == last else "t"
        shapes.append(
            handle(
                rect(x + 2, 2, column - 5, 42, "hot" if name == last else "box", rx=6),
                text(x + column / 2, 19, one, kind, "middle"),
                text(x + column / 2, 36, two, kind, "middle"),
                id=name,
                label=f"Send the request: {name}",
            )
        )
    for row, server in enumerate(SERVERS):
        y = top + row * 32
        shapes.append(text(4, y + 20, _plain_name(server), "strong"))
        for number, name in enumerate(FAULTS):
            x = left + number * column
            shapes.append(_cell(x + 2, y, column - 5, 28, _MET[name][row], sent=name in seen))
    return "".join(shapes)


def _narrow_map(seen: set[str], last: str | None) -> str:
    shapes = [_legend(138, 153)]
    for number, name in enumerate(FAULTS):
        x, y = 4 + number % 2 * 168, 4 + number // 2 * 40
        label = f"{number + 1} {name}"
        shapes.append(
            handle(
                rect(x, y, 162, 34, "hot" if name == last else "box", rx=6),
                text(x + 8, y + 22, label, "inkt" if name == last else "t"),
                id=name,
                label=f"Send the request: {name}",
            )
        )
        shapes.append(text(134 + number * 36, 153, str(number + 1), "strong", "middle"))
    for row, server in enumerate(SERVERS):
        y = 160 + row * 33
        shapes.append(text(4, y + 20, _plain_name(server), "strong"))
        for number, name in enumerate(FAULTS):
            met = _MET[name][row]
            shapes.append(_cell(118 + number * 36, y, 32, 28, met, sent=name in seen, words=False))
    return "".join(shapes)


def _legend(first: float, second: float) -> str:
    return text(4, first, "✓ refuses it", "small") + text(4, second, "✗ lets it through", "small")


def _cell(
    x: float,
    y: float,
    width: float,
    height: float,
    met: Played,
    *,
    sent: bool,
    words: bool = True,
) -> str:
    if not sent:
        return rect(x, y, width, height, "bare", rx=4)
    said = "✗" if met.accepts else "✓"
    said += (" accepted" if met.accepts else " refused") * words
    return group(
        rect(x, y, width, height, "", style=ACCEPTED if met.accepts else REFUSED, rx=4),
        text(x + width / 2, y + 19, said, "t", "middle"),
    )


# --- a test of your own -------------------------------------------------------------------------


class _Quick(Sandbox):
    """Refuses without looking for the reason: one check makes dozens of these requests."""

    def explain(
        self, refused: Unauthorized, go_on: Callable[[], bool] = lambda: True
    ) -> Explanation:
        return Explanation()


class PusherSandbox:
    """What pytest's fixture pusher_sandbox is, without a socket: a practice server of its own."""

    def __init__(self) -> None:
        self._sandbox = _Quick(APP)
        self.credentials = APP

    @property
    def log(self) -> tuple[Exchange, ...]:
        """Each request with its answer, oldest first."""
        return tuple(self._sandbox.log)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was published, oldest first."""
        return tuple(each.event for each in self._sandbox.deliveries)

    def client(self, **changes: str) -> Client:
        """A client that publishes here, with other credentials where they're given."""
        credentials = replace(self.credentials, **changes)
        transport = SandboxTransport(self._sandbox, clock=stopped_clock)
        return Client(credentials, transport=transport, clock=stopped_clock)

    def __repr__(self) -> str:
        return f"<PusherSandbox: {len(self.events)} events, {len(self.log)} requests>"


class Publisher:
    """One way to write `publish(pusher_sandbox, order, status)`: the right one, or a broken one."""

    def __init__(self, what: str, publish: Callable[[PusherSandbox, int, str], object]) -> None:
        self.what = what
        self._publish = publish

    def __call__(self, pusher_sandbox: PusherSandbox, order: int, status: str) -> None:
        self._publish(pusher_sandbox, order, status)

    def __repr__(self) -> str:
        return f"<publish: {self.what}>"


def _refused_in_silence(sandbox: PusherSandbox, order: int, status: str) -> None:
    client = sandbox.client(secret="kims-old-one")  # noqa: S106 - made up
    with suppress(APIError):
        client.trigger(f"order-{order}", "status", {"status": status})


def _trigger(sandbox: PusherSandbox, order: int, status: str) -> object:
    return sandbox.client().trigger(f"order-{order}", "status", {"status": status})


RIGHT = Publisher("the right one", _trigger)
BROKEN = (
    Publisher("refused, and silent about it", _refused_in_silence),
    Publisher(
        "sends every order to order-41",
        lambda box, order, status: _trigger(box, 41, status),
    ),
    Publisher(
        "sends it twice",
        lambda box, order, status: (_trigger(box, order, status), _trigger(box, order, status)),
    ),
    Publisher(
        "sends it to everybody, too",
        lambda box, order, status: box.client().trigger(
            [f"order-{order}", "news"], "status", {"status": status}
        ),
    ),
    Publisher(
        "encodes the data twice",
        lambda box, order, status: box.client().trigger(
            f"order-{order}", "status", to_json(to_json({"status": status}))
        ),
    ),
    Publisher(
        "always says delivered",
        lambda box, order, status: _trigger(box, order, "delivered"),
    ),
)


def _publishers(chance: random.Random) -> Iterator[tuple[Publisher, PusherSandbox]]:
    everyone = [RIGHT, *BROKEN]
    for publisher in chance.sample(everyone, len(everyone)):
        yield publisher, PusherSandbox()


@lesson.exercise(given=_publishers)
def passes(publish: Callable[..., None], pusher_sandbox: PusherSandbox) -> bool:
    """Call publish once; return True if the one right event went out, and False if not."""
    publish(pusher_sandbox, 7, "preparing")
    events = pusher_sandbox.events
    if len(events) != 1:
        return False
    return events[0].channels == ("order-7",) and json.loads(events[0].data) == {
        "status": "preparing"
    }


@passes.observe
def _tested(result: object, publish: Publisher, sandbox: PusherSandbox) -> tuple[object, bool]:
    return result, bool(sandbox.log)


@passes.judge
def _catches_it(done: tuple[Any, bool], publish: Publisher, sandbox: PusherSandbox) -> None:
    result, called = done
    if not called:
        raise Wrong("Nothing reached the server. Call publish(pusher_sandbox, 7, …) first.")
    if not isinstance(result, bool):
        raise Wrong("Return True or False.", Fact("Yours", shown(result)))
    if publish is RIGHT and not result:
        raise Wrong(
            "This publisher does everything right, but your test fails it. Look at what went out, "
            "as Python has it: `channels` is a tuple, and `data` is text. Compare what "
            "json.loads() makes of that: JSON can be written with spaces and without.",
            *(
                Fact(what, repr(getattr(each, what)))
                for each in sandbox.events[:1]
                for what in ("channels", "name", "data")
            ),
        )
    if publish is not RIGHT and result:
        raise Wrong(
            "A broken publisher gets past your test.",
            Fact("It", publish.what, kind="prose"),
            Fact("Events", "\n".join(lines_of(sandbox.events)) or "none"),
        )


def lines_of(events: tuple[Event, ...]) -> list[str]:
    """Events as lines."""
    return [f"{', '.join(each.channels)}: {each.name} {each.data}" for each in events]


passes.hint("pusher_sandbox.events has the events that went out. How many should there be?")
passes.hint(
    "events[0].channels is a tuple; events[0].data is JSON, as text. A broken publisher may send "
    "no event at all, or data with something other than a dict inside."
)
passes.hint("Don't test with the values of the example. A hard-coded one would look right.")


def _publish_and(
    look: Callable[[PusherSandbox], bool], order: int = 7, status: str = "preparing"
) -> Callable[..., bool]:
    def test(publish: Publisher, sandbox: PusherSandbox) -> bool:
        publish(sandbox, order, status)
        return look(sandbox)

    return test


def _all_of_it(channel: str, status: str) -> Callable[[PusherSandbox], bool]:
    return lambda box: (
        [(each.channels, each.data) for each in box.events]
        == [((channel,), to_json({"status": status}))]
    )


passes.wrong(
    "You're satisfied if there's no error. But a publisher can swallow one. Look at what arrived.",
    _publish_and(lambda box: True),
)
passes.wrong(
    "You look only at whether it was accepted. A wrong event is accepted as well.",
    _publish_and(lambda box: all(each.reply.status == 200 for each in box.log)),
)
passes.wrong(
    "You count the events, but don't look inside.", _publish_and(lambda box: len(box.events) == 1)
)
passes.wrong(
    "One of them sends everything to order-41, and that's what you test with. Take another order.",
    _publish_and(_all_of_it("order-41", "preparing"), order=41),
)
passes.wrong(
    'One of them always says "delivered", and that\'s what you test with. Take another status.',
    _publish_and(_all_of_it("order-7", "delivered"), status="delivered"),
)
passes.why(
    "A test is worth what it can catch. And you didn't fake the server: the publisher signed, the "
    "server verified, and you looked at what a subscriber would get."
)
passes.next("Break your own publisher in one line. Does your test notice?")


def vector_of(body: str) -> Vector:
    """A vector of your own: this body, posted to the example's app."""
    return Vector(
        method="POST",
        path=EVENTS_PATH,
        body=body,
        key=APP.key,
        secret=APP.secret,
        timestamp=NOW,
    )


def unseen(body: str) -> list[str]:
    """The mistakes with the body that a vector with this body can't detect."""
    return [each.name for each in blind_spots(vector_of(body)) if each.axis == "digest"]


BLIND_BODY = '{"name":"status","channel":"order-41","data":"delivered"}'


@lesson.value
def vector_body() -> str:
    """Give a body, as text, with which no known mistake with the body goes unseen."""
    return '{"name":"status","channel":"order-41","data":"Zoë"}\n'


@vector_body.judge
def _sees_all(result: Any) -> None:
    if not isinstance(result, str) or len(result) > 1_000:
        raise Wrong(
            "Give a body as text, of 1,000 characters at most.", Fact("Yours", shown(result))
        )
    try:
        blind = unseen(result) if result else ["every one of them: there is no body"]
    except ValueError:
        raise Wrong("A body has to be text that UTF-8 can write.") from None
    if blind:
        raise Wrong("These would still go unseen.", Fact("Unseen", "\n".join(blind)))


vector_body.hint("A mistake goes unseen if it changes nothing. Which characters would it change?")
vector_body.hint("Two things are missing: one in the data, and one after the closing brace.")
vector_body.wrong("That's the body from above.", BLIND_BODY)
vector_body.wrong(
    "An accent shows up Latin-1 and escapes. But an extra newline at the end, the kind that echo "
    "adds, still goes unseen.",
    BLIND_BODY.replace("delivered", "Zoë"),
)
vector_body.wrong(
    "The newline is there. But all of it is ASCII, so Latin-1 and UTF-8 are the same bytes.",
    BLIND_BODY + "\n",
)
vector_body.why(
    "A vector is only as good as the mistakes that it shows. With an easy body, a wrong program "
    "still gets the right answer. Zoë and a newline make it hard."
)
vector_body.next("Run pusherkit vectors over your own. It names what each of them can't see.")


# --- find, explain, fix -------------------------------------------------------------------------

_PIECE = 2  # characters in a row that are too much of a secret: as few as nothing else has
_RARE = "QZJ"  # letters that a line for a log hardly has in a row
_STARS = ("*", "•", "●", "…", "...")  # and what else hides the rest of it


def broken_describe(environ: dict[str, str]) -> str:
    return f"using {environ['PUSHER_URL']}"


def _some_urls(chance: random.Random) -> Iterator[tuple[dict[str, str]]]:
    for host in ("push.example.com", "eu.example.org"):
        parts = ("".join(chance.choices(_RARE, k=k)) for k in (8, 7, 4))
        secret = quote("{}/{}+{}".format(*parts), safe="")
        address = f"{host}:{chance.randint(1_024, 9_999)}"
        app_id = chance.randint(100_000, 999_999)
        yield ({"PUSHER_URL": f"https://{_random(chance)}:{secret}@{address}/apps/{app_id}"},)


@lesson.exercise(given=_some_urls)
def describe(environ: dict[str, str]) -> str:
    """Return a line for the log that has app id, app key and host, and nothing of the secret."""
    credentials = Credentials.from_url(environ["PUSHER_URL"])
    return f"using {credentials}"


@describe.judge
def _no_piece_of_it(result: Any, environ: dict[str, str]) -> None:
    if not isinstance(result, str):
        raise Wrong("Return text: it's a line for the log.", Fact("Yours", shown(result)))
    right = Credentials.from_url(environ["PUSHER_URL"])
    host = urlsplit(right.base_url).hostname or ""  # with its port or without
    pieces = (right.secret[at : at + _PIECE] for at in range(len(right.secret) - _PIECE + 1))
    first, last, line = right.secret[0], right.secret[-1], result.upper()
    masked = any(f"{first}{star}" in line or f"{star}{last}" in line for star in _STARS)
    if masked or any(piece.isalpha() and piece in line for piece in pieces):
        raise Wrong("A piece of the secret is still in it.", Fact("Yours", shown(result)))
    lengths = len(right.secret), len(quote(right.secret, safe=""))
    if any(star * length in line for star in (*_STARS, "X") for length in lengths):
        raise Wrong(
            "One star for each character tells how long the secret is. Use three, or none.",
            Fact("Yours", shown(result)),
        )
    for what, value in (("app id", right.app_id), ("app key", right.key), ("host", host)):
        if value not in result:
            raise Wrong(LEFT_OUT[what], Fact("Yours", shown(result)))


LEFT_OUT = {
    "app id": "The line should still name the app id.",
    "app key": "The line should still name the app key.",
    "host": "The line should still name the host.",
}


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
    "Even four characters make the rest easier to guess. Don't log any of them.",
    _last_four,
)
describe.wrong(
    "Now nobody can tell which app it was. Keep the app id, the app key and the host.",
    lambda environ: "using the app of PUSHER_URL",
)
describe.why(
    "The app key is safe to log, and tells you which secret it was. You could also let "
    "`Credentials` do it: it leaves the secret out whenever it's printed, so nobody has to "
    "remember to."
)
describe.next(
    "Put a letter into the port and call Credentials.from_url. Does its error repeat the secret?"
)


# --- prove it -----------------------------------------------------------------------------------

_PLANS = ("CBEDA", "ACEBD", "EBCDA", "BECDA", "CADEB")  # beside three that are always there
_REFUSED_WITH_200 = "101 channels"  # by soketi


def _some_mondays(
    chance: random.Random,
) -> Iterator[tuple[str, dict[str, str], list[str], list[str], Request]]:
    faults = [_REFUSED_WITH_200, *chance.choices(list(FAULTS)[1:], k=2)]
    for (secret, files), fault in zip(_some_files(chance), faults, strict=True):
        # The same status twice isn't the same event twice.
        statuses = ("preparing", "out for delivery", chance.choice(["delayed", "delivered"]))
        ids = chance.sample(range(100, 900), 4)
        events = [
            to_json({"id": id, "status": status})
            for id, status in zip(ids, (*statuses, statuses[1]), strict=True)
        ]
        messages = [events[0], *events[:2], events[2], events[1], events[3]]
        plans = [*chance.sample(_PLANS, 3), "CEBDA", "CEBAD", "CEDBA"]
        chance.shuffle(plans)
        yield secret, files, messages, plans, FAULTS[fault]


@lesson.exercise(given=_some_mondays, covers_lesson=True)
def prove_it(
    secret: str, files: dict[str, str], messages: list[str], plans: list[str], request: Request
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the files that leak, the statuses to show, the safe plans, the lenient servers."""
    leaks = []
    for name, content in files.items():
        readings = [content, unquote(content)]
        for word in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", content):
            for decode in (bytes.fromhex, b64decode):
                with suppress(ValueError):
                    readings.append(decode(word).decode(errors="replace"))
        if any(secret in reading for reading in readings):
            leaks.append(name)
    events = {json.loads(message)["id"]: json.loads(message) for message in messages}
    statuses = [event["status"] for event in events.values()]
    safe = [plan for plan in plans if plan in ("CEBDA", "CBEDA")]
    lenient = [met.server for met in matrix(APP, request, now=NOW) if met.accepts]
    return leaks, statuses, safe, lenient


@prove_it.observe
def _four_lists(result: Any, *_: Any) -> Any:
    """Only the statuses have an order; and a tuple or a set is as good as a list of names."""
    if not isinstance(result, tuple | list) or len(result) != 4:
        return result
    return tuple(_listed(part, in_order=at == 1) for at, part in enumerate(result))


def _listed(part: Any, *, in_order: bool) -> Any:
    if isinstance(part, tuple) or (isinstance(part, set | frozenset) and not in_order):
        part = list(part)
    of_text = isinstance(part, list) and all(isinstance(each, str) for each in part)
    return sorted(part) if of_text and not in_order else part


@prove_it.judge
def _all_four(
    result: Any,
    secret: str,
    files: dict[str, str],
    messages: list[str],
    plans: list[str],
    request: Request,
) -> None:
    if not isinstance(result, tuple | list) or len(result) != 4:
        raise Wrong("Return four lists, separated by commas.", Fact("Yours", shown(result)))
    for number, part in enumerate(result, start=1):
        if not isinstance(part, list):
            raise Wrong(f"Part {number} should be a list.", Fact("Yours", shown(part)))
    leaks, statuses, safe, lenient = result
    _the_right_files(leaks, secret, files)
    _, right, sound, taking = _four_lists(prove_it(secret, files, messages, plans, request))
    if statuses != right:
        facts = (Fact("Messages", "\n".join(messages)), Fact("Yours", shown(statuses)))
        raise Wrong("Part 2 isn't right: the statuses, each event once, in order.", *facts)
    if "CEDBA" in safe:
        raise Wrong(
            "One of your plans looks into the log before both servers have the new pair.",
            Fact("Yours", shown(safe)),
        )
    if safe != sound:
        facts = (Fact("Plans", ", ".join(plans)), Fact("Yours", shown(safe)))
        raise Wrong("Part 3 isn't right: the plans that refuse nobody and look first.", *facts)
    if lenient != taking:
        raise Wrong(
            "Part 4 isn't right: the servers that accept it.", Fact("Yours", shown(lenient))
        )


prove_it.hint("Four questions, four lists. Only the statuses have an order, that of the messages.")
prove_it.hint("If exercise 2 is done, part 1 is leaking(secret, files).")
prove_it.hint("[met.server for met in matrix(APP, request, now=NOW) if …]")


def _but(part: int, other: Callable[..., Any]) -> Callable[..., Any]:
    """A proof with one part gone wrong."""

    def proof(*given: Any) -> Any:
        parts = list(prove_it.solve(*given))
        parts[part] = other(*given)
        return tuple(parts)

    return proof


prove_it.wrong(
    "You only search for the plain text. Other files have the secret in other spellings.",
    _but(0, lambda secret, files, *_: [name for name in files if secret in files[name]]),
)
prove_it.wrong(
    "You show the copies, too. A receiver shows each id once.",
    _but(1, lambda s, f, messages, *_: [json.loads(each)["status"] for each in messages]),
)
prove_it.wrong(
    "One of your plans switches the old pair off before anybody has looked into the log.",
    _but(2, lambda s, f, m, plans, r: [p for p in plans if not outage(p)]),
)
prove_it.wrong(
    "These servers refuse it. The lenient ones are those that don't.",
    _but(
        3,
        lambda s, f, m, p, request: [
            met.server for met in matrix(APP, request, now=NOW) if not met.accepts
        ],
    ),
)
prove_it.wrong(
    "soketi refuses with status 200, so the status doesn't tell. Ask met.accepts.",
    _but(
        3,
        lambda s, f, m, p, request: [
            met.server for met in matrix(APP, request, now=NOW) if met.answer.status == 200
        ],
    ),
)
prove_it.why(
    "That's Monday's checklist: nothing leaks, nothing shows twice, a new secret is a routine, and "
    "you know what your green test has proved."
)
prove_it.next("You're on call now. Go on to lesson 12.")
