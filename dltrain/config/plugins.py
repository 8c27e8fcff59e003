"""Python files of the user's own, which register further layers, losses and other things."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Sequence
from pathlib import Path

from dltrain.errors import UsageError


def load_plugins(paths: Sequence[str | Path]) -> None:
    """Run Python files given on the command line, so that they register layers, losses …

    Raises:
        UsageError: when a file is not there, or fails; with its line.
    """
    for number, path in enumerate(paths):
        if not Path(path).is_file():
            raise UsageError("there is no such Python file", where=str(path), expected="a file for --plugin")
        spec = importlib.util.spec_from_file_location(f"dltrain_plugin_{number}", path)
        if spec is None or spec.loader is None:
            raise UsageError("this is not a Python file", where=str(path), expected="a file that ends in .py")
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(Path(path).absolute())]
            line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else 0)
            got = f"{type(error).__name__}: {error}"
            raise UsageError("the plugin fails", where=f"{path}:{line}", got=got, hint="mend the file") from error
