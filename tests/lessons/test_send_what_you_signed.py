"""Lesson 05: two lanes, the drawing, programs in several languages, curl, and the judges."""

from __future__ import annotations

import ast
import json
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import httpx
import pytest

from pusherkit.lessons import send_what_you_signed as lesson
from pusherkit.lessons.kit import EXAMPLE_CREDENTIALS, EXAMPLE_TIMESTAMP, Outcome, Practice, keeper
from pusherkit.lessons.kit.view import to_text
from pusherkit.signing import sign
from tests.lessons.test_registry import code_cells

# --- what it tells ------------------------------------------------------------------------------


def test_the_request_of_a_recall_question_is_accepted() -> None:
    server = Practice()
    params = {"info": "user_count,subscription_count"}
    signed = sign(
        server.credentials, "GET", lesson.COUNTS_PATH, params, timestamp=EXAMPLE_TIMESTAMP
    )
    answer = server.http.get(lesson.COUNTS_PATH, params=signed.query)
    assert answer.status_code == 200
    assert lesson.COUNTS_QUERY in str(answer.request.url)


def test_the_incident_is_what_happens() -> None:
    requests = pytest.importorskip("requests")
    event, hashed = lesson.EVENT, json.dumps(lesson.EVENT).encode()
    assert requests.Request("POST", "http://host", json=event).prepare().body == hashed
    assert lesson.bytes_sent(event, "requests") == hashed
    assert httpx.Request("POST", "http://host", json=event).read() != hashed


# What the table in the notebook says of serialisers, asked where they are.
SERIALISERS = {
    "node": ("JSON.stringify(JSON.parse(require('fs').readFileSync(0)))", '{"a":"/ë"}'),
    "php": ("json_encode(json_decode(stream_get_contents(STDIN)))", '{"a":"\\/\\u00eb"}'),
}


@pytest.mark.parametrize("language", SERIALISERS)
def test_what_other_serialisers_write(language: str) -> None:
    if shutil.which(language) is None:
        pytest.skip(f"{language} is not installed")
    expression, expected = SERIALISERS[language]
    code = (
        ["-e", f"console.log({expression})"]
        if language == "node"
        else ["-r", f"echo {expression};"]
    )
    ran = subprocess.run([language, *code], input='{"a": "/ë"}'.encode(), capture_output=True)
    assert ran.stdout.decode().strip() == expected


def test_curl_drops_line_breaks_only_without_binary(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "body").write_bytes(b'{\n"a":1}\n')
    server = lesson.running_practice()
    for option, sent in (("--data", b'{"a":1}'), ("--data-binary", b'{\n"a":1}\n')):
        server.sandbox.clear()
        url = f"{server.credentials.base_url}/apps/3/events"
        command = ["curl", "--silent", url, option, f"@{tmp_path}/body", "--noproxy", "*"]
        ran = subprocess.run(command, capture_output=True)
        assert b"error" in ran.stdout  # it is not signed
        (entry,) = server.sandbox.log
        assert entry.verdict is not None
        md5 = lesson.body_md5(sent)
        query = sign(
            EXAMPLE_CREDENTIALS, "POST", "/apps/3/events", body=sent, timestamp=int(time.time())
        ).query
        signed = [*command]
        signed[2] = f"{url}?{httpx.QueryParams(query)}"
        refused = json.loads(subprocess.run(signed, capture_output=True).stdout)
        assert refused.get("rule") != "body_md5", (option, md5)  # the bytes were those


# --- two lanes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", lesson.SENDERS)
def test_only_the_hashed_bytes_are_accepted(label: str) -> None:
    made = lesson.two_lanes()
    made.set(sender=label)
    assert made.view.good is None
    made.press("send")
    accepted = label.startswith(("content=body", "requests"))
    assert made.view.good is accepted
    assert made.view.status.startswith("A: 200, accepted. B: " + ("200" if accepted else "401"))
    picture = made.view.picture
    assert picture is not None
    assert ("class='hot'" in picture.shapes) is not accepted
    assert ("✗ 401" in picture.shapes) is not accepted


