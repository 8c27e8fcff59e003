"""Everything registered has documented parameters, an example that runs, a source, and a peer that it agrees with."""

from __future__ import annotations

import doctest
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_losses
import test_metrics
import test_metrics_peer
import test_optim
from layer_parity import CASES
from sequence_parity import CASES as SEQUENCES

from dltrain import registry
from dltrain.registry import Entry

ENTRIES = [entry for kind in registry.kinds() for entry in registry.entries(kind).values()]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
COMPARED = ("layer", "loss", "optimizer", "schedule", "metric")  # kinds that other libraries have too

# What an entry goes without, for good, and why.
EXEMPT: dict[tuple[str, str], dict[str, str]] = {
    ("layer", "flatten"): {"source": "it arranges values and computes nothing"},
    ("layer", "reshape"): {"source": "it arranges values and computes nothing"},
    ("initializer", "constant"): {"source": "a constant has no author"},
    ("initializer", "zeros"): {"source": "a constant has no author"},
    ("initializer", "ones"): {"source": "a constant has no author"},
    ("schedule", "constant"): {"source": "a constant has no author", "peer": "there is nothing to compare"},
    ("layer", "dropout"): {"peer": "other random numbers; its shares and moments are tested"},
    ("layer", "alpha_dropout"): {"peer": "other random numbers; its shares and moments are tested"},
    ("layer", "spatial_dropout"): {"peer": "other random numbers; its shares and moments are tested"},
    ("layer", "stochastic_depth"): {"peer": "other random numbers; its shares and moments are tested"},
    ("layer", "gaussian_noise"): {"peer": "other random numbers; its moments are tested"},
    ("layer", "padding_mask"): {"source": "it compares and computes nothing"},
    ("layer", "last_step"): {"source": "it takes a step and computes nothing"},
    ("layer", "masked_mean"): {"source": "a mean has no author"},
    ("layer", "masked_max"): {"source": "a maximum has no author"},
    ("source", "text_lines"): {"source": "a list of lines has no author"},
    ("layer", "crf"): {"peer": "PyTorch has none; its loss is compared with sums over all sequences of tags"},
    ("loss", "crf"): {"peer": "PyTorch has none; compared with sums over all sequences of tags"},
    ("metric", "span_f1"): {"peer": "scikit-learn has none; compared with stored results of seqeval"},
    ("metric", "perplexity"): {"peer": "exp of the loss, which is compared itself"},
    ("metric", "token_accuracy"): {"peer": "the accuracy, which is compared itself; of tokens it is counted by hand"},
    ("metric", "bits_per_character"): {"peer": "the loss by log 2, which is compared itself"},
    ("optimizer", "averaged_momentum"): {"peer": "PyTorch has none; compared with a transcription of the paper"},
    ("optimizer", "lion"): {"peer": "PyTorch has none; compared with a transcription of the paper"},
    ("metric", "loss"): {"peer": "it is the loss, which is compared itself", "source": "it is the loss"},
    ("metric", "milliseconds_per_sample"): {"peer": "a time, which no other library has", "source": "it is a clock"},
    ("baseline", "dummy"): {"source": "it is the mean, or the shares of the classes"},
    ("task", "multi_label"): {"source": "a task puts a loss and metrics together, which have theirs"},
    ("task", "classification"): {"source": "a task puts a loss and metrics together, which have theirs"},
    ("task", "binary_classification"): {"source": "a task puts a loss and metrics together, which have theirs"},
    ("task", "regression"): {"source": "a task puts a loss and metrics together, which have theirs"},
}


def title(entry: Entry) -> str:
    return f"{entry.kind}-{entry.name}"


def name_of(spec: Any) -> str:
    """The name in a spec of the grammar."""
    return spec if isinstance(spec, str) else str(next(iter(spec)))


@functools.cache
def fixtures() -> set[str]:
    """`kind/name` of all that the stored results of PyTorch hold."""
    found: set[str] = set()
    for file in Path(__file__).with_name("fixtures").glob("*.npz"):
        with np.load(file) as arrays:
            found |= {"/".join(key.split("/")[:2]) for key in arrays.files}
    return found


