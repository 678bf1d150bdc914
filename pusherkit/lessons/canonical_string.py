"""Lesson 03, the canonical string: method, path and parameters, with real newlines between."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx
import ipywidgets

from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake, equals
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    Range,
    View,
    first_difference,
    name_byte,
    text_field,
)
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP, Practice
from pusherkit.lessons._progress import ProgressView
from pusherkit.lessons.kit.practice import COMPACT
from pusherkit.signing import AUTH_VERSION, canonical_string, hmac_sha256, sign

NOTEBOOK = "03-canonical-string"

Pair = tuple[str, str]

# The worked example of Pusher's HTTP API documentation.
METHOD = "POST"
PATH = "/apps/3/events"
SIGNED = sign(EXAMPLE_CREDENTIALS, METHOD, PATH, body=COMPACT, timestamp=EXAMPLE_TIMESTAMP)
QUERY = SIGNED.canonical_string.split("\n")[2]


def send(signature: str) -> httpx.Response:
    """Send the example's request to a practice server, under a signature."""
    return Practice().client.http.request(
        METHOD,
        PATH,
        params=(*SIGNED.params, ("auth_signature", signature)),
        content=COMPACT,
        auth=None,
    )


def signature_of(text: str) -> str:
    """What a text gives when it is signed as it stands."""
    return hmac_sha256(EXAMPLE_CREDENTIALS.secret, text)


# --- recall and prediction --------------------------------------------------------------------


def recall_order() -> Prediction:
    """From lesson 02: the order of the parameters."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        sent = (("room", "7"), ("Info", "user_count"))
        signed = sign(
            EXAMPLE_CREDENTIALS, "GET", PATH, sent, timestamp=EXAMPLE_TIMESTAMP
        ).canonical_string.split("\n")[2]
        keys = [pair.partition("=")[0] for pair in signed.split("&")]
        (right,) = [
            order
            for order, wanted in {
                "As they stand in the URL": [key for key, _ in sent],
                "Capitals first": ["Info", "room"],
                "Sorted by lower-case key": ["info", "room"],
            }.items()
            if wanted == [key for key in keys if not key.startswith("auth_")]
        ]
        return right, (Fact("Signed", signed),)

    return Prediction(
        "Recall: a URL ends in &room=7&Info=user_count. In which order are the two signed?",
        {
            "As they stand in the URL": "The order in the URL does not matter.",
            "Capitals first": "They would be, if the keys were sorted before they are lower-cased.",
            "Sorted by lower-case key": "One list, one order.",
        },
        run,
        "Keys in lower case first, then sorted.",
    )


def recall_body() -> Prediction:
    """From lesson 01: what stands for the body."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        text = SIGNED.canonical_string
        found = {
            "The body itself": COMPACT.decode(),
            "Its length": f"={len(COMPACT)}",
            "Its MD5": str(SIGNED.body_md5),
        }
        (right,) = [name for name, value in found.items() if value in text]
        return right, (Fact("Parameters", text.split("\n")[2]),)

    return Prediction(
        "Recall: what of the body stands in the text that is signed?",
        {
            "The body itself": "It can be 100 KB long. Something shorter stands for it.",
            "Its length": "Two bodies of one length would then have one signature.",
            "Its MD5": "32 digits, whatever the body is.",
        },
        run,
        "body_md5 is one of the parameters, and so the signature covers the body.",
    )