def test_the_rows_stay_where_they_are_whatever_is_chosen_or_typed() -> None:
    made = lesson.two_lanes()
    rows = [fact.name for fact in made.view.facts]
    for label in lesson.SENDERS:
        for status in ("", "Zoë ☕", '"', "x" * 300, "\ud800"):
            made.set(sender=label, status=status)
            made.press("send")
            assert [fact.name for fact in made.view.facts] == rows


def test_an_e_with_dots_parts_httpx_even_from_compact_json() -> None:
    event = {"name": "status", "channel": "order-41", "data": "Zoë"}
    compact = json.dumps(event, separators=(",", ":")).encode()
    assert lesson.bytes_sent(event, "json") != compact
    assert lesson.bytes_sent(event, "requests") == json.dumps(event).encode()


# --- the drawing --------------------------------------------------------------------------------


def test_another_secret_reaches_the_signature_alone() -> None:
    made = lesson.bench()
    made.set(secret="another")
    marked = [fact.name for fact in made.view.details if fact.marks]
    assert marked == ["5 Sign", "6 Send"]
    made.press("send")
    assert made.view.status.startswith("Refused: 401 Invalid signature")


def test_another_letter_reaches_every_stage() -> None:
    made = lesson.bench()
    made.set(body=made.values["body"].replace("out", "cut"))
    assert [fact.name[0] for fact in made.view.details if fact.marks] == list("123456")


@pytest.mark.parametrize("text", ["", "soon", "1.5", "-1", "²", "9" * 400, "１３５３"])
def test_a_timestamp_that_is_none_is_a_sentence(text: str) -> None:
    made = lesson.bench()
    made.set(timestamp=text)
    assert made.view.status.startswith("auth_timestamp is whole Unix seconds")
    assert "class='faint'" in made.view.picture.shapes
    assert "class='faint'" in made.view.picture.narrow.shapes
    made.set(timestamp=str(EXAMPLE_TIMESTAMP))
    made.press("send")
    assert made.view.good is True


@pytest.mark.parametrize("secret", ["", " s", '"s"'])
def test_a_secret_that_cannot_be_right_is_a_sentence(secret: str) -> None:
    made = lesson.bench()
    made.set(secret=secret)
    assert made.view.good is False
    assert "secret" in made.view.status


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "☕" * 50, '{"name":"n","data":"d"}'])
def test_any_body_can_be_signed_and_the_server_judges_it(body: str) -> None:
    made = lesson.bench()
    made.set(body=body)
    made.press("send")
    assert re.match(r"Refused: 400 [\w ]+: .+\. Nothing was delivered\.", made.view.status)


def test_the_curl_command_of_the_drawing_is_accepted() -> None:
    made = lesson.bench()
    made.press("send")
    (command,) = (fact.value for fact in made.view.details if fact.name == "As curl")
    posted = lesson.curl_posts(command)
    answer = httpx.post(
        posted.url,
        content=posted.body,
        headers={"Content-Type": posted.content_type},
        trust_env=False,
    )
    assert answer.status_code == 200


# --- programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", lesson.PROGRAMS)
def test_a_program_is_accepted_and_shows_no_secret(language: str) -> None:
    (name, *_), _ = lesson._runner(lesson.PROGRAMS[language])
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    made = lesson.programs()
    made.set(language=language)
    assert made.values["program"] == lesson.PROGRAMS[language]
    made.press("run")
    assert made.view.good is True, to_text(made.view)
    assert '"status" on order-41: {"status":"delivered"' in made.view.facts[1].value
    assert EXAMPLE_CREDENTIALS.secret not in lesson.PROGRAMS[language]
    assert "-hmac" not in lesson.PROGRAMS[language].replace("`openssl dgst -hmac`", "")


def test_the_bash_program_gives_the_secret_to_no_other_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lesson, "PRINTED_CHARACTERS", 1_000_000)
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    traced = "#!/usr/bin/env bash\nset -x\n" + lesson.PROGRAMS["bash with curl"]
    printed = lesson.run_program(traced)
    external = [
        each
        for each in printed.splitlines()
        if re.match(r"\++ (openssl|curl|od|tr|cut|date)\b", each)
    ]
    assert len(external) > 6
    assert not [each for each in external if EXAMPLE_CREDENTIALS.secret in each]


