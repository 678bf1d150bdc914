"""The signing bench: one event on its way, all six stages beside each other.

A Journey is one signed request, and what came of it. Bench shows it: change an input, and what
changed is marked in every later stage; step through the stages; send; take it along as curl.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx
import ipywidgets

from pusherkit.credentials import Credentials
from pusherkit.errors import PusherError
from pusherkit.lessons._interactive import (
    STAGES,
    Fact,
    Interactive,
    Range,
    View,
    button,
    first_difference,
    mark_at,
    name_byte,
    on_enter,
    row,
)
from pusherkit.lessons._practice import EXAMPLE_TIMESTAMP, Practice, practice
from pusherkit.signing import Request, Signature, sign
from pusherkit.snippets import curl
from pusherkit.subscriber import Message

CHANNEL = "chat"  # where the benches' subscriber listens
SHOWN_CHARACTERS = 1_500  # of one stage; a body of 100 KB would make every key press slow
BEFORE_A_MARK = 300  # characters shown before a change, where not all are shown


# --- the journey of one event -----------------------------------------------------------------


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


def prepare(
    body: bytes, credentials: Credentials, *, timestamp: int = EXAMPLE_TIMESTAMP
) -> Journey:
    """Sign a body for `POST /apps/{app_id}/events`."""
    path = f"/apps/{credentials.app_id}/events"
    signature = sign(credentials, "POST", path, body=body, timestamp=timestamp)
    return Journey(body, signature, sent_body=body)


def travel(journey: Journey, server: Practice) -> Journey:
    """Send a journey's request to a practice server, with a subscriber listening."""
    try:
        with server.subscribe(CHANNEL) as subscriber:
            response = server.client.http.request(
                "POST",
                _path(journey),
                params=journey.signature.query,
                content=journey.sent_body,
                headers={"Content-Type": "application/json"},
                auth=None,  # it is signed already; nothing may sign it again
            )
            listens = response.status_code == 200 and _names(journey.sent_body, CHANNEL)
            arrived = subscriber.receive() if listens else None
    except (httpx.HTTPError, PusherError, OSError) as error:
        problem = f"{error} Restart the kernel, then run the cells again."
        return replace(journey, status=None, answer=None, arrived=None, problem=problem)
    return replace(
        journey, status=response.status_code, answer=response.json(), arrived=arrived, problem=""
    )


def _path(journey: Journey) -> str:
    return journey.signature.canonical_string.split("\n")[1]


def _names(body: bytes, channel: str) -> bool:
    """Whether an accepted body names a channel."""
    event = json.loads(body)
    return channel in [event.get("channel"), *(event.get("channels") or ())]


# --- how it looks -----------------------------------------------------------------------------

_WHY = {
    "Body": "The exact bytes to send. data is a string that holds JSON.",
    "Digest": "The MD5 of these bytes. If one byte changes, the digest changes.",
    "Parameters": "Who signs, when, and the digest; sorted by name.",
    "Canonical string": "Method, path and parameters on three lines. This text is signed.",
    "Sign": "HMAC-SHA256 of that text, keyed by the secret. The secret itself is never sent.",
    "Send": "The request as it goes out. The signature travels in the URL.",
}
_NOTHING_YET = "(nothing yet)"
_NOTHING = "(nothing)"


def _values(journey: Journey) -> tuple[str, ...]:
    """The six stages as text, in their order."""
    signature = journey.signature
    return (
        journey.body.decode(errors="replace"),
        f"body_md5 = {signature.body_md5 or '(none: the body is empty)'}",
        "\n".join(f"{key} = {value}" for key, value in signature.params),
        signature.canonical_string,
        f"auth_signature = {signature.hexdigest}",
        f"POST {_path(journey)}?{urlencode(signature.query)}\nContent-Type: application/json\n\n"
        + journey.sent_body.decode(errors="replace"),
    )


def stages(journey: Journey, before: Journey | None = None) -> tuple[Fact, ...]:
    """The six stages of a journey; what differs from the journey `before` is marked and told."""
    values = _values(journey)
    old_values = values if before is None else _values(before)
    facts = []
    for number, (stage, value, old) in enumerate(
        zip(STAGES, values, old_values, strict=True), start=1
    ):
        marks = changes(old, value)
        why = f"{_told(marks)}{_WHY[stage]}"
        facts.append(_excerpt(Fact(f"{number} {stage}", value, why, marks)))
    return tuple(facts)


