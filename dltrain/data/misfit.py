"""The fault of one value, before it is known where the value came from."""

from __future__ import annotations


class Misfit(Exception):
    """A value that a preparation cannot take.

    Parameters:
        what: what is wrong
        row: its row in the array that was given
        place: its position within the row
        expected: what would be right
        hint: what to do
    """

    def __init__(self, what: str, row: int, place: tuple[int, ...], expected: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.row, self.place, self.expected, self.hint = what, row, place, expected, hint
