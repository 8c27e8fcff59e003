"""Train, check and explain neural networks from one YAML file.

    dltrain.fit(config, **overrides)          train and return the result
    dltrain.build_model(config)               the graph of a config, with forward, backward and parameters
    dltrain.load_run(path)                    a trained model and all that belongs to it
    dltrain.sweep(sweep)                      many trials of a config's settings, and which is the best

Importing this package imports nothing else; the first use of a function loads what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dltrain.api import build_model, fit, load_run, sweep

__version__ = "0.1.0"

__all__ = ["__version__", "build_model", "fit", "load_run", "sweep"]


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dltrain import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted(__all__)
