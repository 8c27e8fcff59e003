"""The model notation: what it means, and every sentence about what is wrong with it."""

from __future__ import annotations

import copy
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from dltrain import registry
from dltrain.errors import ConfigError
from dltrain.model.notation import Plan, parse_model
from dltrain.model.variables import scalar
from dltrain.registry import REQUIRED, Argument, Entry

DOCS = Path(__file__).parent.parent / "docs" / "notation.md"
FIXTURES = Path(__file__).parent / "fixtures"


class Joining:
    """Stands for a layer that joins wires."""

    merges = True


def arguments(*names: str, **defaults: Any) -> tuple[Argument, ...]:
    required = tuple(Argument(name, Any, REQUIRED, f"the {name}") for name in names)
    return required + tuple(Argument(name, Any, default) for name, default in defaults.items())


# Layers of later versions, so that the notation is tried on the models it was made for.
LATER = {
    "conv": (object, arguments("filters", kernel_size=3, strides=1, use_bias=True)),
    "max_pool": (object, arguments("pool_size", strides=None)),
    "global_avg_pool": (object, ()),
    "gelu": (object, ()),
    "upsample": (object, arguments("factor")),
    "l2_norm": (object, ()),
    "euclidean": (Joining, ()),
    "layer_norm": (object, ()),
    "self_attention": (object, arguments("heads", causal=False)),
    "cross_attention": (Joining, arguments("heads")),
    "embedding": (object, arguments("size", "width")),
    "positions": (object, ()),
    "dense": (object, arguments("units", use_bias=True)),
    "dropout": (object, arguments("rate")),
    "batch_norm": (object, arguments(momentum=0.9, epsilon=1e-5)),
    "relu": (object, ()),
    "tanh": (object, ()),
    "leaky_relu": (object, arguments(negative_slope=0.01)),
    "flatten": (object, ()),
    "add": (Joining, ()),
    "concat": (Joining, ()),
}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = registry.entries("layer")
    for name, (make, parameters) in LATER.items():
        monkeypatch.setitem(layers, name, Entry("layer", name, make, parameters, f"{name}."))


def read(text: str, **options: Any) -> Plan:
    return parse_model(yaml.safe_load(text), **options)


def problems(text: str, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, **options)
    assert all(problem.path[0] == "model" for problem in caught.value.problems)
    return str(caught.value).splitlines()


def paths(plan: Plan) -> list[str]:
    return [node.path for node in plan.nodes]


def node(plan: Plan, path: str) -> Any:
    return next(node for node in plan.nodes if node.path == path)


# ---------------------------------------------------------------- the models the notation was made for

