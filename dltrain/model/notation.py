"""The model notation: named chains of layers, read from the `model` part of a config into a plan.

    vars:    {name: value}      $name anywhere below
    inputs:  {wire: shape}      without the batch axis; left out, the data's
    init:    initializer        what fills the kernels of all layers that do not say it themselves
    blocks:  {name: chain}      a chain with $parameters; $kernel=3 gives a default
    graph:   {wire: chain}      the model
    outputs: [wire]             default: the last wire

`docs/notation.md` describes every element with an example.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dltrain import registry
from dltrain.model.chains import CHAIN, KEYWORDS, Block, Chains
from dltrain.model.options import WORDS, Wires
from dltrain.model.plan import NodeSpec, Path, Plan, Written
from dltrain.model.report import Report, show
from dltrain.model.variables import Scope, Variables, exceeds, parameters, references
from dltrain.suggest import hint

__all__ = ["NodeSpec", "Plan", "parse_model"]

SECTIONS = ("vars", "inputs", "init", "blocks", "graph", "outputs")
INIT = "kernel_initializer"  # the parameter of layers for which `init` stands
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_VALUES = 300_000  # of a whole model; those that people write have hundreds
MAX_LEVELS = 64
ROOT = ("model",)


def parse_model(
    model: Mapping[str, Any],
    *,
    variables: Mapping[str, Any] | None = None,
    output_units: int | Mapping[str, int] | None = None,
    input_wires: Sequence[str] = ("x",),
) -> Plan:
    """Read a model.

    Parameters:
        model: the `model` part of a config
        variables: values of $names that the task and the data give; the model's own `vars` come first
        output_units: width of a last layer that leaves it out; of several outputs, by their wires
        input_wires: names of the data's inputs, for a model without `inputs`

    Raises:
        ConfigError: with everything that is wrong; paths start at ("model", …).

    Example:
        >>> plan = parse_model({"graph": {"h": [{"dense": 8}, "relu"], "y": ["dense"]}}, output_units=3)
        >>> [(node.path, node.inputs) for node in plan.nodes]
        [('h.0.dense', ('x',)), ('h.1.relu', ('h.0.dense',)), ('y.0.dense', ('h.1.relu',))]
        >>> plan.nodes[2].arguments, plan.wires, plan.outputs
        ({'units': 3}, {'x': 'x', 'h': 'h.1.relu', 'y': 'y.0.dense'}, ('y',))
    """
    parser = Parser(model, variables or {})
    return parser.plan(output_units, input_wires)


class Parser:
    """Reads the sections of a model; `parse_model` is its use."""

    def __init__(self, model: Mapping[str, Any], injected: Mapping[str, Any]) -> None:
        self.report = Report()
        if not isinstance(model, Mapping):
            self.report.give_up(ROOT, f"a model is a map of {', '.join(SECTIONS)}, not {show(model)}")
        if exceeds(model, MAX_VALUES, MAX_LEVELS):
            self.report.give_up(ROOT, f"the model has more than {MAX_VALUES} values or {MAX_LEVELS} levels")
        for name in model:
            if name not in SECTIONS:
                expected = ", ".join(SECTIONS)
                what = f"there is no part {str(name)!r} of a model"
                self.report.add((*ROOT, name), what, expected, hint=hint(name, SECTIONS), key=True)
        self.model = model
        self.variables = Variables(self.read_vars(), injected, (*ROOT, "vars"))
        parts = {name: model[name] for name in ("inputs", "init", "graph", "outputs") if name in model}
        self.scope = Scope(self.variables, parameters(parts, ROOT, self.report), {}, self.report)

    def plan(self, output_units: int | Mapping[str, int] | None, input_wires: Sequence[str]) -> Plan:
        """Everything read, checked and spelled out."""
        inputs = self.read_inputs()
        graph = self.read_graph(inputs)
        names = tuple(inputs or input_wires)
        if not names:
            self.report.give_up((*ROOT, "graph"), "the model has no inputs")
        wires = Wires(names, graph, self.report)
        chains = Chains(graph, self.read_blocks(), wires, self.scope, self.report)
        chains.spell_out()
        outputs = self.read_outputs(graph)
        widths = output_units if isinstance(output_units, Mapping) else dict.fromkeys(outputs, output_units)
        ends = {wires.ends[wire]: width for wire in outputs if (width := widths.get(wire)) is not None}
        nodes = self.give_widths(chains, ends)
        nodes = self.give_initializers(chains, nodes)
        if not len(self.report):
            self.check_use(chains, inputs, outputs)
        self.report.finish()
        return Plan(inputs, tuple(nodes), dict(wires.ends), outputs)

    def section(self, name: str, expected: str) -> Mapping[Any, Any]:
        """A part of the model that is a map; empty where it is left out."""
        value = self.model.get(name)
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.report.add((*ROOT, name), f"`{name}` is not a map", expected, show(value))
        return {}

    def check_name(self, name: Any, place: Path, thing: str) -> None:
        """Report a name that is not a word: names are parts of paths."""
        if not (isinstance(name, str) and WORD.fullmatch(name)):
            expected = "a word of letters, digits and _ that does not begin with a digit"
            self.report.add(place, f"this is no name for a {thing}", expected, show(name), key=True)

    def read_vars(self) -> dict[str, Any]:
        """`vars`: plain values."""
        place = (*ROOT, "vars")
        values = self.section("vars", "{name: value}")
        for name in values:
            self.check_name(name, (*place, name), "variable")
        for text, at in references(values, place):
            self.report.add(at, "a variable cannot stand for another", "a plain value", show(text))
        return {str(name): value for name, value in values.items() if not any(references(value, ()))}

    def read_inputs(self) -> dict[str, tuple[int, ...] | None]:
        """`inputs`: a shape for each wire, or nothing where the data's shape is taken."""
        shapes: dict[str, tuple[int, ...] | None] = {}
        for name, shape in self.section("inputs", "{wire: shape}").items():
            place = (*ROOT, "inputs", name)
            self.check_name(name, place, "wire")
            shapes[str(name)] = None
            written = self.scope.fill(shape, place)
            if written is None or written.value is None:
                continue
            value = written.value
            if isinstance(value, list) and all(type(side) is int and side > 0 for side in value):
                shapes[str(name)] = tuple(value)
                continue
            advice = f"write [{value}]" if type(value) is int else ""
            expected = "a list of whole numbers ≥ 1 without the batch axis, such as [28, 28, 1]"
            self.report.add(written.place, "this is not a shape", expected, show(value), advice)
        return shapes

    def read_blocks(self) -> dict[str, Block]:
        """`blocks`: chains with parameters."""
        blocks: dict[str, Block] = {}
        layers = registry.entries("layer")
        for name, chain in self.section("blocks", "{name: chain}").items():
            place = (*ROOT, "blocks", name)
            self.check_name(name, place, "block")
            if name in layers or name in KEYWORDS or name in WORDS:
                self.report.add(place, f"the notation has a {name!r} already", "a name of its own", key=True)
                continue
            if not isinstance(chain, (list, tuple)) or not chain:
                self.report.add(place, f"block {str(name)!r} is not a chain", CHAIN, show(chain))
                chain = ()
            blocks[str(name)] = Block(Written(chain, place), parameters(chain, place, self.report))
        return blocks

    def read_graph(self, inputs: Mapping[str, Any]) -> dict[str, Written]:
        """`graph`: a chain for each wire."""
        graph: dict[str, Written] = {}
        place = (*ROOT, "graph")
        section = self.section("graph", "{wire: chain}")
        if not section and not isinstance(self.model.get("graph"), (str, int, list)):
            at = place if "graph" in self.model else ROOT
            self.report.add(at, "the model has no graph", "`graph: {wire: chain}`")
        for name, chain in section.items():
            self.check_name(name, (*place, name), "wire")
            if name in inputs:
                self.report.add((*place, name), f"{name!r} is an input already", "a name of its own", key=True)
            graph[str(name)] = Written(chain, (*place, name))
        return graph

    def read_outputs(self, graph: Mapping[str, Written]) -> tuple[str, ...]:
        """`outputs`: wires of the graph; by default the last."""
        place = (*ROOT, "outputs")
        if self.model.get("outputs") is None:
            return tuple(graph)[-1:]
        written = self.scope.fill(self.model["outputs"], place)
        if written is None:
            return ()
        names = [written.value] if isinstance(written.value, str) else written.value
        known = ", ".join(graph) or "a wire, of which the graph has none"
        if not isinstance(names, list) or not names:
            self.report.add(written.place, "`outputs` names wires of the graph", known, show(names))
            return ()
        for index, name in enumerate(names):
            at = written.place if isinstance(written.value, str) else (*written.place, index)
            if not isinstance(name, str) or name not in graph:
                self.report.add(at, "an output is a wire of the graph", known, show(name), hint(name, graph))
            elif name in names[:index]:
                self.report.add(at, f"output {name!r} is named twice", "every wire once")
        return tuple(name for name in names if isinstance(name, str) and name in graph)

    def give_widths(self, chains: Chains, ends: Mapping[str, int]) -> list[NodeSpec]:
        """The nodes, with the task's width where the last layer of an output, but for activations, leaves it out."""
        known = {node.path: node for node in chains.nodes}
        last: dict[str, int] = {}
        for path, width in ends.items():
            node = known.get(path)
            while node and len(node.inputs) == 1 and getattr(chains.layers[node.kind].make, "is_activation", False):
                node = known.get(node.inputs[0])
            if node and last.setdefault(node.weights, width) != width and node.weights in chains.open:
                what = f"the weights of {node.weights!r} end in outputs of different widths"
                expected, got = "one width", f"{last[node.weights]} and {width}"
                self.report.add(node.where, what, expected, got, hint="give each output a layer of its own")
        nodes: list[NodeSpec] = []
        for node in chains.nodes:
            if node.path in chains.open and node.weights in last:
                first = chains.layers[node.kind].arguments[0].name
                places = {first: node.where, **node.places}
                node = dataclasses.replace(node, arguments={first: last[node.weights], **node.arguments}, places=places)
            elif node.path in chains.open:
                self.report.take(chains.open[node.path])
            nodes.append(node)
        return nodes

    def give_initializers(self, chains: Chains, nodes: Sequence[NodeSpec]) -> list[NodeSpec]:
        """The nodes, with the model's `init` where a layer that has a kernel does not name its own."""
        if self.model.get("init") is None:
            return list(nodes)
        place = (*ROOT, "init")
        init = self.scope.fill(self.model["init"], place)
        takes = [chains.layers[node.kind].argument(INIT) is not None for node in nodes]
        lacking = [taking and INIT not in node.arguments for node, taking in zip(nodes, takes, strict=True)]
        if not any(lacking) and not len(self.report):
            what = f"every layer names its own {INIT}" if any(takes) else "no layer has a kernel"
            expected = f"a layer with a kernel and without {INIT}"
            self.report.add(place, f"`init` has no effect: {what}", expected, hint="remove it", key=True)
        if init is None:
            return list(nodes)
        given, places = {INIT: init.value}, {INIT: init.place}
        return [
            dataclasses.replace(node, arguments=node.arguments | given, places=node.places | places) if lacks else node
            for node, lacks in zip(nodes, lacking, strict=True)
        ]

    def check_use(self, chains: Chains, inputs: Mapping[str, Any], outputs: Sequence[str]) -> None:
        """Report everything that has no effect: values, blocks, inputs, wires and layers that nothing reads."""
        for name in self.variables.own:
            if name not in self.variables.used:
                self.useless("vars", name, f"variable {name!r}", f"${name} in a chain or a shape")
        for name in chains.blocks:
            if name not in chains.used_blocks:
                self.useless("blocks", name, f"block {name!r}", f"`{name}` in a chain")
        read = {path for node in chains.nodes for path in node.inputs}
        for name in inputs:
            if name not in read:
                self.useless("inputs", name, f"input {name!r}", f"`from: {name}` or `with: {name}` in a chain")
        ends = {end: wire for wire, end in chains.wires.ends.items()}
        for node in chains.nodes:
            wire = ends.get(node.path)
            if node.path in read or wire in outputs or wire in chains.reused:
                continue
            if wire is None:
                advice = "a branch or block that begins with `from` does not read the chain before it"
                self.report.add(node.where, f"nothing reads {node.path!r}", "a layer after it", hint=advice)
            else:
                use = f"`from: {wire}` or `with: {wire}` in a chain below, or its name in `outputs`"
                self.useless("graph", wire, f"wire {wire!r}", use)

    def useless(self, section: str, name: str, thing: str, use: str) -> None:
        """Report something that nothing uses."""
        self.report.add((*ROOT, section, name), f"{thing} is never used", use, hint="use it, or remove it", key=True)
