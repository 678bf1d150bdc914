"""The capstone done by four programs, and undone by a table of small edits.

Each edit is a mistake that people make, and has to fail its goal with the right diagnosis. Some
goals take seconds of waiting, so the four programs run side by side.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import pytest

from pusherkit.clinic.api import Clinic
from pusherkit.clinic.capstone import CLINIC_CREDENTIALS, FAULTS, GOALS, Mark, State, fault
from pusherkit.doctor.mistakes import every_mistake
from pusherkit.doctor.subscription_mistakes import SIGNED, WRAPPING
from pusherkit.sandbox import SandboxServer

EXAMPLES = Path(__file__).parents[1] / "examples"
RUN = "3"  # whose fault is newline-at-the-end
MAX_LINES = 150  # of a program that is read in five minutes


@dataclass(frozen=True)
class Language:
    file: str
    program: str
    needs: tuple[str, ...]

    @property
    def missing(self) -> str:
        return ", ".join(tool for tool in self.needs if shutil.which(tool) is None)


LANGUAGES = {
    "bash": Language("capstone.sh", "bash", ("bash", "openssl", "curl")),
    "node": Language("capstone.mjs", "node", ("node",)),
    "php": Language("capstone.php", "php", ("php",)),
    "python": Language("capstone.py", sys.executable, ()),
}


@dataclass(frozen=True)
class Fault:
    """A mistake: the goal that it fails, how that is diagnosed, and what to edit to make it."""

    goal: str
    diagnosis: str
    """The name of the doctor's mistake, or a pattern for what is said."""
    edits: dict[str, tuple[str, str]]
    ready: bool = False
    """Whether everything before the results is shown."""


