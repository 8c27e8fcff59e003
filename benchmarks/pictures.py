"""The training step of two convolutional networks in dltrain and in PyTorch, for benchmarks/convolution.py.

As for dense networks, dltrain's step is the product's whole path, and PyTorch gets its batches ready made.
"""

from __future__ import annotations

import numpy as np
from contestants import Step, trainer_step

BATCHES = 10
CLASSES = 10


def lenet() -> list[object]:
    """LeNet-5 for 28x28 pixels, with the tanh and the average pooling of its time."""
    return [
        {"conv": {"filters": 6, "kernel_size": 5}}, "tanh", {"avg_pool": 2},
        {"conv": {"filters": 16, "kernel_size": 5, "padding": "valid"}}, "tanh", {"avg_pool": 2},
        "flatten", {"dense": 120}, "tanh", {"dense": 84}, "tanh", {"dense": CLASSES},
    ]  # fmt: skip


def vgg() -> list[object]:
    """Three stages of two convolutions of 3x3 points, as in VGG."""
    stages = [[{"conv": n}, "relu", {"conv": n}, "relu", {"max_pool": 2}] for n in (64, 128, 256)]
    return [*(layer for stage in stages for layer in stage), "flatten", {"dense": CLASSES}]


NETWORKS = {"lenet": (lenet, 128, (28, 28, 1)), "vgg": (vgg, 64, (32, 32, 3))}


def data(batch: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures and labels for some batches."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((BATCHES * batch, *shape), dtype=np.float32), rng.integers(0, CLASSES, BATCHES * batch)


def dltrain_step(network: str) -> Step:
    """One step of the trainer."""
    layers, batch, shape = NETWORKS[network]
    return trainer_step(layers(), *data(batch, shape), batch)


def torch_module(layer: object) -> object:
    """The same layer as a module of PyTorch."""
    from torch import nn

    def conv(filters: int, kernel_size: int = 3, padding: str = "same") -> nn.Module:
        return nn.LazyConv2d(filters, kernel_size, padding=kernel_size // 2 if padding == "same" else 0)

    modules = {
        "conv": conv, "dense": nn.LazyLinear, "max_pool": nn.MaxPool2d, "avg_pool": nn.AvgPool2d,
        "flatten": nn.Flatten, "tanh": nn.Tanh, "relu": nn.ReLU,
    }  # fmt: skip
    if not isinstance(layer, dict):
        return modules[layer]()
    ((kind, value),) = layer.items()
    return modules[kind](**value) if isinstance(value, dict) else modules[kind](value)


def torch_step(network: str, channels_last: bool = False) -> Step:
    """PyTorch: Sequential, cross-entropy, Adam, with either order of the numbers of a picture in memory."""
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    layers, batch, shape = NETWORKS[network]
    order = torch.channels_last if channels_last else torch.contiguous_format
    x, y = data(batch, shape)
    xs = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=order).split(batch)
    ys = torch.from_numpy(y).split(batch)
    model = torch.nn.Sequential(*map(torch_module, layers()))
    model(xs[0])  # tells the layers what they will see
    model = model.to(memory_format=order)
    loss, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters())
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % BATCHES
        optimizer.zero_grad(set_to_none=True)
        loss(model(xs[turn]), ys[turn]).backward()
        optimizer.step()

    return step
