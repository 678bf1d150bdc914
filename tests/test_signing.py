"""Signing and verifying: the published vectors, then the laws that they leave open."""

from __future__ import annotations

import ast
import hashlib
import hmac
import json
import re
import traceback
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from IPython.lib.pretty import pretty

from pusherkit import (
    AuthenticationError,
    Credentials,
    canonical_string,
    sign,
    verify,
)
from pusherkit.httpx_auth import PusherAuth
from pusherkit.signing import (
    SIGNING_PARAMS,
    TOLERANCE_SECONDS,
    Request,
    body_digest,
    hmac_sha256,
    judge,
)

NOW = 1_353_088_179  # seconds
PATH = "/apps/3/events"
BODY = b'{"name":"foo"}'
PUBLISHED = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))


def vectors(*kinds: str) -> list:
    return [pytest.param(v, id=v["id"]) for v in PUBLISHED["vectors"] if v["kind"] in kinds]


def owner(vector: dict) -> Credentials:
    return Credentials(app_id=vector.get("app_id", "3"), key=vector["key"], secret=vector["secret"])


def pairs(vector: dict) -> list[tuple[str, str]]:
    return [(key, value) for key, value in vector["params"]]


def pairs_on_the_wire(vector: dict) -> list[tuple[str, str]]:
    """Every parameter of a vector, its signature included."""
    sent = [
        *pairs(vector),
        ("auth_key", vector["key"]),
        ("auth_timestamp", str(vector["timestamp"])),
        ("auth_version", "1.0"),
    ]
    if vector["body_md5"]:
        sent.append(("body_md5", vector["body_md5"]))
    return [*sent, ("auth_signature", vector["signature"])]


# --- the published vectors ----------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("rest", "body_md5"))
def test_published_body_md5(vector):
    body = vector["body"].encode()
    if vector["body_md5"]:
        assert body_digest(body) == vector["body_md5"]
    else:
        assert body == b""


@pytest.mark.parametrize("vector", vectors("rest", "canonical_only"))
def test_published_canonical_string(vector):
    params = pairs_on_the_wire(vector) if vector["kind"] == "rest" else pairs(vector)
    expected = vector["canonical_string"]
    assert canonical_string(vector["method"], vector["path"], params) == expected


@pytest.mark.parametrize("vector", vectors("rest", "hmac"))
def test_published_hmac(vector):
    text = vector.get("text") or vector["canonical_string"]
    assert hmac_sha256(vector["secret"], text) == vector["signature"]


SIGNABLE = [v for v in vectors("rest") if "body_md5" not in dict(v.values[0]["params"])]


@pytest.mark.parametrize("vector", SIGNABLE)
def test_sign_gives_the_published_working(vector):
    signature = sign(
        owner(vector),
        vector["method"],
        vector["path"],
        pairs(vector),
        vector["body"].encode(),
        timestamp=vector["timestamp"],
    )
    assert signature.body_md5 == vector["body_md5"]
    assert signature.canonical_string == vector["canonical_string"]
    assert signature.hexdigest == vector["signature"]
    assert sorted(signature.query) == sorted(
        (key.lower(), value) for key, value in pairs_on_the_wire(vector)
    )


@pytest.mark.parametrize("vector", vectors("rest"))
def test_verify_accepts_what_was_published_and_nothing_one_digit_off(vector):
    def check(params):
        body, now = vector["body"].encode(), vector["timestamp"]
        verify(owner(vector), vector["method"], vector["path"], params, body, now=now)

    *others, (name, right) = pairs_on_the_wire(vector)
    check([*others, (name, right)])
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    with pytest.raises(AuthenticationError) as caught:
        check([*others, (name, wrong)])
    assert caught.value.reason == "auth_signature"


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["id"]) for v in PUBLISHED["published_but_wrong"]]
)
def test_a_published_body_that_does_not_fit_its_signature(vector):
    body = vector["body"].encode()
    signature = sign(
        owner(vector), vector["method"], vector["path"], (), body, timestamp=vector["timestamp"]
    )
    computed = vector["computed"]
    assert signature.body_md5 == computed["body_md5"] != vector["body_md5"]
    assert signature.canonical_string == computed["canonical_string"]
    assert signature.hexdigest == computed["signature"] != vector["signature"]
    with pytest.raises(AuthenticationError) as caught:
        verify(
            owner(vector),
            vector["method"],
            vector["path"],
            pairs_on_the_wire(vector),
            body,
            now=vector["timestamp"],
        )
    assert caught.value.reason == "body_md5"


