"""docs/doctor.md says what the doctor's tables say, and names every fault that was reported."""

from __future__ import annotations

import re

from pusherkit.doctor import subscription_mistakes, webhooks
from scripts import doctor_page
from tests.doctor.test_cases import INDEX

PAGE = doctor_page.PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \*\*([\w-]+)\*\*: (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, flags=re.M)


def test_the_page_is_the_one_that_the_tables_make() -> None:
    assert doctor_page.page() == PAGE, "run python scripts/doctor_page.py"


def test_every_mistake_has_its_row_with_its_fix() -> None:
    fixes = {(name, fix) for name, _, _, _, fix in ROWS}
    known = [mistake for found in doctor_page.request_mistakes().values() for mistake in found]
    for table in (
        subscription_mistakes.WRAPPING,
        subscription_mistakes.SIGNED,
        webhooks.TABLE,
    ):
        known += doctor_page.in_table(table)
    assert len(known) > 130
    for mistake in known:
        fix = mistake.fix.replace("DATA", "channel_data").replace("|", "\\|")
        assert (mistake.name, fix) in fixes


def test_every_fault_that_was_reported_has_its_row_and_its_count() -> None:
    counts = {name: reported for name, _, _, reported, _ in ROWS}
    for case in INDEX.values():
        if case["fault"]:
            assert case["fault"] in counts
            assert all(f"({address})" in counts[case["fault"]] for address in case["reports"])
    assert set(doctor_page.FAULTS) <= {case["fault"] for case in INDEX.values()}
