"""Lesson 09, your own app: real credentials, a dry run, one event, and how servers differ.

A real secret lives in a Credentials object and nowhere else: in no control, no View, no message.
Nothing is sent before somebody presses a button that names the host.
"""

from __future__ import annotations

import getpass
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import ipywidgets

from pusherkit.client import Client
from pusherkit.credentials import DEFAULT_BASE_URL, Credentials
from pusherkit.errors import InvalidCredentials, InvalidEvent, PusherError
from pusherkit.events import Event, event_body
from pusherkit.httpx_auth import SIGNATURE_EXTENSION, PusherAuth
from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake
from pusherkit.lessons._interactive import (
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
    stopped_clock,
)
from pusherkit.lessons._progress import ProgressView
from pusherkit.signing import Check, Request, Signature, canonical_string, hmac_sha256, judge, sign
from pusherkit.subscriber import Message

NOTEBOOK = "09-your-own-app"
PATH = f"/apps/{EXAMPLE_CREDENTIALS.app_id}/events"
_PIECE = 4  # characters in a row that are too much of a secret


# --- whose credentials ------------------------------------------------------------------------

NAMES = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials, and where they come from."""

    credentials: Credentials
    source: str
    practice: bool = False
    """Whether these are the published example values, for the practice server."""

    @property
    def host(self) -> str:
        """The host to send to, as a button names it."""
        if self.practice:
            return "the practice server"
        return self.credentials.base_url.partition("://")[2]


def find(environ: Mapping[str, str] | None = None) -> Found:
    """The app that the environment names; the published example where it names none.

    Never asks, and never raises: what is wrong with the environment stands in `source`.
    """
    environ = os.environ if environ is None else environ
    named = [name for name in NAMES if environ.get(name)]
    try:
        if named:
            return Found(Credentials.from_env(environ), "the environment: PUSHER_APP_ID and so on")
        if environ.get("PUSHER_URL"):
            return Found(Credentials.from_url(environ["PUSHER_URL"]), "the environment: PUSHER_URL")
        why = "published example values, as the environment has no PUSHER_APP_ID"
    except InvalidCredentials as error:  # its message never repeats the secret
        why = f"published example values, as those of the environment cannot be right. {error}"
    return Found(EXAMPLE_CREDENTIALS, why, practice=True)


def ask() -> Credentials:
    """Ask for credentials; the secret is not shown while it is typed, and not stored."""
    try:
        return Credentials(
            app_id=input("App id: ").strip(),
            key=input("Key: ").strip(),
            secret=getpass.getpass("Secret (hidden): ").strip(),
            base_url=input(f"Host (empty for {DEFAULT_BASE_URL}): ").strip() or DEFAULT_BASE_URL,
        )
    except InvalidCredentials as error:
        problem = str(error)
    # Raised anew: the traceback of the first would lead to where the secret is.
    raise InvalidCredentials(problem)


# --- recall and prediction --------------------------------------------------------------------


def recall_secret() -> Prediction:
    """From lesson 04: the secret is a key, and stays at home."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        request = draft(Found(EXAMPLE_CREDENTIALS, ""), "chat", "message", "hello", stopped_clock)
        sent = f"POST {request.url}\n\n{request.content.decode()}"
        secret = EXAMPLE_CREDENTIALS.secret
        pieces = [secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)]
        seen = [piece for piece in pieces if piece in sent]
        right = (
            "Nothing of it" if not seen else "A part of it" if secret not in sent else "All of it"
        )
        return right, (Fact("Sent", sent),)

    return Prediction(
        "Recall: how much of the secret stands in a signed request?",
        {
            "All of it": "Then whoever reads along could sign in your name.",
            "A part of it": "Not one piece of it. The signature cannot be turned back either.",
            "Nothing of it": "It is the key of the HMAC, and the key stays at home.",
        },
        run,
        "Nobody needs to see the secret: neither the network, nor a log, nor a notebook.",
    )


