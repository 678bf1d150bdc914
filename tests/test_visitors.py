"""Whose requests are answered: Host and Origin, first the rules, then over raw sockets."""

from __future__ import annotations

import json
import re
import socket

import httpx
import pytest

from pusherkit import PusherError
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.visitors import Visitors

OWN_NAMES = ["127.0.0.1", "127.0.0.1:8123", "localhost:8123", "LOCALHOST", "[::1]:8123"]
FOREIGN_NAMES = [
    "evil.example",
    "evil.example:8123",
    "127.0.0.1.evil.example",
    "localhost.evil.example:8123",
    "evil.example:127.0.0.1",
    "localhost:8123:1",
    "localhost@evil.example",
    "192.168.0.1",
    "0.0.0.0",
    "[::1",
    "",
]
OWN_PAGES = ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "HTTP://LOCALHOST"]
FOREIGN_PAGES = [
    "http://evil.example",
    "https://localhost.evil.example",
    "http://localhost@evil.example",
    "http://evil.example/localhost",
    "chrome-extension://localhost",
    "file://",
    "http://",
    "localhost:3000",
    "",
]


@pytest.mark.parametrize("host", [None, *OWN_NAMES])
def test_this_machines_names_are_answered(host):
    assert Visitors().objection(host, None) is None


@pytest.mark.parametrize("host", FOREIGN_NAMES)
def test_a_foreign_name_is_not(host):
    error, fix = Visitors().objection(host, None)
    assert repr(host) in error
    assert "http://127.0.0.1" in fix
    assert "--allow-host" in fix


@pytest.mark.parametrize("origin", OWN_PAGES)
def test_a_page_of_this_machine_may_come_in_whatever_its_port(origin):
    assert Visitors().objection("127.0.0.1:8123", origin) is None


@pytest.mark.parametrize("origin", FOREIGN_PAGES)
def test_a_foreign_page_may_not(origin):
    error, fix = Visitors().objection("127.0.0.1:8123", origin)
    assert repr(origin) in error
    assert "--allow-origin" in fix


def test_a_page_that_was_opened_as_a_file_is_told_how_to_be_served():
    _, fix = Visitors().objection("127.0.0.1:8123", "null")
    assert "python -m http.server" in fix


def test_a_sentence_holds_no_command_of_a_strangers():
    visitors = Visitors()
    for told in [
        visitors.objection("x; touch y", None),
        visitors.objection(None, "http://$(touch y)"),
    ]:
        assert "touch" in told[0]
        assert "touch" not in told[1]


def test_a_name_that_was_allowed_is_answered_and_so_are_pages_from_there():
    visitors = Visitors(hosts=["Hub.example"])
    assert visitors.objection("hub.example:443", "https://hub.example") is None
    assert visitors.objection("evil.hub.example", None)
    assert visitors.objection("127.0.0.1", "https://evil.hub.example")


def test_a_foreign_name_gets_told_which_ones_are_answered():
    hosts = ["wall.example", "10.0.0.7", "fd00::7", "a.example", "Wall.example", "b.example"]
    _, fix = Visitors(hosts=hosts).objection("evil.example", None)
    assert fix.startswith(
        "It answers to wall.example, 10.0.0.7, [fd00::7] and 2 more, and on its own machine to "
        "127.0.0.1 and localhost. If a proxy"
    )
    assert Visitors(hosts=hosts).objection("[fd00::7]:8090", None) is None
    assert " more" not in Visitors(hosts=["a", "b", "c"]).objection("evil.example", None)[1]


def test_an_origin_that_was_allowed_is_that_one_alone():
    visitors = Visitors(origins=["http://my-app.test:3000/"])
    assert visitors.objection("localhost", "http://my-app.test:3000") is None
    assert visitors.objection("localhost", "http://my-app.test:3001")
    assert visitors.objection("my-app.test:3000", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": ["http://hub.example"]},
        {"hosts": ["hub.example:8123"]},
        {"hosts": ["*"]},
        {"hosts": [""]},
        {"origins": ["my-app.test"]},
        {"origins": ["http://my-app.test/page"]},
        {"origins": ["null"]},
        {"origins": ["*"]},
    ],
    ids=str,
)
def test_what_is_no_name_and_no_origin_is_told_when_it_is_given(wrong):
    with pytest.raises(PusherError, match=r"^allow-(host|origin): expected .+, such as "):
        Visitors(**wrong)


