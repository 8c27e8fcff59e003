"""Layers of sequences as PyTorch has them: what a config writes, with what inputs.

`fixtures/make_sequence_fixtures.py` computes them in PyTorch, `test_sequences.py` compares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SIZE, STEPS, WIDTH, UNITS, TOKENS = 6, 4, 3, 5, 7
LENGTHS = (4, 1, 3, 2, 4, 2)  # of the sequences where there is a mask


class Case(NamedTuple):
    """One chain of layers.

    Parameters:
        chain: as a config writes it; `with: mask` reads a mask of LENGTHS
        tokens: whether its input is tokens (N, T), else it is (N, T, D)
    """

    chain: list[Any]
    tokens: bool = False

    @property
    def masked(self) -> bool:
        """Whether it reads the mask."""
        return "'mask'" in repr(self.chain)

    @property
    def kinds(self) -> set[str]:
        """The layers in it, but for those that join branches."""
        branches = [branch[0] for layer in self.chain if isinstance(layer, dict) for branch in joined(layer)]
        return {str(layer if isinstance(layer, str) else next(iter(layer))) for layer in branches or self.chain}


def joined(layer: dict[str, Any]) -> list[Any]:
    """The branches of a layer that has some."""
    options = next(iter(layer.values()))
    return options if isinstance(options, list) else []


def both(kind: str, join: str) -> Any:
    """A layer in both directions, as sequences."""
    options = {"units": UNITS, "return_sequences": True}
    return {join: [[{kind: options}], [{kind: {**options, "go_backwards": True}}]]}


def sequences(kind: str, **options: Any) -> Any:
    """A layer that gives a sequence."""
    return {kind: {"units": UNITS, "return_sequences": True, **options}}


CASES: dict[str, Case] = {
    "simple_rnn": Case([{"simple_rnn": UNITS}]),
    "simple_rnn_relu": Case([sequences("simple_rnn", activation="relu")]),
    "simple_rnn_both": Case([both("simple_rnn", "concat")]),
    "gru": Case([{"gru": UNITS}]),
    "gru_sequence": Case([sequences("gru")]),
    "gru_sum_of_both": Case([both("gru", "add")]),
    "gru_masked": Case([{"gru": {"units": UNITS, "with": "mask"}}]),
    "simple_gru": Case([sequences("simple_gru")]),
    "lstm": Case([{"lstm": UNITS}]),
    "lstm_deep": Case([sequences("lstm"), sequences("lstm")]),
    "lstm_both": Case([both("lstm", "concat")]),
    "lstm_masked": Case([{"lstm": {"units": UNITS, "with": "mask"}}]),
    "lstm_masked_backwards": Case([{"lstm": {"units": UNITS, "go_backwards": True, "with": "mask"}}]),
    "lstm_peepholes": Case([sequences("lstm", use_peepholes=True)]),
    "embedding": Case([{"embedding": {"vocabulary_size": TOKENS, "units": WIDTH}}], tokens=True),
    "embedding_padding": Case([{"embedding": {"vocabulary_size": TOKENS, "units": WIDTH, "padding": 2}}], tokens=True),
    "position_embedding": Case(["position_embedding"]),
    "sinusoidal_positions": Case(["sinusoidal_positions"]),
    "padding_mask": Case([{"padding_mask": 2}], tokens=True),
    "last_step": Case([{"last_step": {"with": "mask"}}]),
    "masked_mean": Case([{"masked_mean": {"with": "mask"}}]),
    "masked_max": Case([{"masked_max": {"with": "mask"}}]),
    "self_attention": Case([{"multi_head_attention": WIDTH}]),
    "self_attention_causal": Case([{"multi_head_attention": {"heads": 2, "units": 4, "causal": True}}]),
    "cross_attention_masked": Case(
        [{"dense": UNITS}, {"multi_head_attention": {"heads": 5, "units": UNITS, "with": ["x", "mask"]}}]
    ),
    "luong_attention": Case([{"dense": UNITS}, {"luong_attention": {"with": ["x", "mask"]}}]),
    "luong_attention_dot": Case([{"luong_attention": {"score": "dot", "with": {"mask": "mask"}}}]),
    "additive_attention": Case([{"dense": UNITS}, {"additive_attention": {"units": 2, "with": ["x", "mask"]}}]),
}
