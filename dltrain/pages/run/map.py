"""Where a network puts the examples: maps of what its last layer reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.html import Child
from dltrain.report.svg import scatter_chart

MOST = 150  # examples
FEWEST = 10
PERPLEXITY = 20.0
STEPS = 300  # of t-SNE, whose far groups have parted by then


def embeddings(run: Material) -> Iterator[Child]:
    """The inputs of the last layer for some examples, by principal components and by t-SNE."""
    from dltrain.explore.components import Pca
    from dltrain.explore.embedding import Tsne

    subject, layer = embedded(run)
    maps = {"principal components": Pca(2).explore(subject, lambda text: None).columns}
    if len(subject) > 3 * PERPLEXITY:
        maps["t-SNE"] = Tsne(PERPLEXITY, max_iter=STEPS).explore(subject, lambda text: None).columns
    groups = subject.groups()
    texts = {name: [f"sample {subject.ids[i]}: {name}" for i in at] for name, at in groups.items()}
    for title, columns in maps.items():
        if len(columns) > 1:
            (x_label, x), (y_label, y) = columns.items()
            points = {name: (x[at].tolist(), y[at].tolist()) for name, at in groups.items()}
            axes = x_label.replace("_", " "), y_label.replace("_", " ")
            rows = [[int(subject.ids[i]), name, float(x[i]), float(y[i])] for name, at in groups.items() for i in at]
            figure = scatter_chart(f"{layer}: {title}", *axes, points, texts)
            yield chart(figure, ["sample", "group", *axes], rows)


def embedded(run: Material) -> tuple[Any, str]:
    """The examples as the last layer reads them, and the layer that they come from."""
    from dltrain.explore.subject import Subject, target_of

    graph, wire = run.network.graph, run.network.task.evaluated_wires[0]
    if len(graph.wires[wire]) != 1:
        raise LeftOut("the network gives an answer for each place, none for a sample as a whole")
    examples = run.drawn(MOST)
    if len(examples) < FEWEST:
        raise LeftOut(f"the {run.part} part has {len(examples)} samples only")
    last = run.inside.nodes[graph.plan.wires[wire]]
    layer = last.inputs[0]
    x = run.features(examples)
    values = run.inside.values(x, [layer])[layer] if layer in run.inside.nodes else x
    flat = np.asarray(values, np.float64).reshape(len(examples), -1)
    if flat.shape[1] < 2 or (flat == flat[0]).all():
        raise LeftOut(f"{layer} has one value only")
    y, classes, name = target_of(run.data, examples.columns["y"])
    labels, targets = (y, None) if classes is not None else (None, y)
    return Subject(flat, examples.ids, labels, classes, targets, name), layer
