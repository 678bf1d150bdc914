"""Controls, and the Explorer: controls → a pure function → a View.

    def viewer() -> Explorer:
        return Explorer(compare, a=area("Body A", ONE), b=area("Body B", OTHER))

`compare(a=…, b=…)` is called with what the controls hold, now and whenever one of them changes,
and returns the View to show under them. Its first View is the twin that readers without a kernel
see. Controls are laid out in one grid, in the order in which they are given.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from pusherkit.errors import PusherError
from pusherkit.lessons.kit.source import source_of
from pusherkit.lessons.kit.stage import Event, Live
from pusherkit.lessons.kit.view import View

# --- controls -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Control:
    """One named value that a person can change.

    `draw(name, raw)` is its HTML, `raw` what the browser holds; `parse(raw)` is the value handed
    to the Explorer's function, and may raise ValueError to keep the last good one.
    """

    raw: Any
    parse: Callable[[Any], Any]
    draw: Callable[[str, Any], str]
    move: Callable[[Any, Event], Any] | None = None
    """For a gesture: the next value, from the present one and an event in the picture."""
    into: str = ""
    """For a preset: the name of the field that it fills."""
    is_button: bool = False


def area(label: str, value: str | bytes, *, rows: int = 2, hint: str = "") -> Control:
    """Several lines of text. Bytes are shown as UTF-8; the function gets text."""
    return Control(
        _text(value),
        _text,
        lambda name, raw: (
            _label(label, name, hint, top=True)
            + f'<textarea id="{_id(name)}" data-name="{name}" rows="{rows}" spellcheck="false">'
            + ("\n" if raw.startswith("\n") else "")
            + f"{html.escape(raw)}</textarea>"
        ),
    )


def line(label: str, value: str, *, hint: str = "") -> Control:
    """One line of text. Enter presses the Explorer's first button."""
    return Control(
        _text(value),
        _text,
        lambda name, raw: (
            _label(label, name, hint)
            + f'<input type="text" id="{_id(name)}" data-name="{name}" spellcheck="false" '
            + f'autocomplete="off" value="{html.escape(raw)}">'
        ),
    )


def choice(label: str, options: Mapping[str, Any] | Sequence[str], *, hint: str = "") -> Control:
    """One of several, by their labels; the function gets the value. The first is chosen."""
    values = dict(options) if isinstance(options, Mapping) else {each: each for each in options}
    return Control(next(iter(values)), values.__getitem__, _select(label, list(values), hint))


def preset(label: str, options: Mapping[str, str], *, into: str, hint: str = "") -> Control:
    """Texts to fill the field `into` with. The function does not get it.

    As soon as somebody types into that field it says "your own", so each can be chosen again.
    """
    values = dict(options)
    draw = _select(label, list(values), hint, own=f'<option value="{OWN}" hidden>your own</option>')
    return Control(next(iter(values)), values.__getitem__, draw, into=into)


OWN = ""  # what a preset holds while its field holds something that was typed


def _select(label: str, labels: list[str], hint: str, own: str = "") -> Callable[[str, Any], str]:
    def draw(name: str, raw: Any) -> str:
        options = own + "".join(
            f"<option{' selected' if each == raw else ''}>{html.escape(each)}</option>"
            for each in labels
        )
        select = f'<div><select id="{_id(name)}" data-name="{name}">{options}</select></div>'
        return _label(label, name, hint) + select

    return draw


def tick(label: str, value: bool = False) -> Control:
    """Yes or no."""
    return Control(
        value,
        bool,
        lambda name, raw: (
            f'<div class="pk-span"><input type="checkbox" id="{_id(name)}" data-name="{name}"'
            f'{" checked" if raw else ""}> <label for="{_id(name)}">{html.escape(label)}</label>'
            "</div>"
        ),
    )


def number(label: str, value: int, low: int, high: int, *, hint: str = "") -> Control:
    """A whole number from `low` to `high`."""
    return Control(
        str(value),
        lambda raw: _within(int(raw), low, high),
        lambda name, raw: (
            _label(label, name, hint)
            + f'<div><input type="number" id="{_id(name)}" data-name="{name}" min="{low}" '
            + f'max="{high}" value="{html.escape(raw)}"></div>'
        ),
    )


def slider(
    label: str, value: int, low: int, high: int, *, step: int = 1, hint: str = ""
) -> Control:
    """A whole number from `low` to `high`, to drag or to move by arrow keys."""
    return Control(
        str(value),
        lambda raw: _within(int(raw), low, high),
        lambda name, raw: (
            _label(label, name, hint)
            + f'<div><input type="range" id="{_id(name)}" data-name="{name}" min="{low}" '
            # No <output>: that would be a live region of its own, beside the widget's status.
            + f'max="{high}" step="{step}" value="{raw}"><span class="pk-at">{raw}</span></div>'
        ),
    )


