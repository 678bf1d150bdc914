"""The one widget: it shows HTML and SVG that Python made, and reports what people do with it.

Clicks and keys on elements with `data-press`, drags of elements with `data-drag`, and what is typed
into fields with `data-name` come back to Python, as an Event or as values. The browser keeps
nothing but the state of its fields; what there is to see is always made in Python. All of it works
by keyboard.

`Live` is what lessons and the kit build on: it holds the current View, shows it on a Stage where a
kernel runs, and stands in for it with the View it began with, as static HTML and text, everywhere
else.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from pusherkit.lessons.kit import picture
from pusherkit.lessons.kit.view import CARD, View, to_html, to_static, to_text

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
RUN_ME = "To use it, run the first cell, and then this one (Ctrl+Enter)."
ANSWER_MILLISECONDS = 2_000  # for the kernel to hear of a press; it takes some 20 when it is idle
BRING_BACK = "un this cell to bring the controls back: click its code, then press Ctrl+Enter."
RESTARTED = f"The kernel has restarted. R{BRING_BACK} The first cell has to run before it."
NO_ANSWER = f"No answer yet. If a cell is still running, wait for it. If none is, r{BRING_BACK}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person did: pressed `id`, hit `key` on it, or dragged it.

    While it is dragged, `x` and `y` say where, in the picture's own units; `over` names the
    element with a `data-press` or `data-drop` under the pointer. `kind` is "press", "key", "drag"
    or "drop", and "enter" for Enter in the field `id`.
    """

    kind: str
    id: str
    key: str = ""
    x: float = 0.0
    y: float = 0.0
    over: str = ""


