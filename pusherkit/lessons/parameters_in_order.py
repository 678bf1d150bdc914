"""Lesson 02, parameters in order: status updates pass, and asking who is watching is refused."""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlencode

import httpx

from pusherkit.lessons.kit import (
    COMPACT,
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
    button,
    difference,
    first_difference,
    gesture,
    mark_at,
    name_byte,
    shown,
    tick,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, group, handle, path, rect, text
from pusherkit.signing import AUTH_VERSION, body_digest, hmac_sha256, sign

lesson = Lesson("02-parameters-in-order", stages=(3,))
map = lesson.map
recall = lesson.recall_card

Pair = tuple[str, str]

# Who is watching? The question of this lesson, with the tag that Kim's scripts put on requests.
PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/channels"
QUESTION: tuple[Pair, ...] = (("filter_by_prefix", "presence-"), ("info", "user_count"))
TAG: Pair = ("Tag", "night shift")
AUTH: tuple[Pair, ...] = (
    ("auth_key", EXAMPLE_CREDENTIALS.key),
    ("auth_timestamp", str(EXAMPLE_TIMESTAMP)),
    ("auth_version", AUTH_VERSION),
)
WRITTEN = (*QUESTION, TAG, *AUTH)  # in the order in which the code wrote them


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "You sign a compact body. Then your HTTP library sends the same JSON with a space after each "
    "comma. What does the server do?",
    {
        "It refuses: the body hash doesn't match": "Other bytes, another MD5.",
        "It accepts: the JSON means the same": "It does mean the same. But the server hashes the "
        "bytes before it reads any JSON.",
        "It refuses: the signature doesn't match": "The signature covers the body hash in the URL, "
        "and that one is still the signed one.",
    },
    why="The server hashes the bytes that arrive. So hash the bytes that you send.",
)
def a_space_too_many() -> tuple[str, Fact]:
    server, now = Practice(), EXAMPLE_TIMESTAMP
    signed = sign(server.credentials, "POST", EVENTS_PATH, body=COMPACT, timestamp=now)
    spaced = COMPACT.replace(b",", b", ")
    answer = server.http.post(EVENTS_PATH, params=signed.query, content=spaced)
    error = answer.json().get("error", "")
    if not error:
        return "It accepts: the JSON means the same", Fact("Answer", "200")
    differs = "body hash" if "body_md5" in error else "signature"
    return f"It refuses: the {differs} doesn't match", Fact("Answer", f"401 {error}")


@lesson.recall(
    "A request to publish is answered with 401. What do the customers who are listening get?",
    {
        "The event, as it was signed": "The server keeps no copy of what you signed.",
        "Nothing": "A refused request ends at the server. Only your code can know.",
        "An error event": "The error goes back to the sender, and that's your backend.",
    },
    why="Listeners never learn of a refusal. If your code ignores the answer, nobody notices.",
)
def after_a_refusal() -> tuple[str, Fact, Fact]:
    server = Practice()
    with server.subscribe("project-3") as listener:
        answer = server.http.post(EVENTS_PATH, content=COMPACT)  # signed by nobody
        try:
            got = listener.receive(timeout=0).event
        except TimeoutError:
            got = "nothing"
    option = {"nothing": "Nothing", "foo": "The event, as it was signed"}.get(got, "An error event")
    return option, Fact("Answer", str(answer.status_code)), Fact("They got", got)


@lesson.predict(
    "The parameters of a signed URL arrive in reverse order. What does the server do?",
    {
        "It refuses: the signature doesn't match": "It would, if the URL were signed as it's "
        "written. It isn't.",
        "It refuses: auth_signature must come last": "Most code puts it there. The server looks "
        "for it by name.",
        "It accepts the request": "The order in the URL is free.",
    },
    why="The server doesn't sign the URL. It sorts the parameters by name, and signs that. So "
    "parameters of different names may come in any order.",
)
def turned_round() -> tuple[str, Fact, Fact]:
    server, now = Practice(), EXAMPLE_TIMESTAMP
    signed = sign(server.credentials, "GET", PATH, QUESTION, timestamp=now)
    with server.subscribe("presence-couriers", user_id="ben"):
        answer = server.http.get(PATH, params=signed.query[::-1])
    accepted = answer.status_code == 200
    return (
        "It accepts the request" if accepted else "It refuses: the signature doesn't match",
        Fact("In the URL", " · ".join(name for name, _ in signed.query[::-1]), kind="prose"),
        Fact("Answer", f"{answer.status_code} {answer.text}"),
    )


