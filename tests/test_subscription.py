"""Subscription: the subscriber's side of the protocol, without a socket, a thread or a clock."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusherkit import Credentials, InvalidEvent, verify_channel
from pusherkit.sandbox import Sandbox
from pusherkit.subscription import (
    BACKOFF_SECONDS,
    GAP_EVENT,
    MAX_BACKOFF_SECONDS,
    Message,
    Refused,
    Send,
    Subscribed,
    Subscription,
    goodbye,
)

from .conftest import NOW

CREDENTIALS = Credentials(
    app_id="3", key="the key", secret="7ad3773142a6692b25b8", base_url="http://127.0.0.1:80"
)
GREETING = '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\"}"}'


def frame(event: object, data: object = "{}", **more: object) -> str:
    return json.dumps({"event": event, "data": data} | more)


def confirmed(channel: str, data: object = "{}") -> str:
    return frame("pusher_internal:subscription_succeeded", data, channel=channel)


def sent(outputs: list[Any]) -> list[Any]:
    """The frames to send, decoded; there must be nothing else."""
    assert all(isinstance(output, Send) for output in outputs)
    return [json.loads(output.text) for output in outputs]


def begun(*channels: str, **member: Any) -> Subscription:
    """One that is subscribed, at NOW."""
    subscription = Subscription(CREDENTIALS, channels or "chat", **member)
    subscription.connected()
    subscription.receive(GREETING, now=NOW)
    for channel in subscription.channels[:-1]:
        assert subscription.receive(confirmed(channel), now=NOW) == []
    assert subscription.receive(confirmed(subscription.channels[-1]), now=NOW) == [Subscribed()]
    return subscription


# --- subscribing --------------------------------------------------------------------------------


def test_where_to_connect():
    assert Subscription(CREDENTIALS, "chat").path == "/app/the%20key?protocol=7&client=pusherkit"


def test_a_greeting_is_answered_with_a_subscription_to_each_channel_signed_where_needed():
    subscription = Subscription(
        CREDENTIALS, ["chat", "private-x", "presence-y"], user_id="ann", user_info={"name": "Ann"}
    )
    subscription.connected()
    frames = sent(subscription.receive(GREETING, now=NOW))
    assert [each["event"] for each in frames] == ["pusher:subscribe"] * 3
    public, private, presence = (each["data"] for each in frames)
    assert subscription.socket_id == "1.2"
    assert public == {"channel": "chat"}
    verify_channel(CREDENTIALS, "1.2", "private-x", private["auth"])
    assert json.loads(presence["channel_data"]) == {"user_id": "ann", "user_info": {"name": "Ann"}}
    verify_channel(
        CREDENTIALS, "1.2", "presence-y", presence["auth"], channel_data=presence["channel_data"]
    )


def test_it_is_subscribed_once_every_channel_is_confirmed():
    subscription = Subscription(CREDENTIALS, ["a", "b", "a"])
    subscription.connected()
    subscription.receive(GREETING, now=NOW)
    assert subscription.waiting_for == {"a", "b"}
    assert subscription.receive(confirmed("b"), now=NOW) == []
    assert subscription.unanswered(5.0) == (
        "No answer from http://127.0.0.1:80 within 5 s to the subscription to a."
    )
    assert subscription.receive(confirmed("a"), now=NOW) == [Subscribed()]
    assert subscription.receive(confirmed("a"), now=NOW) == []  # twice is no news


def test_it_talks_to_the_practice_server_s_side_which_is_pure_too():
    sandbox = Sandbox()
    subscription = Subscription(sandbox.credentials, "presence-x", user_id="ann")
    subscription.connected()
    frames: list[str] = []
    place = sandbox.channels.open(
        frames.append, lambda *_: None, key=sandbox.credentials.key, protocol="7", now=NOW
    )
    (subscribe,) = subscription.receive(frames.pop(), now=NOW)
    sandbox.channels.receive(place, subscribe.text, now=NOW)
    assert subscription.receive(frames.pop(), now=NOW) == [Subscribed()]
    assert subscription.members("presence-x") == {"ann": None}


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (frame("pusher:error", {"code": 4001, "message": "No such app."}), "No such app."),
        (frame("pusher:error", "nonsense"), "nonsense"),
        (frame("pusher:error", {"code": 4200}), '{"code": 4200}'),
        (frame("pusher:subscription_error", {"error": "Wrong."}, channel="chat"), "Wrong."),
        ("no frame", "it sent 'no frame', which isn't a frame"),
        ("[1]", "it sent '[1]', which isn't a frame"),
        (b"\xff", r"it sent b'\xff', which isn't a frame"),
    ],
)
def test_an_error_while_it_waits_is_a_refusal(refusal, told):
    subscription = Subscription(CREDENTIALS, "chat")
    subscription.connected()
    assert subscription.receive(refusal, now=NOW) == [Refused(f"The server refused: {told}")]


@pytest.mark.parametrize("greeting", ["{}", '{"socket_id":"x"}', "nonsense", "[1]"])
def test_a_greeting_without_a_socket_id_is_enough_for_public_channels_only(greeting):
    greeting = frame("pusher:connection_established", greeting)
    public, private = Subscription(CREDENTIALS, "a"), Subscription(CREDENTIALS, ["a", "private-b"])
    assert len(sent(public.receive(greeting, now=NOW))) == 1
    (refused,) = private.receive(greeting, now=NOW)
    assert refused.problem.startswith("The server gave no socket_id to authorize private-b with: ")


@pytest.mark.parametrize(("channels", "rule"), [([], "channels"), ("presence-x", "user_id")])
def test_what_cannot_be_subscribed_to_is_refused_at_once(channels, rule):
    with pytest.raises(InvalidEvent) as caught:
        Subscription(CREDENTIALS, channels)
    assert caught.value.rule == rule


# --- events -------------------------------------------------------------------------------------


def test_an_event_is_a_message():
    got = begun().receive(frame("n", "d", channel="chat", user_id="ann"), now=NOW)
    assert got == [Message(channel="chat", event="n", data="d", user_id="ann")]


def test_a_ping_is_answered():
    ping = frame("pusher:ping")
    assert sent(begun().receive(ping, now=NOW)) == [{"event": "pusher:pong", "data": {}}]


def test_an_error_on_a_subscription_that_works_is_a_message():
    error = {"code": 4301, "message": "Too many."}
    (message,) = begun().receive(frame("pusher:error", error), now=NOW)
    assert (message.channel, message.event) == ("", "pusher:error")
    assert json.loads(message.data) == error


@pytest.mark.parametrize(
    ("strange", "message"),
    [
        ({}, Message(channel="", event="", data="")),
        ({"event": None, "data": None}, Message(channel="", event="", data="null")),
        ({"event": ["n"], "channel": ["chat"]}, Message(channel="", event="", data="")),
        (
            {"event": "n", "channel": "chat", "data": {"a": "é"}, "user_id": 7},
            Message(channel="chat", event="n", data='{"a": "é"}'),
        ),
    ],
)
def test_a_strange_frame_is_a_message_of_text(strange, message):
    assert begun().receive(json.dumps(strange), now=NOW) == [message]


def test_members_come_and_go():
    subscription = begun("presence-x", user_id="ann")
    presence = {"ids": ["ann", 7], "hash": {"ann": {"name": "Ann"}}}
    subscription.receive(confirmed("presence-x", json.dumps({"presence": presence})), now=NOW)
    assert subscription.members("presence-x") == {"ann": {"name": "Ann"}, "7": None}
    for event, data in [("member_added", {"user_id": "bob", "user_info": 1}),
                        ("member_removed", {"user_id": "7"}),
                        ("member_removed", {"user_id": "nobody"})]:  # fmt: skip
        text = frame(f"pusher_internal:{event}", json.dumps(data), channel="presence-x")
        (message,) = subscription.receive(text, now=NOW)
        assert json.loads(message.data) == data
    assert subscription.members("presence-x") == {"ann": {"name": "Ann"}, "bob": 1}
    assert subscription.members("chat") == {}


@pytest.mark.parametrize("presence", [None, 7, {}, {"ids": 7, "hash": {}}, {"ids": ["a"]}])
def test_an_answer_without_members_is_an_empty_room(presence):
    subscription = begun("presence-x", user_id="ann")
    subscription.receive(confirmed("presence-x", json.dumps({"presence": presence})), now=NOW)
    assert subscription.members("presence-x") == {}


def test_a_client_event_is_a_frame():
    text = begun("private-x").client_event("private-x", "client-typing", {"on": True})
    assert json.loads(text) == {
        "event": "client-typing",
        "channel": "private-x",
        "data": '{"on":true}',
    }


@pytest.mark.parametrize(
    ("channel", "name", "rule"),
    [
        ("private-x", "typing", "name"),
        ("private-y", "client-a", "channel"),
        ("chat", "client-a", "channel"),
    ],
)
def test_what_cannot_be_a_client_event_is_refused(channel, name, rule):
    with pytest.raises(InvalidEvent) as caught:
        begun("private-x", "chat").client_event(channel, name, "")
    assert caught.value.rule == rule


# --- lost, and back -----------------------------------------------------------------------------


def test_after_a_loss_everything_is_subscribed_to_again_and_the_gap_is_told():
    subscription = begun("a", "b")
    subscription.receive(frame("n", channel="a"), now=NOW + 7)
    subscription.lost(1006, "It went away.", now=NOW + 9)
    subscription.connected()
    subscription.lost(
        None, "It is not there.", now=NOW + 10
    )  # what is missing begins with the first
    subscription.connected()
    assert len(sent(subscription.receive(GREETING, now=NOW + 20))) == 2
    assert subscription.receive(confirmed("a"), now=NOW + 20) == []
    gap, subscribed = subscription.receive(confirmed("b"), now=NOW + 21)
    assert subscribed == Subscribed()
    assert (gap.event, gap.channel) == (GAP_EVENT, "")
    assert json.loads(gap.data) == {
        "from": NOW + 7,
        "to": NOW + 21,
        "reason": "It went away.",
        "channels": ["a", "b"],
    }
    assert subscription.loss is None


def waits_after(*codes: int | None) -> list[float | None]:
    """The waits of a subscriber that comes back at once after each, and is closed with the next."""
    subscription, waits = begun(), []
    for code in codes:
        waits.append(subscription.lost(code, "", now=NOW))
        subscription.connected()
        subscription.receive(GREETING, now=NOW)
        subscription.receive(confirmed("chat"), now=NOW)
    return waits


@pytest.mark.parametrize(
    ("codes", "waits"),
    [
        ([None] * 9, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]),
        ([1001, 4300], [0.1, 0.2]),
        ([4100, 4199, None, None, 4100], [1.0, 1.0, 0.4, 0.8, 1.6]),  # a second or more
        ([4200, 4299, None], [0.0, 0.2, 0.4]),  # at once, but not over and over
        ([4000], [None]),
        ([None, 4099], [0.1, None]),
    ],
)
def test_the_close_code_says_how_long_to_wait(codes, waits):
    assert waits_after(*codes) == pytest.approx(waits)


def test_a_connection_that_worked_for_a_while_begins_with_short_waits_again():
    subscription = begun()
    assert [subscription.lost(None, "", now=NOW) for _ in range(3)][-1] == 4 * BACKOFF_SECONDS
    subscription.connected()
    subscription.receive(GREETING, now=NOW)
    subscription.receive(confirmed("chat"), now=NOW)
    later = NOW + MAX_BACKOFF_SECONDS + 1
    assert subscription.lost(None, "", now=later) == BACKOFF_SECONDS
    # One that was open as long, but never subscribed, did not work.
    subscription.connected()
    assert subscription.lost(None, "", now=later + 100) == 2 * BACKOFF_SECONDS


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [(1001, "Bye.", "1001 Bye."), (4200, "Later", "4200 Later."), (1005, "", "1005.")],
)
def test_a_goodbye_is_told_with_its_code(code, reason, told):
    assert goodbye(code, reason) == f"The server closed the connection: {told}"


def test_a_first_connection_is_not_tried_again():
    subscription = Subscription(CREDENTIALS, "chat")
    subscription.connected()
    assert subscription.lost(None, "It is not there.", now=NOW) is None


def test_a_server_that_is_busy_at_its_return_has_not_refused_it():
    subscription = begun()
    subscription.lost(None, "", now=NOW)
    subscription.connected()
    busy = frame("pusher:error", {"code": 4100, "message": "Over capacity."})
    assert subscription.receive(busy, now=NOW) == []
    gone = frame("pusher:error", {"code": 4001, "message": "No such app."})
    assert subscription.receive(gone, now=NOW) == [Refused("The server refused: No such app.")]


# --- whatever comes -----------------------------------------------------------------------------

EVENTS = [
    "pusher:connection_established",
    "pusher:error",
    "pusher:ping",
    "pusher:subscription_error",
    "pusher_internal:member_added",
    "pusher_internal:member_removed",
    "pusher_internal:subscription_succeeded",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(EVENTS) | VALUES,
        "channel": st.sampled_from(["presence-x", "chat"]) | VALUES,
        "data": VALUES | VALUES.map(json.dumps),
        "user_id": VALUES,
    },
)


@given(st.lists(st.text() | st.binary() | FIELDS.map(json.dumps)), st.booleans())
def test_no_frame_stops_it(frames, subscribed):
    subscription = begun("chat", "presence-x", user_id="ann")
    if not subscribed:
        subscription.lost(None, "", now=NOW)
        subscription.connected()
    for text in frames:
        for output in subscription.receive(text, now=NOW):
            assert isinstance(output, Send | Message | Subscribed | Refused)
            if isinstance(output, Message):
                assert {type(output.event), type(output.channel), type(output.data)} == {str}


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
def test_no_depth_stops_it(event):
    for depth in range(1, 1_200, 7):
        data = "[" * depth + "]" * depth
        deep = f'{{"event":"{event}","data":{{"message":{data},"user_id":{data}}}}}'
        for subscription in (begun(), Subscription(CREDENTIALS, "chat")):
            subscription.receive(deep, now=NOW)


FAMILIES = {
    "brackets": lambda size: "[" * size,
    "backslashes": lambda size: '{"event":"' + "\\" * size,
    "quotes": lambda size: '"' * size,
    "digits": lambda size: "1" * size,
    "spaces": lambda size: " " * size,
    "an error of backslashes": lambda size: frame("pusher:error", "\\" * size),
    "an error of JSON": lambda size: frame("pusher:error", '{"message":[' + "1," * (size // 2)),
    "members": lambda size: confirmed(
        "chat", json.dumps({"presence": {"ids": list(range(size // 8)), "hash": {}}})
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_time_grows_no_faster_than_the_frame(family):
    def seconds(size: int) -> float:
        text, subscription = family(size), begun()
        begin = time.thread_time()  # so other processes do not count
        subscription.receive(text, now=NOW)
        return time.thread_time() - begin

    small = min(seconds(1_000_000) for _ in range(3))
    assert seconds(10_000_000) < 40 * small + 0.2  # 10 times the frame, and room for the machine
