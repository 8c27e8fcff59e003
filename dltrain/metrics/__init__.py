"""Metrics, and the collectors that gather what they need batch by batch.

A collector adds up counts or sums; a metric is computed from them once, at the end.
"""

from dltrain.metrics import certainty, decisions, measured, overlap, ranking, regression, spans
from dltrain.metrics.collectors import BinaryConfusion, Certainty, Confusion, Hits, LabelSets, Moments, Scores, Timing
from dltrain.metrics.decisions import per_class
from dltrain.metrics.probabilities import logistic, mean_outputs, probabilities
from dltrain.metrics.spans import Spans

__all__ = [
    "BinaryConfusion",
    "Certainty",
    "Confusion",
    "Hits",
    "LabelSets",
    "Moments",
    "Scores",
    "Spans",
    "Timing",
    "certainty",
    "decisions",
    "logistic",
    "mean_outputs",
    "measured",
    "overlap",
    "per_class",
    "probabilities",
    "ranking",
    "regression",
    "spans",
]
