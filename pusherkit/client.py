"""Client and AsyncClient: the calls of the HTTP API, described once and sent two ways.

Every method returns the decoded JSON of the answer, or raises: InvalidEvent before anything is
sent, an APIError for an answer that is not success, httpx's own errors for the network.
"""

from __future__ import annotations

import math
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

import httpx

from pusherkit import errors, events
from pusherkit._page import PageTransport, is_own
from pusherkit._proxies import unusable_proxy
from pusherkit.credentials import Credentials, is_local
from pusherkit.encryption import encrypted
from pusherkit.httpx_auth import PusherAuth
from pusherkit.signing import Request

CONNECTIONS = 20  # maximum, all kept alive; httpcore scans the whole pool on every request
TIMEOUT_SECONDS = 5.0  # for each of connecting, sending, reading; httpx's own default
BACKOFF_SECONDS = 0.1  # before the first repetition; doubled up to MAX_WAIT_SECONDS
MAX_WAIT_SECONDS = 30.0  # a server that asks for a longer wait gets its error raised instead

JSON = dict[str, Any]
Returned = TypeVar("Returned")  # JSON, or an awaitable of it


class _Calls(Generic[Returned]):
    """The calls. A subclass decides how to send, and so what a call returns."""

    credentials: Credentials

    def _send(self, call: Request) -> Returned:
        raise NotImplementedError

    def trigger(
        self,
        channels: str | Iterable[str],
        name: str,
        data: object,
        socket_id: str | None = None,
        *,
        info: Iterable[str] = (),
    ) -> Returned:
        """Publish one event to 1 to 100 channels: `POST /apps/{app_id}/events`.

        `data` is sent as it is when it is text, as compact JSON otherwise; at most 102,400 bytes.
        `socket_id` is the connection that doesn't get the event: usually the publisher's own.
        `info` asks for "subscription_count" or "user_count" of each channel in the answer.
        For an encrypted channel, the data is encrypted: that needs the credentials' master key,
        and PyNaCl.
        """
        event = events.Event.of(channels, name, data, socket_id, info=info)
        event = encrypted(self.credentials, event)
        return self._send(Request("POST", self._path("events"), body=events.event_body(event)))

    def trigger_batch(self, batch: Iterable[events.Event]) -> Returned:
        """Publish 1 to 10 events of one channel each: `POST /apps/{app_id}/batch_events`."""
        checked = map(events.check_event, batch)
        body = events.batch_body(encrypted(self.credentials, event) for event in checked)
        return self._send(Request("POST", self._path("batch_events"), body=body))

    def send_to_user(self, user_id: str, name: str, data: object) -> Returned:
        """Publish one event to every connection on which a user is signed in.

        It's a trigger() on `#server-to-user-ID`, as in the official SDKs.
        """
        return self.trigger(events.SERVER_TO_USER + events.check_user_id(user_id), name, data)

    def terminate_user_connections(self, user_id: str) -> Returned:
        """Close every connection on which a user is signed in.

        `POST /apps/{app_id}/users/{user_id}/terminate_connections`. The user may sign in again: who
        shouldn't is refused by your own endpoint.
        """
        user = _segment(quote(events.check_user_id(user_id), safe="=@,;"))
        return self._send(
            Request("POST", self._path(f"users/{user}/terminate_connections"), body=b"{}")
        )

    def channels(self, *, prefix: str | None = None, info: Iterable[str] = ()) -> Returned:
        """List the occupied channels: `GET /apps/{app_id}/channels`.

        `prefix` keeps the names that begin with it. `info` may ask for "user_count" if the prefix
        is "presence-".
        """
        params = (() if prefix is None else (("filter_by_prefix", prefix),)) + _info(info)
        return self._send(Request("GET", self._path("channels"), params))

    def channel_info(self, channel: str, *, info: Iterable[str] = ()) -> Returned:
        """Ask about one channel: `GET /apps/{app_id}/channels/{channel}`.

        `info` may ask for "subscription_count", for "user_count" of a presence channel, and for
        "cache", the latest event of a cache channel.
        """
        events.check_channel_name(channel)
        return self._send(Request("GET", self._path(f"channels/{_segment(channel)}"), _info(info)))

    def users(self, channel: str) -> Returned:
        """List a presence channel's users: `GET /apps/{app_id}/channels/{channel}/users`."""
        events.check_channel_name(channel)
        return self._send(Request("GET", self._path(f"channels/{_segment(channel)}/users")))

    def _path(self, rest: str) -> str:
        return f"/apps/{self.credentials.app_id}/{rest}"


