"""Did you mean …?  Figure B2: of 100 misspelt keys at least 95 get the right suggestion."""

from __future__ import annotations

import pytest

from dltrain import registry
from dltrain.config.monitored import monitor_problems
from dltrain.config.sections import Data, Fields, Train
from dltrain.suggest import closest, distance, hint

CONV = ["filters", "kernel_size", "strides", "padding", "dilation_rate", "use_bias", "kernel_initializer"]

# Where a key stands -> what people write there -> what they mean.
MISSPELT: dict[str, dict[str, str]] = {
    "config": {
        "optimiser": "optimizer", "optmizer": "optimizer", "optimzer": "optimizer", "Optimizer": "optimizer",
        "optim": "optimizer", "los": "loss", "loss_fn": "loss", "lossfunction": "loss", "criterion": "loss",
        "metric": "metrics", "mertics": "metrics", "sead": "seed", "random_seed": "seed", "random_state": "seed",
        "modle": "model", "network": "model", "dta": "data", "dataset": "data", "tarin": "train", "training": "train",
        "trian": "train", "taks": "task", "dtpye": "dtype", "callbacks": "hooks", "hook": "hooks", "hoks": "hooks",
        "regularizer": "regularize", "regularise": "regularize", "nmae": "name", "weight_decay": "regularize",
    },
    "data": {
        "sorce": "source", "dataset": "source", "splits": "split", "spilt": "split", "prepar": "prepare",
        "preprocessing": "prepare", "preperation": "prepare",
    },
    "train": {
        "epoch": "epochs", "num_epochs": "epochs", "n_epochs": "epochs", "epohcs": "epochs", "Epochs": "epochs",
        "max_epochs": "epochs", "batch": "batch_size", "bs": "batch_size", "batchsize": "batch_size",
        "batch-size": "batch_size", "batchSize": "batch_size", "batch_sz": "batch_size", "bacth_size": "batch_size",
        "max_iter": "steps", "iterations": "steps", "step": "steps", "max_steps": "steps", "shufle": "shuffle",
        "evaluate_evry": "evaluate_every", "eval_every": "evaluate_every", "checkpoint": "checkpoint_every",
        "checkpoints_every": "checkpoint_every", "save_every": "checkpoint_every", "moniter": "monitor",
        "kep": "keep", "max_time": "time",
    },
    "dense": {
        "unit": "units", "unist": "units", "hidden": "units", "neurons": "units", "size": "units",
        "out_features": "units", "features": "units", "bias": "use_bias", "usebias": "use_bias", "bais": "use_bias",
        "kernel_initialiser": "kernel_initializer", "init": "kernel_initializer", "bias_init": "bias_initializer",
    },
    "conv": {
        "out_channels": "filters", "channels": "filters", "filter": "filters", "filers": "filters",
        "kernel": "kernel_size", "kernelsize": "kernel_size", "stride": "strides", "pad": "padding",
        "dilation": "dilation_rate",
    },
    "dropout": {"keep_prob": "rate", "p": "rate", "rat": "rate", "dropout_rate": "rate"},
    "adam": {
        "lr": "learning_rate", "learnin_rate": "learning_rate", "learningRate": "learning_rate", "beta1": "beta_1",
        "b2": "beta_2", "eps": "epsilon", "grad_clip": "clip_norm", "eta": "learning_rate",
    },
    "early_stopping": {"patiense": "patience", "wait": "patience", "mindelta": "min_delta"},
}  # fmt: skip


def known(where: str) -> list[str]:
    sections = {"config": Fields, "data": Data, "train": Train}
    if where in sections:
        return [argument.name for argument in registry.arguments_of(sections[where])]
    kinds = {"adam": "optimizer", "early_stopping": "hook"}
    entries = registry.entries(kinds.get(where, "layer"))
    return [argument.name for argument in entries[where].arguments] if where in entries else CONV


def test_of_a_hundred_misspelt_keys_95_get_the_right_suggestion() -> None:
    cases = [(where, written, right) for where, words in MISSPELT.items() for written, right in words.items()]
    assert len(cases) >= 100
    wrong = [(*case, found) for case in cases if (found := closest(case[1], known(case[0]))) != case[2]]
    assert len(wrong) <= len(cases) * 5 // 100, wrong


@pytest.mark.parametrize("written", ["zebra", "xyz", "qqqqqqqq", "", "12", "foo_bar"])
def test_no_suggestion_where_nothing_is_near(written: str) -> None:
    assert closest(written, known("train")) is None
    assert hint(written, known("train"), "look there") == "look there"


def test_names_of_things_are_suggested_too() -> None:
    layers = list(registry.entries("layer"))
    expected = {"rleu": "relu", "fc": "dense", "BatchNorm": "batch_norm", "droput": "dropout", "tahn": "tanh"}
    assert {written: closest(written, layers) for written in expected} == expected
    losses = list(registry.entries("loss"))
    expected = {"mse": "mean_squared_error", "bce": "binary_cross_entropy", "cross_entropy": "softmax_cross_entropy"}
    assert {written: closest(written, losses) for written in expected} == expected


def test_one_letter_for_another_is_no_slip() -> None:
    assert closest("x", ["y", "z"]) is None and closest("b", ["b1"]) == "b1" and closest("h1", ["h2"]) == "h2"


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("validation.acc", "validation.accuracy"),
        ("val_acc", "validation.accuracy"),
        ("accuracy", "validation.accuracy"),
        ("training.los", "train.loss"),
    ],
)
def test_monitors_are_suggested_by_part_and_name(written: str, right: str) -> None:
    (problem,) = monitor_problems({"train": {"monitor": written}}, ["loss", "accuracy"])
    assert problem.hint == f"did you mean {right!r}?"
    (problem,) = monitor_problems({"train": {"monitor": "validation.zebra"}}, ["loss", "accuracy"])
    assert problem.hint.startswith("name the metric")


def test_keep_prob_comes_with_a_note() -> None:
    assert hint("keep_prob", ["rate"]) == "did you mean 'rate'? (rate is the share that is dropped: 1 − keep_prob)"


@pytest.mark.parametrize(
    ("a", "b", "steps"), [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)]
)
def test_distance(a: str, b: str, steps: int) -> None:
    assert distance(a, b) == distance(b, a) == steps


def test_long_names_cost_no_time() -> None:
    assert closest("a" * 100_000, known("config")) is None
