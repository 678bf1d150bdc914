"""Events: the limits at their edges, the bodies byte for byte, and every malformed body."""

from __future__ import annotations

import json
import math

import pytest

from pusherkit import Event, InvalidEvent
from pusherkit.events import (
    batch_body,
    check_channel_name,
    event_body,
    read_batch_body,
    read_event_body,
    to_json,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;"


def event(**changes) -> Event:
    return Event(**{"channels": ("chat",), "name": "message", "data": "{}"} | changes)


def refusal(make, *args, **kwargs) -> InvalidEvent:
    """The InvalidEvent of a call that must be refused; its message is a whole sentence."""
    with pytest.raises(InvalidEvent) as caught:
        make(*args, **kwargs)
    assert len(str(caught.value)) > 20
    return caught.value


# --- limits, at the edge ------------------------------------------------------------------------


def channels(count: int) -> tuple[str, ...]:
    return tuple(f"c{number}" for number in range(count))


@pytest.mark.parametrize("count", [1, 100])
def test_1_to_100_channels_are_an_event(count):
    assert len(event(channels=channels(count)).channels) == count


@pytest.mark.parametrize("count", [0, 101])
def test_no_channel_and_101_channels_are_refused(count):
    error = refusal(event, channels=channels(count))
    assert (error.rule, error.limit, error.actual) == ("channels", 100, count)


@pytest.mark.parametrize("count", [1, 10])
def test_1_to_10_events_are_a_batch(count):
    assert len(json.loads(batch_body([event()] * count))["batch"]) == count


@pytest.mark.parametrize("count", [0, 11])
def test_an_empty_batch_and_11_events_are_refused_in_both_directions(count):
    body = json.dumps({"batch": [{"channel": "c", "name": "n", "data": ""}] * count}).encode()
    for error in (refusal(batch_body, [event()] * count), refusal(read_batch_body, body)):
        assert (error.rule, error.limit, error.actual) == ("batch", 10, count)


def test_an_encrypted_channel_stands_alone():
    """Each has a key of its own; the official SDKs refuse the same."""
    assert event(channels=("private-encrypted-a",))
    for names in (("private-encrypted-a", "chat"), ("private-encrypted-a", "private-encrypted-b")):
        error = refusal(event, channels=names)
        assert (error.rule, error.limit, error.actual) == ("channels", 1, 2)
        assert "private-encrypted-a is encrypted" in str(error)


def test_an_event_of_two_channels_does_not_fit_into_a_batch():
    error = refusal(batch_body, [event(), event(channels=("a", "b"))])
    assert (error.rule, error.limit, error.actual) == ("batch", 1, 2)
    assert "event 2" in str(error)


@pytest.mark.parametrize("character", ["x", "é", "€", "😀"], ids=["1", "2", "3", "4 bytes"])
def test_data_is_measured_in_bytes_of_utf8(character):
    size = len(character.encode())
    filler = "." * (102_400 % size)
    fits = character * (102_400 // size) + filler
    assert len(fits.encode()) == 102_400
    assert event(data=fits).data == fits
    error = refusal(event, data=fits + ".")
    assert (error.rule, error.limit, error.actual) == ("data_size", 102_400, 102_401)
    assert "102,401" in str(error)


def test_data_is_measured_after_encoding():
    # 102,398 characters and two quotes are 102,400 bytes of JSON.
    assert len(Event.of("chat", "message", ["x" * 102_396]).data) == 102_400
    assert refusal(Event.of, "chat", "message", ["x" * 102_397]).actual == 102_401


@pytest.mark.parametrize(
    ("field", "rule"), [(lambda n: {"name": n}, "name"), (lambda n: {"channels": (n,)}, "channel")]
)
def test_names_have_up_to_200_characters(field, rule):
    event(**field("n" * 200))
    error = refusal(event, **field("n" * 201))
    assert (error.rule, error.limit, error.actual) == (rule, 200, 201)


def test_event_names_are_measured_in_characters_and_may_have_any():
    for name in ("é" * 200, "pusher", "not pusher:error", "client-x", " ", "\x00"):
        assert event(name=name).name == name


def test_the_alphabet_of_channel_names():
    assert check_channel_name(ALPHABET) == ALPHABET
    for character in map(chr, range(256)):
        if character not in ALPHABET:
            assert refusal(check_channel_name, f"a{character}b").rule == "channel", character


@pytest.mark.parametrize("name", ["", "a\n", "\na", "канал", "a b", "٣", None, 3, ["a"], b"a"])
def test_what_is_no_channel_name(name):
    assert refusal(check_channel_name, name).rule == "channel"


@pytest.mark.parametrize("socket_id", ["1.1", "123.456", "0.0", "1" * 50 + ".2"])
def test_a_socket_id_is_digits_a_dot_and_digits(socket_id):
    assert event(socket_id=socket_id).socket_id == socket_id


@pytest.mark.parametrize(
    "socket_id", ["", "1", "1.", ".1", "1.1\n", "1.1.1", "-1.1", "a.b", "1,1", "٣.٣", 1.5, ["1.1"]]
)
def test_what_is_no_socket_id(socket_id):
    assert refusal(event, socket_id=socket_id).rule == "socket_id"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": 3}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": "pusher:error"}, "name"),
        ({"name": "pusher_internal:x"}, "name"),
        ({"data": {"text": "hello"}}, "data"),
        ({"data": None}, "data"),
        ({"data": b"{}"}, "data"),
        ({"data": "\ud800"}, "data"),
        ({"info": ("users",)}, "info"),
        ({"info": ("user_count", "")}, "info"),
    ],
)
def test_an_event_that_exists_can_be_sent(changes, rule):
    error = refusal(event, **changes)
    assert (error.rule, error.limit, error.actual) == (rule, None, None)


