"""The series source: windows of a series in a table, what follows each, and what a naive forecast says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from dltrain.data.budget import check_memory
from dltrain.data.entries import MISSING
from dltrain.data.examples import Array, DataSet, Pool
from dltrain.data.folders import DataFolders, SettingError
from dltrain.data.rows import Choice, Chosen, Columns, read_columns
from dltrain.data.table_pool import check_known_words, role_column
from dltrain.data.tables import Chooser, Column, position
from dltrain.errors import DataError
from dltrain.registry import register
from dltrain.types import PositiveInt


@register("source", "series")
class Series:
    """Windows of a time series in a table, one row a step; the targets are the values that follow a window.

    rows r_0 r_1 … -> x (N, W, D) with x[n, t] = r_{sn + t}, y (N, H) with y[n, h] = target_{sn + W + h}

    W is `window`, H `horizon`, s `stride`.  It takes `split: chronological`, its default: windows that reach into a
    later part are left out, so that no row is in two parts.  Missing values of features are for `impute`; windows whose
    target is missing are left out.  Beside a model `evaluate` shows naive forecasts of the same windows: the last
    value, and with `period` the value one period before.

    Parameters:
        path: the file, relative to the config, ./data or $DLTRAIN_DATA (UTF-8; .gz is unpacked)
        target: column that is forecast
        window: steps that a forecast is made from
        horizon: steps ahead that are forecast, all at once
        features: columns of a window; left out: the target alone
        stride: steps from the start of a window to that of the next
        period: steps after which the series repeats, such as 12 months; at most `window`
        time: column with the time of each row, which must rise: numbers, or text that sorts (2024-05-31)
        header: whether the first line holds names; auto: when no entry of it is a number
        delimiter: what stands between columns; auto: the most frequent of , ; tab | in the first line
        missing: what stands for a missing value; left out: nothing, ?, NA, N/A, NaN, null, none and -

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.csv").write_text("day,load\\n1,10\\n2,20\\n3,30\\n4,40\\n")
        ...     pool = Series("a.csv", "load", window=2).load(DataFolders(folder))
        >>> pool.columns["x"].tolist(), pool.columns["y"].tolist(), pool.target_names
        ([[[10.0], [20.0]], [[20.0], [30.0]]], [[30.0], [40.0]], ['load+1'])

    Source: Bontempi, Ben Taieb and Le Borgne, Machine learning strategies for time series forecasting, 2013.
    """

    def __init__(
        self,
        path: str,
        target: Column = -1,
        window: PositiveInt = 12,
        horizon: PositiveInt = 1,
        features: list[Column] | None = None,
        stride: PositiveInt = 1,
        period: PositiveInt | None = None,
        time: Column | None = None,
        header: bool | Literal["auto"] = "auto",
        delimiter: Literal["auto", ",", ";", "|", "tab", "space"] = "auto",
        missing: list[str] | None = None,
    ) -> None:
        self.path, self.target, self.window, self.horizon, self.features = path, target, window, horizon, features
        self.stride, self.period, self.time = stride, period, time
        self.header, self.delimiter, self.missing = header, delimiter, missing

    def load(self, folders: DataFolders) -> Pool:
        """x (N, W, D), y (N, H) and naive forecasts (N, K, H) float64; time and until (N,), the rows of a window.

        Raises:
            SettingError: when a column is not there, or a setting cannot be.
            DataError: naming file, line and column of what cannot be read.
        """
        if self.period is not None and self.period > self.window:
            expected, got = f"at most the window, {self.window}", str(self.period)
            what, hint = "a window does not reach back one period", "make the window longer, or leave `period` out"
            error = SettingError(what, where="period", expected=expected, got=got, hint=hint)
            raise error.about(self.period, "period")
        file = folders.find(self.path)
        missing = MISSING if self.missing is None else [entry.lower() for entry in self.missing]
        table = read_columns(file, self.chosen(file), header=self.header, delimiter=self.delimiter, missing=missing)
        [target] = Chooser(self, str(file)).positions("target", table.names, table.width)
        columns, times = (
            [table.names[k] if table.names else k for k in some]
            for some in (table.chosen.features, table.chosen.others.values())
        )
        kept = ("window", "horizon", "stride", "period", "header", "delimiter")
        layout = {name: getattr(self, name) for name in kept} | {"time": next(iter(times), None)}
        places = {"features": len(self.features or [target]), "target": table.chosen.features.index(target)}
        return windows(table, {**layout, **places, "columns": columns, "missing": list(missing)})

    def chosen(self, file: Path) -> Choice:
        """What finds the columns: features, behind them the target where it is none of them, and the time."""

        def choose(names: list[str], width: int) -> Chosen:
            find = Chooser(self, str(file))
            [target], times = find.positions("target", names, width), find.positions("time", names, width)
            features = find.positions("features", names, width) or [target]
            find.check_once("features", {"feature": features}, names)
            behind = [] if target in features else [target]
            return Chosen([*features, *behind], [], others=dict(zip(["time"], times, strict=False)))

        return choose


def windows(table: Columns, layout: dict[str, Any]) -> Pool:
    """All windows of a table, with what follows each and naive forecasts of it.

    Parameters:
        table: the columns of the series, features first
        layout: of the source

    Raises:
        DataError: when an entry is no number, the rows are not in the order of time, or there are too few.
    """
    window, horizon, features = layout["window"], layout["horizon"], layout["features"]
    count = check_rows(table, window + horizon, "a window and what follows it")
    starts = np.arange(0, count, layout["stride"])
    check_memory(len(starts) * window * features, 8, table.where)
    target = table.x[:, layout["target"]]
    y = target[starts[:, None] + window + np.arange(horizon)]  # (N, H)
    ahead = naive_rows(starts, window, horizon, layout["period"])
    naive = np.stack([carried(target)[rows] for rows in ahead.values()], axis=1)  # (N, K, H)
    known = np.flatnonzero(~np.isnan(y).any(1) & ~np.isnan(naive).any((1, 2)))
    if not len(known):
        raise DataError("every window lacks a target, or all values before it", where=table.where)
    first = starts[known]
    columns = {"x": cut(table, first, layout), "y": y[known], "naive": naive[known]}
    columns |= {"time": first.astype(np.float64), "until": first + (window + horizon - 1.0)}
    name = layout["columns"][layout["target"]]
    return Pool(
        columns,
        table.where,
        target_names=[f"{name if isinstance(name, str) else 'value'}+{h + 1}" for h in range(horizon)],
        lines=table.lines[first + window - 1],
        layout={"series": {**layout, "naive": list(ahead)}},
    )


def cut(table: Columns, starts: Array, layout: dict[str, Any]) -> Array:
    """The windows (N, W, D) that start at some rows."""
    return table.x[starts[:, None] + np.arange(layout["window"]), : layout["features"]]


def check_rows(table: Columns, least: int, what: str) -> int:
    """How many windows of so many rows a table has.

    Raises:
        DataError: when an entry is no number, the rows are not in the order of time, or there are too few.
    """
    check_known_words(table, {})
    check_order(table)
    if len(table.x) < least:
        got = f"{len(table.x)} rows"
        raise DataError("the series is too short", where=table.where, expected=f"at least {least}, {what}", got=got)
    return len(table.x) - least + 1


def naive_rows(starts: Array, window: int, horizon: int, period: int | None) -> dict[str, Array]:
    """{naive forecast: (N, H) the rows whose values it takes for what follows each window}.

    Example:
        >>> {name: rows.tolist() for name, rows in naive_rows(np.array([0]), 4, 3, 2).items()}
        {'last value': [[3, 3, 3]], 'one period before': [[2, 3, 2]]}
    """
    ends = starts[:, None] + window + np.zeros(horizon, np.int64)  # (N, H)
    found = {"last value": ends - 1}
    if period is not None:
        found["one period before"] = ends - period + np.arange(horizon) % period
    return found


def carried(values: Array) -> Array:
    """Values (R,) with what is missing replaced by the last one before; NaN where there is none.

    Example:
        >>> carried(np.array([np.nan, 2.0, np.nan, 3.0])).tolist()
        [nan, 2.0, 2.0, 3.0]
    """
    there = np.where(np.isnan(values), 0, np.arange(len(values)))
    return np.asarray(values[np.maximum.accumulate(there)])


def check_order(table: Columns) -> None:
    """Raise a DataError unless the times of the rows rise."""
    if "time" not in table.others:
        return
    where = Pool({"x": table.x}, table.where, lines=table.lines)
    times = role_column("time", table.others["time"], where)
    wrong = np.flatnonzero(times[1:] <= times[:-1])
    if len(wrong):
        row = int(wrong[0]) + 1
        expected, got = f"a time after {table.others['time'][row - 1]!r}", repr(table.others["time"][row])
        what, hint = "the rows are not in the order of time", "sort the file, and keep one row of each time"
        raise DataError(what, where=where.place(row), expected=expected, got=got, hint=hint)


def series_like(path: Path, like: DataSet, target: bool) -> Pool:
    """New windows as those of a run: all that have something to compare with, or without targets the last one.

    Parameters:
        path: a table written as the run's, with its columns; the time may be left out
        like: the run's data set
        target: whether forecasts are compared with what follows
    """
    layout = like.layout["series"]
    columns = layout["columns"] if target else layout["columns"][: layout["features"]]
    time, how = layout.get("time"), {name: layout.get(name, "auto") for name in ("header", "delimiter")}

    def choose(names: list[str], width: int) -> Chosen:
        there = time in (names or range(width))  # the file may come without it
        times = {"time": position(time, names, width, str(path))} if there else {}
        return Chosen([position(column, names, width, str(path)) for column in columns], [], others=times)

    table = read_columns(path, choose, missing=layout["missing"], **how)
    if target:
        return windows(table, layout)
    last = np.array([check_rows(table, layout["window"], "a window") - 1])
    return Pool({"x": cut(table, last, layout)}, table.where, lines=table.lines[last + layout["window"] - 1])
