"""Lesson 03, the canonical string: the script in the wiki prints the right text and is refused."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx

from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
    Explorer,
    Fact,
    Lesson,
    Picture,
    Practice,
    View,
    Wrong,
    button,
    choice,
    difference,
    first_difference,
    gesture,
    name_byte,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import group, handle, rect, text
from pusherkit.signing import AUTH_VERSION, hmac_sha256, sign

lesson = Lesson("03-canonical-string", title="The canonical string", stages=(4,))
map = lesson.map
recall = lesson.recall_card

Pair = tuple[str, str]

# What the script in the wiki sends: a status for order 41.
BODY = rb'{"name":"status","channel":"order-41","data":"{\"status\":\"delivered\"}"}'
SIGNED = sign(EXAMPLE_CREDENTIALS, "POST", EVENTS_PATH, body=BODY, timestamp=EXAMPLE_TIMESTAMP)
THEIRS = SIGNED.canonical_string  # what the server signs
QUERY = THEIRS.split("\n")[2]


def signed_parameters(params: list[Pair]) -> str:  # the solution of lesson 02
    """The third line, as lesson 02 makes it."""
    lowered = [(name.lower(), value) for name, value in params]
    kept = [pair for pair in lowered if pair[0] != "auth_signature"]
    ordered = sorted(kept, key=lambda pair: pair[0])
    return "&".join(f"{name}={value}" for name, value in ordered)


def send(signed: str) -> httpx.Response:
    """Send the script's request to a practice server, with the signature of this text."""
    signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret, signed)
    query = (*SIGNED.params, ("auth_signature", signature))
    return Practice().http.post(EVENTS_PATH, params=query, content=BODY)


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    "A URL ends in &tag=2&Zone=north&area=3. In which order are the three signed?",
    {
        "Zone, area, tag": "That's sorted() on the names as they are: capitals come first. The "
        "names are put in lower case before they're sorted.",
        "tag, Zone, area": "That's the order in the URL, and a URL may have any order.",
        "area, tag, zone": "Lower case first, then sorted by name.",
    },
    why="Both sides lower-case the names and sort by them, so both get the same list.",
)
def which_order() -> tuple[str, Fact]:
    params = [("tag", "2"), ("Zone", "north"), ("area", "3")]
    now = EXAMPLE_TIMESTAMP
    signed = sign(EXAMPLE_CREDENTIALS, "GET", "/apps/3/channels", params, timestamp=now)
    third_line = signed.canonical_string.split("\n")[2]
    names = [pair.partition("=")[0] for pair in third_line.split("&")]
    return ", ".join(n for n in names if not n.startswith("auth_")), Fact("Signed", third_line)


@lesson.recall(
    "What part of a request's body ends up in the text that you sign?",
    {
        "Its MD5": "32 hex digits, however long the body is.",
        "All of it": "A body can be 100 KB long. Something shorter takes its place.",
        "Its length": "Then two bodies of the same length would have the same signature.",
    },
    why="body_md5 is a parameter like any other, so it's signed, and with it the body.",
)
def which_part_of_the_body() -> tuple[str, Fact]:
    found = {"Its MD5": SIGNED.body_md5, "All of it": BODY.decode(), "Its length": f"={len(BODY)}"}
    (right,) = [option for option, part in found.items() if str(part) in THEIRS]
    return right, Fact("Signed", THEIRS)


@lesson.predict(
    "How does the text that the script signs differ from the server's?",
    {
        "It's one character longer": "You're thinking of a newline at the end. It's the usual "
        "suspect, but printf '%s' adds none.",
        "It's two characters longer": r"There's \n twice, and each has a character too many.",
        "It doesn't differ": "It looks that way. But that's what echo -e prints, not what's in the "
        "variable.",
    },
    why=r"Between double quotes, bash leaves \n alone: it stays a backslash and an n. echo -e "
    "prints it as a newline. printf '%s' passes on what's in the variable, and that gets signed.",
)
def signed_by_kim() -> tuple[str, Fact, Fact]:
    signed = r"POST\n/apps/3/events\n" + QUERY  # what is in the variable
    printed = signed.replace(r"\n", "\n")  # what echo -e makes of it
    longer = {0: "It doesn't differ", 1: "It's one character longer"}
    return (
        longer.get(len(signed) - len(THEIRS), "It's two characters longer"),
        Fact("It signs", signed, f"With this one's signature, {send(signed).status_code}."),
        Fact("It prints", printed, f"With this one's signature, {send(printed).status_code}."),
    )