FAULTY = {
    "parameters unsorted": Fault(
        "vectors",
        "parameters-unsorted",
        {
            "bash": (" | sort -s -t= -k1,1 ", " "),
            "node": ("  ordered.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));\n", ""),
            "php": ("    usort($ordered, fn ($a, $b) => strcmp($a[0], $b[0]));\n", ""),
            "python": (
                "sorted(((name.lower(), value) for name, value in params), key=lambda pair: "
                "pair[0])",
                "[(name.lower(), value) for name, value in params]",
            ),
        },
    ),
    "names keep their capitals": Fault(
        "vectors",
        "keys-not-lower-cased",
        {
            "bash": (" | tr 'A-Z' 'a-z'", ""),
            "node": ("name.toLowerCase()", "name"),
            "php": ("strtolower($pair[0])", "$pair[0]"),
            "python": ("name.lower()", "name"),
        },
    ),
    "the last line end gets lost": Fault(
        "vectors",
        r"it isn't the same request: its body has \d+ bytes, but it should have \d+\. The newline",
        {
            "bash": (
                'clinic "/vectors/$number" >"$work/$number"',
                'printf \'%s\' "$(clinic "/vectors/$number")" >"$work/$number"',
            ),
            "node": (
                "send(method, path, params, body);",
                "send(method, path, params, body.trim());",
            ),
            "php": (
                "$vector['params'], $vector['body']",
                "$vector['params'], trim($vector['body'])",
            ),
            "python": ('vector["body"].encode()', 'vector["body"].strip().encode()'),
        },
    ),
    "the body is hashed as Latin-1": Fault(
        "event",
        "body-in-latin-1",
        {
            "bash": (
                'openssl dgst -md5 -r "$body"',
                "LC_ALL=C.UTF-8 sed 's/[żłć☕]/?/g' \"$body\" | iconv -f UTF-8 -t LATIN1 | "
                "openssl dgst -md5 -r",
            ),
            "node": (".update(body).digest", ".update(body, 'latin1').digest"),
            "php": ("md5($body)]", "md5(@utf8_decode($body))]"),
            "python": (
                "hashlib.md5(body)",
                'hashlib.md5(body.decode().encode("latin-1", "replace"))',
            ),
        },
    ),
    "the body is hashed with a newline": Fault(
        "event",
        "newline-hashed-not-sent",
        {
            "bash": (
                'openssl dgst -md5 -r "$body"',
                '{ cat "$body"; echo; } | openssl dgst -md5 -r',
            ),
            "node": (".update(body).digest", ".update(`${body}\\n`).digest"),
            "php": ("md5($body)]", 'md5("$body\\n")]'),
            "python": ("hashlib.md5(body)", r'hashlib.md5(body + b"\n")'),
        },
    ),
    "the coffee is left out": Fault(
        "event",
        "An event came, but Zażółć ☕",
        dict.fromkeys(LANGUAGES, ("Zażółć ☕", "Zażółć")),
    ),
    "values are encoded before they're signed": Fault(
        "get",
        "values-url-encoded",
        {
            "bash": (
                '"${pair#*=}"\n        done',
                '"$(echo "${pair#*=}" | sed s/,/%2C/)"\n        done',
            ),
            "node": ("`${name}=${value}`", "`${name}=${encodeURIComponent(value)}`"),
            "php": ('"$pair[0]=$pair[1]"', "$pair[0] . '=' . rawurlencode($pair[1])"),
            "python": (
                'query = "&".join(f"{name}={value}"',
                'query = "&".join(f"{name}={quote(value)}"',
            ),
        },
    ),
    "one value in place of two": Fault(
        "get",
        "none of its values has a comma",
        dict.fromkeys(LANGUAGES, ("user_count,subscription_count", "subscription_count")),
    ),
    "a batch under the other path": Fault(
        "batch",
        "batch-path-exchanged",
        {
            "bash": (
                '"$method" "$path" "$query"',
                '"$method" "${path/batch_}" "$query"',
            ),
            "node": ("[method, path, query]", "[method, path.replace('batch_', ''), query]"),
            "php": (
                "[$method, $path, $query]",
                "[$method, str_replace('batch_', '', $path), $query]",
            ),
            "python": ("[method, path, query]", '[method, path.replace("batch_", ""), query]'),
        },
    ),
    "a batch of one": Fault(
        "batch",
        "A batch with 1 event came",
        {
            "bash": (',{\\"channel\\":\\"order-42\\",$rest}', ""),
            "node": ("['order-41', 'order-42']", "['order-41']"),
            "php": ("['order-41', 'order-42']", "['order-41']"),
            "python": ('["order-41", "order-42"]', '["order-41"]'),
        },
    ),
    "it comes back at once": Fault(
        "wait",
        r"came again after 0\.\d s, but Retry-After said 1 s",
        {
            "bash": ('sleep "$(', ': "$('),
            "node": ("await sleep(1000 *", "await sleep(0 *"),
            "php": ("sleep($wait)", "sleep(0)"),
            "python": ("time.sleep(int(", "time.sleep(0 * int("),
        },
    ),
    "it waits a second, whatever it's told": Fault(
        "wait",
        r"came again after 1\.\d s, but Retry-After said 2 s",
        {
            "bash": (
                "sleep \"$(tr -d '\\r' <\"$work/head\" | sed -n 's/^retry-after: //Ip')\"",
                "sleep 1",
            ),
            "node": ("Number(answer.headers.get('Retry-After'))", "1"),
            "php": ("sleep($wait)", "sleep(1)"),
            "python": ('int(headers["Retry-After"])', "1"),
        },
    ),
    "it waits, and doesn't sign again": Fault(
        "wait",
        "the same auth_timestamp again",
        {
            "bash": ("$(date +%s)", "${now:=$(date +%s)}"),
            "node": (
                "String(Math.floor(Date.now() / 1000))",
                "(globalThis.now ??= String(Math.floor(Date.now() / 1000)))",
            ),
            "php": ("(string) time()", "$GLOBALS['now'] ??= (string) time()"),
            "python": (
                "str(int(time.time()))",
                'globals().setdefault("now", str(int(time.time())))',
            ),
        },
    ),
    "it tries for ever, or nearly": Fault(
        "give-up",
        r"Attempt 7 came\. Stop after 5",
        {
            "bash": ("in 1 2 3 4 5; do", "in 1 2 3 4 5 6 7; do"),
            "node": ("attempt <= 5", "attempt <= 7"),
            "php": ("$attempt <= 5", "$attempt <= 7"),
            "python": ("range(1, 6)", "range(1, 8)"),
        },
    ),
    "it doesn't try again": Fault(
        "give-up",
        "gave-up came after 1 attempt on shut",
        {
            "bash": ("in 1 2 3 4 5; do", "in 5; do"),
            "node": ("attempt = 1;", "attempt = 5;"),
            "php": ("$attempt = 1;", "$attempt = 5;"),
            "python": ("range(1, 6)", "range(5, 6)"),
        },
    ),
    "the channel before the socket id": Fault(
        "private",
        "order-swapped",
        {
            "bash": (
                "$(clinic /socket_id):private-order-41",
                "private-order-41:$(clinic /socket_id)",
            ),
            "node": ("${socketId}:private-order-41", "private-order-41:${socketId}"),
            "php": (
                "clinic('/socket_id') . ':private-order-41'",
                "'private-order-41:' . clinic('/socket_id')",
            ),
            "python": ("{socket_id}:{channel}", "{channel}:{socket_id}"),
        },
    ),
    "the key is left out": Fault(
        "private",
        "key-missing",
        {
            "bash": ('auth="$PUSHER_KEY:$(', 'auth="$('),
            "node": (
                "`${KEY}:${signature(`${socketId}:private-order-41`)}`",
                "signature(`${socketId}:private-order-41`)",
            ),
            "php": ("KEY . ':' . signature(", "signature("),
            "python": (
                "f\"{KEY}:{signature(f'{socket_id}:{channel}')}\"",
                "signature(f'{socket_id}:{channel}')",
            ),
        },
    ),
    "the wrong cause": Fault(
        "fault",
        r"It wasn't method-in-lower-case: that gives \w+…, but \w+… was sent",
        {
            "bash": ("cause=newline-at-the-end", "cause=method-in-lower-case"),
            "node": ("'newline-at-the-end': signature", "'method-in-lower-case': signature"),
            "php": ("'newline-at-the-end' => signature", "'method-in-lower-case' => signature"),
            "python": ('"newline-at-the-end": signature', '"method-in-lower-case": signature'),
        },
    ),
    "another fingerprint": Fault(
        "report",
        r"Expected the fingerprint \w+…, got \w+…",
        {
            "bash": ("$(clinic /fingerprint)", "$(clinic /fingerprint | tr 0-9a-f 1-9a-f0)"),
            "node": ("await clinic('/fingerprint')", "sha256(await clinic('/fingerprint'))"),
            "php": ("clinic('/fingerprint')", "md5('a') . md5('b')"),
            "python": ('clinic("/fingerprint")', 'clinic("/fingerprint")[::-1]'),
        },
        ready=True,
    ),
    "results that aren't complete": Fault(
        "report",
        "This comes last. Still open: Three vectors",
        {
            "bash": ("$(clinic /fingerprint)", "early"),
            "node": ("await clinic('/fingerprint')", "'early'"),
            "php": ("clinic('/fingerprint')", "'early'"),
            "python": ('clinic("/fingerprint")', '"early"'),
        },
    ),
    "the secret brings its newline along": Fault(
        "batch",
        "secret-with-newline",
        {
            "bash": ("${2-$PUSHER_SECRET}", "${2-$PUSHER_SECRET$'\\n'}"),
            "node": ("secret = SECRET", "secret = `${SECRET}\\n`"),
            "php": ("$secret = SECRET", '$secret = SECRET . "\\n"'),
            "python": ("secret=SECRET):", 'secret=SECRET + "\\n"):'),
        },
    ),
    "the secret of another server": Fault(
        "batch",
        "another-apps-secret",
        {
            "bash": ("${2-$PUSHER_SECRET}", "${2-practice-secret}"),
            "node": ("secret = SECRET", "secret = 'practice-secret'"),
            "php": ("$secret = SECRET", "$secret = 'practice-secret'"),
            "python": ("secret=SECRET):", 'secret="practice-secret"):'),
        },
    ),
    "no real newlines": Fault(
        "batch",
        "newline-written-out",
        {
            "bash": (r"printf -v text '%s\n%s\n%s'", r"printf -v text '%s\\n%s\\n%s'"),
            "node": (r"query].join('\n')", r"query].join('\\n')"),
            "php": (r'implode("\n", [$method', r"implode('\n', [$method"),
            "python": (r'signature("\n".join(', r'signature("\\n".join('),
        },
    ),
}


