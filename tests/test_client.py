"""Client and AsyncClient: what each call sends, what each answer becomes, and what is repeated.

Calls run over both clients. Nothing waits: sleeping moves the fixed clock instead.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from pusherkit import (
    APIError,
    AsyncClient,
    BadRequest,
    Client,
    Event,
    Forbidden,
    InvalidEvent,
    NotFound,
    PayloadTooLarge,
    PusherError,
    RateLimited,
    ServerError,
    Unauthorized,
    verify,
)
from pusherkit.client import BACKOFF_SECONDS, CONNECTIONS, MAX_WAIT_SECONDS, TIMEOUT_SECONDS

Answer = httpx.Response | Exception


class Service:
    """Stands for the server: answers in turn, the last answer for ever; remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [httpx.Response(200, json={})]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        # A copy: a response that was read once cannot be read again.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def waits(monkeypatch, clock) -> list[float]:
    """The waits in seconds, none of which takes any time."""
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.now += seconds

    async def sleep_async(seconds: float) -> None:
        sleep(seconds)

    monkeypatch.setattr("pusherkit.client.time.sleep", sleep)
    monkeypatch.setattr("pusherkit.client._sleep", sleep_async)
    return waited


@pytest.fixture(params=[Client, AsyncClient])
def call(request, credentials, clock, service) -> Callable[..., Any]:
    """Call a method of a client, wait for its result, and close the client."""

    def call(method: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        settings = {"transport": httpx.MockTransport(service), "clock": clock} | (options or {})
        if request.param is Client:
            with Client(credentials, **settings) as client:
                return getattr(client, method)(*args, **kwargs)

        async def wait() -> Any:
            async with AsyncClient(credentials, **settings) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(wait())

    return call


TRIGGER = ("trigger", "chat", "message", {"text": "hello"})


# --- what is sent -------------------------------------------------------------------------------

BATCH = [Event.of("a", "n", 1), Event.of("b", "m", "x", "1.2")]
INFO_BODY = '{"name":"n","channels":["a","b"],"data":"é","socket_id":"1.2","info":"user_count"}'
CALLS = {
    "trigger": (
        lambda call: call(*TRIGGER),
        "POST /apps/3/events",
        {},
        '{"name":"message","channels":["chat"],"data":"{\\"text\\":\\"hello\\"}"}',
    ),
    "trigger, everything": (
        lambda call: call("trigger", ["a", "b"], "n", "é", "1.2", info=["user_count"]),
        "POST /apps/3/events",
        {},
        INFO_BODY,
    ),
    "trigger_batch": (
        lambda call: call("trigger_batch", BATCH),
        "POST /apps/3/batch_events",
        {},
        '{"batch":[{"channel":"a","name":"n","data":"1"},'
        '{"channel":"b","name":"m","data":"x","socket_id":"1.2"}]}',
    ),
    "send_to_user": (
        lambda call: call("send_to_user", "ann@example.com", "message", {"text": "hello"}),
        "POST /apps/3/events",
        {},
        '{"name":"message","channels":["#server-to-user-ann@example.com"],'
        '"data":"{\\"text\\":\\"hello\\"}"}',
    ),
    "terminate_user_connections": (
        lambda call: call("terminate_user_connections", "ann@example.com"),
        "POST /apps/3/users/ann@example.com/terminate_connections",
        {},
        "{}",
    ),
    "terminate_user_connections, any text": (
        lambda call: call("terminate_user_connections", "Ann/Größe %?#"),
        "POST /apps/3/users/Ann%2FGr%C3%B6%C3%9Fe%20%25%3F%23/terminate_connections",
        {},
        "{}",
    ),
    "terminate_user_connections, dots": (
        lambda call: call("terminate_user_connections", ".."),
        "POST /apps/3/users/%2E%2E/terminate_connections",
        {},
        "{}",
    ),
    "channels": (lambda call: call("channels"), "GET /apps/3/channels", {}, ""),
    "channels, everything": (
        lambda call: call("channels", prefix="presence-", info=["user_count", "x"]),
        "GET /apps/3/channels",
        {"filter_by_prefix": "presence-", "info": "user_count,x"},
        "",
    ),
    "channels, empty prefix": (
        lambda call: call("channels", prefix="", info="user_count"),
        "GET /apps/3/channels",
        {"filter_by_prefix": "", "info": "user_count"},
        "",
    ),
    "channel_info": (
        lambda call: call("channel_info", "chat", info="subscription_count"),
        "GET /apps/3/channels/chat",
        {"info": "subscription_count"},
        "",
    ),
    "channel_info, cache": (
        lambda call: call("channel_info", "cache-chat", info=["cache", "subscription_count"]),
        "GET /apps/3/channels/cache-chat",
        {"info": "cache,subscription_count"},
        "",
    ),
    "channel_info, punctuation": (
        lambda call: call("channel_info", "a_-=@,.;b"),
        "GET /apps/3/channels/a_-=@,.;b",
        {},
        "",
    ),
    "users": (
        lambda call: call("users", "presence-chat"),
        "GET /apps/3/channels/presence-chat/users",
        {},
        "",
    ),
}


@pytest.mark.parametrize(("make", "line", "own", "body"), CALLS.values(), ids=CALLS)
def test_each_call_sends_this_request(call, service, credentials, clock, make, line, own, body):
    assert make(call) == {}
    (sent,) = service.requests
    path, _, query = sent.url.raw_path.decode("ascii").partition("?")
    params = parse_qsl(query, keep_blank_values=True)
    assert f"{sent.method} {path}" == line
    assert sent.content == body.encode()
    assert sent.headers.get("content-type") == ("application/json" if body else None)
    verify(credentials, sent.method, path, params, sent.content, now=clock())
    auth = {"auth_key", "auth_timestamp", "auth_version", "auth_signature"}
    assert {key for key, _ in params} == auth | ({"body_md5"} if body else set()) | set(own)
    assert own.items() <= dict(params).items()


def test_it_goes_to_the_credentials_host_or_to_base_url(call, service):
    call(*TRIGGER)
    call(*TRIGGER, options={"base_url": "http://127.0.0.1:6001"})
    assert [str(sent.url.copy_with(raw_path=b"/")) for sent in service.requests] == [
        "https://ws-sa.mawjly.com/",
        "http://127.0.0.1:6001/",
    ]


def test_the_timeout_is_five_seconds_or_as_given(call, service):
    assert TIMEOUT_SECONDS == 5
    call(*TRIGGER)
    call(*TRIGGER, options={"timeout": 0.5})
    assert [set(sent.extensions["timeout"].values()) for sent in service.requests] == [{5.0}, {0.5}]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (("trigger", "a b", "n", "d"), "channel"),
        (("trigger", [], "n", "d"), "channels"),
        (("trigger", "chat", "", "d"), "name"),
        (("trigger", "chat", "n", "x" * 102_401), "data_size"),
        (("trigger", "chat", "n", {1, 2}), "data"),
        (("trigger", "chat", "n", "d", "1"), "socket_id"),
        (("trigger_batch", []), "batch"),
        (("trigger_batch", [Event.of(["a", "b"], "n", "")]), "batch"),
        (("trigger_batch", [{"channel": "chat", "name": "n", "data": ""}]), "batch"),
        (("channel_info", "a/b"), "channel"),
        (("users", ""), "channel"),
        (("send_to_user", "", "n", "d"), "user_id"),
        (("send_to_user", 7, "n", "d"), "user_id"),
        (("terminate_user_connections", "x" * 201), "user_id"),
        (("terminate_user_connections", None), "user_id"),
        (("terminate_user_connections", "\ud800"), "user_id"),
        (("trigger", ["chat", "private-encrypted-a"], "n", "d"), "channels"),
    ],
)
def test_what_breaks_a_rule_is_not_sent(call, service, wrong, rule):
    with pytest.raises(InvalidEvent) as caught:
        call(*wrong)
    assert caught.value.rule == rule
    assert service.requests == []


