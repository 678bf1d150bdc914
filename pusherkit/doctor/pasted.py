"""Find out what somebody pasted, and make requests, subscriptions and webhooks of it. Pure.

What was pasted is never changed or run: a command is read as a shell would read it, and that is
what gets diagnosed. A file that it names (`-d @file`) is opened only by the function that the
caller passes in for that.

Each form has a reader in `forms/`, and a hint, a small pattern that every text of that form
contains. The readers are asked one after another, those first that can tell most surely; each
claims a part of the text, and the next ones see only what is left. What nobody claims is what was
said.

A pasted text is a stranger's, so the work is linear in its length, and what takes part in signing
has a limit of its own: the doctor signs it some thousand times.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from pusherkit.doctor.forms.commands import COMMAND_HINT, CommandReader
from pusherkit.doctor.forms.dumps import LOGGED, QUOTED_HINT, URL_HINT, merge, read_quoted, read_url
from pusherkit.doctor.forms.http_text import (
    DUMP_HINT,
    HTTP_HINT,
    LOG_HINT,
    TRACE_HINT,
    WGET_HINT,
    read_dump,
    read_http,
    read_log_line,
    read_trace,
    read_wget_debug,
)
from pusherkit.doctor.forms.javascript import JAVASCRIPT_HINT, JavaScriptReader
from pusherkit.doctor.forms.json_text import JSON_HINT, JsonReader
from pusherkit.doctor.forms.parts import (
    MAX_PARAMS,
    MAX_TARGET,
    MAX_TEXT,
    Claim,
    Pasted,
    PastedRequest,
    PastedSubscription,
    PastedWebhook,
    ReadFile,
    app_in,
    too_long,
)
from pusherkit.doctor.forms.powershell import POWERSHELL_HINT, PowerShellReader
from pusherkit.doctor.forms.python import PYTHON_HINT, PythonReader
from pusherkit.doctor.forms.subscriptions import (
    FIELD_HINT,
    SOCKET_HINT,
    Fields,
    asks_for_auth,
    field_in,
    read_webhook_lines,
    subscriptions,
    webhook_in,
)
from pusherkit.doctor.wrappings import bare_of_html
from pusherkit.errors import UnreadableText

__all__ = [
    "MAX_PARAMS",
    "MAX_TARGET",
    "MAX_TEXT",
    "Pasted",
    "PastedRequest",
    "PastedSubscription",
    "PastedWebhook",
    "app_in",
    "decoded",
    "read",
    "too_long",
]


def decoded(content: bytes) -> str:
    """The text of a file. It's UTF-8, or UTF-16 where it says so, as PowerShell's > writes it.

    Bytes that aren't UTF-8 stay as surrogateescape leaves them.
    """
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return content.decode("utf-16", errors="replace")
    if len(content) > 1 and content[1] == 0 != content[0]:  # without the mark that says so
        return content.decode("utf-16-le", errors="replace")
    return content.decode(errors="surrogateescape")


NOTHING = "text that holds no request"
MAX_REQUESTS = 1_000  # of one text; the rest are left out

_Reader = Callable[[re.Match[str]], Claim | None]


def read(text: str, *, read_file: ReadFile | None = None) -> Pasted:
    """Whatever was pasted, taken apart.

    `read_file` is called for each file that a command names; without it, no file is opened. Bytes
    that aren't UTF-8 are in `text` as surrogateescape leaves them. Where the text holds nothing
    that is known, `form` says so, and `said` is the text. Raises UnreadableText for a text over
    the limits, and for a request that is cut off or holds what only a shell can know.
    """
    if len(text) > MAX_TEXT:
        raise too_long()
    refused = _no_text(text)
    if refused:
        raise UnreadableText(refused)
    problems: list[UnreadableText] = []
    straight, repaired = _repaired(_clean(text))
    parts = [_Part(part, read_file, problems) for part in _pieces(straight)]
    claims = [claim for part in parts for claim in part.claims]
    said = "\n".join(part.said() for part in parts).strip("\r\n")
    requests, hooks, fields = _sorted_out(claims, problems)
    fields += [found for part in parts for found in part.fields]
    subscribed = tuple(subscriptions(fields))
    if problems and not (requests or hooks or subscribed):
        raise problems[0]
    if problems and requests:
        note = f"Something else in the text can't be read. {problems[0]}"
        requests[-1] = replace(requests[-1], notes=(*requests[-1].notes, note))
    requests = [replace(each, notes=(*each.notes, *repaired)) for each in requests]
    return Pasted(
        form=_form(claims, bool(hooks), bool(subscribed)),
        requests=tuple(requests[:MAX_REQUESTS]),
        subscriptions=subscribed,
        webhooks=tuple(hooks),
        said=said,
    )


def _sorted_out(
    claims: list[Claim], problems: list[UnreadableText]
) -> tuple[list[PastedRequest], list[PastedWebhook], list[Fields]]:
    """Requests of this API, webhooks, and what was asked of an endpoint for authorization."""
    requests: list[PastedRequest] = []
    hooks = [hook for claim in claims for hook in claim.webhooks]
    fields: list[Fields] = []
    for claim in claims:
        for request in claim.requests:
            try:
                if hook := webhook_in(request):
                    hooks.append(hook)
                elif asked := asks_for_auth(request):
                    fields.append(Fields(claim.start, asked))
                else:
                    requests.append(request)
            except UnreadableText as problem:
                problems.append(problem)
    return merge(requests), hooks, fields


def _form(claims: list[Claim], hooks: bool, subscribed: bool) -> str:
    """What a text was taken for, in words: each form once, with how many there are."""
    forms = [claim.form for claim in claims if claim.form]
    if not forms:
        return "a webhook" if hooks else "a subscription" if subscribed else NOTHING
    if len(set(forms)) > 1:  # the same URL is logged beside nearly everything
        forms = [form for form in forms if form != LOGGED]
    counted = [(form, forms.count(form)) for form in dict.fromkeys(forms)]
    named = [
        form if count == 1 or form == "a subscription" else f"{form} ({count} of them)"
        for form, count in counted
    ]
    form = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"a webhook, in {form}" if hooks and "webhook" not in form else form


_ARCHIVES = {"PK\x03\x04": "a ZIP archive", "\x1f": "a gzip archive", "%PDF-": "a PDF"}


def _no_text(text: str) -> str:
    """A sentence on what was pasted, if it isn't text at all."""
    for magic, name in _ARCHIVES.items():
        if text.startswith(magic):
            return f"This is {name}, not text. Unpack it, and paste the request that's inside."
    if "\0" in text[:4_096]:
        return "This is binary data, not text. Paste the request as text, such as a curl command."
    return ""


