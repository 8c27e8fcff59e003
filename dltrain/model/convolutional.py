"""A classifier of pictures of one size, written by convolutions alone, so that it takes pictures of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dltrain.errors import UsageError
from dltrain.layers.activation import Activation
from dltrain.model.variables import references

if TYPE_CHECKING:
    from dltrain.model.graph import Graph
    from dltrain.model.nodes import Node

Size = tuple[int, int]
POINT: Size = (1, 1)
BY_VALUE = frozenset({"dropout", "alpha_dropout", "gaussian_noise", "gelu"})  # each value by itself, as activations do
BY_PLACE = frozenset({"batch_norm", "layer_norm", "l2_normalization", "softmax", "log_softmax", "prelu"})
WHOLE = frozenset({"group_norm", "instance_norm", "reshape"})  # what they make of a place hangs on the whole picture
END = "global_avg_pool"  # what makes one answer of many places
POOLS = {"global_avg_pool": "avg_pool", "global_max_pool": "max_pool"}
BORDERS = frozenset({"zero_padding", "reflect_padding"})
NAMES = ("map", "places", "windows")  # of the wire with the answers of all places


@dataclass
class Convolutional:
    """A model of convolutions, and where the parts of the model that it was made of have gone.

    Parameters:
        model: the `model` part of its config
        layers: {path of a layer in the old model: its path in the new one}
        padded: layers that see zeros, or a mirror image, beyond the border of a picture
    """

    model: dict[str, Any]
    layers: dict[str, str] = field(default_factory=dict)
    padded: list[str] = field(default_factory=list)

    def renamed(self, tensor: str) -> str:
        """The path of a parameter or statistic in the new model."""
        layer, _, name = tensor.rpartition(".")
        return f"{self.layers[layer]}.{name}"


def convolutional(model: Mapping[str, Any], graph: Graph) -> Convolutional:
    """Write a classifier as a network of convolutions whose answer is the mean over all windows of a picture.

    A dense layer that reads a flattened map of H × W places is a convolution with a kernel of that size, as `flatten`
    goes row by row: W (H·W·C, O) is (H, W, C, O).  A dense layer behind it is a convolution with a kernel of 1 × 1, a
    global pool is a pool of H × W.  Behind all of them stands `global_avg_pool`, which changes nothing where a picture
    holds one window only.

    Parameters:
        model: the `model` part of the classifier's config
        graph: built from it

    Raises:
        UsageError: when a part of it cannot be written so.

    Example:
        >>> from dltrain import build_model
        >>> old = {"graph": {"h": [{"conv": 4}, "flatten"], "y": [{"dense": 8}, "relu", {"dense": 3}]}}
        >>> made = convolutional(old, build_model(old, {"x": (5, 6, 1)}))
        >>> made.model["graph"]["map"][0]
        {'conv': {'filters': 8, 'kernel_size': [5, 6], 'padding': 'valid', 'use_bias': True}}
        >>> list(made.model["graph"]), made.renamed("y.2.dense.bias"), made.padded
        (['h', 'map', 'y'], 'map.2.conv.bias', ['h.0.conv'])

    Source: Sermanet et al.: OverFeat, 2014; Long, Shelhamer, Darrell: Fully convolutional networks for semantic
        segmentation, 2015.
    """
    check(model, graph)
    chains = model["graph"]
    output = graph.outputs[0]
    name = next(name for name in (*NAMES, f"{output}_map") if name not in {*chains, *graph.inputs})
    nodes = {node.path: node for node in graph.plan_nodes}
    windows: dict[str, Size] = {}  # of the vectors: how many places were made one
    found, written = Convolutional({}), {}
    for wire, chain in chains.items():
        items: list[Any] = []
        place = name if wire == output else wire
        for index, item in enumerate(chain):
            kind = item if isinstance(item, str) else next(iter(item))
            node = nodes.get(f"{wire}.{index}.{kind}")
            new = item if node is None else turned(node, item, nodes, windows, graph)
            at = f"{place}.{len(items)}."
            old = f"{wire}.{index}."
            if new is not None:
                items.append(new)
                now = new if isinstance(new, str) else next(iter(new))
                moved = {path: at + now + path[len(old + kind) :] for path in nodes if path.startswith(old)}
                found.layers |= moved
        if not items:
            raise misfit(wire, "nothing is left of this wire", "a wire that does more than `flatten`")
        written[place] = items
    nested = [path for path, node in nodes.items() if len(node.shape) != 3 and path not in windows]
    if nested:
        raise inner(nested[0])
    written[output] = [END]
    found.model = trimmed({**model, "graph": written})
    found.padded = [path for path, node in nodes.items() if sees_a_border(node)]
    return found


def check(model: Mapping[str, Any], graph: Graph) -> None:
    """Refuse a model that does not answer once about one picture.

    Raises:
        UsageError: saying why.
    """
    shapes, chains = list(graph.inputs.values()), model["graph"]
    if any(len(shape) != 3 for shape in shapes):
        raise misfit("inputs", "the network does not read pictures", "(height, width, channels)", str(shapes[0]))
    if list(graph.outputs) != [*chains][-1:]:
        raise misfit("outputs", "the network has several outputs", "one, the last wire", ", ".join(graph.outputs))
    flat = next((wire for wire, chain in chains.items() if not isinstance(chain, (list, tuple))), None)
    if flat is not None:
        raise misfit(flat, "the chain of this wire is a $name", "the list of its layers")
    flat_nodes = [node for node in graph.plan_nodes if len(node.shape) != 3]
    if not flat_nodes:
        raise misfit(graph.outputs[0], "the network is one of convolutions already", "a classifier")
    if [node.kind for node in flat_nodes] == [END]:
        raise misfit(graph.outputs[0], "the network is one for all sizes already", "a classifier of one size")
    vectors = {node.path for node in flat_nodes}
    mixed = next((node for node in graph.plan_nodes if len(node.shape) == 3 and vectors & {*node.inputs}), None)
    if mixed is not None:
        raise misfit(mixed.path, "this layer joins a picture with a vector of the whole picture", "pictures alone")
    whole = next((node for node in graph.plan_nodes if node.kind in WHOLE), None)
    if whole is not None:
        raise misfit(whole.path, f"{whole.kind} looks at the whole picture", "layers that look at a window")


def turned(node: Node, item: Any, nodes: Mapping[str, Node], windows: dict[str, Size], graph: Graph) -> Any:
    """A layer of a chain in its new form, None where it goes; notes how many places its vector was made of.

    Raises:
        UsageError: when it has no such form.
    """
    if len(node.shape) == 3:
        return item
    source = node.inputs[0]
    shape = nodes[source].shape if source in nodes else graph.inputs[source]
    if len(shape) != 3 and source not in windows:
        raise inner(source)
    height, width = windows.get(source) or shape[:2]
    windows[node.path] = POINT
    if node.kind in POOLS:
        return {POOLS[node.kind]: {"pool_size": [height, width], "strides": 1}}
    if node.kind == "dense":
        bias = {"use_bias": node.layer.bias is not None}  # type: ignore[attr-defined]
        sizes = {"filters": node.shape[-1], "kernel_size": [height, width], "padding": "valid"}
        return {"conv": {**sizes, **bias}}
    windows[node.path] = (height, width)
    if node.kind == "flatten":
        return None
    if isinstance(node.layer, Activation) or node.kind in BY_VALUE:
        return item
    if node.kind in BY_PLACE and (height, width) == POINT:
        return item
    raise misfit(node.path, f"{node.kind} of a vector is no layer of a convolutional network", "flatten, dense, pools")


def misfit(where: str, what: str, expected: str, got: str = "") -> UsageError:
    """The error of a model that cannot be written by convolutions alone."""
    return UsageError(what, where=where, expected=expected, got=got)


def inner(path: str) -> UsageError:
    """The error of a vector that is made inside of something."""
    return misfit(path, "this layer stands in a block, a branch or a repeat", "it in the chain of a wire")


def trimmed(model: dict[str, Any]) -> dict[str, Any]:
    """A model without the variables that nothing uses."""
    used = {text[1:].partition("=")[0] for part in ("graph", "blocks", "inputs", "init") for text in said(model, part)}
    kept = {name: value for name, value in (model.get("vars") or {}).items() if name in used}
    rest = {key: value for key, value in model.items() if key != "vars"}
    return {"vars": kept, **rest} if kept else rest


def said(model: Mapping[str, Any], part: str) -> list[str]:
    """The $names in a part of a model."""
    return [text for text, _ in references(model.get(part), ())]


def sees_a_border(node: Node) -> bool:
    """Whether a layer sees something beyond the border of a picture, or windows that are not whole."""
    if len(node.shape) != 3:
        return False
    padding = getattr(node.layer, "padding", "valid")
    none = padding in ("valid", 0) or (isinstance(padding, list) and not any(padding))
    wide = node.layer.window()[0] > 1 and not none
    return wide or node.kind in BORDERS or bool(getattr(node.layer, "ceil_mode", False))
