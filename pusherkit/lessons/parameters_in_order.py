"""Lesson 02, parameters in order: which are signed, in which order, in which form."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import httpx
import ipywidgets

from pusherkit.lessons._exercise import Exercise, FunctionExercise, Mistake, difference, equals
from pusherkit.lessons._interactive import (
    Fact,
    Interactive,
    Prediction,
    View,
    button,
    first_difference,
    mark_at,
    name_byte,
)
from pusherkit.lessons._practice import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP, Practice
from pusherkit.lessons._progress import ProgressView
from pusherkit.signing import AUTH_VERSION, body_digest, canonical_string, hmac_sha256, sign

NOTEBOOK = "02-parameters-in-order"

Pair = tuple[str, str]

# One request: a body that is not ASCII, and two parameters of its own. One of them has an upper
# case key and a space in its value, the other a comma: what the documentation's example lacks.
PATH = "/apps/3/events"
BODY = r'{"name":"greet","channels":["project-3"],"data":"{\"msg\":\"Zażółć ☕\"}"}'.encode()
# Its parameters as some code wrote them into the URL, without auth_signature.
WRITTEN: tuple[Pair, ...] = (
    ("auth_key", EXAMPLE_CREDENTIALS.key),
    ("auth_version", AUTH_VERSION),
    ("Name", "Something else"),
    ("auth_timestamp", str(EXAMPLE_TIMESTAMP)),
    ("body_md5", body_digest(BODY)),
    ("info", "user_count,subscription_count"),
)


def send(query: Iterable[Pair]) -> httpx.Response:
    """Send BODY to a practice server, with these parameters in the URL, in this order."""
    return Practice().client.http.request(
        "POST", PATH, params=tuple(query), content=BODY, auth=None
    )


# --- recall and prediction --------------------------------------------------------------------


def recall_bytes() -> Prediction:
    """From lesson 01: characters and bytes."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        body = "é".encode()
        return str(len(body)), (Fact("On the wire", body.hex(" ")),)

    return Prediction(
        "Recall: a body holds the letter é as it is. How many bytes is it on the wire?",
        {
            "1": "It is one character.",
            "2": "One character, two bytes.",
            "6": r"Six bytes would be the escape \u00e9. Here the letter stands as it is.",
        },
        run,
        "The digest is of the bytes in UTF-8, and there é has two.",
    )


def recall_secret() -> Prediction:
    """From lesson 00: what goes out, and what stays."""

    def run() -> tuple[str, tuple[Fact, ...]]:
        credentials = EXAMPLE_CREDENTIALS
        signature = sign(credentials, "POST", PATH, body=BODY, timestamp=EXAMPLE_TIMESTAMP)
        url = send(signature.query).request.url.raw_path.decode()
        values = dict(signature.query) | {"the secret": credentials.secret}
        (missing,) = [
            name
            for name in ("auth_key", "auth_signature", "body_md5", "the secret")
            if values[name] not in url
        ]
        return missing, (Fact("URL, as it was sent", url),)

    return Prediction(
        "Recall: which of these is not in the URL of a signed request?",
        {
            "auth_key": "The key is public. It tells the server which app is asking.",
            "auth_signature": "It is what the server compares with its own.",
            "body_md5": "The digest travels with the body that it is of.",
            "the secret": "Both sides have it, so it need not travel.",
        },
        run,
        "The secret is the key of the HMAC. Only what was made with it goes out.",
    )


def predict() -> Prediction:
    """Does another order in the URL break a signed request?"""

    def run() -> tuple[str, tuple[Fact, ...]]:
        signature = sign(
            EXAMPLE_CREDENTIALS, "POST", PATH, WRITTEN, BODY, timestamp=EXAMPLE_TIMESTAMP
        )
        first, second, *rest = signature.query
        status = send((second, first, *rest)).status_code
        answers = {200: "It accepts the request", 401: "It refuses: 401", 400: "It refuses: 400"}
        return answers[status], (
            Fact("Signed", " · ".join(key for key, _ in (first, second))),
            Fact("In the URL", " · ".join(key for key, _ in (second, first))),
            Fact("Status", str(status)),
        )

    return Prediction(
        "Predict: two parameters of a signed request change places in the URL. What does the "
        "server do?",
        {
            "It accepts the request": "The order in the URL is not the order that is signed.",
            "It refuses: 401": "It would, if the URL were signed as it stands. It is not.",
            "It refuses: 400": "400 is for content that breaks a rule. No rule is about the order "
            "in a URL.",
        },
        run,
        "Before it signs, the server sorts what arrived. So every order in the URL leads to the "
        "same signed text.",
    )