# --- laws of signing ----------------------------------------------------------------------------


def signed_query(credentials: Credentials, params=(), body: bytes = b"") -> str:
    """The last line of the canonical string after the auth parameters, for keys behind auth_."""
    text = sign(credentials, "GET", PATH, params, body, timestamp=NOW).canonical_string
    _, _, rest = text.partition("auth_version=1.0")
    return rest.removeprefix("&")


def test_method_path_and_query_stand_on_three_lines_and_the_method_in_upper_case(credentials):
    assert canonical_string("post", "/apps/3/Events", [("b", "2"), ("a", "1")]) == (
        "POST\n/apps/3/Events\na=1&b=2"
    )
    lower, upper = (sign(credentials, m, PATH, timestamp=NOW) for m in ("get", "GET"))
    assert lower == upper


def test_without_parameters_the_third_line_is_empty():
    assert canonical_string("GET", "/", ()) == "GET\n/\n"


def test_keys_are_lowercased_before_they_are_sorted_and_values_are_left_alone(credentials):
    assert signed_query(credentials, [("Zoo", "A"), ("info", "B"), ("FILTER", "C")]) == (
        "filter=C&info=B&zoo=A"
    )


@pytest.mark.parametrize("value", ["a,b", "a b", "a+b", "a&b=c", "a/b?c#d", "%2C", "100%", "é", ""])
def test_values_are_not_encoded(credentials, value):
    assert signed_query(credentials, [("info", value)]) == f"info={value}"


def test_parameters_may_stand_before_and_between_those_of_authentication(credentials):
    params = {"page": "1", "auth_l": "2", "a": "3"}
    text = sign(credentials, "GET", PATH, params, timestamp=NOW).canonical_string
    assert text == (
        f"GET\n{PATH}\na=3&auth_key={credentials.key}&auth_l=2&auth_timestamp={NOW}"
        "&auth_version=1.0&page=1"
    )


def test_the_order_of_parameters_is_irrelevant(credentials):
    params = [("info", "user_count"), ("filter_by_prefix", "presence-"), ("page", "2")]
    forward, backward, mapping = (
        sign(credentials, "GET", PATH, p, timestamp=NOW)
        for p in (params, params[::-1], dict(params))
    )
    assert forward == backward == mapping


def test_repeated_keys_keep_their_order(credentials):
    assert signed_query(credentials, [("c", "2"), ("b", "0"), ("C", "1"), ("c", "3")]) == (
        "b=0&c=2&c=1&c=3"
    )


def test_sorting_compares_keys_not_pairs(credentials):
    # Sorted as key=value texts, "info-b=1" would stand before "info=2".
    assert signed_query(credentials, [("info-b", "1"), ("info", "2")]) == "info=2&info-b=1"


def test_body_md5_goes_with_a_body_only(credentials):
    with_body = sign(credentials, "GET", PATH, (), b"x", timestamp=NOW)
    assert with_body.body_md5 == hashlib.md5(b"x").hexdigest()
    assert dict(with_body.params)["body_md5"] == with_body.body_md5
    without = sign(credentials, "POST", PATH, (), b"", timestamp=NOW)
    assert without.body_md5 is None
    assert "body_md5" not in dict(without.params)


@pytest.mark.parametrize("name", sorted(SIGNING_PARAMS))
@pytest.mark.parametrize("body", [b"", BODY], ids=["no body", "a body"])
def test_auth_params_given_by_the_caller_are_replaced(credentials, name, body):
    fresh = sign(credentials, "POST", PATH, [("info", "x")], body, timestamp=NOW)
    stale = [(name, "stale"), ("info", "x"), (name.upper(), "staler")]
    assert sign(credentials, "POST", PATH, stale, body, timestamp=NOW) == fresh


