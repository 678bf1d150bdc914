"""What the official publishers send is caught on the wire and judged by our verify().

What they are known to do wrong is listed below, a line each. The tests fail when a line no longer
holds, and when something new goes wrong.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from pusherkit import AuthenticationError, Credentials, Event, verify
from pusherkit.events import MAX_BATCH_EVENTS, read_batch_body, read_event_body

SEED = 20_260_101
EVENTS = 300  # requests per client; every third is a batch
CREDENTIALS = {"app_id": "3", "key": "278d425bdf160c739803", "secret": "7ad3773142a6692b25b8"}

# --- known defects --------------------------------------------------------------------------------

# PyPI's pusher with its default backend signs the prefix as it is, and puts it into the URL as it
# is: + arrives as a space, & begins another parameter, %XX arrives decoded, # ends the URL.
AS_IT_IS = {
    "a+b": "refused: auth_signature",
    "+": "refused: auth_signature",
    "a&b": "refused: auth_signature",
    "&": "refused: auth_signature",
    "a%20b": "refused: auth_signature",
    "a%2Fb": "refused: auth_signature",
    "a#b": "refused: auth_signature",
    "presence-&auth_key=x": "refused: auth_key",
    "a&info=user_count": "arrives as [('filter_by_prefix', 'a'), ('info', 'user_count')]",
}
PREFIX_DEFECTS = {
    "pusher": AS_IT_IS,
    "pusher-aiohttp": {},
    # npm's pusher does the same; its URL parser also drops these two characters.
    "npm-pusher": AS_IT_IS | {"a\nb": "refused: auth_signature", "a\tb": "refused: auth_signature"},
}
# npm's pusher signs parameter names as they are, where the documentation wants them lower-cased.
KEY_DEFECTS = {"Info": "refused: auth_signature"}

PREFIXES = [
    *("a+b", "+", "a&b", "&", "a%20b", "a%2Fb", "a#b", "presence-&auth_key=x", "a&info=user_count"),
    *("a\nb", "a\tb", "a b", " a", "a ", "a/b", "a?b", "a=b", "=", "?", "a%b", "%", "%zz", "a;b"),
    *("a,b", "a:b", "a@b", "a!b", "a'b", 'a"b', "a*b", "(a)", "[a]", "{a}", "a|b", "a\\b", "a^b"),
    *("a`b", "a~b", "<a>", "é", "e\u0301", "ß", "Ω", "日本", "🎉", "\u00a0", "presence-"),
]

# --- catching a request ---------------------------------------------------------------------------


class Caught:
    """One request, as it came over the wire."""

    def __init__(self, method: str, target: str, body: bytes) -> None:
        path, _, query = target.partition("?")
        self.arguments = (method, path, parse_qsl(query, keep_blank_values=True), body)
        self.body = body

    def refusal(self, credentials: Credentials) -> str | None:
        """What verify() finds wrong."""
        try:
            verify(credentials, *self.arguments, now=time.time())
        except AuthenticationError as error:
            return error.reason
        return None

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """Those of the request's own."""
        signing = ("auth_", "body_md5")
        return [pair for pair in self.arguments[2] if not pair[0].startswith(signing)]


