"""Who publishes, with each client: the event arrives, and a refusal is explained."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import websockets.exceptions
import websockets.sync.client

from pusherkit import Credentials
from pusherkit.sandbox import Sandbox, SandboxServer, Webhooks, call_in_process
from pusherkit.subscriber import Subscriber

from .publishers import Refused
from .table import PUBLISHERS

OFFICIAL = ["pusher", "pusher-aiohttp", "npm-pusher"]
ODD = {
    "text": "こんにちは, Ünïcode 🎉 \\ \" ' / \u2028 \x7f & + % = <é>",
    "numbers": [0, -1, 1.5, 1e21, 2**53],
    "nested": [{"": [[], {}, None, True, False]}, [[["deep"]]]],
}


@pytest.fixture(params=PUBLISHERS)
def column(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def room(column: str) -> str:
    """A presence channel of this test's own: soketi is shared by all of them."""
    return f"presence-{column}"


@contextmanager
def connection(credentials: Credentials) -> Iterator[tuple[Any, str]]:
    """A WebSocket without a client, and its socket_id."""
    url = f"{credentials.base_url.replace('http', 'ws', 1)}/app/{credentials.key}?protocol=7"
    with websockets.sync.client.connect(url, proxy=None) as socket:
        yield socket, json.loads(hear(socket)["data"])["socket_id"]


def hear(socket: Any) -> dict[str, Any]:
    return json.loads(socket.recv(timeout=10))


def say_subscribe(socket: Any, channel: str, **auth: str) -> None:
    socket.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel} | auth}))
    answer = hear(socket)
    assert answer["event"] == "pusher_internal:subscription_succeeded", answer


@pytest.mark.feature("trigger, one channel")
def test_one_channel(publisher, credentials):
    with Subscriber(credentials, "chat") as subscriber:
        publisher.trigger("chat", "message", {"text": "hello"})
        message = subscriber.receive()
    assert (message.channel, message.event) == ("chat", "message")
    assert json.loads(message.data) == {"text": "hello"}


@pytest.mark.feature("trigger, 100 channels")
def test_many_channels(publisher, credentials):
    names = [f"c{number}" for number in range(100)]
    with Subscriber(credentials, names) as subscriber:
        publisher.trigger(names, "message", "{}")
        assert {subscriber.receive().channel for _ in names} == set(names)


@pytest.mark.feature("batch")
def test_batch(publisher, credentials):
    batch = [
        {"channel": f"c{number % 2}", "name": "message", "data": str(number)}
        for number in range(10)
    ]
    with Subscriber(credentials, ["c0", "c1"]) as subscriber:
        publisher.trigger_batch(batch)
        received = [subscriber.receive() for _ in batch]
    assert [(each.channel, each.data) for each in received] == [
        (each["channel"], each["data"]) for each in batch
    ]


@pytest.mark.feature("Unicode, nested JSON")
def test_odd_data(publisher, credentials):
    with Subscriber(credentials, "chat") as subscriber:
        publisher.trigger("chat", "Größe 🎉", ODD)
        publisher.trigger("chat", "text", ODD["text"])
        first, second = subscriber.receive(), subscriber.receive()
    assert (first.event, json.loads(first.data)) == ("Größe 🎉", ODD)
    assert second.data == ODD["text"]


@pytest.mark.feature("leave out a connection (`socket_id`)")
def test_exclusion(publisher, credentials):
    with connection(credentials) as (sender, socket_id), connection(credentials) as (other, _):
        for socket in (sender, other):
            say_subscribe(socket, "chat")
        publisher.trigger("chat", "for the others", "{}", socket_id)
        publisher.trigger("chat", "for all", "{}")
        assert hear(sender)["event"] == "for all"
        assert [hear(other)["event"] for _ in range(2)] == ["for the others", "for all"]


@pytest.mark.feature("list channels by prefix")
def test_channels(publisher, credentials, room):
    with Subscriber(credentials, [f"{room}-a", f"{room}-b", "chat"], user_id="1"):
        assert sorted(publisher.channels(f"{room}-")["channels"]) == [f"{room}-a", f"{room}-b"]


@pytest.mark.feature("… with a count of users each")
@pytest.mark.parametrize("column", OFFICIAL, indirect=True)
def test_user_counts(publisher, credentials):
    with (
        Subscriber(credentials, ["presence-a", "presence-b"], user_id="1"),
        Subscriber(credentials, "presence-b", user_id="2"),
    ):
        assert publisher.channels("presence-", "user_count")["channels"] == {
            "presence-a": {"user_count": 1},
            "presence-b": {"user_count": 2},
        }


@pytest.mark.feature("ask about one channel")
def test_channel(publisher, credentials, room):
    with Subscriber(credentials, room, user_id="1"):
        answer = publisher.channel(room, "user_count")
        assert (answer["occupied"], answer["user_count"]) == (True, 1)
        answer = publisher.channel(room, "subscription_count")
        assert (answer["occupied"], answer["subscription_count"]) == (True, 1)
    assert publisher.channel("nobody", "subscription_count")["occupied"] is False


@pytest.mark.feature("list who is in a presence channel")
def test_users(publisher, credentials, room):
    with (
        Subscriber(credentials, room, user_id="1"),
        Subscriber(credentials, room, user_id="2"),
        Subscriber(credentials, room, user_id="2"),
    ):
        users = publisher.users(room)["users"]
    assert sorted(user["id"] for user in users) == ["1", "2"]


