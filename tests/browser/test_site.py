"""The static site in a real browser, from any plain web server: nothing is installed, nothing sent.

It's built anew for these tests, which needs node and npm. The lessons share one browser profile, as
a learner's do.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # building the site alone takes half a minute
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BUILD_SECONDS = 400  # the first time everything is fetched; then it takes some 30
PYTHON_MILLISECONDS = 120_000  # for Python to start inside the page, on a busy machine
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
OWN = ("data:", "blob:")  # what is in the page already

# Where there's no socket a lesson says so in place; this isn't in the stored outputs.
SAYS_WHERE = re.compile(r"^(?:A browser tab|This tab|Your handler listens) .*\n", re.M)

CODE = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
  .filter(cell => cell.cell_type === 'code').map(cell => cell.source)"""
SHOWN = """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
  .filter(cell => cell.cell_type === 'code' && cell.source.trim())
  .map(cell => cell.outputs.map(output => {
    const text = output.output_type === 'stream' ? output.text : output.data['text/plain'];
    return Array.isArray(text) ? text.join('') : text;
  }))"""
ANSWER = """async ([begins, source]) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  const index = [...content.model.cells].findIndex(
    cell => cell.sharedModel.source.startsWith(begins));
  content.activeCellIndex = index;
  content.model.cells.get(index).sharedModel.source = source;
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
ASK = """async code => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  let text = '';
  const asked = kernel.requestExecute({ code });
  asked.onIOPub = ({ header, content }) => {
    if (header.msg_type === 'stream') text += content.text;
    if (header.msg_type === 'error') text += content.evalue;
  };
  await asked.done;
  return text;
}"""
HTML = "bodies => bodies.map(each => each.innerHTML)"
CHANGED = "([body, before]) => !before.includes(body.innerHTML)"
FORGET = """
from pathlib import Path
for file in ("my_pusher.py", ".pusherkit-progress.json"):
    Path(file).unlink(missing_ok=True)
"""
OVERHANGING = """() => [...document.querySelectorAll('.opinion')].flatMap(card =>
  [...card.querySelectorAll('*')].filter(each => each.scrollWidth > each.clientWidth + 1
    && each.clientWidth || each.getBoundingClientRect().right > card.getBoundingClientRect().right))
  .map(each => each.outerHTML.slice(0, 100))"""
CLOSE = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.save();
  await panel.sessionContext.shutdown();
  panel.dispose();
}"""
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """`python -m http.server` without its log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


def build(folder: Path) -> None:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing; install Node 20 or newer")
    command = [sys.executable, ROOT / "scripts" / "build_site.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """Where a plain web server serves it: under a path, as GitHub Pages does."""
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{site.name}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def open_page(browser: Any, url: str) -> Iterator[Any]:
    """Open a page of the site in a fresh profile; nothing may be asked of anybody else."""
    contexts, outside = [], []

    def open_page(path: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        context.on(
            "request",
            lambda r: None if r.url.startswith((url, *OWN)) else outside.append(r.url),
        )
        page = context.new_page()
        page.goto(url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert outside == []


def test_two_builds_are_equal(site: Path, tmp_path: Path) -> None:
    build(tmp_path)
    files = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    again = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert files == again
    differ = [
        each for each in files if (site / each).read_bytes() != (tmp_path / each).read_bytes()
    ]
    assert differ == []


def test_it_is_as_small_as_it_should_be(site: Path) -> None:
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 45e6


# --- the lessons ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learner(visit: Any, url: str) -> Iterator[Any]:
    """A learner's browser, in which the lessons are done one after the other."""
    with visit(f"{url}lab/index.html?path={NOTEBOOKS[0].name}") as lab:
        lab.page.set_default_timeout(PYTHON_MILLISECONDS)
        lab.page.wait_for_selector(
            ".jp-NotebookPanel h1"
        )  # the first lesson, which comes by itself
        yield lab


def stored(path: Path) -> list[list[str]]:
    shown = []
    for cell in json.loads(path.read_bytes())["cells"]:
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip():
            texts = [out.get("text") or out["data"]["text/plain"] for out in cell["outputs"]]
            shown.append(["".join(text) for text in texts])
    return shown


