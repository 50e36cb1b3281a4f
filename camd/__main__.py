"""``python -m camd``: the same as ``camd``."""

import sys

from camd.cli import main

if __name__ == "__main__":
    sys.exit(main())
