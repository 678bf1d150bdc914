"""The practice server over real sockets. What it says is tested in test_sandbox.py."""

from __future__ import annotations

import asyncio
import base64
import errno
import gc
import io
import json
import logging
import math
import os
import queue
import re
import select
import socket
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, BinaryIO, Self

import httpx
import pytest
import tornado.web
import websockets.sync.client
from tornado.iostream import StreamClosedError
from websockets.exceptions import ConnectionClosed

from pusherkit import APIError, AsyncClient, Client, Diagnosis, PusherAuth, PusherError, RateLimited
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Entry, Reply, Sandbox, SandboxServer
from pusherkit.sandbox.api import MAX_BODY_BYTES, Explanation, Unauthorized
from pusherkit.sandbox.entrance import Entrance
from pusherkit.sandbox.explainer import MAX_WAITING, MAX_WAITING_SUBSCRIPTIONS, Explainer
from pusherkit.sandbox.handler import Shell
from pusherkit.sandbox.server import _Subscription
from pusherkit.sandbox.sockets import FRAME_BYTES, MAX_UNSENT_BYTES, BoundedWebSocket
from pusherkit.sandbox.visitors import Visitors
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
    caplog.set_level(logging.WARNING)  # below it there's what took long; a busy machine may say so
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

    # Once is enough: other processes may take the rest.
    assert any(seconds() < 0.050 for _ in range(20))


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


