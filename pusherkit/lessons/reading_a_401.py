"""Lesson 08, reading a 401: Kim pastes a refusal. Three questions find the cause, and one proof."""

import hashlib
import hmac
import io
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pusherkit.credentials import Credentials
from pusherkit.doctor.consult import App, Opinion, Report, consult
from pusherkit.doctor.refusals import diagnose_refusal
from pusherkit.errors import UnreadableText
from pusherkit.lessons.kit import (
    EVENTS_PATH,
    EXAMPLE_CREDENTIALS,
    EXAMPLE_TIMESTAMP,
    Event,
    Explorer,
    Fact,
    Lesson,
    Live,
    Picture,
    Practice,
    View,
    Wrong,
    area,
    button,
    choice,
    difference,
    excerpt,
    first_difference,
    gesture,
    mark_at,
    name_byte,
    shown,
    visible,
    whole,
)
from pusherkit.lessons.kit import practice as practice  # the notebook's plain request
from pusherkit.lessons.kit.picture import arrow, boxes, glyphs, group, line, rect, text
from pusherkit.lessons.kit.view import Action
from pusherkit.signing import (
    Request,
    body_digest,
    canonical_string,
    hmac_sha256,
    judge,
)
from pusherkit.snippets import curl

lesson = Lesson("08-reading-a-401", stages=(1, 2, 3, 4, 5, 6))
map = lesson.map
recall = lesson.recall_card
CREDENTIALS = EXAMPLE_CREDENTIALS
SECRET = CREDENTIALS.secret

# --- requests that are refused ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused request: what was sent, what its sender signed, and what the server answered."""

    request: Request
    signed: str
    answer: str


