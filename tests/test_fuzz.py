"""Whatever arrives, the practice server answers with a sentence, stays up and stays bounded.

fuzzing.py says how many requests, and how to send a million.
"""

from __future__ import annotations

import json
import logging
import socket
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pusherkit import Client, Credentials, Event, authenticate_user, authorize_channel, sign
from pusherkit.events import batch_body, event_body
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Reply, Sandbox, SandboxServer
from pusherkit.sandbox.api import LOG_ENTRIES, MAX_BODY_BYTES
from pusherkit.sandbox.channels import (
    ACTIVITY_TIMEOUT_SECONDS,
    CLIENT_EVENTS_PER_SECOND,
    MAX_SUBSCRIPTIONS,
    PONG_TIMEOUT_SECONDS,
)
from pusherkit.sandbox.personalities import PERSONALITIES
from pusherkit.sandbox.rate import TokenBucket

from .conftest import NOW, Clock, Peer
from .fuzzing import ANY_TEXT, JSON_VALUES, TEXT, examples, mutations

APP = f"/apps/{PRACTICE_CREDENTIALS.app_id}"
EVENTS = f"{APP}/events".encode()
SECRET = PRACTICE_CREDENTIALS.secret
ADA = replace(PRACTICE_CREDENTIALS, key="ada", secret="lovelace-1815-engine")  # another key

# What tends to break a reader, to be put anywhere.
TOKENS = st.one_of(
    st.binary(max_size=8),
    TEXT.map(str.encode),
    st.sampled_from(
        [
            *(b"%", b"%ff", b"%00", b"%2F", b"+", b"&", b"=", b"?", b"#", b"/", b"..", b"\r\n"),
            *(b"&info=user_count", b"&auth_key=x", b"&a=1" * 120, b"\0", b"\xff", b"\xed\xa0\x80"),
            *(b"[", b"{", b"]", b"}", b",", b":", b'"', b"\\", b"NaN", b"-Infinity", b"1e999"),
            *(b"9" * 5_000, b"[" * 2_000, b'{"a":' * 2_000, rb'"\ud800"', b'"data":', b"null"),
            *(b"'", b'"channel":"a",', SECRET.encode()),
        ]
    ),
)

# --- HTTP ---------------------------------------------------------------------------------------

HELLO = Event.of("chat", "message", {"text": "hello"}, info=["subscription_count"])
BODIES = st.sampled_from(
    [
        b"",
        event_body(HELLO),
        event_body(Event.of(["presence-x", SECRET], "é", "☕", "1.1", info="user_count")),
        batch_body([HELLO, Event.of("presence-x", "n", "")]),
    ]
)
FIELDS = st.sampled_from(["name", "data", "channel", "channels", "socket_id", "info", "batch"])
VALUES = JSON_VALUES | st.sampled_from(["chat", "n", ["chat"], "1.1", "user_count"])
OBJECTS = st.dictionaries(FIELDS, VALUES)
JSON_BODIES = (OBJECTS | st.builds(lambda batch: {"batch": batch}, st.lists(OBJECTS | VALUES))).map(
    lambda value: json.dumps(value).encode()
)
METHODS = st.sampled_from(["GET", "POST"]) | ANY_TEXT
TARGETS = st.sampled_from(
    [
        *(f"{APP}/{call}".encode() for call in ("events", "batch_events", "channels")),
        *(f"{APP}/channels/presence-x{rest}?info=user_count".encode() for rest in ("", "/users")),
        f"{APP}/channels?filter_by_prefix=presence-&info=user_count".encode(),
    ]
)


def signed(
    method: str, target: bytes, body: bytes, credentials: Credentials = PRACTICE_CREDENTIALS
) -> RawRequest:
    """A request signed as it stands; where its URL cannot be read, not signed."""
    try:
        path, _, query = target.decode().partition("?")
        params = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return RawRequest(method=method, target=target, body=body)
    signature = sign(credentials, method, path, params, body, timestamp=NOW)
    return RawRequest(
        method=method, target=f"{path}?{urlencode(signature.query)}".encode(), body=body
    )


