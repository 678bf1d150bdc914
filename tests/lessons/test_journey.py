"""One event on its way, the door to the practice server, and the server that is busy."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pusherkit.errors import PusherError
from pusherkit.lessons.kit import COMPACT, PUBLISHED_MD5, Practice, practice
from pusherkit.lessons.kit.busy import MAX_TRIES, BusyServer, TooManyTries
from pusherkit.lessons.kit.journey import (
    changes,
    drawing,
    outcome,
    prepare,
    stage_facts,
    travel,
    verdict,
)

PUBLISHED_SIGNATURE = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"


@pytest.fixture
def server() -> Practice:
    return Practice()


def test_the_published_example_passes_all_six_stages(server: Practice) -> None:
    journey = prepare(COMPACT, server.credentials)
    values = [fact.value for fact in stage_facts(journey)]
    assert PUBLISHED_MD5 in values[1]
    assert PUBLISHED_SIGNATURE in values[4]
    assert PUBLISHED_SIGNATURE in values[5]
    assert verdict(journey) == ("Signed and ready to go.", None)


def test_it_arrives_and_a_changed_one_is_refused_with_its_reasons(server: Practice) -> None:
    journey = prepare(COMPACT, server.credentials)
    sent = travel(journey, server, channel="project-3")
    assert verdict(sent) == ("Accepted (200), and the event arrived.", True)
    assert [fact.name for fact in outcome(sent)] == ["Answer", "Subscriber got"]
    changed = travel(replace(journey, sent_body=COMPACT + b" "), server, channel="project-3")
    assert verdict(changed) == ("Refused: 401 Invalid body_md5. Nothing was delivered.", False)
    assert {"Rule", "Expected", "Received", "What to do"} < {fact.name for fact in outcome(changed)}
    elsewhere = travel(journey, server, channel="order-41")
    assert verdict(elsewhere)[0].startswith("Accepted (200), but nobody was listening")


@pytest.mark.parametrize("error", [PusherError("It's closed."), OSError("It's closed")])
def test_a_server_that_is_gone_is_a_sentence(server: Practice, error: Exception) -> None:
    gone = travel(prepare(COMPACT, server.credentials), Gone(error), channel="x")
    assert verdict(gone) == (
        "It's closed. Restart the kernel, then run the cells again.",
        False,
    )


class Gone(Practice):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def subscribe(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise self._error


def test_the_same_value_has_the_same_link_wherever_it_goes(server: Practice) -> None:
    picture = drawing(prepare(COMPACT, server.credentials))
    for shapes in (picture.shapes, picture.narrow.shapes if picture.narrow else ""):
        links = re.findall(r"data-link='(\w+)'", shapes)
        assert links.count("hash") == 4  # digest, parameters, canonical string, URL
        assert links.count("signature") == 2  # made, and sent
        assert links.count("body") == 2
    changed = drawing(replace(prepare(COMPACT, server.credentials), sent_body=b"{}"))
    assert "another body than the one that was signed" in changed.desc
    assert "data-link='another'" in changed.shapes


def test_both_ends_of_a_body_show_and_an_empty_one_says_so(server: Practice) -> None:
    picture = drawing(prepare(b"FIRST" + b"x" * 500 + b"LAST", server.credentials))
    assert picture.shapes.count(">FIRST") == picture.shapes.count("LAST<") == 2
    assert drawing(prepare(b"", server.credentials)).shapes.count(">(empty)<") == 2


def test_chips_stay_inside_the_picture(server: Practice) -> None:
    picture = drawing(prepare(b"x" * 5_000, server.credentials))
    assert picture.narrow is not None
    for each in (picture, picture.narrow):
        for x, width in re.findall(r"<rect x='([\d.]+)' y='[\d.]+' width='([\d.]+)'", each.shapes):
            assert float(x) + float(width) <= each.width


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("a=1&b=2", "a=1&b=3", ["3"]),
        ("md5=" + "a" * 31 + "c", "md5=" + "b" * 31 + "c", ["b" * 31 + "c"]),
        ("hello", "jello", ["j"]),
        ("same", "same", []),
        ("POST\n/a\nx", "GET\n/a\nx", ["GE"]),
        ("a", "a&b", ["&b"]),
    ],
)
def test_a_hash_is_marked_as_a_whole_and_a_text_where_it_differs(
    old: str, new: str, marked: list[str]
) -> None:
    assert [new[start:end] for start, end in changes(old, new)] == marked


def test_there_is_one_server_for_a_kernel_and_its_requests_are_plain() -> None:
    server = practice()
    assert practice() is server
    assert server.http.post("/apps/3/events", content=b"{}").status_code == 401, "nothing signs it"


# --- the busy server ------------------------------------------------------------------------------


def test_a_limit_is_answered_with_the_time_to_wait_and_waiting_helps() -> None:
    server = BusyServer(rate=0.5, rivals=1)
    first = server.send(server.sign())
    assert (first.status, first.retry_after) == (429, 2)
    server.wait(first.retry_after or 0)
    assert server.send(server.sign()).status == 200
    assert [message.data for message in server.heard] == ["event"]


def test_a_signature_grows_old_while_the_server_is_busy() -> None:
    server = BusyServer(busy_seconds=700)
    signature = server.sign()
    assert server.send(signature).status == 503
    server.wait(700)
    assert server.send(signature).status == 401
    assert server.send(server.sign()).status == 200


def test_an_endless_loop_ends() -> None:
    server = BusyServer(busy_seconds=1)
    for _ in range(MAX_TRIES):
        server.send(server.sign())
    with pytest.raises(TooManyTries, match="When does your loop end"):
        server.send(server.sign())
    for nonsense in (-1, "1", None, 1e9):
        with pytest.raises(ValueError, match="a number of seconds"):
            server.wait(nonsense)  # type: ignore[arg-type]