# --- the threads --------------------------------------------------------------------------------


def your_text(params: list[Pair], lower: bool, encode: bool) -> str:
    """The text that your code signs: the rows as they are, from top to bottom."""
    return "&".join(
        f"{name.lower() if lower else name}={quote(value) if encode else value}"
        for name, value in params
    )


def server_text(params: list[Pair]) -> str:
    """The text that the server signs, whatever order the parameters arrive in."""
    lowered = [(name.lower(), value) for name, value in params]
    return "&".join(f"{name}={value}" for name, value in sorted(lowered, key=lambda pair: pair[0]))


@dataclass(frozen=True, slots=True)
class Order:
    """The rows from top to bottom, and whether they've been sent."""

    names: tuple[str, ...] = tuple(name for name, _ in WRITTEN)
    sent: bool = False

    def crossings(self) -> list[tuple[str, str]]:
        """The pairs of rows whose threads cross: the upper one belongs below the other."""
        names = self.names
        return [
            (upper, below)
            for number, upper in enumerate(names)
            for below in names[number + 1 :]
            if upper.lower() > below.lower()
        ]


@lesson.explorer
def threads() -> Explorer:
    """Rows to drag until no threads cross."""
    return Explorer(
        _untangled,
        lower=tick("Write the names in lower case"),
        encode=tick("Percent-encode the values"),
        order=replace(gesture(Order(), _moved), draw=button("Sign and send").draw),
        code=[your_text, server_text],
    )


def _moved(order: Order, event: Event) -> Order:
    """The order after a row was dragged or moved by an arrow key, or after Send was pressed."""
    if event.id == "order":
        return replace(order, sent=True)
    if event.id not in order.names:
        return order
    rest = [name for name in order.names if name != event.id]
    if event.kind in ("drag", "drop"):
        to = int((event.y - TOP) // PITCH)
    else:
        step = {"ArrowUp": -1, "ArrowDown": 1}.get(event.key, 0)
        to = order.names.index(event.id) + step
    rest.insert(max(0, min(to, len(rest))), event.id)
    return replace(order, names=tuple(rest))


def _untangled(lower: bool, encode: bool, order: Order) -> View:
    values = dict(WRITTEN)
    mine = your_text([(name, values[name]) for name in order.names], lower, encode)
    theirs = server_text(list(WRITTEN))
    signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret, f"GET\n{PATH}\n{mine}")
    response = _send((*WRITTEN, ("auth_signature", signature)))
    accepted = response.status_code == 200
    at = first_difference(mine.encode(), theirs.encode()) if order.sent else None
    crossed = len(order.crossings())
    if not order.sent:
        status, good = "Six parameters, in the order in which your code wrote them.", None
    elif accepted:
        (count,) = response.json()["channels"].values()
        status = f"Accepted (200): the same text on both sides. Watching: {count['user_count']}."
        good = True
    else:
        crossings = f"{crossed} crossing{'s' * (crossed > 1)}"
        reasons = (
            (crossings, crossed),
            ("a capital letter", not lower),
            ("a space that became %20", encode),
        )
        found = " and ".join(reason for reason, there in reasons if there)
        status, good = f"Refused (401): {found}.", False
    differs, answer = "none", response.text if accepted else response.json()["error"]
    if at is not None:
        you, there = (name_byte(each.encode(), at) for each in (mine, theirs))
        differs = f"byte {at}, counting from 0: you sign {you}, the server {there}"

    def after(value: str) -> str:
        return value if order.sent else "not sent yet"

    return View(
        "Untangle the threads",
        (
            Fact("You sign", mine, marks=mark_at(mine.encode(), at)),
            Fact("The server signs", after(theirs), marks=mark_at(theirs.encode(), at)),
            Fact("First difference", after(differs)),
        ),
        status,
        good,
        picture=tangle(order, lower, encode),
        details=(
            Fact(
                "URL",
                after(response.request.url.raw_path.decode()),
                "Always in the order of the code. Your rows don't change it.",
            ),
            Fact("Answer", after(f"{response.status_code} {answer}")),
        ),
        fold="Show the request and the answer",
    )