def test_half_a_surrogate_pair_is_placed_and_named():
    assert "character 2 is half of a surrogate pair (U+D83D)" in str(
        refusal(event, data="ab\ud83d")
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: event(channels=channels(103)), "103 channels, 3 over the limit of 100"),
        (lambda: event(channels=()), "expected 1 to 100, got none"),
        (lambda: event(channels=("n" * 203,)), "203 characters, 3 over the limit of 200"),
        (lambda: event(name="n" * 203), "203 characters, 3 over the limit of 200"),
        (lambda: event(data="x" * 103_400), "103,400 bytes, 1,000 over the limit of 102,400"),
        (lambda: batch_body([event()] * 13), "Batch too large: 13 events, 3 over the limit of 10"),
        (lambda: batch_body([]), "0 events, expected 1 to 10 per batch"),
    ],
)
def test_a_broken_limit_is_told_with_the_excess(make, sentence):
    assert sentence in str(refusal(make))


def test_a_long_wrong_value_is_shortened_in_the_message():
    assert f"got '{'!' * 56}…" in str(refusal(event, channels=("!" * 59,)))
    assert f"got '{'!' * 58}'." in str(refusal(event, channels=("!" * 58,)))


def test_invalid_event_is_a_value_error():
    assert isinstance(refusal(event, name=""), ValueError)


# --- plainer values -----------------------------------------------------------------------------


def test_of_takes_one_channel_or_several():
    assert Event.of("chat", "n", "").channels == ("chat",)
    assert Event.of(["a", "b"], "n", "").channels == ("a", "b")
    assert Event.of((name for name in "ab"), "n", "").channels == ("a", "b")


def test_of_takes_one_attribute_of_info_or_several():
    assert Event.of("chat", "n", "", info="user_count").info == ("user_count",)
    several = ["user_count", "subscription_count"]
    assert Event.of("chat", "n", "", info=several).info == tuple(several)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("hello", "hello"),
        ("", ""),
        ('{"a": 1}', '{"a": 1}'),
        ({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}'),
        ([], "[]"),
        (None, "null"),
        (7, "7"),
        ({"é": "€😀"}, '{"é":"€😀"}'),
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        ({"text": 'a "b" \\ \n'}, '{"text":"a \\"b\\" \\\\ \\n"}'),
    ],
)
def test_text_is_taken_as_it_is_and_the_rest_encoded_once(data, text):
    assert Event.of("chat", "n", data).data == text


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def circle() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1, 2}, b"x", object(), {(1, 2): 3}, nested(100_000), circle()],
    ids=["NaN", "inf", "-inf", "set", "bytes", "object", "tuple key", "deep", "circle"],
)
def test_what_json_cannot_hold_is_refused(value):
    error = refusal(to_json, value)
    assert error.rule == "data"
    assert "cannot be encoded as JSON" in str(error)
    assert refusal(Event.of, "chat", "n", value).rule == "data"


