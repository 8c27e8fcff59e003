"""Schedules: values by hand, purity, agreement with PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dltrain import registry
from dltrain.errors import UsageError
from dltrain.optim.schedules import Moment, schedule_of

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
]


@pytest.mark.parametrize(("spec", "expected"), BY_HAND, ids=str)
def test_rates_by_hand(spec, expected):
    schedule = schedule_of(spec)
    assert [schedule(Moment(step, 10, 40)) for step in (0, 10, 20, 35)] == pytest.approx(expected, rel=1e-12, abs=1e-15)


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


@pytest.mark.parametrize("name", ["exponential", "staircase", "cosine", "inverse_time", "warmup"])
def test_rates_are_pytorchs(name):
    parameters = {
        "exponential": {"decay_rate": 0.9},
        "staircase": {"decay_rate": 0.3, "every": 7},
        "cosine": {"length": 40, "floor": 0.01},
        "inverse_time": {"decay_rate": 0.2},
        "warmup": {"length": 10},
    }[name]
    schedule = schedule_of({name: {"learning_rate": 0.1, "per": "step", **parameters}})
    found = [schedule(Moment(step, 5, None)) for step in range(40)]
    np.testing.assert_allclose(found, PARITY[f"schedule/{name}"], rtol=1e-12)


def test_cosine_needs_a_length_when_the_run_has_none():
    with pytest.raises(UsageError, match="give `length`"):
        schedule_of({"cosine": 0.1})(Moment(0, 10, None))


def test_warmup_ends_below_no_longer_run():
    schedule = schedule_of({"warmup": {"learning_rate": {"cosine": 1.0}, "length": 20}})
    assert schedule(Moment(5, 10, 10)) == pytest.approx(0.3)
    assert schedule(Moment(30, 10, 20)) == 0
