"""Examples drawn from a formula: regression with known coefficients, logic gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.synthetic import Samples
from dltrain.registry import register
from dltrain.seeds import generator
from dltrain.types import NonNegativeFloat, NonNegativeInt, PositiveInt


@register("source", "linear_regression")
class LinearRegression:
    """A linear function of normal features, with noise:  y = x w + bias + noise.

    Parameters:
        samples: number of examples
        features: number of features; left out: as many as `weights`, or 1
        weights: w, a number for each feature; left out: drawn from a normal distribution
        bias: what is added
        noise: standard deviation of the noise
        seed: of the examples; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = LinearRegression(samples=8, weights=[2.0, -1.0], bias=3.0, noise=0).load(DataFolders())
        >>> bool(np.allclose(pool.columns["x"] @ [2, -1] + 3, pool.columns["y"]))
        True

    Source: T. Hastie, R. Tibshirani, J. Friedman: The elements of statistical learning, 2009, chapter 3.
    """

    def __init__(
        self,
        samples: Samples = 1000,
        features: PositiveInt | None = None,
        weights: list[float] | None = None,
        bias: float = 0.0,
        noise: NonNegativeFloat = 0.1,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.features, self.weights = samples, features, weights
        self.bias, self.noise, self.seed = bias, noise, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, features), y (samples,).

        Raises:
            DataError: when `weights` are not as many as the features.
        """
        count = self.features or len(self.weights or [0.0])
        if self.weights is not None and len(self.weights) != count:
            expected, got = f"{count} weights, one for each feature", str(len(self.weights))
            what = "weights and features differ in number"
            error = SettingError(what, where="linear_regression", expected=expected, got=got)
            raise error.about(self.weights, "weights")
        draw = generator(self.seed, "linear_regression")
        w = draw.standard_normal(count) if self.weights is None else np.array(self.weights, np.float64)
        x = draw.standard_normal((self.samples, count))
        y = x @ w + self.bias + self.noise * draw.standard_normal(self.samples)
        return Pool({"x": x, "y": y}, "linear_regression", feature_names=[f"x{k + 1}" for k in range(count)])


@register("source", "polynomial_regression")
class PolynomialRegression:
    """A polynomial of one feature, with noise:  y = c₀ + c₁ x + c₂ x² + … + noise.

    Parameters:
        samples: number of examples
        coefficients: c₀, c₁, …
        low: the smallest x; they are drawn evenly
        high: the largest x
        noise: standard deviation of the noise
        seed: of the examples; they are the same in every run, whatever the run's seed

    Example:
        >>> pool = PolynomialRegression(8, [1.0, 0.0, 2.0], noise=0).load(DataFolders())
        >>> bool(np.allclose(1 + 2 * pool.columns["x"][:, 0] ** 2, pool.columns["y"]))
        True

    Source: C. Bishop: Pattern recognition and machine learning, 2006, section 1.1.
    """

    def __init__(
        self,
        samples: Samples = 200,
        coefficients: list[float] = [0.0, -1.0, 0.0, 1.0],  # noqa: B006
        low: float = -2.0,
        high: float = 2.0,
        noise: NonNegativeFloat = 0.1,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.samples, self.coefficients, self.low, self.high = samples, coefficients, low, high
        self.noise, self.seed = noise, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, 1), y (samples,).

        Raises:
            DataError: when there is no coefficient, or no range.
        """
        where = "polynomial_regression"
        if not self.coefficients:
            error = SettingError("there are no coefficients", where=where, expected="at least one number", got="[]")
            raise error.about(self.coefficients, "coefficients")
        if self.high <= self.low:
            got = f"{self.low:g} to {self.high:g}"
            error = SettingError("this range is empty", where=where, expected="low below high", got=got)
            raise error.about(self.high, "high")
        draw = generator(self.seed, "polynomial_regression")
        x = draw.uniform(self.low, self.high, (self.samples, 1))
        y = np.polynomial.polynomial.polyval(x[:, 0], self.coefficients)
        y = y + self.noise * draw.standard_normal(self.samples)
        return Pool({"x": x, "y": y}, "polynomial_regression", feature_names=["x"])


# what a gate says of the number of inputs that are 1
GATES: dict[str, Callable[[Array, int], Any]] = {
    "and": lambda ones, inputs: ones == inputs,
    "or": lambda ones, inputs: ones > 0,
    "nand": lambda ones, inputs: ones < inputs,
    "nor": lambda ones, inputs: ones == 0,
    "xor": lambda ones, inputs: ones % 2 == 1,
    "xnor": lambda ones, inputs: ones % 2 == 0,
}


@register("source", "logic")
class Logic:
    """The truth table of a logic gate; `xor` of several inputs is their parity.

    Parameters:
        gate: and, or, nand, nor, xor, xnor
        inputs: number of inputs
        samples: number of examples: the rows of the table again and again; left out: each once
        noise: standard deviation of what is added to each input
        seed: of the noise; it is the same in every run, whatever the run's seed

    Example:
        >>> pool = Logic("xor").load(DataFolders())
        >>> pool.columns["x"].tolist(), pool.columns["y"].tolist()
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])

    Source: M. Minsky, S. Papert: Perceptrons, 1969.
    """

    def __init__(
        self,
        gate: Literal["and", "or", "nand", "nor", "xor", "xnor"],
        inputs: Annotated[int, Ge(2), Le(16)] = 2,
        samples: PositiveInt | None = None,
        noise: NonNegativeFloat = 0.0,
        seed: NonNegativeInt = 0,
    ) -> None:
        self.gate, self.inputs, self.samples, self.noise, self.seed = gate, inputs, samples, noise, seed

    def load(self, folders: DataFolders) -> Pool:
        """x (samples, inputs), y (samples,)."""
        rows = np.arange(self.samples or 2**self.inputs) % 2**self.inputs
        bits = (rows[:, None] >> np.arange(self.inputs)[::-1]) & 1  # (samples, inputs)
        y = GATES[self.gate](bits.sum(axis=1), self.inputs).astype(np.int64)
        x = bits + self.noise * generator(self.seed, "logic").standard_normal(bits.shape)
        names = [f"x{k + 1}" for k in range(self.inputs)]
        return Pool({"x": x, "y": y}, f"logic {self.gate}", classes=["0", "1"], feature_names=names)
