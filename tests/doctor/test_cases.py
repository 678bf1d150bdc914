"""What people met in public: each case of tests/cases goes through the doctor's door."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pusherkit.doctor.consult import App, Report, consult
from pusherkit.errors import UnreadableText
from tests.cases import make

CASES = Path(make.__file__).parent
INDEX = json.loads((CASES / "index.json").read_text(encoding="utf-8"))
APP = App(app_id=make.APP_ID, key=make.KEY, secret=make.SECRET)
NOW = make.TIMESTAMP + 3_600


def consulted(name: str) -> tuple[str, int, Report | None]:
    """What the doctor says of a case, the exit status, and the report if there is one."""
    text = (CASES / f"{name}.txt").read_bytes().decode(errors="surrogateescape")
    try:
        report = consult(text, APP, now=NOW)
    except UnreadableText as error:
        return str(error), 3, None
    return str(report), report.status, report


@pytest.mark.parametrize("name", INDEX)
def test_a_case_is_answered(name: str) -> None:
    expected = INDEX[name]
    said, status, report = consulted(name)
    assert status == expected["status"], said
    assert [words for words in expected["says"] if words not in said] == [], said
    if report is None:
        return
    assert said.startswith(f"Read as: {expected['read_as']}")
    proven = [
        [mistake.name for mistake in finding.mistakes]
        for opinion in report.opinions
        for finding in opinion.diagnosis.findings
    ]
    assert [names for names in expected["mistakes"] if names not in proven] == [], said
    assert make.SECRET not in said


def test_the_texts_are_those_that_make_py_writes() -> None:
    assert make.CASES == INDEX
    files = {file.stem: file.read_bytes() for file in CASES.glob("*.txt")}
    assert files == make.TEXTS


def test_the_addresses_are_addresses() -> None:
    addresses = [address for each in INDEX.values() for address in each["reports"]]
    assert len(set(addresses)) > 40
    assert all(address.startswith("https://") for address in addresses)


def test_the_readme_shows_what_the_command_says() -> None:
    readme = (CASES.parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"  ```console\n  \$ (.*?)  ```", readme, flags=re.DOTALL)
    command, *shown = re.sub("^  ", "", block, flags=re.MULTILINE).rstrip().split("\n")
    assert command.startswith(f"PUSHER_SECRET={make.SECRET} pusherkit doctor tests/cases/")
    said, _, _ = consulted(Path(command.split("/")[-1]).stem)
    assert said.startswith("\n".join(shown).removesuffix("…"))
