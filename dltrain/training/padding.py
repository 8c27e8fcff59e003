"""Whether padding can be cut off: found out by running the model with it and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.model.mode import Mode
from dltrain.seeds import generator
from dltrain.training.session import build_graph

if TYPE_CHECKING:
    from dltrain.training.session import Session

TEXTS = 32  # that are tried
SHORT = 8  # steps of them, at most: an end that counts must show beside the rest


def changes_nothing(session: Session) -> bool:
    """Whether a model says the same of texts that are filled up as of the same ones that end.

    It does where recurrent layers, means and maxima have a mask, and every step is treated alike; it does not where a
    layer was made for one length, or an unmasked one sees what fills up.  It is tried with other parameters than those
    of the beginning, some of which are zeros that would hide a difference.
    """
    experiment, data, steps = session.experiment, session.data, session.data.shape[0]
    (wire,), half, size = session.graph.inputs, min(SHORT, steps // 2), len(data.vocabularies["x"]["names"])
    if half < 1 or not all(node.layer.any_length for node in session.graph.plan_nodes):
        return False
    graph = build_graph(experiment, data, 0, experiment.dtype)
    draw = generator(0, "padding")
    for parameter in graph.parameters.values():
        parameter.value += 0.3 * draw.standard_normal(parameter.shape)
    tokens = np.zeros((TEXTS, steps), np.int64)
    tokens[:, :half] = draw.integers(1, size, (TEXTS, half))
    mode = Mode(False, backward=False)
    for output in session.task.evaluated_wires:
        whole, ended = (graph.forward({wire: x}, mode=mode)[0][output] for x in (tokens, tokens[:, :half]))
        if whole.shape != ended.shape:
            whole, ended = whole[:, :half], ended[:, :half]  # of a `crf`: the scores; the rest are its parameters
        scale = max(1.0, float(np.abs(ended).max()))
        if whole.shape != ended.shape or not np.allclose(whole, ended, rtol=1e-4, atol=1e-4 * scale):
            return False
    return True