def recall_batch() -> Prediction:
    """From lesson 07: a limit is all or nothing."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        server, heard = Practice(), list[Message]()
        with server.subscribe("news", on_message=heard.append):
            batch = [{"channel": "news", "name": "n", "data": str(n)} for n in range(11)]
            answer = server.client.http.post("/apps/3/batch_events", json={"batch": batch})
        return str(len(heard)), (Fact("Answer", f"{answer.status_code} {answer.json()['error']}"),)

    return Prediction(
        "Recall: a batch of 11 events goes to the practice server. How many arrive?",
        {
            "0": "The limit is ten, and one too many refuses the batch.",
            "10": "A server that took ten would drop one without telling you.",
            "11": "The practice server holds the limit of ten.",
        },
        run,
        "The practice server holds this limit. Not every compatible server does.",
    )


def predict() -> Prediction:
    """A mistake that one server does not see: what does another say?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        checks = fault("the time in milliseconds")
        strict, lenient = (
            refused_by(server, checks)
            for server in (SERVERS[0], Server("", frozenset({"auth_timestamp"})))
        )
        right = f"It answers 401: {strict.rule}" if strict else "It accepts it"
        return right, (
            Fact("Server A", f"401 {lenient.error}" if lenient else "accepted"),
            Fact("Server B", f"401 {strict.error}" if strict else "accepted"),
        )

    return Prediction(
        "Predict: auth_timestamp is in milliseconds. Server A does not look at the clock and "
        "accepts the request. What does server B, which does, say to the same bytes?",
        {
            "It accepts it": "It would if all compatible servers asked the same questions.",
            "It answers 401: auth_signature": "The signature fits: it was made over these "
            "milliseconds, and the canonical string holds them.",
            "It answers 401: auth_timestamp": "Server A never asked, so the mistake was there "
            "all the time.",
        },
        run,
        "A green test on one server proves only what that server checks.",
    )


# --- the dry run, and one event ---------------------------------------------------------------


def draft(
    found: Found, channel: str, name: str, data: str, clock: Callable[[], float]
) -> httpx.Request:
    """The signed request, ready to go out. Sends nothing. Raises InvalidEvent."""
    credentials = found.credentials
    event = Event.of(channel, name, data)
    request = httpx.Request(
        "POST",
        f"{credentials.base_url}/apps/{credentials.app_id}/events",
        content=event_body(event),
        headers={"Content-Type": "application/json"},
    )
    return next(PusherAuth(credentials, clock=clock).sync_auth_flow(request))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending: a status and a text, or the reason why there is none."""

    status: int | None
    text: str
    arrived: Message | None = None

    @property
    def accepted(self) -> bool:
        """Success, and no error in the body: some servers answer 200 to what they refuse."""
        return self.status in (200, 202) and not self.hidden_error

    @property
    def hidden_error(self) -> bool:
        """Whether a success has an error inside."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return self.status in (200, 202) and isinstance(body, dict) and "error" in body


SHOWN_CHARACTERS = 500  # of an answer


def _desk_view(found: Found, request: httpx.Request, answer: Answer | None) -> View:
    credentials, body = found.credentials, request.content
    signature: Signature = request.extensions[SIGNATURE_EXTENSION]
    facts = [
        Fact("Credentials", found.source),
        Fact("App id, key", f"{credentials.app_id}, {credentials.key}"),
        Fact("Secret", "(not shown)"),
        Fact("1 Body", body.decode(), f"{len(body):,} bytes"),
        Fact("2 Digest", f"body_md5 = {signature.body_md5}"),
        Fact("3 Parameters", "\n".join(f"{key} = {value}" for key, value in signature.params)),
        Fact("4 Canonical string", signature.canonical_string),
        Fact("5 Sign", f"auth_signature = {signature.hexdigest}"),
        Fact("6 Send", f"POST {request.url}"),
    ]
    if answer is None:
        status, good = "Dry run: this is the whole request, and nothing was sent.", None
    else:
        facts.append(
            Fact("Answer", f"{answer.status or ''} {answer.text[:SHOWN_CHARACTERS]}".strip())
        )
        status, good = _verdict(found, answer), answer.accepted
        if found.practice:
            arrived = answer.arrived
            shown = f'event "{arrived.event}" on "{arrived.channel}"' if arrived else "(nothing)"
            facts.append(Fact("At the subscriber", shown))
    # Whatever a server answers or a learner types: the secret is not repeated.
    safe = tuple(replace(fact, value=credentials.hide(fact.value)) for fact in facts)
    return View(f"One event for {found.host}", safe, status, good)


