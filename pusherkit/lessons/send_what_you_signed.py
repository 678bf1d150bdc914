"""Lesson 05, send what you signed: the bytes on the wire are the bytes in the digest."""

from __future__ import annotations

import functools
import json
import random
import re
import shlex
import sys
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx
import ipywidgets

from pusherkit.credentials import Credentials
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
    STAGES,
    Fact,
    Interactive,
    Prediction,
    View,
    button,
    row,
    text_field,
)
from pusherkit.lessons._practice import (
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Practice,
    practice,
    stopped_clock,
)
from pusherkit.lessons._progress import ProgressView
from pusherkit.sandbox import Sandbox, SandboxServer, SandboxTransport
from pusherkit.signing import Request, Signature, canonical_string, hmac_sha256, sign
from pusherkit.snippets import bash, curl, node, php, python
from pusherkit.subscriber import Message, Subscriber

NOTEBOOK = "05-send-what-you-signed"
PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/events"
EVENT = {"name": "message", "channel": CHANNEL, "data": '{"text":"hello"}'}


# --- recall and prediction --------------------------------------------------------------------


def recall_key() -> Prediction:
    """From lesson 04: which of the two is the key of the HMAC."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        signature = sign(EXAMPLE_CREDENTIALS, "POST", PATH, timestamp=EXAMPLE_TIMESTAMP)
        text, secret = signature.canonical_string, EXAMPLE_CREDENTIALS.secret
        digests = {
            "The secret": hmac_sha256(secret, text),
            "The canonical string": hmac_sha256(text, secret),
        }
        (right,) = [key for key, digest in digests.items() if digest == signature.hexdigest]
        return right, tuple(Fact(f"{key} as key", digest) for key, digest in digests.items())

    return Prediction(
        "Recall: an HMAC has a key and a message. Which one is the key?",
        {
            "The secret": "Only the two sides know it.",
            "The canonical string": "Anybody can write it down, as every part of it is sent.",
        },
        run,
        "A key is what only the two sides have. Swap key and message, and the digest is another.",
    )


def recall_encoding() -> Prediction:
    """From lesson 02: what happens to a comma in a parameter's value before it is signed."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        text = canonical_string("GET", "/apps/3/channels", {"info": "user_count,cache"})
        return text.split("info=")[1], (Fact("Canonical string", text),)

    return Prediction(
        'Recall: the parameter info has the value "user_count,cache". How is it signed?',
        {
            "user_count,cache": "As it is.",
            "user_count%2Ccache": "This is how it stands in the URL. It is signed before that.",
            "cache,user_count": "Parameters are sorted by key. What is inside a value stays.",
        },
        run,
        "The URL is encoded for its journey, and decoded on arrival. Both sides sign the value "
        "itself.",
    )


def predict() -> Prediction:
    """Does json= send the bytes that were hashed?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        server = Practice()
        journey = travel(_sent_as(_JSON_AGAIN, _signed(server.credentials)), server)
        return f"{journey.status}", (
            Fact("Hashed", journey.body.decode()),
            Fact("Sent", journey.sent_body.decode()),
            outcome(journey)[0],
        )

    return Prediction(
        "Predict: body_md5 is of json.dumps(event). The request is sent with "
        "http.post(…, json=event). What does the server answer?",
        {
            "200": "Both serialise the same event, but not to the same bytes.",
            "400": "The JSON is fine. It is not the JSON that was hashed.",
            "401": "Two serialisers, two texts.",
        },
        run,
        "json.dumps puts a space behind each comma and colon; httpx does not. What you hash and "
        "what the client sends are then two different bodies.",
    )


# --- the bench --------------------------------------------------------------------------------


def _sign_fields(values: dict[str, str], credentials: Credentials) -> Journey:
    """Sign what the bench's fields hold. Raises ValueError where a field cannot be right."""
    timestamp = values["auth_timestamp"].strip()
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise ValueError(f"auth_timestamp: expected whole Unix seconds, got {timestamp!r}.")
    changed = replace(credentials, key=values["Key"], secret=values["Secret"])
    return prepare(values["Body"].encode(), changed, timestamp=int(timestamp))


