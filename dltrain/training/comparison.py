"""Compares the gradient of a function with numerical derivatives, tensor by tensor."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dltrain.layers.base import Array
from dltrain.seeds import generator, name_key
from dltrain.training.derivatives import Line, between_slopes, central_difference, complex_step
from dltrain.training.differentiable import Problem, rms

THRESHOLDS = {"complex": 1e-8, "central": 1e-6}  # right gradients stay below 1e-10 and 1e-8
FLOORS = {"complex": 1e-4, "central": 1e-3}  # share of the gradients' scale below which a difference is rounding
ROUNDING = 20  # times the measured effect of rounding is put up with
DIRECTIONS = 4  # each mixes all entries of a tensor, so that a fault in any one of them shows
DRAWS = 4  # how many kinks in a row are put up with


class Entry(NamedTuple):
    """One derivative that was looked at.

    Parameters:
        place: its index in the tensor; empty for a derivative along a random direction (and for a tensor without axes)
        analytic: what the backward pass says
        numeric: what the numerical derivative says
    """

    place: tuple[int, ...]
    analytic: float
    numeric: float


@dataclass(frozen=True)
class Tensor:
    """The finding for one parameter tensor or input.

    Parameters:
        path: of the parameter, or `inputs.wire`
        shape: its shape
        error: the largest relative error of its derivatives
        checked: how many single entries were compared; all of them have part in the directions besides
        method: complex, central, or none where nothing could be compared
        threshold: what the error may be
        passed: whether everything about it is within its bounds
        kinks: how many entries and directions were passed over because the loss has a kink there
        float32_error: relative error of the gradient that training computes; None where it was not compared
        worst: the derivative with the largest error
        note: what else is worth knowing
    """

    path: str
    shape: tuple[int, ...]
    error: float
    checked: int
    method: str
    threshold: float
    passed: bool
    kinks: int = 0
    float32_error: float | None = None
    worst: Entry | None = None
    note: str = ""


class Way(NamedTuple):
    """How a variable is moved: which one, which part of it, in which direction."""

    path: str
    place: Any
    direction: Any


class Comparison:
    """Compares derivatives along single entries and random directions of a function's variables.

    Parameters:
        problem: the function, in float64
        method: auto, complex or central
        entries: how many entries of a larger variable are drawn
        seed: of entries and directions
        scale: of the gradients; default that of the largest of them
        doubt: how far rounding may move the gradient of each variable, where it is known
    """

    def __init__(
        self,
        problem: Problem,
        method: str,
        entries: int,
        seed: int,
        scale: float | None = None,
        doubt: Mapping[str, float] | None = None,
    ) -> None:
        self.problem, self.method, self.entries, self.seed = problem, method, entries, seed
        self.gradients = problem.gradient()
        if scale is None:
            scale = max(map(rms, self.gradients.values()), default=0.0)
        level = abs(float(problem.value()))
        self.floors = {"complex": FLOORS["complex"] * scale, "central": FLOORS["central"] * max(scale, level)}
        self.doubt = doubt or {}
        self.dual = None if method == "central" else self._dual()

    def tensors(self, without: Container[str] = ()) -> dict[str, Tensor]:
        """The findings, by variable; those that are named are left out."""
        return {path: self.tensor(path) for path in self.gradients if path not in without}

    def tensor(self, path: str) -> Tensor:
        """The finding for one variable."""
        gradient = self.gradients[path]
        rng = generator(self.seed, "gradient check", name_key(path))
        method = "complex" if self._complex_is_right(path, rng) else "central"
        found, kinks = self._some_entries(path, method, rng)
        checked = len(found)
        for _ in range(DIRECTIONS if gradient.size > checked else 0):
            entry, missed = self._along_some_direction(path, method, rng)
            kinks += missed
            if entry is not None:
                found.append(entry)
        error = self._error(path, method, found)
        worst = max(found, key=lambda entry: abs(entry.analytic - entry.numeric), default=None)
        note = "the loss has a kink wherever it was looked at" if gradient.size and not found else ""
        threshold = THRESHOLDS[method]
        passed = error <= threshold and not note
        return Tensor(path, gradient.shape, error, checked, method, threshold, passed, kinks, None, worst, note)

    def _floor(self, path: str, method: str) -> float:
        """The gradient below which differences are rounding."""
        return max(self.floors[method], ROUNDING * self.doubt.get(path, 0.0) / THRESHOLDS[method])

    def _some_entries(self, path: str, method: str, rng: np.random.Generator) -> tuple[list[Entry], int]:
        """Derivatives in drawn entries, all in a small tensor, and how many were passed over."""
        gradient, found, tries = self.gradients[path], list[Entry](), 0
        wanted = min(gradient.size, self.entries)
        for index in rng.permutation(gradient.size)[: 2 * wanted]:
            place = tuple(int(i) for i in np.unravel_index(index, gradient.shape))
            analytic = float(gradient[place])
            numeric = self._derivative(Way(path, place, 1.0), method, analytic)
            tries += 1
            if numeric is not None:
                found.append(Entry(place, analytic, numeric))
            if len(found) == wanted:
                break
        return found, tries - len(found)

    def _along_some_direction(self, path: str, method: str, rng: np.random.Generator) -> tuple[Entry | None, int]:
        """The derivative along a random direction, and how many were passed over before."""
        gradient = self.gradients[path]
        for attempt in range(DRAWS):
            direction = _direction(gradient.shape, rng)
            analytic = float((gradient * direction).sum())
            numeric = self._derivative(Way(path, ..., direction), method, analytic)
            if numeric is not None:
                return Entry((), analytic, numeric), attempt
        return None, DRAWS

    def _derivative(self, way: Way, method: str, analytic: float) -> float | None:
        """The numerical derivative; None where there is a kink."""
        scale = max(rms(self.gradients[way.path]), self._floor(way.path, "central"))
        if method == "central":
            with line(self.problem, way) as value:
                return central_difference(value, 0.1 * THRESHOLDS["central"] * scale)
        assert self.dual is not None
        with line(self.dual, way) as value:
            numeric = complex_step(value)
        fine = max(rms(self.gradients[way.path]), self._floor(way.path, "complex"))
        if not abs(numeric - analytic) <= 0.1 * THRESHOLDS["complex"] * fine:
            with line(self.problem, way) as value:
                if between_slopes(value, analytic, scale):
                    return None
        return numeric

    def _error(self, path: str, method: str, found: Sequence[Entry]) -> float:
        """Relative error of all entries together, and for the complex step the largest of each by itself too."""
        gradient = self.gradients[path]
        if not np.isfinite(gradient).all():
            return float("inf")
        if not found:
            return 0.0
        analytic, numeric = np.array([(entry.analytic, entry.numeric) for entry in found]).T
        difference = np.abs(analytic - numeric)
        if not np.isfinite(difference).all():
            return float("inf")
        scale = max(rms(gradient), rms(numeric), self._floor(path, method), np.finfo(float).tiny)
        error = rms(difference) / scale
        if method == "complex":
            own = np.maximum(
                np.maximum(np.abs(analytic), np.abs(numeric)), max(1e-3 * scale, self._floor(path, method))
            )
            error = max(error, float((difference / np.maximum(own, np.finfo(float).tiny)).max()))
        return error

    def _dual(self) -> Problem | None:
        """The function of complex variables, where there is one."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                dual = self.problem.astype(np.complex128)
                dual.value()
                return dual
        except (TypeError, ValueError, np.exceptions.ComplexWarning):
            return None

    def _complex_is_right(self, path: str, rng: np.random.Generator) -> bool:
        """Whether the complex step agrees with a central difference along a random direction."""
        if self.dual is None or self.method == "complex":
            return self.dual is not None
        numeric = None
        for _ in range(DRAWS):
            way = Way(path, ..., _direction(self.gradients[path].shape, rng))
            numeric = self._derivative(way, "central", 0.0)
            if numeric is not None:
                break
        if numeric is None:
            return True
        with line(self.dual, way) as value:
            exact = complex_step(value)
        scale = max(rms(self.gradients[path]), abs(numeric), self._floor(path, "central"))
        return abs(exact - numeric) <= 1e-5 * scale


@contextmanager
def line(problem: Problem, way: Way) -> Iterator[Line]:
    """The function along a way from where the variables are; they are put back in the end."""
    array = problem.variables[way.path]
    start = np.copy(array[way.place])

    def value(distance: Any) -> Any:
        array[way.place] = start + distance * way.direction
        return problem.value()

    try:
        yield value
    finally:
        array[way.place] = start


def _direction(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """A random direction of length 1, in which every entry has part."""
    direction = rng.standard_normal(shape)
    return direction / max(float(np.sqrt((direction * direction).sum())), 1e-300)