def _verdict(found: Found, answer: Answer) -> str:
    if answer.status is None:
        return f"No answer from {found.host}. The reason stands beside Answer."
    if answer.hidden_error:
        return f"Refused by {found.host}: the status says success, the body says error."
    if not answer.accepted:
        return f"Refused by {found.host}. Nothing was published."
    if found.practice:
        return "Accepted by the practice server, and the event arrived."
    return f"Accepted by {found.host}. Now look whether it arrived at a subscriber of yours."


def _problem_view(found: Found, problem: str) -> View:
    facts = (Fact("Credentials", found.source), Fact("Problem", problem))
    return View(f"One event for {found.host}", facts, "Not signed, and nothing was sent.", False)


_FIRST = ("chat", "message", '{"text":"hello"}')


class Desk(Interactive):
    """Write an event, read the request that it becomes, and send it if you say so.

    `transport` is an httpx transport, for tests. The clock is that of the machine, but stands
    still for the practice server.
    """

    def __init__(self, found: Found, *, transport: httpx.BaseTransport | None = None) -> None:
        self._found = found
        self._clock = stopped_clock if found.practice else time.time
        self._client = Client(found.credentials, transport=transport) if transport else None
        self._answer: Answer | None = None
        self.channel, self.name, self.data = (
            text_field(label, value)
            for label, value in zip(("Channel", "Event", "Data"), _FIRST, strict=True)
        )
        for field in (self.channel, self.name, self.data):
            field.observe(lambda _: self._write(), names="value")
        self.button = button(f"Send to {found.host}", self.send)
        self._prepare()
        example = find({})
        twin = _desk_view(example, draft(example, *_FIRST, stopped_clock), None)
        controls = [row(self.channel, self.name), row(self.data, self.button)]
        super().__init__(controls, self._current, twin=twin)

    def _write(self) -> None:
        self._answer = None
        self._prepare()
        self.refresh()

    def _prepare(self) -> None:
        """Sign what the fields hold; where that cannot be sent, keep the reason."""
        fields = (self.channel.value, self.name.value, self.data.value)
        try:
            if any(self._found.credentials.hide(field) != field for field in fields):
                raise InvalidEvent("This field holds your app's secret. Take it out.", rule="data")
            self._request: httpx.Request | str = draft(self._found, *fields, self._clock)
        except InvalidEvent as error:
            self._request = self._found.credentials.hide(str(error))

    def _current(self) -> View:
        if isinstance(self._request, str):
            return _problem_view(self._found, self._request)
        return _desk_view(self._found, self._request, self._answer)

    def send(self) -> None:
        """What the button does: sign anew, as a signature grows old, and send once."""
        self._prepare()
        if isinstance(self._request, httpx.Request):
            practice = self._found.practice and self._client is None
            self._answer = (_practise if practice else self._send_away)(self._request)
        self.refresh()

    def _send_away(self, request: httpx.Request) -> Answer:
        if self._client is None:
            self._client = Client(self._found.credentials)
        try:
            response = self._client.http.send(request, auth=None)  # it is signed already
        except (httpx.HTTPError, OSError) as error:
            return Answer(None, f"{type(error).__name__}: {error}")
        return Answer(response.status_code, response.text)


def _practise(request: httpx.Request) -> Answer:
    """Send to a practice server in this process, with a subscriber on the event's channel."""
    server, heard = Practice(), list[Message]()
    server.subscribe(json.loads(request.content)["channels"][0], on_message=heard.append)
    try:
        response = server.client.http.send(request, auth=None)
    except (httpx.HTTPError, PusherError, OSError) as error:
        return Answer(None, str(error))
    return Answer(response.status_code, response.text.strip(), heard[0] if heard else None)


