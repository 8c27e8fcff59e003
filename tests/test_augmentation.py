"""Augmentations: each against a plain formula, the same for every batch size and resume, nothing at no strength."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from cases import AUGMENTATIONS
from PIL import Image, ImageEnhance
from scipy import ndimage
from small_models import graph_of, heads_case
from small_runs import unbroken
from test_resume import stop_and_resume

from dltrain import api
from dltrain.config import from_mapping
from dltrain.data import Examples, Loader
from dltrain.data.augmentations import Augmenter, smoothing
from dltrain.data.augmentations.draws import Draws
from dltrain.data.augmentations.stages import Recolouring, Resampling, Seen
from dltrain.data.augmentations.statistics import Statistics
from dltrain.data.loader import Batch, Mixed
from dltrain.errors import ConfigError
from dltrain.kernels import namespace
from dltrain.model.mode import Mode
from dltrain.registry import create, entries
from dltrain.training.objective import Objective

Array = np.ndarray[Any, Any]
REFERENCE = namespace("reference")
PLACES = np.arange(40)


def pictures(count: int = 40, height: int = 9, width: int = 8, channels: int = 3, dtype: Any = np.float64) -> Array:
    """Pictures from -1 to 3, which are smooth within themselves."""
    x = np.random.default_rng(0).random((count, height, width, channels))
    x = np.stack([ndimage.gaussian_filter(one, (1, 1, 0)) for one in x])
    return (4 * (x - x.min()) / (x.max() - x.min()) - 1).astype(dtype)


def augmented(spec: Any, x: Array, places: Array = PLACES, **options: Any) -> Array:
    """Pictures after augmentations."""
    return Augmenter(spec if isinstance(spec, list) else [spec], x, 7)(x, 3, places, **options)[0]


def matrices(spec: Any, x: Array) -> Array:
    """The matrices of a geometric augmentation, as `augmented` draws them."""
    draws = Draws.at(7, "augment", 3, PLACES)
    return Resampling(0, create("augmentation", spec)).matrices(draws, *x.shape[1:3])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation(name: str) -> None:
    """Shape, type and range stay, nothing is written to, places and epochs decide, and nothing else does."""
    spec = AUGMENTATIONS[name]
    for dtype in (np.float32, np.float64):
        x = pictures(dtype=dtype)
        x.flags.writeable = False
        augmenter = Augmenter([spec], x, 7)
        found, _, share, _ = augmenter(x, 3, PLACES)
        assert found.shape == x.shape and found.dtype == dtype and np.isfinite(found).all()
        assert (found != x).any() and (share is None) == (name not in ("mix_up", "cut_mix"))
        if name != "gaussian_noise":
            assert found.min() >= -1 - 1e-5 and found.max() <= 3 + 1e-5
        some = PLACES[[3, 17, 38]]
        tolerance = 0 if name not in ("blur", "elastic", "contrast") else 1e-5  # products of matrices
        np.testing.assert_allclose(augmenter(x[some], 3, some)[0], found[some], rtol=0, atol=tolerance)
        again, other = Augmenter([spec], x, 7), Augmenter([spec], x, 8)
        assert again(x, 3, PLACES)[0].tobytes() == found.tobytes()
        assert (other(x, 3, PLACES)[0] != found).any() and (augmenter(x, 4, PLACES)[0] != found).any()


BENT: list[Any] = [{"rotation": 40}, {"elastic": {"alpha": 20.0, "sigma": 1.0}}]  # the kernel's matrix and offsets


@pytest.mark.parametrize("spec", [*AUGMENTATIONS.values(), BENT], ids=str)
def test_compiled_is_the_reference(spec: Any) -> None:
    x = pictures(dtype=np.float32)
    found = augmented(spec, x, kernels=namespace("compiled"))
    np.testing.assert_allclose(found, augmented(spec, x), rtol=0, atol=2e-5)


NOTHING: list[Any] = [
    {"horizontal_flip": 0.0}, {"vertical_flip": 0.0}, {"shift": 0.0}, {"resized_crop": {"area": 1.0, "ratio": 1.0}},
    {"rotation": 0.0}, {"zoom": 0.0}, {"shear": 0.0}, {"elastic": 0.0}, {"brightness": 0.0}, {"contrast": 0.0},
    {"saturation": 0.0}, {"hue": 0.0}, {"channel_shift": 0.0}, {"pca_color": 0.0}, {"gaussian_noise": 0.0},
    {"blur": {"probability": 0.0}}, {"erasing": 0.0}, {"mix_up": {"probability": 0.0}},
    {"cut_mix": {"probability": 0.0}},
]  # fmt: skip


@pytest.mark.parametrize("spec", NOTHING, ids=lambda spec: str(next(iter(spec))))
def test_no_strength_changes_nothing(spec: Any) -> None:
    x = pictures(dtype=np.float32)
    for kernels in (REFERENCE, namespace("compiled")):
        np.testing.assert_allclose(augmented(spec, x, kernels=kernels), x, rtol=0, atol=2e-6)


GEOMETRIC = ["shift", "random_crop", "resized_crop", "rotation", "zoom", "shear"]
MODES = {"reflect": "reflect", "nearest": "nearest", "zero": "grid-constant"}


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("name", GEOMETRIC)
def test_geometry_is_scipy_s(name: str, border: str) -> None:
    spec: Any = {name: {} if name == "resized_crop" else {"border": border}}
    if name == "resized_crop":
        border = "nearest"
    x = pictures()
    found = augmented(spec, x)
    for n, A in enumerate(matrices(spec, x)):
        for c in range(3):
            plain = ndimage.affine_transform(x[n, ..., c], A[:2, :2], A[:2, 2], order=1, mode=MODES[border])
            np.testing.assert_allclose(found[n, ..., c], plain, atol=1e-9)


def test_flips_and_moves_are_copies() -> None:
    x = pictures(dtype=np.float32)
    for kernels in (REFERENCE, namespace("compiled")):
        assert augmented({"horizontal_flip": 1.0}, x, kernels=kernels).tobytes() == x[:, :, ::-1].tobytes()
        assert augmented({"vertical_flip": 1.0}, x, kernels=kernels).tobytes() == x[:, ::-1].tobytes()
        moved = augmented({"random_crop": 2}, x, kernels=kernels)
        wide = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
        for n, A in enumerate(matrices({"random_crop": 2}, x)):
            i, j = int(A[0, 2]) + 2, int(A[1, 2]) + 2
            assert moved[n].tobytes() == wide[n, i : i + 9, j : j + 8].tobytes()
    half = augmented("horizontal_flip", x)
    turned = [(half[n] == x[n, :, ::-1]).all() for n in range(40)]
    assert 10 < sum(turned) < 30 and all((half[n] == x[n]).all() for n in range(40) if not turned[n])


def test_geometry_is_one_interpolation() -> None:
    """Several are their product, in their order; another border, or a bend, begins anew."""
    x = pictures()
    specs: list[Any] = ["horizontal_flip", {"rotation": 30}, {"zoom": 0.3}, {"shear": 20}, "elastic"]
    assert [len(stage.parts) for stage in Augmenter(specs, x, 7).before] == [5]
    assert [len(s.parts) for s in Augmenter([*specs, "shift"], x, 7).before] == [5, 1]
    assert [len(s.parts) for s in Augmenter(["shift", "random_crop"], x, 7).before] == [1, 1]
    found = augmented(
        [{"rotation": {"degrees": 30, "border": "zero"}}, {"shift": {"height": 0.3, "border": "zero"}}], x
    )
    draws = Draws.at(7, "augment", 3, PLACES)
    first = create("augmentation", {"rotation": 30}).matrices(draws.branch(0), 9, 8)
    second = create("augmentation", {"shift": 0.3}).matrices(draws.branch(1), 9, 8)
    for n in range(40):  # a place of the new picture, in the moved one, in the turned one
        at = [first[n] @ (second[n] @ [i, j, 1]) for i in range(9) for j in range(8)]
        plain = ndimage.map_coordinates(x[n, ..., 1], np.array(at)[:, :2].T, order=1, mode="grid-constant")
        np.testing.assert_allclose(found[n, ..., 1].reshape(-1), plain, atol=1e-9)


@pytest.mark.parametrize("turned", [False, True])
def test_elastic_is_scipy_s(turned: bool) -> None:
    """A place is moved first; where that lies in a turned picture is asked then."""
    x = pictures(4, 20, 16, 1)
    specs: list[Any] = [{"rotation": 40}] * turned + [{"elastic": {"alpha": 20.0, "sigma": 2.0}}]
    found, draws = augmented(specs, x, PLACES[:4]), Draws.at(7, "augment", 3, PLACES[:4])
    matrices = create("augmentation", {"rotation": 40 * turned}).matrices(draws.branch(0), 20, 16)
    for n, key in enumerate(draws.branch(int(turned)).bits().tolist()):
        noise = REFERENCE.gaussian_noise(np.zeros((20, 16, 2)), key, 20 / 3**0.5, np.empty((20, 16, 2)))
        moves = ndimage.gaussian_filter(noise, (2, 2, 0), mode="reflect")
        at = np.moveaxis(np.indices((20, 16)), 0, -1) + moves
        at = at @ matrices[n, :2, :2].T + matrices[n, :2, 2]
        plain = ndimage.map_coordinates(x[n, ..., 0], np.moveaxis(at, -1, 0), order=1, mode="reflect")
        np.testing.assert_allclose(found[n, ..., 0], plain, atol=1e-9)
    assert 0.3 < np.abs(moves).mean() < 3


def test_blur_is_scipy_s() -> None:
    x = pictures(4)
    for sigma in (0.3, 1.0, 4.0):
        rows, columns = (smoothing.weights_of(size, np.array([0.7, sigma, 0.1, 2.0])) for size in (9, 8))
        found = smoothing.smoothed(x, rows, columns)
        for n, own in enumerate((0.7, sigma, 0.1, 2.0)):
            np.testing.assert_allclose(
                found[n], ndimage.gaussian_filter(x[n], (own, own, 0), mode="reflect"), atol=1e-12
            )


PAGE = (Path(__file__).parent.parent / "docs" / "pictures.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
def test_the_pages_examples_are_valid(text: str) -> None:
    from_mapping({**yaml.safe_load(text), "model": {"graph": {"logits": ["flatten", "dense"]}}})


@pytest.mark.parametrize("name", entries("augmentation"))
def test_the_page_names_everything(name: str) -> None:
    assert f"`{name}`" in PAGE


def strength(value: float) -> Any:
    """Draws of one value."""
    return SimpleNamespace(uniform=lambda low=0.0, high=1.0: np.array([value]), branch=lambda n: strength(value))


def coloured(name: str, colours: Array, value: float) -> Array:
    """Colours (H, W, C) from 0 to 1 after an augmentation that draws this value."""
    step, known = create("augmentation", {name: 1.0}), Statistics(np.array([[0.0] * 3, [1.0] * 3]).reshape(2, 1, 1, 3))
    return Recolouring(0, step)(Seen(colours[None]), strength(value), known, REFERENCE).x[0]


@pytest.mark.parametrize(
    ("name", "peer"), [("brightness", "Brightness"), ("contrast", "Contrast"), ("saturation", "Color")]
)
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
def test_colours_are_pillow_s(name: str, peer: str, factor: float) -> None:
    raw = np.random.default_rng(1).integers(0, 256, (7, 5, 3), np.uint8)
    plain = np.asarray(getattr(ImageEnhance, peer)(Image.fromarray(raw)).enhance(factor))
    np.testing.assert_allclose(coloured(name, raw / 255, factor) * 255, plain, atol=1.6)  # Pillow rounds twice


@pytest.mark.parametrize("share", [-0.3, 0.1, 0.5])
def test_hue_turns_the_colour_differences(share: float) -> None:
    colours = 0.3 + 0.2 * np.random.default_rng(2).random((4, 4, 3))
    found = coloured("hue", colours, share)
    angle = 2 * np.pi * share
    for old, new in zip(colours.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*old)
        turned = (y, i * np.cos(angle) - q * np.sin(angle), i * np.sin(angle) + q * np.cos(angle))
        np.testing.assert_allclose(colorsys.rgb_to_yiq(*new), turned, atol=3e-3)  # its constants have two digits


def test_several_colours_are_one_after_the_other() -> None:
    """Of colours so far from black and white that nothing is cut."""
    x = 0.45 + 0.1 * np.random.default_rng(0).random((40, 5, 5, 3))
    x[0, 0, 0], x[0, 0, 1] = 0, 1
    specs: list[Any] = [{"contrast": 0.2}, {"brightness": 0.1}, {"saturation": 0.2}, {"contrast": 0.3}, "hue"]
    augmenter = Augmenter(specs, x, 7)
    assert [len(stage.parts) for stage in augmenter.before] == [5]
    draws, plain = Draws.at(7, "augment", 3, PLACES), x
    for position, spec in enumerate(specs):
        stage = Recolouring(position, create("augmentation", spec))
        plain = stage(Seen(plain), draws, augmenter.statistics, REFERENCE).x
    np.testing.assert_allclose(augmenter(x, 3, PLACES)[0][1:], plain[1:], atol=1e-12)


def test_pca_color_moves_along_the_axes_of_the_colours() -> None:
    statistics = Statistics(pictures())
    variances, axes = np.linalg.eigh(np.cov((pictures() / statistics.span).reshape(-1, 3).T, bias=True))
    np.testing.assert_allclose(np.abs(statistics.axes), np.abs(axes * variances), atol=1e-9)
    step = create("augmentation", {"pca_color": 0.5})
    _, moves = step.colours(Draws.at(0, "", 0, np.arange(4000)), np.zeros((4000, 3)), statistics)
    expected = 0.25 * (axes * variances**2) @ axes.T
    np.testing.assert_allclose(np.cov(moves.T), expected, atol=0.08 * np.abs(expected).max())


def test_noise_and_erasing() -> None:
    x = pictures(400, 16, 16)
    noise = augmented({"gaussian_noise": 0.1}, x, np.arange(400)) - x
    assert noise.std() == pytest.approx(0.1 * Statistics(x).span.mean(), rel=0.02) and abs(noise.mean()) < 0.01
    x = np.ones((400, 16, 16, 1))
    erased = augmented({"erasing": {"probability": 0.7, "area": 0.3}}, x, np.arange(400)) == 0
    shares = erased.mean(axis=(1, 2, 3))
    assert (
        (shares > 0).mean() == pytest.approx(0.7, abs=0.08) and shares.max() < 0.42 and shares[shares > 0].min() > 0.01
    )
    for one in erased[shares > 0][..., 0]:
        rows, columns = one.any(1), one.any(0)
        assert one.sum() == rows.sum() * columns.sum()  # a rectangle
        assert np.diff(np.flatnonzero(rows)).max(initial=1) == 1 == np.diff(np.flatnonzero(columns)).max(initial=1)


@pytest.mark.parametrize(("spec", "stored"), [("mix_up", 0.2), ({"cut_mix": 1.0}, 1.0)])
def test_mixing(spec: Any, stored: float) -> None:
    """Pictures are those that their rows and shares say, after what stands before in the list."""
    x = pictures(400, 16, 16)
    augmenter = Augmenter([{"horizontal_flip": 1.0}, spec], x, 7)
    found, _, share, rows = augmenter(x, 3, np.arange(400))
    assert share is not None and rows is not None and augmenter.mixing is not None
    first, second, s = x[:, :, ::-1], x[rows][:, :, ::-1], share[:, None, None, None]
    if spec == "mix_up":
        np.testing.assert_allclose(found, s * first + (1 - s) * second, atol=1e-12)
    else:
        own = (found == first).all(3)
        assert ((found == second).all(3) | own).all()
        others = rows != np.arange(400)
        np.testing.assert_allclose(own.mean(axis=(1, 2))[others], share[others], atol=1e-12)
    some = Augmenter(["horizontal_flip", {"mix_up": {"alpha": 1e6}}], x, 7)(x, 3, np.arange(400)).x
    kinds = [  # half of each: which of the two pictures is turned is drawn for each by itself
        np.abs(some - (a + b) / 2).max(axis=(1, 2, 3)) < 0.05
        for a in (x, x[:, :, ::-1])
        for b in (x[rows], x[rows][:, :, ::-1])
    ]
    assert (np.sum(kinds, axis=0) >= 1).all() and all(60 < kind.sum() < 160 for kind in kinds)
    assert share.mean() == pytest.approx(0.5, abs=0.08)
    assert share.var() == pytest.approx(0.25 / (2 * stored + 1), rel=0.25)
    assert len(set(rows.tolist())) > 200


def batches(size: int, augment: list[Any], shuffle: bool = True, kernels: Any = None) -> tuple[Array, Array, Array]:
    """An epoch's pictures, targets and shares, as batches of a size bring them."""
    x = pictures(37, dtype=np.float32)
    loader = Loader(Examples({"x": x, "y": np.arange(37) % 3}, np.arange(37)), size, shuffle=shuffle, seed=5)
    loader.augment(augment)
    found = []
    for index in reversed(range(loader.steps_per_epoch)):  # in any order
        batch = loader.batch(2, index, kernels)
        assert batch.mixed is not None and (batch.mixed.share >= 0.5).all()
        found.append((batch.inputs["x"].copy(), batch.target, batch.mixed.share))
    return tuple(np.concatenate([part[k] for part in reversed(found)]) for k in range(3))  # type: ignore[return-value]


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_batch_size_changes_nothing(shuffle: bool) -> None:
    specs: list[Any] = ["shift", {"rotation": 20}, "hue", "erasing", "gaussian_noise", {"mix_up": 1.0}, "brightness"]
    for kernels in (REFERENCE, namespace("compiled")):
        whole = batches(37, specs, shuffle, kernels)
        for size in (1, 8):
            for a, b in zip(batches(size, specs, shuffle, kernels), whole, strict=True):
                assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shuffle", [True, False])
