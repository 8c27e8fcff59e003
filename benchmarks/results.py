"""Train the shipped configs and write what they reach beside what is known: `make results`.

python benchmarks/results.py                 every row
python benchmarks/results.py mnist football  the rows whose config begins so; the others stay as they were measured
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from dltrain import __version__, api
from dltrain.config.shipped import find_shipped
from dltrain.errors import DltrainError

ROOT = Path(__file__).parent.parent
PAGE, FIGURES = ROOT / "docs" / "results.md", ROOT / "benchmarks" / "results.json"
HEAD = """# What the shipped configs reach

Written by `make results`: each config is trained, and measured with the weights that are best on its validation part,
or with the last ones where it has none; beside it is what is known of the task. Nothing is chosen by the test part.
Where the table names several seeds it shows mean and standard deviation of their runs. Known figures are those of the
course, book or paper whose task it is, from one run each; where points are drawn from a seed, ours are others.

`dltrain fit NAME` trains one of them; the columns say what `--set` changes and which part is measured.
"""
GATE = "data.source.logic.gate"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters:
        config: name of a shipped config
        known: what is known of the task, in words
        metric: which one is shown
        part: where it is measured
        sets: changes, as with `--set`
        least: what must be reached, or the command fails: the known figure, or the lower end of its range, less what
            another draw of the points or of the parts makes
        most: what must not be exceeded, for errors, and for what cannot be learned
        seeds: how many runs, from the seeds 0, 1, …
        first: the config of the run that it begins with, which is trained before
    """

    config: str
    known: str
    metric: str = "accuracy"
    part: str = "test"
    sets: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    seeds: int = 1
    first: str = ""

    @property
    def key(self) -> str:
        """Its name among the figures."""
        return " ".join([self.config, self.part, self.metric, *self.sets])

    def missed(self, reached: float) -> str:
        """What is wrong with a figure; empty when nothing is."""
        if self.least is not None and reached < self.least:
            return f"{self.key}: {reached:.4f} instead of {self.least} and more"
        if self.most is not None and reached > self.most:
            return f"{self.key}: {reached:.4f} instead of {self.most} and less"
        return ""


def flower(hidden: int, known: float, least: float | None = None) -> Row:
    """A hidden layer of this size on the planar flower."""
    sets = (f"model.vars.hidden={hidden}",)
    return Row("planar-flower", f"{known} %", part="train", sets=sets, least=least, seeds=5)


def moons(optimizer: str, known: str, least: float) -> Row:
    """An optimizer on the moons, with the rate of the course."""
    sets = (f"optimizer={{{optimizer}: {{learning_rate: 0.0007}}}}",)
    return Row("moons-optimizers", known, part="train", sets=sets, least=least, seeds=5)


def circles(start: str, known: str, least: float | None = None, most: float | None = None) -> Row:
    """A start of the weights on two circles."""
    return Row("circles-init", known, sets=(f"model.vars.start={start}",), least=least, most=most, seeds=5)


