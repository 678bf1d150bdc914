"""Write docs/servers.md from the tables of the servers that the practice server can play.

python scripts/servers_page.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pusherkit.sandbox.personalities import PERSONALITIES, Personality, Row

PAGE = Path(__file__).parents[1] / "docs" / "servers.md"

HEAD = """\
# What other servers check, and what they say

The practice server checks every rule and explains itself. The servers that you'll meet check less,
in a different order, and explain little. `pusherkit sandbox --as soketi` (or `pusher`, `reverb`,
`sockudo`, `poxa`) judges and answers as that one does, so your client gets the answers here that
it would get there. Under each answer, the terminal and the live page still say what the strict
server thinks. In Python it's `SandboxServer(personality="soketi")`, and
`pusherkit.sandbox.matrix()` shows one request to all of them.

A server goes through its rows from top to bottom, and the first one that fits gives the answer.
“Source” says how we know: *measured* on a running server of that version, *read* in its source
code, quoted in a public *thread*, or *documented* by the service. *Ours* means that nobody has
published that server's words, so you get the practice server's. `tests/compat` checks soketi's
rows against a running soketi.

The limits are those of a fresh installation. `--rate` counts for soketi and Sockudo only: Reverb
and Poxa have no such limit, and Pusher documents none for publishing. Subscriptions, the delivery
of events, what an accepted GET answers, and CORS are always the practice server's own, whichever
server it plays; soketi, for one, lists every channel with its counts, whatever you ask for. The
Content-Type isn't looked at, though Poxa answers 415 to anything but JSON. An event that a lenient
server would deliver and ours can't (on a channel with a space in its name, say) is accepted, but
isn't delivered; the log says so.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{section}\n" for section in map(_section, PERSONALITIES.values()))


def _section(each: Personality) -> str:
    return "\n".join([f"## {each.server}: `--as {each.name}`", "", *_table(each)])


def _table(each: Personality) -> Iterator[str]:
    yield "| Refused | Answer | Source |"
    yield "| --- | --- | --- |"
    for row in each.rows:
        yield f"| {_cell(row.case)} | {_cell(_answer(row))} | {_cell(row.source)} |"
    yield f"| none of these | 200 {_code(_taken(each))} | {_cell(each.source)} |"


def _answer(row: Row) -> str:
    if row.status == 422 and not row.says:
        return "422, with a list of what's wrong, field by field"
    text = row.says if isinstance(row.says, str) else _json(row.says)
    if text.strip() == "{said}":
        return f"{row.status}, with the practice server's sentence"
    return f"{row.status} {_code(text)}" if text else f"{row.status}, no body"


def _taken(each: Personality) -> str:
    return _json(each.success("events", {}))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _code(text: str) -> str:
    shown = text.strip()
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
