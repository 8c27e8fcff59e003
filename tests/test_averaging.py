"""Averages of weights: PyTorch's numbers, what evaluations use, what a resume must not lose, means of checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import AVERAGES
from small_runs import iris

from dltrain import api
from dltrain.errors import ConfigError, CorruptFileError, UsageError
from dltrain.kernels import namespace, select
from dltrain.registry import create
from dltrain.runs.folder import RunFolder
from dltrain.training import checkpoint
from dltrain.training.averaging import Averaging
from dltrain.training.evaluation import Evaluator

TORCH = np.load(Path(__file__).parent / "fixtures" / "averaging.npz")


def saved(run: str, step: int | str = "last") -> dict[str, Any]:
    """Arrays of a checkpoint."""
    paths = RunFolder.open(run).checkpoints()
    return checkpoint.load(paths[max(paths) if step == "last" else int(step)])[0]


def tensors(arrays: dict[str, Any], part: str) -> dict[str, Any]:
    return {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{part}/")}


def linear() -> tuple[Any, np.ndarray]:
    """A model with one kernel (3, 2), and that kernel."""
    model = api.build_model(
        {"graph": {"y": [{"dense": {"units": 2, "use_bias": False}}]}}, {"x": (3,)}, dtype="float64"
    )
    return model, model.parameters["y.0.dense.kernel"].value


@pytest.mark.parametrize(("name", "spec"), [("ema", {"ema": {"decay": 0.9, "bias_correction": False}}), ("swa", "swa")])
def test_the_average_of_a_walk_is_pytorchs(name: str, spec: Any) -> None:
    model, kernel = linear()
    kernel[...] = TORCH["weights"][0]  # PyTorch's averages begin with the first weights they see
    average = Averaging(create("average", spec), model, select("reference"))
    for step, weights in enumerate(TORCH["weights"]):
        kernel[...] = weights
        average.update(step, steps_per_epoch=1)
    np.testing.assert_allclose(average.state()["y.0.dense.kernel"], TORCH[name], rtol=1e-12)
    assert (kernel == TORCH["weights"][-1]).all()


def test_bias_correction_is_the_weighted_mean_since_the_first_step() -> None:
    model, kernel = linear()
    kernel[...] = 1e6  # the initial weights must leave no trace
    average = Averaging(create("average", {"ema": 0.8}), model, select("reference"))
    for step, weights in enumerate(TORCH["weights"]):
        kernel[...] = weights
        average.update(step, steps_per_epoch=3)
        shares = 0.8 ** np.arange(step, -1, -1.0)
        expected = np.tensordot(shares / shares.sum(), TORCH["weights"][: step + 1], 1)
        np.testing.assert_allclose(average.state()["y.0.dense.kernel"], expected, rtol=1e-12)


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_goes_on_from_its_state(name: str) -> None:
    def walk(average: Averaging, kernel: np.ndarray, steps: range) -> None:
        for step in steps:
            kernel[...] = TORCH["weights"][step]
            average.update(step, steps_per_epoch=2)

    (model, kernel), (other, again) = linear(), linear()
    whole, first = (Averaging(create("average", AVERAGES[name]), model, select("reference")) for _ in range(2))
    walk(whole, kernel, range(15))
    walk(first, kernel, range(9))
    second = Averaging(create("average", AVERAGES[name]), other, select("reference"))
    second.load_state(first.state(), first.count)
    walk(second, again, range(9, 15))
    assert second.count == whole.count
    assert all((second.state()[path] == array).all() for path, array in whole.state().items())


def test_whatever_happens_while_an_average_is_applied_the_weights_come_back() -> None:
    model, kernel = linear()
    average = Averaging(create("average", "swa"), model, select("reference"))
    for step in range(3):
        kernel[...] = TORCH["weights"][step]
        average.update(step, steps_per_epoch=1)
    with pytest.raises(ZeroDivisionError), average.applied():
        np.testing.assert_allclose(kernel, TORCH["weights"][:3].mean(axis=0), rtol=1e-14)
        raise ZeroDivisionError
    assert (kernel == TORCH["weights"][2]).all()


@pytest.mark.parametrize("size", [0, 1, 7, 4096, 50_001])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_compiled_average_is_the_references(size: int, share: float) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(size)
    average, value = (rng.standard_normal(size).astype(np.float32) for _ in range(2))
    found = namespace("compiled").blend(average.copy(), value, share)
    np.testing.assert_allclose(found, namespace("reference").blend(average, value, share), rtol=1e-5, atol=1e-6)
    assert share != 1 or (found == value).all()


@pytest.mark.parametrize("average", [{"ema": 0.7}, {"swa": 2}])
def test_an_average_changes_no_trained_weight_and_is_what_is_measured(average: Any, tmp_path: Path) -> None:
    plain = api.fit(iris(), runs=tmp_path)
    run = api.fit(iris(average=average), runs=tmp_path)
    arrays = saved(run["run"])
    assert all((tensors(arrays, "model")[p] == a).all() for p, a in tensors(saved(plain["run"]), "model").items())
    averaged = tensors(arrays, "average")
    kernel, mean = "logits.0.dense.kernel", "logits.1.batch_norm.moving_mean"
    assert (averaged[kernel] != arrays[f"model/{kernel}"]).any()
    assert (averaged[mean] != arrays[f"model/{mean}"]).any()
    loaded = api.load_run(run["run"], checkpoint="last")
    assert all((loaded.graph.state()[path] == array).all() for path, array in averaged.items())
    loss = api.evaluate(run["run"], split="validation", checkpoint="last")["metrics"]["loss"]
    assert loss == run["metrics"]["validation"]["loss"] != plain["metrics"]["validation"]["loss"]
    assert run["test"] == api.evaluate(run["run"])["metrics"]


def test_swa_is_the_mean_of_the_last_epochs_ends(tmp_path: Path) -> None:
    config = iris(average={"swa": 3}, train__epochs=5, train__keep=9)
    run = api.fit(config, runs=tmp_path)["run"]
    ends = [saved(run, step) for step in (21, 28, 35)]
    assert not tensors(saved(run, 14), "average")  # not begun: the weights themselves are evaluated
    for path, array in tensors(saved(run), "average").items():
        np.testing.assert_allclose(array, np.mean([end[f"model/{path}"] for end in ends], axis=0), rtol=1e-4, atol=1e-6)


def test_an_interrupted_evaluation_leaves_the_trained_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = tensors(saved(api.fit(iris(average={"ema": 0.9}), runs=tmp_path)["run"]), "model")
    run, calls = Evaluator.run, []

    def fails_once(self: Evaluator, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(Evaluator, "run", fails_once)
    with pytest.raises(KeyboardInterrupt):
        api.fit(iris(average={"ema": 0.9}), runs=tmp_path / "cut")
    found = tensors(saved(api.resume("iris", runs=tmp_path / "cut")["run"]), "model")
    assert all((found[path] == array).all() for path, array in expected.items())


def test_an_average_that_never_begins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"average\.swa\.start: the average would begin after the last epoch"):
        api.fit(iris(average={"swa": 4}), runs=tmp_path)
    for train in ({"steps": 5}, {"steps": 5, "epochs": 60}):
        with pytest.raises(
            ConfigError, match=r"average\.swa\.start: .* at most 1, the whole epochs of the run; got 50"
        ):
            api.fit({**iris(average={"swa": 50}), "train": train}, runs=tmp_path)
    with pytest.raises(ConfigError, match=r"average\.ema: this number is out of its range"):
        api.fit(iris(average={"ema": 1.0}), runs=tmp_path)


def test_the_mean_of_checkpoints_is_the_mean_of_their_weights(tmp_path: Path) -> None:
    run = api.fit(iris(train__keep=5), runs=tmp_path)["run"]
    loaded = api.load_run(run, checkpoint="7,21")
    assert loaded.step == [7, 21]
    ends = [saved(run, step) for step in (7, 21)]
    for path, array in loaded.graph.state().items():
        np.testing.assert_allclose(array, np.mean([end[f"model/{path}"] for end in ends], axis=0), rtol=1e-6, atol=1e-7)
    found = api.evaluate(run, checkpoint="average")
    assert found["checkpoint"] == [7, 14, 21]  # not the one before the first step
    assert found["metrics"] != api.evaluate(run, checkpoint="last")["metrics"]
    x = np.random.default_rng(0).standard_normal((5, 4))
    np.save(tmp_path / "x.npy", x)
    said = api.predict(run, [tmp_path / "x.npy"], checkpoint="7,21")["predictions"]
    assert said == loaded.predict(x) != api.predict(run, [tmp_path / "x.npy"])["predictions"]


def test_a_mean_of_checkpoints_takes_the_averaged_weights(tmp_path: Path) -> None:
    run = api.fit(iris(train__keep=5, average={"ema": 0.5}), runs=tmp_path)["run"]
    state = api.load_run(run, checkpoint="14,21").graph.state()["logits.0.dense.kernel"]
    ends = [saved(run, step)["average/logits.0.dense.kernel"] for step in (14, 21)]
    np.testing.assert_allclose(state, np.mean(ends, axis=0), rtol=1e-6, atol=1e-7)


def test_wrong_lists_of_checkpoints_are_refused(tmp_path: Path) -> None:
    run = api.fit(iris(train__keep=5), runs=tmp_path)["run"]
    with pytest.raises(UsageError, match="named twice"):
        api.evaluate(run, checkpoint="7,7")
    with pytest.raises(UsageError, match="no such checkpoint; expected best, last, average, 0, 7, 14, 21; got 8"):
        api.evaluate(run, checkpoint="7,8")
    with pytest.raises(UsageError, match="no such checkpoint"):
        api.evaluate(run, checkpoint="7,")
    path = RunFolder.open(run).checkpoints()[14]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptFileError):
        api.evaluate(run, checkpoint="average")
