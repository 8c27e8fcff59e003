"""What lies in a picture follows it: masks, points and boxes go where their pixels go."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from small_runs import unbroken
from test_augmentation import BENT, REFERENCE
from test_resume import stop_and_resume

from dltrain import api
from dltrain.data import Examples, Loader
from dltrain.data.augmentations import Augmenter
from dltrain.data.augmentations.places import Drawn
from dltrain.data.loader import Batch
from dltrain.errors import ConfigError, DataError
from dltrain.kernels import namespace
from dltrain.report.annotated import annotated

Array = np.ndarray[Any, Any]
PLACES = np.arange(40)
GEOMETRIC: list[Any] = [
    "horizontal_flip", "vertical_flip", {"shift": 0.3}, {"random_crop": 3}, "resized_crop", {"rotation": 40},
    {"zoom": 0.5}, {"shear": 25}, {"elastic": {"alpha": 30.0, "sigma": 4.0}}, BENT,
    ["horizontal_flip", {"rotation": {"degrees": 30, "border": "zero"}}, {"shift": {"height": 0.2, "border": "zero"}}],
]  # fmt: skip


def steps(spec: Any) -> list[Any]:
    return spec if isinstance(spec, list) else [spec]


def with_masks(count: int = 40, height: int = 24, width: int = 30) -> tuple[Array, Array]:
    """Masks of three classes, and pictures that show each of them as a channel of 1 where it is."""
    noise = np.random.default_rng(0).normal(size=(count, height, width, 3))
    noise = np.stack([ndimage.gaussian_filter(one, (3, 3, 0)) for one in noise])
    masks = noise.argmax(3).astype(np.int32)
    return np.eye(3, dtype=np.float32)[masks], masks


@pytest.mark.parametrize("kernels", ["reference", "compiled"])
@pytest.mark.parametrize("spec", GEOMETRIC, ids=str)
def test_a_mask_is_that_of_the_new_picture(spec: Any, kernels: str) -> None:
    """Where the new picture shows one class alone, the mask says it; elsewhere one of the two that meet there."""
    x, masks = with_masks()
    augmenter = Augmenter(steps(spec), x, 7, [Drawn("masks", ignorable=True)])
    kept = masks.copy()
    found = augmenter(x, 3, PLACES, namespace(kernels), target=masks)
    assert found.target.dtype == np.int32 and (masks == kept).all() and (found.target != masks).mean() > 0.02
    nothing = found.x.sum(3) < 1e-6
    assert nothing.any() == (spec in (GEOMETRIC[3], GEOMETRIC[-1]))  # those with a black border
    assert (found.target[nothing] == -1).all() and (found.target[found.x.sum(3) > 1 - 1e-6] >= 0).all()
    pure = found.x.max(3) > 0.999
    assert pure.mean() > 0.6 and (found.target == found.x.argmax(3))[pure].all()
    shown = np.take_along_axis(found.x, np.maximum(found.target, 0)[..., None], 3)[..., 0]
    assert (shown[found.target >= 0] >= 0.25 - 1e-5).all()  # the nearest of four pixels has a quarter at least


def coordinates(height: int, width: int) -> Array:
    """Pictures whose pixels say their place: interpolating them is exact."""
    grid = np.moveaxis(np.indices((height, width)), 0, -1).astype(np.float64)
    return np.broadcast_to(grid, (len(PLACES), height, width, 2)).copy()


@pytest.mark.parametrize("spec", [s for s in GEOMETRIC if s != BENT], ids=str)  # that one folds the picture
def test_points_land_where_their_pixels_land(spec: Any) -> None:
    """At the place of a point, the new picture says where that was in the old one."""
    H, W = 24, 30
    x, size = coordinates(H, W), np.array([W, H])
    points = np.random.default_rng(1).uniform(4, 19, (len(PLACES), 5, 2))  # rows and columns
    target = ((points[..., ::-1] + 0.5) / size).reshape(len(points), -1)
    augmenter = Augmenter(steps(spec), x, 7, [Drawn("points")])
    found = augmenter(x, 3, PLACES, target=target)
    moved = found.target.reshape(points.shape)[..., ::-1] * size[::-1] - 0.5
    inside = ((moved > 1) & (moved < np.array([H, W]) - 2)).all(2)
    assert inside.mean() > 0.5 and np.abs(moved - points).max() > 1
    for n, k in np.argwhere(inside):
        read = [ndimage.map_coordinates(found.x[n, ..., c], moved[n, k][:, None], order=1)[0] for c in (0, 1)]
        np.testing.assert_allclose(read, points[n, k], atol=1e-4)


def test_boxes_are_upright_about_their_corners() -> None:
    x = np.zeros((40, 20, 10, 1))
    boxes = np.tile([0.1, 0.2, 0.5, 0.4, 0.0, 0.0, 1.0, 1.0], (40, 1))  # left, top, right, bottom of two
    flipped = Augmenter([{"horizontal_flip": 1.0}], x, 7, [Drawn("boxes")])(x, 0, PLACES, target=boxes).target
    np.testing.assert_allclose(flipped, np.tile([0.5, 0.2, 0.9, 0.4, 0.0, 0.0, 1.0, 1.0], (40, 1)), atol=1e-12)
    turning = [{"rotation": 60}]
    found = Augmenter(turning, x, 7, [Drawn("boxes")])(x, 0, PLACES, target=boxes).target[:, :4]
    corners = np.tile([0.1, 0.2, 0.5, 0.2, 0.1, 0.4, 0.5, 0.4], (40, 1))
    points = Augmenter(turning, x, 7, [Drawn("points")])(x, 0, PLACES, target=corners).target.reshape(40, 4, 2)
    np.testing.assert_allclose(found, np.concatenate([points.min(1), points.max(1)], 1), atol=1e-12)


def test_other_targets_stay() -> None:
    """Of several heads, only the columns that lie in the picture move."""
    x, target = np.zeros((40, 8, 8, 1)), np.random.default_rng(0).uniform(size=(40, 5))
    found = Augmenter([{"shift": 0.5}], x, 7, [Drawn("points", slice(1, 3))])(x, 0, PLACES, target=target).target
    assert (found[:, [0, 3, 4]] == target[:, [0, 3, 4]]).all() and (found[:, 1:3] != target[:, 1:3]).any()


@pytest.mark.parametrize("size", [1, 8])
def test_the_batch_size_changes_no_mask(size: int) -> None:
    x, masks = with_masks()
    kernels = namespace("compiled")

    def epoch(size: int) -> tuple[list[Array], list[Array]]:
        loader = Loader(Examples({"x": x, "y": masks}, np.arange(40)), size, shuffle=True, seed=5)
        loader.augment(["horizontal_flip", {"rotation": 30}, {"elastic": 20.0}], [Drawn("masks")])
        batches: list[Batch] = [loader.batch(1, k, kernels, fresh=True) for k in range(loader.steps_per_epoch)]
        return [b.inputs["x"] for b in batches], [b.target for b in batches]

    for a, b in zip(epoch(size), epoch(40), strict=True):
        np.testing.assert_allclose(np.concatenate(a), np.concatenate(b), atol=1e-5)


SEGMENTING: dict[str, Any] = {
    "task": "segmentation",
    "data": {
        "source": {"shapes": {"samples": 60, "size": 16}},
        "prepare": [{"scale": 255}],
        "augment": ["horizontal_flip", {"rotation": 30}, "brightness"],
    },
    "model": {"graph": {"logits": [{"conv": 4}, "relu", {"conv": {"kernel_size": 1}}]}},
    "train": {"epochs": 2, "batch_size": 20},
}


def test_a_run_with_moving_masks_is_resumed_to_the_byte(tmp_path: Path) -> None:
    expected = unbroken(SEGMENTING, tmp_path)
    for step in (1, 3):
        assert stop_and_resume(SEGMENTING, tmp_path / str(step), step) == expected


def change(**data: Any) -> dict[str, Any]:
    return {**SEGMENTING, "data": {**SEGMENTING["data"], **data}}


def test_what_masks_cannot_follow_is_refused() -> None:
    for name in ("mix_up", "cut_mix"):
        with pytest.raises(ConfigError, match=rf"data\.augment\.1\.{name}: masks are not mixed as pictures are"):
            api.check(change(augment=["shift", name]))
    with pytest.raises(ConfigError, match=r"augment\.0\.random_crop: pixels come in from beside"):
        api.check(change(augment=["random_crop"]))
    ignoring = {**change(augment=["random_crop"]), "task": {"segmentation": {"ignore_label": 255}}}
    assert api.check(ignoring)


def test_the_sheet_shows_masks_points_and_boxes() -> None:
    found = api.preview_batch(SEGMENTING)
    [(kind, masks)] = found["drawn"]
    assert kind == "masks" and masks.shape == found["pictures"].shape[:3]
    sheet = annotated(found["pictures"], found["drawn"])
    assert sheet.shape == (20, 16, 32, 3) and (sheet[:, :, :16] == found["pictures"]).all()
    assert (sheet[:, :, 16:].any(3) == (masks > 0)).all()  # class 0 is black
    black = np.zeros((1, 10, 20, 1), np.uint8)
    dot = annotated(black, [("points", np.array([[0.5, 0.25, 1.5, 0.5]]))]).any(3)
    assert np.argwhere(dot).tolist() == [[0, 2, 10]]
    frame = annotated(black, [("boxes", np.array([[0.25, 0.5, 0.5, 1.0]]))]).any(3)[0]
    expected = np.zeros((10, 20), bool)
    expected[5:, 5:10] = True
    expected[6:9, 6:9] = False
    assert (frame == expected).all()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which data are found."""
    monkeypatch.setenv("DLTRAIN_DATA", str(tmp_path))
    (tmp_path / "dots").mkdir()
    return tmp_path / "dots"


