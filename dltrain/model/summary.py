"""What a model costs: shapes, parameters, multiply-adds, receptive field and memory of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from dltrain.layers.base import Layer, Shape
    from dltrain.model.graph import Graph

Field = tuple[int | Fraction, int | Fraction]  # receptive field, and distance of neighbours


@dataclass(frozen=True)
class Row:
    """One layer of a summary.

    Parameters:
        path: wire, position and kind
        kind: registered name
        output_shape: without the batch axis
        parameters: trained numbers that this layer is the first to use; shared weights count once
        shared: whether it uses the weights of a layer above
        macs: multiply-adds of one forward pass over one example
        receptive_field: how many positions of the input, along each axis of an image or sequence, a value sees; None
            where the output has no such axes
        activation_bytes: memory of its output for a whole batch
        frozen: numbers of parameters that are not trained
    """

    path: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    shared: bool
    macs: int
    receptive_field: int | None
    activation_bytes: int
    frozen: int = 0


@dataclass(frozen=True)
class Summary:
    """What a model costs.

    Parameters:
        rows: one for each layer, in the order of computation
        batch_size: examples in a batch
        parameter_bytes: memory of the trained parameters; their gradients take as much again
        statistic_bytes: memory of running means and the like
        optimizer_bytes: memory of the optimizer's slots
        input_bytes: memory of a batch of inputs
    """

    rows: tuple[Row, ...]
    batch_size: int
    parameter_bytes: int
    statistic_bytes: int
    optimizer_bytes: int
    input_bytes: int

    @property
    def parameters(self) -> int:
        """Trained numbers of the whole model."""
        return sum(row.parameters for row in self.rows)

    @property
    def frozen(self) -> int:
        """Numbers of the whole model that are frozen."""
        return sum(row.frozen for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-adds of one forward pass over one example."""
        return sum(row.macs for row in self.rows)

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of one training step by use; activations as if none shared memory: the arena needs less."""
        return {
            "parameters": self.parameter_bytes + self.statistic_bytes,
            "gradients": self.parameter_bytes,
            "optimizer": self.optimizer_bytes,
            "activations": self.input_bytes + sum(row.activation_bytes for row in self.rows),
        }

    @property
    def memory_bytes(self) -> int:
        """Bytes of one training step."""
        return sum(self.memory.values())

    def table(self, width: int = 80) -> Table:
        """Draw it for a terminal of so many columns."""
        return table(self, width)

    def as_json(self) -> dict[str, Any]:
        """The contract of `dltrain check --json`: {layers: [...], parameters, macs, memory_bytes}."""
        layers = [
            {
                "path": row.path,
                "kind": row.kind,
                "output_shape": list(row.output_shape),
                "parameters": row.parameters,
                "macs": row.macs,
            }
            for row in self.rows
        ]
        return {
            "layers": layers,
            "parameters": self.parameters,
            "frozen": self.frozen,
            "macs": self.macs,
            "memory_bytes": self.memory_bytes,
        }


def summarize(graph: Graph, batch_size: int, optimizer: Any = None) -> Summary:
    """Add up what a model costs.

    Parameters:
        graph: the model
        batch_size: examples in a batch
        optimizer: its `slots` says how many numbers it keeps for each parameter; None counts none
    """
    size = graph.dtype.itemsize
    shapes: dict[str, Shape] = dict(graph.inputs)
    fields = receptive_fields(graph)
    seen: set[int] = set()
    rows: list[Row] = []
    for node in graph.plan_nodes:
        layer, shared = node.layer, id(node.layer) in seen
        seen.add(id(layer))
        shapes[node.path] = tuple(node.shape)
        rows.append(
            Row(
                path=node.path,
                kind=node.kind,
                output_shape=tuple(node.shape),
                parameters=0 if shared else trained(layer),
                shared=shared and bool(layer.parameters),
                macs=layer.multiply_adds(node.shape, *[shapes[path] for path in node.inputs]),
                receptive_field=ceil(fields[node.path][0]) if len(node.shape) > 1 else None,
                activation_bytes=batch_size * prod(node.shape) * size,
                frozen=0 if shared else sum(p.size for p in layer.parameters if not p.trainable),
            )
        )
    held = sum(parameter.size for parameter in graph.parameters.values()) * size
    return Summary(
        rows=tuple(rows),
        batch_size=batch_size,
        parameter_bytes=held,
        statistic_bytes=sum(prod(statistic.shape) for statistic in graph.statistics.values()) * size,
        optimizer_bytes=0 if optimizer is None else int(optimizer.slots) * sum(row.parameters for row in rows) * size,
        input_bytes=batch_size * sum(prod(shape) for shape in graph.inputs.values()) * size,
    )


def receptive_fields(graph: Graph) -> dict[str, Field]:
    """{layer or input: (r, j)}: how many positions of the input a value sees, and how far apart its neighbours look.

    The receptive field r grows along the chain with the kernel size k and stride s of each layer:
    r ← r + (k - 1) j, j ← j s, where j is the distance of neighbours in the input; the widest input counts.

    Source: Araujo, Norris, Sim: Computing receptive fields of convolutional neural networks, 2019.
    """
    fields: dict[str, Field] = dict.fromkeys(graph.inputs, (1, 1))
    for node in graph.plan_nodes:
        fields[node.path] = widen([fields[path] for path in node.inputs], *node.layer.window())
    return fields


def widen(fields: Sequence[Field], kernel: int, stride: int | Fraction) -> Field:
    """(receptive field, distance of neighbours) behind a layer, in points of the model's input.

    Example:
        >>> widen([(3, 2), (5, 2)], 3, 1)
        (9, 2)
    """
    field, jump = max(fields)[0], max(jump for _, jump in fields)
    return field + (kernel - 1) * jump, jump * stride


def trained(layer: Layer) -> int:
    """How many numbers of a layer are trained."""
    return sum(parameter.size for parameter in layer.parameters if parameter.trainable)


def table(summary: Summary, width: int = 80) -> Table:
    """Draw a summary for a terminal; a narrow one gets fewer columns and shorter numbers.

    Parameters:
        summary: what to draw
        width: columns of the terminal
    """
    from rich import box
    from rich.table import Table

    wide, field = width >= 80, any((row.receptive_field or 1) > 1 for row in summary.rows)
    number = "{:,}".format if wide else short
    drawn = Table(box=box.SIMPLE_HEAD, show_footer=True, width=width, pad_edge=False, padding=(0, 1, 0, 0))
    frozen = [f"{summary.parameters:,} parameters are trained, {summary.frozen:,} frozen"] if summary.frozen else []
    drawn.caption, drawn.caption_justify = "\n".join([memory_line(summary), *frozen]), "left"
    drawn.add_column("layer", "total", overflow="fold", ratio=1)
    drawn.add_column("output", justify="right", overflow="fold", max_width=16)
    drawn.add_column("parameters" if wide else "params", number(summary.parameters), justify="right", no_wrap=True)
    drawn.add_column("multiply-adds" if wide else "macs", number(summary.macs), justify="right", no_wrap=True)
    if field:
        drawn.add_column("sees", justify="right", no_wrap=True)
    if wide:
        drawn.add_column(
            "memory", bytes_text(sum(row.activation_bytes for row in summary.rows)), justify="right", no_wrap=True
        )
    for row in summary.rows:
        counted = "shared" if row.shared else number(row.parameters) if row.parameters else ""
        cells = [row.path, "×".join(map(str, row.output_shape)) or "1", counted, number(row.macs) if row.macs else ""]
        cells += [str(row.receptive_field or "")] if field else []
        cells += [bytes_text(row.activation_bytes)] if wide else []
        drawn.add_row(*cells)
    return drawn


def memory_line(summary: Summary) -> str:
    """The memory of a training step in one line."""
    parts = ", ".join(f"{name} {bytes_text(count)}" for name, count in summary.memory.items() if count)
    return f"memory at batch size {summary.batch_size}: {bytes_text(summary.memory_bytes)} ({parts})"


def short(number: int) -> str:
    """A count in at most five characters.

    Example:
        >>> short(950), short(101_770), short(23_500_000)
        ('950', '102k', '23.5M')
    """
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= limit * 0.9995:
            return three_digits(number / limit) + unit
    return str(number)


def bytes_text(count: int) -> str:
    """A number of bytes in a unit that suits it.

    Example:
        >>> bytes_text(512), bytes_text(401_408)
        ('512 B', '392 KiB')
    """
    for limit, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= limit:
            return f"{three_digits(count / limit)} {unit}"
    return f"{count} B"


def three_digits(value: float) -> str:
    """A number with three digits, or with all of its whole part."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
