"""Cache channels: who subscribes gets the last event first, or hears that there is none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from pusherkit import Event
from pusherkit.sandbox import Sandbox
from pusherkit.sandbox.cache import (
    CACHE_SECONDS,
    MAX_CACHED_CHANNELS,
    MAX_CACHED_CHARACTERS,
    Cache,
    is_cache_channel,
)
from pusherkit.subscriber import Subscriber
from tests.conftest import NOW, Peer

MISSED = {"event": "pusher:cache_miss", "channel": "cache-41"}
KINDS = ["cache-41", "private-cache-41", "presence-cache-41", "private-encrypted-cache-41"]


def publish(sandbox, channel: str, data: str = "on its way", at: float = NOW) -> None:
    sandbox.channels.publish(Event.of(channel, "status", data), now=at)


@pytest.mark.parametrize("channel", KINDS)
def test_the_last_event_comes_first(sandbox, peer, channel):
    publish(sandbox, channel, "packed")
    publish(sandbox, channel, "on its way")
    later = peer(channel, user="7")
    assert [frame["event"] for frame in later.frames[1:3]] == [
        "pusher_internal:subscription_succeeded",
        "status",
    ]
    assert later.received == [(channel, "status", "on its way")]


@pytest.mark.parametrize("channel", KINDS)
def test_where_there_is_none_the_subscriber_hears_that(sandbox, peer, channel):
    first = peer(channel, user="7")
    assert first.frames[2] == MISSED | {"channel": channel}
    publish(sandbox, channel)
    assert first.received == [(channel, "status", "on its way")]


@pytest.mark.parametrize("channel", ["chat", "private-x", "presence-x", "order-cache-41", "cache"])
def test_other_channels_remember_nothing(sandbox, peer, channel):
    assert not is_cache_channel(channel)
    publish(sandbox, channel)
    assert len(peer(channel, user="7").frames) == 2


def test_only_the_new_subscriber_gets_it_and_a_socket_id_is_nothing_to_the_cache(sandbox, peer):
    early = peer("cache-41")
    event = Event.of("cache-41", "status", "on its way", early.socket_id)
    sandbox.channels.publish(event, now=NOW)
    assert len(peer("cache-41").received) == 1
    assert early.received == []


def test_client_events_are_not_remembered(sandbox, peer):
    ann = peer("private-cache-41")
    ann.says({"event": "client-typing", "channel": "private-cache-41", "data": "{}"})
    assert len(sandbox.deliveries) == 1
    assert peer("private-cache-41").frames[-1]["event"] == "pusher:cache_miss"


def test_an_event_is_forgotten_after_half_an_hour(sandbox, peer, clock):
    publish(sandbox, "cache-41")
    clock.now += CACHE_SECONDS - 1
    assert len(peer("cache-41").received) == 1
    clock.now += 1
    assert peer("cache-41").frames[-1] == MISSED


def test_a_subscriber_reads_a_miss_as_a_message(sandbox):
    with Subscriber.attached(sandbox, "cache-41") as first:
        missed = first.receive(0)
        assert (missed.channel, missed.event, missed.data) == ("cache-41", "pusher:cache_miss", "")
        publish(sandbox, "cache-41", at=time.time())
        assert first.receive(0).data == "on its way"
    with Subscriber.attached(sandbox, "cache-41") as second:
        assert second.receive(0).data == "on its way"


# --- within bounds ------------------------------------------------------------------------------


def test_old_events_leave_the_memory_with_the_next_one():
    cache = Cache()
    cache.remember("cache-a", "n", "x" * 1_000, now=NOW)
    cache.remember("cache-b", "n", "", now=NOW + CACHE_SECONDS)
    assert list(cache._events) == ["cache-b"]
    assert cache._characters == len("cache-bn")


def test_where_it_is_full_the_oldest_event_leaves_early():
    cache, half = Cache(), MAX_CACHED_CHARACTERS // 2
    for name in ("cache-a", "cache-b", "cache-a", "cache-c"):
        cache.remember(name, "n", "x" * (half - 100), now=NOW)
    kept = [name for name in ("cache-a", "cache-b", "cache-c") if cache.recall(name, now=NOW)]
    assert kept == ["cache-a", "cache-c"]


def test_channels_are_bounded_in_number():
    cache = Cache()
    for number in range(MAX_CACHED_CHANNELS + 2):
        cache.remember(f"cache-{number}", "n", "", now=NOW)
    assert len(cache._events) == MAX_CACHED_CHANNELS
    assert cache.recall("cache-1", now=NOW) is None
    assert cache.recall("cache-2", now=NOW) is not None


# --- how many are subscribed ----------------------------------------------------------------------


@pytest.fixture
def counting() -> Sandbox:
    return Sandbox(subscription_count=True)


@pytest.fixture
def counted(counting, clock) -> Callable[..., Peer]:
    """Make a peer whose app tells counts."""
    return lambda *names, **who: Peer(counting, clock).subscribes(*names, **who)


def counts(peer: Peer) -> list[int]:
    return [
        json.loads(frame["data"])["subscription_count"]
        for frame in peer.frames
        if frame["event"] == "pusher_internal:subscription_count"
    ]


def test_counts_are_told_where_they_are_switched_on_only(sandbox, peer):
    assert counts(peer("chat")) == []


def test_each_change_of_the_count_is_told_to_all(counting, counted):
    first = counted("chat")
    second = counted("chat")
    assert (counts(first), counts(second)) == ([1, 2], [2])
    second.leaves()
    assert counts(first) == [1, 2, 1]
    assert first.frames[1]["event"] == "pusher_internal:subscription_succeeded"
    first.leaves()


def test_presence_channels_have_members_and_no_count(counted):
    assert counts(counted("presence-x", user="7")) == []


def test_above_100_the_count_waits_for_the_next_tick(counting, counted):
    first = counted("chat")
    others = [counted("chat") for _ in range(102)]
    assert counts(first)[-1] == 100
    counting.channels.tick(NOW)
    assert counts(first)[99:] == [100, 103]
    counting.channels.tick(NOW)
    assert len(counts(first)) == 101
    others[0].leaves()
    others[1].leaves()
    assert counts(first)[-1] == 103
    others[2].leaves()  # 100 are left
    assert counts(first)[-1] == 100
    counting.channels.tick(NOW)
    assert len(counts(first)) == 102


def test_a_channel_that_everybody_left_before_the_tick_is_told_to_nobody(counting, counted):
    everybody = [counted("chat") for _ in range(102)]
    for one in everybody:
        one.leaves()
    counting.channels.tick(NOW)
    assert counting.channels._changed_counts == {}
