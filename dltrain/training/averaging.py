"""Averages of the weights over the course of training: what is evaluated, while training goes on with the last ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.layers.base import Array
from dltrain.registry import register
from dltrain.types import PositiveInt, Rate

if TYPE_CHECKING:
    from dltrain.model.graph import Graph


class Average(ABC):
    """A rule of averaging: average = average + share · (weights - average), each time it is due."""

    start = 1  # the first epoch that it takes something from

    @abstractmethod
    def due(self, step: int, steps_per_epoch: int) -> bool:
        """Whether the weights after a step (counted from 0) belong to the average."""

    @abstractmethod
    def share(self, count: int) -> float:
        """How much the newest weights count.

        Parameters:
            count: weights that have been averaged, with the newest
        """


@register("average", "ema")
class Ema(Average):
    """Exponential moving average of the weights: those of the last 1 / (1 - decay) steps count most.

        average = decay · average + (1 - decay) · weights        after every step

    With bias correction it is the weighted mean of the weights since the first step; without, the initial weights
    count too, and for long.  Running statistics of batch normalization are averaged in the same way.

    Parameters:
        decay: share of the average that a step leaves
        bias_correction: divide by the sum of the shares given so far, 1 - decay^t

    Example:
        >>> [round(Ema(0.9).share(count), 3) for count in (1, 2, 1000)]
        [1.0, 0.526, 0.1]
        >>> Ema(0.9, bias_correction=False).share(1) == 1 - 0.9
        True

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992; Tarvainen and Valpola,
        Mean teachers are better role models, 2017.
    """

    def __init__(self, decay: Rate = 0.999, bias_correction: bool = True) -> None:
        self.decay, self.bias_correction = decay, bias_correction

    def due(self, step: int, steps_per_epoch: int) -> bool:
        """After every step."""
        return True

    def share(self, count: int) -> float:
        """1 - decay, or (1 - decay) / (1 - decay^t)."""
        return (1 - self.decay) / (1 - self.decay**count if self.bias_correction else 1)


@register("average", "swa")
class Swa(Average):
    """Stochastic weight averaging: the plain mean of the weights at the ends of the last epochs.

        average = 1/n · (weights after epoch start + … + weights after the last one)

    Until epoch `start` has ended, the weights themselves are evaluated.  Running statistics of batch normalization
    are averaged like the weights.  It works best with a learning rate that stays rather high.

    Parameters:
        start: the first epoch, from 1, whose end counts

    Example:
        >>> rule = Swa(start=3)
        >>> [step for step in range(50) if rule.due(step, steps_per_epoch=10)]
        [29, 39, 49]
        >>> [rule.share(count) for count in (1, 2, 4)]
        [1.0, 0.5, 0.25]

    Source: Izmailov et al., Averaging weights leads to wider optima and better generalization, 2018.
    """

    def __init__(self, start: PositiveInt = 1) -> None:
        self.start = start

    def due(self, step: int, steps_per_epoch: int) -> bool:
        """At the end of an epoch, from the first one that counts."""
        return (step + 1) % steps_per_epoch == 0 and (step + 1) // steps_per_epoch >= self.start

    def share(self, count: int) -> float:
        """1/n."""
        return 1 / count


class Averaging:
    """The average of a model's parameters and running statistics.

    Parameters:
        rule: what belongs to it, and how much that counts
        graph: the model that is trained
        kernels: chooser of an implementation, see `dltrain.kernels.select`

    Example:
        >>> from dltrain import build_model
        >>> from dltrain.kernels import select
        >>> model = build_model({"graph": {"y": [{"dense": 1}]}}, {"x": (1,)})
        >>> average, bias = Averaging(Swa(), model, select("reference")), model.parameters["y.0.dense.bias"].value
        >>> for step, value in enumerate((1.0, 3.0)):
        ...     bias[:] = value
        ...     average.update(step, steps_per_epoch=1)
        >>> with average.applied():
        ...     print(bias)
        [2.]
        >>> print(bias)
        [3.]
    """

    def __init__(self, rule: Average, graph: Graph, kernels: Callable[[Array], Any]) -> None:
        self.rule, self.graph, self.kernels = rule, graph, kernels(graph.vector.value)
        self.count = 0  # weights that have been averaged
        self._averages: list[tuple[Array, Array]] = []  # each tensor of the model with its average
        for tensor in (graph.vector.value, *(statistic.value for statistic in graph.statistics.values())):
            self._averages.append((tensor, tensor.copy()))

    def update(self, step: int, steps_per_epoch: int) -> None:
        """Take in the weights after a step, where they belong to the average.

        Parameters:
            step: which, from 0
            steps_per_epoch: of the training
        """
        if self.rule.due(step, steps_per_epoch):
            self.count += 1
            share = self.rule.share(self.count)
            for tensor, average in self._averages:
                self.kernels.blend(average, tensor, share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averaged weights inside this context, once there are some; afterwards its own again."""
        if not self.count:
            yield
            return
        held = [tensor.copy() for tensor, _ in self._averages]
        for tensor, average in self._averages:
            tensor[...] = average
        self.graph.changed()
        try:
            yield
        finally:
            for (tensor, _), own in zip(self._averages, held, strict=True):
                tensor[...] = own
            self.graph.changed()

    def state(self) -> dict[str, Array]:
        """{path: averaged tensor}, like the graph's state; empty while nothing has been averaged."""
        if not self.count:
            return {}
        with self.applied():
            return self.graph.state()

    def load_state(self, state: Mapping[str, Array], count: int) -> None:
        """Go on from `state()`; where it is empty, from the weights that the model has now.

        Parameters:
            state: the averaged tensors
            count: how many weights have been averaged
        """
        own = self.graph.state()
        self.graph.load_state(state or own)
        for tensor, average in self._averages:
            average[...] = tensor
        self.graph.load_state(own)
        self.count = count


def mean_of(states: list[dict[str, Array]]) -> dict[str, Array]:
    """The mean of several states of one model, tensor by tensor, summed in float64.

    Parameters:
        states: {path: tensor}, all with the same paths and shapes

    Example:
        >>> mean_of([{"b": np.float32([1, 2])}, {"b": np.float32([3, 2])}])
        {'b': array([2., 2.], dtype=float32)}
    """
    first = states[0]
    return {
        path: np.mean([state[path] for state in states], axis=0, dtype=np.float64).astype(tensor.dtype)
        for path, tensor in first.items()
    }
