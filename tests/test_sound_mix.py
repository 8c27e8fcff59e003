"""Trigger words in a synthetic mix: what is laid where, honest parts, a label for each step, and times from a run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sound_files import tone, wav

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.data import DataFolders, load
from dltrain.errors import ConfigError, DataError
from dltrain.registry import create
from dltrain.tasks.event_detection import EventDetection

RATE, SECONDS, STEPS = 2000, 2.0, 50
MIX = {"path": "mix", "samples": 60, "validation": 10, "test": 10, "rate": RATE, "seconds": SECONDS, "steps": STEPS}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten trigger words of a high and ten others of a low tone, each with silence around it, over noise."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("activates", "negatives", "backgrounds"):
        (tmp_path / "mix" / name).mkdir(parents=True)
    for name, pitch in (("activates", 800), ("negatives", 200)):
        for k in range(10):
            sound = np.concatenate([np.zeros(100), tone(pitch + k, 0.1 + 0.005 * k, RATE), np.zeros(300)])
            (tmp_path / "mix" / name / f"{k}.wav").write_bytes(wav(sound, RATE))
    noise = 0.1 * rng.standard_normal(5000).clip(-3, 3)
    (tmp_path / "mix" / "backgrounds" / "0.wav").write_bytes(wav(noise, RATE))
    return tmp_path


def pool_of(folder: Path, **changes: Any) -> Any:
    return create("source", {"sound_mix": MIX | changes}).load(DataFolders(folder))


def strength(sound: np.ndarray, low: float, high: float) -> np.ndarray:
    """The energy of a clip between two frequencies in each of its steps (T,)."""
    pieces = sound[: len(sound) // STEPS * STEPS].reshape(STEPS, -1)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    frequencies = np.fft.rfftfreq(pieces.shape[1], 1 / RATE)
    return np.asarray(power[:, (frequencies >= low) & (frequencies <= high)].sum(1))


def test_labels_stand_behind_the_trigger_words_alone(folder: Path) -> None:
    pool = pool_of(folder, after=0.2)
    x, y = pool.columns["x"][:, :, 0], pool.columns["y"]
    assert x.shape == (80, 4000) and y.shape == (80, STEPS) and set(np.unique(y)) == {0, 1}
    starts = 0
    for clip, labels in zip(x, y, strict=True):
        high = strength(clip, 700, 900)
        heard = high > 0.05 * max(high.max(), 1.0)
        for t in np.flatnonzero(np.diff(labels, prepend=0) == 1):
            starts += 1
            assert heard[max(0, t - 2) : t].any()
        if not labels.any() and not heard[-6:].any():
            assert high.max() < 1.0
    assert starts > 60


def test_it_is_the_same_for_the_same_seed(folder: Path) -> None:
    first, second, other = pool_of(folder), pool_of(folder), pool_of(folder, seed=1)
    assert first.columns["x"].tobytes() == second.columns["x"].tobytes()
    assert first.columns["y"].tobytes() == second.columns["y"].tobytes()
    assert (first.columns["x"] != other.columns["x"]).any()


def parts_of(folder: Path) -> dict[str, bytes]:
    """The clips of each part."""
    section = SimpleNamespace(source={"sound_mix": MIX}, split=None, prepare=[], prepare_target=[])
    data = load(section, needs="steps", seed=3, folders=DataFolders(folder), dtype="float32")
    assert {part: len(some) for part, some in data.parts.items()} == {"train": 60, "validation": 10, "test": 10}
    return {part: some.columns["x"].tobytes() for part, some in data.parts.items()}


@pytest.mark.parametrize("name", ["activates", "negatives"])
def test_no_recording_is_in_two_parts(folder: Path, name: str) -> None:
    """Another recording in the place of one changes the clips of a single part."""
    before, places = parts_of(folder), ["train", "train", "train", "validation", "test"]
    for k, part in enumerate(places):
        file = folder / "mix" / name / f"{k}.wav"
        kept = file.read_bytes()
        file.write_bytes(wav(tone(500, 0.1 + 0.005 * k, RATE), RATE))
        assert [which for which, clips in parts_of(folder).items() if clips != before[which]] == [part]
        file.write_bytes(kept)


def test_backgrounds_are_cut_in_time(folder: Path) -> None:
    file = folder / "mix" / "backgrounds" / "0.wav"
    before, sound = parts_of(folder), file.read_bytes()
    for start, part in ((0, "train"), (3000, "validation"), (4000, "test")):
        changed = bytearray(sound)
        place = len(sound) - 10000 + 2 * start + 200
        changed[place : place + 200] = bytes(200)
        file.write_bytes(changed)
        assert [which for which, clips in parts_of(folder).items() if clips != before[which]] == [part]


def test_times_of_events() -> None:
    """Where the logit rises above 0, in seconds from the start; also at the very first step, and never."""
    data: Any = SimpleNamespace(layout={"events": {"steps": 4, "seconds": 2.0}})
    outputs = np.array([[1.0, -1, 2, 3], [-1, -1, -1, -2]])[..., None]
    found = EventDetection().predict(outputs, data)
    assert [row["events"] for row in found] == [[0.0, 1.0], []]
    assert found[1]["highest"] == pytest.approx(1 / (1 + np.e))


def test_bad_mixes(folder: Path) -> None:
    for part in ("validation", "test"):  # a split would draw it from the clips of training
        with pytest.raises(ConfigError, match=f"{part}.*expected a whole number"):
            api.check(config(source={"sound_mix": MIX | {part: 0}}))
    with pytest.raises(ConfigError, match=r"no recording has such a name; expected names such as 'activates/0\.wav'"):
        api.check(config(source={"sound_mix": MIX | {"trigger": "nobody/*"}}))
    for k in range(6):
        (folder / "mix" / "activates" / f"{k}.wav").unlink()
    with pytest.raises(DataError, match="too few recordings of `trigger`.*at least 5; got 4"):
        pool_of(folder)
    with pytest.raises(DataError, match="no label for each step.*sound_mix"):
        api.check({**config(), "data": {"source": "iris"}})


def config(**data: Any) -> dict[str, Any]:
    convolution = {"conv": {"filters": 8, "kernel_size": 5, "strides": 4, "padding": "same"}}
    return {
        "name": "words",
        "task": "event_detection",
        "data": {"source": {"sound_mix": MIX}, "prepare": [{"log_mel": {"bands": 12}}], **data},
        "model": {"graph": {"y": [convolution, "relu", {"gru": {"units": 12, "return_sequences": True}}, "dense"]}},
        "optimizer": {"adam": 0.02},
        "train": {"epochs": 12, "batch_size": 10},
    }


def test_a_run_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert api.fit(config())["test"]["f1"] > 0.8
    clip = 0.005 * np.random.default_rng(1).standard_normal(4000)
    clip[1000:1300] += 0.4 * tone(805, 0.15, RATE)
    clip[2500:2800] += 0.4 * tone(205, 0.15, RATE)
    (folder / "new.wav").write_bytes(wav(clip, RATE))
    assert command(["predict", "words", "new.wav", "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)["predictions"]
    assert len(said["events"]) == 1 and abs(said["events"][0] - 1300 / RATE) < 0.15
    assert command(["predict", "words", "new.wav"]) == 0
    assert str(said["events"][0]) in capsys.readouterr().out
    assert command(["evaluate", "words", "--data", "new.wav"]) == 3
    assert "no labels for its steps" in capsys.readouterr().err
    assert command(["evaluate", "words", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert sum(map(sum, found["confusion"])) == 10 * STEPS


def test_a_model_of_another_number_of_steps_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not fit the data; expected \(40, 1\); got \(50, 1\)"):
        api.check(config(source={"sound_mix": MIX | {"steps": 40}}))
