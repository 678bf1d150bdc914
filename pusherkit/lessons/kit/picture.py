"""Pictures: SVG that a pure function draws from a lesson's values.

Draw with `rect()`, `text()`, `line()`, `path()` and `group()`, name colours by class, and put the
pieces into a Picture. Shown live, the picture follows JupyterLab's theme through the Stage's style
sheet; as an image, for readers without a kernel, it brings the same classes and its own background
(an image can't see the page's theme, only whether the system prefers dark).

A picture says its meaning in `desc`, in words: that is its alternative text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pusherkit.lessons.kit.image import image

# --- colours ------------------------------------------------------------------------------------

STAGES = ("Body", "Digest", "Parameters", "Canonical string", "Sign", "Send")

# name: (light, dark). Text colours have a contrast of at least 4.5:1 on bg and on card.
PALETTE = {
    "bg": ("#ffffff", "#1e1e1e"),
    "card": ("#f4f4f4", "#2d2d2d"),
    "fg": ("#1f1f1f", "#eeeeee"),
    "dim": ("#5f6368", "#b0b4b9"),
    "line": ("#b6bac0", "#5c6066"),
    "ok": ("#1b6e33", "#7ddc97"),
    "bad": ("#b3261e", "#ffa39b"),
    "mark": ("#ffd54f", "#ffd54f"),
    "accent": ("#0b57d0", "#8ab4f8"),
    # One colour for each stage, the same in every lesson: a value wears the colour of its stage.
    "s1": ("#0b57d0", "#8ab4f8"),
    "s2": ("#8a5200", "#fbbc58"),
    "s3": ("#7627bb", "#d7aefb"),
    "s4": ("#00695c", "#5fd8c6"),
    "s5": ("#b3155b", "#ff8bbd"),
    "s6": ("#3f4a55", "#c0c8d0"),
}
# What a shape may be called. Fill and stroke come from the palette; `text` classes set the font.
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace"
_SANS = "font-family:system-ui,sans-serif"
CLASSES = {
    "box": "fill:var(--card);stroke:var(--line);stroke-width:1",
    "bare": "fill:none;stroke:var(--line);stroke-width:1",
    "hot": "fill:var(--mark);stroke:var(--fg);stroke-width:1.5",
    "thread": "fill:none;stroke:var(--line);stroke-width:1.25",
    "slid": "fill:none;stroke:var(--accent);stroke-width:1.5",
    "arrow": "fill:none;stroke:var(--dim);stroke-width:1.75",
    "good": "fill:none;stroke:var(--ok);stroke-width:2",
    "wrong": "fill:none;stroke:var(--bad);stroke-width:2",
    "solid": "fill:var(--fg);stroke:none",
    "t": f"fill:var(--fg);stroke:none;font-size:13px;{_SANS}",
    "small": f"fill:var(--dim);stroke:none;font-size:11.5px;{_SANS}",
    "strong": f"fill:var(--fg);stroke:none;font-size:13px;font-weight:600;{_SANS}",
    "m": f"fill:var(--fg);stroke:none;font-size:13px;{_MONO}",
    "hex": f"fill:var(--dim);stroke:none;font-size:11px;{_MONO}",
    "ink": f"fill:#1f1f1f;stroke:none;font-size:13px;{_MONO}",
    "inkt": f"fill:#1f1f1f;stroke:none;font-size:13px;{_SANS}",
    "inkhex": f"fill:#1f1f1f;stroke:none;font-size:11px;{_MONO}",
    "okt": f"fill:var(--ok);stroke:none;font-size:15px;font-weight:600;{_SANS}",
    "badt": f"fill:var(--bad);stroke:none;font-size:15px;font-weight:600;{_SANS}",
    "faint": "opacity:.35",
}
for _number in range(1, 7):
    CLASSES[f"s{_number}"] = f"fill:none;stroke:var(--s{_number});stroke-width:2"
    CLASSES[f"f{_number}"] = f"fill:var(--s{_number});stroke:none"
    CLASSES[f"t{_number}"] = (
        f"fill:var(--s{_number});stroke:none;font-size:13px;font-weight:600;{_SANS}"
    )


def css(scope: str) -> str:
    """The classes of every picture, for elements inside `scope`."""
    return "".join(f"{scope} .{name}{{{rules}}}" for name, rules in CLASSES.items())


def variables(which: int) -> str:
    """The palette as CSS variables: 0 for light, 1 for dark."""
    return "".join(f"--{name}:{pair[which]};" for name, pair in PALETTE.items())


# --- shapes -------------------------------------------------------------------------------------


def rect(x: float, y: float, w: float, h: float, kind: str = "box", **more: object) -> str:
    """A rectangle. `more`: attributes; fill="#123", rx=3, data_press="a", tabindex=0 …"""
    return f"<rect x='{_n(x)}' y='{_n(y)}' width='{_n(w)}' height='{_n(h)}'{_more(kind, more)}/>"


def text(x: float, y: float, words: str, kind: str = "t", at: str = "start", **more: object) -> str:
    """A line of text. `at`: "start", "middle" or "end", what of it is at x. Escaped."""
    anchor = "" if at == "start" else f" text-anchor='{at}'"
    return f"<text x='{_n(x)}' y='{_n(y)}'{anchor}{_more(kind, more)}>{_words(words)}</text>"


def glyphs(places: Iterable[float], y: float, words: str, kind: str = "m") -> str:
    """Characters, each centred on a place of its own: short to store where there are many."""
    at = " ".join(map(_n, places))
    return (
        f"<text x='{at}' y='{_n(y)}' text-anchor='middle'{_more(kind, {})}>{_words(words)}</text>"
    )


def boxes(corners: Iterable[tuple[float, float]], w: float, h: float, kind: str = "box") -> str:
    """Rectangles of one size as one shape; those side by side share the line between them."""
    rows: list[tuple[float, float, int]] = []  # where a row of boxes begins, and how many it has
    for x, y in corners:
        if rows and rows[-1][1] == y and rows[-1][0] + rows[-1][2] * w == x:
            rows[-1] = (*rows[-1][:2], rows[-1][2] + 1)
        else:
            rows.append((x, y, 1))
    d = "".join(
        f"M{_n(x)} {_n(y)}h{_n(w * count)}v{_n(h)}H{_n(x)}z"
        + (f"m{_n(w)} 0v{_n(h)}" if count > 1 else "")
        + f"m{_n(w)} {_n(-h)}v{_n(h)}" * (count - 2)
        for x, y, count in rows
    )
    return path(d, kind) if d else ""


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "thread", **more: object) -> str:
    """A straight line."""
    return path(f"M{_n(x1)} {_n(y1)}{_to(x1, y1, x2, y2)}", kind, **more)


def path(d: str, kind: str = "thread", **more: object) -> str:
    """A path, in SVG's own notation."""
    return f"<path d='{d}'{_more(kind, more)}/>"


