"""What a learner's lessons tell the wall."""

from __future__ import annotations

import json

import pytest

from pusherkit.classroom.calls import (
    MAX_CALL_BYTES,
    MAX_CODE,
    Hello,
    Help,
    HelpOver,
    Progress,
    RoundReport,
    read_call,
)
from pusherkit.sandbox.api import Refusal


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"kind": "hello"}, Hello()),
        (
            {"kind": "progress", "lesson": "03-x", "record": {"passed": []}},
            Progress("03-x", {"passed": []}),
        ),
        ({"kind": "help", "exercise": "a.b_1", "code": "x = 1"}, Help("a.b_1", "x = 1")),
        ({"kind": "help", "exercise": "a.b", "code": "x\ud800"}, Help("a.b", "x?")),
        ({"kind": "help-over", "exercise": "a.b"}, HelpOver("a.b")),
        ({"kind": "round", "seed": 7, "answered": 3, "right": 2}, RoundReport(7, 3, 2)),
    ],
)
def test_each_kind_of_call(sent, read):
    assert read_call(json.dumps(sent).encode()) == read


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "kind is hello"),
        (b"\xff", "kind is hello"),
        (b"[]", "kind is hello"),
        (b"[" * 60_000, "kind is hello"),
        (b"9" * 60_000, "kind is hello"),
        (b'{"kind":["hello"]}', "kind is hello"),
        (b'{"kind":"bye"}', "kind is hello"),
        (b'{"kind":"progress","lesson":1,"record":{}}', "lesson"),
        (b'{"kind":"progress","lesson":"a","record":[]}', "record"),
        (b'{"kind":"help","exercise":"a.b"}', "code"),
        (b'{"kind":"help","exercise":"a.b","code":"%s"}' % (b"x" * (MAX_CODE + 1)), "8,000"),
        (b'{"kind":"help","exercise":"<b>","code":""}', "exercise"),
        (b'{"kind":"help-over","exercise":7}', "exercise"),
        (b'{"kind":"round","seed":true,"answered":0,"right":0}', "whole numbers"),
        (b'{"kind":"round","seed":-1,"answered":0,"right":0}', "whole numbers"),
        (b'{"kind":"round","seed":1000000001,"answered":0,"right":0}', "whole numbers"),
        (b'{"kind":"round","seed":1,"answered":1.0,"right":0}', "whole numbers"),
        (b'{"kind":"round","seed":1,"answered":1,"right":2}', "at most"),
        (b'{"kind":"round","seed":1,"answered":1001,"right":2}', "at most"),
        (b'{"kind":"round","seed":1,"answered":1,"right":-1}', "at most"),
    ],
    ids=str,
)
def test_anything_else_is_a_400_with_a_sentence(body, said):
    with pytest.raises(Refusal, match=said) as caught:
        read_call(body)
    assert caught.value.reply.status == 400
    assert json.loads(caught.value.reply.body).keys() == {"error", "fix", "rule"}


def test_a_body_over_the_limit_is_not_even_read():
    with pytest.raises(Refusal, match="over the limit of 65,536") as caught:
        read_call(b"[" * (MAX_CALL_BYTES + 1))
    assert caught.value.reply.status == 413
