"""``python -m qct``."""

import sys

from qct.cli import main

if __name__ == "__main__":
    sys.exit(main())
