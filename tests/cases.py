"""One line for each registered thing: the contract tests run every check of `checks.py` on every line.

A test fails when something is registered and has no line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer as a config writes it, and what it takes.

    Parameters:
        kind: its registered name
        arguments: as in a config
        shapes: of its inputs, without the batch axis
        tags: `random` (draws in training), `batch_coupled` (in training, a sample's output depends on the others),
            `fixed_on_extremes` (outputs are finite on extremes, gradients need not be), `not_differentiable` (its
            backward is no derivative, but a gradient by convention)
        integers: {position of an integer input: how many values it may take}
        masks: positions of inputs that are 0 or 1
    """

    kind: str
    arguments: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    tags: frozenset[str] = frozenset()
    integers: Mapping[int, int] = field(default_factory=dict)
    masks: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """For the names of tests."""
        options = ",".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.kind}({options})-{'+'.join('x'.join(map(str, shape)) for shape in self.shapes)}"


def layer(kind: str, *shapes: Shape, tags: str = "", **arguments: Any) -> Layer:
    """A line of the table."""
    return Layer(kind, arguments, shapes, frozenset(tags.split()))


def masked(kind: str, *shapes: Shape, tags: str = "", **arguments: Any) -> Layer:
    """A line whose second input is a mask."""
    return Layer(kind, arguments, shapes, frozenset(tags.split()), masks=frozenset({1}))


def attending(kind: str, steps: Shape, memory: Shape, **arguments: Any) -> Layer:
    """A line whose second input is what it attends to, and whose third is the mask of that."""
    return Layer(kind, arguments, (steps, memory, memory[:1]), masks=frozenset({2}))


def of_tokens(kind: str, vocabulary: int, steps: int, **arguments: Any) -> Layer:
    """A line whose input is tokens."""
    return Layer(kind, arguments, ((steps,),), integers={0: vocabulary})


