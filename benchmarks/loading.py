"""Seconds of a training on augmented pictures, by cache and number of workers: `python benchmarks/loading.py`.

JPEG files are drawn into a temporary folder; kernels are compiled and files read before anything is timed.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dltrain import api
from dltrain.data.pictures import pillow

CLASSES, COUNT, SIZE, EPOCHS = "abcd", 400, (320, 240), 3
WORKERS = (0, 1, 2)


def draw(folder: Path) -> None:
    """Pictures of coloured spots."""
    image, draws = pillow(), np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for k in range(COUNT):
            spots = image.fromarray(draws.integers(0, 256, (24, 32, 3), np.uint8))
            spots.resize(SIZE).save(folder / name / f"{k}.jpg", quality=90)


def config(cache: str, workers: int, epochs: int) -> dict[str, Any]:
    """A small convolutional network on augmented pictures."""
    first: list[Any] = [{"conv": {"filters": 16, "kernel_size": 3, "strides": 2}}, "relu", {"max_pool": 2}]
    second: list[Any] = [{"conv": {"filters": 32, "kernel_size": 3}}, "relu", "global_avg_pool", "dense"]
    return {
        "data": {
            "source": {"image_folder": {"path": "spots", "size": 96, "cache": cache}},
            "split": {"random": {"validation": 0.1}},
            "prepare": [{"standardize": {"axis": "channel"}}],
            "augment": ["horizontal_flip", {"rotation": 10}, {"zoom": 0.1}, {"brightness": 0.2}],
            "workers": workers,
        },
        "model": {"graph": {"logits": [*first, *second]}},
        "train": {"epochs": epochs},
    }


def main() -> None:
    """Print a table."""
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        draw(Path("data/spots"))
        api.fit(config("memory", 2, 1), runs="first")
        for cache in ("memory", "disk", "none"):
            taken = []
            for workers in WORKERS:
                started = time.perf_counter()
                api.fit(config(cache, workers, EPOCHS), runs=f"{cache}-{workers}")
                taken.append(f"{time.perf_counter() - started:6.1f} s with {workers}")
            print(f"{cache:8}", *taken, sep="  ")


if __name__ == "__main__":
    main()
