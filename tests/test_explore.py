"""`dltrain explore`: its numbers are scikit-learn's on the same arrays, its files are whole, its errors help."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from small_runs import iris
from test_cli import error_of, json_of, narrow
from test_cli_runs import promised

from dltrain import api, config
from dltrain.cli.main import run
from dltrain.cli.progress import progress
from dltrain.errors import ConfigError, DataError, StorageError, UsageError
from dltrain.explore import Subject
from dltrain.explore.finding import MOST_POINTS, Finding, scatter
from dltrain.explore.folder import write
from dltrain.explore.mixture import parameters
from dltrain.explore.subject import subject
from dltrain.registry import create
from dltrain.runs.naming import names
from dltrain.runs.signals import Stopped
from dltrain.training.session import load_data

IRIS = iris()
FACTS = {"seed": 5}


def arrays(settings: dict[str, Any], part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """What a run with this config is trained on."""
    examples = load_data(config.from_mapping(settings)).parts[part]
    return examples.columns["x"].astype(np.float64), examples.columns["y"]


def subject_of(settings: dict[str, Any]) -> Subject:
    """What an exploration looks at."""
    return subject(load_data(config.from_mapping(settings)), "train", create("exploration", {"pca": 2}), 0)


def explored(method: Any, tmp_path: Path, settings: Any = IRIS, **options: Any) -> dict[str, Any]:
    return api.explore(method, settings, out=tmp_path / "found", **options)


def column(folder: str, name: str) -> list[str]:
    with open(Path(folder, "samples.csv"), encoding="utf-8") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_components_are_those_of_the_covariance(tmp_path: Path) -> None:
    x, _ = arrays(IRIS)
    found = explored({"pca": 3}, tmp_path)
    peer = PCA().fit(x)
    variances = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    result = found["result"]
    assert result["explained_variance"] == pytest.approx(peer.explained_variance_)
    assert result["explained_variance"] == pytest.approx(variances)
    assert result["explained_variance_ratio"] == pytest.approx(variances / variances.sum())
    together = np.cumsum(variances / variances.sum())
    for share, count in result["needed"].items():
        assert together[count - 1] >= float(share) > (together[count - 2] if count > 1 else 0)
    for k in range(3):
        said = np.array(column(found["folder"], f"component_{k + 1}"), float)
        assert said == pytest.approx(peer.transform(x)[:, k], abs=1e-9)


def test_clusters_are_those_of_scikit_learn(tmp_path: Path) -> None:
    x, y = arrays(IRIS)
    found = explored({"k_means": 5}, tmp_path)
    assert found["result"]["n_clusters"] == 3  # as many as classes
    for k, row in enumerate(found["result"]["clusters"], start=1):
        peer = KMeans(k, n_init=10, random_state=5).fit(x)
        assert row["k"] == k and row["inertia"] == pytest.approx(peer.inertia_)
        assert row["sizes"] == np.bincount(peer.labels_).tolist()
        table = contingency_matrix(peer.labels_, y)
        assert row["purity"] == pytest.approx(table.max(1).sum() / len(x))
        assert row["adjusted_rand_index"] == pytest.approx(adjusted_rand_score(y, peer.labels_))
        if k == 3:
            assert found["result"]["cross_table"] == table.tolist()
            assert [int(c) for c in column(found["folder"], "cluster")] == peer.labels_.tolist()
    inertia = [row["inertia"] for row in found["result"]["clusters"]]
    means = np.array([x[peer.labels_ == k].mean(0) for k in range(5)])
    assert inertia[4] == pytest.approx(((x - means[peer.labels_]) ** 2).sum())


def test_mixtures_are_those_of_scikit_learn(tmp_path: Path) -> None:
    x, y = arrays(IRIS)
    found = explored({"gaussian_mixture": {"max_components": 3}}, tmp_path)
    rows = found["result"]["mixtures"]
    assert len(rows) == 12
    for row in rows:
        kind, k = row["covariance_type"], row["components"]
        peer = GaussianMixture(k, covariance_type=kind, n_init=3, max_iter=200, random_state=5).fit(x)
        assert [row["bic"], row["aic"]] == pytest.approx([peer.bic(x), peer.aic(x)])
        assert row["log_likelihood"] == pytest.approx(peer.score(x))
        p, likelihood = row["parameters"], row["log_likelihood"] * len(x)
        assert row["bic"] == pytest.approx(p * np.log(len(x)) - 2 * likelihood)
        assert row["aic"] == pytest.approx(2 * p - 2 * likelihood)
        assert row["adjusted_rand_index"] == pytest.approx(adjusted_rand_score(y, peer.predict(x)))
    best = min(rows, key=lambda row: row["bic"])
    assert found["result"]["best"] == {name: best[name] for name in ("covariance_type", "components")}
    assert np.array(found["result"]["cross_table"]).sum() == len(x)
    assert all(1 / 3 <= float(p) <= 1 for p in column(found["folder"], "probability"))


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_parameters_of_a_mixture_are_counted(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    peer = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    assert parameters(kind, 3, 4) == peer._n_parameters()


def test_the_map_is_that_of_scikit_learn(tmp_path: Path) -> None:
    x, _ = arrays(IRIS)
    spec = {"tsne": {"perplexity": 12, "max_iter": 300, "seed": 4}}
    found = explored(spec, tmp_path)
    peer = TSNE(perplexity=12, max_iter=300, init="pca", random_state=4)
    places = peer.fit_transform(x)
    assert found["parameters"]["seed"] == 4 and found["result"]["perplexity"] == 12
    assert found["result"]["kl_divergence"] == pytest.approx(peer.kl_divergence_, rel=1e-4)
    said = np.array([column(found["folder"], name) for name in "xy"], float).T
    assert said == pytest.approx(places, rel=1e-3, abs=1e-3)


def test_a_sample_is_drawn_by_the_seed_and_said(tmp_path: Path) -> None:
    whole, some, again, other = (
        explored({"pca": {"samples": count, "seed": seed}}, tmp_path / str(number))
        for number, (count, seed) in enumerate([(1000, 0), (20, 0), (20, 0), (20, 1)])
    )
    assert whole["samples"] == whole["available"] == some["available"] > some["samples"] == 20
    assert some["notes"][0].startswith(f"20 of {some['available']} samples were drawn")
    assert not whole["notes"] and some["result"] == again["result"] != other["result"]
    ids = [column(found["folder"], "sample") for found in (whole, some)]
    assert set(ids[1]) < set(ids[0]) and len(set(ids[1])) == 20


def test_parts_and_preparations_are_those_of_the_config(tmp_path: Path) -> None:
    x, _ = arrays(iris(data__prepare=["min_max"]), "validation")
    found = explored("pca", tmp_path, iris(data__prepare=["min_max"]), split="validation")
    assert found["samples"] == len(x)
    assert found["result"]["explained_variance"] == pytest.approx(PCA().fit(x).explained_variance_)
    with pytest.raises(UsageError, match="no such part; expected train, validation, test; got train_dev"):
        explored("pca", tmp_path, split="train_dev")


def test_values_are_coloured_by_quarters_and_have_no_cross_table(tmp_path: Path) -> None:
    settings = {"task": "regression", "data": {"source": "diabetes", "prepare": ["standardize"]}}
    settings["model"] = {"graph": {"y": ["dense"]}}
    found = explored({"k_means": 4}, tmp_path, settings)
    assert found["classes"] is None and found["result"]["cross_table"] is None
    assert "purity" not in found["result"]["clusters"][0] and "classes.svg" not in found["files"]
    assert found["result"]["n_clusters"] == found["result"]["elbow"]
    legend = [word for word in texts(Path(found["folder"], "samples.svg")) if word.startswith("target ")]
    assert len(legend) == 4
    _, y = arrays(settings)
    assert legend[0] == f"target {y.min():.3g} to {np.sort(y.ravel())[: len(y) // 4 + 1].max():.3g}"


def test_targets_are_shown_as_they_were_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared ones were shown in the unit of the preparation, classes of a head by the range of their numbers."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'ab'[k % 2]},{100 + k}" for k, (a, b) in enumerate(rng.standard_normal((60, 2)))]
    Path("t.csv").write_text("x1,x2,kind,price\n" + "\n".join(rows) + "\n")
    source = {"path": "t.csv", "features": ["x1", "x2"]}
    model = {"graph": {"y": ["dense"]}}
    data: dict[str, Any] = {"source": {"csv": {**source, "target": "price"}}, "prepare_target": ["standardize"]}
    settings: dict[str, Any] = {"name": "t", "task": "regression", "model": model, "data": data}
    found = subject_of(settings)
    assert found.targets is not None
    np.testing.assert_allclose(found.targets, 100 + found.ids, rtol=1e-6)
    assert all(name.startswith("price 1") for name in found.groups())
    heads = {"price": {"task": "regression", "target": "price"}, "kind": {"target": "kind"}}
    settings["data"] = {"source": {"csv": {**source, "target": ["kind", "price"]}}}
    settings["model"] = {"outputs": ["price", "kind"], "graph": {"price": ["dense"], "kind": [{"from": "x"}, "dense"]}}
    groups = subject_of(settings | {"task": {"multi_task": {"heads": heads}}}).groups()
    assert {name: set(found.ids[at] % 2) for name, at in groups.items()} == {"a": {0}, "b": {1}}


def test_features_of_unequal_width_are_told(tmp_path: Path) -> None:
    raw = explored("pca", tmp_path / "raw", {**iris(), "data": {"source": "wine"}})
    assert any("proline" in note and "standardize" in note for note in raw["notes"])


def test_what_cannot_be_fitted_is_told(tmp_path: Path) -> None:
    digits = {**iris(), "data": {"source": "digits", "prepare": [{"scale": 16}]}}
    found = explored({"gaussian_mixture": {"max_components": 2, "max_iter": 1}}, tmp_path, digits)
    assert {row["covariance_type"] for row in found["result"]["mixtures"]} == {"diag", "spherical"}
    said = " ".join(found["notes"])
    assert "full from 1 on (2144)" in said and "not converged after 1 iterations" in said
    with pytest.raises(DataError, match=r"no mixture can be fitted.*65 samples or more.*pca"):
        explored({"gaussian_mixture": {"samples": 64}}, tmp_path, digits)


def table(tmp_path: Path, rows: list[str]) -> dict[str, Any]:
    """A config on a table of one's own, in the working directory; all of it is trained on."""
    (tmp_path / "a.csv").write_text("\n".join(["a,b,label", *rows]) + "\n")
    source = {"csv": {"path": "a.csv", "target": "label"}}
    data = {"source": source, "split": {"random": {"validation": 0, "test": 0}}}
    return {"data": data, "model": {"graph": {"y": ["dense"]}}}


