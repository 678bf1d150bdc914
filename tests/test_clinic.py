"""The capstone's core: what is known of each goal after what arrived. No socket, a fixed clock."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from html import escape, unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from pusherkit import Credentials, UnreadableText, authorize_channel, sign
from pusherkit.clinic import capstone, page, tasks, tasks_page, terminal
from pusherkit.clinic.api import RATE, Clinic
from pusherkit.clinic.capstone import (
    CLINIC_CREDENTIALS,
    FAULTS,
    GOALS,
    TEXT,
    VECTORS,
    Arrival,
    Mark,
    State,
    arrived,
    broken,
    fault,
    fingerprint,
    read_state,
    socket_id,
    to_text,
)
from pusherkit.doctor.search import diagnose
from pusherkit.doctor.vectors import Vector, blind_spots
from pusherkit.sandbox import PRACTICE_CREDENTIALS, RawRequest, Reply
from pusherkit.sandbox.api import cut_off
from pusherkit.signing import SIGNING_PARAMS, Request, hmac_sha256

from .conftest import NOW, Peer

EVENTS, BATCH = f"/apps/{CLINIC_CREDENTIALS.app_id}/events", VECTORS[2].path
BEGUN = State(run="3", began=NOW)


class Player:
    """A program that does as it's told, with a clinic of its own and a clock that stands still."""

    def __init__(self, state: State = BEGUN) -> None:
        self.clinic = Clinic(state=state)
        self.now: float = NOW
        self.answer = Reply(status=0, body=b"")

    def sends(
        self,
        method: str,
        path: str,
        params: Any = (),
        body: bytes = b"",
        *,
        credentials: Credentials = CLINIC_CREDENTIALS,
        signed_at: float | None = None,
    ) -> Reply:
        at = int(self.now if signed_at is None else signed_at)
        signed = sign(credentials, method, path, params, body, timestamp=at)
        query = [*params, *(pair for pair in signed.query if pair[0] in SIGNING_PARAMS)]
        return self.raw(method, f"{path}?{urlencode(query)}", body)

    def raw(self, method: str, target: str, body: bytes = b"") -> Reply:
        raw = RawRequest(method=method, target=target.encode(), body=body)
        self.answer = self.clinic.handle(raw, now=self.now)
        return self.answer

    def publishes(self, channel: str, name: str, data: Any = "x", **how: Any) -> Reply:
        text = data if isinstance(data, str) else json.dumps(data)
        body = json.dumps({"name": name, "channel": channel, "data": text}).encode()
        return self.sends("POST", EVENTS, body=body, **how)

    def mark(self, goal: str) -> Mark:
        return self.clinic.state.mark(goal)

    def said(self, goal: str) -> str:
        mark = self.mark(goal)
        assert mark.met is None, mark
        return mark.said

    def shows_everything(self) -> None:
        for vector in VECTORS:
            self.sends("POST", vector.path, vector.params, vector.body)
        self.publishes("order-41", "status", {"status": TEXT})
        info = [("info", "user_count,subscription_count")]
        self.sends("GET", f"/apps/{CLINIC_CREDENTIALS.app_id}/channels/presence-couriers", info)
        batch = [{"channel": "order-1", "name": "status", "data": "x"}] * 2
        self.sends("POST", BATCH, body=json.dumps({"batch": batch}).encode())
        self.waits_and_gives_up()
        auth = authorize_channel(CLINIC_CREDENTIALS, socket_id(BEGUN), "private-order-41")
        self.publishes("clinic", "auth", auth)
        self.publishes("clinic", "cause", {"cause": fault(self.clinic.state)})

    def waits_and_gives_up(self) -> None:
        for wait in (0, 1, 2):
            self.now += wait
            self.publishes("friday", "status")
        for wait in (0, 1):
            self.now += wait
            self.publishes("shut", "status")
        self.publishes("news", "gave-up")

    def reports(self, *, credentials: Credentials = CLINIC_CREDENTIALS, **more: str) -> None:
        made = {"fingerprint": fingerprint(self.clinic.state), **more}
        self.publishes("clinic", "report", made, credentials=credentials)


@pytest.fixture
def player() -> Player:
    return Player()


# --- the whole way ------------------------------------------------------------------------------


def test_the_whole_way_ends_with_a_report_that_was_signed_and_verified(player: Player) -> None:
    states = []
    player.clinic.changed = states.append
    player.shows_everything()
    assert [goal.id for goal in player.clinic.state.open] == ["report"]
    before = fingerprint(player.clinic.state)
    assert before == hashlib.sha256(tasks.results(player.clinic.state).encode()).hexdigest()
    player.reports(by="Zoë, in Python")
    state = player.clinic.state
    assert state.finished
    assert states[-1] is state
    report = state.report
    assert report is not None
    assert (report.by, before in report.body) == ("Zoë, in Python", True)
    assert fingerprint(state) == before
    signed = sign(
        CLINIC_CREDENTIALS, "POST", EVENTS, body=report.body.encode(), timestamp=player.now
    )
    assert (signed.canonical_string, signed.hexdigest) == (
        report.canonical_string,
        report.signature,
    )