# --- the list to put in order -----------------------------------------------------------------

SIGNATURE_ROW: Pair = ("auth_signature", "")  # empty, as at signing time there is none yet
_FIRST_CHOSEN = "Name"
_IN_PLACE = "✓ in place"
_OUT_OF_PLACE = "✗ out of place"
_NOT_SIGNED = "✗ not signed"


def places(rows: Iterable[Pair]) -> list[str]:
    """For each row of a list, whether it stands where it is signed."""
    rows = list(rows)
    signed = [key.lower() for key, _ in rows if key != "auth_signature"]
    right = iter(zip(signed, sorted(signed), strict=True))
    marks = []
    for key, _ in rows:
        if key == "auth_signature":
            marks.append(_NOT_SIGNED)
        else:
            here, wanted = next(right)
            marks.append(_IN_PLACE if here == wanted else _OUT_OF_PLACE)
    return marks


def signed_from(
    rows: Iterable[Pair], *, chosen: str = "", lower: bool = False, encode: bool = False
) -> View:
    """What a list of parameters gives when it is signed as it stands, and what comes of it."""
    rows = list(rows)
    marks = places(rows)
    shown = [
        (key.lower() if lower else key, quote(value, safe="") if encode else value)
        for key, value in rows
    ]
    ours = "&".join(f"{key}={value}" for key, value in shown)
    theirs = canonical_string("POST", PATH, WRITTEN).split("\n")[2]
    our_signature, their_signature = (
        hmac_sha256(EXAMPLE_CREDENTIALS.secret, f"POST\n{PATH}\n{query}")
        for query in (ours, theirs)
    )
    response = send((*WRITTEN, ("auth_signature", our_signature)))
    accepted = response.status_code == 200
    at = first_difference(ours.encode(), theirs.encode())
    said = response.json().get("error", response.text).partition(":")[0]
    facts = (
        Fact(
            "Your list",
            "\n".join(
                f"{'→' if key == chosen else ' '} {number}  {mark:<16}{key.lower():<16}"
                f"{name}={value}"
                for number, (mark, (key, _), (name, value)) in enumerate(
                    zip(marks, rows, shown, strict=True), start=1
                )
            ),
            "→ is the chosen row. Each row: its place, its sort key, and what it adds to the text.",
        ),
        Fact("You sign", ours, "Your rows, joined with &.", mark_at(ours.encode(), at)),
        Fact(
            "The server signs",
            theirs,
            "From the parameters that arrive: decoded, keys in lower case, sorted by key.",
            mark_at(theirs.encode(), at),
        ),
        Fact(
            "First difference",
            "none: the bytes are the same"
            if at is None
            else f"byte {at}: you have {name_byte(ours.encode(), at)}, "
            f"the server has {name_byte(theirs.encode(), at)}",
        ),
        Fact("Your signature", our_signature),
        Fact("The server's", their_signature),
        Fact(
            "URL",
            response.request.url.raw_path.decode(),
            "The order in which the code wrote it, and encoded. Your list does not change it.",
        ),
        Fact("Answer", f"{response.status_code} {said}"),
    )
    if accepted:
        status = "Accepted. The URL has another order than the signed text, and that is allowed."
    else:
        status = " ".join(("Refused.", *_reasons(marks, shown, encode=encode)))
    return View("Parameters, in the order in which they are signed", facts, status, accepted)


def _reasons(marks: list[str], shown: list[Pair], *, encode: bool) -> list[str]:
    reasons = []
    if out := marks.count(_OUT_OF_PLACE):
        reasons.append(f"{out} rows are out of place.")
    if _NOT_SIGNED in marks:
        reasons.append("auth_signature is made from this text, so it cannot be in it.")
    reasons += [f"The key {key} is not in lower case." for key, _ in shown if key != key.lower()]
    if encode:
        reasons.append("The values are encoded.")
    return reasons