def test_signing_what_was_signed_changes_nothing(credentials):
    once = sign(credentials, "POST", PATH, [("info", "x")], BODY, timestamp=NOW)
    assert sign(credentials, "POST", PATH, once.query, BODY, timestamp=NOW) == once


def test_a_signature_is_a_value_that_can_be_a_key(credentials):
    params = [("info", "x")]
    once, again = (sign(credentials, "GET", PATH, params, timestamp=NOW) for _ in range(2))
    assert len({once, again}) == 1


def test_the_callers_parameters_are_not_changed(credentials):
    params = [("Info", "x"), ("auth_key", "old")]
    sign(credentials, "POST", PATH, params, timestamp=NOW)
    assert params == [("Info", "x"), ("auth_key", "old")]


def test_text_beyond_ascii_is_signed_as_utf8():
    credentials = Credentials(app_id="3", key="ключ", secret="sécrèt🔑")
    signature = sign(credentials, "GET", PATH, [("name", "Zoë")], "ü".encode(), timestamp=NOW)
    text = (
        f"GET\n{PATH}\nauth_key=ключ&auth_timestamp={NOW}&auth_version=1.0"
        f"&body_md5={hashlib.md5(bytes([0xC3, 0xBC])).hexdigest()}&name=Zoë"
    )
    assert signature.canonical_string == text
    right = hmac.new("sécrèt🔑".encode(), text.encode(), hashlib.sha256).hexdigest()
    assert signature.hexdigest == right
    verify(credentials, "GET", PATH, signature.query, "ü".encode(), now=NOW)


def test_newlines_in_values_are_signed_as_they_are(credentials):
    params = [("note", "one\ntwo\r\nthree")]
    signature = sign(credentials, "GET", PATH, params, timestamp=NOW)
    assert signature.canonical_string.endswith("&note=one\ntwo\r\nthree")
    verify(credentials, "GET", PATH, signature.query, now=NOW)


@pytest.mark.parametrize("timestamp", [float(NOW), str(NOW), None])
def test_a_timestamp_that_is_no_int_is_refused_with_the_remedy(credentials, timestamp):
    with pytest.raises(TypeError, match=r"int\(time\.time\(\)\)") as caught:
        sign(credentials, "GET", PATH, timestamp=timestamp)
    assert f"expected whole Unix seconds (int), got {timestamp!r}." in str(caught.value)


# --- laws of verifying --------------------------------------------------------------------------


@pytest.fixture
def query(credentials) -> list[tuple[str, str]]:
    """The parameters of a rightly signed POST of BODY."""
    return list(sign(credentials, "POST", PATH, [("info", "x")], BODY, timestamp=NOW).query)


def reason(credentials, params, body=BODY, *, now: float = NOW, path=PATH, method="POST"):
    """The rule for which verify() refuses the request; None where it accepts it."""
    try:
        verify(credentials, method, path, params, body, now=now)
    except AuthenticationError as error:
        return error.reason
    return None


def replaced(params, name: str, value: str) -> list[tuple[str, str]]:
    assert name in dict(params)
    return [(key, value if key == name else old) for key, old in params]


def without(params, name: str) -> list[tuple[str, str]]:
    return [(key, value) for key, value in params if key != name]


def test_a_signed_request_is_accepted_in_any_order_and_case_of_keys(credentials, query):
    assert reason(credentials, query) is None
    assert reason(credentials, dict(query)) is None
    assert reason(credentials, query[::-1]) is None
    assert reason(credentials, [(key.upper(), value) for key, value in query]) is None
    assert reason(credentials, query, method="post") is None
    assert reason(credentials, iter(query)) is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"path": PATH + "/"}, "auth_signature"),
        ({"path": "/apps/4/events"}, "auth_signature"),
        ({"method": "PUT"}, "auth_signature"),
        ({"body": BODY + b"\n"}, "body_md5"),
        ({"body": b""}, "body_md5"),
    ],
    ids=["slash", "app", "method", "newline", "body lost"],
)
def test_a_change_after_signing_is_found(credentials, query, change, broken):
    assert reason(credentials, query, **change) == broken


