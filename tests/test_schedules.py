"""Schedules: values by hand, purity, agreement with PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dltrain import registry
from dltrain.errors import ConfigError, UsageError
from dltrain.optim import Moment
from dltrain.optim.schedules import schedule_of

PARITY = np.load(Path(__file__).with_name("fixtures") / "optim.npz")

# spec, and the rates it must give at steps 0, 10, 20, 35 of 40, ten steps an epoch
BY_HAND = [
    (0.1, [0.1, 0.1, 0.1, 0.1]),
    ({"constant": 0.1}, [0.1, 0.1, 0.1, 0.1]),
    ({"inverse_time": {"learning_rate": 0.6, "decay_rate": 0.5}}, [0.6, 0.4, 0.3, 0.24]),
    ({"inverse_time": {"learning_rate": 1, "decay_rate": 0.1, "per": "step"}}, [1, 1 / 2, 1 / 3, 1 / 4.5]),
    ({"exponential": {"learning_rate": 1.0, "decay_rate": 0.5}}, [1, 0.5, 0.25, 0.125]),
    ({"exponential": {"learning_rate": 1.0, "decay_rate": 0.9, "per": "step"}}, [1, 0.9**10, 0.9**20, 0.9**35]),
    ({"staircase": {"learning_rate": 1.0, "decay_rate": 0.1, "every": 2}}, [1, 1, 0.1, 0.1]),
    ({"staircase": {"learning_rate": 1.0, "decay_rate": 0.1, "every": 15, "per": "step"}}, [1, 1, 0.1, 0.01]),
    ({"cosine": {"learning_rate": 1.0, "floor": 0.2}}, [1, 0.6 + 0.4 / 2**0.5, 0.6, 0.6 + 0.4 * np.cos(0.875 * np.pi)]),
    ({"cosine": {"learning_rate": 1.0, "length": 20}}, [1, 0.5, 0, 0]),
    ({"cosine": {"learning_rate": 1.0, "per": "epoch"}}, [1, 0.5 + 0.5 / 2**0.5, 0.5, 0.5 - 0.5 / 2**0.5]),
    ({"warmup": {"learning_rate": 1.0, "length": 20}}, [0.05, 0.55, 1, 1]),
    ({"warmup": {"learning_rate": 1.0, "length": 2, "per": "epoch"}}, [0.05, 0.55, 1, 1]),
    ({"warmup": {"learning_rate": {"cosine": 1.0}, "length": 20}}, [0.05, 0.55, 1, 0.5 + 0.5 * np.cos(0.75 * np.pi)]),
    ({"inverse_time": {"learning_rate": 0.6, "decay_rate": 1}}, [0.6, 0.3, 0.2, 0.15]),
    ({"inverse_sqrt": 0.6}, [0.6, 0.6 / 2**0.5, 0.6 / 3**0.5, 0.3]),
    ({"inverse_sqrt": {"learning_rate": 0.6, "decay_rate": 0.1, "per": "step"}}, [0.6, *0.6 / np.sqrt([2, 3, 4.5])]),
    ({"piecewise": {"values": [0.5, 0.2, 0.1], "boundaries": [1, 3]}}, [0.5, 0.2, 0.2, 0.1]),
    ({"piecewise": {"values": [0.5, 0.2], "boundaries": [20], "per": "step"}}, [0.5, 0.5, 0.2, 0.2]),
    ({"polynomial": 1.0}, [1, 0.75, 0.5, 0.125]),
    ({"polynomial": {"learning_rate": 0.2, "floor": 1.0, "per": "epoch"}}, [0.2, 0.4, 0.6, 0.8]),
    ({"polynomial": {"learning_rate": 1.0, "floor": 0.1, "power": 2.0, "length": 20}}, [1, 0.325, 0.1, 0.1]),
    ({"cosine_restarts": {"learning_rate": 1.0, "length": 1, "floor": 0.2}}, [1, 1, 0.6, 1]),
    (
        {"cosine_restarts": {"learning_rate": 1.0, "length": 20, "growth": 1, "per": "step"}},
        [1, 0.5, 1, 0.5 - 0.5 / 2**0.5],
    ),
    ({"one_cycle": {"learning_rate": 1.0, "start": 0.2, "end": 0.0, "rise": 0.525, "length": 40}}, [0.2, 0.6, 1, None]),
    ({"one_cycle": {"learning_rate": 1.0, "rise": 0.0, "length": 21}}, [1, 0.500002, 4e-6, 4e-6]),
    ({"reduce_on_plateau": 0.1}, [0.1, 0.1, 0.1, 0.1]),
]


@pytest.mark.parametrize(("spec", "expected"), BY_HAND, ids=str)
def test_rates_by_hand(spec, expected):
    schedule = schedule_of(spec)
    found = [schedule(Moment(step, 10, 40)) for step in (0, 10, 20, 35)]
    pairs = [(rate, wanted) for rate, wanted in zip(found, expected, strict=True) if wanted is not None]
    assert [rate for rate, _ in pairs] == pytest.approx([wanted for _, wanted in pairs], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("spec", [spec for spec, _ in BY_HAND], ids=str)
def test_a_schedule_is_a_pure_function_of_the_moment(spec):
    moments = [Moment(step, 7, 50) for step in range(50)]
    forward = [schedule_of(spec)(moment) for moment in moments]
    one = schedule_of(spec)
    backward = [one(moment) for moment in reversed(moments)]
    assert forward == backward[::-1]
    assert all(0 <= rate <= 1 for rate in forward)


def test_every_schedule_is_tested():
    tested = {next(iter(spec)) for spec, _ in BY_HAND if isinstance(spec, dict)}
    assert tested == set(registry.entries("schedule"))


PYTORCHS = [name.partition("/")[2] for name in PARITY.files if name.startswith("schedule/")]


@pytest.mark.parametrize("name", PYTORCHS)
def test_rates_are_pytorchs(name):
    parameters = {
        "exponential": {"decay_rate": 0.9},
        "staircase": {"decay_rate": 0.3, "every": 7},
        "cosine": {"length": 40, "floor": 0.01},
        "inverse_time": {"decay_rate": 0.2},
        "warmup": {"length": 10},
        "inverse_sqrt": {},
        "piecewise": {"values": [0.1, 0.01, 0.001], "boundaries": [5, 20]},
        "polynomial": {"length": 30, "power": 2.0},
        "cosine_restarts": {"length": 5, "growth": 2, "floor": 0.01},
        "one_cycle": {"length": 41},
    }[name]
    common = {"learning_rate": 0.1, "per": "step"}
    known = {argument.name for argument in registry.entries("schedule")[name].arguments}
    schedule = schedule_of({name: {key: value for key, value in common.items() if key in known} | parameters})
    found = [schedule(Moment(step, 5, None)) for step in range(40)]
    np.testing.assert_allclose(found, PARITY[f"schedule/{name}"], rtol=1e-12, atol=1e-15)


# PyTorch falls after more than `patience` bad values, this schedule (like Keras') after `patience`
PLATEAUS = {
    "plain": ({"factor": 0.5, "patience": 3, "min_delta": 0.01}, False),
    "cooldown": ({"factor": 0.1, "patience": 2, "min_delta": 0.0, "cooldown": 3, "floor": 0.0005}, False),
    "higher": ({"factor": 0.3, "patience": 5, "min_delta": 0.05}, True),
}


@pytest.mark.parametrize("case", PLATEAUS)
def test_reductions_on_a_plateau_are_pytorchs(case):
    options, higher = PLATEAUS[case]
    schedule = schedule_of({"reduce_on_plateau": {"learning_rate": 0.1, **options}})
    seen, found = None, []
    for value in PARITY["metric"]:
        before = None if seen is None else dict(seen)
        after = schedule.observe(seen, float(value), higher)
        assert seen == before  # what was known is not changed
        seen = after
        found.append(schedule(Moment(5, 10, None, seen)))
    np.testing.assert_allclose(found, PARITY[f"plateau/{case}"], rtol=1e-12)
    assert len(set(found)) > 2


@pytest.mark.parametrize(
    ("values", "boundaries", "said"),
    [([0.1, 0.2], [1, 2], "3 values for 2 boundaries"), ([0.1, 0.2, 0.3], [5, 5], "boundaries do not rise")],
)
def test_a_table_that_does_not_fit_is_refused(values, boundaries, said):
    with pytest.raises(ConfigError, match=said):
        schedule_of({"piecewise": {"values": values, "boundaries": boundaries}})


@pytest.mark.parametrize("name", ["polynomial", "one_cycle"])
def test_what_ends_with_the_run_needs_to_know_its_end(name):
    with pytest.raises(UsageError, match="give `length`"):
        schedule_of({name: 0.1})(Moment(0, 10, None))


def test_cosine_needs_a_length_when_the_run_has_none():
    with pytest.raises(UsageError, match="give `length`"):
        schedule_of({"cosine": 0.1})(Moment(0, 10, None))


def test_warmup_ends_below_no_longer_run():
    schedule = schedule_of({"warmup": {"learning_rate": {"cosine": 1.0}, "length": 20}})
    assert schedule(Moment(5, 10, 10)) == pytest.approx(0.3)
    assert schedule(Moment(30, 10, 20)) == 0
