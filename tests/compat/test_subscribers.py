"""Who subscribes, with each client: what is published arrives, and who comes and goes is told."""

from __future__ import annotations

import pytest

from pusherkit import Client, PusherError

from .table import SUBSCRIBERS


@pytest.fixture(params=SUBSCRIBERS)
def column(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def trigger(credentials):
    with Client(credentials) as client:
        yield client.trigger


@pytest.mark.feature("public channels")
def test_public(subscribe, trigger):
    subscriber = subscribe("chat")
    assert subscriber.receive() == ("subscribed", [])
    trigger("chat", "message", {"text": "Größe 🎉"})
    assert subscriber.receive() == ("message", {"text": "Größe 🎉"})


@pytest.mark.feature("private channels")
def test_private(subscribe, trigger):
    subscriber = subscribe("private-chat")
    assert subscriber.receive() == ("subscribed", [])
    trigger("private-chat", "message", [1, None])
    assert subscriber.receive() == ("message", [1, None])


@pytest.mark.feature("encrypted channels")
@pytest.mark.parametrize("column", ["pusher-js", "Subscriber"], indirect=True)
def test_encrypted(subscribe, trigger):
    subscriber = subscribe("private-encrypted-chat")
    assert subscriber.receive() == ("subscribed", [])
    trigger("private-encrypted-chat", "message", {"text": "Größe 🎉"})
    assert subscriber.receive() == ("message", {"text": "Größe 🎉"})


@pytest.mark.feature("presence channels")
def test_presence(subscribe, trigger):
    subscriber = subscribe("presence-events", "1")
    assert subscriber.receive()[0] == "subscribed"
    trigger("presence-events", "message", {"text": "hello"})
    assert subscriber.receive() == ("message", {"text": "hello"})


@pytest.mark.feature("who is in a presence channel")
def test_members(subscribe):
    assert subscribe("presence-room", "1").receive() == ("subscribed", ["1"])
    assert subscribe("presence-room", "2").receive() == ("subscribed", ["1", "2"])


@pytest.mark.feature("who joins and leaves it")
def test_coming_and_going(subscribe, trigger):
    stays = subscribe("presence-door", "1")
    assert stays.receive()[0] == "subscribed"
    goes = subscribe("presence-door", "2")
    assert goes.receive()[0] == "subscribed"
    assert stays.receive() == ("joined", "2")
    goes.close()
    assert stays.receive() == ("left", "2")


@pytest.mark.feature("client events")
def test_client_events(subscribe, trigger):
    sender, other = subscribe("private-typing"), subscribe("private-typing")
    for each in (sender, other):
        assert each.receive() == ("subscribed", [])
    sender.trigger("private-typing", "client-typing", {"who": "me"})
    assert other.receive() == ("client-typing", {"who": "me"})
    trigger("private-typing", "message", {})
    assert sender.receive() == ("message", {}), "its own client event came back"


@pytest.mark.feature("cache channels: the last event first, or a miss")
def test_cache_channels(subscribe, trigger, column):
    channel = f"private-cache-{column}"  # soketi is shared
    early = subscribe(channel)
    assert early.receive() == ("subscribed", [])
    assert early.receive()[0] == "pusher:cache_miss"
    trigger(channel, "message", {"text": "Größe 🎉"})
    later = subscribe(channel)
    assert later.receive() == ("subscribed", [])
    assert later.receive() == early.receive() == ("message", {"text": "Größe 🎉"})


@pytest.mark.feature("how many are subscribed")
@pytest.mark.parametrize("column", ["pusher-js"], indirect=True)
@pytest.mark.parametrize("server", [{"subscription_count": True}], indirect=True)
def test_counts(server, subscribe):
    subscriber = subscribe("chat")
    assert subscriber.receive() == ("subscribed", [])
    assert subscriber.receive() == ("pusher:subscription_count", {"subscription_count": 1})
    subscribe("chat")
    assert subscriber.receive() == ("pusher:subscription_count", {"subscription_count": 2})


@pytest.mark.feature("a signed-in user: messages, watchlist, presence")
@pytest.mark.parametrize("column", ["pusher-js"], indirect=True)
def test_a_signed_in_user(subscribe, trigger):
    ann, bob = subscribe("news"), subscribe("news")
    for each in (ann, bob):
        assert each.receive() == ("subscribed", [])
    ann.sign_in({"id": "ann", "user_info": {"name": "Ann"}, "watchlist": ["bob"]})
    assert ann.receive() == ("offline", ["bob"])
    bob.sign_in({"id": "bob", "watchlist": ["ann"]})
    assert bob.receive() == ("online", ["ann"])
    assert ann.receive() == ("online", ["bob"])
    ann.subscribe("presence-room")  # whose authorization names nobody
    assert ann.receive() == ("subscribed", ["ann"])
    trigger("#server-to-user-ann", "message", {"text": "hello"})
    assert ann.receive() == ("message", {"text": "hello"})
    bob.close()
    assert ann.receive() == ("offline", ["bob"])


@pytest.mark.feature("a refused subscription is explained")
@pytest.mark.parametrize("column", ["pusher-js"], indirect=True)
def test_refusal(subscribe):
    event, why = subscribe("private-chat", secret="not-the-secret").receive()
    assert event == "refused"
    assert why.startswith("Invalid signature: Expected HMAC SHA256 hex digest of ")


@pytest.mark.feature("other channels go on after a refused subscription")
@pytest.mark.parametrize("column", ["Pysher", "pusher-js"], indirect=True)
def test_others_after_a_refusal(subscribe, trigger):
    """The error has no code: Pysher would hang up on one from 4000 to 4099."""
    subscriber = subscribe("private-chat", also="news", secret="not-the-secret")

    def receive():
        while (heard := subscriber.receive())[0] == "refused":
            pass  # pusher-js tells of it, sooner or later; Pysher keeps it to itself
        return heard

    assert receive() == ("subscribed", [])
    trigger("news", "message", {"text": "hello"})
    assert receive() == ("message", {"text": "hello"})


@pytest.mark.feature("a refused subscription is explained")
@pytest.mark.parametrize("column", ["Subscriber"], indirect=True)
def test_refusal_of_ours(subscribe):
    with pytest.raises(PusherError, match=r"The server refused: The connection is unauthorized\."):
        subscribe("private-chat", secret="not-the-secret")
