"""Settings to paste: each text is run, or read as its own format reads it, with nasty values."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pusherkit import Credentials
from pusherkit.sandbox.sdk_settings import STACKS, settings_for

PLAIN = Credentials(app_id="3", key="key", secret="secret", base_url="http://127.0.0.1:8123")
NASTY = {
    "quotes": "it's \"quoted\" 'so' \"",
    "backslashes": "\\ \\\\ \\n \\' \\\" a\\",
    "dollar": "$HOME ${HOME} \\$x #{1} #$0 $",
    "comment": "a#b # c // d /* e */",
    "spaces": " two  words ",
    "equals": 'a=\'b"="c"=',
    "lines": "one\ntwo\r\nthree\tfour",
    "letters": "é ☕ ß %41 %s {x} `id`",
    "true": "true\\",
}
every_value = pytest.mark.parametrize("value", NASTY.values(), ids=NASTY.keys())
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="to run it, node is missing")
needs_php = pytest.mark.skipif(shutil.which("php") is None, reason="to run it, php is missing")


def credentials(value: str, **changed: str) -> Credentials:
    """With a nasty key and secret; the ends may be no quotes, so a letter stands there."""
    fields = {"app_id": "3", "key": f"k{value}k", "secret": f"s{value}s"}
    return Credentials(**fields, **{"base_url": PLAIN.base_url} | changed)


@dataclass
class Parts:
    """A text's parts, which go to different places: each begins with a comment after a gap."""

    text: str

    def with_comment(self, beginning: str) -> str:
        """The part whose first comment begins so."""
        (found,) = (
            part
            for part in re.split(r"\n\n(?=# |// )", self.text)
            if part.lstrip("#/ ").startswith(beginning)
        )
        return found + "\n"


