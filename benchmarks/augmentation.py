"""How long a training batch of 128 pictures takes to gather and augment: `python benchmarks/augmentation.py [THREADS]`.

The compiled kernels, without a model; a batch that is not augmented is the first line of its size.
"""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import Any

import numpy as np

from dltrain.data import Examples, Loader
from dltrain.kernels import namespace, set_threads
from dltrain.registry import entries

EPOCHS, PICTURES, BATCH = 6, 2048, 128
LISTS: dict[tuple[int, int, int], list[list[Any]]] = {
    (28, 28, 1): [["shift", "rotation"], ["elastic"]],
    (32, 32, 3): [["horizontal_flip", "random_crop"], ["horizontal_flip", "random_crop", "rotation"]],
}


def milliseconds(shape: tuple[int, ...], augment: list[Any]) -> float:
    """Median time of a batch."""
    x = np.random.default_rng(0).random((PICTURES, *shape), dtype=np.float32)
    loader = Loader(Examples({"x": x, "y": np.arange(PICTURES) % 10}, np.arange(PICTURES)), BATCH, shuffle=True, seed=0)
    if augment:
        loader.augment(augment)
    taken = []
    for epoch in range(EPOCHS):
        for index in range(loader.steps_per_epoch):
            started = time.perf_counter()
            loader.batch(epoch, index, namespace("compiled"))
            taken.append(time.perf_counter() - started)
    return 1000 * median(taken)


def main() -> None:
    """Print a table."""
    namespace("compiled")
    print(f"{set_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 64)} threads")
    singles = [[name] for name in entries("augmentation")]
    for shape, lists in LISTS.items():
        for augment in ([], *lists, *(singles if shape[2] == 3 else [])):
            name = f"{' × '.join(map(str, shape))}  {', '.join(augment) or 'nothing'}"
            print(f"{name:60}{milliseconds(shape, augment):7.2f} ms")


if __name__ == "__main__":
    main()
