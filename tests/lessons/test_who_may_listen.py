"""Lesson 09: the lock, an endpoint that runs, who can read an event, and the judges."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

import pytest

from pusherkit import encrypt
from pusherkit.lessons import who_may_listen as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, Outcome, Practice
from pusherkit.lessons.kit.view import to_html, to_text

PIA, TOM, NOBODY = "3f9c1a77", "b27e04d1", ""
OWN, STRANGERS = "private-order-41", "private-order-42"


# --- the lock -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", lesson.PAGES)
@pytest.mark.parametrize("channel", lesson.CHANNELS)
@pytest.mark.parametrize("endpoint", lesson.ENDPOINTS)
def test_the_picture_agrees_with_the_server(page: str, channel: str, endpoint: str) -> None:
    made = lesson.joining()
    made.set(page=page, channel=channel, endpoint=endpoint)
    user, signer = lesson.PAGES[page], lesson.ENDPOINTS[endpoint]
    joined = (
        channel == "order-42"
        or signer is lesson.signs_everything
        or (signer is lesson.decides_first and lesson.may_join(user, channel))
    )
    assert made.view.picture is not None
    assert ("the channel is open" in made.view.picture.desc) is joined
    asked = signer is not None and channel != "order-42"
    for picture in (made.view.picture, made.view.picture.narrow):
        assert picture is not None
        assert ("1 May I listen?" in picture.shapes) is asked, "nobody who isn't there is asked"
        assert "faint" not in picture.shapes, "what isn't there can still be read"
    assert made.view.status.startswith("In" if joined else "Kept out")
    may = lesson.may_join(user, f"private-{channel.removeprefix('private-')}")
    if channel == "order-42" and may:
        assert made.view.good is None, "a public channel is open to everybody, so to them"
    else:
        assert made.view.good is (joined == may), "in a stranger's order, public or not, is wrong"
    for picture in (made.view.picture, made.view.picture.narrow):
        assert picture is not None
        assert ("3 subscribe" in picture.shapes) is (joined or signer is None), "it has no auth"


def test_the_page_never_holds_the_secret() -> None:
    made = lesson.joining()
    for endpoint in lesson.ENDPOINTS:
        made.set(endpoint=endpoint)
        assert made.view.picture is not None
        for picture in (made.view.picture, made.view.picture.narrow):
            assert picture is not None
            keys = re.findall(">(the secret|the app key)<", picture.shapes)
            holders = 1 if lesson.ENDPOINTS[endpoint] is None else 2
            assert sorted(keys) == ["the app key", *["the secret"] * holders]
        assert EXAMPLE_CREDENTIALS.secret not in to_text(made.view)


# --- an endpoint that runs ------------------------------------------------------------------------


def handler(authorize: Any) -> type[BaseHTTPRequestHandler]:
    """The class of the notebook, around an answer of one's own."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            form = dict(parse_qsl(self.rfile.read(size).decode()))
            user = lesson.SESSIONS.get(self.headers["X-Session"])
            status, answer = authorize(
                EXAMPLE_CREDENTIALS, user, form["socket_id"], form["channel_name"]
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    return Endpoint


def crash(*_: object) -> Any:
    raise KeyError("orders")


@pytest.fixture(params=["sockets", "a browser tab"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """With a real server on 127.0.0.1; and as in a tab, where the handler is called in place."""
    if request.param == "a browser tab":
        monkeypatch.setattr(sys, "platform", "emscripten")
        server = Practice()
        monkeypatch.setattr(lesson, "practice", lambda: server)
    monkeypatch.setenv("PATH", "")  # no Node
    yield request.param
    while lesson._running:
        lesson._running.pop().stop()


@pytest.mark.parametrize(
    ("session", "channel", "is_in"),
    [
        (PIA, OWN, True),
        (PIA, STRANGERS, False),
        (TOM, STRANGERS, True),
        (TOM, lesson.COURIERS, True),
        (PIA, lesson.COURIERS, False),
        (NOBODY, OWN, False),
        ("tom", lesson.COURIERS, False),  # a name is no session
    ],
)
def test_pages_join_through_it(place: str, session: str, channel: str, is_in: bool) -> None:
    endpoint = lesson.run(handler(lesson.authorize.solve))
    got = lesson.join_through(endpoint, session, channel)
    assert (got.client, got.is_in) == (lesson.OUR_SUBSCRIBER, is_in)
    assert got.said == '{"status":"out for delivery"}' if is_in else "403" in got.said


def test_in_a_tab_it_says_so(place: str) -> None:
    endpoint = lesson.run(handler(lesson.authorize.solve))
    made = lesson.browser(endpoint)
    made.press("join")
    in_place = place == "a browser tab"
    assert (lesson.IN_PLACE in to_html(made.view)) is in_place
    assert (endpoint.url == "") is in_place


def test_a_crash_is_told_with_its_error(place: str) -> None:
    endpoint = lesson.run(handler(crash))
    got = lesson.join_through(endpoint, PIA, OWN)
    assert not got.is_in
    assert "your endpoint failed: KeyError: 'orders'" in got.said
    made = lesson.browser(endpoint)
    made.press("join")
    assert "Pia is kept out, but it should be the other way round." in made.view.status
    assert "KeyError: 'orders'" in to_text(made.view)


def test_a_handler_that_sends_nothing_is_told(place: str) -> None:
    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pass

    got = lesson.join_through(lesson.run(Silent), PIA, OWN)
    assert not got.is_in
    assert "your endpoint failed: it sent no answer" in got.said


def test_no_name_is_looked_up_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(socket, "getfqdn", lambda name="": looked_up.append(name) or name)
    lesson.run(handler(lesson.authorize.solve))
    lesson._running.pop().stop()
    assert looked_up == [], "in a room without a network, that can take seconds"


def test_starting_another_stops_the_first(place: str) -> None:
    first = lesson.run(handler(lesson.authorize.solve))
    second = lesson.run(handler(lesson.signs_everything))
    assert lesson._running == [second]
    if place == "sockets":
        with pytest.raises(PermissionError, match="your endpoint failed"):
            first.ask_as(PIA)("1.2", OWN)
    made = lesson.browser(second)
    made.set(channel=STRANGERS)
    made.press("join")
    assert made.view.status == "Pia is in, but it should be the other way round."
    assert made.view.good is False


def test_without_an_endpoint_it_says_where_to_begin() -> None:
    made = lesson.browser()
    made.press("join")
    assert made.view.status == "Run the cell above first: it starts your endpoint."


def test_node_without_pusher_js_falls_back_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(subprocess.Popen):  # type: ignore[type-arg]  # what Node does without the package
        def __init__(self, command: Any, **options: Any) -> None:
            super().__init__([sys.executable, "-c", "raise SystemExit(1)"], **options)

    monkeypatch.setattr(lesson.shutil, "which", lambda name: "node")
    monkeypatch.setattr(lesson.subprocess, "Popen", Ended)
    endpoint = lesson.run(handler(lesson.authorize.solve))
    assert lesson.join_through(endpoint, PIA, OWN).client == lesson.OUR_SUBSCRIBER
    made = lesson.browser(endpoint)
    made.press("join")
    assert "npm install pusher-js" in to_html(made.view)
    lesson._running.pop().stop()


# --- who can read it ------------------------------------------------------------------------------


def test_what_is_on_the_wire_is_that_door_code() -> None:
    from pusherkit.credentials import Credentials

    app = EXAMPLE_CREDENTIALS
    ours = Credentials(
        app_id=app.app_id,
        key=app.key,
        secret=app.secret,
        encryption_master_key_base64=lesson.MASTER_KEY,
    )
    key = ours.shared_secret(lesson.SEALED_CHANNEL)
    assert encrypt(key, lesson.DOOR_CODE, nonce=b"order 41, nonce number 1") == lesson.SEALED


@pytest.mark.parametrize("reader", lesson.READERS)
@pytest.mark.parametrize("has_pynacl", [True, False])
def test_who_reads_it(reader: str, has_pynacl: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_pynacl:
        monkeypatch.setitem(sys.modules, "nacl.secret", None)
    made = lesson.sealed()
    made.set(reader=reader)
    said = to_text(made.view)
    knows = reader in ("Pia's page on order 41", "somebody with the master key")
    assert ("7391" in said) is (knows and has_pynacl)
    if lesson.READERS[reader] and not has_pynacl:
        assert made.view.status == "I can't open it here."
        assert 'pip install "PyNaCl' in said
    else:
        assert lesson.BECAUSE[reader] in said


# --- the judges -----------------------------------------------------------------------------------


def refused(exercise: Any, answer: Any) -> str:
    """What a wrong answer is told."""
    feedback = exercise.check(answer)
    assert feedback.outcome is Outcome.WRONG, feedback.message
    return feedback.message


def auth(app_key: str, secret: str, text: str) -> str:
    return f"{app_key}:{lesson.signature(secret, text)}"


APP = EXAMPLE_CREDENTIALS
KEYED_ALIKE = "The signature is right. Put the app key that you're given and a colon before it."
STRIPS = "Sign the text as it is, with the secret as it is: strip nothing."
NO_THIRD = "Without channel_data the text ends with the channel. Yours goes on."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda key, secret, *parts: auth(APP.key, secret, ":".join(parts)), KEYED_ALIKE),
        (lambda key, secret, *parts: ":" + auth("", secret, ":".join(parts))[1:], KEYED_ALIKE),
        (
            lambda key, secret, *parts: auth(key, APP.secret, ":".join(parts)),
            "You signed with another app's secret. Use the one that you're given.",
        ),
        (
            lambda key, secret, *parts: auth(key, key, ":".join(parts)),
            "You signed with the app key, which anybody can read. Use the secret.",
        ),
        (lambda key, secret, *parts: auth(key, secret.strip(), ":".join(parts)), STRIPS),
        (lambda key, secret, *parts: auth(key, secret, ":".join(parts).strip()), STRIPS),
        (lambda k, s, i, channel, data=None: auth(k, s, f"{i}:{channel}:{data}"), NO_THIRD),
        (lambda k, s, i, channel, data="": auth(k, s, f"{i}:{channel}:{data}"), NO_THIRD),
        (
            lambda k, s, *p: auth(
                k, s, ":".join([*p[:2], *(json.dumps(json.loads(d)) for d in p[2:])])
            ),
            "You read channel_data and wrote it again. It's text already: sign the very same text.",
        ),
        (lambda key, secret, *parts: b"x", "This should be text (str), and yours is bytes."),
        (lambda key, secret, *parts: "x", "It differs from the very first character on."),
    ],
)
def test_an_auth_that_is_not_one(answer: Any, said: str) -> None:
    assert refused(lesson.channel_auth, answer) == said


def signs_then_says_no(*asked: Any) -> Any:
    status, answer = lesson.authorize(*asked)
    return status, answer if status == 200 else lesson.signs_everything(*asked)[1]


def presence(member: Any) -> Any:
    """An endpoint that is right but for its channel_data."""
    return lesson._answers(member, lambda data: {"channel_data": data})


def somebody_else(app: Any, user: Any, socket_id: str, channel: str) -> Any:
    return lesson.authorize(app, {**user, "id": "kim"} if user else None, socket_id, channel)


def with_member(member: Any) -> Any:
    """An endpoint that puts channel_data into each answer."""

    def answer(*asked: Any) -> Any:
        status, said = lesson.authorize(*asked)
        return status, {"channel_data": member, **said}

    return answer


def signs_a_member_everywhere(app: Any, user: Any, socket_id: str, channel: str) -> Any:
    if not lesson.may_join(user, channel):
        return 403, {"error": "no"}
    member = json.dumps({"user_id": user["id"]})
    auth = lesson.channel_auth(app.key, app.secret, socket_id, channel, member)
    return 200, {"auth": auth, "channel_data": member}


def test_a_list_and_a_refusal_that_says_auth_is_none_are_right() -> None:
    def answer(*asked: Any) -> Any:
        status, said = lesson.authorize(*asked)
        return [status, {"auth": None, **said}]

    assert lesson.authorize.check(answer).outcome is Outcome.PASSED
    assert (
        lesson.prove_it.check(lambda *asked: list(lesson.prove_it(*asked))).outcome
        is Outcome.PASSED
    )
    everything = lesson.authorize.check(lambda *asked: list(lesson._signs_for_all(*asked)))
    assert everything.message.startswith("It signs whatever it's asked to")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: (403, {}), "This user may join, but your status is 403."),
        (signs_then_says_no, "You signed for somebody who may not listen there."),
        (somebody_else, lesson.ANOTHER_MEMBER),
        (lambda *asked: lesson.authorize(*asked)[1], "Return two things: a status, and a dict."),
        (lambda *asked: lesson.authorize(*asked)[0], "Return two things: a status, and a dict."),
        (
            lambda *asked: lesson.authorize(*asked)[::-1],
            "The status comes first, then the dict.",
        ),
        (
            lambda *asked: (
                (401, {"error": "no"})
                if lesson.authorize(*asked)[0] == 403
                else lesson.authorize(*asked)
            ),
            "You're right to refuse, but your status is 401. A no is a 403.",
        ),
        (
            lambda *asked: (
                (403, {}) if lesson.authorize(*asked)[0] == 403 else lesson.authorize(*asked)
            ),
            "Say why you refuse: put text under error in your answer.",
        ),
        (
            presence(lambda user: json.dumps({"user_id": "tom"})),
            lesson.ANOTHER_MEMBER,
        ),
        (presence(lambda user: '{"user_id":"' + user["id"] + '"}'), lesson._NO_JSON),
        (
            presence(lambda user: json.dumps({"user_id": user["id"], "user_info": user})),
            "Every member gets to read channel_data, so keep the user's orders out of it.",
        ),
        (with_member(None), lesson.NO_MEMBER_HERE),
        (signs_a_member_everywhere, lesson.NO_MEMBER_HERE),
        (
            lambda *asked: (200, lesson.authorize(*asked)[1]),
            "You're right to refuse, but your status is 200. A no is a 403.",
        ),
        (lambda *_: (200, {"auth": {1}}), "This can't be written as JSON."),
        (lambda *_: (200, {"auth": "x"}), "The server refuses what you signed."),
        (lambda *_: (200, {}), "The server refuses what you signed."),
    ],
)
def test_an_endpoint_that_does_not_do(answer: Any, said: str) -> None:
    feedback = lesson.authorize.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert feedback.message == said


