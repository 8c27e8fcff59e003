"""Memory is counted from shapes before it is asked for: too much is refused with the figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from dltrain.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dltrain.layers.base import Parameter
    from dltrain.model.notation import NodeSpec


def available() -> int:
    """Bytes of memory that this machine can still give, as far as it tells."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def size_of(count: int) -> str:
    """Bytes in words.

    Example:
        >>> size_of(3 << 30), size_of(60_000)
        ('3.0 GiB', '0.1 MiB')
    """
    unit, name = (1 << 30, "GiB") if count >= 1 << 30 else (1 << 20, "MiB")
    return f"{count / unit:,.1f} {name}"


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