MODELS = yaml.safe_load((FIXTURES / "notation_models.yaml").read_text(encoding="utf-8"))
COUNTS = {  # nodes, and how many of them have weights of their own
    "resnet": (72, 72),
    "inception": (35, 35),
    "multitask": (8, 8),
    "seq2seq": (45, 45),
    "siamese": (17, 9),
    "unet": (27, 27),
    "yolo": (39, 39),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_have_their_nodes(name: str, later: None) -> None:
    count, distinct = COUNTS[name]
    plan = parse_model(MODELS[name])
    assert len(plan.nodes) == count
    assert len({node.weights for node in plan.nodes}) == distinct
    assert len(set(paths(plan))) == count
    known = set(plan.inputs)
    for spec in plan.nodes:  # each node stands behind those it reads
        assert set(spec.inputs) <= known
        known.add(spec.path)
    assert set(plan.wires.values()) <= known


def test_resnet(later: None) -> None:
    plan = parse_model(MODELS["resnet"])
    assert plan.inputs == {"image": (32, 32, 3)}
    assert paths(plan)[:4] == ["stem.0.conv_bn.0.conv", "stem.0.conv_bn.1.batch_norm", "stem.1.relu",
                               "stage1.0.keep.0.0.residual.0.conv_bn.0.conv"]  # fmt: skip
    assert node(plan, "stage1.0.keep.0.0.residual").inputs == (
        "stem.1.relu",
        "stage1.0.keep.0.0.residual.2.conv_bn.1.batch_norm",
    )
    assert node(plan, "stage1.0.keep.0.0.residual").kind == "add"
    assert node(plan, "stage2.0.halve.0.add").inputs == (
        "stage2.0.halve.0.add.0.2.conv_bn.1.batch_norm",
        "stage2.0.halve.0.add.1.0.conv_bn.1.batch_norm",
    )
    short = node(plan, "stage2.0.halve.0.add.1.0.conv_bn.0.conv")
    assert short.inputs == ("stage1.0.keep.2.1.relu",)
    assert short.arguments == {"filters": 32, "kernel_size": 1, "strides": 2, "use_bias": False}
    assert short.where == ("model", "blocks", "conv_bn", 0)
    assert short.place("strides") == ("model", "blocks", "halve", 0, "add", 1, 0, "conv_bn", "strides")
    assert short.place("filters") == ("model", "graph", "stage2", 0, "halve")
    assert short.place("kernel_size")[-2:] == ("conv_bn", "k")
    assert node(plan, "logits.1.dense").where == ("model", "graph", "logits", 1)
    assert plan.wires["stage3"] == "stage3.1.keep.1.1.relu" and plan.outputs == ("logits",)


def test_inception_branches(later: None) -> None:
    joined = node(parse_model(MODELS["inception"]), "mixed1.0.inception.0.concat")
    assert [path.split(".")[5] for path in joined.inputs] == ["0", "1", "2", "3"]
    assert joined.inputs[3] == "mixed1.0.inception.0.concat.3.1.cr.1.relu"


def test_several_outputs(later: None) -> None:
    plan = parse_model(MODELS["multitask"])
    assert plan.outputs == ("digit", "tilt")
    assert node(plan, "tilt.1.dense").inputs == ("trunk.5.global_avg_pool",)


def test_seq2seq_reads_wires_from_blocks(later: None) -> None:
    plan = parse_model(MODELS["seq2seq"])
    crossed = node(plan, "logits.3.decode.1.1.residual.1.cross_attention")
    assert crossed.inputs == ("logits.3.decode.1.1.residual.0.layer_norm", "memory.4.layer_norm")
    assert crossed.arguments == {"heads": 4} and crossed.place("heads") == ("model", "vars", "heads")
    assert node(plan, "memory.1.embedding").inputs == ("source",)


def test_siamese_shares_weights(later: None) -> None:
    plan = parse_model(MODELS["siamese"])
    again = node(plan, "b.1.reuse.1.conv")
    assert (again.weights, again.inputs, again.where) == ("a.1.conv", ("right",), ("model", "graph", "b", 1, "reuse"))
    assert node(plan, "b.1.reuse.7.dense").weights == "a.7.dense"
    assert node(plan, "distance.1.euclidean").inputs == ("a.8.l2_norm", "b.1.reuse.8.l2_norm")


def test_unet_and_yolo_join_wires(later: None) -> None:
    assert node(parse_model(MODELS["unet"]), "mask.1.concat").inputs == ("mask.0.upsample", "d1.0.two.3.relu")
    plan = parse_model(MODELS["yolo"])
    assert node(plan, "coarse.1.conv").arguments == {"filters": 75, "kernel_size": 1}
    assert node(plan, "fine.3.concat").inputs == ("fine.2.upsample", "p4.8.cbl.2.leaky_relu")


# ---------------------------------------------------------------- single elements


def test_first_chain_starts_at_the_datas_input() -> None:
    plan = read("graph: {h: [relu], y: [from: z, concat: {with: h}]}", input_wires=("x", "z"))
    assert plan.inputs == {}
    assert plan.wires == {"x": "x", "z": "z", "h": "h.0.relu", "y": "y.1.concat"}
    assert plan.nodes[0].inputs == ("x",) and plan.nodes[1].inputs == ("z", "h.0.relu")


def test_inputs_without_shapes() -> None:
    plan = read("{vars: {n: 7}, inputs: {a: , b: [$n, 2], c: []}, graph: {y: [from: a, concat: {with: [b, c]}]}}")
    assert plan.inputs == {"a": None, "b": (7, 2), "c": ()}


@pytest.mark.parametrize(
    ("item", "values"),
    [
        ("dense: 30", ""),
        ("dense: {units: 30}", ""),
        ("dense: $n", "n: 30"),
        ("dense: {units: $n=4}", "n: 30"),
        ("$layer", "layer: {dense: 30}"),
    ],
)
def test_forms_of_an_item(item: str, values: str) -> None:
    (spec,) = read(f"{{vars: {{{values}}}, graph: {{y: [{item}]}}}}").nodes
    assert spec == read("graph: {y: [dense: 30]}").nodes[0]
    assert type(spec.arguments["units"]) is int


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("-1", -1), ("010", 10), ("0.5", 0.5), ("1e-3", 1e-3), (".5", 0.5), ("true", True), ("False", False),
     ("null", None), ("~", None), ("no", "no"), ("on", "on"), ("he_normal", "he_normal"), ("1_000", "1_000"),
     (".inf", float("inf")), ("-.INF", float("-inf")), ("1.2.3", "1.2.3"), ("tRue", "tRue"), ("9" * 5000, "9" * 5000)],
)  # fmt: skip
def test_defaults_are_yaml_scalars(text: str, value: Any) -> None:
    assert scalar(text) == value and type(scalar(text)) is type(value)
    plan = parse_model({"graph": {"y": [{"dense": {"units": 3, "kernel_initializer": f"$init={text}"}}]}})
    assert plan.nodes[0].arguments["kernel_initializer"] == value


