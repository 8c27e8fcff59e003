"""Plain NumPy kernels, forward and backward: the specification of all others.

Any dtype (float64 and complex128 for gradient checks), any strides.  Every function writes into the `out`
(or the gradients) its caller gives and returns it.  Nothing takes an absolute value or compares complex
numbers: where an order is needed the real part decides, so that the complex step is exact.
"""