def answered(sandbox: Sandbox, request: RawRequest) -> Reply:
    """The answer to a request: JSON, without the secret, and where it is a refusal, a sentence."""
    reply = sandbox.handle(request, now=NOW)
    told = json.loads(reply.body)
    if reply.status == 200:  # it may count the subscribers of a channel that is named like this
        logged = replace(sandbox.log[-1], reply=replace(reply, body=b""))
    else:
        assert 400 <= reply.status < 500
        assert len(told["error"]) > 10
        logged = sandbox.log[-1]
    assert SECRET not in repr(logged)
    assert len(sandbox.log) <= LOG_ENTRIES
    assert len(sandbox.deliveries) <= LOG_ENTRIES
    return reply


# Each for all the requests of its test: what grows would be seen to grow.
ANYTHING, UNSIGNED, RIGHT, WRONG = Sandbox(), Sandbox(), Sandbox(), Sandbox()
SEVERAL = Sandbox(find_key={"ada": ADA}.get)


@examples(2)
@given(METHODS, TOKENS | mutations(TARGETS, TOKENS), st.binary())
def test_any_request_is_answered(method: str, target: bytes, body: bytes) -> None:
    answered(ANYTHING, RawRequest(method=method, target=target, body=body))


@examples(4)
@given(mutations(TARGETS, TOKENS), mutations(BODIES | JSON_BODIES, TOKENS))
def test_any_signed_request_is_answered(target: bytes, body: bytes) -> None:
    method = "POST" if target.partition(b"?")[0].endswith(b"events") else "GET"
    answered(RIGHT, signed(method, target, body))


@examples(0.25)
@given(st.data(), TARGETS, BODIES)
def test_any_change_of_a_signed_request_is_answered(
    data: st.DataObject, target: bytes, body: bytes
) -> None:
    request = signed("POST", target, body)
    changed = RawRequest(
        method=data.draw(METHODS | st.just(SECRET)),
        target=data.draw(mutations(st.just(request.target), TOKENS)),
        body=data.draw(mutations(st.just(body), TOKENS)),
    )
    answered(WRONG, changed)


NAMING = st.sampled_from([b"", b"&auth_key=ada", b"&AUTH%5fKEY=%61da", b"&auth_key=practice-key"])


@examples(0.5)
@given(st.data(), TARGETS, BODIES)
def test_any_change_of_a_learners_request_hides_the_secrets_of_the_keys_that_it_names(
    data: st.DataObject, target: bytes, body: bytes
) -> None:
    request = signed("POST", target, body, ADA)
    tokens = TOKENS | st.just(ADA.secret.encode())
    changed = RawRequest(
        method=data.draw(METHODS | st.just(ADA.secret)),
        target=data.draw(mutations(st.just(request.target), tokens)) + data.draw(NAMING),
        body=data.draw(mutations(st.just(body), tokens)),
    )
    reply = answered(SEVERAL, changed)
    if SEVERAL.named_by(changed).credentials.holds(ADA.secret):
        assert ADA.secret not in repr(SEVERAL.log[-1])
        assert reply.status == 200 or ADA.secret.encode() not in reply.body


# Words that stand in every refusal.
@pytest.mark.parametrize("secret", ["secret", "checks", "canonical_string", "diagnosis", "error"])
def test_a_refusal_can_be_read_whatever_the_secret(secret: str) -> None:
    sandbox = Sandbox(replace(PRACTICE_CREDENTIALS, secret=secret))
    told = json.loads(sandbox.handle(signed("POST", EVENTS, b""), now=NOW).body)
    explained = {"diagnosis", "diagnosis_complete", "canonical_string", "checks"}
    assert told.keys() == {"error", "rule", "fix"} | explained
    assert told["error"].startswith("Invalid signature: you should have sent HmacSHA256Hex(")
    assert "your_secret_key), but you sent" in told["error"]


