"""`jupyter nbconvert --to html` makes a page of a lesson that needs no scripts and no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pictures_tables_and_text_are_there_without_scripts(
    browser: Any, pictures: Path, tmp_path: Path, path: Path
) -> None:
    nbconvert = pytest.importorskip("nbconvert")
    html, _ = nbconvert.HTMLExporter().from_filename(str(path))
    page_file = tmp_path / f"{path.stem}.html"
    page_file.write_text(html, encoding="utf-8")
    with browser.new_context(java_script_enabled=False, offline=True) as context:
        page = context.new_page()
        page.goto(page_file.as_uri())
        outputs = page.locator(".jp-OutputArea-output")
        assert outputs.count() > 5
        for image in outputs.locator("img").all():
            assert image.get_attribute("alt")
            box = image.bounding_box()
            assert box["width"] > 100
            assert box["height"] > 20
        for row in outputs.locator("tr").all():
            label, value = (cell.bounding_box() for cell in row.locator("> *").all()[:2])
            assert value["x"] >= label["x"] + label["width"] - 1
        page.screenshot(path=pictures / f"nbconvert-{path.stem}.png", full_page=True)
