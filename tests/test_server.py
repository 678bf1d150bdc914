"""The practice server over real sockets. What it says is tested in test_sandbox.py."""

from __future__ import annotations

import base64
import gc
import json
import os
import queue
import socket
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import BinaryIO

import httpx
import pytest
import websockets.exceptions
import websockets.sync.client

from pusherkit import Client, PusherAuth, PusherError, RateLimited
from pusherkit.sandbox import SandboxServer
from pusherkit.sandbox.sockets import BoundedWebSocket
from pusherkit.subscriber import Subscriber

HOST = "127.0.0.1"
EVENT = b'{"name":"n","channel":"chat","data":"d"}'


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One for all tests: a new one takes longer than a test."""
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_unseen(caplog) -> Iterator[None]:
    """Tornado logs what a handler raises, and goes on; a test shall not."""
    yield
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [str(record.exc_info or record.msg) for record in records] == []


def port_of(server: SandboxServer) -> int:
    return httpx.URL(server.url).port


def threads(port: int) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == f"pusherkit-sandbox-{port}"]


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


# --- start and stop -----------------------------------------------------------------------------


def test_it_starts_within_50_ms():
    def seconds() -> float:
        begin = time.perf_counter()
        with SandboxServer():
            return time.perf_counter() - begin

    assert min(seconds() for _ in range(5)) < 0.050


def test_start_takes_a_port_and_stop_gives_it_back(http):
    server = SandboxServer()
    assert not server.running
    assert server.start() is server
    port = port_of(server)
    assert server.running
    assert len(threads(port)) == 1
    assert http.get(f"{server.url}/nowhere").status_code == 404
    server.stop()
    assert not server.running
    assert threads(port) == []
    assert is_free(port)
    server.stop()  # twice does no harm


def test_it_starts_again_after_a_stop_with_its_log(http):
    server = SandboxServer()
    for expected in (1, 2):
        with server:
            assert http.get(f"{server.url}/nowhere").status_code == 404
            assert len(server.log) == expected
    server.clear()
    assert server.log == ()


def test_two_starts_are_one(server):
    port = port_of(server)
    assert server.start() is server
    assert port_of(server) == port
    assert len(threads(port)) == 1


def test_stopping_what_never_started_does_no_harm():
    SandboxServer().stop()


def test_a_chosen_port_is_taken_and_taken_again(http):
    with SandboxServer() as first:
        port = port_of(first)
    chosen = SandboxServer(port=port)
    for _ in range(2):
        with chosen:
            assert chosen.url == f"http://{HOST}:{port}"
            assert chosen.ws_url == f"ws://{HOST}:{port}/app/practice-key?protocol=7"
            assert http.get(f"{chosen.url}/nowhere").status_code == 404


def refusal_to_start(port: int) -> str:
    """The message of a start that must fail and leave nothing open."""
    gc.collect()  # what earlier tests left is not counted here
    with warnings.catch_warnings(record=True) as leaks:
        warnings.simplefilter("always")
        with pytest.raises(PusherError) as caught:
            SandboxServer(port=port).start()
        message = str(caught.value)
        del caught
        gc.collect()
    assert [str(leak.message) for leak in leaks] == []
    return message


def test_a_port_in_use_is_told_and_leaves_nothing_behind(server):
    port = port_of(server)
    message = refusal_to_start(port)
    assert f"Port {port} on {HOST} cannot be used" in message
    assert "Choose another, or 0" in message
    assert len(threads(port)) == 1


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_number_that_is_no_port_is_told(port):
    assert refusal_to_start(port) == f"port: expected 0 to 65535, got {port}."


def test_an_unreferenced_server_vanishes(eventually):
    server = SandboxServer().start()
    port = port_of(server)
    assert threads(port)
    del server
    gc.collect()
    eventually(lambda: not threads(port))
    assert is_free(port)


def test_a_server_whose_last_reference_goes_on_its_own_thread_vanishes(http, eventually):
    held: list[SandboxServer] = []
    held.append(SandboxServer(watch=lambda exchange: held.clear()).start())
    port, url = port_of(held[0]), held[0].url
    assert http.get(f"{url}/nowhere").status_code == 404
    eventually(lambda: not threads(port))
    assert is_free(port)


def test_running_a_cell_again_leaves_one_server(eventually):
    ports = []
    for _ in range(3):
        server = SandboxServer().start()
        ports.append(port_of(server))
    gc.collect()
    eventually(lambda: not threads(ports[0]) and not threads(ports[1]))
    assert threads(ports[2])
    server.stop()


def test_the_repr_is_the_same_on_every_run():
    server = SandboxServer()
    assert repr(server) == "<SandboxServer app 6855671, down>"
    with server:
        assert repr(server) == "<SandboxServer app 6855671, up>"


def test_only_this_machine_can_reach_it(server):
    port = port_of(server)
    socket.create_connection((HOST, port), timeout=5).close()
    # On Linux, all of 127.0.0.0/8 is this machine: a server on 0.0.0.0 would answer here.
    for elsewhere in ("127.0.0.2", "::1"):
        with pytest.raises(OSError, match=r".+"):
            socket.create_connection((elsewhere, port), timeout=1)


# --- HTTP ---------------------------------------------------------------------------------------


def test_a_client_publishes_and_the_log_tells(server):
    with Client(server.credentials) as client:
        assert client.trigger("chat", "n", "d") == {}
        assert client.channels(prefix="é, +&%/=") == {"channels": {}}  # awkward on the wire
    assert [(e.method, e.path, e.reply.status) for e in server.log] == [
        ("POST", "/apps/6855671/events", 200),
        ("GET", "/apps/6855671/channels", 200),
    ]


def test_the_server_goes_by_its_clock_and_its_rate(clock):
    with (
        SandboxServer(clock=clock, rate=1) as server,
        Client(server.credentials, clock=clock) as client,
    ):
        client.channels()
        with pytest.raises(RateLimited) as caught:
            client.channels()
        assert caught.value.retry_after == 1
        clock.now += 1
        assert client.channels() == {"channels": {}}


def test_a_watcher_sees_each_exchange(http):
    seen = queue.SimpleQueue()
    with SandboxServer(watch=seen.put) as server:
        for path in ("/one", "/two"):
            http.get(server.url + path)
            assert seen.get(timeout=5).path == path
    assert seen.empty()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",  # what curl -d says, whatever the body is
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json; charset=latin-1",
        "nonsense",
        "",
    ],
)
@pytest.mark.parametrize("body", [EVENT, b"a=1&b=%ff"], ids=["event", "form"])
def test_the_body_reaches_the_judge_whatever_its_type(server, http, content_type, body):
    url, auth = f"{server.url}/apps/6855671/events", PusherAuth(server.credentials)
    reply = http.post(url, content=body, headers={"Content-Type": content_type}, auth=auth)
    if body is EVENT:
        assert (reply.status_code, reply.text) == (200, "{}")
    else:
        # It passed the signature, body_md5 and all; only then was it found to be no JSON.
        assert reply.status_code == 400
        assert reply.json()["rule"] == "body"


def test_an_answer_is_json_and_says_so(server, http):
    reply = http.get(f"{server.url}/nowhere")
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert "server" not in reply.headers
    assert "error" in reply.json()


def test_ten_megabytes_get_a_sentence(server, http):
    reply = http.post(f"{server.url}/apps/6855671/events", content=b"x" * 10_000_000)
    assert reply.status_code == 413
    assert "10,000,000 bytes" in reply.json()["error"]
    assert http.get(f"{server.url}/nowhere").status_code == 404  # and the server lives


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("BREW", "/apps/6855671/events", 405),
        ("TRACE", "/", 405),
        ("PUT", "/apps/6855671/events", 405),
        ("OPTIONS", "/apps/6855671/events", 405),
        ("POST", "/app/practice-key", 405),
        ("GET", "/app/practice-key", 400),  # no WebSocket
    ],
)
def test_a_method_out_of_place_is_answered_in_json(server, http, method, path, status):
    reply = http.request(method, server.url + path)
    assert reply.status_code == status
    assert reply.headers["content-type"].lower().startswith("application/json")
    assert reply.json()["error"]


def test_405_names_the_right_method(server, http):
    assert http.get(f"{server.url}/apps/6855671/events").headers["allow"] == "POST"


def test_bytes_beyond_ascii_in_the_request_line_reach_the_judge(server):
    with socket.create_connection((HOST, port_of(server)), timeout=5) as raw:
        raw.sendall("GET /é HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert server.log[-1].path == "/é"


# --- WebSocket ----------------------------------------------------------------------------------


def connect(server: SandboxServer, url: str = "") -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(url or server.ws_url, proxy=None)


def test_a_websocket_is_greeted(server):
    with connect(server, server.ws_url + "&client=js&version=8.0") as socket_:
        assert json.loads(socket_.recv(timeout=5))["event"] == "pusher:connection_established"


def test_a_page_of_another_origin_may_subscribe(server):
    with websockets.sync.client.connect(
        server.ws_url, proxy=None, origin="http://localhost:5173"
    ) as socket_:
        assert json.loads(socket_.recv(timeout=5))["event"] == "pusher:connection_established"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("wrong?protocol=7", 4001),
        ("é" * 100 + "?protocol=7", 4001),  # the reason of a close frame is short
        ("practice-key?protocol=3", 4007),
        ("practice-key", 4008),
    ],
    ids=str,
)
def test_who_cannot_come_in_is_told_and_closed(server, path, code):
    with connect(server, f"{server.url.replace('http', 'ws')}/app/{path}") as socket_:
        answer = json.loads(socket_.recv(timeout=5))
        assert (answer["event"], answer["data"]["code"]) == ("pusher:error", code)
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            socket_.recv(timeout=5)
    assert caught.value.rcvd.code == code
    assert answer["data"]["message"].startswith(caught.value.rcvd.reason)
    assert server.sandbox.channels.connections == 0


def test_frames_that_are_no_text_or_no_json_do_no_harm(server):
    with connect(server) as socket_:
        socket_.recv(timeout=5)
        for nonsense in (b"\xff\xfe", "{", b'{"event":"pusher:ping"}'):
            socket_.send(nonsense)
        answers = [json.loads(socket_.recv(timeout=5))["event"] for _ in range(3)]
    assert answers == ["pusher:error", "pusher:error", "pusher:pong"]


def test_leaving_ends_the_subscription(server, eventually):
    with Subscriber(server.credentials, "chat"):
        assert server.sandbox.channels.occupied() == ["chat"]
    eventually(lambda: server.sandbox.channels.connections == 0)
    assert server.sandbox.channels.occupied() == []


def test_stop_closes_every_websocket_and_says_why():
    with SandboxServer() as server, connect(server) as first, connect(server) as second:
        for socket_ in (first, second):
            socket_.recv(timeout=5)
        server.stop()
        for socket_ in (first, second):
            with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
                socket_.recv(timeout=5)
            assert caught.value.rcvd.code == 1001
    assert server.sandbox.channels.connections == 0


def test_stop_does_not_wait_for_a_subscriber_that_says_nothing(server):
    with stalled_subscriber(server, "chat"):
        begin = time.perf_counter()
        server.stop()
        assert time.perf_counter() - begin < 2


def test_stop_closes_the_socket_of_who_does_not_say_goodbye(server):
    with stalled_subscriber(server, "chat") as raw:
        server.stop()
        said = b""
        while chunk := raw.recv(4096):  # the end, and no error or timeout
            said += chunk
        assert said.endswith(b"\x03\xe9The practice server stopped")  # 1001


def test_nothing_is_kept_of_subscribers_that_left(server, eventually):
    for _ in range(3):
        with connect(server) as socket_:
            socket_.recv(timeout=5)

    def kept() -> int:
        gc.collect()
        return sum(type(thing).__name__ == "_Subscription" for thing in gc.get_objects())

    eventually(lambda: kept() == 0)


def test_who_is_silent_is_hung_up_on(clock, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.server.TICK_SECONDS", 0.001)
    with SandboxServer(clock=clock) as server, connect(server) as socket_:
        socket_.recv(timeout=5)
        clock.now += 120
        assert json.loads(socket_.recv(timeout=5)) == {"event": "pusher:ping", "data": "{}"}
        clock.now += 30
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            socket_.recv(timeout=5)
    assert caught.value.rcvd.code == 4201
    assert server.sandbox.channels.connections == 0


def stalled_subscriber(server: SandboxServer, channel: str) -> socket.socket:
    """A WebSocket that subscribes, and reads no further than the answer to its upgrade."""
    raw = socket.socket()
    raw.settimeout(10)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((HOST, port_of(server)))
    lines = (
        f"GET /app/{server.credentials.key}?protocol=7 HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    )
    raw.sendall("\r\n".join((*lines, "", "")).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    assert b" 101 " in head
    frame = json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}}).encode()
    mask = bytes(4)  # a client must mask; with zeros the text stays as it is
    raw.sendall(bytes([0x81, 0x80 | len(frame)]) + mask + frame)
    return raw


CLOSE = 0x8  # the opcode of a goodbye


def frames(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The opcode and payload of each frame that a server sends, up to its goodbye."""
    while head := stream.read(2):
        length = head[1]
        if length == 126:
            (length,) = struct.unpack("!H", stream.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", stream.read(8))
        opcode = head[0] & 0x0F
        yield opcode, stream.read(length)
        if opcode == CLOSE:
            return


def test_a_stalled_subscriber_is_closed_and_the_others_do_not_notice(server, eventually):
    count, data = 200, "x" * 100_000  # 20 MB, far more than the server and the system hold
    channels = server.sandbox.channels
    with (
        Subscriber(server.credentials, "chat") as other,
        stalled_subscriber(server, "chat") as stalled,
        Client(server.credentials) as client,
    ):
        eventually(lambda: channels.subscription_count("chat") == 2)
        sent = 0
        while channels.subscription_count("chat") == 2:
            assert sent < count, "it was never hung up on"
            client.trigger("chat", str(sent), data)
            sent += 1
        assert [other.receive().event for _ in range(sent)] == [str(n) for n in range(sent)]
        with stalled.makefile("rb") as stream:
            *texts, (opcode, payload) = frames(stream)
        assert opcode == CLOSE
        assert int.from_bytes(payload[:2]) == 4100
        _greeting, _subscribed, *events = texts
        assert 0 < len(events) < sent  # what was held for it was bounded
        stalled.close()
        eventually(lambda: channels.connections == 1)
        client.trigger("chat", "after", "")
        assert other.receive().event == "after"
    gc.collect()  # a task that failed is logged when it goes, if nobody has looked


@pytest.mark.parametrize(("is_closing", "sent"), [(False, [b"\x81\x05Hello"]), (True, [])])
def test_nothing_is_sent_to_a_peer_that_is_going(is_closing, sent):
    """The frame is the example of RFC 6455, section 5.7."""
    done, written = Future(), []
    done.set_result(None)
    peer = BoundedWebSocket.__new__(BoundedWebSocket)  # there is no request behind it
    peer.begin(set())
    peer.ws_connection = SimpleNamespace(
        is_closing=lambda: is_closing,
        stream=SimpleNamespace(write=lambda frame: written.append(frame) or done),
    )
    peer.send("Hello")
    peer.ws_connection = None  # gone
    peer.send("Hello")
    assert written == sent
