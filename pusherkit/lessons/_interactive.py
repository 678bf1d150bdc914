"""What a lesson displays: a live widget where a kernel runs, and its text twin everywhere.

A lesson turns its state into a View, a list of facts. The same View becomes HTML for the widget,
HTML for readers without a kernel (GitHub, nbviewer, nbconvert), and plain text for nbval and
screen readers. So they cannot tell different facts.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
STAGES = ("Body", "Digest", "Parameters", "Canonical string", "Sign", "Send")


Range = tuple[int, int]  # from a character up to, but not including, another


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value. `why` explains, `marks` are ranges of the value to point at, in order."""

    name: str
    value: str
    why: str = ""
    marks: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything that an interactive object says at one moment.

    `status` is the sentence that sums it up; `good` its colour and sign, None for neither.
    The facts from number `fold` on, and the status, are folded away in HTML until asked for.
    """

    title: str
    facts: tuple[Fact, ...]
    status: str = ""
    good: bool | None = None
    fold: int | None = None

    @property
    def verdict(self) -> str:
        """The status with its sign, so that colour is never the only message."""
        sign = {True: "✓ ", False: "✗ ", None: ""}[self.good]
        return sign + self.status


# Text and background always come from the same family of variables, so that an unknown theme
# can look odd but not unreadable. The chain: JupyterLab, other hosts, the browser's own.
STYLE = """<style>
.pk{--pk-fg:var(--jp-content-font-color1,var(--vscode-editor-foreground,CanvasText));
--pk-bg:var(--jp-layout-color1,var(--vscode-editor-background,Canvas));
--pk-code:var(--jp-layout-color2,rgba(127,127,127,.15));
--pk-line:var(--jp-border-color1,rgba(127,127,127,.5));
--pk-ok:#2e7d32;--pk-bad:#c62828;
color:var(--pk-fg);background:var(--pk-bg);border:1px solid var(--pk-line);border-radius:6px;
padding:10px 14px;margin:4px 2px;line-height:1.45;max-width:64rem;
font-family:var(--jp-content-font-family,system-ui,sans-serif);
font-size:var(--jp-content-font-size1,14px)}
[data-jp-theme-light=false] .pk{--pk-ok:#81c784;--pk-bad:#ff8a80}
.pk p{margin:0 0 6px}
.pk dl{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);
gap:8px 14px;margin:6px 0}
.pk.pk dl dt{font-weight:600;padding:3px 0 0;margin:0;width:auto;float:none;white-space:nowrap}
.pk.pk dl dd{margin:0;padding:0;min-width:0;width:auto;float:none}
.pk.pk dl dd pre{margin:0;padding:3px 8px;border-radius:4px;color:var(--pk-fg);
background:var(--pk-code);white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;
line-height:1.45;
font-family:var(--jp-code-font-family,ui-monospace,monospace);
font-size:var(--jp-code-font-size,13px)}
.pk small{display:block;padding:2px 0 0;font-size:.92em}
.pk mark{background:#ffd54f;color:#111;font-weight:700;border-radius:2px}
.pk-status{font-weight:600;border-left:5px solid var(--pk-line);padding:2px 0 2px 10px}
.pk .pk-ok{border-color:var(--pk-ok)}
.pk .pk-bad{border-color:var(--pk-bad)}
</style>"""


def to_html(view: View) -> str:
    """The View as a fragment of HTML. Readable without its style sheet. Everything is escaped."""
    kind = {True: "pk-status pk-ok", False: "pk-status pk-bad", None: "pk-status"}[view.good]
    status = f'<p class="{kind}" role="status">{html.escape(view.verdict)}</p>'
    fold = len(view.facts) if view.fold is None else view.fold
    shown, folded = view.facts[:fold], view.facts[fold:]
    rest = _list(folded) + (status if view.status else "")
    return (
        f'{STYLE}<div class="pk" role="group" aria-label="{html.escape(view.title)}">'
        f"<p><strong>{html.escape(view.title)}</strong></p>{_list(shown)}"
        + (rest if view.fold is None else f"<details><summary>The answer</summary>{rest}</details>")
        + "</div>"
    )


def _list(facts: Iterable[Fact]) -> str:
    rows = "".join(
        # A browser drops a newline right behind <pre>: HTML standard, 13.2.6.4.7.
        f"<dt>{html.escape(fact.name)}</dt><dd><pre>"
        + ("\n" if fact.value.startswith("\n") else "")
        + f"{_marked(fact)}</pre>"
        + (f"<small>{html.escape(fact.why)}</small>" if fact.why else "")
        + "</dd>"
        for fact in facts
    )
    return f"<dl>{rows}</dl>" if rows else ""


def to_text(view: View) -> str:
    """The View as plain text: the title, a line or more for each fact, the status."""
    width = max((len(fact.name) for fact in view.facts), default=0) + 2
    lines = [view.title]
    for fact in view.facts:
        first, *rest = fact.value.split("\n")
        lines.append(f"{fact.name:<{width}}{first}")
        lines += [f"{'':<{width}}{line}" for line in rest]
    if view.status:
        lines.append(view.verdict)
    return "\n".join(lines)


def _marked(fact: Fact) -> str:
    pieces, at = [], 0
    for start, end in fact.marks:
        pieces += [
            html.escape(fact.value[at:start]),
            f"<mark>{html.escape(fact.value[start:end])}</mark>",
        ]
        at = end
    return "".join([*pieces, html.escape(fact.value[at:])])


class Interactive:
    """Controls above a View that follows them; and a twin that stands still.

    `view` is asked for the current View by `refresh()`, which a control's callback calls. `twin`
    is the View that readers without a kernel see; it must be the same on every run.
    """

    def __init__(
        self, controls: Sequence[ipywidgets.Widget], view: Callable[[], View], *, twin: View
    ) -> None:
        self._view = view
        self._lock = threading.Lock()  # callbacks and subscribers run on threads of their own
        self.twin = twin
        self.display = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([*controls, self.display])
        self.widget.add_class("pk-interactive")
        self.refresh()

    def refresh(self) -> None:
        """Show the current View."""
        with self._lock:
            self.display.value = to_html(self._view())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": to_text(self.twin),
            "text/html": to_html(self.twin),
            WIDGET_VIEW: {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.widget.model_id,
            },
        }


def on_enter(text: ipywidgets.Text, act: Callable[[], None]) -> None:
    """Call `act` when Enter is pressed in a text field."""

    # Text.on_submit is deprecated, and observing a field that reports only when it is left
    # could not repaint while typing. The message below is what both would listen to.
    def listen(_: Any, content: dict[str, Any], __: Any) -> None:
        if content.get("event") == "submit":
            act()

    text.on_msg(listen)


def text_field(label: str, value: str) -> ipywidgets.Text:
    """A labelled line to type into, as wide as the notebook."""
    return ipywidgets.Text(
        value=value,
        description=label,
        style={"description_width": "7rem"},
        layout=ipywidgets.Layout(width="auto", flex="1 1 auto"),
    )


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Widgets side by side, as wide as the View below them."""
    return ipywidgets.HBox(widgets, layout=ipywidgets.Layout(max_width="66rem"))


def button(label: str, act: Callable[[], None], tooltip: str = "") -> ipywidgets.Button:
    """A button that calls `act`."""
    made = ipywidgets.Button(
        description=label,
        tooltip=tooltip or label,
        layout=ipywidgets.Layout(width="max-content", min_width="6rem"),
    )
    made.on_click(lambda _: act())
    return made


class Prediction(Interactive):
    """A question with a button for each answer. Only code that runs knows the right one.

    `run` returns the right option and the Facts that show it; it runs when an option is chosen,
    so a stored answer cannot be wrong. `options` maps each option to what to say to whoever
    chose it; `why` is said to everybody.
    """

    def __init__(
        self,
        question: str,
        options: dict[str, str],
        run: Callable[[], tuple[str, Iterable[Fact]]],
        why: str,
    ) -> None:
        self._question, self._options, self._run, self._why = question, options, run, why
        self._chosen: str | None = None
        buttons = [button(option, partial(self.choose, option)) for option in options]
        right, facts = run()
        twin = View(
            question,
            (Fact("Choices", "\n".join(options)), Fact("It turns out", right), *facts),
            status=why,
            fold=1,
        )
        super().__init__(buttons, self._current, twin=twin)
        # The question stands above its buttons.
        self.question = ipywidgets.HTML(f"<strong>{html.escape(question)}</strong>")
        row = ipywidgets.Box(buttons, layout=ipywidgets.Layout(flex_flow="row wrap"))
        self.widget.children = (self.question, row, self.display)

    def choose(self, option: str) -> None:
        """Record a prediction, run the code, and show both."""
        self._chosen = option
        self.refresh()

    def _current(self) -> View:
        if self._chosen is None:
            return View("Your prediction", (), status="Choose before you run. A guess is fine.")
        right, facts = self._run()
        hit = self._chosen == right
        said = self._options[self._chosen]
        return View(
            "Your prediction, and what the code says",
            (Fact("You chose", self._chosen), Fact("It turns out", right), *facts),
            status=f"{'As predicted. ' if hit else 'A surprise. '}{said} {self._why}",
            good=True if hit else None,  # a surprise is no failure
        )


def first_difference(one: bytes, other: bytes) -> int | None:
    """The index of the first byte in which two differ; None where they are equal."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return None if len(one) == len(other) else min(len(one), len(other))


def mark_at(body: bytes, at: int | None) -> tuple[Range, ...]:
    """The character that shows byte `at` of a body, once it is decoded as UTF-8, as marks."""
    if at is None:
        return ()
    start = len(body[:at].decode(errors="ignore"))
    return ((start, start + 1),)


def name_byte(body: bytes, at: int) -> str:
    """A byte as 0x68 'h'; beyond the end, the end."""
    if at >= len(body):
        return "nothing (its end)"
    return f"0x{body[at]:02x}" + (f" {chr(body[at])!r}" if 32 <= body[at] < 127 else "")
