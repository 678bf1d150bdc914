"""Lesson 09, who may listen: a customer changes the number in her page's address."""

import hashlib
import hmac
import itertools
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from pusherkit.authorization import authorize_channel, verify_channel
from pusherkit.credentials import Credentials
from pusherkit.encryption import decrypt
from pusherkit.errors import AuthenticationError, DecryptionError, PusherError
from pusherkit.events import SOCKET_ID as SOCKET_ID_FORM
from pusherkit.lessons.kit import (
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
    choice,
    difference,
    practice,
    shown,
)
from pusherkit.lessons.kit.calling import exchange
from pusherkit.lessons.kit.picture import arrow, group, path, rect, text
from pusherkit.sandbox.api import Sandbox
from pusherkit.subscriber import Subscriber

lesson = Lesson("09-who-may-listen", title="Who may listen?", stages=(5,))
map, recall = lesson.map, lesson.recall_card
practice = practice

User = dict[str, Any]
PIA: User = {"id": "pia", "orders": [41], "courier": False}
TOM: User = {"id": "tom", "orders": [41, 42], "courier": True}  # those in his van
SESSIONS = {"3f9c1a77": PIA, "b27e04d1": TOM}  # what the login handed out: nobody can guess one
VISITS = (
    ("3f9c1a77", "private-order-41"),
    ("3f9c1a77", "private-order-42"),
    ("b27e04d1", "presence-couriers"),
    ("", "private-order-41"),
)
NAMES = {"3f9c1a77": "Pia", "b27e04d1": "Tom", "": "a stranger"}
COURIERS = "presence-couriers"


def signature(secret: str, text: str) -> str:
    """The HMAC of a text, as in lesson 04."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


# --- one connection at the server ---------------------------------------------------------------

SOCKET_ID = "1234.1234"  # of the published example


@dataclass(frozen=True, slots=True)
class Heard:
    """What the server said to a frame: the error, "" where it agreed; and what the doctor says."""

    error: str
    doctor: str
    members: tuple[str, ...] = ()


def say(event: str, data: Mapping[str, Any], socket_id: str = SOCKET_ID) -> Heard:
    """Send one frame on a new connection, which the server calls `socket_id`."""
    sandbox = Sandbox(EXAMPLE_CREDENTIALS, socket_ids=iter([socket_id]))
    told: list[str] = []
    connection = sandbox.channels.open(
        told.append,
        lambda code, reason: None,
        key=EXAMPLE_CREDENTIALS.key,
        protocol="7",
        now=EXAMPLE_TIMESTAMP,
    )
    frame = json.dumps({"event": event, "data": data})
    sandbox.channels.receive(connection, frame, now=EXAMPLE_TIMESTAMP)  # type: ignore[arg-type]
    errors = [json.loads(each)["data"]["message"] for each in told if '"pusher:error"' in each]
    if not errors:
        return Heard("", "", tuple(sandbox.channels.users(str(data.get("channel")))))
    said = "\n".join(each.note.partition("\n")[2] for each in sandbox.refused_subscriptions)
    return Heard(errors[0], said)


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A page shows order 41's events. What did it need to get them?",
    {
        "the app key and the secret": "The secret is for publishing. A page can't keep one: "
        "everybody can read its code.",
        "the app key": "It's in the URL that the page connects to, and it may be public.",
        "nothing at all": "The server wants to know which app the page belongs to.",
    },
    why="The app key says which app. The secret proves who you are, so it stays on your servers.",
)
def what_a_page_needs() -> tuple[str, Fact]:
    sandbox = Sandbox(EXAMPLE_CREDENTIALS)
    page = replace(EXAMPLE_CREDENTIALS, secret="none in the page")  # noqa: S106
    Subscriber(page, "order-41", transport=sandbox.channels).close()
    try:
        Subscriber(replace(page, key="another key"), "order-41", transport=sandbox.channels)
    except PusherError as error:
        return "the app key", Fact("With another key", str(error))
    return "nothing at all", Fact("With another key", "subscribed")


@lesson.recall(
    'You sign {"id": 7}, but you send {"id":7}. What happens?',
    {
        "It's accepted: it means the same": "To you. To a hash they're different bytes.",
        "It depends on the server": "A strict one refuses it, and so does the service.",
        "It's refused": "One space is enough.",
    },
    why="You sign bytes, not their meaning. Send exactly the text that you signed.",
)
def one_space() -> tuple[str, Fact]:
    secret = EXAMPLE_CREDENTIALS.secret
    signed, sent = signature(secret, '{"id": 7}'), signature(secret, '{"id":7}')
    same = "It's accepted: it means the same" if signed == sent else "It's refused"
    return same, Fact("Signed, and sent", f"{signed}\n{sent}")


@lesson.predict(
    "Kim's fix goes live. Pia's page asks for private-order-42. What does she get to see?",
    {
        "Whatever she saw this morning": "Kim's endpoint has the secret, and it signs for anyone "
        "who asks. There's a lock now, but everybody gets a key.",
        "Nothing: her page has no secret": "It doesn't need one. It asks the endpoint, which does.",
        "Nothing: the server knows her order": "The server knows channels and signatures. Orders "
        "and customers are in your database.",
    },
    why="A signature only says that your backend agreed. Whether it should have is a question that "
    "nobody but your backend can answer.",
)
def kims_fix() -> tuple[str, Fact]:
    app, socket_id, channel = EXAMPLE_CREDENTIALS, "1234.1234", "private-order-42"
    auth = authorize_channel(app, socket_id, channel)["auth"]  # all that Kim's endpoint does
    try:
        verify_channel(app, socket_id, channel, auth)
    except AuthenticationError as error:
        return "Nothing: her page has no secret", Fact("The server", str(error))
    return "Whatever she saw this morning", Fact("Signed, and accepted", auth)


# --- the lock, and who holds which key ----------------------------------------------------------


def signs_everything(app: Credentials, user: User | None, socket_id: str, channel: str) -> Any:
    """Kim's endpoint."""
    text = f"{socket_id}:{channel}"
    return 200, {"auth": f"{app.key}:{signature(app.secret, text)}"}


def decides_first(app: Credentials, user: User | None, socket_id: str, channel: str) -> Any:
    """An endpoint that asks who it is, and only then signs."""
    orders = user["orders"] if user else []
    if channel not in [f"private-order-{number}" for number in orders]:
        return 403, {"error": "You can't listen here."}
    text = f"{socket_id}:{channel}"
    return 200, {"auth": f"{app.key}:{signature(app.secret, text)}"}