def test_mixed_targets_are_those_of_the_pictures(shuffle: bool) -> None:
    """Pictures of class k are k all over, so that a mixed one is the mean of its two targets by their shares."""
    labels = np.random.default_rng(0).permutation(60) % 5
    x = np.broadcast_to(labels[:, None, None, None].astype(np.float64), (60, 4, 4, 1))
    loader = Loader(Examples({"x": x, "y": labels}, np.arange(60)), 25, shuffle=shuffle, seed=5)
    loader.augment([{"mix_up": 1.0}])
    for batch in (loader.batch(1, index) for index in range(3)):
        assert batch.mixed is not None and (batch.target != batch.mixed.target).sum() > 5
        share = batch.mixed.share
        means = share * batch.target + (1 - share) * batch.mixed.target
        np.testing.assert_allclose(
            batch.inputs["x"], np.broadcast_to(means[:, None, None, None], (len(batch), 4, 4, 1))
        )


@pytest.mark.parametrize("how", ["oversample", "undersample"])
def test_partners_are_as_balanced_as_the_epoch(how: str) -> None:
    """They were drawn from the whole part, so that nine of ten were of the frequent class."""
    labels = (np.arange(400) % 10 == 0).astype(np.int64)
    labels[:40] = -1  # of an ignored label, which a balanced epoch leaves out
    loader = Loader(Examples({"x": np.zeros((400, 2, 2, 1)), "y": labels}, np.arange(400)), 100, shuffle=True, seed=5)
    loader.augment(["mix_up"])
    loader.rebalance(how)
    found: list[int] = []
    for epoch in range(5):
        rows = set(loader.order(epoch).tolist())
        for index in range(loader.steps_per_epoch):
            batch = loader.batch(epoch, index)
            assert batch.mixed is not None
            found += [*batch.target.tolist(), *batch.mixed.target.tolist()]
        assert how == "oversample" or len(rows) == 72
    assert min(found) == 0 and np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_partners_bring_their_weights() -> None:
    """A picture of weight w is 100 w all over: the weights belong to the targets, whichever comes first."""
    weights = np.random.default_rng(0).uniform(1, 3, 60)
    x = np.broadcast_to(100 * weights[:, None, None, None], (60, 2, 2, 1))
    columns = {"x": x, "y": 100 * weights[:, None], "weight": weights}
    loader = Loader(Examples(columns, np.arange(60)), 60, shuffle=True, seed=5)
    loader.augment([{"mix_up": 1.0}])
    batch = loader.batch(0, 0)
    assert batch.mixed is not None and batch.mixed.weight is not None and batch.weight is not None
    np.testing.assert_allclose(batch.target[:, 0], 100 * batch.weight)
    np.testing.assert_allclose(batch.mixed.target[:, 0], 100 * batch.mixed.weight)
    sides = [side.weight for piece in batch.pieces(25) for side in piece.sides()]
    shares = np.concatenate([batch.mixed.share, 1 - batch.mixed.share])
    expected = shares * np.concatenate([batch.weight, batch.mixed.weight])
    assert np.sort(np.concatenate(sides)).tolist() == np.sort(expected).tolist()  # type: ignore[arg-type]


