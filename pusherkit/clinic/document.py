"""What the clinic's two HTML pages share: their frame, their style and the list of goals. Pure."""

from __future__ import annotations

import re
from html import escape

_STYLE = """
:root { color-scheme: light dark; --back: #fbfbfa; --panel: #fff; --text: #1d2125;
  --quiet: #59616a; --line: #dcdfe3; --inset: #f3f4f6; --good: #17663a; --good-back: #e5f4ea;
  --link: #0b57a4;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --back: #15181c; --panel: #1c2025; --text: #e4e7ea;
  --quiet: #a0a8b1; --line: #343a42; --inset: #262b32; --good: #86d7a3; --good-back: #17321f;
  --link: #8ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1.25rem 3rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 0.3rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.6rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 0.3rem 0; }
a { color: var(--link); }
.quiet, time { color: var(--quiet); }
ol { list-style: none; margin: 1.6rem 0 0; padding: 0; background: var(--panel);
  border: 1px solid var(--line); border-radius: 10px; }
li { display: grid; grid-template-columns: 2rem minmax(0, 1fr) auto; gap: 0 0.6rem;
  align-items: baseline; padding: 0.7rem 1rem; break-inside: avoid; }
li + li { border-top: 1px solid var(--line); }
li p, li > div { grid-column: 2 / 4; margin: 0; overflow-wrap: anywhere; }
li > div { margin-top: 0.6rem; }
li > div p { margin-top: 0.6rem; }
li dd p { margin-top: 0.2rem; }
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
  li time, li .open, li p, li > div { grid-column: 2; } }
@media print { :root { color-scheme: light; --back: #fff; --panel: #fff; --text: #000;
    --quiet: #444; --line: #bbb; --inset: #f6f6f6; --good: #17663a; --good-back: #fff; }
  @page { margin: 16mm; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  li { padding: 0.35rem 0.8rem; } ol { margin-top: 0.8rem; } h2 { margin-top: 1.1rem; }
  h2, dt { break-after: avoid; }
  pre { break-inside: avoid; white-space: pre-wrap; overflow-wrap: anywhere; } }
"""


def document(title: str, body: str) -> str:
    """A page that needs nothing from outside. `body` is HTML already, `title` is text."""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}</body>
</html>
"""


def prose(text: str) -> str:
    """A sentence, escaped; what stands between backticks is set as code."""
    return _TICKS.sub(r"<code>\1</code>", escape(text))


_TICKS = re.compile(r"`([^`\n]++)`")


def item(number: int, title: str, *, when: str, standing: str, below: str) -> str:
    """A goal in the list. `when` says at what time it was shown; if it's "", `standing` is told.

    `below` is HTML already.
    """
    if not when:
        return (
            f'<li><span class="mark" aria-hidden="true">{number}</span><h3>{escape(title)}</h3>'
            f'<span class="quiet open">{escape(standing)}</span>{below}</li>'
        )
    return (
        '<li class="met"><span class="mark" role="img" aria-label="shown">✓</span>'
        f"<h3>{escape(title)}</h3><time>{escape(when)}</time>{below}</li>"
    )