def of_fixtures(part: str) -> set[str]:
    return {key.partition("/")[2] for key in fixtures() if key.startswith(f"{part}/")}


def values_of(test: Any, argument: str) -> set[str]:
    """The values that a test runs with."""
    marks = [mark for mark in test.pytestmark if mark.name == "parametrize" and mark.args[0] == argument]
    return {str(value) for mark in marks for value in mark.args[1]}


@functools.cache
def peers() -> dict[str, set[str]]:
    """The entries of each kind that a test compares with PyTorch, metrics with scikit-learn."""
    optimizers = {case: name_of(spec) for case, spec in test_optim.SAME_AS_PYTORCH.items()}
    return {
        "layer": {name_of(case.spec) for name, case in CASES.items() if f"{name}/y" in fixtures()}
        | {kind for name, case in SEQUENCES.items() if f"{name}/y" in fixtures() for kind in case.kinds},
        "loss": {name_of(spec) for case, (spec, _) in test_losses.PYTORCH.items() if f"{case}/plain" in fixtures()},
        "optimizer": {optimizers[case] for case in of_fixtures("optimizer")},
        "schedule": of_fixtures("schedule") | ({"reduce_on_plateau"} if of_fixtures("plateau") else set()),
        "metric": {
            "accuracy",  # test_accuracy_and_per_class_are_scikit_learns
            *(name for name in registry.entries("metric") if f'"{name}"' in inspect.getsource(test_metrics_peer)),
            *values_of(test_metrics.test_averages_are_scikit_learns, "name"),
            *values_of(test_metrics.test_regression_metrics_are_scikit_learns, "name"),
        },
    }


def lacks(entry: Entry) -> Iterator[str]:
    """What an entry goes without."""
    if not 10 <= len(entry.summary) <= 130:
        yield "summary"
    if "\nExample:\n" not in f"\n{entry.doc}" or "\n    >>> " not in entry.doc:
        yield "example"
    if "\nSource: " not in f"\n{entry.doc}" or len(entry.doc.partition("Source: ")[2]) < 15:
        yield "source"
    yield from (f"parameter {argument.name}" for argument in entry.arguments if not argument.summary)
    if entry.kind in COMPARED and entry.name not in peers()[entry.kind]:
        yield "peer"


@pytest.mark.parametrize("entry", ENTRIES, ids=title)
def test_an_entry_has_all_that_it_should(entry: Entry) -> None:
    key = entry.kind, entry.name
    assert set(lacks(entry)) == set(EXEMPT.get(key, ()))


@pytest.mark.parametrize("entry", ENTRIES, ids=title)
def test_the_example_runs(entry: Entry) -> None:
    """Also those of rows of a table, which no docstring holds: they import what they need."""
    row = entry.doc != inspect.getdoc(entry.make)
    names = {} if row else dict(vars(importlib.import_module(entry.make.__module__)))
    test = doctest.DocTestParser().get_doctest(entry.doc, names, title(entry), None, None)
    assert doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=sys.stdout.write).failed == 0
    assert test.examples


def test_the_lists_name_what_there_is() -> None:
    known = {(entry.kind, entry.name) for entry in ENTRIES}
    assert set(EXEMPT) <= known
    assert all(len(reason) > 12 for reasons in EXEMPT.values() for reason in reasons.values())


@pytest.mark.parametrize(
    ("doc", "wanted"),
    [
        ("Too few.", {"summary", "example", "source", "parameter rate"}),
        (
            "A summary that says it.\n\nParameters:\n    rate: of it\n\nExample:\n    >>> 1\n    1",
            {"source"},
        ),
        ("A summary that says it.\n\nExample:\n    nothing\n\nSource: A. Person, 1950.", {"example", "parameter rate"}),
    ],
)
def test_what_is_missing_is_seen(doc: str, wanted: set[str]) -> None:
    def made(rate: float) -> None: ...

    made.__doc__ = doc
    entry = Entry("hook", "made", made, registry.arguments_of(made), doc)
    assert set(lacks(entry)) == wanted
    assert "peer" in set(lacks(Entry("loss", "made", made, (), doc)))