def test_a_parameter_added_changed_or_lost_after_signing_is_found(credentials, query):
    for changed in (
        [*query, ("page", "2")],
        replaced(query, "info", "y"),
        without(query, "info"),
        [*query, ("info", "x")],
    ):
        assert reason(credentials, changed) == "auth_signature"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("auth_key", "another", "Unknown auth_key"),
        ("auth_version", "2.0", "Version not supported"),
        ("auth_version", "1", "Version not supported"),
        ("auth_timestamp", "yesterday", "Timestamp required"),
        ("auth_timestamp", "1353088179.5", "Timestamp required"),
        ("auth_timestamp", "-1353088179", "Timestamp required"),
        ("auth_timestamp", " 1353088179", "Timestamp required"),
        ("auth_timestamp", "١٣٥٣٠٨٨١٧٩", "Timestamp required"),
        ("auth_timestamp", "9" * 16, "Timestamp required"),
        ("auth_timestamp", "", "Timestamp required"),
        ("auth_timestamp", "1353080000", "Timestamp expired"),
        ("auth_timestamp", "9" * 15, "Timestamp expired"),
        ("body_md5", "d41d8cd98f00b204e9800998ecf8427e", "Invalid body_md5"),
        ("body_md5", "", "Invalid body_md5"),
        ("auth_signature", "", "Invalid signature"),
        ("auth_signature", "é", "Invalid signature"),
        ("auth_signature", "\ud800", "Invalid signature"),
    ],
)
def test_each_rule_names_itself(credentials, query, name, value, sentence):
    with pytest.raises(AuthenticationError, match=f"^{sentence}") as caught:
        verify(credentials, "POST", PATH, replaced(query, name, value), BODY, now=NOW)
    assert caught.value.reason == name
    assert caught.value.canonical_string.startswith(f"POST\n{PATH}\nauth_key=")


def test_a_refusal_tells_what_came_what_should_have_and_what_to_do(credentials, query):
    def told(name: str, value: str) -> tuple[str, str, str]:
        changed = replaced(query, name, value)
        failed = judge(credentials, Request("POST", PATH, changed, BODY), now=NOW).failed
        return failed.received, failed.error, failed.fix

    received, _, fix = told("auth_key", "another")
    assert received == "another"
    assert fix.startswith("Send the key of this app. ")
    received, _, fix = told("auth_version", "2.0")
    assert (received, fix) == ("2.0", "Send auth_version=1.0.")
    received, error, _ = told("auth_timestamp", "soon")
    assert received == "soon"
    assert error == "Timestamp required: auth_timestamp must be Unix time in whole seconds"
    received, error, fix = told("body_md5", "d41d")
    assert received == "d41d"
    assert error == (
        f"Invalid body_md5: the body that arrived has the MD5 {body_digest(BODY)}, "
        'but you sent "d41d"'
    )
    assert fix.startswith("Hash the exact bytes that you send")
    received, _, fix = told("auth_signature", "0")
    assert received == "0"
    assert fix.startswith("Compare your canonical string with this one, byte by byte.")


def test_the_error_quotes_what_the_verifier_signed(credentials, query):
    with pytest.raises(AuthenticationError) as caught:
        verify(credentials, "POST", PATH, replaced(query, "auth_signature", "0"), BODY, now=NOW)
    text = canonical_string("POST", PATH, query)
    assert caught.value.canonical_string == text
    quoted = text.replace("\n", "\\n")
    assert str(caught.value) == (
        f'Invalid signature: you should have sent HmacSHA256Hex("{quoted}", your_secret_key), '
        'but you sent "0"'
    )


@pytest.mark.parametrize("name", sorted(SIGNING_PARAMS))
def test_a_missing_parameter_is_named(credentials, query, name):
    with pytest.raises(AuthenticationError, match=f"^Missing parameter: {name}$") as caught:
        verify(credentials, "POST", PATH, without(query, name), BODY, now=NOW)
    assert caught.value.reason == name


