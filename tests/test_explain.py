"""`dltrain explain` for what is not a registered name: sections, keys, paths, parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dltrain import build_model, registry
from dltrain.config import keys
from dltrain.config.check import check
from dltrain.config.explain import PARTS, Description, name
from dltrain.config.sections import Fields, Model, is_section, keys_of
from dltrain.config.yaml_reader import read_bytes
from dltrain.errors import UsageError
from dltrain.model import notation
from dltrain.model.chains import KEYWORDS
from dltrain.model.options import WORDS

ROOT = Path(__file__).parent.parent
TOP = {key.name: key for key in keys_of(Fields)}


def paths() -> Iterator[str]:
    """Every key path of a config: of the sections, and the parameters of everything that a key may name."""
    for key in TOP.values():
        yield key.name
        for inner, thing in keys.inside(key).items():
            yield f"{key.name}.{inner}"
            for last in keys.inside(thing):
                yield f"{key.name}.{inner}.{last}"


PATHS = [*paths(), "extends", "optimizer.adam.groups.*.multiplier", "model.graph.logits.2.dense.units", "dense.units"]


def only(word: str) -> Description:
    (found,) = name(word)
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_explained(path: str) -> None:
    """Meaning, type, default, and an example that the checker of configs takes."""
    found = only(path) if "." in path else name(path)[0]
    last = keys.walk(path)[-1]
    assert found.summary and (ROOT / found.page).is_file()
    if isinstance(last[1], registry.Entry):
        assert (found.kind, found.name) == (last[1].kind, last[0])
        return
    assert found.type
    document = read_bytes(found.example.encode(), "example")
    assert not document.flaws and document.root is not None
    written: dict[str, Any] = document.root.plain()
    assert f"{last[0]}: " in found.example
    for key, value in written.items():
        if key in TOP:
            assert check(value, TOP[key].annotation) == []


@pytest.mark.parametrize("path", [path for path in PATHS if path.count(".") < 2])
def test_the_page_of_a_key_names_it(path: str) -> None:
    found, (word, thing) = name(path)[0], keys.walk(path)[-1]
    page = (ROOT / found.page).read_text(encoding="utf-8")
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", page), f"{found.page} says nothing of {word}"
    if isinstance(thing, registry.Entry):
        assert word in page


def test_all_that_is_known_of_a_key() -> None:
    found = only("train.batch_size")
    assert (found.kind, found.default, found.example) == ("key", "32", "train: {batch_size: 32}")
    assert found.type == "a whole number of at least 1 or 'all'"
    assert found.summary.startswith("examples in a step")
    assert only("batch_size") == found
    init = only("model.init")
    assert set(init.choices) == set(registry.entries("initializer"))
    assert only("dtype").choices == ["float32", "float64"]
    assert only("hooks").example == "hooks: [tensorboard]"


def test_sections() -> None:
    assert [found.name for found in only("model").parameters] == list(notation.SECTIONS)
    assert [key.name for key in keys_of(Model)] == list(notation.SECTIONS)
    for word in PARTS:
        found = only(word)
        assert found.kind == "section" and len(found.parameters) >= 3


def test_a_parameter_that_many_things_have() -> None:
    *of_layers, groups = sorted(name("groups"), key=lambda found: "adam" in found.doc)
    assert groups.kind == "parameter" and "adam" in groups.doc and any("conv" in found.doc for found in of_layers)
    assert [parameter.name for parameter in groups.parameters] == [
        "learning_rate",
        "multiplier",
        "weight_decay",
        "frozen",
    ]
    defaults = [found.default for found in name("learning_rate")]
    assert {"0.1", "0.01", "0.001", "0.002", "required"} > set(map(str, defaults)) - {"None", "null", "1.0", "0.0001"}


@pytest.mark.parametrize(
    ("word", "type", "role"),
    [
        ("training_only", "true or false", "A key of the parameter heads of multi_task."),
        ("wire", "text or null", "A key of the parameter heads of multi_task."),
        ("frozen", "true or false or a map", "A key of the parameter groups of gradient_descent, momentum,"),
        ("multiplier", "a number of at least 0", "A key of the parameter groups of gradient_descent, momentum,"),
        ("until_epoch", "a whole number of at least 1", "A key of the parameter groups.frozen of gradient_descent,"),
    ],
)
def test_a_key_of_a_map_among_the_values_of_things(word: str, type: str, role: str) -> None:
    found = only(word)
    assert found.kind == "parameter" and found.type.startswith(type) and role in found.doc
    document = read_bytes(found.example.encode(), "example")
    assert not document.flaws and f"{word}: " in found.example


def test_the_weight_of_examples_and_that_of_a_head() -> None:
    of_sources, of_head = name("weight")[:-1], name("weight")[-1]
    assert of_head.type == "a number above 0" and of_head.page == "docs/tasks.md"
    assert all(found.page == "docs/data.md" for found in of_sources)


def test_a_key_and_a_thing_of_one_name() -> None:
    assert [(found.kind, found.name) for found in name("loss")] == [("key", "loss"), ("metric", "loss")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("training.batch_size", "at the top level; expected data, model, init_from, baseline, name"),
        ("training.batch_size", "did you mean 'train.batch_size'?"),
        ("train.epocs", "there is no key 'epocs' in 'train'; expected epochs, steps"),
        ("train.epocs", "did you mean 'train.epochs'?"),
        ("model.grph", "did you mean 'model.graph'?"),
        ("optimizer.adm.beta_1", "did you mean 'optimizer.adam.beta_1'?"),
        ("optimizer.groups", "did you mean 'optimizer.gradient_descent.groups'?"),
        ("optimizer.adam.lr", "did you mean 'optimizer.adam.learning_rate'?"),
        ("adam.beta1", "did you mean 'adam.beta_1'?"),
        ("seed.x", "expected nothing below it; got 'seed.x'"),
        ("model.graph.y.0.dens.units", "did you mean 'model.graph.y.0.dense.units'?"),
        ("optimizer.adam.groups.*.frozn", "did you mean 'optimizer.adam.groups.*.frozen'?"),
        ("0", "nothing has this name"),
        (".", "there is no key ''"),
        ("batchsize", "did you mean 'batch_size'?"),
        ("callbacks", "did you mean 'hooks'?"),
        ("training_onyl", "did you mean 'training_only'?"),
    ],
)
def test_a_near_miss_gets_a_suggestion(word: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        name(word)
    assert said in str(caught.value)


def test_paths_go_on_for_the_shell() -> None:
    assert set(keys.continuations("train.")) == {f"train.{key.name}" for key in keys_of(TOP["train"].annotation)}
    assert list(keys.continuations("optimizer.adam.beta")) == ["optimizer.adam.beta_1", "optimizer.adam.beta_2"]
    assert "model" in keys.continuations("mo")
    assert list(keys.continuations("no.such.")) == []


def test_sections_inside_things_are_found() -> None:
    nested = [a for e in registry.entries("optimizer").values() for a in e.arguments if a.name == "groups"]
    assert nested and all(not is_section(a.annotation) and keys.is_map(a) for a in nested)


@pytest.mark.parametrize("word", [*KEYWORDS, *WORDS])
def test_words_of_the_notation_have_a_meaning_and_an_example_that_is_a_model(word: str) -> None:
    found = only(word)
    assert found.page == "docs/notation.md" and word in found.example and len(found.summary) > 20
    document = read_bytes(found.example.encode(), "example")
    assert not document.flaws and document.root is not None
    shapes = {"x": (4,)} if "inputs" not in found.example else {"a": (4,), "b": (4,)}
    assert build_model(document.root.plain(), shapes)
