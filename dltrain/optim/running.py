"""One step of an optimizer on the flat vectors: by one kernel for the whole chain where there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dltrain.kernels.arrays import Array
from dltrain.optim.adam_family import ScaleByAdam, ScaleByNadam, ScaleByRadam
from dltrain.optim.groups import Part, Vector
from dltrain.optim.moment import Moment
from dltrain.optim.numbers import at
from dltrain.optim.transforms import (
    ClipEachNorm,
    ClipNorm,
    ClipValue,
    Kernels,
    Momentum,
    RunningMean,
    ScaleByLion,
    ScaleByRms,
    ScaleBySum,
    Transform,
    Turn,
)

# Chains that one kernel does in one pass over the vectors.  Such a kernel takes the value, the gradient, the slots
# of all transforms, a factor of the gradient (from clipping), learning rate and decay, and the transforms' numbers.
FUSED: dict[tuple[type[Transform], ...], str] = {
    (): "descend",
    (Momentum,): "descend_momentum",
    (RunningMean,): "descend_momentum",
    (ScaleByRms,): "descend_rms",
    (ScaleBySum,): "descend_rms",
    (ScaleByAdam,): "descend_adam",
    (ScaleByNadam,): "descend_adam",
    (ScaleByRadam,): "descend_adam",
    (ScaleByLion,): "descend_lion",
}
CLIPS = (ClipValue, ClipEachNorm, ClipNorm)

Run = Callable[[Moment, int, float], None]  # (moment, count of the step from 1, learning rate)


def chain_of(
    transforms: Sequence[Transform],
    slots: Mapping[str, Array],
    vector: Vector,
    kernels: Kernels,
    parts: Sequence[Part],
    fused: bool,
) -> Run:
    """What does a step.

    Parameters:
        transforms: of the optimizer
        slots: {name: array} of all transforms
        vector: values and gradients
        kernels: for their dtype
        parts: of the vector
        fused: whether a kernel may do the whole chain, but for clipping at its start
    """
    clips = 0
    while clips < len(transforms) and isinstance(transforms[clips], CLIPS):
        clips += 1
    name = FUSED.get(tuple(type(transform) for transform in transforms[clips:])) if fused else None
    kernel = getattr(kernels, name) if name else kernels.descend
    before, within = (transforms[:clips], transforms[clips:]) if name else (transforms, ())
    arrays = [slots[slot] for transform in within for slot in transform.slots]
    pieces = [(part, vector.value[part.place], [array[part.slot] for array in arrays]) for part in parts]
    prepare = _prepare(before, slots, vector, kernels, parts)

    begins = sorted({part.begin for part in parts})

    def run(moment: Moment, count: int, rate: float) -> None:
        turn = Turn(moment, count, ())
        factor, updates = prepare(turn)
        numbers = {}
        for begin in begins:
            own_turn = _since(turn, begin)
            numbers[begin] = [number for transform in within for number in transform.numbers(own_turn)]
        for (part, value, own), update in zip(pieces, updates, strict=True):
            speed = rate * part.multiplier if part.learning_rate is None else at(part.learning_rate, moment)
            kernel(value, update, *own, factor, speed, at(part.weight_decay, moment), *numbers[part.begin])

    return run


def _prepare(
    transforms: Sequence[Transform],
    slots: Mapping[str, Array],
    vector: Vector,
    kernels: Kernels,
    parts: Sequence[Part],
) -> Callable[[Turn], tuple[float, list[Array]]]:
    """From a turn to a factor and the updates of the parts, which it multiplies; a norm alone needs no copy of them."""
    grads = [vector.grad[part.place] for part in parts]
    if not transforms:
        return lambda turn: (1.0, grads)
    if len(transforms) == 1 and isinstance(clip := transforms[0], ClipNorm):
        return lambda turn: (clip.factor(kernels, grads), grads)
    update = vector.zeros(sum(grad.size for grad in grads))
    updates = [update[part.slot] for part in parts]
    ages = _ages(parts)
    whole = [(0, slice(0, len(update)))]
    stages: list[tuple[Transform, int, Array, list[Array]]] = [
        (transform, begin, update[place], [slots[slot][place] for slot in transform.slots])
        for transform in transforms
        for begin, place in (ages if transform.slots else whole)
    ]
    each = any(isinstance(transform, ClipEachNorm) for transform in transforms)
    tensors = _tensors(vector, parts) if each else []

    def prepare(turn: Turn) -> tuple[float, list[Array]]:
        for target, grad in zip(updates, grads, strict=True):
            target[:] = grad
        for transform, begin, some, own in stages:
            transform.apply(kernels, some, own, _since(turn, begin)._replace(tensors=tensors))
        return 1.0, updates

    return prepare


def _since(turn: Turn, begin: int) -> Turn:
    """A step as those see it that are trained from an epoch on: their running means are as young as they are."""
    return turn if begin == 0 else turn._replace(count=turn.count - begin * turn.moment.steps_per_epoch)


def _ages(parts: Sequence[Part]) -> list[tuple[int, slice]]:
    """(first epoch, place in the slots) of the parts that are trained from one epoch on, which lie side by side."""
    found: list[tuple[int, slice]] = []
    for begin in sorted({part.begin for part in parts}):
        places = [part.slot for part in parts if part.begin == begin]
        found.append((begin, slice(min(p.start for p in places), max(p.stop for p in places))))
    return found


def _tensors(vector: Vector, parts: Sequence[Part]) -> list[slice]:
    """Where each trained parameter lies in the slots."""
    return [
        slice(place.start + part.slot.start - part.place.start, place.stop + part.slot.start - part.place.start)
        for part in parts
        for place in vector.slices.values()
        if part.place.start <= place.start < part.place.stop
    ]
