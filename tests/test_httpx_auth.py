"""PusherAuth: the generator by hand, then what httpx puts on the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import httpx
import pytest

from pusherkit import AuthenticationError, PusherAuth, sign, verify
from pusherkit.httpx_auth import SIGNATURE_EXTENSION

URL = "http://host/apps/3/events"


@pytest.fixture
def auth(credentials, clock) -> PusherAuth:
    return PusherAuth(credentials, clock=clock)


@pytest.fixture
def sign_by_hand(auth) -> Callable[[httpx.Request], httpx.Request]:
    """Drive the generator one step, as httpx does, and give back what it wants sent."""

    def step(request: httpx.Request) -> httpx.Request:
        return next(auth.auth_flow(request))

    return step


@pytest.fixture
def check_arrival(credentials, clock) -> Callable[[httpx.Request], None]:
    """Verify a request from its bytes on the wire alone, as a server does."""

    def check(request: httpx.Request) -> None:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        params = parse_qsl(query, keep_blank_values=True, errors="strict")
        verify(credentials, request.method, path, params, request.content, now=clock())

    return check


@pytest.fixture
def arrived() -> list[httpx.Request]:
    return []


@pytest.fixture
def http(auth, arrived) -> Iterator[httpx.Client]:
    """An httpx client that signs; what it sends is kept in `arrived`."""

    def keep(request: httpx.Request) -> httpx.Response:
        request.read()
        arrived.append(request)
        return httpx.Response(200, json={})

    with httpx.Client(auth=auth, transport=httpx.MockTransport(keep)) as client:
        yield client


# --- by hand ------------------------------------------------------------------------------------


def test_it_adds_the_signed_parameters_to_the_url(sign_by_hand, credentials, clock):
    body = b'{"name":"foo"}'
    sent = sign_by_hand(httpx.Request("POST", f"{URL}?info=x", content=body))
    expected = sign(credentials, "POST", "/apps/3/events", {"info": "x"}, body, timestamp=clock.now)
    assert tuple(sent.url.params.multi_items()) == expected.query
    assert (sent.url.scheme, sent.url.host, sent.url.path) == ("http", "host", "/apps/3/events")


def test_it_yields_the_same_request_once_whatever_the_answer(auth):
    request = httpx.Request("POST", URL, content=b"{}")
    flow = auth.auth_flow(request)
    assert next(flow) is request
    with pytest.raises(StopIteration):
        flow.send(httpx.Response(401))


def test_it_changes_neither_body_nor_headers(sign_by_hand):
    request = httpx.Request("POST", URL, content=b"{}", headers={"X-Mine": "1"})
    headers, body = request.headers.copy(), request.content
    sent = sign_by_hand(request)
    assert (sent.headers, sent.content) == (headers, body)


def test_the_working_stays_in_the_extensions(sign_by_hand, credentials, clock):
    sent = sign_by_hand(httpx.Request("GET", URL, extensions={"timeout": {"read": 1.0}}))
    assert sent.extensions[SIGNATURE_EXTENSION] == sign(
        credentials, "GET", "/apps/3/events", timestamp=clock.now
    )
    assert SIGNATURE_EXTENSION == "pusherkit.signature"
    assert sent.extensions["timeout"] == {"read": 1.0}


def test_signing_again_replaces_instead_of_doubling(sign_by_hand, clock, check_arrival):
    request = httpx.Request("POST", f"{URL}?info=x", content=b"{}")
    first = sign_by_hand(request).url
    clock.now += 10_000
    again = sign_by_hand(request)
    check_arrival(again)
    keys = [key for key, _ in again.url.params.multi_items()]
    assert len(keys) == len(set(keys)) == len(first.params.multi_items())
    assert again.url.params["auth_timestamp"] == str(clock.now)
    assert again.url.params["auth_signature"] != first.params["auth_signature"]


def test_the_fraction_of_the_clock_is_dropped(sign_by_hand, clock):
    clock.now += 0.999
    sent = sign_by_hand(httpx.Request("GET", URL))
    assert sent.url.params["auth_timestamp"] == str(int(clock.now))


# --- through httpx ------------------------------------------------------------------------------

BODIES = {
    "json": {"json": {"name": "é", "data": "x"}},
    "bytes": {"content": b"\x00\xff"},
    "form": {"data": {"a": "b c"}},
    "multipart": {"files": {"file": b"content"}},
    "stream": {"content": iter([b"one", b"two"])},
    "none": {},
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_bytes_signed_are_the_bytes_sent(http, arrived, check_arrival, kind):
    http.post(URL, **BODIES[kind])
    (sent,) = arrived
    check_arrival(sent)
    signature = sent.extensions[SIGNATURE_EXTENSION]
    if kind == "none":
        assert signature.body_md5 is None
    else:
        assert signature.body_md5 == hashlib.md5(sent.content).hexdigest()


async def test_the_same_through_an_async_client(auth, check_arrival):
    arrived = []

    async def keep(request: httpx.Request) -> httpx.Response:
        arrived.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(keep)) as client:
        await client.post(URL, json={"name": "é"})
    check_arrival(arrived[0])


AWKWARD = ["a,b", "a b", "a+b", "a&b=c", "é", "€😀", "100%", "%2C", "%E9", "a#b?c", "'\"<>", "a;b"]


@pytest.mark.parametrize("value", AWKWARD)
def test_an_awkward_value_survives_the_wire(http, arrived, check_arrival, value):
    http.get(URL, params={"info": value, f"k{value}": ""})
    (sent,) = arrived
    check_arrival(sent)
    assert f"&info={value}&" in sent.extensions[SIGNATURE_EXTENSION].canonical_string


@pytest.mark.parametrize(
    ("value", "wire"),
    [("a,b", b"a%2Cb"), ("a&b=c", b"a%26b%3Dc"), ("%2C", b"%252C"), ("a+b", b"a%2Bb")],
)
def test_values_are_encoded_on_the_wire_only(http, arrived, value, wire):
    http.get(URL, params={"info": value})
    (sent,) = arrived
    assert b"&info=%s&" % wire in sent.url.query
    assert sent.extensions[SIGNATURE_EXTENSION].canonical_string.endswith(f"&info={value}")


@pytest.mark.parametrize("name", ["a,b", "a b", "a+b", "a&b", "é", "%2C", "a%2Fb", "%C3%A9", "(a)"])
def test_an_awkward_path_survives_the_wire(http, arrived, check_arrival, name):
    http.get(f"http://host/apps/3/channels/{name}?info=x")
    (sent,) = arrived
    check_arrival(sent)
    path = sent.url.raw_path.partition(b"?")[0].decode()
    assert sent.extensions[SIGNATURE_EXTENSION].canonical_string.split("\n")[1] == path


def test_repeated_parameters_survive_the_wire_in_their_order(http, arrived, check_arrival):
    http.get(f"{URL}?b=2&a=0&b=1&b=3&empty&info=")
    (sent,) = arrived
    check_arrival(sent)
    signed = sent.extensions[SIGNATURE_EXTENSION].canonical_string
    assert "\na=0&auth_key" in signed
    assert signed.endswith("&b=2&b=1&b=3&empty=&info=")


def test_keys_that_differ_in_case_alone_survive_the_wire(http, arrived, check_arrival):
    http.get(f"{URL}?B=1&b=2&B=3")  # httpx keeps the values of one spelling together
    check_arrival(arrived[0])


def test_the_check_of_these_tests_finds_a_change_on_the_wire(http, arrived, check_arrival):
    http.get(URL, params={"info": "a,b"})
    arrived[0].url = arrived[0].url.copy_set_param("info", "a;b")
    with pytest.raises(AuthenticationError, match="Invalid signature"):
        check_arrival(arrived[0])
