"""How long threads that wait go on spinning before they sleep."""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Callable

import llvmlite.binding as llvm

SPIN = 2e-4  # seconds
TRIAL = 1000  # pauses that are timed
FALLBACK = 3000  # pauses, where they can't be timed

PAUSES = """
define void @pauses(i64 %count) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  call void @llvm.x86.sse2.pause()
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %loop, label %end
end:
  ret void
}
declare void @llvm.x86.sse2.pause()
"""


def spin_count(seconds: float = SPIN) -> int:
    """How many pauses of the processor fill this time.

    A pause takes 10 ns on one processor and 65 on another, and OpenMP can only be told their number.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return FALLBACK
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(PAUSES), machine)
    engine.finalize_object()
    pauses = ctypes.CFUNCTYPE(None, ctypes.c_int64)(engine.get_function_address("pauses"))
    return max(1, round(seconds / (min(timed(pauses) for _ in range(3)) / TRIAL)))


def timed(pauses: Callable[[int], None]) -> float:
    """Seconds that some pauses take."""
    start = time.perf_counter()
    pauses(TRIAL)
    return time.perf_counter() - start