def test_a_refused_answer_comes_with_the_doctor() -> None:
    def without_private(app: Any, user: Any, socket_id: str, channel: str) -> Any:
        status, _ = lesson.authorize(app, user, socket_id, channel)
        signed = f"{socket_id}:{channel.removeprefix('private-')}"
        return status, {"auth": f"{app.key}:{lesson.signature(app.secret, signed)}"}

    feedback = lesson.authorize.check(without_private)
    assert feedback.message == "The server refuses what you signed."
    doctor = next(fact.value for fact in feedback.facts if fact.name == "The doctor")
    assert "prefix-not-signed" in doctor


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda user, channel: "yes", "Answer with True or False."),
        (lambda user, channel: False, "This user may join, but you said no."),
        (
            lambda user, channel: lesson.may_join(user, channel) or user is None,
            "This user may not join, but you let them in.",
        ),
    ],
)
def test_a_decision_that_does_not_do(answer: Any, said: str) -> None:
    assert refused(lesson.may_join, answer) == said


def own(user: Any, channel: str) -> bool:
    return channel in lesson._all_of(user)


def by_number(user: Any, channel: str) -> bool:
    number = channel.removeprefix("private-order-")
    return number != channel and number != "x" and int(number) in user["orders"]


OTHER_CHANNEL = "Couriers get into another channel, too. Compare the whole name."
PUBLIC_NAME = "You let in every public name. None is on the list, so it's a no."


