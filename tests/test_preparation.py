"""Preparations give scikit-learn's numbers, follow names and places through, and refuse what does not suit them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import loaded
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler

from dltrain.data import DataSet, Examples, load_like, pipeline
from dltrain.data.examples import Array, Features
from dltrain.errors import ConfigError, DataError

PARTS = ("train", "validation", "test")
NOWHERE = Path("nowhere")
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def points(rows: int = 60, width: int = 4, seed: int = 0) -> Array:
    draw = np.random.default_rng(seed)
    return draw.normal(3, 2, (rows, width)) @ draw.normal(size=(width, width))


def prepared(specs: list[Any], x: Array, new: Array, features: Features | None = None) -> tuple[Array, list[str]]:
    """New features after preparations fitted on x, in float64, and their names."""
    constants = pipeline.fit(specs, Examples({"x": x}, np.arange(len(x)), features))
    found = pipeline.apply(specs, constants, Examples({"x": new}, np.arange(len(new)), features), "float64")
    return found.columns["x"], found.described().names


SAME: dict[str, tuple[Any, Any]] = {
    "standardize": ("standardize", StandardScaler()),
    "min_max": ("min_max", MinMaxScaler()),
    "min_max to a range": ({"min_max": {"low": -1, "high": 3}}, MinMaxScaler((-1, 3))),
    "polynomial": ("polynomial", PolynomialFeatures(2, include_bias=False)),
    "polynomial of degree 4": ({"polynomial": 4}, PolynomialFeatures(4, include_bias=False)),
    "interactions": (
        {"polynomial": {"degree": 3, "interaction_only": True}},
        PolynomialFeatures(3, interaction_only=True, include_bias=False),
    ),
    "pca": ({"pca": 2}, PCA(2)),
    "all components": ("pca", PCA()),
    "a share of the variance": ({"pca": 0.9}, PCA(0.9, svd_solver="full")),
}


@pytest.mark.parametrize("name", SAME)
def test_numbers_are_scikit_learns(name: str) -> None:
    spec, theirs = SAME[name]
    x, new = points(), points(7, seed=1)
    ours, _ = prepared([spec], x, new)
    np.testing.assert_allclose(ours, theirs.fit(x).transform(new), **CLOSE)


@pytest.mark.parametrize("shape", [(200, 8, 8, 1), (30, 8, 8, 1)], ids=["more pictures", "more pixels"])
def test_components_of_pictures_are_scikit_learns(shape: tuple[int, ...]) -> None:
    x = loaded({"digits": {"images": True}}, NOWHERE, dtype="float64").parts["train"].columns["x"][: shape[0]]
    ours, names = prepared([{"pca": 12}], x, x)
    np.testing.assert_allclose(ours, PCA(12, svd_solver="full").fit_transform(x.reshape(len(x), -1)), atol=1e-9)
    assert names[0] == "pca1" and len(names) == 12


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("indicator", [False, True])
def test_imputed_values_are_scikit_learns(strategy: str, indicator: bool) -> None:
    x, new = np.round(points()), np.round(points(9, seed=1))
    x[::5, 1] = x[3, 2] = new[2, 1] = new[4, 2] = np.nan
    fill = {"fill_value": 7.0} if strategy == "constant" else {}
    theirs = SimpleImputer(strategy=strategy, add_indicator=indicator, **fill).fit(x).transform(new)
    spec = {"impute": {"strategy": strategy, "indicator": indicator, **fill}}
    ours, names = prepared([spec], x, new, Features((4,), ["a", "b", "c", "d"]))
    np.testing.assert_allclose(ours, theirs, **CLOSE)
    assert names == ["a", "b", "c", "d", *(["b missing", "c missing"] if indicator else [])]


@pytest.mark.parametrize("unknown", ["zeros", "error"])
def test_categories_are_scikit_learns(unknown: str) -> None:
    draw = np.random.default_rng(0)
    words = [["blue", "green", "red"], ["large", "small", "tiny"]]
    features = Features((3,), ["colour", "weight", "size"], {0: words[0], 2: words[1]})
    codes = draw.integers(0, 3, (40, 3)).astype(float)
    codes[:, 2] %= 2  # "tiny" is not in the training part
    new = draw.integers(0, 3, (9, 3)).astype(float)
    new[0, 2] = 2 if unknown == "zeros" else 0
    new[1:, 2] %= 2
    theirs = ColumnTransformer(
        [("rest", "passthrough", [1]), ("hot", OneHotEncoder(handle_unknown="ignore"), [0, 2])], sparse_threshold=0
    )
    ours, names = prepared([{"one_hot": {"unknown": unknown}}], codes, new, features)
    np.testing.assert_array_equal(ours, theirs.fit(codes).transform(new))
    assert names == ["weight", "colour=blue", "colour=green", "colour=red", "size=large", "size=small"]
    new[3, 2] = 2
    if unknown == "error":
        with pytest.raises(DataError, match="sample 3, 'size': this category is not in the training part; got 'tiny'"):
            prepared([{"one_hot": {"unknown": unknown}}], codes, new, features)


@pytest.mark.parametrize("method", ["pca", "zca"])
def test_whitened_features_are_uncorrelated(method: str) -> None:
    x = points(4000)
    ours, _ = prepared([{"whiten": {"method": method, "epsilon": 0}}], x, x)
    np.testing.assert_allclose(np.cov(ours.T), np.eye(4), atol=1e-9)
    if method == "pca":
        theirs = PCA(whiten=True).fit_transform(x)
        np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-7, atol=1e-9)
    else:  # of all whitened features these are the nearest to the raw ones
        assert np.corrcoef(ours[:, 0], x[:, 0])[0, 1] > 0.5
    pictures = loaded({"digits": {"images": True}}, NOWHERE, prepare=[{"whiten": {"method": method}}])
    assert pictures.shape == ((8, 8, 1) if method == "zca" else (64,))


def test_a_choice_of_columns_leaves_the_others_alone() -> None:
    x, features = np.abs(points()) + 1, Features((4,), ["a", "b", "c", "d"])
    ours, names = prepared(
        [{"standardize": {"columns": ["c", 0]}}, {"log1p": ["b"]}, {"polynomial": {"columns": ["b", "d"]}}],
        x, x, features,
    )  # fmt: skip
    expected = x.copy()
    expected[:, [0, 2]] = StandardScaler().fit_transform(x[:, [0, 2]])
    expected[:, 1] = np.log1p(x[:, 1])
    b, d = expected[:, 1], expected[:, 3]
    np.testing.assert_allclose(ours, np.column_stack([expected, b * b, b * d, d * d]), **CLOSE)
    assert names == ["a", "b", "c", "d", "b^2", "b d", "d^2"]
    ours, names = prepared([{"pca": {"n_components": 1, "columns": ["a", "b"]}}], x, x, features)
    np.testing.assert_allclose(ours, np.column_stack([x[:, 2:], PCA(1).fit_transform(x[:, :2])]), **CLOSE)
    assert names == ["c", "d", "pca1"]


TABLE = "age,job,town,income\n" + "".join(
    f"{'' if i % 9 == 4 else 20 + i},{'' if i % 7 == 3 else ['cook', 'poet', 'nurse'][i % 3]},{'AB'[i % 2]},{i * 10}\n"
    for i in range(60)
)
STEPS: list[Any] = [{"impute": "median"}, {"impute": "most_frequent"}, "one_hot", "standardize"]


def table(folder: Path, text: str = TABLE, prepare: list[Any] | None = None, **options: Any) -> DataSet:
    (folder / "t.csv").write_text(text)
    source = {"csv": {"path": "t.csv", "target": "income", **options}}
    return loaded(source, folder, needs="values", prepare=STEPS if prepare is None else prepare, dtype="float64")


def test_constants_come_from_the_training_part_only(tmp_path: Path) -> None:
    data = table(tmp_path)
    ids = data.parts["train"].ids
    ages = np.array([np.nan if i % 9 == 4 else 20 + i for i in range(60)])
    assert data.constants["0.impute.fill"].tolist() == [np.nanmedian(ages[ids])]
    jobs = ["cook", "nurse", "poet"]
    most = data.constants["1.impute.fill"]
    known = [["cook", "poet", "nurse"][i % 3] for i in ids if i % 7 != 3]
    assert jobs[int(most[1])] == max(jobs, key=known.count)
    assert data.input_names == ["age", "job=cook", "job=nurse", "job=poet", "town=A", "town=B"]
    assert data.shape == (6,) and data.raw_shape == (3,) and data.feature_names == ["age", "job", "town"]
    np.testing.assert_allclose(data.parts["train"].columns["x"].mean(axis=0), 0, atol=1e-12)


def test_new_tables_go_the_same_way(tmp_path: Path) -> None:
    data = table(tmp_path)
    kept = DataSet.from_info(data.info(), data.constants)
    again = load_like(tmp_path / "t.csv", kept, target=True)
    for part in PARTS:
        for name in ("x", "y"):
            np.testing.assert_array_equal(again.columns[name][data.parts[part].ids], data.parts[part].columns[name])
    (tmp_path / "new.csv").write_text("town,age,job\nB,30,poet\nC,,pilot\n")
    new = load_like(tmp_path / "new.csv", kept).columns["x"]
    raw = new * data.constants["3.standardize.deviation"] + data.constants["3.standardize.mean"]
    median = data.constants["0.impute.fill"][0]
    np.testing.assert_allclose(raw, [[30, 0, 0, 1, 0, 1], [median, 0, 0, 0, 0, 0]], atol=1e-12)


def test_new_words_are_refused_by_place_where_wanted(tmp_path: Path) -> None:
    data = table(tmp_path, prepare=[*STEPS[:2], {"one_hot": "error"}])
    kept = DataSet.from_info(data.info(), data.constants)
    (tmp_path / "new.csv").write_text("town,age,job\nB,30,poet\nA,31,pilot\n")
    with pytest.raises(DataError, match=r"new\.csv:3, 'job': this category is not in the training part; got 'pilot'"):
        load_like(tmp_path / "new.csv", kept)
    (tmp_path / "new.csv").write_text("town,age,job\nB,young,poet\n")
    with pytest.raises(DataError, match=r"new\.csv:2, 'age': this is not a number; .*; got 'young'"):
        load_like(tmp_path / "new.csv", kept)
    (tmp_path / "new.csv").write_text("town,age,job\nB,30,7\n")
    assert load_like(tmp_path / "t.csv", kept).columns["x"].shape == (60, 6)
    with pytest.raises(DataError, match=r"new\.csv:2, 'job'.*got '7'"):
        load_like(tmp_path / "new.csv", kept)


def test_a_word_may_stand_for_what_is_missing(tmp_path: Path) -> None:
    steps = ["impute", {"impute": {"strategy": "constant", "fill_value": "none given"}}, "one_hot"]
    data = table(tmp_path, prepare=steps)
    assert data.input_names[1:5] == ["job=cook", "job=nurse", "job=poet", "job=none given"]
    again = load_like(tmp_path / "t.csv", DataSet.from_info(data.info(), data.constants)).columns["x"]
    np.testing.assert_array_equal(again[:, 4], [float(i % 7 == 3) for i in range(60)])


# preparations, what the message must say
REFUSED: dict[str, tuple[list[Any], str]] = {
    "nothing fills in": ([], r"t\.csv:5, 'job': a value is missing.*got ''.*impute"),
    "words left": (["impute", {"impute": "most_frequent"}], r"'job': this is not a number.*one_hot"),
    "only numbers filled in": (["impute", "one_hot"], r"'job': a value is missing"),
    "standardized before": (["standardize", "impute"], r"'age': a value is missing"),
    "no such column": ([{"scale": {"columns": ["agee"]}}, "impute"], r"data\.prepare\.0\.scale\.columns\.0.*'age'"),
    "words scaled": ([*STEPS[:2], {"scale": {"columns": ["job"]}}], r"'job' holds words.*one_hot"),
    "column twice": ([{"impute": {"columns": ["age", 0]}}], r"'age' is named twice"),
    "no column": ([{"impute": {"columns": []}}], r"the list of columns is empty"),
    "no words left": ([*STEPS[:3], "one_hot"], r"data\.prepare\.3\.one_hot: this has no effect: no column holds words"),
    "mean of words": ([{"impute": {"columns": ["job"]}}], r"words"),
    "fill without constant": ([{"impute": {"fill_value": 3.0}}], r"`fill_value` and the strategy `constant`"),
    "constant without fill": ([{"impute": "constant"}], r"`fill_value` and the strategy `constant`"),
    "word for numbers": (
        [{"impute": {"strategy": "constant", "fill_value": "x", "columns": ["age"]}}], r"a word is filled into",
    ),
    "too many components": ([*STEPS, {"pca": 9}], r"pca: there are not that many components.*1 to 6.*got 9"),
    "too many products": ([*STEPS, {"polynomial": 20}], r"would make too many features; expected at most 20,000"),
    "empty range": ([*STEPS, {"min_max": {"low": 1}}], r"this range is empty"),
    "no logarithm": ([*STEPS, "log1p"], r"t\.csv:\d+, '.*': this value has no logarithm; expected a value above -1"),
    "dependent features": ([*STEPS, {"whiten": {"epsilon": 0}}], r"a variance is 0.*epsilon"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_suit_is_refused(name: str, tmp_path: Path) -> None:
    specs, said = REFUSED[name]
    with pytest.raises((ConfigError, DataError), match=said) as caught:
        table(tmp_path, prepare=specs)
    assert "\n" not in str(caught.value)


def test_words_of_their_own_are_no_categories(tmp_path: Path) -> None:
    text = "name,income\n" + "".join(f"n{i},{i}\n" for i in range(60))
    with pytest.raises(DataError, match="nearly every example has a category of its own in 'name'.*drop"):
        table(tmp_path, text, prepare=["one_hot"])
    with pytest.raises(DataError, match=r"all values of 'age' are missing in the training part.*drop"):
        table(tmp_path, "age,income\n" + "".join(f",{i}\n" for i in range(60)), prepare=["impute"])


def test_pictures_have_no_columns() -> None:
    with pytest.raises(ConfigError, match=r"data\.prepare\.0\.scale\.columns: only a table has columns"):
        loaded({"digits": {"images": True}}, NOWHERE, prepare=[{"scale": {"columns": [0]}}])


@pytest.mark.parametrize("place", ["train", "validation", "test"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=["nan", "inf", "-inf"])
@pytest.mark.parametrize("column", ["x", "y"])
def test_numbers_that_are_none_are_found_in_every_part(column: str, value: float, place: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    sizes = {"train": 20, "validation": 6, "test": 7}
    arrays = {}
    for part, count in sizes.items():
        suffix = "" if part == "train" else f"_{part}"
        arrays |= {f"x{suffix}": draw.normal(size=(count, 3)), f"y{suffix}": draw.normal(size=count)}
    arrays[column + ("" if place == "train" else f"_{place}")].reshape(sizes[place], -1)[4, -1] = value
    np.savez(tmp_path / "a.npz", **arrays)
    names = {f"{c}_{part}": f"{c}_{part}" for c in "xy" for part in ("validation", "test")}
    with pytest.raises(DataError, match=rf"a\.npz.*sample 4.*{'2' if column == 'x' else ''}.*got {value}"):
        loaded({"npz": {"path": "a.npz", **names}}, tmp_path, needs="values", prepare=["standardize"])