CHAPTERS: dict[str, list[Row]] = {
    "Logic": [
        *(
            Row("logic-gate", "100 %", part="train", sets=(f"{GATE}={gate}",), least=1.0)
            for gate in ("and", "or", "nand", "nor")
        ),
        Row("logic-gate", "at most 75 %: no line divides it", "accuracy", "train", (f"{GATE}=xor",), most=0.75),
        Row("xor-mlp", "100 %", part="train", least=1.0),
        Row("xor-by-hand", "100 %", part="train", least=1.0),
    ],
    "Lines and curves": [
        Row("linear-regression", "0.25, the variance of the noise", "mean_squared_error", most=0.27),
        Row("linear-regression-baseline", "the closed form", "mean_squared_error", most=0.27),
        Row("polynomial-logistic", "50 % without the products", least=0.9),
    ],
    "A flower, by the size of the hidden layer": [
        flower(1, 67.5),
        flower(2, 67.25),
        flower(3, 90.75, 0.88),
        flower(4, 90.5, 0.88),
        flower(5, 91.25, 0.88),
        flower(20, 90.0, 0.9),
        flower(50, 90.25, 0.9),
    ],
    "Two moons, by the optimizer": [
        moons("gradient_descent", "79.7 %", 0.797),
        moons("averaged_momentum", "79.7 %", 0.797),
        moons("adam", "94 %", 0.94),
    ],
    "A goalkeeper's ball, by the regularisation": [
        Row("football", "91.5 %", least=0.915, seeds=5),
        Row("football-l2", "93 %", least=0.925, seeds=5),
        Row("football-dropout", "95 %", seeds=5),
    ],
    "Two circles, by the start of the weights": [
        circles("zeros", "50 %", 0.5, 0.5),
        circles("{normal: 10}", "86 %"),
        circles("he_normal", "96 %", 0.95),
    ],
    "More points in the plane": [
        Row("moons-mlp", "–", least=0.95),
        Row("circles-dropout", "–", least=0.9),
        Row("spirals-mlp", "–", least=0.95),
    ],
    "Cat or not": [
        Row("cats-logistic", "70 %", least=0.68),
        Row("cats-two-layers", "72 %", seeds=5),
        Row("cats-four-layers", "80 %", seeds=5),
        Row("cats-resnet", "–"),
        Row("cats-transfer", "–", seeds=5, first="cifar-resnet"),
        Row("cats-finetune", "–", seeds=3, first="cifar-resnet"),
    ],
    "Handwritten digits and clothes": [
        Row("digits-mlp", "97 to 98.5 %", least=0.975),
        Row("residual-digits", "97 to 98.5 %", least=0.96),
        Row("digits-baseline", "98 to 99 %", least=0.98),
        Row("mnist-mlp", "98.3 %", least=0.983),
        Row("mnist-quadratic", "about 95 %", least=0.94),
        Row("mnist-cross-entropy", "about 98 %", least=0.975),
        Row("mnist-lenet", "99.0 to 99.2 %", least=0.99),
        Row("mnist-dropout", "98.6 to 98.8 %", least=0.986),
        Row("fashion-mlp", "89 to 90 %", least=0.895),
        Row("mnist-conv", "99.6 % with expanded data and dropout", least=0.995),
        Row("fashion-conv", "92 to 94 %", least=0.93),
    ],
    "Pictures in colour": [
        Row("signs-resnet", "95 % and more", least=0.95),
        Row("cifar-resnet", "91 % with all 50,000 pictures and 180 epochs", least=0.73),
    ],
    "Texts, by characters": [
        Row("shakespeare-lstm", "1.5 nats a character", "loss", "validation", most=1.5),
        Row("dinosaur-names", "–", "perplexity", "validation", most=6.0),
    ],
    "Forecasts of series, beside naive ones of the same windows": [
        Row("temperatures-gru", "–", "mean_absolute_error", most=1.75, seeds=3),
        Row("passengers-linear", "–", "mean_absolute_error", most=13, seeds=3),
        Row("passengers-gru", "–", "mean_absolute_error", most=30, seeds=3),
        Row("passengers-baseline", "–", "mean_absolute_error", most=23),
    ],
    "Sound": [
        Row("spoken-digits", "95 %", least=0.95, seeds=3),
        Row("trigger-word", "–", "f1", least=0.8),
    ],
    "The class of every pixel": [
        Row("shapes-u-net", "0.2 if all is background", "mean_iou", least=0.88),
        Row("shapes-convolutional", "0.2 if all is background", "mean_iou", least=0.55),
    ],
    "Tables, each beside its baseline": [
        Row("iris-softmax", "93 to 97 %", least=0.93),
        Row("iris-baseline", "93 to 97 %", least=0.93),
        Row("wine-mlp", "97 to 100 %", least=0.97),
        Row("wine-baseline", "97 to 100 %", least=0.97),
        Row("breast-cancer-logistic", "97 %", least=0.965),
        Row("breast-cancer-baseline", "96 to 97 %", least=0.96),
        Row("diabetes-regression", "0.4 to 0.5", "r2", least=0.4),
        Row("diabetes-baseline", "0.4 to 0.5", "r2", least=0.4),
        Row("california-mlp", "0.8", "r2", least=0.78),
        Row("california-baseline", "0.83 to 0.85", "r2", least=0.83),
        Row("adult-mlp", "85 to 86 %", least=0.845),
        Row("adult-baseline", "87 %", least=0.865),
        Row("titanic-mlp", "78 to 83 %", least=0.78),
        Row("titanic-baseline", "78 to 83 %", least=0.78),
    ],
}