def test_values_keep_their_types_wherever_they_stand() -> None:
    plan = read("""
vars: {spec: {normal: {stddev: 0.1}}, deep: 0.2, bias: false, wire: x, out: [y]}
graph: {h: [dense: {units: 4, use_bias: $bias, kernel_initializer: $spec, bias_initializer: {normal: {stddev: $deep}}}],
        y: [from: $wire, concat: {with: h}]}
outputs: $out
""")
    assert plan.nodes[0].arguments == {
        "units": 4,
        "use_bias": False,
        "kernel_initializer": {"normal": {"stddev": 0.1}},
        "bias_initializer": {"normal": {"stddev": 0.2}},
    }
    assert plan.outputs == ("y",)


def test_order_of_precedence_of_names() -> None:
    text = "{blocks: {b: [dense: $n=1]}, graph: {h: [b], y: [b: 4]}}"
    assert [spec.arguments["units"] for spec in read(text).nodes] == [1, 4]
    assert [spec.arguments["units"] for spec in read(text, variables={"n": 2}).nodes] == [2, 4]
    assert [spec.arguments["units"] for spec in read("{vars: {n: 3}, " + text[1:], variables={"n": 2}).nodes] == [3, 4]


def test_block_parameters_do_not_reach_into_inner_blocks() -> None:
    text = "{blocks: {inner: [dense: $n=1], outer: [inner, dense: $n]}, graph: {y: [outer: 5]}}"
    assert [spec.arguments["units"] for spec in read(text).nodes] == [1, 5]


def test_default_holds_for_every_use_of_a_name() -> None:
    text = "{blocks: {b: [dense: $n, dense: $n=6]}, graph: {y: [b]}}"
    assert [spec.arguments["units"] for spec in read(text).nodes] == [6, 6]