# --- the bodies, byte for byte ------------------------------------------------------------------


def test_the_body_of_the_published_example():
    assert event_body(Event.of("project-3", "foo", {"some": "data"})) == (
        b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    )


def test_a_body_with_everything():
    full = Event.of(["a", "b"], "n", "é", "1.2", info=["subscription_count", "user_count"])
    assert (
        event_body(full)
        == (
            '{"name":"n","channels":["a","b"],"data":"é","socket_id":"1.2",'
            '"info":"subscription_count,user_count"}'
        ).encode()
    )


def test_the_body_of_a_batch():
    first = Event.of("a", "n", {"x": 1}, "1.2", info="subscription_count")
    assert batch_body([first, Event.of("b", "m", "text")]) == (
        b'{"batch":[{"channel":"a","name":"n","data":"{\\"x\\":1}","socket_id":"1.2",'
        b'"info":"subscription_count"},{"channel":"b","name":"m","data":"text"}]}'
    )


def test_a_batch_may_come_from_a_generator():
    assert batch_body(e for e in [event()]) == batch_body([event()])


# --- reading ------------------------------------------------------------------------------------

ROUND_TRIP = [
    Event.of("chat", "message", {"text": "hello"}),
    Event.of("chat", 'é "quoted" \\ \n', "€😀\x00"),
    Event.of("chat", "n", "", "123.456", info=["subscription_count", "user_count"]),
]


@pytest.mark.parametrize("sent", [*ROUND_TRIP, Event.of(channels(100), "n", "x" * 102_400)])
def test_an_event_survives_the_wire(sent):
    assert read_event_body(event_body(sent)) == sent


def test_a_batch_survives_the_wire():
    assert read_batch_body(batch_body(ROUND_TRIP)) == tuple(ROUND_TRIP)


def test_the_singular_channel_of_the_reference_is_read_too():
    body = b'{ "name": "message", "channel": "chat", "data": "{\\"text\\":\\"hello\\"}" }'
    assert read_event_body(body) == Event.of("chat", "message", {"text": "hello"})


def test_null_is_read_as_absent():
    body = b'{"name":"n","channel":"c","channels":null,"data":"","socket_id":null,"info":null}'
    assert read_event_body(body) == Event.of("c", "n", "")


def fields(*, without: str = "", **changes) -> bytes:
    """The body of an event in JSON, with changes, and written so that any str can stand in it."""
    all_fields = {"name": "n", "channel": "c", "data": "d"} | changes
    return json.dumps({k: v for k, v in all_fields.items() if k != without}).encode()


