"""python -m tests.chaos: a siege by chosen attacks, to see which of them a server cannot bear."""

from __future__ import annotations

import argparse
import sys

from .attacks import ATTACKS
from .siege import SIEGES, Siege, run

parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
parser.add_argument("--seconds", type=float, default=10.0)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--only", nargs="+", choices=ATTACKS, default=SIEGES[0].kinds, metavar="KIND")
parser.add_argument("--stdout", choices=["unread", "abandoned", "closed", "nowhere"])
parser.add_argument("--descriptors", type=int)
options = parser.parse_args()
siege = Siege(
    " ".join(options.only) if options.only != SIEGES[0].kinds else "all",
    tuple(options.only),
    options.stdout or "nowhere",
    options.descriptors,
)
report = run(siege, options.seconds, options.seed)
print(report)
sys.exit(bool(report.faults))
