"""Small runs of every kind of problem, to make pages of; and names that try to be more than text."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from small_runs import iris

from dltrain import api
from dltrain.config import dump

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- comment",
    "-->",
    "<svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "</td></tr></table><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "&amp;amp;",
    "a\u202egnirts",
    "\u2066isolated\u2069 \u200fmark",
    "<iframe src=http://example.com>",
    "<link rel=stylesheet href=http://example.com/a.css>",
    "<meta http-equiv=refresh content='0;url=http://example.com'>",
    "<base href=http://example.com/>",
    "<style>*{display:none}</style>",
    "<form action=http://example.com><input name=a>",
    "url(http://example.com/a.png)",
    "{{7*7}}${7*7}#{7*7}%s%(a)s",
    "\\u003cscript\\u003e",
    "<plaintext>",
]


SPLIT = {"random": {"validation": 0.3, "test": 0}}


def rows_of(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def hostile(folder: Path) -> dict[str, Any]:
    """A config on a table whose classes and features have hostile names."""
    numbers = np.random.default_rng(0)
    rows = [
        [*map("{:.3f}".format, numbers.normal(k % 7, 1, 3)), name] for k, name in enumerate(HOSTILE) for _ in range(6)
    ]
    table = rows_of(folder / "hostile.csv", ["<b>a</b>", "<script>b", "c\u202e", "y"], rows)
    return {
        "name": "hostile",
        "data": {"source": {"csv": {"path": table.name, "target": "y"}}, "split": SPLIT},
        "model": {"graph": {"logits": [{"dense": 8}, "relu", "dense"]}},
        "train": {"epochs": 2},
    }


def multi_label(folder: Path) -> dict[str, Any]:
    """A config with three labels."""
    numbers = np.random.default_rng(1).normal(size=(120, 3))
    rows = [[*map("{:.3f}".format, row), *(int(value > 0) for value in row)] for row in numbers]
    table = rows_of(folder / "labels.csv", ["a", "b", "c", "red", "green", "blue"], rows)
    source = {"csv": {"path": table.name, "target": ["red", "green", "blue"]}}
    return {
        "name": "labels",
        "task": "multi_label",
        "data": {"source": source, "split": SPLIT},
        "model": {"graph": {"logits": ["dense"]}},
        "train": {"epochs": 2},
    }


def language(folder: Path) -> dict[str, Any]:
    """A config on a text."""
    (folder / "text.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 12)
    layers = [{"embedding": {"vocabulary_size": "$vocabulary_size", "units": 4}}]
    recurrent = {"simple_rnn": {"units": 8, "return_sequences": True}}
    return {
        "name": "text",
        "task": "language_model",
        "data": {
            "source": {"text": {"path": "text.txt", "steps": 8}},
            "split": {"chronological": {"validation": 0.2, "test": 0}},
        },
        "model": {"graph": {"h": [*layers, recurrent], "logits": ["dense"]}},
        "train": {"epochs": 2},
    }


PICTURES: dict[str, Any] = {
    "name": "pictures",
    "data": {
        "source": {"digits": {"images": True}},
        "split": {"stratified": {"validation": 0.1, "test": 0.7}},
        "prepare": [{"scale": 16}],
    },
    "model": {"graph": {"logits": [{"conv": {"filters": 4, "kernel_size": 3}}, "relu", "global_avg_pool", "dense"]}},
    "train": {"epochs": 2},
}
REGRESSION: dict[str, Any] = {
    "name": "values",
    "task": "regression",
    "data": {"source": "diabetes", "split": {"random": {"validation": 0.2, "test": 0.2}}},
    "model": {"graph": {"y": ["dense"]}},
    "train": {"epochs": 2},
}
PLANE: dict[str, Any] = {
    "name": "plane",
    "task": "binary_classification",
    "data": {"source": {"moons": {"samples": 120, "noise": 0.2}}, "split": {"random": {"validation": 0.4, "test": 0}}},
    "model": {"graph": {"logit": [{"dense": 4}, "tanh", "dense"]}},
    "train": {"epochs": 2},
}
BASELINE: dict[str, Any] = {
    "name": "baseline",
    "data": {"source": "iris", "split": {"stratified": {"validation": 0.3, "test": 0}}},
    "baseline": "k_nearest_neighbors",
}


def sweep(folder: Path) -> dict[str, Any]:
    """The specification of a small sweep in rounds."""
    return {
        "name": "search",
        "config": iris(train__epochs=1),
        "trials": 8,
        "sampler": {"coarse_to_fine": {"points": 4}},
        "space": {
            "optimizer.adam.learning_rate": {"log_uniform": [0.0001, 0.1]},
            "train.batch_size": {"choice": [15, 30]},
        },
    }


def trained(config: dict[str, Any], runs: Path) -> Path:
    """The folder of a run of a config, whose file stands beside the data."""
    file = runs.parent / f"{config['name']}.yaml"
    file.write_text(dump(config))
    return Path(api.fit(file, runs=runs)["run"])
