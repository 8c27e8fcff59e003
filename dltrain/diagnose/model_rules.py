"""Rules on the model: layers whose order or start works against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.config.effects import name_of
from dltrain.diagnose.rule import Verdict, rule
from dltrain.registry import entries

if TYPE_CHECKING:
    from dltrain.diagnose.checkup import Checkup
    from dltrain.model.nodes import Node

RECTIFIERS = ("relu", "relu6", "leaky_relu", "prelu", "elu")
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh")
ACTIVATIONS = (*RECTIFIERS, *SATURATING, "selu", "gelu", "softplus", "swish", "linear")
DROPOUTS = ("dropout", "spatial_dropout", "alpha_dropout")
NORMALIZATIONS = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
TANHS, SIGMOIDS = 8, 3  # layers of them, one behind the other, through which gradients shrink to nothing


@rule("bias_before_batch_norm")
def bias_before_batch_norm(checkup: Checkup) -> Iterator[Verdict]:
    """A bias right before a batch norm does nothing: the mean that is taken away holds it.

    It costs memory and time, and its gradient is 0 but for rounding.  Say `use_bias: false`; β shifts in its place.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 4}, "batch_norm", "relu", "dense"])
        >>> [verdict.where for verdict in bias_before_batch_norm(checkup)]
        ['logits.0.dense']

    Source: Ioffe, Szegedy: Batch normalization, 2015, section 3.2.
    """
    for node in checkup.nodes:
        following = checkup.behind(node)
        if getattr(node.layer, "use_bias", False) and following is not None and following.kind == "batch_norm":
            what = f"the bias of {node.path} has no effect: the batch norm behind it takes it away"
            yield Verdict("doubt", what, f"write `{node.kind}: {{…, use_bias: false}}`", node.path)


@rule("dropout_before_batch_norm")
def dropout_before_batch_norm(checkup: Checkup) -> Iterator[Verdict]:
    """A dropout before a batch norm: in training the norm sees a larger variance than in use.

    Dropout leaves the mean as it is and makes the variance larger; outside training it does nothing, so that the
    running variance is the wrong one.  Put the dropout behind the last batch norm.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 4}, {"dropout": 0.5}, "relu", "batch_norm", "dense"])
        >>> [verdict.where for verdict in dropout_before_batch_norm(checkup)]
        ['logits.1.dropout']

    Source: Li, Chen, Hu, Yang: Understanding the disharmony between dropout and batch normalization, 2019.
    """
    for node in checkup.nodes:
        following = checkup.behind(node, (*ACTIVATIONS, "flatten", "max_pool", "avg_pool"))
        if node.kind in DROPOUTS and following is not None and following.kind == "batch_norm":
            what = f"{node.path} changes the variance that {following.path} learns in training, and not in use"
            yield Verdict("doubt", what, "put the dropout behind the last batch norm", node.path)


@rule("glorot_with_relu")
def glorot_with_relu(checkup: Checkup) -> Iterator[Verdict]:
    """Kernels of variance 2 / (n_in + n_out) or 1 / n_in in front of a relu, which halves what passes.

    Through every such layer signals and gradients shrink by about √2, so that deep networks start slowly.
    `he_normal`, the default, has variance 2 / n_in.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": {"units": 4, "kernel_initializer": "glorot_uniform"}}, "relu", "dense"])
        >>> [verdict.where for verdict in glorot_with_relu(checkup)]
        ['logits.0.dense']

    Source: He, Zhang, Ren, Sun: Delving deep into rectifiers, 2015.
    """
    for node in checkup.nodes:
        initializer, following = initializer_of(node), checkup.behind(node, DROPOUTS)
        if initializer.startswith(("glorot", "lecun")) and following is not None and following.kind in RECTIFIERS:
            what = f"{node.path} starts from {initializer}, too small in front of {following.kind}"
            yield Verdict("doubt", what, "leave kernel_initializer and model.init out, or say `he_normal`", node.path)


@rule("equal_units")
def equal_units(checkup: Checkup) -> Iterator[Verdict]:
    """All units of a hidden layer start equal and are read alike, and so stay equal: each gets the same gradient.

    A network with such a layer is no better than one with a single unit there.  Only random numbers break the
    symmetry, in this layer or in the one that reads it; biases may start from 0.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> zeros = {"kernel_initializer": "zeros"}
        >>> checkup = of_iris([{"dense": {"units": 4, **zeros}}, "tanh", {"dense": {"units": 3, **zeros}}])
        >>> [verdict.severity for verdict in equal_units(checkup)]
        ['fault']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 8.4.
    """
    for node in checkup.nodes:
        reader = checkup.behind(node, (*ACTIVATIONS, *DROPOUTS, *NORMALIZATIONS))
        if initializer_of(node) and alike(node) and reader is not None and reads_alike(reader):
            what = f"the units of {node.path} start alike, and so stay alike: together they do the work of one"
            yield Verdict("fault", what, "leave kernel_initializer and model.init out", node.path)


@rule("vanishing_depth")
def vanishing_depth(checkup: Checkup) -> Iterator[Verdict]:
    """Many sigmoid or tanh layers one behind the other: each makes the gradient smaller.

    The slope of a sigmoid is at most 1/4, that of a tanh below 1 wherever it bends.  Normalization between the layers
    or residual branches keep gradients alive, or take `relu`.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> deep = [{"dense": 8}, "sigmoid"] * 5
        >>> [verdict.evidence for verdict in vanishing_depth(of_iris([*deep, "dense"]))]
        [{'layers': 5}]

    Source: Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen, 1991; Glorot, Bengio, 2010.
    """
    depth: dict[str, int] = {}
    deepest: Node | None = None
    limit = 0
    for node in checkup.nodes:
        before = max((depth.get(path, 0) for path in node.inputs), default=0)
        normal = node.kind in NORMALIZATIONS or len(node.inputs) > 1
        depth[node.path] = 0 if normal else before + (node.kind in SATURATING)
        least = SIGMOIDS if "sigmoid" in node.kind else TANHS
        if node.kind in SATURATING and depth[node.path] > least:
            deepest, limit = node, depth[node.path]
    if deepest is not None:
        what = f"{limit} layers of {deepest.kind} follow one another up to {deepest.path}: gradients shrink in each"
        advice = "take `relu` in the hidden layers, or put `batch_norm` in front of each activation"
        yield Verdict("doubt", what, advice, deepest.path, {"layers": limit})


@rule("activation_before_loss")
def activation_before_loss(checkup: Checkup) -> Iterator[Verdict]:
    """The output passes an activation although the loss takes scores of any size.

    Cross-entropy and its like apply softmax or the sigmoid themselves, in a form that keeps its digits.  A second one
    in front flattens the gradient; a relu there cannot say that a class is unlikely.  A regression's output behind a
    sigmoid or relu cannot reach targets outside its range.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> [verdict.severity for verdict in activation_before_loss(of_iris([{"dense": 3}, "relu"]))]
        ['fault']

    Source: Bishop: Pattern recognition and machine learning, 2006, section 5.2.
    """
    ranges = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "tanh": (-1, 1), "hard_tanh": (-1, 1), "relu": (0, np.inf)}
    ranges |= {"softplus": (0, np.inf), "softmax": (0, 1), "relu6": (0, 6)}
    target = checkup.data.parts["train"].columns.get("y", np.empty(0))
    for node in checkup.last():
        if node.kind not in ranges:
            continue
        if checkup.data.classes is not None and not squared(checkup):
            loss = checkup.session.task.loss_name
            what = f"the output passes {node.kind}, and {loss} takes scores of any size"
            yield Verdict("fault", what, f"leave the {node.kind} at the end out", node.path)
        elif checkup.data.classes is None and target.dtype.kind == "f":
            low, high = ranges[node.kind]
            outside = float(((target < low) | (target > high)).mean())
            if outside:
                what = f"{outside:.0%} of the targets lie outside of what {node.kind} can give ({low} to {high})"
                yield Verdict("fault", what, f"leave the {node.kind} at the end out", node.path, {"outside": outside})


@rule("squared_error_on_classes")
def squared_error_on_classes(checkup: Checkup) -> Iterator[Verdict]:
    """Squared or absolute errors as the loss of a classification, whose gradient dies where an output is most wrong.

    Behind a sigmoid or softmax the slope of these losses is nearly 0 for an output that is certain and wrong; that of
    cross-entropy is largest there.

    Example:
        >>> from dltrain.diagnose.checkup import of_iris
        >>> checkup = of_iris([{"dense": 3}, "softmax"], loss="quadratic")
        >>> [verdict.where for verdict in squared_error_on_classes(checkup)]
        ['loss']

    Source: Nielsen: Neural networks and deep learning, 2015, chapter 3.
    """
    if checkup.data.classes is not None and squared(checkup):
        loss = checkup.session.task.loss_name
        what = f"{loss} is the loss of a classification: where an output is certain and wrong its gradient is nearly 0"
        yield Verdict("doubt", what, "leave `loss` out: cross-entropy is the default", "loss")


def squared(checkup: Checkup) -> bool:
    """Whether the loss reads outputs as numbers, and not as scores of classes."""
    known = entries("loss").get(checkup.session.task.loss_name)
    return known is not None and getattr(known.make, "link", "") == "identity"


def alike(node: Node) -> bool:
    """Whether a layer has several units, and all of them the same weights and biases."""
    values = [parameter.value for parameter in node.layer.parameters]
    return values[0].shape[-1] > 1 and all(not np.ptp(value, axis=-1).any() for value in values)


def reads_alike(node: Node) -> bool:
    """Whether a layer gives all its inputs the same weights."""
    kernel = next((parameter.value for parameter in node.layer.parameters if parameter.name == "kernel"), None)
    return kernel is not None and kernel.ndim > 1 and not np.ptp(kernel, axis=-2).any()


def initializer_of(node: Node) -> str:
    """The name of what a layer's kernel starts from; empty where it has none."""
    spec: Any = next((p.initializer for p in node.layer.parameters if p.name == "kernel"), "")
    return name_of(spec) if spec else ""
