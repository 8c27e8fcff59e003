"""All augmentations of a run, one after the other, applied to its training batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.places import Drawn
from dltrain.data.augmentations.stages import Seen, Stage, add
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.examples import Array
from dltrain.errors import ConfigError, Problem
from dltrain.kernels import namespace
from dltrain.registry import create, parse

PATH = ("data", "augment")


class Augmented(NamedTuple):
    """Training pictures as they might have been taken too.

    Parameters:
        x: (n, H, W, C)
        target: (n, …) their targets, moved along where they lie in the pictures
        share: (n,) of the first pictures where two are mixed, else None
        rows: (n,) in the training part, the others they are mixed with, or None
    """

    x: Array
    target: Array | None = None
    share: Array | None = None
    rows: Array | None = None


class Augmenter:
    """Augmentations of the training pictures of a run, in their order.

    Parameters:
        specs: the augmentations
        x: (N, H, W, C) the training pictures, prepared
        seed: of the run
        drawn: targets that lie in the pictures

    Raises:
        ConfigError: when the features are no pictures, or do not have the channels an augmentation needs, or targets
            that lie in them cannot follow.

    Example:
        >>> x = np.arange(12.0).reshape(2, 2, 3, 1)
        >>> found = Augmenter([{"horizontal_flip": 1.0}], x, 0)(x, 0, np.arange(2))
        >>> found.x[0, ..., 0].tolist(), found.share is None
        ([[2.0, 1.0, 0.0], [5.0, 4.0, 3.0]], True)
    """

    def __init__(self, specs: Sequence[Any], x: Array, seed: int, drawn: Sequence[Drawn] = ()) -> None:
        self.x, self.seed, self.statistics, self.drawn = x, seed, Statistics(x), drawn
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
        self.check_drawn(step, at, name)

    def check_drawn(self, step: Any, at: tuple[str | int, ...], name: str) -> None:
        """Raise a ConfigError when targets that lie in the pictures cannot follow an augmentation."""
        if self.drawn and step.acts_on == "pairs":
            what, expected = f"{self.drawn[0].kind} are not mixed as pictures are", "flips, rotation, colours, …"
            raise ConfigError([Problem(at, what, expected, name, "leave it out")])
        strict = any(some.kind == "masks" and not some.ignorable for some in self.drawn)
        if strict and getattr(step, "border", None) == "zero":
            what, expected = "pixels come in from beside the picture that have no class", "border reflect or nearest"
            hint = "or leave such pixels out of loss and metrics: `task: {segmentation: {ignore_label: 255}}`"
            raise ConfigError([Problem(at, what, expected, "border zero", hint)])

    def __call__(
        self,
        x: Array,
        epoch: int,
        places: Array,
        kernels: Any = None,
        order: Array | None = None,
        target: Array | None = None,
    ) -> Augmented:
        """Augmented pictures and what belongs to them.

        Parameters:
            x: (n, H, W, C) prepared pictures
            epoch: of the batch
            places: (n,) their places in the epoch
            kernels: an implementation; None: the reference
            order: rows of the training part that the epoch sees, from which the others are drawn; None: each once
            target: (n, …) of the pictures
        """
        kernels = kernels or namespace("reference")
        draws = Draws.at(self.seed, "augment", epoch, places)
        found, target, _ = self.run(self.before, Seen(x, target, self.drawn), draws, kernels)
        if self.mixing is None:
            return Augmented(found, target)
        position, step = self.mixing
        own = draws.branch(position)
        rows = np.floor(own.uniform() * len(self.x if order is None else order)).astype(np.int64)
        rows = rows if order is None else order[rows]
        others = self.run(self.before, Seen(self.x[rows]), Draws.at(self.seed, "mix", epoch, places), kernels)
        found, share = step.mix(found, others.x, own)
        return Augmented(self.run(self.after, Seen(found), draws, kernels).x, target, share, rows)

    def run(self, stages: Sequence[Stage], seen: Seen, draws: Draws, kernels: Any) -> Seen:
        """Pictures after some stages."""
        for stage in stages:
            seen = stage(seen, draws, self.statistics, kernels)
        return seen