def _send(query: Iterable[Pair]) -> httpx.Response:
    """Ask a practice server, with this query, while Ben is watching."""
    server = Practice()
    with server.subscribe("presence-couriers", user_id="ben"):
        return server.http.get(PATH, params=tuple(query))


# --- the picture --------------------------------------------------------------------------------

TOP, PITCH, ROW = 24, 27, 23  # px: where the first row begins, from row to row, a row's height
LAST = TOP + len(WRITTEN) * PITCH  # px: the top of auth_signature's row
BY_NAME = sorted((name for name, _ in WRITTEN), key=str.lower)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the columns are, in px."""

    width: int  # of a row
    right: int  # the left edge of the server's rows
    letters: str  # the class of what is written in a row
    values: bool  # whether there is room for values

    @property
    def gap(self) -> int:
        """From your rows to the server's."""
        return self.right - self.width - 2


_WIDE = _Layout(width=262, right=512, letters="m", values=True)
_NARROW = _Layout(width=146, right=194, letters="hex", values=False)


def tangle(order: Order, lower: bool, encode: bool) -> Picture:
    """Your rows and the server's, a thread for each parameter; below, a value's two roads."""
    signature = "The thread of auth_signature ends in scissors: it's never signed."
    if order.sent:
        meet = "don't meet" if encode else "meet"
        desc = (
            f"A thread leads from each of your six rows to one of the server's. {signature} "
            f"Crossings: {len(order.crossings())}. Below, a value goes two roads, straight into "
            f"your text and through the URL into the server's: they {meet} in the same bytes."
        )
    else:
        desc = (
            "Your six rows are on the left. On the right there are six empty places: what the "
            f"server signs isn't known yet. {signature}"
        )
    title = "Threads from your rows to the server's"
    narrow = Picture(title, desc, 340, LAST + 148, _tangle(order, lower, encode, _NARROW))
    return Picture(title, desc, 776, LAST + 112, _tangle(order, lower, encode, _WIDE), narrow)


def _tangle(order: Order, lower: bool, encode: bool, at: _Layout) -> str:
    crossings = order.crossings()
    crossed = {name for pair in crossings for name in pair}
    threads, server, yours = [], [], []
    for name, value in WRITTEN:  # always in this order, so that what moves can glide
        here, there = order.names.index(name), BY_NAME.index(name)
        mine = your_text([(name, value)], lower, encode)
        theirs = server_text([(name, value)])
        differs = order.sent and mine != theirs
        threads.append(_thread(here, there, at, order.sent, differs or name in crossed))
        server.append(_servers(theirs if order.sent else "?", there, at, differs))
        yours.append(_yours(name, mine, here, at))
    dots = "".join(_dot(*_meeting(order, pair, at)) for pair in crossings if order.sent)
    return "".join(
        (
            text(2, 14, "You sign, from top to bottom" if at.values else "You sign", "strong"),
            text(at.right, 14, "The server signs", "strong"),
            *threads,
            path(dots or "M0 0", "solid"),
            *server,
            *yours,
            _cut_off(at),
            group(
                *(_roads if at.values else _narrow_roads)(encode, order.sent),
                transform=f"translate(0 {LAST + 32})",
            ),
        )
    )


GRIP = "".join(f"M{x} {y}h2v2h-2z" for x in (9, 14) for y in (5, 10, 15))  # six dots to grab


def _yours(name: str, words: str, row: int, at: _Layout) -> str:
    return group(
        handle(
            rect(0, 0, at.width, ROW, "box", rx=5),
            path(GRIP, "solid"),
            text(26, 16, _fitting(words, at), at.letters),
            id=name,
            label=f"{name}: row {row + 1} of {len(WRITTEN)}. Arrow keys move it.",
            keys="ArrowUp ArrowDown",
            drag=True,
        ),
        transform=f"translate(2 {TOP + row * PITCH})",
    )


def _servers(words: str, row: int, at: _Layout, differs: bool) -> str:
    return group(
        rect(0, 0, at.width, ROW, "s3" if words != "?" else "bare", rx=5),
        text(10, 16, _fitting(words, at), at.letters),
        text(at.width - 18, 17, "≠" if differs else "", "badt"),
        transform=f"translate({at.right} {TOP + row * PITCH})",
    )


