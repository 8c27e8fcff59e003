"""Real data sets as they are handed out, with the lines of docs/data.md, where they lie below $DLTRAIN_DATA."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from dltrain.data import DataFolders, DataSet, load

PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text()
FOLDER = os.environ.get("DLTRAIN_DATA", "")

# name: (file that must be there, what the targets are, sizes of the parts, features, classes)
SETS: dict[str, tuple[str, str, list[int], tuple[int, ...], int | None]] = {
    "iris": ("", "classes", [104, 23, 23], (4,), 3),
    "wine": ("", "classes", [124, 27, 27], (13,), 3),
    "breast_cancer": ("", "binary", [399, 85, 85], (30,), 2),
    "diabetes": ("", "values", [310, 66, 66], (10,), None),
    "california-housing": ("california-housing/housing.csv.gz", "values", [14448, 3096, 3096], (13,), None),
    "adult": ("adult/adult-train.csv.gz", "binary", [27677, 4884, 16281], (105,), 2),
    "titanic": ("titanic/train.csv", "binary", [623, 134, 134], (12,), 2),
    "catvnoncat": ("catvnoncat/train_catvnoncat.h5", "binary", [178, 31, 50], (64, 64, 3), 2),
    "planar-football": ("planar-football/data.mat", "binary", [211, 200], (2,), 2),
    "fashion-mnist": ("fashion-mnist/train-images-idx3-ubyte.gz", "classes", [51000, 9000, 10000], (28, 28, 1), 10),
    "cifar-10 subset": (
        "cifar10/cifar-10-subset-bin/data_batch_1.bin.gz", "classes", [6800, 1200, 2000], (32, 32, 3), 10,
    ),
}  # fmt: skip
SLOW = {"fashion-mnist", "cifar-10 subset"}


def lines_of(name: str) -> dict[str, Any]:
    """The `data` part that the page gives for a set."""
    found = re.search(rf"^```yaml\n(data: +# {re.escape(name)}\n.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/data.md has no lines for {name}"
    section = yaml.safe_load(found[1])["data"]
    assert isinstance(section, dict)
    return section


def real(name: str, **options: Any) -> DataSet:
    file, needs, *_ = SETS[name]
    if file and not (FOLDER and (Path(FOLDER) / file).is_file()):
        pytest.skip(f"$DLTRAIN_DATA has no {file}")
    section = SimpleNamespace(**{"split": None, "prepare": [], "prepare_target": [], **lines_of(name)})
    return load(section, needs=needs, seed=0, folders=DataFolders(None), dtype="float32", **options)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in SETS])
def test_the_lines_of_the_page_load_a_real_set(name: str) -> None:
    _, _, sizes, shape, classes = SETS[name]
    data = real(name)
    assert [len(data.parts[part]) for part in ("train", "validation", "test") if part in data.parts] == sizes
    assert data.shape == shape and (None if data.classes is None else len(data.classes)) == classes
    x = data.parts["train"].columns["x"]
    assert np.isfinite(x).all() and np.abs(x).max() < 200
    if name not in SLOW and name != "catvnoncat":
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-3)


def test_known_facts_of_real_sets() -> None:
    """A fill, a class share and a count that others have published."""
    housing = real("california-housing")
    assert housing.input_names[-5:] == [
        f"ocean_proximity={n}" for n in ("<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN")
    ]
    adult = real("adult")
    labels = np.concatenate([adult.parts[part].columns["y"] for part in ("train", "validation", "test")])
    assert adult.classes == ["<=50K", ">50K"] and int(labels.sum()) == 11687 and len(labels) == 48842
    titanic = real("titanic")
    survived = sum(int(part.columns["y"].sum()) for part in titanic.parts.values())
    assert survived == 342
    assert real("catvnoncat").classes == ["non-cat", "cat"]
