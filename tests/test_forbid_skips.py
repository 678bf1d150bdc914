"""`--forbid-skips`, tried on small test files in a pytest of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a pytest each

PASSES = "def test_passes(): pass\n"
SKIPS = "import pytest\n\ndef test_skips(): pytest.skip('no reason')\n\n" + PASSES
SKIPS_A_FILE = "import pytest\n\npytest.importorskip('no_such_module')\n\ndef test_lost(): pass\n"
XFAILS = "import pytest\n\n@pytest.mark.xfail\ndef test_xfails(): assert False\n"
FAILS = SKIPS + "\ndef test_fails(): assert False\n"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run pytest over one small file, with this directory's conftest.py beside it."""
    folder = tmp_path / "tests"
    folder.mkdir()
    for name in ("conftest.py", "fuzzing.py"):
        shutil.copy(Path(__file__).with_name(name), folder)

    def run(source: str, *options: str) -> subprocess.CompletedProcess[str]:
        (folder / "test_small.py").write_text(source)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "."],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(
    ("source", "named"),
    [(SKIPS, "tests/test_small.py::test_skips"), (SKIPS_A_FILE, "tests/test_small.py")],
    ids=["a test", "a file"],
)
def test_a_skip_fails_the_run_and_is_named(run, source, named):
    strict = run(source, "--forbid-skips")
    assert strict.returncode == pytest.ExitCode.TESTS_FAILED
    _, _, listed = strict.stdout.partition("--forbid-skips does not allow")
    assert listed, strict.stdout
    assert named in listed.splitlines()


def test_without_the_option_a_skip_is_no_failure(run):
    assert run(SKIPS).returncode == pytest.ExitCode.OK


@pytest.mark.parametrize("source", [PASSES, XFAILS], ids=["passes", "expected failure"])
def test_nothing_skipped_is_no_failure(run, source):
    strict = run(source, "--forbid-skips")
    assert strict.returncode == pytest.ExitCode.OK, strict.stdout
    assert "does not allow" not in strict.stdout


def test_a_failure_stays_a_failure(run):
    assert run(FAILS, "--forbid-skips").returncode == pytest.ExitCode.TESTS_FAILED
