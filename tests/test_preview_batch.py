"""`dltrain preview batch`: the sheet holds what the network sees first."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import folder, noise
from PIL import Image

from dltrain import api
from dltrain.cli.main import run
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.report.contact_sheet import GAP, LINE, contact_sheet
from dltrain.training.session import prepare

MODEL = {"graph": {"logits": ["flatten", "dense"]}}


def config(path: Path, **data: Any) -> dict[str, Any]:
    source = {"image_folder": {"path": "set"}}
    (path / "config.yaml").write_text("name: a\n")
    return {"data": {"source": source, **data}, "model": MODEL, "train": {"batch_size": 10}}


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder(tmp_path / "data" / "set", count=20)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "prepare_by", [[], [{"scale": 255}], ["standardize"], [{"standardize": "channel"}, {"min_max": -1}]]
)
def test_preparation_is_undone(prepare_by: list[Any], pets: Path) -> None:
    found = api.preview_batch(config(pets, prepare=prepare_by))
    pictures = {noise(1000 * k + i).tobytes(): name for k, name in enumerate(("cat", "dog")) for i in range(20)}
    assert found["notes"] == [] and found["samples"] == 10 and found["shape"] == [6, 5, 3]
    assert [pictures[shown.tobytes()] for shown in found["pictures"]] == found["labels"]
    assert len({shown.tobytes() for shown in found["pictures"]}) == 10


def test_black_and_white_are_those_of_the_whole_training_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were those of its first thousand pictures."""
    monkeypatch.chdir(tmp_path)
    settings = {"data": {"source": {"npz": "a.npz"}, "prepare": [{"scale": 255}]}, "model": MODEL}
    x = np.full((2000, 8, 9, 1), 100, np.uint8)
    np.savez("a.npz", x=x, y=np.arange(2000) % 2)
    last = prepare(api.load_experiment(settings), "reference").data.parts["train"].ids[-2:]
    x[last[0]], x[last[1]] = 0, 255
    np.savez("a.npz", x=x, y=np.arange(2000) % 2)
    shown = api.preview_batch(settings)["pictures"]
    assert np.bincount(shown.reshape(-1)).argmax() == 100


def test_it_is_the_first_batch_of_the_run(pets: Path) -> None:
    settings = config(
        pets, prepare=[{"scale": 255}], augment=["horizontal_flip", {"mix_up": 1.0}], balance="oversample"
    )
    found = api.preview_batch(settings)
    batch = prepare(api.load_experiment(settings), "reference").training_loader().batch(0, 0)
    expected = np.rint(batch.inputs["x"] * 255)
    np.testing.assert_allclose(found["pictures"], expected, atol=1)
    assert batch.mixed is not None
    for label, share in zip(found["labels"], batch.mixed.share, strict=True):
        first, one, _, second, other = label.split()
        assert {first, second} <= {"cat", "dog"} and float(one) == pytest.approx(share, abs=0.006)
        assert float(one) + float(other) == pytest.approx(1, abs=0.011)


def test_what_cannot_be_undone_is_said(pets: Path) -> None:
    found = api.preview_batch(config(pets, prepare=["whiten"]))
    assert found["notes"][0].startswith("the preparation (whiten) cannot be undone")
    assert found["pictures"].min() < 60 and found["pictures"].max() > 200
    large = config(pets) | {"train": {"batch_size": 100}}
    large["data"]["balance"] = None
    large["data"]["source"] = {"digits": {"images": True}}
    found = api.preview_batch(large)
    assert len(found["pictures"]) == 64 and found["notes"] == ["the first 64 of the 100 pictures of a batch"]


def test_values_are_in_their_unit(pets: Path) -> None:
    rows = [f"cat/{i}.png,{250 + i}" for i in range(20)]
    Path("data/a.csv").write_text("\n".join(["file,price", *rows]))
    settings = config(pets, prepare_target=["standardize"]) | {"task": "regression"}
    settings["data"]["source"] = {"image_folder": {"path": "set", "table": "a.csv", "target": "price"}}
    found = api.preview_batch(settings)
    prices = {noise(i).tobytes(): str(250 + i) for i in range(20)}
    assert [prices[shown.tobytes()] for shown in found["pictures"]] == found["labels"]


def test_the_command_writes_a_sheet(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(config(pets, augment=["shift"]))
    Path("a.yaml").write_text(text)
    assert run(["preview", "batch", "a.yaml", "--out", "sheet.png", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == "sheet.png" and len(told["labels"]) == 10 and (told["rows"], told["columns"]) == (3, 4)
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (4 * (5 * 16 + GAP) + GAP, 3 * (6 * 16 + LINE + GAP) + GAP)
    assert run(["preview", "batch", "a.yaml"]) == 0
    assert "10 pictures written to batch.png" in capsys.readouterr().out and Path("batch.png").is_file()
    assert run(["preview", "batch", "a.yaml", "--out", "a.jpg"]) == 2
    assert "a name that ends in .png" in capsys.readouterr().err
    assert run(["preview", "batch", "iris-softmax"]) == 3
    assert "the data are no pictures; expected features of shape (H, W, 1)" in capsys.readouterr().err


def test_what_has_no_batch_of_pictures_is_refused(pets: Path) -> None:
    with pytest.raises(DataError, match=r"no pictures; .* got features of shape \(4,\)"):
        api.preview_batch({"data": {"source": "iris"}, "model": {"graph": {"logits": ["dense"]}}})
    with pytest.raises(UsageError, match="a baseline has no batches"):
        api.preview_batch({"data": {"source": "digits"}, "baseline": "dummy"})
    with pytest.raises(ConfigError, match="no sample is left|validation"):
        api.preview_batch(config(pets, split={"random": {"validation": 40, "test": 1}}))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_stand_in_rows(channels: int) -> None:
    pictures = np.stack([noise(k, 100, 90, channels) for k in range(3)])
    file, rows, columns = contact_sheet(pictures, ["a", "eine ganz lange Zeile, die nicht hineinpasst", "日本"], 2)
    assert (rows, columns) == (2, 2)
    sheet = np.asarray(Image.open(io.BytesIO(file)))
    for k, picture in enumerate(pictures):
        top, left = GAP + k // 2 * (100 + LINE + GAP), GAP + k % 2 * (90 + GAP)
        assert (sheet[top : top + 100, left : left + 90] == picture).all()
        below = sheet[top + 100 : top + 100 + LINE, left : left + 90]
        assert below.min() < 100  # text
    assert (sheet[GAP + 100 + LINE + GAP :, 90 + 2 * GAP :] == 255).all()  # the fourth place is empty
