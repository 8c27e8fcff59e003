"""What all recurrent layers share: the product for the inputs of all steps, and the run of a cell over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dltrain.kernels.reference.recurrent import CELLS
from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError, no_backward

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


class Recurrent(Layer):
    """A recurrent layer; the layers that are registered only say which cell runs, and with what.

    z = x W + b for all steps at once, then h_t = cell(z_t, h_{t-1} U); backward the steps come first, and then one
    product for each of dW, dU and dx.
    """

    takes_mask = True
    draws = True  # where there is dropout

    cell: str  # its name among the kernels' cells
    units: int
    return_sequences: bool
    go_backwards: bool
    recurrent_dropout: float
    initializers: tuple[Any, Any, Any]  # what fills W, U and b
    further: tuple[str, Any] | None = None  # name and initializer of the cell's further parameters

    def build(self, *shapes: Shape) -> Shape:
        """(T, D) -> (H,), or (T, H) as a sequence."""
        shape, H = check_sequence(shapes), self.units
        width, (of_kernel, of_recurrent, of_bias) = CELLS[self.cell].gates * H, self.initializers
        fans = (shape[1], H)
        self.kernel = Parameter("kernel", (shape[1], width), of_kernel, fans=fans, decays=True)
        self.recurrent = Parameter("recurrent_kernel", (H, width), of_recurrent, fans=(H, H), decays=True)
        self.bias = Parameter("bias", (width,), of_bias, fans=fans)
        self.parameters = (self.kernel, self.recurrent, self.bias)
        self.p: Parameter | None = None
        if self.further is not None:
            name, initializer = self.further
            self.p = Parameter(name, self.further_shape, initializer, fans=fans)
            self.parameters = (*self.parameters, self.p)
        return (shape[0], H) if self.return_sequences else (H,)

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The product, the run of the cell, and the way back."""
        x, mask = inputs[0], inputs[1] if len(inputs) > 1 else None
        (N, T, D), H, dtype, k, empty = x.shape, self.units, x.dtype, mode.kernels(x), mode.empty
        cell, U, reverse, notes = self.cell, self.recurrent.value, self.go_backwards, CELLS[self.cell].notes
        if not (mode.backward or mode.training):
            return self._inference(mode, x, mask), no_backward
        rows = x.reshape(N * T, D)
        z = empty((N, T, U.shape[1]), dtype)
        k.affine(rows, self.kernel.value, self.bias.value, "linear", z.reshape(N * T, -1), empty)
        p, keep = self._further(mode, dtype), self._kept(mode, k, (N, H), dtype)
        first, last = empty((2, N, H), dtype), empty((2, N, H), dtype)
        out = (mode.output if self.return_sequences else empty)((N, T, H), dtype)
        before, noted = empty((N, T, H), dtype), empty((N, T if notes else 0, H), dtype)
        mode.recall(first)
        k.recurrence(cell, z, U, p, mask, keep, first, reverse, out, before, noted, last, empty)
        mode.remember(last)
        needs_dx = mode.needs_dx

        def backward(dy: Array) -> Any:
            add, dp = self._receivers(mode, p)
            du = empty(z.shape, dtype) if cell == "gru" else z  # where z and u are added, their gradients are one
            dys = dy if self.return_sequences else dy.reshape(N, 1, H)
            k.recurrence_backward(cell, z, U, p, mask, keep, first, reverse, out, noted, dys, du, dp, add, empty)
            dz, du, seen = z.reshape(N * T, -1), du.reshape(N * T, -1), before.reshape(N * T, H)
            k.affine_backward(seen, U, du, du, self.recurrent.grad, None, None, "linear", add, empty)
            dx = empty(rows.shape, dtype) if needs_dx else None
            dW, db = self.kernel.grad, self.bias.grad
            k.affine_backward(rows, self.kernel.value, dz, dz, dW, db, dx, "linear", add, empty)
            dx = None if dx is None else dx.reshape(x.shape)
            return dx if mask is None else (dx, no_gradient(mode, mask))

        if self.return_sequences:
            return out, backward
        y = mode.output((N, H), dtype)
        y[...] = last[0]
        return y, backward

    def _inference(self, mode: Mode, x: Array, mask: Array | None) -> Array:
        """The states without a way back, whose weights are packed once."""
        (N, T, D), H, dtype, k, empty = x.shape, self.units, x.dtype, mode.kernels(x), mode.empty
        z, W, U = empty((N, T, self.recurrent.shape[1]), dtype), self.kernel, self.recurrent
        rows = x.reshape(N * T, D)
        k.affine_inference(rows, W, self.bias.value, "linear", z.reshape(N * T, -1), empty, W.derived)
        p, first, last = self._further(mode, dtype), empty((2, N, H), dtype), empty((2, N, H), dtype)
        out = (mode.output if self.return_sequences else empty)((N, T, H), dtype)
        mode.recall(first)
        k.recurrence_inference(self.cell, z, U, p, mask, first, self.go_backwards, out, last, empty, U.derived)
        mode.remember(last)
        if self.return_sequences:
            return out
        y = mode.output((N, H), dtype)
        y[...] = last[0]
        return y

    def _receivers(self, mode: Mode, p: Array) -> tuple[bool, Array]:
        """Whether gradients are added to what is there, and what receives that of p."""
        add = self.recurrent.accumulates()
        for parameter in self.parameters:
            parameter.fresh = False
        if self.p is not None:
            return add, self.p.grad
        nobody = mode.empty(p.shape, p.dtype)
        nobody.fill(0)
        return add, nobody

    @property
    def further_shape(self) -> Shape:
        """The shape (rows, H) of the cell's further parameters, whether this layer has them or not."""
        return CELLS[self.cell].rows, self.units

    def _further(self, mode: Mode, dtype: Any) -> Array:
        """p; zeros where the cell has some that this layer does without."""
        if self.p is not None:
            return self.p.value
        p = mode.empty(self.further_shape, dtype)
        p.fill(0)
        return p

    def _kept(self, mode: Mode, k: Any, shape: Shape, dtype: Any) -> Array | None:
        """Factors of the state for variational dropout: one draw for all steps."""
        if not mode.training or not self.recurrent_dropout:
            return None
        ones = mode.empty(shape, dtype)
        ones.fill(1)
        kept: Array = k.dropout(ones, mode.key(), self.recurrent_dropout, mode.empty(shape, dtype))
        return kept

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """T (D + H) G·H, G the number of gates."""
        steps, width = shapes[0]
        return steps * (width + self.units) * CELLS[self.cell].gates * self.units


def check_sequence(shapes: tuple[Shape, ...]) -> Shape:
    """The shape of a sequence, which a mask may come with.

    Raises:
        ShapeError: when it is no sequence of vectors, or the mask has not one value for each step.
    """
    shape = shapes[0]
    if len(shape) != 2:
        raise ShapeError("the layer takes sequences", "(time, features)", "put `embedding` before it for tokens")
    if len(shapes) > 1 and shapes[1] != shape[:1]:
        hint = "make it from the tokens: `mask: [from: x, padding_mask]`"
        raise ShapeError("the mask has one value for each time step", f"{shape} and {shape[:1]}", hint)
    return shape


def no_gradient(mode: Mode, mask: Array) -> Array:
    """A mask says what is there: moving it a little changes nothing."""
    nothing = mode.like(mask)
    nothing.fill(0)
    return nothing