def begun(ready: bool) -> State:
    """A state in which everything before the results is shown, or nothing is."""
    shown = Mark(met=1_764_163_200.0, said="Shown.")
    state = State(run=RUN, began=1_764_163_200)
    assert fault(state) == "newline-at-the-end"
    return replace(state, marks={goal.id: shown for goal in GOALS[:-1]}) if ready else state


def played(language: Language, source: str, goals: list[str], state: State) -> State:
    """What a clinic knows after a program did these goals."""
    with SandboxServer(CLINIC_CREDENTIALS, build=partial(Clinic, state=state)) as server:
        sandbox = server.sandbox
        assert isinstance(sandbox, Clinic)
        settings = {
            "PUSHER_APP_ID": server.credentials.app_id,
            "PUSHER_KEY": server.credentials.key,
            "PUSHER_SECRET": server.credentials.secret,
            "PUSHER_HOST": server.url,
        }
        inherited = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / language.file
            program.write_text(source, encoding="utf-8")
            ran = subprocess.run(
                [language.program, program, *goals],
                env=inherited | settings,
                capture_output=True,
                timeout=50,
            )
        deadline = time.monotonic() + 5  # an auth is judged at once, and its mistake found later
        while goals == ["private"] and not sandbox.state.mark("private").mistakes:
            assert time.monotonic() < deadline, ran
            time.sleep(0.01)
        return sandbox.state