@pytest.mark.parametrize("name", sorted(SIGNING_PARAMS))
@pytest.mark.parametrize("spelled", [str.lower, str.upper])
def test_a_repeated_parameter_is_named_even_in_another_case(credentials, query, name, spelled):
    doubled = [*query, (spelled(name), dict(query)[name])]
    with pytest.raises(
        AuthenticationError, match=f"^Repeated parameter: {name} was sent 2 times$"
    ) as caught:
        verify(credentials, "POST", PATH, doubled, BODY, now=NOW)
    assert caught.value.reason == name


@pytest.mark.parametrize("name", sorted(SIGNING_PARAMS))
def test_missing_or_repeated_the_same_is_expected_and_the_fix_fits(credentials, query, name):
    right = {
        check.rule: check
        for check in judge(credentials, Request("POST", PATH, query, BODY), now=NOW).checks
    }
    for params, fix in (
        (without(query, name), f"Add {name} to the parameters"),
        ([*query, (name, dict(query)[name])], f"Send {name} once."),
    ):
        failed = judge(credentials, Request("POST", PATH, params, BODY), now=NOW).failed
        assert failed.expected == right[name].expected
        assert failed.fix.startswith(fix)


def test_the_first_broken_rule_is_the_reason_and_all_are_judged(credentials):
    verdict = judge(credentials, Request("POST", PATH, (), BODY), now=NOW)
    rules = ["auth_key", "auth_version", "auth_timestamp", "body_md5", "auth_signature"]
    assert [check.rule for check in verdict.checks] == rules
    assert not any(check.passed for check in verdict.checks)
    assert verdict.failed == verdict.checks[0]


def test_the_quoted_canonical_string_is_one_line_that_can_be_read_back(credentials):
    signature = sign(credentials, "GET", PATH, [("info", 'a"b\\n\nc')], timestamp=NOW)
    wrong = [*signature.params, ("auth_signature", "0")]
    failed = judge(credentials, Request("GET", PATH, wrong), now=NOW).failed
    _, quoted, _ = re.split(r'(?<=HmacSHA256Hex\()(".*")(?=, your_secret_key\))', failed.error)
    assert ast.literal_eval(quoted) == signature.canonical_string


def test_what_was_received_is_shown_however_often(credentials, query):
    for params, shown in (
        (without(query, "auth_key"), "(missing)"),
        ([*query, ("auth_key", "another")], f"{credentials.key}, another"),
    ):
        assert (
            judge(credentials, Request("POST", PATH, params, BODY), now=NOW).failed.received
            == shown
        )


def test_every_check_tells_what_it_expected_and_what_it_received(credentials, query):
    told = {
        check.rule: (check.expected, check.received)
        for check in judge(
            credentials, Request("POST", PATH, query, BODY), now=NOW + 1.5, tolerance=600.0
        ).checks
    }
    digest, text = body_digest(BODY), canonical_string("POST", PATH, query).replace("\n", "\\n")
    assert told == {
        "auth_key": (f"{credentials.key} (the key of app 3)", credentials.key),
        "auth_version": ("1.0", "1.0"),
        "auth_timestamp": (
            f"within 600 s of the server's clock, {NOW + 1} (2012-11-16T17:49:40Z)",
            f"{NOW} (2012-11-16T17:49:39Z)",
        ),
        "body_md5": (f"{digest} (the MD5 of the {len(BODY)} bytes that arrived)", digest),
        "auth_signature": (
            f'HmacSHA256Hex("{text}", your_secret_key)',
            dict(query)["auth_signature"],
        ),
    }


def test_a_request_without_a_body_passes_the_rule_of_the_body(credentials):
    verdict = judge(
        credentials,
        Request("GET", PATH, sign(credentials, "GET", PATH, timestamp=NOW).query),
        now=NOW,
    )
    (check,) = [check for check in verdict.checks if check.rule == "body_md5"]
    assert (check.passed, check.expected, check.received) == (True, "(no body)", "(none)")


