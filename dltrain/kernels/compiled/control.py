# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""The processor's treatment of subnormal numbers, a register of each thread.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 10.2.3 (MXCSR); Arm Architecture
Reference Manual, FPCR.
"""

from __future__ import annotations

from llvmlite import binding, ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from dltrain.kernels.compiled.jit import INNER, PARALLEL, compiled, kernel, thread

I32, I64 = ir.IntType(32), ir.IntType(64)
X86 = 0x8040  # flush to zero, and take what is read for zero
ARM = 1 << 24  # both in one
MACHINE = binding.get_default_triple().partition("-")[0]


def write_x86(builder, on):
    """The control word MXCSR is stored to memory, changed and loaded back."""
    place = cgutils.alloca_once(builder, I32)
    pointer = builder.bitcast(place, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [pointer.type])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr"), [pointer])
    builder.store(changed(builder, builder.load(place), on, ir.Constant(I32, X86)), place)
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr"), [pointer])


def write_arm(builder, on):
    """The register FPCR is read and written whole."""
    get = cgutils.get_or_insert_function(builder.module, ir.FunctionType(I64, []), "llvm.aarch64.get.fpcr")
    put = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [I64]), "llvm.aarch64.set.fpcr")
    builder.call(put, [changed(builder, builder.call(get, []), on, ir.Constant(I64, ARM))])


def changed(builder, word, on, bits):
    """A control word with some bits set or cleared."""
    return builder.select(on, builder.or_(word, bits), builder.and_(word, builder.not_(bits)))


WRITERS = {"x86_64": write_x86, "aarch64": write_arm, "arm64": write_arm}


@intrinsic
def flush_here(_, on):
    """Switch the flushing of subnormals on or off in the thread that calls."""

    def generate(context, builder, _, values):
        write = WRITERS.get(MACHINE)
        if write:
            write(builder, values[0])
        return context.get_dummy_value()

    return types.void(types.boolean), generate


@njit(**INNER)
def here(on):
    """Not inlined into a loop, out of which LLVM could move it."""
    flush_here(on)


@kernel("bool int", **PARALLEL)
def flush(on, threads):
    """Switch it in every thread."""
    if threads == 1:
        here(on)
    else:
        for _ in prange(threads):
            here(on)


def flush_subnormals(on: bool) -> None:
    """See the reference."""
    compiled.flush(on, 1 if thread.alone else compiled.threads)