# --- newline tiles ------------------------------------------------------------------------------

PATHS = {  # each with what's wrong with it
    "/apps/3/events": (EVENTS_PATH, ""),
    "with a ? after it": (f"{EVENTS_PATH}?", "the question mark isn't part of the path."),
    "with a / after it": (
        f"{EVENTS_PATH}/",
        "the request went to a path without a slash at the end.",
    ),
    "with scheme and host": (
        f"https://host{EVENTS_PATH}",
        "scheme and host aren't part of the path.",
    ),
}
TILES = {
    "newline 1": "\n",
    "newline 2": "\n",
    "newline 3": "\n",
    "backslash and an n 1": r"\n",
    "backslash and an n 2": r"\n",
    "carriage return and a newline 1": "\r\n",
    "carriage return and a newline 2": "\r\n",
}
GAPS = ("between method and path", "between path and parameters", "at the end")
WANTED = ("\n", "\n", "")  # in those gaps


def your_text(method: str, path: str, params: str, gaps: list[str]) -> str:
    """The text that you sign: three parts, and what you put into the gaps after them."""
    return method + gaps[0] + path + gaps[1] + params + gaps[2]


@dataclass(frozen=True, slots=True)
class Strip:
    """Which tile is in each gap, which one is being dragged and where, and whether it's sent."""

    gaps: tuple[str, ...] = ("", "", "")
    held: str = ""
    x: float = 0.0
    y: float = 0.0
    over: int | None = None
    sent: bool = False

    def contents(self) -> list[str]:
        """The characters in each gap."""
        return [TILES.get(tile, "") for tile in self.gaps]

    def put(self, tile: str, gap: int | None) -> "Strip":
        """With a tile in a gap, or back on the table for None; what was there makes room."""
        gaps = ["" if each == tile else each for each in self.gaps]
        if gap is not None:
            gaps[gap] = tile
        return replace(self, gaps=tuple(gaps), held="", over=None)


@lesson.explorer
def tiles() -> Explorer:
    """Tiles to put into the gaps of a text, until the server accepts it."""
    return Explorer(
        _put_together,
        method=choice("Method", ("POST", "post")),
        path=choice("Path", PATHS),
        strip=replace(gesture(Strip(), _moved), draw=button("Sign and send").draw),
        code=[your_text],
    )


def _moved(strip: Strip, event: Event) -> Strip:
    """The strip after a tile was dragged, pressed or moved by a key, or after Send was pressed."""
    tile = event.id
    if tile == "strip":
        return replace(strip, sent=True)
    if tile not in TILES:
        return strip
    over = _gap_of(strip, event.over)
    if event.kind == "drag":
        return replace(strip.put(tile, None), held=tile, x=event.x, y=event.y, over=over)
    if event.kind == "drop":
        return strip.put(tile, over)
    here = strip.gaps.index(tile) if tile in strip.gaps else None
    free = [gap for gap, there in enumerate(strip.gaps) if not there]
    if event.kind == "press":
        return strip.put(tile, free[0] if here is None and free else None)
    at = -1 if here is None else here
    if event.key == "ArrowRight":
        return strip.put(tile, next((gap for gap in free if gap > at), here))
    return strip.put(tile, next((gap for gap in reversed(free) if gap < at), None))


def _gap_of(strip: Strip, over: str) -> int | None:
    """The gap under the pointer, or under the tile under the pointer."""
    if over in strip.gaps and over:
        return strip.gaps.index(over)
    return int(over[3:]) if over.startswith("gap") else None


def _put_together(method: str, path: tuple[str, str], strip: Strip) -> View:
    target, fault = path
    mine = your_text(method, target, QUERY, strip.contents())
    if not strip.sent:
        status, good = "Three parts, and a gap after each. Which tiles go in?", None
        theirs = signed = difference = answer = "not sent yet"
    else:
        response = send(mine)
        answer = f"{response.status_code} {response.json().get('error', '')}".strip()
        good = response.status_code == 200
        status = (
            "Accepted (200): three lines, a newline between them, and nothing after the last."
            if good
            else f"Refused (401): {_reason(method, fault, strip)}"
        )
        theirs, signed = _size(THEIRS), repr(THEIRS)
        at = first_difference(mine, THEIRS)
        difference = (
            "none"
            if at is None
            else f"character {at} (counting from 0): you have {name_byte(mine.encode(), at)}, "
            f"the server has {name_byte(THEIRS.encode(), at)}"
        )
    return View(
        "Newline tiles",
        (
            Fact("Your text", _size(mine), kind="prose"),
            Fact("The server's", theirs, kind="prose"),
            Fact("First difference", difference, kind="prose"),
        ),
        status,
        good,
        picture=drawn(method, target, strip),
        details=(
            Fact("Your repr()", repr(mine)),
            Fact("The server's", signed),
            Fact("Answer", answer),
        ),
        fold="Show both texts in full, and the answer",
    )


