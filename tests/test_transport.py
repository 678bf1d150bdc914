"""The clients over SandboxTransport: the whole way without a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pusherkit import AsyncClient, Client, Event, RateLimited, Unauthorized, authenticate_user
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox, SandboxTransport
from pusherkit.subscriber import Subscriber


@pytest.fixture
def client(transport, clock):
    with Client(PRACTICE_CREDENTIALS, transport=transport, clock=clock) as client:
        yield client


def test_a_client_publishes_and_asks(client, sandbox, clock):
    with Subscriber.attached(sandbox, ["chat", "presence"]) as subscriber:
        assert client.trigger("chat", "n", {"a": 1}) == {}
        assert client.trigger_batch([Event.of("chat", "m", "x"), Event.of("none", "m", "x")]) == {}
        assert client.channels(prefix="ch") == {"channels": {"chat": {}}}
        assert client.channel_info("chat", info="subscription_count") == {
            "occupied": True,
            "subscription_count": 1,
        }
        assert client.users("presence-x") == {"users": []}
        assert [subscriber.receive().data for _ in range(2)] == ['{"a":1}', "x"]
    assert [(exchange.time, exchange.reply.status) for exchange in sandbox.log] == [
        (clock.now, 200)
    ] * 5


async def test_an_async_client_publishes_and_asks(transport, sandbox, clock):
    async with AsyncClient(PRACTICE_CREDENTIALS, transport=transport, clock=clock) as client:
        with Subscriber.attached(sandbox, "chat") as subscriber:
            assert await client.trigger("chat", "n", {"a": 1}) == {}
            assert await client.channels() == {"channels": {"chat": {}}}
            assert subscriber.receive().data == '{"a":1}'


@pytest.mark.parametrize("user_id", ["7", "ann@example.com", "a/b ?%é", "..", "x" * 128])
def test_a_signed_in_user_is_sent_to_and_sent_away(client, peer, user_id):
    ann = peer()
    ann.says(
        {
            "event": "pusher:signin",
            "data": authenticate_user(PRACTICE_CREDENTIALS, ann.socket_id, {"id": user_id}),
        }
    )
    channel = f"#server-to-user-{user_id}"
    ann.says({"event": "pusher:subscribe", "data": {"channel": channel}})
    assert client.send_to_user(user_id, "parcel", {"at": "the door"}) == {}
    assert ann.received == [(channel, "parcel", '{"at":"the door"}')]
    assert client.terminate_user_connections("somebody else") == {}
    assert not ann.hung_up
    assert client.terminate_user_connections(user_id) == {}
    assert [code for code, _ in ann.hung_up] == [4009]


@pytest.mark.parametrize("value", ["a,b", "é", "a b", "a+b", "100%", "a&b=c", "%2C"])
def test_what_the_client_signs_is_what_the_sandbox_reads(client, value):
    assert client.channels(prefix=value) == {"channels": {}}


def refusing(transport, clock) -> Client:
    mine = replace(PRACTICE_CREDENTIALS, secret="not-the-one")
    return Client(mine, transport=transport, clock=clock)


def test_a_refusal_keeps_its_explanation(transport, clock):
    with refusing(transport, clock) as client, pytest.raises(Unauthorized) as caught:
        client.trigger("chat", "n", "")
    assert caught.value.message.startswith("Invalid signature: you should have sent")
    assert caught.value.body["rule"] == "auth_signature"
    assert len(caught.value.body["checks"]) == 5


def test_data_that_the_client_would_have_stopped_is_stopped_by_the_sandbox(client):
    body = b'{"name":"n","channel":"c","data":"%s"}' % (b"x" * 102_401)
    reply = client.http.post("/apps/6855671/events", content=body)
    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_headers_of_the_reply_arrive(clock):
    transport = SandboxTransport(Sandbox(rate=0.5), clock=clock)
    with Client(PRACTICE_CREDENTIALS, transport=transport, clock=clock) as client:
        client.channels()
        with pytest.raises(RateLimited) as caught:
            client.channels()
        assert caught.value.retry_after == 2


def test_a_retry_waits_as_long_as_the_sandbox_asks(monkeypatch, clock):
    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr("pusherkit.client.time.sleep", sleep)
    transport = SandboxTransport(Sandbox(rate=0.5), clock=clock)
    begin = clock.now
    with Client(PRACTICE_CREDENTIALS, transport=transport, clock=clock, retries=1) as client:
        for _ in range(3):
            assert client.trigger("chat", "n", "") == {}
    assert clock.now == begin + 4