@cache
def outcomes(name: str) -> dict[str, State]:
    """What each program's clinic knows, with a fault or, under "", without one."""
    chosen = FAULTY.get(name)
    goals = [chosen.goal] if chosen else []
    state = begun(chosen is not None and chosen.ready)

    def outcome(item: tuple[str, Language]) -> tuple[str, State]:
        key, language = item
        source = (EXAMPLES / language.file).read_text(encoding="utf-8")
        if chosen:
            old, new = chosen.edits[key]
            assert source.count(old) >= 1, f"{key}: nothing to edit for {name!r}"
            source = source.replace(old, new)
        return key, played(language, source, goals, state)

    here = [item for item in LANGUAGES.items() if not item[1].missing]
    with ThreadPoolExecutor(len(here)) as pool:
        return dict(pool.map(outcome, here))


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    if missing := LANGUAGES[request.param].missing:
        pytest.skip(f"{missing} isn't installed")
    return str(request.param)


@pytest.mark.slow
def test_a_program_does_the_whole_capstone(language: str) -> None:
    state = outcomes("")[language]
    assert state.finished, {goal.id: state.mark(goal.id).said for goal in state.open}
    assert state.report is not None
    assert state.report.by.lower() == language
    assert state.latest == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_fails_its_goal_with_the_right_diagnosis(name: str, language: str) -> None:
    wanted, state = FAULTY[name], outcomes(name)[language]
    mark = state.mark(wanted.goal)
    assert mark.met is None, mark.said
    if wanted.diagnosis in NAMES:
        assert wanted.diagnosis in mark.mistakes, mark
        assert mark.said
    else:
        assert re.search(wanted.diagnosis, mark.said), mark


def test_a_program_does_what_needs_no_waiting(language: str) -> None:
    goals = [goal.id for goal in GOALS if goal.id not in ("wait", "give-up", "report")]
    source = (EXAMPLES / LANGUAGES[language].file).read_text(encoding="utf-8")
    state = played(LANGUAGES[language], source, goals, begun(False))
    assert not [goal for goal in goals if not state.met(goal)]


NAMES = {mistake.name for mistake in every_mistake()} | {"another-apps-secret"}
NAMES |= {row[0].name for table in (SIGNED, WRAPPING) for rows in table.values() for row in rows}


def test_each_goal_has_a_fault() -> None:
    assert {each.goal for each in FAULTY.values()} == {goal.id for goal in GOALS}
    assert all(each.edits.keys() == LANGUAGES.keys() for each in FAULTY.values())
    assert set(FAULTS) <= NAMES


@pytest.mark.parametrize("file", [language.file for language in LANGUAGES.values()])
def test_an_example_is_read_in_five_minutes(file: str) -> None:
    lines = (EXAMPLES / file).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= 100
