"""dltrain check: build a config and try one step."""

from __future__ import annotations

from dltrain.cli import arguments
from dltrain.cli.base import command

WIDEST = 110  # columns; a wider table is harder to read


@command("check")
@arguments.config
@arguments.sets
@arguments.threads
@arguments.plugins
def cli(config: str, sets: tuple[str, ...], threads: int | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Build a config, try one step of training and validation, and show layers, sizes and costs.

    CONFIG is a YAML file, or the name of a config that comes with dltrain (`dltrain list configs`).
    """
    from dltrain.cli import threads as pool

    pool.prepare(threads)
    from dltrain import api
    from dltrain.cli.output import emit

    result, summary = api.check(arguments.config_path(config), sets=sets, plugins=plugins)
    if as_json:
        emit(result)
    else:
        from dltrain.cli.output import console, show

        made = summary.table(min(console().width, WIDEST))
        width, made.width = made.width or 0, None
        made.width = max(width, console(least=WIDEST).measure(made).minimum)
        show(made)
