"""Figure B1: mutated configs load, or are refused with place, key, what was expected and what was got; nothing else."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from dltrain.config import Experiment, dump, load
from dltrain.config.provenance import tidy
from dltrain.errors import ConfigError, Problem

TEXTS = [
    """\
name: digits-mlp
seed: 3
data:
  source: digits
  split: {stratified: {validation: 0.15, test: 0.15}}
  prepare: [standardize]
model:
  graph:
    logits: [dense: 128, relu, dropout: 0.2, dense]
loss: softmax_cross_entropy
metrics: [accuracy, f1]
optimizer: {adam: {learning_rate: 0.001}}
regularize: [l2: 1.0e-4]
train:
  epochs: 30
  batch_size: 32
  shuffle: true
  evaluate_every: 1 epoch
  monitor: validation.loss
hooks: [early_stopping: {patience: 5}]
""",
    """\
# blocks, branches, variables
task: regression
data:
  source:
    csv:
      path: house.csv
      target: price
  split: {random: {validation: 0.2}}
model:
  vars: {width: 16, rate: 0.1}
  blocks:
    unit: [dense: {units: $units, use_bias: $bias=true}, batch_norm, relu]
    twice:
      - residual: [unit: $units, dropout: $rate]
      - unit: {units: $units, bias: false}
  graph:
    stem:  [dense: $width, relu]
    left:  [twice: {units: $width, repeat: 2}]
    right: [from: stem, concat: [[dense: 4], [unit: 4], []]]
    price: [concat: {with: left}, dense: {units: 1, kernel_initializer: he_normal}]
  outputs: [price]
optimizer:
  adamw:
    learning_rate: {warmup: {learning_rate: {cosine: {learning_rate: 0.1}}, length: 50}}
    weight_decay: 1e-2
train: {time: 10 minutes, steps: 1000, batch_size: 8, checkpoint_every: 100 steps, keep: 3}
""",
    """\
data: {source: {moons: {}}, prepare: [{scale: 2.0}]}
task: binary_classification
model: {graph: {h: [dense: 8, tanh], y: [dense]}}
optimizer: {momentum: {learning_rate: {exponential: 0.1}, momentum: 0.9}}
seed: 0x1f
dtype: float64
metrics:
- accuracy
- precision
train:
  epochs: 5
""",
]

VALUES = [
    *("ten", "'3'", "-1", "0", "1.5", "1e999", ".nan", "-.inf", "true", "no", "~", "", "[]", "{}", "[[[]]]", "{a: 1}"),
    *("[1, x]", "$width", "$", "$$=3", "&a x", "*a", "!!int 3", "!t", "1_000", "10 %", "2024-01-01", "|", ">", "''"),
    *(
        "1" * 5000,
        "x" * 5000,
        "ünïcode",
        "{adam: {adam: 1}}",
        "{dense: {dense: 3}}",
        "adam",
        "dense",
        "1 epoch",
        "[a: b",
    ),
]
BYTES = [
    b"\x00",
    b"\xff",
    b"\xc3",
    b"\t",
    b"\x1b[2J",
    b":",
    b"- ",
    b"[",
    b"{",
    b"'",
    b'"',
    b"#",
    b"\r",
    b"%",
    b"@",
    b"\n",
]
PLACE = re.compile(r"^\S+\.yaml:(\d+):(\d+): ")
ABSENT = re.compile(r"^'\w+' is missing$|^the model has no graph$| needs a value for '\w+'$")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def mutate(text: str, rng: random.Random) -> bytes:
    """A text with one to four random changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice((drop, double, swap, move, insert, indent, spell, spell, value, value, graft, graft))(
            text, rng
        )
    data = text.encode()
    if rng.random() < 0.08:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice(BYTES) + data[at + rng.randrange(3) :]
    return data


def line(text: str, rng: random.Random) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, rng.randrange(len(lines))


