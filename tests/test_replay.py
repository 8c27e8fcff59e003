"""`dltrain replay`: planted faults are named at the very operation, bit for bit; bad files are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_layers import registered
from small_runs import iris

from dltrain import api, config
from dltrain.cli.main import run as command
from dltrain.errors import CorruptFileError, DltrainError, NumericsError
from dltrain.layers.base import Array, Backward, Layer
from dltrain.model.mode import Mode
from dltrain.runs.folder import RunFolder
from dltrain.training import checkpoint, postmortem
from dltrain.training.journal import Journal
from dltrain.training.progress import SilentProgress
from dltrain.training.running import begin, fixed_parts
from dltrain.training.session import prepare


class Log(Layer):
    """y = ln x        (N, D) -> (N, D)"""

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        return np.log(inputs[0]), lambda dy: dy / inputs[0]


class Exp(Layer):
    """y = exp(x)        (N, D) -> (N, D)"""

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        y = np.exp(inputs[0])
        return y, lambda dy: dy * y


class Root(Layer):
    """y = √x        (N, D) -> (N, D), with a slope that is infinite at 0"""

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        y = np.sqrt(inputs[0])
        return y, lambda dy: dy / (2 * y)


@pytest.fixture(autouse=True)
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registered(log=Log, exp=Exp, root=Root):
        yield


def chain(*layers: Any, **changes: Any) -> dict[str, Any]:
    return iris(model={"graph": {"logits": [{"dense": 8}, *layers, "dense"]}}, regularize=[], **changes)


WIDE = {"dense": {"units": 64, "kernel_initializer": {"normal": {"stddev": 1e9}}}}
FLAT = {"dense": {"units": 8, "kernel_initializer": "zeros"}}
EXPLODES = {"piecewise": {"values": [0.01, 1e39], "boundaries": [10], "per": "step"}}
FAR = {"dense": {"units": 3, "kernel_initializer": {"normal": {"stddev": 100.0}}}}
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "log of zero": (chain("relu", "log"), "forward", "logits.2.log"),
    "overflow of an exponential": (chain(WIDE, "exp"), "forward", "logits.2.exp"),
    "overflow of products": (chain(*[WIDE] * 5), "forward", "logits.4.dense"),
    "an infinite slope": (chain(FLAT, "root"), "backward", "logits.2.root"),
    "a rate that explodes": (chain("relu", optimizer={"gradient_descent": 1e39}), "update", "logits.0.dense.kernel"),
    "overflow in the backward pass": (
        iris(loss="quadratic", regularize=[], model={"graph": {"logits": [WIDE, WIDE, FAR]}}),
        "backward", "logits.2.dense",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_operation_of_a_planted_fault_is_named(fault: str) -> None:
    settings, phase, path = FAULTS[fault]
    with pytest.raises(NumericsError, match=r"dltrain replay .*iris-1/autopsy\.h5"):
        api.fit(settings)
    found = api.replay("iris")
    assert (found["phase"], found["path"], found["identical"]) == (phase, path, True)
    assert found == api.replay("runs/iris-1/autopsy.h5")
    assert max(r["not_finite"] for r in found["ranges"] if r["role"] == "gives") > 0
    assert all(r["not_finite"] == 0 for r in found["ranges"] if r["role"] != "gives")
    assert found["chain"][-1]["path"] == path and all(one["not_finite"] == 0 for one in found["chain"][:-1])


def test_a_loss_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    overflow_from(1, monkeypatch)
    with pytest.raises(NumericsError, match="the loss softmax_cross_entropy is inf for finite outputs of wire logits"):
        api.fit(iris())
    found = api.replay("iris")
    assert (found["phase"], found["path"], found["identical"]) == ("loss", "logits", True)


class Plant(SilentProgress):
    """Puts a number into an array after a step."""

    def __init__(self, step: int, array: Array, value: float) -> None:
        self.at, self.array, self.value, self.next_poll = step, array, value, 0.0

    def step(self, now: Any, tally: Any, rate: float) -> None:
        """Called after every step."""
        if now.step == self.at:
            self.array.reshape(-1)[3] = self.value


def planted(name: str, step: int, value: float, **changes: Any) -> dict[str, Any]:
    """What a replay says of a run in which a number is planted: into a parameter, or into the data."""
    experiment = config.from_mapping(iris(**changes))
    session = prepare(experiment)
    arrays = {"data": session.data.parts["train"].columns["x"]}
    arrays |= {path: parameter.value for path, parameter in session.graph.parameters.items()}
    folder = RunFolder.create("runs", "planted", lambda made: begin(made, experiment))
    with folder.lock(), pytest.raises(NumericsError) as caught:
        journal = Journal(folder, keep=2, fixed=fixed_parts(session))
        trainer = session.trainer(journal, Plant(step, arrays[name], value))
        if step == 0:
            arrays[name].reshape(-1)[3] = value
        trainer.run()
    found = api.replay("planted")
    assert found["told"] in str(caught.value)
    return found


def test_nan_in_the_data_names_the_sample() -> None:
    found = planted("data", 2, np.nan)
    assert (found["phase"], found["path"], found["identical"]) == ("data", "x", True)
    session = prepare(config.from_mapping(iris()))
    assert f"sample {session.data.parts['train'].ids[0]}" in found["what"]  # the fourth number is of the first row


@pytest.mark.parametrize("step", [0, 9])
def test_infinity_in_the_weights(step: int) -> None:
    found = planted("logits.4.dense.kernel", step, np.inf)
    assert (found["phase"], found["path"]) == ("weights", "logits.4.dense.kernel")
    assert ("the run begins with" in found["what"]) == (step == 0)


def test_an_update_is_found_by_going_back() -> None:
    """The rate explodes in the middle of an epoch: nothing but the checkpoint before holds the weights of before."""
    settings = iris(optimizer={"momentum": {"learning_rate": EXPLODES}}, regularize=[])
    with pytest.raises(NumericsError):
        api.fit(settings)
    found = api.replay("iris")
    assert (found["place"]["step"], found["phase"], found["kind"], found["identical"]) == (
        10,
        "update",
        "momentum",
        True,
    )


def overflow_from(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of this call, whenever it comes again, is infinite, for finite gradients: all their bits count then."""
    from dltrain.losses.classification import SoftmaxCrossEntropy

    known, calls, seen = SoftmaxCrossEntropy.forward, iter(range(1, 10**6)), []

    def forward(self: Any, *given: Any) -> Any:
        loss, gradient = known(self, *given)
        if next(calls) == call:
            seen.append(loss)
        return (loss * np.inf if np.isclose(loss, seen, rtol=1e-6, atol=0).any() else loss), gradient

    monkeypatch.setattr(SoftmaxCrossEntropy, "forward", forward)


