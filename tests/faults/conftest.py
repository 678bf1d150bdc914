"""A proxy that does harm, between our clients and a real practice server.

A fault is a function of a Link, the proxy's hold on one connection. It reads as much as it
likes, passes it on or not, answers what it likes, and leaves as it likes:

    proxy.fault = lambda link: (link.send(link.ask()[:20]), link.reset())

reads a request, lets the server answer it, sends 20 bytes of the answer, and resets.
"""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pusherkit import Credentials
from pusherkit.sandbox import SandboxServer

HOST = "127.0.0.1"
PATIENCE_SECONDS = 10  # until a test that hangs fails
BYTE_SECONDS = 0.001  # between the bytes of a slow answer
LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # on, 0 s: closing is a reset
HEAD_END = b"\r\n\r\n"


class Link:
    """One client's connection, and behind it one to the server, made when it is needed."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server: socket.socket | None = None

    # --- reading and passing on ---------------------------------------------------------------

    def read_line(self) -> bytes:
        """Read the request line, and leave the rest."""
        line = _read_to(b"\r\n", self._client)
        self._proxy.requests.append(line.partition(b"?")[0].decode())
        return line

    def read_head(self) -> bytes:
        """Read the request line and the headers, and leave the body."""
        return self.read_line() + _read_to(HEAD_END, self._client)

    def read(self) -> bytes:
        """Read a request."""
        head = self.read_head()
        return head + _read_exactly(_content_length(head), self._client)

    def pass_on_half(self) -> None:
        """Pass on a request up to the middle of its body."""
        head = self.read_head()
        half = _read_exactly(_content_length(head) // 2, self._client)
        self.server.sendall(head + half)

    def ask(self) -> bytes:
        """Pass on a request, and return the server's answer: so the server has acted."""
        self.server.sendall(self.read())
        head = _read_to(HEAD_END, self.server)
        return head + _read_exactly(_content_length(head), self.server)

    def hear(self) -> bytes:
        """Wait for what the server sends next."""
        return self.server.recv(65_536)

    def pass_on_what_comes(self) -> None:
        """Wait for what the client sends next, and pass it on."""
        self.server.sendall(self._client.recv(65_536))

    @property
    def server(self) -> socket.socket:
        """The connection to the server."""
        if self._server is None:
            self._server = socket.create_connection(self._proxy.upstream, PATIENCE_SECONDS)
            self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._server

    def wait(self) -> bool:
        """Wait for the client to send something; return whether it has. False: it has left."""
        return self._client.fileno() != -1 and bool(self._client.recv(1, socket.MSG_PEEK))

    def serve(self) -> None:
        """What a proxy is for: pass on a request and its answer, and then a WebSocket's frames."""
        answer = self.ask()
        self.send(answer)
        if answer.startswith(b"HTTP/1.1 101 "):
            self.pass_on()
            self.end()

    # --- answering ------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._client.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send bytes to the client one at a time."""
        for byte in data:
            self.send(bytes([byte]))
            self._proxy.closing.wait(BYTE_SECONDS)

    def pass_on(self) -> None:
        """Pass on what either side sends, until one leaves, or a new fault is due.

        The fault acts when the server has something to say, and hears it.
        """
        while True:
            for source in select.select([self._client, self.server], [], [])[0]:
                if source is self.server and self._proxy.fault is not None:
                    self._proxy.fault(self)
                    return
                data = source.recv(65_536)
                if not data:
                    return
                (self.server if source is self._client else self._client).sendall(data)

    # --- leaving --------------------------------------------------------------------------------

    def reset(self) -> None:
        """Cut the connection, as a crashed server or a firewall does."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self._client.close()

    def close(self) -> None:
        """Close the connection in order. What is unread would make it a reset, so it is read."""
        self._client.shutdown(socket.SHUT_WR)
        while self._client.recv(65_536):
            continue
        self._client.close()

    def stall(self) -> None:
        """Say nothing more, and read nothing more, until the test is over."""
        self._proxy.closing.wait()
        self._client.close()

    def end(self) -> None:
        """Close both sides."""
        for side in (self._client, self._server):
            if side is not None:
                side.close()

    def wake(self) -> None:
        """End the waiting of another thread for either side."""
        for side in (self._client, self._server):
            if side is not None and side.fileno() != -1:
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:  # it is closed already
                    continue


Fault = Callable[[Link], object]


class Proxy:
    """Passes everything on, or does to each new request, and to each open tunnel, `fault`.

    Until `listen()`, it refuses connections. `connections` counts those accepted; `requests` are
    the request lines that were read of them, up to the query.
    """

    def __init__(self, server: SandboxServer) -> None:
        self.fault: Fault | None = None
        self.connections = 0
        self.requests: list[str] = []
        self.closing = threading.Event()
        host, port = server.url.removeprefix("http://").split(":")
        self.upstream = (host, int(port))
        self._links: list[Link] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # links inherit it
        self._listener.bind((HOST, 0))
        self.address = f"{HOST}:{self._listener.getsockname()[1]}"
        self.credentials: Credentials = replace(
            server.credentials, base_url=f"http://{self.address}"
        )

    def listen(self, *, receive_bytes: int | None = None) -> None:
        """Accept connections from now on. `receive_bytes` is what each holds unread, about."""
        if receive_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._listener.listen()
        self._accepting.start()

    def close(self) -> None:
        """End every connection and every thread."""
        self.closing.set()
        if self._accepting.ident is not None:  # it was started; a connection wakes it
            socket.create_connection(self._listener.getsockname(), PATIENCE_SECONDS).close()
            self._accepting.join(PATIENCE_SECONDS)
        for link in self._links:
            link.wake()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self.closing.is_set():
                client.close()
                return
            self.connections += 1
            link = Link(self, client)
            self._links.append(link)
            thread = threading.Thread(target=self._serve, args=(link,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, link: Link) -> None:
        try:
            if self.fault is not None:  # this one need not wait for a request
                self.fault(link)
            while link.wait():
                (self.fault or Link.serve)(link)
        except OSError:  # one side has left
            return
        finally:
            link.end()


def _read_to(end: bytes, source: socket.socket) -> bytes:
    """Read up to `end` and no byte further."""
    data = b""
    while not data.endswith(end):
        data += _read_exactly(1, source)
    return data


def _read_exactly(count: int, source: socket.socket) -> bytes:
    data = b""
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def _content_length(head: bytes) -> int:
    found = re.search(rb"(?im)^content-length: *(\d+)", head)
    return int(found[1]) if found else 0


@pytest.fixture
def proxy(server: SandboxServer) -> Iterator[Proxy]:
    """A proxy to the practice server, which refuses connections until it is told to listen."""
    between = Proxy(server)
    yield between
    between.close()


@pytest.fixture(autouse=True)
def _the_server_logs_no_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Tornado logs what a handler raises, and goes on; a test shall not."""
    yield
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in records if record.name.startswith("tornado")] == []