def moved(rows: Iterable[Pair], key: str, step: int) -> list[Pair]:
    """A list with one row further up (step -1) or down (step 1). At its ends, nothing moves."""
    rows = list(rows)
    at = [each for each, _ in rows].index(key)
    to = min(max(at + step, 0), len(rows) - 1)
    rows.insert(to, rows.pop(at))
    return rows


class Reorder(Interactive):
    """Choose a parameter, move it up or down, and see what is signed and whether it fits."""

    def __init__(self) -> None:
        self.rows = list(WRITTEN)
        # Buttons, as JupyterLab takes the arrow keys that a list box or radio buttons would need.
        self.chosen = ipywidgets.ToggleButtons(
            options=[key for key, _ in WRITTEN],
            value=_FIRST_CHOSEN,
            description="Parameter",
            style={"description_width": "auto", "button_width": "auto"},
        )
        self.up = button("Move up", lambda: self.move(-1))
        self.down = button("Move down", lambda: self.move(1))
        self.lower = _checkbox("Keys in lower case")
        self.encode = _checkbox("Encode the values")
        self.include = _checkbox("Sign auth_signature too")
        self.include.observe(lambda _: self._include(), names="value")
        for control in (self.chosen, self.lower, self.encode):
            control.observe(lambda _: self.refresh(), names="value")
        below = ipywidgets.Box([self.up, self.down, self.lower, self.encode, self.include])
        below.layout.flex_flow = "row wrap"
        below.layout.align_items = "center"
        super().__init__(
            [self.chosen, below],
            lambda: signed_from(
                self.rows,
                chosen=self.chosen.value,
                lower=self.lower.value,
                encode=self.encode.value,
            ),
            twin=signed_from(WRITTEN, chosen=_FIRST_CHOSEN),
        )

    def move(self, step: int) -> None:
        """What the two buttons do with the chosen row."""
        self.rows = moved(self.rows, self.chosen.value, step)
        self.refresh()

    def _include(self) -> None:
        extra = (SIGNATURE_ROW,) if self.include.value else ()
        self.rows = [*(row for row in self.rows if row != SIGNATURE_ROW), *extra]
        kept = self.chosen.value if self.chosen.value in dict(self.rows) else _FIRST_CHOSEN
        with self.chosen.hold_sync():
            self.chosen.options = [key for key, _ in WRITTEN + extra]
            self.chosen.value = kept
        self.refresh()


def _checkbox(label: str) -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(
        value=False,
        description=label,
        indent=False,
        layout=ipywidgets.Layout(width="max-content", margin="2px 0 2px 14px"),
    )


def reorder() -> Reorder:
    """Six parameters to put in order."""
    return Reorder()


# --- the exercises ----------------------------------------------------------------------------

Line = Callable[[list[Pair]], str]


def _kept(params: Iterable[Pair]) -> list[Pair]:
    return [(key, value) for key, value in params if key != "auth_signature"]


def _lowered(params: Iterable[Pair]) -> list[Pair]:
    return [(key.lower(), value) for key, value in params]


def _in_order(params: Iterable[Pair]) -> list[Pair]:
    return sorted(_lowered(_kept(params)))


def _joined(params: Iterable[Pair]) -> str:
    return "&".join(f"{key}={value}" for key, value in params)


def _joined_with(form: Callable[[str], str]) -> Line:
    """Join pairs, each value in some form."""
    return lambda params: "&".join(f"{key}={form(value)}" for key, value in params)


def _joined_first(params: Iterable[Pair]) -> str:
    return "&".join(sorted(f"{key}={value}" for key, value in params))


def _percent(value: str) -> str:
    return quote(value, safe="")


_CAPITALS = ("Info", "Room", "Zone", "Mood", "Lang")
_ALIKE = (("page", "page2"), ("tag", "tag2"), ("seat", "seat2"))
_VALUES = ("Two words", "Red, Green", "A day, a night", "Left, then right", "The last one")


def _some_request(chance: random.Random, *own: str) -> tuple[list[Pair]]:
    """The parameters of a request without a body, `own` among them, none in its place by chance.

    Values have capitals, spaces and commas, so that every change to them shows.
    """
    right = [
        ("auth_key", f"{chance.getrandbits(40):010x}"),
        ("auth_signature", f"{chance.getrandbits(256):064x}"),
        ("auth_timestamp", str(EXAMPLE_TIMESTAMP + chance.randrange(10_000))),
        ("auth_version", AUTH_VERSION),
        *zip(own, chance.sample(_VALUES, len(own)), strict=True),
    ]
    params = right[:]
    while any(a == b for a, b in zip(params, right, strict=True)):
        chance.shuffle(params)
    return (params,)


