"""Optimizers as chains of gradient transforms on flat vectors, and the schedules of their learning rates."""

from __future__ import annotations

from dltrain.optim import optimizers, schedules
from dltrain.optim.optimizers import Optimizer
from dltrain.optim.schedules import Moment

__all__ = ["Moment", "Optimizer", "optimizers", "schedules"]
