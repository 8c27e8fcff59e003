"""Charts as SVG text: lines, points, and tables of colours; no script, nothing remote, light and dark.

A figure follows the reader's colour scheme, its colours (Okabe and Ito) differ for colour-blind eyes too, and beyond
seven groups the shape of the points and the dashes of the lines differ as well.

Source: Okabe, Ito: Color universal design, 2008.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltrain.report.scale import Scale
from dltrain.report.text import escaped, seen

Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]

COLOURS = ("#0072b2", "#e07b00", "#009e73", "#cc79a7", "#56b4e9", "#a65628", "#7f7f7f")
DASHES = ("", "7 4", "2 3", "9 3 2 3")
CAPS = ("round", "square")
LEFT, TOP, WIDTH, HEIGHT, BOTTOM = 76, 48, 520, 340, 56  # of the plot, and the room around it
LETTER = 7.0  # width of a letter of the text, on average
DOT = 5  # width of a point
LONGEST = 24  # letters of a name in a legend
MOST_SPOTS = 200  # places of a line chart that tell their values
MOST_NUMBERS = 24  # rows and columns up to which a heat map shows its numbers
LIGHT = {"paper": "#ffffff", "ink": "#1f2328", "dim": "#59636e", "grid": "#e3e6ea"}
DARK = {"paper": "#15181c", "ink": "#e6e9ed", "dim": "#9aa4af", "grid": "#2e343b"}
# no CSS variables: many viewers and converters of pictures do not know them, and draw everything black
PAINT = (
    "svg{{background:{paper}}}text{{fill:{ink}}}.dim{{fill:{dim}}}.paper{{fill:{paper}}}.core{{stroke:{paper}}}"
    ".grid{{stroke:{grid};fill:none}}.axis{{stroke:{dim};fill:none}}"
)
STYLE = (
    f"{PAINT.format(**LIGHT)}@media(prefers-color-scheme:dark){{{PAINT.format(**DARK)}}}"
    ".spot{fill:none;stroke:#000;stroke-opacity:0;stroke-width:8;pointer-events:all}"
    "text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}"
    ".end{text-anchor:end}.middle{text-anchor:middle}.strong{fill:#ffffff}"
)


def line_chart(title: str, x_label: str, y_label: str, series: Series, log_x: bool = False, log_y: bool = False) -> str:
    """Lines through points; where a value is not finite (or not above 0 on a logarithmic axis) a line has a gap.

    Parameters:
        title: above the chart
        x_label: below the horizontal axis
        y_label: beside the vertical axis
        series: {name: (xs, ys)}
        log_x: whether the horizontal axis is logarithmic
        log_y: whether the vertical axis is logarithmic

    Raises:
        ValueError: when xs and ys of a series are not of one length.

    Example:
        >>> text = line_chart("loss", "epoch", "loss", {"train": ([1, 2], [0.9, 0.4])})
        >>> text.startswith("<svg "), "<polyline" in text, "<script" in text
        (True, True, False)
    """
    x, y = scales(series, log_x, log_y)
    drawn = []
    for number, (xs, ys) in enumerate(series.values()):
        dash = DASHES[number // len(COLOURS) % len(DASHES)]
        look = f'fill="none" stroke="{colour(number)}" stroke-width="2" stroke-linejoin="round"'
        look += f' stroke-dasharray="{dash}"' if dash else ""
        for run in runs(xs, ys, x, y):
            if len(run) == 1:
                drawn.append(f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2.5" fill="{colour(number)}"/>')
            else:
                drawn.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in run)}" {look}/>')
    drawn += line_spots(x_label, series, x)
    return plot(title, x_label, y_label, x, y, list(series), drawn, line_key)


def line_spots(x_label: str, series: Series, x: Scale) -> list[str]:
    """What the pointer is told along the horizontal axis: the values of all series there."""
    values: dict[float, list[str]] = {}
    for name, (xs, ys) in series.items():
        for a, b in zip(xs, ys, strict=True):
            if x.shows(a):
                values.setdefault(float(a), []).append(f"{name} {b:.4g}" if len(series) > 1 else f"{b:.4g}")
    every = -(-len(values) // MOST_SPOTS) or 1
    places = sorted(values)[::every]
    return [
        f'<path class="spot" d="M{LEFT + WIDTH * x.share(a):.1f} {TOP}v{HEIGHT}">'
        f"<title>{escaped(f'{x_label} {a:.4g}: ' + ', '.join(values[a]))}</title></path>"
        for a in places
    ]


def scatter_chart(
    title: str,
    x_label: str,
    y_label: str,
    groups: Series,
    names: Mapping[str, Sequence[str]] | None = None,
    log_x: bool = False,
) -> str:
    """Points in groups; what is not finite is left out.

    Parameters:
        title: above the chart
        x_label: below the horizontal axis
        y_label: beside the vertical axis
        groups: {name: (xs, ys)}
        names: {name: what the pointer is told of each point}; left out, it is told nothing

    Raises:
        ValueError: when xs and ys of a group are not of one length.

    Example:
        >>> text = scatter_chart("cats & dogs", "x", "y", {"cat": ([0, 1], [1, 0]), "dog": ([2], [2])})
        >>> "cats &amp; dogs" in text, text.count("h.01")  # a point is a very short line; two more in the legend
        (True, 5)
    """
    x, y = scales(groups, log_x)
    drawn = []
    for number, (xs, ys) in enumerate(groups.values()):
        places = "".join(f"M{a:.1f} {b:.1f}h.01" for run in runs(xs, ys, x, y) for a, b in run)
        drawn.append(dots(places, number))
    for group, texts in (names or {}).items():
        for a, b, text in zip(*groups[group], texts, strict=True):
            for (left, top), *_ in runs([a], [b], x, y):
                spot = f'<circle class="spot" cx="{left:.1f}" cy="{top:.1f}" r="4">'
                drawn.append(f"{spot}<title>{escaped(text)}</title></circle>")
    return plot(title, x_label, y_label, x, y, list(groups), drawn, dot_key)


def heat_map(title: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """A table whose cells are the darker the larger their value, such as a confusion matrix; negatives are pale.

    Parameters:
        title: above the chart
        rows: names of the rows
        columns: names of the columns
        values: a number for each row and column

    Raises:
        ValueError: when there is not one value for each row and column.

    Example:
        >>> "<title>cat, dog: 3</title>" in heat_map("confusion", ["cat"], ["cat", "dog"], [[7, 3]])
        True
    """
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        raise ValueError("a heat map needs one value for each row and column")
    most = max((float(v) for row in values for v in row if Scale(0, 1).shows(v)), default=0.0)
    left = 20 + LETTER * max((min(len(str(name)), LONGEST) for name in rows), default=0)
    top = TOP + 14 + LETTER * 0.75 * max((min(len(str(name)), LONGEST) for name in columns), default=0)
    size = max(14.0, min(46.0, 640 / max(len(rows), len(columns), 1)))
    drawn = []
    for j, name in enumerate(columns):
        a, b = left + (j + 0.5) * size, top - 8
        drawn.append(f'<text x="{a:.1f}" y="{b:.1f}" transform="rotate(-40 {a:.1f} {b:.1f})">{word(name)}</text>')
    for i, name in enumerate(rows):
        drawn.append(label(left - 8, top + (i + 0.5) * size + 4, word(name), "end", raw=True))
        for j, value in enumerate(values[i]):
            place = left + j * size, top + i * size
            drawn += cell(place, size, value, most, f"{name}, {columns[j]}", len(rows) <= MOST_NUMBERS)
    names = LETTER * max((len(word(name)) for name in columns), default=0)
    return figure(title, left + len(columns) * size + max(20, names), top + len(rows) * size + 20, drawn)


def cell(place: tuple[float, float], size: float, value: float, most: float, name: str, number: bool) -> list[str]:
    """One cell of a heat map, its number, and its name for the pointer."""
    share = max(0.0, float(value) / most) if most > 0 and Scale(0, 1).shows(value) else 0.0
    box = f'x="{place[0]:.1f}" y="{place[1]:.1f}" width="{size - 1:.1f}" height="{size - 1:.1f}"'
    said = f"{value:.4g}" if isinstance(value, float) else str(value)
    hover = f"<title>{escaped(name)}: {said}</title>"
    found = [f'<rect class="grid" {box}/><rect {box} fill="{COLOURS[0]}" fill-opacity="{share:.3f}">{hover}</rect>']
    if number and value:
        look = "middle strong" if share > 0.55 else "middle"
        found.append(label(place[0] + size / 2, place[1] + size / 2 + 4, said, look))
    return found


def scales(series: Series, log_x: bool = False, log_y: bool = False) -> tuple[Scale, Scale]:
    """The two axes that show all points."""
    if any(len(xs) != len(ys) for xs, ys in series.values()):
        raise ValueError("a series needs as many values as positions")
    x = Scale.of((value for xs, _ in series.values() for value in xs), log_x)
    return x, Scale.of((value for _, ys in series.values() for value in ys), log_y)


def runs(xs: Sequence[float], ys: Sequence[float], x: Scale, y: Scale) -> list[list[tuple[float, float]]]:
    """The points of a series as positions in the figure, cut where one cannot be shown."""
    found: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(xs, ys, strict=True):
        if x.shows(a) and y.shows(b):
            found[-1].append((LEFT + WIDTH * x.share(a), TOP + HEIGHT * (1 - y.share(b))))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def plot(
    title: str, x_label: str, y_label: str, x: Scale, y: Scale, names: list[str], drawn: list[str], key: Any
) -> str:
    """Axes, grid and legend around what is drawn."""
    around = []
    for tick in x.ticks():
        place = LEFT + WIDTH * x.share(tick)
        around.append(f'<path class="grid" d="M{place:.1f} {TOP}v{HEIGHT}"/>')
        around.append(label(place, TOP + HEIGHT + 18, x.label(tick), "middle dim"))
    for tick in y.ticks():
        place = TOP + HEIGHT * (1 - y.share(tick))
        around.append(f'<path class="grid" d="M{LEFT} {place:.1f}h{WIDTH}"/>')
        around.append(label(LEFT - 8, place + 4, y.label(tick), "end dim"))
    around.append(f'<path class="axis" d="M{LEFT} {TOP}v{HEIGHT}h{WIDTH}"/>')
    around.append(label(LEFT + WIDTH / 2, TOP + HEIGHT + 42, x_label, "middle"))
    middle = TOP + HEIGHT / 2
    around.append(f'<text class="middle" transform="translate(18 {middle:.1f}) rotate(-90)">{escaped(y_label)}</text>')
    shown = names if len(names) > 1 else []  # a single one is what the title says
    legend = []
    for number, name in enumerate(shown):
        place = TOP + 6 + 20 * number
        legend += [key(LEFT + WIDTH + 18, place, number), label(LEFT + WIDTH + 46, place + 4, word(name), raw=True)]
    room = 60 + LETTER * max((len(word(name)) for name in shown), default=-4)
    height = max(TOP + HEIGHT + BOTTOM, TOP + 20 * len(shown) + 16)
    return figure(title, LEFT + WIDTH + room, height, [*around, *drawn, *legend])


def figure(title: str, width: float, height: float, drawn: Sequence[str]) -> str:
    """The whole text of a figure."""
    width = max(width, 40 + 8.5 * len(title))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    head += f' height="{height:.0f}" role="img" aria-label="{escaped(title)}">'
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, label(20, 28, title, "title"), *drawn, "</svg>", ""])


def label(x: float, y: float, text: str, look: str = "", raw: bool = False) -> str:
    """A text at a place."""
    look = f' class="{look}"' if look else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{text if raw else escaped(text)}</text>'


def word(name: Any) -> str:
    """A name, cut to a readable length and escaped."""
    text = seen(name)
    return escaped(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def colour(number: int) -> str:
    """The colour of a series."""
    return COLOURS[number % len(COLOURS)]


def dots(path: str, number: int) -> str:
    """The points of a group: round or square, full or with a hole, as its number says."""
    shape = number // len(COLOURS)
    cap, hollow = CAPS[shape % 2], shape // 2 % 2
    found = f'<path d="{path}" stroke="{colour(number)}" stroke-width="{DOT}" stroke-linecap="{cap}" opacity="0.8"/>'
    return found + (f'<path class="core" d="{path}" stroke-width="2" stroke-linecap="{cap}"/>' if hollow else "")


def dot_key(x: float, y: float, number: int) -> str:
    """A point in the legend."""
    return dots(f"M{x + 10:.1f} {y:.1f}h.01", number)


def line_key(x: float, y: float, number: int) -> str:
    """A piece of line in the legend."""
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    more = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x:.1f} {y:.1f}h22" stroke="{colour(number)}" stroke-width="2"{more}/>'