@pytest.mark.parametrize(
    ("host", "proxied"),
    [
        ("https://example.com", True),
        ("http://127.0.0.1:1", False),
        ("http://localhost", False),
        ("http://[::1]:1", False),
    ],
)
def test_a_proxy_of_the_environment_is_not_for_this_machine(
    monkeypatch, credentials, host, proxied
):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Client(credentials, base_url=host) as client:
        assert client.http.trust_env is proxied


# --- what an answer becomes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, {}), (200, {"ok": True}), (202, {}), (200, {"channels": {"chat": {}}})],
)
def test_success_is_the_decoded_json(call, service, status, answer):
    service.answers = [httpx.Response(status, json=answer)]
    assert call(*TRIGGER) == answer


STATUSES = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    413: PayloadTooLarge,
    429: RateLimited,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    418: APIError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"json": {"error": "Why not.", "fix": "So."}}, "Why not."),
        ({"text": " Why not.\n"}, "Why not."),
        ({"text": "{broken"}, "{broken"),
        ({"json": {"other": 1}}, '{"other":1}'),
        ({"json": ["Why not."]}, '["Why not."]'),
        ({"content": b"\xff\xfe\x00"}, None),
    ],
)
def test_every_other_status_is_its_error(call, service, status, kind, answer, message):
    service.answers = [httpx.Response(status, **answer)]
    with pytest.raises(APIError) as caught:
        call(*TRIGGER)
    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert caught.value.retry_after is None
    if message is not None:
        assert caught.value.message == message
        assert str(caught.value) == f"{status}: {message}"
    if "json" in answer:
        assert caught.value.body == answer["json"]


