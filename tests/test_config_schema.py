"""The JSON Schema accepts what the loader accepts, and refuses what an editor should mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dltrain.config import load
from dltrain.config.schema import schema
from dltrain.config.shipped import shipped_configs
from dltrain.config.yaml_reader import read_bytes, read_file

jsonschema = pytest.importorskip("jsonschema")

GOOD = """\
extends: other.yaml
name: a
data: {source: {digits: {images: false}}, split: random, prepare: [standardize, scale: 16]}
model:
  vars: {width: 8}
  inputs: {x: [64]}
  blocks:
    unit: [dense: {units: $units, use_bias: $bias=true}, relu]
  graph:
    stem: [unit: $width, residual: [dense: 8], dropout: 0.5]
    left: [from: stem, unit: {units: 3, repeat: 2}, flatten]
    logits: [concat: [[dense: 3], []], add: {with: left}, dense]
  outputs: [logits]
loss:
metrics: [accuracy, f1: macro]
optimizer: {adam: {learning_rate: {cosine: 0.1}, clip_norm: 1}}
regularize: [l2: 0.1]
train: {time: 10 minutes, epochs: null, evaluate_every: 2 epochs, batch_size: 3}
hooks: [early_stopping: {patience: 3}, early_stopping: 5]
"""

BAD = [
    "seed: -1",
    "sed: 1",
    "train: {epohcs: 1}",
    "train: {batch_size: 0}",
    "train: {time: 3 epochs, keep: no}",
    "train: {evaluate_every: often}",
    "optimizer: adem",
    "optimizer: {adam: {lr: 1}}",
    "optimizer: {adam: {beta_1: 1}}",
    "optimizer: {adam: 1, rmsprop: 1}",
    "dtype: float16",
    "data: {source: iris, prepare_target: [pca]}",
    "metrics: accuracy",
    "hooks: [early_stopping]",
    "regularize: [l3: 1]",
    "model: {grph: {}}",
    "model: {graph: {y: dense}}",
    "model: {graph: {y: [dense: {unitz: 3}]}}",
    "model: {graph: {y: [dense: -3]}}",
    "model: {graph: {y: [dropout: 1.5]}}",
    "model: {graph: {y: [{dense: 1, relu: 1}]}}",
    "model: {inputs: {x: 3}}",
    "name: a/b",
    "model: {graph: {y: [denze]}}",
    "model: {graph: {y: [denze: 3]}}",
    "model: {graph: {y: [residual: [denze]]}}",
    "model: {graph: {y: [concat: [[dense: 3], [denze]]]}}",
    "data: {source: iris, split: {random: {validation: -1}}}",
]

MAYBE_BLOCKS = [
    "{extends: other.yaml, model: {graph: {y: [unit]}}}",
    "model: {blocks: {unit: [dense: 3]}, graph: {y: [unit, {residual: [unit]}]}}",
    "model: {vars: {act: relu}, graph: {y: [dense: 3, $act, {from: x}, {concat: [[dense: 3], []]}, {add: {with: x}}]}}",
]


@pytest.fixture(scope="module")
def validator() -> Any:
    whole = json.loads(json.dumps(schema()))  # it must be plain JSON
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


def value(text: str) -> Any:
    document = read_bytes(text.encode())
    assert document.root is not None and not document.flaws
    return document.root.plain()


def test_a_config_that_uses_everything_is_valid(validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(value(GOOD))] == []


@pytest.mark.parametrize("text", BAD)
def test_wrong_configs_are_not_valid(validator: Any, text: str) -> None:
    assert not validator.is_valid(value(text))


@pytest.mark.parametrize("text", MAYBE_BLOCKS)
def test_names_that_may_be_blocks_are_valid(validator: Any, text: str) -> None:
    assert [error.message for error in validator.iter_errors(value(text))] == []


def test_hover_shows_documentation() -> None:
    whole = schema()
    assert whole["properties"]["train"]["properties"]["keep"]["description"].startswith("checkpoints kept")
    assert whole["properties"]["train"]["properties"]["batch_size"]["default"] == 32
    dense = next(option for option in whole["$defs"]["item"]["anyOf"] if option.get("const") == "dense")
    assert "Fully connected" in dense["description"]


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_shipped_configs_are_valid_as_written_and_resolved(validator: Any, name: str, tmp_path: Path) -> None:
    path = shipped_configs()[name]
    root = read_file(path).root
    assert root is not None
    for config in (root.plain(), load(path).resolved):
        assert [error.message for error in validator.iter_errors(config)] == []


def test_the_schema_of_sweeps_accepts_those_that_come_with_dltrain_and_refuses_what_the_loader_refuses() -> None:
    from dltrain.config.schema import schema_of
    from dltrain.config.shipped import shipped_sweeps
    from dltrain.errors import ConfigError
    from dltrain.sweeps.settings import Sweep, from_mapping

    validator = jsonschema.Draft202012Validator(schema_of(Sweep, "dltrain sweep"))
    validator.check_schema(validator.schema)
    for path in shipped_sweeps().values():
        root = read_file(path).root
        assert root is not None and validator.is_valid(root.plain())
    good = {"config": "digits-mlp", "space": {"train.batch_size": {"choice": [16, 32]}}}
    assert validator.is_valid(good) and from_mapping(good)
    for wrong in (
        {"trails": 3},
        {"trials": 0},
        {"sampler": "randm"},
        {"space": {"a": {"unifrm": [0, 1]}}},
        {"seeds": "2"},
    ):
        assert not validator.is_valid({**good, **wrong})
        with pytest.raises(ConfigError):
            from_mapping({**good, **wrong})
