"""Lesson 00, start here: one event on its way, from the message to a subscriber."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx

from pusherkit.errors import APIError, InvalidEvent, PusherError
from pusherkit.events import Event, event_body
from pusherkit.lessons._exercise import Exercise, Mistake
from pusherkit.lessons._interactive import (
    STAGES,
    Fact,
    Interactive,
    Prediction,
    View,
    button,
    first_difference,
    mark_at,
    name_byte,
    on_enter,
    row,
    text_field,
)
from pusherkit.lessons._practice import EXAMPLE_TIMESTAMP, Practice, practice
from pusherkit.lessons._progress import ProgressView
from pusherkit.signing import Signature, sign
from pusherkit.subscriber import Message

NOTEBOOK = "00-start-here"
CHANNEL = "chat"
EVENT = "message"
FIRST_MESSAGE = "hello"
TAMPERED_MESSAGE = "jello"  # one byte away


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


def prepare(message: str, server: Practice) -> Journey:
    """Sign an event that carries a message. Raises InvalidEvent where it is too long."""
    credentials = server.credentials
    body = event_body(Event.of(CHANNEL, EVENT, {"text": message}))
    path = f"/apps/{credentials.app_id}/events"
    signature = sign(credentials, "POST", path, body=body, timestamp=EXAMPLE_TIMESTAMP)
    return Journey(body, signature, sent_body=body)


def travel(journey: Journey, server: Practice) -> Journey:
    """Send a journey's request to a practice server, with a subscriber listening."""
    path = f"/apps/{server.credentials.app_id}/events"
    try:
        with server.subscribe(CHANNEL) as subscriber:
            response = server.client.http.request(
                "POST",
                path,
                params=journey.signature.query,
                content=journey.sent_body,
                headers={"Content-Type": "application/json"},
                auth=None,  # it is signed already; nothing may sign it again
            )
            arrived = subscriber.receive() if response.status_code == 200 else None
    except (httpx.HTTPError, PusherError, OSError) as error:
        problem = f"{error} Restart the kernel, then run the cells again."
        return replace(journey, status=None, answer=None, arrived=None, problem=problem)
    return replace(
        journey,
        status=response.status_code,
        answer=response.json(),
        arrived=arrived,
        problem="",
    )


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


def _stages(journey: Journey) -> tuple[Fact, ...]:
    signature = journey.signature
    path = signature.canonical_string.split("\n")[1]
    values = (
        journey.body.decode(),
        f"body_md5 = {signature.body_md5}",
        "\n".join(f"{key} = {value}" for key, value in signature.params),
        signature.canonical_string,
        f"auth_signature = {signature.hexdigest}",
        f"POST {path}?{urlencode(signature.query)}\nContent-Type: application/json\n\n"
        + journey.sent_body.decode(errors="replace"),
    )
    return tuple(
        Fact(f"{number} {stage}", value, _WHY[stage])
        for number, (stage, value) in enumerate(zip(STAGES, values, strict=True), start=1)
    )


def _outcome(journey: Journey) -> tuple[Fact, ...]:
    """The answer, and what the subscriber got."""
    answer: tuple[Fact, ...]
    if journey.status is None or journey.answer is None:
        answer = (Fact("Answer", journey.problem or _NOTHING_YET),)
    elif "error" in journey.answer:
        answer = _refusal(journey.status, journey.answer)
    else:
        answer = (Fact("Answer", f"{journey.status} {json.dumps(journey.answer)}"),)
    arrived = journey.arrived
    subscriber = (
        f'event "{arrived.event}" on channel "{arrived.channel}"\n{arrived.data}'
        if arrived
        else _NOTHING_YET
        if journey.status is None
        else _NOTHING
    )
    return (*answer, Fact("At the subscriber", subscriber))


def _refusal(status: int, answer: dict[str, Any]) -> tuple[Fact, ...]:
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
    return tuple(facts)


def _status(journey: Journey) -> tuple[str, bool | None]:
    if journey.problem:
        return "Not sent. The reason stands beside Answer.", False
    if journey.status is None:
        return "Signed and ready. Press Send, or Enter in the field.", None
    if journey.arrived:
        return "Accepted, and the event arrived.", True
    return "Refused, and nothing was delivered.", False


def _journey_view(journey: Journey) -> View:
    status, good = _status(journey)
    return View("One event, six stages", _stages(journey) + _outcome(journey), status, good)


