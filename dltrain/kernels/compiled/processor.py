"""Which register tile suits the processor that Numba compiles for."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import llvmlite.binding as llvm
from numba.core import config
from numba.core.codegen import get_host_cpu_features

# A product of eight lanes: the instructions it becomes say what the processor has.
PROBE = """
define <16 x float> @probe(<16 x float> %a, <16 x float> %b, <16 x float> %c) {
  %r = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %c)
  ret <16 x float> %r
}
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""


class Tile(NamedTuple):
    """A block of a product that is held in registers: rows × (vectors · lanes) columns.

    Parameters:
        rows: rows of the block
        vectors: vector registers a row takes
        lanes: float32 numbers in a vector register
    """

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        """Columns of the block, which is the width of a packed panel."""
        return self.vectors * self.lanes


# As many accumulators as the registers allow beside one row of B and one broadcast number of A.
TILES = {
    "zmm": Tile(8, 2, 16),  # AVX-512, 32 registers; with 12 rows whole dense steps took 3 to 8 % longer
    "ymm": Tile(6, 2, 8),  # AVX2, 16 registers
    "neon": Tile(8, 2, 4),  # 32 registers, but a product by lane needs A in registers too
    "other": Tile(4, 2, 4),  # SSE: 16 registers, no fused multiply-add
}


@lru_cache(maxsize=1)
def tile() -> Tile:
    """The tile for the processor Numba compiles for, which NUMBA_CPU_NAME and NUMBA_CPU_FEATURES may change."""
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    features = config.CPU_FEATURES
    if features is None:
        features = "" if config.CPU_NAME else get_host_cpu_features()
    return TILES[registers(name, features)]


def registers(name: str, features: str) -> str:
    """The widest registers LLVM uses for a processor: zmm, ymm, neon or other.

    Parameters:
        name: LLVM's name of the processor
        features: LLVM's feature string, ``+avx2,-avx512f``
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    if target.name.startswith(("aarch64", "arm64")):
        return "neon"
    machine = target.create_target_machine(cpu=name, features=features, opt=2)
    code = machine.emit_assembly(llvm.parse_assembly(PROBE))
    if "vfmadd" not in code:
        return "other"
    return "zmm" if "zmm" in code else "ymm"