def everywhere(cells: list[list[str]]) -> list[list[str]]:
    """What each cell shows, without the sentence that depends on the place."""
    return [[SAYS_WHERE.sub("", text) for text in cell] for cell in cells]


def exercise_of(path: Path, cells: list[str]) -> tuple[str, str, Any]:
    """A cell with an exercise, the same with its solution, and the exercise.

    One whose function goes into my_pusher.py, if there is one.
    """
    from pusherkit.lessons.kit.lesson import lessons

    lesson = next(each for each in lessons() if each.name == path.stem)
    found = []
    for source in cells:
        if check := re.search(r"(\w+)\.(\w+)\.check\(\w+\)", source):
            exercise = lesson.exercises[check[2]]
            solved = f"{source[: check.start()]}\n\n{exercise.solution()}\n\n{check[0]}"
            found.append((not exercise.keep, source, solved, exercise))
    return min(found, key=lambda each: each[0])[1:]


def says(learner: Any, code: str) -> str:
    """What the open lesson's Python prints, or the message of its error."""
    return str(learner.page.evaluate(ASK, code))


def first_day(learner: Any, name: str) -> Any:
    """Open a lesson and run it, as if nothing had been done before."""
    learner.open(name)
    learner.page.wait_for_function(
        "name => window.jupyterapp.shell.currentWidget.context.path === name", arg=name
    )
    assert says(learner, FORGET) == ""
    return learner.run(name)


def use(lesson: Any, learner: Any) -> Any:
    """Use everything that the lesson's first explorer has, and return what must change."""
    cards = lesson.panel.locator(".pk")
    with_form = cards.filter(has=learner.page.locator(".pk-form [data-name]"))
    explorer = with_form.first
    for field in explorer.locator(":is(textarea, input[type=text])[data-name]").all()[:1]:
        field.focus()
        learner.press("End")
        learner.type("x")
    for field in explorer.locator(":is(select, input[type=range])[data-name]").all()[:1]:
        field.focus()
        learner.press("ArrowDown")
    for button in explorer.locator("button.pk-primary, svg [data-press]").all()[:1]:
        button.press("Enter")
    return explorer.locator(".pk-body")


def solve(lesson: Any, learner: Any, path: Path, expect: Any) -> Any:
    """Put a solution into the cell of an exercise, run it, see it accepted; return the exercise."""
    source, solved, exercise = exercise_of(path, learner.page.evaluate(CODE))
    learner.page.evaluate(ANSWER, [source, solved])
    card = lesson.card(f".{exercise.function}.check(")
    expect(card.get_by_role("status").first).to_contain_text("✓")
    return exercise


def come_back(learner: Any, path: Path) -> None:
    """Save, and load the page again with the same lesson."""
    page = learner.page
    page.evaluate(SAVE)
    page.goto(f"{page.url.split('?')[0]}?path={path.name}")
    page.wait_for_function("!!window.jupyterapp")
    page.evaluate("() => window.jupyterapp.restored")
    learner.open(path.name)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_runs_moves_and_is_solved(learner: Any, expect: Any, path: Path) -> None:
    page = learner.page
    lesson = first_day(learner, path.name)
    assert everywhere(page.evaluate(SHOWN)) == everywhere(stored(path))
    before = lesson.panel.locator(".pk .pk-body").evaluate_all(HTML)
    body = use(lesson, learner)
    page.wait_for_function(CHANGED, arg=[body.element_handle(), before])
    exercise = solve(lesson, learner, path, expect)
    answers = page.evaluate(CODE)

    come_back(learner, path)
    assert page.evaluate(CODE) == answers
    expect(lesson.panel.locator(".jp-OutputArea-output", has_text="✓").first).to_be_visible()
    progress = says(learner, "print(open('.pusherkit-progress.json').read())")
    assert exercise.name in json.loads(progress)["passed"]
    if exercise.keep:
        kept = says(learner, "print(open('my_pusher.py').read())")
        assert f"def {exercise.function}(" in kept
    page.evaluate(CLOSE)