def _size(words: str) -> str:
    lines = words.count("\n") + 1
    return f"{lines} line{'s' * (lines > 1)}, {len(words)} characters"


def _reason(method: str, of_path: str, strip: Strip) -> str:
    """The first thing that's wrong, and how many more there are."""
    first, *others = (
        "" if content == wanted else f"there's {f'a {tile[:-2]}' if tile else 'nothing'} {gap}."
        for tile, content, wanted, gap in zip(
            strip.gaps, strip.contents(), WANTED, GAPS, strict=True
        )
    )
    of_method = "the method is signed in capitals." if method != "POST" else ""
    found, *more = filter(None, (of_method, first, of_path, *others))
    return f"{found} ({len(more)} more fault{'s' * (len(more) > 1)}.)" if more else found


# --- the picture --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    """Sizes in px, and what there's room for."""

    width: int
    left: int  # where a line begins
    letter: float  # the width of a character in a part
    pad: int  # inside a part, at each side
    cell: int  # the width of a tile that is one character
    space: int  # between two things on a line
    letters: str  # the class of what is written in a part
    params: str  # what is shown of the third part
    longest: int  # characters of a path


_WIDE = _Layout(776, 34, 7.83, 10, 32, 5, "m", "auth_key=…&body_md5=…", 40)
_NARROW = _Layout(340, 17, 6.65, 5, 18, 2, "hex", "auth_…", 16)
TOP, PITCH, HEIGHT = 66, 37, 30  # px: the first line, from line to line, a part's height
LINES = 4


def drawn(method: str, path: str, strip: Strip) -> Picture:
    """The tiles on the table, and under them the text, broken where a newline breaks it."""
    mine = your_text(method, path, "…", strip.contents())
    lines = " / ".join(mine.replace("\r", "␍").split("\n"))
    desc = (
        "A newline is one coloured tile. Backslash and n are two gray ones. "
        f"Your text, line by line, with … for the parameters: {lines}"
    )
    title = "Three parts, three gaps, and seven tiles"
    height = TOP + LINES * PITCH + 4
    narrow = Picture(title, desc, _NARROW.width, height, _drawn(method, path, strip, _NARROW))
    return Picture(title, desc, _WIDE.width, height, _drawn(method, path, strip, _WIDE), narrow)


def _drawn(method: str, path: str, strip: Strip, at: _Layout) -> str:
    short = path if len(path) <= at.longest else f"https://…{path[-7:]}"
    places: dict[str, tuple[float, float]] = {}
    x, y = float(at.left), float(TOP)
    parts, gaps, lines = [], [], 1
    words = (method, short, at.params)
    for number, (word, kind) in enumerate(zip(words, ("box", "box", "s3"), strict=True)):
        width = len(word) * at.letter + 2 * at.pad
        parts.append(_part(word, kind, x, y, width, at))
        x += width + at.space
        tile = strip.gaps[number]
        places[tile] = (x, y)
        wide = _width(tile, at) if tile else at.cell
        gaps.append(_gap(number, x, y, wide, strip, at))
        x += wide + at.space
        if TILES.get(tile, "").endswith("\n"):
            x, y, lines = float(at.left), y + PITCH, lines + 1
    numbers = [
        text(at.left - 6, TOP + PITCH * n + 19, str(n + 1) if n < lines else "", "small", "end")
        for n in range(LINES)
    ]
    is_empty = TILES.get(strip.gaps[-1], "").endswith("\n")
    empty = text(at.left + 4, y + 19, "an empty line" if is_empty else "", "small")
    table = float(at.left)
    pieces = []
    for tile in TILES:
        home = (table, 18.0)
        held = (strip.x - _width(tile, at) / 2, strip.y - HEIGHT / 2)
        x, y = held if tile == strip.held else places.get(tile, home)
        pieces.append(_tile(tile, x, y, strip, at))
        table += _width(tile, at) + (14 if at is _WIDE else 5)
    return "".join(
        (
            text(at.left, 11, "Tiles", "strong"),
            text(at.left + 44, 11, "⏎ is a newline, CR a carriage return", "small"),
            rect(0, TOP - 8, at.width, LINES * PITCH + 8, "bare", rx=6),
            *numbers,
            empty,
            *parts,
            *gaps,
            *pieces,
        )
    )