@pytest.mark.parametrize("size", [MAX_BODY_BYTES, 10_000_000])
@pytest.mark.parametrize("piece", [b"[", b'{"a":', b"9", b" ", b'"', b"\\", b"\xff", b"{}"])
def test_a_huge_body_is_refused(piece: bytes, size: int) -> None:
    body = (piece * size)[:size]
    reply = answered(Sandbox(), signed("POST", EVENTS, body))
    assert reply.status == (413 if size > MAX_BODY_BYTES else 400)


def deepest() -> int:
    """How many lists in lists the JSON reader takes from here: the stack decides."""

    def reads(depth: int) -> bool:
        try:
            json.loads("[" * depth + "]" * depth)
        except RecursionError:
            return False
        return True

    low, high = 1, 1_000_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if reads(middle) else (low, middle - 1)
    return low


# Deeper in the server the stack is fuller, by fewer calls than this.
DEPTHS = range(-60, 3)


@pytest.mark.parametrize("field", ["name", "data", "socket_id", "info", "channel", "channels"])
def test_json_just_shallow_enough_to_be_read_is_answered(field: str) -> None:
    fields = {"name": "n", "data": "", "channel": "chat", "socket_id": "1.1", "info": ""}
    fields |= {field: "HERE"}
    if field == "channels":
        del fields["channel"]
    sandbox, limit = Sandbox(), deepest()
    for depth in (limit + more for more in DEPTHS):
        body = json.dumps(fields).replace('"HERE"', "[" * depth + "]" * depth).encode()
        reply = answered(sandbox, signed("POST", EVENTS, body))
        assert reply.status == 400


@pytest.mark.parametrize("name", PERSONALITIES)
def test_data_just_shallow_enough_to_be_read_is_answered_by_each_server_that_is_played(
    name: str,
) -> None:
    sandbox, limit = Sandbox(personality=name), deepest()
    for depth in (limit + more for more in DEPTHS):
        data = "[" * depth + "]" * depth
        body = '{"name":"n","channel":"chat","data":HERE}'.replace("HERE", data).encode()
        sandbox.handle(signed("POST", EVENTS, body), now=NOW)
    assert [exchange.strict.status for exchange in sandbox.log] == [400] * len(DEPTHS)


# --- WebSocket ------------------------------------------------------------------------------------


ENCRYPTING = replace(PRACTICE_CREDENTIALS, encryption_master_key_base64="A" * 43 + "=")


def frame_of(event: str, data: object, **fields: str) -> bytes:
    return json.dumps({"event": event, "data": data, **fields}).encode()


def subscribing(channel: str, member: object = None) -> bytes:
    """The frame with which the first connection of a server subscribes."""
    answer = authorize_channel(ENCRYPTING, "1.1", channel, member)
    return frame_of("pusher:subscribe", {"channel": channel, **answer})


EVENT_NAMES = ["subscribe", "unsubscribe", "signin", "ping", "pong", "error"]
FRAMES = st.sampled_from(
    [
        *map(subscribing, ["chat", "private-x", "private-encrypted-x", SECRET]),
        subscribing("presence-x", {"user_id": "ann", "user_info": {"name": "☕"}}),
        frame_of("pusher:unsubscribe", {"channel": "presence-x"}),
        frame_of("pusher:signin", authenticate_user(PRACTICE_CREDENTIALS, "1.1", {"id": "7"})),
        frame_of("client-typing", {"on": True}, channel="presence-x"),
        frame_of("client-typing", "text", channel="private-x"),
        frame_of("pusher:ping", "{}"),
    ]
)
JSON_FRAMES = st.fixed_dictionaries(
    {"event": st.sampled_from([f"pusher:{name}" for name in EVENT_NAMES]) | ANY_TEXT},
    optional={
        "data": JSON_VALUES
        | st.dictionaries(st.sampled_from(["channel", "auth", "channel_data"]), JSON_VALUES),
        "channel": JSON_VALUES,
    },
) | st.fixed_dictionaries(
    {
        "event": ANY_TEXT.map("client-{}".format),
        "data": JSON_VALUES,
        "channel": st.sampled_from(["private-x", "presence-x"]),
    }
)
TEXTS = st.one_of(
    mutations(FRAMES, TOKENS).map(lambda frame: frame.decode(errors="replace")),
    JSON_FRAMES.map(json.dumps),
    ANY_TEXT,
)