def _some_params(chance: random.Random) -> tuple[list[Pair]]:
    """Parameters that trip every known mistake.

    Among them a key with a capital, and two keys of which one begins with the other: as text,
    tag2=… sorts before tag=….
    """
    return _some_request(chance, chance.choice(_CAPITALS), *chance.choice(_ALIKE))


def _without(name: str, params: Iterable[Pair]) -> list[Pair]:
    return [(key, value) for key, value in params if key != name]


_UNSORTED = "The pairs stand in the order in which they came. Sort them by key."
_BY_VALUE = "The pairs are sorted by value. The key decides."
_SIGNATURE_IN = (
    "auth_signature is in it. It is made from this text, so it cannot be part of it. Leave it out."
)
_NO_VERSION = (
    "auth_version is missing. It is always 1.0, and it is signed all the same. "
    "Only auth_signature is left out."
)
_CASE_KEPT = "The order is right, but a key has upper case. Write every key in lower case."
_CASE_SORTED = (
    "The keys were sorted before they were in lower case. Capitals sort before all small letters. "
    "Lower-case first, then sort."
)
_CASE_IGNORED = (
    "A key has upper case, and so it sorted before all small letters. "
    "Write every key in lower case, then sort."
)
_JOINED_FIRST = (
    "The pairs were joined before they were sorted. As text, a2=… comes before a=…, because the "
    "digit sorts before the equals sign. Sort by key, then join."
)
_PERCENT = (
    "The values are encoded: a space became %20, a comma %2C. That belongs in the URL only. "
    "Sign the values as they are."
)
_PLUS = (
    "The values are encoded as in a form: a space became +, a comma %2C. "
    "Sign the values as they are."
)


prove_it = FunctionExercise(
    name="parameters_in_order.prove_it",
    task="The parameters of any request as one text, ready to be signed.",
    given=_some_params,
    right=lambda params: _joined(_in_order(params)),
    mistakes=(
        Mistake(lambda params: _joined(_lowered(_kept(params))), _UNSORTED),
        Mistake(
            lambda params: _joined(sorted(_lowered(_kept(params)), key=lambda pair: pair[1])),
            _BY_VALUE,
        ),
        Mistake(lambda params: _joined(sorted(_lowered(params))), _SIGNATURE_IN),
        Mistake(lambda params: _joined(_without("auth_version", _in_order(params))), _NO_VERSION),
        Mistake(
            lambda params: _joined(sorted(_kept(params), key=lambda pair: pair[0].lower())),
            _CASE_KEPT,
        ),
        Mistake(lambda params: _joined(_lowered(sorted(_kept(params)))), _CASE_SORTED),
        Mistake(lambda params: _joined(sorted(_kept(params))), _CASE_IGNORED),
        Mistake(lambda params: _joined_with(_percent)(_in_order(params)), _PERCENT),
        Mistake(lambda params: _joined_with(quote_plus)(_in_order(params)), _PLUS),
        Mistake(
            lambda params: urlencode(sorted(params)),
            "This is the query of the URL: encoded, with auth_signature, keys as they came. "
            "The signed text has none of the three.",
        ),
        Mistake(lambda params: _joined_first(_in_order(params)), _JOINED_FIRST),
    ),
    hints=(
        "Four steps: leave one out, lower-case the keys, sort by key, join. Values stay.",
        "[('B', 'x, y'), ('a', '1')] becomes 'a=1&b=x, y'.",
    ),
    solution=(
        "def prove_it(params: list[tuple[str, str]]) -> str:\n"
        "    kept = [(k, v) for k, v in params if k != 'auth_signature']\n"
        "    ordered = sorted((k.lower(), v) for k, v in kept)\n"
        "    return '&'.join(f'{k}={v}' for k, v in ordered)\n\n"
        "Every step takes away one freedom that a URL has, so that one text is left.\n"
        "Now go on to the next lesson, or read why it is so in this one."
    ),
)


def _some_ordered(chance: random.Random) -> tuple[list[Pair]]:
    """Pairs that need nothing but joining."""
    return (_in_order(_some_params(chance)[0]),)