_SCRIPT = r"""
const QUIET = 'data-lm-suppress-shortcuts';  // JupyterLab's keys stay away from this very element
const OURS = ['open', QUIET];  // attributes that the browser sets, and Python knows nothing of
// Ctrl or Cmd is the page's: save, run, find. Not where it edits or copies text, and not in AltGr.
const EDITS = /^([avxyz]|Arrow.+|Backspace|Delete|Home|End)$/i;
function isThePages({ target, key, ctrlKey, metaKey, shiftKey, altKey }) {
  const isText = target.matches('textarea,input:not([type=checkbox],[type=range])');
  if (key === 'Enter') return !isText && (ctrlKey || metaKey || shiftKey);
  const copies = /^c$/i.test(key) && !shiftKey;
  return (ctrlKey || metaKey) && !altKey && !copies && !EDITS.test(key);
}
function sync(now, want) {  // make `now` look like `want`, and keep what need not change
  if (now.nodeType !== want.nodeType || now.nodeName !== want.nodeName) {
    now.replaceWith(want.cloneNode(true));
    return;
  }
  if (now.nodeType === 3) { if (now.data !== want.data) now.data = want.data; return; }
  if (now.nodeType !== 1) return;
  for (const { name } of [...now.attributes])
    if (!want.hasAttribute(name) && !OURS.includes(name)) now.removeAttribute(name);
  for (const { name, value } of [...want.attributes])
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  children(now, want);
}
function children(now, want) {
  const old = [...now.childNodes], fresh = [...want.childNodes];
  fresh.forEach((node, i) => old[i] ? sync(old[i], node) : now.append(node.cloneNode(true)));
  old.slice(fresh.length).forEach(node => node.remove());
}
function parse(html) {
  const template = document.createElement('template');
  template.innerHTML = html;
  return template.content;
}
function render({ model, el }) {
  const root = document.createElement('div');
  root.className = 'pk';
  root.setAttribute('role', 'group');
  const head = document.createElement('p'), form = document.createElement('div');
  const body = document.createElement('div');
  head.className = 'pk-title';
  form.className = 'pk-form';
  body.className = 'pk-body';
  root.append(head, form, body);
  el.append(root);
  const field = name => form.querySelector(`[data-name="${CSS.escape(name)}"]`);
  const read = at => at.type === 'checkbox' ? at.checked : at.value;
  const write = (name, value) => {
    const at = field(name);
    if (!at) return;
    if (at.type === 'checkbox') at.checked = value;
    else if (at.value !== value) at.value = value;
    if (at.type === 'range') at.nextElementSibling.textContent = at.value;
  };
  // Elements with the same data-link belong together: point at one, and all of them light up, also
  // in the drawing that follows.
  let linked = null;
  const light = () => {
    const links = [...root.querySelectorAll('[data-link]')];
    for (const each of links) each.classList.toggle('pk-lit', each.dataset.link === linked);
    root.classList.toggle('pk-linking', links.some(each => each.dataset.link === linked));
  };
  const point = ({ target }) => {
    const link = target.closest && target.closest('[data-link]');
    linked = link && link.dataset.link;
    light();
  };
  let typed = { ...model.get('put'), ...model.get('typed') };
  const showForm = () => {
    form.innerHTML = model.get('form');
    for (const name in typed) write(name, typed[name]);
  };
  const showHead = () => {
    const words = model.get('head').split(/`([^`\n]+)`/);  // every other one is code
    head.replaceChildren(...words.map((each, i) => {
      if (i % 2 === 0) return each;
      const code = document.createElement('code');
      code.textContent = each;
      return code;
    }));
    root.setAttribute('aria-label', head.textContent || 'Picture');
  };
  const showBody = () => {
    const { activeElement: held } = root.getRootNode();
    const inside = body.contains(held);
    children(body, parse(model.get('html')));
    light();
    // The press may have taken away the button that had the focus. Whatever replaced it gets it.
    const next = body.querySelector('.pk-below [data-press]') || body.querySelector('[data-press]');
    if (inside && !body.contains(held) && next) next.focus({ preventScroll: true });
  };
  const put = () => {
    const values = model.get('put');
    for (const name in values) write(name, values[name]);
    typed = { ...typed, ...values };
  };
  // Without a kernel that knows it, a card looks alive and does nothing. So it says so.
  const lost = document.createElement('p');
  lost.className = 'pk-lost';
  lost.setAttribute('role', 'alert');
  let late = 0;
  const lose = why => {
    lost.textContent = why;
    root.prepend(lost);
    root.classList.add('pk-off');
  };
  let gone = false;
  const die = () => {
    gone = true;
    if (root.querySelector('[data-name],[data-press]')) lose(RESTARTED);
  };
  // JupyterLab's manager knows the kernel. Others have no such thing, and a press gets no answer.
  const kernel = model.widget_manager && model.widget_manager.kernel;
  const statusChanged = kernel && kernel.statusChanged;
  const watch = (_, status) => { if (/restarting|dead/.test(status)) die(); };
  let resting = 0;
  const rest = () => {
    try { if (!gone) model.send({ rest: true }); } catch { /* the kernel is dead */ }
  };
  const heard = () => {  // Python answers everything with a message, before it goes to work on it
    clearTimeout(late);
    late = 0;
    clearTimeout(resting);
    resting = setTimeout(rest, REST_MILLISECONDS);
    lost.remove();
    root.classList.remove('pk-off');
  };
  const asking = send => {
    if (gone) return lose(RESTARTED);
    late = late || setTimeout(() => { late = 0; lose(NO_ANSWER); }, ANSWER_MILLISECONDS);
    try { send(); } catch { lose(NO_ANSWER); }  // it throws where the kernel is dead
  };
  // With what was typed: while the kernel is busy, that waits, and an event would overtake it.
  const tell = event => asking(() => model.send({ ...event, typed }));
  showHead();
  showForm();
  showBody();
  model.on('change:head', showHead);
  model.on('change:form', showForm);
  model.on('change:html', showBody);
  model.on('change:put', put);
  model.on('msg:custom', heard);
  if (statusChanged) statusChanged.connect(watch);

  form.addEventListener('input', ({ target }) => {
    if (!target.dataset.name) return;
    if (target.type === 'range') target.nextElementSibling.textContent = target.value;
    typed = { ...typed, [target.dataset.name]: read(target) };
    model.set('typed', typed);
    asking(() => model.save_changes());
  });
  root.addEventListener('click', ({ target }) => {
    const copy = target.closest('[data-copy]'), press = target.closest('[data-press]');
    // A page that came over plain http from another machine, as in a class, has no clipboard.
    if (copy) (async () => navigator.clipboard.writeText(copy.dataset.copy))().then(
      () => { copy.textContent = 'Copied'; },
      () => {
        getSelection().selectAllChildren(copy.previousElementSibling);
        copy.textContent = 'Press Ctrl+C';
      });
    else if (press && !moved) tell({ kind: 'press', id: press.dataset.press });
  });
  // JupyterLab listens at the document, before any element does, so this has to be before that.
  const guard = event => {
    if (root.contains(event.target)) event.target.toggleAttribute(QUIET, !isThePages(event));
  };
  window.addEventListener('keydown', guard, true);
  root.addEventListener('keydown', event => {
    const { target, key } = event;
    const hears = target.closest('[data-keys]');
    if (hears && hears.dataset.keys.split(' ').includes(key)) {
      event.preventDefault();
      tell({ kind: 'key', id: hears.dataset.press, key });
    } else if (key === 'Enter' && target.dataset.name && target.nodeName === 'INPUT') {
      event.preventDefault();
      tell({ kind: 'enter', id: target.dataset.name });
    } else if ((key === 'Enter' || key === ' ') && target.matches('g[data-press]')) {
      event.preventDefault();
      tell({ kind: 'press', id: target.dataset.press });
    }
  });
  root.addEventListener('pointerover', point);
  root.addEventListener('focusin', point);
  root.addEventListener('pointerleave', point);

  let dragged = null, from = null, moved = false, waiting = false;
  const report = (kind, event) => {
    const svg = dragged.closest('svg');
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    const under = document.elementsFromPoint(event.clientX, event.clientY)
      .map(each => each.closest('[data-drop],[data-press]'))
      .find(each => each && each !== dragged && root.contains(each));
    const over = under ? under.dataset.drop || under.dataset.press : '';
    tell({ kind, id: dragged.dataset.drag, x: at.x, y: at.y, over });
  };
  root.addEventListener('pointerdown', event => {
    moved = false;
    dragged = event.target.closest('[data-drag]');
    if (!dragged) return;
    event.preventDefault();
    dragged.focus();
    from = event;
  });
  root.addEventListener('pointermove', event => {
    if (!event.buttons) dragged = null;  // let go outside
    if (!dragged || waiting) return;
    if (!moved) {
      const far = Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY);
      if (far < DRAG_PIXELS) return;  // a hand shakes, and a click is no drag
      moved = true;
      root.setPointerCapture(event.pointerId);  // not before: a click would go to root instead
    }
    waiting = true;
    requestAnimationFrame(() => { waiting = false; if (dragged) report('drag', event); });
  });
  const drop = event => {
    if (dragged && moved) report('drop', event);
    dragged = null;
    setTimeout(() => { moved = false; });
  };
  root.addEventListener('pointerup', drop);
  root.addEventListener('pointercancel', drop);
  return () => {
    model.off('change:head', showHead);
    model.off('change:form', showForm);
    model.off('change:html', showBody);
    model.off('change:put', put);
    model.off('msg:custom', heard);
    if (statusChanged) statusChanged.disconnect(watch);
    clearTimeout(late);
    clearTimeout(resting);
    window.removeEventListener('keydown', guard, true);
  };
}
export default { render };
"""
_CONSTANTS = f"""
const ANSWER_MILLISECONDS = {ANSWER_MILLISECONDS}, REST_MILLISECONDS = 500, DRAG_PIXELS = 4;
const RESTARTED = {json.dumps(RESTARTED)};
const NO_ANSWER = {json.dumps(NO_ANSWER)};
"""

