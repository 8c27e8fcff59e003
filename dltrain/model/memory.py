"""The arena: all arrays of a step at places planned beforehand.

The first step of a kind (training or not, this batch size) is recorded: each request is answered from
the heap, and a weak reference notes when the array dies.  From then on every request is answered with a
view made beforehand, at an offset planned from those lives: no allocation, no page fault, and arrays whose
lives do not overlap share memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dltrain.layers.base import Array, Shape

LINE = 64  # bytes of a cache line; every array starts on one

Request = tuple[Shape, Any]  # shape, dtype


def aligned(size: int) -> Array:
    """`size` bytes that start on a cache line."""
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]


def aligned_zeros(shape: Shape, dtype: Any) -> Array:
    """Zeros that start on a cache line."""
    block = aligned(size_of(shape, dtype))
    block[:] = 0
    return block.view(dtype).reshape(shape)


@dataclass
class Recording:
    """What one step asked for, and when each array died (as a position in the sequence of requests)."""

    requests: list[Request] = field(default_factory=list)
    deaths: list[int | None] = field(default_factory=list)
    open: bool = True


@dataclass
class Plan:
    """Offsets for the requests of a step, and the views made from them."""

    requests: list[Request]
    ends: list[int]
    offsets: list[int]
    size: int
    views: list[Array] = field(default_factory=list)


class Arena:
    """Hands out the arrays of a step.

    Example:
        >>> arena = Arena()
        >>> for step in range(3):
        ...     arena.begin("train")
        ...     x = arena.empty((2, 3), np.dtype("float32"))
        >>> arena.planned_bytes("train")
        64
    """

    def __init__(self) -> None:
        self._plans: dict[Hashable, Plan] = {}
        self._memory = aligned(0)
        self._key: Hashable = None
        self._plan: Plan | None = None
        self._recording: Recording | None = None
        self._cursor = 0

    def begin(self, key: Hashable) -> None:
        """Start a step of a kind; arrays of the step before are no longer anyone's."""
        if self._recording is not None and self._recording.open:
            self._finish_recording()
        self._key, self._cursor = key, 0
        self._plan = self._plans.get(key)
        if self._plan is None:
            self._recording = Recording()

    def empty(self, shape: Shape, dtype: Any) -> Array:
        """An array of any content, valid until the end of the step."""
        index = self._cursor
        self._cursor = index + 1
        plan = self._plan
        if plan is not None:
            if index < len(plan.requests) and plan.requests[index] == (shape, dtype):
                return plan.views[index]
            # The step asks for something else than when it was recorded: the rest comes from the heap, and the
            # next step of this kind is recorded again.
            del self._plans[self._key]
            self._plan = None
        return self._from_heap(shape, dtype)

    def planned_bytes(self, key: Hashable) -> int:
        """Size of the planned memory of a kind of step; 0 while it has no plan."""
        if self._recording is not None and self._recording.open:
            self._finish_recording()
        return self._plans[key].size if key in self._plans else 0

    def _from_heap(self, shape: Shape, dtype: Any) -> Array:
        block = aligned(size_of(shape, dtype))
        recording = self._recording
        if recording is not None and recording.open:
            position = len(recording.requests)
            recording.requests.append((shape, dtype))
            recording.deaths.append(None)
            base = block.base
            assert base is not None
            weakref.finalize(base, self._note_death, recording, position).atexit = False
        return block.view(dtype).reshape(shape)

    def _note_death(self, recording: Recording, position: int) -> None:
        if recording.open:
            recording.deaths[position] = self._cursor

    def _finish_recording(self) -> None:
        recording = self._recording
        assert recording is not None
        recording.open = False
        self._recording = None
        if not recording.requests:
            return
        plan = place(recording.requests, recording.deaths)
        self._plans[self._key] = plan
        if plan.size > self._memory.nbytes:
            self._memory = aligned(plan.size)
            for each in self._plans.values():
                self._make_views(each)
        else:
            self._make_views(plan)

    def _make_views(self, plan: Plan) -> None:
        plan.views = [
            self._memory[offset : offset + size_of(shape, dtype)].view(dtype).reshape(shape)
            for (shape, dtype), offset in zip(plan.requests, plan.offsets, strict=True)
        ]


def place(requests: list[Request], deaths: list[int | None]) -> Plan:
    """Give each request an offset, largest first the lowest that is free: lives that overlap never share a byte."""
    count = len(requests)
    ends = [count + 1 if death is None else max(death, i + 1) for i, death in enumerate(deaths)]
    sizes = [_rounded(size_of(*request)) for request in requests]
    offsets, top = [0] * count, 0
    placed: list[int] = []
    for i in sorted(range(count), key=lambda i: -sizes[i]):
        at = 0
        for j in sorted((j for j in placed if j < ends[i] and i < ends[j]), key=lambda j: offsets[j]):
            if at + sizes[i] <= offsets[j]:
                break
            at = max(at, offsets[j] + sizes[j])
        offsets[i] = at
        placed.append(i)
        top = max(top, at + sizes[i])
    return Plan(requests, ends, offsets, top)


def size_of(shape: Shape, dtype: Any) -> int:
    """Bytes of an array."""
    return int(np.prod(shape)) * int(np.dtype(dtype).itemsize)


def _rounded(size: int) -> int:
    """Up to whole cache lines."""
    return -(-size // LINE) * LINE
