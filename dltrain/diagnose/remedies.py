"""What to try next, with the keys and values of the config at hand."""

from __future__ import annotations

from dltrain.config.effects import name_of
from dltrain.diagnose.course import DROPOUTS, Course


def against_bias(course: Course) -> list[str]:
    """For a model that does not fit its training part, in the order in which the field tries them."""
    found = []
    rates = sorted({given.get("rate", 0) for name, given in course.layers() if name in DROPOUTS} - {0})
    if rates:
        found.append(f"less dropout: {', '.join(f'{rate:g} -> {rate / 2:g}' for rate in rates)}")
    for position, spec in enumerate(course.config.get("regularize") or []):
        found.append(f"a tenth of `regularize.{position}` ({name_of(spec)}), or none")
    name, given = course.optimizer
    if given.get("weight_decay"):
        found.append(f"`--set optimizer.{name}.weight_decay=0`")
    if course.epochs:
        found.append(f"train longer: `--set train.epochs={2 * course.epochs}`")
    widths = [given["units"] for _, given in course.layers() if isinstance(given.get("units"), int)]
    filters = [given["filters"] for _, given in course.layers() if isinstance(given.get("filters"), int)]
    hidden = widths or filters
    key = "units" if widths else "filters"
    more = f"{key} {max(hidden)} -> {2 * max(hidden)}" if hidden else "a hidden layer"
    found.append(f"a larger network: {more}, or one layer more")
    if name == "gradient_descent":
        found.append("a better optimizer: `optimizer: adam`")
    return found


def against_variance(course: Course) -> list[str]:
    """For a model that fits its training part and not what was held out."""
    found = ["more training examples (`dltrain learning-curve` tells whether they would help)"]
    data = course.config.get("data") or {}
    pictures = any(name in ("conv", "max_pool", "avg_pool") for name, _ in course.layers())
    if pictures and not data.get("augment"):
        found.append("`augment: [horizontal_flip, {shift: 0.1}]` in `data` (no flips for digits and letters)")
    if not any(name in DROPOUTS for name, _ in course.layers()):
        found.append("`dropout: 0.3` in front of the last dense layers")
    if not course.config.get("regularize"):
        found.append("`regularize: [{l2: 0.0001}]`")
    if not course.config.get("hooks"):
        found.append("`hooks: [{early_stopping: {patience: 10}}]`")
    found.append("a smaller network")
    return found


def rate_times(course: Course, factor: float) -> str:
    """The setting that multiplies the learning rate.

    Example:
        >>> rate_times(Course({}, config={"optimizer": {"adam": {"learning_rate": 0.01}}}), 0.1)
        '`--set optimizer.adam.learning_rate=0.001`'
    """
    name, given = course.optimizer
    rate = given.get("learning_rate")
    if isinstance(rate, (int, float)):
        return f"`--set optimizer.{name}.learning_rate={rate * factor:g}`"
    return f"{factor:g} times the learning rate of optimizer.{name}"
