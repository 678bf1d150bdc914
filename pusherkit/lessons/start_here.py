"""Lesson 00, start here: order 41 left the depot, and its page still says "preparing"."""

import json
import random
import time
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from pusherkit.client import Client
from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Course,
    Explorer,
    Fact,
    Lesson,
    Picture,
    Practice,
    View,
    Wrong,
    area,
    button,
    practice,
    shown,
)
from pusherkit.lessons.kit import line as line_of_text
from pusherkit.lessons.kit.classroom import joined, wall_button
from pusherkit.lessons.kit.journey import (
    Journey,
    drawing,
    outcome,
    prepare,
    stage_facts,
    to_the_wall,
    travel,
    verdict,
)
from pusherkit.lessons.kit.picture import arrow, group, line, path, rect, text
from pusherkit.signing import sign

lesson = Lesson("00-start-here", stages=(1, 2, 3, 4, 5, 6))
map = lesson.map
course = Course
practice = practice

CHANNEL = "order-41"
FIRST_STATUS = "out for delivery"


# --- one event on its way -----------------------------------------------------------------------


def status_update(status: str) -> bytes:
    """The body of one event: JSON, with JSON in its data."""
    data = json.dumps({"status": status})
    event = {"name": "status", "channel": "order-41", "data": data}
    return json.dumps(event).encode()


@lesson.explorer
def send_status() -> Explorer:
    """Type a status, send it, and see whose page shows it."""
    return Explorer(
        _sent,
        status=line_of_text("Status", FIRST_STATUS),
        send=button("Send it to order-41"),
        code=[status_update],
        **wall_button(),
    )


def _sent(status: str, send: bool, wall: bool = False) -> View:
    if wall and (room := joined()) is not None:
        return _on_the_wall(to_the_wall(status_update(status), room, time.time()), room.page)
    credentials = practice().credentials if send else EXAMPLE_CREDENTIALS
    journey = prepare(status_update(status), credentials)
    if send:
        journey = travel(journey, practice(), channel=CHANNEL)
    said, good = verdict(journey)
    if journey.arrived is not None:
        said = f"Accepted ({journey.status}), and it arrived: the page of order 41 has changed."
    return View(
        "One event, from your backend to a page",
        outcome(journey)[:2],
        said,
        good,
        picture=tracker(journey),
        details=stage_facts(journey),
        fold="What happened to the bytes, in six stages",
    )


def _on_the_wall(journey: Journey, page: str) -> View:
    """What became of a status that was sent to the class's wall: the answer, like any other."""
    said, good = verdict(journey)
    if journey.status == 200:
        said = f"Accepted ({journey.status}), and it's on the wall, under your name."
    link = Fact("The wall", page, kind="link", label="Open the wall")
    return View(
        "One event, from your backend to the wall",
        (*outcome(journey)[:1], link, *outcome(journey)[2:]),
        said,
        good,
        picture=tracker(journey, wall=True),
        details=stage_facts(journey),
        fold="What happened to the bytes, in six stages",
    )


# --- the picture: who talks to whom -------------------------------------------------------------


def tracker(journey: Journey, *, wall: bool = False) -> Picture:
    """Your backend, the server and three pages; a dot is the event, wherever it got to.

    With `wall` the first page is the wall of a class, which shows whatever its server accepts.
    """
    shows = wall and journey.status == 200
    arrived = journey.arrived is not None or shows
    reads = _status_in(journey.body) if arrived else "preparing"
    if shows:
        where = "The event went through the server to the wall."
    elif arrived:
        where = "The event went through the server to the page of order 41. The others got nothing."
    elif journey.status is None:
        where = "The event is still on your backend."
    else:
        where = "The server refused the event, so no page got it."
    desc = (
        "Your backend sends signed requests to the server; pages in browsers hold a connection to "
        f"the server and wait. Only the first two hold the secret. {where}"
    )
    title = "Who talks to whom"
    pages = ((CHANNEL, "the wall" if wall else "the customer"), *OTHER_PAGES)
    refused = journey.status is not None and not arrived
    wide, narrow = (
        _drawn(pages, reads, arrived, refused, wide=is_wide) for is_wide in (True, False)
    )
    return Picture(title, desc, 780, 206, wide, Picture(title, desc, 340, 350, narrow))


