"""A picture as an image: an SVG that needs nothing around it, written to take little room.

Every notebook stores its images, so they must stay small and look like the live drawing. What an
image can't do (be pressed, be read out shape by shape) is left out, shapes that look the same share
one group, and each look gets a class of one letter.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from string import ascii_letters
from xml.etree import ElementTree

Look = tuple[tuple[str, str], ...]  # CSS declarations: a property and its value
_INTERACTIVE = re.compile(r"tabindex|role|aria-.*|data-.*")
_SIZE = {"width", "height", "rx"}
_PLACE = _SIZE | {"x", "y", "d", "cx", "cy", "r"}  # all that may differ in a group


def image(
    shapes: str,
    width: int,
    height: int,
    alt: str,
    *,
    classes: dict[str, str],
    palette: dict[str, tuple[str, str]],
) -> str:
    """An <img> of SVG shapes, `width` × `height` CSS pixels, with its meaning in words as `alt`.

    `classes` are the rules of each class, `palette` the colours that they name, light and dark.
    An image can't see the page's theme, only whether the system prefers dark.
    """
    root = ElementTree.fromstring(f"<g>{shapes}</g>")  # noqa: S314  # written by picture.py
    looks: dict[tuple[Look, Look], str] = {}

    def letter(look: Look, size: Look) -> str:
        row, column = divmod(len(looks), len(ascii_letters))
        return looks.setdefault((look, size), f"{ascii_letters[column]}{row or ''}")

    drawn = "".join(_written(node, letter) for node in _grouped(_flat(root, classes)))
    rules = _rules(looks)
    used = [name for name in palette if f"var(--{name})" in rules + drawn]
    light, dark = (
        "".join(f"--{name}:{palette[name][which]};" for name in used)
        + f"background:{palette['bg'][which]}"
        for which in (0, 1)
    )
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}'><style>"
        f"svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}{rules}</style>{drawn}</svg>"
    )
    # What would end a URL, an attribute or a tag; the rest may stand in a data: URL as it is.
    source = re.sub('[%#&"<]', lambda found: f"%{ord(found[0]):02x}", svg)
    words = html.escape(alt, quote=False).replace('"', "&quot;")
    return (
        f'<img alt="{words}" width={width} src="data:image/svg+xml,{source}" '
        "style='max-width:100%'>"
    )


# --- shapes -------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class _Node:
    """A shape, or a group of them, with its look apart from its other attributes."""

    tag: str
    look: Look
    attributes: dict[str, str]
    text: str = ""
    children: list[_Node] = field(default_factory=list)
    size: Look = ()
    """What every child of a group declares; SVG 2 takes these attributes for CSS properties."""

    @property
    def layer(self) -> object:
        """Neighbours of one layer may change places: they don't lie on each other, or it shows.

        Words lie on shapes, and never on each other. Shapes that aren't filled hide nothing.
        """
        if self.tag == "text":
            return "words"
        return "lines" if ("fill", "none") in self.look else self.kind

    @property
    def kind(self) -> object:
        """Nodes of one kind may share a group, as all that differs is where they are."""
        is_plain = not self.children and self.attributes.keys() <= _PLACE
        return self.look if is_plain and "opacity" not in dict(self.look) else self


def _flat(parent: ElementTree.Element, classes: dict[str, str]) -> list[_Node]:
    """The shapes in a group; groups that change nothing are opened."""
    nodes: list[_Node] = []
    for each in parent:
        if (each.tag == "text" and not each.text) or each.get("fill-opacity") == "0":
            continue  # nothing to be seen
        attributes = {k: v for k, v in each.items() if not _INTERACTIVE.fullmatch(k)}
        named = attributes.pop("class", "").split()
        rules = ";".join(classes[name] for name in classes if name in named)
        declared = dict(rule.split(":", 1) for rule in rules.split(";") if rule)
        if "text-anchor" in attributes:
            declared["text-anchor"] = attributes.pop("text-anchor")
        node = _Node(each.tag, tuple(declared.items()), attributes, each.text or "")
        node.children = _flat(each, classes)
        if node.tag == "g" and not node.look and not node.attributes:
            nodes += node.children
        else:
            nodes.append(node)
    return nodes


def _grouped(nodes: Iterable[_Node]) -> Iterator[_Node]:
    """The same drawing, with all words at its end, and those of one look in one group."""
    for _, layer in groupby(
        sorted(nodes, key=lambda node: node.layer == "words"), lambda node: node.layer
    ):
        kinds: dict[object, list[_Node]] = {}
        for node in layer:
            node.children = list(_grouped(node.children))
            kinds.setdefault(node.kind, []).append(node)
        for alike in kinds.values():
            yield from _as_group(_joined(alike))


def _joined(alike: list[_Node]) -> list[_Node]:
    """Nodes of one kind, their square-cornered rectangles and their paths as one path."""
    paths: list[_Node] = []
    others: list[_Node] = []
    for node in alike:
        if node.tag == "rect" and node.attributes.keys() == {"x", "y", "width", "height"}:
            x, y, w, h = (node.attributes[name] for name in ("x", "y", "width", "height"))
            node.tag, node.attributes = "path", {"d": f"M{x} {y}h{w}v{h}H{x}z"}
        (paths if node.attributes.keys() == {"d"} else others).append(node)
    if len(paths) < 2:
        return alike
    return [replace(paths[0], attributes={"d": "".join(n.attributes["d"] for n in paths)}), *others]


def _as_group(alike: list[_Node]) -> list[_Node]:
    """Several nodes of one kind in a group, which also says what size they have in common."""
    if len(alike) < 2 or not alike[0].look:
        return alike
    common = {
        name: value
        for name, value in alike[0].attributes.items()
        if name in _SIZE and all(node.attributes.get(name) == value for node in alike)
    }
    children = [
        replace(
            node, look=(), attributes={k: v for k, v in node.attributes.items() if k not in common}
        )
        for node in alike
    ]
    size = tuple((name, f"{value}px") for name, value in common.items())
    return [_Node("g", alike[0].look, {}, children=children, size=size)]


def _written(node: _Node, letter: Callable[[Look, Look], str]) -> str:
    """A node as XML, its look as a class."""
    head = f"<{node.tag}" + (f" class='{letter(node.look, node.size)}'" if node.look else "")
    for name, value in node.attributes.items():
        head += f" {name}='{html.escape(value, quote=False).replace(chr(39), '&#39;')}'"
    inside = html.escape(node.text, quote=False)
    inside += "".join(_written(each, letter) for each in node.children)
    return f"{head}>{inside}</{node.tag}>" if inside else f"{head}/>"


def _rules(looks: dict[tuple[Look, Look], str]) -> str:
    """The style sheet: what several looks have in common is said once."""
    shared: dict[tuple[str, str], list[str]] = {}
    for (look, size), name in looks.items():
        for declaration in look:
            shared.setdefault(declaration, []).append(f".{name}")
        for declaration in size:
            shared.setdefault(declaration, []).append(f".{name} *")
    rules: dict[str, list[str]] = {}
    for declaration, selectors in shared.items():
        rules.setdefault(",".join(selectors), []).append(":".join(declaration))
    return "".join(f"{names}{{{';'.join(said)}}}" for names, said in rules.items())


__all__ = ["image"]
