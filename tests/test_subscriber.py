"""Subscriber: over a WebSocket, and attached to a sandbox in the same process."""

from __future__ import annotations

import contextlib
import gc
import json
import queue
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from pusherkit import (
    Client,
    Credentials,
    Event,
    InvalidCredentials,
    InvalidEvent,
    PusherError,
    authorize_channel,
)
from pusherkit.encryption import encrypted
from pusherkit.events import event_body
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox, SandboxServer, SandboxTransport
from pusherkit.subscriber import GAP_EVENT, UNREADABLE_EVENT, Message, Subscriber
from tests.ports import free_port

SECRET_CHANNEL = "private-encrypted-chat"
ENCRYPTING = replace(
    PRACTICE_CREDENTIALS,
    encryption_master_key_base64="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
)
ROTATED = replace(ENCRYPTING, encryption_master_key_base64="A" * 43 + "=")


@dataclass
class Place:
    """Somewhere to publish and subscribe."""

    sandbox: Sandbox
    client: Client
    subscribe: Callable[..., Subscriber]

    def publish(self, *names: str, channel: str = "chat") -> None:
        for name in names:
            self.client.trigger(channel, name, {"n": name})

    def pass_on(self, event: Event) -> None:
        """Publish an event as it is: not encrypted, or not by us."""
        path = f"/apps/{self.client.credentials.app_id}/events"
        self.client.http.post(path, content=event_body(event)).raise_for_status()


@pytest.fixture(params=["websocket", "attached"])
def place(request) -> Iterator[Place]:
    """The same, with sockets between and without."""
    if request.param == "websocket":
        with SandboxServer(ENCRYPTING) as server, Client(server.credentials) as client:
            yield Place(
                server.sandbox,
                client,
                lambda *args, **options: Subscriber(server.credentials, *args, **options),
            )
    else:
        sandbox = Sandbox(ENCRYPTING)
        with Client(sandbox.credentials, transport=SandboxTransport(sandbox)) as client:
            yield Place(
                sandbox,
                client,
                lambda *args, **options: Subscriber.attached(sandbox, *args, **options),
            )


# --- both ways ----------------------------------------------------------------------------------


def test_what_is_published_arrives_in_order(place):
    with place.subscribe("chat") as subscriber:
        place.publish("a", "b", "c")
        assert [subscriber.receive() for _ in "abc"] == [
            Message(channel="chat", event=name, data=f'{{"n":"{name}"}}') for name in "abc"
        ]


def test_it_is_ready_when_it_exists(place):
    for number in range(10):
        with place.subscribe(f"c{number}"):
            assert place.sandbox.channels.subscription_count(f"c{number}") == 1


def test_it_is_ready_when_all_its_channels_are(place):
    names = [f"c{number}" for number in range(50)]
    with place.subscribe(names):
        assert place.sandbox.channels.occupied() == sorted(names)


def test_several_channels_are_told_apart(place):
    with place.subscribe(["news", "chat"]) as subscriber:
        assert subscriber.channels == ("news", "chat")
        place.client.trigger(["chat", "other", "news"], "n", "")
        place.publish("m", channel="other")
        place.publish("m", channel="news")
        got = [subscriber.receive() for _ in range(3)]
        assert [(m.channel, m.event) for m in got] == [("chat", "n"), ("news", "n"), ("news", "m")]


def test_a_channel_named_twice_is_one(place):
    with place.subscribe(["chat", "chat"]) as subscriber:
        place.publish("a", "b")
        assert [subscriber.receive().event for _ in "ab"] == ["a", "b"]


@pytest.mark.parametrize("data", ["", "text", "é€😀\x00\n", "x" * 102_400, '{"a": 1}'])
def test_data_arrives_as_it_was_sent(place, data):
    with place.subscribe("chat") as subscriber:
        place.client.trigger("chat", "é 😀", data)
        assert subscriber.receive() == Message(channel="chat", event="é 😀", data=data)


def test_iterating_gives_what_arrived_and_ends_on_close(place):
    subscriber = place.subscribe("chat")
    place.publish("a", "b", "last")
    seen = []
    for message in subscriber:
        seen.append(message.event)
        if message.event == "last":
            subscriber.close()
    assert seen == ["a", "b", "last"]
    assert list(subscriber) == []  # and ends at once from then on