def objective(loss: str, task: Any = "classification") -> tuple[Any, Any]:
    graph = graph_of({"graph": {"y": ["flatten", {"dense": 3}]}}, {"x": (2, 2, 1)}, dtype="float64")
    data = SimpleNamespace(classes=["a", "b", "c"], class_counts=[5, 3, 2], target_names=["y"], heads={})
    bound = create("task", task).bind(data, graph.outputs, loss, None)
    return graph, Objective(graph, bound)


@pytest.mark.parametrize("task", ["classification", {"classification": {"class_weight": [1.0, 2.0, 5.0]}}])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_mixed_targets(task: Any, weighted: bool) -> None:
    """It is that of every picture twice, once with each target, weighted by the shares; so is its gradient."""
    graph, value = objective("softmax_cross_entropy", task)
    draw = np.random.default_rng(0)
    x, first, second = draw.normal(size=(7, 2, 2, 1)), np.arange(7) % 3, np.arange(7) // 3
    share = draw.uniform(0.5, 1, 7)
    weight, other = (draw.uniform(1, 3, 7) if weighted else None for _ in range(2))
    mixed = Batch({"x": x}, first, np.arange(7), 0, 0, np.arange(7), weight, mixed=Mixed(second, share, other))
    both = np.concatenate([share, 1 - share])
    if weight is not None and other is not None:
        both *= np.concatenate([weight, other])
    plain = Batch(
        {"x": np.tile(x, (2, 1, 1, 1))}, np.concatenate([first, second]), np.arange(14), 0, 0, np.arange(14), both
    )
    found = value(mixed, Mode(True))
    grad = graph.vector.grad.copy()
    expected = value(plain, Mode(True))
    assert found.loss == pytest.approx(expected.loss, rel=1e-12)
    np.testing.assert_allclose(grad, graph.vector.grad, atol=1e-12)
    assert value.task.weight(mixed) == pytest.approx(value.task.weight(plain))
    total, before = 0.0, None
    for piece in mixed.pieces(3):
        before = value(piece, Mode(True), before)
        total += before.loss * value.task.weight(piece) / value.task.weight(mixed)
    assert total == pytest.approx(found.loss, rel=1e-12)
    np.testing.assert_allclose(graph.vector.grad, grad, atol=1e-12)


