"""A layer with a parameter that is right, unless it is told which promise to break."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape
from dltrain.model.mode import Mode

SHARED_STREAM = np.random.default_rng()


class Suspicious(Layer):
    """y = a tanh(x)        (N, D) -> (N, D), a (D,)

    Parameters:
        fault: what is wrong with it; nothing by default
    """

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        self.a = Parameter("scale", shape, "ones")
        self.parameters = (self.a,)
        self.hidden = 1.0
        return (shape[0] + 1,) if self.fault == "another shape than promised" else shape

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        (x,) = inputs
        y, a = self._output(mode, x), self.a
        if self.fault == "state in the layer":
            self.x = x
        needs_dx = mode.needs_dx or self.fault != "parameters' gradient needs dx"

        def backward(dy: Array) -> Array | None:
            tanh = np.tanh(self.x if self.fault == "state in the layer" else x)
            self._give(a, self._parameter_gradient(dy, tanh) if needs_dx else 0 * a.value)
            dx = mode.like(x)
            dx[...] = dy * a.value * (1 - tanh * tanh)
            if self.fault == "dx off by 0.1 %":
                dx *= 1.001
            elif self.fault == "dx wrong in one sample":
                dx[-1] *= -1
            elif self.fault == "writes to dy":
                dy *= 2
            elif self.fault == "float64 gradient":
                return dx.astype(np.float64)
            return dx

        needs_dx = mode.needs_dx if self.fault == "parameters' gradient needs dx" else True
        return y, backward

    def _output(self, mode: Mode, x: Array) -> Array:
        y = mode.output(x.shape, x.dtype)
        y[...] = self.a.value * np.tanh(x)
        match self.fault:
            case "float64 output":
                return self.a.value * np.tanh(x).astype(np.float64)
            case "writes to its input":
                x *= 1
            case "writes to its parameter":
                self.a.value += 0.25
            case "looks at batch mates in use" if not mode.training:
                y -= x.mean(0)
            case "couples samples untold" if mode.training:
                y -= x.mean(0)
            case "shared random stream" if mode.training:
                y *= SHARED_STREAM.random(y.shape) > 0.5
            case "state that is not saved":
                y *= self.hidden
                self.hidden = 2.0
            case "0/0":
                y[...] = self.a.value * np.tanh(x) * (x / x)
            case "overflow":
                y[...] = self.a.value * (2 / (1 + np.exp(-2 * x)) - 1)
            case "compiled kernel differs" if mode.kernels(x).name == "compiled":
                y *= 1.001
            case "assumes an order in memory":
                y[...] = self.a.value * np.tanh(x.ravel("K")).reshape(x.shape)
            case "reads memory that nobody wrote":
                y = mode.output(x.shape, x.dtype)
                y[x != 0] = (self.a.value * np.tanh(x))[x != 0]
                y[:, 0] = y[:, 0] + 0 * mode.empty((len(x),), x.dtype)
        return y

    def _parameter_gradient(self, dy: Array, tanh: Array) -> Array:
        gradient: Any = (dy * tanh).sum(0)
        match self.fault:
            case "gradient off by 0.1 %":
                return gradient * 1.001
            case "wrong sign on one entry":
                gradient[0] *= -1
            case "averaged over the batch":
                return gradient / len(dy)
        return gradient

    def _give(self, a: Parameter, gradient: Array) -> None:
        adds = a.accumulates()
        if self.fault == "stores instead of adding":
            adds = False
        elif self.fault == "adds to what was there":
            adds = True
        if adds:
            a.grad += gradient
        else:
            a.grad[...] = gradient
