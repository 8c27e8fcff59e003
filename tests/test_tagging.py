"""Tags of words: sources, spans, conditional random fields, and a tagger from data to prediction."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.data import DataFolders
from dltrain.errors import ConfigError, DltrainError
from dltrain.losses import ConditionalRandomFieldLoss
from dltrain.metrics import Spans
from dltrain.model.mode import Mode
from dltrain.registry import create
from dltrain.training.gradient_check import check_gradients
from dltrain.training.journal import NoJournal
from dltrain.training.progress import SilentProgress
from dltrain.training.session import prepare

STORED = json.loads(Path(__file__).with_name("fixtures").joinpath("spans.json").read_text())
CITIES = ("boston", "denver", "new york")


def lines(count: int) -> list[tuple[list[str], list[str]]]:
    """Sentences about flights, each word with its tag."""
    found = []
    for k in range(count):
        a, b = CITIES[k % 3].split(), CITIES[(k + 1) % 3].split()
        words = ["fly", *["please"] * (k % 4), "from", *a, "to", *b]
        tags = ["O"] * (2 + k % 4) + ["B-from", "I-from"][: len(a)] + ["O"] + ["B-to", "I-to"][: len(b)]
        found.append((words, tags))
    return found


def conll(some: list[tuple[list[str], list[str]]]) -> str:
    return "\n".join("".join(f"{w}\t{t}\n" for w, t in zip(*pair, strict=True)) for pair in some)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sentences, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.conll").write_text(conll(lines(60)))
    (tmp_path / "test.conll").write_text(conll(lines(12)))
    return tmp_path


def config(crf: bool = True, **changes: Any) -> dict[str, Any]:
    mask = {"with": "mask"}
    cell: dict[str, Any] = {"units": 8, "return_sequences": True, **mask}
    graph: dict[str, Any] = {
        "mask": [{"from": "x"}, "padding_mask"],
        "words": [{"from": "x"}, {"embedding": {"vocabulary_size": "$vocabulary_size", "units": 8, "padding": 0}}],
        "tags": [{"concat": [[{"lstm": cell}], [{"lstm": {**cell, "go_backwards": True}}]]}, {"dense": "$classes"}],
    }
    if crf:
        graph["tags"].append({"crf": mask})
    return {
        "task": "tagging",
        "data": {
            "source": {"conll": {"path": "train.conll", "test_path": "test.conll"}},
            "split": {"random": {"validation": 0.2}},
        },
        "model": {"graph": graph},
        "loss": "crf" if crf else "softmax_cross_entropy",
        "metrics": ["accuracy", "span_f1"],
        "optimizer": {"adam": 0.03},
        "train": {"epochs": 12, "batch_size": 8},
        **changes,
    }


@pytest.mark.parametrize("case", STORED, ids=lambda case: f"{len(case['tags'])} tags")
def test_spans_are_seqevals(case: dict[str, Any]) -> None:
    tags, most = case["tags"], max(map(len, case["there"]))
    there, found = (
        np.array([[tags.index(tag) for tag in row] + [-1] * (most - len(row)) for row in case[key]])
        for key in ("there", "found")
    )
    spans = Spans(tags)
    spans.update(np.eye(len(tags))[np.maximum(found, 0)], there, None)
    assert spans.arrays["spans"].tolist() == case["counts"]
    assert create("metric", "span_f1")(spans.arrays) == pytest.approx(case["f1"], rel=1e-12)


def paths(outputs: np.ndarray, steps: int) -> dict[tuple[int, ...], float]:
    """{sequence of tags: its score}, all of them, by the formula."""
    K = outputs.shape[1]
    z, A, first, last = outputs[:steps], outputs[-K - 2 : -2], outputs[-2], outputs[-1]
    return {
        y: first[y[0]]
        + sum(z[t, k] for t, k in enumerate(y))
        + sum(A[i, j] for i, j in itertools.pairwise(y))
        + last[y[-1]]
        for y in itertools.product(range(K), repeat=steps)
    }


@pytest.mark.parametrize("K", [2, 3])
def test_a_random_field_is_a_sum_over_all_sequences(K: int) -> None:
    """Loss and likeliest sequence by listing all of them, for sentences of several lengths in one batch."""
    draw, steps, lengths = np.random.default_rng(K), 5, [5, 3, 1, 4]
    outputs = draw.standard_normal((4, steps + K + 2, K)) * 2
    targets = draw.integers(0, K, (4, steps))
    for row, length in enumerate(lengths):
        targets[row, length:] = -1
        outputs[row, length:steps] = -1e4
    loss = ConditionalRandomFieldLoss()
    value, total = loss.forward(outputs, targets, Mode())[0], 0.0
    decoded = loss.decode(outputs).argmax(2)
    for row, length in enumerate(lengths):
        scores = paths(outputs[row], length)
        total += np.log(np.exp(list(scores.values())).sum()) - scores[tuple(targets[row, :length])]
        assert tuple(decoded[row, :length]) == max(scores, key=lambda y: scores[y])
    assert value == pytest.approx(total / sum(lengths), rel=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 6), (4, 1), (3, 5)])
def test_tags_that_do_not_fit_the_scores_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DltrainError, match="targets do not fit the outputs"):
        ConditionalRandomFieldLoss().forward(np.zeros((4, 5 + 3 + 2, 3)), np.zeros(shape, np.int64), Mode())


def test_a_whole_tagger_passes_the_gradient_check(folder: Path) -> None:
    session = prepare(api.load_experiment(config(dtype="float64")))
    batch = session.loader("train", batch_size=5).batch(0, 0)
    assert check_gradients(session.objective, batch, entries=15).passed


@pytest.mark.parametrize("crf", [False, True])
def test_padding_is_cut(folder: Path, crf: bool) -> None:
    assert prepare(api.load_experiment(config(crf))).cuts_padding


def test_tags_cannot_be_balanced(folder: Path) -> None:
    changed = config(False)
    changed["data"] = {**changed["data"], "balance": "oversample"}
    with pytest.raises(ConfigError, match="no classes to balance"):
        api.fit(changed, runs="runs")


@pytest.mark.parametrize("crf", [False, True])
def test_it_learns_and_tags_new_sentences(folder: Path, crf: bool, capsys: pytest.CaptureFixture[str]) -> None:
    result = api.fit(config(crf), runs="runs")
    assert result["test"]["span_f1"] > 0.95 and result["test"]["accuracy"] > 0.95
    run = result["run"]
    [prediction] = api.predict(run, ["Fly from Denver to New York"])["predictions"]
    assert prediction["words"] == ["Fly", "from", "Denver", "to", "New", "York"]
    assert prediction["tags"] == ["O", "O", "B-from", "O", "B-to", "I-to"]
    assert command(["predict", run, "fly to boston"]) == 0
    assert capsys.readouterr().out.strip() == "fly/O to/O boston/B-to"
    assert api.evaluate(run, data="test.conll")["metrics"] == pytest.approx(result["test"], rel=1e-5)
    (folder / "new.txt").write_text("fly from boston\nfly to denver please\n")
    assert command(["predict", run, "new.txt", "--out", "o.csv", "--json"]) == 0
    assert [len(row["tags"]) for row in json.loads(capsys.readouterr().out)["predictions"]] == [3, 4]
    assert Path("o.csv").read_text().splitlines()[1].startswith("fly;from;boston,O;O;")


def test_padding_changes_no_tag_and_no_loss(folder: Path) -> None:
    """Each sentence by itself and all together: the same loss, weighted by words, and the same tags."""
    session = prepare(api.load_experiment(config(dtype="float64")))
    loader, mode = session.loader("train", batch_size=6), Mode(False, backward=False)
    together = loader.batch(0, 0)
    graph, task, total, words = session.graph, session.task, 0.0, 0.0
    tags = task.predict(graph.forward(together.inputs, mode=mode)[0])
    for row in range(6):
        length = int((together.target[row] >= 0).sum())
        inputs = {"x": together.inputs["x"][row : row + 1, :length]}
        alone = session.loader("train", batch_size=1).batch(0, row)
        outputs = graph.forward(inputs, mode=mode)[0]
        alone.target = alone.target[:, :length]
        total += task.loss(outputs, alone, mode)[0] * length
        words += length
        assert task.predict(outputs)[0]["tags"] == tags[row]["tags"][:length]
    whole = task.loss(graph.forward(together.inputs, mode=mode)[0], together, mode)[0]
    assert whole == pytest.approx(total / words, rel=1e-10)


def test_columns_of_conll_u_and_broken_lines(folder: Path) -> None:
    text = "# sent_id = 1\n1\tI\tI\tPRON\n2-3\tdon't\t_\t_\n2\tdo\tdo\tAUX\n3\tn't\tnot\tPART\n3.1\tgo\tgo\tVERB\n\n"
    (folder / "a.conllu").write_text(text * 3)
    pool = create("source", {"conll": {"path": "a.conllu", "word": 1, "tag": 3}}).load(DataFolders(folder))
    assert pool.classes == ["AUX", "PART", "PRON"] and pool.columns["y"].tolist() == [[2, 0, 1]] * 3
    (folder / "b.conll").write_text("#tag\tO\nAnn\tB-x\n\t\nPan\tO\n")
    pool = create("source", {"conll": "b.conll"}).load(DataFolders(folder))
    assert pool.texts[0].units == ["#tag", "ann", "pan"] and len(pool) == 2


@pytest.mark.parametrize(
    ("files", "source", "words"),
    [
        ({"a": "to O\nboston\n"}, {"conll": {"path": "a", "tag": 1}}, r"a:2: a column is missing.*position 1"),
        (
            {"a": "to O\n", "b": "to O\n\nx B-new\n"},
            {"conll": {"path": "a", "test_path": "b"}},
            r"b:3: .*lacks this tag.*B-new",
        ),
        ({"a": "Ann B-x\nleft\n"}, {"conll": "a"}, r"a:2: the columns are ragged; expected 2 columns.*got left"),
        ({"a": "left\t\t\n"}, {"conll": "a"}, r"a:1: a column is missing"),
        ({"a": "Ann NN B-x\nleft VB O O\n"}, {"conll": "a"}, r"a:2: the columns are ragged; expected 3 columns"),
        ({"a": ""}, {"conll": "a"}, "no sentence"),
        ({"a": "to O\n"}, {"conll": {"path": "a", "vocabulary": "byte_pairs"}}, "does not fit.*expected words"),
        ({"a": "to boston\tO\n"}, {"tagged_lines": "a"}, r"a:1: words and tags differ in number.*2 words and 1 tags"),
        ({"a": "BOS EOS\tO x\n"}, {"tagged_lines": "a"}, r"a:1: the sentence is empty"),
    ],
)
def test_bad_sentences(folder: Path, files: dict[str, str], source: Any, words: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(DltrainError, match=words):
        create("source", source).load(DataFolders(folder))


def test_tags_that_training_lacks_count_as_wrong_where_that_is_said(folder: Path) -> None:
    (folder / "test.conll").write_text(conll([*lines(3), (["fly", "now"], ["O", "B-time"])]))
    wanted = config(False)
    with pytest.raises(DltrainError, match="the training file lacks this tag.*extra_tags"):
        api.check(wanted)
    wanted["data"]["source"]["conll"]["extra_tags"] = True
    session = prepare(api.load_experiment(wanted))
    [note] = session.data.notes()
    assert note == "1 tags are not in the training file and count as wrong: B-time"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "softmax_cross_entropy"}, "the model's output does not fit"),
        ({"model": config(False)["model"]}, "the loss crf needs what the layer crf gives"),
        ({"task": {"tagging": {"class_weight": "balanced"}}}, "weighs whole sequences"),
        (
            {"task": "classification", "loss": "softmax_cross_entropy", "metrics": ["accuracy"]},
            "more than one target|has",
        ),
    ],
)
def test_what_does_not_fit(folder: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DltrainError, match=words):
        api.check(config(**changes))


def test_tags_without_spans_have_no_span_f1(folder: Path) -> None:
    text = Path("train.conll").read_text()
    for name in ("train.conll", "test.conll"):
        Path(name).write_text(text.replace("B-", "").replace("I-", ""))
    with pytest.raises(ConfigError, match="the tags make no spans"):
        api.check(config())


def test_the_state_of_a_tagger_is_resumed(folder: Path) -> None:
    states = []
    for stop in (None, 4):
        session = prepare(api.load_experiment(config(train={"steps": 9, "batch_size": 8})))
        trainer = session.trainer(NoJournal(), SilentProgress())
        for step in range(9):
            if step == stop:
                arrays, meta = trainer.state()
                arrays = {name: array.copy() for name, array in arrays.items()}
                session = prepare(api.load_experiment(config(train={"steps": 9, "batch_size": 8})))
                trainer = session.trainer(NoJournal(), SilentProgress())
                trainer.load_state(arrays, meta)
            trainer.advance()
        states.append(trainer.graph.state())
    assert all((states[0][path] == states[1][path]).all() for path in states[0])
