"""`python -m pusherkit` is the command `pusherkit`."""

import sys

from pusherkit.cli import main

if __name__ == "__main__":
    sys.exit(main())