def desk(credentials: Credentials | None = None) -> Desk:
    """A dry run, and a button that sends. Without credentials: those of the environment."""
    return Desk(Found(credentials, "given to desk()") if credentials else find())


# --- what servers check -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A compatible server, and which of the practice server's rules it leaves out."""

    name: str
    leaves_out: frozenset[str]


# Read in their sources and, but for Sockudo, measured on running servers, in 2026, for
# POST /apps/{app_id}/events. What they do in another version, nobody here has looked at.
SERVERS = (
    Server("Practice server", frozenset()),
    Server("Sockudo 5.0.1", frozenset({"auth_version"})),
    Server("Poxa 1.3.0", frozenset()),
    Server("soketi 1.6.1", frozenset({"auth_key", "auth_version", "auth_timestamp"})),
    Server("Reverb 1.9.0", frozenset({"auth_key", "auth_version", "auth_timestamp"})),
    Server("Slanger 0.6.0", frozenset({"auth_key", "body_md5"})),
    Server(
        "pusher-fake 6.1.0",
        frozenset({"auth_key", "auth_version", "auth_timestamp", "body_md5", "auth_signature"}),
    ),
)

_BODY = event_body(Event.of("chat", "message", {"text": "hello"}))


def _signed(**changes: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a request, some of them changed before it was signed."""
    honest = sign(EXAMPLE_CREDENTIALS, "POST", PATH, body=_BODY, timestamp=EXAMPLE_TIMESTAMP)
    params = tuple((key, changes.get(key, value)) for key, value in honest.params)
    text = canonical_string("POST", PATH, params)
    return (*params, ("auth_signature", hmac_sha256(EXAMPLE_CREDENTIALS.secret, text)))


# Each fault: what the parameters are, and what the body is.
FAULTS: dict[str, tuple[tuple[tuple[str, str], ...], bytes]] = {
    "nothing": (_signed(), _BODY),
    "signed two hours ago": (_signed(auth_timestamp=str(EXAMPLE_TIMESTAMP - 7_200)), _BODY),
    "the time in milliseconds": (_signed(auth_timestamp=f"{EXAMPLE_TIMESTAMP}000"), _BODY),
    "another app's key, the right secret": (_signed(auth_key="00000000000000000000"), _BODY),
    "auth_version=2.0": (_signed(auth_version="2.0"), _BODY),
    "a byte of the body changed": (_signed(), _BODY.replace(b"hello", b"jello")),
    "another secret": ((*_signed()[:-1], ("auth_signature", "0" * 64)), _BODY),
}


def fault(name: str) -> tuple[Check, ...]:
    """Every rule of the practice server, judged for a request with one fault."""
    params, body = FAULTS[name]
    return judge(
        EXAMPLE_CREDENTIALS, Request("POST", PATH, params, body), now=EXAMPLE_TIMESTAMP
    ).checks


def refused_by(server: Server, checks: tuple[Check, ...]) -> Check | None:
    """The first failed rule that a server looks at; None where it accepts the request."""
    return next(
        (check for check in checks if not check.passed and check.rule not in server.leaves_out),
        None,
    )


def servers_view(name: str) -> View:
    """One request with a fault, and what each server makes of it."""
    checks = fault(name)
    params, body = FAULTS[name]
    failed = [check.rule for check in checks if not check.passed]
    accepting = [server for server in SERVERS if refused_by(server, checks) is None]
    facts = [
        Fact("Body", body.decode()),
        Fact("Canonical string", canonical_string("POST", PATH, params)),
        Fact("Breaks the rule", ", ".join(failed) or "(none)"),
    ]
    for server in SERVERS:
        said = "refused"
        if server in accepting:
            said = f"accepted, as it does not check {failed[0]}" if failed else "accepted"
        facts.append(Fact(server.name, said))
    return View(
        "The same bytes at seven servers",
        tuple(facts),
        f"{len(accepting)} of {len(SERVERS)} accept it. Worked out from the rules that each "
        "server checks; only the practice server runs here.",
    )


_FIRST_FAULT = "signed two hours ago"


class Comparison(Interactive):
    """Choose what is wrong with a request, and see who notices."""

    def __init__(self) -> None:
        self.fault = ipywidgets.Dropdown(
            options=list(FAULTS),
            value=_FIRST_FAULT,
            description="What is wrong",
            style={"description_width": "7rem"},
            layout=ipywidgets.Layout(width="auto", max_width="28rem"),
        )
        self.fault.observe(lambda _: self.refresh(), names="value")
        super().__init__(
            [self.fault],
            lambda: servers_view(self.fault.value),
            twin=servers_view(_FIRST_FAULT),
        )


def servers() -> Comparison:
    """One request, judged by the rules of seven servers."""
    return Comparison()


# --- the exercises ----------------------------------------------------------------------------


def _hex(chance: random.Random, digits: int = 20) -> str:
    return "".join(chance.choice("0123456789abcdef") for _ in range(digits))


def _some_app(chance: random.Random) -> dict[str, str]:
    """The four variables of an app that does not exist. Its host has a port."""
    word = chance.choice(("north", "river", "maple", "stone"))
    return {
        "PUSHER_APP_ID": str(chance.randint(100_000, 999_999)),
        "PUSHER_KEY": _hex(chance),
        # As other services make them: with signs that mean something in a URL.
        "PUSHER_SECRET": f"{_hex(chance, 8)}/{_hex(chance, 8)}+=",
        "PUSHER_HOST": f"{word}.example.com:{chance.randint(1_024, 9_999)}",
    }


def _as_url(app: Mapping[str, str]) -> str:
    secret = quote(app["PUSHER_SECRET"], safe="")
    return f"https://{app['PUSHER_KEY']}:{secret}@{app['PUSHER_HOST']}/apps/{app['PUSHER_APP_ID']}"


def _swapped(right: Credentials) -> Credentials:
    return replace(right, key=right.secret, secret=right.key)


def _without_host(right: Credentials) -> Credentials:
    return replace(right, base_url=DEFAULT_BASE_URL)


def _without_port(right: Credentials) -> Credentials:
    return replace(right, base_url=right.base_url.rpartition(":")[0])


def _encoded(right: Credentials) -> Credentials:
    return replace(right, secret=quote(right.secret, safe=""))


_SWAPPED = "Key and secret are swapped. The key names you and travels; the secret signs and stays."
_WITHOUT_HOST = (
    f"The host is missing, so this is for {DEFAULT_BASE_URL}. A key is valid on one host only."
)
_WITHOUT_PORT = "The port is missing. Without it, requests go to port 443 of that host."
_ENCODED = "The secret is still percent-encoded. In a URL, %2F stands for a slash of the secret."

_FORMS = itertools.cycle(("url", "plain", "pasted"))  # one of each among the three of a check


def _some_environment(chance: random.Random) -> tuple[dict[str, str]]:
    app = _some_app(chance)
    noise = {"PATH": "/bin", "LANG": "C.UTF-8"}
    match next(_FORMS):
        case "url":
            return ({**noise, "PUSHER_URL": _as_url(app)},)
        case "plain":
            return ({**noise, **app},)
        case _:
            pasted = {
                name: chance.choice((f'"{value}"', f" '{value}'\n")) for name, value in app.items()
            }
            return ({**noise, **pasted},)


def _tidy(value: str) -> str:
    return value.strip().strip("\"'")


def _own(environ: Mapping[str, str]) -> Credentials:
    tidy = {name: _tidy(value) for name, value in environ.items()}
    if "PUSHER_URL" in tidy:
        return Credentials.from_url(tidy["PUSHER_URL"])
    return Credentials.from_env(tidy)


prove_it = FunctionExercise(
    name="your_own_app.prove_it",
    task="The Credentials that an environment names, however they stand in it.",
    given=_some_environment,
    right=_own,
    mistakes=(
        Mistake(lambda environ: _swapped(_own(environ)), _SWAPPED),
        Mistake(lambda environ: _without_host(_own(environ)), _WITHOUT_HOST),
        Mistake(lambda environ: _without_port(_own(environ)), _WITHOUT_PORT),
        Mistake(lambda environ: _encoded(_own(environ)), _ENCODED),
    ),
    hints=(
        "First take white space and quotes off every value. Then: is there a PUSHER_URL?",
        "Credentials.from_url('https://k:s@push.example.com:8443/apps/7') has the base_url "
        "https://push.example.com:8443. Credentials.from_env takes any dict.",
    ),
    solution=(
        "def prove_it(environ: dict[str, str]) -> Credentials:\n"
        '    tidy = {name: value.strip().strip("\\"\'") for name, value in environ.items()}\n'
        '    if "PUSHER_URL" in tidy:\n'
        '        return Credentials.from_url(tidy["PUSHER_URL"])\n'
        "    return Credentials.from_env(tidy)\n\n"
        "The environment is outside the notebook, so the secret is not saved with it.\n"
        "Now let it say which variable is missing. What does Credentials.from_env({}) do?"
    ),
)


read = FunctionExercise(
    name="your_own_app.read",
    task="The Credentials of the app that an environment names.",
    given=lambda chance: (_some_app(chance),),
    right=Credentials.from_env,
    mistakes=(
        Mistake(lambda environ: _swapped(Credentials.from_env(environ)), _SWAPPED),
        Mistake(lambda environ: _without_host(Credentials.from_env(environ)), _WITHOUT_HOST),
        Mistake(
            lambda environ: replace(Credentials.from_env(environ), app_id=environ["PUSHER_KEY"]),
            "This takes the key for the app id. The id is the number after /apps/ in the path.",
        ),
        Mistake(
            lambda environ: tuple(environ.values()),
            "These are the four values as a tuple. Put them into Credentials(…).",
        ),
    ),
    hints=(
        "Credentials takes app_id, key, secret and base_url, all by name.",
        "Credentials(app_id='7', key='k', secret='s', base_url='push.example.com') is another "
        "app. The scheme https is added.",
    ),
    solution=(
        "def read(environ: dict[str, str]) -> Credentials:\n"
        '    app_id, key = environ["PUSHER_APP_ID"], environ["PUSHER_KEY"]\n'
        '    secret, host = environ["PUSHER_SECRET"], environ["PUSHER_HOST"]\n'
        "    return Credentials(app_id=app_id, key=key, secret=secret, base_url=host)\n\n"
        "Credentials.from_env(environ) does the same, and says what is missing.\n"
        "Now print what your function returns, and look for the secret in it."
    ),
)


def _some_url(chance: random.Random) -> tuple[str]:
    return (_as_url(_some_app(chance)),)


read_url = FunctionExercise(
    name="your_own_app.read_url",
    task="The Credentials that stand in a PUSHER_URL, port and all.",
    given=_some_url,
    right=Credentials.from_url,
    mistakes=(
        Mistake(lambda url: _without_port(Credentials.from_url(url)), _WITHOUT_PORT),
        Mistake(lambda url: _encoded(Credentials.from_url(url)), _ENCODED),
        Mistake(lambda url: _swapped(Credentials.from_url(url)), _SWAPPED),
        Mistake(
            lambda url: replace(Credentials.from_url(url), base_url=f"http://{_host(url)}"),
            "This goes out over http. The URL says https, and means it.",
        ),
    ),
    hints=(
        "The form is https://KEY:SECRET@HOST:PORT/apps/APP_ID. Credentials has a method for it.",
        "Credentials.from_url('https://k:a%2Fb@push.example.com:8443/apps/7').secret is 'a/b'.",
    ),
    solution=(
        "def read_url(url: str) -> Credentials:\n"
        "    return Credentials.from_url(url)\n\n"
        "One text instead of four, which is handy, and it holds the secret, so treat it as one.\n"
        "Now do it with urllib.parse.urlsplit and unquote, and check again."
    ),
)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


_DAMAGE = itertools.cycle(("double", "single", "none"))  # one of each among the three of a check


def _some_paste(chance: random.Random) -> tuple[str]:
    one, other = _hex(chance, 8), _hex(chance, 8)
    match next(_DAMAGE):
        case "double":
            return (f' "{one}\'{other}"\n',)
        case "single":
            return (f"'{one}/{other}'",)
        case _:
            return (f"{one}-{other}",)


clean = FunctionExercise(
    name="your_own_app.clean",
    task="A secret without the quotes and white space that pasting left around it.",
    given=_some_paste,
    right=_tidy,
    mistakes=(
        Mistake(lambda pasted: pasted, "This is the text as it was pasted."),
        Mistake(
            lambda pasted: pasted.strip(),
            "White space is off, the quotes are still there. They would sign along.",
        ),
        Mistake(
            lambda pasted: pasted.strip("\"'"),
            "Quotes behind white space stay: take off the white space first.",
        ),
        Mistake(
            lambda pasted: pasted.strip().strip('"'),
            "Single quotes are still there. A shell, a .env file and Python know both kinds.",
        ),
        Mistake(
            lambda pasted: pasted.strip()[1:-1],
            "Where there were no quotes, you cut off two characters of the secret.",
        ),
        Mistake(
            lambda pasted: pasted.replace('"', "").replace("'", "").strip(),
            "A quote inside the secret belongs to it. Take off those at its ends only.",
        ),
    ),
    hints=(
        "Text has a method that takes signs off both ends. Which signs, its argument says.",
        "'--[x]--'.strip('-').strip('[]') is 'x'.",
    ),
    solution=(
        "def clean(pasted: str) -> str:\n"
        '    return pasted.strip().strip("\\"\'")\n\n'
        "Two steps, as the white space stands outside. Credentials refuses both, and tells you.\n"
        "Now predict the status if quotes stayed around the secret, and the rule that fails."
    ),
)


# What a saved notebook can hold. The app and its secret do not exist.
LEAKED = "blue-harbour-41"
PLACES = {
    "A": "source of a cell    credentials = Credentials.from_env()",
    "B": f'source of a cell    secret = "{LEAKED}"  # for now',
    "C": "output of a cell    Credentials(app_id='12', key='k-12', base_url='https://push.example.com')",
    "D": f"output of a cell    {{'PUSHER_KEY': 'k-12', 'PUSHER_SECRET': '{LEAKED}'}}",
    "E": f'state of a widget   {{"_model_name": "PasswordModel", "value": "{LEAKED}"}}',
    "F": f"an error message    no answer from https://k-12:{LEAKED}@push.example.com/apps/12",
    "G": f"output of a cell    auth_signature={hmac_sha256(LEAKED, 'POST')}",
}
_LEAKING = "".join(letter for letter, text in PLACES.items() if LEAKED in text)


def _judge_letters(done: Any) -> tuple[str, tuple[Fact, ...]] | None:
    if not isinstance(done, str):
        return f'Expected letters as text, such as "AB", got {type(done).__name__}.', ()
    named = {letter for letter in done.upper() if letter in PLACES}
    if too_many := sorted(named - set(_LEAKING)):
        return "One of yours is harmless.", (Fact("Harmless", PLACES[too_many[0]]),)
    if missing := len(set(_LEAKING) - named):
        return f"{missing} more {'place gives' if missing == 1 else 'places give'} it away.", ()
    return None


commit = Exercise(
    name="your_own_app.commit",
    task="The letters of all places that give the secret away.",
    judge=_judge_letters,
    right=_LEAKING,
    mistakes=(
        Mistake("B", "The source is one place. Outputs, messages and widgets are saved as well."),
        Mistake("BD", "D prints the environment, well seen. Widgets and messages are saved too."),
        Mistake(
            "BDF",
            "One is left: a password field shows dots, and its value is saved as it is.",
        ),
        Mistake("BDE", "One is left: an address can carry the secret, and errors repeat it."),
        Mistake(
            "BDEFG",
            "All of them, and one too many: a signature cannot be turned back into the secret.",
        ),
        Mistake(
            "BCDEF",
            "All of them, and one too many: Credentials leaves the secret out where it prints.",
        ),
        Mistake("ABDEF", "All of them, and one too many: A reads the secret and does not hold it."),
    ),
    hints=(
        "Search each place for the secret itself, blue-harbour-41.",
        "texts = {'X': 'tea', 'Y': 'coffee'}; [k for k in texts if 'off' in texts[k]] is ['Y'].",
    ),
    solution=(
        'leaks = "BDEF"\n\n'
        "Everything that a notebook shows is saved with it, and a widget's value besides.\n"
        "Now look into a notebook of yours: open the .ipynb file as text and search it."
    ),
)


# --- find, explain, fix -----------------------------------------------------------------------


def broken_describe(environ: Mapping[str, str]) -> str:
    """Say which app a program uses, for its log. It says too much."""
    return f"using {environ['PUSHER_URL']}"


_ENVIRONMENTS = tuple(
    {"PUSHER_URL": url}
    for url in (
        "https://key-of-quay:Wq7/Zx9+Vt5=@quay.example.com:8443/apps/314".replace("7/", "7%2F"),
        "https://key-of-mill:Hj2Kp8Lm4Nr6@mill.example.com/apps/2718",
    )
)


def _describe(answer: Any) -> Any:
    done = [answer(dict(environ)) for environ in _ENVIRONMENTS]
    return ... if ... in done else done


def _judge_description(done: list[Any]) -> tuple[str, tuple[Fact, ...]] | None:
    for environ, said in zip(_ENVIRONMENTS, done, strict=True):
        if not isinstance(said, str):
            return f"Expected text, got {type(said).__name__}.", ()
        right = Credentials.from_url(environ["PUSHER_URL"])
        for secret in (right.secret, quote(right.secret, safe="")):
            pieces = [secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)]
            if any(piece in said for piece in pieces):
                return "A piece of the secret is still in it.", (Fact("Yours", said[:200]),)
        host = right.base_url.partition("://")[2]
        for what, value in (("app id", right.app_id), ("key", right.key), ("host", host)):
            if value not in said:
                return f"The log should still tell the {what}.", (Fact("Yours", said[:200]),)
    return None


def _mended_describe(environ: Mapping[str, str]) -> str:
    return f"using {Credentials.from_url(environ['PUSHER_URL'])}"


def _last_four(environ: Mapping[str, str]) -> str:
    secret = unquote(urlsplit(environ["PUSHER_URL"]).password or "")
    return f"{_mended_describe(environ)}, secret …{secret[-4:]}"


mend = Exercise(
    name="your_own_app.mend",
    task="A line for the log that tells app id, key and host, and nothing of the secret.",
    perform=_describe,
    judge=_judge_description,
    right=_mended_describe,
    mistakes=(
        Mistake(
            broken_describe,
            "The URL holds the secret, between the colon and the @. It is still in your line.",
        ),
        Mistake(
            lambda environ: f"using {dict(environ)}",
            "This prints the environment, URL and secret and all.",
        ),
        Mistake(
            _last_four,
            "Four characters make guessing the others easier. Tell nothing of a secret.",
        ),
    ),
    hints=(
        "Which object knows app id, key and host, and never prints its secret?",
        "str(Credentials(app_id='7', key='k', secret='s')) tells all but the s.",
    ),
    solution=(
        "def describe(environ):\n"
        "    return f\"using {Credentials.from_url(environ['PUSHER_URL'])}\"\n\n"
        "Credentials was made not to print its secret, so nobody has to remember to hide it.\n"
        "Now let it fail: put a letter into the port. Does the error tell the secret?"
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
