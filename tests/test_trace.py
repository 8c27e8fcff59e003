"""`dltrain trace`: an expression and a network by hand, against Python, numerical derivatives and the graph itself."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.errors import DltrainError, NumericsError, UsageError
from dltrain.tracing.expression import RULES, trace_expression
from dltrain.tracing.grammar import FUNCTIONS, parse
from dltrain.training.session import prepare


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_graph_of_the_course() -> None:
    found = trace_expression("J = 3*(a + b*c)", {"a": 5, "b": 3, "c": 2})
    assert [(row["name"], row["formula"], row["value"]) for row in found["forward"]] == [
        ("u1", "b * c", 6.0), ("u2", "a + u1", 11.0), ("J", "3 * u2", 33.0),
    ]  # fmt: skip
    assert found["gradients"] == {"a": 3.0, "b": 6.0, "c": 9.0, "u1": 3.0, "u2": 3.0, "J": 1.0}
    same = trace_expression("u = b*c; v = a + u; J = 3*v", {"a": 5, "b": 3, "c": 2})
    assert [row["name"] for row in same["forward"]] == ["u", "v", "J"] and same["value"] == 33


def test_a_value_with_two_readers_gets_the_sum() -> None:
    found = trace_expression("u = x*x; J = u*y + u", {"x": 3, "y": 2})
    assert found["gradients"]["u"] == 3 and found["gradients"]["x"] == 18
    assert len([row for row in found["backward"] if row["by"] == "x"]) == 2


PYTHON = {name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh")}
PYTHON |= {"abs": abs, "relu": lambda x: max(x, 0.0), "sigmoid": lambda x: 1 / (1 + math.exp(-x))}


def some_expression(rng: random.Random, depth: int) -> str:
    """A random expression that Python reads the same way."""
    if depth == 0:
        return rng.choice(["a", "b", "c", "2", "0.5", "1e-1", "3."])
    first, second = (some_expression(rng, depth - 1) for _ in range(2))
    function = rng.choice(sorted(set(FUNCTIONS) - {"log", "sqrt", "exp"}))
    forms = [
        f"{first} + {second}",
        f"({first}) * ({second})",
        f"{first} - ({second})",
        f"({first}) / (4 + abs({second}))",
    ]
    return rng.choice([*forms, f"-({first})", f"{function}({first})", f"({first})**2", f"2 * {first} - {second}"])


def test_random_expressions_are_what_python_says() -> None:
    rng = random.Random(0)
    for _ in range(150):
        text = some_expression(rng, rng.randint(1, 4))
        values = {name: rng.uniform(0.5, 2) for name in "abc" if name in parse_names(text)}
        found = trace_expression(f"J = {text}", values)
        assert found["value"] == pytest.approx(eval(text, {"__builtins__": {}}, {**PYTHON, **values}), rel=1e-12)
        assert found["largest_error"] < 1e-6 and found["passed"], text


def parse_names(text: str) -> set[str]:
    made = {step.name for step in parse(f"J = {text}")}
    return {name for step in parse(f"J = {text}") for name in step.arguments if name.isalpha()} - made


@pytest.mark.parametrize("operation", RULES)
def test_every_operation_has_its_derivative(operation: str) -> None:
    forms = {"=": "x", "neg": "-x", **{sign: f"x {sign} y" for sign in "+-*/^"}}
    text = forms.get(operation, f"{operation}(x)")
    found = trace_expression(f"J = {text}", {"x": 1.3, **({"y": 0.7} if "y" in text else {})})
    assert found["passed"] and all(row["numerical"] is not None for row in found["inputs"])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("J = 1e8 + a", {"a": 1.0}), ("J = 1e15 + a*b", {"a": 2.0, "b": 3.0}),
        ("J = (a + 1e7)^2 - b", {"a": 1.0, "b": 1.0}),
        ("J = 0.001*a + 1e10", {"a": 1e-3}), ("J = b - 1e9*relu(a)", {"a": -1.0, "b": 2e12}),
    ],
)  # fmt: skip
def test_a_large_value_is_no_kink(text: str, values: dict[str, float]) -> None:
    assert trace_expression(text, values)["passed"]
    assert not trace_expression("J = 1e8 + 1e6*relu(a)", {"a": 0.0})["passed"]


def test_a_wrong_derivative_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "tanh", RULES["tanh"]._replace(slopes=lambda x, y: (1 - y,)))
    assert not trace_expression("J = tanh(x)", {"x": 1.3})["passed"]


@pytest.mark.parametrize("text", ["J = -x^2", "J = 2^3^x", "J = x**-1", "J = 1 - 2 - x", "J = x/2/3", "J = 2 + 3*x^2"])
def test_signs_bind_as_in_python(text: str) -> None:
    found = trace_expression(text, {"x": 1.5})["value"]
    assert found == pytest.approx(eval(text[4:].replace("^", "**"), {}, {"x": 1.5}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("J = ", "character 4: nothing stands where a name or a number should"), ("J", "expected '='"), ("", "nothing"),
        ("J = 3*(a", r"expected '\)'"), ("J = a b", "'b' stands there; expected ';'"), ("J = 3)", "'\\)' stands there"),
        ("J = __import__('os')", "there is no function __import__"), ("J = tan(a)", "did you mean 'tanh'"),
        ("a = a + 1", "used in its own statement"), ("J = 1; J = 2", "assigned twice"), ("J = a.b", "'.' is no part"),
        ("J = x; x = 3", "x is used before it is assigned"), ("exp = 3", "exp is a function"),
        ("J = " + "(" * 99 + "a", "nested too deeply"), ("J = " + "-" * 99 + "a", "nested too deeply"),
        ("J = a" + "+a" * 1500, "too long"), ("J = lambda: 0", "no part"), ("J = a[0]", "no part"),
        ("J = a^²", "'²' is no part"), ("J = ٣*a", "'٣' is no part"), ("J = 2²", "'²' is no part"),
        ("J = a²", "'²' is no part"),
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        trace_expression(text, {"a": 1.0})


def test_values_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="b has no value; give it: `--set b=2`"):
        trace_expression("J = a*b", {"a": 1})
    with pytest.raises(UsageError, match="no such input"):
        trace_expression("J = a", {"a": 1, "z": 1})
    with pytest.raises(UsageError, match="computed and cannot be set"):
        trace_expression("J = a", {"a": 1, "J": 1})
    for text in ("J = log(a)", "J = 1/a", "J = sqrt(a - 1)", "J = (a - 1)^0.5", "J = exp(1000 + a)", "J = 1e999 + a"):
        with pytest.raises(NumericsError, match="no finite value"):
            trace_expression(text, {"a": 0})
    with pytest.raises(NumericsError, match="no finite derivative"):
        trace_expression("J = sqrt(a)", {"a": 0})
    assert not trace_expression("J = relu(a)", {"a": 0})["passed"]


SMALL = {
    "data": {"source": "iris", "prepare": ["standardize"]},
    "model": {"graph": {"h": [{"dense": 4}, "tanh"], "logits": ["dense"]}},
}


def test_a_network_is_what_the_graph_computes() -> None:
    found = api.trace(SMALL, sample=3)
    steps = {(step["phase"], step["path"]): step for step in found["operations"]}
    first = steps["forward", "h.0.dense"]
    x, W, b = (
        np.array(first[role][name]["values"])
        for role, name in (("takes", "x"), ("weights", "kernel"), ("weights", "bias"))
    )
    np.testing.assert_allclose(first["gives"]["h.0.dense"]["values"], x @ W + b, rtol=1e-5)
    assert first["formula"] == "y = x W + b" and first["gives"]["h.0.dense"]["shape"] == [1, 4]
    back = steps["backward", "h.0.dense"]
    dy = np.array(back["takes"]["h.0.dense"]["values"])
    np.testing.assert_allclose(back["gives"]["kernel"]["values"], x.T @ dy, rtol=1e-5)
    assert back["formula"] == "dW = xᵀ dy, db = Σ dy, dx = dy Wᵀ"
    session = prepare(api.load_experiment(SMALL))
    z = np.array(steps["loss", "logits"]["takes"]["logits"]["values"][0])
    label = session.data.classes.index(found["target"])
    assert found["loss"] == pytest.approx(float(np.log(np.exp(z).sum()) - z[label]), rel=1e-5)
    share = np.exp(z) / np.exp(z).sum() - np.eye(3)[label]
    np.testing.assert_allclose(steps["loss", "logits"]["gives"]["dlogits"]["values"][0], share, rtol=1e-4)


@pytest.mark.parametrize("middle", ["tanh", {"residual": [{"dense": 4}, "tanh"]}])
def test_the_gradients_of_a_trace_are_those_of_a_step(middle: Any) -> None:
    settings = {**SMALL, "model": {"graph": {"h": [{"dense": 4}, middle], "logits": ["dense"]}}}
    session = prepare(api.load_experiment(settings))
    examples = session.data.parts["train"]
    batch = session.loader_of(examples.take(np.array([5])), batch_size=1).batch(0, 0)
    from dltrain.model.mode import Mode

    mode = Mode(False, kernels=session.kernels)
    mode.begin(0)
    session.objective(batch, mode)
    for step in api.trace(settings, sample=5)["operations"]:
        for name in step["weights"] if step["phase"] == "backward" else ():
            wanted = session.graph.parameters[f"{step['path']}.{name}"].grad
            np.testing.assert_allclose(step["gives"][name]["values"], wanted, rtol=1e-5, atol=1e-7)


def test_one_layer_and_large_arrays() -> None:
    wide = {**SMALL, "model": {"graph": {"h": [{"dense": 600}, "relu"], "logits": ["dense"]}}}
    found = api.trace(wide, layer="h.0.dense")
    assert {(step["phase"], step["path"]) for step in found["operations"]} == {
        ("forward", "h.0.dense"), ("backward", "h.0.dense"),
    }  # fmt: skip
    kernel = found["operations"][0]["weights"]["kernel"]
    assert kernel["values"] is None and kernel["shape"] == [4, 600] and kernel["smallest"] < 0 < kernel["largest"]
    assert [step["path"] for step in api.trace(SMALL, layer="h")["operations"]] == ["h.1.tanh"] * 2
    for changes, words in (
        ({"layer": "h.0.dens"}, "did you mean"),
        ({"sample": 10**6}, "0 to"),
        ({"split": "train_dev"}, "part"),
    ):
        with pytest.raises(UsageError, match=words):
            api.trace(SMALL, **changes)


def test_a_run_is_traced_with_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    api.fit({**SMALL, "name": "small", "train": {"epochs": 2}})
    trained, begun = api.trace("small"), api.trace(SMALL)
    assert trained["loss"] < begun["loss"]
    assert command(["trace", "small", "--layer", "h.0.dense"]) == 0
    out = capsys.readouterr().out
    assert "forward  h.0.dense (dense)   y = x W + b" in out and "d kernel   4 × 4" in out
    api.fit({"name": "classic", "data": {"source": "iris"}, "baseline": "logistic_regression"})
    with pytest.raises(UsageError, match="no layers to be traced"):
        api.trace("classic")


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["trace", "J = 3*(a + b*c)", "--set", "a=5", "--set", "b=3", "--set", "c=2"]) == 0
    out = capsys.readouterr().out
    assert "dJ/du1 · du1/db" in out and "3.0000 · 2.0000" in out
    assert command(["trace", "J = a", "--set", "a=1", "--json"]) == 0
    keys = {"expression", "result", "value", "inputs", "forward", "backward", "gradients", "largest_error", "passed"}
    assert json.loads(capsys.readouterr().out).keys() == keys
    for bad in ("a=x", "a", "a=nan"):
        assert command(["trace", "J = a", "--set", bad]) == 2
        assert "expected name=number" in capsys.readouterr().err
    assert command(["trace", "xor-by-hand", "--sample", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"part", "sample", "id", "target", "loss", "operations"}
    assert command(["trace", "xor-by-hand"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["J = 3*a", "--set", "a=1", "--sample", "0"], "--sample"),
        (["J = 3*a", "--set", "a=1", "--split", "test"], "--split"),
        (["J = 3*a", "--set", "a=1", "--layer", "h"], "--layer"),
        (["small", "--set", "seed=5"], "--set seed=5: a run keeps the settings"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] == "small":
        api.fit({**SMALL, "name": "small", "train": {"epochs": 1}})
    assert command(["trace", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_no_text_leads_to_another_error() -> None:
    rng, letters = random.Random(1), "ab1.+-*/^()=; JxeE_,#'\"\\é\0"
    for _ in range(3000):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(1, 14)))
        try:
            trace_expression(text, {"a": 1.0, "b": 2.0})
        except DltrainError:
            continue


def test_any_layers_are_traced(here: Path) -> None:
    convolutional: dict[str, Any] = {
        "data": {"source": "digits"},
        "model": {
            "graph": {
                "y": [
                    {"reshape": [8, 8, 1]},
                    {"conv": {"filters": 2, "kernel_size": 3}},
                    "batch_norm",
                    "relu",
                    {"dropout": 0.5},
                    "max_pool",
                    "flatten",
                    "dense",
                ]
            }
        },
    }
    found = api.trace(convolutional)
    assert [s["kind"] for s in found["operations"] if s["phase"] == "forward"][:3] == ["reshape", "conv", "batch_norm"]
    assert all(
        s["formula"]
        for s in found["operations"]
        if s["kind"] in ("conv", "batch_norm", "dropout", "max_pool") and s["phase"] == "forward"
    )