def dots(folder: Path, unit: float = 1.0, count: int = 60) -> None:
    """Pictures of a dot, and a table of where it is."""
    draw = np.random.default_rng(0)
    lines = [["file", "x", "y"]]
    for k in range(count):
        row, column = draw.integers(2, 10, 2)
        picture = np.zeros((12, 16), np.uint8)
        picture[row - 1 : row + 2, column - 1 : column + 2] = 255
        Image.fromarray(picture).save(folder / f"{k}.png")
        lines.append([f"{k}.png", f"{(column + 0.5) / 16 * unit:.6f}", f"{(row + 0.5) / 12 * unit:.6f}"])
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    (folder / "places.csv").write_text(text.getvalue())


def located(**source: Any) -> dict[str, Any]:
    table = {"path": "dots", "table": "dots/places.csv", "target": ["x", "y"]}
    return {
        "task": {"regression": {"places": "points"}},
        "data": {
            "source": {"image_folder": {**table, **source}},
            "prepare": [{"scale": 255}],
            "augment": ["horizontal_flip", {"rotation": 20}],
        },
        "model": {"graph": {"y": ["flatten", {"dense": 16}, "relu", "dense"]}},
        "train": {"epochs": 1},
    }


def test_landmarks_follow_in_a_run(data: Path) -> None:
    """The marks of the first batch lie on the dots that it shows."""
    dots(data)
    config = located()
    found = api.preview_batch(config)
    [(kind, points)] = found["drawn"]
    assert kind == "points"
    for picture, (x, y) in zip(found["pictures"][..., 0], points, strict=True):
        row, column = ndimage.center_of_mass(picture)
        if 2 < row < 9 and 2 < column < 13 and picture.sum() < 3000:  # none in the mirror beside it
            assert abs((x * 16 - 0.5) - column) < 0.35 and abs((y * 12 - 0.5) - row) < 0.35
    assert api.check(config)