def _thread(here: int, there: int, at: _Layout, sent: bool, wrong: bool) -> str:
    """A thread as a level line that is skewed, so that it glides when its end moves."""
    angle = math.degrees(math.atan2((there - here) * PITCH, at.gap))
    return path(
        f"M0 0H{at.gap if sent else 0}",
        "wrong" if wrong else "good",
        transform=f"translate({at.width + 2} {_middle(here)}) skewY({angle:.3f})",
    )


def _middle(row: int) -> float:
    return TOP + row * PITCH + ROW / 2


def _meeting(order: Order, pair: tuple[str, str], at: _Layout) -> tuple[float, float]:
    """Where two threads cross."""
    (a, b), (c, d) = ((order.names.index(name), BY_NAME.index(name)) for name in pair)
    share = (c - a) / ((c - a) - (d - b))
    return at.width + 2 + share * at.gap, _middle(0) + (a + share * (b - a)) * PITCH


def _dot(x: float, y: float) -> str:
    return f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0"


def _cut_off(at: _Layout) -> str:
    """The row of auth_signature: its thread ends in scissors."""
    y, x = LAST + ROW / 2, at.width + 2 + min(at.gap * 0.42, at.gap - 46)
    blades = f"M{x:.0f} {y - 7}l22 12M{x:.0f} {y + 7}l22 -12"
    eyes = "".join(
        f"M{x + 22:.0f} {y + side}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0" for side in (-6.5, 6.5)
    )
    why = "made from this text, so never in it" if at.values else "never signed"
    return group(
        rect(2, LAST, at.width, ROW, "bare", rx=5, stroke_dasharray="4 3"),
        text(26, LAST + 16, "auth_signature", "m" if at.values else at.letters),
        path(f"M{at.width + 2} {y}H{x + 6:.0f}", "thread"),
        path(blades + eyes, "arrow"),
        text(at.right, LAST + 16, why, "small"),
    )


def _roads(encode: bool, sent: bool) -> list[str]:
    """From a value to both texts: straight, and through the URL. Drawn from y = 0."""
    mine, arriving, theirs, mark = _ends(encode, sent)
    return [
        _chip(2, 20, 118, f'"{TAG[1]}"', "box"),
        text(2, 10, "One value, two roads", "strong"),
        arrow(122, 27, 506, 27),
        text(322, 21, "encoded by your code" if encode else "as it is", "small"),
        _chip(512, 14, 200, mine, "s3"),
        text(732, 47, mark, "okt" if mark == "=" else "badt", "middle"),
        path("M61 45V66H130", "arrow"),
        _chip(136, 53, 168, arriving, "s6"),
        text(136, 49, "in the URL, encoded", "small"),
        arrow(306, 66, 506, 66),
        text(322, 60, "decoded by the server", "small"),
        _chip(512, 53, 200, theirs, "s3" if sent else "bare"),
        path("M714 27H732V33M714 66H732V52", "thread"),
    ]


def _narrow_roads(encode: bool, sent: bool) -> list[str]:
    mine, arriving, theirs, mark = _ends(encode, sent)
    return [
        text(2, 10, "One value, two roads", "strong"),
        text(2, 35, "you sign", "small"),
        _chip(112, 20, 202, mine, "s3"),
        text(2, 69, "in the URL", "small"),
        _chip(112, 54, 202, arriving, "s6"),
        text(2, 103, "decoded there", "small"),
        _chip(112, 88, 202, theirs, "s3" if sent else "bare"),
        path("M316 32H328V56M316 100H328V78", "thread"),
        text(328, 72, mark, "okt" if mark == "=" else "badt", "middle"),
    ]


def _ends(encode: bool, sent: bool) -> tuple[str, str, str, str]:
    """Of the tag's value: what you sign, what is in the URL, what the server signs, and = or ≠."""
    value = TAG[1]
    mine = quote(value) if encode else value
    mark = ("≠" if encode else "=") if sent else ""
    return mine, quote_plus(value), value if sent else "?", mark


def _chip(x: int, y: int, width: int, words: str, kind: str) -> str:
    return group(rect(x, y, width, ROW, kind, rx=5), text(x + 10, y + 16, words, "m"))


