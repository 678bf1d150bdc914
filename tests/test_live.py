"""The live page's server side: entries as JSON, and the feed over a real WebSocket."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import httpx
import pytest
import websockets.exceptions
import websockets.sync.client

from pusherkit import APIError, Client, Credentials, Event, sign
from pusherkit.sandbox import (
    PRACTICE_CREDENTIALS,
    Sandbox,
    SandboxServer,
    SandboxTransport,
    Webhooks,
    call_in_process,
)
from pusherkit.sandbox.channels import Delivery
from pusherkit.sandbox.live import MAX_PASTED_BYTES, PAGE_ENTRIES, entry_json
from pusherkit.signing import Request
from pusherkit.snippets import curl
from pusherkit.subscriber import Subscriber
from tests.conftest import NOW, Clock

RULES = ["auth_key", "auth_version", "auth_timestamp", "body_md5", "auth_signature"]


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_unseen(caplog) -> Iterator[None]:
    """Tornado logs what a handler raises, and goes on; a test shall not."""
    yield
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [str(record.exc_info) for record in records if record.exc_info] == []


# --- an entry as JSON ---------------------------------------------------------------------------


@pytest.fixture
def published(
    transport: SandboxTransport, sandbox: Sandbox, clock: Clock
) -> Callable[..., dict[str, Any]]:
    """Publish an event with changed credentials; return what the page reads of the request."""

    def publish(**changed: str) -> dict[str, Any]:
        credentials = replace(sandbox.credentials, **changed)
        expected = pytest.raises(APIError) if changed else nullcontext()
        with Client(credentials, transport=transport, clock=clock) as client, expected:
            client.trigger("chat", "message", "hello")
        return json.loads(entry_json(sandbox.log[-1]))

    return publish


def test_an_accepted_request_tells_its_checks_and_what_was_signed(published):
    entry = published()
    checks, canonical = entry.pop("checks"), entry.pop("canonical_string")
    assert entry == {
        "kind": "request",
        "time": NOW,
        "method": "POST",
        "path": "/apps/6855671/events",
        "status": 200,
        "note": "message → chat (delivered 0 times)",
        "answer": {},
        "played": None,
    }
    assert [(check["rule"], check["passed"]) for check in checks] == [(r, True) for r in RULES]
    assert checks[0]["received"] == "practice-key"
    assert canonical.startswith("POST\n/apps/6855671/events\nauth_key=practice-key&")


def test_where_another_server_is_played_both_answers_are_told(clock):
    sandbox = Sandbox(personality="soketi")
    with Client(
        sandbox.credentials, transport=SandboxTransport(sandbox, clock=clock), clock=lambda: 0
    ) as client:
        assert client.trigger("chat", "message", "hello") == {"ok": True}
    entry = json.loads(entry_json(sandbox.log[-1]))
    assert (entry["status"], entry["answer"]["rule"]) == (401, "auth_timestamp")
    assert entry["played"] == {
        "server": "soketi 1.6.1",
        "case": "",
        "status": 200,
        "body": '{"ok":true}',
        "note": "chat (delivered 0 times)",
    }


def test_a_refused_request_tells_the_sentence_the_fix_and_the_mistake(published):
    entry = published(secret="practice-key")
    assert entry["status"] == 401
    assert entry["answer"].keys() == {"error", "rule", "fix", "diagnosis", "diagnosis_complete"}
    assert entry["answer"]["error"].startswith("Invalid signature: you should have sent")
    assert entry["answer"]["rule"] == "auth_signature"
    (finding,) = entry["answer"]["diagnosis"]
    assert [mistake["name"] for mistake in finding["mistakes"]] == ["app-key-as-secret"]
    assert [check["passed"] for check in entry["checks"]] == [True, True, True, True, False]
    assert entry["checks"][-1]["fix"] == entry["answer"]["fix"]


def test_a_request_that_was_not_judged_has_no_checks(sandbox, transport):
    with httpx.Client(transport=transport) as http:
        http.get("http://127.0.0.1/nowhere")
    entry = json.loads(entry_json(sandbox.log[-1]))
    assert (entry["status"], entry["checks"], entry["canonical_string"]) == (404, [], None)
    assert entry["answer"]["fix"]


def test_a_secret_sent_in_place_of_the_key_is_not_told(published, sandbox):
    published(key=sandbox.credentials.secret)
    assert sandbox.credentials.secret not in entry_json(sandbox.log[-1])


def test_an_event_tells_all_that_was_delivered(sandbox, transport, clock):
    with Client(sandbox.credentials, transport=transport, clock=clock) as client:
        client.trigger(["a", "b"], "message", {"text": "</script>é"}, "1.2")
    assert json.loads(entry_json(sandbox.deliveries[-1])) == {
        "kind": "event",
        "time": NOW,
        "channels": ["a", "b"],
        "name": "message",
        "data": '{"text":"</script>é"}',
        "socket_id": "1.2",
        "subscribers": 0,
        "client_event": False,
    }


def test_a_client_event_is_marked():
    event = Event.of("private-chat", "client-typing", "{}", "1.2")
    told = entry_json(Delivery(time=NOW, event=event, subscribers=3, client_event=True))
    assert json.loads(told)["client_event"] is True
    assert json.loads(told)["subscribers"] == 3


def test_a_refused_subscription_tells_its_mistake(sandbox):
    text = json.dumps({"event": "pusher:subscribe", "data": {"channel": "private-x", "auth": "0"}})
    connection = sandbox.channels.open(
        lambda text: None, lambda *why: None, key="practice-key", protocol="7", now=NOW
    )
    sandbox.channels.receive(connection, text, now=NOW)
    entry = json.loads(entry_json(sandbox.refused_subscriptions[-1]))
    assert entry["note"].startswith("Auth value for subscription to private-x is invalid")
    assert entry == {
        "kind": "refused",
        "time": NOW,
        "what": "subscription",
        "channel": "private-x",
        "socket_id": connection.socket_id,
        "code": None,
        "note": entry["note"],
        "findings": [],
    }


def test_a_webhook_tells_its_events_its_outcome_and_its_body_but_not_its_signature():
    statuses = [500, 200]
    sandbox = Sandbox(webhooks=Webhooks(PRACTICE_CREDENTIALS))
    again = call_in_process(sandbox, lambda body, headers: statuses.pop(0), lambda: NOW)
    Subscriber.attached(sandbox, "order-41")
    again()
    failed, received = map(json.loads, map(entry_json, sandbox.webhook_calls))
    assert failed.pop("note").startswith("It answered 500. The receiver failed")
    body = f'{{"time_ms":{NOW}000,"events":[{{"name":"channel_occupied","channel":"order-41"}}]}}'
    told = {"kind": "webhook", "time": NOW, "said": "channel_occupied order-41", "body": body}
    told |= {"key": "practice-key"}
    assert failed == told | {"attempt": 1, "status": 500, "delivered": False}
    assert received == told | {"attempt": 2, "status": 200, "delivered": True, "note": ""}


def test_an_entry_is_ascii():
    event = Event.of("chat", "message", "é ☕ \u2028")
    assert entry_json(Delivery(time=NOW, event=event, subscribers=0)).isascii()


# --- the feed -----------------------------------------------------------------------------------


class Page:
    """What the page's script sees of the feed."""

    def __init__(self, socket: websockets.sync.client.ClientConnection) -> None:
        self._socket = socket

    def receive(self) -> dict[str, Any]:
        return json.loads(self._socket.recv(timeout=10))

    def backlog(self) -> list[dict[str, Any]]:
        """The entries up to the message that says: from now on live. The greeting is left out."""
        messages = [self.receive()]
        while messages[-1]["kind"] != "live":
            messages.append(self.receive())
        assert messages[0]["kind"] == "hello"
        return messages[1:-1]