def _width(tile: str, at: _Layout) -> int:
    return len(TILES[tile]) * at.cell


def _part(word: str, kind: str, x: float, y: float, width: float, at: _Layout) -> str:
    return group(
        rect(0, 0, width, HEIGHT, kind, rx=5),
        text(at.pad, 19.5, word, at.letters),
        transform=f"translate({x:g} {y:g})",
    )


def _gap(number: int, x: float, y: float, width: float, strip: Strip, at: _Layout) -> str:
    kind = "good" if strip.over == number else "bare"
    return group(
        rect(0, 0, width, HEIGHT, kind, rx=4, stroke_dasharray="4 3"),
        # What a pointer can hit is a little larger than what is drawn.
        rect(-4, -3, width + 8, HEIGHT + 6, "", fill_opacity=0, data_drop=f"gap{number}"),
        transform=f"translate({x:g} {y:g})",
    )


def _tile(tile: str, x: float, y: float, strip: Strip, at: _Layout) -> str:
    """A tile of one cell for each character: ⏎ in the stage's colour, all others gray."""
    cells, marks = [], []
    for number, character in enumerate(TILES[tile]):
        newline = character == "\n"
        left = number * at.cell
        kind = "f4" if newline else "box"
        cells.append(rect(left, 0, at.cell, HEIGHT, kind, rx=4))
        shown = {"\n": "⏎", "\r": "CR"}.get(character, character)
        kind = "" if newline else "hex" if character == "\r" else "m"
        fill: dict[str, object] = {"fill": "var(--bg)"} if newline else {}
        marks.append(text(left + at.cell / 2, 19.5, shown, kind, "middle", **fill))
    where = GAPS[strip.gaps.index(tile)] if tile in strip.gaps else "on the table"
    label = f"{tile}: {where}. Left and right arrow keys move it."
    return group(
        handle(*cells, *marks, id=tile, label=label, keys="ArrowLeft ArrowRight", drag=True),
        transform=f"translate({x:g} {y:g})",
    )


# --- the exercises ------------------------------------------------------------------------------

VALUES = ("night shift", "gate 3, left", "50 % off", "Łódź", "a+b", "☕ at 10:30")

Call = tuple[str, str, list[Pair]]  # method, path and parameters


def _calls(chance: random.Random) -> Iterator[Call]:
    """Three calls that the API knows; parameters in any order, one name with a capital.

    The first method comes in lower case, and the second text ends in a space.
    """
    order = f"/apps/3/channels/order-{chance.randrange(10, 99)}"
    watching = [("filter_by_prefix", "presence-"), ("info", "user_count")]
    for method, path, own, end in (
        ("post", EVENTS_PATH, [("body_md5", f"{chance.getrandbits(128):032x}")], ""),
        ("GET", "/apps/3/channels", watching, " "),
        ("GET", order, [("info", "subscription_count")], ""),
    ):
        params = [
            ("auth_key", EXAMPLE_CREDENTIALS.key),
            ("auth_timestamp", str(EXAMPLE_TIMESTAMP - chance.randrange(500))),
            ("auth_version", AUTH_VERSION),
            ("Tag", chance.choice(VALUES) + end),
            *own,
        ]
        chance.shuffle(params)
        yield method, path, params


@lesson.exercise(given=_calls, keep=True)
def canonical_string(method: str, path: str, params: list[tuple[str, str]]) -> str:
    """Return the text that is signed, from method, path and parameters."""
    parts = [method.upper(), path, signed_parameters(params)]
    return "\n".join(parts)