_BODY = json.dumps(EVENT, separators=(",", ":"))


def _body_field() -> ipywidgets.Textarea:
    return ipywidgets.Textarea(
        value=_BODY,
        description="Body",
        rows=2,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="auto", max_width="66rem"),
    )


def bench() -> Bench:
    """Every input of a signature, and every stage that follows from it."""
    return Bench(
        {
            "Body": _body_field(),
            "Key": text_field("Key", EXAMPLE_CREDENTIALS.key),
            "Secret": text_field("Secret", EXAMPLE_CREDENTIALS.secret),
            "auth_timestamp": text_field("auth_timestamp", str(EXAMPLE_TIMESTAMP)),
        },
        _sign_fields,
    )


# --- the same request in four languages -------------------------------------------------------

# Each language: the file to paste its program into, and what writes it. Node wants .mjs.
LANGUAGES = {
    "bash": ("event.sh", bash),
    "Python": ("event.py", python),
    "Node": ("event.mjs", node),
    "PHP": ("event.php", php),
}
WHOLE = "Whole program"
_HEADING = re.compile(rf"(?:#|//) (?:{'|'.join(STAGES)})\b[^:]*")
_ROWS = 15  # of every box, whatever it shows, so that nothing jumps; every stage fits


@functools.cache
def _server() -> SandboxServer:
    """The practice server that the programs lead to. Its clock runs, as theirs do."""
    server = SandboxServer(EXAMPLE_CREDENTIALS)
    return server if sys.platform == "emscripten" else server.start()


def programs_view(base_url: str, body: str, stage: str = WHOLE) -> View:
    """The four programs that sign a body and send it, or one stage of each."""
    facts = []
    for language, (file, write) in LANGUAGES.items():
        try:
            request = Request("POST", PATH, body=body.encode())
            program = write(base_url, EXAMPLE_CREDENTIALS.key, request)
            shown = program if stage == WHOLE else _stage_of(program, stage)
        except ValueError as error:
            shown = str(error)
        facts.append(Fact(f"{language} · {file}", shown))
    return View(
        "The same request in four languages",
        tuple(facts),
        "The secret stands in none of them. They read it from the environment, as PUSHER_SECRET.",
    )


def _stage_of(program: str, stage: str) -> str:
    """The lines from the comment that names a stage to the next such comment."""
    lines, here = [], False
    for line in program.split("\n"):
        if heading := _HEADING.match(line):
            here = stage in heading[0]  # one heading can name two: "Body, Digest: none"
        if here:
            lines.append(line)
    return "\n".join(lines)


class Programs(Interactive):
    """One body, and the programs that sign and send it: a box each, to compare and to copy from.

    Boxes are fields, so that Ctrl+A in one takes that program and nothing else.
    """

    def __init__(self) -> None:
        self.body = _body_field()
        numbered = [(f"{number} {stage}", stage) for number, stage in enumerate(STAGES, start=1)]
        self.stage = ipywidgets.ToggleButtons(
            options=[(WHOLE, WHOLE), *numbered],
            description="Show",
            style={"description_width": "4rem", "button_width": "auto"},
            layout=ipywidgets.Layout(display="flex", flex_flow="row wrap", width="auto"),
        )
        twin = programs_view(EXAMPLE_CREDENTIALS.base_url, _BODY)
        self.boxes = [
            ipywidgets.Textarea(
                description=fact.name,
                rows=_ROWS,
                style={"description_width": "max-content"},
                layout=ipywidgets.Layout(
                    flex_flow="column", align_items="stretch", width="auto", min_width="0"
                ),
            )
            for fact in twin.facts
        ]
        beside = ipywidgets.GridBox(
            self.boxes,
            layout=ipywidgets.Layout(
                grid_template_columns="repeat(auto-fit, minmax(min(100%, 26rem), 1fr))",
                grid_gap="4px 12px",
                max_width="66rem",
            ),
        )
        for control in (self.body, self.stage):
            control.observe(lambda _: self.refresh(), names="value")
        super().__init__([self.body, self.stage], lambda: replace(twin, facts=()), twin=twin)
        self.widget.children = (*self.widget.children, beside)

    def refresh(self) -> None:
        with self._lock:
            view = programs_view(_server().url, self.body.value, self.stage.value)
            for box, fact in zip(self.boxes, view.facts, strict=True):
                box.value = fact.value
        super().refresh()


