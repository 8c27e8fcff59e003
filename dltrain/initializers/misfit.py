"""What all initializers speak of: the fans of a unit, and a tensor that cannot be filled."""

from __future__ import annotations

Fans = tuple[int, int]  # (inputs, outputs) of one unit


class Misfit(Exception):
    """An initializer cannot fill a tensor of this shape; the model turns it into an error with the layer's place.

    Parameters:
        what: what is wrong
        expected: what would fit
        got: what was found
        hint: what to do
    """

    def __init__(self, what: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.expected, self.got, self.hint = what, expected, got, hint
