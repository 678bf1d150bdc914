"""scripts/build_site.py's cache. What it builds is tested in a browser, in tests/browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import build_site


def test_two_builds_that_make_the_same_at_once_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_site, "CACHE", tmp_path)

    def make(folder: Path) -> None:
        (folder / "made by").write_text("the quick one")

    def slowly(folder: Path) -> None:
        build_site.kept("wheels", b"", make)
        (folder / "made by").write_text("the slow one")

    folder = build_site.kept("wheels", b"", slowly)
    assert (folder / "made by").read_text() == "the quick one"
    assert list(tmp_path.iterdir()) == [folder]
