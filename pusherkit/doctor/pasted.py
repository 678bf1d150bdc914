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

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from pusherkit.doctor.forms.commands import COMMAND_HINT, CommandReader
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
    "read",
    "read_request",
    "too_long",
]

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
    claims: list[Claim] = []
    problems: list[UnreadableText] = []
    said: list[str] = []
    for part in _parts(_clean(text)):
        found = _Part(part, read_file, problems)
        claims += found.claims
        said += found.said()
    requests = [request for claim in claims for request in claim.requests]
    hooks = [hook for claim in claims for hook in claim.webhooks]
    subscriptions = [one for claim in claims for one in claim.subscriptions]
    if problems and not (requests or hooks or subscriptions):
        raise problems[0]
    if problems and requests:
        note = f"Something else in the text can't be read. {problems[0]}"
        requests[-1] = replace(requests[-1], notes=(*requests[-1].notes, note))
    return Pasted(
        form=_form(claims),
        requests=tuple(requests[:MAX_REQUESTS]),
        subscriptions=tuple(subscriptions),
        webhooks=tuple(hooks),
        said="\n".join(said).strip("\r\n"),
    )


def read_request(text: str, *, read_file: ReadFile | None = None) -> PastedRequest:
    """The one request that a text holds. Raises UnreadableText."""
    pasted = read(text, read_file=read_file)
    if len(pasted.requests) != 1:
        raise UnreadableText(
            "Expected a curl command, or an HTTP request that begins with its method and path, "
            "such as POST /apps/3/events?…; got neither."  # not what: it may be a secret
        )
    return pasted.requests[0]


def _form(claims: list[Claim]) -> str:
    """What a text was taken for, in words: each form once, with how many there are."""
    forms = [claim.form for claim in claims if claim.form]
    if not forms:
        return NOTHING
    counted = [(form, forms.count(form)) for form in dict.fromkeys(forms)]
    named = [form if count == 1 else f"{form} ({count} of them)" for form, count in counted]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


# --- what stands around it ------------------------------------------------------------------------

_FENCE = re.compile(r"^[ \t>]*(?:```|~~~)[^\n`]*$\n?", flags=re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_WAITING = re.compile(  # a command, and the `> ` that a terminal or a mail puts before each line
    r"^(?P<first>[^\n]{0,100}?(?:[$#%>]|\+)[ \t]*(?:curl|wget|http|https)[ \t][^\n]*\n)"
    r"(?P<more>(?:>[ ][^\n]*\n?)++)",
    flags=re.MULTILINE,
)


def _clean(text: str) -> str:
    """A text without what isn't its own: byte order marks, a terminal's colours and `> `."""
    text = text.removeprefix("\ufeff")
    if "\x1b[" in text:
        text = _COLOURS.sub("", text)
    if "\n> " in text:
        text = _WAITING.sub(
            lambda found: found["first"] + re.sub(r"^> ", "", found["more"], flags=re.MULTILINE),
            text,
        )
    return text


def _parts(text: str) -> list[str]:
    """A text cut at its Markdown fences, so that nothing goes on from one block into another."""
    return [part for part in _FENCE.split(text) if part.strip()] or [text]


class _Part:
    """One part of a text: who claims what in it."""

    def __init__(
        self, text: str, read_file: ReadFile | None, problems: list[UnreadableText]
    ) -> None:
        self._text = text
        self.claims: list[Claim] = []
        commands = CommandReader(text, read_file)
        for hint, reader in (
            (DUMP_HINT, self._at_line(read_dump)),
            (WGET_HINT, self._at_line(read_wget_debug)),
            (TRACE_HINT, self._at_line(read_trace)),
            (COMMAND_HINT, commands.read),
            (HTTP_HINT, self._at_line(read_http)),
            (LOG_HINT, self._log_line),
        ):
            self._ask(hint, reader, problems)

    def _ask(self, hint: re.Pattern[str], reader: _Reader, problems: list[UnreadableText]) -> None:
        """Let one reader read at each of its hints in what is left."""
        new: list[Claim] = []
        for start, end in self._free():
            at = start
            while found := hint.search(self._text, at, end):
                line_ends = self._text.find("\n", found.end(), end)
                line_ends = end if line_ends < 0 else line_ends
                try:
                    claim = reader(found)
                except UnreadableText as problem:
                    problems.append(problem)
                    begin = max(start, self._line(found))
                    claim = Claim(begin, line_ends, "", said=self._text[begin:line_ends])
                if claim:
                    new.append(claim)
                at = max(claim.end if claim else line_ends, found.end())
        if not any(claim.requests for claim in new):
            new = [claim for claim in new if claim.form or claim.said]  # what sets variables only
        self.claims = sorted([*self.claims, *new], key=lambda claim: claim.start)

    def _free(self) -> Iterator[tuple[int, int]]:
        """What nobody has claimed, from where to where."""
        at = 0
        for claim in self.claims:
            if claim.start > at:
                yield at, claim.start
            at = max(at, claim.end)
        if at < len(self._text):
            yield at, len(self._text)

    def said(self) -> list[str]:
        """What isn't a request, in its order."""
        pieces = [(claim.start, claim.said) for claim in self.claims]
        pieces += [(start, self._text[start:end]) for start, end in self._free()]
        return [piece for _, piece in sorted(pieces) if piece.strip()]

    def _line(self, found: re.Match[str]) -> int:
        return self._text.rfind("\n", 0, found.start()) + 1

    def _at_line(self, reader: Callable[[str, int], Claim | None]) -> _Reader:
        return lambda found: reader(self._text, found.start())

    def _log_line(self, found: re.Match[str]) -> Claim | None:
        end = self._text.find("\n", found.end())
        return read_log_line(self._text, self._line(found), len(self._text) if end < 0 else end + 1)
