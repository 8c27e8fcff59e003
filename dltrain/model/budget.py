"""Memory is counted from shapes before it is asked for: too much is refused with the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from dltrain.errors import ConfigError, Problem
from dltrain.machine import available, size_of

if TYPE_CHECKING:
    from dltrain.layers.base import Parameter
    from dltrain.model.notation import NodeSpec


def check_parameters(parameters: Mapping[str, Parameter], specs: Sequence[NodeSpec], itemsize: int) -> None:
    """Refuse a model whose parameters and gradients do not fit into the memory.

    Parameters:
        parameters: {path: parameter}, nothing of them allocated yet
        specs: the nodes, for the place of the largest
        itemsize: bytes of a number

    Raises:
        ConfigError: at the layer with the most parameters, with the figures.
    """
    needed = 2 * itemsize * sum(prod(parameter.shape) for parameter in parameters.values())
    there = available()
    if needed <= there:
        return
    path = max(parameters, key=lambda name: prod(parameters[name].shape))
    shape = " × ".join(f"{extent:,}" for extent in parameters[path].shape)
    place = next(spec.where for spec in specs if path.rpartition(".")[0] == spec.path)
    what = f"the model does not fit into the memory; its largest tensor is {path} with {shape} numbers"
    expected, got = f"at most {size_of(there)} for values and gradients", size_of(needed)
    raise ConfigError([Problem(place, what, expected, got, "make this layer or its input smaller")])