@pytest.mark.parametrize(
    ("unit", "source", "said"),
    [
        (16.0, {}, r"this is no place in the picture; expected shares of its width and height, 0 to 1; got \d"),
        (1.0, {"size": 8}, "places cannot follow pictures that are cut to another size; .*resize: stretch"),
        (1.0, {"target": "x"}, r"the targets are no points; expected x, y of each: 2, 4, 6 … columns; got 1"),
    ],
)
def test_what_are_no_places_is_refused(unit: float, source: dict[str, Any], said: str, data: Path) -> None:
    dots(data, unit, 12)
    with pytest.raises(DataError, match=said):
        api.check(located(**source))


def test_places_are_neither_mixed_nor_prepared(data: Path) -> None:
    dots(data, count=12)
    config = located()
    with pytest.raises(ConfigError, match="points are not mixed as pictures are"):
        api.check({**config, "data": {**config["data"], "augment": ["mix_up"]}})
    with pytest.raises(ConfigError, match="data.prepare_target: the targets are no numbers to prepare; got points"):
        api.check({**config, "data": {**config["data"], "prepare_target": ["standardize"]}})
    assert api.check(located(size=8, resize="stretch"))


def test_the_plain_pass_leaves_targets_alone() -> None:
    """Colours move nothing."""
    x, masks = with_masks()
    found = Augmenter(["brightness", "erasing"], x, 7, [Drawn("masks")])(x, 0, PLACES, REFERENCE, target=masks)
    assert found.target is masks
