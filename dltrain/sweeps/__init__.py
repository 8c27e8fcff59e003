"""Looks for good settings of a config: a space of settings, a sampler that proposes points in it, trials that train.

A sweep lives in its folder alone.  What happened stands in an append-only journal, every trial is a run folder, and
whoever holds the lock of a trial works on it: any process may die at any moment, and another goes on.
"""

from dltrain.sweeps import dimensions, model_based, pruning, rounds, samplers  # noqa: F401  (registered by being imported)
