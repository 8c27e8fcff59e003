"""Sounds: wav files of all kinds, one rate and one length, spectrograms, masks, and a run from the command line."""

from __future__ import annotations

import json
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import stft
from sound_files import RATE, tone, tones, wav

from dltrain import api, build_model
from dltrain.cli.main import run as command
from dltrain.config.shipped import find_shipped
from dltrain.data import DataFolders, Examples
from dltrain.data.examples import Features
from dltrain.data.folders import SettingError
from dltrain.data.spectrogram import LogMel, mel_bank
from dltrain.data.wav import decode, resampled
from dltrain.errors import ConfigError, CorruptFileError, DataError
from dltrain.registry import create

CONFIG: dict[str, Any] = {
    "name": "pitch",
    "data": {
        "source": {"sounds": {"path": "tones", "label": "{label}_*", "test_files": "*_[0-2].wav"}},
        "split": {"stratified": {"validation": 4}},
        "prepare": [{"log_mel": {"bands": 12}}],
    },
    "model": {
        "graph": {
            "mask": [{"from": "x"}, "padding_mask"],
            "y": [{"from": "x"}, {"gru": {"units": 8, "with": "mask"}}, "dense"],
        }
    },
    "metrics": ["accuracy"],
    "optimizer": {"adam": 0.02},
    "train": {"epochs": 15, "batch_size": 5},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pool_of(folder: Path, **settings: Any) -> Any:
    return create("source", {"sounds": settings}).load(DataFolders(folder))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("bits", "kind"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3)])
@pytest.mark.parametrize("extensible", [False, True])
def test_wav_files_are_read_as_scipy_reads_them(channels: int, bits: int, kind: int, extensible: bool) -> None:
    sound = np.stack([tone(440), tone(660)], axis=1)[:, :channels]
    data = wav(sound, 16000, bits, kind, extensible)
    samples, rate = decode(data, "a.wav")
    known_rate, known = wavfile.read(BytesIO(data))
    scale = {"u": 128.0, "i": 2.0 ** (8 * known.dtype.itemsize - 1), "f": 1.0}[known.dtype.kind]
    known = (known.astype(np.float64) - (128 if bits == 8 else 0)) / scale
    assert rate == known_rate == 16000 and samples.dtype == np.float32
    np.testing.assert_allclose(samples, known.reshape(len(known), -1).mean(1), rtol=0, atol=1e-7)
    np.testing.assert_allclose(samples, sound.mean(1), rtol=0, atol=2.0 ** (2 - min(bits, 24)))


