"""A trained run: how good it is, what it says, what it gets wrong, what is inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltrain.config.plugins import load_plugins
from dltrain.runs.folder import RunFolder
from dltrain.training import translation
from dltrain.training.ensemble import Ensemble
from dltrain.training.generation import Writer
from dltrain.training.naive import naive_results
from dltrain.training.trained import load_run, load_runs

if TYPE_CHECKING:
    pass
from dltrain.api.given import check_named


def evaluate(
    run: str | Path | Sequence[str | Path],
    *,
    split: str = "test",
    checkpoint: str | int = "best",
    data: str | Path | None = None,
    beam: int = 1,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Loss and metrics of a trained model, or of an ensemble of several, over a part of its data, or over other data.

    Parameters:
        run: path or name of the run, or several of them: then the mean of their predictions is measured, and each
        split: train, train_dev, validation or test
        checkpoint: best, last, a step, steps with commas between them (the mean of their weights), or average (of all)
        data: a file (csv, npz) to evaluate instead
        beam: of texts that a model says: how many are kept at each step
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    loaded, *others = load_runs(run, runs, checkpoint)
    members: list[dict[str, Any]] = []
    says = translation.says_texts([loaded, *others], beam, data)
    said = translation.said_right(loaded, split, beam) if says else {}
    if others:
        ensemble = Ensemble([loaded, *others])
        tally, tallies = ensemble.tally(split, data, everything=True)
        members = ensemble.per_member(tallies)
    else:
        tally = loaded.tally(split, data, everything=True)
    heads = {name: head.counted() for name, head in tally.heads.items() if head.count}
    return {
        "run": None if members else str(loaded.folder.path),
        "checkpoint": None if members else loaded.step,
        "members": members,
        "decision": None if members else loaded.decision,
        "split": split if data is None else str(data),
        "samples": tally.count,
        "metrics": {**tally.results(), **said},
        "naive": naive_results(loaded, split, data),
        **(heads.pop("") if "" in heads else {"per_class": None, "confusion": None, "classes": None}),
        "heads": heads or None,
    }


def predict(
    run: str | Path | Sequence[str | Path],
    inputs: Sequence[str | Path],
    *,
    checkpoint: str | int = "best",
    beam: int = 1,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained model, or an ensemble of several, says about new samples.

    Parameters:
        run: path or name of the run, or several of them: then their predictions are averaged
        inputs: files (csv, npz, npy) with the features of the data it was trained on; of a model that says texts, texts
            or files of them, one a line
        beam: of texts that a model says: how many are kept at each step
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    load_plugins(plugins)
    loaded = load_runs(run, runs, checkpoint)
    paths = [str(one.folder.path) for one in loaded]
    model = Ensemble(loaded) if len(loaded) > 1 else loaded[0]
    if translation.says_texts(loaded, beam):
        predictions = translation.Translator(loaded[0], beam).translate(translation.texts_in(inputs))
    else:
        predictions = [row for path in inputs for row in model.predict(path)]
    return {
        "run": paths[0] if len(paths) == 1 else None,
        "members": paths if len(paths) > 1 else [],
        "decision": loaded[0].decision if len(paths) == 1 else None,
        "samples": len(predictions),
        "predictions": predictions,
    }


def errors(
    run: str | Path,
    *,
    split: str = "validation",
    checkpoint: str | int = "best",
    tags: str | Path | None = None,
    most: int = 8,
    head: str | None = None,
    by: str | None = None,
    out: str | Path | None = None,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained run gets wrong: by class, by pair of classes, one by one; and a table of them to tag.

    Parameters:
        run: path or name of the run
        split: train, train_dev, validation or test
        checkpoint: best, last, a step, steps with commas between them, or average
        tags: an `errors.csv` with tags filled in: what mending each could gain at most
        most: how many single examples are listed
        head: of a multi_task, or one of many labels; left out: the one with the largest error
        by: a column of the data, whose values or ranges are compared
        out: folder of the files; left out: `errors-<split>` in the run's folder
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    from dltrain.diagnose.errors import look

    load_plugins(plugins)
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    examples = loaded.loader(split).examples
    folder = loaded.folder.path / f"errors-{split}" if out is None else Path(out).absolute()
    return look(loaded, split, examples, folder, most, None if tags is None else Path(tags), head, by)


def diagnose(
    run: str | Path, *, goal: float = 0.0, runs: str | Path = "runs", plugins: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """What holds a run back: bias, variance, data mismatch, an over-fitted validation part; and its learning rate.

    Parameters:
        run: path or name of the run
        goal: the error that the best can reach: of humans, or of Bayes; a share
        runs: folder of the run folders
        plugins: Python files that register further things

    Returns:
        {run, goal, errors: {part: {error, samples}}, layers: [{path, …}], verdicts: [{rule, what, advice, …}]}
    """
    from dltrain.diagnose.doctor import diagnosed

    load_plugins(plugins)
    return diagnosed(load_run(run, runs=runs), load_run(run, runs=runs, checkpoint="last"), goal)


def report(
    names: str | Path | Sequence[str | Path],
    *,
    out: str | Path | None = None,
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Write everything about a run, several runs or a sweep on one page of HTML, which loads nothing.

    Returns ``{file, bytes, seconds, kind, subjects, sections, left_out: {title: reason}}``.

    Parameters:
        names: path or name of a run or a sweep, or several runs: what differs between them
        out: the file; left out: `report.html` in the folder of the run or sweep, of several runs in the current one
        runs: folder of the run folders
        plugins: Python files that register further things
    """
    from dltrain.pages import report as written

    load_plugins(plugins)
    given = [names] if isinstance(names, (str, Path)) else list(names)
    return written(given, Path(runs), None if out is None else Path(out))


