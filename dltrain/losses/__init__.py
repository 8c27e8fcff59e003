"""Losses: a number that says how wrong the outputs are, with its gradient; one family a file.

All are means over the batch (sums run in float64), weighted ones Σ w_i l_i / Σ w_i where samples have weights.  They
take logits where there are probabilities, so that they stay finite and exact however sure a model is.
"""

from dltrain.losses.classification import BinaryCrossEntropy, SoftmaxCrossEntropy
from dltrain.losses.crf import ConditionalRandomFieldLoss
from dltrain.losses.focal import Focal
from dltrain.losses.margins import Hinge, SquaredHinge
from dltrain.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError, Quadratic

__all__ = [
    "BinaryCrossEntropy",
    "ConditionalRandomFieldLoss",
    "Focal",
    "Hinge",
    "Huber",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Quadratic",
    "SoftmaxCrossEntropy",
    "SquaredHinge",
]
