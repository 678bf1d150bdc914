"""The tables of docs/clients.md: which client does what, as the tests found it.

A test with the mark `feature("batch")` and the fixture `column` fills one cell: if it passes, this
client does that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

Cell = tuple[str, str]  # a column and a feature

_NPM = json.loads(Path(__file__).with_name("package.json").read_text(encoding="utf-8"))
NPM_VERSIONS: dict[str, str] = _NPM["dependencies"]
_ON_SOKETI = f"on soketi {NPM_VERSIONS['@soketi/soketi']}"

# What a column is called. The versions of PyPI's packages are those installed.
PUBLISHERS = {
    "pusher": "PyPI `pusher` {pusher}",
    "pusher-aiohttp": "the same, with aiohttp",
    "npm-pusher": f"npm `pusher` {NPM_VERSIONS['pusher']}",
    "Client": f"our `Client`, {_ON_SOKETI}",
    "AsyncClient": f"our `AsyncClient`, {_ON_SOKETI}",
}
SUBSCRIBERS = {
    "Pysher": "PyPI `Pysher` {Pysher}",
    "pusher-js": f"npm `pusher-js` {NPM_VERSIONS['pusher-js']}",
    "Subscriber": f"our `Subscriber`, {_ON_SOKETI}",
}

_UNESCAPED = "It puts the prefix into the URL as it is: one with `+`, `&`, `%` or `#` goes wrong."
_GET = "Through its `get()`."
_BATCH = "In a batch only."
_BYTES = "Its `authenticate()` returns `shared_secret` as bytes, which JSON can't hold: decode it."
NOTES: dict[Cell, tuple[str, ...]] = {
    ("pusher", "list channels by prefix"): (_UNESCAPED,),
    ("npm-pusher", "list channels by prefix"): (_UNESCAPED, _GET),
    ("npm-pusher", "… with a count of users each"): (_GET,),
    ("npm-pusher", "ask about one channel"): (_GET,),
    ("npm-pusher", "list who is in a presence channel"): (_GET,),
    ("pusher", "encrypted channels"): (_BYTES,),
    ("pusher-aiohttp", "encrypted channels"): (_BYTES,),
    ("pusher", "counts in the answer (`info`)"): (_BATCH,),
    ("pusher-aiohttp", "counts in the answer (`info`)"): (_BATCH,),
}


def render(works: Iterable[Cell]) -> str:
    """Markdown from the cells that work, whose order is that of the rows."""
    cells = list(works)
    numbers: dict[str, int] = {}  # of the notes, in order of appearance
    lines = [
        *_table("Publishing", PUBLISHERS, cells, numbers),
        "",
        *_table("Subscribing", SUBSCRIBERS, cells, numbers),
        "",
        "–: that client, or soketi, does not offer it.",
        "",
        *(f"{number}. {note}" for note, number in numbers.items()),
    ]
    return "\n".join(lines)


def _table(
    title: str, columns: dict[str, str], cells: list[Cell], numbers: dict[str, int]
) -> list[str]:
    headings = [heading.format_map(_Installed()) for heading in columns.values()]
    rows = [[title, *headings], ["---"] * (len(columns) + 1)]
    for feature in dict.fromkeys(feature for column, feature in cells if column in columns):
        rows.append([feature, *(_cell((column, feature), cells, numbers) for column in columns)])
    return [f"| {' | '.join(row)} |" for row in rows]


def _cell(cell: Cell, works: list[Cell], numbers: dict[str, int]) -> str:
    if cell not in works:
        return "–"
    notes = [str(numbers.setdefault(note, len(numbers) + 1)) for note in NOTES.get(cell, ())]
    return f"works ({', '.join(notes)})" if notes else "works"


class _Installed(dict[str, str]):
    """The version of each distribution that is asked for."""

    def __missing__(self, name: str) -> str:
        return version(name)
