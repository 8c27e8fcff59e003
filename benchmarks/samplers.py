"""What the samplers of a sweep find at equal budget, on two known functions: the mean of the best value over ten seeds.

python benchmarks/samplers.py
"""

from __future__ import annotations

import statistics
from typing import Any

from dltrain.registry import create
from dltrain.sweeps.space import Space
from dltrain.sweeps.trials import Trials

SEEDS, TRIALS = 10, 49
SPACE = Space({"x": {"uniform": [0.0, 1.0]}, "y": {"uniform": [0.0, 1.0]}})
SAMPLERS: dict[str, Any] = {
    "grid: 7": {"grid": 7},
    "random": "random",
    "sobol": "sobol",
    "coarse_to_fine": {"coarse_to_fine": 14},
    "tpe": "tpe",
    "cma_es": "cma_es",
}


def one_matters(x: float, y: float) -> float:
    """A function of the first number alone."""
    return abs(x - 0.37)


def bowl(x: float, y: float) -> float:
    """A bowl of two numbers, ten times as steep in one of them."""
    return (x - 0.37) ** 2 + 10 * (y - 0.71) ** 2


def best(sampler: Any, seed: int, function: Any) -> float:
    """The smallest value that a sampler finds."""
    made, trials, found = create("sampler", sampler), Trials(higher=False), []
    for number in range(1, TRIALS + 1):
        proposal = made.propose(number, SPACE, seed, trials)
        asked = {"point": proposal.point, "settings": proposal.settings, "round": proposal.round}
        trials.see({"event": "asked", "trial": number, **asked})
        found.append(function(**proposal.settings))
        told = {"state": "complete", "value": found[-1], "values": found[-1:], "deviation": None, "reason": ""}
        trials.see({"event": "told", "trial": number, "violation": 0.0, "seconds": 0.0, **told})
    return min(found)


def main() -> None:
    """Print the table."""
    print(f"| Sampler, {TRIALS} trials | one dimension matters | bowl |\n|---|---|---|")
    for name, sampler in SAMPLERS.items():
        means = [statistics.fmean(best(sampler, seed, f) for seed in range(SEEDS)) for f in (one_matters, bowl)]
        print(f"| `{name}` | {means[0]:.5f} | {means[1]:.5f} |")


if __name__ == "__main__":
    main()
