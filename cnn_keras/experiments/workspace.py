"""Where studies train networks and write their records."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .executors.executor import IN_ORDER, Executor


class Workspace(NamedTuple):
    """Where a study trains networks, and where it writes its record.

    Attributes:
        runs: Folder of the run folders.
        out: Folder of the record and its figure.
        data_dir: Folder to search for the data set first.
        executor: What trains the networks.
        remark: A sentence about the images or the trainings, which the record shows.
    """

    runs: Path
    out: Path
    data_dir: Path | None = None
    executor: Executor = IN_ORDER
    remark: str | None = None
