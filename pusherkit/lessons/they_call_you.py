"""Lesson 10, they call you: positions are sent all night, to nobody."""

import hashlib
import hmac
import json
import random
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, KeysView
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from pusherkit.credentials import Credentials
from pusherkit.doctor.webhooks import diagnose_webhook
from pusherkit.lessons.kit import (
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
    Explorer,
    Fact,
    Lesson,
    Picture,
    View,
    Wrong,
    choice,
    difference,
    gesture,
    shown,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.calling import calling as calling
from pusherkit.lessons.kit.picture import arrow, group, handle, line, path, rect, text
from pusherkit.lessons.kit.view import Action
from pusherkit.sandbox.api import Sandbox
from pusherkit.sandbox.channels import Connection
from pusherkit.sandbox.webhooks import UNANSWERED, Post, Webhooks

lesson = Lesson("10-they-call-you", stages=(1, 5))
map, recall = lesson.map, lesson.recall_card

CHANNEL = "positions"
OCCUPIED = {"name": "channel_occupied", "channel": "positions"}
VACATED = {"name": "channel_vacated", "channel": "positions"}
LINE = 68  # characters that fit under a cell in a window of 700 px, and a signature does, too


def diagnose(credentials: Credentials, **webhook: Any) -> str:
    """What the doctor says, in short lines: Jupyter breaks a long one inside a word."""
    said = str(diagnose_webhook(credentials, **webhook)).splitlines()
    wrapped = []
    for each in said:
        indent = each[: -len(each.lstrip())] if each.startswith(" ") else ""
        wrapped += textwrap.wrap(
            each, LINE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    return "\n".join(wrapped)


def headers_for(app_key: str, secret: str, body: bytes) -> dict[str, str]:
    """The two headers that the server puts beside a webhook's body."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Pusher-Key": app_key, "X-Pusher-Signature": signature}


# --- recall and prediction -----------------------------------------------------------------------


@lesson.recall(
    "Your framework parses a body, and you write it again with json.dumps(). Is its hash the same?",
    {
        "Yes, it's the same JSON": "It says the same, in other bytes. A hash looks at the bytes.",
        "Yes, if no field moved": "Even then: json.dumps() puts a space after each comma and "
        "colon, and the sender hadn't.",
        "No, it's other bytes": "Keep the bytes that came, and parse a copy.",
    },
    why="Two serialisers write the same object differently, and one extra byte changes the hash.",
)
def written_again() -> tuple[str, Fact]:
    body = json.dumps(VACATED, separators=(",", ":")).encode()
    again = json.dumps(json.loads(body)).encode()
    same = hashlib.sha256(again).digest() == hashlib.sha256(body).digest()
    right = "Yes, it's the same JSON" if same else "No, it's other bytes"
    return right, Fact("Written again", again.decode())


@lesson.recall(
    "The same event reaches a page twice, with the same id. How often should the page chime?",
    {
        "Once": "It remembers the id, and ignores the second copy.",
        "Twice": "That's how order 41 got delivered twice.",
        "Not at all": "Then a repeated event would be lost altogether.",
    },
    why="The receiver decides what counts as new. All the sender can do is send again.",
)
def one_chime() -> str:
    seen, chimes = set(), 0
    for message in ('{"id":7}', '{"id":7}'):
        if message not in seen:
            seen.add(message)
            chimes += 1
    return {0: "Not at all", 1: "Once", 2: "Twice"}[chimes]


@lesson.predict(
    "The office reloads its page. For half a second it isn't subscribed, then it's back. "
    "What does your backend hear about it?",
    {
        "channel_vacated, then channel_occupied": "It would, if the server told you at once.",
        "nothing": "The server waits three seconds before it tells you that somebody's gone.",
        "channel_occupied alone": "You get that one when a channel was empty before. As far as the "
        "server has told you, it never was.",
    },
    why="People reload pages, and phones lose their network in tunnels. So the server reports a "
    "departure only once it has lasted.",
)
def reloaded() -> tuple[str, Fact]:
    webhooks = Webhooks(EXAMPLE_CREDENTIALS)
    webhooks.note(VACATED)
    webhooks.take(0.0, now=EXAMPLE_TIMESTAMP)
    webhooks.note(OCCUPIED)  # half a second later
    told = webhooks.take(10.0, now=EXAMPLE_TIMESTAMP)
    heard = [event["name"] for event in told.webhook.events] if told else []
    return ", then ".join(heard) or "nothing", Fact("After ten seconds", f"{len(heard)} events")


# --- a night at the office -----------------------------------------------------------------------

MOST_STEPS = 400  # presses that are played again for each picture
STEP_SECONDS = {"clock": 1.0, "minute": 60.0}
MOST_LISTED = 6  # calls, and events that your backend acted on
LATE_SECONDS = 4.0  # after which the server gives up waiting for an answer

ANSWERS = {
    "200, at once": 200,
    "500: it failed, and did nothing": 500,
    "200, but after five seconds": None,
}
START = ("page",)  # the office has opened its page


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to call your backend."""

    at: float
    """Seconds since the picture began."""
    post: Post
    status: int | None = None
    again: float | None = None
    """Seconds until the next attempt."""
    is_open: bool = False
    """Whether the answer is still awaited."""


class Night:
    """What happened: the practice server's own rules, and a clock that is moved by hand."""

    def __init__(self, status: int | None = 200) -> None:
        self.webhooks = Webhooks(EXAMPLE_CREDENTIALS)
        self.sandbox = Sandbox(EXAMPLE_CREDENTIALS, webhooks=self.webhooks)
        self.status = status
        self.seconds = 0.0
        self.calls: list[Call] = []
        self.heard: list[str] = []
        """The events that your backend has acted on, copies too."""
        self.acted: Counter[str] = Counter()
        """How often it has acted on a webhook, by the webhook's signature."""
        self.is_over = False
        """Whether no further press counts."""
        self._page: Connection | None = None

    @property
    def page_is_open(self) -> bool:
        return self._page is not None

    @property
    def van_sends(self) -> bool:
        return self.heard[-1:] == ["channel_occupied"]

    def press(self, step: str) -> None:
        """Press the page or a clock, or choose what your backend answers from now on."""
        if step in ANSWERS:
            self.status = ANSWERS[step]
            return
        if step in STEP_SECONDS:
            self.wait(STEP_SECONDS[step])
            return
        channels = self.sandbox.channels
        if self._page is None:
            self._page = channels.open(
                lambda text: None,
                lambda code, reason: None,
                key=EXAMPLE_CREDENTIALS.key,
                protocol="7",
                now=self._now(),
            )
            ask = {"event": "pusher:subscribe", "data": {"channel": CHANNEL}}
            assert self._page is not None  # noqa: S101 - the key is right
            channels.receive(self._page, json.dumps(ask), now=self._now())
        else:
            channels.close(self._page)
            self._page = None
        self.wait(0.25)

    def wait(self, seconds: float) -> None:
        """Let time pass, with all that falls due."""
        end = self.seconds + seconds
        while (due := self._next_due()) is not None and due <= end:
            self.seconds = due
            if self.calls and self.calls[-1].is_open:
                self._answer(None)
            elif (post := self.webhooks.take(self.seconds, now=self._now())) is not None:
                self._arrive(post)
        self.seconds = end

    def _next_due(self) -> float | None:
        if self.calls and self.calls[-1].is_open:
            return self.calls[-1].at + LATE_SECONDS
        wait = self.webhooks.wait(self.seconds)
        return None if wait is None else self.seconds + wait

    def _arrive(self, post: Post) -> None:
        self.calls.append(Call(self.seconds, post, is_open=True))
        if self.status != 500:
            self.heard += [event["name"] for event in post.webhook.events]
            self.acted[post.webhook.signature] += 1
        if self.status is not None:
            self._answer(self.status)

    def _answer(self, status: int | None) -> None:
        call = self.calls[-1]
        told = self.webhooks.answered(
            call.post, status, "" if status else UNANSWERED, ticks=self.seconds, now=self._now()
        )
        self.calls[-1] = replace(call, status=status, again=told.retry_after, is_open=False)

    def _now(self) -> float:
        return EXAMPLE_TIMESTAMP + self.seconds


@lesson.explorer
def at_night() -> Explorer:
    """Press the office's page to open or close it, and the clock to let a second pass."""
    return Nights(
        _at_night,
        answer=choice("From now on, your backend answers", list(ANSWERS)),
        steps=gesture(START, _pressed),
        code=[headers_for],
    )


class Nights(Explorer):
    """What your backend answers counts from then on, so each choice becomes one of the steps."""

    def read(self, values: dict[str, Any]) -> None:
        chosen = values.get("answer")
        if chosen in ANSWERS and chosen != self.values["answer"]:
            self.values["steps"] = _pressed(self.values["steps"], Event("press", chosen))
        super().read(values)

    def hear(self, event: Event) -> None:
        if event == Event("press", "again"):
            self.values["steps"] = (self.values["answer"], *START)
        super().hear(event)


def _pressed(steps: tuple[str, ...], event: Event) -> tuple[str, ...]:
    known = event.kind == "press" and event.id in ("page", *STEP_SECONDS, *ANSWERS)
    return (*steps, event.id) if known and len(steps) < MOST_STEPS else steps


def _at_night(answer: str, steps: tuple[str, ...]) -> View:
    night = Night()
    for step in steps:
        night.press(step)
    night.is_over = len(steps) >= MOST_STEPS
    said, good = _verdict(night)
    acted = [
        name if (times := len(list(same))) == 1 else f"{name} ({_times(times)})"
        for name, same in groupby(night.heard)
    ]
    facts = [
        _latest("Calls", "\n", [_listed(call) for call in night.calls])
        or Fact("Calls", "none yet"),
        _latest("You acted on", ", ", acted) or Fact("You acted on", "nothing yet"),
    ]
    if night.calls:
        webhook = night.calls[-1].post.webhook
        facts += [
            Fact("Last body", webhook.body.decode()),
            Fact("X-Pusher-Key", webhook.key),
            Fact("X-Pusher-Signature", webhook.signature, "The HMAC of exactly these bytes."),
        ]
    return View(
        "The office at night",
        tuple(facts),
        said,
        good,
        picture=who_calls_whom(night),
        actions=(Action("minute", "Let a minute pass"), Action("again", "Start over")),
    )


def _times(times: int) -> str:
    return "twice" if times == 2 else f"{times} times"


def _latest(name: str, between: str, entries: list[str]) -> Fact | None:
    cut = f"The last {MOST_LISTED} of {len(entries)}." if len(entries) > MOST_LISTED else ""
    return Fact(name, between.join(entries[-MOST_LISTED:]), cut) if entries else None


def _listed(call: Call) -> str:
    """Two lines: as one, it would be broken anywhere in a narrow window."""
    webhook = call.post.webhook
    return f"{call.at:g} s  {webhook}\n    {webhook.signature[:8]}… → {_outcome(call)}"


def _outcome(call: Call) -> str:
    if call.is_open:
        return "no answer yet"
    result = f"{call.status}" if call.status else f"no answer in {LATE_SECONDS:g} s"
    return result if call.again is None else f"{result}, again in {call.again:g} s"


def _verdict(night: Night) -> tuple[str, bool | None]:
    if night.is_over:
        return f"The night ends here, after {MOST_STEPS} presses. Start over.", None
    last = night.calls[-1] if night.calls else None
    most = max(night.acted.values(), default=0)
    again = f" You've acted on the same webhook {_times(most)}." if most > 1 else ""
    new = ""
    if night.status != (last.status if last else 200) and not (last and last.is_open):
        answer = next(words for words, status in ANSWERS.items() if status == night.status)
        new = f" From the next call on, your backend answers {answer}."
    if last and last.is_open:
        return (
            f"The server is waiting for your answer, and sends you nothing else until then.{again}",
            None,
        )
    if last and last.again is not None:
        said = "Not received, as far as the server knows. The same bytes will come again."
        return said + again + new, False
    if night.page_is_open != night.van_sends:
        where = "open" if night.page_is_open else "closed"
        if last is None or night.webhooks.wait(night.seconds) is not None:
            return f"The page is {where}, and your backend doesn't know yet.{new}", None
        why = "the server has given up, and won't tell it again."
        if last.status == 200:
            why = "the webhook that came last is an older one, and your backend believed it."
        return f"The page is {where}, but {why}{new}", False
    if night.page_is_open:
        return f"Somebody's watching, your backend knows, and the van sends.{new}", True
    return f"Nobody's watching, your backend knows, and the van is quiet.{new}", True


# --- the picture: who calls whom -----------------------------------------------------------------


def who_calls_whom(night: Night) -> Picture:
    """Your backend, the server and the office's page; the arrow back is the webhook."""
    page = "open" if night.page_is_open else "closed"
    van = "sends positions" if night.van_sends else "is quiet"
    last = night.calls[-1] if night.calls else None
    told = f"The last call was answered: {_outcome(last)}. " if last else "No call yet. "
    desc = (
        "Your backend calls the server to publish. The server calls your backend with a webhook, "
        f"to report what happens in the channels. Both have the secret. {told}"
        f"The office's page is {page}, and the van {van}."
    )
    return Picture.both(
        "Who calls whom",
        desc,
        (780, 194, _drawn(night, wide=True)),
        (340, 348, _drawn(night, wide=False)),
    )


def _drawn(night: Night, *, wide: bool) -> str:
    left, top, width = (8, 14, 170) if wide else (4, 6, 122)
    server = 322 if wide else 214
    out = left + width
    there, back = top + 34, top + 92
    page_x, page_y, page_w = (590, 11, 182) if wide else (4, 182, 330)
    clock_y = 109 if wide else 266
    last = night.calls[-1] if night.calls else None
    kind = "arrow" if last is None or last.is_open else "good" if last.status == 200 else "wrong"
    mark = ""
    if last and not last.is_open:
        mark = "✓ 200" if last.status == 200 else f"✗ {last.status or 'too late'}"
    van, middle = "the van sends" if night.van_sends else "the van is quiet", (out + server) / 2
    pieces = [
        _holder(left, top, width, "Your backend", van),
        _holder(server, top, width, "The server", _waits(night)),
        arrow(out + 3, there, server - 3, there),
        path(f"M{middle - 6:g} {there:g}a6 6 0 1 1 0 .1z", "f1") if night.van_sends else "",
        text(middle, there - 9, "you publish" if wide else "publish", "small", "middle"),
        arrow(server - 3, back, out + 3, back, kind),
        text(middle, back - 9, "it calls you" if wide else "calls you", "small", "middle"),
        text(middle, back + 21, mark, "okt" if kind == "good" else "badt", "middle"),
    ]
    if night.page_is_open:
        beside = (server + width, there, page_x, there)
        below = (275, top + 132, 275, page_y)
        pieces.append(line(*(beside if wide else below), "good"))
    pieces += [_page(page_x, page_y, page_w, night), _clock(page_x, clock_y, page_w, night)]
    return "".join(pieces)


def _holder(x: float, y: float, width: float, name: str, does: str) -> str:
    """A box of somebody who holds the secret, with a key in it."""
    key = path("M0 0a5 5 0 1 1 0 .1M10 0h11M17 0v4M21 0v4", "s5")
    return group(
        rect(x, y, width, 132, rx=6),
        text(x + width / 2, y + 26, name, "strong", "middle"),
        text(x + width / 2, y + 64, does, "small", "middle"),
        group(key, transform=f"translate({x + 8:g} {y + 112:g})"),
        text(x + 34, y + 117, "the secret", "t5"),
    )


def _waits(night: Night) -> str:
    """What the server is about to do, in a few words."""
    last = night.calls[-1] if night.calls else None
    if last and last.is_open:
        return "waits for you"
    if (wait := night.webhooks.wait(night.seconds)) is not None:
        return f"calls in {wait:g} s"
    return "nothing left to tell"


OVER = "the night is over"


def _page(x: float, y: float, width: float, night: Night) -> str:
    now, then = (f"open, on {CHANNEL}", "close") if night.page_is_open else ("closed", "open")
    return handle(
        rect(x, y, width, 74, "good" if night.page_is_open else "box", rx=8),
        text(x + 12, y + 24, "The office's page", "strong"),
        text(x + 12, y + 44, now, "t"),
        text(x + 12, y + 63, OVER if night.is_over else f"press to {then} it", "small"),
        id="page",
        label=f"The office's page, {now}. Press to {then} it.",
    )


def _clock(x: float, y: float, width: float, night: Night) -> str:
    at = f"{night.seconds:g} s"
    return handle(
        rect(x, y, width, 74, rx=8),
        path(f"M{x + 24:g} {y + 25:g}m-11 0a11 11 0 1 1 22 0a11 11 0 1 1 -22 0m11 -7v7h5", "s6"),
        text(x + 44, y + 30, at, "strong"),
        text(x + 12, y + 60, OVER if night.is_over else "press for one more second", "small"),
        id="clock",
        label=f"The clock, at {at}. Press to let a second pass.",
    )


# --- the exercises -------------------------------------------------------------------------------

SECRETS = {EXAMPLE_CREDENTIALS.key: EXAMPLE_CREDENTIALS.secret}  # by app key
TIME_MS = EXAMPLE_TIMESTAMP * 1_000


def _webhook(*events: dict[str, Any], time_ms: int = TIME_MS) -> bytes:
    """The body of a webhook, as the server writes it."""
    fields = {"time_ms": time_ms, "events": events}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _joined(user: str) -> dict[str, str]:
    return {"name": "member_added", "channel": "presence-couriers", "user_id": user}


class _Sent(str):
    """A signature that notices when it's compared with == or !=; `what` it is, in words.

    What lower() and the like make of it notices for the one that came, `origin`.
    """

    what: str
    compared: bool
    origin: "_Sent"
    __hash__ = str.__hash__

    def __new__(cls, value: str, what: str) -> "_Sent":
        made = super().__new__(cls, value)
        made.what, made.compared, made.origin = what, False, made
        return made

    def _like(self, value: str) -> "_Sent":
        made = _Sent(value, self.what)
        made.origin = self.origin
        return made

    def lower(self) -> "_Sent":
        return self._like(str.lower(self))

    def upper(self) -> "_Sent":
        return self._like(str.upper(self))

    def strip(self, *chars: Any) -> "_Sent":
        return self._like(str.strip(self, *chars))

    def _note(self, other: object) -> None:
        """Neither `== ""` nor looking for a copy among those that came gives anything away."""
        if bool(other) and not isinstance(other, _Sent):
            self.origin.compared = True

    def __eq__(self, other: object) -> bool:
        self._note(other)
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        self._note(other)
        return str.__ne__(self, other)


RIGHT = "genuine"


def _arrivals(chance: random.Random) -> Iterator[tuple[dict[str, str], bytes, str, str]]:
    """Some that are genuine, and many that aren't."""
    secrets = {chance.randbytes(10).hex(): chance.randbytes(10).hex() for _ in range(3)}
    key, other, third = secrets
    secrets[third] += "ë"
    secret = secrets[key]

    def signed(by: str, with_secret: str, body: bytes) -> str:
        return headers_for(by, with_secret, body)["X-Pusher-Signature"]

    body = _webhook(OCCUPIED, time_ms=TIME_MS + chance.randrange(1_000_000))
    zoe = _webhook(_joined("Zoë"))
    spaced = json.dumps(json.loads(body)).encode()  # from a server that writes JSON so
    right = signed(key, secret, body)
    forged = body.replace(b"positions", b"order-41")
    stranger = chance.randbytes(10).hex()
    ended, raw = body + b"\n", body.replace(b"positions", b"\xff\xfe")
    for sent_body, sent_key, signature, what in (
        (body, key, right, RIGHT),
        (
            body,
            other,
            signed(other, secrets[other], body),
            f"{RIGHT}: signed with the secret of the second app key",
        ),
        (
            spaced,
            key,
            signed(key, secret, spaced),
            f"{RIGHT}: its sender puts spaces into JSON, and signed them",
        ),
        (zoe, key, signed(key, secret, zoe), f"{RIGHT}: its ë is written as UTF-8"),
        (
            ended,
            key,
            signed(key, secret, ended),
            f"{RIGHT}: the newline at the end of its body was signed, too",
        ),
        (forged, key, right, "signed for another body"),
        (body, other, right, "signed with another app's secret"),
        (body, key, "", "without a signature"),
        (
            body,
            stranger,
            signed(stranger, "", body),
            "from a stranger, who signed with an empty secret",
        ),
        # Last, those at which code stops: a stop hides what's wrong with the others.
        (raw, key, signed(key, secret, raw), f"{RIGHT}, though its body isn't UTF-8"),
        (
            body,
            third,
            signed(third, secrets[third], body),
            f"{RIGHT}: signed with a secret that has an ë in it, as UTF-8",
        ),
        (body, key, "a header may hold an é, too", "not even hex"),
    ):
        yield dict(secrets), sent_body, sent_key, _Sent(signature, what)


@lesson.exercise(given=_arrivals, keep=True)
def webhook_is_genuine(secrets: dict[str, str], body: bytes, key: str, signature: str) -> bool:
    """Return whether a webhook was signed with the secret of the app key that it names."""
    if key not in secrets:
        return False
    right = hmac.new(secrets[key].encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right.encode(), signature.encode())


@webhook_is_genuine.judge
def _as_a_careful_server(
    result: Any, secrets: dict[str, str], body: bytes, key: str, signature: _Sent
) -> None:
    facts = (
        Fact("Body", _as_text(body)),
        Fact("Key", key),
        Fact("Its secret", secrets.get(key, "(none: it isn't one of yours)")),
        Fact("Signature", str(signature) or "(empty)"),
    )
    genuine = signature.what.startswith(RIGHT)
    if not isinstance(result, bool):
        raise Wrong("Return True or False.", *facts, yours=result)
    if result and not genuine:
        raise Wrong(f"Your function accepts this one, but it's {signature.what}.", *facts)
    if genuine and not result:
        raise Wrong(f"Your function refuses this one, but it's {signature.what}.", *facts)
    if signature.compared:
        raise Wrong(
            "== stops at the first character that differs, and a stranger can measure how soon. "
            "hmac.compare_digest() takes the same time wherever that is."
        )


def _as_text(body: bytes) -> str:
    return body.decode(errors="backslashreplace")


webhook_is_genuine.hint("It's the signature from lesson 04, over the body alone.")
webhook_is_genuine.hint("hmac.new(b'secret', b'body', hashlib.sha256).hexdigest() has 64 digits.")
webhook_is_genuine.hint(
    "hmac.compare_digest() takes any bytes; text has to be ASCII, and a stranger's header may not "
    "be. So encode both."
)


def _genuine(
    of_body: Callable[[bytes], bytes] = lambda body: body,
    secret: Callable[[dict[str, str], str], str] = lambda secrets, key: secrets[key],
    stranger: bool = False,
) -> Callable[..., Any]:
    """A check that gets one thing wrong: what's signed, or with which secret."""

    def check(secrets: dict[str, str], body: bytes, key: str, signature: str) -> bool:
        if key not in secrets and not stranger:
            return False
        right = headers_for(key, secret(secrets, key), of_body(body))["X-Pusher-Signature"]
        return hmac.compare_digest(right.encode(), signature.encode())

    return check


def _again(body: bytes) -> bytes:
    return json.dumps(json.loads(body.decode(errors="replace"))).encode()


webhook_is_genuine.wrong(
    "You sign JSON that was parsed and written again, and those are different bytes. Sign the body "
    "as it came.",
    _genuine(of_body=_again),
)
webhook_is_genuine.wrong(
    "Somebody without any secret gets in, with an unknown app key and a signature made with an "
    "empty secret. Refuse app keys that you don't know.",
    _genuine(secret=lambda secrets, key: secrets.get(key, ""), stranger=True),
)
webhook_is_genuine.wrong(
    "You always use the same secret. The app key tells you which one to use.",
    _genuine(secret=lambda secrets, key: next(iter(secrets.values()))),
)
webhook_is_genuine.wrong(
    "This is the right signature. Now compare it with the one that came, and return True or False.",
    lambda secrets, body, key, signature: (
        headers_for(key, secrets[key], body)["X-Pusher-Signature"] if key in secrets else False
    ),
)
webhook_is_genuine.wrong(
    "It refuses them all, even the genuine ones, so what you compute isn't the signature. It's an "
    "HMAC-SHA256 in hex: keyed by secrets[key] (not by the app key itself), over the body as it "
    "came.",
    lambda *_: False,
)
webhook_is_genuine.why(
    "You took the bytes that came, the secret that belongs to the app key, and a comparison that "
    "takes the same time for every wrong answer."
)
webhook_is_genuine.next("Rotate the secret: for a week, accept the old one as well as the new one.")


_FIRST = _webhook(OCCUPIED)
_COUNT = _webhook(
    {"name": "subscription_count", "channel": "positions", "subscription_count": 2},
    time_ms=TIME_MS + 9_000,
)
_THEIRS = _webhook(OCCUPIED, time_ms=TIME_MS + 4_000)
_MINE = EXAMPLE_CREDENTIALS.key, EXAMPLE_CREDENTIALS.secret
ARRIVED = {
    "A": (_FIRST, headers_for(*_MINE, _FIRST)),
    "B": (_FIRST.replace(b"occupied", b"vacated"), headers_for(*_MINE, _FIRST)),
    "C": (_THEIRS, headers_for("00b2dd1d0bd0", "their-secret", _THEIRS)),
    "D": (_FIRST, headers_for(*_MINE, _FIRST)),
    "E": (_COUNT, headers_for(*_MINE, _COUNT)),
}


@lesson.value
def decisions() -> dict[str, str]:
    """Decide about each: "act" on it, "ignore" it with a 200, or "refuse" it with a 401."""
    return {"A": "act", "B": "refuse", "C": "refuse", "D": "ignore", "E": "ignore"}


REASONS = {  # by webhook and wrong decision
    ("A", "ignore"): "A is genuine, and it's what your van waits for: somebody's watching.",
    ("A", "refuse"): "A is genuine, and it's what your van waits for: somebody's watching.",
    ("B", "act"): "B has A's signature, but says the opposite. Who could send that? Anybody who "
    "saw A.",
    ("B", "ignore"): "B isn't genuine: it has A's signature over another body. If you answer 200, "
    "its sender takes it that you believed it.",
    ("C", "act"): "C isn't genuine: its app key isn't yours, so you've no secret to check it with.",
    ("C", "ignore"): "C isn't genuine: its app key isn't yours. A 200 is for what you've checked; "
    "this one gets a 401.",
    ("D", "act"): "You act on D, but it's A again, byte for byte. Perhaps your first answer got "
    "lost.",
    ("D", "refuse"): "D is genuine, but you've had it. If you refuse it, it comes again: say 200, "
    "and do nothing.",
    ("E", "act"): "E is genuine, but it's a count. A told you that somebody's watching, and E says "
    "nothing new about that.",
    ("E", "refuse"): "E is genuine. You have no use for it, but if you refuse it, it'll keep "
    "coming for five minutes.",
}


@decisions.judge
def _known_decisions(result: Any) -> None:
    right = decisions()
    if isinstance(result, dict):
        known = [*right, *right.values()]
        if strange := [each for pair in result.items() for each in pair if each not in known]:
            raise Wrong(
                f"I don't know {shown(strange[0])}. The webhooks are A to E, and you may act, "
                "ignore or refuse.",
                yours=result,
            )
        for letter in right:
            if letter not in result:
                raise Wrong(f"{letter} is missing. Decide about all five.", yours=result)
            if reason := REASONS.get((letter, result[letter])):
                raise Wrong(reason, yours=result)
    if result != right:
        raise difference(right, result)


decisions.hint("Two of them aren't genuine. Of the other three, your van needs one.")
decisions.hint("If you don't answer with 2xx, it comes again. Which ones would you want again?")
for _slip in (("B", "act"), ("D", "act"), ("D", "refuse"), ("E", "act"), ("E", "refuse")):
    decisions.wrong(REASONS[_slip], {**decisions(), _slip[0]: _slip[1]})
decisions.why(
    "Two questions, in this order: is it genuine, and is it news to me? The status answers only "
    "the first."
)
decisions.next("What would the sender of B see, if you answered it with 200 and did nothing?")


def _tidings(chance: random.Random) -> Iterator[tuple[list[bytes]]]:
    """Webhooks as they arrive: copies, and one that failed at first and comes late."""

    def told(name: str, channel: str, second: int) -> bytes:
        events = [{"name": f"channel_{name}", "channel": channel}]
        if chance.random() < 0.5:
            events.insert(0, _joined(chance.choice(["Ann", "Zoë"])))
        return _webhook(*events, time_ms=TIME_MS + 1_000 * second)

    order = f"order-{chance.randrange(40, 99)}"
    opened, closed = told("occupied", CHANNEL, 1), told("vacated", CHANNEL, 5)
    also = told("occupied", order, 2)

    def counted(users: int, second: int) -> bytes:
        count: dict[str, Any] = {"name": "subscription_count", "channel": CHANNEL}
        return _webhook(count | {"subscription_count": users}, time_ms=TIME_MS + 1_000 * second)

    yield ([opened, also, also],)
    yield ([opened, counted(2, 3)],)  # about the same channel, and nobody has come or left
    yield ([opened, closed, counted(1, 3)],)
    yield ([opened, also, closed, opened],)  # the copy says something that's long past
    yield ([also, closed, opened],)  # the first attempt of `opened` had failed
    reopened = told("occupied", CHANNEL, 9)
    yield ([opened, closed, also, reopened, closed, told("vacated", order, 8)],)
    both = [OCCUPIED, VACATED]  # in one webhook, so at the same time_ms
    yield ([_webhook(*both, time_ms=TIME_MS + 20_000), also],)
    yield ([_webhook(*both[::-1], time_ms=TIME_MS + 20_000), also],)


@lesson.exercise(given=_tidings)
def watched(bodies: list[bytes]) -> set[str]:
    """Return the channels that somebody's watching, by what the webhooks say."""
    latest: dict[str, tuple[int, str]] = {}
    for body in bodies:
        webhook = json.loads(body)
        for event in webhook["events"]:
            if event["name"] in ("channel_occupied", "channel_vacated"):
                time_ms, _ = latest.get(event["channel"], (0, ""))
                if webhook["time_ms"] >= time_ms:
                    latest[event["channel"]] = (webhook["time_ms"], event["name"])
    return {channel for channel, (_, name) in latest.items() if name == "channel_occupied"}


@watched.observe
def _as_a_set(result: Any, *_: Any) -> Any:
    """A list or a dict's keys are as good: the order says nothing."""
    if not isinstance(result, frozenset | list | tuple | KeysView):
        return result
    each_is_text = all(isinstance(each, str) for each in result)
    return set(result) if each_is_text else result


@watched.judge
def _as_it_is(result: Any, bodies: list[bytes]) -> None:
    right = watched(bodies)
    if not isinstance(result, set):
        raise Wrong("Return a set of channels, such as {'positions'}.", yours=result)
    if result != right and result == _by_name(bodies):
        raise Wrong(
            "Two events in one webhook have the same time_ms, and you let their names decide. "
            "They're in order, so the later one of them counts.",
            Fact("Webhooks", "\n".join(body.decode() for body in bodies)),
            yours=result,
        )
    if result != right:
        raise Wrong(
            "These aren't the channels that are watched in the end.",
            Fact("Webhooks", "\n".join(body.decode() for body in bodies)),
            Fact("Expected", shown(right)),
            yours=result,
        )


def _plainly(bodies: list[bytes], once: bool = False) -> set[str]:
    """In the order of arrival; with `once`, without copies."""
    found: set[str] = set()
    for body in dict.fromkeys(bodies) if once else bodies:
        for event in json.loads(body)["events"]:
            if event["name"] == "channel_occupied":
                found.add(event["channel"])
            if event["name"] == "channel_vacated":
                found.discard(event["channel"])
    return found


def _by_name(bodies: list[bytes]) -> set[str]:
    """The greatest pair of time_ms and name for each channel, as max() finds it."""
    latest: dict[str, tuple[int, str]] = {}
    for body in bodies:
        webhook = json.loads(body)
        for event in webhook["events"]:
            if event["name"] in ("channel_occupied", "channel_vacated"):
                told = webhook["time_ms"], event["name"]
                latest[event["channel"]] = max(told, latest.get(event["channel"], told))
    return {channel for channel, (_, name) in latest.items() if name == "channel_occupied"}


watched.hint("A webhook's time_ms stays the same when it's sent again.")
watched.hint("Keep the newest time_ms for each channel, and skip what's older than that.")
watched.wrong(
    "A copy of something old came after something new, and you believed it. time_ms says when each "
    "was made.",
    _plainly,
)
watched.wrong(
    "You've handled the copies. But one webhook isn't a copy, only late: its first attempt failed, "
    "and newer ones overtook it. Compare time_ms.",
    lambda bodies: _plainly(bodies, once=True),
)
watched.wrong(
    "You never take a channel out again: channel_vacated says that the last one has left.",
    lambda bodies: {
        event["channel"]
        for body in bodies
        for event in json.loads(body)["events"]
        if event["name"] == "channel_occupied"
    },
)
watched.wrong(
    "A courier who joins (member_added) also names a channel. Look at the two channel events only.",
    lambda bodies: (
        watched.solve(bodies)
        | {
            event["channel"]
            for body in bodies
            for event in json.loads(body)["events"]
            if event["name"] == "member_added"
        }
    ),
)


def _either(bodies: list[bytes]) -> set[str]:
    """Whatever isn't channel_occupied empties the channel."""
    found: set[str] = set()
    for body in bodies:
        for event in json.loads(body)["events"]:
            (found.add if event["name"] == "channel_occupied" else found.discard)(event["channel"])
    return found


watched.wrong(
    "You take a channel out for whatever isn't channel_occupied. A subscription_count names it, "
    "too, and the van would go quiet while somebody's watching.",
    _either,
)
watched.why(
    "Keep only the latest news of each channel, and neither copies nor latecomers can hurt. That's "
    "what idempotent means: doing it twice is the same as doing it once."
)
watched.next(
    "After a restart your backend remembers nothing. Which request from above fills the gap?"
)


# --- find, explain, fix --------------------------------------------------------------------------


class _Raw(bytes):
    """A body that notices when it's parsed, which json.loads() can't do without decoding it; and
    when it's decoded only to be encoded again."""

    parsed = False
    rewritten = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        self.parsed = self.parsed or errors == "surrogatepass"  # which is json.loads() itself
        return _Text(bytes.decode(self, encoding, errors), self)


class _Text(str):
    """The text of such a body."""

    body: _Raw

    def __new__(cls, value: str, body: _Raw) -> "_Text":
        made = super().__new__(cls, value)
        made.body = body
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        self.body.rewritten = True
        return str.encode(self, encoding, errors)

    def startswith(self, *given: Any) -> bool:
        self.body.parsed = self.body.parsed or given == (BYTE_ORDER_MARK,)  # as json.loads() asks
        return str.startswith(self, *given)


BYTE_ORDER_MARK = "\ufeff"


def _calls(chance: random.Random) -> Iterator[tuple[dict[str, str], bytes, dict[str, str]]]:
    """Genuine ones, written in several ways, and some that aren't."""
    key, secret = chance.randbytes(10).hex(), chance.randbytes(10).hex()
    secrets = {key: secret}
    plain = _webhook(VACATED, time_ms=TIME_MS + chance.randrange(1_000_000))
    zoe = _webhook(_joined(f"Zoë {chance.randrange(9)}"))
    spaced = json.dumps(json.loads(plain)).encode()
    escaped = zoe.replace("ë".encode(), b"\\u00eb")
    yield secrets, plain, headers_for(key, secret, plain)
    for body in (zoe, escaped, spaced):
        yield secrets, body, headers_for(key, secret, body)
    yield secrets, _Raw(plain), headers_for(key, "a-guess", plain)
    yield secrets, _Raw(plain), {}


REWRITTEN = (
    "You decode the body, and encode it again to verify it. That gives the same bytes only if they "
    "were UTF-8: at others, decode() stops, and a stranger may send any. It's bytes already, so "
    "verify it as it came."
)


@lesson.exercise(given=_calls)
def receive(secrets: dict[str, str], body: bytes, headers: dict[str, str]) -> int:
    """Make the receiver answer 200 to genuine webhooks, and 401 to all others."""
    key, signature = headers.get("X-Pusher-Key", ""), headers.get("X-Pusher-Signature", "")
    if not webhook_is_genuine(secrets, body, key, signature):
        return 401
    return 200


def _receives_json(secrets: dict[str, str], body: bytes, headers: dict[str, str]) -> int:
    webhook = json.loads(body)
    text = json.dumps(webhook)
    key, signature = headers.get("X-Pusher-Key", ""), headers.get("X-Pusher-Signature", "")
    if not webhook_is_genuine(secrets, text.encode(), key, signature):
        return 401
    return 200


@receive.judge
def _answers(result: Any, secrets: dict[str, str], body: bytes, headers: dict[str, str]) -> None:
    right = receive(secrets, body, headers)
    if result == right:
        if isinstance(body, _Raw) and body.parsed:
            raise Wrong(
                "This one isn't genuine, and your code parsed it before it checked. A stranger "
                "may send what isn't JSON, and json.loads() would stop there. Check first."
            )
        if isinstance(body, _Raw) and body.rewritten:
            raise Wrong(REWRITTEN)
        return
    facts = (
        Fact("Body", _as_text(body)),
        Fact("Headers", "\n".join(f"{name}: {value}" for name, value in headers.items()) or "none"),
    )
    if right == 401:
        raise Wrong("This one isn't genuine. Answer 401.", *facts, yours=result)
    raise Wrong("This one is genuine. Answer 200.", *facts, yours=result)


receive.broken(
    "It answers 401 to everything, genuine or not. Which bytes does it verify?", _receives_json
)
receive.hint("Compare what it verifies with what came: print both.")
receive.hint("body is bytes already. What does Kim turn it into, and back?")


def _receives_compact(ensure_ascii: bool) -> Callable[..., int]:
    def answer(secrets: dict[str, str], body: bytes, headers: dict[str, str]) -> int:
        webhook = json.loads(body)
        text = json.dumps(webhook, separators=(",", ":"), ensure_ascii=ensure_ascii)
        key, signature = headers.get("X-Pusher-Key", ""), headers.get("X-Pusher-Signature", "")
        return 200 if webhook_is_genuine(secrets, text.encode(), key, signature) else 401

    return answer


receive.wrong(
    "Without the spaces it works, until somebody's called Zoë: json.dumps() writes \\u00eb for ë. "
    "Don't write it again at all.",
    _receives_compact(ensure_ascii=True),
)
receive.wrong(
    "It's still written again, only closer to how this server writes. The day it puts a space "
    "after a comma, or \\u00eb for ë, you refuse everything. Verify the body as it came.",
    _receives_compact(ensure_ascii=False),
)
receive.wrong(
    "Now anybody can tell your van to stop. Keep the check, but give it the right bytes.",
    lambda secrets, body, headers: 200,
)
receive.why("The raw body is what was signed. So verify that, and only then parse it.")
receive.next(
    "In your web framework, how do you get at the raw body? It's often a property of its own."
)


# --- prove it ------------------------------------------------------------------------------------

Arrival = tuple[bytes, dict[str, str]]


def _everything(chance: random.Random) -> Iterator[tuple[dict[str, str], list[Arrival]]]:
    for (bodies,) in _tidings(chance):
        secrets = {chance.randbytes(10).hex(): chance.randbytes(10).hex() for _ in range(2)}
        keys = list(secrets)
        by = {body: chance.choice(keys) for body in bodies} | {bodies[0]: keys[1]}
        calls = [_sent(secrets, by[body], body) for body in bodies]
        for with_secret in ("a-guess", secrets[keys[0]]):  # the other app's, the second time
            forged = _Raw(_webhook(VACATED, time_ms=TIME_MS + 90_000))
            by_them = _sent({keys[1]: with_secret}, keys[1], forged)
            calls.insert(chance.randrange(len(calls)), by_them)
        calls.append((_Raw(b'{"oops'), {"X-Pusher-Key": keys[0]}))
        yield secrets, calls


def _sent(secrets: dict[str, str], key: str, body: bytes) -> Arrival:
    headers = headers_for(key, secrets[key], body)
    signature = _Sent(headers["X-Pusher-Signature"], "")
    return body, headers | {"X-Pusher-Signature": signature}


@lesson.exercise(given=_everything, covers_lesson=True)
def prove_it(secrets: dict[str, str], calls: list[Arrival]) -> tuple[list[int], set[str]]:
    """Return the status of each answer, and the channels that are watched in the end."""
    statuses: list[int] = []
    latest: dict[str, tuple[int, str]] = {}
    for body, headers in calls:
        secret = secrets.get(headers.get("X-Pusher-Key", ""))
        sent = headers.get("X-Pusher-Signature", "")
        right = hmac.new((secret or "").encode(), body, hashlib.sha256).hexdigest()
        if secret is None or not hmac.compare_digest(right.encode(), sent.encode()):
            statuses.append(401)
            continue
        statuses.append(200)
        webhook = json.loads(body)
        for event in webhook["events"]:
            newest = latest.get(event["channel"], (0, ""))[0]
            if event["name"].startswith("channel_") and webhook["time_ms"] >= newest:
                latest[event["channel"]] = (webhook["time_ms"], event["name"])
    return statuses, {name for name, (_, told) in latest.items() if told == "channel_occupied"}


@prove_it.observe
def _as_list_and_set(result: Any, *_: Any) -> Any:
    """The two in a list, and the statuses in a tuple, are as good."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        return result
    statuses, channels = result
    return list(statuses) if isinstance(statuses, tuple) else statuses, _as_a_set(channels)


@prove_it.judge
def _both(result: Any, secrets: dict[str, str], calls: list[Arrival]) -> None:
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong("Return two things, separated by a comma.", yours=result)
    statuses, channels = result
    right = [
        200
        if webhook_is_genuine(
            secrets, body, headers.get("X-Pusher-Key", ""), headers.get("X-Pusher-Signature", "")
        )
        else 401
        for body, headers in calls
    ]
    if not isinstance(statuses, list):
        raise Wrong("Part 1 is a list: the status of each call, in order.", yours=statuses)
    if statuses != right:
        raise Wrong(
            "Part 1: one status for each call. 200 where it's genuine, 401 where it isn't.",
            Fact("Expected", shown(right)),
            yours=statuses,
        )
    believed = [body for (body, _), status in zip(calls, right, strict=True) if status == 200]
    _as_it_is(channels, believed)
    if any(isinstance(body, _Raw) and body.parsed for body, _ in calls):
        raise Wrong(
            "Both parts are right. But you parsed a body before you checked its signature. A "
            "stranger can send anything, so check first."
        )
    if any(isinstance(body, _Raw) and body.rewritten for body, _ in calls):
        raise Wrong(f"Both parts are right. But look at how you verify. {REWRITTEN}")
    signatures = [headers.get("X-Pusher-Signature") for _, headers in calls]
    if any(isinstance(each, _Sent) and each.compared for each in signatures):
        raise Wrong(
            "Both parts are right. But == stops at the first character that differs, and a "
            "stranger can measure how soon. Compare with hmac.compare_digest()."
        )


prove_it.hint("Refuse first, and parse only what's left: one body here isn't JSON at all.")
prove_it.hint("The second part is exercise 3, over the bodies that you answered with 200.")


def _proves(
    believed: Callable[[int], bool] = lambda status: status == 200,
    channels: Callable[[list[bytes]], Any] = lambda bodies: watched(bodies),
    one_secret: bool = False,
) -> Callable[..., Any]:
    def answer(secrets: dict[str, str], calls: list[Arrival]) -> Any:
        if one_secret:
            secrets = dict.fromkeys(secrets, next(iter(secrets.values())))
        statuses = [
            200
            if webhook_is_genuine(
                secrets,
                body,
                headers.get("X-Pusher-Key", ""),
                headers.get("X-Pusher-Signature", ""),
            )
            else 401
            for body, headers in calls
        ]
        bodies = [
            body
            for (body, _), status in zip(calls, statuses, strict=True)
            if believed(status) and body.endswith(b"}")
        ]
        return statuses, channels(bodies)

    return answer


prove_it.wrong(
    "You refuse the forged one, but you act on it anyway. Don't parse anything that you refuse.",
    _proves(believed=lambda status: True),
)
prove_it.wrong(
    "The statuses are right. But you trust the order of arrival; go by time_ms instead.",
    _proves(channels=_plainly),
)
prove_it.wrong(
    "The statuses are right, and the copies are gone. One webhook still came late: compare "
    "time_ms.",
    _proves(channels=lambda bodies: _plainly(bodies, once=True)),
)
prove_it.wrong(
    "You always use the same secret. X-Pusher-Key tells you which one to use.",
    _proves(one_secret=True),
)
prove_it.why("That's a receiver that a stranger can't fool and a copy can't confuse.")
prove_it.next("Go on to lesson 11. Monday it goes live.")
