"""What is said twice about the package is said alike. .ci/run builds the wheel and tries it."""

import re
import tomllib
from pathlib import Path

import pytest

import pusherkit

ROOT = Path(__file__).parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


PYPROJECT = tomllib.loads(read("pyproject.toml"))
# Version and day of the newest release; a heading [Unreleased] above it has neither.
RELEASE = re.search(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})$", read("CHANGELOG.md"), re.M)


def test_changelog_names_this_version():
    assert RELEASE
    assert RELEASE[1] == pusherkit.__version__


def test_citation_names_this_version_and_its_day():
    citation = read("CITATION.cff").splitlines()
    assert f"version: {pusherkit.__version__}" in citation
    assert f"date-released: {RELEASE[2]}" in citation


def test_license_is_mit():
    assert PYPROJECT["project"]["license"] == "MIT"
    assert "license: MIT" in read("CITATION.cff").splitlines()
    assert read("LICENSE").startswith("MIT License\n")


def test_extras_that_the_readme_promises():
    assert {"lab", "test"} <= PYPROJECT["project"]["optional-dependencies"].keys()


def test_package_is_typed():
    assert Path(pusherkit.__file__).with_name("py.typed").is_file()


def test_wheel_takes_the_notebooks_along():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"notebooks": "pusherkit/notebooks"}
    assert list((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize(
    "name", ["README.md", ".ci/run", ".github/workflows/ci.yml", "CONTRIBUTING.md"]
)
def test_test_command_is_the_same_everywhere(name):
    install = 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]"'
    lines = [line.strip().removeprefix("- run: ") for line in read(name).splitlines()]
    if name == ".ci/run":  # there it's the same, with the slow tests
        lines = [line.partition(' -m ""')[0] for line in lines]
    assert [
        line for line in lines if line.startswith("python3 -m venv .venv &&") and "pytest" in line
    ] == [f"{install} && .venv/bin/pytest -n auto"]