def test_one_feature_has_clusters_but_no_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = table(tmp_path, [f"{i % 2 * 10 + i / 100},0,{'ab'[i % 2]}" for i in range(20)])
    settings["data"]["source"]["csv"]["drop"] = ["b"]
    found = explored({"k_means": 2}, tmp_path, settings)
    assert found["features"] == 1 and found["result"]["clusters"][1]["purity"] == 1
    assert "clusters.svg" not in found["files"] and "one feature has no plane" in found["notes"][-1]
    for method in ("pca", "tsne"):
        with pytest.raises(UsageError, match="too few features; expected 2 features or more; got 1"):
            explored(method, tmp_path, settings)


def test_equal_samples_end_the_curve_of_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = table(tmp_path, [f"{i % 3},0,{'ab'[i % 2]}" for i in range(12)])
    found = explored({"k_means": 5}, tmp_path, settings)
    assert len(found["result"]["clusters"]) == 3 and "there are 3 different samples" in found["notes"][-1]
    with pytest.raises(DataError, match="all samples are equal"):
        explored("pca", tmp_path, table(tmp_path, ["1,2,a", "1,2,b"] * 4))


def test_words_and_huge_values_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="one_hot"):
        explored("pca", tmp_path, table(tmp_path, ["red,1,a", "blue,2,b"] * 4))
    huge = table(tmp_path, ["1e200,1,a", "-1e200,2,b"] * 4) | {"dtype": "float64"}
    with pytest.raises(DataError, match="too large for its square"):
        explored("k_means", tmp_path, huge)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"k_means": 500}, "k_means.max_clusters: there are not that many samples; expected at most"),
        ({"k_means": {"n_clusters": 500}}, "k_means.n_clusters: there are not that many samples"),
        ({"gaussian_mixture": 500}, "gaussian_mixture.max_components: there are not that many samples"),
        ({"tsne": 500}, "tsne: the perplexity is too large; expected less than"),
    ],
)
def test_more_groups_than_samples_are_refused(method: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        explored(method, tmp_path)
    assert said in str(error.value) and "write `" in str(error.value)
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("k_mean", "did you mean 'k_means'"),
        ("dropout", "'dropout' is a layer"),
        ("k_means: 0", "expected a whole number of at least 1; got 0"),
        ("k_means: {clusters: 3}", "k_means has no parameter 'clusters'"),
        ("gaussian_mixture: {covariance_types: [round]}", "round"),
        ("tsne: {max_iter: 10}", "250"),
        ("k_means: [", "METHOD: "),
        ("", "METHOD: no exploration is named"),
        ("[pca, tsne]", "this does not name one exploration"),
    ],
)
def test_a_wrong_method_is_one_sentence(
    method: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in error_of(capsys, "explore", method, "iris-softmax")
    assert list(tmp_path.iterdir()) == []


def test_a_plain_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "found").write_text("mine")
    with pytest.raises(StorageError, match="found"):
        explored("pca", tmp_path)
    assert (tmp_path / "found").read_text() == "mine"
    with pytest.raises(ConfigError, match="no exploration of this name"):
        explored("dense", tmp_path)