LAYERS = [
    layer("crf", (4, 3)),
    masked("crf", (4, 3), (4,)),
    layer("dense", (4,), units=3),
    layer("dense", (1,), units=1),
    layer("dense", (7,), units=5, use_bias=False),
    layer("dense", (33,), units=17, kernel_initializer="glorot_uniform", bias_initializer={"normal": 0.5}),
    layer("dense", (3, 4), units=2),
    layer("dense", (2, 5), units=6, use_bias=False),
    layer("linear", (6,)),
    layer("sigmoid", (6,)),
    layer("sigmoid", (2, 3, 2)),
    layer("tanh", (6,)),
    layer("tanh", (3, 4)),
    layer("relu", (6,)),
    layer("relu", (3, 3, 2)),
    layer("leaky_relu", (6,)),
    layer("leaky_relu", (2, 4), negative_slope=0.3),
    layer("relu6", (6,)),
    layer("relu6", (3, 4)),
    layer("elu", (6,)),
    layer("elu", (3, 2), alpha=0.3),
    layer("selu", (6,)),
    layer("gelu", (6,)),
    layer("gelu", (2, 3), approximate=True),
    layer("softplus", (6,)),
    layer("swish", (6,)),
    layer("swish", (2, 3), beta=-1.7),
    layer("hard_sigmoid", (6,)),
    layer("hard_tanh", (6,)),
    layer("sign", (6,), tags="not_differentiable"),
    layer("step", (6,), tags="not_differentiable"),
    layer("step", (2, 3), tags="not_differentiable"),
    layer("prelu", (6,)),
    layer("prelu", (3, 2, 4), alpha_initializer={"uniform": 0.5}),
    layer("log_softmax", (5,)),
    layer("log_softmax", (3, 4)),
    layer("log_softmax", (1,)),
    layer("softmax", (5,)),
    layer("softmax", (3, 4)),
    layer("softmax", (1,)),
    layer("dropout", (40,), rate=0.4, tags="random"),
    layer("dropout", (5, 4, 2), rate=0.75, tags="random"),
    layer("dropout", (6,), rate=0.0),
    layer("spatial_dropout", (2, 3, 40), rate=0.4, tags="random"),
    layer("spatial_dropout", (40,), rate=0.75, tags="random"),
    layer("spatial_dropout", (6, 2), rate=0.0),
    layer("stochastic_depth", (5, 2), rate=0.5, tags="random"),
    layer("stochastic_depth", (3,), rate=0.0),
    layer("alpha_dropout", (40,), rate=0.4, tags="random"),
    layer("alpha_dropout", (6,), rate=0.0),
    layer("gaussian_noise", (5,), stddev=0.4, tags="random"),
    layer("gaussian_noise", (5, 4, 2), stddev=2.0, tags="random"),
    layer("gaussian_noise", (6,), stddev=0.0),
    layer("layer_norm", (6,)),
    layer("layer_norm", (3, 4), epsilon=0.1),
    layer("layer_norm", (3, 2, 5), center=False),
    layer("layer_norm", (4,), scale=False),
    layer("layer_norm", (4,), center=False, scale=False),
    layer("layer_norm", (1,)),
    layer("group_norm", (6,), groups=2),
    layer("group_norm", (4, 3, 6), groups=3),
    layer("group_norm", (3, 8), groups=1, epsilon=0.1, center=False),
    layer("group_norm", (2, 3, 2, 4), groups=2, scale=False),
    layer("group_norm", (3, 2), groups=2, center=False, scale=False),
    layer("instance_norm", (4, 3, 2)),
    layer("instance_norm", (6, 3), epsilon=0.1, center=False),
    layer("instance_norm", (2, 2, 3, 1), scale=False),
    layer("local_response_norm", (3, 2), size=9, alpha=0.5),
    layer("local_response_norm", (4,), size=1, bias=0.5, beta=1.5),
    layer("l2_normalization", (4,)),
    layer("l2_normalization", (3, 4), epsilon=2.0),
    layer("local_response_norm", (2, 3, 6), alpha=0.9),
    layer("local_response_norm", (3,), size=4, alpha=2.0, beta=0.5, bias=2.0),
    layer("batch_norm", (4,), tags="batch_coupled"),
    layer("batch_norm", (3, 4), tags="batch_coupled"),
    layer("batch_norm", (3, 3, 2), momentum=0.5, epsilon=0.1, tags="batch_coupled"),
    layer("batch_norm", (4,), center=False, tags="batch_coupled"),
    layer("batch_norm", (4,), scale=False, tags="batch_coupled"),
    layer("batch_norm", (4,), center=False, scale=False, tags="batch_coupled"),
    layer("flatten", (4,)),
    layer("flatten", (3, 2)),
    layer("flatten", (2, 3, 2)),
    layer("reshape", (6,), target_shape=[2, 3]),
    layer("reshape", (2, 3, 2), target_shape=[-1, 4]),
    layer("maxout", (4,), units=3),
    layer("maxout", (5,), units=2, pieces=4, use_bias=False),
    layer("maxout", (3, 4), units=2, pieces=3),
    layer("maxout", (4,), units=3, pieces=1),
    layer("multiply", (4,), (4,)),
    layer("multiply", (2, 3), (2, 3), (2, 3)),
    layer("multiply", (3, 2, 4), (4,)),
    layer("multiply", (4,), (3, 4), (4,), (3, 4)),
    layer("add", (4,), (4,)),
    layer("add", (2, 3), (2, 3), (2, 3)),
    layer("concat", (4,), (2,)),
    layer("concat", (2, 3), (2, 1), (2, 4)),
    layer("max_pool", (4, 6, 3)),
    layer("max_pool", (7, 2), pool_size=3, strides=2, padding="same"),
    layer("max_pool", (5, 5, 2), pool_size=3, strides=2, padding=1, ceil_mode=True),
    layer("max_pool", (3, 4, 3, 2), pool_size=[2, 3, 2], strides=1),
    layer("avg_pool", (4, 6, 3)),
    layer("avg_pool", (7, 2), pool_size=3, strides=2, padding="same"),
    layer("avg_pool", (5, 4, 2), pool_size=3, strides=2, padding=[1, 0], count_include_pad=True, ceil_mode=True),
    layer("avg_pool", (3, 4, 3, 2), pool_size=[2, 3, 2], strides=1),
    layer("lp_pool", (4, 4, 2)),
    layer("lp_pool", (5, 2), pool_size=3, power=3.0, strides=2, padding=1),
    layer("global_max_pool", (3, 4, 2)),
    layer("global_max_pool", (5, 3)),
    layer("global_avg_pool", (3, 4, 2)),
    layer("global_avg_pool", (5, 3)),
    layer("up_sample", (2, 3, 2)),
    layer("up_sample", (3, 2, 2), size=[2, 3], interpolation="bilinear"),
    layer("up_sample", (1, 2), size=5, interpolation="bilinear"),
    layer("up_sample", (2, 1, 2, 2), size=2, interpolation="bilinear"),
    layer("max_unpool", (2, 3, 2), (4, 6, 2)),
    layer("max_unpool", (3, 2), (5, 2), pool_size=3, strides=2, padding=1),
    layer("zero_padding", (2, 3, 2)),
    layer("zero_padding", (3, 2), padding=[[0, 2]]),
    layer("reflect_padding", (3, 2, 2)),
    layer("reflect_padding", (4, 2), padding=[[3, 0]]),
    layer("cropping", (4, 3, 2)),
    layer("cropping", (5, 2), cropping=[[0, 2]]),
    layer("pixel_shuffle", (2, 3, 8)),
    layer("pixel_shuffle", (4, 6), size=3),
    layer("pixel_shuffle", (2, 2, 1, 12), size=[2, 3, 1]),
    layer("conv", (5, 4, 2), filters=3),
    layer("conv", (5, 6, 2), filters=2, kernel_size=[2, 4], use_bias=False),
    layer("conv", (6, 5, 1), filters=3, kernel_size=[3, 2], strides=2),
    layer("conv", (7, 6, 2), filters=2, strides=[3, 2], padding="valid"),
    layer("conv", (4, 5, 2), filters=2, kernel_size=[3, 1], padding=[2, 1], strides=[2, 1]),
    layer("conv", (7, 6, 2), filters=2, dilation_rate=[2, 3]),
    layer("conv", (6, 7, 1), filters=2, kernel_size=2, dilation_rate=[3, 2], strides=[2, 3], padding=1),
    layer("conv", (4, 4, 4), filters=6, groups=2, bias_initializer={"normal": 0.5}),
    layer("conv", (4, 3, 3), filters=6, groups=3, kernel_size=2, use_bias=False),
    layer("conv", (5, 4, 6), filters=6, groups=6, strides=[2, 1]),
    layer("conv", (3, 3, 4), filters=5, kernel_size=1),
    layer("conv", (4, 5, 3), filters=2, kernel_size=1, strides=[2, 3]),
    layer("conv", (1, 1, 2), filters=1, kernel_size=5),
    layer("conv", (9, 3), filters=2),
    layer("conv", (8, 2), filters=3, kernel_size=4, strides=3, dilation_rate=2, padding=3),
    layer("conv", (3, 4, 3, 2), filters=2, kernel_size=[2, 3, 1]),
    layer("conv", (4, 3, 4, 2), filters=2, kernel_size=2, strides=[2, 1, 2], padding="valid", groups=2),
    layer("depthwise_conv", (5, 4, 3)),
    layer("depthwise_conv", (5, 4, 2), kernel_size=[3, 2], strides=2, depth_multiplier=3, use_bias=False),
    layer("depthwise_conv", (6, 1), dilation_rate=2, padding="valid"),
    layer("depthwise_conv", (3, 2, 3, 2), kernel_size=2),
    layer("separable_conv", (5, 4, 3), filters=2),
    layer("separable_conv", (5, 6, 2), filters=3, strides=2, depth_multiplier=2, padding="valid", use_bias=False),
    layer("separable_conv", (7, 2), filters=3, kernel_size=2, dilation_rate=2, bias_initializer={"normal": 0.5}),
    layer("separable_conv", (3, 2, 3, 2), filters=2, kernel_size=[1, 2, 3]),
    layer("fixed_filter", (4, 5, 3), filter="sobel_x"),
    layer("fixed_filter", (5, 4, 1), filter="gaussian", strides=2, padding="valid"),
    layer("fixed_filter", (4, 3, 2), filter=[[1.0, -0.5]], strides=[1, 2], padding=1),
    layer("conv_transpose", (3, 4, 2), filters=3),
    layer("conv_transpose", (3, 2, 3), filters=2, kernel_size=4, strides=2, use_bias=False),
    layer("conv_transpose", (2, 3, 2), filters=3, kernel_size=[3, 2], strides=[2, 3], padding="valid"),
    layer("conv_transpose", (3, 3, 2), filters=2, strides=2, padding=1, output_padding=[1, 0]),
    layer("conv_transpose", (3, 3, 1), filters=2, kernel_size=2, strides=3, dilation_rate=[2, 1], padding=[1, 0]),
    layer("conv_transpose", (3, 2, 4), filters=6, groups=2, strides=2, bias_initializer={"normal": 0.5}),
    layer("conv_transpose", (3, 2, 3), filters=3, groups=3),
    layer("conv_transpose", (2, 2, 3), filters=2, kernel_size=1, strides=2),
    layer("conv_transpose", (4, 3), filters=2, kernel_size=5, strides=2, padding=2, output_padding=1),
    layer("conv_transpose", (2, 3, 2, 2), filters=2, kernel_size=[2, 3, 2], strides=[2, 1, 2]),
    layer("simple_rnn", (4, 3), units=5),
    layer("simple_rnn", (3, 2), units=4, activation="relu", return_sequences=True, go_backwards=True),
    masked("simple_rnn", (5, 2), (5,), units=3, return_sequences=True),
    layer("simple_rnn", (4, 2), units=20, recurrent_dropout=0.5, tags="random"),
    layer("gru", (4, 3), units=5, bias_initializer={"normal": 0.5}),
    layer("gru", (3, 2), units=4, return_sequences=True, go_backwards=True),
    masked("gru", (5, 2), (5,), units=3),
    masked("gru", (4, 2), (4,), units=20, recurrent_dropout=0.5, return_sequences=True, tags="random"),
    layer("simple_gru", (4, 3), units=5, return_sequences=True),
    masked("simple_gru", (5, 2), (5,), units=3, go_backwards=True),
    layer("simple_gru", (4, 2), units=20, recurrent_dropout=0.5, tags="random"),
    layer("lstm", (4, 3), units=5),
    layer("lstm", (1, 1), units=1, forget_bias=0.0),
    layer("lstm", (3, 2), units=4, use_peepholes=True, return_sequences=True, go_backwards=True),
    masked("lstm", (5, 2), (5,), units=3, return_sequences=True),
    masked("lstm", (5, 2), (5,), units=3, use_peepholes=True),
    masked("simple_rnn", (4, 2), (4,), (3,), units=3, return_sequences=True),
    masked("gru", (4, 2), (4,), (3,), units=3),
    masked("lstm", (4, 2), (4,), (3,), units=3, return_sequences=True),
    masked("lstm", (4, 2), (4,), (6,), units=3, go_backwards=True),
    layer("lstm", (4, 2), units=20, recurrent_dropout=0.5, return_sequences=True, tags="random"),
    layer("multi_head_attention", (4, 6), heads=2),
    layer("multi_head_attention", (5, 4), heads=1, causal=True, use_bias=False),
    layer("multi_head_attention", (3, 3), (6, 2), heads=3, units=6, causal=True),
    attending("multi_head_attention", (3, 4), (5, 2), heads=2, units=8),
    attending("luong_attention", (3, 4), (5, 2)),
    layer("luong_attention", (3, 4), (2, 4), score="dot"),
    layer("luong_attention", (4, 3)),
    attending("additive_attention", (3, 4), (5, 2), units=6),
    layer("additive_attention", (4, 3), units=5),
    of_tokens("embedding", 6, 4, vocabulary_size=6, units=3),
    of_tokens("embedding", 5, 3, vocabulary_size=5, units=2, padding=0),
    layer("position_embedding", (4, 3)),
    layer("sinusoidal_positions", (4, 3)),
    of_tokens("padding_mask", 2, 5),
    layer("padding_mask", (4, 3)),
    layer("last_step", (4, 3)),
    masked("last_step", (4, 3), (4,)),
    masked("masked_mean", (4, 3), (4,)),
    masked("masked_max", (4, 3), (4,)),
]

