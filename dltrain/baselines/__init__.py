"""Classic baselines, by scikit-learn: what a network should beat before it is worth its trouble.

A baseline holds its parameters and makes an estimator; `fitting.fit` fits it, and turns what it says into the outputs
that tasks, losses and metrics take.  Nothing here imports scikit-learn before a baseline is fitted.
"""

from dltrain.baselines import bayes, instances, linear, trees
from dltrain.baselines.fitting import Fitted, Refusal, estimate, fit

__all__ = ["Fitted", "Refusal", "bayes", "estimate", "fit", "instances", "linear", "trees"]
