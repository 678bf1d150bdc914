"""Client inside a browser tab, with a stand-in for the browser: it only asks the page's own server.

tests/browser/test_site_class.py opens a real one.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pusherkit import AsyncClient, BadRequest, Client, Credentials, NoSockets
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Reply, Sandbox

ORIGIN = "http://class.example:8090"
NOW = 1_700_000_000.0
WRITTEN_BY_THE_BROWSER = {"host", "user-agent", "accept-encoding", "connection", "content-length"}
PACKED = [
    ("Content-Encoding", "gzip"),
    ("Content-Length", "3"),
    ("Content-Type", "application/json"),
]


class JsException(Exception):
    """As pyodide.ffi has it: an error of the browser's, with its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Buffer:
    """An ArrayBuffer."""

    def __init__(self, content: bytes) -> None:
        self.to_bytes = lambda: content


class Browser:
    """What a page's Python sees of its browser: both ways to send, with a Sandbox behind them."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(PRACTICE_CREDENTIALS)
        self.headers: dict[str, str] = {}
        self.timeout: int | None = None
        self.fails: str = ""

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> Reply:
        if self.fails:
            raise JsException(self.fails)
        assert url.startswith(ORIGIN)
        self.headers = dict(headers)
        request = RawRequest(method=method, target=url[len(ORIGIN) :].encode(), body=body)
        return self.sandbox.handle(request, now=NOW)

    def modules(self) -> dict[str, types.ModuleType]:
        js, ffi = types.ModuleType("js"), types.ModuleType("pyodide.ffi")
        browser = self

        class XMLHttpRequest:
            timeout: int | None = None
            responseType = ""

            @classmethod
            def new(cls) -> XMLHttpRequest:
                return cls()

            def open(self, method: str, url: str, later: bool) -> None:
                assert not later
                self.asked, self.headers = (method, url), {}

            def setRequestHeader(self, name: str, value: str) -> None:
                self.headers[name] = value

            def send(self, body: bytes) -> None:
                assert self.responseType == "arraybuffer"
                browser.timeout = self.timeout
                reply = browser.answer(*self.asked, self.headers, body)
                self.status, self.response = reply.status, Buffer(reply.body)

            def getAllResponseHeaders(self) -> str:
                return "".join(f"{name.lower()}: {value}\r\n" for name, value in PACKED)

        async def fetch(url: str, options: dict[str, Any]) -> types.SimpleNamespace:
            browser.timeout = options.get("signal")
            body = options.get("body", b"")
            reply = browser.answer(options["method"], url, options["headers"], body)

            async def array_buffer() -> Buffer:
                return Buffer(reply.body)

            return types.SimpleNamespace(
                status=reply.status, headers=PACKED, arrayBuffer=array_buffer
            )

        js.location = types.SimpleNamespace(origin=ORIGIN)  # type: ignore[attr-defined]
        js.XMLHttpRequest, js.fetch = XMLHttpRequest, fetch  # type: ignore[attr-defined]
        js.Object = types.SimpleNamespace(fromEntries=None)  # type: ignore[attr-defined]
        js.AbortSignal = types.SimpleNamespace(timeout=lambda ms: ms)  # type: ignore[attr-defined]
        ffi.JsException = JsException  # type: ignore[attr-defined]
        ffi.to_js = lambda value, **_: value  # type: ignore[attr-defined]
        return {"js": js, "pyodide": types.ModuleType("pyodide"), "pyodide.ffi": ffi}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(sys, "platform", "emscripten")
    for name, module in browser.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return browser


def credentials(base_url: str = ORIGIN) -> Credentials:
    app = PRACTICE_CREDENTIALS
    return Credentials(app_id=app.app_id, key=app.key, secret=app.secret, base_url=base_url)


async def later(call: Callable[[AsyncClient], Any], **options: Any) -> Any:
    async with AsyncClient(credentials(), clock=lambda: NOW, **options) as client:
        return await call(client)


def test_the_page_s_own_server_is_reached(browser: Browser) -> None:
    with Client(credentials(), clock=lambda: NOW, timeout=2.5) as client:
        assert client.trigger("orders", "status", {"é": "ready"}) == {}
        assert browser.headers["content-type"] == "application/json"
        assert not WRITTEN_BY_THE_BROWSER & browser.headers.keys()
        assert browser.timeout == 2_500
        assert client.channels() == {"channels": {}}
    assert [exchange.reply.status for exchange in browser.sandbox.log] == [200, 200]


async def test_it_is_reached_by_asyncio_too(browser: Browser) -> None:
    assert await later(lambda client: client.trigger("orders", "status", "ready")) == {}
    assert not WRITTEN_BY_THE_BROWSER & browser.headers.keys()
    assert browser.timeout == 5_000
    assert await later(lambda client: client.channels()) == {"channels": {}}


def test_a_refusal_is_what_it_is_elsewhere(browser: Browser) -> None:
    with Client(credentials(), clock=lambda: NOW) as client:
        response = client.http.post(f"/apps/{PRACTICE_CREDENTIALS.app_id}/events", content=b"{")
        assert response.status_code == 400
        assert "error" in response.json()
        with pytest.raises(BadRequest):
            client.channels(info="user_count")


@pytest.mark.parametrize(
    ("name", "kind"), [("NetworkError", httpx.ReadError), ("TimeoutError", httpx.ReadTimeout)]
)
async def test_a_server_that_is_away_may_have_heard_the_request(
    browser: Browser, name: str, kind: type[Exception]
) -> None:
    browser.fails = name
    with Client(credentials(), retries=3) as client, pytest.raises(kind, match="may have been"):
        client.channels()
    with pytest.raises(kind, match="may have been"):
        await later(lambda client: client.channels())


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://class.example:8090",
        "http://class.example",
        "http://127.0.0.1:8090",
        "http://evil.example:8090",
    ],
)
def test_no_other_server_is_reached(browser: Browser, elsewhere: str) -> None:
    with pytest.raises(NoSockets, match="has no sockets"):
        Client(credentials(elsewhere))
    with pytest.raises(NoSockets):
        AsyncClient(credentials(), base_url=elsewhere)


def test_without_a_limit_the_browser_waits_as_long_as_it_likes(browser: Browser) -> None:
    with Client(credentials(), clock=lambda: NOW, timeout=None) as client:  # type: ignore[arg-type]
        client.channels()
    assert browser.timeout is None
