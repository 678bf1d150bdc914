"""docs/clients.md lists what the tests in this folder found. Keep this file last."""

from __future__ import annotations

import pytest

from . import table
from .conftest import DESELECTED, HERE, WORKS

PAGE = HERE.parents[1] / "docs" / "clients.md"
BEGIN, END = "<!-- compat table -->\n", "\n<!-- /compat table -->"


def everything_ran(session: pytest.Session) -> bool:
    """Whether all files of this folder ran before, and no test of theirs was left out."""
    files = {item.path for item in session.items}
    return (
        set(HERE.glob("test_*.py")) <= files
        and not session.config.stash[DESELECTED]
        and not any("::" in argument for argument in session.config.args)
        and all(session.config.stash[WORKS].values())
    )


def test_the_page_has_it(request):
    if not everything_ran(request.session):
        pytest.skip("not all tests of compat ran well, so the table is not known")
    right = table.render(request.config.stash[WORKS])
    page = PAGE.read_text(encoding="utf-8")
    found = page.partition(BEGIN)[2].partition(END)[0]
    if found != right:
        pytest.fail(
            f"docs/clients.md should have these tables:\n{BEGIN}{right}{END}", pytrace=False
        )