def generate(
    run: str | Path,
    prompt: str = "",
    *,
    length: int = 500,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    lines: int | None = None,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """What a trained language model writes.

    Parameters:
        run: path or name of a run of the task `language_model`
        prompt: what the text begins with; empty: the start of a line
        length: how many characters to write
        temperature: below 1 the likely characters become likelier, above 1 the unlikely; 0: always the likeliest
        top_k: draw among so many of the likeliest; None: among all
        seed: the same one gives the same text
        lines: write so many texts, each to the end of its line, with the seeds from `seed` on; None: one of `length`
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders
        plugins: Python files that register further things

    Raises:
        UsageError: when the run is of another task, or the prompt has a character that the model does not know.
    """
    load_plugins(plugins)
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    writer, until = Writer(loaded), None if lines is None else "\n"
    texts = [
        writer.write(prompt, length, temperature=temperature, top_k=top_k, seed=number, until=until)
        for number in range(seed, seed + (lines or 1))
    ]
    return {"run": str(loaded.folder.path), "checkpoint": loaded.step, "prompt": prompt, "texts": texts}


def show(
    view: Any,
    run: str | Path,
    *,
    layer: str | None = None,
    sample: int = 0,
    split: str = "test",
    input: str | Path | None = None,
    text: str | None = None,
    class_: str | None = None,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    out: str | Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Look into a trained network and write what is seen as pictures; see `dltrain list views`.

    Returns what `result.json` holds, and under `lines` what a terminal shows.

    Parameters:
        view: "filters", "grad_cam", {"occlusion": {"size": 8}}
        run: path or name of the run
        layer: the layer that is looked at, in place of the view's own choice: the path of a layer, or a wire
        sample: position of the picture in the part, or in the file
        split: the part of the run's data that the picture is taken from
        input: a file with the picture instead: a picture, or anything that `predict` takes
        text: of a view that reads one: the text, in place of that of a sample
        class_: the class that is asked about; default the one that the network sees
        checkpoint: whose weights, as in `evaluate`
        runs: folder of the run folders, and of the folder of the pictures
        out: the folder of the pictures itself instead
        tell: is told how far the work is
        plugins: Python files that register further things
    """
    from dltrain.looking import show as shown

    load_plugins(plugins)
    check_named(view, "view")
    loaded = load_run(run, runs=runs, checkpoint=checkpoint)
    return shown(
        view,
        loaded,
        runs=Path(runs),
        out=None if out is None else Path(out),
        tell=tell,
        layer=layer,
        sample=sample,
        split=split,
        file=None if input is None else Path(input),
        text=text,
        class_=class_,
    )


def convert(
    run: str | Path,
    *,
    checkpoint: str | int = "best",
    runs: str | Path = "runs",
    out: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Turn the classifier of a run into a network of convolutions, for pictures of any size; makes a run of its own.

    Returns ``{run, name, converted_from, checkpoint, layers, window, stride, padded, difference, notes}``.

    Parameters:
        run: path or name of the run
        checkpoint: whose weights: best, last or a step
        runs: folder of the run folders
        out: the new run's folder, in place of the next `<name>-convolutional-<number>`
        plugins: Python files that register further things
    """
    from dltrain.training.conversion import fully_convolutional

    load_plugins(plugins)
    folder = RunFolder.find(run, runs)
    return fully_convolutional(folder, checkpoint, Path(runs), None if out is None else Path(out))
