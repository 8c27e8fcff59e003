"""dltrain trace: forward and backward by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from dltrain.cli import arguments
from dltrain.cli.base import command

SHOWN = 48  # numbers of an array that are printed one by one; of a larger one its corners


@command("trace")
@click.argument("config", metavar="CONFIG|RUN|EXPRESSION", shell_complete=arguments.complete_config)
@click.option("--sample", type=click.IntRange(0), default=0, show_default=True, help="Which sample of the part.")
@click.option(
    "--split",
    type=click.Choice(["train", "train_dev", "validation", "test"]),
    default="train",
    show_default=True,
    help="Part of the data.",
)
@click.option("--layer", metavar="PATH", help="Only this layer: its path (`dltrain check`), or a wire.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of an input of the expression; of a config a change, as train.epochs=5; may be repeated.",
)
@arguments.runs
@arguments.threads
@arguments.plugins
def cli(config: str, sets: tuple[str, ...], threads: int | None, as_json: bool, **options: Any) -> None:
    """Show forward and backward by hand: of a small network on one sample, or of an expression.

    CONFIG is a YAML file or the name of a shipped config, whose initial weights are taken; a RUN has its trained ones.
    Each layer is shown with its formula, its input, weights, output and gradients.

    EXPRESSION is what has a `=`: dltrain trace "J = 3*(a + b*c)" --set a=5 --set b=3 --set c=2.  It takes numbers,
    names, + - * / ^, brackets, exp log sqrt sin cos tanh sigmoid relu abs, and several statements with `;` between.
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.gradcheck import subject
    from dltrain.cli.output import emit

    if "=" in config:
        refuse_parts_of_data()
        found = api.trace_expression(config, values_of(sets))
    else:
        found = api.trace(subject(config, options["runs"]), sets=sets, **options)
    if as_json:
        emit(found)
    elif "=" in config:
        show_expression(found)
    else:
        show_network(found)


def refuse_parts_of_data() -> None:
    """Refuse what an expression has not.

    Raises:
        UsageError: when a sample, a part or a layer was asked for.
    """
    from click.core import ParameterSource

    from dltrain.errors import UsageError

    context = click.get_current_context()
    for name in ("sample", "split", "layer"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError("an expression has no data and no layers", where=f"--{name}", hint="leave it out")


def values_of(sets: Sequence[str]) -> dict[str, float]:
    """Values of inputs, from `name=value`.

    Raises:
        UsageError: when one is no number.

    Example:
        >>> values_of(["a=5", "b=-0.5"])
        {'a': 5.0, 'b': -0.5}
    """
    import math

    from dltrain.errors import UsageError

    found = {}
    for text in sets:
        name, sign, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign or not math.isfinite(found[name.strip()]):
            raise UsageError("this sets no input", where=f"--set {text}", expected="name=number, as a=5")
    return found


def show_expression(found: Mapping[str, Any]) -> None:
    """Print values node by node, then derivatives, then the check."""
    from dltrain.cli import output

    rows = [[r["name"], "input", output.number(r["value"])] for r in found["inputs"]]
    rows += [[r["name"], r["formula"], output.number(r["value"])] for r in found["forward"]]
    output.show("forward:", output.table(["node", "is", "value"], rows, right=["value"]))
    result = found["result"]
    way = [
        [f"d{result}/d{r['by']}", f"d{result}/d{r['through']} · d{r['through']}/d{r['by']}",
         f"{output.number(r['arriving'])} · {output.number(r['slope'])}", output.number(r["gives"])]
        for r in found["backward"]
    ]  # fmt: skip
    headers = ["derivative", "chain rule", "numbers", "gives"]
    output.show("", "backward:", output.table(headers, way, right=["numbers", "gives"]))
    both = [[output.number(row["gradient"]), output.number(row["numerical"])] for row in found["inputs"]]
    rows = [[f"d{result}/d{row['name']}", *pair] for row, pair in zip(found["inputs"], both, strict=True)]
    headers = ["derivative", "by the graph", "numerically"]
    output.show("", output.table(headers, rows, right=headers[1:]))
    if not found["passed"]:
        output.show("", "they differ: the expression has a kink there, or changes faster than rounding lets one see")


def show_network(found: Mapping[str, Any]) -> None:
    """Print each operation with its arrays."""
    from dltrain.cli import output

    output.show(f"{found['part']} sample {found['sample']} (id {found['id']}), target {target(found['target'])}")
    for step in found["operations"]:
        output.show("", f"{step['phase']:<9}{step['path']} ({step['kind']})   {step['formula']}".rstrip())
        for role in ("takes", "gives") if step["phase"] == "backward" else ("takes", "weights", "gives"):
            for name, array in step[role].items():
                for line in lines_of(label(step, role, name), array):
                    output.show(line)
    output.show("", f"loss {output.number(found['loss'])}")


def label(step: Mapping[str, Any], role: str, name: str) -> str:
    """What an array of an operation is called."""
    backward = step["phase"] == "backward" and role != "weights"
    return f"d {name}" if backward else name


def target(value: Any) -> str:
    """A target for human eyes."""
    return "with many numbers" if value is None else str(value)


def lines_of(name: str, array: Mapping[str, Any]) -> list[str]:
    """An array for human eyes: rounded, and cut where it is large, which it then says."""
    import numpy as np

    from dltrain.cli.output import console, number

    shape = " × ".join(map(str, array["shape"])) or "one number"
    if array["values"] is None:
        count = int(np.prod(array["shape"]))
        ends = f"{number(array['smallest'])} to {number(array['largest'])}"
        return [f"  {name}   {shape}: {count:,} numbers from {ends}"]
    values = np.asarray(array["values"])
    width = max(40, console().width - 4)
    text = np.array2string(values, width, threshold=SHOWN, edgeitems=3, formatter={"all": short})
    cut = f"   ({values.size:,} numbers, … stands for some)" if values.size > SHOWN else ""
    if "\n" not in text and len(text) + len(name) + len(shape) < width:
        return [f"  {name}   {shape}   {' '.join(text.replace('[', '[ ').split()).replace('[ ', '[')}{cut}"]
    return [f"  {name}   {shape}{cut}", *(f"    {line}" for line in text.splitlines())]


def short(value: Any) -> str:
    """A number in four significant digits, in columns.

    Example:
        >>> short(0.12345), short(-12.0), short(1e-7)
        ('   0.1235', '      -12', '    1e-07')
    """
    return f"{value:>9.4g}"