def test_what_was_met_stays_met_whatever_else_arrives(player: Player) -> None:
    player.shows_everything()
    player.reports()
    before = player.clinic.state
    assert before.report is not None
    assert before.report.by == ""
    player.publishes("order-41", "status", "no coffee")
    player.publishes("friday", "status", credentials=PRACTICE_CREDENTIALS)
    assert player.publishes("friday", "status").status == 200
    assert player.clinic.state == before


def test_results_that_are_signed_again_replace_the_first_ones(player: Player) -> None:
    player.shows_everything()
    player.reports()
    before = fingerprint(player.clinic.state)
    player.now += 5
    player.reports(by="Łucja")
    state = player.clinic.state
    assert state.report is not None
    assert (state.report.by, state.finished) == ("Łucja", True)
    assert state.mark("report").said.endswith("The page is by Łucja.")
    assert fingerprint(state) == before
    player.publishes("clinic", "report", {"fingerprint": "0" * 64, "by": "Nobody"})
    player.reports(by="Nobody", credentials=PRACTICE_CREDENTIALS)
    assert player.clinic.state == state


def test_it_is_kept_as_json_and_read_again(player: Player) -> None:
    player.publishes("friday", "status")
    player.publishes("clinic", "cause", {"cause": "newline-written-out"})
    vector = VECTORS[1]
    player.sends("POST", vector.path, vector.params, vector.body)
    half = player.clinic.state
    again = read_state(to_text(half))
    assert again.marks["wait"] == half.marks["wait"]
    assert (again.run, again.began, again.tries) == ("3", NOW, 1)
    assert again.mark("vectors") == half.mark("vectors")
    player = Player(again)
    player.now += 1
    player.shows_everything()
    player.reports()
    assert player.mark("wait").met is None, "waiting was begun before, and begun once more"
    finished = replace(player.clinic.state, latest="")
    assert read_state(to_text(finished)).report == finished.report


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "isn't one of the clinic's files"),
        ("[]", "^Expected format 1 of the clinic's file, got None"),
        ('{"format": 2}', "^Expected format 1 of the clinic's file, got 2"),
        ('{"format": 1}', "KeyError"),
        ('{"format": 1, "marks": 7}', "AttributeError"),
        ("[" * 100_000, "isn't one of the clinic's files"),
        (to_text(BEGUN).replace('"report": null', '"report": {"time": 1}'), "KeyError"),
        (to_text(BEGUN).replace('"tries": 0', '"tries": "many"'), "ValueError"),
        (to_text(BEGUN).replace('"tries": 0', '"tries": 1e999'), "OverflowError"),
        (to_text(BEGUN).replace(f'"began": {NOW}', '"began": 1e18'), "Error"),
        (to_text(BEGUN).replace('"marks": {}', '"marks": {"get": {"met": NaN}}'), "ValueError"),
        (to_text(BEGUN).replace('"run": "', r'"run": "\ud800'), "UnicodeEncodeError"),
    ],
)
def test_a_file_that_is_not_the_clinics_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(UnreadableText, match=says):
        read_state(text)


@pytest.mark.parametrize(
    "memory",
    [
        '{"step": 1}',
        '{"step": -9, "due": 0, "asked": 0, "first": "","spoiled": ""}',
        '{"first": "7"}',
    ],
)
@pytest.mark.parametrize(("goal", "channel"), [("wait", "friday"), ("give-up", "shut")])
def test_a_memory_that_is_not_whole_is_none(goal: str, channel: str, memory: str) -> None:
    marks = f'"marks": {{"{goal}": {{"memory": {memory}}}}}'
    state = read_state(to_text(BEGUN).replace('"marks": {}', marks))
    assert state.mark(goal).memory == {}
    Player(state).publishes(channel, "status")


# --- what came, and what is missing -------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("when", [1_353_088_179, 1_795_700_022])
def test_no_vector_has_a_blind_spot(vector: Request, when: int) -> None:
    whole = Vector(
        method=vector.method,
        path=vector.path,
        params=vector.params,
        body=vector.body.decode(),
        key=CLINIC_CREDENTIALS.key,
        secret=CLINIC_CREDENTIALS.secret,
        timestamp=when,
    )
    assert blind_spots(whole) == ()


def test_the_vectors_are_ticked_off_one_by_one(player: Player) -> None:
    for number, says in (
        (0, "Vector 1 is right. Still to come: vectors 2 and 3."),
        (2, "Vectors 1 and 3 are right. Still to come: vector 2."),
    ):
        vector = VECTORS[number]
        player.sends("POST", vector.path, vector.params, vector.body)
        assert player.said("vectors") == says
        assert player.mark("vectors").under_way


def test_each_vector_is_spoken_of_and_none_hides_another(player: Player) -> None:
    for vector in VECTORS:
        player.sends("POST", vector.path, vector.params, vector.body.rstrip())
    said = player.said("vectors")
    assert said.count("but it isn't the same request: its body has") == 3
    assert read_state(to_text(player.clinic.state)).mark("vectors") == player.mark("vectors")
    player.sends("POST", VECTORS[1].path, VECTORS[1].params, VECTORS[1].body)
    said = player.said("vectors")
    assert said.startswith("Vector 2 is right. Vector 1: It's signed correctly, but")
    assert ". Vector 3: It's signed correctly, but" in said
    assert not player.mark("vectors").under_way
    for vector in VECTORS:
        player.sends("POST", vector.path, vector.params, vector.body)
    assert player.mark("vectors").met == NOW


