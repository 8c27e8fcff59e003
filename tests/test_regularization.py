"""Micro-batches that equal their batch, constraints, a stop that restores the best weights, dropout on inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CONSTRAINTS
from checks import PoisonedArena
from small_models import batch_of, graph_of, objective_of
from small_runs import iris, result

from dltrain import api, config
from dltrain.errors import ConfigError
from dltrain.kernels import select
from dltrain.model.memory import Arena
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.runs.folder import RunFolder
from dltrain.training import checkpoint
from dltrain.training.journal import Journal, NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.session import prepare
from dltrain.training.trainer import Trainer

TORCH = np.load(Path(__file__).parent / "fixtures" / "averaging.npz")
NO_NORM = {"logits": [{"dense": 8}, "tanh", "dense"]}


def weights(run: str, checkpoint_of: str = "last") -> dict[str, Any]:
    return api.load_run(run, checkpoint=checkpoint_of).graph.state()


@pytest.mark.parametrize("parts", [2, 3, 4, 15])
@pytest.mark.parametrize("penalties", [[], [{"l1": 0.01}, {"l2": 0.1}]])
def test_micro_batches_are_one_batch(parts: int, penalties: list[Any], tmp_path: Path) -> None:
    """Over three epochs whose last batch is short (104 samples by 15); only rounding differs."""
    same = {"model__graph": NO_NORM, "dtype": "float64", "regularize": penalties}
    whole = api.fit(iris(**same), runs=tmp_path)
    cut = api.fit(iris(**same, train__accumulate=parts), runs=tmp_path)
    assert (cut["steps"], cut["epochs"]) == (whole["steps"], whole["epochs"])
    for path, array in weights(whole["run"]).items():
        np.testing.assert_allclose(weights(cut["run"])[path], array, rtol=1e-9, atol=1e-11)
    for part in ("train", "validation"):
        assert cut["metrics"][part] == pytest.approx(whole["metrics"][part], rel=1e-9)


@pytest.mark.parametrize(("rows", "size", "sizes"), [(10, 4, [4, 4, 2]), (4, 4, [4]), (3, 1, [1, 1, 1]), (5, 9, [5])])
def test_pieces_of_a_batch(rows: int, size: int, sizes: list[int]) -> None:
    graph = graph_of({"graph": {"y": [{"dense": 3}]}}, {"x": (4,)})
    batch = batch_of(graph, "classification", rows, np.random.default_rng(0))
    batch.rows = slice(5, 5 + rows)
    batch._all_ids = np.arange(100) * 2
    pieces = list(batch.pieces(size))
    assert [len(piece) for piece in pieces] == sizes
    assert (np.concatenate([piece.inputs["x"] for piece in pieces]) == batch.inputs["x"]).all()
    assert (np.concatenate([piece.target for piece in pieces]) == batch.target).all()
    assert np.concatenate([piece.ids for piece in pieces]).tolist() == batch.ids.tolist()


def test_a_penalty_counts_once_even_for_a_layer_that_nothing_reads() -> None:
    model = {"graph": {"dead": [{"dense": 3}], "y": [{"from": "x"}, {"dense": 3}]}, "outputs": ["dead", "y"]}
    gradients = []
    for size in (8, 3):
        graph = graph_of({"inputs": {"x": [4]}, **model}, {"x": (4,)}, dtype="float64")
        objective = objective_of(graph, "classification", penalties=[{"l2": 0.1}])
        batch, value = batch_of(graph, "classification", 8, np.random.default_rng(0)), None
        for piece in batch.pieces(size):
            value = objective(piece, Mode(True), value)
        gradients.append(graph.vector.grad.copy())
        assert graph.parameters["dead.0.dense.kernel"].grad.any()
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-12, atol=1e-15)


def trainer_of(spec: dict[str, Any], arena: Arena | None = None) -> Trainer:
    session = prepare(config.from_mapping(spec))
    session.arena = arena or session.arena
    return session.trainer(NoJournal(), SilentProgress())


def test_micro_batches_in_poisoned_memory_change_no_bit() -> None:
    """With dropout, penalties, an average, constraints and evaluations in between; and the short last batch."""
    spec = iris(train__accumulate=4, average={"ema": 0.9}, constrain=[{"max_norm": 1}], train__evaluate_every="2 steps")
    states = []
    for arena in (Arena(), PoisonedArena()):
        trainer = trainer_of(spec, arena)
        for _ in range(16):
            trainer.advance()
        states.append(trainer.state()[0])
    assert any(name.startswith("average/") for name in states[0])
    assert all((states[1][name] == array).all() for name, array in states[0].items())


def test_micro_batches_take_the_memory_of_one() -> None:
    def block(parts: int) -> int:
        chain = [{"dense": 64}, "tanh", {"dense": 64}, "tanh", "dense"]
        spec = iris(model__graph={"logits": chain}, train={"epochs": 1, "batch_size": 104, "accumulate": parts})
        trainer = trainer_of(spec)
        for _ in range(3):
            trainer.train_step()
            trainer.index = 0
        assert trainer.mode.arena is not None
        return trainer.mode.arena._memory.nbytes

    assert block(8) < block(1) / 5
    reported = [api.check(iris(train__accumulate=k, train__batch_size=96))[0]["memory_bytes"] for k in (1, 8)]
    assert reported[1] < reported[0] / 2


def test_micro_batches_drop_units_each_for_itself() -> None:
    mode, masks = Mode(True, seed=3), []
    model = api.build_model({"graph": {"y": [{"dropout": 0.5}]}}, {"x": (64,)})
    for part in (0, 1, 0):
        mode.begin(5, part=part)
        masks.append(model.forward({"x": np.ones((4, 64), np.float32)}, mode=mode)[0]["y"])
    assert (masks[0] != masks[1]).any() and (masks[0] == masks[2]).all()


def test_more_micro_batches_than_examples_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"train\.accumulate: a step has fewer examples .* at most 15, .*; got 16"):
        api.check(iris(train__accumulate=16))
    with pytest.raises(ConfigError, match=r"at most 32, train\.batch_size; got 33"):
        api.check(iris(train={"accumulate": 33}))
    checked, _ = api.check(iris(train={"batch_size": 512, "accumulate": 64}))  # a look at 16 samples refuses nothing
    assert checked["memory_bytes"] < api.check(iris(train={"batch_size": 512}))[0]["memory_bytes"] / 2


@pytest.mark.parametrize("name", ["max_norm", "unit_norm"])
def test_limits_of_norms_are_pytorchs(name: str) -> None:
    kernel = TORCH["kernel"].copy()
    create("constraint", CONSTRAINTS[name]).project(kernel, select("reference")(kernel))
    np.testing.assert_allclose(kernel, TORCH[name], rtol=1e-6)  # PyTorch divides by the norm + 1e-7


@pytest.mark.parametrize("shape", [(6, 5), (3, 3, 2, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraint(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    """It holds afterwards, changes nothing that fulfils it, leaves zeros, keeps the type, and survives extremes."""
    kernel = 2 * np.random.default_rng(0).standard_normal(shape).astype(dtype)
    kernel[..., 0] = 0
    constraint, kernels = create("constraint", CONSTRAINTS[name]), select("auto")(kernel)
    constraint.project(kernel, kernels)
    norms = np.sqrt((kernel.reshape(-1, 5) ** 2).sum(axis=0))
    low, high = {"max_norm": (0, 1.5), "unit_norm": (1, 1), "non_neg": (0, np.inf)}[name]
    assert kernel.dtype == dtype and not kernel[..., 0].any()
    assert (norms[1:] > low - 1e-6).all() and (norms[1:] < high + 1e-6).all()
    assert name != "non_neg" or (kernel >= 0).all()
    again = kernel.copy()
    constraint.project(again, kernels)
    np.testing.assert_allclose(again, kernel, rtol=1e-6)
    for extreme in (0.0, 1e4, -1e4, 1e20, 1e-24):
        kernel[...] = extreme
        before = np.linalg.norm(kernel.reshape(-1, 5).astype(np.float64), axis=0)
        constraint.project(kernel, kernels)
        assert np.isfinite(kernel).all()
        if name != "non_neg" and extreme:
            norms = np.linalg.norm(kernel.reshape(-1, 5).astype(np.float64), axis=0)
            np.testing.assert_allclose(norms, before.clip(low, high), rtol=1e-5)


def test_a_constraint_holds_after_every_step_for_kernels_only(tmp_path: Path) -> None:
    spec = iris(constrain=[{"max_norm": 0.4}], optimizer={"gradient_descent": 5.0}, dtype="float64", regularize=[])
    trainer = trainer_of(spec)
    for _ in range(9):
        trainer.advance()
        for path, parameter in trainer.graph.parameters.items():
            if path.endswith("kernel"):
                assert np.linalg.norm(parameter.value, axis=0).max() <= 0.4 + 1e-12, path
    assert max(abs(p.value).max() for path, p in trainer.graph.parameters.items() if not p.decays) > 0.5


def test_a_constraint_leaves_frozen_kernels_and_comes_before_the_average() -> None:
    frozen = {"gradient_descent": {"learning_rate": 5.0, "groups": {"logits.0.*": {"frozen": True}}}}
    spec = iris(constrain=[{"max_norm": 0.4}], optimizer=frozen, regularize=[], average={"ema": 0.5}, dtype="float64")
    trainer = trainer_of(spec)
    kernels = {path: p for path, p in trainer.graph.parameters.items() if path.endswith("kernel")}
    before = kernels["logits.0.dense.kernel"].value.copy()
    assert np.linalg.norm(before, axis=0).max() > 0.4
    for _ in range(9):
        trainer.advance()
        np.testing.assert_array_equal(kernels["logits.0.dense.kernel"].value, before)
        average = trainer.average.state()["logits.4.dense.kernel"]  # type: ignore[union-attr]
        assert np.linalg.norm(average, axis=0).max() <= 0.4 + 1e-12  # a mean of what lies in the ball lies in it


def test_nothing_below_the_first_trained_layer_is_differentiated() -> None:
    frozen = {"gradient_descent": {"groups": {"logits.0.*": {"frozen": True}}}}
    plain, trainer = (trainer_of(iris(optimizer=one, regularize=[])) for one in ({"gradient_descent": 0.01}, frozen))
    for one in (plain, trainer):
        one.train_step()
    path = "logits.0.dense.bias"
    assert plain.graph.parameters[path].grad.any() and not trainer.graph.parameters[path].grad.any()
    needing = [[node.path for node in one.graph.nodes if node.needs_dx] for one in (plain, trainer)]
    assert set(needing[1]) < set(needing[0])


def test_the_trainer_tells_micro_batches_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, parts = trainer_of(iris(train__accumulate=3)), []
    begin = trainer.mode.begin
    monkeypatch.setattr(trainer.mode, "begin", lambda step, key, part: parts.append(part) or begin(step, key, part))
    trainer.train_step()
    assert parts == [0, 1, 2]


def test_a_stop_restores_the_best_weights_where_asked(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"train__epochs": 400, "optimizer": {"adam": 0.05}, "average": {"ema": 0.3}}
    summaries = {}
    for restore in (False, True):
        hooks = [{"early_stopping": {"patience": 2, "restore_best_weights": restore}}]
        summaries[restore] = api.fit(iris(**changes, hooks=hooks), runs=tmp_path)
        assert summaries[restore]["stopped"] == "early_stopping"
        assert summaries[restore]["best"]["step"] < summaries[restore]["steps"]
    plain, restored = summaries[False]["run"], summaries[True]["run"]
    best, last = weights(plain, "best"), weights(plain)
    assert any((last[path] != array).any() for path, array in best.items())
    for which in ("best", "last"):
        assert all((weights(restored, which)[path] == array).all() for path, array in best.items())
    before = result(restored)
    assert api.resume(restored)["steps"] == summaries[True]["steps"]
    assert result(restored) == before


def test_a_kill_before_the_best_weights_are_restored_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = [{"early_stopping": {"patience": 2, "restore_best_weights": True}}]
    spec = iris(hooks=hooks, train__epochs=400, optimizer={"adam": 0.05})
    expected = result(api.fit(spec, runs=tmp_path / "whole")["run"])

    def killed(self: Journal, trainer: Trainer) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "best", killed)
        with pytest.raises(KeyboardInterrupt):
            api.fit(spec, runs=tmp_path)
    run = str(RunFolder.find("iris", tmp_path).path)
    assert result(run) != expected
    api.resume(run)
    assert result(run) == expected
    arrays, meta = checkpoint.load(checkpoint.newest_valid(RunFolder.open(run).checkpoints_path).path)  # type: ignore[arg-type]
    assert meta["trainer"]["stopped"] == "early_stopping"


def test_restored_weights_are_the_best_of_the_run(tmp_path: Path) -> None:
    hooks = [{"early_stopping": {"patience": 2, "monitor": "validation.f1", "restore_best_weights": True}}]
    with pytest.raises(ConfigError, match=r"hooks\.0\.early_stopping\.monitor.*expected 'validation\.loss'"):
        api.check(iris(hooks=hooks))
    api.check(iris(hooks=hooks, train__monitor="validation.f1"))


def test_dropout_on_the_inputs_keeps_their_mean_and_passes_the_gradient_check() -> None:
    model = api.build_model({"graph": {"y": [{"dropout": 0.2}]}}, {"x": (50,)}, dtype="float64")
    x = np.random.default_rng(0).standard_normal((400, 50)) + 3
    y = model.forward({"x": x}, train=True)[0]["y"]
    dropped = y == 0
    assert abs(dropped.mean() - 0.2) < 0.01
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.8, rtol=1e-14)
    assert (model.forward({"x": x})[0]["y"] == x).all()
    chain = [{"dropout": 0.2}, {"dense": 8}, "tanh", {"dropout": 0.5}, "dense"]
    assert api.gradcheck(iris(model__graph={"logits": chain}))["passed"]


HIDDEN: list[Any] = [{"dense": 256}, "relu"]
DROPOUT = [{"dropout": 0.1}, *HIDDEN, {"dropout": 0.5}, *HIDDEN, {"dropout": 0.5}, "dense"]
NOISY = {"optimizer": {"momentum": 0.1}, "train": {"epochs": 6, "batch_size": 20}}  # steps too long to settle down


def digits(seed: int, runs: Path, **changes: Any) -> tuple[float, float]:
    """Loss over the 200 digits that a model with 86 thousand parameters was trained on, and over 900 others."""
    spec = {
        "seed": seed,
        "data": {
            "source": "digits",
            "split": {"stratified": {"validation": 697, "test": 900, "seed": 1}},
            "prepare": [{"scale": 16}],
        },
        "model": {"graph": {"logits": [*HIDDEN, *HIDDEN, "dense"]}},
        "optimizer": {"momentum": 0.03},
        "train": {"epochs": 60, "batch_size": 20},
    }
    run = api.fit({**spec, **changes}, runs=runs)["run"]
    train, test = (api.evaluate(run, split=s, checkpoint="last")["metrics"]["loss"] for s in ("train", "test"))
    return train, test


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_each_kind_of_regularization_does_what_it_is_for(seed: int, tmp_path: Path) -> None:
    train, test = digits(seed, tmp_path)
    assert train < 0.01 < 0.2 < test  # over-fitted: known by heart, and wrong elsewhere
    for change in ({"regularize": [{"l2": 0.003}]}, {"model": {"graph": {"logits": DROPOUT}}}):
        other_train, other_test = digits(seed, tmp_path, **change)
        assert other_train > 5 * train  # less is known by heart,
        assert other_test - other_train < test - train  # and the gap is narrower
    limited_train, limited_test = digits(seed, tmp_path, constrain=[{"max_norm": 1.0}])
    assert limited_train > train and limited_test < test
    noisy, calm = (digits(seed, tmp_path, **NOISY, **change)[1] for change in ({}, {"average": {"ema": 0.9}}))
    assert calm < 0.7 * noisy


def test_a_step_that_does_not_fit_is_refused_before_it_is_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the figures, and before a run folder is made; a micro-batch is what has to fit."""
    needed = api.check(iris())[0]["memory_bytes"]
    monkeypatch.setattr("dltrain.training.session.available", lambda: needed - 1)
    said = r"train\.batch_size: a training step does not fit into the memory; expected at most .*; got .*accumulate"
    for attempt in (lambda: api.check(iris()), lambda: api.fit(iris(), runs=tmp_path)):
        with pytest.raises(ConfigError, match=said):
            attempt()
    assert not list(tmp_path.iterdir())
    assert api.fit(iris(train__accumulate=2), runs=tmp_path)["steps"]
