"""The door: what a report says of a text as a whole. The parts have tests of their own."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pusherkit import (
    Credentials,
    authenticate_user,
    authorize_channel,
    sign,
    verify,
    verify_channel,
    verify_user,
)
from pusherkit.authorization import channel_auth
from pusherkit.doctor.consult import MAX_JUDGED, App, Report, consult
from pusherkit.doctor.pasted import MAX_TEXT, read
from pusherkit.errors import UnreadableText
from pusherkit.signing import Request, hmac_sha256
from pusherkit.snippets import curl
from tests.doctor.conftest import Growth

NOW = 1_760_000_000
OWNER = Credentials(app_id="20817", key="5f2c9be0d6a41738c0de", secret="orchard-lane-7731")
APP = App.of(OWNER)
HOST = "https://ws.orchard.example"
PATH = "/apps/20817/events"
BODY = b'{"name":"order-shipped","channel":"orders","data":"7713"}'


def command(
    path: str = PATH,
    *,
    signed: str = PATH,
    base_url: str = HOST,
    at: int = NOW,
    body: bytes = BODY,
    owner: Credentials = OWNER,
    method: str = "POST",
) -> str:
    """A curl command that goes to `path`, with the signature of `signed`."""
    signature = sign(owner, method, signed, (), body, timestamp=at)
    return curl(base_url, Request(method, path, signature.query, body))


RIGHT, WRONG = command(), command(signed=f"{PATH}/")
UNEXPLAINED = command(owner=replace(OWNER, secret="a-secret-of-another-app"))
SAYS_NO = "Pusher error: Authentication signature invalid."
FAILURE = "curl: (7) Failed to connect to ws.orchard.example port 443: Connection refused"


def asked(text: str, app: App = APP, *, now: float = NOW, **options: Any) -> Report:
    return consult(text, app, now=now, **options)


def kinds(report: Report) -> list[str]:
    return [opinion.kind for opinion in report.opinions]


# --- several things in one text -------------------------------------------------------------------


def test_each_request_has_its_number_and_its_verdict() -> None:
    report = asked(f"{RIGHT}\n{WRONG}\n")
    assert [opinion.diagnosis.valid for opinion in report.opinions] == [True, False]
    said = str(report)
    assert "\n\n1. POST https://ws.orchard.example/apps/20817/events\nThe request is signed" in said
    assert "\n\n2. POST https://ws.orchard.example/apps/20817/events\ntrailing-slash: " in said
    assert "signed right, now (2). This goes to https://ws.orchard.example:\ncurl -X POST" in said
    assert "now (1)" not in said


def test_one_thing_has_no_number() -> None:
    assert "1." not in str(asked(WRONG)).partition("trailing-slash")[0]
    assert "signed right, now. This goes to" in str(asked(WRONG))


def test_what_is_over_the_limit_is_counted() -> None:
    report = asked("\n".join(command(at=NOW - n) for n in range(MAX_JUDGED + 3)))
    assert (len(report.opinions), report.unjudged) == (MAX_JUDGED, 3)
    assert "3 more are in the text and were not judged." in str(report)


@pytest.mark.parametrize(
    ("text", "status", "kinds_of"),
    [
        (RIGHT, 0, ["request"]),
        (WRONG, 1, ["request"]),
        (UNEXPLAINED, 2, ["request"]),
        (f"{RIGHT}\n{WRONG}", 1, ["request", "request"]),
        (f"{WRONG}\n{UNEXPLAINED}", 2, ["request", "request"]),
        (UNEXPLAINED.replace("auth_version=1.0", "auth_version=2"), 2, ["request"]),
        (SAYS_NO, 2, ["refusal"]),
        (f"{RIGHT}\n\n{SAYS_NO}", 0, ["request", "refusal"]),
        (f"{WRONG}\n\n{SAYS_NO}", 1, ["request"]),
        ("Pusher error: Unknown auth_key", 1, ["refusal"]),
        (f"{RIGHT}\n\nPusher error: Unknown auth_key", 1, ["request", "refusal"]),
        (FAILURE, 1, ["failure"]),
        (f"{RIGHT}\n\n{FAILURE}", 1, ["failure", "request"]),
    ],
)
def test_the_status_is_that_of_all_together(text: str, status: int, kinds_of: list[str]) -> None:
    report = asked(text)
    assert (report.status, kinds(report)) == (status, kinds_of), str(report)


def test_where_nothing_was_asked_nothing_was_refused() -> None:
    said = str(asked(f"{RIGHT}\n\n{FAILURE}"))
    assert "signed as it should be" in said
    assert "refused all the same" not in said


# --- what is left ---------------------------------------------------------------------------------


def test_a_valid_request_says_its_age_and_what_is_left() -> None:
    said = str(asked(RIGHT, now=NOW + 7_200))
    assert "Its timestamp (2025-10-09 08:53:20 UTC) is 2 hours old." in said
    assert "If it was refused all the same, what is left" in said


def test_a_path_that_names_another_app_is_noticed() -> None:
    other = "/apps/4/events"
    (opinion,) = asked(command(other, signed=other)).opinions
    assert opinion.diagnosis.valid
    assert (
        "The path names the app 4, and the app that is known here is 20817." in opinion.noticed[0]
    )
    (opinion,) = asked(command(other, signed=other), replace(APP, app_id="")).opinions
    assert opinion.noticed == ()


@pytest.mark.parametrize("at", [42, 1_000_000_000, NOW + 5_000])
def test_a_time_at_which_nobody_can_have_sent_it_is_judged_by_the_clock(at: int) -> None:
    report = asked(command(at=at))
    assert report.status == 1
    assert "imestamp" in str(report)


def test_an_answer_s_date_is_the_server_s_clock() -> None:
    trace = (
        f"> POST {PATH}?{RIGHT.partition('?')[2].partition(chr(39))[0]} HTTP/1.1\n"
        "> Host: ws.orchard.example\n>\n< HTTP/1.1 401 Unauthorized\n< Date: {}\n"
    )
    assert asked(trace.format("Thu, 09 Oct 2025 08:53:30 GMT")).opinions[0].diagnosis.valid
    late = asked(trace.format("Thu, 09 Oct 2025 09:53:30 GMT")).opinions[0].diagnosis
    assert "not within 600s of server time (2025-10-09T09:53:30Z)" in late.notes[0]
    assert asked(trace.format("today")).opinions[0].diagnosis.valid


# --- the parameters are somewhere else ------------------------------------------------------------

QUERY = RIGHT.partition("?")[2].partition("'")[0]
BARE = f"curl -X POST '{HOST}{PATH}' --data-raw '{BODY.decode()}'"


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("", "No parameter arrived"),
        (f" -H 'Authorization: {QUERY}'", "came in the Authorization header"),
        (f" -H 'Authorization: Pusher {QUERY.replace('&', ', ')}'", "in the Authorization header"),
        (f" -H 'X-Signature: {QUERY}'", "came in a header"),
        (
            " -H 'X-Pusher-Key: k' "
            + " ".join(
                f"-H 'X-Pusher-{p.replace('_', '-')}'".replace("=", ": ") for p in QUERY.split("&")
            ),
            "came in headers of their own",
        ),
        (" -H 'Authorization: Bearer abc'", "a Bearer token"),
        (" -u key:word", "HTTP Basic"),
        (" -H 'Authorization: Digest a=b'", "This API doesn't read that header"),
    ],
)
def test_parameters_that_are_not_in_the_query_are_sought_elsewhere(added: str, said: str) -> None:
    report = asked(BARE + added)
    assert report.status == 1
    assert said in str(report)
    corrected = read(report.opinions[0].corrected).requests[0].request
    verify(OWNER, corrected.method, corrected.path, corrected.params, corrected.body, now=NOW)


AS_JSON = json.dumps(dict(pair.split("=") for pair in QUERY.split("&")))


@pytest.mark.parametrize("body", [QUERY, AS_JSON])
def test_parameters_in_the_body_are_found(body: str) -> None:
    assert "came in the" in str(asked(f"curl '{HOST}{PATH}' -d '{body}'"))


@pytest.mark.parametrize("body", ["[1]", "&".join(["a=1"] * 120)], ids=["a list", "a long form"])
def test_a_body_that_can_hold_no_parameters_holds_none(body: str) -> None:
    assert "No parameter arrived" in str(asked(f"curl '{HOST}{PATH}' -d '{body}'"))


def test_a_request_to_something_else_is_said_to_go_there_and_is_not_signed() -> None:
    opinion = asked(f"curl '{HOST}/hooks/orders' -d '{{}}'").opinions[0]
    assert "The path /hooks/orders isn't one of this API's" in str(opinion)
    assert not opinion.corrected
    assert "its path isn't one of this API's" in opinion.not_corrected


# --- the same request, signed right ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "base_url", "url"),
    [
        (PATH, "http://127.0.0.1:8080", f"http://127.0.0.1:8080{PATH}"),
        (PATH, "https://ws.orchard.example:4443", f"https://ws.orchard.example:4443{PATH}"),
        (f"/{PATH}", HOST, f"{HOST}{PATH}"),
        ("/apps//20817///events", HOST, f"{HOST}{PATH}"),
        (f"/sockets{PATH}", HOST, f"{HOST}/sockets{PATH}"),
        ("/apps/4/events", HOST, f"{HOST}{PATH}"),
        (f"/{HOST}{PATH}", "https://cors.example", f"{HOST}{PATH}"),
        (f"/https:/ws.orchard.example{PATH}", "https://cors.example", f"{HOST}{PATH}"),
    ],
)
def test_scheme_port_and_path_stay_and_slashes_are_repaired(
    path: str, base_url: str, url: str
) -> None:
    (opinion,) = asked(command(path, signed="/x", base_url=base_url)).opinions
    assert opinion.corrected.startswith(f"curl -X POST '{url}?auth_key={OWNER.key}&")
    assert url.startswith(opinion.goes_to)
    corrected = read(opinion.corrected).requests[0].request
    verify(OWNER, corrected.method, corrected.path, corrected.params, corrected.body, now=NOW)


def test_what_is_not_known_is_not_made_up() -> None:
    unknown = App(secret=OWNER.secret)
    (opinion,) = asked(BARE, unknown).opinions
    assert "the app key isn't known" in opinion.not_corrected
    (opinion,) = asked(f"POST {PATH} HTTP/1.1\n\n{{}}").opinions
    assert "names no host" in opinion.not_corrected
    trace = f"> POST {PATH}?{QUERY}0 HTTP/1.1\n> Host: ws.orchard.example\n> Content-Length: 9\n>\n"
    assert "doesn't hold the body" in asked(trace).opinions[0].not_corrected
    assert "unknown" not in str(asked(BARE, unknown))


def test_a_body_that_no_terminal_shows_is_not_shown() -> None:
    (opinion,) = asked(command(signed="/x", body='{"data":"\u202eb"}'.encode())).opinions
    assert opinion.corrected == ""
    assert "a terminal cannot show" in opinion.not_corrected


def without_key_and_id(text: str) -> str:
    """A text as somebody shows it who takes the app key and the app id out first."""
    return text.replace(OWNER.key, "YOUR_APP_KEY").replace("/apps/20817", "/apps/YOUR_APP_ID")


def test_what_was_taken_out_is_read_with_the_app_s_own() -> None:
    report = asked(without_key_and_id(RIGHT))
    assert report.status == 0
    assert "auth_key is a placeholder" in str(report)
    sent = hmac_sha256(OWNER.secret, QUOTED)  # a backslash and an n in place of each newline
    report = asked(without_key_and_id(refusal(sent)))
    assert report.status == 1
    assert "newline-written-out" in str(report)
    assert "YOUR_APP" not in str(report)
    # Where the app id isn't known either, the placeholder stays, and nothing can be proven.
    report = asked(without_key_and_id(refusal(sent)), replace(APP, app_id=""))
    assert (report.status, "app id is a placeholder" in str(report)) == (2, True)


QUOTED = sign(OWNER, "POST", PATH, (), BODY, timestamp=NOW).canonical_string.replace("\n", "\\n")


def refusal(sent: str) -> str:
    return f'sent HmacSHA256Hex("{QUOTED}", your_secret_key), but you sent "{sent}"'


def test_the_app_that_a_refusal_names_is_taken_from_it() -> None:
    text = refusal("0f" * 32)
    for app in (APP, App(secret=OWNER.secret)):
        said = str(asked(text, app))
        assert "nknown" not in said
        assert asked(text, app).status == 2


# --- subscriptions and webhooks -------------------------------------------------------------------


def test_a_subscription_is_judged_and_signed_right() -> None:
    auth = authorize_channel(OWNER, "1.2", "private-orders")["auth"]
    text = f"socket_id: 1.2\nchannel: private-orders\nauth: {auth}"
    report = asked(text)
    assert (kinds(report), report.status) == (["subscription"], 0)
    report = asked(text.replace("1.2", "1.3"))
    assert report.status in (1, 2)
    right = report.opinions[0].corrected.removeprefix("auth: ")
    verify_channel(OWNER, "1.3", "private-orders", right)
    assert f"The same subscription, signed right:\nauth: {right}" in str(report)
    (opinion,) = asked(text.replace("1.2", "12")).opinions
    assert 'socket_id: expected digits, a dot and digits, such as "123.456"' in str(opinion)
    assert opinion.corrected == ""


def test_a_subscription_to_an_encrypted_channel_is_judged_without_its_master_key() -> None:
    right = channel_auth(OWNER, "1.2", "private-encrypted-a")
    pasted = {"socket_id": "1.2", "channel": "private-encrypted-a", "shared_secret": "QUFB"}
    assert asked(json.dumps({**pasted, "auth": right})).status == 0
    report = asked(json.dumps({**pasted, "auth": f"{OWNER.key}:{'0' * 64}"}))
    assert f"The same subscription, signed right:\nauth: {right}" in str(report)


def test_a_sign_in_is_signed_right() -> None:
    answer = authenticate_user(OWNER, "1.2", {"id": "7"})
    text = f"socket_id: 1.3\nauth: {answer['auth']}\nuser_data: {answer['user_data']}"
    (opinion,) = asked(text).opinions
    assert (opinion.about, opinion.diagnosis.valid) == ("sign-in", False)
    verify_user(OWNER, "1.3", opinion.corrected.removeprefix("auth: "), answer["user_data"])


def test_the_secret_alone_is_enough_where_the_text_has_the_key() -> None:
    secret = App(secret=OWNER.secret)
    auth = authorize_channel(OWNER, "1.2", "private-orders")["auth"]
    text = f"socket_id: 1.2\nchannel: private-orders\nauth: {auth}"
    assert asked(text, secret).status == 0
    assert f"auth: {OWNER.key}:" in asked(text.replace("1.2", "1.3"), secret).opinions[0].corrected
    body = '{"time_ms":1760000000000,"events":[]}'
    text = (
        f"POST /hook HTTP/1.1\nHost: orchard.example\nX-Pusher-Key: {OWNER.key}\n"
        f"X-Pusher-Signature: {hmac_sha256(OWNER.secret, body)}\n\n{body}"
    )
    assert asked(text, secret).status == 0


def test_where_the_key_isn_t_known_no_key_is_called_another_one() -> None:
    auth = authorize_channel(OWNER, "1.2", "private-orders")["auth"]
    twice = json.dumps({"auth": auth})
    for text in (
        f"Expected HMAC SHA256 hex digest of 1.2:private-orders, but got {twice}",
        f"socket_id: 1.2\nchannel: private-orders\nauth: {b64encode(twice.encode()).decode()}",
    ):
        (opinion,) = asked(text, App(secret=OWNER.secret)).opinions
        (finding,) = opinion.diagnosis.findings
        assert "another-key" not in {mistake.name for mistake in finding.mistakes}


# --- without the secret ---------------------------------------------------------------------------


def test_without_the_secret_what_was_said_is_explained() -> None:
    report = asked(f"{WRONG}\n\nPusher error: Unknown auth_key", App())
    assert kinds(report) == ["refusal"]
    assert "Set PUSHER_SECRET" in str(report)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing in the input"),
        ("hello", "no request in the text"),
        (WRONG, "no secret"),
        ('{"log":{"version":"1.2","entries":[]}}', "read as a HAR file with 0 requests, and"),
    ],
)
def test_where_there_is_nothing_to_judge_it_says_so(text: str, said: str) -> None:
    with pytest.raises(UnreadableText, match=said) as raised:
        asked(text, App())
    assert "hello" not in str(raised.value)


# --- what it never does ---------------------------------------------------------------------------


def test_the_secret_is_in_no_report() -> None:
    for text in (
        f"{WRONG}\nThe secret is {OWNER.secret}: Unknown auth_key",
        command(f"/apps/{OWNER.secret}/events"),
        f"curl '{HOST}{PATH}?auth_key={OWNER.secret}&auth_signature={OWNER.secret}'",
        f"curl '{HOST}{PATH}' -H 'Authorization: auth_key={OWNER.secret}&auth_signature=1'",
        f"socket_id: 1.2\nchannel: private-x\nauth: {OWNER.secret}:{OWNER.secret}",
        f"POST /hook HTTP/1.1\nX-Pusher-Key: {OWNER.secret}\nX-Pusher-Signature: x\n\n{{}}",
    ):
        report = asked(text)
        assert OWNER.secret not in str(report) + repr(report)
    assert OWNER.secret not in repr(APP)


def test_a_search_that_is_stopped_says_so() -> None:
    report = asked(UNEXPLAINED, go_on=lambda: False)
    assert "stopped early" in str(report)


TEXTS: dict[str, Callable[[int], str]] = {
    "letters": lambda size: "x" * size,
    "lines of a log": lambda size: "2025-10-09 INFO ok 200\n" * (size // 23),
    "nested brackets": lambda size: "[{" * (size // 2),
    "quotes": lambda size: "\"'`" * (size // 3),
    "backslashes": lambda size: "\\" * size,
    "slashes": lambda size: "/" * size,
    "bytes": lambda size: "\udcff\0" * (size // 2),
    "many requests": lambda size: f"{WRONG}\n" * (size // len(WRONG)),
    "a long body": lambda size: f"POST {PATH}?{QUERY} HTTP/1.1\nHost: h\n\n" + "{" * size,
    "names and values": lambda size: "a=b&" * (size // 4),
    "refusals": lambda size: 'HmacSHA256Hex("POST\\n' * (size // 21),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_work_grows_as_the_text_does(name: str, growth: Growth) -> None:
    def work(text: str) -> None:
        with suppress(UnreadableText):
            asked(text)

    growth(work, TEXTS[name], largest=1_000_000, least=100_000)


def test_a_text_over_the_limit_is_a_sentence() -> None:
    with pytest.raises(UnreadableText, match="over the limit"):
        asked("x" * (MAX_TEXT + 1))
