"""Preparations one after the other: fitted on the training part, stored with the run, applied to everything.

A preparation has `columns` (names, positions, or None), `takes` (what None means: "numbers", "words" or "all"),
`fills_missing` (whether it may see missing values), `in_place` (whether its first outputs stand where its columns
stood; otherwise they follow the columns that it leaves alone), and

    fit(examples) -> constants      apply(x, constants) -> x'      output(features, constants) -> features'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dltrain.data.examples import Array, Examples, Features, chunks
from dltrain.data.lazy import Lazy
from dltrain.data.misfit import Misfit
from dltrain.errors import ConfigError, DataError, Problem
from dltrain.registry import create, parse
from dltrain.suggest import hint as suggestion

Constants = dict[str, Array]
Place = Callable[[int], str]
SAMPLE: Place = "sample {}".format
FILL = "take the sample out, or fill the value in: `prepare: [impute, …]`"
MOST_OUTPUTS = 20_000  # features after a preparation


def fit(
    specs: Sequence[Any], train: Examples, place: Place = SAMPLE, path: tuple[Any, ...] = ("data", "prepare")
) -> Constants:
    """Fit preparations one after the other on the training part, in float64, as they are applied.

    Parameters:
        specs: the preparations, in order
        train: raw examples
        place: names the sample with an id, for errors
        path: where the preparations stand in the config

    Returns:
        Their constants by position and name, {"0.standardize.mean": array}.

    Raises:
        ConfigError: when a preparation does not suit the features.
        DataError: when a value does not suit it.
    """
    constants: Constants = {}
    for position, spec in enumerate(specs):
        prepared = run(specs[:position], constants, train, "float64", place) if position else train
        step, at = create("preparation", spec), (*path, position, parse(spec, "preparation")[0].name)
        chosen = choose(step, prepared.described(), at)
        some = prepared if chosen is None else taken(prepared, chosen)
        if not step.fills_missing:
            check_missing(some, place)
        with np.errstate(over="ignore", invalid="ignore"):  # values near the largest float: `apply` refuses them
            fitted = placed(partial(fitted_at, step, some, at), some, place)
        if chosen is not None:
            fitted = {**fitted, "columns": np.array(chosen, np.int64)}
        width = step.output(some.described(), fitted).shape
        if len(width) == 1 and width[0] > MOST_OUTPUTS:
            hint = "choose fewer `columns`"
            what = "this would make too many features"
            raise ConfigError([Problem(at, what, f"at most {MOST_OUTPUTS:,}", f"{width[0]:,}", hint)])
        constants |= {f"{prefix(position, spec)}.{name}": value for name, value in fitted.items()}
    return constants


def fitted_at(step: Any, examples: Examples, path: tuple[Any, ...]) -> Constants:
    """The constants of a preparation, whose problems with its settings stand at its place in the config."""
    try:
        found: Constants = step.fit(examples)
    except ConfigError as error:
        raise ConfigError([replace(problem, path=path) for problem in error.problems]) from None
    return found


def apply(
    specs: Sequence[Any], constants: Mapping[str, Array], examples: Examples, dtype: str, place: Place = SAMPLE
) -> Examples:
    """Prepare examples with fitted constants; "x" comes back as a new array of the given type.

    Parameters:
        specs: the preparations, in order
        constants: what `fit` returned
        examples: raw examples; they are not changed
        dtype: float32 or float64
        place: names the sample with an id, for errors

    Raises:
        DataError: when a value is missing, does not suit a preparation, or does not fit into the type.
    """
    prepared = run(specs, constants, examples, dtype, place, whole=True)
    words = next(iter(prepared.described().categories), None)
    if words is not None:
        entry = prepared.described().categories[words][int(prepared.columns["x"][0, words])]
        where = f"{place(int(prepared.ids[0]))}, {prepared.described().name(words)!r}"
        hint = "make categories of the words with `prepare: [one_hot]`, or leave the column out with `drop: [...]`"
        raise DataError("this is not a number", where=where, expected="a number", got=repr(entry[:60]), hint=hint)
    return prepared


def run(
    specs: Sequence[Any],
    constants: Mapping[str, Array],
    examples: Examples,
    dtype: str,
    place: Place,
    whole: bool = False,
) -> Examples:
    """Examples after some preparations; what is missing and no preparation touches may still be so unless `whole`."""
    steps = list(with_constants(specs, constants))
    before = features = examples.described()
    for step, own in steps:
        features = described_after(step, own, features)

    def prepared(x: Array, rows: Array | slice) -> Array:
        """Features (n, …) of some rows after all steps."""
        out, ids = np.empty((len(x), *features.shape), dtype), examples.ids[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            for some in chunks(x):
                part = Examples({"x": x[some]}, ids[some], before)
                for step, own in steps:
                    part = after(step, own, part, place)
                out[some] = part.columns["x"]
                check_fits(out[some], part, x[some], place)
                if whole:
                    check_missing(Examples({"x": out[some]}, part.ids, features), place)
        return out

    x: Any = examples.columns["x"]
    found: Any = x.then(prepared, features.shape, dtype) if isinstance(x, Lazy) else prepared(x, slice(None))
    return Examples({**examples.columns, "x": found}, examples.ids, features)


def undo(specs: Sequence[Any], constants: Mapping[str, Array], x: Array) -> Array | None:
    """Prepared features as they were read, in float64; None where a preparation cannot be undone."""
    steps = list(with_constants(specs, constants))
    if any(not hasattr(step, "invert") or "columns" in own for step, own in steps):
        return None
    found = x.astype(np.float64)
    for step, own in reversed(steps):
        found = step.invert(found, own)
    return found


def with_constants(specs: Sequence[Any], constants: Mapping[str, Array]) -> Iterator[tuple[Any, Constants]]:
    """Each preparation with its own constants."""
    for position, spec in enumerate(specs):
        start = prefix(position, spec) + "."
        own = {name.removeprefix(start): value for name, value in constants.items() if name.startswith(start)}
        yield create("preparation", spec), own


def after(step: Any, own: Constants, some: Examples, place: Place) -> Examples:
    """Some examples after one preparation."""
    chosen = None if "columns" not in own else own["columns"].tolist()
    part = some if chosen is None else taken(some, chosen)
    if not step.fills_missing:
        check_missing(part, place)
    found = placed(partial(step.apply, part.columns["x"], own), part, place)
    if chosen is not None:
        found = assembled(some.columns["x"], found, chosen, step.in_place)
    return Examples({"x": found}, some.ids, described_after(step, own, some.described()))


def assembled(x: Array, found: Array, chosen: list[int], in_place: bool) -> Array:
    """Columns of a table after a preparation of the chosen ones."""
    if not in_place:
        return np.concatenate([np.delete(x, chosen, axis=1), found], axis=1)
    out = x.astype(np.float64)
    out[:, chosen] = found[:, : len(chosen)]
    return np.concatenate([out, found[:, len(chosen) :]], axis=1) if found.shape[1] > len(chosen) else out


def described_after(step: Any, own: Constants, features: Features) -> Features:
    """What features are after one preparation; as `assembled` puts them."""
    if "columns" not in own:
        return step.output(features, own)
    chosen = own["columns"].tolist()
    found = step.output(features.take(chosen), own)
    if not step.in_place:
        return features.take([k for k in range(features.shape[0]) if k not in chosen]) + found
    names, words = list(features.names), {k: w for k, w in features.categories.items() if k not in chosen}
    for new, k in enumerate(chosen):
        if new in found.categories:
            words[k] = found.categories[new]
    kept = Features(features.shape, names, words)
    extra = list(range(len(chosen), found.shape[0]))
    return kept + found.take(extra) if extra else kept


def taken(examples: Examples, chosen: Sequence[int]) -> Examples:
    """Some columns of a table of examples."""
    return Examples({"x": examples.columns["x"][:, list(chosen)]}, examples.ids, examples.described().take(chosen))


def choose(step: Any, features: Features, path: tuple[Any, ...]) -> list[int] | None:
    """The columns of a preparation, as positions; None where it takes the features as a whole.

    Raises:
        ConfigError: when there are none, or a column is not there.
    """
    if step.columns is None:
        if not features.categories and step.takes != "words":
            return None
        words = list(features.categories)
        found = {"numbers": features.numeric, "words": lambda: sorted(words)}.get(step.takes, lambda: None)()
        if found == []:
            hint = "name the columns with `columns: [...]`"
            raise ConfigError([Problem(path, f"this has no effect: no column holds {step.takes}", hint=hint)])
        return found
    if len(features.shape) != 1:
        what = "only a table has columns"
        got = f"features of shape {features.shape}"
        raise ConfigError([Problem((*path, "columns"), what, "features of shape (D,)", got, "leave `columns` out")])
    found = [column_of(c, features, (*path, "columns", k)) for k, c in enumerate(step.columns)]
    twice = next((k for k, c in enumerate(found) if c in found[:k]), None)
    if twice is not None or not found:
        what = "the list of columns is empty" if twice is None else f"{features.name(found[twice])!r} is named twice"
        raise ConfigError([Problem((*path, "columns"), what, hint="leave `columns` out for all" * (not found))])
    misplaced = next((k for k in found if (k in features.categories) != (step.takes == "words")), None)
    if misplaced is not None and step.takes == "numbers":
        what = f"the column {features.name(misplaced)!r} holds words"
        hint = "make numbers of it before, with `one_hot`"
        raise ConfigError([Problem((*path, "columns"), what, "columns of numbers", hint=hint)])
    return found


def column_of(column: str | int, features: Features, path: tuple[Any, ...]) -> int:
    """The position of a column that is named by name or position.

    Raises:
        ConfigError: when there is none.
    """
    width = features.shape[0]
    if isinstance(column, int) and -width <= column < width:
        return column % width
    if column in features.names:
        return features.names.index(str(column))
    names = [features.name(k) for k in range(width)]
    expected = ", ".join(names[:12]) + (" …" if width > 12 else "")
    hint = suggestion(str(column), features.names)
    raise ConfigError([Problem(path, "there is no such column at this place", expected, repr(column), hint)])


def placed(work: Callable[[], Any], part: Examples, place: Place) -> Any:
    """What `work` returns; a value that does not suit it is named by its place.

    Raises:
        DataError: naming it.
    """
    try:
        return work()
    except Misfit as error:
        features, value = part.described(), part.columns["x"][(error.row, *error.place)]
        words = features.categories.get(error.place[0]) if error.place else None
        where = f"{place(int(part.ids[error.row]))}, {place_name(features, error.place)}"
        got = f"{value:g}" if words is None else repr(words[int(value)])
        raise DataError(error.what, where=where, expected=error.expected, got=got, hint=error.hint) from error


def place_name(features: Features, place: tuple[int, ...]) -> str:
    """A feature as errors call it."""
    if len(place) == 1 and features.names:
        return repr(features.names[place[0]])
    return f"feature {', '.join(map(str, place))}"


def prefix(position: int, spec: Any) -> str:
    """The beginning of the names of a preparation's constants."""
    return f"{position}.{parse(spec, 'preparation')[0].name}"