@pytest.mark.feature("counts in the answer (`info`)")
@pytest.mark.parametrize("column", OFFICIAL, indirect=True)
def test_counts(publisher, credentials):
    with Subscriber(credentials, "chat"):
        assert publisher.counts_of("chat") == {"subscription_count": 1}


@pytest.mark.feature("authorize private and presence channels")
def test_authorize(publisher, credentials, room):
    user = {"user_id": "1", "user_info": ODD}
    with connection(credentials) as (socket, socket_id):
        say_subscribe(socket, "private-a", **publisher.authorize(socket_id, "private-a"))
        say_subscribe(socket, room, **publisher.authorize(socket_id, room, user))


@pytest.mark.feature("encrypted channels")
def test_encrypted(publisher, credentials):
    """The client authorizes and publishes; who subscribes has neither secret nor master key."""
    channel = "private-encrypted-room"
    page = replace(credentials, secret="not in the page", encryption_master_key_base64=None)
    with (
        Subscriber(page, channel, authorize=publisher.authorize) as subscriber,
        connection(credentials) as (socket, socket_id),
    ):
        auth = publisher.authorize(socket_id, channel)["auth"]
        say_subscribe(socket, channel, auth=auth)
        publisher.trigger(channel, "message", ODD)
        publisher.trigger_batch([{"channel": channel, "name": "batch", "data": ODD}])
        received = [subscriber.receive(), subscriber.receive()]
        assert json.loads(hear(socket)["data"]).keys() == {"nonce", "ciphertext"}
    assert [(each.event, json.loads(each.data)) for each in received] == [
        ("message", ODD),
        ("batch", ODD),
    ]


def say_sign_in(socket: Any, **proof: str) -> None:
    socket.send(json.dumps({"event": "pusher:signin", "data": proof}))
    answer = hear(socket)
    assert answer["event"] == "pusher:signin_success", answer


@pytest.mark.feature("authenticate users, and send to one")
@pytest.mark.parametrize("column", OFFICIAL, indirect=True)
def test_users_of_their_own(publisher, credentials):
    with connection(credentials) as (socket, socket_id):
        say_sign_in(socket, **publisher.authenticate(socket_id, {"id": "7", "name": "Größe 🎉"}))
        say_subscribe(socket, "#server-to-user-7")
        publisher.send_to_user("7", "message", {"text": "hello"})
        heard = hear(socket)
    assert (heard["channel"], heard["event"]) == ("#server-to-user-7", "message")
    assert json.loads(heard["data"]) == {"text": "hello"}


@pytest.mark.feature("end a user's connections")
@pytest.mark.parametrize("column", ["npm-pusher"], indirect=True)  # PyPI's path lacks the app
def test_the_end_of_a_user(publisher, credentials):
    with connection(credentials) as (socket, socket_id):
        say_sign_in(socket, **publisher.authenticate(socket_id, {"id": "7"}))
        assert publisher.terminate("7") == {}
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            hear(socket)
    assert caught.value.rcvd.code == 4009


@pytest.mark.feature("read a webhook")
@pytest.mark.parametrize("column", OFFICIAL, indirect=True)
def test_webhooks(publisher, credentials):
    arrived = []
    sandbox = Sandbox(credentials, webhooks=Webhooks(credentials))
    call_in_process(sandbox, lambda body, headers: arrived.append((body, headers)) or 200)
    with Subscriber.attached(sandbox, ["private-a", "presence-b"], user_id="Zoë ☕") as zoe:
        zoe.trigger("presence-b", "client-typing", ODD)
    read = [event for body, headers in arrived for event in publisher.read_webhook(body, headers)]
    assert [event["name"] for event in read] == [
        *("channel_occupied", "channel_occupied", "member_added", "client_event"),
        *("channel_vacated", "member_removed", "channel_vacated"),
    ]
    sent = read[3]
    assert (sent["event"], sent["user_id"]) == ("client-typing", "Zoë ☕")
    assert json.loads(sent["data"]) == ODD
    body, headers = arrived[0]
    with pytest.raises(Refused):
        publisher.read_webhook(body + b" ", headers)


@pytest.mark.feature("a wrong secret is explained")
def test_wrong_secret(publish_with, credentials, column):
    publisher = publish_with(replace(credentials, secret="not-the-secret"))
    path = f"/apps/{credentials.app_id}/events"
    explanation = (
        rf'Invalid signature: you should have sent HmacSHA256Hex\(\\"POST\\\\n{path}\\\\n'
        if column in OFFICIAL
        else "The secret authentication failed"
    )
    with pytest.raises(Refused, match=explanation):
        publisher.trigger("chat", "message", "{}")


@pytest.mark.feature("a wrong clock is explained")
@pytest.mark.parametrize("column", OFFICIAL, indirect=True)
def test_wrong_clock(publish_with):
    with SandboxServer(clock=lambda: time.time() + 1_200) as ahead:
        publisher = publish_with(ahead.credentials)
        with pytest.raises(Refused, match=r"Timestamp expired: Given timestamp .* not within 600s"):
            publisher.trigger("chat", "message", "{}")
