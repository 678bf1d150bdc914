"""Lesson 02: the threads and their picture, the requests that are shown, and the judges."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from pusherkit.lessons import parameters_in_order as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, Event, Explorer, Outcome, Practice
from pusherkit.lessons.kit.view import to_static, to_text
from pusherkit.signing import canonical_string, hmac_sha256, sign
from tests.lessons.test_registry import notebook

BY_NAME = ["auth_key", "auth_timestamp", "auth_version", "filter_by_prefix", "info", "Tag"]
# Computed with openssl: the question of this lesson, tag included, signed as it should be.
RIGHT = "42ee85bee3e81ee3662db1623e78c06865ec0e878bcb2e956f7517d31dc1ee55"


def drag(made: Explorer, name: str, row: int) -> None:
    made.hear(Event("drag", name, x=100.0, y=lesson.TOP + (row + 0.5) * lesson.PITCH))


def untangled() -> Explorer:
    made = lesson.threads()
    made.press("order")
    for row, name in enumerate(BY_NAME):
        drag(made, name, row)
    return made


# --- the threads ----------------------------------------------------------------------------------


def test_the_server_text_of_the_lesson_is_the_one_that_is_signed() -> None:
    signed = sign(
        EXAMPLE_CREDENTIALS,
        "GET",
        lesson.PATH,
        (*lesson.QUESTION, lesson.TAG),
        timestamp=lesson.EXAMPLE_TIMESTAMP,
    )
    assert lesson.server_text(list(lesson.WRITTEN)) == signed.canonical_string.split("\n")[2]
    assert signed.hexdigest == RIGHT


def test_before_anything_is_sent_nothing_shows_what_the_server_signs() -> None:
    made = lesson.threads()
    for shown in (to_text(made.view), to_static(made.twin), made.stage.html):
        assert "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version" not in (
            shown.replace(lesson.your_text(list(lesson.WRITTEN), False, False), "")
        )
        assert "crossing" not in shown.lower()
        assert "Refused" not in shown
    assert made.view.picture is not None
    assert made.view.picture.shapes.count(">?<") == 7  # six rows, and one end of a road


def test_three_rows_dragged_down_and_the_names_in_lower_case_are_accepted() -> None:
    made = lesson.threads()
    made.press("order")
    assert made.view.status == "Refused (401): 9 crossings and a capital letter."
    for name, left in (("Tag", 6), ("info", 3)):
        drag(made, name, BY_NAME.index(name))
        assert f": {left} crossings and" in made.view.status
    drag(made, "filter_by_prefix", 3)
    assert made.view.status == "Refused (401): a capital letter."
    made.set(lower=True)
    assert made.view.good is True
    assert made.view.status == "Accepted (200): the same text on both sides. Watching: 1."
    assert "none" in {fact.value for fact in made.view.facts}
    made.set(encode=True)
    assert made.view.status == "Refused (401): a space that became %20."
    assert "you sign % (0x25), the server a space (0x20)" in to_text(made.view)


def test_arrow_keys_move_a_row_and_stop_at_both_ends() -> None:
    made = lesson.threads()
    for key, row in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("Enter", 1)):
        made.hear(Event("key", "filter_by_prefix", key))
        assert made.values["order"].names.index("filter_by_prefix") == row
    for _ in range(9):
        made.hear(Event("key", "filter_by_prefix", "ArrowDown"))
    assert made.values["order"].names[-1] == "filter_by_prefix"
    for row, there in ((-5, 0), (99, 5)):
        drag(made, "info", row)
        assert made.values["order"].names.index("info") == there
    made.press("auth_signature")
    made.press("nothing")
    assert sorted(made.values["order"].names, key=str.lower) == BY_NAME


def test_the_rows_below_the_picture_stay_and_the_url_keeps_its_order() -> None:
    made = lesson.threads()
    names = [fact.name for fact in made.view.facts]
    made.press("order")
    urls = {made.view.details[0].value.partition("&auth_signature")[0]}
    for row, name in enumerate(BY_NAME):
        drag(made, name, row)
        assert [fact.name for fact in made.view.facts] == names
        urls.add(made.view.details[0].value.partition("&auth_signature")[0])
    assert urls == {f"{lesson.PATH}?{urlencode(lesson.WRITTEN)}"}


def test_a_thread_for_each_parameter_and_a_dot_for_each_crossing() -> None:
    order = lesson.Order(sent=True)
    picture = lesson.tangle(order, lower=False, encode=False)
    for drawn in (picture.shapes, picture.narrow.shapes):  # type: ignore[union-attr]
        assert drawn.count("skewY") == 6
        assert drawn.count("a3.5 3.5") == 2 * len(order.crossings()) == 18
        assert drawn.count("≠") == 1  # Tag and tag
    calm = lesson.tangle(lesson.Order(tuple(BY_NAME), sent=True), lower=True, encode=False)
    assert "a3.5 3.5" not in calm.shapes
    assert "class='wrong'" not in calm.shapes
    assert "Crossings: 0." in calm.desc
    assert "don't meet" in lesson.tangle(order, lower=True, encode=True).desc


def test_what_glides_keeps_its_place_among_the_shapes() -> None:
    def skeleton(order: lesson.Order) -> list[str]:
        return re.findall(r"<(\w+)", lesson.tangle(order, lower=True, encode=False).shapes)

    assert skeleton(lesson.Order()) == skeleton(lesson.Order(tuple(BY_NAME), sent=True))


# --- every request that is shown is accepted ------------------------------------------------------


def test_every_request_of_the_lesson_is_accepted_when_signed_right() -> None:
    chance = random.Random(2)
    shown = [list(lesson.WRITTEN), [*lesson.QUESTION, *lesson.AUTH]]
    shown += [query for (query,) in lesson._questions(chance)]
    shown += list(lesson._requests(chance))
    shown += [parse_qsl(query, keep_blank_values=True) for (query,) in lesson._arrived(chance)]
    shown += [
        [*own.items(), *auth.items()]
        for own, auth in lesson._calls(chance)
        if "body_md5" not in auth
    ]
    assert len(shown) > 10
    for params in shown:
        kept = [pair for pair in params if pair[0] != "auth_signature"]
        text = f"GET\n{lesson.PATH}\n{lesson.signed_parameters.solve(params)}"
        assert text == canonical_string("GET", lesson.PATH, params)
        signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret, text)
        query = (*kept, ("auth_signature", signature))
        assert Practice().http.get(lesson.PATH, params=query).status_code == 200, params


def test_the_incident_shows_the_signature_that_the_code_of_the_lesson_makes() -> None:
    text = lesson.broken_query_text(dict(lesson.QUESTION), dict(lesson.AUTH))
    signature = hmac_sha256(EXAMPLE_CREDENTIALS.secret, f"GET\n{lesson.PATH}\n{text}")
    query = (*lesson.QUESTION, *lesson.AUTH, ("auth_signature", signature))
    error = Practice().http.get(lesson.PATH, params=query).json()["error"]
    title = notebook(lesson.lesson).cells[0].source
    said = re.search(r"401 (.*?) … (but you sent \"\w{8})…", title)
    assert said is not None
    assert error.startswith(said[1])
    assert said[2] in error


def test_the_broken_code_publishes_and_does_not_ask() -> None:
    published, asked, *_ = lesson._calls(random.Random(1))
    assert lesson.broken_query_text(*published) == lesson.query_text.solve(*published)
    assert lesson.broken_query_text(*asked) != lesson.query_text.solve(*asked)


# --- the exercises --------------------------------------------------------------------------------


def _swallows_the_version(query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    params = dict(query)
    params["auth_version"] += f"&filter_by_prefix={params.pop('filter_by_prefix')}"
    return list(params.items())


def _encoded_with(encode: Callable[[str], str]) -> Any:
    return lambda pairs: "&".join(f"{name}={encode(value)}" for name, value in pairs)


@pytest.mark.parametrize(
    "answer", [_encoded_with(quote), _encoded_with(lambda value: value.replace(" ", "+"))]
)
def test_values_encoded_in_any_way_are_named(answer: Any) -> None:
    assert lesson.joined.check(answer).message == lesson._ENCODED


@pytest.mark.parametrize(
    "answer", [lesson._kept, sorted, lambda params: sorted(params, key=lambda pair: pair[0])]
)
def test_a_name_with_a_capital_is_named(answer: Any) -> None:
    feedback = lesson.ordered.check(lambda params: answer(lesson._kept(params)))
    assert feedback.message.startswith("A name still has a capital")


@pytest.mark.parametrize(
    "answer",
    [
        lambda pairs: lesson.joined(sorted(pairs)),
        lambda pairs: "&".join(sorted(lesson.joined(pairs).split("&"))),
    ],
)
def test_pairs_that_are_sorted_again_are_named(answer: Any) -> None:
    said = "They were in order already: don't sort again."
    assert lesson.joined.check(answer).message == said


@pytest.mark.parametrize("order", [lambda pairs: pairs, reversed])
def test_a_name_that_came_twice_and_is_there_once_is_named(order: Any) -> None:
    def through_a_dict(params: Any) -> list[tuple[str, str]]:
        return sorted(dict(order(lesson._lowered(lesson._kept(params)))).items())

    assert (
        lesson.ordered.check(through_a_dict).message == "A name that came twice is there only once."
    )


@pytest.mark.parametrize("key", [None, lambda pair: pair[0], lambda pair: pair[0].lower()])
def test_a_signature_that_is_signed_is_named_in_whatever_order(key: Any) -> None:
    def answer(params: Any) -> str:
        return lesson.joined(lesson._lowered(sorted(params, key=key)))

    assert lesson.signed_parameters.check(answer).message.startswith("auth_signature is in your")


def test_other_results_are_compared() -> None:
    assert (
        "are right"
        in lesson.signed_parameters.check(lambda p: lesson.signed_parameters(p) + "&").message
    )
    assert "too early" in lesson.joined.check(lambda pairs: lesson.joined(pairs)[:-1]).message
    assert lesson.ordered.check(lambda params: [params]).outcome is Outcome.WRONG


def _with(name: str, value: str) -> Any:
    return lambda query: [(n, value if n == name else v) for n, v in query]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda query: "a=1", "Return a list of pairs"),
        (lambda query: [("info", 3)], "Return a list of pairs"),
        (_swallows_the_version, "Refused: Version not supported. Leave the auth_… parameters"),
        (lambda query: [("info", "\ud800")], "can't be sent"),
        (lambda query: [], "Refused: Missing parameter"),
        (_with("info", "subscription_count"), "Refused: Invalid signature"),
        (_with("auth_key", "me"), "Refused: Unknown auth_key"),
        (lambda query: sorted(query), "answers what it answered before"),
    ],
)
def test_another_question_that_will_not_do(answer: Any, said: str) -> None:
    feedback = lesson.another_question.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def _capitals(query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [("INFO" if name == "info" else name, value) for name, value in query]


def _on_the_line(query: list[tuple[str, str]]) -> dict[str, str]:
    params = dict(query)
    params["filter_by_prefix"] = f"presence-&info={params.pop('info')}"
    query.clear()  # the judge must not need it
    return params


@pytest.mark.parametrize("answer", [_capitals, _on_the_line])
def test_there_is_more_than_one_way_to_change_the_question(answer: Any) -> None:
    assert lesson.another_question.check(answer).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda query: "text", "Return two things"),
        (lambda query: (lesson.prove_it.solve(query)[0], "pairs"), "The second thing is a list"),
        (lambda query: (lesson.prove_it.solve(query)[0], [("a", "b")]), "have another text"),
        (lambda query: (query, []), "characters are right"),
        (
            lambda query: (
                lesson.prove_it.solve(query)[0],
                [(name.upper(), value) for name, value in parse_qsl(query, True)],
            ),
            "are the same ones",
        ),
        *((lambda query, slip=slip: (slip(query), []), said) for said, slip in lesson._SLIPS),
    ],
)
def test_what_does_not_prove_it(answer: Any, said: str) -> None:
    feedback = lesson.prove_it.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_slip_is_shown_with_the_query_it_was_made_on() -> None:
    feedback = lesson.prove_it.check(lambda query: (lesson._SLIPS[0][1](query), []))
    assert feedback.facts[0].name == "Called with"
    assert "note=" in feedback.facts[0].value


def test_repeated_names_keep_their_order_as_on_the_server() -> None:
    params = [("tag", "b"), ("Tag", "a"), ("tag", "c")]
    assert lesson.signed_parameters.solve(params) == "tag=b&tag=a&tag=c"
    assert canonical_string("GET", "/", params).endswith("tag=b&tag=a&tag=c")