def test_every_check_has_its_sentences_only_where_it_failed(credentials, query):
    passed = judge(credentials, Request("POST", PATH, query, BODY), now=NOW)
    assert passed.failed is None
    assert {(check.error, check.fix) for check in passed.checks} == {("", "")}
    failed = judge(
        credentials, Request("POST", PATH, [(k, "wrong") for k, _ in query], BODY), now=NOW
    )
    assert all(check.error and check.fix for check in failed.checks)
    assert all(check.expected and check.received for check in (*passed.checks, *failed.checks))


@pytest.mark.parametrize("sign_of", [1, -1], ids=["clock ahead", "clock behind"])
def test_600_seconds_off_pass_and_601_fail(credentials, query, sign_of):
    assert TOLERANCE_SECONDS == 600
    assert reason(credentials, query, now=NOW + sign_of * 600) is None
    assert reason(credentials, query, now=NOW + sign_of * 601) == "auth_timestamp"


def test_an_expired_timestamp_is_told_beside_the_servers_clock(credentials, query):
    with pytest.raises(AuthenticationError) as caught:
        verify(credentials, "POST", PATH, query, BODY, now=NOW + 601)
    assert str(caught.value) == (
        "Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s "
        "of server time (2012-11-16T17:59:40Z)"
    )
    beyond = replaced(query, "auth_timestamp", "9" * 15)
    with pytest.raises(AuthenticationError, match=r"Given timestamp \(not a date\)"):
        verify(credentials, "POST", PATH, beyond, BODY, now=NOW)
    for now in (1e17, 1e20):  # beyond what the platform's clock can say
        with pytest.raises(AuthenticationError, match=r"server time \(not a date\)"):
            verify(credentials, "POST", PATH, query, BODY, now=now)


def test_the_tolerance_can_be_chosen(credentials, query):
    verify(credentials, "POST", PATH, query, BODY, now=NOW + 5, tolerance=5.0)
    with pytest.raises(AuthenticationError, match="not within 5s"):
        verify(credentials, "POST", PATH, query, BODY, now=NOW + 6, tolerance=5.0)


@pytest.mark.parametrize(
    ("sent", "advice"),
    [
        (str(NOW * 1000), "milliseconds"),
        (str(NOW * 1000 + 123_456), "milliseconds"),
        (str((NOW + 600) * 1000), "milliseconds"),
        (str((NOW + 600) * 1000 + 1), "ahead of"),
        (str(NOW + 3600), "3600 s ahead of the server's clock"),
        (str(NOW - 3600), "3600 s behind the server's clock"),
        ("16:20", "digits only"),
    ],
)
def test_the_fix_of_a_timestamp_says_what_is_wrong_with_it(credentials, query, sent, advice):
    sent_query = replaced(query, "auth_timestamp", sent)
    failed = judge(credentials, Request("POST", PATH, sent_query, BODY), now=NOW).failed
    assert failed.rule == "auth_timestamp"
    assert advice in failed.fix


def test_how_far_the_clocks_are_apart_is_told_in_whole_seconds(credentials, query):
    failed = judge(credentials, Request("POST", PATH, query, BODY), now=NOW + 3600.4).failed
    assert failed.fix.startswith("The timestamp is 3600 s behind the server's clock. ")


def test_an_empty_body_may_have_its_md5_or_none(credentials):
    signature = sign(credentials, "GET", PATH, timestamp=NOW)
    assert reason(credentials, signature.query, b"", method="GET") is None
    for digest, expected in ((body_digest(b""), None), (body_digest(b"x"), "body_md5")):
        params = [*signature.params, ("body_md5", digest)]
        right = hmac_sha256(credentials.secret, canonical_string("GET", PATH, params))
        params.append(("auth_signature", right))
        assert reason(credentials, params, b"", method="GET") == expected


def test_an_upper_case_signature_is_refused(credentials, query):
    shouted = replaced(query, "auth_signature", dict(query)["auth_signature"].upper())
    assert reason(credentials, shouted) == "auth_signature"