# Layers of `example_layers.py`, which are not registered for good.
EXAMPLES = [
    layer("example_conv", (5, 4, 2), filters=3),
    layer("example_conv", (5, 4, 2), filters=2, strides=2),
    Layer("example_embedding", {"vocabulary": 6, "width": 3}, ((4,),), integers={0: 6}),
    Layer("example_masked_mean", {}, ((4, 3), (4,)), masks=frozenset({1})),
]


@dataclass(frozen=True)
class Loss:
    """A loss: the shape of its outputs without the batch axis, and what its targets are (labels, binary, values)."""

    name: str
    shape: Shape
    targets: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        """As a config writes it."""
        return {self.name: dict(self.arguments)}


LOSSES = [
    Loss("softmax_cross_entropy", (3,), "labels"),
    Loss("softmax_cross_entropy", (2,), "labels"),
    Loss("softmax_cross_entropy", (20,), "labels"),
    Loss("binary_cross_entropy", (1,), "binary"),
    Loss("binary_cross_entropy", (3,), "binary"),
    Loss("mean_squared_error", (1,), "values"),
    Loss("mean_squared_error", (4,), "values"),
    Loss("softmax_cross_entropy", (4,), "labels", {"label_smoothing": 0.2}),
    Loss("binary_cross_entropy", (4,), "labels"),
    Loss("binary_cross_entropy", (3,), "binary", {"label_smoothing": 0.1}),
    Loss("mean_squared_error", (4,), "labels"),
    Loss("quadratic", (4,), "values"),
    Loss("quadratic", (1,), "values"),
    Loss("quadratic", (3,), "labels"),
    Loss("mean_absolute_error", (4,), "values"),
    Loss("huber", (4,), "values"),
    Loss("huber", (3,), "values", {"delta": 0.3}),
    Loss("hinge", (1,), "binary"),
    Loss("hinge", (4,), "labels"),
    Loss("squared_hinge", (3,), "binary"),
    Loss("squared_hinge", (2,), "labels"),
    Loss("focal", (4,), "labels"),
    Loss("focal", (3,), "binary", {"gamma": 1.5}),
    Loss("focal", (3,), "labels", {"gamma": 0.5}),
    Loss("focal", (2,), "labels", {"gamma": 0.0}),
    Loss("crf", (9, 4), "tags"),  # 3 steps and 4 tags
    Loss("crf", (5, 2), "tags"),
]

