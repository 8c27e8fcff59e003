"""Attention: each step of a sequence takes a mean over the steps of another, or of itself, by how well they fit."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dltrain.layers.base import Array, Backward, Layer, Parameter, Shape, ShapeError
from dltrain.layers.recurrence import check_sequence, no_gradient
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt

if TYPE_CHECKING:
    from dltrain.model.mode import Mode


class Terms(NamedTuple):
    """What the kernel takes: queries, keys and values, how they are scored, and the way back from their gradients."""

    q: Array
    k: Array
    v: Array
    w: Parameter | None
    scale: float
    backward: Any


class Attention(Layer):
    """A layer that attends; those that are registered say what is compared, and how.

    out_t = Σ_s a_ts v_s, a_t = softmax over s of score(q_t, k_s) where the mask is 1; zeros where no step may be seen.
    Only the largest score of a row and the sum of its exponentials are kept for the way back, never all weights.
    """

    any_length = True
    further = ("memory", "mask")  # left out, a sequence attends to itself, and all its steps count
    heads = 1
    causal = False
    width: int  # of the mean

    @abstractmethod
    def declare(self, steps: Shape, memory: Shape) -> int:
        """Declare `self.parameters` for steps (T, D) and a memory (S, M); returns the width of the output."""

    @abstractmethod
    def terms(self, mode: Mode, x: Array, memory: Array) -> Terms:
        """What the kernel takes; `backward(dq, dk, dv)` returns the gradients of x and of the memory."""

    def finish(self, mode: Mode, context: Array) -> tuple[Array, Backward]:
        """What becomes of the mean."""
        return context, lambda dy: dy

    def build(self, *shapes: Shape) -> Shape:
        """(T, D), and (S, M) where there is a memory -> (T, width)."""
        beside = self.named(shapes)
        steps, memory = check_sequence(shapes[:1]), check_sequence((beside.get("memory", shapes[0]),))
        check_sequence((memory, *([beside["mask"]] if "mask" in beside else [])))
        return (steps[0], self.declare(steps, memory))

    def forward(self, mode: Mode, *inputs: Array) -> tuple[Array, Backward]:
        """The kernel between what is made of the inputs and what becomes of the mean."""
        x, beside = inputs[0], self.named(inputs)
        memory, mask, k = beside.get("memory", x), beside.get("mask"), mode.kernels(x)
        if mask is not None and self.causal and "memory" not in beside:  # it goes on as keys and values do
            mask = mode.extended("mask", mask[:, :, None])[:, :, 0]
        terms = self.terms(mode, x, memory)
        w = None if terms.w is None else terms.w.value
        how = (w, mask, self.heads, self.causal, terms.scale)
        given = (terms.q, terms.k, terms.v)
        context = mode.output((*x.shape[:2], terms.v.shape[2]), x.dtype)
        rows = mode.empty((2, len(x), self.heads, x.shape[1]), x.dtype)
        k.attention(*given, *how, context, rows, mode.empty)
        y, finish_back = self.finish(mode, context)

        def backward(dy: Array) -> Any:
            dcontext, slopes = finish_back(dy), tuple(map(mode.like, given))
            add = terms.w is not None and terms.w.accumulates()
            dw = None if terms.w is None else terms.w.grad
            k.attention_backward(*given, *how, context, rows, dcontext, *slopes, dw, add, mode.empty)
            dx, dmemory = terms.backward(*slopes)
            back = {"memory": dmemory} if "memory" in beside else {}
            if "mask" in beside:
                back["mask"] = no_gradient(mode, beside["mask"])
            if "memory" not in beside:
                dx = k.add((dx, dmemory), mode.like(x))
            return (dx, *back.values()) if back else dx

        return y, backward

    def weights(self, mode: Mode, *inputs: Array) -> Array:
        """The weights a (N, heads, T, S) that the layer gives, which `forward` does not keep."""
        x, beside = inputs[0], self.named(inputs)
        memory, k = beside.get("memory", x), mode.kernels(x)
        terms = self.terms(mode, x, memory)
        w = None if terms.w is None else terms.w.value
        how = (w, beside.get("mask"), self.heads, self.causal, terms.scale)
        rows = mode.empty((2, len(x), self.heads, x.shape[1]), x.dtype)
        context = mode.empty((*x.shape[:2], terms.v.shape[2]), x.dtype)
        k.attention(terms.q, terms.k, terms.v, *how, context, rows, mode.empty)
        found = mode.empty((len(x), self.heads, x.shape[1], terms.k.shape[1]), x.dtype)
        made: Array = k.attention_weights(terms.q, terms.k, *how, rows, found)
        return made

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """T·S for each number of a query and of a mean, and the products with the kernels for each step."""
        steps, memory = shapes[0], self.named(shapes).get("memory", shapes[0])
        kernels = {p.name: p.size for p in self.parameters if len(p.shape) == 2}
        of_memory = sum(size for name, size in kernels.items() if name in ("key_kernel", "value_kernel"))
        return (
            2 * steps[0] * memory[0] * self.width
            + memory[0] * of_memory
            + steps[0] * (sum(kernels.values()) - of_memory)
        )


def projected(mode: Mode, x: Array, kernel: Parameter, bias: Parameter | None) -> tuple[Array, Backward]:
    """x W + b for every step, and the way back."""
    (N, T, I), k, O = x.shape, mode.kernels(x), kernel.shape[1]
    rows, y = x.reshape(N * T, I), mode.empty((N, T, O), x.dtype)
    b = None if bias is None else bias.value
    k.affine(rows, kernel.value, b, "linear", y.reshape(N * T, O), mode.empty)

    def backward(dy: Array) -> Array:
        dx, add = mode.empty((N * T, I), x.dtype), kernel.accumulates()
        db = None if bias is None else bias.grad
        if bias is not None:
            bias.fresh = False
        dz = dy.reshape(N * T, O)
        k.affine_backward(rows, kernel.value, dz, dz, kernel.grad, db, dx, "linear", add, mode.empty)
        return dx.reshape(x.shape)

    return y, backward


@register("layer", "multi_head_attention")
class MultiHeadAttention(Attention):
    """Scaled dot-product attention of several heads side by side, each of which looks for something else.

        q = x W_q + b_q, k = m W_k + b_k, v = m W_v + b_v; in head h, of width d = units / heads,
        out_h = softmax(q_h k_hᵀ / √d) v_h; y = [out_1 …] W_o + b_o
        x (N, T, D), m (N, S, M) -> (N, T, D)

    ``multi_head_attention: 4`` is self-attention: the memory m is x itself.  ``{heads: 4, with: [encoder, mask]}``
    looks at the steps of the wire `encoder` where the wire `mask` (N, S) is 1, and ``with: {mask: mask}`` at its
    own.

    Parameters:
        heads: how many there are; they divide the units
        units: width of all heads together; left out, that of x
        causal: a step sees itself and those before it
        use_bias: whether the b are there
        kernel_initializer: what fills the W at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> layer = {"multi_head_attention": {"heads": 1, "causal": True, "kernel_initializer": "identity"}}
        >>> model = build_model({"graph": {"y": [layer]}}, {"x": (2, 1)})
        >>> model.forward({"x": np.array([[[0.0], [1.0]]])})[0]["y"].round(4).tolist()  # the second: σ(1)
        [[[0.0], [0.7311000227928162]]]

    Source: Vaswani et al.: Attention is all you need, 2017; in blocks: Dao et al.: FlashAttention, 2022.
    """

    def __init__(
        self,
        heads: PositiveInt,
        units: PositiveInt | None = None,
        causal: bool = False,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
    ) -> None:
        self.heads, self.units, self.causal, self.use_bias = heads, units, causal, use_bias
        self.kernel_initializer = kernel_initializer

    def declare(self, steps: Shape, memory: Shape) -> int:
        """Four kernels and as many biases."""
        self.width = units = self.units or steps[1]
        if units % self.heads:
            raise ShapeError(f"{self.heads} heads do not divide {units} units", "units that are a multiple of heads")
        sizes = {"query": (steps[1], units), "key": (memory[1], units), "value": (memory[1], units)}
        sizes["output"] = (units, steps[1])
        self.kernels = {
            name: Parameter(f"{name}_kernel", fans, self.kernel_initializer, fans=fans, decays=True)
            for name, fans in sizes.items()
        }
        self.biases = {n: Parameter(f"{n}_bias", s[1:], "zeros") for n, s in sizes.items()} if self.use_bias else {}
        self.parameters = (*self.kernels.values(), *self.biases.values())
        return steps[1]

    def terms(self, mode: Mode, x: Array, memory: Array) -> Terms:
        """One product for each of q, k and v."""
        q, q_back = self._projected(mode, x, "query")
        k, k_back = self._projected(mode, memory, "key")
        v, v_back = self._projected(mode, memory, "value")
        if self.causal and "memory" not in self.given:
            k, v = mode.extended("keys", k), mode.extended("values", v)

        def backward(dq: Array, dk: Array, dv: Array) -> tuple[Any, Array]:
            both = (k_back(dk), v_back(dv))
            return q_back(dq), mode.kernels(memory).add(both, mode.like(memory))

        return Terms(q, k, v, None, (self.width // self.heads) ** -0.5, backward)

    def finish(self, mode: Mode, context: Array) -> tuple[Array, Backward]:
        """y = context W_o + b_o."""
        return self._projected(mode, context, "output")

    def _projected(self, mode: Mode, x: Array, name: str) -> tuple[Array, Backward]:
        return projected(mode, x, self.kernels[name], self.biases.get(name))


@register("layer", "luong_attention")
class LuongAttention(Attention):
    """Multiplicative attention: steps of a decoder look at those of an encoder.

        out_t = Σ_s a_ts m_s, a_t = softmax over s of x_t W m_sᵀ, or x_t m_sᵀ
        x (N, T, D), m (N, S, M) -> (N, T, M)

    Luong's decoder joins state and mean: ``hidden: [concat: [[], [luong_attention: {with: [encoder, mask]}]],
    dense: 128, tanh]``, where `mask` (N, S) says which steps of the encoder are no padding.

    Parameters:
        score: `general` with a trained W (D, M), or `dot`, which takes D = M
        kernel_initializer: what fills W at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> chain = [{"from": "x"}, {"luong_attention": {"score": "dot", "with": "m"}}]
        >>> model = build_model({"inputs": {"x": None, "m": None}, "graph": {"y": chain}}, {"x": (1, 1), "m": (2, 1)})
        >>> model.forward({"x": np.array([[[1.0]]]), "m": np.array([[[0.0], [1.0]]])})[0]["y"].round(4).tolist()
        [[[0.7311000227928162]]]

    Source: Luong, Pham, Manning: Effective approaches to attention-based neural machine translation, 2015.
    """

    def __init__(
        self, score: Literal["general", "dot"] = "general", kernel_initializer: Initializer = "glorot_uniform"
    ) -> None:
        self.score, self.kernel_initializer = score, kernel_initializer

    def declare(self, steps: Shape, memory: Shape) -> int:
        """W, where there is one."""
        self.width, fans = memory[1], (steps[1], memory[1])
        if self.score == "dot" and fans[0] != fans[1]:
            raise ShapeError(
                "a product takes steps as wide as those of the memory", f"{fans[1]} features", "or `general`"
            )
        self.kernel = Parameter("kernel", fans, self.kernel_initializer, fans=fans, decays=True)
        self.parameters = (self.kernel,) if self.score == "general" else ()
        return memory[1]

    def terms(self, mode: Mode, x: Array, memory: Array) -> Terms:
        """Queries x W, or x; keys and values are the memory."""
        q, q_back = projected(mode, x, self.kernel, None) if self.parameters else (x, lambda dq: dq)

        def backward(dq: Array, dk: Array, dv: Array) -> tuple[Any, Array]:
            return q_back(dq), mode.kernels(memory).add((dk, dv), mode.like(memory))

        return Terms(q, memory, memory, None, 1.0, backward)


@register("layer", "additive_attention")
class AdditiveAttention(Attention):
    """Additive attention: a small network says how well a step of a decoder and one of an encoder fit.

        out_t = Σ_s a_ts m_s, a_t = softmax over s of w · tanh(x_t W + m_s U + b)
        x (N, T, D), m (N, S, M) -> (N, T, M)

    As in `luong_attention` it is the state behind a step that asks; in Bahdanau's decoder the one before it.  A second
    recurrent layer behind it has the mean as input, as his: ``gru: 64, concat: [[], [additive_attention: {units: 32,
    with: [encoder, mask]}]], gru: 64``.

    Parameters:
        units: width of the small network
        kernel_initializer: what fills W, U and w at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> layer = {"additive_attention": {"units": 1, "kernel_initializer": "ones", "with": "m"}}
        >>> model = build_model(
        ...     {"inputs": {"x": None, "m": None}, "graph": {"y": [{"from": "x"}, layer]}}, {"x": (1, 1), "m": (2, 1)}
        ... )
        >>> m = np.array([[[-9.0], [9.0]]])  # scores -1 and 1
        >>> model.forward({"x": np.zeros((1, 1, 1)), "m": m})[0]["y"].round(4).tolist()  # 9 tanh(1)
        [[[6.854300022125244]]]

    Source: Bahdanau, Cho, Bengio: Neural machine translation by jointly learning to align and translate, 2015.
    """

    def __init__(self, units: PositiveInt, kernel_initializer: Initializer = "glorot_uniform") -> None:
        self.units, self.kernel_initializer = units, kernel_initializer

    def declare(self, steps: Shape, memory: Shape) -> int:
        """W (D, A), U (M, A), b and w (A,)."""
        self.width, fill = memory[1], self.kernel_initializer
        of_x, of_m = (steps[1], self.units), (memory[1], self.units)
        self.query = Parameter("query_kernel", of_x, fill, fans=of_x, decays=True)
        self.key = Parameter("key_kernel", of_m, fill, fans=of_m, decays=True)
        self.bias = Parameter("bias", (self.units,), "zeros")
        self.w = Parameter("score_kernel", (self.units,), fill, fans=(self.units, 1), decays=True)
        self.parameters = (self.query, self.key, self.w, self.bias)
        return memory[1]

    def terms(self, mode: Mode, x: Array, memory: Array) -> Terms:
        """Queries x W + b and keys m U; values are the memory."""
        q, q_back = projected(mode, x, self.query, self.bias)
        k, k_back = projected(mode, memory, self.key, None)

        def backward(dq: Array, dk: Array, dv: Array) -> tuple[Any, Array]:
            both: Any = (k_back(dk), dv)
            return q_back(dq), mode.kernels(memory).add(both, mode.like(memory))

        return Terms(q, k, memory, self.w, 1.0, backward)

    def multiply_adds(self, output: Shape, *shapes: Shape) -> int:
        """T·S for each number of the small network and of a mean, and the products for each step."""
        steps, memory = shapes[0], self.named(shapes).get("memory", shapes[0])
        pairs = steps[0] * memory[0] * (self.units + memory[1])
        return pairs + steps[0] * self.query.size + memory[0] * self.key.size
