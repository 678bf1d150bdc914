"""A practice server under attack loses no event, keeps answering, and stays as small as it was.

`pytest -m "" tests/chaos --chaos-seconds 60` attacks for longer than the few seconds
of a plain run.
"""

from __future__ import annotations

import sys

import pytest

from .siege import SIEGES, Siege, run

SEED = 1

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform == "win32", reason="a limit on descriptors and SIGTERM are Unix's"
    ),
]


@pytest.mark.parametrize("siege", SIEGES, ids=lambda siege: siege.name)
def test_a_server_under_attack(siege: Siege, pytestconfig, capsys):
    report = run(siege, pytestconfig.getoption("--chaos-seconds") * siege.share, SEED)
    with capsys.disabled():
        print(f"\n{report}")
    assert report.faults == []
