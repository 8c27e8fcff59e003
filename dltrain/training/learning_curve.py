"""What a config reaches with more and more of its training examples, and whether more of them would help."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.errors import UsageError
from dltrain.seeds import generator
from dltrain.training.journal import NoJournal
from dltrain.training.prepared import load_data
from dltrain.training.progress import SilentProgress
from dltrain.training.session import prepare

if TYPE_CHECKING:
    from dltrain.config.experiment import Experiment

FEWEST = 10  # training examples
EXPONENTS = np.geomspace(0.05, 2.0, 60)  # of the power laws that are tried
NOTICEABLE = 0.01  # share of the value that a gain must be at least to count


def learning_curve(
    experiments: Sequence[Experiment], points: int, tell: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Train with n/2^k, …, n/2 and all n training examples, once for each experiment (they differ in their seed).

    The smaller parts are contained in the larger ones; validation and preparation are those of the whole.

    Parameters:
        experiments: the same config with several seeds
        points: sizes of the training part
        tell: is told how far the work is

    Raises:
        UsageError: when there is no validation part, or too few examples.
    """
    curve: list[dict[str, Any]] = []
    metric, higher = "", False
    count = points * len(experiments)
    for position, experiment in enumerate(experiments):
        data = load_data(experiment)
        whole = data.parts["train"]
        if not len(data.parts.get("validation", ())):
            hint = "give the data a validation part: split: {stratified: {validation: 0.2}}"
            raise UsageError("nothing is held out to measure on", where=experiment.name, hint=hint)
        order = generator(experiment.seed, "learning curve").permutation(len(whole))
        for number, size in enumerate(sizes(len(whole), points)):
            tell(f"training {position * points + number + 1} of {count}: {size} examples")
            data.parts["train"] = whole.take(np.sort(order[:size]))
            session = prepare(experiment, data=data)
            trainer = session.trainer(NoJournal(), SilentProgress())
            goal = trainer.goal
            if not goal.metric.startswith("validation."):
                expected, hint = "a metric of the validation part", "`--set train.monitor=validation.loss`"
                what = "a learning curve is measured on what is held out"
                raise UsageError(what, where="train.monitor", expected=expected, got=goal.metric, hint=hint)
            trainer.run()
            if position == 0:
                metric, higher = goal.metric.partition(".")[2], goal.higher
                curve.append({"examples": size, "train": [], "validation": []})
            measured = trainer.measured()
            best = None if trainer.best is None else trainer.best["value"]
            curve[number]["train"].append(measured["train"].get(metric))
            curve[number]["validation"].append(best)
    return {"metric": metric, "higher": higher, "points": [summary(row) for row in curve], **judged(curve, higher)}


def sizes(examples: int, points: int) -> list[int]:
    """How many examples are taken: all, a half, a quarter …, rising.

    Raises:
        UsageError: when the smallest would be too few.

    Example:
        >>> sizes(1000, 4)
        [125, 250, 500, 1000]
    """
    found = [examples // 2**power for power in reversed(range(points))]
    if found[0] < FEWEST:
        most = max(1, int(np.log2(max(examples, 1) / FEWEST)) + 1)
        what, expected = "the smallest part would have too few examples", f"at most {most} points"
        raise UsageError(what, where="--points", expected=expected, got=str(points))
    return found


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """One size: means and deviations over the seeds, of what was measured."""
    found: dict[str, Any] = {"examples": row["examples"]}
    for part in ("train", "validation"):
        values = [value for value in row[part] if value is not None]
        found[part] = statistics.fmean(values) if values else None
        found[f"{part}_deviation"] = statistics.stdev(values) if len(values) > 1 else None
        found[f"{part}_values"] = row[part]
    return found


def judged(curve: Sequence[Mapping[str, Any]], higher: bool) -> dict[str, Any]:
    """What twice the examples would reach by the power law a + b n^−c that fits best, and the answer in words.

    Source: Hestness et al.: Deep learning scaling is predictable, empirically, 2017.
    """
    rows = [summary(row) for row in curve]
    known = [(row["examples"], row["validation"]) for row in rows if row["validation"] is not None]
    if len(known) < 3:
        return {"expected": None, "answer": "too few sizes were measured for an answer: three are needed"}
    expected = extrapolated(*zip(*known, strict=True))
    last, deviation = known[-1][1], rows[-1]["validation_deviation"] or 0.0
    gain = (expected - last) if higher else (last - expected)
    said = f"about {expected:.4g} instead of {last:.4g} with twice the examples"
    if gain > max(deviation, NOTICEABLE * abs(last)):
        return {"expected": expected, "answer": f"more data would help: {said}"}
    gap = None if rows[-1]["train"] is None else (rows[-1]["train"] - last if higher else last - rows[-1]["train"])
    small = "what the seed changes" if deviation >= NOTICEABLE * abs(last) else f"{NOTICEABLE:.0%} of it"
    answer = f"more data would hardly help: {said}, a gain of no more than {small}"
    if gap is not None and gap <= max(deviation, NOTICEABLE * abs(last)):
        answer += "; training is no better than validation, so a larger model or longer training may help"
    return {"expected": expected, "answer": answer}


def extrapolated(counts: Sequence[int], values: Sequence[float]) -> float:
    """The value at twice the last count by the power law a + b n^−c with c > 0 that fits best.

    Example:
        >>> counts = [100, 200, 400, 800]
        >>> round(extrapolated(counts, [0.1 + 3 / n**0.5 for n in counts]), 3)  # 0.1 + 3 / 40
        0.175
    """
    n, y = np.asarray(counts, float), np.asarray(values, float)
    best = (np.inf, float(y[-1]))
    for exponent in EXPONENTS:
        columns = np.stack([np.ones_like(n), (n / n[-1]) ** -exponent], 1)
        (a, b), *_ = np.linalg.lstsq(columns, y, rcond=None)
        error = float(np.square(columns @ (a, b) - y).sum())
        best = min(best, (error, float(a + b * 2.0**-exponent)))
    return best[1]