# {name: spec}: every kind has its checks in test_contracts.py; parity with plain transcriptions of the papers and with
# PyTorch over 100 steps is in test_optim.py.
OPTIMIZERS = {
    "gradient_descent": {"gradient_descent": {"learning_rate": 0.1}},
    "momentum": {"momentum": {"learning_rate": 0.05, "nesterov": True}},
    "rmsprop": {"rmsprop": {"learning_rate": 0.05, "clip_norm": 1.0}},
    "adam": {"adam": {"learning_rate": {"warmup": {"learning_rate": 0.1, "length": 3, "per": "step"}}}},
    "adamw": {"adamw": {"learning_rate": 0.1, "weight_decay": 0.01}},
    "averaged_momentum": {"averaged_momentum": {"learning_rate": 0.2, "bias_correction": True}},
    "adagrad": {"adagrad": {"learning_rate": 1.0, "clip_value": 1.0}},
    "adadelta": {"adadelta": {"learning_rate": 20.0}},
    "amsgrad": {"amsgrad": {"learning_rate": {"cosine": 0.2}, "beta_2": 0.9}},
    "nadam": {"nadam": {"learning_rate": 0.1, "clip_each_norm": 1.0}},
    "radam": {"radam": {"learning_rate": 0.2, "beta_2": 0.9}},
    "adamax": {"adamax": {"learning_rate": 0.1, "beta_1": {"polynomial": {"learning_rate": 0.5, "floor": 0.9}}}},
    "lion": {"lion": {"learning_rate": {"polynomial": 0.1}, "weight_decay": 0.1}},
}
SCHEDULES = {
    "constant": {"constant": 0.1},
    "inverse_time": {"inverse_time": {"learning_rate": 0.1, "decay_rate": 0.2}},
    "exponential": {"exponential": {"learning_rate": 0.1, "decay_rate": 0.9}},
    "staircase": {"staircase": {"learning_rate": 0.1, "decay_rate": 0.5, "every": 2}},
    "cosine": {"cosine": {"learning_rate": 0.1, "floor": 0.01, "length": 5}},
    "warmup": {"warmup": {"learning_rate": {"cosine": {"learning_rate": 0.1, "length": 8}}, "length": 2}},
    "inverse_sqrt": {"inverse_sqrt": {"learning_rate": 0.1, "per": "step"}},
    "piecewise": {"piecewise": {"values": [0.1, 0.02, 0.05], "boundaries": [2, 5]}},
    "polynomial": {"polynomial": {"learning_rate": 0.1, "power": 0.5}},
    "cosine_restarts": {"cosine_restarts": {"learning_rate": 0.1, "length": 2, "growth": 3}},
    "one_cycle": {"one_cycle": 0.1},
    "reduce_on_plateau": {"reduce_on_plateau": {"learning_rate": 0.1, "patience": 2}},
}
# {name: (spec, variance as a function of fan in and fan out, mean, or a function too)}
INITIALIZERS = {
    "constant": ({"constant": 0.25}, lambda i, o: 0.0, 0.25),
    "zeros": ("zeros", lambda i, o: 0.0, 0.0),
    "ones": ("ones", lambda i, o: 0.0, 1.0),
    "normal": ({"normal": 0.2}, lambda i, o: 0.04, 0.0),
    "truncated_normal": ({"truncated_normal": 0.2}, lambda i, o: 0.04 * 0.7737, 0.0),
    "uniform": ({"uniform": 0.3}, lambda i, o: 0.03, 0.0),
    "orthogonal": ({"orthogonal": 2.0}, lambda i, o: 4 / max(i, o), 0.0),
    "identity": ({"identity": 3.0}, lambda i, o: 9 / max(i, o) * (1 - 1 / max(i, o)), lambda i, o: 3 / max(i, o)),
    "lecun_normal": ("lecun_normal", lambda i, o: 1 / i, 0.0),
    "lecun_uniform": ("lecun_uniform", lambda i, o: 1 / i, 0.0),
    "glorot_normal": ("glorot_normal", lambda i, o: 2 / (i + o), 0.0),
    "glorot_uniform": ("glorot_uniform", lambda i, o: 2 / (i + o), 0.0),
    "he_normal": ("he_normal", lambda i, o: 2 / i, 0.0),
    "he_uniform": ("he_uniform", lambda i, o: 2 / i, 0.0),
}
# {name: (spec, the best value it can take, whether larger is better)}; values against scikit-learn in test_metrics.py
METRICS = {
    "mean_iou": ("mean_iou", 1.0, True),
    "dice": ("dice", 1.0, True),
    "loss": ("loss", 0.0, False),
    "accuracy": ("accuracy", 1.0, True),
    "span_f1": ("span_f1", 1.0, True),
    "precision": ({"precision": "macro"}, 1.0, True),
    "recall": ({"recall": "micro"}, 1.0, True),
    "f1": ({"f1": "weighted"}, 1.0, True),
    "r2": ("r2", 1.0, True),
    "mean_squared_error": ("mean_squared_error", 0.0, False),
    "mean_absolute_error": ("mean_absolute_error", 0.0, False),
    "root_mean_squared_error": ("root_mean_squared_error", 0.0, False),
    "specificity": ("specificity", 1.0, True),
    "balanced_accuracy": ("balanced_accuracy", 1.0, True),
    "matthews_correlation": ("matthews_correlation", 1.0, True),
    "cohen_kappa": ("cohen_kappa", 1.0, True),
    "hamming_loss": ("hamming_loss", 0.0, False),
    "subset_accuracy": ("subset_accuracy", 1.0, True),
    "top_k_accuracy": ({"top_k_accuracy": 2}, 1.0, True),
    "log_loss": ("log_loss", 0.0, False),
    "brier_score": ("brier_score", 0.0, False),
    "calibration_error": ("calibration_error", 0.0, False),
    "roc_auc": ({"roc_auc": "weighted"}, 1.0, True),
    "average_precision": ("average_precision", 1.0, True),
    "milliseconds_per_sample": ("milliseconds_per_sample", 0.0, False),
    "perplexity": ("perplexity", 1.0, False),
    "bits_per_character": ("bits_per_character", 0.0, False),
    "token_accuracy": ("token_accuracy", 1.0, True),
}
REGULARIZERS = {"l1": {"l1": 0.3}, "l2": {"l2": 0.2}}
CONSTRAINTS = {
    "max_norm": {"max_norm": 1.5},
    "unit_norm": "unit_norm",
    "non_neg": "non_neg",
}
AVERAGES = {"ema": {"ema": 0.9}, "swa": {"swa": {"start": 1}}}
SPLITS = {
    "random": {"random": {"validation": 0.2, "test": 0.25}},
    "stratified": {"stratified": {"validation": 0.2, "test": 30}},
    "chronological": {"chronological": {"validation": 0.2, "test": 0.25}},
    "grouped": {"grouped": {"validation": 0.2, "test": 0.25}},
}
PREPARATIONS: dict[str, Any] = {
    "scale": {"scale": 16.0},
    "standardize": "standardize",
    "min_max": {"min_max": {"low": -1}},
    "log1p": "log1p",
    "impute": {"impute": {"strategy": "median"}},
    "one_hot": {"one_hot": {"columns": ["f0"]}},
    "polynomial": {"polynomial": 3},
    "pca": {"pca": 3},
    "whiten": "whiten",
    "log_mel": {"log_mel": {"bands": 8}},
}
SHAPED = {"log_mel": [(400, 1)]}  # the shapes of an example where a preparation does not take any
AUGMENTATIONS: dict[str, Any] = {
    "horizontal_flip": "horizontal_flip",
    "vertical_flip": "vertical_flip",
    "shift": {"shift": {"height": 0.3, "border": "nearest"}},
    "random_crop": {"random_crop": 2},
    "resized_crop": {"resized_crop": 0.4},
    "rotation": {"rotation": 40},
    "zoom": {"zoom": 0.3},
    "shear": {"shear": 20},
    "elastic": {"elastic": {"alpha": 10, "sigma": 2, "border": "zero"}},
    "brightness": {"brightness": 0.4},
    "contrast": {"contrast": 0.4},
    "saturation": {"saturation": 0.4},
    "hue": {"hue": 0.2},
    "channel_shift": "channel_shift",
    "pca_color": {"pca_color": 2},
    "gaussian_noise": "gaussian_noise",
    "blur": "blur",
    "erasing": "erasing",
    "mix_up": {"mix_up": 1.0},
    "cut_mix": "cut_mix",
}
# {name: (spec, what its targets are)}; the files they read are written by test_contracts.py
NAMES = {"trigger": "high_*", "others": "low_*", "backgrounds": "low_*"}
SOURCES = {
    "shapes": ({"shapes": {"samples": 20, "size": 16}}, "masks"),
    "mask_folder": ({"mask_folder": "segmented"}, "masks"),
    "csv": ({"csv": {"path": "a.csv", "target": "label"}}, "classes"),
    "npz": ({"npz": "a.npz"}, "classes"),
    "hdf5": ({"hdf5": "a.h5"}, "classes"),
    "idx": ({"idx": {"images": "images.idx", "labels": "labels.idx"}}, "classes"),
    "digits": ("digits", "classes"),
    "iris": ("iris", "classes"),
    "wine": ("wine", "classes"),
    "breast_cancer": ("breast_cancer", "binary"),
    "diabetes": ("diabetes", "values"),
    "linnerud": ("linnerud", "values"),
    "moons": ({"moons": 100}, "binary"),
    "circles": ({"circles": {"samples": 100, "noise": 0.1}}, "classes"),
    "spirals": ({"spirals": {"samples": 120, "classes": 3}}, "classes"),
    "mat": ({"mat": "a.mat"}, "classes"),
    "cifar": ({"cifar": {"path": "a.bin", "test_path": ["b.bin"]}}, "classes"),
    "image_folder": ({"image_folder": {"path": "pictures", "size": [4, 3]}}, "classes"),
    "planar_flower": ({"planar_flower": {"samples": 101, "waves": 3}}, "binary"),
    "linear_regression": ({"linear_regression": {"samples": 60, "features": 3}}, "values"),
    "polynomial_regression": ({"polynomial_regression": 60}, "values"),
    "logic": ({"logic": {"gate": "xor", "samples": 40, "noise": 0.1}}, "binary"),
    "sounds": ({"sounds": {"path": "sounds", "label": "{label}_*"}}, "classes"),
    "sound_mix": ({"sound_mix": {"path": "sounds", "samples": 12, "seconds": 0.5, "steps": 20, **NAMES}}, "steps"),
    "text": ({"text": {"path": "a.txt", "steps": 9}}, "tokens"),
    "text_folder": ({"text_folder": {"path": "texts", "max_length": 5}}, "classes"),
    "text_table": ({"text_table": {"path": "texts.tsv", "vocabulary": "characters"}}, "classes"),
    "text_files": ({"text_files": {"classes": {"a": "a.lines", "b": "b.lines"}}}, "classes"),
    "conll": ({"conll": {"path": "a.conll"}}, "tags"),
    "tagged_lines": ({"tagged_lines": "a.iob"}, "tags"),
    "text_lines": ({"text_lines": {"path": "a.txt"}}, "tokens"),
    "parallel_text": ({"parallel_text": {"path": "a.txt", "target_path": "a.txt", "max_length": 5}}, "pairs"),
    "dates": ({"dates": 40}, "pairs"),
    "series": ({"series": {"path": "a.csv", "target": 0, "window": 4, "horizon": 2}}, "values"),
}
TASKS = {
    "classification": 3,
    "binary_classification": 1,
    "regression": 2,
    "multi_label": 4,
    "multi_task": 10,
    "language_model": 5,
    "sequence_to_sequence": 6,
    "event_detection": 1,
    "segmentation": 3,
    "tagging": 3,
}  # width of the last layer in the tests
HOOKS = {"early_stopping": {"early_stopping": {"patience": 2}}, "tensorboard": "tensorboard"}
EXPLORATIONS: dict[str, Any] = {
    "pca": {"pca": 2},
    "tsne": {"tsne": {"perplexity": 8, "max_iter": 250}},
    "k_means": {"k_means": 4},
    "gaussian_mixture": {"gaussian_mixture": {"max_components": 3, "covariance_types": ["full", "spherical"]}},
}
VIEWS: dict[str, Any] = {
    "filters": {"filters": 3},
    "activations": {"activations": 2},
    "saliency": {"saliency": {"samples": 3}},
    "occlusion": {"occlusion": {"size": 2, "stride": 1}},
    "grad_cam": "grad_cam",
    "maximize": {"maximize": {"steps": 12, "jitter": 1, "most": 2}},
    "class_map": {"class_map": 2},
    "attention": {"attention": 1},
}