def test_vectors_that_are_refused_alike_are_named_together(player: Player) -> None:
    for vector in (VECTORS[2], VECTORS[0]):
        params = [*vector.params, ("auth_key", CLINIC_CREDENTIALS.key)]
        player.raw("POST", f"{vector.path}?{urlencode(params)}", vector.body)
    assert player.said("vectors").startswith("Vectors 1 and 3: ")
    assert player.said("vectors").endswith(" Still to come: vector 2.")
    player.sends("POST", VECTORS[0].path, VECTORS[0].params, VECTORS[0].body)
    vector = VECTORS[0]
    player.raw("POST", f"{vector.path}?{urlencode(vector.params)}", vector.body)
    said = player.said("vectors")
    assert said.startswith("Vector 1 is right. Vector 3: "), "what was right stays right"
    theirs = replace(CLINIC_CREDENTIALS, secret="x" * 20)
    for vector in VECTORS[1:]:
        player.sends("POST", vector.path, vector.params, vector.body, credentials=theirs)
    assert len(player.said("vectors")) <= capstone.MAX_SAID
    assert "Vectors 2 and 3: The signature is wrong" in player.said("vectors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": BATCH, "body": VECTORS[2].body}, "its path is /apps/6855671/batch_events"),
        ({"params": (("zone", "a, b"), ("a", "1"))}, "the parameter Zone=a, b isn't in it"),
        ({"body": VECTORS[0].body.strip()}, "its body has 65 bytes, but it should have 66. The"),
        (
            {"body": VECTORS[0].body.replace(b"to", b"TO")},
            "differs from byte 49 on (it has 66",
        ),
    ],
)
def test_another_request_than_the_vector_is_told_apart(
    player: Player, change: dict[str, Any], says: str
) -> None:
    vector = VECTORS[0]
    sent = {"path": vector.path, "params": vector.params, "body": vector.body} | change
    assert player.sends("POST", **sent).status == 200
    assert says in player.said("vectors")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("hello", "Put it there, and send it as UTF-8."),
        (TEXT.encode().decode("latin-1"), "taken for Latin-1"),
        (TEXT.encode()[:6].decode("cp1252"), "taken for Latin-1"),
        ("Zaz\u0307o\u0301łc\u0301 ☕", "separate characters (NFD)"),
        ("Za??łć ?", "question marks"),
        ("Za\ufffd\ufffd", "question marks"),
    ],
)
def test_what_became_of_the_text_is_said(player: Player, data: str, says: str) -> None:
    player.publishes("order-41", "status", data)
    assert player.said("event").startswith(f"An event came, but {TEXT} isn't in its data.")
    assert says in player.said("event")


@pytest.mark.parametrize(
    "data", [TEXT, {"status": TEXT}, '"Za\\u017c\\u00f3\\u0142\\u0107 \\u2615"']
)
def test_the_text_counts_in_each_way_to_write_it(player: Player, data: Any) -> None:
    player.publishes("order-41", "status", data)
    assert player.mark("event").met == NOW


def test_the_text_counts_on_its_channel_alone(player: Player) -> None:
    player.publishes("order-42", "status", TEXT)
    assert player.said("event").startswith("An event `status` on `order-42` brought Zażółć ☕.")


@pytest.mark.parametrize(
    ("channel", "name", "goal"),
    [
        ("clinic", "Auth", "private"),
        ("private-order-41", "auth", "private"),
        ("order-41", "cause", "fault"),
        ("clinic", "REPORT", "report"),
        ("friends", "gave-up", "give-up"),
    ],
)
def test_an_event_that_is_nearly_the_right_one_is_spoken_of(
    player: Player, channel: str, name: str, goal: str
) -> None:
    player.publishes("clinic", "auth", "earlier")
    player.publishes(channel, name, {"auth": "later"})
    right = {"give-up": ("gave-up", "news")}.get(goal, (name.lower(), "clinic"))
    said = f"An event `{name}` on `{channel}` came. It should be the event `{right[0]}` on"
    assert player.said(goal) == f"{said} `{right[1]}`."


def test_what_counts_for_nothing_is_said_to(player: Player) -> None:
    player.publishes("order-41", "status", TEXT)
    player.publishes("order-41", "status", TEXT)
    assert player.clinic.state.latest == ""
    player.publishes("clinic", "authorize", "x")
    said = "An event `authorize` on `clinic` came. No goal asks for that, so it counts for nothing."
    assert player.clinic.state.latest == said


def test_a_vector_without_its_parameters_is_known_by_its_event(player: Player) -> None:
    player.sends("POST", VECTORS[1].path, (), VECTORS[1].body)
    assert "the parameter Tag=north east, café isn't in it" in player.said("vectors")


@pytest.mark.parametrize(
    ("id", "channel"), [(socket_id(BEGUN), "private-order-42"), ("1234.1234", "private-order-41")]
)
def test_an_auth_for_another_page_or_channel_is_named(
    player: Player, id: str, channel: str
) -> None:
    auth = authorize_channel(CLINIC_CREDENTIALS, id, channel)
    player.publishes("clinic", "auth", auth)
    right = f"{socket_id(BEGUN)}:private-order-41"
    assert player.said("private").startswith(f"That's the auth for {id}:{channel}. Sign {right}:")
    player.publishes("clinic", "auth", {"auth": f"{CLINIC_CREDENTIALS.key}:{'0' * 64}"})
    assert player.said("private").startswith(f"It should be the signature of {right}, and no known")


