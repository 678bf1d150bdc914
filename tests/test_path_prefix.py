"""The clients behind a proxy that passes on what comes under a path, and takes the path off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from pusherkit import AsyncClient, Client, Credentials, PusherAuth
from pusherkit.sandbox import SandboxServer
from pusherkit.subscriber import Subscriber

PREFIX = b"/behind/sockets"


class Proxy:
    """What nginx does with `location /behind/sockets/ { proxy_pass http://server/; }`."""

    def __init__(self, server: SandboxServer) -> None:
        self._upstream = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        self.seen: list[bytes] = []  # request lines, as they came
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{PREFIX.decode()}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._upstream) as server:
            head = b""
            while b"\r\n\r\n" not in head and (more := client.recv(65_536)):
                head += more
            line, _, rest = head.partition(b"\r\n")
            self.seen.append(line)
            line = line.replace(b" " + PREFIX, b" ", 1)
            # One request per connection: then only this head needs to be changed.
            server.sendall(line + b"\r\n" + rest.replace(b"keep-alive", b"close"))
            back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
            back.start()
            self._pass_on(client, server)
            back.join(10)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(server: SandboxServer) -> Iterator[Proxy]:
    started = Proxy(server)
    yield started
    started.close()


@pytest.fixture
def behind(server: SandboxServer, proxy: Proxy) -> Credentials:
    return replace(server.credentials, base_url=f"{proxy.url}/")


def test_client_and_subscriber_work_behind_a_path(server, proxy, behind):
    with Client(behind) as client, Subscriber(behind, "private-chat") as subscriber:
        assert client.trigger("private-chat", "message", "hello") == {}
        assert subscriber.receive(timeout=5).data == "hello"
        assert client.channels() == {"channels": {"private-chat": {}}}
    assert [line.split(b"?")[0] for line in proxy.seen] == [
        b"GET /behind/sockets/app/practice-key",
        b"POST /behind/sockets/apps/6855671/events",
        b"GET /behind/sockets/apps/6855671/channels",
    ]
    assert {entry.path.split("/")[1] for entry in server.log} == {"apps"}


async def test_the_async_client_works_behind_a_path(behind):
    async with AsyncClient(behind) as client:
        assert await client.trigger("chat", "message", "hello") == {}


def test_a_base_url_of_the_clients_own_may_have_a_path(server, proxy):
    with Client(server.credentials, base_url=proxy.url) as client:
        assert client.trigger("chat", "message", "hello") == {}


def test_any_request_that_pusher_auth_signs_may_go_there(server, proxy, behind):
    event = {"name": "message", "channel": "chat", "data": "hello"}
    for url in (proxy.url, server.url):  # past the proxy, too
        answer = httpx.post(
            f"{url}/apps/6855671/events", json=event, auth=PusherAuth(behind), trust_env=False
        )
        assert answer.status_code == 200, answer.text


def test_what_only_begins_like_the_path_is_signed_whole():
    credentials = Credentials(app_id="3", key="k", secret="s", base_url="https://h/sock")
    request = httpx.Request("GET", "https://h/socket/apps/3/channels")
    signed = next(PusherAuth(credentials).auth_flow(request)).extensions["pusherkit.signature"]
    assert signed.canonical_string.split("\n")[1] == "/socket/apps/3/channels"