def config(augment: list[Any], **train: Any) -> dict[str, Any]:
    return {
        "name": "pictures",
        "data": {"source": {"digits": {"images": True}}, "prepare": [{"scale": 16}], "augment": augment},
        "model": {"graph": {"logits": ["flatten", {"dense": 16}, "relu", "dense"]}},
        "train": {"epochs": 2, "batch_size": 100, **train},
    }


@pytest.mark.parametrize("train", [{}, {"accumulate": 3}])
def test_a_resumed_run_is_the_same_to_the_byte(train: dict[str, Any], tmp_path: Path) -> None:
    specs = ["shift", {"rotation": 15}, "brightness", "gaussian_noise", {"cut_mix": {"probability": 0.5}}]
    expected = unbroken(config(specs, **train), tmp_path)
    for step in (5, 13, 14):
        assert stop_and_resume(config(specs, **train), tmp_path / str(step), step) == expected


def test_only_training_is_augmented(tmp_path: Path) -> None:
    plain = api.load_run(api.fit(config([], epochs=1), runs=tmp_path)["run"])
    noisy = api.load_run(api.fit(config(["erasing"], epochs=1), runs=tmp_path)["run"])
    for split in ("train", "test"):
        loaders = [run.loader(split) for run in (plain, noisy)]
        assert loaders[0].batch(0, 0).inputs["x"].tobytes() == loaders[1].batch(0, 0).inputs["x"].tobytes()
    assert noisy.metrics[0]["train"] != plain.metrics[0]["train"]
    assert api.gradcheck(noisy.folder.path)["passed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"augment": ["saturation"]},
            r"data\.augment\.0\.saturation: saturation is for pictures with colours; expected .* of 3 channels; got 1",
        ),
        ({"augment": [{"mix_up": 1.0}, {"cut_mix": 1.0}]}, r"data\.augment\.1\.cut_mix: pictures are mixed already"),
        (
            {"augment": ["shift"], "source": "digits"},
            r"only pictures are augmented; expected .*\(H, W, C\); got \(64,\)",
        ),
        ({"augment": ["flip"]}, "did you mean|one of"),
        ({"augment": [{"rotation": 200}]}, "180"),
        ({"augment": [{"blur": {"probability": 2}}]}, "1"),
    ],
)
def test_wrong_augmentations_are_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    wrong = config([])
    wrong["data"] |= change
    with pytest.raises(ConfigError, match=said):
        api.fit(wrong, runs=tmp_path)
    baseline: dict[str, Callable[..., Any] | Any] = {
        "data": {"source": "digits", "augment": ["shift"]},
        "baseline": "dummy",
    }
    with pytest.raises(ConfigError, match="'augment' has no effect on a baseline"):
        api.fit(baseline, runs=tmp_path)


def test_the_loss_of_mixed_targets_of_several_heads() -> None:
    """As that of every sample twice, for each head."""
    objective, batch = heads_case(9, np.random.default_rng(0), dtype="float64")
    graph, rows = objective.graph, np.arange(9)
    share, second = np.random.default_rng(1).uniform(0.5, 1, 9), batch.target[::-1].copy()
    mixed = Batch(batch.inputs, batch.target, rows, 0, 0, rows, mixed=Mixed(second, share))
    twice = {wire: np.concatenate([x, x]) for wire, x in batch.inputs.items()}
    targets, weights = np.concatenate([batch.target, second]), np.concatenate([share, 1 - share])
    plain = Batch(twice, targets, np.arange(18), 0, 0, np.arange(18), weights)
    found = objective(mixed, Mode(True)).loss
    gradient = graph.vector.grad.copy()
    assert objective(plain, Mode(True)).loss == pytest.approx(found, rel=1e-12)
    np.testing.assert_allclose(graph.vector.grad, gradient, atol=1e-12)