def is_well_formed(text: str) -> bool:
    """A frame to a client: JSON in UTF-8, its data a string where the server wrote it."""
    told = json.loads(text.encode())
    if told["event"] == "pusher:error":
        return set(told["data"]) == {"code", "message"} and SECRET not in text
    return told["event"].startswith("client-") or isinstance(told["data"], str)


@examples(4)
@given(st.lists(TEXTS, max_size=8))
def test_any_frame_is_answered_or_passed_on(texts: list[str]) -> None:
    sandbox, clock = Sandbox(), Clock()
    ann, bob = (Peer(sandbox, clock) for _ in "ab")
    for frame in (subscribing("private-x"), subscribing("presence-x", {"user_id": "ann"})):
        ann.says(frame.decode())
    bob.subscribes("private-x", "presence-x", user="bob")
    for text in texts:
        sandbox.channels.receive(ann.connection, text, now=NOW)
    assert all(map(is_well_formed, ann.texts + bob.texts))
    assert all(frame["event"] != "pusher:error" for frame in bob.frames)
    channels = sandbox.channels
    assert channels.connections == (1 if ann.hung_up else 2)
    counts = {name: channels.subscription_count(name) for name in channels.occupied()}
    subscriptions = [*ann.connection.subscriptions, *bob.connection.subscriptions]
    assert counts == {name: subscriptions.count(name) for name in subscriptions}


def test_a_frame_just_shallow_enough_to_be_read_is_answered() -> None:
    sandbox, limit = Sandbox(), deepest()
    ann, bob = (Peer(sandbox, Clock()).subscribes("private-x") for _ in "ab")
    for second, depth in enumerate(limit + more for more in DEPTHS):
        text = '{"event":"client-n","channel":"private-x","data":HERE}'
        text = text.replace("HERE", "[" * depth + "]" * depth)
        before = len(ann.texts) + len(bob.texts)
        sandbox.channels.receive(ann.connection, text, now=NOW + second)
        assert len(ann.texts) + len(bob.texts) == before + 1  # passed on, or refused


# --- channels, step by step -----------------------------------------------------------------------

ENCRYPTED = "private-encrypted-x"
NAMES = ["chat", "news", "private-x", ENCRYPTED, "presence-x", "presence-y"]
USERS = ["ann", "bob", "eve"]
MAX_PEERS = 6  # at a time: enough for two of each user
TOLD = tuple[str, str, str]  # event, channel, and the rest as JSON