@functools.cache
def first_run(config: str) -> str:
    """The folder of a run that others begin with, trained once."""
    runs = tempfile.mkdtemp(prefix="dltrain-results-")
    atexit.register(shutil.rmtree, runs)
    return str(api.fit(find_shipped(config), runs=runs)["run"])


def measure(row: Row) -> dict[str, Any]:
    """Train a config once for each seed; what it reached, with epochs and the seconds of one run."""
    values, seconds, epochs, naive = [], [], 0, {}
    for seed in range(row.seeds):
        with tempfile.TemporaryDirectory() as runs:
            begins = (f"init_from.run={first_run(row.first)}",) if row.first else ()
            result = api.fit(find_shipped(row.config), sets=(*row.sets, *begins), seed=seed, runs=runs)
            checkpoint = "best" if result["metrics"].get("validation") else "last"  # nothing says what is best
            found = api.evaluate(result["run"], split=row.part, checkpoint=checkpoint)
            values.append(found["metrics"][row.metric])
            naive = {one["name"]: one["metrics"][row.metric] for one in found["naive"]}
        seconds.append(result["seconds"])
        epochs = result["epochs"]
    return {"values": values, "seconds": median(seconds), "epochs": epochs, "naive": naive}


def in_words(row: Row, figure: dict[str, Any]) -> str:
    """The line of the table."""
    sets = "<br>".join(f"`{change}`" for change in row.sets)
    percent = row.metric == "accuracy"
    shown = f"{100 * mean(figure['values']):.2f}" if percent else f"{row.metric} {mean(figure['values']):.4g}"
    if row.seeds > 1:
        shown += f" ± {100 * stdev(figure['values']):.2f}" if percent else f" ± {stdev(figure['values']):.2g}"
    shown += " %" if percent else ""
    name = f"`{row.config}`" + (f"<br>{sets}" if sets else "")
    seconds = f"{figure['seconds']:.1f}" if figure["seconds"] < 10 else f"{figure['seconds']:.0f}"
    naive = ", ".join(f"{value:.4g} by the {name}" for name, value in figure.get("naive", {}).items())
    beside = "; ".join(filter(None, [row.known.replace("–", "") if naive else row.known, naive]))
    cells = [
        name,
        "0" if row.seeds == 1 else f"0 to {row.seeds - 1}",
        str(figure["epochs"]),
        seconds,
        row.part,
        f"**{shown}**",
        beside,
    ]
    return "| " + " | ".join(cells) + " |"


def page(figures: dict[str, Any]) -> str:
    """The whole page."""
    lines = [HEAD]
    for chapter, rows in CHAPTERS.items():
        lines += [
            f"## {chapter}",
            "",
            "| Config | Seed | Epochs | Seconds | Part | Reached | Known |",
            "|---" * 7 + "|",
        ]
        lines += [in_words(row, figures[row.key]) for row in rows if row.key in figures]
        lines.append("")
    versions = f"dltrain {__version__}, Python {platform.python_version()}"
    lines.append(f"Seconds: {versions}, {os.cpu_count()} processors, reading the data included.")
    return "\n".join(lines) + "\n"


def main(wanted: list[str]) -> None:
    """Measure the wanted rows, keep the figures, and write the page."""
    figures = json.loads(FIGURES.read_text()) if FIGURES.is_file() else {}
    missed = []
    for row in (row for rows in CHAPTERS.values() for row in rows):
        if wanted and not any(row.config.startswith(name) for name in wanted):
            continue
        try:
            figures[row.key] = measure(row)
        except DltrainError as error:
            print(f"{row.key}: not run: {error}", flush=True)
            continue
        print(in_words(row, figures[row.key]), flush=True)
        FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page(figures))
        if complaint := row.missed(mean(figures[row.key]["values"])):
            missed.append(complaint)
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main(sys.argv[1:])
