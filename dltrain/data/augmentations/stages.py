"""What is done to pictures in one go: one augmentation, or several that are joined to one pass over the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.places import Drawn, Places
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.examples import Array


class Seen(NamedTuple):
    """Pictures, and what lies in them.

    Parameters:
        x: (N, H, W, C)
        target: (N, …) their targets, or None
        drawn: which of these lie in the pictures
    """

    x: Array
    target: Array | None = None
    drawn: Sequence[Drawn] = ()

    def moved(self, places: Places, kernels: Any) -> Seen:
        """Both, read at other places."""
        target = self.target
        if target is not None:
            for some in self.drawn:
                target = some.follow(places, target, self.x.shape[1:3], kernels)
        return Seen(places.pictures(self.x, kernels), target, self.drawn)


class Stage(Protocol):
    """Some augmentations, each with its position in the list."""

    parts: list[tuple[int, Any]]

    def takes(self, step: Any) -> bool:
        """Whether one more augmentation of this kind fits in."""

    def __call__(self, seen: Seen, draws: Draws, statistics: Statistics, kernels: Any) -> Seen:
        """Pictures from pictures, which it may not write to."""


class Resampling:
    """Geometric augmentations, multiplied to one matrix a picture: it is interpolated once, however many they are.

    Parameters:
        position: of the first in the list
        step: the first
    """

    def __init__(self, position: int, step: Any) -> None:
        self.parts = [(position, step)]

    @property
    def border(self) -> str:
        """What lies beside the pictures: flips do not care."""
        return next((step.border for _, step in self.parts if step.border), "nearest")

    def takes(self, step: Any) -> bool:
        """Whether one more fits in: of the same border, and none after one that bends."""
        borders = {other.border for _, other in (*self.parts, (0, step)) if other.border}
        return len(borders) < 2 and not hasattr(self.parts[-1][1], "offsets")

    def matrices(self, draws: Draws, height: int, width: int) -> Array:
        """(N, 3, 3): from places (row, column, 1) of the new pictures to those of the old."""
        A = np.broadcast_to(np.eye(3), (len(draws), 3, 3))
        for position, step in self.parts:
            if not hasattr(step, "offsets"):
                A = A @ step.matrices(draws.branch(position), height, width)
        return A

    def __call__(self, seen: Seen, draws: Draws, statistics: Statistics, kernels: Any) -> Seen:
        """Pictures read anew."""
        _, H, W, _ = seen.x.shape
        position, last = self.parts[-1]
        bends, offsets = getattr(last, "offsets", None), None
        if bends is not None:
            offsets = bends(draws.branch(position), H, W, kernels, seen.x.dtype)
        return seen.moved(Places(self.matrices(draws, H, W), offsets, self.border), kernels)


class Recolouring:
    """Augmentations of colours, joined to one matrix and one move of a picture's channels; they are cut to 0 … 1 once.

    Parameters:
        position: of the first in the list
        step: the first
    """

    def __init__(self, position: int, step: Any) -> None:
        self.parts = [(position, step)]

    def takes(self, step: Any) -> bool:
        """Any number."""
        return True

    def __call__(self, seen: Seen, draws: Draws, statistics: Statistics, kernels: Any) -> Seen:
        """Pictures of other colours."""
        x = seen.x
        low, span, means = statistics.low, statistics.span, statistics.means(x)
        A, b = np.broadcast_to(np.eye(len(low)), (len(x), len(low), len(low))), np.zeros_like(means)
        for position, step in self.parts:
            M, move = step.colours(draws.branch(position), means, statistics)
            A, b, means = M @ A, applied(M, b) + move, applied(M, means) + move
        A = A * (span[:, None] / span)  # from colours to values
        b = low + span * b - applied(A, low)
        return seen._replace(x=kernels.recolour(x, A, b, low, low + span, np.empty_like(x)))


def applied(A: Array, colours: Array) -> Array:
    """A_n x_n for matrices (N, C, C) and colours (N, C) or (C,)."""
    return np.asarray((A @ colours[..., None])[..., 0])


class Change:
    """One augmentation that does something else to pixels.

    Parameters:
        position: in the list
        step: the augmentation
    """

    def __init__(self, position: int, step: Any) -> None:
        self.parts = [(position, step)]

    def takes(self, step: Any) -> bool:
        """Each is for itself."""
        return False

    def __call__(self, seen: Seen, draws: Draws, statistics: Statistics, kernels: Any) -> Seen:
        """Pictures changed."""
        [(position, step)] = self.parts
        return seen._replace(x=step.change(seen.x, draws.branch(position), statistics, kernels))


STAGES: dict[str, Any] = {"places": Resampling, "colours": Recolouring, "pixels": Change}


def add(stages: list[Stage], position: int, step: Any) -> None:
    """Join an augmentation to the last stage, or begin another."""
    kind = STAGES[step.acts_on]
    if stages and isinstance(stages[-1], kind) and stages[-1].takes(step):
        stages[-1].parts.append((position, step))
    else:
        stages.append(kind(position, step))
