"""Lesson 12, the clinic: a night on call, and then a program from an empty file."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import math
import random
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx

from pusherkit.authorization import authorize_channel, verify_channel, verify_webhook
from pusherkit.clinic import page, tasks
from pusherkit.clinic.api import Clinic
from pusherkit.clinic.capstone import CLINIC_CREDENTIALS, GOALS, Goal, State
from pusherkit.clinic.faults import sent_with
from pusherkit.clinic.sabotage import MAX_SEED, PLAN, Case
from pusherkit.clinic.sabotage import calls as answered_calls
from pusherkit.credentials import Credentials
from pusherkit.errors import AuthenticationError
from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
    Explorer,
    Fact,
    Ledger,
    Lesson,
    Live,
    Picture,
    Practice,
    View,
    Wrong,
    difference,
    excerpt,
    gesture,
    number,
    shown,
    visible,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.classroom import Classroom, joined
from pusherkit.lessons.kit.picture import group, handle, rect, text
from pusherkit.lessons.kit.view import Action
from pusherkit.sandbox.transport import SandboxTransport
from pusherkit.signing import Request, canonical_string, hmac_sha256, judge, sign

lesson = Lesson("12-the-clinic", stages=(1, 2, 3, 4, 5, 6))
map = lesson.map
recall = lesson.recall_card
ledger = Ledger


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A page was allowed into private-order-41, and keeps its auth. It sends that auth for "
    "private-order-42. What does the server do?",
    {
        "It lets the page in": "The auth is real. But what is it an HMAC of?",
        "It asks your backend": "It never asks: it has the secret, so it checks for itself.",
        "It refuses": "The channel's name is in the signed text.",
    },
    why="An auth is the key and the HMAC of socket_id:channel, so it's good for one connection and "
    "one channel.",
)
def another_channel() -> str:
    app, page_ = EXAMPLE_CREDENTIALS, "4410.2281"
    auth = authorize_channel(app, page_, "private-order-41")["auth"]
    try:
        verify_channel(app, page_, "private-order-42", auth)
    except AuthenticationError:
        return "It refuses"
    return "It lets the page in"


@lesson.recall(
    "A framework parses a webhook's JSON, and your code writes it as JSON again before it "
    "verifies. Every value is the same. Does X-Pusher-Signature fit?",
    {
        "No": "The raw bytes were signed, and Python's JSON has a space after each colon.",
        "Yes": "It would, if only the values counted.",
    },
    why="The API signed the bytes that it sent. Verify those, and parse them afterwards.",
)
def written_again() -> str:
    app = EXAMPLE_CREDENTIALS
    raw = b'{"time_ms":1353088179000,"events":[]}'
    signature_ = hmac.new(app.secret.encode(), raw, hashlib.sha256).hexdigest()
    again = json.dumps(json.loads(raw)).encode()
    try:
        verify_webhook(app, again, key=app.key, signature=signature_)
    except AuthenticationError:
        return "No"
    return "Yes"


@lesson.predict(
    "A request has a wrong body hash, and it's signed with the wrong secret, too. How many of the "
    "two does the refusal name?",
    {
        "Both": "That would be kind. The server stops at the first one it finds.",
        "One": "And perhaps not the one you'd expect.",
        "None": "A server that explains itself always names a rule.",
    },
    why="The server checks one rule after the other, the body hash before the signature, and "
    "stops at the first that fails. So fix one thing, send, and read again.",
)
def two_rules() -> tuple[str, Fact]:
    app, body = EXAMPLE_CREDENTIALS, b'{"name":"status","channel":"order-41","data":"delayed"}'
    honest = sign(app, "POST", EVENTS_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP)
    params = dict(honest.params) | {"body_md5": "0" * 32}
    text = canonical_string("POST", EVENTS_PATH, params)
    params["auth_signature"] = hmac_sha256("kims-old-one", text)
    verdict = judge(app, Request("POST", EVENTS_PATH, params, body), now=EXAMPLE_TIMESTAMP)
    error = verdict.failed.error if verdict.failed else ""
    named = sum(name in error for name in ("Invalid body_md5", "Invalid signature"))
    return {0: "None", 1: "One", 2: "Both"}[named], Fact("The server", error)


# --- pictures -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the things to be done: its number, what it is, and how it stands.

    `state` is "", "done", "half" (done, but not at the first try), "wrong" or "begun".
    """

    number: int
    words: str
    state: str = ""
    now: bool = False