_DARK = "[data-jp-theme-light=false] .pk,.vscode-dark .pk,html[theme=dark] .pk"
_STYLE = f"""
.pk{{{picture.variables(0)}container-type:inline-size;box-sizing:border-box;max-width:{CARD}px;
margin:4px 0;padding:10px 14px;border:1px solid var(--line);border-radius:8px;
color:var(--fg);background:var(--bg);line-height:1.45;
font-family:var(--jp-content-font-family,system-ui,sans-serif);font-size:14px}}
{_DARK}{{{picture.variables(1)}}}
@media(prefers-color-scheme:dark){{body:not([data-jp-theme-light]):not(.vscode-light) .pk{{
{picture.variables(1)}}}}}
.jp-OutputArea-output .pk{{max-width:min({CARD}px,100% - 20px)}}
.pk *{{box-sizing:border-box}}
.pk p{{margin:0}}
.pk .pk-lost{{margin:0 0 10px;padding:6px 12px;border-left:5px solid var(--bad);font-weight:600;
background:var(--card)}}
.pk.pk-off :is(.pk-form,.pk-actions){{opacity:.5}}
.pk code{{padding:0 3px;border-radius:3px;background:var(--card);color:inherit;font-size:.93em;
font-family:var(--jp-code-font-family,ui-monospace,monospace)}}
.pk .pk-title{{font-weight:600;font-size:15px;margin:0 0 8px}}
.pk .pk-form{{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 12px;
align-items:center}}
.pk :is(.pk-form,.pk-title):empty{{display:none}}
.pk .pk-form>label{{font-weight:600}}
.pk .pk-form>.pk-top{{align-self:start;padding-top:6px}}
.pk .pk-form>.pk-span{{grid-column:2}}
.pk .pk-buttons{{display:flex;flex-wrap:wrap;align-items:center;gap:8px}}
.pk .pk-form .pk-hint{{font-weight:400;color:var(--dim);font-size:12.5px}}
.pk input,.pk select,.pk textarea,.pk button{{font:inherit;color:var(--fg)}}
.pk input[type=text],.pk input[type=number],.pk textarea,.pk select{{width:100%;
padding:4px 8px;border:1px solid var(--dim);border-radius:5px;background:var(--bg)}}
.pk select,.pk input[type=number]{{width:auto;max-width:100%}}
.pk option{{color:var(--fg);background:var(--bg)}}
.pk textarea,.pk input[type=text]{{font-family:var(--jp-code-font-family,ui-monospace,monospace);
font-size:13px}}
.pk textarea{{display:block;resize:vertical}}
.pk input[type=range]{{width:calc(100% - 6.5rem);vertical-align:middle;accent-color:var(--accent)}}
.pk input[type=checkbox]{{width:16px;height:16px;margin:0 6px 0 0;vertical-align:-3px;
accent-color:var(--accent)}}
.pk .pk-at{{display:inline-block;width:6rem;padding-left:8px;font-variant-numeric:tabular-nums}}
.pk button{{padding:5px 14px;border:1px solid var(--dim);border-radius:5px;cursor:pointer;
background:var(--card)}}
.pk button:hover{{border-color:var(--fg)}}
.pk button.pk-primary,.pk button[aria-pressed=true]{{background:var(--accent);color:var(--bg);
border-color:var(--accent)}}
.pk .pk-mark{{display:inline-block;width:1.4em}}
.pk :is(a,button,input,select,textarea,summary):focus-visible{{outline:2px solid var(--accent);
outline-offset:2px}}
.pk .pk-actions{{display:flex;flex-wrap:wrap;gap:8px;margin:8px 0}}
.pk .pk-status{{font-weight:600;margin:10px 0 8px;padding:3px 0 3px 12px;
border-left:5px solid var(--line)}}
.pk .pk-status.pk-ok{{border-color:var(--ok)}}
.pk .pk-status.pk-bad{{border-color:var(--bad)}}
.pk svg{{display:block;width:100%;height:auto;margin:8px 0;overflow:visible}}
.pk .pk-narrow{{display:none}}
.pk table.pk-facts{{border-collapse:collapse;width:100%;margin:4px 0;font-size:inherit}}
.pk .pk-facts :is(tr,th,td){{text-align:left;vertical-align:top;border:0;background:none}}
.pk .pk-facts th{{width:9.5rem;padding:5px 14px 3px 0;font-weight:600}}
.pk .pk-facts td{{padding:2px 0}}
.pk .pk-facts td>p{{padding:3px 0}}
.pk .pk-facts pre{{margin:0;padding:3px 8px;border-radius:4px;background:var(--card);color:inherit;
white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;line-height:1.45;font-size:13px;
font-family:var(--jp-code-font-family,ui-monospace,monospace)}}
.pk .pk-code{{display:flex;gap:8px;align-items:start}}
.pk .pk-facts .pk-code pre{{flex:1;white-space:pre;overflow-x:auto;contain:inline-size}}
.pk .pk-facts .pk-copy{{margin-top:2px;padding:1px 10px;font-size:12px}}
.pk .pk-why{{display:block;padding:1px 0 2px;color:var(--dim);font-size:13px}}
.pk mark{{background:var(--mark);color:#1f1f1f;font-weight:700;border-radius:2px}}
.pk a{{color:var(--accent);text-decoration:underline}}
.pk summary{{cursor:pointer;padding:4px 0;color:var(--accent)}}
.pk .pk-below{{margin-top:14px;padding-top:12px;border-top:1px solid var(--line)}}
.pk .pk-note{{margin-top:8px;color:var(--dim);font-size:13px}}
{picture.css(".pk svg")}
.pk svg :is(.pk-handle,[data-link])>*{{pointer-events:all}}
.pk .pk-handle{{cursor:pointer;outline:none}}
.pk .pk-handle[data-drag]{{cursor:grab;touch-action:none}}
.pk .pk-handle:focus-visible>:first-child{{stroke:var(--accent);stroke-width:3}}
.pk .pk-handle:hover>:first-child{{stroke:var(--fg);stroke-width:2}}
.pk.pk-linking svg [data-link]:not(.pk-lit){{opacity:.35}}
.pk svg *{{transition:transform .25s,opacity .15s}}
@container(max-width:560px){{
.pk .pk-form,.pk table.pk-facts,.pk .pk-facts :is(tbody,tr,th,td){{display:block;width:auto}}
.pk .pk-form>*{{margin-bottom:6px}}
.pk .pk-form>label{{display:block;margin-bottom:2px}}
.pk .pk-form>.pk-top{{padding-top:0}}
.pk .pk-facts th{{padding:6px 0 1px}}
.pk .pk-wide{{display:none}}
.pk .pk-narrow{{display:block}}
}}
@media(prefers-reduced-motion:reduce){{.pk svg *{{transition:none!important;
animation:none!important}}}}
"""