def test_micro_batches_and_dropout_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    overflow_from(8, monkeypatch)  # in the second of three micro-batches
    with pytest.raises(NumericsError):
        api.fit(iris(train__accumulate=3))
    found = api.replay("iris")
    assert (found["place"]["step"], found["phase"], found["identical"]) == (2, "loss", True)


def test_frozen_layers_are_replayed() -> None:
    groups = {"logits.0.dense.*": {"frozen": True}}
    settings = chain("relu", optimizer={"gradient_descent": {"learning_rate": 1e39, "groups": groups}})
    with pytest.raises(NumericsError):
        api.fit(settings)
    found = api.replay("iris")
    assert (found["phase"], found["path"], found["identical"]) == ("update", "logits.2.dense.kernel", True)


def test_wires_keep_their_order() -> None:
    graph = {"stem": [{"dense": 8}, "relu"], "body": [{"dense": 6}, "log"], "logits": ["dense"]}
    with pytest.raises(NumericsError):
        api.fit(iris(model={"graph": graph}, regularize=[]))
    found = api.replay("iris")
    assert (found["phase"], found["path"], found["identical"]) == ("forward", "body.1.log", True)


def test_texts_whose_padding_is_cut_are_replayed() -> None:
    lines = [f"{'the film ' * (k % 7)}is {('good', 'bad')[k % 2]}\t{k % 2}" for k in range(40)]
    Path("a.tsv").write_text("\n".join([f"{'so ' * 30}long\t1", *lines]) + "\n")
    words = [{"embedding": {"vocabulary_size": "$vocabulary_size", "units": 6, "padding": 0}}]
    logits = [{"lstm": {"units": 8, "with": "mask"}}, {"dense": 4}, "relu", "log", "dense"]
    graph = {"mask": [{"from": "x"}, "padding_mask"], "words": [{"from": "x"}, *words], "logits": logits}
    settings = {"data__source": {"text_table": "a.tsv"}, "data__prepare": [], "regularize": [], "name": "text"}
    with pytest.raises(NumericsError):
        api.fit(iris(model={"graph": graph}, metrics=["accuracy"], **settings))
    found = api.replay("text")
    assert (found["phase"], found["path"], found["identical"]) == ("forward", "logits.3.log", True)


def left() -> Path:
    """A file of a run that left the finite numbers."""
    with pytest.raises(NumericsError):
        api.fit(FAULTS["log of zero"][0])
    return Path("runs/iris-1/autopsy.h5")


def test_a_state_that_is_too_large_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmortem, "LARGEST", 1000)
    with pytest.raises(NumericsError, match="too large to be kept"):
        api.fit(FAULTS["log of zero"][0])
    assert not Path("runs/iris-1/autopsy.h5").exists()