def test_close_from_elsewhere_ends_a_waiting_iteration(place):
    subscriber = place.subscribe("chat")
    seen = queue.SimpleQueue()

    def read() -> None:
        for message in subscriber:
            seen.put(message.event)

    reader = threading.Thread(target=read)
    reader.start()
    place.publish("a")
    assert seen.get(timeout=5) == "a"
    subscriber.close()
    reader.join(timeout=5)
    assert not reader.is_alive()


def test_nothing_arriving_is_a_timeout_that_says_where_and_how_long(place):
    with (
        place.subscribe(["chat", "news"]) as subscriber,
        pytest.raises(TimeoutError, match=r"^No event arrived on chat, news within 0\.01 s\.$"),
    ):
        subscriber.receive(timeout=0.01)


def test_after_close_nothing_is_received_and_nobody_is_subscribed(place, eventually):
    subscriber = place.subscribe("chat")
    subscriber.close()
    subscriber.close()
    for _ in range(5):
        with pytest.raises(PusherError, match="The subscriber is closed"):
            subscriber.receive(timeout=5)
    eventually(lambda: place.sandbox.channels.connections == 0)


def test_a_private_channel_is_authorized_with_the_secret(place):
    channel = "private-chat"
    with place.subscribe(["chat", channel]) as subscriber:
        place.publish("a", channel=channel)
        assert subscriber.receive() == Message(channel=channel, event="a", data='{"n":"a"}')


def test_on_an_encrypted_channel_the_server_sees_what_nobody_can_read(place):
    with place.subscribe([SECRET_CHANNEL, "private-chat"]) as subscriber:
        place.publish("a", channel=SECRET_CHANNEL)
        place.client.trigger_batch(
            [Event.of(SECRET_CHANNEL, "b", "é"), Event.of("private-chat", "c", 1)]
        )
        got = [subscriber.receive() for _ in "abc"]
    assert [(each.event, each.data) for each in got] == [("a", '{"n":"a"}'), ("b", "é"), ("c", "1")]
    seen = [delivery.event.data for delivery in place.sandbox.deliveries]
    assert all(json.loads(data).keys() == {"nonce", "ciphertext"} for data in seen[:2])
    assert seen[2] == "1"


def test_an_event_that_cannot_be_decrypted_is_told_and_the_next_arrives(place):
    with place.subscribe([SECRET_CHANNEL, "chat"]) as subscriber:
        readable = Event.of(SECRET_CHANNEL, "a", "readable")
        for event in (readable, replace(readable, data="{}"), encrypted(ROTATED, readable)):
            place.pass_on(event)
            told = subscriber.receive()
            assert (told.channel, told.event) == (SECRET_CHANNEL, UNREADABLE_EVENT)
            assert json.loads(told.data)["event"] == "a"
        assert "doesn't decrypt it" in json.loads(told.data)["reason"]
        place.publish("b", channel=SECRET_CHANNEL)
        assert subscriber.receive().event == "b"


def test_a_key_that_has_changed_is_asked_for_once_more(place):
    """As official clients do it (Pusher's documentation, "Encrypted channels", key rotation)."""
    signers, asked = [ENCRYPTING], []

    def authorize(socket_id: str, channel: str) -> dict[str, str]:
        asked.append(channel)
        return authorize_channel(signers[-1], socket_id, channel)

    with place.subscribe(SECRET_CHANNEL, authorize=authorize) as subscriber:
        signers.append(ROTATED)
        for name in "ab":
            place.pass_on(encrypted(ROTATED, Event.of(SECRET_CHANNEL, name, "new")))
            assert subscriber.receive() == Message(channel=SECRET_CHANNEL, event=name, data="new")
        assert asked == [SECRET_CHANNEL] * 2
        signers.append(None)  # no longer authorized: the key isn't renewed
        place.pass_on(Event.of(SECRET_CHANNEL, "c", "x"))
        assert subscriber.receive().event == UNREADABLE_EVENT


