"""Lesson 08, reading a 401: Kim pastes a refusal. Three questions find the cause, and one proof."""

import hashlib
import hmac
import io
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pusherkit.credentials import Credentials
from pusherkit.doctor.consult import App, Opinion, Report, consult
from pusherkit.doctor.refusals import diagnose_refusal
from pusherkit.doctor.search import Finding
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
    choice,
    excerpt,
    first_difference,
    gesture,
    mark_at,
    name_byte,
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
    signed: tuple[str, str] = ("", ""),
    key: str = "",
    message: str = "",
    timestamp: int = EXAMPLE_TIMESTAMP,
    now: int = EXAMPLE_TIMESTAMP,
) -> Refused:
    """Publish `body` with a mistake, and see what the server answers.

    The sender hashes `hashed` in place of the body, replaces one text by another in what it signs
    (`signed`), and computes the HMAC of `message` under `key`. All that isn't given is right.
    `{text}` in `key` or `message` is the text that was signed.
    """
    path_ = f"/apps/{app.app_id}/events"
    params = [
        ("auth_key", app_key or app.key),
        ("auth_timestamp", str(timestamp)),
        ("auth_version", "1.0"),
        ("body_md5", body_digest(body if hashed is None else hashed)),
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
    why=r"A newline is one character, byte 0x0a. \n is how a program writes it, and only between "
    "the right quotes.",
)
def single_quotes() -> tuple[str, Fact]:
    signed = r"\n".join(["POST", EVENTS_PATH, "auth_key=278d425bdf160c739803"])
    count = len(signed.split("\n"))
    return ["None", "One", "Two", "Three"][count], Fact("Signed", signed)


@lesson.recall(
    "auth_timestamp is in milliseconds, and it's signed and sent that way, with the right secret. "
    "Which check fails?",
    {
        "auth_signature": "Both sides sign the same digits, so the signature fits.",
        "none": "Those digits would be a date some 40,000 years from now.",
        "auth_timestamp": "The server reads them as seconds.",
    },
    why="The signature only proves that you sent this number. Whether the number is a good one is "
    "a check of its own.",
)
def milliseconds() -> tuple[str, Fact]:
    late = refused(BODY, timestamp=EXAMPLE_TIMESTAMP * 1000)
    verdict = judge(CREDENTIALS, late.request, now=EXAMPLE_TIMESTAMP)
    (check,) = [each.rule for each in verdict.checks if not each.passed]
    return check, Fact("The server", late.answer)


@lesson.predict(
    "The server's text is the text that you signed, byte for byte. And still it's a 401. Where is "
    "the mistake?",
    {
        "In the path": "The path is the second line, and the second lines are equal.",
        "In the parameters": "The parameters are the third line, and the third lines are equal.",
        "In the secret or the HMAC call": "Everything before them is equal.",
    },
    why="A signature is made of a text, a secret and a call. If the text is right, two suspects "
    "are left. If it isn't, they're in the clear.",
)
def equal_strings() -> tuple[str, Fact, Fact]:
    wrong_call = refused(BODY, key="{text}", message=SECRET)
    place = where_to_look(wrong_call.answer, wrong_call.signed)
    options = {
        "path": "In the path",
        "parameters": "In the parameters",
        "secret or call": "In the secret or the HMAC call",
    }
    return (
        options[place],
        Fact("You signed", wrong_call.signed),
        Fact("The server", wrong_call.answer),
    )


# --- the flowchart ------------------------------------------------------------------------------