def test_after_a_reload_python_finds_everything_and_nothing_is_broken(
    learner: Any, expect: Any
) -> None:
    page, path = learner.page, NOTEBOOKS[1]
    lesson = first_day(learner, path.name)
    solve(lesson, learner, path, expect)
    answers = page.evaluate(CODE)
    come_back(learner, path)
    assert page.evaluate(CODE) == answers
    outputs = lesson.panel.locator(".jp-OutputArea-output")
    expect(outputs.filter(has_text="Loading widget")).to_have_count(0)
    expect(outputs.filter(has_text="bring the controls back").first).to_be_visible()
    expect(outputs.filter(has_text="✓").first).to_be_visible()
    learner.picture("site-01-after-a-reload")
    lesson = learner.run(NOTEBOOKS[0].name)
    rows = lesson.panel.locator("tr", has_text="01 The body is bytes")
    expect(rows.last).to_contain_text(re.compile(r"●○○○○○ 1 of 6"))
    assert "def body_md5(" in says(learner, "print(open('my_pusher.py').read())")


def test_what_a_page_cannot_do_says_so_in_place(learner: Any) -> None:
    learner.open(NOTEBOOKS[0].name)
    told = says(
        learner,
        "from pusherkit import Client, Credentials\n"
        "Client(Credentials(app_id='1', key='k', secret='s'))",
    )
    assert "runs inside a browser tab" in told
    told = says(
        learner,
        "from pusherkit.lessons import send_what_you_signed as lesson\n"
        "lesson.run_program('#!/usr/bin/env node')",
    )
    assert "can't start programs" in told


def test_python_is_announced_while_it_loads_and_the_lesson_can_be_read(
    open_page: Any, expect: Any, pictures: Path
) -> None:
    page = open_page("index.html", service_workers="block", viewport=LAPTOP)
    held: list[Any] = []
    holding = True
    page.route("**/*.wasm", lambda route: held.append(route) if holding else route.continue_())
    page.get_by_role("link", name="Start lesson 00").click()
    line = page.locator("#pusherkit-loading")
    expect(line).to_have_text(
        re.compile(r"Python is loading: \d+ of 2\d MB\. You can start reading")
    )
    reading = page.frame_locator("iframe")
    expect(reading.get_by_role("heading", name="00 · Start here")).to_be_visible()
    expect(page.locator(".jp-NotebookPanel h1")).to_be_visible(timeout=PYTHON_MILLISECONDS)
    expect(page.locator("iframe")).to_have_count(0)
    page.screenshot(path=pictures / "site-loading.png")
    holding = False
    for route in held:
        route.continue_()
    expect(line).to_contain_text("Python is ready", timeout=PYTHON_MILLISECONDS)
    expect(line).to_have_count(0, timeout=PYTHON_MILLISECONDS)