def check_missing(examples: Examples, place: Place) -> None:
    """Raise a DataError at the first value that is missing."""
    x = examples.columns["x"]
    if x.dtype.kind != "f" or not (missing := np.isnan(x)).any():
        return
    row, *feature = (int(i) for i in np.argwhere(missing)[0])
    where = f"{place(int(examples.ids[row]))}, {place_name(examples.described(), tuple(feature))}"
    raise DataError("a value is missing", where=where, expected="a number", hint=FILL)


def check_fits(prepared: Array, some: Examples, raw: Array, place: Place) -> None:
    """Raise a DataError when prepared values are not finite but neither missing: the raw ones were."""
    if np.isfinite(prepared).all():
        return
    wrong = ~np.isfinite(prepared) & ~np.isnan(some.columns["x"])
    wrong |= np.isnan(prepared) & bool(np.isfinite(raw).all())
    if not wrong.any():
        return
    row, *feature = (int(i) for i in np.argwhere(wrong)[0])
    where = f"{place(int(some.ids[row]))}, feature {', '.join(map(str, feature))}"
    value = raw[(row, *feature)] if raw.shape == prepared.shape else some.columns["x"][(row, *feature)]
    hint = "use `dtype: float64`, or another unit"
    what = f"this value is too large for {prepared.dtype}"
    raise DataError(what, where=where, got=f"{value:g}", hint=hint)