def _status_in(body: bytes) -> str:
    return str(json.loads(json.loads(body)["data"])["status"])


OTHER_PAGES = (("order-42", "somebody else"), ("news", "the office"))


def _drawn(
    shown: Sequence[tuple[str, str]], reads: str, arrived: bool, refused: bool, *, wide: bool
) -> str:
    """Backend and server side by side; the pages right of them or, for little room, below."""
    left, top, width, server = (8, 62, 152, 320) if wide else (2, 28, 150, 188)
    out, leaves = left + width, (server + width, 104) if wide else (263, 112)
    middle, below = top + 42, 8 if wide else 150
    sends = "signed POST" if wide else "POST"
    pages, enters = (596, 596) if wide else (4, 184)  # their left edge, and where wires end
    dot = (enters, below + 28) if arrived else (server - 20 if refused else out, middle)
    return "".join(
        (
            *(line(*leaves, enters, below + 28 + 66 * n) for n in range(len(shown))),
            arrow(out + 2, middle, server - 2, middle),
            text((out + server) / 2, middle - 10, sends, "small", "middle"),
            _holder(left, top, width, "Your backend", "publishes"),
            _holder(server, top, width, "The server", "checks, passes on"),
            text(534, 176, "open connections", "small", "middle") if wide else "",
            *(
                _page(pages, below + 66 * n, *each, "…" if n else reads, lit=arrived and not n)
                for n, each in enumerate(shown)
            ),
            _dot(*dot, refused),
        )
    )


def _holder(x: float, y: float, width: float, name: str, does: str) -> str:
    """A box of somebody who holds the secret, with a key in it."""
    key = path("M0 0a5 5 0 1 1 0 .1M10 0h11M17 0v4M21 0v4", "s5")
    return group(
        rect(x, y, width, 84, rx=6),
        text(x + width / 2, y + 24, name, "strong", "middle"),
        text(x + width / 2, y + 43, does, "small", "middle"),
        group(key, transform=f"translate({x + 10:g} {y + 65:g})"),
        text(x + 38, y + 70, "has the secret", "t5"),
    )


def _page(x: float, y: float, channel: str, who: str, reads: str, *, lit: bool) -> str:
    """A browser page with what it shows; it knows its channel and no secret."""
    reads = reads if len(reads) <= 17 else f"{reads[:16]}…"
    return group(
        rect(x, y, 180, 56, "good" if lit else "box", rx=8),
        text(x + 10, y + 20, channel, "strong"),
        text(x + 172, y + 20, who, "small", "end"),
        text(x + 10, y + 42, f"✓ {reads}" if lit else reads, "m"),
    )


def _dot(x: float, y: float, refused: bool) -> str:
    mark = text(0, -8, "✗" if refused else "", "badt", "middle")
    return group(path("M-7 0a7 7 0 1 1 0 .1z", "f1"), mark, transform=f"translate({x:g} {y:g})")


# --- prediction, and the same by hand -----------------------------------------------------------


@lesson.predict(
    "On its way, order-41 becomes order-47. What does the server do?",
    {
        "It shows the update on order 47's page": "It would, if it believed whatever arrives. Then "
        "anybody on the way could move your parcels around.",
        "It answers 401": "401 says: I can't be sure that this came from you.",
        "It answers 400": "400 is for content that breaks a rule. This content is fine. It just "
        "isn't what was signed.",
    },
    why="The server hashes the bytes that arrive and compares that with the body hash that was "
    "signed. It can't see what changed. It sees that something did.",
)
def changed_on_the_way() -> tuple[str, Fact]:
    body = status_update("out for delivery")
    signed = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=body, timestamp=EXAMPLE_TIMESTAMP)
    changed = body.replace(b"order-41", b"order-47")
    answer = Practice().http.post(EVENTS_PATH, params=signed.query, content=changed)
    error = answer.json().get("error", "")
    shows = "It shows the update on order 47's page"
    return f"It answers {answer.status_code}" if error else shows, Fact("The server", error)


@lesson.explorer
def change_a_byte() -> Explorer:
    """A body that is already signed, to change and send."""
    return Explorer(
        _changed,
        body=area("Body to send", status_update(FIRST_STATUS)),
        send=button("Send it under the old signature"),
    )


