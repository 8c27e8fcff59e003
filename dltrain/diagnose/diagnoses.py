"""Diagnoses of a run that is over: bias and variance, and what the course of the losses says."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dltrain.diagnose.course import Course
from dltrain.diagnose.remedies import against_bias, against_variance, rate_times
from dltrain.diagnose.rule import Verdict, diagnosis

GAP = 0.02  # of an error, below which nothing is said
SURE = 2.0  # standard errors that a gap must have
ROUGH = 0.4  # share of the evaluations at which the loss rose, from which it is rough
JUMP = 1.1  # times that the loss must rise to count
SLOW = 0.6  # of the first loss, above which the last one has not come far
FALLING = 0.02  # share of the loss by which it still falls from one evaluation to the next
FLAT, LONG = 0.04, 12  # share of the loss within which the last third of so many evaluations stays where it is flat
RISEN = 1.2  # times its smallest value that the validation loss has risen to
FEW = 5  # evaluations, below which a course says nothing


@diagnosis("avoidable_bias")
def avoidable_bias(course: Course) -> Iterator[Verdict]:
    """The error on the training part is larger than it need be: the model does not fit what it has seen.

    The difference to the goal (`--goal`: the error of humans, or the best known) could be avoided.  Less
    regularization, longer or better training and a larger network help; more data do not.

    Example:
        >>> from dltrain.diagnose.course import Measured
        >>> course = Course({"train": Measured(0.15, 1000), "validation": Measured(0.16, 1000)}, goal=0.01)
        >>> [round(verdict.evidence["gap"], 3) for verdict in avoidable_bias(course)]
        [0.14]

    Source: Ng: Machine learning yearning, 2018, chapters 20 to 25.
    """
    found = course.errors.get("train")
    if found is None or (not found.share and not course.goal):
        return
    gap = found.error - course.goal
    if gap > GAP and gap > SURE * found.deviation:
        what = f"the training error is {found.error:.2%}, {points(gap)} above the goal of {course.goal:.2%}"
        yield Verdict("doubt", what, "; ".join(against_bias(course)), "", {"gap": gap, "error": found.error})


@diagnosis("variance")
def variance(course: Course) -> Iterator[Verdict]:
    """The error on held-out examples of the training's kind is larger than on the training part itself.

    The model has learned what is particular to its examples.  More examples, augmentation, regularization and a
    smaller network help; longer training and a larger network do not.

    Example:
        >>> from dltrain.diagnose.course import Measured
        >>> course = Course({"train": Measured(0.01, 1000), "validation": Measured(0.11, 1000)})
        >>> [round(verdict.evidence["gap"], 3) for verdict in variance(course)]
        [0.1]

    Source: Ng: Machine learning yearning, 2018, chapters 20 to 25; Geman, Bienenstock, Doursat, 1992.
    """
    held_out = course.like_training
    yield from apart(course, held_out, "train", "; ".join(against_variance(course)))


@diagnosis("data_mismatch")
def data_mismatch(course: Course) -> Iterator[Verdict]:
    """The validation part is harder than examples that are like the training's: it comes from another distribution.

    It is told from variance by a train-dev part (`data.split`), held out from the training's own distribution.

    Example:
        >>> from dltrain.diagnose.course import Measured
        >>> parts = {"train": 0.01, "train_dev": 0.015, "validation": 0.1}
        >>> course = Course({part: Measured(error, 1000) for part, error in parts.items()})
        >>> [round(verdict.evidence["gap"], 3) for verdict in data_mismatch(course)]
        [0.085]

    Source: Ng: Machine learning yearning, 2018, chapters 36 to 43.
    """
    if "train_dev" in course.errors:
        advice = "look at what differs (`dltrain errors`); put such examples into the training part, or make some alike"
        yield from apart(course, "validation", "train_dev", advice)


@diagnosis("overfitted_validation")
def overfitted_validation(course: Course) -> Iterator[Verdict]:
    """The test error is larger than the validation error: too much was chosen by the validation part.

    Every choice by a part of the data (the best checkpoint, hyper-parameters) fits to it a little.

    Example:
        >>> from dltrain.diagnose.course import Measured
        >>> course = Course({"validation": Measured(0.02, 500), "test": Measured(0.1, 500)})
        >>> [round(verdict.evidence["gap"], 3) for verdict in overfitted_validation(course)]
        [0.08]

    Source: Ng: Machine learning yearning, 2018, chapter 7.
    """
    advice = "take a larger validation part, or a fresh one; choose by the mean over several seeds"
    yield from apart(course, "test", "validation", advice)


@diagnosis("diverged")
def diverged(course: Course) -> Iterator[Verdict]:
    """The training loss ends far above the smallest value it had, or is no number: the learning rate is too high.

    Example:
        >>> [verdict.severity for verdict in diverged(Course({}, losses={"train": [2.3, 1.9, 2.5, 7.0, 50.0]}))]
        ['fault']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 11.4.1.
    """
    losses = course.losses.get("train", ())
    if losses and (not math.isfinite(losses[-1]) or losses[-1] > 2 * min(losses)):
        what = f"the training loss went from {min(losses):.4g} up to {losses[-1]:.4g}: the learning rate is too high"
        advice = f"{rate_times(course, 0.1)}; or clip the gradient (`clip_norm: 1`)"
        yield Verdict("fault", what, advice, "optimizer", {"smallest": min(losses), "last": losses[-1]})


@diagnosis("rough_loss")
def rough_loss(course: Course) -> Iterator[Verdict]:
    """The training loss jumps up again and again: the learning rate is a little too high, or batches are very small.

    Example:
        >>> course = Course({}, losses={"train": [2, 1, 1.5, 0.9, 1.4, 0.8, 1.3]})
        >>> [verdict.evidence["rises"] for verdict in rough_loss(course)]
        [3]

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 11.4.1.
    """
    losses = course.losses.get("train", ())
    rises = sum(after > JUMP * before for before, after in zip(losses, losses[1:], strict=False))
    if len(losses) >= FEW and rises >= ROUGH * (len(losses) - 1) and not list(diverged(course)):
        what = f"the training loss rose at {rises} of {len(losses) - 1} evaluations: the rate is a little too high"
        yield Verdict("doubt", what, f"{rate_times(course, 0.3)}, or larger batches", "optimizer", {"rises": rises})


@diagnosis("slow_start")
def slow_start(course: Course) -> Iterator[Verdict]:
    """The training loss has fallen steadily and not far: the learning rate is too low, or the training too short.

    Example:
        >>> losses = [2.3, 2.2, 2.11, 2.03, 1.96, 1.9]
        >>> [verdict.severity for verdict in slow_start(Course({}, losses={"train": losses}))]
        ['doubt']

    Source: Bengio: Practical recommendations for gradient-based training of deep architectures, 2012.
    """
    losses = course.losses.get("train", ())
    if len(losses) < FEW or losses[0] <= 0:
        return
    steady = all(after < before for before, after in zip(losses, losses[1:], strict=False))
    if steady and losses[-1] > SLOW * losses[0] and losses[-1] < losses[-2] * (1 - FALLING / 2):
        what = f"the training loss fell from {losses[0]:.4g} to {losses[-1]:.4g} only: the rate is too low"
        advice = f"{rate_times(course, 10)}; or train longer"
        yield Verdict("doubt", what, advice, "optimizer", {"first": losses[0], "last": losses[-1]})


@diagnosis("still_improving")
def still_improving(course: Course) -> Iterator[Verdict]:
    """The validation loss was still falling when the training ended: it was too short.

    Example:
        >>> losses = {"train": [1.0, 0.6, 0.4, 0.3, 0.2], "validation": [1.0, 0.7, 0.5, 0.45, 0.4]}
        >>> [verdict.advice for verdict in still_improving(Course({}, losses=losses, config={"train": {"epochs": 5}}))]
        ['`--set train.epochs=10`']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 7.8.
    """
    losses = course.losses.get("validation", ())
    if len(losses) >= FEW and losses[-1] == min(losses) and losses[-1] < (1 - FALLING) * losses[-2]:
        if list(slow_start(course)):
            return
        what = f"the validation loss still fell at the end, from {losses[-2]:.4g} to {losses[-1]:.4g}"
        advice = f"`--set train.epochs={2 * course.epochs}`" if course.epochs else "train longer"
        yield Verdict("doubt", what, advice, "train", {"before": losses[-2], "last": losses[-1]})


@diagnosis("plateau")
def plateau(course: Course) -> Iterator[Verdict]:
    """The training loss has stopped falling, with a constant learning rate, and the training error is above the goal.

    Steps that are too long to come closer circle the minimum.  A rate that falls (`cosine`, `reduce_on_plateau`) goes
    on where a constant one stands.

    Example:
        >>> from dltrain.diagnose.course import Measured
        >>> flat = [2.0, 1.0, 0.9, 0.8, 0.75, 0.71, 0.7, 0.705, 0.7, 0.702, 0.7, 0.701]
        >>> course = Course({"train": Measured(0.2, 1000)}, losses={"train": flat}, rates=[0.1] * 12)
        >>> [verdict.where for verdict in plateau(course)]
        ['optimizer']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 8.3.1.
    """
    losses, error = course.losses.get("train", ()), course.errors.get("train")
    last = losses[len(losses) * 2 // 3 :]
    constant = len(set(course.rates)) == 1
    if len(losses) < LONG or error is None or error.error - course.goal <= GAP or not constant or min(last) <= 0:
        return
    if max(last) - min(last) <= FLAT * min(last) and losses[0] > JUMP * min(last):
        name, _ = course.optimizer
        what = (
            f"the training loss stands at about {min(last):.4g} with a constant learning rate of {course.rates[-1]:g}"
        )
        advice = f"a rate that falls: `{name}: {{learning_rate: {{cosine: {{learning_rate: {course.rates[-1]:g}}}}}}}`"
        yield Verdict("doubt", what, advice, "optimizer", {"loss": min(last), "learning_rate": course.rates[-1]})


@diagnosis("overtrained")
def overtrained(course: Course) -> Iterator[Verdict]:
    """The validation loss has been rising since its best while the training loss fell: the training was too long.

    The best checkpoint is kept in any case; early stopping saves the time.

    Example:
        >>> losses = {"train": [1.0, 0.5, 0.3, 0.1, 0.05, 0.02], "validation": [1.0, 0.6, 0.5, 0.6, 0.7, 0.9]}
        >>> [verdict.evidence["best_at"] for verdict in overtrained(Course({}, losses=losses))]
        [3]

    Source: Prechelt: Early stopping, but when?, 1998.
    """
    losses, train = course.losses.get("validation", ()), course.losses.get("train", ())
    if len(losses) < FEW or len(train) != len(losses) or list(diverged(course)):
        return
    best = min(range(len(losses)), key=losses.__getitem__)
    if losses[-1] > RISEN * losses[best] and train[-1] < train[best]:
        what = (
            f"the validation loss was best at evaluation {best + 1} ({losses[best]:.4g}) and rose to {losses[-1]:.4g}"
        )
        advice = "`hooks: [{early_stopping: {patience: 5}}]`, and what helps against variance"
        yield Verdict("doubt", what, advice, "train", {"best_at": best + 1, "best": losses[best], "last": losses[-1]})


def apart(course: Course, worse: str, better: str, advice: str) -> Iterator[Verdict]:
    """The verdict where the error of a part is surely larger than that of another."""
    found = course.gap(worse, better)
    if found is None:
        return
    gap, deviation = found
    if gap > GAP and gap > SURE * deviation:
        errors = [course.errors[part].error for part in (worse, better)]
        what = f"{worse} error {errors[0]:.2%}, {better} error {errors[1]:.2%}: {points(gap)} apart"
        evidence = {"gap": gap, "deviation": deviation, worse: errors[0], better: errors[1]}
        yield Verdict("doubt", what, advice, "", evidence)


def points(gap: float) -> str:
    """A difference of errors.

    Example:
        >>> points(0.0312)
        '3.1 points'
    """
    return f"{100 * gap:.1f} points"
