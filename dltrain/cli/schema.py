"""dltrain schema: the JSON Schema of a config, or of a sweep."""

from __future__ import annotations

import click

from dltrain.cli.base import command


@command("schema")
@click.option("--sweep", is_flag=True, help="Of the file of a sweep, in place of a config.")
@click.option("--out", type=click.Path(), metavar="FILE", help="Write it to a file.")
def cli(sweep: bool, out: str | None, as_json: bool) -> None:
    """Print the JSON Schema of a config or a sweep, for completion and hover in an editor.

    With the schema in a file, this first line of a config turns it on in many editors:

    \b
    # yaml-language-server: $schema=dltrain.schema.json
    """
    import json

    from dltrain.cli.output import emit
    from dltrain.config.schema import schema, schema_of

    if sweep:
        from dltrain.sweeps.settings import Sweep

        found = schema_of(Sweep, "dltrain sweep")
    else:
        found = schema()
    if out is not None:
        from dltrain.runs.files import atomic_write

        atomic_write(out, json.dumps(found, indent=2) + "\n")
    if as_json:
        emit(found)
    elif out is None:
        print(json.dumps(found, indent=2))
