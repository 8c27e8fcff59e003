"""`dltrain show`: derivatives are derivatives, and what is planted in a picture is found there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import packed
from PIL import Image
from test_cli import error_of, json_of

from dltrain import api, build_model
from dltrain.cli.main import run
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.looking import Inside, Subject, Unit
from dltrain.looking.seen import enlarged
from dltrain.registry import create
from dltrain.runs.folder import RunFolder
from dltrain.training.trained import load_run

UNITS = [Unit("dark", "logits", 0), Unit("bright", "logits", 1)]
CONVOLUTIONS = {
    "features": [{"conv": {"filters": 5, "padding": "valid"}}, "tanh", {"conv": {"filters": 4, "strides": 2}}, "tanh"],
    "logits": ["flatten", {"dense": 2}],
}
DENSE = {"hidden": ["flatten", {"dense": 6}, "tanh"], "logits": [{"dense": 2}]}
SILENT = lambda text: None  # noqa: E731


def network(graph: dict[str, Any] = CONVOLUTIONS, shape: tuple[int, ...] = (9, 8, 3)) -> Inside:
    return Inside(build_model({"graph": graph}, {"x": shape}, seed=3, dtype="float64"))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape)


def look(spec: Any, subject: Subject) -> Any:
    return create("view", spec).look(subject, SILENT)


@pytest.mark.parametrize("graph", [CONVOLUTIONS, DENSE], ids=["convolutions", "dense"])
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_saliency_is_the_derivative(graph: dict[str, Any], unit: Unit) -> None:
    inside, x = network(graph), noise(1, 9, 8, 3)
    numeric = np.zeros_like(x[0])
    for place in np.ndindex(numeric.shape):
        step = np.zeros_like(x)
        step[(0, *place)] = 1e-6
        numeric[place] = (inside.scores(x + step, [unit])[0] - inside.scores(x - step, [unit])[0]) / 2e-6
    seen = look("saliency", Subject(inside, x, unit=unit))
    np.testing.assert_allclose(seen.arrays["saliency"], np.abs(numeric).max(-1), atol=1e-8)
    np.testing.assert_allclose(seen.arrays["gradient_times_input"], (numeric * x[0]).sum(-1), atol=1e-8)


def test_noisy_copies_are_averaged() -> None:
    """Of a linear network every copy has the same derivative; of another one the mean tends to that of a wider bump."""
    linear = network({"logits": ["flatten", {"dense": 2}]})
    subject = Subject(linear, noise(1, 9, 8, 3), unit=UNITS[1])
    plain, many = (look({"saliency": {"samples": n}}, subject).arrays["saliency"] for n in (1, 5))
    np.testing.assert_allclose(plain, many, rtol=1e-12)
    curved = Subject(network(), noise(1, 9, 8, 3), unit=UNITS[1])
    plain, many, again = (look({"saliency": {"samples": n}}, curved).arrays["saliency"] for n in (1, 5, 5))
    assert np.abs(plain - many).max() > 1e-3
    np.testing.assert_array_equal(many, again)


def test_the_first_of_two_classes_has_the_logit_turned_over() -> None:
    inside = network({"logits": ["flatten", {"dense": 1}]})
    units = [Unit("no", "logits", 0, -1.0), Unit("yes", "logits", 0)]
    x = np.repeat(noise(1, 9, 8, 3), 2, axis=0)
    scores, slopes = inside.scores(x, units), inside.derivative(x, units)["x"]
    assert scores[0] == -scores[1] and (slopes[0] == -slopes[1]).all() and np.abs(slopes).max() > 0


def planted(corner: tuple[int, int]) -> np.ndarray:
    """A dark picture with a bright square of 3 × 3."""
    x = np.zeros((1, 16, 16, 1))
    x[0, corner[0] : corner[0] + 3, corner[1] : corner[1] + 3] = 1
    return x


def detector() -> Inside:
    """It says "bright" as far as there is a bright square of 3 × 3, wherever it is."""
    square = {"filters": 2, "kernel_initializer": {"constant": np.full((3, 3, 1, 2), [0, 1]).tolist()}}
    graph = {
        "map": [{"conv": {**square, "bias_initializer": {"constant": [0, -8]}}}, "relu"],
        "logits": ["global_avg_pool"],
    }
    return network(graph, (16, 16, 1))


@pytest.mark.parametrize("corner", [(5, 4), (9, 8), (4, 9)])
def test_occlusion_finds_what_is_planted(corner: tuple[int, int]) -> None:
    """The detector is blind as soon as a pixel is hidden, so the drop is largest where every patch hides one."""
    subject = Subject(detector(), planted(corner), unit=UNITS[1])
    seen = look({"occlusion": {"size": 3, "stride": 1, "fill": 0.0}}, subject)
    drop = seen.arrays["drop"]
    there = planted(corner)[0, ..., 0] == 1
    np.testing.assert_array_equal(np.isclose(drop, drop.max(), rtol=1e-9), there)
    assert tuple(seen.result["peak"]) == corner and drop.max() == pytest.approx(seen.result["said"] - 0.5)
    far = np.ones_like(there)
    far[max(0, corner[0] - 2) : corner[0] + 5, max(0, corner[1] - 2) : corner[1] + 5] = False
    assert np.abs(drop[far]).max() < 1e-12 and seen.result["patches"] == 14 * 14  # a patch there hides nothing


@pytest.mark.parametrize("corner", [(2, 2), (10, 3), (6, 11)])
def test_grad_cam_finds_what_is_planted(corner: tuple[int, int]) -> None:
    seen = look("grad_cam", Subject(detector(), planted(corner), unit=UNITS[1]))
    assert seen.result["layer"] == "map.1.relu"
    found = seen.arrays["map"]
    assert np.argwhere(found > 0).tolist() == [[corner[0] + 1, corner[1] + 1]]
    np.testing.assert_allclose(seen.arrays["weights"], [0, 1 / 256])  # the mean over 256 places
    dark = look("grad_cam", Subject(detector(), planted(corner), unit=UNITS[0]))
    assert not dark.arrays["map"].any() and "0 everywhere" in dark.notes[0]


def test_grad_cam_is_its_formula() -> None:
    inside, x = network(), noise(1, 9, 8, 3)
    seen = look("grad_cam", Subject(inside, x, unit=UNITS[0]))
    maps = inside.values(x, ["features.3.tanh"])["features.3.tanh"][0]  # (4, 3, 4), flat before the dense layer
    kernel = inside.graph.parameters["logits.1.dense.kernel"].value[:, 0].reshape(maps.shape)
    expected = np.maximum(0, (maps * kernel.mean(axis=(0, 1))).sum(-1))
    np.testing.assert_allclose(seen.arrays["map"], expected, atol=1e-12)


def test_the_score_rises_by_gradient_ascent() -> None:
    inside = network()
    subject = Subject(inside, units=UNITS)
    seen = look({"maximize": {"steps": 40, "jitter": 1}}, subject)
    assert all(row["after"] > row["before"] + 1 for row in seen.result["units"])
    again, other = (look({"maximize": {"steps": 40, "jitter": 1, "seed": s}}, subject) for s in (0, 1))
    np.testing.assert_array_equal(seen.arrays["pictures"], again.arrays["pictures"])
    assert (seen.arrays["pictures"] != other.arrays["pictures"]).any()
    of_layer = look({"maximize": {"steps": 40, "most": 3}}, Subject(inside, units=UNITS, layer="features.0.conv"))
    assert [row["name"] for row in of_layer.result["units"]] == ["0", "1", "2"]
    assert all(row["after"] > row["before"] for row in of_layer.result["units"]) and "first 3 of 5" in of_layer.notes[0]


def test_the_picture_of_a_linear_unit_is_its_weights() -> None:
    """The derivative never changes, so the ascent ends at rate / decay times its direction."""
    inside = network({"logits": ["flatten", {"dense": 2}]})
    seen = look({"maximize": {"steps": 500, "decay": 0.1, "blur": 0, "jitter": 0}}, Subject(inside, unit=UNITS[1]))
    weights = inside.graph.parameters["logits.1.dense.kernel"].value[:, 1].reshape(9, 8, 3)
    direction = weights / np.sqrt((weights**2).mean())
    np.testing.assert_allclose(seen.arrays["pictures"][0], 0.9 * 0.05 / 0.1 * direction, atol=1e-9)


def test_filters_are_the_weights() -> None:
    seen = look("filters", Subject(network()))
    kernel = seen.arrays["kernel"]
    assert kernel.shape == (3, 3, 3, 5) and list(seen.sheets) == ["features.0.conv"]
    sheet = seen.sheets["features.0.conv"].stacked()
    assert sheet.shape == (5, 3, 3, 3)
    for o in range(5):
        assert sheet[o].min() == 0 and sheet[o].max() == 255
        assert (np.argsort(sheet[o].ravel(), kind="stable")[-1]) == kernel[..., o].argmax()
    slices = look("filters", Subject(network(), layer="features.2.conv"))
    assert slices.sheets["features.2.conv"].labels[:7] == ["0.0", "0.1", "0.2", "0.3", "0.4", "1.0", "1.1"]
    units = look("filters", Subject(network(DENSE)))
    assert units.arrays["kernel"].shape == (9, 8, 3, 6)  # what each unit of the first layer looks for
    with pytest.raises(UsageError, match=r"logits.0.dense: the layer has no filters; expected hidden.1.dense"):
        look("filters", Subject(network(DENSE), layer="logits"))


def test_activations_are_the_values_of_the_layers() -> None:
    model = build_model({"graph": CONVOLUTIONS}, {"x": (9, 8, 3)}, seed=3, dtype="float64")
    x = noise(1, 9, 8, 3)
    seen = look("activations", Subject(Inside(model), x))
    assert list(seen.sheets) == ["features.0.conv", "features.1.tanh", "features.2.conv", "features.3.tanh"]
    np.testing.assert_allclose(
        seen.arrays["features.3.tanh"], model.forward({"x": x}, wires=["features"])[0]["features"][0]
    )
    np.testing.assert_allclose(np.tanh(seen.arrays["features.0.conv"]), seen.arrays["features.1.tanh"])
    with pytest.raises(UsageError, match=r"logits.1.dense: the layer makes no feature maps; expected features.0.conv"):
        look("activations", Subject(Inside(model), x, layer="logits"))


def test_a_map_is_enlarged_about_the_middles_of_its_cells() -> None:
    ramp = np.arange(4.0)[:, None] + 10 * np.arange(3.0)
    large = enlarged(ramp, 8, 9)
    np.testing.assert_allclose(
        large[1:-1, 1:-1], (np.arange(1, 7)[:, None] + 0.5) / 2 - 0.5 + 10 * (np.arange(1, 8) - 1) / 3
    )
    assert large.min() == ramp.min() and large.max() == ramp.max()


def settings(path: Path, **changes: Any) -> dict[str, Any]:
    """Sixteen pictures of two classes: a bright square at the left, or none."""
    generator = np.random.default_rng(0)
    for k in range(16):
        pixels = generator.integers(0, 60, (9, 8, 3)).astype(np.uint8)
        name = ("dark", "bright")[k % 2]
        if name == "bright":
            pixels[3:6, 1:4] = 250
        (path / "set" / name).mkdir(parents=True, exist_ok=True)
        (path / "set" / name / f"{k}.png").write_bytes(packed(pixels))
    data = {"source": {"image_folder": {"path": "set"}}, "prepare": [{"scale": 255}]}
    train = {"epochs": 20, "batch_size": 4}
    return {"name": "squares", "seed": 1, "data": data, "model": {"graph": CONVOLUTIONS}, "train": train, **changes}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("looking")
    (path / "config.yaml").write_text(json.dumps(settings(path)))
    api.fit(path / "config.yaml", runs=path / "runs")
    return path / "runs"


def test_the_commands_write_pictures(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for view in ("filters", "activations", "saliency", "occlusion", "grad-cam", "maximize: {steps: 4}"):
        out = tmp_path / view.partition(":")[0]
        told = json_of(capsys, "show", view, "squares", "--runs", str(runs), "--out", str(out))
        assert list(told) == ["view", "parameters", "run", "checkpoint", "notes", "result", "folder", "files"]
        assert {path.name for path in out.iterdir()} == set(told["files"]) and "arrays.npz" in told["files"]
        assert json.loads((out / "result.json").read_text()) == told
        for file in told["files"]:
            if file.endswith(".png"):
                Image.open(out / file).verify()
    assert run(["show", "saliency", "squares", "--runs", str(runs), "--class", "bright"]) == 0
    assert "bright: " in capsys.readouterr().out and (runs / "squares-1-saliency-1" / "saliency.png").is_file()
    assert RunFolder.find("squares", runs).name == "squares-1"  # the folder of the pictures is no run


def test_a_run_is_asked_about_any_class_and_picture(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(packed(np.full((9, 8, 3), 200, np.uint8)))
    by_file = api.show("occlusion", "squares", input=tmp_path / "a.png", class_="dark", runs=runs, out=tmp_path / "out")
    assert by_file["result"]["picture"] == "a.png" and by_file["result"]["class"] == "dark"
    said = load_run("squares", runs=runs).predict(tmp_path / "a.png")[0]
    assert by_file["result"]["said"] == pytest.approx(said["probabilities"]["dark"], abs=1e-6)
    by_sample = api.show("saliency", "squares", sample=1, split="train", runs=runs, out=tmp_path / "out")
    assert by_sample["result"]["picture"] in ("train 1: dark", "train 1: bright")
    with np.load(tmp_path / "out" / "arrays.npz") as arrays:
        assert arrays["saliency"].shape == (9, 8)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["saliencie", "squares"], 2, "did you mean 'saliency'"),
        (["occlusion: {size: 0}", "squares"], 2, "size"),
        (["occlusion: {size: 10}", "squares"], 2, "the patch is larger than the picture; expected a size of at most 8"),
        (["saliency", "squares", "--class", "brigth"], 2, "the network knows no such class; expected bright, dark"),
        (["saliency", "squares", "--sample", "99"], 2, "there is no such sample"),
        (["grad-cam", "squares", "--layer", "feature"], 2, "the network has no such layer"),
        (["grad-cam", "squares", "--layer", "logits"], 2, "the layer makes no feature maps"),
        (["saliency", "nothing"], 2, "there is no such run"),
        (["saliency", "squares", "--input", "none.png"], 5, "cannot read the file"),
        (["saliency", "squares", "--input", "a.png", "--split", "train"], 2, "these options exclude each other"),
        (["class-map", "squares"], 2, "the network answers for whole pictures only; expected global_avg_pool"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], code: int, said: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in error_of(capsys, "show", *arguments, "--runs", str(runs), code=code)


def test_what_has_no_pictures_is_refused(tmp_path: Path) -> None:
    data = {"source": "iris"}
    flat = {"name": "a", "data": data, "model": {"graph": {"logits": ["dense"]}}, "train": {"epochs": 1}}
    api.fit(flat, runs=tmp_path)
    with pytest.raises(DataError, match=r"the run's data are no pictures; .*got features of shape \(4,\)"):
        api.show("saliency", "a", runs=tmp_path)
    api.fit({"name": "b", "data": data, "baseline": "dummy"}, runs=tmp_path)
    with pytest.raises(UsageError, match="a baseline has no layers to look at"):
        api.show("filters", "b", runs=tmp_path)
    with pytest.raises(ConfigError, match="there is no view of this name"):
        api.show("pca", "a", runs=tmp_path)
    with pytest.raises(UsageError, match=r"the network has no convolution.*`dltrain show saliency`"):
        look("grad_cam", Subject(network(DENSE), noise(1, 9, 8, 3), units=UNITS))
