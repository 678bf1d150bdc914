"""The live page of `pusherkit sandbox` as a developer meets it, in a real browser."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import websockets.sync.client

from pusherkit import Client, Credentials, Event, sign
from pusherkit.events import event_body
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.live import PAGE_ENTRIES
from pusherkit.signing import Request, hmac_sha256
from pusherkit.snippets import curl
from pusherkit.subscriber import Subscriber
from tests.browser import test_accessibility
from tests.test_path_prefix import Proxy

axe = test_accessibility.axe
WIDE = {"width": 1200, "height": 800}
NARROW = {"width": 320, "height": 700}


@dataclass
class Live:
    """The page at the address of a practice server, and what it did that a test must know."""

    page: Any
    server: SandboxServer
    http: httpx.Client
    console: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def entries(self) -> Any:
        """The entries, newest first."""
        return self.page.locator("#entries > li:visible")

    @property
    def state(self) -> Any:
        return self.page.locator("#state")

    def publish(self, data: object = "hello", name: str = "message") -> None:
        """Publish an event; two entries will follow from it."""
        self.send(event_body(Event.of("chat", name, data)))

    def publish_wrong(self) -> None:
        r"""Publish with \n, two characters, in place of a newline in the canonical string."""
        status = self.send(
            event_body(Event.of("chat", "message", "hello")), lambda text: text.replace("\n", "\\n")
        )
        assert status == 401

    def send(self, body: bytes, spoil: Callable[[str], str] = lambda text: text) -> int:
        """Send a request whose canonical string was spoilt before signing; return the status."""
        credentials = self.server.credentials
        path = f"/apps/{credentials.app_id}/events"
        right = sign(credentials, "POST", path, (), body, timestamp=int(time.time()))
        signature = hmac_sha256(credentials.secret, spoil(right.canonical_string))
        query = urlencode([*right.params, ("auth_signature", signature)])
        return self.http.post(f"{path}?{query}", content=body).status_code

    def connect(self) -> websockets.sync.client.ClientConnection:
        """A subscriber's WebSocket, that has not asked for anything."""
        return websockets.sync.client.connect(self.server.ws_url, proxy=None)

    def open(self, number: int = 0) -> Any:
        """Open an entry with a click."""
        entry = self.entries.nth(number)
        entry.locator("summary").first.click()
        return entry

    def focused(self) -> str:
        """The text, or the label, of what has the focus."""
        return self.page.evaluate(
            "() => (({labels, innerText}) => labels?.[0]?.innerText || innerText)"
            "(document.activeElement)"
        )

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    """On a port that stays the same when it starts again."""
    with SandboxServer() as first:
        port = httpx.URL(first.url).port
    with SandboxServer(port=port or 0) as running:
        yield running


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """One for all: each new client makes its own, though nothing here speaks TLS."""
    return ssl.create_default_context()


@pytest.fixture
def http(server: SandboxServer, tls: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, verify=tls) as client:
        yield client