def feed_url(server: SandboxServer) -> str:
    return server.url.replace("http", "ws", 1) + "/live"


@contextmanager
def opened(server: SandboxServer, **options: Any) -> Iterator[Page]:
    with websockets.sync.client.connect(
        feed_url(server), proxy=None, max_size=None, **options
    ) as connection:
        yield Page(connection)


def test_the_backlog_comes_first_and_then_what_is_new(server):
    with Client(server.credentials) as client:
        client.trigger("chat", "before", "1")
        with opened(server) as page:
            backlog = page.backlog()
            assert [entry["kind"] for entry in backlog] == ["event", "request"]
            assert backlog[0]["name"] == "before"
            client.trigger("chat", "after", "2")
            event, request = page.receive(), page.receive()
    assert (event["kind"], event["name"]) == ("event", "after")
    assert (request["kind"], request["status"]) == ("request", 200)
    assert backlog[-1]["time"] <= event["time"] == request["time"]


def test_every_page_is_told(server):
    with opened(server) as one, opened(server) as other, Client(server.credentials) as client:
        assert one.backlog() == other.backlog() == []
        client.channels()
        assert one.receive() == other.receive()


def test_a_client_event_reaches_the_page(server):
    with opened(server) as page:
        page.backlog()
        with (
            Subscriber(server.credentials, "private-chat") as one,
            Subscriber(server.credentials, "private-chat") as other,
        ):
            one.trigger("private-chat", "client-typing", "{}")
            assert other.receive().event == "client-typing"
        told = page.receive()
    assert (told["name"], told["client_event"], told["subscribers"]) == ("client-typing", True, 1)


