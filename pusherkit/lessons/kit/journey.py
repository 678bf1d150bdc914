"""One event on its way: a body, its six stages, the answer, and what arrived.

`prepare()` signs a body, `travel()` sends it to a practice server with a subscriber listening.
The rest shows a Journey: `drawing()` as one picture in which each value wears the colour of the
stage that made it (point at one and it lights up wherever it goes), `stage_facts()` in full,
`outcome()` and `verdict()` as what came of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx

from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.lessons.kit.classroom import Classroom
from pusherkit.lessons.kit.picture import STAGES, Picture, arrow, group, text, tile
from pusherkit.lessons.kit.practice import EXAMPLE_TIMESTAMP, Practice
from pusherkit.lessons.kit.view import Fact, Range, excerpt, first_difference, short, visible
from pusherkit.signing import Signature, sign
from pusherkit.subscriber import Message


@dataclass(frozen=True, slots=True)
class Journey:
    """One event, signed; and once it has been sent, what came of it."""

    body: bytes
    signature: Signature
    sent_body: bytes
    """What goes out under the signature: the body, unless somebody changes it."""
    status: int | None = None
    """The answer's HTTP status; None before anything was sent."""
    answer: dict[str, Any] | None = None
    arrived: Message | None = None
    problem: str = ""
    """Why there is no answer."""

    @property
    def path(self) -> str:
        return self.signature.canonical_string.split("\n")[1]


def prepare(
    body: bytes, credentials: Credentials, *, timestamp: int = EXAMPLE_TIMESTAMP
) -> Journey:
    """Sign a body for `POST /apps/{app_id}/events`."""
    path = f"/apps/{credentials.app_id}/events"
    signature = sign(credentials, "POST", path, body=body, timestamp=timestamp)
    return Journey(body, signature, sent_body=body)


def travel(journey: Journey, server: Practice, *, channel: str) -> Journey:
    """Send a journey's request to a practice server, with a subscriber listening on a channel."""
    try:
        with server.subscribe(channel) as subscriber:
            response = server.http.post(
                journey.path,
                params=journey.signature.query,
                content=journey.sent_body,
                headers={"Content-Type": "application/json"},
            )
            listens = response.status_code == 200 and _names(journey.sent_body, channel)
            arrived = subscriber.receive() if listens else None
    except (httpx.HTTPError, PusherError, OSError) as error:
        reason = str(error).rstrip(".")
        problem = f"{reason}. Restart the kernel, then run the cells again."
        return replace(journey, status=None, answer=None, arrived=None, problem=problem)
    return replace(
        journey, status=response.status_code, answer=response.json(), arrived=arrived, problem=""
    )


def to_the_wall(body: bytes, room: Classroom, now: float) -> Journey:
    """Sign a body with the learner's own credentials, and send it to the wall of their class."""
    journey = prepare(body, room.credentials, timestamp=int(now))
    try:
        response = room.http.post(
            journey.path,
            params=journey.signature.query,
            content=body,
            headers={"Content-Type": "application/json"},
            auth=httpx.Auth(),  # none: it's signed, and what is shown is what goes out
        )
        answer = response.json()
    except (httpx.HTTPError, OSError):
        return replace(journey, problem="The wall isn't answering. Try again in a while.")
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return replace(journey, problem="What answered isn't the wall. Tell your trainer.")
    return replace(journey, status=response.status_code, answer=answer)


def _names(body: bytes, channel: str) -> bool:
    """Whether an accepted body names a channel."""
    event = json.loads(body)
    return channel in [event.get("channel"), *(event.get("channels") or ())]


# --- what came of it ----------------------------------------------------------------------------


def verdict(journey: Journey) -> tuple[str, bool | None]:
    """The sentence that sums a journey up, and whether it is good news: a View's status, good."""
    if journey.problem:
        return journey.problem, False
    if journey.status is None:
        return "Signed and ready to go.", None
    if journey.arrived is not None:
        return f"Accepted ({journey.status}), and the event arrived.", True
    if journey.status == 200:
        return "Accepted (200), but nobody was listening on that channel.", True
    error = (journey.answer or {}).get("error", "")
    said = error.rstrip(".") if journey.status == 400 else error.partition(":")[0]
    return f"Refused: {journey.status} {said}. Nothing was delivered.", False


