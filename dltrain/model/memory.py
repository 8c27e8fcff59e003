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

Request = tuple[Shape, Any, int]  # shape, dtype, border


def aligned(size: int) -> Array:
    """`size` bytes that start on a cache line."""
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]


def aligned_zeros(shape: Shape, dtype: Any) -> Array:
    """Zeros that start on a cache line."""
    block = aligned(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    block[:] = 0
    return block.view(dtype).reshape(shape)


def bordered_shape(shape: Shape, border: int) -> Shape:
    """Shape of the buffer behind an (N, H, W, C) array that has a zero border."""
    if not border:
        return shape
    n, *space, channels = shape
    return (n, *(extent + 2 * border for extent in space), channels)


def interior(whole: Array, border: int) -> Array:
    """The array inside its border."""
    if not border:
        return whole
    inside = slice(border, -border)
    return whole[(slice(None), *[inside] * (whole.ndim - 2), slice(None))]


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
    zeroed: int  # bytes at the start that hold bordered buffers and must begin as zeros
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
        self._wholes: dict[int, tuple[weakref.ref[Array], Array, int]] = {}

    def begin(self, key: Hashable) -> None:
        """Start a step of a kind; arrays of the step before are no longer anyone's."""
        if self._recording is not None and self._recording.open:
            self._finish_recording()
        self._key, self._cursor = key, 0
        self._plan = self._plans.get(key)
        if self._plan is None:
            self._recording = Recording()

    def empty(self, shape: Shape, dtype: Any, border: int = 0) -> Array:
        """An array of any content, valid until the end of the step."""
        index = self._cursor
        self._cursor = index + 1
        plan = self._plan
        if plan is not None:
            if index < len(plan.requests) and plan.requests[index] == (shape, dtype, border):
                return plan.views[index]
            # The step asks for something else than when it was recorded: the rest comes from the heap, and the
            # next step of this kind is recorded again.
            del self._plans[self._key]
            self._plan = None
        return self._from_heap(shape, dtype, border)

    def whole(self, array: Array) -> tuple[Array, int]:
        """The buffer behind an array that was born with a zero border, and the border; else the array and 0."""
        entry = self._wholes.get(id(array))
        return (entry[1], entry[2]) if entry is not None and entry[0]() is array else (array, 0)

    def planned_bytes(self, key: Hashable) -> int:
        """Size of the planned memory of a kind of step; 0 while it has no plan."""
        if self._recording is not None and self._recording.open:
            self._finish_recording()
        return self._plans[key].size if key in self._plans else 0

    def _from_heap(self, shape: Shape, dtype: Any, border: int) -> Array:
        full = bordered_shape(shape, border)
        block = aligned(int(np.prod(full)) * np.dtype(dtype).itemsize)
        if border:
            block[:] = 0
        recording = self._recording
        if recording is not None and recording.open:
            position = len(recording.requests)
            recording.requests.append((shape, dtype, border))
            recording.deaths.append(None)
            base = block.base
            assert base is not None
            weakref.finalize(base, self._note_death, recording, position).atexit = False
        return self._view(block, full, dtype, border)

    def _view(self, block: Array, full: Shape, dtype: Any, border: int) -> Array:
        whole = block.view(dtype).reshape(full)
        if not border:
            return whole
        inner = interior(whole, border)
        # A weak key: the entry's own reference to `whole` would otherwise keep a recorded array alive for ever.
        key = id(inner)
        self._wholes[key] = (weakref.ref(inner, lambda _: self._wholes.pop(key, None)), whole, border)
        return inner

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
        if plan.size > self._memory.nbytes or plan.zeroed:
            # Plans with borders get memory of their own, which nobody else writes: their borders stay zero.
            memory = aligned(plan.size)
            memory[: plan.zeroed] = 0
            if not plan.zeroed:
                self._memory = memory
                for other in self._plans.values():
                    if other is not plan and not other.zeroed:
                        self._make_views(other, memory)
            self._make_views(plan, memory)
        else:
            self._make_views(plan, self._memory)

    def _make_views(self, plan: Plan, memory: Array) -> None:
        plan.views = []
        for (shape, dtype, border), offset in zip(plan.requests, plan.offsets, strict=True):
            full = bordered_shape(shape, border)
            size = int(np.prod(full)) * np.dtype(dtype).itemsize
            plan.views.append(self._view(memory[offset : offset + size], full, dtype, border))


def place(requests: list[Request], deaths: list[int | None]) -> Plan:
    """Give each request an offset: lives that overlap never share a byte, others may.

    Bordered buffers share only with their like, one after the other, so that no one else ever writes their
    borders; the rest is placed largest first at the lowest free offset.
    """
    count = len(requests)
    ends = [count + 1 if death is None else max(death, i + 1) for i, death in enumerate(deaths)]
    sizes = [_rounded(int(np.prod(bordered_shape(s, b))) * np.dtype(d).itemsize) for s, d, b in requests]
    offsets = [0] * count
    top = 0
    lanes: dict[Request, list[list[int]]] = {}
    for i in (i for i in range(count) if requests[i][2]):
        lane = next((lane for lane in lanes.setdefault(requests[i], []) if ends[lane[-1]] <= i), None)
        if lane is None:
            lanes[requests[i]].append(lane := [])
        lane.append(i)
    for lane in (lane for group in lanes.values() for lane in group):
        for i in lane:
            offsets[i] = top
        top += sizes[lane[0]]
    base, placed = top, list[int]()
    for i in sorted((i for i in range(count) if not requests[i][2]), key=lambda i: -sizes[i]):
        at = base
        for j in sorted((j for j in placed if j < ends[i] and i < ends[j]), key=lambda j: offsets[j]):
            if at + sizes[i] <= offsets[j]:
                break
            at = max(at, offsets[j] + sizes[j])
        offsets[i] = at
        placed.append(i)
        top = max(top, at + sizes[i])
    return Plan(requests, ends, offsets, top, base)


def _rounded(size: int) -> int:
    """Up to whole cache lines."""
    return -(-size // LINE) * LINE