# --- the pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_pages_need_no_scripts_to_be_read(
    open_page: Any, site: Path, pictures: Path, look: str, window: dict[str, int]
) -> None:
    page = open_page("", java_script_enabled=False, color_scheme=look, viewport=window)
    assert page.locator(".lessons li").count() == len(NOTEBOOKS)
    assert "25 minutes" in page.locator(".lessons li").first.inner_text()
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    for link in links:
        assert (site / link.split("?")[0]).is_file(), link
    size = f"{window['width']}-{look}"
    page.screenshot(path=pictures / f"site-landing-{size}.png")
    page.locator(".lessons li").first.get_by_role("link", name="read").click()
    page.get_by_role("heading", name="00 · Start here").wait_for()
    page.wait_for_load_state()  # with its images
    for image in page.locator("img").all():
        assert image.get_attribute("alt")
        assert image.bounding_box()["width"] > 100
    assert page.locator("main").bounding_box()["width"] <= window["width"]
    page.screenshot(path=pictures / f"site-reading-{size}.png")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_to_be_read_fits_a_phone(open_page: Any, path: Path) -> None:
    page = open_page(f"read/{path.stem}.html", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    broken = "() => [...document.images].filter(each => !each.naturalWidth).length"
    assert page.evaluate(broken) == 0


# --- the doctor -----------------------------------------------------------------------------------

# The body was hashed as it was, and the path signed with a slash too many. The keys are made up.
REFUSED = """curl -X POST 'https://ws.example/apps/20817/events?auth_key=5f2c9be0d6a41738c0de&\
auth_timestamp=1760000000&auth_version=1.0&body_md5={md5}&auth_signature={signature}' \
-H 'Content-Type: application/json' -d '{body}'"""
SECRET = "orchard-lane-7731"
BODY = '{"name":"status","channel":"order-41","data":"on its way"}'


def refused() -> str:
    from pusherkit import Credentials, sign

    credentials = Credentials(app_id="20817", key="5f2c9be0d6a41738c0de", secret=SECRET)
    signed = sign(
        credentials, "POST", "/apps/20817/events/", body=BODY.encode(), timestamp=1760000000
    )
    return REFUSED.format(md5=signed.body_md5, signature=signed.hexdigest, body=BODY)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_the_doctor_names_the_mistake_and_signs_the_request_right(
    open_page: Any, expect: Any, pictures: Path, look: str, window: dict[str, int]
) -> None:
    page = open_page("doctor/index.html", color_scheme=look, viewport=window)
    page.get_by_label("What you have").fill(refused())
    page.get_by_label("The app's secret").fill(SECRET)
    page.get_by_role("button", name="Ask the doctor").click()
    report = page.locator("#report")
    expect(report).to_contain_text("Proven mistake", timeout=PYTHON_MILLISECONDS)
    expect(report).to_contain_text("slash")
    assert page.evaluate(OVERHANGING) == []
    page.screenshot(path=pictures / f"site-doctor-{window['width']}-{look}.png", full_page=True)

    corrected = report.locator("pre").inner_text()
    assert SECRET not in report.inner_text()
    page.get_by_label("What you have").fill(corrected)
    page.keyboard.press("Control+Enter")
    expect(report).to_contain_text("✓ signed right")
    page.get_by_label("The app's secret").fill("")
    page.get_by_role("button", name="Ask the doctor").click()
    expect(report).to_contain_text("Fill in the app's secret above")


def test_the_example_shows_all_that_the_doctor_does(
    open_page: Any, expect: Any, site: Path, pictures: Path
) -> None:
    page = open_page("doctor/index.html", viewport=PHONE)
    page.get_by_role("button", name="Try an example").click()
    report = page.locator("#report")
    expect(report).to_contain_text("newline-written-out", timeout=PYTHON_MILLISECONDS)
    expect(report).to_contain_text("The same request, signed right, now")
    lesson = report.get_by_role("link", name="03-canonical-string")
    assert (site / "doctor" / lesson.get_attribute("href")).is_file()
    assert page.evaluate(OVERHANGING) == []
    page.screenshot(path=pictures / "site-example.png", full_page=True)


def test_the_doctors_page_can_tell_nobody(browser: Any, url: str, expect: Any) -> None:
    """Neither a script on the page nor Python in it reaches another server, on any way."""
    came = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = f"http://127.0.0.1:{server.server_port}"
        page = browser.new_page()
        page.goto(f"{url}doctor/index.html")
        expect(page.locator("#state")).to_contain_text(
            "The doctor is ready", timeout=PYTHON_MILLISECONDS
        )
        refusals = page.evaluate(
            """async other => {
              const tried = { fetch: () => fetch(other + '/fetch', { mode: 'no-cors' }) };
              tried.socket = () => new Promise((yes, no) => {
                const socket = new WebSocket(other.replace('http', 'ws'));
                socket.onopen = yes;
                socket.onerror = no;
              });
              tried.image = () => new Promise((yes, no) => {
                const image = new Image();
                image.onload = yes;
                image.onerror = no;
                image.src = other + '/image';
              });
              tried.beacon = async () => {
                navigator.sendBeacon(other + '/beacon', 'x');
                throw new Error('it tells nobody whether it went');
              };
              const refused = [];
              for (const [name, go] of Object.entries(tried))
                await go().catch(() => refused.push(name));
              const form = document.createElement('form');
              form.action = other + '/form';
              form.method = 'post';
              document.body.append(form);
              form.submit();
              return refused;
            }""",
            other,
        )
        assert refusals == ["fetch", "socket", "image", "beacon"]
        assert page.url == f"{url}doctor/index.html"
        page.close()
        server.shutdown()
    assert came == []
