"""`python -m cnn_keras`: the commands of this package, without those of `export`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m cnn_keras"))
