"""What the README shows is run, and what it lists is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pusherkit.sandbox import SandboxServer

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.S)
WORKED_EXAMPLE = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"


def test_the_first_example_prints_the_published_signature(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exec(PYTHON[0], {})
    *steps, last = capsys.readouterr().out.splitlines()
    assert last == WORKED_EXAMPLE
    assert steps[-1].split() == ["Sign", "auth_signature", "=", WORKED_EXAMPLE]
    assert len(PYTHON[0].splitlines()) <= 10


def test_the_second_sends_with_settings_from_the_environment(
    server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHER_APP_ID", server.credentials.app_id)
    monkeypatch.setenv("PUSHER_KEY", server.credentials.key)
    monkeypatch.setenv("PUSHER_SECRET", server.credentials.secret)
    monkeypatch.setenv("PUSHER_HOST", server.url)
    exec(PYTHON[1], {})
    assert [entry.reply.status for entry in server.log] == [200]


def test_the_third_receives_what_it_sends(capsys: pytest.CaptureFixture[str]) -> None:
    exec(PYTHON[2], {})
    assert capsys.readouterr().out == '{"text":"hello"}\n'


def test_the_fourth_is_a_test_that_passes_with_nothing_but_the_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(PYTHON) == 4, "an example without a test"
    assert len(PYTHON[3].splitlines()) <= 13
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy that nobody may ask
    pytester.makepyfile(PYTHON[3])
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_every_lesson_is_in_the_table() -> None:
    listed = re.findall(r"\]\((notebooks/\S+\.ipynb)\)", README)
    assert listed == sorted(
        f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    )


def test_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_owner_is_a_placeholder_in_one_place() -> None:
    files = [path for path in ROOT.rglob("*") if path.suffix in {".md", ".toml", ".ipynb", ".cff"}]
    lines = [
        line
        for path in files
        if not any(part.startswith(".") or part == "tests" for part in path.relative_to(ROOT).parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if "<owner>" in line and "http" in line
    ]
    assert len(lines) == 1