def test_a_get_needs_a_comma(player: Player) -> None:
    path = f"/apps/{CLINIC_CREDENTIALS.app_id}/channels"
    player.sends("GET", path, [("filter_by_prefix", "a,b")])
    assert f"A GET came for {path}. Ask for …/channels/presence-couriers" in player.said("get")
    path += "/presence-couriers"
    player.sends("GET", path)
    assert "it had no parameters of its own" in player.said("get")
    player.sends("GET", path, [("info", "subscription_count")])
    assert "none of its values has a comma" in player.said("get")


def test_a_batch_needs_two_events(player: Player) -> None:
    body = b'{"batch":[{"name":"a","channel":"friday","data":"x"}]}'
    assert player.sends("POST", BATCH, body=body).status == 200
    assert "A batch with 1 event came" in player.said("batch")


# --- 429 ----------------------------------------------------------------------------------------


def test_the_busy_channel_names_two_different_waits(player: Player) -> None:
    reply = player.publishes("friday", "status")
    assert (reply.status, reply.headers) == (429, (("Retry-After", "1"),))
    player.now += 0.95  # clocks differ
    assert player.publishes("friday", "status").headers == (("Retry-After", "2"),)
    assert player.mark("wait").under_way
    player.now += 2
    assert player.publishes("friday", "status").status == 200
    assert player.mark("wait").said == "Waited 1 s, then 2 s, and signed again."


def test_a_retry_before_its_time_spoils_the_whole_attempt(player: Player) -> None:
    for wait in (0, 0.5, 1, 2):
        player.now += wait
        reply = player.publishes("friday", "status")
    assert reply.status == 200
    assert "It came again after 0.5 s, but Retry-After said 1 s." in player.said("wait")
    player.waits_and_gives_up()
    assert player.mark("wait").met is not None


def test_after_a_silence_a_spoiled_attempt_is_forgotten(player: Player) -> None:
    for wait in (0, 0.1, 60, 1, 2):
        player.now += wait
        reply = player.publishes("friday", "status")
    assert reply.status == 200
    assert player.mark("wait").met is not None


@pytest.mark.parametrize(
    ("pauses", "mending"), [((1, 1, 1), 6), ((1, 1, 1), 20), ((0.5, 0.5), 6), ((1,), 60)]
)
def test_a_corrected_program_gets_a_round_of_its_own(
    player: Player, pauses: tuple[float, ...], mending: float
) -> None:
    for wait in (0, *pauses):
        player.now += wait
        player.publishes("friday", "status")
    player.now += mending
    statuses = [player.publishes("friday", "status").status]
    for wait in (1, 2):
        player.now += wait
        statuses.append(player.publishes("friday", "status").status)
    assert statuses == [429, 429, 200]
    assert player.mark("wait").met is not None


def test_the_rest_of_a_spoiled_round_says_what_to_do_next(player: Player) -> None:
    for wait in (0, 1, 1, 1):
        player.now += wait
        player.publishes("friday", "status")
    before = player.said("wait")
    player.now += 2.5  # a quick hand, or the same program still
    assert player.publishes("friday", "status").status == 200
    assert player.said("wait") == f"{before} {capstone.OVER}"
    player.waits_and_gives_up()
    assert player.mark("wait").met is not None


def test_a_retry_has_to_be_signed_again(player: Player) -> None:
    for wait in (0, 1, 2):
        player.now += wait
        player.publishes("friday", "status", signed_at=NOW)
    assert "the same auth_timestamp again" in player.said("wait")


def test_giving_up_is_bounded_on_both_sides(player: Player) -> None:
    player.publishes("news", "gave-up")
    assert "gave-up came after 0 attempts" in player.said("give-up")
    for _ in range(6):
        assert player.publishes("shut", "status").status == 429
        player.now += 1
    assert "Attempt 6 came. Stop after 5" in player.said("give-up")
    player.publishes("news", "gave-up")
    assert "Attempt 6 came" in player.said("give-up")
    player.publishes("shut", "status")
    player.now += 0.2
    player.publishes("shut", "status")
    assert "It came again after 0.2 s" in player.said("give-up")
    player.now += 60  # the program was stopped, and runs again
    for _ in range(2):
        player.publishes("shut", "status")
        player.now += 1
    player.publishes("news", "gave-up")
    assert player.mark("give-up").said == "Gave up after 2 attempts, and said so."


# --- a private channel, a fault, the results ----------------------------------------------------


@pytest.mark.parametrize("data", ["nonsense", {}, {"auth": "nonsense"}, {"auth": 7}])
def test_an_auth_of_another_form_is_told_which_one_is_wanted(player: Player, data: Any) -> None:
    player.publishes("clinic", "auth", data)
    assert player.said("private"), data
    assert "signature" in player.said("private").lower()


def test_an_auth_that_was_refused_with_its_request_is_not_looked_at(player: Player) -> None:
    theirs = replace(CLINIC_CREDENTIALS, secret="their-own-secret")
    player.publishes("clinic", "auth", {"auth": "nonsense"}, credentials=theirs)
    assert player.said("private").startswith("The signature is wrong")


