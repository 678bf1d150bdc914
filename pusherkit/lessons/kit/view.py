"""What a lesson shows: a View, made of facts and a picture, and how a View becomes HTML and text.

A pure function turns a lesson's values into a View. `to_html()` draws it for a running kernel,
`to_static()` for readers without one (GitHub, nbconvert, a notebook that JupyterLab does not trust
yet), `to_text()` for terminals, screen readers and nbval. All three come from the same View, so
they can't contradict each other.

The static form has no style sheet, because JupyterLab takes it away: its sanitizer drops <style>,
<svg>, role and aria attributes, and keeps tables, style attributes without var(), and <img>, also
one whose source is a data: URL (read in JupyterLab 4.6.6, apputils/sanitizer). So the facts are a
table with inline styles, and the picture is an image.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from pusherkit.lessons.kit.picture import Picture

CARD = 960  # px: how wide a card gets at most, frame and all, live and stored

Range = tuple[int, int]  # from a character up to, but not including, another
Kind = Literal["value", "prose", "code", "link"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value. `why` explains, `marks` are ranges of the value to point at, in order.

    A value is set in a fixed-width font, prose in the page's own, and code can be copied. A link is
    an address: a URL, or a path beside the page's own. It opens in a tab of its own.
    """

    name: str
    value: str
    why: str = ""
    marks: tuple[Range, ...] = ()
    kind: Kind = "value"
    label: str = ""
    """What a link says, if it isn't its address."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button that a View offers where a kernel runs. Pressing it reports `id`."""

    id: str
    label: str
    primary: bool = False
    pressed: bool | None = None
    """For a choice: whether it is the chosen one. None for a plain button."""
    mark: str = ""
    """For a choice: ○, ● or ✓, before the label. All are equally wide, so nothing moves."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a card or a widget shows at one moment.

    From top to bottom: the title, the status (one sentence, and whether it is good news), the
    picture, the facts, and the details, which are folded away under `fold`. Then come the actions,
    which are above the status where they are the options of a choice, and the Views below.
    """

    title: str
    facts: tuple[Fact, ...] = ()
    status: str = ""
    good: bool | None = None
    picture: Picture | None = None
    details: tuple[Fact, ...] = ()
    fold: str = "Details"
    code: str = ""
    """The source of the function that did the work, folded away under "Show the code"."""
    actions: tuple[Action, ...] = ()
    below: tuple[View, ...] = ()
    """Views of their own, one under the other."""
    note: str = ""
    """A line in small print at the bottom."""

    @property
    def verdict(self) -> str:
        """The status with a ✓ or a ✗, so that colour never carries the meaning alone."""
        return {True: "✓ ", False: "✗ ", None: ""}[self.good] + self.status

    @property
    def still_facts(self) -> tuple[Fact, ...]:
        """The facts where nothing can be pressed: the options of a choice are the first."""
        options = [f"{each.mark} {each.label}" for each in self.actions if each.mark]
        row = (Fact("Options", " · ".join(options), kind="prose"),) if options else ()
        return (*row, *self.facts)


# --- live ---------------------------------------------------------------------------------------


def to_html(view: View) -> str:
    """The View, all but its title, as HTML for a Stage, which brings the style sheet.

    Everything is escaped.
    """
    is_choice = any(action.pressed is not None for action in view.actions)
    mood = {True: " pk-ok", False: " pk-bad", None: ""}[view.good]
    parts = [
        _actions(view.actions) if is_choice else "",
        f'<p class="pk-status{mood}" role="status">{_prose(view.verdict)}</p>'
        if view.status
        else "",
        view.picture.inline() if view.picture else "",
        _table(view.facts),
        f"<details><summary>{_text(view.fold)}</summary>{_table(view.details)}</details>"
        if view.details
        else "",
        f"<details><summary>{SHOW_THE_CODE}</summary>{_table((_code(view),))}</details>"
        if view.code
        else "",
        "" if is_choice else _actions(view.actions),
        *(
            f'<div class="pk-below"><p class="pk-title">{_prose(each.title)}</p>'
            f"{to_html(each)}</div>"
            for each in view.below
        ),
        f'<p class="pk-note">{_prose(view.note)}</p>' if view.note else "",
    ]
    return "".join(parts)


SHOW_THE_CODE = "Show the code"


def _code(view: View) -> Fact:
    return Fact("Code", view.code, kind="code")