@pytest.fixture
def live(browser: Any, server: SandboxServer, http: httpx.Client, expect: Any) -> Iterator[Live]:
    """A page that is connected. Fails on what no page may do."""
    context = browser.new_context(viewport=WIDE, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    made = Live(page, server, http)
    page.on("console", lambda m: made.console.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: made.console.append(f"{error}\n{error.stack}"))
    page.on("request", lambda request: made.asked.append(request.url))
    page.goto(server.url)
    expect(made.state).to_have_text("Live")
    yield made
    context.close()
    assert [url for url in made.asked if url != f"{server.url}/doctor"] == [f"{server.url}/"]
    # The browser notes each try to reach a server that was stopped, or is about to be.
    assert [text for text in made.console if "ERR_CONNECTION" not in text] == []


# --- what it shows ------------------------------------------------------------------------------


def test_an_empty_page_says_what_to_do_next(live, expect):
    empty = live.page.locator("#empty")
    expect(empty).to_contain_text("Waiting for requests")
    expect(empty.locator("#settings")).to_have_text(
        "PUSHER_APP_ID=6855671\nPUSHER_KEY=practice-key\nPUSHER_SECRET=practice-secret\n"
        f"PUSHER_HOST={live.server.url}"
    )
    command = f'curl -d "{{}}" "{live.server.url}/apps/6855671/events"'
    expect(empty.locator("#try")).to_have_text(command)
    live.page.get_by_role("button", name="Copy the command").click()
    expect(live.page.get_by_role("status").filter(has_text="Copied")).to_have_text(
        "Copied the command."
    )
    assert live.page.evaluate("() => navigator.clipboard.readText()") == command

    live.http.post("/apps/6855671/events", content=b"{}")
    expect(live.entries).to_have_count(1)
    expect(live.entries).to_contain_text("✗ 401 refused")
    expect(live.entries).to_contain_text("Missing parameter: auth_key")
    expect(empty).to_be_hidden()


def test_behind_a_proxy_the_page_works_under_its_path_and_says_where_the_server_is(
    browser: Any, expect: Any, server: SandboxServer
) -> None:
    proxy = Proxy(server)
    page, asked = browser.new_page(viewport=WIDE), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(f"{proxy.url}/")
    expect(page.locator("#state")).to_have_text("Live")
    settings = page.locator("#settings")
    expect(settings).to_contain_text(f"PUSHER_HOST={proxy.url}\n")
    expect(settings).to_contain_text(f"On the server's own machine, use PUSHER_HOST={server.url}")
    expect(page.locator("#try")).to_have_text(f'curl -d "{{}}" "{proxy.url}/apps/6855671/events"')
    told = dict(line.split("=") for line in settings.inner_text().split("\n")[:4])
    with Client(Credentials.from_env(told)) as client:
        client.trigger("chat", "message", "hello")
    expect(page.locator("#entries > li")).to_have_count(2)
    page.get_by_role("tab", name="Doctor").click()
    page.locator("#pasted").fill("Unknown auth_key")
    page.get_by_role("button", name="Ask the doctor").click()
    expect(page.locator("#report")).to_contain_text("Read as:")
    page.context.close()
    proxy.close()
    feed = f"{proxy.url.replace('http', 'ws')}/live"
    assert asked == [f"{proxy.url}/", feed, f"{proxy.url}/doctor"]


def test_an_accepted_request_stands_above_the_event_that_it_caused(live, expect):
    with Subscriber(live.server.credentials, "chat"):
        live.publish({"text": "hello"})
    expect(live.entries).to_have_count(2)
    request, event = live.entries.nth(0), live.entries.nth(1)
    expect(request).to_contain_text("✓ 200 accepted")
    expect(request).to_contain_text("POST /apps/6855671/events")
    expect(request).to_contain_text("message → chat (delivered 1 time)")
    expect(event).to_contain_text("→ event")
    expect(event).to_contain_text("message on chat")
    expect(event).to_contain_text("to 1 subscriber")
    expect(event).to_contain_text('{"text":"hello"}')

    live.open()
    expect(request.locator(".checks li")).to_have_count(5)
    expect(request.locator(".checks")).to_contain_text("✓ auth_signature passed")
    expect(request.locator("pre").first).to_contain_text("POST\n/apps/6855671/events\nauth_key=")
    expect(request.locator("pre").last).to_have_text("{}")


def test_a_refusal_whose_mistake_was_not_searched_for_says_why(live, expect):
    assert live.send(b"x" * 200_000, lambda text: f"{text}x") == 401
    expect(live.entries).to_have_count(1)
    expect(live.open()).to_contain_text("The doctor searches bodies up to")


def test_a_refused_request_names_the_rule_and_the_mistake(live, expect):
    live.publish_wrong()
    expect(live.entries).to_contain_text("✗ 401 refused")
    expect(live.entries).to_contain_text("The lines are joined by a backslash and an n")
    entry = live.open()
    expect(entry).to_contain_text("Refused: Invalid signature: you should have sent")
    expect(entry).to_contain_text("What to do: Compare your canonical string")
    expect(entry.locator(".mistake")).to_contain_text("newline-written-out: The lines are joined")
    expect(entry.locator(".mistake")).to_contain_text("Fix: Use a real newline")
    expect(entry.locator(".mistake")).to_contain_text("Lesson: 03-canonical-string")
    expect(entry.locator("mark")).to_have_text(r"\n/apps/6855671/events\n")
    expect(entry.locator(".checks .failed")).to_have_text("✗ auth_signature failed")
    expect(entry.locator(".checks .passed")).to_have_count(4)
    expect(entry.locator("pre").last).to_contain_text("POST\n/apps/6855671/events\nauth_key=")


def test_a_refused_subscription_names_the_mistake(live, expect):
    with live.connect() as socket:
        socket_id = json.loads(json.loads(socket.recv(timeout=5))["data"])["socket_id"]
        signature = hmac_sha256(live.server.credentials.secret, f"{socket_id}:room")
        auth = f"{live.server.credentials.key}:{signature}"
        data = {"channel": "private-room", "auth": auth}
        socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
        entry = live.open()
    expect(entry).to_contain_text("✗ refused")
    expect(entry.locator(".line")).to_contain_text("signed without its prefix")
    expect(entry).to_contain_text(f"{socket_id}:room")
    live.page.get_by_label("Refused only").check()
    expect(live.entries).to_have_count(1)


def test_a_request_that_was_not_judged_says_why(live, expect):
    live.http.get("/nowhere")
    expect(live.entries).to_contain_text("✗ 404 refused")
    entry = live.open()
    expect(entry).to_contain_text("What to do: Publish with POST")
    expect(entry.locator(".checks")).to_have_count(0)


def test_the_data_of_an_event_is_laid_out_without_a_change(live, expect):
    live.publish('{"id":12345678901234567890,"empty":[ ],"a":[1,{"b":"x, {y}\\""}],"a":2}')
    expect(live.entries).to_have_count(2)
    entry = live.open(1)
    expect(entry.locator("pre")).to_have_text(
        '{\n  "id": 12345678901234567890,\n  "empty": [],\n  "a": [\n    1,\n    {\n'
        '      "b": "x, {y}\\""\n    }\n  ],\n  "a": 2\n}'
    )


def test_a_client_event_is_marked_as_one(live, expect):
    with (
        Subscriber(live.server.credentials, "private-chat") as one,
        Subscriber(live.server.credentials, "private-chat"),
    ):
        one.trigger("private-chat", "client-typing", {"on": True})
        expect(live.entries).to_contain_text("↔ client event")
        expect(live.entries).to_contain_text("client-typing on private-chat")
        expect(live.open().locator("dl")).to_contain_text("Sender")


def test_what_looks_like_html_is_text(live, expect):
    html = "<img src=x onerror=\"document.title='run'\"><script>1</script>"
    live.publish({"html": html}, name="<i>name</i>")
    expect(live.entries).to_have_count(2)
    live.open(1)
    live.open(0)
    expect(live.entries.first.locator("p")).to_contain_text("<i>name</i> → chat")
    expect(live.entries.last.locator("dl")).to_contain_text("<i>name</i>")
    expect(live.entries.last.locator("pre")).to_contain_text("<script>1</script>")
    expect(live.page.locator("main :is(img, script, i)")).to_have_count(0)
    expect(live.page).to_have_title("pusherkit sandbox")


# --- using it -----------------------------------------------------------------------------------


def test_the_keyboard_reaches_and_does_everything(live, expect):
    live.publish_wrong()
    live.publish()
    expect(live.entries).to_have_count(3)
    live.press("Tab")
    assert live.focused() == "Requests"
    live.press("Tab")
    assert live.focused() == "Filter"
    live.press("Tab", "Space")
    assert live.focused() == "Refused only"
    expect(live.entries).to_have_count(1)
    live.press("Space", "Tab")
    assert live.focused() == "Clear"
    live.press("Tab")
    assert "200 accepted" in live.focused()
    first = live.entries.first.locator("details").first
    live.press("Enter")
    expect(first).to_have_attribute("open", "")
    expect(first.get_by_role("button").first).to_be_visible()  # it is filled once it is open
    live.press("Tab")
    assert live.focused() == "Copy"
    live.press("Enter")
    expect(live.page.get_by_role("status").last).to_have_text("Copied the canonical string.")
    live.press("Shift+Tab", "Space")
    expect(first).not_to_have_attribute("open", "")
    live.press("Tab")
    assert "event" in live.focused()
    live.press("Shift+Tab", "Shift+Tab", "Enter")
    expect(live.entries).to_have_count(0)


def test_the_filter_looks_into_everything_that_came(live, expect):
    live.publish({"text": "needle"})
    live.publish({"text": "hay"}, name="other")
    live.publish_wrong()
    expect(live.entries).to_have_count(5)
    find, count = live.page.get_by_label("Filter"), live.page.locator("#count")
    expect(count).to_have_text("5 entries")
    find.fill("NEEDLE")
    expect(live.entries).to_have_count(1)
    expect(count).to_have_text("1 of 5 entries")
    find.fill("newline-written-out")
    expect(live.entries).to_contain_text("401 refused")
    live.publish("new, and hidden")
    expect(count).to_have_text("1 of 7 entries")
    find.fill("nothing has this")
    expect(live.page.get_by_text("Nothing here matches the filter.")).to_be_visible()
    find.fill("")
    expect(live.entries).to_have_count(7)
    live.page.get_by_label("Refused only").check()
    expect(live.entries).to_have_count(1)


def test_what_was_cleared_stays_away_and_what_is_new_comes(live, expect):
    live.publish()
    expect(live.entries).to_have_count(2)
    live.page.get_by_role("button", name="Clear").click()
    expect(live.entries).to_have_count(0)
    expect(live.page.locator("#empty")).to_be_visible()
    live.publish_wrong()
    expect(live.entries).to_have_count(1)
    live.page.reload()
    live.asked.pop()
    expect(live.entries).to_have_count(3)


def test_it_keeps_the_place_where_somebody_reads(live, expect):
    for number in range(20):
        live.publish(str(number))
    expect(live.entries).to_have_count(40)
    live.page.mouse.wheel(0, 600)
    live.page.wait_for_function("scrollY === 600")
    read = live.entries.filter(has_text="POST").nth(10)
    before = read.bounding_box()["y"]
    live.publish("new")
    newer = live.page.get_by_role("button", name="↑ 2 newer")
    expect(newer).to_be_visible()
    read = live.entries.filter(has_text="POST").nth(11)
    assert read.bounding_box()["y"] == pytest.approx(before, abs=1)
    newer.click()
    expect(newer).to_be_hidden()
    expect(live.entries.first.locator("summary")).to_be_focused()
    assert live.page.evaluate("scrollY") == 0


@pytest.mark.parametrize("way", ["open", "focused"])
def test_an_entry_in_use_at_the_top_does_not_move_either(live, expect, way):
    for number in range(20):
        live.publish(str(number))
    expect(live.entries).to_have_count(40)
    if way == "open":
        expect(live.open().locator(".checks")).to_be_visible()
        live.page.get_by_role("heading", level=1).click()  # takes the focus away
    else:
        live.entries.first.locator("summary").focus()
    before = live.entries.first.bounding_box()["y"]
    live.publish("new")
    expect(live.page.get_by_role("button", name="↑ 2 newer")).to_be_visible()
    assert live.entries.nth(2).bounding_box()["y"] == pytest.approx(before, abs=1)


def test_it_keeps_the_newest_entries_only(live, expect):
    for number in range(PAGE_ENTRIES // 2 + 5):
        live.publish(f"number {number}")
    expect(live.page.locator("#count")).to_have_text(f"{PAGE_ENTRIES} entries")
    expect(live.entries.nth(1)).to_contain_text(f"number {PAGE_ENTRIES // 2 + 4}")
    expect(live.entries.last).to_contain_text("number 5")


def test_much_data_is_cut_and_all_of_it_a_click_away(live, expect):
    live.publish("ä" * 51_200)
    expect(live.entries).to_have_count(2)
    entry = live.open(1)
    expect(entry).to_contain_text("This is the beginning. It has 102,400 bytes.")
    assert len(entry.locator("pre").inner_text()) == 2001
    entry.get_by_text("Show all 102,400 bytes").click()
    expect(entry.locator("pre")).to_have_count(2)
    assert len(entry.locator("pre").last.inner_text()) == 51_200


def test_a_server_that_starts_again_is_found_again(live, expect):
    live.publish()
    live.publish_wrong()
    expect(live.entries).to_have_count(3)
    live.server.stop()
    expect(live.state).to_have_text("The server stopped; trying again")
    expect(live.entries).to_have_count(3)
    live.server.start()
    expect(live.state).to_have_text("Live", timeout=15_000)
    # The server remembers the three, and so does the page.
    live.publish(name="after")
    expect(live.entries).to_have_count(5)
    expect(live.entries.nth(1)).to_contain_text("after on chat")


# --- the doctor's tab ---------------------------------------------------------------------------


def wrong_request(live: Live) -> str:
    """A curl command whose path has a slash at its end that wasn't signed."""
    credentials = live.server.credentials
    path = f"/apps/{credentials.app_id}/events"
    signature = sign(credentials, "POST", path, (), b"{}", timestamp=int(time.time()))
    return curl(live.server.url, Request("POST", f"{path}/", signature.query, b"{}"))


def test_the_doctor_names_the_mistake_and_signs_it_right(live, expect):
    live.page.get_by_role("tab", name="Doctor").click()
    expect(live.page.get_by_label("Filter")).to_be_hidden()
    live.page.get_by_label("Paste what was refused").fill(wrong_request(live))
    live.page.get_by_role("button", name="Ask the doctor").click()
    report = live.page.locator("#report")
    expect(report).to_contain_text("Read as: a curl command")
    expect(report).to_contain_text("✗ a mistake")
    expect(report.locator(".mistake")).to_contain_text("trailing-slash: The path that was signed")
    expect(report).to_contain_text(f"This goes to {live.server.url}")
    live.page.get_by_role("button", name="Copy what is signed right").click()
    expect(live.page.locator("#copied")).to_have_text("Copied what is signed right.")
    copied = live.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == report.locator("pre").inner_text()
    assert "practice-secret" not in report.inner_text()
    live.page.get_by_label("Paste what was refused").fill(copied)
    live.page.get_by_role("button", name="Ask the doctor").click()
    expect(report).to_contain_text("✓ signed right")
    expect(report).to_contain_text("If it was refused all the same")


def test_several_requests_a_refusal_and_nothing_are_answered_too(live, expect):
    live.page.goto(f"{live.server.url}/#doctor")
    field, report = live.page.get_by_label("Paste what was refused"), live.page.locator("#report")
    field.fill(f"{wrong_request(live)}\n{wrong_request(live).replace('{}', '[]')}")
    field.press("Control+Enter")
    expect(report.get_by_role("listitem")).to_have_count(2)
    field.fill("Pusher error: <b>Unknown auth_key</b>")
    field.press("Control+Enter")
    expect(report).to_contain_text("✗ refused")
    field.fill("hello")
    field.press("Control+Enter")
    expect(report).to_contain_text("There is no request in the text")
    live.server.stop()
    field.press("Control+Enter")
    expect(report).to_contain_text("The server doesn't answer.")


def test_the_tabs_are_used_by_keyboard(live, expect):
    live.press("Tab")
    assert live.focused() == "Requests"
    live.press("ArrowRight")
    assert live.focused() == "Doctor"
    expect(live.page.locator("#log")).to_be_hidden()
    assert live.page.url.endswith("#doctor")
    live.press("Tab")
    assert live.focused() == "Paste what was refused"
    live.page.keyboard.type("hello")
    live.press("Tab")
    assert live.focused() == "Ask the doctor"
    live.press("Enter")
    expect(live.page.locator("#report")).to_contain_text("There is no request in the text")
    live.press("Shift+Tab", "Shift+Tab", "ArrowRight")
    assert live.focused() == "Requests"
    expect(live.page.locator("#doctor")).to_be_hidden()
    live.press("End")
    assert live.focused() == "Doctor"
    live.press("Home")
    assert live.focused() == "Requests"
    live.publish()
    expect(live.entries).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 700, 320])