def test_somebody_else_may_authorize_and_then_the_secret_is_not_needed(place):
    owner = place.client.credentials
    secretless = replace(owner, secret="not in the browser", encryption_master_key_base64=None)
    members = {"presence-x": {"user_id": "ann"}}
    options = {
        "authorize": lambda socket_id, channel: authorize_channel(
            owner, socket_id, channel, members.get(channel)
        )
    }
    channels = ["presence-x", SECRET_CHANNEL, "chat"]
    subscriber = (
        Subscriber(secretless, channels, transport=place.sandbox.channels, **options)
        if isinstance(place.client.http._transport, SandboxTransport)
        else Subscriber(secretless, channels, **options)
    )
    with subscriber:
        assert subscriber.members("presence-x") == {"ann": None}
        place.publish("a", channel=SECRET_CHANNEL)
        assert subscriber.receive().data == '{"n":"a"}'


def no(socket_id: str, channel: str) -> dict[str, str]:
    raise PermissionError("order 7 isn't yours")


@pytest.mark.parametrize(
    ("authorize", "told"),
    [
        (no, "order 7 isn't yours"),
        (lambda *_: None, 'expected {"auth": "KEY:SIGNATURE"}, got NoneType'),
        (lambda *_: {"auth": "x"}, "expected a shared_secret, 32 bytes in base64, and got none"),
        (lambda *_: {"shared_secret": "AAAA"}, "and got something else"),
        (lambda *_: {"shared_secret": "é"}, "and got something else"),
    ],
)
def test_who_authorizes_may_say_no(place, authorize, told, eventually):
    with pytest.raises(PusherError, match=f"Not authorized to join {SECRET_CHANNEL}: .*{told}"):
        place.subscribe(SECRET_CHANNEL, authorize=authorize)
    eventually(lambda: place.sandbox.channels.connections == 0)


def test_an_encrypted_channel_needs_the_master_key_and_pynacl(server, monkeypatch):
    with pytest.raises(InvalidCredentials, match=f"because {SECRET_CHANNEL} is an encrypted"):
        Subscriber(server.credentials, SECRET_CHANNEL)
    monkeypatch.setitem(sys.modules, "nacl.secret", None)
    with pytest.raises(PusherError, match="Encrypted channels need PyNaCl"):
        Subscriber(replace(ENCRYPTING, base_url=server.url), SECRET_CHANNEL)
    assert server.sandbox.channels.connections == 0


def test_a_presence_channel_is_joined_by_somebody(place):
    with place.subscribe("presence-x", user_id="ann", user_info={"name": "Ann"}) as ann:
        with place.subscribe("presence-x", user_id="bob"):
            assert place.client.users("presence-x") == {"users": [{"id": "ann"}, {"id": "bob"}]}
            came = ann.receive()
            assert ann.members("presence-x") == {"ann": {"name": "Ann"}, "bob": None}
        left = ann.receive()
        assert ann.members("presence-x") == {"ann": {"name": "Ann"}}
        assert ann.members("chat") == {}
        assert (came.event, came.data) == (
            "pusher_internal:member_added",
            '{"user_id":"bob","user_info":null}',
        )
        assert (left.event, left.data) == ("pusher_internal:member_removed", '{"user_id":"bob"}')


def test_a_presence_channel_wants_to_know_who_joins(place):
    with pytest.raises(InvalidEvent, match="user_id: presence-x is a presence channel"):
        place.subscribe(["chat", "presence-x"])
    assert place.sandbox.channels.connections == 0


def test_a_publisher_can_leave_it_out_by_its_socket_id(place):
    with place.subscribe("chat") as one, place.subscribe("chat") as other:
        place.client.trigger("chat", "for the other", "", one.socket_id)
        place.publish("for all")
        assert one.receive().event == "for all"
        assert [other.receive().event for _ in range(2)] == ["for the other", "for all"]


def test_no_channel_is_refused(place):
    with pytest.raises(InvalidEvent, match="expected at least one"):
        place.subscribe([])


def test_a_client_event_reaches_the_other_subscribers(place):
    with (
        place.subscribe("presence-x", user_id="ann") as ann,
        place.subscribe(["presence-x", "private-y"], user_id="bob") as bob,
    ):
        assert ann.receive().event == "pusher_internal:member_added"
        bob.trigger("presence-x", "client-typing", {"on": True})
        assert ann.receive() == Message(
            channel="presence-x", event="client-typing", data='{"on":true}', user_id="bob"
        )
        place.publish("after", channel="presence-x")
        assert bob.receive().event == "after"  # what it sent itself did not come back


