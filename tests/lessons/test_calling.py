"""A practice server that calls a handler of the learner's, over HTTP and in this process."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from pusherkit import PusherError, verify_webhook
from pusherkit.lessons.kit import calling as kit
from pusherkit.lessons.kit.calling import CallingPractice, LiveCallingPractice, calling, handle
from pusherkit.sandbox.webhooks import Webhooks


def handler(act: Callable[[Any, bytes], int], read: int | None = None) -> Any:
    """A request handler that answers with what `act(handler, body)` returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = read if read is not None else int(self.headers["Content-Length"])
            self.send_response(act(self, self.rfile.read(length)))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(params=[CallingPractice, LiveCallingPractice])
def make(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield request.param
    gc.collect()  # which stops the servers


def test_a_handler_is_told_who_comes_and_goes_and_can_prove_it(make: Any) -> None:
    arrived = []

    def take(own: Any, body: bytes) -> int:
        arrived.append((own.path, body, dict(own.headers)))
        return 200

    server = make(handler(take))
    page = server.open("positions")
    assert server.calls == ["channel_occupied positions → 200"]
    page.close()
    assert server.calls[1:] == ["channel_vacated positions → 200"]
    for path, body, headers in arrived:
        assert path == "/webhooks"
        verify_webhook(
            server.credentials,
            body,
            key=headers["X-Pusher-Key"],
            signature=headers["X-Pusher-Signature"],
        )
    assert arrived[0][1].startswith(b'{"time_ms":1353088179000,')


def test_both_ways_bring_the_same_bytes() -> None:
    seen: list[list[bytes]] = [[], []]
    for bodies, make in zip(seen, (CallingPractice, LiveCallingPractice), strict=True):
        server = make(handler(lambda _, body, to=bodies: to.append(body) or 200))
        server.open("positions").close()
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2


def test_a_stranger_can_post_too(make: Any) -> None:
    server = make(handler(lambda own, body: 401 if "X-Pusher-Key" in own.headers else len(body)))
    assert server.post(b"x" * 204, {}) == 204
    assert server.post(b"{}", {"X-Pusher-Key": "k"}) == 401


def test_an_answer_that_is_not_2xx_is_said(make: Any) -> None:
    server = make(handler(lambda own, body: 418))
    page = server.open("positions")
    assert server.calls == ["channel_occupied positions → 418"]
    page.close()


def test_a_handler_that_hangs_is_said_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "SETTLE_SECONDS", 0.2)
    server = LiveCallingPractice(handler(lambda own, body: 200, read=10**6))
    with pytest.raises(PusherError, match="read more than Content-Length bytes"):
        server.open("positions")


def test_a_handler_that_never_ends_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(kit, "CLOSE_SECONDS", 0.2)
    entered, end = threading.Event(), threading.Event()

    def hang(own: Any, body: bytes) -> int:
        entered.set()
        end.wait(20)
        return 200

    server = LiveCallingPractice(handler(hang))
    gone = weakref.ref(server)
    with pytest.raises(PusherError, match="hasn't answered"):
        server.open("positions")
    assert entered.wait(10)
    began = time.monotonic()
    del server
    gc.collect()
    assert gone() is None
    assert time.monotonic() - began < 10
    end.set()


def test_a_handler_that_says_nothing_has_failed() -> None:
    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pass

    assert handle(Silent, b"{}", {}) == 500


def test_the_platform_decides_which_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ok = handler(lambda own, body: 200)
    assert isinstance(calling(ok), LiveCallingPractice)
    monkeypatch.setattr("sys.platform", "emscripten")
    assert type(calling(ok)) is CallingPractice


def test_what_is_no_longer_referenced_stops() -> None:
    def threads() -> int:
        return sum(each.name == "pusherkit-receiver" for each in threading.enumerate())

    gc.collect()
    before = threads()
    server = LiveCallingPractice(handler(lambda own, body: 200))
    assert threads() == before + 1
    del server
    gc.collect()
    assert threads() == before


def test_what_is_seen_in_the_middle_of_a_step_settles_nothing(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, seen = Webhooks.idle.fget, iter([True])  # as if nothing had been noted yet
    monkeypatch.setattr(Webhooks, "idle", property(lambda each: next(seen, None) or really(each)))
    server = make(handler(lambda own, body: 200))
    page = server.open("positions")
    assert server.calls == ["channel_occupied positions → 200"]
    page.close()
