"""What a language model writes."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, note
from dltrain.report.html import Child, element

TEXTS, LENGTH, TEMPERATURE = 3, 240, 0.8


def writing(run: Material) -> Iterator[Child]:
    """A few texts, each drawn with another seed."""
    from dltrain.training.generation import Writer

    if run.run.kind != "language_model":
        raise LeftOut("the run writes no texts")
    writer = Writer(run.run)
    yield note(f"Temperature {TEMPERATURE}, seeds 0 to {TEXTS - 1}; `dltrain generate` writes more.")
    for seed in range(TEXTS):
        yield element("pre", writer.write("", LENGTH, temperature=TEMPERATURE, seed=seed))
