"""What was shown in the clinic, as one HTML page to keep. It needs nothing from outside. Pure."""

from __future__ import annotations

from html import escape

from pusherkit.clinic.capstone import GOALS, Goal, Report, State, fingerprint, utc
from pusherkit.clinic.document import document, item


def as_html(state: State) -> str:
    """The page. Everything that arrived from outside is escaped."""
    items = "\n".join(_item(number, goal, state) for number, goal in enumerate(GOALS, start=1))
    report = _report(state, state.report) if state.report else ""
    body = f"""\
<h1>What I showed in the clinic</h1>
<p class="quiet">{_summary(state)}</p>
<ol>
{items}
</ol>
{report}"""
    return document("What I showed in the clinic", body)


def _summary(state: State) -> str:
    shown, every = len(GOALS) - len(state.open), len(GOALS)
    by = state.report.by if state.report else ""
    much = "All of it" if state.finished else f"{shown} of {every}"
    return (
        f"{much}, judged by what a program sent to a strict practice server for the Pusher HTTP "
        f"API. Run {escape(state.run)}, started {utc(state.began)}."
        + (f" Signed as: <bdi>{escape(by)}</bdi>." if by else "")
    )


def _item(number: int, goal: Goal, state: State) -> str:
    mark = state.mark(goal.id)
    why = f'<span class="quiet">{escape(goal.why)}</span>'
    if mark.met is None:
        return item(number, goal.title, when="", standing="open", below=f"<p>{why}</p>")
    below = f"<p>{escape(mark.said)} {why}</p>"
    return item(number, goal.title, when=utc(mark.met), standing="shown", below=below)


def _report(state: State, report: Report) -> str:
    return f"""\
<h2>Signed by the program itself, and verified</h2>
<p>This request reached the server at {utc(report.time)}. Its body contains the fingerprint of the
results, <code>body_md5</code> is the hash of that body, and the signature covers both.</p>
<dl>
<dt>Body</dt><dd><pre>{escape(report.body)}</pre></dd>
<dt>Canonical string</dt><dd><pre>{escape(report.canonical_string)}</pre></dd>
<dt>Signature: its HMAC-SHA256, with the clinic's secret</dt>
<dd><pre>{escape(report.signature)}</pre></dd>
<dt>Results, whose SHA-256 is the fingerprint <code>{fingerprint(state)}</code></dt>
<dd><pre>{escape(report.results)}</pre></dd>
</dl>
<p class="quiet">The clinic's secret is for practice, and it's public. So it proves that the numbers
fit, not who wrote the program.</p>
"""
