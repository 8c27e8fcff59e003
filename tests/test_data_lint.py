"""`dltrain data lint`: planted faults of data are named, and sound data are left in peace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import folder as pictures

from dltrain import api
from dltrain.cli.main import run
from dltrain.data.examples import Examples
from dltrain.data.lazy import Lazy
from dltrain.diagnose import label_lint
from dltrain.diagnose.data_lint import as_table, of_rows
from dltrain.registry import entries

PAGE = Path(__file__).parent.parent / "docs" / "data.md"


def sound(count: int = 300, seed: int = 0) -> tuple[Any, Any]:
    """Features and classes that have something to do with each other."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    return rng.standard_normal((count, 3)) + y[:, None], y


def named(data: Any) -> set[str]:
    """The rules that say something."""
    return {name for name, entry in entries("lint").items() if list(entry.make(data))}


def test_sound_data_are_left_in_peace() -> None:
    x, y = sound()
    assert named(of_rows(x[:200], x[200:], y)) == set()


@pytest.mark.parametrize("source", ["digits", "wine", "breast_cancer", {"moons": {"samples": 600}}])
def test_sound_sources_have_no_fault(source: Any) -> None:
    found = api.lint_data({"data": {"source": source, "split": "stratified"}, "model": {"graph": {"y": ["dense"]}}})
    assert found["passed"] and found["verdicts"] == [] or {v["rule"] for v in found["verdicts"]} <= {"constant_columns"}


def test_constant_columns_move_no_neighbours() -> None:
    x, y = sound(200)
    x += 6 * y[:, None]
    y[[5, 15, 25]] ^= 1
    plain = label_lint.dissenters(x, y)
    constants = np.tile([1e-3 / 3, 1e6 / 3, 0.0], (200, 1))
    assert plain.any()
    assert np.array_equal(label_lint.dissenters(np.concatenate([x + 1e4, constants], 1), y), plain)


def test_wide_examples_are_compared_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = sound()
    seen: list[int] = []
    monkeypatch.setattr(label_lint, "MOST_NUMBERS", 30 * 3)
    monkeypatch.setattr(label_lint, "dissenters", lambda x, y: (seen.append(len(x)), np.zeros(len(x), bool))[1])
    assert list(label_lint.doubtful_labels(of_rows(x, y=y))) == [] and seen == [30]


def test_each_fault_is_told_from_the_others() -> None:
    x, y = sound()
    double, leak, order = x.copy(), x.copy(), x.copy()
    double[200:] = x[:100]
    assert named(of_rows(double[:200], double[200:], np.concatenate([y[:200], y[:100]]))) == {"duplicates_across_parts"}
    leak[:, 1] = y * 2 + 0.01 * x[:, 1]
    assert named(of_rows(leak[:200], leak[200:], y)) == {"leaking_columns"}
    order[:, 2] = np.random.default_rng(1).permutation(300)
    order[:200, 2].sort()
    assert named(of_rows(order[:200], order[200:], y)) == {"id_like_columns"}
    shifted = x.copy()
    shifted[200:, 0] += 3
    assert named(of_rows(shifted[:200], shifted[200:], y)) == {"shifted_columns"}
    constant = x.copy()
    constant[:, 0] = 5
    assert named(of_rows(constant[:200], constant[200:], y)) == {"constant_columns"}


def test_pictures_that_look_alike() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.random((60, 16, 16, 3))
    brighter = pictures[:3] * 0.98 + 0.005
    other = rng.random((20, 16, 16, 3))
    found = list(entries("lint")["near_duplicates"].make(of_rows(pictures, np.concatenate([brighter, other]))))
    assert found[0].evidence == {"count": 3} and "60, 61, 62" in found[0].what
    assert not list(entries("lint")["near_duplicates"].make(of_rows(pictures, other)))


def test_rows_that_are_alike_by_chance_are_no_fault() -> None:
    x = np.random.default_rng(0).integers(0, 3, (300, 3))
    found = {v.severity for v in entries("lint")["duplicates_across_parts"].make(of_rows(x[:200], x[200:]))}
    assert found == {"doubt"}


def test_zeros_of_either_sign_are_the_same() -> None:
    assert "duplicates_across_parts" in named(of_rows([[0.0], [1.0]], [[-0.0]]))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = sound()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    np.savez(tmp_path / "b.npz", x=x[:50], y=y[:50])
    source = {"npz": {"path": "a.npz", "test_path": "b.npz"}}
    settings = {"data": {"source": source, "split": "stratified"}, "model": {"graph": {"logits": ["dense"]}}}
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(settings))
    assert run(["data", "lint", str(path)]) == 3
    out = capsys.readouterr().out
    assert "✗ duplicates_across_parts" in out and "stand in the train part too" in out
    path.write_text(json.dumps({**settings, "waive": {"duplicates_across_parts": "a trial"}}))
    assert run(["data", "lint", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"passed", "data", "parts", "verdicts"} and found["verdicts"][0]["waived"] == "a trial"


def test_the_page_lists_every_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in entries("lint") if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_pictures_that_are_not_in_memory(cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is said of them, by lint, doctor and errors."""
    pictures(tmp_path / "data" / "set", count=30)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = {"image_folder": {"path": "set", "cache": cache}}
    settings = {"name": "a", "data": {"source": source, "split": {"random": {"validation": 20, "test": 0}}}}
    settings |= {"model": {"graph": {"logits": ["flatten", "dense"]}}, "train": {"epochs": 1}}
    assert [v["rule"] for v in api.lint_data(settings)["verdicts"]] == []
    found = {v["rule"]: v["severity"] for v in api.doctor(settings)["verdicts"]}
    assert found["unscaled_inputs"] == "doubt"  # bytes
    api.fit(settings, runs="runs")
    assert api.errors("a")["samples"] == 20


def test_masks_and_texts_are_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("".join(f"line {number} of a text\n" for number in range(400)))
    text = {"source": {"text_lines": {"path": "a.txt"}}}
    shapes = {"source": {"shapes": {"samples": 60, "size": 16}}}
    for task, data in (("language_model", text), ("segmentation", shapes)):
        found = api.lint_data({"task": task, "data": data, "model": {"graph": {"y": ["dense"]}}})
        assert {v["rule"] for v in found["verdicts"]} <= {"shifted_classes"}, found


def test_large_pictures_are_read_in_pieces() -> None:
    reads = []

    def read(rows: Any) -> Any:
        reads.append(len(rows))
        return np.zeros((len(rows), 64, 64, 3), np.float32)

    examples = Examples({"x": Lazy((3000, 64, 64, 3), np.float32, read), "y": np.zeros(3000, int)}, np.arange(3000))
    assert as_table(examples).shape == (3000, 1) and max(reads) < 100