class Client(_Calls[JSON]):
    """Calls the API and waits for the answer. Keeps its connection open; close it, or use `with`.

    `base_url` takes the place of the credentials' own, and has the same forms. `timeout` is in
    seconds.
    `transport` is an httpx transport, for a server without a socket. `retries` repeats only what
    can't have been published: refused connections, and 429 or 503, after the wait that the
    server asks for in Retry-After. `http` is the httpx.Client underneath. Raises PusherError for
    a proxy or a certificate file of the environment that can't be used, and its NoSockets inside a
    browser tab, for every host but the one that the page came from.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
        retries: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.credentials = credentials
        self._retries = retries
        options = _options(credentials, base_url, timeout, clock, transport)
        self.http = _made(lambda: httpx.Client(**options))

    def _send(self, call: Request) -> JSON:
        for backoff in _backoffs(self._retries):
            request = self.http.build_request(**_request(self.http.base_url, call))
            outcome: JSON | Exception
            try:
                outcome = _read(self.http.send(request))
            except _NETWORK as error:
                outcome = _explained(error, request)
            wait = _seconds_to_wait(outcome, backoff)
            if wait is None:
                break
            time.sleep(wait)
        return _result(outcome)

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class AsyncClient(_Calls[Awaitable[JSON]]):
    """The same calls, awaitable. For asyncio; options as for Client.

    Of many requests at once, each beyond the number of connections waits for its turn, and is
    signed when that comes.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        base_url: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        import asyncio  # here, as in _sleep()

        self.credentials = credentials
        self._retries = retries
        options = _options(credentials, base_url, timeout, clock, transport)
        self.http = _made(lambda: httpx.AsyncClient(**options))
        # httpx has a queue, too. It scans everybody in it on every request, and gives up on them
        # after the timeout.
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def _send(self, call: Request) -> JSON:
        for backoff in _backoffs(self._retries):
            request = self.http.build_request(**_request(self.http.base_url, call))
            outcome: JSON | Exception
            try:
                async with self._turns:
                    outcome = _read(await self.http.send(request))
            except _NETWORK as error:
                outcome = _explained(error, request)
            wait = _seconds_to_wait(outcome, backoff)
            if wait is None:
                break
            await _sleep(wait)
        return _result(outcome)

    async def aclose(self) -> None:
        """Close the connection."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()


async def _sleep(seconds: float) -> None:
    import asyncio  # not above: it would be a tenth of `import pusherkit`, and Client needs none

    await asyncio.sleep(seconds)


# --- from a call to a request -----------------------------------------------------------------


def _options(
    credentials: Credentials,
    base_url: str | None,
    timeout: float,
    clock: Callable[[], float],
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None,
) -> dict[str, Any]:
    """The arguments of either httpx client."""
    if base_url is not None:
        credentials = replace(credentials, base_url=base_url)
    url = httpx.URL(credentials.base_url)
    if transport is None and sys.platform == "emscripten":
        if not is_own(url):
            raise errors.NoSockets(f"reach {credentials.base_url}")
        transport = PageTransport()
    return {
        "transport": transport,
        "base_url": url,
        "auth": PusherAuth(credentials, clock=clock),
        "timeout": timeout,
        "limits": httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        # A proxy from the environment can't reach a server on this machine.
        "trust_env": not is_local(url.host),
    }


Made = TypeVar("Made", httpx.Client, httpx.AsyncClient)


def _made(make: Callable[[], Made]) -> Made:
    """An httpx client; PusherError where the environment holds what httpx can't use."""
    try:
        return make()
    except (ImportError, ValueError, httpx.InvalidURL):
        problem = _unusable_proxy()
        if problem is None:
            raise
    except OSError as error:  # ssl.SSLError is one, too
        problem = (
            "The certificates can't be loaded, or their log can't be written: "
            f"{error.strerror or error}. Look at SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE."
        )
    # Raised here: httpx's own error can quote a proxy's password, and must not be this one's cause.
    raise errors.PusherError(problem)


def _unusable_proxy() -> str | None:
    """Which of the environment's proxies httpx can't use, and what to do about it."""
    proxies = urllib.request.getproxies()
    for scheme, url in proxies.items():
        if scheme in ("http", "https", "all"):
            try:
                httpx.HTTPTransport(proxy=url if "://" in url else f"http://{url}", trust_env=False)
            except (ImportError, ValueError, httpx.InvalidURL) as error:
                lacking = "httpx[socks]" if isinstance(error, ImportError) else None
                return unusable_proxy(scheme, lacking=lacking)
    return unusable_proxy("no") if "no" in proxies else None


def _request(base_url: httpx.URL, call: Request) -> dict[str, Any]:
    """The arguments of httpx's build_request() for a call. The body goes out as it is."""
    return {
        "method": call.method,
        "url": _url(base_url, call.path),
        "params": call.params or None,
        "content": call.body or None,
        "headers": {"Content-Type": "application/json"} if call.body else None,
    }