LONG = 2 * lesson.PRINTED_CHARACTERS


@pytest.mark.parametrize(
    ("first", "runs", "file"),
    [
        ("#!/usr/bin/env bash", ["bash"], "publish.sh"),
        ("#! /usr/bin/env bash", ["bash"], "publish.sh"),
        ("#!/usr/bin/env -S FORCE=1 node --no-warnings", ["node", "--no-warnings"], "publish.mjs"),
        ("#!/bin/bash -e", ["bash", "-e"], "publish.sh"),
        ("#!/bin/sh", ["sh"], "publish.sh"),
        ("#!/no/such/place/php", ["php"], "publish.php"),
        ("#!/usr/bin/python3", ["python"], "publish.py"),
        ("#!/usr/bin/env python3.99", ["python"], "publish.py"),
        ("#!/usr/bin/env -S", ["python"], "publish.py"),
        ("#!/usr/bin/env ruby", ["ruby"], "publish"),
        ("<?php echo 1;", ["php"], "publish.php"),
        ("#!/usr/bin/env node\nconst { a } = require('b');", ["node"], "publish.cjs"),
        ("print(1)", ["python"], "publish.py"),
    ],
)
def test_the_first_line_says_what_runs_a_program(first: str, runs: list[str], file: str) -> None:
    (command, *options), name = lesson._runner(first)
    called = "python" if command == sys.executable else Path(command).name
    assert ([called, *options], name) == (runs, file)


@pytest.mark.parametrize("name", ["sh", "node", "php"])
def test_other_first_lines_run(name: str) -> None:
    if (found := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    program = {
        "sh": "printf hi",
        "node": "const { log } = require('node:console');\nlog(200, 'hi')",
        "php": "<?php echo 'hi';",
    }
    printed = lesson.run_program(f"#!{found}\n{program[name]}")
    assert printed in ("hi", "200 hi")  # and no colours
    if name == "php":
        assert lesson.run_program(program[name]) == "hi"


def test_it_says_that_it_runs_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lesson.programs()
    monkeypatch.setattr(lesson, "run_program", lambda program: made.view.status)
    made.press("run")
    assert made.view.facts[0].value == "Running… After 10 s it's stopped."


@pytest.mark.parametrize(
    ("program", "status", "printed"),
    [
        ("#!/usr/bin/env python3\nprint('hi')", "nothing reached the server", "hi"),
        ("print('no first line')", "nothing reached the server", "no first line"),
        ("#!/usr/bin/env python3\n1/0", "nothing reached the server", "ZeroDivisionError"),
        ("", "nothing reached the server", "(nothing)"),
        ("#!/usr/bin/env nosuchthing", "I can't find 'nosuchthing'", ""),
        ("#!", "nothing reached the server", "(nothing)"),
        ("const hi = 1;", "it isn't valid Python", ""),
        (f"print('a' * {LONG}); print('z')", "nothing reached the server", "\n…\n"),
        (
            lesson.PROGRAMS["Python with urllib"].replace("time.time()", "0"),
            "the server answered 401",
            "HTTPError",
        ),
    ],
)
def test_other_programs_are_a_sentence(program: str, status: str, printed: str) -> None:
    made = lesson.programs()
    made.set(program=program)
    made.press("run")
    assert status in made.view.status
    assert printed in made.view.facts[0].value
    assert "/tmp" not in made.view.facts[0].value


def test_a_program_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "RUN_SECONDS", 0.5)
    made = lesson.programs()
    made.set(program="#!/usr/bin/env python3\nwhile True: pass")
    made.press("run")
    assert "so I stopped it" in made.view.status


def test_without_processes_a_program_is_to_be_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    made = lesson.programs()
    made.press("run")
    assert made.view.status.startswith("A browser tab can't start programs.")