# --- what stands around it ------------------------------------------------------------------------

_ANSWER = re.compile(
    r"HTTP/[0-9]|[{<]"
    r"|[^\n]{0,200}?\b(?:Invalid|Unauthorized|Unknown auth_key|expired|error|40[0-9])\b",
    flags=re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t>]*(?:```|~~~)[^\n`]*$\n?", flags=re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_WAITING = re.compile(  # a command, and the `> ` that a terminal or a mail puts before each line
    r"^(?P<first>[^\n]{0,100}?(?:[$#%>]|\+)[ \t]*(?:curl|wget|http|https)[ \t][^\n]*\n)"
    r"(?P<more>(?:>[ ][^\n]*\n?)++)",
    flags=re.MULTILINE,
)


_HARD_SPACE = re.compile(r"\b(?:curl|https?|wget|POST|GET)\xa0")  # as web pages indent code


def _clean(text: str) -> str:
    """A text without what isn't its own: byte order marks, a terminal's colours and `> `."""
    text = text.removeprefix("\ufeff")
    if "\\u0026auth_" in text:
        text = text.replace("\\u0026", "&")  # a JSON string without its quotes
    if _HARD_SPACE.search(text):
        text = text.replace("\xa0", " ")
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")  # some terminals and old programs end lines so
    if "\x1b[" in text:
        text = _COLOURS.sub("", text)
    if "\n> " in text:
        text = _WAITING.sub(
            lambda found: found["first"] + re.sub(r"^> ", "", found["more"], flags=re.MULTILINE),
            text,
        )
    return text


TYPOGRAPHIC_QUOTES = (
    "The quotes around the words are typographic ones, which no shell knows: an editor or a web "
    "page has put them in. They're read here as plain quotes."
)
_OPENING = re.compile(r"(?<=[ \t])[“”„‘’](?=https?://|\{|[A-Za-z-]{1,40}:)")
_INNER = re.compile(r"\{\s{0,20}[“”„][\w-]{1,40}[“”„]\s{0,20}:")  # JSON's own are gone as well


def _repaired(text: str) -> tuple[str, tuple[str, ...]]:
    """A text with what a web page, an editor or a mail made of it undone, and what that was."""
    notes = []
    for repair, note in (
        (_without_the_unseen, UNSEEN),
        (_without_entities, HTML_ENTITIES),
        (_in_one_line, BROKEN_URL),
        (_straight, TYPOGRAPHIC_QUOTES),
    ):
        repaired = repair(text)
        if repaired != text:
            notes.append(note)
        text = repaired
    return text, tuple(notes)


