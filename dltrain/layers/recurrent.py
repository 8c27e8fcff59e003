"""Recurrent layers: a state that goes through a sequence step by step."""

from __future__ import annotations

from typing import Literal

from dltrain.layers.recurrence import Recurrent
from dltrain.registry import register
from dltrain.types import Initializer, PositiveInt, Rate


@register("layer", "simple_rnn")
class SimpleRNN(Recurrent):
    """Elman's recurrent layer: the state is a dense layer of the input and of the state before.

        h_t = f(x_t W + h_{t-1} U + b), h_0 = 0        (N, T, D) -> (N, H), or (N, T, H) as a sequence

    With a mask (N, T), ``simple_rnn: {units: 8, with: mask}``, the state stays as it is where the mask is 0, so that
    padding changes nothing.  Both directions are two branches, ``concat: [[simple_rnn: 8], [simple_rnn: {units: 8,
    go_backwards: true}]]``, or `add` for their sum; deep stacks are layers one after the other.

    Parameters:
        units: width H of the state
        activation: f, tanh or relu
        return_sequences: give the states after all steps, in the order of the input, instead of the last one
        go_backwards: from the last step to the first; the last state is then that of the first step
        recurrent_dropout: share of the state's values that U does not see, the same ones in all steps of a sequence
        kernel_initializer: what fills W (D, H) at the start
        recurrent_initializer: what fills U (H, H) at the start
        bias_initializer: what fills b (H,) at the start

    Example:
        >>> import numpy as np
        >>> from dltrain import build_model
        >>> ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones", "activation": "relu"}
        >>> model = build_model({"graph": {"y": [{"simple_rnn": {"units": 1, **ones}}]}}, {"x": (3, 1)})
        >>> model.forward({"x": np.array([[[1.0], [2.0], [3.0]]])})[0]["y"].tolist()  # the sum of the sequence
        [[6.0]]

    Source: Elman: Finding structure in time, 1990; of the same dropout in all steps: Gal, Ghahramani: A theoretically
    grounded application of dropout in recurrent neural networks, 2016.
    """

    def __init__(
        self,
        units: PositiveInt,
        activation: Literal["tanh", "relu"] = "tanh",
        return_sequences: bool = False,
        go_backwards: bool = False,
        recurrent_dropout: Rate = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.cell, self.units = activation, units
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.recurrent_dropout = recurrent_dropout
        self.initializers = (kernel_initializer, recurrent_initializer, bias_initializer)


@register("layer", "gru")
class GRU(Recurrent):
    """Gated recurrent unit: an update gate z keeps the state, a reset gate r hides it from the candidate n.

        r_t = σ(x_t W_r + b_r + h_{t-1} U_r)
        z_t = σ(x_t W_z + b_z + h_{t-1} U_z)
        n_t = tanh(x_t W_n + b_n + r_t (h_{t-1} U_n + c))
        h_t = (1 - z_t) n_t + z_t h_{t-1}        (N, T, D) -> (N, H), or (N, T, H) as a sequence

    The gates lie side by side in W (D, 3H), U (H, 3H) and b (3H,) in the order r, z, n, and r is applied after the
    product, as in PyTorch and cuDNN (Keras' `reset_after`; its order is z, r, n).  PyTorch's two biases of r and z are
    one here, their sum.  Mask, directions and stacks are as in `simple_rnn`.

    Parameters:
        units: width H of the state
        return_sequences: give the states after all steps, in the order of the input, instead of the last one
        go_backwards: from the last step to the first; the last state is then that of the first step
        recurrent_dropout: share of the state's values that U does not see, the same ones in all steps of a sequence
        kernel_initializer: what fills W at the start
        recurrent_initializer: what fills U at the start
        bias_initializer: what fills b and c (1, H) at the start

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"gru": 4}]}}, {"x": (10, 3)})
        >>> model.parameters["y.0.gru.kernel"].shape, model.parameters["y.0.gru.recurrent_bias"].shape
        ((3, 12), (1, 4))

    Source: Cho et al.: Learning phrase representations using RNN encoder-decoder for statistical machine translation,
    2014.
    """

    def __init__(
        self,
        units: PositiveInt,
        return_sequences: bool = False,
        go_backwards: bool = False,
        recurrent_dropout: Rate = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.cell, self.units = "gru", units
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.recurrent_dropout = recurrent_dropout
        self.initializers = (kernel_initializer, recurrent_initializer, bias_initializer)
        self.extra = ("recurrent_bias", bias_initializer)


@register("layer", "simple_gru")
class SimpleGRU(Recurrent):
    """Gated recurrent unit with its update gate alone: without the reset gate the candidate sees the whole state.

        z_t = σ(x_t W_z + h_{t-1} U_z + b_z)
        n_t = tanh(x_t W_n + h_{t-1} U_n + b_n)
        h_t = (1 - z_t) n_t + z_t h_{t-1}        (N, T, D) -> (N, H), or (N, T, H) as a sequence

    The gates lie side by side in W (D, 2H), U (H, 2H) and b (2H,) in the order z, n.  Mask, directions and stacks are
    as in `simple_rnn`.

    Parameters:
        units: width H of the state
        return_sequences: give the states after all steps, in the order of the input, instead of the last one
        go_backwards: from the last step to the first; the last state is then that of the first step
        recurrent_dropout: share of the state's values that U does not see, the same ones in all steps of a sequence
        kernel_initializer: what fills W at the start
        recurrent_initializer: what fills U at the start
        bias_initializer: what fills b at the start

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"simple_gru": 4}]}}, {"x": (10, 3)})
        >>> model.parameters["y.0.simple_gru.kernel"].shape
        (3, 8)

    Source: Ravanelli et al.: Light gated recurrent units for speech recognition, 2018.
    """

    def __init__(
        self,
        units: PositiveInt,
        return_sequences: bool = False,
        go_backwards: bool = False,
        recurrent_dropout: Rate = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
    ) -> None:
        self.cell, self.units = "simple_gru", units
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.recurrent_dropout = recurrent_dropout
        self.initializers = (kernel_initializer, recurrent_initializer, bias_initializer)


@register("layer", "lstm")
class LSTM(Recurrent):
    """Long short-term memory: a cell c that gates i, f and o write to, forget from and read.

        i_t = σ(x_t W_i + h_{t-1} U_i + b_i)            f_t = σ(x_t W_f + h_{t-1} U_f + b_f)
        g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)         o_t = σ(x_t W_o + h_{t-1} U_o + b_o)
        c_t = f_t c_{t-1} + i_t g_t
        h_t = o_t tanh(c_t)        (N, T, D) -> (N, H), or (N, T, H) as a sequence

    The gates lie side by side in W (D, 4H), U (H, 4H) and b (4H,) in the order i, f, g, o, as in PyTorch and Keras;
    PyTorch's two biases are one here, their sum.  With peepholes p (3, H) the gates see the cell: p_i c_{t-1} is added
    in i, p_f c_{t-1} in f and p_o c_t in o.  Mask, directions and stacks are as in `simple_rnn`.

    Parameters:
        units: width H of the state
        return_sequences: give the states after all steps, in the order of the input, instead of the last one
        go_backwards: from the last step to the first; the last state is then that of the first step
        forget_bias: what b_f starts with, so that the cell remembers at first; the rest of b starts with 0
        use_peepholes: whether p is there
        recurrent_dropout: share of the state's values that U does not see, the same ones in all steps of a sequence
        kernel_initializer: what fills W at the start
        recurrent_initializer: what fills U at the start

    Example:
        >>> from dltrain import build_model
        >>> model = build_model({"graph": {"y": [{"lstm": {"units": 2, "use_peepholes": True}}]}}, {"x": (10, 3)})
        >>> model.parameters["y.0.lstm.bias"].value.tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        >>> model.parameters["y.0.lstm.peepholes"].shape
        (3, 2)

    Source: Hochreiter, Schmidhuber: Long short-term memory, 1997; forget gate: Gers, Schmidhuber, Cummins: Learning to
    forget, 2000; peepholes: Gers, Schmidhuber: Recurrent nets that time and count, 2000.
    """

    def __init__(
        self,
        units: PositiveInt,
        return_sequences: bool = False,
        go_backwards: bool = False,
        forget_bias: float = 1.0,
        use_peepholes: bool = False,
        recurrent_dropout: Rate = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
    ) -> None:
        self.cell, self.units = "lstm", units
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
        self.recurrent_dropout = recurrent_dropout
        bias = {"constant": [0.0] * units + [forget_bias] * units + [0.0] * (2 * units)}
        self.initializers = (kernel_initializer, recurrent_initializer, bias)
        self.extra = ("peepholes", "zeros") if use_peepholes else None
