"""A model that runs: nodes in order, forward, and backward by the closures that forward left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import DataError, UsageError
from dltrain.layers.base import Array, Backward, Parameter, Shape, Statistic
from dltrain.model.budget import check_parameters
from dltrain.model.fusion import FUSIONS, Fusion, fuse
from dltrain.model.mode import Mode
from dltrain.model.nodes import Node, build_nodes, collect, look_around
from dltrain.model.parameters import ParameterVector

if TYPE_CHECKING:
    from dltrain.model.plan import Plan

AGAIN = "call forward again"
GraphBackward = Callable[..., dict[str, Array]]  # ({wire: gradient}, wires=()) -> {input: gradient}, and those wires'


class Graph:
    """A model: parameters, forward and backward.

    Parameters:
        plan: nodes and wires, from `notation.parse_model`
        shapes: {input wire: shape without the batch axis}
        dtype: of parameters and computation
        seed: of the initial parameters and of dropout
        fusions: which neighbours are replaced by a fused layer; [] runs every layer by itself

    Raises:
        ConfigError: when a layer cannot take its input's shape.

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"inputs": {"x": [4]}, "graph": {"y": [{"dense": 3}, "tanh"]}})
        >>> outputs, backward = model.forward({"x": np.ones((2, 4), "float32")})
        >>> outputs["y"].shape, backward({"y": np.ones((2, 3), "float32")})["x"].shape
        ((2, 3), (2, 4))
    """

    def __init__(
        self,
        plan: Plan,
        shapes: Mapping[str, Shape],
        dtype: Any = "float32",
        seed: int = 0,
        fusions: Sequence[Fusion] = FUSIONS,
    ) -> None:
        self.plan, self.dtype, self.seed = plan, np.dtype(dtype), seed
        self.inputs = {wire: tuple(shape) for wire, shape in shapes.items()}
        self.plan_nodes = build_nodes(plan, self.inputs)
        known = {node.path: node.shape for node in self.plan_nodes} | self.inputs
        self.wires = {wire: known[path] for wire, path in plan.wires.items()}
        self.outputs = tuple(plan.outputs)
        self.paths = dict(plan.wires)
        self.parameters = collect(self.plan_nodes, plan.nodes, "parameters")
        self.statistics: dict[str, Statistic] = collect(self.plan_nodes, plan.nodes, "statistics")
        self._version = [0]
        self._calls = 0
        check_parameters(self.parameters, plan.nodes, self.dtype.itemsize)
        self.vector = ParameterVector(self.parameters, self.dtype)
        self.vector.fill(self.parameters, seed, plan.nodes)
        for parameter in self.parameters.values():
            parameter.version = self._version
        for statistic in self.statistics.values():
            statistic.value = np.full(statistic.shape, statistic.fill, self.dtype)
        self.fusions = tuple(fusions)
        self.nodes = fuse(self.plan_nodes, set(plan.wires.values()), fusions)
        self._look_around()
        self._list = list(self.parameters.values())
        self._needed: dict[tuple[str, ...], list[Node]] = {}  # nodes that some wires need

    def forward(
        self,
        inputs: Mapping[str, Array],
        train: bool = False,
        mode: Mode | None = None,
        wires: Iterable[str] | None = None,
    ) -> tuple[dict[str, Array], GraphBackward]:
        """Compute the outputs, and a function from their gradients to the inputs'.

        The backward pass adds to the gradients of the parameters until `zero_grad` is called; it may be run once.
        It takes {wire: gradient} for any wires, inner ones too, and returns {input: gradient}; with `wires=[wire]` the
        gradients that arrive at these inner wires as well.

        Parameters:
            inputs: {input wire: array (N, …)}
            train: dropout drops and batch norm uses the batch; ignored when a mode is given
            mode: memory, kernels, seed …; without one, arrays are the caller's to keep
            wires: which wires to return; default the model's outputs; without a backward pass nothing else is computed
        """
        if mode is None:
            mode = Mode(train, seed=self.seed)
            mode.begin(self._calls)  # every call drops other units
            self._calls += 1
            self.check_inputs(inputs)
            inputs = {wire: self._cast(wire, array) for wire, array in inputs.items()}
        wanted = self.outputs if wires is None else tuple(wires)
        self._check_wires(wanted)
        keep = {self.paths[wire] for wire in wanted}
        values: dict[str, Array] = dict(inputs)
        backwards: list[Backward] = []
        back: Any = None
        for node in self.nodes if mode.backward else self._before(wanted):
            mode.node = node
            values[node.path], back = node.layer.forward(mode, *[values[path] for path in node.inputs])
            if mode.backward:
                backwards.append(back)
            for path in node.drops:
                if path not in keep:
                    del values[path]
        del back
        outputs = {wire: values[self.paths[wire]] for wire in wanted}

        def backward(gradients: Mapping[str, Array], wires: Iterable[str] = ()) -> dict[str, Array]:
            return self._backward(backwards, gradients, wires, mode)

        return outputs, backward

    def _backward(
        self, backwards: list[Backward], gradients: Mapping[str, Array], wires: Iterable[str], mode: Mode
    ) -> dict[str, Array]:
        if len(backwards) != len(self.nodes):
            raise UsageError("this backward pass has been run", expected="one for each forward pass", hint=AGAIN)
        self._check_wires((*gradients, *wires))
        total: dict[str, Array] = {}
        inner = {self.paths[wire]: wire for wire in wires}
        found: dict[str, Array] = {}
        for wire, gradient in gradients.items():
            accumulate(total, self.paths[wire], np.asarray(gradient, self.dtype), mode)
        for node in reversed(self.nodes):
            back = backwards.pop()
            dy = total.pop(node.path, None)
            if dy is None:
                continue
            if node.path in inner:
                found[inner[node.path]] = dy
            mode.node = node
            dxs = back(dy)
            del back, dy
            if dxs is None:
                continue
            for path, dx in zip(node.inputs, dxs if type(dxs) is tuple else (dxs,), strict=True):
                if dx is not None:
                    accumulate(total, path, dx, mode)  # type: ignore[arg-type]
        for parameter in self._list:
            if parameter.fresh:  # nobody wrote it
                parameter.grad.fill(0)
                parameter.fresh = False
        return total | found

    def freeze(self, paths: Iterable[str]) -> None:
        """Say which parameters are not trained; all others are.

        Layers below the first one that is trained get no gradient, and spend no time on it.

        Parameters:
            paths: of the frozen parameters
        """
        frozen = set(paths)
        for path, parameter in self.parameters.items():
            parameter.trainable = path not in frozen
        self._look_around()

    def _before(self, wires: tuple[str, ...]) -> list[Node]:
        """The nodes that some wires need, in their order."""
        if wires not in self._needed:
            paths, found = {self.paths[wire] for wire in wires}, []
            for node in reversed(self.nodes):
                if node.path in paths:
                    paths.update(node.inputs)
                    found.append(node)
            self._needed[wires] = found[::-1]
        return self._needed[wires]

    def part(self, nodes: Sequence[Node], inputs: Mapping[str, Shape], wires: Mapping[str, str] | None = None) -> Graph:
        """Some nodes of this very model, with its parameters: a graph that begins or ends at an inner value.

        Parameters:
            nodes: of this graph, in its order
            inputs: {path of a value that they read: its shape}
            wires: {wire: path} of what it computes; default: all wires and the outputs of the model
        """
        other = copy(self)
        other.nodes, other.inputs, other._needed = list(nodes), dict(inputs), {}
        if wires is not None:
            other.paths, other.outputs = dict(wires), tuple(wires)
        other._look_around()
        return other

    def _look_around(self) -> None:
        for node in self.nodes:
            node.dtype = self.dtype
        look_around(self.nodes, self.inputs, {self.paths[wire] for wire in self.outputs})

    def zero_grad(self) -> None:
        """The next backward pass starts the gradients anew."""
        for parameter in self._list:
            parameter.fresh = True

    def changed(self) -> None:
        """Say that parameter values were modified, so that forms derived from them are made again."""
        self._version[0] += 1

    def state(self) -> dict[str, Array]:
        """Copies of all parameters and statistics, {path: array}."""
        return {path: tensor.value.copy() for path, tensor in self._tensors().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take values from `state`, which must hold every tensor in its shape and nothing else.

        Raises:
            DataError: with the list of what is missing, too many or of another shape.
        """
        tensors = self._tensors()
        wrong = [f"{path} is missing" for path in tensors if path not in state]
        wrong += [f"{path} is not in the model" for path in state if path not in tensors]
        wrong += [
            f"{path} has shape {np.shape(state[path])}, the model's is {tensor.shape}"
            for path, tensor in tensors.items()
            if path in state and np.shape(state[path]) != tensor.shape
        ]
        if wrong:
            raise DataError("these tensors are not those of the model: " + ", ".join(wrong))
        for path, tensor in tensors.items():
            tensor.value[...] = state[path]
        self.changed()

    def astype(self, dtype: Any, fusions: Sequence[Fusion] | None = None) -> Graph:
        """The same model, with the same values, in another type of number; with its own fusions, or others."""
        other = Graph(self.plan, self.inputs, dtype, self.seed, self.fusions if fusions is None else fusions)
        other.load_state(self.state())
        return other

    def check_inputs(self, inputs: Mapping[str, Array]) -> None:
        """Raise a UsageError unless there is one array of the right shape for each input."""
        if set(inputs) != set(self.inputs):
            expected, got = ", ".join(self.inputs), ", ".join(map(str, inputs)) or "none"
            raise UsageError("forward takes one array for each input of the model", expected=expected, got=got)
        for wire, array in inputs.items():
            if np.shape(array)[1:] != self.inputs[wire]:
                expected = f"shape (N, {', '.join(map(str, self.inputs[wire]))})"
                raise UsageError("wrong shape", where=f"input {wire}", expected=expected, got=str(np.shape(array)))
        if len({len(array) for array in inputs.values()}) > 1:
            sizes = ", ".join(f"{wire}: {len(array)}" for wire, array in inputs.items())
            raise UsageError("the inputs' batches differ in size", expected="one N for all", got=sizes)

    def _check_wires(self, names: Iterable[str]) -> None:
        """Raise a UsageError for a name that is no wire."""
        for name in names:
            if name not in self.paths:
                raise UsageError("the model has no such wire", expected=", ".join(self.paths), got=repr(name))

    def _cast(self, wire: str, array: Any) -> Array:
        """An input in the graph's type of number; whole numbers stay for the layers that take them."""
        array = np.asarray(array)
        tokens = any(wire in node.inputs and node.layer.takes_integers for node in self.nodes)
        return array if tokens and array.dtype.kind in "iu" else array.astype(self.dtype, copy=False)

    def _tensors(self) -> dict[str, Parameter | Statistic]:
        return {**self.parameters, **self.statistics}


def accumulate(total: dict[str, Array], path: str, gradient: Array, mode: Mode) -> None:
    """Add a gradient where a wire branches; never in place, since gradients may be shared."""
    if path in total:
        both = (total[path], gradient)
        total[path] = mode.kernels(gradient).add(both, mode.like(gradient))
    else:
        total[path] = gradient