@pytest.fixture(scope="module")
def wire() -> Iterator[tuple[int, list[Caught]]]:
    """A port, and the requests that arrive there."""
    caught: list[Caught] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # header and body in one segment: in two, each answer waits for an ACK

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            caught.append(Caught(self.command, self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, caught
        server.shutdown()
        thread.join()


@pytest.fixture(params=PREFIX_DEFECTS)
def column(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def credentials(wire: tuple[int, list[Caught]]) -> Credentials:
    return Credentials(**CREDENTIALS, base_url=f"http://127.0.0.1:{wire[0]}")


@pytest.fixture
def send(wire: tuple[int, list[Caught]]) -> Callable[..., Caught]:
    """Calls, and returns the one request that this sent."""
    caught = wire[1]

    def send(call: Callable[..., object], *arguments: object) -> Caught:
        caught.clear()
        call(*arguments)
        (request,) = caught
        return request

    return send


# --- events ---------------------------------------------------------------------------------------

LETTERS = "abcXYZ019_-=@,.;"  # of a channel's name
ODD = "\n\t\x00\x7féßΩ日本語🎉\u2028\ufeff"
TEXT = "aZ0 -_.+&%#=?/:;\"'\\<>{}[]()|^`~!@$*," + ODD


def text(rng: random.Random, longest: int = 20) -> str:
    return "".join(rng.choices(TEXT, k=rng.randint(1, longest)))


def value(rng: random.Random, depth: int = 3) -> Any:
    """Anything that JSON can hold, and that JavaScript's numbers hold exactly."""
    kinds = ["text", "int", "float", "constant"] + ["list", "dict"] * (depth > 0)
    match rng.choice(kinds):
        case "text":
            return text(rng)
        case "int":
            return rng.randint(-(2**53), 2**53)
        case "float":
            return rng.choice([0.1, -1.5, 1e-9, 1e21, 2.0, rng.random()])
        case "constant":
            return rng.choice([None, True, False])
        case "list":
            return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
        case "dict":
            return {text(rng): value(rng, depth - 1) for _ in range(rng.randint(0, 4))}


def channels(rng: random.Random, most: int) -> list[str]:
    prefix = rng.choice(["", "private-", "presence-"])
    return [prefix + "".join(rng.choices(LETTERS, k=12)) for _ in range(rng.randint(1, most))]


def socket_id(rng: random.Random) -> str | None:
    return rng.choice([None, f"{rng.randint(0, 10**9)}.{rng.randint(0, 10**9)}"])


def as_fields(channels: list[str], name: str, data: Any, socket_id: str | None) -> dict[str, Any]:
    """One event of a batch, as both clients take it."""
    excluded = {"socket_id": socket_id} if socket_id else {}
    return {"channel": channels[0], "name": name, "data": data} | excluded


def difference(event: Event, channels: list[str], name: str, data: Any, socket_id: Any) -> Any:
    """What arrived, where it is not what was sent."""
    arrived = data if event.data == data else json.loads(event.data)
    pairs = zip(
        (list(event.channels), event.name, arrived, event.socket_id),
        (channels, name, data, socket_id),
        strict=True,
    )
    return [pair for pair in pairs if pair[0] != pair[1]]


# --- the tests ------------------------------------------------------------------------------------


def test_events_verify_and_arrive_as_they_were_meant(publisher, send, credentials):
    rng = random.Random(SEED)
    wrong = []
    for number in range(EVENTS):
        if number % 3:
            event = (channels(rng, 5), text(rng), value(rng), socket_id(rng))
            request = send(publisher.trigger, *event)
            found = difference(read_event_body(request.body), *event)
        else:
            batch = [
                (channels(rng, 1), text(rng), value(rng), socket_id(rng))
                for _ in range(number % MAX_BATCH_EVENTS + 1)
            ]
            request = send(publisher.trigger_batch, [as_fields(*event) for event in batch])
            arrived = read_batch_body(request.body)
            found = [
                one
                for event, sent in zip(arrived, batch, strict=True)
                for one in difference(event, *sent)
            ]
        if found or request.refusal(credentials):
            wrong.append((number, request.refusal(credentials), found))
    assert wrong == []


def test_prefixes_go_wrong_only_where_we_know_it(publisher, send, credentials, column):
    found = {}
    for prefix in PREFIXES:
        request = send(publisher.channels, prefix)
        if refusal := request.refusal(credentials):
            found[prefix] = f"refused: {refusal}"
        elif request.parameters != [("filter_by_prefix", prefix)]:
            found[prefix] = f"arrives as {request.parameters}"
    assert found == PREFIX_DEFECTS[column]


@pytest.mark.parametrize("column", ["npm-pusher"], indirect=True)
def test_parameter_names_go_wrong_only_where_we_know_it(publisher, send, credentials):
    found = {}
    for key in ("info", "Info", "x", "filter_by_prefix"):
        if refusal := send(publisher.get, "/channels", {key: "a"}).refusal(credentials):
            found[key] = f"refused: {refusal}"
    assert found == KEY_DEFECTS


@pytest.mark.parametrize("column", ["pusher"], indirect=True)
def test_the_catch_is_judged(publisher, send, credentials):
    """The tests above can fail: a request caught is refused after any change to it."""
    request = send(publisher.trigger, ["chat"], "message", {})
    method, path, params, body = request.arguments
    assert request.refusal(credentials) is None
    request.arguments = (method, path, params, body + b" ")
    assert request.refusal(credentials) == "body_md5"
    request.arguments = (method, path, [*params, ("x", "y")], body)
    assert request.refusal(credentials) == "auth_signature"