def test_repeat_has_weights_of_its_own() -> None:
    graph = "{y: [dense: {units: 4, repeat: 2}, b: {repeat: $times}]}"
    plan = read(f"{{vars: {{times: 2}}, blocks: {{b: [dense: 3, relu]}}, graph: {graph}}}")
    assert paths(plan) == [
        "y.0.dense.0",
        "y.0.dense.1",
        "y.1.b.0.0.dense",
        "y.1.b.0.1.relu",
        "y.1.b.1.0.dense",
        "y.1.b.1.1.relu",
    ]
    assert [spec.weights for spec in plan.nodes] == paths(plan)
    assert plan.nodes[4].inputs == ("y.1.b.0.1.relu",)


def test_identity_branches_and_nested_branches() -> None:
    plan = read("graph: {y: [add: [[], [concat: [[dense: 2], []], dense: 4]]]}")
    assert plan.nodes[-1].inputs == ("x", "y.0.add.1.1.dense")
    assert node(plan, "y.0.add.1.0.concat").inputs == ("y.0.add.1.0.concat.0.0.dense", "x")


def test_branches_may_start_elsewhere() -> None:
    plan = read("graph: {h: [dense: 2], y: [add: [[from: x, dense: 2], []]]}")
    assert node(plan, "y.0.add").inputs == ("y.0.add.0.1.dense", "h.0.dense")


def test_reuse_of_reuse_and_no_path_twice() -> None:
    plan = read("graph: {a: [from: x, dense: 4, dense: 4], b: [reuse: a, dense: 4], c: [reuse: b, relu]}")
    assert len(set(paths(plan))) == len(plan.nodes) == 9
    assert [spec.weights for spec in plan.nodes if spec.path.startswith("c")] == [
        "a.1.dense",
        "a.2.dense",
        "b.1.dense",
        "c.1.relu",
    ]


def test_width_of_the_last_layer() -> None:
    assert read("graph: {h: [dense: 4], y: [relu, dense]}", output_units=3).nodes[-1].arguments == {"units": 3}
    assert read("graph: {y: [dense: {use_bias: false}]}", output_units=3).nodes[0].arguments == {
        "units": 3,
        "use_bias": False,
    }
    assert read("graph: {y: [dense: 5]}", output_units=3).nodes[0].arguments == {"units": 5}
    assert read("{blocks: {b: [dense]}, graph: {y: [b]}}", output_units=3).nodes[0].arguments == {"units": 3}
    shared = read("graph: {a: [dense], b: [from: x, reuse: a]}", output_units=2)
    assert [spec.arguments["units"] for spec in shared.nodes] == [2, 2]
    assert shared.nodes[0].place("units") == ("model", "graph", "a", 0)


def test_injected_names() -> None:
    assert read("graph: {y: [dense: $classes]}", variables={"classes": 7}).nodes[0].arguments == {"units": 7}


def test_model_is_not_changed() -> None:
    model = yaml.safe_load("{vars: {n: 3}, blocks: {b: [dense: $k=2]}, graph: {y: [b: $n, add: [[], [relu]]]}}")
    before = copy.deepcopy(model)
    parse_model(model)
    assert model == before


# ---------------------------------------------------------------- what is refused, with place and sentence

REFUSED = [
    group.splitlines()
    for group in (FIXTURES / "notation_refused.txt").read_text(encoding="utf-8").strip().split("\n\n")[1:]
]


@pytest.mark.parametrize(("text", "sentences"), [(g[0], g[1:]) for g in REFUSED], ids=[g[0][:60] for g in REFUSED])
def test_refused(text: str, sentences: list[str]) -> None:
    assert problems(text) == [sentence.strip() for sentence in sentences]


AT_KEY = {
    "{grahp: {y: [relu]}, graph: {y: [relu]}}": True,
    "graph: {y: [denze: 3]}": True,
    "graph: {y: [dense: {unitz: 3}]}": True,
    "{vars: {n: 3}, graph: {y: [relu]}}": True,
    "graph: {y: [dense: {units: 3, repeat: 0}]}": False,
    "graph: {h: [relu], y: [from: z, relu]}": False,
}


