"""Diagnoses of recurrent layers of a run that is over, from some training examples and the last weights."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.diagnose.course import Course
from dltrain.diagnose.remedies import rate_times
from dltrain.diagnose.rule import Verdict, diagnosis

NEAR = 8  # steps within which a gradient must not fade, nor swell
FADED, SWOLLEN = 1e-3, 1e3  # what it comes to, beside that of the last step
SATURATED = 0.5  # of the values of a gate


@diagnosis("vanishing_through_time")
def vanishing_through_time(course: Course) -> Iterator[Verdict]:
    """A gradient that arrives at the last step is a thousand times smaller eight steps before: what is older is lost.

    Example:
        >>> from dltrain.diagnose.health import Health
        >>> from dltrain.diagnose.through_time import Memory
        >>> health = Health(memories=[Memory("h.0", "simple_rnn", tuple(0.2**k for k in range(12, -1, -1)))])
        >>> [verdict.evidence["steps"] for verdict in vanishing_through_time(Course({}, health=health))]
        [5]

    Source: Bengio, Simard, Frasconi: Learning long-term dependencies with gradient descent is difficult, 1994.
    """
    for found in course.health.memories:
        norms = found.gradients
        if len(norms) <= NEAR or norms[-1 - NEAR] >= FADED * norms[-1]:
            continue
        steps = next(k for k in range(1, NEAR + 1) if norms[-1 - k] < FADED * norms[-1])
        what = f"the gradient of {found.path} is 1000 times smaller {steps} steps back"
        advice = "`lstm` or `gru` in place of `simple_rnn`; `recurrent_initializer: orthogonal`, `forget_bias: 1`"
        yield Verdict("doubt", what, advice, found.path, {"steps": steps, "gradients": list(norms)})


@diagnosis("exploding_through_time")
def exploding_through_time(course: Course) -> Iterator[Verdict]:
    """A gradient that arrives at the last step is a thousand times larger somewhere before.

    Example:
        >>> from dltrain.diagnose.health import Health
        >>> from dltrain.diagnose.through_time import Memory
        >>> health = Health(memories=[Memory("h.0", "simple_rnn", tuple(3.0**k for k in range(12, -1, -1)))])
        >>> [verdict.where for verdict in exploding_through_time(Course({}, health=health))]
        ['h.0']

    Source: Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, 2013.
    """
    for found in course.health.memories:
        norms = found.gradients
        if not norms or not norms[-1] or max(norms) <= SWOLLEN * norms[-1]:
            continue
        factor = max(norms) / norms[-1]
        what = f"the gradient of {found.path} grows {factor:.3g} times on its way back through {len(norms)} steps"
        advice = "`clip_norm: 1` of the optimizer; `recurrent_initializer: orthogonal`; `tanh` in place of `relu`"
        yield Verdict("doubt", what, advice, found.path, {"factor": factor, "gradients": list(norms)})


@diagnosis("saturated_gates")
def saturated_gates(course: Course) -> Iterator[Verdict]:
    """More than half of the values of a gate are at its limits, where little gradient passes.

    Forget and update gates that stay open keep the state and count as sound; shut ones do not.

    Example:
        >>> from dltrain.diagnose.health import Health
        >>> from dltrain.diagnose.through_time import Memory
        >>> health = Health(memories=[Memory("h.0.lstm", "lstm", (1.0,), {"i": 0.1, "o": 0.7})])
        >>> [verdict.evidence for verdict in saturated_gates(Course({}, health=health))]
        [{'o': 0.7}]

    Source: Karpathy, Johnson, Fei-Fei: Visualizing and understanding recurrent networks, 2015.
    """
    for found in course.health.memories:
        full = {gate: share for gate, share in found.saturated.items() if share > SATURATED}
        if full:
            listed = ", ".join(f"{share:.0%} of {gate}" for gate, share in full.items())
            what = f"gates of {found.path} are at their limits: {listed}"
            advice = f"scale the inputs (`prepare: [standardize]`); {rate_times(course, 0.3)}"
            yield Verdict("doubt", what, advice, found.path, full)