@pytest.mark.parametrize(("status", "told"), [(404, "Not Found"), (499, "no explanation")])
def test_an_answer_without_a_text_is_told_by_its_reason(call, service, status, told):
    service.answers = [httpx.Response(status)]
    with pytest.raises(APIError) as caught:
        call(*TRIGGER)
    assert str(caught.value) == f"{status}: {told}"


def test_a_long_text_is_shortened(call, service):
    service.answers = [httpx.Response(500, text="x" * 10_000)]
    with pytest.raises(ServerError) as caught:
        call(*TRIGGER)
    assert len(str(caught.value)) < 600
    assert caught.value.body == "x" * 10_000


@pytest.mark.parametrize(("status", "kind"), [s for s in STATUSES.items() if s[0] != 418])
def test_a_200_that_carries_an_error_is_the_error_of_its_code(call, service, status, kind):
    service.answers = [httpx.Response(200, json={"error": "Why not.", "code": status})]
    with pytest.raises(APIError, match="Why not") as caught:
        call(*TRIGGER)
    assert type(caught.value) is kind
    assert caught.value.status_code == status


@pytest.mark.parametrize("extra", [{}, {"code": "401"}, {"code": None}, {"code": 4009}])
def test_a_200_that_carries_an_error_without_a_status_is_an_error_still(call, service, extra):
    service.answers = [httpx.Response(200, json={"error": "Why not."} | extra)]
    with pytest.raises(APIError, match="Why not") as caught:
        call(*TRIGGER)
    assert type(caught.value) is APIError


@pytest.mark.parametrize(
    "content", [b"", b"{broken", b"[]", b'"ok"', b"null", b"\xff", b"<html>", b"[" * 100_000]
)
def test_a_200_without_a_json_object_says_that_it_may_have_been_done(call, service, content):
    service.answers = [httpx.Response(200, content=content)]
    with pytest.raises(APIError, match="may have been carried out") as caught:
        call(*TRIGGER)
    assert caught.value.status_code == 200
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_says_where_it_points(call, service, status):
    service.answers = [httpx.Response(status, headers={"Location": "https://other/apps/3/events"})]
    with pytest.raises(APIError, match=r"https://other/apps/3/events.*base_url") as caught:
        call(*TRIGGER)
    assert caught.value.status_code == status
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [300, 302, 304])
def test_a_3xx_that_points_nowhere_is_an_error_too(call, service, status):
    service.answers = [httpx.Response(status)]
    with pytest.raises(APIError) as caught:
        call(*TRIGGER)
    assert caught.value.status_code == status
    assert "None" not in str(caught.value)


