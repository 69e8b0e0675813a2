"""Where studies train networks and write their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .executors.executor import IN_ORDER, Executor
from .record import Claim, write_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        self,
        stem: str,
        study: str,
        claims: Sequence[Claim],
        *,
        seeds: Sequence[int],
        budget: Mapping[str, Any],
        details: Mapping[str, Any],
        figure: Figure,
        failed: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, Any]:
        """Write the record of a study, with the remark, and its figure.

        Args:
            stem: Name of both files without suffix.
            study: Name of the study.
            claims: See `record.write_record`, as for the following.
            seeds: See there.
            budget: See there.
            details: See there.
            figure: See there.
            failed: See there.

        Returns:
            The record.
        """
        return write_record(
            self.out / f"{stem}.json",
            "study",
            study,
            claims,
            seeds=seeds,
            budget=budget,
            details=details,
            figure=figure,
            failed=failed,
            remark=self.remark,
        )
