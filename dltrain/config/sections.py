"""The fixed keys of a config: its top level and its sections, with types, ranges and defaults.

They are described like registered things: by annotated constructors with documented parameters.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from dltrain.config.interval import SECONDS, Interval
from dltrain.registry import Argument, Reference, arguments_of
from dltrain.types import Form, Initializer, PositiveInt, Words


@dataclass(frozen=True)
class UnitsOnly:
    """A mark on an interval: only these units.

    Parameters:
        units: the units
        words: the form in words, for errors
    """

    units: tuple[str, ...]
    words: str

    def problem(self, value: str) -> str:
        """What is wrong with the interval; empty when nothing is."""
        return "" if Interval.parse(value).unit in self.units else "this is not a time"


@dataclass(frozen=True)
class Notation:
    """A mark on the model: its inside is the model notation, read by `dltrain.model.notation`."""

    words: str = "a map with `graph:` and, where needed, vars, inputs, init, blocks and outputs"


NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_])?"
RunName = Annotated[str, Form(NAME, "a name of letters, digits, '-', '_' and '.', at most 64 long", "mine")]
Seed = Annotated[int, Ge(0), Le(2**64 - 1)]
Duration = Annotated[Interval, UnitsOnly(tuple(SECONDS), "a time such as '10 minutes' (seconds, minutes or hours)")]
Source = Annotated[Any, Reference("source")]
Split = Annotated[Any, Reference("split")]
Preparation = Annotated[Any, Reference("preparation")]
Undoable = Annotated[Any, Reference("preparation", having="invert")]
Augmentation = Annotated[Any, Reference("augmentation")]
Layer = Annotated[Any, Reference("layer")]
Loss = Annotated[Any, Reference("loss")]
Metric = Annotated[Any, Reference("metric")]

BOUND = r"(<=|>=|<|>) *(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
Bound = Annotated[str, Form(BOUND, "a bound such as '>= 0.9' or '<= 0.1'", ">= 0.9")]

DEFAULT_EPOCHS = 10
EXTENDS = Argument(
    "extends", str | None, None, "the config that this one changes: a file, or one that comes with dltrain"
)


class Data:
    """Where the examples come from, how they are divided, and how they are prepared.

    Parameters:
        source: the data set
        split: how examples are drawn for validation and test, where the source does not say it itself; left out: by
            time for the windows of a series, else at random
        prepare: preparations in their order, fitted on the training examples only
        prepare_target: the same for the numbers that a regression learns; the loss is that of prepared targets, metrics
            and predictions are in the unit of the data
        balance: make the classes equally frequent in training: oversample repeats examples of the smaller ones,
            undersample leaves out some of the larger ones, others in every epoch
        augment: what is done to the pictures of training batches, in this order, anew in every epoch
        workers: threads that make batches ahead, the same for any number; 0: each is made when it is needed;
            default: 2 where pictures are augmented or not in memory, else 0
    """

    def __init__(
        self,
        source: Source,
        split: Split | None = None,
        prepare: list[Preparation] = [],  # noqa: B006
        prepare_target: list[Undoable] = [],  # noqa: B006
        balance: Literal["oversample", "undersample"] | None = None,
        augment: list[Augmentation] = [],  # noqa: B006
        workers: Annotated[int, Ge(0), Le(64)] | None = None,
    ) -> None:
        self.source, self.split, self.prepare, self.balance = source, split, prepare, balance
        self.prepare_target, self.augment, self.workers = prepare_target, augment, workers


class Goals:
    """What is measured, and what of it says which checkpoint is the best.

    Of those that keep all bounds it is the one with the best value to optimize; while none keeps them, the one that
    violates them least.

    Parameters:
        optimize: the metric whose best value is looked for, of the validation part where there is one
        satisfy: bounds for other metrics of that part, such as {recall: '>= 0.9'}
        measure: metrics to compute, with their parameters; those named above are added; left out: the task's
    """

    def __init__(self, optimize: str, satisfy: dict[str, Bound] = {}, measure: list[Metric] | None = None) -> None:  # noqa: B006
        self.optimize, self.satisfy, self.measure = optimize, satisfy, measure


class Model:
    """The network: named chains of layers.

    A wire is a value with a name; a chain is a list of layers, and starts from the wire above it unless its first item
    is `from: wire`.

    Parameters:
        vars: values with names: $name anywhere below stands for the value
        inputs: shapes without the batch axis; default: the data's
        init: what fills the kernels of all layers that do not name a kernel_initializer
        blocks: chains with $parameters; a block is used like a layer
        graph: the chains
        outputs: the wires that are results; default: the last
    """

    def __init__(
        self,
        *,
        vars: Annotated[dict[str, Any], Words("a map {name: value}")] = {},  # noqa: B006
        inputs: Annotated[dict[str, list[PositiveInt]], Words("a map {wire: shape}")] = {},  # noqa: B006
        init: Initializer | None = None,
        blocks: Annotated[dict[str, list[Layer]], Words("a map {name: chain}")] = {},  # noqa: B006
        graph: Annotated[dict[str, list[Layer]], Words("a map {wire: chain}")],
        outputs: Annotated[list[str] | str | None, Words("a wire, or a list of wires")] = None,
    ) -> None:
        self.graph, self.vars, self.inputs, self.init = graph, vars, inputs, init
        self.blocks, self.outputs = blocks, outputs


class InitFrom:
    """Weights that the model begins with, statistics of batch normalization among them.

    Every tensor of the file must find its place in the model and every place its tensor, but for what `skip` names.

    Parameters:
        run: name or folder of a run, whose best checkpoint is taken
        file: a .safetensors, .h5 or .npz file, relative to the config, ./data or $DLTRAIN_DATA
        word_vectors: a file of word vectors (GloVe's text form, .gz is unpacked) for the model's embedding; words that
            it lacks begin with random ones
        format: dltrain (names are paths in the model), torchvision (timm's and other PyTorch files too) or keras, both
            in the order of the layers; default: by the names
        map: other names, {in the file: in the model}; each * stands for the same on both sides, without one the name
            stands for all that begins with it
        skip: patterns of names in the file, or of paths in the model, that are left out; a layer that is left out on
            both sides begins anew
    """

    is_section = True

    def __init__(
        self,
        run: str | None = None,
        file: str | None = None,
        format: Literal["dltrain", "torchvision", "keras"] | None = None,
        map: Annotated[dict[str, str], Words("a map {name in the file: name in the model}")] = {},  # noqa: B006
        skip: list[str] = [],  # noqa: B006
        word_vectors: str | None = None,
    ) -> None:
        self.run, self.file, self.format, self.map, self.skip = run, file, format, map, skip
        self.word_vectors = word_vectors


class Train:
    """How long to train, on what batches, and when to evaluate and to save.

    Training ends with whichever of `epochs`, `steps` and `time` is reached first.

    Parameters:
        epochs: passes over the training examples; 10 where neither steps nor time is given
        steps: optimizer steps
        time: training time, such as '10 minutes'
        batch_size: examples in a step; all of them with `all`
        accumulate: micro-batches in which a step's examples come, one after the other, to save memory; their gradients
            add up, so the result is the same to rounding (batch normalization sees the micro-batches, dropout
            drops other units)
        shuffle: whether every epoch has an order of its own; default: true, but for a `stateful` task, which reads a
            text in its order
        evaluate_every: when validation runs
        checkpoint_every: when a checkpoint is saved
        monitor: the metric that says what is best, train.METRIC or validation.METRIC; default: the loss, of
            validation where there is one
        keep: checkpoints kept beside the best
    """

    def __init__(
        self,
        epochs: PositiveInt | None = None,
        steps: PositiveInt | None = None,
        time: Duration | None = None,
        batch_size: PositiveInt | Literal["all"] = 32,
        accumulate: PositiveInt = 1,
        shuffle: bool | None = None,
        evaluate_every: Interval = "1 epoch",  # type: ignore[assignment]
        checkpoint_every: Interval = "1 epoch",  # type: ignore[assignment]
        monitor: str | None = None,
        keep: Annotated[int, Ge(2)] = 2,
    ) -> None:
        self.epochs = DEFAULT_EPOCHS if epochs is None and steps is None and time is None else epochs
        self.steps = steps
        self.time = None if time is None else Interval.parse(time)
        self.batch_size, self.accumulate, self.shuffle = batch_size, accumulate, shuffle
        self.monitor, self.keep = monitor, keep
        self.evaluate_every = Interval.parse(evaluate_every)
        self.checkpoint_every = Interval.parse(checkpoint_every)


class Fields:
    """The top level of a config.

    Parameters:
        name: name of the experiment, and of its run folders; default: the file's name
        seed: what all random numbers are derived from
        dtype: floating point type of the model
        task: the kind of learning problem
        data: the examples
        model: the network
        init_from: the weights that the network begins with, from another run or a file
        baseline: a classic method in place of a network; it is fitted in one go, so that of the keys only name, seed,
            dtype, task, data, loss and metrics belong to it
        loss: what is minimized; default: the task's
        metrics: what is measured beside the loss, as a list, or {optimize, satisfy, measure}; default: the task's
        optimizer: how the parameters are changed
        regularize: penalties on the kernels
        constrain: what the kernels are brought back to after every step
        average: a mean of the weights over the training, which is evaluated in their place
        train: the training
        hooks: what else happens during training
        waive: rules of `dltrain doctor` and `dltrain data lint` that are known and meant so: {rule: reason}
    """

    def __init__(
        self,
        data: Data,
        model: Annotated[dict[str, Any], Notation()] = None,  # type: ignore[assignment]
        init_from: InitFrom | None = None,
        baseline: Annotated[Any, Reference("baseline")] | None = None,
        name: RunName = "experiment",
        seed: Seed = 0,
        dtype: Literal["float32", "float64"] = "float32",
        task: Annotated[Any, Reference("task")] = "classification",
        loss: Loss | None = None,
        metrics: list[Metric] | Goals | None = None,
        optimizer: Annotated[Any, Reference("optimizer")] = "adam",
        regularize: list[Annotated[Any, Reference("regularizer")]] = [],  # noqa: B006
        constrain: list[Annotated[Any, Reference("constraint")]] = [],  # noqa: B006
        average: Annotated[Any, Reference("average")] | None = None,
        train: Train = {},  # type: ignore[assignment]  # noqa: B006
        hooks: list[Annotated[Any, Reference("hook")]] = [],  # noqa: B006
        waive: Annotated[dict[str, str], Words("a map {rule: reason}")] = {},  # noqa: B006
    ) -> None:
        self.name, self.seed, self.dtype, self.task = name, seed, dtype, task
        self.data, self.model, self.init_from, self.baseline = data, model, init_from, baseline
        self.loss, self.metrics = loss, metrics
        self.optimizer, self.regularize, self.train, self.hooks = optimizer, regularize, train, hooks
        self.constrain, self.average, self.waive = constrain, average, waive


# Order of the keys in a resolved config.
ORDER = (
    *("name", "seed", "dtype", "task", "data", "model", "init_from", "baseline", "loss"),
    *("metrics", "optimizer", "regularize", "constrain", "average", "train", "hooks"),
    "waive",
)
# The keys that have an effect on a baseline.
BASELINE = ("name", "seed", "dtype", "task", "data", "baseline", "loss", "metrics")
SECTIONS = (Data, Train, Goals, InitFrom, Fields)


def is_section(kind: Any) -> bool:
    """Whether a type is a map with fixed keys: a section, or such a map among the parameters of a registered thing."""
    return kind in SECTIONS or getattr(kind, "is_section", False) is True


@functools.cache
def keys_of(section: type) -> tuple[Argument, ...]:
    """The keys of a section, with types, defaults and documentation."""
    return arguments_of(section)
