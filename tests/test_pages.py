"""Pages of runs and sweeps: every section there, well-formed, nothing loaded, foreign names only text."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import page_runs
import pytest
from page_reader import PageReader
from page_runs import HOSTILE
from small_runs import iris
from test_cli_runs import promised

from dltrain import api
from dltrain.cli.main import run as command
from dltrain.config import dump
from dltrain.config import from_mapping as experiment_of
from dltrain.errors import UsageError
from dltrain.pages import comparison
from dltrain.pages import page as pages
from dltrain.pages.live import of_sweep
from dltrain.pages.material import Material
from dltrain.pages.run.boundary import COLUMNS, MOST, ROWS, as_read, expected
from dltrain.pages.section import LeftOut, Section
from dltrain.report.html import Element, drawing, element
from dltrain.report.text import seen
from dltrain.runs.folder import RunFolder
from dltrain.sweeps.folder import SweepFolder
from dltrain.sweeps.journal import signed
from dltrain.sweeps.settings import from_mapping
from dltrain.training.goal import Goal

ALWAYS = {"Result", "Curves", "Verdicts", "Layers", "Weights", "Config", "Environment and cost"}
CLASSES = ALWAYS | {"Classes", "ROC and precision", "Calibration", "Worst mistakes", "Embeddings"}
EXPECTED = {
    "iris": CLASSES,
    "hostile": CLASSES,
    "pictures": CLASSES | {"Filters", "Feature maps"},
    "plane": CLASSES | {"Decision boundary"},
    "values": ALWAYS | {"Predicted values", "Worst mistakes", "Embeddings"},
    "labels": ALWAYS | {"Classes", "ROC and precision", "Embeddings"},
    "text": ALWAYS | {"Classes", "Calibration", "What it writes"},
    "baseline": CLASSES - {"Curves", "Layers", "Weights", "Embeddings"},
}
RATE = "optimizer.adam.learning_rate"
OF_A_SWEEP = {"Result", "Best settings", "Course", "Parallel coordinates", "Importance", "Slices", "Rounds"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs and their data."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def made(folder: Path) -> dict[str, Path]:
    """A run of each kind."""
    configs = {
        "iris": iris(),
        "hostile": page_runs.hostile(folder),
        "pictures": page_runs.PICTURES,
        "plane": page_runs.PLANE,
        "values": page_runs.REGRESSION,
        "labels": page_runs.multi_label(folder),
        "text": page_runs.language(folder),
        "baseline": page_runs.BASELINE,
    }
    return {name: page_runs.trained(config, folder / "runs") for name, config in configs.items()}


def sweep_folder(root: Path, objectives: dict[str, bool] | None = None) -> Path:
    """A sweep that nothing has happened in."""
    sweep = from_mapping({"config": "…", "name": "search", "space": {RATE: {"log_uniform": [1e-4, 0.1]}}})
    return SweepFolder.create(root, sweep, experiment_of(iris()), Goal("validation.loss", False), objectives).path


def page_of(names: Any, **options: Any) -> tuple[PageReader, dict[str, Any]]:
    """A page as it is read, and what was told of it."""
    found = api.report(names, **options)
    text = Path(found["file"]).read_text(encoding="utf-8")
    assert found["bytes"] == len(text.encode())
    return PageReader(text), found


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_page_is_whole_and_has_every_section(kind: str, made: dict[str, Path]) -> None:
    page, found = page_of(made[kind])
    assert not page.faults
    lacking = EXPECTED[kind] - {*page.sections} - {"Worst mistakes"}  # a model may make none
    assert not lacking, found["left_out"]
    assert {*page.sections} - {"left out"} == {*found["sections"]}
    for title, reason in found["left_out"].items():
        assert title in page.said and reason in page.text, "what is left out is told with its reason"
        assert "Error" not in reason and "Traceback" not in reason


def test_only_its_own_style_and_script_are_allowed(made: dict[str, Path]) -> None:
    page, _ = page_of(made["iris"])
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[tag][0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in page.policy
    assert page.policy.startswith("default-src 'none';") and "unsafe" not in page.policy
    assert "http" not in page.raw["style"][0] + page.raw["script"][0]


def test_hostile_names_are_only_text(made: dict[str, Path], folder: Path) -> None:
    page, found = page_of(made["hostile"])
    assert not page.faults and not found["left_out"].keys() & {"Classes", "Config"}
    for name in HOSTILE:
        assert seen(name) in page.said, name
    assert not any(ord(letter) in (0x202E, 0x200F, 0x2066) for letter in page.text)
    section = Section("One", lambda name: [element("p", name, title=name)])
    for name in HOSTILE:
        text, _, _ = pages.page(name, name, [section], name)
        read = PageReader(text)
        assert not read.faults and read.said.count(seen(name)) == 5  # title, heading, line below; text and attribute


def test_a_folder_of_a_hostile_name(made: dict[str, Path], folder: Path) -> None:
    other = folder / "<img src=x onerror=alert(1)>"
    shutil.copytree(made["iris"], other)
    page, _ = page_of(other, out=folder / "hostile.html")
    assert not page.faults and other.name in page.said


def test_files_that_anyone_may_have_written(made: dict[str, Path], folder: Path) -> None:
    """A run from elsewhere may say anything in its files; the page says what can be said."""
    evil: list[Any] = [HOSTILE[0], [1], {"a": HOSTILE[1]}, None, True, 1e308, -0.0]
    for number, value in enumerate(evil):
        other = folder / f"evil-{number}"
        shutil.copytree(made["iris"], other)
        for name in ("summary.json", "environment.json", "provenance.json"):
            (other / name).write_text(
                json.dumps({"best": value, "metrics": value, "stopped": value, "packages": value})
            )
        record = {"epoch": value, "step": value, "train": value, "validation": {HOSTILE[2]: value, "loss": value}}
        (other / "metrics.jsonl").write_text(f"{json.dumps(record)}\n" * 3)
        page, found = page_of(other)
        assert not page.faults and {"Result", "Config"} <= {*found["sections"]}


def test_several_runs_show_what_differs(made: dict[str, Path], folder: Path) -> None:
    other = page_runs.trained(iris(train__epochs=2, seed=6), folder / "runs")
    page, found = page_of([made["iris"], other], out=folder / "several.html")
    assert not page.faults and found["kind"] == "runs"
    assert {"Results", "Settings that differ", "Curves"} <= {*page.sections}
    assert "train.epochs" in page.said and "train.batch_size" not in page.said
    assert other.name in page.said and {*found["left_out"]} <= {"Environments that differ"}


def test_two_runs_of_one_name_are_told_apart(made: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(made["iris"], tmp_path / "iris-1")
    page, _ = page_of([made["iris"], tmp_path / "iris-1"], out=tmp_path / "both.html")
    runs = comparison.names_of([Material(RunFolder.open(path)) for path in (made["iris"], tmp_path / "iris-1")])
    assert len({*runs}) == 2 and all(name.endswith("/iris-1") for name in runs)
    for name in runs:
        assert page.said.count(name) > 2, "in the table and the curves"
    assert "iris-1" not in page.said


def test_the_border_is_where_the_network_has_it(made: dict[str, Path], tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).lognormal(2, 1, (80, 2))
    rows = [[a, b, "big" if a * b > 50 else "small"] for a, b in numbers]
    page_runs.rows_of(tmp_path / "long.csv", ["a", "b", "y"], rows)
    source = {"csv": {"path": "long.csv", "target": "y"}}
    data = {"source": source, "split": page_runs.SPLIT, "prepare": ["log1p", "standardize"]}
    model = {"graph": {"logits": [{"dense": 4}, "tanh", "dense"]}}
    config = {"name": "long", "data": data, "model": model, "train": {"epochs": 20, "batch_size": 4}}
    for path in (made["plane"], page_runs.trained(config, tmp_path / "runs")):
        run = Material(RunFolder.open(path))
        x = np.resize(run.features(run.drawn(MOST)), (ROWS * COLUMNS, 2))
        session = run.run.session
        said = session.task.predict(session.evaluator().outputs(dict.fromkeys(session.graph.inputs, x)))
        found = expected(run, as_read(run, x)).reshape(-1)
        assert len({*found.tolist()}) == 2 and [run.data.classes[k] for k in found] == [one["label"] for one in said]
    assert (as_read(run, x) == x).all(), "in logarithms, in which the border is drawn right"


def test_a_page_of_a_sweep(folder: Path) -> None:
    table = api.sweep(page_runs.sweep(folder), runs=folder / "runs")
    page, found = page_of(table["sweep"])
    assert not page.faults and {*page.sections} >= OF_A_SWEEP
    assert found["file"] == str(Path(table["sweep"], "report.html"))
    assert sum(said.startswith("trial ") for said in page.said) > 30  # every point tells its settings
    with pytest.raises(UsageError, match="a sweep has a page of its own"):
        api.report([table["sweep"], "iris"], runs=folder / "runs")


def test_a_page_of_a_sweep_with_objectives_names_the_front(tmp_path: Path) -> None:
    path = sweep_folder(tmp_path, {"validation.loss": False, "validation.f1": True})
    lines: list[dict[str, Any]] = []
    for number, (loss, f1) in enumerate([(0.5, 0.7), (0.4, 0.6), (0.6, 0.5)], start=1):
        lines.append({"event": "asked", "trial": number, "point": {RATE: number / 4}, "settings": {}})
        told = {"state": "complete", "value": loss, "values": [loss], "deviation": None, "reason": "", "seconds": 1.0}
        objectives = {"validation.loss": loss, "validation.f1": f1}
        lines.append({"event": "told", "trial": number, "violation": 0.0, "objectives": objectives, **told})
    (path / "journal.jsonl").write_bytes(b"".join(map(signed, lines)))
    page, _ = page_of(path)
    assert not page.faults and "Pareto front" in page.sections and "Pareto front" in PageReader(of_sweep(path)).said
    rows = page.said[page.said.index("settings") + 1 :]
    assert rows[:3] + rows[4:7] == ["2", "0.4", "0.6", "1", "0.5", "0.7"]  # the third one is worse in both
    assert page_of(sweep_folder(tmp_path))[1]["left_out"]["Pareto front"] == "the sweep has one objective"


@pytest.mark.parametrize("asked", [0, 1])
def test_a_sweep_that_has_no_complete_trial_yet(asked: int, tmp_path: Path) -> None:
    path = sweep_folder(tmp_path)
    record = {"event": "asked", "trial": 1, "point": {RATE: 0.5}, "settings": {RATE: 0.003}}
    (path / "journal.jsonl").write_bytes(signed(record) * asked)
    page, found = page_of(path)
    assert not page.faults and "Result" in page.sections
    assert found["left_out"]["Parallel coordinates"] == "no trial is complete"
    assert path.name in of_sweep(path)


def test_a_run_without_its_data_still_has_a_page(folder: Path) -> None:
    config = page_runs.multi_label(folder)
    run = page_runs.trained(config, folder / "gone")
    (folder / "labels.csv").rename(folder / "elsewhere.csv")
    page, found = page_of(run)
    assert {"Result", "Curves", "Weights", "Config"} <= {*page.sections}
    assert "labels.csv" in found["left_out"]["Classes"]


def test_where_values_of_the_config_come_from(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "flowers.yaml"
    file.write_text(dump(iris()))
    run = api.fit(file, sets=["train.epochs=1"], runs=tmp_path / "runs")["run"]
    page, _ = page_of(run)
    rows = dict(zip(page.said, page.said[2:], strict=False))
    assert rows["train.epochs"] == "--set train.epochs=1"
    assert rows["dtype"] == "default" and rows["seed"].startswith("flowers.yaml:")


def test_a_page_of_a_hundred_epochs_is_small(made: dict[str, Path], folder: Path) -> None:
    """Ten classes, pictures, and three curves over a hundred epochs."""
    long = folder / "long"
    shutil.copytree(made["pictures"], long)
    record = json.loads((long / "metrics.jsonl").read_text().splitlines()[0])
    lines = [json.dumps({**record, "epoch": epoch, "step": epoch}) + "\n" for epoch in range(1, 101)]
    (long / "metrics.jsonl").write_text("".join(lines))
    page, found = page_of(long)
    assert found["bytes"] < 300_000 and len(found["sections"]) >= 13
    assert any(said.startswith("epoch 100: train ") for said in page.said)


def test_what_is_not_of_the_closed_set_cannot_be_made() -> None:
    for tag in ("script", "iframe", "object", "form", "style", "link", "foreignObject"):
        with pytest.raises(ValueError, match="no element"):
            element(tag)
    bad = [("onclick", "x"), ("style", "x"), ("href", "javascript:alert(1)"), ("href", "http://a"), ("href", "//a")]
    for name, value in [
        *bad,
        ("src", "http://a/b.png"),
        ("src", "data:image/svg+xml;base64,AAAA"),
        ("xlink:href", "#a"),
    ]:
        with pytest.raises(ValueError, match="no attribute"):
            Element("a", (), {name: value})
    with pytest.raises(ValueError, match="no element"):
        drawing('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')


def test_a_section_that_fails_is_named() -> None:
    def fails(subject: Any) -> Any:
        yield element("p", "half")
        raise LeftOut("it does not apply")

    text, titles, left_out = pages.page("t", "a", [Section("One", fails)], None)
    assert titles == [] and left_out == {"One": "it does not apply"}
    assert "half" not in text and "it does not apply" in text


def test_the_command(made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = str(made["iris"].parent)
    out = tmp_path / "a" / "page.html"
    assert command(["report", made["plane"].name, "--runs", runs, "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {*told} == promised("report")
    assert told["file"] == str(out) and told["kind"] == "run" and out.stat().st_size == told["bytes"]
    assert command(["report", made["plane"].name, "--runs", runs]) == 0
    assert "report.html" in capsys.readouterr().out
    for arguments, words in (
        (["nothing"], "there is no such run"),
        (["plane", "plane"], "a run is named twice"),
        (["plane", "--out", str(tmp_path)], "this is a folder"),
    ):
        assert command(["report", *arguments, "--runs", runs]) == 2
        assert words in capsys.readouterr().err


def shown(browser: Any, file: Path, told: list[str], **options: Any) -> Any:
    """A page in a browser; what it asks for, and what the console says, is told."""
    page = browser.new_context(**options).new_page()
    page.on("console", lambda message: told.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: asked.url.startswith("data:image/png") or told.append(asked.url))
    page.goto(file.as_uri())
    return page


QUICK, SLOW = ("hostile",), ("iris", "pictures", "plane", "values", "labels", "text")


@pytest.mark.parametrize("kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW)])
def test_pages_in_a_browser(kind: str, browser: Any, made: dict[str, Path]) -> None:
    _, found = page_of(made[kind])
    told: list[str] = []
    for width, scheme in ((1100, "light"), (390, "dark")):
        size = {"width": width, "height": 800}
        page = shown(browser, Path(found["file"]), told, viewport=size, color_scheme=scheme)
        wide, sections, paper = page.evaluate(
            """[document.documentElement.scrollWidth, document.querySelectorAll('section').length,
                getComputedStyle(document.body).backgroundColor]"""
        )
        assert wide <= width, f"{kind} is wider than a screen of {width}"
        assert sections == len(found["sections"]) + bool(found["left_out"])
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]
    assert told == [Path(found["file"]).as_uri()] * 2, kind


PLACE = """(() => {
  const box = document.querySelectorAll('.chart .spot')[2].getBoundingClientRect();
  return [box.x + box.width / 2 - 2, box.y + box.height / 2];
})()"""


def test_a_chart_tells_its_values_to_keys_and_pointer(browser: Any, made: dict[str, Path]) -> None:
    _, found = page_of(made["iris"])
    page = shown(browser, Path(found["file"]), [], viewport={"width": 1000, "height": 800})
    chart, said = page.locator(".chart").first, page.locator("output").first
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("epoch 1: train ")
    page.keyboard.press("ArrowRight")
    assert said.inner_text().startswith("epoch 2: train ")
    page.mouse.move(*page.evaluate(PLACE))
    assert said.inner_text().startswith("epoch 3: train ")
    assert not page.locator("figure table").first.is_visible()
    page.locator("summary").first.press("Enter")
    assert page.locator("figure table").first.is_visible()
