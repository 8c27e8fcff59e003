"""Features of frozen layers: computed once for each sample, and fed to the layers above in every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dltrain.layers.base import Array
from dltrain.model.budget import available, size_of
from dltrain.model.mode import Mode
from dltrain.model.trunk import Trunk, cut
from dltrain.training.evaluation import BATCH_SIZE

if TYPE_CHECKING:
    from dltrain.training.session import Session
    from dltrain.training.trainer import Trainer

SHARE = 0.5  # of the free memory that features may take


def reuse_features(session: Session, trainer: Trainer) -> str:
    """Let a trainer begin above the frozen layers, with their outputs for all samples; no result changes by a bit.

    Nothing is done where training pictures are augmented, the time of an evaluation is measured, or no layer is frozen
    for the whole run.

    Parameters:
        session: whose model has the weights that training begins with
        trainer: whose loaders are fed features from now on

    Returns: a line for the user; empty where nothing is said.
    """
    graph, optimizer = session.graph, trainer.optimizer
    trunk = cut(graph, optimizer.frozen(graph.parameters, None))
    training = trainer.loader.loader
    loaders = [training, *(loader for loader in trainer.held_out.values() if loader is not None)]
    one_input = all(len(loader.sources) == 1 and loader.lengths is None for loader in loaders)
    if trunk is None or training.augmenter is not None or trainer.tally.timed or not one_input:
        return ""
    samples = sum(len(loader.examples) for loader in loaders)
    needed = samples * graph.dtype.itemsize * int(np.prod(trunk.above.inputs[trunk.path]))
    if needed > SHARE * available():
        return f"the features of the frozen layers would take {size_of(needed)}: they are computed in every epoch"
    for loader in loaders:
        (inputs,) = loader.sources.values()
        loader.feed({trunk.path: features(session, trunk, inputs)})
    trainer.objective.graph = trainer.evaluator.graph = trainer.graph = trunk.above
    return f"the features of the frozen layers are computed once: {samples:,} samples, {size_of(needed)}"


def features(session: Session, trunk: Trunk, inputs: Array) -> Array:
    """(N, …) the value that the frozen layers end in, of all samples."""
    mode = Mode(False, kernels=session.kernels, arena=session.arena, backward=False)
    (wire,) = trunk.below.inputs
    found = np.empty((len(inputs), *trunk.above.inputs[trunk.path]), session.graph.dtype)
    for index, start in enumerate(range(0, len(inputs), BATCH_SIZE)):
        some = inputs[start : start + BATCH_SIZE]
        mode.begin(index, ("features", len(some)))
        outputs, _ = trunk.below.forward({wire: some}, mode=mode)
        found[start : start + BATCH_SIZE] = outputs[trunk.path]
    return found