def test_the_doctor_finds_the_mistake_of_an_auth(player: Player) -> None:
    swapped = f"private-order-41:{socket_id(BEGUN)}"
    made = hmac_sha256(CLINIC_CREDENTIALS.secret, swapped)
    player.publishes("clinic", "auth", {"auth": f"{CLINIC_CREDENTIALS.key}:{made}"})
    assert player.mark("private").mistakes == ("order-swapped",)
    assert player.said("private").startswith("The channel was signed before the socket_id.")


def test_a_real_subscriber_counts_and_a_refused_one_is_explained(
    player: Player, clock: Any
) -> None:
    peer = Peer(player.clinic, clock)
    wrong = {"channel": "private-order-41", "auth": f"{CLINIC_CREDENTIALS.key}:{'0' * 64}"}
    peer.says({"event": "pusher:subscribe", "data": wrong})
    assert "no known mistake" in player.said("private")
    peer.says({"event": "pusher:subscribe", "data": {"channel": "presence-a", "auth": "x:y"}})
    peer.subscribes("private-order-7")
    player.publishes("order-41", "status")
    assert player.mark("private").said == "A subscriber was let into private-order-7."
    player.publishes("clinic", "auth", {"auth": "late"})
    peer.subscribes("private-a")
    player.publishes("order-41", "status")
    assert player.mark("private").said == "A subscriber was let into private-order-7."
    peer.says({"event": "pusher:subscribe", "data": wrong | {"channel": "private-x"}})
    assert player.mark("private").met is not None


@pytest.mark.parametrize("tries", range(len(FAULTS)))
def test_the_doctor_names_each_fault_and_no_other(tries: int) -> None:
    state = replace(BEGUN, tries=tries)
    request = broken(state, CLINIC_CREDENTIALS)
    found = diagnose(CLINIC_CREDENTIALS, request.method, request.path, request.params, request.body)
    assert [[m.name for m in each.mistakes] for each in found.findings] == [[fault(state)]]
    text = tasks.text_of(request)
    assert len({made(CLINIC_CREDENTIALS, text) for made in FAULTS.values()}) == len(FAULTS)


def test_a_wrong_cause_gets_its_proof_and_another_fault(player: Player) -> None:
    right = fault(BEGUN)
    wrong = next(name for name in FAULTS if name != right)
    first = broken(BEGUN, CLINIC_CREDENTIALS).values("auth_signature")[0]
    player.publishes("clinic", "cause", wrong)  # as bare text
    assert f"It wasn't {wrong}: that gives " in player.said("fault")
    assert f"{first[:16]}… was sent" in player.said("fault")
    state = player.clinic.state
    assert fault(state) != right
    player.publishes("clinic", "cause", {"cause": fault(state)})
    assert player.mark("fault").said.endswith("Wrong answers before that: 1.")


@pytest.mark.parametrize("data", ["the weather", "[]", {"cause": 7}, "[" * 3000])
def test_a_cause_that_is_none_of_those_costs_no_try(player: Player, data: Any) -> None:
    player.publishes("clinic", "cause", data)
    assert "cause: expected one of hash-of-secret-and-string" in player.said("fault")
    assert player.clinic.state.tries == 0


@pytest.mark.parametrize(
    ("came", "got"), [("0" * 64, "0000000000000000…"), ("é", "something else")]
)
def test_another_fingerprint_is_refused(player: Player, came: str, got: str) -> None:
    player.publishes("clinic", "report", {"fingerprint": came})
    assert player.said("report").startswith("This comes last. Still open: Three vectors; ")
    player.shows_everything()
    player.publishes("clinic", "report", {"fingerprint": came})
    assert player.said("report").endswith(f"got {got}.")
    made = fingerprint(player.clinic.state)
    player.publishes("clinic", "report", {"fingerprint": made, "by": "x" * 2_000})
    assert "Send the fingerprint and your name, nothing else." in player.said("report")
    player.publishes("clinic", "report", made)  # as bare text
    assert player.clinic.state.finished


# --- the wrong secret, garbage, floods ----------------------------------------------------------


def test_the_practice_servers_secret_is_recognised(player: Player) -> None:
    credentials = replace(CLINIC_CREDENTIALS, secret=PRACTICE_CREDENTIALS.secret)
    player.publishes("order-41", "status", credentials=credentials)
    assert "the secret of `pusherkit sandbox`" in player.said("event")
    assert player.mark("event").mistakes == ("another-apps-secret",)


def test_somebody_elses_secret_is_said_to_be_unknown_and_never_shown(player: Player) -> None:
    theirs = Credentials(app_id="9", key=CLINIC_CREDENTIALS.key, secret="their-own-secret")
    player.publishes("order-41", "status", credentials=theirs)
    assert "is wrong, and no known mistake explains it." in player.said("event")
    player.publishes("order-41", "status", credentials=replace(theirs, key=theirs.secret))
    assert player.said("event").startswith("Unknown auth_key.")
    player.raw("POST", f"{EVENTS}?auth_signature={theirs.secret}", b'{"data":"their-own-secret"}')
    everything = [
        to_text(player.clinic.state),
        tasks.as_text(player.clinic.state, CLINIC_CREDENTIALS, "http://127.0.0.1"),
        page.as_html(player.clinic.state),
        *terminal.listed(player.clinic.state, 80, 50),
    ]
    assert not [text for text in everything if theirs.secret in text]


