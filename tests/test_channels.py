"""Channels and their WebSocket protocol: pure, so every rule is tried without a socket."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from pusherkit import Event, authenticate_user, authorize_channel
from pusherkit.sandbox import Sandbox
from pusherkit.sandbox.channels import (
    CLIENT_EVENTS_PER_SECOND,
    MAX_CONNECTIONS,
    MAX_PRESENCE_MEMBERS,
    MAX_SUBSCRIPTIONS,
)
from pusherkit.signing import hmac_sha256
from tests.conftest import Peer

NOW = 1_353_088_179  # seconds
HELLO = Event.of("chat", "message", {"text": "hello"})
MEMBER = {"user_id": "ann", "user_info": {"name": "Ann"}}


def subscribing(channel: str, **fields: Any) -> dict[str, Any]:
    return {"event": "pusher:subscribe", "data": {"channel": channel, **fields}}


def error(frames: list[dict[str, Any]]) -> tuple[int | None, str]:
    """The code and the sentence of the one error that came."""
    (frame,) = frames
    assert frame["event"] == "pusher:error"
    return frame["data"]["code"], frame["data"]["message"]  # an object, the one exception


# --- connections --------------------------------------------------------------------------------


def test_the_greeting_gives_each_connection_its_own_socket_id(sandbox, peer):
    greetings = [peer().frames[0], peer().frames[0]]
    ids = []
    for greeting in greetings:
        assert greeting["event"] == "pusher:connection_established"
        data = json.loads(greeting["data"])  # a string that holds JSON
        assert data["activity_timeout"] == 120
        ids.append(data["socket_id"])
        Event.of("chat", "n", "", data["socket_id"])  # of the form that an event may name
    assert len(set(ids)) == 2
    assert sandbox.channels.connections == 2


@pytest.mark.parametrize("data", [{"channel": "chat"}, '{"channel":"chat"}'], ids=type)
def test_subscribing_and_leaving(sandbox, peer, data):
    somebody = peer()
    assert somebody.says({"event": "pusher:subscribe", "data": data}) == [
        {"event": "pusher_internal:subscription_succeeded", "channel": "chat", "data": "{}"}
    ]
    assert sandbox.channels.occupied() == ["chat"]
    assert somebody.says({"event": "pusher:unsubscribe", "data": data}) == []
    assert sandbox.channels.occupied() == []
    sandbox.channels.publish(HELLO, now=NOW)
    assert somebody.received == []


def test_a_second_subscription_to_the_same_channel_is_refused(sandbox, peer):
    somebody = peer("chat")
    assert error(somebody.says(subscribing("chat"))) == (
        None,
        "Existing subscription to channel chat",
    )
    (entry,) = sandbox.refused_subscriptions
    assert entry.note.endswith("Subscribe once, or unsubscribe first.")
    sandbox.channels.publish(HELLO, now=NOW)
    assert len(somebody.received) == 1
    assert sandbox.channels.subscription_count("chat") == 1


def test_a_ping_is_answered_and_a_pong_is_not(peer):
    assert peer().says({"event": "pusher:ping", "data": {}}) == [
        {"event": "pusher:pong", "data": "{}"}
    ]
    assert peer().says({"event": "pusher:ping"})[0]["event"] == "pusher:pong"
    assert peer().says({"event": "pusher:pong", "data": "{}"}) == []


def test_a_channel_named_twice_gets_an_event_once(sandbox, peer):
    both = peer("chat", "news")
    event = Event.of(["chat", "news", "chat"], "n", "")
    assert sandbox.channels.publish(event, now=NOW) == 2
    assert [channel for channel, _, _ in both.received] == ["chat", "news"]


def test_closing_forgets_a_connection_and_may_happen_twice(sandbox, peer):
    chat = peer("chat", "news")
    sandbox.channels.close(chat.connection)
    sandbox.channels.close(chat.connection)
    assert sandbox.channels.connections == 0
    assert sandbox.channels.occupied() == []


def test_a_send_that_closes_its_connection_does_not_disturb_the_others(sandbox, peer):
    first, last = peer("chat"), peer("chat")
    first.connection.send = lambda text: sandbox.channels.close(first.connection)
    assert sandbox.channels.publish(HELLO, now=NOW) == 2
    assert len(last.received) == 1
    assert sandbox.channels.subscription_count("chat") == 1


def test_hundreds_who_read_too_slowly_can_leave_because_of_each_other(clock):
    """Each hears that the one before has left, and is hung up on for not reading that."""
    sandbox = Sandbox(subscription_count=True)
    slow = [Peer(sandbox, clock).subscribes(f"c{n}", f"c{n + 1}") for n in range(500)]
    for one in slow:
        one.connection.send = lambda text, one=one: sandbox.channels.close(one.connection)
    slow[0].leaves()
    assert sandbox.channels.connections == 0
    assert sandbox.channels.occupied() == []


@pytest.mark.parametrize(
    ("frame", "code", "sentence"),
    [
        ("", None, "Expected a JSON object"),
        ("{", None, "Expected a JSON object"),
        ("[]", None, "Expected a JSON object"),
        ('"pusher:ping"', None, "Expected a JSON object"),
        ("[" * 100_000, None, "Expected a JSON object"),
        ("1" * 5_000, None, "Expected a JSON object"),
        ("{}", None, "Expected a JSON object"),
        ({"event": 7}, None, "Expected a JSON object"),
        ({"event": ""}, None, "Unknown event"),
        ({"event": "\ud800"}, None, "Unknown event"),
        ({"event": "x" * 10_000}, None, "Unknown event"),
        ({"event": "message", "channel": "chat", "data": "{}"}, None, "Unknown event"),
        ({"event": "client-typing", "channel": "chat", "data": {}}, None, "Client events go to a"),
        ({"event": "client-typing", "channel": ["chat"]}, None, "Client events go to a"),
        ({"event": "pusher:subscribe"}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": "["}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": "[" * 100_000}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": []}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": {"channel": ["a"]}}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": {"channel": "a b"}}, 4300, "Invalid channel name"),
        ({"event": "pusher:subscribe", "data": {"channel": "\ud800"}}, 4300, "Invalid channel"),
        ({"event": "pusher:subscribe", "data": {"channel": "x" * 201}}, 4300, "201 characters"),
        (subscribing("private-x"), None, "Auth info required to subscribe to private-x"),
        (subscribing("presence-x"), None, "Auth info required to subscribe to presence-x"),
        (subscribing("private-encrypted-x"), None, "Auth info required to subscribe to private-en"),
        (subscribing("private-x", auth=["a"]), None, "should be of format 'key:signature'"),
        (subscribing("private-x", auth="a:b", channel_data={}), None, "expected a string"),
        (
            subscribing("private-x", auth="nonsense"),
            None,
            "Auth value for subscription to private-x is invalid: should be of format 'key:sig",
        ),
        (subscribing("private-x", auth="K:0"), None, "Invalid key in subscription auth data: 'K'"),
        (subscribing("private-x", auth="practice-key:00"), None, "Expected HMAC SHA256 hex digest"),
        (subscribing("private-x", auth="practice-key:\ud800"), None, "Expected HMAC SHA256"),
        (subscribing("private-x", auth="practice-secret:00"), None, "data: '[the app's secret]'"),
        ({"event": "pusher:unsubscribe"}, None, "Unsubscribing needs"),
        ({"event": "pusher:unsubscribe", "data": {"channel": 7}}, None, "Unsubscribing needs"),
        (
            {"event": "pusher:unsubscribe", "data": {"channel": "x"}},
            None,
            "No current subscription to channel x, or subscription in progress",
        ),
    ],
    ids=lambda value: str(value)[:60].encode("ascii", "backslashreplace").decode(),
)
def test_a_frame_that_cannot_be_followed_is_answered_with_an_error(
    sandbox, peer, frame, code, sentence
):
    (answer,) = peer().says(frame)
    assert answer["event"] == "pusher:error"
    assert answer["data"]["code"] == code  # an object, the one exception to the rule
    assert sentence in answer["data"]["message"]
    assert len(answer["data"]["message"]) < 400
    assert sandbox.channels.occupied() == []


def test_subscriptions_of_one_connection_are_bounded(sandbox, peer):
    busy = peer(*(f"c{number}" for number in range(MAX_SUBSCRIPTIONS)))
    (answer,) = busy.says({"event": "pusher:subscribe", "data": {"channel": "one-more"}})
    assert answer["event"] == "pusher:error"
    assert str(MAX_SUBSCRIPTIONS) in answer["data"]["message"]
    assert len(sandbox.channels.occupied()) == MAX_SUBSCRIPTIONS
    busy.says({"event": "pusher:unsubscribe", "data": {"channel": "c0"}})
    busy.subscribes("one-more")


def test_what_is_refused_is_repeated_in_part_only(peer):
    _, message = error(peer().says(subscribing("private-x", auth="practice-key:" + "a" * 100_000)))
    assert len(message) < 1_100
    assert message.endswith("a…")


@pytest.mark.parametrize(
    ("key", "protocol", "code", "sentence"),
    [
        ("another", "7", 4001, "App key another does not exist here."),
        ("practice-secret", "7", 4001, "App key [the app's secret] does not exist here."),
        ("practice-key", None, 4008, "No protocol version supplied. Connect with ?protocol=7."),
        ("practice-key", "3", 4007, "Unsupported protocol version 3; expected 4, 5, 6 or 7."),
        ("practice-key", "8", 4007, "Unsupported protocol version 8; expected 4, 5, 6 or 7."),
        ("practice-key", "", 4007, "Unsupported protocol version ; expected 4, 5, 6 or 7."),
        ("another", "5", 4001, "App key another does not exist here."),
        ("another", "6", 4001, "App key another does not exist here."),
    ],
)
def test_who_cannot_come_in_is_told_and_hung_up_on(sandbox, key, protocol, code, sentence):
    """By an error, too, where the protocol's version has it: before 6, or none."""
    told: list[str] = []
    closed: list[tuple[int, str]] = []
    connection = sandbox.channels.open(
        told.append, lambda *why: closed.append(why), key=key, protocol=protocol, now=NOW
    )
    assert connection is None
    if protocol in ("6", "7", "8"):
        assert told == []
    else:
        assert error([json.loads(text) for text in told]) == (code, sentence)
    assert closed == [(code, sentence)]
    assert sandbox.channels.connections == 0


