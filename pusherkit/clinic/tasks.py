"""What the clinic asks for and what it saw: for people as text, for programs as JSON. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from pusherkit import snippets
from pusherkit.clinic import capstone
from pusherkit.clinic.capstone import GOALS, VECTORS, Goal, State
from pusherkit.credentials import Credentials
from pusherkit.signing import Request, canonical_string

WIDTH = 92  # characters of a line
ABOUT = (
    "Write a program, in any language, that does these tasks. It gets its settings from the "
    "environment: PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET and PUSHER_HOST. This server judges "
    "everything that reaches it. The order doesn't matter, and you can try as often as you like."
)


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
    lines += ["", "The same as JSON: /clinic.json. A page with what you've shown: /clinic/page."]
    for number, goal in enumerate(GOALS, start=1):
        lines += ["", *_goal(number, goal, state)]
        lines += [f"   {line}".rstrip() for line in _details(goal, state, credentials, url)]
    return "\n".join(lines) + "\n"


def _goal(number: int, goal: Goal, state: State) -> Iterator[str]:
    mark = state.mark(goal.id)
    yield f"{'[x]' if mark.met else '[ ]'} {number}. {goal.title}"
    if mark.met:
        yield from _wrapped(mark.said, "    Shown: ")
        return
    yield from _wrapped(goal.send, "    Do:    ")
    yield from _wrapped(goal.why, "    Why:   ")
    if mark.said:
        yield from _wrapped(mark.said, "    Came:  ")


def _wrapped(text: str, before: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _visible(text: str) -> list[str]:
    """The lines of a text, with their ends."""
    shown = text.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n\n")
    return shown.splitlines()


def _details(goal: Goal, state: State, credentials: Credentials, url: str) -> Iterator[str]:
    """What a goal needs beside its sentences."""
    if state.met(goal.id):
        return
    if goal.id == "vectors":
        yield ""
        yield r" \t at the start of a line is a tab; \r and \n at its end are a carriage return"
        yield " and a newline. Every other backslash is a backslash."
        for number, vector in enumerate(VECTORS, start=1):
            yield ""
            yield f" Vector {number}: {vector.method} {vector.path}"
            for name, value in vector.params:
                yield f"   parameter {name}={value}"
            yield f"   body, {len(vector.body)} bytes; exactly, at /clinic/vectors/{number}:"
            yield from (f"     {line}" for line in _visible(vector.body.decode()))
    if goal.id == "private":
        yield f" The page's socket id: {capstone.socket_id(state)}"
    if goal.id == "fault":
        broken = capstone.broken(state, credentials)
        yield ""
        yield " The request:"
        yield from (f"   {line}" for line in snippets.curl(url, broken).split("\n"))
        yield " What should have been signed (/clinic/broken/canonical_string):"
        yield from (f"   {line}" for line in text_of(broken).split("\n"))
        yield " What was sent (/clinic/broken/auth_signature):"
        yield f"   {broken.values('auth_signature')[0]}"
        yield " The mistakes that you can choose from:"
        for mistake in capstone.mistakes_to_choose_from():
            yield from _wrapped(f"{mistake.name}: {mistake.why}", "   ")