@pytest.mark.parametrize(
    ("also", "said"),
    [
        (lambda user, name: not name.startswith(("private-", "presence-")), PUBLIC_NAME),
        (lambda user, name: own(user, f"private-{name}"), PUBLIC_NAME),
        (lambda user, name: name.startswith("presence-") and user["courier"], OTHER_CHANNEL),
        (lambda user, name: name.startswith(lesson.COURIERS) and user["courier"], OTHER_CHANNEL),
        (lambda user, name: "couriers" in name and user["courier"], OTHER_CHANNEL),
        (
            lambda user, name: name == lesson.COURIERS,
            "Customers get into presence-couriers. It's only for couriers.",
        ),
        (
            lambda user, name: own(user, name.replace("encrypted-", "")),
            "This user may not join, but you let them in.",
        ),
        (
            by_number,
            "The number is this user's, but the name isn't: the server compares names. Compare the "
            "whole name.",
        ),
    ],
)
def test_a_decision_that_lets_in_too_many(also: Any, said: str) -> None:
    def decide(user: Any, channel: str) -> bool:
        return bool(user and (lesson.may_join(user, channel) or also(user, channel)))

    assert refused(lesson.may_join, decide) == said


def test_a_channel_s_name_is_whatever_a_page_says() -> None:
    feedback = lesson.may_join.check(
        lambda user, channel: bool(
            user
            and (
                (channel == lesson.COURIERS and user["courier"])
                or (channel.startswith("private-order-") and int(channel[14:]) in user["orders"])
            )
        )
    )
    assert feedback.outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda answer: answer["auth"], "Return a dict with auth and user_data."),
        (lambda answer: {**answer, "user_data": {}}, "user_data has to stay the text that you"),
        (lambda answer: {**answer, "auth": "x"}, "The server refuses this sign-in."),
    ],
)
def test_a_sign_in_that_does_not_do(change: Any, said: str) -> None:
    feedback = lesson.sign_in.check(lambda *asked: change(lesson.sign_in(*asked)))
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def by_hand(name: str, user_id: str) -> str:
    return '{"' + name + '": "' + user_id + '"}'