joined = FunctionExercise(
    name="parameters_in_order.joined",
    task="Pairs in the right order, joined to one text.",
    given=_some_ordered,
    right=_joined,
    mistakes=(
        Mistake(_joined_with(_percent), _PERCENT),
        Mistake(_joined_with(quote_plus), _PLUS),
        Mistake(
            lambda params: "\n".join(f"{key}={value}" for key, value in params),
            "The pairs are joined with newlines. Between parameters stands &. "
            "All of them are one line of the canonical string.",
        ),
        Mistake(
            lambda params: "?" + _joined(params),
            "A question mark stands before the first pair. It parts path and query in a URL; "
            "the signed text has none.",
        ),
        Mistake(
            lambda params: "".join(f"{key}={value}&" for key, value in params),
            "An & stands after the last pair. It belongs between two pairs only.",
        ),
        Mistake(
            lambda params: "&".join(value for _, value in params),
            "The keys are missing. Each parameter is key=value.",
        ),
    ),
    hints=(
        "Two joints: = between a key and its value, & between two pairs.",
        "'; '.join(f'{day}: {hour}' for day, hour in [('Mon', 9), ('Tue', 8)]) is "
        "'Mon: 9; Tue: 8'.",
    ),
    solution=(
        "def joined(pairs: list[tuple[str, str]]) -> str:\n"
        "    return '&'.join(f'{key}={value}' for key, value in pairs)\n\n"
        "No function for URLs is at work here: it would encode the values.\n"
        "Now call it with one pair, and with none. Which texts should come back?"
    ),
)


def _some_five(chance: random.Random) -> tuple[list[Pair]]:
    """Five parameters to sign, and auth_signature."""
    return _some_request(chance, chance.choice(_CAPITALS), chance.choice(_ALIKE)[0])


ordered = FunctionExercise(
    name="parameters_in_order.ordered",
    task="The pairs that are signed: keys in lower case, sorted by key.",
    given=_some_five,
    right=_in_order,
    mistakes=(
        Mistake(lambda params: _lowered(_kept(params)), _UNSORTED),
        Mistake(
            lambda params: sorted(_lowered(_kept(params)), key=lambda pair: pair[1]), _BY_VALUE
        ),
        Mistake(lambda params: sorted(_kept(params), key=lambda pair: pair[0].lower()), _CASE_KEPT),
        Mistake(lambda params: _lowered(sorted(_kept(params))), _CASE_SORTED),
        Mistake(lambda params: sorted(_kept(params)), _CASE_IGNORED),
        Mistake(
            lambda params: sorted((key.lower(), value.lower()) for key, value in _kept(params)),
            "The values are in lower case too. Only the keys change; a value is signed as it is.",
        ),
        Mistake(lambda params: sorted(_lowered(params)), _SIGNATURE_IN),
        Mistake(
            lambda params: [key for key, _ in _in_order(params)],
            "These are the keys alone. Return pairs: each key with its value.",
        ),
    ),
    hints=(
        "Two steps, in this order: a list of pairs with key.lower(), then sorted().",
        "sorted((name.upper(), age) for name, age in [('bo', 3), ('Al', 5)]) is "
        "[('AL', 5), ('BO', 3)].",
    ),
    solution=(
        "def ordered(params: list[tuple[str, str]]) -> list[tuple[str, str]]:\n"
        "    kept = [(key, value) for key, value in params if key != 'auth_signature']\n"
        "    return sorted((key.lower(), value) for key, value in kept)\n\n"
        "sorted() compares pairs by their first part, the key. Lower case comes before sorting.\n"
        "Now exchange the two steps, predict what becomes of a key with a capital, and check."
    ),
)


# The query of a request without a body, decoded, as it arrives at a server.
_LISTING = sign(
    EXAMPLE_CREDENTIALS,
    "GET",
    "/apps/3/channels",
    (("filter_by_prefix", "room-"), ("info", "subscription_count")),
    timestamp=EXAMPLE_TIMESTAMP,
)
QUERY: tuple[Pair, ...] = tuple(_LISTING.query[place] for place in (2, 3, 5, 0, 4, 1))