canonical_string.hint("Text has a method that joins a list. What you call it on goes in between.")
canonical_string.hint("', '.join(['red', 'green', 'blue']) is 'red, green, blue'.")
canonical_string.wrong(
    r"Between the parts there's a backslash and an n. Write '\n': no r before the quote, and one "
    "backslash.",
    lambda *call: canonical_string.solve(*call).replace("\n", r"\n"),
)
canonical_string.wrong(
    "There's a newline after the last part, too. It belongs only between two parts.",
    lambda *call: canonical_string.solve(*call) + "\n",
)
canonical_string.wrong(
    "The method has to be in capitals. Your library may take post, but POST is sent and signed.",
    lambda method, path, params: f"{method}\n{path}\n{signed_parameters(params)}",
)
canonical_string.wrong(
    "You stripped the text. A space at its end belongs to a value, so it's signed as well.",
    lambda *call: canonical_string.solve(*call).strip(),
)
canonical_string.wrong(
    "There's a question mark between path and parameters, as in a URL. Here it's a newline.",
    lambda method, path, params: f"{method.upper()}\n{path}?{signed_parameters(params)}",
)
JOINED_WITH = {
    "": "There's nothing between the parts. join() puts what it's called on between them: '\\n'.",
    " ": "The parts are joined with spaces, as in a request line. Here newlines join them.",
    "&": "The parts are joined with &, which joins parameters. Here newlines join them.",
    "\r\n": "There's a carriage return before each newline. HTTP ends its lines like that, but "
    "here it's '\\n' alone.",
}


@canonical_string.judge
def _joined(result: Any, *call: Any) -> None:
    right = canonical_string.solve(*call)
    for between, said in JOINED_WITH.items():
        if result == between.join(right.split("\n")):
            raise Wrong(said)
    if result == right.replace("&", "\n"):
        raise Wrong(
            "Each parameter has a line of its own. All go on the third line, joined with &."
        )
    if result != right:
        raise difference(right, result, call)


canonical_string.why(
    r"Between quotes, Python turns \n into one character, and join() puts it between the parts and "
    "nowhere else."
)
canonical_string.next(r"Write r'\n' instead. Predict what the card says, then run it.")


# Four ways to hand Kim's text to `sign`, in bash. One of them is right.
LINES_OF_BASH = {
    "A": r"""echo -e "POST\n$path\n$query" | sign""",
    "B": r"""echo "POST\n$path\n$query" | sign""",
    "C": r"""printf 'POST\n%s\n%s' "$path" "$query" | sign""",
    "D": r"""printf '%s\n' POST "$path" "$query" | sign""",
}


@lesson.value
def right_line() -> str:
    """Find the letter of the line that hands the right bytes to `sign`."""
    return "C"


right_line.hint("echo ends what it prints with a newline. printf prints its format, and no more.")
right_line.hint("In a terminal, write `| od -c` in place of `| sign`: it shows every character.")
right_line.wrong(
    "A makes real newlines, but echo adds one at the end. (And -e would change any backslash in a "
    "value.)",
    "A",
)
right_line.wrong("B signs what Kim signed, and echo adds a newline at the end.", "B")
right_line.wrong(
    "D repeats its format for each part, so there's a newline after the last one, too.", "D"
)

right_line.why(
    r"In printf's format, \n is a newline, whatever the quotes. %s puts the values in as they are, "
    "and nothing is added at the end. (echo differs from shell to shell; printf doesn't.)"
)
right_line.next(r"bash has one more way to write a newline: $'\n'. Write Kim's first line with it.")


def _library_calls(chance: random.Random) -> Iterator[Call]:
    for number, (method, path, params) in enumerate(_calls(chance)):
        host = ("https://example.org", "http://127.0.0.1:8080")[number % 2]
        path += "/" * (number == 2)
        query = urlencode([pair for pair in params if not pair[0].startswith("auth_")])
        yield (method.lower() if number else "Post"), f"{host}{path}?{query}", params


@lesson.exercise(given=_library_calls)
def text_to_sign(method: str, url: str, params: list[tuple[str, str]]) -> str:
    """Return the text that is signed, from what an HTTP library knows."""
    path = urlsplit(url).path
    return "\n".join([method.upper(), path, signed_parameters(params)])


text_to_sign.hint("Two parts have to change before they're joined: the method and the URL.")
text_to_sign.hint("urlsplit('https://example.org/a/b?c=d') has .scheme, .netloc, .path and .query.")


def _with_path(form: Callable[[str], str]) -> Callable[[str, str, list[Pair]], str]:
    return lambda method, url, params: canonical_string.solve(method, form(url), params)


