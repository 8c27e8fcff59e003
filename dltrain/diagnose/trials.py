"""Trials: what a short training, an evaluation or a round trip shows before the run."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dltrain.diagnose.checkup import Trial, changed
from dltrain.diagnose.rule import Verdict, rule
from dltrain.training import checkpoint
from dltrain.training.gradient_check import check_gradients
from dltrain.training.session import prepare

if TYPE_CHECKING:
    from dltrain.diagnose.checkup import Checkup

FEW = 16  # examples to be learned by heart
STEPS = 400  # to learn them in
SHORT = 150  # steps that are enough to beat chance
WORK = 3e7  # multiply-adds for one example, above which a gradient check takes longer than a minute
SLOW = 0.9  # of the loss that is left: then it learns, if slowly
TOO_HIGH = 3.0  # times the loss of equal chances
ENTRIES, SAMPLES = 8, 4  # of the sampled gradient check
ADVICE = "check the loss, the labels and the learning rate, one after the other, on these few examples"


@rule("initial_loss")
def initial_loss(checkup: Checkup) -> Iterator[Verdict]:
    """The loss before the first step, which for classes is about ln K: every class is given the same chance.

    A loss that is much larger means outputs that are large and wrong before anything is learned: inputs that are not
    scaled, or weights that start too large.  A loss far below ln K means that something knows the answer already.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": {"units": 3, "kernel_initializer": "zeros"}}])
        >>> [verdict.what for verdict in initial_loss(checkup)]
        ['the loss starts at 1.0986; equal chances for 3 classes give 1.0986']

    Source: Karpathy: A recipe for training neural networks, 2019.
    """
    task, classes = checkup.session.task, checkup.data.classes
    expected = {"softmax_cross_entropy": math.log(len(classes or "ab")), "binary_cross_entropy": math.log(2)}
    chance = expected.get(task.loss_name)
    loss = checkup.measure(checkup.session, checkup.examples()).get("loss", math.nan)
    evidence = {"loss": loss, "chance": chance}
    if not math.isfinite(loss):
        yield Verdict("fault", f"the loss is {loss} before the first step", "scale the inputs", "", evidence)
    elif chance is None:
        yield Verdict("fine", f"the loss starts at {loss:.4g}", evidence=evidence)
    else:
        what = f"the loss starts at {loss:.4f}; equal chances for {len(classes or 'ab')} classes give {chance:.4f}"
        if loss > TOO_HIGH * chance:
            advice = "scale the inputs (`prepare: [standardize]`), or start the weights smaller (`model.init`)"
            yield Verdict("doubt", what, advice, "", evidence)
        elif loss < chance / 2:
            yield Verdict("doubt", what, "look for the label among the inputs", "", evidence)
        else:
            yield Verdict("fine", what, evidence=evidence)


@rule("overfits_one_batch")
def overfits_one_batch(checkup: Checkup) -> Iterator[Verdict]:
    """A model that can learn must learn a handful of examples by heart, without penalties.

    If it does not, more data and more time will not help: a layer, a label, the loss or the learning rate is wrong.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 16}, "relu", "dense"], optimizer={"adam": 0.01})
        >>> [verdict.severity for verdict in overfits_one_batch(checkup)]
        ['fine']

    Source: Karpathy: A recipe for training neural networks, 2019.
    """
    few = checkup.examples("train", FEW)
    before = checkup.measure(checkup.session, few)["loss"]
    trial = checkup.trained(few, STEPS, penalties=False, batch_size=len(few))
    if (verdict := left_the_numbers(trial)) is not None:
        yield verdict
        return
    after = checkup.measure(trial.session, few)
    loss, accuracy = after["loss"], after.get("accuracy")
    reached = f"loss {before:.4g} to {loss:.4g}" + ("" if accuracy is None else f", accuracy {accuracy:.0%}")
    what = f"{len(few)} examples in {trial.steps} steps: {reached}"
    evidence = {"before": before, "after": loss, "accuracy": accuracy, "steps": trial.steps}
    learned = accuracy == 1 or loss < before / 20
    rates = checkup.rates
    if learned:
        yield Verdict("fine", f"it learns {what}", evidence=evidence)
    elif loss < SLOW * before:
        what = f"it learns {what}, which is slow"
        advice = f"try a larger learning rate than {max(rates):g}, or a larger network; dropout slows it down too"
        yield Verdict("doubt", what, advice, "optimizer", evidence)
    else:
        yield Verdict("fault", f"it does not learn {what}", ADVICE, "", evidence)


@rule("inputs_matter")
def inputs_matter(checkup: Checkup) -> Iterator[Verdict]:
    """A short training on the inputs does better than the same training on zeros.

    Without inputs a model can learn only how frequent the classes are, or the mean.  One that is no better with them
    does not see them: they are constant, cut off in the model, or unrelated to the targets.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 16}, "relu", "dense"], optimizer={"adam": 0.01})
        >>> [verdict.severity for verdict in inputs_matter(checkup)]
        ['fine']

    Source: Karpathy: A recipe for training neural networks, 2019.
    """
    examples = checkup.examples("train", 4 * FEW * FEW)
    blind = changed(examples, x=np.zeros_like(examples.columns["x"]))
    real, zeros = checkup.trained(examples, SHORT), checkup.trained(blind, SHORT)
    if (verdict := left_the_numbers(real)) is not None:
        yield verdict
        return
    seeing = checkup.measure(real.session, examples)["loss"]
    guess = checkup.measure(zeros.session, blind)["loss"]
    what = f"after {real.steps} steps the loss is {seeing:.4g} with the inputs, and {guess:.4g} with zeros instead"
    evidence = {"loss": seeing, "without_inputs": guess}
    if seeing < 0.98 * guess:
        yield Verdict("fine", what, evidence=evidence)
    else:
        advice = "look at the inputs (`dltrain data show`, `dltrain preview batch`) and at the learning rate"
        yield Verdict("fault" if seeing >= guess else "doubt", what, advice, "data", evidence)


@rule("shuffled_labels")
def shuffled_labels(checkup: Checkup) -> Iterator[Verdict]:
    """A short training on shuffled labels does no better than chance on the validation part.

    If it does, validation figures are wrong: examples stand in both parts with another label, or the metric is not
    what it seems.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.severity for verdict in shuffled_labels(of_iris([{"dense": 16}, "relu", "dense"]))]
        ['fine']

    Source: Zhang, Bengio, Hardt, Recht, Vinyals: Understanding deep learning requires rethinking generalization, 2017.
    """
    part = checkup.data.parts.get("validation")
    if part is None or not len(part) or checkup.data.classes is None or "accuracy" not in checkup.session.task.metrics:
        yield Verdict("skipped", "there is no validation part with classes")
        return
    examples, held_out = checkup.examples("train", 4 * FEW * FEW), checkup.examples("validation")
    trial = checkup.trained(changed(examples, y=checkup.numbers.permutation(examples.columns["y"])), SHORT)
    if (verdict := left_the_numbers(trial)) is not None:
        yield verdict
        return
    accuracy = checkup.measure(trial.session, held_out)["accuracy"]
    labels = held_out.columns["y"].reshape(-1).astype(np.int64)
    shares = np.bincount(labels[labels >= 0]) / max(len(labels), 1)
    chance = float(shares.max())
    error = math.sqrt(chance * (1 - chance) / len(labels)) + math.sqrt(0.25 / len(examples))
    what = f"trained on shuffled labels it reaches {accuracy:.1%}; the most frequent class has {chance:.1%}"
    evidence = {"accuracy": accuracy, "chance": chance}
    if accuracy > chance + 5 * error:
        advice = "look for examples that stand in both parts"
        yield Verdict("doubt", what, advice, "data.split", evidence)
    else:
        yield Verdict("fine", what, evidence=evidence)


@rule("gradients")
def gradients(checkup: Checkup) -> Iterator[Verdict]:
    """Some entries of every gradient agree with numerical derivatives; `dltrain gradcheck` looks at more.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.severity for verdict in gradients(of_iris([{"dense": 4}, "tanh", "dense"]))]
        ['fine']

    Source: Rumelhart, Hinton, Williams, 1986, whose gradients are compared; Goodfellow et al., 2016, section 11.5.
    """
    shapes = {node.path: node.shape for node in checkup.nodes} | checkup.session.graph.inputs
    work = sum(n.layer.multiply_adds(n.shape, *(shapes[path] for path in n.inputs)) for n in checkup.nodes)
    if work * max(len(checkup.nodes), 1) > WORK * 10:
        yield Verdict("skipped", "the model is too large for a check in seconds", "run `dltrain gradcheck`")
        return
    loader = checkup.session.loader("train", batch_size=SAMPLES, shuffle=True)
    assert loader is not None
    seed = checkup.experiment.seed
    report = check_gradients(checkup.session.objective, loader.batch(0, 0), seed=seed, entries=ENTRIES)
    what = f"largest error of {len(report.tensors)} tensors: {report.max_error:.1e}"
    evidence = {"max_error": report.max_error}
    if report.passed:
        yield Verdict("fine", what, evidence=evidence)
    else:
        suspects = ", ".join(report.suspects) or report.tensors[0].path
        yield Verdict("fault", f"{what}, in {suspects}", "run `dltrain gradcheck` for the table", suspects, evidence)


@rule("validation_pass")
def validation_pass(checkup: Checkup) -> Iterator[Verdict]:
    """The validation part goes through the model, and everything measured is a finite number.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.severity for verdict in validation_pass(of_iris(["dense"]))]
        ['fine']

    Source: Lightning's sanity check of a few validation batches before training, 2019.
    """
    part = checkup.data.parts.get("validation")
    if part is None or not len(part):
        yield Verdict("skipped", "there is no validation part", "`data.split` makes one")
        return
    found = checkup.measure(checkup.session, checkup.examples("validation"))
    figures = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    bad = [name for name, value in found.items() if not math.isfinite(value)]
    if bad:
        yield Verdict("fault", f"not finite: {', '.join(bad)}", "look at the inputs of the validation part", "data")
    else:
        yield Verdict("fine", f"before training: {figures}", evidence=found)


@rule("checkpoint_round_trip")
def checkpoint_round_trip(checkup: Checkup) -> Iterator[Verdict]:
    """A model that is saved and loaded again gives the same outputs, bit for bit.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.severity for verdict in checkpoint_round_trip(of_iris(["dense"]))]
        ['fine']

    Source: Breck et al.: The ML test score, 2017.
    """
    session, examples = checkup.session, checkup.examples("train", FEW)
    arrays = {f"model/{path}": value for path, value in session.graph.state().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint.save(folder, 0, arrays, {"step": 0})
        size = path.stat().st_size
        loaded, _ = checkpoint.load(path)
    again = prepare(checkup.experiment, data=checkup.data)
    again.graph.load_state({name.partition("/")[2]: value for name, value in loaded.items()})
    inputs = dict.fromkeys(session.graph.inputs, examples.columns["x"])
    before, after = (found.evaluator().outputs(inputs) for found in (session, again))
    same = all(np.array_equal(before[wire], after[wire], equal_nan=True) for wire in before)
    what = f"a checkpoint takes {size:,} bytes"
    if same:
        yield Verdict("fine", f"{what}, and gives the same outputs", evidence={"bytes": size})
    else:
        yield Verdict("fault", f"{what}, and gives other outputs", "a layer keeps numbers that are no parameters")


def left_the_numbers(trial: Trial) -> Verdict | None:
    """The verdict of a training that left the finite numbers."""
    if trial.finite:
        return None
    what = f"loss or gradient is not finite after {trial.steps} steps"
    return Verdict("fault", what, "lower the learning rate, or scale the inputs", "optimizer", {"steps": trial.steps})