@lru_cache(maxsize=128)  # URLs; reading one is most of what building a request takes
def _url(base_url: httpx.URL, path: str) -> httpx.URL:
    return httpx.URL(str(base_url).rstrip("/") + path)


def _segment(name: str) -> str:
    """A name as a part of a path, where . and .. alone would mean another path."""
    return name.replace(".", "%2E") if name in (".", "..") else name


def _info(info: Iterable[str]) -> tuple[tuple[str, str], ...]:
    joined = info if isinstance(info, str) else ",".join(info)
    return (("info", joined),) if joined else ()


# --- from an answer to a result or an error ---------------------------------------------------

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout)  # no connection, so no request
# What sending may raise. InvalidURL is about a redirect's Location, which httpx tries to read;
# UnicodeError is about that, too, or about a host (a proxy's, perhaps) that can't be a name.
_NETWORK = (httpx.RequestError, httpx.InvalidURL, UnicodeError)

_ERRORS: dict[int, type[errors.APIError]] = {
    400: errors.BadRequest,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    413: errors.PayloadTooLarge,
    429: errors.RateLimited,
}
_ERROR_STATUSES = range(400, 600)


def _result(outcome: JSON | Exception) -> JSON:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _explained(error: Exception, request: httpx.Request) -> Exception:
    """The network's error, still httpx's own, with a message that says where and what it means.

    By itself it may say nothing: those of asyncio do.
    """
    # IDNA is the encoding of hosts' names; Python 3.12 says so in a note only.
    told = (str(error), *getattr(error, "__notes__", ()))
    if isinstance(error, UnicodeError) and any("'idna'" in said for said in told):
        error = httpx.ConnectError(f"no host has such a name: {error}", request=request)
    elif not isinstance(error, httpx.RequestError):
        error = httpx.RemoteProtocolError(f"redirected to no URL: {error}", request=request)
    url = request.url
    where = f"{request.method} {url.scheme}://{url.netloc.decode('ascii')}{url.path}"
    said = str(error).rstrip(".") or type(error).__name__
    if isinstance(error, (*_NEVER_SENT, httpx.PoolTimeout, httpx.UnsupportedProtocol)):
        meaning = "Nothing was sent."
    else:
        meaning = "The request may have been carried out, so it is not sent again."
    error.args = (f"{where}: {said}. {meaning}",)
    return error


def _read(response: httpx.Response) -> JSON | errors.APIError:
    """Turn an answer into its JSON, or into the error that fits it."""
    body = _body(response)
    if response.is_success and isinstance(body, dict) and "error" not in body:
        return body
    status, message = response.status_code, _message(response, body)
    if response.is_success and isinstance(body, dict) and body.get("code") in _ERROR_STATUSES:
        status = body["code"]  # soketi answers 200 to nearly every error
    kind = errors.ServerError if status >= 500 else _ERRORS.get(status, errors.APIError)
    return kind(status, message, body=body, retry_after=_retry_after(response))


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return _text(response)


def _text(response: httpx.Response) -> str:
    """The body as UTF-8, whatever it says it is: with some charsets, response.text raises."""
    return response.content.decode(errors="replace")


def _message(response: httpx.Response, body: Any) -> str:
    if isinstance(body, dict) and "error" in body:
        return str(body["error"])
    if response.is_success:
        return (
            f"expected a JSON object, got {_text(response)[:80]!r}. "
            "The server has answered with success, so the request may have been carried out."
        )
    if response.has_redirect_location:
        return (
            f"redirected to {response.headers['location']!r}. A signature covers the path, so "
            "redirects are not followed: use the host that answers as base_url."
        )
    return _text(response).strip()[:500] or response.reason_phrase or "no explanation"


def _retry_after(response: httpx.Response) -> float | None:
    """The wait in seconds from Retry-After, a number or a date (RFC 9110, section 10.2.3)."""
    header = response.headers.get("retry-after")
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a time zone
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


# --- repeating what can't have been published -------------------------------------------------


def _backoffs(retries: int) -> Iterator[float | None]:
    """The wait before each repetition in seconds, then None: no repetition is left."""
    wait = BACKOFF_SECONDS
    for _ in range(retries):
        yield wait
        wait = min(2 * wait, MAX_WAIT_SECONDS)
    yield None


def _seconds_to_wait(outcome: JSON | Exception, backoff: float | None) -> float | None:
    """How long to wait before sending again; None if that wouldn't help, or isn't allowed."""
    if backoff is None:
        return None
    if isinstance(outcome, _NEVER_SENT):
        return backoff
    if isinstance(outcome, errors.APIError) and outcome.status_code in (429, 503):
        wait = backoff if outcome.retry_after is None else outcome.retry_after
        return wait if wait <= MAX_WAIT_SECONDS else None
    return None
