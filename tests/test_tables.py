"""Tables as they come: words, missing values, several files, parts and roles of columns; and splits that need them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import loaded

from dltrain.data import DataFolders, DataSet, Examples, Loader, Pool, load_like, show
from dltrain.errors import ConfigError, DataError
from dltrain.registry import create


def pool(folder: Path, **options: Any) -> Pool:
    found = create("source", {"csv": {"path": "t.csv", **options}}).load(DataFolders(folder))
    assert isinstance(found, Pool)
    return found


def write(folder: Path, text: str, name: str = "t.csv") -> None:
    (folder / name).write_text(text)


def test_words_are_numbered_by_the_alphabet_over_all_files(tmp_path: Path) -> None:
    write(tmp_path, "a,b,y\n1,red,0\n2,blue,1\n")
    write(tmp_path, "y,b,a\n1,green,?\n0,NA,4\n", "u.csv")
    (tmp_path / "v.csv").write_bytes(gzip.compress(b"a,b,y\n5,amber,1\n"))
    found = pool(tmp_path, path=["t.csv", "u.csv"], validation_path="v.csv")
    assert found.categories == {1: ["amber", "blue", "green", "red"]}
    np.testing.assert_array_equal(found.columns["x"], [[1, 3], [2, 1], [np.nan, 2], [4, np.nan], [5, 0]])
    assert found.columns["y"].tolist() == [0, 1, 1, 0, 1] and found.missing == {0: "?", 1: "NA"}
    assert {part: index.tolist() for part, index in found.given.items()} == {"validation": [4]}
    assert found.place(3) == f"{tmp_path / 'u.csv'}:3"


def test_words_are_found_in_any_block_of_rows(tmp_path: Path) -> None:
    rows = ["" if i < 900 else "late" for i in range(1000)]
    write(tmp_path, "a,b,y\n" + "".join(f"{i},{word},{i % 2}\n" for i, word in enumerate(rows)))
    found = pool(tmp_path)
    assert found.categories == {1: ["late"]} and np.isnan(found.columns["x"][:, 1]).sum() == 900
    np.testing.assert_array_equal(found.columns["x"][:, 0], np.arange(1000))


def test_codes_may_be_categories_and_markers_are_chosen(tmp_path: Path) -> None:
    write(tmp_path, "zip,size,y\n01067,-9,0\n10115,3,1\n01067,none,0\n")
    found = pool(tmp_path, categorical=["zip"], missing=["-9", "None"])
    assert found.categories == {0: ["01067", "10115"]}
    np.testing.assert_array_equal(found.columns["x"], [[0, np.nan], [1, 3], [0, np.nan]])
    assert pool(tmp_path, missing=["-9"], features=["zip"]).categories == {}


def test_endings_of_targets_are_taken_off(tmp_path: Path) -> None:
    write(tmp_path, "".join(f"{i},{['<=50K', '>50K'][i % 2]}\n" for i in range(40)))
    write(tmp_path, "".join(f"{i},{['<=50K.', '>50K .'][i % 2]}\n" for i in range(9)), "u.csv")
    source = {"csv": {"path": "t.csv", "test_path": "u.csv", "target_suffix": "."}}
    data = loaded(source, tmp_path, needs="binary")
    assert data.classes == ["<=50K", ">50K"] and data.parts["test"].columns["y"].tolist() == [i % 2 for i in range(9)]
    kept = DataSet.from_info(data.info(), data.constants)
    again = load_like(tmp_path / "u.csv", kept, target=True)
    assert again.columns["y"].tolist() == [i % 2 for i in range(9)]
    with pytest.raises(DataError, match=r"u\.csv.*'<=50K\.'"):
        loaded({"csv": {"path": "t.csv", "test_path": "u.csv", "classes": ["<=50K", ">50K"]}}, tmp_path)


def test_a_column_says_the_parts(tmp_path: Path) -> None:
    names = ["train", "Train", "dev", "test", "train", "val"]
    write(tmp_path, "a,part,y\n" + "".join(f"{i},{names[i % 6]},{i % 2}\n" for i in range(60)))
    data = loaded({"csv": {"path": "t.csv", "part": "part"}}, tmp_path)
    assert {part: len(examples) for part, examples in data.parts.items()} == {"train": 30, "validation": 20, "test": 10}
    assert set(data.parts["test"].ids % 6) == {3} and data.feature_names == ["a"]
    with pytest.raises(ConfigError, match=r"split\.random\.validation: this has no effect: the source brings its own"):
        loaded({"csv": {"path": "t.csv", "part": "part"}}, tmp_path, split={"random": 0.2})
    data = loaded({"csv": {"path": "t.csv", "part": "part"}}, tmp_path, split={"stratified": {"train_dev": 6}})
    assert [len(data.parts[part]) for part in ("train", "train_dev", "validation", "test")] == [24, 6, 20, 10]


# content, options, what the message must say
BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "no part": ("a,p,y\n1,train,0\n2,tset,1\n", {"part": "p"}, r"t\.csv:3: this names no part.*got 'tset'.*'test'"),
    "numbers among words": ("a,y\nx,0\nz,1\n7,1\n", {}, r"t\.csv:4, 'a': this is a number among words.*categorical"),
    "a word among numbers": ("a,y\n1,0\n2,1\nx,1\n", {}, r"t\.csv:4, 'a': this is not a number.*got 'x'"),
    "dropped and chosen": ("a,b,y\n1,2,0\n", {"drop": ["b"], "features": ["a"]}, r"`drop` has no effect beside"),
    "dropped twice": ("a,b,y\n1,2,0\n", {"drop": ["b", 1]}, r"'b' is named twice as"),
    "target dropped": ("a,b,y\n1,2,0\n", {"drop": ["y"]}, r"'y' is named twice as target and drop"),
    "nothing to drop": ("a,b,y\n1,2,0\n", {"drop": ["c"]}, r"the column 'c' is missing"),
    "categorical target": ("a,b,y\n1,2,0\n", {"categorical": ["y"]}, r"'y' is called categorical, but is no feature"),
    "no group": ("a,g,y\n1,,0\n2,x,1\n", {"group": "g"}, r"t\.csv:2: the group is missing"),
    "no time": ("a,g,y\n1,5,0\n2,?,1\n", {"time": "g"}, r"t\.csv:3: the time is missing; got '\?'"),
    "no files": ("a,y\n1,0\n", {"path": []}, r"the list of files is empty"),
    "infinite": ("a,b,y\nx,1,0\nz,-inf,1\n", {}, r"t\.csv:3, 'b': this is not a number.*'-inf'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused(name: str, tmp_path: Path) -> None:
    text, options, said = BAD[name]
    write(tmp_path, text)
    with pytest.raises(DataError, match=said) as caught:
        pool(tmp_path, **options)
    assert "\n" not in str(caught.value)


def test_columns_are_of_one_kind_in_all_files(tmp_path: Path) -> None:
    write(tmp_path, "a,y\nred,0\nblue,1\n")
    write(tmp_path, "a,y\n,0\n3,1\n", "u.csv")
    with pytest.raises(DataError, match=r"u\.csv:3, 'a': this is a number among words.*got 3"):
        pool(tmp_path, test_path="u.csv")
    with pytest.raises(ConfigError, match=r"data\.source\.csv\.path\.1: there is no such data file; .*got 'none\.csv'"):
        loaded({"csv": {"path": ["t.csv", "none.csv"]}}, tmp_path)


def test_time_is_cut_in_order(tmp_path: Path) -> None:
    days = [f"2024-{1 + i % 12:02}-{1 + i // 12:02}" for i in range(60)]
    write(tmp_path, "day,a,y\n" + "".join(f"{day},{i},{i}\n" for i, day in enumerate(days)))
    split = {"chronological": {"validation": 0.2, "test": 10, "train_dev": 5}}
    data = loaded({"csv": {"path": "t.csv", "time": "day"}}, tmp_path, needs="values", split=split)
    parts = [[days[i] for i in data.parts[p].ids] for p in ("train", "train_dev", "validation", "test")]
    assert [len(part) for part in parts] == [33, 5, 12, 10]
    assert all(max(earlier) <= min(later) for earlier, later in zip(parts, parts[1:], strict=False))
    data = loaded({"csv": {"path": "t.csv", "drop": ["day"]}}, tmp_path, needs="values", split="chronological")
    assert np.concatenate([data.parts[p].ids for p in ("train", "validation", "test")]).tolist() == list(range(60))


def test_groups_stay_together(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    people = [f"p{k}" for k in draw.integers(0, 30, 300)]
    write(tmp_path, "who,a,y\n" + "".join(f"{who},{i},{i % 2}\n" for i, who in enumerate(people)))
    source = {"csv": {"path": "t.csv", "group": "who"}}
    first, again, other = (loaded(source, tmp_path, split="grouped", seed=seed) for seed in (0, 0, 1))
    groups = [{people[i] for i in first.parts[part].ids} for part in ("train", "validation", "test")]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert sum(len(part) for part in first.parts.values()) == 300
    assert all(45 <= len(first.parts[part]) <= 45 + 20 for part in ("validation", "test"))
    assert (first.parts["test"].ids == again.parts["test"].ids).all()
    assert {people[i] for i in other.parts["test"].ids} != groups[2]
    with pytest.raises(ConfigError, match="grouped needs groups, but the source names none.*`group`"):
        loaded({"csv": {"path": "t.csv", "drop": ["who"]}}, tmp_path, split="grouped")
    write(tmp_path, "who,a,y\n" + "".join(f"{'ab'[i % 2]},{i},{i % 3 % 2}\n" for i in range(60)))
    with pytest.raises(DataError, match="too few groups for these parts; got 2 groups"):
        loaded(source, tmp_path, split="grouped")


def test_a_source_without_training_examples_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a,part,y\n" + "".join(f"{i},test,{i % 2}\n" for i in range(20)))
    with pytest.raises(DataError, match="nothing is left to train on"):
        loaded({"csv": {"path": "t.csv", "part": "part"}}, tmp_path)


@pytest.mark.parametrize("how", ["oversample", "undersample"])
def test_balanced_epochs(how: str) -> None:
    labels = np.repeat([0, 1, 2], [50, 20, 7])
    examples = Examples({"x": np.arange(77.0)[:, None], "y": labels}, np.arange(77))

    def epochs() -> list[Any]:
        loader = Loader(examples, 8, shuffle=True, seed=3)
        loader.rebalance(how)
        size = 50 if how == "oversample" else 7
        assert loader.steps_per_epoch == -(-3 * size // 8)
        pairs = [(epoch, index) for epoch in range(3) for index in range(loader.steps_per_epoch)]
        found = {pair: loader.batch(*pair).ids.copy() for pair in reversed(pairs)}
        return [np.concatenate([found[epoch, i] for i in range(loader.steps_per_epoch)]) for epoch in range(3)]

    first, again = epochs(), epochs()
    for ids, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(ids, same)
        counts = np.bincount(ids, minlength=77)
        assert len(set(np.bincount(labels[ids]))) == 1
        for k in range(3):
            own = counts[labels == k]
            assert own.max() - own.min() <= 1 and own.sum() == (50 if how == "oversample" else 7)
    assert not np.array_equal(np.sort(first[0]), np.sort(first[1]))  # another draw in every epoch


def test_show_counts_what_is_missing_and_the_words(tmp_path: Path) -> None:
    write(tmp_path, "a,b,y\n" + "".join(f"{'' if i % 4 == 0 else i},{'rrg'[i % 3]},{i % 2}\n" for i in range(40)))
    found = show({"csv": "t.csv"}, DataFolders(tmp_path))
    assert found["shape"] == [2] and found["samples"] == 40 and len(found["classes"]) == 2
    assert found["fingerprint"] == loaded(
        {"csv": "t.csv"}, tmp_path, prepare=["impute", "one_hot"]
    ).fingerprint  # fmt: skip
    a, b = found["features"]
    assert (a["name"], a["missing"], a["min"], a["max"], a["categories"]) == ("a", 10, 1.0, 39.0, None)
    assert (b["missing"], b["categories"], b["most_frequent"], b["mean"]) == (0, 2, "r", None)