@pytest.mark.parametrize("protocol", ["4", "5", "6", "7"])
def test_each_version_since_4_is_let_in(sandbox, protocol):
    told: list[str] = []
    assert sandbox.channels.open(
        told.append, lambda *why: None, key="practice-key", protocol=protocol, now=NOW
    )
    assert json.loads(told[0])["event"] == "pusher:connection_established"


@pytest.mark.parametrize(
    ("version", "codes"),
    [
        *((version, []) for version in (None, "", "8.6.0", "v1.2", "7.2.0-rc.1", "1.0+b_1", "3")),
        *((version, [4006]) for version in ("not-a-version!", "x", "1 2", "1.0\n", "1" * 61)),
    ],
)
def test_a_version_has_the_form_of_one(sandbox, version, codes):
    closed: list[int] = []
    sandbox.channels.open(
        lambda text: None,
        lambda code, reason: closed.append(code),
        key="practice-key",
        protocol="7",
        version=version,
        now=NOW,
    )
    assert closed == codes


def test_a_binary_frame_is_refused(peer):
    one = peer()
    one.channels.receive(one.connection, b'{"event":"pusher:ping"}', now=NOW)
    assert error(one.frames[1:]) == (None, "Binary frames are not supported. Send JSON as text.")


def test_connections_are_bounded(sandbox):
    closed: list[int] = []

    def come() -> object:
        return sandbox.channels.open(
            lambda text: None,
            lambda code, reason: closed.append(code),
            key="practice-key",
            protocol="7",
            now=NOW,
        )

    connections = [come() for _ in range(MAX_CONNECTIONS)]
    assert come() is None
    assert closed == [4100]
    sandbox.channels.close(connections[0])
    assert come() is not None