def texts(path: Path) -> list[str]:
    """The words of a picture."""
    return [element.text or "" for element in ElementTree.parse(path).iter() if element.tag.endswith("text")]


@pytest.mark.parametrize(
    ("method", "pictures"),
    [
        ("pca", {"variance", "samples", "contributions"}),
        ("k_means: 4", {"elbow", "classes", "clusters", "samples"}),
        ("gaussian_mixture: 2", {"bic", "aic", "classes", "components", "samples"}),
        ("tsne: {max_iter: 250}", {"samples"}),
    ],
)
def test_the_command_writes_a_folder(
    method: str,
    pictures: set[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = json_of(capsys, "explore", method, "iris-softmax")
    assert set(found) == promised("explore")
    folder = Path(found["folder"])
    assert folder == tmp_path / "runs" / f"iris-softmax-{found['method']}-1"
    assert set(found["files"]) == {path.name for path in folder.iterdir()}
    assert set(found["files"]) == {"result.json", "samples.csv", *(f"{name}.svg" for name in pictures)}
    assert json.loads((folder / "result.json").read_text()) == found
    assert {"setosa", "versicolor", "virginica"} <= set(texts(folder / "samples.svg"))
    assert len(column(str(folder), "class")) == found["samples"]
    assert run(["explore", method, "iris-softmax"]) == 0
    out = capsys.readouterr().out
    assert f"{folder.parent / folder.name[:-1]}2" in out.replace("\n", "")
    assert len(names(tmp_path / "runs")) == 2


def test_no_digit_is_lost_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    narrow(24, monkeypatch)
    assert run(["explore", "k_means: 3", "iris-softmax"]) == 0
    page = capsys.readouterr().out
    result = json.loads((tmp_path / "runs" / "iris-softmax-k_means-1" / "result.json").read_text())["result"]
    for row in result["clusters"]:
        assert f"{row['purity']:.4f}" in page and f"{row['adjusted_rand_index']:.4f}" in page
    assert "…" not in page
    assert all(len(line) <= 24 for line in page.splitlines() if "┤" in line)


def test_explorations_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    listed = [item["name"] for item in json_of(capsys, "list", "explorations")["items"]]
    assert listed == ["k_means", "pca", "tsne", "gaussian_mixture"]
    meanings = json_of(capsys, "explain", "pca")["meanings"]
    assert [meaning["kind"] for meaning in meanings] == ["preparation", "exploration"]


def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dltrain", "explore", "k_means: {max_clusters: 200, n_init: 500}", "digits-mlp"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_a_signal_between_two_files_waits_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dltrain.runs import results

    def interrupted(path: Path, text: str) -> None:
        path.write_text(text)
        if path.name == "a.svg":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(results, "atomic_write", interrupted)
    found = Finding({}, figures={"a": "<svg/>"}, columns={"k": np.arange(2)})
    subject = Subject(np.eye(2), np.array([7, 9]))
    with pytest.raises(Stopped):
        write(found, subject, FACTS, "name", tmp_path, None)
    assert {path.name for path in (tmp_path / "name-1").iterdir()} == {"a.svg", "samples.csv", "result.json"}
    assert (tmp_path / "name-1" / "samples.csv").read_text() == "sample,k\n7,0\n9,1\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_of_a_terminal_or_rare_lines(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 9.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with progress() as tell:
        for text in ("k = 1", "k = 2", "k = 3" + "x" * 20):
            tell(text)
    lines = ["k = 1", "k = 2", f"k = 3{'x' * 14}", ""]
    assert capsys.readouterr().err == ("".join(f"\r\x1b[K{line}" for line in lines) if terminal else "k = 2\n")


def test_points_stand_where_their_values_say_and_many_are_thinned() -> None:
    def points(text: str) -> np.ndarray:
        paths = [p.get("d", "") for p in ElementTree.fromstring(text).iter() if p.get("stroke") and p.get("d")]
        return np.array([[float(n) for n in move.split("h")[0].split()] for p in paths for move in p.split("M")[1:]])

    places = np.array([[0.0, 7.0], [1.0, 3.0], [2.0, 5.0]])
    found = points(scatter("map", ("a", "b"), places, {"all": np.arange(3)}))
    assert found[:, 0] == pytest.approx(np.interp(places[:, 0], [0, 2], [76, 596]), abs=0.06)
    assert np.argsort(-found[:, 1]).tolist() == np.argsort(places[:, 1]).tolist()
    many = np.random.default_rng(0).normal(size=(2 * MOST_POINTS + 1, 2))
    groups = {"some": np.arange(1000), "others": np.arange(1000, len(many))}
    thinned = points(scatter("map", ("a", "b"), many, groups))
    assert MOST_POINTS * 0.6 < len(thinned) <= MOST_POINTS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ignored_labels_are_a_group_of_their_own(dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{i}.5,{i * i % 7},{'abu'[i % 3]}" for i in range(60)]
    settings = table(tmp_path, rows) | {"dtype": dtype, "task": {"classification": {"ignore_label": "u"}}}
    found = explored({"k_means": 3}, tmp_path, settings)
    _, y = arrays(settings)
    assert (y < 0).sum() == 20
    assert column(found["folder"], "class").count("(ignored)") == (y < 0).sum()
