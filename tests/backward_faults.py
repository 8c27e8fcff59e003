"""Backward passes that are wrong on purpose, for the tests of the gradient check (figure N4)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from dltrain.kernels import namespace
from dltrain.layers.activation import Activation
from dltrain.layers.dropout import Dropout
from dltrain.layers.merge import Add, Concat
from dltrain.layers.shape import Flatten
from dltrain.model import graph as graph_module

Plant = Callable[[pytest.MonkeyPatch], None]


class Fault(NamedTuple):
    """A fault, how it is planted, and a model that it harms.

    Parameters:
        name: what is wrong
        plant: does it
        chain: layers before the last one
        task: of the model
        penalties: regularisers
        outputs: width of the last layer
        width: of the input
        shape: of the input, instead of a width
    """

    name: str
    plant: Plant
    chain: list[Any]
    task: str = "classification"
    penalties: tuple[Any, ...] = ()
    outputs: int = 3
    shape: tuple[int, ...] = (5,)


def kernel(name: str, after: Callable[[Any], Any]) -> Plant:
    """The kernel does its work, then `after` spoils its arguments (or returns another result)."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        original = namespace("reference").functions[name]
        signature = inspect.signature(original)

        def wrong(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            given = {key: np.copy(a) if isinstance(a, np.ndarray) else a for key, a in bound.arguments.items()}
            result = original(*args, **kwargs)
            other = after(SimpleNamespace(**bound.arguments, before=SimpleNamespace(**given)))
            return result if other is None or isinstance(other, np.ndarray) else other

        patch.setattr(namespace("reference"), name, wrong)

    return plant


def method(owner: type, name: str, wrong: Any) -> Plant:
    """A method is replaced; the new one takes the old one first."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)
        patch.setattr(owner, name, lambda *args, **kwargs: wrong(original, *args, **kwargs))

    return plant


def put(target: Any, value: Any) -> None:
    """Overwrite an array, if there is one."""
    if target is not None:
        target[...] = value


def scale(factor: float, *where: Any) -> Callable[[Any, str], None]:
    """Multiply one argument, or a part of it, by a factor."""

    def spoil(a: Any, name: str) -> None:
        array = getattr(a, name)
        if array is not None:
            array[where or ...] *= factor

    return spoil


def backward_only(name: str, wrong: Callable[[Any, np.ndarray], np.ndarray]) -> Plant:
    """An activation's gradient is replaced by `wrong(a, dx)`."""

    def after(a: Any) -> None:
        if a.name == name:
            a.out[...] = wrong(a, a.out.copy())

    return kernel("activation_backward", after)


def _ignore_add(a: Any) -> None:
    if not a.add:
        a.dW += a.before.dW


def _always_store(a: Any) -> None:
    if a.add:
        a.dW -= a.before.dW


def _not_transposed(a: Any) -> None:
    if a.W.shape[0] == a.W.shape[1]:
        put(a.dx, a.dy @ a.W)


def _other_mask(original: Any, self: Dropout, mode: Any, *inputs: Any) -> Any:
    y, _ = original(self, mode, *inputs)
    k, key, rate = mode.kernels(y), mode.key() ^ 1, self.rate
    return y, lambda dy: k.dropout(dy, key, rate, mode.like(dy))


def _no_mask(original: Any, self: Dropout, mode: Any, *inputs: Any) -> Any:
    return original(self, mode, *inputs)[0], lambda dy: dy / (1 - self.rate)


def _no_scale(original: Any, self: Dropout, mode: Any, *inputs: Any) -> Any:
    y, backward = original(self, mode, *inputs)
    return y, lambda dy: backward(dy) * (1 - self.rate)


def _first_input_only(original: Any, self: Add, mode: Any, *inputs: Any) -> Any:
    return original(self, mode, *inputs)[0], lambda dy: (dy,) + (None,) * (len(inputs) - 1)


def _swapped(original: Any, self: Concat, mode: Any, *inputs: Any) -> Any:
    y, backward = original(self, mode, *inputs)
    return y, lambda dy: backward(dy[..., ::-1])


def _last_in_first(original: Any, self: Flatten, mode: Any, *inputs: Any) -> Any:
    shape = inputs[0].shape
    return original(self, mode, *inputs)[0], lambda dy: dy.reshape(shape[0], *shape[:0:-1]).swapaxes(1, -1)


def _stale(original: Any, self: Activation, mode: Any, *inputs: Any) -> Any:
    y, backward = original(self, mode, *inputs)
    if not mode.backward or np.iscomplexobj(y):
        return y, backward
    self.kept = getattr(self, "kept", backward)  # type: ignore[attr-defined]
    return y, self.kept  # type: ignore[attr-defined]


def _state_between(original: Any, self: Activation, mode: Any, *inputs: Any) -> Any:
    y, self.last = original(self, mode, *inputs)  # type: ignore[attr-defined]
    return y, lambda dy: self.last(dy)  # type: ignore[attr-defined]


def _spoils_dy(original: Any, self: Activation, mode: Any, *inputs: Any) -> Any:
    y, backward = original(self, mode, *inputs)

    def wrong(dy: Any) -> Any:
        dx = backward(dy)
        dy[...] = dx
        return dx

    return y, wrong


def _last_gradient_wins(patch: pytest.MonkeyPatch) -> None:
    def wrong(total: Any, path: str, gradient: Any, mode: Any) -> None:
        total[path] = gradient

    patch.setattr(graph_module, "accumulate", wrong)


def _in_place_sum(patch: pytest.MonkeyPatch) -> None:
    def wrong(total: Any, path: str, gradient: Any, mode: Any) -> None:
        if path in total:
            total[path] += gradient
        else:
            total[path] = gradient

    patch.setattr(graph_module, "accumulate", wrong)


def _half_gradient(patch: pytest.MonkeyPatch) -> None:
    original = graph_module.accumulate

    def wrong(total: Any, path: str, gradient: Any, mode: Any) -> None:
        original(total, path, gradient / 2 if path in total else gradient, mode)

    patch.setattr(graph_module, "accumulate", wrong)


TANH: list[Any] = [{"dense": 6}, {"leaky_relu": 1.0}, "tanh"]  # not fused, so that the activation's own kernel runs
RELU: list[Any] = [{"dense": 6}, "linear", "relu"]
NORM: list[Any] = [{"dense": 4}, "batch_norm", "tanh"]
SHARED: list[Any] = [{"residual": [{"dense": 5}, "tanh"]}]

FAULTS = [
    Fault("kernel's gradient off by 0.1 %", kernel("affine_backward", lambda a: scale(1.001)(a, "dW")), TANH),
    Fault("bias' gradient missing", kernel("affine_backward", lambda a: put(a.db, 0)), TANH),
    Fault("bias' gradient averaged", kernel("affine_backward", lambda a: scale(1 / 8)(a, "db")), TANH),
    Fault("wrong sign on one entry", kernel("affine_backward", lambda a: scale(-1, 0, 1)(a, "dW")), TANH),
    Fault("dx off in one sample", kernel("affine_backward", lambda a: scale(1.001, 3)(a, "dx")), TANH),
    Fault("dx by W instead of its transpose", kernel("affine_backward", _not_transposed), [{"dense": 5}, *SHARED]),
    Fault("gradient added to garbage", kernel("affine_backward", _ignore_add), TANH),
    Fault("gradient stored instead of added", kernel("affine_backward", _always_store), TANH),
    Fault(
        "one entry of many thousand off by 0.1 %",
        kernel("affine_backward", lambda a: scale(1.001, 77, 33)(a, "dW") if a.dW.shape[0] == 200 else None),
        [{"dense": 60}, "tanh"],
        shape=(200,),
    ),
    Fault(
        "time axis of dx reversed",
        kernel("affine_backward", lambda a: put(a.dx, np.copy(a.dx[::-1]))),
        [{"dense": 3}, "tanh", "flatten"],
        shape=(4, 2),
    ),
    Fault("relu lets everything through", backward_only("relu", lambda a, dx: a.dy), RELU),
    Fault("relu masked by dy", backward_only("relu", lambda a, dx: np.where(a.dy > 0, dx, 0)), RELU),
    Fault(
        "leaky relu without its slope",
        backward_only("leaky_relu", lambda a, dx: a.dy * (a.x > 0)),
        [{"dense": 6}, {"leaky_relu": 0.1}],
    ),
    Fault("sigmoid' = y", backward_only("sigmoid", lambda a, dx: a.dy * a.y), [{"dense": 6}, "linear", "sigmoid"]),
    Fault("tanh' = 1 - y", backward_only("tanh", lambda a, dx: a.dy * (1 - a.y)), TANH),
    Fault("tanh' off by 0.01 %", backward_only("tanh", lambda a, dx: dx * 1.0001), TANH),
    Fault(
        "softmax without its sum",
        kernel("softmax_backward", lambda a: put(a.out, a.y * a.dy)),
        [{"dense": 4}, "softmax"],
    ),
    Fault(
        "softmax' sum over the wrong axis",
        kernel("softmax_backward", lambda a: put(a.out, a.y * (a.dy - (a.y * a.dy).sum(0)))),
        [{"dense": 4}, "softmax"],
    ),
    Fault("dropout forgets its mask", method(Dropout, "forward", _no_mask), [{"dense": 6}, {"dropout": 0.4}]),
    Fault("dropout draws another mask", method(Dropout, "forward", _other_mask), [{"dense": 6}, {"dropout": 0.4}]),
    Fault("dropout without its scale", method(Dropout, "forward", _no_scale), [{"dense": 6}, {"dropout": 0.4}]),
    Fault(
        "batch norm takes the mean for a constant",
        kernel(
            "batch_norm_backward",
            lambda a: put(a.dx, a.dx + a.inv_std * (1 if a.gamma is None else a.gamma) * a.dy.mean(0)),
        ),
        NORM,
    ),
    Fault(
        "batch norm takes the variance for a constant",
        kernel(
            "batch_norm_backward",
            lambda a: put(a.dx, a.dx + (h := (a.x - a.mean) * a.inv_std) * (a.gamma * a.inv_std) * (a.dy * h).mean(0)),
        ),
        NORM,
    ),
    Fault(
        "batch norm's gamma sees x", kernel("batch_norm_backward", lambda a: put(a.dgamma, (a.dy * a.x).sum(0))), NORM
    ),
    Fault("batch norm's beta off by 0.1 %", kernel("batch_norm_backward", lambda a: scale(1.001)(a, "dbeta")), NORM),
    Fault(
        "batch norm's dx off in one channel",
        kernel("batch_norm_backward", lambda a: scale(1.01, ..., 2)(a, "dx")),
        NORM,
    ),
    Fault("cross-entropy not divided by N", kernel("softmax_cross_entropy", lambda a: scale(8)(a, "out")), TANH),
    Fault(
        "cross-entropy forgets the last sample", kernel("softmax_cross_entropy", lambda a: scale(0, -1)(a, "out")), TANH
    ),
    Fault(
        "binary cross-entropy without targets",
        kernel("binary_cross_entropy", lambda a: put(a.out, a.out + a.targets / a.z.size)),
        TANH,
        "binary_classification",
        outputs=1,
    ),
    Fault(
        "squared error without its 2", kernel("mean_squared_error", lambda a: scale(0.5)(a, "out")), TANH, "regression"
    ),
    Fault(
        "loss reported twice as large",
        kernel("mean_squared_error", lambda a: 2 * float(((a.y - a.t) ** 2).mean())),
        TANH,
        "regression",
    ),
    Fault(
        "l2 without its 2",
        kernel("penalty", lambda a: put(a.grad, (a.grad + a.before.grad) / 2)),
        TANH,
        penalties=({"l2": 0.01},),
    ),
    Fault(
        "l1 with the wrong sign",
        kernel("penalty", lambda a: put(a.grad, 2 * a.before.grad - a.grad)),
        TANH,
        penalties=({"l1": 1e-3},),
    ),
    Fault(
        "penalty's gradient overwrites",
        kernel("penalty", lambda a: put(a.grad, a.grad - a.before.grad)),
        TANH,
        penalties=({"l2": 0.01},),
    ),
    Fault("of two branches the last gradient wins", _last_gradient_wins, [{"dense": 5}, *SHARED]),
    Fault("branches add up in place", _in_place_sum, [{"dense": 5}, {"residual": [{"residual": [{"dense": 5}]}]}]),
    Fault("second branch counts half", _half_gradient, [{"dense": 5}, *SHARED]),
    Fault("add forgets all inputs but one", method(Add, "forward", _first_input_only), [{"dense": 5}, *SHARED]),
    Fault(
        "concat hands gradients to the wrong inputs",
        method(Concat, "forward", _swapped),
        [{"concat": [[{"dense": 2}], [{"dense": 2}]]}],
    ),
    Fault("flatten in another order", method(Flatten, "forward", _last_in_first), ["flatten"], shape=(2, 3)),
    Fault("a cache of the first batch", method(Activation, "forward", _stale), TANH),
    Fault("state between forward and backward", method(Activation, "forward", _state_between), TANH),
    Fault(
        "backward spoils dy",
        method(Activation, "forward", _spoils_dy),
        [{"dense": 5}, {"residual": ["linear", "tanh"]}],
    ),
]