@pytest.mark.parametrize("text", AT_KEY)
def test_problems_say_whether_the_name_is_wrong(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert [problem.at_key for problem in caught.value.problems] == [AT_KEY[text]]


def test_no_inputs_at_all() -> None:
    assert problems("graph: {y: [relu]}", input_wires=()) == ["model.graph: the model has no inputs"]


def test_one_width_for_shared_weights() -> None:
    """The last output's was taken without a word, and the first did not fit its targets."""
    text = "{graph: {a: [dense], b: [from: x, reuse: a]}, outputs: [a, b]}"
    [found] = problems(text, output_units={"a": 2, "b": 5})
    assert found.startswith("model.graph.b.1.reuse: the weights of 'a.0.dense' end in outputs of different widths")
    assert "expected one width; got 2 and 5" in found
    assert len(read(text, output_units={"a": 2, "b": 2}).nodes) == 2
    assert len(read(text.replace("dense", "dense: 4"), output_units={"a": 2, "b": 5}).nodes) == 2  # it says its own


def test_width_is_the_last_layers_only() -> None:
    text = "{graph: {h: [dense, relu], y: [dense, dropout: 0.1], z: [from: h, dense: 2]}, outputs: [y, z]}"
    found = problems(text, output_units=3)
    assert [line.split(":")[0] for line in found] == ["model.graph.h.0", "model.graph.y.0"]


@pytest.mark.parametrize("after", ["sigmoid", "softmax", "prelu", "gelu, tanh", "leaky_relu: 0.1, linear"])
def test_width_before_activations(after: str) -> None:
    nodes = read(f"graph: {{h: [dense: 4, relu], y: [dense, {after}]}}", output_units=3).nodes
    assert [spec.arguments["units"] for spec in nodes if spec.kind == "dense"] == [4, 3]
    blocks = read(f"{{blocks: {{b: [dense, {after}]}}, graph: {{y: [b, relu]}}}}", output_units=3).nodes
    assert blocks[0].arguments == {"units": 3}


def test_all_problems_at_once_and_each_once() -> None:
    found = problems("""
inputs: {x: [0]}
blocks: {b: [denze: 3, dense: $units]}
graph:
  h: [b: {units: 2, repeat: 5}, b: 3, from: x]
  y: [from: g, dense: {unit: 3}, reuse: h]
outputs: [z]
""")
    assert [line.split(": ")[0] for line in found] == [
        "model.inputs.x",
        "model.blocks.b.0.denze",
        "model.graph.h.2.from",
        "model.graph.y.0.from",
        "model.graph.y.1.dense.unit",
        "model.outputs.0",
    ]


# ---------------------------------------------------------------- hostile models end quickly


def explosion(levels: int) -> dict[str, Any]:
    blocks: dict[str, Any] = {f"b{i}": [f"b{i + 1}", f"b{i + 1}"] for i in range(levels)}
    return {"blocks": {**blocks, f"b{levels}": ["relu"]}, "graph": {"y": ["b0"]}}


def tower(levels: int) -> dict[str, Any]:
    blocks: dict[str, Any] = {f"b{i}": [f"b{i + 1}"] for i in range(levels)}
    return {"blocks": {**blocks, f"b{levels}": ["relu"]}, "graph": {"y": ["b0"]}}


def doubling(levels: int) -> dict[str, Any]:
    blocks: dict[str, Any] = {f"b{i}": [{f"b{i + 1}": {"v": ["$v", "$v"]}}] for i in range(levels)}
    return {"blocks": {**blocks, f"b{levels}": [{"dense": "$v"}]}, "graph": {"y": [{"b0": [1]}]}}


def nested(levels: int) -> dict[str, Any]:
    chain: list[Any] = ["relu"]
    for _ in range(levels):
        chain = [{"residual": chain}]
    return {"graph": {"y": chain}}


def endless() -> dict[str, Any]:
    chain: list[Any] = ["relu"]
    chain.append(chain)
    return {"graph": {"y": chain}}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (explosion(40), "the model has more than 20000 layers"),
        (tower(1000), "chains stand in each other more than 48 deep"),
        (doubling(30), "this value is too large; expected at most 1000 parts"),
        (nested(20000), "or 64 levels"),
        (endless(), "the model has more than 300000 values or 64 levels"),
        ({"graph": {"y": [{"dense": {"units": 3, "repeat": 10**12}}]}}, "the model has more than 20000 layers"),
        ({"graph": {"y": ["x" * 10**6]}}, "there is no layer or block of this name"),
        ({"graph": {"y": [str(i) for i in range(5000)]}}, "the model has 200 problems; the rest is not looked at"),
        ({"graph": {"a": ["relu"], **{f"w{i}": [{"reuse": f"w{i - 1}" if i else "a"}] * 2 for i in range(60)}}},
         "the model has more than 20000 layers"),
    ],
)  # fmt: skip
def test_hostile_models_end_quickly(model: dict[str, Any], sentence: str) -> None:
    started = time.monotonic()
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        parse_model(model)
    assert time.monotonic() - started < 5
    assert len(str(caught.value)) < 100_000