def test_without_sockets_urllib_reaches_the_practice_server_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(urllib.request, "_opener", None)
    server = Practice(time.time)
    lesson.lead_urllib_to(server)
    app = server.credentials
    for secret, status in ((app.secret, 200), ("another", 401)):
        data = '{"status":"delivered","to":"Zoë"}'
        assert (
            lesson.publish("http://practice", app.app_id, app.key, secret, "order-41", "s", data)
            == status
        )
    assert [delivery.event.data for delivery in server.sandbox.deliveries] == [data]


# --- the file -----------------------------------------------------------------------------------


def test_the_notebooks_four_functions_are_the_lessons() -> None:
    (cell,) = (cell for cell in code_cells(lesson.lesson) if "def body_md5" in cell)
    for node in ast.parse(cell).body:
        assert isinstance(node, ast.FunctionDef)
        own = ast.parse(_source(getattr(lesson, node.name))).body[0]
        assert isinstance(own, ast.FunctionDef)
        assert ast.unparse(own.body[0]) == ast.unparse(node.body[0])


def _source(function: Any) -> str:
    return keeper._source(function)


def test_the_file_is_short_and_needs_nothing_and_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook, with both keepers solved, in a module of its own that calls itself __main__."""
    source = "\n\n".join(
        [
            *(
                cell
                for cell in code_cells(lesson.lesson)
                if "import hashlib" in cell or "def body_md5" in cell
            ),
            lesson.signed_query.solution(),
            lesson.publish.solution(),
        ]
    ).replace("lesson.map()", "")
    file = tmp_path / "cells.py"
    file.write_text(source, encoding="utf-8")
    main = type(sys)("__main__")
    main.__dict__["__file__"] = str(file)
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(source, str(file), "exec"), main.__dict__)
    for exercise in (lesson.signed_query, lesson.publish):
        feedback = exercise.check(getattr(main, exercise.function))
        assert feedback.outcome is Outcome.PASSED
        assert "It's in my_pusher.py now" in to_text(feedback.view)
    (finish,) = (cell for cell in code_cells(lesson.lesson) if "run_file" in cell)
    exec(finish, main.__dict__)
    exec(finish, main.__dict__)  # twice is once
    written = Path("my_pusher.py").read_text(encoding="utf-8")
    assert written.count("__main__") == 1
    assert "pusherkit" not in re.sub(r'""".*?"""', "", written)
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(ast.parse(written))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names
    assert lesson.run_file("my_pusher.py") == "200"


# --- the exercises ------------------------------------------------------------------------------


def signed_otherwise(change: Any) -> Any:
    return lambda *arguments: change(lesson.signed_query(*arguments))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (signed_otherwise(dict), "Return a list of pairs"),
        (signed_otherwise(lambda query: [list(pair) for pair in query]), "Return a list of pairs"),
        (signed_otherwise(lambda query: query[:-1]), "This one is missing: auth_signature"),
        (signed_otherwise(lambda query: [*query, query[-1]]), "auth_signature is there once too"),
        (
            signed_otherwise(lambda query: [*query[:-1], ("auth_signature", "0" * 64)]),
            "Is this the text that you sign?",
        ),
        (
            lambda *a: [
                *lesson.signed_query(*a)[:-1],
                (
                    "auth_signature",
                    lesson.signature(
                        lesson.canonical_string(a[2], a[3], lesson.signed_query(*a)), a[1]
                    ),
                ),
            ],
            "Secret and text are swapped",
        ),
        (
            signed_otherwise(
                lambda query: [(n, "2.0" if n == "auth_version" else v) for n, v in query]
            ),
            "auth_version has another value",
        ),
    ],
)
def test_other_queries_that_will_not_do(answer: Any, said: str) -> None:
    feedback = lesson.signed_query.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_the_order_of_the_query_is_free() -> None:
    assert lesson.signed_query.check(signed_otherwise(sorted)).outcome is Outcome.PASSED


def publisher(
    *, headers: dict[str, str] = lesson.JSON, encode: Any = urlencode, refused: Any = None
) -> Any:
    """A publish() with one thing changed: the headers, the URL's encoding, what a refusal gives."""

    def publish(url: str, app_id: str, key: str, secret: str, *event: str) -> Any:
        body = json.dumps(dict(zip(("channel", "name", "data"), event, strict=True))).encode()
        path = f"/apps/{app_id}/events"
        query = lesson.signed_query(key, secret, "POST", path, [], body, int(time.time()))
        try:
            with urlopen(Request(f"{url}{path}?{encode(query)}", body, headers)) as answer:
                return answer.status
        except HTTPError as error:
            if refused is None:
                raise
            return refused(error)

    return publish