text_to_sign.wrong(
    "The second line is the whole URL. Only the path is signed: from the first slash after the "
    "host up to the question mark.",
    _with_path(str),
)
text_to_sign.wrong(
    "Scheme and host are still there. A proxy may change them, so they aren't signed.",
    _with_path(lambda url: url.partition("?")[0]),
)
text_to_sign.wrong(
    "The path still has its query. Cut it off before the question mark: the parameters go on the "
    "third line.",
    _with_path(lambda url: f"{urlsplit(url).path}?{urlsplit(url).query}"),
)
text_to_sign.wrong(
    "You took away a slash at the end of the path. The server signs the path as it was sent.",
    _with_path(lambda url: urlsplit(url).path.rstrip("/")),
)
text_to_sign.wrong(
    "The method has to be in capitals. Your library takes post, but POST is sent and signed.",
    lambda method, url, params: "\n".join([method, urlsplit(url).path, signed_parameters(params)]),
)
text_to_sign.why(
    "Only what reaches the server unchanged can be signed. Proxies and load balancers change "
    "scheme, host and port."
)
text_to_sign.next("What does yours return for https://example.org, which has no path?")


# --- be the server ------------------------------------------------------------------------------


def _request_lines(chance: random.Random) -> Iterator[tuple[str]]:
    """The first lines of signed requests; each has a parameter without a value."""
    for method, path, own in _calls(chance):
        params = [("note", ""), *own]
        signed = canonical_string.solve(method, path, params)
        signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret, signed)
        query = urlencode([*params, ("auth_signature", signature)])
        yield (f"{method.upper()} {path}?{query} HTTP/1.1",)


_, (REQUEST_LINE,), _ = _request_lines(random.Random(5))  # noqa: S311 - no secret


@lesson.exercise(given=_request_lines)
def as_the_server(request_line: str) -> str:
    """Return the text that the server signs, from the first line of a request."""
    method, target, _ = request_line.split(" ")
    path, _, query = target.partition("?")
    params = parse_qsl(query, keep_blank_values=True)
    return "\n".join([method, path, signed_parameters(params)])


def _third_line(made: Callable[[str], str]) -> Callable[[str], str]:
    """A server that makes the third line in another way."""

    def read(request_line: str) -> str:
        method, target, _ = request_line.split(" ")
        path, _, query = target.partition("?")
        return f"{method}\n{path}\n{made(query)}"

    return read


def _cut(query: str) -> list[Pair]:
    pieces = [piece.partition("=") for piece in query.split("&")]
    return [(name, value) for name, _, value in pieces]


_BLANK = (
    "`note=` is missing: parse_qsl() drops a parameter without a value, unless you say "
    "keep_blank_values=True."
)
_ENCODED = "The values are still encoded as in the URL. The server decodes them before it signs."

as_the_server.hint("A space separates the three parts of the line; a ? separates path and query.")
as_the_server.hint("'GET /a?b=c HTTP/1.1'.split(' ') is ['GET', '/a?b=c', 'HTTP/1.1'].")
as_the_server.hint("parse_qsl('B=x+y&a=1%2C2') is [('B', 'x y'), ('a', '1,2')].")
as_the_server.wrong(_BLANK, _third_line(lambda query: signed_parameters(parse_qsl(query))))
as_the_server.wrong(_ENCODED, _third_line(lambda query: signed_parameters(_cut(query))))
as_the_server.wrong(
    "The %XX are decoded, but a space is still a +. In a query, + means a space: parse_qsl() "
    "knows that.",
    _third_line(lambda query: signed_parameters([(n, unquote(v)) for n, v in _cut(query)])),
)
as_the_server.wrong(
    "The third line is the query as it came. Decode it, and sort it as in lesson 02.",
    _third_line(str),
)
as_the_server.wrong(
    "HTTP/1.1 is still in there. The version of HTTP isn't signed.",
    lambda line: as_the_server.solve(line) + " HTTP/1.1",
)
as_the_server.why(
    "You and the server begin with different things and end with the same bytes. Next, the server "
    "signs this text with its copy of the secret, and compares."
)
as_the_server.next("How should it compare? Look up hmac.compare_digest: what could == give away?")


# --- find, explain, fix -------------------------------------------------------------------------


def broken_to_sign(method: str, path: str, params: list[tuple[str, str]]) -> str:
    return f"""
{method}
{path}
{signed_parameters(params)}
""".strip()