def _tampered_view(journey: Journey) -> View:
    signed, sent = journey.body, journey.sent_body
    at = first_difference(signed, sent)
    facts = (
        Fact(
            "Body, signed",
            signed.decode(),
            "The digest and the signature belong to it.",
            mark_at(signed, at),
        ),
        Fact("Body, sent", sent.decode(errors="replace"), mark=mark_at(sent, at)),
        Fact(
            "First difference",
            "none: the bytes are the same"
            if at is None
            else f"byte {at}: signed {name_byte(signed, at)}, sent {name_byte(sent, at)}",
        ),
        Fact("body_md5, signed", journey.signature.body_md5 or ""),
        *_outcome(journey),
    )
    status, good = _status(journey)
    return View("A body changed after signing", facts, status, good)


# --- the widgets ------------------------------------------------------------------------------


class Timeline(Interactive):
    """Type a message, press Send or Enter: six stages, the answer, the event arriving."""

    def __init__(self) -> None:
        self.journey = prepare(FIRST_MESSAGE, practice())
        self.message = text_field("Message", FIRST_MESSAGE)
        self.message.observe(lambda _: self._sign(), names="value")
        on_enter(self.message, self.send)
        self.button = button("Send", self.send, "Send the signed request to the practice server")
        offline = Practice()
        twin = _journey_view(travel(prepare(FIRST_MESSAGE, offline), offline))
        controls = [row(self.message, self.button)]
        super().__init__(controls, lambda: _journey_view(self.journey), twin=twin)

    def _sign(self) -> None:
        try:
            self.journey = prepare(self.message.value, practice())
        except InvalidEvent as error:
            self.journey = replace(self.journey, status=None, arrived=None, problem=str(error))
        self.refresh()

    def send(self) -> None:
        """What the button and Enter do."""
        if not self.journey.problem:
            self.journey = travel(self.journey, practice())
        self.refresh()


class Tamper(Interactive):
    """Change the body after it was signed, send it, and read the refusal."""

    def __init__(self) -> None:
        self.journey = prepare(FIRST_MESSAGE, practice())
        self.body = text_field("Body to send", self.journey.body.decode())
        self.body.observe(lambda _: self._change(), names="value")
        on_enter(self.body, self.send)
        self.button = button("Send", self.send, "Send these bytes under the old signature")
        offline = Practice()
        signed = prepare(FIRST_MESSAGE, offline)
        sent = signed.body.replace(FIRST_MESSAGE.encode(), TAMPERED_MESSAGE.encode())
        twin = _tampered_view(travel(replace(signed, sent_body=sent), offline))
        controls = [row(self.body, self.button)]
        super().__init__(controls, lambda: _tampered_view(self.journey), twin=twin)

    def _change(self) -> None:
        self.journey = replace(
            prepare(FIRST_MESSAGE, practice()), sent_body=self.body.value.encode()
        )
        self.refresh()

    def send(self) -> None:
        """What the button and Enter do."""
        self.journey = travel(self.journey, practice())
        self.refresh()


def timeline() -> Timeline:
    """The journey of one event, live."""
    return Timeline()


def tamper() -> Tamper:
    """The same journey, with a body that changes after signing."""
    return Tamper()


def predict() -> Prediction:
    """What happens to a request whose body changes after signing?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        server = Practice()
        signed = prepare(FIRST_MESSAGE, server)
        sent = signed.body.replace(FIRST_MESSAGE.encode(), TAMPERED_MESSAGE.encode())
        journey = travel(replace(signed, sent_body=sent), server)
        answers = {200: "It arrives", 400: "The server answers 400", 401: "The server answers 401"}
        return answers[journey.status or 0], (_outcome(journey)[0],)

    return Prediction(
        "Predict: one letter of the message changes after signing. What does the server do?",
        {
            "It arrives": "The signature does not cover the body itself, but it covers its digest.",
            "The server answers 400": "400 is for content that breaks a rule. "
            "This content is fine; it is not what was signed.",
            "The server answers 401": "401 says: I cannot trust this request.",
        },
        run,
        "The server hashes the bytes that arrive. Their MD5 is not the body_md5 that was signed.",
    )


# --- the exercises ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Delivery:
    """What a learner's function caused on a fresh practice server."""

    lobby: tuple[Message, ...]
    log: tuple[tuple[int, str], ...]
    refusal: str


