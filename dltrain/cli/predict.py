"""dltrain predict: what a trained run makes of new samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

FORMATS = (".csv", ".json")
SHOWN = 50  # rows on the screen


@command("predict")
@arguments.run
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT…", type=click.Path())
@click.option("--with", "others", multiple=True, metavar="RUN", help="A further run of an ensemble; may be repeated.")
@arguments.checkpoint
@click.option("--out", type=click.Path(), metavar="FILE", help="Write all predictions to FILE.csv or FILE.json.")
@click.option("--masks", type=click.Path(path_type=Path), metavar="DIR", help="Write the mask of each picture there.")
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    run: str,
    inputs: tuple[str, ...],
    others: tuple[str, ...],
    checkpoint: str,
    out: str | None,
    masks: Path | None,
    runs: str,
    threads: int | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what a trained run makes of new samples: label and probabilities, values, or a mask for each picture.

    RUN is a run folder, or the name of a run (its newest).  INPUT is a file (a table, npz, npy, HDF5, IDX, .mat …) with
    the same features as the data that the run was trained on.  With further runs, the mean of what they predict.
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    if out is not None and Path(out).suffix.lower() not in FORMATS:
        raise UsageError("this kind of file is not written", where=out, expected="a name that ends in .csv or .json")
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli import output

    result = api.predict([run, *others], inputs, checkpoint=checkpoint, runs=runs, plugins=plugins)
    found = [row.pop("mask", None) for row in result["predictions"]]
    if masks is not None:
        write_masks(masks, found, run)
        output.note(f"{len(found)} masks written to {masks}")
    if out is not None:
        write(Path(out), result)
        output.note(f"{result['samples']} predictions written to {out}")
    if as_json:
        output.emit(result)
    elif out is None:
        show(result["predictions"])


def write_masks(folder: Path, masks: Sequence[Any], run: str) -> None:
    """Write masks as PNG files whose pixels are class numbers and whose palette shows them; named as their samples.

    Raises:
        UsageError: when the run predicts none.
    """
    from dltrain.errors import UsageError
    from dltrain.report.mask_picture import mask_picture
    from dltrain.runs.files import atomic_write, make_folders

    if any(mask is None for mask in masks):
        raise UsageError(
            "the run predicts no masks", where=run, expected="a run with `task: segmentation`", got="--masks"
        )
    make_folders(folder.absolute())
    for number, mask in enumerate(masks):
        atomic_write(folder / f"{number:05d}.png", mask_picture(mask))


def flat(prediction: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """One prediction as columns; those of several heads have names that begin with the head's.

    Example:
        >>> flat({"label": "a", "probabilities": {"a": 0.75, "b": 0.25}})
        {'label': 'a', 'probability_a': 0.75, 'probability_b': 0.25}
        >>> flat({"digit": {"label": "7"}, "tags": {"labels": ["big", "odd"]}})
        {'digit.label': '7', 'tags.labels': 'big;odd'}
    """
    columns: dict[str, Any] = {}
    for key, value in prediction.items():
        if key == "pixels":
            columns |= {f"{before}pixels_{name}": share for name, share in value.items()}
        elif key == "probabilities":
            columns |= {f"{before}probability_{name}": share for name, share in value.items()}
        elif isinstance(value, Mapping):
            columns |= flat(value, f"{before}{key}.")
        else:
            columns[before + key] = ";".join(map(str, value)) if isinstance(value, list) else value
    return columns


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write all predictions, as CSV or JSON by the file's ending."""
    import json

    from dltrain.runs.files import atomic_write, plain

    if path.suffix.lower() == ".json":
        atomic_write(path, json.dumps(plain(result), allow_nan=False, indent=1, ensure_ascii=False) + "\n")
    else:
        atomic_write(path, as_csv(result["predictions"]))


def as_csv(predictions: Sequence[Mapping[str, Any]]) -> str:
    """All predictions as CSV with a header."""
    import csv
    import io

    rows = [flat(prediction) for prediction in predictions]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["label"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def show(predictions: Sequence[Mapping[str, Any]]) -> None:
    """Print a table: the label with its probability and the runner-up, or the values."""
    from dltrain.cli import output

    rows = [_row(number, prediction) for number, prediction in enumerate(predictions[:SHOWN])]
    headers = list(rows[0]) if rows else ["sample"]
    output.show(output.table(headers, [list(row.values()) for row in rows], right=headers))
    if len(predictions) > SHOWN:
        output.show("", f"{SHOWN} of {len(predictions)}; --out FILE.csv writes all")


def _row(sample: int, prediction: Mapping[str, Any]) -> dict[str, str]:
    return {"sample": str(sample), **_columns(prediction, "")}


def _columns(prediction: Mapping[str, Any], before: str) -> dict[str, str]:
    from dltrain.cli.output import number

    row: dict[str, str] = {}
    for key, value in prediction.items():
        if key == "pixels":
            row |= {f"{before}{name}": number(share) for name, share in value.items()}
        elif isinstance(value, Mapping) and key != "probabilities":
            row |= _columns(value, f"{before}{key}.")
        elif not isinstance(value, Mapping):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            row[before + key] = number(value) if isinstance(value, float) else shown
        else:
            likely = sorted(value.items(), key=lambda item: -item[1])[:2]
            sets = "labels" in prediction  # of which any number may be right
            row[f"{before}probability"] = f"{likely[0][0]} {number(likely[0][1])}" if sets else number(likely[0][1])
            row[f"{before}or else"] = f"{likely[1][0]} ({number(likely[1][1])})" if len(likely) > 1 else ""
    return row
