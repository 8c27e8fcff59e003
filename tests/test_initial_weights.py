"""Weights from runs and files: layouts of PyTorch and Keras, what is matched, what is refused, and hostile files."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import iris, result
from test_architectures import graph_of

from dltrain import api
from dltrain.errors import ConfigError, CorruptFileError, DltrainError
from dltrain.interop.safetensors import read_safetensors
from dltrain.interop.weights import Weights, from_torchvision, read_weights
from dltrain.model.graph import Graph
from dltrain.training.initial_weights import load, match

FIXTURES = Path(__file__).with_name("fixtures")
CONV = {"filters": "$filters", "kernel_size": "$k=3", "strides": "$strides=1", "padding": "$padding=1"}
CONV_BN = [{"conv": {**CONV, "use_bias": False}}, "batch_norm"]


def one(name: str, **arguments: Any) -> dict[str, Any]:
    return {name: arguments}


def resnet_basic() -> dict[str, Any]:
    blocks = {
        "conv_bn": CONV_BN,
        "keep": [{"residual": [{"conv_bn": "$filters"}, "relu", {"conv_bn": "$filters"}]}, "relu"],
        "halve": [
            {
                "add": [
                    [one("conv_bn", filters="$filters", strides=2), "relu", {"conv_bn": "$filters"}],
                    [one("conv_bn", filters="$filters", strides=2, k=1, padding=0)],
                ]
            },
            "relu",
        ],
    }
    stem = [one("conv_bn", filters=3, k=7, strides=2, padding=3), "relu"]
    graph = {
        "stem": [*stem, one("max_pool", pool_size=3, strides=2, padding=1)],
        "stage1": [one("keep", filters=3, repeat=2)],
        "stage2": [{"halve": 4}, {"keep": 4}],
        "stage3": [{"halve": 5}, one("keep", filters=5, repeat=2)],
        "stage4": [{"halve": 6}, {"keep": 6}],
        "logits": ["global_avg_pool", {"dense": 7}],
    }
    return {"blocks": blocks, "graph": graph}


def resnet_bottleneck() -> dict[str, Any]:
    plain = {**CONV, "kernel_size": "$k=1", "padding": "$padding=0", "use_bias": False}
    wide = one("conv_bn", filters="$wide", strides="$strides")
    three = one("conv_bn", filters="$filters", k=3, strides="$strides=1", padding=1)
    blocks = {
        "conv_bn": [{"conv": plain}, "batch_norm"],
        "narrow": [{"conv_bn": "$filters"}, "relu", three, "relu"],
        "keep": [{"residual": [{"narrow": "$filters"}, {"conv_bn": "$wide"}]}, "relu"],
        "change": [
            {"add": [[one("narrow", filters="$filters", strides="$strides"), {"conv_bn": "$wide"}], [wide]]},
            "relu",
        ],
    }
    stem = [one("conv_bn", filters=2, k=7, strides=2, padding=3), "relu"]
    graph = {"stem": [*stem, one("max_pool", pool_size=3, strides=2, padding=1)]}
    for stage, (width, count) in enumerate(zip((2, 3, 4, 5), (2, 3, 2, 2), strict=True), 1):
        sizes = {"filters": width, "wide": 4 * width}
        graph[f"stage{stage}"] = [
            one("change", **sizes, strides=1 if stage == 1 else 2),
            one("keep", **sizes, repeat=count - 1),
        ]
    graph["logits"] = ["global_avg_pool", {"dense": 7}]
    return {"blocks": blocks, "graph": graph}


def vgg(*norm: str) -> dict[str, Any]:
    features = [{"conv": 4}, *norm, "relu", {"conv": 5}, *norm, "relu", {"max_pool": 2}, {"conv": 6}, *norm, "relu"]
    dense = ["flatten", {"dense": 9}, "relu", {"dropout": 0.5}, {"dense": 8}, "relu", {"dropout": 0.5}, {"dense": 7}]
    return {"graph": {"features": [*features, {"max_pool": 2}], "logits": dense}}


def keras_sequential() -> dict[str, Any]:
    norm = one("batch_norm", epsilon=0.001)
    many = [part for n in range(2, 14) for part in (one("conv", filters=n, use_bias=False), norm, "relu")]
    return {"graph": {"logits": [*many, "flatten", {"dense": 5}, "relu", {"dense": 7}]}}


def keras_functional() -> dict[str, Any]:
    norm = one("batch_norm", epsilon=0.001, center=False, scale=False)
    body = [norm, {"conv": 4}, "relu"]
    return {"graph": {"logits": [{"conv": 4}, {"residual": body}, "global_avg_pool", {"dense": 7}]}}


NETWORKS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "resnet-basic": ("torchvision", resnet_basic),
    "resnet-bottleneck": ("torchvision", resnet_bottleneck),
    "vgg": ("torchvision", vgg),
    "vgg-normed": ("torchvision", lambda: vgg("batch_norm")),
    "timm-vgg": ("torchvision", vgg),
    "keras-sequential": ("keras", keras_sequential),
    "keras-functional": ("keras", keras_functional),
}


def file_of(name: str) -> Path:
    (path,) = (FIXTURES / "weights").glob(f"{name}.[sw]*")
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_another_program_computes_the_same_here(name: str) -> None:
    format, model = NETWORKS[name]
    with np.load(FIXTURES / "weights.npz") as arrays:
        x, y = arrays[f"{name}/x"], arrays[f"{name}/y"]
    graph = api.build_model(model(), {"x": x.shape[1:]}, dtype="float64")
    weights = read_weights(file_of(name))
    assert weights.format == format
    places, left, kept = match(weights, graph, {}, [])
    assert set(places) == {*graph.parameters, *graph.statistics} and not left and not kept
    load(graph, weights, places)
    rounding = 1e-10 if format == "torchvision" else 1e-6  # Keras, told to use float64, rounds to float32 in places
    np.testing.assert_allclose(graph.forward({"x": x})[0]["logits"], y, rtol=rounding, atol=rounding)


def torchvision_names(name: str) -> dict[str, np.ndarray]:
    """The tensors of torchvision's networks: right names and shapes, and no memory."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(layer: str, norm: str, inside: int, out: int, k: int) -> None:
        shapes[f"{layer}.weight"] = (out, inside, k, k)
        shapes.update({f"{norm}.{last}": (out,) for last in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{norm}.num_batches_tracked"] = ()

    if name.startswith("vgg"):
        plan = {"vgg-16": (2, 2, 3, 3, 3), "vgg-19": (2, 2, 4, 4, 4)}[name]
        inside = number = 0
        for width, count in zip((64, 128, 256, 512, 512), plan, strict=True):
            for _ in range(count):
                shapes[f"features.{number}.weight"] = (width, inside or 3, 3, 3)
                shapes[f"features.{number}.bias"] = (width,)
                inside, number = width, number + 2
            number += 1
        for number, inside, out in ((0, 25088, 4096), (3, 4096, 4096), (6, 4096, 1000)):
            shapes |= {f"classifier.{number}.weight": (out, inside), f"classifier.{number}.bias": (out,)}
    else:
        depth = int(name.partition("-")[2])
        counts = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}[depth]
        sizes = (3, 3) if depth < 50 else (1, 3, 1)
        wider = 1 if depth < 50 else 4
        conv("conv1", "bn1", 3, 64, 7)
        inside = 64
        for stage, count in enumerate(counts, 1):
            width = 32 << stage
            for number in range(count):
                block, before = f"layer{stage}.{number}", inside
                for place, k in enumerate(sizes, 1):
                    out = width * wider if place == len(sizes) else width
                    conv(f"{block}.conv{place}", f"{block}.bn{place}", inside, out, k)
                    inside = out
                if number == 0 and before != inside:
                    conv(f"{block}.downsample.0", f"{block}.downsample.1", before, inside, 1)
        shapes |= {"fc.weight": (1000, inside), "fc.bias": (1000,)}
    return {key: np.broadcast_to(np.float32(0), shape) for key, shape in sorted(shapes.items())}


@pytest.mark.parametrize(
    "name", ["resnet-18", "resnet-34", "resnet-50", "resnet-101", "resnet-152", "vgg-16", "vgg-19"]
)
def test_the_shipped_architectures_take_torchvision_s_files(name: str) -> None:
    graph = graph_of(f"architectures/{name}")
    weights = from_torchvision(torchvision_names(name), name)
    places, left, kept = match(weights, graph, {}, [])
    assert set(places) == {*graph.parameters, *graph.statistics} and not left and not kept
    assert len(set(places.values())) == len(places)
    if name == "resnet-50":
        assert places["stem.0.conv_bn.0.conv.kernel"] == "conv1.kernel"
        assert places["stage1.0.change.0.add.1.0.conv_bn.0.conv.kernel"] == "layer1.0.downsample.0.kernel"
        assert (
            places["stage1.0.change.0.add.1.0.conv_bn.1.batch_norm.moving_mean"] == "layer1.0.downsample.1.moving_mean"
        )
        assert places["logits.1.dense.bias"] == "fc.bias"


def vgg_graph() -> Graph:
    return api.build_model(vgg(), {"x": (12, 8, 3)})


def vgg_weights() -> Weights:
    return read_weights(file_of("vgg"))


def test_a_new_head_begins_anew() -> None:
    graph = vgg_graph()
    before = graph.state()
    places, left, kept = match(vgg_weights(), graph, {}, ["classifier.6", "logits.7.dense"])
    load(graph, vgg_weights(), places)
    assert left == ["classifier.6.bias", "classifier.6.kernel"]
    assert kept == ["logits.7.dense.kernel", "logits.7.dense.bias"]
    after = graph.state()
    assert {path for path in after if np.array_equal(before[path], after[path])} == set(kept)


def test_names_are_mapped_before_the_rest_goes_in_order() -> None:
    graph = api.build_model({"graph": {"y": [{"dense": 4}, {"dense": 4}, {"dense": 4}]}}, {"x": (4,)})
    rng = np.random.default_rng(0)
    arrays = {
        f"fc{n}.{last}": rng.normal(size=s) for n in (1, 2, 3) for last, s in (("weight", (4, 4)), ("bias", (4,)))
    }
    weights = from_torchvision(arrays, "file")
    plain, _, _ = match(weights, graph, {}, [])
    assert [plain[f"y.{n}.dense.kernel"] for n in range(3)] == ["fc1.kernel", "fc2.kernel", "fc3.kernel"]
    turned, _, _ = match(weights, graph, {"fc3": "y.0.dense"}, [])
    assert [turned[f"y.{n}.dense.kernel"] for n in range(3)] == ["fc3.kernel", "fc1.kernel", "fc2.kernel"]
    load(graph, weights, turned)
    np.testing.assert_array_equal(graph.parameters["y.0.dense.kernel"].value, np.float32(arrays["fc3.weight"].T))


WRONG = [
    ({}, ["classifier.7"], "no tensor has a name like this"),
    ({}, ["classifer.6"], "did you mean 'classifier.6'"),
    ({"feature.0": "features.0.conv"}, [], "did you mean 'features.0'"),
    ({}, ["classifier.6"], "tensors of the model are not in the file"),
    ({}, ["logits.7"], "tensors of the file have no place in the model"),
    ({"features.0": "features.9.conv"}, [], "no place in the model"),
    ({"features.0": "features.2.conv", "features.2": "features.0.conv"}, [], "has another shape"),
]


@pytest.mark.parametrize(("renamed", "skipped", "said"), WRONG)
def test_what_does_not_fit_is_told(renamed: dict[str, str], skipped: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        match(vgg_weights(), vgg_graph(), renamed, skipped)
    assert said in str(caught.value)


def test_another_head_gets_advice() -> None:
    graph = api.build_model({"graph": {"logits": ["flatten", {"dense": 3}]}}, {"x": (2,)})
    weights = from_torchvision({"fc.weight": np.zeros((5, 2)), "fc.bias": np.zeros(5)}, "file")
    with pytest.raises(ConfigError, match=r"`skip: \[fc, logits.1.dense\]`"):
        match(weights, graph, {}, [])


@pytest.mark.parametrize("bad", [np.array([[np.nan]]), np.array([[1]])])
def test_weights_are_finite_numbers(bad: np.ndarray) -> None:
    graph = api.build_model({"graph": {"y": [{"dense": {"units": 1, "use_bias": False}}]}}, {"x": (1,)})
    with pytest.raises(ConfigError, match="not made of finite numbers"):
        match(Weights("dltrain", {"y.0.dense.kernel": bad}, {}), graph, {}, [])


@pytest.mark.parametrize(
    "arrays", [{"norm.weight": np.ones(3)}, {"embed.alpha": np.ones((3, 3)), "fc.weight": np.ones((2, 2))}]
)
def test_a_layer_that_is_not_known_is_told(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(DltrainError, match="belongs to no layer that is read"):
        from_torchvision(arrays, "file")


# Runs.


def weights_at(run: str, step: int) -> dict[str, np.ndarray]:
    from dltrain.training import checkpoint
    from dltrain.training.state import weights_of

    return weights_of(checkpoint.load(Path(run, "checkpoints", f"step-{step:08d}.h5"))[0])


ONE_STEP = {"train__epochs": None, "train__steps": 1, "train__keep": 9}


def test_a_run_begins_with_the_best_weights_of_another(tmp_path: Path) -> None:
    first = api.fit(iris(name="first"), runs=tmp_path)
    begun = {"run": "first", "skip": ["logits.4.dense"]}
    second = api.fit(iris(name="second", init_from=begun, seed=9, **ONE_STEP), runs=tmp_path)
    fresh = api.fit(iris(name="fresh", seed=9, **ONE_STEP), runs=tmp_path)
    best, start, own = (
        weights_at(first["run"], first["best"]["step"]),
        weights_at(second["run"], 0),
        weights_at(fresh["run"], 0),
    )
    for path, value in start.items():
        np.testing.assert_array_equal(value, own[path] if path.startswith("logits.4.") else best[path])
    assert not np.array_equal(best["logits.1.batch_norm.moving_mean"], own["logits.1.batch_norm.moving_mean"])
    told = json.loads(Path(second["run"], "initial_weights.json").read_text())
    assert told["format"] == "dltrain" and len(told["sha256"]) == 64 and len(told["matched"]) == 6
    head = {"logits.4.dense.kernel", "logits.4.dense.bias"}
    assert set(told["left_in_file"]) == set(told["left_in_model"]) == head
    assert not Path(fresh["run"], "initial_weights.json").exists()


def test_a_config_of_the_same_name_says_which_run_it_means(tmp_path: Path) -> None:
    """Its newest run would be the one that begins, which has no weights yet."""
    first = api.fit(iris(name="same", **ONE_STEP), runs=tmp_path)
    for wanted in ("same", "sam"):
        spec = iris(name="same", init_from={"run": wanted}, **ONE_STEP)
        with pytest.raises(
            ConfigError, match=r"init_from\.run: this is the newest run of this very config.*its number"
        ):
            api.fit(spec, runs=tmp_path)
    for wanted in ("same-1", first["run"]):
        api.fit(iris(name="same", init_from={"run": str(wanted)}, **ONE_STEP), runs=tmp_path)


def test_the_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run, an evaluation and a prediction need the run folder alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    first = api.fit(iris(name="first"), runs=tmp_path / "runs")
    arrays = weights_at(first["run"], first["best"]["step"])
    np.savez(tmp_path / "data" / "w.npz", **arrays)
    config = iris(name="second", init_from={"file": "w.npz"})
    whole = api.fit(config, runs=tmp_path / "whole")
    cut = api.fit({**config, "train": {**config["train"], "epochs": 1}}, runs=tmp_path / "runs")
    (tmp_path / "data" / "w.npz").unlink()
    again = api.fit(config, runs=tmp_path / "runs", resume=True)
    assert again["run"] == cut["run"]
    assert result(again["run"]) == result(whole["run"])
    assert api.evaluate(again["run"])["samples"]


WRONG_CONFIGS = [
    ({}, "either `run`, `file` or `word_vectors`; got none"),
    ({"run": "a", "file": "b.npz"}, "got run and file"),
    ({"run": "a", "format": "keras"}, "leave `format` out"),
    ({"file": "b.npz", "map": {"a.*": "b"}}, "both sides have as many"),
    ({"file": "b.npz", "formt": "keras"}, "did you mean 'format'"),
    ({"file": "b.npz", "format": "onnx"}, "one of 'dltrain', 'torchvision', 'keras'"),
]


@pytest.mark.parametrize(("init_from", "said"), WRONG_CONFIGS)
def test_a_config_that_makes_no_sense_is_refused(init_from: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api.check(iris(init_from=init_from))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("init_from", "said"),
    [
        ({"file": "no.npz"}, "there is no such data file"),
        ({"file": "../w.npz"}, "must stay inside its folder"),
        ({"file": "w.pt"}, "expected .safetensors or .npz or .h5"),
        ({"run": "nobody"}, "there is no such run"),
    ],
)
def test_places_without_weights_are_told(
    init_from: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.pt").write_bytes(b"pickle")
    with pytest.raises(ConfigError) as caught:
        api.check(iris(init_from=init_from))
    assert said in str(caught.value)
    assert caught.value.problems[0].path[0] == "init_from"


# Hostile files.


def packed(header: Any, numbers: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


def entry(start: int, stop: int, shape: list[Any], dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


HOSTILE = {
    "empty": b"",
    "short": b"\1\0\0",
    "huge header": packed({}, length=2**63),
    "header beyond the file": packed({}, length=100),
    "no header": struct.pack("<Q", 0),
    "no JSON": packed(b"{{{{"),
    "deep JSON": packed(b"[" * 100_000),
    "a list": packed([1, 2]),
    "not UTF-8": packed(b'{"\xff": 1}'),
    "no entry": packed({"w": 3}, b""),
    "no offsets": packed({"w": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "wrong size": packed({"w": entry(0, 8, [1])}, bytes(8)),
    "overlap": packed({"v": entry(0, 4, [1]), "w": entry(0, 4, [1])}, bytes(4)),
    "gap": packed({"v": entry(0, 4, [1]), "w": entry(8, 12, [1])}, bytes(12)),
    "backwards": packed({"w": entry(4, 0, [1])}, bytes(4)),
    "negative": packed({"w": entry(-4, 0, [1])}, bytes(4)),
    "negative axes": packed({"w": entry(0, 4, [-1, -1])}, bytes(4)),
    "a product beyond 64 bits": packed({"w": entry(0, 4, [2**62, 2**62])}, bytes(4)),
    "fractions": packed({"w": entry(0, 4, [1.0])}, bytes(4)),
    "a truth": packed({"w": entry(0, 4, [True])}, bytes(4)),
    "unknown type": packed({"w": entry(0, 4, [4], "O")}, bytes(4)),
    "type of another kind": packed({"w": entry(0, 4, [4], ["F32"])}, bytes(4)),
    "too many axes": packed({"w": entry(0, 4, [1] * 9)}, bytes(4)),
    "numbers left over": packed({"w": entry(0, 4, [1])}, bytes(8)),
    "numbers missing": packed({"w": entry(0, 8, [2])}, bytes(4)),
    "too many": packed({str(n): entry(0, 0, [0]) for n in range(20_001)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(CorruptFileError) as caught:
        read_safetensors(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_damaged_files_do_no_harm(tmp_path: Path) -> None:
    """Bytes that are turned over: it is read, or refused."""
    rng, whole = np.random.default_rng(0), file_of("vgg").read_bytes()
    file, refused = tmp_path / "w.safetensors", 0
    for _ in range(500):
        broken = bytearray(whole)
        for place in rng.integers(0, 1200, 3):
            broken[place] = rng.integers(256)
        file.write_bytes(broken)
        try:
            read_weights(file)
        except DltrainError:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"])
def test_every_type_is_read_as_the_package_reads_it(dtype: str, tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy")
    name = {"F": "float", "I": "int", "U": "uint", "B": "bool"}[dtype[0]] + dtype[1:] * (dtype != "BOOL")
    arrays = {"a": np.arange(6).reshape(2, 3).astype(name), "b": np.ones((), name), "c": np.ones((0, 4), name)}
    package.save_file(arrays, tmp_path / "w.safetensors")
    found = read_safetensors(tmp_path / "w.safetensors")
    assert set(found) == set(arrays)
    for key, array in arrays.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)


def test_bfloat_is_half_a_float(tmp_path: Path) -> None:
    numbers = np.float32([1.0, -2.5, 3e30])
    upper = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "w.safetensors").write_bytes(packed({"w": entry(0, 6, [3], "BF16")}, upper))
    np.testing.assert_allclose(read_safetensors(tmp_path / "w.safetensors")["w"], numbers, rtol=2**-7)
