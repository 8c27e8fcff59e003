"""What is looked at: a trained network, a picture, and the class that is asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dltrain.data import DataSet, Examples, load_like, pipeline
from dltrain.data.picture_files import read
from dltrain.data.pictures import SUFFIXES, Form, decode, read_head
from dltrain.errors import ConfigError, DataError, UsageError
from dltrain.layers.base import Array, Shape
from dltrain.looking.inside import Inside, Unit
from dltrain.looking.seen import grey
from dltrain.metrics import probabilities
from dltrain.model.budget import available, size_of
from dltrain.model.summary import summarize
from dltrain.suggest import hint
from dltrain.training.batch_preview import as_bytes, in_words
from dltrain.training.session import Session

if TYPE_CHECKING:
    from dltrain.training.trained import Run

KNOWN = 1000  # pictures whose range says what is black and what is white
Predict = Callable[[dict[str, Array]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Parameters:
        inside: the network
        x: the picture as the network is fed it, (1, H, W, C); None where none is needed
        picture: it as one sees it, (H, W, 1) or (H, W, 3) bytes; left out: x from its smallest to its largest value
        title: what it is called, with what it shows
        units: what the network answers: its classes, labels or numbers
        unit: the one that is asked about; left out: for a picture the one with the largest score
        layer: the layer that is asked about, if one is
        predict: what the task says of outputs, one dict for each sample; left out: their softmax
        window: height and width that the network was trained on
    """

    inside: Inside
    x: Array | None = None
    picture: Array | None = None
    title: str = "picture"
    units: Sequence[Unit] = ()
    unit: Unit | None = None
    layer: str | None = None
    predict: Predict | None = None
    window: tuple[int, int] = field(default=(0, 0))

    def need(self) -> Array:
        """The picture as the network is fed it."""
        assert self.x is not None, "the view reads a picture"
        return self.x

    def shown(self) -> Array:
        """The picture as one sees it."""
        return grey(self.need()[0]) if self.picture is None else self.picture

    def asked(self) -> Unit:
        """The class that is asked about, or that with the largest score."""
        if self.unit is not None:
            return self.unit
        scores = self.inside.scores(self.need(), self.units)
        return self.units[int(scores.argmax())]

    def say(self, x: Array, unit: Unit) -> Array:
        """The probability of a class (N,) for prepared pictures, or the predicted number."""
        return self.said(self.inside.values(x, self.inside.graph.outputs), unit)

    def said(self, outputs: dict[str, Array], unit: Unit) -> Array:
        """The probability of a class (N,) by the outputs, or the predicted number."""
        if self.predict is None:
            return probabilities(outputs[unit.wire])[:, unit.column]
        rows: Any = [row[unit.head] if unit.head else row for row in self.predict(outputs)]
        return np.array([float(row.get("probabilities", row.get("pixels", row))[unit.name]) for row in rows])

    def told(self) -> dict[str, Any]:
        """The picture, the class and what the network makes of them, as plain data."""
        unit = self.asked()
        score = float(self.inside.scores(self.need(), [unit])[0])
        return {
            "picture": self.title,
            "class": unit.title,
            "score": score,
            "said": float(self.say(self.need(), unit)[0]),
        }

    def lines(self) -> list[str]:
        """The same for a terminal."""
        told = self.told()
        return [f"{told['picture']}; {told['class']}: {told['said']:.4f}, score {told['score']:.4g}"]


def subject(
    run: Run, reads: str, *, layer: str | None, sample: int, split: str, file: Path | None, class_: str | None
) -> Subject:
    """What a view is to look at.

    Parameters:
        run: a trained run
        reads: what the view needs: nothing, picture, or any size
        layer: the layer that is asked about
        sample: position of the picture in the part, or in the file
        split: a part of the run's data
        file: holds the picture instead: a picture, or anything that `predict` takes
        class_: the class that is asked about

    Raises:
        UsageError: when the run is one of a baseline, or there is no such sample, class or layer.
        DataError: when its data are no pictures.
    """
    session = run.session
    if not isinstance(session, Session):
        raise UsageError("a baseline has no layers to look at", where=run.folder.name, expected="a run of a network")
    data = session.data
    if len(data.shape) != 3 or data.shape[2] not in (1, 3):
        expected, got = "features of shape (H, W, 1) or (H, W, 3)", f"features of shape {data.shape}"
        raise DataError("the run's data are no pictures", where=data.description, expected=expected, got=got)
    height, width, channels = data.shape
    units = answers(session)
    unit = None if class_ is None else chosen(units, class_)
    known = Subject(
        Inside(session.graph), units=units, unit=unit, layer=layer, predict=session.task.predict, window=(height, width)
    )
    if reads == "nothing":
        return known
    if reads == "any size" and file is not None and file.name.lower().endswith(SUFFIXES):
        x = as_large_as_it_is(file, data)
        inside = for_size(session, x.shape[1:], str(file))
        return replace(known, inside=inside, x=x, picture=seen_by_eye(data, x, x), title=file.name)
    examples, where = (load_like(file, data), file.name) if file is not None else part_of(run, split)
    if not 0 <= sample < len(examples):
        expected = f"0 to {len(examples) - 1}"
        raise UsageError("there is no such sample", where=f"--sample, {where}", expected=expected, got=str(sample))
    x = examples.columns["x"][sample : sample + 1]
    title = f"{where} {sample}" if len(examples) > 1 or file is None else where
    if "y" in examples.columns:
        title += f": {in_words(examples.columns['y'][sample : sample + 1], data)}"
    return replace(known, x=x, picture=seen_by_eye(data, x, examples.columns["x"][:KNOWN]), title=title)


