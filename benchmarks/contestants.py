"""The same training step in dltrain and in its peers.

dltrain's is the product's whole path: config, data, graph, trainer with shuffled batches, loss, accuracy and guard.
The peers get their batches ready made and compute no accuracy, which favours them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

Step = Callable[[], object]
BATCHES = 100


def data(widths: list[int], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random features and labels for some batches."""
    rng = np.random.default_rng(0)
    count = BATCHES * batch
    return rng.standard_normal((count, widths[0]), dtype=np.float32), rng.integers(0, widths[-1], count)


def dltrain_step(widths: list[int], batch: int) -> Step:
    """One step of the trainer on a dense network."""
    layers = [layer for width in widths[1:-1] for layer in ({"dense": width}, "relu")]
    return trainer_step([*layers, "dense"], *data(widths, batch), batch)


def trainer_step(layers: list[object], x: np.ndarray, y: np.ndarray, batch: int) -> Step:
    """One step of the trainer, with everything that `dltrain fit` does in a step."""
    from dltrain import config
    from dltrain.training.journal import NoJournal
    from dltrain.training.progress import SilentProgress
    from dltrain.training.session import prepare

    folder = Path(tempfile.mkdtemp())
    y[: y.max() + 1] = np.arange(y.max() + 1)  # every class is there
    np.savez(folder / "data.npz", x=x, y=y)
    text = config.dump(
        {
            "task": "classification",
            "data": {"source": {"npz": "data.npz"}, "split": {"random": {"validation": 0, "test": 0}}},
            "model": {"graph": {"logits": layers}},
            "optimizer": "adam",
            "train": {"epochs": 10**6, "batch_size": batch},
        }
    )
    (folder / "config.yaml").write_text(text)
    trainer = prepare(config.load(folder / "config.yaml")).trainer(NoJournal(), SilentProgress())
    trainer.kernels.flush_subnormals(True)  # as in `Trainer.run`
    return trainer.advance


def torch_step(widths: list[int], batch: int, fused: bool = False) -> Step:
    """PyTorch: Sequential, cross-entropy, Adam (one tensor at a time, or its fused form)."""
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    x, y = data(widths, batch)
    xs, ys = torch.from_numpy(x).split(batch), torch.from_numpy(y).split(batch)
    layers: list[torch.nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model, loss = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), fused=fused or None)
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % BATCHES
        optimizer.zero_grad(set_to_none=True)
        loss(model(xs[turn]), ys[turn]).backward()
        optimizer.step()

    return step


def sklearn_step(widths: list[int], batch: int) -> Step:
    """scikit-learn's MLPClassifier, one partial_fit a step."""
    from sklearn.neural_network import MLPClassifier

    x, y = data(widths, batch)
    model = MLPClassifier(tuple(widths[1:-1]), solver="adam", batch_size=batch, alpha=0.0)
    model.partial_fit(x[:batch], y[:batch], classes=np.arange(widths[-1]))
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % BATCHES
        model.partial_fit(x[turn * batch : (turn + 1) * batch], y[turn * batch : (turn + 1) * batch])

    return step


def numpy_products(widths: list[int], batch: int) -> Step:
    """NumPy: only the matrix products of the step, by its BLAS; no biases, activations, loss or optimizer."""
    rng = np.random.default_rng(0)
    pairs = list(zip(widths, widths[1:], strict=False))
    weights = [rng.standard_normal(pair, dtype=np.float32) for pair in pairs]
    gradients = [np.empty_like(weight) for weight in weights]
    wires = [rng.standard_normal((batch, width), dtype=np.float32) for width in widths]
    backs = [np.empty_like(wire) for wire in wires]

    def step() -> None:
        for x, weight, y in zip(wires, weights, wires[1:], strict=False):
            np.matmul(x, weight, out=y)
            y *= 1e-2  # else the numbers would grow from step to step
        for i in reversed(range(len(weights))):
            np.matmul(wires[i].T, backs[i + 1], out=gradients[i])
            if i:
                np.matmul(backs[i + 1], weights[i].T, out=backs[i])

    backs[-1][:] = wires[-1]
    return step
