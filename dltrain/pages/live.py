"""The pages of `dltrain ui`: all runs of a folder, and each by itself, as they are now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from dltrain.errors import DltrainError
from dltrain.pages import run, study
from dltrain.pages.furniture import STYLE, TELL
from dltrain.pages.material import Material
from dltrain.pages.page import built, ending, framed
from dltrain.report.html import Element, document, element, table
from dltrain.runs.folder import RunFolder, is_run, names, split_name
from dltrain.sweeps.folder import SweepFolder, is_sweep

# every other second the page is asked for again; what has changed replaces what is shown, and what can be opened,
# scrolled, chosen or have the focus is found again by its section and its number in there
FOLLOW = (
    TELL
    + """
const textOf = spot => spot.querySelector('title').textContent;
function places() {
  const found = new Map();
  for (const one of document.querySelectorAll('main :is(.chart, .wide, details, summary, a)')) {
    const section = one.closest('section'), label = section && section.getAttribute('aria-label');
    const name = [label, one.localName, one.className, one.getAttribute('href')].join();
    let number = 0;
    while (found.has(name + number)) number++;
    found.set(name + number, one);
  }
  return found;
}
function kept(one) {
  const spot = one.classList.contains('chart') ? one.querySelector('.on') : null;
  return {open: one.open, left: one.scrollLeft, top: one.scrollTop,
    focus: one === document.activeElement, said: spot && textOf(spot)};
}
function restore(one, old) {
  if (one.localName === 'details') one.open = old.open;
  if (old.focus) one.focus({preventScroll: true});
  const spot = old.said === null ? null : spotsOf(one).find(spot => textOf(spot) === old.said);
  if (spot) tell(one, spot);
  one.scrollLeft = old.left;
  one.scrollTop = old.top;
}
let shown = '';
setInterval(async () => {
  if (document.hidden) return;
  const main = document.querySelector('main'), state = document.querySelector('#state');
  try {
    const answer = await fetch(location.href), text = answer.ok ? await answer.text() : '';
    const fresh = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
    state.textContent = fresh ? '' : 'this is not there any more';
    if (!fresh || fresh.innerHTML === shown) return;
    shown = fresh.innerHTML;
    const before = new Map([...places()].map(([place, one]) => [place, kept(one)]));
    main.replaceChildren(...fresh.childNodes);
    for (const [place, one] of places()) if (before.has(place)) restore(one, before.get(place));
  } catch (error) {
    state.textContent = 'dltrain ui does not answer: it has ended, or the machine is busy';
  }
}, 2000);
"""
)


class Site:
    """All pages of a folder of runs, by address; nothing else can be asked for.

    Parameters:
        root: the folder
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def page(self, address: str) -> str | None:
        """The text of a page, made now; None where there is none.

        Parameters:
            address: "" for the list of all runs, or the name of a run and a slash as links write it; it is looked up
                among those that are there, never decoded or joined to a path
        """
        made = {"": self.all_runs, **self.single()}.get(address)
        return None if made is None else made()

    def single(self) -> Mapping[str, Callable[[], str]]:
        """{address: what makes its page} of every run and sweep that is there."""
        found = [self.root / name for name in names(self.root)]
        runs = {address(path.name): partial(of_run, path) for path in found if is_run(path)}
        return runs | {address(path.name): partial(of_sweep, path) for path in found if is_sweep(path)}

    def all_runs(self) -> str:
        """The page of all runs."""
        paths = [self.root / name for name in names(self.root)]
        runs = sorted((path for path in paths if is_run(path)), key=lambda path: split_name(path.name))
        sweeps = [path for path in paths if is_sweep(path)]
        inner = [element("h2", "Runs", id="runs"), listed(runs)]
        if sweeps:
            rows = [[link(path.name)] for path in sweeps]
            inner += [element("h2", "Sweeps", id="sweeps"), table(["sweep"], rows)]
        return followed("dltrain", str(self.root.absolute()), [], inner)


def listed(paths: list[Path]) -> Element:
    """A table of runs."""
    if not paths:
        return element("p", "There are no runs yet; `dltrain fit digits-mlp` makes one.")
    return table(
        ["run", "status", "evaluations", "metric", "best", "KiB"], [line(Material(RunFolder(path))) for path in paths]
    )


def line(run: Material) -> list[Element | str | float | None]:
    """A run in the list; of a damaged one only what can be read."""
    row, best = run.row, None
    evaluations: int | str = "damaged"
    with suppress(DltrainError):
        evaluations, best = len(run.records), run.best
    metric, value = ("", None) if best is None else best[:2]
    return [link(row.name), row.state, evaluations, metric, value, row.bytes // 1024]


def link(name: str) -> Element:
    """A run's name that leads to its page."""
    return element("a", element("bdi", name), href=address(name))


def address(name: str) -> str:
    """Where the page of a run is, from the list of all.

    Example:
        >>> address("digits-1"), address("<b>")
        ('digits-1/', '%3Cb%3E/')
    """
    return quote(os.fsencode(name), safe="") + "/"  # a name may be no UTF-8


def of_run(path: Path) -> str:
    """The page of a run: what can be said of it without its model."""
    sections, left_out = built(run.LIVE, Material(RunFolder.open(path)))
    more = element("p", "`dltrain report ", path.name, "` writes the page with everything else.", class_="note")
    return followed(
        path.name, "A run of dltrain.", [("all runs", "../")], [*sections.values(), *ending(left_out), more]
    )


def of_sweep(path: Path) -> str:
    """The page of a sweep."""
    sections, left_out = built(study.LIVE, study.Study(SweepFolder.open(path)))
    return followed(path.name, "A sweep by dltrain.", [("all runs", "../")], [*sections.values(), *ending(left_out)])


def followed(title: str, about: str, links: list[tuple[str, str]], inner: list[Element]) -> str:
    """A page that keeps up with what it shows."""
    state = element("output", id="state", aria_live="polite")
    return document(title, [framed(title, about, links, inner), state], STYLE, FOLLOW, connect="'self'")
