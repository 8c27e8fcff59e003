"""Samplers that learn from the trials before, by the package Optuna."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from dltrain.registry import register
from dltrain.seeds import mix
from dltrain.sweeps.dimensions import Dimension
from dltrain.sweeps.samplers import Proposal, Sampler
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import TOLD, Trial, Trials
from dltrain.types import PositiveInt

WORST = 1e12  # what Optuna is told of a trial that failed, as the loss
PENALTY = 1e6  # for each unit by which bounds are missed


class OptunaSampler(Sampler):
    """A sampler of Optuna, asked and told in the order of the journal.

    Its state is never stored: whoever joins asks and tells everything again, which leads to the same state.
    """

    def __init__(self) -> None:
        self.study: Any = None
        self.asked: dict[int, Any] = {}  # Optuna's trials
        self.seen = 0  # events

    @abstractmethod
    def made(self, optuna: Any, seed: int) -> Any:
        """Optuna's sampler."""

    def propose(self, number: int, space: Space, seed: int, trials: Trials) -> Proposal:
        """What Optuna proposes after all that was asked and told so far."""
        optuna = imported()
        if self.study is None:
            directions = ["maximize" if higher else "minimize" for higher in trials.directions.values()]
            sampler = self.made(optuna, mix(seed) % 2**32)
            self.study = optuna.create_study(sampler=sampler, directions=directions)
        for event, trial in trials.events[self.seen :]:
            if event == TOLD:
                self.study.tell(self.asked[trial.number], scores(trial, trials))
            elif trial.number not in self.asked:
                self._same(self._ask(trial.number, space), trial, optuna)
        self.seen = len(trials.events)
        return self._ask(number, space)

    def _ask(self, number: int, space: Space) -> Proposal:
        asked = self.asked[number] = self.study.ask()

        def place(path: str, dimension: Dimension) -> float:
            if dimension.ordered:
                return float(asked.suggest_float(path, 0.0, 1.0))
            levels = dimension.levels or 1
            return (int(asked.suggest_categorical(path, list(range(levels)))) + 0.5) / levels

        return Proposal(*space.walk(place))

    def _same(self, proposal: Proposal, trial: Trial, optuna: Any) -> None:
        """Refuse to go on where the trials of the journal would not have been proposed."""
        there = set(proposal.point) == set(trial.point)
        if not there or any(abs(proposal.point[path] - unit) > 1e-6 for path, unit in trial.point.items()):
            from dltrain.errors import UsageError

            what = f"Optuna {optuna.__version__} proposes another point than the sweep was started with"
            hint = "install the version that environment.json names, or start a new sweep"
            raise UsageError(what, where=f"trial {trial.number}", hint=hint)


@register("sampler", "tpe")
class TreeParzen(OptunaSampler):
    """The tree-structured Parzen estimator: tries where good points l(x) are dense and others g(x) are not, max l / g.

    Parameters:
        startup: random points before it begins

    Example:
        >>> space = Space({"a": {"uniform": [0.0, 1.0]}})
        >>> 0 <= TreeParzen().propose(1, space, 0, Trials(True)).settings["a"] <= 1
        True

    Source: Bergstra, Bardenet, Bengio, Kégl: Algorithms for hyper-parameter optimization, 2011.
    """

    def __init__(self, startup: PositiveInt = 10) -> None:
        super().__init__()
        self.startup = startup

    def made(self, optuna: Any, seed: int) -> Any:
        """Optuna's sampler."""
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.startup)


@register("sampler", "cma_es")
class CovarianceAdaptation(OptunaSampler):
    """Evolution of a normal distribution x ~ N(m, σ² C), whose mean and covariance follow the better points.

    For many trials in few continuous dimensions; choices, and what depends on them, are drawn at random.

    Parameters:
        startup: random points before it begins

    Example:
        >>> space = Space({"a": {"uniform": [0.0, 1.0]}, "b": {"uniform": [0.0, 1.0]}})
        >>> 0 <= CovarianceAdaptation().propose(1, space, 0, Trials(True)).settings["b"] <= 1
        True

    Source: Hansen, Ostermeier: Completely derandomized self-adaptation in evolution strategies, 2001.
    """

    one_objective = True

    def __init__(self, startup: PositiveInt = 1) -> None:
        super().__init__()
        self.startup = startup

    def made(self, optuna: Any, seed: int) -> Any:
        """Optuna's sampler."""
        cma = optuna.samplers.CmaEsSampler
        return cma(seed=seed, n_startup_trials=self.startup, warn_independent_sampling=False)


def scores(trial: Trial, trials: Trials) -> list[float]:
    """A number for each objective; Optuna looks at their order alone: the value, minus what missed bounds cost."""
    cost = WORST if trial.value is None else min(PENALTY * trial.violation, WORST)
    found = []
    for value, higher in zip(trials.results(trial), trials.directions.values(), strict=True):
        known = 0.0 if value is None else max(-WORST, min(value, WORST))
        found.append(known - cost if higher else known + cost)
    return found


def imported() -> Any:
    """The package optuna.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        import optuna
    except ImportError:
        from dltrain.errors import UsageError

        hint = 'install it with `pip install "dltrain[sweep]"`, or take `random`, `sobol` or `coarse_to_fine`'
        raise UsageError("this sampler needs the package optuna", where="sampler", hint=hint) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