UNREADABLE = {
    "no params": ({"params": None}, "params", "got NoneType. Pass urllib.parse.parse_qsl("),
    "a query string": ({"params": "auth_key=x"}, "params", "got str. Pass"),
    "bytes": ({"params": b"auth_key=x"}, "params", "got bytes. Pass"),
    "names alone": ({"params": ["auth_key"]}, "params", "got str. Pass"),
    "three in a row": ({"params": [("a", "b", "c")]}, "params", "got tuple. Pass"),
    "a name that isn't text": ({"params": {b"a": "b"}}, "params", "got tuple. Pass"),
    "no value": ({"params": {"auth_key": None}}, "auth_key", "Missing parameter: auth_key."),
    "parse_qs": (
        {"params": parse_qs("auth_key=x")},
        "auth_key",
        "auth_key: expected text (str), got list. urllib.parse.parse_qs gives",
    ),
    "a number": ({"params": [("auth_timestamp", NOW)]}, "auth_timestamp", "got int."),
    "no method": ({"method": None}, "method", "method: expected text (str), got NoneType."),
    "a path in bytes": ({"path": b"/"}, "path", "path: expected text (str), got bytes."),
    "no body": ({"body": None}, "body", "body: expected the raw bytes that arrived, got NoneType."),
    "parsed JSON": ({"body": {"name": "foo"}}, "body", "got dict. Take the body before"),
}


