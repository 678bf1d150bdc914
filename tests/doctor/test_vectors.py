"""What a vector cannot detect: found by the table, and shown by wrong clients written here."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from pusherkit import Credentials, cli
from pusherkit.doctor.mistakes import TABLE, Body, Mistake, known_mistakes
from pusherkit.doctor.vectors import (
    ADDITIONS,
    Vector,
    blind_spots,
    exposing_addition,
    read_vectors,
    report,
    with_additions,
)
from pusherkit.errors import UnreadableText
from pusherkit.sandbox import Sandbox
from pusherkit.sandbox.api import RawRequest

FILE = Path(__file__).parents[1].joinpath("vectors.json")
ALL = json.loads(FILE.read_text(encoding="utf-8"))
OURS = [pytest.param(stated, id=stated["id"]) for stated in ALL["no_blind_spot"]]
WORKED = next(stated for stated in ALL["vectors"] if stated["id"] == "docs-worked-example")
SIGNED_BY_ALL_RULES = [  # one states its body_md5 among the parameters
    stated
    for stated in ALL["vectors"] + ALL["no_blind_spot"]
    if stated["kind"] == "rest" and "body_md5" not in dict(stated["params"])
]


def vector(stated: dict[str, Any]) -> Vector:
    (read,) = read_vectors(json.dumps(stated))
    return read


def names(mistakes: tuple[Mistake, ...]) -> set[str]:
    return {mistake.name for mistake in mistakes}


# --- a client that signs by itself, and can go wrong --------------------------------------------


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def joined(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{key}={value}" for key, value in pairs)


def by_key(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(((key.lower(), value) for key, value in pairs), key=lambda pair: pair[0])


def encoded(encode: Callable[[str], str]) -> Callable[[list[tuple[str, str]]], str]:
    return lambda pairs: joined([(key, encode(value)) for key, value in by_key(pairs)])


def client(
    stated: dict[str, Any],
    *,
    own_first: bool = True,
    digest: Callable[[bytes], str] = md5,
    query: Callable[[list[tuple[str, str]]], str] = lambda pairs: joined(by_key(pairs)),
) -> tuple[str | None, str, str]:
    """body_md5, canonical string and signature of a vector, as this client makes them."""
    body = stated["body"].encode()
    auth = [("auth_key", stated["key"]), ("auth_timestamp", str(stated["timestamp"]))]
    auth.append(("auth_version", "1.0"))
    body_md5 = digest(body) if body else None
    if body_md5:
        auth.append(("body_md5", body_md5))
    own = [(key, value) for key, value in stated["params"]]
    pairs = [*own, *auth] if own_first else [*auth, *own]
    text = f"{stated['method']}\n{stated['path']}\n{query(pairs)}"
    mac = hmac.new(stated["secret"].encode(), text.encode(), hashlib.sha256)
    return body_md5, text, mac.hexdigest()


def again(**style: Any) -> Callable[[bytes], str]:
    """The digest of the same JSON, serialised by this client."""
    return lambda body: md5(json.dumps(json.loads(body), **style).encode())


COMPACT = (",", ":")
WRONG_CLIENTS: dict[str, tuple[str, dict[str, Any]]] = {  # the mistake's name in the table, and how
    "does not sort": (
        "parameters-unsorted",
        {"query": lambda pairs: joined([(key.lower(), value) for key, value in pairs])},
    ),
    "does not sort, and sends its own parameters last": (
        "parameters-unsorted",
        {
            "query": lambda pairs: joined([(key.lower(), value) for key, value in pairs]),
            "own_first": False,
        },
    ),
    "sorts and keeps upper case": (
        "keys-not-lower-cased",
        {"query": lambda pairs: joined(sorted(pairs))},
    ),
    "sorts by lower case and keeps upper case": (
        "keys-not-lower-cased",
        {"query": lambda pairs: joined(sorted(pairs, key=lambda pair: pair[0].lower()))},
    ),
    "encodes, space as %20": ("values-url-encoded", {"query": encoded(quote)}),
    "encodes, space as +": ("values-url-encoded", {"query": encoded(quote_plus)}),
    "encodes spaces alone": (
        "values-url-encoded",
        {"query": encoded(lambda value: value.replace(" ", "%20"))},
    ),
    "encodes commas alone": (
        "values-url-encoded",
        {"query": encoded(lambda value: value.replace(",", "%2C"))},
    ),
    "serialises again, compact": (
        "body-serialised-again",
        {"digest": again(separators=COMPACT, ensure_ascii=False)},
    ),
    "serialises again, compact, escaped": (
        "body-serialised-again",
        {"digest": again(separators=COMPACT)},
    ),
    "hashes Latin-1": (
        "body-in-latin-1",
        {"digest": lambda body: md5(body.decode().encode("latin-1", errors="replace"))},
    ),
    "hashes ASCII escapes": (
        "body-escaped-to-ascii",
        {"digest": lambda body: md5(escaped(body.decode()).encode())},
    ),
    "strips the body before hashing": (
        "newline-sent-not-hashed",
        {"digest": lambda body: md5(body.strip())},
    ),
}
every_wrong_client = pytest.mark.parametrize(
    ("mistake", "how"), WRONG_CLIENTS.values(), ids=WRONG_CLIENTS.keys()
)


def escaped(text: str) -> str:
    units = [char.encode("utf-16-be") for char in text]
    return "".join(
        char
        if char < "\x80"
        else "".join(f"\\u{u[at : at + 2].hex()}" for at in range(0, len(u), 2))
        for char, u in zip(text, units, strict=True)
    )


# --- the published worked example ---------------------------------------------------------------


BLIND_IN_THE_WORKED_EXAMPLE = {
    "parameters-unsorted",
    "values-url-encoded",
    "keys-not-lower-cased",
    "body-escaped-to-ascii",
    "body-in-latin-1",
    "body-serialised-again",  # it is compact JSON, so whoever serialises so again has its bytes
    "newline-sent-not-hashed",  # it has none, so whoever strips the body has its bytes
}


def test_the_worked_example_cannot_detect_these():
    assert names(blind_spots(vector(WORKED))) == BLIND_IN_THE_WORKED_EXAMPLE


@every_wrong_client
def test_a_wrong_client_passes_the_worked_example(mistake, how):
    right = (WORKED["body_md5"], WORKED["canonical_string"], WORKED["signature"])
    assert client(WORKED) == right
    assert mistake in BLIND_IN_THE_WORKED_EXAMPLE
    assert client(WORKED, **how) == right


def test_the_wrong_clients_make_every_mistake_that_passes():
    assert {mistake for mistake, _ in WRONG_CLIENTS.values()} == BLIND_IN_THE_WORKED_EXAMPLE


def test_what_the_worked_example_lacks():
    addition = exposing_addition(vector(WORKED))
    assert addition.left == ()
    assert addition.what == tuple(
        ADDITIONS[name] for name in ("accent", "newline", "order", "key", "value")
    )
    (stored,) = (v for v in ALL["no_blind_spot"] if v["id"] == "worked-example-and-what-it-lacks")
    assert replace(addition.vector, name=stored["id"]) == vector(stored)


# --- the vectors without a blind spot -----------------------------------------------------------


@pytest.mark.parametrize("stated", OURS)
def test_our_vectors_have_no_blind_spot(stated):
    assert blind_spots(vector(stated)) == ()
    assert report(vector(stated)) == f"{stated['id']}: detects every known mistake."


@pytest.mark.parametrize("stated", OURS)
def test_every_stage_of_our_vectors_by_hashlib_and_hmac_alone(stated):
    right = (stated["body_md5"], stated["canonical_string"], stated["signature"])
    assert client(stated) == right
    assert client(stated, own_first=False) == right


@every_wrong_client
@pytest.mark.parametrize("stated", OURS)
def test_our_vectors_detect_every_wrong_client(stated, mistake, how):
    body_md5, _, signature = client(stated, **how)
    assert (body_md5, signature) != (stated["body_md5"], stated["signature"])
    assert signature != stated["signature"]


@pytest.mark.parametrize("stated", OURS)
def test_our_vectors_are_requests_that_a_server_accepts(stated):
    owner = Credentials(app_id=stated["app_id"], key=stated["key"], secret=stated["secret"])
    query = urlencode(vector(stated).signature.query)
    target = f"{stated['path']}?{query}".encode()
    request = RawRequest(method=stated["method"], target=target, body=stated["body"].encode())
    reply = Sandbox(owner).handle(request, now=stated["timestamp"])
    assert reply.status == 200, reply.note


# --- every vector: blind means that the signature does not change -------------------------------


def outcomes(read: Vector, pairs: list[tuple[str, str]]) -> Iterator[tuple[Mistake, list[Any]]]:
    """For each mistake, the (body_md5, signature) of each way to make it: by hashlib alone."""
    body, secret = read.body.encode(), read.secret.encode()
    right_md5 = md5(body) if body else None

    def made(
        axis: str, function: Callable[..., Iterator[Any]], value: Any
    ) -> tuple[str | None, str]:
        on = {axis: value}
        digest = on.get("digest", right_md5)
        sent = [
            (
                k,
                digest
                if k == "body_md5"
                else on.get("timestamp", v)
                if k == "auth_timestamp"
                else v,
            )
            for k, v in pairs
        ]
        query = on.get("query", joined(by_key(sent)))
        lines = (on.get("method", read.method), on.get("path", read.path), query)
        text = on.get("newline", "\n".join(lines))
        key = on.get("secret", secret)
        raw = on.get("mac", hmac.new(key, text.encode(), hashlib.sha256).digest())
        return digest, on.get("encoding", raw.hex())

    query = joined(by_key(pairs))
    lines = (read.method, read.path, query)
    raw = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    arguments: dict[str, tuple[Any, ...]] = {
        "digest": (Body(body),),
        "query": (pairs,),
        "path": (read.path, read.credentials),
        "method": (read.method,),
        "newline": (lines, Body(body)),
        "timestamp": (str(read.timestamp),),
        "secret": (read.credentials,),
        "mac": (secret, "\n".join(lines).encode()),
        "encoding": (raw,),
    }
    for axis, rows in TABLE.items():
        for mistake, function in rows:
            values = [] if axis == "digest" and not body else list_of(function, *arguments[axis])
            yield mistake, [made(axis, function, value) for value in values]


def list_of(function: Callable[..., Iterator[Any]], *arguments: Any) -> list[Any]:
    values = []
    try:
        for value in function(*arguments):
            values.append(value)
    except (ValueError, RecursionError):
        pass
    return values


@pytest.mark.parametrize("stated", SIGNED_BY_ALL_RULES, ids=lambda stated: stated["id"])
def test_blind_means_that_neither_signature_nor_digest_changes(stated):
    read = vector(stated)
    right_md5, _, right_signature = client(stated)
    auth = [pair for pair in read.signature.params if re.match("auth_|body_md5", pair[0])]
    unnoticed = {
        mistake.name
        for pairs in ([*read.params, *auth], [*auth, *read.params])
        for mistake, made in outcomes(read, pairs)
        if not made or (right_md5, right_signature) in made
    }
    assert names(blind_spots(read)) == unnoticed


@pytest.mark.parametrize("stated", SIGNED_BY_ALL_RULES, ids=lambda stated: stated["id"])
def test_the_addition_exposes_all_and_nothing_smaller_does(stated):
    read = vector(stated)
    addition = exposing_addition(read)
    assert addition.left == blind_spots(addition.vector) == ()
    for fewer in combinations(ADDITIONS, max(0, len(addition.what) - 1)):
        assert addition.what == () or blind_spots(with_additions(read, fewer)) != ()


@pytest.mark.parametrize(
    ("changed", "addition"),
    [
        ({"body": OURS[0].values[0]["body"].strip()}, "newline"),
        ({"body": WORKED["body"] + "\n"}, "accent"),
        ({"params": (("Zone", "a, b"),)}, "order"),
        ({"params": (("zone", "a, b"), ("a", "1"))}, "key"),
        ({"params": (("Zone", "1"), ("a", "1"))}, "value"),
        ({"secret": "secret"}, "secret"),
        ({"path": "/apps/3/channels"}, "path"),
        ({"body": "", "method": "GET"}, "body"),
    ],
    ids=lambda value: value if isinstance(value, str) else "lacking",
)
def test_what_lacks_one_thing_is_given_that_alone(changed, addition):
    lacking = replace(vector(OURS[0].values[0]), **changed)
    given = exposing_addition(lacking)
    # What a body must have comes along with it.
    wanted = ["accent", "newline", "body"] if addition == "body" else [addition]
    assert (given.what, given.left) == (tuple(ADDITIONS[name] for name in wanted), ())
    assert given.vector.method == "POST"


def test_no_parameter_is_added_without_need():
    assert with_additions(worked(params=(("info", "x"),)), ["order"]).params == (
        ("info", "x"),
        ("a", "1"),
    )
    in_order = worked(params=(("a", "x"),))
    assert with_additions(in_order, ["order"]).params == (("a", "x"), ("zone", "1"))
    assert "parameters-unsorted" not in names(blind_spots(with_additions(in_order, ["order"])))


# --- particular vectors -------------------------------------------------------------------------


def worked(**changed: Any) -> Vector:
    return replace(vector(WORKED), **changed)


ONE_EACH = [
    ("body-in-latin-1", {"body": '{"a":"é"}'}),
    ("body-escaped-to-ascii", {"body": '{"a":"é"}'}),
    ("body-serialised-again", {"body": '{"a":"b" }'}),
    ("newline-sent-not-hashed", {"body": '{"a":"b"}\n'}),
    ("parameters-unsorted", {"params": (("b", "1"), ("a", "1"))}),
    ("values-url-encoded", {"params": (("b", "a, b"),)}),
    ("keys-not-lower-cased", {"params": (("B", "1"),)}),
]


@pytest.mark.parametrize(("name", "changed"), ONE_EACH, ids=[name for name, _ in ONE_EACH])
def test_each_blind_spot_of_the_worked_example_is_exposed_by_its_own_change(name, changed):
    assert name in BLIND_IN_THE_WORKED_EXAMPLE
    assert name not in names(blind_spots(worked(**changed)))


@pytest.mark.parametrize("params", [(("info", "1"),), (("a", "1"),), (("x", "1"), ("y", "1"))])
def test_parameters_in_order_at_either_end_do_not_detect_who_does_not_sort(params):
    assert "parameters-unsorted" in names(blind_spots(worked(params=params)))
    assert exposing_addition(worked(params=params)).left == ()


def test_parameters_around_the_auth_parameters_detect_it_at_both_ends():
    around = worked(params=(("a", "1"), ("info", "1")))
    assert "parameters-unsorted" not in names(blind_spots(around))


def test_repeated_keys_are_no_encoding():
    # Their order is that of the URL; sorting them by value as well is not what is looked for.
    repeated = worked(params=(("things[]", "2"), ("things[]", "1")))
    assert {"values-url-encoded", "keys-not-lower-cased"} <= names(blind_spots(repeated))


def test_without_a_body_no_mistake_of_the_body_can_be_made():
    blind = blind_spots(worked(method="GET", path="/apps/3/channels", body=""))
    digest = {mistake.name for mistake in known_mistakes() if mistake.axis == "digest"}
    assert names(blind) >= digest | {"body-md5-not-signed", "batch-path-exchanged"}


def test_a_secret_that_is_no_hex_cannot_show_who_decodes_it():
    assert names(blind_spots(worked(secret="secret"))) - BLIND_IN_THE_WORKED_EXAMPLE == {
        "secret-hex-decoded",
        "secret-base64-decoded",
    }


def test_what_no_addition_exposes_is_left_and_said():
    same = worked(key="7ad3773142a6692b25b8")
    assert names(exposing_addition(same).left) == {"app-key-as-secret"}
    assert "Only another vector could expose: app-key-as-secret" in report(same)
    complete = replace(vector(OURS[0].values[0]), key="7ad3773142a6692b25b8")
    assert exposing_addition(complete).what == ()
    assert "addition" not in report(complete)


def test_a_body_that_is_no_json_is_given_one():
    assert exposing_addition(worked(body="text")).left == ()


def test_the_accent_leaves_json_json():
    for body in ('{"a:":"b"}', r'{"a":"\"b\\"}', '{"a":{"b":["c"]},"d":"e"}', '["x"]'):
        changed = with_additions(worked(body=body), ["accent"]).body
        assert "é" in str(json.loads(changed))
        assert list(json.loads(changed)) == list(json.loads(body)) or body == '["x"]'


# --- the report ---------------------------------------------------------------------------------


def test_the_report_names_what_passes_and_what_to_add():
    lines = report(vector(WORKED)).split("\n")
    assert lines[0] == (
        f"docs-worked-example: cannot detect 7 of {len(known_mistakes())} known mistakes."
    )
    assert {line.strip().split(":")[0] for line in lines[1:8]} == BLIND_IN_THE_WORKED_EXAMPLE
    assert "  + a newline at the end of the body" in lines
    changes = json.loads("{" + ",".join(lines[lines.index("  What changes:") + 1 :]) + "}")
    assert list(changes) == ["params", "body", "body_md5", "canonical_string", "signature"]
    assert blind_spots(vector(WORKED | changes)) == ()


def test_a_secret_is_not_repeated():
    assert "my-own" not in repr(worked(secret="my-own-secret"))
    assert "my-own" not in report(worked(secret="my-own-secret"))


# --- reading ------------------------------------------------------------------------------------

BARE = {"method": "GET", "path": "/apps/3/channels", "key": "k", "secret": "s", "timestamp": 1}


def test_reading_one_or_a_list():
    assert [read.name for read in read_vectors(json.dumps([BARE, BARE | {"name": "n"}]))] == [
        "vector 1",
        "n",
    ]
    (one,) = read_vectors("\ufeff" + json.dumps(BARE | {"params": {"info": "x"}}))
    assert one.params == (("info", "x"),)
    assert one.body == ""


def test_reading_an_object_with_lists():
    wrong = [{"kind": "hmac"}, BARE | {"kind": "rest", "params": [["body_md5", "0"]]}]
    lists = {"about": "text", "vectors": [BARE, *wrong], "no_blind_spot": [BARE | {"id": "n"}]}
    assert [read.name for read in read_vectors(json.dumps(lists))] == ["vector 1", "n"]
    assert len(read_vectors(json.dumps({"vectors": [BARE], "no_blind_spot": 3}))) == 1
    for empty in ({"vectors": []}, {"vectors": wrong}):
        with pytest.raises(UnreadableText, match="there is none"):
            read_vectors(json.dumps(empty))
    with pytest.raises(UnreadableText, match="vector 1: expected an object"):
        read_vectors(json.dumps({"vectors": [3]}))
    with pytest.raises(UnreadableText, match="vector 1: missing method"):
        read_vectors(json.dumps({"vectors": {}}))


@pytest.mark.parametrize("name", ["id", "name", "canonical_string", "body"])
def test_a_secret_in_the_wrong_place_of_a_vector_is_not_repeated(name, file, capsys):
    secret = "MARKER-0123456789"
    stated = BARE | {"secret": secret, "params": {"a": secret}, name: f"{secret}!"}
    assert cli.main(["vectors", file(stated)]) in (1, 3)
    said = capsys.readouterr()
    assert secret not in said.out + said.err


@pytest.mark.parametrize("stated", SIGNED_BY_ALL_RULES, ids=lambda stated: stated["id"])
def test_the_published_vectors_can_be_read(stated):
    assert vector(stated).signature.hexdigest == stated["signature"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expected vectors as JSON: Expecting value"),
        ("[" * 100_000, "Expected vectors as JSON"),
        ("[]", "there is none"),
        ("\udcff", "character 0 is not UTF-8"),
        ("[1]", "vector 1: expected an object with method, path, key, secret, timestamp"),
        ('[{"method": "GET"}]', "vector 1: missing path, key, secret, timestamp"),
        (json.dumps([BARE, BARE | {"path": 3}]), "vector 2: path: expected text"),
        (json.dumps(BARE | {"timestamp": "1"}), "timestamp: expected whole Unix seconds"),
        (json.dumps(BARE | {"timestamp": True}), "timestamp: expected whole Unix seconds"),
        (json.dumps(BARE | {"timestamp": -1}), "timestamp: expected whole Unix seconds"),
        (json.dumps(BARE | {"params": "info=x"}), "params: expected pairs of text"),
        (json.dumps(BARE | {"params": [["a", 1]]}), "params: expected pairs of text"),
        (json.dumps(BARE | {"params": [["Auth_Key", "k"]]}), "leave out Auth_Key"),
        (json.dumps(BARE | {"params": [["a", "\ud800"]]}), r"half of a surrogate pair \(U\+D800"),
        (json.dumps(BARE | {"body": "\udfff"}), "body: character 0 is half"),
        (json.dumps(BARE | {"secret": " hush"}), "vector 1: secret: has white space"),
        (json.dumps(BARE | {"signature": "00"}), "its signature is not that of its own parts"),
        (json.dumps(BARE | {"body_md5": "00"}), "its body_md5 is not that of its own parts"),
        (json.dumps(ALL["published_but_wrong"]), "its body_md5 is not that of its own parts"),
    ],
)
def test_what_is_no_vector_is_a_sentence(text, said):
    with pytest.raises(UnreadableText, match=said) as caught:
        read_vectors(text)
    assert "hush" not in str(caught.value)


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Callable[[object], str]:
    def write(content: object) -> str:
        path = tmp_path / "vectors.json"
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)
        return str(path)

    return write


def test_vectors_exit_0_where_each_detects_all(file, capsys):
    assert cli.main(["vectors", file(ALL["no_blind_spot"])]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{v['id']}: detects every known mistake." for v in ALL["no_blind_spot"]]


def test_vectors_exit_1_where_one_does_not(file, capsys):
    assert cli.main(["vectors", file([*ALL["no_blind_spot"], WORKED])]) == 1
    assert report(vector(WORKED)) in capsys.readouterr().out


def test_vectors_from_standard_input(monkeypatch, capsys):
    given = io.TextIOWrapper(io.BytesIO(json.dumps(WORKED).encode()))
    monkeypatch.setattr(sys, "stdin", given)
    assert cli.main(["vectors"]) == 1
    assert capsys.readouterr().out.startswith("docs-worked-example: cannot detect 7 of")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "pusherkit vectors: Expected vectors as JSON"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        ([{"id": "mine"}], "pusherkit vectors: mine: missing method"),
    ],
)
def test_vectors_exit_3_for_what_is_no_vector(content, said, file, capsys):
    assert cli.main(["vectors", file(content)]) == 3
    assert said in capsys.readouterr().err


def test_vectors_exit_3_for_a_file_that_is_not_there(tmp_path, capsys):
    assert cli.main(["vectors", str(tmp_path / "none")]) == 3
    assert f"pusherkit vectors: {tmp_path / 'none'}: No such file" in capsys.readouterr().err


def test_vectors_print_nothing_that_moves_the_terminal(file, capsys):
    assert cli.main(["vectors", file(WORKED | {"id": "\x1b[31mred"})]) == 1
    assert "\x1b" not in capsys.readouterr().out