@pytest.mark.parametrize(
    ("channel", "name", "error"),
    [
        ("private-x", "typing", 'begins with "client-"'),
        ("private-y", "client-typing", "that this subscriber is in; got 'private-y'"),
        ("chat", "client-typing", "private or presence channel"),
        (SECRET_CHANNEL, "client-typing", "an encrypted channel carries no client events"),
        ("private-x", "client-" + "x" * 200, "207 characters"),
    ],
)
def test_what_cannot_be_a_client_event_is_refused_before_it_is_sent(place, channel, name, error):
    with place.subscribe(["private-x", "chat", SECRET_CHANNEL]) as subscriber:
        with pytest.raises(InvalidEvent, match=error):
            subscriber.trigger(channel, name, "")
        assert not place.sandbox.deliveries


@pytest.mark.parametrize("channel", ["a b", "", "a" * 201])
def test_a_name_that_is_none_is_refused_before_connecting(place, channel):
    with pytest.raises(InvalidEvent):
        place.subscribe(channel)
    assert place.sandbox.channels.connections == 0


def test_on_message_is_called_instead(place):
    seen = queue.SimpleQueue()
    with place.subscribe("chat", on_message=seen.put) as subscriber:
        place.publish("a", "b")
        assert [seen.get(timeout=5).event for _ in "ab"] == ["a", "b"]
        with pytest.raises(TimeoutError):
            subscriber.receive(timeout=0.01)


def test_on_message_may_publish(place):
    seen = queue.SimpleQueue()

    def answer(message: Message) -> None:
        if message.event == "question":
            place.publish("answer")
        seen.put(message.event)

    def ask() -> None:
        with place.subscribe("chat", on_message=answer):
            place.publish("question")
            seen.put({seen.get(timeout=5), seen.get(timeout=5)})

    asking = threading.Thread(target=ask, daemon=True)  # so that a deadlock fails, and ends
    asking.start()
    asking.join(timeout=10)
    assert not asking.is_alive()
    assert seen.get(timeout=5) == {"question", "answer"}


# --- over a WebSocket only ----------------------------------------------------------------------


def test_a_wrong_key_is_refused(server, eventually):
    with pytest.raises(PusherError, match="closed the connection: 4001 App key wrong does not"):
        Subscriber(replace(server.credentials, key="wrong"), "chat")
    eventually(lambda: server.sandbox.channels.connections == 0)


@pytest.mark.parametrize("key", ["a b", "a/b", "a?b", "a#b", "a%2Fb", "é"])
def test_a_key_may_have_characters_that_a_url_encodes(key):
    with (
        SandboxServer(replace(PRACTICE_CREDENTIALS, key=key)) as server,
        Client(server.credentials) as client,
        Subscriber(server.credentials, "chat") as subscriber,
    ):
        client.trigger("chat", "n", "")
        assert subscriber.receive().event == "n"


def at(port: int) -> Credentials:
    return replace(PRACTICE_CREDENTIALS, base_url=f"http://127.0.0.1:{port}")


def test_a_server_that_is_not_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else can be there
        port = taken.getsockname()[1]
        where = f"No connection to ws://127.0.0.1:{port}/app/practice-key: "
        with pytest.raises(PusherError, match=where):
            Subscriber(at(port), "chat")


def test_a_server_that_does_not_answer_is_told():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(PusherError, match=r"^No (answer|connection) .*"):
            Subscriber(at(port), "chat", timeout=0.05)


def test_another_secret_is_refused_with_the_reason(server, eventually):
    impostor = replace(server.credentials, secret="another")
    refusal = (
        r"^The server refused: Invalid signature: Expected HMAC SHA256 hex digest of .*:private-x"
    )
    with pytest.raises(PusherError, match=refusal):
        Subscriber(impostor, ["chat", "private-x"])
    eventually(lambda: server.sandbox.channels.connections == 0)


def test_without_reconnecting_the_server_stopping_ends_the_iteration_and_is_told(server):
    with (
        Client(server.credentials) as client,
        Subscriber(server.credentials, "chat", reconnect=False) as subscriber,
    ):
        client.trigger("chat", "last", "")
        for message in subscriber:
            assert message.event == "last"
            server.stop()
        with pytest.raises(PusherError, match="The server closed the connection: 1001"):
            subscriber.receive()