def button(label: str, *, primary: bool = True, hint: str = "") -> Control:
    """A button. The function gets True in the call that a press causes, and False otherwise."""
    small = f' <span class="pk-hint">{html.escape(hint)}</span>' if hint else ""
    kind = ' class="pk-primary"' if primary else ""
    return Control(
        False,
        bool,
        lambda name, raw: (
            f'<button type="button" data-press="{name}"{kind}>{html.escape(label)}</button>{small}'
        ),
        is_button=True,
    )


def gesture(value: Any, move: Callable[[Any, Event], Any]) -> Control:
    """A value that is changed in the picture itself.

    `move(value, event)` returns the next value for each press, key, drag or drop on a `handle()`
    of the picture. Keep it pure.
    """
    return Control(value, lambda raw: raw, lambda name, raw: "", move=move)


def _text(value: str | bytes) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return text.encode(errors="replace").decode()  # a browser can send half of a surrogate pair


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


_ids = 0


def _id(name: str) -> str:
    return f"pk-@@-{name}"  # @@ becomes the Explorer's own number, so that labels find their field


def _label(label: str, name: str, hint: str, *, top: bool = False) -> str:
    small = f' <span class="pk-hint">{html.escape(hint)}</span>' if hint else ""
    kind = ' class="pk-top"' if top else ""
    return f'<label for="{_id(name)}"{kind}>{html.escape(label)}{small}</label>'


def _drawn(controls: Mapping[str, Control]) -> str:
    """The controls as the cells of a grid; buttons that follow each other share one."""
    cells = [control.draw(name, control.raw) for name, control in controls.items()]
    return "".join(
        f'<div class="pk-span pk-buttons">{"".join(group)}</div>' if is_button else "".join(group)
        for is_button, group in groupby(cells, lambda drawn: drawn.startswith("<button"))
    )


# --- the explorer -------------------------------------------------------------------------------


class Explorer(Live):
    """Controls above a View that follows them.

    `show(**values)` makes the View. A ValueError or PusherError that it raises becomes the status,
    and the rest stays as it was. `code` are the functions that do the work, whose source is shown
    under "Show the code".
    """

    def __init__(
        self,
        show: Callable[..., View],
        /,
        *,
        code: Sequence[Callable[..., Any]] = (),
        **controls: Control,
    ) -> None:
        global _ids
        _ids += 1
        self._make = show
        self._code = "\n\n".join(source_of(function) for function in code)
        self.controls = controls
        self._raw = {name: control.raw for name, control in controls.items()}
        self.values = {
            name: control.parse(control.raw)
            for name, control in controls.items()
            if not control.into
        }
        super().__init__(self._made(), form=_drawn(controls).replace("@@", str(_ids)))

    def set(self, **raw: Any) -> None:
        """Do what typing does: change controls by name. For tests, and for other controls."""
        self.put(raw)
        self.read({**self._raw, **raw})

    def press(self, name: str) -> None:
        """Do what pressing a button, or a handle in the picture, does."""
        self.hear(Event("press", name))

    def read(self, values: dict[str, Any]) -> None:
        before = self._raw
        self._raw = {**before, **values}
        changed = [name for name in self.controls if self._raw[name] != before[name]]
        for name, control in self.controls.items():
            # Both: OWN was set here, and the browser didn't know it yet when somebody typed on.
            behind = before[name] == OWN and control.into in changed
            if control.into and name in changed and self._raw[name] != OWN and not behind:
                filled = control.parse(self._raw[name])
                self._raw[control.into] = filled
                self.put({control.into: filled})
                self._take(control.into)
            elif control.into and control.into in changed:
                self._raw[name] = OWN
                self.put({name: OWN})
        for name in changed:
            if not self.controls[name].into:
                self._take(name)
        self._refresh()

    def hear(self, event: Event) -> None:
        control = self.controls.get(event.id)
        if event.kind == "enter":
            first = next((name for name, each in self.controls.items() if each.is_button), None)
            if first is not None:
                self._refresh(pressed=first)
        elif control is not None and control.is_button:
            self._refresh(pressed=event.id)
        else:
            for name, each in self.controls.items():
                if each.move is not None:
                    self.values[name] = each.move(self.values[name], event)
            self._refresh()

    def _take(self, name: str) -> None:
        try:
            self.values[name] = self.controls[name].parse(self._raw[name])
        except (ValueError, KeyError, TypeError):
            return  # half a number, as it is being typed

    def _refresh(self, pressed: str | None = None) -> None:
        if pressed is not None:
            self.values[pressed] = True
        try:
            view = self._made()
        except (ValueError, PusherError) as error:
            view = replace(self.view, status=str(error), good=False)
        finally:
            if pressed is not None:
                self.values[pressed] = False
        self.show(view)

    def _made(self) -> View:
        return replace(self._make(**self.values), code=self._code)
