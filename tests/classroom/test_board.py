"""What the wall shows of what the practice server saw."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import urlencode

import pytest

from pusherkit import Event, authorize_channel, sign
from pusherkit.classroom import board as bounds
from pusherkit.classroom import calls
from pusherkit.classroom.board import OTHER_BODY, Board, cut, for_people
from pusherkit.classroom.calls import Progress
from pusherkit.classroom.learners import Learners
from pusherkit.credentials import HIDDEN, Credentials
from pusherkit.events import event_body
from pusherkit.sandbox import RawRequest, Webhook, WebhookCall
from tests.classroom.conftest import NOW, InProcess

HELLO = event_body(Event.of("order-41", "status", 1))


def test_an_event_is_a_line_with_its_senders_name(klass):
    klass.publish("zoë", data={"text": "hello"})
    view = klass.view(subscribers=lambda channel: len(channel))
    assert (view["kind"], view["time"], view["title"]) == ("wall", NOW, "Tuesday")
    assert view["learners"] == {"expected": 20, "here": 1, "known": 1, "sent": 1}
    assert (view["per_minute"], view["events"]) == (1, 1)
    assert view["lines"] == [
        {
            "id": 1, "who": "zoë", "times": 1, "channel": "order-41", "event": "status",
            "data": '{"text":"hello"}', "time": NOW,
        }
    ]  # fmt: skip
    assert view["channels"] == [{"name": "order-41", "events": 1, "subscribers": 8}]
    assert view["refusals"] == []
    json.dumps(view)


def test_a_trainer_is_seen_and_not_counted():
    klass = InProcess(expected=20, trainers=["ana"])
    klass.publish("ana", data="é")
    assert klass.send("ana", b"x").status == 400
    klass.progress("ana", passed=["start_here.send"])
    assert klass.board.restore({"ana": {"kept": "when she was still a learner"}}, {}) == 0
    view = klass.view()
    assert view["learners"] == {"expected": 20, "here": 0, "known": 0, "sent": 0}
    assert ([line["who"] for line in view["lines"]], view["goals"]) == (["ana"], [])
    assert [refusal["who"] for refusal in view["refusals"]] == ["ana"]
    klass.publish("zoë")
    assert [goal["first"] for goal in klass.view()["goals"]] == ["zoë"]


def test_a_repeated_event_is_counted_on_its_line(klass):
    klass.publish("ann", data=1)
    klass.now += bounds.SAME_LINE_SECONDS
    klass.publish("ann", data=2)
    klass.publish("bob")
    klass.publish("ann", event="other")
    klass.now += bounds.SAME_LINE_SECONDS + 1
    klass.publish("ann", data=3)
    seen = [(line["who"], line["times"], line["data"]) for line in klass.view()["lines"]]
    assert seen == [("ann", 1, "3"), ("ann", 1, "1"), ("bob", 1, "1"), ("ann", 2, "2")]


def test_one_learner_does_not_push_out_the_others(klass):
    for name in ("ann", "bob", "cy"):
        klass.publish(name)
    for number in range(100):
        klass.publish("mallory", event=f"flood-{number}")
    lines = klass.view()["lines"]
    assert len(lines) == bounds.MAX_LINES
    assert {line["who"] for line in lines} == {"ann", "bob", "cy", "mallory"}
    assert lines[0]["event"] == "flood-99"
    klass.publish("dan")
    assert klass.view()["lines"][0]["who"] == "dan"


def test_an_event_for_several_channels_is_one_line(klass):
    klass.publish("ann", channel=["a", "b", "c"])
    view = klass.view()
    assert [line["channel"] for line in view["lines"]] == ["a and 2 more"]
    assert {each["name"] for each in view["channels"]} == {"a", "b", "c"}


def test_events_per_minute_count_the_last_minute(klass):
    klass.publish("ann")
    klass.now += 30
    klass.publish("ann")
    klass.now -= 5  # somebody sets the clock back
    klass.publish("ann")
    klass.now += 5
    assert klass.view()["per_minute"] == 3
    klass.now += 31
    assert (klass.view()["per_minute"], klass.view()["events"]) == (2, 3)


# --- refusals -------------------------------------------------------------------------------------


def test_a_forged_request_is_shown_with_its_reason_and_blames_nobody(klass):
    reply = klass.send("zoë", HELLO, secret_of="mallory")
    assert reply.status == 401
    (refusal,) = klass.view()["refusals"]
    assert (refusal["who"], refusal["key_of"], refusal["rule"]) == ("", "zoë", "auth_signature")
    assert (refusal["why"], refusal["fix"]) == bounds.UNEXPLAINED
    assert klass.view()["learners"]["known"] == 0
    for name in ("zoë", "mallory"):
        assert klass.roster.credentials(name).secret not in json.dumps(klass.view())


def test_a_refusal_without_a_mistake_in_signing_says_its_rule(klass):
    assert klass.send("ann", HELLO, at=-700).status == 401
    (refusal,) = klass.view()["refusals"]
    assert (refusal["rule"], refusal["key_of"]) == ("auth_timestamp", "ann")
    assert refusal["why"] == bounds.EXPIRED
    assert "700 s behind" in refusal["fix"]


def test_a_proven_mistake_is_explained_in_the_doctors_words(klass):
    mine = klass.roster.credentials("ann")
    mixed_up = Credentials(app_id=mine.app_id, key=mine.key, secret=mine.key)
    assert klass.send(mixed_up, HELLO).status == 401
    (refusal,) = klass.view()["refusals"]
    assert (refusal["rule"], refusal["times"]) == ("auth_signature", 1)
    assert refusal["why"] == "The app key was used instead of the secret."
    assert refusal["fix"].startswith("Sign with the secret")
    assert mine.secret not in json.dumps(refusal)


def test_a_well_signed_request_that_is_refused_has_a_sender(klass):
    assert klass.send("ann", b'{"name":"x","channel":"a b","data":"1"}').status == 400
    (refusal,) = klass.view()["refusals"]
    assert (refusal["who"], refusal["key_of"], refusal["rule"]) == ("ann", "ann", "channel")


def test_refusals_that_teach_nobody_anything_stay_off_the_wall(klass):
    assert klass.send("ann", b"{}", "class").status == 400
    assert klass.send("ann", b"{}", "class", secret_of="bob").status == 401
    klass.sandbox.handle(_plain(b"/favicon.ico"), now=NOW)
    assert klass.view()["refusals"] == []
    klass.sandbox.handle(_plain(b"/apps/7/events"), now=NOW)
    assert [each["rule"] for each in klass.view()["refusals"]] == ["404"]


def test_a_loop_with_a_new_reason_each_time_does_not_take_the_others_turn(klass):
    names = [f"learner-{number}" for number in range(bounds.MAX_REFUSALS)]
    for name in (*names, "ann"):
        klass.send(name, HELLO, secret_of="mallory")
    for number in range(100):
        no_channel = b'{"name":"x","channel":"a %d","data":"1"}' % number
        assert klass.send("bob", no_channel).status == 400
    klass.now += bounds.REFUSAL_SECONDS
    shown = [each["key_of"] for each in klass.view()["refusals"]]
    assert shown[: bounds.MAX_WAITING_EACH + 1] == ["bob", "bob", "ann"]


def test_refusals_with_made_up_keys_do_not_take_the_others_turn(klass):
    names = [f"learner-{number}" for number in range(bounds.MAX_REFUSALS)]
    for name in (*names, "ann"):
        klass.say(name, kind="hello")
        klass.send(name, HELLO, secret_of="mallory")
    for number in range(10):
        klass.send(f"nobody-{number}", HELLO, secret_of="mallory")
    klass.now += bounds.REFUSAL_SECONDS
    shown = [each["key_of"] for each in klass.view()["refusals"]]
    assert shown[: bounds.MAX_WAITING_EACH + 1] == ["nobody-9", "nobody-8", "ann"]


def _plain(target):
    return RawRequest(method="POST", target=target)


def test_refusals_have_their_time_on_the_wall_and_the_others_wait(klass):
    names = [f"learner-{number}" for number in range(20)]
    for name in names:
        klass.say(name, kind="hello")
    for name in names:
        klass.send(name, HELLO, secret_of="mallory")
        klass.send(name, HELLO, secret_of="mallory")
    shown = klass.view()["refusals"]
    assert [each["key_of"] for each in shown] == names[3::-1]
    assert {each["times"] for each in shown} == {2}
    klass.now += bounds.REFUSAL_SECONDS
    waited = [each["key_of"] for each in klass.view()["refusals"]]
    assert len(waited) == bounds.MAX_REFUSALS
    assert not set(waited) & set(names[:4])
    klass.now += bounds.REFUSAL_SECONDS
    assert not set(waited) & {each["key_of"] for each in klass.view()["refusals"]}
    klass.now += bounds.OLD_REFUSAL_SECONDS + 1
    assert klass.view()["refusals"] == []


@pytest.mark.parametrize(
    ("secret_of", "why"),
    [("bob", "Invalid signature"), ("", "The app key was used instead of the secret.")],
)
def test_a_refused_subscription_is_shown_too(klass, secret_of, why):
    channels, mine = klass.sandbox.channels, klass.roster.credentials("ann")
    connection = channels.open(
        lambda text: None, lambda code, why: None, key=mine.key, protocol="7", now=NOW
    )
    secret = klass.roster.credentials(secret_of).secret if secret_of else mine.key
    wrong = Credentials(app_id=mine.app_id, key=mine.key, secret=secret)
    auth = authorize_channel(wrong, connection.socket_id, "private-a")
    frame = {"event": "pusher:subscribe", "data": {"channel": "private-a", **auth}}
    channels.receive(connection, json.dumps(frame), now=NOW)
    (refusal,) = klass.view()["refusals"]
    assert (refusal["who"], refusal["key_of"], refusal["rule"]) == ("", "ann", "subscription")
    assert why in refusal["why"]


# --- channels and goals ---------------------------------------------------------------------------


def test_the_busiest_channels_lately_come_first_and_are_bounded(klass):
    for number in range(2 * bounds.MAX_CHANNELS_KNOWN + 10):
        klass.publish("mallory", channel=f"flood-{number}")
        klass.publish("ann", channel="busy")
    view = klass.view()
    assert len(view["channels"]) == bounds.MAX_CHANNELS
    assert view["channels"][0]["name"] == "busy"
    assert len(klass.board.channels) <= 2 * bounds.MAX_CHANNELS_KNOWN
    klass.now += 30 * bounds.BUSY_HALF_LIFE_SECONDS
    klass.publish("ann", channel="new")
    assert klass.view()["channels"][0]["name"] == "new"


def test_goals_are_what_the_server_saw_and_who_was_first(klass):
    klass.publish("ann")
    klass.now += 1
    klass.publish("bob", data="☕")
    klass.publish("bob", channel=["a", "b"])
    klass.publish("cy", channel="private-encrypted-a")
    klass.batch("cy", Event.of("a", "b", 1))
    klass.send("cy", b"", "channels", method="GET")
    goals = {goal["goal"]: goal for goal in klass.view()["goals"]}
    assert goals["event"] == {
        "goal": "event", "said": "First event accepted", "first": "ann", "count": 3, "time": NOW,
    }  # fmt: skip
    assert {name: goal["first"] for name, goal in goals.items()} == {
        "event": "ann", "letters": "bob", "channels": "bob", "encrypted": "cy", "batch": "cy",
        "asked": "cy",
    }  # fmt: skip
    assert list(goals) == [goal for goal in bounds.GOALS if goal in goals]


def test_a_client_event_has_a_goal_of_its_own(klass):
    channels, mine = klass.sandbox.channels, klass.roster.credentials("ann")
    connection = channels.open(
        lambda text: None, lambda code, why: None, key=mine.key, protocol="7", now=NOW
    )
    auth = authorize_channel(mine, connection.socket_id, "private-a")
    for frame in (
        {"event": "pusher:subscribe", "data": {"channel": "private-a", **auth}},
        {"event": "client-hi", "channel": "private-a", "data": "{}"},
    ):
        channels.receive(connection, json.dumps(frame), now=NOW)
    view = klass.view()
    assert [(line["who"], line["event"]) for line in view["lines"]] == [("ann", "client-hi")]
    assert [goal["goal"] for goal in view["goals"]] == ["client-event"]
    assert view["learners"]["sent"] == 0


def test_the_walls_own_key_and_webhooks_belong_to_nobody(klass):
    own = klass.sandbox.credentials
    klass.publish(own)
    klass.batch(own, Event.of("a", "b", 1))
    view = klass.view()
    assert {line["who"] for line in view["lines"]} == {""}
    assert (view["learners"]["known"], view["goals"]) == (0, [])
    assert klass.say(own, kind="hello")["status"] == 400
    webhook = Webhook(time_ms=0, key=own.key, signature="", body=b"{}")
    klass.board.entry(WebhookCall(time=NOW, webhook=webhook, attempt=1, status=200))
    assert klass.view() == view


# --- the class's call -----------------------------------------------------------------------------


def test_the_class_answers_with_title_round_and_help(klass):
    assert klass.say("ann", kind="hello") == {
        "status": 200, "title": "Tuesday", "round": None, "help": [],
    }  # fmt: skip
    assert klass.say("ann", kind="hullo")["status"] == 400
    assert klass.send("ann", b"{}", "class", secret_of="bob").status == 401
    assert klass.send("ann", b'{"kind":"help","code":"' + b"x" * 70_000, "class").status == 413


@pytest.mark.parametrize("letter", [b"[", b"9", b'"', b"{", b'{"a":'])
def test_the_work_on_a_call_is_linear_in_its_body(letter, growth, monkeypatch):
    monkeypatch.setattr(calls, "MAX_CALL_BYTES", 1_000_000)  # or most of them wouldn't be read
    board = Board((), title="")
    growth(
        lambda body: board.call("ann", body, NOW),
        lambda size: letter * (size // len(letter)),
        largest=1_000_000,
        least=10_000,
    )


def test_the_work_on_a_record_is_linear_in_its_names(growth):
    learners = Learners(())

    def record(size):
        names = [f"lesson.exercise_{number}" for number in range(size // 20)]
        return {"passed": names, "attempts": dict.fromkeys(names, 1), "surprised": names}

    growth(
        lambda made: learners.call("ann", Progress("", made), NOW),
        record,
        largest=1_000_000,
        least=100_000,
    )


# --- hostile text ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <script>alert(1)</script>", "plain <script>alert(1)</script>"),
        ("zoë 名 🎉", "zoë 名 🎉"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("ế", "ế"),
        ("a\nb\tc", "a b c"),
        ("a\x00b\x1b[31m", "a\ufffdb\ufffd[31m"),
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("a\ud800b", "a\ufffdb"),
        ("a\u2028b", "a\ufffdb"),
        ("z" + "\u0301" * 50 + "!", "z\u0301\u0301!"),
        ("שלום", "שלום"),
    ],
    ids=ascii,
)
def test_learners_text_stays_on_its_line(text, shown):
    assert for_people(text) == shown


def test_a_long_text_is_cut():
    assert cut("a" * 120, 120) == "a" * 120
    assert cut("a" * 121, 120) == "a" * 119 + "…"


def test_a_huge_event_is_shown_in_part_without_the_secret_in_it(klass):
    secret = klass.roster.credentials("ann").secret
    klass.publish("ann", data="x" * (bounds.MAX_DATA - 20) + secret + "y" * 90_000)
    klass.publish("ann", event=f"my {secret}", data=secret)
    said = json.dumps(klass.view())
    assert secret[:12] not in said
    assert len(klass.view()["lines"][1]["data"]) == bounds.MAX_DATA


def test_a_secret_in_the_place_of_a_channel_is_not_shown(klass):
    secret = klass.roster.credentials("ann").secret
    klass.publish("ann", channel=secret)
    klass.publish("ann", channel=["order-41", secret])
    view = klass.view()
    assert {each["channel"] for each in view["lines"]} == {HIDDEN, "order-41 and 1 more"}
    assert {each["name"] for each in view["channels"]} == {HIDDEN, "order-41"}


def test_odd_names_reach_the_wall_as_text(klass):
    for name in ("<script>alert(1)</script>", "a\u202eb", "=1+1", "x" * 255):
        klass.publish(name)
    assert [line["who"] for line in klass.view()["lines"]] == [
        "x" * 255, "=1+1", "a\ufffdb", "<script>alert(1)</script>",
    ]  # fmt: skip


# --- clearing and restarting ----------------------------------------------------------------------


def test_a_body_that_was_changed_is_said_without_its_hashes(klass):
    mine = klass.roster.credentials("ann")
    signature = sign(mine, "POST", f"/apps/{mine.app_id}/events", (), b"{}", timestamp=int(NOW))
    target = f"/apps/{mine.app_id}/events?{urlencode(signature.query)}".encode()
    klass.sandbox.handle(RawRequest(method="POST", target=target, body=b"other"), now=NOW)
    (refused,) = klass.view()["refusals"]
    assert (refused["rule"], refused["why"]) == ("body_md5", OTHER_BODY)
    assert refused["fix"].startswith("Hash the exact bytes")


def test_the_trainer_finds_the_recent_refusals_and_no_key_takes_all_the_places(klass):
    for name in ("ann", "bob"):
        klass.say(name, kind="hello")
    klass.send("bob", b"{}", secret_of="ann")
    for number in range(30):
        klass.send("ann", b"{}", at=-700 - number)  # one rule, one sentence
        klass.send("ann", b"{}", f"no-{number}")
        klass.send(f"nobody-{number}", b"{}", secret_of="ann")
    klass.now += 3600  # long after they've left the wall
    recent = klass.board.summary(klass.now, "")["refusals"]
    assert [each["key_of"] for each in recent] == [
        *("nobody-29", "ann", "ann", "nobody-28", "ann", "nobody-27", "ann"),
        *("nobody-26", "ann", "nobody-25", "bob"),
    ]
    klass.send("bob", b"{}", secret_of="ann")
    newest = klass.board.summary(klass.now, "")["refusals"][0]
    assert (newest["key_of"], newest["times"], newest["time"]) == ("bob", 2, klass.now)


def test_the_wall_says_which_round_is_open(klass):
    klass.board.open_round(41, NOW)
    assert klass.view()["round"] == {"seed": 41}
    klass.board.close_round()
    assert klass.view()["round"] is None


def test_clearing_the_wall_keeps_everybodys_progress(klass):
    klass.publish("ann")
    klass.send("ann", HELLO, secret_of="bob")
    klass.progress("ann", passed=["start_here.send"])
    klass.board.clear()
    view = klass.view()
    assert (view["lines"], view["refusals"], view["channels"]) == ([], [], [])
    assert (view["events"], len(view["goals"])) == (1, 1)
    assert klass.learner("ann")["cells"] == {"start_here.send": ["passed", 0]}


def test_a_restart_finds_everything_again(klass):
    klass.publish("ann", data="☕")
    klass.progress("ann", attempts={"start_here.send": 2}, wrong={"start_here.send": {"other": 2}})
    klass.say("ann", kind="help", exercise="start_here.send", code="x = 1")
    klass.board.open_round(7, NOW)
    klass.say("ann", kind="round", seed=7, answered=3, right=2)
    klass.say("bob", kind="hello")
    changes = klass.board.changes()
    again = InProcess(expected=20)
    kept = json.loads(json.dumps([changes.learners, changes.parts]))
    assert again.board.restore(*kept) == 0
    for each in (klass, again):
        each.now += 1
    assert again.view()["lines"] == klass.view()["lines"]
    assert again.view()["goals"] == klass.view()["goals"]
    assert again.view()["events"] == 1
    assert again.board.learners.export_json("", NOW) == klass.board.learners.export_json("", NOW)
    assert again.learner("ann") == klass.learner("ann")
    assert again.view()["channels"] == klass.view()["channels"] != []
    kept = again.board.summary(NOW, "")
    assert kept == klass.board.summary(NOW, "") | {"present": 0}  # nobody has been heard from yet
    assert again.board.changes() is None  # nothing is new
    again.say("bob", kind="hello")
    assert again.board.summary(NOW, "")["present"] == 1
    again.publish("bob")
    ids = [line["id"] for line in again.view()["lines"]]
    assert all(new > old for new, old in pairwise(ids))


def test_damaged_parts_are_counted_and_left_out(klass):
    klass.say("ann", kind="hello")
    whole = klass.board.changes().learners["ann"]
    broken = {
        "bob": None,
        "cy": {},
        "dan": whole | {"seen": "today"},
        "eve": whole | {"seen": 1e300},
        "fay": whole | {"cells": {"start_here.send": [1, 2]}},
        "gus": whole | {"round": [1]},
    }
    parts = {"wall": [], "goals": {"event": 7}, "round": {"seed": 1}, "of another version": 1}
    again = InProcess()
    assert again.board.restore({"ann": whole, **broken}, parts) == 9
    assert [each["name"] for each in again.board.learners.since(0, NOW, 99)[0]] == ["ann"]
    old = whole | {"cells": {"gone.exercise": [True, 1, 1.0, 1.0, "", {}]}}
    assert InProcess().board.restore({"ann": old}, {"round": None}) == 0


def test_changes_come_once_and_again_if_they_could_not_be_saved(klass):
    klass.publish("ann")
    changes = klass.board.changes()
    assert changes.learners.keys() == {"ann"}
    assert changes.parts.keys() == {"wall", "channels", "goals"}
    assert changes.log == ((NOW, "event", "ann", "order-41", "status", "1"),)
    assert klass.board.changes() is None
    klass.board.not_kept(changes)
    assert klass.board.changes().parts.keys() == changes.parts.keys()


def test_the_log_that_waits_for_the_disk_is_bounded(klass):
    for number in range(bounds.MAX_LOG_WAITING + 5):
        klass.publish("mallory", event=f"flood-{number}")
    assert len(klass.board.changes().log) == bounds.MAX_LOG_WAITING
