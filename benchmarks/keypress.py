"""From a key press to the repaint in a real JupyterLab: the signing bench against an echo."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import jupyter, peers
from benchmarks.measure import Run, Spread, against, duration, ratio
from benchmarks.report import Row, Target
from benchmarks.signing import event_of

SIZES = {"84 B": 84, "100 KB": 102_400}  # of the body that is typed into
LABS: dict[str, Sequence[str | Path]] = {"lab": jupyter.KIT, "stock": jupyter.KIT_STOCK}
SHOWN = {"lab": "pusherkit lab", "stock": "pusherkit lab --stock"}
PRESSES = 6  # of one turn; their median counts
WIRE_KIB = 32  # a page on a slow line, 2 Mbit/s, gets them in an eighth of a second

BENCH = """
from pusherkit.lessons import send_what_you_signed
send_what_you_signed.bench({body!r})
"""
# The least that a widget can do with a key: show the end of what was typed.
ECHO = """
import html, ipywidgets
field = ipywidgets.Textarea({body!r}, description="Body", layout={{"width": "auto"}})
shown = ipywidgets.HTML()
field.observe(lambda change: setattr(shown, "value", html.escape(change.new[-80:])), "value")
field.add_class("echo-input")
shown.add_class("echo-output")
ipywidgets.VBox([field, shown])
"""
# widget: (the field that is typed into, what is repainted)
PLACES = {
    "bench": (".pk textarea", ".pk-body"),
    "echo": (".echo-input textarea", ".echo-output"),
}
# From the key's own time stamp until the frame with the changed output is painted.
WATCH = """([typed, repainted]) => {
  window.repainted = new Promise(resolve => {
    let pressed
    document.querySelector(typed).addEventListener(
      'keydown', event => { pressed = event.timeStamp }, { once: true, capture: true })
    const observer = new MutationObserver(() => {
      observer.disconnect()
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)))
    })
    const output = document.querySelector(repainted)
    observer.observe(output, { childList: true, subtree: true, characterData: true })
  })
}"""
TO_THE_END = """([typed]) => {
  const field = document.querySelector(typed)
  field.focus()
  field.setSelectionRange(field.value.length, field.value.length)
}"""


def run(run: Run) -> Iterator[Row]:
    """The bench against the echo and the lab against stock, for each size."""
    try:
        times, wires = _times(run)
    except peers.Missing as absent:
        yield Row(figure="key press to repaint, the signing bench ÷ an echo", missing=str(absent))
        return
    for size in SIZES:
        for lab in LABS:
            bench, echo = times[f"{lab} {size} bench"], times[f"{lab} {size} echo"]
            yield Row(
                figure=f"{size}: key press to repaint in {SHOWN[lab]}, signing bench ÷ echo",
                ratio=ratio(bench, echo),
                target=Target("≤", 1.2),
                measured=against(bench, echo),
                if_missed="It goes to signing twice, to writing the view as HTML, and to "
                "the browser's layout of it",
            )
        one, other = times[f"lab {size} bench"], times[f"stock {size} bench"]
        echo = times[f"lab {size} echo"]
        yield Row(
            figure=f"{size}: key press to repaint of the signing bench, pusherkit lab ÷ --stock",
            ratio=ratio(one, other),
            target=Target("≤", 0.6),
            measured=against(one, other),
            if_missed="What is left is the way of the whole body to the kernel: there, even the "
            f"echo takes {duration(statistics.median(echo))}",
        )
        ours, least = (Spread.of(wires[f"lab {size} {widget}"]) for widget in PLACES)
        yield Row(
            figure=f"{size}: bytes on the wire for a key press, signing bench, in KiB",
            ratio=ours,
            target=Target("≤", WIRE_KIB),
            measured=f"both ways between the page and the kernel; an echo: {least.median:.3g} KiB",
            if_missed="The whole body goes to the kernel, as it does for the echo",
        )


class Wire:
    """Counts what a page and its Jupyter server tell each other over WebSockets."""

    def __init__(self, page: Any) -> None:
        self.bytes = 0
        page.on("websocket", self._watch)

    def _watch(self, socket: Any) -> None:
        socket.on("framesent", self._count)
        socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.bytes += len(payload.encode() if isinstance(payload, str) else payload)


Figures = dict[str, list[float]]


def _times(run: Run) -> tuple[Figures, Figures]:
    """The seconds of each turn's key press, and the KiB on the wire, by lab, size and widget."""
    import nbformat

    with ExitStack() as stack:
        root = stack.enter_context(jupyter.checkout())
        for size in SIZES.values():
            _, body = event_of(size)
            cells = [
                nbformat.v4.new_code_cell(source.format(body=body.decode()))
                for source in (BENCH, ECHO)
            ]
            kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)"}
            notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
            nbformat.write(notebook, root / "notebooks" / f"{size}.ipynb")
        browser = stack.enter_context(jupyter.browser())
        works = {}
        wires: Figures = {}
        for lab, command in LABS.items():
            url = stack.enter_context(jupyter.lab(command, root))
            for label, size in SIZES.items():
                page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
                wire = Wire(page)
                jupyter.show(page, url, f"{size}.ipynb")
                jupyter.run_all(page)
                for widget in ("bench", "echo"):
                    page.wait_for_selector(PLACES[widget][0])
                    noted = wires[f"{lab} {label} {widget}"] = []
                    works[f"{lab} {label} {widget}"] = partial(_press, page, widget, wire, noted)
        times = run.interleave("keypress: bench and echo", works, run.pick(full=12, quick=4))
        return times, wires


def _press(page: Any, widget: str, wire: Wire, noted: list[float]) -> float:
    """Type some characters; return the median seconds until each was painted.

    `noted` gets the KiB that one of them put on the wire.
    """
    page.bring_to_front()
    page.evaluate(TO_THE_END, PLACES[widget])
    before = wire.bytes
    milliseconds: list[float] = []
    for _ in range(PRESSES):
        page.evaluate(WATCH, PLACES[widget])
        page.keyboard.press("x")
        milliseconds.append(page.evaluate("() => window.repainted"))
    noted.append((wire.bytes - before) / PRESSES / 1024)
    return statistics.median(milliseconds) / 1000
