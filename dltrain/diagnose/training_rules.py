"""Rules on the training: rates, batches, what is watched."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dltrain.config.effects import name_of
from dltrain.diagnose.rule import Verdict, rule

if TYPE_CHECKING:
    from dltrain.diagnose.checkup import Checkup

# optimizer: (lowest, highest) learning rate that papers and textbooks use; ten times beyond is doubtful
USUAL = {
    "gradient_descent": (1e-3, 1.0),
    "momentum": (1e-4, 0.3),
    "averaged_momentum": (1e-3, 1.0),
    "adagrad": (1e-3, 0.3),
    "adadelta": (0.01, 2.0),
    "rmsprop": (1e-5, 5e-3),
    "adam": (1e-5, 5e-3),
    "adamw": (1e-5, 5e-3),
    "amsgrad": (1e-5, 5e-3),
    "nadam": (1e-5, 5e-3),
    "radam": (1e-5, 5e-3),
    "adamax": (1e-5, 1e-2),
    "lion": (1e-6, 5e-4),
}
FAR = 10
TINY_BATCH = 8  # examples, below which statistics of a batch are mostly noise
FEW = 100  # examples of a validation part, with which an accuracy is known to 10 points only
RARE = 10  # times that the most frequent class is more frequent than the rarest
BLIND = {"accuracy", "top_k", "milliseconds_per_sample"}  # metrics that do not see rare classes
FLIPS = ("horizontal_flip", "vertical_flip")


@rule("learning_rate_range")
def learning_rate_range(checkup: Checkup) -> Iterator[Verdict]:
    """The highest learning rate of the run is ten times beyond what is usual for the optimizer.

    Adam and its like take steps of about the rate's own size whatever the gradient's: 0.0001 to 0.003 are usual.
    Plain descent and momentum multiply the gradient by it: 0.01 to 0.3.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris(["dense"], optimizer={"adam": 1})
        >>> [verdict.evidence["learning_rate"] for verdict in learning_rate_range(checkup)]
        [1.0]

    Source: Bengio: Practical recommendations for gradient-based training of deep architectures, 2012.
    """
    name, _ = checkup.optimizer
    if name not in USUAL:
        return
    low, high = USUAL[name]
    rate = max(checkup.rates)
    if rate > high * FAR or rate < low / FAR:
        size = "large" if rate > high else "small"
        what = f"a learning rate of {rate:g} is unusually {size} for {name}, which takes {low:g} to {high:g}"
        yield Verdict("doubt", what, f"try `optimizer: {{{name}: {(low * high) ** 0.5:.1g}}}`", "optimizer",
                      {"learning_rate": rate, "usual": [low, high]})  # fmt: skip


@rule("tiny_batches")
def tiny_batches(checkup: Checkup) -> Iterator[Verdict]:
    """Batch norm over very few examples: their mean and variance are noise, and of one vector there is nothing left.

    Take larger batches, or `layer_norm` or `group_norm`, which do not look at the batch.  With micro-batches
    (`train.accumulate`) each has statistics of its own.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 4}, "batch_norm", "relu", "dense"], train={"batch_size": 1})
        >>> [verdict.severity for verdict in tiny_batches(checkup)]
        ['fault']

    Source: Wu, He: Group normalization, 2018.
    """
    size = checkup.session.micro_batch
    norm = next((node for node in checkup.nodes if node.kind == "batch_norm"), None)
    if norm is None or size >= TINY_BATCH:
        return
    single = size == 1 and len(norm.shape) == 1
    what = f"{norm.path} takes mean and variance from {size} example{'s' * (size > 1)}"
    advice = "make train.batch_size larger, or take `layer_norm` (vectors) or `group_norm` (images)"
    yield Verdict("fault" if single else "doubt", what, advice, norm.path, {"examples": size})


@rule("no_shuffle")
def no_shuffle(checkup: Checkup) -> Iterator[Verdict]:
    """Batches come in the order of the data, the same in every epoch.

    Where the order means something (all of one class, then all of the next) each batch pulls to a side of its own.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.where for verdict in no_shuffle(of_iris(["dense"], train={"shuffle": False}))]
        ['train.shuffle']

    Source: Bengio: Practical recommendations for gradient-based training of deep architectures, 2012.
    """
    if checkup.experiment.train.shuffle is False and checkup.trainer.loader.steps_per_epoch > 1:
        what = "every epoch has its batches in the order of the data"
        yield Verdict("doubt", what, "leave `shuffle: false` out", "train.shuffle")


@rule("decay_without_effect")
def decay_without_effect(checkup: Checkup) -> Iterator[Verdict]:
    """A weight decay for parameters that are never decayed: biases, and the γ and β of norms.

    Decay keeps kernels small, so that the function stays smooth.  Biases and norms do not make it less smooth, and
    are left out of decay and penalties here, as the field advises.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> adam = {"adam": {"groups": {"*.bias": {"weight_decay": 0.1}}}}
        >>> [verdict.where for verdict in decay_without_effect(of_iris(["dense"], optimizer=adam))]
        ['optimizer.adam.groups.*.bias']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 7.1; He et al.: Bag of tricks, 2019.
    """
    name, given = checkup.optimizer
    parameters = checkup.session.graph.parameters
    for pattern, group in (given.get("groups") or {}).items():
        matched = [p for path, p in parameters.items() if fnmatchcase(path, pattern)]
        if isinstance(group, dict) and group.get("weight_decay") and not any(p.decays for p in matched):
            what = f"weight_decay of {pattern} has no effect: biases and norms are not decayed"
            yield Verdict("doubt", what, "leave it out", f"optimizer.{name}.groups.{pattern}")


@rule("flips_of_digits")
def flips_of_digits(checkup: Checkup) -> Iterator[Verdict]:
    """Digits and letters that are flipped become others, or none.

    A 2 in the mirror is no 2; a 6 that stands on its head and in the mirror looks like a 9.  Small shifts, rotations
    and elastic distortions are what helps here.

    Example:
        >>> from dltrain import config
        >>> from dltrain.diagnose.checkup import Checkup
        >>> data = {"source": "digits", "augment": ["horizontal_flip"]}
        >>> checkup = Checkup(config.from_mapping({"data": data, "model": {"graph": {"y": ["flatten", "dense"]}}}))
        >>> [verdict.where for verdict in flips_of_digits(checkup)]
        ['data.augment.0']

    Source: Simard, Steinkraus, Platt: Best practices for convolutional neural networks, 2003.
    """
    classes = checkup.data.classes or []
    written = {str(name).strip().lower() for name in classes}
    signs = len(written & set("0123456789")) >= 9 or len(written & set("abcdefghijklmnopqrstuvwxyz")) >= 20
    for position, spec in enumerate(checkup.experiment.data.augment):
        if signs and name_of(spec) in FLIPS:
            what = f"{name_of(spec)} turns digits and letters into other ones, or into none"
            yield Verdict("doubt", what, "take `shift`, `rotation` or `elastic` instead", f"data.augment.{position}")


@rule("few_validation_examples")
def few_validation_examples(checkup: Checkup) -> Iterator[Verdict]:
    """No validation part, or one so small that its figures are chance.

    An accuracy p over n examples has a standard error of √(p (1 - p) / n): 3 points for 0.9 and n = 100.  What is
    chosen by such figures (the best checkpoint, early stopping, hyper-parameters) is chosen by luck.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.evidence["examples"] for verdict in few_validation_examples(of_iris(["dense"]))]
        [23]

    Source: Ng: Machine learning yearning, 2018, chapter 7.
    """
    part = checkup.data.parts.get("validation")
    count = 0 if part is None else len(part)
    if count >= FEW:
        return
    what, advice = "there is no validation part: nothing tells how it does on new data", "`data.split` makes one"
    if count:
        what = f"the validation part has {count} example{'s' * (count != 1)}: what it says is mostly chance"
        advice = "make it larger (`data.split`), or take the mean over several seeds"
    yield Verdict("doubt", what, advice, "data.split", {"examples": count})


@rule("stops_by_training")
def stops_by_training(checkup: Checkup) -> Iterator[Verdict]:
    """Early stopping or the best checkpoint by figures of the training part, which get better while others get worse.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.where for verdict in stops_by_training(of_iris(["dense"], train={"monitor": "train.loss"}))]
        ['train.monitor']

    Source: Prechelt: Early stopping, but when?, 1998.
    """
    if checkup.trainer.validation is None:
        return
    if checkup.trainer.goal.metric.startswith("train."):
        what = f"{checkup.trainer.goal.metric} says which checkpoint is best, although there is a validation part"
        yield Verdict("doubt", what, "watch validation.loss", "train.monitor")
    for hook in checkup.trainer.hooks:
        if (hook.monitor or "").startswith("train."):
            yield Verdict("doubt", f"early stopping watches {hook.monitor}", "watch validation.loss", "hooks")


@rule("accuracy_of_rare_classes")
def accuracy_of_rare_classes(checkup: Checkup) -> Iterator[Verdict]:
    """Accuracy is all that is measured, although some classes are rare: who never names them still looks good.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris(["dense"])
        >>> checkup.data.class_counts = [90, 3, 3]
        >>> [verdict.evidence["times"] for verdict in accuracy_of_rare_classes(checkup)]
        [30.0]

    Source: He, Garcia: Learning from imbalanced data, 2009.
    """
    counts = [count for count in checkup.data.class_counts or [] if count]
    measured = set(checkup.session.task.metrics)
    if not counts or max(counts) <= RARE * min(counts) or measured - BLIND:
        return
    times = max(counts) / min(counts)
    what = f"the most frequent class has {times:.0f} times the examples of the rarest, and only accuracy is measured"
    advice = "measure `f1: macro`, and weigh with `class_weight: balanced` or `data.balance`"
    yield Verdict("doubt", what, advice, "metrics", {"times": times})