def test_a_long_name_is_looked_at_once():
    assert Visitors().objection("a." * 30_000, "http://" + "a." * 30_000)


# --- over sockets -------------------------------------------------------------------------------

ROUTES = {
    "the API": "POST /apps/6855671/events",
    "nothing": "GET /nowhere",
    "the page": "GET /",
    "the feed": "GET /live",
    "a subscription": "GET /app/practice-key?protocol=7",
}
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


def answer(server: SandboxServer, line: str, *headers: str, version: str = "1.1") -> str:
    """The answer to a request, its body included."""
    upgrade = UPGRADE if line.startswith(("GET /app/", "GET /live")) else ""
    head = "".join(f"{header}\r\n" for header in headers)
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), timeout=5) as raw:
        raw.sendall(f"{line} HTTP/{version}\r\n{head}{upgrade}\r\n".encode())
        stream = raw.makefile("rb")
        said = b"".join(iter(stream.readline, b"\r\n")).decode()
        length = re.search(r"Content-Length: (\d+)", said)
        return f"{said}\r\n{stream.read(int(length[1])).decode()}" if length else said


@pytest.mark.parametrize("line", ROUTES.values(), ids=ROUTES)
def test_no_route_answers_under_a_foreign_name(server, line):
    # Such a page is of the same origin, so that Origin does not give it away.
    received = answer(server, line, "Host: evil.example", "Origin: http://evil.example")
    assert received.startswith("HTTP/1.1 403 ")
    told = json.loads(received.partition("\r\n\r\n")[2])
    assert "evil.example" in told["error"]
    assert "--allow-host evil.example" in told["fix"]
    assert [entry.reply.status for entry in server.log] == [403]


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
@pytest.mark.parametrize("line", ROUTES.values(), ids=ROUTES)
def test_no_route_answers_a_foreign_page(server, line, origin):
    received = answer(server, line, "Host: 127.0.0.1", f"Origin: {origin}")
    assert received.startswith("HTTP/1.1 403 ")
    assert server.sandbox.channels.connections == 0
    assert [entry.reply.status for entry in server.log] == [403]


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1:5173"])
def test_a_page_of_this_machine_may_subscribe_and_publish(server, origin):
    page = ("Host: localhost:8123", f"Origin: {origin}")
    assert answer(server, ROUTES["a subscription"], *page).startswith("HTTP/1.1 101 ")
    assert answer(server, ROUTES["the API"], *page).startswith("HTTP/1.1 401 ")  # unsigned


def test_the_feed_is_for_the_live_page_alone(server):
    host = "Host: localhost:8123"
    assert " 403 " in answer(server, ROUTES["the feed"], host, "Origin: http://localhost:3000")
    assert " 101 " in answer(server, ROUTES["the feed"], host, "Origin: http://localhost:8123")


def test_what_speaks_http_1_0_needs_no_host(server):
    assert " 404 " in answer(server, ROUTES["nothing"], version="1.0")


def test_what_was_allowed_is_let_in_everywhere():
    with SandboxServer(allow_hosts=["hub.example"], allow_origins=["http://my-app.test"]) as server:
        for line in ROUTES.values():
            headers = ("Host: hub.example", "Origin: https://hub.example")
            assert " 403 " not in answer(server, line, *headers).split("\r\n")[0]
            headers = ("Host: localhost", "Origin: http://my-app.test")
            assert " 403 " not in answer(server, line, *headers).split("\r\n")[0]


def test_a_secret_in_a_header_is_not_repeated(server):
    received = answer(server, ROUTES["nothing"], "Host: practice-secret", "Origin: practice-secret")
    assert "practice-secret" not in received
    assert "practice-secret" not in server.log[-1].reply.note
