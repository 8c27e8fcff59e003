"""What is said about a wrong config: every problem at once, each with its place and a caret."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltrain.config import from_mapping, load
from dltrain.errors import ConfigError, Problem, StorageError, UsageError

GOOD = """\
data: {source: digits}
model:
  graph:
    logits: [dense: 8, relu, dense]
"""

WRONG = """\
data:
  source: digits
  splitt: random
model:
  graph:
    logits: [dense: {units: 0, use_bias: no}, rleu, dense]
optimizer: {adam: {lr: 1e-3, beta_1: "0.9"}}
train: {epochs: ten, batch_size: 1.5}
sede: 1
"""

SAID = """\
{file}:3:3: data.splitt: there is no key 'splitt' in 'data'; expected source, split, prepare, prepare_target, balance, \
augment, workers; did you mean 'split'?
     3 |   splitt: random
       |   ^
{file}:6:29: model.graph.logits.0.dense.units: this number is out of its range; expected a whole number of at least 1; \
got 0
     6 |     logits: [dense: {units: 0, use_bias: no}, rleu, dense]
       |                             ^
{file}:6:42: model.graph.logits.0.dense.use_bias: this is not true or false; expected true or false; \
got the text 'no'; write false without quotes
     6 |     logits: [dense: {units: 0, use_bias: no}, rleu, dense]
       |                                          ^
{file}:6:47: model.graph.logits.1: there is no layer or block of this name; \
expected one of `dltrain list layers`, or a block of this model; \
got 'rleu'; did you mean 'relu'?
     6 |     logits: [dense: {units: 0, use_bias: no}, rleu, dense]
       |                                               ^
{file}:7:20: optimizer.adam.lr: adam has no parameter 'lr'; expected learning_rate, beta_1, beta_2, epsilon, \
weight_decay, clip_value, clip_each_norm, clip_norm, groups; did you mean 'learning_rate'?
     7 | optimizer: {adam: {lr: 1e-3, beta_1: "0.9"}}
       |                    ^
{file}:7:38: optimizer.adam.beta_1: this is not a number; expected a number from 0 up to but not including 1; \
got the text '0.9'; take the quotes off: text is not a number
     7 | optimizer: {adam: {lr: 1e-3, beta_1: "0.9"}}
       |                                      ^
{file}:8:17: train.epochs: this is not a whole number; expected a whole number of at least 1; got the text 'ten'
     8 | train: {epochs: ten, batch_size: 1.5}
       |                 ^
{file}:8:34: train.batch_size: this is not a whole number of at least 1 or 'all'; \
expected a whole number of at least 1 or 'all'; got 1.5
     8 | train: {epochs: ten, batch_size: 1.5}
       |                                  ^
{file}:9:1: sede: there is no key 'sede' at the top level; expected data, model, init_from, baseline, name, seed, \
dtype, task, loss, metrics, optimizer, regularize, constrain, average, train, hooks, waive; did you mean 'seed'?
     9 | sede: 1
       | ^"""


def write(folder: Path, text: str, name: str = "a.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def said(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text))
    return str(caught.value).replace(str(folder), "")


def test_all_problems_at_once_with_carets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, WRONG))
    assert str(caught.value) == SAID.replace("{file}", str(tmp_path / "a.yaml"))
    assert len(caught.value.problems) == 9
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("loss: accuracy", ["4:7: loss: there is no loss of this name", "got 'accuracy'; 'accuracy' is a metric"]),
        ("loss: [softmax_cross_entropy]", ["leave the brackets out"]),
        ("loss: huber", ["does not fit the task classification", "expected softmax_cross_entropy"]),
        ("optimizer: {name: adam, lr: 3}", ["does not name one optimizer", "write `adam: {…}`"]),
        ("optimizer:\n  adam:\n  lr: 1", ["indent the parameters below `adam:`"]),
        ("optimizer:", ["4:11: optimizer: this does not name one optimizer", "got nothing"]),
        ("train:", ["4:7: train: this is not a map", "got nothing"]),
        ("train: {epochs: 0}", ["at least 1; got 0"]),
        ("train: {epochs: true}", ["got true"]),
        ("train: {epochs: 3.0}", ["got 3.0; write 3"]),
        ("train: {epochs: 1_000}", ["write 1000"]),
        ("train: {epochs: '30'}", ["take the quotes off"]),
        ("train: {epochs: 2*3}", ["nothing is calculated here"]),
        ("train: {shuffle: yes}", ["write true without quotes"]),
        ("train: {time: 3 epochs}", ["this is not a time", "'10 minutes'"]),
        ("train: {time: 10}", ["this is not an interval"]),
        ("train: {evaluate_every: 0.5 epochs}", ["epochs are counted in whole numbers"]),
        ("train: {evaluate_every: 1 parsec}", ["this is not an interval"]),
        ("train: {keep: 0}", ["at least 2"]),
        ("train: {learning_rate: 1}", ["did you mean `optimizer: {adam: {learning_rate: …}}`?"]),
        ("train: {monitor: validation.acuracy}", ["this is not measured", "did you mean 'validation.accuracy'?"]),
        ("train: {monitor: loss}", ["this is not measured; expected validation.loss or"]),
        ("metrics: [accuracy, f1, accuracy]", ["metrics.2: the metric 'accuracy' is named twice"]),
        ("metrics: accuracy", ["this is not a list", "write it in brackets"]),
        (
            "hooks: [early_stopping: {patience: 3, monitor: train.r2}]",
            ["hooks.0.early_stopping.monitor", "not measured"],
        ),
        ("hooks: [early_stopping]", ["early_stopping needs a value for 'patience'"]),
        ("batch_size: 3", ["did you mean `train.batch_size`?"]),
        ("layers: []", ["did you mean `model.graph`?"]),
        ("dtype: float16", ["one of 'float32', 'float64'"]),
        ("seed: -1", ["a whole number from 0 to"]),
        ("seed: .nan", ["this number is not finite"]),
        ("name: a/b", ["a name of letters, digits"]),
        ("name: 3", ["put it in quotes"]),
        ("regularize: [l2: $x]", ["$names are known inside `model:` only"]),
        ("regularize: [l2: 5%]", ["write 0.05"]),
        ("optimizer: {adam: '1e-3'}", ["optimizer.adam: this is not a number", "take the quotes off"]),
        ("optimizer: {adam: {learning_rate: {cosine: {learning_rate: -1}}}}", ["cosine.learning_rate: this number"]),
        ("optimizer: {adam: cosin}", ["there is no schedule of this name", "did you mean 'cosine'?"]),
        ("optimizer: {adam: {clip_norm: 0}}", ["a number above 0"]),
    ],
)
def test_sentences(tmp_path: Path, line: str, parts: list[str]) -> None:
    text = said(tmp_path, "data: {source: digits}\nmodel:\n  graph: {logits: [dense]}\n" + line)
    assert [part for part in parts if part not in text] == [], text
    assert text.count("\n       |") == 1, text


def test_a_missing_section_is_said(tmp_path: Path) -> None:
    text = said(tmp_path, "seed: 1\n")
    assert "'data' is missing" in text and "'model' is missing" in text


@pytest.mark.parametrize(("text", "got"), [("", "an empty file"), ("- 1", "a list of 1"), ("text", "the text 'text'")])
def test_other_things_than_a_map(tmp_path: Path, text: str, got: str) -> None:
    assert f"this is not a config; expected a map with the keys data, model, …; got {got}" in said(tmp_path, text)


def test_flaws_of_the_text_and_problems_of_the_values_come_together(tmp_path: Path) -> None:
    text = said(tmp_path, GOOD + "seed: 1\nseed: 2\ntrain: {epochs: 0}\n")
    assert "this key stands twice" in text and "train.epochs" in text


def test_a_flaw_hides_the_problems_it_makes(tmp_path: Path) -> None:
    text = said(tmp_path, GOOD + "train: {epochs: &x 3, batch_size: *x}\n")
    assert text.count("train.batch_size") == 1 and "aliases are not allowed" in text


def test_layer_parameters_are_checked_where_variables_come_from(tmp_path: Path) -> None:
    model = "model:\n  vars: {width: 0}\n  graph: {y: [dense: $width]}\n"
    assert "a.yaml:3:17: model.vars.width: this number is out of its range" in said(
        tmp_path, "data: {source: digits}\n" + model
    )


def test_layer_parameters_are_checked_in_blocks_once(tmp_path: Path) -> None:
    model = "model:\n  blocks: {b: [dropout: 2]}\n  graph: {y: [b, b, dense]}\n"
    text = said(tmp_path, "data: {source: digits}\n" + model)
    assert text.count("out of its range") == 1 and "a.yaml:3:25: model.blocks.b.0.dropout" in text


def test_notation_and_parameter_problems_come_together(tmp_path: Path) -> None:
    model = "model:\n  graph: {y: [dropout: 2, add: [[dense: 0], []], nothing]}\n"
    text = said(tmp_path, "data: {source: digits}\n" + model)
    assert text.count("out of its range") == 2 and "there is no layer or block of this name" in text


def test_wide_lines_are_cut_around_the_caret(tmp_path: Path) -> None:
    text = said(tmp_path, GOOD + f"name: {'x' * 300}/\n")
    assert all(len(line) < 200 for line in text.splitlines())


def test_many_problems_are_cut(tmp_path: Path) -> None:
    text = said(tmp_path, GOOD + "".join(f"key{i}: 1\n" for i in range(80)))
    assert text.endswith("… and 30 more")


def test_later_problems_are_located(tmp_path: Path) -> None:
    experiment = load(write(tmp_path, GOOD))
    problem = Problem(("model", "graph", "logits", 0, "dense", "units"), "does not fit", "3", "8")
    start = f"{tmp_path / 'a.yaml'}:4:21: model.graph.logits.0.dense.units: does not fit; expected 3; got 8\n"
    assert experiment.locate(problem).startswith(start)
    with pytest.raises(ConfigError, match="does not fit") as caught:
        experiment.fail([problem])
    assert caught.value.problems == [problem]
    in_defaults = Problem(("optimizer", "adam", "epsilon"), "is small")
    assert experiment.locate(in_defaults).startswith(f"{tmp_path / 'a.yaml'}:1:1: optimizer.adam.epsilon: is small")


def test_from_python_by_dotted_path() -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping({"data": {"source": "digits"}, "model": {"graph": {"y": [{"dense": 0}]}}}, "mine")
    assert str(caught.value).startswith("mine: model.graph.y.0.dense: this number is out of its range; ")


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {1, 2}}, b"x"])
def test_from_python_only_plain_data(value: object) -> None:
    with pytest.raises(ConfigError, match=r"config: seed(.a)?: (this is not plain data|this key is not text)"):
        from_mapping({"data": {"source": "digits"}, "model": {"graph": {"y": ["dense"]}}, "seed": value})


def test_from_python_a_circle_ends() -> None:
    circle: dict[str, object] = {}
    circle["model"] = circle
    with pytest.raises(ConfigError, match="the nesting is too deep"):
        from_mapping(circle)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="this is not a file"):
        load(tmp_path)
    with pytest.raises(StorageError, match="the config cannot be read; got .*File name too long"):
        load(tmp_path / ("x" * 5000))
