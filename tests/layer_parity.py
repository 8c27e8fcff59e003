"""Every layer as a line: what a config writes, and the shapes of its inputs without the batch axis.

`fixtures/make_layer_fixtures.py` computes them in PyTorch, `test_layers.py` compares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SIZE = 6  # of the batch
TRAINED = ("batch_norm",)  # compared in training, the others as in use


class Case(NamedTuple):
    """One layer.

    Parameters:
        spec: as a config writes it
        shapes: of its inputs
        spread: of the inputs, which lie between -spread and spread
    """

    spec: Any
    shapes: tuple[tuple[int, ...], ...] = ((7,),)
    spread: float = 3.0


CASES: dict[str, Case] = {
    "dense": Case({"dense": 4}, ((5,),)),
    "dense_of_sequence": Case({"dense": {"units": 3, "use_bias": False}}, ((4, 5),)),
    "maxout": Case({"maxout": {"units": 4, "pieces": 3}}, ((5,),)),
    "maxout_of_sequence": Case({"maxout": {"units": 2, "use_bias": False}}, ((3, 4),)),
    "linear": Case("linear"),
    "sigmoid": Case("sigmoid", spread=12.0),
    "tanh": Case("tanh", spread=12.0),
    "relu": Case("relu"),
    "leaky_relu": Case({"leaky_relu": 0.2}),
    "relu6": Case("relu6", ((4, 5),), spread=9.0),
    "elu": Case("elu", spread=9.0),
    "elu_alpha": Case({"elu": 0.3}, ((2, 3),)),
    "selu": Case("selu", spread=9.0),
    "gelu": Case("gelu", ((40,),), spread=6.0),
    "gelu_tanh": Case({"gelu": {"approximate": True}}, ((40,),), spread=6.0),
    "softplus": Case("softplus", spread=15.0),
    "swish": Case("swish", spread=9.0),
    "swish_beta": Case({"swish": 2.5}, ((2, 4),)),
    "hard_sigmoid": Case("hard_sigmoid", spread=5.0),
    "hard_tanh": Case("hard_tanh"),
    "sign": Case("sign"),
    "step": Case("step"),
    "prelu": Case("prelu"),
    "prelu_of_image": Case("prelu", ((3, 2, 4),)),
    "softmax": Case("softmax", spread=9.0),
    "log_softmax": Case("log_softmax", ((3, 5),), spread=9.0),
    "layer_norm": Case("layer_norm"),
    "layer_norm_plain": Case({"layer_norm": {"epsilon": 0.1, "scale": False, "center": False}}, ((3, 4),)),
    "batch_norm": Case("batch_norm"),
    "l2_normalization": Case("l2_normalization"),
    "local_response_norm": Case({"local_response_norm": {"alpha": 0.9, "bias": 2}}, ((2, 3, 7),)),
    "local_response_norm_even": Case({"local_response_norm": {"size": 4, "alpha": 0.9, "beta": 0.5}}, ((2, 3, 7),)),
    "flatten": Case("flatten", ((2, 3),)),
    "reshape": Case({"reshape": [3, -1]}, ((2, 6),)),
    "add": Case("add", ((4,), (4,), (4,))),
    "multiply": Case("multiply", ((4,), (4,), (4,))),
    "concat": Case("concat", ((2,), (3,))),
    "max_pool": Case("max_pool", ((4, 6, 3),)),
    "max_pool_overlapping": Case({"max_pool": {"pool_size": 3, "strides": 2}}, ((7, 7, 2),)),
    "max_pool_padded": Case(
        {"max_pool": {"pool_size": 3, "strides": 2, "padding": 1, "ceil_mode": True}}, ((6, 5, 2),)
    ),
    "max_pool_of_sequence": Case({"max_pool": {"pool_size": 3, "strides": 1, "padding": 1}}, ((5, 2),)),
    "max_pool_of_volume": Case({"max_pool": [2, 1, 3]}, ((4, 2, 6, 2),)),
    "avg_pool": Case("avg_pool", ((4, 6, 3),)),
    "avg_pool_padded": Case(
        {"avg_pool": {"pool_size": 3, "strides": 2, "padding": 1, "ceil_mode": True}}, ((6, 5, 2),)
    ),
    "avg_pool_counting_padding": Case(
        {"avg_pool": {"pool_size": 3, "strides": 2, "padding": 1, "ceil_mode": True, "count_include_pad": True}},
        ((6, 5, 2),),
    ),
    "avg_pool_of_sequence": Case({"avg_pool": 2}, ((5, 2),)),
    "avg_pool_of_volume": Case({"avg_pool": [2, 1, 3]}, ((4, 2, 6, 2),)),
    "lp_pool": Case("lp_pool", ((4, 6, 3),)),
    "lp_pool_overlapping": Case({"lp_pool": {"pool_size": 3, "power": 3, "strides": 2}}, ((5, 7, 2),)),
    "global_max_pool": Case("global_max_pool", ((3, 4, 5),)),
    "global_avg_pool": Case("global_avg_pool", ((3, 4, 5),)),
    "up_sample": Case({"up_sample": [2, 3]}, ((3, 4, 2),)),
    "up_sample_bilinear": Case({"up_sample": {"size": [2, 3], "interpolation": "bilinear"}}, ((3, 4, 2),)),
    "up_sample_of_sequence": Case({"up_sample": {"size": 4, "interpolation": "bilinear"}}, ((3, 2),)),
    "max_unpool": Case("max_unpool", ((2, 3, 2), (4, 6, 2))),
    "zero_padding": Case({"zero_padding": [1, [0, 2]]}, ((3, 2, 2),)),
    "reflect_padding": Case({"reflect_padding": [1, [0, 2]]}, ((3, 4, 2),)),
    "cropping": Case({"cropping": [1, [0, 2]]}, ((3, 4, 2),)),
    "pixel_shuffle": Case("pixel_shuffle", ((3, 2, 8),)),
    "multiply_channels": Case("multiply", ((3, 2, 4), (4,), (4,))),
    "conv": Case({"conv": 3}, ((5, 4, 2),)),
    "conv_even": Case({"conv": {"filters": 2, "kernel_size": [2, 4], "use_bias": False}}, ((5, 6, 2),)),
    "conv_strides": Case({"conv": {"filters": 3, "kernel_size": [3, 2], "strides": [2, 3]}}, ((6, 5, 2),)),
    "conv_valid": Case({"conv": {"filters": 2, "padding": "valid", "strides": 2}}, ((7, 6, 2),)),
    "conv_padding": Case({"conv": {"filters": 2, "padding": [2, 1]}}, ((4, 5, 2),)),
    "conv_dilation": Case({"conv": {"filters": 2, "padding": 2, "dilation_rate": [2, 3]}}, ((6, 5, 2),)),
    "conv_dilation_strides": Case(
        {"conv": {"filters": 2, "kernel_size": 2, "strides": [2, 3], "padding": 1, "dilation_rate": [3, 2]}},
        ((6, 7, 1),),
    ),
    "conv_groups": Case({"conv": {"filters": 6, "groups": 2}}, ((4, 4, 4),)),
    "conv_point": Case({"conv": {"filters": 5, "kernel_size": 1}}, ((3, 3, 4),)),
    "conv_of_sequence": Case({"conv": {"filters": 3, "strides": 2, "padding": 2}}, ((7, 3),)),
    "conv_of_volume": Case({"conv": {"filters": 2, "kernel_size": [2, 3, 1], "strides": [1, 2, 1]}}, ((3, 4, 3, 2),)),
    "layer_norm_of_image": Case("layer_norm", ((3, 4, 5),)),
    "group_norm": Case({"group_norm": 2}, ((4, 3, 6),)),
    "group_norm_of_vector": Case({"group_norm": {"groups": 3, "epsilon": 0.1, "scale": False}}, ((6,),)),
    "instance_norm": Case("instance_norm", ((4, 3, 2),)),
    "instance_norm_of_volume": Case({"instance_norm": {"center": False, "scale": False}}, ((2, 3, 2, 3),)),
    "conv_transpose": Case({"conv_transpose": 3}, ((3, 4, 2),)),
    "conv_transpose_valid": Case(
        {"conv_transpose": {"filters": 2, "kernel_size": [3, 2], "strides": [2, 3], "padding": "valid"}}, ((3, 2, 3),)
    ),
    "conv_transpose_padding": Case(
        {"conv_transpose": {"filters": 2, "strides": 2, "padding": 1, "output_padding": [1, 0], "use_bias": False}},
        ((3, 3, 2),),
    ),
    "conv_transpose_dilation": Case(
        {"conv_transpose": {"filters": 2, "kernel_size": 2, "strides": 3, "padding": 1, "dilation_rate": [2, 3]}},
        ((3, 2, 2),),
    ),
    "conv_transpose_groups": Case({"conv_transpose": {"filters": 6, "groups": 2, "padding": 0}}, ((3, 2, 4),)),
    "conv_transpose_of_sequence": Case({"conv_transpose": {"filters": 2, "kernel_size": 4, "strides": 2}}, ((4, 3),)),
    "conv_transpose_of_volume": Case(
        {"conv_transpose": {"filters": 2, "kernel_size": [2, 3, 1], "strides": [2, 1, 1]}}, ((2, 3, 2, 2),)
    ),
    "depthwise_conv": Case("depthwise_conv", ((5, 4, 3),)),
    "depthwise_conv_multiplied": Case(
        {"depthwise_conv": {"kernel_size": [3, 2], "strides": 2, "depth_multiplier": 3}}, ((5, 4, 2),)
    ),
    "separable_conv": Case({"separable_conv": {"filters": 4, "strides": 2}}, ((5, 4, 3),)),
    "separable_conv_of_sequence": Case(
        {"separable_conv": {"filters": 3, "padding": 1, "depth_multiplier": 2, "use_bias": False}}, ((6, 2),)
    ),
    "fixed_filter": Case({"fixed_filter": "scharr_y"}, ((4, 5, 3),)),
    "fixed_filter_padded": Case(
        {"fixed_filter": {"filter": [[1, 2, -3]], "strides": [1, 2], "padding": [0, 1]}}, ((3, 5, 1),)
    ),
}
