"""Pictures larger than memory: the cache on disk, lazy columns, and batches made ahead by threads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from data_files import loaded
from picture_files import archive, folder, noise, packed
from small_runs import StopAt, result

from dltrain import api
from dltrain.data import DataSet, Examples, Loader, budget, decoding, load_like, picture_cache
from dltrain.data.lazy import Lazy
from dltrain.data.prefetch import Prefetch
from dltrain.errors import CorruptFileError, DataError, StorageError
from dltrain.kernels import namespace

CACHES = ("memory", "disk", "none")
PREPARE = [{"standardize": {"axis": "channel"}}]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded, in their order."""
    seen: list[str] = []
    plain = decoding.decode
    monkeypatch.setattr(decoding, "decode", lambda data, where, *rest: seen.append(where) or plain(data, where, *rest))
    return seen


def pets(tmp_path: Path, cache: str, prepare: Any = (), **options: Any) -> DataSet:
    source = {"image_folder": {"path": "set", "cache": cache, **options}}
    return loaded(source, tmp_path, prepare=list(prepare))


def config(path: str = "set", **data: Any) -> dict[str, Any]:
    """A small run on augmented pictures: three epochs of five batches."""
    return {
        "name": "pets",
        "data": {
            "source": {"image_folder": {"path": path, "cache": "none"}},
            "split": {"stratified": {"validation": 0.2}},
            "prepare": PREPARE,
            "augment": ["horizontal_flip", {"rotation": 20}, {"brightness": 0.3}, "mix_up"],
            **data,
        },
        "model": {"graph": {"logits": [{"conv": {"filters": 4, "kernel_size": 3}}, "relu", "flatten", "dense"]}},
        "train": {"epochs": 3, "batch_size": 7, "evaluate_every": "4 steps"},
    }


def cache_file(tmp_path: Path) -> Path:
    [found] = (tmp_path / "cache" / "dltrain" / "pictures").iterdir()
    return found


def workers_alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("data")]


@pytest.mark.parametrize("prepare", [(), PREPARE, ["min_max"], ["scale"], [{"whiten": {"method": "pca"}}]])
def test_what_is_read_does_not_depend_on_where_it_is_kept(prepare: Any, tmp_path: Path) -> None:
    folder(tmp_path / "set")
    sets = {cache: pets(tmp_path, cache, prepare) for cache in (*CACHES, "disk")}
    known = sets["memory"]
    for cache in ("disk", "none"):
        found = sets[cache]
        assert found.fingerprint == known.fingerprint and found.shape == known.shape
        for part, examples in known.parts.items():
            lazy = found.parts[part].columns["x"]
            assert isinstance(lazy, Lazy) and lazy.dtype == np.float32
            assert np.array_equal(lazy, examples.columns["x"])
            assert np.array_equal(found.parts[part].columns["y"], examples.columns["y"])


