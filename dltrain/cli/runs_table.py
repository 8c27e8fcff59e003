"""Runs as rows of a table: what is known of each, sorted, filtered, and written in the form that is wanted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltrain.runs.listing import RunRow

FORMATS = ("table", "json", "csv", "markdown")
CONDITION = re.compile(r"([^=!<>~]+?)\s*(<=|>=|!=|=|<|>|~)\s*(.*)")
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "~": lambda a, b: str(b).casefold() in str(a).casefold(),
}


def known(row: RunRow) -> dict[str, Any]:
    """All that is known of a run by path: `best`, `seconds`, `validation.accuracy`, `train.epochs`, `dtype` …

    The paths are those of its config, and part.metric of its last evaluation.
    """
    from dltrain.runs.listing import flat

    summary = row.summary
    found: dict[str, Any] = {"run": row.name, "status": row.status, "steps": row.step, "bytes": row.bytes}
    found |= {"tag": row.tags, "note": row.note}
    found |= {key: summary[key] for key in ("epochs", "seconds") if key in summary}
    found |= dict(flat(settings(row)))
    best = summary.get("best")
    if isinstance(best, Mapping):
        found["best"] = best.get("value")
    parts = {**(summary.get("metrics") or {}), "test": summary.get("test") or {}}
    return found | {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}


def settings(row: RunRow) -> dict[str, Any]:
    """The config of a run as plain data; empty where it cannot be read."""
    from dltrain.config.yaml_reader import read_file
    from dltrain.errors import DltrainError

    try:
        document = read_file(row.path / "config.yaml")
    except DltrainError:
        return {}
    plain = {} if document.root is None or document.flaws else document.root.plain()
    return plain if isinstance(plain, dict) else {}


def condition(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A filter such as `validation.accuracy>=0.9` or `optimizer.adam.learning_rate=0.01`.

    A run that does not know the path, or holds another kind of value there, is left out.  Of several values, the tags
    of a run, one must fulfil it; with `!=` all.

    Example:
        >>> condition("train.epochs>=3")({"train.epochs": 3}), condition("dtype=float64")({"dtype": "float32"})
        (True, False)
        >>> condition("tag=good")({"tag": ("good", "wide")}), condition("note ~ warm")({"note": "With warmup."})
        (True, True)

    Raises:
        UsageError: when it has no such form.
    """
    from dltrain.config.scalars import resolve
    from dltrain.errors import UsageError

    found = CONDITION.fullmatch(text.strip())
    if found is None:
        expected = "PATH, one of = != < <= > >= ~, and a value, such as 'validation.accuracy>=0.9'"
        raise UsageError("this is no condition", where="--filter", expected=expected, got=repr(text))
    path, sign, written = found.groups()
    try:
        value = resolve(written.strip("'\""))
    except ValueError as error:
        raise UsageError(str(error), where="--filter", got=repr(text)) from None

    enough = all if sign == "!=" else any

    def holds(row: Mapping[str, Any]) -> bool:
        there = row.get(path)
        try:
            return there is not None and enough(TESTS[sign](one, value) for one in values(there))
        except TypeError:
            return False

    return holds


def values(there: Any) -> tuple[Any, ...]:
    """The values at a path: several where a run may have any number of them, as its tags."""
    return there if isinstance(there, tuple) else (there,)


def in_order(rows: Iterable[dict[str, Any]], path: str, descending: bool) -> list[dict[str, Any]]:
    """Rows by the value at a path: numbers before texts, those without it last.

    Raises:
        UsageError: when no run knows the path, with the nearest one that is known.
    """
    from dltrain.errors import UsageError
    from dltrain.suggest import hint

    rows = list(rows)
    if rows and not any(path in row for row in rows):
        paths = sorted({name for row in rows for name in row})
        raise UsageError("no run has a value there", where="--sort", got=repr(path), hint=hint(path, paths))

    def key(row: dict[str, Any]) -> tuple[bool, Any]:
        value = row[path]
        return isinstance(value, str), value if isinstance(value, (int, float, str)) else str(value)

    there = [row for row in rows if row.get(path) is not None]
    return sorted(there, key=key, reverse=descending) + [row for row in rows if row.get(path) is None]


def different(rows: Sequence[Mapping[str, Any]], paths: Iterable[str]) -> list[str]:
    """Those of the paths whose values are not the same in all rows.

    Example:
        >>> different([{"seed": 0, "dtype": "float32"}, {"seed": 1, "dtype": "float32"}], ["seed", "dtype"])
        ['seed']
    """
    return [path for path in paths if len({repr(row.get(path)) for row in rows}) > 1]


def show(headers: Sequence[str], cells: Iterable[Sequence[Any]], form: str, right: Sequence[str]) -> None:
    """Print a table for human eyes, or as CSV or Markdown."""
    from dltrain.cli import output

    if form == "table":
        output.show(output.table(headers, cells, right=right))
    else:
        sys.stdout.write(written(headers, cells, form))


def written(headers: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> str:
    """A table as CSV or Markdown.

    Example:
        >>> print(written(["run", "best"], [["a-1", 0.5], ["b|2", None]], "markdown"), end="")
        | run | best |
        |---|---|
        | a-1 | 0.5 |
        | b\\|2 |  |
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in [list(headers), *rows]]
    if form == "csv":
        import csv
        import io

        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(cells)
        return text.getvalue()
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]
    lines.insert(1, "|" + "---|" * len(headers))
    return "".join(line + "\n" for line in lines)
