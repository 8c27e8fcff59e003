"""The kernels in Numba, for float32: the same functions as the reference's, by the same names, faster."""
