"""Optimizers as chains of gradient transforms on flat vectors, and the schedules of their numbers."""

from __future__ import annotations

from dltrain.optim import cycles, optimizers, schedules
from dltrain.optim.minimize import minimize
from dltrain.optim.moment import Moment
from dltrain.optim.optimizer import Optimizer

__all__ = ["Moment", "Optimizer", "cycles", "minimize", "optimizers", "schedules"]
