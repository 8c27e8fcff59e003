"""Writing LLVM functions on vectors of float32: what the loops of Numba cannot say.

A `Writer` is an IR builder inside a function of 64-bit integer arguments (addresses in bytes, strides in
elements).  Variables live in stack slots, which LLVM turns into registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

I1, I32, I64, F32 = ir.IntType(1), ir.IntType(32), ir.IntType(64), ir.FloatType()
Body = Callable[..., None]


def integer(value: int) -> ir.Constant:
    """A 64-bit constant."""
    return ir.Constant(I64, value)


class Writer:
    """Writes one LLVM function.

    Parameters:
        function: the function, of 64-bit integer arguments and no result
        lanes: float32 numbers in a vector
    """

    def __init__(self, function: ir.Function, lanes: int) -> None:
        self.function, self.lanes = function, lanes
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.vector = ir.VectorType(F32, lanes)
        self.zero = ir.Constant(self.vector, [0.0] * lanes)

    def element(self, address: Any, *offsets: Any) -> Any:
        """The address `offsets` elements (numbers or values) behind another."""
        for offset in offsets:
            bytes_ = integer(4 * offset) if isinstance(offset, int) else self.builder.mul(offset, integer(4))
            address = self.builder.add(address, bytes_)
        return address

    def absent(self, address: Any) -> Any:
        """Whether an address is 0, which says that there is nothing."""
        return self.builder.icmp_signed("==", address, integer(0))

    def slot(self, value: Any) -> Any:
        """A variable with a first value."""
        place = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, place)
        return place

    def mask(self, first: int, count: Any) -> Any:
        """Which lanes are below count, the first of them being number `first`."""
        numbers = ir.Constant(ir.VectorType(I64, self.lanes), [first + lane for lane in range(self.lanes)])
        return self.builder.icmp_signed("<", numbers, self.spread(count))

    def spread(self, value: Any) -> Any:
        """A vector of one value."""
        kind = ir.VectorType(value.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(undefined, value, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(
            one, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )

    def load(self, address: Any, mask: Any = None) -> Any:
        """A vector from memory; lanes outside the mask are 0 and not touched."""
        pointer = self.builder.inttoptr(address, self.vector.as_pointer())
        if mask is None:
            return self.builder.load(pointer, align=4)
        kind = ir.FunctionType(self.vector, [pointer.type, I32, mask.type, self.vector])
        name = f"llvm.masked.load.v{self.lanes}f32.p0"
        load = cgutils.get_or_insert_function(self.function.module, kind, name)
        return self.builder.call(load, [pointer, ir.Constant(I32, 4), mask, self.zero])

    def store(self, value: Any, address: Any, mask: Any = None) -> None:
        """A vector to memory; lanes outside the mask are not touched."""
        pointer = self.builder.inttoptr(address, self.vector.as_pointer())
        if mask is None:
            self.builder.store(value, pointer, align=4)
            return
        kind = ir.FunctionType(ir.VoidType(), [self.vector, pointer.type, I32, mask.type])
        name = f"llvm.masked.store.v{self.lanes}f32.p0"
        store = cgutils.get_or_insert_function(self.function.module, kind, name)
        self.builder.call(store, [value, pointer, ir.Constant(I32, 4), mask])

    def fetch(self, address: Any) -> None:
        """Bring the cache line of an address near, to be written soon; an address without memory does no harm."""
        pointer = self.builder.inttoptr(address, F32.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
        fetch = cgutils.get_or_insert_function(self.function.module, kind, "llvm.prefetch.p0")
        for_writing, keep, data = ir.Constant(I32, 1), ir.Constant(I32, 3), ir.Constant(I32, 1)
        self.builder.call(fetch, [pointer, for_writing, keep, data])

    def number(self, address: Any) -> Any:
        """One float32 from memory, in all lanes."""
        return self.spread(self.builder.load(self.builder.inttoptr(address, F32.as_pointer()), align=4))

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, fused where the processor can."""
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f32"
        return self.builder.call(cgutils.get_or_insert_function(self.function.module, kind, name), [a, b, c])

    @contextmanager
    def repeat(self, count: Any) -> Iterator[Any]:
        """A loop over 0 … count - 1."""
        with cgutils.for_range(self.builder, count, intp=I64) as loop:
            yield loop.index

    def either(self, condition: Any, then: Callable[[], None], other: Callable[[], None]) -> None:
        """Write both branches."""
        with self.builder.if_else(condition) as (yes, no):
            with yes:
                then()
            with no:
                other()


def routine(name: str, arguments: int, lanes: int, body: Body) -> Callable[[ir.Module], ir.Function]:
    """A function that gives a module's copy of an LLVM routine, writing it at the first request.

    Parameters:
        name: of the routine, unique
        arguments: how many 64-bit integers it takes
        lanes: float32 numbers in a vector
        body: writes it: body(writer, *arguments)
    """

    def get(module: ir.Module) -> ir.Function:
        if name in module.globals:
            return module.globals[name]
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
        function.linkage = "internal"  # every compiled kernel carries its own copy: nothing to resolve when cached
        function.attributes.add("noinline")
        function.attributes.add("nounwind")
        writer = Writer(function, lanes)
        body(writer, *function.args)
        writer.builder.ret_void()
        return function

    return get


def writing(get: Callable[[ir.Module], ir.Function], *given: Any) -> tuple[Any, Any]:
    """What an intrinsic returns that has a routine in the module of its caller, and calls it with integers."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        builder.call(get(builder.module), values)
        return context.get_dummy_value()

    return types.void(*([types.int64] * len(given))), generate


def calling(slot: int, table: Any, *given: Any) -> tuple[Any, Any]:
    """What an intrinsic returns that calls, with integers, the C function whose address is in a slot of a table."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(given))
        place = builder.inttoptr(builder.add(values[0], integer(8 * slot)), kind.as_pointer().as_pointer())
        builder.call(builder.load(place), values[1:])
        return context.get_dummy_value()

    return types.void(*([types.int64] * (1 + len(given)))), generate
