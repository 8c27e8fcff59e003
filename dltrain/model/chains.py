"""From chains of layers, as they are written, to nodes: blocks, branches, repeats and reuse are spelled out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltrain import registry
from dltrain.errors import Problem
from dltrain.model.options import Wires, read_options
from dltrain.model.plan import NodeSpec, Path, Written
from dltrain.model.report import Report, show
from dltrain.model.variables import Scope

# Items of a chain that are no layers: (what they mean, an example).
KEYWORDS = {
    "from": (
        "start the chain at this wire or input, not at the end of the chain above; only as the first item",
        "graph: {a: [dense: 8], y: [from: x, concat: {with: a}, dense: 2]}",
    ),
    "reuse": (
        "the layers of this wire once more, with the same weights",
        "inputs: {a: [4], b: [4]}\ngraph: {u: [from: a, dense: 8], v: [from: b, reuse: u], y: [add: {with: u}]}",
    ),
    "residual": (
        "add the result of a chain to its input: x + chain(x)",
        "graph: {y: [dense: 16, residual: [relu, dense: 16], dense: 2]}",
    ),
}
INFERRED = ("units", "filters")  # a last layer's width, which the task may know
MAX_ITEMS = 20_000  # blocks of blocks grow exponentially: a model with more items is a mistake or an attack
MAX_NESTING = 48
CHAIN = "a list of layers, `[layer, layer: value, layer: {parameters}]`"


@dataclass(frozen=True)
class Block:
    """A chain with parameters: its $names in order of appearance, each with its default or REQUIRED."""

    chain: Written
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Spot:
    """The place at which a chain is spelled out.

    Parameters:
        path: of the nodes made here
        weights: of the nodes whose parameters they use
        scope: what $names stand for
        blocks: the blocks around it, outermost first
        reuse: config path of the item that reuses these layers, if one does
    """

    path: str
    weights: str
    scope: Scope
    blocks: tuple[str, ...] = ()
    reuse: Path | None = None

    def step(self, *names: str | int) -> Spot:
        """The place further in."""
        inner = "".join(f".{name}" for name in names)
        return dataclasses.replace(self, path=self.path + inner, weights=self.weights + inner)


class Chains:
    """Turns the chains of a graph into nodes.

    Parameters:
        graph: {wire: its chain}
        blocks: {name: block}
        wires: the inputs; the graph's own wires are added as they are made
        scope: what $names stand for in the graph
        report: where everything that is wrong is noted
    """

    def __init__(
        self, graph: Mapping[str, Written], blocks: Mapping[str, Block], wires: Wires, scope: Scope, report: Report
    ) -> None:
        self.graph, self.blocks, self.wires, self.scope, self.report = graph, blocks, wires, scope, report
        self.layers = registry.entries("layer")
        self.nodes: list[NodeSpec] = []
        self.open: dict[str, Problem] = {}  # {path of a node without its width: what to say if it stays so}
        self.used_blocks: set[str] = set()
        self.reused: set[str] = set()
        self._items = self._nesting = 0

    def spell_out(self) -> None:
        """Make the nodes of every wire; each starts from the wire above it."""
        source = self.wires.inputs[0]
        for wire, chain in self.graph.items():
            source = self.chain(chain, Spot(wire, wire, self.scope), source)
            seen = self.scope.look(*chain)
            items = seen.value if seen is not None else None
            if isinstance(items, (list, tuple)) and all(isinstance(i, Mapping) and set(i) == {"from"} for i in items):
                self.report.add(chain.place, f"wire {wire!r} has no layers", CHAIN)
            self.wires.ends[wire] = source

    def chain(self, chain: Written, spot: Spot, source: str, follow: bool = True) -> str:
        """Make the nodes of a chain that starts from `source`; returns the path of its end.

        Without `follow`, its `from` is passed over.
        """
        seen = spot.scope.look(*chain)
        if seen is None:
            return source
        if not isinstance(seen.value, (list, tuple)):
            self.report.add(seen.place, "this is not a chain", CHAIN, show(seen.value))
            return source
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            self.report.give_up(seen.place, f"chains stand in each other more than {MAX_NESTING} deep")
        for index, item in enumerate(seen.value):
            self.count(seen.place)
            where = (*seen.place, index)
            named = self.split(spot.scope.look(item, where))
            if named is None:
                continue
            name, value = named
            if name == "from":
                source = self.start(value, spot, source, index == 0, follow)
            else:
                source = self.item(name, value, where, spot.step(index, name), source)
        self._nesting -= 1
        return source

    def split(self, item: Written | None) -> tuple[str, Written] | None:
        """An item's name and what stands behind it."""
        if item is None:
            return None
        value, place = item
        if isinstance(value, str):
            return value, Written(None, place)
        if isinstance(value, Mapping) and len(value) == 1:
            ((name, inner),) = value.items()
            return str(name), Written(inner, (*place, name))
        hint = ""
        if isinstance(value, Mapping) and value:
            first = next(iter(value))
            nested = value[first] is None and (first in self.layers or first in self.blocks)
            hint = f"indent the parameters of {first!r} further" if nested else "make each layer an item of its own"
        elif isinstance(value, (list, tuple)):
            hint = "branches are written `add: [[…], […]]` or `concat: [[…], […]]`"
        expected = "`name`, `name: value` or `name: {parameters}`"
        self.report.add(place, "this does not name one layer", expected, show(value), hint)
        return None

    def item(self, name: str, value: Written, where: Path, spot: Spot, source: str) -> str:
        """Make the nodes of one item."""
        if name == "reuse":
            return self.reuse(value, spot, source)
        if name == "residual":
            return self.residual(value, where, spot, source)
        if name in self.blocks:
            return self.block(name, value, spot, source)
        if name in self.layers:
            return self.layer(self.layers[name], value, where, spot, source)
        hint = registry.unknown("layer", name, [*self.layers, *self.blocks, *KEYWORDS]).hint
        if name.startswith("$"):
            hint = "a $name may stand for a whole item, not for its name"
        expected = f"one of {registry.listing('layer')}, or a block of this model"
        self.report.add(value.place, "there is no layer or block of this name", expected, show(name), hint, key=True)
        return source

    def start(self, value: Written, spot: Spot, source: str, first: bool, follow: bool) -> str:
        """`from: wire`."""
        if not first:
            hint = "further wires are joined by `concat: {with: wire}` or `add: {with: wire}`"
            what, expected = "`from` is not the first item of its chain", "`from` first, or not at all"
            self.report.add(value.place, what, expected, hint=hint, key=True)
            return source
        name = self.wires.name(spot.scope.look(*value), "from") if follow else None
        return source if name is None else self.wires.ends[name]

    def reuse(self, value: Written, spot: Spot, source: str) -> str:
        """`reuse: wire`: its layers again, with the same weights."""
        name = self.wires.name(spot.scope.look(*value), "reuse")
        if name is None:
            return source
        if name not in self.graph:
            self.report.add(value.place, f"{name!r} is an input and has no layers", "a wire of the graph")
            return source
        self.reused.add(name)
        again = Spot(spot.path, name, self.scope, (), spot.reuse or value.place)
        return self.chain(self.graph[name], again, source, follow=False)

    def residual(self, value: Written, where: Path, spot: Spot, source: str) -> str:
        """`residual: chain`: x + chain(x)."""
        seen = spot.scope.look(*value)
        if seen is None:
            return source
        if not seen.value:
            self.report.add(seen.place, "`residual` has no layers", CHAIN, show(seen.value))
            return source
        end = self.chain(seen, spot, source)
        return self.node("add", {}, (source, end), where, spot)

    def block(self, name: str, value: Written, spot: Spot, source: str) -> str:
        """A block, as often as `repeat` says."""
        block = self.blocks[name]
        self.used_blocks.add(name)
        if name in spot.blocks:
            cycle = " → ".join([*spot.blocks[spot.blocks.index(name) :], name])
            self.report.add(value.place, f"block {name!r} uses itself", "layers and other blocks", cycle, key=True)
            return source
        options = read_options(value, list(block.parameters), spot.scope, self.wires, name)
        if options is None:
            return source
        scope = Scope(self.scope.variables, block.parameters, options.values, self.report)
        missing = [parameter for parameter in block.parameters if scope.find(parameter, ()) is None]
        for parameter in missing:
            expected = f"`{name}: {{{parameter}: …}}`"
            self.report.add(value.place, f"block {name!r} needs a value for {parameter!r}", expected)
        if options.wires:
            hint = "write it at a layer in the block; a $name for the wire lets each use choose its own"
            what, expected = "`with` belongs to a layer, not to a block", ", ".join(block.parameters) or "no parameters"
            self.report.add((*value.place, "with"), what, expected, hint=hint, key=True)
        if missing or options.wires:
            return source
        inner = dataclasses.replace(spot, scope=scope, blocks=(*spot.blocks, name))
        return self.repeat(options.repeat, inner, source, lambda at, start: self.chain(block.chain, at, start))

    def layer(self, entry: registry.Entry, value: Written, where: Path, spot: Spot, source: str) -> str:
        """A layer, as often as `repeat` says; or branches and the layer that joins them."""
        seen = spot.scope.look(*value)
        if seen is None:
            return source
        merges = bool(getattr(entry.make, "merges", False))
        if merges and isinstance(seen.value, (list, tuple)):
            return self.branches(entry, seen, where, spot, source)
        names = [argument.name for argument in entry.arguments]
        if isinstance(seen.value, Mapping) and registry.takes_mapping(entry, seen.value):
            seen = Written({names[0]: seen.value}, seen.place)
        options = read_options(seen, names, spot.scope, self.wires, entry)
        if options is None:
            return source
        known = getattr(entry.make, "further", ())
        if merges != bool(options.wires) and not (known and set(options.wires) <= set(known)):
            self.joins_wrong(entry.name, merges, value.place, known)
            return source
        lacks = self.lacks(entry, options.values, value.place)

        def make(at: Spot, start: str) -> str:
            return self.node(
                entry.name, options.values, (start, *options.wires.values()), where, at, lacks, tuple(options.wires)
            )

        return self.repeat(options.repeat, spot, source, make)

    def branches(self, entry: registry.Entry, value: Written, where: Path, spot: Spot, source: str) -> str:
        """`concat: [chain, chain]`."""
        if len(value.value) < 2:
            expected = f"at least two branches, `{entry.name}: [[…], […]]` ([] passes its input on)"
            self.report.add(value.place, f"{entry.name} has nothing to join", expected, show(value.value))
            return source
        chains = [Written(branch, (*value.place, index)) for index, branch in enumerate(value.value)]
        ends = [self.chain(chain, spot.step(index), source) for index, chain in enumerate(chains)]
        return self.node(entry.name, {}, tuple(ends), where, spot, self.lacks(entry, {}, value.place))

    def repeat(self, count: int, spot: Spot, source: str, make: Callable[[Spot, str], str]) -> str:
        """Make something `count` times, one after the other; each copy has weights of its own."""
        for turn in range(count):
            self.count(("model", "graph"))
            source = make(spot if count == 1 else spot.step(turn), source)
        return source

    def count(self, place: Path) -> None:
        """Give up on a model that explodes."""
        self._items += 1
        if self._items > MAX_ITEMS:
            self.report.give_up(place, f"the model has more than {MAX_ITEMS} layers")

    def node(
        self,
        kind: str,
        values: Mapping[str, Written],
        inputs: tuple[str, ...],
        where: Path,
        spot: Spot,
        lacks: Problem | None = None,
        given: tuple[str, ...] = (),
    ) -> str:
        """Append a node and return its path."""
        arguments = {name: written.value for name, written in values.items()}
        places = {name: written.place for name, written in values.items()}
        self.nodes.append(
            NodeSpec(spot.path, kind, arguments, inputs, spot.weights, spot.reuse or where, places, given)
        )
        if lacks is not None:
            self.open[spot.path] = lacks
        return spot.path

    def joins_wrong(self, name: str, merges: bool, place: Path, known: Sequence[str]) -> None:
        """Report a merge layer with one input, or another layer with several."""
        if merges:
            expected = f"`{name}: {{with: wire}}` or branches, `{name}: [[…], […]]`"
            self.report.add(place, f"{name} joins several wires, but there is only one", expected, key=True)
        elif known:
            expected = f"at most {len(known)} ({', '.join(known)})"
            self.report.add((*place, "with"), f"{name} does not take so many wires", expected, key=True)
        else:
            hint = "join the wires before it, by `concat: {with: wire}` or `add: {with: wire}`"
            self.report.add((*place, "with"), f"{name} takes one wire", "no `with`", hint=hint, key=True)

    def lacks(self, entry: registry.Entry, values: Mapping[str, Any], place: Path) -> Problem | None:
        """Report required arguments that are left out; a width, which the task may know, is returned instead."""
        open_width = None
        for number, argument in enumerate(entry.arguments):
            if argument.required and argument.name not in values:
                what, expected = f"{entry.name} needs a value for {argument.name!r}", argument.summary or argument.name
                if number == 0 and argument.name in INFERRED:
                    hint = "only the last layer of an output may go without, where the task knows its width"
                    open_width = Problem(place, what, expected, hint=hint)
                else:
                    self.report.add(place, what, expected)
        return open_width