def drop(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    return "\n".join(lines[:at] + lines[at + 1 :])


def double(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    return "\n".join(lines[:at] + [lines[at]] + lines[at:])


def swap(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    other = rng.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


def move(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    lines.insert(rng.randrange(len(lines)), lines.pop(at))
    return "\n".join(lines)


def indent(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    lines[at] = " " * rng.randrange(5) + lines[at].strip()
    return "\n".join(lines)


def spell(text: str, rng: random.Random) -> str:
    words = list(re.finditer(r"[a-z_]{2,}", text))
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start(), word.end())
    return text[:at] + rng.choice(("", "x", text[at] * 2, "_", "$", text[at].upper())) + text[at + 1 :]


def value(text: str, rng: random.Random) -> str:
    values = list(re.finditer(r"(?<=: )[^,{}\[\]\n]+", text))
    if not values:
        return text
    chosen = rng.choice(values)
    return text[: chosen.start()] + rng.choice(VALUES) + text[chosen.end() :]


def graft(text: str, rng: random.Random) -> str:
    """A value, or a whole map or list in one line, at the place of another."""
    parts = list(re.finditer(r"(?<=: )(\{.*\}|\[.*\]|[^,{}\[\]\n]+)|[a-z_]+(?=[,\]])", text))
    if not parts:
        return text
    chosen, other = rng.choice(parts), rng.choice(parts)
    return text[: chosen.start()] + other[0] + text[chosen.end() :]


def insert(text: str, rng: random.Random) -> str:
    lines, at = line(text, rng)
    extra = rng.choice(
        ("epochs: 3", "- relu", "extends: none.yaml", "extends: ../x.yaml", "{", "---", "...", "? x", "<<: 1")
    )
    lines.insert(at, " " * rng.choice((0, 2, 4)) + extra)
    return "\n".join(lines)


def attempt(path: Path, data: bytes) -> Experiment | None:
    """Load a mutated config; a refusal is looked at closely."""
    path.write_bytes(data)
    try:
        return load(path)
    except ConfigError as error:
        heads = [text for text in str(error).split("\n") if not text.startswith(" ") and not text.startswith("…")]
        shown = min(len(error.problems), 50)
        assert heads and len(heads) == shown, str(error)
        assert error.exit_code in (2, 4)
        lines = data.decode("utf-8", "replace").splitlines() or [""]
        for head in heads:
            found = PLACE.match(head)
            assert found, head
            line, column = int(found[1]), int(found[2])
            assert 1 <= line <= len(lines) + 1 and 1 <= column <= len([*lines, ""][line - 1]) + 1, head
            assert len(head) < 1000 and head.isprintable(), head
            assert "; expected " in head, head
        for problem in error.problems:
            assert problem.what and problem.expected and says_what_was_got(problem, "\n".join(lines)), problem
            told = not problem.path or any(f": {tidy(problem.dotted)}: " in head for head in heads)
            assert told or shown < len(error.problems), problem
        return None


def says_what_was_got(problem: Problem, text: str) -> bool:
    """Whether a problem shows what was written: as `got`, or in quotes where a name is wrong; or what is missing."""
    quoted = [word[1:-1] for word in QUOTED.findall(problem.what)]
    named = any(" ".join(word.split()) in " ".join(text.split()) for word in quoted)
    return bool(problem.got or ABSENT.search(problem.what)) or named


def fuzz(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """(loaded, refused) of `count` mutated configs."""
    rng = random.Random(seed)
    loaded = 0
    for number in range(count):
        data = mutate(rng.choice(TEXTS), rng)
        try:
            experiment = attempt(folder / "a.yaml", data)
            if experiment is not None:
                loaded += 1
                again = folder / "b.yaml"
                again.write_text(dump(experiment.resolved), encoding="utf-8")
                assert load(again) == experiment
        except Exception as error:
            error.add_note(f"seed {seed}, mutation {number}:\n{data.decode(errors='replace')[:3000]}")
            raise
    return loaded, count - loaded


@pytest.mark.parametrize("text", TEXTS)
def test_the_texts_themselves_are_good(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    load(tmp_path / "a.yaml")


def test_500_mutated_configs(tmp_path: Path) -> None:
    loaded, refused = fuzz(tmp_path, 500, seed=1)
    assert refused > 250 and loaded > 25


@pytest.mark.slow
def test_5000_mutated_configs(tmp_path: Path) -> None:
    loaded, refused = fuzz(tmp_path, 5000, seed=2)
    assert refused > 2500 and loaded > 250
