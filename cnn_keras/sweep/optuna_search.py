"""Trials that Optuna's samplers choose by the results of earlier ones.

Optuna keeps nothing on disk. A sweep that resumes repeats the same questions, and reads the answers
from the run folders.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import Error
from .search import Values
from .space import Choices, Range, Space
from .sweep_file import Search
from .trials import Trial

if TYPE_CHECKING:
    import optuna


class OptunaSearch:
    """Asks Optuna for several trials at a time; see `search.Strategy`.

    Args:
        space: What the trials change.
        search: The sampler, its seed, and how many trials it chooses together.
        pruner: Name of Optuna's pruner, or None.

    Raises:
        Error: Optuna is not installed.
    """

    def __init__(self, space: Space, search: Search, pruner: str | None) -> None:
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise Error(
                f'The method {search.method} needs Optuna: pip install ".[optuna]", or pip install '
                "optuna."
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space, self.search = space, search
        self.distributions = {key: _distribution(each) for key, each in space.items()}
        self.asked: list[optuna.Trial] = []
        self.study = optuna.create_study(
            direction="maximize",
            study_name="sweep",  # Hyperband's brackets depend on it
            sampler=_sampler(search),
            pruner={
                None: optuna.pruners.NopPruner,
                "median": optuna.pruners.MedianPruner,
                "hyperband": optuna.pruners.HyperbandPruner,
            }[pruner](),
        )

    def propose(self) -> Sequence[Values]:
        """Return the next trials; none at the end."""
        left = self.search.trials - len(self.study.trials)
        size = min(self.search.batch, left)
        self.asked = [self.study.ask(self.distributions) for _ in range(size)]
        return [
            {key: _value(self.space[key], chosen) for key, chosen in asked.params.items()}
            for asked in self.asked
        ]

    def prune(self, trials: Sequence[Trial], epoch: int) -> list[Trial]:
        """Prune the trials that Optuna's pruner ends; return the others."""
        by_number = {asked.number: asked for asked in self.asked}
        for trial in trials:
            asked = by_number[trial.number]
            asked.report(trial.accuracy(epoch), epoch)
            if asked.should_prune():
                trial.state = "pruned"
        return [trial for trial in trials if trial.state == "running"]

    def report(self, trials: Sequence[Trial]) -> None:
        """Tell Optuna the results."""
        import optuna

        for asked, trial in zip(self.asked, trials, strict=True):
            if trial.state == "complete":
                self.study.tell(asked, trial.accuracy())
            else:
                pruned = trial.state == "pruned"
                state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.FAIL
                self.study.tell(asked, state=state)


def _sampler(search: Search) -> optuna.samplers.BaseSampler:
    import optuna

    if search.method == "tpe":
        return optuna.samplers.TPESampler(seed=search.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.QMCSampler(
            seed=search.seed, scramble=True, warn_independent_sampling=False
        )


def _distribution(dimension: Choices | Range) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if isinstance(dimension, Choices):  # by index, because lists are no values of Optuna
        return distributions.CategoricalDistribution(range(len(dimension.values)))
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return distributions.IntDistribution(low, high, log=dimension.log)
    return distributions.FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _value(dimension: Choices | Range, chosen: Any) -> Any:
    """Return the value that Optuna has chosen, as a trial uses it."""
    if isinstance(dimension, Choices):
        return dimension.values[chosen]
    return dimension.rounded(chosen)
