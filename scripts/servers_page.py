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
in another order, and say little. `pusherkit sandbox --as soketi` (or `pusher`, `reverb`,
`sockudo`, `poxa`) judges and answers as that one does, so that your client meets here what it
would meet there; under each answer, the terminal and the live page still say what the strict
server thinks. In Python it's `SandboxServer(personality="soketi")`, and
`pusherkit.sandbox.matrix()` puts one request before all of them.

A request meets a server's rows from top to bottom, and the first that fits answers. “Rests on”
says where we know it from: *measured* on a running server of that version, *read* in its source, a
*thread* in public that quotes it, *documented* by the service. Where it says *ours*, nobody has
published that server's words, and these are the practice server's. soketi's rows are asked of a
running soketi by `tests/compat`.

Limits are those of a fresh installation. Subscribers, the delivery of events and CORS are the
practice server's own, whoever it plays. An event that a lenient server would deliver and ours
can't (a channel's name with a space, say) is accepted, and isn't delivered; the log says so.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n{section}\n" for section in map(_section, PERSONALITIES.values()))


def _section(each: Personality) -> str:
    return "\n".join([f"## {each.server}: `--as {each.name}`", "", *_table(each)])


def _table(each: Personality) -> Iterator[str]:
    yield "| Refused | Answer | Rests on |"
    yield "| --- | --- | --- |"
    for row in each.rows:
        yield f"| {_cell(row.case)} | {_cell(_answer(row))} | {_cell(row.source)} |"
    yield f"| none of these | 200 {_code(_taken(each))} | {_cell(each.source)} |"


def _answer(row: Row) -> str:
    if row.status == 422 and not row.says:
        return "422, with what is wrong listed field by field"
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
