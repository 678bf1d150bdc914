"""What the README and its neighbours show is run, and what they list is complete and in order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pusherkit import events, signing
from pusherkit.sandbox import SandboxServer

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pusherkit"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOOLBOX = (ROOT / "docs" / "toolbox.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "api-reference.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "README.md"]
# The key and the secret that Pusher's documentation publishes its examples with.
PUBLISHED_KEY, PUBLISHED_SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
PYTHON = re.findall(r"```python\n(.*?)```", README + TOOLBOX, flags=re.S)
WORKED_EXAMPLE = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
NOBODY_LISTENS = "http://127.0.0.1:9"  # the discard port: a request that goes there fails


# --- what is shown works ----------------------------------------------------------------------


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


def test_the_fifth_proves_what_is_wrong_with_a_subscription(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("APP_ID", "3"), ("KEY", PUBLISHED_KEY), ("SECRET", PUBLISHED_SECRET)):
        monkeypatch.setenv(f"PUSHER_{name}", value)
    exec(PYTHON[4], {})
    assert capsys.readouterr().out.startswith("prefix-not-signed: ")


def test_the_sixth_encrypts_and_decrypts(capsys: pytest.CaptureFixture[str]) -> None:
    exec(PYTHON[5], {})
    assert capsys.readouterr().out == '{"text":"only for us"}\n'


@pytest.mark.slow
def test_the_fourth_is_a_test_that_passes_with_nothing_but_the_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(PYTHON) == 6, "an example without a test"
    assert len(PYTHON[3].splitlines()) <= 12
    monkeypatch.setenv("HTTP_PROXY", NOBODY_LISTENS)  # a signed request must not go through it
    pytester.makepyfile(PYTHON[3])
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


# --- what is listed is complete, and in order -------------------------------------------------


def test_every_lesson_is_in_the_table() -> None:
    listed = re.findall(r"\]\((notebooks/\S+\.ipynb)\)", README)
    assert listed == sorted(
        f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    )


READING = [
    (ROOT / path).resolve() for path in re.findall(r"^\d+\. \[.*?\]\((\S+)\)", README, flags=re.M)
]
# Shells around the package, which nobody reads to understand it. So are those that begin with _.
NOT_LISTED = {"cli", "lab", "pytest_plugin"}


def room(dotted: str) -> str:
    """The file or folder of the reading order that a module belongs to: "doctor" for
    "pusherkit.doctor.search", "signing" for "pusherkit.signing"."""
    return dotted.removeprefix("pusherkit").removeprefix(".").split(".")[0]


def what_runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a file, but not the imports for types alone."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            yield node
            yield from what_runs(node)


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file, or any file of a folder, needs when it runs."""
    found = set()
    for source in path.rglob("*.py") if path.is_dir() else [path]:
        for node in what_runs(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {room(a.name) for a in node.names if a.name.startswith("pusherkit.")}
            elif isinstance(node, ast.ImportFrom) and node.module == "pusherkit":
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pusherkit."):
                found.add(room(node.module or ""))
    return found


def test_the_reading_order_lists_every_file_once() -> None:
    files = {path.stem for path in PACKAGE.glob("[!_]*.py")}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    listed = [path.stem for path in READING]
    assert sorted(listed) == sorted((files | packages) - NOT_LISTED)


def test_each_file_of_the_reading_order_needs_only_those_above_it() -> None:
    rooms = [path.stem for path in READING]
    for at, path in enumerate(READING):
        below = set(rooms[at + 1 :])
        assert not imported_rooms(path) & below, path.name


def test_the_reading_order_is_right_about_its_length() -> None:
    promised = re.search(r"The first seven .* about ([\d,]+) lines", README)
    assert promised
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in READING[:7])
    assert int(promised[1].replace(",", "")) == pytest.approx(lines, rel=0.1)


# --- the pages hang together ------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_picture_is_shown() -> None:
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert f"images/{picture.name})" in shown, picture.name


def test_the_owner_is_a_placeholder_in_one_file() -> None:
    files = [path for path in ROOT.rglob("*") if path.suffix in {".md", ".toml", ".ipynb", ".cff"}]
    holding = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if not any(part.startswith(".") or part == "tests" for part in path.relative_to(ROOT).parts)
        and re.search(r"https?://\S*<owner>", path.read_text(encoding="utf-8"))
    }
    assert holding == {"README.md"}
    assert len(re.findall(r"https?://\S*<owner>", README)) == 3, "clone, site, Binder"


def test_what_the_recipes_name_is_there() -> None:
    """In CONTRIBUTING.md, every file in backticks exists and every other name is in the code."""
    recipes = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipes = re.sub(r"```.*?```", "", recipes, flags=re.S)
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for top in (PACKAGE, ROOT / "tests")
        for path in top.rglob("*.py")
    )
    named = set(re.findall(r"`([\w./]+?)(?:\(\)|=)?`", recipes))
    assert len(named) > 20
    for name in named:
        if "/" in name:
            assert any((top / name).exists() for top in (ROOT, PACKAGE, ROOT / "tests")), name
        else:
            assert re.search(rf"\b{re.escape(name.split('.')[-1])}\b", code), name


# --- the API reference ------------------------------------------------------------------------


def tables(markdown: str) -> list[list[list[str]]]:
    """Every table as rows of cells, the heading first."""
    found = re.findall(r"(?:^\|.*\|\n)+", markdown, flags=re.M)
    rows = [[re.split(r"\s*\|\s*", line)[1:-1] for line in table.splitlines()] for table in found]
    return [[table[0], *table[2:]] for table in rows]


def test_every_rule_of_the_reference_says_where_it_comes_from() -> None:
    legend, *rules = tables(REFERENCE)
    sources = [row[0].strip("*") for row in legend[1:]]
    assert sources == ["R", "P", "S", "O", "K"]
    assert len(rules) >= 8
    for heading, *rows in rules:
        assert heading[-1] == "source"
        for row in rows:
            assert len(row) == len(heading), row
            assert row[-1], row
            assert set(row[-1].split(", ")) <= set(sources), row


def test_the_limits_are_those_of_the_code() -> None:
    (limits,) = (table for table in tables(REFERENCE) if table[0][:2] == ["what", "limit"])
    stated = {row[0]: row[1] for row in limits[1:]}
    for what, limit in {
        "channels of one event": events.MAX_CHANNELS,
        "events in one batch": events.MAX_BATCH_EVENTS,
        "`data`, in bytes": events.MAX_DATA_BYTES,
        "a name, of an event or a channel": events.MAX_NAME_LENGTH,
        "the clocks' difference": signing.TOLERANCE_SECONDS,
    }.items():
        assert re.search(rf"(?<![\d,]){limit:,}(?![\d,])", stated[what]), what
