"""What the layers of a network for pictures look for, and what they make of one."""

from __future__ import annotations

from collections.abc import Iterator

from dltrain.pages.material import Material
from dltrain.pages.pictures import gallery
from dltrain.pages.section import note
from dltrain.report.html import Child, element

FILTERS, MAPS, LAYERS = 32, 12, 4  # that are shown


def filters(run: Material) -> Iterator[Child]:
    """The filters of the first layer that has some."""
    from dltrain.looking import Subject
    from dltrain.looking.filters import Filters

    run.need_pictures()
    seen = Filters(FILTERS).look(Subject(run.inside), lambda text: None)
    yield from map(note, seen.lines)
    for sheet in seen.sheets.values():
        yield gallery(sheet.pictures, sheet.labels, [f"filter {label}" for label in sheet.labels])


def feature_maps(run: Material) -> Iterator[Child]:
    """What the first layers make of the first picture of the part."""
    from dltrain.looking.activations import Activations
    from dltrain.looking.subject import subject

    run.need_pictures()
    _ = run.network
    asked = {"layer": None, "sample": 0, "file": None, "class_": None}
    looked = subject(run.run, "picture", split=run.part, **asked)  # type: ignore[arg-type]
    seen = Activations(MAPS).look(looked, lambda text: None)
    yield gallery([looked.shown()], [looked.title], [looked.title])
    for path, sheet in list(seen.sheets.items())[:LAYERS]:
        yield element("h3", path)
        yield gallery(sheet.pictures, sheet.labels, [f"map {label}" for label in sheet.labels])
    if len(seen.sheets) > LAYERS:
        yield note(f"The first {LAYERS} of {len(seen.sheets)} layers; `dltrain show activations` shows all.")