UNSEEN = (
    "Invisible characters stand around parts of the URL or the command, as some pages and chats "
    "put them there. It's read without them; look whether your program's own text has them."
)
_UNSEEN = "[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"  # zero-width ones, and of direction
_UNSEEN_IN_URL = re.compile(
    rf"{_UNSEEN}++(?=[?&=]|curl|https?:|GET|POST)|(?<=[?&=/]){_UNSEEN}++"
    rf"|{_UNSEEN}++(?=\s*\Z)"
)


def _without_the_unseen(text: str) -> str:
    """A text without what cannot be seen in it, where a URL or a command has no such thing."""
    return _UNSEEN_IN_URL.sub("", text)


HTML_ENTITIES = (
    "The text has &amp; in place of &, as the source of a web page has it, and is read with &. If "
    "your program sends it like that (PHP's http_build_query() does where arg_separator.output "
    "says so), that's a mistake: every parameter but the first has a name that no server knows."
)
_ENTITY_IN_QUERY = re.compile(r"&amp;(?:amp;)?(?:auth_|body_md5=)")


def _without_entities(text: str) -> str:
    """A text that was copied out of HTML's source, as it reads on the page."""
    return bare_of_html(text) if _ENTITY_IN_QUERY.search(text) else text


BROKEN_URL = (
    "The URL is broken over several lines, as a terminal or a mail does it. It's read as one."
)
_URL_TO_LINE_END = re.compile(r"[?&]auth_[\w&=%.~+-]{1,4000}\r?$", flags=re.MULTILINE)
_URL_GOES_ON = re.compile(r"\r?\n(?:> ?)?([\w&=%.~+-]{1,2000})(?=(\r?\n|$)|['\" ])")
_BROKEN_AT_MOST = 40  # times, one URL


def _in_one_line(text: str) -> str:
    """A text whose URLs are whole again, where the signature comes some lines after the key."""
    pieces, at = [], 0
    for found in _URL_TO_LINE_END.finditer(text):
        if found.start() < at:
            continue
        url, end = found[0].rstrip("\r"), found.end()
        for _ in range(_BROKEN_AT_MOST):
            more = _URL_GOES_ON.match(text, end)
            if more is None:
                break
            url, end = url + more[1], more.end()
            if more[2] is None:
                break
        broken = end > found.end() and "auth_signature=" not in found[0][:-64]
        if broken and re.search("auth_signature=[0-9a-f]{64}(?![0-9a-f])", url):
            pieces += [text[at : found.start()], url]
            at = end
    return "".join([*pieces, text[at:]])


def _straight(text: str) -> str:
    """A command's typographic quotes as plain ones, where a word begins or ends with them."""
    if not (_OPENING.search(text) and COMMAND_HINT.search(text)):
        return text
    quotes = str.maketrans("“„”‘’", '"""\'\'')
    text = _OPENING.sub(lambda found: found[0].translate(quotes), text)
    if _INNER.search(text):
        text = re.sub("[“”„]", '"', text)
    return re.sub(r"[”’](?=[ \t\r\n]|$)", lambda found: found[0].translate(quotes), text)


def _pieces(text: str) -> list[str]:
    """A text cut at its Markdown fences, so that nothing goes on from one block into another."""
    return [piece for piece in _FENCE.split(text) if piece.strip()] or [text]


MAX_DEPTH = 3  # JSON in a string in JSON, as Docker and then a log service wrap a line; ours