def arrow(x1: float, y1: float, x2: float, y2: float, kind: str = "arrow") -> str:
    """A straight arrow, horizontal or vertical."""
    along = 6 if (x2 - x1) + (y2 - y1) > 0 else -6
    head = (
        f"M{_n(x2 - along)} {_n(y2 - 4)}l{along} 4 {-along} 4"
        if y1 == y2
        else f"M{_n(x2 - 4)} {_n(y2 - along)}l4 {along} 4 {-along}"
    )
    return path(f"M{_n(x1)} {_n(y1)}{_to(x1, y1, x2, y2)}{head}", kind)


def _to(x1: float, y1: float, x2: float, y2: float) -> str:
    """The step to a second point, in SVG's shortest notation."""
    return f"H{_n(x2)}" if y1 == y2 else f"V{_n(y2)}" if x1 == x2 else f"L{_n(x2)} {_n(y2)}"


def tile(
    x: float,
    y: float,
    w: float,
    h: float,
    words: str,
    kind: str = "box",
    letters: str = "m",
    *,
    pad: float | None = None,
    **more: object,
) -> str:
    """A rectangle with a line of text in its middle, or `pad` away from its left edge.

    `letters` is the text's kind; `more` are attributes of the rectangle.
    """
    across, at = (x + w / 2, "middle") if pad is None else (x + pad, "start")
    middle = y + h / 2 + 4.5  # half the height of a capital letter lower
    return rect(x, y, w, h, kind, **more) + text(across, middle, words, letters, at)


