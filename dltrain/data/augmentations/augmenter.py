"""All augmentations of a run, one after the other, applied to its training batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.stages import Stage, add
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.examples import Array
from dltrain.errors import ConfigError, Problem
from dltrain.kernels import namespace
from dltrain.registry import create, parse

PATH = ("data", "augment")


class Augmenter:
    """Augmentations of the training pictures of a run, in their order.

    Parameters:
        specs: the augmentations
        x: (N, H, W, C) the training pictures, prepared
        seed: of the run

    Raises:
        ConfigError: when the features are no pictures, or do not have the channels an augmentation needs.

    Example:
        >>> x = np.arange(12.0).reshape(2, 2, 3, 1)
        >>> found, share, others = Augmenter([{"horizontal_flip": 1.0}], x, 0)(x, 0, np.arange(2))
        >>> found[0, ..., 0].tolist(), share is None
        ([[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]], True)
    """

    def __init__(self, specs: Sequence[Any], x: Array, seed: int) -> None:
        self.x, self.seed, self.statistics = x, seed, Statistics(x)
        self.before: list[Stage] = []  # what is done to pictures before they are mixed, and to mixed ones
        self.after: list[Stage] = []
        self.mixing: tuple[int, Any] | None = None
        for position, spec in enumerate(specs):
            step = create("augmentation", spec)
            self.check(step, position, spec)
            if step.acts_on == "pairs":
                self.mixing = position, step
            else:
                add(self.before if self.mixing is None else self.after, position, step)

    def check(self, step: Any, position: int, spec: Any) -> None:
        """Raise a ConfigError when an augmentation does not suit the data, or those before it."""
        path, name = (*PATH, position), parse(spec, "augmentation")[0].name
        at = (*path, name) if isinstance(spec, dict) else path
        shape = self.x.shape[1:]
        if len(shape) != 3:
            what, expected, hint = "only pictures are augmented", "features of shape (H, W, C)", "leave it out"
            raise ConfigError([Problem(PATH, what, expected, str(shape), hint)])
        channels = getattr(step, "channels", shape[2])
        if shape[2] != channels:
            expected, got = f"pictures of {channels} channels", str(shape[2])
            raise ConfigError([Problem(at, f"{name} is for pictures with colours", expected, got, "leave it out")])
        if self.mixing is not None and step.acts_on == "pairs":
            what, hint = "pictures are mixed already", "leave mix_up or cut_mix out"
            raise ConfigError([Problem(at, what, "one of the two", name, hint)])

    def __call__(
        self, x: Array, epoch: int, places: Array, kernels: Any = None, order: Array | None = None
    ) -> tuple[Array, Array | None, Array | None]:
        """Augmented pictures, and where they are mixed the shares (n,) of the first and the rows (n,) of the others.

        Parameters:
            x: (n, H, W, C) prepared pictures
            epoch: of the batch
            places: (n,) their places in the epoch
            kernels: an implementation; None: the reference
            order: rows of the training part that the epoch sees, from which the others are drawn; None: each once
        """
        kernels = kernels or namespace("reference")
        draws = Draws.at(self.seed, "augment", epoch, places)
        found = self.run(self.before, x, draws, kernels)
        if self.mixing is None:
            return found, None, None
        position, step = self.mixing
        own = draws.branch(position)
        rows = np.floor(own.uniform() * len(self.x if order is None else order)).astype(np.int64)
        rows = rows if order is None else order[rows]
        others = self.run(self.before, self.x[rows], Draws.at(self.seed, "mix", epoch, places), kernels)
        found, share = step.mix(found, others, own)
        return self.run(self.after, found, draws, kernels), share, rows

    def run(self, stages: Sequence[Stage], x: Array, draws: Draws, kernels: Any) -> Array:
        """Pictures after some stages."""
        for stage in stages:
            x = stage(x, draws, self.statistics, kernels)
        return x