def test_a_webhook_reaches_the_page_and_its_backlog():
    with SandboxServer(webhook="http://127.0.0.1:9/nobody") as server, opened(server) as page:
        page.backlog()
        with Subscriber(server.credentials, "order-41"):
            told = page.receive()
        with opened(server) as later:
            assert told in later.backlog()
    assert (told["kind"], told["said"]) == ("webhook", "channel_occupied order-41")
    assert told["note"].startswith("Nobody is listening there.")


def test_the_greeting_tells_the_app_and_the_secret_that_everybody_knows(server):
    with opened(server) as page:
        assert page.receive() == {
            "kind": "hello",
            "app_id": "6855671",
            "key": "practice-key",
            "secret": "practice-secret",
            "keep": PAGE_ENTRIES,
            "url": server.url,
            "plays": None,
        }


def test_a_secret_of_ones_own_is_not_told():
    own = Credentials(app_id="7", key="own-key", secret="own-secret", base_url="http://127.0.0.1")
    with SandboxServer(own) as server, opened(server) as page:
        hello = page.receive()
    assert hello["secret"] is None
    assert "own-secret" not in json.dumps(hello)


def test_the_backlog_holds_as_many_entries_as_the_page_keeps(server):
    with Client(server.credentials) as client:
        for number in range(PAGE_ENTRIES // 2 + 10):
            client.trigger("chat", f"event-{number}", "")
    with opened(server) as page:
        backlog = page.backlog()
    assert len(backlog) == PAGE_ENTRIES
    assert backlog[0]["name"] == "event-10"


def test_the_backlog_is_bounded_in_bytes_and_the_newest_stay(server):
    with Client(server.credentials) as client:
        for number in range(30):  # 3 MB
            client.trigger("chat", f"event-{number}", "x" * 100_000)
    with opened(server) as page:
        names = [entry["name"] for entry in page.backlog() if entry["kind"] == "event"]
    assert names == [f"event-{number}" for number in range(30 - len(names), 30)]
    assert 15 < len(names) < 30


def test_nothing_watches_once_the_page_is_closed(server, eventually):
    with opened(server) as page:
        page.backlog()
        eventually(lambda: len(server.sandbox.watchers) == 1)
    eventually(lambda: server.sandbox.watchers == [])
    with Client(server.credentials) as client:
        assert client.trigger("chat", "after", "") == {}


def test_stop_closes_the_page_and_a_start_serves_it_again():
    server = SandboxServer()
    with server, opened(server) as page:
        page.backlog()
        server.stop()
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            page.receive()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        assert server.sandbox.watchers == []
    with server, opened(server) as page:
        assert page.backlog() == []


def test_a_page_that_does_not_read_is_let_go(server, eventually):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /live HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    with socket.socket() as raw, Client(server.credentials) as client:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", httpx.URL(server.url).port))
        raw.sendall("\r\n".join((*lines, "", "")).encode())
        eventually(lambda: len(server.sandbox.watchers) == 1)
        for _ in range(200):  # 20 MB, far more than the server and the system hold
            client.trigger("chat", "message", "x" * 100_000)
        eventually(lambda: server.sandbox.watchers == [])


# --- the page itself ----------------------------------------------------------------------------


@pytest.fixture
def page(server) -> httpx.Response:
    return httpx.get(server.url, trust_env=False)


def test_the_policy_lets_nothing_run_but_the_pages_own(page):
    policy = dict(
        directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; ")
    )

    def hash_of(tag: str) -> str:
        (inside,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page.text, flags=re.DOTALL)
        return f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"

    assert policy == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "data:",
        "script-src": hash_of("script"),
        "style-src": hash_of("style"),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_the_page_is_kept_nowhere_and_asks_for_nothing(page):
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in page.headers
    loaded = re.findall(r"(?:src|href)=\"([^\"]*)\"|url\(|@import", page.text)
    assert [link.partition(":")[0] for link in loaded] == ["data"]  # the icon


@pytest.mark.parametrize("way", ["innerHTML", "outerHTML", "insertAdjacent", "document.write"])
def test_no_text_becomes_html(page, way):
    assert way not in page.text


def test_opening_the_page_leaves_no_trace_in_the_log(server, page):
    assert server.log == ()


def test_the_feed_by_plain_http_is_refused_in_words(server):
    response = httpx.get(f"{server.url}/live", trust_env=False)
    assert response.status_code == 400
    assert "WebSocket" in response.text


# --- the doctor's tab ---------------------------------------------------------------------------


def refused_request(server: SandboxServer) -> str:
    """A curl command whose path has a slash at its end that wasn't signed."""
    path = f"/apps/{server.credentials.app_id}/events"
    signature = sign(server.credentials, "POST", path, (), b"{}", timestamp=NOW)
    return curl(server.url, Request("POST", f"{path}/", signature.query, b"{}"))


def asked(server: SandboxServer, text: str | bytes, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}/doctor", content=text, headers=headers, trust_env=False)


def test_the_doctor_answers_the_page(server):
    answer = asked(server, refused_request(server), Origin=server.url)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    told = answer.json()
    assert (told["read_as"], told["status"]) == ("a curl command", 1)
    (opinion,) = told["opinions"]
    (finding,) = opinion["diagnosis"]["findings"]
    assert [mistake["name"] for mistake in finding["mistakes"]] == ["trailing-slash"]
    assert opinion["corrected"].startswith(f"curl -X POST '{server.url}/")
    assert server.log == (), "it isn't a request to the API"


@pytest.mark.parametrize("text", ["", "hello", b"\xff\x00", "curl 'http://h"])
def test_what_the_doctor_cannot_use_is_a_sentence(server, text):
    answer = asked(server, text)
    assert answer.status_code == 200
    assert answer.json()["unusable"].endswith(".")


def test_the_doctor_signs_for_nobody_but_the_practice_app():
    own = Credentials(app_id="7", key="own-key", secret="own-secret", base_url="http://127.0.0.1")
    with SandboxServer(own) as server:
        text = refused_request(server)
        answer = asked(server, f"{text}\nThe secret is own-secret.", Origin=server.url)
        nothing = asked(server, "own-secret").text
    (opinion,) = answer.json()["opinions"]
    assert opinion["diagnosis"]["findings"]
    assert opinion["corrected"] == ""
    assert "everybody on this machine can open this page" in opinion["not_corrected"]
    assert "own-secret" not in answer.text + nothing


def test_the_doctor_is_for_the_live_page_alone(server):
    for origin in ("http://localhost:3000", "https://evil.example", "null"):
        answer = asked(server, refused_request(server), Origin=origin)
        assert answer.status_code == 403
        assert "diagnosis" not in answer.text
    rebound = asked(server, refused_request(server), Host="evil.example")
    assert rebound.status_code == 403


@pytest.mark.parametrize("announced", [True, False])
def test_a_text_over_the_limit_is_refused_with_a_sentence(server, announced):
    text = b"x" * (MAX_PASTED_BYTES + 1)
    answer = asked(server, text if announced else iter([text]))
    assert answer.status_code == 413
    assert f"over the limit of {MAX_PASTED_BYTES:,} bytes here" in answer.json()["error"]


def test_where_the_doctor_is_busy_the_page_is_told(server, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.explainer.MAX_WAITING", 0)
    assert "waiting for the doctor" in asked(server, refused_request(server)).json()["unusable"]
