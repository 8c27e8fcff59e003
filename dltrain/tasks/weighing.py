"""How much each sample, or each of its labels, counts in a loss: by its class, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import ConfigError, Problem
from dltrain.layers.base import Array
from dltrain.suggest import hint

if TYPE_CHECKING:
    from dltrain.data import DataSet
    from dltrain.tasks.base import Task


class Weighing:
    """Weights of samples from the weights of their classes; samples of an ignored label, marked -1, weigh nothing.

    Where a sample has many labels, each of them is a decision with a weight of its own.

    Parameters:
        task: has `class_weight` and `ignore_label`
        data: names and counts of the classes
        path: of the task's parameters in the config, for errors

    Raises:
        ConfigError: when a weight is for a class that is not there, or a class has none.
    """

    def __init__(self, task: Task, data: DataSet, path: tuple[str | int, ...] = ()) -> None:
        self.classes = None if task.class_weight is None else class_weights(task.class_weight, data, path)
        self.sets = self.classes is not None and task.needs == "labels"
        self.ignores = task.ignore_label is not None
        self.active = self.classes is not None or self.ignores

    def weigh(self, targets: Array, weights: Array | None) -> tuple[Array, Array | None]:
        """Targets without the mark -1, and the weights (N,) of the samples; of label sets (N·M, 1) and (N·M,).

        Parameters:
            targets: labels (N,), or (N, 1) of 0 and 1, or sets (N, M) of 0 and 1
            weights: (N,) of the samples by themselves, or None
        """
        flat = targets.reshape(-1)
        labels = np.maximum(flat, 0).astype(np.int64)
        if self.sets:
            labels += 2 * np.tile(np.arange(targets.shape[1]), len(targets))  # no and yes of label k: 2k and 2k + 1
            targets = targets.reshape(-1, 1)  # (N·M, 1)
        found = np.ones(len(flat)) if self.classes is None else self.classes[labels]
        if self.ignores:
            found = found * (flat >= 0)
        if weights is not None:
            found = found * np.repeat(weights, len(found) // max(1, len(weights)))
        return np.maximum(targets, 0), found


def class_weights(written: Any, data: DataSet, path: tuple[str | int, ...] = ()) -> Array:
    """Weights (K,) of the classes; of labels (2M,), for the no and the yes of each.

    Parameters:
        written: balanced: N / (K n_k), so that the classes of the training part weigh alike; a list in the order of
            the classes; or {class: weight}, 1 for the others.  Of labels it is the weight of their yes, and balanced
            makes no and yes of each label weigh alike
        data: names of the classes or labels, and their counts in the training part

    Raises:
        ConfigError: when it does not fit the classes.

    Example:
        >>> from types import SimpleNamespace
        >>> class_weights("balanced", SimpleNamespace(classes=["a", "b"], class_counts=[30, 10])).round(3).tolist()
        [0.667, 2.0]
    """
    classes = [str(name) for name in data.classes or data.target_names]
    at = (*path, "class_weight")
    if written == "balanced":
        counts = np.array([data.class_counts] if data.classes else data.label_counts, np.float64)
        return np.asarray(counts.sum(1, keepdims=True) / (counts.shape[1] * np.maximum(counts, 1))).reshape(-1)
    if isinstance(written, dict):
        unknown = next((label for label in written if str(label) not in classes), None)
        if unknown is not None:
            advice = hint(str(unknown), classes)
            raise ConfigError(
                [
                    Problem(
                        (*at, unknown), "there is no such class", ", ".join(classes), str(unknown), advice, at_key=True
                    )
                ]
            )
        named = {str(label): weight for label, weight in written.items()}
        weights = np.array([named.get(name, 1.0) for name in classes], np.float64)
    else:
        weights = np.array(written, np.float64)
        if len(weights) != len(classes):
            shown = ", ".join([*classes[:8], "…"] if len(classes) > 8 else classes)
            expected = f"{len(classes)}, one for each of {shown}"
            raise ConfigError([Problem(at, "a class has no weight, or a weight no class", expected, str(len(weights)))])
    if not weights.any():
        raise ConfigError([Problem(at, "all classes weigh nothing", "a weight above 0")])
    return weights if data.classes else np.stack([np.ones_like(weights), weights], 1).reshape(-1)
