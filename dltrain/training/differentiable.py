"""Functions whose gradient can be checked: the loss of a whole model, one layer at its place, the loss alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dltrain.kernels import select
from dltrain.layers.base import Array, Backward
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.seeds import generator, name_key
from dltrain.training.blur import Blur, Blurred
from dltrain.training.objective import Objective

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.model.graph import Graph
    from dltrain.model.nodes import Node

GARBAGE = 7.0  # what gradients hold before a backward pass that must overwrite them
JITTER = 1e-3
ROUNDINGS = 3  # how often rounding is tried


class Problem(Protocol):
    """A scalar function of some arrays that may be changed in place, with its gradient."""

    variables: dict[str, Array]

    def value(self) -> Any:
        """The function at the variables' present values."""

    def gradient(self) -> dict[str, Array]:
        """Its derivative in every variable, by the backward pass."""

    def astype(self, dtype: Any) -> Problem:
        """The same function of copies of the variables in another type of number."""


class LossOfModel:
    """The loss of a batch plus the penalties, as a function of all trained parameters and float inputs.

    Parameters:
        objective: graph, task and penalties; the graph is copied
        batch: the samples; copied too
        dtype: of the computation
        seed: of dropout masks
        kernels: which implementation computes
        arena: memory as in training, or None
    """

    def __init__(
        self,
        objective: Objective,
        batch: Batch,
        dtype: Any,
        seed: int,
        kernels: str = "reference",
        arena: Arena | None = None,
    ) -> None:
        self.graph = objective.graph.astype(dtype)
        self.objective = Objective(self.graph, objective.task, objective.regularizers)
        self.batch, self.seed = _cast(batch, np.dtype(dtype)), seed
        self.mode = Mode(True, kernels=select(kernels), arena=arena, seed=seed, update_statistics=False)
        self.parameters = {path: p for path, p in self.graph.parameters.items() if p.trainable}
        self.wires = [wire for wire, x in self.objective.task.inputs(self.batch).items() if x.dtype.kind in "fc"]
        self.variables = {path: p.value for path, p in self.parameters.items()}
        self.variables |= {f"inputs.{wire}": self.batch.inputs[wire] for wire in self.wires}

    def astype(self, dtype: Any, kernels: str = "reference", arena: Arena | None = None) -> LossOfModel:
        """A copy at the same point."""
        return LossOfModel(self.objective, self.batch, dtype, self.seed, kernels, arena)

    def value(self) -> Any:
        """Loss plus penalties, from the forward pass that training makes."""
        objective, graph = self.objective, self.graph
        graph.changed()
        self.mode.begin(0, len(self.batch.target))
        outputs, _ = graph.forward(objective.task.inputs(self.batch), mode=self.mode, wires=objective.task.wires)
        loss, _ = objective.task.loss(outputs, self.batch, self.mode)
        return loss + sum(penalty.add(graph.vector, self.mode.kernels) for penalty in objective.regularizers)

    def gradient(self) -> dict[str, Array]:
        """By the backward pass that training makes, over gradients that hold garbage."""
        self.spoil()
        self.mode.begin(0, len(self.batch.target))
        return self._copies(self.objective(self.batch, self.mode).input_gradients)

    def data_gradient(self, repeat: int = 1, interrupted: bool = False) -> dict[str, Array]:
        """Without the penalties.

        Parameters:
            repeat: how often; the gradients of the parameters add up, those of the inputs are of the last time
            interrupted: whether another forward pass comes between forward and backward
        """
        self.spoil()
        self.graph.zero_grad()
        inputs, task = self.objective.task.inputs(self.batch), self.objective.task
        other = {wire: 2 * x if x.dtype.kind in "fc" else x for wire, x in inputs.items()}
        for _ in range(repeat):
            outputs, backward = self.graph.forward(inputs, mode=self.mode, wires=task.wires)
            _, gradients = task.loss(outputs, self.batch, self.mode)
            if interrupted:
                self.graph.forward(other, mode=self.mode)
            found = backward(gradients)
        return self._copies(found)

    def penalty_gradient(self) -> dict[str, Array]:
        """Of the penalties alone, in every parameter."""
        self.graph.vector.grad[:] = 0
        for regularizer in self.objective.regularizers:
            regularizer.add(self.graph.vector, self.mode.kernels)
        return self._copies({})

    def scale(self) -> float:
        """How large gradients are, here or for gradients of ±1/N in the outputs.

        Where the true ones vanish, as at the end of a perfect training, the second one tells what rounding is.
        """
        inputs, wires = self.objective.task.inputs(self.batch), self.objective.task.wires
        outputs, backward = self.graph.forward(inputs, mode=self.mode, wires=wires)
        signs = generator(self.seed, "gradient check signs")
        self.graph.zero_grad()
        given = {wire: signs.choice([-1.0, 1.0], y.shape) / max(len(y), 1) for wire, y in outputs.items()}
        natural = self._copies(backward(given))
        return max((rms(g) for g in [*natural.values(), *self.gradient().values()]), default=0.0)

    def rounding(self, dtype: Any) -> dict[str, float]:
        """How far rounding may move each gradient: much where a model saturates or cancels.

        Measured by random changes, as small as rounding to `dtype`, of all inputs, outputs of layers and gradients
        between layers.
        """
        exact, size = self.gradient(), float(np.finfo(dtype).eps)
        others = [self._blurred_gradient(Blur(self.seed, draw, size)) for draw in range(ROUNDINGS)]
        return {path: max(rms(other[path] - gradient) for other in others) for path, gradient in exact.items()}

    def _blurred_gradient(self, blur: Blur) -> dict[str, Array]:
        kept = {wire: self.batch.inputs[wire].copy() for wire in self.wires}
        layers = [node.layer for node in self.graph.nodes]
        for x in (self.batch.inputs[wire] for wire in self.wires):
            blur(x)
        for node in self.graph.nodes:
            node.layer = Blurred(node.layer, blur)
        try:
            return self.gradient()
        finally:
            for node, layer in zip(self.graph.nodes, layers, strict=True):
                node.layer = layer
            for wire, x in kept.items():
                self.batch.inputs[wire][...] = x

    def layers(self, fused: bool = True) -> Iterator[LayerInPlace]:
        """Every node by itself, with its inputs as they arrive there; unfused if asked for."""
        graph = self.graph if fused else self.graph.astype(self.graph.dtype, ())
        values: dict[str, Array] = dict(self.objective.task.inputs(self.batch))
        for node in graph.nodes:
            place = LayerInPlace(graph, node, tuple(values[path] for path in node.inputs), self.seed)
            values[node.path] = place.forward()[0]
            yield place

    def loss_alone(self) -> LossAlone:
        """The loss of the outputs."""
        task = self.objective.task
        outputs, _ = self.graph.forward(task.inputs(self.batch), mode=self.mode, wires=task.wires)
        return LossAlone(self.objective, outputs, self.batch, self.mode)

    def jitter(self, seed: int, dtype: Any = np.float32) -> None:
        """Move a little aside in every variable, to values that `dtype` can hold.

        Inputs that are nowhere negative stay so.
        """
        for path, array in self.variables.items():
            noise = generator(seed, "gradient check point", name_key(path)).standard_normal(array.shape)
            if path not in self.parameters and array.size and array.min() >= 0:
                noise = np.abs(noise)
            array += JITTER * max(rms(array), 0.01) * noise
            array[...] = array.astype(dtype)
        self.graph.changed()

    def spoil(self) -> None:
        """Fill the gradients with garbage."""
        for parameter in self.graph.parameters.values():
            parameter.grad.fill(GARBAGE)

    def _copies(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        found = {path: parameter.grad.copy() for path, parameter in self.parameters.items()}
        for wire in self.wires:
            gradient = inputs.get(wire)
            shape = self.batch.inputs[wire].shape
            found[f"inputs.{wire}"] = np.zeros(shape) if gradient is None else gradient.reshape(shape).copy()
        return found


class LayerInPlace:
    """Σ y·c for the output y of one node, with its inputs as they arrive there and a random c.

    Parameters:
        graph: the model
        node: one of `graph.nodes`
        inputs: arrays that the node reads; copied
        seed: of c and of dropout masks
        training: as in training, or as in use
    """

    def __init__(self, graph: Graph, node: Node, inputs: tuple[Array, ...], seed: int, training: bool = True) -> None:
        self.graph, self.node, self.seed, self.training = graph, node, seed, training
        self.mode = Mode(training, kernels=select("reference"), seed=seed, update_statistics=False)
        self.inputs = tuple(_as(x, graph.dtype) for x in inputs)
        paths = {id(parameter): path for path, parameter in graph.parameters.items()}
        self.parameters = {paths[id(p)]: p for p in node.layer.parameters if p.trainable}
        self.variables = {path: p.value for path, p in self.parameters.items()}
        for position, x in enumerate(self.inputs):
            if x.dtype.kind in "fc":
                self.variables[f"{node.path}.input{position}"] = x

    def astype(self, dtype: Any) -> LayerInPlace:
        """The node of the same path in a copy of the graph."""
        graph = self.graph.astype(dtype)
        node = next(node for node in graph.nodes if node.path == self.node.path)
        return LayerInPlace(graph, node, self.inputs, self.seed, self.training)

    def scale(self) -> float:
        """How large its gradients are, here or for an average layer: c has the size 1."""
        return max(1.0, *map(rms, self.gradient().values()))

    def forward(self) -> tuple[Array, Backward, Array]:
        """y, its backward, and c."""
        self.mode.node = self.node
        self.graph.changed()
        y, backward = self.node.layer.forward(self.mode, *self.inputs)
        weights = generator(self.seed, "gradient check weights", self.node.key).standard_normal(y.shape)
        return y, backward, np.asarray(weights)

    def value(self) -> Any:
        """Σ y·c."""
        y, _, weights = self.forward()
        return (y * weights).sum()

    def gradient(self) -> dict[str, Array]:
        """By the node's backward, over gradients that hold garbage."""
        for parameter in self.parameters.values():
            parameter.grad.fill(GARBAGE)
            parameter.fresh = True
        _, backward, weights = self.forward()
        dxs: Any = backward(weights)
        found = {path: np.zeros(p.shape) if p.fresh else p.grad.copy() for path, p in self.parameters.items()}
        for position, dx in enumerate(dxs if type(dxs) is tuple else (dxs,)):
            path = f"{self.node.path}.input{position}"
            if path in self.variables:
                found[path] = np.zeros(self.inputs[position].shape) if dx is None else dx.copy()
        return found


class LossAlone:
    """The task's loss as a function of the model's outputs.

    Parameters:
        objective: for its task
        outputs: {wire: array}; copied
        batch: for the targets
        mode: reference kernels
    """

    def __init__(self, objective: Objective, outputs: Mapping[str, Array], batch: Batch, mode: Mode) -> None:
        self.objective, self.batch, self.mode = objective, batch, mode
        self.variables = {wire: y.copy() for wire, y in outputs.items()}

    def astype(self, dtype: Any) -> LossAlone:
        """A copy at the same point."""
        outputs = {wire: y.astype(dtype) for wire, y in self.variables.items()}
        return LossAlone(self.objective, outputs, self.batch, self.mode)

    def value(self) -> Any:
        """The loss."""
        return self.objective.task.loss(self.variables, self.batch, self.mode)[0]

    def gradient(self) -> dict[str, Array]:
        """In every output."""
        gradients = self.objective.task.loss(self.variables, self.batch, self.mode)[1]
        return {wire: gradients[wire].copy() for wire in self.variables}


def rms(array: Array) -> float:
    """Root of the mean square; 0 for nothing."""
    return float(np.sqrt(np.mean(np.square(np.abs(array), dtype=np.float64)))) if array.size else 0.0


def _cast(batch: Batch, dtype: np.dtype[Any]) -> Batch:
    """A copy whose inputs are of a type of number; targets stay real."""
    real = np.empty(0, dtype).real.dtype
    inputs = {wire: _as(x, dtype) for wire, x in batch.inputs.items()}
    cast = copy(batch)
    cast.inputs, cast.target = inputs, _as(batch.target, real)
    return cast


def _as(x: Array, dtype: Any) -> Array:
    return np.array(x, dtype if x.dtype.kind in "fc" else x.dtype)