def test_the_doctor_s_tab_is_for_everybody(live, axe, expect, pictures, scheme, width):
    live.page.emulate_media(color_scheme=scheme)
    live.page.set_viewport_size({"width": width, "height": 800})
    live.page.evaluate(axe)
    live.page.get_by_role("tab", name="Doctor").click()
    assert live.page.evaluate(test_accessibility.RUN_AXE, "body") == []
    field = live.page.get_by_label("Paste what was refused")
    field.fill(f"{wrong_request(live)}\n{wrong_request(live).replace('{}', 'x' * 300)}")
    field.press("Control+Enter")
    expect(live.page.locator("#report .opinion")).to_have_count(2)
    assert live.page.evaluate(test_accessibility.RUN_AXE, "body") == []
    assert live.page.evaluate("document.documentElement.scrollWidth") == width
    live.page.screenshot(path=pictures / f"live-doctor-{scheme}-{width}.png", full_page=True)


# --- for everybody ------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(live, axe, expect, pictures, scheme):
    live.page.emulate_media(color_scheme=scheme)
    live.page.evaluate(axe)

    def check() -> None:
        assert live.page.evaluate(test_accessibility.RUN_AXE, "body") == []

    check()
    live.page.screenshot(path=pictures / f"live-empty-{scheme}.png")
    with Subscriber(live.server.credentials, ["chat", "private-chat"]) as subscriber:
        live.publish({"text": "hello", "to": ["everybody"]})
        subscriber.trigger("private-chat", "client-typing", {"on": True})
        live.publish_wrong()
        expect(live.entries).to_have_count(4)
    check()
    live.page.screenshot(path=pictures / f"live-list-{scheme}.png")
    for number in range(4):
        live.open(number)
    check()
    live.page.evaluate("scrollTo(0, 0)")
    live.page.screenshot(path=pictures / f"live-open-{scheme}.png")
    live.server.stop()
    expect(live.state).to_have_class("lost")
    check()


def test_nothing_is_wider_than_a_narrow_screen(live, expect, pictures):
    live.page.set_viewport_size(NARROW)
    live.publish("y" * 100_000, name="n" * 200)
    live.http.get(f"/apps/6855671/channels?filter_by_prefix={'x' * 300}")
    live.publish_wrong()
    expect(live.entries).to_have_count(4)
    live.page.screenshot(path=pictures / "live-narrow.png")
    for number in range(4):
        live.open(number)
    wide = """() => [...document.querySelectorAll("body *")]
      .filter(element => element.getBoundingClientRect().right > innerWidth)
      .map(element => element.outerHTML.slice(0, 80))"""
    assert live.page.evaluate(wide) == []
    assert live.page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