def test_json_written_by_hand() -> None:
    def sign_in(app: Any, user: Any, socket_id: str) -> Any:
        data = by_hand("id", user["id"])
        text = f"{socket_id}::user::{data}"
        return {"auth": auth(app.key, app.secret, text), "user_data": data}

    def courier_auth(app: Any, socket_id: str, name: str, known: Any) -> Any:
        data = by_hand("user_id", name)
        text = f"{socket_id}:{lesson.COURIERS}:{data}"
        return {"auth": auth(app.key, app.secret, text), "channel_data": data}

    def prove_it(app: Any, user: Any, form: dict[str, str]) -> Any:
        if "channel_name" in form:
            return presence(lambda user: by_hand("user_id", user["id"]))(
                app, user, form["socket_id"], form["channel_name"]
            )
        return lesson.prove_it(app, user, form)

    for exercise, answer in (
        (lesson.sign_in, sign_in),
        (lesson.courier_auth, courier_auth),
        (lesson.prove_it, prove_it),
    ):
        assert refused(exercise, answer) == lesson._NO_JSON


def test_a_sign_in_as_somebody_else() -> None:
    feedback = lesson.sign_in.check(
        lambda app, user, socket_id: lesson.sign_in(app, {"id": "kim"}, socket_id)
    )
    assert feedback.message == lesson.SOMEBODY_ELSE


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: "x", "This should be a dict, and yours is text (str)."),
        (lambda *_: {"auth": "x"}, "The server refuses what you signed."),
    ],
)
def test_a_phone_that_stays_out(answer: Any, said: str) -> None:
    feedback = lesson.courier_auth.check(answer)
    assert (feedback.outcome, feedback.message) == (Outcome.WRONG, said)