async def test_on_a_running_loop_it_has_no_thread_and_ends_with_the_block() -> None:
    class Mine(tornado.web.RequestHandler):
        def get(self) -> None:
            self.finish("mine")

    server, before = SandboxServer(), set(threading.enumerate())
    async with (
        server.serving([("/mine", Mine)]),
        AsyncClient(server.credentials) as client,
    ):
        assert set(threading.enumerate()) <= before
        assert await client.trigger("orders", "status", "ready") == {}
        assert (await client.http.get("/mine")).text == "mine"
        with pytest.raises(PusherError, match="cannot be used"):
            SandboxServer(port=int(server.url.rpartition(":")[2])).start()
        port = int(server.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass  # it's free again


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


def refusal_to_start(port: int, **options: Any) -> str:
    """The message of a start that must fail and leave nothing open."""
    gc.collect()  # what earlier tests left is not counted here
    with warnings.catch_warnings(record=True) as leaks:
        warnings.simplefilter("always")
        with pytest.raises(PusherError) as caught:
            SandboxServer(port=port, **options).start()
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


@pytest.mark.parametrize(
    ("host", "said"),
    [
        # TEST-NET-1, which is no machine's (RFC 5737); nothing is sent there.
        ("192.0.2.1", "host: 192.0.2.1 isn't an address of this machine."),
        ("1:2:3", "host: can't find an address for 1:2:3."),
        ("a" * 70, f"host: can't find an address for {'a' * 70}."),
    ],
)
def test_a_host_that_is_not_this_machines_gets_a_sentence(host, said):
    message = refusal_to_start(0, host=host)
    own = "Expected one of this machine's, 0.0.0.0 for all of them, or 127.0.0.1 for itself alone."
    assert message == f"{said} {own}"


@pytest.mark.parametrize("host", ["", "http://127.0.0.1", "127.0.0.1:8123", "a b", "\0", "x" * 300])
def test_what_cannot_be_a_host_is_refused_at_once(host):
    with pytest.raises(PusherError, match=r"^host: expected a name alone, such as hub\.example"):
        SandboxServer(host=host)


@pytest.mark.parametrize(
    ("host", "reached_as"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.0.2.1", "192.0.2.1"),
        ("Localhost", "localhost"),
    ],
)
def test_a_server_may_listen_elsewhere(http, monkeypatch, host, reached_as):
    bound, really = [], socket.create_server

    def create_server(address: tuple[str, int], **options: Any) -> socket.socket:
        bound.append((address[0], options["family"], options["dualstack_ipv6"]))
        return really((HOST, address[1]))  # a test shall not be reached from outside

    monkeypatch.setattr(socket, "create_server", create_server)
    with SandboxServer(host=host) as server:
        port = port_of(server)
        assert server.url == f"http://{reached_as}:{port}"
        assert server.ws_url.startswith(f"ws://{reached_as}:{port}/app/")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        address = host.replace("Localhost", HOST)
        assert bound == [(address, family, host == "::" and socket.has_dualstack_ipv6())]
        here = f"http://{HOST}:{port}/apps/6855671/channels"
        # Its own name is known, and one that stands for all is nobody's.
        for name, status in [(reached_as, 401), (f"{reached_as}:{port}", 401), ("0.0.0.0", 403)]:
            assert http.get(here, headers={"Host": name}).status_code == status
        told = http.get(here, headers={"Host": "other.example"}).json()
        assert "other.example" in told["fix"]


def test_pages_can_be_left_out(http):
    with SandboxServer(pages=False) as server:
        for method, path in [("GET", "/"), ("GET", "/live"), ("POST", "/doctor"), ("GET", "/x")]:
            answer = http.request(method, f"{server.url}{path}")
            assert answer.status_code == 404
            assert answer.json()["error"] == f"No such path: {path!r}."
        socket_url = f"{server.url.replace('http', 'ws')}/live?protocol=7"
        with websockets.sync.client.connect(socket_url, proxy=None) as feed:
            with pytest.raises(ConnectionClosed) as caught:
                feed.recv(timeout=5)
            assert caught.value.rcvd.code == 4005
        with Subscriber(server.credentials, "chat") as subscriber, Client(server.credentials) as c:
            c.trigger("chat", "n", "d")
            assert subscriber.receive(timeout=5).data == "d"


def test_each_learner_has_a_key_and_an_own_call_reaches_the_trainer(http, eventually):
    ada = replace(PRACTICE_CREDENTIALS, key="ada", secret="lovelace-1815-engine")
    told = queue.SimpleQueue[tuple[str, bytes]]()

    def call(key: str, body: bytes, now: float) -> Reply:
        told.put((key, body))
        return Reply(status=200, body=b'{"title":"Monday"}')

    with SandboxServer(find_key={"ada": ada}.get, calls={"class": call}) as server:
        ada = replace(ada, base_url=server.url)
        url = f"{server.url}/apps/6855671/class"
        assert http.post(url, json={}, auth=PusherAuth(ada)).json() == {"title": "Monday"}
        assert told.get(timeout=5) == ("ada", b"{}")
        with Subscriber(server.credentials, "private-chat") as own, Client(ada) as client:
            client.trigger("private-chat", "n", "d")
            assert own.receive(timeout=5).data == "d"
        impostor = replace(server.credentials, key="ada")
        with pytest.raises(PusherError, match="Invalid signature"):
            Subscriber(impostor, "private-chat")
        told_off = http.get(url, headers={"Host": ada.secret}, auth=PusherAuth(ada))
        assert (told_off.status_code, ada.secret in told_off.text) == (403, False)
        assert [entry.key for entry in server.log] == ["ada", "ada"]
        assert ada.secret not in repr(server.log)
        eventually(lambda: [entry.key for entry in server.refused_subscriptions] == ["ada"])


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


# --- refusals -----------------------------------------------------------------------------------


class Doctor:
    """Stands in for the search for a mistake: it goes on until it is released, or told to end."""

    def __init__(self, server: SandboxServer) -> None:
        self.began, self.released = threading.Semaphore(0), threading.Event()
        server.sandbox.explain = self

    def __call__(self, refused: Unauthorized, go_on: Callable[[], bool]) -> Explanation:
        self.began.release()
        while not self.released.is_set():
            if not go_on():
                return Explanation(unfinished="It was told to end.")
        return Explanation()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()


def refusing(server: SandboxServer) -> socket.socket:
    """Send a request that will be refused; the answer is not read."""
    raw = socket.create_connection((HOST, port_of(server)), timeout=10)
    raw.sendall(b"POST /apps/6855671/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return raw


def answer(raw: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the next answer."""
    stream = raw.makefile("rb")
    head = b"".join(iter(stream.readline, b"\r\n")).decode()
    length = int(re.search(r"Content-Length: (\d+)", head)[1])
    return int(head.split()[1]), json.loads(stream.read(length))


def test_others_are_answered_while_a_refusal_is_explained(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 1e6)
    with Doctor(server) as doctor, refusing(server) as refused:
        assert doctor.began.acquire(timeout=10)
        with Client(server.credentials) as client, connect(server) as subscriber:
            assert client.trigger("chat", "meanwhile", "") == {}
            assert json.loads(subscriber.recv(timeout=5))["event"].startswith("pusher:connection")
        doctor.released.set()
        status, told = answer(refused)
    assert (status, told["diagnosis"], told["diagnosis_complete"]) == (401, [], True)
    assert [entry.reply.status for entry in server.log] == [200, 401]


def test_a_search_ends_in_time_and_the_answer_says_so(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 0.0)
    wrong = replace(server.credentials, secret="practice-key")
    with Client(wrong) as client, pytest.raises(APIError, match="401"):
        client.trigger("chat", "n", "d")
    told = json.loads(server.log[-1].reply.body)
    assert (told["diagnosis"], told["diagnosis_complete"]) == ([], False)
    assert "stopped early" in told["diagnosis_note"]
    assert told["diagnosis_note"] in server.log[-1].reply.note


def test_where_too_many_wait_for_the_doctor_one_is_answered_without(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 1e6)
    with Doctor(server) as doctor, ExitStack() as stack:
        waiting = [stack.enter_context(refusing(server)) for _ in range(MAX_WAITING + 1)]
        ((at_once,), *_) = select.select(waiting, [], [], 10)  # whichever came last
        status, told = answer(at_once)
        assert (status, told["diagnosis_complete"]) == (401, False)
        assert "other refused requests" in told["diagnosis_note"]
        waiting.remove(at_once)
        doctor.released.set()
        assert all(answer(raw)[1]["diagnosis_complete"] for raw in waiting)


def test_a_search_ends_when_nobody_waits_for_it(server, eventually, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 1e6)
    with Doctor(server) as doctor:
        for number in range(1, 101):  # some come with their end in the same read, some before it
            refusing(server).close()
            assert doctor.began.acquire(timeout=10)
            eventually(lambda number=number: len(server.log) == number)  # and wasn't released
        with refusing(server):
            assert doctor.began.acquire(timeout=10)


def explainers() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "pusherkit-explainer"}


def test_a_server_that_is_stopped_while_it_explains_ends_the_search(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 1e6)
    monkeypatch.setattr("pusherkit.sandbox.explainer.STOP_SECONDS", 10.0)
    of_other_servers = explainers()
    with Doctor(server) as doctor, refusing(server), refusing(server):
        assert doctor.began.acquire(timeout=10)
        server.stop()
        assert is_free(port_of(server))
        assert explainers() <= of_other_servers


def test_a_search_that_fails_is_logged_and_the_request_answered(server, caplog):
    def broken(refused: Unauthorized, go_on: Callable[[], bool]) -> Explanation:
        raise RecursionError

    server.sandbox.explain = broken
    for _ in range(2):  # and the next one as well
        with refusing(server) as raw:
            status, told = answer(raw)
        assert (status, told["diagnosis_complete"]) == (401, False)
    assert [record.exc_info[0] for record in caplog.records] == [RecursionError] * 2
    caplog.clear()


SUBSCRIBE = '{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"practice-key:0"}}'


def test_a_refused_subscription_is_explained_beside_the_loop(server, eventually):
    with connect(server) as socket_:
        socket_.recv(timeout=5)
        socket_.send(SUBSCRIBE)
        assert json.loads(socket_.recv(timeout=5))["data"]["code"] is None
        eventually(lambda: server.refused_subscriptions)
    (entry,) = server.refused_subscriptions
    assert "expected 64 lower-case hex digits" in entry.note


def test_refused_subscriptions_take_no_more_than_their_part_of_the_doctors_time(
    server, eventually, monkeypatch
):
    monkeypatch.setattr("pusherkit.sandbox.explainer.SEARCH_SECONDS", 1e6)
    with Doctor(server) as doctor, connect(server) as socket_:
        server.sandbox.explain_subscription = lambda refused, go_on: (
            doctor(refused, go_on) and Diagnosis(valid=False)
        )
        for _ in range(MAX_WAITING_SUBSCRIPTIONS + 1):
            socket_.send(SUBSCRIBE)
        eventually(lambda: server.refused_subscriptions)
        assert "other refused subscriptions" in server.refused_subscriptions[0].note
        with refusing(server) as raw:  # there is room for a request
            doctor.released.set()
            assert answer(raw)[1]["diagnosis_complete"]
        eventually(lambda: len(server.refused_subscriptions) == MAX_WAITING_SUBSCRIPTIONS + 1)


def test_a_search_that_fails_is_said_in_the_log_of_subscriptions(server, eventually, caplog):
    def broken(refused: object, go_on: Callable[[], bool]) -> Diagnosis:
        raise RecursionError

    server.sandbox.explain_subscription = broken
    with connect(server) as socket_:
        socket_.send(SUBSCRIBE)
        eventually(lambda: server.refused_subscriptions)
    assert "a fault of this server's" in server.refused_subscriptions[0].note
    caplog.clear()


# --- limits -------------------------------------------------------------------------------------

PUBLISH = b"POST /apps/6855671/events HTTP/1.1\r\nHost: localhost\r\n"


def opened(server: SandboxServer, data: bytes) -> socket.socket:
    """A connection that has sent this."""
    raw = socket.create_connection((HOST, port_of(server)), timeout=10)
    raw.sendall(data)
    return raw


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 10**9, 10**18 - 1])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_will_be_too_large_is_refused_before_it_arrives(server, size, expect):
    with opened(server, PUBLISH + expect + b"Content-Length: %d\r\n\r\n" % size) as raw:
        status, told = answer(raw)
    assert status == 413
    assert f"{size:,} bytes" in told["error"]
    assert [entry.reply.status for entry in server.log] == [413]


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(server):
    chunk = b"x" * 100_000
    with opened(server, PUBLISH + b"Transfer-Encoding: chunked\r\n\r\n") as raw:
        for _ in range(MAX_BODY_BYTES // len(chunk) + 1):
            raw.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        status, told = answer(raw)  # though the end of the body has not come
        assert status == 413
        raw.sendall(b"0\r\n\r\n" + b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(raw)[0] == 404  # what was left of it was dropped
    assert "the limit" in told["error"]


def test_a_body_without_end_is_cut_off(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.handler.MAX_DROPPED_BYTES", 10_000_000)
    endless = b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000) * 1_000
    with (
        opened(server, PUBLISH + b"Transfer-Encoding: chunked\r\n\r\n") as raw,
        pytest.raises(ConnectionError),
    ):
        raw.sendall(endless)


def test_unfinished_bodies_are_bounded_all_together_and_let_go(monkeypatch, eventually):
    monkeypatch.setattr("pusherkit.sandbox.handler.MAX_HELD_BYTES", 100_000)
    shells = []
    monkeypatch.setattr(
        "pusherkit.sandbox.server.Shell", lambda **given: shells.append(Shell(**given)) or shells[0]
    )
    half = PUBLISH + b"Content-Length: 80000\r\n\r\n" + b"x" * 60_000
    with SandboxServer() as server:
        for _ in range(2):
            with opened(server, half) as first:
                eventually(lambda: shells[0].held_bytes == 60_000)
                with opened(server, half) as second:
                    status, told = answer(second)
                    assert (status, "unfinished requests" in told["error"]) == (503, True)
                assert shells[0].held_bytes == 60_000
                first.sendall(b"x" * 20_000)
                assert answer(first)[0] == 401
            eventually(lambda: shells[0].held_bytes == 0)
        with opened(server, half):  # which is not finished
            eventually(lambda: shells[0].held_bytes == 60_000)
        eventually(lambda: shells[0].held_bytes == 0)


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HT", PUBLISH + b"X: ", PUBLISH + b"Content-Length: 9\r\n\r\n{", b"GET / " * 9],
)
def test_a_request_that_does_not_come_to_its_end_is_hung_up_on(monkeypatch, begun):
    for name in ("HEAD_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(f"pusherkit.sandbox.server.{name}", 0.05)
    with SandboxServer() as server, opened(server, begun) as raw, suppress(ConnectionResetError):
        assert raw.recv(1) == b""  # or a reset, where the server was quicker than what was sent


def test_a_long_head_is_hung_up_on(server):
    with opened(server, PUBLISH + b"X: " + b"x" * 100_000) as raw, suppress(ConnectionResetError):
        assert raw.recv(1) == b""


def test_a_body_where_none_belongs_is_not_kept(server):
    with opened(
        server, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"
    ) as raw:
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


def test_hundreds_of_half_sent_heads_do_not_hold_others_up(server, http):
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(opened(server, PUBLISH))
        assert http.get(f"{server.url}/nowhere").status_code == 404  # or a timeout, after 5 s


# --- when something fails -----------------------------------------------------------------------


def test_a_watcher_that_raises_is_logged_once_and_no_request_hears_of_it(http, caplog):
    def broken(entry: Entry) -> None:
        raise ZeroDivisionError

    seen = []
    with SandboxServer(watch=broken) as server, Client(server.credentials) as client:
        server.sandbox.watchers.append(seen.append)
        for _ in range(2):
            assert client.trigger("chat", "n", "d") == {}
    assert len(seen) == 4
    (record,) = caplog.records
    assert record.exc_info[0] is ZeroDivisionError
    caplog.clear()


def test_a_watcher_that_raises_does_not_reach_a_websocket(caplog):
    def broken(entry: Entry) -> None:
        raise ZeroDivisionError

    with (
        SandboxServer(watch=broken) as server,
        Subscriber(server.credentials, "private-chat") as one,
        Subscriber(server.credentials, "private-chat") as other,
    ):
        for number in range(2):
            one.trigger("private-chat", f"client-{number}", "")
            assert other.receive().event == f"client-{number}"
    assert len(caplog.records) == 1
    caplog.clear()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, None, "noon"])
def test_a_clock_that_tells_no_time_is_told_at_the_start(wrong):
    with pytest.raises(PusherError, match=r"^clock: expected Unix seconds, got "):
        SandboxServer(clock=lambda: wrong).start()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, None])
def test_a_clock_that_fails_later_stays_at_the_last_time(clock, wrong, caplog):
    with SandboxServer(clock=clock) as server, Client(server.credentials, clock=clock) as client:
        client.channels()
        signed_at, clock.now = clock.now, wrong
        for _ in range(2):
            with Client(server.credentials, clock=lambda: signed_at) as other:
                assert other.channels() == {"channels": {}}
    assert {entry.time for entry in server.log} == {signed_at}
    (record,) = caplog.records
    assert "clock: expected Unix seconds" in record.getMessage()
    caplog.clear()


class Door:
    """A listening socket that has run out of descriptors for some tries, and then has a guest."""

    def __init__(self, tries: int) -> None:
        self._inner, self._outer = socket.socketpair()
        self.guest, self._guest = socket.socketpair()
        self._inner.send(b"!")  # so that it is always readable
        self.fails = tries

    def fileno(self) -> int:
        return self._outer.fileno()

    def accept(self) -> tuple[socket.socket, str]:
        self.fails -= 1
        if self.fails >= 0:
            raise OSError(errno.EMFILE, "Too many open files")
        if self.fails < -1:
            raise BlockingIOError
        self._outer.recv(1)
        return self._guest, "here"

    def close(self) -> None:
        for each in (self._inner, self._outer, self.guest, self._guest):
            each.close()


async def test_without_descriptors_new_connections_wait_and_one_line_says_so(monkeypatch, caplog):
    monkeypatch.setattr("pusherkit.sandbox.entrance.PAUSE_SECONDS", 0.02)
    door, entered = Door(tries=5), asyncio.get_running_loop().create_future()
    began = time.perf_counter()
    entrance = Entrance(door, lambda stream, address: entered.set_result((stream, address)))
    stream, address = await asyncio.wait_for(entered, 10)
    assert time.perf_counter() - began > 5 * 0.02  # it does not try all the time
    stream.close()
    entrance.close()
    door.close()
    assert (address, door.fails) == ("here", -2)  # and another look whether there are more
    (record,) = caplog.records
    assert "New connections have to wait: Too many open files" in record.getMessage()
    caplog.clear()


def test_a_step_that_takes_long_is_logged_with_what_it_was(server, monkeypatch, caplog):
    monkeypatch.setattr("pusherkit.sandbox.handler.SLOW_STEP_SECONDS", -1.0)
    caplog.set_level(logging.INFO, "pusherkit.sandbox")
    with Client(server.credentials) as client:
        client.trigger("chat", "n", "d")
    with connect(server) as socket_:
        socket_.recv(timeout=5)
        socket_.send('{"event":"pusher:ping","data":"practice-secret"}')
        socket_.recv(timeout=5)
    said = [record.getMessage() for record in caplog.records]
    assert any("POST /apps/6855671/events, 4" in line for line in said)
    assert any("pusher:ping" in line for line in said)
    assert not any("practice-secret" in line for line in said)
    caplog.clear()


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
        ("app/wrong?protocol=5", 4001),
        ("app/" + "é" * 100 + "?protocol=5", 4001),  # the reason of a close frame is short
        ("app/practice-key?protocol=3", 4007),
        ("app/practice-key", 4008),
        ("app/practice-key?protocol=%ff", 4007),
        ("nowhere?protocol=5", 4005),
        ("apps/6855671/events", 4005),
        ("?protocol=5", 4005),
    ],
    ids=str,
)
def test_who_cannot_come_in_is_told_and_closed(server, path, code):
    with connect(server, f"{server.url.replace('http', 'ws')}/{path}") as socket_:
        answer = json.loads(socket_.recv(timeout=5))
        assert (answer["event"], answer["data"]["code"]) == ("pusher:error", code)
        with pytest.raises(ConnectionClosed) as caught:
            socket_.recv(timeout=5)
    assert caught.value.rcvd.code == code
    assert answer["data"]["message"].startswith(caught.value.rcvd.reason)
    assert server.sandbox.channels.connections == 0


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("app/wrong", 4001),
        ("app/%ff", 4001),
        ("nowhere", 4005),
        ("app/practice-key?version=1!", 4006),
        ("app/practice-key?version=%ff", 4006),
    ],
)
def test_since_protocol_6_the_close_code_says_it_all(server, path, code):
    mark = "&" if "?" in path else "?"
    url = f"{server.url.replace('http', 'ws')}/{path}{mark}protocol=7"
    with connect(server, url) as socket_, pytest.raises(ConnectionClosed) as caught:
        socket_.recv(timeout=5)
    assert caught.value.rcvd.code == code


@pytest.mark.parametrize("path", ["nowhere?protocol=7", "live"])
def test_what_is_said_where_nobody_listens_is_no_error(server, path):
    """First words may be under way when the server closes; and pages may talk to the live feed."""
    key = base64.b64encode(bytes(16)).decode()
    upgrade = (
        f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    frame = b"\x81\x82\0\0\0\0{}"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as raw:
        raw.sendall(upgrade.encode() + frame)
        raw.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: raw.recv(65_536), b"")).startswith(b"HTTP/1.1 101")


def test_frames_that_are_no_text_or_no_json_do_no_harm(server):
    with connect(server) as socket_:
        socket_.recv(timeout=5)
        for nonsense in (b"\xff\xfe", "{", b'{"event":"pusher:ping"}'):
            socket_.send(nonsense)
        answers = [json.loads(socket_.recv(timeout=5))["event"] for _ in range(3)]
    assert answers == ["pusher:error", "pusher:error", "pusher:error"]


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
            with pytest.raises(ConnectionClosed) as caught:
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
    with SandboxServer(clock=clock) as server, stalled_subscriber(server, "chat") as raw:
        told = frames(raw.makefile("rb"))
        for _ in range(2):  # the greeting, and the answer to the subscription
            next(told)
        clock.now += 120
        assert next(told) == (PING, b"")
        assert next(told) == (TEXT, b'{"event":"pusher:ping","data":"{}"}')
        clock.now += 30
        (goodbye,) = told
        assert goodbye == (CLOSE, struct.pack("!H", 4201) + b"Pong reply not received in time")
    assert server.sandbox.channels.connections == 0


def test_a_client_that_knows_only_rfc_6455_stays_connected(clock, monkeypatch, eventually):
    """It sends the WebSocket's pings and pongs, and nothing in answer to pusher:ping."""
    monkeypatch.setattr("pusherkit.sandbox.server.TICK_SECONDS", 0.001)
    with SandboxServer(clock=clock) as server, connect(server) as socket_:
        socket_.recv(timeout=5)
        (connection,) = server.sandbox.channels._connections
        clock.now += 119
        assert socket_.ping().wait(5)
        eventually(lambda: connection.heard_at == clock.now)
        clock.now += 120
        eventually(lambda: connection.pinged_at is None and connection.heard_at == clock.now)
        assert json.loads(socket_.recv(timeout=5))["event"] == "pusher:ping"
        clock.now += 30
        assert socket_.ping().wait(5), "it was cut in spite of its pong"


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


TEXT, CLOSE, PING = 0x1, 0x8, 0x9  # opcodes


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


class Stream:
    """A stream whose writes are done when a test says so."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.writes: list[asyncio.Future[None]] = []

    def write(self, data: bytes) -> asyncio.Future[None]:
        self.written.append(data)
        self.writes.append(asyncio.get_running_loop().create_future())
        return self.writes[-1]


def peer_with(
    stream: object, *, is_closing: bool = False, kind: type[BoundedWebSocket] = BoundedWebSocket
) -> Any:
    peer = kind.__new__(kind)  # no request began it
    peer.begin(set())
    peer.ws_connection = SimpleNamespace(is_closing=lambda: is_closing, stream=stream)
    return peer


@pytest.mark.parametrize(("is_closing", "sent"), [(False, [b"\x81\x05Hello"]), (True, [])])
async def test_nothing_is_sent_to_a_peer_that_is_going(is_closing, sent):
    """The frame is the example of RFC 6455, section 5.7."""
    stream = Stream()
    peer = peer_with(stream, is_closing=is_closing)
    peer.send("Hello")
    peer.ws_connection = None  # gone
    peer.send("Hello")
    assert stream.written == sent


async def test_what_waits_for_a_slow_peer_goes_out_in_order_and_in_few_pieces():
    stream = Stream()
    peer = peer_with(stream)
    assert peer.drained() is None
    for number in range(1_000):
        peer.send(str(number))
    assert len(stream.written) == 1
    drained = peer.drained()
    peer.send("x" * 100_000)
    while not drained.done():
        stream.writes[-1].set_result(None)
        await asyncio.sleep(0)
    *frames_of, last = frames(io.BytesIO(b"".join(stream.written)))
    assert [text for _, text in frames_of] == [str(number).encode() for number in range(1_000)]
    assert last == (1, b"x" * 100_000)
    assert len(stream.written) < 10
    assert peer.drained() is None


@pytest.mark.parametrize("text", ["", "x" * 10_000], ids=len)
async def test_what_waits_for_a_slow_peer_is_bounded_in_bytes_and_in_frames(text):
    peer, codes = peer_with(Stream()), []
    peer.ws_connection.close = lambda code, reason: codes.append(code)
    most = MAX_UNSENT_BYTES // (len(text) + FRAME_BYTES)
    for _ in range(most // 2):
        peer.send(text)
    assert codes == []
    for _ in range(most // 2 + 2):
        peer.send(text)
    assert codes[:1] == [4100]


async def test_a_peer_that_goes_leaves_nothing_waiting():
    stream = Stream()
    peer = peer_with(stream)
    for _ in range(3):
        peer.send("Hello")
    drained = peer.drained()
    stream.writes[0].set_exception(StreamClosedError())
    await drained
    assert len(stream.written) == 1


async def test_a_peer_that_does_not_read_is_not_read_either():
    """Tornado reads the next frame once what on_message() returned is done."""
    stream = Stream()
    peer = peer_with(stream, kind=_Subscription)
    peer.shell = Shell(
        sandbox=Sandbox(),
        clock=lambda: 0.0,
        visitors=Visitors(),
        explainer=Explainer(Sandbox()),
        url="http://127.0.0.1",
    )
    peer._connection = peer.shell.sandbox.channels.open(
        peer.send, peer.hang_up, key="practice-key", protocol="7", now=0
    )
    stream.writes[-1].set_result(None)  # the greeting
    await asyncio.sleep(0)
    read_on = peer.on_message('{"event":"pusher:ping"}')
    assert not read_on.done()
    stream.writes[-1].set_result(None)
    await read_on
    assert peer.on_message('{"event":"pusher:pong"}') is None


def test_a_flood_of_pings_that_is_not_read_holds_nobody_up(server):
    ping = b'{"event":"pusher:ping"}'
    some = (bytes([0x81, 0x80 | len(ping), 0, 0, 0, 0]) + ping) * 100_000
    with stalled_subscriber(server, "chat") as raw, connect(server) as other:
        raw.settimeout(0.1)
        with suppress(TimeoutError):
            raw.sendall(some)
        other.recv(timeout=5)
        other.send(ping.decode())
        assert json.loads(other.recv(timeout=5))["event"] == "pusher:pong"


def test_socket_ids_cannot_be_foreseen(server):
    with SandboxServer() as again:
        ids = []
        for each in (server, again):
            with Subscriber(each.credentials, "chat") as one, connect(each):
                ids.append(one.socket_id)
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"\d+\.\d+", each) for each in ids)
    assert "1.1" not in ids