def by_hand(query: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in query)


def code(error: HTTPError) -> int:
    return error.code


@pytest.mark.slow  # each check sends some thirty requests to a practice server
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda *_: 200, "Nothing reached the server"),
        (lambda *a: str(lesson.publish(*a)), "Return the answer's status: a number"),
        (lambda *a: lesson.publish(*a) and 200, "answered 401, on purpose. Return that."),
        (publisher(refused=lambda error: 401), "answered 400, on purpose. Return that."),
        (publisher(refused=lambda error: None), "a number"),
        (publisher(refused=code, headers={}), "Say that the body is JSON"),
        (publisher(refused=code, headers={"Content-Type": "text/plain"}), "Say that the body is"),
        (publisher(refused=code, encode=by_hand), "This app key arrived as another"),
        (lambda *a: {200: 201}.get(lesson.publish(*a), 401), "the server answered 200. Return"),
        (lambda *a: lesson.publish(*a[:4], "order-1", *a[5:]), "isn't the event that I asked for"),
        (lambda *a: lesson.publish(*a[:2], "unknown", *a[3:]), "The server refused it."),
    ],
)
def test_other_ways_not_to_publish(answer: Any, said: str) -> None:
    feedback = lesson.publish.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


def test_a_refusal_that_nobody_catches_says_what_the_server_said() -> None:
    feedback = lesson.publish.check(publisher())
    assert feedback.outcome is Outcome.ERROR
    assert feedback.message == (
        "HTTPError: 401, and your code didn't catch it. The server said: Unknown auth_key"
    )


def test_urllib_or_any_client_may_publish() -> None:
    def publish(url: Any, app_id: str, key: str, secret: str, *event: str) -> int:
        body = json.dumps(dict(zip(("channel", "name", "data"), event, strict=True))).encode()
        path = f"/apps/{app_id}/events"
        query = lesson.signed_query(key, secret, "POST", path, [], body, int(time.time()))
        return httpx.post(url + path, params=query, content=body, trust_env=False).status_code

    for answer in (publish, publisher(refused=code)):
        assert lesson.publish.check(answer).outcome is Outcome.PASSED


J = lesson._HEADER


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda url, body: (url, body), "Return the command line as text"),
        (lambda url, body: f"wget '{url}'", "It doesn't begin with curl"),
        (lambda url, body: "", "It doesn't begin with curl"),
        (lambda url, body: "curl -sS", "curl would see 0 URLs"),
        (lambda url, body: f"curl '{url}' {J} -d", "curl needs more: argument -d"),
        (lambda url, body: f"curl '{url}' {J}", "differs from byte 0 on"),
        (lambda url, body: f"curl '{url}' {J} -d @body.json", "the name of a file"),
        (lambda url, body: f"curl -X PUT '{url}' {J} -d x", "method PUT"),
        (lambda url, body: f"curl '{url}?' {J} -d x", "another URL"),
        (lambda url, body: f'curl "{url}" -d "$BODY"', "The shell acts on the $BODY in it"),
        (
            lambda url, body: f"curl '{url}' {J} -d {shlex.quote(body.decode())}; ls",
            "acts on the ;",
        ),
        (lambda url, body: f"curl '{url}' -d {shlex.quote(body.decode())}", "the body a form"),
        (
            lambda url, body: f"curl '{url}' -H 'Accept: */*' -d {shlex.quote(body.decode())}",
            "the body a form",
        ),
    ],
)
def test_other_commands_are_told_what_curl_would_do(answer: Any, said: str) -> None:
    feedback = lesson.as_curl.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    "written",
    [
        "curl -sS --request POST \\\n  --header 'content-type: application/json' \\\n  -d {} {}",
        "curl -XPOST -H'Content-Type: application/json; charset=utf-8' --data-raw {} --url {}",
        "curl --json {} {}",
        "curl -X POST -sS {1} -H 'Content-Type: application/json' --data {0}",
    ],
)
def test_any_command_is_right_that_sends_the_same(written: str) -> None:
    def as_curl(url: str, body: bytes) -> str:
        return written.format(shlex.quote(body.decode()), shlex.quote(url))

    assert lesson.as_curl.check(as_curl).outcome is Outcome.PASSED


