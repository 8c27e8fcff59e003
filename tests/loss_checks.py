"""What every loss promises, one function for each promise, as `checks.py` does for layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cases import Loss
from checks import ALL, extremes

from dltrain.kernels import select
from dltrain.layers.base import Array
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.comparison import Comparison


class Surface:
    """A loss as a function of its outputs.

    Parameters:
        case: the loss
        outputs: (N, …); a random batch by default
        size: N
        dtype: of the outputs
        kernels: which implementation
    """

    def __init__(
        self,
        case: Loss,
        outputs: Array | None = None,
        size: int = 5,
        dtype: Any = np.float64,
        kernels: str = "reference",
    ) -> None:
        self.case, self.kernels, rng = case, kernels, np.random.default_rng(3)
        z = rng.standard_normal((size, *case.shape)) if outputs is None else outputs
        self.variables = {"z": z.astype(dtype)}
        shape, real = z.shape, np.empty(0, dtype).real.dtype
        draw = {
            "labels": lambda: rng.integers(0, case.shape[0], len(z)),
            "binary": lambda: rng.integers(0, 2, shape).astype(real),
            "tags": lambda: rng.integers(0, shape[2], (len(z), shape[1] - shape[2] - 2)),
            "values": lambda: np.random.default_rng(5).standard_normal(shape).astype(real),
        }
        self.targets = draw[case.targets]()
        self.weights: Array | None = None
        self.loss, self.mode = create("loss", case.spec), Mode(True, kernels=select(kernels))

    def both(self) -> tuple[Any, Array]:
        """Value and gradient."""
        value, gradient = self.loss.forward(self.variables["z"], self.targets, self.mode, self.weights)
        return value, gradient.copy()

    def value(self) -> Any:
        """The reported value."""
        return self.both()[0]

    def gradient(self) -> dict[str, Array]:
        """In the outputs."""
        return {"z": self.both()[1]}

    def astype(self, dtype: Any) -> Surface:
        """The same batch in another type of number."""
        other = Surface(self.case, self.variables["z"], dtype=dtype, kernels=self.kernels)
        other.targets, other.weights = self.targets, self.weights
        return other


def value_is_what_is_differentiated(case: Loss) -> None:
    """The gradient is that of the value that is reported: complex step < 1e-10, central differences < 1e-8."""
    for size in (1, 5):
        assert Comparison(Surface(case, size=size), "complex", ALL, 0).tensor("z").error < 1e-10
        assert Comparison(Surface(case, size=size), "central", ALL, 0).tensor("z").error < 1e-8


def mean_over_the_batch(case: Loss) -> None:
    """Micro-batches of one size have the mean value and, divided by their number, the gradient of the batch."""
    whole = Surface(case, size=12)
    value, gradient = whole.both()
    parts = []
    for rows in np.split(np.arange(12), 3):
        part = Surface(case, whole.variables["z"][rows])
        part.targets = whole.targets[rows]
        parts.append(part.both())
    assert np.isclose(value, np.mean([v for v, _ in parts]), rtol=1e-13)
    np.testing.assert_allclose(gradient, np.concatenate([d for _, d in parts]) / 3, rtol=1e-12)


def weights_are_those_of_a_weighted_mean(case: Loss) -> None:
    """Weights 1 change nothing, whole ones are repetitions, 0 takes a sample out, and the gradient is the value's."""
    surface = Surface(case, size=6)
    counts = np.array([1, 2, 0, 1, 3, 1])
    value, gradient = surface.both()
    surface.weights = np.ones(6)
    same = surface.both()
    assert np.isclose(same[0], value, rtol=1e-13)
    np.testing.assert_allclose(same[1], gradient, rtol=1e-12, atol=1e-16)
    surface.weights = counts.astype(np.float64)
    weighted, slope = surface.both()
    for method, bound in (("complex", 1e-10), ("central", 1e-8)):
        assert Comparison(surface, method, ALL, 0).tensor("z").error < bound
    repeated = Surface(case, np.repeat(surface.variables["z"], counts, axis=0))
    repeated.targets = np.repeat(surface.targets, counts, axis=0)
    again = repeated.both()
    assert np.isclose(again[0], weighted, rtol=1e-12)
    first = np.cumsum(counts) - counts
    for row in np.flatnonzero(counts):
        np.testing.assert_allclose(slope[row], counts[row] * again[1][first[row]], rtol=1e-11, atol=1e-15)
    assert not slope[counts == 0].any()
    surface.weights = np.zeros(6)
    nothing = surface.both()
    assert nothing[0] == 0 and not nothing[1].any()


def extremes_stay_finite(case: Loss) -> None:
    """40 extreme outputs give a finite value and gradient, without a warning."""
    for dtype, kernels in ((np.float64, "reference"), (np.float32, "reference"), (np.float32, "auto")):
        for z in extremes((4, *case.shape)):
            with np.errstate(under="ignore"):
                surface = Surface(case, z.astype(dtype), dtype=dtype, kernels=kernels)
            value, gradient = surface.both()
            assert np.isfinite(value) and np.isfinite(gradient).all(), z


def dtype_and_inputs_are_kept(case: Loss) -> None:
    """The value is a number, the gradient of the outputs' type and shape, and nothing given is written to."""
    for dtype, kernels in ((np.float64, "reference"), (np.float32, "reference"), (np.float32, "auto")):
        surface = Surface(case, dtype=dtype, kernels=kernels)
        z = surface.variables["z"]
        given = z.tobytes(), surface.targets.tobytes()
        if kernels == "reference":
            z.flags.writeable = surface.targets.flags.writeable = False
        value, gradient = surface.both()
        assert isinstance(value, float) and gradient.dtype == dtype and gradient.shape == z.shape
        assert (z.tobytes(), surface.targets.tobytes()) == given


def compiled_agrees(case: Loss) -> None:
    """The compiled kernel gives what the reference gives, but for rounding."""
    for size in (1, 3, 40):
        plain, fast = (
            Surface(case, size=size, dtype=np.float32, kernels=name).both() for name in ("reference", "auto")
        )
        assert np.isclose(plain[0], fast[0], rtol=1e-5)
        np.testing.assert_allclose(plain[1], fast[1], rtol=1e-4, atol=1e-7)


LOSS_CHECKS: list[Callable[[Loss], None]] = [
    value_is_what_is_differentiated,
    mean_over_the_batch,
    weights_are_those_of_a_weighted_mean,
    extremes_stay_finite,
    dtype_and_inputs_are_kept,
    compiled_agrees,
]