# {name: spec}; equality with scikit-learn called by hand is in test_baselines.py
BASELINES = {
    "dummy": "dummy",
    "gaussian_naive_bayes": {"gaussian_naive_bayes": 1e-6},
    "multinomial_naive_bayes": {"multinomial_naive_bayes": 0.5},
    "bernoulli_naive_bayes": {"bernoulli_naive_bayes": {"alpha": 0.5, "binarize": 0.1}},
    "k_nearest_neighbors": {"k_nearest_neighbors": {"n_neighbors": 4, "weights": "distance", "p": 1.5}},
    "svm": {"svm": {"C": 3, "kernel": "poly", "degree": 2, "gamma": 0.05, "coef0": 1}},
    "linear_regression": "linear_regression",
    "ridge": {"ridge": 0.3},
    "lasso": {"lasso": {"alpha": 0.01, "max_iter": 5000}},
    "logistic_regression": {"logistic_regression": {"C": 0.5, "max_iter": 500}},
    "decision_tree": {"decision_tree": {"max_depth": 5, "min_samples_leaf": 2, "ccp_alpha": 0.001}},
    "random_forest": {"random_forest": {"n_estimators": 7, "max_features": 0.5}},
    "gradient_boosting": {"gradient_boosting": {"max_iter": 7, "max_leaf_nodes": 5, "min_samples_leaf": 3}},
}

