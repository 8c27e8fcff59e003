"""All parameters of a graph in one flat vector of values and one of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import ConfigError, Problem
from dltrain.initializers import Misfit
from dltrain.layers.base import Array, Parameter
from dltrain.model.memory import LINE, aligned_zeros
from dltrain.registry import create
from dltrain.seeds import generator, name_key

if TYPE_CHECKING:
    from dltrain.model.plan import NodeSpec


class ParameterVector:
    """Values and gradients of many parameters as two flat vectors, of which each parameter holds views.

    The parameters that decay (kernels) come first, so that a penalty or a decay is one pass over one slice.
    Each starts on a cache line; the gaps between them are zeros and stay zeros under every optimizer.

    Parameters:
        parameters: {path: parameter}
        dtype: of values and gradients
    """

    def __init__(self, parameters: Mapping[str, Parameter], dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        step = LINE // self.dtype.itemsize
        order = sorted(parameters.items(), key=lambda item: not item[1].decays)
        self.slices: dict[str, slice] = {}
        end = decayed = 0
        for path, parameter in order:
            self.slices[path] = slice(end, end + parameter.size)
            end += -(-parameter.size // step) * step
            decayed = end if parameter.decays else decayed
        self.size = end
        self.decayed = slice(0, decayed)
        self.value, self.grad = aligned_zeros((end,), dtype), aligned_zeros((end,), dtype)
        for path, parameter in order:
            parameter.value = self.value[self.slices[path]].reshape(parameter.shape)
            parameter.grad = self.grad[self.slices[path]].reshape(parameter.shape)

    def zeros(self, size: int) -> Array:
        """A vector of this size, for an optimizer's slot."""
        return aligned_zeros((size,), self.dtype)

    def fill(self, parameters: Mapping[str, Parameter], seed: int, specs: Sequence[NodeSpec]) -> None:
        """Initialise every parameter from a random stream of its own, derived from the seed and its path.

        Parameters:
            parameters: {path: parameter}
            seed: of the model
            specs: the nodes, for the place of an initializer that does not fit

        Raises:
            ConfigError: when an initializer cannot fill the shape of its parameter.
        """
        for path, parameter in parameters.items():
            rng = generator(seed, "initial", name_key(path))
            try:
                create("initializer", parameter.initializer).fill(parameter.value, parameter.fans, rng)
            except Misfit as error:
                spec = next(spec for spec in specs if path.rpartition(".")[0] == spec.path)
                place = spec.place(f"{parameter.name}_initializer")
                problem = Problem(place, f"{path}: {error.what}", error.expected, error.got, error.hint)
                raise ConfigError([problem]) from None