def test_a_phone_after_a_tunnel() -> None:
    """The likeliest first change: channel_data goes into what is kept, and it is still kept."""

    def keeps(app: Any, socket_id: str, name: str, known: Any) -> Any:
        if name not in known:
            member = json.dumps({"user_id": name})
            text = f"{socket_id}:presence-couriers:{member}"
            known[name] = {"auth": auth(app.key, app.secret, text), "channel_data": member}
        return known[name]

    def by_connection(app: Any, socket_id: str, name: str, known: Any) -> Any:
        return known.setdefault(socket_id, lesson.courier_auth(app, socket_id, name, known))

    assert refused(lesson.courier_auth, keeps).startswith("It works the first time. After a tunnel")
    assert lesson.courier_auth.check(by_connection).outcome is Outcome.PASSED


def test_the_doctor_s_two_findings_are_about_two_faults() -> None:
    before, after = lesson.TOMS_TRIES
    heard = [
        lesson.say("pusher:subscribe", {**answer, "channel": lesson.COURIERS}, socket_id)
        for socket_id, answer in lesson.TOMS_TRIES.items()
    ]
    assert "No channel_data was sent" in heard[0].doctor
    assert "it was made for another connection" in heard[1].doctor
    assert before != after


@pytest.mark.parametrize(
    ("signs_in", "said"),
    [
        (lambda user: (200, {"auth": "x"}), "You signed in somebody who isn't logged in."),
        (
            lambda user: (404, {}) if user else (403, {"error": "Sign in first."}),
            "This user may sign in, but your status is 404.",
        ),
    ],
)
def test_a_proof_that_signs_in_wrongly(signs_in: Any, said: str) -> None:
    def prove_it(app: Any, user: Any, form: dict[str, str]) -> Any:
        if "channel_name" in form or (user and said.startswith("You signed")):
            return lesson.prove_it(app, user, form)
        return signs_in(user)

    feedback = lesson.prove_it.check(prove_it)
    assert (feedback.outcome, feedback.message) == (Outcome.WRONG, said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"channel_data": "the page's"},
            lesson.ANOTHER_MEMBER,
        ),
        (
            {"user_data": "the page's"},
            lesson.SOMEBODY_ELSE,
        ),
    ],
)
def test_a_proof_that_believes_the_page(change: dict[str, str], said: str) -> None:
    def prove_it(app: Any, user: Any, form: dict[str, str]) -> Any:
        status, answer = lesson.prove_it(app, user, form)
        (name,) = change
        if status == 200 and name in form and name in answer:
            joined = ":" + form["channel_name"] + ":" if "channel_name" in form else "::user::"
            text = form["socket_id"] + joined + form[name]
            answer = {"auth": auth(app.key, app.secret, text), name: form[name]}
        return status, answer

    assert refused(lesson.prove_it, prove_it) == said