def outcome(journey: Journey) -> tuple[Fact, ...]:
    """The answer in full and what the subscriber got; then, for a refusal, its reasons."""
    if journey.status is None or journey.answer is None:
        return Fact("Answer", "not sent yet"), Fact("Subscriber got", "nothing yet")
    arrived = journey.arrived
    got = (
        "nothing" if arrived is None else f'"{arrived.event}" on {arrived.channel}: {arrived.data}'
    )
    if "error" not in journey.answer:
        answer = Fact("Answer", f"{journey.status} {json.dumps(journey.answer)}")
        return answer, excerpt(Fact("Subscriber got", got))
    answer, *rest = refusal(journey.status, journey.answer)
    return answer, Fact("Subscriber got", got), *rest


def refusal(status: int, answer: Mapping[str, Any]) -> tuple[Fact, ...]:
    """A refusal as the server explains it: its sentence, the rule that failed, and what to do."""
    facts = [Fact("Answer", f"{status} {answer['error']}")]
    failed = next((check for check in answer.get("checks", ()) if not check["passed"]), None)
    if failed:
        facts += [
            Fact("Rule", failed["rule"]),
            Fact("Expected", failed["expected"]),
            Fact("Received", failed["received"]),
        ]
    if "fix" in answer:
        facts.append(Fact("What to do", answer["fix"], kind="prose"))
    causes = [mistake for found in answer.get("diagnosis", ()) for mistake in found["mistakes"]]
    facts += [Fact("Cause", f"{each['why']} {each['fix']}", kind="prose") for each in causes]
    return tuple(facts)


# --- the six stages, in full --------------------------------------------------------------------

_WHY = {
    "Body": "The exact bytes to send.",
    "Digest": "Their MD5: the body hash.",
    "Parameters": "The app key, the time, the version and the body hash, sorted by name.",
    "Canonical string": "Method, path and parameters on three lines. This text is signed.",
    "Sign": "HMAC-SHA256 of that text, keyed by the secret, which is never sent.",
    "Send": "The request as it goes out. The signature travels in the URL.",
}


def stage_facts(journey: Journey, before: Journey | None = None) -> tuple[Fact, ...]:
    """The six stages of a journey; what differs from the journey `before` is marked."""
    old_values = _values(before or journey)
    return tuple(
        excerpt(Fact(f"{number} {stage}", value, _WHY[stage], changes(old, value)))
        for number, (stage, value, old) in enumerate(
            zip(STAGES, _values(journey), old_values, strict=True), start=1
        )
    )


def _values(journey: Journey) -> tuple[str, ...]:
    """The six stages as text, in their order."""
    signature = journey.signature
    return (
        journey.body.decode(errors="replace"),
        f"body_md5 = {signature.body_md5 or '(none: the body is empty)'}",
        "\n".join(f"{key} = {value}" for key, value in signature.params),
        signature.canonical_string,
        f"auth_signature = {signature.hexdigest}",
        f"POST {journey.path}?{urlencode(signature.query)}\nContent-Type: application/json\n\n"
        + journey.sent_body.decode(errors="replace"),
    )


def changes(old: str, new: str) -> tuple[Range, ...]:
    """The ranges of `new` that differ from `old`: values as a whole, prose between its ends.

    A value that is not what it was changed as a whole, so it is marked as a whole, even where a
    digit is the same by chance.
    """
    if old == new:
        return ()
    old_parts, new_parts = _parts(old), _parts(new)
    if len(old_parts) != len(new_parts):
        return (_between(old, new, 0),)
    ranges, at = [], 0
    for before, now in zip(old_parts, new_parts, strict=True):
        if before != now:
            is_hash = re.fullmatch(r"[0-9a-f]{32,64}", now)
            ranges.append((at, at + len(now)) if is_hash else _between(before, now, at))
        at += len(now)
    return tuple(ranges)


def _parts(value: str) -> list[str]:
    return re.findall(r"[&=\n? ]|[^&=\n? ]+", value)