# Dimensions of a sweep: the specification, and the smallest and the largest value (of a choice, all).
DIMENSIONS: dict[str, tuple[Any, list[Any]]] = {
    "choice": ({"choice": ["adam", {"sgd": 0.1}, None, 3]}, ["adam", {"sgd": 0.1}, None, 3]),
    "integer": ({"integer": [-2, 5]}, [-2, 5]),
    "log_integer": ({"log_integer": [1, 300]}, [1, 300]),
    "uniform": ({"uniform": [-0.5, 0.3]}, [-0.5, 0.3]),
    "log_uniform": ({"log_uniform": [3e-7, 2.0]}, [3e-7, 2.0]),
    "one_minus_log": ({"one_minus_log": [0.8, 0.99999]}, [0.8, 0.99999]),
    "quantised": ({"quantised": {"bounds": [0.1, 0.75], "step": 0.2}}, [0.1, 0.7]),
}

SAMPLERS: dict[str, Any] = {
    "random": "random",
    "grid": {"grid": 3},
    "sobol": "sobol",
    "coarse_to_fine": {"coarse_to_fine": {"points": 6, "keep": 0.3}},
    "tpe": {"tpe": 4},
    "cma_es": "cma_es",
}

PRUNERS: dict[str, Any] = {
    "successive_halving": {"successive_halving": {"epochs": 2, "reduction": 2}},
    "hyperband": {"hyperband": {"epochs": 2, "reduction": 2}},
}

