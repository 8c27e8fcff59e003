"""dltrain errors: which examples a run gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

SHOWN = 8  # rows of each table
MOST_SHOWN = 90  # characters of a text


@command("errors")
@arguments.run
@click.option(
    "--split",
    type=click.Choice(["train", "train_dev", "validation", "test"]),
    default="validation",
    show_default=True,
    help="Part of the run's data.",
)
@arguments.checkpoint
@click.option("--tags", type=click.Path(path_type=Path), metavar="FILE", help="errors.csv with tags filled in.")
@click.option("--most", type=click.IntRange(1), default=SHOWN, show_default=True, metavar="N", help="Mistakes listed.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the files; default: the run's.")
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(run: str, threads: int | None, as_json: bool, **options: Any) -> None:
    """Show what a trained run gets wrong: the worst and the most confident mistakes, and what is taken for what.

    It writes `errors.csv`, a line for each mistake with an empty column `tags`, and for pictures `errors.png`.  Fill
    in tags such as `blurry; dark` for a hundred mistakes, and the class in `right_label` where a label is wrong:
    `--tags errors.csv` then tells how much mending each could gain at most.

    RUN is a run folder, or the name of a run (its newest).
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    found = api.errors(run, **options)
    if as_json:
        emit(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print what was found as tables."""
    from dltrain.cli import output

    if found["errors"] is None:
        output.show(f"{found['split']}: {found['samples']:,} samples", "")
        for row in found["concentration"]:
            output.show(f"the worst {row['share']:.0%} of the samples make {row['of_loss']:.0%} of the squared error")
    else:
        wrong = f"{found['errors']:,} of {found['samples']:,} samples are wrong ({found['error']:.2%})"
        output.show(f"{found['split']}: {wrong}", "")
        if not found["errors"]:
            return
        classes = [[r["label"], f"{r['error']:.1%}", r["errors"], r["samples"]] for r in found["classes"][:SHOWN]]
        output.show(
            output.table(["class", "error", "errors", "samples"], classes, right=["error", "errors", "samples"])
        )
        pairs = [[r["label"], r["prediction"], r["count"], f"{r['share']:.1%}"] for r in found["confused"][:SHOWN]]
        output.show("", output.table(["is", "taken for", "errors", "of all"], pairs, right=["errors", "of all"]))
    titles = {"most_confident": "the most confident mistakes", "worst": "the largest losses"}
    for key, title in titles.items():
        if found[key]:
            output.show("", title, samples(found[key]))
    if found["tags"] is not None:
        output.show("", *gains(found["tags"]))
    if found["notes"]:
        output.show("", *(f"note: {note}" for note in found["notes"]))
    if found["files"]:
        hint = "" if found["tags"] else "; fill in `tags`, and give it to --tags"
        output.show("", f"{found['folder']}: {', '.join(found['files'])}{hint}")


def samples(rows: list[dict[str, Any]]) -> Any:
    """A table of single examples."""
    from dltrain.cli import output

    certain = rows[0]["confidence"] is not None
    texts = "text" in rows[0]
    loss = "loss" if certain else "squared error"
    headers = ["sample", "is", "predicted", *["confidence"] * certain, loss, *["text"] * texts]
    cells = [
        [r["id"], text(r["label"]), text(r["prediction"]), *[output.number(r["confidence"])] * certain,
         output.number(r["loss"]), *[shortened(r.get("text", ""))] * texts]
        for r in rows
    ]  # fmt: skip
    return output.table(headers, cells, right=[headers[0], *headers[3 if certain else 1 : len(headers) - texts]])


def shortened(words: str) -> str:
    """The beginning of a text.

    Example:
        >>> shortened("abcd" * 30)[-5:]
        'cda …'
    """
    return words if len(words) <= MOST_SHOWN else words[: MOST_SHOWN - 1].rstrip() + " …"


def text(value: Any) -> str:
    """A class, or the numbers of a regression."""
    from dltrain.cli import output

    if isinstance(value, list):
        return ", ".join(map(output.number, value))
    return value if isinstance(value, str) else output.number(value)


def gains(table: Mapping[str, Any]) -> list[Any]:
    """What the tags say, as a table and a sentence."""
    from dltrain.cli import output

    rows = [
        [r["tag"], r["count"], f"{r['share']:.1%}", f"{r['points']:.2f} points", f"{r['left']:.2%}"]
        for r in table["ceilings"]
    ]
    headers = ["tag", "errors", "of the examined", "gains at most", "leaves"]
    lines: list[Any] = [
        f"{table['examined']} of {table['mistakes']} mistakes are tagged; the error is {table['error']:.2%}"
    ]
    if rows:
        lines.append(output.table(headers, rows, right=headers[1:]))
    if table["corrected_error"] is not None:
        corrected = f"with these corrected, the error is {table['corrected_error']:.2%}"
        lines.append(f"{table['wrong_labels']} labels were wrong; {corrected}")
    return lines