GOOD = wav(tone(440))
BAD = {
    "text": (b"hello", "no wav file.*ffmpeg"),
    "an mp3": (b"ID3\x04" + bytes(200), "no wav file"),
    "cut off": (GOOD[:-10], "ends too early; expected 1,600 bytes of samples; got 1,590"),
    "only a head": (GOOD[:40], "damaged"),
    "no head": (b"RIFF\x10\0\0\0WAVEdata\x02\0\0\0ab", "damaged; expected a part `fmt `"),
    "a law of telephones": (wav(tone(440), bits=8, kind=7), "kind of wav file.*got format 7, 8 bits, 1 channels"),
    "twelve bits": (GOOD.replace(b"\x02\0\x10\0", b"\x02\0\x0c\0", 1), "got format 1, 12 bits"),
    "no channel": (GOOD[:22] + b"\0\0" + GOOD[24:], "0 channels"),
    "no rate": (GOOD[:24] + b"\0\0\0\0" + GOOD[28:], "no plausible rate.*got 0"),
    "no samples": (wav(np.zeros(0)), "no whole samples.*got 0"),
    "half a sample": (wav(np.zeros(8), bits=8).replace(b"\x01\0\x08\0", b"\x02\0\x10\0", 1)[:-1], "ends too early"),
    "no number": (wav(np.array([0.1, np.nan]), bits=32, kind=3), "samples that are no numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str) -> None:
    data, words = BAD[name]
    with pytest.raises(CorruptFileError, match=rf"^a\.wav: .*{words}"):
        decode(data, "a.wav")


def test_any_cut_and_any_changed_byte_is_refused_or_read() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        data = bytearray(GOOD[: rng.integers(1, len(GOOD))])
        data[rng.integers(0, min(60, len(data)))] = rng.integers(0, 256)
        try:
            samples, _ = decode(bytes(data), "a.wav")
        except CorruptFileError:
            continue
        assert np.isfinite(samples).all()


def test_another_rate_is_the_same_sound() -> None:
    """In the middle, where no end is near; what the new rate cannot hold is gone."""
    for rate in (8000, 11025, 44100):
        found = resampled(tone(440, 0.5, rate).astype(np.float32), rate, 16000)
        assert len(found) == 8000
        np.testing.assert_allclose(found[2000:6000], tone(440, 0.5, 16000)[2000:6000], rtol=0, atol=2e-3)
    assert np.abs(resampled(tone(6000, 0.5, 16000), 16000, 8000)[1000:3000]).max() < 1e-2


def log_mel(x: np.ndarray, **settings: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    examples = Examples({"x": x}, np.arange(len(x)), Features(x.shape[1:], rate=RATE))
    step = LogMel(**settings)
    constants = step.fit(examples)
    return step.apply(x, constants), constants


def test_spectrogram_equals_a_transcription_of_its_formula() -> None:
    """Spectra by SciPy, bands one by one, and the moments of all frames."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2000, 1))
    found, constants = log_mel(x, bands=6)
    _, _, spectrum = stft(x[:, :, 0], RATE, "hann", 200, 120, 256, boundary=None, padded=False)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    power = np.abs(spectrum * window.sum()) ** 2  # SciPy divides by the sum of the window
    tips = [700 * (10 ** (k * 2595 * np.log10(1 + 4000 / 700) / 7 / 2595) - 1) for k in range(8)]
    energies = np.zeros((3, power.shape[2], 6))
    for band in range(6):
        low, tip, high = tips[band : band + 3]
        for k in range(129):
            f = k * RATE / 256
            share = (f - low) / (tip - low) if low < f <= tip else (high - f) / (high - tip) if tip < f < high else 0
            energies[:, :, band] += share * power[:, k]
    known = np.log(energies + 1e-6)
    np.testing.assert_allclose(found, (known - known.mean((0, 1))) / known.std((0, 1)), rtol=0, atol=1e-9)
    assert set(constants) == {"sizes", "bank", "mean", "deviation"}


def test_bands_cover_every_frequency_once() -> None:
    """Between the first and the last tip the triangles add up to 1."""
    bank = mel_bank(16000, 1024, 20)
    inside = bank.argmax(0)[0], bank.argmax(0)[-1]
    np.testing.assert_allclose(bank[inside[0] : inside[1]].sum(1), 1, atol=1e-9)


def test_what_fills_up_a_sound_changes_nothing() -> None:
    """Its frames are those of the sound alone, then zeros, which the mask takes out; constants are the same."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4, 1000, 1)) + 0.1
    longer = np.concatenate([x, np.zeros((4, 500, 1))], axis=1)
    alone, constants = log_mel(x, bands=6)
    filled, others = log_mel(longer, bands=6)
    np.testing.assert_array_equal(filled[:, : alone.shape[1]], alone)
    assert not filled[:, alone.shape[1] :].any()
    assert all(others[name].tobytes() == constants[name].tobytes() for name in constants)
    graph = {"mask": [{"from": "x"}, "padding_mask"], "y": [{"from": "x"}, {"gru": {"units": 3, "with": "mask"}}]}
    model = build_model({"graph": graph}, {"x": filled.shape[1:]}, seed=2)
    outputs = model.forward({"x": filled}, wires=["mask", "y"])[0]
    assert outputs["mask"].sum(1).tolist() == [alone.shape[1]] * 4
    short = build_model({"graph": graph}, {"x": alone.shape[1:]}, seed=2)
    np.testing.assert_allclose(outputs["y"], short.forward({"x": alone})[0]["y"], rtol=1e-5, atol=1e-6)
    silence, _ = log_mel(np.zeros((1, 1000, 1)), bands=6)
    assert not silence.any()


def test_folders_and_archives_hold_the_same(folder: Path) -> None:
    for name in ("high", "low"):
        for file in tones(folder / "tones").glob(f"{name}_*"):
            (folder / "set" / name).mkdir(parents=True, exist_ok=True)
            (folder / "set" / name / file.name).write_bytes(file.read_bytes())
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(folder / "set", "set")
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        for file in (folder / "set").rglob("*.wav"):
            packed.write(file, file.relative_to(folder))
    pools = [pool_of(folder, path=path) for path in ("set", "a.tar.gz", "a.zip")]
    assert all(pool.columns["x"].tobytes() == pools[0].columns["x"].tobytes() for pool in pools)
    assert all(pool.columns["y"].tolist() == ["high"] * 10 + ["low"] * 10 for pool in pools)
    named = pool_of(folder, path="tones", label="{label}_*", test_files="*_[01].wav", rate=4000)
    assert named.columns["x"].shape == (20, 560, 1)  # the longest has 0.14 s
    assert named.given["test"].tolist() == [0, 1, 10, 11]


def test_bad_sets(folder: Path) -> None:
    tones(folder / "tones", 2)
    (folder / "tones" / "high_2.wav").write_bytes(wav(tone(440, rate=16000), 16000))
    with pytest.raises(DataError, match=r"high_2\.wav: the sounds differ in their rate.*8,000.*16,000.*rate: 8000"):
        pool_of(folder, path="tones", label="{label}_*")
    with pytest.raises(DataError, match=r"high_2\.wav: the sound is too long; expected at most 0.08 sec.*got 0.1;"):
        pool_of(folder, path="tones", label="{label}_*", rate=8000, seconds=0.08)
    with pytest.raises(ConfigError, match=r"no file has such a name.*'high_0\.wav'.*\*\.WAV"):
        api.check(
            {**CONFIG, "data": {"source": {"sounds": {"path": "tones", "label": "{label}_*", "test_files": "*.WAV"}}}}
        )
    tones(folder / "more", 2)
    beside = {"path": "tones", "label": "{label}_*", "test_path": "more", "rate": 8000}
    with pytest.raises(SettingError, match="no file has such a name"):
        pool_of(folder, **beside, test_files="*.WAV")
    assert len(pool_of(folder, **beside, test_files="low_1*").given["test"]) == 5
    for file in (folder / "tones").glob("low_1*"):
        file.unlink()
    with pytest.raises(SettingError, match="in the test part already"):
        pool_of(folder, **beside, test_files="low_1*")
    with pytest.raises(DataError, match="do not fit into the memory"):
        pool_of(folder, path="tones", label="{label}_*", rate=10**12)  # before it is resampled
    with pytest.raises(DataError, match=r"the sound lies in no folder of a class.*label"):
        pool_of(folder, path="tones")
    (folder / "none").mkdir()
    with pytest.raises(DataError, match=r"there is no sound; expected files such as \.wav"):
        pool_of(folder, path="none")
    with pytest.raises(ConfigError, match="log_mel takes sounds"):
        api.check({"data": {"source": "iris", "prepare": ["log_mel"]}, "model": {"graph": {"y": ["dense"]}}})
    for settings, words in (({"frame": 3.0}, "do not fit the sounds"), ({"bands": 200}, "a band of log_mel is empty")):
        with pytest.raises(ConfigError, match=words):
            log_mel(np.ones((1, 900, 1)), **settings)


def test_a_run_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tones(folder / "tones")
    assert api.fit(CONFIG)["test"]["accuracy"] == 1
    (folder / "new.wav").write_bytes(wav(np.stack([tone(2000, 0.06, 44100)] * 2, axis=1), 44100, 24))
    assert command(["predict", "pitch", "new.wav", "tones/low_3.wav", "--json"]) == 0
    assert [row["label"] for row in json.loads(capsys.readouterr().out)["predictions"]] == ["high", "low"]
    assert command(["evaluate", "pitch", "--data", "tones", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 20
    (folder / "bad.wav").write_bytes(b"hello")
    assert command(["predict", "pitch", "bad.wav"]) == 4
    assert "bad.wav: this is no wav file" in capsys.readouterr().err
    assert command(["predict", "pitch", "gone.wav"]) == 3
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.slow
def test_spoken_digits_begin_to_be_learned(tmp_path: Path, data_folder: Path) -> None:
    path = find_shipped("spoken-digits")
    assert path is not None
    assert api.fit(path, sets=["train.epochs=4"], runs=tmp_path)["test"]["accuracy"] > 0.85