PAGES = {
    "Pia, who ordered 41": PIA,
    "Tom, with 41 and 42 in his van": TOM,
    "a stranger, not signed in": None,
}
CHANNELS = ("private-order-42", "private-order-41", "order-42")
ENDPOINTS = {
    "isn't there": None,
    "signs whatever it's asked to": signs_everything,
    "decides, then signs": decides_first,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One page that wants to join one channel, and what came of it."""

    who: str
    channel: str
    answer: str
    """What the endpoint said; "" where nobody asked it."""
    allowed: bool
    """Whether it signed."""
    asked: bool
    """Whether the page asked the server: it doesn't, once its endpoint has said no."""
    heard: Heard
    should: bool
    """Whether this user may listen to that order."""

    @property
    def is_private(self) -> bool:
        """Whether the server wants an auth for this channel."""
        return self.channel.startswith("private-")

    @property
    def joined(self) -> bool:
        """Whether the server let the page in."""
        return not self.heard.error

    @property
    def is_good(self) -> bool | None:
        """Whether that's as it should be; None where it's nobody's decision, and no harm done."""
        if self.joined == self.should:
            return True if self.is_private else None
        return False


@lesson.explorer
def joining() -> Explorer:
    """Choose a page, a channel and an endpoint, and see who gets in."""
    return Explorer(
        _joining,
        page=choice("Signed in", PAGES),
        channel=choice("Asks for", CHANNELS),
        endpoint=choice("Your endpoint", ENDPOINTS),
        code=[signs_everything, decides_first],
    )


def attempt(page: User | None, channel: str, endpoint: Callable[..., Any] | None) -> Attempt:
    """Let a page ask an endpoint, and the server."""
    who = next(name for name, user in PAGES.items() if user is page).partition(",")[0]
    order = f"private-{channel.removeprefix('private-')}"
    should, _ = decides_first(EXAMPLE_CREDENTIALS, page, SOCKET_ID, order)
    wanted: dict[str, Any] = {"channel": channel}
    said, allowed = "", False
    if channel.startswith("private-") and endpoint is not None:
        status, answer = endpoint(EXAMPLE_CREDENTIALS, page, SOCKET_ID, channel)
        said, allowed = f"{status} {json.dumps(answer)}", status == 200
        wanted |= answer if allowed else {}
    asks = allowed or not said
    heard = say("pusher:subscribe", wanted) if asks else Heard("the page didn't ask it", "")
    return Attempt(who[0].upper() + who[1:], channel, said, allowed, asks, heard, should == 200)


def _joining(page: User | None, channel: str, endpoint: Callable[..., Any] | None) -> View:
    made = attempt(page, channel, endpoint)
    if not made.is_private:
        said = "In. The channel is public, so nobody asks for an auth"
        said += "." if made.should else ": that's this morning's leak."
    elif made.joined:
        said = "In, and that's right." if made.should else "In. It's this morning all over again."
    else:
        said = "Kept out, but this page should get in." if made.should else "Kept out. Good."
    asks = f"socket_id={SOCKET_ID}&channel_name={channel}"
    if not made.answer:
        asks = "There's nobody to ask." if made.is_private else "It needn't ask."
    return View(
        "A page wants to listen",
        (
            Fact("1 The page", asks),
            Fact("2 Endpoint", made.answer or "–"),
            Fact("3 The server", made.heard.error or "pusher_internal:subscription_succeeded"),
        ),
        said,
        made.is_good,
        picture=lock(made),
    )


def lock(made: Attempt) -> Picture:
    """The page, your endpoint and the server; the channel's lock, and who holds which key."""
    state = "open" if made.joined else "locked"
    holders = "Your endpoint and the server both hold the secret, and never talk to each other."
    if not _is_there(made):
        holders = "The server holds the secret, and there's no endpoint."
    desc = (
        f"{made.who}'s page holds the app key. {holders} The page wants {made.channel}: "
        f"{_verdict(made)}. At the server, the channel is {state}."
    )
    title = "The lock, and who holds which key"
    return Picture.both(title, desc, (760, 232, _wide(made)), (340, 378, _narrow(made)))


def _verdict(made: Attempt) -> str:
    if not made.is_private:
        return "nobody is asked"
    if not made.answer:
        return "there's nobody to ask"
    return "the endpoint signs" if made.allowed else "the endpoint says no"


_LOOKS = {True: "good", False: "wrong", None: "arrow"}
_APART = {"stroke_dasharray": "2 5"}  # of a line that nothing goes along


def _wide(made: Attempt) -> str:
    kind = _LOOKS[made.is_good]
    there = _is_there(made)
    return "".join(
        (
            path("M472 50H659V138" if there else "", **_APART),
            text(482, 40, "same secret; they never talk" if there else "", "small"),
            _holder(290, 6, 180, "Your endpoint", _says(made), secret=there, there=there),
            _holder(6, 140, 190, f"{made.who}'s page", "✓ listens" if made.joined else "…"),
            _holder(564, 140, 190, "The server", _checks(made), secret=True),
            text(352, 168, made.channel, "m", "middle"),
            _padlock(500, 170, made.joined, kind),
            _subscribes(made, (198, 182, 492, 182), (534, 182, 562, 182), (352, 203)),
            _question(
                made,
                path("M101 138V36H286m-6 -4l6 4 -6 4", "arrow"),
                path("M290 62H130V136m-4 -6l4 6 4 -6", "arrow"),
                (112, 26),
                (140, 82),
            ),
        )
    )


def _narrow(made: Attempt) -> str:
    there = _is_there(made)
    return "".join(
        (
            _holder(4, 4, 332, "Your endpoint", _says(made), secret=there, there=there),
            _holder(4, 134, 332, f"{made.who}'s page", "✓ listens" if made.joined else "…"),
            _padlock(57, 254, made.joined, _LOOKS[made.is_good]),
            text(100, 258, made.channel, "m"),
            _holder(4, 294, 332, "The server", _checks(made), secret=True),
            _subscribes(made, (70, 216, 70, 230), (70, 276, 70, 292), (100, 276)),
            _question(
                made, arrow(70, 132, 70, 86), arrow(240, 86, 240, 132), (80, 114), (250, 114)
            ),
        )
    )


Ends = tuple[int, int, int, int]


def _subscribes(made: Attempt, to_lock: Ends, to_server: Ends, words: tuple[float, float]) -> str:
    """The page's way to the lock, if it asks, and through it, if that opens."""
    kind = _LOOKS[made.is_good] if made.asked else "thread"
    to, through = (f"M{x1} {y1}L{x2} {y2}" for x1, y1, x2, y2 in (to_lock, to_server))
    return group(
        path(to, kind, **({} if made.asked else _APART)),
        path(through, kind, **({} if made.joined else _APART)),
        text(*words, "3 subscribe" if made.asked else "", "small", "middle"),
    )


def _question(
    made: Attempt, up: str, back: str, asks: tuple[float, float], told: tuple[float, float]
) -> str:
    """The page's question and the endpoint's answer, if there was one.

    It comes last in a picture, so that the shapes before it stay what they are when it goes.
    """
    if not made.answer:
        return ""
    answer = text(*told, "2 auth" if made.allowed else "2 no auth", "small")
    return group(up, text(*asks, "1 May I listen?", "small"), back, answer)


def _checks(made: Attempt) -> str:
    if not made.asked:
        return "isn't asked"
    return "checks the signature" if made.is_private else "asks for no signature"


def _is_there(made: Attempt) -> bool:
    return bool(made.answer) or not made.is_private


def _says(made: Attempt) -> str:
    if not made.is_private:
        return "isn't asked"
    if not made.answer:
        return "isn't there"
    return "✓ signs" if made.allowed else "✗ says no: 403"


def _holder(
    x: float,
    y: float,
    width: float,
    name: str,
    does: str,
    *,
    secret: bool = False,
    there: bool = True,
) -> str:
    """Somebody, what they do, and which key they hold; in a dashed frame if they aren't there."""
    key = path("M0 0a5 5 0 1 1 0 .1M10 0h11M17 0v4M21 0v4", "s5" if secret else "arrow")
    holds = text(x + 42, y + 67, *(("the secret", "t5") if secret else ("the app key", "small")))
    return group(
        rect(x, y, width, 80, rx=6)
        if there
        else rect(x, y, width, 80, "bare", rx=6, stroke_dasharray="5 4"),
        text(x + 12, y + 22, name, "strong"),
        text(x + 12, y + 43, does, "t"),
        group(key, at=(x + 13, y + 62)) + holds if there else "",
    )


def _padlock(x: float, y: float, is_open: bool, kind: str) -> str:
    shackle = "M5 0v-11a8 8 0 0 1 16 0v3" if is_open else "M5 0v-6a8 8 0 0 1 16 0v6"
    return group(rect(0, 0, 26, 20, kind, rx=4), path(shackle, kind), at=(x, y))


# --- the exercises: what is signed --------------------------------------------------------------


def _socket_id(chance: random.Random) -> str:
    return f"{chance.randrange(1_000, 99_999)}.{chance.randrange(1_000_000, 99_999_999)}"


def _subscriptions(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    app = EXAMPLE_CREDENTIALS
    yield app.key, app.secret, _socket_id(chance), f"private-order-{chance.randrange(10, 99)}"
    member = json.dumps({"user_id": chance.choice(["tom", "zoë", "kim"])})
    yield app.key, app.secret, _socket_id(chance), COURIERS, member
    yield app.key, app.secret, "1234.1234", "private-foobar"
    # Another app, with a secret that strip() would change; and JSON as JavaScript writes it.
    key, secret = f"{chance.randrange(16**12):012x}", f" {chance.randrange(16**12):012x} "
    yield key, secret, _socket_id(chance), f"private-order-{chance.randrange(10, 99)}"
    yield key, secret, _socket_id(chance), COURIERS, ' {"user_id":"zoë","user_info":null} '


@lesson.exercise(given=_subscriptions, keep=True)
def channel_auth(
    app_key: str, secret: str, socket_id: str, channel: str, channel_data: str | None = None
) -> str:
    """Return the auth for one connection and one channel."""
    text = f"{socket_id}:{channel}"
    if channel_data is not None:
        text += f":{channel_data}"
    return f"{app_key}:{hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


@channel_auth.judge
def _auth(
    result: Any,
    app_key: str,
    secret: str,
    socket_id: str,
    channel: str,
    channel_data: str | None = None,
) -> None:
    called = (app_key, secret, socket_id, channel, *([channel_data] if channel_data else []))
    right = channel_auth(*called)
    if result == right:
        return
    wrong = difference(right, result, called)
    if not isinstance(result, str):
        raise wrong
    front, _, came = result.rpartition(":")
    text = _joined(*called[2:])

    def signed(text: str, key: str = secret) -> bool:
        return came == signature(key, text)

    if signed(text, app_key):
        raise Wrong(
            "You signed with the app key, which anybody can read. Use the secret.", *wrong.facts
        )
    if signed(f"{text}:None") or signed(f"{text}:"):
        raise Wrong(
            "Without channel_data the text ends with the channel. Yours goes on.", *wrong.facts
        )
    if not signed(text) and signed(text, EXAMPLE_CREDENTIALS.secret):
        raise Wrong(
            "You signed with another app's secret. Use the one that you're given.", *wrong.facts
        )
    if not signed(text) and (signed(text, secret.strip()) or signed(text.strip())):
        raise Wrong(
            "Sign the text as it is, with the secret as it is: strip nothing.", *wrong.facts
        )
    if channel_data and signed(f"{socket_id}:{channel}:{json.dumps(json.loads(channel_data))}"):
        raise Wrong(
            "You read channel_data and wrote it again. It's text already: sign the very same text.",
            *wrong.facts,
        )
    if signed(text) and front != app_key:
        raise Wrong(
            "The signature is right. Put the app key that you're given and a colon before it.",
            *wrong.facts,
        )
    raise wrong


channel_auth.hint("Two or three parts, joined by colons. Then the HMAC, as for a request.")
channel_auth.hint("The auth begins with the app key and a colon.")


def _auths(
    text: Callable[..., str], front: Callable[[str], str] = lambda key: f"{key}:"
) -> Callable[..., str]:
    return lambda key, secret, *parts: front(key) + signature(secret, text(*parts))


def _joined(*parts: str) -> str:
    return ":".join(parts)


channel_auth.wrong(
    "That's the signature alone. An auth begins with the app key: KEY:SIGNATURE.",
    _auths(_joined, front=lambda key: ""),
)
channel_auth.wrong(
    "For a presence channel, channel_data is signed, too: it's the third part.",
    _auths(lambda socket_id, channel, *member: f"{socket_id}:{channel}"),
)
channel_auth.wrong(
    "Those are the right parts, in the wrong order: the socket_id comes first.",
    _auths(lambda socket_id, channel, *member: _joined(channel, socket_id, *member)),
)
channel_auth.wrong(
    "In this text the parts are joined by colons. Newlines are for requests.",
    _auths(lambda *parts: "\n".join(parts)),
)
channel_auth.wrong(
    "channel_data is text already, so sign it as it is. You encoded that text once more.",
    _auths(lambda socket_id, channel, *member: _joined(socket_id, channel, *_twice(member))),
)
channel_auth.why(
    "The socket_id is in it, so an auth is good for one connection: copied to another page, it's "
    "refused."
)
channel_auth.next("Sign the published example, and look for 58df8b0c in the result.")


def _twice(member: tuple[str, ...]) -> list[str]:
    return [json.dumps(each) for each in member]


# --- the exercises: who may ---------------------------------------------------------------------


def _customer(chance: random.Random) -> User:
    orders = sorted(chance.sample(range(10, 90), 2))
    return {"id": chance.choice(["pia", "ada", "noor"]), "orders": orders, "courier": False}


def _wishes(chance: random.Random) -> Iterator[tuple[User | None, str]]:
    """What people ask for: their own, a stranger's, one that begins the same, and so on."""
    pia = _customer(chance)
    own, other = pia["orders"]
    tom = {"id": "tom", "orders": [own, other + 100], "courier": True}
    yield pia, f"private-order-{own}"
    yield pia, f"private-order-{chance.randrange(100, 999)}"
    yield pia, f"private-order-{other}7"  # begins as hers does
    yield pia, f"private-order-{str(own)[0]}"
    yield pia, COURIERS
    yield pia, f"private-invoice-{own}"
    yield tom, COURIERS
    yield tom, f"private-order-{other + 100}"
    yield tom, f"private-order-{other}"
    yield pia, f"order-{own}"
    yield pia, f"private-encrypted-order-{own}"
    yield pia, f"private-order-0{own}"
    yield pia, f"private-order-{'_'.join(str(own))}"  # which int() reads as her number
    yield tom, "presence-office"
    yield tom, f"{COURIERS}-2"
    yield tom, "private-couriers"
    yield None, f"private-order-{own}"
    yield pia, "private-order-x"


@lesson.exercise(given=_wishes)
def may_join(user: User | None, channel: str) -> bool:
    """Return whether this user may join this channel: True or False."""
    if user is None:
        return False
    allowed = [f"private-order-{number}" for number in user["orders"]]
    if user["courier"]:
        allowed.append("presence-couriers")
    return channel in allowed


@may_join.judge
def _decided(result: Any, user: User | None, channel: str) -> None:
    right = may_join(user, channel)
    if result is right:
        return
    facts = (Fact("user", shown(user)), Fact("channel", channel), Fact("Yours", shown(result)))
    if not isinstance(result, bool):
        raise Wrong("Answer with True or False.", *facts)
    if right:
        raise Wrong("This user may join, but you said no.", *facts)
    if not channel.startswith(("private-", "presence-")):
        raise Wrong("You let in every public name. None is on the list, so it's a no.", *facts)
    if user is not None and channel == COURIERS:
        raise Wrong("Customers get into presence-couriers. It's only for couriers.", *facts)
    if user is not None and user["courier"] and "private-order-" not in channel:
        raise Wrong("Couriers get into another channel, too. Compare the whole name.", *facts)
    if user is not None and channel.startswith(("private-order-0", *_with_underscore(user))):
        raise Wrong(
            "The number is this user's, but the name isn't: the server compares names. Compare "
            "the whole name.",
            *facts,
        )
    raise Wrong("This user may not join, but you let them in.", *facts)


may_join.hint("Make a list of what this user may join, and check whether the channel is in it.")
may_join.hint("Anything that isn't on the list is a no, even if you've never heard of the channel.")


def _with_underscore(user: User) -> list[str]:
    """Their orders' channels with numbers that only Python reads as such: 4_1."""
    return [f"private-order-{'_'.join(str(number))}" for number in user["orders"]]


def _all_of(user: User | None) -> list[str]:
    return [f"private-order-{number}" for number in (user or {"orders": []})["orders"]]


may_join.wrong(
    "This lets everybody in, so it's the same incident again.", lambda user, channel: True
)
may_join.wrong(
    "Here anyone who's signed in may join anything. Pia was signed in, too.",
    lambda user, channel: user is not None,
)
may_join.wrong(
    "private-order-417 begins with private-order-41, but it's another order. Compare whole names.",
    lambda user, channel: (
        may_join(user, channel) or any(channel.startswith(each) for each in _all_of(user))
    ),
)
may_join.wrong(
    "Nearly: for nobody you return None, and None isn't False. Wrap it all in bool().",
    lambda user, channel: user and may_join(user, channel),
)
may_join.wrong(
    "You forbid a few things and allow the rest. Do it the other way round: allow what you know, "
    "and refuse everything else.",
    lambda user, channel: (
        may_join(user, channel) or not channel.startswith(("private-order-", COURIERS))
    ),
)
may_join.why(
    "You list what's allowed, and everything else is a no. So if somebody invents a new channel "
    "next year, it stays closed until you open it."
)
may_join.next("The office may listen to all orders. How would you say that without startswith()?")


# --- the exercises: the endpoint ----------------------------------------------------------------

NO = {"error": "You can't listen here."}


def _asked(chance: random.Random) -> Iterator[tuple[Credentials, User | None, str, str]]:
    couriers = [{**TOM, "id": name} for name in ("ines", 'joe "the van"')]
    for user, channel in [*_wishes(chance), *((each, COURIERS) for each in couriers)]:
        yield EXAMPLE_CREDENTIALS, user, _socket_id(chance), channel


@lesson.exercise(given=_asked)
def authorize(
    app: Credentials, user: Any, socket_id: str, channel: str
) -> tuple[int, dict[str, str]]:
    """Return what your endpoint answers: a status, and a dict that goes out as JSON."""
    if not may_join(user, channel):
        return 403, {"error": "You can't listen here."}
    if not channel.startswith("presence-"):
        return 200, {"auth": channel_auth(app.key, app.secret, socket_id, channel)}
    member = json.dumps({"user_id": user["id"]})
    auth = channel_auth(app.key, app.secret, socket_id, channel, member)
    return 200, {"auth": auth, "channel_data": member}


@authorize.observe
def _as_a_pair(result: Any, *_: Any) -> Any:
    """A list of the two is as good as a tuple."""
    return tuple(result) if type(result) is list else result


@authorize.judge
def _endpoint(
    result: Any, app: Credentials, user: User | None, socket_id: str, channel: str
) -> None:
    status, answer = _two(result)
    who = user["id"] if user else "somebody who isn't signed in"
    facts = (Fact("Asked", f"{who} wants {channel}"), Fact("Yours", shown(result)))
    if not may_join(user, channel):
        if answer.get("auth"):
            raise Wrong("You signed for somebody who may not listen there.", *facts)
        _refuses(status, answer, facts)
        return
    if status != 200:
        raise Wrong(f"This user may join, but your status is {shown(status)}.", *facts)
    _gets_in(answer, user, socket_id, channel, facts)


def _refuses(status: Any, answer: dict[str, Any], facts: tuple[Fact, ...]) -> None:
    """Raise Wrong unless that is a refusal that a page can tell from a failure, and explain."""
    if status != 403:
        raise Wrong(
            f"You're right to refuse, but your status is {shown(status)}. A no is a 403.",
            *facts,
        )
    if not answer.get("error") or not isinstance(answer["error"], str):
        raise Wrong("Say why you refuse: put text under error in your answer.", *facts)


def _two(result: Any) -> tuple[Any, dict[str, Any]]:
    """The status and the answer."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
        return result
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], dict):
        raise Wrong("The status comes first, then the dict.", Fact("Yours", shown(result)))
    raise Wrong("Return two things: a status, and a dict.", Fact("Yours", shown(result)))


def _gets_in(
    answer: dict[str, Any],
    user: User | None,
    socket_id: str,
    channel: str,
    facts: tuple[Fact, ...],
) -> None:
    """Raise Wrong unless the server lets the page in with this answer."""
    if "channel_data" in answer and not channel.startswith("presence-"):
        raise Wrong(NO_MEMBER_HERE, *facts)
    try:
        heard = say("pusher:subscribe", {**answer, "channel": channel}, socket_id)
    except (TypeError, ValueError):
        raise Wrong(_NOT_JSON, *facts) from None
    if heard.error:
        if user and '"' in user["id"] and not _is_json(answer.get("channel_data")):
            raise Wrong(_NO_JSON, *facts)
        doctor = (Fact("The doctor", heard.doctor, kind="prose"),) if heard.doctor else ()
        raise Wrong(
            "The server refuses what you signed.",
            Fact("The server", heard.error, kind="prose"),
            *doctor,
            *facts,
        )
    if heard.members and user and heard.members != (user["id"],):
        raise Wrong(ANOTHER_MEMBER, *facts)
    if {"orders", "courier"} & _names(answer.get("channel_data", "{}")):
        raise Wrong(
            "Every member gets to read channel_data, so keep the user's orders out of it.", *facts
        )


ANOTHER_MEMBER = (
    "The member who joins isn't the user who is signed in. Take the id from the user, and not from "
    "what the page says."
)
SOMEBODY_ELSE = (
    "That's somebody else: the id has to be the signed-in user's, whatever the page says."
)
NO_MEMBER_HERE = (
    "For a private channel, leave channel_data out, of the text and of the answer. Only a presence "
    "channel has a member."
)
_NOT_JSON = "This can't be written as JSON."
_NO_JSON = "There's a quote in this id, and your text isn't JSON any more. json.dumps() escapes it."


def _is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _names(text: str) -> set[str]:
    """Every name in a JSON text, at whatever depth."""
    found: set[str] = set()
    json.loads(text, object_hook=found.update)
    return found


authorize.hint("may_join() first. If it says no, nothing is signed.")
authorize.hint("For a presence channel, make channel_data once; sign that text, and return it.")


def _answers(
    member: Callable[[User], str | None], back: Callable[[str], dict[str, Any]]
) -> Callable[..., Any]:
    """An endpoint that decides, but does presence channels in its own way."""

    def answer(app: Credentials, user: Any, socket_id: str, channel: str) -> Any:
        if not may_join(user, channel):
            return 403, dict(NO)
        data = member(user) if channel.startswith("presence-") else None
        auth = channel_auth(app.key, app.secret, socket_id, channel, data)
        return 200, {"auth": auth, **(back(data) if data is not None else {})}

    return answer


def _member(user: User) -> str:
    return json.dumps({"user_id": user["id"]})


def _signs_for_all(app: Credentials, user: Any, socket_id: str, channel: str) -> Any:
    member = _member(user or {"id": "guest"}) if channel.startswith("presence-") else None
    auth = channel_auth(app.key, app.secret, socket_id, channel, member)
    return 200, {"auth": auth} | ({"channel_data": member} if member else {})


authorize.wrong(
    "It signs whatever it's asked to, so Pia is back in the stranger's order. Decide first.",
    _signs_for_all,
)
authorize.wrong(
    "A presence channel shows who's there, so the server wants a member: channel_data, signed and "
    "returned.",
    _answers(lambda user: None, lambda data: {}),
)
authorize.wrong(
    "You signed channel_data and kept it. The server needs that exact text: return it with auth.",
    _answers(_member, lambda data: {}),
)
authorize.wrong(
    "channel_data has to stay the text that you signed. You returned it as an object.",
    _answers(_member, lambda data: {"channel_data": json.loads(data)}),
)
authorize.wrong(
    "You made channel_data twice, and the two texts differ. Make it once, in one variable.",
    _answers(
        _member,
        lambda data: {"channel_data": json.dumps(json.loads(data), separators=(",", ":"))},
    ),
)
authorize.why(
    "The decision comes first and uses what you know of the user. The signature comes second, and "
    "carries the decision to the server."
)
authorize.next("Add user_info with Tom's name. Who gets to read that, apart from the server?")


# --- running it ---------------------------------------------------------------------------------

ASK_SECONDS = 5.0
JOIN_SECONDS = 15.0  # for pusher-js on Node; it takes half a second
IN_PLACE = "A browser tab has no sockets and no Node, so your endpoint was called right here."


class Running:
    """An endpoint that runs on this machine: a handler of http.server's, on a thread.

    In a browser tab, where there are neither sockets nor threads, it's called in place.
    """

    def __init__(self, handler: Any) -> None:
        self.error = ""
        """What the handler raised, if it did."""
        self._server: Any = None
        self._handler = handler
        if sys.platform == "emscripten":
            return
        from socketserver import ThreadingTCPServer
        from threading import Thread

        running = self

        # Not http.server's own: that one looks up the machine's name, which can take seconds.
        class Server(ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                running._failed(sys.exception())

        self._server = Server(("127.0.0.1", 0), self._handler)
        Thread(target=self._server.serve_forever, name="endpoint", daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens; "" where it has no socket."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/auth" if self._server else ""

    def stop(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def ask_as(self, session: str) -> Callable[[str, str], dict[str, str]]:
        """What a page does before it subscribes: ask the endpoint, with its session's header."""

        def ask(socket_id: str, channel: str) -> dict[str, str]:
            status, said = self.post(session, {"socket_id": socket_id, "channel_name": channel})
            if status != 200:
                raise PermissionError(f"{status} {said}")
            answer: dict[str, str] = json.loads(said)
            return answer

        return ask

    def post(self, session: str, form: dict[str, str]) -> tuple[int, str]:
        """POST a form to the endpoint, as pusher-js does."""
        self.error = ""
        request = httpx.Request(
            "POST", self.url or "http://localhost/auth", data=form, headers={"X-Session": session}
        )
        try:
            if self._server is None:
                return self._in_place(request)
            with httpx.Client(trust_env=False, timeout=ASK_SECONDS) as client:
                answer = client.send(request)
            return answer.status_code, answer.text
        except (httpx.TransportError, ValueError) as error:
            said = self.error or f"it sent no answer ({error})"
            raise PermissionError(f"your endpoint failed: {said}") from None

    def _failed(self, error: BaseException | None) -> None:
        self.error = f"{type(error).__name__}: {error}"

    def _in_place(self, request: httpx.Request) -> tuple[int, str]:
        """Hand a request to the handler as a socket would, and read what it writes."""
        heads = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        wire = f"POST /auth HTTP/1.0\r\n{heads}\r\n".encode() + request.read()
        try:
            written = exchange(self._handler, wire)
        except Exception as error:  # whatever the learner's code raises
            self._failed(error)
            raise ValueError(self.error) from None
        head, _, body = written.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/"):
            raise ValueError("not even a status")
        return int(head.split()[1]), body.decode()


_running: list[Running] = []


def run(handler: Any) -> Running:
    """Start an endpoint; the one from an earlier call stops."""
    while _running:
        _running.pop().stop()
    _running.append(Running(handler))
    return _running[-1]


# --- an official client -------------------------------------------------------------------------

PROGRAM = Path(__file__).parent / "programs" / "join.cjs"
OUR_SUBSCRIBER = "the kit's Subscriber"
STATUS = {"status": "out for delivery"}


@dataclass(frozen=True, slots=True)
class Joined:
    """Which client asked, whether it got in, and what it heard."""

    client: str
    is_in: bool
    said: str


class _Missing(Exception):
    """Node or pusher-js isn't there."""


@lesson.explorer
def browser(endpoint: Running | None = None) -> Explorer:
    """Join through the endpoint with npm's pusher-js, or with the kit's Subscriber."""
    times = itertools.count(1)
    return Explorer(
        lambda session, channel, join: _browser(endpoint, session, channel, join and next(times)),
        session=choice("Signed in", {name: session for session, name in NAMES.items()}),
        channel=choice("Asks for", ("private-order-41", "private-order-42", COURIERS)),
        join=button("Join"),
    )


def _browser(endpoint: Running | None, session: str, channel: str, join: int) -> View:
    """What came of the join with that number; 0 before the first."""
    title = "A client that somebody else wrote"
    program = Fact("What it runs", PROGRAM.read_text(encoding="utf-8"), kind="code")
    if not join:
        waiting = (Fact("Client", "–"), Fact("It hears", "–"))
        status = "Choose who opens the page, and press Join."
        return View(title, waiting, status, details=(program,), fold="The page's code")
    if endpoint is None:
        raise ValueError("Run the cell above first: it starts your endpoint.")
    got = join_through(endpoint, session, channel)
    should = may_join(SESSIONS.get(session), channel)
    who, ours = NAMES[session], got.client == OUR_SUBSCRIBER
    return View(
        "The kit's own client, in the other one's place" if ours else title,
        (
            Fact(
                "Client",
                got.client,
                _why_ours() if ours else "",
                kind="prose",
            ),
            Fact("It hears" if got.is_in else "It's told", got.said),
            *((Fact("Your endpoint", endpoint.error),) if endpoint.error else ()),
        ),
        f"{who[0].upper()}{who[1:]} is {'in' if got.is_in else 'kept out'}"
        + ("." if got.is_in == should else ", but it should be the other way round."),
        got.is_in == should,
        details=() if ours else (program,),
        fold="The page's code",
        note=f"Join number {join}, on a connection of its own.",
    )


def _why_ours() -> str:
    if sys.platform == "emscripten":
        return IN_PLACE
    return "For pusher-js: install Node, run npm install pusher-js in this folder, join again."


def join_through(endpoint: Running, session: str, channel: str) -> Joined:
    """Join a channel of the practice server, be sent one event, and leave."""
    try:
        return _pusher_js(endpoint, session, channel)
    except _Missing:
        pass
    server = practice()
    try:
        with server.subscribe(channel, authorize=endpoint.ask_as(session)) as page:
            server.client.trigger(channel, "status", STATUS)
            return Joined(OUR_SUBSCRIBER, True, page.receive().data)
    except PusherError as error:
        return Joined(OUR_SUBSCRIBER, False, str(error))


def _pusher_js(endpoint: Running, session: str, channel: str) -> Joined:
    node = shutil.which("node")
    if node is None or not endpoint.url:
        raise _Missing
    server = practice()
    where = urlsplit(server.credentials.base_url)
    options = {
        "key": server.credentials.key,
        "host": where.hostname,
        "port": where.port,
        "endpoint": endpoint.url,
        "session": session,
        "channel": channel,
    }
    folders = [str(each / "node_modules") for each in (Path.cwd(), *Path.cwd().parents)]
    modules = os.pathsep.join([*folders, os.environ.get("NODE_PATH", "")])
    with subprocess.Popen(  # noqa: S603 - our own program, and Node from the PATH
        [node, str(PROGRAM), json.dumps(options)],
        env={**os.environ, "NODE_PATH": modules, "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            return _listen(process, server, channel)
        finally:
            process.kill()


def _listen(process: Any, server: Practice, channel: str) -> Joined:
    from threading import Thread

    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for each in process.stdout:
            lines.put(each)
        lines.put("")

    Thread(target=read, daemon=True).start()
    while heard := _next(lines):
        client = f"npm's pusher-js {heard['version']}"
        match heard["said"]:
            case "joined":
                server.client.trigger(channel, "status", STATUS)
            case "event":
                return Joined(client, True, json.dumps(heard["data"]))
            case _:
                why = heard["data"].get("error") or heard["data"]["message"]
                return Joined(client, False, re.sub(r" from http://\S+", "", why))
    raise _Missing  # it ended before it said anything: there's no pusher-js


def _next(lines: queue.SimpleQueue[str]) -> dict[str, Any] | None:
    try:
        said = lines.get(timeout=JOIN_SECONDS)
    except queue.Empty:
        return None
    return json.loads(said) if said else None


# --- the exercises: signing in ------------------------------------------------------------------


def _sign_ins(chance: random.Random) -> Iterator[tuple[Credentials, User, str]]:
    for _ in range(2):
        yield EXAMPLE_CREDENTIALS, _customer(chance), _socket_id(chance)
    yield EXAMPLE_CREDENTIALS, {**PIA, "id": 'ada "41"'}, _socket_id(chance)


@lesson.exercise(given=_sign_ins)
def sign_in(app: Credentials, user: User, socket_id: str) -> dict[str, str]:
    """Return what your sign-in endpoint answers: auth and user_data."""
    user_data = json.dumps({"id": user["id"]})
    text = f"{socket_id}::user::{user_data}"
    return {"auth": f"{app.key}:{signature(app.secret, text)}", "user_data": user_data}


@sign_in.judge
def _signed_in(result: Any, app: Credentials, user: User, socket_id: str) -> None:
    facts = (Fact("Yours", shown(result)),)
    if not isinstance(result, dict) or not {"auth", "user_data"} <= result.keys():
        raise Wrong("Return a dict with auth and user_data.", *facts)
    if not isinstance(result["user_data"], str):
        raise Wrong("user_data has to stay the text that you signed.", *facts)
    if not _is_json(result["user_data"]) and '"' in user["id"]:
        raise Wrong(_NO_JSON, *facts)
    try:
        heard = say("pusher:signin", result, socket_id)
    except (TypeError, ValueError):
        raise Wrong(_NOT_JSON, *facts) from None
    if heard.error:
        raise Wrong(
            "The server refuses this sign-in.",
            Fact("The server", heard.error, kind="prose"),
            *((Fact("The doctor", heard.doctor, kind="prose"),) if heard.doctor else ()),
            *facts,
        )
    if json.loads(result["user_data"])["id"] != user["id"]:
        raise Wrong(SOMEBODY_ELSE, *facts)


sign_in.hint("The text has two double colons: socket_id::user::user_data.")
sign_in.hint("user_data is JSON text with an id. Make it once; sign it, and return it.")


def _signs_in(
    text: Callable[[str, str], str],
    data: Callable[[User], str] = lambda user: json.dumps({"id": user["id"]}),
    back: Callable[[str], dict[str, Any]] = lambda data: {"user_data": data},
) -> Callable[..., Any]:
    def answer(app: Credentials, user: User, socket_id: str) -> Any:
        auth = f"{app.key}:{signature(app.secret, text(socket_id, data(user)))}"
        return {"auth": auth, **back(data(user))}

    return answer


def _double(socket_id: str, data: str) -> str:
    return f"{socket_id}::user::{data}"


sign_in.wrong(
    "These are single colons, as in a subscription. A sign-in has double ones, so that nobody can "
    "use one for the other.",
    _signs_in(lambda socket_id, data: f"{socket_id}:user:{data}"),
)
sign_in.wrong(
    "The word user is missing between the double colons.",
    _signs_in(lambda socket_id, data: f"{socket_id}::{data}"),
)
sign_in.wrong(
    "In user_data it's called id. user_id is for presence channels.",
    _signs_in(_double, lambda user: json.dumps({"user_id": user["id"]})),
)
sign_in.wrong(
    "You signed the bare id. user_data is JSON text with an id in it.",
    _signs_in(_double, lambda user: str(user["id"])),
)
sign_in.wrong(
    "You signed user_data but didn't send it. The server needs that exact text.",
    _signs_in(_double, back=lambda data: {}),
)
sign_in.why("Now the server knows whose connection this is, because you signed it.")
sign_in.next("Pia closes her account while her page is open. What does your backend call?")


# --- find, explain, fix -------------------------------------------------------------------------


def _phones(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Couriers who come for the first time, and after a tunnel: with a new socket_id."""
    for name in chance.sample(["tom", "ines", "joe"], 2):
        known: dict[str, Any] = {}  # what the function itself puts there the first time
        yield EXAMPLE_CREDENTIALS, _socket_id(chance), name, known
        yield EXAMPLE_CREDENTIALS, _socket_id(chance), name, known
    yield EXAMPLE_CREDENTIALS, _socket_id(chance), 'joe "the van"', {}


def _courier_auth(
    app: Credentials, socket_id: str, name: str, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    if name not in known:
        member = json.dumps({"user_id": name})
        text = f"{socket_id}:presence-couriers:{member}"
        known[name] = {"auth": f"{app.key}:{signature(app.secret, text)}"}
    return known[name]


_FIRST_TRY = _courier_auth(EXAMPLE_CREDENTIALS, "1234.1234", "tom", {})
TOMS_TRIES = {
    "1234.1234": _FIRST_TRY,
    "1234.5678": {**_FIRST_TRY, "channel_data": json.dumps({"user_id": "tom"})},
}


@lesson.exercise(given=_phones)
def courier_auth(
    app: Credentials, socket_id: str, name: str, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Authorize a courier's phone for presence-couriers, whenever it connects."""
    member = json.dumps({"user_id": name})
    text = f"{socket_id}:presence-couriers:{member}"
    return {"auth": f"{app.key}:{signature(app.secret, text)}", "channel_data": member}


@courier_auth.judge
def _phone_gets_in(result: Any, app: Credentials, socket_id: str, name: str, known: Any) -> None:
    if not isinstance(result, dict):
        raise difference({}, result)
    facts = (Fact("socket_id", socket_id), Fact("Yours", shown(result)))
    _gets_in(result, {"id": name}, socket_id, COURIERS, facts)


courier_auth.broken(
    "No phone gets in. The doctor's first finding says what the server is missing.",
    _courier_auth,
)
courier_auth.hint("You signed something that the server never saw.")
courier_auth.hint(
    "After a reconnect, a phone has a new socket_id. What does `known` hand out then?"
)


def _still_remembers(app: Credentials, socket_id: str, name: str, known: Any) -> Any:
    return known.setdefault(name, courier_auth(app, socket_id, name, known))


courier_auth.wrong(
    "It works the first time. After a tunnel you hand out the old connection's auth.",
    _still_remembers,
)
courier_auth.wrong(
    "It's signed afresh each time now, but you still don't send channel_data.",
    lambda app, socket_id, name, known: _courier_auth(app, socket_id, name, {}),
)
courier_auth.wrong(
    "Leaving the member out of the text doesn't help: a presence channel needs one.",
    lambda app, socket_id, name, known: {
        "auth": channel_auth(app.key, app.secret, socket_id, COURIERS)
    },
)
courier_auth.why(
    "An auth is good for one connection, so the next connection needs its own. And the server can "
    "only check a text that it gets."
)
courier_auth.next("Your app moves to another host. Does the text you sign change?")


# --- who can read it ----------------------------------------------------------------------------

# npm's pusher publishes this key in its tests. In base64, as every SDK wants it.
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SEALED_CHANNEL = "private-encrypted-order-41"
DOOR_CODE = '{"status":"at the door","code":"7391"}'
SEALED = (
    '{"nonce":"b3JkZXIgNDEsIG5vbmNlIG51bWJlciAx",'
    '"ciphertext":"YYfDeIxsZQaPp4k/rJoNmiJ9AydHxShfxwzmeP7WwPtYzxmaYukxRRuYMuUMrA0raLXAhUp2"}'
)
READERS = {
    "the server": "",
    "Pia's page on order 41": SEALED_CHANNEL,
    "Tom's page on order 42": "private-encrypted-order-42",
    "Kim with the app's secret": "",
    "somebody with the master key": SEALED_CHANNEL,
}
BECAUSE = {
    "the server": "It passes on data that it can't read. But it does see the channel, the event's "
    "name, the length and the time.",
    "Pia's page on order 41": "Your endpoint gave it this one channel's key, as shared_secret, "
    "beside auth.",
    "Tom's page on order 42": "It was given another channel's key.",
    "Kim with the app's secret": "The secret gets you into the channel; it doesn't decrypt "
    "anything. It can still publish and authorize, so guard it just as well.",
    "somebody with the master key": "Every channel's key is made from it. So guard it: anyone who "
    "gets into your backend has it.",
}


@lesson.explorer
def sealed() -> Explorer:
    """Who can read an event on an encrypted channel?"""
    return Explorer(_sealed, reader=choice("Who reads it", tuple(READERS)))


def _sealed(reader: str) -> View:
    read, good = "", False
    if channel := READERS[reader]:
        credentials = Credentials(
            app_id=EXAMPLE_CREDENTIALS.app_id,
            key=EXAMPLE_CREDENTIALS.key,
            secret=EXAMPLE_CREDENTIALS.secret,
            encryption_master_key_base64=MASTER_KEY,
        )
        try:
            read, good = decrypt(credentials.shared_secret(channel), SEALED), True
        except DecryptionError:
            read = SEALED
        except PusherError as missing:  # PyNaCl, which not every place has
            return View(
                "One event, and who can read it",
                (Fact("On the wire", SEALED), Fact("Here", str(missing), kind="prose")),
                "I can't open it here.",
            )
    return View(
        "One event, and who can read it",
        (
            Fact("On the wire", SEALED),
            Fact("Reads", read or SEALED),
            Fact("Because", BECAUSE[reader], kind="prose"),
        ),
        f"{reader[0].upper()}{reader[1:]} {'can read it' if good else 'sees noise'}.",
        None,
    )


# --- prove it -----------------------------------------------------------------------------------


def _forms(
    chance: random.Random,
) -> Iterator[tuple[Credentials, User | None, dict[str, str]]]:
    for app, user, socket_id, channel in _asked(chance):
        yield app, user, {"socket_id": socket_id, "channel_name": channel}
    for app, user, socket_id in _sign_ins(chance):
        yield app, user, {"socket_id": socket_id}
    yield EXAMPLE_CREDENTIALS, None, {"socket_id": _socket_id(chance)}
    # A colon too many: what's signed for Pia's own order would open the other channel, too.
    smuggled = f"{_socket_id(chance)}:private-order-{chance.randrange(100, 999)}"
    asks = {"channel_name": f"private-order-{PIA['orders'][0]}"}
    signs_in = {"socket_id": f"{smuggled}:x"}
    # Pages that say who they are themselves.
    claims = dict.fromkeys(("user_id", "id", "user", "user_name", "name"), "kim")
    asked = {"channel_name": COURIERS, "channel_data": '{"user_id":"kim"}'}
    posted = {"user_data": '{"id":"kim"}'}
    for user, form in ((TOM, asked), (PIA, posted), (TOM, asked | claims), (PIA, posted | claims)):
        yield EXAMPLE_CREDENTIALS, user, {"socket_id": _socket_id(chance), **form}
    for form in ({"socket_id": smuggled, **asks}, signs_in):
        yield EXAMPLE_CREDENTIALS, PIA, form


@lesson.exercise(given=_forms, covers_lesson=True)
def prove_it(app: Credentials, user: Any, form: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Return the answer to a subscription, or to a sign-in: a status and a dict."""
    socket_id, channel = form["socket_id"], form.get("channel_name")
    if channel is None:
        data, name = json.dumps({"id": user["id"]}) if user else "", "user_data"
        text, allowed = f"{socket_id}::user::{data}", user is not None
    else:
        orders = [f"private-order-{number}" for number in user["orders"]] if user else []
        couriers = ["presence-couriers"] if user and user["courier"] else []
        allowed = channel in orders + couriers
        data = json.dumps({"user_id": user["id"]}) if channel in couriers else ""
        text, name = f"{socket_id}:{channel}" + (f":{data}" if data else ""), "channel_data"
    if not allowed or not re.fullmatch(r"[0-9]+\.[0-9]+", socket_id):
        return 403, {"error": "You can't listen here."}
    signature = hmac.new(app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return 200, {"auth": f"{app.key}:{signature}"} | ({name: data} if data else {})


prove_it.observe(_as_a_pair)
SMUGGLED = (
    "A page can post anything as its socket_id, and you signed one that has a channel in it. Now "
    "it can join that channel, with the rest of your text as channel_data. Sign only if the "
    "socket_id is digits, a dot and digits."
)


@prove_it.judge
def _both_endpoints(result: Any, app: Credentials, user: User | None, form: dict[str, str]) -> None:
    status, answer = _two(result)
    if not SOCKET_ID_FORM.fullmatch(form["socket_id"]):
        facts = (Fact("socket_id", form["socket_id"]), Fact("Yours", shown(result)))
        if answer.get("auth"):
            raise Wrong(SMUGGLED, *facts)
        _refuses(status, answer, facts)
    elif "channel_name" in form:
        _endpoint((status, answer), app, user, form["socket_id"], form["channel_name"])
    elif user is None:
        if answer.get("auth"):
            raise Wrong("You signed in somebody who isn't logged in.", Fact("Yours", shown(result)))
        _refuses(status, answer, (Fact("Yours", shown(result)),))
    elif status != 200:
        raise Wrong(
            f"This user may sign in, but your status is {shown(status)}.",
            Fact("Yours", shown(result)),
        )
    else:
        _signed_in(answer, app, user, form["socket_id"])


prove_it.hint("No channel_name? Then it's a sign-in. Either way, decide before you sign.")
prove_it.hint("Three texts: id:channel, id:channel:channel_data, id::user::user_data.")
prove_it.hint(r"re.fullmatch(r'[0-9]+\.[0-9]+', text) is None if the text isn't a socket_id.")


_single_colons = _signs_in(lambda socket_id, data: f"{socket_id}:{data}")


def _proves(
    answer: Callable[..., Any] = lambda *asked: authorize(*asked),
    signs_in: Callable[..., Any] = lambda *asked: (200, sign_in(*asked)),
) -> Callable[..., Any]:
    def proof(app: Credentials, user: User | None, form: dict[str, str]) -> Any:
        if not SOCKET_ID_FORM.fullmatch(form["socket_id"]):
            return 403, NO
        if "channel_name" in form:
            return answer(app, user, form["socket_id"], form["channel_name"])
        return signs_in(app, user, form["socket_id"]) if user else (403, NO)

    return proof


prove_it.wrong(
    "You sign subscriptions for everybody. Decide first here, too.",
    _proves(answer=_signs_for_all),
)
prove_it.wrong(
    "Nobody gets signed in, not even users who may. Without a channel_name it's a sign-in.",
    _proves(signs_in=lambda *_: (403, NO)),
)
prove_it.wrong(
    "For presence-couriers the member is missing, in the text and in the answer.",
    _proves(answer=_answers(lambda user: None, lambda data: {})),
)
prove_it.wrong(
    "The sign-in is signed like a subscription. Its text has double colons, and user in between.",
    _proves(signs_in=lambda *asked: (200, _single_colons(*asked))),
)
prove_it.why("One decision, three texts, and a secret that never left your backend.")
prove_it.next("Go on to lesson 10, where your backend is the one that listens.")
