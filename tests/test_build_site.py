"""scripts/build_site.py: the folder it deletes, and its cache. tests/browser builds a site."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import build_site


class Began(Exception):
    """The build went on to its first step."""


@pytest.fixture(autouse=True)
def stop_at_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def began() -> None:
        raise Began

    monkeypatch.setattr(build_site, "tools", began)


@pytest.mark.parametrize("name", ["notes.txt", "jupyter-lite.json"])  # the latter is in site/, too
def test_a_folder_with_something_else_in_it_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(SystemExit, match="has something else in it"):
        build_site.build(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_a_new_folder_an_empty_one_and_a_site_are_built(tmp_path: Path) -> None:
    old = tmp_path / "old" / build_site.LISTING
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "old"):
        with pytest.raises(Began):
            build_site.build(tmp_path / name)


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
