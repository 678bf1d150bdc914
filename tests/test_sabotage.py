"""The clinic's queue: what is broken is broken as it says, and everybody gets the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import urlencode

import httpx
import pytest

from pusherkit.authorization import verify_channel, verify_webhook
from pusherkit.cli import main
from pusherkit.clinic import desk, faults, sabotage
from pusherkit.clinic.faults import (
    delivered_with,
    rows_of_requests,
    rows_of_subscriptions,
    rows_of_webhooks,
    sent_with,
    subscribed_with,
)
from pusherkit.clinic.programs import EDITS, Edit
from pusherkit.clinic.sabotage import OFFERED, check, queue, read_seeds
from pusherkit.clinic.scenes import (
    APP,
    CLINIC_URL,
    SCENES,
    SHIFT_TIMESTAMP,
    SUBSCRIPTIONS,
    WEBHOOKS,
    Chance,
)
from pusherkit.errors import PusherError
from pusherkit.sandbox import RawRequest, Reply, Sandbox, SandboxServer
from pusherkit.signing import Request

SEED = 7
QUEUE = queue(SEED)
TOOLS = {"bash": "bash", "node": "node", "php": "php", "python": sys.executable}


def answered(request: Request, now: int = SHIFT_TIMESTAMP) -> int:
    target = f"{request.path}?{urlencode(request.params)}".encode()
    raw = RawRequest(method=request.method, target=target, body=request.body)
    judged = Sandbox(APP).judge(raw, now=now)  # why it's refused isn't asked, which takes long
    return judged.status if isinstance(judged, Reply) else 401


# --- everybody gets the same ------------------------------------------------------------------


def test_the_choices_of_a_seed_are_these_in_every_python():
    chance = Chance(7)
    assert [chance.below(100) for _ in range(6)] == [6, 39, 26, 52, 82, 10]
    assert chance.shuffled("abcdef") == list("eafbdc")


@pytest.mark.slow
def test_another_process_makes_the_same_queue():
    code = f"from pusherkit.clinic import desk; print(desk.sheet({SEED}))"
    sheets = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert sheets == {desk.sheet(SEED) + "\n"}


def test_another_seed_makes_another_queue():
    assert [case.shown for case in queue(8)] != [case.shown for case in QUEUE]


def test_a_queue_begins_easy_and_ends_with_what_else_is_signed():
    assert [case.number for case in QUEUE] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [len(case.answer.mistakes) for case in QUEUE] == [1, 1, 1, 1, 2, 2, 1, 1]
    assert [case.kind for case in QUEUE] == ["request"] * 6 + ["subscription", "webhook"]
    assert [case.form in TOOLS for case in QUEUE] == [False, True] * 2 + [False] * 4
    names = [name for case in QUEUE for name in case.answer.names]
    assert len(set(names)) == len(names)
    for case in QUEUE:
        assert len({option.names for option in case.options}) == OFFERED


# --- solvable and fair ------------------------------------------------------------------------


def test_seeds_are_solvable_and_fair_and_no_place_is_the_right_one():
    places: Counter[int] = Counter()
    for seed in range(1, 4):
        assert check(seed) == []
        places.update(case.right for case in queue(seed))
    assert max(places.values()) < 0.4 * sum(places.values())


@pytest.mark.slow
def test_two_hundred_seeds_are_solvable_and_fair(capsys):
    assert main(["clinic", "--seed", "1..200", "--check"]) == 0
    assert capsys.readouterr().out == "200 seeds: all are solvable and fair.\n"


def test_the_check_finds_what_is_unfair(monkeypatch):
    request, program, pair = QUEUE[0], QUEUE[1], QUEUE[4]
    (right, *_) = sent_with(APP, SCENES[0][1](Chance(1)), {}, timestamp=SHIFT_TIMESTAMP)
    valid = sabotage.curl(APP.base_url, right.request)
    twin = replace(program.options[program.right], mistakes=pair.answer.mistakes)
    rival = next(option for option in request.options if option is not request.answer)
    unfair = {
        "different answers": replace(request, options=(request.answer,) * OFFERED, right=0),
        "signed correctly": replace(request, shown=valid),
        "the doctor names": replace(request, right=request.options.index(rival)),
        "fits as well": replace(request, right=request.options.index(rival)),
        "another answer gives the same result": replace(
            program, options=tuple(o if o is program.answer else twin for o in program.options)
        ),
    }
    for said, case in unfair.items():
        monkeypatch.setattr(sabotage, "queue", lambda seed, case=case: (case,))
        problems = check(1)
        assert any(said in problem for problem in problems), (said, problems)
        assert all(problem.startswith("seed 1, case ") for problem in problems)


def test_what_nobody_refuses_and_what_cannot_be_shown_is_no_case(monkeypatch):
    hostile = [
        lambda chance: Request("POST", "/apps/6855671/nowhere", (), b"{}"),  # a 404
        lambda chance: Request("POST", "/apps/6855671/events", (), b'"\xe9"'),  # no curl holds it
        lambda chance: Request("POST", "/apps/6855671/events", (), b"\0"),
    ]
    scenes = [("Hostile.", scene) for scene in hostile] * 6
    public = lambda chance: replace(SUBSCRIPTIONS[0][1](chance), channel="order-41")  # noqa: E731
    monkeypatch.setattr(sabotage, "SCENES", (*scenes, *SCENES))
    monkeypatch.setattr(sabotage, "SUBSCRIPTIONS", (*[("Public.", public)] * 20, *SUBSCRIPTIONS))
    monkeypatch.setattr(sabotage, "WEBHOOKS", WEBHOOKS[:1])  # many mistakes can't be made with it
    for seed in (1, 2, 3):
        cases = queue(seed)
        assert not [case for case in cases if case.story in ("Hostile.", "Public.")]
        assert check(seed) == []


def test_a_wrong_answer_would_have_made_something_else():
    for case in QUEUE:
        for chosen in set(range(OFFERED)) - {case.right}:
            name, made, came = case.objection(chosen)
            assert (name, came) in case.came
            assert made != came


# --- what is broken ---------------------------------------------------------------------------


@pytest.mark.parametrize(("story", "scene"), SCENES)
def test_each_request_is_accepted_if_nothing_is_broken(story, scene):
    (sent,) = sent_with(APP, scene(Chance(1)), {}, timestamp=SHIFT_TIMESTAMP)
    assert answered(sent.request) == 200


@pytest.mark.parametrize(("story", "scene"), SUBSCRIPTIONS)
def test_each_subscription_is_let_in_if_nothing_is_broken(story, scene):
    (sent,) = subscribed_with(APP, scene(Chance(1)), None)
    verify_channel(APP, sent.socket_id, sent.channel, sent.auth, sent.channel_data)


@pytest.mark.parametrize(("story", "scene"), WEBHOOKS)
def test_each_webhook_is_verified_if_nothing_is_broken(story, scene):
    (sent,) = delivered_with(APP, scene(Chance(1)), None)
    verify_webhook(APP, sent.body, key=sent.key, signature=sent.signature)


# What no scene can hold, or no command can show.
NEVER_MADE = {
    "body-sent-in-latin-1": "a curl command holds UTF-8",
    "body-in-utf-8-twice": "the body would be broken for its readers, too",
    "body-sent-form-encoded": "refused for its content, however it's signed",
    "another-apps-path": "refused for its path: 404",
    "two-slashes-sent": "refused for its path: 404",
    "timestamp-sent-in-milliseconds": "refused for its time",
    "timestamp-sent-with-fraction": "refused for its time",
    "channel-sent-url-encoded": "refused for its name",
    "data-not-sent": "needs the server's answer beside the frame",
    "data-changed": "needs the server's answer beside the frame",
    "data-sent-encoded-again": "refused for its data",
    "signed-as-channel": "of a sign-in",
}


def test_every_mistake_of_the_doctors_can_be_made_here():
    chance = Chance(1)
    made = set()
    for _, scene in SCENES:
        request = scene(chance)
        for mistake, make in rows_of_requests():
            for sent in sent_with(
                APP, request, {mistake.axis: (mistake, make)}, timestamp=SHIFT_TIMESTAMP
            ):
                assert answered(sent.request) in (400, 401), mistake.name
                made.add(mistake.name)
                break
    for _, wanted in SUBSCRIPTIONS:
        made |= {
            row[0].name
            for row in rows_of_subscriptions()
            if subscribed_with(APP, wanted(chance), row)
        }
    for _, hook in WEBHOOKS:
        made |= {
            row[0].name for row in rows_of_webhooks() if delivered_with(APP, hook(chance), row)
        }
    every = (*rows_of_requests(), *rows_of_subscriptions(), *rows_of_webhooks())
    assert {mistake.name for mistake, _ in every} - made == NEVER_MADE.keys()


def test_nothing_says_data_where_it_means_channel_data():
    assert not [m for m, _ in rows_of_subscriptions() if re.search("DATA", m.why + m.fix)]


# --- programs ---------------------------------------------------------------------------------


def programs_of(edit: Edit):
    for _, scene in SCENES:
        request = scene(Chance(2))
        try:
            yield request, edit.applied(CLINIC_URL, APP.key, request)
        except ValueError:
            continue


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.language}-{edit.mistake}")
def test_each_program_makes_the_mistake_that_it_should(edit, tmp_path):
    if shutil.which(TOOLS[edit.language]) is None:
        pytest.skip(f"{edit.language} isn't installed")
    rows = {mistake.name: (mistake, make) for mistake, make in rows_of_requests()}
    mistake, make = rows[edit.mistake]
    program = next(
        program
        for request, program in programs_of(edit)
        if sent_with(APP, request, {mistake.axis: (mistake, make)}, timestamp=SHIFT_TIMESTAMP)
    )
    with SandboxServer(APP) as server:
        file = tmp_path / ("program.mjs" if edit.language == "node" else "program")
        file.write_text(program.replace(CLINIC_URL, server.url), encoding="utf-8")
        ran = subprocess.run(
            [TOOLS[edit.language], str(file)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            env={**os.environ, "PUSHER_SECRET": APP.secret, "NO_PROXY": "127.0.0.1"},
        )
        assert "401" in ran.stdout, ran.stderr
        assert f"[{edit.mistake}]" in server.sandbox.log[-1].reply.note


@pytest.mark.parametrize(
    "edit", [e for e in EDITS if e.language == "python"], ids=lambda edit: edit.mistake
)
def test_what_a_program_sends_is_what_the_queue_says_of_it(edit, monkeypatch):
    rows = {mistake.name: (mistake, make) for mistake, make in rows_of_requests()}
    mistake, make = rows[edit.mistake]
    compared, seen = 0, []
    for request, program in programs_of(edit):
        made = sent_with(APP, request, {mistake.axis: (mistake, make)}, timestamp=SHIFT_TIMESTAMP)
        if not made:
            continue
        monkeypatch.setattr("time.time", lambda: SHIFT_TIMESTAMP + 0.5)
        monkeypatch.setattr(
            httpx,
            "request",
            lambda method, url, **rest: (
                seen.append(url) or SimpleNamespace(status_code=401, text="")
            ),
        )
        monkeypatch.setenv("PUSHER_SECRET", APP.secret)
        exec(compile(program, "program", "exec"), {})
        monkeypatch.undo()
        sent = dict(httpx.URL(seen[-1]).params)
        for name in ("auth_signature", "body_md5"):
            assert [sent.get(name)] == [*made[0].request.values(name), None][:1]
        compared += 1
    assert compared


# --- the desk ---------------------------------------------------------------------------------


def at_the_desk(cases, *typed):
    """What is said to somebody who types these lines and leaves."""
    lines = iter(typed)
    said: list[str] = []
    desk.work(cases, lambda prompt: next(lines, None), said.append)
    return said


def test_the_causes_name_is_an_answer_as_good_as_its_number():
    case = QUEUE[0]
    said = "\n".join(at_the_desk((case,), case.answer.name.upper()))
    assert said.count("Yes.\n") == 1


def test_somebody_tries_again_until_it_is_right_and_the_first_try_counts():
    one, other = QUEUE[0], QUEUE[4]
    wrong = str((one.right + 1) % OFFERED + 1)
    right = [str(case.right + 1) for case in (one, other)]
    said = "\n".join(at_the_desk((one, other), "?", wrong, right[0], right[1]))
    assert "Type a number from 1 to 4 or the cause's name, s or q." in said
    name, made, came = one.objection(int(wrong) - 1)
    assert f"With that, {name} would be" in said or f"that mistake would give {name}" in said
    assert made in said
    assert came in said
    assert said.count("Yes.\n") == 2
    assert other.findings[0].reproduced in said
    assert "1 of 2 at the first try." in said
    assert f"{one.answer.mistakes[0].lesson[:2]}: {one.answer.name}" in said


def test_two_mistakes_can_be_half_found_and_an_answer_shown():
    case = QUEUE[4]
    half = next(n for n in range(OFFERED) if n != case.right and case.half_right(n))
    assert desk.feedback(case, half).startswith(f"Half of it: {min(case.half_right(half))}")
    said = "\n".join(at_the_desk((case,), "S"))
    assert case.findings[0].reproduced in said
    assert "0 of 1 at the first try." in said


def test_who_leaves_at_once_hears_that_the_queue_stays():
    assert at_the_desk(QUEUE, "q")[-1].startswith("You haven't answered any yet.")
    said = at_the_desk(QUEUE, str(QUEUE[0].right + 1))
    assert "you're leaving early" in said[-2]
    assert said[-1] == "1 of 1 at the first try."


def test_a_subscription_and_a_webhook_are_told_in_their_own_words():
    subscription, hook = QUEUE[6], QUEUE[7]
    assert "Its server's log says it signed this" in desk.text_of(subscription, 8)
    assert "The receiver says:" in desk.text_of(hook, 8)
    missed = "\n".join(at_the_desk((subscription, hook), "s", "s"))
    assert f"lesson 09: {subscription.answer.name}" in missed
    assert f"lesson 10: {hook.answer.name}" in missed


def test_where_two_explanations_fit_both_are_told():
    case = replace(QUEUE[0], findings=(QUEUE[0].findings[0], QUEUE[2].findings[0]))
    said = desk.proof(case)
    assert "Another mistake gives the same" in said
    assert QUEUE[2].findings[0].mistakes[0].name in said


def test_a_log_shows_what_cannot_be_seen():
    assert desk.visible("POST\r\n/a b\n") == "POST\\r⏎\n/a b⏎"


def test_what_can_be_made_in_several_ways_is_told_as_one_of_them():
    case = QUEUE[0]
    chosen = (case.right + 1) % OFFERED
    for ways, said in ((1, "would be  "), (2, "For example, that mistake would give ")):
        options = [replace(option, ways=ways) for option in case.options]
        assert said in desk.feedback(replace(case, options=tuple(options)), chosen)


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seven", "a whole number, such as 7"),
        ("-1", "a whole number"),
        ("1..", "a whole number"),
        ("٧", "a whole number"),
        ("9" * 5_000, "a number up to 1,000,000,000"),
        ("99999999999", "a number up to 1,000,000,000"),
        ("9999999999", "a number up to 1,000,000,000"),
        ("5..1", "a range that goes up"),
        ("1..20000", "at most 10,000 seeds"),
    ],
)
def test_a_seed_that_cannot_be_one_is_refused_in_a_sentence(text, said):
    with pytest.raises(PusherError, match=said) as refused:
        read_seeds(text)
    assert len(str(refused.value)) < 200


def test_seeds_are_one_or_a_range():
    assert (read_seeds("7"), read_seeds("1..200")) == (range(7, 8), range(1, 201))


def test_the_command_says_what_is_wrong_with_a_seed(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["clinic", "--seed", "seven"])
    assert "expected a whole number, such as 7" in capsys.readouterr().err
    assert main(["clinic", "--seed", "1..3"]) == 1
    assert "a range goes with --check" in capsys.readouterr().err
    assert main(["clinic", "--sheet"]) == 1
    assert "need a seed" in capsys.readouterr().err
    assert main(["clinic", "--seed", "7", "--json", "--settings-for", "node"]) == 1
    assert "so --json and --settings-for can't go with it" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["clinic", "--seed", "7", "--check", "--sheet"])
    assert "not allowed with argument --check" in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [True, False])
def test_the_queue_is_printed_to_be_handed_out(terminal, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: terminal))
    assert main(["clinic", "--seed", str(SEED), *(["--print"] if terminal else [])]) == 0
    printed = capsys.readouterr().out
    assert f"PUSHER_SECRET={APP.secret}" in printed
    assert all(case.shown.split("\n")[0] in printed for case in QUEUE)
    assert "Proof" not in printed


def test_in_a_terminal_the_queue_is_worked_on(capsys, monkeypatch):
    typed = iter([str(QUEUE[0].right + 1)])

    def line(prompt):
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", line)
    assert main(["clinic", "--seed", str(SEED)]) == 0
    assert "1 of 1 at the first try." in capsys.readouterr().out


def test_the_sheet_and_the_check(capsys, monkeypatch):
    assert main(["clinic", "--seed", str(SEED), "--sheet"]) == 0
    printed = capsys.readouterr().out
    assert all(f"answer {case.right + 1}, {case.answer.name}" in printed for case in QUEUE)
    assert main(["clinic", "--seed", str(SEED), "--check"]) == 0
    assert capsys.readouterr().out == f"Seed {SEED} is solvable and fair.\n"
    monkeypatch.setattr(sabotage, "check", lambda seed: [f"seed {seed}: bad"] if seed == 2 else [])
    assert main(["clinic", "--seed", "1..3", "--check"]) == 1
    assert capsys.readouterr().out == "seed 2: bad\n1 of 3 seeds aren't solvable and fair.\n"


def test_what_was_done_can_be_found_out_by_trying() -> None:
    rows = {row[0].name: row for row in faults.rows_of_requests()}
    request = Request("POST", "/apps/3/events", (), b"{}")
    local = rows["timestamp-in-local-time"]
    for sent in faults.sent_with(APP, request, {"timestamp": local}, timestamp=SHIFT_TIMESTAMP):
        (signed,) = re.findall("auth_timestamp=([0-9]+)", sent.signed)
        assert (int(signed) - SHIFT_TIMESTAMP) % 1800 == 0, (
            "zones beside the half hour are no fair guess"
        )
    mistake, make = rows["placeholder-as-secret"]
    for placeholder in make(APP):
        assert placeholder.decode() in mistake.why
