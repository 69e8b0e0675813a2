"""Where studies train networks and write their records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from .executors.executor import IN_ORDER, Executor
from .record import Claim, Content, write_record


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

    def write_record(
        self, stem: str, study: str, claims: Sequence[Claim], **content: Unpack[Content]
    ) -> dict[str, Any]:
        """Write the record of a study, with the remark, and its figure.

        Args:
            stem: Name of both files without suffix.
            study: Name of the study.
            claims: The claims.
            content: See `record.Content`.

        Returns:
            The record.
        """
        path = self.out / f"{stem}.json"
        return write_record(path, "study", study, claims, remark=self.remark, **content)