def programs() -> Programs:
    """The request of the bench as four programs beside each other."""
    return Programs()


# --- the wire ---------------------------------------------------------------------------------

_JSON_AGAIN = "json=event: the client serialises again"
SENDERS: dict[str, dict[str, Any]] = {
    _JSON_AGAIN: {"json": EVENT},
    "content=body: the bytes that were hashed": {"content": json.dumps(EVENT).encode()},
    "content=json.dumps(event, indent=2): printed for people": {
        "content": json.dumps(EVENT, indent=2).encode()
    },
    "content=body + newline: as echo writes it": {"content": json.dumps(EVENT).encode() + b"\n"},
    "data=event: as a form": {"data": EVENT},
}


def _signed(credentials: Credentials) -> Journey:
    return prepare(json.dumps(EVENT).encode(), credentials)


def _sent_as(sender: str, journey: Journey) -> Journey:
    """The same signature over what httpx really makes of the arguments."""
    request = httpx.Request("POST", "http://127.0.0.1", **SENDERS[sender])
    return replace(journey, sent_body=request.read())


class Wire(Interactive):
    """One signed body, and several ways in which a client sends it."""

    title = "What was signed, and what arrives"

    def __init__(self) -> None:
        self.sender = ipywidgets.Dropdown(
            options=list(SENDERS),
            description="The client sends",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="auto", flex="1 1 auto"),
        )
        self.journey = _sent_as(self.sender.value, _signed(practice().credentials))
        self.sender.observe(lambda _: self._choose(), names="value")
        self.button = button("Send", self.send, "Send it to the practice server")
        offline = Practice()
        sent = travel(_sent_as(_JSON_AGAIN, _signed(offline.credentials)), offline)
        twin = signed_and_sent(self.title, sent)
        super().__init__(
            [row(self.sender, self.button)],
            lambda: signed_and_sent(self.title, self.journey),
            twin=twin,
        )

    def _choose(self) -> None:
        self.journey = _sent_as(self.sender.value, _signed(practice().credentials))
        self.refresh()

    def send(self) -> None:
        """What the button does."""
        self.journey = travel(self.journey, practice())
        self.refresh()


def wire() -> Wire:
    """Signed bytes beside received bytes."""
    return Wire()


# --- the exercises ----------------------------------------------------------------------------

_NAMES = ("greet", "move", "score", "alarm")
_DATA = ("Łódź", "5 €", "☕ to go", "naïve", "it's")


class _Room:
    """A fresh practice server with an event to send, and somebody who listens."""

    def __init__(self, chance: random.Random) -> None:
        self.event = {
            "name": chance.choice(_NAMES),
            "channel": "room",
            "data": json.dumps({"text": chance.choice(_DATA)}, ensure_ascii=False),
        }
        self.sandbox = Sandbox(EXAMPLE_CREDENTIALS)
        self.heard: list[Message] = []
        self.subscriber = Subscriber.attached(self.sandbox, "room", on_message=self.heard.append)
        self.http = httpx.Client(
            base_url=EXAMPLE_CREDENTIALS.base_url,
            transport=SandboxTransport(self.sandbox, clock=stopped_clock),
        )

    def judge(self) -> tuple[str, tuple[Fact, ...]] | None:
        """What is wrong with what happened here."""
        if not self.sandbox.log:
            return "Nothing was sent. Does your function call http.post(…)?", ()
        reply = self.sandbox.log[-1].reply
        if reply.status != 200:
            answer = json.loads(reply.body)
            return (
                "The server refused the request. Read the rule.",
                tuple(
                    Fact(name, str(answer[key]))
                    for name, key in (("Rule", "rule"), ("Answer", "error"), ("Fix", "fix"))
                    if key in answer
                ),
            )
        if [(m.event, m.data) for m in self.heard] != [(self.event["name"], self.event["data"])]:
            return (
                "The server accepted it, but another event arrived, or more than one.",
                (Fact("Sent", self.event["name"]), Fact("Arrived", repr(self.heard))),
            )
        return None