def _fitting(words: str, at: _Layout) -> str:
    name, equals, value = words.partition("=")
    if at.values:
        return f"{name}{equals}{value[:8]}…{value[-4:]}" if len(value) > 16 else words
    return words if len(words) <= len("tag=night%20shift") else name


# --- the exercises ------------------------------------------------------------------------------

VALUES = ("50 % off", "gate 3, left", "Łódź", "a+b", "☕ at 10:30")


def _requests(chance: random.Random) -> Iterator[list[Pair]]:
    """The parameters of three requests, in any order, as they arrive.

    Each has a name with a capital, a name that another begins with, a name that comes twice (with
    the later value first), spaces, and auth_signature.
    """
    for capital in chance.sample(("Area", "Shift", "Zone"), 3):
        twice = iter(("night shift", "early, Gate 3"))
        params = [
            ("auth_key", EXAMPLE_CREDENTIALS.key),
            ("auth_timestamp", str(EXAMPLE_TIMESTAMP - chance.randrange(500))),
            ("auth_version", AUTH_VERSION),
            ("auth_signature", f"{chance.getrandbits(256):064x}"),
            *QUESTION,
            (capital, chance.choice(VALUES)),
            ("tag", ""),
            ("tag", ""),
            ("tag2", chance.choice(VALUES)),
        ]
        chance.shuffle(params)
        yield [(name, next(twice) if name == "tag" else value) for name, value in params]


def _to_sort(chance: random.Random) -> Iterator[tuple[tuple[Pair, ...]]]:
    return ((tuple(params),) for params in _requests(chance))


def _to_join(chance: random.Random) -> Iterator[tuple[tuple[Pair, ...]]]:
    return ((tuple(ordered(params)),) for params in _requests(chance))


_ENCODED = (
    "Your values are encoded: a space became + or %20. That's for the URL. Sign them as they are."
)


@lesson.exercise(given=_to_join)
def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """Join pairs that are in order already to the text that is signed."""
    return "&".join(f"{name}={value}" for name, value in pairs)


@joined.judge
def _as_they_are(result: Any, pairs: tuple[Pair, ...]) -> None:
    if result != (expected := joined(pairs)):
        decoded = unquote_plus(result) if isinstance(result, str) else ""
        if decoded in (expected, unquote_plus(expected)):
            raise Wrong(_ENCODED)
        if isinstance(result, str) and result in (
            joined(sorted(pairs)),
            "&".join(sorted(expected.split("&"))),
        ):
            raise Wrong("They were in order already: don't sort again.")
        raise difference(expected, result, (pairs,))


joined.hint("Two joints: = between a name and its value, & between one pair and the next.")
joined.hint("`'; '.join(f'{day}: {hour}' for day, hour in [('Mon', 9)])` is `'Mon: 9'`.")
joined.wrong(_ENCODED, urlencode)
joined.wrong(
    "You joined the pairs with newlines. Between two parameters there's an &.",
    lambda pairs: "\n".join(f"{name}={value}" for name, value in pairs),
)
joined.wrong(
    "There's an & after the last pair. It belongs between two pairs only.",
    lambda pairs: "".join(f"{name}={value}&" for name, value in pairs),
)
joined.wrong(
    "There's a question mark in front. It separates path and query in a URL. The signed text has "
    "none.",
    lambda pairs: "?" + joined(pairs),
)
joined.why("You didn't need a function for URLs. It would have encoded the values.")
joined.next("What does yours return for one pair? And for an empty list?")


def _kept(params: Iterable[Pair]) -> list[Pair]:
    return [(name, value) for name, value in params if name != "auth_signature"]


def _lowered(params: Iterable[Pair]) -> list[Pair]:
    return [(name.lower(), value) for name, value in params]


_BY_PAIR = (
    "Two parameters have the same name, and sorted() put their values in order, too. Sort by name "
    "alone, with `key=…`: then they keep the order in which they came."
)