def test_a_fingerprint_is_that_of_the_files(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    before = pets(tmp_path, "disk").fingerprint
    (tmp_path / "set/cat/3.png").write_bytes(packed(noise(77)))
    assert len({before, pets(tmp_path, "memory").fingerprint, pets(tmp_path, "memory", size=4).fingerprint}) == 3
    assert (
        pets(tmp_path, "memory").fingerprint == pets(tmp_path, "disk").fingerprint == pets(tmp_path, "none").fingerprint
    )


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_nothing_is_decoded_before_it_is_needed(cache: str, tmp_path: Path, decodings: list[str]) -> None:
    folder(tmp_path / "set", count=50)
    data = pets(tmp_path, cache, [{"scale": 255}])
    assert not decodings
    loader = Loader(data.parts["train"], 4, shuffle=True, seed=0)
    loader.batch(0, 0)
    assert len(decodings) == 4


def test_the_cache_is_filled_once(tmp_path: Path, decodings: list[str]) -> None:
    folder(tmp_path / "set")
    for _ in range(2):
        for examples in pets(tmp_path, "disk", PREPARE).parts.values():
            np.asarray(examples.columns["x"])
    assert len(decodings) == 40


def test_the_cache_of_an_archive(tmp_path: Path, decodings: list[str]) -> None:
    members = {f"set/{c}/{i}.png": packed(noise(i)) for c in ("cat", "dog") for i in range(9)}
    archive(tmp_path / "set", {})
    (tmp_path / "set").rename(tmp_path / "set.tgz")
    for changed in ({}, {}, {"set/cat/0.png": packed(noise(50))}):
        archive(tmp_path / "set.tgz", members | changed)
        data = pets(tmp_path, "disk", path="set.tgz")
        for examples in data.parts.values():
            np.asarray(examples.columns["x"])
    assert len(decodings) == 36


def damage_pixels(content: bytearray) -> None:
    content[-7] ^= 1


def damage_mark(content: bytearray) -> None:
    content[picture_cache.HEAD + 3] ^= 1


def damage_head(content: bytearray) -> None:
    content[20] ^= 1


def cut(content: bytearray) -> None:
    del content[-100:]


def empty(content: bytearray) -> None:
    content.clear()


def swap_pictures(content: bytearray) -> None:
    size = 6 * 5 * 3
    content[-size:], content[-2 * size : -size] = content[-2 * size : -size], content[-size:]


def other_head(content: bytearray) -> None:
    head = b'{"stamp": 1}'
    content[: picture_cache.HEAD] = (head + b"\n" + b"0" * 64).ljust(picture_cache.HEAD, b"\0")


@pytest.mark.parametrize(
    "harm", [damage_pixels, damage_mark, damage_head, cut, empty, swap_pictures, other_head], ids=lambda f: f.__name__
)
def test_a_broken_cache_is_not_believed(harm: Any, tmp_path: Path, decodings: list[str]) -> None:
    folder(tmp_path / "set")
    expected = np.asarray(pets(tmp_path, "disk").parts["train"].columns["x"])
    for examples in pets(tmp_path, "disk").parts.values():
        np.asarray(examples.columns["x"])
    before, path = len(decodings), cache_file(tmp_path)
    content = bytearray(path.read_bytes())
    harm(content)
    path.write_bytes(content)
    data = pets(tmp_path, "disk")
    assert np.array_equal(data.parts["train"].columns["x"], expected)
    for examples in data.parts.values():
        np.asarray(examples.columns["x"])
    assert len(decodings) > before
    after = len(decodings)
    for examples in pets(tmp_path, "disk").parts.values():  # it has been mended
        np.asarray(examples.columns["x"])
    assert len(decodings) == after


def test_a_changed_picture_is_seen(tmp_path: Path) -> None:
    folder(tmp_path / "set")
    np.asarray(pets(tmp_path, "disk").parts["train"].columns["x"])
    for i in range(20):
        (tmp_path / f"set/cat/{i}.png").write_bytes(packed(noise(5000 + i)))
    found = np.asarray(pets(tmp_path, "disk").parts["train"].columns["x"])
    assert np.array_equal(found, pets(tmp_path, "memory").parts["train"].columns["x"])
    assert len(list(cache_file(tmp_path).parent.iterdir())) == 1


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "set")
    monkeypatch.setattr(os, "fstatvfs", lambda descriptor: SimpleNamespace(f_bavail=1, f_frsize=512))
    with pytest.raises(StorageError, match=r"cannot make the cache of pictures; got No space left.*free some space"):
        pets(tmp_path, "disk")
    assert not list((tmp_path / "cache/dltrain/pictures").iterdir())


def test_a_set_too_large_for_the_memory_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "set")
    monkeypatch.setattr(budget, "available", lambda: 16)
    with pytest.raises(DataError, match="keep them on disk with `cache: disk`"):
        pets(tmp_path, "memory")
    assert len(pets(tmp_path, "disk").parts["train"])


def loader_of(count: int = 23, batch_size: int = 4) -> Loader:
    x = np.random.default_rng(0).random((count, 9, 8, 3), np.float32)
    loader = Loader(Examples({"x": x, "y": np.arange(count)}, np.arange(count)), batch_size, shuffle=True, seed=3)
    loader.augment([{"rotation": 30}, "hue", "gaussian_noise", "cut_mix"])
    return loader


