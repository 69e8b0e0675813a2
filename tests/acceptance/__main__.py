"""Make a data set of image files, check it, and train on it: `python -m tests.acceptance`.

Prints whether `dataset check` lists exactly what was planted, and the memory that the data add to a
training at 224×224.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from cnn_keras.command import log
from cnn_keras.data.check.report import check

from .image_files import write
from .memory import measure
from .planted import differences

MAX_ADDED_MIB = 400


def accept(count: int, folder: Path) -> bool:
    """Make a data set of `count` files in a new folder, and return whether all holds."""
    start = time.perf_counter()
    files = write(folder / "images", count)
    log(f"{count} files written in {time.perf_counter() - start:.0f} s")
    start = time.perf_counter()
    lines = differences(files, check(f"folder:{files.folder}"))
    seconds = time.perf_counter() - start
    log(f"checked in {seconds:.0f} s; differences from what was planted: {lines}")
    peaks = measure(files.folder, folder / "runs")
    log(
        f"peak memory: {peaks.repeated:.0f} MiB on one repeated batch, {peaks.files:.0f} MiB on "
        f"the files: {peaks.added:.0f} MiB more"
    )
    return not lines and peaks.added < MAX_ADDED_MIB


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--folder", type=Path, help="where to put them; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        results = [accept(count, Path(folder, str(count))) for count in options.images]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