MARKS = {"": "", "done": "✓ ", "half": "✓ ", "wrong": "✗ ", "begun": "… "}
SPOKEN = {"": "", "done": ", named", "half": ", named later", "wrong": ", not named yet"}
LOOKS = {"": "box", "done": "good", "half": "good", "wrong": "wrong", "begun": "slid"}
HEIGHT, GAP = 46, 8  # px


def board(title: str, desc: str, tiles: list[Tile], *, press: bool = False) -> Picture:
    """Tiles in a row, or in rows of three; with `press` each can be pressed, as call-1 and on."""
    wide = _rows(tiles, len(tiles), 900 // len(tiles) - GAP, press)
    narrow = _rows(tiles, 3, 108, press)
    return Picture.both(title, desc, wide, narrow)


def _rows(tiles: list[Tile], columns: int, width: int, press: bool) -> tuple[int, int, str]:
    shapes = []
    for at, tile in enumerate(tiles):
        row, column = divmod(at, columns)
        x, y = 4 + column * (width + GAP), 4 + row * (HEIGHT + GAP)
        top = f"{MARKS[tile.state]}{tile.number}"
        pieces = (
            rect(x, y, width, HEIGHT, "box" if press else "bare", rx=6),
            rect(x, y, width, HEIGHT, LOOKS[tile.state], rx=6) if tile.state else "",
            rect(x + 3, y + 3, width - 6, HEIGHT - 6, "slid", rx=4) if tile.now else "",
            text(x + width / 2, y + 20, top, "strong", "middle"),
            text(x + width / 2, y + 36, tile.words, "small", "middle"),
        )
        if press:
            said = f"Call {tile.number}, {tile.words}{SPOKEN[tile.state]}"
            shapes.append(handle(*pieces, id=f"call-{tile.number}", label=said))
        else:
            shapes.append(group(*pieces))
    rows = math.ceil(len(tiles) / columns)
    return 4 + columns * (width + GAP), rows * (HEIGHT + GAP), "".join(shapes)


# --- the queue ----------------------------------------------------------------------------------

FIRST_SEED = 7


class _Line:
    """The calls of a seed; each is made when somebody takes it."""

    def __init__(self, seed: int) -> None:
        self._more = answered_calls(seed)
        self._made: list[Case] = []

    def __getitem__(self, at: int) -> Case:
        while len(self._made) <= at:
            self._made.append(next(self._more))
        return self._made[at]


_line = functools.lru_cache(maxsize=8)(_Line)


@dataclass(frozen=True, slots=True)
class Shift:
    """Which call is taken, and what was answered to each so far."""

    at: int = 0
    tried: tuple[tuple[int, ...], ...] = ((),) * len(PLAN)


def took(shift: Shift, event: Event) -> Shift:
    """What a press does: take a call, answer it, or take the next one."""
    kind, _, which = event.id.partition("-")
    if event.kind != "press" or not which.isdigit():
        return shift
    if kind == "answer":
        tried = (*shift.tried[shift.at], int(which) - 1)
        return replace(shift, tried=(*shift.tried[: shift.at], tried, *shift.tried[shift.at + 1 :]))
    return replace(shift, at=int(which) - 1) if kind == "call" else shift


class Calls(Explorer):
    """Another seed is another night: it begins with its first call, or goes on where it was left.

    In a class, the trainer can open a round: everybody who joins it takes the calls of one seed.
    """

    def __init__(self, *given: Any, **controls: Any) -> None:
        self._room = joined()
        self._round: int | None = None  # the seed of the round that was joined
        self._offered: int | None = None  # the one that was shown last
        self._over: int | None = None  # one that was shown, and is closed by now
        self._nights: dict[int, Shift] = {}  # by seed, those that were left
        opened = self._opened()
        if self._room is not None and opened is not None and self._room.heard.counted is not None:
            self._round = opened  # the cell was run again
            controls["seed"] = replace(controls["seed"], raw=str(opened))
            controls["shift"] = replace(controls["shift"], raw=self._left(opened))
        super().__init__(*given, **controls)
        if self._room is not None:
            self._room.watch("calls", self)
            self._room.listen(at_once=True)

    def read(self, values: dict[str, Any]) -> None:
        before = self.values["seed"]
        with suppress(ValueError, TypeError):  # half a number, as it is being typed
            after = self.controls["seed"].parse(values.get("seed", self._raw["seed"]))
            if after != before:
                self._nights[before] = self.values["shift"]
                self.values["shift"] = self._nights.pop(after, Shift())
                self._over = None
        super().read(values)

    def hear(self, event: Event) -> None:
        opened, before = self._opened(), self.values["shift"]
        if event.id == "join" and opened is not None:
            if self._round != opened:
                before = None
                self._begin(opened, Shift())  # a round is begun by everybody at its first call
            self.set(seed=str(opened))
        else:
            super().hear(event)
        if self._room is not None:
            self._tell(self._room, before)

    def _begin(self, opened: int, shift: Shift) -> None:
        """Be in a round, at that shift as soon as its seed is taken."""
        self._round = opened
        if self.values["seed"] == opened:
            self.values["shift"] = shift
        self._nights[opened] = shift

    def _left(self, opened: int) -> Shift:
        """Where a round was left, by an earlier card of this kernel; its beginning, if by none."""
        left = self._room.left if self._room is not None else None
        return left[1] if left is not None and left[0] == opened else Shift()

    def _tell(self, room: Classroom, before: Shift | None) -> None:
        """Report how far somebody is in the round, in numbers, if they've got any further."""
        room.listen()
        seed, shift = self.values["seed"], self.values["shift"]
        if self._is_in_round() and shift != before:
            room.left = seed, shift
            room.report(seed, *_counts(seed, shift))

    def redraw(self) -> None:
        with self._lock:
            opened, counted = self._opened(), self._room.heard.counted if self._room else None
            if opened is not None and opened != self._round and counted is not None:
                self._begin(opened, self._left(opened))  # an earlier kernel had joined it
                self.set(seed=str(opened))
            else:
                self._refresh()

    def _night(self, made: View) -> View:
        """The View with its code at the very end, and a word about a seed that there isn't."""
        (answers,) = made.below
        note = ""
        if self._raw["seed"].strip() != str(self.values["seed"]):
            note = (
                f"Seeds go from 0 to {MAX_SEED}. This is the night of seed {self.values['seed']}."
            )
        return replace(made, code="", below=(replace(answers, code=made.code, note=note),))

    def _opened(self) -> int | None:
        """The seed of the round that is open."""
        seed = self._room.heard.round if self._room is not None else None
        return seed if seed is not None and 0 <= seed <= MAX_SEED else None

    def _is_in_round(self) -> bool:
        return self._round is not None and self._opened() == self._round == self.values["seed"]

    def _made(self) -> View:
        made, opened = self._night(super()._made()), self._opened()
        if opened is not None:
            self._over = None
            if opened != self._round:
                self._round = None  # there's a new one
        elif self._offered is not None:
            self._over = self._offered
        self._offered = opened
        if opened is None:
            return made if self._over is None else self._after(self._over, made)
        if not self._is_in_round():
            return self._offer(opened, made)
        said = (
            "You're in. Your trainer sees how many calls you've answered, and how many you got "
            "right at the first try, but not your answers."
        )
        counted = self._room.heard.counted or 0 if self._room is not None else 0
        if counted > _counts(opened, self.values["shift"])[0]:
            said += (
                f" They have {_number(counted)} of yours, from before the kernel was restarted. "
                "That stays, although you begin with the first call again."
            )
        return View(f"Round {opened}", status=said, below=(made,))

    def _offer(self, opened: int, made: View) -> View:
        is_back = self._round == opened
        said = "You've joined it, and can go back to where you left it. "
        if not is_back:
            said = "Everybody who joins gets the same eight calls. "
        said += f"Below is your own queue, seed {self.values['seed']}."
        join = Action("join", f"{'Back to' if is_back else 'Join'} round {opened}", primary=True)
        title = f"Your trainer has opened round {opened}"
        return View(title, status=said, actions=(join,), below=(made,))

    def _after(self, closed: int, made: View) -> View:
        """The word about a round that was closed: how far somebody got, if they were in it."""
        said = f"Its eight calls are those of seed {closed}, if you'd like to take them anyway."
        if self._round == closed == self.values["seed"]:
            answered, right = _counts(closed, self.values["shift"])
            said = (
                f"You've answered {answered} of the eight calls, {right} right at the first try. "
                "Carry on if you like: nobody counts any more."
            )
        return View(f"Round {closed} is closed", status=said, below=(made,))


def _counts(seed: int, shift: Shift) -> tuple[int, int]:
    """How many calls are answered, and how many of them right at the first try."""
    states = _states(_line(seed), shift)
    return len([each for each in states if each]), states.count("done")


def _number(calls: int) -> str:
    return f"{calls} call{'' if calls == 1 else 's'}"


@lesson.explorer
def calls() -> Explorer:
    """Take eight calls, and name the cause of each."""
    return Calls(
        _taken,
        seed=number(
            "Seed", FIRST_SEED, 0, MAX_SEED, hint="the same number gives everybody the same calls"
        ),
        shift=gesture(Shift(), took),
        code=[verdict, sent_with],
    )


def verdict(case: Case, chosen: int) -> str:
    """What an answer amounts to: "yes", "half" or "no"."""
    if chosen == case.right:
        return "yes"
    return "half" if case.half_right(chosen) else "no"


WORDS = {"request": "a request", "program": "a program", "two": "two at once"}
WORDS |= {"subscription": "a page", "webhook": "a webhook"}
WHERE = {"curl": "The request", "frames": "Got, and sent"}
LANGUAGES = {"bash": "In bash", "node": "In Node", "php": "In PHP", "python": "In Python"}


def _taken(seed: int, shift: Shift) -> View:
    line = _line(seed)
    case, tried = line[shift.at], shift.tried[shift.at]
    states = _states(line, shift)
    tiles = [
        Tile(at + 1, WORDS[what], state, now=at == shift.at)
        for at, (what, state) in enumerate(zip(PLAN, states, strict=True))
    ]
    solved = [each for each in states if each in ("done", "half")]
    desc = f"Eight calls. You have number {case.number}, {WORDS[PLAN[shift.at]]}. "
    desc += f"{len(solved)} of them are named, {states.count('done')} at the first try."
    actions = tuple(
        Action(f"answer-{n + 1}", option.name, pressed=n in tried[-1:], mark=_mark(case, tried, n))
        for n, option in enumerate(case.options)
    )
    is_named = case.right in tried
    if is_named and (left := [at for at, each in enumerate(states) if each in ("", "wrong")]):
        following = min(left, key=lambda at: (at < shift.at, at))
        actions += (Action(f"call-{following + 1}", "Take the next call", primary=True),)
    status, good = _said(case, tried, states)
    question = "Two things are wrong. Which?" if len(case.answer.mistakes) > 1 else CAUSE
    answers = View(question, _heard(case, tried), status, good, actions=actions)
    return View(
        f"Call {case.number}: {case.story}",
        _evidence(case),
        picture=board("The calls", desc, tiles, press=True),
        below=(answers,),
    )


CAUSE = "What's the cause?"


def _states(line: _Line, shift: Shift) -> list[str]:
    """The state of each call: "" if it isn't answered yet, "wrong", "half" or "done"."""
    return [_state(line, at, given) for at, given in enumerate(shift.tried)]


def _state(line: _Line, at: int, tried: tuple[int, ...]) -> str:
    if not tried:
        return ""
    if line[at].right not in tried:
        return "wrong"
    return "done" if tried[0] == line[at].right else "half"


def _mark(case: Case, tried: tuple[int, ...], option: int) -> str:
    if option not in tried:
        return "○"
    return "✓" if option == case.right else "✗"


def _said(case: Case, tried: tuple[int, ...], states: list[str]) -> tuple[str, bool | None]:
    if not tried:
        return "", None
    if all(each in ("done", "half") for each in states):
        return f"All eight are named, {states.count('done')} at the first try. Good night!", True
    what = verdict(case, tried[-1])
    if what == "yes":
        return f"Yes, {case.answer.name}.", True
    if what == "half":
        right = " and ".join(sorted(case.half_right(tried[-1])))
        return f"Half of it: {right} is right.", None
    return "That's not it.", False


PROOF = "Make that mistake, and you get exactly what was sent."


def _heard(case: Case, tried: tuple[int, ...]) -> tuple[Fact, ...]:
    """What there is to say to the last answer; before one, what the answers mean."""
    meaning = tuple(Fact(option.name, option.why, kind="prose") for option in case.options)
    if not tried:
        return meaning
    if case.right in tried:
        first, *others = case.findings
        causes = [Fact("Cause", f"{each.why} {each.fix}", kind="prose") for each in first.mistakes]
        proof = Fact("Proof", first.reproduced, PROOF)
        also = [
            Fact("Or", f"{each.why} {each.fix} (It gives the same result.)", kind="prose")
            for other in others
            for each in other.mistakes
        ]
        return (*causes, proof, *also)
    name, made, came = case.objection(tried[-1])
    ways = case.options[tried[-1]].ways
    other = f" There are {ways} ways to do that; none gives what came." if ways > 1 else ""
    return (
        Fact("Made that way", made, f"What {name} would be.{other}"),
        Fact("What came", came),
        *meaning,
    )


def _evidence(case: Case) -> tuple[Fact, ...]:
    sent = case.shown.rstrip()
    name = LANGUAGES.get(case.form) or WHERE[case.form]
    facts = [Fact("A webhook" if case.kind == "webhook" else name, sent, kind="code")]
    facts.append(excerpt(Fact("It's answered", case.said)))
    if case.log:
        whose = "its server" if case.kind == "subscription" else "it"
        lines = visible(case.log).replace("⏎", "⏎\n").removesuffix("\n")
        facts.append(Fact("Log", lines, f"What {whose} signed. ⏎ is a newline."))
    return tuple(facts)


# --- the exercises ------------------------------------------------------------------------------


def signature(secret: str, text: str) -> str:
    """Lesson 04's, for the solutions; the notebook shows it."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


TEXTS = ("method-in-lower-case", "newline-written-out", "newline-at-the-end", "two-lines-signed")
KEYS = {
    "secret-with-newline": "{}\n",
    "secret-with-spaces": "{} ",
    "secret-in-quotes": '"{}"',
}


def _text(chance: random.Random) -> str:
    app, key = chance.randrange(10, 9_999), chance.randbytes(10).hex()
    query = f"auth_key={key}&auth_timestamp=1353088179&auth_version=1.0&driver=Zo\u00eb"
    return f"POST\n/apps/{app}/POST-{chance.randrange(10, 99)}\n{query}"


def _texts(chance: random.Random) -> Iterator[tuple[str, str]]:
    for name in TEXTS:
        yield _text(chance), name


@lesson.exercise(given=_texts)
def broken_text(text: str, name: str) -> str:
    """Return the text that is signed by a client that makes the mistake of this name."""
    method, path, query = text.split("\n")
    if name == "method-in-lower-case":
        return "\n".join([method.lower(), path, query])
    if name == "newline-written-out":
        return "\\n".join([method, path, query])
    if name == "newline-at-the-end":
        return "\n".join([method, path, query, ""])
    return "\n".join([method, path])  # two-lines-signed


def _with(name_: str, make: Any) -> Any:
    """The solution, but for one of the mistakes."""
    return lambda text, name: make(text) if name == name_ else broken_text(text, name)


broken_text.hint(r"In Python, '\n' is one character, and '\\n' is two: a backslash and an n.")
broken_text.hint("'-'.join(['a', 'b', '']) is 'a-b-': an empty last piece still gets its hyphen.")
broken_text.wrong(
    r"In newline-written-out, your text has real newlines. You need two characters: '\\n', or "
    r"r'\n'.",
    _with("newline-written-out", lambda text: text),
)
broken_text.wrong(
    "In newline-written-out, that's a slash. Written out, a newline is a backslash and an n.",
    _with("newline-written-out", lambda text: text.replace("\n", "/n")),
)
broken_text.wrong(
    "In newline-at-the-end, you put two characters there. That one is a real newline.",
    _with("newline-at-the-end", lambda text: text + "\\n"),
)
broken_text.wrong(
    "In two-lines-signed, your text still ends with a newline. That's third-line-empty, another "
    "mistake, and another signature.",
    _with("two-lines-signed", lambda text: "\n".join([*text.split("\n")[:2], ""])),
)
broken_text.why(
    "Each mistake makes a text of its own, to the byte. That's why a signature can tell which of "
    "them it was."
)
broken_text.next("Add third-line-empty: how does its text differ from that of two-lines-signed?")


def _pairs(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    names = list(TEXTS)
    chance.shuffle(names)
    for in_text, in_key in zip(names, [*KEYS, None], strict=True):
        text, secret = _text(chance), chance.randbytes(10).hex()
        key = KEYS[in_key].format(secret) if in_key else chance.randbytes(10).hex()
        yield secret, text, signature(key, broken_text(text, in_text))


@lesson.exercise(given=_pairs)
def two_causes(secret: str, text: str, received: str) -> tuple[str, ...]:
    """Return the two mistakes that gave the signature: of TEXTS and of KEYS; () if no two do."""
    for in_text in TEXTS:
        for in_key, form in KEYS.items():
            made = signature(form.format(secret), broken_text(text, in_text))
            if made == received:
                return (in_text, in_key)
    return ()


@two_causes.observe
def _as_a_tuple(result: Any, *_: Any) -> Any:
    """A list of the two is as good."""
    return tuple(result) if isinstance(result, list) else result


two_causes.hint("Every text with every key: a loop in a loop. KEYS[name].format(secret) is a key.")
two_causes.hint("Return both names as soon as the signature is the one that was received.")
two_causes.wrong(
    "You find no pair at all. Each of these has a mistake in the text and one in the secret, at "
    "the same time: try every text with every key.",
    lambda secret, text, received: (),
)
two_causes.wrong(
    "Those are the two, in the other order: the mistake in the text comes first.",
    lambda *given: tuple(reversed(two_causes(*given))),
)
two_causes.wrong(
    "One of these was signed with another app's secret, but you name two mistakes. If no pair "
    "gives what was received, return ().",
    lambda *given: two_causes(*given) or (TEXTS[-1], list(KEYS)[-1]),
)
two_causes.wrong(
    "You miss those with secret-in-quotes. The values of KEYS are patterns: KEYS[name].format("
    "secret) puts the secret where the {} is, and in that one it's in the middle.",
    lambda *given: () if "secret-in-quotes" in (found := two_causes(*given)) else found,
)
two_causes.wrong(
    "You return one name of the two.",
    lambda *given: two_causes(*given)[:1],
)
two_causes.why(
    "Four texts and three keys make twelve signatures, and each says which two mistakes made it. "
    "The doctor does it with some ninety mistakes."
)
two_causes.next("How many signatures would three at once take? That's why the doctor stops at two.")


# --- find, explain, fix: the night script -------------------------------------------------------


def _nights(chance: random.Random) -> Iterator[tuple[Practice, str]]:
    for status in chance.sample(("delayed", "delivered", "left the depot"), 2):
        yield Practice(), status


@lesson.exercise(given=_nights)
def night_script(server: Practice, status: str) -> int:
    """Publish the status and return 200."""
    event = {"name": "status", "channel": "order-41", "data": status}
    body = json.dumps(event, separators=(",", ":")).encode()
    query = {
        "auth_key": server.credentials.key,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }
    joined = "&".join(f"{name}={value}" for name, value in query.items())
    text = "\n".join(["POST", "/apps/3/events", joined])
    query["auth_signature"] = signature(server.credentials.secret, text)
    headers = {"Content-Type": "application/json"}
    answer = server.http.post("/apps/3/events", params=query, content=body, headers=headers)
    return answer.status_code


def _broken_night(server: Practice, status: str) -> int:
    event = {"name": "status", "channel": "order-41", "data": status}
    body = json.dumps(event, separators=(",", ":")).encode()
    query = {
        "auth_key": server.credentials.key,
        "auth_version": "1.0",
        "auth_timestamp": "1353088179",
        "body_md5": hashlib.md5(json.dumps(event).encode()).hexdigest(),
    }
    joined = "&".join(f"{name}={value}" for name, value in query.items())
    text = "\n".join(["POST", "/apps/3/events", joined])
    query["auth_signature"] = signature(server.credentials.secret, text).upper()
    headers = {"Content-Type": "application/json"}
    answer = server.http.post("/apps/3/events", params=query, content=body, headers=headers)
    return answer.status_code


BODY_FIRST = "The refusal names body_md5. What is hashed, and what is sent?"
UPPER = "The body hash is right now. Look at the form of the signature that was sent."
ANOTHER = "Now the refusal names a different rule, one the script had right. What's missing?"
ORDER = (
    "The signature is hex in lower case now. Compare the two canonical strings: are the parameters "
    "in the same order?"
)


@night_script.observe
def _answers(result: object, server: Practice, *_: object) -> tuple[object, list[Any]]:
    log = [each.reply for each in server.sandbox.log]
    return result, [(reply.status, json.loads(reply.body)) for reply in log]


@night_script.judge
def _accepted(done: tuple[Any, list[Any]], *_: object) -> None:
    result, log = done
    if not log:
        raise Wrong("Nothing reached the server. Send the request, then return its status.")
    status, said = log[-1]
    if status != 200:
        fact = Fact("Refusal", said.get("error", ""))
        if said.get("rule") != "auth_signature":
            raise Wrong(BODY_FIRST if said.get("rule") == "body_md5" else ANOTHER, fact)
        sent = str(said.get("error", "")).rpartition('but you sent "')[2].rstrip('"')
        raise Wrong(UPPER if sent != sent.lower() else ORDER, fact)
    if result != 200:
        raise Wrong(f"It was accepted. Return the answer's status, and not {result!r}.")
    if len(log) > 1:
        raise Wrong("It was accepted, but sent more than once.")


night_script.broken(
    "This is the script that Kim left running. Start with the rule that the refusal names.",
    _broken_night,
    facts=lambda done: (Fact("Refusal", done[1][-1][1]["error"]),),
)
night_script.hint("Three things are wrong. Fix one, check, and read the next refusal.")
night_script.hint("dict keeps its order. Which name comes first, auth_timestamp or auth_version?")
night_script.why(
    "Three mistakes at once, and no refusal named more than one. With each that you fix, the next "
    "refusal says more."
)
night_script.next("Put one of them back in, and let diagnose() name it. Then two. Then all three.")


# --- prove it -----------------------------------------------------------------------------------


def _shift(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    wanted = [(None, None), (TEXTS[0], None), (None, "secret-in-quotes"), (TEXTS[1], None)]
    wanted += [(TEXTS[2], "secret-with-spaces"), (TEXTS[3], "secret-with-newline")]
    chance.shuffle(wanted)
    for in_text, in_key in wanted:
        text, secret = _text(chance), chance.randbytes(10).hex()
        key = KEYS[in_key].format(secret) if in_key else secret
        signed = broken_text(text, in_text) if in_text else text
        yield secret, text, signature(key, signed)
    yield "another-apps-secret", _text(chance), signature("unknown", _text(chance))


@lesson.exercise(given=_shift, covers_lesson=True)
def prove_it(secret: str, text: str, received: str) -> list[str]:
    """Return the names of what went wrong, sorted; [] if nothing did, ["unproven"] if unknown."""
    method, path, query = text.split("\n")
    texts = {
        "": text,
        "method-in-lower-case": f"{method.lower()}\n{path}\n{query}",
        "newline-written-out": f"{method}\\n{path}\\n{query}",
        "newline-at-the-end": f"{text}\n",
        "two-lines-signed": f"{method}\n{path}",
    }
    keys = {
        "": secret,
        "secret-with-newline": f"{secret}\n",
        "secret-with-spaces": f"{secret} ",
        "secret-in-quotes": f'"{secret}"',
    }
    for in_text, message in texts.items():
        for in_key, key in keys.items():
            made = hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
            if made == received:
                return sorted(name for name in (in_text, in_key) if name)
    return ["unproven"]


@prove_it.observe
def _as_a_list(result: Any, *_: Any) -> Any:
    """A tuple of the names is as good."""
    return list(result) if isinstance(result, tuple) else result


@prove_it.judge
def _named(names: Any, secret: str, text: str, received: str) -> None:
    right = prove_it(secret, text, received)
    if names == right:
        return
    if not isinstance(names, list):
        raise difference(right, names)
    facts = [Fact("Signed", text), Fact("Yours", shown(names))]
    if sorted(str(name) for name in names) == right:
        raise Wrong("Those are the names. Return them sorted.", *facts)
    if not right:
        raise Wrong("One of these is signed correctly. For that one, return [].")
    if right == ["unproven"]:
        raise Wrong('No mistake you know gives one of these. Then return ["unproven"].', *facts)
    if len(right) == 2:
        raise Wrong("One of these has two mistakes: a text and a key at the same time.", *facts)
    raise Wrong("One of these has a single mistake, but you name something else.", *facts)


prove_it.hint("Make a dict of texts and one of keys, the right ones among them, under the name ''.")
prove_it.hint("sorted(name for name in (in_text, in_key) if name) leaves out what wasn't wrong.")
prove_it.why("You make each mistake on purpose, so you can prove it, even next to another one.")
prove_it.next("On to the capstone, if it isn't done yet: from an empty file, in any language.")


# --- the capstone -------------------------------------------------------------------------------

PAGE_FILE = "pusherkit-clinic.html"
CALM_SECONDS = 0.1  # between two times that the card is drawn, however much arrives


@dataclass(frozen=True, slots=True)
class _Opened:
    """A clinic with a plain client for it. The server stops where nobody holds on to it."""

    clinic: Clinic
    http: httpx.Client
    server: object = None


@functools.cache
def _opened() -> _Opened:
    """This kernel's clinic; the same one at every call."""
    state = State(run=secrets.token_hex(8), began=math.floor(time.time()))
    if sys.platform == "emscripten":  # a browser tab has no sockets, so nobody else gets in
        inside = Clinic(state=state)
        door = SandboxTransport(inside)
        return _Opened(inside, httpx.Client(base_url=inside.url, transport=door))
    from pusherkit.sandbox.server import SandboxServer  # here: not every place has sockets

    build = functools.partial(Clinic, state=state)
    server = SandboxServer(CLINIC_CREDENTIALS, build=build).start()
    served = cast(Clinic, server.sandbox)
    served.url = server.url
    return _Opened(served, httpx.Client(base_url=server.url, trust_env=False), server)


class OpenClinic(Live):
    """The capstone's goals, ticked as requests reach the clinic.

    `environment` are the settings for a program, `http` is a plain client that signs nothing, and
    `save()` writes the page to keep. The clinic itself opens when one of them is asked for.
    """

    def __init__(self) -> None:
        super().__init__(
            _goals(State(run="", began=0), ()),
            hint="Run this cell to open the clinic. Your program can be in any language.",
        )
        self._drawn = 0.0  # by time.monotonic()
        self._is_due = False

    @property
    def state(self) -> State:
        """What is known of each goal."""
        return _opened().clinic.state

    @property
    def http(self) -> httpx.Client:
        """For requests that hide nothing: `clinic.http.post("/apps/…/events", params=…)`."""
        return _opened().http

    @property
    def credentials(self) -> Credentials:
        """The clinic's app, for practice."""
        return replace(CLINIC_CREDENTIALS, base_url=_opened().clinic.url)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a program here."""
        return self.credentials.to_env()

    def save(self, name: str = PAGE_FILE) -> None:
        """Write the page to keep: what was shown, and your program's signature under it."""
        Path(name).write_text(page.as_html(self.state), encoding="utf-8")
        shown_ = len(GOALS) - len(self.state.open)
        print(f"Saved, with {shown_} of {len(GOALS)} shown: {Path(name).resolve()}")

    def now(self) -> View:
        _opened().clinic.changed = lambda state: self.tell()  # the card that was shown last
        return _goals(self.state, self._where())

    def tell(self) -> None:
        """Show what is new, or soon what is new by then. Called on the server's thread."""
        with self._lock:
            wait = self._drawn + CALM_SECONDS - time.monotonic()
            if wait > 0 and sys.platform != "emscripten":
                if not self._is_due:
                    self._is_due = True
                    later = threading.Timer(wait, self._draw)
                    later.daemon = True
                    later.start()
                return
        self._draw()

    def _draw(self) -> None:
        with self._lock:
            self._is_due = False
            self._drawn = time.monotonic()
            self.show(self.now())

    def _where(self) -> tuple[Fact, ...]:
        app = self.credentials
        what = Fact("Tasks", tasks.as_text(self.state, app, app.base_url), kind="code")
        if sys.platform == "emscripten":
            door = (
                "In a browser tab there's no address to send to. Send with `clinic.http` from "
                "Python, in a cell below; it goes to this very clinic."
            )
            return Fact("Door", door, kind="prose"), what
        exports = "\n".join(f"export {name}={value}" for name, value in self.environment.items())
        return (
            Fact("Settings", exports, kind="code"),
            Fact(
                "Address",
                f"{app.base_url}/clinic.html",
                "The tasks, in a browser. /clinic is for curl.",
            ),
            what,
        )


clinic = OpenClinic


def _goals(state: State, where: tuple[Fact, ...]) -> View:
    """Every goal: what to do, what came, or that it's shown."""
    states = {goal.id: _standing(state, goal) for goal in GOALS}
    done = sum(each == "done" for each in states.values())
    tiles = [Tile(n, SHORT[goal.id], states[goal.id]) for n, goal in enumerate(GOALS, start=1)]
    named = [goal.title for goal in GOALS if states[goal.id] == "done"]
    desc = f"Nine goals, {done} of them shown{': ' if named else ''}{', '.join(named)}."
    status = f"{done} of {len(GOALS)} shown."
    if state.latest:
        status += f" Also: {state.latest}"
    return View(
        "The clinic",
        (*where[:-1], *(_goal(n, goal, state) for n, goal in enumerate(GOALS, start=1))),
        "All of it is shown, and signed by your own program. Save the page!"
        if state.finished
        else status,
        True if state.finished else None,
        picture=board("The goals", desc, tiles),
        details=where[-1:],
        fold=TASKS,
    )


TASKS = "The tasks in full"
SHORT = {
    "vectors": "3 vectors",
    "event": "☕",
    "get": "GET, comma",
    "batch": "batch",
    "wait": "429: wait",
    "give-up": "429: stop",
    "private": "private",
    "fault": "a fault",
    "report": "signed",
}


def _standing(state: State, goal: Goal) -> str:
    mark = state.mark(goal.id)
    if mark.met is not None:
        return "done"
    if mark.under_way:
        return "begun"
    return "wrong" if mark.said else ""


def _goal(number_: int, goal: Goal, state: State) -> Fact:
    mark = state.mark(goal.id)
    send = goal.send.replace(" below", f" under “{TASKS}”")
    sign_ = MARKS[_standing(state, goal)] or "○ "
    name = f"{sign_}{number_} {goal.title}"
    if mark.met is not None:
        return Fact(name, mark.said, kind="prose")
    return Fact(name, mark.said or send, send if mark.said else goal.why, kind="prose")