def _actions(actions: Iterable[Action]) -> str:
    buttons = "".join(
        f'<button type="button" data-press="{html.escape(action.id)}"'
        + (' class="pk-primary"' if action.primary else "")
        + ("" if action.pressed is None else f' aria-pressed="{str(action.pressed).lower()}"')
        + ">"
        + (f'<span class="pk-mark">{action.mark}</span>' if action.mark else "")
        + f"{_prose(action.label)}</button>"
        for action in actions
    )
    return f'<div class="pk-actions">{buttons}</div>' if buttons else ""


def _table(facts: Iterable[Fact]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(fact.name)}</th><td>{_live_value(fact)}'
        + (f'<span class="pk-why">{_prose(fact.why)}</span>' if fact.why else "")
        + "</td></tr>"
        for fact in facts
    )
    return f'<table class="pk-facts"><tbody>{rows}</tbody></table>' if rows else ""


def _live_value(fact: Fact) -> str:
    if fact.kind == "prose":
        return f"<p>{_marked(fact, _prose)}</p>"
    if fact.kind == "link" and _ADDRESS.match(fact.value):
        address, label = html.escape(fact.value), _text(fact.label or fact.value)
        return f'<p><a href="{address}" target="_blank" rel="noopener">{label}</a></p>'
    if fact.kind == "code":  # keeps its lines, and scrolls sideways, by keyboard too
        copy = f'<button type="button" class="pk-copy" data-copy="{html.escape(fact.value)}">'
        code = f"<pre tabindex=0>{_lead(fact)}{_marked(fact)}</pre>"
        return f'<div class="pk-code">{code}{copy}Copy</button></div>'
    return f"<pre>{_lead(fact)}{_marked(fact, _breakable)}</pre>"


_ADDRESS = re.compile(r"https?://|/(?!/)")  # nothing that runs, and no other host by accident


def _text(text: str) -> str:
    """Escaped, to stand between tags. Quotes may stay."""
    return html.escape(text, quote=False)


def _prose(text: str) -> str:
    """Escaped; what stands between backticks is set as code."""
    return _TICKS.sub(r"<code>\1</code>", _text(text))


_TICKS = re.compile(r"`([^`\n]++)`")


def _breakable(text: str) -> str:
    """Escaped; a long line may end at a comma or an &, so that words stay whole."""
    return _BREAKS.sub(r"\g<0><wbr>", _text(text))


_BREAKS = re.compile(r"(?:,|&amp;)(?=[^\s,&])")


def _lead(fact: Fact) -> str:
    # A browser drops a newline right after <pre>: HTML standard, 13.2.6.4.7.
    return "\n" if fact.value.startswith("\n") else ""


def _marked(fact: Fact, write: Callable[[str], str] = _text) -> str:
    pieces, at = [], 0
    for start, end in fact.marks:
        pieces += [
            write(fact.value[at:start]),
            f"<mark>{write(fact.value[start:end])}</mark>",
        ]
        at = end
    return "".join([*pieces, write(fact.value[at:])])


# --- static -------------------------------------------------------------------------------------

# Every notebook stores hundreds of these, so they leave unsaid what JupyterLab's own style sheet
# says of a table, <code> and <pre> in an output (outputarea and rendermime, style/base.css).
_BOX = f"border:1px solid #8888;border-radius:6px;padding:10px 14px;max-width:{CARD - 30}px"
_NAME = "text-align:left;vertical-align:top"
_VALUE = "text-align:left"
_PRE = "background:#8882;padding:2px 6px;word-break:normal"
MAX_CHIP = 40  # characters of a value that stays on its line, even in a narrow window


def to_static(view: View, hint: str = "") -> str:
    """The View as HTML that needs no style sheet and no script. Everything is escaped.

    `hint` says how to bring it to life, for a reader who could.
    """
    note = f"<p><small>{_text(hint)}</small></p>" if hint else ""
    return boxed(_static(view) + note)


def boxed(inner: str) -> str:
    """HTML in the frame that every static form has."""
    return f"<div style='{_BOX}'>{inner}</div>"


def _static(view: View) -> str:
    status = f"<p><strong>{_prose(view.verdict)}</strong></p>" if view.status else ""
    folded = _folded(view.fold, view.details)
    if view.code:
        folded += _folded(SHOW_THE_CODE, (_code(view),))
    title = f"<p><strong>{_prose(view.title)}</strong></p>" if view.title else ""
    return (
        f"{title}{status}"
        + (view.picture.image() if view.picture else "")
        + _static_table(view.still_facts)
        + folded
        + "".join(f"<hr>{_static(each)}" for each in view.below)
        + (f"<p><small>{_prose(view.note)}</small></p>" if view.note else "")
    )