@lesson.exercise(given=_to_sort)
def ordered(params: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs that are signed: names in lower case, sorted by name alone."""
    kept = [(name, value) for name, value in params if name != "auth_signature"]
    lowered = [(name.lower(), value) for name, value in kept]
    return sorted(lowered, key=lambda pair: pair[0])


@ordered.judge
def _small_and_sorted(result: Any, params: tuple[Pair, ...]) -> None:
    if result != (expected := ordered(params)):
        if _are_pairs(result) and any(name != name.lower() for name, _ in result):
            raise Wrong(
                "A name still has a capital, and capitals sort before all small letters. "
                "Lower-case the names first, then sort by name.",
                Fact("Yours", shown(result)),
            )
        if _are_pairs(result) and sorted({name for name, _ in expected}) == sorted(
            name for name, _ in result
        ):
            raise Wrong("A name that came twice is there only once.", yours=result)
        raise difference(expected, result, (params,))


ordered.hint("Two steps: first a list of pairs with name.lower(), then sorted() with a key.")
ordered.hint("`sorted([('b', 2), ('a', 9), ('a', 1)], key=lambda pair: pair[0])` has 9 before 1.")
ordered.wrong(_BY_PAIR, lambda params: sorted(_lowered(_kept(params))))
ordered.wrong(
    "You sorted before the names were in lower case, and capitals sort before all small letters. "
    "Lower-case first, then sort.",
    lambda params: _lowered(sorted(_kept(params), key=lambda pair: pair[0])),
)
ordered.wrong(
    "The order is right, but one name still has a capital.",
    lambda params: sorted(_kept(params), key=lambda pair: pair[0].lower()),
)
ordered.wrong(
    "You lower-cased the values, too. Only names change. A value is signed as it is.",
    lambda params: sorted(
        ((name.lower(), value.lower()) for name, value in _kept(params)), key=lambda pair: pair[0]
    ),
)
ordered.wrong(
    "The names are in lower case, but the pairs are still in the order they came in.",
    lambda params: _lowered(_kept(params)),
)
ordered.why(
    "sorted() is stable: pairs with the same name stay in their order. The server sorts by name, "
    "too, so both sides agree even where a name comes twice."
)
ordered.next("Swap the two steps, predict what becomes of a name with a capital, and check.")


@lesson.exercise(given=lambda chance: ((params,) for params in _requests(chance)), keep=True)
def signed_parameters(params: list[tuple[str, str]]) -> str:
    """Return the text that is signed, from the parameters of any request."""
    lowered = [(name.lower(), value) for name, value in params]
    kept = [pair for pair in lowered if pair[0] != "auth_signature"]
    ordered = sorted(kept, key=lambda pair: pair[0])
    return "&".join(f"{name}={value}" for name, value in ordered)


@signed_parameters.judge
def _without_its_signature(result: Any, params: list[Pair]) -> None:
    if isinstance(result, str) and "auth_signature=" in result:
        raise Wrong(
            "auth_signature is in your text. It's made from this text, so it can't be part of it.",
            yours=result,
        )
    if result != (expected := signed_parameters(params)):
        raise difference(expected, result, (params,))


signed_parameters.hint("Four steps: lower-case the names, leave one out, sort by name, join.")
signed_parameters.hint("`[('B', 'x, y'), ('a', '1')]` becomes `'a=1&b=x, y'`.")
signed_parameters.wrong(_BY_PAIR, lambda params: joined(sorted(_lowered(_kept(params)))))
signed_parameters.wrong(
    "You joined first, then sorted. As text, tag2=… comes before tag=…, because 2 sorts before the "
    "equals sign. Sort the pairs by name, then join.",
    lambda params: "&".join(sorted(f"{name}={value}" for name, value in ordered(params))),
)
signed_parameters.wrong(
    "One parameter is missing: a dict has room for one value a name. Keep the list of pairs.",
    lambda params: joined(sorted(dict(_lowered(_kept(params))).items())),
)
signed_parameters.wrong(_ENCODED, lambda params: urlencode(ordered(params)))
signed_parameters.why("A URL can be written in many ways. After these steps, one text is left.")
signed_parameters.next("Shuffle the parameters and call it again. When does the text change?")


# --- another question under the same signature ---------------------------------------------------

WATCHING = {"presence-couriers": {"user_count": 1}}  # the answer, while Ben alone is watching


def _questions(chance: random.Random) -> Iterator[tuple[list[Pair]]]:
    """Signed: who is watching? As it goes into the URL, in any order."""
    for own in (QUESTION, (*QUESTION, ("tag", chance.choice(VALUES))), QUESTION):
        timestamp = EXAMPLE_TIMESTAMP - chance.randrange(500)
        query = list(sign(EXAMPLE_CREDENTIALS, "GET", PATH, own, timestamp=timestamp).query)
        chance.shuffle(query)
        yield (query,)


@lesson.exercise(given=_questions)
def another_question(query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return other parameters, so that the server accepts them and answers something else."""
    params = dict(query)
    info = params.pop("info")
    params["filter_by_prefix"] += "&info=" + info
    return list(params.items())


@another_question.judge
def _accepted_and_other(result: Any, query: list[Pair]) -> None:
    params = list(result.items()) if isinstance(result, dict) else result
    if not _are_pairs(params):
        raise Wrong("Return a list of pairs of text, like yours.", Fact("Yours", shown(result)))
    try:
        response = _send(params)
    except (ValueError, httpx.HTTPError):
        raise Wrong("This can't be sent as a URL.", Fact("Yours", shown(params))) from None
    answer = Fact("Answer", f"{response.status_code} {response.text.strip()[:600]}")
    if response.status_code == 401:
        error = str(response.json()["error"]).partition(":")[0]
        signed, yours = (signed_parameters(each) for each in (query, params))
        at = first_difference(signed.encode(), yours.encode())
        signature = "The signed text has to stay what it was, letter by letter."
        others = "Leave the auth_… parameters whole: the server looks for each of them by name."
        raise Wrong(
            f"Refused: {error}. {signature if error == 'Invalid signature' else others}",
            Fact("Signed", signed),
            Fact("Yours gives", yours, marks=mark_at(yours.encode(), at)),
        )
    if response.status_code != 200:
        raise Wrong("The signature passes, but the server can't answer this.", answer)
    if response.json()["channels"] == WATCHING:
        raise Wrong("Accepted, but the server answers what it answered before.", answer)


def _are_pairs(value: Any) -> bool:
    """Whether it's a list of pairs of text."""
    return isinstance(value, list) and all(
        isinstance(pair, tuple | list) and [type(each) for each in pair] == [str, str]
        for pair in value
    )


another_question.hint("Write the signed text on one line. Where else could you cut it into pairs?")
another_question.hint("a=1&b=2 is the text of two parameters. It's also the text of one, named a.")
another_question.wrong(
    "That's the same question in another order. The server sorts it, and answers it.",
    lambda query: query[::-1],
)
another_question.wrong(
    "A parameter is gone, and so is its part of the signed text: refused.",
    lambda query: [pair for pair in query if pair[0] != "info"],
)
another_question.wrong(
    "You encoded the &, and the HTTP library does it again. Give the value as it is.",
    lambda query: [
        (name, "presence-%26info%3Duser_count" if name == "filter_by_prefix" else value)
        for name, value in query
        if name != "info"
    ],
)
another_question.why(
    "More than one list of parameters has the signed text: an & in a value looks like one between "
    "two parameters, and INFO like info. In the URL that & is %26, so the server reads another "
    "question."
)
another_question.next("There are two ways: with an &, and with capitals alone. Find the other one.")


# --- find, explain, fix ---------------------------------------------------------------------------


def broken_query_text(own: dict[str, str], auth: dict[str, str]) -> str:
    pairs = sorted(own.items()) + sorted(auth.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _calls(chance: random.Random) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """A publish with no parameters of its own; the question; with an area; and with Kim's tag."""
    auth = {**dict(AUTH), "auth_timestamp": str(EXAMPLE_TIMESTAMP - chance.randrange(500))}
    body = f'{{"name":"status","channel":"order-{chance.randrange(10, 99)}","data":"delivered"}}'
    yield {}, {**auth, "body_md5": body_digest(body.encode())}
    for more in ({}, {"area": chance.choice(("gate 3, left", "north gate"))}, dict([TAG])):
        yield {**dict(QUESTION), **more}, auth


@lesson.exercise(given=_calls)
def query_text(own: dict[str, str], auth: dict[str, str]) -> str:
    """Make every request pass: return the text to sign."""
    both = [(name.lower(), value) for name, value in {**own, **auth}.items()]
    return "&".join(f"{name}={value}" for name, value in sorted(both, key=lambda pair: pair[0]))


query_text.broken(
    "Publishing passes, asking is refused. Find the line, and change it.", broken_query_text
)
query_text.hint("What does the function return if `own` is empty? And if it isn't?")
query_text.hint("Two sorted lists, one after the other, aren't one sorted list.")
query_text.wrong(
    "Now auth comes first, and the plain question passes: luck again. With an area it's refused, "
    "because area sorts before auth_key.",
    lambda own, auth: joined(sorted(auth.items()) + sorted(own.items())),
)
query_text.wrong(
    "Sorted as one list: the question passes. But Kim's scripts send a Tag, and its name has to be "
    "in lower case before you sort.",
    lambda own, auth: joined(sorted({**own, **auth}.items())),
)
query_text.wrong(
    "It's one list now, but nothing sorts it.",
    lambda own, auth: joined(list({**own, **auth}.items())),
)
query_text.wrong(_ENCODED, lambda own, auth: urlencode(ordered([*own.items(), *auth.items()])))
query_text.wrong(
    "Now the request's own parameters aren't in the text at all, so anyone could change them.",
    lambda own, auth: joined(sorted(auth.items())),
)
query_text.why(
    "A publish has no parameters of its own, so one of the two lists was empty. The code was wrong "
    "from its first day, and it took another kind of request to show it."
)
query_text.next("Which test would have caught it on that first day?")


# --- prove it -------------------------------------------------------------------------------------


def _arrived(chance: random.Random) -> Iterator[tuple[str]]:
    for params in _requests(chance):
        yield (urlencode([*params, ("note", "")]),)


@lesson.exercise(given=_arrived, covers_lesson=True)
def prove_it(query: str) -> tuple[str, list[tuple[str, str]]]:
    """Return two things: the text that was signed, and other parameters with that same text."""
    params = parse_qsl(query, keep_blank_values=True)
    lowered = [(name.lower(), value) for name, value in params]
    kept = [pair for pair in lowered if pair[0] != "auth_signature"]
    ordered = sorted(kept, key=lambda pair: pair[0])
    signed = "&".join(f"{name}={value}" for name, value in ordered)
    name, rest = signed.split("=", 1)
    return signed, [(name, rest)]  # one parameter, and all the others are in its value


def _by_hand(query: str) -> list[Pair]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]


_SLIPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (
        "`note=` is missing: parse_qsl() drops empty values, unless you pass "
        "`keep_blank_values=True`.",
        lambda query: signed_parameters(parse_qsl(query)),
    ),
    (
        "Your values are still as they were in the URL. Decode them: `urllib.parse.parse_qsl()`.",
        lambda query: signed_parameters(_by_hand(query)),
    ),
    (
        _BY_PAIR,
        lambda query: joined(sorted(_lowered(_kept(parse_qsl(query, keep_blank_values=True))))),
    ),
)
_SAME = (
    "The text is right. But the other parameters are the same ones: a server would answer the same "
    "question. Cut the text somewhere else."
)


