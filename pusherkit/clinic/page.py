"""What was shown in the clinic, as one HTML page to keep. It needs nothing from outside. Pure."""

from __future__ import annotations

from html import escape

from pusherkit.clinic.capstone import GOALS, Goal, Report, State, fingerprint, utc

_STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --panel: #fff; --text: #1d2125;
  --quiet: #59616a; --line: #dcdfe3; --inset: #f3f4f6; --good: #17663a; --good-back: #e5f4ea;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --back: #15181c; --panel: #1c2025; --text: #e4e7ea;
  --quiet: #a0a8b1; --line: #343a42; --inset: #262b32; --good: #86d7a3; --good-back: #17321f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1.25rem 3rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 0.3rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.6rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0.3rem 0; }
.quiet, time { color: var(--quiet); }
ol { list-style: none; margin: 1.6rem 0 0; padding: 0; background: var(--panel);
  border: 1px solid var(--line); border-radius: 10px; }
li { display: grid; grid-template-columns: 2rem minmax(0, 1fr) auto; gap: 0 0.6rem;
  align-items: baseline; padding: 0.7rem 1rem; break-inside: avoid; }
li + li { border-top: 1px solid var(--line); }
li p { grid-column: 2 / 4; margin: 0; overflow-wrap: anywhere; }
time { font-size: 0.85rem; white-space: nowrap; }
.mark { width: 1.5rem; height: 1.5rem; line-height: 1.5rem; text-align: center;
  border-radius: 50%; border: 1px solid var(--line); color: var(--quiet); font-size: 0.85rem; }
.met .mark { background: var(--good-back); border-color: var(--good); color: var(--good);
  font-weight: 700; }
dl { margin: 0; }
dt { color: var(--quiet); font-size: 0.85rem; margin-top: 0.7rem; }
dd { margin: 0; }
pre, code { font: 0.8125rem/1.45 var(--mono); }
pre + p, dl + p { margin-top: 1.2rem; }
pre { margin: 0.2rem 0 0; padding: 0.6rem 0.8rem; background: var(--inset); border-radius: 6px;
  white-space: pre; overflow-x: auto; }  /* exact text: it scrolls, and never wraps */
@media (max-width: 34rem) { li { grid-template-columns: 2rem minmax(0, 1fr); }
  li time, li .open, li p { grid-column: 2; } }
@media print { :root { color-scheme: light; --back: #fff; --panel: #fff; --text: #000;
    --quiet: #444; --line: #bbb; --inset: #f6f6f6; --good: #17663a; --good-back: #fff; }
  @page { margin: 16mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  li { padding: 0.35rem 0.8rem; } ol { margin-top: 0.8rem; } h2 { margin-top: 1.1rem; }
  h2, dt { break-after: avoid; }
  pre { break-inside: avoid; white-space: pre-wrap; overflow-wrap: anywhere; } }
"""


def as_html(state: State) -> str:
    """The page. Everything that arrived from outside is escaped."""
    items = "\n".join(_item(number, goal, state) for number, goal in enumerate(GOALS, start=1))
    report = _report(state, state.report) if state.report else ""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What I showed in the clinic</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{_title(state)}</h1>
<p class="quiet">{_summary(state)}</p>
<ol>
{items}
</ol>
{report}</body>
</html>
"""


def _title(state: State) -> str:
    by = state.report.by if state.report else ""
    return (
        f"What <bdi>{escape(by)}</bdi> showed in the clinic"
        if by
        else "What I showed in the clinic"
    )


def _summary(state: State) -> str:
    shown, every = len(GOALS) - len(state.open), len(GOALS)
    much = "All of it" if state.finished else f"{shown} of {every}"
    return (
        f"{much}, judged by what a program sent to a strict practice server for the Pusher HTTP "
        f"API. Run {escape(state.run)}, started {utc(state.began)}."
    )


def _item(number: int, goal: Goal, state: State) -> str:
    mark = state.mark(goal.id)
    if mark.met is None:
        return (
            f'<li><span class="mark" aria-hidden="true">{number}</span><h3>{escape(goal.title)}'
            f'</h3><span class="quiet open">open</span><p class="quiet">{escape(goal.why)}</p></li>'
        )
    return (
        '<li class="met"><span class="mark" role="img" aria-label="shown">✓</span>'
        f"<h3>{escape(goal.title)}</h3><time>{utc(mark.met)}</time>"
        f'<p>{escape(mark.said)} <span class="quiet">{escape(goal.why)}</span></p></li>'
    )


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
