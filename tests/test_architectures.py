"""The published networks among the shipped configs: their parameters, counted as in papers and other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_models

from dltrain import api, config
from dltrain.model.graph import Graph
from dltrain.model.notation import parse_model
from dltrain.model.summary import summarize
from dltrain.training import evaluation
from dltrain.training.evaluation import evaluation_batch

CONFIGS = Path(__file__).parent.parent / "configs"
# name: (parameters, side of the picture, colours, classes)
PUBLISHED = {
    "images/mnist-lenet": (61_706, 28, 1, 10),
    "architectures/alexnet": (62_378_344, 227, 3, 1000),
    "architectures/inception": (13_378_280, 224, 3, 1000),  # with both helpers; 6,998,552 without
    "architectures/vgg-16": (138_357_544, 224, 3, 1000),
    "architectures/vgg-19": (143_667_240, 224, 3, 1000),
    "architectures/resnet-18": (11_689_512, 224, 3, 1000),
    "architectures/resnet-34": (21_797_672, 224, 3, 1000),
    "architectures/resnet-50": (25_557_032, 224, 3, 1000),
    "architectures/resnet-101": (44_549_160, 224, 3, 1000),
    "architectures/resnet-152": (60_192_808, 224, 3, 1000),
    "architectures/resnet-20": (272_474, 32, 3, 10),  # 0.27 million
    "architectures/resnet-56": (855_770, 32, 3, 10),  # 0.85 million
    "architectures/network-in-network": (966_986, 32, 3, 10),
    "architectures/all-convolutional": (1_369_738, 32, 3, 10),
    "architectures/mobilenet": (4_231_976, 224, 3, 1000),
    "architectures/u-net": (31_030_658, 64, 1, 2),
}

# name: billions of multiply-adds of convolutions and dense layers for one picture, as in the papers and torchvision
MULTIPLY_ADDS = {
    "architectures/vgg-16": 15.470,
    "architectures/vgg-19": 19.632,
    "architectures/resnet-18": 1.814,
    "architectures/resnet-34": 3.664,
    "architectures/resnet-50": 4.089,
    "architectures/resnet-101": 7.801,
    "architectures/resnet-152": 11.514,
    "architectures/resnet-20": 0.041,
    "architectures/mobilenet": 0.569,
}


def graph_of(name: str) -> Graph:
    _, side, colours, classes = PUBLISHED[name]
    model = config.load(CONFIGS / f"{name}.yaml").model
    outputs = model.get("outputs") or [list(model["graph"])[-1]]
    plan = parse_model(model, variables={"classes": classes}, output_units=dict.fromkeys(outputs, classes))
    return Graph(plan, {"x": (side, side, colours)})


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_that_are_published(name: str) -> None:
    graph = graph_of(name)
    assert sum(parameter.size for parameter in graph.parameters.values()) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_those_that_are_published(name: str) -> None:
    rows = summarize(graph_of(name), 1).rows
    counted = sum(row.macs for row in rows if row.kind in ("conv", "depthwise_conv", "dense"))
    assert round(counted / 1e9, 3) == MULTIPLY_ADDS[name]


def test_every_architecture_is_counted() -> None:
    assert {f"architectures/{path.stem}" for path in (CONFIGS / "architectures").glob("*.yaml")} < set(PUBLISHED)


def test_inception_without_its_helpers() -> None:
    graph = graph_of("architectures/inception")
    helpers = sum(p.size for path, p in graph.parameters.items() if path.startswith(("early.", "middle.")))
    assert PUBLISHED["architectures/inception"][0] - helpers == 6_998_552


@pytest.mark.parametrize(
    "name",
    ["resnet-20", pytest.param("resnet-56", marks=pytest.mark.slow), "network-in-network", "all-convolutional"],
)
def test_small_ones_train(name: str, data_folder: Path) -> None:
    """One step and one evaluation on real pictures."""
    summary, _ = api.check(CONFIGS / "architectures" / f"{name}.yaml", sets=["train.batch_size=8"])
    assert summary["parameters"] == PUBLISHED[f"architectures/{name}"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["images/mnist-lenet", "architectures/resnet-20"])
def test_gradients_are_proven(name: str, data_folder: Path) -> None:
    assert api.gradcheck(CONFIGS / f"{name}.yaml", samples=2)["passed"]


@pytest.mark.parametrize("name", ["resnet-18", "mobilenet", "vgg-16"])
def test_large_ones_run_on_a_folder_of_pictures(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user would: pictures in ./data/pictures, a folder for each class; smaller ones, so that it is quick."""
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        folder = tmp_path / "data" / "pictures" / kind
        folder.mkdir(parents=True)
        for number in range(10):
            image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(folder / f"{number}.png")
    sets = ["data.source.image_folder.size=32", "train.batch_size=2"]
    sets += ["model.graph.logits=[flatten, dense: 8, relu, dense]"] if name == "vgg-16" else []
    summary, _ = api.check(CONFIGS / "architectures" / f"{name}.yaml", sets=sets)
    assert summary["layers"][-1]["output_shape"] == [2]


def test_an_evaluation_of_large_pictures_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 pictures of 224 × 224 would take the first layers of a network 3 GB; the bits of small ones stay."""
    assert evaluation_batch(graph_of("architectures/resnet-50")) == 64
    assert evaluation_batch(graph_of("architectures/resnet-20")) == 512
    one = {"graph": {"y": [{"conv": 4}, "flatten", {"dense": 2}]}}
    graph = small_models.graph_of(one, {"x": (8, 8, 1)})
    assert evaluation_batch(graph) == 512
    values = 8 * 8 * (4 + 4)  # what flatten reads and writes, the most of all
    monkeypatch.setattr(evaluation, "ROOM", 4 * values * 100)
    assert evaluation_batch(graph) == 64
    monkeypatch.setattr(evaluation, "ROOM", 1)
    assert evaluation_batch(graph) == 1