@pytest.mark.parametrize(("given", "named", "error"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_no_request_has_is_refused_with_a_sentence(credentials, query, given, named, error):
    request = {"method": "POST", "path": PATH, "params": query, "body": BODY} | given
    with pytest.raises(AuthenticationError, match=re.escape(error)) as caught:
        verify(credentials, **request, now=NOW)
    assert caught.value.reason == named


def test_a_request_finds_every_value_of_a_parameter_in_any_case_of_its_name():
    request = Request("GET", PATH, [("Info", "a"), ("x", "b"), ("info", "c")])
    assert request.values("info") == ["a", "c"]
    assert request.values("auth_key") == []
    assert request == Request("GET", PATH, iter(request.params))
    assert Request("GET", PATH, {"x": "b"}).params == (("x", "b"),)


def test_pairs_and_bytes_of_any_kind_are_verified(credentials, query):
    for params in (query, dict(query), iter(query), [list(pair) for pair in query]):
        verify(credentials, "POST", PATH, params, bytearray(BODY), now=NOW)


def test_a_secret_that_is_a_name_without_a_value_is_not_repeated(credentials, query):
    with pytest.raises(AuthenticationError) as caught:
        verify(credentials, "POST", PATH, {credentials.secret: None}, BODY, now=NOW)
    assert credentials.secret not in everything_said(caught.value)


# --- the secret is told nowhere -----------------------------------------------------------------


def test_the_secret_is_in_no_repr(credentials):
    signature = sign(credentials, "POST", PATH, (), BODY, timestamp=NOW)
    for shown in (credentials, signature, PusherAuth(credentials)):
        assert credentials.secret not in f"{shown!r} {shown!s}"
    assert credentials.secret not in signature._repr_html_()


LEAKS = {
    "as auth_key": lambda secret: ("auth_key", secret),
    "as auth_version": lambda secret: ("auth_version", secret),
    "as auth_timestamp": lambda secret: ("auth_timestamp", secret),
    "as body_md5": lambda secret: ("body_md5", secret),
    "as auth_signature": lambda secret: ("auth_signature", secret),
    "as another value": lambda secret: ("info", secret),
    "inside a value": lambda secret: ("auth_key", f"key:{secret}"),
    "as a name": lambda secret: (secret, ""),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_a_secret_sent_by_mistake_is_not_repeated(credentials, query, leak, again):
    name, value = leak(credentials.secret)
    params = [*without(query, name), (name, value), *([(name, value)] if again else [])]
    verdict = judge(credentials, Request("POST", PATH, params, BODY), now=NOW)
    assert credentials.secret not in repr(verdict)
    with pytest.raises(AuthenticationError) as caught:
        verify(credentials, "POST", PATH, params, BODY, now=NOW)
    assert credentials.secret not in everything_said(caught.value)


def test_a_secret_in_the_path_or_in_place_of_the_method_is_not_repeated(credentials, query):
    for method, path in (("POST", f"/apps/{credentials.secret}"), (credentials.secret, PATH)):
        verdict = judge(credentials, Request(method, path, query, BODY), now=NOW)
        assert credentials.secret not in repr(verdict).lower()


@pytest.mark.parametrize(
    ("secret", "value", "shown"),
    [
        ("123456", "x123456x", "x[the app's secret]x"),
        ("12345", "x12345x", "x12345x"),  # so short that it could stand there by chance
        ("12345", "12345", "[the app's secret]"),
        ("12345", "another", "another"),
    ],
)
def test_what_is_shown_in_the_place_of_a_secret(secret, value, shown):
    mine = Credentials(app_id="3", key="key", secret=secret)
    assert judge(mine, Request("GET", PATH, {"info": value}), now=NOW).canonical_string == (
        f"GET\n{PATH}\ninfo={shown}"
    )


@pytest.mark.parametrize(
    "secret",
    ["278d425bdf160c739803", "1.0", str(NOW), str(NOW)[:6], body_digest(BODY), "x", PATH, "POST"],
)
def test_hiding_the_secret_does_not_change_the_judgement(secret):
    mine = Credentials(app_id="3", key="278d425bdf160c739803", secret=secret)
    signature = sign(mine, "POST", PATH, [("info", "x")], BODY, timestamp=NOW)
    assert reason(mine, signature.query) is None


def test_a_secret_that_stands_in_its_own_signature_by_chance_is_accepted():
    mine, now = Credentials(app_id="3", key="key", secret="abcdef"), 1_353_917_477
    signature = sign(mine, "GET", "/", timestamp=now)
    assert mine.secret in signature.hexdigest
    verify(mine, "GET", "/", signature.query, now=now)


def test_the_right_signature_is_not_told(credentials, query):
    right = dict(query)["auth_signature"]
    verdict = judge(
        credentials,
        Request("POST", PATH, replaced(query, "auth_signature", "0" * 64), BODY),
        now=NOW,
    )
    assert verdict.failed is not None
    assert right not in repr(verdict)


def everything_said(error: BaseException) -> str:
    """What a traceback would print, with each chained exception, and the attributes."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


# --- how a signature shows itself ---------------------------------------------------------------


def test_a_printed_signature_shows_each_stage_of_the_working(credentials):
    signature = sign(credentials, "POST", PATH, [("info", "x")], BODY, timestamp=NOW)
    text = str(signature)
    for stage in ("Digest", "Parameters", "Canonical string", "Sign"):
        assert any(line.startswith(stage) for line in text.splitlines()), stage
    lines = [line[18:] for line in text.splitlines()]
    for line in (
        f"body_md5 = {signature.body_md5}",
        *(f"{key}={value}" for key, value in signature.params),
        *signature.canonical_string.split("\n"),
        f"auth_signature = {signature.hexdigest}",
    ):
        assert line in lines


def test_a_signature_without_a_body_says_so(credentials):
    assert "(no body, so none)" in str(sign(credentials, "GET", PATH, timestamp=NOW))


def test_a_notebook_shows_the_same_text(credentials):
    signature = sign(credentials, "POST", PATH, (), BODY, timestamp=NOW)
    assert pretty(signature) == str(signature)


def test_the_html_of_a_signature_escapes_what_came_from_outside(credentials):
    hostile = '<script>alert("x")</script>'
    shown = sign(credentials, "GET", PATH, [(hostile, hostile)], timestamp=NOW)._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") == 4  # two stages


def test_the_html_of_a_signature_is_a_table_of_the_working_and_nothing_else(credentials):
    signature = sign(credentials, "POST", PATH, [("info", "<x>")], BODY, timestamp=NOW)
    table = ElementTree.fromstring(signature._repr_html_())
    rows = {head.text: cell[0].text for head, cell in table}
    assert rows == {
        "Digest": f"body_md5 = {signature.body_md5}",
        "Parameters": "\n".join(f"{key}={value}" for key, value in signature.params),
        "Canonical string": signature.canonical_string,
        "Sign": f"auth_signature = {signature.hexdigest}",
    }
    assert "".join(table.itertext()) == "".join(f"{head}{text}" for head, text in rows.items())
