"""What several seeds say together: means with their intervals, and whether two settings differ.

Runs that differ in nothing but their seed are draws of one and the same thing.  Two settings are compared by the
differences between runs of the same seed: what the seed does to both of them alike (the initial weights, the order
and the division of the data) falls out.

The test is Student's t test of these differences, not Wilcoxon's signed ranks: with three to five seeds, which is
what one can afford, the smallest p of the latter is 0.25 to 0.06, whatever the differences are.

Source: Student: The probable error of a mean, 1908; Cohen: Statistical power analysis for the behavioral sciences,
1988.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

LEVEL = 0.95  # of the intervals


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the mean, x̄ ± t s / √n by Student's distribution of n - 1 degrees; None for one value.

    Example:
        >>> low, high = interval([0.90, 0.92, 0.94])
        >>> round(low, 4), round(high, 4), interval([0.9])
        (0.8703, 0.9697, None)
    """
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # `scipy.stats` takes ten times as long to load

    reach = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - reach, mean + reach


def summary(values: Sequence[float]) -> dict[str, Any]:
    """`count`, `mean`, `deviation` and `interval` of values, the last two None for a single one.

    Example:
        >>> summary([0.5])
        {'count': 1, 'mean': 0.5, 'deviation': None, 'interval': None}
    """
    deviation = statistics.stdev(values) if len(values) > 1 else None
    found = {"count": len(values), "mean": statistics.fmean(values), "deviation": deviation}
    return found | {"interval": interval(values)}


def paired(first: Mapping[int, float], second: Mapping[int, float]) -> dict[str, Any] | None:
    """Student's paired t test of second - first over the seeds that both have; None for fewer than two.

    Parameters:
        first: {seed: value}
        second: likewise

    Returns: ``{pairs, difference, interval, p, effect}``: the mean difference with its 95 % interval, the two-sided
        p, and Cohen's d_z, the mean difference in deviations of the differences.  Where all differences are equal
        there is nothing to judge by: p and effect are None.

    Example:
        >>> found = paired({0: 0.90, 1: 0.92, 2: 0.94}, {0: 0.91, 1: 0.94, 2: 0.95, 7: 0.99})
        >>> found["pairs"], round(found["difference"], 4), round(found["p"], 4), round(found["effect"], 4)
        (3, 0.0133, 0.0572, 2.3094)
    """
    differences = [second[seed] - first[seed] for seed in sorted(set(first) & set(second))]
    if len(differences) < 2:
        return None
    mean, deviation = statistics.fmean(differences), statistics.stdev(differences)
    found = {
        "pairs": len(differences),
        "difference": mean,
        "interval": interval(differences),
        "p": None,
        "effect": None,
    }
    if deviation > 1e-12 * max(map(abs, differences)):  # more than what rounding makes of equal differences
        from scipy.special import stdtr

        effect = mean / deviation
        p = 2 * float(stdtr(len(differences) - 1, -abs(effect) * math.sqrt(len(differences))))
        found |= {"p": p, "effect": effect}
    return found
