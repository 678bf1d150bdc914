"""What a stranger's page can do to the practice server, in a real browser: nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from pusherkit import Event, sign
from pusherkit.events import event_body
from pusherkit.sandbox import SandboxServer

# What pusher-js does at first: connect, wait for the greeting, subscribe.
SUBSCRIBE = """url => new Promise(resolve => {
  const socket = new WebSocket(url), heard = [];
  socket.onclose = event => resolve({ heard, code: event.code });
  socket.onmessage = message => {
    heard.push(JSON.parse(message.data).event);
    if (heard.length === 1) {
      socket.send('{"event":"pusher:subscribe","data":{"channel":"chat"}}');
    } else {
      socket.close(1000);
    }
  };
})"""
READ = """url => fetch(url).then(answer => answer.text()).catch(error => String(error))"""
PUBLISH = """([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', body })
  .then(answer => answer.type).catch(error => String(error))"""


class Page(BaseHTTPRequestHandler):
    """An empty page, under whatever name."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Into no log."""


@pytest.fixture
def port() -> Iterator[int]:
    """Where the pages are: another port of this machine than the practice server's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as pages:
        thread = Thread(target=pages.serve_forever)
        thread.start()
        yield pages.server_address[1]
        pages.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def rebound(browser: Any, chromium: str) -> Iterator[Any]:
    """A browser for which evil.example is this machine, as after DNS rebinding."""
    rules = ["--host-resolver-rules=MAP evil.example 127.0.0.1"]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    started = browser.browser_type.launch(
        executable_path=chromium, args=[*rules, *(["--no-sandbox"] if is_root else [])]
    )
    yield started
    started.close()


@pytest.fixture
def at(rebound: Any) -> Iterator[Callable[[str], Any]]:
    """Open a page at a URL."""
    context = rebound.new_context()

    def opened(url: str) -> Any:
        page = context.new_page()
        page.goto(url)
        return page

    yield opened
    context.close()


def signed_url(server: SandboxServer, body: bytes) -> str:
    """Everybody knows the practice secret, so a stranger's page can sign."""
    path = f"/apps/{server.credentials.app_id}/events"
    query = sign(server.credentials, "POST", path, (), body, timestamp=int(time.time())).query
    return f"{path}?{urlencode(query)}"


def test_a_page_on_another_port_of_this_machine_subscribes(at, server, port):
    for name in ("localhost", "127.0.0.1"):
        told = at(f"http://{name}:{port}").evaluate(SUBSCRIBE, server.ws_url)
        assert told == {
            "heard": [
                "pusher:connection_established",
                "pusher_internal:subscription_succeeded",
            ],
            "code": 1000,
        }


def test_a_page_of_a_strangers_neither_listens_nor_publishes(at, server, port):
    page = at(f"http://evil.example:{port}")
    assert page.evaluate(SUBSCRIBE, server.ws_url) == {"heard": [], "code": 1006}
    assert page.evaluate(SUBSCRIBE, server.ws_url.split("/app/")[0] + "/live")["heard"] == []
    body = event_body(Event.of("chat", "message", "from a stranger"))
    page.evaluate(PUBLISH, [server.url + signed_url(server, body), body.decode()])
    assert server.events == ()
    assert {entry.reply.status for entry in server.log} == {403}


def test_a_page_without_an_origin_does_not_listen(at, server):
    page = at("data:text/html,")
    assert page.evaluate(SUBSCRIBE, server.ws_url) == {"heard": [], "code": 1006}


def test_a_name_that_was_rebound_reaches_nothing(at, server):
    """To the browser, this page and the practice server are of the same origin."""
    port = httpx.URL(server.url).port
    page = at(f"http://evil.example:{port}/")
    assert "doesn't answer under the name" in page.content()
    here = f"evil.example:{port}"
    assert page.evaluate(SUBSCRIBE, f"ws://{here}/app/practice-key?protocol=7")["heard"] == []
    assert page.evaluate(SUBSCRIBE, f"ws://{here}/live")["heard"] == []
    body = event_body(Event.of("chat", "message", "from a stranger"))
    page.evaluate(PUBLISH, [f"http://{here}{signed_url(server, body)}", body.decode()])
    assert "doesn't answer under the name" in page.evaluate(READ, f"http://{here}/nowhere")
    assert server.events == ()
    assert {entry.reply.status for entry in server.log} == {403}