@pytest.fixture
def fixed_today(monkeypatch):
    """Wed, 21 Oct 2015 07:28:00 GMT, for Retry-After dates."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2015, 10, 21, 7, 28, tzinfo=tz)

    monkeypatch.setattr("pusherkit.client.datetime", Fixed)


@pytest.mark.usefixtures("fixed_today")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("0.25", 0.25),
        ("-3", 0.0),
        ("inf", float("inf")),
        ("Wed, 21 Oct 2015 07:28:09 GMT", 9.0),
        ("Wed, 21 Oct 2015 09:28:09 +0200", 9.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("Wed, 21 Oct 2015 07:28:09 -0000", None),
        ("Wed, 99 Oct 2015 07:28:09 GMT", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:09 GMT", None),
        ("Wed, 21 Oct 2015 07:28:09 +99999999999999999999", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(call, service, header, seconds):
    service.answers = [httpx.Response(429, headers={"Retry-After": header})]
    with pytest.raises(RateLimited) as caught:
        call(*TRIGGER)
    assert caught.value.retry_after == seconds


# --- what is repeated ---------------------------------------------------------------------------

REFUSED = httpx.ConnectError("refused")
NO_CONNECTION = httpx.ConnectTimeout("no connection")
LIMITED = httpx.Response(429, json={"error": "Slow down."})
BUSY = httpx.Response(503, json={"error": "Busy."})
OK = httpx.Response(200, json={"ok": True})


def after(seconds: str, status: int = 429) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": seconds}, json={"error": "Wait."})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([OK], []),
        ([REFUSED, OK], [0.1]),
        ([NO_CONNECTION, OK], [0.1]),
        ([LIMITED, OK], [0.1]),
        ([BUSY, OK], [0.1]),
        ([REFUSED, BUSY, LIMITED, OK], [0.1, 0.2, 0.4]),
        ([after("7"), OK], [7.0]),
        ([after("0.25", 503), OK], [0.25]),
        ([after("0"), OK], [0.0]),
        ([after("30"), OK], [30.0]),
        ([after("7"), REFUSED, OK], [7.0, 0.2]),
        ([after("soon"), OK], [0.1]),
        ([httpx.Response(200, json={"error": "Slow down.", "code": 429}), OK], [0.1]),
    ],
)
def test_what_cannot_have_been_published_is_repeated(call, service, waits, answers, expected):
    assert BACKOFF_SECONDS == 0.1
    service.answers = answers
    assert call(*TRIGGER, options={"retries": 3}) == {"ok": True}
    assert waits == pytest.approx(expected)
    assert len(service.requests) == len(answers)


@pytest.mark.parametrize(
    "answer",
    [
        *(
            httpx.Response(status, json={"error": "No."})
            for status in STATUSES
            if status not in (429, 503)
        ),
        httpx.Response(200, text="{broken"),
        httpx.ReadTimeout("no answer"),
        httpx.ReadError("cut"),
        httpx.WriteTimeout("no answer"),
        httpx.WriteError("cut"),
        httpx.RemoteProtocolError("nonsense"),
        httpx.PoolTimeout("busy"),
    ],
    ids=lambda answer: getattr(answer, "status_code", None) or type(answer).__name__,
)
def test_what_may_have_been_published_is_not_repeated(call, service, waits, answer):
    service.answers = [answer, OK]
    with pytest.raises(type(answer) if isinstance(answer, Exception) else APIError):
        call(*TRIGGER, options={"retries": 3})
    assert len(service.requests) == 1
    assert waits == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [(REFUSED, httpx.ConnectError), (LIMITED, RateLimited), (BUSY, ServerError)],
)
@pytest.mark.parametrize(
    ("options", "repetitions"), [({}, 0), ({"retries": 0}, 0), ({"retries": 2}, 2)]
)
def test_when_no_repetition_is_left_the_last_error_is_raised(
    call, service, waits, answer, error, options, repetitions
):
    service.answers = [answer]
    with pytest.raises(error):
        call(*TRIGGER, options=options)
    assert len(service.requests) == repetitions + 1
    assert len(waits) == repetitions


@pytest.mark.parametrize("seconds", ["30.1", "3600", "inf"])
def test_a_long_wait_raises_at_once(call, service, waits, seconds):
    assert MAX_WAIT_SECONDS == 30
    service.answers = [after(seconds), OK]
    with pytest.raises(RateLimited) as caught:
        call(*TRIGGER, options={"retries": 3})
    assert caught.value.retry_after == float(seconds)
    assert len(service.requests) == 1
    assert waits == []


@pytest.mark.parametrize("answer", [NO_CONNECTION, LIMITED])
def test_a_wait_is_doubled_up_to_the_longest(call, service, waits, answer):
    service.answers = [*[answer] * 11, OK]
    call(*TRIGGER, options={"retries": 11})
    assert waits == pytest.approx([*(0.1 * 2**n for n in range(9)), 30, 30])


def test_each_repetition_is_signed_anew(call, service, waits, credentials, clock):
    start = clock.now
    service.answers = [after("7"), after("20"), OK]
    call(*TRIGGER, options={"retries": 3})
    times = [start, start + 7, start + 27]
    for sent, now in zip(service.requests, times, strict=True):
        params = sent.url.params.multi_items()
        assert dict(params)["auth_timestamp"] == str(now)
        verify(credentials, "POST", "/apps/3/events", params, sent.content, now=now, tolerance=0)
    assert len({sent.content for sent in service.requests}) == 1
    assert json.loads(service.requests[0].content)["data"] == '{"text":"hello"}'


def test_closing_closes_the_connection(credentials):
    client = Client(credentials, transport=httpx.MockTransport(Service()))
    client.close()
    assert client.http.is_closed
    with Client(credentials, transport=httpx.MockTransport(Service())) as client:
        assert not client.http.is_closed
    assert client.http.is_closed


async def test_closing_closes_the_asynchronous_connection(credentials):
    client = AsyncClient(credentials, transport=httpx.MockTransport(Service()))
    await client.aclose()
    assert client.http.is_closed
    async with AsyncClient(credentials, transport=httpx.MockTransport(Service())) as client:
        assert not client.http.is_closed
    assert client.http.is_closed


async def test_of_many_requests_each_waits_for_its_turn_and_is_signed_then(credentials, clock):
    began, under_way, most = clock.now, 0, 0
    signed: list[int] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        signed.append(int(request.url.params["auth_timestamp"]))
        await asyncio.sleep(0)  # the others' turn, until no more of them come
        clock.now += 1
        under_way -= 1
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    async with AsyncClient(credentials, transport=transport, clock=clock) as client:
        calls = [client.trigger("chat", "message", "") for _ in range(3 * CONNECTIONS)]
        assert await asyncio.gather(*calls) == [{}] * len(calls)
    assert most == CONNECTIONS
    assert signed[:CONNECTIONS] == [began] * CONNECTIONS
    assert len(signed) == len(calls)
    assert all(timestamp > began for timestamp in signed[CONNECTIONS:])


# --- what the environment holds -------------------------------------------------------------------


@pytest.fixture
def without_proxies(monkeypatch) -> pytest.MonkeyPatch:
    """The environment, in which no proxy is named yet."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "ALL_PROXY",
            "socks5://me:hunter2@127.0.0.1:9",
            '{} names a SOCKS .*"httpx.socks."',
        ),
        ("HTTP_PROXY", "ftp://me:hunter2@proxy", "{} can't be used: expected a URL"),
        ("http_proxy", "http://me:hun/ter2@proxy", "{} can't be used: expected a URL"),
        ("HTTPS_PROXY", "http://proxy:hunter2", "{} can't be used: expected a URL"),
        ("NO_PROXY", "localhost,proxy:hunter2", "{} can't be read: expected host names"),
        ("SSL_CERT_FILE", "/nowhere/hunter2", "The certificates can't be loaded, .*SSL_CERT_FILE"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_not_quoted(
    credentials, without_proxies, kind, name, value, told
):
    without_proxies.setenv(name, value)
    with pytest.raises(PusherError, match=f"^{told.format(name)}") as caught:
        kind(credentials)
    assert "hun" not in str(caught.value)
    assert caught.value.__context__ is None  # httpx's own error, which may quote it
    kind(credentials, base_url="http://127.0.0.1:80")  # needs no proxy, so it does not matter


def test_what_is_not_the_environment_s_fault_is_not_blamed_on_it(credentials, without_proxies):
    def fail(**options: object) -> None:
        raise ValueError("mine")

    without_proxies.setattr("pusherkit.client.httpx.Client", fail)
    with pytest.raises(ValueError, match=r"^mine$"):
        Client(credentials)


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b"])
def test_a_host_that_is_no_name_means_that_nothing_was_sent(credentials, without_proxies, host):
    with (
        Client(credentials, base_url=f"http://{host}") as client,
        pytest.raises(httpx.ConnectError, match=r"no host has such a name: .* Nothing was sent\.$"),
    ):
        client.trigger("chat", "n", "")


def test_python_3_12_names_the_encoding_of_hosts_in_a_note(credentials):
    def fail(request: httpx.Request) -> httpx.Response:
        error = UnicodeError("label empty or too long")
        error.add_note("encoding with 'idna' codec failed")
        raise error

    with (
        Client(credentials, transport=httpx.MockTransport(fail)) as client,
        pytest.raises(httpx.ConnectError, match=r"no host has such a name: label empty or too"),
    ):
        client.trigger("chat", "n", "")