def predict() -> Prediction:
    """Does a backslash and an n, two characters, do for a newline?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        typed = SIGNED.canonical_string.replace("\n", r"\n")
        status = send(signature_of(typed)).status_code
        answers = {200: "It accepts the request", 401: "It refuses: 401"}
        return answers[status], (
            Fact("Signed", typed),
            Fact("Its size", size(typed)),
            Fact("The server signs", SIGNED.canonical_string),
            Fact("Size of that", size(SIGNED.canonical_string)),
        )

    return Prediction(
        r"Predict: the text is signed as it is printed, with \n in it. What does the server do?",
        {
            "It accepts the request": r"Between quotes in a program, \n becomes a newline. In a "
            "text that is typed or pasted, nothing turns it into one.",
            "It refuses: 401": "Two characters are not the one that is meant.",
        },
        run,
        "The server puts one character between two parts, the newline, byte 0x0a.",
    )


# --- the assembler ----------------------------------------------------------------------------

LITERAL = r"literal \n"
SEPARATORS = {"real newline": "\n", LITERAL: r"\n", "CRLF": "\r\n", "space": " "}
SHOWN_CHARACTERS = 1_000  # of a text; the first difference always lies before

_REASONS = {
    "real newline": "",
    LITERAL: "Between the parts stand two characters, a backslash and an n. Only a program's "
    "quotes make a newline of them.",
    "CRLF": "A carriage return stands before each newline. Here a line ends in a newline alone.",
    "space": "The parts are joined with spaces, not with newlines.",
}


def size(text: str) -> str:
    """How many lines, characters and bytes a text has."""
    lines = text.count("\n") + 1
    return (
        f"{lines} line{'' if lines == 1 else 's'}, {len(text):,} characters, "
        f"{len(text.encode()):,} bytes"
    )


def visible(text: str) -> str:
    """A text whose line ends and spaces can be seen, still broken into its lines."""
    return text.translate({10: "⏎\n", 13: "←", 9: "⇥", 32: "␣"})


def assembled(method: str, path: str, between: str, newline_at_end: bool = False) -> View:
    """The text that is made of these parts, and what a practice server says to its signature.

    `between` names one of SEPARATORS. The third part is always QUERY.
    """
    # Half an emoji cannot be encoded, and a field may hold one.
    method, path = (part.encode(errors="replace").decode() for part in (method, path))
    ours = SEPARATORS[between].join((method, path, QUERY)) + "\n" * newline_at_end
    theirs = SIGNED.canonical_string
    at = first_difference(ours.encode(), theirs.encode())
    response = send(signature_of(ours))
    said = response.json().get("error", response.text).partition(":")[0]
    facts = (
        Fact("Your text", *_shown(ours, at, "⏎ newline, ← carriage return, ␣ space.")),
        Fact("Its size", size(ours)),
        Fact(
            "In Python",
            _cut(repr(ours)),
            r"In a program's quotes, \n is a newline and \\ is one \.",
        ),
        Fact("The server's text", *_shown(theirs, at)),
        Fact("Size of that", size(theirs)),
        Fact(
            "First difference",
            "none: the bytes are the same"
            if at is None
            else f"byte {at}: you have {_byte(ours, at)}, the server has {_byte(theirs, at)}",
        ),
        Fact("Your signature", signature_of(ours)),
        Fact("The server's", SIGNED.hexdigest),
        Fact("Answer", f"{response.status_code} {said}"),
    )
    title = "The canonical string, put together"
    if response.status_code == 200:
        return View(title, facts, "Accepted: three lines, and the same bytes.", True)
    reasons = (
        _method_reason(method),
        _path_reason(path),
        _REASONS[between],
        "After the last parameter comes nothing, no newline either." if newline_at_end else "",
    )
    return View(title, facts, " ".join(filter(None, ("Refused.", *reasons))), False)


def _method_reason(method: str) -> str:
    if method == METHOD:
        return ""
    if method.strip().upper() != METHOD:
        return f"The request goes out as {METHOD}, and that is signed."
    return (
        "White space stands around the method."
        if method.upper() != METHOD
        else ("The method is signed in upper case.")
    )


def _path_reason(path: str) -> str:
    if path == PATH:
        return ""
    if "://" in path:
        return "The path stands without scheme and host."
    if "?" in path:
        return "The path ends before the question mark."
    if path == PATH + "/":
        return "The request goes to a path without a slash at its end."
    if path.strip() == PATH:
        return "White space stands around the path."
    return f"The request goes to {PATH}, and that is signed."


def _shown(text: str, at: int | None, why: str = "") -> tuple[str, str, tuple[Range, ...]]:
    """The value, explanation and marks of a Fact for a text whose byte `at` differs."""
    if at is None:
        return _cut(visible(text)), why, ()
    start = len(visible(text.encode()[:at].decode(errors="ignore")))
    return _cut(visible(text)), why, ((start, start + 1),)


_NAMED = {b"\n": "0x0a newline", b"\r": "0x0d carriage return", b"\\": "0x5c backslash"}


def _byte(text: str, at: int) -> str:
    body = text.encode()
    return _NAMED.get(body[at : at + 1]) or name_byte(body, at)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


class Assembler(Interactive):
    """Change a part, or what stands between two parts: see the text, and whether it is right."""

    def __init__(self) -> None:
        self.method = text_field("Method", METHOD)
        self.path = text_field("Path", PATH)
        # Buttons, as JupyterLab takes the arrow keys that a list would need.
        self.between = ipywidgets.ToggleButtons(
            options=list(SEPARATORS),
            value=LITERAL,
            description="Between the parts",
            style={"description_width": "auto", "button_width": "auto"},
        )
        self.at_end = ipywidgets.Checkbox(
            value=False, description="A newline at the end", indent=False
        )
        for control in (self.method, self.path, self.between, self.at_end):
            control.observe(lambda _: self.refresh(), names="value")
        super().__init__(
            [self.method, self.path, self.between, self.at_end],
            lambda: assembled(
                self.method.value, self.path.value, self.between.value, self.at_end.value
            ),
            twin=assembled(METHOD, PATH, LITERAL),
        )


def assembler() -> Assembler:
    """Three parts, and what stands between them."""
    return Assembler()


# --- the exercises ----------------------------------------------------------------------------

_LITERAL = (
    r"Between the parts stand two characters, a backslash and an n. Write '\n' without an r before "
    "the quote, and with one backslash."
)
_CRLF = (
    "A carriage return stands before each newline, as in a Windows file. "
    "Here a newline stands alone."
)
_AT_END = "A newline stands at the end. It belongs between two parts; after the last comes nothing."
_SPACE = "The parts are joined with spaces, as in a request line. Here newlines join them."
_QUESTION_MARK = (
    "A question mark stands between path and parameters, as in a URL. "
    "In the canonical string a newline stands there."
)
_NO_NEWLINE = (
    "Nothing stands between path and parameters. The parameters have a line of their own, so a "
    "newline comes first."
)
_METHOD_CASE = "The method is not in upper case. HTTP libraries take post; POST is signed."
_PER_LINE = (
    "Each parameter has a line of its own. All of them stand on the third line, joined with &."
)
_UNSORTED = "The parameters stand in the order in which they came. They are sorted by key."
_KEY_CASE = "A key has upper case. Write the keys in lower case, then sort."
_ENCODED = "The values are encoded, as in a URL. They are signed as they are."

_ACTIONS = ("events", "batch_events", "channels", "channels/lobby", "channels/presence-hall/users")
_WORDS = ("Two words", "Red, green", "A day, a night", "Left, then right")


def _some_path(chance: random.Random) -> str:
    return f"/apps/{chance.randrange(10, 10_000)}/{chance.choice(_ACTIONS)}"


def _some_auth(chance: random.Random) -> list[Pair]:
    return [
        ("auth_key", f"{chance.getrandbits(40):010x}"),
        ("auth_timestamp", str(EXAMPLE_TIMESTAMP + chance.randrange(10_000))),
        ("auth_version", AUTH_VERSION),
    ]


def _some_params(chance: random.Random) -> list[Pair]:
    """Unsorted; with a capital in a key, and values that encoding would change."""
    one, other = chance.sample(("Zone", "Mood", "Info", "Room"), 2)
    own = [(one, chance.choice(_WORDS)), (other.lower(), chance.choice(_WORDS))]
    return [*own, *reversed(_some_auth(chance))]


def _joined(params: list[Pair]) -> str:
    return "&".join(f"{key}={value}" for key, value in params)


def _lowered(params: list[Pair]) -> list[Pair]:
    return [(key.lower(), value) for key, value in params]


def _some_request(chance: random.Random) -> tuple[str, str, list[Pair]]:
    return chance.choice(("post", "get", "Post")), _some_path(chance), _some_params(chance)


def _but(old: str, new: str) -> Callable[..., str]:
    """The canonical string of a request, with something else in place of its newlines."""
    return lambda *request: canonical_string(*request).replace(old, new)


def _third_line(line: Callable[[list[Pair]], str]) -> Callable[..., str]:
    """The canonical string of a request, with another third line."""
    return lambda method, path, params: "\n".join((method.upper(), path, line(params)))


def _ordered(params: list[Pair]) -> list[Pair]:
    return sorted(_lowered(params))


prove_it = FunctionExercise(
    name="canonical_string.prove_it",
    task="The canonical string of any request, from its method, path and parameters.",
    given=_some_request,
    right=canonical_string,
    mistakes=(
        Mistake(_but("\n", r"\n"), _LITERAL),
        Mistake(_but("\n", "\r\n"), _CRLF),
        Mistake(lambda *request: canonical_string(*request) + "\n", _AT_END),
        Mistake(_but("\n", " "), _SPACE),
        Mistake(
            lambda method, path, params: f"{method.upper()}\n{path}?{_joined(_ordered(params))}",
            _QUESTION_MARK,
        ),
        Mistake(
            lambda method, path, params: f"{method.upper()}\n{path}{_joined(_ordered(params))}",
            _NO_NEWLINE,
        ),
        Mistake(
            lambda method, path, params: f"{method}\n{path}\n{_joined(_ordered(params))}",
            _METHOD_CASE,
        ),
        Mistake(_but("&", "\n"), _PER_LINE),
        Mistake(_third_line(lambda params: _joined(_lowered(params))), _UNSORTED),
        Mistake(_third_line(lambda params: _joined(sorted(params))), _KEY_CASE),
        Mistake(
            _third_line(lambda params: _joined(sorted(params, key=lambda pair: pair[0].lower()))),
            "The order is right, but a key has upper case. Write every key in lower case.",
        ),
        Mistake(_third_line(lambda params: urlencode(_ordered(params))), _ENCODED),
    ),
    hints=(
        "Three parts: the method in upper case, the path, the parameters as in lesson 02.",
        r"'\n'.join(['a', 'b', 'c']) is 'a\nb\nc': five characters on three lines.",
    ),
    solution=(
        "def prove_it(method, path, params):\n"
        "    ordered = sorted((key.lower(), value) for key, value in params)\n"
        "    query = '&'.join(f'{key}={value}' for key, value in ordered)\n"
        "    return '\\n'.join([method.upper(), path, query])\n\n"
        "Three parts, two newlines. join() puts them between the parts and nowhere else.\n"
        "Now go on to the next lesson, or read why it is so in this one."
    ),
)


def _some_parts(chance: random.Random) -> tuple[str, str, str]:
    return (
        chance.choice(("POST", "GET")),
        _some_path(chance),
        _joined(_ordered(_some_params(chance))),
    )


three_lines = FunctionExercise(
    name="canonical_string.three_lines",
    task="Three parts on three lines, with real newlines between them.",
    given=_some_parts,
    right=lambda *parts: "\n".join(parts),
    mistakes=(
        Mistake(lambda *parts: r"\n".join(parts), _LITERAL),
        Mistake(lambda *parts: "\r\n".join(parts), _CRLF),
        Mistake(lambda *parts: "".join(f"{part}\n" for part in parts), _AT_END),
        Mistake(lambda *parts: " ".join(parts), _SPACE),
        Mistake(lambda *parts: "".join(parts), "Nothing stands between the parts."),
        Mistake(lambda method, path, query: f"{method}\n{path}?{query}", _QUESTION_MARK),
        Mistake(lambda method, path, query: f"{method}\n{path}{query}", _NO_NEWLINE),
        Mistake(
            lambda *parts: "/n".join(parts),
            "Between the parts stand a slash and an n. The sign is a backslash, and even that "
            "must become a newline.",
        ),
    ),
    hints=(
        "A text has a method that joins a list. The text is what stands between.",
        "', '.join(['red', 'green', 'blue']) is 'red, green, blue'.",
    ),
    solution=(
        "def three_lines(method, path, query):\n"
        "    parts = [method, path, query]\n"
        "    return '\\n'.join(parts)\n\n"
        "In the quotes of a program, a backslash and an n are one character: the newline.\n"
        "Now write r'\\n' in its place. Predict what the check says, then run it."
    ),
)


def _some_url(chance: random.Random) -> tuple[str, str]:
    host = chance.choice(("https://ws-sa.mawjly.com", "https://push.example.com:8443"))
    query = urlencode(_some_auth(chance))
    return chance.choice(("post", "get", "Post")), f"{host}{_some_path(chance)}?{query}"


def _first_lines(method: str, url: str) -> str:
    return f"{method.upper()}\n{urlsplit(url).path}"


def _path_as(form: Callable[[Any], str]) -> Callable[[str, str], str]:
    """The first two lines, with the path in another form."""
    return lambda method, url: f"{method.upper()}\n{form(urlsplit(url))}"


first_lines = FunctionExercise(
    name="canonical_string.first_lines",
    task="The first two lines of the canonical string, for a method and a whole URL.",
    given=_some_url,
    right=_first_lines,
    mistakes=(
        Mistake(
            _path_as(lambda parts: str(parts.geturl())),
            "The whole URL stands there. The canonical string has the path alone: from the first "
            "slash after the host to the question mark.",
        ),
        Mistake(
            _path_as(lambda parts: f"{parts.scheme}://{parts.netloc}{parts.path}"),
            "Scheme and host stand before the path. Proxies change them, so they are not signed.",
        ),
        Mistake(
            _path_as(lambda parts: f"{parts.netloc}{parts.path}"),
            "The host stands before the path. It is not signed.",
        ),
        Mistake(
            _path_as(lambda parts: f"{parts.path}?{parts.query}"),
            "The query is still there. The path ends before the question mark; the parameters "
            "have a line of their own.",
        ),
        Mistake(
            _path_as(lambda parts: f"{parts.path}?"),
            "The question mark is still there. It parts path and query, and belongs to neither.",
        ),
        Mistake(
            _path_as(lambda parts: f"{parts.path}/"),
            "A slash stands at the end. The path is signed as it stands in the request, and "
            "there it has none.",
        ),
        Mistake(
            _path_as(lambda parts: str(parts.path).lstrip("/")),
            "The path lost the slash at its start.",
        ),
        Mistake(lambda method, url: f"{method}\n{urlsplit(url).path}", _METHOD_CASE),
        Mistake(lambda *given: _first_lines(*given).replace("\n", r"\n"), _LITERAL),
        Mistake(lambda *given: _first_lines(*given).replace("\n", "\r\n"), _CRLF),
        Mistake(lambda *given: _first_lines(*given).replace("\n", " "), _SPACE),
        Mistake(
            lambda *given: _first_lines(*given) + "\n",
            "A newline stands at the end. Only two lines are asked for, with one newline between.",
        ),
    ),
    hints=(
        "Two steps: the method in upper case, and the part of the URL that is the path.",
        "urlsplit('https://example.org/a/b?c=d') has .scheme, .netloc, .path and .query; "
        "its path is '/a/b'.",
    ),
    solution=(
        "def first_lines(method, url):\n"
        "    parts = urlsplit(url)\n"
        "    return method.upper() + '\\n' + parts.path\n\n"
        "Host and port are not signed, so a request may travel through a proxy.\n"
        "Now call it with a URL without a query, and with one that ends in a slash."
    ),
)


_LISTING = "auth_key=5f1e0c&auth_timestamp=1353088179&auth_version=1.0&info=user_count"

# Five texts for one request, GET /apps/9/channels. One of them is its canonical string.
TEXTS = {
    "A": f"GET\n/apps/9/channels\n{_LISTING}\n",
    "B": f"GET\\n/apps/9/channels\\n{_LISTING}",
    "C": f"GET\n/apps/9/channels?\n{_LISTING}",
    "D": f"GET\n/apps/9/channels\n{_LISTING}",
    "E": f"GET\r\n/apps/9/channels\r\n{_LISTING}",
}

which_text = Exercise(
    name="canonical_string.which_text",
    task="The letter of the text that a server would sign.",
    judge=equals("D"),
    right="D",
    mistakes=(
        Mistake("A", "A has a newline too many: look at its end."),
        Mistake(
            "B",
            r"B is one line. repr() writes \\ for one backslash, so its \\n is a backslash and "
            "an n.",
        ),
        Mistake("C", "C has a question mark at the end of its path."),
        Mistake("E", r"E has \r before each \n: a carriage return, one more byte on two lines."),
    ),
    hints=(
        r"repr() writes one newline as \n, and one backslash as \\.",
        r"print(repr('a\nb'), repr(r'a\nb')) prints 'a\nb' 'a\\nb': three characters, and four.",
    ),
    solution=(
        'right_text = "D"\n\n'
        r"Three lines, two newlines, nothing before and nothing after. repr() shows all of it."
        "\nNow print the five without repr(). Which of them can you still tell apart?"
    ),
)


def _some_request_line(chance: random.Random) -> tuple[str]:
    params = [*_some_params(chance), ("auth_signature", f"{chance.getrandbits(256):064x}")]
    chance.shuffle(params)
    while _decoded(params) == _ordered(_decoded(params)):
        chance.shuffle(params)
    method = chance.choice(("POST", "GET"))
    return (f"{method} {_some_path(chance)}?{urlencode(params)} HTTP/1.1",)


def _decoded(params: list[Pair]) -> list[Pair]:
    return [(key, value) for key, value in params if key != "auth_signature"]


def _server_side(line: Callable[[str], str]) -> Callable[[str], str]:
    """A reader of request lines that makes the third line in some way."""

    def read(request_line: str) -> str:
        method, target, _ = request_line.split(" ")
        path, _, query = target.partition("?")
        return f"{method}\n{path}\n{line(query)}"

    return read


def _raw(query: str) -> list[Pair]:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return _decoded([(key, value) for key, _, value in pairs])


_as_the_server = _server_side(lambda query: _joined(_ordered(_decoded(parse_qsl(query)))))

as_the_server = FunctionExercise(
    name="canonical_string.as_the_server",
    task="The canonical string as a server makes it, from the first line of an HTTP request.",
    given=_some_request_line,
    right=_as_the_server,
    mistakes=(
        Mistake(
            _server_side(lambda query: query),
            "The third line is the query as it stands in the URL. Decode it, leave out "
            "auth_signature, lower-case the keys, sort.",
        ),
        Mistake(
            _server_side(lambda query: _joined(_ordered(_raw(query)))),
            "The values are still encoded. A server decodes them before it signs.",
        ),
        Mistake(
            _server_side(lambda query: _joined(_ordered(_raw(unquote(query))))),
            "The %XX are decoded, but a space is still +. In a query, + means a space.",
        ),
        Mistake(
            _server_side(lambda query: _joined(_lowered(_decoded(parse_qsl(query))))), _UNSORTED
        ),
        Mistake(_server_side(lambda query: _joined(sorted(_decoded(parse_qsl(query))))), _KEY_CASE),
        Mistake(
            _server_side(lambda query: _joined(_ordered(parse_qsl(query)))),
            "auth_signature is in it. It was made from this text, so it cannot be part of it.",
        ),
        Mistake(
            lambda line: _as_the_server(line).replace("\n", "?").replace("?", "\n", 1),
            _QUESTION_MARK,
        ),
        Mistake(lambda line: _as_the_server(line).replace("\n", r"\n"), _LITERAL),
        Mistake(lambda line: _as_the_server(line) + "\n", _AT_END),
        Mistake(
            lambda line: _as_the_server(line) + " HTTP/1.1",
            "HTTP/1.1 is still there. The version of HTTP is not signed.",
        ),
    ),
    hints=(
        "The line has three parts with spaces between. The second holds path and query.",
        "method, target, version = line.split(' '), then path, _, query = target.partition('?').",
        "parse_qsl('B=x+y&a=1%2C2') is [('B', 'x y'), ('a', '1,2')]: split and decoded.",
    ),
    solution=(
        "def as_the_server(request_line):\n"
        "    method, target, version = request_line.split(' ')\n"
        "    path, _, query = target.partition('?')\n"
        "    kept = [(k, v) for k, v in parse_qsl(query) if k != 'auth_signature']\n"
        "    ordered = sorted((k.lower(), v) for k, v in kept)\n"
        "    return '\\n'.join([method, path, '&'.join(f'{k}={v}' for k, v in ordered)])\n\n"
        "Client and server begin with different things and end with the same bytes.\n"
        "Now think: which of your lines would break if a proxy sorted the query on its way?"
    ),
)


def _broken(method: str, path: str, query: str) -> str:
    return f"\n{method}\n{path}\n{query}\n"


def _some_tail(chance: random.Random) -> tuple[str, str, str]:
    """Three parts; the last value ends in a space, as what people type does at times."""
    method, path, query = _some_parts(chance)
    return method, path, f"{query}&zzz=typed by hand "


mend = FunctionExercise(
    name="canonical_string.mend",
    task="Three lines, and not a byte before, between or after them that does not belong.",
    given=_some_tail,
    right=lambda *parts: "\n".join(parts),
    mistakes=(
        Mistake(
            _broken,
            "This is still the broken text: a newline before the method, and one after the "
            "parameters.",
        ),
        Mistake(
            lambda *parts: _broken(*parts).lstrip(),
            "The newline at the start is gone, the one at the end is still there.",
        ),
        Mistake(
            lambda *parts: _broken(*parts).removesuffix("\n"),
            "The newline at the end is gone, the one at the start is still there.",
        ),
        Mistake(
            lambda *parts: _broken(*parts).strip(),
            "strip() takes away all white space at both ends. Here a value ends in a space, and "
            "that was signed. Do not repair the text; put it together without the newlines.",
        ),
        Mistake(lambda *parts: r"\n".join(parts), _LITERAL),
        Mistake(
            lambda *parts: "\n    ".join(parts),
            "The second and the third line begin with spaces. Inside triple quotes, indentation "
            "is part of the text.",
        ),
    ),
    hints=(
        "print(repr(…)) shows what print(…) hides. How many newlines are there? Two belong there.",
        "f'{a}-{b}' begins with a and ends with b. Between triple quotes, so does a text that "
        "starts right after the opening quotes and stops right before the closing ones.",
    ),
    solution=(
        "def to_sign(method, path, query):\n"
        "    return f'{method}\\n{path}\\n{query}'\n\n"
        "Triple quotes keep every newline between them, the first and the last too.\n"
        "Now say where your editor or your shell adds a newline at the end without asking."
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