class Stage(anywidget.AnyWidget):
    """Shows `head` (text), `form` (fields) and `html`; the latter two made, and escaped, here."""

    _esm = _CONSTANTS + _SCRIPT
    _css = _STYLE
    head = traitlets.Unicode().tag(sync=True)
    form = traitlets.Unicode().tag(sync=True)
    html = traitlets.Unicode().tag(sync=True)
    typed = traitlets.Dict().tag(sync=True)  # written by the browser alone
    put = traitlets.Dict().tag(sync=True)  # written by Python alone
    still = traitlets.Unicode().tag(sync=True)  # a saved notebook's page, in place of the twin


class Live:
    """A View that can change because somebody pressed, dragged or typed something.

    A subclass overrides `hear()` for events and `read()` for fields, and calls `show()` with the
    View to display next. `twin` is the View it begins with, and what readers without a kernel see.
    Where the notebook is saved, the View of that moment takes its place (see _jupyter.py).
    """

    def __init__(self, twin: View, *, form: str = "", hint: str = RUN_ME) -> None:
        self.twin = self.view = twin
        self._form = form
        self._hint = hint
        self._stage: Stage | None = None
        self._put: dict[str, Any] = {}  # what fields hold, written before there were any
        self._lock = threading.RLock()  # JupyterLab may deliver events while a cell runs

    def hear(self, event: Event) -> None:
        """React to an event; without fields or actions there is nothing to react to."""

    def read(self, values: dict[str, Any]) -> None:
        """React to what the fields hold now."""

    def show(self, view: View) -> None:
        """Display a View from now on."""
        self.view = view
        if self._stage is not None:
            with self._stage.hold_sync():
                self._stage.head = view.title
                self._stage.html = to_html(view)

    def redraw(self) -> None:
        """Display what there is to see now, because something outside changed. On any thread."""
        with self._lock:
            self.show(self.now())

    def put(self, values: dict[str, Any]) -> None:
        """Write into fields."""
        if self._stage is None:
            self._put |= values
        else:
            typed = self._stage.typed
            # What was typed since then isn't written over.
            put = {
                name: raw for name, raw in self._stage.put.items() if typed.get(name, raw) == raw
            }
            self._stage.put = {**put, **values}

    def now(self) -> View:
        """What to display at first where a kernel runs, if that isn't the twin."""
        return self.view

    def still(self) -> str:
        """The twin as static HTML."""
        return to_static(self.twin, self._hint)

    def untouched(self) -> str:
        """What a saved notebook shows before anybody did anything; the twin, if it's empty."""
        return ""

    @property
    def stage(self) -> Stage:
        """The widget, made when it is first displayed."""
        with self._lock:  # what another thread shows in the meantime would be lost
            if self._stage is None:
                self.view = self.now()
                self._stage = Stage(
                    head=self.view.title,
                    form=self._form,
                    html=to_html(self.view),
                    put=self._put,
                    still=self.untouched(),
                )
                self._stage.on_msg(self._heard)
                self._stage.observe(self._typed, names="typed")
            return self._stage

    def _heard(self, _: Any, message: Any, __: Any) -> None:
        known = {name: message[name] for name in Event.__dataclass_fields__ if name in message}
        if "rest" in message:  # nobody does anything now, so there's time to draw it
            self.stage.still = to_static(self.view)
            return
        self.stage.send({"heard": True})  # first, because what follows may take a while
        with self._lock:
            if "typed" in message:
                self.stage.set_state({"typed": message["typed"]})
            self.hear(Event(**known))

    def _typed(self, change: dict[str, Any]) -> None:
        self.stage.send({"heard": True})
        with self._lock:
            self.read(change["new"])

    def __repr__(self) -> str:
        return to_text(self.view)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": to_text(self.twin),
            "text/html": self.still(),
            WIDGET_VIEW: {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.stage.model_id,
            },
        }
