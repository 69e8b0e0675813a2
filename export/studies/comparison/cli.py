"""The command of the study."""

from __future__ import annotations

from dataclasses import dataclass

from cnn_keras.command import Outcome
from cnn_keras.errors import unknown
from cnn_keras.experiments.record import record_outcome
from cnn_keras.studies.option_checks import require_unique
from cnn_keras.studies.options import RunsOption, StudyCommand


@dataclass(frozen=True, kw_only=True)
class ComparisonStudy(RunsOption, StudyCommand):
    """Test how often the verdicts of `benchmark --vs` and `--baseline` are right.

    Equal files, and files whose last layer is widened until they are 5 % or 10 % slower, are
    compared ten times each, on an idle machine and while another process keeps a core busy half of
    the time. Finished trials are skipped, so that parts of the study can be run one by one.
    """

    sizes: tuple[str, ...] = ("10us", "500us", "50ms")
    """About what one inference of the files takes."""
    loads: tuple[str, ...] = ("idle", "half")
    """What other processes do: nothing, or load half a core."""
    trials: tuple[str, ...] = (
        "copy",
        "itself",
        "slower",
        "gate_unchanged",
        "gate_equal",
        "gate_slower",
    )
    """What is compared."""

    def __call__(self) -> Outcome:
        from .files import SIZES
        from .record import comparison
        from .trials import KINDS, LOADS

        require_unique(sizes=self.sizes, loads=self.loads, trials=self.trials)
        for what, names, known in (
            ("size", self.sizes, tuple(SIZES)),
            ("load", self.loads, LOADS),
            ("trial", self.trials, KINDS),
        ):
            for name in names:
                if name not in known:
                    raise unknown(what, name, known)
        folder = self.runs / "comparison"
        return record_outcome(comparison(self.out, folder, self.sizes, self.loads, self.trials))