def test_a_proof_that_believes_a_field_of_the_form() -> None:
    def prove_it(app: Any, user: Any, form: dict[str, str]) -> Any:
        user = user and {**user, "id": form.get("user_id") or user["id"]}
        return lesson.prove_it(app, user, form)

    assert refused(lesson.prove_it, prove_it) in (lesson.ANOTHER_MEMBER, lesson.SOMEBODY_ELSE)


def test_a_proof_that_opens_every_presence_channel() -> None:
    def prove_it(app: Any, user: Any, form: dict[str, str]) -> Any:
        channel = form.get("channel_name", "")
        if channel.startswith("presence-") and user and user["courier"]:
            return lesson._signs_for_all(app, user, form["socket_id"], channel)
        return lesson.prove_it(app, user, form)

    assert refused(lesson.prove_it, prove_it) == "You signed for somebody who may not listen there."


def trusts_the_socket_id(app: Any, user: Any, form: dict[str, str]) -> Any:
    if "channel_name" in form:
        return lesson.authorize(app, user, form["socket_id"], form["channel_name"])
    return (200, lesson.sign_in(app, user, form["socket_id"])) if user else (403, lesson.NO)


def trusts_it_in_a_sign_in(app: Any, user: Any, form: dict[str, str]) -> Any:
    trusting = trusts_the_socket_id if "channel_name" not in form else lesson.prove_it
    return trusting(app, user, form)


@pytest.mark.parametrize("answer", [trusts_the_socket_id, trusts_it_in_a_sign_in])
def test_a_socket_id_may_bring_a_channel_along(answer: Any) -> None:
    """What such an endpoint signs for Pia's own order, or for her sign-in, opens a stranger's."""
    smuggled = f"1234.1234:{STRANGERS}"
    asked = {"channel_name": OWN} if answer is trusts_the_socket_id else {}
    form = {"socket_id": smuggled if asked else f"{smuggled}:x", **asked}
    _, said = answer(APP, lesson.PIA, form)
    rest = OWN if asked else f"x::user::{said['user_data']}"
    joins = {"channel": STRANGERS, "auth": said["auth"], "channel_data": rest}
    assert lesson.say("pusher:subscribe", joins).error == ""
    assert refused(lesson.prove_it, answer) == lesson.SMUGGLED
    assert lesson.prove_it(APP, lesson.PIA, form)[0] == 403


def test_the_published_example_comes_out() -> None:
    app = EXAMPLE_CREDENTIALS
    auth = lesson.channel_auth(app.key, app.secret, "1234.1234", "private-foobar")
    assert auth.endswith(":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")
