"""Lesson 00, start here: order 41 left the depot, and its page still says "preparing"."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from pusherkit.client import Client
from pusherkit.events import Event as ChannelsEvent
from pusherkit.events import event_body
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
from pusherkit.lessons.kit.journey import (
    Journey,
    drawing,
    outcome,
    prepare,
    stage_facts,
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
    """The body of one event."""
    event = {"name": "status", "channel": "order-41", "data": json.dumps({"status": status})}
    return json.dumps(event).encode()


@lesson.explorer
def send_status() -> Explorer:
    """Type a status, send it, and see whose page shows it."""
    return Explorer(
        _sent,
        status=line_of_text("Status", FIRST_STATUS),
        send=button("Send it to order-41"),
        code=[status_update],
    )


def _sent(status: str, send: bool) -> View:
    journey = prepare(_compact(status), practice().credentials if send else EXAMPLE_CREDENTIALS)
    if send:
        journey = travel(journey, practice(), channel=CHANNEL)
    said, good = verdict(journey)
    arrived = journey.arrived is not None
    if arrived:
        said = f"Accepted ({journey.status}), and it arrived: the page of order 41 has changed."
    return View(
        "One event, from your server to a page",
        outcome(journey)[:2],
        said,
        good,
        picture=tracker(journey),
        details=stage_facts(journey),
        fold="What happened to the bytes, in six stages",
    )


def _compact(status: str) -> bytes:
    """status_update() as a client sends it: compact, with its limits checked."""
    return event_body(ChannelsEvent.of(CHANNEL, "status", {"status": status}))


# --- the picture: who talks to whom -------------------------------------------------------------


def tracker(journey: Journey) -> Picture:
    """Your backend, the server and three pages; a dot is the event, wherever it got to."""
    arrived = journey.arrived
    if arrived is not None:
        reads = str(json.loads(arrived.data)["status"])
        where = "The event went through the server to the page of order 41. The others got nothing."
    elif journey.status is None:
        reads, where = "preparing", "The event is still on your backend."
    else:
        reads, where = "preparing", "The server refused the event, so no page got it."
    desc = (
        "Your backend sends signed requests to the server; pages in browsers hold a connection to "
        f"the server and wait. Only the first two hold the secret. {where}"
    )
    title = "Who talks to whom"
    narrow = Picture(title, desc, 340, 350, _tall(journey, reads))
    return Picture(title, desc, 780, 206, _wide(journey, reads), narrow)


PAGES = (("order-41", "the customer"), ("order-42", "somebody else"), ("news", "the office"))


def _wide(journey: Journey, reads: str) -> str:
    pages = [
        _page(596, 8 + 66 * n, *each, reads if n == 0 else "…", lit=n == 0 and _got(journey))
        for n, each in enumerate(PAGES)
    ]
    wires = [line(472, 104, 596, 36 + 66 * n) for n in range(len(PAGES))]
    x, y = {"start": (158.0, 104.0), "refused": (298.0, 104.0), "there": (596.0, 36.0)}[
        _place(journey)
    ]
    return "".join(
        (
            *wires,
            arrow(160, 104, 318, 104),
            text(239, 94, "signed POST", "small", "middle"),
            _holder(8, 62, 150, "Your backend", "publishes"),
            _holder(320, 62, 152, "The server", "checks, passes on"),
            text(534, 176, "open connections", "small", "middle"),
            *pages,
            _dot(x, y, journey),
        )
    )


def _tall(journey: Journey, reads: str) -> str:
    """For little room: the backend on the right, the server on the left, the pages below it."""
    pages = [
        _page(150, 150 + 66 * n, *each, reads if n == 0 else "…", lit=n == 0 and _got(journey))
        for n, each in enumerate(PAGES)
    ]
    wires = [line(75, 112, 150, 178 + 66 * n) for n in range(len(PAGES))]
    x, y = {"start": (200.0, 70.0), "refused": (152.0, 70.0), "there": (150.0, 178.0)}[
        _place(journey)
    ]
    return "".join(
        (
            *wires,
            arrow(198, 70, 142, 70),
            text(170, 60, "POST", "small", "middle"),
            _holder(200, 28, 136, "Your backend", "publishes"),
            _holder(4, 28, 136, "The server", "checks, passes on"),
            *pages,
            _dot(x, y, journey),
        )
    )


def _place(journey: Journey) -> str:
    if journey.status is None:
        return "start"
    return "there" if _got(journey) else "refused"


def _got(journey: Journey) -> bool:
    return journey.arrived is not None


def _holder(x: float, y: float, width: float, name: str, does: str) -> str:
    """A box of somebody who holds the secret, with a key in it."""
    key = path("M0 0a5 5 0 1 1 0 .1M10 0h11M17 0v4M21 0v4", "s5")
    return group(
        rect(x, y, width, 84, rx=6),
        text(x + width / 2, y + 24, name, "strong", "middle"),
        text(x + width / 2, y + 43, does, "small", "middle"),
        group(key, transform=f"translate({x + 14:g} {y + 65:g})"),
        text(x + 42, y + 70, "has the secret", "t5"),
    )


def _page(x: float, y: float, channel: str, who: str, reads: str, *, lit: bool) -> str:
    """A browser page with what it shows; it knows its channel and no secret."""
    reads = reads if len(reads) <= 20 else f"{reads[:19]}…"
    return group(
        rect(x, y, 180, 56, "good" if lit else "box", rx=8),
        text(x + 10, y + 20, channel, "strong"),
        text(x + 172, y + 20, who, "small", "end"),
        text(x + 10, y + 42, f"✓ {reads}" if lit else reads, "m"),
    )


def _dot(x: float, y: float, journey: Journey) -> str:
    refused = _place(journey) == "refused"
    mark = text(0, 4, "✗" if refused else "", "badt", "middle")
    return group(
        path("M-7 0a7 7 0 1 1 0 .1z", "f1"),
        group(mark, transform="translate(0 -12)"),
        transform=f"translate({x:g} {y:g})",
    )


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
    options = {
        200: "It shows the update on order 47's page",
        401: "It answers 401",
        400: "It answers 400",
    }
    return options[answer.status_code], Fact("The server", answer.json().get("error", "accepted"))


@lesson.explorer
def change_a_byte() -> Explorer:
    """A body that is already signed, to change and send."""
    return Explorer(
        _changed,
        body=area("Body to send", _compact(FIRST_STATUS)),
        send=button("Send it under the old signature"),
    )


def _changed(body: str, send: bool) -> View:
    credentials = practice().credentials if send else EXAMPLE_CREDENTIALS
    journey = replace(prepare(_compact(FIRST_STATUS), credentials), sent_body=body.encode())
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
def _went_out(result: object, client: Client) -> list[tuple[tuple[str, ...], str, str]]:
    """What went out: the channels, the name and the data of each event."""
    deliveries = _SERVERS[client].sandbox.deliveries
    return [(each.event.channels, each.event.name, each.event.data) for each in deliveries]


@announce.judge
def _arrived(events: list[tuple[tuple[str, ...], str, str]], client: Client) -> None:
    facts = [
        Fact("You sent", f"{name} to {', '.join(channels)}: {data}")
        for channels, name, data in events
    ]
    right = [each for each in events if each[0] == (CHANNEL,) and each[1] == "status"]
    if not right:
        raise Wrong("Your event went out, but not as “status” to “order-41”.", *facts)
    if not any(_reads(data, FIRST_STATUS) for *_, data in right):
        raise Wrong("It reached the page. Now look at the data: the page reads “status”.", *facts)


def _reads(data: str, status: str) -> bool:
    try:
        return bool(json.loads(data) == {"status": status})
    except ValueError:
        return False


announce.hint("client.trigger takes the channel, the event's name and the data, in that order.")
announce.hint('An event on another channel: client.trigger("news", "snow", {"roads": "closed"})')
announce.wrong(
    "Channel and name are swapped. The channel comes first: who should hear it. Then the name: "
    "what happened.",
    lambda client: client.trigger("status", "order-41", {"status": "out for delivery"}),
)
announce.wrong(
    "Nothing was sent. Call client.trigger(…) inside your function.",
    lambda client: None,
)
announce.wrong(
    "It arrived, as bare text. The page expects JSON with a name in it: pass a dict as the data.",
    lambda client: client.trigger("order-41", "status", "out for delivery"),
)
announce.why("The channel says who hears it, the name says what happened, and the data is yours.")
announce.next("Pass a list of two channels, [“order-41”, “news”]: who gets it now?")


def _signed_bodies(chance: random.Random) -> Iterator[tuple[bytes]]:
    for status in ("out for delivery", *chance.sample(["preparing", "delivered", "at Zoë's"], 1)):
        yield (_compact(status),)


@lesson.exercise(given=_signed_bodies)
def change_one_byte(body: bytes) -> bytes:
    """Return the body with one byte changed, so that the server refuses it."""
    return body.replace(b"order-41", b"order-47")


@change_one_byte.judge
def _refused(changed: Any, body: bytes) -> None:
    if not isinstance(changed, bytes):
        raise Wrong(
            f"A body is bytes, and yours is {type(changed).__name__}.",
            Fact("Yours", shown(changed)),
        )
    if len(changed) != len(body):
        raise Wrong(
            "That's refused as well, but the length changed. Replace one byte and add none.",
            Fact("Signed", f"{len(body)} bytes"),
            Fact("Yours", f"{len(changed)} bytes"),
        )
    different = sum(a != b for a, b in zip(body, changed, strict=True))
    if different != 1:
        raise Wrong(
            f"Change exactly one byte. You changed {different}.", Fact("Yours", shown(changed))
        )
    sent = travel(
        replace(prepare(body, EXAMPLE_CREDENTIALS), sent_body=changed), Practice(), channel=CHANNEL
    )
    if sent.status != 401:
        raise Wrong("The server didn't refuse it.", *outcome(sent))


change_one_byte.hint("Bytes have replace(), like text: b'cat'.replace(b'c', b'b') is b'bat'.")
change_one_byte.hint("Every one of these bodies names the channel order-41.")
change_one_byte.wrong(
    "These are the bytes that were signed, so the server accepts them. Change one of them.",
    lambda body: body,
)
change_one_byte.wrong(
    "A space at the end is enough to be refused, but it adds a byte. Replace one instead.",
    lambda body: body + b" ",
)
change_one_byte.wrong(
    "This is text (str), and a body is bytes. Leave out decode(), and write b'…'.",
    lambda body: body.decode().replace("41", "47"),
)
change_one_byte.why(
    "The request still carries the body hash of the old bytes, so the server notices at once."
)
change_one_byte.next("Change a byte that isn't part of the message, such as a quotation mark.")


def _statuses(chance: random.Random) -> Iterator[tuple[str]]:
    yield from ((each,) for each in chance.sample(["left the depot", "delivered", "at Zoë's"], 3))


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
    if not isinstance(body, bytes):
        kind = type(body).__name__
        raise Wrong(f"A body is bytes, and yours is {kind}.", Fact("Yours", shown(body)))
    sent = travel(prepare(body, EXAMPLE_CREDENTIALS), Practice(), channel=CHANNEL)
    if sent.status != 200:
        raise Wrong("The signature is right, and the server still refuses it.", *outcome(sent))
    if sent.arrived is None or not _reads(sent.arrived.data, status):
        raise Wrong("Accepted, but the page of order 41 can't read its status.", *outcome(sent))


update.broken(
    "The server refuses this one with 400. Its answer says what it expected: look at “data”.",
    _as_object,
)
update.hint("In the body that you sent above, what's different about the value of “data”?")
update.hint("data is text that holds JSON. json.dumps() turns a dict into such a text.")
update.wrong(
    "str() writes Python, with single quotes. The page reads JSON: use json.dumps().",
    lambda status: json.dumps(
        {"name": "status", "channel": "order-41", "data": str({"status": status})}
    ).encode(),
)
update.wrong(
    "The server takes it, but the data is bare text now. The page expects JSON with “status” in "
    "it.",
    lambda status: json.dumps({"name": "status", "channel": "order-41", "data": status}).encode(),
)
update.why(
    "The API wants data as a string, so JSON is encoded twice: once for the page, and once more as "
    "part of the body."
)
update.next("Count the quotes and backslashes: print(update(“left the depot”).decode()).")
