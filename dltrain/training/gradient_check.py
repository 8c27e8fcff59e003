"""Proves a model's gradients: the backward pass against numerical derivatives of the loss, in float64."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import NumericsError, UsageError
from dltrain.layers.base import Array
from dltrain.model.memory import Arena
from dltrain.training.comparison import ROUNDING, Comparison, Entry, Tensor
from dltrain.training.differentiable import LayerInPlace, LossOfModel, rms
from dltrain.training.straight_through import hidden, layer_by_layer

if TYPE_CHECKING:
    from dltrain.data import Batch
    from dltrain.training.objective import Objective

__all__ = ["Entry", "Report", "Tensor", "check_gradients"]

METHODS = ("auto", "complex", "central")
CONSISTENCY = 1e-10  # of what must be equal but for the order of additions
FLOAT32 = 1e-4  # of a gradient in float32, beside what rounding may do
DOUBT = 1e-7  # share of the gradients' scale; what small changes move further than this is not rounding but a fault
POINTS = 3  # where a float32 gradient may fail: rounding may switch a relu, but not at three points


@dataclass(frozen=True)
class Report:
    """What a check found.

    Parameters:
        passed: whether every tensor passed
        max_error: the largest error of all tensors
        method: complex, central, or mixed
        threshold: the largest of the tensors' thresholds
        tensors: worst first
        kinks: how many entries and directions were passed over
        suspects: what is wrong by itself, where the check fails: layers by path, or the loss
        not_differentiable: layers whose gradient is a convention; what comes before them is checked layer by layer
    """

    passed: bool
    max_error: float
    method: str
    threshold: float
    tensors: list[Tensor]
    kinks: int
    suspects: list[str] = field(default_factory=list)
    not_differentiable: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return _finite({**vars(self), "tensors": [_row(tensor) for tensor in self.tensors]})


def check_gradients(
    objective: Objective,
    batch: Batch,
    *,
    seed: int = 0,
    layer: str | None = None,
    entries: int = 64,
    method: str = "auto",
    kernels: str = "auto",
) -> Report:
    """Compare the backward pass of a training step with numerical derivatives, in every parameter and float input.

    Works on a float64 copy with the reference kernels, at a point a little beside the model's own, since a point
    such as a zero bias under a relu lies on a kink.  Dropout's masks are those of step 0, batch norm uses the batch
    and leaves its running statistics alone, penalties are part of the loss.  The complex step is used where it is
    right (a central difference in each tensor tells), else central differences.  Layers without a derivative (sign,
    step) hide from the loss what comes before them: that is checked layer by layer, and the report says so.

    Parameters:
        objective: graph, task and penalties; they are not changed
        batch: some samples; 4 to 16 are enough
        seed: of masks, drawn entries and directions
        layer: check this layer alone, its parameters and inputs, with random gradients of its output
        entries: how many entries of a larger tensor are drawn
        method: auto, complex or central
        kernels: whose float32 gradient is compared too; `reference` leaves this out

    Raises:
        UsageError: when there is no such method or layer.
        NumericsError: when the loss is not finite.
    """
    if method not in METHODS:
        raise UsageError("there is no such method", expected=" or ".join(METHODS), got=repr(method))
    model = LossOfModel(objective, batch, np.float64, seed)
    unreached = {path for path, gradient in model.gradient().items() if gradient.size and not gradient.any()}
    model.jitter(seed)
    if not np.isfinite(model.value()):
        hint = "lower the learning rate of its training, or look for NaN in the data"
        raise NumericsError("the loss is not finite, so that it has no gradient", where="gradient check", hint=hint)
    if layer is not None:
        place = _layer(model, layer)
        return _report(Comparison(place, method, entries, seed, place.scale()).tensors())
    scale = model.scale()
    doubt = {path: most for path, most in model.rounding(np.float64).items() if most < DOUBT * scale}
    lost = hidden(model.graph)
    tensors = Comparison(model, method, entries, seed, scale, doubt).tensors(lost)
    alone, between = layer_by_layer(model, method, entries, seed) if lost else ({}, {})
    tensors |= alone
    for path, note in inconsistencies(model).items():
        tensors[path] = _failed(tensors[path], note)
    if kernels != "reference" and objective.graph.dtype == np.float32:
        compare_float32(model, tensors, kernels, scale)
    for path in unreached:
        tensors[path] = replace(tensors[path], note=_joined(tensors[path].note, "no gradient reaches it"))
    conventions = [node.path for node in model.graph.plan_nodes if not node.layer.differentiable]
    report = replace(_report(tensors | between), not_differentiable=conventions)
    return report if report.passed else replace(report, suspects=suspects(model, method, entries, seed))


def inconsistencies(model: LossOfModel) -> dict[str, str]:
    """What is wrong with how gradients are kept, by parameter or input.

    Another forward pass before the backward pass must not matter, two passes must add up to twice the gradient,
    and that of the penalties must come on top.
    """
    whole, penalty, alone = model.gradient(), model.penalty_gradient(), model.data_gradient()
    twice, interrupted = model.data_gradient(repeat=2), model.data_gradient(interrupted=True)
    found = {}
    for path, gradient in whole.items():
        if not _same(interrupted[path], alone[path]):
            found[path] = "another forward pass changes the backward pass"
        elif not _same(twice[path], alone[path] * (2 if path in model.parameters else 1)):
            found[path] = "the gradients of two passes do not add up"
        elif not _same(gradient, alone[path] + penalty[path]):
            found[path] = "the gradient of the penalties is not added to that of the loss"
    return found


def compare_float32(model: LossOfModel, tensors: dict[str, Tensor], kernels: str, scale: float) -> None:
    """Fill in how far the float32 gradient, computed as in training, is from the float64 one.

    Parameters:
        model: in float64
        tensors: findings by path; they get `float32_error`, and fail where it is too large
        kernels: the implementation that training uses
        scale: of the gradients
    """
    open_paths = list(tensors)
    for point in range(POINTS):
        if point:
            model = model.astype(np.float64)
            model.jitter(model.seed + point)
        exact, doubt, plain = model.gradient(), model.rounding(np.float32), model.astype(np.float32).gradient()
        trained = model.astype(np.float32, kernels, Arena())
        trained.gradient()  # the first pass is recorded, the second runs in planned memory
        fast = trained.gradient()
        failed = []
        for path in open_paths:
            size, error = max(rms(exact[path]), 1e-2 * scale, 1e-30), rms(fast[path] - exact[path])
            tensors[path] = replace(tensors[path], float32_error=error / size if error == error else float("inf"))
            unsure = ROUNDING * max(doubt[path], rms(plain[path] - exact[path]))
            if not error <= FLOAT32 * size + unsure:
                failed.append(path)
        open_paths = failed
    for path in open_paths:
        tensors[path] = replace(tensors[path], passed=False, note=_joined(tensors[path].note, "wrong in float32"))


def suspects(model: LossOfModel, method: str, entries: int, seed: int) -> list[str]:
    """What is wrong by itself: each layer with random gradients of its output, and the loss."""
    found = []
    outputs: dict[str, Array] = {}
    for place in model.layers():
        outputs[place.node.path] = place.forward()[0]
        if not place.node.layer.differentiable:
            continue
        tensors = Comparison(place, method, entries, seed, place.scale()).tensors()
        if not all(tensor.passed for tensor in tensors.values()):
            found.append(f"{place.node.path} ({place.node.kind})")
    loss = Comparison(model.loss_alone(), method, entries, seed).tensors()
    if not all(tensor.passed for tensor in loss.values()):
        wires = [wire for wire, tensor in loss.items() if not tensor.passed]
        found.append(f"loss ({model.objective.task.losses_at(wires)})")
    return found


def _layer(model: LossOfModel, path: str) -> LayerInPlace:
    places = {place.node.path: place for place in model.layers(fused=False)}
    if path not in places:
        raise UsageError("the model has no such layer", where="--layer", expected=", ".join(places), got=repr(path))
    if not places[path].node.layer.differentiable:
        hint = f"`dltrain explain {places[path].node.kind}` says what its backward does instead"
        raise UsageError("the layer has no derivative to compare with", where="--layer", got=repr(path), hint=hint)
    return places[path]


def _report(tensors: Mapping[str, Tensor]) -> Report:
    ordered = sorted(tensors.values(), key=lambda t: (t.passed, -t.error / t.threshold))
    methods = {tensor.method for tensor in ordered if tensor.method != "none"} or {"none"}
    return Report(
        passed=all(tensor.passed for tensor in ordered),
        max_error=max((tensor.error for tensor in ordered), default=0.0),
        method=methods.pop() if len(methods) == 1 else "mixed",
        threshold=max((tensor.threshold for tensor in ordered), default=0.0),
        tensors=ordered,
        kinks=sum(tensor.kinks for tensor in ordered),
    )


def _same(a: Array, b: Array) -> bool:
    return bool(rms(a - b) <= CONSISTENCY * max(rms(a), rms(b)) + 1e-300)


def _failed(tensor: Tensor, note: str) -> Tensor:
    return replace(tensor, passed=False, note=_joined(tensor.note, note))


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more


def _row(tensor: Tensor) -> dict[str, Any]:
    worst = None if tensor.worst is None else _finite({**tensor.worst._asdict(), "place": list(tensor.worst.place)})
    return _finite({**vars(tensor), "shape": list(tensor.shape), "worst": worst})


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """The largest number in place of NaN and infinities, which JSON does not have."""
    largest = sys.float_info.max
    return {k: largest if isinstance(v, float) and not np.isfinite(v) else v for k, v in values.items()}