def _both_from(query: str) -> tuple[str, list[Pair]]:
    params = parse_qsl(query, keep_blank_values=True)
    return signed_parameters(params), ordered(params)


prove_it.wrong(_SAME, _both_from)


@prove_it.judge
def _same_text_other_parameters(result: Any, query: str) -> None:
    yours, called = Fact("Yours", shown(result)), Fact("Called with", shown(query))
    if not isinstance(result, tuple) or len(result) != 2:
        raise Wrong("Return two things: a text, and a list of pairs.", called, yours)
    signed, other = result
    expected, pairs = _both_from(query)
    for message, slip in _SLIPS:
        if signed == slip(query) != expected:
            raise Wrong(message, called, yours)
    if signed != expected:
        raise difference(expected, signed, (query,))
    if not _are_pairs(other):
        raise Wrong("The text is right. The second thing is a list of pairs of text.", yours)
    if (text := signed_parameters(other)) != expected:
        raise Wrong(
            "Your text is right. The other parameters have another text, so the signature doesn't "
            "match them.",
            Fact("Theirs", text),
            Fact("Signed", expected),
        )
    if ordered(_lowered(other)) == pairs:
        raise Wrong(_SAME, yours)


prove_it.hint(
    "parse_qsl() decodes a query into pairs. The rest is lower-case, leave out, sort, join."
)
prove_it.hint("For the second part: a=1&b=2 is also the text of one parameter, named a.")
prove_it.why(
    "A list of parameters has one text, however its URL is written. But a text belongs to many "
    "lists, because nothing in it marks where a value ends."
)
prove_it.next("A server could refuse every & inside a value. Would that be enough? Look for =.")
