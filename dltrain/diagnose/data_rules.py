"""Rules on the data as the model gets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dltrain.diagnose.checkup import SAMPLES
from dltrain.diagnose.rule import Verdict, rule

if TYPE_CHECKING:
    from dltrain.diagnose.checkup import Checkup

LARGE, SMALL = 20.0, 0.01  # root mean squares that inputs should stay between
APART = 100.0  # times that the largest column is larger than the smallest
ROWS = 20_000  # that are looked at: rare words of a table must be among them
FAR = 30.0  # mean square of targets, in which a first gradient is that many times too large


@rule("unscaled_inputs")
def unscaled_inputs(checkup: Checkup) -> Iterator[Verdict]:
    """Inputs that are large, tiny, or very different in size from column to column.

    Weights start for inputs of about 1.  Larger ones saturate the first layer and make its gradient too large, and
    columns of different sizes make valleys along which descent creeps.

    Example:
        >>> from dltrain import config
        >>> from dltrain.diagnose.checkup import Checkup
        >>> whole = {"data": {"source": "wine", "prepare": []}, "model": {"graph": {"y": ["dense"]}}}
        >>> [verdict.where for verdict in unscaled_inputs(Checkup(config.from_mapping(whole)))]
        ['data.prepare']

    Source: LeCun, Bottou, Orr, Müller: Efficient backprop, 1998, section 4.3.
    """
    x = np.asarray(checkup.examples("train", ROWS if len(checkup.data.shape) == 1 else SAMPLES).columns["x"])
    if x.dtype.kind != "f":
        return
    table = x.ndim == 2
    axis, there = 0 if table else None, x != 0
    squares = np.square(x, dtype=np.float64).sum(axis)
    sizes = np.sqrt(squares / np.maximum(there.sum(axis), 1)).reshape(-1)  # of what is not 0
    present = sizes[sizes > 0]
    if not present.size:
        return
    low, high = float(present.min()), float(present.max())
    evidence = {"smallest": low, "largest": high}
    advice = "`prepare: [standardize]`" if table else "`prepare: [scale: 255]` for pixels, or `standardize`"
    names, largest = checkup.data.input_names, int(sizes.argmax())
    name = "" if not table else names[largest] if len(names) == len(sizes) else f"column {largest}"
    if high > LARGE or high < SMALL:
        what = f"the inputs {f'of {name} ' if name else ''}have a size of about {high:.3g}; weights start for about 1"
        yield Verdict("doubt", what, advice, "data.prepare", evidence)
    elif table and high > APART * low:
        what = f"columns differ in size: {high:.3g} ({name}) and {low:.3g}"
        yield Verdict("doubt", what, advice, "data.prepare", evidence)


@rule("unscaled_targets")
def unscaled_targets(checkup: Checkup) -> Iterator[Verdict]:
    """Targets of a regression that are large: the first gradients are as large, and the outputs have far to go.

    `data.prepare_target` brings them to mean 0 and deviation 1 for the training; metrics and predictions keep the
    unit of the data.

    Example:
        >>> from dltrain import config
        >>> from dltrain.diagnose.checkup import Checkup
        >>> whole = {"task": "regression", "data": {"source": "diabetes", "prepare_target": []},
        ...     "model": {"graph": {"y": ["dense"]}}}
        >>> [verdict.where for verdict in unscaled_targets(Checkup(config.from_mapping(whole)))]
        ['data.prepare_target']

    Source: Bishop: Neural networks for pattern recognition, 1995, section 8.2.
    """
    y = checkup.examples().columns.get("y")
    if checkup.data.classes is not None or y is None or y.dtype.kind != "f" or checkup.data.heads:
        return
    size = float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))
    if size > FAR:
        what = f"the targets have a size of about {size:.3g}; outputs start at about 1"
        yield Verdict("doubt", what, "`prepare_target: [standardize]`", "data.prepare_target", {"size": size})