def test_who_is_silent_is_pinged_once_and_then_hung_up_on(sandbox, peer, clock):
    silent, lively = peer("chat"), peer("chat")
    for at, pings in [(119, 0), (120, 1), (125, 1), (149, 1)]:
        sandbox.channels.tick(NOW + at)
        assert silent.texts.count('{"event":"pusher:ping","data":"{}"}') == pings
    clock.now = NOW + 149
    assert lively.says({"event": "pusher:pong"}) == []
    sandbox.channels.tick(NOW + 150)
    assert silent.hung_up == [(4201, "Pong reply not received in time")]
    assert lively.hung_up == []
    assert sandbox.channels.subscription_count("chat") == 1
    assert silent.says({"event": "pusher:ping"}) == []  # its last words come too late
    sandbox.channels.tick(NOW + 149 + 120)
    assert lively.frames[-1]["event"] == "pusher:ping"  # silent again, pinged again


def test_a_silent_one_is_pinged_in_both_ways_and_may_answer_in_either(sandbox, peer, clock):
    """Clients that know only RFC 6455 have no pusher:pong, and those in a browser no other."""
    one = peer("chat")
    clock.now = NOW + 120
    sandbox.channels.tick(clock())
    assert one.pings == [clock()]
    assert one.frames[-1]["event"] == "pusher:ping"
    sandbox.channels.heard(one.connection, now=NOW + 149)
    sandbox.channels.tick(NOW + 150)
    sandbox.channels.tick(NOW + 149 + 119)
    assert one.hung_up == []
    assert len(one.pings) == 1