# --- lost, and back -----------------------------------------------------------------------------


@pytest.fixture
def fixed_port() -> int:
    """A port that is free now, for a server that goes and comes back."""
    return free_port()


def test_it_comes_back_resubscribes_and_says_what_it_may_have_missed(fixed_port, eventually):
    began = time.time()
    server = SandboxServer(port=fixed_port).start()
    with (
        Subscriber(
            server.credentials, ["chat", "private-x", "presence-y"], user_id="ann"
        ) as subscriber,
        Client(server.credentials) as client,
    ):
        client.trigger("chat", "before", "")
        assert subscriber.receive().event == "before"
        server.stop()

        def why_nothing_came() -> str:
            with pytest.raises(TimeoutError) as waited:
                subscriber.receive(timeout=0.05)
            return str(waited.value)

        lost = re.compile(r"Not connected at present: The server closed.*1001")
        eventually(lambda: lost.search(why_nothing_came()))
        with pytest.raises(httpx.ConnectError):
            client.trigger("chat", "nobody there", "")
        with server:
            gap = subscriber.receive(timeout=10)
            assert (gap.event, gap.channel) == (GAP_EVENT, "")
            told = json.loads(gap.data)
            assert told["channels"] == ["chat", "private-x", "presence-y"]
            assert told["reason"].startswith("The server closed the connection: 1001")
            assert began < told["from"] < told["to"] < time.time()
            client.trigger(["chat", "private-x", "presence-y"], "after", "")
            assert [subscriber.receive().channel for _ in range(3)] == told["channels"]


def test_a_client_event_that_comes_before_the_channel_is_back_does_not_end_it(fixed_port):
    asked, go_on = threading.Semaphore(0), threading.Event()
    go_on.set()

    def authorize(socket_id: str, channel: str) -> dict[str, str]:
        asked.release()
        assert go_on.wait(10)
        return authorize_channel(PRACTICE_CREDENTIALS, socket_id, channel)

    with SandboxServer(port=fixed_port) as server:
        subscriber = Subscriber(server.credentials, "private-x", authorize=authorize)
        assert asked.acquire(timeout=10)
        go_on.clear()
    with SandboxServer(port=fixed_port), subscriber:
        assert asked.acquire(timeout=10)
        with pytest.raises(PusherError, match=r"^Not sent: the connection is lost\. It comes back"):
            subscriber.trigger("private-x", "client-n", "")
        go_on.set()
        assert subscriber.receive(timeout=10).event == GAP_EVENT
        subscriber.trigger("private-x", "client-n", "")


def test_close_ends_the_waiting_for_a_server_that_does_not_come_back(
    fixed_port, eventually, subscribers
):
    with SandboxServer(port=fixed_port) as server:
        subscriber = Subscriber(server.credentials, "private-x")

    def refusal() -> str:
        try:
            subscriber.trigger("private-x", "client-n", "")
        except PusherError as error:
            return str(error)
        return "none: it has not noticed the loss yet"

    eventually(lambda: refusal() == "Not sent: the connection is lost. It comes back by itself.")
    subscriber.close()
    assert list(subscriber) == []
    eventually(lambda: not subscribers())


def test_what_cannot_be_sent_any_more_is_a_sentence(eventually):
    """The subscriber is busy with a message, so it has not noticed the server's goodbye."""
    busy, done = threading.Event(), threading.Event()

    def take(message: Message) -> None:
        busy.set()
        done.wait(10)

    with SandboxServer() as server, Client(server.credentials) as client:
        subscriber = Subscriber(server.credentials, "private-x", on_message=take, reconnect=False)
        client.trigger("private-x", "n", "")
        assert busy.wait(10)
        server.stop()

        def refused() -> bool:
            try:
                subscriber.trigger("private-x", "client-n", "")
            except PusherError as error:
                return str(error).startswith("Not sent: the connection is lost (received 1001")
            return False

        eventually(refused)
        done.set()
        subscriber.close()