def test_a_disk_that_refuses_hides_no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    from dltrain.errors import StorageError

    def refuse(*_: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(Journal, "leave", refuse)
    with pytest.raises(NumericsError, match=r"logits\.2\.log.*could be written"):
        api.fit(FAULTS["log of zero"][0])


def test_damaged_and_foreign_files_are_refused() -> None:
    path = left()
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=40):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :])
        with pytest.raises(CorruptFileError):
            api.replay(path)
    path.write_bytes(content[:1000])
    with pytest.raises(CorruptFileError):
        api.replay(path)
    with pytest.raises(CorruptFileError, match="no step that left the finite numbers"):
        api.replay(next(iter(RunFolder.open("runs/iris-1").checkpoints().values())))


def changed(meta: dict[str, Any], arrays: dict[str, Array], key: str, value: Any) -> None:
    """Change one thing of a file, by its path."""
    if key in arrays:
        arrays[key] = value
        return
    *above, last = key.split("/")
    for name in above:
        meta = meta[name]
    meta[last] = value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("autopsy", []), ("autopsy/step", -1), ("autopsy/step", "1"), ("autopsy/index", 1 << 70),
        ("autopsy/micro_batch", 0), ("autopsy/steps_per_epoch", 0), ("autopsy/total_steps", "all"),
        ("config", "{"), ("config", "[]"), ("config", {}), ("config", {"model": 3}),
        ("config/model", {"graph": {"y": [{"dense": 10**9}]}}),
        ("data", {}), ("data/classes", None), ("data/shape", [9]), ("optimizer", {}), ("optimizer/step", None),
        ("batch/target", np.full(15, 10**9)), ("batch/target", np.zeros(3)), ("batch/target", np.zeros((15, 2))),
        ("batch/ids", np.zeros(2, int)), ("batch/inputs/x", np.zeros((15, 9), "f4")),
        ("batch/inputs/x", np.zeros((), "f4")), ("model/logits.0.dense.kernel", np.zeros((2, 2), "f4")),
        ("config/optimizer", "adam"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused(key: str, value: Any, hostile: tuple[dict[str, Array], dict[str, Any]]) -> None:
    arrays, meta = hostile[0], json.loads(json.dumps(hostile[1]))
    arrays = dict(arrays)
    changed(meta, arrays, key, value)
    Path("bad.h5").write_bytes(checkpoint.image(0, arrays, meta))
    try:
        found = api.replay("bad.h5")
    except DltrainError as error:
        assert "bad.h5" in str(error)
    else:
        assert not found["identical"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Array], dict[str, Any]]:
    """Content of a good file."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.raises(NumericsError):
        api.fit(iris(optimizer={"gradient_descent": 1e39}), runs=runs)
    arrays, meta = checkpoint.load(runs / "iris-1" / "autopsy.h5")
    return arrays, meta | {"config": json.loads(meta["config"])}


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    path = left()
    assert command(["replay", str(path)]) == 0
    out = capsys.readouterr().out
    assert "the forward pass of logits.2.log (log)" in out and "bit for bit" in out and "what to do" in out
    assert command(["replay", "iris", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    keys = {"place", "told", "identical", "phase", "path", "kind", "what", "ranges", "chain", "advice"}
    assert found.keys() == keys
    assert command(["replay", "nothing"]) == 2
    api.fit(iris(name="well", train__epochs=1))
    assert command(["replay", "well"]) == 2
    assert "the run left no step to be replayed" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_run_that_begins_with_infinity_keeps_its_folder() -> None:
    wide = {"dense": {"units": 8, "kernel_initializer": {"normal": {"stddev": 1e39}}}}
    with pytest.raises(NumericsError, match=r"begins with weights that are not finite.*dltrain replay"):
        api.fit(iris(model={"graph": {"logits": [wide, "dense"]}}))
    found = api.replay("iris")
    assert (found["phase"], found["path"]) == ("weights", "logits.0.dense.kernel")


@pytest.mark.parametrize("phase", ["update", "loss"])
def test_the_state_of_a_text_is_carried_on(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data").mkdir()
    Path("data/a.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 30)
    split = {"chronological": {"validation": 0.2, "test": 0}}
    embedding = {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 8}}
    settings = {
        "name": "text",
        "task": {"language_model": {"stateful": True}},
        "data": {"source": {"text": {"path": "a.txt", "steps": 10}}, "split": split},
        "model": {"graph": {"h": [embedding, {"lstm": {"units": 24, "return_sequences": True}}], "logits": ["dense"]}},
        "optimizer": {"gradient_descent": {"learning_rate": EXPLODES if phase == "update" else 0.01}},
        "train": {"epochs": 2, "batch_size": 4, "checkpoint_every": "2 steps"},
    }
    if phase == "loss":
        overflow_from(11, monkeypatch)
    with pytest.raises(NumericsError):
        api.fit(settings)
    found = api.replay("text")
    assert (found["place"]["step"], found["phase"], found["identical"]) == (10, phase, True)