def _changed(body: str, send: bool) -> View:
    credentials = practice().credentials if send else EXAMPLE_CREDENTIALS
    journey = replace(prepare(status_update(FIRST_STATUS), credentials), sent_body=body.encode())
    if send:
        journey = travel(journey, practice(), channel=CHANNEL)
    said, good = verdict(journey)
    if journey.status is None and journey.sent_body != journey.body:
        said = "Changed, and still under the signature of the old bytes."
    return View(
        "A body that was signed before you changed it",
        outcome(journey),
        said,
        good,
        picture=drawing(journey),
        details=stage_facts(journey),
        fold="Every stage in full",
    )


# --- the exercises ------------------------------------------------------------------------------

_SERVERS: WeakKeyDictionary[Client, Practice] = WeakKeyDictionary()  # which server a client is for


def _clients(chance: random.Random) -> Iterator[tuple[Client]]:
    server = Practice()
    _SERVERS[server.client] = server
    yield (server.client,)


@lesson.exercise(given=_clients)
def announce(client: Client) -> dict[str, Any]:
    """Send the event "status" to the channel "order-41", with {"status": "out for delivery"}."""
    return client.trigger("order-41", "status", {"status": "out for delivery"})


@announce.observe
def _went_out(result: object, client: Client) -> object:
    """What went out: the channels, the name and the data of each event."""
    if isinstance(result, types.GeneratorType | types.CoroutineType):
        return result  # nothing ran, and the check says why
    deliveries = _SERVERS[client].sandbox.deliveries
    return [(each.event.channels, each.event.name, each.event.data) for each in deliveries]


@announce.judge
def _arrived(events: list[tuple[tuple[str, ...], str, str]], client: Client) -> None:
    facts = [
        Fact("You sent", f"{name} to {', '.join(channels)}: {data}")
        for channels, name, data in events
    ]
    if len(events) > 1:
        raise Wrong(f"You sent {len(events)} events. The customer needs one.", *facts)
    ((channels, name, data),) = events
    if CHANNEL not in channels or name != "status":
        raise Wrong("Your event went out, but not as “status” to “order-41”.", *facts)
    if channels != (CHANNEL,):
        everyone = " and ".join(channels)
        raise Wrong(f"Everyone on {everyone} got it. Send it to order-41 alone.", *facts)
    if (read := _read(data)) is None:
        raise Wrong("It arrived, but the page finds no “status” in the data.", *facts)
    if read != FIRST_STATUS:
        raise Wrong(f"The page reads “{read}”, and should read “{FIRST_STATUS}”.", *facts)


