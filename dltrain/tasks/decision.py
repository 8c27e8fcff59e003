"""What is done with outputs after the training: a temperature for probabilities, thresholds for yes or no."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dltrain.layers.base import Array


@dataclass(frozen=True)
class Decision:
    """How the outputs of a trained model become probabilities and decisions.

    Parameters:
        temperature: that logits are divided by
        thresholds: the probability above which yes is said, one for each logit; none: one half

    Example:
        >>> Decision(temperature=2.0, thresholds=(0.8,)).shifted(np.array([[4.0], [0.0]])).round(3).tolist()
        [[2.614], [-1.386]]
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()

    def scaled(self, outputs: Array) -> Array:
        """The outputs by the temperature."""
        return outputs if self.temperature == 1 else (outputs / self.temperature).astype(outputs.dtype)

    def shifted(self, scores: Array) -> Array:
        """Scaled outputs, so that yes is said above 0."""
        return scores - self.cut.astype(scores.dtype) if self.thresholds else scores

    @property
    def cut(self) -> Array:
        """The logits above which yes is said."""
        return logit(np.array(self.thresholds or (0.5,)))


def logit(share: Array) -> Array:
    """log p / (1 - p), which the logistic function undoes."""
    return np.asarray(np.log(share) - np.log1p(-share))
