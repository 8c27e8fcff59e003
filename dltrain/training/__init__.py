"""Training a model: objective, trainer, hooks, checkpoints, and the proof of its gradients."""
