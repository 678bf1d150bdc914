"""In a browser tab: an httpx transport to the server that the page itself came from.

Python has no sockets there, but the browser can send requests for it. They only go to the page's
own origin: another server would have to allow them first, and the site promises that nothing goes
to anybody else. Client waits for its answer, so it uses the one kind of request that waits, a
synchronous XMLHttpRequest; a notebook's Python runs in a web worker, where that doesn't hold up the
page. AsyncClient uses fetch().
"""

from __future__ import annotations

from typing import Any

import httpx

# The browser writes these itself, and complains in the console if a page tries to.
# (Fetch standard, "forbidden request-header"; user-agent isn't on its list, but in Chromium's.)
_BROWSER_S = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "origin", "referer", "user-agent"}
)
# About the body as it travelled. The browser has unpacked it, so httpx must not try to.
_TRAVEL_ONLY = frozenset({"content-encoding", "content-length", "transfer-encoding"})


def is_own(url: httpx.URL) -> bool:
    """Whether a URL is on the server that the page came from. False if there's no page."""
    try:
        from js import location
    except ImportError:
        return False
    # Both leave out a scheme's own port.
    return f"{url.scheme}://{url.netloc.decode('ascii')}" == str(location.origin)


class PageTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Lets the browser send each request, for Client and AsyncClient alike.

    If a request fails, the browser doesn't say whether it was sent. So that's a ReadError: it may
    have been carried out. Redirects within the origin are followed before anybody sees them.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        from js import XMLHttpRequest
        from pyodide.ffi import JsException, to_js

        asking = XMLHttpRequest.new()
        try:
            asking.open(request.method, str(request.url), False)  # False: wait for the answer
            asking.responseType = "arraybuffer"
            if seconds := _seconds(request):
                asking.timeout = int(seconds * 1_000)
            for name, value in _headers(request):
                asking.setRequestHeader(name, value)
            asking.send(to_js(request.read()))
        except JsException as error:
            raise _failed(error, request) from None
        lines = str(asking.getAllResponseHeaders()).split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return _response(int(asking.status), headers, asking.response.to_bytes())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        from js import AbortSignal, Object, fetch
        from pyodide.ffi import JsException, to_js

        options: dict[str, Any] = {"method": request.method, "headers": _headers(request)}
        if body := await request.aread():
            options["body"] = body
        try:
            if seconds := _seconds(request):
                options["signal"] = AbortSignal.timeout(int(seconds * 1_000))
            asked = to_js(options, dict_converter=Object.fromEntries)
            answer = await fetch(str(request.url), asked)
            content = (await answer.arrayBuffer()).to_bytes()
        except JsException as error:
            raise _failed(error, request) from None
        headers = [(str(name), str(value)) for name, value in answer.headers]
        return _response(int(answer.status), headers, content)


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    """The headers that are the request's own."""
    return [each for each in request.headers.multi_items() if each[0] not in _BROWSER_S]


def _seconds(request: httpx.Request) -> float | None:
    """How long the browser may take for the whole request. httpx itself counts each step."""
    timeout: float | None = request.extensions.get("timeout", {}).get("read")
    return timeout


def _response(status: int, headers: list[tuple[str, str]], content: bytes) -> httpx.Response:
    kept = [each for each in headers if each[0] and each[0].lower() not in _TRAVEL_ONLY]
    return httpx.Response(status, headers=kept, content=content)


def _failed(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """The browser's error as one of httpx's. All it contains is a name."""
    if getattr(error, "name", "") == "TimeoutError":
        return httpx.ReadTimeout("no answer came in time", request=request)
    return httpx.ReadError("the browser got no answer", request=request)