unsigned = Exercise(
    name="parameters_in_order.unsigned",
    task="The key of the one parameter that is sent and not signed.",
    judge=equals("auth_signature"),
    right="auth_signature",
    mistakes=(
        Mistake("auth_key", "The key is public, and signed all the same."),
        Mistake(
            "auth_timestamp",
            "The timestamp is signed. Were it not, anybody could make an old request young.",
        ),
        Mistake("auth_version", "It is 1.0 in every request, and signed in every request."),
        Mistake(
            "filter_by_prefix",
            "A request's own parameters are signed too. Were they not, anybody could change "
            "the question on its way.",
        ),
        Mistake(
            "info",
            "Every parameter of your own is signed, whether the server needs it or not.",
        ),
        Mistake(
            "body_md5",
            "This request has no body, so it has no body_md5 to send. Look at the six.",
        ),
        Mistake("secret", "The secret is no parameter: it is never sent. Look at the six."),
    ),
    hints=(
        "Which of the six is not known yet when the text to sign is put together?",
        "A bill has items and a total. The total is made from the items, so it is not one of the "
        "items that are added up.",
    ),
    solution=(
        'not_signed = "auth_signature"\n\n'
        "It is the HMAC of the canonical string. A text cannot hold its own HMAC.\n"
        "Now think of a new parameter of your own. Is it signed? It is, and so is the next."
    ),
)


Request = tuple[str, int, bytes, list[Pair]]

# With a body, and without one. The parameters of their own sort before, between and after.
_REQUESTS: tuple[Request, ...] = (
    ("5f1e0c", 1_700_000_123, b'{"name":"tick","channel":"clock","data":"12"}', []),
    ("5f1e0c", 1_700_000_456, b"", [("Zone", "Oslo, N"), ("zone2", "Rome"), ("after", "noon")]),
    ("77aa31", 1_700_000_789, b"{}", [("Block", "a b"), ("after", "one, two")]),
)


def _on_requests(answer: Any) -> Any:
    done = [answer(key, at, body, list(own)) for key, at, body, own in _REQUESTS]
    return ... if any(each is ... for each in done) else done