def refused(
    body: bytes,
    *,
    app: Credentials = CREDENTIALS,
    app_key: str = "",
    hashed: bytes | None = None,
    more: tuple[tuple[str, str], ...] = (),
    signed: tuple[str, str] = ("", ""),
    key: str = "",
    message: str = "",
    timestamp: int = EXAMPLE_TIMESTAMP,
    now: int = EXAMPLE_TIMESTAMP,
) -> Refused:
    """Publish `body` with a mistake, and see what the server answers.

    The sender hashes `hashed` in place of the body, sends `more` parameters, replaces one text by
    another in what it signs (`signed`), and computes the HMAC of `message` under `key`. All that
    isn't given is right. `{text}` in `key` or `message` is the text that was signed.
    """
    path_ = f"/apps/{app.app_id}/events"
    params = [
        ("auth_key", app_key or app.key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", "1.0"),
        ("body_md5", body_digest(body if hashed is None else hashed)),
        *more,
    ]
    written = canonical_string("POST", path_, params)
    written = written.replace(*signed) if signed[0] else written
    signature_ = hmac_sha256(
        (key or app.secret).replace("{text}", written),
        message.replace("{text}", written) or written,
    )
    request = Request("POST", path_, (*params, ("auth_signature", signature_)), body)
    failed = judge(app, request, now=now).failed
    return Refused(request, written, failed.error if failed else "")


def update(order: int, status: str) -> bytes:
    """The body of one status update."""
    event = {"name": "status", "channel": f"order-{order}", "data": json.dumps({"status": status})}
    return json.dumps(event).encode()


BODY = update(41, "out for delivery")
URL = CREDENTIALS.base_url + EVENTS_PATH
KIMS = refused(BODY, signed=(EVENTS_PATH, URL), key=f"{SECRET}\n")
KIMS_CURL = curl(CREDENTIALS.base_url, KIMS.request)


# --- recall and prediction ----------------------------------------------------------------------


@lesson.recall(
    r"A shell script joins method, path and parameters with '\n', in single quotes. How many lines "
    "does the text that it signs have?",
    {
        "One": r"In single quotes, \n stays two characters: a backslash and an n.",
        "Two": "There are two joints, so two newlines would make three lines.",
        "Three": "It would, with real newlines.",
    },
    why=r"A newline is one character, byte 0x0a. \n is how a program writes it, between the right "
    "quotes.",
)
def single_quotes() -> tuple[str, Fact]:
    signed = r"\n".join(["POST", EVENTS_PATH, "auth_key=278d425bdf160c739803"])
    count = len(signed.split("\n"))
    return {1: "One", 2: "Two", 3: "Three"}[count], Fact("Signed", signed)


@lesson.recall(
    "auth_timestamp is in milliseconds, and it's signed and sent that way, with the right secret. "
    "Which check fails?",
    {
        "auth_signature": "Both sides sign the same digits, so the signatures match.",
        "none": "Those digits would be a date some 40,000 years from now.",
        "auth_timestamp": "The server reads them as seconds.",
    },
    why="The signature only proves that you sent this number. Whether it's a good one is a check "
    "of its own.",
)
def milliseconds() -> tuple[str, Fact]:
    late = refused(BODY, timestamp=EXAMPLE_TIMESTAMP * 1000)
    failed = judge(CREDENTIALS, late.request, now=EXAMPLE_TIMESTAMP).failed
    return failed.rule if failed else "none", Fact("The server", late.answer)


@lesson.predict(
    "The server's text is the text that you signed, byte for byte, and still it's a 401. Where is "
    "the mistake?",
    {
        "In the path": "The path is the second line, and the second lines are equal.",
        "In the parameters": "The parameters are the third line, and the third lines are equal.",
        "In the secret or the HMAC call": "Everything before them is equal.",
    },
    why="A signature comes from a text, a secret and a call. If the text is right, the other two "
    "are left.",
)
def equal_strings() -> tuple[str, Fact, Fact]:
    wrong_call = refused(BODY, key="{text}", message=SECRET)
    place = where_to_look(wrong_call.answer, wrong_call.signed)
    options = {"secret or call": "In the secret or the HMAC call"}
    return (
        options.get(place, f"In the {place}"),
        Fact("You signed", wrong_call.signed),
        Fact("The server", wrong_call.answer),
    )


# --- the flowchart ------------------------------------------------------------------------------

# Where the three questions lead: (id, what is seen, where to look), in 15 characters at most.
_NAMED = (
    ("settings", "auth_key", "app key, host"),
    ("clock", "timestamp", "your clock"),
    ("body", "body_md5", "body, and hash"),
    ("other", "another one", "do what it says"),
    ("ask", "none at all", "practice server"),
)
_DIFFERENT = (
    ("newlines", "line breaks", "real newlines?"),
    ("method", "line 1", "the method"),
    ("path", "line 2", "the path"),
    ("parameters", "line 3", "the parameters"),
)
_EQUAL = (("secret", "the secret", "quotes? newline?"), ("call", "the call", "key, text, hex?"))
QUESTIONS = (
    ("Which rule", "does it name?", _NAMED),
    ("Are the two", "strings equal?", _DIFFERENT),
    ("Secret or call?", "Prove it.", _EQUAL),
)
ONWARD = ("auth_signature", "equal")  # what leads on to the next question
PLACES = {
    "settings": "It names auth_key: look at your settings. If app key and secret are swapped, swap "
    "them back, then make a new secret, because the old one went out in the URL.",
    "clock": "It names the timestamp: look at your clock.",
    "body": "It names body_md5: look at the body's bytes.",
    "other": "It names a rule and says what to do.",
    "ask": "It names no rule: have the practice server look at the same request.",
    "newlines": "The strings differ in their line breaks. Leave the secret alone.",
    "method": "The strings differ in line 1, the method. Leave the secret alone.",
    "path": "The strings differ in line 2, the path. Leave the secret alone.",
    "parameters": "The strings differ in line 3, the parameters. Leave the secret alone.",
    "text": "It quotes what the server signed. Put what you signed into the other field.",
    "secret or call": "The strings are equal: it's the secret, or the HMAC call.",
}
RULES = {  # what a refusal says, in lower case, and where that leads
    "hmacsha256hex(": "text",
    "missing": "other",
    "repeated": "other",
    "unknown auth_key": "settings",
    "unknown app id": "settings",
    "timestamp": "clock",
    "body_md5": "body",
}


def where_to_look(refusal: str, signed: str) -> str:
    """The three questions, in order."""
    reading = " ".join(diagnose_refusal(refusal, canonical_string=signed or None).notes)
    said = refusal.lower()
    named = [words for words in RULES if words in said]
    place = RULES[min(named, key=said.index)] if named else "other"
    if "Send the same request to the practice server" in reading:
        place = "ask"
    elif place == "text" and "Both sides signed the same" in reading:
        place = "secret or call"
    elif place == "text" and (line := re.search(r"Look at the (\w+)", reading)):
        place = line[1]
    return place


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the chart's boxes go: a wide one beside its questions, a narrow one under them."""

    width: int
    columns: int  # of answers
    left: int  # px, where the answers begin
    question: int  # px: the width of a question's box
    answer: int  # px: the width of an answer's
    beside: bool


WIDE = _Layout(width=808, columns=5, left=216, question=156, answer=112, beside=True)
NARROW = _Layout(width=340, columns=3, left=4, question=332, answer=107, beside=False)
GAP, HEIGHT = 6, 44  # px: between answers, and the height of every box


def flowchart(place: str = "") -> Picture:
    """The three questions on one page, with the way to `place` lit."""
    lit = ("secret", "call") if place == "secret or call" else (place,)
    reached = next(
        (n for n, (_, _, ends) in enumerate(QUESTIONS) if {end for end, _, _ in ends} & {*lit}),
        1 if place == "text" else -1,
    )
    asked = [f"{n}. {first} {second}" for n, (first, second, _) in enumerate(QUESTIONS, start=1)]
    desc = f"Three questions in order: {' '.join(asked)} {PLACES.get(place, '')}".rstrip()
    (wide, high), (thin, higher) = (_chart(lit, reached, each) for each in (WIDE, NARROW))
    small = Picture("Reading a 401", desc, NARROW.width, higher, thin)
    return Picture("Reading a 401", desc, WIDE.width, high, wide, small)


def _chart(lit: tuple[str, ...], reached: int, layout: _Layout) -> tuple[str, int]:
    shapes: list[str] = []
    y = 6
    for number, (first, second, ends) in enumerate(QUESTIONS):
        box = "slid" if number <= reached else "box"
        shapes.append(rect(4, y, layout.question, HEIGHT, box, rx=6))
        top = y if layout.beside else y + HEIGHT + 8
        if layout.beside:
            shapes.append(text(14, y + 19, f"{number + 1}  {first}", "strong"))
            shapes.append(text(29, y + 35, second, "strong"))
            away = "slid" if number == reached else "arrow"
            shapes.append(arrow(layout.question + 6, y + 22, layout.left - 4, y + 22, away))
            if number == 1:
                shapes.append(text(layout.question + 22, y + 17, "no", "small"))
        else:
            shapes.append(text(14, y + 27, f"{number + 1}  {first} {second}", "strong"))
        for at, (end, title, where) in enumerate(ends):
            row, column = divmod(at, layout.columns)
            x = layout.left + column * (layout.answer + GAP)
            y = top + row * (HEIGHT + GAP)
            on = end in lit
            middle = x + layout.answer / 2
            shapes.append(rect(x, y, layout.answer, HEIGHT, "hot" if on else "box", rx=6))
            mark = "▶ " if on else ""
            shapes.append(text(middle, y + 18, mark + title, "inkt" if on else "t", "middle"))
            shapes.append(text(middle, y + 35, where, "inkt" if on else "small", "middle"))
        bottom = y + HEIGHT
        y = bottom + 26
        if number < len(ONWARD):
            down = "slid" if number < reached else "arrow"
            shapes.append(arrow(82, bottom + 3, 82, y - 3, down))
            shapes.append(text(92, bottom + 17, ONWARD[number], "small"))
    return "".join(shapes), y - 20


PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
@page {{ size: landscape; margin: 15mm }}
:root {{ color-scheme: only light; font-family: system-ui, sans-serif }}
img {{ width: 100%; height: auto }}
</style>
<h1>{title}</h1>
{image}
"""


class Poster(Live):
    """The flowchart, to print and hang up."""

    def __init__(self) -> None:
        super().__init__(View("Reading a 401: three questions", picture=flowchart()), hint="")

    def save(self, name: str) -> None:
        """Write it into a file: an HTML page, which any browser prints on one sheet."""
        page = PAGE.format(title=self.twin.title, image=flowchart().image())
        Path(name).write_text(page, encoding="utf-8")


poster = Poster


# --- the ruler ----------------------------------------------------------------------------------

CELL = 24  # px: the width of a byte
BEFORE = 6  # bytes shown before the first difference


def ruler(signed: str, server: str | None) -> Picture:
    """The bytes around the first difference of two canonical strings, under a ruler."""
    mine = signed.encode(errors="replace")
    theirs = mine if server is None else server.encode(errors="replace")
    at = first_difference(mine, theirs)
    if server is None:
        desc = "The refusal doesn't quote what the server signed, so there's nothing to compare."
    elif at is None:
        desc = f"The two strings are equal, all {len(mine)} bytes."
    else:
        desc = (
            f"The two strings are equal up to byte {at}. There you have {name_byte(mine, at)}, "
            f"and the server has {name_byte(theirs, at)}."
        )
    start = max(0, (at or 0) - BEFORE)
    wide, small = (
        Picture("Two strings under a ruler", desc, 98 + n * CELL, 92, shapes)
        for n in (30, 10)
        for shapes in [_ruler(mine, None if server is None else theirs, start, n, at)]
    )
    return replace(wide, narrow=small)


def _ruler(mine: bytes, theirs: bytes | None, start: int, columns: int, at: int | None) -> str:
    shapes = []
    for n in range(columns):
        x = 74 + n * CELL + CELL / 2
        tick = (start + n) % 5 == 0
        shapes.append(line(x, 16 if tick else 20, x, 24))
        if tick:
            shapes.append(text(x, 12, str(start + n), "small", "middle"))
    for name, body, y in (("You", mine, 28), ("Server", theirs, 62)):
        shapes.append(text(2, y + 18, name, "strong"))
        if body is None:
            shapes.append(text(78, y + 18, "no text in the refusal", "small"))
            continue
        window = body[start : start + columns]
        hot = None if at is None else at - start
        for is_hot, cell, letter in ((False, "box", "m"), (True, "hot", "ink")):
            cells = [n for n in range(len(window)) if (n == hot) is is_hot]
            if cells:
                shapes.append(boxes(((74 + n * CELL, y) for n in cells), CELL, 26, cell))
                shapes.append(
                    glyphs(
                        (74 + n * CELL + CELL / 2 for n in cells),
                        y + 18,
                        "".join(_drawn(window[n]) for n in cells),
                        letter,
                    )
                )
        if len(window) < columns and hot == len(window):
            shapes.append(rect(74 + len(window) * CELL, y, 40, 26, "hot"))
            shapes.append(text(94 + len(window) * CELL, y + 18, "end", "ink", "middle"))
    return "".join(shapes)


def _drawn(byte: int) -> str:
    character = visible(chr(byte))
    return "␣" if character == " " else character if byte < 127 and character.isprintable() else "·"


# --- reading a refusal, without the secret ------------------------------------------------------


OWN = "one of your own"


@dataclass(frozen=True, slots=True)
class Case:
    """A prepared case: the texts that go into the fields."""

    fields: Mapping[str, str]
    story: str = ""
    place: str = ""
    signed: str = ""
    answer: str = ""


class Prepared(Explorer):
    """An Explorer whose control `case` fills the fields, and is OWN once one is changed by hand.

    A `guess`, if there is one, is taken back whenever something else changes.
    """

    def __init__(self, cases: Mapping[str, Case], show: Callable[..., View], **rest: Any) -> None:
        self._cases = cases
        super().__init__(show, **rest)

    def read(self, values: dict[str, Any]) -> None:
        changed = {name for name, each in values.items() if each != self._raw[name]}
        # Both: OWN was set here, and the browser didn't know it yet when the next key was hit.
        if changed == {"case"} or ("case" in changed and self._raw["case"] != OWN):
            fields = dict(self._cases[values["case"]].fields)
        else:
            fields = {"case": OWN} if changed else {}
        self.put(fields)
        if changed and "guess" in self.values:
            self.values["guess"] = ""
        super().read({**values, **fields})


def _pasted(each: Refused) -> Case:
    return Case({"refusal": each.answer, "signed": each.signed})


TERSE = "The secret authentication failed"  # as soketi says, whatever is wrong
REFUSALS = {
    "Kim's, from the top of this page": _pasted(KIMS),
    "the courier app's": _pasted(refused(BODY, hashed=BODY + b"\n")),
    "the one that came this morning": _pasted(refused(BODY, timestamp=EXAMPLE_TIMESTAMP + 7_200)),
    "the one from Kim's new laptop": _pasted(
        refused(BODY, app_key=SECRET, key=CREDENTIALS.key),
    ),
    "the new developer's": _pasted(refused(BODY, key="{text}", message=SECRET)),
    "one from a soketi server": _pasted(replace(KIMS, answer=TERSE)),
    OWN: Case({"refusal": "", "signed": ""}),
}


@lesson.explorer
def refusal() -> Explorer:
    """Paste a refusal and what you signed, and see where the three questions lead."""
    first = next(iter(REFUSALS.values())).fields
    return Prepared(
        REFUSALS,
        _three_questions,
        case=choice("Refusal", list(REFUSALS)),
        refusal=area("The server", first["refusal"], rows=5),
        signed=area("You signed", first["signed"], rows=4),
        ask=button("Ask the three questions"),
        code=[where_to_look],
    )


def _three_questions(case: str, refusal: str, signed: str, ask: bool) -> View:
    title, said = "Three questions", "Where do they lead? Say it first, then ask."
    if not refusal.strip():
        said = "Paste a refusal."
    if not ask or not refusal.strip():
        return View(title, status=said, picture=flowchart())
    place = where_to_look(refusal, signed)
    reading = " ".join(diagnose_refusal(refusal, canonical_string=signed or None).notes)
    server = server_string(refusal)
    mine, theirs = signed.encode(errors="replace"), (server or "").encode(errors="replace")
    at = first_difference(mine, theirs) if server else None
    quoted = "(not quoted)" if server is None else visible(server)
    return View(
        title,
        (excerpt(Fact("The doctor", reading, kind="prose")),),
        PLACES[place],
        picture=_above(flowchart(place), ruler(signed, server)),
        details=(
            excerpt(Fact("You signed", visible(signed), marks=mark_at(mine, at))),
            excerpt(
                Fact("The server signed", quoted, "⏎ is a newline.", marks=mark_at(theirs, at))
            ),
        ),
        fold="Show both strings in full",
        note="Lines that end in CRLF look right here: a text field drops the CR."
        if place == "secret or call"
        else "",
    )


def _above(one: Picture, other: Picture) -> Picture:
    """Two pictures as one, the second under the first."""
    both = Picture(
        one.title,
        f"{one.desc} {other.desc}",
        max(one.width, other.width),
        one.height + 6 + other.height,
        one.shapes + group(other.shapes, transform=f"translate(0 {one.height + 6})"),
    )
    if one.narrow and other.narrow:
        return replace(both, narrow=_above(one.narrow, other.narrow))
    return both


_QUOTED = ("The server signed:\n", "\nCompare it with what you signed.")  # as the doctor says it


def server_string(refusal: str) -> str | None:
    """The canonical string that a refusal quotes, with real newlines; None where it has none."""
    for note in diagnose_refusal(refusal).notes:
        if note.startswith(_QUOTED[0]):
            return note.removeprefix(_QUOTED[0]).removesuffix(_QUOTED[1])
    return None


# --- the doctor ---------------------------------------------------------------------------------

MAX_TEXT = 150_000  # characters of evidence; ours, so that the notebook answers at once
GUESSES = ("The body or its hash", "The canonical string", "The secret", "The HMAC call")
IN_BODY, IN_TEXT, IN_SECRET, IN_CALL = GUESSES
ASK = "ask"  # the button where a request of one's own was pasted


def _told(story: str, place: str, each: Refused) -> Case:
    request = curl(CREDENTIALS.base_url, each.request)
    return Case({"evidence": request}, story, place, each.signed, each.answer)


_SORTED_BODY = json.dumps(json.loads(BODY), separators=(",", ":"), sort_keys=True).encode()
CASES = {
    "a program on a new machine": _told(
        "It ran on Linux for a year. On Windows every request is refused.",
        IN_TEXT,
        refused(BODY, signed=("\n", "\r\n")),
    ),
    "the office's dashboard": _told(
        "Since an update of its framework, no status gets through.",
        IN_BODY,
        refused(_SORTED_BODY, hashed=json.dumps(json.loads(_SORTED_BODY)).encode()),
    ),
    "a service in a container": _told(
        "It works on Amara's laptop. In the container, with the same .env file, it doesn't.",
        IN_SECRET,
        refused(BODY, key=f'"{SECRET}"'),
    ),
    "a port to another language": _told(
        "Translated from Python last night, line by line. Its settings are the old ones.",
        IN_CALL,
        refused(BODY, key="{text}", message=SECRET),
    ),
    "a copy of the app": _told(
        "Ben copied the whole thing for a test, and made himself an app for it.",
        IN_SECRET,
        refused(BODY, key="a-secret-of-bens-own"),
    ),
    OWN: Case({"evidence": ""}),
}


@lesson.explorer
def doctor() -> Explorer:
    """Name the cause yourself, and then have it proven."""
    return Prepared(
        CASES,
        _consult,
        case=choice("Case", list(CASES)),
        evidence=area("Request", next(iter(CASES.values())).fields["evidence"], rows=5),
        guess=gesture("", _guessed),
        code=[prove_cause],
    )


def _guessed(guess: str, event: Event) -> str:
    return event.id if event.kind == "press" and event.id in (*GUESSES, ASK) else guess


def prove_cause(pasted: str) -> Report:
    """The doctor's report on whatever is pasted."""
    return consult(pasted, App.of(CREDENTIALS), now=EXAMPLE_TIMESTAMP)


def _consult(case: str, evidence: str, guess: str) -> View:
    if case == OWN:
        return _own_request(evidence, guess)
    told = CASES[case]
    actions = tuple(
        Action(each, each, pressed=each == guess, mark=_mark(each, guess, told.place))
        for each in GUESSES
    )
    story = (
        Fact("Story", told.story, kind="prose"),
        excerpt(Fact("The server", told.answer)),
        excerpt(Fact("The program signed", told.signed.encode("unicode_escape").decode())),
    )
    if not guess:
        asked = "Where is the mistake? Name it before the doctor does."
        return View("The doctor", story, asked, actions=actions)
    (opinion,) = prove_cause(evidence).opinions
    found = len(opinion.diagnosis.findings)
    place = f"{told.place[0].lower()}{told.place[1:]}"
    said = f"You named it: {place}." if guess == told.place else f"It's something else: {place}."
    if found:
        said += " Proven." if found == 1 else f" {found} explanations match."
    else:
        said = f"Most likely {place}, but the doctor can't prove it."
    good = True if guess == told.place else None
    return View("The doctor", (*story, *_verdict(opinion)), said, good, actions=actions)


def _mark(option: str, guess: str, right: str) -> str:
    if guess and option == right:
        return "✓"
    return "●" if option == guess else "○"


def _own_request(evidence: str, guess: str) -> View:
    """A request that somebody pasted: the doctor reads it when it's asked."""
    asked = Action(ASK, "Ask the doctor", primary=True, pressed=bool(guess))
    view = View("The doctor", status="Where do you think it goes wrong?", actions=(asked,))
    if not guess:
        return view
    try:
        if len(evidence) > MAX_TEXT:
            raise UnreadableText(
                f"The text has {len(evidence):,} characters, and here {MAX_TEXT:,} are read at "
                "most. In a terminal, pusherkit doctor reads more."
            )
        report = prove_cause(evidence)
    except UnreadableText as unread:
        return replace(view, status=str(unread), good=False)
    facts = [Fact("Read as", report.read_as, kind="prose")]
    for opinion in report.opinions:
        facts += _verdict(opinion)
    proven = any(each.diagnosis.findings for each in report.opinions)
    status = "Refused, and the cause is proven." if proven else "Refused, and not proven."
    if report.status == 0:
        status = "This one is signed as it should be."
    return replace(view, facts=tuple(facts), status=status, good=report.status == 0)


def _verdict(opinion: Opinion) -> tuple[Fact, ...]:
    """What the doctor found, its proof, and the corrected request."""
    diagnosis = opinion.diagnosis
    notes = (*opinion.noticed, *diagnosis.notes, *opinion.left)
    facts = [excerpt(Fact("Note", note, kind="prose")) for note in notes]
    for number, finding in enumerate(diagnosis.findings, start=1):
        which = f" {number}" if len(diagnosis.findings) > 1 else ""
        for mistake in finding.mistakes:
            facts.append(
                Fact(f"Mistake{which}", f"{mistake.why} {mistake.fix}", mistake.name, kind="prose")
            )
    if diagnosis.findings:
        reproduced = diagnosis.findings[0].reproduced
        name = "signature" if len(reproduced) == 64 else "body_md5"
        why = f"Made that way, it is exactly the {name} that was sent."
        facts.append(Fact("Proof", reproduced, why, whole(reproduced)))
    if diagnosis.unexplained:
        facts.append(Fact("Not proven", diagnosis.unexplained, kind="prose"))
    if right := opinion.corrected or opinion.not_corrected:
        facts.append(excerpt(Fact("Corrected", right, kind="code")))
    return tuple(facts)


# --- the exercises ------------------------------------------------------------------------------


def signature(secret: str, text: str) -> str:
    """Lesson 04's, for the solutions; the notebook shows it."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


STATUSES = ("preparing", "left the depot", "out for delivery", "delivered")
DRIVERS = ("Zoë", "José", "Łucja", "Søren")


def _app(chance: random.Random) -> Credentials:
    number, app_key, secret = (
        chance.randrange(10, 9_999),
        *(chance.randbytes(10).hex() for _ in range(2)),
    )
    return Credentials(app_id=str(number), key=app_key, secret=secret, base_url="http://127.0.0.1")


def _update(chance: random.Random) -> bytes:
    return update(chance.randrange(10, 99), chance.choice(STATUSES))


def _another_text(app: Credentials) -> dict[str, tuple[str, str]]:
    """Ways to sign another text, by the line in which it differs first."""
    events, key = f"/apps/{app.app_id}/events", f"auth_key={app.key}&"
    return {
        "method": ("POST", "post"),
        "path": (f"{events}\n{key}", f"{app.base_url}{events}\n"),  # and in the next line, too
        "parameters": (key, ""),
    }


def _refusals_of_text(chance: random.Random) -> Iterator[tuple[str]]:
    for place in ("method", "path", "parameters"):
        app = _app(chance)
        driver = ("driver", chance.choice(DRIVERS))
        signed = _another_text(app)[place]
        yield (refused(_update(chance), app=app, more=(driver,), signed=signed).answer,)


@lesson.exercise(given=_refusals_of_text)
def server_text(refusal: str) -> str:
    """Return the canonical string that the refusal quotes, with real newlines."""
    start = refusal.index('HmacSHA256Hex("') + len('HmacSHA256Hex("')
    end = refusal.index('", your_secret_key)')
    quoted = refusal[start:end]
    return quoted.replace("\\n", "\n")


def _quoted(refusal: str) -> str:
    return str(server_text(refusal)).replace("\n", "\\n")


server_text.hint(r"In Python, '\\n' is two characters, a backslash and an n. '\n' is a newline.")
server_text.hint(r"'a\\tb'.replace('\\t', '\t') makes a real tab.")
server_text.wrong(
    "Its line breaks are still two characters each, so it would differ from yours even if nothing "
    "were wrong.",
    _quoted,
)
server_text.wrong(
    "The line breaks are gone. Put a real newline in place of each.",
    lambda refusal: server_text(refusal).replace("\n", ""),
)
server_text.wrong(
    "The backslashes are gone and the letter n is still there. Replace both characters at once.",
    lambda refusal: _quoted(refusal).replace("\\", ""),
)
server_text.wrong(
    "The newlines are right, but a driver's name is broken. unicode_escape takes each byte for a "
    "character. Replace only the two characters.",
    lambda refusal: _quoted(refusal).encode().decode("unicode_escape"),
)
server_text.why("A refusal is one line, so the server writes each newline as a backslash and an n.")
server_text.next("Print server_text(kim.answer). Which line would you look at first?")


def _two_texts(chance: random.Random) -> Iterator[tuple[str, str]]:
    driver = chance.choice(DRIVERS)
    app = _app(chance)
    common = f"GET\n/apps/{app.app_id}/channels\nauth_key={app.key}&driver={driver}&zone="
    yield f"{common}north", f"{common}south"
    yield f"{common}east", f"{common}east"
    yield f"{common}west\n", f"{common}west"


@lesson.exercise(given=_two_texts)
def first_byte(signed: str, server: str) -> int:
    """Return where two strings differ first, in bytes; -1 where they are equal."""
    mine, theirs = signed.encode(), server.encode()
    for at in range(max(len(mine), len(theirs))):
        if mine[at : at + 1] != theirs[at : at + 1]:
            return at
    return -1


@first_byte.judge
def _at_that_byte(at: object, signed: str, server: str) -> None:
    right = first_byte(signed, server)
    facts = [Fact("You signed", repr(signed)), Fact("The server", repr(server))]
    facts.append(Fact("Yours", shown(at)))
    if at == right:
        return
    if at == first_difference(signed, server):
        raise Wrong("You counted characters. HMAC sees bytes, and a letter like ë has two.", *facts)
    if at == -1:
        raise Wrong(
            "They aren't equal: one goes on where the other ends. zip() stops there, so it doesn't "
            "see the newline after the last line.",
            *facts,
        )
    if right >= 0 and at == right + 1:
        raise Wrong("You're one too far. Count from 0.", *facts)
    raise difference(right, at, (signed, server))


first_byte.hint("Bytes first: encode both. Then compare them at 0, 1, 2 …")
first_byte.hint("b'abc'[3:4] is b'', so a slice works past the end too, where b'abc'[3] raises.")
first_byte.why(
    "Every byte counts, also one that print() doesn't show, or past the end of the other text."
)
first_byte.next("Print the ten bytes around that place from each text. That's your own ruler.")


LOST = "9c1f7a3be2d0458b6a11"  # nobody's secret: in a stored output, not even a published one is

_INBOX = {
    "A": refused(BODY, signed=("&auth_version=1.0", "")),
    "B": refused(BODY, hashed=b""),
    "C": refused(BODY, key=f"{SECRET} "),
    "D": refused(BODY, app_key=LOST, key=CREDENTIALS.key),
    "E": replace(refused(BODY, key=f"{SECRET}\n"), answer=TERSE),
}
INBOX = {letter: (each.answer, each.signed) for letter, each in _INBOX.items()}


@lesson.value
def places() -> dict[str, str]:
    """Say for each refusal where to look: "settings", "body", "text", "secret or call", "ask"."""
    return {"A": "text", "B": "body", "C": "secret or call", "D": "settings", "E": "ask"}


PLACE_NAMES = ("settings", "body", "text", "secret or call", "ask")
LOOK_AGAIN = {
    "A": "A's strings differ. Compare them: a parameter is missing.",
    "B": "B names a rule: the body hash.",
    "C": "C's strings are equal, to the last byte. So it isn't the text.",
    "D": "In D the server doesn't know the app key. Which setting went where?",
    "E": "E says “secret”, but it names no rule and quotes nothing to compare: that server says so "
    "whatever is wrong.",
}


@places.judge
def _read(given: Any) -> None:
    right = places()
    if not isinstance(given, dict):
        raise difference(right, given)
    if given.keys() != right.keys():
        raise Wrong("Its keys are the capital letters A to E.", Fact("Yours", shown(given)))
    for label in given.values():
        _one_of(label, PLACE_NAMES)
    for letter, said in LOOK_AGAIN.items():
        if given[letter] != right[letter]:
            raise Wrong(said)


def _one_of(label: object, labels: tuple[str, ...]) -> None:
    if label not in labels:
        raise Wrong(f"{shown(label)} isn't one of the answers: {', '.join(labels)}.")


places.hint("Question 1 settles three of them: read how each begins.")
places.hint("A and C quote what the server signed. Compare them in Python: is one equal?")
places.why(
    "Only C is about the secret or the call. D's PUSHER_SECRET begins like everybody's app key: "
    "the two are swapped, so the secret went out in the URL, and for once a new one is due."
)
places.next("For each: what would you ask its sender to try first?")


def _received(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    causes = ["newline", "quotes", "swapped", "unproven"]
    chance.shuffle(causes)
    for cause in causes:
        app = _app(chance)
        message = refused(_update(chance), app=app).signed
        secret = app.secret
        key, text_ = {
            "newline": (f"{secret}\n", message),
            "quotes": (f'"{secret}"', message),
            "swapped": (message, secret),
            "unproven": (chance.randbytes(10).hex(), message),
        }[cause]
        yield secret, message, hmac_sha256(key, text_)


@lesson.exercise(given=_received)
def prove(secret: str, text: str, received: str) -> str:
    """Return which accident made the signature: "newline", "quotes", "swapped", or "unproven"."""
    accidents = {
        "newline": (secret + "\n", text),
        "quotes": (f'"{secret}"', text),
        "swapped": (text, secret),
    }
    for cause, (key, message) in accidents.items():
        if signature(key, message) == received:
            return cause
    return "unproven"


NOT_THAT = {
    "newline": "The newline slips by. It's after the secret, not after the text.",
    "quotes": "The quotes slip by. They are double quotes, one on each side, as in a .env file.",
    "swapped": "One of these has the text for its key and the secret for its message.",
    "unproven": "One of these was signed with another app's secret, and you blame an accident. If "
    "nothing gives the signature that was received, say so.",
}


@prove.judge
def _proven(cause: object, secret: str, text: str, received: str) -> None:
    _one_of(cause, tuple(NOT_THAT))
    if cause != (right := prove(secret, text, received)):
        raise Wrong(NOT_THAT[right], Fact("Yours", shown(cause)))


prove.hint('Make each accident on purpose, sign, and compare: signature(secret + "\\n", text).')
prove.hint('If none of the three gives `received`, return "unproven": that is an answer, too.')
prove.why(
    "You made the mistake on purpose, and out came the very signature that was received. The "
    "doctor does that with some ninety mistakes, and every two of them."
)
prove.next("Add an accident of your own: a space after the secret, or base64 in place of hex.")


# --- find, explain, fix: Kim's script -----------------------------------------------------------


def _runs(chance: random.Random) -> Iterator[tuple[Practice, io.StringIO, str]]:
    """A file that ends with a newline, and one that doesn't; the secret is nowhere else."""
    for end, status in zip(("\n", ""), chance.sample(STATUSES, 2), strict=True):
        server = Practice()
        server.credentials = replace(CREDENTIALS, secret="it-is-in-secret_file")  # noqa: S106
        yield server, io.StringIO(SECRET + end), status


@lesson.exercise(given=_runs)
def kims_script(server: "Practice", secret_file: "io.StringIO", status: str) -> int:
    """Publish Kim's status and return 200."""
    secret = secret_file.read().strip()
    event = {"name": "status", "channel": "order-41", "data": json.dumps({"status": status})}
    body = json.dumps(event).encode()
    query = {
        "auth_key": server.credentials.key,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }
    path = "/apps/3/events"
    joined = "&".join(f"{name}={value}" for name, value in query.items())
    text = "\n".join(["POST", path, joined])
    query["auth_signature"] = signature(secret, text)
    headers = {"Content-Type": "application/json"}
    answer = server.http.post(path, params=query, content=body, headers=headers)
    return answer.status_code


def _broken_script(server: Practice, secret_file: io.StringIO, status: str) -> int:
    secret = secret_file.read()
    event = {"name": "status", "channel": "order-41", "data": json.dumps({"status": status})}
    body = json.dumps(event).encode()
    query = {
        "auth_key": server.credentials.key,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }
    path = "/apps/3/events"
    joined = "&".join(f"{name}={value}" for name, value in query.items())
    text = "\n".join(["POST", f"{server.credentials.base_url}{path}", joined])
    query["auth_signature"] = signature(secret, text)
    headers = {"Content-Type": "application/json"}
    answer = server.http.post(path, params=query, content=body, headers=headers)
    return answer.status_code


HALF = (
    "Half of it is fixed: both sides sign the same text now. There was a second mistake. On to "
    "question 3."
)
OTHER_HALF = "The secret is right now. But the two texts still differ, and that's question 2."
CUT_OFF = (
    "You cut off the secret's last character: not every file ends with a newline. strip() takes "
    "only white space."
)
ELSEWHERE = "The secret is in secret_file, and server.credentials has another one. Read the file."


@kims_script.observe
def _heard(result: object, server: Practice, *_: object) -> tuple[object, list[tuple[int, str]]]:
    answers = [(each.reply.status, json.loads(each.reply.body)) for each in server.sandbox.log]
    return result, [(status, said.get("error", "")) for status, said in answers]


@kims_script.judge
def _accepted(done: tuple[Any, list[tuple[int, str]]], server: Practice, *_: object) -> None:
    result, log = done
    if not log:
        raise Wrong("Nothing reached the server. Send the request, then return its status.")
    status, error = log[-1]
    if status != 200:
        text = server_string(error) or ""
        for key, signed, said in (
            (f"{SECRET}\n", text, HALF),
            (SECRET, text.replace(EVENTS_PATH, URL), OTHER_HALF),
            (SECRET[:-1], text, CUT_OFF),
            (server.credentials.secret, text, ELSEWHERE),
        ):
            if hmac_sha256(key, signed) in error:
                raise Wrong(said, Fact("Refusal", error))
        raise Wrong("Still refused. Take the three questions from the top.", Fact("Refusal", error))
    if result != 200:
        raise Wrong(f"It was accepted. Return the answer's status, and not {result!r}.")
    if len(log) > 1:
        raise Wrong("It was accepted, but sent more than once. Zoë's page would chime twice.")


kims_script.broken(
    "This is Kim's script as it was. Its refusal is at the top of the page: start with question 1.",
    _broken_script,
)
kims_script.hint("Question 2 first. Print `text`, and compare it with the one in the refusal.")
kims_script.hint("Equal now? Then question 3: print(repr(secret)), in the notebook only.")
kims_script.why(
    "Two mistakes: the whole URL in line 2, and a newline after the secret, because many files end "
    "with one. A new secret from the same file would have had it, too."
)
kims_script.next(
    "Run print(lesson.KIMS_CURL), and paste what it prints into the doctor. Does it find both?"
)


# --- prove it -----------------------------------------------------------------------------------

_ALL = ("settings", "clock", "body", "method", "path", "parameters", "newline", "quotes", "swapped")


def _everything(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    causes = list(_ALL)
    chance.shuffle(causes)
    for cause in causes:
        app, body = _app(chance), _update(chance)
        each = {
            "settings": lambda a, b: refused(b, app=a, app_key="0" * 20),
            "clock": lambda a, b: refused(b, app=a, timestamp=EXAMPLE_TIMESTAMP - 3_600),
            "body": lambda a, b: refused(b, app=a, hashed=b + b"\n"),
            "newline": lambda a, b: refused(b, app=a, key=f"{a.secret}\n"),
            "quotes": lambda a, b: refused(b, app=a, key=f'"{a.secret}"'),
            "swapped": lambda a, b: refused(b, app=a, key="{text}", message=a.secret),
        }.get(cause, lambda a, b, c=cause: refused(b, app=a, signed=_another_text(a)[c]))(app, body)
        yield each.answer, each.signed, app.secret


@lesson.exercise(given=_everything, covers_lesson=True)
def prove_it(refusal: str, signed: str, secret: str) -> str:
    """Return the cause of a refusal: a setting, the clock, a line, or an accident you proved."""
    named = {"Unknown auth_key": "settings", "Timestamp": "clock", "Invalid body_md5": "body"}
    for words, cause in named.items():
        if refusal.startswith(words):
            return cause
    quoted = refusal.split('HmacSHA256Hex("')[1].split('", your_secret_key)')[0]
    theirs, mine = quoted.replace("\\n", "\n").split("\n"), signed.split("\n")
    for number, cause in enumerate(["method", "path", "parameters"]):
        if mine[number] != theirs[number]:
            return cause
    received = refusal.split('but you sent "')[1].split('"')[0]
    accidents = {
        "newline": (secret + "\n", signed),
        "quotes": (f'"{secret}"', signed),
        "swapped": (signed, secret),
    }
    for cause, (key, message) in accidents.items():
        if hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest() == received:
            return cause
    return "unproven"


@prove_it.judge
def _why_not(cause: Any, refusal: str, signed: str, secret: str) -> None:
    _one_of(cause, (*_ALL, "unproven"))
    if cause == (right := prove_it(refusal, signed, secret)):
        return
    names, lines = _ALL[:3], _ALL[3:6]
    said = "The strings are equal here. Make each accident on purpose, and compare the signatures."
    if right in names:
        said = "This one names a rule at the very beginning. That's the first question."
    elif cause in names:
        said = "The text that's quoted contains auth_key, auth_timestamp and body_md5, too. Look "
        said += "only at how a refusal begins."
    elif cause == "method":
        said = r"Not every difference is in line 1. Does your text still have \n as two characters?"
    elif right in lines:
        said = "In this one the strings differ. Return the first line that does."
    facts = [Fact("Refusal", refusal), Fact("Signed", signed), Fact("Yours", cause)]
    raise Wrong(said, *facts)


prove_it.hint("The three questions, in order: how it begins, line by line, then try each accident.")
prove_it.hint("'x(\"a\", k)'.split('x(\"')[1].split('\", k)')[0] is 'a'.")
prove_it.why("Rule, strings, secret or call: each question rules something out, and costs nothing.")
prove_it.next("Go on to lesson 09. On Monday it all goes onto a real server.")
