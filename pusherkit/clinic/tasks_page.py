"""The clinic's tasks as one HTML page, for a browser: the facts of `tasks.as_text()`. Pure."""

from __future__ import annotations

import re
from html import escape

from pusherkit.clinic import tasks
from pusherkit.clinic.capstone import GOALS, Goal, State, utc
from pusherkit.clinic.document import document, item, prose
from pusherkit.credentials import Credentials
from pusherkit.doctor.mistakes import Mistake

_ADDRESS = re.compile(r"/clinic/[a-z_]++(?:/[a-z_]++)?+")  # of the server's own pages


def as_html(state: State, credentials: Credentials, url: str) -> str:
    """The page. `url` is where the server is. Everything that arrived from outside is escaped.

    It doesn't reload by itself, which would take away what's selected or scrolled to.
    """
    items = "\n".join(
        _item(number, goal, state, credentials, url) for number, goal in enumerate(GOALS, start=1)
    )
    latest = f"<p>Also came: {prose(state.latest)}</p>\n" if state.latest else ""
    body = f"""\
<h1>The clinic</h1>
<p>{escape(tasks.ABOUT)}</p>
<p>The same {_link("/clinic.json", "as JSON")} and {_link("/clinic", "as text for curl")}.
{_link("/clinic/page", "What you've shown")}, as a page to keep.</p>
<p class="quiet">{len(GOALS) - len(state.open)} of {len(GOALS)} shown. Reload to see what's new.</p>
{latest}<ol>
{items}
</ol>
"""
    return document("The clinic", body)


def _link(address: str, text: str) -> str:
    """A link that also holds where a proxy serves the clinic under a path of its own."""
    return f'<a href="{escape(address.removeprefix("/"))}">{escape(text)}</a>'


def _item(number: int, goal: Goal, state: State, credentials: Credentials, url: str) -> str:
    mark = state.mark(goal.id)
    if mark.met is not None:
        below, when = f"<p>{escape(mark.said)}</p>", utc(mark.met)
    else:
        send = _ADDRESS.sub(lambda found: _link(found[0], found[0]), prose(goal.send))
        came = f"<p><strong>So far:</strong> {prose(mark.said)}</p>" if mark.said else ""
        more = "\n".join(_detail(each) for each in tasks.details(goal, state, credentials, url))
        below = f'<p>{send}</p><p class="quiet">{escape(goal.why)}</p>{came}'
        below += f"<div>{more}</div>" if more else ""
        when = ""
    return item(number, goal.title, when=when, standing=tasks.standing(mark), below=below)


def _detail(detail: str | tasks.Exact | Mistake) -> str:
    if isinstance(detail, str):
        return f"<p>{escape(detail)}</p>"
    if isinstance(detail, Mistake):
        return f"<p><code>{escape(detail.name)}</code>: {escape(detail.why)}</p>"
    where = f" ({_link(detail.address, detail.address)})" if detail.address else ""
    # With the keyboard alone it can be scrolled once it has the focus.
    return (
        f"<dl><dt>{escape(detail.label)}{where}</dt>"
        f'<dd><pre tabindex="0">{escape(detail.text)}</pre></dd></dl>'
    )
