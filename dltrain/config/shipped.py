"""The configs that come with dltrain."""

from __future__ import annotations

from pathlib import Path

import dltrain.config

SWEEPS = "sweeps"  # the folder of the sweeps, which are no configs


def shipped_folder() -> Path | None:
    """Their folder: inside the installed package, or beside it in a source checkout; None when there is none."""
    package = Path(next(iter(dltrain.config.__path__))).parent
    return next((f for f in (package / "configs", package.parent / "configs") if f.is_dir()), None)


def shipped_configs() -> dict[str, Path]:
    """All of them by name (`tabular/digits-mlp`), in alphabetical order."""
    folder = shipped_folder()
    found = sorted(folder.rglob("*.yaml")) if folder else []
    names = {path.relative_to(folder).with_suffix("").as_posix(): path for path in found if folder}
    return {name: path for name, path in names.items() if not name.startswith(SWEEPS + "/")}


def shipped_sweeps() -> dict[str, Path]:
    """The sweeps that come with dltrain, by name (`digits-rate`)."""
    folder = shipped_folder()
    return {path.stem: path for path in sorted((folder / SWEEPS).glob("*.yaml"))} if folder else {}


def find_shipped(name: str) -> Path | None:
    """The config of this name; its folder may be left out where that is clear."""
    known = shipped_configs()
    wanted = name.removesuffix(".yaml")
    matches = [path for key, path in known.items() if key == wanted or key.endswith("/" + wanted)]
    return known.get(wanted) or (matches[0] if len(matches) == 1 else None)
