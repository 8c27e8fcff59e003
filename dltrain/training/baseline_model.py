"""What scikit-learn has fitted, in the place of a network's graph: it runs forward, and has a state.

It is never written to a file.  A checkpoint holds a proof of it, what it says about some training samples; a run that
is loaded fits again, from the same data and seed, and is compared with the proof.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.baselines import Fitted, Refusal, fit
from dltrain.data import DataSet
from dltrain.errors import ConfigError, CorruptFileError, NumericsError, Problem
from dltrain.layers.base import Array
from dltrain.tasks import Task, Weighing
from dltrain.training.prepared import read_parts

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

WIRE = "y"
PROOF = 256  # training samples whose outputs are stored
TOLERANCE = 1e-3  # of the largest output: what processors may do to a fit, and another version of it may not
POLL = 0.05  # seconds between two looks at a signal


class BaselineModel:
    """Stands where a network's graph stands: runs forward, and has a state.

    Parameters:
        baseline: from the registry
        name: its name there
        task: the task
        data: training examples, or at least what is known of them
        experiment: the config; its seed, and where its data are when they have to be read again
    """

    def __init__(self, baseline: Any, name: str, task: Task, data: DataSet, experiment: Experiment) -> None:
        self.baseline, self.name, self.task, self.data, self.experiment = baseline, name, task, data, experiment
        self.inputs, self.outputs, self.wires = {"x": data.shape}, (WIRE,), {WIRE: (task.units(data),)}
        self.fitted: Fitted | None = None

    def fit(self, interrupted: Callable[[], bool] = lambda: False) -> bool:
        """Fit to the training part; whether it came to its end before it was interrupted.

        The work is done in another thread: while C code runs, Python's signals reach nobody in their own.

        Raises:
            ConfigError: when scikit-learn refuses parameters or data.
        """
        x, y, weights = self.learned_from()
        needs, seed = self.task.needs, self.experiment.seed
        found: list[Fitted] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                found.append(fit(self.baseline, x, y, needs, seed, weights))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            if interrupted():
                return False
            thread.join(POLL)
        if errors:
            self.refuse(errors[0])
        self.fitted = found[0]
        return True

    def learned_from(self) -> tuple[Array, Array, Array | None]:
        """Features, targets and perhaps weights (N,) of the training samples, but for those of an ignored label."""
        columns = self.data.parts["train"].columns
        x, y, weights = np.asarray(columns["x"]), columns["y"], columns.get("weight")
        weighing = Weighing(self.task, self.data)
        if weighing.ignores:
            known = y >= 0
            x, y, weights = x[known], y[known], None if weights is None else weights[known]
        return x, y, weights if weighing.classes is None else weighing.weigh(y, weights)[1]

    def forward(
        self, inputs: Mapping[str, Array], train: bool = False, mode: Any = None, wires: Iterable[str] | None = None
    ) -> tuple[dict[str, Array], None]:
        """Outputs {wire: (N, …) float64}, and no backward pass: a baseline has no gradients."""
        assert self.fitted is not None
        try:
            return {WIRE: self.fitted.outputs(inputs["x"])}, None
        except Refusal as error:
            return self.refuse(error)

    def refuse(self, error: BaseException) -> Any:
        """Raise an error of the fit; what scikit-learn refuses is a problem of the config.

        Raises:
            ConfigError: in place of a Refusal.
        """
        if not isinstance(error, Refusal):
            raise error
        hint = error.hint or f"`dltrain explain {self.name}`"
        problem = Problem(("baseline", self.name), error.what, error.expected, error.got, hint)
        raise ConfigError([problem], self.experiment.locate(problem)) from error

    def state(self) -> dict[str, Array]:
        """What a loaded run is compared with: outputs for some training samples, and scikit-learn's version."""
        return {"proof": self.proof(), "version": np.frombuffer(version().encode(), np.uint8)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Fit, unless that is done, and compare with the proof.

        Raises:
            CorruptFileError: when the state is none of a baseline.
            NumericsError: when the fit is another one.
        """
        if set(state) != {"proof", "version"} or not 0 < state["version"].size < 64:
            raise CorruptFileError("the checkpoint is none of a baseline", where=self.experiment.name)
        if self.fitted is None:
            read_parts(self.data, self.experiment, self.experiment.name)
            self.fit()
        was, now = state["proof"], self.proof()
        if was.shape != now.shape:
            what = "the checkpoint is none of this baseline"
            raise CorruptFileError(what, where=self.experiment.name, expected=str(now.shape), got=str(was.shape))
        apart, size = np.abs(was - now).max(initial=0), np.abs(now).max(initial=0)
        if not apart <= TOLERANCE * size:
            stored = state["version"].tobytes().decode("ascii", "replace")
            raise NumericsError(
                f"fitted again, the baseline {self.name} says something else about the training samples",
                where=self.experiment.name,
                expected=f"what scikit-learn {stored} said",
                got=f"up to {apart:.3g} more or less from scikit-learn {version()}",
                hint=f"install scikit-learn {stored}, or fit a new run",
            )

    def proof(self) -> Array:
        """What the estimator says about some training samples, evenly spread."""
        assert self.fitted is not None
        x = self.data.parts["train"].columns["x"]
        return self.fitted.said(x[np.linspace(0, len(x) - 1, min(len(x), PROOF)).astype(np.int64)])


def version() -> str:
    """scikit-learn's version."""
    import sklearn

    return str(sklearn.__version__)
