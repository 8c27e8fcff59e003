"""Diagnoses of single layers of a run that is over, from some training examples and the last weights."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.diagnose.course import Course
from dltrain.diagnose.remedies import rate_times
from dltrain.diagnose.rule import Verdict, diagnosis

DEAD, SATURATED = 0.4, 0.5  # shares of a layer
FADED = 1e-3  # of the last layer's gradient, what is left at the first
SWOLLEN = 1e3
MANY = 3  # layers with kernels, below which fading is no matter of depth


@diagnosis("dead_units")
def dead_units(course: Course) -> Iterator[Verdict]:
    """Relus that are 0 for every example: no gradient passes them, so that they stay so.

    Steps that were too long push their inputs below 0 for good.  A lower rate or `leaky_relu` keeps them alive.

    Example:
        >>> from dltrain.diagnose.health import Activity, Health
        >>> health = Health([Activity("h.1.relu", "relu", 0.1, 0.2, dead=0.75)])
        >>> [verdict.where for verdict in dead_units(Course({}, health=health))]
        ['h.1.relu']

    Source: Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, 2013.
    """
    for found in course.health.activities:
        if found.dead > DEAD:
            what = f"{found.dead:.0%} of the units of {found.path} are 0 for every example"
            advice = f"{rate_times(course, 0.1)}; `leaky_relu` in place of `relu`"
            yield Verdict("doubt", what, advice, found.path, {"dead": found.dead})


@diagnosis("saturated_units")
def saturated_units(course: Course) -> Iterator[Verdict]:
    """Sigmoids or tanhs at their limits, where their slope is nearly 0 and little gradient passes.

    Inputs that are not scaled, weights that start too large or steps that are too long bring them there.

    Example:
        >>> from dltrain.diagnose.health import Activity, Health
        >>> health = Health([Activity("h.1.tanh", "tanh", 0.0, 0.99, saturated=0.9)])
        >>> [verdict.where for verdict in saturated_units(Course({}, health=health))]
        ['h.1.tanh']

    Source: Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    for found in course.health.activities:
        if found.saturated > SATURATED:
            what = f"{found.saturated:.0%} of the values of {found.path} are at the limits of {found.kind}"
            advice = (
                f"scale the inputs (`prepare: [standardize]`); `batch_norm` in front of it; {rate_times(course, 0.3)}"
            )
            yield Verdict("doubt", what, advice, found.path, {"saturated": found.saturated})


@diagnosis("vanishing_gradients")
def vanishing_gradients(course: Course) -> Iterator[Verdict]:
    """The gradient that arrives at the first layer is a thousand times smaller than at the last.

    Example:
        >>> from dltrain.diagnose.health import Health, Pull
        >>> health = Health(pulls=[Pull(f"h{k}.0.dense", 10.0**k) for k in range(-6, 0)])
        >>> [verdict.evidence["layers"] for verdict in vanishing_gradients(Course({}, health=health))]
        [6]

    Source: Hochreiter: Untersuchungen zu dynamischen neuronalen Netzen, 1991; He et al., 2015.
    """
    found = [pull for pull in course.health.pulls if pull.signal]
    if len(found) <= MANY or found[0].signal >= FADED * found[-1].signal:
        return
    factor = (found[-1].signal / found[0].signal) ** (1 / (len(found) - 1))
    what = f"gradients shrink {factor:.1f} times a layer, from {found[-1].path} to {found[0].path}"
    advice = "`relu` with he_normal, `batch_norm` in front of each activation, or residual branches"
    yield Verdict("doubt", what, advice, found[0].path, {"factor": factor, "layers": len(found)})


@diagnosis("exploding_gradients")
def exploding_gradients(course: Course) -> Iterator[Verdict]:
    """The gradient that arrives at the first layer is a thousand times larger than at the last.

    Example:
        >>> from dltrain.diagnose.health import Health, Pull
        >>> health = Health(pulls=[Pull(f"h{k}.0.dense", 10.0**-k) for k in range(5)])
        >>> [verdict.where for verdict in exploding_gradients(Course({}, health=health))]
        ['h0.0.dense']

    Source: Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, 2013.
    """
    found = [pull for pull in course.health.pulls if pull.signal]
    if len(found) <= MANY or found[0].signal <= SWOLLEN * found[-1].signal:
        return
    factor = (found[0].signal / found[-1].signal) ** (1 / (len(found) - 1))
    what = f"gradients grow {factor:.1f} times a layer, from {found[-1].path} to {found[0].path}"
    advice = "smaller initial weights (he_normal), `batch_norm`, or `clip_norm: 1` of the optimizer"
    yield Verdict("doubt", what, advice, found[0].path, {"factor": factor, "layers": len(found)})


@diagnosis("units_alike")
def units_alike(course: Course) -> Iterator[Verdict]:
    """All units of a hidden layer still have the same weights after the training: they started alike.

    Example:
        >>> from dltrain.diagnose.health import Health, Pull
        >>> health = Health(pulls=[Pull("h.0.dense", 0.1, alike=True), Pull("y.0.dense", 0.1)])
        >>> [verdict.severity for verdict in units_alike(Course({}, health=health))]
        ['fault']

    Source: Goodfellow, Bengio, Courville: Deep learning, 2016, section 8.4.
    """
    for pull in course.health.pulls[:-1]:
        if pull.alike:
            what = f"all units of {pull.path} have the same weights: together they do the work of one"
            yield Verdict("fault", what, "leave kernel_initializer and model.init out", pull.path)