def test_our_own_secret_sent_by_mistake_is_hidden(player: Player) -> None:
    secret = CLINIC_CREDENTIALS.secret
    player.sends(
        "GET",
        f"/apps/{CLINIC_CREDENTIALS.app_id}/channels/presence-couriers",
        [("info", f"{secret},a")],
    )
    player.sends(
        "GET",
        f"/apps/{CLINIC_CREDENTIALS.app_id}/channels/presence-couriers",
        [("x", f"{secret},a")],
    )
    for cut in (0, capstone.MAX_SHOWN - len(secret) + 4):
        player.publishes("clinic", "cause", {"cause": "x" * cut + " " + secret})
        assert secret[:10] not in player.said("fault")
    player.raw("GET", f"/{secret}")
    player.shows_everything()
    player.reports(by="x" * (capstone.MAX_NAME - 12) + " " + secret)
    assert secret[:10] not in to_text(player.clinic.state)
    assert secret not in page.as_html(player.clinic.state)


def test_a_refusal_is_told_in_the_doctors_words(player: Player) -> None:
    signed = sign(CLINIC_CREDENTIALS, "POST", EVENTS, body=b"{}", timestamp=NOW)
    wrong = hmac_sha256(CLINIC_CREDENTIALS.secret, signed.canonical_string.replace("\n", "\\n"))
    query = "&".join(f"{name}={value}" for name, value in signed.params)
    player.raw("POST", f"{EVENTS}?{query}&auth_signature={wrong}", b"{}")
    assert player.mark("event").mistakes == ("newline-written-out",)
    assert player.said("event").startswith("The lines are joined by a backslash and an n")
    assert "Use a real newline" in player.said("event")


@pytest.mark.parametrize(
    ("method", "target", "body", "says"),
    [
        ("POST", "/nowhere", b"", "No such path: '/nowhere'. Publish with POST"),
        ("DELETE", EVENTS, b"", "DELETE is not for this path; it takes POST."),
        ("POST", "/%ff?%ff", b"", "The URL is not UTF-8, also after percent-decoding."),
        ("PATCH", "/nowhere", b"", "No such path"),
        ("GET", "/nowhere", b"", "No such path"),
    ],
)
def test_what_has_to_do_with_no_goal_is_said_beside_them(
    player: Player, method: str, target: str, body: bytes, says: str
) -> None:
    player.raw(method, target, body)
    assert says in player.clinic.state.latest
    assert player.clinic.state.marks == {}
    player.publishes("order-41", "status", TEXT)
    assert player.clinic.state.latest == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"batch": [1, {"channels": 7}]}', b"[]", b'"x"', b"{"],
)
def test_unreadable_bodies_get_a_sentence(player: Player, body: bytes) -> None:
    for path in (EVENTS, BATCH):
        assert player.sends("POST", path, body=body).status == 400
    assert player.said("event")
    assert player.said("batch")


def test_a_large_body_is_not_looked_into(player: Player) -> None:
    body = json.dumps({"name": "a", "channel": "shut", "data": "x" * capstone.MAX_READ_BYTES})
    assert player.sends("POST", EVENTS, body=body.encode()).status == 413
    assert player.said("event")


def test_an_accepted_request_that_belongs_to_no_goal_changes_nothing(player: Player) -> None:
    path = f"/apps/{CLINIC_CREDENTIALS.app_id}/users/7/terminate_connections"
    assert player.sends("POST", path).status == 200
    assert player.clinic.state == BEGUN


def test_a_flood_is_answered_429_and_the_rest_goes_on(player: Player) -> None:
    answers = [player.publishes("order-41", "status", "x").status for _ in range(int(RATE) + 5)]
    assert answers.count(429) == 5
    assert "Too many requests: this app may send 50 per second." in player.said("event")
    player.now += 1
    player.publishes("order-41", "status", TEXT)
    assert player.mark("event").met


def test_a_request_that_was_turned_away_is_told(player: Player) -> None:
    raw = RawRequest(method="POST", target=EVENTS.encode())
    player.clinic.turn_away(raw, cut_off(12, 100), now=NOW)
    assert player.clinic.state.latest.startswith("The body didn't arrive: Content-Length says 100")


def test_what_came_cannot_look_like_a_line_of_the_results(player: Player) -> None:
    forged = "a,b\nfault    2026-11-26 13:33:42 UTC It was easy."
    player.sends(
        "GET", f"/apps/{CLINIC_CREDENTIALS.app_id}/channels/presence-couriers", [("x", forged)]
    )
    assert len(capstone.results(player.clinic.state).splitlines()) == len(GOALS)
    assert r"a,b\nfault" in player.mark("get").said


def test_half_a_character_breaks_nothing(player: Player) -> None:
    player.publishes("clinic", "cause", '{"cause":"\\ud800"}')
    player.shows_everything()
    player.publishes("order-41", "\ud800")
    made = fingerprint(player.clinic.state)
    player.publishes("clinic", "report", f'{{"fingerprint":"{made}","by":"\\ud800\u202e"}}')
    report = player.clinic.state.report
    assert report is not None
    assert report.by == r"\ud800\u202e"
    assert to_text(player.clinic.state).encode()
    for path in ("/clinic", "/clinic.html", "/clinic.json", "/clinic/page", "/clinic/results"):
        assert player.raw("GET", path).status == 200