def _between(old: str, new: str, at: int) -> Range:
    """The range of `new` between what it shares with `old` at its beginning and its end."""
    start = first_difference(old, new) or 0
    end = first_difference(old[start:][::-1], new[start:][::-1]) or 0
    return at + start, at + max(start, len(new) - end)


# --- the six stages, drawn ----------------------------------------------------------------------

LETTER = 7.85  # px: a character of the chips' font, widest of the usual ones
CHIP, GAP, ROW = 24, 6, 30  # px: a chip's height, the room beside it, and a line of chips

Chip = tuple[str, str, int]  # what is written, what it is linked to, and the stage of its colour


def drawing(journey: Journey) -> Picture:
    """The six stages under each other; values that are the same thing share colour and link."""
    signature = journey.signature
    same = journey.body == journey.sent_body
    desc = (
        f"Six stages. The body of {len(journey.body)} bytes becomes the hash "
        f"{short(signature.body_md5 or '')}; with the app key and the time it becomes the "
        f"canonical string; its signature {short(signature.hexdigest)} travels in the URL, above "
        + ("the same body." if same else "another body than the one that was signed.")
    )
    title = "One event, six stages"
    wide, tall = _drawn(journey, 800, 150, 79)
    narrow, taller = _drawn(journey, 350, 0, 41)
    return Picture.both(title, desc, (800, tall, wide), (350, taller, narrow))


def _drawn(journey: Journey, width: int, indent: int, letters: int) -> tuple[str, int]:
    shapes: list[str] = []
    y = 4
    for number, (stage, chips) in enumerate(
        zip(STAGES, _chips(journey, letters), strict=True), start=1
    ):
        label = text(4, y + 16, f"{number} {stage}", f"t{number}")
        top = y if indent else y + 24
        drawn, below = _flow(chips, indent + 4, top, width - 4)
        if number < 6:
            shapes.append(arrow(14, y + 24 if indent else below + 3, 14, below + 13))
        shapes += [label, drawn]
        y = below + 16
    return "".join(shapes), y - 12


def _chips(journey: Journey, letters: int) -> Iterable[list[Chip]]:
    signature = journey.signature
    links = {"auth_key": "key", "auth_timestamp": "time", "body_md5": "hash"}
    params = [
        (f"{name}={short(value)}", links.get(name, name), 2 if name == "body_md5" else 3)
        for name, value in signature.params
    ]
    signed = (f"auth_signature={short(signature.hexdigest)}", "signature", 5)
    path = (journey.path, "path", 4)
    same = journey.body == journey.sent_body
    yield [(_cut(journey.body, letters), "body", 1)]
    yield [(f"MD5 → {short(signature.body_md5 or 'none')}", "hash", 2)]
    yield params
    yield [("POST ⏎", "method", 4), (f"{journey.path} ⏎", "path", 4), *params]
    yield [
        ("HMAC-SHA256 with the secret", "secret", 5),
        (f"→ {short(signature.hexdigest)}", "signature", 5),
    ]
    body = (_cut(journey.sent_body, letters), "body" if same else "another", 1 if same else 6)
    yield [("POST", "method", 4), path, *params, signed, body]


def _flow(chips: Iterable[Chip], left: int, y: int, right: int) -> tuple[str, int]:
    """Chips side by side, in as many lines as they need; and where the last line ends."""
    shapes, x = [], float(left)
    for words, link, stage in chips:
        width = len(words) * LETTER + 14
        if x > left and x + width > right:
            x, y = float(left), y + ROW
        shapes.append(
            group(
                tile(x, y, width, CHIP, words, f"s{stage}", pad=7, rx=5),
                data_link=link,
                tabindex=0,
                role="img",
                aria_label=f"{words} ({STAGES[stage - 1]})",
            )
        )
        x += width + GAP
    return "".join(shapes), y + CHIP


def _cut(body: bytes, letters: int) -> str:
    """A body for one chip. What is too long is left out near the front, where the names are."""
    words = visible(body.decode(errors="replace")) or "(empty)"
    head = letters // 4
    return words if len(words) <= letters else f"{words[:head]}…{words[head + 1 - letters :]}"


__all__ = [
    "Journey",
    "changes",
    "drawing",
    "outcome",
    "prepare",
    "refusal",
    "stage_facts",
    "to_the_wall",
    "travel",
    "verdict",
]