# Rules that say something of a healthy network too: that a trial went well, or does not fit.
TRIALS = (
    *("initial_loss", "overfits_one_batch", "inputs_matter", "shuffled_labels", "gradients", "validation_pass"),
    "checkpoint_round_trip",
)
RULES = dict.fromkeys(
    (
        *("bias_before_batch_norm", "dropout_before_batch_norm", "glorot_with_relu", "equal_units", "vanishing_depth"),
        *("activation_before_loss", "squared_error_on_classes", "learning_rate_range", "tiny_batches", "no_shuffle"),
        *("decay_without_effect", "flips_of_digits", "few_validation_examples", "stops_by_training"),
        *("accuracy_of_rare_classes", "unscaled_inputs", "unscaled_targets", *TRIALS),
    )
)
DIAGNOSES = dict.fromkeys(
    (
        *("avoidable_bias", "variance", "data_mismatch", "overfitted_validation", "diverged", "rough_loss"),
        *("slow_start", "still_improving", "plateau", "overtrained", "dead_units", "saturated_units"),
        *("vanishing_gradients", "exploding_gradients", "units_alike"),
        *("vanishing_through_time", "exploding_through_time", "saturated_gates"),
    )
)
LINTS = dict.fromkeys(
    (
        *("duplicates_across_parts", "duplicates_within_parts", "contradicting_labels", "near_duplicates"),
        *("rare_classes", "constant_columns", "id_like_columns", "leaking_columns", "shifted_columns"),
        *("shifted_classes", "doubtful_labels"),
    )
)
# {name: spec of a vocabulary}; byte pairs need a few words to merge
VOCABULARIES: dict[str, Any] = {
    "characters": {"characters": {"lower_case": True}},
    "words": {"words": {"min_count": 2, "size": 5}},
    "byte_pairs": {"byte_pairs": {"size": 270}},
}
OTHERS: dict[str, Mapping[str, Any]] = {
    "pruner": PRUNERS,
    "dimension": DIMENSIONS,
    "sampler": SAMPLERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "initializer": INITIALIZERS,
    "metric": METRICS,
    "baseline": BASELINES,
    "regularizer": REGULARIZERS,
    "constraint": CONSTRAINTS,
    "average": AVERAGES,
    "split": SPLITS,
    "preparation": PREPARATIONS,
    "augmentation": AUGMENTATIONS,
    "source": SOURCES,
    "vocabulary": VOCABULARIES,
    "task": TASKS,
    "hook": HOOKS,
    "exploration": EXPLORATIONS,
    "view": VIEWS,
    "rule": RULES,
    "diagnosis": DIAGNOSES,
    "lint": LINTS,
}
