"""Whether a model is as often right as it is sure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dltrain.metrics.certainty import CalibrationError
from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart, note
from dltrain.report.html import Child, element, number
from dltrain.report.svg import line_chart


def calibration(run: Material) -> Iterator[Child]:
    """The reliability diagram: share of right predictions over the confidence, in bins.

    Source: Niculescu-Mizil, Caruana: Predicting good probabilities with supervised learning, 2005.
    """
    heads = {name: head.collectors["certainty"] for name, head in run.heads.items() if "certainty" in head.collectors}
    if not heads:
        raise LeftOut("the task predicts no probability of one class among several")
    for name, certainty in heads.items():
        if name:
            yield element("h3", name)
        counts, confidence, right = certainty.arrays["bins"]
        there = np.flatnonzero(counts)
        sure, share = confidence[there] / counts[there], right[there] / counts[there]
        series = {"the model": (sure.tolist(), share.tolist()), "ideal": ([0.0, 1.0], [0.0, 1.0])}
        rows = [[*map(float, row), int(n)] for *row, n in zip(sure, share, counts[there], strict=True)]
        headers = ["confidence", "right", "samples"]
        yield chart(line_chart("Reliability", "confidence", "share that is right", series), headers, rows)
        error = CalibrationError()(certainty.arrays)
        yield note(f"Expected calibration error {number(error)}; a line below the ideal one is too sure of itself.")
