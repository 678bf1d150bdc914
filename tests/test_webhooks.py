"""Webhooks: which are sent, when, how often, and what is said of them. No clock, no socket."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pusherkit import Credentials, Event, PusherError, diagnose_webhook, verify_webhook
from pusherkit.sandbox import PRACTICE_CREDENTIALS, Sandbox
from pusherkit.sandbox.webhooks import (
    BATCH_SECONDS,
    DEPARTURE_SECONDS,
    MAX_ATTEMPTS,
    MAX_BATCH_EVENTS,
    MAX_WAITING_CHARACTERS,
    MAX_WAITING_EVENTS,
    UNANSWERED,
    Post,
    Webhook,
    WebhookCall,
    Webhooks,
    check_webhook_url,
)
from tests.conftest import NOW, Peer


class Receiver:
    """What a shell does, with a clock that is moved by hand."""

    def __init__(self, webhooks: Webhooks) -> None:
        self.webhooks = webhooks
        self.ticks = 0.0

    def after(self, seconds: float) -> Post | None:
        self.ticks += seconds
        return self.webhooks.take(self.ticks, now=NOW + self.ticks)

    def events(self, seconds: float = DEPARTURE_SECONDS + BATCH_SECONDS) -> list[dict[str, Any]]:
        """What is told within so many seconds, if all of it is received."""
        told = []
        end = self.ticks + seconds
        while (wait := self.webhooks.wait(self.ticks)) is not None and self.ticks + wait <= end:
            if post := self.after(wait):
                told += post.webhook.events
                self.answers(post, 200)
        self.ticks = end
        return told

    def answers(self, post: Post, status: int | None, problem: str = "") -> WebhookCall:
        return self.webhooks.answered(post, status, problem, ticks=self.ticks, now=NOW + self.ticks)


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks(PRACTICE_CREDENTIALS)


@pytest.fixture
def receiver(webhooks: Webhooks) -> Receiver:
    return Receiver(webhooks)


@pytest.fixture
def sandbox(webhooks: Webhooks) -> Sandbox:
    return Sandbox(webhooks=webhooks)


def occupied(channel: str = "order-41") -> dict[str, str]:
    return {"name": "channel_occupied", "channel": channel}


def vacated(channel: str = "order-41") -> dict[str, str]:
    return {"name": "channel_vacated", "channel": channel}


def member(name: str, user: str, channel: str = "presence-couriers") -> dict[str, str]:
    return {"name": f"member_{name}", "channel": channel, "user_id": user}


# --- what happens in the channels ----------------------------------------------------------------


def test_the_first_subscriber_occupies_a_channel_and_the_last_vacates_it(receiver, peer):
    one, other = peer("order-41"), peer("order-41")
    assert receiver.events() == [occupied()]
    one.leaves()
    assert receiver.events() == []
    other.says({"event": "pusher:unsubscribe", "data": {"channel": "order-41"}})
    assert receiver.events() == [vacated()]


def test_members_come_with_their_first_connection_and_go_with_their_last(receiver, peer):
    room = "presence-couriers"
    ann, again, bob = (peer(room, user=user) for user in ("ann", "ann", "bob"))
    assert receiver.events() == [occupied(room), member("added", "ann"), member("added", "bob")]
    ann.leaves()
    assert receiver.events() == []
    again.leaves()
    assert receiver.events() == [member("removed", "ann")]
    bob.leaves()
    assert receiver.events() == [member("removed", "bob"), vacated(room)]


@pytest.mark.parametrize(
    ("channel", "who"), [("private-x", {}), ("presence-x", {"user_id": "ann"})], ids=str
)
def test_a_client_event_is_told_with_who_sent_it(receiver, peer, channel, who):
    ann = peer(channel, user="ann")
    receiver.events()
    ann.says({"event": "client-typing", "channel": channel, "data": {"text": "Zoë"}})
    assert receiver.events() == [
        {
            "name": "client_event",
            "channel": channel,
            "event": "client-typing",
            "data": '{"text":"Zoë"}',
            "socket_id": ann.socket_id,
        }
        | who
    ]


def test_an_empty_cache_channel_is_told_once_however_many_find_it_so(receiver, sandbox, peer):

    missed = {"name": "cache_miss", "channel": "cache-41"}
    one, other = peer("cache-41"), peer("cache-41")
    assert receiver.events() == [occupied("cache-41"), missed]
    sandbox.channels.publish(Event.of("cache-41", "status", "packed"), now=NOW)
    peer("cache-41").leaves()
    assert receiver.events() == []
    for each in (one, other):
        each.leaves()
    receiver.events()
    sandbox.channels.publish(Event.of("cache-41", "status", "old"), now=NOW - 10_000)
    peer("cache-41")
    assert receiver.events() == [occupied("cache-41"), missed]


def test_counts_are_told_where_they_are_switched_on(webhooks, receiver, clock):
    sandbox = Sandbox(webhooks=webhooks, subscription_count=True)
    one = Peer(sandbox, clock).subscribes("chat")
    one.leaves()
    assert [(event["name"], event.get("subscription_count")) for event in receiver.events()] == [
        ("channel_occupied", None),
        ("subscription_count", 1),
        ("subscription_count", 0),
        ("channel_vacated", None),
    ]


def test_who_is_cut_off_while_it_subscribes_leaves_nothing_but_the_end(receiver, sandbox, clock):
    """It reads too slowly for its own welcome, so the shell closes it in the middle."""
    slow = Peer(sandbox, clock)
    slow.connection.send = lambda text: sandbox.channels.close(slow.connection)
    sandbox.channels.receive(
        slow.connection, '{"event":"pusher:subscribe","data":{"channel":"chat"}}', now=NOW
    )
    assert receiver.events() == [vacated("chat")]
    assert sandbox.channels.occupied() == []


def test_who_is_closed_again_while_it_closes_is_told_of_once(webhooks, peer):
    """Who hears of a webhook at once, in the same process, may act on it at once."""
    one = peer("a", "b")
    webhooks.noted = one.leaves
    one.leaves()
    events = Receiver(webhooks).events()
    assert sorted(event["channel"] for event in events if event["name"] == "channel_vacated") == [
        "a",
        "b",
    ]


def test_without_webhooks_nothing_is_collected(clock):
    sandbox = Sandbox()
    Peer(sandbox, clock).subscribes("chat")
    assert sandbox.webhooks is None
    assert list(sandbox.webhook_calls) == []


# --- departures wait -----------------------------------------------------------------------------


def test_who_is_back_in_time_was_never_gone(receiver, peer):
    ann = peer("presence-couriers", user="ann")
    receiver.events()
    ann.leaves()
    assert receiver.events(DEPARTURE_SECONDS - 0.1) == []
    peer("presence-couriers", user="ann")
    assert receiver.events() == []


def test_who_is_back_too_late_was_gone(receiver, peer):
    peer("order-41").leaves()
    assert receiver.events(DEPARTURE_SECONDS - 0.1) == [occupied()]
    assert receiver.events() == [vacated()]
    peer("order-41")
    assert receiver.events() == [occupied()]


def test_one_who_is_back_says_nothing_of_the_others(receiver, peer):
    ann, bob = (peer("presence-couriers", user=user) for user in ("ann", "bob"))
    peer("order-41").leaves()
    receiver.events(1)
    ann.leaves()
    bob.leaves()
    peer("presence-couriers", user="bob")
    assert receiver.events() == [vacated(), member("removed", "ann")]


def test_what_happens_as_a_departure_is_due_is_told_with_it(receiver, webhooks):
    """While a shell waits for a slow answer, both come together."""
    webhooks.note(vacated("order-41"))
    assert receiver.after(0) is None
    webhooks.note(occupied("order-42"))
    assert receiver.after(DEPARTURE_SECONDS) is None
    assert receiver.events() == [occupied("order-42"), vacated("order-41")]


def test_without_a_delay_all_is_told_as_it_happens():
    receiver = Receiver(Webhooks(PRACTICE_CREDENTIALS, departure_delay=0))
    for event in (occupied(), vacated(), occupied()):
        receiver.webhooks.note(event)
    assert receiver.events(BATCH_SECONDS) == [occupied(), vacated(), occupied()]


# --- one webhook ---------------------------------------------------------------------------------


def test_a_webhook_is_json_with_two_headers_that_prove_it(receiver, webhooks):
    webhooks.note(occupied())
    receiver.after(0)
    post = receiver.after(BATCH_SECONDS)
    webhook = post.webhook
    assert webhook.body == (
        b'{"time_ms":1353088179250,"events":[{"name":"channel_occupied","channel":"order-41"}]}'
    )
    assert webhook.headers == {
        "Content-Type": "application/json",
        "X-Pusher-Key": "practice-key",
        "X-Pusher-Signature": webhook.signature,
    }
    verify_webhook(PRACTICE_CREDENTIALS, webhook.body, key=webhook.key, signature=webhook.signature)
    assert diagnose_webhook(
        PRACTICE_CREDENTIALS, key=webhook.key, signature=webhook.signature, body=webhook.body
    ).valid
    assert str(webhook) == "channel_occupied order-41"


@pytest.mark.parametrize("user", ["Zoë ☕", "\ud800", 'a"\\\n\x00', "\u2028"])
def test_whatever_a_user_is_called_the_body_has_bytes_and_is_json(receiver, webhooks, user):
    webhooks.note(member("added", user))
    assert receiver.events() == [member("added", user)]


def test_events_wait_for_others_a_quarter_of_a_second(receiver, webhooks):
    webhooks.note(occupied("a"))
    assert receiver.after(0) is None
    webhooks.note(occupied("b"))
    assert receiver.after(BATCH_SECONDS / 2) is None
    assert webhooks.wait(receiver.ticks) == BATCH_SECONDS / 2
    post = receiver.after(BATCH_SECONDS / 2)
    assert [event["channel"] for event in post.webhook.events] == ["a", "b"]
    assert webhooks.wait(receiver.ticks) is None


def test_20_events_are_enough_for_a_webhook(receiver, webhooks):
    for number in range(MAX_BATCH_EVENTS + 5):
        webhooks.note(occupied(f"order-{number}"))
    post = receiver.after(0)
    assert len(post.webhook.events) == MAX_BATCH_EVENTS
    assert str(post.webhook) == ("channel_occupied order-0, channel_occupied order-1 and 18 more")
    assert receiver.after(0) is None
    assert len(receiver.after(BATCH_SECONDS).webhook.events) == 5


def test_it_is_idle_once_all_is_posted_and_answered(receiver, webhooks):
    assert webhooks.idle
    webhooks.note(vacated())
    assert not webhooks.idle
    assert receiver.after(0) is None
    post = receiver.after(DEPARTURE_SECONDS) or receiver.after(BATCH_SECONDS)
    assert not webhooks.idle
    receiver.answers(post, 500)
    assert webhooks.idle
    receiver.after(1)
    assert not webhooks.idle


def test_the_shell_is_told_when_there_is_something(webhooks):
    told = []
    webhooks.noted = lambda: told.append(1)
    webhooks.note(occupied())
    webhooks.note(vacated())
    webhooks.note(occupied())  # it was never gone, so there's nothing new
    assert len(told) == 2


# --- once more -----------------------------------------------------------------------------------


def noted_and_taken(receiver: Receiver, *events: dict[str, str]) -> Post:
    for event in events or (occupied(),):
        receiver.webhooks.note(event)
    return receiver.after(0) or receiver.after(BATCH_SECONDS)


def test_what_was_not_received_comes_again_as_the_same_bytes_with_growing_pauses(receiver):
    post = noted_and_taken(receiver)
    first, pauses = post.webhook, []
    for attempt in range(1, MAX_ATTEMPTS):
        call = receiver.answers(post, 500)
        assert (call.attempt, call.delivered) == (attempt, False)
        pauses.append(call.retry_after)
        assert receiver.after(call.retry_after - 0.01) is None
        post = receiver.after(0.01)
        assert post.webhook == first
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128]
    assert sum(pauses) + 2 * pauses[-1] > 300 > sum(pauses)  # the documentation says 5 minutes
    last = receiver.answers(post, 500)
    assert (last.attempt, last.retry_after) == (MAX_ATTEMPTS, None)
    assert last.note.split("\n") == [
        "It answered 500. The receiver failed: its own log says why. "
        "Only a 2xx answer means that it was received.",
        "Given up after 9 attempts: its event is lost.",
    ]
    assert receiver.webhooks.wait(receiver.ticks) is None


def test_a_webhook_that_fails_does_not_hold_up_the_others(receiver):
    failing = noted_and_taken(receiver, occupied("a"))
    receiver.answers(failing, 500)
    assert receiver.events(0.5) == []
    receiver.webhooks.note(occupied("b"))
    assert receiver.events(0.4) == [occupied("b")]
    assert receiver.events(1) == [occupied("a")]


def test_what_a_shell_puts_back_is_posted_again(receiver, webhooks):
    post = noted_and_taken(receiver)
    webhooks.put_back(post)
    assert webhooks.wait(receiver.ticks) == 0
    assert receiver.after(0) == post
    assert receiver.answers(post, 200).attempt == 1
    assert webhooks.idle


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_means_received(receiver, status):
    call = receiver.answers(noted_and_taken(receiver), status)
    assert call.delivered
    assert (call.retry_after, call.note) == (None, "")


@pytest.mark.parametrize(
    ("status", "problem", "said"),
    [
        (301, "", "It answered 301. Redirects aren't followed: give this server the"),
        (
            401,
            "",
            "It answered 401. The receiver refused it. If that was about the signature: take",
        ),
        (
            403,
            "",
            "It answered 403. The receiver refused it. If that was about the signature: take",
        ),
        (404, "", "It answered 404. The receiver refused it. Is the path right?"),
        (405, "", "It answered 405. The receiver refused it. Does that path take POST?"),
        (418, "", "It answered 418. The receiver refused it. Only a 2xx answer means"),
        (500, "It raised KeyError: 'x'", "It answered 500. It raised KeyError: 'x' Only a 2xx"),
        (503, "", "It answered 503. The receiver failed: its own log says why."),
        (999, "", "It answered 999. Only a 2xx answer means that it was received."),
        (None, UNANSWERED, "No answer within 4 s. Answer with 200 first, and do the work after"),
    ],
)
def test_what_went_wrong_is_said_and_what_comes_next(receiver, status, problem, said):
    call = receiver.answers(noted_and_taken(receiver), status, problem)
    assert not call.delivered
    first, then = call.note.split("\n")
    assert first.startswith(said)
    assert then == "Attempt 1 of 9. The same bytes come again in 1 s."


# --- within bounds -------------------------------------------------------------------------------


def test_more_than_1000_waiting_events_are_dropped_and_that_is_said(receiver, webhooks):
    for number in range(MAX_WAITING_EVENTS + 3):
        webhooks.note(occupied(f"order-{number}"))
    post = receiver.after(0)
    call = receiver.answers(post, 200)
    assert call.delivered
    assert call.note == (
        "3 events were dropped before this, because too many were waiting for your server "
        "(at most 1,000 here)."
    )
    assert len(receiver.events()) == MAX_WAITING_EVENTS - MAX_BATCH_EVENTS
    webhooks.note(occupied())  # there is room again
    assert receiver.events() == [occupied()]
    assert webhooks._waiting == webhooks._characters == 0


def test_events_that_are_tried_again_take_up_room_too(receiver, webhooks):
    post = noted_and_taken(receiver, *(occupied(f"order-{n}") for n in range(MAX_BATCH_EVENTS)))
    receiver.answers(post, 500)
    for number in range(MAX_WAITING_EVENTS - MAX_BATCH_EVENTS + 1):
        webhooks.note(occupied(f"chat-{number}"))
    post = receiver.after(BATCH_SECONDS)
    assert receiver.answers(post, 200).note.startswith("1 event was dropped before this, because")


def test_what_waits_is_bounded_in_characters(webhooks):
    event = {"name": "client_event", "channel": "private-x", "data": "x" * 100_000}
    for _ in range(50):
        webhooks.note(event)
    assert webhooks._characters <= MAX_WAITING_CHARACTERS
    assert 35 < webhooks._waiting < 45


def test_a_departure_that_is_undone_leaves_its_room(receiver, webhooks):
    for _ in range(MAX_WAITING_EVENTS):
        webhooks.note(vacated())
        webhooks.note(occupied())
    assert webhooks._waiting == webhooks._characters == 0


def test_who_is_cut_off_in_a_channel_that_was_just_left_takes_up_no_room(
    receiver, webhooks, sandbox, peer, clock
):
    peer("chat").leaves()
    slow = Peer(sandbox, clock)
    slow.connection.send = lambda text: sandbox.channels.close(slow.connection)
    sandbox.channels.receive(
        slow.connection, '{"event":"pusher:subscribe","data":{"channel":"chat"}}', now=NOW
    )
    assert receiver.events() == [occupied("chat"), vacated("chat")]
    assert webhooks._waiting == webhooks._characters == 0


def test_a_thousand_events_are_told_within_milliseconds(receiver, webhooks):
    begin = time.process_time()
    for number in range(MAX_WAITING_EVENTS):
        webhooks.note(vacated(f"order-{number}"))
    assert len(receiver.events(10)) == MAX_WAITING_EVENTS
    assert time.process_time() - begin < 0.5


def test_the_log_of_calls_is_bounded_and_can_be_cleared(sandbox):
    webhook = Webhook(time_ms=0, body=b"x" * 1_500_000, key="", signature="")
    call = WebhookCall(time=NOW, webhook=webhook, attempt=1, status=200)
    for _ in range(3):
        sandbox.log_webhook(call)
    assert len(sandbox.webhook_calls) == 1
    sandbox.clear()
    assert len(sandbox.webhook_calls) == 0


# --- where they may go ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000/webhooks",
        "http://localhost",
        "http://localhost:80/a?b=c",
        "http://[::1]:5000/",
        "http://127.1.2.3:1/",
    ],
)
def test_webhooks_go_to_this_machine(url):
    assert check_webhook_url(PRACTICE_CREDENTIALS, url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/hook", "The practice server never calls another machine."),
        ("http://192.168.1.2:5000/", "never calls another machine"),
        ("http://127.0.0.1.example.com/", "never calls another machine"),
        ("http://127.0.0.1@example.com/", "never calls another machine"),
        ("http:///path", "never calls another machine"),
        ("https://127.0.0.1/", "in ASCII and without spaces"),
        ("127.0.0.1:5000", "in ASCII and without spaces"),
        ("", "in ASCII and without spaces"),
        ("http://127.0.0.1/a b", "in ASCII and without spaces"),
        ("http://127.0.0.1/\n", "in ASCII and without spaces"),
        ("http://127.0.0.1/é", "in ASCII and without spaces"),
        ("http://127.0.0.1/" + "x" * 2_000, "in ASCII and without spaces"),
        ("http://127.0.0.1:99999/", "Port out of range"),
        ("http://127.0.0.1:x/", "Port could not be cast"),
        ("http://[::1/", "Invalid IPv6 URL"),
        ("http://127.0.0.1:0/", "with a port and without a user's name"),
        ("http://ann:pass@127.0.0.1/", "without a user's name; got 'http://…@127.0.0.1/'"),
        ("http://ann:" + "pass" * 30 + "@127.0.0.1/", "got 'http://…@127.0.0.1/'"),
    ],
)
def test_other_addresses_are_refused_with_a_sentence(url, said):
    with pytest.raises(PusherError, match="webhook: expected a URL on this machine") as caught:
        check_webhook_url(PRACTICE_CREDENTIALS, url)
    assert said in str(caught.value)


@pytest.mark.parametrize("before", ["", "x" * 66], ids=["whole", "cut"])
def test_a_secret_in_the_url_is_not_repeated(before):
    own = Credentials(app_id="7", key="own-key", secret="marked-secret-1")
    with pytest.raises(PusherError) as caught:
        check_webhook_url(own, f"http://example.com/?{before}secret=marked-secret-1")
    assert "marked" not in str(caught.value)
