"""What the clinic asks for and what it saw: for people as text, for programs as JSON. Pure.

`tasks_page.py` makes a page of it, for a browser.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pusherkit import snippets
from pusherkit.clinic import capstone
from pusherkit.clinic.capstone import GOALS, VECTORS, Goal, Mark, State
from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Mistake
from pusherkit.signing import Request, canonical_string

WIDTH = 92  # characters of a line
ABOUT = (
    "Write a program, in any language, that does these tasks. It gets its settings from the "
    "environment: PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET and PUSHER_HOST. This server judges "
    "everything that reaches it. The order doesn't matter, and you can try as often as you like."
)
ELSEWHERE = (
    "In a browser: /clinic.html. The same as JSON: /clinic.json. "
    "A page with what you've shown: /clinic/page."
)
BACKSLASHES = (
    r"\t at the start of a line is a tab; \r and \n at its end are a carriage return and a "
    "newline. Every other backslash is a backslash. You get each body's bytes at its address."
)
SIGNS = {"shown": "[x]", "begun": "[…]", "open": "[ ]"}


@dataclass(frozen=True, slots=True)
class Exact:
    """Text that a task needs to the letter."""

    label: str
    text: str
    address: str = ""
    """Where a program gets it, as a path on the clinic's server; "" if it's only shown."""


def text_of(request: Request) -> str:
    """The canonical string that a request should have been signed with."""
    return canonical_string(request.method, request.path, request.params)


def results(state: State) -> str:
    """The text whose fingerprint is signed at the end."""
    return capstone.results(state)


def as_json(state: State, credentials: Credentials) -> dict[str, Any]:
    """The tasks for a program: values to be sent are as they are, not encoded."""
    broken = capstone.broken(state, credentials)
    return {
        "goals": [
            {
                "id": goal.id,
                "title": goal.title,
                "send": goal.send,
                "why": goal.why,
                "met": state.met(goal.id),
                "said": state.mark(goal.id).said,
            }
            for goal in GOALS
        ],
        "vectors": [
            {
                "method": vector.method,
                "path": vector.path,
                "params": [list(pair) for pair in vector.params],
                "body": vector.body.decode(),
            }
            for vector in VECTORS
        ],
        "socket_id": capstone.socket_id(state),
        "channel_name": capstone.PRIVATE_CHANNEL,
        "broken": {
            "canonical_string": text_of(broken),
            "auth_signature": broken.values("auth_signature")[0],
            "causes": list(capstone.FAULTS),
        },
        "fingerprint": capstone.fingerprint(state) or None,
        "latest": state.latest,
    }


def as_text(state: State, credentials: Credentials, url: str) -> str:
    """The tasks for people. `url` is where the server is."""
    lines = ["The clinic", "==========", "", *_wrapped(ABOUT, "")]
    lines += ["", *_wrapped(ELSEWHERE, "")]
    if state.latest:
        lines += ["", *_wrapped(state.latest, "Also came: ")]
    for number, goal in enumerate(GOALS, start=1):
        lines += ["", *_goal(number, goal, state)]
        for detail in details(goal, state, credentials, url):
            lines += _detail(detail)
    return "\n".join(lines) + "\n"


def standing(mark: Mark) -> str:
    """A goal's mark in a word: "open", "begun" if all is well and more has to come, or "shown"."""
    if mark.met is not None:
        return "shown"
    return "begun" if mark.under_way else "open"


def details(
    goal: Goal, state: State, credentials: Credentials, url: str
) -> Iterator[str | Exact | Mistake]:
    """What a goal needs beside its sentences, in order, as long as it isn't met."""
    if state.met(goal.id):
        return
    if goal.id == "vectors":
        yield BACKSLASHES
        for number, vector in enumerate(VECTORS, start=1):
            pairs = [f"{name}={value}" for name, value in vector.params]
            lines = "\n".join([f"{vector.method} {vector.path}", *pairs])
            yield Exact(f"Vector {number}, its path and its parameters, not encoded", lines)
            label = f"Its body, {len(vector.body)} bytes"
            yield Exact(label, _visible(vector.body.decode()), f"/clinic/vectors/{number}")
    if goal.id == "private":
        yield Exact("The page's socket id", capstone.socket_id(state), "/clinic/socket_id")
    if goal.id == "fault":
        broken, place = capstone.broken(state, credentials), "/clinic/broken"
        sent = broken.values("auth_signature")[0]
        yield Exact("The request", snippets.curl(url, broken))
        text = text_of(broken)
        yield Exact("What should have been signed", text, f"{place}/canonical_string")
        yield Exact("What was sent", sent, f"{place}/auth_signature")
        yield "The mistakes that you can choose from:"
        yield from capstone.mistakes_to_choose_from()


def _goal(number: int, goal: Goal, state: State) -> Iterator[str]:
    mark = state.mark(goal.id)
    yield f"{SIGNS[standing(mark)]} {number}. {goal.title}"
    if mark.met is not None:
        yield from _wrapped(mark.said, "    Shown:  ")
        return
    yield from _wrapped(goal.send, "    Do:     ")
    yield from _wrapped(goal.why, "    Why:    ")
    if mark.said:
        yield from _wrapped(mark.said, "    So far: ")


def _detail(detail: str | Exact | Mistake) -> Iterator[str]:
    """A detail's lines: exact text is never wrapped."""
    if isinstance(detail, str):
        yield from ("", *_wrapped(detail, "    "))
    elif isinstance(detail, Exact):
        yield ""
        yield f"    {detail.label}{f' ({detail.address})' if detail.address else ''}:"
        yield from (f"      {line}" for line in detail.text.split("\n"))
    else:
        yield from _wrapped(f"{detail.name}: {detail.why}", "      ")


def _wrapped(text: str, before: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _visible(text: str) -> str:
    """A text whose tabs and line ends can be seen."""
    shown = text.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n\n")
    return shown.removesuffix("\n")