def group(
    *pieces: str, kind: str = "", at: tuple[float, float] | None = None, **more: object
) -> str:
    """Shapes together, for one transform, link or handle. `at` is where their 0, 0 goes."""
    if at is not None:
        more["transform"] = f"translate({_n(at[0])} {_n(at[1])})"
    return f"<g{_more(kind, more)}>{''.join(pieces)}</g>"


def handle(
    *pieces: str, id: str, label: str, keys: str = "", drag: bool = False, kind: str = ""
) -> str:
    """Shapes that can be pressed, by mouse and by keyboard; with `keys`, that hear those keys.

    `keys` are names as in KeyboardEvent.key, parted by spaces: "ArrowLeft ArrowRight". With
    `drag` they can also be dragged. What happens is reported under `id`; `label` is what a screen
    reader calls it.
    """
    more: dict[str, object] = {"tabindex": 0, "role": "button", "aria_label": label}
    more["data_press"] = id
    if keys:
        more["data_keys"] = keys
    if drag:
        more["data_drag"] = id
    return group(*pieces, kind=f"pk-handle {kind}".strip(), at=None, **more)


def _more(kind: str, more: dict[str, object]) -> str:
    shown = f" class='{kind}'" if kind else ""
    for name, value in more.items():
        escaped = html.escape(_n(value) if isinstance(value, float) else str(value))
        shown += f" {name.rstrip('_').replace('_', '-')}='{escaped}'"
    return shown


def _words(text: str) -> str:
    """A text in a shape, escaped; what may not stand in XML (its 1.0, 2.2) shows as �."""
    return html.escape(_NOT_XML.sub("�", text), quote=False)


_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


# --- the picture --------------------------------------------------------------------------------


Drawn = tuple[int, int, str]  # a width, a height, both in CSS pixels, and shapes


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG drawing of `width` × `height` CSS pixels, and what it shows in words.

    `narrow` is the same facts drawn for little room (a container of less than 560 px). Where a
    picture has none, it shrinks.
    """

    title: str
    desc: str
    width: int
    height: int
    shapes: str
    narrow: Picture | None = None

    @classmethod
    def both(cls, title: str, desc: str, wide: Drawn, narrow: Drawn) -> Picture:
        """A picture that is drawn twice, the second time for little room."""
        return cls(title, desc, *wide, narrow=cls(title, desc, *narrow))

    def inline(self) -> str:
        """As inline SVG, for a Stage."""
        if self.narrow:
            return self._svg("pk-pic pk-wide") + self.narrow._svg("pk-pic pk-narrow")
        return self._svg("pk-pic")

    def _svg(self, kind: str) -> str:
        role = "group" if "tabindex=" in self.shapes else "img"
        label = html.escape(f"{self.title}. {self.desc}")
        return (
            f"<svg class='{kind}' viewBox='0 0 {self.width} {self.height}' role='{role}' "
            f"aria-label=\"{label}\" style='max-width:{self.width}px'>{self.shapes}</svg>"
        )

    def image(self) -> str:
        """As an image that needs nothing around it, for readers without a kernel."""
        alt = f"{self.title}. {self.desc}"
        return image(self.shapes, self.width, self.height, alt, classes=CLASSES, palette=PALETTE)