NO_OBJECTS = [
    (b"", "got an empty body"),
    (b"\xff{}", r"byte 0 \(0xff\) is not UTF-8"),
    (b'{"name": "\xe9"}', r"byte 10 \(0xe9\) is not UTF-8"),
    (b'\xef\xbb\xbf{"name":"n"}', "not JSON"),
    (b'{"name": "n",', "not JSON"),
    (b"name=n&channel=c&data=d", "not JSON"),
    (b"{'name': 'n'}", "not JSON"),
    (b'{"name":"n"}{}', "not JSON"),
    (b'{"x": NaN}', "NaN isn't a JSON value"),
    (b'{"x": -Infinity}', "-Infinity isn't a JSON value"),
    (b"1" * 5_000, "not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (b"[]", "got an array"),
    (b'"text"', "got 'text'"),
    (b"null", "got null"),
    (b"true", "got a boolean"),
    (b"7", "got a number"),
]


@pytest.mark.parametrize("read", [read_event_body, read_batch_body])
@pytest.mark.parametrize(("body", "sentence"), NO_OBJECTS, ids=lambda v: repr(v)[:30])
def test_a_body_that_is_no_json_object(read, body, sentence):
    with pytest.raises(InvalidEvent, match=f"^body: .*{sentence}") as caught:
        read(body)
    assert caught.value.rule == "body"


BAD_FIELDS = [
    (fields(without="name"), "name", "Missing required parameter: name"),
    (fields(without="data"), "data", "Missing required parameter: data"),
    (fields(name=None), "name", "expected the event's name"),
    (fields(name=""), "name", "expected the event's name"),
    (fields(name=["n"]), "name", "expected the event's name"),
    (fields(name="\ud800"), "name", "surrogate"),
    (fields(name="pusher:error"), "name", "begins like the protocol's own events"),
    (fields(data={"text": "hello"}), "data", r"got an object\."),
    (fields(data=["hello"]), "data", r"got an array\."),
    (fields(data=7), "data", r"got a number\."),
    (fields(data=1.5), "data", r"got a number\."),
    (fields(data=True), "data", r"got a boolean\."),
    (fields(data=None), "data", r"got null\."),
    (fields(data="\ud800"), "data", "surrogate"),
    (fields(data="x" * 102_401), "data_size", "102,401 bytes"),
    (fields(channel=None), "channel", "expected a name"),
    (fields(channel=["c"]), "channel", "expected a name"),
    (fields(channel="a b"), "channel", "expected letters"),
    (fields(channel="\ud800"), "channel", "expected letters"),
    (fields(socket_id="1"), "socket_id", "expected digits"),
    (fields(socket_id=1.5), "socket_id", "expected digits"),
    (fields(socket_id="\ud800"), "socket_id", "expected digits"),
    (fields(info="users"), "info", "expected subscription_count or user_count"),
    (fields(info="\ud800"), "info", "expected subscription_count or user_count"),
    (fields(info=["user_count"]), "info", "got an array"),
    (fields(info={"user_count": True}), "info", "got an object"),
]


@pytest.mark.parametrize(("body", "rule", "sentence"), BAD_FIELDS, ids=lambda v: repr(v)[:70])
def test_a_malformed_event_names_its_rule_alone_and_in_a_batch(body, rule, sentence):
    with pytest.raises(InvalidEvent, match=sentence) as caught:
        read_event_body(body)
    assert caught.value.rule == rule
    alone = caught.value

    batch = b'{"batch":[%s,%s]}' % (fields(), body)
    with pytest.raises(InvalidEvent, match=f"^event 2 of the batch: .*{sentence}") as caught:
        read_batch_body(batch)
    assert caught.value.rule == rule
    assert (caught.value.limit, caught.value.actual) == (alone.limit, alone.actual)


@pytest.mark.parametrize(
    ("body", "rule", "sentence"),
    [
        (fields(channels=["a"]), "channels", "both sent"),
        (fields(without="channel"), "channels", "channel or channels"),
        (fields(without="channel", channels="a"), "channels", "got 'a'"),
        (fields(without="channel", channels={"a": 1}), "channels", "got an object"),
        (fields(without="channel", channels=[]), "channels", "got none"),
        (fields(without="channel", channels=["c"] * 101), "channels", "101 channels"),
        (fields(without="channel", channels=["a", 7]), "channel", "got int"),
        (fields(without="channel", channels=[["a"]]), "channel", "got list"),
        (fields(without="channel", channels=["\ud800"]), "channel", "expected letters"),
    ],
)
def test_a_malformed_list_of_channels(body, rule, sentence):
    with pytest.raises(InvalidEvent, match=sentence) as caught:
        read_event_body(body)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("body", "rule", "sentence"),
    [
        (b"{}", "batch", "got no batch"),
        (b'{"batch": null}', "batch", "got no batch"),
        (b'{"batch": {}}', "batch", "got an object"),
        (b'{"batch": "x"}', "batch", "got 'x'"),
        (b'{"batch": [[]]}', "batch", "event 1 is an array"),
        (b'{"batch": [%s, "x"]}' % fields(), "batch", "event 2 is 'x'"),
        (b'{"batch": [null]}', "batch", "event 1 is null"),
        (b'{"batch": [{"name":"n","data":"d","channels":["c"]}]}', "channel", "parameter: channel"),
        (
            b'{"batch": [{"name":"n","data":"d","channels":["a"],"channel":"c"}]}',
            "channels",
            "both",
        ),
    ],
)
def test_a_malformed_batch(body, rule, sentence):
    with pytest.raises(InvalidEvent, match=sentence) as caught:
        read_batch_body(body)
    assert caught.value.rule == rule


@pytest.mark.parametrize("info", [[], {}, 0, False])
def test_an_info_of_another_type_is_refused_even_if_it_is_empty(info):
    assert refusal(read_event_body, fields(info=info)).rule == "info"


def test_text_in_the_place_of_the_channels_is_refused():
    assert refusal(event, channels="chat").rule == "channels"
