"""dltrain threshold: from which probability on a run says yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command


@command("threshold")
@arguments.run
@click.option(
    "--objective",
    type=click.Choice(["f1", "accuracy", "cost"]),
    default="f1",
    show_default=True,
    help="What the thresholds shall make best, of each label by itself.",
)
@click.option("--false-positive", type=click.FloatRange(0), metavar="COST", help="With cost: of a wrong yes.")
@click.option("--false-negative", type=click.FloatRange(0), metavar="COST", help="With cost: of a missed one.")
@click.option("--reset", is_flag=True, help="Forget thresholds and temperature.")
@arguments.checkpoint
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(
    run: str,
    objective: str,
    false_positive: float | None,
    false_negative: float | None,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tune the probability from which on a run says yes: of a binary classification, or of each of many labels.

    It is chosen on the validation part, and stored in the run: `evaluate`, `predict` and `errors` use it from then on
    with this checkpoint, and say so.  The test part is measured with the old and the new one, and decides nothing.

    RUN is a run folder, or the name of a run (its newest).
    """
    from dltrain.cli import threads as pool
    from dltrain.errors import UsageError

    costs = (false_positive, false_negative)
    if objective != "cost" and costs != (None, None):
        what, hint = "costs have no effect with this objective", "say `--objective cost`"
        raise UsageError(what, where="dltrain threshold", got=f"--objective {objective}", hint=hint)
    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    wrong, missed = (1.0 if cost is None else cost for cost in costs)
    found = api.threshold(run, objective=objective, false_positive=wrong, false_negative=missed, **options)
    if as_json:
        emit(found)
    else:
        show(found)


def show(found: Mapping[str, Any]) -> None:
    """Print a line for each label: its threshold, and what it changes."""
    from dltrain.cli import output

    if "removed" in found:
        output.show(f"{found['file']} removed" if found["removed"] else "nothing was tuned")
        return
    cost, tested = found["objective"] == "cost", any(row["test"] for row in found["labels"])
    objective = "mean cost" if cost else found["objective"]
    sign = -1 if cost else 1
    headers = ["label", "threshold", "before", f"validation {objective}", "before ", *["test", "before  "] * tested]
    rows = []
    for row in found["labels"]:
        name = f"{row['head']}.{row['label']}" if row["head"] else row["label"]
        cells = [name, output.number(row["threshold"]), output.number(row["before"])]
        for part in ("validation", "test"):
            if row[part]:
                before, after = row[part]
                cells += [output.number(sign * after + 0.0), output.number(sign * before + 0.0)]
        rows.append(cells)
    output.show(f"checkpoint of step {found['checkpoint']}, {found['samples']} validation samples", "")
    output.show(output.table(headers, rows, right=headers[1:]))
    if found["notes"]:
        output.show("", *(f"note: {text}" for text in found["notes"]))
    output.show("", f"{found['file']}: evaluate, predict and errors use it from now on; --reset forgets it")
