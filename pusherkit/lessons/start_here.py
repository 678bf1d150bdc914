"""Lesson 00, start here: one event on its way, from the message to a subscriber."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pusherkit.credentials import Credentials
from pusherkit.errors import APIError, InvalidEvent
from pusherkit.events import Event, event_body
from pusherkit.lessons._bench import (
    CHANNEL,
    Bench,
    Journey,
    outcome,
    prepare,
    signed_and_sent,
    travel,
)
from pusherkit.lessons._exercise import Exercise, Mistake
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    button,
    on_enter,
    row,
    text_field,
)
from pusherkit.lessons._practice import Practice, practice
from pusherkit.lessons._progress import ProgressView
from pusherkit.subscriber import Message

NOTEBOOK = "00-start-here"
EVENT = "message"
FIRST_MESSAGE = "hello"
TAMPERED_MESSAGE = "jello"  # one byte away


# --- a message on its way ---------------------------------------------------------------------


def sign_message(message: str, credentials: Credentials) -> Journey:
    """Sign an event that carries a message. Raises InvalidEvent where it is too long."""
    return prepare(event_body(Event.of(CHANNEL, EVENT, {"text": message})), credentials)


def _change_first_letter(journey: Journey) -> Journey:
    changed = journey.body.replace(FIRST_MESSAGE.encode(), TAMPERED_MESSAGE.encode())
    return replace(journey, sent_body=changed)


# --- the widgets ------------------------------------------------------------------------------


class Tamper(Interactive):
    """Change the body after it was signed, send it, and read the refusal."""

    title = "A body changed after signing"

    def __init__(self) -> None:
        self.journey = sign_message(FIRST_MESSAGE, practice().credentials)
        self.body = text_field("Body to send", self.journey.body.decode())
        self.body.observe(lambda _: self._change(), names="value")
        on_enter(self.body, self.send)
        self.button = button("Send", self.send, "Send these bytes under the old signature")
        offline = Practice()
        signed = sign_message(FIRST_MESSAGE, offline.credentials)
        twin = signed_and_sent(self.title, travel(_change_first_letter(signed), offline))
        controls = [row(self.body, self.button)]
        super().__init__(controls, lambda: signed_and_sent(self.title, self.journey), twin=twin)

    def _change(self) -> None:
        signed = sign_message(FIRST_MESSAGE, practice().credentials)
        self.journey = replace(signed, sent_body=self.body.value.encode())
        self.refresh()

    def send(self) -> None:
        """What the button and Enter do."""
        self.journey = travel(self.journey, practice())
        self.refresh()


def timeline() -> Bench:
    """The journey of one event, live: type a message, press Send or Enter."""
    return Bench(
        {"Message": text_field("Message", FIRST_MESSAGE)},
        lambda values, credentials: sign_message(values["Message"], credentials),
    )


def tamper() -> Tamper:
    """The same journey, with a body that changes after signing."""
    return Tamper()


def predict() -> Prediction:
    """What happens to a request whose body changes after signing?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        server = Practice()
        signed = sign_message(FIRST_MESSAGE, server.credentials)
        journey = travel(_change_first_letter(signed), server)
        answers = {200: "It arrives", 400: "The server answers 400", 401: "The server answers 401"}
        return answers[journey.status or 0], (outcome(journey)[0],)

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
    sent = "\n".join(note for _, note in done.log)  # sending nothing is a known mistake
    return "The server accepted it, but nobody in the lobby heard it.", (Fact("Sent", sent),)


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
        "def announce(client):\n"
        '    return client.trigger("lobby", "greeting", {"text": "good morning"})\n\n'
        "The channel says who hears it, the name says what happened, the data is yours.\n"
        "Now change the function so that two channels hear it, and check again:\n"
        "trigger takes a list of channels too."
    ),
)


def _tampered(answer: Any) -> Any:
    """Sign a body, let the learner's function change it, and send the result."""
    server = Practice()
    signed = sign_message("see you at noon", server.credentials)
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
        return f"Expected one changed byte, got {changed}.", (Fact("Sent", repr(sent)[:200]),)
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
