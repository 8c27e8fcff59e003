"""The small real data sets that come with scikit-learn, read from its files without importing it (0.5 s and more)."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from dltrain.data.examples import Array, Pool
from dltrain.data.folders import DataFolders
from dltrain.errors import DataError
from dltrain.registry import register

IRIS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
WINE = [
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline",
]  # fmt: skip
CELL = [
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
]  # fmt: skip
DIABETES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]


@register("source", "digits")
class Digits:
    """1,797 handwritten digits of 8 × 8 pixels with values 0 to 16, ten classes.

    Parameters:
        images: features as (8, 8, 1) instead of (64,)

    Example:
        >>> Digits(images=True).load(DataFolders()).columns["x"].shape
        (1797, 8, 8, 1)

    Source: UCI, Optical Recognition of Handwritten Digits (Alpaydin, Kaynak 1998), its test set.
    """

    def __init__(self, images: bool = False) -> None:
        self.images = images

    def load(self, folders: DataFolders) -> Pool:
        """x (1797, 64) or (1797, 8, 8, 1), y (1797,)."""
        found = read("digits.csv.gz", delimiter=",")
        x, y = (found[:, :-1], found[:, -1]) if found is not None else fall_back("load_digits")
        names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
        if self.images:
            x, names = x.reshape(-1, 8, 8, 1), []
        return Pool({"x": x, "y": y.astype(np.int64)}, "digits", classes=list("0123456789"), feature_names=names)


@register("source", "iris")
class Iris:
    """150 flowers, 4 measures, 3 species.

    Example:
        >>> Iris().load(DataFolders()).columns["x"].shape
        (150, 4)

    Source: R. A. Fisher: The use of multiple measurements in taxonomic problems, 1936.
    """

    def load(self, folders: DataFolders) -> Pool:
        """x (150, 4), y (150,)."""
        return classes_pool("iris.csv", "load_iris", "iris", IRIS, ["setosa", "versicolor", "virginica"])


@register("source", "wine")
class Wine:
    """178 Italian wines, 13 chemical measures, 3 growers.

    Example:
        >>> Wine().load(DataFolders()).columns["x"].shape
        (178, 13)

    Source: UCI, Wine (Forina et al. 1988).
    """

    def load(self, folders: DataFolders) -> Pool:
        """x (178, 13), y (178,)."""
        return classes_pool("wine_data.csv", "load_wine", "wine", WINE, ["class_0", "class_1", "class_2"])


@register("source", "breast_cancer")
class BreastCancer:
    """569 tumours, 30 measures of their cells' nuclei, malignant or benign.

    Example:
        >>> BreastCancer().load(DataFolders()).columns["x"].shape
        (569, 30)

    Source: UCI, Breast Cancer Wisconsin (Diagnostic) (Wolberg, Street, Mangasarian 1995).
    """

    def load(self, folders: DataFolders) -> Pool:
        """x (569, 30), y (569,)."""
        names = [f"mean {n}" for n in CELL] + [f"{n} error" for n in CELL] + [f"worst {n}" for n in CELL]
        classes = ["malignant", "benign"]
        return classes_pool("breast_cancer.csv", "load_breast_cancer", "breast_cancer", names, classes)


@register("source", "diabetes")
class Diabetes:
    """442 patients, 10 measures, the progression of their disease a year later (regression).

    The measures are in their own units: scikit-learn scales them with statistics of all patients,
    those of the test part included, which `prepare: [standardize]` does on the training part only.

    Example:
        >>> Diabetes().load(DataFolders()).columns["x"].shape
        (442, 10)

    Source: Efron, Hastie, Johnstone, Tibshirani: Least angle regression, 2004.
    """

    def load(self, folders: DataFolders) -> Pool:
        """x (442, 10), y (442,)."""
        x, y = read("diabetes_data_raw.csv.gz"), read("diabetes_target.csv.gz")
        if x is None or y is None:
            x, y = fall_back("load_diabetes", scaled=False)
        return Pool({"x": x, "y": y}, "diabetes", feature_names=DIABETES, target_names=["target"])


@register("source", "linnerud")
class Linnerud:
    """20 men: three exercises, and three measures of their bodies to be found from them (regression).

    Example:
        >>> Linnerud().load(DataFolders()).columns["x"].shape
        (20, 3)

    Source: A. C. Linnerud, in Tenenhaus: La régression PLS, 1998.
    """

    def load(self, folders: DataFolders) -> Pool:
        """x (20, 3), y (20, 3)."""
        x, y = read("linnerud_exercise.csv", skip=1), read("linnerud_physiological.csv", skip=1)
        if x is None or y is None:
            x, y = fall_back("load_linnerud")
        features, targets = ["Chins", "Situps", "Jumps"], ["Weight", "Waist", "Pulse"]
        return Pool({"x": x, "y": y}, "linnerud", feature_names=features, target_names=targets)


def classes_pool(file: str, loader: str, where: str, features: list[str], classes: list[str]) -> Pool:
    """A pool from one of the files with a header and the class in the last column."""
    found = read(file, delimiter=",", skip=1)
    x, y = (found[:, :-1], found[:, -1]) if found is not None else fall_back(loader)
    return Pool({"x": x, "y": y.astype(np.int64)}, where, classes=classes, feature_names=features)


def read(name: str, delimiter: str | None = None, skip: int = 0) -> Array | None:
    """The numbers of one of scikit-learn's files, or None where this version keeps them elsewhere.

    Raises:
        DataError: when scikit-learn is not installed.
    """
    spec = importlib.util.find_spec("sklearn")  # looks it up, does not import it
    if spec is None or not spec.origin:
        raise DataError("this data set comes with scikit-learn, which is absent", hint="pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    if not path.is_file():
        return None
    text = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    return np.loadtxt(text.decode().splitlines(), delimiter=delimiter, skiprows=skip)


def fall_back(loader: str, **options: Any) -> tuple[Array, Array]:
    """Features and targets by scikit-learn's own function (the slow way)."""
    datasets = importlib.import_module("sklearn.datasets")
    x, y = getattr(datasets, loader)(return_X_y=True, **options)
    return x, y