def test_a_clock_that_jumps_ahead_cuts_nobody_who_was_not_asked(sandbox, peer, clock):
    silent, lively = peer("chat"), peer("chat")
    sandbox.channels.tick(NOW)
    clock.now = NOW + 8 * 3600  # the laptop slept
    sandbox.channels.tick(clock())
    for one in (silent, lively):
        assert (one.frames[-1]["event"], one.hung_up) == ("pusher:ping", [])
    lively.says({"event": "pusher:pong"})
    sandbox.channels.tick(clock() + 29)
    assert silent.hung_up == []
    sandbox.channels.tick(clock() + 30)
    assert silent.hung_up == [(4201, "Pong reply not received in time")]
    assert lively.hung_up == []


def test_a_clock_that_jumps_while_a_pong_is_awaited_gives_it_its_time_again(sandbox, peer, clock):
    asked = peer("chat")
    sandbox.channels.tick(NOW + 120)
    sandbox.channels.tick(NOW + 3600)
    assert asked.hung_up == []
    sandbox.channels.tick(NOW + 3629)
    assert asked.hung_up == []
    sandbox.channels.tick(NOW + 3630)
    assert len(asked.hung_up) == 1


def test_a_clock_that_is_put_back_does_not_keep_the_silent(sandbox, peer, clock):
    silent = peer("chat")
    for at in (-3600, -3600 + 120, -3600 + 150):
        sandbox.channels.tick(NOW + at)
    assert len(silent.hung_up) == 1


def test_socket_ids_are_those_that_were_handed_in(clock):
    sandbox = Sandbox(socket_ids=iter(["12.34", "56.78"]))
    assert [Peer(sandbox, clock).socket_id for _ in range(2)] == ["12.34", "56.78"]


# --- however long, however odd -------------------------------------------------------------------