# Where the three questions lead: (id, what is seen, where to look), in 15 characters at most.
Ends = tuple[tuple[str, str, str], ...]
QUESTIONS: tuple[tuple[str, str, Ends], ...] = (
    (
        "Which rule",
        "does it name?",
        (
            ("settings", "auth_key", "app key, host"),
            ("clock", "timestamp", "your clock"),
            ("body", "body_md5", "body, and hash"),
            ("other", "another one", "do what it says"),
            ("ask", "none at all", "practice server"),
        ),
    ),
    (
        "Are the two",
        "strings equal?",
        (
            ("newlines", "line breaks", "real newlines?"),
            ("method", "line 1", "the method"),
            ("path", "line 2", "the path"),
            ("parameters", "line 3", "the parameters"),
        ),
    ),
    (
        "Secret or call?",
        "Prove it.",
        (
            ("secret", "the secret", "quotes? newline?"),
            ("call", "the call", "key, text, hex?"),
        ),
    ),
)
ONWARD = ("auth_signature", "equal")  # what leads on to the next question
PLACES = {
    "settings": "It names auth_key: look at your settings. Leave the secret's value alone.",
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
        walked = number <= reached
        shapes.append(rect(4, y, layout.question, HEIGHT, "slid" if walked else "box", rx=6))
        if layout.beside:
            shapes.append(text(14, y + 19, f"{number + 1}  {first}", "strong"))
            shapes.append(text(29, y + 35, second, "strong"))
            away = "slid" if number == reached else "arrow"
            shapes.append(arrow(layout.question + 6, y + 22, layout.left - 4, y + 22, away))
            if number == 1:
                shapes.append(text(layout.question + 22, y + 17, "no", "small"))
            bottom = y + HEIGHT
            top = y
        else:
            shapes.append(text(14, y + 27, f"{number + 1}  {first} {second}", "strong"))
            top = y + HEIGHT + 8
            bottom = top
        for at, (end, title, where) in enumerate(ends):
            row, column = divmod(at, layout.columns)
            x = layout.left + column * (layout.answer + GAP)
            place_y = top + row * (HEIGHT + GAP)
            bottom = max(bottom, place_y + HEIGHT)
            on = end in lit
            middle = x + layout.answer / 2
            shapes.append(rect(x, place_y, layout.answer, HEIGHT, "hot" if on else "box", rx=6))
            mark = "▶ " if on else ""
            shapes.append(text(middle, place_y + 18, mark + title, "ink" if on else "t", "middle"))
            shapes.append(text(middle, place_y + 35, where, "inkhex" if on else "small", "middle"))
        y = bottom + 34
        if number < len(ONWARD):
            down = "slid" if number < reached else "arrow"
            shapes.append(arrow(82, bottom + 3, 82, y - 3, down))
            shapes.append(text(92, bottom + 21, ONWARD[number], "small"))
    return "".join(shapes), y - 28


class Poster(Live):
    """The flowchart, to print and hang up."""

    def __init__(self) -> None:
        super().__init__(View("Reading a 401: three questions", picture=flowchart()), hint="")

    def save(self, name: str) -> None:
        """Write it into a file: an SVG, which any browser opens and prints."""
        image = flowchart().image()
        source = image.partition("data:image/svg+xml,")[2].partition('"')[0]
        Path(name).write_text(unquote(source), encoding="utf-8")


def poster() -> Poster:
    """The three questions on one page."""
    return Poster()


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
        Picture("Two strings under a ruler", desc, 98 + n * CELL, 98, shapes)
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


@dataclass(frozen=True, slots=True)
class Case:
    """A prepared case: the texts that go into the fields."""

    fields: Mapping[str, str]
    story: str = ""
    place: str = ""
    signed: str = ""
    answer: str = ""


class Prepared(Explorer):
    """An Explorer whose first control chooses a case, which fills the fields.

    Its `guess`, if it has one, is taken back whenever something else changes.
    """

    cases: ClassVar[Mapping[str, Case]] = {}

    def read(self, values: dict[str, Any]) -> None:
        before = self._raw
        if values.get("case", before["case"]) != before["case"]:
            fields = dict(self.cases[values["case"]].fields)
            self.put(fields)
            values = {**values, **fields}
        if "guess" in self.values and any(before[name] != each for name, each in values.items()):
            self.values["guess"] = ""
        super().read(values)


def _pasted(each: Refused, answer: str = "") -> Case:
    return Case({"refusal": answer or each.answer, "signed": each.signed})


REFUSALS = {
    "Kim's, from the top of this page": _pasted(KIMS),
    "the courier app's": _pasted(refused(BODY, hashed=BODY + b"\n")),
    "the one that came this morning": _pasted(refused(BODY, timestamp=EXAMPLE_TIMESTAMP + 7_200)),
    "the one from Kim's new laptop": _pasted(
        refused(BODY, app_key=SECRET, key=CREDENTIALS.key),
    ),
    "the new developer's": _pasted(refused(BODY, key="{text}", message=SECRET)),
    "one from a soketi server": _pasted(KIMS, "The secret authentication failed"),
}


class _Refusals(Prepared):
    cases = REFUSALS


@lesson.explorer
def refusal() -> Explorer:
    """Paste a refusal and what you signed, and see where the three questions lead."""
    first = next(iter(REFUSALS.values())).fields
    return _Refusals(
        _three_questions,
        case=choice("Refusal", list(REFUSALS)),
        refusal=area("The server", first["refusal"], rows=3),
        signed=area("You signed", first["signed"], rows=3),
        code=[where_to_look],
    )


def _three_questions(case: str, refusal: str, signed: str) -> View:
    place = where_to_look(refusal, signed) if refusal.strip() else ""
    reading = (
        " ".join(diagnose_refusal(refusal, canonical_string=signed or None).notes) if place else ""
    )
    server = server_string(refusal)
    mine, theirs = signed.encode(errors="replace"), (server or "").encode(errors="replace")
    at = first_difference(mine, theirs) if server else None
    return View(
        "Three questions",
        (excerpt(Fact("The doctor", reading or "Nothing to read yet.", kind="prose")),),
        PLACES.get(place, "Paste a refusal."),
        picture=_above(flowchart(place), ruler(signed, server)),
        details=(
            excerpt(Fact("You signed", visible(signed), marks=mark_at(mine, at))),
            excerpt(
                Fact(
                    "The server signed",
                    "(not quoted)" if server is None else visible(server),
                    "⏎ is a newline.",
                    marks=mark_at(theirs, at),
                )
            ),
        ),
        fold="Show both strings in full",
    )


def _above(one: Picture, other: Picture) -> Picture:
    """Two pictures as one, the second under the first."""
    both = Picture(
        one.title,
        f"{one.desc} {other.desc}",
        max(one.width, other.width),
        one.height + 12 + other.height,
        one.shapes + group(other.shapes, transform=f"translate(0 {one.height + 12})"),
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
IN_BODY, IN_TEXT, IN_SECRET, IN_CALL = (
    "The body or its hash",
    "The canonical string",
    "The secret",
    "The HMAC call",
)
GUESSES = (IN_BODY, IN_TEXT, IN_SECRET, IN_CALL)
ASK = "ask"  # the button where a request of one's own was pasted


def place_of(finding: Finding) -> str:
    """Which of the four places a finding is in; its first mistake decides."""
    axis = finding.mistakes[0].axis
    return {"digest": IN_BODY, "secret": IN_SECRET, "mac": IN_CALL, "encoding": IN_CALL}.get(
        axis, IN_TEXT
    )


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
}


class _Doctor(Prepared):
    cases = CASES


@lesson.explorer
def doctor() -> Explorer:
    """Name the cause yourself, and then have it proven."""
    return _Doctor(
        _consult,
        case=choice("Case", list(CASES)),
        evidence=area("Request", next(iter(CASES.values())).fields["evidence"], rows=4),
        guess=gesture("", _guessed),
        code=[prove_cause],
    )


def _guessed(guess: str, event: Event) -> str:
    if event.kind != "press":
        return guess
    if event.id == ASK:
        return ASK
    return GUESSES[int(event.id)] if event.id in ("0", "1", "2", "3") else guess


def prove_cause(pasted: str) -> Report:
    """The doctor's report on whatever is pasted."""
    return consult(pasted, App.of(CREDENTIALS), now=EXAMPLE_TIMESTAMP)


def _consult(case: str, evidence: str, guess: str) -> View:
    told = CASES[case]
    if evidence != told.fields["evidence"]:
        return _own_request(evidence, guess)
    actions = tuple(
        Action(str(n), each, pressed=each == guess, mark=_mark(each, guess, told.place))
        for n, each in enumerate(GUESSES)
    )
    story = (
        Fact("Story", told.story, kind="prose"),
        excerpt(Fact("The server", told.answer)),
        excerpt(Fact("It signed", told.signed.encode("unicode_escape").decode())),
    )
    if not guess:
        asked = "Where is the mistake? Name it before the doctor does."
        return View("The doctor", story, asked, actions=actions)
    (opinion,) = prove_cause(evidence).opinions
    found = opinion.diagnosis.findings
    said = (
        f"You named it: {guess[0].lower()}{guess[1:]}."
        if guess == told.place
        else (f"It's something else: {told.place[0].lower()}{told.place[1:]}.")
    )
    proven = "Proven." if found else "The doctor can't prove it."
    if len(found) > 1:
        proven = "Two explanations fit." if len(found) == 2 else f"{len(found)} explanations fit."
    return View(
        "The doctor",
        (*_verdict(opinion), *story),
        f"{said} {proven}",
        True if guess == told.place else None,
        actions=actions,
    )


def _mark(option: str, guess: str, right: str) -> str:
    if not guess:
        return "○"
    return "✓" if option == right else "●" if option == guess else "○"


def _own_request(evidence: str, guess: str) -> View:
    """A request that somebody pasted: the doctor reads it when it's asked."""
    title, actions = "The doctor", (Action(ASK, "Ask the doctor", primary=True),)
    asked = View(title, status="A request of your own. Where do you think it goes wrong?")
    if not guess:
        return replace(asked, actions=actions)
    try:
        if len(evidence) > MAX_TEXT:
            raise UnreadableText(
                f"The text has {len(evidence):,} characters, and here {MAX_TEXT:,} are read at "
                "most. In a terminal, pusherkit doctor reads more."
            )
        report = prove_cause(evidence)
    except UnreadableText as unread:
        return View(title, status=str(unread), good=False, actions=actions)
    facts = [Fact("Read as", report.read_as, kind="prose")]
    for opinion in report.opinions:
        facts += _verdict(opinion)
    if report.status == 0:
        return View(
            title, tuple(facts), "This one is signed as it should be.", True, actions=actions
        )
    proven = any(each.diagnosis.findings for each in report.opinions)
    status = "Proven." if proven else "Refused, and not proven."
    return View(title, tuple(facts), status, False, actions=actions)


def _verdict(opinion: Opinion) -> tuple[Fact, ...]:
    """What the doctor found, its proof, and the request signed right."""
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
        facts.append(excerpt(Fact("Signed right", right, kind="code")))
    return tuple(facts)


# --- the exercises ------------------------------------------------------------------------------


def signature(secret: str, text: str) -> str:
    """Lesson 04's, for the solutions; the notebook shows it."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


STATUSES = ("preparing", "left the depot", "out for delivery", "delivered")


def _app(chance: random.Random) -> Credentials:
    number, app_key, secret = (
        chance.randrange(10, 9_999),
        *(chance.randbytes(10).hex() for _ in range(2)),
    )
    return Credentials(app_id=str(number), key=app_key, secret=secret, base_url="http://127.0.0.1")


def _update(chance: random.Random) -> bytes:
    return update(chance.randrange(10, 99), chance.choice(STATUSES))


def _unencoded(app: Credentials) -> dict[str, tuple[str, str]]:
    """Ways to sign another text, by the line in which it differs first."""
    events = f"/apps/{app.app_id}/events"
    return {
        "method": ("POST", "post"),
        "path": (events, f"{app.base_url}{events}"),
        "parameters": (f"auth_key={app.key}&", ""),
    }


def _refusals_of_text(chance: random.Random) -> Iterator[tuple[str]]:
    for place in ("method", "path", "parameters"):
        app = _app(chance)
        yield (refused(_update(chance), app=app, signed=_unencoded(app)[place]).answer,)


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
    "Its line breaks are still two characters each, so it will differ from yours even where "
    "nothing is wrong.",
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
server_text.why("A refusal is one line, so the server writes each newline as a backslash and an n.")
server_text.next("Print what it returns for Kim's refusal. Which line would you look at first?")


DRIVERS = ("Zoë", "José", "Łucja", "Søren")


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


def _first_character(signed: str, server: str) -> int:
    at = first_difference(signed, server)
    return -1 if at is None else at


def _only_common(signed: str, server: str) -> int:
    pairs = enumerate(zip(signed.encode(), server.encode(), strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), -1)


def _counted_from_one(signed: str, server: str) -> int:
    at = int(first_byte(signed, server))
    return at if at < 0 else at + 1


first_byte.hint("Bytes first: encode both. Then compare them at 0, 1, 2 …")
first_byte.hint("b'abc'[3:4] is b'', so a slice works past the end too, where b'abc'[3] raises.")
first_byte.wrong(
    "You counted characters. HMAC sees bytes, and a letter like ë has two.", _first_character
)
first_byte.wrong(
    "zip() stops where the shorter one ends, so a newline after the last line goes unseen.",
    _only_common,
)
first_byte.wrong("You're one too far. Count from 0.", _counted_from_one)
first_byte.why(
    "Every byte counts, also one that print() doesn't show, and one past the end of the other text."
)
first_byte.next("Print the ten bytes around that place from each text. That's your own ruler.")


def _settled(answer: Refused, *, quiet: str = "") -> tuple[str, str]:
    return quiet or answer.answer, answer.signed


LOST = "9c1f7a3be2d0458b6a11"  # nobody's secret: in a stored output, not even a published one is

INBOX = {
    "A": _settled(refused(BODY, signed=("&auth_version=1.0", ""))),
    "B": _settled(refused(BODY, hashed=b"")),
    "C": _settled(refused(BODY, key=f"{SECRET} ")),
    "D": _settled(refused(BODY, app_key=LOST, key=CREDENTIALS.key)),
    "E": _settled(KIMS, quiet="The secret authentication failed"),
}


@lesson.value
def places() -> dict[str, str]:
    """Say for each refusal where to look: "settings", "body", "text", "secret or call", "ask"."""
    return {"A": "text", "B": "body", "C": "secret or call", "D": "settings", "E": "ask"}


places.hint("Question 1 settles three of them: read how each begins.")
places.hint("A and C quote what the server signed. Compare them in Python: is one equal?")
places.wrong(
    "A and C are the other way round. Compare the strings: in one of them a parameter is missing.",
    {"A": "secret or call", "B": "body", "C": "text", "D": "settings", "E": "ask"},
)
places.wrong(
    "E says “secret”, but it names no rule and quotes nothing: that server says so whatever is "
    "wrong.",
    {"A": "text", "B": "body", "C": "secret or call", "D": "settings", "E": "secret or call"},
)
places.wrong(
    "D isn't about the secret's value. The server doesn't know this app key, so look at which "
    "setting went where.",
    {"A": "text", "B": "body", "C": "secret or call", "D": "secret or call", "E": "ask"},
)
places.why(
    "Only C is about the secret or the call. In D somebody swapped two settings, and so the secret "
    "went out as the app key, readable in the URL: there, for once, a new one is due."
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


def _never_unproven(secret: str, text: str, received: str) -> str:
    cause: str = prove(secret, text, received)
    return "swapped" if cause == "unproven" else cause


def _other_quotes(secret: str, text: str, received: str) -> str:
    cause: str = prove(secret, text, received)
    return "unproven" if cause == "quotes" else cause


def _newline_in_text(secret: str, text: str, received: str) -> str:
    cause: str = prove(secret, text, received)
    return "unproven" if cause == "newline" else cause


prove.hint('Make each accident on purpose, sign, and compare: signature(secret + "\\n", text).')
prove.hint("If none of the three gives `received`, return “unproven”: no proof is an answer, too.")
prove.wrong(
    "One of these was signed with another app's secret, and you blame an accident. If nothing "
    "gives the signature that was received, say so.",
    _never_unproven,
)
prove.wrong(
    "The quotes slip by. They are double quotes, one on each side, as in a .env file.",
    _other_quotes,
)
prove.wrong("The newline slips by. It's after the secret, not after the text.", _newline_in_text)
prove.why(
    "You made the mistake on purpose, and out came the very signature that was received. That's "
    "what the doctor does, with some ninety mistakes, and every two of them."
)
prove.next("Add an accident of your own: a space after the secret, or base64 in place of hex.")


# --- find, explain, fix: Kim's script -----------------------------------------------------------


def _runs(chance: random.Random) -> Iterator[tuple[Practice, io.StringIO, str]]:
    for status in chance.sample(STATUSES, 2):
        yield Practice(), io.StringIO(f"{SECRET}\n"), status


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
    answer = server.http.post(path, params=query, content=body)
    return answer.status_code


def _script(server: Practice, secret: str, status: str, url: str) -> int:
    event = {"name": "status", "channel": "order-41", "data": json.dumps({"status": status})}
    body = json.dumps(event).encode()
    query = {
        "auth_key": server.credentials.key,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }
    signed = canonical_string("POST", url, query)
    query["auth_signature"] = signature(secret, signed)
    return server.http.post("/apps/3/events", params=query, content=body).status_code


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
    answer = server.http.post(path, params=query, content=body)
    return answer.status_code


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
kims_script.wrong(
    "Half of it is fixed: both sides sign the same text now. It's still refused, so there was a "
    "second mistake. On to question 3.",
    lambda server, secret_file, status: _script(server, secret_file.read(), status, EVENTS_PATH),
)
kims_script.wrong(
    "You found something in the secret. But the two texts still differ, and that's question 2.",
    lambda server, secret_file, status: _script(server, secret_file.read().strip(), status, URL),
)
kims_script.why(
    "Two mistakes, one after the other: the whole URL in line 2, and a newline after the secret, "
    "because a file ends with one. A new secret from the same file would have had it, too."
)
kims_script.next(
    "Run print(lesson.KIMS_CURL) in a new cell, and paste what it prints into the doctor. Does it "
    "find both at once?"
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
        }.get(cause, lambda a, b, c=cause: refused(b, app=a, signed=_unencoded(a)[c]))(app, body)
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


def _always_the_secret(refusal: str, signed: str, secret: str) -> str:
    cause: str = prove_it(refusal, signed, secret)
    return cause if cause in ("settings", "clock", "body") else "quotes"


def _no_real_newlines(refusal: str, signed: str, secret: str) -> str:
    cause: str = prove_it(refusal, signed, secret)
    return cause if cause in ("settings", "clock", "body") else "method"


def _no_rule(refusal: str, signed: str, secret: str) -> str:
    cause: str = prove_it(refusal, signed, secret)
    return "parameters" if cause in ("settings", "clock", "body") else cause


prove_it.hint("The three questions, in order: how it begins, line by line, then try each accident.")
prove_it.hint("'x(\"a\", k)'.split('x(\"')[1].split('\", k)')[0] is 'a'.")
prove_it.wrong(
    "Several of these name a rule at the very beginning. That's the first question.", _no_rule
)
prove_it.wrong(
    "In some of these the strings differ, and the secret is right. Compare the lines first.",
    _always_the_secret,
)
prove_it.wrong(
    r"Not every difference is in line 1. If your code thinks so: the refusal writes each newline "
    r"as two characters, \n.",
    _no_real_newlines,
)
prove_it.why("Rule, strings, secret or call: each question rules something out, and costs nothing.")
prove_it.next("Go on to lesson 09. On Monday it all goes onto a real server.")