class Everybody(RuleBasedStateMachine):
    """Peers come, subscribe, speak and go; a simple model says who is told what at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.sandbox = Clock(), Sandbox()
        self.peers: list[Peer] = []
        self.gone: list[tuple[Peer, int]] = []  # each with how many frames it ever got
        # Who is subscribed, in order, each with the user and the info that they gave.
        self.subscribed: dict[str, dict[Peer, tuple[str, object]]] = {name: {} for name in NAMES}
        self.heard: dict[Peer, float] = {}
        self.pinged: dict[Peer, float] = {}  # those that were asked and not heard since, and when
        self.ticked: float | None = None
        self.allowances: dict[Peer, TokenBucket] = {}
        self.expected: dict[Peer, list[TOLD]] = {}
        self.seen: dict[Peer, int] = {}
        self.published: list[int] = []  # the frames that each event made
        self.joins = 0

    # What the model knows.

    def users(self, channel: str) -> dict[str, object]:
        users: dict[str, object] = {}
        for user, info in self.subscribed[channel].values():
            users.setdefault(user, info)
        return users

    def expect(self, peer: Peer, event: str, channel: str = "", **rest: object) -> None:
        self.expected[peer].append((event, channel, json.dumps(rest, sort_keys=True)))

    def expect_all(self, channel: str, event: str, but: Peer | None = None, **rest: object) -> int:
        told = [peer for peer in self.subscribed[channel] if peer is not but]
        for peer in told:
            self.expect(peer, event, channel, **rest)
        return len(told)

    def expect_success(self, peer: Peer, channel: str) -> None:
        data: dict[str, object] = {}
        if channel.startswith("presence-"):
            users = self.users(channel)
            data = {"presence": {"ids": list(users), "hash": users, "count": len(users)}}
        self.expect(peer, "pusher_internal:subscription_succeeded", channel, data=data)

    def forget(self, peer: Peer, channel: str) -> None:
        user, _ = self.subscribed[channel].pop(peer, ("", None))
        if channel.startswith("presence-") and user and user not in self.users(channel):
            self.expect_all(channel, "pusher_internal:member_removed", data={"user_id": user})

    def forget_all(self, peer: Peer) -> None:
        for channel in NAMES:
            self.forget(peer, channel)
        self.peers.remove(peer)

    def hear(self, number: int) -> Peer:
        """One of the peers, who is about to say something."""
        peer = self.peers[number % len(self.peers)]
        self.heard[peer] = self.clock.now
        self.pinged.pop(peer, None)
        return peer

    # What happens.

    @initialize()
    def begin(self) -> None:
        self.connect()
        self.connect()

    @precondition(lambda self: len(self.peers) < MAX_PEERS)
    @rule()
    def connect(self) -> None:
        peer = Peer(self.sandbox, self.clock)
        self.peers.append(peer)
        self.heard[peer] = self.clock.now
        self.allowances[peer] = TokenBucket(CLIENT_EVENTS_PER_SECOND)
        self.expected[peer], self.seen[peer] = [], 1  # the greeting

    @precondition(lambda self: self.peers)
    @rule(
        number=st.integers(0, MAX_PEERS - 1),
        channel=st.sampled_from(NAMES),
        user=st.sampled_from(USERS),
        proof=st.sampled_from(["right", "right", "right", "none", "of another"]),
    )
    def subscribe(self, number: int, channel: str, user: str, proof: str) -> None:
        peer, needs_proof = self.hear(number), channel not in ("chat", "news")
        socket_id = peer.socket_id if proof == "right" else "9999.9999"
        self.joins += 1
        member = {"user_id": user, "user_info": self.joins}
        data = {"channel": channel}
        if needs_proof and proof != "none":
            of_whom = member if channel.startswith("presence-") else None
            data |= authorize_channel(peer.encrypting, socket_id, channel, of_whom)
        peer.says({"event": "pusher:subscribe", "data": data})
        if peer in self.subscribed[channel] or (needs_proof and proof != "right"):
            self.expect(peer, "pusher:error", code=None)
        else:
            new = user not in self.users(channel)
            self.subscribed[channel][peer] = (user, self.joins)
            self.expect_success(peer, channel)
            if new and channel.startswith("presence-"):
                self.expect_all(channel, "pusher_internal:member_added", but=peer, data=member)

    @precondition(lambda self: self.peers)
    @rule(number=st.integers(0, MAX_PEERS - 1), channel=st.sampled_from(NAMES))
    def unsubscribe(self, number: int, channel: str) -> None:
        peer = self.hear(number)
        peer.says({"event": "pusher:unsubscribe", "data": {"channel": channel}})
        if peer not in self.subscribed[channel]:
            self.expect(peer, "pusher:error", code=None)
        self.forget(peer, channel)

    @precondition(lambda self: self.peers)
    @rule(
        number=st.integers(0, MAX_PEERS - 1),
        channel=st.sampled_from(NAMES),
        data=st.sampled_from(["", {"on": True}]),
    )
    def say(self, number: int, channel: str, data: object) -> None:
        peer = self.hear(number)
        peer.says({"event": "client-n", "channel": channel, "data": data})
        if channel in ("chat", "news", ENCRYPTED) or peer not in self.subscribed[channel]:
            self.expect(peer, "pusher:error", code=None)
        elif self.allowances[peer].take(self.clock.now):
            self.expect(peer, "pusher:error", code=4301)
        else:
            user, _ = self.subscribed[channel][peer]
            sender = {"user_id": user} if channel.startswith("presence-") else {}
            sent = self.expect_all(channel, "client-n", but=peer, data=data, **sender)
            self.published.append(sent)

    @rule(
        channels=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
        but=st.none() | st.integers(0, MAX_PEERS - 1),
        data=TEXT,
    )
    def publish(self, channels: list[str], but: int | None, data: str) -> None:
        channels = [ENCRYPTED] if ENCRYPTED in channels else channels  # it stands alone
        spared = self.peers[but % len(self.peers)] if but is not None and self.peers else None
        event = Event.of(channels, "n", data, spared.socket_id if spared else None)
        sent = self.sandbox.channels.publish(event, now=self.clock.now)
        told = [self.expect_all(name, "n", but=spared, data=data) for name in set(channels)]
        assert sent == sum(told)
        self.published.append(sent)

    @precondition(lambda self: self.peers)
    @rule(number=st.integers(0, MAX_PEERS - 1), nonsense=st.booleans())
    def ping(self, number: int, nonsense: bool) -> None:
        peer = self.hear(number)
        peer.says("nonsense" if nonsense else {"event": "pusher:ping"})
        if nonsense:
            self.expect(peer, "pusher:error", code=None)
        else:
            self.expect(peer, "pusher:pong", data={})

    @precondition(lambda self: self.peers)
    @rule(number=st.integers(0, MAX_PEERS - 1))
    def leave(self, number: int) -> None:
        peer = self.peers[number % len(self.peers)]
        peer.leaves()
        self.forget_all(peer)
        self.gone.append((peer, len(peer.texts)))

    @rule(seconds=st.sampled_from([0, 0.1, 1, 15, 29, 30, 119, 120, 150]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.sandbox.channels.tick(self.clock.now)
        now, last = self.clock.now, self.ticked
        self.ticked = now
        for peer in tuple(self.peers):
            if peer not in self.pinged:
                if now - self.heard[peer] >= ACTIVITY_TIMEOUT_SECONDS:
                    self.pinged[peer] = now
                    self.expect(peer, "pusher:ping", data={})
            elif last is not None and now - last > PONG_TIMEOUT_SECONDS:
                self.pinged[peer] = now  # the clock jumped
            elif now - self.pinged[peer] >= PONG_TIMEOUT_SECONDS:
                assert [code for code, _ in peer.hung_up] == [4201]
                self.forget_all(peer)
                self.gone.append((peer, len(peer.texts)))

    # What must be so after each step.

    @invariant()
    def everybody_is_told_what_the_model_expects(self) -> None:
        for peer in self.peers:
            texts = peer.texts[self.seen[peer] :]
            assert all(map(is_well_formed, texts))
            # In one step a peer may leave several channels, in whatever order.
            assert sorted(map(told_of, texts)) == sorted(self.expected[peer])
            self.seen[peer] += len(texts)
            self.expected[peer].clear()
            assert peer.hung_up == []
        for peer, count in self.gone:
            assert len(peer.texts) == count

    @invariant()
    def the_counts_are_those_of_the_model(self) -> None:
        channels = self.sandbox.channels
        assert channels.connections == len(self.peers)
        assert channels.occupied() == sorted(name for name in NAMES if self.subscribed[name])
        for name in NAMES:
            assert channels.subscription_count(name) == len(self.subscribed[name])
            if name.startswith("presence-"):
                assert channels.users(name) == list(self.users(name))
        made = [delivery.subscribers for delivery in self.sandbox.deliveries]
        assert made == self.published[-LOG_ENTRIES:]


def told_of(text: str) -> TOLD:
    """A frame as the model expects it: of an error only the code, of data its JSON."""
    told = json.loads(text)
    event, channel, data = told.pop("event"), told.pop("channel", ""), told.get("data")
    if event == "pusher:error":
        told = {"code": data["code"]}
    elif event.startswith("pusher"):
        told["data"] = json.loads(data)
    return event, channel, json.dumps(told, sort_keys=True)


TestEverybody = Everybody.TestCase
TestEverybody.settings = examples(0.5, stateful_step_count=40)


def test_subscriptions_and_memory_are_bounded_whatever_one_asks_for() -> None:
    sandbox = Sandbox()
    busy = Peer(sandbox, Clock())
    for number in range(2 * MAX_SUBSCRIPTIONS):
        busy.says({"event": "pusher:subscribe", "data": {"channel": f"c{number}"}})
    assert len(busy.connection.subscriptions) == MAX_SUBSCRIPTIONS
    for number in range(LOG_ENTRIES + 100):
        sandbox.channels.publish(Event.of("c0", "n", str(number)), now=NOW)
        answered(sandbox, RawRequest(method="GET", target=b"/"))
    assert len(sandbox.deliveries) == len(sandbox.log) == LOG_ENTRIES


# --- sockets --------------------------------------------------------------------------------------

UPGRADE = (
    b"GET /app/practice-key?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def masked(payload: bytes, opcode: int = 0x1) -> bytes:
    """A short WebSocket frame of a client, with a mask of zeros (RFC 6455, section 5.2)."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