def answers(session: Session) -> list[Unit]:
    """What a network answers: a unit for each class, label or number, of each head.

    A head that only helps the training answers nothing.
    """
    data, found = session.data, []
    task: Any = session.task
    for head, wire in task.ends.items():
        own: Any = data.heads[head] if head else {"classes": data.classes, "target_names": data.target_names}
        if head and task.options[head].training_only:
            continue
        width, names = session.graph.wires[wire][-1], list(own["classes"] or own["target_names"])
        columns = [(0, -1.0), (0, 1.0)] if width == 1 and len(names) == 2 else [(k, 1.0) for k in range(len(names))]
        found += [Unit(str(n), wire, k, sign, head) for n, (k, sign) in zip(names, columns, strict=True)]
    return found


def chosen(units: Sequence[Unit], name: str) -> Unit:
    """The unit of a class; `head.class` names one of several heads.

    Raises:
        UsageError: when there is none.
    """
    names = {unit.title: unit for unit in units}
    if name in names:
        return names[name]
    few = ", ".join([*names][:12]) + (" …" if len(names) > 12 else "")
    advice = hint(name, names)
    raise UsageError("the network knows no such class", where="--class", expected=few, got=repr(name), hint=advice)


def part_of(run: Run, split: str) -> tuple[Examples, str]:
    """The examples of a part of the run's data, and what they are called."""
    return run.loader(split).examples, split


def for_size(session: Session, shape: Shape, where: str) -> Inside:
    """The network for pictures of another size.

    Raises:
        DataError: when the picture is smaller than those the network was trained on, or too large for the memory.
        UsageError: when the network is for one size only.
    """
    data = session.data
    size, got = (" × ".join(map(str, sides[:2])) for sides in (data.shape, shape))
    if any(side < trained for side, trained in zip(shape[:2], data.shape[:2], strict=True)):
        raise DataError("the picture is smaller than a window", where=where, expected=f"{size} or more", got=got)
    try:
        inside = Inside(session.graph, dict.fromkeys(session.graph.inputs, shape))
    except (ConfigError, DataError) as error:
        advice = "`dltrain convert RUN --fully-convolutional` makes one for all sizes"
        raise UsageError(
            "the network is for pictures of one size", where=where, expected=size, got=got, hint=advice
        ) from error
    needed, there = summarize(inside.graph, 1).memory["activations"], available()
    if needed > there:
        expected, bytes_ = f"at most {size_of(there)}", size_of(needed)
        raise DataError("the picture is too large for the memory", where=where, expected=expected, got=bytes_)
    return inside


def as_large_as_it_is(file: Path, data: DataSet) -> Array:
    """A picture in its own size, prepared as the run's: (1, H, W, C).

    Raises:
        DataError: when it is damaged, or a preparation is for one size only.
    """
    content = read(file)
    head = read_head(content, str(file))
    pixels = decode(content, str(file), Form(head.height, head.width, data.raw_shape[2]))
    examples = Examples({"x": pixels[None]}, np.arange(1))
    try:
        return pipeline.apply(data.prepare, data.constants, examples, data.dtype).columns["x"]
    except ValueError as error:  # constants for each pixel meet another number of pixels
        size = " × ".join(map(str, data.shape[:2]))
        advice = "prepare by channel: `standardize: channel`, or `scale: 255`"
        raise DataError(
            "the preparation is for pictures of one size", where=str(file), expected=size, hint=advice
        ) from error


def seen_by_eye(data: DataSet, x: Array, known: Array) -> Array:
    """A prepared picture (1, H, W, C) as bytes (H, W, C): its preparation is undone where that can be."""
    undone = [pipeline.undo(data.prepare, data.constants, some) for some in (x, known)]
    first, others = (x, known) if undone[0] is None or undone[1] is None else undone
    return as_bytes(np.asarray(first), np.asarray(others))[0]