def _auth(key: str, timestamp: int) -> list[Pair]:
    return [
        ("auth_key", key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", AUTH_VERSION),
    ]


def _digest(body: bytes) -> list[Pair]:
    return [("body_md5", body_digest(body))]


def _signed_query(key: str, timestamp: int, body: bytes, own: list[Pair]) -> str:
    digest = _digest(body) if body else []
    return _joined(_in_order([*_auth(key, timestamp), *digest, *own]))


def _judge_requests(done: list[Any]) -> tuple[str, tuple[Fact, ...]] | None:
    for request, received in zip(_REQUESTS, done, strict=True):
        expected = _signed_query(*request)
        if type(received) is not str or received != expected:
            message, facts = difference(expected, received)
            names = ("key", "timestamp", "body", "own")
            called = "\n".join(
                f"{name} = {value!r}" for name, value in zip(names, request, strict=True)
            )
            return message, (Fact("Called with", called), *facts)
    return None


signed_query = Exercise(
    name="parameters_in_order.signed_query",
    task="All that is signed of a request's parameters, from key, timestamp, body and its own.",
    perform=_on_requests,
    judge=_judge_requests,
    right=_signed_query,
    mistakes=(
        Mistake(
            lambda key, at, body, own: _joined(_in_order([*_auth(key, at), *_digest(body), *own])),
            "body_md5 is always there. A request without a body has none: there is nothing to "
            "hash.",
        ),
        Mistake(
            lambda key, at, body, own: _joined(_in_order([*_auth(key, at), *own])),
            "body_md5 is missing where there is a body. Without it anybody could change the body.",
        ),
        Mistake(
            lambda key, at, body, own: _joined(
                _without("auth_version", _split(_signed_query(key, at, body, own)))
            ),
            _NO_VERSION,
        ),
        Mistake(
            lambda key, at, body, own: _signed_query(key, at, body, []),
            "The request's own parameters are missing. They are signed like all others.",
        ),
        Mistake(
            lambda key, at, body, own: _joined(
                [*_split(_signed_query(key, at, body, [])), *_lowered(own)]
            ),
            "The request's own parameters come last. There is one list, sorted as a whole.",
        ),
        Mistake(
            lambda key, at, body, own: _joined(
                sorted([*_split(_signed_query(key, at, body, [])), *own])
            ),
            _CASE_IGNORED,
        ),
        Mistake(
            lambda key, at, body, own: _joined_first(_split(_signed_query(key, at, body, own))),
            _JOINED_FIRST,
        ),
        Mistake(
            lambda key, at, body, own: _joined_with(_percent)(
                _split(_signed_query(key, at, body, own))
            ),
            _PERCENT,
        ),
        Mistake(
            lambda key, at, body, own: urlencode(_split(_signed_query(key, at, body, own))), _PLUS
        ),
    ),
    hints=(
        "Begin with a list of three pairs. Add a fourth where there is a body. Add its own.",
        "Bytes that are empty count as false: `if body:` holds for a body of one byte or more.",
        "params = [('b', 'x')]; params += [('A', 'y')]; sorted((k.lower(), v) for k, v in params) "
        "is [('a', 'y'), ('b', 'x')].",
    ),
    solution=(
        "def signed_query(key, timestamp, body, own):\n"
        "    params = [('auth_key', key), ('auth_timestamp', timestamp), ('auth_version', '1.0')]\n"
        "    if body:\n"
        "        params.append(('body_md5', hashlib.md5(body).hexdigest()))\n"
        "    ordered = sorted((k.lower(), v) for k, v in params + own)\n"
        "    return '&'.join(f'{k}={v}' for k, v in ordered)\n\n"
        "auth_signature is not left out here: it is not there yet. That is the usual way to sign.\n"
        "Now give it a parameter named after_all. Predict where it lands, then look."
    ),
)


def _split(text: str) -> list[Pair]:
    """Back from a joined text to its pairs."""
    pairs = (pair.partition("=") for pair in text.split("&"))
    return [(key, value) for key, _, value in pairs]


def _some_small(chance: random.Random) -> tuple[list[Pair]]:
    """What the broken function gets: lower-case keys, no auth_signature, values of every kind."""
    values = ("user_count,subscription_count", f"{chance.randrange(10, 99)} % off ☕", "a+b c", "1")
    own = zip(("info", "note", "sum", "sum2"), values, strict=True)
    params = [*_auth(f"{chance.getrandbits(40):010x}", EXAMPLE_TIMESTAMP), *own]
    chance.shuffle(params)
    return (params,)


mend = FunctionExercise(
    name="parameters_in_order.mend",
    task="The text to sign stays right when a value holds a space, a comma, a plus or an emoji.",
    given=_some_small,
    right=lambda params: _joined(sorted(params)),
    mistakes=(
        Mistake(
            lambda params: urlencode(sorted(params)),
            "This is still the broken function: urlencode writes a space as + and a comma as %2C.",
        ),
        Mistake(
            lambda params: urlencode(sorted(params), quote_via=quote),
            "Now a space is %20. It is still encoded, and so is the comma.",
        ),
        Mistake(
            lambda params: urlencode(sorted(params), quote_via=quote, safe=" ,"),
            "Space and comma are left alone now, but %, + and ☕ are encoded. No list of "
            "exceptions is long enough. Join the pairs yourself.",
        ),
        Mistake(
            lambda params: urlencode(sorted(params)).replace("+", " "),
            "The spaces are back, the other characters are still encoded: look at the comma. "
            "Do not encode in the first place.",
        ),
        Mistake(
            lambda params: _joined_with(lambda value: value.replace(" ", "+"))(sorted(params)),
            "A space became +. In the signed text a space is a space.",
        ),
        Mistake(_joined_first, _JOINED_FIRST),
        Mistake(
            _joined,
            "Nothing is encoded any more, and nothing is sorted either. Sort by key, then join.",
        ),
    ),
    hints=(
        "sorted(params) is right. What does urlencode do, beside joining with = and &?",
        "urlencode([('q', 'x y')]) is 'q=x+y'. The signed text is 'q=x y'.",
    ),
    solution=(
        "def to_sign(params: list[tuple[str, str]]) -> str:\n"
        "    return '&'.join(f'{key}={value}' for key, value in sorted(params))\n\n"
        "urlencode is for the URL. What is signed are the values before they were encoded.\n"
        "Now say which requests the broken function signs rightly. Would your tests have them all?"
    ),
)


def progress() -> ProgressView:
    """What is passed in this lesson."""
    return ProgressView(sys.modules[__name__])