SESSIONS = st.sampled_from(
    [
        b"POST /apps/6855671/events?a=%20 HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]\r\nExpect: 100-continue\r\n\r\n" * 2,
        UPGRADE + masked(b'{"event":"pusher:subscribe","data":{"channel":"chat"}}'),
        UPGRADE + masked(b"ping", 0x9) + masked(b"{") + masked(b"\x03\xe8", 0x8),
        UPGRADE + masked(b"\xff", 0x2) + masked(b"\xff"),
    ]
)
SOCKET_TOKENS = TOKENS | st.sampled_from(
    [
        *(b"\r\n\r\n", b"\n", b" ", b"HTTP/1.1", b"HTTP/9.9", b"Content-Length: 5\r\n", UPGRADE),
        *(b"Content-Length: -1\r\n", b"Content-Length: x\r\n", b"Connection: close\r\n"),
        *(b"Content-Encoding: gzip\r\n", b"Host: \r\n", b"\x81\xff" + b"\xff" * 8, b"\x88\x85"),
    ]
)


def test_any_bytes_on_the_socket_do_no_harm(
    server: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(server.credentials) as client:
        address = (client.http.base_url.host, client.http.base_url.port)

        @examples(3)
        @given(st.binary() | mutations(SESSIONS, SOCKET_TOKENS))
        def survives(data: bytes) -> None:
            with socket.create_connection(address, timeout=30) as raw:
                try:
                    raw.sendall(data)
                    raw.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: raw.recv(65_536), b""))
                except ConnectionError:  # it has heard enough
                    answer = b""
            if answer:
                version, status, _ = answer.split(b" ", 2)
                assert version == b"HTTP/1.1"
                assert int(status) < 500
            assert client.channel_info("nobody") == {"occupied": False}

        survives()
    # Below a warning there's what took long, which Python's collector can do to any step.
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in told] == []