FRAME = 128 * 1024  # bytes; the shells let no longer one through
ODD = {
    "deep": lambda size: '{"event":' + "[" * size,
    "deep in data": lambda size: json.dumps({"event": "pusher:subscribe", "data": "[" * size}),
    "a number": lambda size: '{"event":"client-x","data":' + "9" * size + "}",
    "backslashes": lambda size: subscribe_text(channel_data="\\" * (size // 4)),
    "auth": lambda size: subscribe_text(auth="practice-key:" + "a" * size),
    "half secrets": lambda size: subscribe_text(auth="practice-secre" * (size // 14)),
    "half secrets, encoded": lambda size: subscribe_text(auth="%70racti%25" * (size // 11)),
    "a channel": lambda size: json.dumps(subscribing("x" * size)),
    "an event": lambda size: json.dumps({"event": "x" * size}),
    "keys": lambda size: "{" + ",".join(f'"{n}":0' for n in range(size // 9)) + ',"event":"x"}',
    "surrogates": lambda size: '{"event":"' + "\\ud800" * (size // 6) + '"}',
    "client event": lambda size: json.dumps({"event": "client-x", "channel": "x" * size}),
    "a user": lambda size: json.dumps(subscribing("#server-to-user-" + "x" * size)),
    "sign in": lambda size: json.dumps(
        {"event": "pusher:signin", "data": {"auth": "a:b", "user_data": "{" * size}}
    ),
}


def subscribe_text(**fields: str) -> str:
    return json.dumps(subscribing("presence-practice-test-cases-1", **fields))


@pytest.mark.slow
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_the_work_for_a_frame_grows_no_faster_than_the_frame(sandbox, peer, make):
    def seconds(size: int) -> float:
        text, best = make(size), math.inf
        for _ in range(3):
            one = peer()
            begin = time.process_time()
            one.channels.receive(one.connection, text, now=NOW)
            best = min(best, time.process_time() - begin)
            one.leaves()
        return best

    assert seconds(FRAME) < max(0.010, 16 * seconds(FRAME // 8))
    assert seconds(FRAME) < 0.5  # measured for coverage, on a busy machine: 0.1


# --- private channels ---------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["private-x", "private-encrypted-x"])
def test_a_private_channel_opens_to_who_is_authorized(sandbox, peer, channel):
    ann = peer(channel)
    event = Event.of(channel, "n", "{}")
    assert sandbox.channels.publish(event, now=NOW) == 1
    assert ann.received == [(channel, "n", "{}")]


def test_an_encrypted_channel_carries_no_client_events(sandbox, peer):
    ann, bob = peer("private-encrypted-x"), peer("private-encrypted-x")
    answer = ann.says({"event": "client-n", "channel": "private-encrypted-x", "data": "{}"})
    told = "Client events are not supported on encrypted channels, such as private-encrypted-x."
    assert error(answer) == (None, told)
    assert not bob.received


def test_an_authorization_is_good_for_one_connection_and_one_channel(peer):
    ann, bob = peer(), peer()
    auth = authorize_channel(ann.credentials, ann.socket_id, "private-x")["auth"]
    expected = f"Expected HMAC SHA256 hex digest of {bob.socket_id}:private-x, but got "
    code, message = error(bob.says(subscribing("private-x", auth=auth)))
    assert code is None
    assert message.startswith(f"Invalid signature: {expected}")
    code, _ = error(ann.says(subscribing("private-y", auth=auth)))
    assert code is None
    assert ann.hung_up == bob.hung_up == []
    assert ann.says(subscribing("private-x", auth=auth))[0]["channel"] == "private-x"


# --- presence channels --------------------------------------------------------------------------


def joining(peer: Any, channel_data: object, channel: str = "presence-x") -> list[dict[str, Any]]:
    data = authorize_channel(peer.credentials, peer.socket_id, channel, channel_data)
    return peer.says(subscribing(channel, **data))


def presence(frames: list[dict[str, Any]]) -> dict[str, Any]:
    (frame,) = frames
    assert frame["event"] == "pusher_internal:subscription_succeeded"
    return json.loads(frame["data"])["presence"]


def inner(peer: Any) -> list[tuple[str, dict[str, Any]]]:
    """The comings and goings that a peer was told, decoded."""
    return [
        (frame["event"].removeprefix("pusher_internal:"), json.loads(frame["data"]))
        for frame in peer.frames
        if frame["event"].startswith("pusher_internal:member_")
    ]


def test_who_joins_is_told_who_is_there_and_the_others_are_told_of_them(peer):
    ann, bob = peer(), peer()
    assert presence(joining(ann, MEMBER)) == {
        "ids": ["ann"],
        "hash": {"ann": {"name": "Ann"}},
        "count": 1,
    }
    assert presence(joining(bob, {"user_id": "bob"})) == {
        "ids": ["ann", "bob"],
        "hash": {"ann": {"name": "Ann"}, "bob": None},
        "count": 2,
    }
    assert inner(ann) == [("member_added", {"user_id": "bob", "user_info": None})]
    assert inner(bob) == []
    bob.says({"event": "pusher:unsubscribe", "data": {"channel": "presence-x"}})
    assert inner(ann)[1:] == [("member_removed", {"user_id": "bob"})]


def test_one_user_with_two_connections_is_one_member(sandbox, peer):
    bob = peer("presence-x", user="bob")
    first, second = peer("presence-x", user="ann"), peer("presence-x", user="ann", info={"a": 1})
    assert inner(bob) == [("member_added", {"user_id": "ann", "user_info": None})]
    assert sandbox.channels.users("presence-x") == ["bob", "ann"]
    assert sandbox.channels.subscription_count("presence-x") == 3
    first.leaves()
    assert inner(bob)[1:] == []
    second.leaves()
    assert inner(bob)[1:] == [("member_removed", {"user_id": "ann"})]
    assert sandbox.channels.users("presence-x") == ["bob"]


def test_joining_twice_changes_nothing(peer):
    bob, ann = peer("presence-x", user="bob"), peer("presence-x", user="ann")
    assert error(joining(ann, {"user_id": "eve"}))[1].startswith("Existing subscription")
    assert len(inner(bob)) == 1


@pytest.mark.parametrize("user_id", [10, "10"])
def test_a_user_id_may_be_a_number_and_is_text_from_then_on(peer, user_id):
    assert presence(joining(peer(), {"user_id": user_id}))["ids"] == ["10"]


@pytest.mark.parametrize(
    ("channel_data", "error_text"),
    [
        ("", "expected JSON such as"),
        ("[]", "expected JSON such as"),
        ("{}", "with a user_id of 1 to 128 characters"),
        ({"user_id": ""}, "with a user_id of 1 to 128 characters"),
        ({"user_id": None}, "user_id of"),
        ({"user_id": True}, "user_id of"),
        ({"user_id": "x" * 129}, "user_id of"),
        (
            {"user_id": "a", "user_info": "x" * 10_240},
            "over the limit of 10,240 here. Pusher itself takes 1,024.",
        ),
        ('{"user_id":"a","user_info":NaN}', "cannot be encoded as JSON"),
        ('{"user_id":"a","user_info":' + "[" * 9_000 + "]" * 900 + "}", "expected JSON such as"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_who_does_not_say_who_joins_is_refused(sandbox, peer, channel_data, error_text):
    code, message = error(joining(peer(), channel_data))
    assert code is None
    assert error_text in message
    assert sandbox.channels.occupied() == []


def test_who_joins_without_saying_who_is_refused(peer):
    ann = peer()
    auth = authorize_channel(ann.credentials, ann.socket_id, "presence-x")
    code, message = error(ann.says(subscribing("presence-x", **auth)))
    assert (code, message.rpartition(", ")[2]) == (None, "got none.")


def test_half_a_character_in_a_member_travels_as_an_escape(peer):
    bob, ann = peer("presence-x", user="bob"), peer()
    joining(ann, '{"user_id":"\\ud800","user_info":"\\udfff"}')
    assert inner(bob) == [("member_added", {"user_id": "\ud800", "user_info": "\udfff"})]
    for text in ann.texts + bob.texts:
        text.encode()  # fit for the wire


def test_a_presence_channel_has_room_for_a_hundred(sandbox, peer):
    for number in range(MAX_PRESENCE_MEMBERS):
        peer("presence-x", user=f"u{number}")
    code, message = error(joining(peer(), {"user_id": "late"}))
    assert (code, message) == (None, "presence-x is full: it has 100 members.")
    peer("presence-x", user="u7")  # a member's second connection takes no further place
    assert len(sandbox.channels.users("presence-x")) == 100


# --- client events ------------------------------------------------------------------------------

TYPING = {"event": "client-typing", "channel": "private-x", "data": {"on": True}}


def test_a_client_event_reaches_the_others_with_its_data_as_text(sandbox, peer):
    ann, bob, stranger = peer("private-x"), peer("private-x"), peer("private-y")
    assert ann.says(TYPING) == []  # not echoed
    assert bob.frames[-1] == TYPING | {"data": '{"on":true}'}
    ann.says(TYPING | {"data": "text stays text"})
    assert bob.frames[-1]["data"] == "text stays text"
    assert stranger.received == []
    delivery, _ = sandbox.deliveries
    assert delivery.client_event
    assert delivery.subscribers == 1
    assert delivery.time == NOW
    assert delivery.event == Event.of("private-x", "client-typing", {"on": True}, ann.socket_id)


def test_a_client_event_in_a_presence_channel_says_who_sent_it(peer):
    ann, bob = peer("presence-x", user="ann"), peer("presence-x", user="bob")
    ann.says(TYPING | {"channel": "presence-x"})
    assert bob.frames[-1] == TYPING | {
        "channel": "presence-x",
        "user_id": "ann",
        "data": '{"on":true}',
    }


def test_a_client_event_needs_a_channel_that_is_not_public(peer):
    ann, bob = peer("chat"), peer("chat")
    code, message = error(ann.says(TYPING | {"channel": "chat"}))
    assert code is None
    assert "need a private or presence channel, not chat" in message
    assert bob.received == []


@pytest.mark.parametrize(
    ("change", "error_text"),
    [
        ({"event": "client-" + "x" * 200}, "207 characters"),
        ({"data": "x" * 102_401}, "102,401 bytes"),
        ({"data": "\ud800"}, "surrogate"),
        ({"data": {"a": "\ud800"}}, "surrogate"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_a_client_event_keeps_to_the_limits_of_every_event(peer, change, error_text):
    ann, bob = peer("private-x"), peer("private-x")
    assert error_text in error(ann.says(TYPING | change))[1]
    assert bob.received == []


def test_client_events_are_limited_per_connection_and_second(peer, clock):
    ann, bob = peer("private-x"), peer("private-x")
    for _ in range(CLIENT_EVENTS_PER_SECOND):
        assert ann.says(TYPING) == []
    assert error(ann.says(TYPING)) == (4301, "Client event rejected: over 10 in a second.")
    assert bob.says(TYPING) == []  # each has their own
    clock.now += 0.25
    assert ann.says(TYPING) == []
    assert len(bob.received) == CLIENT_EVENTS_PER_SECOND + 1
    assert ann.hung_up == []


# --- signing in -----------------------------------------------------------------------------------


def test_signing_in_is_confirmed_with_what_was_signed(peer):
    ann = peer()
    data = authenticate_user(ann.credentials, ann.socket_id, {"id": "7", "name": "Ann"})
    assert ann.says({"event": "pusher:signin", "data": data}) == [
        {
            "event": "pusher:signin_success",
            "data": '{"user_data":"{\\"id\\":\\"7\\",\\"name\\":\\"Ann\\"}"}',
        }
    ]


def signing_in(peer: Any, user_id: str = "7", **more: Any) -> list[dict[str, Any]]:
    data = authenticate_user(peer.credentials, peer.socket_id, {"id": user_id} | more)
    return peer.says({"event": "pusher:signin", "data": data})


def watched(frames: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """What came of a watchlist: who is online and who offline."""
    return [
        (event["name"], event["user_ids"])
        for frame in frames
        if frame["event"] == "pusher_internal:watchlist_events"
        for event in json.loads(frame["data"])["events"]
    ]


@pytest.mark.parametrize(
    "data", [{}, {"auth": "a:b"}, {"auth": "practice-key:00", "user_data": "{}"}]
)
def test_who_signs_in_wrongly_is_told_and_hung_up_on(sandbox, peer, data):
    ann = peer("chat")
    code, _ = error(ann.says({"event": "pusher:signin", "data": data}))
    assert code == 4009
    assert [code for code, _ in ann.hung_up] == [4009]
    assert sandbox.channels.connections == 0


@pytest.mark.parametrize(
    ("user_data", "error_text"),
    [
        ("{}", "its id is none"),
        ('{"id":""}', "its id is an empty one"),
        ('{"id":7}', "its id is no text"),
        ("null", "it isn't a JSON object"),
        ("[" * 100_000, "it isn't a JSON object"),
        ('{"id":"' + "x" * 129 + '"}', "at most 128 characters, this one 129"),
        ('{"id":"7","watchlist":"8"}', "expected watchlist to be an array"),
        ('{"id":"7","watchlist":[8]}', "expected watchlist to be an array"),
        ('{"id":"7","user_info":NaN}', "cannot be encoded as JSON"),
    ],
    ids=lambda value: value[:40],
)
def test_who_signs_in_with_data_that_names_no_user_is_refused(sandbox, peer, user_data, error_text):
    ann = peer()
    digest = hmac_sha256(ann.credentials.secret, f"{ann.socket_id}::user::{user_data}")
    data = {"auth": f"{ann.credentials.key}:{digest}", "user_data": user_data}
    code, message = error(ann.says({"event": "pusher:signin", "data": data}))
    assert code == 4009
    assert error_text in message


def test_a_connection_has_one_user(sandbox, peer):
    ann = peer()
    signing_in(ann)
    code, message = error(signing_in(ann, "8"))
    assert (code, message[:44]) == (None, "This connection is signed in as user 7, and ")
    assert ann.hung_up == []
    (entry,) = sandbox.refused_subscriptions
    assert "connect again" in entry.note
    assert signing_in(ann)[0]["event"] == "pusher:signin_success"  # as the same user it may


def test_a_message_to_a_user_reaches_all_of_their_connections_and_nobody_else(sandbox, peer):
    phone, laptop, other = peer(), peer(), peer()
    channel = "#server-to-user-7"
    for one, user_id in ((phone, "7"), (laptop, "7"), (other, "8")):
        signing_in(one, user_id)
    for one in (phone, laptop):
        assert one.says(subscribing(channel))[0]["event"].endswith("subscription_succeeded")
    event = Event.of(channel, "invited", {"to": "chess"})
    assert sandbox.channels.publish(event, now=NOW) == 2
    assert phone.received == laptop.received == [(channel, "invited", '{"to":"chess"}')]
    for one in (other, peer()):
        code, message = error(one.says(subscribing(channel)))
        assert (code, message.partition(":")[0]) == (None, f"Cannot subscribe to {channel}")
    assert sandbox.refused_subscriptions[-1].note.count("\n") == 1


def test_any_id_may_be_written_to(sandbox, peer):
    """An id isn't a channel's name: pusher-http-node's tests have this one."""
    ann = peer()
    signing_in(ann, "ą§¶™€łü€ß£")
    assert ann.says(subscribing("#server-to-user-ą§¶™€łü€ß£"))[0]["event"] != "pusher:error"
    event = Event.of("#server-to-user-ą§¶™€łü€ß£", "n", "")
    assert sandbox.channels.publish(event, now=NOW) == 1


def test_a_signed_in_user_joins_a_presence_channel_without_channel_data(sandbox, peer):
    bob, ann = peer("presence-x", user="bob"), peer()
    signing_in(ann, "ann", user_info={"name": "Ann"}, email="not told")
    auth = authorize_channel(ann.credentials, ann.socket_id, "presence-x")
    assert presence(ann.says(subscribing("presence-x", **auth)))["hash"]["ann"] == {"name": "Ann"}
    assert inner(bob) == [("member_added", {"user_id": "ann", "user_info": {"name": "Ann"}})]


def test_channel_data_counts_for_more_than_the_sign_in(sandbox, peer):
    ann = peer()
    signing_in(ann, "ann")
    assert presence(joining(ann, {"user_id": "masked"}))["ids"] == ["masked"]


def test_who_is_watched_is_told_of(peer):
    ann, bob, second = peer(), peer(), peer()
    assert watched(signing_in(ann, "ann", watchlist=["bob", "eve", "bob"])) == [
        ("offline", ["bob", "eve"])
    ]
    assert watched(signing_in(bob, "bob", watchlist=["ann", "eve"])) == [
        ("online", ["ann"]),
        ("offline", ["eve"]),
    ]
    assert watched(ann.frames)[1:] == [("online", ["bob"])]
    signing_in(second, "bob")
    signing_in(second, "bob")  # again, and with a second connection: he was there already
    bob.leaves()
    assert watched(ann.frames)[2:] == []
    second.leaves()
    assert watched(ann.frames)[2:] == [("offline", ["bob"])]
    ann.leaves()
    signing_in(peer(), "bob")
    assert watched(ann.frames)[3:] == []


def test_of_a_long_watchlist_the_first_hundred_count(sandbox, peer):
    ann = peer()
    success, told, events = signing_in(ann, "ann", watchlist=[f"u{n}" for n in range(101)])
    assert success["event"] == "pusher:signin_success"
    assert told["data"]["code"] == 4302
    assert [len(user_ids) for _, user_ids in watched([events])] == [100]


def test_a_user_is_disconnected_with_all_connections(sandbox, peer):
    phone, laptop, other = peer("chat"), peer("chat"), peer("chat")
    for one, user_id in ((phone, "7"), (laptop, "7"), (other, "8")):
        signing_in(one, user_id)
    assert sandbox.channels.terminate("7") == 2
    assert phone.hung_up == laptop.hung_up == [(4009, "You got disconnected by the app.")]
    assert other.hung_up == []
    assert sandbox.channels.subscription_count("chat") == 1
    assert sandbox.channels.terminate("7") == sandbox.channels.terminate("nobody") == 0


def test_a_channel_without_presence_names_nobody(sandbox, peer):
    peer("chat")
    assert sandbox.channels.subscription_count("chat") == 1
    assert sandbox.channels.users("chat") == []
