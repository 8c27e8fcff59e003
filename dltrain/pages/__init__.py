"""Pages: everything about a run, several runs or a sweep, on one page of HTML that loads nothing.

what it is about (Material, Study) -> sections -> elements -> the text of a page

A section is a function that yields elements, or says by `LeftOut` why it does not apply.  To add one, write it in a
file of its own and put it into the table of `run/`, `comparison.py` or `study.py`.
"""

from dltrain.pages.report import report

__all__ = ["report"]