# ---------------------------------------------------------------- mutations

LITTER: list[Any] = [
    *(None, True, 3, -1, 0.5, 10**30, float("nan"), "", "$", "$n", "$n=3", "relu", "x", "from", "a.b"),
    *([], {}, [[]], ["relu"], ("relu",), {"dense": 3}, {"from": "x"}, {"with": "x"}, {"repeat": 2}, {"reuse": "stem"}),
    {"a": None, "b": None},
]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    steps = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else []
    return [(tree, step) for step in steps] + [place for step in steps for place in places(tree[step])]


def mutate(model: dict[str, Any], rng: random.Random) -> None:
    container, key = rng.choice(places(model) or [(model, "graph")])
    kind = rng.randrange(5)
    if kind == 0:
        container[key] = copy.deepcopy(rng.choice(LITTER))
    elif kind == 1:
        del container[key]
    elif kind == 2 and isinstance(container, list):
        container.insert(key, copy.deepcopy(rng.choice(LITTER)))
    elif kind == 3 and isinstance(container, dict):
        container[rng.choice([f"{key}x", 3, None, "with", "repeat", "from", "y"])] = container.pop(key)
    else:
        other, step = rng.choice(places(model))
        container[key] = copy.deepcopy(other[step])


def test_mutated_models_raise_only_config_errors(later: None) -> None:
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    rng, refused = random.Random(seed), 0
    for _ in range(300):
        model = copy.deepcopy(rng.choice(list(MODELS.values())))
        for _ in range(rng.randint(1, 4)):
            mutate(model, rng)
        try:
            plan = parse_model(model, output_units=rng.choice([None, 3]))
        except ConfigError as error:
            refused += 1
            assert error.problems and all(problem.path[0] == "model" for problem in error.problems)
        else:
            assert len(set(paths(plan))) == len(plan.nodes)
    assert refused > 100


# ---------------------------------------------------------------- the page

EXAMPLES = re.findall(r"^```yaml\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", DOCS.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize(("text", "error"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_examples_of_the_page(text: str, error: str) -> None:
    if error:
        assert problems(text) == error.splitlines()
    else:
        assert read(text, output_units=10).nodes


def test_page_has_every_element() -> None:
    shown = " ".join(text for text, error in EXAMPLES if not error)
    words = (
        "vars",
        "inputs",
        "blocks",
        "graph",
        "outputs",
        "from",
        "with",
        "repeat",
        "reuse",
        "residual",
        "concat",
        "add",
    )
    assert [word for word in words if f"{word}:" not in shown] == []
