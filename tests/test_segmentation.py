"""The task segmentation: every pixel is a decision, in the loss, in the metrics, and in the masks that are written."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from picture_files import noise, packed
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, jaccard_score
from test_cli import error_of, json_of

from dltrain import api, build_model
from dltrain.cli.main import run
from dltrain.data import DataFolders, Pool
from dltrain.data.loader import Batch
from dltrain.data.masks import SHAPES, Shapes, within
from dltrain.data.wanted import read_target
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.losses.classification import SoftmaxCrossEntropy
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.trained import load_run
from dltrain.types import Need

MODEL = {"graph": {"h": [{"conv": 8}, "relu"], "logits": [{"conv": {"kernel_size": 3}}]}}
SETTINGS: dict[str, Any] = {
    "name": "shapes",
    "task": "segmentation",
    "data": {"source": {"shapes": {"samples": 40, "size": 16}}, "prepare": [{"scale": 255}]},
    "model": MODEL,
    "optimizer": {"adam": 0.01},
    "metrics": ["accuracy", "mean_iou", "dice"],
    "train": {"epochs": 2, "batch_size": 8},
}


def bound_of(task: Any, classes: int = 3) -> Any:
    data: Any = SimpleNamespace(
        classes=list("abcdef"[:classes]), shape=(4, 5, 2), target_names=["mask"], class_counts=[9] * 3
    )
    return create("task", task).bind(data, ["y"], None, None)


def batch_of(target: np.ndarray, weight: np.ndarray | None = None) -> Batch:
    return Batch({}, target, slice(None), 0, 0, np.arange(len(target)), weight)


def test_the_loss_is_the_mean_over_all_pixels() -> None:
    rng = np.random.default_rng(0)
    z, target = rng.normal(size=(2, 4, 5, 3)), rng.integers(0, 3, (2, 4, 5)).astype(np.int32)
    log = z - np.log(np.exp(z).sum(-1, keepdims=True))
    picked = -np.take_along_axis(log, target[..., None].astype(int), -1)[..., 0]
    loss, gradient = bound_of("segmentation").loss({"y": z}, batch_of(target), Mode())
    assert loss == pytest.approx(picked.mean(), rel=1e-12) and gradient["y"].shape == z.shape
    expected = (np.exp(log) - np.eye(3)[target]) / target.size
    np.testing.assert_allclose(gradient["y"], expected, atol=1e-15)
    weighted, _ = bound_of("segmentation").loss({"y": z}, batch_of(target, np.array([1.0, 3.0])), Mode())
    assert weighted == pytest.approx((picked[0].mean() + 3 * picked[1].mean()) / 4, rel=1e-12)


def test_pixels_of_no_class_count_nowhere() -> None:
    rng = np.random.default_rng(1)
    z, target = rng.normal(size=(2, 4, 5, 3)), rng.integers(-1, 3, (2, 4, 5)).astype(np.int32)
    bound = bound_of({"segmentation": {"ignore_label": 255}})
    known = target >= 0
    loss, gradient = bound.loss({"y": z}, batch_of(target), Mode())
    plain, _ = SoftmaxCrossEntropy().forward(z[known], target[known].astype(np.int64), Mode())
    assert loss == pytest.approx(plain, rel=1e-12) and not gradient["y"][~known].any()
    tally = bound.tally()
    tally.add(loss, 0.0, {"y": z}, batch_of(target), Mode().kernels(z))
    assert tally.collectors["confusion"].arrays["counts"].sum() == known.sum()
    parts = [bound.loss({"y": z[k : k + 1]}, batch_of(target[k : k + 1]), Mode())[0] for k in (0, 1)]
    weights = [known[k].sum() for k in (0, 1)]
    assert loss == pytest.approx(np.average(parts, weights=weights), rel=1e-12)


def test_micro_batches_are_one_batch() -> None:
    rng = np.random.default_rng(2)
    z, target = rng.normal(size=(4, 4, 5, 3)), rng.integers(-1, 3, (4, 4, 5)).astype(np.int32)
    bound = bound_of({"segmentation": {"ignore_label": 255, "class_weight": [1.0, 2.0, 0.5]}})
    whole = batch_of(target)
    whole.inputs["x"] = z
    _, gradient = bound.loss({"y": z}, whole, Mode())
    pieces = [bound.loss({"y": piece.inputs["x"]}, piece, Mode())[1]["y"] for piece in whole.pieces(2)]
    np.testing.assert_allclose(np.concatenate(pieces), gradient["y"], atol=1e-15)


def test_shapes_are_where_their_masks_say() -> None:
    pool = Shapes(samples=30, noise=0.0).load(DataFolders())
    x, y = pool.columns["x"], pool.columns["y"]
    assert sorted(np.unique(y)) == [0, 1, 2, 3] and pool.classes == SHAPES
    for picture, mask in zip(x, y, strict=True):
        assert len(np.unique(picture[mask == 0], axis=0)) == 1  # one background, drawn nowhere else
    grid = np.linspace(-1.5, 1.5, 601)
    for kind, area in ((1, np.pi), (2, 1.7**2), (3, 1.8**2 * 0.55)):
        assert within(kind, *np.meshgrid(grid, grid, indexing="ij")).mean() * 9 == pytest.approx(area, rel=0.02)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segmentation")
    api.fit(SETTINGS, runs=path)
    return path


def test_a_run_learns_measures_and_predicts(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load_run("shapes", runs=runs)
    losses = [record["train"]["loss"] for record in loaded.metrics]
    assert losses[-1] < losses[0]
    pool = Shapes(samples=8, size=16, seed=7).load(DataFolders())
    np.savez(tmp_path / "new.npz", x=pool.columns["x"], y=pool.columns["y"])
    said = np.stack([row["mask"] for row in loaded.predict(pool.columns["x"])])
    assert said.shape == (8, 16, 16) and said.dtype == np.uint8
    measured = loaded.evaluate(data=tmp_path / "new.npz")
    truth = pool.columns["y"].ravel()
    assert measured["accuracy"] == pytest.approx(accuracy_score(truth, said.ravel()))
    assert measured["mean_iou"] == pytest.approx(jaccard_score(truth, said.ravel(), average="macro", zero_division=0))
    assert measured["dice"] == pytest.approx(f1_score(truth, said.ravel(), average="macro", zero_division=0))

    for name, arrays in (("images", pool.columns["x"]), ("masks", pool.columns["y"][..., None])):
        (tmp_path / "set" / name).mkdir(parents=True)
        for k, pixels in enumerate(arrays):
            (tmp_path / "set" / name / f"{k}.png").write_bytes(packed(pixels))
    assert loaded.evaluate(data=tmp_path / "set") == pytest.approx(measured)
    pictures, out = str(tmp_path / "set" / "images"), str(tmp_path / "masks")
    told = json_of(capsys, "predict", "shapes", pictures, "--runs", str(runs), "--masks", out)
    assert [list(row) for row in told["predictions"]] == [["pixels"]] * 8
    for k, mask in enumerate(said):
        with Image.open(tmp_path / "masks" / f"{k:05d}.png") as image:
            assert image.mode == "P" and (np.asarray(image) == mask).all()
        assert told["predictions"][k]["pixels"]["background"] == pytest.approx((mask == 0).mean())
    assert run(["predict", "shapes", pictures, "--runs", str(runs), "--out", str(tmp_path / "a.csv")]) == 0
    assert (
        (tmp_path / "a.csv").read_text().startswith("pixels_background,pixels_circle,pixels_square,pixels_triangle\n")
    )


def test_a_picture_of_another_shape_is_stretched(runs: Path, tmp_path: Path, capsys: Any) -> None:
    """A run of arrays cut the middle out to predict, and stretched to evaluate."""
    x = Shapes(samples=1, size=16, seed=7).load(DataFolders()).columns["x"][0]
    wide = np.repeat(x, 4, axis=1)  # 16 × 64: stretched back it is the same, its middle is not
    for name, pixels in (("own", x), ("wide", wide)):
        (tmp_path / f"{name}.png").write_bytes(packed(pixels))
    own, wide = (api.predict("shapes", [tmp_path / f"{name}.png"], runs=runs) for name in ("own", "wide"))
    masks = [found["predictions"][0]["mask"] for found in (own, wide)]
    assert (masks[0] == masks[1]).mean() > 0.95
    out = ["--runs", str(runs), "--masks", str(tmp_path / "out")]
    assert run(["predict", "shapes", str(tmp_path / "wide.png"), *out]) == 0
    assert "1 masks of 16 × 16 pixels, the size the run learned" in capsys.readouterr().err


def test_an_ensemble_and_a_look_inside(runs: Path, tmp_path: Path) -> None:
    api.fit(SETTINGS, runs=runs, name="other", seed=3)
    x = Shapes(samples=8, size=16, seed=7).load(DataFolders()).columns["x"]
    np.save(tmp_path / "x.npy", x)
    both = api.predict(["shapes", "other"], [tmp_path / "x.npy"], runs=runs)
    assert both["samples"] == 8 and both["predictions"][0]["mask"].shape == (16, 16)
    seen = api.show("saliency", "shapes", class_="circle", runs=runs, out=tmp_path / "out")
    with pytest.raises(UsageError, match="the network answers for every pixel by itself.*predict RUN PICTURE --masks"):
        api.show("class_map", "shapes", runs=runs, out=tmp_path / "out")
    assert seen["result"]["class"] == "circle" and 0 <= seen["result"]["said"] <= 1


@pytest.mark.parametrize(
    ("y", "classes", "said"),
    [
        (np.zeros(4, int), None, "the targets are no masks"),
        (np.zeros((4, 3, 3)), None, "the targets are no masks"),
        (np.zeros((4, 3, 4), int), None, "pictures and masks differ in size; expected 3 × 3; got 3 × 4"),
        (
            np.full((4, 3, 3), 2),
            ["a", "b"],
            "a.npz, sample 0, pixel 0, 0: this pixel is of no class; expected 0 to 1; got 2",
        ),
        (np.full((4, 3, 3), 255), None, "all pixels are ignored"),
    ],
)
def test_wrong_masks_are_refused(y: np.ndarray, classes: list[str] | None, said: str) -> None:
    pool = Pool({"x": np.zeros((4, 3, 3, 1)), "y": y}, "a.npz", classes=classes)
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        read_target(pool, Need("masks", ignore=255), "float32")


def test_folders_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    config = {**SETTINGS, "data": {"source": {"mask_folder": "set"}}}
    Path("a.yaml").write_text(json.dumps(config))
    (tmp_path / "data" / "set" / "images").mkdir(parents=True)
    assert "there is no picture" in error_of(capsys, "check", "a.yaml", code=3)
    for k in range(20):
        (tmp_path / "data" / "set" / "images" / f"{k}.png").write_bytes(packed(noise(k, 6, 6)))
    assert "there is no such folder; expected folders of pictures and masks; got masks" in error_of(
        capsys, "check", "a.yaml", code=3
    )
    (tmp_path / "data" / "set" / "masks").mkdir()
    for k in range(19):
        (tmp_path / "data" / "set" / "masks" / f"{k}.png").write_bytes(packed(noise(k, 6, 6, 1) % 2))
    assert "19.png: the picture has no mask" in error_of(capsys, "check", "a.yaml", code=3)
    colours = tmp_path / "data" / "set" / "masks" / "19.png"
    colours.write_bytes(packed(noise(0, 6, 6)))
    assert "a mask holds class numbers" in error_of(capsys, "check", "a.yaml", code=3)
    colours.write_bytes(packed(noise(19, 3, 6, 1) % 2))
    assert run(["check", "a.yaml"]) == 0  # a mask of another size takes the nearest pixels


def test_the_output_must_be_as_large_as_the_picture() -> None:
    graph = {"graph": {"logits": [{"conv": {"filters": 4, "strides": 2}}]}}
    with pytest.raises(ConfigError, match=r"does not fit the data; expected \(16, 16, 4\); got \(8, 8, 4\)"):
        api.check({**SETTINGS, "model": graph})
    assert build_model({**SETTINGS, "model": MODEL}).wires["logits"] == (16, 16, 4)