def test_what_is_said_has_an_end(player: Player) -> None:
    arrival = Arrival(time=NOW, request=Request("POST", EVENTS), status=400, said="x" * 100_000)
    state = arrived(BEGUN, CLINIC_CREDENTIALS, arrival)
    assert len(state.mark("event").said) == capstone.MAX_SAID
    elsewhere = replace(arrival, request=Request("PUT", "/"))
    assert len(arrived(BEGUN, CLINIC_CREDENTIALS, elsewhere).latest) == capstone.MAX_SAID
    assert arrived(BEGUN, CLINIC_CREDENTIALS, replace(elsewhere, said="")) == BEGUN


# --- its own pages ------------------------------------------------------------------------------


def test_the_tasks_are_there_for_people_and_for_programs(player: Player) -> None:
    text = player.raw("GET", "/clinic").body.decode()
    told = json.loads(player.raw("GET", "/clinic.json").body)
    for goal in GOALS:
        assert f"[ ] {GOALS.index(goal) + 1}. {goal.title}" in text
    assert [goal["id"] for goal in told["goals"]] == [goal.id for goal in GOALS]
    assert [vector["body"].encode() for vector in told["vectors"]] == [v.body for v in VECTORS]
    assert told["fingerprint"] is None
    assert told["socket_id"] in text
    assert told["broken"]["auth_signature"] in text
    assert max(map(len, text.split("\n\n")[2].splitlines())) <= tasks.WIDTH
    assert player.clinic.state == BEGUN
    assert not player.clinic.log, "looking at the tasks isn't a request to be judged"


def test_the_text_says_what_was_shown_and_what_came(player: Player) -> None:
    player.publishes("order-41", "status", "no coffee")
    assert "    So far: An event came, but" in player.raw("GET", "/clinic").body.decode()
    player.shows_everything()
    text = player.raw("GET", "/clinic").body.decode()
    assert "[x] 1. Three vectors\n    Shown:  All three, byte for byte." in text
    assert "Vector 1" not in text


def words(text: str) -> str:
    """A text without its line ends, indents and marks; HTML without its tags."""
    return " ".join(unescape(re.sub(r"<[^<>]*+>", " ", text)).split())


def standings(text: str) -> list[str]:
    """How each goal stands, by the signs in the text of the tasks."""
    signs = {sign: word for word, sign in tasks.SIGNS.items()}
    return [signs[line[:3]] for line in text.splitlines() if line[:3] in signs]


def test_the_tasks_page_has_the_facts_of_the_text(player: Player) -> None:
    player.publishes("friday", "status", "x")  # its goal has begun
    player.publishes("order-41", "status", "no coffee")
    player.publishes("clinic", "cause", '{"cause":"no-such-mistake"}')
    player.raw("GET", "/nowhere")
    state = player.clinic.state
    text = player.raw("GET", "/clinic").body.decode()
    html = player.raw("GET", "/clinic.html").body.decode()
    assert standings(text)[4] == "begun"
    assert re.findall(r'class="quiet open">(\w+)<', html) == standings(text)
    assert f"Also came: {state.latest}" in words(text)
    assert f"Also came: {state.latest}" in words(html)
    for goal in GOALS:
        for said in (goal.title, goal.send, goal.why, state.mark(goal.id).said):
            assert words(said) in words(text)
            bare = words(said).replace(" ", "").replace("`", "")
            assert bare in words(html).replace(" ", "")
        for detail in tasks.details(goal, state, CLINIC_CREDENTIALS, player.clinic.url):
            if isinstance(detail, tasks.Exact):
                assert f'<pre tabindex="0">{escape(detail.text)}</pre>' in html
                assert all(f"      {line}\n" in text for line in detail.text.split("\n"))
            elif not isinstance(detail, str):
                assert f"{detail.name}: {detail.why}" in words(text)
                assert f"<code>{detail.name}</code>: {escape(detail.why)}" in html
    player = Player()
    player.shows_everything()
    text, html = (player.raw("GET", path).body.decode() for path in ("/clinic", "/clinic.html"))
    assert standings(text) == ["shown"] * 8 + ["open"]
    assert html.count('<li class="met">') == 8
    assert "All three, byte for byte." in html
    assert "Vector 1" not in html


def test_every_link_of_the_tasks_page_leads_somewhere(player: Player) -> None:
    links = set(re.findall(r'href="([^"]*)"', player.raw("GET", "/clinic.html").body.decode()))
    assert {"clinic", "clinic.json", "clinic/page", "clinic/vectors/3"} <= links
    statuses = {link: player.raw("GET", f"/{link}").status for link in links}
    assert statuses.pop("clinic/fingerprint") == 409, "which says what's still open"
    assert set(statuses.values()) == {200}


