"""dltrain schema: the JSON Schema of a config."""

from __future__ import annotations

import click

from dltrain.cli.base import command


@command("schema")
@click.option("--out", type=click.Path(), metavar="FILE", help="Write it to a file.")
def cli(out: str | None, as_json: bool) -> None:
    """Print the JSON Schema of a config, for completion and hover in an editor.

    With the schema in a file, this first line of a config turns it on in many editors:

    \b
    # yaml-language-server: $schema=dltrain.schema.json
    """
    import json

    from dltrain.cli.output import emit
    from dltrain.config.schema import schema

    found = schema()
    if out is not None:
        from dltrain.runs.files import atomic_write

        atomic_write(out, json.dumps(found, indent=2) + "\n")
    if as_json:
        emit(found)
    elif out is None:
        print(json.dumps(found, indent=2))