def _typed(chance: random.Random) -> Iterator[Call]:
    """Three calls with spaces in them: none, one at the very end, one in the middle."""
    for number, (method, path, params) in enumerate(_calls(chance)):
        gate = f"gate {chance.randrange(2, 9)}" + " " * (number == 1)
        side = " left" if number == 2 else "left"
        yield method.upper(), path, [*params, ("side", side), ("zone", gate)]


@lesson.exercise(given=_typed)
def to_sign(method: str, path: str, params: list[tuple[str, str]]) -> str:
    """Make every request pass: return three lines, and not a character more or less."""
    return f"{method}\n{path}\n{signed_parameters(params)}"


to_sign.broken(
    "“gate 3” passes, and “gate 3 ” is refused. Find out why, and change it.", broken_to_sign
)
to_sign.hint("print(repr(to_sign('GET', '/', [('zone', 'gate 3 ')]))) shows what print() hides.")
to_sign.hint("Don't repair the text afterwards. Which two newlines shouldn't be there at all?")
to_sign.wrong(
    "Without strip(), there's a newline before the method and one after the parameters.",
    lambda *call: f"\n{to_sign.solve(*call)}\n",
)
to_sign.wrong(
    "The start is right now. But there's a newline after the last parameter.",
    lambda *call: f"{to_sign.solve(*call)}\n",
)
to_sign.wrong(
    "The end is right now. But there's a newline before the method.",
    lambda *call: f"\n{to_sign.solve(*call)}",
)
to_sign.wrong(
    "You strip spaces off every value. The server doesn't: it signs what Amara typed.",
    lambda method, path, params: to_sign.solve(method, path, [(n, v.strip()) for n, v in params]),
)
to_sign.why(
    "Triple quotes keep every newline, the first and the last included. strip() takes those away, "
    "and any space beside them. If you don't put the newlines in, you needn't take them out."
)
to_sign.next("Does your own code strip() anything that gets signed? Think of forms and files.")


# --- prove it -----------------------------------------------------------------------------------

_SLIPS: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace("\n", r"\n"),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text + "\n",
    lambda text: text.partition("\n")[0].lower() + text[text.index("\n") :],
    lambda text: text.replace("\n", "?\n", 2).replace("?", "", 1),
)


def _refused(chance: random.Random) -> Iterator[tuple[str, str]]:
    """A request line, and the text that its client signed, with a slip in it."""
    lines = [line for (line,) in _request_lines(chance)]
    for number, slip in enumerate(_SLIPS):
        line = lines[number % len(lines)]
        yield line, slip(as_the_server.solve(line))


@lesson.exercise(given=_refused, covers_lesson=True)
def prove_it(request_line: str, signed: str) -> tuple[str, int]:
    """Return two things: the server's text, and the index at which the signed text differs."""
    method, target, _ = request_line.split(" ")
    path, _, query = target.partition("?")
    params = parse_qsl(query, keep_blank_values=True)
    text = "\n".join([method, path, signed_parameters(params)])
    shorter = min(len(text), len(signed))
    at = next((n for n in range(shorter) if text[n] != signed[n]), shorter)
    return text, at


def _proved(text: Callable[[str], str], at: Callable[[str, str], object]) -> Callable[..., object]:
    return lambda line, signed: (text(line), at(text(line), signed))


_AT = first_difference

prove_it.hint("The first half is exercise 4: split the line, decode the query, sort, join.")
prove_it.hint("For the second half: 'cat' and 'car' differ at 2, 'cat' and 'cats' at 3.")
prove_it.wrong(_BLANK, _proved(_third_line(lambda query: signed_parameters(parse_qsl(query))), _AT))
prove_it.wrong(_ENCODED, _proved(_third_line(lambda query: signed_parameters(_cut(query))), _AT))
prove_it.wrong(
    "The text is right. Count its characters from 0, as Python does.",
    _proved(as_the_server.solve, lambda text, signed: (_AT(text, signed) or 0) + 1),
)
prove_it.wrong(
    "The text is right. But where one text ends and the other goes on, they differ, too.",
    _proved(
        as_the_server.solve,
        lambda text, signed: None if signed.startswith(text) else _AT(text, signed),
    ),
)
prove_it.why(
    "That's how you read a refusal: make the server's text yourself, find the first character that "
    "differs, and look at its repr()."
)
prove_it.next(
    "Five requests came in. Print repr(signed[at : at + 4]) for each, and name the five slips."
)