def _deliver(answer: Any) -> Any:
    """Call a learner's function with a client, while somebody listens in the lobby."""
    server = Practice()
    heard: list[Message] = []
    refusal = ""
    with server.subscribe("lobby", on_message=heard.append):
        try:
            if answer(server.client) is ...:
                return ...
        except (InvalidEvent, APIError) as error:
            refusal = str(error)
    log = tuple((entry.reply.status, entry.reply.note) for entry in server.sandbox.log)
    return _Delivery(tuple(heard), log, refusal)


def _judge_delivery(done: _Delivery) -> tuple[str, tuple[Fact, ...]] | None:
    if done.refusal:
        return "The event was refused. Read the reason.", (Fact("Reason", done.refusal),)
    if any(message.event == "greeting" for message in done.lobby):
        return None
    if done.lobby:
        named = ", ".join(message.event for message in done.lobby)
        return "An event arrived in the lobby, under another name.", (Fact("Name", named),)
    if done.log:
        sent = "\n".join(note for _, note in done.log)
        return "The server accepted it, but nobody in the lobby heard it.", (Fact("Sent", sent),)
    return "Nothing was sent. Does your function call client.trigger(…)?", ()


deliver = Exercise(
    name="start_here.deliver",
    task='An event named "greeting" arrives on the channel "lobby".',
    perform=_deliver,
    judge=_judge_delivery,
    right=lambda client: client.trigger("lobby", "greeting", {"text": "good morning"}),
    mistakes=(
        Mistake(
            lambda client: client.trigger("greeting", "lobby", {"text": "good morning"}),
            "Channel and name are swapped. The channel comes first: who should hear it. "
            "Then the name: what happened.",
        ),
        Mistake(
            lambda client: None,
            "Nothing was sent. Call client.trigger(…) inside your function.",
        ),
    ),
    hints=(
        "client.trigger takes the channel, the event's name and the data, in this order.",
        'The widget above sends trigger("chat", "message", {"text": "hello"}). '
        "Change the channel and the name.",
    ),
    solution=(
        "def announce(client: Client):\n"
        '    return client.trigger("lobby", "greeting", {"text": "good morning"})\n\n'
        "The channel says who hears it, the name says what happened, the data is yours.\n"
        "Now change the function so that two channels hear it, and check again:\n"
        "trigger takes a list of channels too."
    ),
)


def _tampered(answer: Any) -> Any:
    """Sign a body, let the learner's function change it, and send the result."""
    server = Practice()
    signed = prepare("see you at noon", server)
    changed = answer(signed.body)
    if changed is ... or not isinstance(changed, bytes):
        return changed
    return travel(replace(signed, sent_body=changed), server)


def _judge_tampered(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, Journey):
        return (
            f"Expected bytes, got {type(done).__name__}. Return the changed body.",
            (Fact("Yours", repr(done)[:200]),),
        )
    signed, sent = done.body, done.sent_body
    if len(sent) != len(signed):
        return (
            "This is refused as well, but the length changed. Replace one byte, add none.",
            (Fact("Signed", f"{len(signed)} bytes"), Fact("Sent", f"{len(sent)} bytes")),
        )
    changed = sum(a != b for a, b in zip(signed, sent, strict=True))
    if changed != 1:
        return f"Expected one changed byte, got {changed}.", (Fact("Sent", sent.decode()),)
    return None


one_byte = Exercise(
    name="start_here.one_byte",
    task="One byte changed after signing, and the server refuses the request with 401.",
    perform=_tampered,
    judge=_judge_tampered,
    right=lambda body: body.replace(b"noon", b"moon"),
    mistakes=(
        Mistake(
            lambda body: body,
            "The bytes are the same, so the request was accepted. Change one of them.",
        ),
        Mistake(
            lambda body: body + b" ",
            "A space at the end is enough to be refused, but it adds a byte. Replace one instead.",
        ),
        Mistake(
            lambda body: body.decode().replace("noon", "moon"),
            "This is text (str). A body is bytes: leave out decode(), and write b'…'.",
        ),
    ),
    hints=(
        'The message in this body is "see you at noon". Bytes have a method replace().',
        'body.replace(b"hello", b"jello") changes one byte of another body. Find a word in '
        "this one.",
    ),
    solution=(
        "def change_one_byte(body: bytes) -> bytes:\n"
        '    return body.replace(b"noon", b"moon")\n\n'
        "The request still carries the digest of the old bytes, so the server can tell.\n"
        "Now change a byte that is not part of the message, such as a quote, and check again."
    ),
)


def progress() -> ProgressView:
    """What is passed in every lesson."""
    return ProgressView()