def test_a_body_that_begins_with_an_at_goes_as_raw_data() -> None:
    assert lesson.curl_posts("curl http://h --data-raw @home").body == b"@home"
    assert lesson.curl_posts("curl http://h --json @home").problem


@pytest.mark.parametrize(
    "text", ["'", '"', "\\", "a'b", "'a'", '"a\\"', "$'\\n'", "'$5'", '"\\$5"']
)
def test_the_checker_reads_quotes_as_a_shell_does(text: str) -> None:
    """Where the checker finds words, sh finds the same."""
    try:
        words = lesson._shell_words(f"printf %s {text}")
    except ValueError:
        return
    ran = subprocess.run(["sh", "-c", f"printf %s {text}"], capture_output=True, text=True)
    assert ran.stdout == "".join(words[2:]).replace("\\$", "$")


@pytest.mark.parametrize("piece", ["'", '"', "\\", "\\'", "'\"", "$", "a "])
def test_a_long_command_is_bounded(piece: str) -> None:
    started = time.perf_counter()
    assert "too many" in lesson.curl_posts(piece * 5_000_000).problem
    assert lesson.curl_posts(piece * (lesson.MAX_COMMAND // 2)).problem
    assert time.perf_counter() - started < 10


def test_with_requests_the_broken_function_is_green_and_with_httpx_it_is_not() -> None:
    servers = list(lesson._servers(random.Random(0)))
    statuses = [
        lesson.broken_send_update(server, event, timestamp) for server, event, timestamp in servers
    ]
    assert statuses == [401, 200, 401, 200]


class Headless:
    """A practice server, for an answer that sends no headers of its own."""

    def __init__(self, server: Any) -> None:
        self.credentials, self.http = server.credentials, self
        self.client = server.http

    def post(self, path: str, *, params: Any, content: bytes, headers: Any) -> httpx.Response:
        answer: httpx.Response = self.client.post(path, params=params, content=content)
        return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda server, event, timestamp: 200, "Nothing was sent"),
        (lambda *a: str(lesson.send_update(*a)), "Return the answer's status"),
        (
            lambda server, event, timestamp: lesson.send_update(
                server, {**event, "name": "renamed"}, timestamp
            ),
            "another event arrived",
        ),
        (
            lambda s, e, t: (lesson.send_update(s, e, t), lesson.send_update(s, e, t))[0],
            "more than",
        ),
        (
            lambda s, e, t: lesson.send_update(Headless(s), e, t),
            "Send the header as well: Content-Type: application/json.",
        ),
    ],
)
def test_other_ways_not_to_fix_it(answer: Any, said: str) -> None:
    feedback = lesson.send_update.check(answer)
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda command: None, "Published! Now return the same request"),
        (lambda command: command.replace("curl", "wget"), "It doesn't begin with curl"),
        (lambda command: command.replace("auth_version=1.0", "auth_version=1.1"), "server refuses"),
        (lambda command: command.replace("application/json", "text/plain"), "the body a form"),
    ],
)
def test_a_command_that_is_another_request_proves_nothing(change: Any, said: str) -> None:
    feedback = lesson.prove_it.check(lambda *arguments: change(lesson.prove_it(*arguments)))
    assert feedback.outcome is Outcome.WRONG
    assert said in feedback.message
