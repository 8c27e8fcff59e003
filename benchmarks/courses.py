"""The networks of the course whose figures docs/results.md names, in plain NumPy: from its own seeds, and from others.

python benchmarks/courses.py             all of them, 20 starts each; writes benchmarks/courses.json
python benchmarks/courses.py football    those whose name begins so

The course starts each network from one seed.  Here the same data, widths, start, rate and number of steps give what
that seed gave, and what others give.  Nothing of dltrain takes part; tests/test_courses.py compares the two.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array, Array, Array]  # x (D, N) and y (1, N) to learn from, x and y to test
ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "benchmarks" / "courses.json"
STARTS = 20


def folder() -> Path:
    """Where the data are."""
    return Path(os.environ.get("DLTRAIN_DATA", ROOT / "data"))


def flower() -> Data:
    """400 points on eight petals, in two colours; there is no test part."""
    rng, blocks, labels = np.random.RandomState(1), [], []
    for colour in (0, 1):
        angle = np.linspace(colour * 3.12, (colour + 1) * 3.12, 200) + rng.randn(200) * 0.2
        radius = 4 * np.sin(4 * angle) + rng.randn(200) * 0.2
        blocks.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)]))
        labels.append(np.full((1, 200), float(colour)))
    x, y = np.concatenate(blocks, axis=1), np.concatenate(labels, axis=1)
    return x, y, x, y


def circles() -> Data:
    """300 points on two circles, and 100 to test."""
    from sklearn.datasets import make_circles

    found: list[Array] = []
    for seed, count in ((1, 300), (2, 100)):
        x, y = make_circles(n_samples=count, noise=0.05, random_state=seed)
        found += [x.T, y[None].astype(float)]
    return found[0], found[1], found[2], found[3]


def football() -> Data:
    """Where the ball was met, and by whom."""
    from scipy.io import loadmat

    found = loadmat(folder() / "planar-football" / "data.mat")
    return found["X"].T, found["y"].T.astype(float), found["Xval"].T, found["yval"].T.astype(float)


def cats() -> Data:
    """209 and 50 pictures of 64 × 64 pixels."""
    import h5py

    found: list[Array] = []
    for part in ("train", "test"):
        with h5py.File(folder() / "catvnoncat" / f"{part}_catvnoncat.h5") as file:
            x, y = file[f"{part}_set_x"][:], file[f"{part}_set_y"][:]
        found += [x.reshape(len(x), -1).T / 255, y[None].astype(float)]
    return found[0], found[1], found[2], found[3]


@dataclass(frozen=True)
class Course:
    """A network of the course.

    Parameters:
        data: makes the examples
        hidden: widths of the layers before the last, which has one unit
        scale: standard deviation of the first weights, from the number of inputs of a layer
        rate: of plain gradient descent over all examples
        steps: how many
        seed: the course's
        known: the accuracy that the course shows
        tanh: whether hidden units are tanh, else relu
        decay: λ of λ / (2 N) Σ w²
        keep: the share that dropout keeps, by the same masks in every step: the course's step begins with a seed
    """

    data: Callable[[], Data]
    hidden: tuple[int, ...]
    scale: Callable[[int], float]
    rate: float
    steps: int
    seed: int
    known: float
    tanh: bool = False
    decay: float = 0.0
    keep: float = 1.0


def small(_: int) -> float:
    """0.01"""
    return 0.01


def tenfold(_: int) -> float:
    """10"""
    return 10.0


def he(inputs: int) -> float:
    """√(2 / inputs)"""
    return float(np.sqrt(2 / inputs))


def lecun(inputs: int) -> float:
    """√(1 / inputs)"""
    return float(np.sqrt(1 / inputs))


BALL = Course(football, (20, 3), lecun, 0.3, 30000, 3, 0.915)
RING = Course(circles, (10, 5), tenfold, 0.01, 15000, 3, 0.86)
PETALS = {1: 0.675, 2: 0.6725, 3: 0.9075, 4: 0.905, 5: 0.9125, 20: 0.90, 50: 0.9025}
COURSES = {
    **{f"flower {n}": Course(flower, (n,), small, 1.2, 5000, 2, known, tanh=True) for n, known in PETALS.items()},
    "circles normal": RING,
    "circles he": replace(RING, scale=he, known=0.96),
    "football": BALL,
    "football l2": replace(BALL, decay=0.7, known=0.93),
    "football dropout": replace(BALL, keep=0.86, known=0.95),
    "cats two": Course(cats, (7,), small, 0.0075, 2500, 1, 0.72),
    "cats four": Course(cats, (20, 7, 5), lecun, 0.0075, 2500, 1, 0.80),
}


def first_weights(course: Course, inputs: int, seed: int) -> list[Array]:
    """W (O, I) and b (O, 1) of each layer, one after the other."""
    rng, widths, found = np.random.RandomState(seed), [inputs, *course.hidden, 1], []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        found += [rng.randn(after, before) * course.scale(before), np.zeros((after, 1))]
    return found


def step(course: Course, weights: list[Array], x: Array, y: Array) -> float:
    """One step of gradient descent in place; returns the cross-entropy before it, without the decay."""
    values, masks, N, rng = [x], [], x.shape[1], np.random.RandomState(1)
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        z = W @ values[-1] + b
        a = np.tanh(z) if course.tanh else np.maximum(z, 0)
        masks.append((rng.rand(*a.shape) < course.keep) / course.keep if course.keep < 1 else 1.0)
        values.append(a * masks[-1])
    z = weights[-2] @ values[-1] + weights[-1]
    loss = float(np.mean(np.logaddexp(0, z) - y * z))
    dz = (1 / (1 + np.exp(-z.clip(-500, 500))) - y) / N
    gradients: list[Array] = []
    for layer in reversed(range(len(weights) // 2)):
        W, a = weights[2 * layer], values[layer]
        gradients[:0] = [dz @ a.T + course.decay / N * W, dz.sum(1, keepdims=True)]
        if layer:
            da = W.T @ dz * masks[layer - 1]
            dz = da * (1 - a**2) if course.tanh else da * (a > 0)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight -= course.rate * gradient
    return loss


def losses(course: Course, weights: list[Array], x: Array, y: Array, steps: int) -> Iterator[float]:
    """Train, and say the loss before each step."""
    for _ in range(steps):
        yield step(course, weights, x, y)


def accuracy(course: Course, weights: list[Array], x: Array, y: Array) -> float:
    """The share of examples that are told right."""
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        z = W @ x + b
        x = np.tanh(z) if course.tanh else np.maximum(z, 0)
    return float(((weights[-2] @ x + weights[-1] > 0) == y).mean())


def reached(course: Course, seed: int) -> float:
    """The accuracy on the test part, or on the points of the flower, after all steps."""
    x, y, x_test, y_test = course.data()
    weights = first_weights(course, len(x), seed)
    for _ in losses(course, weights, x, y, course.steps):
        pass
    return accuracy(course, weights, x_test, y_test)


def main(names: list[str]) -> None:
    """Measure those whose names begin so."""
    for name, course in COURSES.items():
        if not names or any(name.startswith(some) for some in names):
            own = reached(course, course.seed)
            others = [reached(course, seed) for seed in range(STARTS)]
            known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
            known[name] = {"known": course.known, "own": own, "others": others}
            share = np.mean(np.array(others) >= course.known - 1e-9)
            print(
                f"{name}: known {course.known:.4f}, its seed {own:.4f}, {STARTS} others {np.mean(others):.4f} "
                f"({min(others):.4f} to {max(others):.4f}), {share:.0%} reach it",
                flush=True,
            )
            FIGURES.write_text(json.dumps({key: known[key] for key in COURSES if key in known}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