def _folded(summary: str, facts: tuple[Fact, ...]) -> str:
    table = _static_table(facts)
    return f"<details><summary>{_text(summary)}</summary>{table}</details>" if table else ""


def _static_table(facts: Iterable[Fact]) -> str:
    rows = "".join(
        f"<tr><th style={_NAME}>{_text(fact.name)}</th>"
        f"<td style={_VALUE}>{_static_value(fact)}"
        + ("<br>" if fact.why and fact.kind == "prose" else "")
        + (f"<small>{_prose(fact.why)}</small>" if fact.why else "")
        + "</td></tr>"
        for fact in facts
    )
    # As large and as wide as live, where JupyterLab shows both, one after the other.
    # In a <tfoot>, because pages stripe the rows of a <tbody>, and light up the one pointed at.
    head = "<table width=100% style=font-size:14px><col width=152><tfoot>"
    return f"{head}{rows}</tfoot></table>" if rows else ""


def _static_value(fact: Fact) -> str:
    if fact.kind == "prose":
        return _marked(fact, _prose)
    value = fact.value
    if value and len(value) <= MAX_CHIP and value == " ".join(value.split()):
        return f"<code>{_marked(fact)}</code>"
    return f"<pre style='{_PRE}'>{_lead(fact)}{_marked(fact)}</pre>"


# --- text ---------------------------------------------------------------------------------------


def to_text(view: View) -> str:
    """The View as plain text: title, status, what the picture shows, a line or more per fact."""
    facts = view.still_facts + view.details
    width = max((len(fact.name) for fact in facts), default=0) + 2
    lines = [view.title] if view.title else []
    if view.status:
        lines.append(view.verdict)
    if view.picture:
        lines.append(f"[Picture] {view.picture.desc}")
    for fact in facts:
        first, *rest = fact.value.split("\n")
        lines.append(f"{fact.name:<{width}}{first}".rstrip())
        lines += [f"{'':<{width}}{line}".rstrip() for line in rest]
    lines += [to_text(each) for each in view.below]
    if view.note:
        lines.append(view.note)
    return "\n".join(lines)


# --- bytes, as people read them -----------------------------------------------------------------

SHOWN_CHARACTERS = 1_500  # of one value; a body of 100 KB would make every key press slow


def whole(value: str) -> tuple[Range, ...]:
    """A value as one mark: for a digest, which changes as a whole or not at all."""
    return ((0, len(value)),) if value else ()


def first_difference(one: bytes | str, other: bytes | str) -> int | None:
    """The index of the first place where two differ; None where they are equal.

    By halving, because a body can be 100 KB long and this runs at every key press.
    """
    if one == other:
        return None
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def mark_at(body: bytes, at: int | None) -> tuple[Range, ...]:
    """The character that shows byte `at` of a body, once it is decoded as UTF-8, as marks."""
    if at is None:
        return ()
    start = len(body[:at].decode(errors="ignore"))
    return ((start, start + 1),)


def name_byte(body: bytes, at: int) -> str:
    """A byte in words: `" (0x22)`, `a space (0x20)`, `0xc3`; past the last one, its end."""
    if at >= len(body):
        return "nothing more"
    byte = body[at]
    named = _NAMED.get(byte) or (chr(byte) if 32 < byte < 127 else "")
    return f"{named} (0x{byte:02x})" if named else f"0x{byte:02x}"


_NAMED = {9: "a tab", 10: "a newline", 13: "a carriage return", 32: "a space"}


def visible(text: str) -> str:
    """A text with its line ends and tabs drawn, one character for each, so positions stay."""
    return text.translate({10: "⏎", 13: "␍", 9: "⇥"})


def short(value: str) -> str:
    """A digest or a key, cut in its middle: enough to see whether two are the same."""
    return value if len(value) <= 16 else f"{value[:8]}…{value[-4:]}"


def excerpt(fact: Fact, before: int = 300) -> Fact:
    """A long value cut to the part around its first mark, and a word on how much is shown."""
    length = len(fact.value)
    if length <= SHOWN_CHARACTERS:
        return fact
    first = max(0, fact.marks[0][0] - before) if fact.marks else 0
    last = min(length, first + SHOWN_CHARACTERS)
    marks = tuple((max(s, first) - first, min(e, last) - first) for s, e in fact.marks if s < last)
    shown = f"Shown: characters {first + 1:,} to {last:,} of {length:,}."
    return Fact(fact.name, fact.value[first:last], f"{fact.why} {shown}".strip(), marks, fact.kind)
