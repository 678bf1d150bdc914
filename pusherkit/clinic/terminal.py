"""The clinic's goals in a terminal: a list that is drawn again in its place, or lines. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from pusherkit.clinic.capstone import GOALS, Goal, Mark, State

MIN_WIDTH, MAX_WIDTH = 40, 100  # characters of a line
INDENT = 7  # characters before what is said of a goal

# SGR codes (ECMA-48, section 8.3.117): the terminal's own green and red, which can be read on its
# own ground, light or dark.
GREEN, RED, BOLD = "32", "31", "1"

Paint = Callable[[str, str], str]


def painted(text: str, code: str) -> str:
    """A text in a colour, or in another weight."""
    return f"\x1b[{code}m{text}\x1b[0m"


def plain(text: str, code: str) -> str:
    """The text as it is: for NO_COLOR, and for what is no terminal."""
    return text


def listed(
    state: State, width: int, height: int, *, notice: str = "", paint: Paint = plain
) -> list[str]:
    """Every goal in a line, and under the open ones what came and what is missing.

    It's drawn again and again in its place, so it has to fit: if what is said takes more than
    `height` lines, each goal says one line of it, and the last line where the rest is. `notice` is
    what else there is to know.
    """
    width = max(MIN_WIDTH, min(width, MAX_WIDTH))
    lines = _listed(state, width, notice, paint, most=height)
    if len(lines) <= height:
        return lines
    lines = _listed(state, width, notice, paint, most=1)
    return [*lines[:-1], lines[-1] + paint(" · in full at /clinic", BOLD)]


def _listed(state: State, width: int, notice: str, paint: Paint, *, most: int) -> list[str]:
    lines = []
    for number, goal in enumerate(GOALS, start=1):
        mark = state.mark(goal.id)
        lines.append(f"  {_sign(mark, paint)} {number}  {goal.title}")
        if mark.met is None:
            lines += _wrapped(mark.said, width, INDENT, most)
    also = [text for text in (state.latest, notice) if text]
    lines += ["", *(line for text in also for line in _wrapped(f"Also: {text}", width, 2, most))]
    shown = len(GOALS) - len(state.open)
    return [*lines, *([""] if also else []), paint(f"  {shown} of {len(GOALS)} shown", BOLD)]


def _sign(mark: Mark, paint: Paint) -> str:
    if mark.met is not None:
        return paint("✓", GREEN)
    if mark.under_way:
        return "…"
    return paint("✗", RED) if mark.said else "·"


def _wrapped(text: str, width: int, indent: int, most: int) -> list[str]:
    before = " " * indent
    return textwrap.wrap(
        text,
        width - 2,  # ☕ takes two columns and counts as one character
        initial_indent=before,
        subsequent_indent=before,
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" …",
    )


def news(before: State | None, now: State) -> Iterator[tuple[Goal | None, Mark]]:
    """The goals of which something new is known, each with its mark.

    None as the goal is for what came and has to do with none of them.
    """
    for goal in GOALS:
        mark, old = now.mark(goal.id), before.mark(goal.id) if before else Mark()
        if mark.said and (mark.met, mark.said) != (old.met, old.said):
            yield goal, mark
    if now.latest and (before is None or now.latest != before.latest):
        yield None, Mark(said=now.latest)


def told(before: State | None, now: State) -> Iterator[str]:
    """What is new in a state, a line each."""
    for goal, mark in news(before, now):
        if goal is None:
            yield f"also   {mark.said}"
        else:
            word = "shown" if mark.met is not None else "began" if mark.under_way else "open "
            yield f"{word}  {GOALS.index(goal) + 1} {goal.title}: {mark.said}"