def test_a_server_that_does_not_want_it_back_is_left_alone(fixed_port):
    with SandboxServer(port=fixed_port) as server:
        subscriber = Subscriber(server.credentials, "chat")
    other = replace(PRACTICE_CREDENTIALS, key="another-key")
    with SandboxServer(other, port=fixed_port), subscriber:
        assert list(subscriber) == []
        with pytest.raises(PusherError, match="4001 App key practice-key does not exist here"):
            subscriber.receive()


@pytest.mark.parametrize("error", [KeyError, ValueError, OSError, TimeoutError])
def test_an_error_in_on_message_is_kept_and_blamed_on_nobody_else(server, error):
    def fail(message: Message) -> None:
        raise error("mine")

    with (
        Client(server.credentials) as client,
        Subscriber(server.credentials, "chat", on_message=fail) as subscriber,
    ):
        client.trigger("chat", "n", "")
        with pytest.raises(PusherError, match=r"^on_message raised .*mine"):
            subscriber.receive(timeout=5)


# --- what other servers may send ------------------------------------------------------------------


@pytest.fixture
def strange_server() -> Iterator[Callable[..., Subscriber]]:
    """Subscribe at a server that plays the protocol, sends these frames besides, and leaves.

    A function among the frames is called with the server's side of the connection instead.
    What the subscriber answered is kept in the attribute `answers`.
    """
    answers: list[dict] = []
    frames: list[object] = []
    subscribed = threading.Event()

    def play(connection: ServerConnection) -> None:
        connection.send(json.dumps({"event": "pusher:connection_established", "data": "{}"}))
        connection.recv(timeout=5)
        joined = {"event": "pusher_internal:subscription_succeeded", "channel": "chat"}
        connection.send(json.dumps(joined | {"data": "{}"}))
        assert subscribed.wait(timeout=5)
        with contextlib.suppress(ConnectionClosed):  # one of the two has left already
            for frame in frames:
                if callable(frame):
                    frame(connection)
                else:
                    connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))
            connection.send(json.dumps({"event": "pusher:ping", "data": {}}))
            answers.append(json.loads(connection.recv(timeout=5)))

    with serve(play, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()

        def subscribe(*sent: object) -> Subscriber:
            frames.extend(sent)
            credentials = at(running.socket.getsockname()[1])
            subscriber = Subscriber(credentials, "chat", reconnect=False)
            subscribed.set()
            return subscriber

        subscribe.answers = answers
        yield subscribe
        running.shutdown()
        thread.join(timeout=5)


def test_a_ping_is_answered(strange_server):
    with strange_server() as subscriber:
        assert list(subscriber) == []
    assert strange_server.answers == [{"event": "pusher:pong", "data": {}}]


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        (lambda connection: connection.close(1000, "Done."), "1000 Done."),
        (lambda connection: connection.close(4200, "Later."), "4200 Later."),
        (lambda connection: connection.socket.shutdown(socket.SHUT_RDWR), "without goodbye"),
    ],
    ids=["in order", "with a code", "cut"],
)
def test_how_the_server_left_is_told(strange_server, leave, told):
    with strange_server(leave) as subscriber:
        assert list(subscriber) == []
        with pytest.raises(PusherError) as caught:
            subscriber.receive(timeout=5)
    assert str(caught.value).startswith(f"The server closed the connection: {told}")


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("no json", "it sent 'no json', which isn't a frame"),
        (b"\xff\xfe", "which isn't a frame"),
        ("[" * 100_000, "which isn't a frame"),
        ([1], "it sent '[1]', which isn't a frame"),
        ({"event": "pusher:error", "data": {"code": 4200, "message": "Later."}}, "Later."),
        ({"event": "pusher:error", "data": {"code": 4200}}, "4200"),
        ({"event": "pusher:error", "data": "Later."}, "Later."),
        ({"event": "pusher:error"}, ""),
        ({}, None),
        ({"event": None}, None),
        ({"event": ["pusher:error"]}, None),
        ({"event": "pusher_internal:subscription_succeeded"}, None),
        ({"event": "pusher_internal:subscription_succeeded", "channel": ["chat"]}, None),
        ({"event": "pusher_internal:member_added", "channel": "chat", "data": {"a": 1}}, None),
        ({"event": "n", "channel": "chat", "data": None, "user_id": 7}, None),
        (
            {
                "event": "pusher_internal:subscription_succeeded",
                "channel": "chat",
                "data": {"presence": {"hash": []}},
            },
            None,
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_strange_frame_does_not_stop_the_subscriber(strange_server, frame, error):
    after = {"event": "after", "channel": "chat", "data": "d"}
    with strange_server(frame, after) as subscriber:
        *strange, last = subscriber
        assert last == Message(channel="chat", event="after", data="d")
        assert all(isinstance(message.data, str) for message in strange)
        told = [message.data for message in strange if message.event == "pusher:error"]
        assert len(told) == (error is not None)
        assert (error or "") in "".join(told)


@pytest.mark.parametrize("socket_id", [None, "", "nonsense"])
def test_a_server_without_a_socket_id_cannot_be_authorized_with(socket_id):
    def play(connection: ServerConnection) -> None:
        data = json.dumps({"socket_id": socket_id})
        connection.send(json.dumps({"event": "pusher:connection_established", "data": data}))
        with contextlib.suppress(ConnectionClosed):
            connection.recv(timeout=5)

    with serve(play, "127.0.0.1", 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        with pytest.raises(PusherError, match="no socket_id to authorize private-x with"):
            Subscriber(at(running.socket.getsockname()[1]), "private-x")
        running.shutdown()
        thread.join(timeout=5)


@pytest.fixture
def subscribers() -> Callable[[], list[threading.Thread]]:
    """The threads of subscribers that are running."""
    return lambda: [t for t in threading.enumerate() if t.name == "pusherkit-subscriber"]


def test_close_ends_the_thread(server, eventually, subscribers):
    with Subscriber(server.credentials, "chat"):
        eventually(lambda: len(subscribers()) == 1)  # those of other tests may be on their way
    eventually(lambda: not subscribers())


def test_one_that_nobody_refers_to_any_more_leaves_by_itself(server, eventually, subscribers):
    def forget() -> None:
        subscriber = Subscriber(server.credentials, "chat")
        assert subscriber.socket_id
        assert server.sandbox.channels.connections == 1

    forget()
    eventually(lambda: server.sandbox.channels.connections == 0)
    eventually(lambda: not subscribers())


def test_one_in_a_cycle_of_references_leaves_when_it_is_collected(server, eventually, subscribers):
    def forget() -> None:
        heard = []
        heard.append(Subscriber(server.credentials, "chat", on_message=print))
        heard.append(heard)

    forget()
    gc.collect()
    eventually(lambda: server.sandbox.channels.connections == 0)
    eventually(lambda: not subscribers())


def test_one_that_waits_to_come_back_stops_waiting_when_nobody_refers_to_it(
    fixed_port, eventually, subscribers, monkeypatch
):
    monkeypatch.setattr("pusherkit.subscription.BACKOFF_SECONDS", 60.0)
    with SandboxServer(port=fixed_port) as server:
        subscriber = Subscriber(server.credentials, "chat")
    subscription = subscriber._subscription
    eventually(lambda: subscription.loss)
    assert subscribers()
    del subscriber
    eventually(lambda: not subscribers())


def test_an_attached_one_stays_as_long_as_its_sandbox(sandbox):
    heard: list[Message] = []
    Subscriber.attached(sandbox, "chat", on_message=heard.append)
    gc.collect()
    with Client(sandbox.credentials, transport=SandboxTransport(sandbox)) as client:
        client.trigger("chat", "n", "")
    assert [message.event for message in heard] == ["n"]


def test_after_close_nothing_is_sent(place):
    subscriber = place.subscribe("private-x")
    subscriber.close()
    with pytest.raises(PusherError, match=r"^Not sent: The subscriber is closed\.$"):
        subscriber.trigger("private-x", "client-n", "")


def test_a_full_sandbox_refuses_who_attaches(sandbox, monkeypatch):
    monkeypatch.setattr("pusherkit.sandbox.channels.MAX_CONNECTIONS", 1)
    with Subscriber.attached(sandbox, "chat"):  # noqa: SIM117 - the first is inside, the second not
        with pytest.raises(PusherError, match="Over capacity: 1 connections are open"):
            Subscriber.attached(sandbox, "chat")
    assert sandbox.channels.connections == 0