def test_the_tasks_page_escapes_what_came_and_has_no_script(player: Player) -> None:
    evil = "<script>alert('1')</script>&<a href=\"//x\">"
    marks = {goal.id: Mark(said=evil) for goal in GOALS}
    for state in (
        replace(BEGUN, marks=marks, latest=evil),
        replace(BEGUN, marks={name: replace(mark, met=NOW) for name, mark in marks.items()}),
    ):
        html = tasks_page.as_html(state, CLINIC_CREDENTIALS, f"http://127.0.0.1/{evil}")
        assert html.count(escape(evil)) >= len(GOALS)
        assert "<script" not in html
        assert '//x"' not in html
    reply = player.raw("GET", "/clinic.html")
    assert ("Content-Type", "text/html; charset=utf-8") in reply.headers
    assert ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") in (
        reply.headers
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/clinic/socket_id", socket_id(BEGUN).encode()),
        ("/clinic/vectors/1", VECTORS[0].body),
        ("/clinic/vectors/3", VECTORS[2].body),
        (
            "/clinic/broken/auth_signature",
            broken(BEGUN, CLINIC_CREDENTIALS).values("auth_signature")[0].encode(),
        ),
    ],
)
def test_a_page_for_a_program_holds_one_value_and_no_line_end(
    player: Player, path: str, body: bytes
) -> None:
    assert player.raw("GET", path).body == body


def test_a_page_is_made_only_when_it_is_asked_for(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for module, name in ((tasks, "as_text"), (tasks, "as_json"), (tasks_page, "as_html")):
        monkeypatch.setattr(module, name, lambda *_, name=name: made.append(name))
    player.raw("GET", "/clinic/socket_id")
    player.raw("GET", "/clinic/anything")
    assert made == []


def test_the_fingerprint_is_there_once_everything_is_shown(player: Player) -> None:
    reply = player.raw("GET", "/clinic/fingerprint")
    assert reply.status == 409
    assert "Still open: Three vectors; An event" in json.loads(reply.body)["error"]
    player.shows_everything()
    made = player.raw("GET", "/clinic/fingerprint").body
    results = player.raw("GET", "/clinic/results").body
    assert made.decode() == hashlib.sha256(results).hexdigest()


def test_other_pages_do_not_exist(player: Player) -> None:
    reply = player.raw("GET", "/clinic/anything")
    assert reply.status == 404
    assert "/clinic/fingerprint" in json.loads(reply.body)["error"]
    assert player.raw("POST", "/clinic").status == 404
    assert player.raw("GET", "/clinical").status == 404


def test_the_page_escapes_what_came_and_needs_nothing_from_outside(player: Player) -> None:
    empty = page.as_html(BEGUN)
    assert "What I showed in the clinic" in empty
    assert "0 of 9" in empty
    player.shows_everything()
    player.reports(by="<script>alert(1)</script>")
    reply = player.raw("GET", "/clinic/page")
    html = reply.body.decode()
    assert "<script" not in html
    assert "Signed as: <bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>." in html
    assert html.count('class="met"') == len(GOALS)
    assert "http" not in html.replace("HTTP", "")
    assert ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") in (
        reply.headers
    )


# --- the terminal -------------------------------------------------------------------------------


def marked(**marks: Mark) -> State:
    return replace(BEGUN, marks=marks)


LONG = "The body hash is of the body in Latin-1, but the body went out as UTF-8. " * 3


def test_the_list_has_a_line_for_each_goal_and_says_what_is_missing() -> None:
    state = marked(
        vectors=Mark(met=1.0, said="All three."),
        event=Mark(said="No coffee."),
        get=Mark(said="Half of it.", under_way=True),
    )
    lines = terminal.listed(replace(state, latest="404"), 80, 24, notice="Full.")
    assert lines[:6] == [
        "  ✓ 1  Three vectors",
        "  ✗ 2  An event beyond ASCII",
        "       No coffee.",
        "  … 3  A GET with a comma",
        "       Half of it.",
        "  · 4  A batch",
    ]
    assert lines[-5:] == ["", "  Also: 404", "  Also: Full.", "", "  1 of 9 shown"]


@pytest.mark.parametrize("width", [10, 40, 80, 300])
def test_the_list_fits_the_terminal(width: int) -> None:
    state = marked(**{goal.id.replace("-", "_"): Mark(said=LONG) for goal in GOALS})
    state = replace(state, marks={goal.id: Mark(said=LONG) for goal in GOALS}, latest=LONG)
    lines = terminal.listed(state, width, 23)
    assert len(lines) <= 23
    assert lines[-1] == "  0 of 9 shown · in full at /clinic"
    assert max(map(len, lines)) <= max(width, 40)


def test_colour_is_only_for_the_signs() -> None:
    state = marked(vectors=Mark(met=1.0, said="Yes."), event=Mark(said="No."))
    coloured = terminal.listed(state, 80, 24, paint=terminal.painted)
    assert coloured[0] == "  \x1b[32m✓\x1b[0m 1  Three vectors"
    assert coloured[1] == "  \x1b[31m✗\x1b[0m 2  An event beyond ASCII"


def test_only_what_is_new_is_told() -> None:
    first = marked(vectors=Mark(met=1.0, said="All three."), wait=Mark(said="1", under_way=True))
    then = replace(first, marks={**first.marks, "event": Mark(said="No coffee.")}, latest="404")
    assert list(terminal.told(None, first)) == [
        "shown  1 Three vectors: All three.",
        "began  5 Wait when you're told to: 1",
    ]
    assert list(terminal.told(first, then)) == [
        "open   2 An event beyond ASCII: No coffee.",
        "also   404",
    ]
    assert list(terminal.told(then, then)) == []
    assert list(terminal.told(None, replace(BEGUN, latest="404"))) == ["also   404"]