def made_by(workers: int | None, kernels: Any) -> Iterator[tuple[bytes, ...]]:
    with Prefetch(loader_of(), workers) as ahead:
        for epoch in range(3):
            for index in range(ahead.steps_per_epoch):
                batch = ahead.batch(epoch, index, kernels)
                mixed = batch.mixed
                assert mixed is not None
                arrays = (batch.inputs["x"], batch.target, batch.ids, mixed.target, mixed.share)
                yield tuple(array.tobytes() for array in arrays)
    assert not workers_alive()


@pytest.mark.parametrize("implementation", ["reference", "compiled"])
def test_any_number_of_workers_makes_the_same_batches(implementation: str) -> None:
    kernels = namespace(implementation)
    expected = list(made_by(0, kernels))
    assert len(set(expected)) == 18
    for workers in (None, 1, 2, 5):
        assert list(made_by(workers, kernels)) == expected


def test_a_batch_stays_as_it_was_while_others_are_made() -> None:
    with Prefetch(loader_of(), 3) as ahead:
        first = ahead.batch(0, 0)
        before = first.inputs["x"].copy()
        for index in range(1, 6):
            ahead.batch(0, index)
        assert np.array_equal(first.inputs["x"], before)


def test_any_batch_may_be_asked_for() -> None:
    plain = loader_of()
    with Prefetch(loader_of(), 2) as ahead:
        for epoch, index in ((2, 3), (2, 4), (0, 1), (0, 1), (2, 5), (3, 0), (3, 1), (9, 5)):
            found = ahead.batch(epoch, index)
            expected = plain.batch(epoch, index)
            assert np.array_equal(found.inputs["x"], expected.inputs["x"]) and found.epoch == epoch
    with pytest.raises(IndexError):
        Prefetch(plain, 2).batch(0, 6)


def test_workers_are_there_only_where_they_pay() -> None:
    x = np.zeros((8, 2, 2, 1))
    plain = Loader(Examples({"x": x, "y": np.arange(8)}, np.arange(8)), 2, shuffle=True, seed=0)
    lazy = Loader(
        Examples({"x": Lazy(x.shape, x.dtype, lambda rows: x[rows]), "y": np.arange(8)}, np.arange(8)),
        *(2,),
        shuffle=True,
        seed=0,
    )
    assert [Prefetch(loader, None).workers > 0 for loader in (plain, lazy, loader_of())] == [False, True, True]


def trained(tmp_path: Path, runs: str, progress: Any = None, **data: Any) -> dict[str, str]:
    summary = api.fit(config(**data), runs=tmp_path / runs, progress=progress)
    return result(summary["run"])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose ./data holds a set of pictures."""
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "data" / "set")
    return tmp_path


def test_a_run_is_the_same_for_any_number_of_workers(here: Path) -> None:
    expected = trained(here, "none", workers=0)
    for workers in (1, 3):
        assert trained(here, f"w{workers}", workers=workers) == expected
    for cache in CACHES:
        source = {"image_folder": {"path": "set", "cache": cache}}
        assert trained(here, cache, source=source) == expected
    assert not workers_alive()


@pytest.mark.parametrize("step", [3, 5, 8])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(step: int, here: Path) -> None:
    expected = trained(here, "whole", workers=0)
    summary = api.fit(config(workers=3), runs=here / "runs", progress=StopAt(step, signal.SIGINT))
    assert summary["stopped"] == "signal" and not workers_alive()
    api.resume(summary["run"])
    assert result(summary["run"]) == expected


def test_a_damaged_picture_ends_the_run_with_its_name(here: Path) -> None:
    whole = packed(noise(7, 90, 90))
    for name in ("cat", "dog"):
        for file in (here / "data/set" / name).iterdir():
            file.write_bytes(whole)
    (here / "data/set/dog/7.png").write_bytes(whole[:-4000])
    with pytest.raises(CorruptFileError, match=r"set/dog/7\.png: the picture is damaged"):
        api.fit(config(prepare=[{"scale": 255}], workers=2, split={"random": {"validation": 2}}), runs=here / "runs")
    assert not workers_alive()


def test_new_pictures_of_a_run_that_was_not_in_memory(here: Path) -> None:
    data = loaded({"image_folder": {"path": "set", "cache": "none"}}, here / "data", prepare=PREPARE)
    found = load_like(here / "data/set/cat", data)
    assert found.columns["x"].shape == (20, 6, 5, 3)