def _in_three_rooms(answer: Any) -> Any:
    """Let a learner's function send in three fresh rooms; tell what came of it."""
    rooms = [_Room(random.Random(seed)) for seed in range(3)]  # noqa: S311 - no secret
    for room in rooms:
        done = answer(room.http, EXAMPLE_CREDENTIALS, dict(room.event), EXAMPLE_TIMESTAMP)
        if done is ...:
            return ...
    return tuple(room.judge() for room in rooms)


def _judge_rooms(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    return next((verdict for verdict in done if verdict is not None), None)


def _sign_for(credentials: Credentials, body: bytes, timestamp: int, path: str = PATH) -> Signature:
    return sign(credentials, "POST", path, body=body, timestamp=timestamp)


def _publish(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event).encode()
    signature = _sign_for(credentials, body, timestamp)
    return http.post(PATH, params=signature.query, content=body)


def _publish_json(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event).encode()
    return http.post(PATH, params=_sign_for(credentials, body, timestamp).query, json=event)


def _publish_form(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event).encode()
    return http.post(PATH, params=_sign_for(credentials, body, timestamp).query, data=event)


def _publish_unsigned(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event).encode()
    return http.post(PATH, params=_sign_for(credentials, body, timestamp).params, content=body)


def _publish_without_body(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event).encode()
    return http.post(PATH, params=_sign_for(credentials, b"", timestamp).query, content=body)


_SOLUTION = (
    "def publish(http, credentials, event, timestamp):\n"
    "    body = json.dumps(event).encode()\n"
    '    path = "/apps/3/events"\n'
    '    signature = sign(credentials, "POST", path, body=body, timestamp=timestamp)\n'
    "    return http.post(path, params=signature.query, content=body)\n\n"
    "One variable holds the bytes. It is signed, and it is sent.\n"
)

prove_it = Exercise(
    name="send_what_you_signed.prove_it",
    task="An event of your own serialising is signed, sent and delivered.",
    perform=_in_three_rooms,
    judge=_judge_rooms,
    right=_publish,
    mistakes=(
        Mistake(
            _publish_json,
            "The body was serialised twice: once by you for the digest, once by the client for "
            "the wire. Send your bytes: content=body.",
        ),
        Mistake(
            _publish_form,
            "data= sends a form, not your JSON. Send your bytes: content=body.",
        ),
        Mistake(
            _publish_unsigned,
            "The parameters went out without auth_signature. signature.query holds it, "
            "signature.params does not.",
        ),
        Mistake(
            _publish_without_body,
            "The signature was made without the body, so body_md5 is missing. "
            "Pass body=body to sign.",
        ),
    ),
    hints=(
        "sign(…) gives a Signature; its query is what to send as params=.",
        "http.put('/elsewhere', params={'a': '1'}, content=b'bytes') sends bytes as they are.",
    ),
    solution=_SOLUTION + "Now let it send compact JSON. In how many places do you change it?",
)


def _finish(signature: Signature, http: httpx.Client, body: bytes) -> httpx.Response:
    return http.post(PATH, params=signature.query, content=body)


def _finish_in_a_room(answer: Any) -> Any:
    """The last step only: everything is signed, the request has to go out."""
    rooms = [_Room(random.Random(seed + 10)) for seed in range(3)]  # noqa: S311 - no secret
    for room in rooms:
        body = json.dumps(room.event).encode()
        if answer(_sign_for(EXAMPLE_CREDENTIALS, body, EXAMPLE_TIMESTAMP), room.http, body) is ...:
            return ...
    return tuple(room.judge() for room in rooms)


finish = Exercise(
    name="send_what_you_signed.finish",
    task="The signed bytes go out under their signature.",
    perform=_finish_in_a_room,
    judge=_judge_rooms,
    right=_finish,
    mistakes=(
        Mistake(
            lambda signature, http, body: http.post(PATH, params=signature.query),
            "The request went out without its body. Pass content=body.",
        ),
        Mistake(
            lambda signature, http, body: http.post(PATH, content=body),
            "The body went out without its signature. Pass params=signature.query.",
        ),
        Mistake(
            lambda signature, http, body: http.post(
                PATH, params=signature.query, json=json.loads(body)
            ),
            "The client serialised the event anew. Send the bytes: content=body.",
        ),
        Mistake(
            lambda signature, http, body: http.put(PATH, params=signature.query, content=body),
            "PUT is not for this path, and the signature says POST. Use http.post.",
        ),
    ),
    hints=(
        "Two things travel: the parameters in the URL, and the body.",
        "http.put('/elsewhere', params={'a': '1'}, content=b'bytes') sends both.",
    ),
    solution=(
        "def finish(signature, http, body):\n"
        '    return http.post("/apps/3/events", params=signature.query, content=body)\n\n'
        "params= goes into the URL, encoded for the journey. content= is sent as it is.\n"
        "Now print signature.query, and find the five parameters."
    ),
)


# A body with what a shell does not leave alone: both quotes, a dollar sign, a backslash.
_CURL_HOST, _CURL_PATH = "http://127.0.0.1", "/apps/3/events"
_CURL_PARAMS = (("auth_key", "k"), ("auth_version", "1.0"))
_CURL_URL = f"{_CURL_HOST}{_CURL_PATH}?{urlencode(_CURL_PARAMS)}"
_CURL_BODIES = tuple(
    json.dumps({"name": name, "data": f"it's Ann's \"{name}\" for $5"}).encode()
    for name in _NAMES[:3]
)
_DATA_OPTIONS = ("-d", "--data", "--data-raw", "--data-binary")


class _Sent(NamedTuple):
    """What a curl command line sends."""

    urls: list[str]
    bodies: list[str]
    headers: list[str]


def _what_curl_sends(command: Any) -> Any:
    """What a command line sends; a sentence where it is none, and what is no text as it is."""
    if not isinstance(command, str):
        return command
    try:
        words = shlex.split(command.replace("\\\n", " "))
    except ValueError:
        return "a quote is open at the end"
    if not words or words[0] != "curl":
        return "it does not begin with curl"
    sent = _Sent([], [], [])
    rest = iter(words[1:])
    for word in rest:
        if word in _DATA_OPTIONS:
            sent.bodies.append(next(rest, ""))
        elif word in ("-H", "--header"):
            sent.headers.append(next(rest, ""))
        elif word in ("-X", "--request"):
            next(rest, "")
        elif not word.startswith("-"):
            sent.urls.append(word)
    return sent


def _commands(answer: Any) -> Any:
    done = [answer(_CURL_URL, body) for body in _CURL_BODIES]
    return ... if any(each is ... for each in done) else [_what_curl_sends(each) for each in done]


def _judge_commands(done: list[Any]) -> tuple[str, tuple[Fact, ...]] | None:
    for body, sent in zip(_CURL_BODIES, done, strict=True):
        if isinstance(sent, str):
            return f"A shell cannot use this command: {sent}.", ()
        if not isinstance(sent, _Sent):
            return f"Expected a command line (str), got {type(sent).__name__}.", ()
        urls, bodies, headers = sent
        if urls != [_CURL_URL]:
            return "curl would see another URL.", (Fact("It sees", "\n".join(urls) or "(none)"),)
        if bodies != [body.decode()]:
            return (
                "curl would send another body.",
                (Fact("It sends", "\n".join(bodies) or "(none)"), Fact("Wanted", body.decode())),
            )
        if not any("application/json" in header for header in headers):
            return "The header Content-Type: application/json is missing.", ()
    return None


_JSON_HEADER = "-H 'Content-Type: application/json'"

as_curl = Exercise(
    name="send_what_you_signed.as_curl",
    task="A curl command line that sends the very bytes of a body, whatever is in it.",
    perform=_commands,
    judge=_judge_commands,
    right=lambda url, body: curl(_CURL_HOST, Request("POST", _CURL_PATH, _CURL_PARAMS, body)),
    mistakes=(
        Mistake(
            lambda url, body: f"curl '{url}' {_JSON_HEADER} --data-binary '{body.decode()}'",
            "The body holds single quotes, and the first ends your quoted text early. "
            "shlex.quote knows what to do.",
        ),
        Mistake(
            lambda url, body: f'curl "{url}" {_JSON_HEADER} --data-binary "{body.decode()}"',
            "The body is full of double quotes, and each ends your quoted text; in double quotes "
            "the shell would also replace $5. shlex.quote knows what to do.",
        ),
        Mistake(
            lambda url, body: f"curl {url} {_JSON_HEADER} --data-binary {body.decode()}",
            "Nothing is quoted. The shell takes quotes, spaces and & for its own.",
        ),
        Mistake(
            lambda url, body: f"curl {shlex.quote(url)} {_JSON_HEADER} --data-binary {body!r}",
            "repr writes for Python, b'…' and all. shlex.quote writes for a shell.",
        ),
        Mistake(
            lambda url, body: f"curl {shlex.quote(url)} --data-binary {shlex.quote(body.decode())}",
            "Without a header curl calls the body a form. Add -H 'Content-Type: application/json'.",
        ),
    ),
    hints=(
        "Python has a function that quotes any text for a shell: shlex.quote.",
        "shlex.quote(\"it's\") is what a shell reads as it's.",
    ),
    solution=(
        "def command(url: str, body: bytes) -> str:\n"
        "    data = shlex.quote(body.decode())\n"
        "    header = \"-H 'Content-Type: application/json'\"\n"
        '    return f"curl {shlex.quote(url)} {header} --data-binary {data}"\n\n'
        "The shell reads the line before curl does. What is quoted, it passes on as it is.\n"
        "Now tick Show as curl at the bench above, and paste the command into a terminal."
    ),
)


def broken_publish(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    """Publish an event. One of the lines is wrong."""
    body = json.dumps(event, sort_keys=True).encode()
    signature = _sign_for(credentials, body, timestamp)
    return http.post(PATH, params=signature.query, content=json.dumps(event).encode())


def _publish_twice_compact(
    http: httpx.Client, credentials: Credentials, event: dict[str, str], timestamp: int
) -> httpx.Response:
    body = json.dumps(event, separators=(",", ":")).encode()
    signature = _sign_for(credentials, body, timestamp)
    return http.post(PATH, params=signature.query, content=json.dumps(event).encode())


mend = Exercise(
    name="send_what_you_signed.mend",
    task="The client sends the bytes that it signed.",
    perform=_in_three_rooms,
    judge=_judge_rooms,
    right=_publish,
    mistakes=(
        Mistake(
            broken_publish,
            "This is the function as it was: it signs sorted keys and sends them unsorted. "
            "Serialise once.",
        ),
        Mistake(
            _publish_json,
            "json= serialises as well, in its own way. Send what you signed: content=body.",
        ),
        Mistake(
            _publish_twice_compact,
            "This still serialises twice. The signed JSON is compact, the one that is sent is not.",
        ),
    ),
    hints=(
        "Count the calls of json.dumps.",
        "Say a = f(x) once, then use a in both places.",
    ),
    solution=_SOLUTION + "Now think of your own client: which argument of it sends raw bytes?",
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
