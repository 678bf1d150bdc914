"""Every lesson, light and dark: axe-core finds nothing, and the keyboard reaches everything."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

LESSONS = sorted(path.name for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
AXE = "axe-core@4.14.1"
OUTPUTS = ".jp-Notebook .jp-OutputArea-output"  # what is ours; the rest is JupyterLab's
RUN_AXE = """async include => {
  const found = await axe.run({ include: [include] });
  return found.violations.map(violation => ({
    rule: violation.id,
    help: violation.help,
    where: violation.nodes.map(node => node.html.slice(0, 200) + ' ' + node.failureSummary),
  }));
}"""
# Controls that Tab does not reach: hidden ones are none.
UNREACHABLE = """outputs => [...document.querySelectorAll(outputs)].flatMap(output =>
  [...output.querySelectorAll('button, input, select, textarea, a[href]')]
    .filter(control => control.offsetParent !== null && (control.tabIndex < 0 || control.disabled))
    .map(control => control.outerHTML.slice(0, 200)))"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing, which brings axe-core")
    folder = tmp_path_factory.mktemp("axe")
    packed = subprocess.run(
        [npm, "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    with tarfile.open(folder / packed) as archive:
        member: Any = archive.extractfile("package/axe.min.js")
        return member.read().decode()


@pytest.mark.parametrize("name", LESSONS)
def test_axe_finds_nothing_and_tab_reaches_everything(lab, axe, name):
    lab.run(name)
    lab.page.evaluate(axe)
    for theme in ("light", "dark"):
        lab.theme(theme)
        assert lab.page.evaluate(RUN_AXE, OUTPUTS) == []
    assert lab.page.evaluate(UNREACHABLE, OUTPUTS) == []