def _read(data: str) -> str | None:
    """The status that a page reads in an event's data; None where there is none."""
    try:
        return str(json.loads(data)["status"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


announce.hint("`client.trigger` takes the channel, the event's name and the data, in that order.")
announce.hint('To another channel: `client.trigger("news", "snow", {"roads": "closed"})`.')
announce.wrong(
    "Channel and name are swapped. The channel comes first: who should hear it. Then the name: "
    "what happened.",
    lambda client: client.trigger("status", "order-41", {"status": "out for delivery"}),
)
announce.wrong(
    "Nothing was sent. Call `client.trigger(…)` inside your function.", lambda client: None
)
announce.wrong(
    "It arrived as bare text, and this page reads JSON with a “status” in it. Pass a dict.",
    lambda client: client.trigger("order-41", "status", "out for delivery"),
)
announce.why("The channel says who hears it, the name what happened, and the data all the rest.")
announce.next('Pass a list of channels, `["order-41", "news"]`, and check: who gets it now?')


def _signed_bodies(chance: random.Random) -> Iterator[tuple[bytes]]:
    for status in ("out for delivery", *chance.sample(["preparing", "delivered", "at Zoë's"], 1)):
        yield (status_update(status),)


def _need_bytes(body: Any) -> None:
    if not isinstance(body, bytes):
        kind = type(body).__name__
        raise Wrong(f"A body is bytes, and yours is {kind}.", Fact("Yours", shown(body)))


@lesson.exercise(given=_signed_bodies)
def change_one_byte(body: bytes) -> bytes:
    """Return the body with one byte changed, so that the server refuses it."""
    return body.replace(b"order-41", b"order-47")


@change_one_byte.judge
def _refused(changed: Any, body: bytes) -> None:
    _need_bytes(changed)
    if len(changed) != len(body):
        raise Wrong(
            "That's refused as well, but the length changed. Replace one byte and add none.",
            Fact("Signed", f"{len(body)} bytes"),
            Fact("Yours", f"{len(changed)} bytes"),
        )
    different = sum(a != b for a, b in zip(body, changed, strict=True))
    if different != 1:
        said = (
            f"Change exactly one byte. You changed {different}."
            if different
            else "Your function changes other bodies, but not this one. Pick a byte that all have."
        )
        raise Wrong(said, Fact("Body", shown(body)), Fact("Yours", shown(changed)))
    sent = travel(
        replace(prepare(body, EXAMPLE_CREDENTIALS), sent_body=changed), Practice(), channel=CHANNEL
    )
    if sent.status != 401:
        raise Wrong("The server didn't refuse it.", *outcome(sent))


change_one_byte.hint("Bytes have replace(), like text: `b'cat'.replace(b'c', b'b')` is `b'bat'`.")
change_one_byte.hint("Every one of these bodies names the channel order-41.")
change_one_byte.wrong(
    "These are the bytes that were signed, so the server accepts them. Change one of them.",
    lambda body: body,
)
change_one_byte.wrong(
    "A space at the end gets you refused, but it adds a byte. Replace one instead.",
    lambda body: body + b" ",
)
change_one_byte.wrong(
    "This is text (str), and a body is bytes. Leave out `decode()`, and write `b'…'`.",
    lambda body: body.decode().replace("41", "47"),
)
change_one_byte.why(
    "The request still carries the body hash of the old bytes, so the server notices at once."
)
change_one_byte.next("Break the JSON: change a quotation mark. Is the answer still 401, or 400?")


def _statuses(chance: random.Random) -> Iterator[tuple[str]]:
    plain = chance.choice(["left the depot", "delivered"])
    for each in (plain, "at Zoë's", 'at "The Swan"', r"dock 3\4"):  # the last two need escapes
        yield (each,)


def _as_object(status: str) -> bytes:
    event = {"name": "status", "channel": "order-41", "data": {"status": status}}
    return json.dumps(event).encode()


@lesson.exercise(given=_statuses)
def update(status: str) -> bytes:
    """Return a body that the server accepts, with the status in its data."""
    data = json.dumps({"status": status})
    event = {"name": "status", "channel": "order-41", "data": data}
    return json.dumps(event).encode()


@update.judge
def _accepted(body: Any, status: str) -> None:
    _need_bytes(body)
    sent = travel(prepare(body, EXAMPLE_CREDENTIALS), Practice(), channel=CHANNEL)
    if sent.status != 200:
        raise Wrong("The signature is right, and the server still refuses it.", *outcome(sent))
    read = None if sent.arrived is None else _read(sent.arrived.data)
    if read is None:
        said = "Accepted, but the page of order 41 can't read its status."
        raise Wrong(BY_HAND if set(status) & set('"\\') else said, *outcome(sent))
    if read != status:
        raise Wrong(
            f"This status was “{status}”, and the page reads “{read}”. Is yours always the same?",
            *outcome(sent),
        )


BY_HAND = (
    'You glue the JSON together, and a `"` or a `\\` in the status breaks it. json.dumps() escapes '
    "both."
)


def _with_data(data: Callable[[str], Any]) -> Callable[[str], bytes]:
    def body(status: str) -> bytes:
        event = {"name": "status", "channel": "order-41", "data": data(status)}
        return json.dumps(event).encode()

    return body


update.broken(
    "The server refuses this one with 400. Its answer says what it expected: look at “data”.",
    _as_object,
)
update.hint("In the body that you sent above, what's different about the value of “data”?")
update.hint("The data is text that holds JSON. json.dumps() turns a dict into such a text.")
update.wrong(
    "str() writes Python, with single quotes. The page reads JSON: use json.dumps().",
    _with_data(lambda status: str({"status": status})),
)
update.wrong(
    "The server takes it, but now the data is bare text. The page reads JSON with a “status” in "
    "it.",
    _with_data(lambda status: status),
)
update.wrong(BY_HAND, _with_data(lambda status: f'{{"status":"{status}"}}'))
update.why(
    "The API wants data to be a string, so JSON is written twice: once for the page, and once more "
    "around it, as the body."
)
update.next('Count the backslashes in `print(update("left the depot").decode())`.')
