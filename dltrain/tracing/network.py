"""A network on one sample: each layer's input, weights, output and gradients, forward and backward."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.model.mode import Mode
from dltrain.registry import entries
from dltrain.suggest import hint
from dltrain.training.walk import Operation, operations

if TYPE_CHECKING:
    from dltrain.layers.base import Array
    from dltrain.training.session import Session

MOST = 1000  # numbers of an array that are told one by one; of a larger one its range
PHASES = ("data", "forward", "loss", "backward")


def trace_network(session: Session, part: str, sample: int, layer: str | None = None) -> dict[str, Any]:
    """What each layer takes, works with and gives for one sample, forward and backward.

    Dropout drops nothing, and batch norm takes its running statistics, so that one sample has a result of its own.

    Parameters:
        session: model, task and data
        part: of the data
        sample: position in the part
        layer: path of a layer, or a wire, whose operations alone are told

    Returns:
        {part, sample, id, target, loss, operations: [{phase, path, kind, formula, takes, weights, gives}]}; arrays are
        {name: {shape, values, smallest, largest}}, values being None where there are more than 1000

    Raises:
        UsageError: when there is no such sample or layer.
    """
    examples = session.data.parts[part]
    if sample >= len(examples):
        raise UsageError(f"the {part} part has no sample {sample}", expected=f"0 to {len(examples) - 1}")
    batch = session.loader_of(examples.take(np.array([sample])), batch_size=1).batch(0, 0)
    mode = Mode(False, kernels=session.kernels, seed=session.experiment.seed)
    mode.begin(0)
    with np.errstate(all="ignore"):
        steps = [told(step) for step in operations(session.objective, batch, mode) if step.phase in PHASES]
    loss = next(step["gives"]["loss"]["values"] for step in steps if step["phase"] == "loss")
    return {
        "part": part,
        "sample": sample,
        "id": int(batch.ids[0]),
        "target": target_of(session, batch.target[0]),
        "loss": loss,
        "operations": steps if layer is None else chosen(steps, session, layer),
    }


def target_of(session: Session, target: Any) -> Any:
    """What the sample is: a class, or numbers."""
    classes = session.data.classes
    if classes is not None and np.ndim(target) == 0 and 0 <= int(target) < len(classes):
        return classes[int(target)]
    return np.asarray(target).tolist() if np.size(target) <= MOST else None


def chosen(steps: list[dict[str, Any]], session: Session, layer: str) -> list[dict[str, Any]]:
    """The operations of one layer.

    Raises:
        UsageError: when there is none of this path.
    """
    path = session.graph.paths.get(layer, layer)
    found = [step for step in steps if step["path"] == path and step["phase"] in ("forward", "backward")]
    if not found:
        known = [node.path for node in session.graph.plan_nodes]
        advice = hint(layer, known, f"its layers: {', '.join(known)}")
        raise UsageError("the model has no such layer", got=repr(layer), hint=advice)
    return found


def told(step: Operation) -> dict[str, Any]:
    """An operation as plain data, its arrays as they are now."""
    return {
        "phase": step.phase,
        "path": step.path,
        "kind": step.kind,
        "formula": formula_of(step),
        **{
            role: {name: numbers(array) for name, array in arrays.items()}
            for role, arrays in (("takes", step.takes), ("weights", step.weights), ("gives", step.gives))
        },
    }


def numbers(array: Array) -> dict[str, Any]:
    """An array as plain data."""
    some = {"smallest": float(array.min()), "largest": float(array.max())} if array.size else {}
    return {"shape": list(array.shape), "values": array.tolist() if array.size <= MOST else None, **some}


def formula_of(step: Operation) -> str:
    """The formula of an operation, from the page of its layer or loss; empty where there is none."""
    if step.phase == "backward" and step.node is not None:
        said = inspect.getdoc(type(step.node.layer).forward) or ""
        parts = [part.strip().rstrip(".") for part in said.partition("\n")[0].split(";")]
        written = ", ".join(part for part in parts if part.startswith("d") and "=" in part)
        return written or ", ".join(p for p in formula(step.kind, "layer").split(",  ") if p.startswith("d"))
    return formula(step.kind, {"forward": "layer", "loss": "loss"}.get(step.phase, ""))


def formula(name: str, kind: str) -> str:
    """The first formula of a page, without the shapes behind it.

    Example:
        >>> formula("dense", "layer"), formula("softmax_cross_entropy", "loss")
        ('y = x W + b', 'Mean over the batch of log Σ_k exp(z_k) - z_label')
    """
    entry = entries(kind).get(name) if kind else None
    if entry is None:
        return ""
    page = entry.doc.partition("\nParameters:")[0].partition("\nExample:")[0]
    lines = [line for line in page.splitlines() if line.startswith("    ") and "=" in line]
    if lines:
        return lines[0].strip().partition("        ")[0]
    first = page.partition("\n")[0]
    if kind == "loss":
        return first.partition(":")[0].rstrip(".")
    return first.partition(": ")[2].rstrip(".") if "=" in first else ""