def changes(old: str, new: str) -> tuple[Range, ...]:
    """The ranges of `new` that differ from `old`: parameter by parameter, line by line."""
    if old == new:
        return ()
    old_parts, new_parts = _parts(old), _parts(new)
    if len(old_parts) != len(new_parts):
        return (_changed(old, new),)
    ranges, at = [], 0
    for before, now in zip(old_parts, new_parts, strict=True):
        if before != now:
            start, end = _changed(before, now)
            ranges.append((at + start, at + end))
        at += len(now)
    return tuple(ranges)


def _parts(text: str) -> list[str]:
    return re.findall(r"[^&\n]*[&\n]?", text)


def _changed(old: str, new: str) -> Range:
    """The range of `new` between what it shares with `old` at the start and at the end."""
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    return start, len(new) - end


def _shared(old: str, new: str) -> int:
    """How many characters both begin with, found by halving: a body can be 100 KB long."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old.startswith(new[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def _told(marks: tuple[Range, ...]) -> str:
    """What the marks show, in words."""
    if not marks:
        return ""
    said = [
        f"shorter after character {start:,}"
        if start == end
        else f"character {end:,}"
        if end - start == 1
        else f"characters {start + 1:,} to {end:,}"
        for start, end in marks
    ]
    return f"Changed: {'; '.join(said)}. "


def _excerpt(fact: Fact) -> Fact:
    """A long value cut to the part around its first mark; the rest is counted."""
    length = len(fact.value)
    if length <= SHOWN_CHARACTERS:
        return fact
    first = max(0, fact.marks[0][0] - BEFORE_A_MARK) if fact.marks else 0
    last = min(length, first + SHOWN_CHARACTERS)
    return Fact(
        fact.name,
        fact.value[first:last],
        f"{fact.why} Shown: characters {first + 1:,} to {last:,} of {length:,}.".strip(),
        tuple((start - first, min(end, last) - first) for start, end in fact.marks if start < last),
    )


def outcome(journey: Journey) -> tuple[Fact, ...]:
    """The answer, and what the subscriber got."""
    answer: tuple[Fact, ...]
    if journey.status is None or journey.answer is None:
        answer = (Fact("Answer", journey.problem or _NOTHING_YET),)
    elif "error" in journey.answer:
        answer = refusal(journey.status, journey.answer)
    else:
        answer = (Fact("Answer", f"{journey.status} {json.dumps(journey.answer)}"),)
    if journey.arrived is not None:
        arrived = journey.arrived
        shown = f'event "{arrived.event}" on channel "{arrived.channel}"\n{arrived.data}'
        return (*answer, _excerpt(Fact("At the subscriber", shown)))
    nothing = _NOTHING_YET if journey.status is None else _NOTHING
    return (*answer, Fact("At the subscriber", nothing))


def refusal(status: int, answer: Mapping[str, Any]) -> tuple[Fact, ...]:
    """A refusal as the server explains it: its sentence, and the first rule that failed."""
    facts = [Fact("Answer", f"{status} {answer['error']}")]
    failed = next((check for check in answer.get("checks", ()) if not check["passed"]), None)
    if failed:
        facts += [
            Fact("Rule", failed["rule"]),
            Fact("Expected", failed["expected"]),
            Fact("Received", failed["received"]),
        ]
    if "fix" in answer:
        facts.append(Fact("Fix", answer["fix"]))
    causes = [mistake for found in answer.get("diagnosis", ()) for mistake in found["mistakes"]]
    if causes:
        facts.append(
            Fact("Cause, proven", "\n".join(f"{each['why']} {each['fix']}" for each in causes))
        )
    return tuple(facts)


def status(journey: Journey) -> tuple[str, bool | None]:
    """The sentence that sums a journey up, and whether it is good news."""
    if journey.problem:
        return "Not sent. The reason stands beside Answer.", False
    if journey.status is None:
        return "Signed and ready. Press Send, or Enter in a field.", None
    if journey.arrived:
        return "Accepted, and the event arrived.", True
    if journey.status == 200:
        return f"Accepted, but nobody on the channel {CHANNEL} was meant.", True
    return "Refused, and nothing was delivered.", False


def signed_and_sent(title: str, journey: Journey) -> View:
    """The body that was signed beside the one that is sent, and what the server says to it."""
    signed, sent = journey.body, journey.sent_body
    at = first_difference(signed, sent)
    facts = (
        Fact(
            "Body, signed",
            signed.decode(errors="replace"),
            "The digest and the signature belong to it.",
            mark_at(signed, at),
        ),
        Fact("Body, sent", sent.decode(errors="replace"), marks=mark_at(sent, at)),
        Fact(
            "First difference",
            "none: the bytes are the same"
            if at is None
            else f"byte {at}: signed {name_byte(signed, at)}, sent {name_byte(sent, at)}",
        ),
        Fact("body_md5, signed", journey.signature.body_md5 or ""),
        *outcome(journey),
    )
    return View(title, facts, *status(journey))


# --- the bench --------------------------------------------------------------------------------


class Bench(Interactive):
    """Fields above six stages, with buttons to send, to step, and to show the request as curl.

    `fields` are text controls by label; `sign_values` makes a Journey of their values, or raises
    ValueError with a sentence. What the fields hold at first is what later changes are compared
    with, and what the twin shows as sent.
    """

    title = "One event, six stages"

    def __init__(
        self,
        fields: Mapping[str, ipywidgets.Text | ipywidgets.Textarea],
        sign_values: Callable[[dict[str, str], Credentials], Journey],
    ) -> None:
        self.fields = fields
        self._sign_values = sign_values
        self.step = len(STAGES)
        self.journey = self.first = self._prepare(practice().credentials)
        for field in fields.values():
            field.observe(lambda _: self.sign(), names="value")
            if isinstance(field, ipywidgets.Text):
                on_enter(field, self.send)
        self.button = button("Send", self.send, "Send the signed request to the practice server")
        self.back = button("◀ Back", lambda: self.go(-1), "Hide the last stage that is shown")
        self.forward = button("Next ▶", lambda: self.go(+1), "Show the next stage")
        self.as_curl = ipywidgets.Checkbox(
            value=False, description="Show as curl", indent=False, layout={"width": "max-content"}
        )
        self.curl = ipywidgets.Textarea(
            description="curl",
            rows=4,
            style={"description_width": "7rem"},
            layout=ipywidgets.Layout(width="auto", max_width="66rem", display="none"),
        )
        self.as_curl.observe(lambda _: self.refresh(), names="value")
        buttons = row(self.button, self.back, self.forward, self.as_curl)
        offline = Practice()
        sent = travel(self._prepare(offline.credentials), offline)
        twin = self.view(sent, sent, len(STAGES))
        controls = [*fields.values(), buttons, self.curl]
        super().__init__(controls, self._current, twin=twin)

    @classmethod
    def view(cls, journey: Journey, first: Journey, step: int) -> View:
        """The first `step` stages of a journey; with the last, the answer and the arrival."""
        facts = stages(journey, first)[:step]
        if step == len(STAGES):
            return View(cls.title, facts + outcome(journey), *status(journey))
        return View(cls.title, facts, f"Stage {step} of {len(STAGES)}: {STAGES[step - 1]}.")

    def _current(self) -> View:
        return self.view(self.journey, self.first, self.step)

    def _prepare(self, credentials: Credentials) -> Journey:
        values = {label: field.value for label, field in self.fields.items()}
        return self._sign_values(values, credentials)

    def sign(self) -> None:
        """Sign anew what the fields hold now. Nothing is sent."""
        try:
            self.journey = self._prepare(practice().credentials)
        except ValueError as error:
            self.journey = replace(self.journey, status=None, arrived=None, problem=str(error))
        self.refresh()

    def send(self) -> None:
        """What the button and Enter do: show every stage, send, and show what comes of it."""
        self.step = len(STAGES)
        if self.journey.problem:
            self.sign()  # what was in the way may be gone
        if not self.journey.problem:
            self.journey = travel(self.journey, practice())
        self.refresh()

    def go(self, by: int) -> None:
        """Show one stage more, or one less."""
        self.step = min(len(STAGES), max(1, self.step + by))
        self.refresh()

    def refresh(self) -> None:
        self.curl.layout.display = "flex" if self.as_curl.value else "none"
        self.curl.value = self._as_curl() if self.as_curl.value else ""
        super().refresh()

    def _as_curl(self) -> str:
        signed, body = self.journey.signature.query, self.journey.sent_body
        request = Request("POST", _path(self.journey), signed, body)
        try:
            return curl(practice().credentials.base_url, request)
        except ValueError as error:
            return str(error)
