"""Where a network puts the examples: maps of what its last layer reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dltrain.layers.base import Array
from dltrain.pages.material import Material
from dltrain.pages.section import LeftOut, chart
from dltrain.report.html import Child
from dltrain.report.svg import scatter_chart

if TYPE_CHECKING:
    from dltrain.explore.subject import Subject

MOST = 150  # examples
PERPLEXITY = 20.0
STEPS = 300  # of t-SNE, whose groups have parted by then
SMALL = 1e-4  # deviation of the places that t-SNE begins with


def embeddings(run: Material) -> Iterator[Child]:
    """The inputs of the last layer for some examples, by principal components and by t-SNE.

    Source: van der Maaten, Hinton: Visualizing data using t-SNE, 2008.
    """
    subject, layer = embedded(run)
    first_two = components(subject.x)
    maps = {"principal components": first_two}
    if len(subject) > 3 * PERPLEXITY:
        maps["t-SNE"] = neighbours(subject.x, first_two, subject.random_state)
    groups = subject.groups()
    texts = {name: [f"sample {subject.ids[i]}: {name}" for i in at] for name, at in groups.items()}
    for title, places in maps.items():
        points = {name: (places[at, 0].tolist(), places[at, 1].tolist()) for name, at in groups.items()}
        rows = [[int(subject.ids[i]), name, *map(float, places[i])] for name, at in groups.items() for i in at]
        figure = scatter_chart(f"{layer}: {title}", "first coordinate", "second coordinate", points, texts)
        yield chart(figure, ["sample", "group", "first", "second"], rows)


def embedded(run: Material) -> tuple[Subject, str]:
    """The examples as the last layer reads them, and the layer that they come from."""
    from dltrain.explore.subject import Subject, target_of

    graph, wire = run.network.graph, run.network.task.evaluated_wires[0]
    if len(graph.wires[wire]) != 1:
        raise LeftOut("the network gives an answer for each place, none for a sample as a whole")
    examples = run.drawn(MOST)
    layer = run.inside.nodes[graph.plan.wires[wire]].inputs[0]
    x = run.features(examples)
    values = run.inside.values(x, [layer])[layer] if layer in run.inside.nodes else x
    flat = np.asarray(values, np.float64).reshape(len(examples), -1)
    if min(flat.shape) < 2 or (flat == flat[0]).all():
        raise LeftOut(f"{layer} has one value only")
    y, classes, name = target_of(run.data, examples.columns["y"])
    labels, targets = (y, None) if classes is not None else (None, y)
    return Subject(flat, examples.ids, labels, classes, targets, name, seed=run.run.session.experiment.seed), layer


def components(x: Array) -> Array:
    """The first two principal components (N, 2) of samples (N, D), D ≥ 2.

    Example:
        >>> components(np.array([[0.0, 0.0], [3.0, 4.0]]))[:, 0].round(6).tolist()
        [-2.5, 2.5]
    """
    u, sizes, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    sign = np.sign(v[:2, np.abs(v[:2]).argmax(axis=1)].diagonal())  # a component may point either way
    return np.asarray(u[:, :2] * sizes[:2] * sign)


def neighbours(x: Array, first_two: Array, seed: int) -> Array:
    """A map (N, 2) on which samples that are neighbours stand together, from their principal components on."""
    from sklearn.manifold import TSNE

    start = first_two / (first_two[:, 0].std() or 1.0) * SMALL
    model = TSNE(perplexity=PERPLEXITY, max_iter=STEPS, init=start, method="exact", random_state=seed)
    return np.asarray(model.fit_transform(x))
