"""A queue on a terminal: the cases as text, the conversation about them, the trainer's sheet. Pure.

`work()` asks and says by what it's given, so the same conversation runs in a terminal and in a
test.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from pusherkit.clinic.sabotage import Case, queue
from pusherkit.clinic.scenes import APP, CLINIC_URL
from pusherkit.doctor.search import Finding

WIDTH = 88  # characters of a line of prose; commands and programs keep their own
LANGUAGES = {"bash": "bash", "node": "Node", "php": "PHP", "python": "Python"}
TAUGHT = {"subscription": "09-who-may-listen", "webhook": "10-they-call-you"}
SHOW, QUIT = "s", "q"


def heading(seed: int, cases: Sequence[Case]) -> str:
    """What comes before the cases: which queue it is, and the app's settings."""
    app = replace(APP, base_url=CLINIC_URL)
    return "\n".join(
        [
            f"Seed {seed}. {len(cases)} calls came in, each about something that was refused.",
            _wrapped(
                "Name the cause of each. Use whatever you like: the three questions, a program of "
                "your own, the lessons. Here are the settings of the practice app. To run one of "
                "the programs, paste these settings into your terminal, and keep `pusherkit "
                "clinic` running in another one. Don't give it --port: the programs send to 8124."
            ),
            "",
            *(f"export {name}={value}" for name, value in app.to_env().items()),
            "",
        ]
    )


def text_of(case: Case, count: int) -> str:
    """One case: who calls, what was sent, what was answered, and the answers to choose from."""
    lines = [
        rule(f"{case.number} of {count}"),
        case.story,
        "",
        f"{_what(case)}:",
        "",
        case.shown.rstrip("\n"),
        "",
        "The receiver says:" if case.kind == "webhook" else "The server's answer:",
        "",
        _wrapped(case.said, "  "),
    ]
    if case.log:
        lines += ["", f"{_whose(case)} log says it signed this (⏎ is a newline):", ""]
        lines += [f"  {line}" for line in visible(case.log).split("\n")]
    several = len(case.answer.mistakes) > 1
    lines += ["", "Two things are wrong. Which?" if several else "What's the cause?"]
    for number, option in enumerate(case.options, start=1):
        lines += [f"  {number}  {option.name}", _wrapped(option.why, "     ")]
    return "\n".join(lines)


def _what(case: Case) -> str:
    if case.kind == "subscription":
        return "What the client got, and what it sent"
    if case.kind == "webhook":
        return "The webhook, as the receiver sees it when it verifies it"
    if case.form == "curl":
        return "The request"
    return f"The program, in {LANGUAGES[case.form]}"


def _whose(case: Case) -> str:
    return "Its server's" if case.kind == "subscription" else "Its"


def visible(text: str) -> str:
    """A text with its newlines marked, each at the end of its line, and what can't be seen."""
    shown = "".join(
        "⏎\n" if char == "\n" else char if char.isprintable() else repr(char)[1:-1] for char in text
    )
    return shown.removesuffix("\n")


def rule(title: str) -> str:
    """A line across, with a title in it."""
    return f"── {title} {'─' * (WIDTH - len(title) - 4)}"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- the conversation -------------------------------------------------------------------------


def feedback(case: Case, chosen: int) -> str:
    """What to say to somebody who chose an option, counted from 0."""
    if chosen == case.right:
        return f"Yes.\n{proof(case)}"
    half = case.half_right(chosen)
    said = f"Half of it: {' and '.join(sorted(half))} is right." if half else "That's not it."
    name, made, came = case.objection(chosen)
    label = f"With that, {name} would be"
    if case.options[chosen].ways > 1:
        label = f"For example, that mistake would give {name}"
    return f"{said}\n  {label:<{len(label)}}  {made}\n  {'But it was':<{len(label)}}  {came}"


def proof(case: Case) -> str:
    """What the doctor says of a case."""
    first, *others = case.findings
    lines = [*_found(first)]
    if others:
        lines.append("Another mistake gives the same result, so it could be that, too:")
        for other in others:
            lines += _found(other)
    return "\n".join(lines)


def _found(finding: Finding) -> Iterator[str]:
    for mistake in finding.mistakes:
        yield _wrapped(f"{mistake.name}: {mistake.why}", "  ")
        yield _wrapped(f"Fix: {mistake.fix}", "    ")
    yield f"    Proof: this gives exactly what was sent,\n    {finding.reproduced}"


def work(
    cases: Sequence[Case], ask: Callable[[str], str | None], say: Callable[[str], None]
) -> None:
    """Go through a queue with somebody. `ask` returns a line, or None when there are no more.

    Everybody may try again until it's right; only the first try counts.
    """
    solved: list[Case] = []
    missed: list[Case] = []
    for case in cases:
        say(text_of(case, len(cases)))
        tries = _asked(case, ask, say)
        if tries is None:
            break
        (solved if tries == 1 else missed).append(case)
    done = len(solved) + len(missed)
    if not done:
        say("You haven't answered any yet. The same seed gives you the same queue again.")
        return
    say(rule("the end of the shift" if done == len(cases) else "you're leaving early"))
    say(f"{len(solved)} of {done} at the first try.")
    if missed:
        say("\n".join(["Worth reading again:", *_where_to_read(missed)]))


def _asked(case: Case, ask: Callable[[str], str | None], say: Callable[[str], None]) -> int | None:
    """How many tries it took; 0 if the answer was shown, None if there's nobody any more."""
    tries = 0
    numbers = [str(number) for number in range(1, len(case.options) + 1)]
    while True:
        line = ask(f"Your answer (1 to {numbers[-1]}, {SHOW} to see it, {QUIT} to quit): ")
        if line is None or line.strip().lower() == QUIT:
            return None
        given = line.strip().lower()
        named = [n for n, each in enumerate(case.options, 1) if each.name.lower() == given]
        given = str(named[0]) if named else given
        if given == SHOW:
            say(f"{proof(case)}\n")
            return 0
        if given not in numbers:
            say(f"Type a number from 1 to {numbers[-1]} or the cause's name, {SHOW} or {QUIT}.")
            continue
        tries += 1
        chosen = int(given) - 1
        say(f"{feedback(case, chosen)}\n")
        if chosen == case.right:
            return tries


def _where_to_read(missed: Iterable[Case]) -> Iterator[str]:
    """The lessons that teach what was missed."""
    for case in missed:
        lessons = {mistake.lesson or TAUGHT[case.kind] for mistake in case.answer.mistakes}
        numbers = sorted(lesson[:2] for lesson in lessons)
        which = f"lesson {numbers[0]}" if len(numbers) == 1 else f"lessons {' and '.join(numbers)}"
        yield f"  {which}: {case.answer.name}"


# --- the trainer's sheet ------------------------------------------------------------------------


def sheet(seed: int) -> str:
    """The answers of a seed's queue, with the proof of each."""
    cases = queue(seed)
    lines = [f"Answers for seed {seed}."]
    for case in cases:
        form = f"a {LANGUAGES[case.form]} program" if case.form in LANGUAGES else f"a {case.kind}"
        lines += [
            "",
            rule(f"{case.number} of {len(cases)}: answer {case.right + 1}, {case.answer.name}"),
            f"{case.story} ({form})",
            proof(case),
        ]
    return "\n".join(lines)