def run_node(tmp_path: Path, program: str) -> Any:
    """Run an ES module; return what it printed, as JSON."""
    file = tmp_path / "program.mjs"
    file.write_bytes(program.encode())
    ran = subprocess.run(
        [shutil.which("node") or "node", file], capture_output=True, timeout=60, encoding="utf-8"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def browser_options(tmp_path: Path, part: str) -> list[Any]:
    """What the browser's part gives to pusher-js."""
    program = part.replace('import Pusher from "pusher-js";', "", 1)
    stub = "class Pusher { constructor(...given) { console.log(JSON.stringify(given)); } }\n"
    return run_node(tmp_path, stub + program)


# --- all ----------------------------------------------------------------------------------------


def test_another_stack_is_refused_in_words():
    with pytest.raises(ValueError, match="stack: expected one of node, laravel, python, ruby; got"):
        settings_for("cobol", PLAIN)


@pytest.mark.parametrize("stack", STACKS)
def test_every_part_begins_with_where_it_goes(stack):
    text = settings_for(stack, PLAIN)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert max(map(len, text.splitlines())) <= 100
    first = text.splitlines()[0]
    assert first.startswith(("# ", "// "))


@needs_node
@pytest.mark.parametrize("stack", ["node", "python", "ruby"])
@every_value
def test_the_browsers_part_runs(stack, value, tmp_path):
    part = Parts(settings_for(stack, credentials(value))).with_comment("In the browser")
    assert browser_options(tmp_path, part) == [
        f"k{value}k",
        {
            "cluster": "",
            "wsHost": "127.0.0.1",
            "wsPort": 8123,
            "wssPort": 8123,
            "forceTLS": False,
            "enabledTransports": ["ws", "wss"],
        },
    ]


@needs_node
def test_a_host_by_https_is_told_as_one(tmp_path):
    secure = credentials("", base_url="https://example.com")
    part = Parts(settings_for("node", secure)).with_comment("In the browser")
    _, options = browser_options(tmp_path, part)
    assert (options["wsHost"], options["wssPort"], options["forceTLS"]) == (
        "example.com",
        443,
        True,
    )
    assert "PUSHER_PORT=443\nPUSHER_SCHEME=https\n" in settings_for("laravel", secure)
    assert "port=443,\n    ssl=True,\n" in settings_for("python", secure)
    assert "port: 443,\n  use_tls: true\n" in settings_for("ruby", secure)


# --- one by one ---------------------------------------------------------------------------------


@needs_node
@every_value
def test_the_node_server_runs(value, tmp_path):
    part = Parts(settings_for("node", credentials(value))).with_comment("On the server")
    stub = "const require = name => class { constructor(options) {\n"
    stub += "  console.log(JSON.stringify({ name, options })); } };\n"
    assert run_node(tmp_path, stub + part) == {
        "name": "pusher",
        "options": {
            "appId": "3",
            "key": f"k{value}k",
            "secret": f"s{value}s",
            "host": "127.0.0.1",
            "port": 8123,
            "useTLS": False,
        },
    }


@every_value
def test_the_python_server_runs(value, monkeypatch):
    stub = SimpleNamespace(Pusher=lambda **options: options)
    monkeypatch.setitem(sys.modules, "pusher", stub)
    names: dict[str, Any] = {}
    part = Parts(settings_for("python", credentials(value))).with_comment("On the server")
    exec(compile(part, "settings", "exec"), names)
    assert names["client"] == {
        "app_id": "3",
        "key": f"k{value}k",
        "secret": f"s{value}s",
        "host": "127.0.0.1",
        "port": 8123,
        "ssl": False,
    }


RUBY_OPTION = r"  (\w+): ('(?:\\.|[^'\\])*'|\w+)(,?)\n"
RUBY = re.compile(
    r"\# On the server,[^\n]*\n\#[^\n]*\nrequire 'pusher'\n\n"
    rf"pusher = Pusher::Client\.new\(\n(?P<options>(?:{RUBY_OPTION})+)\)\n"
)


@every_value
def test_the_ruby_server_has_the_shape_of_ruby(value):
    part = Parts(settings_for("ruby", credentials(value))).with_comment("On the server")
    found = RUBY.fullmatch(part)
    assert found
    options = re.findall(RUBY_OPTION, found["options"])
    assert [comma for _, _, comma in options] == [","] * 5 + [""]
    # In single quotes \\ and \' mean the second character; any other backslash stays.
    read = {
        name: re.sub(r"\\([\\'])", r"\1", shown[1:-1]) if shown[0] == "'" else shown
        for name, shown, _ in options
    }
    assert read == {
        "app_id": "3",
        "key": f"k{value}k",
        "secret": f"s{value}s",
        "host": "127.0.0.1",
        "port": "8123",
        "use_tls": "false",
    }


# --- Laravel ------------------------------------------------------------------------------------


def phpdotenv(text: str) -> dict[str, str]:
    """Read a .env file by the rules of phpdotenv 5 (its EntryParser), nested variables too."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, _, shown = line.partition("=")
        if shown.startswith('"'):
            inside = re.fullmatch(r'"((?:\\["\\$fnrtv]|[^"\\])*)"', shown)
            assert inside, f"phpdotenv refuses {shown}"
            tokens = re.findall(r"\\.|\$\{\w+\}|[^\\]", inside[1])
            values[name] = "".join(_meaning(token, values) for token in tokens)
        else:
            assert not re.search(r"[\s#'\"$\\]", shown), f"{shown} means something else unquoted"
            values[name] = shown
    return values


def _meaning(token: str, values: dict[str, str]) -> str:
    if token.startswith("${"):
        return values[token[2:-1]]
    if token[0] != "\\":
        return token
    return token[1] if token[1] in '"\\$' else ast.literal_eval(f"'{token}'")


@every_value
def test_laravel_reads_its_env_file(value):
    part = Parts(settings_for("laravel", credentials(value))).with_comment(".env")
    assert phpdotenv(part) == {
        "BROADCAST_CONNECTION": "pusher",
        "PUSHER_APP_ID": "3",
        "PUSHER_APP_KEY": f"k{value}k",
        "PUSHER_APP_SECRET": f"s{value}s",
        "PUSHER_APP_CLUSTER": "mt1",
        "PUSHER_HOST": "127.0.0.1",
        "PUSHER_PORT": "8123",
        "PUSHER_SCHEME": "http",
        "VITE_PUSHER_APP_KEY": f"k{value}k",
        "VITE_PUSHER_APP_CLUSTER": "mt1",
        "VITE_PUSHER_HOST": "127.0.0.1",
        "VITE_PUSHER_PORT": "8123",
        "VITE_PUSHER_SCHEME": "http",
    }


def test_a_plain_value_stands_without_quotes():
    assert "PUSHER_APP_KEY=key\nPUSHER_APP_SECRET=secret\n" in settings_for("laravel", PLAIN)


@needs_php
def test_laravels_options_are_php_and_lead_here(tmp_path):
    parts = Parts(settings_for("laravel", PLAIN))
    values = json.dumps(phpdotenv(parts.with_comment(".env")))
    program = tmp_path / "options.php"
    program.write_text(
        "<?php\n$values = json_decode(getenv('VALUES'), true);\n"
        "function env($name, $default = null)\n"
        "{ global $values; return $values[$name] ?? $default; }\n"
        f"echo json_encode([\n{parts.with_comment('config/broadcasting.php')}]);\n",
        encoding="utf-8",
    )
    ran = subprocess.run(
        [shutil.which("php") or "php", program],
        env={"VALUES": values},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["options"] == {
        "cluster": "mt1",
        "host": "127.0.0.1",
        "port": "8123",
        "scheme": "http",
        "useTLS": False,
    }


@needs_node
def test_laravels_echo_leads_here(tmp_path):
    parts = Parts(settings_for("laravel", PLAIN))
    program = parts.with_comment("resources/js/echo.js")
    for line in ('import Echo from "laravel-echo";', 'import Pusher from "pusher-js";'):
        assert line in program
        program = program.replace(line, "")
    values = phpdotenv(parts.with_comment(".env"))
    stub = f"import.meta.env = {json.dumps(values)};\n"
    stub += "const window = {}, Pusher = {};\n"
    stub += "class Echo { constructor(options) { console.log(JSON.stringify(options)); } }\n"
    assert run_node(tmp_path, stub + program) == {
        "broadcaster": "pusher",
        "key": "key",
        "cluster": "mt1",
        "wsHost": "127.0.0.1",
        "wsPort": "8123",
        "wssPort": "8123",
        "forceTLS": False,
        "enabledTransports": ["ws", "wss"],
    }