class _Part:
    """One part of a text: who claims what in it."""

    def __init__(
        self,
        text: str,
        read_file: ReadFile | None,
        problems: list[UnreadableText],
        *,
        depth: int = 0,
    ) -> None:
        self._text = text
        self._problems = problems
        self._room = MAX_REQUESTS
        self.claims: list[Claim] = []
        self._depth = depth
        values = JsonReader(text, self._inside if depth < MAX_DEPTH else None)
        readers: list[tuple[re.Pattern[str], _Reader]] = [
            (DUMP_HINT, self._at_line(read_dump)),
            (WGET_HINT, self._at_line(read_wget_debug)),
            (TRACE_HINT, partial(read_trace, text)),
            (QUOTED_HINT, partial(read_quoted, text)),
            (PYTHON_HINT, PythonReader(text).read),
            (POWERSHELL_HINT, PowerShellReader(text).read),
            (COMMAND_HINT, CommandReader(text, read_file).read),
            (JAVASCRIPT_HINT, JavaScriptReader(text).read),
            (HTTP_HINT, self._at_line(read_http)),
            (LOG_HINT, self._log_line),
            (JSON_HINT, values.read),
            (URL_HINT, partial(read_url, text)),
        ]
        if text.lstrip()[:1] in ("{", "["):
            readers.insert(0, (JSON_HINT, values.read))
        for hint, reader in readers:
            self._ask(hint, reader)
        self.fields = [*values.fields, *self._lines()]
        self.claims = [*self._answered()]
        if not any(claim.requests for claim in self.claims) and (hook := read_webhook_lines(text)):
            self.claims = [hook]

    def _inside(self, text: str) -> tuple[Claim, ...]:
        """What a string inside JSON holds."""
        return tuple(_Part(text, None, [], depth=self._depth + 1).claims)

    def _ask(self, hint: re.Pattern[str], reader: _Reader) -> None:
        """Let one reader read at each of its hints in what is left."""
        new: list[Claim] = []
        for start, end in self._free():
            at = start
            while self._room and (found := hint.search(self._text, at, end)):
                line_ends = self._text.find("\n", found.end(), end)
                line_ends = end if line_ends < 0 else line_ends
                try:
                    claim = reader(found)
                except UnreadableText as problem:
                    self._problems.append(problem)
                    begin = max(start, self._line(found))
                    claim = Claim(begin, line_ends, "", said=self._text[begin:line_ends])
                if claim:
                    new.append(claim)
                    self._room -= bool(claim.requests)
                at = max(claim.end if claim else line_ends, found.end())
        if not any(claim.requests for claim in new):
            new = [claim for claim in new if claim.form or claim.said]  # what sets variables only
        self.claims = sorted([*self.claims, *new], key=lambda claim: claim.start)

    def _free(self, claims: list[Claim] | None = None) -> Iterator[tuple[int, int]]:
        """What nobody has claimed, from where to where."""
        at = 0
        for claim in self.claims if claims is None else claims:
            if claim.start > at:
                yield at, claim.start
            at = max(at, claim.end)
        if at < len(self._text):
            yield at, len(self._text)

    def _answered(self) -> Iterator[Claim]:
        """The claims, each request with the answer that stands under it."""
        asks = [claim.start for claim in self.claims if claim.requests]
        for claim in self.claims:
            if not claim.requests or claim.requests[-1].response or claim.form == LOGGED:
                yield claim
                continue
            following = bisect_right(asks, claim.start)
            ends = asks[following] if following < len(asks) else len(self._text)
            answer = self._text[claim.end : ends].strip()
            if not _ANSWER.match(answer):
                yield claim
                continue
            *before, last = claim.requests
            yield replace(claim, requests=(*before, replace(last, response=answer)))

    def said(self) -> str:
        """What isn't a request, in its order; a line that was cut in pieces is whole again."""
        pieces = [(claim.start, claim.end, claim.said) for claim in self.claims]
        pieces += [(start, end, self._text[start:end]) for start, end in self._free()]
        joined: list[str] = []
        last = 0
        for start, end, piece in sorted(pieces):
            if not piece.strip():
                continue
            if joined and (start != last or not joined[-1]) and not joined[-1].endswith("\n"):
                joined.append("\n")
            joined.append(piece)
            last = end
        return "".join(joined)

    def _lines(self) -> list[Fields]:
        """Fields of a subscription, a line each; one alone may be anything."""
        free = [*self._free([claim for claim in self.claims if claim.form])]
        found = [
            Fields(line.start(), field_in(line))
            for start, end in free
            for line in FIELD_HINT.finditer(self._text, start, end)
        ]
        sockets = [
            Fields(match.start(), {"socket_id": match[1]})
            for start, end in free
            for match in SOCKET_HINT.finditer(self._text, start, end)
        ]
        names = {name for fields in found for name in fields.values}
        return [*found, *sockets] if len(names) > 1 else sockets

    def _line(self, found: re.Match[str]) -> int:
        return self._text.rfind("\n", 0, found.start()) + 1

    def _at_line(self, reader: Callable[[str, int], Claim | None]) -> _Reader:
        return lambda found: reader(self._text, found.start())

    def _log_line(self, found: re.Match[str]) -> Claim | None:
        end = self._text.find("\n", found.end())
        return read_log_line(self._text, self._line(found), len(self._text) if end < 0 else end + 1)
